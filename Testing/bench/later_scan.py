"""A head that is scanned again: moved, on another grid."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from RadiomicsPersonaLib.imaging.scan import make_scan


def motion(degrees, shift) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix(), shift
    return matrix


def seen_again(scan, matrix, affine=None, order=1, values=None):
    """The head moved by a rigid motion, on another grid."""
    affine = scan.affine if affine is None else affine
    shape = scan.shape if affine is scan.affine else (75, 70, 60)
    to_old = np.linalg.inv(scan.affine) @ np.linalg.inv(matrix) @ affine
    array = ndimage.affine_transform(
        scan.array if values is None else values, to_old[:3, :3], to_old[:3, 3], shape, order=order
    )
    return make_scan(array, affine, "later")
