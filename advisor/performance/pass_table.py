"""The fitted table of the one-pass model, and what the names of chips, runtimes and number formats mean in it."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class PassTable:
    """The fitted table, as shipped or as just fitted."""

    document: Mapping[str, Any]

    @classmethod
    def load(cls) -> PassTable:
        """Return the table inside the package."""
        return _embedded()

    def runtimes(self, kind: str, /) -> tuple[str, ...]:
        """Return the runtimes measured on a kind of chip.

        Args:
            kind: 'gpu' or 'cpu'.
        """
        return tuple(self.document[kind]["runtimes"])

    def device_id(self, name: str, /) -> str:
        """Return the id of a chip by one of its names, or the name itself in lower case with hyphens.

        Args:
            name: Id or product name, e.g. 'NVIDIA RTX 4090 24GB'.

        Example:
            >>> PassTable.load().device_id("NVIDIA RTX 4090 24GB")
            'rtx-4090'
        """
        key = re.sub(r"[\s_]+", "-", name.strip().lower())
        if key in self.document["devices"]:
            return key
        known = self.document["devices"].items()
        return next((device for device, entry in known if re.search(entry["pattern"], key)), key)

    def device(self, name: str, /) -> Mapping[str, Any] | None:
        """Return what is known of a chip: kind, peaks by type, bandwidth, source; None when it is unknown.

        Args:
            name: Id or product name.

        Example:
            >>> PassTable.load().device("NVIDIA RTX 4090 24GB")["memory_bandwidth_bytes_per_s"]
            1008000000000.0
            >>> PassTable.load().device("Abacus") is None
            True
        """
        entry: Mapping[str, Any] | None = self.document["devices"].get(self.device_id(name))
        return entry

    def model_name(self, name: str, /) -> str:
        """Return the name under which the measurements know a model.

        Args:
            name: Name or Hugging Face identifier.

        Example:
            >>> PassTable.load().model_name("google/vit_base")
            'vit_base_patch16_224'
        """
        key = name.strip().lower().rsplit("/", maxsplit=1)[-1]
        return str(self.document["model_aliases"].get(key, key))


@functools.cache
def _embedded() -> PassTable:
    text = resources.files("advisor").joinpath("data/pass_coefficients.json").read_text(encoding="utf-8")
    return PassTable(json.loads(text))


def chip_kind(device: str, /) -> str:
    """Return 'cpu' or 'gpu', judged by the id of a chip.

    Args:
        device: Id or product name.

    Example:
        >>> chip_kind("xeon-ice-lake"), chip_kind("h100-sxm")
        ('cpu', 'gpu')
    """
    return "cpu" if _CPU_NAME.search(device.lower()) else "gpu"


def int8_kind(device: str, /) -> str:
    """Return the instructions a CPU multiplies INT8 with, judged by its id.

    Args:
        device: Id of the chip; an unknown one is taken to have VNNI.

    Returns:
        'amx', 'vnni', 'avx512-bf16' (VNNI and 16-bit), 'avx2' (neither) or 'i8mm' (Arm).

    Example:
        >>> int8_kind("xeon-sapphire-rapids"), int8_kind("graviton3")
        ('amx', 'i8mm')
    """
    return next((name for name, pattern in _INT8_KINDS if re.search(pattern, device)), "vnni")


_CPU_NAME = re.compile(
    r"xeon|epyc|graviton|ampere-(one|altra)|core-i\d|core-ultra|i\d-\d{4}|ryzen|cpu|e2-mixed|atom|celeron"
)
_NO_TF32 = re.compile(r"\bt4\b|v100|p100|\bp4\b|\bk80\b|-20[678]0|titan|mi[12]\d\d")
_INT8_KINDS = (
    ("amx", r"sapphire|emerald|granite|84[68]\d|8490|85\d\d|spr|emr"),
    ("avx512-bf16", r"genoa|bergamo|turin|zen[45]|ampere-one"),
    ("avx2", r"skylake|broadwell|haswell|milan|rome|e2-mixed|ryzen"),
    ("i8mm", r"graviton[34]|neoverse-v"),
)
_PRECISIONS = {
    "fp32": "fp32", "float32": "fp32", "tf32": "tf32", "fp16": "fp16", "float16": "fp16", "bf16": "fp16",
    "bfloat16": "fp16", "amp": "fp16", "amp_bf16": "fp16", "int8": "int8", "fp8": "int8", "fp4": "int8",
    "int4": "fp16", "w8a16": "fp16",
}  # fmt: skip
_RUNTIMES = {
    "torch": "pytorch", "eager": "pytorch", "pytorch-eager": "pytorch", "torch-compile": "pytorch-compile",
    "torch.compile": "pytorch-compile", "inductor": "pytorch-compile", "channels-last": "pytorch-nhwc",
    "trt": "tensorrt", "ort": "onnxruntime", "onnx": "onnxruntime", "onnxruntime-tensorrt": "tensorrt",
    "tf": "tensorflow",
}  # fmt: skip


def runtime_name(runtime: str, /) -> str:
    """Return the name of a runtime in the table.

    Args:
        runtime: Any spelling, e.g. 'ORT'.

    Example:
        >>> runtime_name("ORT"), runtime_name("my own")
        ('onnxruntime', 'my own')
    """
    return _RUNTIMES.get(runtime.lower(), runtime.lower())


def computed_precision(precision: str, kind: str, device: str, /) -> str:
    """Return the number format a framework computes in.

    Args:
        precision: Number format of the weights or of the whole model.
        kind: 'gpu' or 'cpu'.
        device: Id of the chip.

    Returns:
        'fp32', 'tf32', 'fp16' (any 16-bit) or 'int8'. FP32 means TF32 on GPUs whose tensor cores have it.

    Raises:
        ValueError: `precision` is not known.

    Example:
        >>> computed_precision("fp32", "gpu", "a100-sxm-80"), computed_precision("bf16", "gpu", "l4")
        ('tf32', 'fp16')
    """
    found = _PRECISIONS.get(precision.lower())
    if found is None:
        message = f"precision is '{precision}'; expected one of {', '.join(_PRECISIONS)}"
        raise ValueError(message)
    return "tf32" if found == "fp32" and kind == "gpu" and not _NO_TF32.search(device) else found
