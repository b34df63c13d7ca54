"""The user's own measurements, ready to stand in for published evidence: which treatments each is about, and what it says.

A measurement replaces the published estimate of exactly the treatments that were on; what a candidate does beside
them keeps its own. One that is less certain than the published estimate and agrees with it moves that estimate instead
of replacing it: otherwise a small test would make a model look worse than no test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import hypot, sqrt
from typing import TYPE_CHECKING

from advisor.accuracy import LossDistribution, Measurement, resolve
from advisor.errors import InputError, UnknownName

if TYPE_CHECKING:
    from advisor.catalog import InstanceType
    from advisor.measurements import EvaluationResult, OwnMeasurement
    from advisor.strategy import LossEstimate, Option, Strategy
    from advisor.workload import Workload

Part = tuple[str, "LossEstimate | None"]
"""Something done to the model: a treatment by name, or the loss that a strategy's author gives, by strategy."""
_AGREES_WITHIN = 2.0
"""Standard errors within which a measurement agrees with a published estimate."""


@dataclass(frozen=True, slots=True)
class Own:
    """One measurement of the user's.

    Args:
        label: What was measured, as the user wrote it.
        covers: Everything that was done to the model at once.
        results: Metrics, in the order given.
    """

    label: str
    covers: frozenset[Part]
    results: tuple[EvaluationResult, ...]

    def on(self, task: str, workload: Workload) -> Measurement | None:
        """Return what it says about a class of tasks: the average over the metrics that speak for it, or `None`."""
        own = [one for one in self.results if one.task in {task, None if task == workload.task else task}]
        if not own and task == workload.task:
            own = [one for one in self.results if task == "mixed" or _is_own_metric(one.metric, workload)]
        return _average([_measurement(one) for one in own]) if own else None


def _is_own_metric(metric: str, workload: Workload) -> bool:
    """Return whether a metric is what the workload says that its model is judged by."""
    stated = workload.accuracy
    words = metric.casefold().split()
    return "metric" in stated.model_fields_set and stated.metric.casefold() in {
        metric.casefold(),
        words[0] if words else "",
    }


def own_measurements(
    workload: Workload, strategies: Sequence[Strategy], machines: Iterable[InstanceType]
) -> tuple[Own, ...]:
    """Return the workload's measurements with what each covers, in their order; those of the same are taken together.

    Args:
        workload: Says what was measured.
        strategies: Installed strategies, whose options say what they do to the model.
        machines: Where to look for an option.

    Raises:
        UnknownName: A strategy or an option does not exist.
        InputError: An option leaves the model's outputs as they are, so that there is nothing to measure.
    """
    offered = tuple(machines)
    found: dict[frozenset[Part], Own] = {}
    for number, entry in enumerate(workload.measurements):
        covers = _covered(entry, number, workload, strategies, offered)
        before = found.get(covers)
        results = (*(before.results if before else ()), *entry.results)
        found[covers] = Own(before.label if before else entry.label, covers, results)
    return tuple(found.values())


def _covered(
    entry: OwnMeasurement,
    number: int,
    workload: Workload,
    strategies: Sequence[Strategy],
    machines: Sequence[InstanceType],
) -> frozenset[Part]:
    parts: set[Part] = {(name, None) for name in entry.treatment}
    for text in entry.option:
        strategy, _, wanted = (word.strip() for word in text.partition("="))
        option = _option(strategy, wanted, workload, strategies, machines)
        parts |= {(name, None) for name in option.deltas.treatments}
        if option.deltas.loss is not None:
            parts.add((strategy, option.deltas.loss))
    if all(estimate is None and _is_lossless(name) for name, estimate in parts):
        raise InputError(
            f"measurements[{number}]: '{entry.label}' leaves the model's outputs as they are, so a difference is noise of the "
            "test; leave the entry out, or leave the option out with --without"
        )
    return frozenset(parts)


def _option(
    strategy: str,
    wanted: str,
    workload: Workload,
    strategies: Sequence[Strategy],
    machines: Sequence[InstanceType],
) -> Option:
    found = next((one for one in strategies if one.name == strategy), None)
    if found is None:
        raise UnknownName.among("strategy", strategy, (one.name for one in strategies), "is installed")
    known = {option.id: option for machine in machines for option in found.options(workload, machine)}
    if wanted not in known:
        raise UnknownName.among(f"option of {strategy}", wanted, known)
    return known[wanted]


def _is_lossless(name: str) -> bool:
    from advisor.accuracy import treatment  # noqa: PLC0415 - only who measured asks

    return treatment(name).group == "lossless"


def _measurement(one: EvaluationResult) -> Measurement:
    return Measurement(
        metric=one.metric,
        baseline=one.baseline,
        optimized=one.optimized,
        samples=one.samples,
        higher_is_better=one.higher_is_better,
        task=one.task or "",
        standard_errors=one.standard_errors,
        discordant=one.discordant,
    )


def _average(parts: Sequence[Measurement]) -> Measurement:
    """Return the average of several metrics as one: equal weights, errors independent."""
    if len(parts) == 1:
        return parts[0]
    count = len(parts)
    baseline = sum(part.baseline for part in parts) / count
    lost = sum(part.loss_ratio for part in parts) / count
    error = sqrt(sum((part.standard_error_ratio or 0.0) ** 2 for part in parts)) / count
    known = [part.samples for part in parts if part.samples is not None]
    return Measurement(
        metric=f"average of {', '.join(part.metric for part in parts)}",
        baseline=baseline,
        optimized=max(baseline * (1.0 - lost), 0.0),
        samples=sum(known) if len(known) == count else None,
        standard_errors=(0.0, baseline * error),
    )


def measured_loss(
    measurement: Measurement, *, name: str, prior: LossDistribution, label: str = ""
) -> LossDistribution:
    """Return the loss that a measurement supports, given the published estimate that it stands against.

    Args:
        measurement: What the user measured.
        name: Treatment that it stands for.
        prior: Published estimate of the same.
        label: What was measured, for a reader; the name where not given.

    Example:
        >>> from advisor.accuracy import from_quantiles
        >>> published = from_quantiles([0, 1], [0.0, 0.02])
        >>> settled = Measurement("acc", 0.80, 0.76, samples=20_000)
        >>> round(measured_loss(settled, name="fp8-w8a8", prior=published).expected_ratio, 3)  # 1 - 0.76 / 0.80
        0.05
        >>> small = Measurement("acc", 0.80, 0.79, samples=250)
        >>> measured_loss(small, name="fp8-w8a8", prior=published).expected_ratio < 0.011
        True
    """
    error = measurement.standard_error_ratio or 0.0
    spread = float(prior.samples.std())
    apart = abs(measurement.loss_ratio - prior.expected_ratio)
    weak = error > spread > 0.0 and apart <= _AGREES_WITHIN * hypot(error, spread)
    found = measurement.loss(name, prior=prior if weak else None)
    label = label or name
    notes = [f"{label}: measured by you, {_in_words(measurement)}"]
    if weak:
        notes.append(
            f"{label}: your test ({100 * error:.2g} % standard error) is less certain than published evidence "
            f"({100 * spread:.2g} %), so it moves that estimate instead of replacing it"
        )
    return replace(found, notes=tuple(notes))


def _in_words(measurement: Measurement) -> str:
    scale, unit = (100.0, " %") if max(measurement.baseline, measurement.optimized) <= 1.0 else (1.0, "")
    samples = "" if measurement.samples is None else f", n = {measurement.samples:,}"
    return f"{measurement.metric} {scale * measurement.baseline:.4g}{unit} before, {scale * measurement.optimized:.4g}{unit} after{samples}"


def in_words(
    measured: Sequence[Own], workload: Workload, *, limits_ratio: Mapping[str | None, float]
) -> tuple[str, ...]:
    """Return what each measurement says, and whether it settles the limits that it speaks for, whether or not the option is chosen.

    Args:
        measured: As from `own_measurements`.
        workload: Says which class of tasks counts.
        limits_ratio: Largest loss by class of task; `None` is the workload's own.
    """
    found = []
    for own in measured:
        spoken = [
            (limit, one)
            for task, limit in limits_ratio.items()
            if (one := own.on(task or workload.task, workload))
        ]
        metrics = [one for _, one in spoken] or [_measurement(one) for one in own.results]
        settled = [resolution(one, limit_ratio=limit) for limit, one in spoken]
        said = "; ".join(dict.fromkeys(_in_words(one) for one in metrics))
        found.append(" ".join((f"{own.label}: {said}.", *dict.fromkeys(filter(None, settled)))))
    return tuple(found)


def resolution(measurement: Measurement, *, limit_ratio: float) -> str:
    """Return whether a measurement settles that the loss is within a limit, in words; empty where the limit is zero."""
    return resolve(measurement, limit_ratio=limit_ratio).sentence if limit_ratio > 0.0 else ""
