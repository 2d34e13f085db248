"""Files that a run or an evaluation left and that were damaged since: one sentence, or what they held is found again."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from bench.training_site import tiny

from RadiomicsPersonaLib.cohort.row import read_record as read_row
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.json_text import object_in
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.data.held_out import held_out_files
from RadiomicsPersonaTrainingLib.evaluation.rebuilding import _claim
from RadiomicsPersonaTrainingLib.evaluation.scores import REBUILDING_METRICS, HoleScore, RowTable
from RadiomicsPersonaTrainingLib.export.model_card import evaluation_in
from RadiomicsPersonaTrainingLib.runs.journal import Journal
from RadiomicsPersonaTrainingLib.runs.record import read_record
from RadiomicsPersonaTrainingLib.runs.state import _record_in
from RadiomicsPersonaTrainingLib.settings.training_settings import read_settings

DAMAGES = {
    "empty": b"",
    "cut off": b'{"a": 1, "b',
    "a list": b"[1]",
    "null": b"null",
    "no UTF-8": b'{"a": "\xff"}',
    "brackets without end": b"[" * 20_000,
    "a number without end": b'{"a": ' + b"1" * 5000 + b"}",
}


@pytest.fixture(params=DAMAGES)
def damaged(request, tmp_path):
    """Writes a damaged file of a name; returns its path."""

    def write(name: str):
        (tmp_path / name).write_bytes(DAMAGES[request.param])
        return tmp_path / name

    return write


def test_a_damaged_file_holds_no_object(damaged):
    with pytest.raises(ValueError):
        object_in(damaged("any.json"))


def test_a_damaged_run_is_refused(damaged):
    with pytest.raises(InputError, match=r"run.json' is damaged"):
        read_record(damaged("run.json").parent)
    assert _record_in(damaged("run.json").parent) == {}


def test_a_damaged_evaluation_is_refused(damaged):
    with pytest.raises(InputError, match="evaluation.json' cannot be read .*: evaluate again"):
        evaluation_in(damaged("evaluation.json"))


def test_a_damaged_note_of_an_evaluation_is_refused(damaged):
    plan = SimpleNamespace(seed=0, rebuilders=(), lesion_masks=(), scans=(), identity={})
    with pytest.raises(InputError, match="run.json' cannot be read .*: choose another output folder"):
        _claim(plan, damaged("run.json").parent)


def test_a_row_of_a_cohort_whose_record_is_damaged_is_done_again(damaged):
    assert read_row(damaged("row.json").parent) is None


def test_a_row_of_a_cohort_whose_record_lacks_something_is_done_again(tmp_path):
    (tmp_path / "row.json").write_text('{"identity": {}, "results": []}')
    assert read_row(tmp_path) is None


def test_damaged_lines_of_a_journal_are_measured_again(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl", {"run": 1})
    for key in "abc":
        journal.add(key, {"p": 1.0})
    lines = (tmp_path / "journal.jsonl").read_bytes().splitlines()
    for damage in (b"[1]", b"null", b'{"key": 3, "found": 1}', b'{"key": "b"}', b"\xff", b"[" * 20_000):
        (tmp_path / "journal.jsonl").write_bytes(b"\n".join([lines[0], lines[1], damage, lines[3]]) + b"\n")
        assert Journal(tmp_path / "journal.jsonl", {"run": 1}).records == {key: {"p": 1.0} for key in "ac"}
    (tmp_path / "journal.jsonl").write_bytes(b"[1]\n" + lines[1] + b"\n")
    with pytest.raises(InputError, match="another run"):
        Journal(tmp_path / "journal.jsonl", {"run": 1})


def test_what_was_measured_in_a_file_that_has_changed_is_measured_again(tmp_path):
    scan, other = tmp_path / "scan.nii.gz", tmp_path / "other.nii.gz"
    scan.write_bytes(b"one")
    other.write_bytes(b"two")
    journal = Journal(tmp_path / "journal.jsonl", {"run": 1})
    journal.add("a", {"p": 1.0}, [scan, other])
    assert Journal(journal.path, {"run": 1}).holds("a", [scan, other])
    other.write_bytes(b"three")
    again = Journal(journal.path, {"run": 1})
    assert not again.holds("a", [scan, other]) and not again.holds("b", [scan])
    again.add("a", {"p": 2.0}, [scan, other])
    assert Journal(journal.path, {"run": 1}).records == {"a": {"p": 2.0}}


def test_an_evaluation_does_not_go_on_with_scans_that_have_changed(tmp_path):
    scan = tmp_path / "one.nii.gz"
    scan.write_bytes(b"one")
    plan = SimpleNamespace(seed=0, rebuilders=(), lesion_masks=(), scans=held_out_files("site", [scan]), identity={})
    _claim(plan, tmp_path)
    scan.write_bytes(b"mended, before anything was measured in it")
    _claim(plan, tmp_path)
    metrics = dict.fromkeys(REBUILDING_METRICS, 0.5)
    RowTable(tmp_path / "rows.csv", ("a",)).add([HoleScore("site", "one", "cuboid", 0, "a", 1.0, 1.0, metrics)])
    _claim(plan, tmp_path)
    scan.write_bytes(b"two")
    with pytest.raises(InputError, match="The files of 'site / one' have changed since .*: choose another output folder"):
        _claim(plan, tmp_path)


def test_an_evaluation_of_a_damaged_file_leaves_nothing(tmp_path, capsys):
    (tmp_path / "data" / "label_maps").mkdir(parents=True)
    (tmp_path / "data" / "label_maps" / "a.nii.gz").write_text("x")
    words = ["evaluate", str(tmp_path / "data"), "-o", str(tmp_path / "out"), "--model", "harmonic"]
    for more in ([], ["--certainty"]):
        assert main([*words, *more]) == 2 and "'a.nii.gz'" in capsys.readouterr().err
        assert [file.name for file in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("steps = 4", f"steps = {'1' * 5000}"), "not valid TOML"),
        (("steps = 4", f"steps = {'1' * 400}"), "more than 300 digits"),
        (("steps = 4", f"steps = 0x{'f' * 5000}"), "more than 300 digits"),
        (("steps = 4", f"steps = [0x{'f' * 5000}]"), "thousands of digits"),
        (("average = 0.5", f"average = {'1' * 400}"), "more than 300 digits"),
        (("[model]", f"x = {'[' * 5000}\n[model]"), "brackets without end"),
    ],
)
def test_settings_with_numbers_or_brackets_without_end_are_refused(tmp_path, change, said):
    (tmp_path / "s.toml").write_text(tiny().replace(*change))
    with pytest.raises(InputError, match=said):
        read_settings(tmp_path / "s.toml")


def test_settings_that_a_windows_editor_saved_are_read(tmp_path):
    (tmp_path / "s.toml").write_bytes(b"\xef\xbb\xbf" + tiny().replace("\n", "\r\n").encode())
    (tmp_path / "t.toml").write_text(tiny())
    assert read_settings(tmp_path / "s.toml") == read_settings(tmp_path / "t.toml")


def test_a_row_that_came_to_its_end_is_known(tmp_path):
    record = {"identity": {}, "results": [], "sentence": "", "final": True}
    (tmp_path / "row.json").write_text(json.dumps(record))
    assert read_row(tmp_path) == record
