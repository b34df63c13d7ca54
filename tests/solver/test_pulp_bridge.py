"""The bridge to PuLP: statuses, time limit, clean stdout, one importer."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from fleets import a_fleet
from instances import a_program

from advisor.solver import SolverSettings, SolverUnavailable, Status, available_solvers, formulate, solve
from advisor.solver.linear import Domain, Expression, Kind, LinearProgram, Row
from advisor.solver.pulp_bridge import _pulp_status, minimize

ROOT = Path(__file__).parents[2]


def linear(bound: float, domain: Domain = Domain.INTEGER) -> LinearProgram:
    """Minimise 3 y with 2 y >= bound."""
    row = Row(Kind.LIMIT, "l", Expression([0], [2.0]), ">=", bound)
    return LinearProgram("g", Expression([0], [3.0]), [row], ["y"], [domain])


def test_whole_numbers_are_whole_and_the_bound_is_proven():
    answer = minimize(linear(5.0), SolverSettings())
    assert (answer.status, answer.values) == (Status.OPTIMAL, [3.0])
    assert pytest.approx(9.0) == answer.objective
    assert pytest.approx(9.0) == answer.bound


def test_continuous_program_has_a_bound_too():
    answer = minimize(linear(5.0, Domain.CONTINUOUS), SolverSettings())
    assert pytest.approx([2.5]) == answer.values
    assert pytest.approx(7.5) == answer.bound


def test_infeasible_program_has_no_values():
    answer = minimize(linear(5.0, Domain.BINARY), SolverSettings())
    assert (answer.status, answer.values) == (Status.INFEASIBLE, ())


def test_variable_in_no_row_is_zero():
    program = linear(5.0)
    more = LinearProgram("g", program.objective, program.rows, ["y", "z"], [Domain.INTEGER, Domain.BINARY])
    assert minimize(more, SolverSettings()).values == [3.0, 0.0]


def test_program_without_objective_only_looks_for_a_solution():
    empty = LinearProgram("g", Expression([], []), linear(5.0).rows, ["y"], [Domain.INTEGER])
    answer = minimize(empty, SolverSettings())
    assert answer.status is Status.OPTIMAL
    assert answer.values[0] >= 3.0


def test_small_coefficients_are_not_lost_in_tolerances():
    # 1e-7 y >= 2e-7 needs y = 2; an absolute tolerance of 1e-6 would accept 0.
    row = Row(Kind.LIMIT, "l", Expression([0], [1e-7]), ">=", 2e-7)
    program = LinearProgram("g", Expression([0], [1.0]), [row], ["y"], [Domain.INTEGER])
    assert minimize(program, SolverSettings()).values == [2.0]


def test_run_stopped_by_its_time_limit_is_not_called_optimal():
    result = solve(a_fleet(40, committed=True), SolverSettings(time_limit_s=0.4))
    assert result.status in {Status.FEASIBLE, Status.UNDETERMINED}
    if result.report.bound is not None and result.report.objective is not None:
        assert result.report.bound < result.report.objective


def test_gap_that_was_asked_for_is_kept():
    result = solve(a_fleet(6, committed=True), SolverSettings(gap_ratio=0.05))
    exact = solve(a_fleet(6, committed=True))
    assert result.status is Status.OPTIMAL
    assert result.report.gap_ratio <= 0.05
    assert result.report.bound <= exact.report.objective * (1 + 1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "simplex"}, "no solver 'simplex' is known; expected one of: highs"),
        ({"time_limit_s": 0.0}, "time_limit_s is 0.0; expected a number of seconds above 0"),
        ({"gap_ratio": 1.0}, "gap_ratio is 1.0"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SolverSettings(**settings)


def test_highs_is_available_and_the_default():
    assert "highs" == available_solvers()[0] == SolverSettings().name


def test_missing_solver_says_which_are_there():
    missing = {"cbc", "glpk", "scip", "gurobi", "cplex"} - set(available_solvers())
    if not missing:
        pytest.skip("every known solver is installed")
    with pytest.raises(SolverUnavailable, match="is not installed; expected one of: highs"):
        minimize(formulate(a_program()), SolverSettings(name=min(missing)))


def test_every_installed_solver_finds_the_same_optimum():
    for name in available_solvers():
        assert (
            pytest.approx(1016.0) == solve(a_program(), SolverSettings(name=name)).solution.cost_usd_per_month
        )


def test_standard_output_holds_nothing_but_what_the_caller_prints():
    code = (
        "import json; from advisor.solver import *;"
        "p = Program((Service('s', (Column('a', 1.0, {'l': 1.0}), Column('b', 2.0, {'l': 0.0}))),), (Period('t', 1.0),),"
        " limits=(Limit('l', 'l', 0.5),));"
        "print(json.dumps(dict(solve(p).solution.choice)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert json.loads(run.stdout) == {"s": "b"}
    assert run.stderr == ""


def test_pulp_is_imported_by_one_file_and_only_when_solving():
    importers = [
        path.name
        for path in (ROOT / "solver").glob("*.py")
        if re.search(r"^\s*(import|from) pulp\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert importers == ["pulp_bridge.py"]
    code = "import sys, advisor.solver; sys.exit('pulp' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_solver_imports_nothing_else_of_the_product():
    pattern = re.compile(r"^\s*(?:from|import) (advisor(?:\.\w+)?)", re.MULTILINE)
    imported = {
        name
        for path in (ROOT / "solver").glob("*.py")
        for name in pattern.findall(path.read_text(encoding="utf-8"))
    }
    assert {"advisor.solver"} == imported


@pytest.mark.parametrize(
    ("run", "solution", "expected"),
    [
        (1, 1, Status.OPTIMAL),
        (1, 2, Status.FEASIBLE),
        (-1, -1, Status.INFEASIBLE),
        (-2, -2, Status.UNBOUNDED),
        (0, 0, Status.UNDETERMINED),
        (0, 2, Status.FEASIBLE),
    ],
)
def test_pulp_3_says_optimal_only_if_the_solution_is(run, solution, expected):
    problem = SimpleNamespace(status=run, sol_status=solution)
    assert _pulp_status(problem, run)[0] is expected


@pytest.mark.parametrize(
    ("name", "has_solution", "expected"),
    [
        ("Optimal", True, Status.OPTIMAL),
        ("GapLimit", True, Status.OPTIMAL),
        ("TimeLimit", True, Status.FEASIBLE),
        ("TimeLimit", False, Status.UNDETERMINED),
        ("Infeasible", False, Status.INFEASIBLE),
    ],
)
def test_pulp_4_status_needs_a_solution(name, has_solution, expected):
    stats = SimpleNamespace(status=SimpleNamespace(name=name), has_solution=has_solution, best_bound=3.0)
    assert _pulp_status(None, stats)[0] is expected


def test_solver_that_did_not_run_is_an_error_and_no_answer():
    code = (
        "from advisor.solver import *;"
        "p = Program((Service('s', (Column('a', 1.0, {'l': 1.0}), Column('b', 2.0, {'l': 0.0}))),), (Period('t', 1.0),),"
        " limits=(Limit('l', 'l', 0.5),));"
        "solve(p); solve(p, SolverSettings(threads=2))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert (
        "SolverFailure: HiGHS did not run (kNotset); one process must keep one number of threads"
        in run.stderr
    )
