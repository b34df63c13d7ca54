"""`advisor evidence` prints the records behind the numbers, and `advisor evidence check` what to doubt about them."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from advisor.cli import app
from advisor.errors import InputError
from advisor.evidence import evidence, load

FIELDS = "id,strategy,variant,unit,grade,source_title,source_url,source_year,throughput_ratio\n"
MINE = FIELDS + "MY-1,quantization,fp8,ratio,user,our bench,https://example.com,2026,1.4\n"


@pytest.fixture(autouse=True)
def _a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["evidence", *arguments])


def mine(tmp_path: Path, text: str = MINE) -> str:
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_table_fits_a_terminal_and_names_each_source() -> None:
    done = run("--variant", "fp8", "--family", "decoder", "--min-params", "60B", "--max-params", "80B")
    assert 0 == done.exit_code
    assert "QU-0400" in done.stdout
    assert "NVIDIA TensorRT Model" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b[" not in done.stdout


def test_a_record_in_full_shows_its_address_and_its_figures() -> None:
    done = run("--id", "QU-0400")
    (record,) = evidence("QU-0400")
    assert record.source_url in done.stdout.replace("\n" + " " * 18, "")
    assert "throughput_ratio  1.9" in done.stdout
    assert "parameters        70B" in done.stdout


def test_json_holds_every_field_of_the_records_that_pass() -> None:
    (found,) = json.loads(run("--id", "QU-0400", "--format", "json").stdout)
    assert ("fp8-w8a8", 1.9) == (found["variant"], found["throughput_ratio"])


def test_csv_can_be_given_back_as_a_file_of_ones_own(tmp_path: Path) -> None:
    text = run("--strategy", "kv_cache", "--format", "csv").stdout
    assert len(list(csv.DictReader(StringIO(text)))) == sum(one.strategy == "kv_cache" for one in load())
    assert load(mine(tmp_path, text)) == tuple(one for one in load() if one.strategy == "kv_cache")


def test_records_of_ones_own_are_read_instead_of_the_built_in_ones(tmp_path: Path) -> None:
    done = run("--file", mine(tmp_path))
    assert "MY-1" in done.stdout
    assert "1 record." in done.stdout


def test_no_record_is_said_and_is_no_mistake() -> None:
    done = run("--model", "nobody-has-it")
    assert 0 == done.exit_code
    assert "No record passes" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--strategy", "quantisation"), "did you mean 'quantization'"),
        (("--task", "maths"), "no task 'maths' is in the evidence"),
        (("--min-params", "seven"), "--min-params: got 'seven'"),
        (("--id", "QU-9999"), "unknown evidence id 'QU-9999'"),
    ],
)
def test_a_word_nobody_knows_is_answered_with_the_nearest(arguments: tuple[str, str], message: str) -> None:
    done = run(*arguments)
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)


def test_the_built_in_records_are_checked_without_failing() -> None:
    done = run("check")
    assert 0 == done.exit_code
    assert "stale (" in done.stdout
    assert f"{len(load()):,} records" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_sensible_records_of_ones_own_pass_the_check(tmp_path: Path) -> None:
    done = run("check", mine(tmp_path))
    assert 0 == done.exit_code
    assert "1 record, none to doubt." in done.stdout


def test_a_stale_record_of_ones_own_is_named_and_passes(tmp_path: Path) -> None:
    done = run("check", mine(tmp_path, MINE.replace("2026", "2019")))
    assert 0 == done.exit_code
    assert "stale (1)" in done.stdout


def test_an_impossible_record_of_ones_own_ends_in_exit_code_2(tmp_path: Path) -> None:
    done = run("check", mine(tmp_path, MINE.replace("1.4", "99")))
    assert 2 == done.exit_code
    assert "out-of-range (1)" in done.stdout
    assert "throughput_ratio is 99" in done.stdout
