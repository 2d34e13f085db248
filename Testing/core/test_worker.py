"""The worker beside Slicer, with real processes: what it answers, how it is ended, what happens when it is not well."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest
from bench.lent_worker import COMMAND, LentWorker, environment
from bench.phantom import make_head
from bench.processes import alive, children_of, gone_within, in_proc

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.system.child import Cancelled, Child, ChildFailed, child_environment

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

RUN_WORKER = "import runpy; runpy.run_module('RadiomicsPersonaLib.worker', run_name='__main__', alter_sys=True)"
BOX, OTHER_BOX = "30,0,20,24,24,24", "-30,10,16,24,20,24"


@pytest.fixture
def start():
    """Start workers, which end with the test."""
    started = []

    def start(command=COMMAND) -> Child:
        started.append(Child(command, environment))
        return started[-1]

    yield start
    for child in started:
        child.end()


@pytest.fixture
def worker(lent_worker) -> LentWorker:
    """The session's worker, which may have been asked anything before."""
    return lent_worker


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """A folder whose name has spaces and accents, with a head in it whose name has them too."""
    folder = tmp_path_factory.mktemp("Zoë Müller's données")
    head = make_head(4.0)
    write_nifti(folder / "tête à trois.nii.gz", head.array, head.affine)
    return folder


@pytest.fixture
def analyze(folder, tmp_path):
    """The request to analyze a box; its files go into a folder of the given name."""

    def request(name: str = "résultats", box: str = BOX, model: str = "harmonic", controls: int = 3) -> dict:
        words = ["analyze", str(folder / "tête à trois.nii.gz"), f"--box={box}", "--model", model, "--controls", str(controls)]
        return {"kind": "command", "arguments": [*words, "--output", str(tmp_path / name)]}

    return request


def twin(folder: Path, output: Path, center=(30.0, 0.0, 20.0), size=(24.0, 24.0, 24.0), model="harmonic") -> dict:
    return {
        "kind": "twin",
        "scan": str(folder / "tête à trois.nii.gz"),
        "boxes": [{"center": list(center), "size": list(size)}],
        "model": model,
        "device": "cpu",
        "output": str(output),
    }


def go_on(activity: str) -> bool:
    return True


def numbers_of(output: Path) -> str:
    """All that was found, without when and where it was computed."""
    results = json.loads((output / "results.json").read_text(encoding="utf-8"))
    voxels = [nibabel.load(output / name).get_fdata().tobytes() for name in ("reconstruction.nii.gz", "deviation_p.nii.gz")]
    return json.dumps([results["boxes"], results["warnings"], results["provenance"]]) + str(hash(b"".join(voxels)))


def test_a_request_is_answered_with_the_files_of_the_command_line(start, analyze, tmp_path, nothing_remembered):
    told = []
    start().run(analyze(), lambda activity: not told.append(activity))
    # in a process of its own, for what earlier tests said of threads and arithmetic changes last digits
    subprocess.run(
        [sys.executable, "-m", "RadiomicsPersonaLib", *analyze("by hand")["arguments"]], env=environment(), check=True
    )
    assert numbers_of(tmp_path / "résultats") == numbers_of(tmp_path / "by hand")
    assert sorted(path.name for path in (tmp_path / "résultats").iterdir()) == sorted(
        path.name for path in (tmp_path / "by hand").iterdir()
    )
    assert "Finding the brain" in told


def test_it_tells_how_far_it_is(worker, analyze):
    told = []
    worker.run(analyze(model="auto", controls=60), lambda activity: not told.append(activity))
    counted = [activity for activity in told if activity.startswith("controls: ")]
    totals = {int(activity.split(" of ")[-1]) for activity in counted}
    assert len(set(counted)) > 1 and len(totals) == 1 and 20 < totals.pop() <= 61


def test_scan_model_and_preparation_stay_loaded_and_change_no_number(start, analyze, tmp_path):
    worker, told = start(), []

    def run(number: int, box: str) -> set[str]:
        told.clear()
        worker.run(analyze(f"{number}", box, "auto"), lambda activity: not told.append(activity))
        return set(told)

    assert {"Reading the scan", "Finding the brain"} <= run(1, BOX)
    pid = worker.pid
    # what is found is found blind to the box, so another box needs another look at the brain
    assert "Reading the scan" not in (second := run(2, OTHER_BOX)) and "Finding the brain" in second
    assert not {"Reading the scan", "Finding the brain"} & run(3, BOX)
    assert worker.pid == pid
    for number, box in ((4, BOX), (5, OTHER_BOX)):
        start().run(analyze(f"{number}", box, "auto"), go_on)
    fresh = {number: numbers_of(tmp_path / str(number)) for number in range(1, 6)}
    assert fresh[1] == fresh[3] == fresh[4] and fresh[2] == fresh[5] and fresh[1] != fresh[2]


def test_a_scan_that_changed_on_disk_is_read_again(worker, folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(folder / "tête à trois.nii.gz", other)
    worker.run(twin(other, tmp_path / "1.npz"), go_on)
    head = make_head(4.0, seed=1)
    write_nifti(other / "tête à trois.nii.gz", head.array, head.affine)
    worker.run(twin(other, tmp_path / "2.npz"), go_on)
    with np.load(tmp_path / "1.npz") as first, np.load(tmp_path / "2.npz") as second:
        assert np.abs(first["values"] - second["values"]).max() > 10


def test_what_is_refused_is_said_in_its_own_sentence_and_the_worker_goes_on(worker, analyze):
    with pytest.raises(InputError, match=r"^Box 'box 1' holds no voxel of the scan; .* so move or enlarge the box\.$"):
        worker.run(analyze(box="500,0,0,10,10,10"), go_on)
    pid = worker.pid
    with pytest.raises(InputError, match="no-such-model"):
        worker.run(analyze(model="no-such-model"), go_on)
    with pytest.raises(InputError, match="not a whole number|invalid int value"):
        worker.run({"kind": "command", "arguments": ["analyze", "x", "--controls", "many", "--output", "y"]}, go_on)
    worker.run(analyze(), go_on)
    assert worker.pid == pid


def test_of_the_twins_that_wait_only_the_newest_is_made(worker, analyze, folder, tmp_path):
    busy = worker.send(analyze(controls=30))
    numbers = [worker.send(twin(folder, tmp_path / f"{n}.npz", (30.0 + n, 0, 20))) for n in range(6)]
    final = {}
    while len(final) < len(numbers):
        for number in set(numbers) - set(final):
            for answer in worker.answers(number, 0.05):
                if "activity" not in answer:
                    final[number] = answer
    assert ["dropped" in final[number] for number in numbers] == [True] * 5 + [False]
    assert [path.name for path in tmp_path.glob("*.npz")] == ["5.npz"]
    assert "done" in worker.answers(busy)[-1]


@pytest.mark.clock
def test_cancelling_takes_less_than_a_second_and_keeps_the_worker(worker, analyze, tmp_path):
    worker.run(analyze("first"), go_on)
    pid, started = worker.pid, []

    def stop(activity: str) -> bool:
        if not started and activity.startswith("controls: "):
            started.append(time.monotonic())
        return not started

    with pytest.raises(Cancelled):
        worker.run(analyze("second", controls=399), stop)
    assert time.monotonic() - started[0] < 1
    assert worker.pid == pid and not (tmp_path / "second").exists() and not list(tmp_path.glob(".second*"))
    worker.run(analyze("third"), go_on)
    assert worker.pid == pid


@in_proc
@pytest.mark.parametrize("error", [None, KeyError("from the window")])
@pytest.mark.clock
def test_a_worker_that_does_not_obey_is_ended_within_a_second_and_replaced(start, analyze, error):
    worker = start()

    def freeze(activity: str) -> bool:
        if not activity:
            return True
        os.kill(worker.pid, signal.SIGSTOP)
        frozen.append((worker.pid, time.monotonic()))
        if error:
            raise error
        return False

    frozen = []
    with pytest.raises(type(error) if error else Cancelled):
        worker.run(analyze(), freeze)
    pid, when = frozen[0]
    assert time.monotonic() - when < 1 and not alive(pid)
    assert worker.pid != pid and alive(worker.pid)  # on its way before anything is asked
    worker.run(analyze(), go_on)


@in_proc
@pytest.mark.parametrize(
    "how, sentence",
    [
        (
            signal.SIGKILL,
            "The system ended the analysis, most likely for lack of memory: close other programs and apply again.",
        ),
        (signal.SIGSEGV, "The analysis ended unexpectedly with exit code -11: apply again."),
    ],
)
def test_a_crash_in_the_middle_is_one_sentence_and_the_next_request_is_served(start, analyze, tmp_path, how, sentence):
    worker, killed = start(), []

    def kill(activity: str) -> bool:
        if " of " in activity and not killed:
            killed.append(worker.pid)
            os.kill(worker.pid, how)
        return True

    with pytest.raises(ChildFailed) as caught:
        worker.run(analyze(controls=399), kill)
    assert str(caught.value) == sentence
    assert worker.pid != killed[0] and alive(worker.pid)
    worker.run(analyze("again"), go_on)
    assert (tmp_path / "again" / "results.json").is_file()


def test_a_worker_that_died_while_nobody_asked_is_replaced_without_a_word(start, analyze, tmp_path):
    worker = start()
    worker.run(analyze(), go_on)
    died = worker.pid
    os.kill(died, signal.SIGTERM)
    time.sleep(0.5)
    worker.run(analyze("again"), go_on)
    assert worker.pid != died and (tmp_path / "again" / "results.json").is_file()


def test_a_worker_that_cannot_start_says_why(start, analyze):
    with pytest.raises(ChildFailed, match="could not be started"):
        start(["/nowhere/python"]).run(analyze(), go_on)
    broken = start([sys.executable, "-c", "import nothing_of_this_name"])
    with pytest.raises(ChildFailed) as caught:
        broken.run(analyze(), go_on)
    assert str(caught.value) == (
        "The analysis ended unexpectedly with exit code 1 "
        "(ModuleNotFoundError: No module named 'nothing_of_this_name'): apply again."
    )
    assert "Traceback" in caught.value.log
    assert broken.pid is None  # what cannot start is not started over and over


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_too_little_memory_is_one_sentence_and_the_worker_goes_on(start, analyze, folder, tmp_path):
    """The limit leaves room for everything but a scan of 300 voxels a side."""
    limited = (
        "import resource, torch, RadiomicsPersonaLib.reconstruction.twin\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (400 << 20),) * 2)\n"
    )
    worker = start([sys.executable, "-c", limited + RUN_WORKER])
    affine = np.diag([0.6, 0.6, 0.6, 1])
    random = np.random.default_rng(0).integers(0, 900, (300, 300, 300)).astype(np.int16)
    write_nifti(tmp_path / "large.nii.gz", random, affine)
    request = twin(folder, tmp_path / "large.npz") | {"scan": str(tmp_path / "large.nii.gz")}
    with pytest.raises(ChildFailed) as caught:
        worker.run(request, go_on)
    assert str(caught.value).startswith("There is not enough free memory for this: close other programs and try again")
    pid = worker.pid
    worker.run(twin(folder, tmp_path / "small.npz"), go_on)
    assert worker.pid == pid


def test_nothing_that_is_printed_reaches_the_pipe(start, analyze, tmp_path):
    """Neither Python's print, nor what a library in C or a program of its own writes, nor a launcher's greeting."""
    noisy = (
        "import os, subprocess, sys, threading, time\n"
        "print('Welcome to the launcher {\"id\": 1'); print('[1, 2]', flush=True)\n"
        "def make_noise():\n"
        "    time.sleep(1.5)\n"
        "    while True:\n"
        '        print(\'{"id": 1, "refused": "noise"}\', flush=True)\n'
        "        os.write(1, b'\\xff\\x00 half a line')\n"
        "        subprocess.run([sys.executable, '-c', 'print(\"noise of a program\")'])\n"
        "threading.Thread(target=make_noise, daemon=True).start()\n"
    )
    worker = start([sys.executable, "-c", noisy + RUN_WORKER])
    for _ in range(2):
        worker.run(analyze(controls=12), go_on)
    assert (tmp_path / "résultats" / "results.json").is_file()


def test_garbage_instead_of_a_request_is_passed_over(folder, tmp_path):
    process = subprocess.Popen(
        COMMAND,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    requests = [
        "half a {",
        "[1, 2]",
        '"text"',
        "",
        json.dumps({"id": 1, "kind": "dance"}),
        json.dumps({"id": 2, "kind": "twin"}),
    ]
    good = json.dumps(twin(folder, tmp_path / "t.npz") | {"id": 3})
    process.stdin.write("\n".join([*requests, good]) + "\n")
    process.stdin.flush()
    answers = [json.loads(process.stdout.readline())]
    while not {"done", "refused"} & set(answers[-1]):
        answers.append(json.loads(process.stdout.readline()))
    process.communicate(timeout=20)  # closes its input, which ends it
    assert process.returncode == 0
    kinds = {answer.get("id"): answer for answer in answers if "activity" not in answer}
    assert "no request of the kind 'dance'" in kinds[1]["failed"] and "Traceback" in kinds[1]["log"]
    assert kinds[2].keys() & {"failed", "dropped"} and kinds[3]["done"]["start"]


@in_proc
def test_two_windows_at_once_do_not_disturb_each_other(start, analyze, tmp_path):
    workers, errors = [start(), start()], []

    def run(worker: Child, name: str, box: str) -> None:
        try:
            worker.run(analyze(name, box, controls=9), go_on)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(w, *rest)) for w, rest in zip(workers, (("a", BOX), ("b", OTHER_BOX)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    start().run(analyze("alone", OTHER_BOX, controls=9), go_on)
    assert numbers_of(tmp_path / "b") == numbers_of(tmp_path / "alone") != numbers_of(tmp_path / "a")
    workers[0].end()
    assert alive(workers[1].pid)
    workers[1].run(analyze("c"), go_on)


@in_proc
def test_the_whole_tree_is_ended_with_a_launcher_in_between(start, analyze):
    """As PythonSlicer is one: the interpreter is a child of what was started."""
    launcher = start(
        [sys.executable, "-c", f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {RUN_WORKER!r}]))"]
    )
    launcher.run(analyze(), go_on)
    tree = [launcher.pid, *children_of(launcher.pid)]
    assert len(tree) == 2
    launcher.end()
    assert all(gone_within(5, pid) for pid in tree)


SLICER = """
import os, sys
from RadiomicsPersonaLib.system.child import Child
child = Child({command!r}, lambda: dict(os.environ))
def tell(activity):
    if " of " in activity:
        print(child.pid, flush=True)
        {then}
    return True
child.run({request!r}, tell)
"""


@in_proc
@pytest.mark.parametrize("with_launcher", [False, True])
def test_no_orphan_is_left_when_slicer_is_killed_while_it_works(analyze, with_launcher):
    command = (
        [sys.executable, "-c", f"import subprocess, sys; sys.exit(subprocess.call({COMMAND!r}))"] if with_launcher else COMMAND
    )
    code = SLICER.format(command=command, request=analyze(controls=399), then="pass")
    slicer = subprocess.Popen([sys.executable, "-c", code], env=environment(), stdout=subprocess.PIPE)
    pid = int(slicer.stdout.readline())
    tree = [pid, *children_of(pid)]
    assert len(tree) == 1 + with_launcher
    slicer.kill()
    slicer.wait()
    assert all(gone_within(3, pid) for pid in tree)


@in_proc
def test_no_orphan_is_left_when_slicer_is_killed_while_the_worker_waits(analyze):
    code = (
        SLICER.format(command=COMMAND, request=analyze(), then="pass")
        + "print('done', flush=True)\nimport time; time.sleep(60)"
    )
    slicer = subprocess.Popen([sys.executable, "-c", code], env=environment(), stdout=subprocess.PIPE)
    pid = int(slicer.stdout.readline())
    assert any(line.strip() == b"done" for line in slicer.stdout)
    assert alive(pid)
    slicer.kill()
    slicer.wait()
    assert gone_within(3, pid)


@in_proc
def test_no_orphan_is_left_when_slicer_ends_without_a_word(analyze):
    code = SLICER.format(command=COMMAND, request=analyze(controls=399), then="sys.exit(0)")
    done = subprocess.run([sys.executable, "-c", code], env=environment(), stdout=subprocess.PIPE, check=True, timeout=60)
    assert gone_within(3, int(done.stdout.split()[0]))


def test_the_environment_of_another_python_does_not_reach_the_worker():
    conda = {"PATH": "/bin", "PYTHONHOME": "/conda", "PYTHONPATH": "/conda/lib", "PYTHONSTARTUP": "x"}
    assert child_environment(conda, "/module") == {
        "PATH": "/bin",
        "PYTHONPATH": "/module",
        "PYTHONUTF8": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONSAFEPATH": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "OPENBLAS_NUM_THREADS": "1",
    }
    chosen = {"OMP_WAIT_POLICY": "ACTIVE", "OPENBLAS_NUM_THREADS": "4"}
    assert chosen.items() <= child_environment(chosen, "/module").items(), "what the user chose stays"


def test_files_where_slicer_was_started_are_not_taken_for_libraries(start, analyze, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise RuntimeError('a script of the user')")
    monkeypatch.chdir(tmp_path)
    start().run(analyze(), go_on)
    assert (tmp_path / "résultats" / "results.json").is_file()


def test_a_twin_holds_the_box_and_leaves_the_rest(worker, folder, tmp_path):
    from RadiomicsPersonaLib.geometry.hole import hole_of_box
    from RadiomicsPersonaLib.imaging.files import read_scan

    done = worker.run(twin(folder, tmp_path / "t.npz"), go_on)
    scan = read_scan(folder / "tête à trois.nii.gz")
    with np.load(tmp_path / "t.npz") as arrays:
        values, mask = arrays["values"], arrays["mask"]
    region = tuple(slice(first, first + size) for first, size in zip(done["start"], values.shape))
    whole = np.zeros(scan.shape, bool)
    whole[region] = mask
    np.testing.assert_array_equal(whole, hole_of_box(scan, Box([30, 0, 20], [24, 24, 24])).full_mask(scan.shape))
    np.testing.assert_array_equal(values[~mask], scan.array[region][~mask])
    assert np.abs(values - scan.array[region])[mask].mean() > 5


@pytest.mark.clock  # a cancelled window has 0.8 s to end by itself
def test_it_segments_and_tells_how_far_it_is(worker, tmp_path):
    """With the shipped model and a crop that needs several windows; cancelled, it leaves nothing and works on."""
    crop = np.random.default_rng(0).normal(500, 60, (60, 70, 50)).astype(np.float32)
    write_nifti(tmp_path / "crop.nii.gz", crop, np.eye(4))

    def request(name: str) -> dict:
        words = ["segment", str(tmp_path / "crop.nii.gz"), "--model", "hippocampus", "--output", str(tmp_path / name)]
        return {"kind": "command", "arguments": words}

    told = []
    worker.run(request("worker.nii.gz"), lambda activity: not told.append(activity))
    assert told[-1] == "Segmenting: 8 of 8"
    assert main(request("by hand.nii.gz")["arguments"]) == 0
    assert np.array_equal(*(nibabel.load(tmp_path / name).get_fdata() for name in ("worker.nii.gz", "by hand.nii.gz")))
    with pytest.raises(Cancelled):
        worker.run(request("cancelled.nii.gz"), lambda activity: "Segmenting" not in activity)
    assert not (tmp_path / "cancelled.nii.gz").exists() and not list(tmp_path.glob(".*"))
    with pytest.raises(InputError, match="no segmentation model"):
        words = request("x.nii.gz")["arguments"]
        worker.run({"kind": "command", "arguments": [*words[:3], "unknown", *words[4:]]}, go_on)
