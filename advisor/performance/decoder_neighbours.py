"""What measurements close by say: the decoder model's own errors, carried over to operating points like them.

A deployment that was measured 15 % slower than modelled will be slower by much the same at twice the concurrency.
Gaussian-process regression (kriging) of ln(measured / modelled) says by how much, and how sure that is. It moves
only predictions of models that were measured with the same backend, and fades to nothing with distance.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

import numpy as np
import numpy.typing as npt

from advisor.performance.decoder_coefficients import Array, Values, calibration_family, fitted_table
from advisor.performance.decoder_rows import ServingRow, layout_of, weight_precision

__all__ = ["Kernel", "Nearby", "Neighbours", "OperatingPoints", "measured_neighbours"]

_CHUNK = 4096  # points compared with the measurements at once: bounds the memory


@dataclass(frozen=True, slots=True)
class Kernel:
    """How alike the model's errors are at two operating points of one model and backend."""

    log_sigma: float
    """Standard deviation of the errors that neighbours share, of the natural logarithm of measured / modelled."""
    noise_log_sigma: float
    """Standard deviation by which measurements of one configuration differ, of the same logarithm."""
    concurrency_doublings: float
    """Distance in concurrency over which likeness falls to exp(-1/2), in factors of two."""
    tokens_doublings: float
    """The same in tokens of a prompt and of an answer."""
    accelerators_doublings: float
    """The same in accelerators of a replica."""
    layout_likeness: float
    """Factor where one copies the attention or spreads whole experts and the other does not, 0 to 1."""
    platform_likeness: float
    """Factor where chip or precision differ, 0 to 1."""

    @property
    def prior_log_sigma(self) -> float:
        """Standard deviation of the error of a measurement without neighbours."""
        return math.hypot(self.log_sigma, self.noise_log_sigma)


@dataclass(frozen=True, slots=True)
class OperatingPoints:
    """Deployments under a load, one entry each."""

    group: npt.NDArray[np.str_]
    """Model and backend: points of different groups say nothing about each other."""
    platform: npt.NDArray[np.str_]
    """Chip and precision."""
    layout: npt.NDArray[np.str_]
    """How attention and experts are spread over the accelerators."""
    log2: Array
    """Base-2 logarithms of accelerators, prompt tokens, answer tokens and concurrency, one column each."""

    @classmethod
    def of(cls, rows: Sequence[ServingRow]) -> OperatingPoints:
        """Return the points of deployments with one request of one token, one for each; see `at`."""
        layouts = [layout_of(row) for row in rows]
        chips = [tensor * data for tensor, data, _ in layouts]
        stages = np.array([max(row.pp_size, 1.0) for row in rows])
        log2 = np.zeros((len(rows), 4))
        log2[:, 0] = np.log2(chips * stages)
        return cls(
            np.array([f"{calibration_family(row.model.name)}|{row.backend}" for row in rows], dtype=np.str_),
            np.array([f"{row.accelerator.id}|{weight_precision(row)}" for row in rows], dtype=np.str_),
            np.array([f"{data}|{expert > 1}" for _, data, expert in layouts], dtype=np.str_),
            log2,
        )

    def at(self, *, input_tokens: Values, output_tokens: Values, concurrency: Values) -> OperatingPoints:
        """Return the same deployments under a load.

        Args:
            input_tokens: Tokens of a prompt.
            output_tokens: Tokens of an answer.
            concurrency: Requests in flight in the whole replica.
        """
        log2 = self.log2.copy()
        for column, values in enumerate((input_tokens, output_tokens, concurrency), start=1):
            log2[:, column] = np.log2(values)
        return dataclasses.replace(self, log2=log2)

    def take(self, index: npt.NDArray[np.int64]) -> OperatingPoints:
        """Return the points at those positions."""
        return OperatingPoints(self.group[index], self.platform[index], self.layout[index], self.log2[index])


@dataclass(frozen=True, slots=True)
class Nearby:
    """What the neighbours of operating points say about one predicted number; one entry each."""

    ratio: Array
    """What to multiply the prediction by, dimensionless; 1 without neighbours."""
    spread: Array
    """Width of the interval, in logarithms, against that without neighbours; above 0, at most 1."""


def likeness(kernel: Kernel, left: OperatingPoints, right: OperatingPoints) -> Array:
    r"""Return the correlation of the model's errors at every pair of points of one group, left by right.

    $$\exp\left(-\frac{1}{2} \sum_i \frac{(\log_2 x_i - \log_2 y_i)^2}{d_i^2}\right)$$
    times `layout_likeness` and `platform_likeness` where those differ.
    """
    tokens = kernel.tokens_doublings
    scales = np.array([kernel.accelerators_doublings, tokens, tokens, kernel.concurrency_doublings])
    ours, theirs = left.log2 / scales, right.log2 / scales
    squares = np.square(ours).sum(axis=1)[:, None] + np.square(theirs).sum(axis=1) - 2.0 * (ours @ theirs.T)
    found = np.exp(np.minimum(-squares / 2.0, 0.0))
    found *= np.where(_same(left.layout, right.layout), 1.0, kernel.layout_likeness)
    found *= np.where(_same(left.platform, right.platform), 1.0, kernel.platform_likeness)
    return np.asarray(found)


def _same(left: npt.NDArray[np.str_], right: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    codes = np.unique(np.concatenate([left, right]), return_inverse=True)[1].reshape(-1)
    return np.asarray(codes[: len(left), None] == codes[None, len(left) :])


@dataclass(frozen=True)
class Neighbours:
    """Measured operating points, and how far the model was off at each."""

    points: OperatingPoints
    measurements: Array
    """Repeats that were averaged at each point, count."""
    log_ratio: Mapping[str, Array]
    """Natural logarithm of measured over modelled, for 'ttft' and 'tpot'."""
    kernels: Mapping[str, Kernel]
    _solved: dict[tuple[str, str], tuple[OperatingPoints, Array, Array]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def near(self, points: OperatingPoints, target: str) -> Nearby:
        r"""Return what the measurements of the same model and backend say at other points.

        With errors $r$ at the measured points, their covariance $K = \sigma^2 C + \mathrm{diag}(\nu^2 / n)$ and the
        likeness $c$ of a point to them, the error there has mean $\sigma^2 c^T K^{-1} r$ and variance
        $\sigma^2 - \sigma^4 c^T K^{-1} c + \nu^2$.

        Args:
            points: Where to predict.
            target: 'ttft' or 'tpot'.

        Source:
            Rasmussen, Williams, Gaussian Processes for Machine Learning, 2006, equations 2.25 and 2.26.
        """
        kernel = self.kernels[target]
        mean, variance = np.zeros(len(points.group)), np.full(len(points.group), kernel.log_sigma**2)
        measured = set(self.points.group.tolist())
        for group in sorted(measured.intersection(points.group.tolist())):
            known, weights, whitener = self._block(group, target)
            places = np.flatnonzero(points.group == group)
            for part in np.array_split(places, max(len(places) // _CHUNK, 1)):
                shared = kernel.log_sigma**2 * likeness(kernel, points.take(part), known)
                mean[part] = shared @ weights
                variance[part] -= np.square(shared @ whitener.T).sum(axis=1)
        sigma = np.sqrt(np.maximum(variance, 0.0) + kernel.noise_log_sigma**2)
        return Nearby(np.exp(mean), sigma / kernel.prior_log_sigma)

    def _block(self, group: str, target: str) -> tuple[OperatingPoints, Array, Array]:
        """Return the points of a group, their weights K^-1 r, and W with W^T W = K^-1."""
        if (group, target) not in self._solved:
            kernel, places = self.kernels[target], np.flatnonzero(self.points.group == group)
            known = self.points.take(places)
            covariance = kernel.log_sigma**2 * likeness(kernel, known, known)
            covariance[np.diag_indices_from(covariance)] += (
                kernel.noise_log_sigma**2 / self.measurements[places]
            )
            whitener = np.linalg.inv(np.linalg.cholesky(covariance))
            weights = whitener.T @ (whitener @ self.log_ratio[target][places])
            self._solved[group, target] = known, weights, whitener
        return self._solved[group, target]


@functools.cache
def measured_neighbours() -> Neighbours:
    """Return the shipped measurements as the model's errors, one point for each configuration."""
    text = resources.files("advisor").joinpath("data/decoder_neighbours.csv").read_text(encoding="utf-8")
    names, *rows = csv.reader(text.splitlines())
    columns = dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))
    numbers = {name: columns[name].astype(float) for name in names[3:]}
    coordinates = ("accelerators", "input_tokens", "output_tokens", "concurrency")
    log2 = np.log2(np.column_stack([numbers[name] for name in coordinates]))
    points = OperatingPoints(columns["group"], columns["platform"], columns["layout"], log2)
    return Neighbours(
        points,
        numbers["measurements"],
        {target: numbers[f"{target}_log_ratio"] for target in ("ttft", "tpot")},
        {target: Kernel(**values) for target, values in fitted_table()["neighbours"].items()},
    )
