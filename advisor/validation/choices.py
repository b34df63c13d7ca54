"""Choosing the cheapest measured configuration by prediction: what it costs more, and how often it breaks a limit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from advisor.performance.decoder_coefficients import calibration_family
from advisor.prediction.deployments import Deployments
from advisor.prediction.inputs import Inputs, Row, cell
from advisor.prediction.outcome import Z_90_PERCENT
from advisor.prediction.rows import Predicted
from advisor.prediction.serving import CONCURRENCY, INPUT_TOKENS, OUTPUT_TOKENS
from advisor.validation.document import ChoiceRow

Array = npt.NDArray[np.float64]
_NORMAL = NormalDist()

TTFT_LIMITS_MS = (200.0, 500.0, 1000.0, 2000.0, 5000.0)
TPOT_LIMITS_MS = (8.0, 12.0, 20.0, 30.0, 50.0)
FEWEST_CONFIGURATIONS = 8
RULES = {"prediction": 0.0, "60 % sure": 0.6, "90 % sure": 0.9}
"""What must keep both limits for a row to be chosen: the prediction itself, or this probability of keeping both."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """Predictions of one latency with the ends of their intervals, one entry for each row, in milliseconds."""

    middle: Array
    p10: Array
    p90: Array

    def probability(self, limit_ms: float) -> Array:
        """Return the probability that each row keeps a limit: lognormal, with its own width below and above."""
        distance = np.log(limit_ms / self.middle)
        ends = np.where(distance > 0.0, self.p90 / self.middle, self.middle / self.p10)
        sigmas = Z_90_PERCENT * distance / np.log(np.maximum(ends, 1.0 + 1e-9))
        return np.array([_NORMAL.cdf(value) for value in sigmas.tolist()])

    def trusted(self, limit_ms: float, sure: float) -> Array:
        """Return the probability that each row keeps a limit; 0 or 1 by the prediction itself where `sure` is 0."""
        return self.probability(limit_ms) if sure else (self.middle <= limit_ms).astype(float)


@dataclass(frozen=True, slots=True)
class Configurations:
    """Measured configurations, one entry for each row; times in milliseconds, cost in accelerators over tokens/s."""

    cells: npt.NDArray[np.int64]
    """Rows with the same number serve the same model and lengths, and compete."""
    measured_ms: tuple[Array, Array]
    """TTFT and TPOT; repeats of a configuration are averaged."""
    measured_cost: Array
    predicted_cost: Array
    predicted: tuple[Latencies, Latencies]

    def judged(self, *, sure: float) -> tuple[int, list[float], list[bool]]:
        """Return cases without a choice, regrets of choices that keep the limits, and which choices break one.

        Args:
            sure: Least probability of keeping both limits for a row to be chosen; 0 asks the prediction itself.
        """
        none, regrets, broken = 0, list[float](), list[bool]()
        first, token = self.predicted
        keeps_first = {limit: first.trusted(limit, sure) for limit in TTFT_LIMITS_MS}
        keeps_token = {limit: token.trusted(limit, sure) for limit in TPOT_LIMITS_MS}
        for rows, limits in itertools.product(self._groups(), itertools.product(keeps_first, keeps_token)):
            kept = (self.measured_ms[0] <= limits[0]) & (self.measured_ms[1] <= limits[1])
            if not kept[rows].any():
                continue
            said = rows[(keeps_first[limits[0]] * keeps_token[limits[1]])[rows] >= (sure or 1.0)]
            if not said.size:
                none += 1
                continue
            chosen = said[np.argmin(self.predicted_cost[said])]
            broken.append(not kept[chosen])
            if kept[chosen]:
                cheapest = self.measured_cost[rows[kept[rows]]].min()
                regrets.append(float(self.measured_cost[chosen] / cheapest - 1.0))
        return none, regrets, broken

    def _groups(self) -> list[npt.NDArray[np.int64]]:
        groups = [np.flatnonzero(self.cells == number) for number in np.unique(self.cells)]
        return [rows for rows in groups if len(rows) >= FEWEST_CONFIGURATIONS]


def choices(rows: Sequence[Row], found: Sequence[Predicted]) -> Iterator[ChoiceRow]:
    """Yield how well predictions choose, for dense models and mixtures, under each of `RULES`.

    Rows of one model and lengths compete, on whatever chip, backend, precision, parallelism and concurrency they were
    measured; at least 8 of them. A case is one such group under one pair of limits, 200 ms to 5 s on TTFT and 8 to
    50 ms on TPOT, that some row keeps. The row with the lowest predicted cost among the trusted ones is chosen; the
    cost is accelerators over output tokens per second, whatever an accelerator costs. Repeats of a configuration
    are averaged. Regret counts where the chosen row keeps the limits; a broken limit has no regret but is a broken promise.
    """
    for family in ("dense", "moe"):
        places = [
            place
            for place, (row, one) in enumerate(zip(rows, found, strict=True))
            if one.kind == "serving" and not one.reason and one.family == family and _is_measured(row)
        ]
        if len(places) < FEWEST_CONFIGURATIONS:
            continue
        configurations = _configurations(
            [rows[place] for place in places], [found[place].values for place in places]
        )
        for words, sure in RULES.items():
            none, regrets, broken = configurations.judged(sure=sure)
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


def _configurations(rows: Sequence[Row], values: Sequence[Mapping[str, float]]) -> Configurations:
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
    predicted = np.array([value["throughput_tokens_per_s"] for value in values])
    latencies = [
        Latencies(*(np.array([value[f"{name}_ms{end}"] for value in values]) for end in ("", "_p10", "_p90")))
        for name in ("ttft", "tpot")
    ]
    return Configurations(cells, (ttft, tpot), chips / rate, chips / predicted, (latencies[0], latencies[1]))


def _numbered(*columns: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Return one number for each distinct combination."""
    stacked = np.column_stack([column.astype(float) for column in columns])
    return np.unique(stacked, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _averaged(groups: npt.NDArray[np.int64], values: Array) -> Array:
    """Return for each row the geometric mean over its group."""
    logs = np.log(np.maximum(values, 1e-9))
    means: Array = np.bincount(groups, logs) / np.bincount(groups)
    return np.exp(means[groups])
