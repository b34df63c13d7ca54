"""Measured serving rows as engines: what the columns of public benchmarks mean for the decoder model."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from advisor.performance.decoder import DecoderEngine
from advisor.performance.decoder_coefficients import (
    BACKENDS,
    PRECISIONS,
    Coefficients,
    coefficients,
    compute_dtype,
)

if TYPE_CHECKING:
    from advisor.catalog import Accelerator
    from advisor.models import ModelSpec

_DEFAULT_LINK_BYTES_PER_S = 31e9
_WEIGHT_BYTES = {
    "bf16": 2.0,
    "fp8": 1.0,
    "fp4": 0.5625,
    "int8": 1.0,
    "w8a16": 1.0,
    "int4": 0.53125,
    "w4a8": 0.53125,
}
_MXFP4_BYTES = 0.53125
_MOST_TENSOR_PARALLEL = 8
_MOST_ACCELERATORS = 16
_FOUR_BITS = frozenset({"fp4", "int4", "w4a8"})
_SYSTEMS = {
    "h100_sxm": "h100-sxm",
    "h200_sxm": "h200-sxm",
    "b200_sxm": "b200",
    "b300_sxm": "b300",
    "a100_sxm": "a100-sxm-80",
    "a100_pcie": "a100-pcie-80",
    "rtx_pro_6000_server": "rtx-pro-6000-server",
}


@dataclasses.dataclass(frozen=True, slots=True)
class ServingRow:
    """One measured or planned deployment, in the columns of the public serving tables."""

    model: ModelSpec
    accelerator: Accelerator
    backend: str
    precision: str
    tp_size: float = 1.0
    pp_size: float = 1.0
    moe_tp_size: float = 1.0
    moe_ep_size: float = 1.0
    attention_dp_size: float = 1.0


def accelerator_id(system: str) -> str:
    """Return the catalogue id of a chip as the public serving tables name it.

    Example:
        >>> accelerator_id("b200_sxm"), accelerator_id("l40s")
        ('b200', 'l40s')
    """
    name = system.strip().lower()
    return _SYSTEMS.get(name, name.replace("_", "-"))


def served_precision(model_id: str, precision: str | None) -> str:
    """Return the precision of a row: the stated one, else what the name of the checkpoint says, else bf16.

    Example:
        >>> served_precision("Qwen/Qwen3-32B-FP8", None), served_precision("Qwen/Qwen3-32B", "")
        ('fp8', 'bf16')
    """
    if precision:
        return {"nvfp4": "fp4", "mxfp4": "fp4", "fp8_block": "fp8", "fp16": "bf16"}.get(precision, precision)
    found = re.search(r"fp8|fp4|int4|awq|gptq", model_id.lower())
    return {"awq": "int4", "gptq": "int4"}.get(found[0], found[0]) if found else "bf16"


def parallel_layout(
    *, tp_size: float, moe_tp_size: float = 1.0, moe_ep_size: float = 1.0, attention_dp_size: float = 1.0
) -> tuple[int, int, int]:
    """Return (tensor, data, expert) parallelism of one replica from the columns of the public tables.

    - `tp_size` 16 or 64 with `moe_tp_size` = `moe_ep_size` = 4 or 8 is one replica of 4 or 8 accelerators.
    - `attention_dp_size` above 1 means a copy of the attention on each accelerator; its value may be counted
      once for every expert group, so the accelerators are `tp_size`, or the larger expert size where that is 1.
    - `moe_tp_size` or `moe_ep_size` above `tp_size` counts the accelerators.

    Args:
        tp_size: Accelerators that share the attention; missing is 1.
        moe_tp_size: Accelerators that share one expert; missing is 1.
        moe_ep_size: Groups with different experts; missing is 1.
        attention_dp_size: Copies of the attention; missing is 1.

    Example:
        >>> parallel_layout(tp_size=64, moe_tp_size=8, moe_ep_size=8)
        (8, 1, 8)
        >>> parallel_layout(tp_size=1, moe_tp_size=8, moe_ep_size=8, attention_dp_size=64)
        (1, 8, 8)
    """
    sizes = (tp_size, moe_tp_size, moe_ep_size, attention_dp_size)
    tensor, expert_tensor, expert, data = (int(size) if size >= 1.0 else 1 for size in sizes)
    if expert_tensor == expert and tensor >= 16 and tensor == expert_tensor * expert:
        tensor = expert
    if data > 1:
        chips = tensor if tensor > 1 else max(expert_tensor, expert)
        return 1, chips, chips if expert > 1 else 1
    chips = max(tensor, expert_tensor, expert)
    return chips, 1, chips if expert > 1 else 1


def unsupported_reason(row: ServingRow) -> str:
    """Return why a row gets no prediction, or '' where it gets one.

    Args:
        row: Deployment.

    Assumes:
        A replica of more than 16 accelerators, or of more than 8 with tensor parallelism, spans machines or is
        disaggregated: no row of plain serving of that size was measured.
    """
    named = {
        f"{row.model.name} does not generate tokens": row.model.family != "decoder",
        f"serving backend '{row.backend}' is not one of {', '.join(BACKENDS)}": row.backend not in BACKENDS,
        f"precision '{row.precision}' is not one of {', '.join(PRECISIONS)}": row.precision not in PRECISIONS,
        f"{row.accelerator.name} is not a GPU, and only GPUs were measured": row.accelerator.kind != "gpu",
    }
    reason = next((words for words, applies in named.items() if applies), "")
    return reason or _size_reason(row)


def _size_reason(row: ServingRow) -> str:
    tensor, data, _ = layout_of(row)
    if tensor > _MOST_TENSOR_PARALLEL or tensor * data > _MOST_ACCELERATORS:
        return f"a replica of {tensor * data} accelerators is larger than any that was measured"
    engine = engine_of_rows([row])
    if np.any(engine.weight_bytes_per_accelerator >= np.asarray(engine.memory_bytes)):
        return f"the weights do not fit {tensor * data} x {row.accelerator.name}"
    return ""


def layout_of(row: ServingRow) -> tuple[int, int, int]:
    """Return (tensor, data, expert) parallelism of one replica."""
    return parallel_layout(
        tp_size=row.tp_size,
        moe_tp_size=row.moe_tp_size,
        moe_ep_size=row.moe_ep_size,
        attention_dp_size=row.attention_dp_size,
    )


def _weights(row: ServingRow) -> tuple[str, float, float]:
    """Return precision, bytes of a weight outside the experts, and the ratio inside the experts."""
    if row.model.weight_dtype in {"mxfp4", "fp4"} and row.model.experts:
        return "fp4", 2.0, _MXFP4_BYTES / 2.0
    size = _WEIGHT_BYTES[row.precision]
    if row.model.experts and row.precision in _FOUR_BITS:
        return row.precision, 1.0, size
    return row.precision, size, 1.0


def weight_precision(row: ServingRow) -> str:
    """Return the precision under which a row was calibrated: that of its experts where the checkpoint fixes it."""
    return _weights(row)[0]


def _cache_bytes(row: ServingRow) -> float:
    eight_bits = row.precision in {"fp8", "fp4"} and row.model.weight_dtype not in {"mxfp4", "fp4"}
    return row.model.kv_elements_per_token * (1.0 if eight_bits else 2.0)


def _row_coefficients(row: ServingRow) -> Coefficients:
    return coefficients(
        row.backend,
        row.accelerator.id,
        weight_precision(row),
        mixture_of_experts=bool(row.model.experts),
        model=row.model.name,
    )


def engine_of_rows(rows: Sequence[ServingRow], fitted: Coefficients | None = None) -> DecoderEngine:
    """Return the replicas that rows describe, one entry for each row, in their order.

    Args:
        rows: Deployments.
        fitted: Coefficients to use instead of the shipped ones, one entry for each row.

    Assumes:
        Weights outside the experts of a 4-bit mixture are kept at 8 bits, those of an MXFP4 checkpoint at 16;
        the cache has 8 bits where weights have 8 or 4, else 16; both are what the common recipes do and the
        rows do not state it.
    """
    layouts = list(map(layout_of, rows))
    tensor, data, _ = (np.array(column, dtype=float) for column in zip(*layouts, strict=True))
    weights = [_weights(row) for row in rows]
    models = [row.model for row in rows]
    chips = [row.accelerator for row in rows]
    tables = np.array([float(model.vocab_size or 0) * float(model.hidden_size or 0) for model in models])
    if fitted is None:
        distinct = list(dict.fromkeys(map(_row_coefficients, rows)))
        places = {entry: place for place, entry in enumerate(distinct)}
        fitted = Coefficients.gather(distinct, np.array([places[_row_coefficients(row)] for row in rows]))
    return DecoderEngine(
        dense_params=_column(model.parameters - float(model.expert_parameters or 0) for model in models),
        expert_params=_column(model.expert_parameters or 0 for model in models),
        experts=_column(model.experts or 0 for model in models),
        experts_per_token=_column(model.experts_per_token or 0 for model in models),
        layers=_column(model.layers or 0 for model in models),
        hidden_size=_column(model.hidden_size or 0 for model in models),
        kv_bytes_per_token=_column(map(_cache_bytes, rows)),
        attention_flops_per_token_squared=_column(map(_attention_flops, models)),
        weight_bytes_per_param=_column(size for _, size, _ in weights),
        peak_flops=_column(
            chip.peak_flops[compute_dtype(precision, tuple(chip.peak_flops))]
            for chip, (precision, _, _) in zip(chips, weights, strict=True)
        ),
        attention_peak_flops=_column(
            chip.peak_flops[compute_dtype("bf16", tuple(chip.peak_flops))] for chip in chips
        ),
        memory_bandwidth_bytes_per_s=_column(chip.memory_bandwidth_bytes_per_s for chip in chips),
        interconnect_bytes_per_s=_column(
            chip.interconnect_bytes_per_s or _DEFAULT_LINK_BYTES_PER_S for chip in chips
        ),
        tensor_parallel=tensor,
        data_parallel=data,
        pipeline_parallel=_column(
            max(row.pp_size, 1.0) if row.pp_size == row.pp_size else 1.0 for row in rows
        ),
        coefficients=fitted,
        embedding_params=np.where(
            _column(has_tied_tables(model) for model in models) > 0, tables, 2.0 * tables
        ),
        head_params=tables,
        expert_weight_ratio=_column(ratio for _, _, ratio in weights),
        kv_heads=_column(model.kv_heads or 1 for model in models),
        memory_bytes=_column(chip.memory_bytes for chip in chips),
    )


def _attention_flops(model: ModelSpec) -> float:
    layers = float(model.full_attention_layers or model.layers or 0)
    return 4.0 * layers * float(model.attention_heads or 0) * float(model.head_dim or 0)


def has_tied_tables(model: ModelSpec) -> bool:
    """Return whether input and output table are likely one: small models share them."""
    tables = 2.0 * float(model.vocab_size or 0) * float(model.hidden_size or 0)
    return tables > 0.18 * model.parameters


def _column(values: object) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.fromiter(values, dtype=float)  # type: ignore[call-overload, no-any-return]
