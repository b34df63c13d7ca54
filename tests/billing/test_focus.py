"""A FOCUS export is summed by line, machine and month, and nothing of it is lost."""

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.billing import read_focus
from advisor.billing.charges import LINES, Nature, line_of, machine_of
from advisor.errors import InputError

SAMPLE = Path(__file__).parents[2] / "../shared/measurements/focus_1_0_billing_sample.csv"
REAL = pytest.mark.skipif(
    not SAMPLE.is_file(), reason="the sample of the FinOps Foundation is not in this checkout"
)
CHARGE = {
    "BilledCost": "10",
    "EffectiveCost": "10",
    "BillingCurrency": "USD",
    "ChargeCategory": "Usage",
    "ChargeDescription": "$5 per On Demand Linux p5.48xlarge Instance Hour",
    "ChargePeriodStart": "2026-09-01 00:00:00",
    "ChargePeriodEnd": "2026-09-01 02:00:00",
    "CommitmentDiscountId": "NULL",
    "ConsumedQuantity": "2",
    "ConsumedUnit": "Hours",
    "PricingCategory": "Standard",
    "ProviderName": "AWS",
    "RegionId": "us-east-1",
    "ResourceId": "i-1",
    "ResourceType": "instance",
    "ServiceCategory": "Compute",
    "ServiceName": "Amazon EC2",
    "Tags": "NULL",
}


def text(*changes: dict[str, str]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(CHARGE), lineterminator="\n")
    writer.writeheader()
    writer.writerows({**CHARGE, **change} for change in changes)
    return stream.getvalue()


def export(folder: Path, *changes: dict[str, str]) -> Path:
    path = folder / "export.csv"
    path.write_text(text(*changes), encoding="utf-8")
    return path


def test_charges_add_up_by_line_machine_and_month(tmp_path):
    october = {"ChargePeriodStart": "2026-10-01T00:00:00Z", "ChargePeriodEnd": "2026-10-01T01:00:00Z"}
    path = export(
        tmp_path,
        {},
        {"BilledCost": "6", "EffectiveCost": "6", "PricingCategory": "Dynamic"},
        {
            "BilledCost": "0",
            "EffectiveCost": "4",
            "PricingCategory": "Committed",
            "CommitmentDiscountId": "sp-1",
        },
        {
            "BilledCost": "3",
            "EffectiveCost": "3",
            "ConsumedUnit": "GB",
            "ChargeDescription": "data transfer out",
        },
        {"BilledCost": "1", "EffectiveCost": "1", "ConsumedUnit": "GB-Months", "ServiceCategory": "Storage"},
        {"BilledCost": "2", "EffectiveCost": "2", "ChargeDescription": "$0.045 per NAT Gateway Hour"},
        {"BilledCost": "7", "EffectiveCost": "7", "ChargeCategory": "Tax"},
        {"BilledCost": "-5", "EffectiveCost": "-5", "ChargeCategory": "Credit"},
        {"BilledCost": "20", "EffectiveCost": "20", **october},
    )
    bill = read_focus(path)
    september = {line.name: line.usd for line in bill.lines("2026-09")}
    assert september == dict(zip(LINES, (10.0, 4.0, 6.0, 1.0, 3.0, 2.0, 7.0, -5.0), strict=True))
    assert bill.months == ("2026-09", "2026-10")
    assert bill.usd == 48.0
    assert [(use.line, use.hours, use.usd_per_h) for use in bill.instances("2026-09")] == [
        ("compute-committed", 2.0, 2.0),
        ("compute-on-demand", 2.0, 5.0),
        ("compute-spot", 2.0, 3.0),
    ]
    assert {use.instance_type for use in bill.instances()} == {"p5.48xlarge"}


def test_a_billed_sum_leaves_commitments_to_their_invoice(tmp_path):
    path = export(
        tmp_path,
        {
            "BilledCost": "0",
            "EffectiveCost": "4",
            "PricingCategory": "Committed",
            "CommitmentDiscountId": "sp-1",
        },
        {
            "BilledCost": "9",
            "EffectiveCost": "0",
            "ChargeCategory": "Purchase",
            "CommitmentDiscountId": "sp-1",
        },
    )
    assert [read_focus(path, basis=basis).usd for basis in ("effective", "billed")] == [4.0, 9.0]
    assert read_focus(path).instances()[0].hours == 2.0  # a purchase is no hour of use


def test_effective_costs_that_the_export_does_not_fill_are_not_believed(tmp_path):
    bill = read_focus(export(tmp_path, {"EffectiveCost": "0"}))
    assert (bill.basis, bill.usd) == ("billed", 10.0)
    assert "does not fill it" in bill.notes[0]


@pytest.mark.parametrize("tags", ['{"app": "chat"}', '{"app": "chatter", "x": "1"}'])
def test_a_filter_keeps_what_it_names_and_counts_the_rest(tmp_path, tags):
    path = export(tmp_path, {"Tags": tags}, {"Tags": '{"app": "mail"}', "BilledCost": "3"}, {})
    bill = read_focus(path, tags={"app": "chat*"})
    assert (bill.usd, bill.excluded.charges, bill.excluded.cost) == (10.0, 2, 13.0)
    assert bill.notes == ("2 charges of 13.00 left out, not app=chat*.",)
    assert read_focus(export(tmp_path, {}, {"ResourceId": "i-2"}), resources=["I-2"]).charges == 1


def test_unreadable_tags_are_counted(tmp_path):
    bill = read_focus(
        export(tmp_path, {"Tags": '{"app": '}, {"Tags": '{"app": "chat"}'}), tags={"app": "chat"}
    )
    assert "1 charge left out because the tags are not readable." in bill.notes


def test_other_currencies_are_kept_apart_until_a_rate_is_given(tmp_path):
    path = export(tmp_path, {}, {"BillingCurrency": "EUR", "BilledCost": "100", "EffectiveCost": "100"})
    bill = read_focus(path)
    assert (bill.usd, bill.foreign["EUR"].cost) == (10.0, 100.0)
    assert "1 charge of 100.00 EUR in no sum" in bill.notes[0]
    assert read_focus(path, usd_per={"EUR": 1.1}).usd == pytest.approx(120.0)


def test_an_hour_becomes_a_month_by_the_hours_that_the_export_covers(tmp_path):
    bill = read_focus(export(tmp_path, {}))  # 10 USD in 2 hours; a month has 730
    assert bill.usd_per_month("compute-on-demand") == 3650.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"BilledCost": "ten"}, "export.csv line 2: BilledCost is 'ten'; expected a number"),
        ({"EffectiveCost": "inf"}, "export.csv line 2: EffectiveCost is 'inf'"),
        ({"ChargePeriodStart": "soon"}, "export.csv line 2: ChargePeriodStart is 'soon'; expected a moment"),
        ({"ChargePeriodStart": ""}, "export.csv line 2: ChargePeriodStart is ''"),
    ],
)
def test_junk_is_named_by_its_line(tmp_path, change, message):
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        read_focus(export(tmp_path, change))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "is empty"),
        (
            "a.csv",
            "Cost,Date\n1,2\n",
            "has no column BilledCost or EffectiveCost, ChargePeriodStart, ServiceCategory",
        ),
        (
            "a.csv",
            "BilledCost,ChargePeriodStart,ServiceCategory\n1,2026-09-01\n",
            "line 2: 2 values; expected 3",
        ),
        ("a.csv", "BilledCost,ChargePeriodStart,ServiceCategory\n", "has no charge"),
        ("a.csv", 'BilledCost,ChargePeriodStart\n"1"x,2\n', "line 2: not a CSV line|has no column"),
        ("a.csv", "x" * 1_000_001, "longer than"),
        ("a.xlsx", "x", "got the ending '.xlsx'"),
        ("a.csv.gz", "not gzip", "cannot read"),
        ("a.parquet", "not parquet", "cannot read"),
    ],
)
def test_a_file_that_is_no_export_is_refused_in_words(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_focus(path)


def test_a_filter_that_fits_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="no charge fits app=chat"):
        read_focus(export(tmp_path, {}), tags={"app": "chat"})


def test_compressed_and_columnar_exports_give_the_same_sums(tmp_path):
    polars = pytest.importorskip("polars")
    changes = [{}, {"Tags": '{"app": "chat"}'}, {"PricingCategory": "Dynamic"}]
    plain = read_focus(export(tmp_path, *changes))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text(*changes).encode()))
    frame = polars.read_csv(io.StringIO(text(*changes)), infer_schema=False, null_values="NULL").with_columns(
        polars.col("BilledCost", "EffectiveCost", "ConsumedQuantity").cast(polars.Float64),
        polars.col("ChargePeriodStart", "ChargePeriodEnd").str.to_datetime(),
    )
    frame.write_parquet(tmp_path / "a.parquet")
    for name in ("a.csv.gz", "a.parquet"):
        assert read_focus(tmp_path / name).groups == plain.groups


def test_a_parquet_map_of_tags_is_a_filter_too(tmp_path):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {
            "BilledCost": [1.0, 2.0],
            "ChargePeriodStart": ["2026-09-01", "2026-09-01"],
            "ServiceCategory": ["Compute", "Compute"],
            "Tags": [[{"key": "app", "value": "chat"}], []],
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    assert read_focus(tmp_path / "a.parquet", tags={"app": "chat"}).usd == 1.0


@pytest.mark.parametrize(
    ("details", "description", "name"),
    [
        ('{"InstanceType": "p5.48xlarge"}', "", "p5.48xlarge"),
        ("", "USW2-BoxUsage:g5.xlarge", "g5.xlarge"),
        ("", "a2-ultragpu-8g running in Americas", "a2-ultragpu-8g"),
        ('{"ServiceType": "Standard_ND96isr_H100_v5"}', "", "Standard_ND96isr_H100_v5"),
        ("{", "AWS Lambda - Total Compute", ""),
    ],
)
def test_the_machine_is_found_where_providers_name_it(details, description, name):
    nature = Nature("Usage", "", False, "Compute", "", "", "Hours", description, details)
    assert name == machine_of(nature)


@given(
    st.tuples(
        *(st.text(max_size=20) for _ in range(2)), st.booleans(), *(st.text(max_size=20) for _ in range(6))
    )
)
def test_every_charge_has_a_line(columns):
    assert line_of(Nature(*columns)) in LINES


@REAL
def test_nothing_of_a_real_bill_is_lost():
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    bill = read_focus(SAMPLE)
    assert bill.charges == len(rows)
    assert bill.usd == pytest.approx(sum(float(row["BilledCost"]) for row in rows), abs=1e-9)
    assert sum(line.usd for line in bill.lines()) == pytest.approx(bill.usd, abs=1e-9)
    production = [row for row in rows if '"environment": "prod"' in row["Tags"]]
    assert read_focus(SAMPLE, tags={"environment": "prod"}).charges == len(production)


@REAL
def test_a_real_bill_names_its_machines_and_their_prices():
    prices = {use.instance_type: use.usd_per_h for use in read_focus(SAMPLE).instances() if use.hours > 0}
    assert prices["g5.4xlarge"] == pytest.approx(1.624)
    assert prices["c5.2xlarge"] == pytest.approx(0.34)


def test_memory_does_not_grow_with_the_export(tmp_path):
    import tracemalloc

    path = export(
        tmp_path, *({"ResourceId": f"i-{n}", "Tags": json.dumps({"n": str(n)})} for n in range(3_000))
    )
    tracemalloc.start()
    read_focus(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500_000 < path.stat().st_size
