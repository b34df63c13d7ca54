"""What serving engines call their metrics, and how one tells which engine it is.

Names are without `_total`, which clients add to counters, and `vllm:x` stands for `vllm_x` too: exporters with
prometheus_client 0.23 or newer rewrite the colon when they are scraped as OpenMetrics.

Source:
    vLLM 0.33 `vllm/v1/metrics/loggers.py`, SGLang 0.5 `metrics/collector.py`, text-generation-inference 3
    `router/src/server.rs`, Triton 2.6x `docs/user_guide/metrics.md`, KServe 0.21 `kserve/metrics.py`,
    dcgm-exporter 4 `etc/default-counters.csv`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from advisor.errors import InputError

Names = tuple[str, ...]
"""Names of one quantity, newest first; the first that is present is used."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A serving engine and its metrics; an empty tuple where it has none."""

    id: str
    title: str
    prefix: str
    model_label: str
    runtime: str | None
    """What a workload calls it; None where it may be anything."""
    requests: Names
    """Counters of answered requests."""
    input_tokens: Names = ()
    """Histograms of the length of prompts."""
    output_tokens: Names = ()
    input_total: Names = ()
    """Counters of tokens, for a mean where there is no histogram."""
    output_total: Names = ()
    ttft_s: Names = ()
    tpot_s: Names = ()
    latency_s: Names = ()
    latency_total_us: Names = ()
    """Counters of the time that requests took together, in microseconds."""
    running: Names = ()
    waiting: Names = ()
    cache_ratio: Names = ()
    """Gauges of the share of the cache of keys and values in use."""
    prefix_hits: Names = ()
    prefix_queries: Names = ()
    prefix_ratio: Names = ()

    @property
    def writes_tokens(self) -> bool:
        """Whether it serves language models only."""
        return bool(self.tpot_s)


ENGINES = (
    Engine(
        "vllm", "vLLM", "vllm:", "model_name", "vllm",
        requests=("request_success", "e2e_request_latency_seconds_count"),
        input_tokens=("request_prompt_tokens",), output_tokens=("request_generation_tokens",),
        input_total=("prompt_tokens",), output_total=("generation_tokens",),
        ttft_s=("time_to_first_token_seconds",),
        tpot_s=("request_time_per_output_token_seconds", "inter_token_latency_seconds", "time_per_output_token_seconds"),
        latency_s=("e2e_request_latency_seconds",),
        running=("num_requests_running",), waiting=("num_requests_waiting",),
        cache_ratio=("kv_cache_usage_perc", "gpu_cache_usage_perc"),
        prefix_hits=("prefix_cache_hits", "gpu_prefix_cache_hits"),
        prefix_queries=("prefix_cache_queries", "gpu_prefix_cache_queries"),
        prefix_ratio=("gpu_prefix_cache_hit_rate",),
    ),
    Engine(
        "sglang", "SGLang", "sglang:", "model_name", "sglang",
        requests=("num_requests", "e2e_request_latency_seconds_count"),
        input_tokens=("prompt_tokens_histogram",), output_tokens=("generation_tokens_histogram",),
        input_total=("prompt_tokens",), output_total=("generation_tokens",),
        ttft_s=("time_to_first_token_seconds",),
        tpot_s=("inter_token_latency_seconds", "time_per_output_token_seconds"),
        latency_s=("e2e_request_latency_seconds",),
        running=("num_running_reqs",), waiting=("num_queue_reqs",), cache_ratio=("token_usage",),
        prefix_hits=("cached_tokens",), prefix_queries=("prompt_tokens",), prefix_ratio=("cache_hit_rate",),
    ),
    Engine(
        "tgi", "TGI", "tgi_", "model_name", "tgi",
        requests=("request_success", "request_count"),
        input_tokens=("request_input_length",), output_tokens=("request_generated_tokens",),
        tpot_s=("request_mean_time_per_token_duration",), latency_s=("request_duration",),
        running=("batch_current_size",), waiting=("queue_size",),
    ),
    Engine(
        "triton", "Triton", "nv_", "model", "triton",
        requests=("inference_request_success",), latency_total_us=("inference_request_duration_us",),
        waiting=("inference_pending_request_count",),
    ),
    Engine(
        "kserve", "KServe", "request_", "model_name", None,
        requests=("predict_seconds_count",), latency_s=("predict_seconds",),
    ),
)  # fmt: skip
GPU_UTILISATION = (("DCGM_FI_DEV_GPU_UTIL", 0.01), ("nv_gpu_utilization", 1.0))
"""Gauges of the busy share of each GPU, with the factor that makes it a share."""
GPU_NAME_LABEL = "modelName"
PATTERN = "(vllm[:_]|sglang[:_]|tgi_|nv_|DCGM_FI_|request_predict_).*"
"""Regular expression of every name that may be asked for."""


@dataclass(frozen=True, slots=True)
class Found:
    """An engine together with the names that are really there."""

    engine: Engine
    names: frozenset[str]

    def spellings(self, candidates: Names, *, counter: bool = False, ending: str = "") -> tuple[str, ...]:
        """Return the present spellings of the first candidate that has any.

        Args:
            candidates: Names without prefix, the preferred first.
            counter: Whether `_total` may be at the end.
            ending: Such as `_bucket`.
        """
        prefixes = (self.engine.prefix, self.engine.prefix.replace(":", "_"))
        endings = (f"{ending}_total", ending) if counter else (ending,)
        for candidate in candidates:
            written = dict.fromkeys(f"{prefix}{candidate}{end}" for prefix in prefixes for end in endings)
            present = tuple(name for name in written if name in self.names)
            if present:
                return present
        return ()


def engine_of(names: Iterable[str], wanted: str | None = None) -> Found:
    """Return the engine that has metrics of these names.

    A language-model engine hides Triton and KServe, which may be wrapped around it.

    Args:
        names: All names of metrics.
        wanted: The `id` of one, where several are there.

    Raises:
        InputError: There is none, or several, or not the wanted one.
    """
    present = frozenset(names)
    found = [engine for engine in ENGINES if Found(engine, present).spellings(engine.requests, counter=True)]
    if wanted is not None:
        found = [engine for engine in found if engine.id == wanted]
    if not found:
        raise InputError(_nothing(present, wanted))
    special = [engine for engine in found if engine.writes_tokens] or found[:1]
    if len(special) > 1:
        listed = ", ".join(engine.id for engine in special)
        raise InputError(
            f"there are metrics of several engines ({listed}); choose with --engine {special[0].id}"
        )
    return Found(special[0], present)


def _nothing(present: frozenset[str], wanted: str | None) -> str:
    titles: Sequence[str] = [engine.title for engine in ENGINES if wanted in {None, engine.id}]
    seen = f"; other metrics there: {', '.join(sorted(present)[:4])}" if present else ""
    return (
        f"no requests are counted by {', '.join(titles)} there{seen}. Is the engine scraped, is the selector right, "
        "and does the window reach back to when it ran?"
    )
