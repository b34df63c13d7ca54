"""`advisor catalog` prints the machines to choose from, and turns other tools' price files into such a table."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from advisor.catalog import Catalog
from advisor.cli import app
from advisor.errors import FileExists, InputError

SKYPILOT = """InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone,Arch
p5.48xlarge,H100,8.0,192.0,2048.0,,50.1,22.5,us-east-1,us-east-1a,x86_64
g6f.large,L4,0.125,2.0,8.0,,0.2,,us-east-1,us-east-1a,x86_64
"""


@pytest.fixture(autouse=True)
def _a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["catalog", *arguments])


def test_the_table_fits_a_terminal_and_marks_what_is_estimated_or_old() -> None:
    done = run("--provider", "aws", "--instance", "p5.48xlarge")
    assert 0 == done.exit_code
    assert "55.04" in done.stdout
    assert "~" in done.stdout
    assert "estimated from the on-demand price" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_csv_can_be_given_back_as_a_catalogue_of_ones_own(tmp_path: Path) -> None:
    text = run("--instance", "g6.xlarge", "--region", "us-east-1", "--format", "csv").stdout
    own = tmp_path / "own.csv"
    own.write_text(text.replace("0.8048", "0.5"), encoding="utf-8")
    assert (
        0.5
        == Catalog.load()
        .with_overrides(own)
        .instance("g6.xlarge", region="us-east-1")
        .prices["on-demand"]
        .usd_per_h
    )
    assert "0.5" in run("--catalog", str(own), "--instance", "g6.xlarge", "--region", "us-east-1").stdout


def test_a_price_file_of_another_tool_becomes_one_of_ones_own_and_says_what_was_left_out(
    tmp_path: Path,
) -> None:
    foreign, own = tmp_path / "vms.csv", tmp_path / "own.csv"
    foreign.write_text(SKYPILOT, encoding="utf-8")
    asked = (
        "import",
        str(foreign),
        "--form",
        "skypilot",
        "--provider",
        "aws",
        "--date",
        "2026-11-20",
        "-o",
        str(own),
    )
    done = run(*asked)
    assert 0 == done.exit_code
    assert "1 machine." in done.stderr
    assert "1 left out" in done.stderr
    price = Catalog.load().with_overrides(own).instance("p5.48xlarge").prices["on-demand"]
    assert (50.1, "2026-11-20") == (price.usd_per_h, price.date)
    with pytest.raises(FileExists, match="already exists"):
        raise run(*asked).exception or AssertionError
    assert 0 == run(*asked, "--force").exit_code


def test_a_day_that_is_none_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "vms.csv"
    foreign.write_text(SKYPILOT, encoding="utf-8")
    done = run("import", str(foreign), "--form", "skypilot", "--provider", "aws", "--date", "yesterday")
    with pytest.raises(InputError, match="expected a day such as 2026-11-20"):
        raise done.exception or AssertionError
