"""Diagnostics: whether a regression's residuals look as its intervals take for granted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .regression import Regression

_DOUBTFUL = 0.01
_FAR_OUT = 3.0


@dataclass(frozen=True)
class Diagnostics:
    """What the residuals say.

    Attributes:
        normal_p: Shapiro and Wilk 1965, of normal residuals; None with fewer than 4 rows.
        even_p: Breusch and Pagan 1979 (as studentised by Koenker 1981), of a spread that does not depend on the fitted value; None likewise.
        outliers: places of the rows whose residual lies beyond 3 residual SDs.
        quantiles: theoretical and found residuals for the normal plot, shape (rows, 2), in rising order.
        notes: what is doubtful, one sentence each.
    """

    normal_p: float | None
    even_p: float | None
    outliers: tuple[int, ...]
    quantiles: np.ndarray
    notes: tuple[str, ...]


def diagnose(regression: Regression) -> Diagnostics:
    """Look at a regression's residuals."""
    from scipy import stats
    from statsmodels.stats.diagnostic import het_breuschpagan

    residuals, fitted = regression.residuals, regression.fitted
    theoretical, found = stats.probplot(residuals, fit=False)
    quantiles = np.column_stack([theoretical, found])
    outliers = tuple(np.flatnonzero(np.abs(residuals) > _FAR_OUT).tolist())
    if len(residuals) < 4 or np.ptp(residuals) < 1e-12:
        return Diagnostics(None, None, outliers, quantiles, ())
    normal_p = float(stats.shapiro(residuals).pvalue)
    even_p = None
    if np.ptp(fitted) > 1e-12:
        even_p = float(het_breuschpagan(residuals, np.column_stack([np.ones(len(fitted)), fitted]))[1])
    outcome, notes = regression.observations.outcome, []
    if normal_p < _DOUBTFUL:
        notes.append(f"{outcome}: the residuals are not normally distributed (Shapiro-Wilk p = {normal_p:.2g}); trust the robust estimate more.")
    if even_p is not None and even_p < _DOUBTFUL:
        hint = "" if regression.log or (regression.observations.values <= 0).any() else "; try --log"
        notes.append(f"{outcome}: the residuals spread more at some values than at others (Breusch-Pagan p = {even_p:.2g}){hint}.")
    if outliers:
        notes.append(f"{outcome}: {len(outliers)} visit(s) lie beyond {_FAR_OUT:g} residual SDs; residuals.csv names them.")
    return Diagnostics(normal_p, even_p, outliers, quantiles, tuple(notes))
