"""What one charge of a FOCUS export is for: the line of the bill, the machine, and its hours.

Source: columns and allowed values of the FinOps Open Cost and Usage Specification (FOCUS) 1.0 to 1.3,
https://focus.finops.org. FOCUS files data transfer and disks of a machine under the machine's own service, so the
service category alone does not tell them apart; the unit and the description do.
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

LINES = (
    "compute-on-demand",
    "compute-committed",
    "compute-spot",
    "storage",
    "network",
    "other",
    "tax",
    "credits",
)
"""Lines of the bill, in the order shown. `network` is data moved by the gigabyte; gateways and balancers, which are
paid by the hour, are `other`."""

_MACHINE = re.compile(
    r"(?<![\w.])(?:ml\.)?[a-z][a-z0-9-]*\d[a-z0-9-]*\.(?:nano|micro|small|medium|metal(?:-\d+xl)?|\d*x?large)(?![\w.])"
    r"|(?<!\w)Standard_[A-Z][\w-]+"
    r"|(?<!\w)[a-z]\d[a-z]?-(?:standard|highmem|highcpu|highgpu|megagpu|ultragpu|edgegpu)-\d+[a-z]*(?!\w)"
)
"""How AWS, Azure and Google Cloud name machines, such as `g5.4xlarge`, `Standard_NC96ads_A100_v4`, `a3-highgpu-8g`."""
_TRANSFER = re.compile(r"data.?transfer|bandwidth|egress|network (inter|data)|-(out|in)-bytes", re.IGNORECASE)
_KEPT = re.compile(r"\b(disks?|volumes?|snapshots?|ssd|storage|gp[23]|io[12])\b", re.IGNORECASE)
_NO_MACHINE = re.compile(
    r"nat gateway|load balanc|ipv4|ip address|vpn|elastic ip|endpoint hour", re.IGNORECASE
)
_MONTHLY_BYTES = re.compile(r"g(i|iga)?b(yte)?s?[ /-]*(per )?mo(nth)?s?", re.IGNORECASE)
_BYTES = re.compile(r"(\d+ )?[gt](i|iga|era)?b(yte)?s?", re.IGNORECASE)
_TIME = re.compile(r"hours?|hrs?\b|minutes?|seconds?", re.IGNORECASE)
_HOURS_PER = {"hour": 1.0, "hr": 1.0, "minute": 1.0 / 60.0}
_PLAIN_TIME = re.compile(r"(?:instance[- ])?(?:1 )?(hour|hr|minute)s?", re.IGNORECASE)


class Nature(NamedTuple):
    """The columns that say what a charge is for, as text; empty where the export has none."""

    category: str
    """`ChargeCategory`: Usage, Purchase, Tax, Credit or Adjustment."""
    pricing: str
    """`PricingCategory`: Standard, Dynamic (spot), Committed or Other."""
    commitment: bool
    """Whether a reservation or savings plan pays."""
    service_category: str
    service: str
    resource_type: str
    unit: str
    """`ConsumedUnit`, or `PricingUnit` where there is none."""
    description: str
    details: str
    """`SkuPriceDetails`, as JSON."""
    meter: str = ""
    """What a provider adds to say which machine it was, such as `x_UsageType`."""


@lru_cache(maxsize=5_000)
def line_of(nature: Nature) -> str:
    """Return which of `LINES` a charge belongs to.

    Example:
        >>> nature = Nature("Usage", "Standard", False, "Compute", "EC2", "", "GB", "data transfer out", "")
        >>> line_of(nature), line_of(nature._replace(unit="Hours", description="p5.48xlarge", pricing="Dynamic"))
        ('network', 'compute-spot')
    """
    category = nature.category.casefold()
    if category in {"tax", "credit"}:
        return "tax" if category == "tax" else "credits"
    if _is_transfer(nature):
        return "network"
    if _is_kept(nature):
        return "storage"
    if not _is_compute(nature):
        return "other"
    if nature.commitment or nature.pricing.casefold() in {"committed", "commitment discounted"}:
        return "compute-committed"
    dynamic = nature.pricing.casefold() == "dynamic" or re.search(
        r"\bspot\b", nature.description, re.IGNORECASE
    )
    return "compute-spot" if dynamic else "compute-on-demand"


@lru_cache(maxsize=5_000)
def machine_of(nature: Nature) -> str:
    """Return the provider's name of the machine a charge is for; empty when the export does not say.

    Example:
        >>> usage = Nature("Usage", "", False, "Compute", "EC2", "", "Hours", "On Demand Linux g5.4xlarge Hour", "")
        >>> machine_of(usage), machine_of(usage._replace(details='{"InstanceType": "p5.48xlarge"}'))
        ('g5.4xlarge', 'p5.48xlarge')
    """
    if not _is_compute(nature) or _is_transfer(nature) or _is_kept(nature):
        return ""
    named = _named(nature.details)
    if named:
        return named
    texts = (nature.details, nature.meter, nature.description)
    found = next((match for text in texts if (match := _MACHINE.search(text))), None)
    return found[0] if found else ""


def hours_of(quantity: float, unit: str) -> float:
    """Return machine hours for a quantity whose unit is plain time, else 0: vCPU-hours are no machine hours.

    Example:
        >>> [hours_of(30.0, unit) for unit in ("Hours", "Minutes", "vCPU-Hours", "GB")]
        [30.0, 0.5, 0.0, 0.0]
    """
    time = _PLAIN_TIME.fullmatch(unit.strip())
    return quantity * _HOURS_PER[time[1].casefold()] if time else 0.0


def tags_of(value: object) -> Mapping[str, str] | None:
    """Return the tags of a charge: of JSON text, of a map or of a list of pairs, as exports write them.

    Returns:
        Value by key; empty without tags, `None` when the text is not readable.

    Example:
        >>> tags_of('{"app": "chat"}'), tags_of([("app", "chat")]), tags_of("{app")
        ({'app': 'chat'}, {'app': 'chat'}, None)
    """
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except (ValueError, RecursionError):
            return None
    if isinstance(value, list):
        pairs = [tuple(pair.values()) if isinstance(pair, Mapping) else pair for pair in value]
        if any(not isinstance(pair, tuple | list) or len(pair) != 2 for pair in pairs):
            return None
        value = dict(pairs)
    if value is None:
        return {}
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else None


def _named(details: str) -> str:
    """The machine that `SkuPriceDetails` names."""
    if not details.startswith("{"):
        return ""
    try:
        read = json.loads(details)
    except (ValueError, RecursionError):
        return ""
    names = {"instancetype", "x_instancetype", "x_machinetype", "machinetype", "servicetype"}
    found = (v for k, v in read.items() if k.casefold() in names and isinstance(v, str))
    return next(found, "")[:100]


def _is_transfer(nature: Nature) -> bool:
    if _BYTES.fullmatch(nature.unit.strip()) is None and nature.unit:
        return False
    by_category = nature.service_category.casefold() in {"networking", "network"}
    return by_category or _TRANSFER.search(nature.description) is not None


def _is_kept(nature: Nature) -> bool:
    if nature.service_category.casefold() == "storage" or _MONTHLY_BYTES.fullmatch(nature.unit.strip()):
        return nature.service_category.casefold() in {"storage", "compute", "ai and machine learning", ""}
    disk = nature.resource_type.casefold() in {"disk", "volume", "snapshot"}
    in_compute = nature.service_category.casefold() == "compute" and not _MACHINE.search(nature.description)
    return disk or (in_compute and _KEPT.search(nature.description) is not None)


def _is_compute(nature: Nature) -> bool:
    category = nature.service_category.casefold()
    if _NO_MACHINE.search(nature.description):
        return False
    if category == "compute":
        return True
    return category == "ai and machine learning" and _TIME.search(nature.unit) is not None
