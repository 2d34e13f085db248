"""Page: the tables of an evaluation of verdicts with ROC and reliability plots, one HTML file without scripts."""

from __future__ import annotations

from html import escape

import numpy as np

from RadiomicsPersonaLib.report import svg
from RadiomicsPersonaLib.report.html_page import html_page, html_table
from RadiomicsPersonaLib.report.plots import Plot

from .cases import TIGHT
from .figures import NOTES, Figures
from .scores import COMBINED, ScoredCase, family_of, score_names

_COLORS = {COMBINED: "#d55e00"}
_NAIVE = ("#0072b2", "#56b4e9", "#8c8c8c", "#111111", "#cc79a7", "#e69f00", "#009e73", "#7a5195")
_SIZE, _SHARES = (340, 320), ([0, 1], [0, 1])
_OWN_STYLE = """
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); gap: 0.5rem 1.5rem; }
.key { display: inline-block; width: 0.8rem; height: 0.8rem; margin: 0 0.3rem 0 0.9rem; vertical-align: -0.1rem; }
"""


def verdict_page(figures: Figures, cases: list[ScoredCase], origin: dict[str, str]) -> str:
    """The page's HTML.

    Args:
        figures, cases: what `figures_of` gives.
        origin: what is needed to make the numbers again, as texts by name.
    """
    title = "Healthy or not: what the verdict is worth"
    tables = "".join(
        f"<section><h2>{escape(name)}</h2>{html_table(name, heads, rows)}</section>" for name, heads, rows in figures.tables
    )
    sources = html_table(
        "What is needed to make them again.", ["what", "value"], [list(row) for row in origin.items()], long=True
    )
    sections = f"""<section><h2>ROC curves</h2>{_roc_plots(cases)}</section>
<section><h2>Reliability</h2>{reliability_plot(figures.reliability)}</section>
{tables}
<section><h2>Where the numbers come from</h2>{sources}</section>"""
    return html_page(title, _OWN_STYLE, f"<p>{escape(NOTES)}</p>", sections)


def _roc_plots(cases: list[ScoredCase]) -> str:
    tight = [case for case in cases if case.case.kind == TIGHT]
    naive, _ = score_names(tight)
    colors = _COLORS | dict(zip(naive, _NAIVE))
    families = sorted(dict.fromkeys(family_of(case.case) for case in tight))
    plots = []
    for family in families:
        members = [case for case in tight if family_of(case.case) == family]
        title = f"{' '.join(family)}, {len(members)} lesions"
        plot = Plot(title, "share of control regions called", "share of lesions found", *_SHARES, _SIZE)
        for name in (*naive, COMBINED):
            found = [(box.scores.get(name, np.nan), box.sick) for case in members for box in case.boxes]
            points = roc_points([score for score, _ in found], [sick for _, sick in found])
            plot.line(*zip(*points), colors[name], 2.5 if name == COMBINED else 1.2, label=name)
        plots.append(_figure(plot, title))
    key = "".join(f"<span class='key' style='background: {color}'></span>{escape(name)}" for name, color in colors.items())
    return f"<div class='plots'>{''.join(plots)}</div><p>{key}</p>"


def roc_points(scores: list[float], sick: list[bool]) -> list[tuple[float, float]]:
    """Corners of the ROC curve, (false positive rate, sensitivity); unknown scores stand in the middle of the healthy ones."""
    values, truth = np.array(scores, float), np.array(sick, bool)
    known = values[~truth & np.isfinite(values)]
    values = np.nan_to_num(values, nan=float(np.median(known)) if known.size else 0.0)
    order = np.argsort(-values, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(values[order])), len(values) - 1)
    found, false = np.cumsum(truth[order])[ends], np.cumsum(~truth[order])[ends]
    return [(0.0, 0.0), *zip((false / max((~truth).sum(), 1)).tolist(), (found / max(truth.sum(), 1)).tolist())]


def reliability_plot(points: tuple[tuple[float, float, int], ...]) -> str:
    """Share of lesions over the probability that was given, in tenths."""
    title = "all patients, all contrasts"
    plot = Plot(title, "probability given", "share of lesions", *_SHARES, _SIZE)
    plot.line([0, 1], [0, 1], svg.AXIS, dash="5 4")
    for x, y, n in points:
        said = f"probability {x:.2f}: {y:.0%} of {n} boxes are lesions (both kinds weighted equally)"
        plot.points([x], [y], _COLORS[COMBINED], round(2 + min(n, 400) ** 0.5 / 4, 1), [said])
    return f"<div class='plots'>{_figure(plot, title)}</div>"


def _figure(plot: Plot, title: str) -> str:
    return f"<figure>{plot.svg}<figcaption>{escape(title)}</figcaption></figure>"
