"""Executors: serial (the reference) and resident local processes. Same trials, same results."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from losslens.run.spec import TrialSpec

ATTEMPTS = 2


@dataclass(frozen=True)
class Lost:
    """A trial whose worker process died each time it was tried."""

    spec: TrialSpec
    cause: str


class Executor(Protocol):
    """Runs trials and gives them back as they finish; asks before each start whether there is time left."""

    def run(self, specs: Iterable[TrialSpec], folder: Path, may_start: Callable[[], bool]) -> Iterator[Any]: ...


class Serial:
    """One trial after the other in this process."""

    def run(self, specs: Iterable[TrialSpec], folder: Path, may_start: Callable[[], bool]) -> Iterator[Any]:
        """Yield a ``Finished`` for each trial that was started."""
        from losslens.run.trial import run_trial

        for spec in specs:
            if not may_start():
                return
            yield run_trial(spec, folder)


class LocalProcesses:
    """Worker processes that stay: one per core, one thread each, over one memory-mapped copy of the data.

    A worker that dies (killed, out of memory) takes no other trial with it: the pool is renewed and what was
    running is tried once more.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cores()

    def run(self, specs: Iterable[TrialSpec], folder: Path, may_start: Callable[[], bool]) -> Iterator[Any]:
        """Yield a ``Finished`` or a ``Lost`` for each trial that was started, as they end."""
        waiting = [(spec, 0) for spec in specs]
        while waiting and may_start():
            pool = self._pool()
            try:
                waiting = yield from self._drain(pool, waiting, folder, may_start)
            finally:
                pool.shutdown(wait=False, kill_workers=True)

    def _drain(
        self, pool: Any, waiting: list[tuple[TrialSpec, int]], folder: Path, may_start: Callable[[], bool]
    ) -> Any:
        """Run until nothing waits, time is up or the pool breaks; return what has to be tried again."""
        running: dict[Future[Any], tuple[TrialSpec, int]] = {}
        queue = iter(waiting)
        left = len(waiting)
        while running or left:
            while left and len(running) < self.workers and may_start():
                spec, attempt = next(queue)
                left -= 1
                running[pool.submit(_work, spec, folder)] = (spec, attempt)
            if not running:
                return []
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                if _is_broken(future):
                    again = [(spec, attempt + 1) for spec, attempt in running.values()]
                    yield from (Lost(spec, _DIED) for spec, attempt in again if attempt >= ATTEMPTS)
                    return [pair for pair in again if pair[1] < ATTEMPTS] + list(queue)
                running.pop(future)
                yield future.result()
        return []

    def _pool(self) -> Any:
        from loky import ProcessPoolExecutor

        one = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        return ProcessPoolExecutor(self.workers, initializer=_start_worker, initargs=(os.getpid(),), env=one)


_DIED = "its worker process died each time (out of memory, or killed)"


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _is_broken(future: Future[Any]) -> bool:
    from concurrent.futures.process import BrokenProcessPool

    return isinstance(future.exception(), BrokenProcessPool)


def _start_worker(parent: int) -> None:
    """Leave interrupts to the driving process, and do not outlive it."""
    import threading

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _work(spec: TrialSpec, folder: Path) -> Any:
    from losslens.run.trial import run_trial

    return run_trial(spec, folder)
