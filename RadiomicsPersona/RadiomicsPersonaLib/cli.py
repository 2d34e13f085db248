"""Command line `radiomics-persona`; its commands stand in `commands.registry`."""

from __future__ import annotations

from .commands.registry import ANALYSIS


def main(words: list[str] | None = None) -> int:
    """Run one command; see `Registry.main`."""
    return ANALYSIS.main(words)
