"""`advisor explain`, `frontier`, `what-if` and `compare`: why this plan, and what else it could have been."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli.application import Example, app, say_example, workload_source
from advisor.cli.flags import limit_values, requirement_values, with_requirement_flags
from advisor.cli.output import check_output, is_coloured, terminal_width, with_progress
from advisor.cli.recommending import validated

if TYPE_CHECKING:
    from advisor.insight.outcomes import Answer
    from advisor.scenario import Scenario


class AnswerFormat(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


_ENDINGS = {".txt": AnswerFormat.TABLE, ".md": AnswerFormat.MARKDOWN, ".json": AnswerFormat.JSON}
_PAGES = (".html", ".htm")

Workloads = Annotated[
    list[Path] | None,
    typer.Argument(help="Workload as YAML or JSON; ./advisor.yaml if there is one, else the example."),
]
BuiltIn = Annotated[Example | None, typer.Option("--example", help="Use a built-in workload.")]
Printed = Annotated[AnswerFormat, typer.Option("--format", help="What to print.")]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="Write it too: .txt, .md or .json by its name.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")]
Catalogs = Annotated[
    list[Path] | None,
    typer.Option("--catalog", help="CSV with your own machines or prices, over the built-in ones."),
]


@app.command()
@with_requirement_flags
def explain(
    workload: Workloads = None,
    *,
    example: BuiltIn = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Also what each limit costs, what may turn out differently, and how robust it is; about 5 s more.",
        ),
    ] = False,
    format: Printed = AnswerFormat.TABLE,  # noqa: A002 - the flag's name
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write it too: .txt, .md, .json or .html by its name."),
    ] = None,
    force: Force = False,
    catalog: Catalogs = None,
    **requirements: Any,
) -> None:
    """Explain a plan: why each change and not another, what saves how much, and the way there.

    Examples:
      advisor explain advisor.yaml --max-accuracy-loss 1%

      advisor explain advisor.yaml --max-accuracy-loss 1% --full --format markdown >> "$GITHUB_STEP_SUMMARY"
    """
    from advisor.questions import explain as explained

    source = workload_source(workload, example)
    _check(output, force, more=_PAGES)
    found = with_progress(lambda: explained(source, full=full, **_asked(requirements, catalog)))
    say_example(source, is_example=found.recommendation.example)
    _answer(found, format, output, force=force)
    if found.recommendation.plan is None:
        raise typer.Exit(3)


@app.command()
@with_requirement_flags
def frontier(
    workload: Workloads = None,
    *,
    example: BuiltIn = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            help="Limit to move: max-accuracy-loss, a latency such as ttft-p99, or confidence; all that are stated.",
        ),
    ] = None,
    values: Annotated[
        str | None,
        typer.Option("--values", help="Values of the one limit to move, such as 0.5%,1%,2% or 200ms,400ms."),
    ] = None,
    format: Printed = AnswerFormat.TABLE,  # noqa: A002 - the flag's name
    output: Output = None,
    force: Force = False,
    catalog: Catalogs = None,
    **requirements: Any,
) -> None:
    """Show what moving one limit costs: the cheapest plan at each value, the other limits held.

    Examples:
      advisor frontier --max-accuracy-loss 1%

      advisor frontier chat.yaml --max-accuracy-loss 1% --against ttft-p99 --values 200ms,400ms,800ms
    """
    from advisor.questions import frontier as along

    source = workload_source(workload, example)
    _check(output, force)
    listed = [text.strip() for text in (values or "").split(",") if text.strip()]
    found = with_progress(
        lambda: along(source, against=against or (), values=listed, **_asked(requirements, catalog))
    )
    say_example(source, is_example=_is_example(source))
    _answer(found, format, output, force=force)


@app.command("what-if")
@with_requirement_flags
def what_if(
    workload: Workloads = None,
    *,
    example: BuiltIn = None,
    traffic: Annotated[
        str | None, typer.Option("--traffic", help="Requests at all hours, such as x2 or +30%.")
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option("--price", help="Price of machines, such as h100=-30%, 'g6*=+10%' or '*=x1.2'."),
    ] = None,
    losses: Annotated[
        str | None, typer.Option("--losses", help="Accuracy that every change loses, such as x1.5.")
    ] = None,
    speed: Annotated[
        str | None,
        typer.Option("--speed", help="Speed of machines against the prediction, such as -20%."),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option("--limit", help="Another limit, such as max-accuracy-loss=2% or ttft-p99=500ms."),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option("--scenario", help="One more scenario in one text, such as 'traffic=x3, h100=-30%'."),
    ] = None,
    format: Printed = AnswerFormat.TABLE,  # noqa: A002 - the flag's name
    output: Output = None,
    force: Force = False,
    catalog: Catalogs = None,
    **requirements: Any,
) -> None:
    """Show what becomes of the plan if something turns out differently, and which plan would then be best.

    Each change is shown alone, and then all of them at once; each --scenario is one more line.

    Examples:
      advisor what-if advisor.yaml --max-accuracy-loss 1% --traffic x2 --price h100=-30%

      advisor what-if --max-accuracy-loss 1% --scenario 'traffic=x3' --scenario 'speed=-20%, max-accuracy-loss=2%'
    """
    from advisor.errors import InputError
    from advisor.questions import what_if as answered

    source = workload_source(workload, example)
    _check(output, force)
    values = {"traffic": traffic, "losses": losses, "speed": speed}
    scenarios = [
        *_together({**_factors(values), **_prices(price or ()), **_limits(limit or ())}),
        *(_scenario(text) for text in scenario or ()),
    ]
    if not scenarios:
        raise InputError("say what turns out differently, such as --traffic x2 or --price h100=-30%")
    found = with_progress(lambda: answered(source, scenarios=scenarios, **_asked(requirements, catalog)))
    say_example(source, is_example=_is_example(source))
    _answer(found, format, output, force=force)


@app.command()
def compare(
    first: Annotated[
        Path, typer.Argument(help="A stored plan: the file of `advisor recommend -o plan.json`.")
    ],
    second: Annotated[Path, typer.Argument(help="Another stored plan.")],
    *,
    format: Printed = AnswerFormat.TABLE,  # noqa: A002 - the flag's name
    output: Output = None,
    force: Force = False,
) -> None:
    """Compare two stored plans: what was asked, money, machines, choices and promises.

    Examples:
      advisor compare before.json after.json --format markdown
    """
    from advisor.questions import compare as compared

    _check(output, force)
    _answer(compared(first, second), format, output, force=force)


def _check(output: Path | None, force: bool, *, more: Iterable[str] = ()) -> None:
    if output is not None:
        check_output(output, (*_ENDINGS, *more), force=force)


def _asked(requirements: Mapping[str, Any], catalog: list[Path] | None) -> dict[str, Any]:
    from advisor.catalog import Catalog
    from advisor.requirements import Requirements

    return {
        "requirements": Requirements.load(requirement_values(requirements)),
        "catalog": Catalog.load().with_overrides(*catalog) if catalog else None,
    }


def _is_example(source: object) -> bool:
    from advisor.examples import is_example

    return isinstance(source, str) and is_example(source)


def _answer(found: Answer, format: AnswerFormat, output: Path | None, *, force: bool) -> None:  # noqa: A002
    typer.echo(_text(found, format, colour=is_coloured()), nl=False)
    if output is None:
        return
    from advisor import report
    from advisor.insight.outcomes import Explanation

    if isinstance(found, Explanation) and output.suffix.lower() in _PAGES:
        report.write_html(
            found.recommendation,
            output,
            force=force,
            insights=found.insights,
            validated=validated(found.recommendation),
        )
    else:
        report.write_text(_text(found, _ENDINGS[output.suffix.lower()]), output, force=force)
    typer.echo(f"Wrote {output}", err=True)


def _text(found: Answer, format: AnswerFormat, *, colour: bool = False) -> str:  # noqa: A002
    from advisor import report

    if format is AnswerFormat.JSON:
        return f"{found.model_dump_json(indent=2)}\n"
    if format is AnswerFormat.MARKDOWN:
        return report.render_answer_markdown(found)
    return report.render_answer(found, width=terminal_width(), colour=colour)


def _together(values: dict[str, Any]) -> list[Scenario]:
    """Return every change alone and all of them at once; none where nothing changes."""
    from advisor.scenario import Scenario

    if not values:
        return []
    whole = Scenario.load(values)
    alone = whole.each()
    return [*alone, whole.named()] if len(alone) > 1 else list(alone)


def _factors(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _prices(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    prices = dict(_pair(text, "--price", "h100=-30%") for text in texts)
    return {"prices": prices} if prices else {}


def _limits(texts: Iterable[str]) -> dict[str, Any]:
    limits = limit_values(_pair(text, "--limit", "ttft-p99=500ms") for text in texts)
    return {"limits": limits} if limits else {}


def _pair(text: str, flag: str, such_as: str) -> tuple[str, str]:
    from advisor.errors import InputError

    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise InputError(f"{flag}: got '{text}'; expected a name and a value, such as {such_as}")
    return name.strip(), value.strip()


def _scenario(text: str) -> Scenario:
    """Return a scenario from `traffic=x3, h100=-30%, ttft-p99=500ms`: what is neither a factor nor a limit is a machine."""
    from advisor.cli.flags import is_limit
    from advisor.scenario import Scenario

    values: dict[str, Any] = {}
    limits: list[tuple[str, str]] = []
    for part in (part for part in text.split(",") if part.strip()):
        name, value = _pair(part, "--scenario", "'traffic=x3, h100=-30%'")
        if name in {"traffic", "losses", "speed", "name"}:
            values[name] = value
        elif is_limit(name):
            limits.append((name, value))
        else:
            values.setdefault("prices", {})[name] = value
    if limits:
        values["limits"] = limit_values(limits)
    return Scenario.load(values).named()
