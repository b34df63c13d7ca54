"""Machines are rented whole, and old prices are flagged wherever they count."""

import json

import pytest

from advisor import Requirements, recommend
from advisor.report import render_html, render_json, render_markdown, render_terminal, render_yaml

CHAT = {
    "name": "chat",
    "model": "llama-3.1-8b",
    "requests": {"input_tokens": 200, "output_tokens": 50},
    "traffic": {"requests_per_s": 0.5},
    "limits": {"ttft_p99": "2s", "tpot_p99": "100ms"},
    "serving": {
        "provider": "aws",
        "region": "us-east-1",
        "instance_type": "p5.48xlarge",
        "instances": 1,
        "accelerators_per_replica": 1,
    },
}


@pytest.fixture(scope="module")
def found():
    return recommend(
        CHAT,
        Requirements(max_accuracy_loss="1%", allow_instances=["p5.48xlarge"], only=["batching"]),
        today_date="2027-11-24",
    )


def test_eight_accelerators_are_paid_where_only_eight_are_sold(found):
    for bill in (found.baseline, found.plan):
        assert bill.services[0].accelerators_per_replica == 1
        (line,) = bill.services[0].purchases
        assert 730 * 55.04 == pytest.approx(line.cost_usd_per_month)


def test_old_prices_are_flagged_in_every_output(found):
    said = "p5.48xlarge on-demand"
    assert said in str(json.loads(render_json(found))["provenance"]["stale_prices"])
    assert said in render_yaml(found)
    for text in (render_terminal(found), render_markdown(found), render_html(found)):
        assert f"Old price: {said}, 2026-09-06" in " ".join(text.split())


def test_new_prices_and_a_price_of_ones_own_are_not_flagged(found):
    fresh = recommend(CHAT, Requirements(max_accuracy_loss="1%"), today_date="2026-09-10")
    assert "Old price:" not in render_markdown(fresh)
    serving = CHAT["serving"] | {"price": "$50/h"}
    own = recommend(
        CHAT | {"serving": serving},
        Requirements(max_accuracy_loss="1%", allow_instances=["p5.48xlarge"], only=["batching"]),
        today_date="2026-09-10",
    )
    assert "Old price:" not in render_markdown(own)
