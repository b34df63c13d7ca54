"""The single measurement that is worth most before deciding, in words, with the command that makes it."""

from __future__ import annotations

from math import exp, isfinite
from typing import TYPE_CHECKING

import numpy as np

from advisor.accuracy.measured import DISCORDANT_SHARE
from advisor.explanation import P90_Z, chosen_options
from advisor.formulation import load_of_a_replica, machine_of
from advisor.measuring import accuracy_command, accuracy_record, harness, speed_command
from advisor.recommendation import NextMeasurement
from advisor.units import format_probability, format_ratio, format_usd
from advisor.worth import (
    ASSUMED_BASELINE,
    LEAST_USD_PER_MONTH,
    Decision,
    Worth,
    accuracy_worth,
    samples_to_settle,
    speed_worth,
)

if TYPE_CHECKING:
    from advisor.evaluation import Evaluation
    from advisor.plans import Plans
    from advisor.strategy import Option
    from advisor.terms import Terms

_SPEEDS = (
    "decode_steps_ratio",
    "prefill_ratio",
    "exit_depth_ratio",
    "compute_ratio",
    "latency_ratio",
    "throughput_ratio",
)
"""What options do to speed beside number format and batching; a calibration is of an engine without it."""


def next_measurement(
    evaluation: Evaluation, terms: Terms, plans: Plans, position: int
) -> NextMeasurement | None:
    """Return the measurement that is worth most; `None` where none changes the bill, or cost is not what is minimised.

    Args:
        evaluation: Of the candidates.
        terms: What must hold.
        plans: Candidates within the terms of a single service.
        position: The recommended one.
    """
    if terms.objective[0] != "cost":
        return None
    decision = Decision(evaluation, terms, plans, position)
    found = [*accuracy_worth(decision), *speed_worth(decision)]
    best = max(found, key=lambda worth: worth.value_usd_per_month, default=None)
    if best is None or best.value_usd_per_month < LEAST_USD_PER_MONTH:
        return None
    return _of_accuracy(decision, best) if best.kind == "accuracy" else _of_speed(decision, best)


def _lossy(decision: Decision, worth: Worth) -> tuple[str, ...]:
    """Return `strategy=option` of everything in a candidate that may cost accuracy."""
    loss = decision.evaluation.losses[
        int(decision.evaluation.engines.treatment[worth.plans.engine[worth.position]])
    ]
    weights = {} if loss is None else (loss.weights or dict.fromkeys(loss.treatments, 1.0))
    return tuple(
        f"{strategy}={option.id}"
        for strategy, option in chosen_options(decision.evaluation, worth.plans, worth.position)
        if option.deltas.loss is not None
        or any(weights.get(name, 0.0) > 0.0 for name in option.deltas.treatments)
    )


def _of_accuracy(decision: Decision, worth: Worth) -> NextMeasurement:
    evaluation, workload = decision.evaluation, decision.evaluation.workload
    row = int(worth.plans.engine[worth.position])
    names = _lossy(decision, worth)
    asked, limit = _hardest(decision, int(evaluation.engines.treatment[row]))
    task = asked or workload.task
    baseline = workload.accuracy.slices.get(task, workload.accuracy.baseline)  # type: ignore[call-overload]
    samples = samples_to_settle(decision, asked) or 0
    return NextMeasurement(
        kind="accuracy",
        subject=", ".join(names),
        why=_accuracy_why(decision, worth, names, task=task, limit_ratio=limit),
        value_usd_per_month=worth.value_usd_per_month,
        probability_changes_plan=worth.probability,
        samples=samples,
        command=accuracy_command(
            workload,
            chosen_options(evaluation, worth.plans, worth.position),
            task=task,
            names=names,
            accelerators=int(evaluation.serving.replica.accelerators[row]),
            samples=samples,
        ),
        record=accuracy_record(workload, task=task, names=names),
        notes=_accuracy_notes(decision, task=task, samples=samples, baseline=baseline),
    )


def _hardest(decision: Decision, treatment: int) -> tuple[str | None, float]:
    """Return the class of tasks whose limit the treatment is least likely to keep, and the limit."""
    evaluation, limits = decision.evaluation, decision.terms.loss_ratio

    def kept(task: str | None) -> float:
        loss = (evaluation.losses if task is None else evaluation.slice_losses(task))[treatment]
        return 0.0 if loss is None else loss.probability_at_most(limits[task])

    task = min(limits, key=lambda name: (kept(name), name or ""))
    return task, limits[task]


def _accuracy_why(
    decision: Decision, worth: Worth, names: tuple[str, ...], *, task: str, limit_ratio: float
) -> str:
    what, good, bad = ", ".join(names), *worth.usd_per_month
    limit = f"{format_ratio(limit_ratio)} on {task}"
    if worth.plans is decision.plans:
        return (
            f"{what} loses more than {limit} with a probability of {format_probability(worth.probability)}; the best plan without it costs "
            f"{format_usd(bad - good)}/month more."
        )
    return (
        f"{what} is left out because of its published losses, but keeps {limit} with a probability of {format_probability(worth.probability)}; "
        f"then the plan costs {format_usd(bad - good)}/month less."
    )


def _accuracy_notes(
    decision: Decision, *, task: str, samples: int, baseline: float | None
) -> tuple[str, ...]:
    differing = f"95 % confidence, 80 % power, {DISCORDANT_SHARE:.0%} of the answers differing: assumed"
    how = "if both models answer the same ones and answers are compared one by one"
    notes = [f"{_rounded(samples)} questions settle it {how} ({differing})."]
    if baseline is None:
        notes.append(
            f"Today's metric is not stated and assumed to be {ASSUMED_BASELINE:.0%} here; say it under accuracy.baseline."
        )
    items = harness(task).items if decision.evaluation.workload.model.family == "decoder" else None
    if items is not None and items < samples:
        notes.append(
            f"{harness(task).tasks} has only {items:,} questions: add your own requests, or it will leave the claim open."
        )
    return tuple(notes)


def _rounded(count: int) -> str:
    digits = max(len(str(count)) - 2, 0)
    return f"About {round(count, -digits):,}"


def _of_speed(decision: Decision, worth: Worth) -> NextMeasurement:
    evaluation, workload = decision.evaluation, decision.evaluation.workload
    one = worth.plans.take(np.array([worth.position]))
    row = int(one.engine[0])
    machine, chosen = (
        machine_of(evaluation, worth.plans, worth.position),
        chosen_options(evaluation, worth.plans, worth.position),
    )
    rate, arrival_cv = load_of_a_replica(evaluation, one, int(np.argmax(evaluation.periods.requests_per_s)))
    return NextMeasurement(
        kind="speed",
        subject=f"{_engine_name(decision, chosen)} on {machine.name}",
        why=_speed_why(decision, worth, row),
        value_usd_per_month=worth.value_usd_per_month,
        probability_changes_plan=worth.probability,
        samples=None,
        command=speed_command(
            workload,
            chosen,
            requests_per_s=float(rate[0]),
            arrival_cv=float(arrival_cv[0]),
            accelerators=int(evaluation.serving.replica.accelerators[row]),
        ),
        record=_speed_record(decision, row) + _calibrating(decision, chosen, machine.accelerator.id, row),
    )


def _engine_name(decision: Decision, chosen: tuple[tuple[str, Option], ...]) -> str:
    serving = decision.evaluation.workload.serving
    precision = next((option.deltas.precision for _, option in chosen if option.deltas.precision), None)
    return f"{serving.runtime}, {precision or serving.precision}"


def _speed_why(decision: Decision, worth: Worth, row: int) -> str:
    replica, factor = decision.evaluation.serving.replica, _factor(decision, row)
    basis = "measured elsewhere" if replica.calibrated[row] else "extrapolated: never measured together"
    fast, slow = (format_usd(usd) if isfinite(usd) else "no plan at all" for usd in worth.usd_per_month)
    return (
        f"Its latencies are predicted to within a factor of {factor:.2f} in 8 of 10 cases ({basis}); as fast as that the plan costs "
        f"{fast}/month, as slow {slow}/month, against {format_usd(decision.cost)}/month."
    )


def _factor(decision: Decision, row: int) -> float:
    """Return the factor within which the least certain of the limited latencies lies in 8 of 10 cases."""
    sigma = decision.evaluation.serving.replica.log_sigma
    limited = decision.terms.latency_limits or sigma
    return exp(P90_Z * max(float(sigma[key][row]) for key in limited))


def _calibrating(
    decision: Decision, chosen: tuple[tuple[str, Option], ...], accelerator: str, row: int
) -> str:
    """Return how to learn from the result; nothing where options do work that a calibration does not know."""
    workload = decision.evaluation.workload
    plain = all(getattr(option.deltas, name) == 1.0 for _, option in chosen for name in _SPEEDS)
    if workload.model.family != "decoder" or not plain:
        return ""
    precision = next((option.deltas.precision for _, option in chosen if option.deltas.precision), None)
    size = int(decision.evaluation.serving.replica.accelerators[row])
    return (
        f" Or let the predictions learn from it: advisor calibrate RESULT.json --workload advisor.yaml --accelerator {accelerator} "
        f"--precision {precision or workload.serving.precision} --tensor-parallel {size} -o calibration.yaml."
    )


def _speed_record(decision: Decision, row: int) -> str:
    factor = _factor(decision, row)
    limits = ", ".join(f"{name} {limit:g} s" for name, limit in decision.terms.latency_s.items())
    return (
        f"Compare the percentiles with the predicted ones in the report, and with the limits ({limits}). If they are {factor:.2f} times "
        "longer, plan for the dearer figure; if as much shorter, for the cheaper one."
    )
