"""Bias field: slow changes of brightness from the coil, taken out of a scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from RadiomicsPersonaLib.scan import Scan

SHRUNK_TO_MM = 4.0
"""The field is estimated on a grid about this coarse; it is smooth."""


def correct_bias_field(scan: Scan) -> Scan:
    """The scan divided by its bias field, estimated by N4 (Tustison et al. 2010; SimpleITK) over the head."""
    import SimpleITK as sitk

    lowest = float(scan.array.min())
    image = sitk.GetImageFromArray(np.ascontiguousarray((scan.array - lowest).astype(np.float32).transpose(2, 1, 0)))
    image.SetSpacing([float(s) for s in scan.spacing])
    shrink = [max(1, round(SHRUNK_TO_MM / s)) for s in scan.spacing]
    small = sitk.Shrink(image, shrink)
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations([30, 30, 20])
    corrector.Execute(small, sitk.OtsuThreshold(small, 0, 1))
    field = np.exp(sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(image)).transpose(2, 1, 0))
    return replace(scan, array=((scan.array - lowest) / field + lowest).astype(np.float32))
