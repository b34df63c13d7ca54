"""What a workload leaves open, and what is assumed in its place."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.traffic import Distribution, RateQuantiles
from advisor.units import format_count, format_ratio, format_seconds, format_usd

if TYPE_CHECKING:
    from advisor.workload import Workload


@dataclass(frozen=True, slots=True)
class Assumption:
    """Something that nobody stated and the result depends on."""

    field: str
    """Key that would state it, such as `traffic.arrival_cv`."""
    value: str
    """What is assumed instead, for people."""
    text: str
    """What it means."""


def assumed(workload: "Workload") -> tuple[Assumption, ...]:
    """Return everything that `workload` does not state and the result depends on, in the order of the document."""
    return (
        *_model(workload),
        *_requests(workload),
        *_traffic(workload),
        *_serving(workload),
        *_money(workload),
    )


def _model(workload: "Workload") -> list[Assumption]:
    found = []
    model = workload.model
    if model.estimated:
        found.append(
            Assumption(
                "model.parameters", format_count(model.parameters), "estimated from the shape by formula"
            )
        )
    if model.family == "cnn" and model.activations_per_item is None:
        count = format_count(model.activations(size=model.reference_size))
        found.append(
            Assumption(
                "model.activations_per_item",
                count,
                "2.7 for each thousand multiply-accumulates, as in ResNet-50",
            )
        )
    if "task" not in workload.model_fields_set:
        found.append(
            Assumption("task", workload.task, "accuracy is lost as on an average of several benchmarks")
        )
    return found


def _requests(workload: "Workload") -> list[Assumption]:
    requests = workload.requests
    found = []
    for name in ("input_tokens", "output_tokens"):
        length: Distribution = getattr(requests, name)
        if length.mean and "cv" not in length.model_fields_set:
            found.append(
                Assumption(f"requests.{name}.cv", f"{length.cv:g}", "lengths vary as much as their mean")
            )
        elif length.mean and length.cv == 0:
            found.append(
                Assumption(
                    f"requests.{name}", f"{length.mean:g} tokens", "taken literally: every request alike"
                )
            )
    if workload.model.family == "cnn" and "image_size_px" not in requests.model_fields_set:
        size = f"{requests.image_size_px.mean:g} px"
        found.append(
            Assumption("requests.image_size_px", size, "images have the size that the model is published for")
        )
    if workload.model.family == "decoder" and "prefix_share" not in requests.model_fields_set:
        found.append(
            Assumption("requests.prefix_share", "0%", "no part of the prompt repeats between requests")
        )
    if workload.model.family != "decoder" and "items" not in requests.model_fields_set:
        found.append(Assumption("requests.items", "1", "one item a request"))
    return found


def _traffic(workload: "Workload") -> list[Assumption]:
    traffic = workload.traffic
    found = []
    rates = traffic.requests_per_s
    if isinstance(rates, float):
        found.append(
            Assumption(
                "traffic.requests_per_s",
                f"{rates:g}/s at all hours",
                "one rate is given, so day and night are alike",
            )
        )
    elif isinstance(rates, RateQuantiles):
        found.append(
            Assumption(
                "traffic.requests_per_s",
                "quietest hours first",
                "rates grow evenly from quantile to quantile",
            )
        )
    elif len(rates) == 24:
        found.append(
            Assumption(
                "traffic.requests_per_s", "every day alike", "one day is given, so weekends are like it"
            )
        )
    if "arrival_cv" not in traffic.model_fields_set:
        found.append(
            Assumption(
                "traffic.arrival_cv",
                f"{traffic.arrival_cv:g}",
                "requests arrive independently of each other (Poisson)",
            )
        )
    if "growth_per_month" not in traffic.model_fields_set:
        found.append(
            Assumption(
                "traffic.growth_per_month", format_ratio(traffic.growth_per_month), "traffic stays as it is"
            )
        )
    return found


def _serving(workload: "Workload") -> list[Assumption]:
    serving = workload.serving
    texts = {
        "instances": ("as many as the traffic needs", "nobody says how many machines are paid for"),
        "accelerators_per_replica": (
            f"{serving.accelerators_per_replica}, or as many as the machine has",
            "one copy of the model spans them",
        ),
        "precision": (serving.precision, "served in the number format that the model is published in"),
        "kv_precision": (f"{serving.kv_precision}", "the cache keeps 16 bits"),
        "runtime": (serving.runtime, "the usual engine for this family"),
        "max_batch": ("the engine's default", "nobody says how many requests are computed together"),
        "max_queue_delay_s": (
            format_seconds(serving.max_queue_delay_s),
            "requests do not wait for a fuller batch",
        ),
        "purchase": (serving.purchase, "bought by the hour"),
        "scaling": (serving.scaling, "the number of machines does not follow the traffic"),
    }
    decoder = workload.model.family == "decoder"
    unused = {"max_queue_delay_s"} if decoder else {"kv_precision", "accelerators_per_replica"}
    return [
        Assumption(f"serving.{name}", value, text)
        for name, (value, text) in texts.items()
        if name not in serving.model_fields_set and name not in unused
    ]


def _money(workload: "Workload") -> list[Assumption]:
    found = []
    if "horizon_months" not in workload.model_fields_set:
        found.append(
            Assumption(
                "horizon_months",
                f"{workload.horizon_months:g} months",
                "one-time costs are spread over a year",
            )
        )
    if "engineer_usd_per_h" not in workload.model_fields_set:
        rate = f"{format_usd(workload.engineer_usd_per_h)}/h"
        found.append(Assumption("engineer_usd_per_h", rate, "price of an hour of engineering work"))
    return found
