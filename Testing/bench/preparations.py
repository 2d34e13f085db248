"""What is estimated of a scan outside its suspects takes seconds: made once for the tests that ask the same of it again."""

from __future__ import annotations

from RadiomicsPersonaLib.brain.preparation import PreparedScan, prepare
from RadiomicsPersonaLib.geometry.hole import Hole, union_of
from RadiomicsPersonaLib.imaging.scan import Scan

KEPT = 4
_kept: dict[tuple, PreparedScan] = {}


def prepared(scan: Scan, suspects: list[Hole]) -> PreparedScan:
    """`preparation.prepare`, remembered for the same voxels on the same grid with the same ones hidden; to be left as it is."""
    hidden = union_of(list(suspects))
    key = scan.array.tobytes(), scan.affine.tobytes(), hidden.start.tobytes(), hidden.mask.shape, hidden.mask.tobytes()
    if key not in _kept:
        _kept[key] = prepare(scan, suspects)
    _kept[key] = _kept.pop(key)  # the latest is the last
    for oldest in list(_kept)[:-KEPT]:
        del _kept[oldest]
    return _kept[key]
