"""Fixtures of the whole suite, and the import path: Slicer puts its module folders on sys.path, and so does this file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent

for folder in ("RadiomicsPersonaTraining", "RadiomicsPersona"):
    sys.path.insert(0, str(CHECKOUT / folder))


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Folder of the repository."""
    return CHECKOUT


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder with real scans: RADIOMICS_PERSONA_DATA, or shared/data beside the checkout."""
    folder = Path(os.environ.get("RADIOMICS_PERSONA_DATA") or CHECKOUT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"No real scans: '{folder}' is not there; set RADIOMICS_PERSONA_DATA to the folder that holds them.")
    return folder


@pytest.fixture(scope="session")
def synthetic_head():
    """A small synthetic head, made once (see bench.phantom.make_head for others)."""
    from bench.phantom import make_head

    return make_head()
