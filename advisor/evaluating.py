"""Services evaluated here, or on any `concurrent.futures.Executor`: threads, processes, other machines.

A fleet's services are evaluated in batches. Of each service only the candidates that the program may need come back, so
that memory stays small however many candidates there are; the chosen one is evaluated once more afterwards. The answer
does not depend on where the work was done, nor on the order in which it was finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from advisor.alike import Alike, likeness
from advisor.errors import InputError
from advisor.evaluation import Evaluation
from advisor.formulation import attribute_values, sharing_columns
from advisor.preparation import Prepared, prepared, priced
from advisor.terms import Terms
from advisor.verification import verify

if TYPE_CHECKING:
    from advisor.catalog import Catalog
    from advisor.plans import Plans
    from advisor.requirements import Requirements
    from advisor.strategy import Strategy
    from advisor.workload import Workload

BATCH = 16
"""Services evaluated in one go: few enough to keep every worker busy, enough to make sending them cheap."""
B = TypeVar("B")
T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Called with the services done and their number, each time some are."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Who evaluates.

    Args:
        executor: Where; here, one after the other, if not given.
        progress: Told how many services are done.
    """

    executor: Executor | None = None
    progress: Progress | None = None

    def mapped(self, call: Callable[[B], list[T]], batches: Sequence[B], *, count: int) -> list[T]:
        """Return what a call makes of each service in each batch, in their order."""
        done = 0
        found: list[list[T]] = [[] for _ in batches]
        for number, part in self._finished(call, batches):
            found[number] = part
            done += len(part)
            if self.progress is not None:
                self.progress(done, count)
        return [one for part in found for one in part]

    def _finished(self, call: Callable[[B], list[T]], batches: Sequence[B]) -> Iterator[tuple[int, list[T]]]:
        if self.executor is None or len(batches) == 1:
            yield from ((number, call(batch)) for number, batch in enumerate(batches))
            return
        futures: dict[Future[list[T]], int] = {
            self.executor.submit(call, batch): number for number, batch in enumerate(batches)
        }
        try:
            for future in as_completed(futures):
                yield futures.pop(future), future.result()
        except Exception as error:
            if not _is_lost(error):
                raise
            raise InputError(
                f"a worker stopped before it was done, perhaps for want of memory ({error}); try fewer workers"
            ) from error
        finally:
            for future in futures:
                future.cancel()


def _is_lost(error: Exception) -> bool:
    """Return whether an error says that a worker is gone; Dask's own is told by its name, for Dask is an extra."""
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"


@dataclass(frozen=True, slots=True)
class Asked:
    """One service to evaluate.

    Args:
        workload: What it serves.
        requirements: Its limits.
        priority: In its fleet.
        prepare: What evaluates it; it is sent to the worker.
    """

    workload: Workload
    requirements: Requirements
    priority: int = 1
    prepare: Callable[..., Prepared] = prepared


@dataclass(frozen=True, slots=True)
class _Batch:
    asked: tuple[Asked, ...]
    shared: Terms
    catalog: Catalog
    strategies: tuple[Strategy, ...]


def evaluated(
    asked: Sequence[Asked],
    shared: Terms,
    catalog: Catalog,
    strategies: Sequence[Strategy],
    workers: Workers,
) -> list[Prepared]:
    """Return the services of a fleet, each with the candidates that the program may need, in the order given.

    Args:
        asked: The services.
        shared: What holds for all of them together.
        catalog: Machines and prices.
        strategies: Strategies to consider.
        workers: Who evaluates them.
    """
    keys = [likeness(one.workload, one.requirements) for one in asked]
    order = sorted(range(len(asked)), key=keys.__getitem__)  # those alike share a batch, and the work
    batches = [
        _Batch(tuple(asked[at] for at in order[start : start + BATCH]), shared, catalog, tuple(strategies))
        for start in range(0, len(asked), BATCH)
    ]
    parts = workers.mapped(_evaluated, batches, count=len(asked))
    found = [one for _, one in sorted(zip(order, parts, strict=True), key=lambda pair: pair[0])]
    return [
        replace(
            one,
            evaluation=_at_home(one.evaluation, catalog),
            before=replace(one.before, evaluation=_at_home(one.before.evaluation, catalog)),
        )
        for one in found
    ]


def verified(
    services: Sequence[Prepared],
    chosen: Mapping[str, int],
    workers: Workers,
) -> None:
    """Evaluate the chosen candidate of each service once more, alone.

    Raises:
        EvaluationDisagreement: One comes out differently.
    """
    claims = [_Claim.of(one, chosen[one.name]) for one in sorted(services, key=_likeness)]
    batches = [claims[start : start + BATCH] for start in range(0, len(claims), BATCH)]
    workers.mapped(_verified, batches, count=len(services))


@dataclass(frozen=True, slots=True)
class _Claim:
    """A chosen candidate, and nothing of the others."""

    evaluation: Evaluation
    plans: Plans
    terms: Terms
    strategies: tuple[Strategy, ...]

    @classmethod
    def of(cls, one: Prepared, position: int) -> _Claim:
        plans = one.plans.take(np.array([position]))
        alone = replace(plans, engine=np.zeros(1, dtype=np.int64))
        return cls(one.evaluation.only(plans.engine), alone, one.terms, one.strategies)


def _likeness(one: Prepared) -> str:
    return likeness(one.evaluation.workload, one.requirements)


def condensed(one: Prepared, shared: Terms) -> Prepared:
    """Return a service with the candidates that the program may need, and their engines alone.

    A service without any plan keeps its candidates, so that what stands in the way can be found.

    Args:
        one: A service of a fleet, evaluated.
        shared: What holds for all services together.
    """
    evaluation = one.evaluation
    if not len(one.plans):
        fresh = Evaluation(
            evaluation.workload,
            evaluation.catalog,
            evaluation.candidates,
            evaluation.measured,
            evaluation.calibration,
        )
        return replace(one, evaluation=fresh)
    values = attribute_values(evaluation, one.plans, shared)
    needed = {*sharing_columns(one.case, values, shared)}
    if one.running is not None:  # and what would be chosen if nothing stood against a change
        needed |= {*sharing_columns(one.willing().case, values, shared)}
        needed |= set() if one.running.kept is None else {one.running.kept}
    return _of(one, np.array(sorted(needed)))


def _of(one: Prepared, positions: np.ndarray) -> Prepared:
    plans = one.plans.take(positions)
    engines, row = np.unique(plans.engine, return_inverse=True)
    return replace(
        one,
        evaluation=one.evaluation.only(engines),
        plans=replace(plans, engine=row.astype(np.int64)),
        running=one.running and one.running.take(positions),
        reduced=True,
    )


def _at_home(evaluation: Evaluation, catalog: Catalog) -> Evaluation:
    """Return an evaluation that refers to this process's catalogue instead of a copy of it."""
    found = replace(evaluation, catalog=priced(evaluation.workload, catalog))
    vars(found).update({name: value for name, value in vars(evaluation).items() if name != "catalog"})
    return found


def _evaluated(batch: _Batch) -> list[Prepared]:
    alike = Alike()
    services = (
        one.prepare(
            one.workload,
            one.requirements,
            batch.catalog,
            batch.strategies,
            priority=one.priority,
            alone=False,
            alike=alike,
        )
        for one in batch.asked
    )
    return [condensed(one, batch.shared) for one in services]


def _verified(batch: Sequence[_Claim]) -> list[str]:
    alike = Alike()
    for one in batch:
        verify(one.evaluation, one.plans, 0, one.terms, one.strategies, alike=alike)
    return [one.evaluation.workload.name for one in batch]
