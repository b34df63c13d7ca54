"""Where the services of a fleet are evaluated: the flag `--executor`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from advisor.errors import InputError

if TYPE_CHECKING:
    from concurrent.futures import Executor

PATIENCE_S = 5
"""How long a scheduler may take to answer, in seconds."""
EXECUTORS = "serial, threads, processes, a number of processes, or tcp://scheduler:8786 for a Dask cluster"


@contextmanager
def executor_named(name: str) -> Iterator[Executor | None]:
    """Yield the executor that a flag names; `None` for one service after the other in this process.

    Args:
        name: `serial`, `threads`, `processes`, a number of processes, or the address of a Dask scheduler.

    Raises:
        InputError: There is no such executor, Dask is not installed, or nothing answers at the address.
    """
    if name == "serial":
        yield None
    elif name == "threads":
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(os.cpu_count()) as threads:
            yield threads
    elif name == "processes" or (name.isdigit() and 0 < int(name) <= 4096):
        with _processes(int(name) if name.isdigit() else os.cpu_count() or 1) as processes:
            yield processes
    elif "://" in name:
        with _dask(name) as cluster:
            yield cluster
    else:
        raise InputError(f"--executor: got '{name}'; expected {EXECUTORS}")


def _processes(count: int) -> Executor:
    """Return a pool of new processes, which leave an interrupt from the keyboard to this one."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    return ProcessPoolExecutor(
        count,
        mp_context=get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    try:
        import distributed
    except ImportError as error:
        raise InputError(
            f"--executor {address}: needs Dask; pip install 'inference-advisor[dask]'"
        ) from error
    try:
        connect: Any = distributed.Client
        client = connect(address, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"--executor: no Dask scheduler answers at '{address}' ({error})") from error
    with client:
        yield client.get_executor()
