"""The report of a recommendation: HTML, Markdown, terminal, YAML and JSON; it formats and never computes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from advisor.whole_file import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

    from advisor.insight.outcomes import Answer
    from advisor.insight.results import Insights
    from advisor.recommendation import Recommendation

NARROWEST = 60
"""Columns of the narrowest terminal."""

__all__ = [
    "render_answer",
    "render_answer_markdown",
    "render_html",
    "render_json",
    "render_markdown",
    "render_terminal",
    "render_yaml",
    "write_html",
    "write_text",
]


def render_html(
    recommendation: Recommendation, insights: Insights | None = None, *, validated: Sequence[str] = ()
) -> str:
    """Return the report as one self-contained HTML page that loads nothing.

    Args:
        recommendation: What to show.
        insights: What explains it, as `advisor.explain` returns it; the report is shorter without.
        validated: Sentences on how far predictions of this kind were from measurements.
    """
    from advisor.report.pages import html_page
    from advisor.report.view import view

    return html_page(view(recommendation, insights, validated=validated))


def render_markdown(recommendation: Recommendation, insights: Insights | None = None) -> str:
    """Return the report as Markdown for a pull request, a wiki or `$GITHUB_STEP_SUMMARY`.

    Args:
        recommendation: What to show.
        insights: What explains it; the report is shorter without.
    """
    from advisor.report.explained import explained
    from advisor.report.pages import markdown_page
    from advisor.report.sheets import markdown_sheet
    from advisor.report.view import view

    shown = view(recommendation, insights)
    return markdown_page(shown, markdown_sheet(explained(shown.insight)) if shown.insight else "")


def render_terminal(
    recommendation: Recommendation,
    insights: Insights | None = None,
    *,
    width: int = 80,
    colour: bool = False,
) -> str:
    """Return the report for a terminal.

    Args:
        recommendation: What to show.
        insights: What explains it; the report is shorter without.
        width: Columns of the terminal; no line is longer. At least 60.
        colour: Whether to use ANSI colours; the caller knows the terminal and `NO_COLOR`.
    """
    from advisor.report.explained import explained
    from advisor.report.sheets import terminal_chapters
    from advisor.report.terminal import terminal_page
    from advisor.report.view import view

    width, shown = max(NARROWEST, width), view(recommendation, insights)
    more = terminal_chapters(explained(shown.insight), width=width) if shown.insight else ()
    return terminal_page(shown, more, width=width, colour=colour)


def render_answer(found: Answer, *, width: int = 80, colour: bool = False) -> str:
    """Return the answer of `explain`, `frontier`, `what_if` or `compare` for a terminal; see `render_terminal`."""
    from advisor.report.answers import sheet
    from advisor.report.sheets import terminal_sheet

    return terminal_sheet(sheet(found), width=max(NARROWEST, width), colour=colour)


def render_answer_markdown(found: Answer) -> str:
    """Return the answer of `explain`, `frontier`, `what_if` or `compare` as Markdown."""
    from advisor.report.answers import sheet
    from advisor.report.sheets import markdown_sheet

    return markdown_sheet(sheet(found))


def render_json(recommendation: Recommendation) -> str:
    """Return every field as JSON, two blanks a level."""
    return recommendation.model_dump_json(indent=2) + "\n"


def render_yaml(result: BaseModel) -> str:
    """Return every field of a result as YAML, in the order of its JSON."""
    import yaml

    return str(yaml.safe_dump(result.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100))


def write_html(
    recommendation: Recommendation,
    path: Path | str,
    force: bool = False,
    *,
    insights: Insights | None = None,
    validated: Sequence[str] = (),
) -> Path:
    """Write the HTML report and return its path.

    Args:
        recommendation: What to show.
        path: Of the file.
        force: Whether to replace a file that is there.
        insights: As for `render_html`.
        validated: As for `render_html`.

    Raises:
        FileExists: The file is there and `force` is false.
        OSError: The folder cannot be written.
    """
    return write_text(render_html(recommendation, insights, validated=validated), path, force=force)
