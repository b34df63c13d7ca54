"""Services of a fleet evaluated elsewhere: the same answer, only what is needed comes back, and mishaps in plain words."""

from __future__ import annotations

import os
import pickle
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

from advisor import InputError, Requirements, Workload, recommend
from advisor.alike import Alike
from advisor.catalog import Catalog
from advisor.cli.executors import executor_named
from advisor.evaluating import Workers, condensed
from advisor.plans import Plans
from advisor.preparation import prepared
from advisor.registry import installed_strategies
from advisor.sharing import shared_terms
from tests.builders import a_workload

ASKED = Requirements(
    max_accuracy_loss="1%", allow_instances=["g4dn.xlarge"], without=["pruning", "adaptive_inference"]
)


def a_fleet(services: int) -> list[Workload]:
    return [
        a_workload(name=f"s{number:02d}", traffic={"requests_per_s": 200.0 + 150.0 * number})
        for number in range(services)
    ]


class Backwards(Executor):
    """Does what it is given when it is shut down, the last first: the order of arrival must not matter."""

    def __init__(self) -> None:
        self.given: list[tuple[Future[Any], Any, Any]] = []

    def submit(self, call: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        self.given.append((done, call, arguments))
        if len(self.given) == 3:
            for future, what, those in reversed(self.given):
                future.set_result(what(*those))
        return done


def test_threads_and_any_order_of_arrival_give_the_same_answer() -> None:
    fleet = a_fleet(18)
    here = recommend(fleet, ASKED)
    with ThreadPoolExecutor(2) as threads:
        assert recommend(fleet, ASKED, executor=threads) == here
    assert [one.name for one in here.require().plan.services] == [one.name for one in fleet]  # type: ignore[union-attr]


def test_work_that_arrives_backwards_is_put_in_order() -> None:
    assert list(range(3)) == Workers(Backwards()).mapped(lambda part: part, [[0], [1], [2]], count=3)


def test_processes_give_the_same_answer_and_say_how_far_they_are() -> None:
    fleet, told = a_fleet(18), []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        there = recommend(
            fleet, ASKED, executor=processes, progress=lambda done, count: told.append((done, count))
        )
    assert there == recommend(fleet, ASKED)
    assert (18, 18) == told[-1]


def test_a_worker_that_dies_is_an_error_in_words() -> None:
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes,
        pytest.raises(InputError, match=r"worker stopped.*fewer workers"),
    ):
        Workers(processes).mapped(os._exit, [3, 3], count=2)  # type: ignore[arg-type,type-var]


def test_what_comes_back_of_a_service_is_small_and_complete() -> None:
    one = prepared(
        Workload.load("large-llm"),
        Requirements(max_accuracy_loss="1%"),
        Catalog.load(),
        installed_strategies(),
        alone=False,
    )
    shared = shared_terms(Requirements(), one.terms.objective)
    small = condensed(one, shared)
    assert small.evaluation.candidates.count == one.evaluation.candidates.count > 100_000
    assert len(small.plans) < len(one.plans) / 4
    assert small.plans.cost_usd_per_month.min() == one.plans.cost_usd_per_month.min()
    assert len(pickle.dumps(small.evaluation.engines)) < len(pickle.dumps(one.evaluation.engines)) / 20


@pytest.mark.parametrize("name", ["many", "0", "-3", "1.5"])
def test_an_unknown_executor_is_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(InputError, match=r"--executor.*serial, threads, processes"), executor_named(name):
        pass


def test_services_alike_share_the_work_and_differ_in_nothing() -> None:
    catalog, strategies, alike = Catalog.load(), installed_strategies(), Alike()
    for one in (*a_fleet(2), a_workload(name="bursty", traffic={"requests_per_s": 90.0, "arrival_cv": 2.0})):
        shared = prepared(one, ASKED, catalog, strategies, alone=False, alike=alike)
        own = prepared(one, ASKED, catalog, strategies, alone=False)
        for name in Plans.__dataclass_fields__:
            assert (getattr(shared.plans, name) == getattr(own.plans, name)).all(), name
        assert shared.before.plan.cost_usd_per_month == own.before.plan.cost_usd_per_month
        assert shared.evaluation.workload.name == one.name
    assert len(alike.known) == 4  # candidates and today's deployment, of two kinds of services
