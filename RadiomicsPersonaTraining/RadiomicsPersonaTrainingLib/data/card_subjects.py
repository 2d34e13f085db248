"""Card subjects: the files of a data folder that a model's card names as trained on, validated on, or kept for the test."""

from __future__ import annotations

from pathlib import Path

from .split import scans_in, subject_of


def files_of(entry: dict, part: str, root: Path) -> list[Path]:
    """The files of one collection's part, as far as they are there.

    Args:
        entry: of the card's `data`: the collection's name, and its subjects by part.
        part: training, validation or test.
        root: the collection's folder, or a folder somewhere beneath which it lies under its name.
    """
    folders = [root] if root.resolve().name == entry["name"] else sorted(p for p in root.rglob(entry["name"]) if p.is_dir())
    subjects = set(entry[part])
    return [file for file in scans_in(folders[0]) if subject_of(file.relative_to(folders[0])) in subjects] if folders else []


def of_scans(card: dict) -> list[dict]:
    """The card's collections of healthy scans."""
    return [entry for entry in card["data"] if entry.get("kind", "scans") == "scans"]


def of_label_maps(card: dict) -> list[dict]:
    """The card's collections of label maps, from which images were synthesised."""
    return [entry for entry in card["data"] if entry.get("kind") == "label maps"]
