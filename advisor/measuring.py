"""The commands that measure a plan: an evaluation of its accuracy, and a benchmark of one of its replicas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.models import hugging_face_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from advisor.strategy import Option
    from advisor.workload import Workload

Chosen = tuple[tuple[str, "Option"], ...]
"""Strategies of a plan with their options."""


@dataclass(frozen=True, slots=True)
class Harness:
    """Tasks of the lm-evaluation-harness that stand for a class of tasks.

    Args:
        tasks: Their names, as `lm_eval --tasks` takes them.
        items: Questions in them, where the number is fixed.
    """

    tasks: str
    items: int | None = None


HARNESS = {
    "knowledge": Harness("mmlu", 14042),
    "commonsense": Harness("hellaswag", 10042),
    "instruction": Harness("ifeval", 541),
    "maths-code": Harness("gsm8k", 1319),
    "multilingual": Harness("mgsm_direct", 2750),
    "long-context": Harness("longbench"),
    "cloze": Harness("lambada_openai", 5153),
    "mixed": Harness("mmlu,gsm8k,ifeval", 14042 + 1319 + 541),
}
"""By class of task; sizes are those of the public test sets."""
OWN_TASK = Harness("my_task --include_path eval/tasks")
"""A task of the user's own, where the harness has none."""


def harness(task: str) -> Harness:
    """Return the tasks that stand for a class of tasks."""
    return HARNESS.get(task, OWN_TASK)


def checkpoint(workload: Workload) -> str:
    """Return the name under which an engine loads today's model."""
    return hugging_face_name(workload.model.name) or workload.model.name


def folder(names: Sequence[str]) -> str:
    """Return a name for files about some options.

    Example:
        >>> folder(["quantization=fp8+kv-fp8"])
        'quantization-fp8-kv-fp8'
    """
    return "-".join("".join(c if c.isalnum() or c in ".-" else "-" for c in name) for name in names)


def accuracy_command(
    workload: Workload, chosen: Chosen, *, task: str, names: Sequence[str], accelerators: int, samples: int
) -> str:
    """Return the commands that evaluate today's model and the changed one on the same questions.

    Args:
        workload: Its model.
        chosen: Options of the plan; their flags for the engine go into the changed run.
        task: Class of tasks.
        names: `strategy=option` of what changes the model.
        accelerators: That the changed model spans.
        samples: Items to ask, where the harness does not say how many there are.
    """
    if workload.model.family != "decoder":
        what = f"--items {samples}"
        return (
            f"./evaluate --model {workload.model.name} {what} > eval/today.json   # your own evaluation\n"
            f"./evaluate --model {workload.model.name}-{folder(names)} {what} > eval/{folder(names)}.json"
        )
    today = max(1, workload.serving.accelerators_per_replica)
    runs = (
        (checkpoint(workload), today, "", "today"),
        (f"./{workload.model.name}-{folder(names)}", accelerators, _engine_arguments(chosen), folder(names)),
    )
    chat = (
        " --apply_chat_template" if task in {"instruction", "maths-code", "multilingual", "tool-use"} else ""
    )
    return "\n".join(
        f"lm_eval --model vllm --model_args pretrained={name},tensor_parallel_size={size}{extra} "
        f"--tasks {harness(task).tasks}{chat} --batch_size auto --log_samples --output_path eval/{out}"
        for name, size, extra, out in runs
    )


def _engine_arguments(chosen: Chosen) -> str:
    """Return the flags for the cache as arguments of the engine's constructor."""
    flags = [text for _, option in chosen for place, text in option.artefacts if place == "vllm"]
    cache = any("--kv-cache-dtype fp8" in text for text in flags)
    return ",kv_cache_dtype=fp8" if cache else ""


def accuracy_record(workload: Workload, *, task: str, names: Sequence[str]) -> str:
    """Return the lines to add to the workload once both runs are there."""
    option = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
    head = f"measurements:\n  - option: {option}\n"
    if workload.model.family == "decoder":
        return (
            f"{head}    task: {task}\n    lm_eval: {{baseline: eval/today, optimized: eval/{folder(names)}}}"
        )
    metric = workload.accuracy.metric
    return f"{head}    metric: {metric}\n    baseline: ...%\n    optimized: ...%\n    samples: ..."


def speed_command(
    workload: Workload, chosen: Chosen, *, requests_per_s: float, arrival_cv: float, accelerators: int
) -> str:
    """Return the commands that start one replica and load it as in the busiest hour.

    Args:
        workload: Model, runtime and requests.
        chosen: Options of the plan, with their flags for the engine.
        requests_per_s: Rate that one replica sees in the busiest period.
        arrival_cv: Coefficient of variation of the time between its requests.
        accelerators: That one replica spans.
    """
    if workload.model.family != "decoder":
        return _pass_command(workload, requests_per_s=requests_per_s)
    requests = workload.requests
    names = [f"{strategy}={option.id}" for strategy, option in chosen if option.deltas.treatments]
    lossy = [name for name in names if not name.startswith("adaptive_inference=speculative")]
    model = f"./{workload.model.name}-{folder(lossy)}" if lossy else checkpoint(workload)
    prefix = round(requests.prefix_share * requests.input_tokens.mean)
    shared = f" --random-prefix-len {prefix}" if prefix else ""
    count = max(200, round(300 * requests_per_s))
    load = (
        f"vllm bench serve --backend openai --model {model} --dataset-name random "
        f"--random-input-len {round(requests.input_tokens.mean) - prefix} --random-output-len {round(requests.output_tokens.mean)}{shared} "
        f"--request-rate {requests_per_s:.3g} --burstiness {arrival_cv**-2:.3g} --num-prompts {count} "
        "--percentile-metrics ttft,tpot,e2el --metric-percentiles 50,95,99 --save-result"
    )
    return f"{_server(workload, chosen, model, accelerators)}\n{load}"


def _server(workload: Workload, chosen: Chosen, model: str, accelerators: int) -> str:
    runtime = workload.serving.runtime
    if runtime == "sglang":
        return f"python -m sglang.launch_server --model-path {model} --tp {accelerators} --port 8000"
    if runtime == "trtllm":
        return f"trtllm-serve {model} --tp_size {accelerators} --port 8000"
    flags = [text for _, option in chosen for place, text in option.artefacts if place == "vllm"]
    spans = any("--tensor-parallel-size" in text for text in flags)
    extra = "" if spans else f" --tensor-parallel-size {accelerators}"
    return " ".join((f"vllm serve {model}{extra}", *flags))


def _pass_command(workload: Workload, *, requests_per_s: float) -> str:
    rate = f"{requests_per_s:.0f}"
    if workload.serving.runtime == "triton":
        return (
            f"perf_analyzer -m {workload.model.name} -b {workload.requests.items:.0f} --request-rate-range={rate} "
            "--request-distribution=poisson --percentile=99"
        )
    return f"vegeta attack -targets=targets.txt -rate={rate}/s -duration=300s | vegeta report   # your own requests in targets.txt"
