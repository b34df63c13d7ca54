"""From when on commitments pay, and what cannot help."""

from __future__ import annotations

import pytest

from advisor import Requirements, recommend
from advisor.report import render_html, render_markdown, render_terminal
from tests.builders import AStrategy, a_workload, an_option

BUYING = [
    AStrategy(
        "buying",
        (
            an_option("year", purchase="reserved-1y"),
            an_option("three", purchase="reserved-3y"),
            an_option("spot", purchase="spot"),
        ),
    )
]
HERE = Requirements(allow_instances=("g4dn.xlarge",))


def cost(months: float, *, without: tuple[str, ...] = (), **limits: object) -> float:
    workload = a_workload(traffic={"requests_per_s": 3000}, horizon_months=months)
    asked = HERE.model_copy(update={"without": without, **limits})
    found = recommend(workload, asked, strategies=BUYING)
    return found.plan.cost_usd_per_month if found.plan else float("inf")


def test_break_even_is_the_ratio_of_the_prices() -> None:
    # g4dn.xlarge: $0.526 by the hour, $0.35768 reserved for a year: 68 % of 730 h and of 12 months.
    found = recommend(a_workload(traffic={"requests_per_s": 3000}), HERE, strategies=BUYING)
    year, three = found.commitments
    assert ("reserved-1y", "reserved-3y") == (year.plan, three.plan)
    assert year.break_even_hours_per_month == pytest.approx(496.4)
    assert year.break_even_months == pytest.approx(8.16)
    assert (True, False) == (year.within_horizon, three.within_horizon)
    assert (7, 730.0) == (year.instances, pytest.approx(year.least_used_hours_per_month))


def test_every_page_says_from_when_on_it_pays_and_what_is_owed() -> None:
    found = recommend(a_workload(traffic={"requests_per_s": 3000}), HERE, strategies=BUYING)
    for page in (render_terminal(found, width=100), render_markdown(found), render_html(found)):
        assert "When a commitment pays" in page
        assert "owed" in page


def test_a_longer_commitment_never_helps_a_shorter_horizon() -> None:
    for months in (1.0, 6.0, 12.0):
        assert cost(months) == pytest.approx(cost(months, without=("buying=three",)))
    assert cost(36.0) < cost(36.0, without=("buying=three",))


def test_more_quota_never_costs_more() -> None:
    costs = [cost(12.0, quotas={"g4dn.xlarge": most}) for most in range(4, 12)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]


def test_spot_never_runs_what_the_reliable_floor_must() -> None:
    for rate in (100, 900, 3000, 7000):
        workload = a_workload(traffic={"requests_per_s": rate})
        spot = Requirements(allow_instances=("g5.xlarge",), only=("buying=spot", "accelerators"))
        strategies = [*BUYING, AStrategy("accelerators")]
        found = recommend(workload, spot, strategies=strategies)
        assert found.plan is not None
        (service,) = found.plan.services
        used = sum(line.instances_peak for line in service.purchases if line.plan == "spot")
        assert used <= 0.70 * service.instances_peak
