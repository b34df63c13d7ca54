"""A few factors from a few measurements: the shipped fit as the prior, and a likelihood that no single run can bend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Predict = Callable[[Array], Array]
"""Logarithms of the factors, shape (variants, factors), to logarithms of the predictions, shape (variants, measurements)."""

FREEDOM = 4.0
"""Degrees of freedom of Student's t: a measurement some deviations off counts less the further it is off; assumed."""
_STEP = 1e-3
_ROUNDS = 60
_SMALLEST_MOVE = 1e-9


@dataclass(frozen=True, slots=True)
class Posterior:
    """Factors after the measurements."""

    log_factors: Array
    """Their logarithms, shape (factors,); 0 is as shipped."""
    covariance: Array
    """Of the logarithms, shape (factors, factors)."""
    weights: Array
    """How much each measurement counts, from 0 to 1."""


def posterior(predict: Predict, measured: Array, *, log_sigma: Array, prior_log_sigma: Array) -> Posterior:
    r"""Return the factors that prior and measurements agree on best, and how sure they are.

    The mode of $p(\theta) \propto \prod_k N(\theta_k; 0, \tau_k^2) \prod_i t_4((y_i - f_i(\theta)) / \sigma_i)$ by
    reweighted least squares with backtracking; the covariance is that of Laplace, never wider than the prior, and
    widened where measurements contradict each other more than $\sigma$ says.

    Args:
        predict: Predictions under factors.
        measured: Logarithms $y$ of the measured values, shape (measurements,).
        log_sigma: Deviations $\sigma$ of single measurements from a prediction with the right factors.
        prior_log_sigma: Deviations $\tau$ of the factors before any measurement.

    Returns:
        The prior where there are no measurements.

    Example:
        >>> same = {"log_sigma": np.array([0.1, 0.1]), "prior_log_sigma": np.array([0.1])}
        >>> twice = posterior(lambda theta: np.repeat(theta, 2, axis=1), np.log([1.1, 1.1]), **same)
        >>> round(float(np.exp(twice.log_factors[0])), 2)  # about two thirds of the way
        1.07
    """
    theta = np.zeros(len(prior_log_sigma))
    precision = np.diag(1.0 / np.square(prior_log_sigma))
    if not len(measured):
        return Posterior(theta, np.asarray(np.linalg.inv(precision)), np.zeros(0))
    problem = _Problem(predict, measured, log_sigma, precision)
    theta = problem.mode(theta)
    slopes, residual = problem.linearised(theta)
    weights = _weights(residual)
    scatter = max(1.0, float(np.sum(weights * residual * residual) / len(measured)))
    learnt = slopes.T @ (slopes * (weights / scatter)[:, None])
    return Posterior(theta, np.asarray(np.linalg.inv(precision + learnt)), weights)


def _weights(residual: Array) -> Array:
    return np.asarray(1.0 / (1.0 + residual * residual / FREEDOM))


@dataclass(frozen=True, slots=True)
class _Problem:
    predict: Predict
    measured: Array
    log_sigma: Array
    precision: Array

    def linearised(self, theta: Array) -> tuple[Array, Array]:
        """Return slopes and residuals in units of their deviations, shapes (measurements, factors) and (measurements,)."""
        variants = np.vstack([theta, theta + _STEP * np.eye(len(theta)), theta - _STEP * np.eye(len(theta))])
        found = self.predict(variants) / self.log_sigma
        up, down = found[1 : 1 + len(theta)], found[1 + len(theta) :]
        return ((up - down) / (2.0 * _STEP)).T, self.measured / self.log_sigma - found[0]

    def loss(self, theta: Array) -> float:
        residual = (self.measured - self.predict(theta[None, :])[0]) / self.log_sigma
        likelihood = 0.5 * (FREEDOM + 1.0) * np.sum(np.log1p(residual * residual / FREEDOM))
        return float(likelihood + 0.5 * theta @ self.precision @ theta)

    def mode(self, theta: Array) -> Array:
        """Return the factors of least loss, walking from `theta`; the first steps take every measurement at its word."""
        for number in range(_ROUNDS):
            slopes, residual = self.linearised(theta)
            weights = (
                np.ones(len(residual)) if number == 0 else _weights(residual) * (FREEDOM + 1.0) / FREEDOM
            )
            normal = self.precision + slopes.T @ (slopes * weights[:, None])
            step = np.linalg.solve(normal, slopes.T @ (weights * residual) - self.precision @ theta)
            moved = self._backtracked(theta, np.clip(step, -1.0, 1.0), always=number == 0)
            if np.max(np.abs(moved - theta)) < _SMALLEST_MOVE:
                break
            theta = moved
        return theta

    def _backtracked(self, theta: Array, step: Array, *, always: bool) -> Array:
        before = self.loss(theta)
        for _ in range(12):
            moved = theta + step
            after = self.loss(moved)
            if np.isfinite(after) and (always or after <= before):
                return moved
            step = step / 2.0
        return theta
