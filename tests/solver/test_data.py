"""Contradictory data are refused where they are stated, with what was given and what was expected."""

import pickle

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
    ProgramError,
    QuotaGroup,
    Service,
)

MONTH = (Period("month", 730.0),)
NAN = float("nan")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Period("", 1.0), "a period has the name ''; expected a text"),
        (lambda: Period("t", 0.0), "hours_per_month of period 't' is 0; expected more"),
        (
            lambda: Period("t", NAN),
            "hours_per_month of period 't' is nan; expected a finite number of at least 0",
        ),
        (
            lambda: Plan("p", "hourly", -1.0),
            "usd_per_h of plan 'p' is -1.0; expected a finite number of at least 0",
        ),
        (
            lambda: Plan("p", "hourly", 1.0, max_share_of_use=1.5),
            "is 1.5; expected .* at least 0 and at most 1",
        ),
        (lambda: Plan("p", "hourly", 1.0, quota=1.5), "quota of plan 'p' is 1.5; expected a whole number"),
        (lambda: Plan("p", "monthly", 1.0), "'monthly' is not a valid PlanKind"),
        (lambda: Plan("p", "committed", 1.0, max_share_of_use=0.5), "only hourly plans can have one below 1"),
        (lambda: Pool("a"), "pool 'a' has no plan and is not owned; expected plans"),
        (lambda: Pool("a", (Plan("p", "hourly", 1.0),), owned=True), "pool 'a' is owned and has plans"),
        (
            lambda: Pool("a", (Plan("p", "hourly", 1.0), Plan("p", "hourly", 2.0))),
            "two entries are called 'p' as plan",
        ),
        (lambda: QuotaGroup("g", ("a",), -1), "max_instances of quota group 'g' is -1"),
        (lambda: Column("v", NAN), "cost_usd_per_month of column 'v' is nan"),
        (lambda: Column("v", 1.0, {"loss": NAN}), "attribute 'loss' of column 'v' is nan"),
        (lambda: Column("v", 1.0, {COST: 1.0}), "column 'v' has an attribute 'cost_usd_per_month'"),
        (lambda: Column("v", 1.0, {}, {"a": (-1.0,)}), "demand of column 'v' on pool 'a' is -1.0"),
        (lambda: Service("s", ()), "service 's' has no column; expected at least one"),
        (
            lambda: Service("s", (Column("v", 1.0), Column("v", 2.0))),
            "two entries are called 'v' as column of service 's'",
        ),
        (lambda: Service("s", (Column("v", 1.0),), weight=-1.0), "weight of service 's' is -1.0"),
        (lambda: Limit("l", "loss", NAN), "bound of limit 'l' is nan"),
        (lambda: Limit("l", "loss", 1.0, services=()), "limit 'l' concerns no service"),
        (lambda: Limit("l", COST, 1.0, "mean"), "limit 'l' is on the total cost; expected the sum"),
        (lambda: Goal("loss", "each"), "the goal 'loss' has the aggregate 'each'; expected 'sum' or 'mean'"),
        (lambda: Goal(COST, services=("s",)), "a goal is a part of the total cost"),
        (lambda: Program((), MONTH), "the program has no service"),
        (lambda: a_program(periods=()), "the program has no period"),
        (
            lambda: a_program(pools=()),
            "column 'bf16' of service 'chat' names the pool 'a', .* expected one of: none",
        ),
        (
            lambda: a_program(periods=MONTH),
            "on pool 'a' has 2 numbers; expected one for each of the 1 periods",
        ),
        (
            lambda: a_program(groups=(QuotaGroup("g", ("c",), 1),)),
            "quota group 'g' names the pool 'c'.*: a, b",
        ),
        (
            lambda: a_program(limits=(Limit("l", "speed", 1.0),)),
            "limit 'l' is about 'speed', which column 'bf16' .*there: carbon_kg",
        ),
        (
            lambda: a_program(limits=(Limit("l", "loss_ratio", 1.0, services=("x",)),)),
            "limit 'l' names the service 'x'",
        ),
        (lambda: a_program(goals=(Goal("speed"),)), "the goal 'speed' is about 'speed'"),
    ],
)
def test_contradiction_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_mean_over_services_without_weight_is_refused():
    services = (Service("s", (Column("v", 1.0, {"loss": 0.1}),), weight=0.0),)
    with pytest.raises(ProgramError, match="mean over services of weight 0"):
        Program(services, MONTH, limits=(Limit("l", "loss", 1.0, "mean"),))


def test_cost_is_the_last_goal_where_it_is_not_stated():
    assert (Goal("loss_ratio"), Goal()) == a_program(goals=(Goal("loss_ratio"),)).stages
    assert (Goal(), Goal("loss_ratio")) == a_program(goals=(Goal(), Goal("loss_ratio"))).stages


def test_programs_survive_pickling():
    program = a_program(limits=(Limit("l", "loss_ratio", 0.01),))
    assert program == pickle.loads(pickle.dumps(program))  # noqa: S301
