"""What an observation says to a workload, key by key, and what it leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from advisor.documents import Document
from advisor.errors import InputError
from advisor.inputs import Input, validated
from advisor.models import Model, ModelSpec
from advisor.observing.observation import Observation
from advisor.observing.words import digits, exact
from advisor.traffic import RateQuantiles

Fields = Mapping[tuple[str, str], object]
"""Values by section and key of a workload."""
_VALUES_ON_A_LINE = 24


class _Holder(Input):
    model: Model


def fields_for(seen: Observation, document: Document) -> dict[tuple[str, str], object]:
    """Return the observed keys that fit a document; a spread it states stays where only a mean was observed.

    Raises:
        InputError: Not one request was counted.
    """
    spec = _spec(document.data.get("model"), document.folder)
    fields = observed_fields(seen, spec.family if spec else None)
    requests = document.data.get("requests")
    for (section, key), value in fields.items():
        before = requests.get(key) if section == "requests" and isinstance(requests, Mapping) else None
        if (
            isinstance(before, Mapping)
            and isinstance(value, Mapping)
            and set(value) == {"mean"}
            and "cv" in before
        ):
            fields[section, key] = {**value, "cv": before["cv"]}
    return fields


def observed_fields(seen: Observation, family: str | None = None) -> dict[tuple[str, str], object]:
    """Return the keys of a workload that were observed, with their values.

    Args:
        seen: What was learnt.
        family: Of the model, where it is known; lengths that it has not are left out.

    Raises:
        InputError: Not one request was counted.
    """
    if seen.no_requests:
        raise InputError(
            f"not one request was counted ({seen.source}); give a --window in which the service was used, or check "
            "the --selector"
        )
    fields: dict[tuple[str, str], object] = {}
    lengths = {"decoder": 2, "encoder": 1, "cnn": 0}.get(family or "decoder", 2)
    for name, found in (("input_tokens", seen.input_tokens), ("output_tokens", seen.output_tokens))[:lengths]:
        if found:
            fields["requests", name] = dict(found)
    if seen.prefix_ratio and lengths == 2:
        fields["requests", "prefix_share"] = min(digits(seen.prefix_ratio), 0.99)
    if seen.rhythm is not None:
        fields["traffic", "requests_per_s"] = _rates(seen.rhythm.rates)
    if seen.engine.runtime:
        fields["serving", "runtime"] = seen.engine.runtime
    return fields


def open_questions(data: Mapping[str, object], folder: Path | None = None) -> tuple[str, ...]:
    """Return the keys that a document of one service lacks and must have, in their order.

    Example:
        >>> open_questions({"model": "llama-3.1-8b", "traffic": {"requests_per_s": 3}})
        ('requests.input_tokens', 'requests.output_tokens', 'serving.instance_type')
    """
    missing = [] if data.get("model") else ["model"]
    spec = _spec(data.get("model"), folder)
    needed = {"encoder": ("input_tokens",), "cnn": ()}.get(
        spec.family if spec else "", ("input_tokens", "output_tokens")
    )
    wanted = [
        *(("requests", name) for name in (needed if spec else ())),
        ("traffic", "requests_per_s"),
        ("serving", "instance_type"),
    ]
    for section, key in wanted:
        there = data.get(section)
        if not isinstance(there, Mapping) or there.get(key) is None:
            missing.append(f"{section}.{key}")
    return tuple(missing)


def rendered(key: str, value: object, indent: str) -> list[str]:
    """Return the lines of a key and its value; 24 hourly values to a line."""
    if isinstance(value, list) and len(value) > _VALUES_ON_A_LINE:
        rows = [value[at : at + _VALUES_ON_A_LINE] for at in range(0, len(value), _VALUES_ON_A_LINE)]
        inner = [f"{indent}  {', '.join(map(exact, row))}," for row in rows]
        return [f"{indent}{key}: [", *inner[:-1], f"{inner[-1][:-1]}]"]
    return [f"{indent}{key}: {flow(value)}"]


def flow(value: object) -> str:
    """Return a value as YAML on one line.

    Example:
        >>> flow({"mean": 1200.0, "cv": 0.9}), flow([1.0, 2.5]), flow("a: b")
        ('{mean: 1200, cv: 0.9}', '[1, 2.5]', "'a: b'")
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, float):
        return exact(value)
    text = str(yaml.safe_dump(value, width=10_000, allow_unicode=False, default_flow_style=True))
    return text.removesuffix("\n").removesuffix("\n...")


def _rates(rates: tuple[float, ...] | RateQuantiles | float) -> object:
    if isinstance(rates, RateQuantiles):
        return {key: value for key, value in rates.model_dump().items() if value is not None}
    return list(rates) if isinstance(rates, tuple) else rates


def _spec(model: object, folder: Path | None) -> ModelSpec | None:
    try:
        return model_of(model, folder) if model else None
    except InputError:
        return None


def model_of(model: object, folder: Path | None) -> ModelSpec:
    """Return the model that a document names, describes, or has the path of.

    Raises:
        InputError: There is none.
    """
    return validated(_Holder, Document(source="advisor.yaml", data={"model": model}, folder=folder)).model
