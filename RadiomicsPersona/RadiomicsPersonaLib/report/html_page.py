"""HTML page: tables of texts as HTML, and the page around them, like the report's."""

from __future__ import annotations

import base64
import io
import math
import re
from html import escape

from ..defaults import RESEARCH_USE

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


STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --faint: #57606a; --page: #ffffff; --band: #f2f4f7; --line: #cfd5dc; }
@media (prefers-color-scheme: dark) {
  :root { --text: #eceff3; --faint: #b0b8c2; --page: #12151a; --band: #1c2128; --line: #3b424c; } }
body { margin: 0 auto; padding: 1.5rem; max-width: 72rem; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 0.5rem; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 0.3rem; }
h1, h2, p, li, td, th { overflow-wrap: break-word; }
th.name { min-width: 4rem; }
.faint, figcaption, caption { color: var(--faint); }
.notice { border: 2px solid var(--line); border-radius: 6px; padding: 0.5rem 0.8rem; font-weight: 600; }
.chip { display: inline-block; padding: 0.05rem 0.7rem; border-radius: 6px; color: #000000; font-weight: 700;
  white-space: nowrap; text-transform: uppercase; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.verdict { font-size: 1.1rem; }
section { border-top: 1px solid var(--line); margin-top: 2rem; }
figure { margin: 0.8rem 0; break-inside: avoid; }
img, svg { display: block; width: 100%; height: auto; }
img { border-radius: 4px; }
.slices { display: grid; grid-template-columns: repeat(4, 1fr); gap: 0.5rem; break-inside: avoid; }
.slices figure { margin: 0.3rem 0; }
.slices figcaption { font-size: 0.85rem; }
.about { display: grid; grid-template-columns: max-content 1fr; gap: 0.1rem 1rem; }
.about dt { color: var(--faint); }
.about dd { margin: 0; overflow-wrap: anywhere; }
a { color: inherit; }
.scale { width: 25%; margin-left: auto; font-size: 0.85rem; color: var(--faint); text-align: center; }
.bar { height: 0.8rem; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.ends { display: flex; justify-content: space-between; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; }
caption { text-align: left; padding: 0.3rem 0; }
th, td { text-align: left; padding: 0.3rem 0.7rem; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { background: var(--band); }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
td.long { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
svg text { fill: var(--faint); font: 13px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
@media (max-width: 600px) {
  body { padding: 0.8rem; }
  .slices { grid-template-columns: repeat(2, 1fr); }
  .scale { width: 50%; }
  .about { grid-template-columns: 1fr; }
  .about dd { margin-bottom: 0.4rem; } }
@page { margin: 14mm; }
@media print {
  html { font-size: 10px; }
  body { padding: 0; max-width: none; font-size: 10px; line-height: 1.35; }
  p, ul { margin: 0.4rem 0; }
  h2 { margin: 0.8rem 0 0.4rem; }
  h3 { margin: 0.8rem 0 0.2rem; }
  h2, h3, caption, thead, summary { break-after: avoid; }
  section { margin-top: 0.8rem; }
  .slices { width: 76%; }
  .slices figure { margin: 0.1rem 0; }
  .scale { width: 19%; margin-right: 24%; break-inside: avoid; break-before: avoid; }
  svg { max-width: 150mm; }
  .wide { overflow: visible; }
  thead { display: table-header-group; }
  td, th { overflow-wrap: anywhere; white-space: normal; padding: 0.15rem 0.6rem; }
  tr, .verdict { break-inside: avoid; }
  tr:nth-child(-n + 3) { break-after: avoid; }
  tr:nth-last-child(-n + 4) { break-before: avoid; }
  details::details-content { content-visibility: visible; display: block; }
  footer { break-before: avoid; } }
"""


def data_uri(image) -> str:
    """A picture as PNG inside a page."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def number_text(value: float) -> str:
    """Four significant digits, without an exponent between 0.0001 and a million."""
    if not math.isfinite(value):
        return "not defined"
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e6 else f"{value:.4g}"
