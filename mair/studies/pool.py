"""Work on many processes, and random streams that do not depend on how many.

The backend is joblib's: ``joblib.parallel_config`` around a call sends the same work elsewhere,
such as to a Dask cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from joblib import Parallel, delayed


def each(function: Callable, tasks: Iterable[tuple], processes: int = -1) -> Iterator:
    """Results of ``function(*task)``, one at a time, in the order of the tasks.

    Parameters
    ----------
    function : callable
        Of a module, so that another process can import it.
    tasks : iterable of tuple
    processes : int
        -1: one a processor.

    Yields
    ------
    object
        The same whatever the number of processes, where a task's random stream is its own.
    """
    yield from Parallel(n_jobs=processes, return_as="generator")(
        delayed(function)(*task) for task in tasks)


def stream(seed: int, *place: int) -> np.random.Generator:
    """The random stream of one task, by its place among the tasks."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=place))
