"""Targets: markups, tables, dates, command lines and messages to the worker. Pandas is the oracle of what cells say."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import queue
import subprocess
import sys
import threading
from functools import cache

import numpy as np
import pandas
from hypothesis import strategies as st

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.commands.registry import ANALYSIS
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.markups import read_boxes, roi_of_box
from RadiomicsPersonaLib.resources import folder_of
from RadiomicsPersonaLib.system.child import child_environment
from RadiomicsPersonaLib.system.csv_table import CsvTable, readable_cell, same_text
from RadiomicsPersonaTrainingLib.cli import TRAINING

from .images import FOLDER, nifti
from .target import REFUSED, Target, damaged, json_or_damaged, refusal

_MARKUPS = {
    "markups": [roi_of_box(Box((10, -20, 30), (8, 9, 12), name="left"), (1, 0.7, 0)), {"type": "Line", "controlPoints": []}]
}


def check_markups(content: bytes) -> str:
    path = FOLDER / "boxes.mrk.json"
    path.write_bytes(content)
    try:
        boxes = read_boxes(path)
    except InputError as error:
        return refusal(error, "boxes.mrk.json")
    assert boxes
    for box in boxes:
        assert np.isfinite([*box.center, *box.size, *box.axes.ravel()]).all() and (box.size > 0).all()
        assert np.allclose(box.axes.T @ box.axes, np.eye(3), atol=1e-6) and box.name.strip(), box
    return "boxes that can be"


_CELLS = st.one_of(
    st.sampled_from(
        ["", " ", "001", "1.5", "1,5", "-3", "1e5", "NA", "None", "nan", "N/A", "inf", "2024-03-01", "20240301", "01.03.2024",
         "44805", "2024-03-01T10:00:00+01:00", "=1+1", "+1", "-1+2", "@x", "'=1", "'t Hooft", "a;b", "a,b", 'a "b" c', '"', "ä",
         "日本", "\u00a0", "true", "#N/A", "a\nb"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\x00", exclude_categories=("Cs", "Cc")), max_size=6),
)  # fmt: skip


@st.composite
def tables(draw) -> bytes:
    """A table, as programs write it, and one in three damaged."""
    heads = draw(st.lists(_CELLS, min_size=1, max_size=4))
    rows = draw(st.lists(st.lists(_CELLS, min_size=len(heads), max_size=len(heads)), max_size=5))
    stream = io.StringIO()
    delimiter = draw(st.sampled_from(",;\t"))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer = csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator=draw(st.sampled_from(["\n", "\r\n"])))
    writer.writerows([heads, *rows])
    whole = draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + stream.getvalue().encode()
    return draw(damaged(whole)) if draw(st.integers(0, 2)) == 0 else whole


def check_table(content: bytes) -> str:
    path = FOLDER / "table.csv"
    path.write_bytes(content)
    try:
        table = CsvTable(path)
        rows = [list(cells.values()) for _, cells in table]
    except InputError as error:
        return refusal(error, "table.csv")
    try:
        theirs = pandas.read_csv(
            path,
            sep=table.delimiter,
            dtype=str,
            header=None,
            keep_default_na=False,
            skipinitialspace=True,
            encoding="utf-8-sig",
            skip_blank_lines=True,
        )
    except (pandas.errors.ParserError, ValueError) as error:
        return f"read, and pandas fails ({type(error).__name__})"
    cells = [[readable_cell(str(cell).strip()) for cell in row] for row in theirs.to_numpy().tolist()]
    cells = [row for row in cells if any(row)]
    columns = [number for number, head in enumerate(cells[0]) if head]
    assert table.heads == [same_text(cells[0][number]) for number in columns], (table.heads, cells[0])
    assert rows == [[row[number] for number in columns] for row in cells[1:]], (rows, cells)
    return "the cells that pandas reads"


@st.composite
def visits(draw) -> bytes:
    """A table of visits with values of all kinds."""
    number = st.sampled_from(
        ["1", "2.5", "3,5", "-4", "0", "1e5", "1e99", "1e308", "-1e-300", "inf", "nan", "NA", "", "x", "1_0", "0x1"]
    )
    time = draw(st.sampled_from(["years", "date", "days", "time"]))
    moments = {
        "years": number,
        "days": number,
        "time": number,
        "date": st.sampled_from(
            ["2024-01-05", "2024-07-01", "20250101", "05.01.2024", "01/02/2024", "13/02/2024", "44805", "44805.5", "99999999",
             "2024-02-30", "2024-01-05T10:00+01:00", "1-1-1", "0000-00-00", "x", ""]
        ),
    }  # fmt: skip
    good = draw(st.booleans())
    lines = [["patient", time, "volume_ml", "age"]]
    for patient in range(draw(st.integers(1, 4))):
        for visit in range(draw(st.integers(1, 4))):
            usual = ["2024-01-05", "2024-07-01", "2025-01-07", "2025-08-01"][visit] if time == "date" else str(visit)
            lines.append(
                [
                    draw(st.sampled_from([f"{patient:03d}", f"p{patient}"])),
                    usual if good else draw(moments[time]),
                    str(patient + 2 * visit + (patient * 7 + visit * 3) % 5 / 10) if good else draw(number),
                    str(40 + patient),
                ]
            )
    if good:
        line = draw(st.integers(0, len(lines) - 1))
        lines[line][draw(st.integers(0, 3))] = draw(number | _CELLS)
    stream = io.StringIO()
    csv.writer(stream).writerows(lines)
    return stream.getvalue().encode()


def said_by(words: list[str], registry=main) -> tuple[int, str]:
    """The exit code of a command and what it says on standard error."""
    err = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        try:
            code = registry(words)
        except SystemExit as end:  # --help
            code = int(end.code or 0)
    return code, err.getvalue()


def one_sentence(code: int, said: str) -> str:
    """The answer of a command.

    Raises:
        AssertionError: it refuses in other ways than in one sentence.
    """
    assert code in (0, 2), (code, said)
    if code == 0:
        return "done"
    assert said.count("\n") == 1 and said.startswith("radiomics-persona") and ": " in said, said
    return REFUSED


def check_visits(content: bytes) -> str:
    (FOLDER / "visits.csv").write_bytes(content)
    words = ["regress", str(FOLDER / "visits.csv"), "--covariate", "age", "--json", "--output", str(FOLDER / "regressed")]
    return one_sentence(*said_by(words))


@cache
def vocabulary() -> list[str]:
    """Words of command lines: all commands and options, values of all kinds, and files that are there."""
    (FOLDER / "here.nii").write_bytes(nifti())
    (FOLDER / "here.mrk.json").write_text(json.dumps(_MARKUPS), encoding="utf-8")
    (FOLDER / "here.csv").write_text("patient,years,volume_ml\na,1,2\na,2,3\n", encoding="utf-8")
    words = [*ANALYSIS.commands, *TRAINING.commands]
    for registry in (ANALYSIS, TRAINING):
        for name in registry.commands:
            words += [option for action in registry.parser_of(name)._actions for option in action.option_strings]
    words = [word for word in words if word not in ("-h", "--help", "--version")]
    words += [str(FOLDER / name) for name in ("here.nii", "here.mrk.json", "here.csv", "not-here.nii.gz", "out.ply", "out")]
    return [
        *words,
        "--",
        "-",
        "",
        "0",
        "-1",
        "1e300",
        "nan",
        "0,0,0,20,20,20",
        "-30,1,2,9,9,9",
        "x",
        "a=b",
        "\ud800",
        "ä",
        "--x=1",
    ]


@st.composite
def command_lines(draw) -> tuple[str, list[str]]:
    """A program's name and words, the first mostly a command that does little work."""
    program = draw(st.sampled_from(["analysis", "analysis", "training"]))
    cheap = ["mesh", "report", "regress", "models"] if program == "analysis" else ["split", "models", "export"]
    first = draw(st.sampled_from(cheap) | st.sampled_from(vocabulary()))
    if first in ("cohort", "analyze", "follow", "sensitivity", "paint", "fit", "evaluate"):
        first += "x"  # they would do hours of work where the words happen to be right
    return program, [first, *draw(st.lists(st.sampled_from(vocabulary()) | st.text(max_size=4), max_size=7))]


def check_command_line(example: tuple[str, list[str]]) -> str:
    program, words = example
    before = os.getcwd()
    os.chdir(FOLDER)  # what has an output by default leaves it here
    try:
        code, said = said_by(words, main if program == "analysis" else TRAINING.main)
        if len(words) == 1 and code == 2 and said.startswith("usage: "):
            return "its help, for a command alone"
        return one_sentence(code, said)
    finally:
        os.chdir(before)


@st.composite
def messages(draw) -> list[bytes]:
    """Lines to a worker; some of them are requests, some almost, some nothing of the kind."""
    value = st.sampled_from(
        [None, True, 0, -1, 10**30, 1.5, "x", "\ud800", "twin", "row", "command", [], {}, ["mesh"], [[]], {"a": 1}]
    )
    requests = st.dictionaries(
        st.sampled_from(
            ["id", "kind", "arguments", "cancel", "row", "scan", "boxes", "model", "device", "output", "for_slicer"]
        ),
        value,
        max_size=5,
    ).map(lambda request: json.dumps(request).encode())
    nothing = st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")) | st.just(b"[" * 100_000) | st.just(b"1" * 5000)
    return draw(st.lists(requests | requests | nothing, min_size=20, max_size=60))


class _Worker:
    """A real worker, which stays for all examples as long as it lives."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "RadiomicsPersonaLib.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(os.environ, folder_of().parent),
        )
        self.answers: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.answers.put(json.loads(line))
        self.answers.put(None)

    def closing(self, number: str) -> list[dict]:
        """All answers up to the one that closes a request.

        Raises:
            AssertionError: it ends, or does not answer for a minute.
        """
        found = []
        while not found or found[-1].get("id") != number or "activity" in found[-1]:
            try:
                answer = self.answers.get(timeout=60)
            except queue.Empty:
                raise AssertionError("the worker does not answer any more") from None
            assert answer is not None, f"the worker has ended with exit code {self.process.wait()}"
            found.append(answer)
        return found


_workers: list[_Worker] = []


def check_messages(lines: list[bytes]) -> str:
    if not _workers or _workers[-1].process.poll() is not None:
        _workers.append(_Worker())
    worker, last = _workers[-1], f"last {np.random.default_rng().integers(2**60)}"
    sentinel = json.dumps({"id": last, "kind": "command", "arguments": ["mesh", "no such file", "--output", "x.ply"]}).encode()
    worker.process.stdin.write(b"\n".join([*lines, sentinel, b""]))
    worker.process.stdin.flush()
    answers = worker.closing(last)
    assert "refused" in answers[-1], answers[-1]
    closed = sum("activity" not in answer and "ready" not in answer for answer in answers) - 1
    asked = 0
    for line in lines:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            continue
        asked += isinstance(request, dict) and "cancel" not in request
    assert closed == asked, f"{asked} requests, {closed} answers"
    return "every request is answered"


TARGETS = [
    Target("markups", lambda: json_or_damaged(_MARKUPS), check_markups, 600),
    Target("tables", tables, check_table, 600),
    Target("tables of visits", visits, check_visits, 6),
    Target("command lines", command_lines, check_command_line, 40),
    Target("messages to the worker", messages, check_messages, 3),
]
