"""`advisor evidence`: the published records behind the numbers, and what to doubt about them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.application import app

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from advisor.evidence import Evidence
    from advisor.evidence_check import Finding

OUT_OF_RANGE_EXIT = 2
_FINDINGS = ("contradictory", "out-of-range", "stale")
_SHOWN = 12
"""Findings of a kind that are printed one by one."""


class Format(StrEnum):
    """How records are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


evidence = typer.Typer(invoke_without_command=True)
app.add_typer(evidence, name="evidence")


@evidence.callback()
def show(
    context: typer.Context,
    *,
    strategy: Annotated[str | None, typer.Option("--strategy", help="Such as quantization.")] = None,
    variant: Annotated[str | None, typer.Option("--variant", help="Part of its label, such as fp8.")] = None,
    family: Annotated[
        str | None, typer.Option("--family", help="cnn, encoder, decoder or diffusion.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="Part of its name, such as llama-3.1.")] = None,
    task: Annotated[str | None, typer.Option("--task", help="Class of task, such as knowledge.")] = None,
    min_params: Annotated[
        str | None, typer.Option("--min-params", help="Smallest model, such as 7B.")
    ] = None,
    max_params: Annotated[
        str | None, typer.Option("--max-params", help="Largest model, such as 80B.")
    ] = None,
    ids: Annotated[list[str] | None, typer.Option("--id", help="A record in full, such as QU-0400.")] = None,
    format: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.TABLE,  # noqa: A002 - the flag's name
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Your own records, CSV or YAML, instead of the built-in ones."),
    ] = None,
) -> None:
    """Print published records: what was measured, on which model, and where it says so.

    Examples:
      advisor evidence --variant fp8 --family decoder --min-params 30B

      advisor evidence --id QU-0400

      advisor evidence check my-records.csv
    """
    if context.invoked_subcommand is not None:
        return
    from advisor.evidence import evidence as by_id
    from advisor.evidence import load, select

    records = load(file)
    _check_names(records, strategy=strategy, family=family, task=task)
    records = by_id(*ids, records=records) if ids else records
    found = select(
        records,
        strategy=strategy,
        variant=variant,
        family=family,
        model=model,
        task=task,
        min_parameters=_count(min_params, "--min-params"),
        max_parameters=_count(max_params, "--max-params"),
    )
    if format is Format.TABLE:
        _print([_details(record) for record in found] if ids else [_table(found)])
    else:
        typer.echo(_as_json(found) if format is Format.JSON else _as_csv(found), nl=False)
    if not found:
        typer.echo("No record passes these filters.", err=True)


@evidence.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="Your own records, CSV or YAML; the built-in ones if not given.")
    ] = None,
) -> None:
    """Name records that are stale, contradict each other, or lie outside what is sensible.

    Exits with 2 where a record of your own lies outside what is sensible.
    """
    from datetime import date

    from advisor.evidence import load
    from advisor.evidence_check import check as checked

    records = load(file)
    findings = checked(records, today=date.today())
    _print(_findings(findings, len(records), whole=file is not None))
    if file is not None and any(finding.kind == "out-of-range" for finding in findings):
        raise typer.Exit(OUT_OF_RANGE_EXIT)


def _check_names(records: Sequence[Evidence], **given: str | None) -> None:
    """Refuse a strategy, family or task that no record has, with the nearest that one does."""
    from advisor.errors import UnknownName

    for name, value in given.items():
        known = {getattr(record, name) for record in records} - {""}
        if value is not None and value not in known:
            raise UnknownName.among(name, value, known, "is in the evidence")


def _count(text: str | None, flag: str) -> float | None:
    from advisor.errors import InputError
    from advisor.units import COUNT

    if text is None:
        return None
    try:
        return float(COUNT.read(text))
    except InputError as error:
        raise InputError(f"{flag}: {error}") from None


def _print(parts: Iterable[RenderableType]) -> None:
    from advisor.cli.output import terminal_text

    typer.echo(terminal_text(parts), nl=False)


def _table(records: Sequence[Evidence]) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("Record", no_wrap=True)
    table.add_column("What was done, to which model", overflow="fold", ratio=5)
    table.add_column("Measured", overflow="fold", ratio=4)
    table.add_column("Source", overflow="fold", ratio=4)
    for record in records:
        table.add_row(
            Text(record.id, style="cyan"),
            Text(f"{record.variant}\n{record.model or record.family or record.strategy}"),
            Text(_measured(record)),
            Text(f"{record.source_title}, {record.source_year} [{record.grade}]"),
        )
    counted = (
        f"{len(records):,} record{'' if len(records) == 1 else 's'}. One in full: advisor evidence --id ID"
    )
    return Group(table, Text(f"\n{counted}", style="dim")) if records else Text("")


def _measured(record: Evidence) -> str:
    """Return what a record measured in a few words; ratios are after over before."""
    where = record.benchmark or record.metric
    quality = [] if record.recovery_percent is None else [f"keeps {record.recovery_percent:.1f} % of {where}"]
    ratios = [
        f"{name} x {value:.2f}"
        for name, value in (
            ("throughput", record.throughput_ratio),
            ("latency", record.latency_ratio),
            ("memory", record.memory_ratio),
            ("arithmetic", record.compute_ratio),
            ("cost", record.cost_ratio),
        )
        if value is not None
    ]
    load = [f"({record.load})"] if record.load and ratios else []
    return ", ".join((*quality, *ratios)) + (" " if load else "") + "".join(load) or where


def _details(record: Evidence) -> RenderableType:
    from dataclasses import fields

    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for item in fields(record):
        value = getattr(record, item.name)
        if item.name != "id" and value not in (None, "", (), False):
            text = _value(item.name, value)
            table.add_row(Text(item.name, style="dim"), Text(text))
    return Group(Text(record.id, style="bold cyan"), table, Text(""))


def _value(name: str, value: object) -> str:
    from advisor.units import format_count

    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if name == "parameters" and isinstance(value, float):
        return format_count(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _rows(records: Sequence[Evidence]) -> list[dict[str, object]]:
    from dataclasses import asdict

    return [asdict(record) for record in records]


def _as_json(records: Sequence[Evidence]) -> str:
    import json

    return json.dumps(_rows(records), indent=2, ensure_ascii=False) + "\n"


def _as_csv(records: Sequence[Evidence]) -> str:
    """Return the records in the shape that `--file` reads."""
    import csv
    from dataclasses import fields
    from io import StringIO

    from advisor.evidence import Evidence

    target = StringIO()
    writer = csv.DictWriter(target, [item.name for item in fields(Evidence)], lineterminator="\n")
    writer.writeheader()
    for row in _rows(records):
        writer.writerow(
            {name: ";".join(value) if isinstance(value, tuple) else value for name, value in row.items()}
        )
    return target.getvalue()


def _findings(findings: Sequence[Finding], records: int, *, whole: bool) -> Iterable[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    for kind in _FINDINGS:
        mine = [finding for finding in findings if finding.kind == kind]
        if not mine:
            continue
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        shown = mine if whole else mine[:_SHOWN]
        for finding in shown:
            table.add_row(Text(finding.id, style="cyan"), Text(finding.message))
        if len(shown) < len(mine):
            table.add_row(Text(""), Text(f"and {len(mine) - len(shown):,} more", style="dim"))
        yield Text(f"{kind} ({len(mine):,})", style="bold")
        yield table
        yield Text("")
    doubtful = len({finding.id for finding in findings})
    counted = f"{records:,} record{'' if records == 1 else 's'}"
    yield Text(f"{counted}, {doubtful:,} of them to doubt." if findings else f"{counted}, none to doubt.")
