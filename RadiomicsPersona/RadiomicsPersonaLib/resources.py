"""Resources: where the files lie that come with the program, in a checkout, in Slicer and in a wheel;
the standard library only.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

LIBRARY = "RadiomicsPersonaLib"


TRAINING_LIBRARY = "RadiomicsPersonaTrainingLib"


def folder_of(library: str = LIBRARY) -> Path:
    """The folder of a library's top, however deep the caller lies in it."""
    return Path(import_module(library).__file__).resolve().parent


def shipped(folder: str, library: str = LIBRARY) -> Path:
    """A folder of a library's resources: in Resources beside it in a checkout and in Slicer,
    inside it when installed as a wheel.
    """
    home = folder_of(library)
    return next((place for place in (home.parent / "Resources" / folder, home / folder) if place.is_dir()), home)


SHIPPED_MODELS = shipped("Models")


SHIPPED_CLASSIFIERS = shipped("Classifiers")


SHIPPED_HEAD_SEARCH = shipped("HeadSearch")


SHIPPED_POPULATION = shipped("Population")
