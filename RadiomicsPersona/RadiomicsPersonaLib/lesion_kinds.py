"""Lesion kinds: what focal cortical dysplasia, MS, stroke and tumours look like, painted on a canvas.

Every function returns the canvas's values with the lesion, and two boolean arrays: what is lesion, and what may have changed.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .lesion_canvas import Canvas, smoothstep
from .mass_effect import displacement_around, warped

SIGNAL = {
    "ms": {"T1": -0.24, "T1 post": -0.20, "T2": 0.27, "FLAIR": 0.46},
    "stroke": {"T1": -0.28, "T1 post": -0.26, "T2": 0.32, "FLAIR": 0.48},
    "oedema": {"T1": -0.20, "T1 post": -0.18, "T2": 0.20, "FLAIR": 0.45},
    "core": {"T1": -0.30, "T1 post": -0.26, "T2": 0.25, "FLAIR": 0.42},
    "necrosis": {"T1": -0.55, "T1 post": -0.50, "T2": 0.50, "FLAIR": 0.15},
    "rim": {"T1": -0.20, "T1 post": 0.55, "T2": 0.16, "FLAIR": 0.42},
    "dysplastic cortex": {"T1": -0.03, "T1 post": -0.03, "T2": 0.04, "FLAIR": 0.14},
    "transmantle tail": {"T1": -0.10, "T1 post": -0.10, "T2": 0.08, "FLAIR": 0.22},
}
"""Brightness at strength 1 by contrast: distance from white matter, for dysplastic cortex from grey matter, as a share of the
difference of white matter and fluid."""
MARGIN = {"fcd": 45.0, "ms": 6.0, "stroke": 8.0, "tumour": 32.0}
"""Millimetres around the outline that a kind may change at most, and more."""


def paint_ms(canvas: Canvas) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A plaque: darkest or brightest in its middle, its border soft; fluid stays fluid."""
    depth = canvas.depth(canvas.mask)
    weight = canvas.soft(canvas.mask, canvas.rng.uniform(1.5, 3.0)) * (1 - canvas.shares[0]) * np.minimum(1, canvas.shares.sum(axis=0))
    profile = 0.8 + 0.4 * np.clip(depth / max(depth.max(), 1.0), 0, 1) + 0.08 * canvas.texture(4.0)
    background = canvas.background(canvas.values, weight * min(1.0, 0.6 * canvas.strength))
    return canvas.shifted(background, weight, SIGNAL["ms"][canvas.contrast] * profile, 0.7), canvas.mask & (weight > 0.25), weight > 0


def paint_stroke(canvas: Canvas) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An infarct: cortex and white matter alike, sulci narrowed."""
    weight = canvas.soft(canvas.mask, canvas.rng.uniform(1.2, 2.5)) * (1 - 0.8 * canvas.shares[0]) * np.minimum(1, canvas.shares.sum(axis=0))
    profile = 1 + 0.10 * canvas.texture(9.0) + 0.05 * canvas.texture(3.5)
    background = canvas.background(canvas.values, weight * min(1.0, 0.5 * canvas.strength))
    return canvas.shifted(background, weight, SIGNAL["stroke"][canvas.contrast] * profile, 0.6), canvas.mask & (weight > 0.25), weight > 0


def paint_tumour(canvas: Canvas) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A mass with a necrotic core and a rim, which displaces what surrounds it, in oedema that keeps to white matter."""
    rng = canvas.rng
    voxel = float(np.prod(canvas.spacing)) / 1000
    depth = canvas.depth(canvas.mask)
    core = _innermost(canvas, canvas.mask, rng.uniform(0.35, 0.5), 0.15)
    necrosis = _innermost(canvas, core, rng.uniform(0.35, 0.55), 0.2) if core.sum() * voxel > 1.5 else np.zeros(core.shape, bool)
    radius = (750 * core.sum() * voxel / np.pi) ** (1 / 3)
    held = smoothstep(ndimage.distance_transform_edt(canvas.shares.sum(axis=0) > 0.5, sampling=canvas.spacing) / 10)
    displacement = displacement_around(
        core, held, canvas.spacing, push=min(8.0, rng.uniform(0.15, 0.3) * radius), reach=min(MARGIN["tumour"] - 2, 8 + 1.5 * radius)
    )
    moved = np.abs(displacement).max(axis=0) > 1e-3
    values = np.where(moved, warped(canvas.values, displacement), canvas.values)
    fluid, grey, white = (np.clip(warped(share, displacement), 0, 1) for share in canvas.shares)
    inside = canvas.soft(core, rng.uniform(1.2, 2.2))
    spread = canvas.soft(canvas.mask, 3.5) * smoothstep(0.3 + depth / max(6.0, depth.max() / 2))
    swollen = spread * np.clip(white + 0.12 * grey, 0, 1) * (1 - inside)
    painted = canvas.background(values, inside * min(1.0, 0.9 * canvas.strength))
    signal = {part: SIGNAL[part][canvas.contrast] for part in ("oedema", "core", "necrosis", "rim")}
    painted = canvas.shifted(painted, swollen, signal["oedema"] * (1 + 0.10 * canvas.texture(8.0)), 0.3)
    filling = np.full(core.shape, signal["rim"]) * (1 + 0.15 * canvas.texture(4.0))
    if not necrosis.any():
        filling = signal["core"] * (1 + 0.12 * canvas.texture(4.0))
    inner = canvas.soft(necrosis, 2.0) if necrosis.any() else 0.0
    filling = filling + inner * (signal["necrosis"] * (1 + 0.10 * canvas.texture(5.0)) - filling)
    painted = canvas.shifted(painted, inside, filling, 0.9)
    return painted, core | (canvas.mask & (swollen >= 0.25)), (inside > 0) | (swollen > 0) | moved


def paint_fcd(canvas: Canvas) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thick cortex whose border with white matter is blurred, mild signal, in half of all cases a tail to the ventricle."""
    rng, levels, strength = canvas.rng, canvas.levels, canvas.strength
    fluid, grey, white = canvas.shares
    weight = canvas.soft(canvas.mask, 4.0) * (1 - fluid) * np.minimum(1, canvas.shares.sum(axis=0))
    from_cortex = ndimage.distance_transform_edt(grey < 0.5, sampling=canvas.spacing)
    thicker, blur = strength * rng.uniform(2.0, 4.0), 1.0 + strength * rng.uniform(1.5, 3.0)
    greyed = smoothstep(0.5 + (thicker - from_cortex) / (2 * blur)) * white * min(1.0, 1.2 * strength)
    shift = SIGNAL["dysplastic cortex"][canvas.contrast] * strength * levels.reach
    background = canvas.background(canvas.values, 0.3 * weight * min(1.0, strength))
    painted = background + weight * (greyed * (levels.grey - levels.white) + (grey + greyed) * shift)
    tail = _tail(canvas) if rng.random() < 0.5 else np.zeros(weight.shape)
    signal = SIGNAL["transmantle tail"][canvas.contrast] * strength * levels.reach
    painted = painted + tail * white * (1 - weight * greyed) * signal
    lesion = (canvas.mask & (weight * (grey + greyed) > 0.25)) | (tail * white > 0.5)
    return painted, lesion, (weight > 0) | (tail > 0)


def _innermost(canvas: Canvas, mask: np.ndarray, share: float, roughness: float) -> np.ndarray:
    """The deepest share of a mask, its border uneven."""
    depth = canvas.depth(mask)
    depth = depth + roughness * depth.max() * canvas.texture(max(4.0, depth.max()))
    return mask & (depth >= np.quantile(depth[mask], 1 - share))


def _tail(canvas: Canvas) -> np.ndarray:
    """Weights of a funnel from the outline towards the nearest large fluid space deep in white matter; all 0 where there is none near."""
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
    grid = np.stack(np.meshgrid(*(np.arange(n) * s for n, s in zip(fluid.shape, canvas.spacing)), indexing="ij"), axis=-1) - origin
    t = grid @ along
    apart = np.linalg.norm(grid - t[..., None] * along, axis=-1)
    width = np.clip(0.35 * np.cbrt(0.75 / np.pi * len(points) * np.prod(canvas.spacing)), 1.5, 6.0)
    width = width + (1.2 - width) * np.clip(t / length, 0, 1)
    return smoothstep(0.5 + (width - apart) / 2.0) * smoothstep((t + 2) / 4) * smoothstep((length - t + 1) / 2) * (white > 0)


PAINT = {"fcd": paint_fcd, "ms": paint_ms, "stroke": paint_stroke, "tumour": paint_tumour}
