"""Mask: which voxels of a segmentation are meant, read from its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .errors import InputError
from .scan import read_label_map


def read_mask(path: str | Path, label: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The voxels of one label, or of all labels other than 0.

    Returns:
        boolean array, axes I, J, K, not empty; 4x4 IJK-to-RAS matrix in millimetres.
    Raises:
        InputError: not a 3-D image of whole numbers, without a usable geometry, empty, or without that label.
    """
    name = Path(path).name
    image = read_label_map(path)
    labels, affine = image.array, np.array(image.affine, np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise InputError(f"The mask '{name}' has no usable geometry (its voxel-to-world matrix is singular): save it again from its source.")
    if not np.isfinite(labels).all() or not np.array_equal(labels, np.rint(labels)):
        raise InputError(f"The mask '{name}' holds values that are not whole numbers: choose a segmentation, not an image.")
    if not labels.any():
        raise InputError(f"The mask '{name}' is empty: mark some voxels first.")
    if label is None:
        return labels != 0, affine
    if not (labels == label).any():
        there = np.unique(labels[labels != 0]).astype(int)
        listed = ", ".join(map(str, there[:20])) + (", ..." if len(there) > 20 else "")
        raise InputError(f"The mask '{name}' has no label {label}: choose one of {listed}.")
    return labels == label, affine
