"""Measurement: all metrics of one rebuilt box, from the comparison, the network,
the plainest fill and the whole-head models.
"""

from __future__ import annotations

import numpy as np

from ..brain.evidence import evidence_of
from ..brain.head_maps import MOST_POINTS, head_maps
from ..brain.mirror import mirrored_side
from ..brain.preparation import PreparedScan
from ..geometry.hole import Hole
from ..imaging.scan import Scan
from ..reconstruction import fills
from ..reconstruction.reconstruction import REGION_MARGIN, Reconstruction, hidden_with
from ..reconstruction.reconstruction_model import Model, NetworkModel
from .comparison import CONTEXT, compare
from .feature_distance import feature_distance

assert REGION_MARGIN >= CONTEXT  # reconstructions carry the context that the comparison needs


def metrics_of(
    prepared: PreparedScan,
    reconstruction: Reconstruction,
    model: Model,
    intensity_range: tuple[float, float],
    use_mirror: bool = True,
    values: np.ndarray | None = None,
) -> dict[str, float]:
    """All of `metric.METRICS` of one rebuilt box.

    Args:
        model: whose encoder gives the feature distance; NaN for classical ones.
        intensity_range: from `usual_range`.
        use_mirror: whether the mirrored side may be looked at.
        values: (I, J, K) intensities over the reconstruction's region to compare instead of the scan's.
    """
    scan, scale, hole = prepared.scan, prepared.tissue.scale, reconstruction.hole
    original = scan.array[hole.region] if values is None else values
    mirrored = mirrored_side(prepared, hole) if use_mirror else None
    metrics = compare(
        original, reconstruction.values, hole.mask, scan.spacing, scale, intensity_range, scan.axes_to_ras[0][0], mirrored
    )
    if isinstance(model, NetworkModel):
        metrics["feature_distance"] = feature_distance(
            model, original, reconstruction.values, hole.mask, scan.spacing, reconstruction.spacing, scale
        )
    metrics["harmonic_residual"] = harmonic_residual(prepared, hole, original)
    maps = prepared.maps if values is None else head_maps(_with_values(scan, hole, values), prepared.tissue)
    metrics |= maps.metrics_over(scan, hole, prepared.midplane if use_mirror else None, prepared.suspects)
    evidence = prepared.evidence if values is None else evidence_of(maps, prepared.midplane)
    if evidence is not None:
        metrics |= evidence.metrics_in(scan, hole, prepared.suspects, use_mirror)
    return metrics | make_up(prepared, hole)


def make_up(prepared: PreparedScan, hole: Hole) -> dict[str, float]:
    """How large a box is and what it is made of, as seen without its content: the metrics that scores are adjusted for."""
    scan, most = prepared.scan, 1 + hole.voxels // MOST_POINTS
    classes = prepared.tissue.classes_at(scan.ras_from_ijk(np.argwhere(hole.mask)[::most] + hole.start))
    shares = np.bincount(classes, minlength=4) / len(classes)
    return {
        "box_volume": scan.grid.ml_of(hole.voxels),
        "outside_share": float(shares[0]),
        "fluid_share": float(shares[1]),
        "grey_share": float(shares[2]),
    }


def harmonic_residual(prepared: PreparedScan, hole: Hole, original: np.ndarray) -> float:
    """What the simplest fill leaves; see `metric.METRICS`. Without any model it tells small bright lesions in FLAIR best of
    all.

    Args:
        original: (I, J, K) intensities over the hole's region.
    """
    values = np.asarray(original, np.float64)
    residual = (values - fills.harmonic(values, hidden_with(prepared, hole), prepared.scan.spacing))[hole.mask]
    return float(np.sqrt(np.mean(residual**2)) / prepared.tissue.scale.deviation)


def _with_values(scan: Scan, hole: Hole, values: np.ndarray) -> Scan:
    """The scan with other intensities over a hole's region."""
    array = scan.array.copy()
    array[hole.region] = values
    return Scan(array, scan.affine, scan.name)


def usual_range(prepared: PreparedScan) -> tuple[float, float]:
    """0.5 and 99.5 percentile of the scan without its suspects, from at most about a million voxels."""
    scan = prepared.scan
    step = max(1, round((scan.array.size / 1e6) ** (1 / 3)))
    sample = scan.array[::step, ::step, ::step]
    if prepared.suspects is not None:
        visible = ~prepared.suspects.full_mask(scan.shape)[::step, ::step, ::step]
        sample = sample[visible]
    low, high = np.percentile(sample, [0.5, 99.5])
    return float(low), float(high)
