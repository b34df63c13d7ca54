"""Evidence as data: every record has its source, and what is doubtful is said."""

import dataclasses
import datetime
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.errors import InputError
from advisor.evidence import EFFORTS, GRADES, Evidence, evidence, load, select
from advisor.evidence_check import check

TODAY = datetime.date(2026, 11, 24)
LINE = "id,strategy,variant,unit,grade,source_title,source_url,source_year,throughput_ratio\n"
FULL = LINE + "MY-1,quantization,fp8,ratio,user,our bench,https://example.com,2026,1.4\n"


def record(**changes: object) -> Evidence:
    base = Evidence("X-1", "quantization", "int8", "percent", "table", "title", "https://example.com", 2026)
    return dataclasses.replace(base, **changes)


def written(tmp_path: Path, text: str, name: str = "mine.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_shipped_record_has_source_year_unit_and_grade() -> None:
    for shipped in load():
        assert shipped.source_title, shipped.id
        assert shipped.source_url.startswith("http"), shipped.id
        assert 2010 <= shipped.source_year <= TODAY.year, shipped.id
        assert shipped.unit, shipped.id
        assert shipped.grade in GRADES, shipped.id
        assert shipped.effort in EFFORTS, shipped.id


def test_shipped_ids_are_unique() -> None:
    assert len({shipped.id for shipped in load()}) == len(load())


def test_money_is_never_kept_as_compute() -> None:
    for shipped in load():
        if shipped.strategy in {"cascade", "autoscaling", "hardware"}:
            assert shipped.compute_ratio is None, shipped.id


@pytest.mark.parametrize("field", ["source_title", "source_url", "source_year", "unit", "grade", "strategy"])
def test_a_record_without_its_source_or_unit_is_refused(tmp_path: Path, field: str) -> None:
    header, row = FULL.splitlines()
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    cells[field] = ""
    path = written(tmp_path, header + "\n" + ",".join(cells.values()) + "\n")
    with pytest.raises(InputError, match=f"'{field}' is missing"):
        load(path)


def test_a_users_csv_file_is_read(tmp_path: Path) -> None:
    (mine,) = load(written(tmp_path, FULL))
    assert (mine.id, mine.throughput_ratio, mine.source_year) == ("MY-1", 1.4, 2026)


def test_a_users_yaml_file_is_read(tmp_path: Path) -> None:
    text = """
evidence:
  - {id: MY-1, strategy: quantization, variant: fp8, unit: ratio, grade: user, source_title: bench, source_url: "file:bench.json",
     source_year: 2026, throughput_ratio: 1.4, derived: [throughput_ratio], higher_is_better: true}
"""
    (mine,) = load(written(tmp_path, text, "mine.yaml"))
    assert (mine.throughput_ratio, mine.derived, mine.higher_is_better) == (1.4, ("throughput_ratio",), True)


def test_a_yaml_file_that_is_no_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a list of records"):
        load(written(tmp_path, "evidence: 3\n", "mine.yaml"))


def test_an_unknown_field_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown field 'speedup'.*throughput_ratio"):
        load(written(tmp_path, FULL.replace("throughput_ratio", "speedup")))


@pytest.mark.parametrize(("bad", "message"), [("fast", "expected float"), ("nan", "finite number")])
def test_a_figure_that_is_no_number_is_refused_with_its_place(tmp_path: Path, bad: str, message: str) -> None:
    with pytest.raises(
        InputError,
        match=f"record 1: throughput_ratio is '{bad}'; expected .*{message.rsplit(maxsplit=1)[-1]}",
    ):
        load(written(tmp_path, FULL.replace("1.4", bad)))


def test_a_grade_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="grade is 'sure'"):
        load(written(tmp_path, FULL.replace(",user,", ",sure,")))


def test_a_repeated_id_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'MY-1' appears twice"):
        load(written(tmp_path, FULL + FULL.splitlines()[1] + "\n"))


def test_a_missing_file_says_what_to_give() -> None:
    with pytest.raises(InputError, match="Give an existing CSV or YAML file"):
        load("nowhere.csv")


def test_records_are_looked_up_in_the_order_asked_for() -> None:
    assert ["QU-0403", "QU-0400"] == [found.id for found in evidence("QU-0403", "QU-0400")]


def test_an_unknown_id_is_refused() -> None:
    with pytest.raises(InputError, match="'QU-9999'"):
        evidence("QU-9999")


def test_filters_all_hold_at_once() -> None:
    found = select(
        strategy="quantization",
        variant="INT4",
        family="decoder",
        model="qwen2.5",
        min_parameters=3e10,
        max_parameters=4e10,
    )
    assert found
    assert {"Qwen2.5-32B-Instruct"} == {shipped.model for shipped in found}


def test_a_size_filter_drops_records_of_unknown_size() -> None:
    assert () == select([record()], min_parameters=1)


def test_relative_loss_is_one_minus_recovery() -> None:
    assert pytest.approx(0.012) == record(recovery_percent=98.8).relative_loss
    assert record().relative_loss is None


def test_an_old_speed_figure_is_stale_and_an_old_accuracy_figure_is_not() -> None:
    old = record(source_year=2021, throughput_ratio=2.0)
    assert ["stale"] == [finding.kind for finding in check([old], today=TODAY)]
    assert not check([record(source_year=2021, recovery_percent=99.0)], today=TODAY)


def test_a_recovery_that_its_own_metrics_deny_is_contradictory() -> None:
    (finding,) = check([record(recovery_percent=99.0, baseline=80.0, optimized=70.0)], today=TODAY)
    assert (finding.kind, "87.50 %" in finding.message) == ("contradictory", True)


def test_two_records_that_answer_one_question_differently_are_contradictory() -> None:
    pair = [record(model="m", recovery_percent=99.0), record(id="X-2", model="m", recovery_percent=95.0)]
    (finding,) = check(pair, today=TODAY)
    assert "X-1, X-2" in finding.message


def test_an_impossible_ratio_is_out_of_range() -> None:
    assert ["out-of-range"] == [finding.kind for finding in check([record(latency_ratio=9.0)], today=TODAY)]


def test_no_shipped_record_contradicts_its_own_metrics() -> None:
    assert not [finding for finding in check(today=TODAY) if finding.kind == "contradictory"]


def test_reading_evidence_needs_the_standard_library_only() -> None:
    code = "import sys; from advisor.evidence import load; load(); print([m for m in ('numpy', 'pydantic', 'yaml', 'pulp') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.stdout.strip() == "[]"
