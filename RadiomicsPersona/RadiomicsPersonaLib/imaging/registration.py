"""Registration: the rigid motion of a head between two scans, so that a box can be carried from one to the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK
from scipy import ndimage

from ..errors import InputError
from .scan import LPS_TO_RAS, Scan

_SPACING = 2.0
"""Millimetres of the grid on which the scans are compared."""
_MARGIN = 2
_BINS = 48
_SAMPLED = 0.25
"""Share of the voxels that the search looks at."""
_COARSE, _FINE = ((4,), (4.0,)), ((2, 1), (2.0, 0.0))
"""Shrink factors and smoothing (mm) of the search from each start, and of the refinement of the better one."""


@dataclass(frozen=True, eq=False)
class RigidMotion:
    """A rotation and a shift.

    Attributes:
        matrix: 4x4, points of the first scan to the same anatomy in the second, both RAS millimetres.
        information: mutual information of the scans afterwards, nats (Mattes et al. 2003); the larger the better they match.

    >>> moved = np.eye(4)
    >>> moved[:3, 3] = 3, 4, 0
    >>> motion = RigidMotion(moved, information=1.2)
    >>> motion.shift_of(np.zeros(3))
    5.0
    """

    matrix: np.ndarray
    information: float

    @property
    def degrees(self) -> float:
        """Angle of the rotation."""
        return float(np.degrees(np.arccos(np.clip((np.trace(self.matrix[:3, :3]) - 1) / 2, -1, 1))))

    def shift_of(self, point: np.ndarray) -> float:
        """How far a point (RAS mm) moves, millimetres."""
        return float(np.linalg.norm(self.matrix[:3, :3] @ point + self.matrix[:3, 3] - point))


def rigid_motion(first: Scan, second: Scan) -> RigidMotion:
    """The motion that takes the first scan's anatomy to the second's, whatever their grids and contrasts are.

    Mattes' mutual information over SimpleITK's rigid transform, from coarse to fine, from two starts: the headers as they are,
    and the centres of mass on each other. The same scans give the same motion.

    Raises:
        InputError: the scans cannot be brought onto each other.
    """
    fixed, moving = _image(first), _image(second)
    moments = SimpleITK.CenteredTransformInitializer(
        fixed, moving, SimpleITK.Euler3DTransform(), SimpleITK.CenteredTransformInitializerFilter.MOMENTS
    )
    headers = SimpleITK.Euler3DTransform()
    headers.SetCenter(SimpleITK.Euler3DTransform(moments).GetCenter())
    try:
        starts = [_registered(fixed, moving, start, *_COARSE) for start in (headers, SimpleITK.Euler3DTransform(moments))]
        transform, value = _registered(fixed, moving, min(starts, key=lambda found: found[1])[0], *_FINE)
    except RuntimeError as error:
        raise InputError(
            f"'{second.name}' cannot be brought onto '{first.name}': check that both are scans of the same head."
        ) from error
    lps = np.eye(4)
    lps[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    lps[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    return RigidMotion(LPS_TO_RAS @ lps @ LPS_TO_RAS, -value)


def _registered(fixed, moving, start, shrink: tuple[int, ...], smooth: tuple[float, ...]):
    """The transform after a search from a start, and the metric's value there."""
    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(_BINS)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(_SAMPLED, seed=1)
    method.SetNumberOfThreads(1)  # sums over several come out a little different every time
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-4, 300, 0.7)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(shrink)
    method.SetSmoothingSigmasPerLevel(smooth)
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    transform = SimpleITK.Euler3DTransform(start)
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(fixed, moving)
    return transform, method.GetMetricValue()


def _image(scan: Scan):
    """The scan on an even grid along the patient's axes, as SimpleITK's image, whatever its own grid is."""
    low, high = scan.bounds_ras
    shape = np.maximum(2, np.ceil((high - low) / _SPACING).astype(int) + 1) + 2 * _MARGIN
    start = low - _MARGIN * _SPACING
    to_ijk = scan.grid.inverse
    # what lies between the points of the coarser grid is averaged first
    smoothed = ndimage.gaussian_filter(scan.array.astype(np.float32), np.maximum(0, (_SPACING / scan.spacing - 1) / 2))
    array = ndimage.affine_transform(
        smoothed,
        to_ijk[:3, :3] * _SPACING,
        to_ijk[:3, :3] @ start + to_ijk[:3, 3],
        tuple(shape),
        order=1,
        cval=float(smoothed.min()),
    )
    # outliers would take all bins of the histogram
    array = np.clip(array, *np.percentile(array, [0.5, 99.8]))
    image = SimpleITK.GetImageFromArray(array.transpose(2, 1, 0))
    image.SetSpacing([_SPACING] * 3)
    image.SetOrigin((LPS_TO_RAS[:3, :3] @ start).tolist())
    image.SetDirection(LPS_TO_RAS[:3, :3].ravel().tolist())
    return image
