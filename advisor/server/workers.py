"""Worker processes: as many requests at one time as there are workers, and none for longer than its time."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, TypeVar

from advisor.server.limits import Limits
from advisor.server.problems import Answer, problem

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

T = TypeVar("T")
_START_S = 120.0
"""Longest that a worker may take to load its tables: generous, because a machine may be busy."""


class Workers:
    """A fixed number of processes, each of which answers one request at a time.

    Args:
        limits: How many there are, and what each may use.
        catalogs: CSV files with machines and prices over the embedded ones.
    """

    def __init__(self, limits: Limits, catalogs: Sequence[str] = ()) -> None:
        self._limits = limits
        self._catalogs = tuple(catalogs)
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(limits.workers, thread_name_prefix="advisor-worker")
        self._all: set[_Worker] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    @property
    def ready(self) -> bool:
        """Whether some worker has loaded its tables."""
        return any(worker.loaded for worker in self._all)

    def start(self) -> None:
        """Start every worker, without waiting for them."""
        for _ in range(self._limits.workers):
            self._start_one()

    def close(self) -> None:
        """End every worker."""
        self._closed = True
        for worker in self._all:
            worker.end()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def answer(self, operation: str, body: bytes) -> Answer | None:
        """Return the answer of an idle worker; `None` where all are busy.

        Args:
            operation: What is asked.
            body: JSON of the request.
        """
        try:
            worker = self._idle.get_nowait()
        except asyncio.QueueEmpty:
            return None
        # A client that goes away must not take the worker with it.
        return await asyncio.shield(self._kept(self._asked(worker, operation, body)))

    async def _asked(self, worker: _Worker, operation: str, body: bytes) -> Answer:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, worker.ask, operation, body)
        if worker.alive:
            self._idle.put_nowait(worker)
        else:
            self._all.discard(worker)
            self._start_one()
        return found

    def _start_one(self) -> None:
        if self._closed:
            return
        worker = _Worker(self._limits, self._catalogs)
        self._all.add(worker)
        self._kept(self._load(worker))

    def _kept(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Return a task that runs to its end, whoever waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _load(self, worker: _Worker) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, worker.load)
        if worker.loaded:
            self._idle.put_nowait(worker)


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, limits: Limits, catalogs: Sequence[str]) -> None:
        self._limits = limits
        self._catalogs = catalogs
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self.loaded = False

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def load(self) -> None:
        """Start the process and wait until it has loaded its tables."""
        context = _context()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=work, args=(theirs, self._limits, self._catalogs), daemon=True, name="advisor-worker"
        )
        self._process.start()
        theirs.close()
        self.loaded = self._received(_START_S) is not None

    def ask(self, operation: str, body: bytes) -> Answer:
        """Return the answer; the process is ended where there is none in time."""
        assert self._pipe is not None  # noqa: S101 - only loaded workers are asked
        try:
            self._pipe.send((operation, body))
            found = self._received(self._limits.answer_s)
        except (EOFError, OSError):
            self.end()
            return problem(500, "the process that computed the answer ended; the server's log says more")
        if found is None:
            self.end()
            return problem(
                503,
                f"the answer took longer than the {self._limits.answer_s:g} s that the server allows; ask for less: fewer "
                "services, providers or rows",
            )
        return found

    def end(self) -> None:
        """Kill the process."""
        self.loaded = False
        if self._process is not None:
            self._process.kill()
            self._process.join(timeout=10)

    def _received(self, seconds: float) -> Answer | None:
        assert self._pipe is not None  # noqa: S101
        return self._pipe.recv() if self._pipe.poll(seconds) else None


def _context() -> Any:
    """Return the way to start processes: from one that has loaded the code, where the system can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["advisor.server.answers"])
    return context


def work(pipe: Connection, limits: Limits, catalogs: Sequence[str]) -> None:
    """Answer requests until the other end of the pipe is closed; the whole life of a worker process.

    Args:
        pipe: Brings an operation and a body, takes an `Answer`; the first one says that everything is loaded.
        limits: Time of the solver, and memory.
        catalogs: CSV files with machines and prices over the embedded ones.
    """
    import signal  # noqa: PLC0415 - heavy modules are loaded in the worker only

    from advisor.catalog import Catalog  # noqa: PLC0415
    from advisor.server.answers import Settings, answer  # noqa: PLC0415
    from advisor.server.sealing import seal  # noqa: PLC0415
    from advisor.solver import SolverSettings  # noqa: PLC0415

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    settings = Settings(
        Catalog.load().with_overrides(*catalogs) if catalogs else None,
        SolverSettings(time_limit_s=limits.solver_s),
    )
    answer("explain", b'{"workload": "small-cnn"}', settings)  # loads every table and strategy
    seal(limits.memory_bytes)
    pipe.send(Answer(204, b""))
    while True:
        try:
            operation, body = pipe.recv()
        except EOFError:
            return
        pipe.send(answer(operation, body, settings))
