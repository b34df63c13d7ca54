"""The workflow of the README, run as GitHub runs it: each step a script, and the exit code the verdict."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from advisor import Requirements, recommend
from advisor.examples import example_text

README = Path(__file__).resolve().parents[1] / "README.md"


def steps() -> list[dict[str, object]]:
    """The steps of the one job."""
    (block,) = re.findall(r"^```yml\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (job,) = yaml.safe_load(block)["jobs"].values()
    return list(job["steps"])


def runs(folder: Path) -> list[subprocess.CompletedProcess[str]]:
    """Every step that is a script and not the installation, with the shell and the variables of GitHub."""
    scripts = [str(step["run"]) for step in steps() if "run" in step]
    assert "pip install inference-advisor" in scripts[0]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment = {
        **os.environ,
        "PATH": path,
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "CI": "true",
    }
    return [
        subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )
        for script in scripts[1:]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "code", "verdict"), [("100ms", 0, "still best"), ("1ms", 3, "no longer feasible")]
)
def test_the_workflow_passes_while_the_plan_holds_and_fails_when_it_does_not(
    tmp_path: Path, limit: str, code: int, verdict: str
) -> None:
    plan = recommend("small-cnn", Requirements(max_accuracy_loss="1%"))
    (tmp_path / "plan.json").write_text(plan.model_dump_json())
    text = example_text("small-cnn").replace("latency_p99: 100ms", f"latency_p99: {limit}")
    (tmp_path / "advisor.yaml").write_text(text)
    (done,) = runs(tmp_path)
    assert code == done.returncode, done.stderr
    assert verdict in (tmp_path / "summary.md").read_text()
    results = json.loads((tmp_path / "check.sarif").read_text())["runs"][0]["results"]
    assert (1 if code else 0) == len(results)
    uploads = [step for step in steps() if "upload-sarif" in str(step.get("uses"))]
    assert [{"sarif_file": "check.sarif"}] == [step["with"] for step in uploads]
    assert ["always()"] == [step["if"] for step in uploads]
