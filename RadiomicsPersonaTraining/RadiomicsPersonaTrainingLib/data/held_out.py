"""Held-out scan: a scan that the evaluated model never saw, and where in it holes may lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import Hole, hole_of_mask
from RadiomicsPersonaLib.imaging.files import name_of, read_label_map, read_scan
from RadiomicsPersonaLib.imaging.scan import Scan

LESION_MARGIN = 5.0
"""Millimetres that every hole keeps from a marked lesion."""


@dataclass(frozen=True, eq=False)
class HeldOutScan:
    """One scan of one subject.

    Attributes:
        group: its source and, where a source has several contrasts, the contrast: "IXI", "MS T2".
        subject: whose head it is; holes depend on this name, so that all contrasts of a subject get the same ones.
        read: gives the scan.
        sources: files that `read` and `read_places` read.
        read_places: gives the scan, on the same grid, whose brain the holes are placed in; None for the scan itself.
        lesion: file of a mask on the same grid that no hole may come near, or None.
        again: file of a second scan of the same person, or None.
    """

    group: str
    subject: str
    read: Callable[[], Scan]
    sources: tuple[Path, ...]
    read_places: Callable[[], Scan] | None = None
    lesion: Path | None = None
    again: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that something measured in this scan depends on."""
        return (*self.sources, *(file for file in (self.lesion, self.again) if file is not None))

    def scan_and_places(self) -> tuple[Scan, Scan]:
        """The scan, and the one to place holes in, which carries the subject's name.

        Raises:
            InputError: the two do not share a grid.
        """
        scan = self.read()
        places = scan if self.read_places is None else self.read_places()
        if places.shape != scan.shape or not np.allclose(places.affine, scan.affine, atol=1e-3):
            raise InputError(
                f"The contrasts of '{self.subject}' in '{self.group}' lie on different grids: resample them to one grid first."
            )
        return scan, replace(places, name=self.subject)

    def forbidden(self, scan: Scan) -> Hole | None:
        """The voxels of the scan nearer than `LESION_MARGIN` to the lesion; None without one.

        Raises:
            InputError: the mask is not on the scan's grid.
        """
        if self.lesion is None:
            return None
        mask = read_label_map(self.lesion).array > 0
        if mask.shape != scan.shape:
            raise InputError(f"The mask '{self.lesion.name}' has another grid than its scan: resample it to the scan's grid.")
        if not mask.any():
            return None
        lesion = hole_of_mask(mask).grown(scan.shape, int(np.ceil(LESION_MARGIN / scan.spacing.min())))
        near = ndimage.distance_transform_edt(~lesion.mask, sampling=scan.spacing) <= LESION_MARGIN
        return Hole(lesion.start, near)


def held_out_files(group: str, files: list[Path]) -> list[HeldOutScan]:
    """One scan per file, named after the file."""
    return [HeldOutScan(group, name_of(path), partial(read_scan, path), (path,)) for path in files]
