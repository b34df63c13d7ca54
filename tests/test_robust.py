"""`recommend --robust`: what keeps all limits together with the confidence, and whether to act on it."""

from __future__ import annotations

import json
from functools import cache

import pytest
from typer.testing import CliRunner

from advisor import InputError, Requirements, explain, frontier, recommend
from advisor.checking import check
from advisor.cli import app
from advisor.recommendation import Recommendation
from advisor.report import render_html, render_markdown, render_terminal

ROBUST = Requirements(max_accuracy_loss="1%", robust=True)


@cache
def both() -> tuple[Recommendation, Recommendation]:
    return recommend("small-cnn", Requirements(max_accuracy_loss="1%")), recommend("small-cnn", ROBUST)


def test_the_robust_plan_keeps_all_limits_with_the_confidence_and_the_cheapest_does_not() -> None:
    cheapest, robust = both()
    assert cheapest.robust is None
    assert cheapest.plan is not None
    assert robust.plan is not None
    why = robust.robust
    assert why is not None
    assert why.all_limits_probability >= why.confidence == 0.9 > why.cheapest_all_limits_probability
    assert why.cheapest_usd_per_month == pytest.approx(cheapest.plan.cost_usd_per_month)
    assert robust.plan.cost_usd_per_month > cheapest.plan.cost_usd_per_month
    assert all(chance >= why.all_limits_probability for chance in why.limits.values())
    assert ("feasible", "act") == (robust.status, why.verdict)
    assert robust.savings_usd_per_month == pytest.approx(
        robust.baseline.cost_usd_per_month - robust.plan.cost_usd_per_month
    )


def test_the_latencies_and_the_energy_are_those_of_the_traffic_stated() -> None:
    cheapest, robust = (one.plan for one in both())
    assert cheapest is not None
    assert robust is not None
    now, then = cheapest.services[0], robust.services[0]
    assert then.instances_peak >= now.instances_peak
    assert (then.utilization_peak_ratio or 0.0) < 1.0
    assert all(
        one.predicted_s is not None and one.predicted_s <= (one.limit_s or 9.0) for one in then.latencies
    )


def test_a_higher_confidence_is_kept_too() -> None:
    found = recommend("small-cnn", Requirements(max_accuracy_loss="1%", confidence="95%", robust=True)).robust
    assert found is not None
    assert found.all_limits_probability >= found.confidence == 0.95


def test_every_format_says_how_sure_it_is_and_whether_to_act() -> None:
    robust = both()[1]
    for text in (render_terminal(robust), render_markdown(robust), render_html(robust)):
        assert "Robust: of" in text
        assert "Act." in text
        assert "Proven" not in text


def test_the_choice_survives_a_file_and_is_asked_for_again() -> None:
    done = CliRunner().invoke(
        app,
        ["recommend", "--example", "small-cnn", "--max-accuracy-loss", "1%", "--robust", "--format", "json"],
    )
    assert 0 == done.exit_code
    stored = Recommendation.model_validate(json.loads(done.stdout))
    assert stored.robust == both()[1].robust
    assert stored.inputs is not None
    with pytest.raises(InputError, match="advisor compare"):
        check(stored)
    assert stored.inputs.requirements["robust"] is True


def test_a_fleet_is_refused_and_what_nothing_meets_stays_infeasible() -> None:
    with pytest.raises(InputError, match="for one service"):
        recommend(["small-cnn", "medium-transformer"], ROBUST)
    impossible = recommend("small-cnn", Requirements(budget="$1/month", robust=True))
    assert ("infeasible", None) == (impossible.status, impossible.robust)
    assert explain("small-cnn", ROBUST).insights is None
    with pytest.raises(InputError, match="the cheapest plan as predicted"):
        frontier("small-cnn", ROBUST)
