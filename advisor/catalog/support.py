"""Which number formats and sparsity patterns a chip computes in, and since which NVIDIA generation."""

from dataclasses import dataclass

from advisor.catalog.records import Accelerator
from advisor.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Rule:
    """The lowest NVIDIA compute capability that has a feature, and who says so."""

    compute_capability: float
    source: str


_CUDA = "NVIDIA CUDA C++ Programming Guide, appendix Compute Capabilities (tensor core number types)"
_COMPRESSOR = "llm-compressor documentation, compression schemes and their minimum compute capability"
_TORCHAO = "torchao documentation, quantization and sparsity support by device"

RULES = {
    "fp32": Rule(1.0, _CUDA),
    "fp16": Rule(7.0, _CUDA),
    "tf32": Rule(8.0, _CUDA),
    "bf16": Rule(8.0, _CUDA),
    "int8": Rule(7.5, f"{_COMPRESSOR} (W8A8-INT8)"),
    "fp8": Rule(
        8.9, f"{_COMPRESSOR} (W8A8-FP8); NVIDIA Model Optimizer documentation (Ada, Hopper and later)"
    ),
    "fp4": Rule(10.0, f"{_COMPRESSOR} (NVFP4, MXFP4); {_TORCHAO}"),
    "nvfp4": Rule(10.0, f"{_COMPRESSOR} (NVFP4)"),
    "mxfp4": Rule(10.0, f"{_COMPRESSOR} (MXFP4); {_TORCHAO}"),
    "w4a16": Rule(7.5, f"{_COMPRESSOR} (W4A16, W8A16)"),
    "w8a16": Rule(7.5, f"{_COMPRESSOR} (W4A16, W8A16)"),
    "w4a8": Rule(9.0, f"{_COMPRESSOR} (W4AFP8)"),
    "kv-int8": Rule(7.0, "LMDeploy documentation, key-value cache quantization (sm70 and later)"),
    "kv-fp8": Rule(8.9, f"{_COMPRESSOR} (FP8); vLLM documentation, quantized KV cache"),
    "2:4": Rule(8.0, f"{_TORCHAO} (Ampere and later); Sparse-Marlin (compute capability 8.0)"),
}
"""For each feature the lowest compute capability: a number type computed in, a weight or cache format, or `2:4`."""

INT4_TENSOR = ("turing", "ampere", "ada")
"""NVIDIA generations whose tensor cores multiply 4-bit integers; Hopper and later dropped it. Source: as RULES."""

_COMPUTED_IN = {"nvfp4": "fp4", "mxfp4": "fp4", "kv-fp8": "fp8"}


def supports(accelerator: Accelerator, dtype: str) -> bool:
    """Return whether a chip can use a number format at the speed that the format promises.

    NVIDIA chips answer by compute capability, others by the peaks that their vendor publishes. Weight-only
    formats compute in 16 bits: a chip without a rule has them when it computes in bf16 or fp16.

    Args:
        accelerator: The chip.
        dtype: A key of `RULES`, or `int4` (integer tensor cores, not weight-only).

    Raises:
        UnknownName: Nothing is known about `dtype`.

    Example:
        >>> from advisor.catalog import Catalog
        >>> chips = Catalog.load().accelerators
        >>> [supports(chips[name], "fp8") for name in ("a100-sxm-80", "l4", "mi300x")]
        [False, True, True]
    """
    if dtype not in RULES and dtype != "int4":
        raise UnknownName.among("number format", dtype, [*RULES, "int4"])
    if dtype == "2:4":
        return accelerator.sparsity_2_4
    if dtype == "int4":
        return "int4" in accelerator.peak_flops
    if accelerator.compute_capability is not None:
        return accelerator.compute_capability >= RULES[dtype].compute_capability
    if dtype in {"w4a16", "w8a16", "kv-int8"}:
        return half_precision(accelerator) != "fp32"
    if dtype == "w4a8":
        return accelerator.kind == "cpu" and accelerator.architecture.startswith(("armv", "neoverse"))
    return _COMPUTED_IN.get(dtype, dtype) in accelerator.peak_flops


def half_precision(accelerator: Accelerator) -> str:
    """Return the number type in which 16-bit weights are computed: `bf16`, else `fp16`, else `fp32`.

    Example:
        >>> from advisor.catalog import Catalog
        >>> chips = Catalog.load().accelerators
        >>> [half_precision(chips[name]) for name in ("h100-sxm", "t4", "xeon-ice-lake")]
        ['bf16', 'fp16', 'fp32']
    """
    return next(dtype for dtype in ("bf16", "fp16", "fp32") if dtype in accelerator.peak_flops)
