"""A DICOM series, a file per slice."""

from __future__ import annotations

from pathlib import Path

import SimpleITK

SERIES, STUDY = "1.2.826.0.1.3680043.2.1125.1", "1.2.826.0.1.3680043.2.1125.9"

PATIENT = {
    "0008|0020": "20260331",
    "0008|0030": "101112",
    "0008|0050": "",
    "0010|0010": "Doe^Jane",
    "0010|0020": "P7",
    "0010|0030": "19700101",
    "0010|0040": "F",
    "0020|0010": "1",
    "0020|0011": "3",
    "0020|0052": "1.2.826.0.1.3680043.2.1125.8",
}
"""What a scanner says of patient and study, by tag."""


def slices_of(image: SimpleITK.Image, series_uid: str = SERIES) -> list[tuple[SimpleITK.Image, dict[str, str]]]:
    """The slices of a volume as images of two axes, each with its DICOM tags."""
    direction = image.GetDirection()
    return [
        (
            image[:, :, number],
            {
                "0008|0060": "MR",
                "0020|000e": series_uid,
                "0020|000d": STUDY,
                "0008|0018": f"{series_uid}.{number + 1}",
                "0020|0013": str(number + 1),
                "0020|0032": "\\".join(f"{v:.10g}" for v in image.TransformIndexToPhysicalPoint((0, 0, number))),
                "0020|0037": "\\".join(f"{direction[i]:.10g}" for i in (0, 3, 6, 1, 4, 7)),
            },
        )
        for number in range(image.GetDepth())
    ]


def write_slices(
    slices: list[tuple[SimpleITK.Image, dict[str, str]]], folder: Path, prefix: str = "", compressor: str = ""
) -> list[Path]:
    """Write slices with exactly these tags; the files in their order."""
    folder.mkdir(exist_ok=True)
    writer = SimpleITK.ImageFileWriter()
    if compressor:
        writer.UseCompressionOn()
        writer.SetCompressor(compressor)
    writer.KeepOriginalImageUIDOn()
    files = []
    for number, (image, tags) in enumerate(slices):
        image = SimpleITK.Image(image)
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        files.append(folder / f"{prefix}{number:03d}.dcm")
        writer.SetFileName(str(files[-1]))
        writer.Execute(image)
    return files


def write_dicom_series(image: SimpleITK.Image, folder, series_uid: str, more: dict[str, str] | None = None) -> None:
    write_slices(
        [(slice_image, tags | (more or {})) for slice_image, tags in slices_of(image, series_uid)], folder, f"{series_uid[-1]}-"
    )
