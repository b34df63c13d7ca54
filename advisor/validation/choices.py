"""Choosing the cheapest measured configuration by prediction: what it costs more, and how often it breaks a limit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from advisor.performance.decoder_coefficients import calibration_family
from advisor.prediction.deployments import Deployments
from advisor.prediction.inputs import Inputs, Row, cell
from advisor.prediction.rows import Predicted
from advisor.prediction.serving import CONCURRENCY, INPUT_TOKENS, OUTPUT_TOKENS
from advisor.validation.document import ChoiceRow

Array = npt.NDArray[np.float64]

TTFT_LIMITS_MS = (200.0, 500.0, 1000.0, 2000.0, 5000.0)
TPOT_LIMITS_MS = (8.0, 12.0, 20.0, 30.0, 50.0)
_FEWEST_CONFIGURATIONS = 8
_ENDS = {"prediction": "", "p90 end": "_p90"}


@dataclass(frozen=True, slots=True)
class Configurations:
    """Measured configurations, one entry for each row; times in milliseconds, cost in accelerators over tokens/s."""

    cells: npt.NDArray[np.int64]
    """Rows with the same number serve the same model and lengths, and compete."""
    measured_ms: tuple[Array, Array]
    """TTFT and TPOT; repeats of a configuration are averaged."""
    measured_cost: Array
    predicted_cost: Array

    def judged(self, limited_ms: tuple[Array, Array]) -> tuple[int, list[float], list[bool]]:
        """Return cases without a choice, regrets of choices that keep the limits, and which choices break one.

        Args:
            limited_ms: Predicted TTFT and TPOT that must keep the limits for a row to be chosen.
        """
        none, regrets, broken = 0, list[float](), list[bool]()
        for rows, (first, token) in itertools.product(
            self._groups(), itertools.product(TTFT_LIMITS_MS, TPOT_LIMITS_MS)
        ):
            kept = (self.measured_ms[0][rows] <= first) & (self.measured_ms[1][rows] <= token)
            said = rows[(limited_ms[0][rows] <= first) & (limited_ms[1][rows] <= token)]
            if not kept.any():
                continue
            if not said.size:
                none += 1
                continue
            chosen = said[np.argmin(self.predicted_cost[said])]
            broken.append(bool(self.measured_ms[0][chosen] > first or self.measured_ms[1][chosen] > token))
            if not broken[-1]:
                regrets.append(float(self.measured_cost[chosen] / self.measured_cost[rows[kept]].min() - 1.0))
        return none, regrets, broken

    def _groups(self) -> list[npt.NDArray[np.int64]]:
        groups = [np.flatnonzero(self.cells == number) for number in np.unique(self.cells)]
        return [rows for rows in groups if len(rows) >= _FEWEST_CONFIGURATIONS]


def choices(rows: Sequence[Row], found: Sequence[Predicted]) -> Iterator[ChoiceRow]:
    """Yield how well predictions choose, for dense models and mixtures, by prediction and by its pessimistic end.

    Choices are made among rows of one model and lengths, over every pair of limits on TTFT and TPOT that some row
    keeps; the cost is accelerators over output tokens per second.
    """
    for family in ("dense", "moe"):
        places = [
            place
            for place, (row, one) in enumerate(zip(rows, found, strict=True))
            if one.kind == "serving" and not one.reason and one.family == family and _is_measured(row)
        ]
        if len(places) < _FEWEST_CONFIGURATIONS:
            continue
        own, values = [rows[place] for place in places], [found[place].values for place in places]
        configurations = _configurations(own, values)
        for words, ending in _ENDS.items():
            limited = tuple(
                np.array([value[f"{name}_ms{ending}"] for value in values]) for name in ("ttft", "tpot")
            )
            none, regrets, broken = configurations.judged((limited[0], limited[1]))
            if broken or none:
                yield ChoiceRow(
                    kind=family,
                    held_out="",
                    limits_met_by=words,
                    cases=none + len(broken),
                    mean_regret_ratio=round(float(np.mean(regrets)), 4) if regrets else None,
                    violated_ratio=round(float(np.mean(broken)), 4) if broken else None,
                    no_choice=none,
                )


def _is_measured(row: Row) -> bool:
    try:
        return all(0.0 < float(cell(row, name)) < np.inf for name in ("ttft_ms", "tpot_ms"))
    except ValueError:
        return False


def _configurations(rows: Sequence[Row], values: Sequence[object]) -> Configurations:
    inputs = Inputs.of(rows)
    deployments = Deployments.of(inputs)
    engine = deployments.engine(np.arange(len(rows)))
    bounds = {"least": 0.0, "most": np.inf}
    concurrency, prompt, answer = (
        inputs.numbers(*names, **bounds) for names in (CONCURRENCY, INPUT_TOKENS, OUTPUT_TOKENS)
    )
    names = [calibration_family(row.model.name) if (row := one.row) else "" for one in deployments.distinct]
    codes = np.array([sorted(set(names)).index(name) for name in names])[deployments.index]
    cells, repeats = (
        _numbered(codes, prompt, answer),
        _numbered(deployments.index, prompt, answer, concurrency),
    )
    ttft, tpot = (_averaged(repeats, inputs.numbers(f"{name}_ms", **bounds)) for name in ("ttft", "tpot"))
    chips = np.broadcast_to(np.asarray(engine.accelerators, dtype=float), (len(rows),))
    rate = concurrency * answer / (ttft + tpot * (answer - 1.0))
    predicted = np.array([value["throughput_tokens_per_s"] for value in values])  # type: ignore[index]
    return Configurations(cells, (ttft, tpot), chips / rate, chips / predicted)


def _numbered(*columns: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Return one number for each distinct combination."""
    stacked = np.column_stack([column.astype(float) for column in columns])
    return np.unique(stacked, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _averaged(groups: npt.NDArray[np.int64], values: Array) -> Array:
    """Return for each row the geometric mean over its group."""
    logs = np.log(np.maximum(values, 1e-9))
    means: Array = np.bincount(groups, logs) / np.bincount(groups)
    return np.exp(means[groups])
