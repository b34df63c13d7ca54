"""The decoder model's errors at measured points, and the kernels that say how far they carry.

The seven numbers of each kernel have the largest marginal likelihood of the errors of the final fit, both kinds of
models together (Powell's method; deterministic).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from advisor.performance.decoder_neighbours import Kernel, Neighbours, OperatingPoints, likeness

LARGEST = {
    "ttft": 1.0,
    "tpot": 0.6,
}  # errors beyond are cut there: one freak run must not move its neighbours
START = {
    "ttft": Kernel(0.35, 0.16, 2.0, 2.2, 2.0, 0.3, 0.5),
    "tpot": Kernel(0.18, 0.07, 3.0, 3.8, 2.2, 0.3, 0.4),
}
_COORDINATES = ("accelerators", "input_tokens", "output_tokens", "concurrency")


def averaged(
    points: OperatingPoints,
    configuration: np.ndarray,
    log_ratio: Mapping[str, np.ndarray],
    kernels: Mapping[str, Kernel],
) -> Neighbours:
    """Return measured points with the model's errors, repeats of a configuration averaged.

    Args:
        points: Measurements.
        configuration: Number of the configuration of each; repeats have the same.
        log_ratio: ln(measured / modelled) of each, for 'ttft' and 'tpot'.
        kernels: For 'ttft' and 'tpot'.
    """
    _, first, inverse, count = np.unique(
        configuration, return_index=True, return_inverse=True, return_counts=True
    )
    means = {
        target: np.bincount(inverse, np.clip(errors, -LARGEST[target], LARGEST[target])) / count
        for target, errors in log_ratio.items()
    }
    return Neighbours(points.take(first), count.astype(float), means, kernels)


def fitted_kernels(known: Neighbours) -> dict[str, Kernel]:
    """Return the kernels under which the errors are most likely, rounded to two digits."""
    return {target: _most_likely(known, target) for target in known.log_ratio}


def _most_likely(known: Neighbours, target: str) -> Kernel:
    groups = [np.flatnonzero(known.points.group == group) for group in np.unique(known.points.group)]
    most = np.array([1.0 if field.name.endswith("likeness") else np.inf for field in fields(Kernel)])

    def kernel(logs: np.ndarray) -> Kernel:
        return Kernel(*np.minimum(np.exp(np.clip(logs, -5.0, 3.0)), most))

    def surprise(logs: np.ndarray) -> float:
        return sum(_surprise(kernel(logs), known, places, target) for places in groups)

    start = np.log(astuple(START[target]))
    best = kernel(minimize(surprise, start, method="Powell", options={"ftol": 1e-4, "maxfev": 400}).x)
    return Kernel(*(float(f"{value:.2g}") for value in astuple(best)))


def _surprise(kernel: Kernel, known: Neighbours, places: np.ndarray, target: str) -> float:
    """Return minus the log likelihood of the errors of one group, up to a constant."""
    points = known.points.take(places)
    covariance = kernel.log_sigma**2 * likeness(kernel, points, points)
    covariance[np.diag_indices_from(covariance)] += kernel.noise_log_sigma**2 / known.measurements[places]
    try:
        lower = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return np.inf
    whitened = np.linalg.solve(lower, known.log_ratio[target][places])
    return float(0.5 * whitened @ whitened + np.log(np.diag(lower)).sum())


def write_neighbours(known: Neighbours, path: Path) -> None:
    """Write the points and the model's errors as a table."""
    errors = [f"{target}_log_ratio" for target in known.log_ratio]
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["group", "platform", "layout", *_COORDINATES, "measurements", *errors])
        for place in range(len(known.measurements)):
            names = (
                known.points.group[place],
                known.points.platform[place],
                known.points.layout[place],
            )
            numbers = [*np.exp2(known.points.log2[place]), known.measurements[place]]
            ratios = [f"{values[place]:.3f}" for values in known.log_ratio.values()]
            table.writerow([*names, *(f"{number:.6g}" for number in numbers), *ratios])
