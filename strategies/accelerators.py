"""Accelerators: how many chips one replica spans on each kind of machine (specialised hardware and right-sizing)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from advisor.strategy import Deltas, Option, Requires, neutral

if TYPE_CHECKING:
    from advisor.catalog import InstanceType
    from advisor.workload import Workload


class Accelerators:
    """Tensor parallelism in powers of two up to the machine's chips; the machines themselves come from the catalogue."""

    name = "accelerators"
    title = "Accelerators"

    def options(self, workload: Workload, instance_type: InstanceType) -> Sequence[Option]:
        """Return today's number of chips a replica, then the other powers of two; see `advisor.strategy.Strategy`."""
        today = min(workload.serving.accelerators_per_replica, instance_type.accelerator_count)
        keep = neutral(f"{_chips(today)} a replica")
        if workload.model.family != "decoder":
            return [keep]
        sizes = (size for size in (1, 2, 4, 8) if size <= instance_type.accelerator_count and size != today)
        return [keep, *(_option(size) for size in sizes)]


def _chips(count: int) -> str:
    return "One accelerator" if count == 1 else f"{count} accelerators"


@cache
def _option(size: int) -> Option:
    return Option(
        id=f"tensor-parallel-{size}",
        title=f"{_chips(size)} a replica",
        deltas=Deltas(accelerators_per_replica=size, engineer_hours=4.0),
        requires=Requires(families=("decoder",)),
        evidence=("QU-0666", "HW-0019", "HW-0031", "HW-0032"),
        sources=("assumed: working hours to change one engine setting",),
        steps=(
            f"Start the engine with tensor parallelism {size}; the machine's other chips serve further replicas.",
        ),
        artefacts=(("vllm", f"--tensor-parallel-size {size}"),),
    )


strategy = Accelerators()
