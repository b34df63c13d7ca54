"""What must hold for every program: more quota, other prices, another order."""

from dataclasses import replace

import numpy as np
import pytest
from fleets import a_fleet
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import random_program

from advisor.solver import COST, Column, Goal, Plan, Pool, Program, Service, Status, solve
from advisor.solver.dominance import dominated

PROGRAMS = st.builds(random_program, st.integers(0, 10**6), whole=st.booleans())
quick = settings(max_examples=80, deadline=None)


def cost(program: Program) -> float:
    solution = solve(replace(program, goals=(Goal(),))).solution
    return float("inf") if solution is None else solution.cost_usd_per_month


def with_plans(program: Program, change) -> Program:
    pools = (replace(pool, plans=tuple(change(plan) for plan in pool.plans)) for pool in program.pools)
    return replace(program, pools=tuple(pools))


@quick
@given(PROGRAMS)
def test_more_quota_never_costs_more(program):
    groups = tuple(replace(group, max_instances=group.max_instances + 1) for group in program.groups)
    more = with_plans(
        program, lambda plan: replace(plan, quota=None if plan.quota is None else plan.quota + 1)
    )
    assert cost(replace(more, groups=groups)) <= cost(program) * (1 + 1e-9) + 1e-9


@quick
@given(PROGRAMS)
def test_looser_limits_never_cost_more(program):
    looser = tuple(replace(limit, bound=limit.bound * 1.2 + 0.01) for limit in program.limits)
    assert cost(replace(program, limits=looser)) <= cost(program) * (1 + 1e-9) + 1e-9


@quick
@given(PROGRAMS)
def test_another_column_never_costs_more(program):
    first = program.services[0]
    assert (
        cost(program)
        <= cost(replace(program, services=(replace(first, columns=first.columns[:1]), *program.services[1:])))
        * (1 + 1e-9)
        + 1e-9
    )


@quick
@given(PROGRAMS, st.sampled_from([1e-4, 0.37, 3.0, 1e5]))
def test_scaling_all_prices_scales_the_cost(program, factor):
    scaled = with_plans(program, lambda plan: replace(plan, usd_per_h=plan.usd_per_h * factor))
    services = tuple(
        replace(
            service,
            columns=tuple(
                replace(column, cost_usd_per_month=column.cost_usd_per_month * factor)
                for column in service.columns
            ),
        )
        for service in program.services
    )
    limits = tuple(
        replace(limit, bound=limit.bound * factor) if limit.attribute == COST else limit
        for limit in program.limits
    )
    assert pytest.approx(cost(program) * factor, rel=1e-7) == cost(
        replace(scaled, services=services, limits=limits)
    )


@quick
@given(PROGRAMS, st.randoms(use_true_random=False))
def test_order_of_entries_is_irrelevant(program, shuffler):
    def mixed(entries):
        return tuple(shuffler.sample(entries, len(entries)))

    services = (replace(service, columns=mixed(service.columns)) for service in program.services)
    pools = (replace(pool, plans=mixed(pool.plans)) for pool in program.pools)
    other = replace(
        program,
        services=mixed(tuple(services)),
        pools=mixed(tuple(pools)),
        groups=mixed(program.groups),
        limits=mixed(program.limits),
    )
    assert solve(program) == solve(other)


@quick
@given(PROGRAMS)
def test_spot_never_exceeds_its_share_of_the_use(program):
    solution = solve(program).solution
    shares = {(pool.name, plan.name): plan.max_share_of_use for pool in program.pools for plan in pool.plans}
    for purchase in () if solution is None else solution.purchases:
        share = shares[purchase.pool, purchase.plan]
        for count, use in zip(purchase.instances, solution.use[purchase.pool], strict=True):
            assert share == 1 or count <= share * use + 1e-9


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 600), st.integers(1, 4), st.integers(2, 40))
def test_undominated_rows_are_exactly_those_no_other_row_beats(seed, count, width, levels):
    values = np.random.default_rng(seed).integers(0, levels, (count, width)).astype(float)
    at_most = (values[:, None, :] <= values[None, :, :]).all(axis=2)
    earlier_if_equal = ~at_most.T | (np.arange(count)[:, None] < np.arange(count)[None, :])
    expected = (at_most & earlier_if_equal & ~np.eye(count, dtype=bool)).any(axis=0)
    assert expected.tolist() == dominated(values).tolist()


def test_two_spot_plans_can_make_less_use_dearer_and_are_not_simplified_away():
    # Two spot plans of at most half the use each cover 2 instances; of 1 instance they cover none.
    spots = tuple(Plan(name, "hourly", 0.1, max_share_of_use=0.5) for name in ("spot 1", "spot 2"))
    pool = Pool("a", (*spots, Plan("on-demand", "hourly", 1.0)))
    one, two = Column("one", 0.0, {}, {"a": (1.0,)}), Column("two", 0.0, {}, {"a": (2.0,)})
    base = random_program(0)
    other = Service("other", (Column("v", 0.0, {}, {"a": (0.0,)}),))
    program = Program((Service("s", (one, two)), other), base.periods[:1], (pool,))
    assert solve(program).solution.choice["s"] == "two"


def test_fleet_without_common_rows_is_solved_whole():
    result = solve(a_fleet(200))
    assert result.status is Status.OPTIMAL
    assert result.report.gap_ratio == pytest.approx(0.0, abs=1e-12)


def test_one_service_answers_the_same_alone_and_in_a_fleet_without_common_rows():
    fleet = a_fleet(12)
    together = solve(fleet).solution.choice
    for service in fleet.services:
        assert (
            together[service.name] == solve(replace(fleet, services=(service,))).solution.choice[service.name]
        )
