"""`advisor check`: whether a stored plan is still the one to run, as a gate for a pipeline."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli.application import app
from advisor.cli.calibrating import CalibrationFile, loaded_calibration
from advisor.cli.flags import ratio, requirement_values, with_requirement_flags
from advisor.cli.output import check_output

if TYPE_CHECKING:
    from advisor.checking import CheckResult
    from advisor.requirements import Requirements


class CheckFormat(StrEnum):
    """How a check is shown."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    SARIF = "sarif"


_ENDINGS = {
    ".txt": CheckFormat.TABLE,
    ".json": CheckFormat.JSON,
    ".md": CheckFormat.MARKDOWN,
    ".xml": CheckFormat.JUNIT,
    ".sarif": CheckFormat.SARIF,
}


@app.command()
@with_requirement_flags
def check(
    plan: Annotated[
        Path, typer.Argument(help="Stored plan: the file of `advisor recommend ... -o plan.json`.")
    ],
    *,
    workload: Annotated[
        list[Path] | None,
        typer.Option(
            "--workload", help="Today's workload, several for a fleet; the one of the plan if not given."
        ),
    ] = None,
    tolerance: Annotated[
        str,
        typer.Option(
            "--tolerance", help="Saving that is not worth a change, as a share of the running cost."
        ),
    ] = "2%",
    catalog: Annotated[
        list[Path] | None, typer.Option("--catalog", help="CSV with your own machines or prices of today.")
    ] = None,
    calibration: CalibrationFile = None,
    format: Annotated[CheckFormat, typer.Option("--format", help="What to print.")] = CheckFormat.TABLE,  # noqa: A002 - the flag's name
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Write it too: .txt, .json, .md, .xml (JUnit) or .sarif by its name."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")] = False,
    **requirements: Any,
) -> None:
    """Check a stored plan against today's workload, prices, evidence and calibration.

    Limits are those of the plan; each that is given here replaces that one.

    Exit codes: 0 still best within the tolerance; 2 wrong input; 3 no longer meets the requirements; 4 drifted: a
    cheaper plan saves more over the horizon than the switch costs, and more than the tolerance.

    Examples:
      advisor check plan.json

      advisor check plan.json --workload advisor.yaml --format markdown >> "$GITHUB_STEP_SUMMARY"

      advisor check plan.json --budget '$20k/month' -o check.sarif
    """
    from advisor.catalog import Catalog
    from advisor.checking import check as checked

    if output is not None:
        check_output(output, _ENDINGS, force=force)
    result = checked(
        plan,
        [str(path) for path in workload]
        if workload and len(workload) > 1
        else str(workload[0])
        if workload
        else None,
        requirements=_changed(plan, requirements),
        tolerance_ratio=ratio(tolerance, "--tolerance"),
        catalog=Catalog.load().with_overrides(*catalog) if catalog else None,
        calibration=loaded_calibration(calibration),
    )
    typer.echo(_shown(result, format, plan), nl=False)
    if output is not None:
        from advisor.report import write_text

        write_text(_shown(result, _ENDINGS[output.suffix.lower()], plan), output, force=force)
        typer.echo(f"Wrote {output}", err=True)
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def _changed(plan: Path, flags: Mapping[str, Any]) -> Requirements | None:
    """Return the requirements of the plan with those of the flags over them; `None` where no flag is given."""
    from advisor.requirements import Requirements
    from advisor.stored import load_plan

    values = requirement_values(flags)
    if not values:
        return None
    asked = load_plan(plan).inputs
    assert asked is not None  # noqa: S101 - `load_plan` refuses others
    return Requirements.load(asked.requirements).changed(Requirements.load(values))


def _shown(result: CheckResult, chosen: CheckFormat, plan: Path) -> str:
    from advisor.checking import sarif, words

    if chosen is CheckFormat.SARIF:
        return sarif.as_sarif(result, os.path.relpath(plan))
    if chosen is CheckFormat.JSON:
        return f"{result.model_dump_json(indent=2)}\n"
    written = {
        CheckFormat.TABLE: words.as_table,
        CheckFormat.MARKDOWN: words.as_markdown,
        CheckFormat.JUNIT: words.as_junit,
    }
    return written[chosen](result)
