"""Kinds: what focal cortical dysplasia, MS, stroke and tumours look like, painted on a canvas.

Every function returns the canvas's values with the lesion, and two boolean arrays: what is lesion, and what may have changed.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .canvas import Canvas, smoothstep
from .mass_effect import displacement_around, warped

SIGNAL = {
    "ms": {"T1": -0.27, "T1 post": -0.22, "T2": 0.27, "FLAIR": 0.46},
    "stroke": {"T1": -0.26, "T1 post": -0.24, "T2": 0.32, "FLAIR": 0.48},
    "oedema": {"T1": -0.16, "T1 post": -0.15, "T2": 0.20, "FLAIR": 0.42},
    "core": {"T1": -0.32, "T1 post": -0.27, "T2": 0.28, "FLAIR": 0.50},
    "necrosis": {"T1": -0.50, "T1 post": -0.46, "T2": 0.48, "FLAIR": 0.25},
    "rim": {"T1": -0.24, "T1 post": 0.65, "T2": 0.18, "FLAIR": 0.48},
    "dysplastic cortex": {"T1": -0.03, "T1 post": -0.03, "T2": 0.04, "FLAIR": 0.14},
    "transmantle tail": {"T1": -0.10, "T1 post": -0.10, "T2": 0.08, "FLAIR": 0.22},
}
"""Brightness at strength 1 by contrast: distance from white matter, for dysplastic cortex from grey matter, as a share of the
difference of white matter and fluid."""
MARGIN = {"fcd": 45.0, "ms": 8.0, "stroke": 10.0, "tumour": 32.0}
"""Millimetres around the outline that are looked at; nothing beyond changes."""
LEAST_WITH_NECROSIS = 1.5
"""Millilitres of a tumour's core from which its inside is necrotic."""
COMPACTNESS = 0.5
"""What a millimetre from a tumour's middle weighs against a millimetre of depth, in choosing its core."""
HALF = 0.5
"""Weight from which a voxel is lesion."""

Painted = tuple[np.ndarray, np.ndarray, np.ndarray]


def paint_ms(canvas: Canvas) -> Painted:
    """A plaque: darkest or brightest in its middle, uneven, its border soft; fluid stays fluid."""
    weight = canvas.soft(canvas.mask, canvas.rng.uniform(2.0, 4.0), rough=0.6) * _wet(canvas)
    depth = canvas.depth(canvas.mask)
    profile = 0.85 + 0.35 * np.clip(depth / max(depth.max(), 1.0), 0, 1) + 0.22 * canvas.texture(4.0)
    rebuilt = weight * min(1.0, 0.6 * canvas.strength)
    painted = canvas.shifted(canvas.background(canvas.values, rebuilt), weight, SIGNAL["ms"][canvas.contrast] * profile, 0.7)
    return canvas.with_noise(painted, rebuilt), weight >= HALF, weight > 0


def paint_stroke(canvas: Canvas) -> Painted:
    """An infarct: cortex and white matter alike, sulci narrowed."""
    weight = canvas.soft(canvas.mask, canvas.rng.uniform(2.0, 3.5), rough=1.2) * _wet(canvas, 0.8)
    profile = 1 + 0.18 * canvas.texture(10.0) + 0.14 * canvas.texture(3.5)
    rebuilt = weight * min(1.0, 0.5 * canvas.strength)
    painted = canvas.shifted(
        canvas.background(canvas.values, rebuilt), weight, SIGNAL["stroke"][canvas.contrast] * profile, 0.6
    )
    return canvas.with_noise(painted, rebuilt), weight >= HALF, weight > 0


def paint_tumour(canvas: Canvas) -> Painted:
    """A mass, if large enough with necrosis inside a rim, which displaces what surrounds it,
    in oedema that keeps to white matter.
    """
    rng, strength = canvas.rng, canvas.strength
    voxel = float(np.prod(canvas.spacing)) / 1000
    whole = _without_folds(canvas)
    core = _innermost(canvas, whole, rng.uniform(0.4, 0.55), 0.12)
    radius = (750 * core.sum() * voxel / np.pi) ** (1 / 3)
    free = smoothstep(ndimage.distance_transform_edt(canvas.shares.sum(axis=0) > 0.5, sampling=canvas.spacing) / 12)
    push, reach = min(1.0, strength) * min(8.0, rng.uniform(0.15, 0.3) * radius), min(MARGIN["tumour"] - 4, 8 + 1.5 * radius)
    displacement = displacement_around(core, free, canvas.spacing, push, reach)
    moved = (displacement != 0).any(axis=0)
    values = np.where(moved, warped(canvas.values, displacement), canvas.values)
    _, grey, white = (np.clip(warped(share, displacement), 0, 1) for share in canvas.shares)
    solid = canvas.soft(core, rng.uniform(2.0, 3.5), rough=1.0) * _wet(canvas, 0.15)
    depth = canvas.depth(whole)
    swollen = canvas.soft(whole, 5.0, rough=2.0) * smoothstep(0.35 + depth / max(5.0, 0.6 * depth.max()))
    swollen = swollen * np.clip(white + 0.12 * grey, 0, 1) * (1 - solid)
    signal = {part: SIGNAL[part][canvas.contrast] for part in ("oedema", "core", "necrosis", "rim")}
    rebuilt = solid * min(1.0, 0.9 * strength)
    painted = canvas.shifted(
        canvas.background(values, rebuilt), swollen, signal["oedema"] * (1 + 0.2 * canvas.texture(7.0)), 0.3
    )
    filling = signal["core"] * (1 + 0.2 * canvas.texture(6.0) + 0.2 * canvas.texture(3.0))
    if core.sum() * voxel > LEAST_WITH_NECROSIS:
        necrosis = canvas.soft(_innermost(canvas, core, rng.uniform(0.35, 0.6), 0.25), 2.5, rough=1.5)
        rim = signal["rim"] * (1 + 0.3 * canvas.texture(5.0) + 0.3 * canvas.texture(2.5))
        filling = rim + necrosis * (signal["necrosis"] * (1 + 0.25 * canvas.texture(4.0)) - rim)
    painted = canvas.with_noise(canvas.shifted(painted, solid, filling, 0.9, evenness=0.8), rebuilt)
    return painted, np.maximum(solid, 2 * swollen) >= HALF, (solid > 0) | (swollen > 0) | moved


def paint_fcd(canvas: Canvas) -> Painted:
    """Thick cortex whose border with white matter is blurred, mild signal, in half of all cases a tail to the ventricle."""
    rng, levels, strength = canvas.rng, canvas.levels, canvas.strength
    _, grey, white = canvas.shares
    weight = canvas.soft(canvas.mask, 4.0, rough=0.8) * _wet(canvas)
    ribbon = ndimage.gaussian_filter(grey, 0.5) > 0.5  # without specks of noise
    from_cortex = (
        ndimage.distance_transform_edt(~ribbon, sampling=canvas.spacing) if ribbon.any() else np.full(grey.shape, np.inf)
    )
    thicker, blur = strength * rng.uniform(2.0, 4.0), 1.0 + strength * rng.uniform(1.5, 3.0)
    thicker = thicker * (1 + 0.3 * canvas.texture(6.0))
    greyed = smoothstep(0.5 + (thicker - from_cortex) / (2 * blur)) * white * min(1.0, 1.2 * strength)
    shift = SIGNAL["dysplastic cortex"][canvas.contrast] * strength * levels.reach * (1 + 0.3 * canvas.texture(5.0))
    rebuilt = 0.3 * weight * min(1.0, strength)
    painted = canvas.with_noise(canvas.background(canvas.values, rebuilt), rebuilt)
    painted += weight * (0.9 * greyed * (levels.grey - levels.white) + (grey + greyed) * shift)
    tail = _tail(canvas) if rng.random() < 0.5 else np.zeros(weight.shape)
    signal = SIGNAL["transmantle tail"][canvas.contrast] * strength * levels.reach
    painted += tail * white * (1 - weight * greyed) * signal
    return painted, np.maximum(weight, tail * white) >= HALF, (weight > 0) | (tail > 0)


def _wet(canvas: Canvas, spared: float = 1.0) -> np.ndarray:
    """1 in tissue, 0 outside the brain and, as far as it is spared, in fluid."""
    fluid = ndimage.gaussian_filter(canvas.shares[0], 0.5)
    return (1 - spared * fluid) * smoothstep(canvas.shares.sum(axis=0) / 0.8)


def _without_folds(canvas: Canvas) -> np.ndarray:
    """The outline with the sulci that it goes around: a mass fills them."""
    return canvas.mask | (ndimage.distance_transform_edt(canvas.depth(canvas.mask) > -4.0, sampling=canvas.spacing) > 4.0)


def _innermost(canvas: Canvas, mask: np.ndarray, share: float, roughness: float) -> np.ndarray:
    """The deepest share of a mask in one compact piece, its border uneven."""
    depth = canvas.depth(mask)
    deepest = np.unravel_index(depth.argmax(), depth.shape)
    apart = np.ones(mask.shape, bool)
    apart[deepest] = False
    apart = ndimage.distance_transform_edt(apart, sampling=canvas.spacing)
    depth = depth - COMPACTNESS * apart + roughness * depth.max() * canvas.texture(max(4.0, depth.max()))
    inner = mask & (depth >= np.quantile(depth[mask], 1 - share))
    opened = ndimage.binary_opening(inner)
    opened[deepest] = True
    labels, _ = ndimage.label(opened | (inner & ndimage.binary_dilation(opened)))
    return labels == labels[deepest]


def _tail(canvas: Canvas) -> np.ndarray:
    """Weights of a funnel from the outline towards the nearest large fluid space deep in white matter;
    all 0 where there is none near.
    """
    fluid, _, white = canvas.shares
    ventricle = ndimage.binary_opening(fluid > 0.7, iterations=max(1, round(2 / float(canvas.spacing.max()))))
    ventricle &= ndimage.distance_transform_edt(canvas.shares.sum(axis=0) > 0.5, sampling=canvas.spacing) > 15
    points = np.argwhere(canvas.mask) * canvas.spacing
    if not ventricle.any() or not len(points):
        return np.zeros(fluid.shape)
    origin = points.mean(axis=0)
    targets = np.argwhere(ventricle) * canvas.spacing
    target = targets[np.linalg.norm(targets - origin, axis=1).argmin()]
    length = float(np.linalg.norm(target - origin))
    if not 8 < length < 45:
        return np.zeros(fluid.shape)
    along = (target - origin) / length
    grid = (
        np.stack(np.meshgrid(*(np.arange(n) * s for n, s in zip(fluid.shape, canvas.spacing)), indexing="ij"), axis=-1) - origin
    )
    t = grid @ along
    apart = np.linalg.norm(grid - t[..., None] * along, axis=-1)
    width = np.clip(0.35 * np.cbrt(0.75 / np.pi * len(points) * np.prod(canvas.spacing)), 1.5, 6.0)
    width = width + (1.2 - width) * np.clip(t / length, 0, 1)
    return smoothstep(0.5 + (width - apart) / 2.0) * smoothstep((t + 2) / 4) * smoothstep((length - t + 1) / 2) * (white > 0)


PAINT = {"fcd": paint_fcd, "ms": paint_ms, "stroke": paint_stroke, "tumour": paint_tumour}
