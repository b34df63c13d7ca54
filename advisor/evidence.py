"""Published evidence as data: one frozen record a data point, with its source.

The package ships about 1,260 records (`advisor/data/evidence.csv`); a user adds records of the same shape as CSV or
YAML. Records are read with the standard library only, once, on first use.

Ratios are optimized / baseline: `latency_ratio` 0.5 is twice as fast, `throughput_ratio` 2.0 as well, `cost_ratio` 0.7
is 30 % cheaper. Speed ratios of different `base_dtype` are different things: CPU and mobile rows are against FP32,
most LLM rows against BF16 or FP16.
"""

import csv
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from importlib import resources
from pathlib import Path

from advisor.errors import InputError

GRADES = ("table", "prose", "abstract", "secondary", "user")
"""How well a figure is supported, best first; `user` marks a record the user added."""

EFFORTS = ("none", "calibration", "finetune", "retrain", "unknown")
"""What has to be done to the model once."""

_REQUIRED = ("id", "strategy", "variant", "unit", "grade", "source_title", "source_url")
_FIGURES = ("recovery_percent", "loss_points", "latency_ratio", "throughput_ratio", "memory_ratio", "compute_ratio",
            "cost_ratio", "baseline", "optimized", "one_time_gpu_hours")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Evidence:
    """One published data point.

    Attributes:
        id: Unique and stable, e.g. `QU-0391`.
        strategy: What it belongs to: `quantization`, `pruning`, `kv_cache`, `speculative`, ...
        variant: What was done, as labelled by its table.
        unit: Unit of `baseline` and `optimized`.
        grade: One of `GRADES`.
        source_title: Name of the document.
        source_url: Where it is.
        source_year: When it was published or last changed.
        family: `cnn`, `encoder`, `decoder`, `diffusion`, or empty where none applies.
        model: Model, or `teacher -> student`.
        parameters: Number of parameters, where known.
        benchmark: Data set or benchmark, may be empty.
        task: Task class (see `advisor.accuracy.taxonomy.TASK_CLASSES`), or `speed` for rows without quality.
        metric: Short name of what was measured.
        higher_is_better: Direction of the metric.
        baseline: Value before.
        optimized: Value after.
        loss_points: Baseline minus optimized in percentage points, where that makes sense.
        recovery_percent: 100 x optimized / baseline of the quality metric.
        latency_ratio: Latency after / before.
        throughput_ratio: Throughput after / before.
        memory_ratio: Bytes after / before.
        compute_ratio: Operations after / before.
        cost_ratio: Money after / before (cascades, autoscaling, purchase, hardware).
        base_dtype: Number format of the baseline, where stated.
        hardware: Machine and engine, where stated.
        load: Batch, concurrency or rate, where stated.
        effort: One of `EFFORTS`.
        one_time_gpu_hours: Accelerator hours spent once.
        combination: More than one strategy is in the figure.
        derived: Fields computed from printed figures instead of printed themselves.
        source_locator: Table, figure or section.
        note: Remark of this project.
    """

    id: str
    strategy: str
    variant: str
    unit: str
    grade: str
    source_title: str
    source_url: str
    source_year: int
    family: str = ""
    model: str = ""
    parameters: float | None = None
    benchmark: str = ""
    task: str = ""
    metric: str = ""
    higher_is_better: bool = True
    baseline: float | None = None
    optimized: float | None = None
    loss_points: float | None = None
    recovery_percent: float | None = None
    latency_ratio: float | None = None
    throughput_ratio: float | None = None
    memory_ratio: float | None = None
    compute_ratio: float | None = None
    cost_ratio: float | None = None
    base_dtype: str = ""
    hardware: str = ""
    load: str = ""
    effort: str = "unknown"
    one_time_gpu_hours: float | None = None
    combination: bool = False
    derived: tuple[str, ...] = ()
    source_locator: str = ""
    note: str = ""

    @property
    def relative_loss(self) -> float | None:
        """Relative loss of quality (0.01 = 1 %), negative for a gain; None where no quality was measured."""
        return None if self.recovery_percent is None else 1 - self.recovery_percent / 100


_PARSERS: dict[str, Callable[[str], object]] = {
    "int": int,
    "float | None": lambda text: float(text) if text else None,
    "bool": lambda text: {"true": True, "false": False, "": False, "yes": True, "no": False}[text.lower()],
    "tuple[str, ...]": lambda text: tuple(part for part in text.split(";") if part),
    "str": str.strip,
}
_TYPES: dict[str, str] = {
    "source_year": "int", "higher_is_better": "bool", "combination": "bool", "derived": "tuple[str, ...]", "parameters": "float | None",
    **dict.fromkeys(_FIGURES, "float | None"),
}  # fmt: skip


def load(path: str | Path | None = None) -> tuple[Evidence, ...]:
    """Read records from a CSV or YAML file, or the records shipped with the package.

    Args:
        path: File with the columns (or keys) of `Evidence`; None for the embedded records.

    Returns:
        The records in the order of the file.

    Raises:
        InputError: A record lacks its source, year, unit or grade, has a figure that is no number, or repeats an id.

    Example:
        >>> len(load()) > 1000
        True
    """
    return _embedded() if path is None else _records(_rows(Path(path)), str(path))


@functools.cache
def _embedded() -> tuple[Evidence, ...]:
    source = resources.files("advisor") / "data" / "evidence.csv"
    return _records(
        list(csv.DictReader(source.read_text(encoding="utf-8").splitlines())), "embedded evidence"
    )


def _rows(path: Path) -> list[Mapping[str, object]]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot read evidence file {str(path)!r}: {error.strerror}. Give an existing CSV or YAML file."
        ) from error
    if path.suffix.lower() in {".yaml", ".yml"}:
        return _yaml_rows(text, path)
    return list(csv.DictReader(text.splitlines()))


def _yaml_rows(text: str, path: Path) -> list[Mapping[str, object]]:
    import yaml  # noqa: PLC0415  - only users who bring YAML pay for the import

    content = yaml.safe_load(text)
    rows = content.get("evidence") if isinstance(content, dict) else content
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(
            f"{path}: expected a list of records (or a key 'evidence' with one); each record is a mapping of fields."
        )
    return rows


def _records(rows: Sequence[Mapping[str, object]], where: str) -> tuple[Evidence, ...]:
    records = tuple(_record(row, f"{where}, record {number}") for number, row in enumerate(rows, 1))
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            raise InputError(
                f"{where}: evidence id {record.id!r} appears twice. Ids must be unique; rename one of them."
            )
        seen.add(record.id)
    return records


def _record(row: Mapping[str, object], where: str) -> Evidence:
    known = {field.name: field for field in fields(Evidence)}
    unknown = sorted(str(key) for key in row if key not in known)
    if unknown:
        raise InputError(
            f"{where}: unknown field {', '.join(map(repr, unknown))}. Known fields: {', '.join(known)}."
        )
    values: dict[str, object] = {}
    for name, field in known.items():
        given = row.get(name)
        if given is None or given == "":
            if field.default is MISSING:
                raise InputError(
                    f"{where}: {name!r} is missing. Every record needs {', '.join(_REQUIRED)} and source_year."
                )
            continue
        values[name] = _parsed(name, given, where)
    return _checked(Evidence(**values), where)  # type: ignore[arg-type]


def _parsed(name: str, given: object, where: str) -> object:
    text = ";".join(map(str, given)) if isinstance(given, list | tuple) else str(given)
    kind = _TYPES.get(name, "str")
    try:
        value = _PARSERS[kind](text)
    except (ValueError, KeyError) as error:
        raise InputError(f"{where}: {name} is {text!r}; expected {kind.replace(' | None', '')}.") from error
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{where}: {name} is {text!r}; expected a finite number.")
    return value


def _checked(record: Evidence, where: str) -> Evidence:
    if record.grade not in GRADES:
        raise InputError(f"{where}: grade is {record.grade!r}; expected one of {', '.join(GRADES)}.")
    if record.effort not in EFFORTS:
        raise InputError(f"{where}: effort is {record.effort!r}; expected one of {', '.join(EFFORTS)}.")
    return record


@functools.cache
def _index() -> dict[str, Evidence]:
    return {record.id: record for record in _embedded()}


def evidence(*ids: str, records: Iterable[Evidence] | None = None) -> tuple[Evidence, ...]:
    """Look records up by id.

    Args:
        *ids: Ids such as `QU-0391`.
        records: Where to look; the embedded records by default.

    Returns:
        The records in the order asked for.

    Raises:
        InputError: An id is unknown.

    Example:
        >>> evidence("QU-0400")[0].throughput_ratio
        1.9
    """
    index = _index() if records is None else {record.id: record for record in records}
    missing = [name for name in ids if name not in index]
    if missing:
        raise InputError(
            f"unknown evidence id {', '.join(map(repr, missing))}. List the known ones with `advisor evidence`."
        )
    return tuple(index[name] for name in ids)


def select(
    records: Iterable[Evidence] | None = None,
    *,
    strategy: str | None = None,
    variant: str | None = None,
    family: str | None = None,
    model: str | None = None,
    task: str | None = None,
    min_parameters: float | None = None,
    max_parameters: float | None = None,
) -> tuple[Evidence, ...]:
    """Filter records; every filter given must hold.

    Args:
        records: Records to filter; the embedded ones by default.
        strategy: Exact strategy.
        variant: Part of the variant's label, in any case.
        family: Exact model family.
        model: Part of the model's name, in any case.
        task: Exact task class.
        min_parameters: Smallest number of parameters; records of unknown size are dropped when a bound is given.
        max_parameters: Largest number of parameters.

    Returns:
        The records that pass, in their order.

    Example:
        >>> {record.strategy for record in select(strategy="kv_cache", min_parameters=1e9)}
        {'kv_cache'}
    """
    chosen = _embedded() if records is None else tuple(records)
    exact = {"strategy": strategy, "family": family, "task": task}
    part = {"variant": variant, "model": model}
    return tuple(
        record
        for record in chosen
        if all(want is None or getattr(record, name) == want for name, want in exact.items())
        and all(want is None or want.lower() in getattr(record, name).lower() for name, want in part.items())
        and _in_range(record.parameters, min_parameters, max_parameters)
    )


def _in_range(value: float | None, low: float | None, high: float | None) -> bool:
    if low is None and high is None:
        return True
    return value is not None and (low is None or value >= low) and (high is None or value <= high)
