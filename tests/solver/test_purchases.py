"""The closed form of purchases: hand-computed cases, and equal to trying everything on random pools."""

import random

import numpy as np
import pytest
from instances import _pool
from oracles import cheapest_cover

from advisor.solver import Plan, Pool
from advisor.solver.purchases import cheapest_purchases, is_additive

HOURS = np.array([300.0, 430.0])


def bought(pool: Pool, *use: float):
    return cheapest_purchases(pool, np.array([use]), HOURS)


def test_commitment_is_bought_from_its_break_even_hours():
    # 0.6 $/h in all 730 h is 438 $; by the hour it is 430 $ in the night alone and 730 $ in both.
    pool = Pool("a", (Plan("1y", "committed", 0.6), Plan("on-demand", "hourly", 1.0)))
    assert bought(pool, 0, 1).cost_usd_per_month.tolist() == [430.0]
    assert pytest.approx([438.0]) == bought(pool, 1, 1).cost_usd_per_month


def test_spot_fills_its_share_and_leaves_the_reliable_floor():
    pool = Pool("a", (Plan("on-demand", "hourly", 1.0), Plan("spot", "hourly", 0.4, max_share_of_use=0.7)))
    purchases = bought(pool, 5, 1)
    assert purchases.hourly["spot"].tolist() == [[3.0, 0.0]]
    assert purchases.hourly["on-demand"].tolist() == [[2.0, 1.0]]
    assert pytest.approx([3 * 0.4 * 300 + 2 * 300 + 430]) == purchases.cost_usd_per_month


def test_second_commitment_starts_where_the_quota_of_the_first_ends():
    pool = Pool(
        "a",
        (
            Plan("3y", "committed", 0.4, quota=1),
            Plan("1y", "committed", 0.6),
            Plan("on-demand", "hourly", 1.0),
        ),
    )
    purchases = bought(pool, 3, 3)
    assert (purchases.committed["3y"].tolist(), purchases.committed["1y"].tolist()) == ([1.0], [2.0])
    assert pytest.approx([730 * (0.4 + 2 * 0.6)]) == purchases.cost_usd_per_month


def test_dear_commitment_is_bought_where_nothing_else_covers():
    pool = Pool("a", (Plan("1y", "committed", 5.0), Plan("on-demand", "hourly", 1.0, quota=1)))
    purchases = bought(pool, 3, 0)
    assert purchases.committed["1y"].tolist() == [2.0]
    assert purchases.hourly["on-demand"].tolist() == [[1.0, 0.0]]


def test_use_beyond_every_quota_costs_infinitely_much():
    pool = Pool("a", (Plan("on-demand", "hourly", 1.0, quota=1),))
    assert [np.inf] == bought(pool, 2, 0).cost_usd_per_month.tolist()


def test_fractions_of_instances_are_bought_whole():
    pool = Pool("a", (Plan("on-demand", "hourly", 1.0),))
    assert bought(pool, 1.2, 0.1 + 0.2 + 0.7).cost_usd_per_month.tolist() == [2 * 300.0 + 430.0]


def test_price_is_additive_only_without_quota_share_or_cheaper_commitment():
    hourly = Plan("on-demand", "hourly", 1.0)
    assert is_additive(Pool("a", (hourly, Plan("1y", "committed", 1.0))))
    assert not is_additive(Pool("a", (hourly, Plan("1y", "committed", 0.99))))
    assert not is_additive(Pool("a", (Plan("on-demand", "hourly", 1.0, quota=9),)))
    assert not is_additive(Pool("a", (hourly, Plan("spot", "hourly", 0.5, max_share_of_use=0.9))))


@pytest.mark.parametrize("seed", range(300))
def test_closed_form_equals_trying_everything(seed):
    draw = random.Random(seed)  # noqa: S311  (no secret)
    pool = _pool(draw, 0)
    hours = [draw.choice([30.0, 100.0, 430.0]) for _ in range(draw.randint(1, 4))]
    use = [
        [float(draw.randint(0, 6)) if seed % 3 else round(draw.uniform(0, 6), 1) for _ in hours]
        for _ in range(4)
    ]
    expected = [cheapest_cover(pool, row, hours) for row in use]
    assert (
        pytest.approx(expected, rel=1e-9)
        == cheapest_purchases(pool, np.array(use), np.array(hours)).cost_usd_per_month.tolist()
    )
