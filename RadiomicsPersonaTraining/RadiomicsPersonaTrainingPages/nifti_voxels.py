"""NIfTI voxels: the array of a NIfTI file exactly as it is stored, with numpy alone.

Slicer's Python has no nibabel, and Slicer's own reader mirrors left-handed grids and straightens sheared ones; results
that belong on the scan's own grid must not be touched.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

DTYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}


def read_nifti_voxels(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """The stored values (axes I, J, K) and the 4x4 IJK-to-RAS matrix (the sform, single precision) of a .nii.gz file.

    Raises:
        ValueError: not a single-file NIfTI-1 image with three dimensions and without rescaling.
    """
    with gzip.open(path) as stream:
        content = stream.read()
    if len(content) < 352 or content[344:348] != b"n+1\0":
        raise ValueError(f"{path} is not a NIfTI-1 file")
    order = "<" if int.from_bytes(content[:4], "little") == 348 else ">"
    dimensions = np.frombuffer(content, order + "i2", 8, 40)
    code = int(np.frombuffer(content, order + "i2", 1, 70)[0])
    offset, slope, intercept = np.frombuffer(content, order + "f4", 3, 108)
    rescaled = np.isfinite(slope) and slope != 0 and (slope, intercept) != (1, 0)
    if dimensions[0] != 3 or code not in DTYPES or rescaled:
        raise ValueError(f"{path} holds {dimensions[0]} dimensions of data type {code}, slope {slope:g}")
    shape = tuple(int(n) for n in dimensions[1:4])
    values = np.frombuffer(content, order + DTYPES[code], int(np.prod(shape)), int(offset)).reshape(shape, order="F")
    affine = np.eye(4)
    affine[:3] = np.frombuffer(content, order + "f4", 12, 280).reshape(3, 4)
    return values.astype(values.dtype.newbyteorder("=")), affine
