"""Traces of requests: every published layout is read, junk is named by its line, and the reduction says what it loses."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from advisor.cli import app
from advisor.errors import InputError
from advisor.traces import Trace, burstiness, read_trace, reading, reduction, summarize, traffic_from_trace
from advisor.traces.lazy import polars_trace
from advisor.traces.picture import html, terminal
from advisor.traffic import RateQuantiles
from advisor.workload import Workload

DAY_S = 86_400.0
AZURE = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    "2023-11-16 18:17:03.9799600,4808,10\n"
    "2023-11-16 18:17:04.0319601,3180,8\n"
    "2023-11-16 18:17:05.4799600,110,27\n"
)
BURST_GPT = (
    "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    "5,1,3.1,ChatGPT,472,18,490,Conversation log\n"
    "45,2,0.0,GPT-4,1087,0,1087,API log\n"
    "118,3,2.2,GPT-4,417,276,693,API log\n"
)
MOONCAKE = "\n".join(
    json.dumps({"timestamp": ms, "input_length": tokens, "output_length": 50, "hash_ids": blocks})
    for ms, tokens, blocks in ((0, 1500, [1, 2, 3]), (3052, 1124, [1, 2, 9]), (6000, 600, [7, 8]))
)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def evenly(count: int, *, duration_s: float) -> np.ndarray:
    return np.linspace(0.0, duration_s, count)


def a_trace(arrival_s: Sequence[float] | np.ndarray, *, start_posix_s: float | None = None) -> Trace:
    return Trace("a.csv", "generic", np.asarray(arrival_s, dtype=float), None, None, start_posix_s)


class TestLayouts:
    @pytest.mark.parametrize("name", ["code.csv", "code.csv.gz"])
    def test_azure_keeps_all_seven_digits_of_a_second(self, tmp_path: Path, name: str) -> None:
        found = read_trace(written(tmp_path, name, AZURE))
        assert "azure" == found.layout
        assert [0.0, 0.0520001, 1.5] == pytest.approx(found.arrival_s.tolist(), abs=1e-9)
        assert 1_700_158_623.97996 == pytest.approx(found.start_posix_s or 0.0, abs=1e-6)
        assert found.input_tokens is not None
        assert [4808.0, 3180.0, 110.0] == found.input_tokens.tolist()

    def test_burst_gpt_leaves_failures_out_and_counts_them(self, tmp_path: Path) -> None:
        found = read_trace(written(tmp_path, "burst.csv", BURST_GPT))
        assert ("burstgpt", 1) == (found.layout, found.failed)
        assert [0.0, 113.0] == found.arrival_s.tolist()
        assert "1 requests (33.3%)" in " ".join(summarize(found).notes)

    def test_mooncake_counts_milliseconds_and_finds_shared_prefixes(self, tmp_path: Path) -> None:
        """GIVEN two blocks of 512 tokens seen before, of 3,224 tokens THEN the share is 1024 / 3224."""
        found = read_trace(written(tmp_path, "mooncake.jsonl", MOONCAKE))
        assert [0.0, 3.052, 6.0] == pytest.approx(found.arrival_s.tolist())
        assert 1024 / 3224 == pytest.approx(found.prefix_share_ratio or 0.0)

    def test_a_plain_list_of_arrivals_is_enough(self, tmp_path: Path) -> None:
        found = read_trace(written(tmp_path, "cnn.csv", "arrival_s\n3\n1\n2\n"))
        assert [0.0, 1.0, 2.0] == found.arrival_s.tolist()
        assert {"traffic"} == set(summarize(found).workload_fields())

    def test_lines_in_any_order_give_the_same_trace(self, tmp_path: Path) -> None:
        head, *lines = AZURE.splitlines(keepends=True)
        back = read_trace(written(tmp_path, "back.csv", head + "".join(reversed(lines))))
        forth = read_trace(written(tmp_path, "forth.csv", AZURE))
        assert forth.arrival_s.tolist() == pytest.approx(back.arrival_s.tolist())
        assert forth.output_tokens is not None
        assert back.output_tokens is not None
        assert forth.output_tokens.tolist() == back.output_tokens.tolist()

    def test_rows_can_be_chosen_by_a_column(self, tmp_path: Path) -> None:
        path = written(tmp_path, "two.csv", "service,arrival_s\ncode,1\nchat,2\ncode,4\n")
        assert [0.0, 3.0] == read_trace(path, where={"service": "code"}).arrival_s.tolist()
        with pytest.raises(InputError, match="no column 'servce'"):
            read_trace(path, where={"servce": "code"})


class TestLargeTraces:
    """The lazy reader finds what the small one finds."""

    polars = pytest.importorskip("polars")

    @pytest.mark.parametrize("text", [AZURE, BURST_GPT, "arrival_s,input_tokens\n1.5,3\n0.5,4\n"])
    def test_both_readers_agree(self, tmp_path: Path, text: str) -> None:
        path = written(tmp_path, "same.csv", text)
        small, large = read_trace(path), polars_trace(path, {})
        assert small.arrival_s.tolist() == pytest.approx(large.arrival_s.tolist(), abs=1e-9)
        assert small.failed == large.failed
        assert summarize(small).workload_fields() == summarize(large).workload_fields()

    @pytest.mark.parametrize("zone", ["Z", "+00:00", "", "+0000", " UTC"])
    def test_dates_may_name_their_zone(self, tmp_path: Path, zone: str) -> None:
        path = written(
            tmp_path, "z.csv", f"timestamp\n2024-05-10T00:00:00.25{zone}\n2024-05-10T00:00:02{zone}\n"
        )
        for found in (read_trace(path), polars_trace(path, {})):
            assert [0.0, 1.75] == pytest.approx(found.arrival_s.tolist())
            assert 1_715_299_200.25 == found.start_posix_s

    def test_parquet_with_dates_is_read(self, tmp_path: Path) -> None:
        frame = self.polars.DataFrame(
            {"TIMESTAMP": [1_700_000_002_500, 1_700_000_000_000], "ContextTokens": [7, 9]}
        )
        dates = self.polars.col("TIMESTAMP").cast(self.polars.Datetime("ms"))
        frame.with_columns(dates).write_parquet(tmp_path / "t.parquet")
        found = read_trace(tmp_path / "t.parquet")
        assert [0.0, 2.5] == found.arrival_s.tolist()
        assert 1_700_000_000.0 == found.start_posix_s
        assert found.input_tokens is not None
        assert [9.0, 7.0] == found.input_tokens.tolist()

    def test_a_large_file_goes_to_the_lazy_reader(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reading, "SMALL_BYTES", 10)
        monkeypatch.setattr(reading, "SMALL_ROWS", 1)
        assert 3 == len(read_trace(written(tmp_path, "large.csv", AZURE)))

    def test_junk_is_named_by_its_line(self, tmp_path: Path) -> None:
        path = written(tmp_path, "junk.csv", AZURE.replace("3180", "many").replace("110,27", "110"))
        with pytest.raises(InputError) as caught:
            polars_trace(path, {})
        assert "junk.csv line 3: ContextTokens is 'many'" in str(caught.value)
        assert "junk.csv line 4: GeneratedTokens is missing" in str(caught.value)


class TestErrors:
    def test_without_polars_a_large_trace_says_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "polars", None)
        monkeypatch.setattr(reading, "find_spec", lambda name: None)
        monkeypatch.setattr(reading, "SMALL_ROWS", 2)
        for path in (written(tmp_path, "large.csv", AZURE), written(tmp_path, "t.parquet", "")):
            with pytest.raises(InputError, match=r"inference-advisor\[traces\]"):
                read_trace(path)

    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            (
                "a.csv",
                AZURE.replace("3180", "-1"),
                "line 3: ContextTokens is '-1'; expected a number of tokens",
            ),
            ("a.csv", AZURE.replace("2023-11-16 18:17:05.4799600", "noon"), "line 4: TIMESTAMP is 'noon'"),
            ("a.csv", AZURE.replace("110,27", "110"), "line 4: GeneratedTokens is missing"),
            ("a.csv", "arrival_s\n1\nnan\n2\n", "line 3: arrival_s is 'nan'"),
            ("a.csv", "when,tokens\n1,2\n", "no column holds the time of arrival"),
            ("a.csv", "arrival_s\n1\n", "holds 1 requests; expected at least 2"),
            ("a.csv", "arrival_s\n1\n1\n", "at different times"),
            ("a.csv", "", "no column holds the time"),
            ("a.jsonl", '{"arrival_s": 1}\n{"arrival_s": 2,}\n', "line 2"),
            ("a.jsonl", '{"arrival_s": 1}\n[2]\n', "line 2: expected one JSON object"),
            ("a.jsonl", '{"arrival_s": 1}\n{"at": 2}\n', "line 2: arrival_s is missing"),
            ("a.jsonl", '{"arrival_s": 1}\n{"arrival_s": [2]}\n', "line 2: arrival_s is '[2]'"),
            ("a.jsonl", "", "is empty"),
            ("a.txt", "arrival_s\n1\n2\n", "got the ending '.txt'"),
        ],
    )
    def test_junk_is_refused_with_its_place(self, tmp_path: Path, name: str, text: str, message: str) -> None:
        with pytest.raises(InputError) as caught:
            read_trace(written(tmp_path, name, text))
        assert message in str(caught.value)

    def test_a_broken_archive_and_a_missing_file_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "trace.csv.gz").write_bytes(b"no archive")
        with pytest.raises(InputError, match="cannot read"):
            read_trace(tmp_path / "trace.csv.gz")
        with pytest.raises(InputError, match=r"did you mean 'trace\.csv\.gz'"):
            read_trace(tmp_path / "trace.csv.g")


class TestReduction:
    def test_a_day_becomes_the_mean_rate_of_each_hour(self) -> None:
        """GIVEN two days with 3,600 requests in the first hour of each, and 7,200 in its second THEN 1, 2 and 0 a second."""
        hours = [evenly(3600 * rate, duration_s=3599.0) + hour * 3600.0 for hour, rate in enumerate((1, 2))]
        arrivals = np.sort(
            np.concatenate([part + day * DAY_S for day in (0, 1) for part in hours] + [[2 * DAY_S]])
        )
        found = summarize(a_trace(arrivals))
        assert isinstance(found.requests_per_s, tuple)
        assert (1.0, 2.0, 0.0) == pytest.approx(found.requests_per_s[:3], abs=1e-3)
        assert found.load_duration_error_ratio < 1e-3
        assert 0.0 == pytest.approx(found.replica_hours_error_ratio, abs=0.01)

    def test_hours_are_those_of_the_clock(self) -> None:
        """GIVEN a trace that starts on a Tuesday at 18:30 UTC THEN its first request is in hour 18 of the day."""
        start = 1_700_073_000.0  # 2023-11-15 18:30, a Wednesday
        found = summarize(a_trace([*evenly(1000, duration_s=100.0), 30 * 3600.0], start_posix_s=start))
        assert isinstance(found.requests_per_s, tuple)
        assert 18 == int(np.argmax(found.requests_per_s))
        week = summarize(a_trace([*evenly(1000, duration_s=100.0), 8 * DAY_S], start_posix_s=start))
        assert isinstance(week.requests_per_s, tuple)
        assert 2 * 24 + 18 == int(np.argmax(week.requests_per_s))
        assert "2023-11-15 18:30:00" == week.start

    def test_an_hour_covered_in_part_counts_the_part(self) -> None:
        """GIVEN 2 a second for 25.5 h THEN the half hour at the end does not halve the rate of its hour."""
        found = summarize(a_trace(evenly(int(2 * 25.5 * 3600), duration_s=25.5 * 3600.0)))
        assert isinstance(found.requests_per_s, tuple)
        assert [2.0] * 24 == pytest.approx(list(found.requests_per_s), rel=1e-3)

    def test_a_short_trace_becomes_quantiles_that_keep_its_peak(self) -> None:
        rng = np.random.default_rng(0)
        counts = rng.gamma(1.0, 300.0, 60).astype(int)
        arrivals = np.concatenate([np.sort(rng.random(n)) * 60.0 + 60.0 * at for at, n in enumerate(counts)])
        found = summarize(a_trace([0.0, *arrivals[1:-1], 3600.0]))
        assert isinstance(found.requests_per_s, RateQuantiles)
        assert found.peak_requests_per_s == pytest.approx(max(rate for rate, _ in found.periods), rel=1e-3)
        assert 0.0 < found.load_duration_error_ratio < 0.2
        assert any("shorter than a day" in note for note in found.notes)

    def test_growth_is_found_and_rates_are_those_of_the_end(self) -> None:
        """GIVEN 10 % more a week for twelve weeks THEN 51 % a month, and rates above the mean of the trace."""
        rng = np.random.default_rng(1)
        weeks = [
            np.sort(rng.random(int(2000 * 1.1**week))) * 7 * DAY_S + week * 7 * DAY_S for week in range(12)
        ]
        found = summarize(a_trace(np.concatenate([*weeks, [12 * 7 * DAY_S]])))
        assert 1.1 ** (730 / 168) - 1 == pytest.approx(found.growth_per_month_ratio or 0.0, rel=0.1)
        assert isinstance(found.requests_per_s, tuple)
        assert float(np.mean(found.requests_per_s)) > 1.5 * found.mean_requests_per_s
        assert "growth_per_month" in found.workload_fields()["traffic"]

    def test_noise_is_no_growth(self) -> None:
        rng = np.random.default_rng(2)
        found = summarize(a_trace(np.sort(rng.random(20_000)) * 80 * DAY_S))
        assert 0.0 == found.growth_per_month_ratio
        assert "growth_per_month" not in found.workload_fields()["traffic"]


class TestBurstiness:
    def test_poisson_arrivals_have_one_everywhere(self) -> None:
        rng = np.random.default_rng(3)
        arrivals = np.cumsum(rng.exponential(0.05, 200_000))
        assert 1.0 == pytest.approx(burstiness.interarrival_cv(arrivals), abs=0.03)
        for scale in (1.0, 10.0):
            assert 1.0 == pytest.approx(
                burstiness.dispersion(arrivals, scale, within_s=3600.0) or 0.0, abs=0.1
            )

    def test_bursts_that_last_are_seen_at_longer_scales(self) -> None:
        """GIVEN ten seconds of 20 a second, ten of none THEN the dispersion at 10 s is far above that at 0.1 s."""
        arrivals = np.concatenate([np.arange(0.0, 10.0, 0.05) + 20.0 * cycle for cycle in range(180)])
        short, long = (
            burstiness.dispersion(arrivals, scale, within_s=3600.0) or 0.0 for scale in (0.1, 10.0)
        )
        assert 100.0 == pytest.approx(long, rel=0.01)  # counts 200 and 0: variance 10,000, mean 100
        assert short < 2.0
        assert summarize(a_trace(arrivals)).arrival_cv > 3.0

    def test_a_surge_is_what_comes_before_a_new_replica_answers(self) -> None:
        """GIVEN 1 a second, with ten minutes of 5 a second in each hour THEN the rate rises fivefold, or threefold of the mean."""
        minutes = [300 if at % 60 < 10 else 60 for at in range(600)]
        arrivals = np.concatenate([np.arange(n) * 60.0 / n + 60.0 * at for at, n in enumerate(minutes)])
        assert 300 / 100 == pytest.approx(burstiness.surge(np.append(arrivals, 36_000.0), 300.0) or 0.0)


class TestLoadDuration:
    def test_the_error_is_the_area_between_the_curves(self) -> None:
        """GIVEN 1, 2, 3, 6 a second and periods of 1.5 and 4.5 THEN (0.5 + 0.5 + 1.5 + 1.5) / 12."""
        found = reduction.Windows(
            np.array([3.0, 1.0, 6.0, 2.0]), np.full(4, 60.0), np.zeros(4, dtype=np.int64), 60.0
        )
        assert 4.0 / 12.0 == pytest.approx(reduction.load_duration_error(found, [(4.5, 365.0), (1.5, 365.0)]))


class TestResult:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        rng = np.random.default_rng(4)
        rows = [
            f"{time:.3f},{rng.integers(1, 900)},{rng.integers(1, 90)}"
            for time in np.sort(rng.random(3000)) * 5000
        ]
        return written(tmp_path, "mine.csv", "arrival_s,input_tokens,output_tokens\n" + "\n".join(rows))

    def test_the_yaml_completes_a_workload(self, path: Path) -> None:
        found = summarize(read_trace(path))
        document = {"model": "llama-3.1-8b", "serving": {"instance_type": "p5.48xlarge"}}
        workload = Workload.load(document | yaml.safe_load(found.to_yaml()))
        assert found.arrival_cv == pytest.approx(workload.traffic.arrival_cv, rel=1e-3)
        assert found.input_tokens is not None
        assert found.input_tokens.p99 == pytest.approx(
            workload.requests.input_tokens.quantile(0.99), rel=1e-3
        )
        assert yaml.safe_load(found.to_yaml())["traffic"] == traffic_from_trace(path)
        assert "# Error of the reduction" in found.to_yaml()

    def test_the_terminal_has_a_picture_of_at_most_80_columns(self, path: Path) -> None:
        text = terminal(summarize(read_trace(path)))
        assert max(len(line) for line in text.splitlines()) <= 80
        assert "█" in text
        assert "Error of the load-duration curve" in text

    def test_the_page_escapes_what_comes_from_outside(self, path: Path) -> None:
        found = summarize(read_trace(path)).model_copy(update={"source": "</td><script>alert(1)</script>"})
        assert "<script>" not in html(found)
        assert "<svg" in html(found)

    def test_the_command_prints_and_writes_every_format(self, path: Path, tmp_path: Path) -> None:
        runner = CliRunner()
        assert (
            3000
            == json.loads(runner.invoke(app, ["traffic", str(path), "--format", "json"]).stdout)["requests"]
        )
        assert "traffic" in yaml.safe_load(
            runner.invoke(app, ["traffic", str(path), "--format", "yaml"]).stdout
        )
        page = tmp_path / "traffic.html"
        assert 0 == runner.invoke(app, ["traffic", str(path), "-o", str(page)]).exit_code
        assert page.read_text().startswith("<!doctype html>")
        again = runner.invoke(app, ["traffic", str(path), "-o", str(page)])
        assert "--force" in str(again.exception)

    def test_the_azure_trace_reads_as_published(self, measurements: Path) -> None:
        """THEN 8,819 requests, inputs of 2,048 tokens with a cv of 0.96, outputs of 28 with 2.1, bursts of about 3.2."""
        found = summarize(read_trace(measurements / "trace_azure_llm_2023.csv"))
        assert 8819 == found.requests
        assert found.input_tokens is not None
        assert found.output_tokens is not None
        assert (2048, 0.96) == (round(found.input_tokens.mean), round(found.input_tokens.cv, 2))
        assert (28, 2.1) == (round(found.output_tokens.mean), round(found.output_tokens.cv, 1))
        assert 3.2 == pytest.approx(found.interarrival_cv, abs=0.1)
