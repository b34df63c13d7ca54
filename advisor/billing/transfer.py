"""Data that moves: as stated, or from the traffic, at the prices of the catalogue's storage table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.billing.formulas import GB, tiered_usd
from advisor.billing.results import CostItem, Figure, LeftOut
from advisor.billing.storage import gigabytes, price_figure, prices
from advisor.lifecycle import Network
from advisor.units import HOURS_PER_MONTH, format_count, format_usd

if TYPE_CHECKING:
    from advisor.catalog import Catalog, StoragePrice
    from advisor.workload import Workload

BYTES_PER_TOKEN = 4.0
"""Published rule of thumb of OpenAI for English text: a token is about four characters."""
BYTES_PER_STREAMED_TOKEN = 250.0
"""Assumed: one server-sent event a token, as engines with an OpenAI-compatible interface write it."""
BYTES_PER_VECTOR_ELEMENT = 10.0
"""Assumed: one number of an embedding as JSON text."""
BYTES_PER_LABEL = 200.0
"""Assumed: the answer of an image classifier, a few labels with their scores, as JSON text."""
BYTES_PER_PIXEL = 0.5
"""Assumed: an image as JPEG of usual quality."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Data of the traffic in a month, by direction, in bytes."""

    out: float
    into: float
    figures: tuple[Figure, Figure]


def moved_bytes(workload: Workload) -> Moved:
    """Return what the traffic moves in a month, answers out and requests in.

    Example:
        >>> from advisor.workload import Workload
        >>> answers = moved_bytes(Workload.load("large-llm")).out
        >>> round(answers / (Workload.load("large-llm").traffic.mean_requests_per_s * 3600 * 730))  # 250 tokens x 250 B
        62500
    """
    requests, model = workload.requests, workload.model
    count = workload.traffic.mean_requests_per_s * 3600.0 * HOURS_PER_MONTH
    if model.family == "decoder":
        out, said = (
            requests.output_tokens.mean * BYTES_PER_STREAMED_TOKEN,
            f"{requests.output_tokens.mean:,.0f} tokens × {BYTES_PER_STREAMED_TOKEN:g} B, streamed one by one",
        )
        into, asked = (
            requests.input_tokens.mean * BYTES_PER_TOKEN,
            f"{requests.input_tokens.mean:,.0f} tokens × {BYTES_PER_TOKEN:g} B",
        )
    elif model.family == "encoder":
        width = float(model.hidden_size or 0)
        out, said = (
            requests.items * width * BYTES_PER_VECTOR_ELEMENT,
            f"{requests.items:g} × {width:g} elements × {BYTES_PER_VECTOR_ELEMENT:g} B",
        )
        tokens = requests.items * requests.input_tokens.mean
        into, asked = tokens * BYTES_PER_TOKEN, f"{tokens:,.0f} tokens × {BYTES_PER_TOKEN:g} B"
    else:
        side = requests.image_size_px.mean
        out, said = requests.items * BYTES_PER_LABEL, f"{requests.items:g} × {BYTES_PER_LABEL:g} B"
        into, asked = (
            requests.items * side**2 * BYTES_PER_PIXEL,
            f"{requests.items:g} × {side:g}² px × {BYTES_PER_PIXEL:g} B",
        )
    figures = tuple(
        Figure(
            what=what,
            value=gigabytes(size * count, per_month=True),
            basis="assumed",
            source=f"{format_count(count)} requests a month × {words}",
        )
        for what, size, words in (("answers", out, said), ("requests", into, asked))
    )
    return Moved(out * count, into * count, (figures[0], figures[1]))


def network_items(
    workload: Workload, network: Network, catalog: Catalog, *, provider: str, region: str
) -> tuple[list[CostItem], list[LeftOut]]:
    """Return transfer as lines of the bill, and what has no price; what comes in is free at every provider in the table.

    Args:
        workload: For the traffic.
        network: What moves, where it is stated.
        catalog: Prices.
        provider: Where the service runs.
        region: Where the service runs.
    """
    traffic = moved_bytes(workload)
    stated = network.egress_bytes_per_month
    if stated is None:
        size, figure = traffic.out, traffic.figures[0]
    else:
        size, figure = (
            stated,
            Figure(
                what="egress", value=gigabytes(stated, per_month=True), basis="stated", source="the workload"
            ),
        )
    wanted = [
        ("egress", "Network egress", size, "egress_internet", (figure,)),
        (
            "inter-region",
            "Transfer between regions",
            network.inter_region_bytes_per_month,
            "egress_inter_region",
            (),
        ),
    ]
    items: list[CostItem] = []
    missing: list[LeftOut] = []
    for key, name, moved, service, figures in wanted:
        rows = prices(catalog, provider, region, service)
        if moved and rows:
            items.append(_transfer(key, name, workload, moved, rows, figures))
        elif moved:
            missing.append(
                LeftOut(
                    what=name.lower(),
                    why=f"no price of transfer at {provider} is known",
                    key="--catalog storage.csv",
                )
            )
    return items, missing


def ingestion_words(workload: Workload, network: Network) -> str:
    """Return what comes in, in words; providers do not charge for it."""
    stated = network.ingestion_bytes_per_month
    if stated is not None:
        return f"{gigabytes(stated, per_month=True)} in, as stated"
    return f"{gigabytes(moved_bytes(workload).into, per_month=True)} in, assumed from the traffic"


def _transfer(
    key: str,
    name: str,
    workload: Workload,
    moved: float,
    rows: tuple[StoragePrice, ...],
    figures: tuple[Figure, ...],
) -> CostItem:
    paid = [row for row in rows if row.usd_per_unit > 0.0] or list(rows)
    return CostItem.model_validate(
        {
            "key": key,
            "name": name,
            "service": workload.name,
            "today_usd_per_month": tiered_usd(moved / GB, rows),
            "after_usd_per_month": None,
            "formula": f"{gigabytes(moved, per_month=True)} at {format_usd(paid[0].usd_per_unit)} per GB in the first tier",
            "figures": (*figures, price_figure(paid[0])),
        }
    )
