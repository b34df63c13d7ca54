"""A stored plan checked against other prices, traffic, limits and evidence."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from advisor import Catalog, InputError, Recommendation, Requirements, Workload, recommend
from advisor.checking import CheckResult, check
from advisor.checking.sarif import as_sarif
from advisor.checking.words import as_junit, as_markdown, as_table
from advisor.examples import example_text
from tests.builders import AStrategy, a_workload, an_option

GOLDEN = Path(__file__).parent / "golden"
ONE_PERCENT = Requirements(max_accuracy_loss="1%")
FEW = [
    AStrategy("faster", (an_option("on", throughput_ratio=2.0, engineer_hours=10.0),)),
    AStrategy("buying", (an_option("year", purchase="reserved-1y", engineer_hours=8.0),)),
]


@cache
def images() -> Recommendation:
    return recommend("small-cnn", ONE_PERCENT)


def prices(**usd_per_h: float) -> Catalog:
    catalog = Catalog.load()
    for name, price in usd_per_h.items():
        catalog = catalog.with_price(
            name.replace("_", "."), price, purchase="on-demand", provider="aws", region="us-east-1"
        )
    return catalog


def changed(**sections: Any) -> Workload:
    """The example's workload with some keys of its sections changed."""
    fields = Workload.load("small-cnn").model_dump(mode="json", exclude_unset=True)
    for name, values in sections.items():
        fields[name] = {**fields[name], **values}
    return Workload.load(fields)


class TestStillBest:
    @pytest.mark.parametrize("example", ["small-cnn", "medium-transformer", "large-llm"])
    def test_a_plan_checked_at_once_is_best_and_costs_what_it_did(self, example: str) -> None:
        plan = recommend(example, ONE_PERCENT)
        result = check(plan)
        assert ("best", 0) == (result.status, result.exit_code)
        assert plan.plan is not None
        assert plan.plan.cost_usd_per_month == pytest.approx(result.cost_usd_per_month)
        assert (0.0, 0.0) == (result.saving_usd_per_month, result.switching_cost_usd)
        assert () == result.changes

    def test_a_stored_file_gives_the_same_result(self, tmp_path: Path) -> None:
        path = tmp_path / "plan.json"
        path.write_text(images().model_dump_json(indent=2))
        assert check(images()) == check(path)

    def test_the_inputs_of_a_plan_give_the_plan_again(self) -> None:
        inputs = images().inputs
        assert inputs is not None
        again = recommend(dict(inputs.services[0].workload), Requirements.load(inputs.requirements))
        assert images().plan == again.plan
        assert images().provenance == again.provenance

    def test_more_traffic_gets_more_replicas_and_the_plan_stays(self) -> None:
        twice = [2 * rate for rate in Workload.load("small-cnn").traffic.requests_per_s]  # type: ignore[union-attr]
        result = check(images(), changed(traffic={"requests_per_s": twice}))
        (service,) = result.services
        assert 2 == service.replicas_peak_stored
        assert 4 == service.replicas_peak
        assert any("replicas at the peak: 2 -> 4" in line for line in result.changes)

    def test_prices_that_rise_for_all_plans_alike_are_no_drift(self) -> None:
        here = Requirements(allow_instances=("g4dn.xlarge",))
        plan = recommend(a_workload(), here, strategies=FEW[:1])
        result = check(plan, strategies=FEW[:1], catalog=prices(g4dn_xlarge=5.0))
        assert "best" == result.status
        assert result.cost_usd_per_month is not None
        assert result.cost_usd_per_month > 5 * result.stored_usd_per_month
        assert any(line.startswith("cost a month: ") for line in result.changes)


class TestRecord:
    def test_a_plan_says_what_made_it(self) -> None:
        made_by = images().provenance
        assert {"python", "pulp", "highspy", "numpy"} == set(made_by.versions)
        assert re.match(r"\d{4}-\d\d-\d\d\+", made_by.catalog_version)
        assert (64, 64, 0) == (len(made_by.inputs_digest), len(made_by.workload_digest), made_by.seed)

    def test_inputs_that_were_edited_afterwards_are_noticed(self) -> None:
        stored = json.loads(images().model_dump_json())
        stored["inputs"]["requirements"]["max_accuracy_loss"] = "2%"
        result = check(Recommendation.model_validate(stored))
        assert any("was changed after the plan was made" in note for note in result.notes)
        assert not any("was changed" in note for note in results()[0].notes)

    def test_another_limit_is_another_record(self) -> None:
        other = recommend("small-cnn", Requirements(max_accuracy_loss="2%")).provenance
        assert images().provenance.workload_digest == other.workload_digest
        assert images().provenance.inputs_digest != other.inputs_digest


class TestDrift:
    def test_a_dear_machine_makes_a_cheaper_plan_pay_the_switch(self) -> None:
        result = check(images(), catalog=prices(g4dn_xlarge=3.0))
        assert ("drifted", 4) == (result.status, result.exit_code)
        assert result.saving_over_horizon_usd > result.switching_cost_usd
        assert "g4dn.xlarge" != result.services[0].fresh_instance_type
        assert result.saving_over_horizon_usd == pytest.approx(12 * result.saving_usd_per_month)

    def test_the_switching_cost_is_that_of_the_options_the_plan_has_not_got(self) -> None:
        # Without strategies a plan keeps today's engine; with them one option of 10 hours at 120 USD is new.
        plan = recommend(
            a_workload(traffic={"requests_per_s": 3000}),
            strategies=FEW[:1],
            requirements=Requirements(without=("faster",), allow_instances=("g4dn.xlarge",)),
        )
        result = check(plan, strategies=FEW[:1], requirements=Requirements(allow_instances=("g4dn.xlarge",)))
        assert "drifted" == result.status
        assert 1200.0 == result.switching_cost_usd
        assert ("faster=on",) == result.services[0].fresh_choices

    def test_a_switch_that_costs_more_than_it_saves_is_no_drift(self) -> None:
        slow = [AStrategy("faster", (an_option("on", throughput_ratio=2.0, engineer_hours=1e5),))]
        only = Requirements(allow_instances=("g4dn.xlarge",))
        busy = a_workload(traffic={"requests_per_s": 3000})
        plan = recommend(busy, only, strategies=slow)
        result = check(plan, requirements=only, strategies=slow)
        assert "best" == result.status

    def test_a_saving_within_the_tolerance_is_no_drift(self) -> None:
        catalog = prices(g4dn_xlarge=3.0)
        share = (
            1.0
            - check(images(), catalog=catalog).fresh_running_usd_per_month
            / check(images(), catalog=catalog).running_usd_per_month
        )  # type: ignore[operator]
        assert "best" == check(images(), catalog=catalog, tolerance_ratio=min(1.5 * share, 0.99)).status
        assert "drifted" == check(images(), catalog=catalog, tolerance_ratio=share / 2).status

    def test_serving_that_already_follows_the_plan_is_no_drift(self) -> None:
        applied = changed(
            serving={"instances": 2, "precision": "int8", "max_batch": 64, "max_queue_delay_s": 0.0}
        )
        result = check(images(), applied)
        assert "best" == result.status
        assert any("taken to be the plan in service" in note for note in result.notes)


class TestInfeasible:
    def test_a_limit_that_no_number_of_replicas_keeps_breaks_the_plan(self) -> None:
        result = check(images(), changed(limits={"latency_p99_s": 0.0005}))
        assert ("infeasible", 3) == (result.status, result.exit_code)
        (broken,) = [row for row in result.requirements if not row.kept]
        assert "latency_p99" == broken.requirement
        assert None is result.cost_usd_per_month

    def test_a_plan_that_carries_nothing_is_never_called_feasible(self) -> None:
        for latency in ("50us", "3ms", "8ms"):
            for confidence in (None, "90%"):
                requirements = Requirements(
                    max_accuracy_loss="1%", latency={"latency_p99": latency}, confidence=confidence
                )
                result = check(images(), requirements=requirements)
                assert (result.cost_usd_per_month is None) <= (3 == result.exit_code)

    def test_a_confidence_that_the_evidence_does_not_give_breaks_the_plan(self) -> None:
        sure = Requirements(max_accuracy_loss="0.3%", confidence="99%")
        (broken,) = [row for row in check(images(), requirements=sure).requirements if not row.kept]
        assert "accuracy loss" == broken.requirement
        assert "asked 99%" in broken.reached

    def test_a_tighter_accuracy_limit_breaks_the_plan(self) -> None:
        result = check(images(), requirements=Requirements(max_accuracy_loss="0.01%"))
        assert ["accuracy loss"] == [row.requirement for row in result.requirements if not row.kept]
        assert 3 == result.exit_code
        assert result.fresh_usd_per_month is not None

    def test_a_budget_and_a_quota_are_checked(self) -> None:
        tight = Requirements(max_accuracy_loss="1%", budget="$100/month", quotas={"g4dn.xlarge": 1})
        broken = {row.requirement for row in check(images(), requirements=tight).requirements if not row.kept}
        assert {"cost budget a month", "quota of g4dn.xlarge"} == broken

    def test_a_strategy_that_is_not_installed_any_more_breaks_the_plan(self) -> None:
        plan = recommend(
            a_workload(traffic={"requests_per_s": 3000}),
            Requirements(allow_instances=("g4dn.xlarge",)),
            strategies=FEW[:1],
        )
        result = check(plan, strategies=[])
        assert "infeasible" == result.status
        assert "strategy 'faster' of the plan is not installed" in result.requirements[0].why

    def test_an_option_that_is_not_offered_any_more_breaks_the_plan(self) -> None:
        plan = recommend(
            a_workload(traffic={"requests_per_s": 3000}),
            Requirements(allow_instances=("g4dn.xlarge",)),
            strategies=FEW[:1],
        )
        other = [AStrategy("faster", (an_option("off", throughput_ratio=1.1),))]
        assert "faster=on is not offered" in check(plan, strategies=other).requirements[0].why


class TestFleets:
    def test_machines_bought_together_are_costed_together(self) -> None:
        day = [300.0] * 12 + [30.0] * 12
        services = [
            a_workload(name="day", traffic={"requests_per_s": day}),
            a_workload(name="night", traffic={"requests_per_s": day[::-1]}),
        ]
        plan = recommend(services, Requirements(only=("buying",)), strategies=FEW)
        assert plan.plan is not None
        result = check(plan, strategies=FEW)
        assert ("best", plan.plan.cost_usd_per_month) == (
            result.status,
            pytest.approx(result.cost_usd_per_month),
        )
        assert ["day", "night"] == [service.name for service in result.services]

    def test_a_workload_of_other_services_is_refused(self) -> None:
        plan = recommend([a_workload(name="a"), a_workload(name="b")], strategies=[])
        with pytest.raises(InputError, match="b is missing and c is new"):
            check(plan, [a_workload(name="a"), a_workload(name="c")], strategies=[])


@cache
def results() -> tuple[CheckResult, CheckResult]:
    return check(images()), check(images(), requirements=Requirements(max_accuracy_loss="0.01%"))


class TestWords:
    def test_junit_has_a_case_for_each_requirement_and_one_for_drift(self) -> None:
        good, bad = results()
        for result, failures in ((good, 0), (bad, 1)):
            suite = ElementTree.fromstring(as_junit(result)).find("testsuite")  # noqa: S314 - written by the test
            assert suite is not None
            assert (
                len(result.requirements) + 1 == len(suite.findall("testcase")) == int(suite.get("tests", ""))
            )
            assert failures == len(suite.findall("testcase/failure")) == int(suite.get("failures", ""))

    def test_junit_of_a_hostile_name_is_xml(self) -> None:
        hostile = results()[1].model_copy(update={"workload": 'a"<&>\x00\x08]]>\ud800'})
        assert ElementTree.fromstring(as_junit(hostile)).find("testsuite/testcase") is not None  # noqa: S314 - written by the test

    def test_junit_is_read_by_a_reader_of_ci(self) -> None:
        junitparser = pytest.importorskip("junitparser", reason="the extra `test` is not installed")
        for result, failures in zip(results(), (0, 1), strict=True):
            found = junitparser.JUnitXml.fromstring(as_junit(result).encode())
            assert (failures, len(result.requirements) + 1) == (found.failures, found.tests)

    def test_sarif_keeps_its_schema_and_names_what_is_wrong(self) -> None:
        schema = json.loads((GOLDEN / "sarif-schema-2.1.0.json").read_text())
        drifted = check(images(), catalog=prices(g4dn_xlarge=3.0))
        hostile = results()[1].model_copy(update={"workload": 'a"<&>\x00\ud800'})
        found = {}
        for name, result in {
            "best": results()[0],
            "broken": results()[1],
            "drifted": drifted,
            "hostile": hostile,
        }.items():
            log = json.loads(as_sarif(result, "plans/my plan.json"))
            jsonschema.Draft4Validator(schema).validate(log)
            found[name] = [(row["ruleId"], row["level"]) for row in log["runs"][0]["results"]]
        assert [] == found["best"]
        assert [("plan-breaks-requirement", "error")] == found["broken"] == found["hostile"]
        assert [("plan-drifted", "warning")] == found["drifted"]

    def test_the_fingerprint_of_a_result_stays_when_its_number_changes(self) -> None:
        prints = [
            json.loads(as_sarif(check(images(), catalog=prices(g4dn_xlarge=price)), "p.json"))["runs"][0][
                "results"
            ][0]
            for price in (3.0, 3.1)
        ]
        assert prints[0]["partialFingerprints"] == prints[1]["partialFingerprints"]
        assert prints[0]["message"] != prints[1]["message"]
        assert "p.json" == prints[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]

    def test_markdown_of_a_hostile_name_stays_in_its_cell(self) -> None:
        service = results()[0].services[0].model_copy(update={"name": "a|b\n<script>`x`"})
        text = as_markdown(results()[0].model_copy(update={"services": (service,), "workload": "<b>\n# x"}))
        assert "<script>" not in text
        assert "<b>" not in text
        (row,) = [line for line in text.splitlines() if "a\\|b" in line]
        assert 4 == row.replace("\\|", "").count("|")

    def test_every_form_states_the_verdict_first(self) -> None:
        for result, verdict in zip(results(), ("still best", "no longer feasible"), strict=True):
            assert verdict in as_table(result).splitlines()[0]
            assert verdict in as_markdown(result).splitlines()[0]

    def test_a_result_survives_json(self) -> None:
        for result in results():
            assert result == CheckResult.model_validate_json(result.model_dump_json())


class TestCommand:
    def test_a_newcomers_walk_ends_in_drift(self, tmp_path: Path) -> None:
        (tmp_path / "advisor.yaml").write_text(example_text("small-cnn"))
        (tmp_path / "dear.csv").write_text(
            "provider,region,name,on_demand_usd_per_h\naws,us-east-1,g4dn.xlarge,3\n"
        )
        (tmp_path / "tight.yaml").write_text(
            example_text("small-cnn").replace("latency_p99: 100ms", "latency_p99: 1ms")
        )
        assert (
            0
            == advisor(
                "recommend", "advisor.yaml", "--max-accuracy-loss", "1%", "-o", "plan.json", cwd=tmp_path
            ).returncode
        )
        assert 0 == advisor("check", "plan.json", "--workload", "advisor.yaml", cwd=tmp_path).returncode
        drifted = advisor(
            "check", "plan.json", "--catalog", "dear.csv", "--format", "json", "-o", "check.xml", cwd=tmp_path
        )
        assert (4, "drifted") == (drifted.returncode, json.loads(drifted.stdout)["status"])
        assert "testsuites" == ElementTree.parse(tmp_path / "check.xml").getroot().tag  # noqa: S314 - written by the test
        assert 3 == advisor("check", "plan.json", "--workload", "tight.yaml", cwd=tmp_path).returncode

    def test_a_flag_replaces_one_limit_of_the_plan(self, tmp_path: Path) -> None:
        (tmp_path / "plan.json").write_text(images().model_dump_json())
        flags = ("--latency-p95", "1us", "--format", "json", "-o", "check.sarif")
        done = advisor("check", "plan.json", *flags, cwd=tmp_path)
        broken = {row["requirement"] for row in json.loads(done.stdout)["requirements"] if not row["kept"]}
        kept = {row["requirement"] for row in json.loads(done.stdout)["requirements"] if row["kept"]}
        assert (3, {"latency_p95"}) == (done.returncode, broken)
        assert {"accuracy loss", "latency_p99"} <= kept
        sarif = json.loads((tmp_path / "check.sarif").read_text())
        assert 1 == len(sarif["runs"][0]["results"])

    @pytest.mark.parametrize(
        "arguments", [("nothing.json",), ("plan.json", "--tolerance", "lots"), ("plan.json", "-o", "x.pdf")]
    )
    def test_wrong_input_ends_with_2_and_words(self, tmp_path: Path, arguments: tuple[str, ...]) -> None:
        (tmp_path / "plan.json").write_text(images().model_dump_json())
        done = advisor("check", *arguments, cwd=tmp_path)
        assert (2, "") == (done.returncode, done.stdout)
        assert "Traceback" not in done.stderr


def advisor(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "advisor", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
