"""Expected error: how far a healthy persona lies off at every voxel, known without a look into the box.

The scan's own healthy boxes tell. There the persona can be held against the truth, and how far it lies off depends on what can
be seen from outside: how deep a voxel lies, how large the hole is, how steep and how bright the persona is there, and how rough
and how different the mirrored side is. A regression of the squared error on these gives its variance everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..brain.mirror import mirrored_side
from ..brain.preparation import PreparedScan
from ..reconstruction.reconstruction import Reconstruction, hidden_with
from .deviation_map import depth_in

LEAST_CONTROLS = 5
"""Healthy boxes from which on an expected error is told."""
VOXELS = 1500
"""Brain voxels of a healthy box that are looked at, so that a large one has no more say than a small one."""
SMOOTHING, NEAR = 1.0, 2.0
"""Standard deviations, millimetres, of the Gaussians behind the persona's slope and the mirrored side's mean and roughness."""
LEAST = {"depth": 0.5, "slope": 0.02, "roughness": 0.05, "unlikeness": 0.05}
"""Added to what is taken the logarithm of (millimetres; tissue SD per millimetre; tissue SD), or for the depth its least."""
BRIGHTEST = 3.0
"""Tissue units beyond which a persona's brightness says no more."""
MOST_SURPRISE = 25.0
"""Squared error over its expectation, as far as it counts: a vessel says little of other voxels."""
MOST_EXPECTED = 99.9
"""Percentile of the expected errors in the healthy boxes that no other exceeds, so that nothing is made up for huge boxes."""
STEPS, STEP, RIDGE = 15, 0.7, 1e-4
"""Of the scoring iteration, and what keeps it from being led astray by what is alike everywhere."""


@dataclass(frozen=True, eq=False)
class ErrorModel:
    """The regression of one scan; see `error_model`.

    Attributes:
        coefficients: of the logarithm of the error's variance, tissue units, on `_seen_from_outside`.
        most: the largest logarithm that is told; the rest would be extrapolated.
        mirrored: whether the mirrored side was looked at.
    """

    coefficients: np.ndarray
    most: float
    mirrored: bool

    def expected(self, prepared: PreparedScan, reconstruction: Reconstruction) -> np.ndarray:
        """The expected error of a persona: the standard deviation of scan minus persona, were the box healthy.

        Args:
            prepared: the scan, and what the persona was made without.
        Returns:
            float32 over the hole's region, axes I, J, K, in the scan's intensities; 0 outside the hole.
        """
        hole = reconstruction.hole
        seen = _seen_from_outside(prepared, reconstruction, self.mirrored, hole.mask)
        found = np.zeros(hole.mask.shape, np.float32)
        found[hole.mask] = prepared.tissue.scale.deviation * np.exp(
            np.minimum(_log_variance(seen, self.coefficients), self.most) / 2
        )
        return found


def error_model(prepared: PreparedScan, controls: list[Reconstruction], mirrored: bool) -> ErrorModel | None:
    """What the personas of a scan's healthy boxes tell of the error of others.

    The variance is fitted by gamma regression with a logarithmic link (quasi-likelihood, McCullagh and Nelder 1989), with each
    squared error cut at `MOST_SURPRISE` times its expectation.

    Args:
        prepared: the scan, and what the controls were made without.
        controls: the personas of healthy boxes, made with the mirrored side or without it.
        mirrored: which of both.
    Returns:
        None where there are fewer than `LEAST_CONTROLS`, or they rebuild without any error.
    """
    if len(controls) < LEAST_CONTROLS:
        return None
    seen, squared = (np.concatenate(parts) for parts in zip(*(_experience(prepared, c, mirrored) for c in controls)))
    if not squared.any():
        return None
    coefficients = np.zeros(seen.shape[1])
    coefficients[0] = np.log(squared.mean())
    squared = np.maximum(squared, 1e-6 * squared.mean())
    information = seen.T @ seen / len(seen)
    ridge = RIDGE * np.diag(np.maximum(np.diag(information), 1e-12))
    ridge[0, 0] = 0
    for _ in range(STEPS):
        surprise = np.minimum(squared / np.exp(_log_variance(seen, coefficients)), MOST_SURPRISE)
        score = seen.T @ (surprise - 1) / len(seen) - ridge @ coefficients
        coefficients = coefficients + STEP * np.linalg.solve(information + ridge + 1e-9 * np.eye(len(score)), score)
    most = float(np.percentile(_log_variance(seen, coefficients), MOST_EXPECTED))
    return ErrorModel(coefficients, most, mirrored)


def _experience(prepared: PreparedScan, control: Reconstruction, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """What is seen from outside of brain voxels of a control, (n, features), and their squared errors in tissue units, (n,)."""
    scan, hole, scale = prepared.scan, control.hole, prepared.tissue.scale
    index = np.argwhere(hole.mask)
    brain = index[prepared.tissue.classes_at(scan.ras_from_ijk(index + hole.start)) > 0]
    taken = tuple(brain[:: max(1, len(brain) // VOXELS)].T)
    mask = np.zeros(hole.mask.shape, bool)
    mask[taken] = True
    error = (scan.array[hole.region] - control.values)[mask] / scale.deviation
    return _seen_from_outside(prepared, control, mirrored, mask), error.astype(np.float64) ** 2


def _log_variance(seen: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    return np.clip(seen @ coefficients, -12, 8)


def _seen_from_outside(prepared: PreparedScan, reconstruction: Reconstruction, mirrored: bool, mask: np.ndarray) -> np.ndarray:
    """What is known of voxels without a look into the hole, float64 (n, features): a one; depth in the hole; size of the hole;
    the persona's slope and brightness; and of the mirrored side, where it may be looked at, that it is known, how rough it is
    and how far it differs from the persona.

    Args:
        mask: the voxels, boolean over the hole's region.
    """
    scan, hole, spacing = prepared.scan, reconstruction.hole, prepared.scan.spacing
    persona = prepared.tissue.scale.to_tissue(reconstruction.values).astype(np.float32)
    # around the hole a persona holds the scan, and so perhaps a part of a box that is not to be looked at
    persona[hidden_with(prepared, hole) & ~hole.mask] = 0
    depth = np.log(np.maximum(depth_in(hole, scan)[mask], LEAST["depth"]))
    slope = ndimage.gaussian_gradient_magnitude(persona, SMOOTHING / spacing, truncate=3)[mask]
    brightness = np.clip(persona[mask], -BRIGHTEST, BRIGHTEST)
    columns = [np.ones(len(depth)), depth, depth**2, np.full(len(depth), np.log(scan.grid.ml_of(hole.voxels)))]
    columns += [np.log(slope + LEAST["slope"]), brightness, brightness**2]
    if mirrored:
        known, roughness, unlikeness = (a[mask] for a in _beside_mirror(prepared, reconstruction, persona))
        columns += [known, known * np.log(roughness + LEAST["roughness"])]
        columns += [known * np.log(unlikeness + LEAST["unlikeness"])]
    return np.stack(columns, axis=1).astype(np.float64)


def _beside_mirror(
    prepared: PreparedScan, reconstruction: Reconstruction, persona: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Over the hole's region, each float32: 1 where the mirrored side is known; its standard deviation nearby; how far its mean
    nearby differs from the persona's. Tissue units.
    """
    width = NEAR / prepared.scan.spacing
    side = prepared.tissue.scale.to_tissue(mirrored_side(prepared, reconstruction.hole))
    known = np.isfinite(side)
    side = np.where(known, side, 0).astype(np.float32)

    def near(values: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(values, width, truncate=3)

    share = near(known.astype(np.float32)) + np.float32(1e-3)
    mean = near(side) / share
    roughness = np.sqrt(np.maximum(near(side**2) / share - mean**2, 0))
    return known.astype(np.float32), roughness, np.abs(near(persona) - mean)
