"""Rows of image models and encoders that always run full batches: items per second, and the time of a batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from advisor.calibration import Calibration, Engine, PassFactors
from advisor.calibration.applied import Applied
from advisor.calibration.factors import narrowed
from advisor.performance.architectures import architecture_class, default_layers
from advisor.performance.pass_coefficients import PassCoefficients
from advisor.performance.passes import PassEngine, fixed_s, item_s
from advisor.prediction import serving
from advisor.prediction.inputs import Inputs, Row, cell
from advisor.prediction.item_sizes import SIZES, KnownSizes, item_sizes, known_sizes
from advisor.prediction.machines import DEVICE, PRECISION, Machine, machine, runtimes
from advisor.prediction.outcome import (
    Z_90_PERCENT,
    Array,
    Outcome,
    basis_of,
    columns_with_interval,
    with_interval,
)

OUTPUTS = columns_with_interval("throughput_images_per_s", "step_time_ms")


def recognises(row: Row) -> bool:
    """Return whether a row is about whole batches on one device, and not about the serving of a language model."""
    if not cell(row, "batch_size"):
        return False
    if cell(row, "device", *SIZES):
        return True
    return bool(cell(row, *DEVICE)) and not any(name in row for name in serving.INPUT_TOKENS)


def predict(
    rows: Sequence[Row], sizes: KnownSizes | None = None, calibration: Calibration | None = None
) -> Outcome:
    """Return images (or sequences) per second when every batch is full, and the time of a batch, with intervals.

    Args:
        rows: Mappings with `model, device` (or `gpu`, `cpu`), `precision, batch_size` and `params_millions,
            gmacs_per_image, macts_millions_per_image`; the three may be missing where the model is built in (an
            encoder then needs `sequence_length` in tokens) or `sizes` has it. `runtime`, or `memory_layout` and
            `torch_compile_dynamo`, say what runs it.
        sizes: What other rows state of the same models.
        calibration: What the user measured; rows to which it applies move and are surer.
    """
    asked = passes_of(rows, sizes)
    values = _predicted(asked, calibration)
    return outcome_of(asked, values, calibration)


def outcome_of(asked: Passes, values: Mapping[str, Array], calibration: Calibration | None) -> Outcome:
    """Return predictions of rows with what they rest on; those of refused rows are left out."""
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


def passes_of(
    rows: Sequence[Row], sizes: KnownSizes | None = None, *, batch: tuple[str, ...] = ("batch_size",)
) -> Passes:
    """Return the engines of rows; rows that mean none are refused.

    Args:
        rows: As for `predict`.
        sizes: As for `predict`.
        batch: Columns of the items in a batch; a row that states none is refused.
    """
    inputs = Inputs.of(rows)
    items = inputs.numbers(*batch, least=1.0, most=1e6)
    models = inputs.texts("model")
    millions = item_sizes(inputs, models, known_sizes(rows) if sizes is None else sizes)
    devices, precisions = inputs.texts(*DEVICE), inputs.texts(*PRECISION)
    keys = list(zip(models, devices, precisions, runtimes(inputs), strict=True))
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    machines = [machine(*key) for key in places]
    index = np.array([places[key] for key in keys], dtype=np.int64)
    for place, number in enumerate(index.tolist()):
        if machines[number].reason:
            inputs.refuse(place, machines[number].reason)
    return Passes(
        inputs, items, tuple(models), tuple(machines), index, _engine(machines, index, models, millions)
    )


def _engine(
    machines: Sequence[Machine],
    index: npt.NDArray[np.int64],
    models: Sequence[str],
    millions: Mapping[str, Array],
) -> PassEngine:
    gathered = {
        name: np.array([getattr(one, name) for one in machines], dtype=float)[index]
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
        coefficients=PassCoefficients.gather([one.fit for one in machines], index),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class BatchTimes:
    """How long a batch takes: `fixed_s + item_s x items`, in seconds, one entry for each row."""

    fixed_s: Array
    item_s: Array
    log_sigma: Array
    """Standard deviation of the logarithm of measured / predicted time of the batch that the row states, dimensionless."""


def batch_times(asked: Passes, calibration: Calibration | None) -> BatchTimes:
    """Return the times of batches, as the user's own runs move them."""
    applied = Applied(asked.engines(calibration), asked.index)
    factors = PassFactors.gather(applied.engines, applied.index)
    fixed, item = (np.asarray(part(asked.engine), dtype=float) for part in (fixed_s, item_s))
    fixed, item = factors.fixed * fixed, factors.item * item
    share = item * asked.batch / (fixed + item * asked.batch)
    spread = narrowed(
        asked.engine.coefficients.log_sigma, *applied.learnt(1.0 - share, share, accelerators=1.0)
    )
    return BatchTimes(fixed, item, np.asarray(spread))


def _predicted(asked: Passes, calibration: Calibration | None) -> dict[str, Array]:
    times = batch_times(asked, calibration)
    seconds = times.fixed_s + times.item_s * asked.batch
    rate, time_ms = asked.batch / seconds, 1e3 * seconds
    factor = np.exp(Z_90_PERCENT * times.log_sigma)
    return {
        **with_interval("throughput_images_per_s", rate, rate / factor, rate * factor),
        **with_interval("step_time_ms", time_ms, time_ms / factor, time_ms * factor),
    }


def _own_basis(engine: Engine | None) -> str:
    return engine.words if engine else ""


def _family(model: str) -> str:
    name = architecture_class(model) if model else ""
    return {"vit": "vision transformer", "window": "vision transformer", "": ""}.get(
        name, "encoder" if name == "encoder" else "cnn"
    )


def _basis(found: Machine, model: str) -> str:
    if found.fit.basis == "calibrated" and not found.assumed:
        return basis_of("")
    _, _, absent = found.fit.source.partition("not among them: ")
    return basis_of("; ".join(filter(None, (found.assumed, absent and f"not measured: {absent}"))) or model)
