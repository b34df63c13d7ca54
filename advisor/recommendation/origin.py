"""What a result was computed from: what was asked, what was assumed, which versions and prices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advisor.results import Result


class Assumption(Result):
    """Something that was neither given nor measured."""

    what: str
    value: str
    why: str = "assumed"


class Provenance(Result):
    """What the result was computed from."""

    advisor_version: str
    catalog_version: str
    """Date of its prices, and a hash of its tables."""
    workload_digest: str
    """SHA-256 of everything that the workloads say and assume."""
    price_dates: tuple[str, ...]
    stale_prices: tuple[str, ...] = ()
    inputs_digest: str = ""
    """SHA-256 of `inputs`: the workloads and requirements as they were asked."""
    versions: Mapping[str, str] = {}
    """Versions of what computed it, such as {python: 3.12.1, pulp: 3.3.2, highspy: 1.13.0, numpy: 2.1.0}."""
    seed: int = 0
    """Of the solver; samples of accuracy are drawn with seeds made from the names of what is drawn."""


class ServiceInputs(Result):
    """One service as it was asked about."""

    workload: Mapping[str, Any]
    """Fields of the workload, as `Workload.load` takes them."""
    requirements: Mapping[str, Any] = {}
    """Limits of its own, over those of the fleet."""
    priority: int = 1


class Inputs(Result):
    """What a later check evaluates again: everything that was asked."""

    services: tuple[ServiceInputs, ...]
    requirements: Mapping[str, Any] = {}
    """Limits for all services, as `Requirements.load` takes them."""
    mix: int = 1
    """Most pools of machines that one service might run on."""
