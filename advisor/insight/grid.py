"""The cheapest plan under every pair of an accuracy limit and latency limits, for two sliders that move together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.insight.briefs import briefs
from advisor.insight.frontier import LOSS_RATIOS, better
from advisor.insight.results import FrontierGrid
from advisor.plans import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from advisor.insight.frontier import Frontiers
    from advisor.plans import Plans
    from advisor.terms import Terms

FACTORS = (0.5, 0.7, 0.85, 1.0, 1.25, 1.5, 2.0)


def grid(solver: Frontiers, *, factors: Sequence[float] = FACTORS) -> FrontierGrid:
    """Return the plan at each pair of limits; looser limits never cost more.

    Args:
        solver: Of the evaluation.
        factors: Of all latency limits together, rising; 1 must be among them.
    """
    limit = solver.terms.loss_ratio.get(None)
    losses = sorted({*LOSS_RATIOS, *([] if limit is None else [limit])})
    rows: list[list[Plans | None]] = []
    for loss in losses:
        row: list[Plans | None] = []
        for at, factor in enumerate(factors):
            if loss == limit and factor == 1.0:
                row.append(solver.at_yours())
                continue
            best = solver.cheapest(_terms(solver.terms, loss, factor))
            best = better(row[-1], best) if row else best
            row.append(better(rows[-1][at], best) if rows else best)
        rows.append(row)
    return _result(solver, losses, factors, rows)


def _terms(terms: Terms, loss: float, factor: float) -> Terms:
    moved = terms.with_loss(None, loss)
    for name, limit in terms.latency_s.items():
        moved = moved.with_latency(name, limit * factor)
    return moved


def _result(
    solver: Frontiers,
    losses: Sequence[float],
    factors: Sequence[float],
    rows: Sequence[Sequence[Plans | None]],
) -> FrontierGrid:
    distinct: dict[bytes, tuple[int, Plans]] = {}
    cells = []
    for row in rows:
        numbers: list[int | None] = []
        for plan in row:
            if plan is None:
                numbers.append(None)
                continue
            key = plan.engine.tobytes() + plan.policy.tobytes() + plan.replicas.tobytes()
            numbers.append(distinct.setdefault(key, (len(distinct), plan))[0])
        cells.append(tuple(numbers))
    plans = [plan for _, plan in distinct.values()]
    limit = solver.terms.loss_ratio.get(None)
    return FrontierGrid(
        loss_ratios=tuple(losses),
        latency_factors=tuple(factors),
        latency_limits_s=dict(sorted(solver.terms.latency_s.items())),
        your_loss=None if limit is None else list(losses).index(limit),
        your_factor=list(factors).index(1.0),
        plans=briefs(solver.evaluation, joined(plans), solver.terms) if plans else (),
        cells=tuple(cells),
    )
