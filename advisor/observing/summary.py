"""A workload document from what was learnt, with a question where nothing is known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.catalog import Catalog
from advisor.documents import parse_document
from advisor.errors import UnknownName
from advisor.inputs import validated
from advisor.models import find_model
from advisor.observing.fields import Fields, flow, model_of, observed_fields, open_questions, rendered
from advisor.observing.observation import Observation
from advisor.observing.words import plain, shown
from advisor.units import format_ratio, format_seconds
from advisor.workload import Workload

_COLUMN = 40
_LIMITED = {
    "decoder": (("ttft_p99", "5s", "time to first token"), ("tpot_p99", "80ms", "time per output token")),
    "other": (("latency_p99", "500ms", "the whole request"),),
}
_LISTED_MACHINES = 5
_CHIP = re.compile(r"\b([A-Z]{1,2}[0-9]{1,4}[A-Z]?)\b")


@dataclass(frozen=True, slots=True)
class Given:
    """What the user said beside what was observed; None where nothing was."""

    model: str | None = None
    instance: str | None = None
    instances: int | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """The observation together with what could be made of model and machine."""

    seen: Observation
    given: Given
    model: str | None
    family: str | None
    place: tuple[str, str, str] | None

    @property
    def writes_tokens(self) -> bool:
        return self.family == "decoder" if self.family else self.seen.engine.writes_tokens


def workload_text(seen: Observation, given: Given | None = None, folder: Path | None = None) -> str:
    """Return a commented workload document; it is checked by reading it where no question is left.

    Args:
        seen: What was learnt.
        given: What the user said beside it.
        folder: Where a relative path of a model starts.

    Raises:
        InputError: What was given cannot be used, or nothing was asked of the service.
    """
    known = _known(seen, given or Given(), folder)
    fields = observed_fields(seen, known.family)
    text = "\n".join(
        line
        for part in (
            _head(known),
            _requests(known, fields),
            _traffic(known, fields),
            _limits(known),
            _serving(known, fields),
        )
        for line in (*part, "")
    )
    document = parse_document(text, source="advisor.yaml", folder=folder)
    if not open_questions(document.data, folder):
        validated(Workload, document)
    return text


def _known(seen: Observation, given: Given, folder: Path | None) -> _Known:
    model = given.model or (seen.model if seen.model and _is_built_in(seen.model) else None)
    spec = model_of(model, folder) if model else None
    return _Known(seen, given, model, spec.family if spec else None, _place(given.instance))


def _is_built_in(name: str) -> bool:
    try:
        find_model(name)
    except UnknownName:
        return False
    return True


def _place(machine: str | None) -> tuple[str, str, str] | None:
    if machine is None:
        return None
    catalog = Catalog.load()
    same = [offer for offer in catalog.instances if offer.name.lower() == machine.lower()]
    offer = (same or [catalog.instance(machine)])[0]
    return offer.provider, offer.region, offer.name


def _head(known: _Known) -> list[str]:
    seen = known.seen
    lines = [
        f"# What advisor observed: {plain(seen.source, 200)} ({seen.engine.title}).",
        "# Lines that begin with '# ?' are for you to answer. `advisor schema workload` lists every key.",
        *(f"# {plain(note, 200)}" for note in seen.notes),
        "",
    ]
    if known.model:
        return [*lines, f"model: {flow(known.model)}"]
    served = f"it is served as {plain(seen.model)!r}; " if seen.model else ""
    return [
        *lines,
        f"# ? model: llama-3.1-8b            # {served}a built-in name, or the path of its config.json",
    ]


def _requests(known: _Known, fields: Fields) -> list[str]:
    lines = []
    for name, example in (("input_tokens", 1000), ("output_tokens", 250)):
        value = fields.get(("requests", name))
        if value is not None:
            lines += rendered(name, value, "  ")
            if isinstance(value, Mapping) and "cv" not in value:
                lines[-1] += "   # only totals are counted; a spread of cv 1 is assumed"
        elif known.writes_tokens or (known.family == "encoder" and name == "input_tokens"):
            lines.append(
                f"  # ? {name}: {{mean: {example}, cv: 1.0}}   # not in the metrics; how long are they?"
            )
    if share := fields.get(("requests", "prefix_share")):
        lines.append(
            f"  prefix_share: {flow(share)}   # share of the prompts' tokens that the prefix cache held"
        )
    values = any(not line.lstrip().startswith("#") for line in lines)
    return ["requests:" if values else "# requests:", *lines]


def _traffic(known: _Known, fields: Fields) -> list[str]:
    seen, value = known.seen, fields.get(("traffic", "requests_per_s"))
    question = "  # ? arrival_cv: 1.5                  # burstiness is not in the metrics; 1 (Poisson) is assumed. A trace says it: advisor traffic"
    if seen.rhythm is None or value is None:
        return [
            "# traffic:",
            "  # ? requests_per_s: 5                # not in a single dump: give a later one too, or --prometheus",
            question,
        ]
    hours = {24: "24 hours from midnight UTC", 168: "168 hours from Monday 0:00 UTC"}
    kind = hours.get(len(value), "") if isinstance(value, list) else ""
    facts = [f"{shown(seen.rhythm.mean_requests_per_s)}/s on average"]
    if seen.rhythm.busiest_requests_per_s is not None:
        facts.append(f"{shown(seen.rhythm.busiest_requests_per_s)}/s in the busiest step")
    notes = [f"  # {note}" for note in (*([kind] if kind else []), ", ".join(facts), *seen.rhythm.notes)]
    return ["traffic:", *notes, *rendered("requests_per_s", value, "  "), question]


def _limits(known: _Known) -> list[str]:
    latencies = known.seen.latencies_s or {}
    lines = ["# limits:                              # ? what do you promise your users"]
    for name, example, what in _LIMITED["decoder" if known.writes_tokens else "other"]:
        today = f"; today {format_seconds(latencies[name])}" if name in latencies else ""
        lines.append(f"#   {name}: {example}".ljust(_COLUMN) + f"# {what}{today}")
    measured = [
        f"{metric} {', '.join(f'{name} {format_seconds(value)}' for name, value in rows)}"
        for metric in ("ttft", "tpot", "latency")
        if (rows := [(key.partition("_")[2], latencies[key]) for key in latencies if key.startswith(metric)])
    ]
    return [*lines, *(f"# Seen today: {text}." for text in measured)]


def _serving(known: _Known, fields: Fields) -> list[str]:
    given, runtime = known.given, fields.get(("serving", "runtime"))
    runtime_line = [f"  runtime: {runtime}"] if runtime else []
    facts = [f"  # {fact}" for fact in _occupancy(known.seen)]
    if known.place is None:
        machines = _machines(known.seen.gpus.names if known.seen.gpus else ())
        hint = f", such as {', '.join(machines)}" if machines else ""
        head = "serving:" if runtime else "# serving:"
        asked = [f"  # ? instance_type: p5.48xlarge       # which machine serves it{hint}?", _how_many(None)]
        return [head, *facts, *runtime_line, *asked]
    provider, region, name = known.place
    place = [f"  provider: {provider}", f"  region: {region}", f"  instance_type: {flow(name)}"]
    return ["serving:", *facts, *place, _how_many(given.instances), *runtime_line]


def _how_many(count: int | None) -> str:
    return (
        f"  instances: {count}"
        if count
        else "  # ? instances: 1                     # how many do you pay for?"
    )


def _occupancy(seen: Observation) -> list[str]:
    facts = []
    if seen.replicas:
        facts.append(f"replicas at most: {shown(seen.replicas)}")
    if seen.running is not None:
        most = f", {shown(seen.most_running)} at most" if seen.most_running is not None else ""
        facts.append(f"requests in flight: {shown(seen.running)} on average{most}")
    if seen.most_waiting is not None:
        facts.append(f"requests waiting: {shown(seen.most_waiting)} at most")
    if seen.cache_ratio is not None:
        facts.append(f"cache of keys and values: {format_ratio(seen.cache_ratio)} in use")
    if gpus := seen.gpus:
        names = f" ({', '.join(gpus.names[:3])})" if gpus.names else ""
        facts.append(
            f"GPUs watched, of all services: {gpus.count}{names}, busy {format_ratio(gpus.busy_ratio)} of the time, "
            f"the busiest {format_ratio(gpus.busiest_ratio)}"
        )
    return facts


def _machines(names: Sequence[str]) -> list[str]:
    """Return machines of the catalogue with the chip that DCGM names, such as 'NVIDIA H100 80GB HBM3'."""
    chips = {match[1].lower() for name in names if (match := _CHIP.search(name))}
    found = [
        machine.name
        for machine in Catalog.load().instances
        if any(re.match(rf"{re.escape(chip)}(-|$)", machine.accelerator.id) for chip in chips)
    ]
    return list(dict.fromkeys(found))[:_LISTED_MACHINES]
