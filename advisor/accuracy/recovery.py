"""The fitted prior: from a question to quantiles of recovery, as a published table would show it.

`advisor/data/accuracy_prior.json` holds the coefficients, the error quantiles, their date, rows and held-out error (see
`tests/benchmarks/calibration/fit_accuracy.py` for the model). With `x` the features of a question:

- `z = x . mean`, `s = exp(x . log_scale)`; the relative loss in percent is `L(p) = sign(v) S (exp(|v|) - 1)` with `v = z + s r(p)`,
  where `r(p)` are the error quantiles of the strategy and family.
- *Recovery* is `100 - L(p)`: what a published table would show, benchmark noise and lucky gains included.
"""

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from advisor.accuracy.distribution import Vector
from advisor.accuracy.features import Question, features
from advisor.accuracy.taxonomy import kind, model_key


@dataclass(frozen=True, slots=True)
class Prior:
    """The fitted numbers.

    Attributes:
        date: Day of the fit.
        rows: Records it was fitted to.
        models: Models among them.
        scale_percent: S of the transform, percent.
        mean: Coefficient by feature of the transformed loss.
        log_scale: Coefficient by feature of the logarithm of its spread.
        levels: Probability levels of the error quantiles.
        residuals: Error quantiles by `strategy|family`; empty key for all.
        same_kind_correlation: Correlation of the errors of one kind of compression on one model.
        noise_percent: Benchmark noise (standard deviation of the relative loss) by task class, `small` or `default`.
        intervals: Published 10, 50, 90 % recoveries by `kind|family|task` where too few records exist to fit.
        kind_models: Number of models with records by `kind|family`.
        known_models: Number and mean standardised error of the records by model and kind.
        held_out: Coverage and pinball loss by strategy and family, each model left out in turn.
        reliability: Stated and observed probability of keeping a limit, by limit.
        promises: Share of accepted options that break a limit, by limit.
    """

    date: str
    rows: int
    models: int
    scale_percent: float
    mean: Mapping[str, float]
    log_scale: Mapping[str, float]
    levels: Vector
    residuals: Mapping[str, Vector]
    same_kind_correlation: float
    noise_percent: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float, float]]
    kind_models: Mapping[str, int]
    known_models: Mapping[str, Mapping[str, tuple[int, float]]]
    held_out: tuple[Mapping[str, object], ...]
    reliability: Mapping[str, Sequence[Sequence[float]]]
    promises: Mapping[str, Mapping[str, float]]


@functools.cache
def prior() -> Prior:
    """The prior shipped with the package, read once.

    Example:
        >>> prior().rows > 700
        True
    """
    return parse(
        json.loads((resources.files("advisor") / "data" / "accuracy_prior.json").read_text(encoding="utf-8"))
    )


def parse(raw: Mapping[str, Any]) -> Prior:
    """Read a prior from a document in the shape of `accuracy_prior.json`."""
    return Prior(
        raw["date"], raw["rows"], raw["models"], raw["transform_scale_percent"], raw["mean"], raw["log_scale"], np.array(raw["levels"]),
        {name: np.array(values) for name, values in raw["residuals"].items()}, raw["model_correlation"]["same_kind"], raw["noise_percent"],
        {name: tuple(row["recovery_percent"]) for name, row in raw["intervals"].items()},
        raw["kind_models"],
        {model: {name: (int(n), float(mean)) for name, (n, mean) in kinds.items()} for model, kinds in raw["known_models"].items()},
        tuple(raw["held_out"]), raw["reliability"], raw["promises"],
    )  # fmt: skip


def loss_quantiles(question: Question, probabilities: ArrayLike) -> Vector:
    """Quantiles of the relative loss as a published table would show it, in percent; negative is a gain.

    Args:
        question: What is asked.
        probabilities: Probability levels between 0 and 1.

    Returns:
        One loss a level, at most 100.

    Example:
        >>> asked = Question("quantization", "int4-w4a16-awq", "decoder", parameters=7e9, task="mixed")
        >>> low, high = loss_quantiles(asked, [0.1, 0.9])
        >>> bool(-1 < low < high < 10)
        True
    """
    fitted, at = prior(), np.asarray(probabilities, float)
    published = interval(question)
    if published is not None:
        return 100 - _through(published, 1 - at)
    x = features(question)
    centre, spread = _dot(fitted.mean, x), math.exp(_dot(fitted.log_scale, x))
    shift, shrink = _known(question)
    errors = fitted.residuals.get(f"{question.strategy}|{question.family}", fitted.residuals[""])
    r = np.interp(at, fitted.levels, errors)
    middle = float(np.interp(0.5, fitted.levels, errors))
    v = centre + spread * (middle + shift + (r - middle) * shrink)
    percent: Vector = np.minimum(np.sign(v) * fitted.scale_percent * np.expm1(np.abs(v)), 100.0)
    return percent


def _dot(coefficients: Mapping[str, float], x: Mapping[str, float]) -> float:
    return math.fsum(coefficients.get(name, 0.0) * value for name, value in x.items())


def interval(question: Question) -> tuple[float, float, float] | None:
    """Published 10, 50 and 90 % recovery (percent) that stands in for a fit; None where the fit holds."""
    name = f"{kind(question.variant, question.strategy).name}|{question.family}"
    table = prior().intervals
    return table.get(f"{name}|{question.task_class}", table.get(name))


def _through(published: tuple[float, float, float], at: Vector) -> Vector:
    low, middle, high = published
    levels = [0.004, 0.1, 0.5, 0.9, 0.996]
    values: Vector = np.interp(
        at, levels, [middle - 2.2 * (middle - low), low, middle, high, middle + 2.0 * (high - middle)]
    )
    return values


def _known(question: Question) -> tuple[float, float]:
    """Shift and shrinkage of the error for a model whose records are in the prior (best linear prediction)."""
    kinds = prior().known_models.get(model_key(question.model), {}) if question.model else {}
    count, mean = kinds.get(kind(question.variant, question.strategy).name, (0, 0.0))
    if count == 0:
        return 0.0, 1.0
    rho = prior().same_kind_correlation
    weight = count * rho / (1 + (count - 1) * rho)
    return weight * mean, math.sqrt(1 - rho * weight)


def predict_recovery(rows: Sequence[Mapping[str, object]]) -> list[dict[str, float]]:
    """Predict the accuracy recovery of rows as a published table would show it (noise included, gains possible).

    Args:
        rows: Mappings with the columns `strategy, variant, model_family, model, params_b, dataset_or_benchmark, metric_name,
            baseline_metric, needs_retraining`; missing or empty ones are unknown.

    Returns:
        For each row `accuracy_recovery_pct` (median), `accuracy_recovery_pct_p10` and `accuracy_recovery_pct_p90`, in percent of the
        baseline.

    Example:
        >>> row = {"strategy": "quantization", "variant": "fp8-w8a8", "model_family": "decoder", "params_b": "70"}
        >>> 97 < predict_recovery([row])[0]["accuracy_recovery_pct"] < 101
        True
    """
    out = []
    for row in rows:
        high, middle, low = np.maximum(100 - loss_quantiles(_question(row), [0.1, 0.5, 0.9]), 0.0)
        out.append(
            {
                "accuracy_recovery_pct": round(float(middle), 4),
                "accuracy_recovery_pct_p10": round(float(low), 4),
                "accuracy_recovery_pct_p90": round(float(high), 4),
            }
        )
    return out


def _question(row: Mapping[str, object]) -> Question:
    billions = _float(row.get("params_b"))
    return Question(
        strategy=_text(row, "strategy"),
        variant=_text(row, "variant"),
        family=_text(row, "model_family").lower(),
        model=_text(row, "model"),
        parameters=None if billions is None or billions <= 0 else billions * 1e9,
        benchmark=_text(row, "dataset_or_benchmark"),
        metric=_text(row, "metric_name"),
        effort=_text(row, "needs_retraining"),
        baseline=_float(row.get("baseline_metric")),
    )


def _text(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    return "" if value is None or value != value else str(value).strip()  # noqa: PLR0124  - NaN of a data frame


def _float(value: object) -> float | None:
    try:
        number = float(str(value).replace(",", ""))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
