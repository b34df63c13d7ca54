"""A check in words: for a terminal, as Markdown for a CI job, and as JUnit XML with a case for each requirement."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from advisor.checking.results import CheckResult, RequirementCheck
from advisor.units import format_ratio, format_usd

_VERDICTS = {
    "best": "still best",
    "infeasible": "no longer feasible",
    "drifted": "drifted: a cheaper plan pays the switch",
}
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_table(result: CheckResult) -> str:
    """Return the check as plain text."""
    rows = [("requirement", "limit", "now", "")]
    rows += [
        (_title(r), r.limit, r.reached, "ok" if r.kept else f"BROKEN {r.why}".strip())
        for r in result.requirements
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    table = [
        "  ".join((*(c.ljust(w) for c, w in zip(row[:3], widths, strict=True)), row[3])).rstrip()
        for row in rows
    ]
    sections = [
        f"{result.workload}: {_VERDICTS[result.status]}\n{result.summary}",
        "\n".join(table),
        "\n".join(f"{name:<24}{value}" for name, value in _money(result)),
        "\n".join(f"changed  {line}" for line in result.changes),
        "\n".join(f"note     {line}" for line in result.notes),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def as_markdown(result: CheckResult) -> str:
    """Return the check as Markdown, for `$GITHUB_STEP_SUMMARY` or a comment."""
    lines = [
        f"### Plan of {_cell(result.workload)}: {_VERDICTS[result.status]}",
        "",
        _cell(result.summary),
        "",
    ]
    lines += _rows(
        ("Requirement", "Limit", "Now", "Kept"),
        [
            (_title(r), r.limit, r.reached, "yes" if r.kept else f"**no** {r.why}".strip())
            for r in result.requirements
        ],
    )
    lines += ["", *_rows(("Money", "Amount"), _money(result))]
    services = [
        (s.name, f"{s.instance_type}: {', '.join(s.choices)}", _fresh(s.fresh_instance_type, s.fresh_choices))
        for s in result.services
    ]
    lines += ["", *_rows(("Service", "Stored plan", "Recommended now"), services)]
    for title, texts in (("Changed", result.changes), ("Notes", result.notes)):
        lines += ["", f"{title}:", "", *(f"- {_cell(text)}" for text in texts)] if texts else []
    return "\n".join(lines) + "\n"


def as_junit(result: CheckResult) -> str:
    """Return the check as JUnit XML: one case for each requirement, and one for drift."""
    cases = [_case(result, _title(row), _failure(row)) for row in result.requirements]
    drift = result.summary if result.status == "drifted" else ""
    cases.append(_case(result, "no cheaper plan pays the switch", drift))
    failures = sum(not row.kept for row in result.requirements) + bool(drift)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="0"'
    suite = f'<testsuite name={_attribute(f"advisor check {result.workload}")} {counts} skipped="0" time="0">'
    body = "\n".join(cases)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites {counts}>\n{suite}\n{body}\n</testsuite>\n</testsuites>\n'


def _case(result: CheckResult, name: str, failure: str) -> str:
    head = f'<testcase classname={_attribute(f"advisor.check.{result.workload}")} name={_attribute(name)} time="0"'
    if not failure:
        return f"  {head}/>"
    return f"  {head}><failure message={_attribute(failure)}>{escape(_clean(result.summary))}</failure></testcase>"


def _failure(row: RequirementCheck) -> str:
    return "" if row.kept else f"{row.requirement} is {row.reached}, limit {row.limit}: {row.why}"


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))


def _clean(text: str) -> str:
    return _NOT_XML.sub(" ", text)


def _title(row: RequirementCheck) -> str:
    return f"{row.service}: {row.requirement}" if row.service else row.requirement


def _money(result: CheckResult) -> list[tuple[str, str]]:
    def amount(usd: float | None) -> str:
        return "-" if usd is None else format_usd(usd)

    return [
        ("Cost a month, stored", amount(result.stored_usd_per_month)),
        ("Cost a month, now", amount(result.cost_usd_per_month)),
        ("Cost a month, fresh", amount(result.fresh_usd_per_month)),
        ("Cost to switch", amount(result.switching_cost_usd)),
        ("Saving a month", amount(result.saving_usd_per_month)),
        ("Needed to switch", amount(result.needed_usd_per_month)),
        ("Tolerance", format_ratio(result.tolerance_ratio)),
    ]


def _fresh(machine: str | None, choices: Sequence[str]) -> str:
    return "nothing" if machine is None else f"{machine}: {', '.join(choices)}"


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *(_row([_cell(cell) for cell in row]) for row in rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """Return a text that cannot leave its cell or become HTML."""
    plain = " ".join(text.replace("&", "&amp;").replace("<", "&lt;").split())
    return plain.replace("\\", "\\\\").replace("|", "\\|").replace("`", "'").replace("[", "\\[")
