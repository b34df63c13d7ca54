"""The report in a real browser: nothing asked, nothing complained about, nothing cut, nothing inaccessible."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from advisor.recommendation import Recommendation
from advisor.report import write_html
from tests import chromium, report_fixtures

CASES = {
    "llm": report_fixtures.an_llm_recommendation,
    "cnn": report_fixtures.a_cnn_recommendation,
    "dearer": report_fixtures.a_dearer_recommendation,
    "infeasible": report_fixtures.an_infeasible_recommendation,
}
SIZES = [(1280, False), (1280, True), (390, False), (390, True)]
PRINTED_WIDTH = 680


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
    return {name: write_html(make(), folder / f"{name}.html") for name, make in CASES.items()}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("width", "dark"), SIZES)
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


@pytest.mark.parametrize("name", CASES)
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
    folded = "document.querySelectorAll('details:not([open])').length"
    before = page.run(folded)
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert 0 == page.run(folded) < before
    page.run("dispatchEvent(new Event('afterprint'))")
    assert before == page.run(folded)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_axe_finds_nothing(
    page: chromium.Page, reports: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    axe = os.environ.get("AXE_CORE", "")
    if not Path(axe).is_file():
        pytest.skip("set AXE_CORE to the path of axe.min.js (npm install axe-core)")
    page.open(reports[name], width=width, dark=dark)
    page.run(f"{Path(axe).read_text(encoding='utf-8')}; 1")
    found = page.run(
        "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(v => `${v.id}: ${v.nodes[0].html}`))"
    )
    assert [] == found
