"""Answers of small hand-made programs, and what happens when a solver is wrong, late or missing."""

import pytest
from instances import a_program

from advisor.solver import (
    COST,
    Column,
    Goal,
    Limit,
    Period,
    Plan,
    Pool,
    Program,
    Purchase,
    QuotaGroup,
    Service,
    SolverDisagreement,
    SolverSettings,
    Status,
    solve,
    stages,
)
from advisor.solver.pulp_bridge import Answer

MONTH = (Period("month", 730.0),)


def test_commitments_are_pooled_over_services_and_sized_with_the_choice():
    # int8 and bf16 use (3, 2) of pool a: 2 committed (876 $) and 1 spot by day (120 $), plus 20 $ for int8.
    result = solve(a_program())
    assert dict(result.solution.choice) == {"chat": "int8", "rank": "bf16"}
    assert pytest.approx(1016.0) == result.solution.cost_usd_per_month
    assert (
        Purchase("a", "1y", "committed", (2, 2), pytest.approx(876.0)),
        Purchase("a", "spot", "hourly", (1, 0), pytest.approx(120.0)),
    ) == result.solution.purchases
    assert dict(result.solution.use) == {"a": (3.0, 2.0), "b": (0.0, 0.0)}
    assert (result.status, result.report.gap_ratio) == (Status.OPTIMAL, 0.0)


def test_budget_counts_purchases():
    assert solve(a_program(limits=(Limit("budget", COST, 1016.0),))).status is Status.OPTIMAL
    assert solve(a_program(limits=(Limit("budget", COST, 1015.9),))).status is Status.INFEASIBLE


def test_quota_counts_instances_in_use_of_all_its_pools():
    # At most 2 in use: int8 (2, 1) on pool a leaves nothing for rank by day, so nothing fits.
    assert solve(a_program(groups=(QuotaGroup("all", ("a", "b"), 2),))).status is Status.INFEASIBLE
    result = solve(a_program(groups=(QuotaGroup("all", ("a",), 2),)))
    assert dict(result.solution.choice) == {"chat": "int8", "rank": "fp8 on b"}


def test_fleet_mean_weighs_services_by_traffic():
    # int8 for chat alone is (3 x 0.01 + 1 x 0) / 4 = 0.0075.
    limits = (Limit("mean", "loss_ratio", 0.0075, "mean"),)
    assert pytest.approx(0.0075) == solve(a_program(limits=limits)).solution.limits["mean"]
    limits = (Limit("mean", "loss_ratio", 0.0074, "mean"),)
    assert solve(a_program(limits=limits)).solution.choice["chat"] == "bf16"


def test_limit_on_each_reports_the_largest_value():
    result = solve(a_program(limits=(Limit("each", "loss_ratio", 0.01, "each"),)))
    assert pytest.approx(0.01) == result.solution.limits["each"]


def test_goals_are_lexicographic_and_cost_breaks_ties():
    columns = (
        Column("a", 5.0, {"loss": 0.0}),
        Column("b", 3.0, {"loss": 0.0}),
        Column("c", 1.0, {"loss": 0.1}),
    )
    program = Program((Service("s", columns),), MONTH, goals=(Goal("loss"),))
    assert solve(program).solution.choice["s"] == "b"


def test_first_name_wins_among_equals():
    columns = tuple(
        Column(name, 5.0, {"speed": speed}) for name, speed in (("z", 1.0), ("b", 2.0), ("c", 2.0))
    )
    program = Program((Service("s", columns),), MONTH, limits=(Limit("l", "speed", 2.0),))
    assert solve(program).solution.choice["s"] == "b"


def test_owned_instances_cost_nothing_but_count_towards_quotas():
    pool = Pool("mine", owned=True)
    columns = (Column("big", 0.0, {}, {"mine": (4.0,)}), Column("small", 9.0, {}, {"mine": (1.0,)}))
    program = Program((Service("s", columns),), MONTH, (pool,), (QuotaGroup("rack", ("mine",), 2),))
    assert pytest.approx(9.0) == solve(program).solution.cost_usd_per_month


def test_tiny_and_huge_numbers_are_told_apart():
    columns = (Column("a", 1e-7, {"kg": 1e9}), Column("b", 2e-7, {"kg": 1e9 - 10}))
    program = Program((Service("s", columns),), MONTH, limits=(Limit("l", "kg", 1e12),))
    assert solve(program).solution.choice["s"] == "a"


def test_exact_sums_at_the_bound_are_allowed():
    services = tuple(Service(f"s{n}", (Column("v", 1.0, {"loss": 0.1}),)) for n in range(3))
    assert solve(Program(services, MONTH, limits=(Limit("l", "loss", 0.3),))).status is Status.OPTIMAL


def test_wrong_solver_answer_is_not_believed(monkeypatch):
    monkeypatch.setattr(
        stages,
        "minimize",
        lambda *_, **__: Answer(Status.OPTIMAL, [1.0, 0.0, 1.0, 0.0, *[0.0] * 20], 1.0, 1.0),
    )
    with pytest.raises(SolverDisagreement, match="but 1 for the solver"):
        solve(a_program(), SolverSettings(simplify=False))


def test_two_columns_for_one_service_are_not_believed(monkeypatch):
    monkeypatch.setattr(
        stages,
        "minimize",
        lambda *_, **__: Answer(Status.OPTIMAL, [1.0, 1.0, 1.0, 0.0, *[0.0] * 20], 1.0, 1.0),
    )
    with pytest.raises(SolverDisagreement, match="chose 3 columns for 2 services"):
        solve(a_program(), SolverSettings(simplify=False))


def test_choice_that_breaks_a_limit_is_not_believed(monkeypatch):
    cost = 876.0 + 120.0 + 20.0
    monkeypatch.setattr(
        stages,
        "minimize",
        lambda *_, **__: Answer(Status.OPTIMAL, [0.0, 1.0, 1.0, 0.0, *[0.0] * 20], cost, cost),
    )
    with pytest.raises(SolverDisagreement, match="limit 'carbon': 80 is more than 60"):
        solve(a_program(limits=(Limit("carbon", "carbon_kg", 60.0),)), SolverSettings(simplify=False))


def test_undetermined_answer_has_no_solution(monkeypatch):
    monkeypatch.setattr(stages, "minimize", lambda *_, **__: Answer(Status.UNDETERMINED, bound=7.0))
    result = solve(a_program(goals=(Goal("carbon_kg"),)))
    assert (result.status, result.solution) == (Status.UNDETERMINED, None)


def test_pool_without_use_needs_no_purchase():
    program = Program((Service("s", (Column("v", 1.0),)),), MONTH, (Pool("a", (Plan("p", "hourly", 1.0),)),))
    assert solve(program).solution.purchases == ()
