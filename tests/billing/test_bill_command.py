"""`advisor bill` and the report's first chapter: the same lines in every form, safe to show anywhere."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from advisor import Requirements, recommend
from advisor.cli import app
from advisor.report import render_html, render_markdown, render_terminal
from advisor.report.bill_pages import render_bill, render_bill_html, render_bill_markdown
from advisor.units import format_usd
from tests.report_bills import a_whole_bill

TEXT = """
name: images
model: resnet-50
traffic: {requests_per_s: 100}
limits: {latency_p99: 300ms}
serving: {provider: aws, region: us-east-1, instance_type: g4dn.xlarge, instances: 8}
lifecycle:
  training: {items: 115M, instance_type: p4d.24xlarge, utilization: 30%}
  storage: {datasets: 2TB, replicas: 2}
"""


@pytest.fixture(scope="module")
def found():
    return recommend(yaml.safe_load(TEXT), Requirements(max_accuracy_loss="1%"), today_date="2027-11-24")


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    path = tmp_path / "advisor.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def plan(found, tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(found.model_dump_json())
    return path


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_every_form_prints_the_same_lines(plan):
    table = run("bill", plan).stdout
    data = json.loads(run("bill", plan, "--format", "json").stdout)
    assert data == yaml.safe_load(run("bill", plan, "--format", "yaml").stdout)
    markdown = run("bill", plan, "--format", "markdown").stdout
    assert {"training", "inference", "datasets", "egress"} <= {item["key"] for item in data["items"]}
    for item in data["items"]:
        assert item["name"].split()[0] in table
        assert f"| {item['name']} |" in markdown
    assert all(len(line) <= 80 for line in table.splitlines())


def test_a_stored_plan_gives_the_bill_of_its_workload(workload, plan):
    stored = json.loads(run("bill", plan, "--format", "json").stdout)
    assert stored == json.loads(run("bill", workload, "--max-accuracy-loss", "1%", "--format", "json").stdout)


def test_a_page_is_written_once_and_replaced_only_on_demand(plan, tmp_path):
    page = tmp_path / "bill.html"
    assert run("bill", plan, "-o", page).exit_code == 0
    assert 'http-equiv="Content-Security-Policy"' in page.read_text()
    with pytest.raises(Exception, match="already exists"):
        run("bill", plan, "-o", page)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--tag", "app=chat"), "give --focus"),
        (("--focus", "missing.csv"), "no file 'missing.csv'"),
        (("--focus", "x.csv", "--rate", "EUR"), "expected a name and a value, such as EUR=1.08"),
        (("--focus", "x.csv", "--rate", "EUR=-1"), "expected US dollars for one unit"),
    ],
)
def test_wrong_flags_are_refused_in_words(workload, flags, message):
    with pytest.raises(Exception, match=message):
        run("bill", workload, *flags)


def test_the_first_chapter_of_the_report_is_the_whole_bill(found):
    html = render_html(found)
    assert html.index('id="bill"') < html.index('id="today"')
    total = f"${found.bill.today_usd_per_month:,.0f}"
    assert total in html
    assert "### Today's bill and where it goes" in render_markdown(found)
    assert "Today's bill and where it goes" in render_terminal(found)


def test_old_prices_show_in_every_form(found):
    assert found.bill.stale_prices
    old = "S3 Standard"
    for text in (render_bill(found.bill), render_bill_html(found.bill), render_bill_markdown(found.bill)):
        assert "Old price" in text
        assert old in text
    assert old in str(json.loads(found.bill.model_dump_json())["stale_prices"])


def test_names_from_outside_are_text(found):
    name = "</td><script>x</script>|\x1b[31m"
    items = tuple(item.model_copy(update={"name": name, "formula": name}) for item in found.bill.items)
    shown = found.bill.model_copy(update={"workload": name, "items": items})
    assert "<script>x" not in render_bill_html(shown)
    assert "<script>" not in render_bill_markdown(shown).replace("\\<script", "")
    assert "\x1b" not in render_bill(shown)


def test_the_waterfall_reaches_the_total(found):
    from advisor.report.billing import bill_view

    steps = bill_view(found.bill).steps
    assert steps[-1].width_ratio == pytest.approx(1.0)
    for before, after in pairwise(steps[:-1]):
        assert before.start_ratio + before.width_ratio == pytest.approx(after.start_ratio)


def test_every_amount_shown_is_one_of_the_json():
    shown = a_whole_bill()
    numbers = list(numbers_in(shown.model_dump()))
    differences = [item.after_usd_per_month - item.today_usd_per_month for item in shown.items]
    total = shown.after_usd_per_month - shown.today_usd_per_month
    known = {format_usd(abs(number)) for number in [*numbers, *differences, total]} | {"$55.04", "$0.09"}
    amounts = set(re.findall(r"\$[\d,]+(?:\.\d+)?", render_bill_html(shown)))
    assert len(amounts) > 10
    assert amounts <= known


def numbers_in(value):
    if isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(inner)
    elif isinstance(value, float):
        yield value
