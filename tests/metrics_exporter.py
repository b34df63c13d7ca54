"""A real exporter: the metrics of a serving engine, kept by prometheus_client and served as an engine serves them.

A scrape that asks for OpenMetrics gets it, with colons in names rewritten, as from an engine with a new client.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, make_wsgi_app

TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
SECONDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


class VllmExporter:
    """Metrics as vLLM names them, of a service whose requests are all alike.

    Args:
        model: Its label `model_name`.
    """

    def __init__(self, model: str = "meta-llama/Llama-3.1-8B-Instruct") -> None:
        self.registry = CollectorRegistry()
        self.model = model
        self._labels = {"model_name": model, "engine": "0"}
        self.counters = {
            name: Counter(f"vllm:{name}", name, list(self._labels), registry=self.registry).labels(
                **self._labels
            )
            for name in (
                "request_success",
                "prompt_tokens",
                "generation_tokens",
                "prefix_cache_queries",
                "prefix_cache_hits",
            )
        }
        self.histograms = {
            name: self._histogram(name, SECONDS if name.endswith("seconds") else TOKENS)
            for name in (
                "request_prompt_tokens", "request_generation_tokens", "time_to_first_token_seconds",
                "request_time_per_output_token_seconds", "e2e_request_latency_seconds",
            )
        }  # fmt: skip
        self.gauges = {
            name: Gauge(f"vllm:{name}", name, list(self._labels), registry=self.registry).labels(
                **self._labels
            )
            for name in ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc")
        }
        gpu = Gauge("DCGM_FI_DEV_GPU_UTIL", "busy", ["gpu", "modelName"], registry=self.registry)
        for number, busy in enumerate((60, 80)):
            gpu.labels(gpu=str(number), modelName="NVIDIA H100 80GB HBM3").set(busy)

    def answer(self, requests: int = 1, *, input_tokens: float = 150, output_tokens: float = 30) -> None:
        """Count requests of a size, a quarter of whose prompts are in the prefix cache."""
        for _ in range(requests):
            self.counters["request_success"].inc()
            self.counters["prompt_tokens"].inc(input_tokens)
            self.counters["generation_tokens"].inc(output_tokens)
            self.counters["prefix_cache_queries"].inc(input_tokens)
            self.counters["prefix_cache_hits"].inc(input_tokens / 4)
            self.histograms["request_prompt_tokens"].observe(input_tokens)
            self.histograms["request_generation_tokens"].observe(output_tokens)
            self.histograms["time_to_first_token_seconds"].observe(0.3)
            self.histograms["request_time_per_output_token_seconds"].observe(0.03)
            self.histograms["e2e_request_latency_seconds"].observe(2.0)
        self.gauges["num_requests_running"].set(8)
        self.gauges["num_requests_waiting"].set(2)
        self.gauges["kv_cache_usage_perc"].set(0.4)

    def text(self) -> str:
        """The metrics as plain text."""
        return generate_latest(self.registry).decode()

    def _histogram(self, name: str, edges: tuple[float, ...]) -> Histogram:
        metric = Histogram(
            f"vllm:{name}", name, list(self._labels), buckets=(*edges, math.inf), registry=self.registry
        )
        return metric.labels(**self._labels)  # type: ignore[no-any-return, unused-ignore]


class _Quiet(WSGIRequestHandler):
    def log_message(self, *arguments: object) -> None:
        return


class Endpoint:
    """The address `/metrics` of an engine that can be restarted, with its counters at 0 again, or be down.

    Args:
        exporter: Whose metrics are answered.
        as_text: Whether plain text is all it speaks, as engines with an older client; colons then stay in the names.
    """

    def __init__(self, exporter: VllmExporter, *, as_text: bool = False) -> None:
        self.exporter, self.is_up, self._as_text = exporter, True, as_text

    def restart(self) -> None:
        """Begin again at 0."""
        self.exporter = VllmExporter(self.exporter.model)

    def answer(self, requests: int) -> None:
        """Count requests."""
        self.exporter.answer(requests)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer as a WSGI application."""
        if not self.is_up:
            start_response("503 Service Unavailable", [])
            return [b""]
        if self._as_text:
            start_response("200 OK", [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")])
            return [self.exporter.text().encode()]
        return make_wsgi_app(self.exporter.registry)(environ, start_response)  # type: ignore[no-any-return, unused-ignore]


@contextmanager
def served(endpoint: Endpoint) -> Iterator[int]:
    """The port on loopback where an engine is scraped."""
    server = make_server("127.0.0.1", 0, endpoint, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def answering(endpoints: Sequence[Endpoint], *, per_s: float) -> Iterator[None]:
    """Requests that each engine answers at an even rate until the end of the block."""
    over = threading.Event()

    def work() -> None:
        begin, done = time.monotonic(), 0
        while not over.wait(0.02):
            due = int((time.monotonic() - begin) * per_s)
            for endpoint in endpoints:
                endpoint.answer(due - done)
            done = due

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
