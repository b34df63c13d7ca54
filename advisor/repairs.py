"""When nothing fits: which requirements cannot hold together, what to change, and the plan that comes nearest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from math import floor
from typing import TYPE_CHECKING

from advisor.conflict import DEARER, SMALLEST_LOSS_RATIO, Found, Question, cheapest, questions
from advisor.explanation import chosen_options, latencies
from advisor.formulation import machine_of
from advisor.recommendation import Conflict, Miss, NearestPlan, Repair
from advisor.strategy import NONE
from advisor.units import format_bytes, format_ratio, format_seconds, format_usd

if TYPE_CHECKING:
    from advisor.evaluation import Evaluation
    from advisor.terms import Terms

FIRST_STEP = 0.05
"""Share by which every requirement is loosened at first in the search for the nearest plan."""
MOST_LOOSENED = 1e4
HALVINGS = 5
DRASTIC = 4.0
"""A repair that loosens its requirement by more than this share is listed after the others."""


def explain_conflict(evaluation: Evaluation, terms: Terms) -> Conflict:
    """Return a minimal set of conflicting requirements and the nearest value of each that works alone.

    A deletion filter: each requirement is dropped in turn; if the rest still cannot be met, it was not needed
    for the conflict and stays dropped.
    """
    left = terms
    needed: list[str] = []
    for question in questions(evaluation, terms):
        without = next((q.without for q in questions(evaluation, left) if q.key == question.key), left)
        if cheapest(evaluation, without) is None:
            left = without
        else:
            needed.append(question.key)
    stated = {question.key: question for question in questions(evaluation, terms)}
    repairs = tuple(repair for key in needed if (repair := _repair(evaluation, stated[key])) is not None)
    named = [f"{stated[key].title} {stated[key].given}" for key in needed]
    if named:
        text = f"no candidate meets {_listed(named)}" + (" together" if len(named) > 1 else "")
    else:
        text = "no candidate fits the memory of the machines considered, or none carries this traffic"
    return Conflict(
        requirements=tuple(named),
        repairs=tuple(sorted(repairs, key=lambda r: (r.loosened_ratio > DRASTIC, r.cost_usd_per_month))),
        text=text,
        best=_nearest_plan(evaluation, terms, needed) if named else None,
    )


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _repair(evaluation: Evaluation, question: Question) -> Repair | None:
    nearest = question.nearest()
    if nearest is None:
        return None
    relaxed, value, loosened_ratio = nearest
    verified = cheapest(evaluation, relaxed)
    if verified is None:
        return None
    machine = machine_of(evaluation, verified.plans, verified.position).name
    price = format_usd(verified.cost_usd_per_month)
    return Repair(
        requirement=question.key,
        given=question.given,
        nearest=value,
        cost_usd_per_month=verified.cost_usd_per_month,
        instance_type=machine,
        loosened_ratio=loosened_ratio,
        text=f"{repaired(question.key, question.title, question.given, value)}: {price}/month on {machine}",
    )


def repaired(key: str, title: str, given: str, nearest: str) -> str:
    """Return what changes in words: for a quota how many machines more.

    Example:
        >>> repaired("quota p5.48xlarge", "quota of p5.48xlarge", "1", "3")
        '2 more p5.48xlarge of quota (3 instead of 1)'
        >>> repaired("ttft_p99", "TTFT p99", "800 ms", "940 ms")
        'TTFT p99 800 ms -> 940 ms'
    """
    kind, _, machine = key.partition(" ")
    if kind == "quota" and given.isdigit() and nearest.isdigit():
        return f"{int(nearest) - int(given)} more {machine} of quota ({nearest} instead of {given})"
    return f"{title} {given} -> {nearest}"


def _nearest_plan(evaluation: Evaluation, terms: Terms, conflicting: Sequence[str]) -> NearestPlan | None:
    """Return the cheapest plan that breaks few requirements, and those by as little as works for all of them alike.

    The conflicting requirements are loosened by the same share, doubled until a plan is there and then halved; all of
    them are where others conflict as well. Afterwards each is tightened again if a plan is left, the ones that people
    give up last first.
    """
    asked = {question.key: question for question in questions(evaluation, terms)}
    free = terms
    for key in conflicting:
        free = next(question.without for question in questions(evaluation, free) if question.key == key)
    kept = [key for key in asked if key not in conflicting] if cheapest(evaluation, free) else []

    def looser(ratio: float) -> Terms:
        return reduce(lambda loose, key: _tightened(loose, terms, key), kept, loosened(terms, ratio))

    low, high = 0.0, FIRST_STEP
    while _sensible(evaluation, looser(high)) is None:
        low, high = high, 2.0 * high
        if high > MOST_LOOSENED:
            return None
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        works = _sensible(evaluation, looser(middle)) is not None
        low, high = (low, middle) if works else (middle, high)
    loose = looser(high)
    for key in reversed([key for key in asked if key not in kept]):
        tighter = _tightened(loose, terms, key)
        loose = loose if _sensible(evaluation, tighter) is None else tighter
    found = _sensible(evaluation, loose)
    assert found is not None  # noqa: S101 - each step above left a plan
    return _described(evaluation, terms, found)


def _sensible(evaluation: Evaluation, terms: Terms) -> Found | None:
    """Return the cheapest plan, unless its latencies are bought with machines: at more than `DEARER` times the cost without."""
    found = cheapest(evaluation, terms)
    if found is None:
        return None
    free = cheapest(evaluation, replace(terms, latency_s={}))
    return found if free and found.cost_usd_per_month <= DEARER * free.cost_usd_per_month else None


def _tightened(loose: Terms, terms: Terms, key: str) -> Terms:
    """Return loosened terms with one requirement as stated."""
    kind, _, name = key.partition(" ")
    if kind == "quota":
        return loose.with_quota(name, terms.quotas[name])
    if kind == "max_accuracy_loss":
        return loose.with_loss(name or None, terms.loss_ratio[name or None])
    if kind == "memory":
        return loose.with_memory(terms.max_memory_bytes)
    if kind in terms.totals:
        return loose.with_total(kind, terms.totals[kind])
    return loose.with_latency(kind, terms.latency_s[kind])


def loosened(terms: Terms, ratio: float) -> Terms:
    """Return terms whose every limit is looser by a share; machines in whole numbers.

    Example:
        >>> from advisor.terms import Terms
        >>> loose = loosened(Terms(latency_s={"ttft_p99": 1.0}, quotas={"a": 2}, totals={"cost": 100.0}), 0.5)
        >>> dict(loose.latency_s), dict(loose.quotas), dict(loose.totals)
        ({'ttft_p99': 1.5}, {'a': 3}, {'cost': 150.0})
    """
    more = 1.0 + ratio
    memory = terms.max_memory_bytes
    return replace(
        terms,
        latency_s={name: limit * more for name, limit in terms.latency_s.items()},
        loss_ratio={
            task: limit + ratio * max(limit, SMALLEST_LOSS_RATIO) for task, limit in terms.loss_ratio.items()
        },
        totals={name: bound * more for name, bound in terms.totals.items()},
        quotas={name: most + floor(ratio * max(most, 1)) for name, most in terms.quotas.items()},
        max_memory_bytes=None if memory is None else memory * more,
    )


def _described(evaluation: Evaluation, terms: Terms, found: Found) -> NearestPlan:
    plans, at = found.plans, found.position
    machine = machine_of(evaluation, plans, at).name
    instances = int(plans.instances[at].max())
    misses = tuple(_misses(evaluation, terms, found))
    missed = "; ".join(f"{one.requirement} {one.reached} instead of {one.limit}" for one in misses)
    price = format_usd(found.cost_usd_per_month)
    return NearestPlan(
        instance_type=machine,
        instances_peak=instances,
        choices=tuple(
            f"{strategy}={option.id}"
            for strategy, option in chosen_options(evaluation, plans, at)
            if option.id != NONE
        ),
        cost_usd_per_month=found.cost_usd_per_month,
        misses=misses,
        text=f"nearest: {instances} x {machine} for {price}/month, with {missed}",
    )


def _misses(evaluation: Evaluation, terms: Terms, found: Found) -> Iterator[Miss]:
    """Yield what of the stated requirements the plan does not keep."""
    plans, at = found.plans, found.position
    predicted = latencies(evaluation, plans, at)
    for name, limit in terms.latency_s.items():
        if predicted[name][0] > limit * (1.0 + 1e-9):
            yield Miss(
                requirement=name, limit=format_seconds(limit), reached=format_seconds(predicted[name][0])
            )
    treatment = int(evaluation.engines.treatment[plans.engine[at]])
    for task, limit in terms.loss_ratio.items():
        losses = evaluation.losses if task is None else evaluation.slice_losses(task)
        loss = losses[treatment]
        if loss is not None and loss.expected_ratio > limit + 1e-12:
            name = "accuracy loss" if task is None else f"accuracy loss on {task}"
            yield Miss(requirement=name, limit=format_ratio(limit), reached=format_ratio(loss.expected_ratio))
    values = {
        "cost": (float(plans.cost_usd_per_month[at]), format_usd),
        "one-time": (float(plans.one_time_usd[at]), format_usd),
        "carbon": (float(plans.carbon_kg_per_month[at]), lambda kg: f"{kg:,.0f} kg"),
    }
    for name, bound in terms.totals.items():
        reached, text = values[name]
        if reached > bound * (1.0 + 1e-9):
            yield Miss(requirement=name, limit=text(bound), reached=text(reached))
    machine, count = machine_of(evaluation, plans, at), int(plans.instances[at].max())
    for name, most in terms.quotas.items():
        if name in {machine.name, machine.id} and count > most:
            yield Miss(requirement=f"quota {name}", limit=str(most), reached=str(count))
    memory = float(evaluation.serving.replica.memory_bytes[plans.engine[at]])
    if terms.max_memory_bytes is not None and memory > terms.max_memory_bytes:
        yield Miss(
            requirement="memory", limit=format_bytes(terms.max_memory_bytes), reached=format_bytes(memory)
        )
