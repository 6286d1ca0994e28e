"""Rows of ``build/bench.json``: what a piece of work takes here and elsewhere."""

from __future__ import annotations

import time
import warnings
from statistics import median

import numpy as np


def row(work, against, ours, theirs, runs):
    """One row; ``theirs`` None where the other side is not installed.

    Parameters
    ----------
    work, against : str
    ours, theirs : list of float
        Seconds a unit of work, one a run; the row holds medians.
    runs : int

    Returns
    -------
    dict
        ``work against ours_s theirs_s ratio runs``; ``ratio`` is theirs over ours.
    """
    ours_s, theirs_s = median(ours), None if theirs is None else median(theirs)
    return {"work": work, "against": against, "ours_s": ours_s, "theirs_s": theirs_s,
            "ratio": None if theirs_s is None else theirs_s / ours_s, "runs": runs}


def example(batch, seed=2020):
    """Responses (batch, 123), design (123, 7), participants (123,) of 41 people at 3 visits.

    Columns: intercept, arm, two visits, two arm x visit, one covariate.
    """
    rng = np.random.default_rng(seed)
    people = np.repeat(np.arange(41), 3)
    visit = np.tile(np.arange(3), 41)
    arm = (people % 2).astype(float)
    v1, v2 = (visit == 1).astype(float), (visit == 2).astype(float)
    covariate = rng.normal(4, 2, 41)[people]
    X = np.c_[np.ones(123), arm, v1, v2, arm * v1, arm * v2, covariate]
    mean = X @ np.array([60.0, 1, -4, -3, -8, -9, 2])
    y = mean + rng.normal(0, 10, (batch, 41))[:, people] + rng.normal(0, 8, (batch, 123))
    return y, X, people


def _seconds(work, units, runs):
    work()
    out = []
    for _ in range(runs):
        begin = time.perf_counter()
        work()
        out.append((time.perf_counter() - begin) / units)
    return out


def _mixedlm(y, X, people, runs):
    try:
        from statsmodels.regression.mixed_linear_model import MixedLM
    except ImportError:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its convergence warnings are not what is measured
        return _seconds(lambda: MixedLM(y, X, people).fit(reml=True), 1, runs)


def reml_refit(runs=5, batch=10000):
    """Seconds a REML fit, one design and ``batch`` responses, against one MixedLM.fit."""
    from mair.stats.mixed import random_intercept

    y, X, people = example(batch)
    ours = _seconds(lambda: random_intercept(y, X, people), batch, runs)
    return row("reml_refit", "statsmodels.MixedLM.fit", ours, _mixedlm(y[0], X, people, runs),
               runs)


def reml_refit_designs(runs=5, batch=10000):
    """Seconds a REML fit under ``batch`` random allocations of one trial, against MixedLM.fit."""
    from mair.stats.mixed import random_intercept_arms

    y, X, people = example(1)
    rng = np.random.default_rng(7)
    arms = rng.permuted(np.tile(np.arange(41) % 2, (batch, 1)), axis=1).astype(float)
    common, by_arm = X[:, [0, 2, 3, 6]], X[:, [0, 2, 3]]
    ours = _seconds(lambda: random_intercept_arms(y[0], common, by_arm, people, arms), batch, runs)
    return row("reml_refit_designs", "statsmodels.MixedLM.fit", ours,
               _mixedlm(y[0], X, people, runs), runs)
