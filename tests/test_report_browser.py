"""The report in a real browser: nothing asked, nothing complained about, nothing cut, nothing inaccessible."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from advisor import recommend
from advisor.insight.results import FrontierGrid, Insights
from advisor.recommendation import Recommendation
from advisor.report import write_html, write_text
from advisor.report.bill_pages import render_bill_html
from advisor.requirements import Requirements
from advisor.units import format_usd
from tests import chromium, report_bills, report_fixtures, report_insights

CASES = {
    "llm": report_fixtures.an_llm_recommendation,
    "cnn": report_fixtures.a_cnn_recommendation,
    "dearer": report_fixtures.a_dearer_recommendation,
    "infeasible": report_fixtures.an_infeasible_recommendation,
}
ALL = (*CASES, "quick", "full", "life", "bill")
SIZES = [(1280, False), (1280, True), (390, False), (390, True)]
VIEWS = [
    (name, *size) for name in ALL for size in (SIZES if name in {"llm", "full"} else (SIZES[0], SIZES[3]))
]
PRINTED_WIDTH = 680
MOST_PAGES = 13
"""Of the built-in language model with everything that is said about it; 23 before the print was made denser."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    path = chromium.executable()
    if path is None:
        pytest.skip("no Chromium is installed (apt-get install chromium, or set ADVISOR_CHROMIUM)")
    with chromium.started(path, tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def page(browser: chromium.Browser) -> Iterator[chromium.Page]:
    with browser.page() as opened:
        yield opened


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    made = {name: write_html(make(), folder / f"{name}.html") for name, make in CASES.items()}
    explained = report_fixtures.an_llm_recommendation(next_measurement=report_insights.NEXT)
    for name, insights in (
        ("quick", report_insights.quick_insights()),
        ("full", report_insights.full_insights()),
    ):
        made[name] = write_html(explained, folder / f"{name}.html", insights=insights)
    bill = report_bills.a_whole_bill()
    made["life"] = write_html(report_fixtures.an_llm_recommendation(bill=bill), folder / "life.html")
    made["bill"] = write_text(render_bill_html(bill), folder / "bill.html")
    return made


@pytest.mark.parametrize(("name", "width", "dark"), VIEWS)
def test_a_report_asks_for_nothing_and_says_nothing(
    page: chromium.Page, reports: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    page.open(reports[name], width=width, dark=dark)
    assert [reports[name].as_uri()] == page.requests
    assert [] == page.said
    assert 0 == page.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize("width", [390, 1280])
def test_long_names_break_instead_of_widening_the_page(
    page: chromium.Page, tmp_path: Path, width: int
) -> None:
    name = "x" * 400
    plan = report_fixtures.a_plan(services=(report_fixtures.a_service(instance_type=name, scaling=name),))
    made = report_fixtures.an_llm_recommendation(workload=name, description=name, warnings=(name,), plan=plan)
    page.open(write_html(made, tmp_path / "long.html"), width=width)
    assert 0 == page.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_style_and_script_pass_the_content_security_policy(
    page: chromium.Page, reports: dict[str, Path]
) -> None:
    page.open(reports["llm"])
    assert (
        page.run("document.querySelectorAll('.paste').length")
        == page.run("document.querySelectorAll('.paste button').length")
        > 0
    )
    assert "grid" == page.run("getComputedStyle(document.querySelector('.frame')).display")


def test_dark_follows_the_system(page: chromium.Page, reports: dict[str, Path]) -> None:
    page.open(reports["llm"])
    light = page.run("getComputedStyle(document.body).backgroundColor")
    page.open(reports["llm"], dark=True)
    assert "rgb(250, 250, 248)" == light
    assert "rgb(20, 23, 26)" == page.run("getComputedStyle(document.body).backgroundColor")


def test_injected_text_runs_nothing(page: chromium.Page, tmp_path: Path) -> None:
    hostile = "</td></script><script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
    made: Recommendation = report_fixtures.an_llm_recommendation(
        workload=hostile, description=hostile, warnings=(hostile,)
    )
    page.open(write_html(made, tmp_path / "hostile.html"))
    assert page.run("document.title").startswith("</td>")
    assert 1 == page.run("document.scripts.length")
    assert 0 == page.run("document.images.length")
    assert [] == page.said


@pytest.mark.parametrize("name", ALL)
def test_no_chart_is_cut_on_paper(page: chromium.Page, reports: dict[str, Path], name: str) -> None:
    page.open(reports[name], width=PRINTED_WIDTH, media="print")
    outside = """[...document.querySelectorAll('svg[role=img] *')].filter(part => {
        const box = part.getBoundingClientRect();
        return box.width && (box.right > document.documentElement.clientWidth + 1 || box.left < -1);
    }).map(part => part.outerHTML)"""
    assert [] == page.run(outside)
    printed = base64.b64decode(page.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert printed.startswith(b"%PDF-")


def test_printing_opens_what_is_folded_and_closes_it_again(
    page: chromium.Page, reports: dict[str, Path]
) -> None:
    page.open(reports["llm"])
    folded = "[...document.querySelectorAll('details:not([open])')].filter(d => d.offsetParent).length"
    before = page.run(folded)
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert 0 == page.run(folded) < before
    page.run("dispatchEvent(new Event('afterprint'))")
    assert before == page.run(folded)


@pytest.mark.parametrize(("name", "width", "dark"), VIEWS)
def test_axe_finds_nothing(
    page: chromium.Page, reports: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    axe = chromium.axe()
    if axe is None:
        pytest.skip("axe-core is not installed (pip install axe-core-python, or set AXE_CORE)")
    page.open(reports[name], width=width, dark=dark)
    page.run(f"{axe.read_text(encoding='utf-8')}; 1")
    found = page.run(
        "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(v => `${v.id}: ${v.nodes[0].html}`))"
    )
    assert [] == found


# --- two limits to move -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def example() -> tuple[Recommendation, Insights]:
    recommendation, insights = report_insights.explained(
        "large-llm", Requirements(max_accuracy_loss="1%"), full=True
    )
    assert insights is not None
    return recommendation, insights


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory, example: tuple[Recommendation, Insights]) -> Path:
    return write_html(example[0], tmp_path_factory.mktemp("moved") / "example.html", insights=example[1])


def grid_of(insights: Insights) -> FrontierGrid:
    assert insights.grid is not None
    return insights.grid


def slid(page: chromium.Page, slider: str, place: int) -> None:
    page.run(
        f"(() => {{ const s = document.getElementById('{slider}'); s.value = {place};"
        " s.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


def text_of(page: chromium.Page, place: str) -> str:
    return str(page.run(f"document.getElementById('{place}').textContent"))


def test_the_sliders_begin_at_the_recommended_plan(
    page: chromium.Page, moved: Path, example: tuple[Recommendation, Insights]
) -> None:
    page.open(moved)
    plan = example[0].plan
    assert plan is not None
    assert f"{format_usd(plan.cost_usd_per_month)}/month" == text_of(page, "found-cost")
    assert text_of(page, "found-saving").endswith("; as recommended")
    assert text_of(page, "found-plan").startswith("2 × p5.48xlarge: ")
    assert "polite" == page.run("document.querySelector('output.found').ariaLive")
    assert [] == page.said


def test_the_whole_report_prints_on_a_dozen_pages(page: chromium.Page, moved: Path) -> None:
    page.open(moved)
    printed = base64.b64decode(page.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert 4 < len(re.findall(rb"/Type\s*/Page\b", printed)) <= MOST_PAGES


def test_on_paper_no_chart_lies_over_what_follows_it(page: chromium.Page, moved: Path) -> None:
    page.open(moved, width=PRINTED_WIDTH, media="print")
    over = """[...document.querySelectorAll('svg[role=img]')].filter(chart => {
        const room = chart.getBoundingClientRect();
        return room.width && [...chart.querySelectorAll('*')].some(part => {
            const box = part.getBoundingClientRect();
            return box.height && box.bottom > room.bottom + 2;
        });
    }).map(chart => chart.id)"""
    assert [] == page.run(over)


@pytest.mark.parametrize(("loss_ratio", "factor"), [(0.0, 1.0), (0.02, 1.0), (0.005, 0.7), (0.05, 2.0)])
def test_moving_the_sliders_gives_the_plan_that_the_solver_gives(
    page: chromium.Page,
    moved: Path,
    example: tuple[Recommendation, Insights],
    loss_ratio: float,
    factor: float,
) -> None:
    grid = grid_of(example[1])
    solved = recommend(
        "large-llm",
        Requirements.model_validate(
            {
                "max_accuracy_loss": loss_ratio,
                "latency": {name: f"{factor * limit}s" for name, limit in grid.latency_limits_s.items()},
            }
        ),
    )
    assert solved.plan is not None
    page.open(moved)
    slid(page, "slide-loss", grid.loss_ratios.index(loss_ratio))
    slid(page, "slide-latency", grid.latency_factors.index(factor))
    service = solved.plan.services[0]
    assert f"{format_usd(solved.plan.cost_usd_per_month)}/month" == text_of(page, "found-cost")
    assert text_of(page, "found-plan").startswith(f"{service.instances_peak} × {service.instance_type}: ")
    titles = [choice.title for choice in service.choices if choice.changed]
    assert all(title[1:] in text_of(page, "found-plan") for title in titles)
    saved = solved.baseline.cost_usd_per_month - solved.plan.cost_usd_per_month
    assert text_of(page, "found-saving").startswith(f"{format_usd(saved)}/month less than today")
    assert format_usd(solved.plan.cost_usd_per_month) == page.run(
        "document.querySelector('#chart-by-loss .over').textContent"
    )
    assert [] == page.said


def test_every_pair_of_limits_shows_the_cost_of_the_grid_and_moves_both_charts(
    page: chromium.Page, moved: Path, example: tuple[Recommendation, Insights]
) -> None:
    grid = grid_of(example[1])
    page.open(moved)
    shown = page.run(
        """[...Array(14).keys()].map(row => [...Array(7).keys()].map(column => {
            for (const [id, at] of [['slide-loss', row], ['slide-latency', column]]) {
                document.getElementById(id).value = at;
                document.getElementById(id).dispatchEvent(new Event('input'));
            }
            const picks = [...document.querySelectorAll('.pick')].slice(0, 2).map(pick => Number(pick.dataset.at));
            return [document.getElementById('found-cost').textContent, ...picks];
        }))"""
    )
    expected = [
        [
            [
                "Nothing fits within these limits."
                if at is None
                else f"{format_usd(grid.plans[at].cost_usd_per_month)}/month",
                row,
                column,
            ]
            for column, at in enumerate(cells)
        ]
        for row, cells in enumerate(grid.cells)
    ]
    assert expected == shown


def test_where_nothing_fits_the_page_says_so(page: chromium.Page, reports: dict[str, Path]) -> None:
    page.open(reports["full"])
    slid(page, "slide-loss", 0)
    slid(page, "slide-latency", 0)
    assert "Nothing fits within these limits." == text_of(page, "found-cost")
    assert "nothing fits" == page.run("document.querySelector('#chart-by-loss .over').textContent")
    page.run("document.getElementById('yours').click()")
    assert "$72,021/month" == text_of(page, "found-cost")


def test_the_sliders_obey_the_keyboard_and_say_their_value(
    page: chromium.Page, reports: dict[str, Path]
) -> None:
    page.open(reports["full"])
    page.run("document.getElementById('slide-loss').focus()")
    for kind in ("keyDown", "keyUp"):
        page.call(
            "Input.dispatchKeyEvent", type=kind, key="ArrowLeft", code="ArrowLeft", windowsVirtualKeyCode=37
        )
    assert "$98,000/month" == text_of(page, "found-cost")
    assert "0%" == page.run("document.getElementById('slide-loss').getAttribute('aria-valuetext')")
    assert "Accuracy loss at most 0%" == page.run(
        "document.getElementById('slide-loss').labels[0].textContent"
    )


def test_on_paper_the_sliders_are_gone_and_the_charts_show_the_limits_asked_for(
    page: chromium.Page, reports: dict[str, Path]
) -> None:
    page.open(reports["full"], width=PRINTED_WIDTH, media="print")
    slid(page, "slide-loss", 0)
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert "$72,021" == page.run("document.querySelector('#chart-by-loss .over').textContent")
    assert not page.run("document.getElementById('slide-loss').checkVisibility()")
    page.run("dispatchEvent(new Event('afterprint'))")
    assert "$98,000" == page.run("document.querySelector('#chart-by-loss .over').textContent")


def test_without_a_script_the_sliders_are_hidden_and_the_table_is_there(
    page: chromium.Page, reports: dict[str, Path]
) -> None:
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.open(reports["full"])
    page.call("Emulation.setScriptExecutionDisabled", value=False)
    assert not page.run("document.getElementById('slide-loss').checkVisibility()")
    assert page.run(
        "[...document.querySelectorAll('#limits caption')].some(c => /by accuracy limit/.test(c.textContent))"
    )
