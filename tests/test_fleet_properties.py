"""Fleets: what holds whatever services need, and the program against trying everything, on small made-up services.

Candidates are evaluated once; each fleet then needs machines hour by hour that are drawn at random.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import product
from math import inf
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor import Requirements
from advisor.catalog import Catalog
from advisor.formulation import machine_of, policy_of
from advisor.planning import solved
from advisor.plans import Plans
from advisor.preparation import Prepared, Running, prepared
from advisor.solver import Result, SolverSettings
from advisor.switching.margins import idle_usd, margins_usd_per_month
from advisor.terms import Terms
from tests.builders import AStrategy, a_workload, an_option

SPOT = {"g4dn.xlarge": 0.2, "g6.xlarge": 0.55}
MACHINES = tuple(SPOT)
WAYS = tuple(an_option(name, purchase=name) for name in ("reserved-1y", "reserved-3y", "spot"))
BUYING = AStrategy("buying", WAYS)
HOURS = 24
SPOT_SHARE = 0.7
FLEETS = 320
SEEDS = st.integers(0, 10**6)
quick = settings(max_examples=30, deadline=None)


def with_spot() -> Catalog:
    """The catalogue with a price for interruptible machines, one of them too cheap to be true."""
    found = Catalog.load()
    for name, usd in SPOT.items():
        found = found.with_price(name, usd, purchase="spot", provider="aws", region="us-east-1")
    return found


CATALOG = with_spot()


@cache
def service(name: str, horizon_months: int = 12) -> Prepared:
    """A service with every way to buy two kinds of machines."""
    workload = a_workload(
        name=name,
        horizon_months=horizon_months,
        traffic={"requests_per_s": [300.0 + hour for hour in range(HOURS)]},
    )
    asked = Requirements(max_accuracy_loss="1%", allow_instances=MACHINES)
    return prepared(workload, asked, CATALOG, [BUYING], alone=False)


def bought(one: Prepared, plans: Plans, at: int) -> tuple[str, str]:
    """Machine and purchase of a candidate."""
    return machine_of(one.evaluation, plans, at).name, policy_of(one.evaluation, plans, at).purchase


def some(one: Prepared, rng: random.Random) -> Prepared:
    """The service with a few of its candidates, which need other machines in the morning, by day and at night."""
    rows = np.array([rng.randrange(len(one.plans)) for _ in range(rng.randint(1, 4))])
    use = np.repeat([[rng.randint(0, 4) for _ in range(3)] for _ in rows], HOURS // 3, axis=1).astype(float)
    drawn = {
        name: np.array([round(rng.uniform(0.0, most), 2) for _ in rows])
        for name, most in (
            ("own_usd_per_month", 300.0),
            ("carbon_kg_per_month", 100.0),
            ("one_time_usd", 900.0),
        )
    }
    return replace(one, plans=replace(one.plans.take(rows), instances=use, **drawn))


def a_fleet(seed: int, *, horizon_months: int = 12) -> tuple[list[Prepared], Terms]:
    """Two or three services and what they share, about half of the time too little."""
    rng = random.Random(seed)  # noqa: S311
    services = [some(service(name, horizon_months), rng) for name in "abc"[: rng.randint(2, 3)]]
    quotas = {name: rng.randint(0, 7) for name in MACHINES if rng.random() < 0.5}
    stated = (("cost", 4000.0), ("carbon", 200.0), ("one-time", 1800.0))
    totals = {name: rng.uniform(0.1, 1.0) * most for name, most in stated if rng.random() < 0.3}
    return services, Terms(totals=totals, quotas=quotas)


def answer(services: list[Prepared], terms: Terms) -> Result:
    """The program's."""
    _, result = solved(services, terms, SolverSettings())
    assert result is not None
    return result


def cost(services: list[Prepared], terms: Terms) -> float:
    """Of the cheapest plan; infinite where there is none."""
    solution = answer(services, terms).solution
    return inf if solution is None else solution.cost_usd_per_month


def cheapest_by_trying(services: list[Prepared], terms: Terms) -> float:
    """The least cost over all combinations of candidates and all numbers of reserved machines."""
    best = inf
    for positions in product(*(range(len(one.plans)) for one in services)):
        chosen = list(zip(services, positions, strict=True))
        use: dict[tuple[str, str], np.ndarray] = {}
        for one, at in chosen:
            key = bought(one, one.plans, at)
            use[key] = use.get(key, 0.0) + one.plans.instances[at]
        by_machine = {name: sum(u for (m, _), u in use.items() if m == name) for name in terms.quotas}
        if any(np.max(count) > terms.quotas[name] for name, count in by_machine.items()):
            continue
        total = sum(float(one.plans.own_usd_per_month[at]) for one, at in chosen)
        total += sum(machines_usd(*key, count) for key, count in use.items())
        sums = {
            "cost": total,
            "carbon": sum(float(one.plans.carbon_kg_per_month[at]) for one, at in chosen),
            "one-time": sum(float(one.plans.one_time_usd[at]) for one, at in chosen),
        }
        if all(sums[name] <= most * (1 + 1e-9) for name, most in terms.totals.items()):
            best = min(best, total)
    return best


@cache
def priced(machine: str) -> dict[str, float]:
    """Catalogue prices of a machine; spot is never counted as cheaper than 57 % of on-demand."""
    found = CATALOG.instance(machine, "aws", "us-east-1").prices
    usd = {name: price.usd_per_h for name, price in found.items()}
    return usd | {"spot": max(usd["spot"], 0.57 * usd["on-demand"]), "reserved-3y": 3.0 * usd["reserved-3y"]}


def machines_usd(machine: str, purchase: str, use: np.ndarray) -> float:
    """The least cost of some machines a month, each hour of the day 730/24 times; three years are paid in one."""
    usd, hours = priced(machine), 730.0 / HOURS
    if purchase == "spot":
        spot = np.floor(SPOT_SHARE * use + 1e-9) if usd["spot"] < usd["on-demand"] else 0.0 * use
        return float((spot * usd["spot"] + (use - spot) * usd["on-demand"]).sum() * hours)
    reserved = range(1 if purchase == "on-demand" else int(use.max()) + 1)
    by_hour = [float(np.maximum(use - count, 0.0).sum()) * usd["on-demand"] * hours for count in reserved]
    return min(730.0 * count * usd.get(purchase, 0.0) + by_hour[count] for count in reserved)


def test_the_plan_of_every_small_fleet_is_the_best_of_all_combinations() -> None:
    seen: Counter[str] = Counter()
    for seed in range(FLEETS):
        services, terms = a_fleet(seed)
        best = cheapest_by_trying(services, terms)
        result = answer(services, terms)
        found = inf if result.solution is None else result.solution.cost_usd_per_month
        assert found == pytest.approx(best, rel=1e-9), seed
        seen.update(
            ["nothing fits" if best == inf else "fits", *terms.totals, *(["quota"] if terms.quotas else [])]
        )
        seen.update({p.plan for p in result.solution.purchases} if result.solution else ())
    rare = {
        name
        for name in ("fits", "nothing fits", "quota", "cost", "carbon", "one-time", "spot")
        if seen[name] < 40
    }
    assert not rare
    assert seen["reserved-1y"] > 40 < seen["on-demand"]


@quick
@given(seed=SEEDS, machine=st.sampled_from(MACHINES), more=st.integers(1, 3))
def test_more_quota_never_costs_more(seed: int, machine: str, more: int) -> None:
    services, terms = a_fleet(seed)
    given_quota = terms.quotas.get(machine, 2)
    costs = [cost(services, terms.with_quota(machine, given_quota + add)) for add in (0, more)]
    assert costs[1] <= costs[0] * (1 + 1e-9)


@quick
@given(seed=SEEDS, name=st.sampled_from(["cost", "carbon", "one-time"]), more=st.floats(1.0, 3.0))
def test_a_looser_budget_or_cap_never_costs_more(seed: int, name: str, more: float) -> None:
    services, terms = a_fleet(seed)
    stated = terms.totals.get(name, 150.0)
    costs = [cost(services, terms.with_total(name, stated * factor)) for factor in (1.0, more)]
    assert costs[1] <= costs[0] * (1 + 1e-9)


@quick
@given(seed=SEEDS, months=st.sampled_from([6, 12, 24]))
def test_a_longer_commitment_never_helps_a_shorter_horizon(seed: int, months: int) -> None:
    """The same needs: within a horizon of a year, three years on offer change nothing; beyond it, they cost more the shorter it is."""
    services, terms = a_fleet(seed, horizon_months=months)
    longer, _ = a_fleet(seed, horizon_months=36)
    assert cost(longer, terms) <= cost(services, terms) * (1 + 1e-9)
    if months <= 12:
        solution = answer(services, terms).solution
        assert "reserved-3y" not in {p.plan for p in solution.purchases} if solution else True


@quick
@given(seed=SEEDS)
def test_spot_never_takes_the_reliable_floor(seed: int) -> None:
    services, terms = a_fleet(seed)
    solution = answer(services, terms).solution
    for purchase in solution.purchases if solution else ():
        use = solution.use[purchase.pool] if solution else ()
        if purchase.plan == "spot":
            reliable = [count - spot for count, spot in zip(use, purchase.instances, strict=True)]
            assert all(r >= (1.0 - SPOT_SHARE) * count - 1e-9 for r, count in zip(reliable, use, strict=True))


@quick
@given(seed=SEEDS, kept=st.integers(0, 10**6))
def test_a_switch_that_costs_nothing_gives_the_plan_without_a_past(seed: int, kept: int) -> None:
    services, terms = a_fleet(seed)
    in_service = [_running(one, kept % len(one.plans), tolerance=0.0) for one in services]
    assert answer(in_service, terms) == answer(services, terms)


def test_a_switch_that_must_save_much_is_not_made_for_little() -> None:
    """GIVEN a margin that no saving reaches THEN what runs stays wherever the limits allow it."""
    services, terms = next(
        f for f in map(a_fleet, range(99)) if not f[1].quotas and not f[1].totals and len(f[0][0].plans) > 2
    )
    stays = [_running(one, 0, tolerance=100.0) for one in services]
    solution = answer(stays, terms).solution
    assert solution is not None
    assert {"c0000000"} == set(solution.choice.values())


def _running(one: Prepared, kept: int, *, tolerance: float) -> Prepared:
    """The service with one of its candidates in service, nothing reserved."""
    margin = margins_usd_per_month(
        one.evaluation, one.plans, one.terms, kept=kept, tolerance_ratio=tolerance, sure_ratio=0.5
    )
    stored = SimpleNamespace(purchases=())
    idle = idle_usd(one.evaluation, one.plans, stored, months_left=0.0)  # type: ignore[arg-type]
    return replace(one, running=Running(stored, None, kept, margin, idle))  # type: ignore[arg-type]
