"""Turn the collected table of published deltas into `advisor/data/evidence.csv`.

Run: `python tests/benchmarks/calibration/curate_evidence.py collected.csv`

Figures, sources and locators carry over unchanged; names of metrics, notes, units and task classes are ours. The
collected table keeps cost and price ratios of cascade, autoscaling, hardware and cost-point rows in `compute_ratio`; here they
move to `cost_ratio`, so that no one multiplies a price with an operation count.
"""

import re
import sys
from pathlib import Path

import pandas as pd

from advisor.accuracy.taxonomy import task_class
from advisor.evidence import Evidence

COST_STRATEGIES = {"cascade", "autoscaling", "hardware", "prefix_cache"}
UNITS = (
    ("percent", r"%|recovery|loss in percent"),
    ("fraction", r"\(0-1\)"),
    ("tokens/s", r"tokens/s"),
    ("samples/s", r"samples/s"),
    ("requests/s", r"infer/s|requests/s"),
    ("ms", r"\bms\b"),
    ("s", r"seconds"),
    ("min", r"minutes"),
    ("h", r"hours"),
    ("usd", r"usd"),
    ("perplexity", r"perplexity"),
    ("loss", r"validation loss"),
    (
        "ratio",
        r"cost|price|speed|throughput|latency|performance|slow|capacity|compute|time|calls|tokens per dollar|efficiency|images",
    ),
)


def unit(metric: str) -> str:
    return next((name for name, pattern in UNITS if re.search(pattern, metric.lower())), "score")


def metric(name: str) -> str:
    """Shorten a metric's label to its subject, without remarks in brackets."""
    text = re.sub(r"\([^()]*\)", "", name.replace('"', ""))
    text = re.split(r", (?:not named|teacher|low end|high end|approximate)| vs | of the same| printed", text)[
        0
    ]
    return re.sub(r"\s+", " ", text).strip(" ,:") or name.strip("()")


def note(row: pd.Series) -> str:
    remarks = []
    raw = str(row["notes"])
    if row["accuracy_recovery_pct"] > 100:
        remarks.append("gain within evaluation noise unless shown otherwise")
    if re.search(r"up to|best case", raw + str(row["metric_name"])):
        remarks.append("upper end as advertised")
    found = re.search(r"baseline is ([A-Z][\w-]+)", raw)
    if found:
        remarks.append(f"baseline is {found.group(1)}")
    if "before-kernel-fix" in str(row["variant"]):
        remarks.append("kernel bug, since mended")
    accepted = re.search(r"mean accepted tokens (\d+\.\d+)", raw)
    if accepted:
        remarks.append(f"accepted tokens a step: {accepted.group(1)}")
    if "Validated Models" in str(row["source_title"]) and row["strategy"] == "quantization":
        remarks.append("list of accepted models, cut at 1 % relative loss")
    return "; ".join(remarks)


def hardware(text: str) -> str:
    if re.search(r"not (named|in|stated)", text) and not re.search(r"\d", text.split("not ", maxsplit=1)[0]):
        return ""
    return text


def curated(row: pd.Series) -> dict[str, object]:
    cost = row["strategy"] in COST_STRATEGIES or re.search(r"COST|PRICE", str(row["notes"])) is not None
    derived = re.search(r"derived=([\w|]+)", str(row["notes"]))
    grade = re.search(r"ev=(\w+)", str(row["notes"]))
    base = re.search(r"base_dtype=(\w+)", str(row["notes"]))
    names = {"accuracy_loss_pct_points": "loss_points", "accuracy_recovery_pct": "recovery_percent"}
    quality = pd.notna(row["accuracy_recovery_pct"]) or pd.notna(row["accuracy_loss_pct_points"])
    family, benchmark = row["model_family"], row["dataset_or_benchmark"]
    lower = re.search(
        r"lower is better|perplexity|error|loss|latency|seconds|minutes|hours|cost|ms\b|WER|time",
        row["metric_name"],
    )
    return {
        "id": row["id"], "strategy": row["strategy"], "variant": row["variant"], "family": family, "model": row["model"],
        "parameters": "" if pd.isna(row["params_b"]) else f"{row['params_b'] * 1e9:.6g}",
        "benchmark": benchmark, "task": task_class(benchmark, row["metric_name"], family) if quality else "speed",
        "metric": metric(row["metric_name"]), "unit": unit(row["metric_name"]), "higher_is_better": "false" if lower and not quality else "true",
        "baseline": row["baseline_metric"], "optimized": row["optimized_metric"], "loss_points": row["accuracy_loss_pct_points"],
        "recovery_percent": row["accuracy_recovery_pct"], "latency_ratio": row["latency_ratio"], "throughput_ratio": row["throughput_ratio"],
        "memory_ratio": row["memory_ratio"], "compute_ratio": "" if cost else row["compute_ratio"],
        "cost_ratio": row["compute_ratio"] if cost else "", "base_dtype": base.group(1) if base else "",
        "hardware": hardware(row["hardware"]), "load": "" if "not stated" in row["batch_or_load"] else row["batch_or_load"],
        "effort": row["needs_retraining"] or "unknown", "one_time_gpu_hours": row["one_time_gpu_hours"],
        "combination": "true" if "COMBINATION" in str(row["notes"]) else "",
        "derived": ";".join(names.get(part, part) for part in derived.group(1).split("|")) if derived else "",
        "grade": grade.group(1), "source_title": row["source_title"], "source_locator": row["source_locator"], "source_url": row["source_url"],
        "source_year": row["source_year"], "note": note(row),
    }  # fmt: skip


def main(source: Path) -> None:
    table = pd.read_csv(source)
    texts = [
        "model_family",
        "model",
        "dataset_or_benchmark",
        "metric_name",
        "hardware",
        "batch_or_load",
        "needs_retraining",
        "source_locator",
    ]
    table[texts] = table[texts].fillna("")
    for column in ("baseline_metric", "optimized_metric"):
        table[column] = pd.to_numeric(table[column].astype(str).str.replace(",", ""), errors="coerce")
    out = pd.DataFrame([curated(row) for _, row in table.iterrows()])
    unknown = set(out.columns) - set(Evidence.__dataclass_fields__)
    assert not unknown, unknown
    target = Path(__file__).parents[3] / "advisor" / "data" / "evidence.csv"
    out.to_csv(target, index=False, lineterminator="\n")
    print(f"{len(out)} records -> {target}, {target.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
