"""From a treatment to the distribution of its true loss on a model.

Recovery as published (`advisor.accuracy.recovery`) is not what a user pays. From it follows the loss:

- recipes of a treatment are mixed evenly, and tasks too where none is stated;
- lists cut at 1 % count half;
- the noise variance of the benchmark is taken out around the median, at most 30 % of the variance, so that the right tail stays;
- gains count as zero, and a median gain is moved to zero;
- kinds with records of few models are wider;
- a treatment is never better than one that changes strictly less, nor worse than one that changes strictly more.

How often promises made with it are kept on models left out is in `prior().promises`.
"""

import functools
import itertools
import math
from dataclasses import replace

import numpy as np

from advisor.accuracy.distribution import PROBABILITIES, LossDistribution, Vector, from_quantiles, lossless
from advisor.accuracy.features import Question
from advisor.accuracy.recovery import interval, loss_quantiles, prior
from advisor.accuracy.taxonomy import TASK_CLASSES, is_small_benchmark, kind, model_key, usual_task
from advisor.accuracy.treatments import Treatment
from advisor.accuracy.treatments import treatment as known_treatment
from advisor.errors import InputError, UnknownName

_FAMILIES = ("cnn", "encoder", "decoder", "diffusion")
_MAX_NOISE_SHARE = 0.3
_ACCEPTED_SHARE = 0.5
"""A model of the user's is half like those of lists cut at 1 % loss (assumed): most pass such a test, some do not."""
_UNSTATED = {"decoder": ("mixed", "mixed", "knowledge", "commonsense", "maths-code")}
"""Tasks pooled where nobody says what a language model is judged by: averages of many benchmarks, and single ones."""
_P10_TO_P90_IN_SIGMA = 2.563


def loss(
    treatment: str,
    *,
    family: str,
    parameters: float | None = None,
    task: str = "",
    model: str = "",
    effort: str = "",
    baseline: float | None = None,
    student_parameters: float | None = None,
) -> LossDistribution:
    """Relative loss of quality of one treatment on one model.

    Args:
        treatment: Id of the treatment, see `advisor.accuracy.treatments`.
        family: Model family: `cnn`, `encoder`, `decoder` or `diffusion`.
        parameters: Number of parameters, if known.
        task: Task class (`advisor.accuracy.taxonomy.TASK_CLASSES`); by default the usual one of the model, and for
            language models a pool of several.
        model: Name of the model, so that published records about it count more.
        effort: `none`, `calibration`, `finetune` or `retrain`; the treatment's own by default.
        baseline: Metric of the unchanged model (fraction or percent), if known.
        student_parameters: Parameters after distillation or pruning, if known.

    Returns:
        The loss distribution; its `evidence` are the published records closest to the question.

    Raises:
        UnknownName: The treatment or the task class is not known.
        InputError: The family is not known or the treatment does not apply to it.

    Example:
        >>> small = loss("int4-w4a16", family="decoder", parameters=1e9).expected_ratio
        >>> large = loss("int4-w4a16", family="decoder", parameters=70e9).expected_ratio
        >>> small > 2 * large
        True
    """
    known = known_treatment(treatment)
    if family not in _FAMILIES:
        raise InputError(f"model family is {family!r}; expected one of {', '.join(_FAMILIES)}.")
    if task and task not in TASK_CLASSES:
        raise UnknownName.among("task class", task, TASK_CLASSES)
    if family not in known.families:
        raise InputError(
            f"treatment {treatment!r} does not apply to family {family!r}; it applies to {', '.join(known.families)}."
        )
    return _loss(known, family, parameters, task, model, effort, baseline, student_parameters)


@functools.lru_cache(maxsize=8192)
def _loss(
    known: Treatment,
    family: str,
    parameters: float | None,
    task: str,
    model: str,
    effort: str,
    baseline: float | None,
    student: float | None,
) -> LossDistribution:
    if known.group == "lossless":
        return lossless(known.id, evidence=known.evidence)
    task = task or ("" if family in _UNSTATED else usual_task(model, family))
    question = Question(
        known.strategy,
        known.variant,
        family,
        model,
        parameters,
        "",
        "",
        effort,
        baseline,
        task,
        student,
        _ACCEPTED_SHARE,
    )
    if known.student_ratio is not None and student is None and parameters:
        question = replace(question, student_parameters=parameters * known.student_ratio)
    records = closest(replace(question, variant=known.recipes_for(family)[0].variant)) or known.evidence
    if known.assumed is not None and known.is_assumed(family):
        low, middle, high = known.assumed
        return from_quantiles(
            [0, 0.1, 0.5, 0.9, 1],
            [0, low, middle, high, 1.5 * high],
            treatment=known.id,
            evidence=known.evidence,
        )
    samples = _bounded(known, question)
    samples.setflags(write=False)
    return LossDistribution(samples, (known.id,), "fitted", records, (), _notes(known, family))


def _bounded(known: Treatment, question: Question) -> Vector:
    """Samples of a treatment, no better than what changes less and no worse than what changes more."""
    samples = _mixture(known, question)
    for name in known.no_worse_than:
        samples = np.minimum(samples, _related(name, question, samples))
    for name in known.no_better_than:
        samples = np.maximum(samples, _related(name, question, samples))
    return samples


def _related(name: str, question: Question, otherwise: Vector) -> Vector:
    other = known_treatment(name)
    if (
        question.family not in other.families
        or other.is_assumed(question.family)
        or not _has_records(other, question.family)
    ):
        return otherwise
    return _mixture(other, replace(question, strategy=other.strategy, variant=other.variant))


def _mixture(known: Treatment, question: Question) -> Vector:
    """Samples of the true loss, an even mixture of the treatment's recipes."""
    parts = []
    tasks = (question.task,) if question.task else _UNSTATED[question.family]
    for recipe, task in itertools.product(known.recipes_for(question.family), tasks):
        asked = replace(question, variant=recipe.variant, effort=question.effort or recipe.effort, task=task)
        parts.append(without_noise(_widened(asked), asked))
    pooled = np.sort(np.concatenate(parts))
    levels = (np.arange(pooled.size) + 0.5) / pooled.size
    return np.clip(np.interp(PROBABILITIES, levels, pooled) / 100, 0.0, 1.0)


def _widened(question: Question) -> Vector:
    """Loss quantiles, wider where few models have records of the kind: their spread counts one unseen model more."""
    quantiles = loss_quantiles(question, PROBABILITIES)
    if interval(question) is not None:
        return quantiles
    count = prior().kind_models.get(f"{kind(question.variant, question.strategy).name}|{question.family}", 0)
    middle = float(np.interp(0.5, PROBABILITIES, quantiles))
    return middle + (quantiles - middle) * math.sqrt(1 + 1 / max(count, 1))


def _has_records(known: Treatment, family: str) -> bool:
    names = {f"{kind(recipe.variant, known.strategy).name}|{family}" for recipe in known.recipes_for(family)}
    return any(name in prior().kind_models or name in prior().intervals for name in names)


def without_noise(loss_percent: Vector, question: Question) -> Vector:
    """Take the benchmark's noise variance out of loss quantiles at `PROBABILITIES`, around the median.

    Example:
        >>> spread = np.linspace(-1.0, 3.0, 512)
        >>> narrower = without_noise(spread, Question("quantization", "fp8", "decoder", benchmark="RTE"))
        >>> bool(narrower[0] > -1 and narrower[-1] < 3), round(float(np.median(narrower)), 6)
        (True, 1.0)
        >>> float(np.median(without_noise(spread - 3, Question("quantization", "fp8", "decoder"))))  # a gain is noise
        0.0
    """
    low, middle, high = np.interp([0.1, 0.5, 0.9], PROBABILITIES, loss_percent)
    sigma = (high - low) / _P10_TO_P90_IN_SIGMA
    share = min(_MAX_NOISE_SHARE, (_noise_percent(question) / sigma) ** 2) if sigma > 0 else 0.0
    return max(middle, 0.0) + (loss_percent - middle) * math.sqrt(1 - share)


def _noise_percent(question: Question) -> float:
    table = prior().noise_percent
    if is_small_benchmark(question.benchmark):
        return table["small"]
    return table.get(question.task_class, table["default"])


def _notes(known: Treatment, family: str) -> tuple[str, ...]:
    names = [f"{kind(recipe.variant, known.strategy).name}|{family}" for recipe in known.recipes_for(family)]
    if any(name in prior().intervals for name in names):
        return (f"{known.id}: too few records to fit, published interval",)
    if not any(name in prior().kind_models for name in names):
        return (f"{known.id}: no record on {family} models, prior of the strategy",)
    return ()


@functools.cache
def _candidates() -> tuple[tuple[str, str, str, str, str, float, bool], ...]:
    from advisor.evidence import load  # noqa: PLC0415  - read only when evidence is shown

    return tuple(
        (r.id, kind(r.variant, r.strategy).name, r.family, r.task, model_key(r.model), r.parameters or 0.0, _trained(r.variant))
        for r in load() if r.recovery_percent is not None and not r.combination and "since mended" not in r.note
    )  # fmt: skip


def _trained(variant: str) -> bool:
    return kind(variant).method == "qat"


def closest(question: Question, *, count: int = 5) -> tuple[str, ...]:
    """Ids of the published records nearest to a question: same kind and family, then training, model, task and size.

    Example:
        >>> closest(Question("quantization", "fp8-w8a8", "decoder", "Llama-3.1-70B-Instruct"), count=1)
        ('QU-0412',)
    """
    name, key = kind(question.variant, question.strategy).name, model_key(question.model)
    task, size, trained = question.task_class, question.parameters or 0.0, _trained(question.variant)

    def distance(row: tuple[str, str, str, str, str, float, bool]) -> tuple[bool, bool, bool, float, str]:
        apart = abs(math.log(row[5] / size)) if row[5] and size else 3.0
        return (row[6] != trained, not key or row[4] != key, row[3] != task, apart, row[0])

    rows = [row for row in _candidates() if row[1] == name and row[2] == question.family]
    return tuple(row[0] for row in sorted(rows, key=distance)[:count])
