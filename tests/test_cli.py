"""The command line: results on stdout, messages on stderr, exit codes, and no traceback whatever the input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ADVISOR = [sys.executable, "-m", "advisor"]


def run(*arguments: str, cwd: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "80"}
    return subprocess.run(
        [*ADVISOR, *arguments],
        cwd=cwd,
        env=environment,
        input=stdin or "",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


SMALL = ("recommend", "--example", "small-cnn", "--max-accuracy-loss", "1%")


class TestRecommend:
    def test_prints_json_alone_on_stdout_and_the_note_about_the_example_on_stderr(
        self, tmp_path: Path
    ) -> None:
        done = run(*SMALL, "--format", "json", cwd=tmp_path)
        assert 0 == done.returncode
        assert "optimal" == json.loads(done.stdout)["status"]
        assert "built-in example 'small-cnn'" in done.stderr

    def test_prints_every_format(self, tmp_path: Path) -> None:
        assert "optimal" == yaml.safe_load(run(*SMALL, "--format", "yaml", cwd=tmp_path).stdout)["status"]
        assert "|" in run(*SMALL, "--format", "markdown", cwd=tmp_path).stdout
        table = run(*SMALL, cwd=tmp_path).stdout
        assert max(len(line) for line in table.splitlines()) <= 80
        assert "\x1b[" not in table

    def test_writes_the_report_and_refuses_to_overwrite_it(self, tmp_path: Path) -> None:
        assert 0 == run(*SMALL, "-o", "report.html", cwd=tmp_path).returncode
        first = (tmp_path / "report.html").read_bytes()
        again = run(*SMALL, "-o", "report.html", cwd=tmp_path)
        assert 2 == again.returncode
        assert "--force" in again.stderr
        assert first == (tmp_path / "report.html").read_bytes()
        assert 0 == run(*SMALL, "-o", "report.html", "--force", cwd=tmp_path).returncode
        assert first == (tmp_path / "report.html").read_bytes()

    def test_uses_advisor_yaml_where_there_is_one(self, tmp_path: Path) -> None:
        text = run("example", "small-cnn", cwd=tmp_path).stdout
        (tmp_path / "advisor.yaml").write_text(text.replace("name: image-classification", "name: mine"))
        done = run("recommend", "--max-accuracy-loss", "1%", "--format", "json", cwd=tmp_path)
        assert "mine" == json.loads(done.stdout)["workload"]
        assert "example" not in done.stderr

    def test_says_what_would_work_and_exits_with_3_where_nothing_fits(self, tmp_path: Path) -> None:
        done = run(*SMALL, "--latency-p99", "0.1ms", "--format", "json", cwd=tmp_path)
        assert 3 == done.returncode
        found = json.loads(done.stdout)
        assert "infeasible" == found["status"]
        assert found["conflict"]["repairs"]

    def test_takes_a_price_file_of_ones_own(self, tmp_path: Path) -> None:
        (tmp_path / "mine.csv").write_text(
            "provider,region,name,on_demand_usd_per_h\naws,us-east-1,g4dn.xlarge,0.10\n"
        )
        done = run(*SMALL, "--catalog", "mine.csv", "--format", "json", cwd=tmp_path)
        assert 0 == done.returncode, done.stderr
        found = json.loads(done.stdout)
        count = found["baseline"]["services"][0]["instances_peak"]
        assert found["baseline"]["cost_usd_per_month"] == pytest.approx(count * 0.10 * 730)


BAD = [
    ("model: no-such-model", "no model 'no-such-model'"),
    ("traffic: {requests_per_s: -3}", "requests_per_s"),
    ("traffic: {requests_per_s: []}", "hourly values"),
    ("traffic: {requests_per_s: [1, 2, 3]}", "3 hourly values"),
    ("serving: {instance_type: g4dn.xlarge, provider: aws, region: us-east-1, price: .nan}", "price"),
    ("serving: {instance_type: g4dn.xlarg, provider: aws, region: us-east-1}", "did you mean"),
    ("traffik: {requests_per_s: 3}", "traffik"),
    ("limits: {latency_p99: 300}", "300ms"),
]
GOOD = {
    "model": "model: resnet50",
    "traffic": "traffic: {requests_per_s: 100}",
    "serving": "serving: {instance_type: g4dn.xlarge, provider: aws, region: us-east-1, precision: fp32}",
    "limits": "limits: {latency_p99: 100ms}",
}


class TestBadInput:
    @pytest.mark.parametrize(("line", "message"), BAD)
    def test_names_the_line_and_what_is_wrong(self, tmp_path: Path, line: str, message: str) -> None:
        key = line.partition(":")[0]
        (tmp_path / "w.yaml").write_text("\n".join({**GOOD, key: line}.values()) + "\n")
        done = run("recommend", "w.yaml", "--max-accuracy-loss", "1%", cwd=tmp_path)
        assert 2 == done.returncode, done.stdout
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        assert "" == done.stdout

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("model: resnet50\nmodel: resnet18\n", "model"),
            ("model: !!python/object/apply:os.system ['true']\n", "tag"),
            ("- a\n- b\n", "list"),
            ("", "empty"),
            ("model: [\n", "line"),
            ("\x00\x01\x02", ""),
        ],
    )
    def test_refuses_documents_that_are_none(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "w.yaml").write_text(text)
        done = run("recommend", "w.yaml", cwd=tmp_path)
        assert 2 == done.returncode
        assert message in done.stderr
        assert "Traceback" not in done.stderr

    def test_refuses_a_huge_file_at_once(self, tmp_path: Path) -> None:
        with (tmp_path / "w.yaml").open("wb") as file:
            file.truncate(100_000_000)
        done = run("recommend", "w.yaml", cwd=tmp_path)
        assert 2 == done.returncode
        assert "larger than" in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--max-accuracy-loss", "1 %%"], "1 %%"),
            (["--max-accuracy-loss", "1"], "1%"),
            (["--max-accuracy-loss", "1%", "--max-accuracy-loss", "2%"], "twice"),
            (["--ttft-p99", "fast"], "ttft"),
            (["--budget", "20k"], "budget"),
            (["--quota", "g4dn.xlarge"], "--quota"),
            (["--without", "prunning"], "did you mean 'pruning'"),
            (["--provider", "awss"], "did you mean"),
            (["--objective", "speed"], "objective"),
            (["--confidence", "2"], "confidence"),
            (["--solver", "nosuch"], "nosuch"),
            (["-o", "report.exe"], ".exe"),
            (["-o", "no/such/folder/report.html"], "folder"),
            (["--nonsense"], "nonsense"),
        ],
    )
    def test_refuses_a_wrong_flag_with_a_hint(
        self, tmp_path: Path, arguments: list[str], message: str
    ) -> None:
        done = run("recommend", "--example", "small-cnn", *arguments, cwd=tmp_path)
        assert 2 == done.returncode, done.stdout + done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        assert [] == list(tmp_path.iterdir())

    def test_escapes_html_in_names(self, tmp_path: Path) -> None:
        text = "\n".join([*GOOD.values(), "name: '</td><script>alert(1)</script>'"])
        (tmp_path / "w.yaml").write_text(text)
        done = run("recommend", "w.yaml", "--max-accuracy-loss", "1%", "-o", "r.html", cwd=tmp_path)
        assert 0 == done.returncode, done.stderr
        assert "<script>alert" not in (tmp_path / "r.html").read_text()


class TestOtherCommands:
    def test_an_example_printed_can_be_used(self, tmp_path: Path) -> None:
        (tmp_path / "w.yaml").write_text(run("example", "medium-transformer", cwd=tmp_path).stdout)
        assert 0 == run("recommend", "w.yaml", "--max-accuracy-loss", "1%", cwd=tmp_path).returncode

    def test_init_writes_a_document_that_can_be_used(self, tmp_path: Path) -> None:
        done = run(
            "init",
            "--model",
            "llama-3.1-8b",
            "--instance",
            "g6e.xlarge",
            "--instances",
            "3",
            "--requests-per-s",
            "4",
            cwd=tmp_path,
        )
        assert 0 == done.returncode, done.stderr
        assert 0 == run("recommend", "--max-accuracy-loss", "1%", cwd=tmp_path).returncode
        assert 2 == run("init", cwd=tmp_path).returncode

    def test_strategies_are_listed_and_shown_with_their_evidence(self, tmp_path: Path) -> None:
        listed = run("strategies", cwd=tmp_path).stdout
        assert all(
            name in listed
            for name in (
                "pruning",
                "quantization",
                "adaptive_inference",
                "batching",
                "autoscaling",
                "accelerators",
            )
        )
        shown = run("strategies", "quantization", cwd=tmp_path).stdout
        assert "int4-weights" in shown
        assert "QU-0407" in shown
        assert 2 == run("strategies", "quantisation", cwd=tmp_path).returncode

    def test_schemas_are_json(self, tmp_path: Path) -> None:
        for document in ("workload", "requirements", "recommendation"):
            assert "properties" in json.loads(run("schema", document, cwd=tmp_path).stdout)

    def test_help_needs_no_heavy_import(self, tmp_path: Path) -> None:
        code = "import sys; sys.argv = ['advisor', '--help']\nimport advisor.cli\ntry:\n advisor.cli.main()\nexcept SystemExit: pass\nprint(sorted({'numpy', 'pulp', 'pydantic', 'jinja2', 'yaml'} & set(sys.modules)))"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert "[]" == done.stdout.splitlines()[-1]

    def test_the_version_is_printed(self, tmp_path: Path) -> None:
        assert run("--version", cwd=tmp_path).stdout.startswith("advisor 0.")
