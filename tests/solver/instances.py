"""Small programs: a hand-made one to change, and random ones that cover every constraint kind."""

import random
from dataclasses import replace

from advisor.solver import COST, Column, Goal, Limit, Period, Plan, Pool, Program, QuotaGroup, Service

HOURS = (300.0, 430.0)


def a_program(**changes: object) -> Program:
    """Return two services on a pool that both use and one that only the second can use; valid by default."""
    periods = (Period("day", HOURS[0]), Period("night", HOURS[1]))
    a = Pool(
        "a",
        (
            Plan("1y", "committed", 0.6, quota=3),
            Plan("on-demand", "hourly", 1.0),
            Plan("spot", "hourly", 0.4, max_share_of_use=0.5),
        ),
    )
    b = Pool("b", (Plan("on-demand", "hourly", 2.5, quota=4),))
    chat = Service(
        "chat",
        (
            Column("bf16", 0.0, {"loss_ratio": 0.0, "carbon_kg": 90.0}, {"a": (4.0, 2.0)}),
            Column("int8", 20.0, {"loss_ratio": 0.01, "carbon_kg": 50.0}, {"a": (2.0, 1.0)}),
        ),
        weight=3.0,
    )
    rank = Service(
        "rank",
        (
            Column("bf16", 0.0, {"loss_ratio": 0.0, "carbon_kg": 30.0}, {"a": (1.0, 1.0)}),
            Column("fp8 on b", 5.0, {"loss_ratio": 0.002, "carbon_kg": 20.0}, {"b": (1.0, 0.0)}),
        ),
    )
    program = Program((chat, rank), periods, (a, b))
    return replace(program, **changes)  # type: ignore[arg-type]


def random_program(seed: int, *, whole: bool = True) -> Program:
    """Return a program of up to 4 services x 5 columns, 3 pools and 3 periods; about two in five have no solution."""
    draw = random.Random(seed)  # noqa: S311  (no secret)
    periods = tuple(
        Period(f"t{t}", draw.choice([30.0, 100.0, 200.0, 430.0])) for t in range(draw.randint(1, 3))
    )
    pools = tuple(_pool(draw, number) for number in range(draw.randint(1, 3)))
    services = tuple(
        _service(draw, number, pools, len(periods), whole=whole) for number in range(draw.randint(1, 4))
    )
    groups = tuple(
        QuotaGroup(
            f"g{g}",
            tuple(pool.name for pool in draw.sample(pools, draw.randint(1, len(pools)))),
            draw.randint(1, 8),
        )
        for g in range(draw.randint(0, 2))
    )
    goals = draw.choice(
        [
            (Goal(),),
            (Goal(),),
            (Goal(), Goal("loss", "mean")),
            (Goal("loss"),),
            (Goal("loss", "mean"), Goal("latency"), Goal()),
            (Goal("latency", "mean", services=(services[0].name,)),),
        ]
    )
    cut = frozenset((service.name, draw.choice(service.columns).name) for service in services)
    cuts = (cut,) if draw.random() < 0.3 else ()
    return Program(services, periods, pools, groups, _limits(draw, services), goals, cuts)


def _pool(draw: random.Random, number: int) -> Pool:
    committed = draw.randint(0, 2)
    plans = [
        Plan(f"c{n}", "committed", round(draw.uniform(0.3, 1), 2), quota=draw.choice([None, None, 1, 2, 5]))
        for n in range(committed)
    ]
    plans += [
        Plan(
            f"h{n}",
            "hourly",
            round(draw.uniform(0.2, 2), 2),
            max_share_of_use=draw.choice([1.0, 1.0, 0.5, 0.3, 0.7]),
            quota=draw.choice([None, None, None, 2, 4]),
        )
        for n in range(draw.randint(0 if committed else 1, 3))
    ]
    return Pool(f"p{number}", tuple(plans))


def _service(
    draw: random.Random, number: int, pools: tuple[Pool, ...], periods: int, *, whole: bool
) -> Service:
    columns = tuple(
        Column(
            f"v{v}",
            draw.choice([0.0, 10.0, 20.0, 33.3, 50.0, 100.0, 300.0]),
            {"loss": draw.choice([0.0, 0.01, 0.02, 0.05]), "latency": round(draw.uniform(0.1, 1), 2)},
            {
                pool.name: tuple(
                    float(draw.randint(0, 4)) if whole else round(draw.uniform(0, 4), 1)
                    for _ in range(periods)
                )
                for pool in draw.sample(pools, draw.randint(0, min(2, len(pools))))
            },
        )
        for v in range(draw.randint(1, 5))
    )
    return Service(f"s{number}", columns, weight=draw.choice([0.5, 1.0, 2.0]))


def _limits(draw: random.Random, services: tuple[Service, ...]) -> tuple[Limit, ...]:
    limits = []
    if draw.random() < 0.5:
        limits.append(
            Limit("accuracy", "loss", round(draw.uniform(0, 0.05), 3), draw.choice(["sum", "mean", "each"]))
        )
    if draw.random() < 0.4:
        one = (draw.choice(services).name,)
        bound = round(draw.uniform(0.3, 1.0), 2)
        limits.append(
            Limit("latency", "latency", bound, draw.choice(["mean", "each"]), draw.choice([None, one]))
        )
    if draw.random() < 0.3:
        limits.append(Limit("budget", COST, float(round(draw.uniform(100, 3000)))))
    return tuple(limits)
