"""`advisor doctor`: versions, solvers, extras, the age of prices, and strategies."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from advisor.cli.application import app


class DoctorFormat(StrEnum):
    """How findings are printed."""

    TABLE = "table"
    JSON = "json"


@app.command()
def doctor(
    format: Annotated[DoctorFormat, typer.Option("--format", help="What to print.")] = DoctorFormat.TABLE,  # noqa: A002 - the flag's name
) -> None:
    """Look at this installation: versions, solvers, extras, the age of prices, strategies and where they come from.

    Exits with 0 whatever it finds; attach the output to a report of a fault.

    Example: advisor doctor --format json
    """
    from datetime import date

    from advisor.doctor import doctor_text, examined

    findings = examined(today=date.today().isoformat())
    if format is DoctorFormat.TABLE:
        typer.echo(doctor_text(findings), nl=False)
        return
    import json
    from dataclasses import asdict

    typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
