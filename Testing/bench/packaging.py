"""Stand-in for slicer.packaging, as far as the panels ask for it; it looks and never installs."""

from __future__ import annotations

import importlib.util


def load_requirements(path) -> list[str]:
    with open(path) as stream:
        return [line.strip() for line in stream if line.strip() and not line.startswith(("#", "-"))]


def pip_ensure(requirements, requester=None, prompt_install=True) -> None:
    missing = [name for name in requirements if importlib.util.find_spec(name) is None]
    if missing:
        raise RuntimeError(f"pip would install {missing}")
