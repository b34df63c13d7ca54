"""Command-line flags made from the fields of `Requirements`, so that a requirement is described in one place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar

import typer

F = TypeVar("F", bound=Callable[..., Any])

LATENCIES = tuple(
    f"{metric}_{statistic}"
    for metric in ("ttft", "tpot", "latency")
    for statistic in ("p50", "p90", "p95", "p99")
)
_METRICS = {
    "ttft": "time to first token",
    "tpot": "time per output token",
    "latency": "time of the whole request",
}

Flag = tuple[str, type, Any, str, str]
"""Name of the parameter, its type, its default, its help and the panel it is listed in."""

_LIMITS = "Limits"
_CHOICE = "What may be chosen"
REQUIREMENT_FLAGS: tuple[Flag, ...] = (
    (
        "max_accuracy_loss",
        list[str],
        None,
        "Most accuracy that may be lost, such as 1% or 1pp; for one class of tasks: tool-use=3%.",
        _LIMITS,
    ),
    (
        "confidence",
        str,
        None,
        "Probability with which the limits must hold, such as 90%; on average if not given.",
        _LIMITS,
    ),
    (
        "robust",
        bool,
        False,
        "Choose the plan that keeps all limits together with that probability (90% if not given), cheapest on average.",
        _LIMITS,
    ),
    *(
        (
            name,
            str,
            None,
            f"{_METRICS[name.partition('_')[0]].capitalize()}, {name.partition('_')[2]}, such as 800ms.",
            "Latency limits",
        )
        for name in LATENCIES
    ),
    (
        "min_throughput",
        str,
        None,
        "Rate that must be carried at all hours, such as 50/s or '5000 tokens/s'.",
        _LIMITS,
    ),
    ("max_memory", str, None, "Most accelerator memory of one replica, such as 80GB.", _LIMITS),
    ("budget", str, None, "Most it may cost, such as $20k/month.", _LIMITS),
    ("one_time_budget", str, None, "Most the change may cost once, such as $5k.", _LIMITS),
    ("max_carbon", str, None, "Most CO2e, such as 500kg/month.", _LIMITS),
    ("provider", list[str], None, "Provider to choose from; today's if not given, '*' for any.", _CHOICE),
    ("region", list[str], None, "Region to choose from; today's if not given.", _CHOICE),
    ("instance", list[str], None, "Machine to choose from, such as 'g6*'.", _CHOICE),
    ("without_instance", list[str], None, "Machine to leave out, such as '*T4*'.", _CHOICE),
    ("quota", list[str], None, "Most machines of a type at one time, such as p5.48xlarge=4.", _CHOICE),
    ("only", list[str], None, "Strategy to consider, such as quantization or 'quantization=int8*'.", _CHOICE),
    ("without", list[str], None, "Strategy to leave out, such as pruning or 'quantization=int4*'.", _CHOICE),
    (
        "objective",
        str,
        None,
        "What to make smallest: cost, accuracy, latency or carbon; ties broken by the next.",
        _CHOICE,
    ),
)
_FIELDS = {
    "min_throughput": "min_throughput",
    "max_memory": "max_memory",
    "budget": "budget",
    "one_time_budget": "one_time_budget",
    "max_carbon": "max_carbon",
    "provider": "providers",
    "region": "regions",
    "instance": "allow_instances",
    "without_instance": "deny_instances",
    "only": "only",
    "without": "without",
    "objective": "objective",
    "confidence": "confidence",
    "robust": "robust",
}


def with_requirement_flags(command: F) -> F:
    """Give a command one flag for each requirement; it receives them as keyword arguments.

    The command declares its own parameters and ends in `**requirements`.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    added = [_parameter(*flag) for flag in REQUIREMENT_FLAGS]
    command.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *added)} | {
        "return": None
    }
    return command


def _parameter(name: str, kind: type, default: Any, text: str, panel: str) -> inspect.Parameter:
    flag = f"--{name.replace('_', '-')}"
    if kind is bool:
        switch = typer.Option(flag, help=text, rich_help_panel=panel)
        return inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[bool, switch]
        )
    option = typer.Option(flag, help=text, rich_help_panel=panel, metavar=_metavar(kind), show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind | None, option]
    )


def _metavar(kind: type) -> str:
    return "TEXT" if kind is str else "TEXT ..."


def requirement_values(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `Requirements` for the flags that were given.

    Raises:
        InputError: `--quota` is not a name and a number.

    Example:
        >>> requirement_values({"max_accuracy_loss": ["1%", "tool-use=3%"], "ttft_p99": "800ms", "budget": None})
        {'max_accuracy_loss': '1%', 'slices': {'tool-use': '3%'}, 'latency': {'ttft_p99': '800ms'}}
    """
    given = {name: value for name, value in flags.items() if value not in (None, [], (), False)}
    values: dict[str, Any] = _losses(given.pop("max_accuracy_loss", []))
    latency = {name: given.pop(name) for name in LATENCIES if name in given}
    if latency:
        values["latency"] = latency
    if quotas := given.pop("quota", None):
        values["quotas"] = dict(_quota(text) for text in quotas)
    return values | {_FIELDS[name]: value for name, value in given.items()}


def is_limit(name: str) -> bool:
    """Return whether a name is that of a limit, such as `ttft-p99`, `budget` or `quota:p5.48xlarge`.

    Example:
        >>> is_limit("ttft-p99"), is_limit("accuracy:tool-use"), is_limit("h100")
        (True, True, False)
    """
    return name.replace("-", "_").partition(":")[0] in {*LATENCIES, *_SCALAR_LIMITS, *_NAMED_LIMITS}


_SCALAR_LIMITS = (
    "max_accuracy_loss",
    "confidence",
    "min_throughput",
    "max_memory",
    "budget",
    "one_time_budget",
    "max_carbon",
)
_NAMED_LIMITS = {"quota": "quota", "accuracy": "max_accuracy_loss"}


def limit_values(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the fields of `Requirements` for limits by the names of their flags.

    Raises:
        InputError: A name is that of no limit, or of one given twice.

    Example:
        >>> limit_values([("ttft-p99", "500ms"), ("quota:p5.48xlarge", "4"), ("accuracy:tool-use", "3%")])
        {'slices': {'tool-use': '3%'}, 'latency': {'ttft_p99': '500ms'}, 'quotas': {'p5.48xlarge': 4}}
    """
    from advisor.errors import UnknownName

    flags: dict[str, Any] = {}
    for written, value in pairs:
        kind, _, which = written.partition(":")
        name = kind.replace("-", "_")
        if not is_limit(written) or bool(which) != (name in _NAMED_LIMITS):
            known = (*LATENCIES, *_SCALAR_LIMITS, *(f"{name}:NAME" for name in _NAMED_LIMITS))
            raise UnknownName.among(
                "limit", written, [one.replace("_", "-") for one in known], "can be changed"
            )
        if which:
            flags.setdefault(_NAMED_LIMITS[name], []).append(f"{which}={value}")
        elif name == "max_accuracy_loss":
            flags.setdefault(name, []).append(value)
        else:
            flags[name] = value
    return requirement_values(flags)


def _losses(texts: Iterable[str]) -> dict[str, Any]:
    from advisor.errors import InputError

    whole: dict[str, Any] = {}
    for text in texts:
        task, equals, limit = text.rpartition("=")
        if equals:
            whole.setdefault("slices", {})[task.strip()] = limit.strip()
        elif "max_accuracy_loss" in whole:
            raise InputError(
                f"--max-accuracy-loss is given twice ({whole['max_accuracy_loss']} and {text}); keep one, or say for which tasks: tool-use={text}"
            )
        else:
            whole["max_accuracy_loss"] = text
    return whole


def _quota(text: str) -> tuple[str, int]:
    from advisor.errors import InputError

    name, equals, count = text.rpartition("=")
    if not equals or not count.strip().isdigit():
        raise InputError(
            f"--quota: got '{text}'; expected a machine and a whole number, such as p5.48xlarge=4"
        )
    return name.strip(), int(count)


def ratio(text: str, flag: str) -> float:
    """Return the share that a flag was given.

    Raises:
        InputError: It is no share.

    Example:
        >>> ratio("2%", "--tolerance")
        0.02
    """
    from advisor.errors import InputError
    from advisor.units import RATIO

    try:
        return float(RATIO.read(text))
    except ValueError as error:
        raise InputError(f"{flag}: {error}") from None
