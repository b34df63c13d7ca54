"""Electrical power of machines."""

import pytest

from advisor.catalog import Catalog, power_model, power_w

CATALOG = Catalog.load()


def test_power_of_an_eight_gpu_machine_by_hand():
    line = power_model(CATALOG.instance("p5.48xlarge"))
    assert pytest.approx(8 * 700 + 192 * 3.5 + 2048 * 0.392) == line.busy_w
    assert pytest.approx(8 * 700 * 46 / 407 + 192 * 0.74 + 2048 * 0.392) == line.idle_w


def test_power_of_a_cpu_machine_by_hand():
    line = power_model(CATALOG.instance("n2-standard-4"))
    assert pytest.approx(4 * 3.97 + 16 * 0.392) == line.busy_w
    assert pytest.approx(4 * 0.64 + 16 * 0.392) == line.idle_w


@pytest.mark.parametrize("machine", CATALOG.instances, ids=lambda machine: machine.id)
def test_power_grows_with_utilization_and_is_never_free(machine):
    powers = [power_w(machine, utilization) for utilization in (0.0, 0.3, 1.0)]
    assert 0 < powers[0] < powers[1] < powers[2] < 12_000


@pytest.mark.parametrize("utilization", [-0.1, 1.1, float("nan")])
def test_a_utilization_outside_nought_and_one_is_refused(utilization):
    with pytest.raises(ValueError, match="expected a share between 0 and 1"):
        power_w(CATALOG.instance("p5.48xlarge"), utilization)


def test_an_unpublished_design_power_is_labelled_assumed(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(
        "provider,region,name,accelerator,vcpus,memory_gib,on_demand_usd_per_h\naws,us-east-1,inf2.xlarge,inferentia2,4,16,0.76\n",
        encoding="utf-8",
    )
    line = power_model(CATALOG.with_overrides(path).instance("inf2.xlarge"))
    assert line.basis == "assumed"
    assert line.source.startswith("design power assumed")
    assert power_model(CATALOG.instance("p5.48xlarge")).basis == "published"


def test_energy_times_pue_times_grid_is_the_carbon_by_hand():
    machine = CATALOG.instance("g6.xlarge", region="us-east-1")
    grid = CATALOG.carbon(machine.provider, machine.region)
    grams_per_h = power_w(machine, 1.0) / 1000 * grid.pue * grid.g_co2e_per_kwh
    assert pytest.approx((72 + 4 * 3.5 + 16 * 0.392) / 1000 * 1.135 * 322) == grams_per_h
