"""A template head with a bright ball in it, which the shipped lesion model finds; 2 mm, quick to make."""

from __future__ import annotations

from functools import cache

import numpy as np

from RadiomicsPersonaLib.imaging.scan import Scan, make_scan

CENTER, RADIUS = np.array([30.0, -26.0, 26.0]), 12.0


def head_with_bright_lesion() -> tuple[Scan, np.ndarray]:
    """The ICBM152 T1 template and where the ball is, boolean, axes I, J, K; made once, then copied."""
    array, affine, lesion = _head()
    return make_scan(array.copy(), affine.copy(), "head"), lesion.copy()


@cache
def _head() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from nilearn.datasets import load_mni152_template

    template = load_mni152_template(resolution=1)
    array, affine = np.asarray(template.dataobj, np.float32)[::2, ::2, ::2].copy(), template.affine @ np.diag([2.0, 2, 2, 1])
    points = np.stack(np.indices(array.shape), axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    lesion = np.linalg.norm(points - CENTER, axis=-1) < RADIUS
    tissue = np.percentile(array[array > 0.2 * array.max()], 50)
    array[lesion] = 2 * tissue * (1 + 0.05 * np.random.default_rng(0).normal(size=lesion.sum()))
    return array, affine, lesion
