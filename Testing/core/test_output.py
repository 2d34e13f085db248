"""Outputs: whatever ends a command at whatever moment, its results are the old ones or the new ones; nothing hidden stays."""

from __future__ import annotations

import os
import random
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.commands.registry import Command, Registry
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.system.output import (
    file_written_whole,
    files_written_whole,
    folder_written_whole,
    inputs_kept,
    refuse_unwritable,
    sole_writer,
)
from RadiomicsPersonaLib.system.signals import signals_held

LIBRARY = Path(__file__).resolve().parents[2] / "RadiomicsPersona"
COMMAND = """
import time
from RadiomicsPersonaLib.system.output import file_written_whole, folder_written_whole

EXAMPLES = ("2 folder",)

def add_arguments(parser):
    parser.add_argument("version")
    parser.add_argument("output")
    parser.add_argument("--slowly", type=float, default=0)

def run(options, job):
    print("begun", flush=True)
    opened = file_written_whole if options.output.endswith(".txt") else folder_written_whole
    with opened(options.output, alone=True) as place:
        if place.is_file():
            place.write_text(options.version)
            time.sleep(options.slowly)
            return 0
        (place / "sub").mkdir()
        for name in ("a.txt", "b.txt", "sub/c.txt", "z.txt"):
            (place / name).write_text(options.version)
            time.sleep(options.slowly)
    return 0
"""


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A program with one command, `write VERSION OUTPUT`."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "writing_command.py").write_text(COMMAND)
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    yield Registry("program", "Writes.", {"All": {"write": Command("writing_command", "write")}})
    sys.modules.pop("writing_command", None)


def content(place: Path) -> str | None:
    """The version that is there, "mixed" where it is more than one; None where there is nothing."""
    if not place.exists():
        return None
    if place.is_file():
        return place.read_text()
    files = [place / name for name in ("a.txt", "b.txt", "sub/c.txt", "z.txt")]
    versions = {file.read_text() if file.exists() else None for file in files}
    return versions.pop() if len(versions) == 1 else "mixed"


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".*")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "TERM"])
@pytest.mark.parametrize("there", ["nothing", "old results"])
@pytest.mark.parametrize("call", range(1, 6))
def test_a_signal_while_results_are_put_in_place_lets_them_be_whole(
    call, there, number, registry, tmp_path, monkeypatch, capsys
):
    place = tmp_path / "o"
    if there != "nothing":
        assert registry.main(["write", "old", str(place)]) == 0
        (place / "other.txt").write_text("another program's")
    capsys.readouterr()
    calls, replace = [0], os.replace

    def interrupted(source, target):
        calls[0] += 1
        if calls[0] == call:
            signal.raise_signal(number)
        return replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    code = registry.main(["write", "new", str(place)])
    assert code == (128 + number if calls[0] >= call else 0)
    assert content(place) == "new" and not hidden(tmp_path)
    assert not code or f"'{place}' was written before, whole" in capsys.readouterr().err
    assert there == "nothing" or (place / "other.txt").read_text() == "another program's"


@pytest.mark.parametrize("call", range(1, 6))
def test_what_cannot_be_put_in_place_brings_back_what_was_there(call, registry, tmp_path, monkeypatch, capsys):
    place = tmp_path / "o"
    assert registry.main(["write", "old", str(place)]) == 0
    calls, replace = [0], os.replace

    def failing(source, target):
        calls[0] += 1
        if calls[0] == call:
            raise OSError(28, "No space left on device")
        return replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    assert registry.main(["write", "new", str(place)]) == 2
    assert "cannot be written (No space left on device)" in capsys.readouterr().err
    assert content(place) == "old" and not hidden(tmp_path)


def test_a_folder_in_the_place_of_a_file_is_told_and_nothing_changes(registry, tmp_path, capsys):
    place = tmp_path / "o"
    assert registry.main(["write", "old", str(place)]) == 0
    (place / "z.txt").unlink()
    (place / "z.txt").mkdir()
    assert registry.main(["write", "new", str(place)]) == 2
    assert "'z.txt' is a folder there" in capsys.readouterr().err
    assert (place / "a.txt").read_text() == (place / "sub" / "c.txt").read_text() == "old" and not hidden(tmp_path)


def test_new_results_have_the_permissions_of_any_other_file(tmp_path):
    (tmp_path / "usual").mkdir()
    with folder_written_whole(tmp_path / "o") as staging:
        (staging / "a").touch()
    with file_written_whole(tmp_path / "f") as staging:
        staging.write_text("x")
    (tmp_path / "g").touch()
    assert (tmp_path / "o").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert (tmp_path / "f").stat().st_mode == (tmp_path / "g").stat().st_mode


def test_an_output_that_cannot_be_written_is_found_at_once(tmp_path):
    (tmp_path / "file").touch()
    for opened, place in (
        (folder_written_whole, tmp_path / "file"),
        (folder_written_whole, tmp_path / "file" / "o"),
        (file_written_whole, tmp_path),
        (file_written_whole, tmp_path / "none" / "x.txt"),
    ):
        with pytest.raises(InputError, match="The output"), opened(place):
            pytest.fail("the block was begun")
    refuse_unwritable(tmp_path / "x.txt")
    with pytest.raises(InputError):
        refuse_unwritable(tmp_path / "none" / "x.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_signal_while_the_answers_to_signals_are_put_back_loses_none_of_them(monkeypatch):
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    put, calls = signal.signal, [0]

    def interrupted(number, handler):
        calls[0] += 1
        found = put(number, handler)
        if calls[0] == 4:  # Ctrl-C's own answer is in place again, the others are not
            signal.raise_signal(signal.SIGINT)
        return found

    monkeypatch.setattr(signal, "signal", interrupted)
    with pytest.raises(KeyboardInterrupt), signals_held():
        pass
    assert [signal.getsignal(number) for number in numbers] == before


def test_threads_add_files_to_a_common_folder(tmp_path):
    def write(number: int) -> None:
        with folder_written_whole(tmp_path / "o", alone=False) as staging:
            (staging / f"{number}.txt").write_text(str(number))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == [f"{number}.txt" for number in range(8)]


@pytest.fixture
def program(registry, tmp_path):
    """Starts the program in a process of its own, as a shell does without &, and waits until the command has begun."""
    code = (
        "import sys\nfrom RadiomicsPersonaLib.commands.registry import Command, Registry\n"
        "sys.exit(Registry('p', 'W.', {'All': {'write': Command('writing_command', 'write')}}).main(sys.argv[1:]))\n"
    )
    paths = os.pathsep.join([str(LIBRARY), str(tmp_path / "modules")])
    started = []

    def start(*words: str) -> subprocess.Popen:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", code, "write", *words],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": paths},
                text=True,
            )
        )
        assert started[-1].stdout.readline() == "begun\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for_hidden(folder: Path) -> None:
    while not any(path.name == "new" for path in folder.rglob(".*/*")):
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["o", "o.txt", "x" * 250 + ".txt"])
def test_a_second_writer_is_refused_while_the_first_lives_and_its_remains_are_cleared_away(
    name, program, registry, tmp_path, capsys
):
    place = tmp_path / "out" / name
    place.parent.mkdir()
    first = program("first", str(place), "--slowly", "60")
    wait_for_hidden(place.parent)
    assert registry.main(["write", "second", str(place)]) == 2
    assert f"Another process writes into '{place}' right now: wait" in capsys.readouterr().err
    assert registry.main(["write", "beside", str(place.with_name("other"))]) == 0
    first.kill()
    first.wait()
    assert hidden(place.parent) and content(place) is None
    assert registry.main(["write", "third", str(place)]) == 0
    assert content(place) == "third" and not hidden(place.parent)


def test_two_that_begin_at_once_are_not_both_refused(tmp_path):
    ended, both = [], threading.Barrier(2)

    def write(number: int) -> None:
        both.wait()
        try:
            with folder_written_whole(tmp_path / "o") as staging:
                (staging / "a").write_text(str(number))
                time.sleep(0.3)
            ended.append(number)
        except InputError:
            pass

    for _ in range(3):
        threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ended and (tmp_path / "o" / "a").read_text() == str(ended[-1]) and not hidden(tmp_path)
        ended.clear()


@pytest.mark.parametrize("call", range(1, 6))
def test_what_a_power_cut_left_half_in_place_is_brought_to_its_end(call, registry, tmp_path):
    """The process ends at once, in a fork, between two files that are put in place."""
    place = tmp_path / "o"
    assert registry.main(["write", "old", str(place)]) == 0
    if not (child := os.fork()):
        calls, replace = [0], os.replace

        def cut(source, target):
            calls[0] += 1
            if calls[0] == call:
                os._exit(9)
            return replace(source, target)

        os.replace = cut
        registry.main(["write", "new", str(place)])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert hidden(place)
    with folder_written_whole(place) as staging:
        (staging / "more.txt").touch()
    assert content(place) == "new" and not hidden(tmp_path)


def test_what_was_cut_off_while_it_was_cleared_away_hinders_nobody(tmp_path):
    """The lock goes first, and what is beside it may stay."""
    for hidden_folder in (tmp_path / "o" / ".radiomics-persona-01234567", tmp_path / "o" / ".radiomics-persona-89abcdef" / "x"):
        hidden_folder.mkdir(parents=True)
        (hidden_folder / "rest").touch()
    with folder_written_whole(tmp_path / "o") as staging:
        (staging / "a").touch()
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["a"]


def test_a_power_cut_in_a_folder_that_was_made_meanwhile_loses_nothing_into_the_one_above(tmp_path, monkeypatch):
    if not (child := os.fork()):
        with folder_written_whole(tmp_path / "o") as staging:
            for name in "ab":
                (staging / name).touch()
            (tmp_path / "o").mkdir()  # for what tells of the work meanwhile
            os.replace = lambda source, target: os._exit(9)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    refuse_unwritable(tmp_path / "beside.txt")
    with sole_writer(tmp_path / "o"):
        assert sorted(path.name for path in (tmp_path / "o").iterdir() if path.name[0] != ".") == ["a", "b"]
    assert [path.name for path in tmp_path.iterdir()] == ["o"]


def test_several_files_are_replaced_all_or_none(tmp_path, monkeypatch):
    places = [tmp_path / "a" / "1.txt", tmp_path / "b" / "2.txt"]
    for place in places:
        place.parent.mkdir()
        place.write_text("old")
    calls, replace = [0], os.replace

    def failing(source, target):
        calls[0] += 1
        if calls[0] == 2:
            raise OSError(28, "No space left on device")
        return replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(InputError, match="No space left"), files_written_whole(*places) as paths:
        for path in paths:
            path.write_text("new")
    assert [place.read_text() for place in places] == ["old", "old"] and not hidden(tmp_path)
    with files_written_whole(*places) as paths:
        for path in paths:
            path.write_text("new")
    assert [place.read_text() for place in places] == ["new", "new"] and not hidden(tmp_path)


def test_a_file_that_cannot_be_read_is_not_told_as_one_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError), folder_written_whole(tmp_path / "o"):
        open(tmp_path / "no such input")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_filled_bit_by_bit_has_one_writer_and_goes_again_where_it_stays_empty(tmp_path):
    folder = tmp_path / "new" / "cohort"
    with sole_writer(folder):
        with pytest.raises(InputError, match="Another process"), sole_writer(folder):
            pytest.fail("the block was begun")
    assert not list(tmp_path.iterdir())
    with sole_writer(folder):
        (folder / "row").touch()
    assert [path.name for path in folder.iterdir()] == ["row"]


@pytest.mark.slow
def test_kills_at_random_moments_leave_old_or_new_results(program, tmp_path):
    """Real processes: 30 signals while they write and while they put in place."""
    place, moments = tmp_path / "out" / "o", random.Random(0)
    place.parent.mkdir()
    old, codes = None, set()
    for turn in range(30):
        number = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)[turn % 3]
        process = program(f"new {turn}", str(place), "--slowly", "0.005")
        time.sleep(moments.uniform(0, 0.03))
        process.send_signal(number)
        said = process.communicate(timeout=30)[1]
        codes.add(process.returncode)
        assert content(place) in (old, f"new {turn}") and not hidden(place.parent), said
        assert process.returncode in (0, 128 + number, -number), said
        if process.returncode == 0:
            assert content(place) == f"new {turn}"
        old = content(place)
    assert len(codes) > 2


@pytest.mark.parametrize("output", ["scan.nii.gz", "mask.nii.gz", "./scan.nii.gz", "link.nii.gz"])
def test_no_output_takes_the_place_of_an_input(output, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scan, mask = np.arange(1000.0).reshape(10, 10, 10), np.zeros((10, 10, 10), np.uint8)
    mask[4:6, 4:6, 4:6] = 1
    write_nifti("scan.nii.gz", scan, np.eye(4))
    write_nifti("mask.nii.gz", mask, np.eye(4))
    os.symlink("scan.nii.gz", "link.nii.gz")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert main(["inpaint", "scan.nii.gz", "--mask", "mask.nii.gz", "--model", "harmonic", "-o", output]) == 2
    assert "would replace its input" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_no_folder_of_outputs_takes_the_place_of_an_input(tmp_path):
    kept = tmp_path / "out" / "parts" / "scan.nii"
    kept.parent.mkdir(parents=True)
    kept.write_text("scan")
    with inputs_kept([kept]):
        for name in ("parts/scan.nii", "parts"):
            with pytest.raises(InputError, match="replace its input"), folder_written_whole(tmp_path / "out") as folder:
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).mkdir() if name == "parts" else (folder / name).touch()
                if name == "parts":
                    (folder / name / "scan.nii").touch()
        with folder_written_whole(tmp_path / "out") as folder:
            (folder / "scan.nii").touch()
    assert kept.read_text() == "scan" and (tmp_path / "out" / "scan.nii").is_file()


def test_a_name_with_a_tilde_is_a_name_like_any_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for write in (lambda: file_written_whole("~backup.ply"), lambda: folder_written_whole("~backups")):
        with write():
            pass
    assert (tmp_path / "~backup.ply").is_file() and (tmp_path / "~backups").is_dir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    with file_written_whole("~/a.ply"):
        pass
    assert (tmp_path / "home" / "a.ply").is_file()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a system without /dev/full")
@pytest.mark.parametrize(
    "line, code, said",
    [
        ("mesh m.nii.gz -o a.ply > /dev/full", 2, "what is printed cannot be written"),
        ("--version > /dev/full", 2, "what is printed cannot be written"),
        ("mesh m.nii.gz -o a.ply 2> /dev/full", 0, ""),
        ("mesh no.nii.gz -o b.ply 2> /dev/full", 2, ""),
        ("mesh no.nii.gz -o b.ply 2>&-", 2, ""),
        ("mesh m.nii.gz -o a.ply >&-", 0, ""),
        ("mesh m.nii.gz -o a.ply | true; exit ${PIPESTATUS[0]}", 141, ""),
    ],
)
def test_a_console_that_is_full_closed_or_read_by_nobody(line, code, said, tmp_path):
    mask = np.zeros((12, 12, 12), np.uint8)
    mask[4:8, 4:8, 4:8] = 1
    write_nifti(tmp_path / "m.nii.gz", mask, np.eye(4))
    command = f"{shlex.quote(sys.executable)} -m RadiomicsPersonaLib {line}"
    environment = os.environ | {"PYTHONPATH": str(LIBRARY)}
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == code and done.stderr.count("\n") == bool(said) and said in done.stderr, done.stderr
    assert (tmp_path / "a.ply").is_file() == ("a.ply" in line)
