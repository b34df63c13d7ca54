"""The HTTP server: the library's answers, its words for mistakes, and limits that hold."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from advisor import InputError, Recommendation, Requirements, Workload, recommend
from advisor.server import Limits, application

pytest.importorskip("fastapi", reason="the extra `server` is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="the extra `server` is not installed")

ONE_PERCENT = {"max_accuracy_loss": "1%"}
IMAGES = {
    "model": "resnet50",
    "traffic": {"requests_per_s": 300},
    "limits": {"latency_p99": "200ms"},
    "serving": {"instance_type": "g4dn.xlarge", "provider": "aws", "region": "us-east-1"},
}


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Message
    content: bytes

    def json(self) -> Any:
        """The content as values."""
        return json.loads(self.content)


@dataclass(frozen=True)
class Client:
    """Sends requests to a server on this machine."""

    port: int

    def get(self, path: str) -> Reply:
        """The answer to a GET."""
        return self.request("GET", path)

    def post(self, path: str, values: object) -> Reply:
        """The answer to a POST of JSON."""
        return self.send(path, json.dumps(values).encode())

    def send(self, path: str, body: bytes | Iterator[bytes], kind: str = "application/json") -> Reply:
        """The answer to a POST of these bytes."""
        return self.request("POST", path, body, {"Content-Type": kind})

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """The answer to any request; one that comes before everything was sent counts."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        with closing(connection):
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, dict(headers or {}))
            found = connection.getresponse()
            return Reply(found.status, found.headers, found.read())

    def started(self) -> Client:
        """This client, once a worker is ready."""
        for _ in range(600):
            with suppress(ConnectionRefusedError):
                if self.get("/readyz").status == 200:
                    return self
            time.sleep(0.1)
        raise AssertionError("no worker became ready")


@contextmanager
def serving(limits: Limits) -> Iterator[Client]:
    """A client of a real server on a free port of this machine."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(application(limits), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Client(listening.getsockname()[1]).started()
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A client of a server with one worker."""
    with serving(Limits(workers=1, body_bytes=600_000)) as found:
        yield found


@pytest.fixture(scope="module")
def stored(client: Client) -> dict[str, Any]:
    """The answer about some images, which is a plan to check."""
    found = client.post("/v1/recommend", {"workload": IMAGES, "requirements": ONE_PERCENT})
    assert 200 == found.status, found.content
    answer: dict[str, Any] = found.json()
    return answer


def undated(recommendation: Recommendation) -> dict[str, Any]:
    """A recommendation as JSON without the prices that are old today."""
    found: dict[str, Any] = json.loads(recommendation.model_dump_json())
    found["provenance"].pop("stale_prices")
    return found


class TestAnswers:
    def test_a_recommendation_is_the_librarys(self, stored: dict[str, Any]) -> None:
        expected = recommend(IMAGES, Requirements.load(ONE_PERCENT))
        assert undated(expected) == undated(Recommendation.model_validate(stored))

    def test_nothing_fits_is_an_answer(self, client: Client) -> None:
        found = client.post(
            "/v1/recommend", {"workload": "small-cnn", "requirements": {"budget": "$10/month"}}
        )
        assert (200, "infeasible") == (found.status, found.json()["status"])
        assert "budget" in found.json()["conflict"]["text"]

    def test_several_services_share_machines(self, client: Client) -> None:
        fleet = {"services": [{"name": "a", "base": "small-cnn"}, {"name": "b", **IMAGES}]}
        found = client.post("/v1/recommend", {"workload": fleet, "requirements": ONE_PERCENT}).json()
        assert ["a", "b"] == [service["name"] for service in found["plan"]["services"]]

    def test_an_explanation_adds_up(self, client: Client) -> None:
        found = client.post("/v1/explain", {"workload": IMAGES, "requirements": ONE_PERCENT}).json()
        saved = found["recommendation"]["savings_usd_per_month"]
        assert saved == pytest.approx(found["insights"]["attribution"]["savings_usd_per_month"])

    def test_rows_get_predictions_or_reasons_one_for_one(self, client: Client) -> None:
        row = {
            "model": "meta-llama/Llama-3.1-8B-Instruct",
            "system": "h100_sxm",
            "backend": "vllm",
            "precision": "fp8",
            "isl_tokens": 1024,
            "osl_tokens": 128,
            "concurrency": 8,
            "tp_size": 1,
        }
        good, bad = client.post("/v1/predict", {"rows": [row, {"x": "y"}]}).json()["rows"]
        assert good["tpot_ms_p10"] < good["tpot_ms"] < good["tpot_ms_p90"]
        assert bad["reason"].startswith("not recognised")

    def test_a_plan_is_still_best_until_its_limits_change(
        self, client: Client, stored: dict[str, Any]
    ) -> None:
        assert "best" == client.post("/v1/check", {"plan": stored}).json()["status"]
        tighter = {"plan": stored, "workload": {**IMAGES, "limits": {"latency_p99": "1ms"}}}
        assert "infeasible" == client.post("/v1/check", tighter).json()["status"]


class TestDescription:
    def test_answers_are_what_the_description_says(self, client: Client, stored: dict[str, Any]) -> None:
        described = client.get("/openapi.json").json()
        assert {"/v1/recommend", "/v1/explain", "/v1/predict", "/v1/check", "/healthz", "/readyz"} == set(
            described["paths"]
        )
        content = described["paths"]["/v1/recommend"]["post"]["responses"]["200"]["content"]
        schema = {**content["application/json"]["schema"], "components": described["components"]}
        jsonschema.Draft202012Validator(schema).validate(stored)

    def test_the_workload_is_described_with_its_keys(self, client: Client) -> None:
        schemas = client.get("/openapi.json").json()["components"]["schemas"]
        assert "traffic" in schemas["Workload"]["properties"]

    def test_every_example_is_answered(self, client: Client) -> None:
        for path, methods in client.get("/openapi.json").json()["paths"].items():
            content = methods.get("post", {}).get("requestBody", {}).get("content", {})
            example = content.get("application/json", {}).get("example")
            if example:
                assert 200 == client.post(path, example).status

    def test_the_description_loads_nothing_from_elsewhere(self, client: Client) -> None:
        assert 404 == client.get("/docs").status


class TestRefusals:
    @pytest.mark.parametrize(
        "workload",
        [
            {**IMAGES, "model": "/etc/passwd"},
            {**IMAGES, "model": "../config.json"},
            {**IMAGES, "model": {"config": "config.json"}},
            {"services": [{"name": "a", "base": "/etc/passwd"}]},
            {**IMAGES, "measurements": [{"lm_eval": {"baseline": "/etc", "optimized": "/etc"}}]},
            "advisor.yaml",
        ],
    )
    def test_a_file_is_never_read(self, client: Client, workload: object) -> None:
        found = client.post("/v1/recommend", {"workload": workload})
        assert 422 == found.status
        assert "no file is read here" in found.json()["detail"]

    def test_a_stored_plan_that_names_a_file_is_refused(self, client: Client, stored: dict[str, Any]) -> None:
        hostile = json.loads(json.dumps(stored))
        hostile["inputs"]["services"][0]["workload"]["model"] = "/etc/passwd"
        found = client.post("/v1/check", {"plan": hostile})
        assert (422, True) == (found.status, "no file is read here" in found.json()["detail"])

    def test_mistakes_are_told_in_the_words_of_the_library(self, client: Client) -> None:
        wrong = {**IMAGES, "trafic": {}, "horizon_months": "soon"}
        with pytest.raises(InputError) as told:
            Workload.load(wrong)
        found = client.post("/v1/recommend", {"workload": wrong})
        assert {
            "type": "about:blank",
            "title": "Unprocessable Entity",
            "status": 422,
            "detail": str(told.value),
        } == found.json()
        assert "application/problem+json" == found.headers["content-type"]

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"", 400),
            (b"[]", 400),
            (b"{", 400),
            (b"\xff\xfe", 400),
            (b'{"workload": NaN}', 400),
            (b"[" * 100_000, 400),
            (b'{"workload": ' + b"9" * 5000 + b"}", 400),
            (b'{"workload": {"a": ' * 20_000, 400),
            (b"{}", 422),
            (b'{"workload": "small-cnn", "more": 1}', 422),
            (b'{"workload": "small-cnn", "requirements": []}', 422),
            (b'{"workload": 7}', 422),
        ],
    )
    def test_junk_is_refused_by_name(self, client: Client, body: bytes, status: int) -> None:
        found = client.send("/v1/recommend", body)
        assert status == found.status
        assert status == found.json()["status"]

    def test_a_form_of_another_site_is_refused(self, client: Client) -> None:
        found = client.send("/v1/recommend", b"{}", "text/plain")
        assert 415 == found.status

    def test_a_large_body_is_refused_with_and_without_a_stated_length(self, client: Client) -> None:
        def endless() -> Iterator[bytes]:
            for _ in range(100):
                yield b" " * 50_000

        for content in (b" " * 700_000, endless()):
            found = client.send("/v1/predict", content)
            assert 413 == found.status

    def test_an_unknown_address_and_method_are_problems(self, client: Client) -> None:
        assert (404, 404) == ((found := client.get("/v2")).status, found.json()["status"])
        assert (405, "POST") == ((found := client.get("/v1/check")).status, found.headers["allow"])


def test_who_comes_while_all_work_is_told_to_come_again_and_what_takes_too_long_is_ended() -> None:
    heavy = {"workload": "large-llm", "requirements": {**ONE_PERCENT, "providers": ["*"]}, "full": True}
    with serving(Limits(workers=1, answer_s=0.5)) as client:
        with ThreadPoolExecutor(3) as threads:
            found = list(threads.map(lambda _: client.post("/v1/explain", heavy), range(3)))
        assert [503, 503, 503] == [one.status for one in found]
        busy = [one for one in found if "retry-after" in one.headers]
        late = [one for one in found if "retry-after" not in one.headers]
        assert (2, 1) == (len(busy), len(late))
        assert "longer than the 0.5 s" in late[0].json()["detail"]
        client.started()
        assert 200 == client.post("/v1/predict", {"rows": [{"x": 1}]}).status


def test_a_sealed_worker_opens_no_file_and_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    program = f"""
import subprocess, socket, os, sys
sys.path.append({str(tmp_path)!r})
from advisor.errors import InputError
from advisor.server.sealing import seal
seal(2**30)
import xml.dom.minidom, colorsys  # code of the standard library still loads
tries = {{
    "read": lambda: open({str(tmp_path / "secret")!r}),
    "dots": lambda: open(os.__file__ + "/../../../../../../../.." + {str(tmp_path / "secret")!r}),
    "write": lambda: open(os.path.dirname(os.__file__) + "/x", "w"),
    "start": lambda: subprocess.run(["true"]),
    "connect": lambda: socket.create_connection(("127.0.0.1", 9)),
    "memory": lambda: bytearray(2**31),
}}
for name, attempt in tries.items():
    try:
        attempt()
        print(name, "went through")
    except (InputError, MemoryError, NotADirectoryError) as error:
        print(name, type(error).__name__)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "went through" not in done.stdout
    assert 6 == len(done.stdout.splitlines())


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(InputError, match=r"pip install 'inference-advisor\[server\]'"):
        application()


def test_a_limit_of_zero_is_refused() -> None:
    with pytest.raises(InputError, match="workers: got 0"):
        Limits(workers=0)
