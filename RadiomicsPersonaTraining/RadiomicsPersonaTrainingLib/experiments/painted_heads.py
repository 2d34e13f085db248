"""Painted heads: those of every arm; the same healthy heads for all, each with one lesion of its own per arm and seed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_scan
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.lesions.painter import paint_lesion

from ..data.split import scans_in
from ..lesion_masks.generators import MaskGenerator, mask_generator
from ..lesion_masks.ground import lesion_ground
from .painting_cases import PAINTED, ExperimentCase, case_in, in_slices, whole_brain, write_case
from .painting_settings import Arm, ExperimentPlan

STRENGTH = (0.5, 1.5)
"""Of the painted lesions, uniform; 1 is a usual one."""
THICKNESS = (1.0, 7.0)
"""Slices of painted heads, millimetres, uniform: the patients' are that thick, healthy research scans are not."""


class Painting:
    """The painted heads of an experiment; what is painted already is kept.

    Args:
        plan: what is compared.
        places: healthy scans, or folders of them.
        shapes: folder of real lesion masks, for the arm that takes their shapes.
        folder: of the painted cases.
    Raises:
        InputError: a generator is not there, or too few healthy scans are.
    """

    def __init__(self, plan: ExperimentPlan, places: list[Path], shapes: Path | None, folder: Path):
        files = [file for place in places for file in (scans_in(place) if place.is_dir() else [place])]
        arms = [arm for arm in plan.arms if arm.masks]
        if arms and len(files) < plan.painted:
            raise InputError(
                f"There are {len(files)} healthy scans to paint in, and --painted asks for {plan.painted}: give more, or lower "
                "it."
            )
        self.plan, self.folder = plan, folder
        self.files = (
            [files[n] for n in sorted(np.random.default_rng(0).permutation(len(files))[: plan.painted])] if arms else []
        )
        self._generators: dict[tuple[str, str], MaskGenerator] = {
            (arm.masks, kind): mask_generator(arm.masks, kind, shapes) for arm in arms for kind in dict.fromkeys(plan.kinds)
        }

    @property
    def told(self) -> list[str]:
        """What identifies each generator."""
        return list(
            dict.fromkeys(
                ", ".join(f"{key} {value}" for key, value in generator.about.items()) for generator in self._generators.values()
            )
        )

    def paint_all(self, progress: Callable[[int, int, str], None] | None = None) -> None:
        """Paint what is missing, head by head."""
        for number, file in enumerate(self.files):
            missing = [
                (arm, seed)
                for arm in self.plan.arms
                if arm.masks
                for seed in range(self.plan.seeds)
                if not self._case(arm, seed, number).mask.is_file()
            ]
            if missing:
                self._paint(read_scan(file), number, missing)
            if progress:
                progress(number + 1, len(self.files), file.name)

    def cases(self, arm: Arm, seed: int) -> list[ExperimentCase]:
        """The painted heads of an arm under a seed."""
        return [self._case(arm, seed, number) for number in range(len(self.files))]

    def examples(self) -> list[tuple[str, ExperimentCase]]:
        """A painted head of every arm, the same head for all."""
        return [(f"Painted, {arm.name[2:]}", self._case(arm, 0, 0)) for arm in self.plan.arms if arm.masks]

    def _case(self, arm: Arm, seed: int, number: int) -> ExperimentCase:
        return case_in(self.folder, PAINTED, f"{arm.folder}-{seed}-{number:03d}")

    def _paint(self, scan: Scan, number: int, missing: list[tuple[Arm, int]]) -> None:
        prepared = prepare(scan)
        ground, brain = lesion_ground(scan, prepared.tissue), whole_brain(scan, prepared.tissue)
        kind = self.plan.kinds[number % len(self.plan.kinds)]
        for arm, seed in missing:
            rng = np.random.default_rng((seed, number, zlib.crc32(arm.masks.encode())))
            drawn = self._generators[arm.masks, kind].draw(ground, rng)
            painted = paint_lesion(
                scan, drawn.hole, kind, self.plan.contrast, rng, strength=rng.uniform(*STRENGTH), prepared=prepared
            )
            image = Scan(in_slices(painted.values, scan, rng.uniform(*THICKNESS)), scan.affine, scan.name)
            write_case(image, painted.lesion, brain, self._case(arm, seed, number))
