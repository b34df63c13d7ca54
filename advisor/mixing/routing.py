"""From the shares of a mix to a rule for a router: which requests go to which carrier, by their size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import fsum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from advisor.sizes import Span
    from advisor.solver import Carrier, Mix, Mixing

Rule = dict[str, tuple["Span", ...]]
"""Requests of each carrier, by its name."""


def rule_of(mixing: Mixing, mix: Mix, buckets: Sequence[Span]) -> Rule:
    """Return the requests of each carrier: two are divided by one threshold, more as they are routed.

    Args:
        mixing: The program.
        mix: Its answer.
        buckets: Spans of the program's buckets, smallest first.
    """
    used = [carrier for carrier in mixing.carriers if carrier.name in mix.instances]
    if len(used) != 2:
        return spans_of(mix, buckets)
    centre = dict(_centres(_numbered(mix), buckets))
    small, large = sorted(used, key=lambda carrier: centre[carrier.name])
    for first, second in ((small, large), (large, small)):
        share = _threshold(first, second, mix, buckets, loss_limit=mixing.loss_limit)
        if share is not None:
            return {first.name: ((0.0, share),), second.name: ((share, 1.0),)}
    share = fsum(
        part * (buckets[b][1] - buckets[b][0]) for (b, v), part in _numbered(mix).items() if v == small.name
    )
    return {small.name: ((0.0, share),), large.name: ((share, 1.0),)}


def _threshold(
    small: Carrier, large: Carrier, mix: Mix, buckets: Sequence[Span], *, loss_limit: float | None
) -> float | None:
    """Return the share of requests, from the smallest, that one carrier takes so that both carry theirs; `None` if none does.

    The middle of the shares that work, so that neither is filled to the brim.
    """
    upto = _filled(small, mix, buckets)
    back = _filled(large, mix, [(1.0 - high, 1.0 - low) for low, high in reversed(buckets)], reverse=True)
    low, high = 1.0 - back, upto
    if loss_limit is not None and small.loss_ratio != large.loss_ratio:
        even = (loss_limit - large.loss_ratio) / (small.loss_ratio - large.loss_ratio)
        low, high = (low, min(high, even)) if small.loss_ratio > large.loss_ratio else (max(low, even), high)
    return (low + high) / 2 if 0.0 < (low + high) / 2 < 1.0 and low <= high + 1e-9 else None


def _filled(carrier: Carrier, mix: Mix, spans: Sequence[Span], *, reverse: bool = False) -> float:
    """Return how many of the requests, from the first bucket on, the instances of a carrier carry."""
    room: NDArray[np.float64] = np.array(mix.instances[carrier.name], dtype=float)
    for number, (low, high) in enumerate(spans):
        name = f"b{len(spans) - 1 - number if reverse else number}"
        if name not in carrier.load:
            return low
        load = np.array(carrier.load[name])
        with np.errstate(divide="ignore", invalid="ignore"):
            part = float(np.nanmin(np.where(load > 0.0, room / load, 1.0)))
        if part < 1.0 - 1e-9:
            return low + max(part, 0.0) * (high - low)
        room = np.maximum(room - load, 0.0)
    return spans[-1][1]


def spans_of(mix: Mix, buckets: Sequence[Span]) -> Rule:
    """Return the requests of each carrier as spans: a bucket that is shared is cut by size.

    Carriers of smaller requests get the smaller ones of a shared bucket.

    Example:
        >>> from advisor.solver import Mix
        >>> shares = {("b0", "v1"): (1.0,), ("b1", "v1"): (0.5,), ("b1", "v0"): (0.5,)}
        >>> spans_of(Mix(shares, {}, 0.0, 0.0), [(0.0, 0.5), (0.5, 1.0)])
        {'v1': ((0.0, 0.75),), 'v0': ((0.75, 1.0),)}
    """
    shares = _numbered(mix)
    centre = dict(_centres(shares, buckets))
    pieces: list[tuple[Span, str]] = []
    for number, (low, high) in enumerate(buckets):
        mine = sorted((v for b, v in shares if b == number), key=lambda v: (centre[v], v))
        edge = low
        for count, carrier in enumerate(mine, 1):
            end = high if count == len(mine) else edge + (high - low) * shares[number, carrier]
            pieces.append(((edge, end), carrier))
            edge = end
    found: dict[str, list[Span]] = {}
    for carrier, run in groupby(pieces, key=lambda piece: piece[1]):
        spans = [span for span, _ in run]
        found.setdefault(carrier, []).append((spans[0][0], spans[-1][1]))
    return {carrier: tuple(spans) for carrier, spans in found.items()}


def _numbered(mix: Mix) -> dict[tuple[int, str], float]:
    return {(int(b[1:]), v): row[0] for (b, v), row in mix.shares.items() if row[0] > 0.0}


def _centres(shares: Mapping[tuple[int, str], float], buckets: Sequence[Span]) -> Iterator[tuple[str, float]]:
    for carrier in sorted({v for _, v in shares}):
        mine = {b: share for (b, v), share in shares.items() if v == carrier}
        weights = [
            (share * (buckets[b][1] - buckets[b][0]), sum(buckets[b]) / 2) for b, share in mine.items()
        ]
        yield carrier, fsum(w * middle for w, middle in weights) / fsum(w for w, _ in weights)
