"""Segmentation site: data folders laid out as public collections are, with synthetic heads,
and settings cut down to seconds.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.imaging.files import write_nifti

SHAPE = (28, 30, 26)
AFFINE = np.diag([-1.0, 1.0, 1.0, 1.0])  # stored from right to left
SMALL = {
    "patch": "[32, 32, 32]",
    "channels": "[8, 16, 16]",
    "blocks": "[1, 1, 1]",
    "steps": "{steps}",
    "batch": "2",
    "average": "0.8",
    "validate_every": "{every}",
    "validation_pairs": "2",
    "workers": "1",
    "learning_rate": "0.01",
    "warmup": "3",
}
CONTRASTS = 4
LEVELS = np.array([40.0, -40.0, 80.0, -80.0, 60.0])
"""Brightness of the balls beside their surroundings' in the first contrast; the next begins with the second, and so on."""
NUMBERS = {
    "brats2020": (1, 2, 4),
    "brats2023": (1, 2, 3),
    "lesion": (1,),
    "hipmri": (1, 2, 3, 4, 5),
    "hippocampus": (1, 2),
    "synthetic": (1,),
}


def make_case(seed: int, numbers: tuple[int, ...]) -> tuple[list[np.ndarray], np.ndarray]:
    """Contrasts and label map of a head with one ball per number, each of a brightness of its own in every contrast."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    truth = np.zeros(SHAPE, np.uint8)
    for place, number in enumerate(numbers):
        center = np.array([6 + 16 * (place % 2), 7 + 16 * (place // 2 % 2), 7 + 12 * (place // 4)]) + rng.uniform(-2, 2, 3)
        truth[np.linalg.norm(grid - center, axis=-1) < 4.5] = number
    brightness = {0: np.full(CONTRASTS, 100.0)} | {
        number: 100 + LEVELS[(place + np.arange(CONTRASTS)) % len(LEVELS)] for place, number in enumerate(numbers)
    }
    images = [
        sum(brightness[number][c] * (truth == number) for number in brightness) + rng.normal(0, 4, SHAPE)
        for c in range(CONTRASTS)
    ]
    return [image.astype(np.float32) for image in images], truth


def write(path: Path, array: np.ndarray) -> None:
    """A NIfTI file, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(path, array, AFFINE)


def make_site(root: Path, layout: str, cases: int = 4) -> Path:
    """A data folder laid out like one of `NUMBERS`."""
    for seed in range(cases):
        images, truth = make_case(seed, NUMBERS[layout])
        if layout == "brats2020":
            name = f"BraTS20_Training_{seed + 353:03d}"
            files = {f"{name}/{name}_{word}.nii.gz": image for word, image in zip(("t1", "t1ce", "t2", "flair"), images)}
            # the label map of 355 bears another name in the published collection
            label = "W39_1998.09.19_Segm.nii" if seed == 2 else f"{name}_seg.nii.gz"
            files[f"{name}/{label}"] = truth
        elif layout == "brats2023":
            name = f"BraTS-GLI-{seed:05d}-000"
            files = {f"{name}/{name}-{word}.nii.gz": image for word, image in zip(("t1n", "t1c", "t2w", "t2f"), images)}
            files[f"{name}/{name}-seg.nii.gz"] = truth
        elif layout == "lesion":
            name = f"patient{seed + 1:02d}"
            files = {f"{name}/{name}_{word}.nii.gz": images[c] for c, word in ((0, "T1W"), (2, "T2W"), (3, "FLAIR"))}
            files[f"{name}/{name}_consensus_gt.nii.gz"] = truth
        elif layout == "hipmri":
            name = f"Case_{seed + 4:03d}_Week0"
            files = {
                f"semantic_MRs_anon/{name}_LFOV.nii.gz": images[0],
                f"semantic_labels_anon/{name}_SEMANTIC_LFOV.nii.gz": truth,
            }
        elif layout == "synthetic":  # two lesions in every scan
            name = f"sub-{seed // 2:02d}_T1w_ms_{seed % 2 + 1}"
            files = {f"{name}_image.nii.gz": images[0], f"{name}_mask.nii.gz": truth}
        else:
            name = f"hippocampus_{seed + 1:03d}"
            files = {f"imagesTr/{name}.nii.gz": images[0], f"labelsTr/{name}.nii.gz": truth}
        for file, array in files.items():
            write(root / file, array)
    if layout == "hippocampus":
        (root / "labelsTr" / "._hippocampus_001.nii.gz").write_bytes(b"what macOS leaves in archives")
        described = {
            "name": "Hippocampus",
            "modality": {"0": "MRI"},
            "labels": {"0": "background", "1": "Anterior", "2": "Posterior"},
        }
        (root / "dataset.json").write_text(json.dumps(described))
    return root


def cut_down(settings: Path, steps: int, every: int) -> str:
    """The text of a ready settings file with a small network, small patches and few steps; all else as it is."""
    text = settings.read_text(encoding="utf-8")
    for key, value in SMALL.items():
        line = f"{key} = {value.format(steps=steps, every=every)}"
        section = "[segmentation]" if key == "patch" else "[network]" if key in ("channels", "blocks") else None
        start = text.index(section) if section else 0
        head, tail = text[:start], text[start:]
        tail, count = re.subn(rf"^{key} = .*$", line, tail, count=1, flags=re.MULTILINE)
        if not count:
            tail = tail.replace("[task]\n", f"[task]\n{line}\n")
        text = head + tail
    return text
