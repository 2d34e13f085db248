"""Cohorts: one table and one report, whatever happens to single scans and workers."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.cohort.cohort import run_cohort
from RadiomicsPersonaLib.cohort.table import CohortTable
from RadiomicsPersonaLib.imaging.files import write_nifti

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

BOX, FAR = "34,-10,14,28,28,28", "-34,-10,14,28,28,28"
QUICK = ["--", "--model", "harmonic", "--controls", "3"]
LIBRARY = Path(__file__).resolve().parents[2] / "RadiomicsPersona"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two scans and a file that is none."""
    folder = tmp_path_factory.mktemp("a cohort")
    for number in range(2):
        head = make_head(4.0, seed=number)
        write_nifti(folder / f"scan{number}.nii.gz", head.array, head.affine)
    (folder / "torn.nii.gz").write_bytes((folder / "scan0.nii.gz").read_bytes()[:5000])
    return folder


def table(folder: Path, rows: list[dict], name: str = "cohort.csv") -> str:
    with open(folder / name, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(folder / name)


def lines(output: Path) -> list[dict]:
    with open(output / "cohort.csv", newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def stamps(output: Path) -> dict[str, int]:
    """When each row was finished."""
    return {path.parent.name: path.stat().st_mtime_ns for path in (output / "scans").glob("*/row.json")}


def workers() -> list[int]:
    """This process's worker processes."""
    import psutil

    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):  # it may end meanwhile
            if "RadiomicsPersonaLib.worker" in " ".join(child.cmdline()):
                found.append(child.pid)
    return found


def test_a_cohort_with_broken_scans_comes_out_whole_and_goes_on(folder, tmp_path, capsys):
    rows = [
        {"scan": "scan0.nii.gz", "box": BOX, "patient": "a", "age": 61},
        {"scan": "torn.nii.gz", "box": BOX, "patient": "b", "age": 62},
        {"scan": "scan1.nii.gz", "box": f"{BOX}; {FAR}", "patient": "c", "age": 63},
        {"scan": "gone.nii.gz", "box": BOX, "patient": "d", "age": 64},
        {"scan": "", "box": BOX, "patient": "e", "age": 65},
    ]
    words = ["cohort", table(folder, rows), "--workers", "2", "--json", "--output", str(tmp_path), *QUICK]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out) == {"rows": 5, "kept": 0, "broken": 3}
    found = lines(tmp_path)
    assert [line["row"] for line in found] == ["1", "2", "3", "3", "4", "5"]
    assert [(line["patient"], line["age"]) for line in found][2:4] == [("c", "63")] * 2
    assert (
        [bool(line["combined"]) for line in found]
        == [bool(line["deviation"]) for line in found]
        == [True, False, True, True, False, False]
    )
    assert "cannot be read as an image" in found[1]["sentence"] and "There is no file" in found[4]["sentence"]
    assert "The cell 'scan' is empty" in found[5]["sentence"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<img src='data:image/jpeg") == 2 and "cut off" in page and "scan0" not in page
    assert "5 rows: 2 with results (3 lines" in page

    before = stamps(tmp_path)
    with open(folder / "cohort.csv", "a", encoding="utf-8") as stream:
        stream.write(f'scan1.nii.gz,"{FAR}",f,66\n')
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out) == {"rows": 6, "kept": 4, "broken": 3}
    after = stamps(tmp_path)
    assert set(after) - set(before) == {"00006"} and all(
        after[row] == before[row] for row in ("00001", "00002", "00003", "00004")
    )
    assert lines(tmp_path)[-1]["patient"] == "f" and lines(tmp_path)[-1]["deviation"]
    # the same numbers as the command by itself, but for what bfloat16 makes of sums in another order, by other threads
    assert main(["analyze", str(folder / "scan1.nii.gz"), f"--box={FAR}", "--output", str(tmp_path / "one"), *QUICK[1:]]) == 0
    with open(tmp_path / "one" / "results.csv", newline="", encoding="utf-8") as stream:
        assert float(next(csv.DictReader(stream))["deviation"]) == pytest.approx(
            float(lines(tmp_path)[-1]["deviation"]), rel=2e-3
        )


def test_other_commands_and_their_options_by_column(folder, tmp_path):
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:8, 2:8, 2:8], labels[11:18, 11:18, 11:18] = 1, 4
    write_nifti(folder / "labels.nii.gz", labels, np.eye(4))
    rows = [
        {"mask": "labels.nii.gz", "label": 1, "smooth": ""},
        {"mask": "labels.nii.gz", "label": 4, "smooth": 0},
        {"mask": "labels.nii.gz", "label": 9, "smooth": ""},
    ]
    assert (
        main(
            [
                "cohort",
                table(folder, rows),
                "--command",
                "mesh",
                "--workers",
                "1",
                "--output",
                str(tmp_path),
                "--",
                "--decimate",
                "0.5",
            ]
        )
        == 0
    )
    found = lines(tmp_path)
    assert [float(line["mask_volume_ml"]) for line in found[:2]] == pytest.approx(
        [0.216, 0.343]
    ) and "choose one of 1, 4" in found[2]["sentence"]
    assert [line["label"] for line in found] == ["1", "4", "9"]
    assert (tmp_path / "scans" / "00001" / "mesh.ply").is_file() and (tmp_path / "scans" / "00002" / "thumbnail.jpg").is_file()


@pytest.mark.parametrize("kills", [1, 3])
def test_a_killed_workers_scan_is_done_again_and_given_up_after_three(folder, tmp_path, kills):
    pytest.importorskip("psutil", reason="psutil is not installed: pip install psutil")
    killed, stop, others = [], threading.Event(), workers()

    def killer():
        while not stop.is_set() and len(killed) < kills:
            for pid in workers():
                if pid not in killed + others:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
            time.sleep(0.05)

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        rows = CohortTable(table(folder, [{"scan": "scan0.nii.gz", "box": BOX}], f"killed {kills}.csv"), "analyze", QUICK[1:])
        outcome = run_cohort(rows, tmp_path, workers=1)
    finally:
        stop.set()
        thread.join()
    assert len(killed) == kills and outcome.broken == (kills == 3)
    (line,) = lines(tmp_path)
    assert ("ended unexpectedly 3 times" in line["sentence"]) == (kills == 3)
    if kills == 3:  # which was nobody's fault, so that it is tried again
        assert run_cohort(rows, tmp_path, workers=1).broken == 0


def test_after_ctrl_c_the_same_command_goes_on(folder, tmp_path):
    path = table(folder, [{"scan": f"scan{number % 2}.nii.gz", "box": BOX, "seed": number} for number in range(4)])
    words = [sys.executable, "-m", "RadiomicsPersonaLib", "cohort", path, "--workers", "1", "--output", str(tmp_path), *QUICK]
    environment = os.environ | {"PYTHONPATH": str(LIBRARY)}
    process = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True)
    while not stamps(tmp_path) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "the same command goes on" in said and said.count("\n") == 1
    before = stamps(tmp_path)
    assert 1 <= len(before) < 4
    assert main([*words[3:]]) == 0
    after = stamps(tmp_path)
    assert len(after) == 4 and all(after[row] == before[row] for row in before)
    assert [line["sentence"] for line in lines(tmp_path)] == [""] * 4


def test_two_dask_workers_share_the_rows_and_one_may_die(folder, tmp_path, capsys):
    distributed = pytest.importorskip("distributed", reason='Dask is not installed: pip install "dask[distributed]"')
    rows = [{"scan": f"scan{number % 2}.nii.gz", "box": BOX, "seed": number} for number in range(6)] + [
        {"scan": "torn.nii.gz", "box": BOX, "seed": 0}
    ]
    path = table(folder, rows)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            pids = client.run(os.getpid)

        def killer():
            while len(stamps(tmp_path)) < 2:
                time.sleep(0.05)
            os.kill(next(iter(pids.values())), signal.SIGKILL)

        thread = threading.Thread(target=killer)
        thread.start()
        code = main(["cohort", path, "--scheduler", cluster.scheduler_address, "--json", "--output", str(tmp_path), *QUICK])
        thread.join()
    assert code == 0 and json.loads(capsys.readouterr().out) == {"rows": 7, "kept": 0, "broken": 1}
    found = lines(tmp_path)
    assert len(found) == 7 and all(line["deviation"] for line in found[:6]) and "cannot be read" in found[6]["sentence"]


def test_memory_does_not_grow_with_the_rows(tmp_path):
    def peak(count: int) -> int:
        rows = table(tmp_path, [{"scan": "", "box": BOX, "note": "x" * 200}] * count, f"{count}.csv")
        tracemalloc.start()
        run_cohort(CohortTable(rows, "analyze", []), tmp_path / str(count), workers=1)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(10)  # what is loaded once
    # the smaller of two, since now and then Python doubles a table of its own meanwhile
    few, many = (min(peak(count), peak(count)) for count in (150, 1500))
    assert many < few + 150_000, "a row held in memory would take at least 200 bytes"


@pytest.mark.parametrize(
    "heads, more, sentence",
    [
        ("file,box", [], "has no column 'scan', which `analyze` needs: it has file, box"),
        ("scans,box", ["--command", "mesh"], "has no column 'mask'"),
        ("scan,scan", [], "two columns are called 'scan'"),
        ("scan,box", ["--command", "regress"], "is no command that works on one scan"),
        ("scan,box", ["--workers", "0"], "give at least 1"),
        ("scan,box", ["--workers", "1000000"], "and 1000 at most"),
        ("scan,box", ["--", "--modle", "harmonic"], "--modle"),
        ("scan,box", ["--", "--output", "x"], "are the cohort's own"),
        ("scan,box", ["--scheduler", "tcp://127.0.0.1:9"], "No Dask scheduler answers at 'tcp://127.0.0.1:9'"),
    ],
)
def test_what_cannot_be_a_cohort_is_told_in_one_sentence(heads, more, sentence, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("RadiomicsPersonaLib.cohort.workers._WAIT_FOR_CLUSTER", 1)
    (tmp_path / "cohort.csv").write_text(f"{heads}\na,b\n", encoding="utf-8")
    assert main(["cohort", str(tmp_path / "cohort.csv"), "--output", str(tmp_path / "out"), *more]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not list((tmp_path / "out").glob("*.csv"))


def test_a_table_without_rows_or_that_is_not_there(tmp_path, capsys):
    (tmp_path / "cohort.csv").write_text("scan,box\n", encoding="utf-8")
    for path, sentence in (("cohort.csv", "has no rows below its heads"), ("none.csv", "There is no table")):
        assert main(["cohort", str(tmp_path / path), "--output", str(tmp_path / "out")]) == 2
        assert sentence in capsys.readouterr().err


def test_only_what_names_a_file_becomes_a_path_beside_the_table(tmp_path):
    for name in ("007", "1", "lesion"):
        (tmp_path / name).mkdir()
    for name in ("a.nii.gz", "b.nii.gz", "s=1.nii.gz", "own.json"):
        (tmp_path / name).touch()
    path = tmp_path / "t.csv"
    path.write_text('scans,box,dates,patient\na.nii.gz;b.nii.gz,"0,0,0,9,9,9",0;1,007\n')
    (row,) = CohortTable(path, "follow", [])
    assert row.options["patient"] == "007" and row.options["dates"] == ["0", "1"]
    assert row.options["scans"] == [str(tmp_path / "a.nii.gz"), str(tmp_path / "b.nii.gz")]
    path.write_text("mask\ns=1.nii.gz\n--\n" + "x" * 300 + "\na.nii.gz\n")
    first, dashes, long, last = CohortTable(path, "mesh", [])
    assert first.options["mask"] == str(tmp_path / "s=1.nii.gz") and last.options["mask"] == str(tmp_path / "a.nii.gz")
    assert dashes.sentence == "The cell 'mask' holds '--', which is no value: correct it." and long.options["mask"] == "x" * 300
    path.write_text("scans,model\nt1=a.nii.gz;t2=s=1.nii.gz,lesion\na.nii.gz,own.json\n")
    first, last = CohortTable(path, "segment", [])
    assert first.options["scans"] == [f"t1={tmp_path / 'a.nii.gz'}", f"t2={tmp_path / 's=1.nii.gz'}"]
    assert first.options["model"] == "lesion" and last.options["model"] == str(tmp_path / "own.json")


def test_one_cell_that_is_too_long_for_a_name_is_its_rows_own_trouble(folder, tmp_path):
    rows = [{"mask": "labels of one.nii.gz"}, {"mask": "x" * 300}]
    write_nifti(folder / rows[0]["mask"], np.pad(np.ones((4, 4, 4), np.uint8), 3), np.eye(4))
    words = ["cohort", table(folder, rows, "long.csv"), "--command", "mesh", "--workers", "1", "--output", str(tmp_path)]
    assert main(words) == 0
    done, refused = lines(tmp_path)
    assert float(done["mask_volume_ml"]) == pytest.approx(0.064) and "cannot be opened" in refused["sentence"]
