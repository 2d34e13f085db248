"""Tables: rows of texts as Markdown and as HTML."""

from __future__ import annotations

import re
from html import escape

_NUMBER = re.compile(r"-?[\d.]+( \(.*\))?")


def markdown_table(heads: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a Markdown table."""
    if not rows:
        return ["Nothing was measured."]
    table = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(row) + " |" for row in table]


def html_table(caption: str, heads: list[str], rows: list[list[str]], long: bool = False) -> str:
    """A table; its numbers, with or without an interval, are aligned to the right."""
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in heads)
    kind, body = " class='long'" if long else "", []
    for first, *others in rows:
        cells = (
            f"<td class='number'>{escape(text)}</td>" if _NUMBER.fullmatch(text) else f"<td{kind}>{escape(text)}</td>"
            for text in others
        )
        body.append(f"<tr><th scope='row'>{escape(first)}</th>{''.join(cells)}</tr>")
    return (
        f"<div class='wide'><table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )
