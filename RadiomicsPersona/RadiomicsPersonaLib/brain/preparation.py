"""Preparation: what is estimated once per scan before any box is rebuilt, blind to the boxes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ..geometry.hole import Hole, union_of
from ..imaging.scan import Scan
from .evidence import Evidence, evidence_of
from .head_maps import HeadMaps, head_maps
from .midplane import Midplane, estimate_midplane
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
        return head_maps(self.scan, self.tissue)

    @cached_property
    def evidence(self) -> Evidence | None:
        """What the maps say of every voxel; None where there is no tissue model or lesion model, or no brain."""
        return evidence_of(self.maps, self.midplane)

    def take_maps_of(self, other: PreparedScan) -> None:
        """Share another preparation's maps and evidence where they are there and are the same:
        nothing else than what is compared here goes into them.
        """
        mine, theirs = ((p.scan, p.tissue.stretch, p.tissue.background, p.tissue.anatomy is None) for p in (self, other))
        if "maps" in vars(other) and mine == theirs:
            vars(self)["maps"] = other.maps
            if "evidence" in vars(other) and self.midplane is other.midplane:
                vars(self)["evidence"] = other.evidence


def prepare(scan: Scan, suspects: list[Hole] = ()) -> PreparedScan:
    """Estimate tissue and midplane of a scan without looking into the suspects.

    Raises:
        InputError: nothing like a brain is left outside them.
    """
    union = union_of(list(suspects))
    tissue = estimate_tissue(scan, union)
    return PreparedScan(scan, tissue, estimate_midplane(tissue), union)
