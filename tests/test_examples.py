"""The built-in workloads are plausible, complete and labelled."""

import csv
import statistics
from itertools import pairwise
from pathlib import Path

import pytest

from advisor.catalog import Catalog
from advisor.documents import packaged_names
from advisor.errors import UnknownName
from advisor.examples import EXAMPLES, example, example_text, is_example
from advisor.workload import Workload

TRACE = Path(__file__).parents[1].parent / "shared" / "measurements" / "trace_azure_llm_2023.csv"


@pytest.mark.parametrize(
    ("name", "family", "smallest", "largest"),
    [
        ("small-cnn", "cnn", 5e6, 15e6),
        ("medium-transformer", "encoder", 400e6, 600e6),
        ("large-llm", "decoder", 10e9, 1e12),
    ],
)
def test_each_size_that_people_talk_about_has_an_example(
    name: str, family: str, smallest: float, largest: float
):
    model = example(name).model
    assert family == model.family
    assert smallest < model.parameters < largest


def test_the_default_is_the_large_language_model():
    assert example().model.family == "decoder"
    assert example_text().startswith("# A chat service")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_states_everything_but_what_its_text_leaves_to_the_reader(name: str):
    left_open = {assumption.field for assumption in example(name).assumptions()}
    assert left_open <= {"traffic.requests_per_s", "traffic.growth_per_month", "serving.kv_precision"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_rate_length_and_limit_says_where_it_is_from(name: str):
    lines = example_text(name).splitlines()
    for key in ("requests_per_s", "arrival_cv", "instances", "baseline"):
        at = next(number for number, line in enumerate(lines) if line.strip().startswith(f"{key}:"))
        said = " ".join(lines[at - 1 : at + 1])
        assert "#" in said, f"{name}: {key} has no source"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_machine_of_an_example_is_in_the_catalogue(name: str):
    serving = example(name).serving
    machine = Catalog.load().instance(serving.instance_type, serving.provider, serving.region)
    assert "on-demand" in machine.prices
    assert serving.accelerators_per_replica <= machine.accelerator_count


def test_the_names_are_those_of_the_files():
    assert sorted(EXAMPLES) == packaged_names()
    assert all(is_example(name) for name in EXAMPLES)


def test_an_example_is_loaded_by_its_name():
    assert example("small-cnn") == Workload.load("small-cnn")


def test_an_unknown_example_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match=r"no example 'small-cn' is built in; did you mean 'small-cnn'\?"):
        example("small-cn")


@pytest.mark.skipif(
    not TRACE.exists(),
    reason="the public Azure LLM trace of 2023 lies beside the repository only where it is developed",
)
def test_the_chat_has_the_prompts_and_the_burstiness_of_the_public_trace():
    with TRACE.open() as file:
        rows = [(float(row["arrival_s"]), int(row["input_tokens"])) for row in csv.DictReader(file)]
    prompts = [tokens for _, tokens in rows]
    chat = example("large-llm")
    assert chat.requests.input_tokens.mean == pytest.approx(statistics.mean(prompts), rel=0.01)
    assert chat.requests.input_tokens.cv == pytest.approx(
        statistics.stdev(prompts) / statistics.mean(prompts), rel=0.01
    )
    assert chat.traffic.arrival_cv == pytest.approx(
        _median_cv_within_a_minute(sorted(at for at, _ in rows)), rel=0.02
    )


def _median_cv_within_a_minute(arrivals: list[float]) -> float:
    minutes: dict[int, list[float]] = {}
    for at in arrivals:
        minutes.setdefault(int(at // 60), []).append(at)
    spreads = []
    for inside in minutes.values():
        gaps = [later - earlier for earlier, later in pairwise(inside)]
        if len(inside) > 30:
            spreads.append(statistics.pstdev(gaps) / statistics.mean(gaps))
    return statistics.median(spreads)
