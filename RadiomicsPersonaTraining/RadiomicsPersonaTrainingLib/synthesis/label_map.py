"""Label map: a head whose every voxel names its structure, from which images of any contrast are synthesised.

The maps are those of SynthSeg (Billot et al. 2023, Medical Image Analysis 86:102789; Apache-2.0): FreeSurfer numbers for
the brain, 24 for fluid between brain and skull, and numbers from 500 on for what lies outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from scipy import ndimage

from RadiomicsPersonaLib.brain.tissue import FLUID, GREY, NOT_BRAIN, WHITE
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_label_map as read_stored

SULCUS = 4
"""Millimetres: fluid within reach of a closing of the brain by this radius counts as the brain's own, see `LabelMap`."""
FAT_DEPTH = 6
"""Millimetres under the skin over which soft tissue is taken for fat."""


class Structure(NamedTuple):
    """One structure of the head.

    Attributes:
        name: for readers.
        numbers: FreeSurfer number, or the left side's and the right side's.
        tissue: the tissue class it belongs to.
        appearance: structures with the same word look alike in every contrast.
    """

    name: str
    numbers: tuple[int, ...]
    tissue: int
    appearance: str


STRUCTURES = (
    Structure("air", (0,), NOT_BRAIN, "air"),
    Structure("cerebral white matter", (2, 41), WHITE, "white"),
    Structure("cerebral cortex", (3, 42), GREY, "cortex"),
    Structure("lateral ventricle", (4, 43), FLUID, "fluid"),
    Structure("inferior horn of the lateral ventricle", (5, 44), FLUID, "fluid"),
    Structure("cerebellar white matter", (7, 46), WHITE, "cerebellar white"),
    Structure("cerebellar cortex", (8, 47), GREY, "cerebellar cortex"),
    Structure("thalamus", (10, 49), GREY, "thalamus"),
    Structure("caudate nucleus", (11, 50), GREY, "striatum"),
    Structure("putamen", (12, 51), GREY, "striatum"),
    Structure("pallidum", (13, 52), GREY, "pallidum"),
    Structure("third ventricle", (14,), FLUID, "fluid"),
    Structure("fourth ventricle", (15,), FLUID, "fluid"),
    Structure("brain stem", (16,), WHITE, "brain stem"),
    Structure("hippocampus", (17, 53), GREY, "hippocampus"),
    Structure("amygdala", (18, 54), GREY, "hippocampus"),
    Structure("accumbens", (26, 58), GREY, "striatum"),
    Structure("ventral diencephalon", (28, 60), WHITE, "ventral diencephalon"),
    Structure("white-matter lesion", (25, 57), WHITE, "white lesion"),
    Structure("perivascular space", (30, 62), FLUID, "outer fluid"),
    Structure("fifth ventricle", (72,), FLUID, "fluid"),
    Structure("optic chiasm", (85,), WHITE, "brain stem"),
    Structure("choroid plexus", (136, 163), FLUID, "choroid plexus"),
    Structure("choroid plexus of the inferior horn", (137, 164), FLUID, "choroid plexus"),
    Structure("fluid in sulci and fissures", (24,), FLUID, "outer fluid"),
    Structure("fluid outside the brain's outline", (24,), NOT_BRAIN, "outer fluid"),
    Structure("artery", (502,), NOT_BRAIN, "artery"),
    Structure("eye", (506,), NOT_BRAIN, "eye"),
    Structure("soft tissue", (507,), NOT_BRAIN, "muscle"),
    Structure("fat under the skin", (507,), NOT_BRAIN, "fat"),
    Structure("muscles of the eye", (508,), NOT_BRAIN, "muscle"),
    Structure("mucosa", (509,), NOT_BRAIN, "mucosa"),
    Structure("skin", (511,), NOT_BRAIN, "skin"),
    Structure("spinal cord", (512,), NOT_BRAIN, "brain stem"),
    Structure("vein", (514,), NOT_BRAIN, "vein"),
    Structure("cortical bone", (515,), NOT_BRAIN, "bone"),
    Structure("cancellous bone", (516,), NOT_BRAIN, "marrow"),
    Structure("optic nerve", (530,), NOT_BRAIN, "brain stem"),
)
APPEARANCES = tuple(dict.fromkeys(structure.appearance for structure in STRUCTURES))


def code_of(name: str) -> int:
    """Code of a structure's left side, or of the structure where it has no sides; the right side's is one more."""
    return 2 * [structure.name for structure in STRUCTURES].index(name)


def _by_code(value) -> np.ndarray:
    """A lookup table over codes from a function of (structure, side)."""
    return np.array([value(structure, side) for structure in STRUCTURES for side in (0, 1)])


NUMBER_OF_CODE = _by_code(lambda structure, side: structure.numbers[min(side, len(structure.numbers) - 1)]).astype(np.int16)
"""FreeSurfer number of every code."""
TISSUE_OF_CODE = _by_code(lambda structure, side: structure.tissue).astype(np.uint8)
"""Tissue class of every code."""
APPEARANCE_OF_CODE = _by_code(lambda structure, side: APPEARANCES.index(structure.appearance))
"""Index into `APPEARANCES` of every code."""
OTHER_SIDE = _by_code(
    lambda structure, side: 2 * STRUCTURES.index(structure) + (1 - side if len(structure.numbers) == 2 else side)
).astype(np.uint8)
"""Code of the same structure on the other side."""


@dataclass(frozen=True, eq=False)
class LabelMap:
    """A head in codes.

    Tissue classes: grey are the cortices, the basal ganglia, thalamus, hippocampus, amygdala and accumbens; white are white
    matter with its lesions, brain stem, ventral diencephalon and chiasm; fluid are the ventricles with their choroid plexus
    and that part of label 24 which a closing of the brain by `SULCUS` millimetres takes in (sulci and fissures). Fluid
    farther out, vessels, the spinal cord and everything else are not brain. Grey, white and fluid together are the brain.

    Attributes:
        codes: uint8, axes R, A, S, 1 mm; twice the index into `STRUCTURES`, plus 1 on the right side.
        affine: 4x4, voxel indices to RAS millimetres.
        name: of the file.
    """

    codes: np.ndarray
    affine: np.ndarray
    name: str

    @property
    def tissue(self) -> np.ndarray:
        """Tissue class of every voxel, uint8."""
        return TISSUE_OF_CODE[self.codes]

    @cached_property
    def brain_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last index of the brain along the three axes."""
        brain = self.tissue > 0
        lines = [np.flatnonzero(brain.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
        return np.array([line[0] for line in lines]), np.array([line[-1] for line in lines])


def read_label_map(path: str | Path) -> LabelMap:
    """Read a label map and sort its voxels into structures.

    Raises:
        InputError: not a label map of a head at about 1 mm.
    """
    path = Path(path)
    stored = read_stored(path)
    if np.abs(stored.spacing - 1).max() > 0.05:
        raise InputError(f"'{path.name}' is not a label map of a head at 1 mm: give one of SynthSeg's.")
    turned = io_orientation(stored.affine)
    numbers, affine = apply_orientation(stored.array, turned), stored.affine @ inv_ornt_aff(turned, stored.shape)
    return LabelMap(codes_of(numbers, path.name), affine, stored.name)


@lru_cache(maxsize=32)
def opened_label_map(path: Path) -> LabelMap:
    """As `read_label_map`; they stay open (about 8 MB each), for whoever draws many images from one."""
    return read_label_map(path)


def codes_of(numbers: np.ndarray, name: str) -> np.ndarray:
    """FreeSurfer numbers (axes R, A, S, 1 mm) to codes, with the two structures that are told by place alone."""
    numbers = numbers.astype(np.int64)
    table = np.full(1 + max(int(numbers.max()), int(NUMBER_OF_CODE.max())), 255, np.uint8)
    for code in range(len(NUMBER_OF_CODE) - 1, -1, -1):
        table[NUMBER_OF_CODE[code]] = code
    codes = table[numbers]
    if (codes == 255).any():
        unknown = np.unique(numbers[codes == 255])
        raise InputError(f"'{name}' holds numbers that no structure here has ({', '.join(map(str, unknown[:5]))}).")
    if (TISSUE_OF_CODE[codes] == GREY).sum() < 100_000:
        raise InputError(f"'{name}' shows no brain: give a label map of a head.")
    sulcus, outside = code_of("fluid in sulci and fissures"), code_of("fluid outside the brain's outline")
    closed = _ball(_ball((TISSUE_OF_CODE[codes] > 0) & (codes != sulcus), SULCUS), -SULCUS)
    codes[(codes == sulcus) & ~closed] = outside
    soft = codes == code_of("soft tissue")
    codes[soft & _ball(codes == code_of("skin"), FAT_DEPTH)] = code_of("fat under the skin")
    return codes


def _ball(mask: np.ndarray, radius: int) -> np.ndarray:
    """Dilation by a ball of this radius in voxels, erosion for a negative one; crosses and cubes by turns come near it."""
    cross, cube = ndimage.generate_binary_structure(3, 1), ndimage.generate_binary_structure(3, 2)
    for step in range(abs(radius)):
        element = cube if step % 2 else cross
        mask = ndimage.binary_dilation(mask, element) if radius > 0 else ndimage.binary_erosion(mask, element, border_value=1)
    return mask
