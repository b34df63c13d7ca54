"""A user's own prices, machines, chips, grids and discounts over the embedded ones."""

import pytest

from advisor.catalog import GIB, Catalog
from advisor.errors import AdvisorError, CatalogError, InputError, UnknownName

CATALOG = Catalog.load()


@pytest.fixture
def table(tmp_path):
    """Writes a table with the given lines and returns its path."""

    def write(*lines, name="own.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


def test_a_price_alone_inherits_everything_else(table):
    path = table(
        "provider,region,name,on_demand_usd_per_h,price_date,source",
        "aws,us-east-1,p5.48xlarge,40,2026-11-01,our contract",
    )
    before, after = CATALOG.instance("p5.48xlarge"), CATALOG.with_overrides(path).instance("p5.48xlarge")
    price = after.prices["on-demand"]
    assert (price.usd_per_h, price.date, price.source, price.kind) == (
        40.0,
        "2026-11-01",
        "our contract",
        "user",
    )
    assert (before.accelerator, before.vcpus, before.memory_bytes) == (
        after.accelerator,
        after.vcpus,
        after.memory_bytes,
    )
    assert after.source_of("on_demand_usd_per_h") == "own.csv line 2"
    assert before.source == after.source_of("vcpus")


def test_an_estimated_reservation_follows_the_price_it_was_estimated_from(table):
    path = table("name,on_demand_usd_per_h,price_date", "p5.48xlarge,40,2026-11-01")
    price = CATALOG.with_overrides(path).instance("p5.48xlarge").prices["reserved-3y"]
    assert pytest.approx(40 * 0.52) == price.usd_per_h
    assert (price.kind, price.date) == ("estimate", "2026-05-09")


def test_a_given_reservation_replaces_the_estimate(table):
    path = table("name,reserved_1y_usd_per_h,price_date", "p5.48xlarge,31.5,2026-11-01")
    prices = CATALOG.with_overrides(path).instance("p5.48xlarge").prices
    assert (prices["reserved-1y"].usd_per_h, prices["reserved-1y"].kind) == (31.5, "user")
    assert (prices["on-demand"].usd_per_h, prices["on-demand"].kind) == (55.04, "published")


def test_an_inherited_price_keeps_its_own_source_and_date(table):
    path = table("name,on_demand_usd_per_h,price_date,source", "m5.large,0.08,2026-11-01,contract")
    spot = CATALOG.with_overrides(path).instance("m5.large").prices["spot"]
    assert CATALOG.instance("m5.large").prices["spot"] == spot


def test_a_line_without_a_region_changes_the_machine_everywhere(table):
    changed = CATALOG.with_overrides(table("provider,name,on_demand_usd_per_h", "aws,g5.xlarge,0.9"))
    assert {0.9} == {m.prices["on-demand"].usd_per_h for m in changed.select(allow=["g5.xlarge"])}


def test_azure_prefix_and_case_do_not_matter(table):
    changed = CATALOG.with_overrides(table("name,on_demand_usd_per_h", "standard_nd96isr_h100_v5,60"))
    assert changed.instance("ND96isr_H100_v5").prices["on-demand"].usd_per_h == 60.0
    assert len(CATALOG.instances) == len(changed.instances)


def test_a_known_machine_in_a_new_region_brings_all_but_its_prices(table):
    changed = CATALOG.with_overrides(
        table("provider,region,name,on_demand_usd_per_h", "aws,eu-west-3,m5.large,0.112")
    )
    machine = changed.instance("m5.large", region="eu-west-3")
    assert (machine.vcpus, machine.memory_bytes, machine.accelerator.id) == (2, 8 * GIB, "xeon-skylake")
    assert {"on-demand", "reserved-1y", "reserved-3y"} == set(machine.prices)
    assert machine.prices["on-demand"].usd_per_h == 0.112
    assert changed.carbon("aws", "eu-west-3").g_co2e_per_kwh == 34.0


def test_a_new_machine_needs_a_chip_and_a_price(table):
    header = "provider,region,name,accelerator,accelerator_count,vcpus,memory_gib,on_demand_usd_per_h"
    changed = CATALOG.with_overrides(table(header, "on-prem,DEU,rack-7,h200-sxm,8,224,2048,21.5"))
    machine = changed.instance("rack-7")
    assert ("on-prem/DEU/rack-7", 8, {"on-demand"}) == (
        machine.id,
        machine.accelerator_count,
        set(machine.prices),
    )
    assert machine.source == "own.csv line 2"
    assert changed.carbon(machine.provider, machine.region).g_co2e_per_kwh == 380.9
    assert changed.instances[-1] is machine


def test_the_last_file_wins(table):
    first = table("name,on_demand_usd_per_h,spot_usd_per_h", "m5.large,0.09,0.05", name="first.csv")
    second = table("name,on_demand_usd_per_h", "m5.large,0.07", name="second.csv")
    machine = CATALOG.with_overrides(first, second).instance("m5.large")
    assert (machine.prices["on-demand"].usd_per_h, machine.prices["spot"].usd_per_h) == (0.07, 0.05)
    assert (
        machine.source_of("on_demand_usd_per_h"),
        machine.source_of("spot_usd_per_h"),
    ) == ("second.csv line 2", "first.csv line 2")


def test_a_price_given_alone_lies_above_all_files(table):
    path = table("name,on_demand_usd_per_h", "m5.large,0.09")
    catalog = CATALOG.with_overrides(path).with_price("m5.large", 0.05, source="--price", date="2026-11-24")
    price = catalog.instance("m5.large").prices["on-demand"]
    assert (price.usd_per_h, price.date, price.source, price.kind) == (0.05, "2026-11-24", "--price", "user")


def test_a_spot_price_can_be_given_to_a_machine_that_had_none():
    catalog = CATALOG.with_price("p5.48xlarge", 19.0, purchase="spot")
    assert catalog.instance("p5.48xlarge").prices["spot"].usd_per_h == 19.0
    assert "spot" not in CATALOG.instance("p5.48xlarge").prices


@pytest.mark.parametrize("usd_per_h", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_price_is_refused(usd_per_h):
    with pytest.raises(
        CatalogError,
        match=r"given by the user: 'on_demand_usd_per_h' is .*; expected a finite number more than 0",
    ):
        CATALOG.with_price("p5.48xlarge", usd_per_h)


def test_an_unknown_way_of_buying_is_refused():
    with pytest.raises(UnknownName, match="did you mean 'on-demand'"):
        CATALOG.with_price("p5.48xlarge", 1.0, purchase="ondemand")


def test_an_undated_price_is_stale_from_the_start():
    catalog = CATALOG.with_price("p5.48xlarge", 50.0)
    stale = [
        (m.name, purchase) for m, purchase, _ in catalog.stale_prices("2026-09-07") if m.name == "p5.48xlarge"
    ]
    assert stale == [
        ("p5.48xlarge", "on-demand"),
        ("p5.48xlarge", "reserved-1y"),
        ("p5.48xlarge", "reserved-3y"),
    ]


def test_a_measured_peak_replaces_the_data_sheet_in_every_machine(table):
    path = table("id,bf16_tflops,source", "h100-sxm,794.5,our benchmark")
    changed = CATALOG.with_overrides(path)
    chip = changed.instance("p5.48xlarge").accelerator
    assert (chip.peak_flops["bf16"], chip.peak_flops["fp8"]) == (794.5e12, 1979e12)
    assert chip.confidence == "user"
    assert chip.source.endswith("bf16_tflops from our benchmark")
    assert CATALOG.accelerators["h100-sxm"].peak_flops["bf16"] == 989e12


def test_a_new_chip_can_be_rented_in_the_same_breath(table):
    chip = table(
        "id,vendor,kind,memory_gib,memory_bandwidth_gb_per_s,bf16_tflops",
        "npu-1,acme,asic,64,1600,300",
        name="chips.csv",
    )
    header = "provider,region,name,accelerator,vcpus,memory_gib,on_demand_usd_per_h"
    machine = table(header, "acme,FRA,npu-box,npu-1,16,128,1.5", name="boxes.csv")
    added = CATALOG.with_overrides(chip, machine).instance("npu-box").accelerator
    assert (added.memory_bytes, added.memory_bandwidth_bytes_per_s, dict(added.peak_flops)) == (
        64 * GIB,
        1.6e12,
        {"bf16": 3e14},
    )


def test_a_grid_can_be_replaced_or_added(table):
    path = table(
        "provider,region,g_co2e_per_kwh,pue,date",
        "aws,us-east-1,12,,2026-10-01",
        "on-prem,cellar,50,1.3,2026",
    )
    changed = CATALOG.with_overrides(path)
    ours = changed.carbon("aws", "us-east-1")
    assert (ours.g_co2e_per_kwh, ours.pue, ours.date, ours.method) == (
        12.0,
        1.135,
        "2026-10-01",
        "given by the user",
    )
    assert ours.source == "own.csv line 2"
    assert (changed.carbon("on-prem", "cellar").g_co2e_per_kwh, changed.carbon("on-prem", "cellar").pue) == (
        50.0,
        1.3,
    )


def test_a_negotiated_discount_replaces_the_average(table):
    path = table(
        "provider,purchase,payment,discount_ratio,date", "aws,reserved-1y,no-upfront,0.45,2026-10-01"
    )
    price = CATALOG.with_overrides(path).instance("p5.48xlarge").prices["reserved-1y"]
    assert pytest.approx(55.04 * 0.55) == price.usd_per_h
    assert price.source == "estimate: on-demand less 45% (no-upfront), own.csv line 2"
    assert price.date == "2026-09-06"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["name,on_demand_usd_per_h", "m5.large,-1"],
            r"own\.csv line 2: 'on_demand_usd_per_h' is -1; expected a finite number more than 0",
        ),
        (["name,on_demand_usd_per_h", "m5.large,nan"], r"own\.csv line 2: 'on_demand_usd_per_h' is nan"),
        (
            ["name,on_demand_usd_per_h", "m5.large,1$"],
            r"own\.csv line 2: 'on_demand_usd_per_h' is '1\$'; expected a plain number",
        ),
        (
            ["name,on_demand_usd_per_h,spot_usd_per_h", "m5.large,1,2"],
            r"own\.csv line 2: spot costs 2 \$/h, more than on-demand \(1 \$/h\)",
        ),
        (
            ["name,on_demand_usd_per_h", "m5.lrge,1"],
            r"own\.csv line 2: nothing in the catalogue is called 'm5\.lrge'; did you mean 'm5\.large'",
        ),
        (
            ["provider,region,name,on_demand_usd_per_h", "aws,us-east-1,m5.lrge,1"],
            r"own\.csv line 2: no machine 'm5\.lrge'.*did you mean 'm5\.large'.*give accelerator, vcpus",
        ),
        (
            ["provider,region,name,spot_usd_per_h", "aws,eu-west-3,m5.large,1"],
            r"own\.csv line 2: 'on_demand_usd_per_h' is empty; every machine needs a price",
        ),
        (["name,vcpus", "m5.large,2.5"], r"own\.csv line 2: 'vcpus' is 2\.5; expected a whole number"),
        (
            ["name,accelerator_count", "m5.large,2"],
            r"own\.csv line 2: 'accelerator_count' is 2; a machine that computes on its vCPUs has 1",
        ),
        (
            ["name,accelerator", "m5.large,h100"],
            r"own\.csv line 2: no accelerator 'h100' in the catalogue; did you mean 'h100-",
        ),
        (
            ["name,sustained_vcpu_ratio", "m5.large,1.5"],
            r"own\.csv line 2: 'sustained_vcpu_ratio' is 1\.5; expected at most 1",
        ),
        (
            ["name,on_demand_usd_per_h,price_date", "m5.large,1,yesterday"],
            r"'yesterday' is no date; expected YYYY-MM-DD",
        ),
        (["name,price", "m5.large,1"], r"own\.csv line 1: no column 'price' in instances"),
        (["name,name", "m5.large,1"], r"own\.csv line 1: column 'name' is there twice"),
        (
            ["name,on_demand_usd_per_h", "m5.large,1", "M5.LARGE,2"],
            r"own\.csv line 3: a line for m5\.large is already in this file",
        ),
        (["name,on_demand_usd_per_h", "m5.large,1,2"], r"own\.csv line 2: 3 values; expected 2"),
        (["name,on_demand_usd_per_h"], r"own\.csv line 1: no line follows the column names"),
        ([""], r"own\.csv line 1: the file is empty"),
        (["a,b", "1,2"], r"own\.csv line 1: the columns fit no table"),
        (
            ["id,bf16_tflops", "h100-sxm,0"],
            r"own\.csv line 2: 'bf16_tflops' is 0; expected a finite number more than 0",
        ),
        (["id,kind,memory_bandwidth_gb_per_s", "x,gpu,1"], "no peak is given"),
        (["id,sparsity_2_4", "h100-sxm,maybe"], "'sparsity_2_4' is 'maybe'; expected yes or no"),
        (["id,kind", "h100-sxm,chip"], "'kind' is 'chip'; expected gpu, cpu, tpu or asic"),
        (
            ["provider,region,g_co2e_per_kwh,pue", "aws,us-east-1,5,0.9"],
            r"own\.csv line 2: 'pue' is 0\.9; expected a finite number at least 1",
        ),
        (
            ["provider,purchase,payment,discount_ratio", "aws,reserved-1y,no-upfront,32"],
            r"own\.csv line 2: 'discount_ratio' is 1 or more",
        ),
    ],
)
def test_a_line_that_cannot_be_used_says_which_and_why(table, lines, message):
    with pytest.raises(CatalogError, match=message):
        CATALOG.with_overrides(table(*lines))


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        CATALOG.with_overrides(tmp_path / "nowhere.csv")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "own.csv"
    path.write_bytes(b"name,\xff\xfe\n")
    with pytest.raises(InputError, match="cannot read"):
        CATALOG.with_overrides(path)


def test_a_broken_csv_line_is_refused(table):
    with pytest.raises(AdvisorError, match="not a CSV line"):
        CATALOG.with_overrides(table("name,on_demand_usd_per_h", '"m5.large"x,1'))


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "own.csv"
    with path.open("wb") as stream:
        stream.truncate(20_000_000)
    with pytest.raises(CatalogError, match="larger than 10 MB"):
        CATALOG.with_overrides(path)


def test_a_byte_order_mark_and_windows_lines_are_fine(tmp_path):
    path = tmp_path / "own.csv"
    path.write_bytes("\ufeffname,on_demand_usd_per_h\r\nm5.large,0.08\r\n".encode())
    assert CATALOG.with_overrides(path).instance("m5.large").prices["on-demand"].usd_per_h == 0.08


def test_laying_over_changes_a_copy_only(table):
    before = CATALOG.version
    CATALOG.with_overrides(table("name,on_demand_usd_per_h", "m5.large,0.08"))
    assert before == CATALOG.version
    assert CATALOG.instance("m5.large").prices["on-demand"].usd_per_h == 0.096
