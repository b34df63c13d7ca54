"""The strategy contract: what a strategy declares, and nothing of how it is used.

A strategy is declared data and pure functions. It is found through the entry-point group
`advisor.strategies`; those that advisor ships come through the same door as anybody else's.

Example:
    A strategy whose author has nothing but one benchmark:

    >>> from advisor.strategy import Deltas, LossEstimate, Option, neutral
    >>> class FusedKernels:
    ...     name = "fused_kernels"
    ...     title = "Fused attention kernels"
    ...
    ...     def options(self, workload, instance_type):
    ...         faster = Deltas(throughput_ratio=1.2, latency_ratio=0.85)
    ...         return [neutral("Keep today's kernels"), Option(id="fused", title="Fused", deltas=faster,
    ...                 sources=("our benchmark of 2026-11-01, 8 x H100",))]
    >>> [option.id for option in FusedKernels().options(None, None)]
    ['none', 'fused']
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from advisor.errors import StrategyError

if TYPE_CHECKING:
    from advisor.catalog import InstanceType
    from advisor.workload import Workload

NONE = "none"
"""Identifier of the neutral option that every strategy has: keep what serves today."""

Scaling = Literal["static", "reactive", "scheduled", "scale-to-zero"]
Purchase = Literal["on-demand", "reserved-1y", "reserved-3y", "spot"]


@dataclass(frozen=True, slots=True)
class LossEstimate:
    """A relative accuracy loss that a plugin author measured or assumes, with its 10-90 % interval.

    Args:
        expected_ratio: Mean share of the metric lost, 0 to 1.
        p10_ratio: The loss is lower than this once in ten.
        p90_ratio: The loss is higher than this once in ten.
        source: Where the three numbers come from; `assumed` if from nowhere.

    Raises:
        StrategyError: The three are not ordered or not within 0 to 1.
    """

    expected_ratio: float
    p10_ratio: float
    p90_ratio: float
    source: str

    def __post_init__(self) -> None:
        if not 0.0 <= self.p10_ratio <= self.expected_ratio <= self.p90_ratio <= 1.0:
            raise StrategyError.breaks(
                "of this loss",
                "must have 0 <= p10 <= expected <= p90 <= 1",
                f"{self.p10_ratio}, {self.expected_ratio}, {self.p90_ratio}",
            )


@dataclass(frozen=True, slots=True)
class Deltas:
    """What an option changes against what serves today; every default is neutral.

    Physical deltas, which the performance model turns into latency and throughput
    (ratios multiply over strategies, 1.0 = unchanged):

    Args:
        precision: Number format after the change (`bf16`, `fp8`, `int8`, `int4`, `fp4`, `w4a8`, `fp16`, `fp32`).
        compute_dtype: Number format of the arithmetic, a key of the accelerator's peaks.
        weight_bytes_ratio: Bytes of the weights.
        kv_bytes_ratio: Bytes of the key-value cache a token.
        activation_bytes_ratio: Bytes of the activations an item.
        compute_ratio: Arithmetic an item.
        compute_efficiency_ratio: Reached share of peak arithmetic.
        bandwidth_efficiency_ratio: Reached share of peak memory bandwidth.
        layers_ratio: Number of layers executed one after the other.
        prefill_ratio: Prompt tokens that must be computed (prefix caching).
        max_batch: Most items or sequences in flight on a replica.
        max_queue_delay_s: Longest wait for a batch to fill, in seconds.
        decode_steps_ratio: Time of decoding a token with one sequence in flight (speculative decoding).
        decode_steps_decay: Exponent by which that gain fades with the sequences B in flight:
            speed-up = 1 + (1 / decode_steps_ratio - 1) B^-decay.
        exit_share: Share of items that leave at the early exit.
        exit_depth_ratio: Share of the layers executed by those that leave.
        escalation_share: Share of requests that a cascade hands on to today's model (1 = no cascade).
        first_stage_ratio: Size of the cascade's first model against today's.
        routed_ahead: Whether a router decides from the request alone which model answers, so that no request takes the
            time of both; it matters where each model has machines of its own.
        accelerators_per_replica: Accelerators that one replica spans.

    Direct deltas, for an author with nothing but a benchmark:

    Args:
        latency_ratio: All latencies.
        throughput_ratio: Capacity of a replica.
        cost_ratio: Running cost.

    What it does to the deployment, to accuracy and to the bill:

    Args:
        scaling: Policy by which the number of replicas follows traffic.
        purchase: How machines are bought beside on-demand.
        treatments: Names in the evidence of what is done to the model (`fp8-w8a8`).
        loss: A loss of the author's own, instead of `treatments`.
        gpu_hours: One-time accelerator hours.
        engineer_hours: One-time working hours.
        running_usd_per_month: Extra running cost, whatever the number of replicas.

    Raises:
        StrategyError: A value is out of its range.
    """

    precision: str | None = None
    compute_dtype: str | None = None
    weight_bytes_ratio: float = 1.0
    kv_bytes_ratio: float = 1.0
    activation_bytes_ratio: float = 1.0
    compute_ratio: float = 1.0
    compute_efficiency_ratio: float = 1.0
    bandwidth_efficiency_ratio: float = 1.0
    layers_ratio: float = 1.0
    prefill_ratio: float = 1.0
    max_batch: int | None = None
    max_queue_delay_s: float | None = None
    decode_steps_ratio: float = 1.0
    decode_steps_decay: float = 0.0
    exit_share: float = 0.0
    exit_depth_ratio: float = 1.0
    escalation_share: float = 1.0
    first_stage_ratio: float = 0.0
    routed_ahead: bool = False
    accelerators_per_replica: int | None = None
    latency_ratio: float = 1.0
    throughput_ratio: float = 1.0
    cost_ratio: float = 1.0
    scaling: Scaling | None = None
    purchase: Purchase | None = None
    treatments: tuple[str, ...] = ()
    loss: LossEstimate | None = None
    gpu_hours: float = 0.0
    engineer_hours: float = 0.0
    running_usd_per_month: float = 0.0

    def __post_init__(self) -> None:
        for name in RATIOS:
            if not (math.isfinite(value := getattr(self, name)) and value > 0.0):
                raise _delta_refusal(name, value, "a finite ratio above 0")
        for name in SHARES:
            if not 0.0 <= (value := getattr(self, name)) <= 1.0:
                raise _delta_refusal(name, value, "a share from 0 to 1")
        for name in AMOUNTS:
            if not (math.isfinite(value := getattr(self, name)) and value >= 0.0):
                raise _delta_refusal(name, value, "a finite amount of 0 or more")

    @property
    def is_policy(self) -> bool:
        """True where the option leaves the model and its engine alone: only how replicas scale or are bought."""
        return all(getattr(self, name) == default for name, default in ENGINE_DEFAULTS.items())


def _delta_refusal(name: str, value: float, expected: str) -> StrategyError:
    return StrategyError.breaks("of this delta", f"must give {expected} for {name}", repr(value))


RATIOS = tuple(item.name for item in fields(Deltas) if item.name.endswith("_ratio") and item.default == 1.0)
"""Names of the deltas that multiply."""
SHARES = ("exit_share", "escalation_share")
AMOUNTS = ("decode_steps_decay", "first_stage_ratio", "gpu_hours", "engineer_hours", "running_usd_per_month")
_POLICY = {"scaling", "purchase", "cost_ratio", "gpu_hours", "engineer_hours", "running_usd_per_month"}
ENGINE_DEFAULTS = {item.name: item.default for item in fields(Deltas) if item.name not in _POLICY}
"""Neutral value of every delta that reaches the model or its engine."""


@dataclass(frozen=True, slots=True)
class Requires:
    """Where an option can be used at all; an empty tuple or `None` asks for nothing.

    Args:
        families: Model families (`cnn`, `encoder`, `decoder`).
        accelerator_kinds: Kinds of accelerator (`gpu`, `cpu`, `tpu`, `asic`).
        min_compute_capability: Lowest NVIDIA compute capability.
        dtypes: Number formats of which the accelerator must compute at least one.
        runtimes: Serving engines that can do it.
        sparsity_2_4: True where the chip must have sparse matrix units.
        source: Who says so.
    """

    families: tuple[str, ...] = ()
    accelerator_kinds: tuple[str, ...] = ()
    min_compute_capability: float | None = None
    dtypes: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()
    sparsity_2_4: bool = False
    source: str = ""

    def refusal(self, *, family: str, runtime: str, instance_type: InstanceType) -> str | None:
        """Return why the option cannot be used there, or `None` where it can."""
        chip = instance_type.accelerator
        too_old = chip.vendor == "nvidia" and (chip.compute_capability or 0.0) < (
            self.min_compute_capability or 0.0
        )
        rules = (
            (self.families and family not in self.families, f"is for {_either(self.families)} models"),
            (
                self.accelerator_kinds and chip.kind not in self.accelerator_kinds,
                f"needs a {_either(self.accelerator_kinds)}",
            ),
            (too_old, f"needs compute capability {self.min_compute_capability} or more"),
            (
                self.dtypes and not any(dtype in chip.peak_flops for dtype in self.dtypes),
                f"needs a chip that computes in {_either(self.dtypes)}",
            ),
            (
                self.runtimes and runtime not in self.runtimes,
                f"is not run by {runtime}; {_either(self.runtimes)} can",
            ),
            (self.sparsity_2_4 and not chip.sparsity_2_4, "needs units for 2:4 sparsity"),
        )
        return next((reason for broken, reason in rules if broken), None)


def _either(names: Sequence[str]) -> str:
    return " or ".join(names)


@dataclass(frozen=True, slots=True)
class Option:
    """One setting of a strategy.

    Args:
        id: Identifier within the strategy: lower-case letters, digits, `-`, `+`, `.` and `:`.
        title: What it is, in a few words.
        deltas: What it changes.
        requires: Where it can be used.
        conflicts: Patterns `strategy=option` (with `*`) of what it cannot be combined with.
        evidence: Identifiers of records in the evidence that back the deltas.
        sources: Other sources of the numbers, in words; an entry that begins with `assumed` is shown as such.
        steps: What a person does to get it, in order.
        artefacts: What to paste, by place (`vllm`, `llm-compressor`).
        risk: What may go wrong, in one sentence.
    """

    id: str
    title: str
    deltas: Deltas = field(default_factory=Deltas)
    requires: Requires = field(default_factory=Requires)
    conflicts: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    artefacts: tuple[tuple[str, str], ...] = ()
    risk: str = ""

    def __post_init__(self) -> None:
        if not self.id or set(self.id) - set("abcdefghijklmnopqrstuvwxyz0123456789-+.:_"):
            raise StrategyError.breaks(
                self.id, "may use lower-case letters, digits and -+.:_ in option names", repr(self.id)
            )


def neutral(title: str) -> Option:
    """Return the option that changes nothing; `title` says what is kept."""
    return Option(id=NONE, title=title)


@runtime_checkable
class Strategy(Protocol):
    """What an entry point of the group `advisor.strategies` provides."""

    name: str
    """Identifier, as the user writes it in `--without`."""
    title: str
    """What it is, in a few words."""

    def options(self, workload: Workload, instance_type: InstanceType) -> Sequence[Option]:
        """Return every option on that machine, `none` first; pure: same input, same output.

        Options that the machine, model or runtime does not support are returned too, with their
        `requires`: advisor leaves them out and can say why.
        """
        ...
