"""Preparation: what is estimated once per scan before any box is rebuilt, blind to the boxes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import ndimage

from ..geometry.hole import Hole, union_of
from ..imaging.scan import Scan
from .evidence import Evidence, evidence_of
from .head_maps import HeadMaps, head_maps
from .midplane import Midplane, estimate_midplane
from .population import Population, population_of
from .tissue import Tissue, estimate_tissue


@dataclass(frozen=True, eq=False)
class PreparedScan:
    """A scan with its tissue, its midplane, and the voxels that nothing may be learnt from.

    Attributes:
        scan, tissue, midplane: the scan and what was estimated outside the suspects.
        suspects: union of the user's boxes and masks, or None; never looked at, whichever hole is rebuilt.
    """

    scan: Scan
    tissue: Tissue
    midplane: Midplane
    suspects: Hole | None

    @cached_property
    def maps(self) -> HeadMaps:
        """What the models that look at whole heads make of the scan, suspects included."""
        return head_maps(self.scan, self.tissue, whole=self.suspects is None)

    @property
    def population(self) -> Population | None:
        """What healthy people have on average, laid over the scan; None where the tissue model sees no brain."""
        return population_of(self.tissue)

    @cached_property
    def evidence(self) -> Evidence | None:
        """What the maps say of every voxel; None where there is no tissue model or lesion model, or no brain."""
        return evidence_of(self.maps, self.midplane)

    @cached_property
    def marked(self) -> Hole | None:
        """The voxels that the lesion model marks by themselves, see `Evidence.suspect`; None where there are none."""
        evidence = self.evidence
        if evidence is None or not evidence.suspect.any():
            return None
        found = self.scan.ijk_from_ras(evidence.grid.ras_from_ijk(np.argwhere(evidence.suspect)))
        reach = np.ceil(evidence.grid.spacing / self.scan.spacing).astype(int)
        low = np.clip(np.floor(found.min(axis=0)).astype(int) - reach, 0, self.scan.shape)
        high = np.clip(np.ceil(found.max(axis=0)).astype(int) + reach + 1, 0, self.scan.shape)
        to_map = evidence.grid.inverse @ self.scan.affine
        shift = to_map[:3, :3] @ low + to_map[:3, 3]
        mask = ndimage.affine_transform(
            evidence.suspect.astype(np.uint8), to_map[:3, :3], shift, tuple(high - low), order=0, mode="constant"
        )
        return Hole(low, mask > 0) if mask.any() else None

    def hiding_marked(self) -> PreparedScan:
        """The same, with `marked` among the suspects, so that no persona is made from what may be a lesion."""
        if self.marked is None:
            return self
        hiding = replace(self, suspects=union_of([self.marked, *([] if self.suspects is None else [self.suspects])]))
        hiding.take_maps_of(self)
        return hiding

    def take_maps_of(self, other: PreparedScan) -> None:
        """Share another preparation's maps and evidence where they are there and are the same:
        nothing else than what is compared here goes into them.
        """
        mine, theirs = ((p.scan, p.tissue.stretch, p.tissue.background, p.tissue.anatomy is None) for p in (self, other))
        if "maps" in vars(other) and mine == theirs:
            vars(self)["maps"] = other.maps
            if "evidence" in vars(other) and self.midplane is other.midplane:
                vars(self)["evidence"] = other.evidence
                if "marked" in vars(other):
                    vars(self)["marked"] = other.marked


def prepare(scan: Scan, suspects: list[Hole] = ()) -> PreparedScan:
    """Estimate tissue and midplane of a scan without looking into the suspects.

    Raises:
        InputError: nothing like a brain is left outside them.
    """
    union = union_of(list(suspects))
    tissue = estimate_tissue(scan, union)
    return PreparedScan(scan, tissue, estimate_midplane(tissue), union)
