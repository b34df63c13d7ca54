"""Workloads and strategies that are valid by default; a test changes the one thing it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from advisor.strategy import Deltas, Option, neutral
from advisor.workload import Workload


def a_workload(**changes: Any) -> Workload:
    """A small image classifier on two T4 machines, with keys replaced by `changes`."""
    fields: dict[str, Any] = {
        "name": "images",
        "model": "resnet50",
        "traffic": {"requests_per_s": 300},
        "limits": {"latency_p99": "100ms"},
        "serving": {
            "instance_type": "g4dn.xlarge",
            "provider": "aws",
            "region": "us-east-1",
            "instances": 2,
            "precision": "fp32",
            "runtime": "tensorrt",
            "max_batch": 8,
        },
    }
    return Workload.load({**fields, **changes})


def an_llm(**changes: Any) -> Workload:
    """An 8 B language model on one 8 x H100 machine, with keys replaced by `changes`."""
    fields: dict[str, Any] = {
        "name": "assistant",
        "model": "llama-3.1-8b",
        "requests": {"input_tokens": {"mean": 800, "cv": 0.8}, "output_tokens": {"mean": 200, "cv": 0.9}},
        "traffic": {"requests_per_s": 12},
        "limits": {"ttft_p99": "2s", "tpot_p99": "60ms"},
        "serving": {
            "instance_type": "p5.48xlarge",
            "provider": "aws",
            "region": "us-east-1",
            "instances": 1,
            "accelerators_per_replica": 1,
            "precision": "bf16",
            "runtime": "vllm",
        },
    }
    return Workload.load({**fields, **changes})


@dataclass(frozen=True)
class AStrategy:
    """A strategy made of the options it is given."""

    name: str
    given: Sequence[Option] = ()
    title: str = "A strategy for a test"
    seen: Mapping[str, Any] = field(default_factory=dict)

    def options(self, workload: Workload, instance_type: object) -> Sequence[Option]:
        """The neutral option and those given."""
        del workload, instance_type
        return [neutral("As today"), *self.given]


def an_option(name: str, **deltas: Any) -> Option:
    """An option with these deltas."""
    return Option(id=name, title=name, deltas=Deltas(**deltas), sources=("assumed for a test",))
