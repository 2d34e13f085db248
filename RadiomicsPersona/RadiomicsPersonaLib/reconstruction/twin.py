"""Twin: the healthy persona of one box by itself, without comparison and healthy boxes, quick enough to follow a drag."""

from __future__ import annotations

from dataclasses import replace

from ..brain.mirror import mirror_is_free
from ..brain.preparation import PreparedScan
from ..geometry.box import Box
from ..geometry.hole import hole_of_box, union_of
from .reconstruction import Reconstruction, rebuild
from .reconstruction_model import Model


def twin_of(prepared: PreparedScan, boxes: list[Box], model: Model) -> Reconstruction:
    """Rebuild the first box, looking into none of them.

    Where the scan was prepared blind to these very boxes this is what `analysis.analyze` rebuilds in a first box. Where it was
    prepared for boxes at other places, as while a box is dragged, the tissue scale and the midplane are those of then, and
    what lies in the box now may have had its small part in them.

    Args:
        prepared: the scan; its suspects are not used.
        boxes: at least one.
        model: what rebuilds, chosen for this scan.
    Raises:
        InputError: a box lies off the scan.
    """
    holes = [hole_of_box(prepared.scan, box) for box in boxes]
    seen = replace(prepared, suspects=union_of(holes))
    return rebuild(seen, holes[:1], model, mirror_is_free(seen, boxes[0]))[0]
