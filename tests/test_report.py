"""The report: what it says as plain values, and that every output is whole, escaped, repeatable and within its width."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import UndefinedError

from advisor.errors import FileExists
from advisor.recommendation import AccuracyLoss, EvidenceNote, Recommendation
from advisor.report import (
    render_html,
    render_json,
    render_markdown,
    render_terminal,
    render_yaml,
    write_html,
    write_text,
)
from advisor.report.charts import hours_chart, latency_chart, loss_chart, meter, money_chart
from advisor.report.pages import _html
from advisor.report.rows import Row
from advisor.report.view import view
from tests.report_fixtures import (
    a_check,
    a_cnn_recommendation,
    a_dearer_recommendation,
    a_loss,
    a_plan,
    a_service,
    an_infeasible_recommendation,
    an_llm_recommendation,
)

CASES = {
    "llm": an_llm_recommendation,
    "cnn": a_cnn_recommendation,
    "dearer": a_dearer_recommendation,
    "infeasible": an_infeasible_recommendation,
}
HOSTILE = "</td><script>alert(1)</script>"
every_case = pytest.mark.parametrize("make", CASES.values(), ids=CASES)


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "wbr", "input"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"} and data.strip():
            self.words.append((self.open[-1], data.strip()))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def lines(recommendation: Recommendation) -> list[Row]:
    return [r for group in view(recommendation).comparison for r in group.rows]


def row(recommendation: Recommendation, what: str) -> tuple[str, str, str, str]:
    found = next(r for r in lines(recommendation) if r.what.startswith(what))
    return found.today, found.after, found.change, found.tone


# --- what it says ---------------------------------------------------------------------------------


def test_the_decision_is_one_sentence_with_both_bills_and_the_saving() -> None:
    assert (
        "Serve chat on up to 3 × p5.48xlarge for $72,021/month instead of $241,075/month: 70% less."
        == view(an_llm_recommendation()).headline
    )


def test_the_changes_complete_the_decision() -> None:
    shown = view(an_llm_recommendation())
    assert shown.how.startswith(
        "3 changes: FP8 weights and activations, FP8 key-value cache · at most 128 sequences"
    )


def test_the_first_screen_has_saving_accuracy_latency_and_payback() -> None:
    figures = {
        figure.label: (figure.value + figure.per, figure.detail)
        for figure in view(an_llm_recommendation()).figures
    }
    assert {
        "Saves": ("$169,054/month", "$2,028,650 a year, 70% of today's bill; now $1.02 per million tokens"),
        "Accuracy": ("0.42% loss", "expected; 93% sure to stay within 1%"),
        "Latency": ("2 limits kept", "Time per output token, p99: 33.4 ms of 40 ms"),
        "Payback": ("2 days", "$9,108 of one-time work"),
    } == figures


def test_a_plan_for_the_climate_shows_its_carbon_on_the_first_screen() -> None:
    figure = view(an_llm_recommendation(objective="carbon")).figures[1]
    assert ("Carbon", "4.46 t CO2e", "/month", "instead of 13.3 t CO2e: -66%") == (
        figure.label,
        figure.value,
        figure.per,
        figure.detail,
    )
    assert "Carbon" not in [figure.label for figure in view(an_llm_recommendation()).figures]


def test_monday_is_three_lines_a_first_step_of_each_change() -> None:
    monday = view(an_llm_recommendation()).monday
    assert 3 == len(monday)
    assert monday[0].startswith("Quantize llama-3.1-70b")
    assert "Set the engine's limit of sequences to 128." == monday[1]


def test_a_new_kind_of_machine_begins_with_its_quota() -> None:
    plan = a_plan(services=(a_service(instance_type="p5e.48xlarge"),))
    assert (
        "Make sure that 3 × p5e.48xlarge are within your quota at aws in us-east-1."
        == view(an_llm_recommendation(plan=plan)).monday[0]
    )


def test_today_and_after_stand_side_by_side_with_their_change() -> None:
    made = an_llm_recommendation()
    assert ("6 × p5.48xlarge", "3 × p5.48xlarge", "", "plain") == row(made, "Machines")
    assert ("$241,075", "$72,021", "-70%", "good") == row(made, "Cost a month")
    assert ("$3.41", "$1.02", "-70%", "good") == row(made, "Cost per million tokens")
    assert ("30.4 MWh", "10.2 MWh", "-66%", "good") == row(made, "Energy")
    assert ("13.3 t CO2e", "4.46 t CO2e", "-66%", "good") == row(made, "Carbon")
    assert ("418 ms", "612 ms", "+46%", "plain") == row(made, "Time to first token, p99 (limit 800 ms)")


def test_a_slower_latency_within_its_limit_is_not_a_warning_and_one_beyond_it_is() -> None:
    plan = a_plan(services=(a_service(latencies=(a_check(predicted_s=0.9),)),))
    assert "plain" == row(an_llm_recommendation(), "Time to first token")[3]
    assert "warn" == row(an_llm_recommendation(plan=plan), "Time to first token")[3]


def test_tiny_unit_costs_are_shown_per_a_larger_unit() -> None:
    assert ("$0.536", "$0.0447", "-92%", "good") == row(a_cnn_recommendation(), "Cost per million inferences")


def test_lossless_changes_are_called_so_and_draw_no_chart() -> None:
    shown = view(a_cnn_recommendation())
    assert "No loss" == shown.figures[1].value
    assert shown.services[0].loss is None
    assert (("Expected loss", "none: no change alters what the model answers"),) == shown.services[
        0
    ].loss_rows


def test_an_unlikely_accuracy_promise_is_marked() -> None:
    made = an_llm_recommendation(accuracy_loss=a_loss(probability_kept=0.55))
    assert ("warn", "expected; 55% sure to stay within 1%") == (
        view(made).figures[1].tone,
        view(made).figures[1].detail,
    )


def test_a_latency_that_may_break_its_limit_is_marked_although_it_is_kept() -> None:
    plan = a_plan(services=(a_service(latencies=(a_check(),)),))
    latency = view(an_llm_recommendation(plan=plan)).figures[2]
    assert ("Limit kept", "warn") == (latency.value, latency.tone)
    assert latency.detail.endswith("612 ms of 800 ms; 1 in 10 outcomes is above 869 ms")


def test_a_plan_that_costs_more_says_so_and_why() -> None:
    shown = view(a_dearer_recommendation())
    assert shown.headline.endswith(
        "instead of $40,179/month: 79% more, but today's deployment breaks the limits."
    )
    assert ("Costs more", "$31,842", "warn") == (
        shown.figures[0].label,
        shown.figures[0].value,
        shown.figures[0].tone,
    )
    assert "Never" == shown.figures[3].value
    assert ("overloaded", "612 ms") == row(a_dearer_recommendation(), "Time to first token")[:2]


def test_a_plan_that_is_not_proven_says_how_much_better_another_could_be() -> None:
    shown = view(a_dearer_recommendation())
    assert (
        "The best plan found before the solver was stopped, among 1,204,224 candidates. A better one can be at most 2.7% better."
        == shown.lead
    )
    assert shown.sure[0].startswith("Not proven")


def test_a_proven_plan_gives_the_bound_and_no_rounding_for_a_gap() -> None:
    shown = view(an_llm_recommendation())
    assert (
        "Proven: no cheaper plan exists among the 1,204,224 candidates (bound $72,021/month)."
        == shown.sure[0]
    )
    assert "HiGHS: optimal, gap 0%, 1,834 candidates in the program" == dict(shown.provenance)["Solver"]


def test_extrapolated_speed_is_said() -> None:
    assert "calibrated" in view(an_llm_recommendation()).sure[1]
    assert "Measure before you buy." in view(a_cnn_recommendation()).sure[1]


def test_nothing_to_change_is_a_decision_too() -> None:
    made = an_llm_recommendation()
    kept = tuple(choice.model_copy(update={"changed": False}) for choice in made.plan.services[0].choices)  # type: ignore[union-attr]
    service = a_service(choices=kept, instances_peak=made.baseline.services[0].instances_peak)
    same = an_llm_recommendation(
        plan=a_plan(services=(service,)), savings_usd_per_month=0.0, savings_ratio=0.0
    )
    assert "Keep today's deployment of chat: nothing cheaper meets the requirements." == view(same).headline
    assert ("Change nothing; ask again when traffic, prices or limits change.",) == view(same).monday


def test_when_nothing_fits_the_conflict_and_its_repairs_come_first() -> None:
    shown = view(an_infeasible_recommendation())
    assert "No plan for chat keeps TTFT p99 200 ms and accuracy loss 0.1% together." == shown.headline
    assert ("TTFT p99 200 ms", "Accuracy loss 0.1%") == shown.conflict
    assert [
        ("Accuracy loss", "0.1%", "0.43%", "$79,410", "-67%"),
        ("Time to first token, p99", "200 ms", "318 ms", "$118,200", "-51%"),
    ] == [(r.requirement, r.given, r.nearest, r.cost, r.against_today) for r in shown.repairs]
    page = render_html(an_infeasible_recommendation())
    assert page.index("The nearest that works") < page.index('id="today"')
    assert 'id="do"' not in page


def test_no_answer_in_time_is_not_called_infeasible() -> None:
    shown = view(an_infeasible_recommendation(status="undetermined", conflict=None))
    assert "No answer yet for chat: the solver stopped before it found a plan." == shown.headline
    assert "Not proven: the solver stopped early." == shown.sure[0]


def test_every_reference_leads_to_a_numbered_source() -> None:
    page = Page(render_html(an_llm_recommendation()))
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = [str(a["href"]) for a in page.all("a") if str(a["href"]).startswith("#")]
    assert {"#source-1", "#source-3", "#source-5", "#source-6"} <= set(links)
    assert [] == [link for link in links if link[1:] not in anchors]
    shown = view(an_llm_recommendation())
    cited = (
        {number for r in lines(an_llm_recommendation()) for number in r.refs}
        | set(shown.services[0].loss_refs)
        | set(shown.services[0].latency_refs)
    )
    assert {source.number for source in shown.references} == cited


def test_a_source_is_listed_once_with_its_year_grade_and_link() -> None:
    first = view(an_llm_recommendation()).references[0]
    assert ("QU-0400", "2024", "table", "https://arxiv.org/abs/2411.02355") == (
        first.name,
        first.dated,
        first.grade,
        first.url,
    )
    assert 1 == [source.name for source in view(an_llm_recommendation()).references].count("QU-0400")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", " https://x", "//x", ""])
def test_only_web_addresses_become_links(url: str) -> None:
    note = EvidenceNote(id="X", title="Somewhere", url=url, year=2024, finding="x", grade="table")
    made = an_llm_recommendation(plan=a_plan(services=(a_service(accuracy_loss=a_loss(evidence=(note,))),)))
    assert "" == view(made).references[0].url
    assert not any(
        str(a["href"]).startswith(("javascript", "data", "//", " ")) for a in Page(render_html(made)).all("a")
    )


def test_options_left_out_by_like_rules_share_a_line() -> None:
    shown = view(an_llm_recommendation()).exclusions
    assert [("Quantization", 2), ("Pruning", 1)] == [(line.strategy, len(line.reasons)) for line in shown]
    assert "p4d.24xlarge, p5.48xlarge and 1 more" == shown[0].machines


def test_the_example_says_that_it_is_one_and_how_to_use_ones_own() -> None:
    for text in (
        render_html(an_llm_recommendation()),
        render_markdown(an_llm_recommendation()),
        render_terminal(an_llm_recommendation()),
    ):
        assert "example, not your service" in text
        assert "advisor example large-llm" in text
    assert "not your service" not in render_html(a_cnn_recommendation())


@every_case
def test_every_number_in_the_tables_has_a_unit_or_a_word(make: Callable[[], Recommendation]) -> None:
    """Bare numbers stand only in columns of counts of machines, source numbers and years."""
    shown = view(make())
    cells = [text for r in lines(make()) for text in (r.today, r.after, r.change)]
    cells += [text for r in shown.money_rows for text in (r.amount, r.price, r.cost)]
    cells += [text for r in shown.bindings for text in (r.limit, r.reached, r.used)]
    cells += [text for a in shown.alternatives for text in (a.cost, a.extra, a.one_time, a.loss, a.kept)]
    cells += [text for r in shown.repairs for text in (r.given, r.nearest, r.cost, r.against_today)]
    cells += [figure.value for figure in shown.figures]
    assert [] == [cell for cell in cells if re.fullmatch(r"[-+]?[\d.,]+", cell)]


@every_case
def test_no_number_is_longer_than_a_person_reads(make: Callable[[], Recommendation]) -> None:
    words = " ".join(text for _, text in Page(render_html(make())).words)
    words = words.replace("0f3a9c2d71b84e55", "")
    assert [] == re.findall(r"\d{7,}|0\.000\d+|\d\.\d{5,}|\d+e[-+]\d+|\bnan\b|\binf\b|None", words)


# --- charts ---------------------------------------------------------------------------------------


def test_the_loss_chart_places_interval_and_limit_on_one_scale() -> None:
    chart = loss_chart(a_loss(p10_ratio=0.002, expected_ratio=0.004, p90_ratio=0.008, limit_ratio=0.01))
    assert chart is not None
    band = next(s for s in chart.shapes if s.attributes.get("class") == "band")
    limit = next(s for s in chart.shapes if s.attributes.get("class") == "limit")
    assert ("17.39%", "52.17%", "86.96%") == (
        band.attributes["x"],
        band.attributes["width"],
        limit.attributes["x1"],
    )
    assert (
        "Expected loss 0.4%; with 80% probability between 0.2% and 0.8%; the limit is 1%."
        == chart.description
    )


def test_latency_marks_stand_where_they_are_against_the_limit_and_never_outside() -> None:
    chart = latency_chart([a_check(predicted_s=0.4, p10_s=0.2, p90_s=80.0, limit_s=0.8, today_s=None)])
    assert chart is not None
    mark = next(s for s in chart.shapes if s.attributes.get("class") == "mark")
    band = next(s for s in chart.shapes if s.attributes.get("class") == "band")
    assert "33.00%" == mark.attributes["x1"]
    assert 97.0 == pytest.approx(float(band.attributes["x"][:-1]) + float(band.attributes["width"][:-1]))


def test_latencies_without_limit_draw_nothing() -> None:
    assert latency_chart([a_check(limit_s=None)]) is None


def test_bills_share_a_scale() -> None:
    chart = money_chart(
        [("Today", [("a", "machines", 200.0)]), ("After", [("a", "machines", 50.0), ("b", "fees", 0.0)])]
    )
    widths = [s.attributes["width"] for s in chart.shapes if s.attributes.get("class") == "a"]
    assert ["100.00%", "25.00%"] == widths
    assert (("a", "machines"),) == chart.legend


def test_one_period_draws_no_hours() -> None:
    assert hours_chart([2], [2]) is None


def test_today_is_left_out_where_its_periods_are_others() -> None:
    chart = hours_chart([1, 2, 3], [4])
    assert chart is not None
    assert (("bar", "after"),) == chart.legend


def test_hours_with_the_same_machines_are_one_line() -> None:
    rows = view(an_llm_recommendation()).services[0].hours_rows
    assert [("0:00 to 7:00", "6", "1"), ("7:00 to 9:00", "6", "2"), ("9:00 to 18:00", "6", "3")] == list(
        rows[:3]
    )


def test_a_meter_never_overflows() -> None:
    assert "100.00%" == meter(1.7).shapes[1].attributes["width"]
    assert "0.00%" == meter(-0.1).shapes[1].attributes["width"]


# --- the page -------------------------------------------------------------------------------------


@every_case
def test_the_page_is_well_formed_small_and_loads_nothing(make: Callable[[], Recommendation]) -> None:
    text = render_html(make())
    page = Page(text)
    assert [] == page.open
    assert len(text.encode()) < 200_000
    assert {"a"} >= {tag for tag, attributes in page.tags if "href" in attributes}
    assert [] == [
        tag for tag, attributes in page.tags if {"src", "srcset", "style", "data", "action"} & set(attributes)
    ]
    assert [] == [tag for tag, _ in page.tags if tag in {"link", "img", "iframe", "object", "form", "base"}]
    assert [] == [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert not re.search(r"@import|url\(|fetch\(|XMLHttp", text)
    outward = [a for a in page.all("a") if str(a["href"]).startswith("http")]
    assert all(a.get("rel") == "noreferrer" for a in outward)


def test_the_policy_knows_the_style_and_the_script_and_nothing_else() -> None:
    text = render_html(an_llm_recommendation())
    policy = str(Page(text).all("meta")[1]["content"])
    style, script = (re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL) for tag in ("style", "script"))
    assert (1, 1) == (len(style), len(script))
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'"
        for part in (style[0], script[0])
    ]
    assert (
        f"default-src 'none'; style-src {hashes[0]}; script-src {hashes[1]}; base-uri 'none'; form-action 'none'"
        == policy
    )


@every_case
def test_the_page_can_be_read_without_seeing_it(make: Callable[[], Recommendation]) -> None:
    page = Page(render_html(make()))
    names = [tag for tag, _ in page.tags]
    assert (1, 1, 1, 1, 1) == tuple(names.count(tag) for tag in ("h1", "main", "header", "footer", "nav"))
    assert names.count("table") == names.count("caption")
    assert "en" == page.all("html")[0]["lang"]
    charts = page.all("svg")
    assert all(
        svg.get("aria-hidden") == "true" or svg.get("role") == "img" or "height" in svg for svg in charts
    )
    assert (
        names.count("title") - 1
        == names.count("desc")
        == len([svg for svg in charts if svg.get("role") == "img"])
    )
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(th.get("scope") in {"row", "col", "rowgroup"} for th in page.all("th"))


def test_two_services_have_their_own_charts_and_names() -> None:
    plan = a_plan(services=(a_service(), a_service(name="summaries", instances_peak=1)))
    page = Page(render_html(an_llm_recommendation(plan=plan)))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {"loss-2-title", "latency-2-title", "hours-2-title"} <= set(ids)
    assert ("h3", "summaries") in page.words
    assert view(an_llm_recommendation(plan=plan)).headline.startswith(
        "Serve chat on up to 3 × p5.48xlarge and up to 1 × p5.48xlarge for"
    )


def test_several_services_have_a_group_of_lines_each_after_the_bill() -> None:
    plan = a_plan(services=(a_service(), a_service(name="summaries", instances_peak=1)))
    shown = view(an_llm_recommendation(plan=plan))
    assert ["", "chat", "summaries"] == [group.name for group in shown.comparison]
    assert "Cost a month" == shown.comparison[0].rows[0].what
    cells = [text for group in shown.comparison for r in group.rows for text in (r.today, r.after)]
    assert [] == [text for text in cells if ";" in text]
    assert "2 × p5.48xlarge" not in shown.comparison[2].rows[0].after
    assert ("th", "summaries") in Page(render_html(an_llm_recommendation(plan=plan))).words
    assert "summaries: Machines, busiest hour" in render_markdown(an_llm_recommendation(plan=plan))
    assert "\nsummaries\n" in render_terminal(an_llm_recommendation(plan=plan))


def test_text_to_paste_is_shown_as_it_is() -> None:
    text = render_html(a_cnn_recommendation())
    assert "<pre>max_batch_size: 64\ndynamic_batching { }</pre>" in text


@every_case
def test_the_same_recommendation_gives_the_same_bytes(make: Callable[[], Recommendation]) -> None:
    for render in (render_html, render_markdown, render_terminal, render_yaml, render_json):
        assert render(make()) == render(make())


def test_a_name_that_a_template_misspells_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        _html().from_string("{{ view.headlin }}").render(view=view(an_llm_recommendation()))


# --- text from outside ----------------------------------------------------------------------------


def poisoned(value: Any, text: str) -> Any:
    """The value with every text in it replaced, except the few that are of a fixed set."""
    if isinstance(value, dict):
        fixed = {"status", "objective", "schema_version", "url", "metric", "basis", "unit"}
        return {key: item if key in fixed else poisoned(item, text) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [poisoned(item, text) for item in value]
    return text if isinstance(value, str) else value


@every_case
def test_every_text_from_outside_is_escaped(make: Callable[[], Recommendation]) -> None:
    made = make()
    hostile = Recommendation.model_validate(poisoned(made.model_dump(), HOSTILE))
    text = render_html(hostile)
    assert "<script>alert" not in text
    assert 1 == text.count("<script>")
    assert 20 < text.count("&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;")
    assert [] == Page(text).open
    assert Page(render_html(made)).open == Page(text).open


@every_case
def test_markdown_shows_markup_from_outside_as_text(make: Callable[[], Recommendation]) -> None:
    hostile = Recommendation.model_validate(
        poisoned(make().model_dump(), "a|b\n# c <script> ```\n[x](javascript:y)")
    )
    text = render_markdown(hostile)
    fences = re.compile(r"^(`{3,})\n.*?\n\1$", re.DOTALL | re.MULTILINE)
    outside = fences.sub("", text)
    assert not re.search(r"(?<!\\)<script|(?<!\\)\]\(javascript|^# c", outside, re.MULTILINE)
    for table in re.findall(r"(?:^\|.*\n)+", outside, re.MULTILINE):
        assert 1 == len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()})


def test_escape_sequences_from_outside_never_reach_the_terminal() -> None:
    hostile = Recommendation.model_validate(
        poisoned(an_llm_recommendation().model_dump(), "x\x1b]0;taken\x07\x1b[31m\u202e[bold]y")
    )
    text = render_terminal(hostile)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\x9b\u202e]", text)
    assert "[bold]y" in text


# --- other outputs --------------------------------------------------------------------------------


@every_case
def test_markdown_tables_have_as_many_cells_in_every_row(make: Callable[[], Recommendation]) -> None:
    text = render_markdown(make())
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert tables
    for table in tables:
        lines = table.splitlines()
        assert re.fullmatch(r"\|( -{3}:? \|)+", lines[1])
        assert 1 == len({len(re.findall(r"(?<!\\)\|", line)) for line in lines})
    assert "\n\n\n\n" not in text


@every_case
@pytest.mark.parametrize("width", [60, 80, 132])
@pytest.mark.parametrize("colour", [False, True])
def test_no_line_is_wider_than_the_terminal(
    make: Callable[[], Recommendation], width: int, colour: bool
) -> None:
    text = render_terminal(make(), width=width, colour=colour)
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert colour == ("\x1b[" in text)
    assert [] == [line for line in plain.splitlines() if len(line) > width]
    assert plain == render_terminal(make(), width=width)


def test_the_terminal_ignores_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = render_terminal(an_llm_recommendation())
    for name, value in {"COLUMNS": "200", "FORCE_COLOR": "1", "TERM": "dumb", "LINES": "1"}.items():
        monkeypatch.setenv(name, value)
    assert before == render_terminal(an_llm_recommendation())


@every_case
def test_json_and_yaml_hold_every_field(make: Callable[[], Recommendation]) -> None:
    made = make()
    assert made == Recommendation.model_validate_json(render_json(made))
    assert json.loads(render_json(made)) == yaml.safe_load(render_yaml(made))


# --- writing --------------------------------------------------------------------------------------


def test_a_report_is_not_written_over_a_file_without_force(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(FileExists, match="--force"):
        write_html(an_llm_recommendation(), path)
    assert "mine" == path.read_text(encoding="utf-8")
    assert path == write_html(an_llm_recommendation(), path, force=True)
    assert render_html(an_llm_recommendation()) == path.read_text(encoding="utf-8")
    assert ["report.html"] == [file.name for file in tmp_path.iterdir()]


def test_a_failed_write_leaves_the_old_report_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")

    def full(self: Path, target: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write_text("new", path, force=True)
    assert "old" == path.read_text(encoding="utf-8")
    assert ["report.html"] == [file.name for file in tmp_path.iterdir()]


def test_a_written_report_has_the_usual_rights(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = write_text("x", tmp_path / "a.md")
    finally:
        os.umask(before)
    assert 0o640 == stat.S_IMODE(path.stat().st_mode)


def test_a_link_stays_a_link_and_a_device_stays_a_device(tmp_path: Path) -> None:
    target, link = tmp_path / "target.md", tmp_path / "link.md"
    target.write_text("old", encoding="utf-8")
    link.symlink_to(target)
    write_text("new", link, force=True)
    assert (True, "new") == (link.is_symlink(), target.read_text(encoding="utf-8"))
    write_text("x", Path(os.devnull), force=True)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_a_loss_without_limit_promises_nothing() -> None:
    loss: AccuracyLoss = a_loss(limit_ratio=None, probability_kept=None)
    assert (
        "expected; 1 in 10 outcomes is above 0.91%; no limit was given"
        == view(an_llm_recommendation(accuracy_loss=loss)).figures[1].detail
    )
