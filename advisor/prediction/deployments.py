"""Deployments that rows name, resolved once each: model, chip, backend, precision and parallelism of a language model."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from advisor.calibration import Calibration, Engine, EngineKey, decoder_key
from advisor.calibration.applied import Applied
from advisor.models import ModelSpec
from advisor.performance.decoder import DecoderEngine
from advisor.performance.decoder_coefficients import is_measured_model
from advisor.performance.decoder_rows import ServingRow, engine_of_rows, served_precision, unsupported_reason
from advisor.performance.serving import taken
from advisor.prediction.inputs import Inputs, quoted
from advisor.prediction.names import backend_id, find_chip, find_network, precision_id
from advisor.prediction.outcome import Array
from advisor.prediction.sizes import LOG_SIGMA, billions_in_name, sized_model

MODEL = ("model", "model_name", "model_id")
CHIP = ("system", "hardware", "gpu", "accelerator", "device")
BACKEND = ("backend", "engine", "server", "framework")
PRECISION = ("precision", "dtype", "quantization")
PARAMETERS = ("params_b", "parameters_b", "params_billions")
ACTIVE = ("active_params_b", "active_parameters_b")
TENSOR = ("tp_size", "tp", "tensor_parallel", "gpu_count", "num_gpus")
PARALLEL = (TENSOR, ("pp_size", "pp"), ("moe_tp_size",), ("moe_ep_size",), ("attention_dp_size",))
"""Columns of parallelism; of those for experts, 0 is what some tables write for 1."""
DISAGGREGATED = ("disagg_prefill_decode", "disaggregated", "disagg")
_MOST_PARALLEL = 4096.0
_PLAIN = frozenset({"", "agg", "aggregated", "false", "0", "0.0", "no", "none", "nan"})
_NO_MODELS: Mapping[str, ModelSpec] = {}
Target = Literal["ttft", "tpot"]


@dataclass(frozen=True, slots=True)
class Deployment:
    """What one combination of cells means: a row of the decoder model, or why there is none."""

    row: ServingRow | None
    reason: str
    absent: str = ""
    """What of it was not measured, in words."""
    sized: bool = False
    """Whether the shape of the model follows from its size alone."""

    @property
    def family(self) -> str:
        """`dense` or `moe`; '' where nothing is known."""
        return "" if self.row is None else "moe" if self.row.model.is_moe else "dense"

    @property
    def key(self) -> EngineKey:
        """What a calibration of it is filed under; only where there is a row."""
        row = self.row
        assert row is not None  # noqa: S101
        return decoder_key(row.model.name, row.accelerator.id, row.backend, row.precision)

    @property
    def accelerators(self) -> int:
        """Chips of one replica; 0 where nothing is known."""
        return 0 if self.row is None else round(float(np.max(engine_of_rows([self.row]).accelerators)))


@dataclass(frozen=True, slots=True)
class Deployments:
    """The deployments of rows: distinct ones, and which one each row is."""

    distinct: tuple[Deployment, ...]
    index: npt.NDArray[np.int64]
    inputs: Inputs

    @classmethod
    def of(
        cls, inputs: Inputs, *, backend: str = "", models: Mapping[str, ModelSpec] = _NO_MODELS
    ) -> Deployments:
        """Return the deployments that rows name; rows that name none are refused.

        Args:
            inputs: Rows.
            backend: Taken where a row states none; '' refuses such rows.
            models: Models of the user's own, by name.
        """
        _refuse_disaggregated(inputs)
        sizes = [
            inputs.numbers(*names, least=least, most=_MOST_PARALLEL, default=1.0)
            for names, least in zip(PARALLEL, (1.0, 1.0, 0.0, 0.0, 0.0), strict=True)
        ]
        billions = [
            inputs.numbers(*names, least=0.0, most=1e5, default=0.0).tolist()
            for names in (PARAMETERS, ACTIVE)
        ]
        texts = (inputs.texts(*names) for names in (MODEL, CHIP, BACKEND, PRECISION))
        keys = list(zip(*texts, *billions, *(column.tolist() for column in sizes), strict=True))
        places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        distinct = tuple(
            deployment(*key[:6], *key[6:], default_backend=backend, own=models.get(key[0])) for key in places
        )
        index = np.array([places[key] for key in keys], dtype=np.int64)
        for place, number in enumerate(index.tolist()):
            if distinct[number].reason:
                inputs.refuse(place, distinct[number].reason)
        return cls(distinct, index, inputs)

    @property
    def usable(self) -> npt.NDArray[np.int64]:
        """Rows with nothing against them, by position."""
        return np.array(
            [place for place, reason in enumerate(self.inputs.reasons) if not reason], dtype=np.int64
        )

    def engine(self, rows: npt.NDArray[np.int64]) -> DecoderEngine:
        """Return the replicas of usable rows, one entry for each."""
        found, index = np.unique(self.index[rows], return_inverse=True)
        engine = engine_of_rows([row for place in found if (row := self.distinct[place].row)])
        return taken(engine, index, len(found))

    def applied(self, calibration: Calibration | None, rows: npt.NDArray[np.int64]) -> Applied:
        """Return what of the user's calibration applies to each of usable rows."""
        return Applied(tuple(own_engine(found, calibration) for found in self.distinct), self.index[rows])

    def own_basis(self, place: int, calibration: Calibration | None) -> str:
        """Return on which runs of the user a row rests, in words; '' where on none."""
        engine = own_engine(self.distinct[self.index[place]], calibration)
        return engine.words if engine else ""

    def accelerators(self, rows: npt.NDArray[np.int64]) -> Array:
        """Return the chips of one replica of usable rows."""
        return np.broadcast_to(np.asarray(self.engine(rows).accelerators, dtype=float), (len(rows),))

    def column(self, values: Sequence[float], rows: npt.NDArray[np.int64]) -> Array:
        """Return a number of each deployment as a column of usable rows."""
        return np.asarray(values, dtype=float)[self.index[rows]]


def _refuse_disaggregated(inputs: Inputs) -> None:
    """Refuse rows whose prompts and answers are computed by different replicas."""
    for name in ("mode", *DISAGGREGATED):
        for place, text in enumerate(inputs.texts(name)):
            if text.lower() not in _PLAIN:
                inputs.refuse(place, f"{name} is {quoted(text)}; only aggregated serving is modelled")


def own_engine(found: Deployment, calibration: Calibration | None) -> Engine | None:
    """Return what of the user's calibration applies to a deployment; `None` where nothing does."""
    if calibration is None or found.row is None or found.reason:
        return None
    return calibration.of(found.key)


@functools.lru_cache(maxsize=16384)
def deployment(
    model: str,
    chip: str,
    backend: str,
    precision: str,
    billions: float,
    active_billions: float,
    tp_size: float,
    pp_size: float,
    moe_tp_size: float,
    moe_ep_size: float,
    attention_dp_size: float,
    *,
    default_backend: str = "",
    own: ModelSpec | None = None,
) -> Deployment:
    """Return what the cells of a row mean together; `own` is the model of that name, where it is the user's."""
    spec, sized = (own, False) if own else _model(model, billions, active_billions)
    accelerator = find_chip(chip) if chip else None
    if spec is None or accelerator is None or not (backend or default_backend):
        return Deployment(None, _unknown(model, chip, spec is None, accelerator is None))
    row = ServingRow(
        spec,
        accelerator,
        backend_id(backend) or default_backend,
        served_precision(model, precision_id(precision) or _published(spec, model)),
        tp_size,
        pp_size,
        moe_tp_size,
        moe_ep_size,
        attention_dp_size,
    )
    reason = unsupported_reason(row)
    is_open = not precision and served_precision(model, None) == "bf16"
    return Deployment(row, reason, "" if reason else _absent(row, sized, backend, is_open), sized)


def _published(spec: ModelSpec, name: str) -> str:
    """Return the narrow number format that weights are published in, where neither row nor name states another."""
    narrow = spec.weight_dtype in {"fp8", "fp4", "int8", "int4"}
    return str(spec.weight_dtype) if narrow and served_precision(name, None) == "bf16" else ""


def _model(name: str, billions: float, active_billions: float) -> tuple[ModelSpec | None, bool]:
    found = find_network(name) if name else None
    if found is not None:
        return found, False
    stated, active = billions_in_name(name)
    sized = sized_model(
        name or "unnamed",
        parameters=1e9 * (billions or stated),
        active_parameters=1e9 * (active_billions or active),
    )
    return sized, True


def _unknown(model: str, chip: str, no_model: bool, no_chip: bool) -> str:
    if no_model:
        return (
            f"no size is known for model {quoted(model)}; name a built-in one or add params_b"
            if model
            else "model is missing"
        )
    if no_chip:
        return (
            f"chip {quoted(chip)} is not in the catalogue" if chip else "system is missing; expected a chip"
        )
    return "backend is missing; expected vllm, trtllm or sglang"


def _absent(row: ServingRow, sized: bool, backend: str, is_open: bool) -> str:
    parts = []
    if sized:
        parts.append(f"the shape of {quoted(row.model.name)} follows from its size alone")
    elif not is_measured(row):
        parts.append(f"{row.model.name} was not measured")
    if not has_measured_chip(row):
        parts.append(f"{row.precision} with {row.backend} on {row.accelerator.name} was not measured")
    if not backend:
        parts.append(f"no backend stated, {row.backend} taken")
    if is_open:
        parts.append(f"no precision stated, {row.precision} taken")
    return ", ".join(parts)


def is_measured(row: ServingRow) -> bool:
    """Return whether serving measurements of this very network went into the calibration."""
    return is_measured_model(row.model.name, mixture_of_experts=row.model.is_moe)


def has_measured_chip(row: ServingRow) -> bool:
    """Return whether backend, chip and precision were measured together."""
    return engine_of_rows([row]).coefficients.basis == "calibrated"


def size_log_sigma(found: Deployment, target: Target) -> float:
    """Return the further standard deviation of a shape that follows from the size alone, dimensionless."""
    return LOG_SIGMA[found.family, target] if found.sized else 0.0
