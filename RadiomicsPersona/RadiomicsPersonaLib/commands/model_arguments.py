"""Model arguments: which model rebuilds, and where it runs; the same words in every command that rebuilds."""

from __future__ import annotations

import argparse

from ..defaults import DEFAULT_MODEL
from ..system.device import PRECISIONS


def add_model_and_device(parser: argparse.ArgumentParser) -> None:
    """Add --model and --device."""
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, metavar="M", help="a name of `radiomics-persona models` (default auto)"
    )
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device, --precision and --threads."""
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="where the network runs")
    parser.add_argument(
        "--precision",
        default="auto",
        choices=list(PRECISIONS),
        help="arithmetic of the networks (default auto: bf16 where the processor has it, as fast machines do)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="processor cores to compute with (default all)")
