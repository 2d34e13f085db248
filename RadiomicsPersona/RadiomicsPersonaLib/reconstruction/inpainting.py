"""Inpainting: rebuild a mask of any shape, piece by piece."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from ..brain.preparation import PreparedScan, prepare
from ..errors import InputError
from ..geometry.hole import Hole, hole_of_mask
from ..imaging.scan import Scan
from .reconstruction import Reconstruction, compose, rebuild
from .reconstruction_model import Model, NetworkModel

GAP = 8.0
"""Millimetres; pieces of a mask that are closer share a patch."""


SecondLooks = Callable[[PreparedScan, list[Reconstruction], Model], list[Reconstruction]]


def inpaint(
    scan: Scan,
    mask: np.ndarray,
    model: Model,
    progress: Callable[[int, int, str], None] | None = None,
    second_looks: SecondLooks | None = None,
) -> tuple[np.ndarray, Model, tuple[str, ...]]:
    """Rebuild every voxel of a mask without looking at any of them.

    Args:
        scan: the scan.
        mask: boolean, the scan's shape.
        second_looks: what rebuilds again only what deviates in the mask; see `analysis.second_look`.
    Returns:
        The rebuilt scan (axes I, J, K), bit for bit the scan outside the mask; the model that rebuilt it; and warnings, one
        sentence each.
    Raises:
        InputError: the mask is empty or leaves nothing like a brain.
    """
    whole = hole_of_mask(mask)
    if whole.voxels == mask.size:
        raise InputError("The mask covers the whole scan: leave some tissue to rebuild from.")
    prepared = prepare(scan, [whole])
    step = (lambda done, total: progress(done, total, "rebuilding")) if progress else None
    model = model.for_scan(prepared)
    results = rebuild(prepared, _pieces(scan, whole), model, progress=step)
    told = ()
    if second_looks:
        if progress:
            progress(len(results), len(results), "looking again")
        results = second_looks(prepared, results, model)
        again = scan.grid.ml_of(sum(result.hole.voxels for result in results))
        told = (
            f"{again:.3g} of {scan.grid.ml_of(whole.voxels):.3g} ml deviate and were rebuilt; the rest of the mask was kept.",
        )
    notes = model.notes if isinstance(model, NetworkModel) else ()
    return compose(prepared, results), model, tuple(dict.fromkeys((*scan.warnings, *_on_coarse_grids(results), *notes, *told)))


def _on_coarse_grids(results: list[Reconstruction]) -> list[str]:
    """One note on all pieces that were too large for the finest grid."""
    coarse = [result.spacing for result in results if result.warnings]
    if not coarse:
        return []
    grids = " to ".join(dict.fromkeys(f"{spacing:.3g}" for spacing in (min(coarse), max(coarse))))
    return [
        f"{len(coarse)} of {len(results)} piece(s) of the mask are large; they were rebuilt on a coarse grid of {grids} mm, so "
        "fine detail is missing there."
    ]


def _pieces(scan: Scan, whole: Hole) -> list[Hole]:
    """The mask's pieces; those closer than `GAP` to each other count as one."""
    region = whole.grown(scan.shape, 1)
    distance = ndimage.distance_transform_edt(~region.mask, sampling=scan.spacing)
    labels, count = ndimage.label(distance <= GAP / 2, structure=np.ones((3, 3, 3)))
    pieces = []
    for label in range(1, count + 1):
        piece = hole_of_mask(region.mask & (labels == label))
        pieces.append(Hole(piece.start + region.start, piece.mask))
    return pieces
