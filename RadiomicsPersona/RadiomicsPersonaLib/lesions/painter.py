"""Painter: pathology inside a mask in a healthy scan, as it looks in the scan's contrast.

What is painted is a drawing after clinical images, not a simulation of them. Brightness is given as a share of the difference
between white matter and fluid in the same scan, so that it fits any scanner's intensities (`SIGNAL`).

Sources. FCD: Bluemcke et al. 2011 (Epilepsia 52:158-174) and Urbach et al. 2022 (Neuroradiology 64:443-452) for type II: thick
cortex, blurred junction, mild FLAIR and T2 signal, often a transmantle sign. MS: Filippi et al. 2019 (Brain 142:1858-1875):
ovoid, at least 3 mm, bright in T2 and FLAIR, iso- to hypointense in T1; the levels are the medians in two patients of Lesjak et
al. 2018 (Neuroinformatics 16:51-63). Stroke: Allen et al. 2012 (Radiographics 32:1285-1297): grey and white matter alike.
Tumour: Baid et al. 2021 (arXiv:2107.02314) for core, rim and oedema; vasogenic oedema spreads in white matter and spares the
cortex (Ho et al. 2012, AJR 199:W258-W273). The levels of all kinds but MS are set by eye beside clinical images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..brain.preparation import PreparedScan, prepare
from ..brain.tissue_levels import CONTRASTS
from ..defaults import LESION_KINDS, LESION_STRENGTH
from ..errors import InputError
from ..geometry.hole import Hole
from ..imaging.scan import Scan
from ..reconstruction.reconstruction_model import Model, load_model
from .canvas import canvas_for
from .kinds import MARGIN, PAINT

KINDS = tuple(LESION_KINDS)
STRENGTH = LESION_STRENGTH


@dataclass(frozen=True, eq=False)
class PaintedLesion:
    """A scan with a lesion in it; all arrays on the scan's grid, axes I, J, K.

    Attributes:
        values: the scan's own intensities, bit for bit the scan's where nothing changed.
        lesion: boolean, what is lesion by at least half; of a tumour core and oedema.
        changed: boolean, wherever `values` may differ from the scan: lesion, soft edge, and tissue that a mass has displaced.
    """

    values: np.ndarray
    lesion: np.ndarray
    changed: np.ndarray


def paint_lesion(
    scan: Scan,
    hole: Hole,
    kind: str,
    contrast: str,
    rng: np.random.Generator,
    *,
    strength: float = 1.0,
    prepared: PreparedScan | None = None,
    model: Model | None = None,
) -> PaintedLesion:
    """Paint a lesion into a healthy scan. As strength goes to 0 the result goes to the scan.

    Args:
        hole: the lesion's outline; of a tumour with its oedema.
        kind: one of `KINDS`.
        contrast: the scan's, one of `tissue_levels.CONTRASTS`; see `tissue_levels.contrast_of`.
        strength: within `STRENGTH`.
        prepared: the scan, prepared with nothing hidden; made here where it is not given.
        model: what rebuilds the tissue under the lesion; the installed one by default.
    Raises:
        InputError: an unknown kind or contrast, a strength out of range, or a scan in which no brain is found.

    >>> from RadiomicsPersonaLib.brain.midplane import Midplane
    >>> from RadiomicsPersonaLib.brain.tissue import estimate_tissue
    >>> from RadiomicsPersonaLib.geometry.box import parse_box
    >>> from RadiomicsPersonaLib.geometry.hole import hole_of_box
    >>> from RadiomicsPersonaLib.imaging.scan import make_scan
    >>> mm = np.stack(np.meshgrid(*3 * [np.arange(-96.0, 97, 6)], indexing="ij"))  # a head: scalp, skull, grey and white matter
    >>> radius = np.linalg.norm(mm / np.array([66, 80, 60])[:, None, None, None], axis=0)
    >>> values = np.select([radius < 0.8, radius < 1, radius < 1.15, radius < 1.3], [600.0, 400.0, 60.0, 500.0], 0.0)
    >>> scan = make_scan(values, [[6, 0, 0, -96], [0, 6, 0, -96], [0, 0, 6, -96], [0, 0, 0, 1]])
    >>> prepared = PreparedScan(scan, estimate_tissue(scan, model=None), Midplane(np.array([1.0, 0, 0]), 0.0, 1.0), None)
    >>> outline = hole_of_box(scan, parse_box("24,12,0,20,20,20"))
    >>> rng, model = np.random.default_rng(0), load_model("harmonic")
    >>> painted = paint_lesion(scan, outline, "ms", "T1", rng, prepared=prepared, model=model)
    >>> float((painted.values - scan.array)[painted.lesion].mean().round())  # MS is darker than white matter in T1
    -50.0
    """
    check_kind(kind)
    if contrast not in CONTRASTS:
        raise InputError(f"There is no contrast '{contrast}': choose {', '.join(CONTRASTS[:-1])} or {CONTRASTS[-1]}.")
    if not STRENGTH[0] <= strength <= STRENGTH[1]:
        raise InputError(
            f"The strength is {strength:g}: give a number from {STRENGTH[0]:g} to {STRENGTH[1]:g}; 1 is a usual lesion."
        )
    prepared = prepared or prepare(scan)
    model = (model or load_model()).for_scan(prepared)
    canvas = canvas_for(prepared, hole, model, contrast, strength, rng, MARGIN[kind])
    painted, lesion, changed = PAINT[kind](canvas)
    values = np.array(scan.array if scan.original is None else scan.original)
    region = tuple(slice(int(a), int(a) + n) for a, n in zip(canvas.start, lesion.shape))
    values[region][changed] = painted[changed]
    whole = [np.zeros(scan.shape, bool) for _ in range(2)]
    whole[0][region], whole[1][region] = lesion, changed
    return PaintedLesion(values, *whole)


def check_kind(kind: str) -> None:
    """Raise `InputError` where a kind is none of `KINDS`."""
    if kind not in KINDS:
        raise InputError(f"There is no kind of lesion '{kind}': choose {', '.join(KINDS[:-1])} or {KINDS[-1]}.")
