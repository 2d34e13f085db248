"""Box: an oriented cuboid in world coordinates (RAS, millimetres)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from ..errors import InputError
from ..imaging.grid import FARTHEST_MM


@dataclass(frozen=True, eq=False)
class Box:
    """An oriented box around a region of the scan.

    Attributes:
        center: centre in RAS millimetres, shape (3,).
        size: full edge lengths along the box's own axes in millimetres, shape (3,), all positive.
        axes: orthonormal 3x3 matrix; column a is the direction of the box's axis a in RAS.
        name: how reports call this box.

    Raises:
        InputError: the numbers are not finite or beyond `FARTHEST_MM`, a size is not positive, or the axes are not orthonormal.

    >>> box = Box(center=(10, 0, 0), size=(20, 20, 40))
    >>> box.volume_ml, box.contains([(19, 0, 0), (21, 0, 0)]).tolist()
    (16.0, [True, False])
    """

    center: np.ndarray
    size: np.ndarray
    axes: np.ndarray = field(default_factory=lambda: np.eye(3))
    name: str = "box"

    def __post_init__(self):
        for attribute, shape in (("center", (3,)), ("size", (3,)), ("axes", (3, 3))):
            value = np.array(getattr(self, attribute), dtype=np.float64)
            if value.shape != shape or not np.isfinite(value).all():
                raise InputError(f"Box '{self.name}' has an unusable {attribute}: give finite numbers in millimetres.")
            value.setflags(write=False)
            object.__setattr__(self, attribute, value)
        if max(np.abs(self.center).max(), self.size.max()) > FARTHEST_MM:
            raise InputError(
                f"Box '{self.name}' reaches beyond {FARTHEST_MM:g} mm, where no patient is: give centre and sizes in mm."
            )
        if not (self.size > 0).all():
            raise InputError(f"Box '{self.name}' has a size of {_numbers(self.size)} mm: every edge must be longer than zero.")
        if not np.allclose(self.axes.T @ self.axes, np.eye(3), atol=1e-4):
            raise InputError(f"Box '{self.name}' has axes that are not perpendicular: draw it again as a Slicer ROI.")

    @property
    def corners(self) -> np.ndarray:
        """The 8 corners in RAS millimetres, shape (8, 3)."""
        signs = np.array(list(product((-0.5, 0.5), repeat=3)))
        return self.center + (signs * self.size) @ self.axes.T

    @property
    def volume_ml(self) -> float:
        """Volume in millilitres."""
        return float(np.prod(self.size) / 1000)

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether points (..., 3) in RAS millimetres lie inside or on the faces; boolean array (...)."""
        local = (np.asarray(points, dtype=np.float64) - self.center) @ self.axes
        return (np.abs(local) <= self.size / 2).all(axis=-1)

    def moved_to(self, center: np.ndarray, name: str | None = None) -> Box:
        """The same box around another centre (RAS millimetres)."""
        return Box(center, self.size, self.axes, name or self.name)

    def transformed(self, matrix: np.ndarray, name: str | None = None) -> Box:
        """The box under a rigid motion or reflection, given as a 4x4 matrix on RAS points.

        A reflection turns the axes into a left-handed system; since a box is symmetric the first axis is flipped back.
        """
        axes = matrix[:3, :3] @ self.axes
        if np.linalg.det(axes) < 0:
            axes = axes * np.array([-1.0, 1.0, 1.0])
        return Box(matrix[:3, :3] @ self.center + matrix[:3, 3], self.size, axes, name or self.name)


def parse_box(text: str, name: str = "box") -> Box:
    """A box from ``R,A,S,X,Y,Z``: centre and edge lengths in RAS millimetres, axes along RAS.

    Between the numbers stand commas, semicolons or blanks, of one kind: others may be parts of numbers.

    Raises:
        InputError: these are not six finite numbers, or no box.

    >>> parse_box("10,-20,30,40,40,20").size.tolist()
    [40.0, 40.0, 20.0]
    """
    if text.strip().lower().endswith(".json"):
        raise InputError(
            f"'{text}' is a file, where a box needs six numbers R,A,S,X,Y,Z: name it where files of boxes are asked."
        )
    mark = next((mark for mark in ";," if mark in text), None)
    parts = [part.strip() for part in text.strip().split(mark)]
    if mark and len(parts) == 6 and any(re.search(r"[,;\s]", part) for part in parts):
        raise InputError(
            f"A box needs six numbers R,A,S,X,Y,Z, but '{text}' holds marks of several kinds: write numbers with a point, and "
            "commas between them."
        )
    if len(parts) != 6:
        raise InputError(f"A box needs six numbers R,A,S,X,Y,Z (centre and sizes in mm), but '{text}' has {len(parts)}.")
    try:
        numbers = np.array([float(part) for part in parts])
    except ValueError:
        raise InputError(f"A box needs six numbers R,A,S,X,Y,Z, but '{text}' holds something that is not a number.") from None
    if not np.isfinite(numbers).all():
        raise InputError(f"A box needs six finite numbers R,A,S,X,Y,Z, but '{text}' holds NaN or infinity.")
    return Box(numbers[:3], numbers[3:], name=name)


def _numbers(values) -> str:
    return " x ".join(f"{value:g}" for value in values)


LATTICE = 6
"""Points per edge at which a box's tissue is looked up."""


def lattice_of(box: Box) -> np.ndarray:
    """Points spread evenly through a box, RAS millimetres, shape (LATTICE**3, 3)."""
    steps = (np.arange(LATTICE) + 0.5) / LATTICE - 0.5
    unit = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    return box.center + (unit * box.size) @ box.axes.T
