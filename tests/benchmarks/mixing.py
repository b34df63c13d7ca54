r"""Continuous routing against the published formulation that cuts traffic into slices, on its example and at random.

Run: python tests/benchmarks/mixing.py [--smoke]
Prints cost and seconds of both for the example that the authors of the slice formulation publish, and for random
services of growing size. Both programs go through the same bridge to the same solver with the same settings.

The slice formulation is written from the paper: Griggs et al., "Mélange: Cost Efficient Large Language Model Serving
by Exploiting GPU Heterogeneity", arXiv:2404.14527, 2024. Each bucket of requests is cut into equal slices; binary
$A_{ij}$ says whether slice i goes to GPU type j, integer $B_j$ counts GPUs; $\min \sum_j c_j B_j$ with
$\sum_j A_{ij} = 1$ and $\sum_i L_{ij} A_{ij} \le B_j$, where $L_{ij}$ is the rate of the slice over the most that one
GPU carries of its size within the limits. The example is `example.json` of the code that goes with the paper.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from time import perf_counter

from advisor.solver import Bucket, Carrier, Mixing, Period, Plan, Pool, SolverSettings, cheapest_mix
from advisor.solver.linear import Domain, Expression, Kind, LinearProgram, Row
from advisor.solver.pulp_bridge import minimize

SLICES = 8
"""Slices of a bucket in the paper's evaluation."""
TIME_LIMIT_S = 60.0


@dataclass(frozen=True)
class Instance:
    """One service: rates by bucket, and for each GPU type its price and the most that one carries of each bucket."""

    rates: dict[str, float]
    usd_per_h: dict[str, float]
    most: dict[str, dict[str, float]]

    def mixing(self) -> Mixing:
        """Return the service as ours to mix: one variable for each bucket and GPU type."""
        return Mixing(
            buckets=tuple(Bucket(name, (rate,)) for name, rate in self.rates.items()),
            carriers=tuple(Carrier.serving(name, name, self.rates, most) for name, most in self.most.items()),
            periods=(Period("hour", 1.0),),
            pools=tuple(
                Pool(name, (Plan("on-demand", "hourly", usd),)) for name, usd in self.usd_per_h.items()
            ),
        )

    def sliced(self, slices: int) -> LinearProgram:
        """Return the slice formulation: a binary for each slice and GPU type."""
        gpus = list(self.usd_per_h)
        cut = [(bucket, number) for bucket in self.rates for number in range(slices)]
        names = [f"A[{b},{n},{gpu}]" for b, n in cut for gpu in gpus] + [f"B[{gpu}]" for gpu in gpus]
        counts = range(len(cut) * len(gpus), len(names))
        rows = []
        for i, (bucket, number) in enumerate(cut):
            mine = [i * len(gpus) + j for j, gpu in enumerate(gpus) if self.most[gpu].get(bucket, 0.0) > 0.0]
            rows.append(Row(Kind.CHOICE, f"{bucket},{number}", Expression(mine, [1.0] * len(mine)), "=", 1.0))
        for j, gpu in enumerate(gpus):
            able = [(i, bucket) for i, (bucket, _) in enumerate(cut) if self.most[gpu].get(bucket, 0.0) > 0.0]
            at = [i * len(gpus) + j for i, _ in able]
            load = [self.rates[bucket] / slices / self.most[gpu][bucket] for _, bucket in able]
            whole = Expression([*at, counts[j]], [*load, -1.0])
            rows.append(Row(Kind.COVERAGE, gpu, whole, "<=", 0.0))
        domains = [Domain.BINARY] * counts[0] + [Domain.INTEGER] * len(gpus)
        return LinearProgram(
            "usd_per_h", Expression(counts, list(self.usd_per_h.values())), rows, names, domains
        )


def published_example() -> Instance:
    """Return the example of the paper's code: 30 requests/s of four sizes, A10G or A100."""
    buckets = ("short-short", "short-long", "long-short", "long-long")
    return Instance(
        rates=dict(zip(buckets, (6.0, 3.0, 15.0, 6.0), strict=True)),
        usd_per_h={"A10G": 1.01, "A100-80GB": 3.67},
        most={
            "A10G": dict(zip(buckets, (2.0, 1.0, 5.0, 2.0), strict=True)),
            "A100-80GB": dict(zip(buckets, (20.0, 20.0, 40.0, 20.0), strict=True)),
        },
    )


PUBLISHED_SLICES = 1
"""Slices of a bucket in the published example."""


def random_instance(seed: int, *, buckets: int, gpus: int) -> Instance:
    """Return a service whose larger GPU types are dearer, and better at larger requests."""
    draw = random.Random(seed)  # noqa: S311  (no secret)
    names = [f"b{number}" for number in range(buckets)]
    sizes = {name: draw.uniform(1.0, 30.0) for name in names}
    most, prices = {}, {}
    for number in range(gpus):
        strength = 2.0 ** (2.0 * number / max(gpus - 1, 1)) * draw.uniform(0.8, 1.2)
        prices[f"g{number}"] = round(strength * draw.uniform(0.8, 1.2), 2)
        most[f"g{number}"] = {
            name: 20.0 * strength / size ** (1.3 - 0.2 * number / gpus) * draw.uniform(0.9, 1.1)
            for name, size in sizes.items()
        }
    rates = {name: draw.uniform(0.1, 1.0) * 40.0 / buckets for name in names}
    return Instance(rates, prices, most)


@dataclass(frozen=True)
class Outcome:
    """Cost in USD per hour, or None where nothing was found in time; and the seconds it took."""

    cost: float | None
    seconds: float
    proven: bool


def continuous(instance: Instance, *, time_limit_s: float = TIME_LIMIT_S) -> Outcome:
    """Solve with continuous routing."""
    start = perf_counter()
    result = cheapest_mix(instance.mixing(), SolverSettings(time_limit_s=time_limit_s))
    cost = None if result.mix is None else result.mix.cost_usd_per_month
    return Outcome(cost, perf_counter() - start, result.report.status.value == "optimal")


def in_slices(instance: Instance, slices: int, *, time_limit_s: float = TIME_LIMIT_S) -> Outcome:
    """Solve the slice formulation."""
    start = perf_counter()
    answer = minimize(instance.sliced(slices), SolverSettings(), time_limit_s=time_limit_s)
    return Outcome(answer.objective, perf_counter() - start, answer.status.value == "optimal")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="The smallest sizes only, to see that it runs.")
    smoke = parser.parse_args().smoke
    example = published_example()
    ours, theirs = continuous(example), in_slices(example, PUBLISHED_SLICES)
    print(f"published example: slices {theirs.cost:.2f} $/h, continuous routing {ours.cost:.2f} $/h\n")
    print(
        f"{'variables':>9} {'ours':>6} {'slices $/h':>11} {'ours $/h':>9} {'slices s':>9} {'ours s':>7} {'times':>6}"
    )
    sizes = [(9, 4)] if smoke else [(9, 4), (25, 4), (50, 4), (94, 4), (100, 8), (200, 8)]
    for buckets, gpus in sizes:
        for seed in range(1 if smoke else 3):
            instance = random_instance(seed, buckets=buckets, gpus=gpus)
            ours, theirs = continuous(instance), in_slices(instance, SLICES)
            print(
                f"{(buckets * SLICES + 1) * gpus:>9,} {(buckets + 1) * gpus:>6,} "
                f"{theirs.cost or float('nan'):>11.4f} {ours.cost or float('nan'):>9.4f} "
                f"{theirs.seconds:>8.2f}{' ' if theirs.proven else '>'} {ours.seconds:>7.2f} "
                f"{theirs.seconds / ours.seconds:>6.1f}"
            )
    print("\n'>': stopped at the time limit without a proof")


if __name__ == "__main__":
    main()
