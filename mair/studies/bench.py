"""Rows of ``build/bench.json``: what a piece of work takes here and elsewhere, in one go."""

import datetime
import json
import os
import platform
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
from matplotlib.ticker import EngFormatter

from mair.report import figure, style
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


def example(batch=1, people=41, visits=3, seed=2020):
    """Responses (batch, N), design (N, 2 visits + 1), participant and visit of each row (N,).

    Columns: intercept, arm, later visits, arm x later visits, one covariate.
    """
    rng, who = np.random.default_rng(seed), np.repeat(np.arange(people), visits)
    when = np.tile(np.arange(visits), people)
    time, arm = np.eye(visits)[when][:, 1:], (who % 2.0)[:, None]
    X = np.c_[np.ones(len(who)), arm, time, arm * time, rng.normal(4, 2, people)[who]]
    y = rng.normal(50, 10, (batch, people))[:, who] + rng.normal(0, 8, (batch, len(who)))
    return y, X, who, when


def inferred(of, structure, inference):
    """A fit of the first response of an `example` and its inference, to be called."""
    y, X, who, when = of
    contrasts = np.eye(X.shape[1])[when.max() + 2:-1]
    return lambda: smallsample.contrast(covariance.fit(y[0], X, who, when, structure), contrasts,
                                        inference)


def seconds(work, units=1, runs=5):
    """Seconds a unit of ``work()``, once for each run, after one run that is not counted."""
    work()
    return [taken / units for taken in timeit.repeat(work, number=1, repeat=runs)]


def compared(runs=5, batch=BATCH, tables=2000):
    """Pieces of work beside other packages, and beside R's where R is.

    ``batch`` responses are refitted, and as many allocations of one; ``tables`` get Newcombe's
    interval at once. R fits one model with its inference a run, but for ``lme4::refit``.
    """
    from scipy.stats import fisher_exact
    from statsmodels.regression.mixed_linear_model import MixedLM
    from statsmodels.stats.proportion import confint_proportions_2indep

    y, X, people, _ = of = example(batch)
    arms = np.random.default_rng(7).permuted(np.tile(np.arange(41) % 2, (batch, 1)), axis=1)
    rng = np.random.default_rng(11)
    x1, x2, levels = rng.integers(0, 23, tables), rng.integers(0, 20, tables), rng.integers(
        1, 9, (20, 3, 2))
    newcomb = partial(confint_proportions_2indep, nobs1=22, nobs2=19, method="newcomb",
                      compare="diff")
    refit = partial(mixed.random_intercept, y, X, people), batch
    by_r = _of_r(y, X, people, runs)

    def mixed_lm():
        with warnings.catch_warnings(record=True):  # of convergence, which is not measured
            MixedLM(y[0], X, people).fit(reml=True)

    found = []
    for work, against, ours, units, theirs, their_units in (
            ("reml_refit", "statsmodels.MixedLM.fit", *refit, mixed_lm, 1),
            ("reml_refit_designs", "statsmodels.MixedLM.fit",
             partial(mixed.random_intercept_arms, y[0], X[:, [0, 2, 3, 6]], X[:, [0, 2, 3]],
                     people, arms.astype(float)), batch, mixed_lm, 1),
            ("newcombe", "statsmodels.confint_proportions_2indep",
             partial(risk_limits.difference_limits, x1, 22, x2, 19, "newcombe", 0.95), tables,
             lambda: [newcomb(count1=a, count2=b) for a, b in zip(x1[:200], x2, strict=False)],
             200),
            ("fisher_3x2", "scipy.stats.fisher_exact (drawn)",
             lambda: [tests.fisher(table) for table in levels], 20,
             lambda: [fisher_exact(table) for table in levels[:2]], 2),
            ("reml_refit", "lme4::refit", *refit, None, 1),
            ("satterthwaite", "lmerTest", inferred(of, "random-intercept", "satterthwaite"), 1,
             None, 1),
            ("kenward_roger", "pbkrtest", inferred(of, "random-intercept", "kenward-roger"), 1,
             None, 1),
            ("unstructured", "nlme::gls", inferred(of, "unstructured", "z"), 1, None, 1)):
        other = seconds(theirs, their_units, runs) if theirs else by_r.get(against)
        found.append(row(work, against, seconds(ours, units, runs), other, runs))
    return found


def _of_r(y, X, people, runs):
    """Seconds of R's packages, one a run; empty where R is not."""
    if not shutil.which("Rscript"):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data.csv")
        pd.DataFrame({"id": people, "visit": np.tile(np.arange(3), 41), "arm": X[:, 1],
                      "x": X[:, 6], **{f"y{k}": y[k] for k in range(20)}}).to_csv(
            path, index=False)
        done = subprocess.run(["Rscript", str(SCRIPT), str(path), str(runs)], text=True,
                              capture_output=True, check=False)
    return {against: list(map(float, found))
            for against, *found in map(str.split, done.stdout.splitlines())}


def make(runs=3):
    """Wall clock and user CPU of a run of the default trial from clean, environment there."""
    taken = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            before = os.times()
            subprocess.run([sys.executable, "-m", "mair", "run", "params/mair.yaml", "--out",
                            f"{folder}/out"], cwd=ROOT, check=True, capture_output=True)
            taken.append(np.subtract(os.times(), before).tolist())
    _, _, cpu, _, wall = zip(*taken, strict=True)
    return [row(f"make, {what}", "", some, [], runs)
            for what, some in (("wall clock", wall), ("user CPU", cpu))]


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
    """Processor seconds and peak megabytes of an analysis over its size, one size at a time.

    ``a_second`` counts model fits, of draws simulated trials, of outcomes their sections' rows.
    """
    def power(draws):
        return lambda: simulated.simulated_power(20, 3, d=0.8, share=0.15, draws=draws,
                                                 rng=np.random.default_rng(4))

    def outcomes(count):
        with tempfile.TemporaryDirectory() as folder:
            trial = load(invented(folder, 100, 3, count))
        return lambda: measures.rows(replace(trial, _memo={}), "outcomes")

    def fit(**sizes):
        return inferred(example(**sizes), "unstructured", "kenward-roger")

    works = {"participants": lambda n: fit(people=n), "visits": lambda k: fit(people=200, visits=k),
             "draws": power, "outcomes": outcomes}
    found = []
    for what, size in ((what, size) for what, some in sizes.items() for size in some):
        work, count = works[what](size), size if what in ("draws", "outcomes") else 1
        if size == sizes[what][0]:
            work()  # what is loaded at first use is not measured
        tracemalloc.start()
        work()
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        one = row(f"{size} {what}", "", timeit.repeat(
            work, timer=time.process_time, number=1, repeat=runs), [], runs)
        found.append(one | {"a_second": count / one["ours_s"], "peak_mb": peak})
    return found


@style.styled
def drawn(rows):
    """The figure of `growth`: how many a second, and memory, over each size; both axes log."""
    _, axes = style.subplots(1, 2, height=3.4)
    for ax, column, label in zip(axes, ("a_second", "peak_mb"), (
            "Fits, trials, outcomes a second", "Peak memory (MB)"), strict=True):
        for what, look in zip(GROWTH, style.STYLES, strict=True):
            points = [(int(one["work"].split()[0]), one[column]) for one in rows
                      if one["work"].split()[-1] == what]
            ax.plot(*zip(*points, strict=True), color=look.color, linestyle=look.line, label=what,
                    **look.markers())
        ax.set(xscale="log", yscale="log", xlabel="How many", ylabel=label)
        ax.grid(True)
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        ax.yaxis.set_major_formatter("{x:,.10g}")
    axes[0].legend(loc=(0.04, 0.52))
    return axes[0]


def main() -> Path:
    """Measure every row side by side in this run; print them and write them to `PATH`."""
    grown = growth()
    rows = [*compared(), *grown, *make()]
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3g}".format))
    found = {"machine": {"processor": platform.machine(), "cores": os.cpu_count(),
                         "system": platform.system(), "python": platform.python_version()},
             "date": datetime.date.today().isoformat(), "rows": rows}
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    PATH.with_name("growth.svg").write_bytes(figure.render(
        drawn(grown), "growth", "Time and memory over the sizes in bench.json")["svg"])
    return PATH
