"""Where nothing fits: every repair works when it is solved, and the best plan found breaks what it says and no more."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from advisor import Requirements, recommend
from advisor.recommendation import Conflict, Recommendation
from advisor.report import render_html, render_markdown, render_terminal

IMPOSSIBLE = {
    "a budget": {"max_accuracy_loss": "1%", "budget": "$700/month"},
    "a quota": {"max_accuracy_loss": "1%", "quotas": {"g4dn.xlarge": 1}, "allow_instances": ["g4dn*"]},
    "two of them": {"max_accuracy_loss": "0%", "budget": "$900/month", "latency": {"latency_p99": "4ms"}},
}
every = pytest.mark.parametrize("name", IMPOSSIBLE)
KEYS = {
    "max_accuracy_loss": "max_accuracy_loss",
    "accuracy loss": "max_accuracy_loss",
    "cost": "budget",
}


@cache
def found(name: str) -> Recommendation:
    return recommend("small-cnn", Requirements.model_validate(IMPOSSIBLE[name]))


def conflict(name: str) -> Conflict:
    one = found(name).conflict
    assert one is not None
    return one


def relaxed(asked: dict[str, Any], requirement: str, value: str) -> dict[str, Any]:
    """What was asked, with one requirement at another value."""
    if requirement.startswith("quota "):
        return {**asked, "quotas": {**asked["quotas"], requirement.removeprefix("quota "): int(value)}}
    if requirement.startswith("latency"):
        return {**asked, "latency": {**asked["latency"], requirement: value}}
    return {**asked, KEYS[requirement]: f"{value}/month" if requirement == "cost" else value}


@every
def test_every_repair_works_when_it_is_solved_and_costs_what_it_says(name: str) -> None:
    assert conflict(name).repairs
    for repair in conflict(name).repairs:
        asked = relaxed(IMPOSSIBLE[name], repair.requirement, repair.nearest)
        plan = recommend("small-cnn", Requirements.model_validate(asked)).require().plan
        assert plan is not None
        assert repair.cost_usd_per_month == pytest.approx(plan.cost_usd_per_month, rel=1e-6)
        assert repair.loosened_ratio > 0.0


@every
def test_the_best_plan_found_breaks_what_it_says_and_keeps_the_rest(name: str) -> None:
    best = conflict(name).best
    assert best is not None
    asked: dict[str, Any] = IMPOSSIBLE[name]
    for miss in best.misses:
        asked = relaxed(asked, miss.requirement, slightly_more(miss.reached))
    plan = recommend("small-cnn", Requirements.model_validate(asked)).require().plan
    assert plan is not None
    assert best.misses
    assert plan.cost_usd_per_month <= best.cost_usd_per_month * (1.0 + 1e-6)


def slightly_more(shown: str) -> str:
    """A value as it is shown, rounded up by half of its last digit at most."""
    if shown.isdigit():
        return shown
    digits = "".join(sign for sign in shown if sign.isdigit() or sign == ".")
    return shown.replace(",", "").replace(digits, f"{float(digits) * 1.005:.6g}")


def test_a_quota_is_repaired_by_so_many_machines_more() -> None:
    (repair,) = [one for one in conflict("a quota").repairs if one.requirement.startswith("quota")]
    more = int(repair.nearest) - 1
    assert repair.text.startswith(f"{more} more g4dn.xlarge of quota ({repair.nearest} instead of 1): $")


def test_a_dearer_plan_within_the_quota_is_found_however_many_cheaper_ones_are_beyond_it() -> None:
    (repair,) = [one for one in conflict("a quota").repairs if one.requirement == "max_accuracy_loss"]
    asked = Requirements.model_validate({**IMPOSSIBLE["a quota"], "max_accuracy_loss": repair.nearest})
    plan = recommend("small-cnn", asked).require().plan
    assert plan is not None
    assert 1 == plan.services[0].instances_peak


def test_drastic_repairs_come_last() -> None:
    ratios = [one.loosened_ratio > 4.0 for one in conflict("two of them").repairs]
    assert ratios == sorted(ratios)


def test_every_format_shows_the_repairs_and_the_best_plan_found() -> None:
    one = found("a quota")
    best = conflict("a quota").best
    assert best is not None
    for text in (render_html(one), render_markdown(one), render_terminal(one)):
        assert "The nearest that works" in text
        assert "The best plan found" in text
    assert f"for ${best.cost_usd_per_month:,.0f}/month" in render_terminal(one)
