"""Figures of a regression: what an outcome does over time or a covariate, patient by patient,
and what its residuals look like.
"""

from __future__ import annotations

import numpy as np

from ..report.plots import MAIN, OTHER, Plot
from .outcome_analysis import OutcomeAnalysis

MOST_PATIENTS = 40
"""More lines than this cannot be told apart in the figure of slopes: the steepest on both sides are shown."""
_STEPS = 61


def figures_of(analysis: OutcomeAnalysis, names: dict[str, str]) -> list[tuple[str, str, Plot]]:
    """The outcome's figures.

    Args:
        names: what each patient is called.
    Returns:
        for each its file's name without suffix, its caption, and the plot.
    """
    regression = analysis.regression
    seen = regression.observations
    stem = _file_name(seen.outcome)
    figures = [(f"{stem}-over-{_file_name(name)}", *_curve(analysis, name, names)) for name in predictors_of(analysis)]
    if len(analysis.slopes) > 1:
        figures.append((f"{stem}-slopes", *_slopes(analysis, names)))
    if analysis.diagnostics.normal_p is not None:
        figures += [(f"{stem}-residuals", *_residuals(analysis)), (f"{stem}-normal", *_normal(analysis))]
    return figures


def predictors_of(analysis: OutcomeAnalysis) -> list[str]:
    """What an outcome is drawn over: time, or where it plays no part the covariates of numbers."""
    seen = analysis.regression.observations
    return [seen.time] if seen.times is not None else [name for name in seen.covariates if " = " not in name]


def curve_rows(analysis: OutcomeAnalysis) -> list[dict]:
    """The mean outcome with its 95 % band over each of `predictors_of`, a row per point; named as in `residuals.csv`."""
    seen, rows = analysis.regression.observations, []
    for predictor in predictors_of(analysis):
        name = seen.unit if predictor == seen.time else predictor
        for x, mean, low, high in zip(*_band(analysis, predictor)):
            rows.append({"outcome": seen.outcome, "predictor": name, "value": x, "mean": mean, "low": low, "high": high})
    return rows


def _band(analysis: OutcomeAnalysis, predictor: str) -> tuple[np.ndarray, ...]:
    """Values over the predictor's range; mean, low, high."""
    seen = analysis.regression.observations
    xs = seen.times if seen.times is not None else seen.covariates[predictor]
    grid = np.linspace(xs.min(), xs.max(), _STEPS)
    return grid, *analysis.regression.band(predictor, grid)


def _file_name(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in text)


def _curve(analysis: OutcomeAnalysis, predictor: str, names: dict[str, str]) -> tuple[str, Plot]:
    regression = analysis.regression
    seen = regression.observations
    over_time = seen.times is not None
    xs = seen.times if over_time else seen.covariates[predictor]
    grid, mean, low, high = _band(analysis, predictor)
    unit = seen.unit if over_time else predictor
    plot = Plot(f"{seen.name} over {unit}, with the mean and its 95 % band", unit, seen.name, xs, [*seen.values, *mean])
    if over_time:
        for patient in np.unique(seen.patients):
            order = np.flatnonzero(seen.patients == patient)
            order = order[np.argsort(xs[order])]
            plot.line(xs[order], seen.values[order], OTHER, opacity=0.5)
    labels = [f"{names[patient]}: {value:.4g} at {x:.4g}" for patient, value, x in zip(seen.patients, seen.values, xs)]
    plot.points(xs, seen.values, OTHER, labels=labels)
    if np.isfinite(low).all():
        plot.band(grid, low, high)
    plot.line(grid, mean, MAIN, 2.5)
    lines = "Thin lines: patients. " if over_time else "Dots: visits. "
    others = ", other predictors at their means" if len(regression.terms) > 1 else ""
    return f"{seen.name} over {unit}. {lines}Thick line: mean of all patients{others}; band: its 95 % confidence.", plot


def _slopes(analysis: OutcomeAnalysis, names: dict[str, str]) -> tuple[str, Plot]:
    seen, term = analysis.regression.observations, analysis.regression.time_term
    slopes = sorted(analysis.slopes, key=lambda slope: slope.slope)
    left_out = max(0, len(slopes) - MOST_PATIENTS)
    if left_out:
        slopes = slopes[: MOST_PATIENTS // 2] + slopes[-(MOST_PATIENTS // 2) :]
    values = np.array([slope.slope for slope in slopes])
    room = 2 * (np.ptp(values) or abs(values[0]) or 1.0)
    ends = np.clip([end for slope in slopes for end in (slope.low, slope.high)], values.min() - room, values.max() + room)
    what = "slope of the logarithm" if analysis.regression.log else "slope"
    plot = Plot(
        f"Slopes of {seen.name}, patient by patient",
        f"{what} per {seen.unit}",
        "patients, in the order of their slopes",
        [0, *values, *ends, term.estimate],
        [-1, len(slopes)],
        (760, 80 + 14 * len(slopes)),
    )
    rows = np.arange(len(slopes))
    plot.band([term.low, term.high], [-1, -1], [len(slopes)] * 2)
    plot.line([term.estimate] * 2, [-1, len(slopes)], MAIN, 2)
    plot.line([0, 0], [-1, len(slopes)], "var(--text)", 1, "4 4")
    for row, slope in zip(rows, slopes):
        if np.isfinite(slope.low):
            plot.line([slope.low, slope.high], [row, row], OTHER)
    plot.points(
        values, rows, OTHER, labels=[f"{names[slope.patient]}: {slope.slope:.4g}, {slope.visits} visits" for slope in slopes]
    )
    more = f" {left_out} patients in between are not shown." if left_out else ""
    return (
        f"Every patient's own {what} with its 95 % interval; thick line and band: all patients; dashed: no change.{more}",
        plot,
    )


def _residuals(analysis: OutcomeAnalysis) -> tuple[str, Plot]:
    regression = analysis.regression
    fitted, residuals = regression.fitted, regression.residuals
    plot = Plot("Residuals over fitted values", "fitted value", "residual (SD)", fitted, [*residuals, -2, 2], (760, 260))
    plot.line([fitted.min(), fitted.max()], [0, 0], "var(--text)", 1, "4 4")
    plot.points(fitted, residuals)
    return "Residuals over fitted values: no pattern should be seen.", plot


def _normal(analysis: OutcomeAnalysis) -> tuple[str, Plot]:
    quantiles = analysis.diagnostics.quantiles
    plot = Plot(
        "Residuals against normal ones", "normal residual (SD)", "residual (SD)", quantiles[:, 0], quantiles[:, 1], (760, 260)
    )
    ends = quantiles[[0, -1], 0]
    plot.line(ends, ends, "var(--text)", 1, "4 4")
    plot.points(*quantiles.T)
    return "Residuals against what normal ones would be: they should follow the dashed line.", plot
