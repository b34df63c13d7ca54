"""The recipes of the README for MLflow, Dagster and a model registry, against the real things."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from advisor import InfeasibleError, Recommendation, Requirements, recommend
from advisor.examples import example_text

README = Path(__file__).resolve().parents[2] / "README.md"
PLAN = recommend("small-cnn", Requirements(max_accuracy_loss="1%"))


def recipe(name: str) -> dict[str, Any]:
    """What a recipe of the README defines."""
    blocks = re.findall(
        r"^```python\n(# .*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    (block,) = [block for block in blocks if block.startswith(f"# {name}")]
    defined: dict[str, Any] = {}
    exec(compile(block, f"README, {name}", "exec"), defined)  # noqa: S102 - our own
    return defined


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real tracking server with its registry on loopback."""
    pytest.importorskip("mlflow", reason="needs pip install 'inference-advisor[mlops]'")
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder / "artefacts")),
    ]  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            for _ in range(600):
                with suppress(OSError), urlopen(f"{address}/health", timeout=2) as reply:  # noqa: S310 - this machine
                    if reply.status == 200:
                        break
                time.sleep(0.2)
            else:
                pytest.fail("mlflow did not start within two minutes")
            yield address
        finally:
            os.killpg(process.pid, 15)


@pytest.mark.filterwarnings("ignore")  # of MLflow itself
def test_a_run_holds_parameters_metrics_and_the_report(tracking: str, tmp_path: Path) -> None:
    import mlflow

    mlflow.set_tracking_uri(tracking)
    run_id = recipe("MLflow")["log_plan"](PLAN)
    data = mlflow.get_run(run_id).data
    assert PLAN.plan is not None
    assert PLAN.plan.cost_usd_per_month == pytest.approx(data.metrics["cost_usd_per_month"])
    assert PLAN.provenance.inputs_digest == data.params["inputs"]
    changed = {c.strategy: c.option for c in PLAN.plan.services[0].choices if c.changed}
    assert changed.items() <= data.params.items()
    report = mlflow.artifacts.download_artifacts(
        run_id=run_id, artifact_path="report.html", dst_path=str(tmp_path)
    )
    assert "</html>" in Path(report).read_text(encoding="utf-8")
    stored = mlflow.artifacts.download_artifacts(
        run_id=run_id, artifact_path="plan.json", dst_path=str(tmp_path)
    )
    assert PLAN == Recommendation.model_validate_json(Path(stored).read_text(encoding="utf-8"))


@pytest.mark.filterwarnings("ignore")  # of MLflow itself
def test_a_model_version_is_promoted_only_while_its_plan_holds(tracking: str) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=tracking)
    client.create_registered_model("images")
    run = client.create_run("0")
    client.log_text(run.info.run_id, "weights", "model/weights.txt")
    source = f"{run.info.artifact_uri}/model"
    version = client.create_model_version("images", source=source, run_id=run.info.run_id).version
    promote = recipe("Model registry")["promote"]
    broken = json.loads(PLAN.model_dump_json())
    broken["inputs"]["requirements"]["max_accuracy_loss"] = "0.01%"
    with pytest.raises(RuntimeError, match="accuracy"):
        promote(client, "images", version, Recommendation.model_validate(broken))
    assert "infeasible" == client.get_model_version("images", version).tags["serving_plan"]
    assert {} == dict(client.get_registered_model("images").aliases)
    promote(client, "images", version, PLAN)
    assert "best" == client.get_model_version("images", version).tags["serving_plan"]
    assert version == client.get_model_version_by_alias("images", "champion").version


@pytest.mark.filterwarnings("ignore")  # of Dagster itself
def test_an_asset_is_the_recommendation_and_fails_where_nothing_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dagster = pytest.importorskip("dagster", reason="needs pip install 'inference-advisor[mlops]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    serving_plan = recipe("Dagster")["serving_plan"]
    (tmp_path / "advisor.yaml").write_text(example_text("small-cnn"))
    done = dagster.materialize([serving_plan])
    assert done.success
    assert PLAN.plan == done.output_for_node("serving_plan").plan
    (tmp_path / "advisor.yaml").write_text(
        example_text("small-cnn").replace("latency_p99: 100ms", "latency_p99: 1us")
    )
    with pytest.raises(InfeasibleError):
        dagster.materialize([serving_plan])
