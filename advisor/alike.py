"""Services that differ in their rates alone share what does not depend on them: candidates, losses, capacities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from advisor.evaluation import Evaluation

if TYPE_CHECKING:
    from advisor.catalog import InstanceType
    from advisor.requirements import Requirements
    from advisor.strategy import Option, Strategy
    from advisor.workload import Workload

Offers = list[list[Sequence["Option"]]]


def likeness(workload: Workload, requirements: Requirements) -> str:
    """Return a text that services share where nothing but their names and rates differs.

    Example:
        >>> from advisor import Requirements, Workload
        >>> one = Workload.load("small-cnn")
        >>> other = one.model_copy(update={"name": "other", "traffic": one.traffic.model_copy(update={"requests_per_s": 7.0})})
        >>> likeness(one, Requirements()) == likeness(other, Requirements())
        True
        >>> likeness(one, Requirements()) == likeness(other, Requirements(max_accuracy_loss="1%"))
        False
    """
    traffic = workload.traffic.model_copy(update={"requests_per_s": 1.0})
    plain = workload.model_copy(update={"name": "", "traffic": traffic})
    return f"{plain.model_dump_json()}{requirements.model_dump_json()}"


def _kinship(workload: Workload, requirements: Requirements) -> str:
    """Return a text that services share to whom the same options are open, at the same loss of accuracy."""
    sizes = {"input_tokens", "output_tokens", "image_size_px"}
    plain = workload.model_dump_json(
        exclude={"name": True, "traffic": True, "limits": True, "requests": sizes}
    )
    return f"{plain}{requirements.only}{requirements.without}"


@dataclass(frozen=True, slots=True)
class Alike:
    """Evaluations made so far, with one catalogue and the same benchmarks, by what their services have in common.

    A strategy may offer other options at other rates: an evaluation is taken again only where it offers the same.
    """

    known: dict[str, tuple[Offers, Evaluation]] = field(default_factory=dict)

    def evaluation(
        self,
        workload: Workload,
        requirements: Requirements,
        strategies: Sequence[Strategy],
        machines: Sequence[InstanceType],
        make: Callable[[], Evaluation],
    ) -> Evaluation:
        """Return the evaluation of a service: that of a service like it at its own rates, else a new one.

        Where only the sizes of requests and the latency limits differ, the new one keeps the candidates and what they lose.

        Args:
            workload: What the service serves.
            requirements: Its limits.
            strategies: Strategies to consider.
            machines: Machines to consider.
            make: Makes a new one.
        """
        offers: Offers = [
            [strategy.options(workload, machine) for strategy in strategies] for machine in machines
        ]
        ids = [machine.id for machine in machines]
        like, kin = (f"{text(workload, requirements)}{ids}" for text in (likeness, _kinship))
        known, related = self.known.get(like), self.known.get(kin)
        if known is not None and known[0] == offers:
            return known[1].at(workload)
        found = related[1].asked(workload) if related is not None and related[0] == offers else make()
        self.known[like] = self.known[kin] = offers, found
        return found
