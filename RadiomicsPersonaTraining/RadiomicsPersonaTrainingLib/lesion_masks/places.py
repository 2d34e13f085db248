"""Places: where lesions of a kind sit and how large they are there, drawn from real ones; plain numbers, no masks.

`Resources/masks/lesion-places.csv` lists the middle (MNI millimetres), volume and sphericity of every training lesion. A place
is drawn among lesions of about the size that is asked for, for large strokes do not sit where small ones do, and moved a
little; either side is as likely. For tumours the strokes of at least 8 ml stand in, and for focal cortical dysplasia (no public
outlines) every cortex is as likely.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.system.output import file_written_whole

from .ground import LesionGround
from .kinds import FCD, LEARNT_FROM, MS, RESOURCES, STROKE, TUMOUR
from .measures import sphericity
from .pieces import LesionPiece, carried_lesion

FILE = RESOURCES / "lesion-places.csv"
COLUMNS = ("kind", "x", "y", "z", "ml", "sphericity")
TUMOUR_ML = 8.0
"""Least volume of the strokes (in MNI space) that stand in for tumours."""
FCD_ML = (0.6, 8.0)
"""Volumes of focal cortical dysplasia between the 5th and the 95th percentile, log-normal (Wagner et al. 2011; Spitzer et al.
2022)."""
NEAR = 0.35
"""Standard deviation of the logarithm of the volume within which places are taken for lesions of one size."""
MOVED = 5.0
"""Standard deviation of a place's shift along every axis, MNI millimetres."""


@lru_cache(maxsize=1)
def real_places() -> dict[str, np.ndarray]:
    """By kind: middle (MNI millimetres), volume (millilitres) and sphericity of every training lesion, shape (n, 5)."""
    with open(FILE, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return {
        kind: np.array([[float(row[c]) for c in COLUMNS[1:]] for row in rows if row["kind"] == kind]) for kind in (STROKE, MS)
    }


def write_places(pieces: list[LesionPiece], grounds: Sequence[LesionGround], target: Path = FILE) -> None:
    """Write the file from real lesions as they are in healthy brains, each in the next one;
    those kept for evaluation are left out.
    """
    with file_written_whole(target) as staging, open(staging, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, piece in enumerate(piece for piece in pieces if not piece.held_out):
            ground = grounds[number % len(grounds)]
            hole = carried_lesion(piece, ground)
            if hole is None:
                continue
            back = np.linalg.inv(ground.ras_from_mni)
            center = back[:3, :3] @ ground.scan.ras_from_ijk((np.argwhere(hole.mask) + hole.start).mean(axis=0)) + back[:3, 3]
            ml = hole.voxels * ground.voxel_ml * np.linalg.det(back[:3, :3])
            writer.writerow(
                [piece.kind, *(f"{value:.0f}" for value in center), f"{ml:.3g}", f"{sphericity(hole, ground.scan):.2f}"]
            )


def drawn_ml(kind: str, ras_from_mni: np.ndarray, rng: np.random.Generator) -> float:
    """A volume as lesions of this kind have, millilitres in the scan.

    Args:
        ras_from_mni: see `standard_space.ras_from_standard`.
    """
    if kind == FCD:
        low, high = np.log(FCD_ML)
        return float(np.exp(np.clip(rng.normal((low + high) / 2, (high - low) / 3.29), low - 0.5, high + 0.5)))
    volumes = _of(kind)[:, 3]
    return float(volumes[rng.integers(len(volumes))] * np.exp(rng.normal(0, 0.1)) * abs(np.linalg.det(ras_from_mni[:3, :3])))


def drawn_place(kind: str, ml: float, ras_from_mni: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The middle of a lesion of this kind and volume, RAS millimetres; not for `FCD`."""
    places = _of(kind)
    apart = np.log(places[:, 3] * abs(np.linalg.det(ras_from_mni[:3, :3])) / ml) / NEAR
    weights = np.exp(-0.5 * (apart**2 - (apart**2).min()))
    place = places[rng.choice(len(places), p=weights / weights.sum()), :3] + rng.normal(0, MOVED, 3)
    place[0] *= rng.choice([-1.0, 1.0])
    return ras_from_mni[:3, :3] @ place + ras_from_mni[:3, 3]


def _of(kind: str) -> np.ndarray:
    places = real_places()[LEARNT_FROM[kind]]
    return places[places[:, 3] >= TUMOUR_ML] if kind == TUMOUR else places
