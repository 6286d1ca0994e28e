"""Long work on many processes or a cluster, and random streams that do not depend on how many.

The backend is joblib's: this machine's processes, or a Dask cluster. Inside `job` each finished
task is kept in ``build/<name>/chunks``, so that a run that was stopped goes on where it stood; a
task's random stream is its own, so the result is the same bytes wherever it runs.
"""

from __future__ import annotations

import os
import pickle
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import joblib
import numpy as np

from mair.trial.errors import TrialError

TRIES = 4  # of what a killed process took with it
TIMEOUT = 10  # seconds to wait for a scheduler
SAID = 10.0  # seconds between two lines of progress
PACKAGE = Path(__file__).resolve().parent.parent
_folders: ContextVar = ContextVar("folders", default=None)  # a job's: its own, then chunks'


def each(function: Callable, tasks: Iterable[tuple], processes: int = -1) -> Iterator:
    """Results of ``function(*task)``, one at a time, in the order of the tasks.

    Parameters
    ----------
    function : callable
        Of a module, so that another process can import it.
    tasks : iterable of tuple
    processes : int
        -1: one a processor. A cluster has as many as it has.

    Yields
    ------
    object
        The same whatever the number of processes, where a task's random stream is its own.
    """
    tasks, folders = list(tasks), _folders.get()
    folder = None if folders is None else _folder(function, tasks)
    found = {} if folder is None else {
        place: pickle.loads(file.read_bytes()) for place in range(len(tasks))
        if (file := folder / f"{place}.pickle").exists()}
    left = {place: task for place, task in enumerate(tasks) if place not in found}
    done = _computed(function, left, processes)
    if folder is not None:
        folders.append(folder)
        say = _progress(len(tasks), len(found))
    for place in range(len(tasks)):
        while place not in found:
            finished, result = next(done)
            found[finished] = result
            if folder is not None:
                _store(folder / f"{finished}.pickle", result)
                say()
        yield found.pop(place)


def _computed(function, left, processes):
    """(place, result) of the tasks of ``left``, by place, as they finish."""
    for attempt in range(TRIES):
        try:
            for place, result in joblib.Parallel(
                    n_jobs=processes, batch_size=1, return_as="generator_unordered")(
                    joblib.delayed(_placed)(function, *one) for one in list(left.items())):
                del left[place]
                yield place, result
            return
        except BrokenProcessPool:  # a process was killed; what it had not finished is repeated
            if attempt == TRIES - 1:
                raise


def _placed(function, place, task):
    return place, function(*task)


def summed(function: Callable, cells: Iterable[tuple], blocks: Iterable[tuple],
           processes: int = -1) -> Iterator[tuple]:
    """For each cell, the sum of ``function(*cell, *block)`` over the blocks, and its first term.

    As `each`, of which every cell and block is a task.
    """
    cells, blocks = list(cells), list(blocks)
    done = each(function, [(*cell, *block) for cell in cells for block in blocks], processes)
    for _ in cells:
        parts = [next(done) for _ in blocks]
        yield sum(parts), parts[0]


def stream(seed: int, *place: int) -> np.random.Generator:
    """The random stream of one task, by its place among the tasks."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=place))


@contextmanager
def job(name: str, scheduler: str | None = None):
    """Long work that can be stopped and goes on: what `each` has finished is kept until the end.

    Parameters
    ----------
    name : str
        Of the folder ``build/<name>/chunks``. Chunks of other tasks, or of another version of
        this package, are not taken.
    scheduler : str, optional
        Address of a Dask cluster's scheduler, as ``tcp://host:8786``. Default: the processors
        of this machine.

    Raises
    ------
    TrialError
        Dask is not installed, nobody answers there, or a worker has another version.
    """
    own = Path("build") / name / "chunks"
    token = _folders.set(folders := [own])
    try:
        with _cluster(scheduler) if scheduler else nullcontext():
            yield
    finally:
        _folders.reset(token)
    for folder in folders[1:]:
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (own, own.parent):
        if folder.exists() and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def _cluster(address):
    try:
        from distributed import Client
    except ImportError:
        raise TrialError(["SCHEDULER: Dask is not installed; pip install 'mair[dask]'"]) from None
    try:
        client = Client(address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise TrialError([f"SCHEDULER={address}: nobody answers there; expected the address of a "
                          f"Dask scheduler, as tcp://host:8786 ({error})"]) from None
    with client:
        for worker, code in client.run(code_version).items():
            if code != code_version():
                raise TrialError([f"SCHEDULER={address}: the worker {worker} has another version "
                                  "of this package or of NumPy; install ours there"])
        with joblib.parallel_config("dask", client=client):
            yield


@cache
def code_version() -> str:
    """A hash of what decides a result besides its task: this package's modules, NumPy, SciPy."""
    found = sha256("".join(version(name) for name in ("numpy", "scipy", "pandas")).encode())
    for path in sorted(PACKAGE.rglob("*.py")):
        found.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


def _folder(function, tasks):
    """Where the results of these tasks are kept."""
    what = code_version(), function.__module__, function.__qualname__, tasks
    return _folders.get()[0] / joblib.hash(what)


def _store(file, result):
    """Write beside, then rename: a file that is there is whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(f".{os.getpid()}")
    beside.write_bytes(pickle.dumps(result))
    beside.replace(file)


def _progress(size, before):
    """A function that notes a finished task and now and then says how many, and what is left."""
    start = last = time.monotonic()
    done = before

    def say():
        nonlocal done, last
        done, now = done + 1, time.monotonic()
        if now - last >= SAID:
            last, rest = now, (now - start) / (done - before) * (size - done)
            print(f"{done} of {size} done, {now - start:.0f} s; about {rest:.0f} s left",
                  file=sys.stderr, flush=True)

    if before:
        print(f"{before} of {size} were done before", file=sys.stderr, flush=True)
    return say
