"""What several test files share: finished runs, a browser, and when a missing one is a failure."""

import fcntl
import functools
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from mair.run import kernels
from mair.run import plan as run
from mair.trial import load

REQUIRED = "MAIR_REQUIRE_BROWSER"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")


@dataclass(frozen=True)
class Finished:
    """A finished run: its directory, and the lines that ``make`` printed last."""

    out: Path
    lines: list[str]


def _finished(params: str, name: str, tmp_path_factory) -> Finished:
    """One run through the command's own entry, the trial file named as ``make`` names it.

    Once for all processes of the suite: the first to come runs it, the others wait.
    """
    shared = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if shared else base) / name
    folder.mkdir(exist_ok=True)
    said = folder / "lines.json"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            lines: list[str] = []
            run.run(params, folder / "run", echo=lines.append)
            said.write_text(json.dumps(lines))
    return Finished(folder / "run", json.loads(said.read_text()))


@pytest.fixture(scope="session", autouse=True)
def server():
    """One process that forks the kernels of all runs of the suite, where each starts its own."""
    own = kernels.Server

    class Kept(own):
        def close(self):
            """Left for the next run."""

    kept = functools.cache(Kept)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "Server", kept)
        yield own
    if kept.cache_info().currsize:
        own.close(kept())


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory, an empty one."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def mair():
    """The default trial, loaded once a test file."""
    return load("params/mair.yaml")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Finished:
    """The default trial, run once for all tests that only read it."""
    return _finished("params/mair.yaml", "default", tmp_path_factory)


@pytest.fixture(scope="session")
def built(finished) -> Path:
    """Directory of the finished default run. Read it; copy it to change something."""
    return finished.out


@pytest.fixture(scope="session")
def built_real(tmp_path_factory) -> Path:
    """Directory of a finished run of Beat the Blues: real data, no published numbers."""
    return _finished("params/beat_the_blues.yaml", "real", tmp_path_factory).out


@pytest.fixture(scope="session")
def built_once(tmp_path_factory) -> Path:
    """Directory of a finished run of a tiny trial of which every result was seen once."""
    return _finished("tests/trials/once.yaml", "once", tmp_path_factory).out


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium; without it the test is skipped.

    One a module, not one a session: while it is open this thread has a running event loop,
    which other tests must not find.
    """
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where a browser is required, a browser test that is skipped has failed."""
    report = yield
    if (report.skipped and os.environ.get(REQUIRED) == "1"
            and item.get_closest_marker("browser")):
        report.outcome = "failed"
        report.longrepr = f"{REQUIRED}=1, but this was skipped: {call.excinfo.value}"
    return report
