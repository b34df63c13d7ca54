"""Alternatives: sorted, distinct, and exactly the next best ones."""

import pytest
from instances import a_program, random_program
from oracles import feasible

from advisor.solver import SolverSettings, alternatives, solve
from advisor.solver.evaluation import goal_value


def test_alternatives_come_best_first_and_stop_when_there_are_no_more():
    program = a_program()
    others = alternatives(program, solve(program).solution, 10)
    assert [(one.choice["chat"], one.choice["rank"]) for one in others[:2]] == [
        ("int8", "fp8 on b"),
        ("bf16", "bf16"),
    ]
    assert pytest.approx([1333.0, 1554.0]) == [one.cost_usd_per_month for one in others[:2]]
    assert len(others) == 3


def test_alternatives_can_be_made_to_differ_in_kind():
    program = a_program()
    others = alternatives(
        program, solve(program).solution, 10, kind_of=lambda _, column: column.endswith("on b")
    )
    assert [(one.choice["chat"], one.choice["rank"]) for one in others] == [("int8", "fp8 on b")]


@pytest.mark.parametrize("seed", range(80))
def test_alternatives_are_the_next_best_of_all_combinations(seed):
    program = random_program(seed, whole=seed % 4 != 0)
    best = solve(program).solution
    if best is None:
        return
    expected = sorted(values[0] for values, _ in feasible(program))[1:4]
    others = alternatives(program, best, 3, SolverSettings(simplify=seed % 2 == 0))
    choices = [tuple(sorted(one.choice.items())) for one in (best, *others)]
    assert len(set(choices)) == len(choices)
    values = [goal_value(program, program.stages[0], one) for one in others]
    assert pytest.approx(expected, rel=1e-6, abs=1e-6) == values
