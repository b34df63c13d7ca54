"""What running a model costs from end to end: the bill of a workload, of a plan, or of a stored plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.api import recommend
from advisor.billing.whole import whole_bill
from advisor.catalog import Catalog
from advisor.errors import InputError
from advisor.recommendation import Recommendation
from advisor.stored import fleet_of, is_plan, load_plan

if TYPE_CHECKING:
    from advisor.billing.results import WholeBill
    from advisor.billing.sums import FocusBill
    from advisor.fleet import Fleet, Source
    from advisor.requirements import Requirements


def bill(
    workload: Source | Sequence[Source] | Fleet | Recommendation,
    requirements: Requirements | None = None,
    *,
    focus: FocusBill | None = None,
    catalog: Catalog | None = None,
    today_date: str = "",
) -> WholeBill:
    """Return what running a model costs: training, serving, data, network, electricity, each with its sources.

    Args:
        workload: As for `recommend`, with its `lifecycle`; or a recommendation, or the path of a stored one, whose
            plan is then taken as it is.
        requirements: As for `recommend`; of no use with a recommendation.
        focus: A provider's bill to show beside it, from `advisor.billing.read_focus`.
        catalog: Machines and prices; the embedded ones by default.
        today_date: `YYYY-MM-DD`, to say which prices are old; empty says nothing.

    Raises:
        InputError: The workload cannot be used, or a part of its lifecycle cannot be priced.

    Example:
        >>> from advisor import Requirements
        >>> [item.key for item in bill("small-cnn", Requirements(max_accuracy_loss="1%")).items]
        ['inference', 'one-time', 'egress']
    """
    catalog = catalog or Catalog.load()
    if isinstance(workload, str | Path) and is_plan(Path(workload)):
        workload = load_plan(workload)
    elif not isinstance(workload, Recommendation):
        workload = recommend(workload, requirements, catalog=catalog, today_date=today_date)
    if workload.inputs is None:
        raise InputError(
            "the recommendation does not say what was asked (`inputs` is missing); recommend again"
        )
    asked = [service.workload for service in fleet_of(workload.inputs).services]
    return whole_bill(asked, workload, catalog, focus=focus, today_date=today_date)
