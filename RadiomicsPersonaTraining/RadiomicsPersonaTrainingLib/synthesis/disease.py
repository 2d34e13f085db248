"""Disease: lesions as tumours, strokes and inflammation leave them, set into a synthesised head and marked there.

What is painted follows what clinical images show: lesions are darker than white matter in T1, brighter than grey matter in T2
and FLAIR, now and then otherwise (blood, calcium); some have a core of another brightness or a rim that takes up contrast
agent; oedema keeps to white matter; large ones push their surroundings away. In random contrasts all that counts is that they
differ.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.brain.tissue import FLUID, GREY, WHITE
from RadiomicsPersonaLib.imaging.random_field import smooth_field

from .label_map import APPEARANCES, TISSUE_OF_CODE, code_of
from .lesion_outlines import Lesion

FOCAL = 0.65
"""Chance of one or two large lesions; otherwise there are many small ones in white matter."""
FOCAL_RADIUS = (5.0, 40.0)
"""Millimetres; half of the radii lie above 22."""
SMALL_RADIUS = (1.5, 8.0)
"""Millimetres, log-uniform."""
SMALL_COUNT = (3, 25)
NEAR_VENTRICLES = 15.0
"""Millimetres within which half of the small lesions lie from a lateral ventricle."""
PUSHING = 10.0
"""Millimetres of radius from which a lesion may push its surroundings away."""
LEAST_DIFFERENCE = 0.07
"""Least difference of a lesion's brightness from what it replaces, as a share of the brightest tissue:
fainter ones are not painted."""
FAINT = 0.12
"""Largest such difference of a lesion that is to be faint."""


def plan_lesions(codes: np.ndarray, rng: np.random.Generator, spacing: float) -> list[Lesion]:
    """Where lesions will lie, and their outlines.

    Args:
        codes: of the head, see `LabelMap`.
        spacing: millimetres of its voxels.
    """
    tissue = TISSUE_OF_CODE[codes]
    if rng.random() < FOCAL:
        places = np.flatnonzero((tissue == GREY) | (tissue == WHITE))
        count, radii, power = rng.integers(1, 3), FOCAL_RADIUS, 0.5
    else:
        white = tissue == WHITE
        places = np.flatnonzero(white)
        ventricle = np.isin(codes, [code_of("lateral ventricle"), code_of("lateral ventricle") + 1])
        if rng.random() < 0.5 and ventricle.any():
            coarse = ndimage.distance_transform_edt(~ventricle[::2, ::2, ::2], sampling=2 * spacing) < NEAR_VENTRICLES
            near = white & coarse[np.ix_(*(np.arange(n) // 2 for n in codes.shape))]
            places = np.flatnonzero(near) if near.any() else places
        count, radii, power = rng.integers(*SMALL_COUNT), SMALL_RADIUS, 1.0
    if not places.size:
        return []
    centers = np.stack(np.unravel_index(places[rng.integers(places.size, size=count)], codes.shape), axis=-1)
    return [
        _outlined(c, radii[0] * (radii[1] / radii[0]) ** rng.uniform() ** power, codes.shape, rng, spacing) for c in centers
    ]


def _outlined(center: np.ndarray, radius: float, shape: tuple[int, ...], rng: np.random.Generator, spacing: float) -> Lesion:
    """An irregular ellipsoid."""
    axes = radius / spacing * np.exp(rng.normal(0, 0.25, 3))
    reach = 2.1 * axes.max() + 2
    region = tuple(slice(max(0, int(c - reach)), min(n, int(c + reach) + 2)) for c, n in zip(center, shape))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    offsets = np.stack(np.meshgrid(*(np.arange(s.start, s.stop) - c for s, c in zip(region, center)), indexing="ij"), axis=-1)
    distance = np.linalg.norm((offsets @ turn) / axes, axis=-1)
    roughness = rng.uniform(0, 0.5)
    distance = distance + roughness * smooth_field(rng, distance.shape, spacing, max(3.0, radius * rng.uniform(0.3, 0.8)))[0]
    return Lesion(np.asarray(center, float), region, distance.astype(np.float32), radius)


def push_away(codes: np.ndarray, lesions: list[Lesion], rng: np.random.Generator) -> None:
    """Displace what lies around large lesions, as a growing mass does; changes `codes`."""
    for lesion in lesions:
        if lesion.radius < PUSHING or not lesion.pushes or rng.random() < 0.5:
            continue
        strength = rng.uniform(0.1, 0.7)
        # what was at this share of the way to twice the lesion's radius comes to lie here
        share = np.maximum(lesion.distance - strength, 0) * 2 / (2 - strength) / np.maximum(lesion.distance, 1e-3)
        share = np.where(lesion.distance < 2, share, 1)
        part = codes[lesion.region]
        offsets = np.meshgrid(*(np.arange(s.start, s.stop) - c for s, c in zip(lesion.region, lesion.center)), indexing="ij")
        index = [np.rint(o * share + c).astype(int) - s.start for o, c, s in zip(offsets, lesion.center, lesion.region)]
        codes[lesion.region] = part[tuple(np.clip(i, 0, n - 1) for i, n in zip(index, part.shape))]


def paint_lesions(
    image: np.ndarray,
    codes: np.ndarray,
    lesions: list[Lesion],
    means: np.ndarray,
    contrast: str | None,
    rng: np.random.Generator,
    spacing: float,
    least: float = LEAST_DIFFERENCE,
    faint: bool = False,
) -> np.ndarray:
    """Paint lesions into an image; changes it.

    Args:
        image: brightness, 0 to about 1, on the grid of `codes`.
        means: brightness by index into `APPEARANCES`.
        contrast: its name in `tissue_contrast.CONTRASTS`, None for a random one.
        least: least difference of their brightness from what they replace.
        faint: whether they differ by no more than `FAINT`.
    Returns:
        Boolean, the voxels that are lesion by at least half.
    """
    marked = np.zeros(codes.shape, bool)
    levels = _levels(means, contrast, rng)
    spares_grey, spares_sulci = rng.random() < 0.35, rng.random() < 0.5
    softness, texture = rng.uniform(0.4, 3.0), rng.uniform(0, 0.4)
    core = _levels(means, contrast, rng)[0] if rng.random() < 0.4 else None
    rim = rng.uniform(0.75, 1.2) if contrast == "T1 post" and rng.random() < 0.6 else None
    for lesion in lesions:
        tissue, part, distance = TISSUE_OF_CODE[codes[lesion.region]], image[lesion.region], lesion.distance
        open_to = (tissue == WHITE) | ((tissue == GREY) & (not spares_grey))
        if not spares_sulci:
            open_to |= (tissue == FLUID) & (codes[lesion.region] == code_of("fluid in sulci and fissures"))
        inside = open_to & (distance < 1)
        if not inside.any():
            continue
        usual = float(np.median(part[inside]))
        fitting = [level for level in levels if abs(level - usual) >= least]
        if not fitting:
            continue
        level = fitting[0]
        if faint:
            level = usual + np.sign(level - usual) * min(abs(level - usual), rng.uniform(least, FAINT))
        filling = level + texture * abs(level - usual) * smooth_field(rng, distance.shape, spacing, rng.uniform(3, 12))[0]
        if lesion.radius > FOCAL_RADIUS[0]:
            edge = rng.uniform(0.3, 0.8)
            if core is not None and not faint:
                filling = np.where(distance < edge, core, filling)
            if rim is not None:
                filling = np.where(np.abs(distance - edge) < rng.uniform(1.0, 3.0) / lesion.radius, rim, filling)
        width = softness * (1 + lesion.radius / 20)  # large lesions have vague borders
        border = np.clip(0.5 + (1 - distance) * lesion.radius / width, 0, 1) * open_to
        share = border * rng.uniform(0.8 if faint else 0.5, 1.0)
        image[lesion.region] = (1 - share) * part + share * filling
        marked[lesion.region] |= (border >= 0.5) & open_to
    return marked


def _levels(means: np.ndarray, contrast: str | None, rng: np.random.Generator) -> np.ndarray:
    """Candidates for the brightness of lesions, the first that differs enough is taken."""
    white, grey, fluid = (float(means[APPEARANCES.index(word)]) for word in ("white", "cortex", "fluid"))
    tries = rng.uniform(0, 1, 6)
    if contrast is None or rng.random() < 0.12:
        return 1.1 * tries
    if contrast == "T2":
        return white + (0.25 + 0.8 * tries) * (fluid - white)
    if contrast == "FLAIR":
        return max(white, grey) + 0.06 + 0.5 * tries
    return fluid + (0.15 + 0.75 * tries) * (white - fluid)
