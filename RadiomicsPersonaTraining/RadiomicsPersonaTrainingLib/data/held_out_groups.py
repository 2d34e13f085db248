"""Held-out groups: the scans of a data folder that a model never saw, by source and contrast, and whole heads made from
held-out label maps in T1, T2, FLAIR and T1 post, whose every voxel is healthy.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import name_of, read_scan
from RadiomicsPersonaLib.imaging.scan import Scan

from ..synthesis.head_images import SynthesisRecipe, synthesize_scan
from ..synthesis.label_map import opened_label_map
from ..synthesis.tissue_contrast import CONTRASTS
from .card_subjects import files_of, of_label_maps, of_scans
from .held_out import HeldOutScan, held_out_files
from .split import TEST, VALIDATION, scans_in, split_subjects

OASIS = "OASIS"
EVALUATION_ONLY = {"IXI": "healthy/ixi_2mm_eval_only", OASIS: "healthy/oasis_eval_only"}
"""Groups of healthy T1 scans that no model of this project trains on, and their folders beneath the data folder."""
TWICE = "{} twice"
"""The group of those people of such a group of whom there are two scans; of the others one is taken as well."""
FIRST, SECOND = "_scan1", "_scan2"
"""What the files of people with two scans are told apart by."""


@dataclass(frozen=True)
class ContrastSource:
    """Patients with several contrasts on one grid and a mask of what is not healthy.

    Attributes:
        folder: beneath the data folder; a folder per patient in it, with files called PATIENT + ending + ".nii.gz".
        contrasts: ending by contrast; holes are placed in the brain of the first one.
        mask: ending of the mask.
        about: one sentence for the report.
    """

    folder: str
    contrasts: dict[str, str]
    mask: str
    about: str


CONTRAST_SOURCES = {
    "MS": ContrastSource(
        "lesion/ms",
        {"T1": "_T1", "T1 post": "_T1POST", "T2": "_T2", "FLAIR": "_FLAIR"},
        "_mask",
        "people with multiple sclerosis (Lesjak et al. 2017); holes stay clear of every marked lesion",
    ),
    "BraTS": ContrastSource(
        "lesion/brats",
        {"T1": "-t1n", "T1 post": "-t1c", "T2": "-t2W", "FLAIR": "-t2f"},
        "-seg",
        "glioma (BraTS); holes stay clear of tumour and oedema",
    ),
    "LGG": ContrastSource(
        "lesion/lgg_eval_only",
        {"T1": "_pre", "T1 post": "_post", "FLAIR": "_flair"},
        "_mask",
        "lower-grade glioma in thick slices (TCGA-LGG); holes stay clear of the marked tumour; "
        "the source gives no voxel size, so millimetres are nominal",
    ),
}

SOURCE = "synthetic"


ABOUT = {
    "IXI": "healthy adults, T1, from a scanner that no model of this project was trained on",
    OASIS: "healthy adults of all ages, T1, from a site that no model of this project was trained on",
    TWICE.format(OASIS): "those of whom a second scan was taken within 90 days, which stands beside the fills",
    SOURCE: "heads made from label maps that the model never saw; every voxel is healthy and known",
} | {name: source.about for name, source in CONTRAST_SOURCES.items()}
"""A sentence on a source, for reports."""


def held_out_scans(
    root: Path, card: dict | None, groups: list[str] | None = None, most: int | None = None, part: str = TEST
) -> list[HeldOutScan]:
    """The scans beneath a data folder that a model never saw, group by group.

    Args:
        card: the model's, whose subjects of that part are taken; None for a model that was not trained.
        groups: names of groups, or of sources ("MS" for all of its contrasts); None takes every group there is.
        most: at most this many subjects per group.
        part: test or validation.
    Raises:
        InputError: there is no such group, or no group at all.
    """
    found: dict[str, list[HeldOutScan]] = {}
    for entry in of_scans(card) if card else ():
        found[entry["name"]] = held_out_files(entry["name"], files_of(entry, part, root))
    for group, folder in EVALUATION_ONLY.items():
        if (root / folder).is_dir():
            files = [file for file in scans_in(root / folder) if SECOND not in file.name]
            found[group] = held_out_files(group, files)
            found[TWICE.format(group)] = _scanned_twice(TWICE.format(group), files)
    several = [synthetic_heads(root, card, part), *(_patients(root, name, source) for name, source in CONTRAST_SOURCES.items())]
    for scan in (scan for scans in several for scan in scans):
        found.setdefault(scan.group, []).append(scan)
    found = {group: scans[:most] for group, scans in found.items() if scans}
    if not found:
        raise InputError(f"'{root}' holds none of the test scans: give the folder that holds healthy/ and lesion/.")
    return [scan for group in _chosen(found, groups) for scan in found[group]]


def _scanned_twice(group: str, files: list[Path]) -> list[HeldOutScan]:
    """The people of whom there is a second scan beside the first."""
    seconds = {file: file.with_name(file.name.replace(FIRST, SECOND)) for file in files if FIRST in file.name}
    twice = {file: second for file, second in seconds.items() if second.is_file()}
    return [replace(scan, again=second) for scan, second in zip(held_out_files(group, list(twice)), twice.values())]


def _patients(root: Path, name: str, source: ContrastSource) -> list[HeldOutScan]:
    """The patients with a mask and the first contrast, contrast by contrast."""
    scans = []
    for contrast, ending in source.contrasts.items():
        for folder in sorted(path for path in (root / source.folder).glob("*") if path.is_dir()):
            file, places, mask = (
                folder / f"{folder.name}{part}.nii.gz" for part in (ending, next(iter(source.contrasts.values())), source.mask)
            )
            if file.is_file() and places.is_file() and mask.is_file():
                scans.append(
                    HeldOutScan(
                        f"{name} {contrast}",
                        folder.name,
                        partial(read_scan, file),
                        (file, places),
                        partial(read_scan, places),
                        mask,
                    )
                )
    return scans


def _chosen(found: dict[str, list[HeldOutScan]], groups: list[str] | None) -> list[str]:
    if groups is None:
        return list(found)
    for name in groups:
        if not any(group == name or group.startswith(f"{name} ") for group in found):
            raise InputError(f"There is no group '{name}' in this folder: choose from {', '.join(found)}.")
    return [group for group in found if any(group == name or group.startswith(f"{name} ") for name in groups)]


FOLDER = "label_maps"
"""Of the label maps, beneath the data folder, for a model whose card names none."""
MAPS = 4
"""Label maps taken for a model whose card names none; the same ones for every such model."""
RECIPE = SynthesisRecipe(
    realistic=1.0,
    flip=0.0,
    rotation=10.0,
    scale=0.05,
    stretch=0.04,
    elastic=2.0,
    bias=0.3,
    gamma=0.1,
    noise=0.03,
    low_resolution=0.0,
    extracted=0.0,
)
"""Whole heads at 1 mm as a scanner would give them: the shape varies a little, the contrast is one that exists."""


def synthetic_heads(root: Path, card: dict | None, part: str = TEST) -> list[HeldOutScan]:
    """The heads of the label maps beneath a data folder that a model never saw, contrast by contrast.

    Args:
        card: the model's; its maps of that part are taken, and `MAPS` fixed ones where it names none.
        part: test or validation.
    """
    entries = of_label_maps(card) if card else []
    files = [file for entry in entries for file in files_of(entry, part, root)]
    if not entries and (root / FOLDER).is_dir():
        files = scans_in(root / FOLDER)
        if len(files) > MAPS:
            share = MAPS / len(files)
            parts = split_subjects([name_of(file) for file in files], share if part == VALIDATION else 0.0, share, seed=0)
            files = [file for file in files if parts[name_of(file)] == part]
    return heads_of(files)


def heads_of(files: list[Path]) -> list[HeldOutScan]:
    """The heads of some label maps, contrast by contrast."""
    return [
        HeldOutScan(
            f"{SOURCE} {contrast}",
            name_of(file),
            partial(synthetic_scan, file, contrast),
            (file,),
            partial(synthetic_brain, file),
        )
        for contrast in CONTRASTS
        for file in files
    ]


def synthetic_scan(file: Path, contrast: str) -> Scan:
    """One head of a label map; in every contrast of `tissue_contrast.CONTRASTS` the same head in the same place."""
    return _scan_and_classes(file, contrast)[0]


def synthetic_brain(file: Path) -> Scan:
    """The head in T1 with air around its brain, so that holes are placed in the brain that is known."""
    scan, classes = _scan_and_classes(file, "T1")
    return replace(scan, array=np.where(classes.array > 0, scan.array, 0))


def _scan_and_classes(file: Path, contrast: str) -> tuple[Scan, Scan]:
    # the generator draws a head's shape before its contrast, so that one seed gives one shape
    rng = np.random.default_rng((0, zlib.crc32(name_of(file).encode())))
    return synthesize_scan(opened_label_map(file), replace(RECIPE, contrasts=(contrast,)), rng)
