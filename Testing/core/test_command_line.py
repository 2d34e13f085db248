"""The command line that hands know: help with examples, letters for options, hints at what was meant, completion, silence."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys

import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.commands.analyze import OUTPUTS
from RadiomicsPersonaLib.commands.registry import ANALYSIS
from RadiomicsPersonaLib.errors import how_to_install
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.system.progress import ProgressBar
from RadiomicsPersonaTrainingLib.cli import TRAINING

pytestmark = pytest.mark.usefixtures("small_models")

COMMANDS = [(registry, name) for registry in (ANALYSIS, TRAINING) for name in registry.commands]


@pytest.fixture(scope="module")
def phantom_file(tmp_path_factory):
    """A head in voxels of 4 mm."""
    head, path = make_head(4.0), tmp_path_factory.mktemp("phantom") / "head.nii.gz"
    write_nifti(path, head.array, head.affine)
    return path


@pytest.mark.parametrize(("registry", "name"), COMMANDS, ids=[f"{registry.program} {name}" for registry, name in COMMANDS])
def test_every_help_ends_with_examples_that_can_be_asked(registry, name, capsys):
    with pytest.raises(SystemExit):
        registry.main([name, "--help"])
    _, _, shown = capsys.readouterr().out.partition("examples:\n")
    examples = [line.strip() for line in shown.splitlines() if line.strip()]
    assert examples and all(example.startswith(f"{registry.program} {name}") for example in examples)
    for example in examples:
        assert registry.options_of(shlex.split(example)[1:]).command == name


@pytest.mark.parametrize(("registry", "name"), COMMANDS, ids=[f"{registry.program} {name}" for registry, name in COMMANDS])
def test_every_argument_has_a_help_text_and_a_head(registry, name):
    heads = {action: group.title for group in registry.parser_of(name)._action_groups for action in group._group_actions}
    for action, head in heads.items():
        words = action.option_strings or [action.dest]
        assert action.help and action.help.strip() and action.help != "==SUPPRESS==", words
        assert "-h" in words or head != "options", f"{words}: give it a head in command_line.GROUPS"
    told = {action.dest: head for action, head in heads.items()}
    assert told["quiet"] == told["verbose"] == "results"
    assert told.get("patient") in ("results" if name == "follow" else "how it is judged", None)
    assert told.get("largest") == ("what is made" if name == "pack" else "where to look" if "largest" in told else None)


def test_options_stand_under_heads_and_have_their_letters():
    told = ANALYSIS.parser_of("analyze").format_help()
    heads = [line for line in told.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert heads[2:-1] == ["where to look:", "how it is judged:", "results:", "model and machine:"]
    options = ANALYSIS.options_of(shlex.split("analyze s.nii --box 1,2,3,4,5,6 -o d -m harmonic -d cpu -q -v"))
    assert (options.output, options.model, options.device, options.quiet, options.verbose) == (
        "d",
        "harmonic",
        "cpu",
        True,
        True,
    )
    assert ANALYSIS.options_of(["cohort", "t.csv", "-j", "3", "-o", "d"]).workers == 3


def test_a_bare_call_shows_help(capsys):
    assert ANALYSIS.main([]) == 0
    assert "One scan:" in capsys.readouterr().out
    assert ANALYSIS.main(["analyze"]) == 2
    told = capsys.readouterr()
    assert not told.out and "examples:" in told.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("analyse s.nii", "no command 'analyse' (did you mean 'analyze'?)"),
        ("analyze s.nii --contrls 9", "no option '--contrls' (did you mean '--controls'?)"),
        ("analyze s.nii -o d --box 0,0,0,9,9,9 --outputs jsn", "no output 'jsn' (did you mean 'json'?)"),
        ("analyze s.nii -o d --box 0,0,0,9,9,9 --largest 2", "--largest is a number above 0 and goes with --labels"),
    ],
)
def test_what_was_meant_is_said(words, expected, capsys):
    assert ANALYSIS.main(shlex.split(words)) == 2
    told = capsys.readouterr().err
    assert expected in told and told.count("\n") == 1


def test_a_model_that_is_nearly_known_is_named(phantom_file, tmp_path, capsys):
    words = ["analyze", str(phantom_file), "--box", "34,-10,14,28,28,28", "-m", "harmonik", "-o", str(tmp_path / "d")]
    assert ANALYSIS.main(words) == 2
    assert "no model 'harmonik' (did you mean 'harmonic'?)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("radiomics-persona in", {"inpaint "}),
        ("radiomics-persona analyze --out", {"--output", "--outputs"}),
        ("radiomics-persona analyze --model har", {"harmonic "}),
    ],
)
def test_the_shell_completes(line, expected, tmp_path, checkout):
    pytest.importorskip("argcomplete")
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    asked |= {"_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "said"), "PYTHONPATH": str(checkout / "RadiomicsPersona")}
    done = subprocess.run([sys.executable, "-m", "RadiomicsPersonaLib"], env=os.environ | asked, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stdout, done.stderr
    assert set((tmp_path / "said").read_text().split("\n")) == expected


@pytest.mark.parametrize("program", ["radiomics-persona", "radiomics-persona-train"])
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_complete_by_one_line(program, shell, capsys):
    pytest.importorskip("argcomplete")
    registry = next(registry for registry in (ANALYSIS, TRAINING) if registry.program == program)
    with pytest.raises(SystemExit) as left:
        registry.main(["--completion", shell])
    told = capsys.readouterr().out
    assert left.value.code == 0 and "_ARGCOMPLETE" in told and program in told


def test_completion_without_its_library_or_shell_is_one_sentence(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    assert ANALYSIS.main(["--completion", "bash"]) == 2
    assert how_to_install("completion") in capsys.readouterr().err
    for words in (["--completion", "tcsh"], ["--completion"]):
        assert ANALYSIS.main(words) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_only_the_files_that_are_asked_for_are_written_and_a_quiet_command_says_nothing(phantom_file, tmp_path, capsys):
    folder = tmp_path / "results"
    words = [
        "analyze",
        str(phantom_file),
        "--box",
        "34,-10,14,28,28,28",
        "-m",
        "harmonic",
        "--controls",
        "0",
        "-o",
        str(folder),
    ]
    assert ANALYSIS.main([*words, "--outputs", "csv,unusual", "-q"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["results.csv", "unusual.nii.gz"]
    assert capsys.readouterr() == ("", "")
    assert set(OUTPUTS) > {"csv", "unusual"}


def test_a_verbose_command_tells_its_stages_from_the_start(phantom_file, tmp_path, capsys):
    words = ["analyze", str(phantom_file), "--box", "34,-10,14,28,28,28", "-m", "harmonic", "--controls", "0"]
    assert ANALYSIS.main([*words, "-o", str(tmp_path / "d"), "--outputs", "json", "-v"]) == 0
    stages = [line.split(None, 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert stages[0] == "Starting" and stages[1] == "Reading the scan" and stages[-1] == "Writing the results"


def test_times_are_human(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    with ProgressBar() as progress:
        progress.tell("Reading the scan")
        progress(1, 16, "controls")
        assert "left" not in shown.getvalue(), "one step says nothing of the others"
        progress._bar.start_t -= 600
        progress(8, 16, "controls")
        assert "Reading the scan" in shown.getvalue() and "10:00, 10:00 left" in shown.getvalue()
    assert shown.getvalue().rstrip(" ").endswith("\r"), "the bar is gone"


def test_a_negative_seed_is_refused_by_every_command(capsys):
    with_seed = [name for name in ANALYSIS.commands if any(a.dest == "seed" for a in ANALYSIS.parser_of(name)._actions)]
    assert {"analyze", "features", "paint", "sensitivity"} <= set(with_seed)
    for name in with_seed:
        for text, said in (("-1", "The seed is -1: give 0"), (str(2**63), "of at most"), ("x", "invalid seed value: 'x'")):
            assert ANALYSIS.main([name, "--seed", text]) == 2
            assert said in capsys.readouterr().err
