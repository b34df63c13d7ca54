"""What a model costs beside serving it, as a user writes it down: training, fine-tuning, storage and network."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from advisor.errors import InputError
from advisor.inputs import Input, Spelled
from advisor.units import Bytes, BytesPerMonth, Count, Ratio, UsdPerHour

Purchase = Literal["on-demand", "spot", "reserved-1y", "reserved-3y"]
PURCHASE_ALIASES = {"ondemand": "on-demand", "on_demand": "on-demand", "preemptible": "spot"}
Tier = Literal["hot", "cool", "archive"]


class TrainingMachines(Input):
    """The machines that train, and how busy they are."""

    instance_type: str | None = None
    """Machine as its provider calls it; the one that serves where not given."""
    provider: Annotated[str, Spelled()] | None = None
    """Who rents it out; needed where two providers use the name."""
    region: str | None = None
    """Where it runs; needed where its price is known in several regions."""
    accelerators: int | None = Field(None, ge=1)
    """Accelerators that train at a time; machines are paid whole, so all accelerators of each where not given."""
    purchase: Annotated[Purchase, Spelled(PURCHASE_ALIASES)] = "on-demand"
    """How the machines are bought."""
    price_usd_per_h: UsdPerHour | None = None
    """What one machine really costs an hour; the catalogue's price where not given."""
    precision: Literal["fp32", "bf16", "fp16", "fp8"] | None = None
    """Number format of the arithmetic; 16 bits where the machine has them and nothing is given."""
    utilization: Ratio | None = Field(None, gt=0, lt=1)
    """Share of the accelerators' peak that the arithmetic of the model reaches (MFU), such as 40%; published where known."""


class Training(TrainingMachines):
    """The initial training, paid once."""

    tokens: Count | None = Field(None, gt=0)
    """Tokens seen, such as 15T: for language models and encoders."""
    items: Count | None = Field(None, gt=0)
    """Images seen, counting each pass over the data, such as 115M."""


class FineTuning(Training):
    """Training again, every month."""

    per_month: float = Field(1.0, gt=0, le=1000)
    """Runs in a month."""
    method: Annotated[Literal["full", "lora"], Spelled({"qlora": "lora", "peft": "lora"})] = "full"
    """`full`: all weights learn; `lora`: adapters learn and the weights are frozen."""


class Checkpoints(Input):
    """States of training that are kept."""

    size_bytes: Bytes | None = None
    """Size of one; weights, master copy and both moments of Adam where not given."""
    kept: int = Field(1, ge=0, le=100_000)
    """How many are kept at a time."""


class Storage(Input):
    """Data that is kept."""

    datasets_bytes: Bytes = 0.0
    """Size of the data sets, one copy, such as 2TB."""
    growth_bytes_per_month: BytesPerMonth = 0.0
    """What is added every month, one copy, such as 100GB/month."""
    retention_months: float | None = Field(None, gt=0, le=600)
    """Months after which what was added is deleted; never where not given."""
    checkpoints: Checkpoints | None = None
    """States of training that are kept, such as {size: 140GB, kept: 5}."""
    replicas: int = Field(1, ge=1, le=100)
    """Copies of everything, the original included."""
    tier: Tier = "hot"
    """Class of object storage: `hot`, `cool` (read about once a month) or `archive`."""


class Network(Input):
    """Data that moves in a month."""

    egress_bytes_per_month: BytesPerMonth | None = None
    """Out to the internet, such as 5TB/month; from the traffic where not given."""
    inter_region_bytes_per_month: BytesPerMonth = 0.0
    """Between regions of the provider, such as replication."""
    ingestion_bytes_per_month: BytesPerMonth | None = None
    """In from the internet; from the traffic where not given."""


class Lifecycle(Input):
    """Everything that the model costs beside serving it; what is not stated is left out, and the bill says so."""

    training: Training | None = None
    """The initial training, such as {tokens: 15T, instance_type: p5.48xlarge, purchase: reserved-1y}."""
    fine_tuning: FineTuning | None = None
    """Recurring training, such as {tokens: 500M, per_month: 2, method: lora}."""
    storage: Storage | None = None
    """Data that is kept, such as {datasets: 2TB, replicas: 2, checkpoints: {kept: 5}}."""
    network: Network | None = None
    """Data that moves, such as {egress: 5TB/month}."""

    @model_validator(mode="after")
    def _counted(self) -> Self:
        for name in ("training", "fine_tuning"):
            found: Training | None = getattr(self, name)
            if found is not None and (found.tokens is None) == (found.items is None):
                raise InputError("expected tokens (language) or items (images), one of them").within(name)
        return self
