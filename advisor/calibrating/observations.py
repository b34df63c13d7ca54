"""Measured values of one engine beside what advisor predicts for them under any factors."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from advisor.calibration import DecoderFactors, PassFactors
from advisor.performance.decoder import sequences_admitted
from advisor.performance.decoder_coefficients import interval_factor
from advisor.performance.decoder_load import fitted_load
from advisor.performance.passes import fixed_s, item_s
from advisor.prediction.deployments import Deployment, Deployments, Target
from advisor.prediction.images import Passes
from advisor.prediction.load import LATENCY_COLUMNS, loaded, log_sigmas
from advisor.prediction.outcome import Z_90_PERCENT
from advisor.prediction.serving import log_ends, times

Array = npt.NDArray[np.float64]
_LEAST_SHARE, _MOST_SHARE, _LOAD_SHARE, _PASS_SHARE = 0.3, 0.6, 0.5, 0.7
"""Shares of the variance of a prediction's error that belong to model and machine: at least, at most, under a rate, and of
one pass. Chosen among a few values by how well one or two runs predict others; `tests/benchmarks/calibrating.py` shows it."""
_ELSEWHERE_SHARE = 0.6
"""Share of what predictions are further off elsewhere that a machine is still free to differ by where chip, runtime and
number format are as shipped: assumed, between moving with every run and ignoring runs that agree with each other."""
_OTHER_CHIP_LOG_SIGMA = 0.2
"""Deviation of a one-pass model's time on GPUs left out of the fit: `pass_coefficients.json`."""
_LEAST_LOG_SIGMA = 0.02
"""Deviation of a benchmark that is repeated: assumed."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How uncertain one kind of time is before anything is measured, as deviations of logarithms."""

    total: float
    """Of measured / predicted, as shipped."""
    single: float
    """Of single loads from a prediction with the right factor."""
    prior: float
    """Of the factor of a machine of another laboratory."""

    @classmethod
    def of(cls, total: float, *, share: float, elsewhere: float = 0.0) -> Spread:
        """Return the parts of a spread.

        Args:
            total: As shipped.
            share: Part of the variance that belongs to model and machine.
            elsewhere: Further deviation of machines that the fit has not seen.
        """
        single = max(total * math.sqrt(1.0 - share), _LEAST_LOG_SIGMA)
        return cls(total, single, math.hypot(total * math.sqrt(share), elsewhere))


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

    A machine elsewhere differs at least as much as another model does (assumed), and by what predictions were further off
    in another laboratory than at home.
    """
    assert found.row is not None  # noqa: S101 - only usable rows are asked about
    backend, mixture = found.row.backend, found.row.model.is_moe
    ends = [
        interval_factor(target, backend=backend, mixture_of_experts=mixture, seen_model=known)
        for known in (True, False)
    ]
    seen, unseen = (_half(math.log(low), math.log(high)) for low, high in ends)
    total = max(_half(*log_ends(found, target)), unseen)
    share = np.clip(1.0 - (seen / total) ** 2, _LEAST_SHARE, _MOST_SHARE)
    return Spread.of(total, share=float(share), elsewhere=_ELSEWHERE_SHARE * another_laboratory(target))


@functools.cache
def another_laboratory(target: Target) -> float:
    """Return by how much more predictions were off in another laboratory than on models left out at home."""
    vllm = fitted_load()["backends"]["vllm"]
    there = vllm.get("transfer_error", {}).get(f"{target}_mean", {}).get("log_sigma") or 0.0
    here = vllm["log_sigma"][f"{target}_mean"]
    return math.sqrt(max(float(there) ** 2 - float(here) ** 2, 0.0))


def _half(low: float, high: float) -> float:
    return (high - low) / 2.0 / Z_90_PERCENT


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
    """Return how uncertain a batch's time is: what the shipped fit says of models left out, and of chips left out."""
    return Spread.of(total, share=_PASS_SHARE, elsewhere=_ELSEWHERE_SHARE * _OTHER_CHIP_LOG_SIGMA)


def load_spread(found: Deployment, target: str) -> Spread:
    """Return how uncertain a latency under a rate is before anything is measured."""
    paced, _ = log_sigmas(found, target.removesuffix("_ms"))
    return Spread.of(paced, share=_LOAD_SHARE)


def joined(parts: Sequence[Observed], log_factors: Array) -> Array:
    """Return the predictions of several kinds of runs side by side."""
    return np.concatenate([part.predicted(log_factors) for part in parts], axis=1)
