"""Cache: what a process keeps from one run to the next: the latest scan, how it was prepared, the latest model."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..brain.preparation import PreparedScan, prepare
from ..geometry.hole import Hole, union_of
from ..imaging.files import name_of, read_scan, sha256_of
from ..imaging.scan import Scan
from ..networks.card import model_cards
from ..reconstruction.reconstruction_model import Model, NetworkModel, load_model
from ..system.device import precision_asked
from ..system.names import IN_TWO_FILES, shown

KEPT_PREPARATIONS = 4


class Cache:
    """Everything that it gives is what a fresh process would have: a scan is known by its content, a preparation by the voxels
    that were hidden from it and the precision that was asked for, a model by its name, its device and the state of the files.

    One scan and one model are kept, so that the memory it takes does not grow.

    Args:
        tell: called with what takes a moment, before it is done; may raise to cancel.
    """

    def __init__(self, tell: Callable[[str], None] = lambda what: None):
        self.tell = tell
        self._scan: Scan | None = None
        self._sha256 = ""
        self._file: tuple | None = None
        self._prepared: dict[tuple[str, tuple | None], PreparedScan] = {}
        self._model: Model | None = None
        self._asked: tuple | None = None

    def scan(self, path: str | Path) -> tuple[Scan, str]:
        """The scan of a file or of a DICOM folder, and the SHA-256 of its content.

        Raises:
            InputError: as `read_scan`.
        """
        file = _state(Path(path))
        if self._scan is not None and file is not None and file == self._file:
            return self._scan, self._sha256
        comparable = self._scan is not None and os.access(path, os.R_OK) and Path(path).suffix.lower() not in IN_TWO_FILES
        if not comparable or self._scan.name != shown(name_of(path)) or self._sha256 != sha256_of(path):
            self.tell("Reading the scan")
            # the earlier scan is let go of before the next one takes its memory
            self._scan, self._file, self._prepared = None, None, {}
            self._scan, self._sha256 = read_scan(path), sha256_of(path)
        self._file = file
        return self._scan, self._sha256

    def prepare(self, scan: Scan, suspects: list[Hole] = ()) -> PreparedScan:
        """`preparation.prepare`, remembered for the scan that is kept."""
        if scan is not self._scan:
            return prepare(scan, suspects)
        hidden = union_of(list(suspects))
        precision = precision_asked()
        key = precision, None if hidden is None else hidden.key
        if key not in self._prepared:
            self.tell("Finding the brain")
            prepared = prepare(scan, suspects)
            for (other, _), earlier in self._prepared.items():
                if other == precision:
                    prepared.take_maps_of(earlier)
            self._prepared[key] = prepared
        self._prepared[key] = self._prepared.pop(key)  # the latest is the last
        for oldest in list(self._prepared)[:-KEPT_PREPARATIONS]:
            del self._prepared[oldest]
        return self._prepared[key]

    def prepared(self, scan: Scan, suspects: list[Hole]) -> PreparedScan:
        """The latest preparation of the scan from which anything was hidden; for these suspects if there is none."""
        blind = [found for (asked, key), found in self._prepared.items() if key is not None and asked == precision_asked()]
        if scan is self._scan and blind:
            return blind[-1]
        return self.prepare(scan, suspects)

    def model(self, name: str, device: str) -> Model:
        """`reconstruction_model.load_model`, remembered; one that had to leave its device gets a new chance there.

        Raises:
            InputError: as `load_model`.
        """
        files = [*model_cards().values()] + ([Path(name)] if Path(name).is_file() else [])
        asked = (name, device, *(_state(file) for file in files))
        fell_back = isinstance(self._model, NetworkModel) and self._model.fell_back
        if asked != self._asked or fell_back:
            self._model, self._asked = load_model(name, device), asked
        return self._model


def _state(path: Path) -> tuple | None:
    """What changes when a file is written; None for what is no single file, such as a DICOM folder."""
    if not path.is_file() or path.suffix.lower() in IN_TWO_FILES:
        return None
    stat = path.stat()
    return str(path), stat.st_size, stat.st_mtime_ns
