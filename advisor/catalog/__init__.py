"""Machines that can be rented, what they can do, what they cost and how dirty their electricity is.

Why: every figure is a row of a dated and sourced table in `advisor/data`, and every one can be replaced by a user.
"""

from advisor.catalog.catalog import STALE_DAYS, Catalog
from advisor.catalog.power import PowerModel, power_model, power_w
from advisor.catalog.records import (
    DTYPES,
    GIB,
    PURCHASES,
    Accelerator,
    GridIntensity,
    InstanceType,
    Price,
    StoragePrice,
)
from advisor.catalog.support import RULES, Rule, half_precision, supports

__all__ = [
    "DTYPES",
    "GIB",
    "PURCHASES",
    "RULES",
    "STALE_DAYS",
    "Accelerator",
    "Catalog",
    "GridIntensity",
    "InstanceType",
    "PowerModel",
    "Price",
    "Rule",
    "StoragePrice",
    "half_precision",
    "power_model",
    "power_w",
    "supports",
]
