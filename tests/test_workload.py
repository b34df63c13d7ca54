"""What a user writes down, and what is said about mistakes."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from advisor.accuracy.taxonomy import TASK_CLASSES
from advisor.errors import InputError
from advisor.models import find_model
from advisor.workload import TASKS, Workload

CHAT = """\
model: llama-3.1-8b
requests:
  input_tokens: 500
  output_tokens: {mean: 100}
traffic:
  requests_per_s: 24
serving:
  instance_type: g5.xlarge
"""


def chat(**changes: Any) -> Workload:
    document: dict[str, Any] = {
        "model": "llama-3.1-8b",
        "requests": {"input_tokens": 500, "output_tokens": 100},
        "traffic": {"requests_per_s": 24},
        "serving": {"instance_type": "g5.xlarge"},
    }
    return Workload.load(document | changes)


def refused(tmp_path: Path, text: str) -> str:
    file = tmp_path / "chat.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        Workload.load(file)
    return str(caught.value)


class TestLoading:
    def test_a_short_document_is_enough(self, tmp_path: Path):
        (tmp_path / "chat.yaml").write_text(CHAT)
        workload = Workload.load(tmp_path / "chat.yaml")
        assert workload.model == find_model("llama-3.1-8b")
        assert workload.name == "Llama-3.1-8B"

    def test_json_and_yaml_and_a_mapping_say_the_same(self, tmp_path: Path):
        (tmp_path / "chat.yaml").write_text(json.dumps(chat().model_dump(mode="json"), indent=2))
        (tmp_path / "chat.json").write_text(json.dumps(chat().model_dump(mode="json")))
        assert chat() == Workload.load(str(tmp_path / "chat.yaml")) == Workload.load(tmp_path / "chat.json")

    def test_a_workload_is_itself(self):
        workload = chat()
        assert Workload.load(workload) is workload

    def test_a_path_inside_a_document_starts_at_the_document(self, tmp_path: Path):
        config = {
            "model_type": "llama",
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "vocab_size": 100,
        }
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "config.json").write_text(json.dumps(config))
        (tmp_path / "chat.yaml").write_text(CHAT.replace("llama-3.1-8b", "model/config.json"))
        assert Workload.load(tmp_path / "chat.yaml").model.layers == 2

    def test_a_file_called_like_an_example_is_read_instead_of_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        (tmp_path / "large-llm").write_text(CHAT)
        monkeypatch.chdir(tmp_path)
        assert Workload.load("large-llm").name == "Llama-3.1-8B"

    def test_a_name_near_an_example_is_answered_with_it(self):
        with pytest.raises(InputError, match=r"there is no file 'larg-llm'; did you mean 'large-llm'\?"):
            Workload.load("larg-llm")

    def test_a_workload_survives_json_and_pickle(self):
        workload = chat(limits={"ttft_p99": "800ms"})
        assert workload == Workload.model_validate_json(workload.model_dump_json())
        assert workload == Workload.load(workload.model_dump())
        assert workload == pickle.loads(pickle.dumps(workload))  # noqa: S301 - our own bytes

    def test_a_workload_cannot_be_changed(self):
        with pytest.raises(ValueError, match="frozen"):
            chat().name = "x"  # type: ignore[misc]

    def test_the_digest_depends_on_content_and_not_on_the_order_of_keys(self):
        document = chat().model_dump(mode="json")
        backwards = dict(reversed(document.items()))
        assert chat().digest() == Workload.load(backwards).digest()
        assert chat().digest() != chat(horizon_months=6).digest()
        assert len(chat().digest()) == 64


class TestMistakes:
    """Each message names the line, the key, what was given and what was meant."""

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("24", "-24", "chat.yaml line 6: traffic.requests_per_s: got -24; expected a rate of 0 or more"),
            ("24", ".nan", "chat.yaml line 6: traffic.requests_per_s: got nan, which is not a finite number"),
            ("24", "[]", "chat.yaml line 6: traffic.requests_per_s: got no hourly values; expected 24 (a day)"),
            ("llama-3.1-8b", "lama-3.1-8b", "chat.yaml line 1: model: no model 'lama-3.1-8b' is built in"),
            ("llama-3.1-8b", "nope.json", "chat.yaml line 1: model: there is no file"),
            ("llama-3.1-8b", "[1]", "chat.yaml line 1: model: got a list; expected keys such as name, family"),
            ("llama-3.1-8b", "{name: x, family: cnn, parameters: 3M}", "the cnn 'x' lacks macs_per_item"),
            ("model: llama-3.1-8b\n", "", "chat.yaml line 1: model: this is missing; expected a built-in name"),
            ("  output_tokens: {mean: 100}\n", "", "chat.yaml line 2: requests.output_tokens: this is missing or 0; a decoder needs it"),
            ("{mean: 100}", "{mean: 3, cvv: 2}", "chat.yaml line 4: requests.output_tokens.cvv: this key is unknown; did you mean 'cv'?"),
            ("instance_type", "instance_typ", "serving.instance_typ: this key is unknown; did you mean 'instance_type' or 'instances'?"),
            ("traffic:", "trafic:", "chat.yaml line 5: trafic: this key is unknown; did you mean 'traffic'?"),
            ("model:", "instances: 3\nmodel:", "chat.yaml line 1: instances: this key is unknown here; it belongs under serving"),
            ("model:", "ttft_p99: 3s\nmodel:", "chat.yaml line 1: ttft_p99: this key is unknown here; it belongs under limits"),
            ("model:", "limits: {ttft_p9: 3s}\nmodel:", "chat.yaml line 1: limits.ttft_p9: this key is unknown; did you mean 'ttft_p99'"),
            ("model:", "limits: {ttft_p99: 3}\nmodel:", "limits.ttft_p99: got 3 without a unit; say '3ms' or '3s'"),
            ("model:", "limits: {ttft_p99: 0s}\nmodel:", "limits.ttft_p99: got 0; expected a duration above 0"),
            ("model:", "limits: {e2e_p99: 3s, latency_p99: 4s}\nmodel:", "latency_p99 limits the same as a key before it"),
            ("g5.xlarge", "g5.xlarge\n  purchase: spott", "chat.yaml line 9: serving.purchase: got 'spott'; did you mean 'spot'?"),
            ("g5.xlarge", "g5.xlarge\n  instances: 2.5", "serving.instances: got 2.5; expected a whole number"),
            ("g5.xlarge", "g5.xlarge\n  instances: 0", "serving.instances: got 0; expected 1 or more"),
            ("g5.xlarge", "g5.xlarge\n  price: 3", "serving.price: got 3 without a unit; say '$3/h'"),
            ("g5.xlarge", "g5.xlarge\n  price: .nan", "serving.price: got nan, which is not a finite number"),
            ("g5.xlarge", "g5.xlarge\n  price: $1/h\n  price_usd_per_h: 2", "'price' and 'price_usd_per_h' say the same; keep one"),
            ("g5.xlarge", "g5.xlarge\n  target_utilization: 100%", "got '100%'; expected less than 1"),
            ("24", "24\n  arrival_cv: 0", "chat.yaml line 7: traffic.arrival_cv: got 0; expected more than 0"),
            ("model:", "accuracy: {baseline: 76}\nmodel:", "accuracy.baseline: got 76 without a unit; say '76%'"),
            ("model:", "task: chta\nmodel:", "task: got 'chta'; expected one of mixed, knowledge"),
            ("model:", "name: [x]\nmodel:", "name: got a list; expected text"),
            ("input_tokens: 500", "input_tokens: 500\n  image_size_px: 224", "requests.image_size_px: the decoder 'Llama-3.1-8B' has none"),
        ],
    )  # fmt: skip
    def test_a_mistake_is_answered_in_words(self, tmp_path: Path, old: str, new: str, message: str):
        assert message in refused(tmp_path, CHAT.replace(old, new, 1))

    def test_all_mistakes_are_reported_at_once(self, tmp_path: Path):
        text = CHAT.replace("24", "-24").replace("500", "many") + "horizon_months: 0\n"
        lines = refused(tmp_path, text).splitlines()
        assert lines[0] == "chat.yaml has 3 problems:"
        assert [line.split(":")[0] for line in lines[1:]] == [
            "  - chat.yaml line 3",
            "  - chat.yaml line 6",
            "  - chat.yaml line 9",
        ]

    def test_a_mapping_has_no_lines(self):
        with pytest.raises(InputError, match=r"^workload: traffic\.requests_per_s: got -1;"):
            chat(traffic={"requests_per_s": -1})

    @pytest.mark.parametrize("key", ["ttft_p99", "tpot_mean"])
    def test_a_model_that_writes_no_tokens_has_no_limit_on_them(self, key: str):
        with pytest.raises(InputError, match=rf"limits\.{key}: only a decoder writes tokens; limit latency_"):
            Workload.load(Workload.load("small-cnn").model_dump() | {"limits": {key: "1s"}})

    def test_html_in_a_name_is_only_text(self):
        assert chat(name="<script>alert(1)</script>").name == "<script>alert(1)</script>"


MEASURED = "option: quantization=fp8, baseline: 83.6%, optimized: 83.1%, samples: 14042"


class TestMeasurements:
    def test_a_line_says_the_metric_before_and_after_and_its_samples(self):
        line = {
            "option": "quantization=fp8",
            "metric": "MMLU",
            "baseline": "83.6%",
            "optimized": "83.1%",
            "samples": 14042,
            "task": "Maths",
        }
        (entry,) = chat(measurements=[line]).measurements
        (result,) = entry.results
        assert (result.metric, result.baseline, result.optimized, result.samples) == (
            "MMLU",
            0.836,
            0.831,
            14042,
        )
        assert (entry.label, result.task) == ("quantization=fp8", "maths-code")

    def test_two_runs_of_the_harness_are_read_once_from_beside_the_document(self, tmp_path: Path):
        for name, value in (("today", 0.80), ("fp8", 0.79)):
            document = {
                "results": {"gsm8k": {"exact_match,none": value}},
                "n-samples": {"gsm8k": {"effective": 1319}},
            }
            (tmp_path / f"{name}.json").write_text(json.dumps(document))
        text = (
            CHAT
            + "measurements:\n  - {option: quantization=fp8, lm_eval: {baseline: today.json, optimized: fp8.json}}\n"
        )
        (tmp_path / "chat.yaml").write_text(text)
        workload = Workload.load(tmp_path / "chat.yaml")
        (result,) = workload.measurements[0].results
        assert (result.baseline, result.optimized, result.samples, result.task) == (
            0.80,
            0.79,
            1319,
            "maths-code",
        )
        (tmp_path / "today.json").unlink()
        assert workload == Workload.load(workload.model_dump())
        assert workload == Workload.model_validate_json(workload.model_dump_json())
        assert workload.digest() != chat().digest()

    def test_options_that_were_on_together_are_one_measurement(self):
        line = {
            "option": ["quantization=fp8", "pruning=2:4"],
            "baseline": 0.8,
            "optimized": 0.79,
            "samples": 500,
        }
        assert chat(measurements=[line]).measurements[0].label == "quantization=fp8 + pruning=2:4"

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            (MEASURED.replace("83.6%", "83.6"), "chat.yaml line 10: measurements[0].baseline: got 83.6 without a unit; say '83.6%'"),
            (MEASURED.replace("83.6%", "0%"), "measurements[0].baseline: got '0%'; expected more than 0"),
            (MEASURED.replace(", samples: 14042", ""), "measurements[0]: samples is missing; expected baseline, optimized and samples"),
            (MEASURED.replace("samples: 14042", "samples: 0"), "measurements[0].samples: got 0; expected 1 or more"),
            (MEASURED.replace("quantization=fp8", "fp8"), "measurements[0].option: got 'fp8'; expected a strategy and its option"),
            (MEASURED.replace("option: quantization=fp8", "treatment: fp8"), "measurements[0].treatment: no treatment 'fp8' is known; did you mean"),
            (MEASURED.replace("option: quantization=fp8, ", ""), "this needs either an option, such as 'option: quantization=fp8', or a treatment"),
            (MEASURED.replace("optimized", "optimised"), "measurements[0].optimised: this key is unknown; did you mean 'optimized'?"),
            (MEASURED + ", task: knowlege", "measurements[0].task: got 'knowlege'; did you mean 'knowledge'?"),
            (MEASURED + ", discordant: [9000, 9000]", "measurements[0].discordant: got 18000 disagreements among 14042 samples"),
            ("option: quantization=fp8, lm_eval: {baseline: a.json, optimized: b.json}", "chat.yaml line 10: measurements[0].lm_eval: cannot read"),
            ("option: quantization=fp8, lm_eval: {baseline: a.json}", "measurements[0].lm_eval.optimized: this is missing"),
        ],
    )  # fmt: skip
    def test_a_mistake_is_answered_with_its_line(self, tmp_path: Path, line: str, message: str):
        assert message in refused(tmp_path, f"{CHAT}measurements:\n  - {{{line}}}\n")

    def test_a_value_stated_beside_two_files_is_refused(self, tmp_path: Path):
        (tmp_path / "r.json").write_text(
            json.dumps({"results": {"arc": {"acc": 0.5}}, "n-samples": {"arc": {"effective": 9}}})
        )
        line = "{option: quantization=fp8, samples: 9, lm_eval: {baseline: r.json, optimized: r.json}}"
        assert "measurements[0].samples: lm_eval says it" in refused(
            tmp_path, f"{CHAT}measurements:\n  - {line}\n"
        )

    def test_the_schema_describes_every_field(self):
        schema = Workload.model_json_schema(mode="validation")
        assert "replaces what is published" in schema["properties"]["measurements"]["description"]
        for name in ("OwnMeasurement", "LmEvaluation", "EvaluationResult"):
            assert all("description" in field for field in schema["$defs"][name]["properties"].values()), name


class TestUnits:
    def test_a_key_without_its_unit_takes_the_number_with_it(self):
        serving = chat(serving={"instance_type": "x", "price": "$2.50/h", "max_queue_delay": "5ms"}).serving
        assert (serving.price_usd_per_h, serving.max_queue_delay_s) == (2.5, 0.005)

    def test_a_key_with_its_unit_takes_a_bare_number_or_text(self):
        for price in (2.5, "2.5", "$2.50/h"):
            assert (
                chat(serving={"instance_type": "x", "price_usd_per_h": price}).serving.price_usd_per_h == 2.5
            )

    def test_limits_are_read_in_any_order_and_case(self):
        limits = {"TTFT-p99": "800ms", "p95_tpot": "40ms", "e2e_p50": "10s", "latency_mean_s": 5}
        assert chat(limits=limits).limits == {
            "latency_mean": 5.0,
            "latency_p50": 10.0,
            "tpot_p95": 0.04,
            "ttft_p99": 0.8,
        }

    @pytest.mark.parametrize(
        ("section", "key", "written", "meant"),
        [
            ("serving", "runtime", "TensorRT-LLM", "trtllm"),
            ("serving", "precision", "FP16", "fp16"),
            ("serving", "precision", "bfloat16", "bf16"),
            ("serving", "kv_precision", "auto", "bf16"),
            ("serving", "purchase", "On-Demand", "on-demand"),
            ("serving", "provider", "AWS", "aws"),
        ],
    )
    def test_words_are_read_in_the_spellings_people_use(
        self, section: str, key: str, written: str, meant: str
    ):
        workload = chat(**{section: {"instance_type": "x", key: written}})
        assert meant == getattr(getattr(workload, section), key)


class TestAssumptions:
    def test_what_was_not_given_follows_from_the_model_and_is_named(self):
        workload = chat()
        assert (workload.serving.precision, workload.serving.runtime) == ("bf16", "vllm")
        assert [
            "task", "requests.input_tokens", "requests.output_tokens", "requests.prefix_share", "traffic.requests_per_s",
            "traffic.arrival_cv", "traffic.growth_per_month", "serving.instances", "serving.accelerators_per_replica",
            "serving.precision", "serving.kv_precision", "serving.runtime", "serving.max_batch", "serving.purchase",
            "serving.scaling", "horizon_months", "engineer_usd_per_h",
        ] == [assumption.field for assumption in workload.assumptions()]  # fmt: skip

    def test_what_was_given_is_no_assumption(self):
        given = {"requests_per_s": [1] * 168, "arrival_cv": 1, "growth_per_month": 0}
        fields = {
            assumption.field
            for assumption in chat(traffic=given, task="chat", horizon_months=12).assumptions()
        }
        assert (
            not {
                "traffic.arrival_cv",
                "traffic.growth_per_month",
                "traffic.requests_per_s",
                "task",
                "horizon_months",
            }
            & fields
        )

    def test_every_assumption_says_its_value_and_what_it_means(self):
        for workload in (chat(), Workload.load("small-cnn"), Workload.load("medium-transformer")):
            for assumption in workload.assumptions():
                assert assumption.value
                assert assumption.text

    def test_a_cnn_without_an_image_size_gets_its_own(self):
        document = Workload.load("small-cnn").model_dump(exclude={"requests"})
        workload = Workload.load(document)
        assert workload.requests.image_size_px.mean == 224
        assert "requests.image_size_px" in [assumption.field for assumption in workload.assumptions()]


def test_every_class_of_task_is_one_that_the_accuracy_model_knows():
    assert TASK_CLASSES == TASKS


def test_the_schema_describes_every_key():
    schema = Workload.model_json_schema()
    sections = [schema, *schema["$defs"].values()]
    described = [field for section in sections for field in section.get("properties", {}).values()]
    assert len(described) > 50
    assert all(field.get("description") for field in described)


def test_the_schema_accepts_what_the_examples_write():
    jsonschema = pytest.importorskip("jsonschema", reason="the test extra brings it")
    from advisor.documents import parse_document
    from advisor.examples import EXAMPLES, example_text

    for name in EXAMPLES:
        document = parse_document(example_text(name), source=name)
        jsonschema.validate(document.data, Workload.model_json_schema())
