"""How replicas scale and how machines are bought: the policies of each block of candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from advisor import cost
from advisor.strategy import Purchase, Scaling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.candidates import Block
    from advisor.evaluation import Evaluation
    from advisor.terms import Terms
    from advisor.workload import Workload

TAIL = {"p50": 0.5, "p90": 0.1, "p95": 0.05, "p99": 0.01, "mean": 0.01}
"""Share of requests that may be late without moving a statistic; a mean is treated like the 99th percentile."""
FOLLOWS: tuple[Scaling, ...] = ("reactive", "scale-to-zero")
"""Policies under which the number of replicas follows the rate that is seen."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How replicas scale and are bought, and what setting that up takes."""

    scaling: Scaling
    purchase: Purchase
    cost_ratio: float
    gpu_hours: float
    engineer_hours: float
    running_usd_per_month: float
    target_utilization_ratio: float = 1.0
    """Share of a replica's capacity that scaling aims at; 1 where the limits alone decide."""


TODAY = Policy("static", "on-demand", 1.0, 0.0, 0.0, 0.0)
"""Nothing that scales and nothing bought in advance."""


def policies_of(workload: Workload, block: Block) -> tuple[Policy, ...]:
    """Return the policies of a block, one for each row of `block.policies`; what no option sets is as today."""
    today = workload.serving
    found = []
    for row in block.policies:
        deltas = [axis.options[i].deltas for axis, i in zip(block.policy_axes, row, strict=True)]
        purchase = next((d.purchase for d in deltas if d.purchase), today.purchase)
        scaling = next((d.scaling for d in deltas if d.scaling), None)
        found.append(
            Policy(
                scaling=scaling or today.scaling,
                purchase=purchase if purchase in block.instance_type.prices else "on-demand",
                cost_ratio=float(np.prod([d.cost_ratio for d in deltas])),
                gpu_hours=sum(d.gpu_hours for d in deltas),
                engineer_hours=sum(d.engineer_hours for d in deltas),
                running_usd_per_month=sum(d.running_usd_per_month for d in deltas),
                target_utilization_ratio=1.0 if scaling else today.target_utilization or 1.0,
            )
        )
    return tuple(found)


def by_policy(
    evaluation: Evaluation, engines: NDArray[np.int64]
) -> list[tuple[Policy, NDArray[np.int64], NDArray[np.int64]]]:
    """Return each distinct policy with the engines that may run under it, and its number in each engine's block."""
    grouped: dict[tuple[Policy, int], tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]] = {}
    for number, block in enumerate(evaluation.candidates.blocks):
        mine = engines[evaluation.engines.block[engines] == number]
        if not len(mine):
            continue
        for index, policy in enumerate(evaluation.policies[number]):
            rows = mine[block.engines_under(index)[evaluation.engines.row[mine]]]
            found = grouped.setdefault((policy, index), ([], []))
            found[0].append(rows)
            found[1].append(np.full(len(rows), index))
    return [
        (policy, np.concatenate(rows), np.concatenate(numbers))
        for (policy, _), (rows, numbers) in grouped.items()
    ]


def keeps_cold_starts(evaluation: Evaluation, policy: Policy, terms: Terms) -> bool:
    """Return whether cold starts after idle hours stay outside every limited percentile."""
    rates = evaluation.periods.requests_per_s
    woken = (rates > 0.0) & (np.roll(rates, 1) == 0.0)
    if policy.scaling != "scale-to-zero" or not woken.any():
        return True
    start = float(cost.start_s(np.array(evaluation.workload.model.parameters)))
    late = float((rates[woken] * np.minimum(start, 3600.0)).sum() / (rates * 3600.0).sum())
    return all(late < TAIL[statistic] for _, statistic in terms.latency_limits)
