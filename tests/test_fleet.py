"""Fleets: services that share machines, quotas and budgets."""

from __future__ import annotations

from itertools import product
from math import inf
from pathlib import Path

import numpy as np
import pytest

from advisor import InputError, Requirements, Workload, recommend
from advisor.catalog import Catalog
from advisor.fleet import Fleet
from advisor.formulation import formulate
from advisor.preparation import prepared
from advisor.sharing import shared_terms
from advisor.solver import evaluate
from tests.builders import AStrategy, a_workload, an_option

ONE_PERCENT = Requirements(max_accuracy_loss="1%")
FEW = [
    AStrategy("faster", (an_option("on", throughput_ratio=1.6, engineer_hours=40.0),)),
    AStrategy("buying", (an_option("year", purchase="reserved-1y", engineer_hours=8.0),)),
]


def a_service(name: str, rate: object, **changes: object) -> Workload:
    return a_workload(name=name, traffic={"requests_per_s": rate}, **changes)


def day(*, busy: int, rate: float) -> list[float]:
    return [rate if hour // 12 == busy else rate / 8.0 for hour in range(24)]


class TestDocument:
    def test_takes_what_differs_over_a_base(self) -> None:
        fleet = Fleet.load(
            [{"services": [{"name": "a", "base": "small-cnn", "traffic": {"requests_per_s": 12}}]}]
        )
        assert "a" == fleet.services[0].workload.name
        assert 12.0 == fleet.services[0].workload.traffic.requests_per_s
        assert "cnn" == fleet.services[0].workload.model.family

    def test_reads_files_relative_to_its_own_folder(self, tmp_path: Path) -> None:
        (tmp_path / "one.yaml").write_text(
            "name: one\nmodel: resnet50\ntraffic: {requests_per_s: 9}\nserving: {instance_type: g4dn.xlarge, provider: aws, region: us-east-1}\n"
        )
        (tmp_path / "fleet.yaml").write_text(
            "services:\n  - {name: x, base: one.yaml}\n  - {name: y, base: small-cnn}\n"
        )
        fleet = Fleet.load([tmp_path / "fleet.yaml"])
        assert ["x", "y"] == [service.workload.name for service in fleet.services]

    @pytest.mark.parametrize(
        ("services", "message"),
        [
            ([], "list of services"),
            ([{"name": "a", "base": "small-cnn"}, {"name": "a", "base": "small-cnn"}], "called 'a'"),
            ([{"name": "a", "base": "no-such-file.yaml"}], "no-such-file"),
            ([{"name": "a", "base": "small-cnn", "trafic": {}}], "trafic"),
            ([{"name": "a", "base": "small-cnn", "priority": 0}], "priority"),
            ([{"name": "a", "base": "small-cnn", "requirements": {"budgett": 1}}], "budgett"),
        ],
    )
    def test_says_what_is_wrong(self, services: list[object], message: str) -> None:
        with pytest.raises(InputError, match=message):
            Fleet.load([{"services": services}])

    def test_lines_the_hours_up_and_never_understates_a_load_curve(self) -> None:
        curve = a_service("curve", {"p50": 100, "p99": 400})
        fleet = Fleet.load([a_service("day", day(busy=1, rate=800.0)), curve]).aligned()
        rates = [[rate for rate, _ in service.workload.traffic.periods()] for service in fleet.services]
        assert [24, 24] == [len(hours) for hours in rates]
        assert max(rates[1]) == curve.traffic.peak_requests_per_s
        assert np.mean(rates[1]) >= curve.traffic.mean_requests_per_s
        assert rates[0].index(max(rates[0])) // 12 == rates[1].index(max(rates[1])) // 12


class TestPlan:
    def test_costs_no_more_than_the_services_by_themselves(self) -> None:
        services = [a_service("day", day(busy=0, rate=6000.0)), a_service("night", day(busy=1, rate=6000.0))]
        together = recommend(services, ONE_PERCENT).require()
        alone = [recommend(service, ONE_PERCENT).require() for service in services]
        assert together.plan is not None
        assert (
            together.plan.cost_usd_per_month
            <= sum(one.plan.cost_usd_per_month for one in alone if one.plan) + 1e-6
        )
        assert together.baseline.cost_usd_per_month == pytest.approx(
            sum(one.baseline.cost_usd_per_month for one in alone)
        )

    def test_shares_what_is_reserved_between_day_and_night(self) -> None:
        services = [a_service("day", day(busy=0, rate=9000.0)), a_service("night", day(busy=1, rate=9000.0))]
        only = [AStrategy("buying", (an_option("year", purchase="reserved-1y", scaling="reactive"),))]
        together = recommend(services, ONE_PERCENT, strategies=only).require()
        alone = sum(
            recommend(s, ONE_PERCENT, strategies=only).require().plan.cost_usd_per_month for s in services
        )  # type: ignore[union-attr]
        assert together.plan is not None
        assert together.plan.cost_usd_per_month < 0.95 * alone

    def test_keeps_a_quota_over_all_services(self) -> None:
        services = [a_service(name, 4000.0) for name in ("a", "b")]
        found = recommend(services, Requirements(max_accuracy_loss="1%", quotas={"g4dn.xlarge": 2})).require()
        assert found.plan is not None
        used = sum(
            service.instances_peak
            for service in found.plan.services
            if service.instance_type == "g4dn.xlarge"
        )
        assert used <= 2

    def test_more_quota_never_costs_more(self) -> None:
        services = [a_service(name, 4000.0) for name in ("a", "b")]
        costs = []
        for quota in (0, 1, 2, 4, 8):
            found = recommend(services, Requirements(max_accuracy_loss="1%", quotas={"g4dn.xlarge": quota}))
            costs.append(inf if found.plan is None else found.plan.cost_usd_per_month)
        assert sorted(costs, reverse=True) == costs

    def test_leaves_out_the_lowest_priority_where_money_is_short(self) -> None:
        fleet = {
            "services": [
                {"name": name, "base": "small-cnn", "priority": priority}
                for name, priority in (("first", 1), ("second", 2))
            ]
        }
        one = recommend("small-cnn", ONE_PERCENT).require().plan
        assert one is not None
        budget = f"${one.cost_usd_per_month * 1.2:.2f}/month"
        found = recommend(fleet, Requirements(max_accuracy_loss="1%", budget=budget)).require()
        assert found.plan is not None
        assert ["first"] == [service.name for service in found.plan.services]
        assert any("second" in warning for warning in found.warnings)

    def test_says_what_would_do_where_nobody_may_be_left_out(self) -> None:
        services = [a_service(name, 4000.0) for name in ("a", "b")]
        found = recommend(services, Requirements(max_accuracy_loss="1%", budget="$10/month"))
        assert "infeasible" == found.status
        assert found.conflict is not None
        assert found.conflict.best is not None
        assert ["cost"] == [miss.requirement for miss in found.conflict.best.misses]
        (repair,) = found.conflict.repairs
        rounded_up = Requirements(
            max_accuracy_loss="1%", budget_usd_per_month=repair.cost_usd_per_month + 0.01
        )
        again = recommend(services, rounded_up)
        assert again.plan is not None
        assert again.plan.cost_usd_per_month == pytest.approx(repair.cost_usd_per_month)


def test_the_plan_is_the_best_of_all_combinations() -> None:
    catalog = Catalog.load()
    for seed in range(3):
        rng = np.random.default_rng(seed)
        rates = rng.uniform(200.0, 7000.0, size=(2, 24))
        services = [
            a_service(name, [float(rate) for rate in row]) for name, row in zip("ab", rates, strict=True)
        ]
        quota = int(rng.integers(1, 9))
        requirements = Requirements(
            max_accuracy_loss="1%",
            allow_instances=["g4dn.xlarge", "g6.xlarge"],
            quotas={"g4dn.xlarge": quota},
        )
        ready = [prepared(service, requirements, catalog, FEW, alone=False) for service in services]
        program = formulate(
            [one.case for one in ready], shared_terms(requirements, ready[0].terms.objective)
        ).program
        best = inf
        for pair in product(*(service.columns for service in program.services)):
            choice = {
                service.name: column.name for service, column in zip(program.services, pair, strict=True)
            }
            solution = evaluate(program, choice)
            hourly = np.sum(
                [
                    np.array(counts)
                    for column in pair
                    for pool, counts in column.demand.items()
                    if "g4dn" in pool
                ]
                or [np.zeros(24)],
                axis=0,
            )
            if solution is not None and hourly.max() <= quota:
                best = min(best, solution.cost_usd_per_month)
        found = recommend(services, requirements, strategies=FEW)
        assert (inf if found.plan is None else found.plan.cost_usd_per_month) == pytest.approx(best, rel=1e-9)
