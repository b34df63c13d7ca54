"""Fleets of many services on shared pools, for timing and for what has to hold at size."""

import random
from math import pi, sin

from advisor.solver import Column, Goal, Limit, Period, Plan, Pool, Program, Service


def a_fleet(
    services: int,
    *,
    columns: int = 20,
    periods: int = 24,
    pools: int = 10,
    committed: bool = False,
    mean_loss: float | None = None,
    seed: int = 1,
) -> Program:
    """Return services with a daily rhythm each, whose columns use one of the pools each."""
    draw = random.Random(seed)  # noqa: S311  (no secret)
    names = tuple(Period(f"{hour:02d}", 730 / periods) for hour in range(periods))
    limits = () if mean_loss is None else (Limit("loss", "loss", mean_loss, "mean"),)
    return Program(
        tuple(_service(draw, number, columns, periods, pools) for number in range(services)),
        names,
        tuple(_pool(number, committed=committed) for number in range(pools)),
        limits=limits,
        goals=(Goal(),),
    )


def _pool(number: int, *, committed: bool) -> Pool:
    plans = [Plan("on-demand", "hourly", 1 + 0.37 * number)]
    if committed:
        plans.append(Plan("1y", "committed", 0.63 + 0.25 * number))
        plans.append(Plan("spot", "hourly", 0.35 + 0.1 * number, max_share_of_use=0.5))
    return Pool(f"pool{number}", tuple(plans))


def _service(draw: random.Random, number: int, columns: int, periods: int, pools: int) -> Service:
    load, phase = draw.uniform(5, 60), draw.uniform(0, 2 * pi)
    found = []
    for column in range(columns):
        pool = draw.randrange(pools)
        speed = draw.uniform(1, 6) * (1 + 0.3 * pool)
        use = tuple(
            max(1.0, round(load * (1 + 0.7 * sin(2 * pi * t / periods + phase)) / speed))
            for t in range(periods)
        )
        found.append(
            Column(
                f"c{column:02d}", draw.uniform(0, 500), {"loss": draw.random() * 0.05}, {f"pool{pool}": use}
            )
        )
    return Service(f"s{number:05d}", tuple(found), weight=draw.uniform(0.5, 2))
