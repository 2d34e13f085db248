"""Follow-up of one region over several visits, from the scans to the slope."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import SimpleITK
from bench.dicom_series import write_dicom_series
from bench.later_scan import motion, seen_again
from bench.phantom import make_head

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.acquisition_date import visit_date
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.imaging.registration import rigid_motion
from RadiomicsPersonaLib.imaging.scan import make_scan
from RadiomicsPersonaLib.longitudinal.visits import carried, lesion_ml, visit_times
from RadiomicsPersonaLib.metrics.deviation_map import deviation_of, deviation_p
from RadiomicsPersonaLib.reconstruction.reconstruction import Reconstruction

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

CENTER = np.array([34.0, -10, 14])
OBLIQUE = np.array([[0.1, -2.9, 0.3, 105], [-2.8, -0.1, 0.6, 120], [0.5, 0.35, 3.4, -100], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def head():
    return make_head(3.0)


def test_a_box_follows_the_head_whatever_grid_and_contrast_the_later_scan_has(head):
    moved = motion((6, -5, 12), (9, -6, 14))
    later = seen_again(head, moved, OBLIQUE, values=np.where(head.array > 50, 900 - head.array, 0))
    boxes = [Box(CENTER, [24, 28, 22]), Box([-30, 30, 30], [20, 20, 20], np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]))]
    here, found, notes = carried(boxes, head, later)
    for box, before in zip(here, boxes):
        assert np.abs(box.corners - (before.corners @ moved[:3, :3].T + moved[:3, 3])).max() < 0.5
        assert np.allclose(box.size, before.size)
    assert found.degrees == pytest.approx(np.degrees(np.arccos((np.trace(moved[:3, :3]) - 1) / 2)), abs=0.3)
    assert not notes
    assert np.allclose(rigid_motion(head, later).matrix, found.matrix, atol=1e-6), "the same scans give the same motion"


def test_what_is_no_scan_of_the_same_head_is_told_or_noted(head):
    noise = make_scan(np.random.default_rng(0).normal(100, 10, (40, 40, 40)), np.diag([4.0, 4, 4, 1]), "noise")
    try:
        notes = carried([Box(CENTER, [20, 20, 20])], head, noise)[2]
    except InputError as error:
        notes = (str(error),)
    assert "check that both are" in notes[0]


def test_growth_beyond_the_box_counts_and_other_lesions_do_not():
    mask = np.zeros((40, 40, 40), bool)
    mask[5:25, 10:14, 10:14] = True
    mask[30:35, 30:35, 30:35] = True
    assert lesion_ml(mask, np.diag([2.0, 1, 1, 1]), Box([16, 12, 12], [12, 10, 10])) == pytest.approx(2 * 20 * 16 / 1000)
    assert lesion_ml(mask, np.diag([2.0, 1, 1, 1]), Box([16, 30, 12], [12, 10, 10])) == 0


def test_dates_and_years_become_years_since_the_earliest():
    assert [time.years for time in visit_times(["2021-07-02", "2020-01-01"])] == pytest.approx([1.5, 0], abs=2e-3)
    assert [time.years for time in visit_times(["3", "1", "1.5"])] == [2, 0, 0.5]


def test_a_scan_tells_its_date_by_its_dicom_header_or_the_files_beside_it(tmp_path):
    image = SimpleITK.GetImageFromArray(np.random.default_rng(0).integers(1, 99, (4, 5, 6)).astype(np.int16))
    write_dicom_series(
        image, tmp_path / "series", "1.2.826.0.1.3680043.2.1125.1", {"0008|0020": "20240101", "0008|0022": "20240229"}
    )
    assert visit_date(tmp_path / "series") == "2024-02-29"
    session = tmp_path / "sub-1" / "anat"
    session.mkdir(parents=True)
    files = {name: session / f"{name}.nii.gz" for name in ("a", "b", "c", "d", "e")}
    for file in files.values():
        file.touch()
    (session / "a.json").write_text('{"StudyDate": "20200102", "AcquisitionDateTime": "2020-01-03T10:00:00.1"}')
    (session.parent / "sub-1_scans.tsv").write_text(
        "filename\tacq_time\nanat/b.nii.gz\t2021-05-06T07:08:09\nanat/e.nii.gz\tn/a\n"
    )
    (session / "dates.csv").write_text("scan;date\nc.nii.gz;2022-03-04\n")
    (session / "d.json").write_text("{broken")
    found = {name: visit_date(file) for name, file in files.items()}
    assert found == {"a": "2020-01-03", "b": "2021-05-06", "c": "2022-03-04", "d": None, "e": None}


def test_dates_need_not_be_given_where_the_scans_tell_them(head, tmp_path, capsys):
    scans = [str(tmp_path / f"scan{number}.nii.gz") for number in (1, 2)]
    for path in scans:
        write_nifti(path, head.array, head.affine)
    (tmp_path / "scan1.json").write_text('{"AcquisitionDate": "20200101"}')
    words = [
        "follow",
        *scans,
        "--box",
        "34,-10,14,24,24,24",
        "--output",
        str(tmp_path / "out"),
        "--",
        "--model",
        "harmonic",
        "--controls",
        "0",
    ]
    assert main(words) == 2
    assert capsys.readouterr().err.endswith(
        "'scan2.nii.gz' does not tell when it was taken: give --dates with a date or a number of years for each scan.\n"
    )
    (tmp_path / "scan2.json").write_text('{"AcquisitionDate": "20210701"}')
    assert main(words) == 0
    with open(tmp_path / "out" / "visits.csv", newline="", encoding="utf-8") as stream:
        assert [(row["date"], float(row["years"])) for row in csv.DictReader(stream)] == [
            ("2020-01-01", 0),
            ("2021-07-01", pytest.approx(1.497, abs=2e-3)),
        ]


def test_a_growing_lesion_is_followed_through_two_visits_into_a_slope(head, tmp_path, capsys):
    """From scans of a head that moved, and masks, to growth per year."""
    points = head.ras_from_ijk(np.moveaxis(np.indices(head.shape), 0, -1))
    scans, masks, moved = [], [], motion((5, -3, 8), (6, -4, 10))
    for number, (radius, matrix) in enumerate([(8, np.eye(4)), (11, moved)]):
        lesion = np.linalg.norm(points - CENTER, axis=-1) < radius
        sick = seen_again(head, matrix, values=np.where(lesion, 0.25 * head.array, head.array))
        mask = seen_again(head, matrix, order=0, values=lesion.astype(np.float32))
        scans.append(str(tmp_path / f"scan{number}.nii.gz"))
        masks.append(str(tmp_path / f"mask{number}.nii.gz"))
        write_nifti(scans[-1], sick.array, sick.affine)
        write_nifti(masks[-1], mask.array.astype(np.uint8), mask.affine)
    words = ["follow", *scans, "--dates", "2020-01-01", "2021-07-02", "--masks", *masks, "--box", "34,-10,14,28,28,28"]
    assert (
        main([*words, "--patient", "Q7", "--output", str(tmp_path / "out"), "--", "--model", "harmonic", "--controls", "5"])
        == 0
    )
    told = capsys.readouterr().out
    with open(tmp_path / "out" / "visits.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["visit"] for row in rows] == ["visit 1", "visit 2"] and rows[0]["patient"] == "Q7"
    volumes = [float(row["volume_ml"]) for row in rows]
    assert volumes == pytest.approx([4 / 3 * np.pi * radius**3 / 1000 for radius in (8, 11)], rel=0.08)
    assert all(float(row["deviating_ml"]) > 0.3 * volume for row, volume in zip(rows, volumes))
    where = np.array([[float(row[f"center_{axis}"]) for axis in "ras"] for row in rows])
    assert np.linalg.norm(where[1] - (moved[:3, :3] @ CENTER + moved[:3, 3])) < 1
    assert (tmp_path / "out" / "visit-2" / "results.json").is_file()
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for row in rows:
        low, high = (float(row[f"usual_{end}_ml"]) for end in ("low", "high"))
        assert 0 <= low < high < float(row["deviating_ml"]) < 28**3 / 1000, "a lesion has more than what is usual"
        assert (
            f"unusual {float(row['deviating_ml']):.3f} ml (in 95 % of the control regions {low:.3f} to {high:.3f} ml)" in told
        )
    assert page.count("(usual ") == 2 and page.count("<img") == 2 and ">Q7" not in page and "2021" not in page
    assert (
        main(["regress", str(tmp_path / "out" / "visits.csv"), "--outcome", "volume_ml", "--output", str(tmp_path / "slope")])
        == 0
    )
    with open(tmp_path / "slope" / "patients.csv", newline="", encoding="utf-8") as stream:
        (slope,) = csv.DictReader(stream)
    assert float(slope["slope"]) == pytest.approx((volumes[1] - volumes[0]) / 1.5, rel=0.01)


def test_a_box_that_is_a_control_itself_has_what_is_usual():
    """The shares of controls are counted as the box's own are: of boxes that are all alike about as much deviates in each."""
    random = np.random.default_rng(0)
    scan = make_scan(random.normal(100, 10, (60, 60, 60)), np.eye(4), "noise")
    centers = [[x, y, z] for x in (10, 28, 46) for y in (10, 28, 46) for z in (10, 46)]
    boxes = [Box(center, [12, 12, 12]) for center in centers]
    holes = [hole_of_box(scan, box) for box in boxes]
    alike = [Reconstruction(hole, np.full(hole.mask.shape, 100.0), 1.0) for hole in holes]
    p, shares = deviation_of(scan, alike[0], alike[1:], 0.05)
    assert np.array_equal(p, deviation_p(scan, alike[0], alike[1:]))
    assert shares.shape == (len(boxes) - 1,) and shares.mean() == pytest.approx(0.05, abs=0.01)
    own = float((deviation_p(scan, alike[1], alike[2:])[alike[1].hole.mask] <= 0.05).mean())
    assert shares[0] == pytest.approx(own, abs=1e-9), "a control held against the others is as a box held against them"


@pytest.mark.parametrize(
    "scans, dates, more, sentence",
    [
        (1, ["2020-01-01"], [], "There is one scan only"),
        (2, ["2020-01-01"], [], "2 scans and 1 dates"),
        (2, ["2020-01-01", "soon"], [], "cannot be read: write all as 2026-03-31"),
        (2, ["2020-01-01", "2020-01-01"], [], "must differ from one another"),
        (2, ["0", "1"], ["--masks", "one.nii.gz"], "2 scans and 1 masks"),
        (2, ["0", "1"], ["--", "--modle", "harmonic"], "--modle"),
    ],
)
def test_what_cannot_be_followed_is_told_in_one_sentence(scans, dates, more, sentence, head, tmp_path, capsys):
    write_nifti(tmp_path / "scan.nii.gz", head.array, head.affine)
    words = [
        "follow",
        *[str(tmp_path / "scan.nii.gz")] * scans,
        "--dates",
        *dates,
        "--box",
        "34,-10,14,20,20,20",
        "--output",
        str(tmp_path / "out"),
    ]
    assert main([*words, *more]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1 and not (tmp_path / "out").exists()
