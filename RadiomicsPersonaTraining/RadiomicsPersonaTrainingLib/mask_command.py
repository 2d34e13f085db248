"""Mask command: `radiomics-persona-train evaluate-masks`."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("scans", nargs="+", metavar="HEALTHY", help="scans without lesions, or folders of them")
    parser.add_argument("--shapes", required=True, metavar="FOLDER", help="masks of real lesions in subfolders by kind, in MNI space")


def run(options: argparse.Namespace) -> int:
    """x"""
    return 0
