"""Command line: how the words of a command become options, which of them several share, and what its end tells the shell."""

from __future__ import annotations

import argparse
import shlex

from ..defaults import DEFAULT_MODEL
from ..errors import InputError
from ..system.device import PRECISIONS

EXIT_BAD_INPUT = 2
EXIT_CANCELLED = 130
_WITH_OPTIONS_OF_OTHERS = ("follow", "cohort")
"""Commands that run other ones, whose options stand behind a lone --."""


class CommandParser(argparse.ArgumentParser):
    """Says what is wrong in one line; `--help` tells the rest."""

    def error(self, message: str):
        """Raise `InputError` in place of leaving the process."""
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
        help="arithmetic of the networks (default auto: bf16 where the processor has it, as fast machines do)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="processor cores to compute with (default all)")
