"""`advisor predict`: rows of a CSV file with predictions and intervals beside them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.application import app
from advisor.cli.calibrating import CalibrationFile, loaded_calibration

if TYPE_CHECKING:
    from advisor.prediction.files import Count

_SHOWN_REASONS = 3


@app.command()
def predict(
    points: Annotated[Path, typer.Argument(help="CSV whose columns say what to predict.")],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="CSV to write; the terminal if not given.")
    ] = None,
    calibration: CalibrationFile = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")] = False,
) -> None:
    """Predict latency, throughput or accuracy for rows of a CSV file.

    Rows are recognised by their columns: isl_tokens, osl_tokens and concurrency give ttft_ms, tpot_ms and throughput_tokens_per_s;
    a rate such as requests_per_s gives mean and percentiles of latency; device and batch_size give throughput_images_per_s
    and step_time_ms (of an encoder's texts, with sequence_length); concurrency and instance_count, of a server that batches, give latency_p99_ms;
    strategy and variant give accuracy_recovery_pct. About 80 % of measurements lie between _p10 and _p90.

    Example: advisor predict points.csv -o predictions.csv
    """
    from advisor.prediction.files import predict_file, write_predictions

    own = loaded_calibration(calibration)
    if output is None:
        count = write_predictions(points, sys.stdout, calibration=own)
    else:
        count = predict_file(points, output, force=force, calibration=own)
    typer.echo(_summary(count, output), err=True)


def _summary(count: Count, output: Path | None) -> str:
    where = f"Wrote {output}: " if output else ""
    lines = [f"{where}{count.predicted:,} of {count.rows:,} rows predicted."]
    lines += [f"  {rows:,} not: {reason}" for reason, rows in count.reasons[:_SHOWN_REASONS]]
    if len(count.reasons) > _SHOWN_REASONS:
        lines.append("  others: see the column `reason`")
    return "\n".join(lines)
