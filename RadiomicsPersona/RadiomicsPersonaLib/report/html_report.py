"""HTML report: one file with verdicts, pictures, numbers and provenance that can be sent as it is.

It needs no network and no scripts. It is anonymous unless it is given a name for the scan;
boxes keep the names their user gave them.
"""

from __future__ import annotations

import math
import statistics
from html import escape
from pathlib import Path

from ..analysis.error_rates import evaluated_classifier
from ..analysis.result import Analysis, BoxResult
from ..analysis.verdict import STRONG_P
from ..brain.tissue import OTHER_CONTRAST, T1_WEIGHTED
from ..defaults import RESEARCH_USE
from ..geometry.box import Box
from ..metrics.metric import METRICS
from . import svg
from .colors import VERDICT_COLORS, diverging
from .html_page import STYLE, data_uri, number_text
from .picture import (
    BRAIN_ONLY,
    COLUMNS,
    difference_legend,
    difference_range,
    display_window,
    fog_legend,
    slice_row,
    title_of,
)
from .plots import COMBINED, axis_range, score_chart, scores_of, ticks
from .provenance import settings_of
from .results_files import probability_bound
from .slice_plane import ORIENTATIONS, coordinate

LIMITS = (
    "The healthy persona is what the model expects in this place; it is not what the tissue looked like before.",
    "p ranks the box among control regions of this scan and of other people: a scan unlike theirs makes it less sure.",
    "p says how unusual the box is, not how probable a disease is; the more boxes, the stricter it must be read.",
    "Healthy means that this method found no deviation with this box; small or faint lesions in a large box can be missed.",
    "Surgery, artefacts, normal variants and tissue that is rare in the scan deviate as well.",
)


READING = (
    "Every box was taken out of the scan and rebuilt from its surroundings as healthy tissue. The same was done with "
    "control regions: boxes in healthy tissue of the same scan, and of other people. Deviations are given in tissue SD, the "
    "standard deviation of intensity in this scan's brain tissue."
)


def write_report(analysis: Analysis, path: str | Path, name: str | None = None) -> None:
    """Write the report of all boxes as one HTML file; see `report_of`."""
    # a file name that is not UTF-8 reaches us with stand-ins that UTF-8 cannot hold
    Path(path).write_text(report_of(analysis, name), encoding="utf-8", errors="replace")


def report_of(analysis: Analysis, name: str | None = None) -> str:
    """The report's HTML.

    Args:
        name: what the report calls the scan; None leaves it anonymous.
    """
    title = escape(title_of(name))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="notice">{RESEARCH_USE}</p>
{_about(analysis, name)}
{_summary(analysis)}
{_list("Notes on the scan", analysis.warnings)}
</header>
<main>
{"".join(_box_section(analysis, result, number) for number, result in enumerate(analysis.boxes, 1))}
<section>
<h2>How to read this</h2>
<p>{READING}</p>
{_list("Limits", LIMITS)}
</section>
{_checklist(analysis)}
{_provenance(analysis)}
</main>
<footer><p class="notice">{RESEARCH_USE}</p></footer>
</body>
</html>
"""


def about_of(analysis: Analysis, name: str | None) -> list[tuple[str, str]]:
    """What scan this is, what shows it, and what made the report, as pairs of a head and a text."""
    made, (black, white) = analysis.provenance, display_window(analysis)
    grid = analysis.scan.grid
    scan = name or "not named"
    if made.get("scan_sha256"):
        scan += f" (SHA-256 begins with {str(made['scan_sha256'])[:12]})"
    contrast = {T1_WEIGHTED: "looks T1-weighted", OTHER_CONTRAST: "does not look T1-weighted"}
    spacing = " x ".join(f"{value:.3g}" for value in grid.spacing)
    return [
        ("Scan", scan),
        (
            "Analyzed",
            f"{made.get('date', 'day not kept')}, by RadiomicsPersona {_at(made, 'versions', 'RadiomicsPersona') or ''}",
        ),
        ("Contrast", contrast.get(str(made.get("contrast")), "not told")),
        ("Grid", f"{' x '.join(map(str, grid.shape))} voxels of {spacing} mm"),
        ("Window", f"{number_text(black)} (black) to {number_text(white)} (white), scan intensities"),
    ]


def _about(analysis: Analysis, name: str | None) -> str:
    rows = "".join(f"<dt>{escape(head)}</dt><dd>{escape(text)}</dd>" for head, text in about_of(analysis, name))
    return f"<dl class='about'>{rows}</dl>"


def checklist_of(analysis: Analysis) -> list[tuple[str, str]]:
    """What was checked of this scan and its boxes, and what was not, as pairs of a question and an answer.

    The questions follow the parts of CLAIM (Mongan, Moy and Kahn 2020; update of 2024) that concern a single use.
    """
    made, boxes = analysis.provenance, analysis.boxes
    by_model = _at(made, "preprocessing", "brain_found_by", "name") is not None
    symmetry, volume = _at(made, "preprocessing", "midplane", "symmetry"), _at(made, "preprocessing", "brain_ml")

    def said(known: bool, yes: bool, more: str = "") -> str:
        return f"{'yes' if yes else 'no'}{more}" if known else "not known"

    def share(count: int) -> str:
        return f"yes, in {count} of {len(boxes)}" if count else "no"

    has_volume, has_plane = (isinstance(value, (int, float)) and abs(value) < 1e9 for value in (volume, symmetry))
    classifier, evaluated = _at(made, "classifier", "sha256"), evaluated_classifier()
    return [
        ("Was a brain recognised by the tissue model?", "yes" if by_model else "no, or not known"),
        (
            "Has it a brain's volume?",
            said(has_volume, has_volume and 500 <= volume <= 2600, f", {volume:.0f} ml" if has_volume else ""),
        ),
        ("Was a mid-sagittal plane found?", said(has_plane, has_plane and symmetry >= 0.7)),
        ("Were control regions of this scan measured?", share(sum(bool(result.controls) for result in boxes))),
        ("Is it known how often boxes like this one are right?", share(sum(bool(result.error_rates) for result in boxes))),
        ("Was the verdict repeated with small changes?", share(sum(bool(result.stability) for result in boxes))),
        ("Was p corrected for the number of boxes?", "yes, as q" if len(boxes) > 1 else "not needed, there is one box"),
        ("Is the classifier the one that was evaluated?", said(bool(classifier and evaluated), classifier == evaluated)),
        ("Were motion and artefacts looked for?", "only such as brighten the air around the head"),
        ("Were age, sex, history or other scans used?", "no"),
        ("Is the cause of a deviation told?", "no; no disease is named or ruled out"),
        ("Was the program tested in a clinic?", "no"),
        ("Did a person confirm this report?", "not known to the program"),
    ]


def _at(record, *keys: str):
    """What lies under keys in a nested record; None where nothing does."""
    for key in keys:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def _checklist(analysis: Analysis) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{escape(what)}</th><td>{escape(answer)}</td></tr>" for what, answer in checklist_of(analysis)
    )
    return (
        "<section><h2>What was checked</h2><div class='wide'><table><caption>After CLAIM, the checklist for artificial "
        "intelligence in medical imaging, as far as it concerns one report.</caption><thead><tr><th scope='col'>Question</th>"
        f"<th scope='col'>Answer</th></tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _summary(analysis: Analysis) -> str:
    rows = "".join(
        f"<tr><th scope='row'><a href='#box-{number}'>{escape(result.box.name)}</a></th><td>{_chip(result.word)}</td>"
        f"<td>{escape(result.reason)}</td></tr>"
        for number, result in enumerate(analysis.boxes, 1)
    )
    return (
        "<div class='wide'><table><caption>Verdicts</caption><thead><tr><th scope='col' class='name'>Box</th>"
        f"<th scope='col'>Verdict</th><th scope='col'>Why</th></tr></thead><tbody>{rows}</tbody></table></div>"
        f"<p>{escape(analysis.made_by)}</p>"
    )


def _chip(word: str) -> str:
    return f"<span class='chip' style='background: {_css(VERDICT_COLORS[word])}'>{word}</span>"


def _css(color) -> str:
    return "#" + "".join(f"{int(part):02x}" for part in color)


def _list(title: str, sentences) -> str:
    if not sentences:
        return ""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<h3>{title}</h3><ul>{items}</ul>"


def _box_section(analysis: Analysis, result: BoxResult, number: int) -> str:
    return f"""<section id="box-{number}" class="box">
<h2>{escape(result.box.name)}</h2>
<p class="verdict">{_chip(result.word)} {escape(result.reason)}</p>
{_where(result)}
{"".join(f"<p>{escape(sentence)}</p>" for sentence in result.remarks)}
{_facts(result)}
{_list("Notes on this box", result.warnings)}
{_slices(analysis, result)}
{_stability(result, analysis.decision["rule"])}
<h3>Control distribution</h3>
{_distribution(result)}
{score_chart(result, _css(VERDICT_COLORS[result.word]))}
{_controls_table(result)}
{_metrics_table(result)}
</section>
"""


def _center(box: Box) -> str:
    """Where a box's centre lies, as "R 12.0, A 3.5, S 40.0"."""
    return ", ".join(coordinate(axis, value) for axis, value in enumerate(box.center))


def _edges(box: Box) -> str:
    """A box's edges in whole millimetres."""
    return " x ".join(f"{edge:.0f}" for edge in box.size)


def _where(result: BoxResult) -> str:
    """How much of the box is unusual, and the boxes around the pieces."""
    if not result.where:
        return ""
    items = "".join(
        f"<li>{part.volume_ml:.3g} ml, centre {_center(part.box)} mm, {_edges(part.box)} mm</li>" for part in result.parts
    )
    outlined = f" It is outlined in yellow.</p><ul>{items}</ul>" if items else "</p>"
    return f"<p>{escape(result.where)}{outlined}"


def _controls_table(result: BoxResult) -> str:
    """Where every control region lies and how large it is."""
    if not result.controls:
        return ""
    rows = "".join(
        f"<tr><th scope='row'>{escape(control.box.name)}</th>"
        f"<td>{_center(control.box)}</td>"
        f"<td class='number'>{_edges(control.box)}</td>"
        f"<td class='number'>{control.combined:.2f}</td></tr>"
        for control in result.controls
    )
    return (
        "<details><summary>The control regions one by one</summary><div class='wide'><table>"
        "<caption>They are of many sizes; their ROIs are in controls.mrk.json and in the scene.</caption>"
        "<thead><tr><th scope='col'>Control region</th><th scope='col'>Centre (mm)</th>"
        "<th scope='col' class='number'>Size (mm)</th>"
        f"<th scope='col' class='number'>Combined score</th></tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def facts_of(result: BoxResult) -> str:
    """Where the box is, how large, and how well its control regions match, as sentences."""
    box = result.box
    parts = [
        f"Centre {_center(box)} mm",
        f"size {' x '.join(f'{v:.3g}' for v in box.size)} mm",
        f"{box.volume_ml:.3g} ml",
        f"{result.reconstruction.hole.voxels} voxels",
        f"rebuilt on a grid of {result.reconstruction.spacing:.3g} mm",
    ]
    return f"{'; '.join(parts)}. {result.match}"


def _facts(result: BoxResult) -> str:
    chances = " ".join(chances_of(result))
    return (
        f"<p class='faint'>{escape(facts_of(result))}</p>"
        + (f"<p class='faint'>{chances}</p>" if chances else "")
        + (f"<p>{escape(result.stability_in_words)}</p>" if result.stability else "")
    )


def _stability(result: BoxResult, rule: str) -> str:
    """What became of the verdict after every small change."""
    if not result.stability:
        return ""
    words = {0: "healthy", 1: "pathological", None: "undetermined"}
    rows = "".join(
        f"<tr><th scope='row'>{escape(trial.change)}</th>"
        f"<td>{'unusual' if trial.label == 1 and rule == 'p' and trial.p > STRONG_P else words[trial.label]}</td>"
        f"<td class='number'>"
        f"{'-' if trial.p is None else f'{trial.p:.3f}'}</td></tr>"
        for trial in result.stability
    )
    return (
        "<details><summary>Change by change</summary><div class='wide'><table>"
        "<caption>Stability</caption>"
        "<thead><tr><th scope='col'>Change</th><th scope='col'>Verdict</th><th scope='col' class='number'>p</th></tr></thead>"
        f"<tbody>{rows}"
        "</tbody></table></div></details>"
    )


def chances_of(result: BoxResult) -> list[str]:
    """How probable pathology is, as sentences."""
    sentences = []
    if result.probability is not None:
        sentences.append(f"Probability of pathology by the classifier, at a prior of 50 %: {result.probability:.2f}.")
    if result.label is not None and result.p is not None:
        sentences.append(
            f"From p alone, at a prior of 50 %, it is at most {probability_bound(result.p):.2f} (Sellke, Bayarri and "
            "Berger 2001)."
        )
    if result.q is not None and result.q != result.p:
        sentences.append(f"As false discovery rate over all boxes (Benjamini and Hochberg 1995): q = {result.q:.2g}.")
    return sentences


def _slices(analysis: Analysis, result: BoxResult) -> str:
    figures = []
    for orientation in ORIENTATIONS:
        panels = []
        for head, panel in zip(COLUMNS, slice_row(analysis, result, orientation)):
            around = "with the box" if head == COLUMNS[0] else "around the box"
            alt = f"{orientation.capitalize()} slice through the middle of {result.box.name}: {head.lower()} {around}."
            panels.append(
                f"<figure><img src='{data_uri(panel)}' alt='{escape(alt, quote=True)}'>"
                f"<figcaption>{head}, {orientation}</figcaption></figure>"
            )
        figures.append(f"<div class='slices'>{''.join(panels)}</div>")
    reach = difference_range(analysis)
    colors = ", ".join(_css(diverging(share)) for share in (-1, 0, 1))
    scale = (
        f"<div class='scale'><div class='bar' style='background: linear-gradient(to right, {colors})'></div>"
        f"<div class='ends'><span>-{reach:g}</span><span>0</span><span>+{reach:g}</span></div>"
        f"{difference_legend(analysis)}; {BRAIN_ONLY}</div>"
    )
    fog = fog_legend(analysis)
    return f"{''.join(figures)}{scale}" + (f"<p class='faint'>{fog}</p>" if fog else "")


def _distribution(result: BoxResult) -> str:
    """The score behind p as inline SVG: a dot per control, a diamond for the box."""
    value, scores = scores_of(result)
    if not scores:
        return "<p>There are no control regions to compare with.</p>"
    low, high = axis_range([value, *scores])

    def place(score: float) -> float:
        return round(20 + (score - low) / (high - low) * 720, 1)

    described = (
        f"{COMBINED}: {number_text(value)} in this box; "
        f"{len(scores)} control regions from {number_text(scores[0])} to {number_text(scores[-1])}."
    )
    picture = svg.drawing(
        760,
        90,
        described,
        svg.line(20, 60, 740, 60, svg.AXIS),
        svg.marks_across(ticks(low, high), place, 60, 66, svg.AXIS),
        *(svg.circle(place(score), 48 - 11 * (number % 3), 4.5, svg.AXIS) for number, score in enumerate(scores)),
        svg.diamond(place(value), 34, 11, 16, _css(VERDICT_COLORS[result.word])),
    )
    caption = f"{escape(described)} Diamond: this box; dots: control regions of the same scan."
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _metrics_table(result: BoxResult) -> str:
    rows = []
    for key, value in result.metrics.items():
        metric = METRICS[key]
        known = [control.metrics[key] for control in result.controls if math.isfinite(control.metrics[key])]
        median = number_text(statistics.median(known)) if known else "-"
        span = f"{number_text(min(known))} to {number_text(max(known))}" if known else "-"
        outside = " (outside)" if known and (value < min(known) or value > max(known)) else ""
        unit = f" ({metric.unit})" if metric.unit else ""
        rows.append(
            f"<tr><th scope='row'>{escape(metric.label + unit)}</th><td class='number'>{number_text(value)}{outside}</td>"
            f"<td class='number'>{median}</td><td class='number'>{span}</td><td>{escape(metric.formula)}</td></tr>"
        )
    return (
        "<h3>Comparison inside the box</h3><div class='wide'><table>"
        "<caption>x is the scan, y its healthy persona; (outside) marks values beyond all control regions.</caption>"
        "<thead><tr><th scope='col'>Metric</th><th scope='col' class='number'>This box</th>"
        "<th scope='col' class='number'>Control regions, median</th><th scope='col' class='number'>Control regions, range</th>"
        f"<th scope='col'>Definition</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _provenance(analysis: Analysis) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td class='long'>{escape(text)}</td></tr>"
        for name, text in settings_of(analysis)
    )
    return (
        "<section><h2>Provenance</h2><table><caption>What is needed to make these numbers again.</caption>"
        f"<thead><tr><th scope='col'>Setting</th><th scope='col'>Value</th></tr></thead><tbody>{rows}</tbody></table></section>"
    )
