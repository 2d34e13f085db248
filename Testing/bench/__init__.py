"""What the tests stand on: a synthetic head, and a Slicer without its application."""

from pathlib import Path

SMALL_MODELS = Path(__file__).parent / "small_models"
"""Folder of a tissue and a lesion model that know phantoms only; see Testing/demos/small_models.py."""
