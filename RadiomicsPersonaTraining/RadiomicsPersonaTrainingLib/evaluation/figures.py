"""Figures: what is told of an evaluation, as tables of text and as a record with a stable schema."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from RadiomicsPersonaLib.defaults import RESEARCH_USE
from RadiomicsPersonaLib.imaging.files import name_of
from RadiomicsPersonaLib.system.json_text import json_value

from ..data.held_out_groups import ABOUT
from ..versions import versions_text, versions_used
from .holes import BRAIN_SHARE, LESIONS
from .plots import spoken
from .rebuilding import NETWORK, POPULATION_MEAN, EvaluationPlan
from .scores import REBUILDING_METRICS, HoleScore
from .summary import CONTRAST_GOAL, DRAWS, GOAL, Cell, ContrastLine, rounded, source_and_contrast

SCHEMA = "radiomics-persona-evaluation/1"
"""Of `evaluation.json`; the number rises when a key changes its meaning or goes."""
NOTES = f"""\
Holes lie in brain (at least {BRAIN_SHARE:.0%} of them); every second cuboid is turned at random; the lesion shapes are
flipped and turned at random. Every hole is rebuilt on the scan's own grid without a look inside, and only voxels inside
it count. Values are means over subjects of the means of their holes, with 95 % intervals ({DRAWS:,} bootstrap draws
over subjects; none for a single subject). "Official" is the BraTS inpainting challenge's form, whose SSIM flatters small
holes; the others are taken in context. The mean squared error that decides is in squared tissue SD, the standard deviation
of intensity in the scan's brain tissue. The population mean is the average of training brains, laid over the scan."""
CARD_KEYS = ("mse", "ssim", "official_ssim", "official_psnr", "official_psnr_01")
"""Metrics of the network in the record's `figures`, beside its ratio to the best fill."""


def headline_table(cells: list[Cell]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: the network's squared error over the best simple fill's, by group and kind of hole."""
    heads = ["group", "holes", "subjects", "number", "rebuilder", "ratio to the best fill (95 % interval)"]
    heads += [f"at most {GOAL:g}", "MSE", "best fill", "its MSE", "official SSIM", "official PSNR (dB)"]
    rows = []
    for cell in cells:
        for line in cell.headlines:
            official = cell.estimates[line.rebuilder]
            rows.append(
                [cell.group, cell.stratum, f"{cell.subjects}", f"{cell.holes}", line.rebuilder, spoken(line.ratio)]
                + ["yes" if line.reached else "no", f"{line.mse:.3f}", line.best_fill, f"{line.best_fill_mse:.3f}"]
                + [f"{official['official_ssim'].value:.3f}", f"{official['official_psnr'].value:.2f}"]
            )
    return heads, rows


def contrast_table(lines: list[ContrastLine]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: the network's ratio in other contrasts over the one in T1, same holes and subjects."""
    heads = ["source", "contrast", "holes", "subjects", "ratio to the best fill (95 % interval)"]
    heads += ["over the T1 ratio (95 % interval)", f"at most {CONTRAST_GOAL:g}"]
    return heads, [
        [line.source, line.contrast, line.stratum, f"{line.subjects}", spoken(line.ratio), spoken(line.over_t1)]
        + ["yes" if line.reached else "no"]
        for line in lines
    ]


def metrics_table(cell: Cell) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: every metric of every rebuilder."""
    rows = [[name, *(spoken(estimates[key]) for key in REBUILDING_METRICS)] for name, estimates in cell.estimates.items()]
    return ["rebuilder", *REBUILDING_METRICS.values()], rows


def record_of(cells: list[Cell], contrasts: list[ContrastLine], origin: dict) -> dict:
    """The content of `evaluation.json`, in plain JSON types; `figures` is what goes into the model card.

    ``figures[group][stratum]`` holds `subjects`, `holes`, `best_fill`, `ratio_to_best_fill` and the metrics of
    `CARD_KEYS`, each of these as `value`, `low` and `high` (null from a single subject), to four digits.
    """
    figures: dict[str, dict] = {}
    for cell in cells:
        for line in cell.headlines:
            if line.rebuilder == NETWORK:
                numbers = {"ratio_to_best_fill": line.ratio} | {key: cell.estimates[NETWORK][key] for key in CARD_KEYS}
                figures.setdefault(cell.group, {})[cell.stratum] = {
                    "subjects": cell.subjects,
                    "holes": cell.holes,
                    "best_fill": line.best_fill,
                    **{name: rounded(estimate) for name, estimate in numbers.items()},
                }
    any_contrast = [
        {"source": line.source, "contrast": line.contrast, "stratum": line.stratum, "subjects": line.subjects}
        | {"ratio_over_t1": rounded(line.over_t1)}
        for line in contrasts
    ]
    record = {"schema": SCHEMA, "notice": RESEARCH_USE, **origin, "figures": figures, "any_contrast": any_contrast}
    return json_value(record | {"cells": [asdict(cell) for cell in cells]})


def provenance_of(plan: EvaluationPlan, scores: list[HoleScore]) -> dict:
    """What it takes to make the numbers again, in plain JSON types."""
    asked = len(plan.scans) * len(plan.strata) * plan.boxes_per_stratum
    return {
        "date": date.today().isoformat(),
        "versions": versions_used(NETWORK in plan.rebuilders),
        "model": {key: value for key, value in plan.identity.items() if key != "population_mean_of"},
        "seed": plan.seed,
        "boxes_per_stratum": plan.boxes_per_stratum,
        "holes": {"asked": asked, "placed": len({row.hole for row in scores})},
        "subjects": plan.subjects,
        "lesion_masks": [name_of(path) for path in plan.lesion_masks],
        "population_mean_of": plan.identity.get("population_mean_of", []),
    }


def provenance_rows(origin: dict) -> list[tuple[str, str]]:
    """Names and texts of what `provenance_of` gives."""
    rows = [
        ("Date", origin["date"]),
        ("Versions", versions_text(origin["versions"])),
        ("Model", ", ".join(f"{key} {value}" for key, value in origin["model"].items() if value is not None) or "none"),
        ("Seed", f"{origin['seed']}; {origin['boxes_per_stratum']} holes per subject and kind"),
        ("Holes", f"{origin['holes']['placed']} of {origin['holes']['asked']} found a place with enough brain"),
    ]
    # the contrasts of a source mostly come from the same subjects
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for group, names in origin["subjects"].items():
        source, contrast = source_and_contrast(group) or (group, "")
        alike.setdefault((source, tuple(names)), []).append(contrast)
    for (source, names), contrasts in alike.items():
        about = f"{ABOUT[source]}. " if source in ABOUT else ""
        rows.append(
            (f"{source} {', '.join(contrasts)}".strip(), f"{about}{counted(len(names), 'subject')}: {', '.join(names)}")
        )
    if origin["lesion_masks"]:
        rows.append((LESIONS.capitalize(), f"drawn from {len(origin['lesion_masks'])} masks, named in evaluation.json"))
    if origin["population_mean_of"]:
        count = len(origin["population_mean_of"])
        rows.append((POPULATION_MEAN.capitalize(), f"average of {count} training scans, named in evaluation.json"))
    return rows


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 hole", "2 holes"."""
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"
