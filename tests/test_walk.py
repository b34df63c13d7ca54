"""A newcomer's walk: from the metrics of a running service to a plan, what to paste, a gate, and the day it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
pytest.importorskip("prometheus_client", reason="the exporter needs prometheus_client")
from metrics_exporter import Endpoint, VllmExporter, answering, served
from prometheus_server import prometheus

WINDOW = ("--window", "5s", "--step", "1s")


class LongRequests(VllmExporter):
    """The same service once its users paste whole documents."""

    def answer(self, requests: int = 1, *, input_tokens: float = 1500, output_tokens: float = 300) -> None:
        """Count requests ten times as long."""
        super().answer(requests, input_tokens=input_tokens, output_tokens=output_tokens)


@contextmanager
def watched(folder: Path, endpoint: Endpoint) -> Iterator[str]:
    """The address of a Prometheus that watches an engine."""
    with served(endpoint) as port, prometheus(folder, [port]) as (address, _):
        yield address


def test_observe_recommend_export_check_and_the_day_the_prompts_grow(tmp_path: Path) -> None:
    begin = time.monotonic()

    def advisor(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "advisor", *arguments],
            cwd=tmp_path,
            env={**os.environ, "NO_COLOR": "1", "NO_PROXY": "127.0.0.1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def passes(*arguments: str) -> str:
        done = advisor(*arguments)
        assert 0 == done.returncode, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    (tmp_path / "server").mkdir()
    engine = Endpoint(VllmExporter(), as_text=True)
    with watched(tmp_path / "server", engine) as address:
        observe = ("observe", "--prometheus", address, *WINDOW)
        with answering([engine], per_s=20):
            time.sleep(6)
            passes(*observe, "--instance", "g6e.xlarge", "--instances", "2", "-o", "advisor.yaml")
        passes("recommend", "advisor.yaml", "--max-accuracy-loss", "1%", "-o", "plan.json")
        passes("export", "plan.json", "--to", "deployment", "-o", "deployment.yaml")
        assert "still best" in passes("check", "plan.json", "--workload", "advisor.yaml")
        engine.exporter = LongRequests()
        with answering([engine], per_s=20):
            time.sleep(6)
            passes(*observe, "--update")
    drifted = advisor("check", "plan.json", "--workload", "advisor.yaml", "--format", "json")
    assert 4 == drifted.returncode, drifted.stdout
    found = json.loads(drifted.stdout)
    assert found["saving_over_horizon_usd"] > found["switching_cost_usd"]
    (workload,) = (line for line in found["changes"] if line.startswith("workload: "))
    assert "150 tokens in" in workload.partition(" -> ")[0]
    assert "1,500 tokens in" in workload.partition(" -> ")[2]
    documents = list(yaml.safe_load_all((tmp_path / "deployment.yaml").read_text()))
    plan = json.loads((tmp_path / "plan.json").read_text())["plan"]["services"][0]
    assert (
        plan["replicas_peak"] == next(d for d in documents if d["kind"] == "Deployment")["spec"]["replicas"]
    )
    assert time.monotonic() - begin < 120
