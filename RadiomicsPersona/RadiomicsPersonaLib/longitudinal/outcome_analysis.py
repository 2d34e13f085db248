"""Outcome analysis: everything that is asked of a table of visits, outcome by outcome, and whether a regression's residuals
look as its intervals take for granted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ..errors import InputError
from .mixed_model import Regression, Term, regress, require_statsmodels
from .observations import PATIENT, observations, outcome_columns, time_column
from .patient_slopes import PatientSlope, RobustSlope, patient_slopes, robust_slope

# Imported in functions: statsmodels, an extra of this package.

CORRECTIONS = {"bh": "fdr_bh", "holm": "holm", "none": None}
"""Names of corrections for many tests: Benjamini and Hochberg 1995 (false discovery rate), Holm 1979 (any false one), none."""


LONGEST_YEARS = 100.0
"""Doubling times beyond this are no news on a patient."""


@dataclass(frozen=True)
class DoublingTime:
    """How long an outcome takes to double, ln 2 over the slope of its logarithm (Schwartz 1961 for tumours).

    Attributes:
        estimate: in units of time; negative for the time in which it halves.
        low, high: 95 % interval; of different signs where no change is possible too.
        unit: of time.
    """

    estimate: float
    low: float
    high: float
    unit: str

    @property
    def in_words(self) -> str:
        """One sentence."""
        what = "doubles" if self.estimate > 0 else "halves"
        best = abs(self.estimate)
        if not math.isfinite(best):
            return "It neither doubles nor halves."
        if self.unit == "years" and best > LONGEST_YEARS:
            return f"It hardly changes: at this rate it {what} in more than {LONGEST_YEARS:.0f} years."
        ends = sorted((abs(self.low), abs(self.high)))
        if math.isfinite(ends[1]) and self.low * self.high > 0:
            return f"It {what} in {best:.3g} {self.unit} (95 % interval {ends[0]:.3g} to {ends[1]:.3g})."
        return f"It {what} in {best:.3g} {self.unit}, but the 95 % interval includes no change at all."


@dataclass(frozen=True, eq=False)
class OutcomeAnalysis:
    """One outcome.

    Attributes:
        regression: of all patients.
        q: the terms' p corrected for all terms of all outcomes, in their order; None where there is no p.
        slopes: every patient's own.
        robust: the typical slope; where time plays no part None.
        robust_terms: Huber's M-estimates of the regression's terms, where every row is independent and time plays no part.
        doubling: doubling time, for logarithms and for volumes; else None.
        diagnostics: of the residuals.
        notes: everything that should be known, one sentence each.
    """

    regression: Regression
    q: tuple[float | None, ...]
    slopes: tuple[PatientSlope, ...]
    robust: RobustSlope | None
    robust_terms: tuple[Term, ...]
    doubling: DoublingTime | None
    diagnostics: Diagnostics
    notes: tuple[str, ...]


def analyze_visits(
    frame,
    outcomes: list[str] | None = None,
    time: str | None = None,
    covariates: list[str] | None = None,
    patient: str = PATIENT,
    log: bool = False,
    slope_by: str | None = None,
    correction: str = "bh",
) -> list[OutcomeAnalysis]:
    """Regress outcomes on time and covariates.

    Args:
        frame: pandas DataFrame, one row per visit; see `observations.read_table`.
        outcomes, time: columns; None takes the usual ones that are there.
        covariates: columns of numbers or of a few texts.
        patient: column that says whose visit it is; without time the table need not have it, every row is a patient then.
        log: analyze logarithms.
        slope_by: covariate on which the slope over time may depend.
        correction: a key of `CORRECTIONS`.
    Raises:
        InputError: a column is missing, or the rows do not suffice; see `mixed_model.regress`.
    """
    require_statsmodels()
    covariates = list(dict.fromkeys([*(covariates or []), *([slope_by] if slope_by else [])]))
    time = time_column(frame, time, covariates)
    if time is None and patient == PATIENT and patient not in frame.columns:
        frame = frame.assign(**{PATIENT: range(len(frame))})
    names = outcome_columns(frame, outcomes or [])
    both = [name for name in names if name in covariates or name in (time, patient)]
    if both:
        raise InputError(f"'{both[0]}' is to be explained and to explain: leave it out on one side.")
    regressions = [regress(observations(frame, name, time, covariates, patient), log, slope_by) for name in names]
    corrected = iter(_corrected([term.p for regression in regressions for term in regression.terms], correction))
    return [_analysis(regression, tuple(next(corrected) for _ in regression.terms)) for regression in regressions]


def _analysis(regression: Regression, q: tuple[float | None, ...]) -> OutcomeAnalysis:
    seen = regression.observations
    slopes = patient_slopes(seen, regression.log)
    doubling, notes = _doubling(regression)
    diagnostics = diagnose(regression)
    return OutcomeAnalysis(
        regression=regression,
        q=q,
        slopes=tuple(slopes),
        robust=robust_slope(slopes),
        robust_terms=_huber(regression),
        doubling=doubling,
        diagnostics=diagnostics,
        notes=regression.notes + notes + diagnostics.notes,
    )


def _corrected(ps: list[float | None], correction: str) -> list[float | None]:
    from statsmodels.stats.multitest import multipletests

    known = [p for p in ps if p is not None and math.isfinite(p)]
    if not known or CORRECTIONS[correction] is None:
        return ps
    corrected = iter(multipletests(known, method=CORRECTIONS[correction])[1].tolist())
    return [next(corrected) if p is not None and math.isfinite(p) else None for p in ps]


def _doubling(regression: Regression) -> tuple[DoublingTime | None, tuple[str, ...]]:
    """The doubling time from a regression of logarithms, made here where that of the plain values was asked for and they are a
    volume; with a note, in its place, where it has no interval.
    """
    seen = regression.observations
    is_volume = "volume" in seen.outcome.lower() or seen.outcome.lower().endswith(("_ml", "_mm3"))
    if seen.times is None or not (regression.log or is_volume):
        return None, ()
    if not regression.log:
        low = int((seen.values <= 0).sum())
        if low:
            return None, (f"{seen.outcome}: there is no doubling time, because {low} values are not above 0.",)
        regression = regress(seen, log=True)
    slope = regression.time_term
    if math.isnan(slope.low):
        return None, (
            f"{seen.outcome}: there is no doubling time, because {len(seen.values)} visits give it no interval; a patient "
            f"alone needs at least {len(regression.terms) + 2}.",
        )
    ends = sorted((slope.low, slope.high), reverse=True)
    times = [math.log(2) / rate if rate else math.inf for rate in (slope.estimate, *ends)]
    return DoublingTime(*times, seen.unit), ()


def _huber(regression: Regression) -> tuple[Term, ...]:
    """Huber's M-estimation of the same terms (Huber 1981, statsmodels' RLM); none over time,
    where `robust_slope` stands for it.
    """
    import statsmodels.api as sm

    seen = regression.observations
    rows = len(seen.values)
    if seen.times is not None or len(seen.visits) != rows or rows < len(seen.covariates) + 3:
        return ()
    values = np.log(seen.values) if regression.log else seen.values
    result = sm.RLM(values, sm.add_constant(np.column_stack(list(seen.covariates.values()))), M=sm.robust.norms.HuberT()).fit()
    intervals = result.conf_int()
    return tuple(
        Term(name, float(result.params[n]), float(intervals[n][0]), float(intervals[n][1]), math.inf, float(result.pvalues[n]))
        for n, name in enumerate(seen.covariates, 1)
    )


_DOUBTFUL = 0.01
_FAR_OUT = 3.0


@dataclass(frozen=True)
class Diagnostics:
    """What the residuals say.

    Attributes:
        normal_p: Shapiro and Wilk 1965, of normal residuals; None with fewer than 4 rows.
        even_p: Breusch and Pagan 1979 (as studentised by Koenker 1981), of a spread that does not depend on the fitted value;
            None likewise.
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
        notes.append(
            f"{outcome}: the residuals are not normally distributed (Shapiro-Wilk p = {normal_p:.2g}); trust the robust "
            "estimate more."
        )
    if even_p is not None and even_p < _DOUBTFUL:
        hint = "" if regression.log or (regression.observations.values <= 0).any() else "; try their logarithms"
        notes.append(
            f"{outcome}: the residuals spread more at some values than at others (Breusch-Pagan p = {even_p:.2g}){hint}."
        )
    if outliers:
        notes.append(f"{outcome}: {len(outliers)} visit(s) lie beyond {_FAR_OUT:g} residual SDs; residuals.csv names them.")
    return Diagnostics(normal_p, even_p, outliers, quantiles, tuple(notes))
