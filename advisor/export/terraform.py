"""Variables for Terraform: how many machines of which kind, and how they are bought."""

from __future__ import annotations

import json

from advisor.export.facts import Facts
from advisor.export.writing import commented, one_line

TERRAFORM = "Terraform 1.11"


def terraform(facts: Facts) -> str:
    """Return a .tfvars file."""
    plan = facts.plan
    least = min(plan.instances_by_period)
    reserved = next((line for line in plan.purchases if line.plan.startswith("reserved")), None)
    spot = next((line for line in plan.purchases if line.plan == "spot"), None)
    rows: list[tuple[str, str | int, str]] = [
        ("service", facts.slug, f"the service '{facts.name}'"),
        ("provider_name", plan.provider, "cheapest within the limits"),
        ("region", plan.region, "where the plan was priced"),
        ("instance_type", plan.instance_type, plan.accelerator),
        ("min_size", least, "machines in the quietest hour"),
        ("max_size", plan.instances_peak, f"machines in the busiest hour; {facts.why_replicas()}"),
        (
            "desired_capacity",
            least if plan.scaling != "static" else plan.instances_peak,
            f"{plan.scaling} scaling",
        ),
        ("purchase", plan.purchase, "how the steady part is bought"),
    ]
    if reserved:
        price = f"${reserved.usd_per_h:.4g}/h, {reserved.price_kind} of {reserved.price_date or 'no date'}"
        rows.append(("reserved_instances", reserved.instances_peak, f"{reserved.plan} at {price}"))
    if spot:
        rows.append(
            ("spot_instances_max", spot.instances_peak, f"the rest on demand; ${spot.usd_per_h:.4g}/h")
        )
    width = max(len(name) for name, _, _ in rows)
    column = max(len(_hcl(value)) for _, value, _ in rows)
    body = "".join(
        f"{name:<{width}} = {_hcl(value):<{column}} # {one_line(why)}\n" for name, value, why in rows
    )
    return commented(facts.head(f"variables for {TERRAFORM} (.tfvars)")) + body


def _hcl(value: str | int) -> str:
    r"""Return a literal; `${` and `%{` would begin a template.

    Example:
        >>> print(_hcl('a"${b}'))
        "a\"$${b}"
    """
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("${", "$${").replace("%{", "%%{") if isinstance(value, str) else text
