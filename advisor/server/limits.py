"""What one request, and all of them together, may use."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.errors import InputError


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the server.

    Args:
        body_bytes: Largest body of a request; a workload has a few kB, a stored plan some 100 kB.
        answer_s: Longest that an answer may take; the solver may use two thirds of it.
        receive_s: Longest that a body may take to arrive.
        workers: Requests that are computed at one time; the next is told to come again.
        memory_bytes: Most memory of a worker.

    Raises:
        InputError: One of them is not above 0.
    """

    body_bytes: int = 4_000_000
    answer_s: float = 60.0
    receive_s: float = 15.0
    workers: int = 2
    memory_bytes: int = 4 * 2**30

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise InputError(f"{name}: got {value:g}; expected a number above 0")

    @property
    def solver_s(self) -> float:
        """Seconds that the solver may take."""
        return self.answer_s * 2 / 3
