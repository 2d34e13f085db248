"""From a scan to a segmented lesion, boxed, rebuilt and judged, on the command line."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest
from bench.bright_lesion import CENTER, RADIUS, head_with_bright_lesion

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.geometry.markups import read_boxes
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.segmentation.segmentation import Segmentation
from RadiomicsPersonaLib.segmentation.segmenter import LESION, box_around, pathology

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

PARTS = (
    {
        "name": "edema",
        "number": 1,
        "color": [0, 0, 0],
        "code": "SCT^49755003^Morphologically Altered Structure~SCT^79654002^Edema",
    },
    {"name": "nucleus", "number": 4, "color": [0, 0, 0], "code": "SCT^123037004^Anatomical Structure~SCT^5366008^Hippocampus"},
)


@pytest.fixture(scope="module")
def lesion_file(tmp_path_factory):
    """The head, stored from front to back and right to left, and where its lesion is."""
    scan, lesion = head_with_bright_lesion()
    turned = scan.affine @ np.array(
        [[0, -1, 0, scan.shape[0] - 1], [-1, 0, 0, scan.shape[1] - 1], [0, 0, 1, 0], [0, 0, 0, 1.0]]
    )

    def flip(array):
        return array[::-1, ::-1].transpose(1, 0, 2)

    path = tmp_path_factory.mktemp("lesion") / "head_FLAIR.nii.gz"
    write_nifti(path, flip(scan.array), turned)
    return path, flip(lesion)


def test_one_command_leads_from_a_scan_to_a_judged_lesion(lesion_file, tmp_path):
    path, lesion = lesion_file
    output = tmp_path / "out"
    assert (
        main(
            [
                "analyze",
                str(path),
                "--segment-with",
                "lesion",
                "--model",
                "harmonic",
                "--controls",
                "5",
                "--threshold",
                "0.2",
                "--output",
                str(output),
            ]
        )
        == 0
    )
    found = nibabel.load(output / "segmentation.nii.gz")
    marked = np.asarray(found.dataobj) == 1
    assert np.allclose(found.affine, nibabel.load(path).affine)
    assert 2 * (marked & lesion).sum() / (marked.sum() + lesion.sum()) > 0.7
    results = json.loads((output / "results.json").read_text())
    [box] = results["boxes"]
    assert box["name"] == "lesion" and box["label"] == 1
    assert np.abs(np.array(box["center_ras"]) - CENTER).max() < 4
    assert (np.array(box["size_mm"]) >= 2 * RADIUS + 2).all() and (np.array(box["size_mm"]) < 2 * RADIUS + 14).all()
    told = results["provenance"]["segmentation"]
    assert told["classes"][0]["ml"] == pytest.approx(marked.sum() * 8 / 1000, rel=1e-3) and told["model"]["name"] == "lesion"
    assert results["provenance"]["command"].startswith("radiomics-persona analyze head_FLAIR.nii.gz --segment-with lesion ")
    assert any("lies around the largest part of what lesion found" in note for note in results["warnings"])
    scan, _ = head_with_bright_lesion()
    on_scan = np.zeros(scan.shape, bool)
    on_scan[:] = marked.transpose(1, 0, 2)[::-1, ::-1]
    for control in read_boxes(output / "controls.mrk.json"):
        hole = hole_of_box(scan, control)
        assert not (on_scan[hole.region] & hole.mask).any(), "what is lesion serves as healthy"


def segmentation(labels, classes=PARTS) -> Segmentation:
    return Segmentation(labels.astype(np.uint16), np.diag([1.0, 2, 3, 1]), classes)


def test_the_box_lies_around_the_largest_part_two_millimetres_wider():
    labels = np.zeros((30, 30, 30))
    labels[2:8, 3:9, 4:10] = 1
    labels[8:12, 3:9, 4:10] = 4
    labels[20:29, 20:29, 20:24] = 4
    box = box_around(segmentation(labels), "M")
    assert box.name == "M" and np.allclose([box.center, box.size], [[6.5, 11, 19.5], [14, 16, 22]]), (
        "two classes that touch are one part"
    )
    box = box_around(segmentation(labels), "M", "nucleus")
    assert box.name == "nucleus" and np.allclose([box.center, box.size], [[24, 48, 64.5], [13, 22, 16]])
    assert np.array_equal(pathology(segmentation(labels)), labels == 1), "healthy structures may serve as healthy"


@pytest.mark.parametrize(
    "segment, sentence",
    [
        (None, "The model 'M' finds no lesion here: draw the box by hand, or choose another scan, segment or model."),
        ("tumour", "The model 'M' has no segment 'tumour': choose one of lesion."),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(segment, sentence):
    with pytest.raises(InputError) as refused:
        box_around(segmentation(np.zeros((9, 9, 9)), (LESION,)), "M", segment)
    assert str(refused.value) == sentence


@pytest.mark.usefixtures("shipped_models")
@pytest.mark.parametrize(
    "words, sentence",
    [
        (["analyze", "SCAN", "--box", "0,0,0,9,9,9", "--segment", "lesion"], "--segment and --contrast go with --segment-with"),
        (
            ["analyze", "SCAN", "--segment-with", "lesion", "--contrast", "t1=SCAN2"],
            "takes one scan, of any contrast, and 2 were given",
        ),
        (["analyze", "SCAN", "--segment-with", "hippocampus"], "looks like flair, and this model takes t1"),
        (
            ["analyze", "SCAN", "--segment-with", "healthy-t1"],
            "There is no segmentation model 'healthy-t1': choose one of hippocampus, lesion, or name a card.",
        ),
        (["segment", "SCAN", "SCAN2", "--model", "lesion"], "takes one scan, of any contrast, and 2 were given"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(lesion_file, tmp_path, capsys, words, sentence):
    words = [word.replace("SCAN2", "other.nii.gz").replace("SCAN", str(lesion_file[0])) for word in words]
    assert main([*words, "--output", str(tmp_path / "x.nii.gz")]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())
