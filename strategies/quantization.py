"""Quantization: fewer bits for weights, activations and the key-value cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from advisor.strategies.formats import FORMATS, weight_bytes_ratio
from advisor.strategy import Deltas, Option, Requires, neutral

if TYPE_CHECKING:
    from advisor.catalog import InstanceType
    from advisor.models import ModelSpec
    from advisor.workload import Workload

SUPPORT = "hardware table in the documentation of llm-compressor and vLLM"
EFFORT = "assumed: working hours to calibrate, evaluate and roll out a new checkpoint"


@dataclass(frozen=True, slots=True)
class _Recipe:
    """A way to quantize one family of models; hours of one-time work are for the recipe, GPU-hours a billion parameters."""

    id: str
    title: str
    format: str
    treatment: str
    requires: Requires
    evidence: tuple[str, ...]
    engineer_hours: float
    gpu_hours_per_billion: float
    tool: str
    risk: str


def _gpu(capability: float, *dtypes: str, runtimes: tuple[str, ...] = ()) -> Requires:
    return Requires(
        accelerator_kinds=("gpu",),
        min_compute_capability=capability,
        dtypes=dtypes,
        runtimes=runtimes,
        source=SUPPORT,
    )


_DECODER = (
    _Recipe(
        "fp8",
        "FP8 weights and activations",
        "fp8",
        "fp8-w8a8",
        _gpu(8.9, "fp8"),
        ("QU-0400", "QU-0403", "QU-0406", "QU-0412", "QU-1031"),
        24.0,
        0.01,
        "FP8_DYNAMIC",
        "Single tasks can lose far more than the average: -5.5 % on GSM8K has been published for per-tensor FP8.",
    ),
    _Recipe(
        "int8",
        "INT8 weights and activations (SmoothQuant)",
        "int8",
        "int8-w8a8",
        _gpu(7.5, "int8"),
        ("QU-0143", "QU-1009"),
        40.0,
        0.03,
        "W8A8",
        "Depends on the recipe more than on the model; outlier channels need smoothing.",
    ),
    _Recipe(
        "int4-weights",
        "INT4 weights, 16-bit activations (AWQ or GPTQ)",
        "int4",
        "int4-w4a16",
        _gpu(7.5, "fp16", "bf16"),
        ("QU-0401", "QU-0404", "QU-0407", "QU-0635", "QU-0959"),
        40.0,
        0.03,
        "W4A16",
        "Helps when few sequences are in flight; once compute-bound, dequantizing costs throughput.",
    ),
    _Recipe(
        "w4a8",
        "INT4 weights, FP8 activations",
        "w4a8",
        "int4-w4a8",
        _gpu(9.0, "fp8", runtimes=("trtllm", "vllm")),
        ("QU-0402", "QU-0405", "QU-0408"),
        60.0,
        0.05,
        "W4AFP8",
        "Few published measurements.",
    ),
    _Recipe(
        "nvfp4",
        "NVFP4 weights and activations",
        "fp4",
        "nvfp4",
        _gpu(10.0, "fp4"),
        ("QU-0434",),
        40.0,
        0.03,
        "NVFP4",
        "Loses about 6 % without retraining in vendor tables.",
    ),
    _Recipe(
        "nvfp4-qat",
        "NVFP4 with quantization-aware training",
        "fp4",
        "nvfp4-qat",
        _gpu(10.0, "fp4"),
        ("QU-0435",),
        160.0,
        20.0,
        "NVFP4",
        "Needs the training pipeline and data.",
    ),
    _Recipe(
        "int4-qat",
        "INT4 weights with quantization-aware training (LoRA)",
        "int4",
        "int4-w4a16-qat",
        _gpu(7.5, "fp16", "bf16"),
        ("QU-0524", "QU-0422"),
        160.0,
        20.0,
        "W4A16",
        "Needs the training pipeline and data.",
    ),
)

_CPU_INT8 = Requires(
    accelerator_kinds=("cpu",), dtypes=("int8",), source="Intel Neural Compressor validated models"
)
_PASS = (
    _Recipe(
        "fp16",
        "16-bit weights and activations",
        "fp16",
        "",
        _gpu(6.0, "fp16"),
        (),
        8.0,
        0.0,
        "",
        "Overflow in layers with large activations; check the output once.",
    ),
    _Recipe(
        "bf16-amx",
        "BF16 on matrix units of the CPU",
        "bf16",
        "",
        Requires(accelerator_kinds=("cpu",), dtypes=("bf16",), source="vendor data sheets"),
        (),
        8.0,
        0.0,
        "",
        "Needs a runtime built with oneDNN.",
    ),
    _Recipe(
        "int8",
        "INT8 after training (static calibration)",
        "int8",
        "int8-w8a8",
        _gpu(7.5, "int8"),
        ("QU-0003", "QU-0344", "QU-0240"),
        40.0,
        1.0,
        "TensorRT INT8",
        "Depthwise networks lose most: MobileNet and EfficientNet up to several points.",
    ),
    _Recipe(
        "int8-cpu",
        "INT8 after training on the CPU",
        "int8",
        "int8-w8a8",
        _CPU_INT8,
        ("QU-0003", "QU-0026", "QU-0094"),
        40.0,
        0.0,
        "Intel Neural Compressor or OpenVINO",
        "The same file loses accuracy on CPUs without matching INT8 instructions.",
    ),
    _Recipe(
        "int8-qat",
        "INT8 with quantization-aware training",
        "int8",
        "int8-w8a8-qat",
        _gpu(7.5, "int8"),
        ("QU-0062", "QU-0190"),
        120.0,
        400.0,
        "TensorRT INT8",
        "Needs the training pipeline and data.",
    ),
    _Recipe(
        "int8-qat-cpu",
        "INT8 with quantization-aware training on the CPU",
        "int8",
        "int8-w8a8-qat",
        _CPU_INT8,
        ("QU-0062", "QU-0190"),
        120.0,
        400.0,
        "Intel Neural Compressor or OpenVINO",
        "Needs the training pipeline and data.",
    ),
)
_KV = Deltas(kv_bytes_ratio=0.5, treatments=("kv-fp8",), engineer_hours=8.0)


class Quantization:
    """Formats of weights and activations, each with or without an 8-bit key-value cache."""

    name = "quantization"
    title = "Quantization"

    def options(self, workload: Workload, instance_type: InstanceType) -> Sequence[Option]:  # noqa: ARG002 - one list for every machine
        """Return today's format, then every recipe for the family; see `advisor.strategy.Strategy`."""
        return _recipes(workload.model, workload.serving.precision, workload.serving.kv_precision)


@lru_cache(maxsize=256)
def _recipes(model: ModelSpec, today: str, kv_today: str) -> tuple[Option, ...]:
    keep = neutral(f"Keep {today}")
    recipes = _DECODER if model.family == "decoder" else _PASS
    plain = [
        _option(recipe, model, today)
        for recipe in recipes
        if FORMATS[recipe.format].bits < FORMATS[today].bits
    ]
    if model.family != "decoder" or kv_today != "bf16":
        return (keep, *plain)
    return (
        keep,
        _with_kv(keep, today),
        *(variant for option in plain for variant in (option, _with_kv(option, today))),
    )


def _option(recipe: _Recipe, model: ModelSpec, before: str) -> Option:
    form = FORMATS[recipe.format]
    ratio = weight_bytes_ratio(before=before, after=recipe.format)
    activations = (
        FORMATS[form.compute_dtype].bits / FORMATS[before].bits if model.family != "decoder" else 1.0
    )
    return Option(
        id=recipe.id,
        title=recipe.title,
        deltas=Deltas(
            precision=form.precision,
            compute_dtype=form.compute_dtype,
            weight_bytes_ratio=ratio,
            activation_bytes_ratio=min(1.0, activations),
            treatments=(recipe.treatment,) if recipe.treatment else (),
            gpu_hours=recipe.gpu_hours_per_billion * model.parameters / 1e9,
            engineer_hours=recipe.engineer_hours,
        ),
        requires=recipe.requires,
        evidence=recipe.evidence,
        sources=(EFFORT,),
        steps=_steps(recipe, model),
        artefacts=(("llm-compressor", f"scheme: {recipe.tool}"),) if model.family == "decoder" else (),
        risk=recipe.risk,
    )


def _steps(recipe: _Recipe, model: ModelSpec) -> tuple[str, ...]:
    if not recipe.treatment:
        return (
            f"Convert {model.name} to {recipe.format}.",
            "Compare the outputs on a few hundred items.",
        )
    return (
        f"Quantize {model.name} with the scheme {recipe.tool} on a few hundred samples of real traffic.",
        "Evaluate it against today's checkpoint on your own test set.",
        "Serve it to 5 % of the traffic for a day, then to all of it; keep today's checkpoint to roll back to.",
    )


def _with_kv(option: Option, today: str) -> Option:
    """Return the option with an FP8 key-value cache beside it."""
    base = option.deltas
    deltas = Deltas(
        precision=base.precision,
        compute_dtype=base.compute_dtype,
        weight_bytes_ratio=base.weight_bytes_ratio,
        kv_bytes_ratio=_KV.kv_bytes_ratio,
        treatments=base.treatments + _KV.treatments,
        gpu_hours=base.gpu_hours,
        engineer_hours=base.engineer_hours + _KV.engineer_hours,
    )
    alone = option.id == "none"
    return Option(
        id="kv-fp8" if alone else f"{option.id}+kv-fp8",
        title=f"{today} weights, FP8 key-value cache" if alone else f"{option.title}, FP8 key-value cache",
        deltas=deltas,
        requires=Requires(
            accelerator_kinds=("gpu",),
            min_compute_capability=max(8.9, option.requires.min_compute_capability or 0.0),
            dtypes=("fp8",) if alone else option.requires.dtypes,
            runtimes=option.requires.runtimes,
            source=SUPPORT,
        ),
        evidence=(*option.evidence, "KV-0008", "KV-0022", "KV-0023"),
        sources=(EFFORT,),
        steps=(*option.steps, "Switch the key-value cache to FP8 and repeat the evaluation on long prompts."),
        artefacts=(*option.artefacts, ("vllm", "--kv-cache-dtype fp8")),
        risk=option.risk or "Long-context retrieval suffers first; check the kernel version on Hopper.",
    )


strategy = Quantization()
