"""Prices that a bill says were paid become prices of the catalogue."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.billing import read_focus
from advisor.billing.negotiated import negotiated
from advisor.catalog import Catalog
from advisor.cli import app

HEADER = (
    "ChargePeriodStart,ChargePeriodEnd,BilledCost,EffectiveCost,ChargeCategory,PricingCategory,CommitmentDiscountId,"
    "ServiceCategory,ServiceName,ProviderName,RegionId,ConsumedQuantity,ConsumedUnit,ChargeDescription"
)
ROW = "2026-10-01,2026-11-01,{usd},{usd},Usage,{pricing},{plan},Compute,EC2,{owner},us-east-1,{hours},Hours,{machine} Hour"
CATALOG = Catalog.load()


@pytest.fixture
def export(tmp_path: Path) -> Path:
    rows = [
        ("3300", "Standard", "", "AWS", "60", "p5.48xlarge"),
        ("2700", "Standard", "", "AWS", "60", "p5.48xlarge"),
        ("1200", "Dynamic", "", "AWS", "60", "p5.48xlarge"),
        ("2400", "Committed", "sp-1", "AWS", "60", "p5.48xlarge"),
        ("9", "Standard", "", "AWS", "0.5", "g6.xlarge"),
        ("9", "Standard", "", "AWS", "9", "x9.large"),
        ("9", "Standard", "", "Elsewhere", "9", "p5.48xlarge"),
        ("0", "Standard", "", "AWS", "9", "g5.xlarge"),
    ]
    names = ("usd", "pricing", "plan", "owner", "hours", "machine")
    text = [ROW.format(**dict(zip(names, row, strict=True))) for row in rows]
    path = tmp_path / "export.csv"
    path.write_text("\n".join([HEADER, *text]))
    return path


def test_what_an_hour_cost_is_its_price(export, tmp_path):
    found = negotiated(read_focus(export), CATALOG)
    own = tmp_path / "own.csv"
    own.write_text(found.text())
    prices = CATALOG.with_overrides(own).instance("p5.48xlarge", "aws", "us-east-1").prices
    assert (prices["on-demand"].usd_per_h, prices["spot"].usd_per_h) == (50.0, 20.0)
    assert (prices["on-demand"].date, prices["on-demand"].kind) == ("2026-11-01", "user")
    assert "FOCUS export export.csv" in prices["on-demand"].source


def test_hours_under_a_commitment_count_as_what_the_user_says(export):
    assert "reserved_3y_usd_per_h" not in negotiated(read_focus(export), CATALOG).text()
    (line,) = negotiated(read_focus(export), CATALOG, committed_as="reserved-3y").lines
    assert line["reserved_3y_usd_per_h"] == "40"


def test_what_is_no_price_is_counted(export):
    assert negotiated(read_focus(export), CATALOG).skipped == {
        "hours under a commitment of a term that is not stated": 1,
        "under 1 h": 1,
        "a machine that is not in the catalogue": 1,
        "a provider that is not in the catalogue": 1,
        "free hours": 1,
    }


def test_the_command_needs_neither_provider_nor_date_for_a_bill(export):
    done = CliRunner().invoke(
        app,
        ["catalog", "import", str(export), "--form", "focus", "--commitment", "reserved-1y"],
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    assert "aws,us-east-1,p5.48xlarge,50,20,40" in done.stdout
    assert "1 machine." in done.stderr
