"""What stands out in a whole head is listed first, what stands out in every healthy head is not, and the misses are told."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from bench import SMALL_MODELS
from bench.bright_lesion import CENTER, RADIUS, head_with_bright_lesion
from bench.painted_scan import template
from bench.phantom import make_head
from scipy import ndimage

from RadiomicsPersonaLib.analysis.head_norms import HeadAtlas, HeadNorms, Measured, SearchRates
from RadiomicsPersonaLib.analysis.head_search import (
    MOST_PLACES,
    SearchedHead,
    peaks_of,
    ranked,
    search_head,
)
from RadiomicsPersonaLib.brain.average_brain import AFFINE, SHAPE
from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.commands.registry import ANALYSIS
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.markups import read_boxes
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.imaging.grid import Grid
from RadiomicsPersonaLib.imaging.scan import make_scan
from RadiomicsPersonaLib.networks.head_model import LesionModel

VOXELS = (38, 45, 36)
SPOT, CAP = np.array([24.0, -30.0, 20.0]), np.array([-20.0, 20.0, 10.0])
"""Places, RAS millimetres: of a lesion, and of what the lesion model favours in every head."""
HEALTHY = HeadNorms(tuple((round(0.8 + 0.02 * number, 2), 0.7, 0.6) for number in range(20)))
EVEN = HeadAtlas(np.full((2, *SHAPE), -6, np.float32), np.ones((2, *SHAPE), np.float32), np.array([4.0, 4.0]))


@pytest.fixture
def phantom_models(monkeypatch):
    """Models that know phantoms only, for one test: others here need the shipped ones."""
    monkeypatch.setenv("RADIOMICS_PERSONA_MODELS", str(SMALL_MODELS))


def head(*bumps: tuple[np.ndarray, float], seed: int = 0) -> SearchedHead:
    """Uneven log odds in an ellipsoid, and bumps of so many log odds at places; its space is the standard one."""
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = (-74, -108, -62)
    grid = Grid(VOXELS, affine)
    points = grid.ras_from_ijk(np.stack(np.indices(VOXELS), axis=-1).reshape(-1, 3)).reshape(*VOXELS, 3)
    brain = np.linalg.norm((points - [0, -20, 8]) / [66, 80, 62], axis=-1) < 1
    uneven = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=VOXELS), 1.2)
    odds = -6 + 0.5 * uneven / uneven.std()
    for place, height in bumps:
        odds += height * np.exp(-0.5 * (np.linalg.norm(points - place, axis=-1) / 6) ** 2)
    return SearchedHead(np.stack([odds, odds]).astype(np.float32), brain, grid, np.eye(4))


def test_a_lesion_is_the_first_place_with_a_box_around_it_and_a_healthy_head_has_none():
    places = ranked(peaks_of(head((SPOT, 6.0)), EVEN), HEALTHY)
    assert np.linalg.norm(places[0].point - SPOT) < 4 and places[0].p == 1 / 21 and places[0].false_per_head == 0
    assert places[0].box.contains(SPOT) and (places[0].box.size < 34).all()
    scores = [place.score for place in places]
    assert scores == sorted(scores, reverse=True) and len(places) <= MOST_PLACES
    norms = HeadNorms(tuple(tuple(peak.score for peak in peaks_of(head(seed=seed), EVEN)) for seed in range(1, 6)))
    assert len(ranked(peaks_of(head(), EVEN), norms)) <= 3


def test_two_tops_of_one_lesion_are_one_place():
    middle = SPOT + [8, 0, 0]
    peaks = peaks_of(head((SPOT, 6.0), (SPOT + [16, 0, 0], 6.0)), EVEN)
    assert sum(np.linalg.norm(peak.point - middle) < 16 for peak in peaks) == 1
    assert peaks[0].box.contains(SPOT) and peaks[0].box.contains(SPOT + [16, 0, 0])


def test_what_stands_out_at_the_same_place_of_healthy_heads_is_not_listed():
    points = np.stack(np.indices(SHAPE), axis=-1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    usual = 5 * np.exp(-0.5 * (np.linalg.norm(points - CAP, axis=-1) / 6) ** 2)
    knowing = replace(EVEN, middle=(EVEN.middle + usual).astype(np.float32))
    searched = head((CAP, 5.0), (SPOT, 5.0))

    def near(places, place) -> list[bool]:
        return [bool(np.linalg.norm(np.subtract(found.point, place)) < 6) for found in places]

    assert any(near(peaks_of(searched, EVEN)[:2], CAP))
    known = peaks_of(searched, knowing)
    assert near(known, SPOT)[0] and not any(near(ranked(known, HEALTHY), CAP))


def test_places_of_equal_standing_keep_one_order_and_no_more_than_ten_are_listed():
    bumps = [(np.array([r, a, s], float), 5.0) for r in (-40, -10, 20) for a in (-60, -25, 10) for s in (-5, 30)]
    peaks = peaks_of(head(*bumps), EVEN)
    assert len(peaks) == MOST_PLACES and [p.score for p in peaks] == sorted((p.score for p in peaks), reverse=True)
    assert peaks_of(head(*bumps[::-1]), EVEN)[0].point == peaks[0].point


def test_norms_and_rates_are_read_as_they_were_written_and_a_damaged_file_is_refused(tmp_path):
    rates = SearchRates("MS FLAIR", "MS lesions", 2, 30, 12, 2, 6, 3, 1)
    measured = Measured("abc", {"T1w": HEALTHY, "other": HeadNorms(((1.5,), ()))}, (rates,), {"Date": "2026-11-30"})
    (tmp_path / "norms.json").write_text(measured.text(), encoding="utf-8")
    assert Measured.load(tmp_path / "norms.json") == measured
    assert (
        rates.in_words == "MS FLAIR, MS lesions: 12 of 30 were listed, 2 of them first, with 1.5 false places a head (2 scans)."
    )
    more = (rates, replace(rates, group="MS T1", found=3), SearchRates("IXI", "healthy adults", 4, 0, 0, 0, 0, 6, 1))
    assert replace(measured, rates=more).in_words == (
        "Measured: listed were 15 of 60 MS lesions (each contrast counts); healthy people had 1.5 places a head, all of them "
        "false."
    )
    EVEN.save(tmp_path / "atlas.npz")
    loaded = HeadAtlas.load(tmp_path / "atlas.npz")
    assert np.array_equal(loaded.middle, EVEN.middle) and np.array_equal(loaded.usual, EVEN.usual)
    (tmp_path / "norms.json").write_text('{"norms": {}}')
    (tmp_path / "atlas.npz").write_bytes(b"no atlas")
    for read, name in ((Measured.load, "norms.json"), (HeadAtlas.load, "atlas.npz")):
        with pytest.raises(InputError, match=f"'{name}' cannot be read"):
            read(tmp_path / name)


@pytest.mark.usefixtures("phantom_models")
def test_one_thread_and_two_list_the_same_places(monkeypatch):
    monkeypatch.delenv("RADIOMICS_PERSONA_CACHE")
    calm, keen = HeadNorms(20 * ((0.4,),)), replace(EVEN, usual=np.array([0.05, 0.05]))
    own = Measured(LesionModel.installed().card["sha256"], {"T1w": calm, "other": calm}, (), {})
    found, threads = [], torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(search_head(prepare(make_head(2.0)), keen, own))
    finally:
        torch.set_num_threads(threads)
    assert found[0].refusal is None and found[0].people == 20
    told = [[(place.p, place.score, place.point, place.box.size.tolist()) for place in search.places] for search in found]
    assert told[0] == told[1] and told[0]


@pytest.mark.usefixtures("phantom_models")
def test_a_lesion_model_that_healthy_heads_were_not_searched_with_lists_nothing():
    refusal = search_head(
        prepare(make_head(2.0)), EVEN, Measured("another", {"T1w": HEALTHY, "other": HEALTHY}, (), {})
    ).refusal
    assert "no healthy heads were searched with the lesion model 'small-lesion'" in refusal


def test_what_is_no_brain_lists_nothing_and_says_why(tmp_path, capsys):
    affine = np.array([[2.0, 0, 0, -90], [0, 2, 0, -110], [0, 0, 2, -80], [0, 0, 0, 1]])
    index = np.stack(np.indices((90, 110, 90)), axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    ball = np.where(np.linalg.norm(index / [70, 85, 65], axis=-1) < 1, 500, 0) + np.random.default_rng(0).normal(
        0, 10, (90, 110, 90)
    )
    write_nifti(tmp_path / "ball.nii.gz", make_scan(ball, affine).array, affine)
    assert main(["scan", str(tmp_path / "ball.nii.gz"), "--output", str(tmp_path / "out")]) == 0
    assert "Nothing is listed: " in capsys.readouterr().out
    told = json.loads((tmp_path / "out" / "places.json").read_text(encoding="utf-8"))
    assert told["places"] == [] and "check that this is a whole MRI of a brain" in told["refusal"]
    assert (tmp_path / "out" / "places.csv").read_text().startswith("rank,p,false_per_head")

    def cancel(done, total, what):
        if done == total - 1:
            raise KeyboardInterrupt

    options = ANALYSIS.options_of(["scan", str(tmp_path / "ball.nii.gz"), "--output", str(tmp_path / "cancelled")])
    with pytest.raises(KeyboardInterrupt):
        ANALYSIS.run(options, Job(cancel))
    assert not (tmp_path / "cancelled").exists()


def test_a_painted_lesion_is_first_with_a_box_that_can_be_judged_and_the_misses_are_told(tmp_path, capsys):
    scan, lesion = head_with_bright_lesion()
    write_nifti(tmp_path / "head.nii.gz", scan.array, scan.affine)
    output = tmp_path / "out"
    (output / "boxes").mkdir(parents=True)
    (output / "boxes" / "place-9.mrk.json").write_text("of an earlier search")
    assert main(["scan", str(tmp_path / "head.nii.gz"), "--output", str(output)]) == 0
    told = json.loads((output / "places.json").read_text(encoding="utf-8"))
    first, printed = told["places"][0], capsys.readouterr().out
    assert first["rank"] == 1 and first["p"] == min(place["p"] for place in told["places"]) <= 0.05
    [box] = read_boxes(output / first["file"])
    assert np.abs(box.center - CENTER).max() < 6 and box.contains(CENTER)
    assert (box.size > RADIUS).all() and (box.size < 3.5 * RADIUS).all()
    assert np.allclose([float(value) for value in first["box"].split(",")], [*box.center, *box.size], atol=0.06)
    assert len(list((output / "boxes").iterdir())) == len(told["places"]) and (output / "places.png").stat().st_size > 10_000
    measured = Measured.load()
    assert measured.in_words in printed and measured.in_words in told["misses"]
    assert len(told["measured"]) == len(measured.rates) > 6


def test_a_healthy_head_lists_few_places():
    search = search_head(prepare(template()))
    assert search.refusal is None and len(search.places) <= 3
    assert "listed" in search.in_words and all(place.false_per_head <= 1 for place in search.places)


def test_the_help_says_what_is_missed(capsys):
    with pytest.raises(SystemExit):
        main(["scan", "--help"])
    told = capsys.readouterr().out
    measured = Measured.load()
    assert "most small and faint lesions are missed" in told and "docs/scan.md has the figures" in told
    assert not any(rates.in_words in told for rates in measured.rates), "figures make a help that nobody reads"
