"""Painted scans: lesions painted into healthy scans, as many as asked for, with what made each of them, and a sheet that shows
them in three planes beside the healthy scan.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from RadiomicsPersonaLib.brain.preparation import PreparedScan, prepare
from RadiomicsPersonaLib.brain.tissue_levels import contrast_of
from RadiomicsPersonaLib.defaults import RESEARCH_USE
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import Hole, hole_of_mask
from RadiomicsPersonaLib.imaging.files import name_of, read_scan, sha256_of, write_nifti
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.lesions.lesion_picture import OUTLINED, PAINTED, SCAN, before_and_after, sheet_of, strip_of
from RadiomicsPersonaLib.lesions.painter import PaintedLesion, paint_lesion
from RadiomicsPersonaLib.reconstruction.reconstruction_model import Model
from RadiomicsPersonaLib.system.output import refuse_replacing

from ..versions import versions_used
from .generators import DrawnMask, MaskGenerator
from .ground import LesionGround, lesion_ground
from .measures import measures_of

PROVENANCE, SHEET = "provenance.json", "sheet.png"
SHOWN = 6
"""Lesions on the picture sheet at most."""


@dataclass(frozen=True)
class SynthesisPlan:
    """What is synthesized.

    Attributes:
        files: healthy scans.
        generator: draws the masks.
        count: lesions for every scan, each in a copy of its own.
        ml: their volume; None draws it as real lesions have it.
        strength: see `painter.STRENGTH`.
        contrast: of the scans; None looks at each.
        seed: the same gives the same lesions, whatever other scans there are.
        model: rebuilds the tissue beneath a lesion.
    """

    files: tuple[Path, ...]
    generator: MaskGenerator
    count: int
    ml: float | None
    strength: float
    contrast: str | None
    seed: int
    model: Model


@dataclass(frozen=True, eq=False)
class SynthesizedLesion:
    """One lesion in a copy of a scan.

    Attributes:
        name: of its files, without `_image.nii.gz` and `_mask.nii.gz`.
        prepared, ground: the healthy scan.
        drawn, painted: its mask as it was drawn, and the scan with the lesion.
        contrast: the scan's.
    """

    name: str
    prepared: PreparedScan
    ground: LesionGround
    drawn: DrawnMask
    painted: PaintedLesion
    contrast: str

    @property
    def hole(self) -> Hole:
        """What is lesion in the painted scan."""
        return hole_of_mask(self.painted.lesion)


def synthesized(plan: SynthesisPlan, progress: Callable[[int, int, str], None] | None = None) -> Iterator[SynthesizedLesion]:
    """The lesions of a plan, one after the other.

    Raises:
        InputError: a scan cannot be used, or a lesion does not fit.
    """
    total = len(plan.files) * plan.count
    for number, file in enumerate(plan.files):
        if progress:
            progress(number * plan.count, total, f"looking at {name_of(file)}")
        prepared = prepare(read_scan(file))
        ground = lesion_ground(prepared.scan, prepared.tissue)
        contrast = plan.contrast or contrast_of(prepared.scan, prepared.tissue)
        for copy in range(1, plan.count + 1):
            if progress:
                progress(number * plan.count + copy - 1, total, f"{name_of(file)}, lesion {copy} of {plan.count}")
            rng = np.random.default_rng((plan.seed, zlib.crc32(name_of(file).encode()), copy))
            drawn = plan.generator.draw(ground, rng, plan.ml)
            painted = paint_lesion(
                prepared.scan,
                drawn.hole,
                plan.generator.kind,
                contrast,
                rng,
                strength=plan.strength,
                prepared=prepared,
                model=plan.model,
            )
            if not painted.lesion.any():
                raise InputError(f"The lesion in '{prepared.scan.name}' is too small for its voxels: give a larger --size.")
            yield SynthesizedLesion(f"{name_of(file)}_{plan.generator.kind}_{copy}", prepared, ground, drawn, painted, contrast)
    if progress:
        progress(total, total, "done")


def refuse_overwriting(plan: SynthesisPlan, output: Path) -> None:
    """Raise where outputs would take the place of inputs, or of each other.

    Raises:
        InputError: they would.
    """
    names = [name_of(file) for file in plan.files]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(
            f"Two scans are called '{twice}', and so would be their outputs: rename one, or synthesize them into two folders."
        )
    written = [
        output / f"{name}_{plan.generator.kind}_{copy}_{part}.nii.gz"
        for name in names
        for copy in range(1, plan.count + 1)
        for part in ("image", "mask")
    ]
    refuse_replacing(written, plan.files)


def write_lesion(lesion: SynthesizedLesion, folder: Path) -> dict[str, object]:
    """Write image and mask; returns the lesion's entry in the provenance."""
    scan, hole = lesion.prepared.scan, lesion.hole
    files = {part: f"{lesion.name}_{part}.nii.gz" for part in ("image", "mask")}
    write_nifti(folder / files["image"], lesion.painted.values, scan.affine)
    write_nifti(folder / files["mask"], lesion.painted.lesion.astype(np.uint8), scan.affine)
    measures = measures_of(hole, lesion.ground)
    return {
        "image": files["image"],
        "mask": files["mask"],
        "scan": scan.name,
        "contrast": lesion.contrast,
        "place_ras_mm": np.round(lesion.drawn.center, 1).tolist(),
        "asked_ml": round(lesion.drawn.ml, 4),
        "drawn_ml": round(lesion.drawn.hole.voxels * lesion.ground.voxel_ml, 4),
        "lesion": {name: round(value, 4) for name, value in vars(measures).items()},
        "changed_ml": round(float(lesion.painted.changed.sum()) * lesion.ground.voxel_ml, 3),
    }


def write_provenance(plan: SynthesisPlan, lesions: list[dict], command: str, folder: Path) -> None:
    """Write what made the lesions."""
    content = {
        "notice": RESEARCH_USE,
        "command": command,
        "versions": versions_used(True),
        "masks": plan.generator.about,
        "kind": plan.generator.kind,
        "strength": plan.strength,
        "seed": plan.seed,
        "model": plan.model.provenance(),
        "scans": [{"name": name_of(file), "sha256": sha256_of(file)} for file in plan.files],
        "lesions": lesions,
    }
    (folder / PROVENANCE).write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")


PIXELS = 220
LEAST_SIDE, MARGIN = 90.0, 25.0
"""Millimetres that a picture shows at least, and around a lesion."""


def lesion_row(scan: Scan, values: np.ndarray | None, hole: Hole, pixels: int = PIXELS) -> Image.Image:
    """One lesion: in each of three planes the healthy scan, the painted one, and that with the outline.

    Args:
        values: the scan with the lesion, on its grid; None shows the healthy scan with the outline alone.
    """
    points = scan.ras_from_ijk(np.argwhere(hole.mask) + hole.start)
    middle = points[np.linalg.norm(points - points.mean(axis=0), axis=1).argmin()]
    side = max(LEAST_SIDE, float(np.ptp(points, axis=0).max()) + 2 * MARGIN)
    lesion = np.zeros(scan.shape, bool)
    lesion[hole.region] = hole.mask
    shown = before_and_after(scan, values, lesion)
    return strip_of(scan, shown if values is not None else shown[-1:], middle, side, pixels)


def sheet_of_lesions(rows: list[Image.Image], painted: bool, pixels: int = PIXELS) -> Image.Image:
    """Rows of one size below each other, and above them what they show."""
    return sheet_of(rows, [SCAN, PAINTED, OUTLINED] if painted else [OUTLINED], pixels)
