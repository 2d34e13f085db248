"""Pieces: the connected parts of real lesions with their place in MNI space, read from a folder of masks once, and brought to
their own place in another brain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import Hole, hole_of_mask
from RadiomicsPersonaLib.imaging.files import digest_of, read_label_map
from RadiomicsPersonaLib.imaging.grid import Grid
from RadiomicsPersonaLib.system.output import file_written_whole
from RadiomicsPersonaLib.system.stored_arrays import read_arrays

from ..data.lesion_shapes import is_for_evaluation
from ..data.split import scans_in
from .ground import LesionGround
from .kinds import MS

LEAST_ML = 0.05
"""Smaller pieces are left out: at 1 mm they have no shape."""
MNI_FROM_LESJAK = np.array(
    [[1.175, 0.001, -0.015, -0.66], [-0.005, 1.16, -0.05, 1.93], [0.014, 0.026, 1.27, -5.67], [0, 0, 0, 1.0]]
)
"""Millimetres of the images and masks of Lesjak et al. 2017, whose brains are smaller than MNI's although their files say MNI,
to MNI: the mean of what `standard_space` finds for the two patients whose images are there, which differ by 0.02 and 2 mm."""
FRAMES = {MS: MNI_FROM_LESJAK}
"""Millimetres of a kind's masks to MNI, where the two are not the same."""
FLIP = np.diag([-1.0, 1.0, 1.0, 1.0])
"""MNI millimetres to those of the other side."""


@dataclass(frozen=True, eq=False)
class LesionPiece:
    """One connected lesion.

    Attributes:
        kind: name of the folder that it comes from, such as stroke or ms.
        mask: boolean array over its hull.
        affine: 4x4, indices of the mask to MNI RAS millimetres.
        held_out: whether it is kept for evaluation (`lesion_shapes.is_for_evaluation`).
        name: of its file.
    """

    kind: str
    mask: np.ndarray
    affine: np.ndarray
    held_out: bool
    name: str

    @cached_property
    def grid(self) -> Grid:
        """Where its voxels lie, the world being MNI."""
        return Grid(self.mask.shape, self.affine)

    @property
    def ml(self) -> float:
        """Its volume."""
        return self.grid.ml_of(self.mask.sum())

    @property
    def center(self) -> np.ndarray:
        """Its centre of mass, MNI millimetres."""
        return self.grid.ras_from_ijk(np.argwhere(self.mask).mean(axis=0))


def lesion_pieces(
    folder: Path, kinds: tuple[str, ...], cache: Path | None = None, progress: Callable[[int, int, str], None] | None = None
) -> list[LesionPiece]:
    """The pieces of every mask in the subfolders of these names, each with at least `LEAST_ML`; of a stroke the largest one.

    Args:
        cache: folder in which they are kept for the next time.
    Raises:
        InputError: a subfolder is missing or holds no masks.
    """
    files = [(kind, file) for kind in kinds for file in mask_files(folder, kind)]
    stored = cache / f"lesion-pieces-{'-'.join(kinds)}-{digest_of(file for _, file in files)}.npz" if cache else None
    try:
        if stored:
            return _read(stored)
    except (OSError, ValueError, IndexError):
        pass  # not there, or damaged: it is made anew
    pieces = []
    for number, (kind, file) in enumerate(files):
        if progress:
            progress(number, len(files), f"reading {file.name}")
        pieces += pieces_of(kind, file)
    if stored:
        stored.parent.mkdir(parents=True, exist_ok=True)
        _write(pieces, stored)
    return pieces


def mask_files(folder: Path, kind: str) -> list[Path]:
    """The masks of one kind.

    Raises:
        InputError: the subfolder of that name is missing or holds no masks.
    """
    if not (folder / kind).is_dir():
        raise InputError(
            f"There is no folder '{folder / kind}': lesion masks lie in a subfolder for every kind, and {kind} is needed."
        )
    return scans_in(folder / kind)


@lru_cache(maxsize=512)
def pieces_of(kind: str, file: Path) -> tuple[LesionPiece, ...]:
    """The pieces of one mask; see `lesion_pieces`.

    Raises:
        InputError: the file is no mask.
    """
    scan = read_label_map(file)
    labels, _ = ndimage.label(scan.array > 0, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel()) * scan.grid.voxel_mm3 / 1000
    sizes[0] = 0
    found = []
    for number, region in enumerate(ndimage.find_objects(labels), start=1):
        if sizes[number] < (LEAST_ML if kind == MS else max(LEAST_ML, sizes.max())):
            continue
        affine = scan.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ [part.start for part in region]
        affine = FRAMES.get(kind, np.eye(4)) @ affine
        found.append(LesionPiece(kind, labels[region] == number, affine, is_for_evaluation(file), file.name))
    return tuple(found)


def _write(pieces: list[LesionPiece], target: Path) -> None:
    with file_written_whole(target) as staging, open(staging, "wb") as stream:
        np.savez_compressed(
            stream,
            bits=np.concatenate([np.packbits(piece.mask) for piece in pieces]),
            shapes=np.array([piece.mask.shape for piece in pieces]),
            affines=np.array([piece.affine for piece in pieces]),
            kinds=np.array([piece.kind for piece in pieces]),
            held_out=np.array([piece.held_out for piece in pieces]),
            names=np.array([piece.name for piece in pieces]),
        )


_KEPT = {
    "bits": ("u", (None,)),
    "shapes": ("i", (None, 3)),
    "affines": ("f", (None, 4, 4)),
    "kinds": ("U", (None,)),
    "held_out": ("b", (None,)),
    "names": ("U", (None,)),
}


def _read(file: Path) -> list[LesionPiece]:
    kept = read_arrays(file, _KEPT)
    pieces, first = [], 0
    for number, shape in enumerate(kept["shapes"]):
        count = int(np.prod(shape))
        last = first + -(-count // 8)
        mask = np.unpackbits(kept["bits"][first:last], count=count).reshape(shape).astype(bool)
        pieces.append(
            LesionPiece(
                str(kept["kinds"][number]),
                mask,
                kept["affines"][number],
                bool(kept["held_out"][number]),
                str(kept["names"][number]),
            )
        )
        first = last
    return pieces


LEAST_VOXELS = 8
"""Of the scan, below which nothing is left of a lesion."""


def carried_mask(piece: LesionPiece, ras_from_mni: np.ndarray, affine: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """A lesion's mask carried to a scan by an affine matrix, on a grid (4x4 indices to RAS) of that scan; boolean."""
    matrix = np.linalg.inv(ras_from_mni @ piece.affine) @ affine
    return (
        ndimage.affine_transform(piece.mask.astype(np.float32), matrix[:3, :3], matrix[:3, 3], shape, order=1, mode="constant")
        >= 0.5
    )


def carried_lesion(piece: LesionPiece, ground: LesionGround) -> Hole | None:
    """What a lesion is in another brain: carried by the affine registration, cut to grey and white matter,
    its largest connected piece.

    Returns:
        Its voxels, or None where hardly any is left.
    """
    mask = carried_mask(piece, ground.ras_from_mni, ground.scan.affine, ground.scan.shape) & ground.solid
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())[1:]
    return hole_of_mask(labels == 1 + sizes.argmax()) if count and sizes.max() >= LEAST_VOXELS else None
