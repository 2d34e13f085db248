"""Twin: the healthy persona of one box by itself, without comparison and healthy boxes, quick enough to follow a drag."""

from __future__ import annotations

from dataclasses import replace

from .box import Box
from .hole import hole_of_box, union_of
from .measurement import mirror_is_free
from .model import Model
from .preparation import PreparedScan
from .reconstruction import rebuild
from .result import Reconstruction


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
