"""Generators: the one function that draws lesion masks, whatever draws them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import Hole
from RadiomicsPersonaLib.lesions.outline import ball
from RadiomicsPersonaLib.lesions.painter import check_kind

from ..data.lesion_shapes import is_for_evaluation
from ..settings.sample_sections import TRAINED
from .fitted_mask import FARTHEST, fitted_mask, no_room
from .ground import LesionGround
from .kinds import FCD, LEARNT_FROM, TUMOUR
from .mask_model import MaskModel
from .measures import sphericity
from .patch import ACROSS, field_of, spacing_for
from .pieces import mask_files, pieces_of
from .places import drawn_ml, drawn_place

SPHERE, SHAPES = "sphere", "shapes"
GENERATORS = (SPHERE, SHAPES, *TRAINED)
PLACES = 40
"""Places that are tried for a lesion whose size was drawn or asked for."""
COARSEST = 2.5
"""Largest voxel of a scan over the voxel of the network's patch: what is asked for would be drawn between the slices."""
MOST_OF_TISSUE = 0.3
"""Share of the tissue that may become a lesion."""
ROUNDEST = 3
"""Masks that are drawn for a tumour, which grows round; the roundest is taken."""


@dataclass(frozen=True, eq=False)
class DrawnMask:
    """A lesion mask.

    Attributes:
        hole: its voxels, one connected piece.
        ml: the volume that was asked for or drawn.
        center: the place that was asked for or drawn, RAS millimetres.
    """

    hole: Hole
    ml: float
    center: np.ndarray


@dataclass(frozen=True, eq=False)
class MaskGenerator:
    """Draws lesion masks of one kind.

    Attributes:
        name: one of `GENERATORS`.
        kind: one of the painter's kinds.
        real_places: whether places are drawn as real lesions have them; otherwise anywhere in the tissue.
        outline: draws around a place, from (ground, centre in RAS mm, ml, rng).
        about: what identifies it, for the provenance.
    """

    name: str
    kind: str
    real_places: bool
    outline: Callable[[LesionGround, np.ndarray, float, np.random.Generator], Hole]
    about: dict[str, object]

    def draw(
        self, ground: LesionGround, rng: np.random.Generator, ml: float | None = None, center: np.ndarray | None = None
    ) -> DrawnMask:
        """A mask; the same generator state gives the same mask.

        Args:
            ml: volume; None draws it as real lesions have it.
            center: RAS millimetres; None draws a place.
        Raises:
            InputError: it does not fit.
        """
        room = ground.open_to(self.kind).sum() * ground.voxel_ml
        if ml is not None and ml > MOST_OF_TISSUE * room:
            raise InputError(
                f"A lesion of {ml:.4g} ml does not fit into the {room:.0f} ml where a {self.kind} lesion may lie in "
                f"'{ground.scan.name}': give a smaller --size."
            )
        error = None
        for _ in range(PLACES if center is None else 1):
            size = drawn_ml(self.kind, ground.ras_from_mni, rng) if ml is None else ml
            place = self._place(ground, size, rng) if center is None else np.asarray(center, float)
            try:
                return DrawnMask(self.outline(ground, place, size, rng), size, place)
            except InputError as refused:
                error = refused
        raise error

    def _place(self, ground: LesionGround, ml: float, rng: np.random.Generator) -> np.ndarray:
        if self.real_places and self.kind != FCD:
            return drawn_place(self.kind, ml, ground.ras_from_mni, rng)
        voxels = np.flatnonzero(ground.open_to(self.kind))
        return ground.scan.ras_from_ijk(np.array(np.unravel_index(voxels[rng.integers(len(voxels))], ground.scan.shape)))


def mask_generator(
    name: str, kind: str, shapes: Path | None = None, model: MaskModel | None = None, real_places: bool | None = None
) -> MaskGenerator:
    """A generator by its name.

    Args:
        shapes: folder with real lesion masks in a subfolder for every kind; `SHAPES` needs it.
        model: in place of the shipped one of a trained generator.
        real_places: see `MaskGenerator`; by default so for trained generators.
    Raises:
        InputError: an unknown name or kind, no folder of shapes, or no such model.
    """
    check_kind(kind)
    if name not in GENERATORS:
        raise InputError(f"There is no mask generator '{name}': choose one of {', '.join(GENERATORS)}.")
    real_places = name in TRAINED if real_places is None else real_places
    if name == SPHERE:
        return MaskGenerator(name, kind, real_places, _round(kind), {"name": name})
    if name == SHAPES:
        if shapes is None:
            raise InputError("--masks shapes takes the outlines of real lesions: give their folder with --shapes.")
        files = tuple(file for file in mask_files(shapes, LEARNT_FROM[kind]) if not is_for_evaluation(file))
        if not files:
            raise InputError(
                f"'{shapes / LEARNT_FROM[kind]}' holds too few masks, for one in five is kept for evaluation: give more."
            )
        return MaskGenerator(name, kind, real_places, _chosen(kind, _shaped(kind, files)), {"name": name, "shapes": len(files)})
    model = model or MaskModel.load(f"masks-{name}")
    if model.card["masks"]["generator"] != name:
        raise InputError(
            f"The generator '{model.name}' is a {model.card['masks']['generator']}: give --masks "
            f"{model.card['masks']['generator']} with it."
        )
    if LEARNT_FROM[kind] not in model.kinds:
        raise InputError(
            f"The generator '{model.name}' was not trained for {kind} lesions, but for {', '.join(model.kinds)}: choose "
            "another one."
        )
    return MaskGenerator(name, kind, real_places, _chosen(kind, _learnt(kind, model)), model.provenance())


def _round(kind: str):
    """A ball; of focal cortical dysplasia what lies in the cortical band of one."""

    def outline(ground: LesionGround, center: np.ndarray, ml: float, rng: np.random.Generator) -> Hole:
        if kind != FCD:
            return ball(ground.scan, ground.tissue, center, ml, rng)
        size = 32
        axis = np.linspace(-1.6, 1.6, size)  # in diameters
        distance = np.linalg.norm(np.stack(np.meshgrid(axis, axis, axis, indexing="ij")), axis=0)
        spacing = spacing_for(ml) * ACROSS * (axis[1] - axis[0])
        return fitted_mask(
            ground.scan, ground.open_to(kind), 1 - distance, _affine(center, spacing * np.eye(3), distance.shape), ml
        )

    return outline


def _shaped(kind: str, files: tuple[Path, ...]):
    """A real lesion's outline, turned and flipped at random and scaled to the size."""

    def outline(ground: LesionGround, center: np.ndarray, ml: float, rng: np.random.Generator) -> Hole:
        pieces = ()
        for _ in range(PLACES):
            pieces = pieces or pieces_of(LEARNT_FROM[kind], files[rng.integers(len(files))])
        if not pieces:
            raise InputError(f"The masks in '{files[0].parent}' hold no lesion large enough to take its shape: give others.")
        piece = pieces[rng.integers(len(pieces))]
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]  # reflects as often as not
        scale = (ml / piece.ml) ** (1 / 3)
        margin = 6
        field = field_of(np.pad(piece.mask, margin))
        affine = _affine(center, scale * turn @ piece.affine[:3, :3], field.shape)
        inner = np.argwhere(piece.mask).mean(axis=0) + margin
        affine[:3, 3] = center - affine[:3, :3] @ inner
        return fitted_mask(ground.scan, ground.open_to(kind), field, affine, ml)

    return outline


def _learnt(kind: str, model: MaskModel):
    """What a trained network draws."""

    def outline(ground: LesionGround, center: np.ndarray, ml: float, rng: np.random.Generator) -> Hole:
        coarsest = COARSEST * spacing_for(ml)
        if ground.scan.spacing.max() > coarsest:
            raise InputError(
                f"The voxels of '{ground.scan.name}' ({ground.scan.spacing.max():.3g} mm) are too coarse for a lesion of "
                f"{ml:.3g} ml by '{model.name}', which was trained for voxels up to {coarsest:.2g} mm at this size: give a "
                "larger --size, or --masks sphere."
            )
        if not _near_tissue(ground, center, kind):
            raise no_room(ground.scan, ml)
        field, affine = model.draw(ground.scan, ground.tissue, center, ml, LEARNT_FROM[kind], rng)
        return fitted_mask(ground.scan, ground.open_to(kind), field, affine, ml)

    return outline


def _chosen(kind: str, outline):
    """Of a tumour the roundest of `ROUNDEST` outlines."""
    if kind != TUMOUR:
        return outline

    def roundest(ground: LesionGround, center: np.ndarray, ml: float, rng: np.random.Generator) -> Hole:
        return max((outline(ground, center, ml, rng) for _ in range(ROUNDEST)), key=lambda hole: sphericity(hole, ground.scan))

    return roundest


def _near_tissue(ground: LesionGround, center: np.ndarray, kind: str) -> bool:
    """Whether tissue that the lesion may lie in is near, found without drawing anything."""
    index = ground.scan.ijk_from_ras(center)
    reach = FARTHEST / ground.scan.spacing
    low, high = (
        np.clip(np.floor(index - reach), 0, ground.scan.shape).astype(int),
        np.clip(np.ceil(index + reach) + 1, 0, ground.scan.shape).astype(int),
    )
    return bool(ground.open_to(kind)[tuple(slice(a, b) for a, b in zip(low, high))].any())


def _affine(center: np.ndarray, linear: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """4x4 matrix from the indices of a field, whose middle lies at a point, to RAS millimetres."""
    affine = np.eye(4)
    affine[:3, :3] = linear
    affine[:3, 3] = center - linear @ ((np.array(shape) - 1) / 2)
    return affine
