"""Sliding window: a network's answer for a whole scan, from overlapping windows of the size it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

OVERLAP = 0.5
"""Share of a window's side by which neighbours overlap."""
SPREAD = 0.125
"""Standard deviation of the weights in a window, as a share of its side (Isensee et al. 2021)."""


def slid(
    image: np.ndarray,
    window: tuple[int, int, int],
    answer: Callable[[np.ndarray], np.ndarray],
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """The mean of the windows' answers, each weighted by a Gaussian around the window's middle.

    Only the windows over the part of the image that is not 0 are looked at; beyond them the answer is 0.

    Args:
        image: float32 (C, D, H, W); a scan smaller than the window is shown amid zeros.
        answer: probabilities (K, *window) of a window (C, *window).
        progress: called with (done, total); may raise to cancel.
    Returns:
        float32 (K, D, H, W).
    """
    region = _filled(image)
    inside = image[(slice(None), *region)]
    lack = np.maximum(np.array(window) - inside.shape[1:], 0)
    before = np.array(window) // 2 - np.array(inside.shape[1:]) // 2
    pads = [(int(max(b, 0)), int(n - max(b, 0))) if n else (0, 0) for b, n in zip(before, lack)]
    padded = np.pad(inside, [(0, 0), *pads])
    weight = _weights(window)
    total, weights = None, np.zeros(padded.shape[1:], np.float32)
    starts = list(_starts(padded.shape[1:], window))
    for number, start in enumerate(starts, start=1):
        place = tuple(slice(a, a + n) for a, n in zip(start, window))
        found = answer(padded[(slice(None), *place)])
        if total is None:
            total = np.zeros((len(found), *padded.shape[1:]), np.float32)
        total[(slice(None), *place)] += weight * found
        weights[place] += weight
        if progress:
            progress(number, len(starts))
    total /= weights
    whole = np.zeros((len(total), *image.shape[1:]), np.float32)
    own = tuple(slice(a, a + n) for (a, _), n in zip(pads, inside.shape[1:]))
    whole[(slice(None), *region)] = total[(slice(None), *own)]
    return whole


def _filled(image: np.ndarray) -> tuple[slice, slice, slice]:
    """Bounding box of what is not 0 in any contrast; all where nothing is."""
    seen = (image != 0).any(axis=0)
    box = []
    for axis in range(3):
        filled = np.flatnonzero(seen.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(int(filled[0]), int(filled[-1]) + 1) if filled.size else slice(0, seen.shape[axis]))
    return tuple(box)


def _starts(shape: tuple[int, ...], window: tuple[int, int, int]) -> Iterator[tuple[int, ...]]:
    """Where windows begin: evenly spaced, overlapping by at least `OVERLAP`, the last one at the border."""
    axes = []
    for side, width in zip(shape, window):
        count = 1 + int(np.ceil((side - width) / (width * (1 - OVERLAP))))
        axes.append(np.rint(np.linspace(0, side - width, count)).astype(int).tolist())
    return product(*axes)


def _weights(window: tuple[int, int, int]) -> np.ndarray:
    sides = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (SPREAD * n)) ** 2) for n in window]
    return np.maximum(np.einsum("i,j,k->ijk", *sides), 1e-3).astype(np.float32)
