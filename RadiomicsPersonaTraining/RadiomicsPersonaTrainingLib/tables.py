"""Tables: rows of texts as Markdown; as HTML they are in the core's `page`."""

from __future__ import annotations


def markdown_table(heads: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a Markdown table."""
    if not rows:
        return ["Nothing was measured."]
    table = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(row) + " |" for row in table]

