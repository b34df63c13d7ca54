"""Puts a chosen candidate into words and numbers: machines, latencies, losses, evidence, alternatives, what binds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, isfinite
from typing import TYPE_CHECKING

import numpy as np

from advisor import cost
from advisor.evidence import evidence as records
from advisor.formulation import busiest_rate, load_of_a_replica, machine_of, policy_of, ways_to_buy
from advisor.plans import Plans, policies, prices_of
from advisor.recommendation import (
    AccuracyLoss,
    Alternative,
    Bill,
    Choice,
    Deployment,
    EvidenceNote,
    Exclusion,
    LatencyCheck,
    PurchaseLine,
    ServicePlan,
)
from advisor.strategy import NONE, Option

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.accuracy import LossDistribution
    from advisor.catalog import InstanceType
    from advisor.evaluation import Evaluation
    from advisor.evidence import Evidence
    from advisor.terms import Terms

P90_Z = 1.2815515655446004
ALTERNATIVES = 3


def chosen_options(evaluation: Evaluation, plans: Plans, position: int) -> tuple[tuple[str, Option], ...]:
    """Return the candidate's option of each strategy, in alphabetical order of strategies."""
    block = evaluation.candidates.blocks[int(evaluation.engines.block[plans.engine[position]])]
    engine = block.engines[int(evaluation.engines.row[plans.engine[position]])]
    policy = block.policies[int(plans.policy[position])]
    pairs = [
        *((axis.strategy, axis.options[i]) for axis, i in zip(block.engine_axes, engine, strict=True)),
        *((axis.strategy, axis.options[i]) for axis, i in zip(block.policy_axes, policy, strict=True)),
    ]
    return tuple(sorted(pairs, key=lambda pair: pair[0]))


def evidence_notes(ids: Sequence[str]) -> tuple[EvidenceNote, ...]:
    """Return the records with these identifiers as notes for a reader."""
    return tuple(
        EvidenceNote(
            id=r.id,
            title=r.source_title,
            url=r.source_url,
            year=r.source_year,
            finding=finding(r),
            grade=r.grade,
        )
        for r in records(*dict.fromkeys(ids))
    )


def finding(record: Evidence) -> str:
    """Return what a record measured, in one line."""
    quality = (
        f"{record.recovery_percent:.1f} % of {record.benchmark or record.metric} kept"
        if record.recovery_percent
        else ""
    )
    ratios = (
        ("throughput", record.throughput_ratio),
        ("latency", record.latency_ratio),
        ("memory", record.memory_ratio),
        ("arithmetic", record.compute_ratio),
        ("cost", record.cost_ratio),
    )
    measured = [quality, *(f"{name} x {ratio:.2f}" for name, ratio in ratios if ratio)]
    place = [text for text in (record.model, record.hardware, record.load) if text]
    return f"{record.variant}: {', '.join(part for part in measured if part)} ({'; '.join(place)})"


def choices(evaluation: Evaluation, plans: Plans, position: int) -> tuple[Choice, ...]:
    """Return the candidate's choices with their steps and evidence."""
    return tuple(
        Choice(
            strategy=strategy,
            option=option.id,
            title=option.title,
            changed=option.id != NONE,
            steps=option.steps,
            artefacts=dict(option.artefacts),
            risk=option.risk,
            sources=option.sources,
            evidence=evidence_notes(option.evidence),
        )
        for strategy, option in chosen_options(evaluation, plans, position)
    )


def accuracy_loss(
    evaluation: Evaluation, treatment: int, *, limits_ratio: Mapping[str | None, float]
) -> AccuracyLoss:
    """Return what a treatment costs in accuracy, on the whole and on each class of tasks with a limit of its own.

    Args:
        evaluation: Of the candidates.
        treatment: Index into the evaluation's treatments.
        limits_ratio: Largest loss by class of task; `None` is the workload's own.
    """
    slices = {
        task: _task_loss(evaluation, treatment, task=task, limit_ratio=limit)
        for task, limit in limits_ratio.items()
        if task is not None
    }
    worst_first = sorted(slices.items(), key=lambda item: (item[1].probability_kept or 0.0, item[0]))
    whole = _task_loss(evaluation, treatment, task=None, limit_ratio=limits_ratio.get(None))
    return whole.model_copy(update={"slices": dict(worst_first)})


def _task_loss(
    evaluation: Evaluation, treatment: int, *, task: str | None, limit_ratio: float | None
) -> AccuracyLoss:
    losses = evaluation.losses if task is None else evaluation.slice_losses(task)
    loss = losses[treatment]
    assert loss is not None  # noqa: S101 - engines whose treatments exclude each other are never evaluated
    settled = (
        () if limit_ratio is None else evaluation.resolutions(treatment, task=task, limit_ratio=limit_ratio)
    )
    return task_loss(loss, limit_ratio=limit_ratio, settled=settled)


def task_loss(
    loss: LossDistribution, *, limit_ratio: float | None, settled: Sequence[str] = ()
) -> AccuracyLoss:
    """Return a loss against its limit, where there is one.

    Args:
        loss: Relative loss with its uncertainty.
        limit_ratio: Largest loss allowed.
        settled: What a reader must know beside the notes of the loss.
    """
    return AccuracyLoss(
        expected_ratio=loss.expected_ratio,
        p10_ratio=loss.p10_ratio,
        p90_ratio=loss.p90_ratio,
        limit_ratio=limit_ratio,
        probability_kept=None if limit_ratio is None else loss.probability_at_most(limit_ratio),
        basis=loss.basis,
        evidence=evidence_notes(loss.evidence),
        unknown_pairs=loss.unknown_pairs,
        notes=(*loss.notes, *settled),
    )


def latencies(evaluation: Evaluation, plans: Plans, position: int) -> dict[str, tuple[float, float]]:
    """Return each latency in its slowest period, in seconds, with the standard deviation of its logarithm."""
    one = plans.take(np.array([position]))
    used = np.flatnonzero(evaluation.periods.requests_per_s > 0.0)
    loads = [load_of_a_replica(evaluation, one, int(period)) for period in used]
    serving = evaluation.serving.take(np.repeat(one.engine, len(used)))
    rates, cvs = (np.concatenate(column) for column in zip(*loads, strict=True))
    found = serving.latency(rates, arrival_cv=cvs)
    names = {"ttft": "ttft", "tpot": "tpot", "e2e": "latency"}
    return {
        f"{names[metric]}_{statistic}": (
            float(found[metric][statistic].max()),
            float(serving.replica.log_sigma[metric, statistic][0]),
        )
        for metric in serving.metrics
        for statistic in ("mean", "p50", "p90", "p95", "p99")
    }


def latency_checks(
    predicted: Mapping[str, tuple[float, float]],
    *,
    limits_s: Mapping[str, float],
    today: Mapping[str, tuple[float, float]],
) -> tuple[LatencyCheck, ...]:
    """Return the limited latencies, and the 50th and 99th percentile of the others, against limit and today."""
    shown = [name for name in predicted if name in limits_s or name.endswith(("_p50", "_p99"))]
    return tuple(_check(name, predicted[name], limits_s.get(name), today.get(name)) for name in shown)


def _check(
    name: str, predicted: tuple[float, float], limit_s: float | None, today: tuple[float, float] | None
) -> LatencyCheck:
    value, sigma = predicted
    stable = isfinite(value)
    return LatencyCheck(
        metric=name,
        predicted_s=value if stable else None,
        p10_s=value * exp(-P90_Z * sigma) if stable else None,
        p90_s=value * exp(P90_Z * sigma) if stable else None,
        limit_s=limit_s,
        today_s=today[0] if today and isfinite(today[0]) else None,
    )


def purchase_lines(evaluation: Evaluation, plans: Plans, position: int) -> tuple[PurchaseLine, ...]:
    """Return the machines of a candidate by the way they are bought, under the cheapest split.

    Hours on demand are those that are paid for on average; see `advisor.following`.
    """
    machine, policy = machine_of(evaluation, plans, position), policy_of(evaluation, plans, position)
    ratio = float(evaluation.engines.values["cost_ratio"][plans.engine[position]]) * policy.cost_ratio
    hours = evaluation.periods.hours_per_month
    usd = ways_to_buy(evaluation, plans, position)
    use = plans.instances[position : position + 1]
    reserved, spot = cost.purchases(
        use, hours, prices_of(evaluation, plans.engine[position : position + 1], policy)
    )
    there = reserved[:, None] + spot
    on_demand = np.maximum(use - there, 0.0)[0]
    paid = np.maximum(plans.paid_instances[position] - there[0], 0.0)
    kept = np.repeat(reserved, len(hours))
    committed = policy.purchase if policy.purchase.startswith("reserved") else "reserved"
    bought = {"on-demand": (on_demand, paid), "spot": (spot[0], spot[0]), committed: (kept, kept)}
    return tuple(
        _line(machine, plan, usd[plan] * ratio, float(count @ hours), peak=int(planned.max()))
        for plan, (planned, count) in bought.items()
        if count.any()
    )


def _line(
    machine: InstanceType, plan: str, usd_per_h: float, instance_hours: float, *, peak: int
) -> PurchaseLine:
    price = machine.prices[plan]
    return PurchaseLine(
        plan=plan,
        usd_per_h=usd_per_h,
        instances_peak=max(peak, 1),
        instance_hours_per_month=instance_hours,
        cost_usd_per_month=instance_hours * usd_per_h,
        price_kind=price.kind,
        price_date=price.date,
        price_source=price.source,
    )


def deployment_fields(
    evaluation: Evaluation,
    plans: Plans,
    position: int,
    *,
    checks: tuple[LatencyCheck, ...],
    carries: bool = True,
) -> dict[str, object]:
    """Return the fields of a `Deployment` for a candidate."""
    machine, policy = machine_of(evaluation, plans, position), policy_of(evaluation, plans, position)
    replica, row = evaluation.serving.replica, int(plans.engine[position])
    capacity = float(plans.capacity_requests_per_s[position])
    busiest = float(busiest_rate(evaluation, plans.take(np.array([position])))[0])
    return {
        "name": evaluation.workload.name,
        "instance_type": machine.name,
        "provider": machine.provider,
        "region": machine.region,
        "accelerator": f"{machine.accelerator_count} x {machine.accelerator.name}",
        "accelerators_per_replica": int(replica.accelerators[row]),
        "replicas_peak": int(plans.replicas[position].max()),
        "instances_peak": int(plans.instances[position].max()),
        "replicas_by_period": tuple(int(count) for count in plans.replicas[position]),
        "instances_by_period": tuple(int(count) for count in plans.instances[position]),
        "capacity_requests_per_s": capacity if carries else None,
        "utilization_peak_ratio": busiest / capacity if carries else None,
        "scaling": policy.scaling,
        "purchase": policy.purchase,
        "purchases": purchase_lines(evaluation, plans, position),
        "latencies": checks,
        "calibrated": bool(replica.calibrated[row]),
        "calibration": evaluation.calibration_words(row),
    }


def deployment(
    evaluation: Evaluation, plans: Plans, *, checks: tuple[LatencyCheck, ...], carries: bool
) -> Deployment:
    """Return the first candidate as a deployment."""
    return Deployment.model_validate(deployment_fields(evaluation, plans, 0, checks=checks, carries=carries))


def service_plan(
    evaluation: Evaluation,
    plans: Plans,
    position: int,
    *,
    checks: tuple[LatencyCheck, ...],
    limits_ratio: Mapping[str | None, float],
) -> ServicePlan:
    """Return a candidate as what is recommended for one service."""
    row = int(plans.engine[position])
    treatment = int(evaluation.engines.treatment[row])
    return ServicePlan.model_validate(
        {
            **deployment_fields(evaluation, plans, position, checks=checks),
            "choices": choices(evaluation, plans, position),
            "accuracy_loss": accuracy_loss(evaluation, treatment, limits_ratio=limits_ratio),
            "memory_gib_per_replica": float(evaluation.serving.replica.memory_bytes[row]) / 2.0**30,
        }
    )


def bill_of(evaluation: Evaluation, plans: Plans, position: int) -> Bill:
    """Return the bill of a candidate."""
    machine = machine_of(evaluation, plans, position)
    grid = evaluation.catalog.carbon(machine.provider, machine.region)
    total = float(plans.cost_usd_per_month[position])
    one_time = float(plans.one_time_usd[position])
    amortised = float(
        cost.amortised_usd_per_month(np.array(one_time), horizon_months=evaluation.workload.horizon_months)
    )
    following = float(plans.following_usd_per_month[position])
    amount, unit = units_per_month(evaluation)
    fields = {
        "cost_usd_per_month": total,
        "machines_usd_per_month": float(plans.machine_usd_per_month[position]) + following,
        "fees_usd_per_month": round(float(plans.own_usd_per_month[position]) - amortised - following, 9)
        + 0.0,
        "amortised_usd_per_month": amortised,
        "one_time_usd": one_time,
        "unit_cost_usd": total / amount if amount else 0.0,
        "unit": unit,
        "energy_kwh_per_month": float(plans.energy_kwh_per_month[position]),
        "carbon_kg_per_month": float(plans.carbon_kg_per_month[position]),
        "carbon_g_per_kwh": grid.g_co2e_per_kwh,
        "carbon_source": f"{grid.source}, {grid.date}: {grid.method}",
    }
    return Bill.model_validate(fields)


def units_per_month(evaluation: Evaluation) -> tuple[float, str]:
    """Return how many units the workload asks for in a month, and the unit: million tokens or thousand inferences."""
    periods, requests = evaluation.periods, evaluation.workload.requests
    count = float(periods.requests_per_s @ periods.hours_per_month) * 3600.0
    if evaluation.workload.model.family == "decoder":
        return count * (requests.input_tokens.mean + requests.output_tokens.mean) / 1e6, "million tokens"
    return count / 1e3, "thousand inferences"


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
    blocks = evaluation.candidates.blocks
    ways: dict[tuple[str, str], int] = {}
    table = [
        [
            ways.setdefault((policy.scaling, policy.purchase), len(ways))
            for policy in policies(evaluation, block)
        ]
        for block in blocks
    ]
    block = evaluation.engines.block[plans.engine]
    way = np.array(
        [table[b][p] for b, p in zip(block.tolist(), plans.policy.tolist(), strict=True)], dtype=np.int64
    )
    treatments = len(evaluation.engines.treatments)
    return (block * treatments + evaluation.engines.treatment[plans.engine]) * max(len(ways), 1) + way


def option_codes(evaluation: Evaluation, plans: Plans) -> dict[str, np.ndarray]:
    """Return for each candidate its machine, and its option of each strategy, as names; keys say which."""
    blocks = evaluation.candidates.blocks
    number = evaluation.engines.block[plans.engine]
    row = evaluation.engines.row[plans.engine]
    machines = np.array([block.instance_type.id for block in blocks])
    codes = {"machine": machines[number]}
    for block_number, block in enumerate(blocks):
        mine = number == block_number
        for axes, table, index in (
            (block.engine_axes, block.engines, row),
            (block.policy_axes, block.policies, plans.policy),
        ):
            for at, axis in enumerate(axes):
                names = np.array([option.id for option in axis.options], dtype=object)
                values = codes.setdefault(axis.strategy, np.full(len(plans), "", dtype=object))
                values[mine] = names[table[index[mine], at]]
    return codes


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


def exclusions(evaluations: Sequence[Evaluation]) -> tuple[Exclusion, ...]:
    """Return what was left out, one entry for each strategy and reason."""
    grouped: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for found in (found for one in evaluations for found in one.candidates.exclusions):
        options, machines = grouped.setdefault((found.strategy, found.reason), (set(), set()))
        options.add(found.option)
        machines.add(found.instance_type.rpartition("/")[2])
    return tuple(
        Exclusion(
            strategy=strategy,
            reason=reason,
            options=tuple(sorted(options)),
            instance_types=tuple(sorted(machines)),
        )
        for (strategy, reason), (options, machines) in sorted(grouped.items())
    )
