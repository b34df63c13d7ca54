"""What an exporter may say about one service of a plan: its settings in effect, and the reason of each."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from advisor.cost import mean_growth
from advisor.errors import InputError
from advisor.units import format_rate, format_ratio, format_seconds

if TYPE_CHECKING:
    from advisor.catalog import InstanceType
    from advisor.recommendation import Choice, LatencyCheck, Provenance, ServicePlan
    from advisor.workload import Workload

_DYNAMIC = re.compile(r"dynamic-(\d+):(\d+)ms")
_CONTINUOUS = re.compile(r"continuous-(\d+)(\+prefix-cache)?")
_EXPORTED = ("accelerators", "autoscaling", "batching")
"""Strategies whose options become machines, replicas and limits, not text to paste."""
_SHORTLY = {"ttft": "TTFT", "tpot": "TPOT", "latency": "latency"}
TARGET_MARGIN_RATIO = 0.999
"""A target a little below the bound, so that rounding never takes a replica away."""


class NotInPlan(InputError):
    """An export that this plan has nothing for."""

    @classmethod
    def of(cls, target: str, service: str, why: str) -> NotInPlan:
        """Return the error for a target that does not apply to a service; `why` says what does."""
        return cls(f"--to {target}: nothing to write for '{service}': {why}")


@dataclass(frozen=True)
class Facts:
    """One service of a plan.

    Args:
        plan: What is recommended for it.
        workload: What it was made for.
        machine: Its machine in the catalogue; `None` where the catalogue does not know it.
        slug: Its name for Kubernetes, Terraform and file systems.
        provenance: Of the plan.
    """

    plan: ServicePlan
    workload: Workload
    machine: InstanceType | None
    slug: str
    provenance: Provenance

    @property
    def name(self) -> str:
        """Name of the service."""
        return self.plan.name

    @property
    def runtime(self) -> str:
        """Serving engine."""
        return self.workload.serving.runtime

    @property
    def is_decoder(self) -> bool:
        """Whether the model writes tokens."""
        return self.workload.model.family == "decoder"

    @property
    def on_gpu(self) -> bool:
        """Whether its machine has GPUs; assumed of a machine that the catalogue does not know."""
        return self.machine is None or self.machine.accelerator.kind == "gpu"

    @property
    def gpu_resource(self) -> str:
        """Name of the accelerator for Kubernetes."""
        vendor = "nvidia" if self.machine is None else self.machine.accelerator.vendor
        return "amd.com/gpu" if vendor == "amd" else "nvidia.com/gpu"

    def head(self, what: str, *more: str) -> list[str]:
        """Return the comment that opens every document: service, purpose, versions, and what it was made from."""
        origin = self.provenance
        return [
            f"{self.name}: {what}",
            (
                f"From a plan of advisor {origin.advisor_version}, catalogue {origin.catalog_version}, "
                f"inputs {origin.workload_digest[:12]}."
            ),
            (
                f"{self.workload.model.name} on {self.plan.provider} {self.plan.region} {self.plan.instance_type} "
                f"({self.plan.accelerator}), served by {self.runtime}."
            ),
            *(f"Not in this file, to be done first: {choice.title}." for choice in self.left_to_do),
            *more,
        ]

    @property
    def left_to_do(self) -> list[Choice]:
        """Return changes to the model itself, such as pruning, that give nothing to paste anywhere."""
        return [c for c in self.plan.choices if c.changed and not c.artefacts and c.strategy not in _EXPORTED]

    def choice(self, strategy: str) -> Choice | None:
        """Return the option chosen of a strategy where it changes something."""
        return next((c for c in self.plan.choices if c.strategy == strategy and c.changed), None)

    def artefacts(self, place: str) -> list[tuple[Choice, str]]:
        """Return what the chosen options give to paste in a place."""
        return [(c, c.artefacts[place]) for c in self.plan.choices if c.changed and place in c.artefacts]

    def flags(self, place: str) -> list[tuple[Choice, list[str]]]:
        """Return the launch arguments that the chosen options give."""
        return [(choice, shlex.split(text)) for choice, text in self.artefacts(place)]

    @property
    def max_batch(self) -> int | None:
        """Most requests in flight on one replica; `None` where the engine's default stays."""
        option = self._batching
        for pattern in (_CONTINUOUS, _DYNAMIC):
            if found := pattern.fullmatch(option):
                return int(found[1])
        return self.workload.serving.max_batch

    @property
    def queue_delay_s(self) -> float:
        """Longest wait for a batch to fill, in seconds."""
        found = _DYNAMIC.fullmatch(self._batching)
        return int(found[2]) / 1000.0 if found else self.workload.serving.max_queue_delay_s

    @property
    def caches_prefixes(self) -> bool:
        """Whether shared prompts are computed once."""
        found = _CONTINUOUS.fullmatch(self._batching)
        return bool(found and found[2])

    @property
    def kv_is_fp8(self) -> bool:
        """Whether keys and values are kept in 8 bits."""
        choice = self.choice("quantization")
        return self.workload.serving.kv_precision == "fp8" or bool(
            choice and choice.option.endswith("kv-fp8")
        )

    @property
    def speculation(self) -> str:
        """Way of speculative decoding, `ngram` or `eagle`; empty where there is none."""
        choice = self.choice("adaptive_inference")
        option = choice.option if choice else ""
        return option.removeprefix("speculative-") if option.startswith("speculative-") else ""

    @property
    def _batching(self) -> str:
        choice = self.choice("batching")
        return choice.option if choice else ""

    def why_batch(self) -> str:
        """Return why that many requests are in flight: the latency that comes closest to its limit."""
        count = f"{self.max_batch} {'sequences' if self.is_decoder else 'requests'} in flight"
        tightest = self._tightest(("tpot", "latency", "ttft"))
        return f"{count}: {tightest}" if tightest else count

    def why_delay(self) -> str:
        """Return why a batch waits that long."""
        tightest = self._tightest(("latency",))
        text = "no request waits for a fuller batch" if not self.queue_delay_s else "a batch may wait to fill"
        return f"{text}: {tightest}" if tightest else text

    def why_accuracy(self) -> str:
        """Return what the plan costs in accuracy."""
        loss = self.plan.accuracy_loss
        limit = f" of {format_ratio(loss.limit_ratio)} allowed" if loss.limit_ratio is not None else ""
        return f"expected accuracy loss {format_ratio(loss.expected_ratio)}{limit} ({loss.basis})"

    def why_replicas(self) -> str:
        """Return why that many replicas serve the busiest period."""
        capacity = self.plan.capacity_requests_per_s
        if capacity is None:
            return f"{self.plan.replicas_peak} in the busiest hour"
        return f"busiest hour: {format_rate(max(self.rates))}, at most {format_rate(capacity)} on each replica within the limits"

    def why_accelerators(self) -> str:
        """Return how many accelerators of the machine one replica spans."""
        return (
            f"one replica spans {self.plan.accelerators_per_replica} of {self.plan.accelerator} "
            f"and takes {self.plan.memory_gib_per_replica:.4g} GiB of their memory"
        )

    def _tightest(self, metrics: Sequence[str]) -> str:
        limited = [c for c in self.plan.latencies if c.limit_s and c.predicted_s is not None]
        for metric in metrics:
            mine = [check for check in limited if check.metric.startswith(metric)]
            if mine:
                return _against_limit(max(mine, key=lambda c: (c.predicted_s or 0.0) / (c.limit_s or 1.0)))
        return ""

    @cached_property
    def rates(self) -> tuple[float, ...]:
        """Arrival rate of each period that the plan was made for: the mean month of the horizon, in requests per second."""
        traffic = self.workload.traffic
        growth = mean_growth(traffic.growth_per_month, horizon_months=self.workload.horizon_months)
        return tuple(rate * growth for rate, _ in traffic.periods())

    @property
    def replicas_least(self) -> int:
        """Replicas in the quietest period."""
        return min(self.plan.replicas_by_period)

    @property
    def target_requests_per_s(self) -> float:
        """Highest target of an autoscaler at which it holds as many replicas as the plan in every period.

        It holds ceil(rate / target): the target stays below rate / (replicas - 1) wherever the plan has more than its
        fewest, and never above what one replica carries within the limits.
        """
        pairs = zip(self.rates, self.plan.replicas_by_period, strict=True)
        bounds = [
            TARGET_MARGIN_RATIO * rate / (count - 1)
            for rate, count in pairs
            if count > max(self.replicas_least, 1) and rate > 0.0
        ]
        return min([self.plan.capacity_requests_per_s or max(self.rates), *bounds])


def _against_limit(check: LatencyCheck) -> str:
    metric, _, statistic = check.metric.partition("_")
    return (
        f"{_SHORTLY.get(metric, metric)} {statistic} {format_seconds(check.predicted_s)} of "  # type: ignore[arg-type]
        f"{format_seconds(check.limit_s)}"  # type: ignore[arg-type]
    )
