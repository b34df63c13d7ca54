"""What the device, number format, runtime and model of a row about whole batches mean together, or why they mean nothing."""

from __future__ import annotations

import dataclasses
import functools
import math

from advisor.calibration import EngineKey, pass_key
from advisor.performance.architectures import architecture_class
from advisor.performance.pass_coefficients import PassCoefficients, coefficients
from advisor.performance.pass_table import PassTable, computed_precision
from advisor.prediction.inputs import Inputs, Row, is_true, quoted
from advisor.prediction.item_sizes import SIZES
from advisor.prediction.names import find_chip, known_model

DEVICE = ("device", "gpu", "system", "hardware", "cpu")
PRECISION = ("precision", "dtype")
PYTORCH_TABLE = "as in the public table"
"""Stands for the runtime of rows that state none, but sizes in the columns of PyTorch's table of image models."""
OTHER_RUNTIME_LOG_SIGMA = 0.25
"""Further standard deviation of the logarithm of a time where the runtime is not stated; as for one not measured."""
_BYTES = {"fp16": 2.0, "tf32": 4.0, "fp32": 4.0, "int8": 1.0}
_NO_KEY = EngineKey("", "", "", "")


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """What a row's device, number format, runtime and model mean together, or why they mean nothing."""

    reason: str
    fit: PassCoefficients = dataclasses.field(default_factory=PassCoefficients)
    chip: str = ""
    peak_flops: float = 1.0
    bandwidth_bytes_per_s: float = 1.0
    bytes_per_number: float = 1.0
    runtime: str = ""
    assumed: str = ""
    """What the row leaves open and was taken, in words."""
    key: EngineKey = _NO_KEY


def runtimes(inputs: Inputs) -> list[str]:
    """Return the runtime of each row; '' where nothing is stated, `PYTORCH_TABLE` where the row's columns tell PyTorch."""
    stated = inputs.texts("runtime", "framework")
    compiled, layouts = inputs.texts("torch_compile_dynamo"), inputs.texts("memory_layout")
    return [
        runtime or ("pytorch-compile" if is_true(is_compiled) else _eager(layout, is_compiled, row))
        for runtime, is_compiled, layout, row in zip(stated, compiled, layouts, inputs.rows, strict=True)
    ]


def _eager(layout: str, is_compiled: str, row: Row) -> str:
    if not layout and not is_compiled:
        return PYTORCH_TABLE if any(name in row for name in SIZES) else ""
    return "pytorch-nhwc" if layout.lower() in {"nhwc", "channels_last"} else "pytorch"


@functools.lru_cache(maxsize=16384)
def machine(model: str, device: str, precision: str, runtime: str) -> Machine:
    """Return what the cells of a row mean together.

    Args:
        model: Name, as in a model zoo.
        device: Id or product name.
        precision: Number format; FP32 where it is ''.
        runtime: As `runtimes` returns it.
    """
    if not model or not device:
        return Machine(f"{'device' if model else 'model'} is missing")
    peaks, bandwidth, kind, chip = _chip(device)
    if not peaks:
        return Machine(f"device {quoted(device)} is not known; expected a GPU or one of the measured CPUs")
    stated, taken = ("", _taken(kind)) if runtime == PYTORCH_TABLE else (runtime, "")
    try:
        computed = computed_precision(precision or "fp32", kind, chip)
        fit = coefficients(
            architecture_class(model), chip, precision or "fp32", stated or taken, model=model, kind=kind
        )
    except ValueError as problem:
        return Machine(str(problem))
    if taken:
        wider = math.hypot(float(fit.log_sigma), OTHER_RUNTIME_LOG_SIGMA)
        fit = dataclasses.replace(fit, log_sigma=wider, basis="extrapolated")
    peak = (
        peaks.get(computed)
        or peaks.get("fp16" if computed in {"fp16", "int8"} else "fp32")
        or max(peaks.values())
    )
    known = known_model(model)
    key = pass_key(known.name if known else model, chip, stated, precision or "fp32")
    assumed = f"no runtime stated, {taken} taken" if taken else ""
    return Machine(
        "", fit, chip, peak, bandwidth, _BYTES[computed], stated or taken or "unstated", assumed, key
    )


def _taken(kind: str) -> str:
    """Return the runtime to take for a row that is written like PyTorch's public table: on a GPU, the middle of all."""
    return "pytorch-compile" if kind == "cpu" else ""


def _chip(device: str) -> tuple[dict[str, float], float, str, str]:
    """Return peaks by type, memory bandwidth, kind and id of a device; no peaks for one that is not known."""
    table = PassTable.load()
    entry = table.device(device)
    if entry is not None:
        return (
            dict(entry["peak_flops"]),
            entry["memory_bandwidth_bytes_per_s"],
            entry["kind"],
            table.device_id(device),
        )
    found = find_chip(device)
    if found is None or found.kind != "gpu":
        return {}, 1.0, "gpu", ""
    return dict(found.peak_flops), found.memory_bandwidth_bytes_per_s, "gpu", found.id
