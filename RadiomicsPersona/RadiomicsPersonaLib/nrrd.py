"""NRRD: volumes as Slicer writes them, without Slicer."""

from __future__ import annotations

import gzip
from typing import BinaryIO

import numpy as np

from .scan import LPS_TO_RAS


def write_nrrd(stream: BinaryIO, array: np.ndarray, affine: np.ndarray) -> None:
    """Write a volume as gzip-compressed NRRD in LPS coordinates, its values bit for bit.

    Args:
        stream: where to; only written to, never sought.
        array: float32 or float64, axes I, J, K.
        affine: 4x4, IJK to RAS millimetres.
    """
    kind = {"float32": "float", "float64": "double"}[array.dtype.name]
    matrix = LPS_TO_RAS @ affine
    header = (
        f"NRRD0004\ntype: {kind}\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {' '.join(map(str, array.shape))}\n"
        f"space directions: {' '.join(_vector(column) for column in matrix[:3, :3].T)}\n"
        "kinds: domain domain domain\nendian: little\nencoding: gzip\n"
        f"space origin: {_vector(matrix[:3, 3])}\n\n"
    )
    stream.write(header.encode("ascii"))
    # level 1: a scan's noise hardly compresses, and nobody should wait for it
    with gzip.GzipFile("", "wb", compresslevel=1, fileobj=stream, mtime=0) as packed:
        for k in range(array.shape[2]):
            packed.write(array[:, :, k].astype(array.dtype.newbyteorder("<"), copy=False).tobytes(order="F"))


def _vector(values: np.ndarray) -> str:
    return "(" + ",".join(repr(float(value)) for value in values) + ")"
