"""Second scan: another scan of the same person as a fill, which tells what noise and motion alone leave of an error."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.brain.preparation import PreparedScan
from RadiomicsPersonaLib.geometry.hole import Hole
from RadiomicsPersonaLib.imaging.registration import rigid_motion
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.reconstruction.fills import rim_mean
from RadiomicsPersonaLib.reconstruction.reconstruction import REGION_MARGIN, Reconstruction

AROUND = 15
"""Voxels around a hole from whose brain the second scan's intensities are matched."""


@dataclass(frozen=True, eq=False)
class SecondScan:
    """Fills holes from another scan of the same person.

    Attributes:
        scan: the other scan, on any grid.
    """

    scan: Scan

    def __call__(self, prepared: PreparedScan, holes: list[Hole]) -> list[Reconstruction]:
        """Rebuild every hole of a scan that was prepared without looking into them.

        The scans are brought onto each other by a rigid motion that does not look into the hole. A line through the brain
        around the hole takes the one's intensities to the other's.
        """
        return [self._filled(prepared, hole) for hole in holes]

    def _filled(self, prepared: PreparedScan, hole: Hole) -> Reconstruction:
        scan, wide = prepared.scan, hole.grown(prepared.scan.shape, AROUND)
        voided = scan.array.copy()
        values = voided[wide.region].astype(np.float64)
        values[wide.mask] = rim_mean(values, wide.mask, scan.spacing)[wide.mask]
        voided[wide.region] = values
        motion = rigid_motion(replace(scan, array=voided), self.scan).matrix
        points = scan.ras_from_ijk(np.indices(wide.mask.shape).reshape(3, -1).T + wide.start)
        index = self.scan.ijk_from_ras(points @ motion[:3, :3].T + motion[:3, 3])
        other = ndimage.map_coordinates(self.scan.array.astype(np.float64), index.T, order=1, mode="nearest")
        other = other.reshape(wide.mask.shape)
        brain = (prepared.tissue.classes_at(points) > 0).reshape(wide.mask.shape) & ~wide.mask
        slope, start = np.polyfit(other[brain], values[brain], 1)
        region = hole.grown(scan.shape, REGION_MARGIN)
        found = np.array(scan.array[region.region], dtype=np.float64)
        inner = tuple(slice(low, low + n) for low, n in zip(region.start - wide.start, region.mask.shape))
        found[region.mask] = (slope * other + start)[inner][region.mask]
        return Reconstruction(region, found, float(self.scan.spacing.min()))
