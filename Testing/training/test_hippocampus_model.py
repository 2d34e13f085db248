"""The shipped hippocampus model: what its card promises, and that it keeps the promise on people it never saw."""

from __future__ import annotations

import json

import numpy as np
import pytest

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.imaging.files import read_label_map, read_scan, write_nifti
from RadiomicsPersonaLib.networks.card import text_of_card
from RadiomicsPersonaLib.resources import SHIPPED_MODELS
from RadiomicsPersonaLib.segmentation.segmentation_model import SegmentationModel
from RadiomicsPersonaTrainingLib.head_evaluation.segmentation import (
    evaluate_segmentation,
    held_out_truths,
    summary_of,
    summary_rows,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def card() -> dict:
    return json.loads((SHIPPED_MODELS / "hippocampus.json").read_text())


@pytest.fixture(scope="module")
def hippocampi(data_root):
    folder = data_root / "hippocampus"
    if not folder.is_dir():
        pytest.skip(f"No hippocampi in '{data_root}'.")
    return folder


def test_the_card_names_the_data_their_licence_and_that_of_the_weights(card):
    entry = card["data"][0]
    assert "Medical Segmentation Decathlon" in entry["source"] and entry["licence"] == "CC BY-SA 4.0"
    assert card["licence"].startswith("CC BY-SA 4.0")
    note = (SHIPPED_MODELS / "hippocampus.LICENSE.txt").read_text()
    assert "CC BY-SA 4.0" in note and "Antonelli" in note and card["weights"] in note
    parts = [set(entry[part]) for part in ("training", "validation", "test")]
    assert not (parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]) and len(parts[2]) >= 18
    assert (SHIPPED_MODELS / card["weights"]).stat().st_size < 10e6
    assert "anterior, posterior" in text_of_card(card) and "CC BY-SA 4.0" in text_of_card(card)


def test_the_card_s_figures_reach_the_goal(card):
    figures = card["evaluation"]["figures"]
    assert figures["anterior"]["dice"]["value"] >= 0.88 and figures["posterior"]["dice"]["value"] >= 0.87
    assert all(figures[name]["hd95_mm"]["value"] <= 1.5 for name in ("anterior", "posterior"))
    assert set(card["evaluation"]["cases"]) == set(card["data"][0]["test"])


def test_held_out_hippocampi_are_found_as_well_as_the_card_says(card, hippocampi):
    truths = held_out_truths(hippocampi, card)
    assert {subject for subject, _ in truths} == set(card["data"][0]["test"])
    cases = evaluate_segmentation(truths, SegmentationModel.load("hippocampus"))
    found = summary_of(cases)
    for name, measures in card["evaluation"]["figures"].items():
        assert found[name]["dice"].value == pytest.approx(measures["dice"]["value"], abs=0.005)
        assert found[name]["hd95_mm"].value == pytest.approx(measures["hd95_mm"]["value"], abs=0.1)
    assert [row[0] for row in summary_rows(cases)[1]] == ["anterior", "posterior", "hippocampus"]


def test_a_hippocampus_stored_otherwise_is_found_in_the_same_place(card, hippocampi, tmp_path):
    """Axes permuted and flipped, intensities scaled: the labels stay with the tissue."""
    subject = card["data"][0]["test"][0]
    scan = read_scan(next(file for file in hippocampi.rglob(f"{subject}.nii.gz") if "label" not in file.parent.name))
    turned = np.ascontiguousarray(scan.array.transpose(2, 0, 1)[::-1]) * 37 + 5
    matrix = np.zeros((4, 4))
    matrix[2, 0], matrix[0, 1], matrix[1, 2], matrix[2, 3], matrix[3, 3] = -1, 1, 1, scan.shape[2] - 1, 1
    write_nifti(tmp_path / "plain.nii.gz", scan.array, scan.affine)
    write_nifti(tmp_path / "turned.nii.gz", turned, scan.affine @ matrix)
    found = []
    for name in ("plain", "turned"):
        assert (
            main(
                [
                    "segment",
                    str(tmp_path / f"{name}.nii.gz"),
                    "--model",
                    "hippocampus",
                    "--output",
                    str(tmp_path / "seg.nii.gz"),
                ]
            )
            == 0
        )
        found.append(read_label_map(tmp_path / "seg.nii.gz").array)
    assert (found[0] != found[1][::-1].transpose(1, 2, 0)).sum() <= 0.01 * (found[0] > 0).sum()
