"""A stored plan against last period: traffic, bill and latencies, the error of each line, and the ledger that grows."""

from __future__ import annotations

import json
import multiprocessing
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from advisor import InputError, Recommendation, Requirements, Workload, calibrate, recommend
from advisor.auditing import Audit, add_to_ledger, audit, bias, read_ledger
from advisor.auditing.measured import measured_latencies
from advisor.auditing.period import mixed
from advisor.billing import read_focus
from advisor.billing.opencost import read_opencost
from advisor.cli import app
from advisor.performance.queueing import Latency

PLAIN = Requirements(max_accuracy_loss="1%", only=("batching", "accelerators"))


@cache
def plan() -> Recommendation:
    """A static plan of the language model: what it changes leaves the engine's arithmetic alone."""
    return recommend(Workload.load("large-llm"), PLAIN)


@cache
def following() -> Recommendation:
    """A plan whose replicas follow the traffic."""
    return recommend(
        Workload.load("large-llm"),
        Requirements(max_accuracy_loss="1%", only=("batching", "accelerators", "autoscaling")),
    )


def requests(path: Path, *, a_second: float, count: int) -> Path:
    arrivals = np.cumsum(np.random.default_rng(1).exponential(1.0 / a_second, count))
    lines = "\n".join(f"{moment:.4f},1000,200" for moment in arrivals.tolist())
    path.write_text(f"arrival_s,input_tokens,output_tokens\n{lines}")
    return path


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten requests a second for two hours, every prompt of 1000 tokens and every answer of 200."""
    return requests(tmp_path_factory.mktemp("trace") / "october.csv", a_second=10.0, count=72_000)


def opencost(folder: Path, **allocations: dict[str, object]) -> Path:
    path = folder / "opencost.json"
    window = {"start": "2026-10-01T00:00:00Z", "end": "2026-10-02T00:00:00Z"}
    data = [{name: {"name": name, **window, **costs} for name, costs in allocations.items()}]
    path.write_text(json.dumps({"code": 200, "data": data}))
    return path


def written(folder: Path, text: str, name: str = "measured.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def of(found: Audit, what: str) -> tuple[float | None, float | None, float | None]:
    (line,) = (line for line in found.lines if line.what == what)
    return line.planned, line.predicted, line.actual


class TestLines:
    def test_traffic_is_what_came_beside_what_was_expected(self, trace: Path) -> None:
        found = audit(plan(), trace)
        expected, _, came = of(found, "traffic, mean")
        assert expected == pytest.approx(Workload.load("large-llm").traffic.mean_requests_per_s)
        assert came == pytest.approx(10.0, rel=0.02)
        assert of(found, "prompt")[2] == pytest.approx(1000.0)
        assert found.requests == 72_000

    def test_a_static_plan_keeps_its_machines_and_one_that_follows_needs_fewer(self, trace: Path) -> None:
        planned, predicted, _ = of(audit(plan(), trace), "machine hours")
        assert planned == predicted
        planned, predicted, _ = of(audit(following(), trace), "machine hours")
        assert predicted is not None
        assert planned is not None
        assert predicted < planned

    def test_opencost_is_scaled_to_a_month_and_the_error_is_predicted_over_actual(
        self, trace: Path, tmp_path: Path
    ) -> None:
        """600 + 300 + 100 USD in a day are 30,417 USD in 730 hours."""
        path = opencost(
            tmp_path,
            chat={"cpuCost": 100.0, "gpuCost": 600.0, "ramCost": None, "pvCost": 24.0},
            __idle__={"gpuCost": 300.0},
        )
        found = audit(plan(), trace, bill=read_opencost(path), bill_file=path)
        (line,) = (line for line in found.lines if line.what == "machines")
        assert line.actual == pytest.approx(1000.0 / 24.0 * 730.0)
        assert line.predicted is not None
        assert line.error_ratio == pytest.approx(line.predicted / (1000.0 / 24.0 * 730.0) - 1.0)
        assert of(found, "storage") == (None, None, pytest.approx(730.0))
        assert any("covers 24 hours" in note for note in found.notes)

    def test_a_focus_bill_says_machine_hours_too(self, trace: Path, tmp_path: Path) -> None:
        """Two machines for a day at 50 USD an hour: 1,460 machine hours and 73,000 USD a month."""
        path = written(
            tmp_path,
            "ChargePeriodStart,ChargePeriodEnd,BilledCost,EffectiveCost,BillingCurrency,ChargeCategory,ServiceCategory,"
            "ServiceName,PricingCategory,ConsumedQuantity,ConsumedUnit,SkuMeter,ChargeDescription,ResourceType\n"
            "2026-10-01 00:00:00,2026-10-02 00:00:00,2400,2400,USD,Usage,Compute,Amazon EC2,Standard,48,Hours,"
            "BoxUsage:p5.48xlarge,p5.48xlarge on demand,Instance\n",
            "focus.csv",
        )
        found = audit(plan(), trace, bill=read_focus(path), bill_file=path)
        assert of(found, "machines")[2] == pytest.approx(73_000.0)
        assert of(found, "machine hours")[2] == pytest.approx(1460.0)

    def test_a_plan_that_predicts_itself_has_no_error(self, trace: Path, tmp_path: Path) -> None:
        first = audit(plan(), trace)
        seen = {line.what: line.predicted for line in first.lines if line.topic == "latency"}
        stated = ", ".join(f"{name}: {value}s" for name, value in seen.items())
        found = audit(plan(), trace, measured=written(tmp_path, f"latencies: {{{stated}}}"))
        errors = [line.error_ratio for line in found.lines if line.topic == "latency"]
        assert errors == pytest.approx([0.0] * len(seen), abs=1e-6)

    def test_replicas_that_cannot_keep_up_have_no_latency_and_a_note(self, tmp_path: Path) -> None:
        found = audit(plan(), requests(tmp_path / "rush.csv", a_second=2000.0, count=60_000))
        assert not [line for line in found.lines if line.topic == "latency"]
        assert any("not to keep up" in note for note in found.notes)


class TestMeasured:
    def test_latencies_are_read_from_what_people_have(self, tmp_path: Path) -> None:
        run = {
            "model_id": "m", "completed": 100, "total_input_tokens": 100_000, "total_output_tokens": 20_000, "request_rate": 2.0,
            "request_throughput": 1.98, "mean_ttft_ms": 120.0, "mean_tpot_ms": 20.0, "date": "20261001-000000",
        }  # fmt: skip
        results = written(tmp_path, json.dumps(run), "vllm.json")
        page = written(
            tmp_path,
            "# TYPE vllm:time_to_first_token_seconds histogram\n"
            'vllm:time_to_first_token_seconds_bucket{model_name="m",le="0.1"} 50\n'
            'vllm:time_to_first_token_seconds_bucket{model_name="m",le="0.5"} 100\n'
            'vllm:time_to_first_token_seconds_bucket{model_name="m",le="+Inf"} 100\n'
            'vllm:time_to_first_token_seconds_count{model_name="m"} 100\n'
            'vllm:time_to_first_token_seconds_sum{model_name="m"} 12\n'
            'vllm:num_requests_running{model_name="m"} 1\n'
            'vllm:request_success_total{model_name="m"} 100\n',
            "metrics.txt",
        )
        stated = written(tmp_path, "latencies: {ttft_p99: 900ms, latency_p50: 4s}")
        assert measured_latencies(results)["ttft_mean"] == pytest.approx(0.12)
        assert measured_latencies(page)["ttft_p50"] == pytest.approx(0.1)
        assert measured_latencies(stated) == {"latency_p50": 4.0, "ttft_p99": 0.9}

    @pytest.mark.parametrize("text", ["", "words", '{"a": 1}', "latencies: {ttft_p98: 1s}", "\x00\x01"])
    def test_anything_else_is_refused_in_words(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(InputError, match="latenc"):
            measured_latencies(written(tmp_path, text))


class TestMixture:
    def test_of_equal_hours_has_their_percentiles(self) -> None:
        hour = Latency(*(np.array([value, value]) for value in (1.1, 1.0, 2.0, 2.5, 4.0)))
        found = mixed(hour, np.array([0.3, 0.7]))
        assert [found[name] for name in ("mean", "p50", "p90", "p95", "p99")] == pytest.approx(
            [1.1, 1.0, 2.0, 2.5, 4.0], rel=5e-3
        )

    def test_of_a_quick_and_a_slow_hour_has_the_slow_tail(self) -> None:
        """A tenth of the requests is a hundred times slower: their median is the 95th percentile of all."""
        hours = Latency(*(np.array([value, 100.0 * value]) for value in (1.0, 1.0, 1.2, 1.3, 1.5)))
        found = mixed(hours, np.array([0.9, 0.1]))
        assert found["p95"] == pytest.approx(100.0, rel=1e-3)
        assert found["p50"] < 1.2
        assert found["mean"] == pytest.approx(0.9 + 10.0)


class TestOpenCost:
    def test_only_the_allocations_asked_for_count(self, tmp_path: Path) -> None:
        path = opencost(tmp_path, chat={"gpuCost": 5.0}, search={"gpuCost": 7.0})
        found = read_opencost(path, allocations=("CH*",))
        assert (found.usd, found.hours, found.excluded.cost) == (5.0, 24.0, 7.0)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("{", "not JSON"),
            ("[]", "no allocation answer"),
            ('{"data": [3]}', "no allocation answer"),
            ('{"data": [{"a": {"gpuCost": 1, "start": "soon", "end": "later"}}]}', "expected a time"),
            ('{"data": []}', "no allocation fits"),
        ],
    )
    def test_anything_else_is_refused_in_words(self, tmp_path: Path, text: str, words: str) -> None:
        with pytest.raises(InputError, match=words):
            read_opencost(written(tmp_path, text, "opencost.json"))


def _add(path: str, digest: str) -> None:
    one = Audit(
        advisor_version="1",
        service="s",
        plan_digest=digest,
        start=None,
        hours=1.0,
        requests=1,
        files=(),
        lines=(),
    )
    add_to_ledger(one, path)


class TestLedger:
    def test_grows_by_each_audit_once_and_never_changes(self, tmp_path: Path) -> None:
        path = tmp_path / "ledger.jsonl"
        for digest in ("a", "b", "a"):
            before = path.read_bytes() if path.exists() else b""
            _add(str(path), digest)
            assert path.read_bytes().startswith(before)
        assert [one.plan_digest for one in read_ledger(path)] == ["a", "b"]
        assert list(tmp_path.iterdir()) == [path]

    def test_loses_nothing_when_several_add_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "ledger.jsonl"
        context = multiprocessing.get_context("fork")
        workers = [context.Process(target=_add, args=(str(path), str(number))) for number in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert {one.plan_digest for one in read_ledger(path)} == set("012345")

    @pytest.mark.parametrize("line", ["{", "3", '{"kind": "other"}', '{"kind": "advisor audit"}', "\x00"])
    def test_that_is_none_is_left_alone_and_named_with_its_line(self, tmp_path: Path, line: str) -> None:
        path = written(tmp_path, f"{line}\n", "ledger.jsonl")
        with pytest.raises(InputError, match=r"ledger\.jsonl line 1"):
            _add(str(path), "a")
        assert path.read_text() == f"{line}\n"

    def test_feeds_calibration(self, trace: Path, tmp_path: Path) -> None:
        """A service that is 1.3 times slower than predicted makes the calibrated step slower."""
        first = audit(plan(), trace)
        (token,) = (line.predicted for line in first.lines if line.what == "tpot_p50")
        measured = written(tmp_path, f"latencies: {{tpot_p50: {1.3 * (token or 0.0)}s}}")
        found = audit(plan(), trace, measured=measured)
        path = tmp_path / "ledger.jsonl"
        add_to_ledger(found, path)
        (engine,) = calibrate(path).engines
        assert engine.factors["step"].ratio > 1.0
        assert engine.errors["tpot_p50_ms"].before == pytest.approx(1.0 - 1.0 / 1.3, abs=0.01)
        (one,) = bias(read_ledger(path))
        assert (one.what, one.bias_ratio) == ("tpot_p50", pytest.approx(1.0 / 1.3 - 1.0))


def test_the_command_prints_each_line_with_its_error_and_what_the_ledger_says(
    trace: Path, tmp_path: Path
) -> None:
    stored = written(tmp_path, plan().model_dump_json(), "plan.json")
    ledger, bill = tmp_path / "ledger.jsonl", opencost(tmp_path, chat={"gpuCost": 1500.0})
    options = ["--trace", str(trace), "--bill", str(bill), "-o", str(ledger)]
    done = CliRunner().invoke(app, ["audit", str(stored), *options])
    assert done.exit_code == 0
    assert "machines" in done.stdout
    assert "The ledger so far" in done.stdout
    assert "1 audit" in done.stderr
    markdown = CliRunner().invoke(app, ["audit", str(stored), *options, "--format", "markdown"])
    assert "| machines |" in markdown.stdout
    assert "has this audit already" in markdown.stderr
