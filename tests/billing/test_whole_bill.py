"""The whole bill of a model: every line by hand, nothing invented, and a provider's bill beside it."""

import csv
import json
from functools import cache
from pathlib import Path

import pytest

from advisor import Requirements, Workload, bill, recommend
from advisor.billing import read_focus
from advisor.billing.training import training_run
from advisor.catalog import Catalog
from advisor.errors import InputError
from advisor.recommendation import Recommendation

WITHIN = Requirements(max_accuracy_loss="1%")
SERVING = {
    "provider": "aws",
    "region": "us-east-1",
    "instance_type": "p5.48xlarge",
    "instances": 1,
    "accelerators_per_replica": 1,
    "purchase": "on-demand",
}
CHAT = {
    "name": "chat",
    "model": {"name": "llama-3.1-8b"},
    "requests": {"input_tokens": 900, "output_tokens": 200},
    "traffic": {"requests_per_s": 5},
    "limits": {"ttft_p99": "2s", "tpot_p99": "60ms"},
    "serving": SERVING,
}
LIFE = {
    "training": {"tokens": "100B", "utilization": "40%"},
    "fine_tuning": {"tokens": "500M", "per_month": 2, "method": "lora", "utilization": "40%"},
    "storage": {"datasets": "2TB", "replicas": 2, "checkpoints": {"size": "100GB", "kept": 5}},
    "network": {"egress": "5TB/month", "inter_region": "1TB/month"},
}


@cache
def served() -> Recommendation:
    """One recommendation for all tests of this file: what a lifecycle says does not move the plan."""
    return recommend(CHAT, WITHIN)


def whole(life=None, *, focus=None, today_date="", catalog=None, **changes):
    """The bill of the chat with another lifecycle, on the same plan."""
    asked = {**CHAT, **changes, "lifecycle": LIFE if life is None else life}
    inputs = served().inputs.model_copy(
        update={
            "services": (
                served()
                .inputs.services[0]
                .model_copy(
                    update={"workload": Workload.load(asked).model_dump(mode="json", exclude_unset=True)}
                ),
            )
        }
    )
    return bill(
        served().model_copy(update={"inputs": inputs}), focus=focus, today_date=today_date, catalog=catalog
    )


def item(found, key):
    return next(one for one in found.items if one.key == key)


def test_training_is_six_operations_for_each_weight_and_token_over_what_the_machines_reach():
    parameters = Workload.load(CHAT).model.active_parameters
    accelerator_hours = 6 * parameters * 100e9 / (0.4 * 989e12) / 3600
    once = accelerator_hours / 8 * 55.04  # p5.48xlarge has 8 H100 and costs $55.04/h
    found = item(whole(), "training")
    assert once == pytest.approx(found.one_time_usd, rel=2e-3)
    assert found.one_time_usd / 12 == pytest.approx(found.today_usd_per_month)


def test_adapters_need_two_thirds_of_the_operations_and_the_lever_says_so():
    lora = item(whole(), "fine-tuning")
    full = item(whole({"fine_tuning": {**LIFE["fine_tuning"], "method": "full"}}), "fine-tuning")
    assert full.today_usd_per_month * 4 / 6 == pytest.approx(lora.today_usd_per_month)
    saves = {lever.title: lever.saves_usd_per_month for lever in full.levers}
    expected = full.today_usd_per_month - lora.today_usd_per_month
    assert expected == pytest.approx(saves["Adapters instead of all weights (LoRA)"])
    assert not [lever for lever in lora.levers if "Adapters" in lever.title]


def test_machines_are_paid_whole_when_only_some_of_their_accelerators_train():
    four, all_eight = (
        item(whole({"training": {**LIFE["training"], "accelerators": count}}), "training").one_time_usd
        for count in (4, 8)
    )
    assert 2 * all_eight == pytest.approx(four)  # twice the hours, and four idle accelerators in each of them


def test_what_is_kept_costs_its_copies():
    found = whole()
    assert 2000 * 2 * 0.023 == pytest.approx(item(found, "datasets").today_usd_per_month)
    assert 500 * 2 * 0.023 == pytest.approx(item(found, "checkpoints").today_usd_per_month)


def test_a_checkpoint_of_unknown_size_holds_weights_master_copy_and_moments():
    found = item(whole({"storage": {"checkpoints": {"kept": 1}}}), "checkpoints")
    size_gb = 14 * Workload.load(CHAT).model.parameters / 1e9
    assert size_gb * 0.023 == pytest.approx(found.today_usd_per_month)
    assert "derived" in {figure.basis for figure in found.figures}


def test_transfer_is_paid_by_tier_after_the_free_part():
    found = whole()
    assert (5000 - 100) * 0.09 == pytest.approx(item(found, "egress").today_usd_per_month)
    assert 1000 * 0.02 == pytest.approx(item(found, "inter-region").today_usd_per_month)


def test_egress_follows_from_the_traffic_where_nobody_states_it_and_is_marked_as_assumed():
    found = item(whole({}), "egress")
    gb = 5 * 3600 * 730 * 200 * 250 / 1e9  # requests, tokens, bytes of an event
    assert (gb - 100) * 0.09 == pytest.approx(found.today_usd_per_month)
    assert found.figures[0].basis == "assumed"


def test_electricity_is_power_times_hours_and_cooling_is_what_the_site_adds():
    found = whole()
    training = next(one for one in found.energy if one.name == "Initial training")
    hours = item(found, "training").one_time_usd / 55.04
    kwh = hours * 7.075 / 12  # the machine draws 7,075 W
    assert kwh == pytest.approx(training.today_kwh, rel=1e-3)
    assert kwh * 0.135 == pytest.approx(training.today_cooling_kwh, rel=1e-3)
    assert 1.135 * kwh * 0.322 == pytest.approx(training.today_carbon_kg, rel=1e-3)


def test_own_machines_pay_for_the_electricity_of_training_and_rented_ones_do_not():
    assert "electricity" not in {one.key for one in whole().items}
    found = whole(energy_usd_per_kwh=0.1)
    kwh = sum(one.today_kwh + one.today_cooling_kwh for one in found.energy if one.name != "Serving")
    assert 0.1 * kwh == pytest.approx(item(found, "electricity").today_usd_per_month)


def test_the_lines_add_up_and_serving_is_that_of_the_recommendation():
    found = whole()
    assert sum(one.today_usd_per_month for one in found.items) == pytest.approx(found.today_usd_per_month)
    assert sum(one.after_usd_per_month for one in found.items) == pytest.approx(found.after_usd_per_month)
    beside = found.today_usd_per_month - served().baseline.cost_usd_per_month
    assert beside == pytest.approx(found.after_usd_per_month - served().plan.cost_usd_per_month)
    moved = {one.key for one in found.items if one.strategies}
    assert moved <= {"inference", "fees", "one-time"}


def test_what_is_not_stated_is_in_no_sum_and_is_said():
    found = whole({})
    assert {one.key for one in found.items} <= {"inference", "fees", "one-time", "egress"}
    assert {"lifecycle.training", "lifecycle.fine_tuning", "lifecycle.storage"} <= {
        one.key for one in found.left_out
    }


def test_every_figure_has_a_source_and_every_price_a_date():
    figures = [figure for one in whole().items for figure in one.figures]
    assert all(figure.source for figure in figures)
    assert all(figure.date for figure in figures if figure.is_price and figure.basis != "stated")


def test_old_prices_are_flagged_on_the_day_that_is_given():
    assert whole(today_date="2026-09-10").stale_prices == ()
    assert any("S3 Standard" in text for text in whole(today_date="2027-09-10").stale_prices)


def test_levers_for_data_are_the_differences_of_prices_and_sizes():
    life = {"storage": {"datasets": "1TB", "growth": "100GB/month", "retention_months": 6, "replicas": 2}}
    found = item(whole(life), "datasets")
    saves = {lever.title: lever.saves_usd_per_month for lever in found.levers}
    size = (1000 + 100 * (6 - 36 / 24)) * 2
    assert size * 0.023 == pytest.approx(found.today_usd_per_month)
    assert size * (0.023 - 0.0125) == pytest.approx(saves["Data sets in the cool tier"])
    assert size / 2 * 0.023 == pytest.approx(saves["One copy fewer"])
    assert 100 * (4.5 - (3 - 9 / 24)) * 2 * 0.023 == pytest.approx(saves["Delete after 3 months"])


@pytest.mark.parametrize(("spot", "ratio"), [(40.0, 40.0 / 55.04), (10.0, 0.57)])
def test_training_on_spot_never_counts_on_more_than_a_fleet_realised(spot, ratio):
    catalog = Catalog.load().with_price("p5.48xlarge", spot, purchase="spot")
    paid = item(whole(catalog=catalog), "training")
    on_spot = item(whole({"training": {**LIFE["training"], "purchase": "spot"}}, catalog=catalog), "training")
    assert ratio * paid.one_time_usd == pytest.approx(on_spot.one_time_usd)
    (lever,) = [one for one in paid.levers if one.evidence]
    assert (1 - ratio) * paid.today_usd_per_month == pytest.approx(lever.saves_usd_per_month)


def test_published_utilization_meets_the_published_hours_of_a_large_model():
    # Model card of Llama 3.1 405B: 30.84 million H100 hours, for 15.6e12 tokens (The Llama 3 Herd of Models, 2024).
    asked = {**CHAT, "model": "llama-3.1-405b", "lifecycle": {"training": {"tokens": 15.6e12}}}
    workload = Workload.load(asked)
    run = training_run(workload, workload.lifecycle.training, Catalog.load(), section="training")
    assert run.machine_hours * 8 == pytest.approx(30.84e6, rel=0.15)


@pytest.mark.parametrize(
    ("life", "message"),
    [
        ({"training": {"items": "1M"}}, "lifecycle.training.items: a decoder learns from tokens"),
        (
            {"training": {"tokens": "1B", "precision": "fp8", "instance_type": "p4d.24xlarge"}},
            "does not compute",
        ),
        ({"training": {"tokens": "1B", "purchase": "spot"}}, "no spot price of aws/us-east-1/p5.48xlarge"),
    ],
)
def test_what_cannot_be_priced_is_refused_by_its_key(life, message):
    with pytest.raises(InputError, match=message):
        whole(life)


@pytest.mark.parametrize(
    ("life", "message"),
    [
        ({"training": {}}, "lifecycle.training: expected tokens"),
        ({"training": {"tokens": "1B", "items": 3}}, "one of them"),
        ({"storage": {"datasets": 2}}, "without a unit"),
        ({"network": {"egress": "5TB"}}, "does not say per what|unknown unit"),
        ({"storag": {}}, "did you mean 'storage'"),
    ],
)
def test_a_wrong_lifecycle_is_refused_in_words(life, message):
    with pytest.raises(InputError, match=message):
        Workload.load({**CHAT, "lifecycle": life})


def test_prices_of_storage_can_be_ones_own(tmp_path):
    own = tmp_path / "storage.csv"
    own.write_text(
        "provider,region,service,tier_from_gb,item,usd_per_unit\naws,us-east-1,object_storage,,S3 Standard [hot],0.01\n"
    )
    found = item(whole(catalog=Catalog.load().with_overrides(own)), "datasets")
    assert 4000 * 0.01 == pytest.approx(found.today_usd_per_month)
    assert found.figures[-1].basis == "stated"


def test_a_provider_without_prices_leaves_the_line_out_and_says_so():
    rented = {"provider": "runpod", "instance_type": "runpod-h100-sxm"}
    known = [m for m in Catalog.load().instances if m.provider == "runpod" and "h100" in m.accelerator.id]
    rented["instance_type"] = known[0].name
    found = bill(
        {
            **CHAT,
            "serving": {**rented, "region": known[0].region},
            "lifecycle": {"storage": {"datasets": "1TB"}},
        }
    )
    assert {"datasets", "egress"}.isdisjoint(one.key for one in found.items)
    assert {"--catalog storage.csv"} <= {one.key for one in found.left_out}


def test_a_plan_at_another_provider_pays_its_price_of_egress():
    serving = SERVING | {"instance_type": "g6.xlarge"}
    anywhere = Requirements(max_accuracy_loss="1%", providers=["gcp"], regions=["*"])
    found = bill({**CHAT, "serving": serving, "lifecycle": {"network": {"egress": "1.1TB/month"}}}, anywhere)
    egress = item(found, "egress")
    assert 1000 * 0.09 == pytest.approx(egress.today_usd_per_month)  # after 100 GB that are free
    assert 1000 * 0.12 + 100 * 0.11 == pytest.approx(egress.after_usd_per_month)


def test_without_a_plan_there_is_still_a_bill_of_today():
    found = bill({**CHAT, "lifecycle": LIFE}, Requirements(budget="$1/month"))
    assert found.after_usd_per_month is None
    assert found.today_usd_per_month > served().baseline.cost_usd_per_month
    assert {one.after_usd_per_month for one in found.items} == {None}


def test_several_services_say_whose_each_line_is():
    two = [{**CHAT, "name": name, "lifecycle": {"training": LIFE["training"]}} for name in ("a", "b")]
    found = bill(two, WITHIN)
    assert [one.service for one in found.items if one.key == "training"] == ["a", "b"]
    assert {"a: fine-tuning", "b: fine-tuning"} <= {one.what for one in found.left_out}


def test_a_recommendation_carries_the_bill_where_a_lifecycle_is_stated():
    assert served().bill is None
    found = recommend({**CHAT, "lifecycle": LIFE}, WITHIN)
    assert found.plan == served().plan
    assert found.bill.today_usd_per_month == whole().today_usd_per_month
    assert Recommendation.model_validate_json(found.model_dump_json()).bill == found.bill


def export(folder: Path, *charges: dict[str, str]) -> Path:
    path = folder / "export.csv"
    common = {
        "ChargePeriodStart": "2026-09-01 00:00:00",
        "ChargePeriodEnd": "2026-10-01 10:00:00",  # 730 hours
        "ChargeCategory": "Usage",
        "PricingCategory": "Standard",
        "ServiceCategory": "Compute",
        "ConsumedUnit": "Hours",
        "ConsumedQuantity": "0",
        "ChargeDescription": "",
    }
    rows = [{**common, **charge} for charge in charges]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*common, "BilledCost", "ServiceName"], restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_bill_as_predicted_has_no_difference(tmp_path):
    predicted = whole({"storage": LIFE["storage"], "network": LIFE["network"]})
    serving = str(served().baseline.machines_usd_per_month)
    stored = (
        item(predicted, "datasets").today_usd_per_month + item(predicted, "checkpoints").today_usd_per_month
    )
    moved = (
        item(predicted, "egress").today_usd_per_month + item(predicted, "inter-region").today_usd_per_month
    )
    path = export(
        tmp_path,
        {"BilledCost": serving, "ConsumedQuantity": "730", "ChargeDescription": "p5.48xlarge Hour"},
        {"BilledCost": str(stored), "ConsumedUnit": "GB-Months", "ServiceCategory": "Storage"},
        {"BilledCost": str(moved), "ConsumedUnit": "GB", "ChargeDescription": "data transfer out"},
        {"BilledCost": "5", "ServiceCategory": "Databases"},
    )
    actual = whole({"storage": LIFE["storage"], "network": LIFE["network"]}, focus=read_focus(path)).actual
    differences = {line.line: line.difference_usd_per_month for line in actual.lines}
    assert differences.pop("other") is None
    assert (
        dict.fromkeys(("compute-on-demand", "storage", "network"), pytest.approx(0.0, abs=1e-6))
        == differences
    )
    (machine,) = actual.machines
    assert (machine.billed_hours, machine.predicted_hours) == pytest.approx((730.0, 730.0))
    assert json.loads(actual.model_dump_json())["billed_usd_per_month"] == pytest.approx(
        float(serving) + stored + moved + 5
    )
