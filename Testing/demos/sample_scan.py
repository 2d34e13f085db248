"""The scan that Slicer's Sample Data module offers: its thumbnail, and an analysis of it for the pictures of the panel.

python Testing/demos/sample_scan.py FOLDER      writes Resources/Icons/SampleHead.png of the module, and results into FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from demo import box_text, labels_in
from PIL import Image

from RadiomicsPersonaLib import cli
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.lesions.sample_head import LESION_CENTER, sample_head

ICON = Path("RadiomicsPersona/Resources/Icons/SampleHead.png")
PIXELS = 240


def main(folder: str) -> int:
    """Write both; 0 when the analysis came out as it must."""
    array, affine = sample_head()
    _save_slice(array, round(np.linalg.solve(affine, [*LESION_CENTER, 1.0])[2]))
    scan = Path(folder) / "sample.nii.gz"
    scan.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(scan, array, affine)
    boxes = [box_text(LESION_CENTER), box_text((-LESION_CENTER[0], *LESION_CENTER[1:]))]
    code = cli.main(["analyze", str(scan), *(f"--box={box}" for box in boxes), "--output", folder])
    if code:
        return code
    print(f"Labels {labels_in(scan.parent)}; expected [1, 0] (lesion, mirrored healthy side).")
    return 0 if labels_in(scan.parent) == [1, 0] else 1


def _save_slice(array: np.ndarray, level: int) -> None:
    """An axial slice in a square, the patient's left on the right."""
    plane = np.flip(array[:, :, level].T)
    side = max(plane.shape)
    across, down = ((side - size) // 2 for size in plane.shape[::-1])
    square = Image.new("L", (side, side))
    square.paste(Image.fromarray(np.clip(plane / plane.max() * 255, 0, 255).astype(np.uint8)), (across, down))
    square.resize((PIXELS, PIXELS), Image.Resampling.BICUBIC).quantize(64).save(ICON, optimize=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
