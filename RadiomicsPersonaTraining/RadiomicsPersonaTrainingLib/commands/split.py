"""`radiomics-persona-train split`: part scans by subject into training, validation and test."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from RadiomicsPersonaLib.commands.command_line import seed
from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import SEGMENTATION_KIND

from ..data.segmentation_cases import truths_in
from ..data.split import PARTS, ListedScan, find_scans, is_table, split_subjects, write_split
from ..settings.training_settings import read_settings

EXAMPLES = (
    "healthy/ -o split.csv",
    "scans.csv --validation 0.2 --test 0.2",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `split` may be asked."""
    parser.add_argument(
        "places",
        nargs="+",
        metavar="FOLDER",
        help="folder with .nii.gz scans, or a CSV file with the columns subject and file",
    )
    parser.add_argument("--output", default="split.csv", metavar="CSV", help="default split.csv")
    parser.add_argument("--validation", type=float, default=0.1, metavar="SHARE", help="default 0.1")
    parser.add_argument("--test", type=float, default=0.1, metavar="SHARE", help="default 0.1")
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="N", help="another seed deals the subjects otherwise (default 0)"
    )
    parser.add_argument(
        "--settings", metavar="SETTINGS.toml", help="of a segmentation: list its label maps, called as the settings say"
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Part scans, write the split, and tell how many are where."""
    if not (0 <= options.validation < 1 and 0 <= options.test < 1 and options.validation + options.test < 1):
        raise InputError(
            "--validation and --test are shares from 0 to 1 that leave something for training: give for example 0.1 and 0.1."
        )
    if not options.output.lower().endswith(".csv"):
        raise InputError(f"The split '{options.output}' must end in .csv: name such a file.")
    rows, told, places = [], [], {}
    for place in map(Path, options.places):
        source = place.stem if is_table(place) else place.resolve().name
        if source in places:
            raise InputError(
                f"'{places[source]}' and '{place}' would be one source, '{source}', in which their subjects mix: rename one of "
                "them."
                if places[source].resolve() != place.resolve()
                else f"'{place}' is named twice: name every folder once."
            )
        places[source] = place
        scans = _truths(place, Path(options.settings)) if options.settings else find_scans(place)
        for subject, file in scans:
            if not file.exists():
                raise InputError(f"'{place}' names the scan '{file}' of '{subject}', which is not there: check the path.")
        parts = split_subjects([subject for subject, _ in scans], options.validation, options.test, options.seed)
        rows += [ListedScan(source, subject, parts[subject], file) for subject, file in scans]
        counts = Counter(parts.values())
        told.append(
            f"{source}: {len(scans)} scans of {len(parts)} subjects; " + ", ".join(f"{counts[part]} {part}" for part in PARTS)
        )
    write_split(rows, Path(options.output))
    print("\n".join(told))
    print(f"Split: {options.output}")
    return 0


def _truths(folder: Path, settings_file: Path) -> list[tuple[str, Path]]:
    settings = read_settings(settings_file)
    if settings.task.kind != SEGMENTATION_KIND:
        raise InputError(f"'{settings_file}' trains no segmentation: leave out --settings.")
    return truths_in(folder, settings.segmentation)
