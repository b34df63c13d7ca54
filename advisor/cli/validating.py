"""`advisor validate`: how far predictions are from measurements."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.application import app

if TYPE_CHECKING:
    from advisor.validation import ValidationReport


class ValidationFormat(StrEnum):
    """How a validation is shown."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


_ENDINGS = {".html": ValidationFormat.HTML, ".htm": ValidationFormat.HTML, ".json": ValidationFormat.JSON}


@app.command()
def validate(
    points: Annotated[
        Path | None,
        typer.Argument(
            help="CSV with inputs and measured columns; the measurements shipped with advisor if not given."
        ),
    ] = None,
    *,
    format: Annotated[  # noqa: A002 - the flag's name
        ValidationFormat | None,
        typer.Option("--format", help="How to show it; by the output's ending if not given."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write; the terminal if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")] = False,
) -> None:
    """Compare predictions with measurements: errors by family, backend and chip, and how often intervals hold.

    Example: advisor validate mine.csv -o validation.html
    """
    from advisor.errors import FileExists
    from advisor.validation import validate as validated
    from advisor.validation import validate_file

    if output is not None and output.exists() and not force:
        raise FileExists.at(output)
    report = validated() if points is None else validate_file(points)
    chosen = format or (_ENDINGS.get(output.suffix.lower()) if output else None) or ValidationFormat.TABLE
    if output is None:
        typer.echo(_shown(report, chosen, terminal=True), nl=False)
        return
    from advisor.report import write_text

    write_text(_shown(report, chosen, terminal=False), output, force=force)
    typer.echo(f"Wrote {output}", err=True)


def _shown(report: ValidationReport, chosen: ValidationFormat, *, terminal: bool) -> str:
    if chosen is ValidationFormat.JSON:
        return f"{report.model_dump_json(indent=2)}\n"
    from advisor.report.validation import render_validation, render_validation_html

    if chosen is ValidationFormat.HTML:
        return render_validation_html(report)
    import shutil

    colour = terminal and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return render_validation(report, width=shutil.get_terminal_size((100, 24)).columns, colour=colour)
