"""Lesion detection: how many lesions are found, and how much else is taken for one, as a probability is cut higher or lower.

Lesions are connected pieces, and so is what is found. A piece lies on lesions where these are at least `LEAST_SHARE` of it,
else it is a false positive; a lesion is found where such pieces cover that share of it. (The free-response operating
characteristic of Bunch et al. 1978, with the overlap that Baumgartner et al. 2021 ask for; without one the whole head would
find every lesion.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

CUTS = np.array([*np.round(np.arange(0.05, 1.0, 0.05), 2), 0.97, 0.98, 0.99, 0.995, 0.998, 0.999])
"""Probabilities from which on a voxel is called lesion; networks that are sure of themselves are told apart near 1."""
LEAST_ML = 0.1
"""Smaller pieces do not count, neither of the truth nor of what is found."""
LEAST_SHARE = 0.1
_TOUCHING = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, eq=False)
class Detection:
    """What was found in one head at every one of `CUTS`.

    Attributes:
        lesions: how many there are.
        found: how many of them are found, (cuts,).
        false: how many pieces are none, (cuts,).
    """

    lesions: int
    found: np.ndarray
    false: np.ndarray


def detect(probability: np.ndarray, truth: np.ndarray, voxel_ml: float) -> Detection:
    """Count in one head.

    Args:
        probability: of a lesion, any grid.
        truth: boolean, the same.
        voxel_ml: volume of a voxel.
    """
    marked, lesions = pieces(truth, voxel_ml)
    found, false = np.zeros(len(CUTS), int), np.zeros(len(CUTS), int)
    for number, cut in enumerate(CUTS):
        candidates, count = pieces(probability >= cut, voxel_ml)
        on_lesions = _share(marked > 0, candidates, count) >= LEAST_SHARE
        false[number] = count - on_lesions.sum()
        found[number] = (_share(np.isin(candidates, np.flatnonzero(on_lesions) + 1), marked, lesions) >= LEAST_SHARE).sum()
    return Detection(lesions, found, false)


def pieces(mask: np.ndarray, voxel_ml: float) -> tuple[np.ndarray, int]:
    """Connected pieces of at least `LEAST_ML`, numbered from 1, and how many they are."""
    labels, _ = ndimage.label(mask, structure=_TOUCHING)
    sizes = np.bincount(labels.ravel())
    large = sizes * voxel_ml >= LEAST_ML
    large[0] = False
    numbers = np.where(large, np.cumsum(large), 0)
    return numbers[labels], int(large.sum())


def _share(mask: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """How much of every piece a mask holds, (count,)."""
    held, whole = (np.bincount(some.ravel(), minlength=count + 1)[1:] for some in (labels[mask], labels))
    return held / np.maximum(whole, 1)


def sensitivity_at(detections: list[Detection], false_per_scan: float = 1.0) -> float:
    """The largest share of all lesions that one cut finds with at most so many false positives per scan;
    0 where every cut has more.

    Raises:
        ValueError: there is no lesion in any scan.
    """
    lesions = sum(detection.lesions for detection in detections)
    if not lesions:
        raise ValueError("no lesions")
    found = np.sum([detection.found for detection in detections], axis=0) / lesions
    false = np.mean([detection.false for detection in detections], axis=0)
    return float(np.max(found, where=false <= false_per_scan, initial=0.0))
