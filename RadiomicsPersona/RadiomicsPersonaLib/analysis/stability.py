"""Stability: the same analysis after small changes that should not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ..geometry.box import Box
from ..imaging.scan import Scan
from .result import Analysis, StabilityTrial

Progress = Callable[[int, int, str], None]

JITTER = 2.0
"""Millimetres by which boxes are moved along every axis, either way."""
NOISE = 0.02
"""Standard deviation of the noise that is added, as a share of the scan's usual range (1 to 99 percentile)."""
FLIP, HALF_VOXEL, ADDED_NOISE = "left and right exchanged", "grid shifted by half a voxel", "noise added"
CHANGES = 6 + 3
"""How many changes there are."""


@dataclass(frozen=True, eq=False)
class Change:
    """A scan with its boxes and excluded voxels (or None) after one small change; its name says which."""

    name: str
    scan: Scan
    boxes: list[Box]
    exclude: np.ndarray | None


def changes_of(scan: Scan, boxes: list[Box], exclude: np.ndarray | None = None, seed: int = 0) -> Iterator[Change]:
    """The changes one after another: boxes moved by 2 mm either way, sides exchanged, grid shifted, noise added."""
    for axis, name in enumerate("RAS"):
        for sign in (1.0, -1.0):
            step = sign * JITTER * np.eye(3)[axis]
            moved = [box.moved_to(box.center + step) for box in boxes]
            yield Change(
                f"{'box' if len(boxes) == 1 else 'boxes'} moved by {sign * JITTER:+g} mm along {name}", scan, moved, exclude
            )
    yield flipped(scan, boxes, exclude)
    yield shifted(scan, boxes, exclude)
    low, high = np.percentile(scan.array, [1, 99])
    noise = np.random.default_rng(seed).normal(0, NOISE * (high - low), scan.shape).astype(scan.array.dtype)
    yield Change(ADDED_NOISE, Scan(scan.array + noise, scan.affine, scan.name), boxes, exclude)


def flipped(scan: Scan, boxes: list[Box], exclude: np.ndarray | None = None) -> Change:
    """The patient mirrored: voxels in reverse order along the axis that runs left to right, boxes with them."""
    axis = scan.axes_to_ras[0][0]
    normal = scan.affine[:3, axis] / scan.spacing[axis]
    reflection = np.eye(4)
    reflection[:3, :3] -= 2 * np.outer(normal, normal)
    reflection[:3, 3] = 2 * normal * (normal @ scan.ras_from_ijk((np.array(scan.shape) - 1) / 2))
    return Change(
        FLIP,
        Scan(np.ascontiguousarray(np.flip(scan.array, axis)), scan.affine, scan.name),
        [box.transformed(reflection) for box in boxes],
        None if exclude is None else np.flip(exclude, axis),
    )


def shifted(scan: Scan, boxes: list[Box], exclude: np.ndarray | None = None) -> Change:
    """The scan interpolated half a voxel further along every axis (cubic splines), where it is in space."""
    affine = scan.affine.copy()
    affine[:3, 3] = scan.ras_from_ijk(np.full(3, 0.5))
    array = ndimage.shift(scan.array, -0.5, order=3, mode="nearest").astype(scan.array.dtype)
    array = np.clip(array, scan.array.min(), scan.array.max())
    if exclude is not None:
        exclude = ndimage.shift(exclude.astype(np.float32), -0.5, order=1, mode="nearest") > 0.25
    return Change(HALF_VOXEL, Scan(array, affine, scan.name), boxes, exclude)


def with_stability(
    analysis: Analysis,
    redo: Callable[[Change], Analysis],
    exclude: np.ndarray | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Analysis:
    """The analysis with what becomes of every box's verdict when all is done again after each change.

    Args:
        redo: analyses a change as the scan was analysed.
        exclude: what was excluded.
        seed: of the noise.
        progress: called with (changes done, changes in all, what); may raise to cancel.
    """
    rows = []
    for change in changes_of(analysis.scan, [result.box for result in analysis.boxes], exclude, seed):
        rows.append([StabilityTrial(change.name, result.label, result.p) for result in redo(change).boxes])
        if progress:
            progress(len(rows), CHANGES, change.name)
    tried = [replace(result, stability=trials) for result, trials in zip(analysis.boxes, zip(*rows))]
    return replace(analysis, boxes=tuple(tried))
