"""Every engine evaluated: accuracy, memory, and what a replica carries within the limits.

An `Evaluation` is made once for a workload and its candidates; questions that only move a limit (frontiers,
conflicts, what-ifs) reuse it, and what they need again is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.catalog import Catalog
from advisor.columns import EngineColumns, engine_columns, narrowed
from advisor.cost import Periods, arrival_cvs, mean_growth
from advisor.losses import resolutions, treatment_losses, treatment_speeds
from advisor.performance.serving import Limits, ServingModel
from advisor.policies import Policy, policies_of
from advisor.traffic import RateQuantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.accuracy import LossDistribution
    from advisor.calibration import Calibration, EngineKey
    from advisor.candidates import Candidates
    from advisor.own import Own
    from advisor.terms import Terms
    from advisor.workload import Workload

_WHATEVER_THE_REQUESTS = ("_columns", "losses", "engines", "expected_loss", "gpu_hour_usd", "policies")
_WHATEVER_THE_RATES = (*_WHATEVER_THE_REQUESTS, "serving", "arrival_cvs")
FEW = 256
"""Engines up to which a call costs more than its numbers."""


@dataclass(frozen=True)
class Evaluation:
    """Everything about the candidates of one workload that does not depend on the requirements' numbers.

    Args:
        workload: What is served.
        catalog: Grids behind the regions, and the price of a GPU-hour.
        candidates: Every compatible combination.
        measured: What the user measured, in place of published evidence.
        calibration: Own benchmarks; candidates to which they apply are predicted by them.
    """

    workload: Workload
    catalog: Catalog
    candidates: Candidates
    measured: tuple[Own, ...] = ()
    calibration: Calibration | None = None
    _capacities: dict[tuple[Any, ...], NDArray[np.float64]] = field(
        default_factory=dict, repr=False, compare=False
    )
    _slices: dict[str, tuple[LossDistribution | None, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @cached_property
    def _columns(self) -> EngineColumns:
        return engine_columns(self.candidates)

    @cached_property
    def losses(self) -> tuple[LossDistribution | None, ...]:
        """Loss distribution of each distinct treatment; `None` where parts exclude each other."""
        return treatment_losses(self.workload, self._columns.treatments, measured=self.measured)

    @cached_property
    def engines(self) -> EngineColumns:
        """Deltas of every engine whose treatments can be combined, their declared speed interactions among them."""
        columns = self._columns
        together = treatment_speeds(self.workload, columns.treatments)[columns.treatment]
        columns = replace(columns, values={**columns.values, "interaction_ratio": together})
        possible = np.array([loss is not None for loss in self.losses])
        return columns if possible.all() else columns.take(possible[columns.treatment])

    def only(self, engines: NDArray[np.int64]) -> Evaluation:
        """Return some engines of the evaluation and nothing of the others; their performance is modelled anew when asked for.

        Args:
            engines: Positions among `engines`.
        """
        candidates, columns = narrowed(self.candidates, self.engines.take(engines))
        columns, treated = columns.used()
        slices = {task: _at(losses, treated) for task, losses in self._slices.items()}
        found = replace(self, candidates=candidates, _capacities={}, _slices=slices)
        vars(found).update(engines=columns, losses=_at(self.losses, treated), policies=self.policies)
        return found

    def at(self, workload: Workload) -> Evaluation:
        """Return the evaluation of a workload that differs in name and rates alone; all that is the same is kept.

        Args:
            workload: The other one, to whom the same options are offered.
        """
        found = replace(self, workload=workload)
        vars(found).update({name: kept for name, kept in vars(self).items() if name in _WHATEVER_THE_RATES})
        return found

    def asked(self, workload: Workload) -> Evaluation:
        """Return the evaluation of a workload that differs in the sizes of its requests and its latency limits, too.

        Args:
            workload: The other one, to whom the same options are offered.
        """
        found = replace(self, workload=workload, _capacities={})
        vars(found).update(
            {name: kept for name, kept in vars(self).items() if name in _WHATEVER_THE_REQUESTS}
        )
        return found

    def slice_losses(self, task: str) -> tuple[LossDistribution | None, ...]:
        """Return the loss distribution of each distinct treatment on one class of tasks."""
        known = self._slices.get(task)
        if known is None:
            known = treatment_losses(
                self.workload, self.engines.treatments, task=task, measured=self.measured
            )
            self._slices[task] = known
        return known

    def resolutions(self, treatment: int, *, task: str | None, limit_ratio: float) -> tuple[str, ...]:
        """Return whether the user's measurements settle that a treatment keeps a limit, in words."""
        if not self.measured:
            return ()
        return resolutions(
            self.workload,
            self.engines.treatments[treatment],
            self.measured,
            task=task,
            limit_ratio=limit_ratio,
        )

    @cached_property
    def serving(self) -> ServingModel:
        """Performance model of every engine."""
        return self.serving_of(self.workload, self.engines, self._shipped)

    def serving_of(
        self, workload: Workload, engines: EngineColumns, shipped: ServingModel | None = None
    ) -> ServingModel:
        """Return the performance model of some engines for the requests of a workload, as calibrated.

        Args:
            workload: That of the evaluation, or a part of it.
            engines: Some of its engines.
            shipped: Their model without the user's calibration, where it is known.
        """
        shipped = shipped or serving_model(workload, self.candidates, engines)
        if self.calibration is None:
            return shipped
        from advisor.calibration.applying import calibrated_serving

        return calibrated_serving(shipped, self.calibration, workload, self.candidates, engines)

    def calibration_words(self, engine: int) -> str:
        """Return on which runs of the user an engine's speed rests; empty where on none."""
        if self.calibration is None:
            return ""
        from advisor.calibration.applying import applied_to

        found = applied_to(self.calibration, self.workload, self.candidates, self.engines).of(engine)
        return found.words if found else ""

    @property
    def calibration_keys(self) -> frozenset[EngineKey]:
        """Parts of the calibration that apply to some engine."""
        if self.calibration is None:
            return frozenset()
        from advisor.calibration.applying import applied_to

        found = applied_to(self.calibration, self.workload, self.candidates, self.engines)
        return frozenset(engine.key for engine in found.engines if engine)

    @cached_property
    def _shipped(self) -> ServingModel:
        return serving_model(self.workload, self.candidates, self.engines)

    @cached_property
    def periods(self) -> Periods:
        """Traffic of the mean month of the horizon."""
        rates, hours = zip(*self.workload.traffic.periods(), strict=True)
        grown = mean_growth(
            self.workload.traffic.growth_per_month, horizon_months=self.workload.horizon_months
        )
        known = not isinstance(self.workload.traffic.requests_per_s, RateQuantiles)
        return Periods(np.array(rates, dtype=float) * grown, np.array(hours, dtype=float), in_order=known)

    @cached_property
    def policies(self) -> tuple[tuple[Policy, ...], ...]:
        """Policies of each block, one for each of its rows."""
        return tuple(policies_of(self.workload, block) for block in self.candidates.blocks)

    @cached_property
    def gpu_hour_usd(self) -> float:
        """Price of one hour of an accelerator for one-time work: the cheapest H100 of today's provider, else of any."""
        offers = [machine for machine in self.catalog.instances if machine.accelerator.id.startswith("h100")]
        own = [machine for machine in offers if machine.provider == self.workload.serving.provider]
        return min(
            machine.prices["on-demand"].usd_per_h / machine.accelerator_count for machine in own or offers
        )

    def kept_promise(self, treatment: int, limit_ratio: float) -> float:
        """Return the probability that a treatment loses at most that much."""
        loss = self.losses[treatment]
        return 0.0 if loss is None else loss.probability_at_most(limit_ratio)

    @cached_property
    def expected_loss(self) -> NDArray[np.float64]:
        """Expected loss of each distinct treatment."""
        return np.array([1.0 if loss is None else loss.expected_ratio for loss in self.losses])

    def accepted(self, terms: Terms) -> NDArray[np.bool_]:
        """Return which engines keep the accuracy limits: on average, or with the confidence asked for."""
        keep = np.ones(len(self.engines), dtype=bool)
        for task, limit in terms.loss_ratio.items():
            losses = self.losses if task is None else self.slice_losses(task)
            allowed = np.array([_keeps(loss, limit, terms.confidence) for loss in losses])
            keep &= allowed[self.engines.treatment]
        return keep

    @cached_property
    def arrival_cvs(self) -> tuple[float, ...]:
        """Burstiness that one replica sees, by how many share the traffic; see `advisor.cost.SHARING`."""
        return arrival_cvs(self.workload.traffic.arrival_cv)

    def capacity_requests_per_s(
        self, limits: Limits, keep: NDArray[np.bool_], *, confidence: float | None
    ) -> NDArray[np.float64]:
        """Return the highest rate of one replica of every engine within the limits; 0 where `keep` is false.

        With a confidence, predicted latencies are lengthened by their error at that probability first.

        Returns:
            Shape (engines, levels), requests per second: one level for each of `arrival_cvs`.
        """
        key = (tuple(sorted(limits.items())), confidence)
        shape = (len(self.engines), len(self.arrival_cvs))
        known = self._capacities.setdefault(key, np.full(shape, np.nan))
        missing = keep & np.isnan(known[:, 0])
        if missing.any():
            known[missing] = _by_level(self.serving.take(missing), limits, confidence, self.arrival_cvs)
        return np.where(keep[:, None], known, 0.0)


def _at(
    losses: tuple[LossDistribution | None, ...], positions: NDArray[np.int64]
) -> tuple[LossDistribution | None, ...]:
    return tuple(losses[at] for at in positions)


def _by_level(
    serving: ServingModel, limits: Limits, confidence: float | None, cvs: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return the capacity of some engines at each burstiness, shape (engines, levels); few engines in one go for all."""
    count = len(serving.replica.fits)
    if len(cvs) == 1 or count > FEW:
        own = tightened(limits, serving, confidence)
        return np.stack([serving.capacity_requests_per_s(own, arrival_cv=cv) for cv in cvs], axis=1)
    every = serving.take(np.tile(np.arange(count), len(cvs)))
    found = every.capacity_requests_per_s(
        tightened(limits, every, confidence), arrival_cv=np.repeat(cvs, count)
    )
    return found.reshape(len(cvs), count).T


def _keeps(loss: LossDistribution | None, limit_ratio: float, confidence: float | None) -> bool:
    if loss is None:
        return False
    if confidence is None:
        return loss.expected_ratio <= limit_ratio + 1e-12
    return loss.probability_at_most(limit_ratio) >= confidence


def serving_model(workload: Workload, candidates: Candidates, engines: EngineColumns) -> ServingModel:
    """Return the shipped performance model of some engines under the requests of a workload."""
    if workload.model.family == "decoder":
        from advisor.performance.decoder_serving import decoder_serving

        return decoder_serving(workload, candidates, engines)
    from advisor.performance.pass_serving import pass_serving

    return pass_serving(workload, candidates, engines)


def tightened(
    limits: Limits, serving: ServingModel, confidence: float | None
) -> Mapping[tuple[str, str], Any]:
    """Return the limits on predicted latencies that keep those asked for with a confidence; as they are without one."""
    if confidence is None:
        return limits
    from statistics import NormalDist

    z, sigma = NormalDist().inv_cdf(confidence), serving.replica.log_sigma
    return {key: limit / np.exp(z * sigma[key]) for key, limit in limits.items()}
