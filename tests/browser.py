"""Pages in a real browser, opened from a file, and what they did there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless-shell")
REQUIRED = os.environ.get("LOSSLENS_REQUIRE_BROWSER") == "1"
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--virtual-time-budget=8000", "--enable-logging=stderr", "--v=0",
)  # fmt: skip


@dataclass(frozen=True)
class Visit:
    """What happened while a page was open."""

    console: list[str]
    requests: list[str]
    dom: str
    probe: dict[str, object]


def browser() -> str:
    """The path of a browser; skips the test where there is none, fails it where one is required."""
    named = os.environ.get("LOSSLENS_BROWSER")
    found = next(filter(None, map(shutil.which, [named] if named else BROWSERS)), None)
    if found:
        return found
    why = f"no browser found: looked for {', '.join(BROWSERS)}; LOSSLENS_BROWSER can name one"
    if REQUIRED:
        pytest.fail(why)
    pytest.skip(why)


def visit(path: Path, profile: Path, *options: str) -> Visit:
    """Open a page with nothing but a fresh profile, and report what it did.

    A script of the page writes what it measures as JSON into ``data-probe`` of the root element.
    """
    log = profile.with_name(f"{path.name}.net.json")
    command = [browser(), *QUIET, f"--user-data-dir={profile}", f"--log-net-log={log}", *options]
    command += ["--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=180, check=True)
    probe = re.search(r'data-probe="([^"]*)"', done.stdout)
    assert probe, f"the page was not dumped: {done.stderr[-2000:]}"
    told = json.loads(probe[1].replace("&quot;", '"').replace("&amp;", "&"))
    console = re.findall(r"CONSOLE[:(]\d+\)?\] (.*)", done.stderr)
    return Visit(console, [*network(log), *told["requests"]], done.stdout, told)


def network(log: Path) -> list[str]:
    """Every address that the page asked for over the network; the browser's own errands have no origin."""
    text = log.read_text(encoding="utf-8", errors="replace")
    try:
        record = json.loads(text)
    except json.JSONDecodeError:  # a browser that ends before its log does leaves it open
        record = json.loads(text.rstrip().rstrip(",") + "]}")
    kind = record["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    jobs = [event["params"] for event in record["events"] if event["type"] == kind and "params" in event]
    return [job["url"] for job in jobs if job.get("initiator") != "not an origin" and "url" in job]
