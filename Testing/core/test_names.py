"""Files may be called anything that the system allows: results come, and a name is shown with stand-ins where it is no text."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from bench.dicom_series import slices_of, write_slices
from bench.phantom import make_head

from RadiomicsPersonaLib.analysis.classifier import DEFAULT, read_classifier
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.markups import read_boxes, write_boxes
from RadiomicsPersonaLib.imaging.acquisition_date import visit_date
from RadiomicsPersonaLib.imaging.files import read_scan, write_nifti
from RadiomicsPersonaLib.resources import SHIPPED_CLASSIFIERS
from RadiomicsPersonaLib.system.json_text import parsed, written
from RadiomicsPersonaLib.system.names import plain_path, shown

pytestmark = pytest.mark.usefixtures("small_models")

ODD = "M\udcfcller"
"""A name in Latin-1, as Python holds it where names are UTF-8."""


@pytest.fixture(scope="module", autouse=True)
def names_may_be_any_bytes(tmp_path_factory):
    try:
        (tmp_path_factory.mktemp("odd") / ODD).write_bytes(b"")
    except (OSError, UnicodeEncodeError):
        pytest.skip("this system takes no such names")


@pytest.fixture(scope="module")
def head():
    return make_head(6.0)


def volume_image() -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(np.random.default_rng(0).integers(0, 900, (12, 13, 14)).astype(np.int16))
    image.SetSpacing((8.0, 8.0, 8.0))
    return image


def test_an_analysis_of_a_file_whose_name_is_no_text_writes_all_its_results(tmp_path, capfd, head):
    scan, boxes = tmp_path / f"{ODD}.nii.gz", tmp_path / f"{ODD}.mrk.json"
    write_nifti(scan, head.array, head.affine)
    write_boxes(boxes, [Box([26, 12, 20], [24, 24, 24], name="")])
    words = ["analyze", str(scan), "--boxes", str(boxes), "--model", "harmonic", "--controls", "1", "--with-name"]
    assert main([*words, "--output", str(tmp_path / f"{ODD} results")]) == 0
    output = tmp_path / f"{ODD} results"
    results = json.loads((output / "results.json").read_text(encoding="utf-8"))
    assert results["scan"] == "M\\xfcller" and "M\\xfcller.nii.gz" in results["provenance"]["command"]
    assert "M\\xfcller" in (output / "report.html").read_text(encoding="utf-8")
    assert {file.name for file in output.iterdir()} >= {"scene.mrb", "report.pdf", "results.csv", "controls.mrk.json"}
    assert "M\\udcfcller results" in capfd.readouterr().out


@pytest.mark.parametrize("suffix", [".nii.gz", ".mgz", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_every_format_is_read_from_a_file_whose_name_is_no_text(tmp_path, suffix):
    image, folder = volume_image(), tmp_path / f"folder {ODD}"
    right = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)
    folder.mkdir()
    if suffix in (".nii.gz", ".mgz"):
        write_nifti(tmp_path / "scan.nii.gz", right, np.diag([8.0, 8, 8, 1]))
        if suffix == ".mgz":
            nibabel.save(nibabel.MGHImage(right, np.diag([8.0, 8, 8, 1])), tmp_path / "scan.mgz")
    else:
        SimpleITK.WriteImage(image, str(tmp_path / f"scan{suffix}"))
    for file in tmp_path.glob("scan*"):
        file.rename(folder / (f"{ODD}{suffix}" if file.name.endswith(suffix) else file.name))
    scan = read_scan(folder / f"{ODD}{suffix}")
    assert np.array_equal(scan.array, right) and scan.name == "M\\xfcller"


def test_a_dicom_series_is_read_from_names_that_are_no_text(tmp_path):
    image = volume_image()
    slices = [(each, tags | {"0008|0022": "20260331"}) for each, tags in slices_of(image)]
    files = write_slices(slices, tmp_path / "series")
    files[4].rename(files[4].with_name(f"{ODD}.dcm"))
    folder = (tmp_path / "series").rename(tmp_path / ODD)
    scan = read_scan(folder)
    assert scan.name == "M\\xfcller" and visit_date(folder) == "2026-03-31"
    assert np.array_equal(np.sort(scan.array, axis=None), np.sort(SimpleITK.GetArrayFromImage(image), axis=None))
    (folder / f"{ODD}.dcm").write_bytes(b"")
    with pytest.raises(InputError, match=r"'M\\xfcller.dcm' in the folder 'M\\xfcller' is empty"):
        read_scan(folder)


@pytest.mark.parametrize("suffix", [".ply", ".stl", ".obj", ".vtk"])
def test_a_surface_is_written_under_a_name_that_is_no_text(tmp_path, suffix):
    pytest.importorskip("vtk")
    mask = np.zeros((12, 12, 12), np.uint8)
    mask[3:9, 3:9, 3:9] = 1
    write_nifti(tmp_path / f"{ODD}.nii.gz", mask, np.eye(4))
    for name in (ODD, "plain"):
        words = ["mesh", str(tmp_path / f"{ODD}.nii.gz"), "--output", str(tmp_path / f"{name}{suffix}")]
        assert main(words) == 0
    assert (tmp_path / f"{ODD}{suffix}").read_bytes() == (tmp_path / f"plain{suffix}").read_bytes()


def test_json_keeps_a_name_that_is_no_text_and_stays_utf8():
    told = {"name": f"{ODD} Zürich 脑 \U0001f9e0 \ud800"}
    text = written(told)
    assert parsed(text.encode("utf-8").decode("utf-8")) == told and "Zürich 脑 \U0001f9e0" in text


def test_a_box_whose_name_is_no_text_can_be_written_again(tmp_path):
    (tmp_path / "b.mrk.json").write_text(
        '{"markups": [{"type": "ROI", "name": "a\\ud800b", "center": [0, 0, 0], "size": [9, 9, 9]}]}'
    )
    [box] = read_boxes(tmp_path / "b.mrk.json")
    assert box.name == "a\\ud800b"
    write_boxes(tmp_path / "again.mrk.json", [box])
    assert read_boxes(tmp_path / "again.mrk.json")[0].name == box.name


def test_a_plain_path_is_the_path_itself_where_that_will_do(tmp_path):
    for name in ("scan.nrrd", "Ünïcode 脑.nrrd"):
        (tmp_path / name).write_bytes(b"1")
        with plain_path(tmp_path / name) as plain:
            assert plain == tmp_path / name
    (tmp_path / ODD).write_bytes(b"2")
    with plain_path(tmp_path / ODD) as plain:
        assert plain.read_bytes() == b"2" and shown(str(plain)) == str(plain)
    assert not plain.exists() and (tmp_path / ODD).read_bytes() == b"2"


@pytest.mark.slow
@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, {"LANG": "C", "LC_ALL": "C"}])
def test_a_console_without_the_letters_of_a_name_ends_no_command(tmp_path, head, environment, checkout):
    scan, mask, output = (tmp_path / f"Zürich 脑 {word}.nii.gz" for word in ("scan", "mask", "out"))
    write_nifti(scan, head.array, head.affine)
    marked = np.zeros(head.shape, np.uint8)
    marked[tuple(slice(n // 2 - 2, n // 2 + 3) for n in head.shape)] = 1
    write_nifti(mask, marked, head.affine)
    words = ["inpaint", scan, "--mask", mask, "--model", "harmonic", "--output", output]
    done = subprocess.run(
        [sys.executable, "-m", "RadiomicsPersonaLib", *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(Path(checkout) / "RadiomicsPersona"), "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert output.is_file() and b"Rebuilt 125 voxels" in done.stdout


def test_a_console_that_is_no_file_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert main(["inpaint", str(tmp_path / "no.nii"), "--mask", "m.nii", "--output", str(tmp_path / "o.nii")]) == 2


def test_half_a_letter_in_a_classifier_is_told_by_a_stand_in(tmp_path):
    content = json.loads((SHIPPED_CLASSIFIERS / f"{DEFAULT}.json").read_text(encoding="utf-8")) | {"features": ["\ud800"]}
    content.pop("sha256")
    checked = json.dumps(content, sort_keys=True, separators=(",", ":"))
    content["sha256"] = hashlib.sha256(checked.encode()).hexdigest()
    (tmp_path / "odd.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_classifier(tmp_path / "odd.json")
    assert r"the score '\ud800'" in str(caught.value) and str(caught.value).encode()
