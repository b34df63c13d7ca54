"""`advisor explain`, `frontier`, `what-if` and `compare`: four answers, each in three formats, none of them hijacked."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from advisor import Requirements, Scenario, compare, frontier, recommend, what_if
from advisor.cli import app
from advisor.errors import FileExists, InfeasibleError, InputError, UnknownName
from advisor.insight.outcomes import Answer, Comparison, Explanation, FrontierAnswer, WhatIf
from advisor.recommendation import Recommendation
from advisor.report import render_answer, render_answer_markdown, render_markdown, render_terminal
from tests.report_fixtures import an_llm_recommendation
from tests.report_insights import full_insights
from tests.test_report import poisoned

ASKED = Requirements(max_accuracy_loss="1%")
SMALL = ("--example", "small-cnn", "--max-accuracy-loss", "1%")
HOSTILE = "a|b\n# c <script> ```\n[x](javascript:y) \x1b[31m\u202e"
NUMBER = re.compile(r"\$[\d,]+(?:\.\d+)?")


@cache
def plans() -> tuple[Recommendation, Recommendation]:
    return recommend("small-cnn", ASKED), recommend("small-cnn", Requirements(max_accuracy_loss="0.1%"))


@cache
def answers() -> dict[str, Answer]:
    return {
        "explain": Explanation(recommendation=an_llm_recommendation(), insights=full_insights()),
        "frontier": frontier("small-cnn", ASKED),
        "what-if": what_if(
            "small-cnn", ASKED, [Scenario(traffic="x2"), Scenario(limits={"latency": {"latency_p99": "1us"}})]
        ),
        "compare": compare(*plans()),
    }


every_answer = pytest.mark.parametrize("name", ["explain", "frontier", "what-if", "compare"])


@every_answer
@pytest.mark.parametrize("width", [60, 80, 132])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_coloured_unasked(name: str, width: int) -> None:
    text = render_answer(answers()[name], width=width)
    assert width >= max(len(line) for line in text.splitlines())
    assert "\x1b" not in text
    assert "\x1b[" in render_answer(answers()[name], width=width, colour=True)


@every_answer
def test_markdown_tables_have_as_many_cells_in_every_row(name: str) -> None:
    tables = re.findall(r"(?:^\|.*\n)+", render_answer_markdown(answers()[name]), re.MULTILINE)
    assert tables
    for table in tables:
        assert 1 == len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()})


@every_answer
def test_text_from_outside_stays_text_in_both(name: str) -> None:
    found = answers()[name]
    data = found.model_dump()
    fixed = {"group", "unit", "cheaper", "verdict", "requirement", *(() if name != "compare" else ("what",))}
    hostile = type(found).model_validate(_kept(data, poisoned(data, HOSTILE), fixed))
    text = render_answer_markdown(hostile)
    fences = re.compile(r"^(`{3,})\n.*?\n\1$", re.DOTALL | re.MULTILINE)
    outside = fences.sub("", text)
    assert not re.search(r"(?<!\\)<script|(?<!\\)\]\(javascript|^# c", outside, re.MULTILINE)
    for table in re.findall(r"(?:^\|.*\n)+", outside, re.MULTILINE):
        assert 1 == len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()})
    assert "<script>" in render_answer(hostile)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\x9b\u202e]", render_answer(hostile))


def _kept(data: Any, changed: Any, fixed: set[str]) -> Any:
    """The changed value with the fields of a fixed set as they were."""
    if isinstance(data, dict):
        return {key: data[key] if key in fixed else _kept(data[key], changed[key], fixed) for key in data}
    if isinstance(data, list | tuple):
        return [_kept(one, other, fixed) for one, other in zip(data, changed, strict=True)]
    return changed


@every_answer
def test_an_answer_is_json_and_back_again(name: str) -> None:
    found = answers()[name]
    assert found == type(found).model_validate_json(found.model_dump_json())


def test_every_cost_of_a_frontier_is_shown() -> None:
    found = answers()["frontier"]
    assert isinstance(found, FrontierAnswer)
    shown = set(NUMBER.findall(render_answer(found)))
    costs = [p.plan.cost_usd_per_month for f in found.frontiers for p in f.points if p.plan]
    assert costs
    assert {f"${cost:,.0f}" for cost in costs} <= shown


def test_values_of_a_limit_can_be_chosen_and_the_stated_one_is_among_them() -> None:
    found = frontier("small-cnn", ASKED, against=["max-accuracy-loss"], values=["0.2%", "3%"])
    assert [0.002, 0.01, 0.03] == [point.limit for point in found.frontiers[0].points]
    assert [False, True, False] == [point.is_yours for point in found.frontiers[0].points]
    loose = recommend("small-cnn", Requirements(max_accuracy_loss="3%")).require().plan
    last = found.frontiers[0].points[-1].plan
    assert last is not None
    assert loose is not None
    assert loose.cost_usd_per_month == pytest.approx(last.cost_usd_per_month)


@pytest.mark.parametrize(
    ("against", "values", "message"),
    [
        (["beauty"], [], "beauty"),
        (["ttft_p99"], ["1s"], "no such latency"),
        ([], ["1%"], "which one limit"),
        (["max_accuracy_loss"], ["lots"], "lots"),
        (["latency_p50"], [], "nothing is asked"),
    ],
)
def test_a_frontier_that_cannot_be_is_refused(against: list[str], values: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        frontier("small-cnn", ASKED, against=against, values=values)


def test_a_frontier_of_what_nothing_meets_says_so() -> None:
    with pytest.raises(InfeasibleError, match="budget"):
        frontier("small-cnn", Requirements(budget="$1/month"))


def test_a_plan_compared_with_itself_differs_in_nothing() -> None:
    found = compare(plans()[0], plans()[0])
    assert ("neither", 0.0, True) == (found.cheaper, found.change_usd_per_month, found.same_request)
    assert all(one.same for one in found.differences)
    assert "costs as much as" in render_answer(found)


def test_two_plans_differ_in_what_was_asked_and_in_what_that_costs() -> None:
    found = answers()["compare"]
    assert isinstance(found, Comparison)
    first, second = (one.plan for one in plans())
    assert first is not None
    assert second is not None
    assert second.cost_usd_per_month - first.cost_usd_per_month == pytest.approx(found.change_usd_per_month)
    asked = [one for one in found.differences if one.group == "asked"]
    assert [("requirements.max_accuracy_loss", 0.01, 0.001)] == [(o.what, o.first, o.second) for o in asked]
    assert not found.same_request
    assert {"cost", "saving", "one-time", "payback"} == {
        o.what for o in found.differences if o.group == "money"
    }


def test_an_explanation_in_markdown_and_terminal_has_every_chapter_of_the_report() -> None:
    found = answers()["explain"]
    titles = ["Why this plan", "What saves how much", "The way there", "Almost as cheap", "What limits cost"]
    for text in (render_answer(found), render_answer_markdown(found)):
        assert all(title in text for title in (*titles, "What may turn out differently"))
    assert isinstance(found, Explanation)
    report = render_markdown(found.recommendation, found.insights)
    assert all(f"### {title}" in report for title in titles)
    assert report.index("### Alternatives") < report.index("### Why this plan") < report.index("<details>")
    terminal = render_terminal(found.recommendation, found.insights)
    assert terminal.index("Why this plan") < terminal.index("add -o report.html")


# --- the commands -----------------------------------------------------------------------------------


def done(*words: str) -> Any:
    return CliRunner().invoke(app, [*words], catch_exceptions=False)


def test_explain_writes_what_it_prints(tmp_path: Path) -> None:
    page = tmp_path / "why.html"
    found = done("explain", *SMALL, "--format", "markdown", "-o", str(page))
    assert 0 == found.exit_code
    assert "### Why this plan and not another" in found.stdout
    assert "built-in example 'small-cnn'" in found.stderr
    assert 'id="why"' in page.read_text(encoding="utf-8")
    with pytest.raises(FileExists):
        done("explain", *SMALL, "-o", str(page))
    assert 3 == done("explain", *SMALL, "--budget", "$1/month").exit_code


def test_what_if_shows_each_change_alone_and_all_at_once(tmp_path: Path) -> None:
    words = ["--traffic", "x2", "--price", "t4=-30%", "--limit", "max-accuracy-loss=2%"]
    scenario = ["--scenario", "traffic=x3, speed=-20%, latency-p99=200ms, g4dn.xlarge=+10%"]
    path = tmp_path / "answer.json"
    found = done("what-if", *SMALL, *words, *scenario, "-o", str(path))
    assert 0 == found.exit_code
    answer = WhatIf.model_validate_json(path.read_text(encoding="utf-8"))
    names = ["traffic ×2", "t4 -30%", "max accuracy loss 2%", "traffic ×2, t4 -30%, max accuracy loss 2%"]
    assert [*names, "traffic ×3, g4dn.xlarge +10%, speed -20%, latency_p99 200ms"] == [
        one.name for one in answer.scenarios
    ]
    assert "Traffic ×2" in found.stdout


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ([], InputError, "say what turns out differently"),
        (["--traffic", "lots"], InputError, "such as x2"),
        (["--price", "h100"], InputError, "a name and a value"),
        (["--limit", "beauty=3"], UnknownName, "beauty"),
        (["--limit", "quota=3"], UnknownName, "quota:NAME"),
        (["--scenario", "traffic"], InputError, "a name and a value"),
        (["--traffic", "x2", "-o", "answer.pdf"], InputError, "ending '.pdf'"),
    ],
)
def test_what_if_refuses_what_it_cannot_read(words: list[str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        done("what-if", *SMALL, *words)


def test_frontier_and_compare_print_json(tmp_path: Path) -> None:
    found = done(
        "frontier", *SMALL, "--against", "latency-p99", "--values", "50ms, 200ms", "--format", "json"
    )
    assert [0.05, 0.1, 0.2] == [
        point["limit"] for point in json.loads(found.stdout)["frontiers"][0]["points"]
    ]
    paths = []
    for number, plan in enumerate(plans()):
        paths.append(str(tmp_path / f"{number}.json"))
        Path(paths[-1]).write_text(plan.model_dump_json(), encoding="utf-8")
    compared = json.loads(done("compare", *paths, "--format", "json").stdout)
    assert paths == [compared["first"], compared["second"]]
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="no recommendation"):
        done("compare", paths[0], str(tmp_path / "other.json"))
