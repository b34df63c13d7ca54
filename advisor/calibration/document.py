"""The calibration file: what a user's benchmarks say about speed, as they can read, edit and check it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from advisor.calibration.matching import EngineKey
from advisor.documents import read_document
from advisor.errors import InputError
from advisor.inputs import Input, validated

DECODER_FACTORS = ("step", "sequence", "prefill", "first_token")
PASS_FACTORS = ("fixed", "item")
_SMALLEST, _LARGEST = 0.02, 50.0
Array = npt.NDArray[np.float64]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Factor(Input):
    """One part of the time on the user's machine against what advisor ships."""

    ratio: float = Field(gt=_SMALLEST, lt=_LARGEST)
    """Time on this machine over the shipped prediction, dimensionless; 1 changes nothing."""
    log_sigma: float = Field(ge=0.0, lt=5.0)
    """Standard deviation of the natural logarithm of `ratio` after the runs, dimensionless."""
    prior_log_sigma: float = Field(gt=0.0, lt=5.0)
    """The same before them: from the error of shipped predictions on models and chips left out."""


class MetricError(Input):
    """How far predictions were from the runs."""

    runs: int = Field(ge=1)
    """Runs that state this number."""
    before: float = Field(ge=0.0)
    """Median of |predicted / measured - 1| as shipped, dimensionless."""
    after: float = Field(ge=0.0)
    """The same with the factors."""


class Engine(Input):
    """One model with one runtime on one chip, as the user measured it."""

    kind: Literal["decoder", "pass"]
    """`decoder`: writes tokens; `pass`: one pass for each batch."""
    model: str = Field(min_length=1, max_length=200)
    """Name of the model in the table of advisor, or of the user's own."""
    accelerator: str = Field(min_length=1, max_length=100)
    """Id of the chip in the catalogue, such as h100-sxm."""
    runtime: str = Field(max_length=100)
    """Such as vllm or tensorrt; empty where nothing was said."""
    precision: str = Field(min_length=1, max_length=40)
    """Number format as served, such as bf16."""
    accelerators_per_replica: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field((1,), min_length=1)
    """Chips of one replica in the runs."""
    runs: int = Field(ge=1)
    """Runs that were used."""
    dates: tuple[Day, ...] = ()
    """Days on which they were made, as the files state them."""
    factors: dict[str, Factor]
    """`step`: a decode step; `sequence`: what each further sequence adds to it; `prefill`: a prompt; `first_token`: what
    else passes before the first token. For one pass `fixed`: what does not grow with the batch; `item`: each item."""
    correlations: tuple[tuple[Annotated[float, Field(ge=-1.0, le=1.0)], ...], ...]
    """Between the logarithms of the factors after the runs, in their order."""
    errors: dict[str, MetricError] = Field(default_factory=dict)
    """By measured number, such as `tpot_ms`."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = DECODER_FACTORS if self.kind == "decoder" else PASS_FACTORS
        if tuple(self.factors) != names:
            raise InputError(f"got {', '.join(self.factors) or 'none'}; expected {', '.join(names)}").within(
                "factors"
            )
        matrix = self.correlations
        if len(matrix) != len(names) or any(len(row) != len(names) for row in matrix):
            raise InputError(f"expected {len(names)} rows of {len(names)} numbers").within("correlations")
        table = np.array(matrix)
        if not np.allclose(table, table.T, atol=1e-6) or not np.allclose(np.diag(table), 1.0, atol=1e-6):
            raise InputError("expected the same on both sides of a diagonal of ones").within("correlations")
        if np.linalg.eigvalsh(table).min() < -1e-4:
            raise InputError("these numbers cannot hold together").within("correlations")
        return self

    @property
    def key(self) -> EngineKey:
        """What must agree with a candidate."""
        return EngineKey(self.model, self.accelerator, self.runtime, self.precision)

    @property
    def ratios(self) -> tuple[float, ...]:
        """Factors in their order."""
        return tuple(factor.ratio for factor in self.factors.values())

    def learnt(self, jacobian: Array) -> tuple[Array, Array]:
        """Return the variance of a time's logarithm before the runs, and the part of it that they removed.

        Args:
            jacobian: Derivatives of the time's logarithm by those of the factors, shape (candidates, factors).
        """
        spread = np.array([factor.log_sigma for factor in self.factors.values()])
        prior = np.array([factor.prior_log_sigma for factor in self.factors.values()])
        after = np.einsum("ni,ij,nj->n", jacobian * spread, np.array(self.correlations), jacobian * spread)
        before = np.square(jacobian * prior).sum(axis=1)
        return before, np.clip(before - after, 0.0, before)

    @property
    def words(self) -> str:
        """What it rests on, for a reader."""
        runs = f"{self.runs} run{'s' if self.runs != 1 else ''} of yours"
        when = f" of {_span(self.dates)}" if self.dates else ""
        return f"calibrated on {runs}{when}: {self.key}"


class Source(Input):
    """One file that was read."""

    file: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of its bytes, to find it again."""
    format: str
    """Such as `vllm bench serve`."""
    runs: int = Field(ge=0)
    """Runs in it."""
    used: int = Field(ge=0)
    """Runs that changed the factors."""
    read: tuple[str, ...] = ()
    """Measured numbers that were read, with their units."""


class SetAside(Input):
    """Runs that were not used, and why."""

    file: str
    runs: int = Field(ge=1)
    reason: str


class Calibration(Input):
    """Own benchmarks as factors on shipped predictions; `advisor calibrate` writes it."""

    schema_version: Literal["1.0"] = "1.0"
    advisor_version: str
    """That wrote it."""
    prior: tuple[str, ...]
    """Shipped fits that the factors are relative to, with their dates."""
    engines: tuple[Engine, ...]
    sources: tuple[Source, ...] = ()
    set_aside: tuple[SetAside, ...] = ()

    @model_validator(mode="after")
    def _once(self) -> Self:
        keys = [engine.key for engine in self.engines]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise InputError(f"{twice} is there twice; keep one").within("engines")
        return self

    @classmethod
    def load(cls, source: str | Path | Calibration) -> Calibration:
        """Return the calibration in a file.

        Raises:
            InputError: It is missing, or not such a document; every problem is listed with its line.
        """
        return source if isinstance(source, Calibration) else validated(cls, read_document(source))

    def of(self, key: EngineKey) -> Engine | None:
        """Return what applies to a candidate; `None` where nothing does."""
        return next((engine for engine in self.engines if engine.key == key), None)


def _span(dates: tuple[str, ...]) -> str:
    first, last = min(dates), max(dates)
    return first if first == last else f"{first} to {last}"
