"""The questions the accuracy model answers, and the features it sees.

A feature is a name `block|level` with a value; the fitted prior holds one coefficient a name. Levels never seen in the
evidence have no coefficient, so an unknown recipe falls back to its kind, an unknown kind to its strategy and family.
"""

import math
from dataclasses import dataclass

from advisor.accuracy.taxonomy import (
    Kind,
    halvings,
    is_depthwise,
    is_small_benchmark,
    kind,
    parameters_from_name,
    task_class,
)

_BITS = {
    "2-bit-weights": "low", "3-bit-weights": "low", "kv-2bit": "low", "int4-weights": "four", "w4a8": "four", "int4-activations": "four",
    "int4-mixed": "four", "nvfp4": "four", "mxfp4": "four", "mxfp-mixed": "four", "kv-4bit": "four",
}  # fmt: skip
_ACCEPTED_LIST_METRIC = "not named in the table"
_SIZE_LOG10 = (8.7, 11.5)
_HEADROOM_CENTRE = -0.85


@dataclass(frozen=True, slots=True)
class Question:
    """One thing whose quality is asked for.

    Attributes:
        strategy: Strategy as in the evidence, e.g. `quantization`.
        variant: Label of the variant, as published or as a treatment names it.
        family: `cnn`, `encoder`, `decoder` or `diffusion`.
        model: Model name, or `teacher -> student`; may be empty.
        parameters: Number of parameters; read from the name where None.
        benchmark: Data set, may be empty.
        metric: Metric's label, may be empty.
        effort: `none`, `calibration`, `finetune`, `retrain`, or empty where unknown.
        baseline: Metric of the unchanged model, as a fraction or in percent; None where unknown.
        task: Task class; read from benchmark and metric where empty.
        student_parameters: Parameters after distillation or pruning; read from the name where None.
        accepted: Share (0 to 1) to which the question is about a vendor's list of accepted models, cut at 1 % relative loss; read from
            the metric's label where None.
    """

    strategy: str
    variant: str
    family: str
    model: str = ""
    parameters: float | None = None
    benchmark: str = ""
    metric: str = ""
    effort: str = ""
    baseline: float | None = None
    task: str = ""
    student_parameters: float | None = None
    accepted: float | None = None

    @property
    def task_class(self) -> str:
        """Task class, given or read from benchmark and metric."""
        return self.task or task_class(self.benchmark, self.metric, self.family)

    @property
    def accepted_share(self) -> float:
        """Share to which the question is about a list of accepted models."""
        return float(_ACCEPTED_LIST_METRIC in self.metric) if self.accepted is None else self.accepted


def severity(strategy: str, what: Kind) -> str:
    """Coarse group of kinds that suffer alike: by bits for number formats, by strategy otherwise.

    Example:
        >>> severity("quantization", Kind("nvfp4")), severity("pruning", Kind("2:4"))
        ('four', 'pruning')
    """
    return _BITS.get(what.name, "eight") if strategy in {"quantization", "kv_cache"} else strategy


def features(question: Question) -> dict[str, float]:
    """Features of a question by name.

    Args:
        question: The question.

    Returns:
        Value by feature name; absent means zero.

    Example:
        >>> seen = features(Question("quantization", "int4-w4a16-awq", "decoder", "Qwen2.5-7B", benchmark="MMLU"))
        >>> seen["kind|int4-weights"], seen["task|knowledge"], round(seen["size|1"], 3)
        (1.0, 1.0, -0.155)
    """
    what = kind(question.variant, question.strategy)
    group, family, task = severity(question.strategy, what), question.family or "none", question.task_class
    effort = question.effort or "unknown"
    names = [
        "one|1", f"strategy|{question.strategy}", f"family|{family}", f"sf|{question.strategy}|{family}",
        f"kind|{what.name}", f"kindfam|{what.name}|{family}", f"method|{what.name}|{what.method}",
        f"methodgen|{question.strategy}|{family}|{what.method}", f"task|{task}", f"tasklow|{task}|{group}|{family}",
        f"effort|{effort}", f"effortk|{group}|{effort}",
    ]  # fmt: skip
    if is_small_benchmark(question.benchmark):
        names += ["small|1", f"smalllow|{group}"]
    if family == "cnn" and is_depthwise(question.model):
        names += [f"dwkind|{what.name}"]
    values = dict.fromkeys(names, 1.0)
    if share := question.accepted_share:
        values |= {"acc|1": share, f"accfam|{family}": share}
    if what.intensity:
        values[f"intenk|{what.name}"] = what.intensity - 0.5
    values |= _size(question, group) | _headroom(question)
    if (smaller := _halvings(question)) is not None:
        values |= {f"student|{what.name}": smaller - 1, "student|any": smaller - 1}
    return values


def _halvings(question: Question) -> float | None:
    if question.student_parameters and question.parameters:
        return math.log2(question.parameters / question.student_parameters)
    return halvings(question.model, question.parameters)


def _size(question: Question, group: str) -> dict[str, float]:
    count = question.parameters or parameters_from_name(question.model)
    if question.family != "decoder" or not count:
        return {}
    x = min(max(math.log10(count), _SIZE_LOG10[0]), _SIZE_LOG10[1]) - 10
    return {"size|1": x, f"sizelow|{group}": x, f"sizesmall|{group}": max(0.0, -0.3 - x)}


def _headroom(question: Question) -> dict[str, float]:
    """Log odds of the baseline's error: a weak baseline moves more, in relative terms."""
    value = question.baseline
    if value is None or not 0 < value < 100:
        return {}
    percent = 100 * value if value <= 1 else value
    odds = math.log((100 - percent + 2) / (percent + 2)) - _HEADROOM_CENTRE
    return {"head|1": min(max(odds, -2.5), 3.0)}
