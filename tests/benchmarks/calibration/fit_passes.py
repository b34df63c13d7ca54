"""Fit the one-pass model to measurements and judge it on models, families and chips that it has not seen.

Run from the repository root, as `OMP_NUM_THREADS=1 python tests/benchmarks/calibration/fit_passes.py [--write]`. With `--write` the
table in `advisor/data/pass_coefficients.json` is replaced. The fit has three stages: a roofline by runtime and
architecture class (least squares on the logarithm of the time, with priors), the ratio of each model family,
and the ratio of each model; the last two are shrunk towards 1. Predictions go through the product's own code.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import least_squares

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import pass_devices  # noqa: E402 - needs the path above
import pass_rows  # noqa: E402

from advisor.performance import passes  # noqa: E402
from advisor.performance.architectures import CLASSES  # noqa: E402
from advisor.performance.pass_coefficients import (  # noqa: E402
    REFERENCE_FLOPS_PER_ACTIVATION,
    PassCoefficients,
    PassTable,
    coefficients,
)

TABLE = ROOT / "advisor" / "data" / "pass_coefficients.json"
DATE = "2026-11-24"
TIMM_SAMPLE = 2500
MANY_ROWS = 20
NOISE = 0.25  # deviation of the logarithm that a row is expected to have, against the priors
ROBUST = 2.0  # errors beyond so many deviations count linearly: some tables mix ways of measuring
FAMILY_SHRINKAGE, MODEL_SHRINKAGE, CHIP_SHRINKAGE = 5.0, 3.0, 2.0
PLAIN = [name for name in CLASSES if name != "encoder"]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is fitted for a kind of chip."""

    kind: str
    groups: tuple[str, ...]  # runtimes with a table of their own by architecture class
    runtimes: dict[str, str]  # every runtime and the group whose table it scales
    precisions: tuple[str, ...]
    default_runtime: str


GPU = Plan(
    "gpu",
    ("pytorch", "pytorch-nhwc", "pytorch-compile"),
    {
        "pytorch": "pytorch", "pytorch-nhwc": "pytorch-nhwc", "pytorch-compile": "pytorch-compile",
        "tensorrt": "pytorch-compile", "tensorflow": "pytorch-nhwc", "tensorflow-xla": "pytorch-compile",
        "mxnet": "pytorch-compile", "paddle": "pytorch-nhwc", "onnxruntime": "pytorch-nhwc", "torchscript": "pytorch",
    },
    ("tf32", "fp32", "int8"),
    "unstated",
)  # fmt: skip
CPU = Plan(
    "cpu",
    ("pytorch-compile",),
    dict.fromkeys(
        ("pytorch-compile", "onnxruntime", "tensorflow", "pytorch", "openvino", "mxnet", "ipex"),
        "pytorch-compile",
    ),
    (),
    "onnxruntime",
)


class Layout:
    """Where each block of parameters lies in the vector that is fitted, with its priors."""

    def __init__(self, plan: Plan, chips: list[str]) -> None:
        self.plan, self.chips, self.runtimes = plan, chips, list(plan.runtimes)
        count, groups = len(self.runtimes), len(plan.groups)
        gpu = plan.kind == "gpu"
        launch = (np.log(3e-5), 1.0) if gpu else (np.log(5e-6), 1.0)
        self.blocks: dict[str, tuple[tuple[int, ...], float, float]] = {
            "compute": ((groups,), 0.3 if gpu else 1.0, 0.7), "passes": ((groups,), 1.8 if gpu else 1.5, 0.7),
            "class_compute": ((groups, len(PLAIN)), 0.0, 0.4), "class_passes": ((groups, len(PLAIN)), 0.0, 0.4),
            "exponent": ((len(PLAIN),), 0.0, 0.3), "encoder": ((2,), 0.0, 0.5),
            "runtime_compute": ((count,), 0.0, 0.3 if gpu else 0.5),
            "runtime_passes": ((count,), 0.0, 0.3 if gpu else 0.5),
            "launch": ((count,), *launch), "fixed": ((count,), np.log(2e-4), 0.7),
            "precision_compute": ((len(plan.precisions),), 0.0, 0.4),
            "precision_passes": ((len(plan.precisions),), 0.0, 0.3),
            "chip": ((len(chips),), 0.0, 0.3),
        }  # fmt: skip
        sizes = [int(np.prod(shape)) for shape, _, _ in self.blocks.values()]
        self.mean = np.repeat([mean for _, mean, _ in self.blocks.values()], sizes)
        self.deviation = np.repeat([deviation for _, _, deviation in self.blocks.values()], sizes)
        self.edges = np.cumsum([0, *sizes])

    def split(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """Return the blocks by name."""
        pairs = zip(self.blocks.items(), self.edges[:-1], self.edges[1:], strict=True)
        return {name: vector[start:end].reshape(shape) for (name, (shape, _, _)), start, end in pairs}


def chip_group(device: str) -> str:
    """Return the chip that shares its ratio: the sizes of one GPU are one chip."""
    return device.rsplit("-", 1)[0] if device.startswith(("a100", "v100")) else device


@dataclasses.dataclass(frozen=True)
class Coded:
    """Rows as arrays of codes and logarithms, for many evaluations."""

    runtime: np.ndarray
    own: np.ndarray
    group: np.ndarray
    kind: np.ndarray
    encoder: np.ndarray
    precision: np.ndarray
    chip: np.ndarray
    intensity: np.ndarray
    compute_s: np.ndarray
    traffic_s: np.ndarray
    weights_s: np.ndarray
    operators: np.ndarray

    @classmethod
    def of(cls, layout: Layout, rows: pd.DataFrame) -> Coded:
        """Return the arrays of some rows."""
        plan = layout.plan
        precisions = {name: code for code, name in enumerate(plan.precisions)}
        return cls(
            runtime=rows["runtime"].map(layout.runtimes.index).to_numpy(),
            own=(~rows["runtime"].isin(plan.groups)).to_numpy(dtype=float),
            group=rows["runtime"].map(lambda name: plan.groups.index(plan.runtimes[name])).to_numpy(),
            kind=rows["architecture"]
            .map(lambda name: PLAIN.index("vit" if name == "encoder" else name))
            .to_numpy(),
            encoder=(rows["architecture"] == "encoder").to_numpy(dtype=float),
            precision=rows["precision"].map(lambda name: precisions.get(name, -1)).to_numpy(),
            chip=rows["device"].map(lambda name: layout.chips.index(chip_group(name))).to_numpy(),
            intensity=np.log(rows["flops"] / rows["activations"] / REFERENCE_FLOPS_PER_ACTIVATION).to_numpy(),
            compute_s=(rows["flops"] / rows["sustained_peak"]).to_numpy(),
            traffic_s=(rows["activations"] * rows["bytes"] / rows["bandwidth"]).to_numpy(),
            weights_s=(rows["parameters"] * rows["bytes"] / (0.8 * rows["bandwidth"])).to_numpy(),
            operators=rows["operators"].to_numpy(dtype=float),
        )


def predicted(layout: Layout, vector: np.ndarray, rows: Coded) -> tuple[np.ndarray, np.ndarray]:
    """Return the fixed time and the time per item of every row under a parameter vector, in seconds."""
    p = layout.split(vector)
    shift = {name: np.append(p[f"precision_{name}"], 0.0)[rows.precision] for name in ("compute", "passes")}
    compute = p["compute"][rows.group] + p["class_compute"][rows.group, rows.kind]
    compute += rows.own * p["runtime_compute"][rows.runtime] + p["exponent"][rows.kind] * rows.intensity
    compute += rows.encoder * p["encoder"][0] + shift["compute"] + p["chip"][rows.chip]
    traffic = p["passes"][rows.group] + p["class_passes"][rows.group, rows.kind]
    traffic += rows.own * p["runtime_passes"][rows.runtime] + rows.encoder * p["encoder"][1] + shift["passes"]
    item = np.exp(compute) * rows.compute_s + np.exp(traffic) * rows.traffic_s
    fixed = (
        np.exp(p["fixed"])[rows.runtime] + np.exp(p["launch"])[rows.runtime] * rows.operators + rows.weights_s
    )
    return fixed, item


_START: dict[str, dict[str, np.ndarray]] = {}  # the last fit of each kind, where the next one starts


def fit_roofline(plan: Plan, rows: pd.DataFrame) -> tuple[Layout, np.ndarray]:
    """Return the parameter vector that fits a sample of timm and every other row."""
    layout = Layout(plan, sorted(set(rows["device"].map(chip_group))))
    timm = rows[rows["source"] == "timm"]
    sample = pd.concat(
        [timm.sample(min(len(timm), TIMM_SAMPLE), random_state=0), rows[rows["source"] != "timm"]]
    )
    target, batch = np.log(sample["time_s"]).to_numpy(), sample["batch"].to_numpy()
    coded = Coded.of(layout, sample)

    def residuals(vector: np.ndarray) -> np.ndarray:
        fixed, item = predicted(layout, vector, coded)
        error = (np.log(fixed + item * batch) - target) / NOISE
        robust = np.sign(error) * np.sqrt(2.0 * ROBUST * (np.hypot(error / ROBUST, 1.0) - 1.0) * ROBUST)
        return np.concatenate([robust, (vector - layout.mean) / layout.deviation])

    start = layout.mean.copy()
    for name, block in layout.split(start).items():
        earlier = _START.get(plan.kind, {}).get(name)
        if name != "chip" and earlier is not None:
            block[...] = earlier
    best = least_squares(residuals, start, max_nfev=15 if plan.kind in _START else 40, xtol=1e-4, ftol=1e-5).x
    _START.setdefault(plan.kind, layout.split(best))
    return layout, best


def _ridge(
    columns: list[tuple[np.ndarray, float]], target: np.ndarray, weight: np.ndarray
) -> list[np.ndarray]:
    """Return one shrunk effect for each level of each column of codes."""
    sizes = [int(codes.max()) + 1 for codes, _ in columns]
    starts = np.cumsum([0, *sizes])
    index = np.concatenate([codes + start for (codes, _), start in zip(columns, starts[:-1], strict=True)])
    rows = np.tile(np.arange(len(target)), len(columns))
    design = sparse.csr_matrix((np.ones(len(index)), (rows, index)), shape=(len(target), int(starts[-1])))
    penalty = np.repeat([shrinkage for _, shrinkage in columns], sizes)
    weighted = design.multiply(weight[:, None]).tocsr()
    effects = sparse.linalg.spsolve(
        (design.T @ weighted + sparse.diags(penalty)).tocsc(), weighted.T @ target
    )
    return [effects[start:end] for start, end in itertools.pairwise(starts)]


def _codes(values: Iterable[Any]) -> tuple[np.ndarray, list[Any]]:
    codes, levels = pd.factorize(pd.Series(list(values)), sort=True)
    return codes, list(levels)


def fit_ratios(plan: Plan, layout: Layout, vector: np.ndarray, rows: pd.DataFrame) -> dict[str, Any]:
    """Return the ratios of chips, families and models that remain on top of the roofline."""
    fixed, item = predicted(layout, vector, Coded.of(layout, rows))
    per_item = np.maximum(rows["time_s"] - fixed, 0.05 * rows["time_s"]) / (item * rows["batch"])
    left = np.clip(np.log(per_item.to_numpy()), -1.5, 1.5)
    share = (item * rows["batch"] / (fixed + item * rows["batch"])).to_numpy() ** 2
    group = rows["runtime"].map(plan.runtimes).to_numpy()
    chip, chips = _codes(zip(rows["device"], group, strict=True))
    family, families = _codes(rows["family"])
    both, pairs = _codes(zip(rows["family"], group, strict=True))
    groups, _ = _codes(group)
    columns = [(groups, 1.0), (chip, CHIP_SHRINKAGE), (family, FAMILY_SHRINKAGE), (both, FAMILY_SHRINKAGE)]
    level, of_chip, of_family, of_pair = _ridge(columns, left, share)
    remaining = left - level[groups] - of_chip[chip] - of_family[family] - of_pair[both]
    name, names = _codes(rows["model"].str.lower())
    (of_model,) = _ridge([(name, MODEL_SHRINKAGE)], remaining, share)
    shift = dict(zip(sorted(set(group)), level, strict=True))
    shared = dict(zip(families, of_family, strict=True))
    return {
        "chips": {key: float(np.exp(value + shift[key[1]])) for key, value in zip(chips, of_chip, strict=True)},
        "level": {key: float(np.exp(value)) for key, value in shift.items()},
        "families": {
            one: {name: float(np.exp(value + shared[name])) for (name, of), value in zip(pairs, of_pair, strict=True) if of == one}
            | {name: float(np.exp(value)) for name, value in shared.items() if (name, one) not in set(pairs)}
            for one in plan.groups
        },
        "models": {key: float(np.exp(value)) for key, value in zip(names, of_model, strict=True)},
    }  # fmt: skip


# compiled takes about 0.85 of the arithmetic and 0.5 of the memory traffic of eager; the square roots of that
_HALFWAY = {"compute_time": 0.92, "passes": 0.71, "log_sigma": 0.2}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def section(plan: Plan, rows: pd.DataFrame) -> dict[str, Any]:
    """Return the fitted table of a kind of chip, without deviations."""
    layout, vector = fit_roofline(plan, rows)
    p, ratios = layout.split(vector), fit_ratios(plan, layout, vector, rows)
    groups = {
        group: {name: _class_entry(p, row, name, ratios["level"].get(group, 1.0)) for name in CLASSES}
        for row, group in enumerate(plan.groups)
    }
    runtimes = {
        name: {
            "group": plan.runtimes[name],
            "compute_time": _rounded(1.0 if name in plan.groups else np.exp(p["runtime_compute"][row])),
            "passes": _rounded(1.0 if name in plan.groups else np.exp(p["runtime_passes"][row])),
            "launch_s_per_operator": _rounded(np.exp(p["launch"][row])),
            "fixed_s": _rounded(np.exp(p["fixed"][row])),
            "log_sigma": 0.0,
            "rows": int((rows["runtime"] == name).sum()),
        }
        for row, name in enumerate(layout.runtimes)
    }
    if plan.kind == "gpu":  # nobody says whether it is compiled: halfway, on a logarithmic scale
        runtimes["unstated"] = runtimes["pytorch"] | _HALFWAY | {"rows": 0}
    return {
        "source": "", "default_runtime": plan.default_runtime, "measured_precisions": ["fp16", "tf32", "fp32", "int8"] if plan.kind == "gpu" else ["fp32", "int8"], "groups": groups, "runtimes": runtimes,
        "precisions": {
            name: {"time": _rounded(np.exp(time)), "passes": _rounded(np.exp(passes_))}
            for name, time, passes_ in zip(plan.precisions, p["precision_compute"], p["precision_passes"], strict=True)
        },
        "devices": _chips(plan, layout, p["chip"], ratios, rows),
        "families": {group: {name: _rounded(value) for name, value in names.items()} for group, names in ratios["families"].items()},
        "models": {name: round(value, 3) for name, value in ratios["models"].items()},
        "log_sigma": {level: dict.fromkeys(CLASSES, 0.2) for level in ("model", "family", "class")}
        | {"other_chip": 0.2, "other_runtime": 0.2, "int8": 0.2},
    }  # fmt: skip


def _class_entry(p: dict[str, np.ndarray], row: int, name: str, level: float) -> dict[str, float]:
    column, encoder = PLAIN.index("vit" if name == "encoder" else name), float(name == "encoder")
    compute = p["compute"][row] + p["class_compute"][row, column] + encoder * p["encoder"][0]
    traffic = p["passes"][row] + p["class_passes"][row, column] + encoder * p["encoder"][1]
    return {
        "compute_efficiency": _rounded(np.exp(-compute) / level), "activation_passes": _rounded(np.exp(traffic) * level),
        "intensity_exponent": _rounded(p["exponent"][column]),
    }  # fmt: skip


def _chips(
    plan: Plan, layout: Layout, chip: np.ndarray, ratios: dict[str, Any], rows: pd.DataFrame
) -> dict[str, Any]:
    table = {}
    for device in sorted(set(rows["device"])):
        time = {
            group: _rounded(ratios["chips"][device, group] / ratios["level"][group])
            for group in plan.groups
            if (device, group) in ratios["chips"]
        }
        compute = np.exp(chip[layout.chips.index(chip_group(device))])
        table[device] = {
            "compute_time": _rounded(compute),
            "time": time,
            "rows": int((rows["device"] == device).sum()),
        }
    assumed = pass_devices.ASSUMED_COMPUTE_TIME if plan.kind == "gpu" else {}
    return table | {
        name: {"compute_time": value, "rows": 0} for name, value in assumed.items() if name not in table
    }


def fit_int8(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the INT8 speed-up over FP32 on CPUs as a sum of shrunk effects on its logarithm."""
    target = np.log(rows["speedup"]).to_numpy()
    keys = [
        rows["runtime"], rows["architecture"], rows["isa"], rows["runtime"] + "|" + rows["architecture"],
        rows["isa"] + "|" + rows["architecture"], rows["runtime"] + "|" + rows["isa"],
        rows["key"], rows["key"] + "|" + rows["runtime"],
    ]  # fmt: skip
    center = float(np.median(target))
    coded = [_codes(key) for key in keys]
    effects = _ridge([(codes, 1.0) for codes, _ in coded], target - center, np.ones(len(target)))
    table = {"": center}
    for (_, levels), values in zip(coded, effects, strict=True):
        table |= dict(zip(levels, values, strict=True))
    return {
        "log_speedup": {name: round(float(value), 3) for name, value in table.items() if abs(value) > 0.01},
        "peak_ratio": {"vnni": 4.0, "avx512-bf16": 4.0, "avx2": 4 / 3, "amx": 32.0, "i8mm": 8.0},
        "peak_ratio_16_bit": {"amx": 16.0, "i8mm": 4.0, "avx512-bf16": 2.0}, "16_bit_over_int8": 0.8, "same_as": {"i8mm": "vnni", "avx512-bf16": "vnni"},
    }  # fmt: skip


def predict(table: PassTable, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted time in seconds and its deviation, through the product's own code."""
    keys = rows[["architecture", "device", "precision", "runtime", "model", "kind"]].apply(tuple, axis=1)
    index, levels = pd.factorize(keys)
    fits = [
        coefficients(a, device, precision, runtime, model=model, kind=kind, table=table)
        for a, device, precision, runtime, model, kind in levels
    ]
    fit = PassCoefficients.gather(fits, index)
    columns = ("parameters", "flops", "activations", "layers", "bytes", "bytes", "peak", "bandwidth")
    engine = passes.PassEngine(*(rows[name].to_numpy(dtype=float) for name in columns), fit)
    time = passes.batch_s(engine, batch=rows["batch"].to_numpy(dtype=float))
    return np.asarray(time), np.asarray(fit.log_sigma)


def held_out(plan: Plan, rows: pd.DataFrame, column: str, folds: int) -> np.ndarray:
    """Return the predicted time of every row from a fit without the rows that share its `column`."""
    levels = sorted(set(rows[column]))
    order = np.random.default_rng(0).permutation(len(levels))
    fold = rows[column].map(
        dict(zip((levels[i] for i in order), np.arange(len(levels)) % folds, strict=True))
    )
    result = np.zeros(len(rows))
    for number in range(folds):
        test = (fold == number).to_numpy()
        document = {**pass_devices.NAMES, plan.kind: section(plan, rows[~test])}
        result[test], _ = predict(PassTable(document), rows[test])
    return result


def ape(measured: np.ndarray, predicted_: np.ndarray) -> dict[str, float]:
    """Return median, mean and 90 % absolute percentage error of throughput, in percent, and the count."""
    error = np.abs(measured / predicted_ - 1.0) * 100.0
    return {
        "rows": len(error), "median": round(float(np.median(error)), 1), "mean": round(float(error.mean()), 1),
        "p90": round(float(np.quantile(error, 0.9)), 1),
    }  # fmt: skip


def half_width(log_error: np.ndarray) -> float:
    """Return the deviation of a normal law whose 10-90 % interval around 0 holds 80 % of the errors."""
    return float(np.quantile(np.abs(log_error), 0.8) / 1.2815515655446004)


def naive_time(rows: pd.DataFrame, column: str) -> np.ndarray:
    """Return what one constant for each device says: images per second times MACs, its median.

    With `column` 'device' the device is known. Any other column is left out in turn where the device is too.
    """
    rate = np.log(rows["flops"] * rows["batch"] / rows["time_s"])
    if column == "device":
        constant = rate.groupby(rows["device"]).transform("median")
    else:  # an unseen device: the share of the peak that the other devices reach
        share = rate - np.log(rows["peak"])
        others = {name: float(share[rows["device"] != name].median()) for name in set(rows["device"])}
        constant = rows["device"].map(others) + np.log(rows["peak"])
    return (rows["flops"] * rows["batch"] / np.exp(constant)).to_numpy()


SPLITS: tuple[tuple[str, str, int], ...] = (
    ("row", "row", 5),
    ("model", "base_model", 5),
    ("family", "family", 5),
    ("chip", "chip", 0),
)


def judge(plan: Plan, rows: pd.DataFrame) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return error tables and the logarithm of measured / predicted time of each way of holding out."""
    rows["row"], rows["base_model"], rows["chip"] = (
        rows.index,
        rows["model"].str.lower(),
        rows["device"].map(chip_group),
    )
    tables, errors, time = {}, {}, rows["time_s"].to_numpy()
    for name, column, folds in SPLITS:
        guess = held_out(plan, rows, column, folds or rows[column].nunique())
        naive = naive_time(rows, "chip" if name == "chip" else "device")
        errors[name] = np.log(time / guess)
        tables[name] = {
            source: {"model": ape(time[mask], guess[mask]), "naive": ape(time[mask], naive[mask])}
            for source in sorted(set(rows["source"]))
            for mask in [(rows["source"] == source).to_numpy()]
        }
        if name == "chip":
            tables["by_chip"] = {
                chip: {"model": ape(time[mask], guess[mask]), "naive": ape(time[mask], naive[mask])}
                for chip in sorted(set(rows["chip"]))
                for mask in [(rows["chip"] == chip).to_numpy()]
            }
        _print(f"{plan.kind}: leave one {name} out", tables[name])
    _print(f"{plan.kind}: leave one chip out, by chip", tables["by_chip"])
    return tables, errors


def _print(title: str, table: dict[str, Any]) -> None:
    print(f"\n{title}: median / mean / p90 APE of throughput, % (naive)")
    for name, entry in table.items():
        ours, naive = entry["model"], entry["naive"]
        print(
            f"  {name:28s} n={ours['rows']:6d}  {ours['median']:6.1f} / {ours['mean']:6.1f} / {ours['p90']:6.1f}"
            f"   ({naive['median']:.1f} / {naive['mean']:.1f} / {naive['p90']:.1f})"
        )


def _excess(rows: pd.DataFrame, unseen: np.ndarray, seen: np.ndarray) -> float:
    """Return how much more variance unseen chips have: the mean over chips with many rows."""
    many = rows["chip"].map(rows["chip"].value_counts()) >= MANY_ROWS
    excess = [
        half_width(unseen[mask]) ** 2 - half_width(seen[mask]) ** 2
        for name in sorted(set(rows["chip"][many]))
        for mask in [(rows["chip"] == name).to_numpy()]
    ]
    return max(float(np.mean(excess)), 0.0)


def deviations(rows: pd.DataFrame, errors: dict[str, np.ndarray], found: dict[str, Any]) -> None:
    """Write the deviations of held-out errors into a fitted table: by class, runtime and what was not seen."""
    timm = (rows["source"] == "timm").to_numpy()
    sigma = found["log_sigma"]
    for level, split in (("model", "row"), ("family", "model"), ("class", "family")):
        overall = half_width(errors[split][timm])
        for name in CLASSES:
            mask = (rows["architecture"] == name).to_numpy() & (timm | (name == "encoder"))
            sigma[level][name] = round(
                half_width(errors[split][mask]) if mask.sum() >= MANY_ROWS else overall, 3
            )
    for name, entry in found["runtimes"].items():
        mask = (rows["runtime"] == name).to_numpy()
        if name == entry["group"] or mask.sum() < 8:
            continue
        for key, level, split in (
            ("log_sigma", "model", "row"),
            ("log_sigma_other_model", "family", "model"),
        ):
            excess = [
                half_width(errors[split][own]) ** 2 - sigma[level][rows["architecture"][own].iloc[0]] ** 2
                for name_of_model in sorted(set(rows["base_model"][mask]))
                for own in [mask & (rows["base_model"] == name_of_model).to_numpy()]
            ]
            entry[key] = round(max(float(np.mean(excess)), 0.0) ** 0.5, 3)
        entry["models"] = sorted(set(rows["base_model"][mask]))
    sigma["other_chip"] = round(_excess(rows, errors["chip"], errors["row"]) ** 0.5, 3)
    sigma["other_runtime"] = 0.25  # assumed
    found["source"] = "; ".join(sorted({_SOURCES[name] for name in set(rows["source"])}))


_SOURCES = {
    "timm": "timm benchmark results (pytorch-image-models, Apache-2.0)",
    "dle": "NVIDIA DeepLearningExamples inference tables",
    "triton": "NVIDIA DeepLearningExamples Triton tables",
    "intel": "Intel Neural Compressor validated models (Apache-2.0)",
    "openvino": "OpenVINO 2024.1 benchmark results",
}


def coverage(
    document: dict[str, Any], plan: Plan, rows: pd.DataFrame, errors: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Return the share of held-out measurements inside their 10-90 % interval, by split and source."""
    found, result = document[plan.kind], {}
    no_families = {group: {} for group in found["families"]}
    no_models = {
        name: entry | ({"models": []} if "models" in entry else {})
        for name, entry in found["runtimes"].items()
    }
    no_chips = {name: entry | {"rows": 0} for name, entry in found["devices"].items()}
    changes = {
        "row": {}, "model": {"models": {}, "runtimes": no_models},
        "family": {"models": {}, "families": no_families, "runtimes": no_models}, "chip": {"devices": no_chips},
    }  # fmt: skip
    for split, change in changes.items():
        _, sigma = predict(PassTable(document | {plan.kind: found | change}), rows)
        inside = np.abs(errors[split]) <= 1.2815515655446004 * sigma
        result[split] = {
            name: round(float(inside[(rows["source"] == name).to_numpy()].mean()), 3)
            for name in sorted(set(rows["source"]))
        }
    return result


def judge_int8(
    rows: pd.DataFrame, fit: Callable[[pd.DataFrame], dict[str, Any]] = fit_int8
) -> tuple[dict[str, Any], float]:
    """Return the error tables of the INT8 speed-up, held out by row and by model, and its deviation."""
    tables, deviation = {}, 0.0
    rows = rows.reset_index(drop=True)
    rows["row"] = rows.index
    for name, column in (("model", "key"), ("row", "row")):
        levels = sorted(set(rows[column]))
        order = np.random.default_rng(0).permutation(len(levels))
        fold = rows[column].map(
            dict(zip((levels[i] for i in order), np.arange(len(levels)) % 10, strict=True))
        )
        guess = np.zeros(len(rows))
        for number in range(10):
            test = (fold == number).to_numpy()
            effects = fit(rows[~test])["log_speedup"]
            guess[test] = [_summed(effects, row) for row in rows[test].itertuples()]
        speedup = rows["speedup"].to_numpy()
        naive = np.full(len(rows), np.median(speedup))
        # APE of the predicted speed-up, so measured and predicted change places against times
        tables[name] = {"int8": {"model": ape(np.exp(guess), speedup), "naive": ape(naive, speedup)}}
        _print(f"cpu: INT8 over FP32, leave one {name} out", tables[name])
        deviation = half_width(np.log(speedup) - guess) if name == "model" else deviation
    return tables, deviation


def _summed(effects: dict[str, float], row: Any) -> float:
    keys = (
        "", row.runtime, row.architecture, row.isa, f"{row.runtime}|{row.architecture}", f"{row.isa}|{row.architecture}",
        f"{row.runtime}|{row.isa}", row.key, f"{row.key}|{row.runtime}",
    )  # fmt: skip
    return sum(effects.get(key, 0.0) for key in keys)


def main() -> None:
    """Fit, judge, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"replace {TABLE.name}")
    parser.add_argument(
        "--quick", action="store_true", help="fit without judging, keeping deviations and errors"
    )
    parser.add_argument("--kind", choices=("gpu", "cpu"), help="fit one kind of chip alone")
    arguments = parser.parse_args()
    earlier = json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {"errors": {}}
    document = earlier | {"version": 1, "date": DATE, **pass_devices.NAMES}
    for plan, read in ((GPU, pass_rows.gpu_rows), (CPU, pass_rows.cpu_rows)):
        if arguments.kind in {None, plan.kind}:
            document[plan.kind] = _section(plan, read(), document, arguments.quick)
    if arguments.kind != "gpu":
        speedups = pass_rows.speedup_rows()
        document["cpu"]["int8"] = fit_int8(speedups)
        if not arguments.quick:
            document["errors"]["int8"], deviation = judge_int8(speedups)
            document["cpu"]["log_sigma"]["int8"] = round(deviation, 3)
    if arguments.write:
        TABLE.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _section(plan: Plan, rows: pd.DataFrame, document: dict[str, Any], quick: bool) -> dict[str, Any]:
    found = section(plan, rows)
    if quick:
        before = document[plan.kind]
        for name, entry in found["runtimes"].items():
            entry |= {
                key: value
                for key, value in before["runtimes"].get(name, {}).items()
                if key.startswith("log_sigma") or key == "models"
            }
        return found | {name: before[name] for name in ("log_sigma", "source")}
    tables, errors = judge(plan, rows)
    deviations(rows, errors, found)
    judged = document | {plan.kind: found}
    tables["coverage_of_80_percent"] = coverage(judged, plan, rows, errors)
    print(
        "coverage of the 80 % interval:", json.dumps(tables["coverage_of_80_percent"], indent=1), flush=True
    )
    document["errors"][plan.kind] = tables
    return found


if __name__ == "__main__":
    main()
