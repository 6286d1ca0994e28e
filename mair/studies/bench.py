"""Rows of ``build/bench.json``: what a piece of work takes here and elsewhere, in one go."""

from __future__ import annotations

import datetime
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import timeit
import tracemalloc
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from mair.sections import measures
from mair.stats import covariance, mixed, risk_limits, simulated, smallsample, tests
from mair.trial import load
from mair.trial.errors import ROOT

SCRIPT = ROOT / "tests" / "oracles" / "bench.R"
PATH = Path("build", "bench.json")
BATCH = 10_000
GROWTH = {"participants": (40, 400, 4000, 40_000), "visits": (2, 3, 5, 7, 10),
          "draws": (1000, 10_000, 100_000, 1_000_000), "outcomes": (1, 4, 13, 40)}


def row(work, against, ours, theirs, runs):
    """One row; ``theirs`` None where the other side is not there.

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
    ours_s, theirs_s = median(ours), median(theirs) if theirs else None
    return {"work": work, "against": against, "ours_s": ours_s, "theirs_s": theirs_s,
            "ratio": None if theirs_s is None else theirs_s / ours_s, "runs": runs}


def example(batch, seed=2020):
    """Responses (batch, 123), design (123, 7), participants (123,) of 41 people at 3 visits.

    Columns: intercept, arm, two visits, two arm x visit, one covariate.
    """
    rng = np.random.default_rng(seed)
    people = np.repeat(np.arange(41), 3)
    visits = np.tile(np.eye(3)[:, 1:], (41, 1))
    arm = (people % 2).astype(float)[:, None]
    covariate = rng.normal(4, 2, 41)[people]
    X = np.c_[np.ones(123), arm, visits, arm * visits, covariate]
    mean = X @ np.array([60.0, 1, -4, -3, -8, -9, 2])
    y = mean + rng.normal(0, 10, (batch, 41))[:, people] + rng.normal(0, 8, (batch, 123))
    return y, X, people


def seconds(work, units=1, runs=5):
    """Seconds a unit of ``work()``, once for each run, after one run that is not counted."""
    work()
    return [taken / units for taken in timeit.repeat(work, number=1, repeat=runs)]


def refits(runs=5, batch=BATCH):
    """REML fits of ``batch`` responses, and under as many allocations, against MixedLM.fit."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    y, X, people = example(batch)
    with warnings.catch_warnings(record=True):  # its convergence warnings are not measured
        theirs = seconds(lambda: MixedLM(y[0], X, people).fit(reml=True), 1, runs)
    arms = np.random.default_rng(7).permuted(np.tile(np.arange(41) % 2, (batch, 1)), axis=1)
    works = {"reml_refit": partial(mixed.random_intercept, y, X, people),
             "reml_refit_designs": partial(mixed.random_intercept_arms, y[0], X[:, [0, 2, 3, 6]],
                                           X[:, [0, 2, 3]], people, arms.astype(float))}
    return [row(work, "statsmodels.MixedLM.fit", seconds(ours, batch, runs), theirs, runs)
            for work, ours in works.items()]


def counts(runs=5, batch=2000):
    """Newcombe's interval, ``batch`` tables at once, and an exact test of a 3 x 2 table."""
    from scipy.stats import fisher_exact
    from statsmodels.stats.proportion import confint_proportions_2indep

    rng = np.random.default_rng(11)
    x1, x2 = rng.integers(0, 23, batch), rng.integers(0, 20, batch)
    pairs = np.c_[x1, x2][:200].tolist()
    limits = partial(risk_limits.difference_limits, x1, 22, x2, 19, "newcombe", 0.95)
    theirs = partial(confint_proportions_2indep, nobs1=22, nobs2=19, method="newcomb",
                     compare="diff")
    tables = rng.integers(1, 9, (20, 3, 2))
    return [
        row("newcombe", "statsmodels.confint_proportions_2indep", seconds(limits, batch, runs),
            seconds(lambda: [theirs(count1=a, count2=b) for a, b in pairs], 200, runs), runs),
        row("fisher_3x2", "scipy.stats.fisher_exact (drawn)",
            seconds(lambda: [tests.fisher(table) for table in tables], 20, runs),
            seconds(lambda: [fisher_exact(table) for table in tables[:2]], 2, runs), runs)]


def against_r(runs=5, batch=BATCH):
    """Refits, and single fits with their inference, against R's packages where they are."""
    y, X, people = example(batch)
    visits = np.tile(np.arange(3), 41)

    def inferred(structure, inference):
        found = covariance.fit(y[0], X, people, visits, structure)
        return smallsample.contrast(found, np.eye(7)[4:6], inference)

    works = {
        ("reml_refit", "lme4::refit"): (partial(mixed.random_intercept, y, X, people), batch),
        ("satterthwaite", "lmerTest"): (partial(inferred, "random-intercept", "satterthwaite"), 1),
        ("kenward_roger", "pbkrtest"): (partial(inferred, "random-intercept", "kenward-roger"), 1),
        ("unstructured", "nlme::gls"): (partial(inferred, "unstructured", "z"), 1)}
    theirs = {}
    if shutil.which("Rscript"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "data.csv")
            pd.DataFrame({"id": people, "visit": visits, "arm": X[:, 1], "x": X[:, 6],
                          **{f"y{k}": y[k] for k in range(20)}}).to_csv(path, index=False)
            done = subprocess.run(["Rscript", str(SCRIPT), str(path), str(runs)], text=True,
                                  capture_output=True, check=False)
        lines = map(str.split, done.stdout.splitlines())  # package, then seconds, one a run
        theirs = {against: list(map(float, found)) for against, *found in lines}
    return [row(work, against, seconds(ours, units, runs), theirs.get(against), runs)
            for (work, against), (ours, units) in works.items()]


def make(runs=3):
    """Wall clock and user CPU of a run of the default trial from clean, environment there."""
    wall, cpu = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-m", "mair", "run", "params/mair.yaml", "--out",
                            f"{folder}/out"], cwd=ROOT, check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall.append(time.perf_counter() - begin)
        cpu.append(after.ru_utime - before.ru_utime)
    return [row(f"make, {what}", "", taken, [], runs)
            for what, taken in (("wall clock", wall), ("user CPU", cpu))]


def invented(folder, people, visits, outcomes, seed=1) -> Path:
    """A trial file of invented people, of whom one in seven leaves before the last visit."""
    rng, times = np.random.default_rng(seed), [f"v{k}" for k in range(visits)]
    treated, gone = np.arange(people) % 2, rng.random(people) < 1 / 7
    last = np.where(gone, rng.integers(1, visits, people), visits)
    frame = {"id": np.arange(people), "arm": np.array(["A", "B"])[treated]}
    for outcome in range(outcomes):
        y = rng.normal(50, 10, (people, 1)) + rng.normal(0, 7, (people, visits))
        y[:, 1:] -= 2.0 * treated[:, None]
        y[np.arange(visits) >= last[:, None]] = np.nan
        frame |= {f"o{outcome}_{time}": y[:, k].round(1) for k, time in enumerate(times)}
    pd.DataFrame(frame).to_csv(Path(folder, "data.csv"), index=False)
    path = Path(folder, "trial.yaml")
    path.write_text(json.dumps({
        "trial": f"{people} invented people", "data": "data.csv", "participant": "id",
        "arm": {"column": "arm", "control": "A", "treatment": "B"}, "visits": times,
        "outcomes": {f"o{k}": {"columns": [f"o{k}_{time}" for time in times], "better": "lower",
                               "primary": k == 0} for k in range(outcomes)}}), encoding="utf-8")
    return path


def growth(sizes=GROWTH, runs=3):
    """Seconds and peak megabytes of one analysis over its size, one size varied at a time."""
    def fit(people, visits):
        rng, each = np.random.default_rng(3), np.repeat(np.arange(people), visits)
        when = np.tile(np.arange(visits), people)
        time, arm = np.eye(visits)[when][:, 1:], (each % 2)[:, None]
        X = np.c_[np.ones(len(each)), arm, time, arm * time]
        y = rng.normal(50, 10, people)[each] + rng.normal(0, 7, len(each))
        return lambda: smallsample.contrast(covariance.fit(y, X, each, when, "unstructured"),
                                            np.eye(X.shape[1])[-1:], "kenward-roger")

    def power(draws):
        return lambda: simulated.simulated_power(20, 3, d=0.8, share=0.15, draws=draws,
                                                 rng=np.random.default_rng(4))

    def outcomes(count):
        with tempfile.TemporaryDirectory() as folder:
            trial = load(invented(folder, 100, 3, count))
        return lambda: measures.rows(replace(trial, _memo={}), "outcomes")

    works = {"participants": lambda n: fit(n, 3), "visits": lambda k: fit(200, k),
             "draws": power, "outcomes": outcomes}
    found = []
    for what, some in sizes.items():
        for size in some:
            work = works[what](size)
            tracemalloc.start()
            work()
            peak = tracemalloc.get_traced_memory()[1] / 2**20
            tracemalloc.stop()
            taken = timeit.repeat(work, number=1, repeat=runs)
            found.append(row(f"{size} {what}", "", taken, [], runs) | {"peak_mb": round(peak, 1)})
    return found


def main() -> Path:
    """Measure every row side by side in this run; print them and write them to `PATH`."""
    rows = [found for work in (refits, counts, against_r, growth, make) for found in work()]
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3g}".format))
    found = {"machine": {"processor": platform.machine(), "cores": os.cpu_count(),
                         "system": platform.system(), "python": platform.python_version()},
             "date": datetime.date.today().isoformat(), "rows": rows}
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return PATH
