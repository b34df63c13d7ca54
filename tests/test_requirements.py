"""What must hold and what is made smallest."""

import pickle
from datetime import timedelta
from inspect import signature
from pathlib import Path

import pytest

from advisor.errors import InputError
from advisor.requirements import Requirements
from advisor.units import AccuracyLimit
from advisor.workload import Workload

CHAT = Workload.load("large-llm")


def test_nothing_required_limits_nothing():
    free = Requirements()
    assert {} == free.limited_attributes() == free.accuracy_limits(CHAT)
    assert (0.0, ("cost",)) == (free.min_requests_per_s(CHAT), free.objective)


def test_units_are_read_as_people_write_them():
    asked = Requirements(
        max_accuracy_loss="1%",
        confidence="90%",
        latency={"ttft_p99": "800ms", "tpot_p99": timedelta(milliseconds=40)},
        max_memory="80GB",
        budget="$20k/month",
        one_time_budget="$5k",
        max_carbon="2t/month",
        providers="aws, gcp",
        quotas={"p5.48xlarge": 4},
        without=["pruning", "quantization=fp4*"],
        objective="carbon",
    )
    assert AccuracyLimit(value_ratio=0.01) == asked.max_accuracy_loss
    assert (0.9, 80e9, ("aws", "gcp"), ("carbon",)) == (
        asked.confidence,
        asked.max_memory_bytes,
        asked.providers,
        asked.objective,
    )
    assert asked.latency == {"tpot_p99": 0.04, "ttft_p99": 0.8}
    assert asked.limited_attributes() == {"cost": 20000.0, "carbon": 2000.0, "one-time": 5000.0}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_accuracy_loss": 1}, "max_accuracy_loss: got 1 without a unit; say '1%'"),
        ({"max_accuracy_loss": "1 %%"}, "max_accuracy_loss: got '1 %%' with the unknown unit '%%'"),
        ({"max_acuracy_loss": "1%"}, "this key is unknown; did you mean 'max_accuracy_loss'?"),
        ({"budget": 20000}, "budget: got 20000 without a unit; say '$20000/month'"),
        ({"budget": "$20k"}, "does not say per what"),
        ({"latency": {"ttft_p99": 0.8}}, "latency.ttft_p99: got 0.8 without a unit"),
        ({"latency": {"ttfb_p99": "1s"}}, "latency.ttfb_p99: this key is unknown; did you mean 'ttft_p99'"),
        ({"objective": "speed"}, "got 'speed'; expected one of cost, accuracy, latency, carbon"),
        ({"objective": ["cost", "cost"]}, "objective: got cost, cost; expected distinct goals"),
        ({"objective": []}, "objective: got nothing; expected distinct goals"),
        ({"confidence": "40%"}, "confidence: got '40%'; expected 0.5 or more"),
        ({"confidence": 90}, "confidence: got 90 without a unit; say '90%'"),
        ({"quotas": {"p5.48xlarge": -1}}, "quotas.p5.48xlarge: got -1; expected 0 or more"),
        ({"slices": {"tool-us": "1%"}}, "slices.tool-us: this key is unknown; did you mean 'tool-use'"),
        ({"min_throughput": "3 potatoes/s"}, "min_throughput: got '3 potatoes/s' with the unknown unit"),
        ({"max_memory": "0GB"}, "max_memory: got '0GB'; expected more than 0"),
    ],
)
def test_a_wrong_argument_is_answered_in_words(wrong: dict[str, object], message: str):
    with pytest.raises(InputError) as caught:
        Requirements(**wrong)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_stated_latency_wins_over_that_of_the_workload():
    merged = Requirements(latency={"ttft_p99": "1s", "latency_p95": "20s"}).with_limits(CHAT)
    assert merged.latency == {"latency_p95": 20.0, "tpot_p99": CHAT.limits["tpot_p99"], "ttft_p99": 1.0}


def test_a_limit_on_tokens_needs_a_model_that_writes_them():
    with pytest.raises(InputError, match="ttft_p99: the cnn 'resnet18' writes no tokens; limit latency_p99"):
        Requirements(latency={"ttft_p99": "1s"}).with_limits(Workload.load("small-cnn"))


def test_a_limit_in_points_is_relative_to_the_baseline_of_its_slice():
    workload = Workload.load(
        CHAT.model_dump() | {"accuracy": {"baseline": "80%", "slices": {"tool-use": "50%"}}}
    )
    asked = Requirements(max_accuracy_loss="1pp", slices={"tools": "1pp", "maths": "1pp"})
    assert asked.accuracy_limits(workload) == {None: 0.0125, "maths-code": 0.0125, "tool-use": 0.02}


def test_a_limit_in_points_without_a_baseline_says_what_to_add():
    workload = Workload.load(CHAT.model_dump(exclude={"accuracy"}))
    with pytest.raises(InputError, match=r"accuracy\.baseline in the workload"):
        Requirements(max_accuracy_loss="1pp").accuracy_limits(workload)


def test_throughput_is_in_requests_or_in_written_tokens():
    assert Requirements(min_throughput="50/s").min_requests_per_s(CHAT) == 50
    assert (
        Requirements(min_throughput="5000 tokens/s").min_requests_per_s(CHAT)
        == 5000 / CHAT.requests.output_tokens.mean
    )
    with pytest.raises(InputError, match="writes no tokens"):
        Requirements(min_throughput="5 tokens/s").min_requests_per_s(Workload.load("small-cnn"))


def test_requirements_survive_json_and_pickle_and_load():
    asked = Requirements(
        max_accuracy_loss="1pp",
        slices={"tool-use": "2%"},
        latency={"tpot_p99": "30ms"},
        min_throughput="9 tokens/s",
        budget="$1k/month",
    )
    assert asked == Requirements.model_validate_json(asked.model_dump_json())
    assert asked == Requirements.load(asked.model_dump())
    assert asked == pickle.loads(pickle.dumps(asked))  # noqa: S301 - our own bytes
    assert Requirements.load(asked) is asked


def test_requirements_are_read_from_a_file_with_lines(tmp_path: Path):
    (tmp_path / "limits.yaml").write_text("max_accuracy_loss: 1%\nbudget: $20k/month\n")
    assert Requirements.load(tmp_path / "limits.yaml") == Requirements(
        max_accuracy_loss="1%", budget="$20k/month"
    )
    (tmp_path / "limits.yaml").write_text("max_accuracy_loss: 1%\nbudget: 20k\n")
    with pytest.raises(InputError, match=r"limits\.yaml line 2: budget: got '20k' without a currency"):
        Requirements.load(str(tmp_path / "limits.yaml"))


def test_the_schema_describes_every_key():
    assert all(field.get("description") for field in Requirements.model_json_schema()["properties"].values())


def test_every_key_is_among_the_arguments_shown():
    assert set(Requirements.model_fields) == set(signature(Requirements).parameters)
