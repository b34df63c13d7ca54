"""Files from outside that were cut, mixed up, made up or are endless: a refusal in words, within bounded memory and time."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor import Requirements, recommend
from advisor.errors import AdvisorError
from advisor.examples import example_text

sys.path.insert(0, str(Path(__file__).parent))
from hostile_readers import READERS, bounded

FUZZ = settings(
    max_examples=8,
    deadline=3000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MEMORY_BYTES = 1_200_000_000
NASTY = (
    *(b"\x00", b"\xff\xfe", b"\n", b'"', b"'", b"{", b"[", b"]" * 50, b",", b":", b"- ", b"&a *a", b"!!python/object:os.system "),
    *(b"1e999", b"-1", b"0", b"nan", b"Infinity", b"9" * 400, b"1" * 5000, b"null", b"true", b"\xf0\x9f\x92\xa9", b"<script>"),
    *(b"/etc/passwd", b"\x1b[31m", b"%s%n", b"  " * 40, b"\r\n", b"\t", b"../" * 20),
)  # fmt: skip


@cache
def plan_text() -> bytes:
    """A stored plan."""
    return recommend("small-cnn", Requirements(max_accuracy_loss="1%")).model_dump_json(indent=1).encode()


@cache
def sample(name: str) -> bytes:
    """A good file for a reader."""
    if name == "plan.json":
        return plan_text()
    if name == "workload.json":
        return json.dumps(
            {
                "model": {"config": "nowhere.json"},
                "measurements": [{"option": "quantization=fp8", "baseline": "83%", "optimized": 0.8}],
                "requests": {"input_tokens": {"p50": 1, "p99": 9}, "output_tokens": 4},
                "traffic": {"requests_per_s": {"p50": 1, "p99": 3, "mean": 1.1}},
                "serving": {"instance_type": "g6.xlarge"},
            }
        ).encode()
    return {
        "workload.yaml": example_text("large-llm"),
        "requirements.yaml": "max_accuracy_loss: 1%\nlatency: {ttft_p99: 800ms}\nbudget: $20k/month\nquotas: {p5.48xlarge: 4}\n",
        "config.json": '{"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, '
        '"num_attention_heads": 4, "vocab_size": 1000, "torch_dtype": "bfloat16", "quantization_config": {"bits": 4}}',
        "metrics.txt": '# TYPE vllm:request_success_total counter\nvllm:request_success_total{model_name="a"} 5.0\n'
        'vllm:time_to_first_token_seconds_bucket{le="0.1",model_name="a"} 3\nvllm:time_to_first_token_seconds_count{model_name="a"} 5\n',
        "prices.csv": "provider,region,name,on_demand_usd_per_h\naws,us-east-1,g4dn.xlarge,3\n",
        "trace.csv": "arrival_s,input_tokens,output_tokens\n0,100,10\n1.5,50,20\n3,10,1\n",
        "trace.jsonl": "".join(f'{{"timestamp": {1000 * n}, "input_length": 10, "output_length": 3, "hash_ids": [1]}}\n' for n in range(3)),
        "benchmark.json": '{"backend": "vllm", "model_id": "a", "date": "20260101-000000", "num_prompts": 8, "request_rate": 2.0, '
        '"completed": 8, "total_input_tokens": 800, "total_output_tokens": 80, "duration": 4.0, "request_throughput": 2.0, "mean_ttft_ms": 30.0, "mean_tpot_ms": 8.0}',
        "points.csv": "id,strategy,variant,model\n1,quantization,int8,resnet50\n2,pruning,2:4,bert-base\n",
        "bill.csv": "BilledCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ServiceName,ChargeCategory,EffectiveCost\n"
        "1.5,USD,2026-10-01T00:00:00Z,2026-10-01T01:00:00Z,Amazon EC2,Usage,1.2\n",
    }[name].encode()  # fmt: skip


def damaged(good: bytes, seed: int) -> bytes:
    """A file with a few parts cut, doubled, swapped, overwritten, or with something nasty in between."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    text = bytearray(good)
    for _ in range(chance.randint(1, 5)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice((0, 1, 3, 20, 400)))
        part = bytes(text[start:end])
        text[start:end] = chance.choice(
            (b"", part * 2, part[::-1], chance.choice(NASTY), part + chance.choice(NASTY))
        )
    return bytes(text)


def read(name: str, content: bytes, folder: Path) -> None:
    """Read a file; a refusal must be one for people."""
    path = folder / name
    path.write_bytes(content)
    try:
        READERS[name](path)
    except AdvisorError as error:
        told = str(error)
    else:
        told = "read"
    assert 0 < len(told) < 6000


@pytest.mark.parametrize("name", READERS)
class TestReaders:
    def test_the_good_file_is_read(self, tmp_path: Path, name: str) -> None:
        if name in {"workload.json", "metrics.txt", "bill.csv"}:
            pytest.skip("it names what is not there, or is too short to say anything")
        (tmp_path / name).write_bytes(sample(name))
        READERS[name](tmp_path / name)

    @FUZZ
    @given(content=st.binary(max_size=300))
    def test_made_up_bytes_are_refused_in_words(self, tmp_path: Path, name: str, content: bytes) -> None:
        read(name, content, tmp_path)

    @FUZZ
    @given(seed=st.integers(0, 2**32))
    def test_a_damaged_file_is_read_or_refused_in_words(self, tmp_path: Path, name: str, seed: int) -> None:
        read(name, damaged(sample(name), seed), tmp_path)

    @pytest.mark.parametrize("kind", ["folder", "missing", "empty", "device"])
    def test_what_is_no_file_is_refused_in_words(self, tmp_path: Path, name: str, kind: str) -> None:
        path = tmp_path / name
        if kind == "folder":
            path.mkdir()
        elif kind == "empty":
            path.touch()
        elif kind == "device":
            path.symlink_to("/dev/null")
        with pytest.raises(AdvisorError):
            READERS[name](path)

    def test_a_file_without_end_does_not_fill_the_memory(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        with path.open("wb") as file:  # a sparse file: three gigabytes that take no place
            file.write(sample(name)[:40])
            file.truncate(3_000_000_000)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(
            ["hostile_readers", "advisor.api", "advisor.observing", "advisor.traces.lazy", "polars"]
        )
        process = context.Process(target=bounded, args=(path, name, MEMORY_BYTES))
        process.start()
        process.join(timeout=30)
        alive = process.is_alive()
        process.kill()
        os.truncate(path, 0)
        assert (False, 0) == (alive, process.exitcode)


def small_json() -> st.SearchStrategy[object]:
    """Values of any shape."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3), max_leaves=8)  # fmt: skip


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where a document holds something."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in inside for place in places(inner, (*path, key)))]


class TestAnswers:
    """What the HTTP server computes from, with one value replaced: an answer or a refusal, never a fault."""

    @settings(max_examples=25, deadline=20_000, suppress_health_check=[HealthCheck.too_slow])
    @given(
        seed=st.integers(0, 2**32), value=small_json() | st.sampled_from([-1, 0, 1e300, "1e400%", "", [], {}])
    )
    def test_a_plan_with_one_value_replaced_is_checked_or_refused(self, seed: int, value: object) -> None:
        from advisor.server.answers import Settings, answer
        from advisor.solver import SolverSettings

        document = {"plan": json.loads(plan_text())}
        *parents, last = random.Random(seed).choice(places(document["plan"])[1:])  # noqa: S311 - no secret
        inner: object = document["plan"]
        for key in parents:
            inner = inner[key]  # type: ignore[index]
        inner[last] = value  # type: ignore[index]
        found = answer("check", json.dumps(document).encode(), Settings(None, SolverSettings(time_limit_s=5)))
        assert found.status in {200, 400, 422}, (parents, last, value, found.content)
