"""A fleet evaluated on a real Dask cluster of worker processes on this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from advisor import InputError, Requirements, Workload, recommend
from advisor.cli import app
from advisor.cli.executors import executor_named
from advisor.fleet import Fleet

distributed = pytest.importorskip("distributed", reason="needs pip install 'inference-advisor[dask]'")

ASKED = Requirements(max_accuracy_loss="1%", allow_instances=["g4dn.xlarge"], quotas={"g4dn.xlarge": 60})


def a_fleet(services: int) -> list[Workload]:
    base = Workload.load("small-cnn").model_dump(mode="json", exclude_unset=True)
    rates = [[300.0 + 20.0 * number + 40.0 * (hour % 7) for hour in range(24)] for number in range(services)]
    return [
        Workload.model_validate(base | {"name": f"s{number:02d}", "traffic": {"requests_per_s": hourly}})
        for number, hourly in enumerate(rates)
    ]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: Any) -> Iterator[Any]:
    with distributed.Client(cluster, set_as_default=False) as connected:
        yield connected


def test_a_fleet_planned_on_a_cluster_is_the_one_planned_here_though_a_worker_is_killed(client: Any) -> None:
    fleet = a_fleet(40)
    killed: list[int] = []

    def kill_a_worker_once_work_has_begun(done: int, count: int) -> None:
        if not killed and 0 < done < count:
            killed.extend(list(client.run(os.getpid).values())[:1])
            os.kill(killed[0], signal.SIGKILL)

    there = recommend(
        fleet, ASKED, executor=client.get_executor(), progress=kill_a_worker_once_work_has_begun
    )
    assert killed
    assert there == recommend(fleet, ASKED)
    assert there.status == "optimal"


def test_a_scheduler_that_is_not_there_is_named() -> None:
    with (
        pytest.raises(InputError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"),
        executor_named("tcp://127.0.0.1:9"),
    ):
        pass


def test_the_command_sends_a_fleet_to_the_scheduler_that_it_is_given(cluster: Any, tmp_path: Path) -> None:
    files = []
    for workload in a_fleet(9):
        files.append(tmp_path / f"{workload.name}.json")
        files[-1].write_text(workload.model_dump_json(exclude_unset=True))
    given = [*map(str, files), "--max-accuracy-loss", "1%", "--instance", "g4dn.xlarge", "--format", "json"]
    there = CliRunner().invoke(app, ["recommend", *given, "--executor", cluster.scheduler_address])
    here = CliRunner().invoke(app, ["recommend", *given, "--executor", "serial"])
    assert (there.exit_code, here.exit_code) == (0, 0), there.output + here.output
    assert there.stdout == here.stdout
    assert len(Fleet.load(files).services) == 9
