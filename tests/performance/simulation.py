"""Discrete-event simulations of one replica: the oracle for the closed forms of latency under load.

Two servers are simulated event by event with simpy, from the same assumptions as the closed forms and without their
approximations: an engine with continuous batching (a loop of steps) and a server with dynamic batching (whole batches).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Process = Generator[simpy.Event, Any, None]


def lognormal(rng: np.random.Generator, *, mean: float, cv: float, size: int) -> Floats:
    """Return samples with that mean and coefficient of variation (constant where the cv is 0)."""
    if cv == 0:
        return np.full(size, float(mean))
    sigma_squared = np.log1p(cv**2)
    return rng.lognormal(np.log(mean) - sigma_squared / 2, np.sqrt(sigma_squared), size)


def arrival_times_s(rng: np.random.Generator, *, requests_per_s: float, cv: float, size: int) -> Floats:
    """Return the arrival times of a renewal process with gamma interarrival times (constant where the cv is 0)."""
    if cv == 0:
        return np.arange(1, size + 1) / requests_per_s
    return np.cumsum(rng.gamma(cv**-2, cv**2 / requests_per_s, size))


@dataclass(frozen=True, slots=True)
class ServedTokens:
    """Latencies of the requests of one run, in order of arrival, warm-up removed."""

    ttft_s: Floats
    tpot_s: Floats
    e2e_s: Floats
    mean_in_flight: float


class ContinuousBatchingSimulation:
    """An engine that runs steps; each step decodes every running sequence and prefills the newly admitted prompts."""

    def __init__(
        self,
        *,
        step_s: Callable[[int], float],
        arrivals_s: Floats,
        prefill_s: Floats,
        output_tokens: Floats,
        max_sequences: float = np.inf,
        prompts_per_step: float = np.inf,
    ) -> None:
        self.step_s, self.prefill_s, self.arrivals_s = step_s, prefill_s, arrivals_s
        self.output_tokens = np.maximum(np.rint(output_tokens), 1).astype(int)
        self.max_sequences, self.prompts_per_step = max_sequences, prompts_per_step
        self.first_token_s, self.end_s = np.full(arrivals_s.size, np.nan), np.full(arrivals_s.size, np.nan)
        self.waiting: deque[int] = deque()
        self.running: list[tuple[int, int]] = []  # (number of the step that emits the last token, request)
        self.env = simpy.Environment()
        self.wake = self.env.event()
        self.busy_sequence_s = 0.0

    def _arrive(self) -> Process:
        for request, time_s in enumerate(self.arrivals_s):
            yield self.env.timeout(max(time_s - self.env.now, 0.0))
            self.waiting.append(request)
            if not self.wake.triggered:
                self.wake.succeed()

    def _admitted(self, step: int) -> list[int]:
        admitted: list[int] = []
        while (
            self.waiting and len(self.running) < self.max_sequences and len(admitted) < self.prompts_per_step
        ):
            request = self.waiting.popleft()
            admitted.append(request)
            heapq.heappush(self.running, (step + int(self.output_tokens[request]) - 1, request))
        return admitted

    def _run_engine(self) -> Process:
        step = 0
        while True:
            if not self.waiting and not self.running:
                self.wake = self.env.event()
                yield self.wake
            admitted = self._admitted(step)
            duration_s = self.step_s(len(self.running)) + float(self.prefill_s[admitted].sum())
            yield self.env.timeout(duration_s)
            self.busy_sequence_s += duration_s * len(self.running)
            self.first_token_s[admitted] = self.env.now
            while self.running and self.running[0][0] <= step:
                self.end_s[heapq.heappop(self.running)[1]] = self.env.now
            step += 1

    def run(self, *, warm_up_share: float = 0.1) -> ServedTokens:
        """Return the latencies of the requests that arrived after the warm-up and well before the end."""
        self.env.process(self._arrive())
        self.env.process(self._run_engine())
        self.env.run(until=float(self.arrivals_s[-1]))
        measured = slice(
            int(warm_up_share * self.arrivals_s.size), int((1 - warm_up_share) * self.arrivals_s.size)
        )
        arrival, first, end = self.arrivals_s[measured], self.first_token_s[measured], self.end_s[measured]
        steps_after_first = np.maximum(self.output_tokens[measured] - 1, 1)
        return ServedTokens(
            ttft_s=first - arrival,
            tpot_s=(end - first) / steps_after_first,
            e2e_s=end - arrival,
            mean_in_flight=self.busy_sequence_s / self.env.now,
        )


class DynamicBatchingSimulation:
    """Instances that take whole batches from one queue: at most `max_batch`, waiting at most `max_queue_delay_s`."""

    def __init__(
        self,
        *,
        batch_s: Callable[[int], float],
        max_batch: int,
        max_queue_delay_s: float = 0.0,
        instances: int = 1,
    ) -> None:
        self.batch_s, self.max_batch, self.max_queue_delay_s = batch_s, max_batch, max_queue_delay_s
        self.env = simpy.Environment()
        self.queue: deque[float] = deque()
        self.idle = instances
        self.latencies_s: list[float] = []
        self.batches: list[int] = []
        self.on_completion: Callable[[int], None] = lambda batch: None

    def enqueue(self) -> None:
        """Put one request in the queue now and start a batch if one is due."""
        self.queue.append(self.env.now)
        self._start_due_batches()
        if self.queue and self.max_queue_delay_s > 0:
            self.env.process(self._start_after_delay())

    def _start_after_delay(self) -> Process:
        yield self.env.timeout(self.max_queue_delay_s)
        self._start_due_batches()

    def _is_due(self) -> bool:
        waited_s = self.env.now - self.queue[0]
        return len(self.queue) >= self.max_batch or waited_s >= self.max_queue_delay_s * (1 - 1e-9)

    def _start_due_batches(self) -> None:
        while self.idle and self.queue and self._is_due():
            arrivals = [self.queue.popleft() for _ in range(min(self.max_batch, len(self.queue)))]
            self.idle -= 1
            self.env.process(self._serve(arrivals))

    def _serve(self, arrivals: list[float]) -> Process:
        yield self.env.timeout(self.batch_s(len(arrivals)))
        self.batches.append(len(arrivals))
        self.latencies_s.extend(self.env.now - time_s for time_s in arrivals)
        self.idle += 1
        self._start_due_batches()
        self.on_completion(len(arrivals))

    def run_open_loop(self, arrivals_s: Floats, *, warm_up_share: float = 0.1) -> Floats:
        """Return the latencies of requests that arrive at those times."""

        def arrive() -> Process:
            for time_s in arrivals_s:
                yield self.env.timeout(max(time_s - self.env.now, 0.0))
                self.enqueue()

        self.env.process(arrive())
        self.env.run(until=float(arrivals_s[-1]))
        return np.array(self.latencies_s[int(warm_up_share * len(self.latencies_s)) :])

    def run_closed_loop(self, *, concurrency: int, requests: int) -> Floats:
        """Return the latencies when each of `concurrency` clients sends its next request at once after an answer."""

        def refill(batch: int) -> None:
            for _ in range(batch):
                self.enqueue()

        self.on_completion = refill
        refill(concurrency)
        while len(self.latencies_s) < requests:
            self.env.step()
        return np.array(self.latencies_s[len(self.latencies_s) // 5 :])
