"""Pictures show the patient as radiologists do, and the report says everything in words."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shutil
import subprocess
import zlib
from html.parser import HTMLParser

import nibabel
import numpy as np
import pytest
from bench.blurred_analysis import blurred_analysis
from bench.pdf_pages import bottoms_of, pages_of, pictures_of
from PIL import Image, ImageDraw

from RadiomicsPersonaLib.analysis import error_rates
from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.analysis.result import StabilityTrial
from RadiomicsPersonaLib.analysis.verdict import Decision
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.lesions.lesion_picture import HEADS, OUTLINE, before_and_after, panels_of, slices_of
from RadiomicsPersonaLib.metrics.metric import METRICS
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
from RadiomicsPersonaLib.report import lettering, pdf_report
from RadiomicsPersonaLib.report.colors import CONTROL_COLOR, VERDICT_COLORS, diverging
from RadiomicsPersonaLib.report.html_page import number_text
from RadiomicsPersonaLib.report.html_report import LIMITS, READING, checklist_of, report_of, write_report
from RadiomicsPersonaLib.report.lettering import write_text
from RadiomicsPersonaLib.report.pdf import DRAWN, printable, text_width
from RadiomicsPersonaLib.report.pdf_report import write_report_pdf
from RadiomicsPersonaLib.report.picture import (
    BACKGROUND,
    GAP,
    PANEL,
    TEXT,
    WIDTH,
    _bars,
    display_window,
    picture_of,
    slice_row,
    slice_triplet,
)
from RadiomicsPersonaLib.report.plots import (
    SCORES_CAPTION,
    SCORES_TITLE,
    axis_range,
    score_bars,
    score_chart,
    standard_text,
    ticks,
)
from RadiomicsPersonaLib.report.provenance import NAMES, settings_of
from RadiomicsPersonaLib.report.results_files import read_analysis
from RadiomicsPersonaLib.report.results_form import wrong_place
from RadiomicsPersonaLib.report.slice_plane import Plane, coordinate, cut, cut_hole, outline, planes_around, planes_of_scan

pytestmark = pytest.mark.usefixtures("small_models")


def random_axes(random: np.random.Generator) -> np.ndarray:
    axes, _ = np.linalg.qr(random.normal(size=(3, 3)))
    return axes * [np.sign(np.linalg.det(axes)), 1, 1]


def blob(affine: np.ndarray, shape, point) -> Scan:
    """A bright blob of 6 mm at a RAS point."""
    scan = Scan(np.zeros(shape, np.float32), affine)
    distance = np.linalg.norm(scan.ras_from_ijk(np.indices(shape).reshape(3, -1).T) - point, axis=1).reshape(shape)
    return Scan(np.exp(-((distance / 6) ** 2)).astype(np.float32), affine)


def oblique_psr() -> np.ndarray:
    """Axes nearly posterior, superior, right, turned by 20 degrees; 1 x 2 x 3 mm; 0 0 0 in the middle of 80 x 50 x 40."""
    turn = np.deg2rad(20)
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.array([[0, 0, 1], [-1, 0, 0], [0, 1, 0]]) * [1, 2, 3]
    affine[:3, 3] = -affine[:3, :3] @ [39.5, 24.5, 19.5]
    return affine


@pytest.fixture(scope="module")
def analysis(synthetic_head):
    boxes = [
        Box([-30, 10, 20], [30, 24, 20], random_axes(np.random.default_rng(1)), "links <vorn> é"),
        Box([30, -20, 30], [20, 20, 20], name="rechts"),
        Box([0, 60, 40], [20, 20, 20], name="vorn"),
    ]
    return blurred_analysis(dataclasses.replace(synthetic_head, name="Kopf & <Hals>"), boxes)


@pytest.fixture(scope="module")
def report(analysis) -> str:
    return report_of(analysis)


@pytest.mark.parametrize(
    "point, orientation, right_of_middle, below_middle",
    [
        ((-20, 0, 0), "axial", 1, 0),  # the patient's left is on the picture's right
        ((-20, 0, 0), "coronal", 1, 0),
        ((0, 20, 0), "axial", 0, -1),  # anterior is up
        ((0, 20, 0), "sagittal", -1, 0),  # anterior is left
        ((0, 0, 20), "coronal", 0, -1),  # superior is up
        ((0, 0, 20), "sagittal", 0, -1),
    ],
)
def test_a_bright_spot_lies_on_the_radiological_side_whatever_the_scans_axes(point, orientation, right_of_middle, below_middle):
    for affine in (
        oblique_psr(),
        oblique_psr() @ np.diag([1, -1, 1, 1]) @ np.array([[1, 0, 0, 0], [0, 1, 0, -49], [0, 0, 1, 0], [0, 0, 0, 1]]),
    ):
        scan = blob(affine, (80, 50, 40), np.array(point))
        picture = cut(scan.array, scan.affine, Plane(orientation, np.zeros(3), 80.0, 80), outside=0)
        row, column = np.unravel_index(picture.argmax(), picture.shape)
        assert abs((column - 39.5) - 20 * right_of_middle) <= 2
        assert abs((row - 39.5) - 20 * below_middle) <= 2


def test_slices_equal_the_canonical_array_of_nibabel_voxel_by_voxel():
    random = np.random.default_rng(0)
    image = nibabel.Nifti1Image(
        random.random((30, 30, 30), np.float32), np.array([[0, 0, 2.0, 3], [-2, 0, 0, 5], [0, 2, 0, 7], [0, 0, 0, 1]])
    )
    canonical = nibabel.as_closest_canonical(image)
    values, affine = canonical.get_fdata(), canonical.affine
    middle = (affine @ [14.5, 14.5, 14.5, 1])[:3]
    expected = {
        "axial": values[::-1, ::-1, 12].T,
        "coronal": values[::-1, 12, ::-1].T,
        "sagittal": values[12, ::-1, ::-1].T,
    }
    for orientation, axis in (("axial", 2), ("coronal", 1), ("sagittal", 0)):
        center = middle.copy()
        center[axis] = affine[axis, 3] + 2.0 * 12
        picture = cut(np.asarray(image.dataobj), image.affine, Plane(orientation, center, 60.0, 30), outside=-1)
        np.testing.assert_allclose(picture, expected[orientation], atol=1e-6)


def test_beyond_the_scan_there_is_the_outside_value():
    scan = blob(np.eye(4), (10, 10, 10), np.array([5, 5, 5]))
    picture = cut(scan.array, scan.affine, Plane("axial", np.array([4.5, 4.5, 5.0]), 20.0, 20), outside=-7)
    assert (picture[5:15, 5:15] >= 0).all()
    assert (picture == -7).sum() == 300


@pytest.mark.parametrize("orientation", ["axial", "coronal", "sagittal"])
def test_the_outline_goes_around_exactly_the_points_inside_the_rotated_box(orientation):
    from skimage.draw import polygon2mask

    random = np.random.default_rng(2)
    for _ in range(5):
        box = Box(random.uniform(-20, 20, 3), random.uniform(10, 40, 3), random_axes(random))
        plane = Plane(orientation, box.center, 80.0, 160)
        corners = outline(box, plane)
        inside = polygon2mask((160, 160), corners[:, ::-1] - 0.5)
        assert np.mean(inside != box.contains(plane.points)) < 0.005
    assert len(outline(box, Plane(orientation, box.center + 200, 80.0, 160))) == 0


def test_the_hole_on_a_plane_is_that_of_the_voxels(synthetic_head):
    box = Box([-30, 10, 20], [30, 24, 20], random_axes(np.random.default_rng(3)))
    hole = hole_of_box(synthetic_head, box)
    plane = Plane("axial", box.center, 80.0, 160)
    expected = (
        cut(hole.full_mask(synthetic_head.shape).astype(np.float32), synthetic_head.affine, plane, outside=0, order=0) > 0.5
    )
    assert expected.any()
    assert np.mean(cut_hole(synthetic_head, hole, plane) != expected) < 0.002


def test_planes_show_the_whole_box_with_context_and_the_whole_scan(synthetic_head):
    box = Box([-30, 10, 20], [30, 24, 20], random_axes(np.random.default_rng(4)))
    for plane in planes_around(box, 20, 100):
        pixels = plane.pixel_of(box.corners)
        context = 20 / plane.side * 100
        assert pixels.min() >= context - 1e-9
        assert pixels.max() <= 100 - context + 1e-9
    for plane in planes_of_scan(synthetic_head, box.center, 100):
        ends = plane.pixel_of(np.array(synthetic_head.bounds_ras))
        assert (ends >= 0).all() and (ends <= 100).all()


def test_positions_are_named_by_side():
    assert coordinate(0, -12.5) == "L 12.5"
    assert Plane("axial", np.array([1.0, 2.0, 32.2]), 80.0, 10).position == "S 32 mm"
    assert Plane("sagittal", np.array([31.0, 2.0, 3.0]), 80.0, 10).position == "R 31 mm"
    assert Plane("coronal", np.array([31.0, -2.0, 3.0]), 80.0, 10).position == "P 2 mm"


def test_darker_is_blue_equal_is_white_and_brighter_is_red():
    darker, equal, brighter = diverging(np.array([-2.0, 0.0, 2.0])).astype(int)
    assert darker[2] > darker[0] + 100
    assert equal.tolist() == [255, 255, 255]
    assert brighter[0] > brighter[2] + 100


def test_a_row_shows_scan_persona_and_their_difference_in_colours_inside_the_box_only(analysis):
    bright = analysis.scan.array.copy()
    hole = analysis.boxes[1].reconstruction.hole
    bright[hole.region][hole.mask] += 2 * analysis.tissue.scale.deviation
    difference = np.where(hole.full_mask(bright.shape), 2 * analysis.tissue.scale.deviation, 0).astype(np.float32)
    changed = dataclasses.replace(
        analysis,
        scan=dataclasses.replace(analysis.scan, array=bright),
        reconstruction=analysis.scan.array,
        difference=difference,
    )
    whole, scan, persona, colours = (np.asarray(panel).astype(int) for panel in slice_row(changed, changed.boxes[1], "axial"))
    assert whole.shape == scan.shape == (PANEL, PANEL, 3)
    middle = slice(PANEL // 2 - 20, PANEL // 2 + 20)
    assert scan[middle, middle].mean() > persona[middle, middle].mean() + 10
    red = diverging(np.array(2 / 3)).astype(int)
    assert np.abs(colours[middle, middle] - red).max() <= 1
    corner = colours[20:60, 20:60]
    assert (corner[..., 0] == corner[..., 2]).all()
    assert slice_triplet(changed, changed.boxes[1], pixels=100).size == (316, 100)


def test_every_panel_has_the_outline_in_the_verdicts_colour(analysis):
    for result in analysis.boxes:
        for panel in slice_row(analysis, result, "coronal"):
            distance = np.abs(np.asarray(panel).astype(int) - VERDICT_COLORS[result.word]).sum(axis=-1)
            assert (distance < 120).sum() > 40


def test_the_window_keeps_bright_boxes_from_saturating(analysis):
    _, high = display_window(analysis)
    bright = analysis.scan.array.copy()
    hole = analysis.boxes[0].reconstruction.hole
    bright[hole.region][hole.mask] = 3 * high
    brighter = dataclasses.replace(analysis, scan=dataclasses.replace(analysis.scan, array=bright))
    assert display_window(brighter)[1] == pytest.approx(3 * high)


def test_the_picture_grows_with_the_boxes_and_leaves_very_many_to_the_report(analysis, monkeypatch):
    from RadiomicsPersonaLib.report import picture

    one, two, three = (picture_of(dataclasses.replace(analysis, boxes=analysis.boxes[:count])) for count in (1, 2, 3))
    assert one.width == two.width == WIDTH
    assert two.height > 1.6 * one.height
    monkeypatch.setattr(picture, "MOST_BOXES", 2)
    assert two.height <= picture_of(analysis).height < three.height


@pytest.fixture
def fonts(monkeypatch):
    """Sets which fonts the machine has, by name."""

    def forget():
        for cached in (lettering.font_of, lettering._runs, lettering._paths, lettering._path, lettering._drawn):
            cached.cache_clear()

    def only(letters, wide):
        monkeypatch.setattr(lettering, "_FONTS", {False: letters, True: letters})
        monkeypatch.setattr(lettering, "_WIDE_FONTS", wide)
        forget()

    yield only
    monkeypatch.undo()
    forget()


def written(text: str, **style) -> np.ndarray:
    """A text as it is drawn."""
    image = Image.new("L", (600, 40))
    write_text(ImageDraw.Draw(image), (4, 4), text, 20, 255, **style)
    return np.asarray(image)


def test_the_picture_needs_no_font_of_the_system(analysis, fonts):
    fonts((), ())
    assert picture_of(analysis).width == WIDTH
    # Pillow's own font would show a square instead of an accented letter
    assert (written("région") == written("region")).all()
    assert (written("王小 a") == written("[U+738B][U+5C0F] a")).all()


@pytest.mark.parametrize("anchor", ["la", "ls", "rm", "md"])
def test_a_letter_of_any_script_is_drawn_or_named_but_is_no_square(fonts, anchor):
    drawn = written("王", anchor="la")
    assert (drawn != written("玉", anchor="la")).any() and (drawn != written(lettering._NO_LETTER)).any()
    # beside letters of another font it stands on their line, and each keeps its own form
    image, apart = Image.new("L", (600, 80)), Image.new("L", (600, 80))
    write_text(ImageDraw.Draw(image), (300, 40), "Иванов Ω 王", 20, 255, anchor=anchor)
    write_text(ImageDraw.Draw(apart), (300, 40), "Иванов Ω", 20, 255, anchor=anchor)
    assert abs(image.getbbox()[1] - apart.getbbox()[1]) <= 5 and abs(image.getbbox()[3] - apart.getbbox()[3]) <= 5
    width = image.getbbox()[2] - image.getbbox()[0]
    assert width == pytest.approx(lettering.drawn_width("Иванов Ω 王", 20), abs=4)
    fonts(lettering._FONTS[False], ())
    assert (written("王") == written("[U+738B]")).all()
    assert (written("\udc80") == written("[U+DC80]")).all(), "as in a file name that is not UTF-8"


@pytest.mark.parametrize("values", [[0.1, 0.9], [5.0], [0.0], [-3.0, 4.0], [100.0, 101.0], [1e-9, 2e-9], [3e5, 9e5]])
def test_an_axis_holds_its_values_and_has_a_few_round_ticks(values):
    low, high = axis_range(values)
    assert low <= min(values) and max(values) < high
    marks = ticks(low, high)
    assert 2 <= len(marks) <= 10
    assert all(low <= mark <= high for mark in marks)


def test_an_axis_starts_at_zero_unless_that_squeezes_its_values():
    assert axis_range([0.1, 0.9])[0] == 0
    assert axis_range([100.0, 101.0])[0] > 99


class Page(HTMLParser):
    """Elements with their attributes, and the text that a reader sees."""

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "line", "circle", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_report_says_the_verdict_the_warnings_and_the_limits_in_words(analysis, report):
    text = Page(report).text
    for result in analysis.boxes:
        assert result.box.name in text
        assert result.word in text
        assert text.count(result.reason) == 2
        assert result.warnings[0] in text
    assert "The slices are thick." in text
    assert text.count("Research use only, not a medical device.") == 2
    assert "not how probable a disease is" in text
    assert "Rebuilt by blur. Scores weighed by a classifier of your own, clinic." in text
    assert "Centre L 30.0, A 10.0, S 20.0 mm" in text


def test_the_report_stands_alone_without_network_and_scripts(report):
    page = Page(report)
    assert not page.open
    assert not page.all("script") and not page.all("link")
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert not re.search(r"(https?:)?//|url\(|@import", re.sub(r"base64,[A-Za-z0-9+/=]+", "", report))


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("pdftotext")), reason="chromium and pdftotext print and read"
)
def test_the_printed_page_shows_what_is_folded_and_leaves_no_page_nearly_empty(analysis, tmp_path):
    trials = tuple(StabilityTrial(f"boxes moved by {n} mm", 0, 0.5) for n in range(9))
    boxes = tuple(dataclasses.replace(result, stability=trials) for result in analysis.boxes[:2])
    write_report(dataclasses.replace(analysis, boxes=boxes), tmp_path / "report.html")
    chromium = ("chromium", "--headless", "--no-sandbox", "--no-pdf-header-footer", f"--user-data-dir={tmp_path / 'browser'}")
    command = (*chromium, f"--print-to-pdf={tmp_path / 'a.pdf'}", str(tmp_path / "report.html"))
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    said = subprocess.run(("pdftotext", "-layout", tmp_path / "a.pdf", "-"), check=True, capture_output=True, timeout=60).stdout
    pages = said.decode().rstrip("\f").split("\f")
    assert "boxes moved by 8 mm" in said.decode() and "control 4" in said.decode()
    assert analysis.boxes[0].box.name in pages[0] and "Whole slice, axial" in pages[0]
    assert all(len(page.split()) > 40 for page in pages[:-1])
    assert len(pages[-1].split()) > 20, "the notice stands on no page alone"


def test_the_report_lists_the_scores_most_unusual_first(analysis):
    from RadiomicsPersonaLib.metrics.metric import METRICS
    from RadiomicsPersonaLib.report.plots import score_chart

    result = analysis.boxes[0]
    keys = result.sorted_scores
    chart = score_chart(result, "#fff")
    places = [chart.index(f">{METRICS[key].label}</text>") for key in keys]
    assert len(keys) > 5 and places == sorted(places)
    values = [result.standings[key].z for key in keys]
    assert values == sorted(values, reverse=True)


def test_page_pdf_and_picture_show_one_chart_of_scores(analysis, tmp_path):
    """Bar, a dot per control region, a line at the share of them that is usual, an axis with numbers, and the value."""
    random = np.random.default_rng(5)
    scores = {key: random.normal(size=15) for key in analysis.boxes[0].standings}
    result = dataclasses.replace(analysis.boxes[0], control_scores=scores)
    analysis = dataclasses.replace(analysis, boxes=(result,))
    bars = score_bars(result)
    assert [bar.z for bar in bars.bars] == [result.standings[key].z for key in result.sorted_scores]
    assert all(len(bar.others) == 15 and bar.limit is not None for bar in bars.bars)
    chart = Page(score_chart(result, "#fff"))
    assert len(chart.all("circle")) == sum(len(bar.others) for bar in bars.bars)
    limits = sum(bar.limit is not None for bar in bars.bars)
    assert len(chart.all("line")) == limits + len(bars.marks) and len(chart.all("rect")) == len(bars.bars)
    write_report_pdf(analysis, tmp_path / "report.pdf")
    printed = " ".join("\n".join(pages_of(tmp_path / "report.pdf")).split())
    for text in (chart.text, printed):
        assert SCORES_TITLE in text and SCORES_CAPTION in " ".join(text.split())
        assert standard_text(bars.bars[0].z) in text and all(f"{mark:g}" in text for mark in bars.marks)
    picture = np.asarray(_bars(result)).reshape(-1, 3)
    assert all((picture == color).all(axis=1).any() for color in (VERDICT_COLORS[result.word], CONTROL_COLOR))


def test_the_report_tells_how_well_the_healthy_boxes_match_and_what_small_changes_do(analysis):
    trials = (StabilityTrial("noise added", 1, 0.2), StabilityTrial("box moved by +2 mm along R", 0, 0.4))
    result = dataclasses.replace(analysis.boxes[0], stability=trials, independent_controls=2.6, effective_boxes=240.0)
    report = report_of(dataclasses.replace(analysis, boxes=(result,)))
    edges = [edge for control in analysis.boxes[0].controls for edge in control.box.size]
    told = f"4 control regions of this scan have edges of {min(edges):.0f} to {max(edges):.0f} mm."
    assert f"{told} Their effective number, given their overlap, is 3." in report
    assert "p ranks the box among an effective number of 240 control regions of about its size" in report
    assert "<th scope='row'>control 4</th>" in report and f"<td class='number'>{edges[-3]:.0f} x" in report
    assert (
        "stays pathological in 1 of 2, and p lies between 0.2 and 0.4; it changes when: box moved by +2 mm along R." in report
    )
    assert [row for row in re.findall(r"<th scope='row'>([^<]*)</th><td>(healthy|unusual|pathological)</td>", report)] == [
        ("noise added", "unusual"),
        ("box moved by +2 mm along R", "healthy"),
    ]


def test_the_report_can_be_read_aloud(report):
    page = Page(report)
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("img")) == 36, "four panels in three planes of three boxes"
    assert all(len(image["alt"]) > 40 for image in page.all("img"))
    assert all("in this box" in picture["aria-label"] for picture in page.all("svg"))
    assert all(head["scope"] in ("col", "row") for head in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))


def test_the_report_sets_the_boxs_numbers_beside_those_of_its_controls(analysis):
    values = [10.0, 900.0, 20.0, 40.0]
    first = analysis.boxes[0]
    controls = [dataclasses.replace(c, metrics=c.metrics | {"mse": v}) for c, v in zip(first.controls, values)]
    for own, mark in ((1234.5, " (outside)"), (500.25, ""), (np.nan, "")):
        result = dataclasses.replace(first, metrics=first.metrics | {"mse": own}, controls=tuple(controls))
        report = report_of(dataclasses.replace(analysis, boxes=(result,)))
        row = re.search(r"<tr><th scope='row'>MSE \(intensity\^2\)</th>(.*?)</tr>", report).group(1)
        assert re.findall(r"<td class='number'>(.*?)</td>", row) == [
            "not defined" if np.isnan(own) else f"{own:.4g}{mark}",
            "30",
            "10 to 900",
        ]


def test_the_report_draws_a_dot_per_control_and_a_diamond_at_the_boxs_score(analysis, report):
    page = Page(report)
    assert len(page.all("circle")) == 8
    assert len(page.all("path")) == 2
    assert "There are no control regions to compare with." in page.text
    first = analysis.boxes[0]
    places = [float(circle["cx"]) for circle in page.all("circle")[:4]]
    scores = sorted(control.metrics["deviation"] for control in first.controls)
    own = float(page.all("path")[0]["d"][1:].split()[0])
    assert all(20 <= place <= 740 for place in [own, *places])
    assert max(own, *places) - min(own, *places) > 400
    scale = (places[-1] - places[0]) / (scores[-1] - scores[0])
    assert own - places[0] == pytest.approx((first.metrics["deviation"] - scores[0]) * scale, abs=0.5)


def test_a_report_is_anonymous_unless_it_is_given_a_name(analysis, report, tmp_path):
    text = Page(report).text
    assert "Reconstruction model" in text and "blur" in text
    write_report_pdf(analysis, tmp_path / "a.pdf")
    pdf = (tmp_path / "a.pdf").read_bytes().replace(b"\0", b"")
    for told in ("Kopf", "Hals", "Patient^Name"):
        assert told not in text and told not in "".join(pages_of(tmp_path / "a.pdf")) and told.encode() not in pdf
    name = "Kopf & <Hals>, Anna M."
    assert Page(report_of(analysis, name)).text.count(name) == 3  # the window's title, the page's, and what the report is of
    write_report_pdf(analysis, tmp_path / "b.pdf", name)
    assert pages_of(tmp_path / "b.pdf")[0].startswith(f"Healthy persona of {name}")
    assert np.asarray(picture_of(analysis))[:40].tobytes() != np.asarray(picture_of(analysis, name))[:40].tobytes()
    write_report(analysis, tmp_path / "rapport é.html", name)
    assert (tmp_path / "rapport é.html").read_text(encoding="utf-8") == report_of(analysis, name)


def test_the_pdf_says_what_the_html_report_says(analysis, tmp_path):
    write_report_pdf(analysis, tmp_path / "a.pdf")
    pages = pages_of(tmp_path / "a.pdf")
    text = " ".join(" ".join(pages).split())
    for result in analysis.boxes:
        assert result.box.name in text and result.word.upper() in text
        assert text.count(result.reason) == 2 and printable(result.warnings[0]) in text
        assert all(number_text(value) in text for value in result.metrics.values())
    assert all(
        sentence in text
        for sentence in (*LIMITS, READING, "The slices are thick.", "Reconstruction model blur", analysis.made_by)
    )
    assert all("Research use only, not a medical device." in page for page in pages)
    assert [page.splitlines()[-1] for page in pages] == [f"{n} / {len(pages)}" for n in range(1, len(pages) + 1)]
    first = (tmp_path / "a.pdf").read_bytes()
    assert first.count(b"/Subtype /Image") == 9
    write_report_pdf(analysis, tmp_path / "b.pdf")
    assert (tmp_path / "b.pdf").read_bytes() == first


def test_no_line_of_the_pdf_leaves_its_page(analysis, tmp_path):
    """Nor with long words, letters of other scripts, and what PDF itself uses as signs."""
    odd = dataclasses.replace(
        analysis.boxes[0],
        box=Box(analysis.boxes[0].box.center, analysis.boxes[0].box.size, name="(" + "x" * 200 + r"\ 脳 ő"),
        reason="Pathological: " + "deviates more than " * 30 + "p = 0.2.",
    )
    write_report_pdf(dataclasses.replace(analysis, boxes=(odd,) * 5), tmp_path / "a.pdf")
    content = (tmp_path / "a.pdf").read_bytes()
    for found in re.findall(rb"/FlateDecode /Length \d+ >>\nstream\n(.*?)\nendstream", content, re.DOTALL):
        for font, size, x, y, text in re.findall(
            rb"/F([12]) ([\d.]+) Tf ([\d.-]+) ([\d.-]+) Td \((.*?)\) Tj", zlib.decompress(found)
        ):
            shown = re.sub(rb"\\(.)", rb"\1", text).decode("cp1252")
            assert float(x) >= 41 and float(x) + text_width(shown, float(size), font == b"2") <= 595 - 41, shown
            assert 15 < float(y) < 842 - 40


@pytest.mark.parametrize("boxes", [1, 2, 3])
def test_no_page_of_the_pdf_is_nearly_empty_or_begins_with_the_last_rows_of_a_table(analysis, boxes, tmp_path, monkeypatch):
    """However much is said above: every break falls somewhere else."""
    monkeypatch.setattr(pdf_report, "slice_row", lambda *_: [Image.new("RGB", (300, 300))] * 4)
    known = analysis.boxes[0]
    results = [dataclasses.replace(known, box=dataclasses.replace(known.box, name=f"Box {n}")) for n in range(1, boxes + 1)]
    titles = (
        "How to read this",
        "What was checked",
        "Provenance",
        "Comparison inside the box",
        *(f"Box {n}" for n in (1, 2, 3)),
    )
    broken_tables = 0
    for notes in range(0, 60, 2):
        told = dataclasses.replace(
            analysis,
            boxes=tuple(dataclasses.replace(result, warnings=("A note.",) * (notes // 3)) for result in results),
            warnings=("A note.",) * notes,
            provenance=analysis.provenance | {f"setting {number}": "a value" for number in range(notes)},
        )
        write_report_pdf(told, tmp_path / "a.pdf")
        pages, bottoms = pages_of(tmp_path / "a.pdf"), bottoms_of(tmp_path / "a.pdf")
        assert all(bottom > 842 / 3 for bottom in bottoms[:-1]), (notes, bottoms)
        assert max(bottoms) < 842 - 40
        for page in pages[1:]:
            head, *lines = page.splitlines()[:-2]  # without notice and number
            if head not in ("Measure", "Question", "Setting"):
                continue
            broken_tables += 1
            columns = 4 if head == "Measure" else 2
            cells = next((number for number, line in enumerate(lines) if line in titles), len(lines)) + 1
            assert cells / columns >= 1 + 3, (notes, page)
    assert broken_tables >= 3


def test_the_legend_of_the_pdf_ends_with_the_slices_and_says_brain_only(analysis, tmp_path):
    write_report_pdf(analysis, tmp_path / "a.pdf")
    content = (tmp_path / "a.pdf").read_bytes()
    legends = 0
    for stream in re.findall(rb"/FlateDecode /Length \d+ >>\nstream\n(.*?)\nendstream", content, re.DOTALL):
        drawn = zlib.decompress(stream).decode("cp1252")
        rights = [float(x) + float(width) for width, x in re.findall(r"q ([\d.]+) 0 0 [\d.]+ ([\d.]+) [\d.]+ cm", drawn)]
        for size, x, text in re.findall(r"/F1 ([\d.]+) Tf ([\d.]+) [\d.]+ Td \((scan darker.*?)\) Tj", drawn):
            assert text.endswith("; brain only") and float(x) + text_width(text, float(size)) <= max(rights) + 0.1
            legends += 1
    assert legends == len(analysis.boxes)


def test_names_in_other_scripts_stay_whole_in_the_pdf(analysis, tmp_path):
    name = "Очаг β ő"
    odd = dataclasses.replace(analysis.boxes[0], box=dataclasses.replace(analysis.boxes[0].box, name=name))
    write_report_pdf(dataclasses.replace(analysis, boxes=(odd,)), tmp_path / "a.pdf", "Голова")
    assert pages_of(tmp_path / "a.pdf")[0].startswith("Healthy persona of Голова")
    text = "\n".join(pages_of(tmp_path / "a.pdf"))
    assert text.count(name) >= 2 and "??" not in text


def test_names_in_other_scripts_can_be_read_in_picture_and_pdf(analysis, tmp_path):
    """By their pixels: two names that differ in a letter look different, and neither shows the square of a missing one."""
    one = dataclasses.replace(analysis, boxes=analysis.boxes[:1])
    seen = []
    for number, name in enumerate(("Иванов Ω 王", "Иванов Ω 玉")):
        write_report_pdf(one, tmp_path / f"{number}.pdf", name)
        # the first picture is the title, drawn since Helvetica has no such letters
        title = pictures_of(tmp_path / f"{number}.pdf")[0]
        seen.append(
            [np.asarray(image.convert("L")).astype(int) for image in (picture_of(one, name).crop((0, 0, WIDTH, 50)), title)]
        )
    for first, second in zip(*seen):
        assert (np.abs(first[:, : second.shape[1]] - second[:, : first.shape[1]]) > 100).sum() > 5
    assert seen[0][1].shape[1] == math.ceil(lettering.drawn_width("Healthy persona of Иванов Ω 王", DRAWN, bold=True))


def test_a_report_tells_on_its_first_page_what_it_is_of(analysis, tmp_path):
    made = {"date": "2026-03-31", "versions": {"RadiomicsPersona": "9.9"}, "contrast": "T1w", "scan_sha256": "ab" * 32}
    told = dataclasses.replace(analysis, provenance=analysis.provenance | made)
    write_report_pdf(told, tmp_path / "a.pdf", "Anna")
    first = " ".join(pages_of(tmp_path / "a.pdf")[0].split())
    spacing = " x ".join(f"{value:.3g}" for value in analysis.scan.spacing)
    for text in (first, " ".join(Page(report_of(told, "Anna")).text.split())):
        assert "2026-03-31, by RadiomicsPersona 9.9" in text and "looks T1-weighted" in text and "abababababab" in text
        assert f"voxels of {spacing} mm" in text and "(black) to" in text


def test_every_box_is_a_link_away_and_what_was_not_checked_is_said(report):
    page = Page(report)
    targets = {attributes.get("id") for attributes in page.all("section")}
    links = [attributes["href"].removeprefix("#") for attributes in page.all("a")]
    assert len(links) == 3 and set(links) <= targets
    assert "What was checked" in page.text and "Were motion and artefacts looked for?" in page.text


@pytest.mark.parametrize(
    ("evaluated", "answer"), [("0" * 64, "yes"), ("1" * 64, "no"), (None, "not known")], ids=["the same", "another", "none"]
)
def test_the_checklist_asks_the_error_rates_which_classifier_was_evaluated(analysis, evaluated, answer, tmp_path, monkeypatch):
    """Not whether it is the shipped one, which may have been fitted since."""
    monkeypatch.setattr(error_rates, "SHIPPED_CLASSIFIERS", tmp_path)
    if evaluated:
        (tmp_path / error_rates.FILE).write_text(error_rates.written(evaluated, []))
    assert dict(checklist_of(analysis))["Is the classifier the one that was evaluated?"] == answer


def test_settings_have_names_and_not_the_keys_of_files(synthetic_head):
    box = Box([0, 0, 20], [20, 20, 20])
    made = analyze(synthetic_head, [box], load_model("harmonic"), controls=2, decision=Decision("deviation", 3.0))
    told = dict(settings_of(made))
    assert set(told) <= set(NAMES.values())
    assert told["Classifier of your own"] == "no" and told["Decided by"] == METRICS["deviation"].label
    assert told["SHA-256 of the reconstruction model's weights"] == "none"


def test_a_large_difference_widens_the_colours_and_shows_none_beyond_the_brain(analysis):
    from RadiomicsPersonaLib.report.picture import difference_range

    assert difference_range(analysis) == 3
    result, deviation = analysis.boxes[1], analysis.tissue.scale.deviation
    brain = np.zeros(result.reconstruction.hole.mask.shape, bool)
    brain[: brain.shape[0] // 2] = True
    boxes = (dataclasses.replace(result, brain=brain & result.reconstruction.hole.mask),)
    large = np.full(analysis.scan.shape, 7 * deviation, np.float32)
    changed = dataclasses.replace(analysis, boxes=boxes, difference=large)
    assert difference_range(changed) == 8
    whole = dataclasses.replace(changed, boxes=(result,))
    panels = [np.asarray(slice_row(each, each.boxes[0], "axial")[3]).astype(int) for each in (changed, whole)]
    red, every = ((np.abs(panel - diverging(np.array(7 / 8))).max(axis=-1) <= 1).sum() for panel in panels)
    assert 0.3 < red / every < 0.7


def test_pictures_of_lesions_tell_their_sides_their_scale_and_what_they_show():
    """Letters, a bar of 5 cm in the first panel of every plane, the lesion's outline, and a head above every column."""
    values = np.full((40, 40, 40), 20.0, np.float32)
    values[:6, :6, :6] = 1000.0  # far from the place: the window is wide, and what is shown is dark
    scan = Scan(values, np.diag([4.0, 4.0, 4.0, 1.0]))
    lesion = np.zeros(scan.shape, bool)
    lesion[17:23, 17:23, 17:23] = True
    center = scan.ras_from_ijk(np.array([20.0, 20.0, 20.0]))
    shown = before_and_after(scan, scan.array * 0.5, lesion)
    rows = panels_of(scan, shown, center, 100.0, 200)
    assert [len(row) for row in rows] == [3, 3, 3]
    for row in rows:
        first, painted, outlined = (np.asarray(panel).astype(int) for panel in row)
        bars = [(panel[188:193] == TEXT).all(axis=-1).sum(axis=1).max() for panel in (first, painted, outlined)]
        assert bars[0] == pytest.approx(100, abs=3) and max(bars[1:]) < 30
        edges = [(panel[90:110, part] > 150).sum() for panel in (first, painted) for part in (slice(24), slice(176, 200))]
        assert min(edges) > 30
        inked = [(panel == OUTLINE).all(axis=-1).sum() for panel in (first, painted, outlined)]
        assert inked[:2] == [0, 0] and inked[2] > 80
    sheet = np.asarray(slices_of(scan, shown, center, 100.0, 200))
    assert sheet.shape == (HEADS + 3 * 200 + 2 * GAP, 3 * 200 + 2 * GAP, 3)
    heads = [(sheet[:HEADS, left : left + 200] != BACKGROUND).any(axis=-1).sum() for left in range(0, 600, 200 + GAP)]
    assert min(heads) > 50


def test_many_boxes_are_several_pictures(analysis):
    from RadiomicsPersonaLib.report.picture import pictures_of

    pages = list(pictures_of(dataclasses.replace(analysis, boxes=analysis.boxes[:1] * 9)))
    assert len(pages) == 3 and max(page.height for page in pages) < 6000


def test_the_report_is_written_again_from_the_saved_results_without_the_analysis(analysis, tmp_path):
    from RadiomicsPersonaLib.cli import main
    from RadiomicsPersonaLib.imaging.files import read_scan, write_nifti
    from RadiomicsPersonaLib.report.results_files import write_results_json

    scale = {"center": analysis.tissue.scale.center, "deviation": analysis.tissue.scale.deviation}
    analysis = dataclasses.replace(analysis, provenance=analysis.provenance | {"preprocessing": {"tissue_scale": scale}})
    write_nifti(tmp_path / "Anna Muster.nii.gz", analysis.scan.array, analysis.scan.affine)
    results = tmp_path / "results"
    results.mkdir()
    write_results_json(analysis, results / "results.json")
    write_nifti(results / "reconstruction.nii.gz", analysis.reconstruction, analysis.scan.affine)
    again = read_analysis(results, read_scan(tmp_path / "Anna Muster.nii.gz"))
    assert report_of(again, "x") == report_of(analysis, "x")
    scan = str(tmp_path / "Anna Muster.nii.gz")
    for extra, titles in (
        ([], "Healthy persona"),
        (["--with-name"], "Healthy persona of Anna Muster"),
        (["--with-name=A. M."], "Healthy persona of A. M."),
    ):
        assert main(["report", str(results), scan, "--output", str(tmp_path / "out"), *extra]) == 0
        assert f"<h1>{titles}</h1>" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
        assert pages_of(tmp_path / "out" / "report.pdf")[0].splitlines()[0] == titles


def test_a_report_is_written_again_though_nothing_in_the_box_is_unusual(analysis, tmp_path):
    from RadiomicsPersonaLib.imaging.files import write_nifti
    from RadiomicsPersonaLib.report.results_files import UNUSUAL, write_results_json

    scale = {"center": analysis.tissue.scale.center, "deviation": analysis.tissue.scale.deviation}
    analysis = dataclasses.replace(analysis, provenance=analysis.provenance | {"preprocessing": {"tissue_scale": scale}})
    write_results_json(analysis, tmp_path / "results.json")
    write_nifti(tmp_path / "reconstruction.nii.gz", analysis.reconstruction, analysis.scan.affine)
    write_nifti(tmp_path / UNUSUAL, np.zeros(analysis.scan.shape, np.uint8), analysis.scan.affine)
    assert not read_analysis(tmp_path, analysis.scan).unusual.any()


def places_in(value, place=()):
    """Every place of a nested value."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*place, key)
        yield from places_in(inner, (*place, key))


def test_results_with_a_value_of_another_kind_are_refused_or_make_a_report(analysis, tmp_path):
    import copy

    from RadiomicsPersonaLib.imaging.files import write_nifti
    from RadiomicsPersonaLib.report.results_files import results_of

    scale = {"center": analysis.tissue.scale.center, "deviation": analysis.tissue.scale.deviation}
    analysis = dataclasses.replace(analysis, provenance=analysis.provenance | {"preprocessing": {"tissue_scale": scale}})
    rebuilt, first = analysis.scan.array.copy(), analysis.boxes[0].reconstruction.hole.region
    rebuilt[first] = analysis.reconstruction[first]
    write_nifti(tmp_path / "reconstruction.nii.gz", rebuilt, analysis.scan.affine)
    whole = json.loads(json.dumps(results_of(dataclasses.replace(analysis, boxes=analysis.boxes[:1]))))
    assert wrong_place(whole) is None
    free = (
        "notice",
        "schema_version",
        "scan",
        "rebuilt_by",
        "judged_by",
        "decision",
        "center_ijk",
        "voxels",
        "n_controls",
        "word",
    )
    tried, passed = 0, set()
    for place in places_in(whole):
        for odd in ("much", [0, []], {}, True, -1e30, 10**400, float("nan")):
            changed = copy.deepcopy(whole)
            *way, last = place
            inner = changed
            for key in way:
                inner = inner[key]
            inner[last] = odd
            tried += 1
            if wrong_place(changed) is None:
                passed.add((place, str(odd)))
    assert tried > 700
    # what passes is free text or is never used as a number, or a number where numbers may stand
    strange = {
        (place, odd)
        for place, odd in passed
        if not {*free, "usual_up_to", "provenance"} & set(place) and odd != "-1e+30" and not (odd == "much" and "name" in place)
    }
    said = {"reason", "change", "warnings", "where", "persona", "error_rates", "would_be_found", "certainty"}
    texts = {(place, odd) for place, odd in strange if odd == "much" and said & set(place)}
    texts |= {(place, odd) for place, odd in strange if odd == "{}" and place[-1] in ("scores", "z")}
    assert strange == texts, strange - texts
    changed = copy.deepcopy(whole)
    changed["provenance"] |= {"seed": [0, []], "versions": "none", "controls": {"a": [[{}]]}}
    changed["boxes"][0]["scores"] = changed["boxes"][0]["controls"][0]["z"] = {}
    (tmp_path / "results.json").write_text(json.dumps(changed))
    assert "<h1>" in report_of(read_analysis(tmp_path, analysis.scan), None)
    for key, odd in (("window", [0, []]), ("window", [2, 1]), ("boxes", [{}]), ("boxes", 3)):
        (tmp_path / "results.json").write_text(json.dumps(whole | {key: odd}))
        with pytest.raises(InputError, match=f"results.json' .*unusable: {key}.*: analyze again"):
            read_analysis(tmp_path, analysis.scan)
    for text in ("[" * 100_000, "3", "{", ""):
        (tmp_path / "results.json").write_text(text)
        with pytest.raises(InputError, match="results.json' .*: analyze again"):
            read_analysis(tmp_path, analysis.scan)


def test_a_report_of_something_else_is_refused_in_one_sentence(analysis, tmp_path, capsys):
    from RadiomicsPersonaLib.cli import main
    from RadiomicsPersonaLib.imaging.files import write_nifti

    write_nifti(tmp_path / "scan.nii.gz", analysis.scan.array, analysis.scan.affine)
    write_nifti(tmp_path / "other.nii.gz", analysis.scan.array[:-1], analysis.scan.affine)
    results = tmp_path / "results"
    results.mkdir()

    def refused(scan="scan.nii.gz") -> str:
        assert main(["report", str(results), str(tmp_path / scan), "--output", str(tmp_path / "out")]) == 2
        return capsys.readouterr().err

    assert "There is no results.json" in refused()
    (results / "results.json").write_text("{}")
    assert "There is no reconstruction.nii.gz" in refused()
    write_nifti(results / "reconstruction.nii.gz", analysis.reconstruction, analysis.scan.affine)
    assert "was not written by this version of the program" in refused()
    assert "is on another grid than the scan 'other'" in refused("other.nii.gz")
    assert not (tmp_path / "out").exists()


def test_a_report_takes_no_other_scan_than_the_one_that_was_analyzed(analysis, tmp_path, capsys):
    from RadiomicsPersonaLib.cli import main
    from RadiomicsPersonaLib.imaging.files import sha256_of, write_nifti
    from RadiomicsPersonaLib.report.results_files import write_results_json

    own, affine, hole = tmp_path / "own.nii.gz", analysis.scan.affine, analysis.boxes[0].reconstruction.hole
    write_nifti(own, analysis.scan.array, affine)
    write_nifti(tmp_path / "other.nii.gz", analysis.scan.array[::-1], affine)
    write_nifti(tmp_path / "mask.nii.gz", (analysis.scan.array > analysis.scan.array.mean()).astype(np.uint8), affine)
    ill = analysis.scan.array.copy()
    ill[hole.region][hole.mask] += 1
    write_nifti(tmp_path / "ill.nii.gz", ill, affine)
    scale = {"center": analysis.tissue.scale.center, "deviation": analysis.tissue.scale.deviation}
    made = analysis.provenance | {"preprocessing": {"tissue_scale": scale}}
    results = tmp_path / "results"
    results.mkdir()
    write_nifti(results / "reconstruction.nii.gz", analysis.reconstruction, affine)

    def report_on(name: str, **more) -> tuple[int, str]:
        write_results_json(dataclasses.replace(analysis, provenance=made | more), results / "results.json")
        code = main(["report", str(results), str(tmp_path / name), "--output", str(tmp_path / "out")])
        return code, capsys.readouterr().err

    note = "does not say which file was analyzed"
    for name in ("other.nii.gz", "mask.nii.gz"):  # of any age
        code, said = report_on(name)
        assert code == 2 and "differs from the scan" in said and "results.json" in said, said
    assert report_on("own.nii.gz") == (0, "") and note in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    kept = {"scan_sha256": sha256_of(own)}
    code, said = report_on("ill.nii.gz", **kept)  # the same outside the boxes
    assert code == 2 and "'ill.nii.gz' is not the file that" in said
    assert report_on("own.nii.gz", **kept) == (0, "") and note not in (tmp_path / "out" / "report.html").read_text()
    write_nifti(results / "reconstruction.nii.gz", analysis.reconstruction[:, ::-1], affine)
    code, said = report_on("own.nii.gz", **kept)
    assert code == 2 and "the image 'reconstruction.nii.gz' differs from the scan 'own'" in said


def test_results_with_one_of_two_numbers_that_belong_together_are_refused(analysis):
    from RadiomicsPersonaLib.report.results_files import results_of

    scale = {"center": analysis.tissue.scale.center, "deviation": analysis.tissue.scale.deviation}
    analysis = dataclasses.replace(analysis, provenance=analysis.provenance | {"preprocessing": {"tissue_scale": scale}})
    whole = json.loads(json.dumps(results_of(analysis)))
    whole["boxes"][0] |= {"expected_error_sd": 0.5, "beyond_expected": 0.1}
    assert wrong_place(whole) is None
    for key in ("expected_error_sd", "beyond_expected"):
        changed = json.loads(json.dumps(whole))
        changed["boxes"][0][key] = None
        assert wrong_place(changed) == "boxes[0].beyond_expected"


def test_results_with_texts_as_long_as_books_are_refused_at_once(analysis):
    from RadiomicsPersonaLib.report.results_files import results_of

    scale = {"center": analysis.tissue.scale.center, "deviation": analysis.tissue.scale.deviation}
    analysis = dataclasses.replace(analysis, provenance=analysis.provenance | {"preprocessing": {"tissue_scale": scale}})
    whole = json.loads(json.dumps(results_of(analysis)))
    assert wrong_place(whole | {"warnings": ["x" * 400] * 50}) is None
    book = "x" * 100_001
    for key, value in (
        ("warnings", [book] * 50),
        ("warnings", ["x"] * 20_001),
        ("decision", whole["decision"] | {"rests_on": book}),
    ):
        assert wrong_place(whole | {key: value}) == key
    assert wrong_place(whole | {"provenance": whole["provenance"] | {"command": book}}) == "provenance"
    for key, value in (("name", book), ("reason", book), ("warnings", [book])):
        boxes = [whole["boxes"][0] | {key: value}, *whole["boxes"][1:]]
        assert wrong_place(whole | {"boxes": boxes}) == f"boxes[0].{key}"
