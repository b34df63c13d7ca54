"""`advisor catalog`: the machines and prices to choose from, and price files of other tools made into such a table."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.application import app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from advisor.catalog import Catalog, InstanceType
    from advisor.catalog.importers import Imported


class Format(StrEnum):
    """How machines are printed."""

    TABLE = "table"
    CSV = "csv"


class Form(StrEnum):
    """Price files of other tools, and bills, that can be read."""

    GPUHUNT = "gpuhunt"
    SKYPILOT = "skypilot"
    AZURE = "azure"
    FOCUS = "focus"


class Commitment(StrEnum):
    """What hours under a commitment count as."""

    ONE_YEAR = "reserved-1y"
    THREE_YEARS = "reserved-3y"


Providers = Annotated[list[str] | None, typer.Option("--provider", help="Such as aws.")]
Regions = Annotated[list[str] | None, typer.Option("--region", help="Such as us-east-1.")]
Instances = Annotated[
    list[str] | None, typer.Option("--instance", help="Name or accelerator, such as 'g6*' or 'l4'.")
]
Prices = Annotated[
    list[Path] | None,
    typer.Option("--catalog", help="CSV with your own machines or prices, over the built-in ones."),
]
Printed = Annotated[Format, typer.Option("--format", help="What to print.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")]


catalog = typer.Typer(invoke_without_command=True)
app.add_typer(catalog, name="catalog")


@catalog.callback()
def show(
    context: typer.Context,
    *,
    provider: Providers = None,
    region: Regions = None,
    instance: Instances = None,
    prices: Prices = None,
    format: Printed = Format.TABLE,  # noqa: A002 - the flag's name
) -> None:
    """Print the machines to choose from, with their prices by the hour.

    `list` does the same.

    Examples:
      advisor catalog --provider aws --instance '*h100*'

      advisor catalog --instance 'g6*' --format csv > prices.csv
    """
    if context.invoked_subcommand is None:
        list_(provider=provider, region=region, instance=instance, prices=prices, format=format)


@catalog.command(name="list")
def list_(
    *,
    provider: Providers = None,
    region: Regions = None,
    instance: Instances = None,
    prices: Prices = None,
    format: Printed = Format.TABLE,  # noqa: A002 - the flag's name
) -> None:
    """Print the machines to choose from, with their prices by the hour."""
    from advisor.catalog import Catalog

    known = Catalog.load().with_overrides(*prices or ())
    machines = known.select(provider or (), region or (), instance or ())
    typer.echo(_csv(known, machines) if format is Format.CSV else _table(known, machines), nl=False)
    if not machines:
        typer.echo("No machine passes these filters.", err=True)


@catalog.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="A price file of another tool, or a bill.")],
    *,
    form: Annotated[Form, typer.Option("--form", help="Whose file it is.")],
    provider: Annotated[
        str | None,
        typer.Option("--provider", help="Whose prices they are, such as aws; azure and focus say it."),
    ] = None,
    date: Annotated[
        str | None, typer.Option("--date", help="Day of the prices, such as 2026-11-20; focus says it.")
    ] = None,
    region: Annotated[
        list[str] | None, typer.Option("--region", help="Region to keep; all if not given.")
    ] = None,
    commitment: Annotated[
        Commitment | None,
        typer.Option(
            "--commitment", help="Of focus: what hours under a commitment count as; left out if not given."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV to write; printed if not given.")
    ] = None,
    force: Force = False,
) -> None:
    """Turn a price file of another tool, or the prices that a bill says you paid, into a file that --catalog takes.

    Examples:
      advisor catalog import vms.csv --form skypilot --provider aws --date 2026-11-20 -o prices.csv

      advisor catalog import export.parquet --form focus -o negotiated.csv
    """
    from advisor.catalog import Catalog
    from advisor.catalog.importers import imported

    known, regions = Catalog.load(), region or ()
    if form is Form.FOCUS:
        from advisor.billing import read_focus
        from advisor.billing.negotiated import negotiated

        bill = read_focus(file)
        term = commitment.value if commitment else ""
        found = negotiated(bill, known, committed_as=term, regions=regions)
        for note in bill.notes:
            typer.echo(note, err=True)
    else:
        owner = _owner(form, provider)
        found = imported(file, form.value, date=_day(date), provider=owner, catalog=known, regions=regions)
    _give([found], output, force=force)


@catalog.command()
def refresh(
    provider: Annotated[
        list[str] | None,
        typer.Option("--provider", help="Such as aws; aws, azure, gcp, oci and runpod if not given."),
    ] = None,
    *,
    region: Annotated[
        list[str] | None, typer.Option("--region", help="Region to keep; all if not given.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV to write; prices-DATE.csv if not given.")
    ] = None,
    force: Force = False,
) -> None:
    """Fetch today's prices over the network (with gpuhunt, an extra) into a dated file that --catalog takes.

    Example:
      advisor catalog refresh --provider aws --region us-east-1 -o prices.csv
    """
    from datetime import date

    from advisor.catalog import Catalog
    from advisor.catalog.refreshing import PROVIDERS, loaded, origin, refreshed
    from advisor.errors import FileExists

    today = date.today().isoformat()
    target = output or Path(f"prices-{today}.csv")
    if target.exists() and not force:
        raise FileExists.at(target)
    typer.echo(f"Fetching prices from {origin()} ...", err=True)
    hunt, known = loaded(), Catalog.load()
    found = [
        refreshed(name, date=today, catalog=known, regions=region or (), hunt=hunt)
        for name in provider or PROVIDERS
    ]
    _give(found, target, force=force)


def _owner(form: Form, provider: str | None) -> str:
    from advisor.errors import InputError

    if form is Form.AZURE and provider in {None, "azure"}:
        return "azure"
    if provider is None or form is Form.AZURE:
        raise InputError(
            f"--provider: a {form.value} file has prices of {'azure' if form is Form.AZURE else 'one provider; say which, such as aws'}"
        )
    return provider


def _give(found: Sequence[Imported], output: Path | None, *, force: bool) -> None:
    """Print or write imported prices, and say on stderr what was left out."""
    from advisor.catalog.importers import joined

    together = joined(found)
    if output is None:
        typer.echo(together.text(), nl=False)
    else:
        from advisor.report import write_text

        write_text(together.text(), output, force=force)
    where = f"Wrote {output}: " if output else ""
    count = len(together.lines)
    lines = [f"{where}{count:,} machine{'' if count == 1 else 's'}."]
    lines += [f"  {many:,} left out: {reason}" for reason, many in sorted(together.skipped.items())]
    typer.echo("\n".join(lines), err=True)


def _day(text: str | None) -> str:
    from datetime import date

    from advisor.errors import InputError

    if text is None:
        raise InputError(
            "--date: the file does not hold the day of its prices; say it, such as --date 2026-11-20"
        )

    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise InputError(f"--date: got '{text}'; expected a day such as 2026-11-20") from None


def _csv(known: Catalog, machines: Sequence[InstanceType]) -> str:
    """Return the machines' rows in the columns that `--catalog` takes."""
    import csv
    from io import StringIO

    from advisor.catalog.tables import embedded_columns

    ids = {machine.id for machine in machines}
    target = StringIO()
    writer = csv.DictWriter(
        target, embedded_columns("instances"), restval="", extrasaction="ignore", lineterminator="\n"
    )
    writer.writeheader()
    for row in known.tables["instances"]:
        if f"{row.text('provider')}/{row.text('region')}/{row.text('name')}" in ids:
            writer.writerow(row.values)
    return target.getvalue()


def _table(known: Catalog, machines: Sequence[InstanceType]) -> str:
    """Return one line for each machine; prices in USD an hour, `~` before estimates, `!` after stale ones."""
    from datetime import date

    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from advisor.catalog import PURCHASES, STALE_DAYS
    from advisor.cli.output import terminal_text

    if not machines:
        return ""
    stale = {(machine.id, purchase) for machine, purchase, _ in known.stale_prices(date.today().isoformat())}
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("Machine", no_wrap=True)
    table.add_column("Chips", overflow="fold")
    for purchase in PURCHASES:
        table.add_column(purchase, justify="right", no_wrap=True)
    marks = set()
    for machine in sorted(machines, key=lambda m: (m.provider, m.region, m.name)):
        cells = []
        for purchase in PURCHASES:
            price = machine.prices.get(purchase)
            estimate = "~" if price is not None and price.kind == "estimate" else ""
            old = "!" if (machine.id, purchase) in stale else ""
            marks |= {estimate, old}
            cells.append("" if price is None else f"{estimate}{price.usd_per_h:,.4g}{old}")
        chips = f"{machine.accelerator_count} × {machine.accelerator.name}"
        chips = f"{machine.vcpus} vCPU, {machine.accelerator.name}" if machine.is_cpu_only else chips
        table.add_row(f"{machine.name}\n  {machine.provider} {machine.region}", chips, *cells)
    notes = [
        f"{len(machines):,} machine{'' if len(machines) == 1 else 's'}; USD an hour for the whole machine."
    ]
    if "~" in marks:
        notes.append("~ estimated from the on-demand price and the provider's average discount.")
    if "!" in marks:
        notes.append(f"! undated or older than {STALE_DAYS} days: give your own with --catalog.")
    return terminal_text([table, "", *notes])
