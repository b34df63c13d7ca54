"""Azure's retail prices as the API pages them (a few items, made by hand)."""

import json

import pytest

from advisor.catalog import Catalog
from advisor.catalog.importers import imported
from advisor.errors import CatalogError, InputError

CATALOG = Catalog.load()
H100 = "Standard_NC40ads_H100_v5"
ITEM = {
    "currencyCode": "USD",
    "retailPrice": 7.0,
    "armRegionName": "eastus",
    "armSkuName": H100,
    "skuName": "NC40ads H100 v5",
    "meterName": "NC40ads H100 v5",
    "productName": "Virtual Machines NCads H100 v5 Series",
    "serviceName": "Virtual Machines",
    "unitOfMeasure": "1 Hour",
    "type": "Consumption",
}
PAGE = [
    ITEM | {"savingsPlan": [{"retailPrice": 5.2, "term": "1 Year"}, {"retailPrice": 3.9, "term": "3 Years"}]},
    ITEM | {"retailPrice": 2.1, "skuName": "NC40ads H100 v5 Spot", "meterName": "NC40ads H100 v5 Spot"},
    ITEM | {"retailPrice": 8760 * 4.5, "type": "Reservation", "reservationTerm": "1 Year"},
    ITEM | {"retailPrice": 9.9, "productName": "Virtual Machines NCads H100 v5 Series Windows"},
    ITEM | {"retailPrice": 1.0, "skuName": "NC40ads H100 v5 Low Priority"},
    ITEM | {"currencyCode": "EUR"},
    ITEM | {"type": "DevTestConsumption"},
    ITEM | {"unitOfMeasure": "1/Month"},
    ITEM | {"armSkuName": "Standard_Unheard_Of"},
    ITEM | {"serviceName": "Storage"},
]


def given(tmp_path, content):
    path = tmp_path / "azure.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return imported(path, "azure", date="2026-11-20", provider="azure", catalog=CATALOG)


def test_every_way_of_buying_takes_its_price(tmp_path):
    found = given(tmp_path, {"Items": PAGE})
    own = tmp_path / "own.csv"
    own.write_text(found.text())
    prices = CATALOG.with_overrides(own).instance(H100, "azure", "eastus").prices
    assert {name: price.usd_per_h for name, price in prices.items()} == {
        "on-demand": 7.0,
        "spot": 2.1,
        "reserved-1y": 4.5,  # the reservation, for its whole term, is below the savings plan
        "reserved-3y": 3.9,
    }
    assert {price.kind for price in prices.values()} == {"user"}


def test_what_is_no_linux_machine_by_the_hour_is_counted_and_left_out(tmp_path):
    found = given(tmp_path, {"Items": PAGE})
    assert len(found.lines) == 1
    assert found.skipped == {
        "Windows": 1,
        "low priority, which is no longer sold": 1,
        "another currency": 1,
        "a price for developers": 1,
        "not sold by the hour": 1,
        "another service": 1,
        "a machine that is not in the catalogue": 1,
    }


@pytest.mark.parametrize("wrap", [lambda items: [{"Items": items[:5]}, {"Items": items[5:]}], list])
def test_pages_and_plain_items_are_read_alike(tmp_path, wrap):
    assert given(tmp_path, wrap(PAGE)).lines == given(tmp_path, {"Items": PAGE}).lines


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("{", InputError, "this is not JSON"),
        ({"value": []}, CatalogError, "expected Items"),
        ({"Items": [3]}, CatalogError, "item 1: expected a mapping"),
        ({"Items": [ITEM | {"retailPrice": "7"}]}, CatalogError, "item 1: retailPrice is '7'"),
        ({"Items": [ITEM | {"armRegionName": None}]}, CatalogError, "armRegionName is missing"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(tmp_path, content, error, message):
    with pytest.raises(error, match=message):
        given(tmp_path, content)


def test_a_placeholder_is_no_price(tmp_path):
    found = given(tmp_path, [ITEM | {"retailPrice": 700.0}])
    assert found.skipped == {"a price more than 5 times off the known one": 1}
