"""Services of a fleet evaluated elsewhere: the same answer, only what is needed comes back, and mishaps in plain words."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from advisor import InputError, Requirements, Workload, recommend
from advisor.alike import Alike
from advisor.catalog import Catalog
from advisor.cli.executors import executor_named
from advisor.cli.output import solving_words
from advisor.evaluating import Workers, condensed
from advisor.plans import Plans
from advisor.preparation import prepared
from advisor.registry import installed_strategies
from advisor.sharing import shared_terms
from advisor.solver import SolverSettings
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


def test_a_worker_that_dask_gives_up_on_is_an_error_in_words() -> None:
    class KilledWorker(Exception):
        pass

    def lost(batch: list[int]) -> list[int]:
        raise KilledWorker("three workers died")

    with (
        ThreadPoolExecutor(1) as threads,
        pytest.raises(InputError, match=r"worker stopped.*three workers died.*fewer workers"),
    ):
        Workers(threads).mapped(lost, [[0], [1]], count=2)


def test_a_plan_that_was_interrupted_says_how_far_it_is_proven() -> None:
    def interrupt(best: float, bound: float) -> None:
        if best < float("inf"):
            raise KeyboardInterrupt

    found = recommend(a_fleet(3), ASKED, solver=SolverSettings(observer=interrupt))
    assert "feasible" == found.status
    assert found.plan is not None
    assert found.solver.gap_ratio is not None
    assert found.warnings[0] == f"Stopped by you: proven to {100 * found.solver.gap_ratio:.2g} %."


def test_an_interrupt_while_evaluating_ends_in_one_line_and_code_130(tmp_path: Path) -> None:
    for one in a_fleet(2):
        (tmp_path / f"{one.name}.json").write_text(one.model_dump_json(exclude_unset=True))
    when = "import os, signal, advisor.evaluating as e; e._evaluated = lambda _: os.kill(os.getpid(), signal.SIGINT)"
    asked = ["recommend", *sorted(str(path) for path in tmp_path.glob("*.json")), "--executor", "serial"]
    ended = subprocess.run(
        [sys.executable, "-c", f"{when}; from advisor.cli import main; main()", *asked],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 130 == ended.returncode
    assert "" == ended.stdout
    assert "advisor: interrupted before there was an answer\n" == ended.stderr


@pytest.mark.parametrize(
    ("best", "words"),
    [
        (float("inf"), "Solving: no plan is below $1,980 a month ..."),
        (2000.0, "Solving: best $2,000 a month, none below $1,980, gap 1 % ..."),
    ],
)
def test_a_terminal_shows_how_far_the_solver_is(best: float, words: str) -> None:
    assert words == solving_words(best, 1980.0)


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
    bursty = a_workload(name="bursty", traffic={"requests_per_s": 90.0, "arrival_cv": 2.0})
    longer = a_workload(name="longer", traffic={"requests_per_s": 90.0}, requests={"image_size_px": 320})
    for one in (*a_fleet(2), bursty, longer):
        shared = prepared(one, ASKED, catalog, strategies, alone=False, alike=alike)
        own = prepared(one, ASKED, catalog, strategies, alone=False)
        for name in Plans.__dataclass_fields__:
            assert (getattr(shared.plans, name) == getattr(own.plans, name)).all(), name
        assert shared.before.plan.cost_usd_per_month == own.before.plan.cost_usd_per_month
        assert shared.evaluation.workload.name == one.name
    alone = [evaluation.losses for _, evaluation in alike.known.values()]
    assert len({id(losses) for losses in alone}) == 2  # all candidates and today's, whatever the requests
