"""A workload whose traffic is a trace of requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from advisor import InputError, Requirements, Workload, recommend
from advisor.fleet import Fleet
from advisor.sealed import without_files
from advisor.traces import read_trace, summarize
from advisor.traffic import RateQuantiles
from tests.builders import a_workload, an_llm


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an hour of 3,600 requests, and a workload beside it that names them."""
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0.0, 3600.0, 3600))
    rows = [
        f"{time:.3f},{size},{size // 4 + 1},{'ab'[size % 2]}"
        for time, size in zip(times, rng.integers(100, 900, 3600), strict=True)
    ]
    (tmp_path / "requests.csv").write_text("\n".join(["arrival_s,input_tokens,output_tokens,service", *rows]))
    fields = an_llm().model_dump(mode="json", exclude_unset=True)
    del fields["requests"]
    fields["traffic"] = {"trace": "requests.csv"}
    (tmp_path / "advisor.yaml").write_text(yaml.safe_dump(fields))
    return tmp_path


def edited(folder: Path, **traffic: Any) -> Path:
    fields = yaml.safe_load((folder / "advisor.yaml").read_text())
    fields["traffic"] = {"trace": "requests.csv", **traffic}
    (folder / "advisor.yaml").write_text(yaml.safe_dump(fields))
    return folder / "advisor.yaml"


def test_takes_rates_burstiness_and_lengths_from_the_file_beside_it(folder: Path) -> None:
    workload = Workload.load(folder / "advisor.yaml")
    stated = summarize(read_trace(folder / "requests.csv")).workload_fields()
    assert workload.traffic.mean_requests_per_s == pytest.approx(1.0, rel=0.02)
    assert workload.traffic.arrival_cv == stated["traffic"]["arrival_cv"]
    assert workload.requests.input_tokens.mean == stated["requests"]["input_tokens"]["mean"]
    assert workload.requests.output_tokens.mean == stated["requests"]["output_tokens"]["mean"]


def test_what_is_stated_stays_as_stated(folder: Path) -> None:
    fields = yaml.safe_load(edited(folder, arrival_cv=7, growth_per_month="5%").read_text())
    fields["requests"] = {"output_tokens": 50}
    (folder / "advisor.yaml").write_text(yaml.safe_dump(fields))
    workload = Workload.load(folder / "advisor.yaml")
    assert (7.0, 0.05) == (workload.traffic.arrival_cv, workload.traffic.growth_per_month)
    assert 50.0 == workload.requests.output_tokens.mean
    assert 400.0 < workload.requests.input_tokens.mean < 600.0


def test_keeps_the_rows_asked_for(folder: Path) -> None:
    workload = Workload.load(edited(folder, where={"service": "a"}))
    assert workload.traffic.mean_requests_per_s == pytest.approx(0.5, rel=0.1)


def test_a_stored_plan_needs_the_file_no_more_and_names_it_with_its_hash(folder: Path) -> None:
    found = recommend(folder / "advisor.yaml", Requirements(without=("*",)))
    (folder / "requests.csv").unlink()
    assert found.inputs is not None
    again = Workload.load(dict(found.inputs.services[0].workload))
    assert "requests.csv" == again.traffic.trace
    assert 64 == len(again.traffic.trace_sha256 or "")
    assert found.provenance.workload_digest == again.digest()


def test_another_file_is_another_workload_and_one_that_was_pinned_is_refused(folder: Path) -> None:
    before = Workload.load(folder / "advisor.yaml")
    with (folder / "requests.csv").open("a") as file:
        file.write("\n3600.5,100,20,a")
    assert before.digest() != Workload.load(folder / "advisor.yaml").digest()
    pinned = edited(folder, trace_sha256=before.traffic.trace_sha256)
    with pytest.raises(InputError, match="has the SHA-256"):
        Workload.load(pinned)


@pytest.mark.parametrize(
    ("traffic", "message"),
    [
        ({"requests_per_s": 3}, "a trace and rates are given"),
        ({"trace": "none.csv"}, "none.csv"),
        ({"where": ["a"]}, "expected a column and its value"),
        ({"where": {"colour": "a"}}, "no column 'colour'"),
    ],
)
def test_says_what_is_wrong_and_where(folder: Path, traffic: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Workload.load(edited(folder, **traffic))
    assert "advisor.yaml line" in str(caught.value)


def test_no_file_is_read_for_a_stranger(folder: Path) -> None:
    fields = yaml.safe_load((folder / "advisor.yaml").read_text())
    fields["traffic"] = {"trace": str(folder / "requests.csv")}
    with without_files(), pytest.raises(InputError, match="no file is read here"):
        Workload.load(fields)


def test_lengths_of_a_trace_are_nothing_to_a_model_without_tokens(folder: Path) -> None:
    fields = a_workload().model_dump(mode="json", exclude_unset=True)
    fields["traffic"] = {"trace": str(folder / "requests.csv")}
    assert 0.0 == Workload.load(fields).requests.input_tokens.mean


def test_a_service_may_follow_a_trace_in_place_of_the_rates_of_its_base(folder: Path) -> None:
    entry = {"name": "a", "base": "large-llm", "traffic": {"trace": "requests.csv"}}
    (folder / "fleet.yaml").write_text(yaml.safe_dump({"services": [entry]}))
    (service,) = Fleet.load([folder / "fleet.yaml"]).services
    assert service.workload.traffic.mean_requests_per_s == pytest.approx(1.0, rel=0.02)


def test_quiet_hours_may_be_stated_by_quantiles() -> None:
    # Linear from 0 at the quietest to 40/s at the busiest: the mean is 20/s, however it is cut.
    even = RateQuantiles(p10=4, p25=10, p50=20, p75=30, p90=36, p95=38, p99=39.6, max=40)
    assert 730.0 == pytest.approx(sum(hours for _, hours in even.periods()))
    mean = sum(rate * hours for rate, hours in even.periods()) / 730.0
    assert mean == pytest.approx(20.0, rel=2e-3)
    with pytest.raises(ValueError, match="expected them to grow"):
        RateQuantiles(p10=5, p25=4)
