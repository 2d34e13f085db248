"""Command line: how the words of a command become options, which of them several share, what its help looks like, and what its
end tells the shell.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence

from ..defaults import DEFAULT_MODEL
from ..errors import InputError
from ..system.device import PRECISIONS
from ..system.names import meant

EXIT_BAD_INPUT = 2
EXIT_CANCELLED = 130
EXIT_NOBODY_READS = 141
"""As of a program that SIGPIPE has ended."""
_WITH_OPTIONS_OF_OTHERS = ("follow", "cohort")
"""Commands that run other ones, whose options stand behind a lone --."""
SHORT = {"output": "-o", "model": "-m", "device": "-d", "devices": "-d", "workers": "-j"}
"""Options with a letter of their own, alike in every command."""
MOST_SEED = 2**63 - 1
GROUPS = {
    "where to look": (
        *("box", "boxes", "labels", "largest", "segment_with", "segment", "contrast", "exclude", "mask", "masks", "label"),
        *("place", "dates", "bids", "suffix", "data", "split", "settings", "groups", "subjects", "part", "lesion_masks"),
        *("healthy", "shapes"),
    ),
    "what is painted": ("kind", "kinds", "size", "sizes", "strength", "strengths"),
    "what is made": (
        *("per_row", "options", "smooth", "decimate", "brain_mask", "task", "start", "small", "licence", "bits", "keep"),
        *("default", "name", "use", "install", "archive", "remove", "certainty"),
    ),
    "how much": (
        *("resume", "minutes", "estimate", "steps", "seeds", "looks", "count", "pictures", "people", "arms", "few", "more"),
        *("painted", "validation", "test"),
    ),
    "how it is judged": (
        *("controls", "decision", "threshold", "classifier", "tighten", "one_look", "stability", "seed", "outcome", "time"),
        *("no_probe", "second_look", "covariate", "slope_by", "log", "correction", "levels"),
    ),
    "model and machine": (
        "model",
        "device",
        "devices",
        "nodes",
        "precision",
        "threads",
        "workers",
        "scheduler",
        "cache",
        "generator",
    ),
    "results": (*("output", "outputs", "probabilities", "patient", "with_name", "before", "json", "card", "quiet", "verbose"),),
}
"""Heads under which `--help` lists options, alike in every command; `head` puts an option that means another thing in one of
them under another head. Nothing but --help stands under "options".
"""


class CommandParser(argparse.ArgumentParser):
    """Says what is wrong in one line, and what was probably meant; `--help` tells the rest.

    Args:
        examples: whole command lines, shown at the end of the help.
    """

    def __init__(self, *args, examples: Sequence[str] = (), **more):
        if examples:
            more["epilog"] = "\n  ".join(["examples:", *examples])
        more.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        self._heads: dict[str, argparse._ArgumentGroup] = {}
        self._words: list[str] = []
        super().__init__(*args, **more)

    def add_argument(self, *names: str, head: str | None = None, **told) -> argparse.Action:
        """Add an option under its head of `GROUPS` and with its letter of `SHORT`; anything else as argparse does.

        Args:
            head: instead of that of `GROUPS`.
        """
        long = next((name for name in names if name.startswith("--")), None)
        if long is None:
            return super().add_argument(*names, **told)
        dest = told.get("dest") or long.removeprefix("--").replace("-", "_")
        names = (SHORT[dest], *names) if dest in SHORT else names
        head = head or next((head for head, members in GROUPS.items() if dest in members), None)
        if head is None:
            return super().add_argument(*names, **told)
        if head not in self._heads:
            self._heads[head] = self.add_argument_group(head)
        return self._heads[head].add_argument(*names, **told)

    def parse_args(self, args=None, namespace=None) -> argparse.Namespace:
        """As argparse, with a hint where a word is nearly one that is known."""
        self._words = list(args or ())
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options

    def _print_message(self, message, file=None):
        """As argparse, which says nothing of a full disk or a closed pipe."""
        if message:
            (file or sys.stderr).write(message)

    def error(self, message: str):
        """Raise `InputError` in place of leaving the process."""
        asked = [word.partition("=")[0] for word in self._words if word.startswith("--") and word != "--"]
        known = list(self._option_string_actions)
        unknown = [word for word in asked if not any(option.startswith(word) for option in known)]
        if unknown:
            message = f"there is no option '{unknown[0]}'{meant(unknown[0], known)}"
        raise InputError(f"{message}; see {self.prog} --help.")


def joined(words: list[str]) -> list[str]:
    """`--box -10,20,...` as `--box=-10,20,...`: argparse would take the minus for an option; and for commands that run others,
    what stands behind a lone -- as their --options.

    >>> joined(["analyze", "scan.nii", "--box", "-10,20,30,8,8,8"])
    ['analyze', 'scan.nii', '--box=-10,20,30,8,8,8']
    >>> joined(["cohort", "table.csv", "--", "--controls", "9"])
    ['cohort', 'table.csv', '--options=--controls 9']
    """
    done, rest = [], list(words)
    if rest[:1] and rest[0] in _WITH_OPTIONS_OF_OTHERS and "--" in rest:
        place = rest.index("--")
        rest[place:] = [f"--options={shlex.join(rest[place + 1 :])}"]
    while rest:
        word = rest.pop(0)
        follows = rest[0] if rest else ""
        if word in ("--box", "--place", "--threshold") and follows.startswith("-") and follows[1:2] in set("0123456789.,nNiI"):
            word = f"{word}={rest.pop(0)}"
        done.append(word)
    return done


def seed(text: str) -> int:
    """The number behind --seed, in every command.

    Raises:
        InputError: it is below 0, or larger than every generator of random numbers takes.
        ValueError: it is no whole number.
    """
    number = int(text)
    if number < 0:
        raise InputError(f"The seed is {number}: give 0 or a positive whole number.")
    if number > MOST_SEED:
        raise InputError(f"The seed is {number}: give a whole number of at most {MOST_SEED}.")
    return number


def add_model_and_device(parser: argparse.ArgumentParser) -> None:
    """Add --model and --device."""
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, metavar="M", help="a name of `radiomics-persona models` (default auto)"
    )
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device, --precision and --threads."""
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="where the network runs")
    parser.add_argument(
        "--precision",
        default="auto",
        choices=list(PRECISIONS),
        help="arithmetic of the networks (default auto: bf16 where the CPU has it, as fast machines do)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="CPU cores to compute with (default all)")
