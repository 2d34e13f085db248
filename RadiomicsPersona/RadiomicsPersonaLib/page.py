"""Page: tables of texts as HTML, and the page around them, like the report's."""

from __future__ import annotations

import re
from html import escape

from .report import STYLE
from .result import RESEARCH_USE

_NUMBER = re.compile(r"-?[\d.]+( \(.*\))?")


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


def html_page(title: str, style: str, introduction: str, sections: str) -> str:
    """A whole page with the notice at both ends; everything but the title is HTML, the style CSS beside the report's."""
    return "".join(page_parts(title, style, introduction, [sections]))


def page_parts(title: str, style: str, introduction: str, sections):
    """The same piece by piece, for sections that are too many to hold."""
    yield f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="notice">{RESEARCH_USE}</p>
{introduction}
</header>
<main>
"""
    yield from sections
    yield f"""
</main>
<footer><p class="notice">{RESEARCH_USE}</p></footer>
</body>
</html>
"""
