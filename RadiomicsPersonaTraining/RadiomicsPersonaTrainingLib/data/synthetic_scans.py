"""Synthetic scans: heads of any contrast, synthesised from label maps when they are first drawn, and kept in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.brain.preparation import PreparedScan, prepare
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging import random_field
from RadiomicsPersonaLib.imaging.files import sha256_of

from ..synthesis import artefacts, disease, head_images, label_map, tissue_contrast
from ..synthesis.head_images import SynthesisRecipe, synthesize_scan
from ..synthesis.label_map import opened_label_map
from .prepared_scans import ENTRY, code_digest, digest_of_modules, open_entry, write_entry

TRIES = 8
"""An image in which no brain is found is thrown away this often before the label map is given up."""


class SyntheticScans(Sequence):
    """Prepared synthetic scans; number n is variant n % variants of label map n // variants, the same in every process.

    Args:
        files: label maps.
        variants: different images of each.
        folder: of the cache.
        seed: of the images.
    """

    def __init__(self, files: list[Path], variants: int, folder: Path, seed: int):
        self.files, self.variants, self.folder, self.seed = files, variants, folder, seed
        self.digests = [_digest_of(file, seed) for file in files]

    def __len__(self) -> int:
        return len(self.files) * self.variants

    def __getitem__(self, index: int) -> PreparedScan:
        if not 0 <= index < len(self):
            raise IndexError(index)
        number, variant = divmod(index, self.variants)
        entry = self.folder / f"{self.digests[number]}-{variant}"
        if not (entry / ENTRY).is_file():
            write_entry(entry, self._made(number, variant))
        return open_entry(entry)

    def _made(self, number: int, variant: int) -> PreparedScan:
        for attempt in range(TRIES):
            rng = np.random.default_rng((self.seed, number, variant, attempt))
            try:
                return prepare(synthesize_scan(opened_label_map(self.files[number]), SynthesisRecipe(), rng)[0])
            except InputError:
                continue  # a contrast in which even the tissue estimate finds no brain
        raise InputError(f"No brain is found in images synthesised from '{self.files[number]}': leave this label map out.")


def _digest_of(file: Path, seed: int) -> str:
    made_by = digest_of_modules(head_images, artefacts, disease, label_map, tissue_contrast, random_field)
    return hashlib.sha256(f"{sha256_of(file)} {seed} {code_digest()} {made_by}".encode()).hexdigest()[:24]
