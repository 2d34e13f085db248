"""Mixed model: one outcome against time and covariates, over patients with one or several visits each.

statsmodels does the fitting: it is an extra of this package. Time and covariates are standardised for the fit,
estimates are in their own units.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from ..errors import InputError, how_to_install
from .observations import Observations
from .satterthwaite import DegreesOfFreedom, RestrictedLikelihood

# Imported in functions: statsmodels, an extra of this package.

SLOPES = "mixed model, intercept and slope random over patients (REML, Satterthwaite)"
INTERCEPTS = "mixed model, intercept random over patients (REML, Satterthwaite)"
ORDINARY = "ordinary least squares"
_LEVEL = 0.975
_EXACT = 1e-10
"""Variance, in standardised units, that stands for none."""
_OPTIMIZERS = ["bfgs", "powell"]
"""Where patients hardly differ the likelihood has no gradient to follow; Powell's method finds its top there."""


@dataclass(frozen=True)
class Term:
    """An estimate with its 95 % interval.

    Attributes:
        name: what changes by one: the time's unit, a covariate, or "time x covariate".
        estimate, low, high: per unit of that, in the outcome's units; in their logarithms where the regression is of these.
        df: degrees of freedom of the t distribution behind interval and p.
        p: of no effect, two-sided; None where it cannot be said.
    """

    name: str
    estimate: float
    low: float
    high: float
    df: float
    p: float | None


@dataclass(frozen=True, eq=False)
class Regression:
    """One outcome's regression.

    Attributes:
        observations: the rows that went in.
        log: whether logarithms of the outcome were analyzed.
        method: `SLOPES`, `INTERCEPTS` or `ORDINARY`.
        terms: time first, then the covariates, without the intercept.
        fitted, residuals: per row; with each patient's random effects, on the scale of the analysis; residuals in residual SDs.
        spread: standard deviations between patients ("intercept", "slope" per unit of time) and within ("residual").
        notes: what the user should know, one sentence each.
    """

    observations: Observations
    log: bool
    method: str
    terms: tuple[Term, ...]
    fitted: np.ndarray
    residuals: np.ndarray
    spread: dict[str, float]
    notes: tuple[str, ...]
    _line: _Line = field(repr=False)

    @property
    def time_term(self) -> Term | None:
        """The mean change per unit of time; None where time plays no part."""
        return self.terms[0] if self.observations.times is not None else None

    def band(self, name: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The mean outcome over one predictor, the others at their means, with the pointwise 95 % confidence band.

        Args:
            name: of the time column or a covariate.
            values: of it, shape (n,).
        Returns:
            mean, low, high, each (n,), on the outcome's own scale; the geometric mean where logarithms were analyzed.
        """
        found = self._line.over(name, np.asarray(values, float))
        return tuple(np.exp(curve) if self.log else curve for curve in found)


@dataclass(frozen=True, eq=False)
class _Line:
    """Fixed effects in the standardised predictors, with what their intervals need."""

    names: list[str]
    means: np.ndarray
    scales: np.ndarray
    products: dict[int, tuple[int, int]]
    effects: np.ndarray
    covariance: np.ndarray
    df_of: object
    scale: float

    def term(self, column: int) -> Term:
        """One predictor's effect in its own units."""
        combination = np.zeros(len(self.effects))
        combination[column] = self.scale / self.scales[column]
        if column not in self.products:
            # with a product in the model the effect of its factors is that where the other is 0
            for product, factors in self.products.items():
                if column in factors:
                    other = factors[1 - factors.index(column)]
                    combination[product] = -self.scale / self.scales[column] * self.means[other] / self.scales[other]
        estimate, half, df, p = self._interval(combination)
        return Term(self.names[column], estimate, estimate - half, estimate + half, df, p)

    def over(self, name: str, values: np.ndarray):
        column = self.names.index(name)
        rows = np.zeros((len(values), len(self.effects)))
        rows[:, 0] = 1
        rows[:, column] = (values - self.means[column]) / self.scales[column]
        found = np.array([self._interval(row * self.scale)[:2] for row in rows])
        return found[:, 0], found[:, 0] - found[:, 1], found[:, 0] + found[:, 1]

    def _interval(self, combination: np.ndarray) -> tuple[float, float, float, float | None]:
        """Estimate, half the width of its interval, degrees of freedom, p."""
        estimate = float(combination @ self.effects)
        error, df = float(np.sqrt(combination @ self.covariance @ combination)), float(self.df_of(combination))
        if not df > 0:
            return estimate, np.nan, 0.0, None
        p = float(2 * stats.t.sf(abs(estimate) / error, df)) if error > 0 else 0.0
        return estimate, float(stats.t.ppf(_LEVEL, df)) * error, df, p


def require_statsmodels() -> None:
    """Raise InputError where statsmodels is not installed."""
    try:
        import statsmodels.api  # noqa: F401
    except ImportError:
        raise InputError(f"Regression needs statsmodels, which is not installed: {how_to_install('regression')}.") from None


def regress(observations: Observations, log: bool = False, slope_by: str | None = None) -> Regression:
    """Fit one outcome: with every patient's own level and slope where the visits suffice, simpler where they do not.

    A linear mixed model (Laird and Ware 1982) by REML; patients with one visit take part. Where visits are too few for slopes
    of their own, patients differ in their level only; where all rows are independent (one visit each, or a single patient),
    ordinary least squares.

    Args:
        log: analyze logarithms of the outcome, so that slopes are growth rates.
        slope_by: covariate whose groups or values may change the slope over time; None for none.
    Raises:
        InputError: only one visit of every patient where time is asked for, too few rows, a constant or collinear covariate, or
            logarithms of values that are not above 0.

    >>> patients, years = np.repeat(["a", "b", "c"], 3), np.tile([0.0, 1.0, 2.0], 3)
    >>> volumes = np.array([1.0, 1.5, 2.1, 3.0, 3.4, 4.0, 5.0, 5.6, 6.1])
    >>> term = regress(Observations("volume", volumes, patients, years, "years", "years", {})).time_term
    >>> [round(value, 2) for value in (term.estimate, term.low, term.high)]
    [0.53, 0.48, 0.59]
    """
    require_statsmodels()
    values = _logarithms(observations) if log else observations.values
    visits = observations.visits
    if observations.times is not None and max(visits.values()) < 2:
        raise InputError(
            f"Every patient has only one visit with {observations.outcome}: a slope over {observations.time} needs at least "
            "two visits of a patient."
        )
    names, columns, products = _predictors(observations, slope_by)
    if len(values) < len(names):
        raise InputError(
            f"{len(values)} complete rows are too few to estimate {len(names)} effects of {observations.outcome}: add visits "
            "or leave covariates out."
        )
    design, means, scales = _standardised(names, columns, products)
    scale = float(values.std()) or 1.0
    center = float(values.mean())
    fit = _fit((values - center) / scale, design, observations, visits)
    effects = fit.effects + np.eye(len(fit.effects))[0] * center / scale
    line = _Line(names, means, scales, products, effects, fit.covariance, fit.df_of, scale)
    per_unit = {"intercept": scale, "slope": scale / scales[1], "residual": scale}
    return Regression(
        observations=observations,
        log=log,
        method=fit.method,
        terms=tuple(line.term(column) for column in range(1, len(names))),
        fitted=fit.fitted * scale + center,
        residuals=((values - center) / scale - fit.fitted) / fit.spread["residual"]
        if fit.spread["residual"] > 0
        else np.zeros(len(values)),
        spread={key: float(value * per_unit[key]) for key, value in fit.spread.items()},
        notes=observations.notes + fit.notes + _reading(names, products, observations),
        _line=line,
    )


def _logarithms(observations: Observations) -> np.ndarray:
    low = int((observations.values <= 0).sum())
    if low:
        raise InputError(
            f"{low} values of {observations.outcome} are not above 0 and have no logarithm: take the values themselves."
        )
    return np.log(observations.values)


def _predictors(observations: Observations, slope_by: str | None):
    """Names and columns of the design with its intercept, and which columns are products of which."""
    names, columns = ["intercept"], [np.ones(len(observations.values))]
    if observations.times is not None:
        names.append(observations.time)
        columns.append(observations.times)
    names += list(observations.covariates)
    columns += list(observations.covariates.values())
    products = {}
    if slope_by:
        if observations.times is None:
            raise InputError("A slope of its own for every group needs a column of time: choose one.")
        factors = [number for number, name in enumerate(names) if name == slope_by or name.startswith(f"{slope_by} = ")]
        for factor in factors:
            products[len(names)] = (1, factor)
            names.append(f"{observations.time} x {names[factor]}")
            columns.append(columns[1] * columns[factor])
    return names, np.column_stack(columns), products


def _reading(names: list[str], products: dict[int, tuple[int, int]], observations: Observations) -> tuple[str, ...]:
    """What the slope is, where it depends on a covariate."""
    if not products:
        return ()
    factors = " and ".join(f"'{names[factor]}'" for _, factor in products.values())
    return (
        f"The change per {observations.unit} is that where {factors} is 0, of the other group or at that value; the product "
        "says how much it differs.",
    )


def _standardised(names: list[str], columns: np.ndarray, products) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The design with every predictor at mean 0 and SD 1, and these means and SDs.

    Raises:
        InputError: a predictor is constant or follows from the others.
    """
    means, scales = columns.mean(axis=0), columns.std(axis=0)
    constant = [name for name, spread, mean in zip(names[1:], scales[1:], means[1:]) if spread <= 1e-9 * max(1.0, abs(mean))]
    if constant:
        raise InputError(f"'{constant[0]}' is the same in all rows that can be used: leave it out.")
    means[0], scales[0] = 0, 1
    design = (columns - means) / scales
    for product, factors in products.items():
        design[:, product] = design[:, factors[0]] * design[:, factors[1]]
        means[product], scales[product] = 0, scales[factors[0]] * scales[factors[1]]
    for column in range(2, len(names)):
        before = design[:, :column]
        shares, *_ = np.linalg.lstsq(before, design[:, column], rcond=None)
        left = design[:, column] - before @ shares
        if (left**2).sum() < 1e-10 * (design[:, column] ** 2).sum():
            others = [f"'{name}'" for name, share in zip(names[1:], shares[1:]) if abs(share) > 1e-6]
            raise InputError(f"'{names[column]}' is collinear: it follows from {' and '.join(others)}; leave one of them out.")
    return design, means, scales


@dataclass(frozen=True, eq=False)
class _Fit:
    """A fit in standardised units."""

    method: str
    effects: np.ndarray
    covariance: np.ndarray
    df_of: object
    fitted: np.ndarray
    spread: dict[str, float]
    notes: tuple[str, ...] = ()


def _fit(values: np.ndarray, design: np.ndarray, observations: Observations, visits: dict[str, int]) -> _Fit:
    """The richest model that the data carry."""
    patients, rows = len(visits), len(values)
    repeated = sum(count > 1 for count in visits.values())
    if patients == 1 or patients == rows:
        why = (
            ("There is one patient only: the interval speaks of this patient's visits, not of patients.",)
            if patients == 1
            else ()
        )
        return _ordinary(values, design, why)
    if observations.times is None:
        return _mixed(values, design, design[:, :1], observations.patients, INTERCEPTS)
    # lme4 asks for the same: fewer random effects than rows
    if repeated >= 3 and rows > 2 * patients:
        return _mixed(values, design, design[:, :2], observations.patients, SLOPES)
    notes = ("The visits are too few to tell the patients' slopes apart: they share one in the model.",)
    return _mixed(values, design, design[:, :1], observations.patients, INTERCEPTS, notes)


def _ordinary(values: np.ndarray, design: np.ndarray, notes: tuple[str, ...]) -> _Fit:
    import statsmodels.api as sm

    result = sm.OLS(values, design).fit()
    df = float(result.df_resid)
    spread = {"residual": float(np.sqrt(result.scale)) if df > 0 else 0.0}
    if df <= 0:
        notes += ("There are as many effects as rows: there is no interval.",)
    covariance = np.asarray(result.cov_params()) if df > 0 else np.zeros((design.shape[1],) * 2)
    return _Fit(
        ORDINARY, np.asarray(result.params), covariance, lambda combination: df, np.asarray(result.fittedvalues), spread, notes
    )


def _mixed(values, design, random, patients, method: str, notes: tuple[str, ...] = ()) -> _Fit:
    from statsmodels.regression.mixed_linear_model import MixedLM

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what they warn of is said in a note
        try:
            result = MixedLM(values, design, patients, exog_re=random).fit(reml=True, method=_OPTIMIZERS)
            between, scale = np.asarray(result.cov_re), max(float(result.scale), _EXACT)
            likelihood = RestrictedLikelihood(values, design, random, patients)
            degrees = DegreesOfFreedom(likelihood, likelihood.theta(between + _EXACT * np.eye(len(between)), scale))
            fitted = likelihood.fitted(np.asarray(result.fe_params), between, scale)
        except np.linalg.LinAlgError as error:
            raise InputError("The mixed model cannot be fitted to these rows: leave covariates out, or add visits.") from error
    least = max(1, len(np.unique(patients)) - design.shape[1])
    names = ("intercept", "slope")[: random.shape[1]]
    spread = dict(zip(names, np.sqrt(np.diag(between)).tolist())) | {"residual": float(np.sqrt(scale))}
    if not result.converged:
        notes += ("The fit of the mixed model did not settle: look at the patients' own slopes instead.",)
    # the patients' own estimates alone would give as many degrees of freedom
    return _Fit(
        method, np.asarray(result.fe_params), degrees.covariance, lambda row: max(least, degrees.of(row)), fitted, spread, notes
    )
