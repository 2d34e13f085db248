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
from ..reconstruction.reconstruction import REGION_MARGIN, Reconstruction, seen_around
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
    """All of `metric.METRICS` of one rebuilt box, over its voxels inside the head: skull and scalp have no say.

    Args:
        model: whose encoder gives the feature distance; NaN for classical ones.
        intensity_range: from `usual_range`.
        use_mirror: whether the mirrored side may be looked at.
        values: (I, J, K) intensities over the reconstruction's region to compare instead of the scan's.
    """
    scan, hole = prepared.scan, reconstruction.hole
    original = scan.array[hole.region] if values is None else values
    maps = prepared.maps if values is None else head_maps(_with_values(scan, hole, values), prepared.tissue)
    evidence = prepared.evidence if values is None else evidence_of(maps, prepared.midplane)
    head = hole.mask if evidence is None else evidence.brain_in(scan, hole)
    head = head if head.any() else hole.mask
    metrics = differences_of(prepared, reconstruction, model, intensity_range, use_mirror, original, head)
    metrics |= maps.metrics_over(scan, hole, prepared.midplane if use_mirror else None, prepared.suspects)
    if evidence is not None:
        metrics |= evidence.metrics_in(scan, hole, prepared.suspects, use_mirror)
    return metrics | make_up(prepared, hole, head)


def differences_of(
    prepared: PreparedScan,
    reconstruction: Reconstruction,
    model: Model,
    intensity_range: tuple[float, float],
    use_mirror: bool,
    original: np.ndarray,
    head: np.ndarray,
) -> dict[str, float]:
    """The metrics that hold a box's intensities against its persona, the plainest fill and the mirrored side: all but those
    of the whole-head models.

    Args:
        original: (I, J, K) intensities over the reconstruction's region.
        head: boolean, same shape: the voxels that count.
        the others: as `metrics_of`.
    """
    scan, scale, hole = prepared.scan, prepared.tissue.scale, reconstruction.hole
    rebuilt = np.where(head, reconstruction.values, original)
    mirrored = mirrored_side(prepared, hole) if use_mirror else None
    metrics = compare(original, rebuilt, head, scan.spacing, scale, intensity_range, scan.axes_to_ras[0][0], mirrored)
    if isinstance(model, NetworkModel):
        metrics["feature_distance"] = feature_distance(
            model, original, rebuilt, head, scan.spacing, reconstruction.spacing, scale
        )
    metrics["harmonic_residual"] = harmonic_residual(prepared, hole, original, head)
    return metrics


def make_up(prepared: PreparedScan, hole: Hole, head: np.ndarray) -> dict[str, float]:
    """How much brain a box holds and what it is made of, as seen without its content: what scores are adjusted for.

    Args:
        head: boolean over the hole's region: its voxels inside the head.
    """
    scan, voxels = prepared.scan, int(head.sum())
    points = np.argwhere(head)[:: 1 + voxels // MOST_POINTS] + hole.start
    classes = prepared.tissue.classes_at(scan.ras_from_ijk(points))
    shares = np.bincount(classes, minlength=4) / len(classes)
    return {
        "brain_volume": scan.grid.ml_of(voxels),
        "outside_share": float(shares[0]),
        "fluid_share": float(shares[1]),
        "grey_share": float(shares[2]),
    }


def harmonic_residual(prepared: PreparedScan, hole: Hole, original: np.ndarray, head: np.ndarray) -> float:
    """What the simplest fill leaves; see `metric.METRICS`. Without any model it tells small bright lesions in FLAIR best of
    all.

    Args:
        original: (I, J, K) intensities over the hole's region.
        head: boolean, same shape: the hole's voxels inside the head.
    """
    region, hidden = seen_around(prepared, hole, 0)
    inner = tuple(slice(int(o), int(o + n)) for o, n in zip(hole.start - region.start, hole.mask.shape))
    values = np.array(prepared.scan.array[region.region], np.float64)
    values[inner] = original
    residual = (values - fills.harmonic(values, hidden, prepared.scan.spacing))[inner][head]
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
