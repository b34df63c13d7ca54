"""Price files of other tools, as their makers write them (a few lines each, made by hand)."""

import pytest

from advisor.catalog import GIB, Catalog
from advisor.catalog.importers import imported
from advisor.errors import CatalogError, UnknownName

CATALOG = Catalog.load()

GPUHUNT_HEADER = "instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size,gpu_vendor,flags,cpu_arch,provider_data"
GPUHUNT_AWS = f"""{GPUHUNT_HEADER}
p5.48xlarge,us-east-1,50.1,192,2048.0,8,H100,80.0,False,,nvidia,,x86,{{}}
p5.48xlarge,us-east-1,20.5,192,2048.0,8,H100,80.0,True,,nvidia,,x86,{{}}
p4de.24xlarge,us-west-2,27.44705,96,1152.0,8,A100,80.0,False,,nvidia,,x86,{{}}
g6e.12xlarge,us-east-1,10.49264,48,384.0,4,L40S,48.0,False,,nvidia,,x86,{{}}
m5.large,us-east-1,0.1,2,8.0,0,,,False,,,,x86,{{}}
m7i.large,us-east-1,0.1008,2,8.0,0,,,False,,,,x86,{{}}
p2.xlarge,us-east-1,0.9,4,61.0,1,K80,12.0,False,,nvidia,,x86,{{}}
g5.xlarge,us-east-1,700.0,4,16.0,1,A10G,24.0,False,,nvidia,,x86,{{}}
g4dn.xlarge,eu-west-1,0.2,4,16.0,1,T4,16.0,True,,nvidia,,x86,{{}}
"""
GPUHUNT_GCP = f"""{GPUHUNT_HEADER}
a3-highgpu-8g,us-east1-b,88.0,208,1872.0,8,H100,80.0,False,,nvidia,,x86,{{}}
a3-highgpu-8g,us-east1-c,86.0,208,1872.0,8,H100,80.0,False,,nvidia,,x86,{{}}
a3-highgpu-8g,us-central1-a,88.0,208,1872.0,8,H100,80.0,False,,nvidia,,x86,{{}}
"""
SKYPILOT_AWS = """InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone,Arch
p5.48xlarge,H100,8.0,192.0,2048.0,"{'Gpus': [{'Name': 'H100'}]}",50.1,22.5,us-east-1,us-east-1a,x86_64
p5.48xlarge,H100,8.0,192.0,2048.0,"{'Gpus': [{'Name': 'H100'}]}",50.1,19.25,us-east-1,us-east-1b,x86_64
p4de.24xlarge,A100-80GB,8.0,96.0,1152.0,,27.44705,,us-east-1,us-east-1a,x86_64
p4d.24xlarge,A100,8.0,96.0,1152.0,,21.95764,,us-east-1,us-east-1a,x86_64
g6f.large,L4,0.125,2.0,8.0,,0.2,,us-east-1,us-east-1a,x86_64
,tpu-v5litepod-8,1.0,,,,9.6,,us-east-1,us-east-1a,
c5.large,,,2.0,4.0,,0.085,0.09,us-east-1,us-east-1a,x86_64
"""
SKYPILOT_GCP = """InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GpuInfo,Region,AvailabilityZone,Price,SpotPrice
a2-highgpu-1g,12.0,85.0,,,,us-east1,us-east1-b,0.73948,0.36975
,,,A100,1.0,,us-east1,us-east1-b,2.934,1.0
e2-standard-4,4.0,16.0,,,,us-east1,us-east1-b,0.13402,0.05
"""


@pytest.fixture
def file(tmp_path):
    """Writes a text and returns its path."""

    def write(text, name="prices.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_gpuhunt_prices_of_a_known_machine_replace_the_embedded_ones(file):
    given = imported(file(GPUHUNT_AWS), "gpuhunt", date="2026-11-20", provider="aws", catalog=CATALOG)
    machine = CATALOG.with_overrides(file(given.text(), "own.csv")).instance("p5.48xlarge")
    on_demand, spot = machine.prices["on-demand"], machine.prices["spot"]
    assert (
        on_demand.usd_per_h,
        on_demand.date,
        on_demand.source,
        on_demand.kind,
    ) == (50.1, "2026-11-20", "gpuhunt file prices.csv", "user")
    assert (spot.usd_per_h, spot.date) == (20.5, "2026-11-20")


def test_gpuhunt_machines_that_are_new_bring_their_figures(file):
    given = imported(file(GPUHUNT_AWS), "gpuhunt", date="2026-11-20", provider="aws", catalog=CATALOG)
    catalog = CATALOG.with_overrides(file(given.text(), "own.csv"))
    machine = catalog.instance("p4de.24xlarge")
    assert (
        machine.accelerator.id,
        machine.accelerator_count,
        machine.vcpus,
        machine.memory_bytes,
    ) == ("a100-sxm-80", 8, 96, 1152 * GIB)
    assert catalog.instance("g6e.12xlarge").accelerator.id == "l40s"


def test_what_cannot_be_used_is_left_out_with_the_reason(file):
    given = imported(file(GPUHUNT_AWS), "gpuhunt", date="2026-11-20", provider="aws", catalog=CATALOG)
    assert given.skipped == {
        "an unknown processor": 1,  # m7i.large
        "an unknown accelerator": 1,  # K80
        "a price more than 5 times off the known one": 1,  # the 700 $ placeholder
        "no on-demand price": 1,  # g4dn.xlarge has spot only
    }
    assert [line["name"] for line in given.lines] == [
        "p5.48xlarge",
        "p4de.24xlarge",
        "g6e.12xlarge",
        "m5.large",
    ]


def test_zones_count_as_their_region_at_the_cheapest_price(file):
    given = imported(file(GPUHUNT_GCP), "gpuhunt", date="2026-11-20", provider="gcp", catalog=CATALOG)
    assert [(line["region"], line["on_demand_usd_per_h"]) for line in given.lines] == [
        ("us-east1", "86"),
        ("us-central1", "88"),
    ]
    catalog = CATALOG.with_overrides(file(given.text(), "own.csv"))
    assert catalog.instance("a3-highgpu-8g", region="us-central1").accelerator_count == 8


def test_regions_narrow_the_import(file):
    given = imported(
        file(GPUHUNT_GCP),
        "gpuhunt",
        date="2026-11-20",
        provider="gcp",
        catalog=CATALOG,
        regions=["us-central1"],
    )
    assert [line["region"] for line in given.lines] == ["us-central1"]


def test_skypilot_golden(file):
    given = imported(file(SKYPILOT_AWS), "skypilot", date="2026-11-20", provider="aws", catalog=CATALOG)
    assert given.text() == (
        "provider,region,name,accelerator,accelerator_count,vcpus,memory_gib,on_demand_usd_per_h,spot_usd_per_h,price_date,source\n"
        "aws,us-east-1,p5.48xlarge,,,,,50.1,19.25,2026-11-20,skypilot file prices.csv\n"
        "aws,us-east-1,p4de.24xlarge,a100-sxm-80,8,96,1152,27.44705,,2026-11-20,skypilot file prices.csv\n"
        "aws,us-east-1,p4d.24xlarge,,,,,21.95764,,2026-11-20,skypilot file prices.csv\n"
    )
    assert given.skipped == {
        "a share of a device, or figures missing": 1,
        "an accelerator's price without its machine": 1,
        "spot dearer than on-demand": 1,
    }


def test_a_google_machine_priced_without_its_accelerators_is_not_mistaken_for_a_bargain(file):
    given = imported(file(SKYPILOT_GCP), "skypilot", date="2026-11-20", provider="gcp", catalog=CATALOG)
    assert [line["name"] for line in given.lines] == ["e2-standard-4"]
    assert given.skipped["a machine's price without its accelerators"] == 1


def test_azure_nc_machines_get_the_pcie_cards(file):
    text = (
        f"{GPUHUNT_HEADER}\n"
        "Standard_NC48ads_A100_v4,eastus,7.346,48,440.0,2,A100,80.0,False,,nvidia,,x86,{}\n"
        "Standard_NC80adis_H100_v5,eastus,13.96,80,640.0,2,H100NVL,94.0,False,,nvidia,,x86,{}\n"
        "Standard_ND96amsr_A100_v4,eastus,32.77,96,1900.0,8,A100,80.0,False,,nvidia,,x86,{}\n"
    )
    given = imported(file(text), "gpuhunt", date="2026-11-20", provider="azure", catalog=CATALOG)
    assert [line["accelerator"] for line in given.lines] == ["a100-pcie-80", "h100-nvl", "a100-sxm-80"]


def test_a_file_of_another_form_is_refused(file):
    with pytest.raises(
        CatalogError, match=r"prices\.csv line 1: no column 'InstanceType'; is this really a skypilot file"
    ):
        imported(file(GPUHUNT_AWS), "skypilot", date="2026-11-20", provider="aws", catalog=CATALOG)
    with pytest.raises(UnknownName, match="did you mean 'skypilot'"):
        imported(file(GPUHUNT_AWS), "skypiolt", date="2026-11-20", provider="aws", catalog=CATALOG)


def test_a_price_that_is_no_number_names_its_line(file):
    with pytest.raises(CatalogError, match=r"prices\.csv line 2: 'price' is 'free'"):
        imported(
            file(f"{GPUHUNT_HEADER}\nx,r,free,1,1,0,,,False,,,,,\n"),
            "gpuhunt",
            date="2026-11-20",
            provider="aws",
            catalog=CATALOG,
        )
