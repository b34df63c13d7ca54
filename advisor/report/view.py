"""What a report shows, as plain values: every text is ready to be read, nothing is left to work out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.examples import EXAMPLES
from advisor.recommendation import Recommendation
from advisor.report import chapters, opening
from advisor.report.billing import BillView, bill_view
from advisor.report.charts import Chart, money_chart
from advisor.report.commitments import commitment_chapter
from advisor.report.comparison import comparison
from advisor.report.doubts import certainty, measurement, verdict
from advisor.report.explaining import insight_view
from advisor.report.insight_rows import InsightView, Measurement, Verdict
from advisor.report.opening import Figure
from advisor.report.references import Reference, References
from advisor.report.rollout import first_steps
from advisor.report.rows import (
    AlternativeRow,
    BindingRow,
    Chapter,
    ExclusionRow,
    Group,
    MoneyRow,
    RepairRow,
    ServiceView,
)
from advisor.report.services import services
from advisor.report.switching import switch_chapter
from advisor.report.words import capital, clean, plainly

if TYPE_CHECKING:
    from advisor.insight.results import Insights


@dataclass(frozen=True, slots=True)
class View:
    """The whole report as plain values, in the order in which it is read."""

    title: str
    workload: str
    description: str
    example: bool
    example_name: str
    """Example to start one's own workload from."""
    has_plan: bool
    headline: str
    """The decision in one sentence."""
    how: str
    """With which changes, as the rest of that sentence."""
    lead: str
    """How good the decision is."""
    verdict: Verdict | None
    """Whether to act, where the plan was chosen or explained under joint uncertainty."""
    figures: tuple[Figure, ...]
    monday: tuple[str, ...]
    before: Measurement | None
    """What to measure before deciding."""
    commitments: Chapter | None
    """From when on commitments pay; none where none is sold."""
    switch: Chapter | None
    """What to do with the plan in service, where one was given."""
    bill: BillView | None
    """What the model costs from end to end; none where the workload says nothing of its lifecycle."""
    comparison: tuple[Group, ...]
    """The whole first, then each service where there are several."""
    services: tuple[ServiceView, ...]
    insight: InsightView | None
    """Why, what if, and the way there; none where it was not asked for, or there are several services."""
    sure: tuple[str, ...]
    measured: tuple[str, ...]
    """What each of the user's own measurements says."""
    validated: tuple[str, ...]
    """How far predictions of this kind were from measurements."""
    warnings: tuple[str, ...]
    bindings: tuple[BindingRow, ...]
    alternatives: tuple[AlternativeRow, ...]
    mixing: tuple[str, ...]
    """What several kinds of machine for one service would save, a sentence or two for each service."""
    money: Chart
    money_rows: tuple[MoneyRow, ...]
    conflict: tuple[str, ...]
    """Requirements that cannot hold together."""
    repairs: tuple[RepairRow, ...]
    nearest: tuple[str, ...]
    """The best plan found where nothing fits."""
    exclusions: tuple[ExclusionRow, ...]
    references: tuple[Reference, ...]
    assumptions: tuple[tuple[str, str, str], ...]
    """What, which value, why."""
    provenance: tuple[tuple[str, str], ...]
    """Name and value."""


def view(
    recommendation: Recommendation, insights: Insights | None = None, *, validated: Sequence[str] = ()
) -> View:
    """Return everything a report says about a recommendation.

    Args:
        recommendation: The result.
        insights: What explains it, where that is known.
        validated: Sentences on how far predictions of this kind were from measurements.
    """
    r = recommendation
    refs = References(r)
    headline, how = opening.headline(r)
    doubt = r.robust or (insights.robustness if insights else None)
    workload = clean(r.workload)
    return View(
        title=f"{workload}: recommendation",
        workload=workload,
        description=clean(r.description),
        example=r.example,
        example_name=recommendation.example_name if recommendation.example_name in EXAMPLES else EXAMPLES[0],
        has_plan=r.plan is not None,
        headline=headline,
        how=how,
        lead=opening.lead(r),
        verdict=verdict(doubt) if doubt else None,
        figures=(
            *opening.figures(r, refs),
            *certainty(doubt),
        ),
        monday=(first_steps(insights, opening.MONDAY) if insights else ()) or opening.monday(r),
        before=measurement(r.next_measurement),
        commitments=commitment_chapter(r),
        switch=switch_chapter(r),
        bill=bill_view(r.bill),
        comparison=comparison(r, refs),
        services=services(r, refs),
        insight=insight_view(r, insights, refs) if insights else None,
        sure=chapters.sure(r),
        measured=tuple(plainly(text) for text in r.measured),
        validated=tuple(plainly(text) for text in validated),
        warnings=(*(clean(text) for text in r.warnings), *chapters.old_prices(r)),
        bindings=chapters.bindings(r),
        alternatives=chapters.alternatives(r),
        mixing=chapters.mixing(r),
        money=money_chart(chapters.bills(r)),
        money_rows=chapters.money(r, refs),
        conflict=tuple(capital(text) for text in r.conflict.requirements) if r.conflict else (),
        repairs=chapters.repairs(r),
        nearest=chapters.nearest_plan(r),
        exclusions=chapters.exclusions(r),
        references=refs.listed,
        assumptions=tuple((_given(a.what), clean(a.value), clean(a.why)) for a in r.assumptions),
        provenance=chapters.provenance(r),
    )


def _given(what: str) -> str:
    """Return the name of something assumed: a key of the workload as it is written there, words with a capital."""
    return clean(what) if "." in what or "_" in what else capital(what)
