"""Executors: serial (the reference) and resident local processes. Same trials, same results."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from losslens.run.spec import TrialSpec

ATTEMPTS = 2
Waiting = deque[tuple[TrialSpec, int]]  # with the number of attempts that failed


@dataclass(frozen=True)
class Lost:
    """A trial whose worker process died each time it was tried."""

    spec: TrialSpec
    cause: str


class Executor(Protocol):
    """Runs trials and gives them back as they finish; asks before each start whether there is time left."""

    def run(self, specs: Iterable[TrialSpec], folder: Path, may_start: Callable[[], bool]) -> Iterator[Any]:
        """Yield a ``Finished`` or a ``Lost`` for each trial that was started, in any order."""
        ...


class Serial:
    """One trial after the other in this process; ``looking`` is a ``Watched`` for trials of self-supervised methods."""

    def __init__(self, looking: Any = None) -> None:
        self.looking = looking

    def run(self, specs: Iterable[TrialSpec], folder: Path, may_start: Callable[[], bool]) -> Iterator[Any]:
        """Yield a ``Finished`` for each trial that was started."""
        for spec in specs:
            if not may_start():
                return
            with _one_thread():
                finished = _work(spec, folder, self.looking)
            yield finished


class LocalProcesses:
    """Worker processes that stay: one per core, one thread each, over one memory-mapped copy of the data.

    A worker that dies (killed, out of memory) takes no other trial with it: the pool is renewed and what was
    running is tried once more, each trial alone.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cores()

    def run(self, specs: Iterable[TrialSpec], folder: Path, may_start: Callable[[], bool]) -> Iterator[Any]:
        """Yield a ``Finished`` or a ``Lost`` for each trial that was started, as they end."""
        waiting = deque((spec, 0) for spec in specs)
        while waiting and may_start():
            pool = self._pool()
            try:
                yield from self._drain(pool, waiting, folder, may_start)
            finally:
                pool.shutdown(wait=False, kill_workers=True)

    def _drain(self, pool: Any, waiting: Waiting, folder: Path, may_start: Callable[[], bool]) -> Iterator[Any]:
        """Run until nothing waits, time is up or the pool breaks; what has to be tried again waits at the front."""
        running: dict[Future[Any], tuple[TrialSpec, int]] = {}
        while waiting or running:
            while self._has_room(waiting, running) and may_start():
                spec, attempt = waiting.popleft()
                with _interrupts_held():
                    running[pool.submit(_work, spec, folder)] = (spec, attempt)
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            broken = {future for future in done if _is_broken(future)}
            for future in done - broken:
                running.pop(future)
                yield future.result()
            if broken:
                yield from _given_up(running.values(), waiting)
                return

    def _has_room(self, waiting: Waiting, running: dict[Future[Any], tuple[TrialSpec, int]]) -> bool:
        """Whether the next trial may join those running; a second attempt runs alone, to show whose fault it is."""
        alone = bool(waiting and waiting[0][1]) or any(attempt for _, attempt in running.values())
        return bool(waiting) and len(running) < (1 if alone else self.workers)

    def _pool(self) -> Any:
        from loky import ProcessPoolExecutor

        one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        return ProcessPoolExecutor(self.workers, initializer=_start_worker, initargs=(os.getpid(),), env=one)


_DIED = "its worker process died each time (out of memory, or killed)"


def _given_up(failed: Iterable[tuple[TrialSpec, int]], waiting: Waiting) -> list[Lost]:
    """Those that failed too often; the others are put at the front of what waits."""
    again = [(spec, attempt + 1) for spec, attempt in failed]
    waiting.extendleft(pair for pair in reversed(again) if pair[1] < ATTEMPTS)
    return [Lost(spec, _DIED) for spec, attempt in again if attempt >= ATTEMPTS]


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread in every numeric library, as in a worker: sums taken in another order have other last digits."""
    import scipy.linalg  # noqa: F401  both loaded here, as a library that comes later is not limited
    import sklearn.cluster  # noqa: F401
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):
        yield


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start processes that no Ctrl-C reaches, from their first instruction; this one gets it right after."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # it unblocks signals when it starts, so not while a worker does
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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


def _work(spec: TrialSpec, folder: Path, looking: Any = None) -> Any:
    from losslens.run.trial import run_trial

    return run_trial(spec, folder, looking) if looking else run_trial(spec, folder)
