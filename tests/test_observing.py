"""`advisor observe`: what is learnt from a real Prometheus and from dumps, and that no failure does any harm."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.documents import parse_document
from advisor.errors import InputError
from advisor.observing import (
    Access,
    Given,
    Observation,
    Prometheus,
    Span,
    observe_dumps,
    observe_prometheus,
    open_questions,
    updated_text,
    workload_text,
)
from advisor.observing.access import checked_token, read_token
from advisor.observing.exposition import parse_dump
from advisor.observing.histograms import Histogram
from advisor.observing.metrics import ENGINES, engine_of
from advisor.observing.observation import Rhythm
from advisor.observing.rhythm import rhythm
from advisor.observing.selectors import read_selector
from advisor.observing.spans import duration_s
from advisor.workload import Workload

sys.path.insert(0, str(Path(__file__).parent))
pytest.importorskip("prometheus_client", reason="the exporter needs prometheus_client")
from metrics_exporter import Endpoint, VllmExporter, answering, served
from prometheus_server import free_port, prometheus

MODEL = "meta-llama/Llama-3.1-8B-Instruct"
PASSWORD = "s3cret"  # noqa: S105
HASH = "$2b$04$CrV/iHR/Pa9/J4vnIFOPgOa0UwD3WG.njT6Q3weOBRt2sbIsFDJsK"
PER_S = 20.0
SPAN = ("--window", "9s", "--step", "1s")
VLLM, SGLANG, TGI, TRITON, KSERVE = ENGINES


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "advisor", *arguments],
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", "NO_PROXY": "127.0.0.1", **environment},
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Observation]]:
    """A server that watches, from ten seconds ago, two replicas of one model and one of another, and what it then saw.

    One replica speaks plain text, the other OpenMetrics; it restarts after 3 s. Everything is down from 5 s to 8 s.
    """
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "web.yml").write_text(f"basic_auth_users: {{ana: '{HASH}'}}\n")
    endpoints = [
        Endpoint(VllmExporter(MODEL)),
        Endpoint(VllmExporter(MODEL), as_text=True),
        Endpoint(VllmExporter("other")),
    ]
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(served(endpoint)) for endpoint in endpoints]
        config = f"--web.config.file={folder / 'web.yml'}"
        address, _ = stack.enter_context(prometheus(folder, ports, config))
        with answering(endpoints, per_s=PER_S):
            time.sleep(3)
            endpoints[0].restart()
            time.sleep(2)
            for endpoint in endpoints:
                endpoint.is_up = False
            time.sleep(3)
            for endpoint in endpoints:
                endpoint.is_up = True
            time.sleep(2.2)
            server = Prometheus(address, Access(user="ana", password=PASSWORD))
            span = Span.read("9s", "1s")  # at once: later, the gap is out of the window
            yield address, observe_prometheus(server, span=span, selector=f'model_name="{MODEL}"')


@pytest.fixture
def url(watched: tuple[str, Observation]) -> str:
    return watched[0]


@pytest.fixture
def learnt(watched: tuple[str, Observation]) -> Observation:
    return watched[1]


class TestARealPrometheus:
    def test_rates_survive_a_restarted_counter_and_leave_out_the_gap(self, learnt: Observation) -> None:
        assert learnt.rhythm is not None
        assert pytest.approx(2 * PER_S, rel=0.3) == learnt.rhythm.mean_requests_per_s
        assert "of 9 steps have no data, or too little, and are left out" in learnt.rhythm.notes[0]

    def test_lengths_are_those_of_the_requests_whichever_way_names_are_spelled(
        self, learnt: Observation
    ) -> None:
        assert (learnt.input_tokens or {})["mean"] == pytest.approx(150, rel=1e-3)
        assert (learnt.output_tokens or {})["mean"] == pytest.approx(30, rel=1e-3)
        assert 100 < (learnt.input_tokens or {})["p50"] < 200  # the bucket around 150
        assert learnt.prefix_ratio == pytest.approx(0.25, rel=1e-3)

    def test_latencies_replicas_queue_and_gpus_are_seen(self, learnt: Observation) -> None:
        latencies = learnt.latencies_s or {}
        assert 0.25 < latencies["ttft_p99"] <= 0.5
        assert 0.02 < latencies["tpot_p50"] <= 0.04
        assert 1 < latencies["latency_p90"] <= 2.5
        assert (2, 16, 4) == (learnt.replicas, learnt.most_running, learnt.most_waiting)
        assert learnt.cache_ratio == pytest.approx(0.4)
        assert learnt.gpus is not None
        assert learnt.gpus.busy_ratio == pytest.approx(0.7)
        assert ("NVIDIA H100 80GB HBM3",) == learnt.gpus.names

    def test_the_document_is_a_workload_once_the_machine_is_said(self, url: str, tmp_path: Path) -> None:
        asked = (
            "observe",
            "--prometheus",
            url,
            "--user",
            "ana",
            "--selector",
            f'model_name="{MODEL}"',
            *SPAN,
        )
        secret = {"ADVISOR_PROMETHEUS_PASSWORD": PASSWORD}
        done = run(
            *asked,
            "--instance",
            "g6e.xlarge",
            "--instances",
            "2",
            "-o",
            "advisor.yaml",
            cwd=tmp_path,
            **secret,
        )
        assert (0, "") == (done.returncode, done.stdout), done.stderr
        assert "advisor recommend advisor.yaml" in done.stderr
        workload = Workload.load(tmp_path / "advisor.yaml")
        assert ("Llama-3.1-8B", "vllm") == (workload.model.name, workload.serving.runtime)
        assert workload.requests.input_tokens.mean == pytest.approx(150, rel=1e-3)
        assert PASSWORD not in (tmp_path / "advisor.yaml").read_text()
        refused = run(*asked, "-o", "advisor.yaml", cwd=tmp_path, **secret)
        assert (2, True) == (refused.returncode, "--force" in refused.stderr)

    def test_an_update_changes_what_was_observed_and_keeps_comments_and_the_rest(
        self, url: str, tmp_path: Path
    ) -> None:
        before = (
            "# ours\nmodel: llama-3.1-8b   # the small one\nrequests:\n  # from a survey\n  input_tokens: {mean: 9, cv: 1}\n"
            "  output_tokens: 30\ntraffic:\n  requests_per_s: 3\n  growth_per_month: 3%   # hoped for\n"
            "serving:\n  instance_type: g6e.xlarge\n"
        )
        (tmp_path / "advisor.yaml").write_text(before)
        asked = (
            "observe",
            "--prometheus",
            url,
            "--user",
            "ana",
            "--selector",
            f'model_name="{MODEL}"',
            *SPAN,
        )
        done = run(*asked, "--update", cwd=tmp_path, ADVISOR_PROMETHEUS_PASSWORD=PASSWORD)
        assert 0 == done.returncode, done.stderr
        assert "requests.input_tokens: {mean: 9, cv: 1} -> {mean: 150" in done.stderr
        assert "serving.runtime: nothing -> vllm" in done.stderr
        after = (tmp_path / "advisor.yaml").read_text()
        changed = ("input_tokens", "output_tokens", "requests_per_s")
        kept = [line for line in before.splitlines() if not line.lstrip().startswith(changed)]
        assert [] == [line for line in kept if line not in after.splitlines()]
        assert 0.25 == pytest.approx(Workload.load(tmp_path / "advisor.yaml").requests.prefix_share, rel=1e-3)

    def test_several_models_are_told_apart_by_a_selector(self, url: str) -> None:
        with pytest.raises(InputError, match=r"there are 2 models .*--selector 'model_name=\"meta"):
            observe_prometheus(
                Prometheus(url, Access(user="ana", password=PASSWORD)), span=Span.read("9s", "1s")
            )

    def test_an_empty_answer_says_what_may_be_wrong(self, url: str) -> None:
        server = Prometheus(url, Access(user="ana", password=PASSWORD))
        with pytest.raises(InputError, match="is the selector right"):
            observe_prometheus(server, span=Span.read("9s", "1s"), selector='model_name="nobody"')
        with pytest.raises(InputError, match=r"within each there must be two scrapes"):
            observe_prometheus(server, span=Span.read("7d", "1d"), selector='model_name="other"')

    def test_without_the_password_nothing_is_answered_and_nothing_written(
        self, url: str, tmp_path: Path
    ) -> None:
        done = run("observe", "--prometheus", url, "-o", "advisor.yaml", cwd=tmp_path)
        assert 2 == done.returncode
        assert "(401)" in done.stderr
        assert [] == list(tmp_path.iterdir())

    def test_a_server_that_hangs_or_dies_in_mid_query_ends_in_a_message(self, tmp_path: Path) -> None:
        (tmp_path / "advisor.yaml").write_text("model: llama-3.1-8b\n")
        with prometheus(tmp_path, []) as (address, process):
            process.send_signal(signal.SIGSTOP)
            late = run("observe", "--prometheus", address, "--timeout", "1s", "--update", cwd=tmp_path)
            assert (2, True) == (late.returncode, "did not answer within 1 s" in late.stderr)
            threading.Timer(2.5, process.kill).start()
            dead = run("observe", "--prometheus", address, "--timeout", "30s", "--update", cwd=tmp_path)
        assert (2, True) == (dead.returncode, "cannot get an answer" in dead.stderr), dead.stderr
        assert "Traceback" not in late.stderr + dead.stderr
        assert "model: llama-3.1-8b\n" == (tmp_path / "advisor.yaml").read_text()


Behaviour = Callable[[BaseHTTPRequestHandler], None]


@contextlib.contextmanager
def fake(behaviour: Behaviour) -> Iterator[str]:
    """A server on loopback that behaves as told."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(OSError):
                behaviour(self)

        def log_message(self, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in ({"Content_Length": str(len(body))} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def vector(*rows: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": rows}}).encode()


def huge(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(1600):
        handler.wfile.write(b"[" * 65_536)


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def cut_off(handler: BaseHTTPRequestHandler) -> None:
    send(handler, vector()[:30], Content_Length="5000")
    handler.close_connection = True


def answer(body: bytes, status: int = 200, **headers: str) -> Behaviour:
    return lambda handler: send(handler, body, status, **headers)


REFUSED: dict[str, tuple[Behaviour, str]] = {
    "an error of the query": (
        answer(b'{"status":"error","errorType":"bad_data","error":"parse\\u001b[2J error\\nhere"}', 400),
        r"says \(400\): parse \[2J error here",
    ),
    "a page for people": (answer(b"<html>login</html>"), "does not answer as Prometheus does .*<html>login"),
    "a proxy's error": (answer(b"<html>bad gateway</html>", 502), "answered 502 instead of a result"),
    "a forbidden page": (answer(b"", 403), r"refuses to answer \(403\); give a token"),
    "truncated JSON": (answer(vector()[:30]), "does not answer as Prometheus does"),
    "a connection cut in the answer": (cut_off, "broke off in the middle of an answer"),
    "a hundred MB": (huge, "more than 16 MB"),
    "nesting without end": (answer(b"[" * 200_000), "does not answer as Prometheus does"),
    "one byte now and then": (drip, "did not answer within 0.5 s"),
    "silence": (lambda handler: time.sleep(3), "did not answer within 0.5 s"),
    "no HTTP": (lambda handler: handler.wfile.write(b"\0\1\2"), "cannot get an answer"),
    "an empty list": (answer(b"[]"), "does not answer as Prometheus does"),
    "another type": (answer(b'{"status":"success","data":{"resultType":"matrix","result":[]}}'), "does not answer as"),
    "rows of nonsense": (answer(vector(1, None, {"metric": 3})), "does not answer as"),
    "words for numbers": (answer(vector({"metric": {}, "value": [1, "many"]})), "does not answer as"),
    "a redirect": (answer(b"", 302, Location="http://elsewhere.example/login"), r"sends us on \(302\) to http://elsewhere"),
}  # fmt: skip


class TestAServerThatFails:
    @pytest.mark.parametrize("kind", REFUSED)
    def test_every_failure_is_one_clear_error(self, kind: str) -> None:
        behaviour, message = REFUSED[kind]
        begin = time.monotonic()
        with fake(behaviour) as address, pytest.raises(InputError, match=message):
            Prometheus(address, timeout_s=5 if kind == "a hundred MB" else 0.5).vector("up", at_s=0)
        assert time.monotonic() - begin < 5

    def test_nobody_listening_is_told(self) -> None:
        with pytest.raises(InputError, match=r"cannot get an answer from http://127.0.0.1:.*refused"):
            Prometheus(f"http://127.0.0.1:{free_port()}").now_s()

    def test_values_that_are_no_numbers_are_left_out(self) -> None:
        rows = [
            {"metric": {"le": str(n)}, "value": [1, value]}
            for n, value in enumerate(("NaN", "+Inf", "-Inf", "3"))
        ]
        with fake(answer(vector(*rows))) as address:
            series = Prometheus(address).vector("x", at_s=0)
        assert [(), (), (), ((1.0, 3.0),)] == [one.points for one in series]

    def test_a_token_and_a_password_are_sent_and_a_password_in_the_address_is_not_shown(self) -> None:
        seen: list[str | None] = []

        def note(handler: BaseHTTPRequestHandler) -> None:
            seen.append(handler.headers["Authorization"])
            send(handler, b"", 401)

        with fake(note) as address:
            for url, access in (
                (address, Access(token="abc")),  # noqa: S106
                (address, Access(user="a", password="b")),  # noqa: S106
                (address.replace("//", "//a:b@"), Access()),
            ):
                with pytest.raises(InputError) as refused:
                    Prometheus(url, access).now_s()
                assert "a:b" not in str(refused.value)
        assert ["Bearer abc", "Basic YTpi", "Basic YTpi"] == seen

    def test_hostile_names_stay_within_comments_and_quotes(self) -> None:
        evil = "x\ntraffic: {requests_per_s: 9}\n\x1b]0;title\x07"
        found = Observation(source=f"s{evil}", engine=VLLM, model=evil, rhythm=Rhythm(1.0, 1.0))
        text = workload_text(found)
        assert {"traffic", "serving"} == set(parse_document(text, source="a.yaml").data)
        assert "\x1b" not in text

    def test_a_failure_in_a_later_question_writes_nothing(self, tmp_path: Path) -> None:
        answers = itertools.count()

        def later(handler: BaseHTTPRequestHandler) -> None:
            if next(answers) == 0:
                send(
                    handler,
                    b'{"status":"success","data":{"resultType":"scalar","result":[1700000000,"1700000000"]}}',
                )
            elif parse_qs(urlsplit(handler.path).query).get("match[]"):
                send(handler, b'{"status":"success","data":["vllm:request_success_total"]}')
            else:
                cut_off(handler)

        with fake(later) as address:
            done = run("observe", "--prometheus", address, "-o", "advisor.yaml", cwd=tmp_path)
        assert (2, "") == (done.returncode, done.stdout)
        assert "broke off" in done.stderr
        assert "Traceback" not in done.stderr
        assert [] == list(tmp_path.iterdir())


class TestWhatIsAsked:
    @pytest.mark.parametrize(
        "url", ["prometheus:9090", "file:///etc/passwd", "http://", "http://a b", "http://h:99999", "ftp://h"]
    )
    def test_only_http_addresses_are_asked(self, url: str) -> None:
        with pytest.raises(InputError, match="expected an address such as http://prometheus:9090"):
            Prometheus(url)

    @pytest.mark.parametrize(
        ("text", "seconds"), [("7d", 604800), ("1h30m", 5400), ("500ms", 0.5), ("90min", 5400)]
    )
    def test_durations_are_read_as_prometheus_writes_them(self, text: str, seconds: float) -> None:
        assert seconds == duration_s(text, "--window")

    @pytest.mark.parametrize("text", ["7", "", "1 week", "-1h", "0s", "1e9d", "h1", "99999y"])
    def test_another_duration_is_refused(self, text: str) -> None:
        with pytest.raises(InputError, match="--window: got"):
            duration_s(text, "--window")

    def test_steps_must_fit_the_window_and_what_a_server_returns(self) -> None:
        with pytest.raises(InputError, match="from 1s up to the window"):
            Span.read("1h", "2h")
        with pytest.raises(InputError, match="31,536,000 steps"):
            Span.read("1y", "1s")

    @pytest.mark.parametrize(
        "text", ["model_name", 'a="b" or c="d"', '{a="b"}) or vector(1', '__name__="up"', 'a=~"("', "a='b'"]
    )
    def test_a_selector_is_conditions_on_labels_and_nothing_else(self, text: str) -> None:
        with pytest.raises(InputError, match="--selector"):
            read_selector(text)

    @given(st.text(max_size=60))
    def test_any_text_is_a_selector_or_an_input_error(self, text: str) -> None:
        with contextlib.suppress(InputError):
            read_selector(text)

    def test_conditions_hold_as_in_prometheus(self) -> None:
        meant = read_selector('{model_name=~"chat-.*", env!="test"}')
        assert [True, False, False] == [
            all(one.fits(labels) for one in meant)
            for labels in (
                {"model_name": "chat-1"},
                {"model_name": "chat-1", "env": "test"},
                {"model_name": "a chat-1"},
            )
        ]

    def test_a_token_file_holds_one_token(self, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("abc.def\n")
        assert "abc.def" == read_token(tmp_path / "token")
        for text in ("", "two words", "line\nline", "ü", "a" * 20_000):
            with pytest.raises(InputError, match="does not hold a token"):
                checked_token(text, "X")
        with pytest.raises(InputError, match="cannot read"):
            read_token(tmp_path)


class TestHistograms:
    def test_mean_is_exact_and_quantiles_lie_between_the_edges(self) -> None:
        found = Histogram.of({100.0: 50, 200.0: 90, 400.0: 100, math.inf: 100}, total=13_000)
        assert found is not None
        assert 130 == found.mean
        assert found.quantile(0.5) == pytest.approx(100)
        assert found.quantile(0.9) == pytest.approx(200)
        assert found.quantile(0.7) == pytest.approx(100 * 2**0.5)  # half of the second bucket, geometric

    def test_the_spread_of_a_wide_sample_comes_near_the_true_one(self) -> None:
        lengths = random.Random(7)  # noqa: S311
        values = [lengths.lognormvariate(6.0, 0.8) for _ in range(20_000)]
        edges = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, math.inf]
        found = Histogram.of({float(e): sum(v <= e for v in values) for e in edges}, total=sum(values))
        assert found is not None
        true_cv = math.sqrt(math.expm1(0.8**2))  # 0.947
        assert found.cv == pytest.approx(true_cv, rel=0.08)
        assert found.quantile(0.9) == pytest.approx(sorted(values)[18_000], rel=0.1)

    def test_a_quantile_beyond_the_last_edge_is_not_stated(self) -> None:
        found = Histogram.of({10.0: 80, math.inf: 100}, total=20 * 90 + 400)
        assert found is not None
        assert {"p50"} == set(found.stated())

    @pytest.mark.parametrize(
        "buckets",
        [{}, {1.0: 3}, {math.inf: 3}, {1.0: 0, math.inf: 0}, {math.nan: 3}, {1.0: 1, math.inf: math.inf}],
    )
    def test_without_observations_there_is_none(self, buckets: dict[float, float]) -> None:
        assert Histogram.of(buckets) is None

    @given(st.dictionaries(st.floats(-1e6, 1e6), st.floats(-10, 1e9), max_size=8), st.floats(0, 1e12))
    def test_whatever_the_buckets_quantiles_grow(self, buckets: dict[float, float], total: float) -> None:
        found = Histogram.of({**buckets, math.inf: 50.0}, total=total)
        if found is not None:
            stated = list(found.stated().values())
            assert sorted(stated) == stated
            assert found.cv >= 0


class TestTheRhythm:
    def test_a_week_becomes_168_hours_from_monday_midnight_utc(self) -> None:
        monday_s = 1_763_942_400  # Monday 24 November 2025, 0:00 UTC
        points = [(monday_s + 3600.0 * (hour + 1), float(hour)) for hour in range(168)]
        found = rhythm(points, step_s=3600, expected=168)
        assert found is not None
        assert tuple(float(hour) for hour in range(168)) == found.rates
        assert () == found.notes

    def test_a_few_missing_hours_take_the_mean_of_their_hour_of_the_day_and_are_told(self) -> None:
        points = [(3600.0 * (hour + 1), float(hour % 24)) for hour in range(168) if hour not in {30, 31}]
        found = rhythm(points, step_s=3600, expected=168)
        assert found is not None
        assert isinstance(found.rates, tuple)
        assert 168 == len(found.rates)
        assert "2 of 168 steps have no data, or too little, and are left out" == found.notes[0]
        offset = 3 * 24  # the first of January 1970 was a Thursday
        assert (6.0, 7.0) == (found.rates[(30 + offset) % 168], found.rates[(31 + offset) % 168])

    def test_three_days_become_24_hours_and_less_than_a_day_quantiles_or_one_rate(self) -> None:
        hours = [(3600.0 * (hour + 1), float(hour)) for hour in range(72)]
        three = rhythm(hours, step_s=3600, expected=168)
        assert three is not None
        assert tuple(float(24 + hour) for hour in range(24)) == three.rates
        short = rhythm(hours[:3], step_s=3600, expected=3)
        assert short is not None
        assert 1.0 == short.rates
        minutes = rhythm([(60.0 * n, float(n)) for n in range(1, 41)], step_s=60, expected=40)
        assert minutes is not None
        assert 40 == minutes.rates.max  # type: ignore[union-attr]

    def test_no_points_are_no_rhythm(self) -> None:
        assert rhythm([], step_s=3600, expected=168) is None


DUMP = """# HELP vllm:request_success_total x
# TYPE vllm:request_success_total counter
vllm:request_success_total{model_name="m",finished_reason="stop"} 100.0
vllm:request_success_total{model_name="m",finished_reason="length"} 20.0
vllm:prompt_tokens_total{model_name="m"} 12000
vllm:generation_tokens_total{model_name="m"} 6000 1700000000000
vllm:num_requests_running{model_name="m"} 3
process_start_time_seconds 1e9
"""


class TestDumps:
    def test_two_dumps_give_the_rate_between_them(self, tmp_path: Path) -> None:
        exporter = VllmExporter(MODEL)
        exporter.answer(100)
        (tmp_path / "a.txt").write_text(exporter.text())
        exporter.answer(300, input_tokens=700)
        (tmp_path / "b.txt").write_text(exporter.text())
        found = observe_dumps([tmp_path / "a.txt", tmp_path / "b.txt"], between_s=60)
        assert found.rhythm is not None
        assert 5.0 == found.rhythm.rates  # 300 in a minute
        assert 700 == (found.input_tokens or {})["mean"]
        assert MODEL == found.model

    def test_a_restart_between_dumps_counts_from_0_and_is_told(self, tmp_path: Path) -> None:
        first, second = VllmExporter(MODEL), VllmExporter(MODEL)
        first.answer(100)
        second.answer(30)
        (tmp_path / "a.txt").write_text(first.text())
        (tmp_path / "b.txt").write_text(second.text())
        found = observe_dumps([tmp_path / "a.txt", tmp_path / "b.txt"], between_s=10)
        assert found.rhythm is not None
        assert (3.0, True) == (found.rhythm.rates, "restarted" in found.notes[0])

    def test_one_dump_counts_since_the_engine_started(self, tmp_path: Path) -> None:
        path = tmp_path / "metrics.txt"
        path.write_text(DUMP)
        os.utime(path, (1e9 + 60, 1e9 + 60))
        found = observe_dumps([path])
        assert found.rhythm is not None
        assert 2.0 == found.rhythm.rates  # 120 requests in 60 s
        assert {"mean": 100} == found.input_tokens
        assert {"mean": 50} == found.output_tokens

    def test_without_a_start_the_rate_is_a_question(self, tmp_path: Path) -> None:
        (tmp_path / "metrics.txt").write_text(DUMP.replace("process_start_time_seconds", "x"))
        done = run("observe", "--dump", "metrics.txt", cwd=tmp_path)
        assert 0 == done.returncode, done.stderr
        assert "# ? requests_per_s" in done.stdout
        assert "traffic.requests_per_s" in done.stderr

    def test_dumps_in_the_wrong_order_are_refused(self, tmp_path: Path) -> None:
        for name, moment in (("a.txt", 2000), ("b.txt", 1000)):
            (tmp_path / name).write_text(DUMP)
            os.utime(tmp_path / name, (moment, moment))
        with pytest.raises(InputError, match="give the earlier one first, or say how much time"):
            observe_dumps([tmp_path / "a.txt", tmp_path / "b.txt"])

    def test_openmetrics_with_exemplars_and_quoted_names_is_read(self) -> None:
        text = 'a_bucket{le="1.0"} 3 # {trace_id="x"} 0.5 1700000000\n{"b:c",l="}\\"\\n"} +Inf\n{"d.e"} NaN 123\nf 1e-3\n# EOF\nrubbish'
        rows = list(parse_dump(text, source="dump"))
        assert ["a_bucket", "b:c", "d.e", "f"] == [row.name for row in rows]
        assert {"l": '}"\n'} == rows[1].labels
        assert (math.inf, 0.001) == (rows[1].value, rows[3].value)

    @pytest.mark.parametrize(
        "line",
        [
            "<html>",
            "a",
            'a{b="c} 1',
            'a{b="c"} one',
            'a{b="1",b="2"} 1',
            "a{b=c} 1",
            "1a 2",
            "{} 1",
            'a{b="c"} 1 2 3',
            "a 0x1",
        ],
    )
    def test_a_line_that_is_no_metric_is_named(self, line: str) -> None:
        with pytest.raises(InputError, match="dump line 2: got"):
            list(parse_dump(f"ok 1\n{line}\n", source="dump"))

    @given(st.text(max_size=200))
    def test_any_text_is_read_or_is_an_input_error(self, text: str) -> None:
        with contextlib.suppress(InputError):
            list(parse_dump(text, source="dump"))

    def test_files_that_are_none_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "binary").write_bytes(b"\xff\xfe\0")
        with (tmp_path / "large").open("wb") as file:
            file.truncate(33_000_000)
        for name, message in (
            ("absent", "no file"),
            ("binary", "not UTF-8"),
            ("large", "larger than 32 MB"),
            (".", "cannot read"),
        ):
            with pytest.raises(InputError, match=message):
                observe_dumps([tmp_path / name])


class TestEngines:
    @pytest.mark.parametrize(
        ("names", "engine"),
        [
            (("vllm:request_success_total",), "vllm"),
            (("vllm_request_success_total", "nv_inference_request_success"), "vllm"),
            (("sglang:num_requests_total",), "sglang"),
            (("tgi_request_success",), "tgi"),
            (("nv_inference_request_success", "nv_gpu_utilization"), "triton"),
            (("request_predict_seconds_count", "request_predict_seconds_bucket"), "kserve"),
            (("request_predict_seconds_count", "vllm:e2e_request_latency_seconds_count"), "vllm"),
        ],
    )
    def test_an_engine_is_told_by_the_names_of_its_metrics(self, names: tuple[str, ...], engine: str) -> None:
        assert engine == engine_of(names).engine.id

    def test_two_engines_need_a_choice_and_none_is_told(self) -> None:
        both = ("vllm:request_success_total", "sglang:num_requests_total")
        with pytest.raises(InputError, match=r"several engines .vllm, sglang.; choose with --engine vllm"):
            engine_of(both)
        assert "sglang" == engine_of(both, "sglang").engine.id
        with pytest.raises(InputError, match="other metrics there: DCGM_FI_DEV_GPU_UTIL"):
            engine_of(["DCGM_FI_DEV_GPU_UTIL"])

    def test_triton_gives_a_rate_and_a_mean_latency_and_asks_the_rest(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text(
            'nv_inference_request_success{model="resnet50",version="1"} 600\n'
            'nv_inference_request_duration_us{model="resnet50",version="1"} 6000000\nnv_gpu_utilization{gpu_uuid="x"} 0.5\n'
            "process_start_time_seconds 1000\n"
        )
        os.utime(tmp_path / "a.txt", (1060, 1060))
        found = observe_dumps([tmp_path / "a.txt"])
        assert {"latency_mean": 0.01} == found.latencies_s
        assert (10.0, 0.5) == (found.rhythm and found.rhythm.rates, found.gpus and found.gpus.busy_ratio)
        text = workload_text(found, Given(instance="g4dn.xlarge"))
        assert () == open_questions(parse_document(text, source="a.yaml").data)
        assert "input_tokens" not in text

    def test_sglang_without_histograms_gives_means(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text(
            'sglang:num_requests_total{model_name="m"} 10\nsglang:prompt_tokens_total{model_name="m"} 5000\n'
            'sglang:generation_tokens_total{model_name="m"} 800\nsglang:cache_hit_rate{model_name="m"} 0.3\n'
        )
        found = observe_dumps([tmp_path / "a.txt"])
        assert ({"mean": 500}, {"mean": 80}, 0.3) == (
            found.input_tokens,
            found.output_tokens,
            found.prefix_ratio,
        )
        assert "only totals are counted" in workload_text(found)


class TestTheDocument:
    SEEN = Observation(
        source="s", engine=VLLM, model=MODEL, rhythm=Rhythm(tuple(float(h) for h in range(24)), 11.5, 23.0),
        input_tokens={"mean": 1200.0, "cv": 0.9}, output_tokens={"mean": 200.0, "cv": 1.1}, latencies_s={"ttft_p99": 0.8},
    )  # fmt: skip

    def test_what_is_not_known_is_a_commented_question(self) -> None:
        text = workload_text(self.SEEN)
        assert ("serving.instance_type",) == open_questions(parse_document(text, source="a.yaml").data)
        assert "# ? instance_type" in text
        assert "# ? arrival_cv" in text
        assert "today 800 ms" in text

    def test_a_model_nobody_knows_is_a_question(self) -> None:
        seen = Observation(source="s", engine=VLLM, model="our-finetune", rhythm=Rhythm(1.0, 1.0))
        text = workload_text(seen)
        assert "# ? model: llama-3.1-8b            # it is served as 'our-finetune'" in text
        assert {"model", "serving.instance_type"} == set(
            open_questions(parse_document(text, source="a.yaml").data)
        )

    def test_no_requests_at_all_are_an_error(self) -> None:
        with pytest.raises(InputError, match="not one request was counted"):
            workload_text(Observation(source="s", engine=VLLM, rhythm=Rhythm((0.0,) * 24, 0.0)))

    def test_a_week_of_rates_is_written_a_day_to_a_line(self) -> None:
        week = Observation(source="s", engine=VLLM, rhythm=Rhythm(tuple(float(h) for h in range(168)), 83.5))
        text = workload_text(week)
        assert "    24, 25," in text
        assert list(range(168)) == parse_document(text, source="a.yaml").data["traffic"]["requests_per_s"]  # type: ignore[index]

    def test_an_update_keeps_every_other_line(self) -> None:
        before = (
            "# ours\nmodel: llama-3.1-8b   # small\n\nrequests:\n    # from a survey\n    input_tokens:\n      mean: 5\n      cv: 1\n"
            "\n    # assumed\n    output_tokens: 30\ntraffic:\n  requests_per_s: [\n    1,\n    2]\n  growth_per_month: 3%  # ours\n"
        )
        fields = {
            ("requests", "input_tokens"): {"mean": 7.0, "cv": 2.0},
            ("traffic", "requests_per_s"): [3.0, 4.0],
        }
        done = updated_text(before, parse_document(before, source="a.yaml"), fields)
        assert done.keeps_comments
        assert (
            "# ours\nmodel: llama-3.1-8b   # small\n\nrequests:\n    # from a survey\n    input_tokens: {mean: 7, cv: 2}\n"
            "\n    # assumed\n    output_tokens: 30\ntraffic:\n  requests_per_s: [3, 4]\n  growth_per_month: 3%  # ours\n"
        ) == done.text
        assert (
            "requests.input_tokens: {mean: 5, cv: 1} -> {mean: 7, cv: 2}",
            "traffic.requests_per_s: [1, 2] -> [3, 4]",
        ) == done.changes

    @pytest.mark.parametrize(
        "before",
        [
            "{model: m, requests: {input_tokens: 5}, traffic: {requests_per_s: 1}}\n",
            "model: m\nrequests: {input_tokens: 5}\n",
            "model: m\nrequests: &r\n  input_tokens: 5\nother: *r\n",
            "model: m\nrequests:\ntraffic:\n",
            "model: m\n'requests':\n  'input_tokens': 5\n",
            "model: m\nrequests:\n  input_tokens: &x 5\n  output_tokens: *x\n",
        ],
    )
    def test_a_layout_that_cannot_be_kept_loses_no_value(self, before: str) -> None:
        fields = {("requests", "input_tokens"): 7.0, ("traffic", "requests_per_s"): 2.0}
        document = parse_document(before, source="a.yaml")
        after = parse_document(updated_text(before, document, fields).text, source="a.yaml").data
        assert {"input_tokens": 7.0} == {k: v for k, v in after["requests"].items() if k == "input_tokens"}  # type: ignore[attr-defined]
        assert 2.0 == after["traffic"]["requests_per_s"]  # type: ignore[index]
        assert document.data.keys() <= after.keys()

    def test_several_services_in_one_file_are_refused(self) -> None:
        text = "services: []\n"
        with pytest.raises(InputError, match="several services"):
            updated_text(text, parse_document(text, source="a.yaml"), {})


def test_a_source_is_asked_for_and_only_one(tmp_path: Path) -> None:
    done = run("observe", cwd=tmp_path)
    assert (2, True) == (done.returncode, "say where to look" in done.stderr)
    both = run("observe", "--dump", "a", "--prometheus", "http://x", cwd=tmp_path)
    assert 2 == both.returncode
