"""What a user measured: the metric before and after an option, stated in a line or read from an evaluation's files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from advisor.errors import InputError
from advisor.inputs import Input
from advisor.sealed import require_files
from advisor.tasks import SpelledTask
from advisor.units import Ratio


def _listed(value: object) -> object:
    """Read one text as a list of one."""
    return [value] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | list[str])]


class EvaluationResult(Input):
    """One metric of both models, as an evaluation's files say it."""

    metric: str
    """Task and metric, such as mmlu acc."""
    baseline: float = Field(gt=0)
    """Value of today's model, on the scale of the file."""
    optimized: float = Field(ge=0)
    """Value of the variant, on the same scale."""
    samples: int | None = Field(None, ge=1)
    """Samples behind each value."""
    task: SpelledTask | None = None
    """Class of task that the metric belongs to; the workload's own where not given."""
    higher_is_better: bool = True
    """Direction of the metric."""
    standard_errors: tuple[float, float] | None = None
    """Standard errors of both values."""
    discordant: tuple[int, int] | None = None
    """Samples that only today's model, and only the variant, answered rightly."""


class LmEvaluation(Input):
    """Two runs of the lm-evaluation-harness over the same tasks."""

    baseline: str = Field(min_length=1)
    """Results of today's model: results_*.json, or the folder given to --output_path."""
    optimized: str = Field(min_length=1)
    """Results of the variant, likewise."""
    tasks: Names = ()
    """Tasks to read, such as [mmlu, ifeval]; all that both runs have where not given."""
    metric: str | None = None
    """Metric to read, such as acc; the harness's main one where not given."""
    results: tuple[EvaluationResult, ...] = ()
    """What the files say; leave it out, it is read from them."""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, values: object, info: ValidationInfo) -> object:
        """Read the files once, so that a workload does not depend on them afterwards."""
        if not isinstance(values, Mapping) or values.get("results"):
            return values
        paths = [values.get("baseline"), values.get("optimized")]
        tasks = _listed(values.get("tasks") or [])
        if not all(isinstance(path, str) and path for path in paths) or not isinstance(tasks, list | tuple):
            return values
        require_files(str(values["baseline"]))
        folder = (info.context or {}).get("folder") or Path()
        before, after = (folder / str(path) for path in paths)
        return {
            **values,
            "results": _results(before, after, [str(task) for task in tasks], values.get("metric")),
        }


def _results(before: Path, after: Path, tasks: list[str], metric: object) -> list[dict[str, Any]]:
    from advisor.accuracy.lm_runs import read_runs  # noqa: PLC0415 - only who measured pays for it

    found = read_runs(before, after, tasks=tasks, metric=None if metric is None else str(metric))
    fields = EvaluationResult.model_fields
    results = [{name: getattr(one, name) for name in fields} for one in found]
    for one in found:
        if one.standard_error_ratio is None:
            raise InputError(
                f"{one.metric}: the files give neither the number of samples nor a standard error; run lm_eval again with --log_samples"
            )
    return results


class OwnMeasurement(Input):
    """Accuracy before and after an option, measured by the user; it replaces what is published about the option."""

    option: Names = ()
    """What was measured, such as quantization=fp8; a list where several options were on together."""
    treatment: Names = ()
    """The same as names in the evidence, such as fp8-w8a8, instead of an option."""
    metric: str = "accuracy"
    """What was measured, such as MMLU."""
    baseline: Ratio | None = Field(None, gt=0, le=1)
    """Its value with today's model, such as 83.6%."""
    optimized: Ratio | None = Field(None, ge=0, le=1)
    """Its value with the option, such as 83.1%."""
    samples: int | None = Field(None, ge=1)
    """How many samples each value is the average of, such as 14042."""
    discordant: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] | None = None
    """Samples that only today's model, and only the variant, answered rightly, such as [310, 240]; it sharpens the test."""
    task: SpelledTask | None = None
    """Class of task that was measured; the workload's own where not given."""
    lm_eval: LmEvaluation | None = None
    """Instead of metric, baseline, optimized and samples: {baseline: eval/today, optimized: eval/fp8}."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _check_subject(self)
        stated = {name: getattr(self, name) for name in ("baseline", "optimized", "samples")}
        if self.lm_eval is not None:
            fields = type(self).model_fields
            given = next(
                (
                    name
                    for name in (*stated, "metric", "discordant")
                    if getattr(self, name) != fields[name].default
                ),
                None,
            )
            if given:
                raise InputError("lm_eval says it; leave one of the two out").within(given)
            return self
        missing = next((name for name, value in stated.items() if value is None), None)
        if missing:
            raise InputError(
                f"{missing} is missing; expected baseline, optimized and samples, such as "
                "'baseline: 83.6%', 'optimized: 83.1%', 'samples: 14042', or lm_eval with two results files"
            )
        if self.discordant and self.samples and sum(self.discordant) > self.samples:
            raise InputError(f"got {sum(self.discordant)} disagreements among {self.samples} samples").within(
                "discordant"
            )
        return self

    @property
    def label(self) -> str:
        """What was measured, in one line."""
        return " + ".join(self.option or self.treatment)

    @property
    def results(self) -> tuple[EvaluationResult, ...]:
        """Every metric measured."""
        if self.lm_eval is not None:
            known = self.lm_eval.results
            return (
                known
                if self.task is None
                else tuple(one.model_copy(update={"task": self.task}) for one in known)
            )
        return (
            EvaluationResult(
                metric=self.metric,
                baseline=self.baseline or 0.0,
                optimized=self.optimized or 0.0,
                samples=self.samples,
                task=self.task,
                discordant=self.discordant,
            ),
        )


def _check_subject(entry: OwnMeasurement) -> None:
    if bool(entry.option) == bool(entry.treatment):
        raise InputError(
            "this needs either an option, such as 'option: quantization=fp8', or a treatment, such as 'treatment: fp8-w8a8'"
        )
    for text in entry.option:
        strategy, equals, option = text.partition("=")
        if not (equals and strategy.strip() and option.strip()):
            raise InputError(
                f"got '{text}'; expected a strategy and its option, such as quantization=fp8 (`advisor strategies` lists them)"
            ).within("option")
    if entry.treatment:
        from advisor.accuracy.treatments import treatment  # noqa: PLC0415 - only who names one pays for it

        for name in entry.treatment:
            try:
                treatment(name)
            except InputError as error:
                raise InputError(str(error)).within("treatment") from None
