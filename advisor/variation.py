"""An evaluation under other circumstances: more traffic, other losses, prices or speed; what was evaluated is kept."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.accuracy import LossDistribution
    from advisor.catalog import Catalog, InstanceType
    from advisor.evaluation import Evaluation
    from advisor.performance.queueing import Latency
    from advisor.performance.serving import Array, Limits, Replica, ServingModel


def with_traffic(evaluation: Evaluation, ratio: float) -> Evaluation:
    """Return the evaluation with the arrival rate of every period times a ratio."""
    periods = evaluation.periods
    varied = copy(evaluation)
    varied.__dict__["periods"] = replace(periods, requests_per_s=periods.requests_per_s * ratio)
    return varied


def with_losses(evaluation: Evaluation, ratio: float, *, tasks: tuple[str, ...] = ()) -> Evaluation:
    """Return the evaluation with every accuracy loss times a ratio.

    Args:
        evaluation: As predicted.
        ratio: Of every loss.
        tasks: Classes of tasks that have a limit of their own.
    """
    slices = {task: evaluation.slice_losses(task) for task in tasks}
    varied = copy(evaluation)
    varied.__dict__["losses"] = _scaled(evaluation.losses, ratio)
    varied.__dict__["_slices"] = {task: _scaled(losses, ratio) for task, losses in slices.items()}
    varied.__dict__.pop("expected_loss", None)
    return varied


def _scaled(losses: tuple[LossDistribution | None, ...], ratio: float) -> tuple[LossDistribution | None, ...]:
    return tuple(None if loss is None else loss.scaled(ratio) for loss in losses)


def with_prices(evaluation: Evaluation, ratios: Mapping[str, float]) -> Evaluation:
    """Return the evaluation with the prices of some machines times a ratio, in every way to buy them.

    The price of a GPU-hour of one-time work follows the catalogue, so it changes with the machines it is taken from.

    Args:
        evaluation: At the catalogue's prices.
        ratios: By id of the machine; others stay.
    """
    blocks = tuple(
        replace(block, instance_type=_priced(block.instance_type, ratios))
        for block in evaluation.candidates.blocks
    )
    varied = copy(evaluation)
    varied.__dict__["candidates"] = replace(evaluation.candidates, blocks=blocks)
    varied.__dict__["catalog"] = _catalog(evaluation.catalog, ratios)
    varied.__dict__.pop("gpu_hour_usd", None)
    return varied


def _catalog(catalog: Catalog, ratios: Mapping[str, float]) -> Catalog:
    return replace(catalog, instances=tuple(_priced(machine, ratios) for machine in catalog.instances))


def _priced(machine: InstanceType, ratios: Mapping[str, float]) -> InstanceType:
    ratio = ratios.get(machine.id, 1.0)
    if ratio == 1.0:
        return machine
    prices = {way: replace(price, usd_per_h=price.usd_per_h * ratio) for way, price in machine.prices.items()}
    return replace(machine, prices=prices)


def with_speed(evaluation: Evaluation, ratio: float) -> Evaluation:
    """Return the evaluation with every machine faster than predicted by a ratio, slower below 1."""
    varied = copy(evaluation)
    varied.__dict__["serving"] = Paced(evaluation.serving, ratio)
    varied.__dict__["_capacities"] = {}
    return varied


@dataclass(frozen=True, slots=True)
class Paced:
    """A serving model that does everything faster by a ratio: a queue whose every time is divided by it.

    Time itself is scaled: at a rate r times as high, every latency is 1/r of what it was, whatever the queue.

    Args:
        model: As predicted.
        ratio: 1.25 for machines 25 % faster than predicted.
    """

    model: ServingModel
    ratio: float

    @property
    def replica(self) -> Replica:
        """What a replica of each engine is made of; the errors of the prediction stay as they are."""
        return self.model.replica

    @property
    def metrics(self) -> tuple[str, ...]:
        """Latencies the model knows."""
        return self.model.metrics

    def take(self, keep: NDArray[Any]) -> Paced:
        """Return the engines at those positions, or where a mask is true."""
        return Paced(self.model.take(keep), self.ratio)

    def capacity_requests_per_s(self, limits: Limits, *, arrival_cv: float | Array) -> Array:
        """Return the highest rate of one replica at which every limit holds."""
        slower = {name: limit * self.ratio for name, limit in limits.items()}
        return np.asarray(self.model.capacity_requests_per_s(slower, arrival_cv=arrival_cv) * self.ratio)

    def latency(self, requests_per_s: Array, *, arrival_cv: Array) -> Mapping[str, Latency]:
        """Return the latencies of one replica at an arrival rate, by metric."""
        found = self.model.latency(requests_per_s / self.ratio, arrival_cv=arrival_cv)
        return {metric: latency.scaled(1.0 / self.ratio) for metric, latency in found.items()}
