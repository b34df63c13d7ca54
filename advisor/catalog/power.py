"""How much electricity a machine draws, from its chips' design power and published host averages."""

from dataclasses import dataclass

from advisor.catalog.records import GIB, InstanceType

_CCF = "npm @cloud-carbon-footprint/aws 0.15.0, AwsFootprintEstimationConstants.ts (Apache-2.0)"
GPU_IDLE_RATIO = 46 / 407
"""Idle share of a busy GPU's power: NVIDIA A100, 46 W of 407 W; T4, V100 and A10G agree. Source: see `_CCF`."""
CPU_IDLE_RATIO = 0.64 / 3.97
"""Idle share of a busy vCPU's power: Xeon Cascade Lake, 0.64 W of 3.97 W. Source: see `_CCF`."""
HOST_IDLE_W_PER_VCPU = 0.74
HOST_BUSY_W_PER_VCPU = 3.5
"""AWS fleet averages for one vCPU. Source: see `_CCF`."""
MEMORY_W_PER_GIB = 0.392
"""Source: see `_CCF` (0.000392 kWh for one GB and hour)."""
ASSUMED_CHIP_W = {"gpu": 300.0, "tpu": 250.0, "asic": 250.0, "cpu": 0.0}
"""Used where the vendor publishes no power; `PowerModel.basis` then says `assumed`."""


@dataclass(frozen=True, slots=True)
class PowerModel:
    """A straight line from idle to busy, without cooling and losses (those are the grid's `pue`)."""

    idle_w: float
    busy_w: float
    basis: str
    """`published` when every term has a published figure, else `assumed`."""
    source: str

    def at(self, utilization: float) -> float:
        """Return the power at a utilization between 0 and 1, in watts; arrays are welcome."""
        return self.idle_w + (self.busy_w - self.idle_w) * utilization


def power_model(instance: InstanceType) -> PowerModel:
    r"""Return the power line of a machine.

    $$P(u) = P_0 + (P_1 - P_0)\\,u, \\quad P_1 = n\\,W_{TDP} + c\\,w_1 + m\\,w_m, \\quad P_0 = i\\,n\\,W_{TDP} + c\\,w_0 + m\\,w_m$$

    with $n$ accelerators of design power $W_{TDP}$ and idle share $i$, $c$ vCPUs and $m$ GiB of memory. A machine
    that computes on its vCPUs has no host besides them ($c = 0$).

    Assumes:
        The host's vCPUs are as busy as the accelerators. Fans, network cards and power supplies are left out.

    Source:
        Cloud Carbon Footprint, methodology: power between a minimum and a maximum, linear in utilization.

    Example:
        >>> from advisor.catalog import Catalog
        >>> line = power_model(Catalog.load().instance("p5.48xlarge"))
        >>> round(line.idle_w), round(line.busy_w)
        (1578, 7075)
    """
    chip = instance.accelerator
    cpu_only = instance.is_cpu_only
    known = chip.tdp_w is not None
    chip_w = chip.tdp_w if chip.tdp_w is not None else ASSUMED_CHIP_W[chip.kind]
    chips_w = chip_w * instance.accelerator_count
    host_vcpus = 0 if cpu_only else instance.vcpus
    memory_w = MEMORY_W_PER_GIB * instance.memory_bytes / GIB
    idle_ratio = CPU_IDLE_RATIO if cpu_only else GPU_IDLE_RATIO
    return PowerModel(
        idle_w=idle_ratio * chips_w + HOST_IDLE_W_PER_VCPU * host_vcpus + memory_w,
        busy_w=chips_w + HOST_BUSY_W_PER_VCPU * host_vcpus + memory_w,
        basis="published" if known and chip.confidence != "assumed" else "assumed",
        source=f"{'design power: ' + chip.source if known else 'design power assumed'}; idle share and host: {_CCF}",
    )


def power_w(instance: InstanceType, utilization: float) -> float:
    """Return the electrical power of a machine in watts, at a utilization between 0 and 1.

    Raises:
        ValueError: The utilization is not between 0 and 1.

    Example:
        >>> from advisor.catalog import Catalog
        >>> round(power_w(Catalog.load().instance("g6.xlarge", region="us-east-1"), utilization=0.5), 1)
        54.8
    """
    if not 0 <= utilization <= 1:
        raise ValueError(f"utilization is {utilization}; expected a share between 0 and 1")
    return power_model(instance).at(utilization)
