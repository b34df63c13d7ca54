"""Calibrated coefficients of the one-pass model: how a runtime, a chip and an architecture behave together."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from advisor.performance.architectures import (
    CLASSES,
    architecture_class,
    architecture_family,
    operators_per_layer,
)
from advisor.performance.pass_table import PassTable, chip_kind, computed_precision, int8_kind, runtime_name

__all__ = ["REFERENCE_FLOPS_PER_ACTIVATION", "PassCoefficients", "PassTable", "coefficients"]

Array = npt.NDArray[np.float64]
Values = float | Array

REFERENCE_FLOPS_PER_ACTIVATION = 400.0
"""Operations per activation at which `compute_efficiency` is stated."""


@dataclasses.dataclass(frozen=True, slots=True)
class PassCoefficients:
    """Numbers fitted to measurements; each field is one value or an array with one entry for each candidate."""

    fixed_s: Values = 0.0
    """Time of a pass beside its operators and weights, in seconds."""
    launch_s_per_layer: Values = 0.0
    """Time to launch one layer's operators, in seconds."""
    compute_efficiency: Values = 1.0
    """Share of the peak reached at 400 operations per activation; may pass 1 where models have far fewer."""
    intensity_exponent: Values = 0.0
    """How compute time grows with operations per activation beyond its proportion, dimensionless."""
    activation_passes: Values = 1.0
    """How often each activation crosses the memory bus, at the full bandwidth, dimensionless."""
    architecture_ratio: Values = 1.0
    """Measured / predicted time per item of the model's family, dimensionless."""
    log_sigma: Values = 0.0
    """Standard deviation of the natural logarithm of measured / predicted time, dimensionless."""
    basis: str = "calibrated"
    """'calibrated': runtime, chip and family were measured; 'extrapolated': some of them were not."""
    source: str = ""
    """Measurements the values come from, and what of the request was not among them."""

    @classmethod
    def gather(cls, table: Sequence[PassCoefficients], index: npt.NDArray[np.intp]) -> PassCoefficients:
        """Return coefficients with one entry for each candidate, taken from a small table.

        Args:
            table: Distinct coefficients with scalar values.
            index: For each candidate, its position in `table`.

        Returns:
            Arrays of the length of `index`; `basis` is 'extrapolated' when any entry of `table` is.
        """
        arrays = {
            name: np.array([getattr(row, name) for row in table], dtype=float)[index] for name in _NUMERIC
        }
        calibrated = all(row.basis == "calibrated" for row in table)
        source = "; ".join(dict.fromkeys(row.source for row in table))
        return cls(**arrays, basis="calibrated" if calibrated else "extrapolated", source=source)


_NUMERIC = tuple(
    field.name for field in dataclasses.fields(PassCoefficients) if field.name not in {"basis", "source"}
)


def coefficients(
    family: str,
    accelerator: str,
    precision: str,
    runtime: str = "",
    *,
    model: str = "",
    kind: str = "",
    table: PassTable | None = None,
) -> PassCoefficients:
    """Return the coefficients for one model on one chip.

    Args:
        family: 'cnn' or 'encoder', or an architecture class (`architectures.CLASSES`).
        accelerator: Id of the chip in the catalogue, or its product name; an unknown one is allowed.
        precision: 'fp32', 'tf32', 'fp16', 'bf16', 'amp', 'amp_bf16', 'int8', 'fp8', 'fp4', or 'int4' and
            'w8a16' for weights alone. 'fp32' means TF32 on a GPU that has it, as frameworks do: give the
            engine that peak.
        runtime: 'pytorch', 'pytorch-nhwc' (channels last), 'pytorch-compile', 'tensorrt', 'onnxruntime',
            'tensorflow', 'openvino', ... (`PassTable.runtimes`); '' for an unstated one: the middle of
            what was measured, with a wider interval.
        model: Name of the model; tells class and family better than `family` alone.
        kind: 'gpu' or 'cpu'; '' to judge by the accelerator.
        table: Another fitted table than the embedded one.

    Returns:
        Scalars, with `log_sigma` widened for each part of the request that was never measured. On CPUs
        the times hold for a machine kept busy by several instances.

    Raises:
        ValueError: `precision` is none of the above.

    Example:
        >>> coefficients("cnn", "rtx-4090", "fp16", "pytorch", model="resnet50").basis
        'calibrated'
        >>> coefficients("cnn", "h100-sxm", "fp16", "pytorch", model="resnet50").basis
        'extrapolated'
    """
    request = (family, accelerator, precision, runtime, model, kind)
    return _cached(*request) if table is None else _looked_up(table, *request)


@functools.lru_cache(maxsize=16384)
def _cached(*request: str) -> PassCoefficients:
    return _looked_up(PassTable.load(), *request)


def _looked_up(
    table: PassTable, family: str, accelerator: str, precision: str, runtime: str, model: str, kind: str
) -> PassCoefficients:
    device, entry = table.device_id(accelerator), table.device(accelerator) or {}
    kind = kind or entry.get("kind", chip_kind(device))
    request = _Request(
        section=table.document[kind],
        architecture=_class(family, model),
        family=architecture_family(model),
        model=table.model_name(model),
        device=device,
        precision=computed_precision(precision, kind, device),
        runtime=runtime_name(runtime),
    )
    return request.coefficients(entry.get("int8", int8_kind(device)), entry.get("static_share", 1.0))


def _class(family: str, model: str) -> str:
    if family in CLASSES:
        return family
    default = "encoder" if family == "encoder" else "resnet"
    found = architecture_class(model, default=default) if model else default
    return "encoder" if family == "encoder" else found


@dataclasses.dataclass(frozen=True, slots=True)
class _Request:
    section: Mapping[str, Any]
    architecture: str
    family: str
    model: str
    device: str
    precision: str
    runtime: str

    def coefficients(self, kind_of_int8: str, static_share: float) -> PassCoefficients:
        runtime = self.section["runtimes"][self._measured_runtime()]
        group = runtime["group"]
        base = self.section["groups"][group][self.architecture]
        precision = self.section["precisions"].get(self.precision) or {"time": 1.0, "passes": 1.0}
        chip = self.section["devices"].get(self.device, {})
        speedup, peak_ratio, bytes_ratio = self._speedup(kind_of_int8)
        time_ratio = runtime["compute_time"] * precision["time"] * chip.get("compute_time", 1.0)
        if self._measured_runtime().startswith("pytorch"):
            time_ratio /= static_share
        passes_ratio = runtime["passes"] * precision["passes"] / (speedup * bytes_ratio)
        missing = self._missing(chip, runtime)
        return PassCoefficients(
            fixed_s=runtime["fixed_s"],
            launch_s_per_layer=runtime["launch_s_per_operator"] * operators_per_layer(self.architecture),
            compute_efficiency=base["compute_efficiency"] / time_ratio * speedup / peak_ratio,
            intensity_exponent=base["intensity_exponent"],
            activation_passes=base["activation_passes"] * passes_ratio,
            architecture_ratio=self._architecture_ratio(group, chip),
            log_sigma=self._log_sigma(missing, runtime),
            basis="extrapolated" if missing & {"chip", "runtime", "precision"} else "calibrated",
            source=self._source(missing),
        )

    def _measured_runtime(self) -> str:
        known = self.section["runtimes"]
        return self.runtime if self.runtime in known else str(self.section["default_runtime"])

    def _speedup(self, kind_of_int8: str) -> tuple[float, float, float]:
        table = self.section.get("int8")
        if table is None or self.precision == "fp32":
            return 1.0, 1.0, 1.0
        if self.precision != "int8":  # 16-bit on a CPU gains where AMX or a like unit computes it
            kind = table["peak_ratio_16_bit"].get(kind_of_int8, 1.0)
            gain = self._int8(table, kind_of_int8) * table["16_bit_over_int8"] if kind > 1.0 else 1.0
            return max(gain, 1.0), kind, 0.5
        return self._int8(table, kind_of_int8), table["peak_ratio"][kind_of_int8], 0.25

    def _int8(self, table: Mapping[str, Any], kind_of_int8: str) -> float:
        kind, runtime = table["same_as"].get(kind_of_int8, kind_of_int8), self._measured_runtime()
        keys = (
            "", runtime, self.architecture, kind, f"{runtime}|{self.architecture}",
            f"{kind}|{self.architecture}", f"{runtime}|{kind}", self.model, f"{self.model}|{runtime}",
        )  # fmt: skip
        return math.exp(sum(table["log_speedup"].get(key, 0.0) for key in keys))

    def _architecture_ratio(self, group: str, chip: Mapping[str, Any]) -> float:
        ratio = self.section["families"][group].get(self.family, 1.0)
        ratio *= self.section["models"].get(self.model, 1.0)
        return float(ratio * chip.get("time", {}).get(group, 1.0))

    def _missing(self, chip: Mapping[str, Any], runtime: Mapping[str, Any]) -> frozenset[str]:
        section = self.section
        tests = {
            "runtime": self.runtime not in section["runtimes"],
            "model on runtime": self.model not in runtime.get("models", (self.model,)),
            "chip": not chip.get("rows", 0),
            "precision": self.precision not in section["measured_precisions"],
            "family": not any(self.family in names for names in section["families"].values()),
            "model": self.model not in section["models"],
        }
        return frozenset(name for name, absent in tests.items() if absent)

    def _log_sigma(self, missing: frozenset[str], runtime: Mapping[str, Any]) -> float:
        sigma = self.section["log_sigma"]
        level = "class" if "family" in missing else "family" if "model" in missing else "model"
        of_runtime = "log_sigma_other_model" if "model on runtime" in missing else "log_sigma"
        variance = sigma[level][self.architecture] ** 2 + runtime.get(of_runtime, 0.0) ** 2
        variance += sum(sigma[f"other_{part}"] ** 2 for part in ("chip", "runtime") if part in missing)
        if self.precision == "int8":
            variance += sigma["int8"] ** 2
        return math.sqrt(variance)

    def _source(self, missing: frozenset[str]) -> str:
        words = {
            "chip": self.device,
            "runtime": self.runtime or "unstated runtime",
            "family": f"family of {self.model or 'the model'}",
        }
        absent = ", ".join(words[part] for part in words if part in missing)
        measured = str(self.section["source"])
        return f"{measured}; not among them: {absent}" if absent else measured
