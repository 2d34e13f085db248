"""Evidence: what the maps of a whole head say of a box, held against the rest of the same brain.

The evidence lives in the voxel, the verdict in the box. A box takes the mean of every map and the largest smoothed value of the
lesion map. The mean is held against all other places of the brain where a box of this size fits; they may overlap, and on a map
thousands of them cost nothing. The largest value is held against the upper end of all voxels outside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from ..geometry.hole import Hole
from ..imaging.grid import Grid
from ..imaging.scan import Scan
from .head_maps import HeadMaps
from .midplane import Midplane

CLOSING = 10.0
"""Millimetres up to which gaps of the brain mask are closed: a tumour that is not taken for brain lies inside the head."""
PEAK_SMOOTHING = 6.0
"""Standard deviation, millimetres, of the Gaussian before the largest log odds in a box are taken."""
SUSPECT_SMOOTHING, SUSPECT_ODDS = 4.0, -0.5
"""Standard deviation, millimetres, and the smoothed log odds of lesion from which on a voxel is suspect by itself. In 14
healthy people the largest were -2.3 to -0.9."""
MOST_SUSPECT = 0.25
"""Share of the brain that may be suspect by itself; where it is more, the map and not the brain is unusual."""
LEAST_BEYOND, LEAST_BEYOND_ML = 0.3, 1.0
"""Share and millilitres of what is suspect by itself that lie outside a box before that is told."""
LEAST_MARKED = -2.0
"""Smoothed log odds that a voxel must exceed to be marked, however calm the rest of the brain is."""
MOST_ODDS = 9.2
"""Log odds of lesion are cut here."""
SPOT_SMOOTHING = 2.0
"""The same for small lesions."""
UPPER, UPPER_SPOT = 99.0, 99.5
"""Percentiles of the brain outside that the largest values in a box are held against."""
RIM = 6.0
"""Millimetres around what is suspect by itself that stand for no healthy brain either."""
LEAST_COVERED = 0.5
"""Share of a place that must be brain for its mean to count."""
LEAST_MEAN = 1e-4
"""Means of maps are cut here before their logarithm is taken."""
MOST_PLACES = 20_000
"""Places that are looked at, at most."""
MAPS = {"lesion_excess": "lesion", "doubt_excess": "doubt", "asymmetry_excess": "asymmetry"}
"""Metric by metric the map whose mean it holds against other places."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """The maps of one scan within its brain.

    Attributes:
        grid: where their voxels lie.
        brain: boolean (D, H, W): the inside of the head, lesions included.
        lesion: probability of lesion, float32 (D, H, W).
        doubt: entropy of the tissue model's shares, 0 to 1.
        asymmetry: half the sum of differences from the mirrored side's shares, 0 to 1.
    """

    grid: Grid
    brain: np.ndarray
    lesion: np.ndarray
    doubt: np.ndarray
    asymmetry: np.ndarray

    @cached_property
    def odds(self) -> np.ndarray:
        """Log odds of lesion, float32."""
        probability = np.clip(self.lesion.astype(np.float64), 1e-6, 1 - 1e-6)
        return np.clip(np.log(probability / (1 - probability)), -MOST_ODDS, MOST_ODDS).astype(np.float32)

    @cached_property
    def peaks(self) -> np.ndarray:
        """Log odds after a Gaussian of `PEAK_SMOOTHING` over brain alone; 0 outside it."""
        return self.smoothed(PEAK_SMOOTHING)

    @cached_property
    def fine_odds(self) -> np.ndarray:
        """Log odds after a Gaussian of `SUSPECT_SMOOTHING` over brain alone; 0 outside it."""
        return self.smoothed(SUSPECT_SMOOTHING)

    @cached_property
    def spots(self) -> np.ndarray:
        """Log odds after a Gaussian of `SPOT_SMOOTHING` over brain alone; 0 outside it."""
        return self.smoothed(SPOT_SMOOTHING)

    @cached_property
    def suspect(self) -> np.ndarray:
        """Boolean (D, H, W): voxels that are suspect by themselves; none where that would be too much of the brain."""
        found = self.brain & (self.fine_odds > SUSPECT_ODDS)
        return found if found.sum() <= MOST_SUSPECT * self.brain.sum() else np.zeros_like(found)

    @cached_property
    def healthy(self) -> np.ndarray:
        """Boolean (D, H, W): the brain farther than `RIM` from what is suspect by itself."""
        if not self.suspect.any():
            return self.brain
        return self.brain & (ndimage.distance_transform_edt(~self.suspect, sampling=self.grid.spacing) > RIM)

    def smoothed(self, width: float) -> np.ndarray:
        """Log odds after a Gaussian of a standard deviation in millimetres over brain alone, float32; 0 outside it."""
        sigma = width / self.grid.spacing
        weight, total = (
            ndimage.gaussian_filter(a.astype(np.float32), sigma, truncate=3)
            for a in (self.brain, np.where(self.brain, self.odds, 0))
        )
        return np.where(self.brain, total / np.maximum(weight, 1e-3), 0)

    def metrics_in(self, scan: Scan, hole: Hole, suspects: Hole | None, mirrored: bool = True) -> dict[str, float]:
        """The metrics of `metric.METRICS` that rest on this, for the voxels of a box; NaN where they are not known.

        Args:
            suspects: voxels that the box may not be held against, beside those that are suspect by themselves; or None.
            mirrored: whether the mirrored side may be looked at.
        """
        inside = self.holding(scan, hole)
        usable = self._outside(scan, inside, suspects)
        inside &= self.brain
        found = dict.fromkeys((*MAPS, "lesion_peak", "lesion_spot"), math.nan)
        if not inside.any() or not usable.any():
            return found
        window = _window_of(inside)
        covered, spoilt = self._sums("brain", window), _window_sums(_integral(self.brain & ~usable), window)
        free = (covered >= LEAST_COVERED * window.prod()) & (spoilt < 0.5)
        free.ravel()[np.flatnonzero(free)] = np.arange(free.sum()) % (1 + int(free.sum()) // MOST_PLACES) == 0
        own = self.own_in(inside)
        for metric, name in MAPS.items():
            elsewhere = self._sums(name, window)[free] / covered[free] if free.any() else getattr(self, name)[usable]
            if mirrored or name != "asymmetry":
                found[metric] = own[metric] - float(np.median(np.log(np.maximum(elsewhere, LEAST_MEAN))))
        found["lesion_peak"] = own["lesion_peak"] - float(np.percentile(self.peaks[usable], UPPER))
        found["lesion_spot"] = own["lesion_spot"] - float(np.percentile(self.spots[usable], UPPER_SPOT))
        return found

    def own_in(self, inside: np.ndarray) -> dict[str, float]:
        """What `metrics_in` holds against the rest of the brain, for voxels (D, H, W) inside it: by metric the logarithm of a
        map's mean, or the largest smoothed log odds.
        """
        own = {key: math.log(max(float(getattr(self, name)[inside].mean()), LEAST_MEAN)) for key, name in MAPS.items()}
        return own | {"lesion_peak": float(self.peaks[inside].max()), "lesion_spot": float(self.spots[inside].max())}

    def part(self, window: tuple[slice, slice, slice], lesion: np.ndarray | None = None) -> Evidence:
        """The same within a window of the grid alone, perhaps with other probabilities of lesion there."""
        affine = self.grid.affine.copy()
        affine[:3, 3] = self.grid.ras_from_ijk([s.start for s in window])
        brain, own, doubt, asymmetry = (a[window] for a in (self.brain, self.lesion, self.doubt, self.asymmetry))
        return Evidence(Grid(brain.shape, affine), brain, own if lesion is None else lesion, doubt, asymmetry)

    def marked_in(
        self, scan: Scan, hole: Hole, suspects: Hole | None, percentile: float = UPPER, least: float = LEAST_MARKED
    ) -> np.ndarray:
        """Boolean over a hole's region: voxels whose smoothed log odds of lesion exceed nearly all of the brain outside.

        Args:
            suspects: as in `metrics_in`.
            percentile, least: of the brain outside, and the log odds, that both have to be exceeded.
        """
        usable = self._outside(scan, self.holding(scan, hole), suspects)
        found = np.zeros(hole.mask.shape, bool)
        if not usable.any():
            return found
        limit = max(float(np.percentile(self.fine_odds[usable], percentile)), least)
        index = np.argwhere(hole.mask)
        where = self.grid.ijk_from_ras(scan.ras_from_ijk(index + hole.start)).T
        values = ndimage.map_coordinates(self.fine_odds, where, order=1, mode="constant", cval=-MOST_ODDS)
        found[tuple(index[values > limit].T)] = True
        return found

    def larger_around(self, scan: Scan, hole: Hole) -> tuple[float, float, np.ndarray] | None:
        """What is suspect by itself in a box and goes on outside of it.

        Returns:
            its millilitres in all and inside the box, and the corners of its bounding box in RAS millimetres, (2, 3);
            None where less than `LEAST_BEYOND` of it lies outside, or less than `LEAST_BEYOND_ML`.
        """
        inside = self.holding(scan, hole)
        labels, _ = ndimage.label(self.suspect)
        touched = np.unique(labels[inside & self.suspect])
        whole = np.isin(labels, touched[touched > 0])
        every, within = (self.grid.ml_of(part.sum()) for part in (whole, whole & inside))
        if every - within < max(LEAST_BEYOND * every, LEAST_BEYOND_ML):
            return None
        corners = self.grid.ras_from_ijk(np.argwhere(whole))
        return every, within, np.stack([corners.min(axis=0), corners.max(axis=0)])

    def brain_in(self, scan: Scan, hole: Hole) -> np.ndarray:
        """Boolean over a hole's region: its voxels that lie inside the head."""
        index = np.argwhere(hole.mask)
        found = np.zeros(hole.mask.shape, bool)
        found[tuple(index.T)] = self.grid.nearest_values(self.brain, scan.ras_from_ijk(index + hole.start))
        return found

    def holding(self, scan: Scan, hole: Hole) -> np.ndarray:
        """Boolean (D, H, W): the voxels whose centres lie in a hole of the scan."""
        found = np.zeros(self.brain.shape, bool)
        ends = np.array(np.meshgrid(*zip(hole.start - 0.5, hole.stop - 0.5))).reshape(3, -1).T
        corners = self.grid.ijk_from_ras(scan.ras_from_ijk(ends))
        low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, np.array(found.shape) - 1)
        high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, low + 1, found.shape)
        index = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high)), indexing="ij"), axis=-1)
        held = hole.holds(scan.grid.nearest(self.grid.ras_from_ijk(index.reshape(-1, 3))))
        found[tuple(slice(a, b) for a, b in zip(low, high))] = held.reshape(index.shape[:3])
        return found

    def brain_share(self, points: np.ndarray) -> float:
        """Share of RAS points (n, 3) that lie inside the head."""
        return float(self.grid.nearest_values(self.brain, points).mean())

    def _outside(self, scan: Scan, inside: np.ndarray, suspects: Hole | None) -> np.ndarray:
        """Boolean (D, H, W): the brain that what is inside may be held against."""
        usable = self.healthy & ~inside
        return usable if suspects is None else usable & ~self.holding(scan, suspects)

    def _sums(self, name: str, window: np.ndarray) -> np.ndarray:
        """Sums of a map over the brain in all windows of so many voxels; see `_window_sums`."""
        if name not in self._integrals:
            self._integrals[name] = _integral(np.where(self.brain, getattr(self, name), 0))
        return _window_sums(self._integrals[name], window)

    @cached_property
    def _integrals(self) -> dict[str, np.ndarray]:
        return {}


def evidence_of(maps: HeadMaps, midplane: Midplane) -> Evidence | None:
    """The evidence of a scan; None where one of the two models is not there or sees no brain."""
    if maps.tissue is None or maps.lesion is None or maps.tissue.values.shape[1:] != maps.lesion.values.shape[1:]:
        return None
    grid, shares = maps.lesion.grid, maps.tissue.values
    doubt = -(shares * np.log(np.maximum(shares, 1e-6))).sum(axis=0) / math.log(len(shares))
    smooth = np.stack([ndimage.gaussian_filter(share, 2.0 / grid.spacing) for share in shares[1:]])
    to = grid.inverse @ midplane.reflection @ grid.affine
    other = np.stack([ndimage.affine_transform(s, to[:3, :3], to[:3, 3], order=1, mode="nearest") for s in smooth])
    asymmetry = np.abs(smooth - other).sum(axis=0) / 2
    inside = head_inside(shares[0] < 0.5, grid)
    return Evidence(grid, inside, maps.lesion.values[0], doubt.astype(np.float32), asymmetry.astype(np.float32))


def head_inside(brain: np.ndarray, grid: Grid) -> np.ndarray:
    """A brain mask with its gaps closed and its holes filled, so that what is no usual tissue counts where brain is around."""
    return ndimage.binary_fill_holes(grown_and_shrunk(brain, grid.spacing, CLOSING, CLOSING) | brain)


def grown_and_shrunk(mask: np.ndarray, spacing: np.ndarray, out: float, back: float) -> np.ndarray:
    """A mask grown by so many millimetres, and what that gives shrunk: by as many its gaps are closed, by fewer it grows too.

    Args:
        mask: boolean, three axes; what lies beyond the array may be grown into on the way.
        spacing: millimetres along its axes.

    >>> plates = np.zeros((9, 15, 15), bool)
    >>> plates[[2, 5]] = True
    >>> grown_and_shrunk(plates, np.ones(3), 2.0, 2.0)[:, 7, 7].astype(int).tolist()
    [0, 0, 1, 1, 1, 1, 0, 0, 0]
    """
    pad = int(np.ceil(out / spacing.min())) + 1
    grown = ndimage.distance_transform_edt(~np.pad(mask, pad), sampling=spacing) <= out
    shrunk = ndimage.distance_transform_edt(grown, sampling=spacing) > back
    return shrunk[pad:-pad, pad:-pad, pad:-pad]


def _window_of(inside: np.ndarray) -> np.ndarray:
    """Voxels along every axis of an upright box that is as large as a region and shaped like its bounding box."""
    extent = np.array([np.ptp(np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))) + 1 for axis in range(3)])
    return np.maximum(np.rint(extent * (inside.sum() / extent.prod()) ** (1 / 3)).astype(int), 1)


def _integral(values: np.ndarray) -> np.ndarray:
    """Sums over all voxels before, in float64, one longer along every axis."""
    total = np.pad(values.astype(np.float64), ((1, 0),) * 3)
    for axis in range(3):
        np.cumsum(total, axis=axis, out=total)
    return total


def _window_sums(integral: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Sums over all windows that lie in the grid, by their first voxel (Crow 1984)."""
    for axis, width in enumerate(window):
        high, low = [slice(None)] * 3, [slice(None)] * 3
        high[axis], low[axis] = slice(int(width), None), slice(None, -int(width))
        integral = integral[tuple(high)] - integral[tuple(low)]
    return integral
