"""Calibrated coefficients of the decoder model: how a backend, a chip and a precision behave together."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Values = float | Array

BACKENDS = ("vllm", "trtllm", "sglang")
PRECISIONS = ("bf16", "fp8", "fp4", "int8", "w8a16", "int4", "w4a8")
_COMPUTE_DTYPES = {
    "bf16": ("bf16", "fp16"),
    "fp8": ("fp8", "bf16", "fp16"),
    "fp4": ("fp4", "bf16", "fp16"),
    "int8": ("int8", "bf16", "fp16"),
    "w8a16": ("bf16", "fp16"),
    "int4": ("bf16", "fp16"),
    "w4a8": ("fp8", "int8", "bf16", "fp16"),
}
_MEASURED_LIKE = {"int8": "fp8", "w8a16": "bf16", "int4": "bf16", "w4a8": "fp8"}
_P90_SIGMAS = (
    1.2815515655446004  # standard deviations from the median to the 90 % quantile of a normal variable
)
_LABELS = frozenset({"basis", "source"})


@dataclasses.dataclass(frozen=True, slots=True)
class Coefficients:
    """Numbers fitted to measurements; each field is one value or an array with one entry for each candidate."""

    compute_efficiency: Values
    """Share of the chip's peak matrix rate that large matrix products reach, dimensionless."""
    attention_efficiency: Values
    """Share of the chip's peak 16-bit matrix rate that attention over a prompt reaches, dimensionless."""
    bandwidth_efficiency: Values
    """Share of the chip's memory bandwidth that reading weights reaches, dimensionless."""
    kv_efficiency: Values
    """Share of the chip's memory bandwidth that reading the key-value cache reaches, dimensionless."""
    expert_coverage_ratio: Values
    """Experts woken by a batch as if it had this many times its tokens, dimensionless."""
    layer_overhead_s: Values
    """Time of one layer in one decode step that neither bandwidth nor compute explains, in seconds."""
    expert_overhead_exponent: Values
    """Growth of a layer's overhead with its routed experts beyond 128, as the exponent of a power, dimensionless."""
    prefill_layer_overhead_s: Values
    """The same for one layer of a prefill, in seconds."""
    host_s_per_sequence: Values
    """Time of scheduler, sampler and detokeniser for each sequence of a decode step, in seconds."""
    allreduce_latency_s: Values
    """Time of one all-reduce for each doubling of the accelerators, in seconds."""
    link_efficiency: Values
    """Share of the link's one-way bandwidth that all-reduces reach, dimensionless."""
    prefill_mixing_ratio: Values
    """Share of the other sequences' prefills that delays each output token, dimensionless."""
    ttft_constant_s: Values
    """Time between a request and its first prefill: HTTP, tokeniser, scheduler, in seconds."""
    ttft_layer_s: Values
    """Further time before the first token for each layer, in seconds."""
    ttft_steps: Values
    """Decode steps a new request waits for, dimensionless."""
    queue_slope: Values
    """Prefills a new request waits for, for each (half the other sequences in flight) ** `queue_exponent`."""
    queue_exponent: Values
    """Exponent of the wait for other prefills, dimensionless."""
    memory_share: Values
    """Share of the memory that the engine takes for weights and cache, dimensionless."""
    reserved_output_ratio: Values
    """Share of the answer's tokens for which a request must find room before it is admitted, dimensionless."""
    dequantization_bytes_per_param: Values
    """Further bytes moved for each weight once a batch is past `dequantization_tokens`, in bytes."""
    dequantization_tokens: Values
    """Tokens in a step from which weights are unpacked before they are multiplied, count."""
    tpot_ratio: Values
    """Measured against modelled TPOT of this very model, 1 for a model that was not measured."""
    ttft_ratio: Values
    """Measured against modelled TTFT of this very model, 1 for a model that was not measured."""
    log_sigma_ttft: Values
    """Standard deviation of the natural logarithm of measured / predicted TTFT, dimensionless."""
    log_sigma_tpot: Values
    """Standard deviation of the natural logarithm of measured / predicted TPOT, dimensionless."""
    basis: str = "calibrated"
    """'calibrated': backend, chip and precision were measured together; 'extrapolated': some of them were not."""
    source: str = ""
    """Measurements or publications the values come from."""

    @classmethod
    def gather(cls, table: Sequence[Coefficients], index: npt.NDArray[np.integer[Any]]) -> Coefficients:
        """Return coefficients with one entry for each candidate, taken from a small table.

        Args:
            table: Distinct coefficients with scalar values.
            index: For each candidate, its position in `table`.

        Returns:
            Arrays of the length of `index`, or one value where the whole table agrees; `basis` is 'extrapolated'
            when any entry of `table` is.
        """
        values: dict[str, Values] = {}
        for name in NUMERIC_FIELDS:
            column = np.array([getattr(entry, name) for entry in table], dtype=float)
            values[name] = float(column[0]) if np.all(column == column[0]) else column[index]
        calibrated = all(entry.basis == "calibrated" for entry in table)
        source = "; ".join(dict.fromkeys(entry.source for entry in table))
        return cls(**values, basis="calibrated" if calibrated else "extrapolated", source=source)


NUMERIC_FIELDS = tuple(field.name for field in dataclasses.fields(Coefficients) if field.name not in _LABELS)
_FITTED_FIELDS = tuple(name for name in NUMERIC_FIELDS if not name.startswith("log_sigma"))


def compute_dtype(precision: str, available: Sequence[str]) -> str:
    """Return the data type in which a chip multiplies a model of this precision.

    A chip without FP8 or FP4 units reads the small weights and multiplies in 16 bits.

    Args:
        precision: One of `PRECISIONS`.
        available: Data types for which the chip states a peak rate, such as `accelerator.peak_flops`.

    Raises:
        KeyError: The precision is unknown or the chip has none of the usable types.

    Example:
        >>> compute_dtype("fp4", ["bf16", "fp8"])
        'bf16'
    """
    for dtype in _COMPUTE_DTYPES[precision]:
        if dtype in available:
            return dtype
    message = f"no peak rate for {precision!r} among {sorted(available)}"
    raise KeyError(message)


@functools.cache
def fitted_table() -> Mapping[str, Any]:
    """Return the shipped calibration: coefficients, fit errors, sources and date."""
    text = resources.files("advisor").joinpath("data/decoder_coefficients.json").read_text(encoding="utf-8")
    table: Mapping[str, Any] = json.loads(text)
    return table


def _fitted_values(kind: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, float]:
    values = {}
    for name in _FITTED_FIELDS:
        entry = kind["values"][name]
        value = float(entry["value"])
        for group, key in keys.items():
            value *= float(entry.get(group, {}).get(key, 1.0))
        values[name] = value
    return values


def _scale(values: dict[str, float], ratios: Mapping[str, Any]) -> None:
    for name, ratio in ratios.items():
        values[name] *= float(ratio)


def is_measured_model(model: str, *, mixture_of_experts: bool = False) -> bool:
    """Return whether serving measurements of this very model went into the calibration.

    Args:
        model: Name in the embedded table of models, such as 'Llama-3.1-70B'.
        mixture_of_experts: Whether the model routes tokens to experts.
    """
    kind = fitted_table()["kinds"]["moe" if mixture_of_experts else "dense"]
    return calibration_family(model) in kind["families"]


def calibration_family(model: str) -> str:
    """Return the name under which measurements of a model are pooled: one network under several names is one.

    Example:
        >>> calibration_family("DeepSeek-V3.1")
        'DeepSeek-R1'
    """
    same: Mapping[str, str] = fitted_table()["same_network"]
    return same.get(model, model)


@functools.cache
def coefficients(
    backend: str,
    accelerator_id: str,
    precision: str,
    *,
    mixture_of_experts: bool = False,
    model: str | None = None,
) -> Coefficients:
    """Return the coefficients of one backend on one chip at one precision.

    Args:
        backend: One of `BACKENDS`.
        accelerator_id: Catalogue id of the chip, such as 'h100-sxm'; a chip that was not measured gets the
            shared values, scaled as published for it where possible, and the basis 'extrapolated'.
        precision: One of `PRECISIONS`.
        mixture_of_experts: Whether the model routes tokens to experts: such models were fitted apart.
        model: Name in the embedded table of models; a measured one gets its own ratios and narrower intervals.

    Raises:
        ValueError: The backend or the precision is unknown.

    Example:
        >>> coefficients("vllm", "h100-sxm", "fp8").basis, coefficients("vllm", "l4", "fp8").basis
        ('calibrated', 'extrapolated')
    """
    _refuse_unknown(backend, precision)
    table = fitted_table()
    kind = table["kinds"]["moe" if mixture_of_experts else "dense"]
    measured_like = _MEASURED_LIKE.get(precision, precision)
    values = _fitted_values(
        kind, {"backend": backend, "accelerator": accelerator_id, "precision": measured_like}
    )
    family = calibration_family(model) if model else ""
    for key in (f"{family}|{backend}", f"{family}|{backend}|{accelerator_id}"):
        _scale(values, kind["models"].get(key, {}))
    chip = table["extrapolated_accelerators"].get(accelerator_id, {})
    published = table["published_precisions"].get(precision, {})
    unpacking = published.get(backend, published.get("any", {}))
    values.update(unpacking.get("set", {}))
    for ratios in (chip.get("scale", {}), unpacking.get("scale", {})):
        _scale(values, ratios)
    measured = [backend, accelerator_id, precision] in table["measured"]
    known = {"seen_model": bool(family) and family in kind["families"], "seen_chip": measured}
    for target in ("ttft", "tpot"):
        low, high = interval_factor(
            target,
            backend=backend,
            mixture_of_experts=mixture_of_experts,
            accelerator_id=accelerator_id,
            **known,
        )
        values[f"log_sigma_{target}"] = math.log(high / low) / (2.0 * _P90_SIGMAS)
    sources = [str(table["source"]), str(chip.get("source", "")), str(published.get("source", ""))]
    basis = "calibrated" if measured else "extrapolated"
    return Coefficients(**values, basis=basis, source="; ".join(filter(None, sources)))


def _refuse_unknown(backend: str, precision: str) -> None:
    if backend not in BACKENDS:
        message = f"unknown serving backend {backend!r}; expected one of {', '.join(BACKENDS)}"
        raise ValueError(message)
    if precision not in PRECISIONS:
        message = f"unknown precision {precision!r}; expected one of {', '.join(PRECISIONS)}"
        raise ValueError(message)


def interval_factor(
    target: str,
    *,
    backend: str,
    mixture_of_experts: bool = False,
    seen_model: bool = False,
    seen_chip: bool = True,
    accelerator_id: str = "",
    neighbours: bool = False,
) -> tuple[float, float]:
    """Return what to multiply a prediction by for the 10 % and the 90 % end of its interval.

    The factors are quantiles of measured / predicted on rows (or whole models, or whole chips) that the fit had
    not seen; they need not lie symmetrically around 1.

    Args:
        target: 'ttft' or 'tpot'.
        backend: One of `BACKENDS`; one without measurements of that kind gets the pooled, wider factors.
        mixture_of_experts: Whether the model routes tokens to experts.
        seen_model: Whether the model itself was measured, see `is_measured_model`.
        seen_chip: Whether the chip was measured with this backend and precision.
        accelerator_id: Widens the interval by what else is unknown about a chip that was not measured.
        neighbours: Whether the prediction takes in what measured neighbours say: the factors are then those where
            none is near; raise both to the `spread` of `advisor.performance.decoder_neighbours.Nearby`.

    Example:
        >>> low, high = interval_factor("tpot", backend="vllm")
        >>> low < 1.0 < high
        True
    """
    table = fitted_table()
    case = ("seen_model" if seen_model else "unseen_model") + ("" if seen_chip else "_unseen_chip")
    case += "_near" if neighbours and seen_model else ""
    ends = table["kinds"]["moe" if mixture_of_experts else "dense"]["intervals"][target][case]
    low, high = (math.log(end) for end in ends.get(backend, ends["pooled"]))
    spread = _P90_SIGMAS * float(
        table["extrapolated_accelerators"].get(accelerator_id, {}).get("log_sigma", 0.0)
    )
    middle = (low + high) / 2.0
    half = math.hypot((high - low) / 2.0, spread)
    return math.exp(middle - half), math.exp(middle + half)
