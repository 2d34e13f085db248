"""Probe: whether a lesion would have been called in a box that was found healthy; `sensitivity` in a second.

A lesion of usual contrast that fills much of the box is painted, in white matter where the box holds some. Where that would be
called a small one is painted, else one of twice the contrast. The persona is blind to the box and stays, as do the healthy
boxes. The lesion model looks at the box's surroundings alone, and what that changes is added to what it made of the whole
head. What the tissue model says is left as it was, which errs on the side of missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..analysis.bench import Bench
from ..brain.anatomy import Anatomy, head_view
from ..brain.evidence import Evidence
from ..brain.preparation import PreparedScan
from ..brain.tissue import GREY, WHITE, Tissue
from ..brain.tissue_levels import contrast_of
from ..errors import InputError
from ..geometry.box import lattice_of
from ..imaging.scan import Scan
from ..metrics.measurement import differences_of
from ..networks.head_model import STEP, LesionModel
from ..reconstruction.reconstruction_model import load_model
from .outline import ball
from .painter import PaintedLesion, paint_lesion

SMALL, SHARE, LARGE = 10.0, 0.6, 40.0
"""Millimetres of a small lesion; the share of the box's shortest side that any lesion measures at most; and millimetres of a
large one at most."""
LEAST_DIAMETER = 4.0
"""Millimetres below which nothing is painted."""
LARGER = 1.3
"""How much larger than the small lesion a large one is at least."""
MARGIN = 16.0
"""Millimetres around a box that the lesion model looks at."""
NOTHING_PAINTED = "No lesion could be painted into this box, so what would have been found in it is not known."
KIND, ROUGHNESS = "ms", 0.3
"""What is painted: one irregular ellipsoid, uneven, with a soft border, no mass."""


@dataclass(frozen=True)
class PaintedTrial:
    """What becomes of one painted lesion.

    Attributes:
        diameter: of a ball of its volume, millimetres.
        strength: times the usual contrast.
        contrast_sd: mean difference that was painted, SD of the scan's brain tissue.
        label: of the box with it.
    """

    diameter: float
    strength: float
    contrast_sd: float
    label: int | None

    @property
    def words(self) -> str:
        """What was painted."""
        contrast = "usual contrast" if self.strength == 1 else f"{self.strength:g} times the usual contrast"
        return f"of {self.diameter:.0f} mm and {contrast} ({self.contrast_sd:.1f} SD)"


def what_would_be_found(bench: Bench) -> str:
    """One sentence on a healthy box."""
    trials = probe(bench)
    if not trials:
        return NOTHING_PAINTED
    found, missed = ([trial for trial in trials if (trial.label == 1) is called] for called in (True, False))
    missed = " or ".join(trial.words for trial in missed)
    if found:
        told = f"Painted into this box, a lesion {found[-1].words} would have been called"
        return f"{told}; not one {missed}." if missed else f"{told}."
    return f"Painted into this box, no lesion {missed} would have been called."


def probe(bench: Bench) -> list[PaintedTrial]:
    """Paint lesions into a box: a large one, and where that is called a small one, else one of twice the contrast.

    Returns:
        What became of each, at most two; none where no lesion fits.
    """
    whole = replace(bench.prepared, suspects=None, tissue=_seen(bench.prepared))
    points = lattice_of(bench.result.box)
    classes = whole.tissue.classes_at(points)
    points = points[classes == (WHITE if (classes == WHITE).any() else GREY)]
    most = SHARE * float(bench.result.box.size.min())
    if not len(points) or most < LEAST_DIAMETER:
        return []
    place = points[np.linalg.norm(points - bench.result.box.center, axis=1).argmin()]
    small, large = min(SMALL, most), min(LARGE, most)
    large = large if large > LARGER * small else small
    try:
        look = _Look(bench, whole, place)
        trials = [look.trial(large, 1.0)]
        if trials[0].label != 1:
            return [*trials, look.trial(large, 2.0)]
        return trials if large == small else [*trials, look.trial(small, 1.0)]
    except InputError:  # no room, or tissues that cannot be told apart: it cannot be painted
        return []


def _seen(prepared: PreparedScan) -> Tissue:
    """The scan's tissue with what the tissue model sees in the boxes too."""
    shares = prepared.maps.tissue
    if shares is None:
        return prepared.tissue
    return replace(prepared.tissue, anatomy=Anatomy(np.rint(255 * shares.values[1:]).astype(np.uint8), shares.affine, None))


class _Look:
    """A box with lesions painted around a place in it.

    Args:
        whole: the scan, prepared with nothing hidden.
        place: RAS millimetres.
    Raises:
        InputError: the scan's tissues cannot be told apart.
    """

    def __init__(self, bench: Bench, whole: PreparedScan, place: np.ndarray):
        self.bench, self.whole, self.place, self.model = bench, whole, place, LesionModel.installed()
        self.fill, self.contrast = load_model("harmonic"), contrast_of(whole.scan, whole.tissue)
        self.evidence = bench.prepared.evidence if self.model else None
        scan, hole = bench.prepared.scan, bench.result.reconstruction.hole
        self.head = hole.mask if self.evidence is None else self.evidence.brain_in(scan, hole)
        if self.evidence is not None:
            self.window = self._window()
            part = self.evidence.part(self.window)
            self.added_to, self.usual = part.odds - self._odds(scan), self._own(part)

    def trial(self, diameter: float, strength: float) -> PaintedTrial:
        """What becomes of a lesion of so many millimetres and times the usual contrast.

        Raises:
            InputError: it cannot be painted here.
        """
        scan, rng = self.whole.scan, np.random.default_rng(0)
        outline = ball(scan, self.whole.tissue, self.place, math.pi / 6000 * diameter**3, rng, ROUGHNESS)
        words = {"strength": strength, "prepared": self.whole, "model": self.fill}
        painted = paint_lesion(scan, outline, KIND, self.contrast, rng, **words)
        change = np.abs(painted.values[painted.lesion].astype(np.float64) - scan.array[painted.lesion])
        sd = float(change.mean() / self.whole.tissue.scale.deviation) if change.size else 0.0
        return PaintedTrial(diameter, strength, sd, self.bench.judged(self.metrics_with(painted))[1].label)

    def metrics_with(self, painted: PaintedLesion) -> dict[str, float]:
        """The box's metrics with a lesion in it, those of the tissue model as they were."""
        bench, prepared = self.bench, self.bench.prepared
        hole = bench.result.reconstruction.hole
        found = differences_of(
            prepared,
            bench.result.reconstruction,
            bench.model,
            bench.intensity_range,
            bench.use_mirror,
            painted.values[hole.region],
            self.head,
        )
        metrics = bench.result.metrics | {key: value for key, value in found.items() if math.isfinite(value)}
        if self.evidence is None:
            return metrics
        odds = self.added_to + self._odds(Scan(painted.values, prepared.scan.affine))
        own = self._own(self.evidence.part(self.window, (1 / (1 + np.exp(-odds))).astype(np.float32)))
        for key, value in own.items():
            metrics[key] += value - self.usual[key]
        return metrics

    def _window(self) -> tuple[slice, slice, slice]:
        """The part of the maps' grid around the box, its sides multiples of `STEP` or all there is."""
        grid, scan, hole = self.evidence.grid, self.bench.prepared.scan, self.bench.result.reconstruction.hole
        index = np.argwhere(self.evidence.holding(scan, hole))
        low, high = index.min(axis=0), index.max(axis=0) + 1
        window = []
        for axis, size in enumerate(grid.shape):
            sides = (high - low)[axis] + 2 * MARGIN / grid.spacing[axis]
            sides = min(size, STEP * math.ceil(sides / STEP))
            start = int(np.clip((low + high)[axis] // 2 - sides // 2, 0, size - sides))
            window.append(slice(start, start + sides))
        return tuple(window)

    def _odds(self, scan: Scan) -> np.ndarray:
        """Log odds of lesion in the window."""
        tissue = self.bench.prepared.tissue
        values, _ = head_view(scan, self.model, tissue.stretch, tissue.background, part=self.evidence.grid)
        return self.evidence.part(self.window, self.model.probabilities_within(values, self.window)[0]).odds

    def _own(self, part: Evidence) -> dict[str, float]:
        """What the lesion map says of the box, before it is held against the rest of the brain."""
        inside = part.holding(self.bench.prepared.scan, self.bench.result.reconstruction.hole) & part.brain
        own = {key: value for key, value in part.own_in(inside).items() if key.startswith("lesion")}
        return own | {"lesion_probability": float(part.lesion[inside].mean())}
