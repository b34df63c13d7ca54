"""Conflicts: the smallest set that cannot hold, and repairs that are the nearest and really work."""

import pytest
from instances import a_program, random_program
from oracles import exhaustive

from advisor.solver import (
    COST,
    Limit,
    Plan,
    Pool,
    QuotaGroup,
    RequirementKind,
    conflict,
    relaxed,
    requirements,
)

ROUND_UP = 1 + 1e-9
STEP = {RequirementKind.GROUP_QUOTA: 1, RequirementKind.PLAN_QUOTA: 1, RequirementKind.SHARE: 0.001}


def test_feasible_program_has_no_conflict():
    assert conflict(a_program()) is None


def test_repairs_name_the_nearest_value_of_each_limit_alone():
    # Carbon of at most 60 kg excludes all but int8 (50) with ... 20 or 30: 70 is the least.
    found = conflict(
        a_program(limits=(Limit("carbon", "carbon_kg", 60.0), Limit("accuracy", "loss_ratio", 0.02)))
    )
    assert [one.name for one in found.together] == ["carbon"]
    assert [repair.nearest[0] for repair in found.repairs] == [70.0]
    assert [one.name for one in found.not_enough] == ["accuracy", "a/1y", "b/on-demand", "a/spot"]
    assert dict(found.repairs[0].solution.choice) == {"chat": "int8", "rank": "fp8 on b"}


def test_two_limits_that_exclude_each_other_are_named_together():
    # Without loss, both bf16 use (5, 3) at 1 $/h: 5 x 300 + 3 x 430 = 2790 $; int8 for chat needs (3, 2): 1780 $.
    limits = (Limit("accuracy", "loss_ratio", 0.0, "each"), Limit("budget", COST, 1900.0))
    pools = (Pool("a", (Plan("on-demand", "hourly", 1.0),)), a_program().pools[1])
    found = conflict(a_program(limits=limits, pools=pools))
    assert [one.name for one in found.together] == ["accuracy", "budget"]
    nearest = {repair.requirements[0].name: repair.nearest[0] for repair in found.repairs}
    assert pytest.approx({"accuracy": 0.01, "budget": 2790.0}) == nearest


def test_quota_repair_is_a_whole_number_of_instances():
    found = conflict(a_program(groups=(QuotaGroup("region", ("a", "b"), 1),)))
    (repair,) = found.repairs
    assert (repair.requirements[0].kind, repair.nearest[0]) == (RequirementKind.GROUP_QUOTA, 3)


def test_plan_quota_repair_is_found_where_nothing_else_covers():
    pools = (Pool("a", (Plan("1y", "committed", 0.6, quota=1),)), a_program().pools[1])
    found = conflict(a_program(pools=pools))
    assert {repair.requirements[0].name: repair.nearest[0] for repair in found.repairs} == {"a/1y": 2}
    assert {
        one.name: bound for one, bound in zip(found.joint.requirements, found.joint.nearest, strict=True)
    } == {"a/1y": 2}


def test_joint_repair_moves_several_limits_where_one_is_not_enough():
    limits = (Limit("carbon", "carbon_kg", 60.0), Limit("budget", COST, 900.0))
    found = conflict(a_program(limits=limits))
    assert found.repairs == ()
    moved = dict(zip((one.name for one in found.joint.requirements), found.joint.nearest, strict=True))
    assert pytest.approx({"budget": 1016.0, "carbon": 80.0}) == moved


@pytest.mark.parametrize("seed", range(120))
def test_conflict_agrees_with_exhaustive_search(seed):
    program = random_program(seed, whole=seed % 4 != 0)
    found = conflict(program)
    if exhaustive(program) is not None:
        assert found is None
        return
    core = program
    for requirement in requirements(program):
        core = core if requirement in found.together else relaxed(core, requirement, None)
    assert exhaustive(core) is None
    for requirement in found.together:
        assert exhaustive(relaxed(core, requirement, None)) is not None
    for requirement in found.not_enough:
        assert exhaustive(relaxed(program, requirement, None)) is None
    for repair in (*found.repairs, *([found.joint] if found.joint else [])):
        loose = program
        for requirement, bound in zip(repair.requirements, repair.nearest, strict=True):
            is_limit = requirement.kind is RequirementKind.LIMIT
            loose = relaxed(loose, requirement, bound * ROUND_UP + 1e-12 if is_limit else bound)
        assert exhaustive(loose) is not None
    for repair in found.repairs:
        ((requirement,), (bound,)) = repair.requirements, repair.nearest
        tighter = bound - STEP.get(requirement.kind, max(abs(bound), 1) * 1e-5)
        assert tighter < 0 or exhaustive(relaxed(program, requirement, tighter)) is None
