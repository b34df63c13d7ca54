"""Lays a user's lines over a table: what they name is changed, what they do not name is added."""

from collections.abc import Iterable

from advisor.catalog.building import PRICE_COLUMNS
from advisor.catalog.tables import Row, added, overlaid, without
from advisor.errors import suggestion

KEYS = {
    "accelerators": ("id",),
    "instances": ("provider", "region", "name"),
    "carbon": ("provider", "region"),
    "commitments": ("provider", "purchase", "payment"),
    "storage": ("provider", "region", "service", "tier_from_gb", "item"),
}
"""Columns that name a row of each table that a user can change."""


def merged(rows: tuple[Row, ...], changes: Iterable[Row], *, keys: tuple[str, ...]) -> tuple[Row, ...]:
    """Return the rows with each change laid over those it names, and a new row for each that names none.

    Args:
        rows: A table.
        changes: A user's lines for it, in order.
        keys: Columns that name a row; see `KEYS`.

    Raises:
        CatalogError: Two changes name the same rows, or one names nothing and says too little to add it.
    """
    result = list(rows)
    seen: set[tuple[str, ...]] = set()
    for change in changes:
        key = tuple(folded(change.text(column)) for column in keys)
        if key in seen:
            raise change.problem(
                f"a line for {'/'.join(filter(None, key))} is already in this file; keep one"
            )
        seen.add(key)
        fits = [index for index, row in enumerate(result) if _is_about(change, row, keys)]
        for index in fits:
            result[index] = overlaid(result[index], change, keys=keys)
        if not fits:
            result.append(_new(change, result, keys))
    return tuple(result)


def _is_about(change: Row, row: Row, keys: tuple[str, ...]) -> bool:
    """Whether the change names the row; an empty provider or region of a machine means any."""
    if not change.text(keys[-1]):
        return False
    return all(folded(change.text(column)) in ("", folded(row.text(column))) for column in keys)


def _new(change: Row, rows: Iterable[Row], keys: tuple[str, ...]) -> Row:
    """The user's line as a line of its own; a machine known elsewhere brings all but its prices."""
    known = {row.text(keys[-1]) for row in rows}
    missing = [column for column in keys if not change.text(column)]
    if missing:
        name = change.text(keys[-1])
        near = suggestion(name, known)
        raise change.problem(
            f"nothing in the catalogue is called '{name}'{near}; to add it, give {', '.join(missing)}"
        )
    if keys != KEYS["instances"]:
        return added(change)
    elsewhere = next((row for row in rows if _is_about(without(change, "region"), row, keys)), None)
    if elsewhere is None and not change.text("accelerator"):
        near = suggestion(change.text("name"), known)
        raise change.problem(
            f"no machine '{change.text('name')}' in the catalogue{near}; to add one, give accelerator, vcpus, "
            "memory_gib and on_demand_usd_per_h"
        )
    if elsewhere is None:
        return added(change)
    return overlaid(without(elsewhere, *PRICE_COLUMNS.values(), "notes"), change, keys=("provider", "name"))


def folded(name: str) -> str:
    """Return a name as it is compared: in lower case and without Azure's `Standard_`."""
    return name.casefold().removeprefix("standard_")
