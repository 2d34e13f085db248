"""Boxes of which is known whether they hold a lesion, drawn at random."""

from __future__ import annotations

import numpy as np

from RadiomicsPersonaLib.analysis.score import SCORES
from RadiomicsPersonaTrainingLib.verdict.calibration import KnownBoxes


def simulated(subjects: int, seed: int = 0) -> list[KnownBoxes]:
    """Boxes in which lesions raise the deviation by a normal amount, and a useless score goes the wrong way."""
    rng, boxes = np.random.default_rng(seed), []
    for number in range(subjects):
        sick = np.arange(120) % 2 == 1
        scores = rng.normal(size=(120, len(SCORES)))
        scores[:, 0] += 2.0 * sick
        scores[:, 1] -= 1.0 * sick
        boxes.append(KnownBoxes(f"s{number}", scores, sick, np.exp(np.random.default_rng((seed, number)).uniform(0, 5, 120))))
    return boxes
