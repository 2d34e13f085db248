"""The demo: a lesion of known place on a healthy template, box 1 on it, box 2 on the mirrored healthy side; then a loose box.

    python Testing/demos/demo.py                                   the built-in example
    python Testing/demos/demo.py --scan SCAN --box R,A,S,X,Y,Z     the user's own scan

Everything goes into demo-output/.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib import cli
from RadiomicsPersonaLib.commands.command_line import EXIT_BAD_INPUT
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.lesions.sample_head import BOX_SIZE, LESION_CENTER, place_lesion

OUTPUT = Path("demo-output")
LOOSE = 1.5
"""How much larger the second look's box is, for nobody draws a box like a glove."""


def main() -> int:
    """Run the demo; 0 when it came out as it must."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scan")
    parser.add_argument("--box")
    options = parser.parse_args()
    if bool(options.scan) != bool(options.box):
        print("Give both: make demo SCAN=scan.nii.gz BOX=R,A,S,X,Y,Z (centre and sizes in mm).", file=sys.stderr)
        return EXIT_BAD_INPUT
    if options.scan:
        return cli.main(["analyze", options.scan, f"--box={options.box}", "--output", str(OUTPUT)])
    scan = OUTPUT / "template-with-lesion.nii.gz"
    try:
        OUTPUT.mkdir(exist_ok=True)
        write_nifti(scan, *template_with_lesion())
    except OSError as error:
        print(f"'{OUTPUT}' cannot be written ({error.strerror}): run the demo where you may write.", file=sys.stderr)
        return EXIT_BAD_INPUT
    started = time.monotonic()
    boxes = [box_text(LESION_CENTER), box_text((-LESION_CENTER[0], *LESION_CENTER[1:]))]
    code = cli.main(["analyze", str(scan), *(f"--box={box}" for box in boxes), "--output", str(OUTPUT)])
    if code:
        return code
    labels = labels_in(OUTPUT)
    print(f"Labels {labels} in {time.monotonic() - started:.0f} s; expected [1, 0] (lesion, mirrored healthy side).")
    code = cli.main(["analyze", str(scan), f"--box={box_text(LESION_CENTER, LOOSE)}", "--output", str(OUTPUT / "loose")])
    if code:
        return code
    loose = labels_in(OUTPUT / "loose")
    print(f"A box {LOOSE:g} times as large along every side: {loose}; expected [1].")
    return 0 if (labels, loose) == ([1, 0], [1]) else 1


def labels_in(folder: Path) -> list:
    """The labels of the boxes in results.json."""
    return [box["label"] for box in json.loads((folder / "results.json").read_text(encoding="utf-8"))["boxes"]]


def box_text(center, factor: float = 1.0) -> str:
    """R,A,S,X,Y,Z of the demo's box around a point, some factor larger."""
    return ",".join(f"{value:g}" for value in (*center, *(factor * edge for edge in BOX_SIZE)))


def template_with_lesion() -> tuple[np.ndarray, np.ndarray]:
    """The ICBM152 T1 template (1 mm, RAS) with a dark, uneven, soft-edged lesion at `LESION_CENTER`; array and affine."""
    from nilearn.datasets import load_mni152_template

    template = load_mni152_template(resolution=1)
    array = np.asarray(template.dataobj, dtype=np.float32)
    affine = np.array(template.affine)
    rng = np.random.default_rng(0)
    wobble, texture = (ndimage.gaussian_filter(rng.normal(size=array.shape).astype(np.float32), sigma) for sigma in (4, 1))
    return place_lesion(array, affine, wobble, texture).astype(np.float32), affine


if __name__ == "__main__":
    sys.exit(main())
