"""Sensitivity in this patient: strong lesions are found, vanishing ones are not,
and each verdict is the one that an analysis gives.
"""

from __future__ import annotations

import csv
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from bench.painted_scan import DEEP_WHITE, contrast_scan
from PIL import Image

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.imaging.files import read_scan, write_nifti
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.lesions.outline import outline
from RadiomicsPersonaLib.lesions.sensitivity import box_around, sensitivity, usual_outlines
from RadiomicsPersonaLib.lesions.sensitivity_curve import curve_picture, curve_svg
from RadiomicsPersonaLib.lesions.sensitivity_report import sentences_of
from RadiomicsPersonaLib.report.colors import FOUND_COLORS

pytestmark = pytest.mark.slow

PLACE = ",".join(f"{value:g}" for value in DEEP_WHITE)


@pytest.fixture(scope="module")
def scan_file(tmp_path_factory):
    scan = contrast_scan("T1")[0]
    path = tmp_path_factory.mktemp("a patient") / "patient T1.nii.gz"
    write_nifti(path, scan.array, scan.affine)
    return path


@pytest.fixture(scope="module")
def curve(scan_file, tmp_path_factory):
    """The command's exit code and folder, for one size and two strengths, with few healthy boxes."""
    folder = tmp_path_factory.mktemp("curve") / "out"
    words = ["--sizes", "1.5", "--strengths", "0.05,2", "--controls", "19", "--model", "harmonic"]
    return main(["sensitivity", str(scan_file), "--place", PLACE, "--kind", "ms", *words, "--output", str(folder)]), folder


def test_a_strong_lesion_is_found_and_a_vanishing_one_is_not(curve):
    code, folder = curve
    assert code == 0
    with open(folder / "sensitivity.csv", encoding="utf-8", newline="") as stream:
        rows = sorted(csv.DictReader(stream), key=lambda row: float(row["strength"]))
    assert len(rows) == 3  # and one half way between what was missed and what was found
    assert [float(row["strength"]) for row in rows] == pytest.approx([0.05, np.sqrt(0.1), 2], abs=1e-3)
    assert (rows[0]["word"], rows[-1]["word"]) in {("not found", "found"), ("undetermined", "found")}
    assert float(rows[-1]["p"]) <= 0.05 < float(rows[0]["p"])
    contrasts = [float(row["contrast_sd"]) for row in rows]
    assert contrasts == sorted(contrasts) and contrasts[-1] > 1 > contrasts[0]
    assert all(1.1 < float(row["size_ml"]) < 1.9 for row in rows)


def test_the_verdict_is_that_of_an_analysis_of_the_painted_scan(curve):
    _, folder = curve
    record = json.loads((folder / "sensitivity.json").read_text(encoding="utf-8"))
    painted = read_scan(folder / "example.nii.gz")
    scan, prepared, model = contrast_scan("T1")
    hole = outline("ms", scan, prepared.tissue, DEEP_WHITE, 1.5, np.random.default_rng((0, 1000)))
    box = box_around(scan, hole)
    assert record["sizes"][0]["box_mm"] == pytest.approx(box.size.tolist())
    result = analyze(painted, [box], model, 19, seed=0).boxes[0]
    least = min((t for t in record["trials"] if t["label"] == 1), key=lambda t: t["strength"])
    assert (result.p, result.label) == (least["p"], least["label"])
    assert result.combined == pytest.approx(least["combined"], rel=0.1, abs=0.2)


def test_the_page_says_what_the_curve_cannot_show_and_names_nobody(curve):
    _, folder = curve
    page = (folder / "sensitivity.html").read_text(encoding="utf-8")
    assert "These lesions are painted, not real" in page and "Research use only, not a medical device." in page
    assert "patient T1" not in page and "a patient" not in page
    with Image.open(folder / "sensitivity.png") as figure:
        orange = (np.asarray(figure.convert("RGB")).astype(int) - (230, 97, 1) == 0).all(axis=-1)
    assert orange.sum() > 50
    assert page.count(" SD: found</title>") >= 1 and len(re.findall(r" SD: [a-z ]+</title>", page)) == 3
    assert page.count("data:image/png") == 1, "scan, painted and outline are one picture; the curve is drawn in the page"


def test_the_curve_is_the_same_on_page_and_picture():
    """Every mark of the page lies where the picture has its colour."""
    trials = [
        SimpleNamespace(diameter_mm=size, contrast_sd=contrast, word=word)
        for size, contrast, word in ((5.0, 1.3, "found"), (5.0, 0.4, "not found"), (17.0, 0.8, "undetermined"))
    ]
    size = SimpleNamespace(diameter_mm=5.0, size_ml=0.065, least_contrast_sd=1.3, missed_contrast_sd=0.4)
    result = SimpleNamespace(kind="ms", contrast="T1", place=(1.0, 2.0, 3.0), trials=trials, sizes=[size])
    page, picture = curve_svg(result), np.asarray(curve_picture(result)).astype(int)
    assert "5.0 mm" in page and "0.065 ml" in page and "Contrast (tissue SD)" in page
    places = {
        "found": re.search(r"SD: found</title><circle cx='([\d.]+)' cy='([\d.]+)'", page),
        "not found": re.search(r"SD: not found</title><circle cx='([\d.]+)' cy='([\d.]+)'", page),
        "undetermined": re.search(r"SD: undetermined</title><path d='M([\d.]+) ([\d.]+)", page),
    }
    for word, found in places.items():
        x, y = (2 * float(number) for number in found.groups())
        around = picture[int(y) + 68 - 16 : int(y) + 68 + 17, int(x) - 16 : int(x) + 17]
        assert (np.abs(around - FOUND_COLORS[word]).max(axis=-1) < 12).sum() > 40, word


def test_progress_reaches_its_end_and_can_cancel():
    scan, prepared, model = contrast_scan("T1")
    seen = []

    class Enough(Exception):
        pass

    def progress(done, total, what):
        seen.append((done, total))
        if done > 3:
            raise Enough

    with pytest.raises(Enough):
        sensitivity(
            scan,
            DEEP_WHITE,
            "ms",
            model,
            sizes_ml=(1.0,),
            strengths=(1.0,),
            progress=progress,
            prepare=lambda scan, suspects: prepared,
        )
    assert [done for done, _ in seen] == sorted(done for done, _ in seen) and len({total for _, total in seen}) == 1


def test_usual_sizes_that_do_not_fit_are_left_out_with_a_note():
    """At the lower end of the brain stem there is room for small ones only."""
    scan, prepared, _ = contrast_scan("T1")
    holes, notes = usual_outlines(scan, prepared, "stroke", np.array([0.0, -38.0, -62.0]), None, 0)
    assert [ml for ml, _ in holes] == [0.5, 2.0]
    assert [note.split(".")[0] for note in notes] == ["A lesion of 8 ml was left out", "A lesion of 25 ml was left out"]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"--kind": "flu"}, "There is no kind of lesion 'flu': choose fcd, ms, stroke or tumour."),
        ({"--place": "26,-32"}, "The place '26,-32' cannot be read: give three numbers in RAS mm, as in 30,-26,26."),
        ({"--place": "300,0,0"}, "The place (300, 0, 0) lies outside the scan"),
        ({"--place": "-88,-120,-70"}, "does not lie in grey or white matter: give a place in the brain"),
        (
            {"--place": "20,-96,0", "--sizes": "60"},
            "A lesion of 60 ml does not fit into the tissue at (20, -96, 0): give a smaller size",
        ),
        ({"--sizes": "0"}, "A lesion cannot measure 0 ml"),
        ({"--strengths": "strong"}, "--strengths 'strong' cannot be read: give numbers separated by commas, as in 0.5,1,2."),
        ({"--strengths": "9"}, "A strength is a number from 0.05 to 2; 1 is a usual lesion."),
        ({"--contrast": "SWI"}, "There is no contrast 'SWI': choose T1, T1 post, T2 or FLAIR."),
        ({"--seed": "-1"}, "The seed is -1: give 0 or a positive whole number."),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_nothing(scan_file, tmp_path, capsys, changed, sentence):
    options = {"--place": PLACE, "--kind": "ms", "--model": "harmonic"} | changed
    words = [word for pair in options.items() for word in pair]
    assert main(["sensitivity", str(scan_file), *words, "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_painting_writes_image_mask_and_what_was_painted(scan_file, tmp_path):
    words = ["--size", "2", "--strength", "1.5", "--model", "harmonic", "--output", str(tmp_path / "out")]
    assert main(["paint", str(scan_file), "--place", PLACE, "--kind", "ms", *words]) == 0
    scan: Scan = read_scan(scan_file)
    painted, mask = read_scan(tmp_path / "out" / "painted.nii.gz"), read_scan(tmp_path / "out" / "lesion.nii.gz")
    told = json.loads((tmp_path / "out" / "painted.json").read_text(encoding="utf-8"))
    assert told["contrast"] == "T1" and told["size_ml"] == pytest.approx(mask.array.sum() * 0.008)
    inside = mask.array > 0
    assert 0.2 * scan.array[inside].std() < (scan.array - painted.array)[inside].mean()
    assert (painted.array != scan.array).sum() < 4 * inside.sum()


def test_where_no_verdict_was_reached_nothing_is_said_to_be_missed():
    """With too few healthy boxes every lesion is undetermined: that is no miss."""
    trials = [SimpleNamespace(asked_ml=ml, label=label) for ml, label in ((1.0, None), (1.0, None), (4.0, None), (4.0, 0))]
    sizes = [
        SimpleNamespace(asked_ml=ml, size_ml=ml, diameter_mm=10.0, least_contrast_sd=None, missed_contrast_sd=2.0)
        for ml in (1.0, 4.0)
    ]
    said = list(sentences_of(SimpleNamespace(trials=trials, sizes=sizes)))
    assert said == [
        "Of 10.0 mm (1 ml) nothing can be told: no verdict was reached there.",
        "Of 10.0 mm (4 ml) nothing was found, up to 2.00 SD of contrast.",
    ]
