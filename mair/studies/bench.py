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
    with warnings.catch_warnings(record=True):  # its convergence warnings are not measured
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


def newcombe(runs=5, batch=2000):
    """Seconds an interval of a risk difference, ``batch`` tables at once, against statsmodels."""
    from mair.stats.risk_limits import difference_limits

    rng = np.random.default_rng(11)
    x1, x2 = rng.integers(0, 23, batch), rng.integers(0, 20, batch)
    n1, n2 = np.full(batch, 22), np.full(batch, 19)
    ours = _seconds(lambda: difference_limits(x1, n1, x2, n2, "newcombe", 0.95), batch, runs)
    try:
        from statsmodels.stats.proportion import confint_proportions_2indep
    except ImportError:
        return row("newcombe", "statsmodels.confint_proportions_2indep", ours, None, runs)

    def theirs():
        for a, b in zip(x1[:200], x2[:200], strict=True):
            confint_proportions_2indep(int(a), 22, int(b), 19, method="newcomb", compare="diff")

    return row("newcombe", "statsmodels.confint_proportions_2indep", ours,
               _seconds(theirs, 200, runs), runs)


def fisher(runs=5):
    """Seconds an exact test of a 2 x 2 table, one at a time, against scipy."""
    from scipy.stats import fisher_exact

    from mair.stats.tests import fisher as exact

    rng = np.random.default_rng(12)
    tables = [[[int(a), 22 - int(a)], [int(b), 19 - int(b)]]
              for a, b in zip(rng.integers(1, 22, 100), rng.integers(1, 19, 100), strict=True)]
    return row("fisher", "scipy.stats.fisher_exact",
               _seconds(lambda: [exact(t) for t in tables], 100, runs),
               _seconds(lambda: [fisher_exact(t) for t in tables], 100, runs), runs)


def main(path="build/bench.json") -> int:
    """Measure every row side by side in this run; print them and write them to ``path``."""
    import datetime
    import json
    import os
    import platform
    from pathlib import Path

    rows = [work() for work in (reml_refit, reml_refit_designs, newcombe, fisher)]
    for one in rows:
        against = "not installed" if one["theirs_s"] is None else (
            f"{one['theirs_s']:.3g} s, {one['ratio']:.4g} times ours")
        print(f"{one['work']}: {one['ours_s']:.3g} s; {one['against']}: {against}")
    found = {"machine": {"processor": platform.machine(), "cores": os.cpu_count(),
                         "system": platform.system(), "python": platform.python_version()},
             "date": datetime.date.today().isoformat(), "rows": rows}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(path)
    return 0
