"""The search of whole heads is measured against an atlas that does not hold the head in question, and counts what is listed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from RadiomicsPersonaLib.analysis.head_norms import Measured
from RadiomicsPersonaLib.analysis.head_search import SearchedHead
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.grid import Grid
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.commands.evaluate_scan import report_of
from RadiomicsPersonaTrainingLib.head_evaluation.head_search import KnownHead, lesions_at, norms_of, rates_of

VOXELS = (32, 38, 30)
SPOT, CAP = np.array([25.0, -30.0, 20.0]), np.array([-20.0, 20.0, 10.0])


def known(group: str, subject: str, seed: int, lesion: bool = False) -> KnownHead:
    """A head whose model favours one place, as in everybody, perhaps with a lesion at another."""
    affine = np.diag([4.5, 4.5, 4.5, 1.0])
    affine[:3, 3] = (-70, -104, -58)
    grid = Grid(VOXELS, affine)
    points = grid.ras_from_ijk(np.stack(np.indices(VOXELS), axis=-1).reshape(-1, 3)).reshape(*VOXELS, 3)
    brain = np.linalg.norm((points - [0, -20, 8]) / [64, 78, 60], axis=-1) < 1
    uneven = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=VOXELS), 1)
    odds = -6 + 0.5 * uneven / uneven.std()
    near = {name: np.linalg.norm(points - place, axis=-1) for name, place in (("spot", SPOT), ("cap", CAP))}
    odds += 4 * np.exp(-0.5 * (near["cap"] / 8) ** 2) + (lesion and 6 * np.exp(-0.5 * (near["spot"] / 8) ** 2))
    lesions = ((near["spot"] < 9) & lesion).astype(np.int16)
    return KnownHead(
        group, subject, "T1w", SearchedHead(np.stack([odds, odds]).astype(np.float32), brain, grid, np.eye(4)), lesions
    )


@pytest.fixture(scope="module")
def norms():
    """Atlas and norms of eight people in both contrasts."""
    heads = [known(contrast, f"p{n}", 2 * n + (contrast == "other")) for n in range(8) for contrast in ("T1w", "other")]
    atlas, found = norms_of(heads, lambda *told: None)
    return atlas, Measured("abc", found, (), {"Norms": "8 healthy people"})


def test_a_lesion_is_counted_as_found_and_what_everybody_has_is_not_counted_as_false(norms):
    atlas, measured = norms
    people = [known("sick T1", "a", 100, lesion=True), known("sick T1", "b", 101, lesion=True), known("well", "c", 102)]
    sick, well = rates_of(people, atlas, measured, {"sick": "lesions", "well": "nobody ill"})
    assert (sick.group, sick.about, sick.scans, sick.lesions) == ("sick T1", "lesions", 2, 2)
    assert sick.found == sick.first == 2 and sick.called == 0  # among eight heads p is 1 / 9 at least
    assert well.lesions == well.found == 0 and well.false <= 4
    assert sum(len(norm.heads) for norm in measured.norms.values()) == 16
    page = report_of(Measured("abc", measured.norms, (sick, well), measured.origin))
    assert "| sick T1 | lesions | 2 | 2 | 2 (1.00) |" in page and "8 healthy people" in page


def test_a_head_is_held_against_the_others_and_not_against_itself(norms):
    """One with something that nobody else has would hide it in an atlas that holds it."""
    heads = [known("T1w", f"p{n}", n, lesion=n == 0) for n in range(5)] + [known("other", f"p{n}", 20 + n) for n in range(5)]
    _, found = norms_of(heads, lambda *told: None)
    scores = [head[0] for head in found["T1w"].heads]
    assert scores[0] > 1.5 * max(scores[1:])


def test_a_head_that_was_kept_is_the_same_head(tmp_path):
    head = known("MS T1", "patient", 5, lesion=True)
    head.save(tmp_path / "head.npz")
    again = KnownHead.load(tmp_path / "head.npz")
    assert (again.group, again.subject, again.contrast) == ("MS T1", "patient", "T1w")
    assert np.abs(again.head.odds - head.head.odds).max() < 0.01 and np.array_equal(again.lesions, head.lesions)
    assert lesions_at(again, tuple(SPOT)) == {1} and lesions_at(again, tuple(CAP)) == set()


def test_norms_of_one_person_are_refused():
    with pytest.raises(InputError, match="at least two healthy people"):
        norms_of([known("T1w", "alone", 0), known("other", "alone", 1)], lambda *told: None)


def test_an_amount_that_is_none_is_refused(tmp_path, capsys):
    assert main(["evaluate-scan", str(tmp_path), "--people", "0", "--output", str(tmp_path / "out")]) == 2
    assert "--people must be at least 1" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_the_page_on_the_search_tells_what_was_measured(checkout):
    page, measured = (checkout / "docs" / "scan.md").read_text(encoding="utf-8"), Measured.load()
    rows = [line for line in report_of(measured).splitlines() if line.startswith("|")]
    assert len(rows) > 6 and all(row in page for row in rows)
