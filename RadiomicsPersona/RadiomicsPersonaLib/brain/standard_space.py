"""Standard space: the affine way between a brain and the MNI space in which atlases and lesion masks are kept,
for scans of any contrast.

Brains are compared by their tissues, not by their intensities: the tissue model's shares become a picture in which fluid is
dark, grey matter middle and white matter bright, and that is laid over the same picture of an average brain (affine, 12
parameters, least squares).
"""

from __future__ import annotations

import numpy as np
import SimpleITK
from scipy import ndimage

from .anatomy import Anatomy
from .average_brain import AFFINE, SHAPE, average_brain

BRIGHTNESS = (0.3, 0.65, 1.0)
"""Of fluid, grey and white matter in the pictures that are compared."""


def ras_from_standard(anatomy: Anatomy, average: np.ndarray | None = None) -> np.ndarray:
    """4x4 matrix that takes MNI millimetres to the same anatomy in a scan, RAS millimetres;
    the same scan gives the same matrix.

    Args:
        average: picture of the brain in MNI space, of `SHAPE`; the shipped one by default.
    """
    average = average_brain() if average is None else average
    picture = tissue_picture(anatomy)
    start = _by_moments(average, AFFINE) @ np.linalg.inv(_by_moments(picture, anatomy.affine))
    # the picture in a frame in which it already lies roughly right, so that the search begins at the identity
    moved = sampled(ndimage.gaussian_filter(picture, 0.7), anatomy.grid.inverse @ np.linalg.inv(start) @ AFFINE, SHAPE)
    transform = SimpleITK.AffineTransform(3)
    transform.SetCenter(_middle(average).tolist())
    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetNumberOfThreads(1)  # sums over several come out a little different every time
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 200, 0.7)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel((2, 1))
    method.SetSmoothingSigmasPerLevel((1.0, 0.0))
    method.SetInitialTransform(transform, inPlace=True)
    images = [SimpleITK.GetImageFromArray(np.ascontiguousarray(array.T.astype(np.float32))) for array in (average, moved)]
    method.Execute(*images)
    index = np.eye(4)
    index[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    center = np.array(transform.GetCenter())
    index[:3, 3] = center + transform.GetTranslation() - index[:3, :3] @ center
    return np.linalg.inv(start) @ AFFINE @ index @ np.linalg.inv(AFFINE)


def tissue_picture(anatomy: Anatomy) -> np.ndarray:
    """Brightness of every voxel of the tissue model's grid by its tissues, float32, 0 outside the brain."""
    return np.tensordot(np.array(BRIGHTNESS, np.float32), anatomy.shares.astype(np.float32) / 255, axes=1)


def in_standard(anatomy: Anatomy, ras_from_mni: np.ndarray) -> np.ndarray:
    """The picture of a scan's tissues in MNI space, float32 of `SHAPE`."""
    smooth = ndimage.gaussian_filter(tissue_picture(anatomy), 0.7)
    return sampled(smooth, anatomy.grid.inverse @ ras_from_mni @ AFFINE, SHAPE)


def sampled(array: np.ndarray, matrix: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An array at `matrix` (4x4) times every index of a grid of `shape`, interpolated linearly, 0 beyond it."""
    return ndimage.affine_transform(array, matrix[:3, :3], matrix[:3, 3], shape, order=1, mode="constant", cval=0.0)


def _middle(picture: np.ndarray) -> np.ndarray:
    return np.argwhere(picture > 0.15).mean(axis=0)


def _by_moments(picture: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """4x4 matrix from a frame in which a brain has its middle at 0 and a standard deviation of 1 along every axis."""
    points = np.argwhere(picture > 0.15) @ affine[:3, :3].T + affine[:3, 3]
    frame = np.diag([*points.std(axis=0), 1.0])
    frame[:3, 3] = points.mean(axis=0)
    return frame
