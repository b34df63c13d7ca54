"""To what a calibration applies: the names under which a model, a chip, a runtime and a number format are the same."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.performance.decoder_coefficients import BACKENDS, calibration_family
from advisor.performance.pass_table import runtime_name

_UNSAID = frozenset({"", "triton", "other"})
_SAME = {"amp": "fp16", "amp_bf16": "bf16", "tf32": "fp32"}
_SIXTEEN_BITS = frozenset({"fp16", "fp32", "bf16"})


@dataclass(frozen=True, slots=True)
class EngineKey:
    """What must agree for a calibration to apply."""

    model: str
    accelerator: str
    runtime: str
    precision: str

    def __str__(self) -> str:
        """Return it in words."""
        return ", ".join(
            filter(None, (self.model, self.runtime or "any runtime", self.accelerator, self.precision))
        )


def decoder_key(model: str, accelerator: str, runtime: str, precision: str) -> EngineKey:
    """Return the key of a language model; 16 bits are 16 bits, and a network under several names is one.

    Args:
        model: Name in the table of models, or of the user's own.
        accelerator: Id of the chip in the catalogue.
        runtime: Serving engine; one that was never measured is predicted as vLLM.
        precision: Number format as served.

    Example:
        >>> str(decoder_key("Llama-3.3-70B", "h100-sxm", "tgi", "fp16"))
        'Llama-3.1-70B, vllm, h100-sxm, bf16'
    """
    return EngineKey(
        calibration_family(model),
        accelerator,
        runtime if runtime in BACKENDS else "vllm",
        "bf16" if precision in _SIXTEEN_BITS else precision,
    )


def pass_key(model: str, accelerator: str, runtime: str, precision: str) -> EngineKey:
    """Return the key of a model of one pass.

    Args:
        model: Name in the table of models, or of the user's own; what follows a dot (the weights) does not matter to speed.
        accelerator: Id of the chip in the catalogue.
        runtime: Such as 'tensorrt'; empty where nothing is said.
        precision: Number format as served.

    Example:
        >>> str(pass_key("resnet50.a1_in1k", "t4", "tensorrt", "fp16"))
        'resnet50, tensorrt, t4, fp16'
    """
    stated = "" if runtime in _UNSAID else runtime_name(runtime)
    return EngineKey(model.partition(".")[0], accelerator, stated, _SAME.get(precision, precision))
