"""Tissue contrast: how bright every kind of tissue is in a synthesised image."""

from __future__ import annotations

import numpy as np

from RadiomicsPersonaLib.brain.tissue import FLUID, GREY, WHITE, Tissue
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.scan import Scan

from .label_map import APPEARANCES

CONTRASTS = ("T1", "T2", "FLAIR", "T1 post")
"""Contrasts that `realistic_contrast` knows."""
SPREAD = 0.05
"""Standard deviation by which every mean strays from its contrast's table, as a share of the range."""

# Means for T1, T2, FLAIR and T1 post, as shares of the brightest tissue, set by eye after clinical spin-echo and
# gradient-echo images at 1.5 and 3 T.
_MEANS = {
    "air": (0.0, 0.0, 0.0, 0.0),
    "white": (0.74, 0.34, 0.50, 0.74),
    "cortex": (0.50, 0.48, 0.62, 0.54),
    "fluid": (0.16, 0.95, 0.12, 0.16),
    "outer fluid": (0.18, 0.92, 0.14, 0.22),
    "cerebellar white": (0.73, 0.34, 0.50, 0.73),
    "cerebellar cortex": (0.51, 0.47, 0.60, 0.55),
    "thalamus": (0.61, 0.41, 0.55, 0.62),
    "striatum": (0.54, 0.42, 0.57, 0.56),
    "pallidum": (0.66, 0.28, 0.46, 0.67),
    "brain stem": (0.69, 0.37, 0.51, 0.69),
    "hippocampus": (0.50, 0.49, 0.64, 0.52),
    "ventral diencephalon": (0.66, 0.36, 0.51, 0.67),
    "white lesion": (0.58, 0.60, 0.85, 0.60),
    "choroid plexus": (0.36, 0.75, 0.45, 0.85),
    "artery": (0.55, 0.08, 0.20, 0.80),
    "eye": (0.18, 0.95, 0.20, 0.20),
    "muscle": (0.42, 0.20, 0.34, 0.50),
    "fat": (0.92, 0.66, 0.66, 0.92),
    "mucosa": (0.46, 0.75, 0.66, 0.85),
    "skin": (0.50, 0.34, 0.44, 0.60),
    "vein": (0.42, 0.15, 0.28, 0.92),
    "bone": (0.08, 0.06, 0.08, 0.08),
    "marrow": (0.55, 0.40, 0.42, 0.60),
}
_WANDERING = ("artery", "vein", "marrow", "fat", "white lesion", "mucosa")
"""Tissues whose brightness depends on flow, fat suppression or the person; they stray four times as far."""


def realistic_contrast(contrast: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations by index into `APPEARANCES`, in the order of a contrast of `CONTRASTS`.

    Every mean strays from the table at random, and the whole is stretched a little; air stays black.
    """
    column = CONTRASTS.index(contrast)
    means = np.array([_MEANS[word][column] for word in APPEARANCES])
    spread = np.array([4 * SPREAD if word in _WANDERING else SPREAD for word in APPEARANCES])
    common = rng.normal(0, SPREAD)
    means = np.where(means > 0, np.clip(means + common + rng.normal(0, 1, len(means)) * spread, 0.02, 1.2), 0)
    deviations = rng.uniform(0.01, 0.05, len(means))
    rough = np.isin(APPEARANCES, ("muscle", "fat", "mucosa", "marrow", "skin"))
    return means, np.where(means > 0, deviations * np.where(rough, 3, 1), 0)


def as_contrast(scan: Scan, tissue: Tissue, contrast: str, rng: np.random.Generator) -> Scan:
    """A T1-weighted scan as it might look in another contrast of `CONTRASTS`: its texture and shape are real,
    its brightness is not.

    Every brightness goes through the curve that leads the scan's air, fluid, grey and white matter to the table's means. As
    that squeezes noise too, some is added. What is no tissue of the brain has no say and no truth in the result.

    Args:
        tissue: of the scan, with the tissue model's classes.
    Raises:
        InputError: the tissue model found no brain.
    """
    if contrast == CONTRASTS[0]:
        return scan
    if tissue.anatomy is None:
        raise InputError(f"The tissue model found no brain in '{scan.name}': leave the scan out.")
    classes = tissue.anatomy.classes_on(tissue.grid.affine, tissue.values.shape)
    levels = [float(np.median(tissue.values[tissue.known & (classes == kind)])) for kind in (FLUID, GREY, WHITE)]
    air, fluid = tissue.background, levels[0]
    # fluid is as bright as fluid down to half way to air
    x = np.maximum.accumulate([air, air + 0.2 * (fluid - air), air + 0.5 * (fluid - air), *levels])
    column = CONTRASTS.index(contrast)
    y = [0.0, 0.0, *(_MEANS[word][column] for word in ("fluid", "fluid", "cortex", "white"))]
    array = np.interp(scan.array, x + 1e-6 * np.arange(6) * (x[-1] - x[0]), y) + rng.normal(
        0, rng.uniform(0.01, 0.03), scan.shape
    )
    return Scan(array.astype(np.float32), scan.affine, scan.name)


def random_contrast(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Means uniform in 0 to 1 and standard deviations uniform in 0 to 0.12, drawn for every appearance (Billot et al. 2023).

    One time in two all fluid looks alike, and both white matters and both cortices do. Air is black four times in five, of
    a random darkness otherwise.
    """
    means, deviations = rng.uniform(0, 1, len(APPEARANCES)), rng.uniform(0, 0.12, len(APPEARANCES))
    if rng.random() < 0.5:
        for one, other in (("outer fluid", "fluid"), ("cerebellar white", "white"), ("cerebellar cortex", "cortex")):
            one, other = APPEARANCES.index(one), APPEARANCES.index(other)
            means[one], deviations[one] = means[other] + rng.normal(0, 0.03), deviations[other]
    air = APPEARANCES.index("air")
    dark = rng.random() < 0.8
    means[air], deviations[air] = (0, 0) if dark else (rng.uniform(0, 0.3), rng.uniform(0, 0.03))
    return means, deviations
