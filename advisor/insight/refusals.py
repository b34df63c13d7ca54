"""Why no plan with an option meets the requirements: the first rule that leaves none, with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from advisor.insight.frontier import latency_title
from advisor.insight.space import MACHINE, admissible
from advisor.latency import metric_and_statistic
from advisor.units import format_probability, format_ratio, format_seconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.candidates import Axis
    from advisor.evaluation import Evaluation
    from advisor.insight.space import Space

IDLE_REQUESTS_PER_S = 1e-3
"""Rate at which a replica is nearly always free."""


def refusal(space: Space, column: str, option: str) -> str:
    """Return why no plan with an option of a strategy (or on a machine) meets the requirements."""
    evaluation, terms = space.evaluation, space.terms
    engines = engines_with(evaluation, column, option)
    if not engines.any():
        return _not_offered(space, column, option)
    accepted = engines & evaluation.accepted(terms)
    if not accepted.any():
        return _loses_too_much(space, engines)
    fits = accepted & admissible(evaluation, terms)
    if not fits.any():
        return _too_large(column)
    capacity = evaluation.capacity_requests_per_s(terms.latency_limits, fits, confidence=terms.confidence)
    if not (capacity > 0.0).any():
        return _too_slow(space, fits)
    return "every plan with it breaks a budget, a quota, the carbon limit or the latency after a cold start"


def _too_large(column: str) -> str:
    if column == MACHINE:
        return "the model does not fit its memory with any option that keeps the accuracy"
    return "the model fits the memory of no machine with it and options that keep the accuracy"


def engines_with(evaluation: Evaluation, column: str, option: str) -> NDArray[np.bool_]:
    """Return which engines have an option of a strategy; for a policy, those of the blocks that offer it."""
    block, row = evaluation.engines.block, evaluation.engines.row
    found = np.zeros(len(evaluation.engines), dtype=bool)
    for number, candidate in enumerate(evaluation.candidates.blocks):
        mine = block == number
        if column == MACHINE:
            found |= mine & (candidate.instance_type.id == option)
            continue
        if any(axis.strategy == column and _has(axis, option) for axis in candidate.policy_axes):
            found |= mine
        for at, axis in enumerate(candidate.engine_axes):
            if axis.strategy == column and _has(axis, option):
                wanted = [item.id for item in axis.options].index(option)
                found[mine] |= candidate.engines[row[mine], at] == wanted
    return found


def _has(axis: Axis, option: str) -> bool:
    return any(item.id == option for item in axis.options)


def _not_offered(space: Space, column: str, option: str) -> str:
    rules = [
        found.reason
        for found in space.evaluation.candidates.exclusions
        if (found.strategy, found.option) == (column, option)
    ]
    return rules[0] if rules else "it can be combined with nothing that serves this model here"


def _loses_too_much(space: Space, engines: NDArray[np.bool_]) -> str:
    evaluation, terms = space.evaluation, space.terms
    treatments = np.unique(evaluation.engines.treatment[engines])
    worst = ""
    for task, limit in terms.loss_ratio.items():
        losses = evaluation.losses if task is None else evaluation.slice_losses(task)
        mine = [loss for number in treatments if (loss := losses[number]) is not None]
        on = "" if task is None else f" on {task}"
        if terms.confidence is not None:
            likeliest = max((loss.probability_at_most(limit) for loss in mine), default=0.0)
            if likeliest < terms.confidence:
                asked = f"{terms.confidence:.0%} is asked for"
                worst = f"it keeps the accuracy limit{on} with a probability of {format_probability(likeliest)}; {asked}"
            continue
        least = min((loss.expected_ratio for loss in mine), default=1.0)
        if least > limit:
            worst = f"it loses {format_ratio(least)} of accuracy{on} on average; the limit is {format_ratio(limit)}"
    return worst or "no combination with it keeps every accuracy limit at once"


def _too_slow(space: Space, fits: NDArray[np.bool_]) -> str:
    """Return the limit that the fastest engine breaks even when nearly idle."""
    evaluation, terms = space.evaluation, space.terms
    rows = np.flatnonzero(fits)
    cvs = np.full(len(rows), evaluation.arrival_cvs[-1])
    found = evaluation.serving.take(rows).latency(np.full(len(rows), IDLE_REQUESTS_PER_S), arrival_cv=cvs)
    names = sorted(terms.latency_s)
    if not names:
        return "a replica can carry no traffic with it"
    values = np.stack([found[metric][statistic] for metric, statistic in map(metric_and_statistic, names)])
    used = values / np.array([terms.latency_s[name] for name in names])[:, None]
    fastest = int(np.argmin(used.max(axis=0)))
    at = int(np.argmax(used[:, fastest]))
    limit, value = terms.latency_s[names[at]], float(values[at, fastest])
    if value <= limit:
        return f"it keeps {latency_title(names[at])} {format_seconds(limit)} only without the margin for the confidence asked for"
    return f"{latency_title(names[at])} is {format_seconds(value)} even when nearly idle; the limit is {format_seconds(limit)}"
