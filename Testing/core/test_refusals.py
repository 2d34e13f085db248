"""What cannot be used is refused in one sentence with the file's name, whatever a file says or the system answers."""

from __future__ import annotations

import ast
import builtins
import io
import json
import re

import numpy as np
import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import parse_box
from RadiomicsPersonaLib.geometry.markups import read_boxes
from RadiomicsPersonaLib.imaging.acquisition_date import visit_date
from RadiomicsPersonaLib.imaging.files import read_scan, write_nifti

ROI = {"type": "ROI", "center": [0, 0, 0], "size": [20, 20, 20], "orientation": [1, 0, 0, 0, 1, 0, 0, 0, 1]}


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    head = make_head(6.0)
    path = tmp_path_factory.mktemp("scan") / "scan.nii.gz"
    write_nifti(path, head.array, head.affine)
    return path


def refused(capfd, *words) -> str:
    """What a command says that has to refuse."""
    code = main([str(word) for word in words])
    printed, said = capfd.readouterr()
    assert code == 2 and printed == "" and said.count("\n") == 1 and said.startswith("radiomics-persona: ")
    return said


def analyzed(capfd, tmp_path, scan, *words) -> str:
    said = refused(capfd, "analyze", scan, *words, "--model", "harmonic", "--controls", 3, "--output", tmp_path / "o")
    assert not (tmp_path / "o").exists()
    return said


@pytest.mark.parametrize("size", [400, 4000])
def test_a_box_around_the_whole_scan_leaves_no_brain(capfd, tmp_path, scan, size):
    said = analyzed(capfd, tmp_path, scan, "--box", f"0,0,0,{size},{size},{size}")
    assert "'scan' shows nothing like a brain outside the boxes and what is excluded: choose a brain MRI" in said


def test_a_mask_that_excludes_everything_is_what_is_said_to_be_wrong(capfd, tmp_path, scan):
    head = read_scan(scan)
    write_nifti(tmp_path / "mask.nii.gz", np.ones(head.shape, np.uint8), head.affine)
    said = analyzed(capfd, tmp_path, scan, "--box", "0,0,0,20,20,20", "--exclude", tmp_path / "mask.nii.gz")
    assert "what is excluded" in said and "masks that leave brain" in said


@pytest.mark.parametrize("numbers", ["0,0,0,1e300,20,20", "1e300,0,0,20,20,20", "0,0,-2e6,20,20,20"])
def test_a_box_that_no_patient_can_hold_is_refused(numbers):
    with pytest.raises(InputError, match="reaches beyond 1e.06 mm"):
        parse_box(numbers)


def of_roi(**changes) -> str:
    return json.dumps({"markups": [ROI | changes]})


STRANGE_MARKUPS = {
    "whole number of 401 digits": of_roi(center=[10**400, 0, 0]),
    "whole number of 5000 digits": of_roi(center=["HERE", 0, 0]).replace('"HERE"', "1" * 5000),
    "infinite size": of_roi(size=[float("inf"), 1, 1]),
    "brackets without end": "[" * 20_000,
    "brackets in a box": of_roi(center="HERE").replace('"HERE"', "[" * 20_000),
    "many brackets in a box": of_roi(center="HERE").replace('"HERE"', "[" * 300 + "]" * 300),
    "texts for numbers": of_roi(center=["a", "b", "c"]),
    "no object": "7",
    "null for markups": '{"markups": null}',
    "numbers for markups": '{"markups": [1, 2]}',
    "not UTF-8": b'{"markups": [\xff]}',
}


@pytest.mark.parametrize("kind", STRANGE_MARKUPS)
def test_markups_that_say_strange_things_are_refused(capfd, tmp_path, scan, kind):
    content = STRANGE_MARKUPS[kind]
    (tmp_path / "b.mrk.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert "'b.mrk.json'" in analyzed(capfd, tmp_path, scan, "--boxes", tmp_path / "b.mrk.json")


@pytest.mark.parametrize("points", [7, "text", {"a": 1}, [1], [None], [{"label": 3}]])
def test_control_points_of_other_kinds_do_not_matter(tmp_path, points):
    (tmp_path / "b.mrk.json").write_text(of_roi(controlPoints=points))
    [box] = read_boxes(tmp_path / "b.mrk.json")
    assert np.array_equal(box.size, [20, 20, 20])


def test_brackets_without_end_beside_a_scan_tell_no_date(tmp_path):
    (tmp_path / "scan.json").write_text("[" * 20_000)
    assert visit_date(tmp_path / "scan.nii.gz") is None


@pytest.fixture
def nothing_may_be_read(monkeypatch):
    """Says of files that there is no permission to read them; root, who runs tests at times, needs none."""
    really_open, forbidden = builtins.open, set()

    def opened(file, *more, **options):
        if str(file) in forbidden:
            raise PermissionError(13, "Permission denied", str(file))
        return really_open(file, *more, **options)

    monkeypatch.setattr(builtins, "open", opened)
    monkeypatch.setattr(io, "open", opened)
    return forbidden.add


@pytest.mark.parametrize("command", ["analyze", "regress", "cohort", "inpaint"])
def test_a_file_that_may_not_be_read_is_named(capfd, tmp_path, scan, nothing_may_be_read, command):
    file = tmp_path / "t.csv"
    file.write_text("scan\n")
    words = {
        "analyze": ("analyze", scan, "--boxes", file, "--output", tmp_path / "o"),
        "regress": ("regress", file, "--outcome", "a", "--output", tmp_path / "o"),
        "cohort": ("cohort", file, "--command", "analyze", "--output", tmp_path / "o"),
        "inpaint": ("inpaint", file.rename(tmp_path / "t.nii"), "--mask", scan, "--output", tmp_path / "o.nii"),
    }[command]
    if command != "inpaint":
        file.write_text("scan\n")
    nothing_may_be_read(str(tmp_path / "t.nii" if command == "inpaint" else file))
    said = refused(capfd, *words)
    assert "t.nii" in said or "t.csv" in said
    assert "Permission denied" in said and not (tmp_path / "o").exists()


def test_a_name_that_is_too_long_is_refused(capfd, tmp_path):
    assert "too long" in refused(capfd, "inpaint", f"{'x' * 300}.nii", "--mask", "m.nii", "--output", tmp_path / "o.nii")


def test_what_is_said_of_a_scan_advises_nothing_that_only_a_terminal_has(checkout):
    """The panel shows the same sentences: they name models and columns, not options of the command line."""
    core = checkout / "RadiomicsPersona" / "RadiomicsPersonaLib"
    found = []
    for file in sorted(core.rglob("*.py")):
        if {"commands", "cohort"} & set(file.relative_to(core).parts) or file.name in ("cli.py", "__main__.py"):
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        holders = [node for node in ast.walk(tree) if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef))]
        documents = {id(node.body[0].value) for node in holders if node.body and isinstance(node.body[0], ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
                if re.search(r"(?<!\S)--[a-z]", node.value) and ":root" not in node.value:
                    found.append(f"{file.name}:{node.lineno} {node.value}")
    assert not found


@pytest.mark.parametrize("sizes", ["DimSize = -8 7 6\n", ""], ids=["negative", "none"])
def test_a_damaged_header_is_told_in_the_sentence_alone_whatever_itk_prints(capfd, tmp_path, sizes):
    header = f"NDims = 3\n{sizes}ElementSpacing = 1 1 1\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    (tmp_path / "mask.mha").write_bytes(header.encode() + bytes(8 * 7 * 6))
    said = refused(capfd, "mesh", tmp_path / "mask.mha", "--output", tmp_path / "m.ply")
    assert "'mask.mha'" in said and "damaged" in said


def test_a_sentence_keeps_to_one_line_and_shows_the_two_ends_of_what_is_long():
    said = str(InputError(f"The file '{'x' * 9000}\n\ty' is no table: save it as one."))
    assert len(said) < 1100 and said.isprintable()
    assert said.startswith("The file 'xxx") and said.endswith("\\n\\ty' is no table: save it as one.")
