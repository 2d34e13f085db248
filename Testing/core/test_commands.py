"""The commands of both programs: one protocol, and nothing loaded that a command does not need."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from importlib import import_module

import pytest

from RadiomicsPersonaLib.commands.registry import ANALYSIS
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaTrainingLib.cli import TRAINING

COMMANDS = [(registry, name) for registry in (ANALYSIS, TRAINING) for name in registry.commands]
ANALYZE, TRAIN = "from RadiomicsPersonaLib.cli import main", "from RadiomicsPersonaTrainingLib.cli import main"
ASK = """
def ask(words):
    try:
        main(words)
    except SystemExit as left:
        assert left.code == 0
"""
SETTINGS = """
from pathlib import Path
from RadiomicsPersonaTrainingLib.settings.definition import complaints, definition, settings_table
from RadiomicsPersonaTrainingLib.settings.training_settings import read_settings, written
assert definition()["sections"]
file = Path("settings.toml")
file.write_text("[task]\\nkind = 'segmentation'\\n[fit]\\nsteps = 12\\n", encoding="utf-8")
settings = read_settings(file)
file.write_text(written(settings), encoding="utf-8")
assert read_settings(file) == settings and settings.fit.steps == 12
table = settings_table(settings)
assert complaints(table) == {}
table["fit"]["steps"] = 0
assert "out of its range" in complaints(table)["fit.steps"]
"""


@pytest.mark.parametrize(("registry", "name"), COMMANDS, ids=[f"{registry.program} {name}" for registry, name in COMMANDS])
def test_a_command_says_what_it_may_be_asked_and_runs_a_job(registry, name, capsys):
    module = import_module(registry.commands[name].module)
    assert list(inspect.signature(module.run).parameters) == ["options", "job"]
    assert list(inspect.signature(module.add_arguments).parameters) == ["parser"]
    with pytest.raises(SystemExit) as left:
        registry.main([name, "--help"])
    told = capsys.readouterr().out
    assert left.value.code == 0 and told.startswith(f"usage: {registry.program} {name}")


def loaded(code: str, folder, checkout) -> set[str]:
    """What a fresh Python has loaded of the heavy packages after some code, which may leave with 0."""
    heavy = ("torch", "scipy", "SimpleITK", "nibabel", "PIL", "monai", "lightning", "sklearn", "skimage", "pandas", "vtk")
    folders = os.pathsep.join(str(checkout / name) for name in ("RadiomicsPersona", "RadiomicsPersonaTraining"))
    ending = f"import sys\nprint('LOADED', *(n for n in {heavy!r} if n in sys.modules))"
    code = "try:\n" + "".join(f"    {line}\n" for line in code.strip().splitlines())
    code += "except SystemExit as left:\n    assert not left.code, left.code\n" + ending
    command = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": folders}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (ANALYZE, ["--help"]),
        (ANALYZE, ["--version"]),
        (ANALYZE, ["models"]),
        (ANALYZE, ["models", "--json"]),
        (TRAIN, ["--help"]),
    ]
    + [(TRAIN, ["init", f"{task}.toml", "--task", task]) for task in ("reconstruction", "segmentation")],
    ids=lambda part: " ".join(part) if isinstance(part, list) else part.split()[1],
)
def test_a_command_that_reads_no_scan_answers_at_once(program, words, tmp_path, checkout):
    assert loaded(f"{program}\nassert main({words!r}) == 0", tmp_path, checkout) == set()


def test_settings_are_read_written_and_checked_with_the_standard_library_and_numpy(tmp_path, checkout):
    assert loaded(SETTINGS, tmp_path, checkout) == set()


def test_the_help_of_an_analysis_waits_for_no_network(tmp_path, checkout):
    """But for a cohort's, which notes the version of torch in its record."""
    helps = "\n".join(f"ask({[name, '--help']!r})" for name in ANALYSIS.commands if name != "cohort")
    found = loaded(f"{ANALYZE}\n{ASK}\n{helps}", tmp_path, checkout)
    assert not found & {"torch", "pandas", "vtk", "sklearn", "nibabel"}


def test_research_on_the_program_stands_apart_and_last(capsys):
    with pytest.raises(SystemExit):
        TRAINING.main(["--help"])
    told = capsys.readouterr().out
    head = "Research on the program itself, for its developers:"
    before, after = told.split(head)
    listed = [line.split()[0] for line in after.splitlines() if line.startswith("  ") and line.strip()]
    assert listed == ["evaluate-verdict", "evaluate-scan", "compare", "evaluate-masks", "experiment"]
    assert not any(f"  {name} " in before for name in listed)


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_a_process_that_runs_commands_for_others_is_not_ended_by_help(word):
    with pytest.raises(InputError, match="--help and --version are for a terminal alone"):
        ANALYSIS.options_of(["mesh", word])


def test_a_worker_outlives_what_it_cannot_write_or_read(checkout):
    """A name that is no UTF-8, a request for help, and brackets without end: each is answered or passed over."""
    requests = [
        {"id": 1, "kind": "command", "arguments": ["analyze", "\ud800", "--box", "0,0,0,1,1,1", "--output", "q"]},
        {"id": 2, "kind": "command", "arguments": ["mesh", "--help"]},
        {"id": 3, "kind": "command", "arguments": ["--version"]},
        {"id": 4, "kind": "command", "arguments": ["mesh", "no such file", "--output", "q.ply"]},
    ]
    lines = ["[" * 100_000, '{"a":' * 100_000, *map(json.dumps, requests)]
    process = subprocess.Popen(
        [sys.executable, "-m", "RadiomicsPersonaLib.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(checkout / "RadiomicsPersona")},
    )
    process.stdin.write("".join(f"{line}\n" for line in lines).encode())
    process.stdin.flush()
    refused = {}
    while len(refused) < len(requests):
        line = process.stdout.readline()
        assert line, "it has ended"
        answer = json.loads(line)
        if "refused" in answer:
            refused[answer["id"]] = answer["refused"]
    process.stdin.close()
    assert process.wait(20) == 0
    assert r"\ud800" in refused[1] and "no such file" in refused[4]
    assert "for a terminal" in refused[2] and "for a terminal" in refused[3]
