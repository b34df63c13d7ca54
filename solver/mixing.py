r"""The cheapest mix of carriers for one service: traffic is routed continuously, machines are counted in integers.

A service whose requests differ in size may be served by several *carriers* (a machine with its options), each better at
some sizes. Size buckets are split freely between carriers; only instances are whole. So a bucket need not be cut into
slices that each go to one carrier, which costs both money (a slice is all here or all there) and time (a binary for
each slice and carrier).

**Sets**: buckets $b$, periods $t$ of $h_t$ hours, carriers $v$ in pools $i$, quota groups $g$ of pools.

**Data**: $l_{bvt}$ instances of carrier $v$ that the whole bucket keeps busy in period $t$ (its rate over what one
instance carries within every limit; no entry where it cannot), $f_v$ what a carrier costs by being used at all, $a_v$
its loss, $q_{bt}$ requests, prices and quotas of the pools as in `advisor.solver`.

**Variables**: $x_{bvt} \in [0, 1]$ the share of a bucket that a carrier gets (one $x_{bv}$ for all periods where routing is
steady), $n_{vt} \in \mathbb{Z}_{\ge 0}$ instances, $y_v \in \{0, 1\}$ whether a carrier is used, $r_{ip}$ and $o_{ipt}$ purchases.

**Objective**: $\sum_v f_v y_v + \sum_i \big( \sum_p \pi_{ip} H r_{ip} + \sum_{p,t} \pi_{ip} h_t o_{ipt} \big)$; a pool whose cheapest way
to buy is by the hour without limits needs no purchases, its instances cost $\pi_i h_t n_{vt}$.

| row | for each | constraint |
| --- | --- | --- |
| M1 routed | $b, t$ | $\sum_v x_{bvt} = 1$ |
| M2 carried | $v, t$ | $\sum_b l_{bvt} x_{bvt} \le n_{vt}$ |
| M3 used | $b, v, t$ where being used costs or counts | $x_{bvt} \le y_v$ |
| M4 carriers | once, with a limit $K$ | $\sum_v y_v \le K$ |
| M5 coverage | $i, t$ | $\sum_p r_{ip} + \sum_p o_{ipt} \ge \sum_{v \in i} n_{vt}$ |
| M6 share | $i, p, t$ with $\sigma_{ip} < 1$ | $o_{ipt} \le \sigma_{ip} \sum_{v \in i} n_{vt}$ |
| M7 plan quota | $i, p$ ($t$ if hourly) with a quota | $r_{ip} \le q_{ip}$, $o_{ipt} \le q_{ip}$ |
| M8 group quota | $g, t$ | $\sum_{v \in i \in g} n_{vt} \le Q_g$ |
| M9 loss | once, with a limit $L$ | $\sum_{b,v,t} q_{bt} a_v x_{bvt} \le L \sum_{b,t} q_{bt}$ |

Whatever the solver returns is read as whole and evaluated again; a difference of more than $10^{-6}$ raises.
"""

from collections.abc import Mapping, Sequence
from math import ceil, fsum
from typing import Final

import numpy as np

from advisor.solver.errors import SolverDisagreement
from advisor.solver.linear import LinearProgram
from advisor.solver.mixing_data import Bucket, Carrier, Mix, Mixing, MixResult
from advisor.solver.mixing_rows import MixFormulation
from advisor.solver.pulp_bridge import SolverSettings, minimize
from advisor.solver.purchases import cheapest_purchases
from advisor.solver.results import SolverReport, Status

__all__ = ["Bucket", "Carrier", "Mix", "MixResult", "Mixing", "cheapest_mix", "formulate_mix"]

_FULL: Final = 1e-7
"""Part of an instance by which a load may exceed whole instances: rounding of the solver, not of the traffic."""
_TOLERANCE: Final = 1e-6


def cheapest_mix(mixing: Mixing, settings: SolverSettings | None = None) -> MixResult:
    """Return the cheapest mix, or why there is none.

    Raises:
        SolverUnavailable: The solver is not installed.
        SolverDisagreement: The solver's answer does not hold when it is evaluated again.

    Example:
        A large machine for 10 requests/s and a small one for 3 carry 13 of them; two large ones would cost 8.

        >>> from advisor.solver import Period, Plan, Pool
        >>> rates = {"any": 13.0}
        >>> carriers = (Carrier.serving("large", "large", rates, {"any": 10.0}),
        ...             Carrier.serving("small", "small", rates, {"any": 3.0}))
        >>> pools = tuple(Pool(name, (Plan("on-demand", "hourly", usd),)) for name, usd in (("large", 4.0), ("small", 1.5)))
        >>> result = cheapest_mix(Mixing((Bucket("any", (13.0,)),), carriers, (Period("hour", 1.0),), pools))
        >>> result.mix.cost_usd_per_month, result.mix.instances
        (5.5, {'large': (1,), 'small': (1,)})
    """
    settings = settings or SolverSettings()
    if not all(any(bucket.name in carrier.load for carrier in mixing.carriers) for bucket in mixing.buckets):
        return MixResult(SolverReport(settings.name, Status.INFEASIBLE), None)
    formulation = MixFormulation(mixing)
    answer = minimize(formulation.program(), settings, time_limit_s=settings.time_limit_s)
    if not answer.values:
        return MixResult(SolverReport(settings.name, answer.status, bound=answer.bound), None)
    mix = _evaluated(mixing, formulation.shares(answer.values), formulation.counts(answer.values))
    _agree(mix, answer.objective, answer.bound, status=answer.status)
    bound = None if answer.bound is None else min(answer.bound, mix.cost_usd_per_month)
    gap = None if bound is None else (mix.cost_usd_per_month - bound) / max(mix.cost_usd_per_month, 1e-12)
    return MixResult(SolverReport(settings.name, answer.status, mix.cost_usd_per_month, bound, gap), mix)


def formulate_mix(mixing: Mixing) -> LinearProgram:
    """Return the integer program of a mix."""
    return MixFormulation(mixing).program()


def _evaluated(
    mixing: Mixing,
    found: Mapping[tuple[str, str], Sequence[float]],
    counted: Mapping[str, Sequence[float]],
) -> Mix:
    """Return the mix of some shares: made to add up to 1, on the fewest instances, or those counted where these cost less.

    More instances can cost less only where several plans are limited to shares of the use.
    """
    shares = _cleaned(mixing, found)
    fewest: dict[str, tuple[int, ...]] = {}
    for carrier in mixing.carriers:
        load = np.zeros(len(mixing.periods))
        for bucket, whole in carrier.load.items():
            load += np.array(whole) * np.array(shares.get((bucket, carrier.name), 0.0))
        if any(name == carrier.name for _, name in shares):
            fewest[carrier.name] = tuple(ceil(part - _FULL * max(part, 1.0)) for part in load.tolist())
    more = {
        name: tuple(max(least, round(count)) for least, count in zip(counts, counted[name], strict=True))
        for name, counts in fewest.items()
    }
    instances = min(fewest, more, key=lambda counts: _bought(mixing, counts))
    own = fsum(c.cost_usd_per_month for c in mixing.carriers if c.name in instances)
    return Mix(shares, instances, own + _bought(mixing, instances), _mean_loss(mixing, shares))


def _cleaned(
    mixing: Mixing, found: Mapping[tuple[str, str], Sequence[float]]
) -> dict[tuple[str, str], tuple[float, ...]]:
    table = {pair: np.where(np.array(values) < _FULL, 0.0, values) for pair, values in found.items()}
    for bucket in mixing.buckets:
        mine = [pair for pair in table if pair[0] == bucket.name]
        total = np.sum([table[pair] for pair in mine], axis=0)
        for pair in mine:
            table[pair] = table[pair] / total
    return {pair: tuple(values.tolist()) for pair, values in table.items() if values.any()}


def _bought(mixing: Mixing, instances: Mapping[str, tuple[int, ...]]) -> float:
    hours = np.array([period.hours_per_month for period in mixing.periods])
    costs = []
    for pool in mixing.pools:
        use = np.zeros(len(hours))
        for carrier in mixing.carriers:
            if carrier.pool == pool.name:
                use += np.array(instances.get(carrier.name, 0))
        costs.append(float(cheapest_purchases(pool, use[None, :], hours).cost_usd_per_month[0]))
    return fsum(costs)


def _mean_loss(mixing: Mixing, shares: Mapping[tuple[str, str], tuple[float, ...]]) -> float:
    losses = {carrier.name: carrier.loss_ratio for carrier in mixing.carriers}
    requests = {bucket.name: bucket.requests for bucket in mixing.buckets}
    total = fsum(count for counts in requests.values() for count in counts)
    lost = (
        losses[carrier] * share * count
        for (bucket, carrier), row in shares.items()
        for share, count in zip(row, requests[bucket], strict=True)
    )
    return fsum(lost) / total if total else 0.0


def _agree(mix: Mix, objective: float | None, bound: float | None, *, status: Status) -> None:
    """Raise where the mix costs more than the solver said, or less than it proved."""
    cost, size = mix.cost_usd_per_month, max(abs(mix.cost_usd_per_month), 1.0)
    if objective is None or cost - objective > _TOLERANCE * size:
        raise SolverDisagreement(f"the solver's mix costs {objective!r}, but {cost!r} when evaluated again")
    if status is Status.OPTIMAL and bound is not None and bound - cost > _TOLERANCE * size:
        raise SolverDisagreement(f"the solver proved {bound!r}, but its mix costs {cost!r}")
