"""Small mixes: a hand-made one, random ones, and the exact answer by trying every number of instances."""

import random
from dataclasses import replace
from itertools import combinations, product
from math import ceil, inf

import numpy as np
from oracles import cheapest_cover

from advisor.solver import Bucket, Carrier, Mixing, Period, Plan, Pool, QuotaGroup


def a_mix(**changes: object) -> Mixing:
    """Return two buckets in two periods on two carriers, with every kind of row; valid by default."""
    small = Carrier(
        "small", "a", {"short": (2.5, 1.0), "long": (4.0, 2.0)}, cost_usd_per_month=20.0, loss_ratio=0.01
    )
    large = Carrier("large", "b", {"short": (0.9, 0.4), "long": (1.2, 0.5)})
    a = Pool(
        "a",
        (
            Plan("1y", "committed", 0.6, quota=2),
            Plan("on-demand", "hourly", 1.0),
            Plan("spot", "hourly", 0.4, max_share_of_use=0.5),
        ),
    )
    mixing = Mixing(
        buckets=(Bucket("short", (300.0, 100.0)), Bucket("long", (100.0, 50.0))),
        carriers=(small, large),
        periods=(Period("day", 300.0), Period("night", 430.0)),
        pools=(a, Pool("b", (Plan("on-demand", "hourly", 2.5),))),
        groups=(QuotaGroup("region", ("a", "b"), 6),),
        most_carriers=2,
        loss_limit=0.005,
    )
    return replace(mixing, **changes)  # type: ignore[arg-type]


def random_mix(seed: int) -> Mixing:
    """Return up to three carriers and three buckets in one period, or two of each in two; some cannot be served."""
    draw = random.Random(seed)  # noqa: S311  (no secret)
    periods = tuple(Period(f"t{t}", draw.choice([100.0, 300.0])) for t in range(draw.choice([1, 1, 2])))
    carriers, buckets = (draw.randint(2, 3), draw.randint(1, 3)) if len(periods) == 1 else (2, 2)
    pools = tuple(_pool(draw, number) for number in range(draw.randint(1, 2)))
    wanted = [[draw.uniform(0.0, 4.0) for _ in periods] for _ in range(buckets)]
    return Mixing(
        buckets=tuple(Bucket(f"b{b}", tuple(wanted[b])) for b in range(buckets)),
        carriers=tuple(
            Carrier(
                f"v{v}",
                draw.choice(pools).name,
                {
                    f"b{b}": tuple(rate / most for rate in wanted[b])
                    for b in range(buckets)
                    if (most := draw.choice([0.0, 1.5, 2.0, 3.0, 5.0])) > 0
                },
                cost_usd_per_month=draw.choice([0.0, 0.0, 40.0]),
                loss_ratio=draw.choice([0.0, 0.01, 0.02]),
            )
            for v in range(carriers)
        ),
        periods=periods,
        pools=pools,
        groups=(QuotaGroup("all", tuple(pool.name for pool in pools), draw.randint(1, 6)),)
        if draw.random() < 0.3
        else (),
        most_carriers=draw.choice([None, 1, 2]),
        loss_limit=draw.choice([None, None, 0.005, 0.012]),
        steady=draw.random() < 0.5,
    )


def _pool(draw: random.Random, number: int) -> Pool:
    plans = [Plan("od", "hourly", round(draw.uniform(0.5, 2), 2))]
    if draw.random() < 0.4:
        plans.append(Plan("1y", "committed", round(draw.uniform(0.2, 1), 2), quota=draw.choice([None, 1])))
    if draw.random() < 0.4:
        plans.append(Plan("spot", "hourly", round(draw.uniform(0.2, 1), 2), max_share_of_use=0.5))
    return Pool(f"p{number}", tuple(plans))


def cheapest_by_trying(mixing: Mixing) -> float:
    r"""Return the least cost of a mix, by trying every number of instances of every carrier; infinite where none serves.

    Whether some instances can carry the traffic is decided without a solver: routing is a linear program without an
    objective, so it exists unless weights $w \ge 0$ on rows M2 and M9 prove the contrary,
    $\sum_b \min_v w \cdot \text{load}_{bv} > w \cdot \text{bounds}$, and it is enough to look at the vertices of the
    pieces on which the left side is linear.
    """
    counts = [
        range(ceil(sum(load[t] for load in carrier.load.values()) - 1e-9) + 1)
        for carrier in mixing.carriers
        for t in range(len(mixing.periods))
    ]
    every = np.array(list(product(*counts)), dtype=float).reshape(
        -1, len(mixing.carriers), len(mixing.periods)
    )
    best = inf
    for size in range(1, len(mixing.carriers) + 1):
        for used in combinations(range(len(mixing.carriers)), size):
            if mixing.most_carriers is None or size <= mixing.most_carriers:
                unused = [v for v in range(len(mixing.carriers)) if v not in used]
                mine = every[(every[:, unused, :] == 0).all(axis=(1, 2))]
                best = min(best, _cheapest(mixing, used, mine))
    return best


def _cheapest(mixing: Mixing, used: tuple[int, ...], counts: np.ndarray) -> float:
    own = sum(mixing.carriers[v].cost_usd_per_month for v in used)
    hours = [period.hours_per_month for period in mixing.periods]
    best = inf
    for instances in counts[_carried(mixing, used, counts)]:
        if any(
            sum(instances[v][t] for v, c in enumerate(mixing.carriers) if c.pool in group.pools)
            > group.max_instances
            for group in mixing.groups
            for t in range(len(hours))
        ):
            continue
        cost = own
        for pool in mixing.pools:
            use = [
                sum(instances[v][t] for v, c in enumerate(mixing.carriers) if c.pool == pool.name)
                for t in range(len(hours))
            ]
            cost += cheapest_cover(pool, use, hours)
        best = min(best, cost)
    return best


def _carried(mixing: Mixing, used: tuple[int, ...], counts: np.ndarray) -> np.ndarray:
    """Return which counts carry the traffic; one row of weights for each carrier and period, one for the loss."""
    periods = range(len(mixing.periods))
    rows = [(v, t) for v in used for t in periods]
    total = sum(sum(bucket.requests) for bucket in mixing.buckets)
    routed = []  # for each bucket (and period, where routing may change): the column of each carrier
    for bucket in mixing.buckets:
        for steps in [list(periods)] if mixing.steady else [[t] for t in periods]:
            columns = []
            for v in used:
                load = mixing.carriers[v].load.get(bucket.name)
                if load is not None:
                    column = [load[t] if at == v and t in steps else 0.0 for at, t in rows]
                    part = sum(bucket.requests[t] for t in steps) / total
                    columns.append([*column, part * mixing.carriers[v].loss_ratio])
            if not columns:
                return np.zeros(len(counts), dtype=bool)
            routed.append(np.array(columns))
    limit = inf if mixing.loss_limit is None else mixing.loss_limit
    bounds = np.array([[*(n[v][t] for v, t in rows), limit] for n in counts])
    if limit == inf:
        routed, bounds = [columns[:, :-1] for columns in routed], bounds[:, :-1]
    weights = _vertices(routed)
    needed = sum((weights @ columns.T).min(axis=1) for columns in routed)
    return (bounds @ weights.T >= needed - 1e-9).all(axis=1)


def _vertices(routed: list[np.ndarray]) -> np.ndarray:
    """Return the weights, adding up to 1, at which enough of the pieces meet to make a point."""
    size = routed[0].shape[1]
    planes = [*np.eye(size)]
    for columns in routed:
        planes += [first - second for first, second in combinations(columns, 2)]
    found = []
    for chosen in combinations(planes, size - 1):
        system = np.array([*chosen, np.ones(size)])
        if abs(np.linalg.det(system)) > 1e-12:
            point = np.linalg.solve(system, [*[0.0] * (size - 1), 1.0])
            if (point >= -1e-12).all():
                found.append(np.maximum(point, 0.0))
    return np.array(found)
