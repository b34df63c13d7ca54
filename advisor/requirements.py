"""What a recommendation must keep, and what it should make smallest, as a user states it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from advisor.documents import Document, read_document
from advisor.errors import InputError
from advisor.inputs import Input, Spelled, validated
from advisor.latency import LatencyLimits
from advisor.units import (
    AccuracyLimit,
    Bytes,
    KgPerMonth,
    Ratio,
    RequestsPerSecond,
    TokensPerSecond,
    Usd,
    UsdPerMonth,
)
from advisor.workload import TASK_ALIASES, Task, Workload

Goal = Literal["cost", "accuracy", "latency", "carbon"]


def _listed(value: object) -> object:
    """Read one text as a list of one, or of the words between its commas."""
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | list[str])]


class Requirements(Input):
    """Limits that hold for the whole plan; one that is not given does not bind."""

    max_accuracy_loss: AccuracyLimit | None = None
    """Most accuracy that may be lost: 1% keeps 99 % of the metric, 1pp allows one point less."""
    slices: dict[Annotated[Task, Spelled(TASK_ALIASES)], AccuracyLimit] = Field(default_factory=dict)
    """Most accuracy that may be lost on a class of tasks, such as {tool-use: 2%}."""
    confidence: Ratio | None = Field(None, ge=0.5, le=0.999)
    """Probability with which the limits must hold, such as 90%; on average where not given."""
    robust: bool = False
    """Choose what keeps every limit together with the confidence (90 % where not given) when accuracy, speed, traffic
    and prices are uncertain at once, and is then cheapest on average."""
    latency: LatencyLimits = Field(default_factory=dict)
    """Largest latencies, such as {ttft_p99: 800ms, tpot_p99: 40ms, latency_p95: 10s}."""
    min_throughput_requests_per_s: RequestsPerSecond | None = None
    """Rate that the plan must be able to carry at all hours, such as 50/s."""
    min_throughput_tokens_per_s: TokensPerSecond | None = None
    """Rate of written tokens that the plan must be able to carry at all hours, such as 5000 tokens/s."""
    max_memory_bytes: Bytes | None = Field(None, gt=0)
    """Most accelerator memory of one copy of the model, such as 80GB."""
    budget_usd_per_month: UsdPerMonth | None = None
    """Most that the plan may cost, such as $20k/month, one-time costs spread over the horizon included."""
    one_time_budget_usd: Usd | None = None
    """Most that the change may cost once, such as $5k."""
    max_carbon_kg_per_month: KgPerMonth | None = None
    """Most CO2e, such as 500kg/month."""
    providers: Texts = ()
    """Providers to choose from, such as [aws]; any where not given."""
    regions: Texts = ()
    """Regions to choose from, such as [us-east-1]; any where not given."""
    allow_instances: Texts = ()
    """Machines to choose from, such as [g6*, p5*]; any where not given."""
    deny_instances: Texts = ()
    """Machines to leave out, such as ['*T4*']."""
    quotas: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    """Most machines of a type at one time, such as {p5.48xlarge: 4}."""
    only: Texts = ()
    """Strategies to consider, such as [quantization, batching] or ['quantization=int4*']; all where not given."""
    without: Texts = ()
    """Strategies to leave out, such as [pruning] or ['quantization=fp4*']."""
    objective: Annotated[
        tuple[Goal, ...], BeforeValidator(_listed, json_schema_input_type=str | list[Goal])
    ] = ("cost",)
    """What to make smallest, ties broken by the next: cost, accuracy (its loss), latency, carbon."""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            max_accuracy_loss: AccuracyLimit | str | float | None = None,
            slices: Mapping[str, AccuracyLimit | str | float] = ...,
            confidence: str | float | None = None,
            robust: bool = False,
            latency: Mapping[str, str | timedelta] | Mapping[str, float] = ...,
            min_throughput: str | None = None,
            min_throughput_requests_per_s: str | float | None = None,
            min_throughput_tokens_per_s: str | float | None = None,
            max_memory: str | None = None,
            max_memory_bytes: str | float | None = None,
            budget: str | None = None,
            budget_usd_per_month: str | float | None = None,
            one_time_budget: str | None = None,
            one_time_budget_usd: str | float | None = None,
            max_carbon: str | None = None,
            max_carbon_kg_per_month: str | float | None = None,
            providers: str | Sequence[str] = (),
            regions: str | Sequence[str] = (),
            allow_instances: str | Sequence[str] = (),
            deny_instances: str | Sequence[str] = (),
            quotas: Mapping[str, int] = ...,
            only: str | Sequence[str] = (),
            without: str | Sequence[str] = (),
            objective: Goal | Sequence[Goal] = ("cost",),
        ) -> None:
            """Say what is accepted, units as people write them; pydantic makes the real one."""

    @classmethod
    def load(cls, source: "str | Path | Mapping[str, Any] | Requirements") -> "Requirements":
        """Return the requirements in a YAML or JSON file, or in a mapping with the same keys.

        Raises:
            InputError: It cannot be read, or anything in it is wrong; every problem is listed with its line.
        """
        if isinstance(source, Requirements):
            return source
        if isinstance(source, Mapping):
            return validated(
                cls, Document(source="requirements", data={str(key): value for key, value in source.items()})
            )
        return validated(cls, read_document(source))

    def with_limits(self, workload: Workload) -> "Requirements":
        """Return these requirements with the workload's latency limits where they state none of the kind themselves.

        Raises:
            InputError: A limit is on tokens and the workload's model writes none.

        Example:
            >>> tight = Requirements(latency={"tpot_p99": "30ms"})
            >>> tight.with_limits(Workload.load("large-llm")).latency
            {'tpot_p99': 0.03, 'ttft_p99': 5.0}
        """
        limits = {**workload.limits, **self.latency}
        token = next((key for key in limits if not key.startswith("latency")), None)
        if token and workload.model.family != "decoder":
            instead = f"latency_{token.partition('_')[2]}"
            raise InputError(
                f"{token}: the {workload.model.family} '{workload.model.name}' writes no tokens; limit {instead}"
            )
        return self.model_copy(update={"latency": {key: limits[key] for key in sorted(limits)}})

    def changed(self, over: "Requirements") -> "Requirements":
        """Return these requirements with every one that `over` states in place of its own, mappings key by key.

        Example:
            >>> plan = Requirements(budget="$9/month", latency={"ttft_p99": "2s", "tpot_p99": "50ms"})
            >>> tighter = plan.changed(Requirements(latency={"ttft_p99": "1s"}))
            >>> tighter.latency, tighter.budget_usd_per_month
            ({'tpot_p99': 0.05, 'ttft_p99': 1.0}, 9.0)
        """
        merged = {name: getattr(over, name) for name in over.model_fields_set}
        for name in {"latency", "slices", "quotas"} & set(merged):
            merged[name] = {**getattr(self, name), **merged[name]}
        return self.model_copy(update=merged)

    def accuracy_limits(self, workload: Workload) -> dict[str | None, float]:
        """Return every accuracy limit as a share of the baseline's metric, by class of task; None: overall.

        Raises:
            InputError: A limit is in points and the workload does not say the baseline's metric.
        """
        known = workload.accuracy
        limits: dict[str | None, float] = {}
        if self.max_accuracy_loss is not None:
            limits[None] = self.max_accuracy_loss.relative(known.baseline)
        for task, limit in sorted(self.slices.items()):
            limits[task] = limit.relative(known.slices.get(task, known.baseline))
        return limits

    def min_requests_per_s(self, workload: Workload) -> float:
        """Return the rate that must be carried at all hours, in requests per second; 0 where none is stated.

        Raises:
            InputError: It is stated in tokens and the workload's model writes none.
        """
        rate = self.min_throughput_requests_per_s or 0.0
        if self.min_throughput_tokens_per_s is None:
            return rate
        if workload.model.family != "decoder":
            raise InputError(
                f"min_throughput: '{workload.model.name}' writes no tokens; give requests, such as '50/s'"
            )
        return max(rate, self.min_throughput_tokens_per_s / workload.requests.output_tokens.mean)

    def limited_attributes(self) -> dict[str, float]:
        """Return every limit on a sum over the plan: `cost` and `carbon` per month, and `one-time` cost.

        Example:
            >>> Requirements(budget="$20k/month").limited_attributes()
            {'cost': 20000.0}
        """
        stated = {
            "cost": self.budget_usd_per_month,
            "carbon": self.max_carbon_kg_per_month,
            "one-time": self.one_time_budget_usd,
        }
        return {name: limit for name, limit in stated.items() if limit is not None}

    @model_validator(mode="before")
    @classmethod
    def _throughput_of_what(cls, values: object) -> object:
        """Tell tokens from requests in `min_throughput`."""
        if not isinstance(values, Mapping) or "tok" not in str(values.get("min_throughput", "")):
            return values
        renamed = dict(values)
        return renamed | {"min_throughput_tokens_per_s": renamed.pop("min_throughput")}

    @model_validator(mode="after")
    def _distinct_goals(self) -> "Requirements":
        if not self.objective or len(set(self.objective)) < len(self.objective):
            raise InputError(
                f"got {', '.join(self.objective) or 'nothing'}; expected distinct goals, such as cost, carbon"
            ).within("objective")
        return self
