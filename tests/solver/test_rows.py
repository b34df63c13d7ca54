"""The program as text: one golden file for each constraint kind, and none missing."""

import re
from io import StringIO
from pathlib import Path

import pytest
from instances import a_program

import advisor.solver
from advisor.solver import COST, Goal, Limit, QuotaGroup, formulate
from advisor.solver.linear import Kind
from advisor.solver.rows import formulation

GOLDEN = Path(__file__).parent / "golden"

PROGRAMS = {
    "plain": a_program(),
    "group_quota": a_program(groups=(QuotaGroup("region", ("a", "b"), 6),)),
    "limits": a_program(
        limits=(
            Limit("budget", COST, 2000.0),
            Limit("carbon", "carbon_kg", 100.0),
            Limit("fleet accuracy", "loss_ratio", 0.005, "mean"),
        )
    ),
    "each": a_program(limits=(Limit("accuracy", "loss_ratio", 0.005, "each"),)),
    "cut": a_program(cuts=(frozenset({("chat", "bf16"), ("rank", "bf16")}),)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_reads_as_its_golden_text(name, golden):
    golden(name, str(PROGRAMS[name]))


def test_stage_holds_the_goals_before_it(golden):
    program = a_program(goals=(Goal("loss_ratio", "mean"), Goal()))
    golden("stage", str(formulation(program).stage(Goal(), [(Goal("loss_ratio", "mean"), 0.0005)])))


def test_elastic_program_has_one_slack_for_each_limit_and_quota(golden):
    program = a_program(
        groups=(QuotaGroup("region", ("a", "b"), 2),),
        limits=(Limit("carbon", "carbon_kg", 60.0), Limit("accuracy", "loss_ratio", 0.0, "each")),
    )
    golden("elastic", str(formulation(program, elastic=True).least_slack()))


def test_every_constraint_kind_occurs_in_a_golden_text():
    texts = "".join(path.read_text(encoding="utf-8") for path in GOLDEN.glob("*.txt"))
    assert {kind.value for kind in Kind} == set(re.findall(r"^  (C\d+)\[", texts, flags=re.MULTILINE))


def test_every_constraint_kind_is_stated_in_the_package_docstring():
    stated = re.findall(r"^\| (C\d+) ", advisor.solver.__doc__, flags=re.MULTILINE)
    assert [kind.value for kind in Kind] == stated


def test_text_is_written_to_a_file_as_it_is_printed():
    file = StringIO()
    formulate(a_program()).write_text(file)
    assert str(a_program()) == file.getvalue()


def test_a_pool_used_twice_by_one_column_in_a_group_counts_both():
    program = a_program(groups=(QuotaGroup("all", ("a",), 6),))
    row = next(row for row in formulate(program).rows if row.name == "C5[all,day]")
    assert row.expression.coefficients == [4.0, 2.0, 1.0]
