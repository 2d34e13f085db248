"""Amounts: bytes and seconds for a reader; nothing to import."""

from __future__ import annotations


def in_bytes(count: float) -> str:
    """A number of bytes, three digits of it: "2.31 GB"."""
    for unit in ("bytes", "KB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def in_time(seconds: float) -> str:
    """A time: "45 s", "12 min", "2.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
