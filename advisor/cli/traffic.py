"""`advisor traffic`: a trace of requests as a picture, a table, and what to paste into a workload."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.application import app
from advisor.cli.output import check_output

if TYPE_CHECKING:
    from advisor.traces import TrafficSummary


class TrafficFormat(StrEnum):
    """How a trace is shown."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    HTML = "html"


_ENDINGS = {
    ".txt": TrafficFormat.TABLE,
    ".json": TrafficFormat.JSON,
    ".yaml": TrafficFormat.YAML,
    ".yml": TrafficFormat.YAML,
    ".html": TrafficFormat.HTML,
    ".htm": TrafficFormat.HTML,
}


@app.command()
def traffic(
    trace: Annotated[
        Path,
        typer.Argument(
            help="CSV, JSON lines (each also .gz) or Parquet; Azure, BurstGPT, Mooncake or arrival_s, input_tokens, "
            "output_tokens."
        ),
    ],
    *,
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Keep rows with this value, such as service=code.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write it: .html, .json, .yaml or .txt by its name.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")] = False,
    format: Annotated[TrafficFormat, typer.Option("--format", help="What to print.")] = TrafficFormat.TABLE,  # noqa: A002 - the flag's name
) -> None:
    """Show a trace of requests, and reduce it to what a workload needs.

    Example: advisor traffic AzureLLMInferenceTrace_code.csv --format yaml
    """
    from advisor.traces import read_trace, summarize

    if output is not None:
        check_output(output, _ENDINGS, force=force)
    summary = summarize(read_trace(trace, where=dict(_condition(text) for text in where or [])))
    typer.echo(_shown(summary, format), nl=False)
    if output is not None:
        from advisor.report import write_text

        write_text(_shown(summary, _ENDINGS[output.suffix.lower()]), output, force=force)
        typer.echo(f"Wrote {output}", err=True)


def _condition(text: str) -> tuple[str, str]:
    from advisor.errors import InputError

    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--where: got '{text}'; expected a column and its value, such as service=code")
    return name.strip(), value.strip()


def _shown(summary: TrafficSummary, format: TrafficFormat) -> str:  # noqa: A002 - the flag's name
    if format is TrafficFormat.JSON:
        return f"{summary.model_dump_json(indent=2)}\n"
    if format is TrafficFormat.YAML:
        return summary.to_yaml()
    from advisor.traces import picture

    return picture.html(summary) if format is TrafficFormat.HTML else picture.terminal(summary)
