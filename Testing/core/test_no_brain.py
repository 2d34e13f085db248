"""What is no brain MRI gets no verdict, and the reason is said; what is one, however unusual, still gets one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.brain.recognition import notes_on_scan, why_no_brain
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.scan import Scan, make_scan
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model

pytestmark = pytest.mark.slow

BOX = Box([34, -10, 14], [24, 28, 22])
AFFINE = np.array([[2.0, 0, 0, -90], [0, 2, 0, -110], [0, 0, 2, -80], [0, 0, 0, 1]])


def in_millimetres(shape=(90, 110, 90)) -> np.ndarray:
    """RAS millimetres of every voxel of a grid of 2 mm, (I, J, K, 3)."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return index @ AFFINE[:3, :3].T + AFFINE[:3, 3]


def ball() -> Scan:
    """An evenly filled ball, as scanners are tested with."""
    noise = np.random.default_rng(0).normal(0, 10, (90, 110, 90))
    inside = np.linalg.norm(in_millimetres() / [70, 85, 65], axis=-1) < 1
    return make_scan(np.where(inside, 500, 0) + noise, AFFINE)


def ct() -> Scan:
    """A head in Hounsfield units: air, skin, bone, and a brain in which grey and white matter hardly differ."""
    head = make_head(2.0)
    radius = np.linalg.norm((in_millimetres()) / [78, 95, 72], axis=-1)
    values = np.select([radius < 0.86, radius < 0.95, radius < 1.0], [35.0, 900.0, 40.0], -1000.0)
    texture = np.random.default_rng(1).normal(0, 4, values.shape)
    assert head.spacing[0] == 2.0
    return make_scan(values + texture, AFFINE)


def noise() -> Scan:
    """Nothing at all."""
    return make_scan(np.random.default_rng(2).normal(100, 20, (90, 110, 90)), AFFINE)


def crop() -> Scan:
    """40 mm of a head, cut out around the box."""
    head = make_head(2.0)
    low = np.rint(head.ijk_from_ras(BOX.center) - 10).astype(int)
    region = tuple(slice(a, a + 20) for a in low)
    affine = head.affine.copy()
    affine[:3, 3] = head.ras_from_ijk(low)
    return make_scan(head.array[region].copy(), affine)


def ct_with_an_offset() -> Scan:
    """A head as a CT shows it, stored without negative values: a hint of grey and white matter in a sea of bone and air."""
    head = make_head(2.0)
    inside = np.interp(head.array, np.percentile(head.array[head.array > 250], [2, 98]), [25.0, 40.0])
    radius = np.linalg.norm(in_millimetres() / [78, 95, 72], axis=-1)
    values = np.select([head.array > 250, radius < 0.93, radius < 1.0], [inside, 900.0, 40.0], -1000.0)
    return make_scan(values + 1024 + np.random.default_rng(1).normal(0, 3, values.shape), head.affine)


def animal() -> Scan:
    """A head like a human one, and a third as long."""
    head = make_head(2.0)
    affine = head.affine.copy()
    affine[:3] *= 0.35
    return make_scan(head.array, affine)


def middle_of_a_head() -> Scan:
    """100 mm of a head, as a spectroscopist might cut it out."""
    head = make_head(2.0)
    low = np.rint(head.ijk_from_ras([0, -10, 10]) - 25).astype(int)
    region = tuple(slice(a, a + 50) for a in low)
    affine = head.affine.copy()
    affine[:3, 3] = head.ras_from_ijk(low)
    return make_scan(head.array[region].copy(), affine)


@pytest.mark.parametrize("scan", [ball, ct, noise, crop, ct_with_an_offset, animal, middle_of_a_head])
def test_what_is_no_brain_mri_gets_no_label_but_a_reason(scan):
    box = Box(0.35 * BOX.center, 0.35 * BOX.size) if scan is animal else BOX
    try:
        result = analyze(scan(), [box], load_model("harmonic"), controls=2).boxes[0]
    except InputError as error:  # nothing can be done at all: one sentence and exit 2
        assert len(str(error)) > 20
        return
    assert result.label is None, result.reason
    assert "MRI" in result.reason or "no human brain" in result.reason


def test_a_head_still_gets_a_label_in_any_contrast_and_whatever_its_unit():
    head = make_head(2.0)
    dark = Scan(-head.array + head.array.max(), head.affine, "inverted")
    for scan in (head, Scan(1000 * head.array, head.affine, "louder"), dark):
        result = analyze(scan, [BOX], load_model("harmonic"), controls=4).boxes[0]
        assert "MRI" not in result.reason, (scan.name, result.reason)


def notes_on(scan: Scan) -> str:
    return " ".join(notes_on_scan(prepare(scan)))


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize(("axis", "side"), [(2, "top"), (0, "right")])
def test_a_scan_that_ends_within_the_brain_is_told_of_and_a_whole_head_is_not(axis, side, padded):
    """Also where zeros stand for what was cut away."""
    head = make_head(2.0)
    assert notes_on(head) == ""
    middle = round(float(head.ijk_from_ras([30, 0, 20])[axis]))
    part = np.take(head.array, np.arange(middle), axis=axis)
    if padded:
        part = np.pad(part, [(0, n - m) for n, m in zip(head.shape, part.shape)])
    assert f"ends within the brain at its {side}" in notes_on(make_scan(part, head.affine))


def test_ghosts_are_told_of():
    head = make_head(2.0)
    ghost = 0.3 * (np.roll(head.array, 45, axis=1) + np.roll(head.array, -45, axis=1))
    assert "as with ghosts" in notes_on(Scan(head.array + ghost, head.affine, "ghosts"))


@pytest.mark.parametrize(("edge", "said"), [(150, "the boxes hide 3375 ml"), (40, "no brain was recognised")])
def test_a_box_that_hides_the_head_is_what_is_said_to_be_wrong(edge, said):
    """What was not recognised for the box alone is no fault of the scan."""
    scan = ball()
    tissue = SimpleNamespace(doubt="what looks like brain measures 100 ml", scale=SimpleNamespace(center=500.0), anatomy=None)
    hole = hole_of_box(scan, Box([0, 0, 0], [edge] * 3))
    assert said in why_no_brain(SimpleNamespace(scan=scan, tissue=tissue, suspects=hole))
