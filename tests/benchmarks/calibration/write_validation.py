"""Write `advisor/data/validation_silicon.csv`: the measured rows that may ship, cleaned as for the decoder's fit.

Run from the repository root: `python tests/benchmarks/calibration/write_validation.py`. Left out, as in the fit: exact
repeats, disaggregated and rack-scale rows, and rows whose columns contradict each other.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[3]
MEASUREMENTS = ROOT.parent / "shared" / "measurements" / "llm_e2e_serving_silicon.csv"
OUTPUT = ROOT / "advisor" / "data" / "validation_silicon.csv"
WHOLE = (
    "isl_tokens",
    "osl_tokens",
    "concurrency",
    "tp_size",
    "attention_dp_size",
    "moe_tp_size",
    "moe_ep_size",
)
COLUMNS = (
    "id",
    "model",
    "system",
    "backend",
    "backend_version",
    "measured_date",
    "precision",
    *WHOLE,
    "ttft_ms",
    "tpot_ms",
    "source",
)


def main() -> None:
    rows = pd.read_csv(MEASUREMENTS)
    rows["id"] = [f"s{line:04d}" for line in range(2, len(rows) + 2)]  # line of the measurement file
    rows = rows[(rows["mode"] == "agg") & ~rows["duplicate_of_earlier_row"]]
    rack = rows["system"].isin(["gb200", "gb300"]) & (rows["tp_size"] >= 12) & (rows["moe_ep_size"] <= 1)
    rows = rows[~rack & (rows["source_batch"] != "nvidia_internal_gtl")].copy()
    for name in WHOLE:
        rows[name] = rows[name].astype("Int64")
    for name in ("ttft_ms", "tpot_ms"):
        rows[name] = [float(f"{value:.6g}") for value in rows[name]]
    rows["source"] = "aiconfigurator-core 0.12: " + rows["source_batch"]
    rows[list(COLUMNS)].to_csv(OUTPUT, index=False, lineterminator="\n")
    print(f"wrote {OUTPUT.relative_to(ROOT)}: {len(rows)} rows, {OUTPUT.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
