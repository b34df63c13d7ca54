"""What stands beside a plan: other plans, commitments, mixes of machines, what binds and what was left out."""

from __future__ import annotations

from advisor.recommendation.plan import LatencyCheck
from advisor.results import Result


class Alternative(Result):
    """Another plan that meets the requirements."""

    differs: str
    """What is different, in words."""
    instance_type: str
    choices: tuple[str, ...]
    """`strategy=option` of everything that changes against today."""
    cost_usd_per_month: float
    extra_usd_per_month: float
    """Against the recommended plan."""
    one_time_usd: float
    loss_expected_ratio: float
    probability_kept: float | None


class Binding(Result):
    """A requirement and how close the plan comes to it."""

    requirement: str
    limit: str
    reached: str
    used_ratio: float
    """1 where nothing is left."""


class Commitment(Result):
    """A commitment that a service's machine is sold with, against buying it by the hour."""

    service: str
    instance_type: str
    plan: str
    term_months: float
    usd_per_h: float
    on_demand_usd_per_h: float
    price_kind: str
    """`published`, `estimate` or `user`."""
    break_even_hours_per_month: float
    """Use from which on it is cheaper than by the hour."""
    break_even_months: float
    """Months of full use after which buying by the hour has cost the whole term."""
    within_horizon: bool
    """False where the term is longer than the horizon; all of it is then charged within the horizon."""
    instances: int
    """Machines that the plan buys so."""
    least_used_hours_per_month: float
    """Use of the last of them, or of the first machine where none is bought."""


class MixPart(Result):
    """Requests of some sizes and what would serve them."""

    name: str
    """Name of the part among the services of the plan, where the mix is chosen."""
    requests: str
    """Which requests, such as `up to 1,183 input tokens`."""
    spans: tuple[tuple[float, float], ...]
    """The same as shares of all requests, from the smallest: [[0, 0.5]] is the smaller half."""
    share_ratio: float
    """Share of all requests that are answered there."""
    instance_type: str
    instances_peak: int
    model: str = ""
    """Model that answers, in a cascade; empty where the size decides and all run the same."""
    first: bool = False
    """Whether it is the small model of a cascade."""
    traffic_ratio: float | None = None
    """Share of all requests that arrive there, in a cascade; more than are answered where others are handed on."""
    latency_ratio: float = 1.0
    """Share of every latency limit that it may take; less than 1 where requests take the time of both models."""


class Mixing(Result):
    """Whether a service is better off on several pools of machines, by the sizes of requests or as a cascade."""

    service: str
    chosen: bool
    parts: tuple[MixPart, ...]
    """The best mix found, smallest requests or the small model first; empty where one pool alone is cheaper before any
    effort."""
    cost_usd_per_month: float | None
    """Of the mix, the effort included; null where there is none."""
    effort_usd_per_month: float
    """Assumed: work to set up and operate one more pool of machines, and to hand requests on; included in the cost."""
    alone_usd_per_month: float | None
    """Cheapest plan on one pool of machines within the same totals and quotas; null where there is none."""
    alone_instance_type: str
    saves_usd_per_month: float | None
    """What the mix saves against that, negative where it costs more; null where one of them does not exist."""
    text: str
    latencies: tuple[LatencyCheck, ...] = ()
    """Of all requests together, in a cascade where those handed on take the time of both models."""


class Exclusion(Result):
    """Options left out, and by which rule."""

    strategy: str
    options: tuple[str, ...]
    instance_types: tuple[str, ...]
    reason: str
