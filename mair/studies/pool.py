"""Long work on many processes or a cluster, and random streams that do not depend on how many.

The backend is joblib's: this machine's processes, or a Dask cluster. Inside `job` each finished
task is kept in ``build/<name>/chunks``, so that a run that was stopped goes on where it stood; a
task's random stream is its own, so the result is the same bytes wherever it runs.
"""

import ctypes
import os
import pickle
import platform
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

TRIES = 3  # more, of what a killed process took with it
TIMEOUT = 10  # seconds to wait for a scheduler, and for its workers
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
    left, found = dict(enumerate(tasks)), {}
    done = (_computed if _folders.get() is None else _kept)(function, left, processes)
    for place in range(len(left)):
        while place not in found:
            found.update([next(done)])
        yield found.pop(place)


def _kept(function, left, processes):
    """As `_computed`, in a job: what an earlier run finished is read, what this one does stored.

    Now and then it says how many are done, and what is left.
    """
    what = code_version(), function.__module__, function.__qualname__, [*left.values()]
    folder, size = _folders.get()[0] / joblib.hash(what), len(left)
    _folders.get().append(folder)
    files = {place: folder / f"{place}.pickle" for place in left}
    for place in [place for place, file in files.items() if file.exists()]:
        del left[place]
        yield place, pickle.loads(files[place].read_bytes())
    if before := size - len(left):
        print(f"{before} of {size} were done before", file=sys.stderr, flush=True)
    start = last = time.monotonic()
    for done, (place, result) in enumerate(_computed(function, left, processes), before + 1):
        _store(files[place], result)
        if (now := time.monotonic()) - last >= SAID:
            last, rest = now, (now - start) / (done - before) * (size - done)
            print(f"{done} of {size} done, {now - start:.0f} s; about {rest:.0f} s left",
                  file=sys.stderr, flush=True)
        yield place, result


def _computed(function, left, processes, tries=TRIES):
    """(place, result) of the tasks of ``left``, by place, as they finish."""
    try:
        for place, result in joblib.Parallel(
                n_jobs=processes, batch_size=1, pre_dispatch="all",  # a later worker has some too
                return_as="generator_unordered")(
                joblib.delayed(_placed)(function, *one) for one in list(left.items())):
            del left[place]
            yield place, result
    except BrokenProcessPool:  # a process was killed; what it had not finished is repeated
        if not tries:
            raise
        yield from _computed(function, left, processes, tries - 1)


def _placed(function, place, task):
    _keep_memory()
    return place, function(*task)


@cache
def _keep_memory():
    """Have glibc keep the memory that this process frees, for its next arrays.

    Else those above 128 KB are mapped anew and faulted in page by page: in a Dask worker all of
    them, as its nanny sets ``MALLOC_TRIM_THRESHOLD_``, which ends glibc's own adjustment.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 32 * 2**20)  # M_MMAP_THRESHOLD, the largest there may be
        libc.mallopt(-1, 256 * 2**20)  # M_TRIM_THRESHOLD


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
        try:
            client.wait_for_workers(2, timeout=TIMEOUT)  # joblib does the work of one itself
        except TimeoutError as error:
            raise TrialError([f"SCHEDULER={address}: expected two workers or more, of one thread "
                              f"each ({error})"]) from None
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


def _store(file, result):
    """Write beside, then rename: a file that is there is whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(f".{os.getpid()}")
    beside.write_bytes(pickle.dumps(result))
    beside.replace(file)
