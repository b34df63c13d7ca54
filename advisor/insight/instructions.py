"""What a step of the roll-out needs before it, how to check it, and when and how to go back."""

from __future__ import annotations

import re
from math import ceil
from shlex import quote
from typing import TYPE_CHECKING

import numpy as np

from advisor.formulation import busiest_rate, machine_of
from advisor.insight.frontier import latency_title
from advisor.insight.moves import COMMITMENT, HARDWARE, MODEL
from advisor.units import format_ratio, format_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from advisor.insight.moves import Move
    from advisor.insight.space import Space

LEAST_PROMPTS = 1000
"""Requests of a load test: ten of them lie beyond a 99th percentile."""
WATCHED_MIN = 15
DEFAULT_TASK = "mmlu"
"""Evaluated where the workload names no metric of its own."""


def steps(made: Sequence[Move]) -> tuple[str, ...]:
    """Return what a person does."""
    return tuple(text for move in made if move.option is not None for text in move.option.steps)


def artefacts(made: Sequence[Move]) -> dict[str, str]:
    """Return what to paste, by place; several for one place are put together."""
    found: dict[str, str] = {}
    for move in made:
        for place, text in () if move.option is None else move.option.artefacts:
            found[place] = f"{found[place]} {text}" if place in found else text
    return found


def prerequisite(space: Space, made: Sequence[Move], state: int, kind: int) -> str:
    """Return what must be there before the step."""
    if kind == COMMITMENT:
        return "every step before it has run for a week: what is committed is paid whether it is used or not"
    parts = []
    if any(move.kind == HARDWARE for move in made):
        machine = machine_of(space.evaluation, space.plans, state)
        count = int(space.plans.instances[state].max())
        parts.append(f"quota for {count} x {machine.name} in {machine.region}")
    if any(move.kind == MODEL for move in made):
        parts.append("a test set of your own, and today's checkpoint kept to go back to")
    return "; ".join(parts) or "none"


def verification(space: Space, made: Sequence[Move], state: int) -> tuple[str, ...]:
    """Return the commands that check the step: the latencies at the busiest load of a replica, and the accuracy."""
    kinds = {move.kind for move in made}
    commands = [f"kubectl rollout status deployment/{_service(space)}"]
    if kinds == {COMMITMENT}:
        return (f"kubectl get deployment/{_service(space)} --watch",)
    if any(move.option is not None and move.option.deltas.scaling for move in made):
        commands.append(f"kubectl get hpa/{_service(space)} --watch")
    commands.append(_load_test(space, state))
    if MODEL in kinds and space.evaluation.workload.model.family == "decoder":
        commands.append(_evaluation(space))
    return tuple(commands)


def _service(space: Space) -> str:
    """Return the workload's name as Kubernetes would allow it."""
    name = re.sub(r"[^a-z0-9-]+", "-", space.evaluation.workload.name.lower()).strip("-")
    return name[:63] or "service"


def _load_test(space: Space, state: int) -> str:
    workload = space.evaluation.workload
    rate = float(busiest_rate(space.evaluation, space.plans.take(np.array([state])))[0])
    name = quote(workload.model.name)
    if workload.model.family != "decoder":
        return f"perf_analyzer -m {name} --request-rate-range {rate:.4g} --request-distribution poisson --percentile 99"
    count = max(LEAST_PROMPTS, ceil(300.0 * rate))
    requests, cv = workload.requests, workload.traffic.arrival_cv
    burstiness = f" --burstiness {1.0 / cv**2:.3g}" if cv > 0.0 else ""
    return (
        f"vllm bench serve --model {name} --dataset-name random --random-input-len {requests.input_tokens.mean:.0f} "
        f"--random-output-len {requests.output_tokens.mean:.0f} --request-rate {rate:.4g}{burstiness} --num-prompts {count} "
        "--percentile-metrics ttft,tpot,e2el --metric-percentiles 50,90,95,99"
    )


def _evaluation(space: Space) -> str:
    workload = space.evaluation.workload
    metric = re.sub(r"[^a-z0-9_]+", "_", workload.accuracy.metric.lower()).strip("_")
    task = DEFAULT_TASK if metric in {"", "accuracy"} else metric
    arguments = f"model={workload.model.name},base_url=http://localhost:8000/v1/completions,num_concurrent=16"
    return f"lm_eval --model local-completions --model_args {quote(arguments)} --tasks {quote(task)}"


def rollback_trigger(space: Space, kind: int) -> str:
    """Return when to go back."""
    if kind == COMMITMENT:
        return "none: a commitment runs to its end"
    limits = [
        f"{latency_title(name)} above {format_seconds(limit)}"
        for name, limit in sorted(space.terms.latency_s.items())
    ]
    texts = [f"{' or '.join(limits)} for {WATCHED_MIN} minutes"] if limits else []
    if kind >= MODEL:
        texts += [
            f"accuracy{'' if task is None else f' on {task}'} more than {format_ratio(limit)} below today's"
            for task, limit in space.terms.loss_ratio.items()
        ]
    return "; or ".join(texts) or "errors above today's"


def rollback(space: Space, kind: int) -> str:
    """Return how to go back."""
    if kind == COMMITMENT:
        return "not before its term ends; buy it in parts"
    return f"kubectl rollout undo deployment/{_service(space)}"
