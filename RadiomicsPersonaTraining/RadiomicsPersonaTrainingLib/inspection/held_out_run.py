"""Held-out run: a run's best checkpoint and the test scans of its own split, as `evaluate RUN` measures them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import RECONSTRUCTION_KIND, SEGMENTATION_KIND

from ..data.held_out import HeldOutScan, held_out_files
from ..data.held_out_groups import heads_of
from ..data.split import TEST, TRAINING
from ..data.training_scans import sources_of
from ..export.export import model_of, written_weights
from ..fitting.start import TRAINED_MODELS
from ..runs.record import RunRecord, read_record
from ..runs.state import BEST, RECORD
from ..settings.sections import SCANS


@dataclass(frozen=True)
class HeldOutRun:
    """A run with what its split kept for the test.

    Attributes:
        folder, record: the run's.
    """

    folder: Path
    record: RunRecord

    @property
    def kind(self) -> str:
        """What its model does."""
        return self.record.settings.task.kind

    def model(self, name: str = BEST):
        """The model of the best checkpoint, or of the one of that name, as an export would write it.

        Raises:
            InputError: there is no checkpoint.
        """
        checkpoint = self.folder / name
        if self.kind == RECONSTRUCTION_KIND:
            return model_of(checkpoint)

        device = "auto" if self.kind == SEGMENTATION_KIND else "cpu"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{self.record.settings.model.name}.safetensors"
            return TRAINED_MODELS[self.kind](written_weights(checkpoint, self.record, file), file, device)

    def files(self, part: str, scans: bool) -> dict[str, list[Path]]:
        """Files of a part by collection, of scans or of label maps, as far as they are there."""
        kinds = {source.name: source.kind == SCANS for source in sources_of(self.record.settings, list(self.record.rows))}
        found: dict[str, list[Path]] = {}
        for row in self.record.rows:
            if row.part == part and kinds[row.source] == scans and row.file.is_file():
                found.setdefault(row.source, []).append(row.file)
        return found

    def scans(self, most: int | None = None) -> list[HeldOutScan]:
        """The test scans, collection by collection; of label maps synthetic heads in every contrast.

        Args:
            most: at most this many subjects of every collection.
        Raises:
            InputError: none of them is there.
        """
        scans = [scan for source, files in self.files(TEST, True).items() for scan in held_out_files(source, files[:most])]
        scans += [scan for files in self.files(TEST, False).values() for scan in heads_of(files[:most])]
        if not scans:
            raise InputError(
                f"None of the test scans of '{self.folder}' is there any more: bring them back, or train with a split that "
                "keeps some."
            )
        return scans

    def truths(self) -> list[tuple[str, Path]]:
        """Subjects and label maps of the test cases of a segmentation.

        Raises:
            InputError: none of them is there.
        """
        found = [(row.subject, row.file) for row in self.record.rows if row.part == TEST and row.file.is_file()]
        if not found:
            raise InputError(
                f"None of the test cases of '{self.folder}' is there any more: bring them back, or train with a split that "
                "keeps some."
            )
        return found

    def maps(self) -> list[Path]:
        """The test label maps.

        Raises:
            InputError: none of them is there.
        """
        maps = [file for files in self.files(TEST, False).values() for file in files]
        if not maps:
            raise InputError(
                f"None of the test label maps of '{self.folder}' is there any more: bring them back, or train with a split "
                "that keeps some."
            )
        return maps

    def training(self) -> list[Path]:
        """The training scans that are there."""
        return [file for files in self.files(TRAINING, True).values() for file in files]


def held_out_run(folder: Path) -> HeldOutRun | None:
    """The run in a folder, or None where it is a folder of data.

    Raises:
        InputError: the run is of another version.
    """
    return HeldOutRun(folder, read_record(folder)) if (folder / RECORD).is_file() else None
