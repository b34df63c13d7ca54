"""Measured values of one engine beside what advisor predicts for them under any factors."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from advisor.calibration import DecoderFactors, PassFactors
from advisor.calibration.factors import LEARNABLE_SHARE
from advisor.performance.decoder import sequences_admitted
from advisor.performance.decoder_coefficients import interval_factor
from advisor.performance.passes import fixed_s, item_s
from advisor.prediction.deployments import Deployment, Deployments, Target
from advisor.prediction.images import Passes
from advisor.prediction.load import LATENCY_COLUMNS, loaded, log_sigmas
from advisor.prediction.outcome import Z_90_PERCENT
from advisor.prediction.serving import log_ends, times

Array = npt.NDArray[np.float64]
_LEAST_SHARE, _LOAD_SHARE, _PASS_SHARE = 0.3, 0.5, 0.7
"""Shares of the variance of a prediction's error that belong to model and machine: at least, under a rate, and of one pass.
Chosen among a few values by how well one or two runs predict others; `tests/benchmarks/calibrating.py` shows how well."""
_LEAST_LOG_SIGMA = 0.02
"""Deviation of a benchmark that is repeated: assumed."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How uncertain one kind of time is before anything is measured, as deviations of logarithms."""

    total: float
    """Of measured / predicted."""
    learnable: float
    """Part of it that belongs to model and machine."""

    @property
    def single(self) -> float:
        """Part that differs from one load to the next."""
        return max(math.sqrt(max(self.total**2 - self.learnable**2, 0.0)), _LEAST_LOG_SIGMA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed(ABC):
    """Measurements of one kind of run; every sequence has one entry for each observation."""

    rows: npt.NDArray[np.int64]
    """Row of each, among those of its kind."""
    measured: Array
    """Their logarithms."""
    log_sigma: Array
    """Deviation of each from a prediction with the right factors."""
    targets: tuple[str, ...]
    """Column of each."""
    runs: tuple[int, ...]
    """Run of each."""

    @abstractmethod
    def predicted(self, log_factors: Array) -> Array:
        """Return the logarithms of predictions, shape (variants, observations)."""


def decoder_spread(found: Deployment, target: Target) -> Spread:
    """Return how uncertain a time of a language model is on a machine that advisor has not seen.

    Another machine is taken to differ at least as much as another model does: assumed.
    """
    assert found.row is not None  # noqa: S101 - only usable rows are asked about
    backend, mixture = found.row.backend, found.row.model.is_moe
    ends = [
        interval_factor(target, backend=backend, mixture_of_experts=mixture, seen_model=known)
        for known in (True, False)
    ]
    seen, unseen = (_half(math.log(low), math.log(high)) for low, high in ends)
    total = max(_half(*log_ends(found, target)), unseen)
    return _spread(total, single=seen)


def _half(low: float, high: float) -> float:
    return (high - low) / 2.0 / Z_90_PERCENT


def _spread(total: float, *, single: float) -> Spread:
    share = np.clip(1.0 - (single / total) ** 2, _LEAST_SHARE, LEARNABLE_SHARE)
    return Spread(total, total * math.sqrt(share))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLoop(Observed):
    """Runs that keep a number of requests in flight."""

    deployments: Deployments
    shape: Mapping[str, Array]

    def predicted(self, log_factors: Array) -> Array:
        """Return the logarithms of predictions, shape (variants, observations)."""
        rows = np.tile(self.rows, len(log_factors))
        factors = DecoderFactors(*np.repeat(np.exp(log_factors.T), len(self.rows), axis=1))
        found = times(self.deployments, self.shape, rows, factors)
        first = np.tile([target == "ttft_ms" for target in self.targets], len(log_factors))
        milliseconds = 1e3 * np.where(first, found.ttft_s, found.tpot_s)
        return np.log(milliseconds).reshape(len(log_factors), -1)


def waits_for_admission(deployments: Deployments, shape: Mapping[str, Array]) -> npt.NDArray[np.bool_]:
    """Return rows whose memory does not hold all requests in flight: their TTFT is a queue, not a prompt."""
    usable = deployments.usable
    found = np.zeros(len(deployments.index), dtype=bool)
    if usable.size:
        engine = deployments.engine(usable)
        admitted = sequences_admitted(
            engine,
            input_tokens=shape["input_tokens"][usable],
            output_tokens=shape["output_tokens"][usable],
        )
        limit = np.minimum(admitted, shape["max_sequences"][usable])
        found[usable] = shape["concurrency"][usable] > limit * np.asarray(engine.data_parallel)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLoop(Observed):
    """Runs whose requests arrive at a rate."""

    deployments: Deployments
    columns: Mapping[str, Array]

    def predicted(self, log_factors: Array) -> Array:
        """Return the logarithms of predictions, shape (variants, observations)."""
        rows = np.tile(self.rows, len(log_factors))
        factors = DecoderFactors(*np.repeat(np.exp(log_factors.T), len(self.rows), axis=1))
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = loaded(self.deployments, self.columns, rows, factors)
        values = np.full(len(rows), np.inf)
        for target in set(self.targets):
            metric, statistic = LATENCY_COLUMNS[target]
            mask = np.tile([own == target for own in self.targets], len(log_factors))
            values = np.where(mask, getattr(found.latency, metric)[statistic], values)
        milliseconds = np.where(found.stable, 1e3 * values, np.inf)
        return np.log(milliseconds).reshape(len(log_factors), -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches(Observed):
    """Runs of full batches through a model of one pass."""

    asked: Passes

    def predicted(self, log_factors: Array) -> Array:
        """Return the logarithms of predictions, shape (variants, observations)."""
        factors = PassFactors(*np.exp(log_factors.T)[:, :, None])
        fixed, items = (
            np.broadcast_to(np.asarray(part(self.asked.engine), dtype=float), self.asked.batch.shape)[
                self.rows
            ]
            for part in (fixed_s, item_s)
        )
        batch = self.asked.batch[self.rows]
        return np.asarray(np.log(batch / (factors.fixed * fixed + factors.item * items * batch)))


def pass_spread(total: float) -> Spread:
    """Return how uncertain a batch's time is: what the shipped fit says of models left out."""
    return Spread(total, total * math.sqrt(_PASS_SHARE))


def load_spread(found: Deployment, target: str) -> Spread:
    """Return how uncertain a latency under a rate is before anything is measured."""
    paced, _ = log_sigmas(found, target.removesuffix("_ms"))
    return Spread(paced, paced * math.sqrt(_LOAD_SHARE))


def joined(parts: Sequence[Observed], log_factors: Array) -> Array:
    """Return the predictions of several kinds of runs side by side."""
    return np.concatenate([part.predicted(log_factors) for part in parts], axis=1)
