"""Decomposition: its bound never exceeds the optimum, its plan keeps every row, and what it drops is in no better plan."""

from dataclasses import replace

import numpy as np
import pytest
from fleets import a_fleet
from instances import random_program
from oracles import exhaustive

from advisor.solver import Goal, QuotaGroup, SolverSettings, Status, broken_rows, evaluate, solve
from advisor.solver.decomposition import applies, decomposed
from advisor.solver.flat import flat
from advisor.solver.relaxation import Prices, bound, nothing_fits


def a_small_fleet(seed: int):
    """A random program that can be decomposed: commitments, spot shares, quotas, limits on sums, means and the cost."""
    return replace(random_program(seed, whole=seed % 4 != 0), goals=(Goal(),), cuts=())


SEEDS = [seed for seed in range(420) if applies(a_small_fleet(seed))]
assert len(SEEDS) > 300


def _optimum(program):
    found = exhaustive(program)
    return np.inf if found is None else found[0][0]


@pytest.mark.parametrize("seed", SEEDS)
def test_bound_and_plan_enclose_the_optimum_and_what_is_left_still_has_it(seed):
    program = a_small_fleet(seed)
    least, found = _optimum(program), decomposed(program, gap_ratio=0.001)
    assert found.bound <= least * (1 + 1e-9) + 1e-6
    if found.choice is not None:
        solution = evaluate(program, found.choice)
        assert broken_rows(program, solution) == ()
        assert solution.cost_usd_per_month == found.cost_usd_per_month >= least - 1e-6
    assert found.bound == np.inf or _optimum(found.left) == pytest.approx(least, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_answer_is_within_the_gap_that_it_states(seed):
    program = a_small_fleet(seed)
    least, result = _optimum(program), solve(program, SolverSettings(gap_ratio=0.02))
    if least == np.inf:
        assert result.status is Status.INFEASIBLE
        return
    assert result.status is Status.OPTIMAL
    assert result.report.bound - 1e-6 <= least <= result.report.objective + 1e-6
    assert result.report.gap_ratio <= 0.02


@pytest.mark.parametrize("seed", range(120))
def test_any_prices_prove_a_bound(seed):
    program, draw = a_small_fleet(seed), np.random.default_rng(seed)
    whole, periods = flat(program), len(program.periods)
    for scale in (0.0, 50.0, 500.0):
        prices = Prices(
            {name: draw.uniform(0, scale, periods) for name in whole.uses},
            {group.name: draw.uniform(-scale, scale, periods) for group in program.groups},
            {name: float(draw.uniform(-scale, 100 * scale)) for name in whole.shares},
        )
        least = _optimum(program)
        assert bound(whole, prices).value <= least * (1 + 1e-9) + 1e-6
        assert least == np.inf or not nothing_fits(whole, prices)


def test_bound_by_hand():
    """Two services take 1 of 2 instances at 10 $/h in one period of 730 h; at the price of the hour both are paid in full."""
    program = a_fleet(2, columns=1, periods=1, pools=1)
    prices = Prices({"pool0": np.array([730.0])}, {}, {})
    expected = sum(
        column.cost_usd_per_month + 730.0 * column.demand["pool0"][0]
        for s in program.services
        for column in s.columns
    )
    assert bound(flat(program), prices).value == pytest.approx(expected, rel=1e-12)
    assert solve(program).report.objective == pytest.approx(expected, rel=1e-12)


def test_many_services_on_shared_commitments_are_proven_within_a_thousandth_without_the_integer_program(
    monkeypatch,
):
    monkeypatch.setattr("advisor.solver.stages.minimize", None)
    program = a_fleet(300, columns=10, periods=6, pools=3, committed=True, mean_loss=0.02)
    result = solve(program, SolverSettings(gap_ratio=0.001))
    assert result.status is Status.OPTIMAL
    assert 0.0 <= result.report.gap_ratio <= 0.001


def test_quota_that_cannot_be_kept_by_many_services_is_found_without_the_integer_program(monkeypatch):
    monkeypatch.setattr("advisor.solver.stages.minimize", None)
    program = a_fleet(60, columns=10, committed=True)
    program = replace(program, groups=(QuotaGroup("few", tuple(pool.name for pool in program.pools), 40),))
    assert solve(program, SolverSettings(gap_ratio=0.001)).status is Status.INFEASIBLE


def test_order_of_entries_does_not_matter():
    program = a_fleet(12, columns=8, periods=4, pools=3, committed=True, mean_loss=0.02)
    turned = replace(
        program,
        services=tuple(replace(s, columns=s.columns[::-1]) for s in program.services[::-1]),
        pools=program.pools[::-1],
    )
    first, second = (solve(one, SolverSettings(gap_ratio=0.01)) for one in (program, turned))
    assert first.solution.choice == second.solution.choice
    assert first.report.bound == pytest.approx(second.report.bound, rel=1e-12)


def _told(program, **settings):
    told = []
    result = solve(program, SolverSettings(observer=lambda *numbers: told.append(numbers), **settings))
    return result, told


def test_an_observer_sees_the_bound_rise_and_the_cost_fall_to_the_answer():
    result, told = _told(a_fleet(60, committed=True), gap_ratio=0.05)
    costs, bounds = zip(*told, strict=True)
    assert list(bounds) == sorted(bounds)
    assert list(costs) == sorted(costs, reverse=True)
    assert costs[0] == np.inf
    assert bounds[-1] <= result.report.objective == pytest.approx(costs[-1])


@pytest.mark.parametrize("planned", [False, True], ids=["while bounding", "with a plan"])
def test_an_interrupt_returns_the_best_plan_so_far_with_its_gap(planned):
    program = a_fleet(60, committed=True)

    def interrupt(best, bound):
        if np.isfinite(best) == planned and not done:
            done.append(bound)
            raise KeyboardInterrupt

    done: list[float] = []
    result = solve(program, SolverSettings(observer=interrupt))
    assert result.status is Status.FEASIBLE
    assert result.report.interrupted
    assert broken_rows(program, result.solution) == ()
    assert result.report.bound == pytest.approx(done[0])
    assert result.report.gap_ratio == pytest.approx(1 - done[0] / result.report.objective)


def test_an_interrupt_of_the_exact_proof_returns_the_plan_of_the_decomposition(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("advisor.solver.solving._simplified", interrupt)
    result, told = _told(a_fleet(60, committed=True))
    assert (result.status, result.report.interrupted) == (Status.FEASIBLE, True)
    assert result.report.objective == pytest.approx(told[-1][0])
    assert result.report.bound == pytest.approx(told[-1][1])


def test_a_time_limit_returns_the_best_plan_so_far_with_its_gap():
    program = a_fleet(60, committed=True)
    result, told = _told(program, time_limit_s=1e-6)
    assert result.status is Status.FEASIBLE
    assert not result.report.interrupted
    assert broken_rows(program, result.solution) == ()
    assert 0 < result.report.gap_ratio < 1
    assert len(told) == 2  # one round of the bound, then a plan
