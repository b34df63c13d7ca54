"""The cheapest plans that do one thing differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from advisor.explanation.options import chosen_options, option_codes
from advisor.formulation import machine_of
from advisor.plans import Plans
from advisor.recommendation import (
    Alternative,
)
from advisor.strategy import NONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.evaluation import Evaluation
    from advisor.terms import Terms

ALTERNATIVES = 3


def alternatives(
    evaluation: Evaluation, plans: Plans, position: int, *, meets: np.ndarray, terms: Terms
) -> tuple[Alternative, ...]:
    """Return the cheapest plans that do one thing differently: another machine, or another option of one strategy.

    Plans that differ only in a setting of the same engine on the same machine are no alternatives.

    Args:
        evaluation: Of the candidates.
        plans: Candidates within the limits of a single service.
        position: The recommended one.
        meets: Which of them meet the other limits too.
        terms: For the probability that the accuracy is kept.
    """
    codes = option_codes(evaluation, plans)
    alike = _kinds(evaluation, plans) == _kinds(evaluation, plans)[position]
    found: dict[int, str] = {}
    for what, values in codes.items():
        other = np.flatnonzero(meets & ~alike & (values != values[position]))
        if len(other):
            nearest = int(other[np.argmin(plans.cost_usd_per_month[other])])
            found.setdefault(nearest, what)
    ranked = sorted(found, key=lambda at: (float(plans.cost_usd_per_month[at]), at))[:ALTERNATIVES]
    return tuple(_alternative(evaluation, plans, at, found[at], position, terms) for at in ranked)


def _kinds(evaluation: Evaluation, plans: Plans) -> NDArray[np.int64]:
    """Return a number for each candidate that is shared by those with machine, treatment, scaling and purchase alike."""
    ways: dict[tuple[str, str], int] = {}
    table = [
        [ways.setdefault((policy.scaling, policy.purchase), len(ways)) for policy in own]
        for own in evaluation.policies
    ]
    block = evaluation.engines.block[plans.engine]
    way = np.array(
        [table[b][p] for b, p in zip(block.tolist(), plans.policy.tolist(), strict=True)], dtype=np.int64
    )
    treatments = len(evaluation.engines.treatments)
    return (block * treatments + evaluation.engines.treatment[plans.engine]) * max(len(ways), 1) + way


def _alternative(
    evaluation: Evaluation, plans: Plans, at: int, what: str, position: int, terms: Terms
) -> Alternative:
    machine = machine_of(evaluation, plans, at)
    options = chosen_options(evaluation, plans, at)
    treatment = int(evaluation.engines.treatment[plans.engine[at]])
    limit = terms.loss_ratio.get(None)
    named = dict(options)
    differs = f"on {machine.name}" if what == "machine" else f"{what.replace('_', ' ')}: {named[what].title}"
    return Alternative(
        differs=differs,
        instance_type=machine.name,
        choices=tuple(f"{strategy}={option.id}" for strategy, option in options if option.id != NONE),
        cost_usd_per_month=float(plans.cost_usd_per_month[at]),
        extra_usd_per_month=float(plans.cost_usd_per_month[at] - plans.cost_usd_per_month[position]),
        one_time_usd=float(plans.one_time_usd[at]),
        loss_expected_ratio=float(plans.loss_ratio[at]),
        probability_kept=None if limit is None else evaluation.kept_promise(treatment, limit),
    )
