"""What the catalogue knows: chips, rentable machines, their prices and the grid behind them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

GIB = float(2**30)
PURCHASES = ("on-demand", "spot", "reserved-1y", "reserved-3y")
DTYPES = ("fp32", "tf32", "fp16", "bf16", "fp8", "int8", "int4", "fp4")


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A chip that computes: one GPU, one TPU, or the vCPUs of one machine.

    In `Catalog.accelerators` a chip of kind `cpu` describes one vCPU and has no memory of its own; in an
    `InstanceType` it describes all vCPUs of the machine together.
    """

    id: str
    """Short name, such as `h100-sxm`."""
    vendor: str
    name: str
    kind: str
    """`gpu`, `cpu`, `tpu` or `asic`."""
    architecture: str
    compute_capability: float | None
    """NVIDIA's feature level, such as 8.9; `None` for other vendors."""
    memory_bytes: float
    """Memory of one device, as its driver reports it where a reading is known, else the size sold, in GiB."""
    memory_bandwidth_bytes_per_s: float
    peak_flops: Mapping[str, float]
    """Dense operations per second for each number type that the chip computes in; see `DTYPES`."""
    sparsity_2_4: bool
    """Whether two zeros in four weights double the rate."""
    tdp_w: float | None
    interconnect_bytes_per_s: float | None
    """Link to the neighbouring device, one direction."""
    source: str
    source_date: str
    confidence: str
    """`high`, `medium`, `low`, `derived` (arithmetic on published figures) or `assumed`."""
    notes: str = ""

    def __hash__(self) -> int:
        return hash((self.id, self.memory_bytes))

    def for_vcpus(self, vcpus: float, *, memory_bytes: float) -> "Accelerator":
        """Return the chip that `vcpus` vCPUs of this kind make together.

        Args:
            vcpus: Full vCPUs; a burstable machine counts only its guaranteed share of them.
            memory_bytes: Main memory of the machine.

        Source:
            Peak and bandwidth are proportional to the vCPUs: cores x GHz x operations per cycle, and the
            socket's bandwidth shared equally.
        """
        return replace(
            self,
            memory_bytes=memory_bytes,
            memory_bandwidth_bytes_per_s=self.memory_bandwidth_bytes_per_s * vcpus,
            peak_flops={dtype: peak * vcpus for dtype, peak in self.peak_flops.items()},
            tdp_w=None if self.tdp_w is None else self.tdp_w * vcpus,
        )


@dataclass(frozen=True, slots=True)
class Price:
    """What one machine costs for one hour under one way of buying it."""

    usd_per_h: float
    date: str
    """Day for which the price is known, `YYYY-MM-DD`; empty when the user gave none."""
    source: str
    kind: str
    """`published`, `estimate` (on-demand less a published average discount) or `user`."""

    def age_days(self, today: str) -> int | None:
        """Return how many days before `today` the price was known, or `None` when it has no date.

        Args:
            today: `YYYY-MM-DD`; passed in, because the catalogue has no clock.

        Example:
            >>> Price(1.0, "2026-09-06", "a price list", "published").age_days("2026-11-24")
            79
        """
        if not self.date:
            return None
        return (date.fromisoformat(today) - date.fromisoformat(self.date)).days


@dataclass(frozen=True, slots=True)
class InstanceType:
    """A machine that can be rented in one region of one provider."""

    name: str
    """The provider's name for it; unique together with provider and region."""
    provider: str
    region: str
    accelerator: Accelerator
    accelerator_count: int
    vcpus: int
    memory_bytes: float
    prices: Mapping[str, Price]
    """Price for each of `PURCHASES` that is offered and known; a missing one is not offered or unknown."""
    label: str = ""
    """The vendor's wording where the name was made for the command line."""
    sustained_vcpu_ratio: float = 1.0
    """Share of its vCPUs that a burstable machine may use all the time."""
    source: str = ""
    source_date: str = ""
    notes: str = ""
    overridden: Mapping[str, str] = field(default_factory=dict)
    """Where each field that does not come from the embedded table was given, by column name."""

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def id(self) -> str:
        """Provider, region and name, such as `aws/us-east-1/p5.48xlarge`."""
        return f"{self.provider}/{self.region}/{self.name}"

    @property
    def is_cpu_only(self) -> bool:
        """Whether the machine computes on its vCPUs."""
        return self.accelerator.kind == "cpu"

    def source_of(self, column: str) -> str:
        """Return where the value of a column of `instances.csv` comes from."""
        return self.overridden.get(column, self.source)


@dataclass(frozen=True, slots=True)
class GridIntensity:
    """How dirty the electricity of a region is, and how much of it cooling and losses add."""

    g_co2e_per_kwh: float
    """Location-based annual average."""
    pue: float
    """Energy of the whole site for each unit of energy of its machines."""
    source: str
    date: str
    method: str
    provider: str = ""
    region: str = ""
    location: str = ""
    pue_source: str = ""


@dataclass(frozen=True, slots=True)
class StoragePrice:
    """Price of keeping or moving data; tiers are cumulative over a month."""

    provider: str
    region: str
    service: str
    item: str
    unit: str
    tier_from_gb: float
    tier_to_gb: float | None
    usd_per_unit: float
    date: str
    source: str
    notes: str = ""
    kind: str = "published"
    """`published` or `user`."""
