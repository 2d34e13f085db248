"""Registry: the commands of a program by name, each a module that is imported when it is called.

A command's module has `add_arguments(parser)`, which says what may be asked, `run(options, job)`, which does it and returns
the exit code, see `job.Job`, and `EXAMPLES`, the words of whole calls that its help shows.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from .. import __version__
from ..defaults import CLASSICAL, RESEARCH_USE
from ..errors import InputError, how_to_install
from ..system.device import NO_MEMORY, in_precision, ran_out_of_memory
from ..system.names import meant
from ..system.output import FULL, cleaned_up, inputs_kept
from ..system.signals import Ended, signals_end
from ..system.threads import let_waiting_sleep, use_threads
from .command_line import EXIT_BAD_INPUT, EXIT_CANCELLED, EXIT_NOBODY_READS, CommandParser, joined
from .job import Job, terminal_job

SHELLS = ("bash", "zsh", "fish")
"""Shells that can be told to complete a line."""
_OF_THE_USER = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO)
"""Why a file that is named cannot be opened, where no room of the program is at fault."""


_OUTPUTS = ("output", "probabilities", "brain_mask")
"""Options that name what is written."""
_REWRITTEN = (".toml", ".json")


@dataclass(frozen=True)
class Command:
    """A command before its module is imported.

    Attributes:
        module: dotted name.
        help: what it does, in half a sentence.
        after_cancel: what the user is told, after Ctrl-C, about what is left.
        per_row: whether it is work on one scan, which a cohort can do with every row of a table.
    """

    module: str
    help: str
    after_cancel: str = "nothing was written"
    per_row: bool = False


class Registry:
    """The commands of one program.

    Args:
        program: what it is called.
        description: what it is for, in a sentence.
        groups: commands by name, under the heads of the groups that `--help` lists.
        extra: the package's extra that brings what its commands import beyond what is always there.
    """

    def __init__(self, program: str, description: str, groups: dict[str, dict[str, Command]], extra: str = ""):
        self.program, self.description, self.groups, self.extra = program, description, groups, extra
        self.commands = {name: command for group in groups.values() for name, command in group.items()}

    def parser_of(self, name: str) -> CommandParser:
        """The parser of one command's words, without its name."""
        told, module = self.commands[name].help, self._module(name)
        called = f"{self.program} {name}"
        examples = [f"{called} {words}".rstrip() for words in module.EXAMPLES]
        return self._filled(CommandParser(prog=called, description=f"{told[0].upper()}{told[1:]}.", examples=examples), name)

    def _filled(self, parser: CommandParser, name: str) -> CommandParser:
        """The parser with a command's arguments, and those of every command."""
        parser.set_defaults(command=name)
        self._module(name).add_arguments(parser)
        parser.add_argument("-q", "--quiet", action="store_true", help="no text and no progress; files and errors as ever")
        parser.add_argument(
            "-v", "--verbose", action="store_true", help="a line with the time for every step, and more on errors"
        )
        return parser

    def options_of(self, words: Sequence[str], given: dict | None = None) -> argparse.Namespace:
        """The options that a command's words stand for, with the name of the `command`.

        Args:
            words: the command's name and what follows it.
            given: values of options and arguments that need not stand among the words, by their names in the namespace;
                they win.
        Raises:
            InputError: the words cannot be understood, or ask for a text that only a terminal can show.
        """
        try:
            return self._options_of(words, given)
        except SystemExit:  # argparse has printed a text, and would end a process that has other work to do
            raise InputError("--help and --version are for a terminal alone: leave them out here.") from None

    def _options_of(self, words: Sequence[str], given: dict | None = None) -> argparse.Namespace:
        """See `options_of`; --help and --version end the process."""
        words, given = joined(list(words)), given or {}
        if words and not words[0].startswith("-") and words[0] not in self.commands:
            hint = meant(words[0], self.commands)
            raise InputError(f"there is no command '{words[0]}'{hint}; see {self.program} --help.")
        if not words or words[0] not in self.commands:
            self._parser().parse_args(words[: 2 if words[0:1] == ["--completion"] else 1])
        parser = self.parser_of(words[0])
        for action in parser._actions:
            if action.dest in given:
                action.required = False
                action.nargs = action.nargs if action.option_strings else "?"
        options = parser.parse_args(words[1:])
        vars(options).update(given)
        return options

    def run(self, options: argparse.Namespace, job: Job) -> int:
        """Run a command; returns 0 when it is done.

        Raises:
            InputError: an input cannot be used.
        """
        if getattr(options, "threads", None) is not None:
            use_threads(options.threads)
        try:
            with in_precision(getattr(options, "precision", "auto")), inputs_kept(_files_in(options)):
                return self._module(options.command).run(options, job)
        except OSError as error:
            if error.errno not in _OF_THE_USER or error.filename is None:
                raise
            raise InputError(f"'{error.filename}' cannot be opened ({error.strerror}): choose another file.") from error

    def main(self, words: Sequence[str] | None = None) -> int:
        """Run what the words ask for.

        Args:
            words: without the program's name; None takes the process's own.
        Returns:
            0 when done; 2, with one sentence on standard error, when the input cannot be used, memory does not suffice or what
            is printed finds no room; 130 when cancelled; 128 and the number of the signal where another one ended it; 141 where
            nobody reads on what is printed.
        """
        sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # that are closed
        written: list[Path] = []
        try:
            try:
                return self._done(words, written)
            finally:
                sys.stdout.flush()  # now, and not when the process ends, where nobody can say what is wrong
        except OSError as error:
            if error.errno != errno.EPIPE and (error.errno not in FULL or error.filename is not None):
                raise
            _let_go(sys.stdout)
            if error.errno == errno.EPIPE:
                return EXIT_NOBODY_READS
            after = f"; '{written[-1]}' was written before, whole" if written else ""
            self._say(f"what is printed cannot be written ({error.strerror}): free some space, or print it elsewhere{after}.")
            return EXIT_BAD_INPUT

    def _say(self, sentence: str) -> None:
        """Print a sentence on standard error, unless that is full or closed."""
        with contextlib.suppress(OSError):
            print(f"{self.program}: {sentence}", file=sys.stderr, flush=True)

    def _done(self, words: Sequence[str] | None, written: list[Path]) -> int:
        """See `main`; `written` gets the outputs that are put in place."""
        let_waiting_sleep()  # nothing has loaded numpy or torch yet
        words = sys.argv[1:] if words is None else list(words)
        if "_ARGCOMPLETE" in os.environ:
            self.complete()
        if isinstance(sys.stdout, io.TextIOWrapper):  # a console may lack letters of a name
            sys.stdout.reconfigure(errors="backslashreplace")
        if not words:
            self._parser().print_help()
            return 0
        options = argparse.Namespace(verbose=False)
        try:
            if len(words) == 1 and words[0] in self.commands and self._needs_words(words[0]):
                self.parser_of(words[0]).print_help(sys.stderr)
                return EXIT_BAD_INPUT
            with signals_end(), cleaned_up(written), contextlib.ExitStack() as shown:
                options = self._options_of(words)
                shows_json = getattr(options, "json", False)
                job = shown.enter_context(terminal_job(options.quiet or shows_json, options.verbose))
                if options.quiet and not shows_json:
                    shown.enter_context(contextlib.redirect_stdout(io.StringIO()))
                return self.run(options, job)
        except InputError as error:
            if options.verbose:
                traceback.print_exc()
            self._say(str(error))
            return EXIT_BAD_INPUT
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("RadiomicsPersona"):
                raise
            wanted = how_to_install(self.extra) if self.extra else f"run pip install {error.name}"
            self._say(f"this needs {error.name}, which is not installed: {wanted}.")
            return EXIT_BAD_INPUT
        except (MemoryError, RuntimeError, OSError) as error:
            if not ran_out_of_memory(error):
                raise
            self._say(NO_MEMORY)
            return EXIT_BAD_INPUT
        except KeyboardInterrupt as stopped:
            after = self.commands[words[0]].after_cancel if words and words[0] in self.commands else Command.after_cancel
            if written and after == Command.after_cancel:
                after = f"'{written[-1]}' was written before, whole"
            self._say(f"cancelled; {after}.")
            return 128 + stopped.number if isinstance(stopped, Ended) else EXIT_CANCELLED

    def complete(self) -> None:
        """Answer a shell that asks argcomplete (an extra) how a line may go on, and end the process."""
        from argcomplete import autocomplete  # only a shell that was told to will ask

        from ..networks.card import KINDS, model_cards  # with numpy, which the list of commands need not wait for

        parser = CommandParser(prog=self.program)
        commands = parser.add_subparsers(dest="command")
        typed = os.environ.get("COMP_LINE", "").split()[1:2]
        for name, command in self.commands.items():
            its = commands.add_parser(name, help=command.help)
            if name in typed:
                for action in self._filled(its, name)._actions:
                    if action.dest == "model":
                        action.completer = lambda **typed: [
                            *CLASSICAL,
                            *(model for kind in KINDS for model in model_cards(kind)),
                        ]
        autocomplete(parser)

    def _needs_words(self, name: str) -> bool:
        return any(action.required for action in self.parser_of(name)._actions)

    def _module(self, name: str):
        return import_module(self.commands[name].module)

    def _parser(self) -> CommandParser:
        """The parser of what comes before a command: `--help`, which lists them all, and `--version`."""
        width = max(map(len, self.commands)) + 2
        listed = "\n\n".join(
            "\n".join([f"{head}:", *(f"  {name:<{width}}{command.help}" for name, command in group.items())])
            for head, group in self.groups.items()
        )
        parser = CommandParser(
            prog=self.program,
            description=self.description,
            epilog=f"{listed}\n\n{self.program} COMMAND --help tells a command's arguments, with examples.",
        )
        parser.add_argument("--version", action="version", version=__version__)
        parser.add_argument(
            "--completion",
            action=_Completion,
            choices=SHELLS,
            help="print what makes this shell complete commands, options and models; for its start-up file",
        )
        parser.add_argument("command", metavar="COMMAND", choices=self.commands, help="one of the commands below")
        return parser


def _files_in(options: argparse.Namespace) -> list[str]:
    """The files that a command's words name: no outputs, and no settings and cards, which some commands write anew."""
    named = (value for name, value in vars(options).items() if name not in _OUTPUTS)
    texts = [text for value in named for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
    texts += [text.partition("=")[2] for text in texts]
    return [
        text for text in texts if (text.lower().endswith(".mrk.json") or not text.endswith(_REWRITTEN)) and os.path.isfile(text)
    ]


def _let_go(stream) -> None:
    """Let a stream that cannot be written to lead nowhere, so that what it still holds is lost in silence."""
    with contextlib.suppress(OSError, ValueError):  # not a stream of the system
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    with contextlib.suppress(OSError, ValueError):
        stream.flush()


class _Completion(argparse.Action):
    """Prints what a shell must be told to ask us how a line goes on, and ends the process."""

    def __call__(self, parser, namespace, values, option_string=None):
        try:
            from argcomplete import shellcode  # an extra
        except ModuleNotFoundError:
            raise InputError(f"completion needs argcomplete, which is not installed: {how_to_install('completion')}.") from None
        print(shellcode([parser.prog], shell=values))
        parser.exit()


def _here(name: str, help: str, **more) -> Command:
    return Command(f"RadiomicsPersonaLib.commands.{name}", help, **more)


ANALYSIS = Registry(
    "radiomics-persona",
    f"Rebuild what a region of a brain MRI would look like if it were healthy, and judge it. {RESEARCH_USE}",
    {
        "One scan": {
            "analyze": _here("analyze", "rebuild, compare and judge boxes in a scan", per_row=True),
            "report": _here("report", "write the report of an analysis again, as HTML and PDF"),
            "inpaint": _here("inpaint", "rebuild the voxels of a mask of any shape", per_row=True),
            "scan": _here("scan", "list the places of a whole head that stand out, each with a box", per_row=True),
            "segment": _here(
                "segment", "find what a model was trained to find: lesions, or brain, grey, white and fluid", per_row=True
            ),
            "features": _here(
                "features", "radiomics features of a mask, each against the same shape in healthy tissue", per_row=True
            ),
            "mesh": _here("mesh", "make a closed surface of a mask or label map", per_row=True),
        },
        "Visits and many scans": {
            "follow": _here(
                "follow",
                "analyze the same boxes in several scans of one patient, carried along by rigid registration",
                per_row=True,
            ),
            "regress": _here("regress", "regress measurements on time and covariates, over patients"),
            "cohort": Command(
                "RadiomicsPersonaLib.cohort.command",
                "run a command on every scan of a table, on all cores or on a cluster",
                after_cancel="finished rows are kept, and the same command goes on with the others",
            ),
        },
        "What would have been found": {
            "paint": _here("paint", "paint a lesion of a kind, size and strength into a scan", per_row=True),
            "sensitivity": _here(
                "sensitivity",
                "paint lesions of several sizes and strengths at a place of this scan, and judge each",
                per_row=True,
            ),
        },
        "This program": {"models": _here("models", "list the models")},
    },
)
"""The commands of `radiomics-persona`."""
