"""Number formats of weights: what one stored parameter weighs, and what it computes in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """A number format of the weights.

    Args:
        precision: Its name in the performance model.
        compute_dtype: Format of the arithmetic; a key of the accelerator's peaks.
        bits: Bits a stored weight takes, scales included.
    """

    precision: str
    compute_dtype: str
    bits: float


FORMATS = {
    "fp32": Format("fp32", "fp32", 32.0),
    "fp16": Format("fp16", "fp16", 16.0),
    "bf16": Format("bf16", "bf16", 16.0),
    "fp8": Format("fp8", "fp8", 8.0),
    "int8": Format("int8", "int8", 8.0),
    "int4": Format("int4", "bf16", 4.25),
    "w4a8": Format("w4a8", "fp8", 4.25),
    "fp4": Format("fp4", "fp4", 4.0 + 8.0 / 16.0),
}
"""By name. INT4 keeps a 16-bit scale (and a zero point) for each group of 64 to 128 weights, NVFP4 an 8-bit scale for 16."""


def weight_bytes_ratio(*, before: str, after: str) -> float:
    """Return the bytes of a quantized weight after a change of format, against before.

    Tables of embeddings stay in 16 bits, as quantization tools leave them; the performance model counts them apart.

    Args:
        before: Format served today.
        after: Format of the option.

    Source:
        Group sizes and ignored layers: documentation of llm-compressor, schemes W4A16, FP8 and NVFP4.

    Example:
        >>> weight_bytes_ratio(before="bf16", after="fp8"), weight_bytes_ratio(before="bf16", after="fp4")
        (0.5, 0.28125)
    """
    return FORMATS[after].bits / FORMATS[before].bits
