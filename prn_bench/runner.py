"""Running batches on any ``concurrent.futures`` executor, through the death of workers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import TypeVar

from prn_bench.errors import BenchError

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 3  # tasks in flight for each worker: enough to keep it busy, few enough to bound memory
PATIENCE = 3  # times that workers may die in a row without one batch coming back


def run(
    work: Callable[[Item], Result],
    items: Sequence[tuple[int, Item]],
    *,
    jobs: int,
    scheduler: str | None = None,
) -> Iterator[tuple[int, Result]]:
    """Apply ``work`` to numbered items, and give the results as they come.

    Parameters
    ----------
    work : callable
        Importable by workers, pure.
    items : sequence of (number, item)
    jobs : int
        Worker processes; 1 works in this process.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://host:8786``, instead of local processes.

    Raises
    ------
    BenchError
        ``workers-die`` when workers keep dying, ``cluster-missing`` without Dask, ``no-scheduler``.
    """
    if jobs == 1 and scheduler is None:
        yield from ((number, work(item)) for number, item in items)
        return
    left, deaths = dict(items), 0
    while left:
        before = len(left)
        with _pool(jobs, scheduler) as (executor, n_workers):
            for number, result in _through(executor, work, left, AHEAD * n_workers):
                del left[number]
                yield number, result
        deaths = 0 if len(left) < before else deaths + 1
        if left and deaths >= PATIENCE:
            raise BenchError(
                f"workers died {deaths} times without finishing one of {len(left)} batches",
                code="workers-die",
                remedy="Usually memory ran out: take fewer --jobs. What is done is kept; "
                "the same command goes on from there.",
            )


def _through(
    executor: Executor,
    work: Callable[[Item], Result],
    left: dict[int, Item],
    ahead: int,
) -> Iterator[tuple[int, Result]]:
    """Results until all are in or a worker dies; what did not come back is simply not given."""
    waiting: dict[Future[Result], int] = {}
    todo = iter(list(left.items()))
    try:
        while True:
            while len(waiting) < ahead and (task := next(todo, None)) is not None:
                waiting[executor.submit(work, task[1])] = task[0]
            if not waiting:
                return
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield waiting.pop(future), future.result()
    except (BrokenExecutor, CancelledError):
        return
    except Exception as error:
        if type(error).__module__.startswith("distributed"):  # a node left, its task with it
            return
        raise
    finally:
        for future in waiting:
            future.cancel()


def _pool(jobs: int, scheduler: str | None) -> AbstractContextManager[tuple[Executor, int]]:
    if scheduler is None:
        return _local(jobs)
    return _cluster(scheduler)


@contextmanager
def _local(jobs: int) -> Iterator[tuple[Executor, int]]:
    with ProcessPoolExecutor(jobs, initializer=_end_with_parent) as executor:
        yield executor, jobs


def _end_with_parent() -> None:
    """A worker whose parent is killed would wait for ever, and hold the lock of its build."""
    parent = parent_process()
    if parent is not None:
        Thread(target=_wait_and_end, args=(parent,), daemon=True).start()


def _wait_and_end(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


@contextmanager
def _cluster(scheduler: str) -> Iterator[tuple[Executor, int]]:
    try:
        from distributed import Client
    except ImportError:
        raise BenchError(
            "a scheduler needs Dask",
            code="cluster-missing",
            remedy="Install it: pip install 'prn-bench[cluster]'.",
        ) from None
    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise BenchError(
            f"no Dask scheduler answers ({error})",
            code="no-scheduler",
            where=scheduler,
            remedy="Start one with `dask scheduler` and workers with `dask worker ADDRESS`.",
        ) from None
    with client, client.get_executor(retries=PATIENCE) as executor:
        yield executor, max(1, len(client.scheduler_info()["workers"]))
