"""Shipped: where the files lie that come with the library; the standard library only."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """A folder of Resources: beside the library in a checkout and in Slicer, inside it when installed as a wheel."""
    return next((place for place in (_HERE.parent / "Resources" / folder, _HERE / folder) if place.is_dir()), _HERE)
