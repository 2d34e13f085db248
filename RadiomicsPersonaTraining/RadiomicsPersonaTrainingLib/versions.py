"""Versions: of this program and of what it stands on, for everything that is measured."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import numpy as np
import scipy

from RadiomicsPersonaLib import __version__


def versions_used(network: bool) -> dict[str, str | None]:
    """Versions of this project, with its commit where there is one, and of what it computes with."""
    versions = {
        "RadiomicsPersona": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
    if network:
        import torch  # takes seconds to load

        versions["torch"] = torch.__version__
    return versions


def versions_text(versions: dict[str, str | None]) -> str:
    """`versions_used` as one text."""
    return ", ".join(f"{name} {value}" for name, value in versions.items() if value)


def _commit() -> str | None:
    """The checkout's commit, marked when files differ from it; None where this file belongs to no checkout."""
    here = Path(__file__).resolve()

    def git(*arguments: str) -> str | None:
        try:
            run = subprocess.run(["git", *arguments], cwd=here.parent, capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return run.stdout.strip() if run.returncode == 0 else None

    # an installed copy may lie inside somebody else's repository
    if git("ls-files", "--error-unmatch", here.name) is None:
        return None
    return git("describe", "--always", "--abbrev=40", "--dirty", "--exclude=*")
