"""What is asked of a service and what serves it today, as a user writes it down."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from advisor.assumptions import Assumption, assumed
from advisor.documents import Document, packaged_text, parse_document, read_document
from advisor.errors import InputError
from advisor.inputs import Input, Spelled, validated
from advisor.latency import LatencyLimits
from advisor.lifecycle import PURCHASE_ALIASES, Lifecycle, Purchase
from advisor.measurements import OwnMeasurement
from advisor.models import DTYPE_ALIASES, Model
from advisor.tasks import TASK_ALIASES, TASKS, SpelledTask, Task
from advisor.traced import with_trace
from advisor.traffic import Distribution, Length, Traffic
from advisor.units import Ratio, Seconds, UsdPerHour, UsdPerKwh, format_count

Precision = Literal["fp32", "fp16", "bf16", "fp8", "int8", "int4", "w4a8", "fp4"]
Runtime = Literal[
    "vllm",
    "trtllm",
    "sglang",
    "tgi",
    "triton",
    "tensorrt",
    "onnxruntime",
    "openvino",
    "pytorch",
    "tensorflow",
]
Scaling = Literal["static", "reactive", "scheduled", "scale-to-zero"]

_RUNTIMES = {
    "tensorrt-llm": "trtllm", "tensorrt_llm": "trtllm", "trt-llm": "trtllm", "ort": "onnxruntime", "onnx": "onnxruntime",
    "torch": "pytorch", "torchserve": "pytorch", "transformers": "pytorch", "tf": "tensorflow", "trt": "tensorrt",
}  # fmt: skip
__all__ = [
    "TASKS",
    "TASK_ALIASES",
    "Accuracy",
    "Assumption",
    "Cascade",
    "OwnMeasurement",
    "Requests",
    "Serving",
    "Task",
    "Workload",
]
_NO_LENGTH = Distribution(mean=0, cv=0)
_LENGTHS = ("input_tokens", "output_tokens")
_NEEDED: dict[str, tuple[str, ...]] = {"decoder": _LENGTHS, "encoder": ("input_tokens",), "cnn": ()}


class Requests(Input):
    """What one request asks for."""

    input_tokens: Length = _NO_LENGTH
    """Tokens of the prompt, or of one item for an encoder: a number, {mean: 1200, cv: 0.9}, or quantiles."""
    output_tokens: Length = _NO_LENGTH
    """Tokens that a decoder writes for one request: a number, {mean: 300, cv: 1.1}, or quantiles."""
    image_size_px: Length = _NO_LENGTH
    """Side of one image after resizing, in px; the model's own size where not given."""
    items: float = Field(1.0, ge=1)
    """Texts or images in one request."""
    prefix_share: Ratio = Field(0.0, lt=1)
    """Share of the prompt that repeats between requests and could be cached, such as 40%."""


class Serving(Input):
    """What serves the workload today: the baseline of every saving."""

    instance_type: str = Field(min_length=1)
    """Machine as its provider calls it, such as p5.48xlarge."""
    provider: Annotated[str, Spelled()] | None = None
    """Who rents it out, such as aws; needed where two providers use the name."""
    region: str | None = None
    """Where it runs, such as us-east-1."""
    instances: int | None = Field(None, ge=1)
    """Machines that are paid for; as many as the traffic needs where not given."""
    accelerators_per_replica: int = Field(0, ge=0, le=64)
    """Accelerators that one copy of the model spans (tensor parallelism); where not given 1, and up to 8 for a decoder."""
    precision: Annotated[Precision, Spelled(DTYPE_ALIASES)] = "fp32"
    """Number format of the weights as served; the model's own where not given."""
    kv_precision: Annotated[Literal["bf16", "fp8", "int8"], Spelled({"fp16": "bf16", "auto": "bf16"})] = (
        "bf16"
    )
    """Number format of the cached keys and values; bf16 stands for 16 bits."""
    runtime: Annotated[Runtime, Spelled(_RUNTIMES)] = "pytorch"
    """Serving engine; vllm for decoders and pytorch for others where not given."""
    max_batch: int | None = Field(None, ge=1)
    """Most requests computed together (sequences in flight for a decoder); the engine's default where not given."""
    max_queue_delay_s: Seconds = 0.0
    """How long a request may wait for a fuller batch, such as 5ms."""
    purchase: Annotated[Purchase, Spelled(PURCHASE_ALIASES)] = "on-demand"
    """How the machines are bought."""
    scaling: Annotated[Scaling, Spelled({"none": "static", "fixed": "static"})] = "static"
    """How the number of machines follows the traffic."""
    target_utilization: Ratio | None = Field(None, gt=0, lt=1)
    """Busy share of a replica that scaling aims at, such as 60%; derived from the latency limits where not given."""
    price_usd_per_h: UsdPerHour | None = None
    """What one machine really costs an hour, such as $2.50/h; the catalogue's price where not given."""


class Cascade(Input):
    """A smaller model on machines of its own, which takes the requests that it can answer; considered with `--mix`."""

    model: Model
    """The smaller model: a built-in name such as llama-3.1-8b, a path or fields, as for the main one."""
    escalated: Ratio | None = Field(None, gt=0, lt=1)
    """Share of the requests that the main model answers, such as 30%, as you measured it together with the accuracy (see
    `measurements`); that of the published results where not given."""


class Accuracy(Input):
    """How good the model is today; needed for limits in points."""

    metric: str = "accuracy"
    """What is measured, such as MMLU or top-1."""
    baseline: Ratio | None = Field(None, gt=0, lt=1)
    """Its value today, such as 76%."""
    slices: dict[SpelledTask, Ratio] = Field(default_factory=dict)
    """Its value today by class of task, such as {tool-use: 62%}."""


class Workload(Input):
    """One service: its model, its requests and traffic, its limits, and what serves it today."""

    model: Model
    """A built-in name such as llama-3.1-70b, the path of a config.json, of its folder or of an .onnx file, `timm:NAME` or
    `transformers:TYPE` where that is installed, or fields of your own."""
    name: str = Field(default_factory=lambda given: given["model"].name, min_length=1, max_length=100)
    """What to call the service; the model's name where not given."""
    task: SpelledTask = "mixed"
    """Class of task, which decides how much accuracy a treatment costs."""
    requests: Requests = Requests()
    """What one request asks for, such as {input_tokens: 1200, output_tokens: {mean: 300, cv: 1.1}}."""
    traffic: Traffic
    """When requests arrive, such as {requests_per_s: 24}."""
    limits: LatencyLimits = Field(default_factory=dict)
    """Latency limits that hold today, such as {ttft_p99: 800ms, tpot_p99: 40ms, latency_p99: 20s}."""
    serving: Serving
    """What serves it today, such as {instance_type: p5.48xlarge}."""
    accuracy: Accuracy = Accuracy()
    """How good the model is today, such as {metric: MMLU, baseline: 76%}; needed for limits in points."""
    measurements: tuple[OwnMeasurement, ...] = ()
    """Accuracy that you measured yourself; it replaces what is published, such as
    [{option: quantization=fp8, metric: MMLU, baseline: 83.6%, optimized: 83.1%, samples: 14042}]."""
    lifecycle: Lifecycle | None = None
    """What the model costs beside serving it, for the whole bill: training, fine-tuning, storage and network."""
    cascade: Cascade | None = None
    """A smaller model that could answer easy requests, such as {model: llama-3.1-8b}."""
    horizon_months: float = Field(12.0, gt=0, le=120)
    """Months over which one-time costs are spread."""
    engineer_usd_per_h: UsdPerHour = 120.0
    """What an hour of engineering work costs."""
    energy_usd_per_kwh: UsdPerKwh | None = None
    """Price of electricity, for machines you own; rented ones include it."""

    @classmethod
    def load(cls, source: "str | Path | Mapping[str, Any] | Workload") -> "Workload":
        """Return the workload in a file, in a mapping, or of a built-in example.

        Args:
            source: A path of YAML or JSON, a mapping with the same keys, or a name such as `large-llm`.

        Raises:
            InputError: It cannot be read, or anything in it is wrong; every problem is listed with its line.

        Example:
            >>> Workload.load("large-llm").model.name
            'Llama-3.1-70B'
        """
        if isinstance(source, Workload):
            return source
        if isinstance(source, Mapping):
            return validated(
                cls, Document(source="workload", data={str(key): value for key, value in source.items()})
            )
        text = packaged_text(str(source))
        if text is None or Path(source).exists():
            return validated(cls, read_document(source))
        return validated(cls, parse_document(text, source=f"{source}.yaml"))

    def digest(self) -> str:
        """Return the SHA-256, in hexadecimal, of everything the workload says and assumes."""
        unsaid = {name for name in ("lifecycle", "cascade") if getattr(self, name) is None}
        text = json.dumps(self.model_dump(mode="json", exclude=unsaid), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def assumptions(self) -> tuple[Assumption, ...]:
        """Return everything that the result depends on and the user did not state, in the order of the document."""
        return assumed(self)

    @model_validator(mode="before")
    @classmethod
    def _traced(cls, values: object, info: ValidationInfo) -> object:
        return with_trace(values, (info.context or {}).get("folder"))

    @model_validator(mode="after")
    def _resolved(self) -> Self:
        family = self.model.family
        if self.traffic.trace is not None:  # a trace of another kind of requests may be followed too
            _fill(self, "requests", {name: _NO_LENGTH for name in _LENGTHS if name not in _NEEDED[family]})
        self._check_requests()
        self._check_cascade()
        if family != "decoder" and (
            token := next((key for key in self.limits if not key.startswith("latency")), None)
        ):
            raise InputError(
                f"only a decoder writes tokens; limit latency_{token.partition('_')[2]} instead"
            ).within("limits", token)
        decoder = family == "decoder"
        defaults = {
            "accelerators_per_replica": 8 if decoder else 1,
            "precision": self.model.weight_dtype,
            "runtime": "vllm" if decoder else "pytorch",
        }
        _fill(self, "serving", {k: v for k, v in defaults.items() if k not in self.serving.model_fields_set})
        if family == "cnn" and not self.requests.image_size_px.mean:
            _fill(self, "requests", {"image_size_px": Distribution(mean=self.model.reference_size, cv=0)})
        return self

    def _check_cascade(self) -> None:
        if self.cascade is None:
            return
        small, large = self.cascade.model, self.model
        if small.family != large.family or small.flops_per_item >= large.flops_per_item:
            raise InputError(
                f"a cascade starts with a {large.family} of less work than '{large.name}' "
                f"({format_count(large.flops_per_item)} operations); got the {small.family} '{small.name}' "
                f"({format_count(small.flops_per_item)})"
            ).within("cascade", "model")

    def _check_requests(self) -> None:
        needed = _NEEDED[self.model.family]
        for name in needed:
            if not getattr(self.requests, name).mean:
                hint = f"a {self.model.family} needs it, such as '{name}: 300' or '{name}: {{mean: 300, cv: 1.2}}'"
                raise InputError(f"this is missing or 0; {hint}").within("requests", name)
        unused = {"input_tokens", "output_tokens", "image_size_px"} - {
            *needed,
            *(["image_size_px"] if not needed else []),
        }
        for name in sorted(unused):
            if getattr(self.requests, name).mean:
                raise InputError(
                    f"the {self.model.family} '{self.model.name}' has none; leave it out"
                ).within("requests", name)
        if self.requests.prefix_share and self.model.family != "decoder":
            raise InputError("only a decoder caches prompts; leave it out").within("requests", "prefix_share")


def _fill(workload: Workload, name: str, values: Mapping[str, Any]) -> None:
    """Put defaults that depend on the model into a section, still marked as not given."""
    section = getattr(workload, name)
    filled = section.model_copy(update=dict(values))
    object.__setattr__(filled, "__pydantic_fields_set__", section.model_fields_set)
    object.__setattr__(workload, name, filled)
