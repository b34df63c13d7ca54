"""Latency of requests that all take one server's time and some of them another's after it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from advisor.performance.queueing import STATISTICS, TAIL, Latency

Array = npt.NDArray[np.float64]
_EDGES = np.concatenate([np.linspace(1.0, 0.1, 91), np.geomspace(0.1, 1e-4, 91)[1:], [0.0]])
"""Shares of requests that exceed the ends of the cells by which a latency is represented: finer in the tail."""
_WEIGHTS = -np.diff(_EDGES)
_EXCEEDED = (_EDGES[1:] + _EDGES[:-1]) / 2.0
_KNOWN = ("p50", "p90", "p95", "p99")


def consecutive(first: Latency, second: Latency, *, share: float) -> Latency:
    r"""Return the latency of all requests, of which a share goes through the second server too.

    $$P(T > t) = (1 - s) P(T_1 > t) + s P(T_1 + T_2 > t)$$

    Each latency is represented by values through its percentiles: exponential between two of them and beyond the last;
    below the median all are taken to be the median, so that the sum is not understated. Within 5 % from the 90th percentile on
    of sums of gamma, lognormal and exponential latencies.

    Args:
        first: Latency that every request has, one entry for each case.
        second: Further latency of those that are handed on.
        share: Share s of the requests that are, 0 to 1.

    Assumes:
        Both latencies, and whether a request is handed on, are independent.

    Example:
        >>> one = Latency(*(np.array([value]) for value in (1.0, 0.693, 2.303, 2.996, 4.605)))  # exponential, mean 1 s
        >>> consecutive(one, one, share=0.0).p99_s.round(1)
        array([4.6])
        >>> consecutive(one, one, share=1.0).p99_s.round(1)  # gamma with shape 2: 6.64
        array([6.7])
    """
    shape = np.broadcast_shapes(first.mean_s.shape, second.mean_s.shape)
    rows = [_of_one(_values(first, at), _values(second, at), share) for at in np.ndindex(shape)]
    table = np.array(rows).reshape(*shape, len(_KNOWN))
    named = {"mean": first.mean_s + share * second.mean_s}
    named |= {name: table[..., number] for number, name in enumerate(_KNOWN)}
    return Latency(*(np.asarray(named[statistic]) for statistic in STATISTICS))


def _values(latency: Latency, at: tuple[int, ...]) -> Array:
    """Return the value of each cell in one case, ascending."""
    known = np.array([float(np.broadcast_to(latency[name], latency.mean_s.shape)[at]) for name in _KNOWN])
    if not np.isfinite(known).all():
        return np.full(len(_EXCEEDED), np.inf)
    exceeded = -np.log(_EXCEEDED)
    places = -np.log([TAIL[name] for name in _KNOWN])
    slope = (known[-1] - known[-2]) / (places[-1] - places[-2])
    inside = np.interp(exceeded, places, known)
    return np.asarray(inside + slope * np.maximum(exceeded - places[-1], 0.0))


def _of_one(first: Array, second: Array, share: float) -> list[float]:
    both = (first[:, None] + second[None, :]).ravel()
    values = np.concatenate([first, both])
    weights = np.concatenate([(1.0 - share) * _WEIGHTS, share * np.outer(_WEIGHTS, _WEIGHTS).ravel()])
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order]) - weights[order] / 2.0
    return [float(np.interp(1.0 - TAIL[name], below, values[order])) for name in _KNOWN]
