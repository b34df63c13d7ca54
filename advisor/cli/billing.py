"""`advisor bill`: what a model costs from end to end, and a provider's bill beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli.application import Example, app, workload_source
from advisor.cli.flags import requirement_values, with_requirement_flags
from advisor.cli.output import check_output, is_coloured, terminal_width
from advisor.cli.recommending import Format

if TYPE_CHECKING:
    from advisor.billing import FocusBill
    from advisor.billing.results import WholeBill

_ENDINGS = {
    ".html": None,
    ".htm": None,
    ".md": Format.MARKDOWN,
    ".json": Format.JSON,
    ".yaml": Format.YAML,
    ".yml": Format.YAML,
}
_BILL = "Your own bill"


@app.command()
@with_requirement_flags
def bill(
    workload: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Workload, several for a fleet, or a stored plan (plan.json); ./advisor.yaml if there is one, else the example."
        ),
    ] = None,
    *,
    example: Annotated[Example | None, typer.Option("--example", help="Use a built-in workload.")] = None,
    focus: Annotated[
        Path | None,
        typer.Option(
            "--focus",
            help="FOCUS 1.x export to show beside it: .csv, .csv.gz or .parquet.",
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
            help="Charges of this resource only, by id or name; '*' stands for anything.",
            rich_help_panel=_BILL,
        ),
    ] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option(
            "--rate",
            help="US dollars for one unit of another currency, such as EUR=1.08.",
            rich_help_panel=_BILL,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write it too: .html, .md, .json or .yaml by its name."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")] = False,
    format: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.TABLE,  # noqa: A002 - the flag's name
    catalog: Annotated[
        list[Path] | None,
        typer.Option("--catalog", help="CSV with your own machines or prices, over the built-in ones."),
    ] = None,
    **requirements: Any,
) -> None:
    """Show what a model costs from end to end: training, serving, data, network, electricity; with sources and next levers.

    What a workload says in `lifecycle` is priced; what it does not say is derived or left out, and the bill says so.

    Examples:
      advisor bill advisor.yaml --max-accuracy-loss 1%

      advisor bill plan.json --focus export.csv --tag app=chat -o bill.html
    """
    from datetime import date

    from advisor.catalog import Catalog
    from advisor.requirements import Requirements
    from advisor.whole_bill import bill as whole

    if output is not None:
        check_output(output, _ENDINGS, force=force)
    machines = Catalog.load().with_overrides(*catalog) if catalog else None
    found = whole(
        workload_source(workload, example),
        Requirements.load(requirement_values(requirements)),
        focus=_export(focus, tag or [], resource or [], rate or []),
        catalog=machines,
        today_date=date.today().isoformat(),
    )
    typer.echo(_printed(found, format), nl=False)
    if output is not None:
        _write(found, output, force=force)


def _export(path: Path | None, tags: list[str], resources: list[str], rates: list[str]) -> FocusBill | None:
    from advisor.billing import read_focus
    from advisor.errors import InputError

    if path is None:
        if tags or resources or rates:
            raise InputError("--tag, --resource and --rate choose from an export; give --focus, too")
        return None
    return read_focus(
        path,
        tags=dict(_pair(text, "--tag", "app=chat") for text in tags),
        resources=resources,
        usd_per={
            code.upper(): _number(value, text)
            for text in rates
            for code, value in [_pair(text, "--rate", "EUR=1.08")]
        },
    )


def _pair(text: str, flag: str, example: str) -> tuple[str, str]:
    from advisor.errors import InputError

    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise InputError(f"{flag}: got '{text}'; expected a name and a value, such as {example}")
    return name.strip(), value.strip()


def _number(value: str, text: str) -> float:
    from math import isfinite

    from advisor.errors import InputError

    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not isfinite(number) or number <= 0.0:
        raise InputError(f"--rate: got '{text}'; expected US dollars for one unit, such as EUR=1.08")
    return number


def _printed(found: WholeBill, chosen: Format) -> str:
    from advisor.report.bill_pages import render_bill, render_bill_markdown

    if chosen is Format.JSON:
        return f"{found.model_dump_json(indent=2)}\n"
    if chosen is Format.YAML:
        from advisor.report import render_yaml

        return render_yaml(found)
    if chosen is Format.MARKDOWN:
        return render_bill_markdown(found)
    return render_bill(found, width=terminal_width(110), colour=is_coloured())


def _write(found: WholeBill, path: Path, *, force: bool) -> None:
    from advisor.report import write_text
    from advisor.report.bill_pages import render_bill_html

    chosen = _ENDINGS[path.suffix.lower()]
    write_text(render_bill_html(found) if chosen is None else _printed(found, chosen), path, force=force)
    typer.echo(f"Wrote {path}", err=True)
