"""Radiomics: first-order, shape and texture features of a region by the definitions of IBSI, computed by MIRP, an extra.

Source: Zwanenburg et al., The Image Biomarker Standardization Initiative, Radiology 2020 (doi 10.1148/radiol.2020191145).
MIRP: Zwanenburg et al., Journal of Open Source Software 2024 (doi 10.21105/joss.06413).
"""

from __future__ import annotations

import contextlib
import logging
import math
import re
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ..errors import InputError, how_to_install
from ..imaging.files import write_nifti
from ..system.work_folder import work_folder

# Imported in functions: mirp, an extra that few installations have.

FAMILIES = {
    "morph": ("morphological", "shape"),
    "stat": ("statistics", "first order"),
    "cm": ("glcm", "grey level co-occurrence"),
    "rlm": ("glrlm", "grey level run length"),
    "szm": ("glszm", "grey level size zone"),
    "ngt": ("ngtdm", "neighbourhood grey tone difference"),
}
"""By how a feature's name begins: what MIRP calls its family, and what we call it."""
SHAPE = "morph"
USUAL_LEVELS = 32
"""Grey levels that a region's intensities are sorted into before its texture is measured, from its least to its greatest."""
_OF_INTENSITY = ("morph_com", "morph_integ_int", "morph_moran_i", "morph_geary_c")
"""What MIRP counts among the shapes although it asks for intensities; slow in large regions, and no shape."""
_SETTINGS = re.compile(r"(_d1)?_3d(_v_mrg)?(_f[bi][nsw]\w*)?$")


def check_library() -> str:
    """The version of MIRP.

    Raises:
        InputError: it is not installed.
    """
    try:
        import mirp  # noqa: F401
    except ModuleNotFoundError:
        raise InputError(f"Radiomics features need MIRP, which is not installed: {how_to_install('features')}.") from None
    return version("mirp")


def shape_features(mask: np.ndarray, spacing: np.ndarray) -> dict[str, float]:
    """Features of a region's shape, by IBSI's names as MIRP shortens them.

    Args:
        mask: boolean, three axes, at least one voxel.
        spacing: edges of a voxel, mm.
    """
    found = _features(mask.astype(np.float32), mask, spacing, [FAMILIES[SHAPE][0]], None)
    return {name: value for name, value in found.items() if name not in _OF_INTENSITY}


def intensity_features(
    values: np.ndarray, mask: np.ndarray, spacing: np.ndarray, levels: int | None = USUAL_LEVELS
) -> dict[str, float]:
    """First-order and texture features of a region, three-dimensional, over all directions merged, at a distance of one voxel.

    Args:
        values: intensities, three axes.
        mask: boolean, the same shape, at least one voxel.
        spacing: edges of a voxel, mm.
        levels: grey levels for the texture, from the region's least value to its greatest (IBSI's fixed bin number); None where
            the values are grey levels already.
    Returns:
        Values by IBSI's names as MIRP shortens them; NaN where a feature is not defined.
    """
    return _features(values, mask, spacing, [family for start, (family, _) in FAMILIES.items() if start != SHAPE], levels)


def family_of(name: str) -> str:
    """What family a feature belongs to.

    >>> family_of("cm_contrast"), family_of("stat_mean")
    ('grey level co-occurrence', 'first order')
    """
    return FAMILIES[name.partition("_")[0]][1]


def _features(values, mask, spacing, families: list[str], levels: int | None) -> dict[str, float]:
    from mirp import extract_features

    discretised = {"base_discretisation_method": "none"}
    if levels is not None:
        discretised = {"base_discretisation_method": "fixed_bin_number", "base_discretisation_n_bins": levels}
    affine = np.diag([*map(float, spacing), 1.0])
    with work_folder() as folder, _quiet():  # as files, for an array has no voxel size there
        image, region = Path(folder) / "image.nii.gz", Path(folder) / "mask.nii.gz"
        write_nifti(image, np.asarray(values, np.float32), affine)
        write_nifti(region, mask.astype(np.uint8), affine)
        table = extract_features(
            image=str(image),
            mask=str(region),
            image_modality="mr",
            base_feature_families=families,
            by_slice=False,
            **discretised,
        )[0]
    row = table.iloc[0]
    names = [name for name in table.columns if name.partition("_")[0] in FAMILIES]
    return {_SETTINGS.sub("", name): math.nan if row[name] is None else float(row[name]) for name in names}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """MIRP tells its steps on standard output by a handler of its own unless there is one, and warns of flat regions."""
    root, silent = logging.getLogger(), logging.NullHandler()
    root.addHandler(silent)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.removeHandler(silent)
