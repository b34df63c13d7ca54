"""Fetches today's prices with gpuhunt: the one place of the catalogue that opens the network, and only when asked."""

import logging
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from advisor.catalog.catalog import Catalog
from advisor.catalog.importers import Imported, lines_of
from advisor.catalog.offers import Offer, hunted
from advisor.errors import InputError, UnknownName

PROVIDERS = ("aws", "azure", "gcp", "oci", "runpod")
"""Providers of the catalogue that gpuhunt collects without a key."""
_TIMEOUT_S = 30.0


def refreshed(
    provider: str, *, date: str, catalog: Catalog, regions: Iterable[str] = (), hunt: Any = None
) -> Imported:
    """Return today's machines and prices of a provider.

    Args:
        provider: One of `PROVIDERS`.
        date: Today, `YYYY-MM-DD`.
        catalog: Tells known machines and chips.
        regions: Regions to keep; none given keeps all.
        hunt: A `gpuhunt.Catalog` that is loaded; one that is fetched where none is given, once for all providers if
            the caller keeps it: see `loaded`.

    Raises:
        UnknownName: The provider is not one of these.
        InputError: gpuhunt is not installed, cannot be reached, or has no price of this provider.
    """
    if provider not in PROVIDERS:
        raise UnknownName.among("provider", provider, PROVIDERS, "can be refreshed")
    hunt = hunt or loaded()
    with _quietly():
        try:
            items = hunt.query(provider=provider)
        except (OSError, ValueError) as error:
            raise _unreachable(str(error)) from None
    if not items:
        raise _unreachable(f"no price of {provider} came back")
    offers = (_offer(item, provider) for item in items)
    return lines_of(offers, date=date, source="gpuhunt", provider=provider, catalog=catalog, regions=regions)


def origin() -> str:
    """Return where gpuhunt takes its prices from: a folder or an address.

    Raises:
        InputError: gpuhunt is not installed.
    """
    _gpuhunt()
    from gpuhunt._internal.catalog import CATALOG_URL  # noqa: PLC0415 - an extra

    return os.environ.get("GPUHUNT_CATALOG_DIR") or os.environ.get("GPUHUNT_CATALOG_URL") or str(CATALOG_URL)


def loaded() -> Any:
    """Return gpuhunt's catalogue, fetched from the network unless `GPUHUNT_CATALOG_DIR` names a folder.

    Raises:
        InputError: gpuhunt is not installed or cannot be reached.
    """
    gpuhunt = _gpuhunt()
    hunt = gpuhunt.Catalog(balance_resources=False, auto_reload=False)
    if os.environ.get("GPUHUNT_CATALOG_DIR"):
        return hunt
    with _quietly():
        try:
            hunt.load()
        except Exception as error:  # noqa: BLE001 - whatever a foreign library raises, the network did not answer
            raise _unreachable(str(error.__cause__ or error)) from None
    return hunt


def _gpuhunt() -> Any:
    try:
        import gpuhunt  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError(
            "refreshing prices needs gpuhunt; install it: pip install 'inference-advisor[gpuhunt]', or turn a file that you "
            "have into prices: advisor catalog import"
        ) from None
    return gpuhunt


def _unreachable(reason: str) -> InputError:
    return InputError(
        f"cannot fetch prices from {origin()}: {reason[:200]}. Without a network, set GPUHUNT_CATALOG_DIR to a folder with "
        "PROVIDER.csv, or use advisor catalog import; nothing was written"
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep gpuhunt from writing tracebacks to the terminal, and from waiting for ever."""
    logger, before = logging.getLogger("gpuhunt"), socket.getdefaulttimeout()
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    socket.setdefaulttimeout(_TIMEOUT_S)
    try:
        yield
    finally:
        logger.setLevel(level)
        socket.setdefaulttimeout(before)


def _offer(item: Any, provider: str) -> Offer:
    return hunted(
        item.instance_name,
        item.location,
        provider=provider,
        price=item.price,
        spot=item.spot,
        chip=item.gpu_name or "",
        chip_memory_gb=item.gpu_memory,
        chips=float(item.gpu_count or 0),
        vcpus=float(item.cpu or 0),
        memory_gib=float(item.memory or 0.0),
    )
