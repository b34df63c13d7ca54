"""Finding machines, grids and stale prices."""

import pickle
import subprocess
import sys
import time

import pytest

from advisor.catalog import GIB, Catalog, Price
from advisor.catalog.catalog import _built
from advisor.catalog.tables import TABLES, embedded_rows
from advisor.errors import AdvisorError, CatalogError, UnknownName

CATALOG = Catalog.load()


def test_the_catalogue_is_read_once():
    assert Catalog.load() is Catalog.load()


def test_importing_and_loading_needs_neither_numpy_nor_pydantic():
    script = (
        "import sys; from advisor.catalog import Catalog; Catalog.load();"
        "print([name for name in ('numpy', 'pydantic', 'pulp', 'yaml', 'jinja2') if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


def test_loading_takes_milliseconds():
    def once():
        start = time.perf_counter()
        _built({table: embedded_rows(table) for table in TABLES})
        return time.perf_counter() - start

    assert min(once() for _ in range(5)) < 0.05


@pytest.mark.parametrize(
    "name", ["p5.48xlarge", "P5.48XLARGE", "aws/us-east-1/p5.48xlarge", "AWS/us-east-1/P5.48xlarge"]
)
def test_a_machine_is_found_by_name_or_id_in_any_case(name):
    machine = CATALOG.instance(name)
    assert (
        machine.id,
        machine.accelerator_count,
        machine.vcpus,
        machine.memory_bytes,
    ) == ("aws/us-east-1/p5.48xlarge", 8, 192, 2048 * GIB)


def test_azure_names_work_with_and_without_standard_in_front():
    assert CATALOG.instance("Standard_ND96isr_H100_v5") is CATALOG.instance("ND96isr_H100_v5")


def test_an_unknown_machine_is_answered_with_the_nearest_name():
    with pytest.raises(
        UnknownName, match=r"no instance type 'p5\.48xlrge' is in the catalogue; did you mean 'p5\.48xlarge'"
    ):
        CATALOG.instance("p5.48xlrge")


def test_a_machine_without_a_price_in_that_region_says_where_it_has_one():
    with pytest.raises(
        UnknownName, match=r"'p5\.48xlarge' has no price in eu-west-1; it is known as aws/us-east-1/"
    ):
        CATALOG.instance("p5.48xlarge", region="eu-west-1")


def test_an_ambiguous_name_is_refused_with_all_it_could_mean():
    with pytest.raises(
        CatalogError, match=r"is known 4 times; say which: aws/us-east-1/g5.xlarge, aws/us-west-2"
    ):
        CATALOG.instance("g5.xlarge")
    assert CATALOG.instance("g5.xlarge", region="eu-central-1").prices["on-demand"].usd_per_h == 1.258


def test_an_unknown_accelerator_is_answered_with_the_nearest_name():
    with pytest.raises(UnknownName, match="did you mean 'h100-sxm'"):
        CATALOG.accelerator("h100-smx")


def test_selecting_nothing_keeps_everything_in_order():
    assert CATALOG.instances == CATALOG.select()


def test_selection_narrows_by_provider_region_and_pattern_and_denial_wins():
    names = [
        m.id for m in CATALOG.select(providers=["aws"], regions=["eu-*"], allow=["g*"], deny=["*/g4dn.*"])
    ]
    assert names == [
        "aws/eu-west-1/g5.xlarge",
        "aws/eu-central-1/g6.xlarge",
        "aws/eu-central-1/g6e.xlarge",
        "aws/eu-central-1/g5.xlarge",
    ]


def test_a_pattern_may_name_the_accelerator():
    assert {"h100-sxm"} == {m.accelerator.id for m in CATALOG.select(allow=["h100-sxm"])}
    assert len(CATALOG.select(allow=["H100-SXM"])) == 5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"providers": ["asw"]}, "no provider 'asw' is in the catalogue; did you mean 'aws'"),
        ({"regions": ["us-est-1"]}, "no region 'us-est-1' is in the catalogue; did you mean 'us-east-1'"),
        ({"allow": ["p6.*"]}, r"no instance type 'p6\.\*' is in the catalogue"),
        ({"deny": ["rtx-4091"]}, "no instance type 'rtx-4091' is in the catalogue; did you mean 'rtx-4090"),
    ],
)
def test_a_filter_that_fits_nothing_is_a_mistake_and_not_an_empty_answer(given, message):
    with pytest.raises(UnknownName, match=message):
        CATALOG.select(**given)


def test_carbon_comes_from_the_region_and_says_how():
    grid = CATALOG.carbon("aws", "us-west-2")
    assert (grid.g_co2e_per_kwh, grid.pue, grid.date) == (94.0, 1.135, "2023")
    assert "co-located Google region us-west1" in grid.method


def test_every_machine_has_a_grid_and_only_the_placeless_ones_get_the_world_average():
    world = CATALOG.grids["world", "average"]
    assert {"runpod"} == {
        m.provider for m in CATALOG.instances if CATALOG.carbon(m.provider, m.region) == world
    }


@pytest.mark.parametrize(
    ("provider", "region", "grams"), [("on-prem", "DEU", 380.9), ("own", "VA", 244.8), ("own", "Mars", 475.0)]
)
def test_own_machines_name_a_country_or_a_state_or_get_the_world_average(provider, region, grams):
    grid = CATALOG.carbon(provider, region)
    assert grams == grid.g_co2e_per_kwh
    assert grid.pue == 1.56
    assert grid.pue_source.startswith("assumed")


def test_age_is_counted_from_the_day_that_is_passed_in():
    assert Price(1.0, "2026-09-06", "s", "published").age_days("2026-09-06") == 0
    assert Price(1.0, "2027-09-06", "s", "published").age_days("2028-09-06") == 366
    assert None is Price(1.0, "", "s", "user").age_days("2026-09-06")


def test_prices_go_stale_after_the_limit_and_not_on_it():
    dated = {day for _, _, price in CATALOG.stale_prices("2026-10-10") for day in [price.date]}
    assert {"2026-04-12"} == dated  # 181 days; 2026-05-09 is 154
    assert CATALOG.stale_prices("2026-10-09") == ()
    assert CATALOG.stale_prices("2026-11-24", limit_days=400) == ()


def test_the_version_names_the_newest_price_and_changes_with_any_row():
    assert CATALOG.version.startswith("2026-09-06+")
    assert CATALOG.version == _built({table: embedded_rows(table) for table in TABLES}).version
    assert CATALOG.version != CATALOG.with_price("p5.48xlarge", 50.0).version


def test_a_catalogue_survives_pickling():
    copy = pickle.loads(pickle.dumps(CATALOG))  # noqa: S301 - our own bytes
    assert CATALOG.instances == copy.instances
    assert hash(CATALOG.instances[0]) == hash(copy.instances[0])


def test_a_cpu_machine_computes_with_all_its_vcpus():
    machine = CATALOG.instance("D4s_v5")
    chip = machine.accelerator
    assert (machine.is_cpu_only, machine.accelerator_count, chip.memory_bytes) == (True, 1, 16 * GIB)
    assert (
        pytest.approx(4 * 0.5 * 2.8e9 * 64) == chip.peak_flops["fp32"]
    )  # 4 vCPU x half a core x GHz x AVX-512
    assert pytest.approx(4 * 0.5 * 2.8e9 * 256) == chip.peak_flops["int8"]  # VNNI
    assert pytest.approx(204.8e9 / 64 * 4) == chip.memory_bandwidth_bytes_per_s


def test_a_burstable_machine_counts_only_what_is_guaranteed():
    large, small = CATALOG.instance("m5.large").accelerator, CATALOG.instance("t3.large").accelerator
    assert pytest.approx(0.3 * large.peak_flops["fp32"]) == small.peak_flops["fp32"]
    assert pytest.approx(0.3 * large.memory_bandwidth_bytes_per_s) == small.memory_bandwidth_bytes_per_s


def test_every_refusal_is_one_of_the_product():
    assert issubclass(CatalogError, AdvisorError)
    assert issubclass(UnknownName, AdvisorError)
