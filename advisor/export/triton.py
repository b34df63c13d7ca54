"""The configuration of a model in Triton Inference Server."""

from __future__ import annotations

import json

from advisor.export.facts import Facts, NotInPlan
from advisor.export.writing import commented, one_line

TRITON = "Triton Inference Server 2.73"
BACKENDS = {
    "tensorrt": "tensorrt",
    "onnxruntime": "onnxruntime",
    "pytorch": "pytorch",
    "tensorflow": "tensorflow",
    "openvino": "openvino",
}


def triton(facts: Facts) -> str:
    """Return config.pbtxt: the batch, its wait, and an instance for each accelerator of a replica."""
    if facts.is_decoder:
        why = f"{facts.runtime} batches its sequences itself; see '--to {facts.runtime}'"
        raise NotInPlan.of("triton", facts.name, why)
    backend = BACKENDS.get(facts.runtime)
    head = facts.head(
        f"config.pbtxt for {TRITON}",
        "Triton completes inputs and outputs of TensorRT, ONNX and OpenVINO models; add them for others.",
        *([] if backend else ["Add the backend: the plan only says that Triton serves it."]),
    )
    kind = "KIND_GPU" if facts.on_gpu else "KIND_CPU"
    lines = [
        f"name: {json.dumps(facts.slug)}",
        *([_noted(f"backend: {json.dumps(backend)}", f"served by {facts.runtime}")] if backend else []),
        _noted(
            f"max_batch_size: {facts.max_batch or 1}",
            facts.why_batch() if facts.max_batch else "one at a time",
        ),
        *_batching(facts),
        _noted(
            f"instance_group [ {{ kind: {kind} count: 1 }} ]",
            "one copy of the model on each accelerator, as planned",
        ),
    ]
    return commented(head) + "\n".join(lines) + "\n"


def _batching(facts: Facts) -> list[str]:
    if (facts.max_batch or 1) == 1:
        return []
    delay = round(facts.queue_delay_s * 1e6)
    return [
        "dynamic_batching {",
        _noted(f"  max_queue_delay_microseconds: {delay}", facts.why_delay()),
        "}",
    ]


def _noted(line: str, why: str) -> str:
    return f"{line}  # {one_line(why)}"
