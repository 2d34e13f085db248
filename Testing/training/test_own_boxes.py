"""A site's own boxes: the classifier is fitted on them, with its reliability, and what is wrong in their list is said."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.analysis.classifier import read_classifier
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.markups import write_boxes
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.verdict.own_box_list import read_own_boxes

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

CENTER = (34.0, -10.0, 14.0)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Four heads with a bright lesion each, a markups file and a list of their boxes."""
    root = tmp_path_factory.mktemp("own boxes")
    rows = [("subject", "scan", "truth", "box")]
    for seed in range(4):
        head = make_head(4.0, seed=seed)
        array = head.array.copy()
        points = head.ras_from_ijk(np.indices(head.shape).reshape(3, -1).T).reshape(*head.shape, 3)
        array[np.linalg.norm(points - CENTER, axis=-1) < 11] *= 1.6
        write_nifti(root / f"sub-{seed}.nii.gz", array, head.affine)
        place = "lesions.mrk.json" if seed == 0 else f"{CENTER[0]} {CENTER[1]} {CENTER[2]} 26 26 26"
        rows.append((f"s{seed}", f"sub-{seed}.nii.gz", "pathological", place))
    rows.append(("s3", "sub-3.nii.gz", "healthy", "-34 10 14 26 26 26"))
    write_boxes(root / "lesions.mrk.json", [Box(np.array(CENTER), np.array([26.0, 26.0, 26.0]), name="lesion")])
    with open(root / "boxes.csv", "w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return root


def test_the_classifier_is_fitted_on_a_sites_own_boxes_with_its_reliability(own, capsys):
    output = own / "site.json"
    words = ["calibrate", "--boxes", str(own / "boxes.csv"), "--model", "harmonic", "--name", "site", "--output", str(output)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "4 subjects" in said and "4 of them pathological" in said
    classifier = read_classifier(output)
    measured = classifier.about["cross_validation"]
    assert measured["auroc_mean_over_subjects"] > 0.9
    points = measured["reliability"]
    assert sum(count for _, _, count in points) == measured["boxes"] and points[0][1] < 0.2 and points[-1][1] > 0.5
    assert "sub-0" not in output.read_text()  # whose boxes they were is nobody's business
    first = output.read_text()
    output.unlink()
    assert main(words) == 0 and output.read_text() == first  # from what was measured


@pytest.mark.parametrize(
    "line, sentence",
    [
        ("s0,sub-0.nii.gz,sick,1 2 3 4 5 6", "Line 2 .* write healthy or pathological"),
        ("s0,gone.nii.gz,healthy,1 2 3 4 5 6", "Line 2 .* not there"),
        ("s0,sub-0.nii.gz,healthy,1 2 3", "Line 2 of '.*wrong.csv': .* six numbers"),
        ("s0,sub-0.nii.gz,healthy,1 2 3 -4 5 6", "Line 2 of '.*wrong.csv': .* longer than zero"),
        ("s0,sub-0.nii.gz,healthy,gone.mrk.json", "Line 2 of '.*wrong.csv': .*no markups file"),
        ("s0,sub-0.nii.gz,healthy,gone.mrk.JSON", "Line 2 of '.*wrong.csv': .*no markups file"),
        (
            "s0,sub-0.nii.gz,healthy,1 2 3 4 5 6\ns0,./sub-0.nii.gz,pathological,1 2 3 4 5 6",
            "The box in line 2 of .* stands in line 3 of .* again, .* as healthy and as pathological: keep one",
        ),
        ("s0,sub-0.nii.gz,healthy,1 2 3 4 5 6\ns0,sub-0.nii.gz,healthy,1 2 3 4 5 6", "is listed twice: keep one"),
        ("s0,sub-0.nii.gz,healthy,1 2 3 4 5 6\ns1,sub-0.nii.gz,healthy,1 2 3 4 5 7", "name one subject"),
        (",sub-0.nii.gz,healthy,1 2 3 4 5 6", "Line 2 .* no 'subject'"),
    ],
)
def test_what_is_wrong_in_the_list_is_said(own, line, sentence):
    (own / "wrong.csv").write_text(f"subject,scan,truth,box\n{line}\n")
    with pytest.raises(InputError, match=sentence):
        read_own_boxes(own / "wrong.csv")


def test_the_command_wants_either_own_boxes_or_scans_to_paint_in(own, capsys):
    assert main(["calibrate", "--output", str(own / "x.json")]) == 2
    assert main(["calibrate", str(own), "--boxes", str(own / "boxes.csv"), "--output", str(own / "x.json")]) == 2
    assert main(["calibrate", str(own), "--output", str(own / "x.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 3 and not list(own.glob("x*"))


def test_what_can_be_seen_beforehand_is_refused_before_anything_is_measured_or_written(own, tmp_path, capsys):
    rows = (own / "boxes.csv").read_text().splitlines()
    few, outside = rows[:4], [*rows, "s3,sub-3.nii.gz,healthy,900 0 0 5 5 5"]
    for lines, sentence in (
        (few, "Of 3 subjects a box is pathological"),
        (outside, "Line 7 of '.*' holds no voxel of the scan"),
    ):
        (own / "refused.csv").write_text("\n".join(lines))
        words = ["calibrate", "--boxes", str(own / "refused.csv"), "--model", "harmonic", "-o", str(tmp_path / "c.json")]
        assert main(words) == 2
        assert re.search(sentence, capsys.readouterr().err) and not list(tmp_path.iterdir())
