"""Reads what OpenCost or Kubecost allocated to a service, and sums it as a bill.

Their `/allocation` answer: `{"code": 200, "data": [{name: {"start", "end", "gpuHours", "cpuCost", "gpuCost", "ramCost",
"pvCost", "networkCost", "loadBalancerCost", "sharedCost", "externalCost", ...}}, ...]}`, one mapping for each step of the
window; a number may be null. Idle machines are `__idle__`.
"""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from advisor.billing.sums import BillGroup, FocusBill, Left
from advisor.documents import bounded_bytes
from advisor.errors import InputError

LIMIT_BYTES = 64_000_000
_COSTS = {
    "compute-on-demand": ("cpuCost", "gpuCost", "ramCost"),
    "storage": ("pvCost",),
    "network": ("networkCost", "loadBalancerCost"),
    "other": ("sharedCost", "externalCost"),
}
_NOTE = "OpenCost does not say how machines were bought: all of compute is shown as on demand."


def read_opencost(path: str | Path, *, allocations: tuple[str, ...] = ()) -> FocusBill:
    """Return the sums of an OpenCost or Kubecost allocation answer.

    Args:
        path: JSON as `/allocation?window=30d&aggregate=deployment` returns it.
        allocations: Keep the allocations with these names; may hold `*` and `?`. None given keeps all, idle ones too.

    Raises:
        InputError: The file cannot be read, is no such answer, or no allocation fits.
    """
    path = Path(path)
    found = list(_allocations(_document(path), path.name))
    kept = [(name, one) for name, one in found if not allocations or _fits(name, allocations)]
    if not kept:
        names = ", ".join(sorted({name for name, _ in found})[:8]) or "none"
        raise InputError(f"{path.name}: no allocation fits {', '.join(allocations)} (there are: {names})")
    left = [one for name, one in found if allocations and not _fits(name, allocations)]
    starts = [_moment(one, "start", path.name) for _, one in kept]
    ends = [_moment(one, "end", path.name) for _, one in kept]
    return FocusBill(
        source=path.name,
        groups=tuple(_groups(kept)),
        basis="effective",
        start=min(starts),
        end=max(ends),
        foreign={},
        excluded=Left(len(left), sum(sum(_cost(one, *names) for names in _COSTS.values()) for one in left)),
        notes=(_NOTE,),
    )


def is_opencost(path: str | Path) -> bool:
    """Return whether a file is named as JSON, which FOCUS exports are not."""
    return Path(path).suffix.lower() == ".json"


def _document(path: Path) -> object:
    raw = bounded_bytes(path, limit_bytes=LIMIT_BYTES, instead="aggregate it further")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InputError.unreadable_file(path, f"this is not JSON: {str(error)[:100]}") from None


def _allocations(found: object, source: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    data = found.get("data") if isinstance(found, Mapping) else None
    if not isinstance(data, list) or not all(isinstance(step, Mapping) for step in data):
        raise InputError(
            f"{source} is no allocation answer of OpenCost; expected data: [{{name: {{...}}}}], as from "
            "/allocation?window=30d&aggregate=deployment"
        )
    for step in data:
        for name, one in step.items():
            if isinstance(one, Mapping):
                yield str(name)[:200], one


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.casefold(), pattern.casefold()) for pattern in patterns)


def _groups(kept: list[tuple[str, Mapping[str, object]]]) -> Iterator[BillGroup]:
    for line, names in _COSTS.items():
        usd = sum(_cost(one, *names) for _, one in kept)
        if usd or line.startswith("compute"):
            month = min(str(one.get("start"))[:7] for _, one in kept)
            yield BillGroup(month, line, "OpenCost", "", "", "", usd, usd, 0.0, len(kept))


def _cost(one: Mapping[str, object], *names: str) -> float:
    total = 0.0
    for name in names:
        value = one.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            total += value
    return total


def _moment(one: Mapping[str, object], name: str, source: str) -> str:
    window = one.get("window")
    text = str(one.get(name) or (window.get(name) if isinstance(window, Mapping) else ""))
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        raise InputError(
            f"{source}: {name} is '{text[:40]}'; expected a time such as 2026-11-01T00:00:00Z"
        ) from None
