"""Painting cases: heads with marked lesions as the experiment's networks are shown them, the brain alone,
real and painted alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.brain.tissue import Tissue, estimate_tissue
from RadiomicsPersonaLib.imaging.files import digest_of, read_label_map, write_nifti
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.system.output import file_written_whole

from ..data.held_out import HeldOutScan

REAL, PAINTED = "real", "painted"
"""Collections of a fit."""
IMAGE, MASK = "image", "mask"
"""Endings of a case's two files, as `synthesize` has them."""
CLOSED_MM = 8.0
"""Gaps and bays of the brain mask up to twice this are closed: where a lesion is, the tissue model may see no brain."""


@dataclass(frozen=True)
class ExperimentCase:
    """One head.

    Attributes:
        group, subject: its source, and whose head it is.
        image, mask: files.
    """

    group: str
    subject: str
    image: Path
    mask: Path

    @property
    def source(self) -> str:
        """The collection, without the contrast."""
        return self.group.split(" ")[0]


def case_in(folder: Path, group: str, subject: str) -> ExperimentCase:
    """Where a case's files lie in a folder."""
    name = f"{group}-{subject}".replace(" ", "-")
    return ExperimentCase(group, subject, folder / f"{name}_{IMAGE}.nii.gz", folder / f"{name}_{MASK}.nii.gz")


def real_case(held_out: HeldOutScan, folder: Path) -> ExperimentCase:
    """A patient's scan and mask as files of a case; written once.

    Raises:
        InputError: the scan cannot be read, or shows no brain.
    """
    # named after what the files hold, so that a scan that was exchanged is written and measured anew
    case = case_in(folder / digest_of(held_out.files), held_out.group, held_out.subject)
    if not case.mask.is_file():
        scan = held_out.read()
        write_case(scan, read_label_map(held_out.lesion).array > 0, whole_brain(scan, estimate_tissue(scan)), case)
    return case


def write_case(scan: Scan, lesion: np.ndarray, brain: np.ndarray, case: ExperimentCase) -> None:
    """Write the brain of a scan, and its lesion; booleans on the scan's grid."""
    case.image.parent.mkdir(parents=True, exist_ok=True)
    for path, array in ((case.image, np.where(brain, scan.array, 0).astype(np.float32)), (case.mask, lesion.astype(np.uint8))):
        with file_written_whole(path) as staging:
            write_nifti(staging, array, scan.affine)


def whole_brain(scan: Scan, tissue: Tissue) -> np.ndarray:
    """The brain without gaps, boolean; lesions that the tissue model leaves out are taken back as far as brain lies around
    them.
    """
    brain = tissue.brain_on(scan.affine, scan.shape)
    margin = np.ceil(CLOSED_MM / scan.spacing).astype(int) + 1
    padded = np.pad(brain, [(m, m) for m in margin])
    grown = ndimage.distance_transform_edt(~padded, sampling=scan.spacing) <= CLOSED_MM
    closed = ndimage.distance_transform_edt(grown, sampling=scan.spacing) > CLOSED_MM
    closed = closed[tuple(slice(m, -m) for m in margin)] | brain
    return ndimage.binary_fill_holes(closed)


def in_slices(values: np.ndarray, scan: Scan, thickness: float) -> np.ndarray:
    """Values on the scan's grid as slices of a thickness would show them, smeared along the axis nearest to superior;
    float32.
    """
    axis = scan.axes_to_ras[0][2]
    sigma = thickness / scan.spacing[axis] / np.sqrt(12)  # as deviant as a box of that width
    return ndimage.gaussian_filter1d(np.asarray(values, np.float32), sigma, axis=axis, mode="nearest")
