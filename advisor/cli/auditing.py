"""`advisor audit`: what a stored plan predicted for last period, and what happened."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.application import app
from advisor.cli.calibrating import CalibrationFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from advisor.auditing import Audit
    from advisor.billing import FocusBill

_BILL = "What was paid"


class AuditFormat(StrEnum):
    """How an audit is shown."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


@app.command()
def audit(
    plan: Annotated[
        Path, typer.Argument(help="Stored plan: the file of `advisor recommend ... -o plan.json`.")
    ],
    *,
    trace: Annotated[
        Path, typer.Option("--trace", help="Requests of the period, in any format of `advisor traffic`.")
    ],
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="Keep rows of the trace with this value, such as service=code."),
    ] = None,
    measured: Annotated[
        Path | None,
        typer.Option(
            "--measured",
            help="Latencies of the period: a page of /metrics, benchmark results, or YAML with `latencies: {ttft_p99: 900ms}`.",
        ),
    ] = None,
    bill: Annotated[
        Path | None,
        typer.Option(
            "--bill",
            help="FOCUS export (.csv, .csv.gz, .parquet) or OpenCost allocations (.json).",
            rich_help_panel=_BILL,
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", help="Charges with this tag only, such as app=chat.", rich_help_panel=_BILL),
    ] = None,
    resource: Annotated[
        list[str] | None,
        typer.Option(
            "--resource",
            help="Charges of this resource, or this OpenCost allocation, only; '*' stands for anything.",
            rich_help_panel=_BILL,
        ),
    ] = None,
    service: Annotated[
        str, typer.Option("--service", help="Which service of the plan, where it has several.")
    ] = "",
    catalog: Annotated[
        list[Path] | None, typer.Option("--catalog", help="CSV with your own machines or prices.")
    ] = None,
    calibration: CalibrationFile = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Ledger (.jsonl) to add the audit to; it is made where it is missing."
        ),
    ] = None,
    format: Annotated[AuditFormat, typer.Option("--format", help="What to print.")] = AuditFormat.TABLE,  # noqa: A002 - the flag's name
) -> None:
    """Compare what a plan predicted with what happened: traffic, cost and latency of a period, with the error of each.

    The plan's choices are evaluated again under the traffic that came. The ledger grows by a line with each audit and says how
    far predictions were off together; advisor calibrate takes it.

    Examples:
      advisor audit plan.json --trace october.csv --bill focus.csv --measured metrics.txt -o ledger.jsonl

      advisor calibrate ledger.jsonl -o calibration.yaml
    """
    from advisor.auditing import add_to_ledger
    from advisor.auditing import audit as audited
    from advisor.catalog import Catalog

    _check_ledger(output)
    found = audited(
        plan,
        trace,
        service=service,
        where=_pairs(where, "--where"),
        bill=None if bill is None else _bill(bill, _pairs(tag, "--tag"), tuple(resource or ())),
        bill_file=bill,
        measured=measured,
        catalog=Catalog.load().with_overrides(*catalog) if catalog else None,
        calibration=calibration,
    )
    audits, added = ([found], False) if output is None else add_to_ledger(found, output)
    typer.echo(_shown(found, audits if output else (), format), nl=False)
    if output is not None:
        said = f"Added to {output}" if added else f"{output} has this audit already"
        typer.echo(f"{said}: {len(audits)} audit{'s' if len(audits) > 1 else ''}", err=True)


def _check_ledger(path: Path | None) -> None:
    from advisor.errors import InputError

    if path is not None and path.suffix.lower() != ".jsonl":
        raise InputError(f"-o {path}: got the ending '{path.suffix}'; a ledger ends in .jsonl")


def _pairs(texts: list[str] | None, flag: str) -> dict[str, str]:
    from advisor.errors import InputError

    pairs = [text.partition("=") for text in texts or ()]
    for name, sign, _ in pairs:
        if not name or not sign:
            raise InputError(f"{flag}: got '{name}'; expected a name and a value, such as app=chat")
    return {name: value for name, _, value in pairs}


def _bill(path: Path, tags: dict[str, str], resources: tuple[str, ...]) -> FocusBill:
    from advisor.billing import read_focus
    from advisor.billing.opencost import is_opencost, read_opencost
    from advisor.errors import InputError

    if not is_opencost(path):
        return read_focus(path, tags=tags, resources=resources)
    if tags:
        raise InputError("--tag: OpenCost allocations carry no tags here; name them with --resource")
    return read_opencost(path, allocations=resources)


def _shown(found: Audit, audits: Sequence[Audit], chosen: AuditFormat) -> str:
    from advisor.auditing import bias, words

    if chosen is AuditFormat.JSON:
        return f"{found.model_dump_json(indent=2)}\n"
    written = words.as_table if chosen is AuditFormat.TABLE else words.as_markdown
    return written(found, bias(audits), len(audits))
