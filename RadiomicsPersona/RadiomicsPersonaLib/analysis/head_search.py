"""Head search: the places of a whole head that stand out, ranked, each with a box to be judged.

The lesion model has favourite places in healthy heads: the caps of the ventricles, above all. So its log odds are smoothed and
held against those of healthy people at the same place (`HeadAtlas`), then against the rest of the same brain. What is left is
ranked among what stands out most in healthy heads, which is the correction for having looked everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..brain.average_brain import AFFINE
from ..brain.preparation import PreparedScan
from ..brain.recognition import why_no_brain
from ..brain.standard_space import ras_from_standard
from ..geometry.box import Box
from ..imaging.grid import Grid
from ..networks.head_model import LesionModel
from .head_norms import FALSE_PER_HEAD, LEVEL, HeadAtlas, HeadNorms, Measured

SMOOTHINGS = (3.0, 6.0)
"""Standard deviations, millimetres, of the Gaussians before the log odds are looked at: small lesions, and large ones."""
LEAST_SPREAD = 0.3
"""Log odds; a place at which healthy people differ by less is held against this."""
MOST_PLACES = 10
"""Places that are listed."""
LEAST_APART = 12.0
"""Millimetres between the peaks of two places."""
LEAST_SCORE = 0.5
"""Score below which nothing counts as a place, in healthy heads either."""
HEIGHT = 0.6
"""Share of a place's score down to which what is joined to its peak belongs to it."""
MARGIN, LEAST_SIDE, MOST_SIDE = 2.0, 10.0, 80.0
"""Millimetres around a place on each side of its box, and the least and greatest edge of the box."""


@dataclass(frozen=True, eq=False)
class SearchedHead:
    """What a search looks at.

    Attributes:
        odds: the lesion model's smoothed log odds, float32 (S, D, H, W), one map for every one of `SMOOTHINGS`.
        brain: boolean (D, H, W), the inside of the head, lesions included.
        grid: where the voxels lie.
        ras_from_mni: 4x4, see `standard_space.ras_from_standard`.
    """

    odds: np.ndarray
    brain: np.ndarray
    grid: Grid
    ras_from_mni: np.ndarray


@dataclass(frozen=True)
class Peak:
    """A place before it is ranked.

    Attributes:
        score: in multiples of the largest of an average healthy head.
        point: RAS millimetres of the voxel that stands out most.
        milliliters: volume of what belongs to it.
        box: around that.
    """

    score: float
    point: tuple[float, float, float]
    milliliters: float
    box: Box


@dataclass(frozen=True)
class Place(Peak):
    """A place that is listed.

    Attributes:
        p: of a place at least as striking anywhere in a healthy head.
        false_per_head: places at least as striking in a healthy head, on average.
    """

    p: float
    false_per_head: float


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        places: the most striking first.
        people: healthy heads among which they are ranked; 0 where nothing could be searched.
        contrast: what the scan was taken for, see `tissue.Tissue.contrast`.
        refusal: why nothing was searched, one sentence, or None.
    """

    places: tuple[Place, ...]
    people: int
    contrast: str
    refusal: str | None = None

    @property
    def in_words(self) -> str:
        """One sentence on what came out."""
        if self.refusal:
            return self.refusal
        if not self.places:
            return f"Nothing is listed: no place is rarer than one in each of the {self.people} healthy heads."
        count = "1 place is" if len(self.places) == 1 else f"{len(self.places)} places are"
        strong = sum(place.p <= LEVEL for place in self.places)
        return f"{count} listed, {strong or 'none'} with p <= {LEVEL:g}. p is corrected for the search over the whole head."


def search_head(prepared: PreparedScan, atlas: HeadAtlas | None = None, measured: Measured | None = None) -> Search:
    """The places of a head that stand out, at most `MOST_PLACES`, none that is as common as one in every healthy head.

    Args:
        prepared: the scan, with nothing hidden.
        atlas, measured: the shipped ones by default.
    Raises:
        InputError: the shipped files cannot be read.
    """
    measured = measured or Measured.load()
    contrast, refusal = prepared.tissue.contrast, why_no_search(prepared, measured)
    if refusal:
        return Search((), 0, contrast, refusal)
    norms = measured.norms_for(contrast)
    return Search(ranked(peaks_of(head_of(prepared), atlas or HeadAtlas.load()), norms), len(norms.heads), contrast)


def why_no_search(prepared: PreparedScan, measured: Measured) -> str | None:
    """Why a scan cannot be searched, one sentence, or None."""
    reason = why_no_brain(prepared)
    if reason:
        return f"Nothing is listed: {reason}."
    model = LesionModel.installed()
    if prepared.evidence is None or model is None:
        return "Nothing is listed: the search needs the models tissue and lesion, and PyTorch, and a brain that they recognise."
    if model.card["sha256"] != measured.lesion_model:
        return f"Nothing is listed: no healthy heads were searched with the lesion model '{model.name}'. Use the shipped one."
    return None


def head_of(prepared: PreparedScan) -> SearchedHead:
    """What a search looks at, of a scan that has evidence; voxels of a margin around the brain are left out."""
    evidence = prepared.evidence
    inside = np.argwhere(evidence.brain)
    low, high = inside.min(axis=0), inside.max(axis=0) + 1
    region = tuple(slice(a, b) for a, b in zip(low, high))
    affine = evidence.grid.affine.copy()
    affine[:3, 3] = evidence.grid.ras_from_ijk(low)
    brain = evidence.brain[region]
    odds = np.stack([evidence.smoothed(width)[region] for width in SMOOTHINGS])
    return SearchedHead(odds, brain, Grid(brain.shape, affine), ras_from_standard(prepared.tissue.anatomy))


def excess_of(head: SearchedHead, middle: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """How far the log odds exceed healthy people's at the same place, in robust SD of the same brain; float32 (S, D, H, W).

    Args:
        middle, spread: as in `HeadAtlas`.
    """
    to = np.linalg.inv(AFFINE) @ np.linalg.inv(head.ras_from_mni) @ head.grid.affine
    found = np.empty(head.odds.shape, np.float32)
    for number, odds in enumerate(head.odds):
        usual, scatter = (
            ndimage.affine_transform(maps[number], to[:3, :3], to[:3, 3], head.brain.shape, order=1, mode="nearest")
            for maps in (middle, spread)
        )
        excess = (odds - usual) / np.maximum(scatter, LEAST_SPREAD)
        low, center, high = np.percentile(excess[head.brain], (16, 50, 84))
        found[number] = (excess - center) / max((high - low) / 2, 1e-6)
    return found


def peaks_of(head: SearchedHead, atlas: HeadAtlas) -> list[Peak]:
    """The places of a head, the most striking first, at most `MOST_PLACES`.

    Scores are rounded, so that the number of threads a network ran on decides nothing.
    """
    excess = excess_of(head, atlas.middle, atlas.spread)
    scores = np.where(head.brain, (excess / atlas.usual[:, None, None, None]).max(axis=0), 0)
    tops = np.argwhere((ndimage.maximum_filter(scores, 3) == scores) & (scores >= LEAST_SCORE))
    values = np.round(scores[tuple(tops.T)].astype(float), 3)
    points = head.grid.ras_from_ijk(tops)
    free, found = np.ones(scores.shape, bool), []
    for number in np.lexsort((*tops.T, -values)):
        near = any(np.linalg.norm(points[number] - peak.point) < LEAST_APART for peak in found)
        if near or not free[tuple(tops[number])]:
            continue
        labels, _ = ndimage.label(free & (scores >= HEIGHT * values[number]))
        own = labels == labels[tuple(tops[number])]
        free &= ~own
        box = _box_around(head.grid.ras_from_ijk(np.argwhere(own)), points[number], head.grid, f"place {len(found) + 1}")
        found.append(Peak(float(values[number]), tuple(points[number].tolist()), head.grid.ml_of(own.sum()), box))
        if len(found) == MOST_PLACES:
            break
    return found


def ranked(peaks: list[Peak], norms: HeadNorms) -> tuple[Place, ...]:
    """Those of them that are rarer than `FALSE_PER_HEAD` in healthy heads, with their p."""
    places = [Place(**vars(peak), p=norms.p(peak.score), false_per_head=norms.false_per_head(peak.score)) for peak in peaks]
    return tuple(place for place in places if place.false_per_head <= FALSE_PER_HEAD)


def _box_around(points: np.ndarray, top: np.ndarray, grid: Grid, name: str) -> Box:
    """The upright box around voxels at RAS points (n, 3), no farther from the top than half the greatest edge."""
    half = np.abs(grid.affine[:3, :3]).sum(axis=1) / 2 + MARGIN
    low = np.maximum(points.min(axis=0) - half, top - MOST_SIDE / 2)
    high = np.minimum(points.max(axis=0) + half, top + MOST_SIDE / 2)
    return Box((low + high) / 2, np.maximum(high - low, LEAST_SIDE), name=name)
