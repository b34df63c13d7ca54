"""Prices that were really paid, from a provider's bill, as lines of the catalogue."""

from collections.abc import Iterable, Mapping

from advisor.billing.sums import FocusBill, InstanceUse
from advisor.catalog import Catalog
from advisor.catalog.importers import Imported, joined, lines_of
from advisor.catalog.offers import Offer

PROVIDERS = {
    "aws": "aws",
    "amazon web services": "aws",
    "microsoft": "azure",
    "azure": "azure",
    "google cloud": "gcp",
    "gcp": "gcp",
    "oracle": "oci",
    "oracle cloud infrastructure": "oci",
}
"""The catalogue's name of a provider by the names in exports."""
_LINES = {"compute-on-demand": "on-demand", "compute-spot": "spot"}
LEAST_HOURS = 1.0
"""Machine hours below which a price is rounding."""


def negotiated(
    bill: FocusBill, catalog: Catalog, *, committed_as: str = "", regions: Iterable[str] = ()
) -> Imported:
    """Return what machine hours cost in a bill as lines of the catalogue, dated by the end of the bill.

    Args:
        bill: The sums of an export; effective costs say what was paid.
        catalog: Tells known machines; others have no price without their figures.
        committed_as: `reserved-1y` or `reserved-3y`: what hours under a commitment are, as an export does not say;
            left out where empty.
        regions: Regions to keep; none given keeps all.
    """
    purchases = _LINES | ({"compute-committed": committed_as} if committed_as else {})
    sums: dict[tuple[str, str, str, str], tuple[float, float]] = {}
    skipped: dict[str, int] = {}
    for use in bill.instances():
        reason = _left_out(use, purchases)
        if reason:
            skipped[reason] = skipped.get(reason, 0) + 1
            continue
        provider = PROVIDERS[use.provider.casefold()]
        key = (provider, use.instance_type, use.region, purchases[use.line])
        hours, usd = sums.get(key, (0.0, 0.0))
        sums[key] = hours + use.hours, usd + use.usd
    source = f"{bill.basis} cost in the FOCUS export {bill.source}"
    found = [
        lines_of(
            (
                Offer(name, region, prices={purchase: usd / hours}, prices_only=True)
                for (owner, name, region, purchase), (hours, usd) in sums.items()
                if owner == provider
            ),
            date=bill.end[:10],
            source=source,
            provider=provider,
            catalog=catalog,
            regions=regions,
        )
        for provider in dict.fromkeys(key[0] for key in sums)
    ]
    return joined([Imported((), skipped), *found])


def _left_out(use: InstanceUse, purchases: Mapping[str, str]) -> str:
    reasons = {
        "a provider that is not in the catalogue": use.provider.casefold() not in PROVIDERS,
        "hours under a commitment of a term that is not stated": use.line not in purchases,
        "no name of the machine": not use.instance_type,
        "no region": not use.region,
        f"under {LEAST_HOURS:g} h": use.hours < LEAST_HOURS,
        "free hours": use.usd <= 0.0,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")
