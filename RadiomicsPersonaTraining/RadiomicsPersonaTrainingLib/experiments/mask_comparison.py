"""Mask comparison: how far drawn lesion masks are from real ones that no generator has seen.

Real masks that are kept for evaluation are carried to their own place in healthy scans by the affine registration, cut to grey
and white matter, and the largest piece is kept, as the generators are held to; so are real training masks, whose distance to
the held-out ones is the floor. All are measured alike (`lesion_masks.measures`). For each measure the Wasserstein distance to
the held-out masks is taken, in their standard deviations; sizes and surfaces as logarithms. A random forest has to tell drawn
from held-out masks by the same measures: an area under the ROC curve of 0.5 means that it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import wasserstein_distance

from RadiomicsPersonaLib.errors import InputError

from ..evaluation.summary import auroc_of
from ..lesion_masks.generators import MaskGenerator
from ..lesion_masks.ground import LesionGround
from ..lesion_masks.measures import MaskMeasures, dice, measures_of
from ..lesion_masks.pieces import LesionPiece, carried_lesion

MEASURES = {
    "size": lambda m: np.log(m.ml),
    "sphericity": lambda m: m.sphericity,
    "surface to volume": lambda m: np.log(m.surface_to_volume),
    "grey matter": lambda m: m.grey,
    "depth": lambda m: m.depth,
}
"""What is compared."""
HELD_OUT, TRAINING = "held-out real masks", "training real masks (the floor)"
PLACES, SEEDS = 8, 4
"""Places, and masks for each, from which the diversity is told."""
FOLDS, TREES, DRAWS = 5, 100, 400


@dataclass(frozen=True)
class MeasuredMasks:
    """The masks of one source.

    Attributes:
        name: of the generator, or of the real masks.
        kind: of the lesions.
        masks: their measures.
        diversity: mean Dice of masks drawn from other noise for one place and size; NaN for real masks.
    """

    name: str
    kind: str
    masks: tuple[MaskMeasures, ...]
    diversity: float = float("nan")

    def values(self, measure: str) -> np.ndarray:
        """One measure of all masks."""
        return np.array([MEASURES[measure](mask) for mask in self.masks])


@dataclass(frozen=True)
class Distance:
    """How far a source's masks are from the held-out ones.

    Attributes:
        name, kind, count: the source.
        measures: Wasserstein distance by measure, in standard deviations of the held-out masks.
        mean: over the measures, with the interval of bootstrap draws over both sets of masks.
        auroc: of telling them from held-out ones, cross-validated, with its interval.
        diversity, outside: mean Dice of masks for one place; mean share outside grey and white matter.
    """

    name: str
    kind: str
    count: int
    measures: dict[str, float]
    mean: tuple[float, float, float]
    auroc: tuple[float, float, float]
    diversity: float
    outside: float


def real_masks(
    pieces: Sequence[LesionPiece],
    grounds: Sequence[LesionGround],
    count: int,
    rng: np.random.Generator,
    name: str,
    kind: str,
    progress: Callable[[str], None],
) -> MeasuredMasks:
    """Real lesions at their own place, each in the next scan."""
    found = []
    for number, which in enumerate(rng.permutation(len(pieces))):
        if len(found) == count:
            break
        ground = grounds[number % len(grounds)]
        progress(f"{kind}: {name}, {len(found)} of {count}")
        hole = carried_lesion(pieces[which], ground)
        if hole is not None:
            found.append(measures_of(hole, ground))
    return MeasuredMasks(name, kind, tuple(found))


def drawn_masks(
    generator: MaskGenerator, name: str, grounds: Sequence[LesionGround], count: int, seed: int, progress: Callable[[str], None]
) -> MeasuredMasks:
    """Masks of a generator, sizes and places as it draws them, each in the next scan; and how much they differ at one place."""
    found = []
    for number in range(count):
        progress(f"{generator.kind}: {name}, {number} of {count}")
        ground = grounds[number % len(grounds)]
        found.append(measures_of(generator.draw(ground, np.random.default_rng((seed, number))).hole, ground))
    overlaps = []
    for number in range(PLACES):
        progress(f"{generator.kind}: {name}, diversity")
        ground = grounds[number % len(grounds)]
        first = generator.draw(ground, np.random.default_rng((seed, count, number)))
        holes = [first.hole]
        for other in range(1, SEEDS):
            try:
                holes.append(
                    generator.draw(ground, np.random.default_rng((seed, count, number, other)), first.ml, first.center).hole
                )
            except InputError:  # other noise may draw what has no room there
                continue
        overlaps += [dice(holes[a], holes[b]) for a in range(len(holes)) for b in range(a)]
    return MeasuredMasks(name, generator.kind, tuple(found), float(np.mean(overlaps)) if overlaps else float("nan"))


def distance_of(source: MeasuredMasks, held_out: MeasuredMasks, seed: int) -> Distance:
    """Compare masks with the held-out ones of their kind."""
    table, truth = (np.stack([part.values(measure) for measure in MEASURES], axis=1) for part in (source, held_out))
    spread = truth.std(axis=0)
    single = _wasserstein(table, truth, spread)
    rng = np.random.default_rng(seed)
    drawn = [_wasserstein(_resampled(table, rng), _resampled(truth, rng), spread).mean() for _ in range(DRAWS)]
    return Distance(
        source.name,
        source.kind,
        len(table),
        dict(zip(MEASURES, map(float, single))),
        (float(single.mean()), *map(float, np.percentile(drawn, [2.5, 97.5]))),
        _auroc(table, truth, seed),
        source.diversity,
        float(np.mean([mask.outside for mask in source.masks])),
    )


def _wasserstein(table: np.ndarray, truth: np.ndarray, spread: np.ndarray) -> np.ndarray:
    return np.array([wasserstein_distance(a, b) / s for a, b, s in zip(table.T, truth.T, spread)])


def _auroc(table: np.ndarray, truth: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Area under the ROC curve of a random forest on masks that it was not fitted to, with a bootstrap interval."""
    # they take seconds to load
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    values = np.concatenate([table, truth])
    labels = np.repeat([1, 0], [len(table), len(truth)])
    forest = RandomForestClassifier(TREES, min_samples_leaf=3, class_weight="balanced", random_state=seed)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    scores = cross_val_predict(forest, values, labels, cv=folds, method="predict_proba")[:, 1]
    rng, draws = np.random.default_rng(seed), []
    for _ in range(DRAWS):
        draws.append(auroc_of(*(rng.choice(scores[labels == label], (labels == label).sum()) for label in (1, 0))))
    return (auroc_of(scores[labels == 1], scores[labels == 0]), *map(float, np.percentile(draws, [2.5, 97.5])))


def _resampled(table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return table[rng.integers(len(table), size=len(table))]
