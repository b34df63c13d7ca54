"""What a check of a stored plan says; pydantic, frozen, and nothing computed."""

from __future__ import annotations

from typing import Literal

from advisor.results import Result

EXIT_CODES = {"best": 0, "infeasible": 3, "drifted": 4}
"""What the command line returns; 2 is wrong input."""


class RequirementCheck(Result):
    """One requirement, checked on the stored plan under today's inputs."""

    service: str
    """Empty for what holds for all services together."""
    requirement: str
    """Such as `ttft_p99` or `cost budget`."""
    limit: str
    reached: str
    used_ratio: float | None
    """Share of the limit in use; null where it cannot be kept at all."""
    kept: bool
    why: str = ""
    """Where it is not kept: what is wrong."""


class ServiceCheck(Result):
    """One service of the stored plan, then and now."""

    name: str
    instance_type: str
    choices: tuple[str, ...]
    """`strategy=option` of everything the plan changes."""
    replicas_peak_stored: int
    replicas_peak: int | None
    """What it needs now; null where no number of replicas is enough."""
    instances_peak_stored: int
    instances_peak: int | None
    fresh_instance_type: str | None
    """Machine that would be recommended now."""
    fresh_choices: tuple[str, ...]


class CheckResult(Result):
    """Whether a stored plan is still the one to run."""

    schema_version: str = "1.0"
    status: Literal["best", "infeasible", "drifted"]
    """`best`: no change pays; `infeasible`: it breaks a requirement; `drifted`: switching pays."""
    summary: str
    tolerance_ratio: float
    workload: str
    stored_usd_per_month: float
    """Cost of the plan when it was stored, one-time costs spread over the horizon included."""
    cost_usd_per_month: float | None
    """The same of the same choices now; null where the plan cannot be costed."""
    running_usd_per_month: float | None
    """Without one-time costs, which are spent."""
    fresh_usd_per_month: float | None
    """Cost of the best change, what it costs once spread over the horizon; null where nothing meets the requirements."""
    fresh_running_usd_per_month: float | None
    saving_usd_per_month: float
    """Running cost of the stored plan less that of the best change; 0 where they cannot be compared."""
    horizon_months: float
    saving_over_horizon_usd: float
    switching_cost_usd: float
    """One-time work of what the fresh plan changes."""
    needed_usd_per_month: float
    """Saving from which on the switch pays: its cost over the horizon, and the margin; see `advisor.switching`."""
    requirements: tuple[RequirementCheck, ...]
    services: tuple[ServiceCheck, ...]
    changes: tuple[str, ...]
    """What is different from when the plan was stored."""
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """What the command line returns."""
        return EXIT_CODES[self.status]
