"""NIfTI place: where 3D Slicer, which reads NIfTI through ITK, shows the voxels of a file.

A header can place them twice, by its qform and by its sform, with a code each that says whether it counts and what it means;
its voxel sizes stand in a third field. Programs choose differently where these disagree. Boxes and masks are drawn in Slicer,
so what it shows is what is meant.
"""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from .grid import FARTHEST_MM, SAME_PLACE, Grid

SCANNER = 1
"""The code of a form that gives the coordinates of the scanner."""
LARGEST_SKEW = 1e-4
"""How far the products of two axes may be from 0, and of one with itself from 1, for ITK to take an sform."""
ROUNDED_MM = 1e-3
"""Millimetres by which the forms of one place differ at most, since they are rounded in their own ways."""
_MM_PER_UNIT = {1: 1000.0, 3: 0.001}
"""Of metres and micrometres, by their code; what has another code or none is in millimetres."""


def place_of(header, shape: tuple[int, ...], name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Where the voxels of a NIfTI file lie, as ITK places them.

    The sform with the code of the scanner comes first, then the qform, then any other sform. ITK takes no skewed sform, and of
    the others only the directions: the distances are the header's voxel sizes. A header without a code says nothing of the
    patient's sides; ITK then takes I from right to left, J from front to back, K from foot to head, and the first voxel for the
    origin. A skewed sform that stands alone is taken as it is, for ITK shows it nowhere.

    Args:
        header: nibabel's header of a NIfTI-1 or NIfTI-2 file, not mended by nibabel's checks.
        shape: voxels along I, J, K, of which the first three are looked at.
        name: of the file, for sentences.
    Returns:
        4x4 matrix from voxel indices to RAS millimetres; what the user should know about it, one sentence each.
    Raises:
        InputError: a voxel size is not above zero, or what places the voxels is not finite.
    """
    sizes = np.array(header["pixdim"][1:4], np.float64)
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        raise InputError(
            f"'{name}' has voxel sizes of {' x '.join(f'{size:g}' for size in sizes)} mm in its header, and each must be above "
            "zero: convert it again from its source."
        )
    unit = np.diag([*[_MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)] * 3, 1.0])
    with np.errstate(invalid="ignore", over="ignore"):  # a form that does not count may hold anything
        qform, sform = unit @ _qform(header, sizes), unit @ header.get_sform()
    by_qform, by_sform = int(header["qform_code"]) > 0, int(header["sform_code"]) > 0
    # comparisons with NaN are false
    if not all(np.abs(form).max() <= FARTHEST_MM for form, counts in ((qform, by_qform), (sform, by_sform)) if counts):
        raise InputError(
            f"'{name}' has numbers in its header's place that no patient can have (not finite, or beyond {FARTHEST_MM:g} mm): "
            "convert it again from its source."
        )
    directions = sform[:3, :3] / np.where(sform[:3, :3].any(axis=0), np.linalg.norm(sform[:3, :3], axis=0), 1)
    straight = np.abs(directions @ directions.T - np.eye(3)).max() <= LARGEST_SKEW
    if not (by_qform or by_sform):
        return unit @ np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.diag([*sizes, 1.0]), (
            f"The header of '{name}' does not say where right and left are, nor where the patient lies (its qform and sform "
            "have no code); the sides are a guess, the one that 3D Slicer makes too: convert it again from its source.",
        )
    if by_sform and straight and (int(header["sform_code"]) == SCANNER or not by_qform):
        place = sform.copy()
        place[:3, :3] = directions * (unit[:3, :3] @ sizes)
    elif by_qform:
        place = qform
    else:
        place = sform
    if place is sform:
        return place, (
            f"The grid of '{name}' is skewed, which 3D Slicer straightens or refuses, so that it shows the scan elsewhere: "
            "resample it onto a straight grid.",
        )
    grid = Grid(shape[:3], place)
    apart = max(grid.apart(Grid(shape[:3], form)) for form, counts in ((qform, by_qform), (sform, by_sform)) if counts)
    if apart <= ROUNDED_MM:
        return sform if by_sform else qform, ()
    if apart <= SAME_PLACE * grid.spacing.min():
        return place, ()
    return place, (
        f"The header of '{name}' gives more than one place for the scan, up to {apart:.3g} mm apart (its qform, sform and "
        "voxel sizes disagree); the place where 3D Slicer shows it was taken.",
    )


def _qform(header, sizes: np.ndarray) -> np.ndarray:
    """4x4 matrix of the quaternion; one that is too long is shortened, as in ITK."""
    from nibabel.quaternions import quat2mat  # which a Slicer may lack

    parts = np.array([float(header[f"quatern_{part}"]) for part in "bcd"])
    matrix = np.eye(4)
    handed = np.array([1.0, 1.0, -1.0 if float(header["pixdim"][0]) < 0 else 1.0])
    matrix[:3, :3] = quat2mat([np.sqrt(max(1 - parts @ parts, 0.0)), *parts]) * sizes * handed
    matrix[:3, 3] = [float(header[f"qoffset_{axis}"]) for axis in "xyz"]
    return matrix
