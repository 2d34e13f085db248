"""A DICOM series, a file per slice."""

from __future__ import annotations

import SimpleITK


def write_dicom_series(image: SimpleITK.Image, folder, series_uid: str, more: dict[str, str] | None = None) -> None:
    folder.mkdir(exist_ok=True)
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    direction = image.GetDirection()
    for number in range(image.GetDepth()):
        slice_image = image[:, :, number]
        tags = {
            "0008|0060": "MR",
            "0020|000e": series_uid,
            "0020|000d": "1.2.826.0.1.3680043.2.1125.9",
            "0008|0018": f"{series_uid}.{number + 1}",
            "0020|0013": str(number + 1),
            "0020|0032": "\\".join(f"{v:.10g}" for v in image.TransformIndexToPhysicalPoint((0, 0, number))),
            "0020|0037": "\\".join(f"{direction[i]:.10g}" for i in (0, 3, 6, 1, 4, 7)),
        } | (more or {})
        for tag, value in tags.items():
            slice_image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{series_uid[-1]}-{number:03d}.dcm"))
        writer.Execute(slice_image)
