"""The chapters that explain a plan: they add up, agree with the JSON, are escaped, and fit three golden files."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from advisor import recommend
from advisor.insight.results import Insights
from advisor.recommendation import Recommendation
from advisor.report import render_html, render_markdown, render_terminal
from advisor.report.curves import columns_chart, tornado_chart, waterfall_chart
from advisor.report.insight_rows import InsightView
from advisor.report.view import view
from advisor.report.words import plainly, share
from advisor.requirements import Requirements
from advisor.units import format_usd
from advisor.validation import sentence
from tests import report_insights
from tests.report_fixtures import an_llm_recommendation
from tests.report_insights import (
    NEXT,
    PLAN_USD,
    TODAY_USD,
    a_brief,
    a_robustness,
    full_insights,
    quick_insights,
)
from tests.test_cli import run
from tests.test_report import HOSTILE, Page, poisoned

GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = ("small-cnn", "medium-transformer", "large-llm")
FULL_LIMIT_BYTES = 400_000


def a_recommendation(**changes: Any) -> Recommendation:
    return an_llm_recommendation(**{"next_measurement": NEXT, **changes})


def shown(insights: Insights | None = None) -> InsightView:
    found = view(a_recommendation(), insights or full_insights()).insight
    assert found is not None
    return found


def words(text: str) -> str:
    return " ".join(word for _, word in Page(text).words)


def lines_of(text: str) -> str:
    """The words of a page: a line for each row of a table, paragraph or label of a chart."""
    body = re.sub(r"<(script|style).*?</\1>", "", text[text.index("<body") :], flags=re.DOTALL)
    body = re.sub(r"\s+", " ", body)
    body = body.replace("</text>", " ")
    body = re.sub(r"</t[hd]>\s*<t[hd][^>]*>", " | ", body)
    body = re.sub(
        r"</?(tr|p|h\d|li|dt|dd|caption|svg|desc|title|pre|summary|div|figcaption)\b[^>]*>", "\n", body
    )
    lines = (unescape(re.sub(r"<[^>]*>", "", line)) for line in body.split("\n"))
    text = "".join(f"{' '.join(line.split())}\n" for line in lines if line.strip())
    return re.sub(r"(?<=^Computed with\n).*", "[versions]", text, flags=re.MULTILINE)


# --- what it says ---------------------------------------------------------------------------------


def test_without_insights_the_report_is_as_before() -> None:
    page = Page(render_html(a_recommendation()))
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert view(a_recommendation()).insight is None
    assert not ids & {"saves", "why", "limits", "differently", "grid"}


def test_what_was_not_computed_has_no_chapter_but_says_how_to_get_it() -> None:
    text = render_html(a_recommendation(), quick_insights())
    ids = {attributes.get("id") for _, attributes in Page(text).tags}
    assert {"saves", "why", "do"} <= ids
    assert not ids & {"limits", "differently", "grid"}
    assert "--full" in text
    assert "--full" not in render_html(a_recommendation(), full_insights())


@pytest.mark.parametrize(
    ("verdict", "word", "tone"),
    [("act", "Act", "good"), ("measure first", "Measure first", "warn"), ("hold", "Hold", "warn")],
)
def test_the_first_screen_says_whether_to_act_and_how_likely_all_limits_hold(
    verdict: str, word: str, tone: str
) -> None:
    insights = full_insights(robustness=a_robustness(verdict=verdict))
    found = view(a_recommendation(), insights)
    assert found.insight is not None
    assert found.insight.verdict is not None
    assert (word, tone) == (found.insight.verdict.word, found.insight.verdict.tone)
    assert ("All limits hold", "61%") == (found.figures[-1].label, found.figures[-1].value)
    assert f'<p class="verdict {tone}"><strong>{word}.</strong> Every limit holds with 61% probability' in (
        render_html(a_recommendation(), insights)
    )


def test_what_to_measure_before_deciding_stands_first_with_its_value_and_command() -> None:
    text = render_html(a_recommendation())
    head = text[: text.index("</header>")]
    for part in (
        "Before you decide",
        "worth $1,818/month",
        "with a probability of 7%",
        "about 4,210 questions",
        "lm_eval --tasks mmlu \\\n  --output_path eval/today",
    ):
        assert part in head
    assert "Before you decide" not in render_html(a_recommendation(next_measurement=None))
    for page in (render_markdown(a_recommendation()), render_terminal(a_recommendation())):
        assert "Before you decide" in page
        assert "lm_eval" in page


def test_monday_begins_with_the_first_steps_of_the_roll_out() -> None:
    assert (
        "Replicas follow the load (saves $91,075/month, 40 h of work).",
        "FP8 weights and activations (saves $77,979/month, 40 h of work).",
    ) == view(a_recommendation(), quick_insights()).monday


def test_the_waterfall_adds_up_from_one_bill_to_the_other() -> None:
    parts = shown().parts
    levels = [float(re.sub(r"[$,]", "", row.left)) for row in parts]
    moves = [float(re.sub(r"[$,+]", "", row.saves)) for row in parts[1:-1]]
    assert levels[0] + sum(moves) == pytest.approx(levels[-1], abs=2.0)
    assert float(re.sub(r"[$,]", "", parts[-1].saves)) == pytest.approx(sum(moves), abs=2.0)
    assert (format_usd(TODAY_USD), format_usd(PLAN_USD)) == (parts[0].left, parts[-1].left)


def test_bars_of_the_waterfall_begin_where_the_last_one_ends() -> None:
    chart = waterfall_chart(100.0, 60.0, [("a", 50.0), ("b", -10.0)])
    bars = [
        (shape.attributes["x"], shape.attributes["width"], shape.attributes["class"])
        for shape in chart.shapes
        if shape.tag == "rect" and shape.attributes["class"] != "track"
    ]
    assert [
        ("0.00%", "100.00%", "part-other"),
        ("50.00%", "50.00%", "bar"),
        ("50.00%", "10.00%", "over"),
        ("0.00%", "60.00%", "bar"),
    ] == bars


def test_columns_stand_on_one_scale_and_nothing_is_drawn_where_nothing_fits() -> None:
    chart = columns_chart("c", "Cost", ("1%", "2%", "3%"), (None, 100.0, 50.0), picked=1, most_usd=100.0)
    heights = [float(s.attributes["height"]) for s in chart.shapes if s.tag == "rect"]
    assert 0.0 == heights[0]
    assert heights[1] == pytest.approx(2.0 * heights[2])
    assert ["column", "column pick", "column"] == [
        s.attributes["class"] for s in chart.shapes if s.tag == "rect"
    ]
    assert "$100 a month at 2% to $50.00 a month at 3%." == chart.description


def test_the_tornado_names_what_nothing_fits_and_stays_inside() -> None:
    chart = tornado_chart(100.0, [("Traffic", ("-30 %", 50.0), ("+30 %", None))])
    assert "Traffic: -30%: $50.00 · +30%: nothing fits" in chart.description
    for shape in chart.shapes:
        if shape.tag == "rect":
            left, width = (float(shape.attributes[name].rstrip("%")) for name in ("x", "width"))
            assert 0.0 <= left <= left + width <= 100.0


def test_the_nearest_options_are_shown_and_the_others_folded() -> None:
    (reason,) = shown().reasons
    assert ["INT4 weights", "INT5 weights", "INT6 weights"] == [row.title for row in reason.others]
    assert ["INT8 weights"] == [row.title for row in reason.more]
    assert (("NVFP4", "It loses 2.6% of accuracy on average; the limit is 1%"),) == reason.refused


def test_a_step_says_how_to_check_it_when_to_go_back_and_how() -> None:
    first, last = shown().steps
    assert ("-$91,075", "-$91,075", "40 h of work") == (first.saves, first.cumulative, first.effort)
    assert "kubectl get hpa/chat --watch" == first.checks
    assert ("TTFT p99 above 800 ms for 15 minutes", "kubectl rollout undo deployment/chat") == (
        first.back_if,
        first.back,
    )
    assert ("", "not before its term ends") == (last.back_if, last.back)
    assert "No way back:</strong> not before its term ends" in render_html(
        a_recommendation(), full_insights()
    )


def test_an_accuracy_limit_between_whole_tenths_is_not_rounded_away() -> None:
    sliders = shown().sliders
    assert sliders is not None
    assert ("0%", "1%", "1.25%") == sliders.losses


def test_two_limits_are_a_table_for_those_without_a_script() -> None:
    sliders = shown().sliders
    assert sliders is not None
    assert ("nothing fits", "$98,000", "$98,000") == sliders.rows[0].costs
    assert [False, True, False] == [row.yours for row in sliders.rows]


def test_without_a_latency_limit_there_is_one_slider() -> None:
    grid = full_insights().grid
    assert grid is not None
    alone = full_insights(grid=grid.model_copy(update={"latency_limits_s": {}}))
    text = render_html(a_recommendation(), alone)
    assert 'id="slide-loss"' in text
    assert 'id="slide-latency"' not in text
    assert [] == Page(text).open


def test_without_an_accuracy_limit_the_slider_begins_at_the_loosest() -> None:
    grid = full_insights().grid
    assert grid is not None
    sliders = shown(full_insights(grid=grid.model_copy(update={"your_loss": None}))).sliders
    assert sliders is not None
    assert 2 == sliders.loss_at
    assert [False, False, False] == [row.yours for row in sliders.rows]


def test_other_plans_are_told_by_what_differs() -> None:
    recommended, robust = shown().robust
    assert "3 × p5.48xlarge; options as recommended" == recommended.plan
    assert "4 × p5.48xlarge; quantization as today" == robust.plan
    assert "Robust choice, machines counted for 90% confidence" == robust.notes


def test_how_far_predictions_were_off_is_said_where_it_is_known() -> None:
    text = render_html(a_recommendation(), validated=(sentence("load"),))
    assert plainly(sentence("load"))[:60] in text.replace("\u00a0", " ")


# --- the page -------------------------------------------------------------------------------------


def test_the_full_page_is_well_formed_small_and_loads_nothing() -> None:
    text = render_html(a_recommendation(), full_insights())
    page = Page(text)
    names = [tag for tag, _ in page.tags]
    assert [] == page.open
    assert names.count("table") == names.count("caption")
    assert [] == [tag for tag, a in page.tags if {"src", "style", "action"} & set(a)]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["for"] for a in page.all("label")} == {a["id"] for a in page.all("input")}
    assert ["polite"] == [a["aria-live"] for a in page.all("output")]


def test_the_same_insights_give_the_same_bytes() -> None:
    assert render_html(a_recommendation(), full_insights()) == render_html(
        a_recommendation(), full_insights()
    )


def test_the_data_of_the_sliders_is_json_that_cannot_end_its_element() -> None:
    grid = full_insights().grid
    assert grid is not None
    plans = tuple(plan.model_copy(update={"instance_type": HOSTILE}) for plan in grid.plans)
    insights = full_insights(grid=grid.model_copy(update={"plans": plans}))
    text = render_html(a_recommendation(), insights)
    block = re.search(r'<script type="application/json" id="grid">(.*?)</script>', text, re.DOTALL)
    assert block is not None
    data = json.loads(block[1])
    assert HOSTILE in data["plans"][0]["plan"]
    assert 1 == text.count("<script>")
    assert [[None, 0, 0], [2, 1, 1], [2, 1, 3]] == data["cells"]


def test_every_text_of_the_insights_is_escaped() -> None:
    fixed = {"verdict", "unit", "requirement", "latency_limits_s"}

    def hostile(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: item if key in fixed else hostile(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [hostile(item) for item in value]
        return poisoned(value, HOSTILE)

    insights = Insights.model_validate(hostile(full_insights().model_dump()))
    measured = NEXT.model_copy(update={"subject": HOSTILE, "command": HOSTILE, "why": HOSTILE})
    text = render_html(
        a_recommendation(next_measurement=measured, measured=(HOSTILE,)), insights, validated=(HOSTILE,)
    )
    assert "<script>alert" not in text
    assert 1 == text.count("<script>")
    assert [] == Page(text).open


# --- the three examples ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def explained() -> dict[str, tuple[Recommendation, Insights]]:
    found = {}
    for name in EXAMPLES:
        recommendation, insights = report_insights.explained(
            name, Requirements(max_accuracy_loss="1%"), full=True
        )
        assert insights is not None
        found[name] = (recommendation, insights)
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_key_figures_of_the_page_are_those_of_the_json(
    explained: dict[str, tuple[Recommendation, Insights]], name: str
) -> None:
    recommendation, insights = explained[name]
    text = words(render_html(recommendation, insights)).replace("\u00a0", " ")
    data = json.loads(recommendation.model_dump_json())
    told = json.loads(insights.model_dump_json())
    usd = [
        data["baseline"]["cost_usd_per_month"],
        data["plan"]["cost_usd_per_month"],
        data["savings_usd_per_month"],
        data["plan"]["one_time_usd"],
        data["next_measurement"]["value_usd_per_month"],
        told["rollout"]["npv_usd"],
        told["robustness"]["expected_usd_per_month"],
        *(abs(part["usd_per_month"]) for part in told["attribution"]["parts"]),
        *(step["cost_usd_per_month"] for step in told["rollout"]["steps"]),
        *(abs(step["cumulative_saving_usd_per_month"]) for step in told["rollout"]["steps"]),
        *(plan["cost_usd_per_month"] for plan in told["grid"]["plans"]),
        *(p["plan"]["cost_usd_per_month"] for f in told["frontiers"] for p in f["points"] if p["plan"]),
        *(
            option["cost_usd_per_month"]
            for reason in told["reasons"]
            for option in reason["alternatives"]
            if option["cost_usd_per_month"] is not None
        ),
    ]
    assert [] == [value for value in usd if format_usd(value) not in text]
    assert share(data["accuracy_loss"]["expected_ratio"]) in text
    assert data["plan"]["cost_usd_per_month"] == pytest.approx(told["plan"]["cost_usd_per_month"])
    assert data["savings_usd_per_month"] == pytest.approx(
        sum(part["usd_per_month"] for part in told["attribution"]["parts"])
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_full_report_is_small_and_its_numbers_are_short(
    explained: dict[str, tuple[Recommendation, Insights]], name: str
) -> None:
    recommendation, insights = explained[name]
    text = render_html(recommendation, insights)
    assert FULL_LIMIT_BYTES > len(text.encode())
    found = words(text).replace(recommendation.provenance.workload_digest, "")
    assert [] == re.findall(r"\d{9,}|\d\.\d{6,}|\bnan\b|\binf\b|None\b", found)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_golden_report_is_current(
    explained: dict[str, tuple[Recommendation, Insights]], name: str, request: pytest.FixtureRequest
) -> None:
    """The words of the page as lines, which a reviewer can read in a diff."""
    recommendation, insights = explained[name]
    found = lines_of(render_html(recommendation, insights, validated=(sentence("accuracy"),)))
    path = GOLDEN / f"report_{name}.txt"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8", newline="\n")
    assert path.read_text(encoding="utf-8") == found, (
        "pytest tests/test_report_insights.py --update-golden writes it anew"
    )


def test_a_brief_names_nothing_that_is_not_there() -> None:
    assert shown(quick_insights(plan=a_brief(choices=()))).robust == ()


# --- the way in -----------------------------------------------------------------------------------


def test_a_fleet_and_an_impossible_request_have_no_insights() -> None:
    fleet, none = report_insights.explained(
        ["small-cnn", "medium-transformer"], Requirements(max_accuracy_loss="1%")
    )
    assert ("optimal", None) == (fleet.status, none)
    impossible, none = report_insights.explained("small-cnn", Requirements(budget_usd_per_month=1.0))
    assert ("infeasible", None) == (impossible.status, none)


def test_explaining_recommends_what_recommending_does() -> None:
    asked = Requirements(max_accuracy_loss="1%")
    recommendation, insights = report_insights.explained("small-cnn", asked)
    assert recommend("small-cnn", asked) == recommendation
    assert insights is not None
    assert (None, (), ()) == (insights.grid, insights.frontiers, insights.promises)


def test_the_command_line_writes_the_short_report_unless_asked_for_the_full_one(tmp_path: Path) -> None:
    asked = ["recommend", "--example", "small-cnn", "--max-accuracy-loss", "1%", "-o", "report.html"]
    assert 0 == run(*asked, cwd=tmp_path).returncode
    short = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "What saves how much" in short
    assert "treatments that were accepted" in short
    assert 'id="grid"' not in short
    assert 0 == run(*asked, "--full", "--force", cwd=tmp_path).returncode
    assert 'id="grid"' in (tmp_path / "report.html").read_text(encoding="utf-8")
    printed = run(*asked[:-2], "--full", "--format", "markdown", cwd=tmp_path)
    assert "### What may turn out differently" in printed.stdout
