"""Puts a chosen candidate into words and numbers: machines, latencies, losses, evidence, alternatives, money."""

from advisor.explanation.alternatives import ALTERNATIVES, alternatives
from advisor.explanation.losses import accuracy_loss, task_loss
from advisor.explanation.machines import (
    P90_Z,
    deployment,
    deployment_fields,
    latencies,
    latency_checks,
    purchase_lines,
    service_plan,
)
from advisor.explanation.money import bill_of, units_per_month
from advisor.explanation.options import (
    choices,
    chosen_options,
    evidence_notes,
    exclusions,
    finding,
    option_codes,
)

__all__ = [
    "ALTERNATIVES",
    "P90_Z",
    "accuracy_loss",
    "alternatives",
    "bill_of",
    "choices",
    "chosen_options",
    "deployment",
    "deployment_fields",
    "evidence_notes",
    "exclusions",
    "finding",
    "latencies",
    "latency_checks",
    "option_codes",
    "purchase_lines",
    "service_plan",
    "task_loss",
    "units_per_month",
]
