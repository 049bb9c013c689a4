"""What both scripts need to measure and to report: processes that answer in JSON, medians with spread, the machine."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def say(text: str) -> None:
    """Progress goes to standard error; the result alone to standard output."""
    print(text, file=sys.stderr, flush=True)


class Worker:
    """A resident process: one line of JSON when it is ready, then one for each line sent to it."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.name = name
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={**os.environ, **(env or {})})
        self.ready: dict[str, Any] = {}

    def wait_ready(self) -> None:
        """Block until its imports and its warm-up are over."""
        self.ready = self._answer()

    def ask(self, line: str) -> dict[str, Any]:
        """Send a line, wait for the answer."""
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with status {self.process.wait()}; its message is above")
        return json.loads(line)

    def close(self) -> None:
        """Close its input, upon which it ends."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def in_turn(names: Sequence[str], repeat: int) -> list[str]:
    """The order of a round: each round begins with the next, so that none always follows the same one."""
    shift = repeat % len(names)
    return [*names[shift:], *names[:shift]]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and range.

    >>> spread([1.0, 2.0, 4.0])
    '2.00 (1.00..4.00)'
    """
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}..{max(values):.{digits}f})"


def pairwise_ratios(others: Sequence[float], ours: Sequence[float]) -> list[float]:
    """Their time over ours, round by round."""
    return [other / our for other, our in zip(others, ours, strict=True)]


def machine() -> dict[str, Any]:
    """Processor, cores and the load that other programs put on them."""
    load = os.getloadavg() if hasattr(os, "getloadavg") else ()
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": [round(value, 2) for value in load],
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (head, *rows))
    lines = ["| " + " | ".join(cells) + " |" for cells in padded]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def save(result: dict[str, Any], path: Path | None) -> None:
    """Write a result as JSON, if a file was named."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n")
