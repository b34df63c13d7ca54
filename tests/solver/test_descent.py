"""Where purchases are shared and a gap is allowed, or time runs out: a plan, and a bound that holds."""

from dataclasses import replace

import pytest
from fleets import a_fleet
from instances import random_program
from oracles import exhaustive

from advisor.solver import Goal, SolverSettings, Status, evaluate, solve, stages
from advisor.solver.descent import descended
from advisor.solver.evaluation import broken_rows
from advisor.solver.pulp_bridge import Answer
from advisor.solver.solving import by_name


@pytest.mark.parametrize("seed", range(150))
def test_allowed_gap_is_kept_and_the_bound_holds(seed):
    program = replace(random_program(seed, whole=seed % 4 != 0), goals=(Goal(),))
    expected = exhaustive(program)
    result = solve(program, SolverSettings(gap_ratio=0.1))
    if expected is None:
        assert result.status is Status.INFEASIBLE
        return
    ((least,), _) = expected
    assert result.status is Status.OPTIMAL
    assert least * (1 - 1e-9) - 1e-9 <= result.report.objective
    assert result.report.objective * 0.9 <= least * (1 + 1e-6) + 1e-6
    assert result.report.bound <= least * (1 + 1e-9) + 1e-6


@pytest.mark.parametrize("seed", range(100))
def test_descent_never_costs_more_and_keeps_every_row(seed):
    program = by_name(replace(random_program(seed), goals=(Goal(),), cuts=()))
    for service in program.services:
        start = {other.name: other.columns[-1].name for other in program.services}
        start[service.name] = service.columns[0].name
        before = evaluate(program, start)
        if before is None or broken_rows(program, before):
            continue
        after = evaluate(program, descended(program, start))
        assert broken_rows(program, after) == ()
        assert after.cost_usd_per_month <= before.cost_usd_per_month * (1 + 1e-9)


def test_plan_is_returned_where_the_solver_found_none_in_time(monkeypatch):
    whole = stages.minimize

    def without_pooled_answers(program, settings, *, time_limit_s):
        if any(name.startswith("r[") for name in program.names):
            return Answer(Status.UNDETERMINED, bound=1.0)
        return whole(program, settings, time_limit_s=time_limit_s)

    monkeypatch.setattr(stages, "minimize", without_pooled_answers)
    result = solve(a_fleet(5, committed=True, mean_loss=0.02))
    monkeypatch.undo()
    exact = solve(a_fleet(5, committed=True, mean_loss=0.02))
    assert result.status is Status.FEASIBLE
    assert result.report.bound <= exact.report.objective * (1 + 1e-9)
    assert exact.report.objective <= result.report.objective * (1 + 1e-9)
    assert result.report.objective < exact.report.objective * 1.1
    assert 0 < result.report.gap_ratio < 1


def test_fleet_with_shared_commitments_is_solved_to_the_gap_asked_for():
    result = solve(
        a_fleet(40, columns=10, periods=8, pools=3, committed=True), SolverSettings(gap_ratio=0.02)
    )
    assert result.status is Status.OPTIMAL
    assert result.report.gap_ratio <= 0.02
