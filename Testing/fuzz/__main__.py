"""`python Testing/fuzz`: all targets, drawn anew round by round, until the time is over; a table of the answers at the end.

The exit code is 1 where something was found; the smallest example that shows it is printed, and written beside the log.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from multiprocessing import Pipe
from pathlib import Path

TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTING), *(str(TESTING.parent / name) for name in ("RadiomicsPersona", "RadiomicsPersonaTraining"))]

MOST_ROUNDS = 100_000
"""What tells the seeds of two targets apart."""


def run_apart(target, number: int) -> tuple[Counter, str]:
    """Run a target in a fork, which a library in C++ may end; gives the answers, and what was wrong."""
    ours, theirs = Pipe(duplex=False)
    child = os.fork()
    if not child:
        try:
            answers, wrong = target.run(target.weight, number), ""
        except BaseException as error:
            answers, wrong = Counter(), "".join(traceback.format_exception(error))
        theirs.send((answers, wrong))
        os._exit(0)
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        return Counter(), f"it ended the process; what it read last is the newest file in {kept_folder()}"
    finally:
        os.waitpid(child, 0)


def kept_folder() -> str:
    """A copy of the folder in which the inputs of this run lie."""
    from fuzz.images import FOLDER

    kept = Path(tempfile.mkdtemp(prefix="radiomics-persona-crash-"))
    shutil.copytree(FOLDER, kept, dirs_exist_ok=True)
    return str(kept)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description="Damages inputs of all kinds and looks at the answers.")
    parser.add_argument("--minutes", type=float, default=10, help="after which no further round is begun (default 10)")
    parser.add_argument("--rounds", type=int, default=MOST_ROUNDS, help="at most this many rounds (default: the time decides)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default 0)")
    parser.add_argument("--target", default="", help="only targets with this in their names")
    parser.add_argument("--log", default="fuzz-output.md", help="the table of the answers (default fuzz-output.md)")
    options = parser.parse_args()
    # what a library writes into standard error by itself is no answer, and would bury those that are
    told = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)

    from fuzz import images, models, texts

    targets = [target for room in (images, texts, models) for target in room.TARGETS if options.target in target.name]
    answers: dict[str, Counter] = {target.name: Counter() for target in targets}
    found: list[str] = []
    end, rounds = time.monotonic() + 60 * options.minutes, 0
    while rounds < options.rounds and time.monotonic() < end:
        for number, target in enumerate(targets):
            counts, wrong = run_apart(target, options.seed + rounds + MOST_ROUNDS * number)
            answers[target.name] += counts
            if wrong:
                found.append(f"{target.name}, round {rounds}, seed {options.seed}:\n{wrong}")
                answers[target.name]["WRONG"] += 1
                print(found[-1], file=told, flush=True)
            if time.monotonic() > end and rounds:
                break
        rounds += 1
        total = sum(counts.total() for counts in answers.values())
        print(f"round {rounds}: {total} examples, {len(found)} found", file=told, flush=True)
    lines = [f"Seed {options.seed}, {rounds} rounds.", "", "| what is damaged | answer | times |", "|---|---|---:|"]
    lines += [f"| {name} | {answer} | {n:,} |" for name, counts in answers.items() for answer, n in sorted(counts.items())]
    lines += [f"| all | | {sum(counts.total() for counts in answers.values()):,} |", ""]
    Path(options.log).write_text("\n".join([*lines, *found]), encoding="utf-8", errors="backslashreplace")
    print("\n".join(lines), file=told, flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
