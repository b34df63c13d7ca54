"""The program's optimum equals exhaustive search, with and without simplification, infeasible programs included."""

import pytest
from instances import random_program
from oracles import exhaustive

from advisor.solver import SolverSettings, Status, broken_rows, evaluate, solve
from advisor.solver.evaluation import goal_value

SEEDS = range(320)


@pytest.mark.parametrize("seed", SEEDS)
def test_optimum_equals_exhaustive_search(seed):
    program = random_program(seed, whole=seed % 4 != 0)
    expected = exhaustive(program)
    for simplify in (True, False):
        result = solve(program, SolverSettings(simplify=simplify))
        if expected is None:
            assert (result.status, result.solution) == (Status.INFEASIBLE, None)
            continue
        assert result.status is Status.OPTIMAL
        values = tuple(goal_value(program, goal, result.solution) for goal in program.stages)
        assert pytest.approx(expected[0], rel=1e-6, abs=1e-6) == values
        assert pytest.approx(expected[0][0], rel=1e-6, abs=1e-6) == result.report.bound
        assert broken_rows(program, result.solution) == ()
        assert (
            result.solution.cost_usd_per_month == evaluate(program, result.solution.choice).cost_usd_per_month
        )


def test_random_programs_cover_both_answers_and_every_feature():
    programs = [random_program(seed, whole=seed % 4 != 0) for seed in SEEDS]
    infeasible = sum(exhaustive(program) is None for program in programs)
    assert len(SEEDS) * 0.2 < infeasible < len(SEEDS) * 0.8
    plans = [plan for program in programs for pool in program.pools for plan in pool.plans]
    assert {"committed", "hourly"} == {plan.kind.value for plan in plans}
    assert any(plan.max_share_of_use < 1 for plan in plans)
    assert any(plan.quota is not None for plan in plans)
    assert {"sum", "mean", "each"} <= {
        limit.aggregate.value for program in programs for limit in program.limits
    }
    assert {"budget", "accuracy", "latency"} <= {
        limit.name for program in programs for limit in program.limits
    }
    assert any(program.groups for program in programs)
    assert any(program.cuts for program in programs)
    assert any(len(program.stages) > 2 for program in programs)
