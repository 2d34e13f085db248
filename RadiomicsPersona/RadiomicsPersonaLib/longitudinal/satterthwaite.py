"""Satterthwaite: how many degrees of freedom an estimate of a mixed model has.

With few patients the intervals of the normal distribution are too short. As lmerTest (Kuznetsova, Brockhoff and Christensen
2017) after Fai and Cornelius 1996: the variance v of an estimate has 2 v^2 / var(v) degrees of freedom, where var(v) follows
from how well REML knows the variances that v is made of.
"""

from __future__ import annotations

import numpy as np

_STEP = 1e-3


class RestrictedLikelihood:
    """The REML log-likelihood of a linear mixed model and the covariance of its fixed effects, over the variances.

    The variances are given as theta: the lower triangle of the Cholesky factor of the random effects' covariance, row by row,
    and the logarithm of the residual standard deviation.

    Args:
        outcome: shape (rows,).
        fixed: design of the fixed effects, shape (rows, effects).
        random: design of the random effects, shape (rows, random effects).
        groups: what rows share random effects, shape (rows,).
    """

    def __init__(self, outcome: np.ndarray, fixed: np.ndarray, random: np.ndarray, groups: np.ndarray):
        self._size = random.shape[1]
        self._places = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        self._blocks = [(np.column_stack([fixed[rows], outcome[rows]]), random[rows]) for rows in self._places]

    def theta(self, covariance: np.ndarray, scale: float) -> np.ndarray:
        """The variances in the form that the other methods take; the covariance must be positive definite."""
        return np.append(np.linalg.cholesky(covariance)[np.tril_indices(self._size)], np.log(scale) / 2)

    def at(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood (up to a constant) and covariance of the fixed effects."""
        factor = np.zeros((self._size, self._size))
        factor[np.tril_indices(self._size)] = theta[:-1]
        covariance, scale = factor @ factor.T, np.exp(2 * theta[-1])
        products, log_determinant = 0.0, 0.0
        for data, random in self._blocks:
            root = np.linalg.cholesky(random @ covariance @ random.T + scale * np.eye(len(data)))
            whitened = np.linalg.solve(root, data)
            products = products + whitened.T @ whitened
            log_determinant += 2 * np.log(np.diag(root)).sum()
        information, cross = products[:-1, :-1], products[:-1, -1]
        fixed_covariance = np.linalg.inv(information)
        misfit = products[-1, -1] - cross @ fixed_covariance @ cross
        return -0.5 * (log_determinant + np.linalg.slogdet(information)[1] + misfit), fixed_covariance

    def fitted(self, effects: np.ndarray, covariance: np.ndarray, scale: float) -> np.ndarray:
        """Per row the fixed effects plus the best predictions of its group's random effects,
        whose covariance may be singular.
        """
        fitted = np.empty(sum(len(rows) for rows in self._places))
        for rows, (data, random) in zip(self._places, self._blocks):
            mean = data[:, :-1] @ effects
            total = random @ covariance @ random.T
            fitted[rows] = mean + total @ np.linalg.solve(total + scale * np.eye(len(rows)), data[:, -1] - mean)
        return fitted


class DegreesOfFreedom:
    """Satterthwaite's degrees of freedom of any combination of the fixed effects, at the REML estimate theta."""

    def __init__(self, likelihood: RestrictedLikelihood, theta: np.ndarray):
        steps = np.eye(len(theta)) * _STEP
        self.covariance = likelihood.at(theta)[1]
        self._slopes = np.array(
            [(likelihood.at(theta + step)[1] - likelihood.at(theta - step)[1]) / (2 * _STEP) for step in steps]
        )
        curvature = np.empty((len(theta), len(theta)))
        for i, one in enumerate(steps):
            for j, other in enumerate(steps[: i + 1]):
                ends = [likelihood.at(theta + a * one + b * other)[0] for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
                curvature[i, j] = curvature[j, i] = (ends[0] - ends[1] - ends[2] + ends[3]) / (4 * _STEP**2)
        self._variance_of_theta = np.linalg.pinv(-curvature)

    def of(self, combination: np.ndarray) -> float:
        """Degrees of freedom of combination @ fixed effects; at least 1, infinite where its variance is known for certain."""
        variance = combination @ self.covariance @ combination
        slope = np.einsum("i,tij,j->t", combination, self._slopes, combination)
        spread = slope @ self._variance_of_theta @ slope
        return max(1.0, 2 * variance**2 / spread) if spread > 0 else np.inf
