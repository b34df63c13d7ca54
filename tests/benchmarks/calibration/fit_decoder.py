"""Fit the decoder model to measured serving rows, judge it on models left out, write the shipped table.

Run from the repository root: `python tests/benchmarks/calibration/fit_decoder.py [--write]`. It needs scipy and pandas
and reads `../shared/measurements`. Everything is deterministic.

Method: least squares on log(predicted / measured) of TTFT and TPOT with a pseudo-Huber loss. Each coefficient is a shared
value times a factor for the backend, the chip and the precision; factors are pulled towards 1 (ridge), so that a
factor with little evidence stays near 1. Measured models have their own ratios, pulled towards 1 as well, which are 1
for any other model. Repeated configurations share one weight. What is left of a measured model's error is carried over
to configurations close by (kriging, see `advisor.performance.decoder_neighbours`); a model that was left out of a fit
has no neighbours.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
from neighbours import START, averaged, fitted_kernels, write_neighbours
from scipy.optimize import least_squares

from advisor.catalog import Catalog
from advisor.models import find_model
from advisor.performance.decoder import closed_loop
from advisor.performance.decoder_coefficients import BACKENDS, NUMERIC_FIELDS, Coefficients
from advisor.performance.decoder_neighbours import Kernel, Neighbours, OperatingPoints
from advisor.performance.decoder_rows import (
    ServingRow,
    accelerator_id,
    engine_of_rows,
    parallel_layout,
    served_precision,
)
from advisor.validation.choices import RULES, Configurations, Latencies

ROOT = Path(__file__).resolve().parents[3]
MEASUREMENTS = ROOT.parent / "shared" / "measurements"
TABLE = ROOT / "advisor" / "data" / "decoder_coefficients.json"
NEIGHBOURS = ROOT / "advisor" / "data" / "decoder_neighbours.csv"
TARGETS = ("ttft", "tpot")
DATE = "2026-11-24"
SOURCE = "llm_e2e_serving_silicon.csv: PyPI aiconfigurator-core 0.12 (Apache-2.0), largely public InferenceMAX runs"
SAME_NETWORK = {
    "DeepSeek-V3": "DeepSeek-R1",
    "DeepSeek-V3.1": "DeepSeek-R1",
    "Llama-3.3-70B": "Llama-3.1-70B",
}
HUBER = {"dense": (0.30, 0.08), "moe": (0.15, 0.05)}  # TTFT, TPOT: where squares turn into absolute values
TTFT_WEIGHT = 0.6
LEFT_OUT = {
    "repeats": "exact repeats, marked as such in the source",
    "rack scale": "GB200/GB300 replicas of 12 to 72 accelerators: not plain aggregated serving; predictions would be useless",
    "nvidia_internal_gtl": "rows whose concurrency and parallelism contradict their own TPOT; off by a median of 65 % (TPOT)",
}

SHARED = {  # coefficient: start, ridge on the shared value (natural log), ridge on factors of each group
    "compute_efficiency": (0.6, 0.5, {}),
    "attention_efficiency": (0.3, 0.5, {}),
    "bandwidth_efficiency": (0.85, 0.5, {}),
    "kv_efficiency": (0.6, 0.5, {}),
    "expert_coverage_ratio": (1.0, 0.3, {}),
    "layer_overhead_s": (4e-5, 1.0, {"backend": 0.3}),
    "prefill_layer_overhead_s": (1e-4, 1.0, {}),
    "host_s_per_sequence": (3e-5, 1.0, {"backend": 0.3}),
    "allreduce_latency_s": (2e-6, 1.0, {}),
    "link_efficiency": (0.5, 0.5, {}),
    "prefill_mixing_ratio": (1.0, 0.2, {"backend": 0.2}),
    "ttft_constant_s": (0.03, 1.0, {"backend": 0.7}),
    "ttft_layer_s": (4e-4, 1.0, {}),
    "ttft_steps": (1.0, 0.7, {"backend": 0.3}),
    "queue_slope": (0.5, 1.0, {"backend": 0.7}),
    "queue_exponent": (0.8, 0.2, {"backend": 0.15}),
    "memory_share": (0.9, 0.03, {}),
    "reserved_output_ratio": (0.8, 0.3, {"backend": 0.1}),
    "tpot_ratio": (1.0, 1e-4, {"model": 0.1, "model_chip": 0.05}),
    "ttft_ratio": (1.0, 1e-4, {"model": 0.25, "model_chip": 0.1}),
}
FIXED = {
    "dequantization_bytes_per_param": 0.0,
    "dequantization_tokens": 1.0,
    "expert_overhead_exponent": 0.0,
    "log_sigma_ttft": 0.4,
    "log_sigma_tpot": 0.2,
}
KINDS = {  # what leave-one-model-out justified beyond SHARED, or instead of it
    "dense": {
        "bandwidth_efficiency": (0.85, 0.5, {"accelerator": 0.05, "backend": 0.05, "precision": 0.1}),
        "kv_efficiency": (0.6, 0.5, {"backend": 0.2, "precision": 0.3}),
        "prefill_mixing_ratio": (1.0, 0.2, {"backend": 0.2, "precision": 0.3}),
        "tpot_ratio": (1.0, 1e-4, {"model": 0.2, "model_chip": 0.05}),
        "ttft_ratio": (1.0, 1e-4, {"model": 0.8, "model_chip": 0.1}),
    },
    "moe": {
        "compute_efficiency": (0.6, 1.0, {}),
        "attention_efficiency": (0.3, 1.0, {}),
        "kv_efficiency": (0.6, 0.5, {"backend": 0.2, "precision": 0.3}),
        "prefill_mixing_ratio": (1.0, 0.2, {"backend": 0.2, "precision": 0.15}),
        "host_s_per_sequence": (3e-5, 1.0, {}),
        "expert_overhead_exponent": (0.2, 1.0, {}),
    },
}


@dataclass
class Rows:
    """Cleaned measurements with what the fit groups them by."""

    frame: pd.DataFrame
    rows: list[ServingRow]
    groups: dict[str, np.ndarray]
    ttft: np.ndarray
    tpot: np.ndarray
    weight: np.ndarray
    engine: object = field(default=None)

    @property
    def measured(self) -> dict[str, np.ndarray]:
        return {"ttft": self.ttft, "tpot": self.tpot}

    def take(self, keep: np.ndarray) -> Rows:
        index = np.flatnonzero(keep)
        rows = [self.rows[i] for i in index]
        groups = {name: values[index] for name, values in self.groups.items()}
        blank = dict.fromkeys(NUMERIC_FIELDS, 1.0)
        engine = engine_of_rows(rows, Coefficients(**blank))
        return Rows(
            self.frame.iloc[index],
            rows,
            groups,
            self.ttft[index],
            self.tpot[index],
            self.weight[index],
            engine,
        )


def measured_rows() -> Rows:
    """Read the aggregated rows; drop repeats, rack-scale rows of other serving modes and internal ones.

    Left out: exact repeats; GB200/GB300 rows with tp 12-72 (rack scale, not plain aggregated serving); 32 rows of
    `nvidia_internal_gtl`, whose concurrency and parallelism columns contradict their own TPOT (50 ms at 8 in flight).
    """
    frame = pd.read_csv(MEASUREMENTS / "llm_e2e_serving_silicon.csv")
    frame = frame[(frame["mode"] == "agg") & ~frame["duplicate_of_earlier_row"]]
    rack = frame["system"].isin(["gb200", "gb300"]) & ((frame["tp_size"] >= 12) & (frame["moe_ep_size"] <= 1))
    frame = frame[~rack & (frame["source_batch"] != "nvidia_internal_gtl")].reset_index(drop=True)
    chips = Catalog.load().accelerators
    columns = ["tp_size", "moe_tp_size", "moe_ep_size", "attention_dp_size"]
    frame[columns] = frame[columns].fillna(1.0)
    rows = [
        ServingRow(
            find_model(row.model),
            chips[accelerator_id(row.system)],
            row.backend,
            served_precision(row.model, row.precision if isinstance(row.precision, str) else None),
            row.tp_size,
            1.0,
            row.moe_tp_size,
            row.moe_ep_size,
            row.attention_dp_size,
        )
        for row in frame.itertuples()
    ]
    model = np.array([SAME_NETWORK.get(row.model.name, row.model.name) for row in rows])
    backend = np.array([row.backend for row in rows])
    chip = np.array([row.accelerator.id for row in rows])
    layout = [parallel_layout(**{c: getattr(r, c) for c in columns}) for r in rows]
    groups = {
        "family": model,
        "backend": backend,
        "accelerator": chip,
        "precision": np.array([row.precision for row in rows]),
        "model": np.char.add(np.char.add(model, "|"), backend),
        "model_chip": np.char.add(np.char.add(np.char.add(np.char.add(model, "|"), backend), "|"), chip),
        "kind": np.array(["moe" if row.model.experts else "dense" for row in rows]),
    }
    keys = [
        f"{m}|{r.precision}|{lay}|{i}|{o}|{c}"
        for m, r, lay, i, o, c in zip(
            groups["model_chip"],
            rows,
            layout,
            frame["isl_tokens"],
            frame["osl_tokens"],
            frame["concurrency"],
            strict=True,
        )
    ]
    frame["configuration"] = pd.factorize(np.array(keys))[0]
    repeats = frame["configuration"].map(frame["configuration"].value_counts())
    weight = 1.0 / np.sqrt(repeats.to_numpy(float))
    found = Rows(
        frame, rows, groups, frame["ttft_ms"].to_numpy() / 1e3, frame["tpot_ms"].to_numpy() / 1e3, weight
    )
    return found.take(np.ones(len(rows), dtype=bool))


class Fit:
    """One fitted set of coefficients: shared values and factors, as natural logarithms."""

    def __init__(self, kind: str, train: Rows) -> None:
        spec = SHARED | KINDS[kind]
        self.huber, self.spec, self.places, ridge = HUBER[kind], spec, {}, []
        for name, (_, base_sd, groups) in spec.items():
            places = {}
            ridge.append(1.0 / base_sd)
            base = len(ridge) - 1
            for group, factor_sd in groups.items():
                places[group] = {}
                for level in sorted(set(train.groups[group])):
                    places[group][level] = len(ridge)
                    ridge.append(1.0 / factor_sd)
            self.places[name] = (base, places)
        self.ridge = np.array(ridge)
        self.x = self._solve(train)

    def index(self, rows: Rows) -> dict[str, list[np.ndarray]]:
        """Return, for each coefficient, the places in `x` that each row adds up; unseen levels add 0."""
        found = {}
        for name, (base, groups) in self.places.items():
            columns = [np.full(len(rows.ttft), base)]
            for group, levels in groups.items():
                columns.append(np.array([levels.get(level, len(self.ridge)) for level in rows.groups[group]]))
            found[name] = columns
        return found

    def values(self, x: np.ndarray, index: dict[str, list[np.ndarray]]) -> dict[str, np.ndarray]:
        padded = np.append(x, 0.0)
        return {n: self.spec[n][0] * np.exp(sum(padded[c] for c in columns)) for n, columns in index.items()}

    def _solve(self, train: Rows) -> np.ndarray:
        index, count, size = self.index(train), len(train.ttft), len(self.ridge)
        log_ttft, log_tpot = np.log(train.ttft), np.log(train.tpot)

        def residuals(values: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            ttft, tpot = loop(train, values)
            far = TTFT_WEIGHT * _huber(np.log(ttft) - log_ttft, self.huber[0])
            return train.weight * far, train.weight * _huber(np.log(tpot) - log_tpot, self.huber[1])

        def objective(x: np.ndarray) -> np.ndarray:
            return np.concatenate([*residuals(self.values(x, index)), self.ridge * x])

        def jacobian(x: np.ndarray) -> np.ndarray:
            values, step = self.values(x, index), 1e-5
            ttft, tpot = residuals(values)
            out = np.zeros((2 * count + size, size))
            for name, columns in index.items():
                moved = residuals({**values, name: values[name] * np.exp(step)})
                for column in columns:
                    known = np.flatnonzero(column < size)
                    out[known, column[known]] += ((moved[0] - ttft) / step)[known]
                    out[count + known, column[known]] += ((moved[1] - tpot) / step)[known]
            out[2 * count + np.arange(size), np.arange(size)] = self.ridge
            return out

        return least_squares(objective, np.zeros(size), jac=jacobian, x_scale=0.3, max_nfev=30).x

    def predict(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        return loop(rows, self.values(self.x, self.index(rows)))

    def as_table(self) -> tuple[dict, dict]:
        """Return the shared values with their factors, and the ratios of measured models."""
        values, models = {}, {}
        for name, (base, groups) in self.places.items():
            values[name] = {"value": _short(self.spec[name][0] * np.exp(self.x[base]))}
            for group, levels in groups.items():
                factors = {level: _short(np.exp(self.x[place])) for level, place in levels.items()}
                if group.startswith("model"):
                    for level, factor in factors.items():
                        models.setdefault(level, {})[name] = factor
                else:
                    values[name][group] = factors
        return values, models


def _short(number: float) -> float:
    return float(f"{number:.4g}")


def _huber(residual: np.ndarray, scale: float) -> np.ndarray:
    return np.sign(residual) * np.sqrt(2.0 * (np.sqrt(1.0 + (residual / scale) ** 2) - 1.0))


def loop(rows: Rows, values: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return TTFT and TPOT of rows under coefficients, in seconds."""
    engine = replace(rows.engine, coefficients=Coefficients(**{**FIXED, **values}))
    frame = rows.frame
    return closed_loop(
        engine,
        concurrency=frame["concurrency"].to_numpy(float),
        input_tokens=frame["isl_tokens"].to_numpy(float),
        output_tokens=frame["osl_tokens"].to_numpy(float),
    )


@dataclass
class Predictions:
    """TTFT and TPOT of rows, and how wide each interval is against one without neighbours."""

    middle: dict[str, np.ndarray]
    spread: dict[str, np.ndarray]
    plain: dict[str, np.ndarray]
    """TTFT and TPOT of the same fit without what neighbours say."""

    @classmethod
    def blank(cls, count: int) -> Predictions:
        return cls(*({target: np.full(count, np.nan) for target in TARGETS} for _ in range(3)))

    def alone(self) -> Predictions:
        """Return the predictions without neighbours."""
        return Predictions(self.plain, {t: np.ones(len(v)) for t, v in self.plain.items()}, self.plain)


def points_of(rows: Rows) -> OperatingPoints:
    frame = rows.frame
    return OperatingPoints.of(rows.rows).at(
        input_tokens=frame["isl_tokens"].to_numpy(float),
        output_tokens=frame["osl_tokens"].to_numpy(float),
        concurrency=frame["concurrency"].to_numpy(float),
    )


def known_errors(fit: Fit, rows: Rows, kernels: dict[str, Kernel]) -> Neighbours:
    """Return the errors of a fit at the rows it has seen."""
    found = dict(zip(TARGETS, fit.predict(rows), strict=True))
    log_ratio = {target: np.log(rows.measured[target] / found[target]) for target in TARGETS}
    return averaged(points_of(rows), rows.frame["configuration"].to_numpy(), log_ratio, kernels)


def held_out(data: Rows, kind: str, kernels: dict[str, Kernel], *groupings: np.ndarray) -> Predictions:
    """Predict rows of one kind with fits that have seen nothing of their group, under each of the groupings."""
    own = data.groups["kind"] == kind
    train_on = own if kind == "dense" else np.ones(len(own), dtype=bool)
    found = Predictions.blank(len(own))
    for group in sorted(set(zip(*(grouping[own] for grouping in groupings), strict=True))):
        matches = [grouping == level for grouping, level in zip(groupings, group, strict=True)]
        test, train = own & np.logical_and.reduce(matches), train_on & ~np.logical_or.reduce(matches)
        fit, asked = Fit(kind, data.take(train)), data.take(test)
        known, points = known_errors(fit, data.take(train & own), kernels), points_of(asked)
        for target, plain in zip(TARGETS, fit.predict(asked), strict=True):
            near = known.near(points, target)
            found.plain[target][test] = plain
            found.middle[target][test], found.spread[target][test] = plain * near.ratio, near.spread
    return found


def errors(predicted: np.ndarray, measured: np.ndarray) -> dict[str, float]:
    ape = np.abs(predicted / measured - 1.0)
    return {
        "rows": len(ape),
        "median_ape": _short(np.median(ape)),
        "mean_ape": _short(ape.mean()),
        "p90_ape": _short(np.quantile(ape, 0.9)),
        "median_log_bias": _short(np.median(np.log(predicted / measured))),
    }


def report(title: str, data: Rows, found: Predictions, group: str | None = None) -> dict:
    """Print and return the error table of the rows that have a prediction."""
    table, done = {}, np.isfinite(found.middle["ttft"])
    levels = [None] if group is None else sorted(set(data.groups[group][done]))
    for level in levels:
        keep = done if level is None else done & (data.groups[group] == level)
        row = {t: errors(found.middle[t][keep], data.measured[t][keep]) for t in ("tpot", "ttft")}
        table[level or "all"] = row
        text = "  ".join(
            f"{name} {100 * e['median_ape']:5.1f} / {100 * e['mean_ape']:5.1f} % (bias {e['median_log_bias']:+.2f})"
            for name, e in row.items()
        )
        print(f"{title:34s} {level or 'all':24s} {row['tpot']['rows']:5d} rows  {text}")
    return table


def interval_factors(data: Rows, found: Predictions, target: str, keep: np.ndarray) -> dict[str, list[float]]:
    """Return the 10 % and 90 % quantile of measured / predicted where no neighbour narrows the interval.

    For each backend with 25 rows, and pooled. Errors are divided by the spread before the quantiles are taken.
    """
    done = np.isfinite(found.middle[target]) & keep
    sigmas = np.log(data.measured[target] / found.middle[target]) / found.spread[target]
    ends = {"pooled": sigmas[done]} | {b: sigmas[done & (data.groups["backend"] == b)] for b in BACKENDS}
    return {
        name: [_short(np.exp(np.quantile(values, q))) for q in (0.1, 0.9)]
        for name, values in ends.items()
        if len(values) >= 25
    }


def interval_ends(data: Rows, found: Predictions, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of each row, with factors that come from the other half of the configurations."""
    half = data.frame["configuration"].to_numpy() % 2 == 0
    low, high = np.full(len(half), np.nan), np.full(len(half), np.nan)
    for own in (half, ~half):
        factors = interval_factors(data, found, target, ~own)
        for backend in BACKENDS:
            keep = own & (data.groups["backend"] == backend)
            ends = np.array(factors.get(backend, factors["pooled"]))
            power, middle = found.spread[target][keep], found.middle[target][keep]
            low[keep], high[keep] = middle * ends[0] ** power, middle * ends[1] ** power
    return low, high


def coverage(data: Rows, found: Predictions, target: str) -> float:
    """Return the share of rows inside their interval."""
    low, high = interval_ends(data, found, target)
    done, measured = np.isfinite(low), data.measured[target]
    return float(np.mean((measured[done] >= low[done]) & (measured[done] <= high[done])))


def _averaged(groups: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return for each row the geometric mean over its group."""
    logs = pd.Series(np.log(values)).groupby(groups).transform("mean")
    return np.exp(logs.to_numpy())


def configurations(data: Rows, found: Predictions) -> Configurations:
    """Return the rows that have a prediction as configurations to choose among."""
    frame, done = data.frame, np.isfinite(found.middle["ttft"])
    answer = frame["osl_tokens"].to_numpy(float)
    work = frame["concurrency"].to_numpy(float) * answer / np.asarray(data.engine.accelerators)
    repeats = frame["configuration"].to_numpy()
    measured = {target: _averaged(repeats, values) for target, values in data.measured.items()}
    cells = frame.groupby([data.groups["family"], "isl_tokens", "osl_tokens"]).ngroup().to_numpy()

    def cost(times: dict[str, np.ndarray]) -> np.ndarray:
        return ((times["ttft"] + times["tpot"] * (answer - 1.0)) / work)[done]

    latencies = {
        t: Latencies(*(1e3 * v[done] for v in (found.middle[t], *interval_ends(data, found, t))))
        for t in TARGETS
    }
    return Configurations(
        cells[done],
        tuple(1e3 * measured[target][done] for target in TARGETS),
        cost(measured),
        cost(found.middle),
        tuple(latencies[target] for target in TARGETS),
    )


CASES = {  # what a fit has not seen: name in the table of errors, name in the table of intervals
    "held_out_configurations": "seen_model",
    "left_out_models": "unseen_model",
    "left_out_chips": "seen_model_unseen_chip",
    "left_out_models_and_chips": "unseen_model_unseen_chip",
}


def judged_choices(data: Rows, found: Predictions) -> dict:
    """Print and return regret and violations under each rule."""
    table, candidates = {}, configurations(data, found)
    for words, sure in RULES.items():
        none, regrets, broken = candidates.judged(sure=sure)
        table[words] = {
            "cases": len(broken) + none,
            "mean_regret": _short(np.mean(regrets)),
            "violated": _short(np.mean(broken)),
            "no_choice": none,
        }
        print(f"{'':34s} cheapest by {words}: {table[words]}")
    return table


def judged(data: Rows, kind: str, fit: Fit, kernels: dict[str, Kernel]) -> dict:
    """Judge the fit of one kind of model on what fits like it had not seen; return its part of the shipped table."""
    own = data.groups["kind"] == kind
    values, models = fit.as_table()
    for name in sorted(set(FIXED).difference(values, ("log_sigma_ttft", "log_sigma_tpot"))):
        values[name] = {"value": FIXED[name]}
    mine = data.take(own)
    plain = dict(zip(TARGETS, fit.predict(mine), strict=True))
    table: dict = {"fit": report(f"{kind}: fit, no neighbours", mine, Predictions(plain, {}, plain))}
    families, numbers = data.groups["family"], data.frame["configuration"].to_numpy()
    folds = np.random.default_rng(0).integers(0, 4, numbers.max() + 1)[numbers]
    left_out = ((folds,), (families,), (data.groups["accelerator"],), (families, data.groups["accelerator"]))
    intervals: dict = {target: {} for target in TARGETS}
    for (name, case), groupings in zip(CASES.items(), left_out, strict=True):
        found = held_out(data, kind, kernels, *groupings)
        table[name] = report(f"{kind}: {name}", data, found)
        for target in TARGETS:
            intervals[target][case] = interval_factors(data, found.alone(), target, own)
            if case.startswith("seen_model"):
                intervals[target][f"{case}_near"] = interval_factors(data, found, target, own)
        if name == "left_out_models":
            table[name] |= report(f"{kind}: {name}", data, found, "family")
        if name in {"held_out_configurations", "left_out_models"}:
            table[name]["choice"] = judged_choices(data, found)
        table[name]["coverage"] = {target: _short(coverage(data, found, target)) for target in TARGETS}
        print(f"{'':34s} share inside the 10-90 % interval {table[name]['coverage']}")
    known = sorted(set(families[own]))
    models = {key: ratios for key, ratios in models.items() if key.split("|")[0] in known}
    return {"values": values, "models": models, "families": known, "errors": table, "intervals": intervals}


def joined(parts: list[Neighbours]) -> Neighbours:
    """Return the errors of both kinds of models as one table."""
    points = [part.points for part in parts]
    return Neighbours(
        OperatingPoints(
            *(np.concatenate([getattr(p, f.name) for p in points]) for f in fields(OperatingPoints))
        ),
        np.concatenate([part.measurements for part in parts]),
        {target: np.concatenate([part.log_ratio[target] for part in parts]) for target in TARGETS},
        parts[0].kernels,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the tables in advisor/data")
    arguments = parser.parse_args()
    data = measured_rows()
    own = {kind: data.groups["kind"] == kind for kind in KINDS}
    fits = {
        kind: Fit(kind, data.take(keep if kind == "dense" else np.ones(len(keep), dtype=bool)))
        for kind, keep in own.items()
    }
    known = joined([known_errors(fits[kind], data.take(keep), START) for kind, keep in own.items()])
    kernels = fitted_kernels(known)
    print(*kernels.items(), sep="\n")
    kinds = {kind: judged(data, kind, fits[kind], kernels) for kind in KINDS}
    if arguments.write:
        write(data, kinds, kernels)
        write_neighbours(known, NEIGHBOURS)


def write(data: Rows, kinds: dict, kernels: dict[str, Kernel]) -> None:
    """Write the shipped table, keeping its published and extrapolated parts."""
    measured = sorted({(r.backend, r.accelerator.id, r.precision) for r in data.rows})
    old = json.loads(TABLE.read_text())
    table = {
        "date": DATE,
        "source": SOURCE,
        "rows": len(data.rows),
        "method": "pseudo-Huber least squares on logarithms, factors pulled to 1, then kriging of the errors; tests/benchmarks/calibration/fit_decoder.py",
        "left_out": LEFT_OUT,
        "selection": "terms, ridges, groups and losses were chosen by comparing about 200 variants on the same left-out models",
        "measured": [list(cell) for cell in measured],
        "same_network": SAME_NETWORK,
        "published_precisions": old.get("published_precisions", {}),
        "extrapolated_accelerators": old.get("extrapolated_accelerators", {}),
        "neighbours": {target: asdict(kernel) for target, kernel in kernels.items()},
        "kinds": kinds,
    }
    TABLE.write_text(json.dumps(table, indent=1) + "\n")
    print(f"wrote {TABLE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
