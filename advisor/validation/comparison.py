"""Rows with measurements against their predictions: one table of errors for each predicted number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from advisor.prediction import OUTPUT_COLUMNS
from advisor.prediction.inputs import Row, cell
from advisor.prediction.rows import Predicted, predicted
from advisor.validation.document import ErrorRow, SkippedRow

Array = npt.NDArray[np.float64]

_STATISTICS = {"mean": ("mean",), "p50": ("p50", "median"), "p90": ("p90",), "p95": ("p95",), "p99": ("p99",)}
MEASURED: Mapping[str, tuple[str, ...]] = {
    "ttft_ms": ("ttft_ms",),
    "tpot_ms": ("tpot_ms",),
    "throughput_tokens_per_s": (
        "throughput_tokens_per_s",
        "output_tokens_per_s",
        "output_tokens_per_s_littles_law",
    ),
    **{
        f"{metric}_{statistic}_ms": (
            *(("tpot_derived_mean_ms",) if (metric, statistic) == ("tpot", "mean") else ()),
            *(f"{metric}_{word}_ms" for word in words),
            *(f"{word}_{metric}_ms" for word in words),
        )
        for metric in ("ttft", "tpot", "e2e")
        for statistic, words in _STATISTICS.items()
    },
    "throughput_images_per_s": ("throughput_images_per_s",),
    "throughput_infer_per_s": ("throughput_infer_per_s",),
    **{
        name: (name,)
        for name in ("latency_avg_ms", *(f"latency_{p}_ms" for p in ("p50", "p90", "p95", "p99")))
    },
    "accuracy_recovery_pct": ("accuracy_recovery_pct", "recovery_percent"),
}
"""Predicted column, and the columns in which public tables state its measurement."""
_COLUMNS = frozenset(name for names in MEASURED.values() for name in names)
_NO_MEASUREMENT = "no measured value of what was predicted"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Measured and predicted values of one number, one entry for each row that has both."""

    target: str
    measured: Array
    middle: Array
    low: Array
    high: Array
    labels: Mapping[str, npt.NDArray[np.str_]]
    """Family, backend and chip of each row."""

    def errors(self) -> Iterator[ErrorRow]:
        """Yield the errors of all rows, then those of each family, backend and chip."""
        yield self._row("all", "", np.ones(len(self.measured), dtype=bool))
        for by, names in self.labels.items():
            for name in sorted(set(names.tolist()) - {""}):
                yield self._row(by, name, names == name)

    def _row(self, by: str, group: str, keep: npt.NDArray[np.bool_]) -> ErrorRow:
        ratio = self.middle[keep] / self.measured[keep]
        ape = np.abs(ratio - 1.0)
        inside = (self.measured[keep] >= self.low[keep]) & (self.measured[keep] <= self.high[keep])
        return ErrorRow(
            target=self.target,
            by=by,
            group=group,
            measurements=int(keep.sum()),
            median_ape_ratio=_short(np.median(ape)),
            mean_ape_ratio=_short(ape.mean()),
            p90_ape_ratio=_short(np.quantile(ape, 0.9)),
            bias_ratio=_short(np.median(ratio) - 1.0),
            coverage_ratio=_short(inside.mean()),
        )


def _short(value: float | np.floating[npt.NBitBase]) -> float:
    return round(float(value), 4)


def has_measurements(columns: Sequence[str]) -> bool:
    """Return whether any of the columns holds measured values of something that is predicted."""
    return bool(_COLUMNS.intersection(columns))


def compare(rows: Sequence[Row]) -> tuple[list[Comparison], list[Predicted], list[SkippedRow], int]:
    """Return the comparison of each number that rows measure, the predictions, rows left out and rows compared.

    Args:
        rows: With the inputs of a prediction and measured values under the names of public tables.
    """
    found = predicted(rows)
    pairs: dict[str, list[tuple[int, float]]] = {}
    reasons: Counter[str] = Counter()
    compared = 0
    for place, (row, one) in enumerate(zip(rows, found, strict=True)):
        values = dict(_measured(row, one)) if not one.reason else {}
        for target, value in values.items():
            pairs.setdefault(target, []).append((place, value))
        compared += bool(values)
        if not values:
            reasons[one.reason or _NO_MEASUREMENT] += 1
    order = [target for names in OUTPUT_COLUMNS.values() for target in names if target in pairs]
    comparisons = [_comparison(target, pairs[target], found) for target in order]
    return (
        comparisons,
        found,
        [SkippedRow(reason=name, rows=count) for name, count in reasons.most_common()],
        compared,
    )


def _measured(row: Row, one: Predicted) -> Iterator[tuple[str, float]]:
    for target in OUTPUT_COLUMNS[one.kind]:
        text = cell(row, *MEASURED[target]) if target in MEASURED else ""
        try:
            value = float(text)
        except ValueError:
            continue
        if 0.0 < value < np.inf:
            yield target, value


def _comparison(target: str, pairs: Sequence[tuple[int, float]], found: Sequence[Predicted]) -> Comparison:
    own = [found[place] for place, _ in pairs]
    middle, low, high = (
        np.array([one.values[f"{target}{ending}"] for one in own]) for ending in ("", "_p10", "_p90")
    )
    labels = {name: np.array([getattr(one, name) for one in own]) for name in ("family", "backend", "chip")}
    return Comparison(target, np.array([value for _, value in pairs]), middle, low, high, labels)
