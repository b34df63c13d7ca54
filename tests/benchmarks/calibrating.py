"""How well one or two runs of a machine predict its other runs, on public measurements of models left out.

python tests/benchmarks/calibrating.py [--smoke]

Every model and chip is a user with benchmarks of their own: calibrated on two of them (one where there are two or three),
judged on all others, against the shipped prediction of a model that was not measured: its own ratios are left out of it.
What the rest of the fit learnt from the model stays, so the shipped column is flattered. The README quotes the table.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from advisor.calibrating.assembling import engine_of
from advisor.calibrating.collecting import Collected, Observation, collected, unbelievable
from advisor.calibrating.observations import joined
from advisor.calibration.factors import narrowed
from advisor.models import ModelSpec
from advisor.performance.pass_table import PassTable
from advisor.prediction.names import find_network
from advisor.prediction.outcome import Z_90_PERCENT

MEASUREMENTS = Path(__file__).resolve().parents[3] / "shared" / "measurements"
Row = dict[str, str]
Groups = dict[tuple[str, ...], list[Row]]
STEP = 1e-3
"""Of the logarithm of a factor, for slopes."""
PICKS = 2
"""Ways to choose the runs of a group that are calibrated on; the error of a group is the mean over them."""


@dataclass(frozen=True)
class Case:
    """One set of measurements."""

    name: str
    file: str
    group: tuple[str, ...]
    """Columns that say what a user has: model, chip, ..."""
    keep: Callable[[Row], bool]
    known: bool = False
    """Whether models keep their names (and lose their own ratios) instead of being called by another name."""


CASES = (
    Case(
        "language models, requests in flight",
        "llm_e2e_serving_silicon.csv",
        ("model", "system", "backend", "precision"),
        lambda row: (
            row["mode"] == "agg"
            and row["duplicate_of_earlier_row"] != "True"
            and not row["system"].startswith("gb")
            and "gtl" not in row["source_batch"]
        ),
    ),
    Case(
        "language models, steady rates",
        "vllm_serving_groundtruth_sim2real.csv",
        ("model", "hardware", "tp", "precision"),
        lambda row: row["stage_index"] != "-1" and bool(row["rate_from_docs_req_per_s"]),
    ),
    Case(
        "language models, Poisson rates",
        "ionet_vllm_poisson_qps_percentiles.csv",
        ("model", "gpu", "gpu_count"),
        lambda row: float(row["offered_rate_req_per_s"]) <= 64.0,
    ),
    Case(
        "image models, full batches",
        "timm_inference_benchmarks.csv",
        ("model", "device", "precision", "memory_layout", "torch_compile_dynamo"),
        lambda _: True,
        known=True,
    ),
)


def groups_of(case: Case, most: int) -> Groups:
    """Return the rows of a set by user, at most so many users, drawn by chance but always the same."""
    found: Groups = defaultdict(list)
    with (MEASUREMENTS / case.file).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if case.keep(row):
                found[tuple(row[name] for name in case.group)].append(row)
    keys = sorted(key for key, rows in found.items() if len(rows) >= 2)
    random.Random(1).shuffle(keys)  # noqa: S311 - a sample, no secret
    return {key: found[key] for key in keys[:most]}


def left_out(rows: Sequence[Row]) -> tuple[list[Row], dict[str, ModelSpec]]:
    """Return rows whose models nobody has measured under that name, and the shapes of those models."""
    models: dict[str, ModelSpec] = {}
    renamed = []
    for row in rows:
        spec = find_network(row["model"])
        name = f"left out: {spec.name}" if spec else row["model"]
        if spec:
            models[name] = spec.model_copy(update={"name": name})
        renamed.append({**row, "model": name})
    return renamed, models


@dataclass(frozen=True)
class Judged:
    """Runs of one user that were not calibrated on; shape (2, runs): as shipped, and calibrated."""

    target: str
    off: np.ndarray
    """Absolute error over the measured value."""
    inside: np.ndarray
    """Whether the measured value lies between the 10 % and the 90 % end."""


def judgements(case: Case, rows: Sequence[Row]) -> Iterator[Judged]:
    """Yield what each choice of runs to calibrate on says about the others."""
    renamed, models = (list(rows), {}) if case.known else left_out(rows)
    found = collected(list(enumerate(renamed)), models)
    for key in {one.key for one in found.observations}:
        own = [one for one in found.observations if one.key == key]
        runs = sorted({one.run for one in own})
        if len(runs) < 2:
            continue
        for pick in range(PICKS):
            chosen = set(random.Random(pick).sample(runs, 2 if len(runs) > 3 else 1))  # noqa: S311
            yield from judged(found, own, chosen)


def judged(found: Collected, own: Sequence[Observation], chosen: set[int]) -> Iterator[Judged]:
    """Yield errors and intervals on the runs that are not calibrated on."""
    count = len(own[0].spreads)
    taught = [
        one
        for one in own
        if one.run in chosen
        and not unbelievable(one, float(joined(found.observed([one]), np.zeros((1, count)))[0, 0]))
    ]
    if not taught:
        return
    engine = engine_of(taught[0].key, taught, found, days=())
    learnt = np.log(np.array(engine.ratios))
    steps = STEP * np.eye(count)
    variants = np.vstack([np.zeros(count), learnt, learnt + steps, learnt - steps])
    for target in sorted({one.target for one in own}):
        asked = [one for one in own if one.target == target and one.run not in chosen]
        if not asked:
            continue
        predicted = np.concatenate([joined(found.observed([one]), variants) for one in asked], axis=1)
        keep = np.isfinite(predicted).all(axis=0)  # a rate that is predicted to overload gets no prediction
        if not keep.any():
            continue
        predicted = predicted[:, keep]
        distance = predicted[:2] - np.array([one.measured for one in asked])[keep]
        slopes = (predicted[2 : 2 + count] - predicted[2 + count :]).T / (2.0 * STEP)
        shipped = np.array([one.spread.total for one in asked])[keep]
        ends = Z_90_PERCENT * np.stack([shipped, narrowed(shipped, *engine.learnt(slopes))])
        yield Judged(target, np.abs(np.expm1(distance)), np.abs(distance) <= ends)


def table(most: int) -> list[str]:
    """Return the rows of the table, and forget what the shipped fit knows of single image models."""
    document = PassTable.load().document
    for kind in ("gpu", "cpu"):
        document[kind]["models"].clear()
    lines = [
        "| measurements | number | users | median error | calibrated | better for | worst user | inside 80 % interval |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case in CASES:
        medians: dict[str, list[np.ndarray]] = defaultdict(list)
        inside: dict[str, list[np.ndarray]] = defaultdict(list)
        for rows in groups_of(case, most).values():
            own: dict[str, list[np.ndarray]] = defaultdict(list)
            for one in judgements(case, rows):
                own[one.target].append(np.median(one.off, axis=1))
                inside[one.target].append(one.inside)
            for target, pairs in own.items():
                medians[target].append(np.mean(pairs, axis=0))
        for target, means in sorted(medians.items()):
            before, after = np.array(means).T
            share = np.concatenate(inside[target], axis=1).mean(axis=1)
            lines.append(
                f"| {case.name} | {target} | {len(before)} | {np.median(before):.0%} | {np.median(after):.0%} | "
                f"{np.mean(after <= before):.0%} | {before.max():.0%} to {after.max():.0%} | {share[0]:.0%} to {share[1]:.0%} |"
            )
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="A few users of each set.")
    if not MEASUREMENTS.is_dir():
        print("skipped: the folder of measurements is not here")
    else:
        print("\n".join(table(4 if parser.parse_args().smoke else 250)))
