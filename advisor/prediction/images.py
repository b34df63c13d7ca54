"""Rows of image models and encoders that always run full batches: items per second."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from advisor.calibration import Calibration, Engine, EngineKey, PassFactors, pass_key
from advisor.calibration.applied import Applied
from advisor.calibration.factors import narrowed
from advisor.performance.architectures import architecture_class, default_layers
from advisor.performance.pass_coefficients import PassCoefficients, coefficients
from advisor.performance.pass_table import PassTable, computed_precision
from advisor.performance.passes import PassEngine, fixed_s, interval_factor, item_s
from advisor.prediction.inputs import Inputs, Row, cell, is_true, quoted
from advisor.prediction.names import find_chip, known_model
from advisor.prediction.outcome import Array, Outcome, basis_of, columns_with_interval, with_interval

OUTPUTS = columns_with_interval("throughput_images_per_s")
DEVICE = ("device", "gpu", "system", "hardware")
SIZES = ("params_millions", "gmacs_per_image", "macts_millions_per_image")
_SIDE = ("img_size_px", "infer_img_size", "img_size")
_BYTES = {"fp16": 2.0, "tf32": 4.0, "fp32": 4.0, "int8": 1.0}
_USUAL_SIDE_PX = 224.0
_NO_KEY = EngineKey("", "", "", "")

KnownSizes = dict[str, dict[float, tuple[float, float, float]]]
"""Millions of parameters, billions of multiply-accumulates and millions of activations, by model and image side in px."""


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
    key: EngineKey = _NO_KEY


def recognises(row: Row) -> bool:
    """Return whether a row is about whole batches on one device."""
    return bool(cell(row, "batch_size")) and bool(cell(row, "device", *SIZES))


def known_sizes(rows: Iterable[Row]) -> KnownSizes:
    """Return the sizes of models that rows state, for rows of the same model that leave them out.

    Example:
        >>> row = {"model": "net", "img_size_px": "224", "params_millions": "5", "gmacs_per_image": "0.4",
        ...        "macts_millions_per_image": "6.8"}
        >>> known_sizes([row])
        {'net': {224.0: (5.0, 0.4, 6.8)}}
    """
    found: KnownSizes = {}
    for row in rows:
        texts = [cell(row, name) for name in SIZES]
        model = cell(row, "model")
        if not all(texts) or not model:
            continue
        try:
            side = float(cell(row, *_SIDE) or _USUAL_SIDE_PX)
            parameters, macs, activations = map(float, texts)
        except ValueError:
            continue
        if side > 0.0 and parameters > 0.0 and macs > 0.0 and activations > 0.0:
            found.setdefault(model, {}).setdefault(side, (parameters, macs, activations))
    return found


def predict(
    rows: Sequence[Row], sizes: KnownSizes | None = None, calibration: Calibration | None = None
) -> Outcome:
    """Return images (or sequences) per second when every batch is full, with the interval.

    Args:
        rows: Mappings with `model, device, precision, batch_size` and `params_millions, gmacs_per_image,
            macts_millions_per_image`; the three may be missing where the model is built in or `sizes` has it.
            `memory_layout` and `torch_compile_dynamo` say how PyTorch runs it.
        sizes: What other rows state of the same models.
        calibration: What the user measured; rows to which it applies move and are surer.
    """
    asked = passes_of(rows, sizes)
    values = _predicted(asked, calibration)
    inputs, index, machines, models = asked.inputs, asked.index, asked.machines, asked.models
    refused = np.array([bool(reason) for reason in inputs.reasons])
    own = asked.engines(calibration)
    return Outcome(
        {name: np.where(refused, np.nan, column) for name, column in values.items()},
        tuple(
            ""
            if inputs.reasons[place]
            else _own_basis(own[number]) or _basis(machines[number], models[place])
            for place, number in enumerate(index.tolist())
        ),
        tuple(inputs.reasons),
        family=tuple(map(_family, models)),
        backend=tuple(machines[number].runtime for number in index.tolist()),
        chip=tuple(machines[number].chip for number in index.tolist()),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Passes:
    """Rows of batches as engines, one entry for each row."""

    inputs: Inputs
    batch: Array
    models: tuple[str, ...]
    machines: tuple[Machine, ...]
    """Distinct combinations of model, device, number format and runtime."""
    index: npt.NDArray[np.int64]
    engine: PassEngine

    def engines(self, calibration: Calibration | None) -> tuple[Engine | None, ...]:
        """Return what of the user's calibration applies to each of the machines."""
        return tuple(calibration.of(one.key) if calibration else None for one in self.machines)


def passes_of(rows: Sequence[Row], sizes: KnownSizes | None = None) -> Passes:
    """Return the engines of rows; rows that mean none are refused."""
    inputs = Inputs.of(rows)
    batch = inputs.numbers("batch_size", least=1.0, most=1e6)
    models = inputs.texts("model")
    millions = _sizes(inputs, models, known_sizes(rows) if sizes is None else sizes)
    devices, precisions = inputs.texts(*DEVICE), inputs.texts("precision", "dtype")
    keys = list(zip(models, devices, precisions, _runtimes(inputs), strict=True))
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    machines = [_machine(*key) for key in places]
    index = np.array([places[key] for key in keys], dtype=np.int64)
    for place, number in enumerate(index.tolist()):
        if machines[number].reason:
            inputs.refuse(place, machines[number].reason)
    return Passes(
        inputs, batch, tuple(models), tuple(machines), index, _engine(machines, index, models, millions)
    )


def _engine(
    machines: Sequence[Machine],
    index: npt.NDArray[np.int64],
    models: Sequence[str],
    millions: Mapping[str, Array],
) -> PassEngine:
    gathered = {
        name: np.array([getattr(machine, name) for machine in machines], dtype=float)[index]
        for name in ("bytes_per_number", "peak_flops", "bandwidth_bytes_per_s")
    }
    return PassEngine(
        parameters=1e6 * millions["params_millions"],
        flops_per_item=2e9 * millions["gmacs_per_image"],
        activations_per_item=1e6 * millions["macts_millions_per_image"],
        layers=np.array([default_layers(architecture_class(model or "resnet")) for model in models]),
        weight_bytes_per_param=gathered["bytes_per_number"],
        activation_bytes=gathered["bytes_per_number"],
        peak_flops=gathered["peak_flops"],
        memory_bandwidth_bytes_per_s=gathered["bandwidth_bytes_per_s"],
        coefficients=PassCoefficients.gather([machine.fit for machine in machines], index),
    )


def _predicted(asked: Passes, calibration: Calibration | None) -> dict[str, Array]:
    applied = Applied(asked.engines(calibration), asked.index)
    factors = PassFactors.gather(applied.engines, applied.index)
    fixed, items = (np.asarray(part(asked.engine), dtype=float) for part in (fixed_s, item_s))
    fixed, items = factors.fixed * fixed, factors.item * items * asked.batch
    share = items / (fixed + items)
    fit = asked.engine.coefficients
    spread = narrowed(fit.log_sigma, *applied.learnt(1.0 - share, share, accelerators=1.0))
    rate = asked.batch / (fixed + items)
    factor = np.asarray(interval_factor(dataclasses.replace(fit, log_sigma=spread)))
    return with_interval("throughput_images_per_s", rate, rate / factor, rate * factor)


def _own_basis(engine: Engine | None) -> str:
    return engine.words if engine else ""


def _sizes(inputs: Inputs, models: Sequence[str], known: KnownSizes) -> dict[str, Array]:
    """Return the sizes of every row: stated, else of the same model elsewhere, else of the built-in model."""
    filled = list(inputs.rows)
    for place, row in enumerate(inputs.rows):
        missing = [name for name in SIZES if not cell(row, name)]
        found = _elsewhere(models[place], cell(row, *_SIDE), known) if missing else None
        if found:
            filled[place] = {**row, **{name: found[SIZES.index(name)] for name in missing}}
    reader = Inputs(filled, inputs.reasons, SIZES)
    return {
        "params_millions": reader.numbers("params_millions", least=1e-3, most=1e6),
        "gmacs_per_image": reader.numbers("gmacs_per_image", least=1e-3, most=1e6),
        "macts_millions_per_image": reader.numbers("macts_millions_per_image", least=1e-3, most=1e6),
    }


def _elsewhere(model: str, side_text: str, known: KnownSizes) -> tuple[float, float, float] | None:
    try:
        side = float(side_text or _USUAL_SIDE_PX)
    except ValueError:
        return None
    if not (math.isfinite(side) and side > 0.0):
        return None
    if sizes := known.get(model):
        nearest = min(sizes, key=lambda other: abs(math.log(other / side)))
        parameters, macs, activations = sizes[nearest]
        return parameters, macs * (side / nearest) ** 2, activations * (side / nearest) ** 2
    return _built_in(model, side)


@functools.lru_cache(maxsize=4096)
def _built_in(model: str, side: float) -> tuple[float, float, float] | None:
    name = model.partition(".")[0]
    spec = next((found for text in (model, name) if text and (found := known_model(text))), None)
    if spec is None or spec.family != "cnn":
        return None
    return spec.parameters / 1e6, spec.flops(size=side) / 2e9, spec.activations(size=side) / 1e6


def _runtimes(inputs: Inputs) -> list[str]:
    """Return the runtime of each row; '' where nothing is stated, the middle of what was measured."""
    stated = inputs.texts("runtime", "framework")
    compiled, layouts = inputs.texts("torch_compile_dynamo"), inputs.texts("memory_layout")
    return [
        runtime or ("pytorch-compile" if is_true(is_compiled) else _eager(layout, is_compiled))
        for runtime, is_compiled, layout in zip(stated, compiled, layouts, strict=True)
    ]


def _eager(layout: str, is_compiled: str) -> str:
    if not layout and not is_compiled:
        return ""
    return "pytorch-nhwc" if layout.lower() in {"nhwc", "channels_last"} else "pytorch"


@functools.lru_cache(maxsize=16384)
def _machine(model: str, device: str, precision: str, runtime: str) -> Machine:
    if not model or not device:
        return Machine(f"{'device' if model else 'model'} is missing")
    peaks, bandwidth, kind, chip = _chip(device)
    if not peaks:
        return Machine(f"device {quoted(device)} is not known; expected a GPU or one of the measured CPUs")
    architecture = architecture_class(model)
    try:
        computed = computed_precision(precision or "fp32", kind, chip)
        fit = coefficients(architecture, chip, precision or "fp32", runtime, model=model, kind=kind)
    except ValueError as problem:
        return Machine(str(problem))
    peak = (
        peaks.get(computed)
        or peaks.get("fp16" if computed in {"fp16", "int8"} else "fp32")
        or max(peaks.values())
    )
    known = known_model(model)
    key = pass_key(known.name if known else model, chip, runtime, precision or "fp32")
    return Machine("", fit, chip, peak, bandwidth, _BYTES[computed], runtime or "unstated", key)


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


def _family(model: str) -> str:
    name = architecture_class(model) if model else ""
    return {"vit": "vision transformer", "window": "vision transformer", "": ""}.get(
        name, "encoder" if name == "encoder" else "cnn"
    )


def _basis(machine: Machine, model: str) -> str:
    if machine.fit.basis == "calibrated":
        return basis_of("")
    _, _, absent = machine.fit.source.partition("not among them: ")
    return basis_of(f"not measured: {absent or model}")
