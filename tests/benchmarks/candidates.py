"""Candidates evaluated per second, and growth with the number of options.

Run: python tests/benchmarks/candidates.py [--smoke]
Prints CPU seconds of this process for composing and evaluating all candidates (accuracy, memory, capacity within the
limits, replicas, machines, money), and how the time grows when a strategy gets more options. Compare ratios within one
run, never absolute times of two.
"""

from __future__ import annotations

import argparse
from time import process_time

from advisor import Requirements
from advisor.candidates import compose
from advisor.catalog import Catalog
from advisor.evaluation import Evaluation
from advisor.examples import EXAMPLES, example
from advisor.plans import feasible_plans
from advisor.preparation import considered_machines
from advisor.registry import installed_strategies
from advisor.strategy import Deltas, Option, Strategy, neutral
from advisor.terms import resolve

TARGET_PER_S = 1_000_000


class Many:
    """A strategy with any number of options, each a little faster and a little dearer."""

    name = "many"
    title = "Many options"

    def __init__(self, count: int) -> None:
        self.count = count

    def options(self, workload: object, instance_type: object) -> list[Option]:
        """The neutral option and `count` others."""
        del workload, instance_type
        others = [
            Option(
                f"o{n}",
                f"option {n}",
                Deltas(throughput_ratio=1.0 + n / 1000.0, running_usd_per_month=float(n)),
                sources=("assumed",),
            )
            for n in range(1, self.count + 1)
        ]
        return [neutral("none"), *others]


def timed(
    name: str, requirements: Requirements, strategies: list[Strategy], *, repeats: int
) -> tuple[int, float]:
    """Return the number of candidates and the least CPU seconds of a few evaluations of all of them."""
    workload, catalog = example(name), Catalog.load()
    terms = resolve(workload, requirements)
    machines = considered_machines(workload, requirements, catalog)
    best, count = float("inf"), 0
    for _ in range(repeats):
        start = process_time()
        evaluation = Evaluation(workload, catalog, compose(workload, requirements, strategies, machines))
        feasible_plans(evaluation, terms)
        best, count = min(best, process_time() - start), evaluation.candidates.count
    return count, best


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="One small round, to see that it runs.")
    repeats = 1 if parser.parse_args().smoke else 3
    strategies = list(installed_strategies())
    everywhere = Requirements(max_accuracy_loss="1%", providers=["*"])
    print(f"{'workload':<20}{'candidates':>12}{'CPU s':>8}{'per s':>12}   target {TARGET_PER_S:,} per s")
    for name in EXAMPLES:
        count, seconds = timed(name, everywhere, strategies, repeats=repeats)
        print(f"{name:<20}{count:>12,}{seconds:>8.2f}{count / seconds:>12,.0f}")
    print(f"\n{'options added':<20}{'candidates':>12}{'CPU s':>8}{'s for each million':>20}")
    for added in (0, 1, 3) if repeats == 1 else (0, 1, 3, 7, 15):
        count, seconds = timed(
            "large-llm", Requirements(max_accuracy_loss="1%"), [*strategies, Many(added)], repeats=repeats
        )
        print(f"{added:<20}{count:>12,}{seconds:>8.2f}{1e6 * seconds / count:>20.2f}")


if __name__ == "__main__":
    main()
