"""`advisor recommend`: the cheapest plan, printed or written as a report."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from advisor.cli.application import Example, app, say_example, workload_source
from advisor.cli.calibrating import CalibrationFile, loaded_calibration
from advisor.cli.executors import executor_named
from advisor.cli.flags import ratio, requirement_values, with_requirement_flags
from advisor.cli.output import check_output, is_coloured, terminal_width, with_told_progress

PROVEN_SERVICES = 50
LARGE_GAP = 1e-3


class Format(StrEnum):
    """How a recommendation is printed."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    YAML = "yaml"


@app.command()
@with_requirement_flags
def recommend(
    workload: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Workload as YAML or JSON; several for a fleet; ./advisor.yaml if there is one, else the example."
        ),
    ] = None,
    *,
    example: Annotated[Example | None, typer.Option("--example", help="Use a built-in workload.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write the report: .html, .md, .json or .yaml by its name."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")] = False,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Also why, what each limit costs, and how robust the plan is, in the table, Markdown and HTML; about 5 s more.",
        ),
    ] = False,
    format: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.TABLE,  # noqa: A002 - the flag's name
    mix: Annotated[
        bool,
        typer.Option(
            "--mix",
            help="Also look for two pools of machines for one service, each for requests of its sizes; some seconds more.",
        ),
    ] = False,
    catalog: Annotated[
        list[Path] | None,
        typer.Option("--catalog", help="CSV with your own machines or prices, over the built-in ones."),
    ] = None,
    current: Annotated[
        Path | None,
        typer.Option(
            "--current",
            help="Plan in service, written with -o plan.json: a change must pay the switch from there.",
            rich_help_panel="Plan in service",
        ),
    ] = None,
    tolerance: Annotated[
        str,
        typer.Option(
            "--tolerance",
            help="With --current: saving that is not worth a change, as a share of the running cost.",
            rich_help_panel="Plan in service",
        ),
    ] = "2%",
    sure: Annotated[
        str,
        typer.Option(
            "--sure",
            help="With --current: probability with which the saving must be real; 50% is on average.",
            rich_help_panel="Plan in service",
        ),
    ] = "90%",
    months_left: Annotated[
        float,
        typer.Option(
            "--months-left",
            help="With --current: months that remain to be paid of what it reserved.",
            rich_help_panel="Plan in service",
        ),
    ] = 0.0,
    calibration: CalibrationFile = None,
    solver: Annotated[
        str, typer.Option("--solver", help="Solver of the program: highs, cbc, ...", rich_help_panel="Solver")
    ] = "highs",
    time_limit: Annotated[
        float | None,
        typer.Option("--time-limit", help="Seconds the solver may take.", rich_help_panel="Solver", min=0.01),
    ] = None,
    gap: Annotated[
        float | None,
        typer.Option(
            "--gap",
            help="Gap at which it may stop; 0 proves the optimum. 0 up to 50 services, then 0.001.",
            rich_help_panel="Solver",
            min=0.0,
            max=1.0,
        ),
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(
            "--executor",
            help="Who evaluates a fleet: serial, threads, processes, a number of them, or tcp://scheduler:8786 (Dask).",
            rich_help_panel="Solver",
        ),
    ] = None,
    **requirements: Any,
) -> None:
    """Recommend the cheapest way to serve a workload.

    Examples:
      advisor recommend --max-accuracy-loss 1%

      advisor recommend chat.yaml --max-accuracy-loss 1% --ttft-p99 800ms --tpot-p99 40ms -o report.html
    """
    from datetime import date

    from advisor.catalog import Catalog
    from advisor.requirements import Requirements

    source = workload_source(workload, example)
    if output is not None:
        check_output(output, _WRITERS, force=force)
    page = output is not None and _WRITERS[output.suffix.lower()] == "html"
    with executor_named(executor or ("serial" if source in tuple(Example) else "processes")) as workers:
        result, insights = with_told_progress(
            lambda progress, observer: _answered(
                source,
                Requirements.load(requirement_values(requirements)),
                explained=full or page,
                full=full,
                current=_current(current, tolerance, sure, months_left),
                catalog=Catalog.load().with_overrides(*catalog) if catalog else None,
                calibration=loaded_calibration(calibration),
                solver=_settings(solver, time_limit, _gap(gap, source), observer),
                progress=progress,
                executor=workers,
                today_date=date.today().isoformat(),
                mix=2 if mix else 1,
            )
        )
    if format is not Format.TABLE:
        say_example(source, is_example=result.example)
    typer.echo(_printed(result, format, insights if full else None), nl=False)
    if output is not None:
        _write(result, output, force=force, insights=insights)
    if result.plan is None:
        raise typer.Exit(3)


def _gap(given: float | None, source: str | list[str]) -> float:
    """Return the relative gap: what was asked for, else 0 up to as many services as are quickly proven."""
    if given is not None:
        return given
    from advisor.documents import read_document
    from advisor.fleet import is_fleet

    files = source if isinstance(source, list) else [source]
    entries = [read_document(file).data["services"] if is_fleet(file) else [file] for file in files]
    count = sum(len(one) for one in entries if isinstance(one, list))
    return LARGE_GAP if count > PROVEN_SERVICES else 0.0


def _current(plan: Path | None, tolerance: str, sure: str, months_left: float) -> Any:
    if plan is None:
        return None
    from advisor.switching import Current

    return Current(plan, ratio(tolerance, "--tolerance"), ratio(sure, "--sure"), months_left)


def _answered(
    source: Any, requirements: Any, *, explained: bool, full: bool, **named: Any
) -> tuple[Any, Any]:
    """Return the recommendation, and its insights where they are shown."""
    if not explained:
        from advisor.api import recommend as recommended

        return recommended(source, requirements, **named), None
    from advisor.questions import explain

    found = explain(source, requirements, full=full, **named)
    return found.recommendation, found.insights


def _settings(name: str, time_limit_s: float | None, gap_ratio: float, observer: Any) -> Any:
    from advisor.errors import InputError
    from advisor.solver import SolverSettings, SolverUnavailable

    try:
        return SolverSettings(name=name, time_limit_s=time_limit_s, gap_ratio=gap_ratio, observer=observer)
    except SolverUnavailable as error:
        raise InputError(f"--solver: {error}") from error


def _printed(result: Any, format: Format, insights: Any = None) -> str:  # noqa: A002 - the flag's name
    if format is Format.JSON:
        return f"{result.model_dump_json(indent=2)}\n"
    from advisor import report

    if format is Format.YAML:
        return report.render_yaml(result)
    if format is Format.MARKDOWN:
        return report.render_markdown(result, insights)
    return report.render_terminal(result, insights, width=terminal_width(most=100), colour=is_coloured())


_WRITERS = {
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
}


def _write(result: Any, path: Path, *, force: bool, insights: Any = None) -> None:
    from advisor import report

    kind = _WRITERS[path.suffix.lower()]
    if kind == "html":
        report.write_html(result, path, force=force, insights=insights, validated=validated(result))
    else:
        report.write_text(_printed(result, Format(kind), insights), path, force=force)
    typer.echo(f"Wrote {path}", err=True)


def validated(result: Any) -> tuple[str, ...]:
    """Return how far predictions of the kinds behind a plan were from measurements, a sentence each."""
    if result.plan is None:
        return ()
    from advisor.validation import sentence

    speed = {"million tokens": ["load"], "thousand inferences": ["cnn"]}.get(result.plan.unit, [])
    fitted = any(service.accuracy_loss.basis == "fitted" for service in result.plan.services)
    return tuple(sentence(kind) for kind in (*speed, *(["accuracy"] if fitted else [])))
