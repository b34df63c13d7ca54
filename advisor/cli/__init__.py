"""The command line: results on stdout, messages on stderr, one exit code for each kind of answer.

Exit codes: 0 a recommendation, 2 wrong usage or input, 3 nothing meets the requirements, 1 a fault of advisor,
130 interrupted before there was an answer.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from advisor.cli import (  # each adds its commands to the application
    asking,
    auditing,
    billing,
    calibrating,
    catalog,
    checking,
    doctor,
    evidence,
    exporting,
    observing,
    predicting,
    recommending,
    serving,
    starting,
    strategies,
    traffic,
    validating,
)
from advisor.cli.application import app

__all__ = [
    "app",
    "asking",
    "auditing",
    "billing",
    "calibrating",
    "catalog",
    "checking",
    "doctor",
    "evidence",
    "exporting",
    "main",
    "observing",
    "predicting",
    "recommending",
    "serving",
    "starting",
    "strategies",
    "traffic",
    "validating",
]


def main() -> None:
    """Run the command line; an error of the input ends in a message and exit code 2, never in a traceback."""
    from advisor.errors import AdvisorError

    try:
        app(standalone_mode=True)
    except AdvisorError as error:
        print(f"advisor: {error}", file=sys.stderr)  # noqa: T201 - the message is for the person at the terminal
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        where = f": '{str(error.filename)[:200]}'" if error.filename else ""
        print(f"advisor: {error.strerror or error}{where}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except Exception as error:
        if os.environ.get("ADVISOR_TRACEBACK"):
            raise
        print(  # noqa: T201
            f"advisor: internal error, {type(error).__name__}: {error}. Please report it with the output of the same "
            "command under ADVISOR_TRACEBACK=1",
            file=sys.stderr,
        )
        sys.exit(1)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    if version:
        from advisor import __version__

        typer.echo(f"advisor {__version__}")
        raise typer.Exit
