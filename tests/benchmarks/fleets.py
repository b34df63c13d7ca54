"""Fleets from end to end: time, memory and proven gap for 10, 100 and 1,000 services.

Run: python tests/benchmarks/fleets.py [--smoke] [--ten-thousand] [--distinct] [--workers N]
Each service is one of the built-in examples with traffic of its own (size, hour of the peak, depth of the night) and one
of a few lengths and limits, as services of one company have; `--distinct` gives each its own lengths and limits, too.
About 10^5 candidates each, whose machines, commitments and spot floors are shared by all, under quotas of two machine
types, a budget a month and one for the one-time work. Evaluation, program, check and explanation are all in the times.

CPU seconds are those of all processes, to be judged where others use the machine; memory is the largest resident set of
this process and of its workers together. Each size runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from time import perf_counter
from typing import Any

from advisor import Requirements, Workload, recommend
from advisor.examples import EXAMPLES
from advisor.solver import SolverSettings

GAP = 1e-3
LENGTHS, LIMITS = (0.5, 0.7, 1.0, 1.4), (0.8, 1.0, 1.5)


def a_service(number: int, *, distinct: bool) -> Workload:
    """Return the service of that number, the same in every run."""
    draw = random.Random(number)  # noqa: S311 - no secret
    fields = Workload.load(tuple(EXAMPLES)[number % 3]).model_dump(mode="json", exclude_unset=True)
    length = draw.uniform(LENGTHS[0], LENGTHS[-1]) if distinct else draw.choice(LENGTHS)
    limit = draw.uniform(LIMITS[0], LIMITS[-1]) if distinct else draw.choice(LIMITS)
    fields["name"] = f"s{number:05d}"
    fields["traffic"]["requests_per_s"] = _day(draw, peak=_peak(fields) * draw.uniform(0.1, 2.5))
    fields["limits"] = {name: seconds * limit for name, seconds in fields["limits"].items()}
    requests = fields["requests"]
    if "image_size_px" in requests:
        requests["image_size_px"] = {"mean": 224.0 * length**0.5, "cv": 0.0}
    else:
        mean = {"large-llm": 2048.0, "medium-transformer": 220.0}[tuple(EXAMPLES)[number % 3]]
        requests["input_tokens"] = {"mean": mean * length, "cv": 0.9}
    return Workload.model_validate(fields)


def _peak(fields: dict[str, Any]) -> float:
    rates = fields["traffic"]["requests_per_s"]
    return max(rates.values()) if isinstance(rates, dict) else max(rates)


def _day(draw: random.Random, *, peak: float) -> list[float]:
    busiest, night = draw.randrange(24), draw.uniform(0.1, 0.7)
    return [
        peak * (night + (1.0 - night) * (1.0 - abs((hour - busiest + 12) % 24 - 12) / 12.0))
        for hour in range(24)
    ]


def asked(services: int) -> Requirements:
    """Return limits that all share: they bind in every size, as they grow with it."""
    return Requirements(
        max_accuracy_loss="1%",
        budget=f"${20000 * services}/month",
        one_time_budget=f"${11000 * services}",
        quotas={"p5.48xlarge": 1 + 3 * services // 5, "g4dn.xlarge": services},
    )


@dataclass
class Times:
    """When a fleet was evaluated, when its program was solved."""

    start: float = field(default_factory=perf_counter)
    evaluated: float = 0.0
    solved: float = 0.0

    def progress(self, done: int, count: int) -> None:
        """Take the time of what was reported."""
        now = perf_counter()
        if not self.evaluated and done == count:
            self.evaluated = now
        elif self.evaluated and not self.solved:
            self.solved = now


def measured(services: int, *, distinct: bool, workers: int) -> dict[str, Any]:
    """Return one row of the table."""
    fleet = [a_service(number, distinct=distinct) for number in range(services)]
    times = Times()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        found = recommend(
            fleet,
            asked(services),
            solver=SolverSettings(gap_ratio=GAP),
            executor=pool if services > 10 else None,
            progress=times.progress,
        )
        end = perf_counter()
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    memory_kib = own.ru_maxrss + others.ru_maxrss * (workers if services > 10 else 0)
    return {
        "services": services,
        "candidates": found.candidates_considered,
        "evaluate_s": times.evaluated - times.start,
        "solve_s": (times.solved or end) - times.evaluated,
        "explain_s": end - (times.solved or end),
        "cpu_s": own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime,
        "memory_gib": memory_kib / 2**20,
        "status": found.status,
        "gap": found.solver.gap_ratio,
        "usd_per_month": found.plan.cost_usd_per_month if found.plan else None,
    }


def main() -> None:
    """Print the table, one size after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="Two small fleets, to see that it runs.")
    parser.add_argument("--ten-thousand", action="store_true", help="10,000 services, too.")
    parser.add_argument(
        "--distinct", action="store_true", help="No two services alike in lengths and limits."
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(given.one, distinct=given.distinct, workers=given.workers)))
        return
    sizes = (3, 12) if given.smoke else (10, 100, 1000, *([10000] if given.ten_thousand else []))
    print(f"{given.workers} workers; asked for a gap of {GAP:.1%}")
    print(
        "services   candidates evaluate   solve explain  wall s   CPU s  CPU s/service    GiB      gap  status"
    )
    for size in sizes:
        flags = ["--workers", str(given.workers), *(["--distinct"] if given.distinct else [])]
        done = subprocess.run(
            [sys.executable, __file__, "--one", str(size), *flags],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        row = json.loads(done.stdout)
        wall = row["evaluate_s"] + row["solve_s"] + row["explain_s"]
        gap = "-" if row["gap"] is None else f"{row['gap']:.4%}"
        print(
            f"{size:>8,} {row['candidates']:>12,}{row['evaluate_s']:>9.1f}{row['solve_s']:>8.1f}{row['explain_s']:>8.1f}"
            f"{wall:>8.1f}{row['cpu_s']:>8.1f}{row['cpu_s'] / size:>15.3f}{row['memory_gib']:>7.2f}{gap:>9}  {row['status']}"
        )


if __name__ == "__main__":
    main()
