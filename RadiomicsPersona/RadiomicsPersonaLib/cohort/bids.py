"""BIDS: the scans of a dataset as the rows of a cohort, and what came of them as a dataset of derivatives.

Brain Imaging Data Structure, version 1.10: https://bids-specification.readthedocs.io. Names of files follow its rules for
derivatives; what it has no name for (tables, reports, the folders of the rows) is listed in `.bidsignore`.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from .. import __version__
from ..errors import InputError
from ..system.csv_table import written_cell
from ..system.json_text import object_in
from ..system.names import is_text
from ..system.output import file_written_whole
from .row import is_done, read_record
from .table import CohortTable

VERSION = "1.10.0"
ROWS = "scans.csv"
DESCRIPTION = "dataset_description.json"
SUFFIX = "T1w"
IGNORED = ("scans", "scans.csv", "cohort.csv", "report.html")
WHOLE = {
    "reconstruction.nii.gz": ("healthy", None, "The scan with every box replaced by its healthy persona"),
    "blind.nii.gz": ("healthyblind", None, "The scan with the personas that are blind to whole boxes; all numbers rest on it"),
    "difference.nii.gz": ("difference", None, "Scan minus healthy persona, scan intensities, 0 outside the boxes"),
    "deviation_p.nii.gz": ("deviation", None, "p of every voxel's difference, 1 outside the boxes"),
    "expected_error.nii.gz": ("expectederror", None, "How far the healthy persona may be off, scan intensities, 0 elsewhere"),
    "brain.nii.gz": ("brain", "mask", "The brain inside the boxes"),
    "unusual.nii.gz": ("unusual", "mask", "Voxels that drive the verdicts"),
    "segmentation.nii.gz": ("found", "dseg", "What the segmenting model found"),
    "seg.nii.gz": ("found", "dseg", "What the segmenting model found"),
    "out.nii.gz": ("healthy", None, "The scan with the voxels of a mask rebuilt as healthy tissue"),
    "painted.nii.gz": ("painted", None, "The scan with a painted lesion"),
    "lesion.nii.gz": ("painted", "mask", "The painted lesion"),
}
"""What commands write into a row's folder: its `desc`, its suffix (None: the scan's), and what its sidecar says."""


def scans_of(dataset: Path, suffix: str) -> list[Path]:
    """The anatomical scans of a dataset with a suffix such as T1w, in the order of their names.

    Raises:
        InputError: it is no BIDS dataset, or holds no such scan, or one whose name is not that of its folders.
    """
    _described(dataset)
    if not is_text(dataset.absolute()):
        raise InputError(f"The path '{dataset.absolute()}' has letters that no table can hold: rename its folders.")
    found = sorted(
        path
        for pattern in ("sub-*/anat/*", "sub-*/ses-*/anat/*")
        for path in dataset.glob(pattern)
        if re.search(rf"_{re.escape(suffix)}\.nii(\.gz)?\Z", path.name)
    )
    if not found:
        raise InputError(f"'{dataset}' holds no scan sub-*/anat/*_{suffix}.nii.gz: name another --suffix.")
    for path, following in zip(found, [*found[1:], None]):
        begin = "_".join(_entities(dataset, path)) + "_"
        whole = path.name.startswith(begin) and "-_" not in begin
        if not whole or not path.name.isprintable():
            raise InputError(
                f"The scan '{path.name}' is not named by the rules of BIDS: give it a name that begins with {begin}, as its "
                "folders are called, and only letters, numbers, - and _."
            )
        if following is not None and following.name == f"{path.name}.gz" and following.parent == path.parent:
            raise InputError(f"The scans '{path.name}' and '{following.name}' have one name: keep one of them.")
    return found


def write_rows_of(dataset: Path, suffix: str, folder: Path) -> Path:
    """A cohort's table with a row for every scan of a dataset; its path.

    Raises:
        InputError: as `scans_of`.
    """
    scans = scans_of(dataset, suffix)
    with file_written_whole(folder / ROWS) as path, open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("subject", "session", "scan"))
        for scan in scans:
            subject, session = [*(part[4:] for part in _entities(dataset, scan)), ""][:2]
            writer.writerow([written_cell(cell) for cell in (subject, session, str(scan.absolute()))])
    return folder / ROWS


def _described(dataset: Path) -> dict:
    """What a dataset says of itself.

    Raises:
        InputError: it is no BIDS dataset.
    """
    try:
        return object_in(dataset / DESCRIPTION)
    except OSError as error:
        raise InputError(f"'{dataset}' is no BIDS dataset, it holds no {DESCRIPTION}: name the folder that does.") from error
    except ValueError as error:
        raise InputError(f"'{dataset / DESCRIPTION}' cannot be read ({error}): write it as BIDS asks for.") from error


def _entities(dataset: Path, scan: Path) -> list[str]:
    """The folders of a scan that name its subject and, where there are several, its session."""
    return list(scan.relative_to(dataset).parts[:-2])


def write_derivatives(table: CohortTable, dataset: Path, folder: Path, scans: Path) -> int:
    """Lay the files of finished rows out as a BIDS dataset of derivatives; returns how many files there are.

    Args:
        table: made by `write_rows_of`.
        folder: the dataset of derivatives, which holds the cohort.
        scans: folder of the rows.
    """
    _write(folder / DESCRIPTION, _description(table, dataset, folder))
    readme = f"Made by radiomics-persona {table.command} from another BIDS dataset. Research use only, not a medical device."
    for name, lines in ((".bidsignore", IGNORED), ("README", [readme])):
        with file_written_whole(folder / name) as path:
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return sum(1 for _ in _laid_out(table, dataset, folder, scans))


def _laid_out(table: CohortTable, dataset: Path, folder: Path, scans: Path) -> Iterator[Path]:
    for row in table:
        place = scans / f"{row.number:05d}"
        record = read_record(place)
        if row.options is None or record is None or record["sentence"] or not is_done(place, record["identity"]):
            continue
        scan = Path(row.image)
        relative = scan.relative_to(dataset.absolute())
        stem, suffix = re.fullmatch(r"(.+)_([^_]+?)\.nii(?:\.gz)?", scan.name).groups()
        target = folder / relative.parent
        target.mkdir(parents=True, exist_ok=True)
        for name, (desc, kind, what) in WHOLE.items():
            if not (place / name).is_file():
                continue
            named = f"{stem}_desc-{desc}_{kind or suffix}"
            _copy(place / name, target / f"{named}.nii.gz")
            told = {"Description": what, "Sources": [f"bids:raw:{relative.as_posix()}"], "SpatialReference": "orig"}
            if kind == "mask":
                told |= {"Type": "Brain" if desc == "brain" else "Lesion"}
            elif kind is None:
                told |= {"SkullStripped": False}
            _write(target / f"{named}.json", told)
            names = place / name.replace(".nii.gz", ".tsv")
            if kind == "dseg" and names.is_file():
                _copy(names, target / f"{named}.tsv")
            yield target / f"{named}.nii.gz"


def _description(table: CohortTable, dataset: Path, folder: Path) -> dict:
    source = _described(dataset)
    name = source["Name"] if isinstance(source.get("Name"), str) else dataset.absolute().name
    raw, command = quote(os.fsencode(Path(os.path.relpath(dataset, folder)).as_posix())), f"radiomics-persona {table.command}"
    return {
        "Name": f"RadiomicsPersona {table.command} of {name}",
        "BIDSVersion": VERSION,
        "DatasetType": "derivative",
        "License": str(source.get("License") or "Not stated by the source dataset"),
        "GeneratedBy": [{"Name": "RadiomicsPersona", "Version": __version__, "Description": command}],
        "SourceDatasets": [{"URL": raw}],
        "DatasetLinks": {"raw": raw},
    }


def _copy(source: Path, target: Path) -> None:
    with file_written_whole(target) as path:
        shutil.copyfile(source, path)


def _write(path: Path, content: dict) -> None:
    with file_written_whole(path) as staging:
        staging.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
