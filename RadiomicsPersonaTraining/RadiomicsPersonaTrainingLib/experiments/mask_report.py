"""Mask report: the page of an evaluation of drawn masks, one HTML file with tables, distributions and pictures."""

from __future__ import annotations

from html import escape

import numpy as np
from PIL import Image

from RadiomicsPersonaLib.report.html_page import html_page, html_table
from RadiomicsPersonaLib.report.plots import Plot

from ..evaluation.pictures import jpeg_uri
from .mask_comparison import HELD_OUT, MEASURES, TRAINING, Distance, MeasuredMasks

HEADS = ["masks", "n", *MEASURES, "mean distance (95 %)", "AUROC (95 %)", "Dice at one place", "outside tissue"]
NOTES = (
    "Real masks kept for evaluation, at their own place, against drawn ones. Distances are Wasserstein distances in standard "
    "deviations of the held-out masks, 0 at best; the floor is what real training masks reach. Redrawn masks lie a little "
    "farther apart than the masks themselves, and so do the intervals of the means. AUROC: how well a random forest tells "
    "drawn from held-out masks by these five measures, 0.5 at best. Dice at one place: mean overlap of masks drawn from other "
    "noise for one place and size; the lower the more they vary. sphere and shapes are placed at random in the tissue, the "
    "trained generators, and those marked so, where real lesions of their size lie. The real masks were drawn in MNI space "
    "and carried here by an affine registration, so that their borders do not follow these brains' sulci exactly; all masks "
    "are cut to grey and white matter."
)
COLORS = ("#1b1f24", "#8c8c8c", "#d55e00", "#e69f00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#7a5195")
_AXES = {
    "size": "size, log ml",
    "surface to volume": "log of surface over volume, 1/mm",
    "grey matter": "share of grey matter",
    "depth": "depth, mm",
}
_STYLE = """
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 0.5rem 1.5rem; }
.key { display: inline-block; width: 0.8rem; height: 0.8rem; margin: 0 0.3rem 0 0.9rem; vertical-align: -0.1rem; }
img { max-width: 100%; }
"""


def table_rows(distances: list[Distance]) -> list[list[str]]:
    """A row per source, in the columns of `HEADS`."""
    return [
        [
            d.name,
            str(d.count),
            *(f"{value:.2f}" for value in d.measures.values()),
            _interval(d.mean),
            _interval(d.auroc),
            "" if np.isnan(d.diversity) else f"{d.diversity:.2f}",
            f"{d.outside:.1%}",
        ]
        for d in distances
    ]


def mask_page(
    measured: list[MeasuredMasks], distances: list[Distance], sheets: list[tuple[str, Image.Image]], origin: dict[str, str]
) -> str:
    """The page's HTML.

    Args:
        measured: all sources, real ones too.
        sheets: pictures with what they show.
        origin: what is needed to make the numbers again, as texts by name.
    """
    sections = []
    for kind in dict.fromkeys(d.kind for d in distances):
        own = [m for m in measured if m.kind == kind]
        plots = "".join(
            f"<figure>{_plot(own, measure)}<figcaption>{escape(measure)}</figcaption></figure>" for measure in MEASURES
        )
        key = "".join(f"<span class='key' style='background: {color}'></span>{escape(m.name)}" for m, color in zip(own, COLORS))
        table = html_table(f"{kind}: distance to {HELD_OUT}.", HEADS, table_rows([d for d in distances if d.kind == kind]))
        sections.append(
            f"<section><h2>{escape(kind)}</h2>{table}<p>Share of masks below each value:</p><div class='plots'>{plots}</div>"
            f"<p>{key}</p></section>"
        )
    pictures = "".join(
        f"<figure><img src='{jpeg_uri(image)}' alt='{escape(text, quote=True)}'>"
        f"<figcaption>{escape(text)}</figcaption></figure>"
        for text, image in sheets
    )
    sections.append(f"<section><h2>Examples</h2>{pictures}</section>" if pictures else "")
    rows = [list(row) for row in origin.items()]
    sections.append(
        "<section><h2>Where the numbers come from</h2>"
        f"{html_table('What is needed to make them again.', ['what', 'value'], rows, long=True)}</section>"
    )
    return html_page("Drawn lesion masks beside real ones", _STYLE, f"<p>{escape(NOTES)}</p>", "".join(sections))


def _plot(sources: list[MeasuredMasks], measure: str) -> str:
    every = np.concatenate([source.values(measure) for source in sources])
    plot = Plot(measure, _AXES.get(measure, measure), "share of masks", every, [0, 1], (420, 260))
    for source, color in reversed(list(zip(sources, COLORS))):
        values = np.sort(source.values(measure))
        plot.line(
            values, (np.arange(len(values)) + 0.5) / len(values), color, 2.5 if source.name in (HELD_OUT, TRAINING) else 1.5
        )
    return plot.svg


def _interval(values: tuple[float, float, float]) -> str:
    return f"{values[0]:.2f} ({values[1]:.2f} to {values[2]:.2f})"
