"""Rows of ``build/bench.json``: what a piece of work takes here and elsewhere, in one go."""

from __future__ import annotations

import ast
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
import warnings
from functools import partial
from pathlib import Path
from statistics import median

import jupytext
import numpy as np
import pandas as pd

from mair.run.plan import NOTEBOOKS
from mair.stats import covariance, mixed, risk_limits, smallsample, tests
from mair.trial.errors import ROOT

SCRIPT = ROOT / "tests" / "oracles" / "bench.R"
PATH = Path("build", "bench.json")
BATCH = 10_000
BASELINE = "MAIR_BASELINE"  # environment: a checkout to compare ``make`` with


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


def empty_notebooks(folder: Path) -> None:
    """Write the notebooks with nothing but their parameters and top-level imports."""
    for name in NOTEBOOKS:
        node = jupytext.read(ROOT / "notebooks" / f"{name}.py", fmt="py:percent")
        node.cells = [cell for cell in node.cells if cell.cell_type == "code"]
        for cell in node.cells:
            if "parameters" not in cell.metadata.get("tags", []):
                cell.source = "\n".join(ast.unparse(part) for part in ast.parse(cell.source).body
                                        if isinstance(part, (ast.Import, ast.ImportFrom)))
        jupytext.write(node, folder / f"{name}.py", fmt="py:percent")


def ran(root: Path = ROOT, notebooks: str | None = None) -> tuple[float, float]:
    """Wall and user CPU seconds of a run of the default trial from clean, environment there.

    ``root`` is a checkout, ``notebooks`` a folder of others than its own.
    """
    how = ["-m", "mair", "run", "params/mair.yaml", "--out"]
    if notebooks:
        how = ["-c", "import sys; from pathlib import Path; from mair.run.plan import run; "
               f"run('params/mair.yaml', sys.argv[1], notebooks=Path({notebooks!r}))"]
    with tempfile.TemporaryDirectory() as folder:
        begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *how, f"{folder}/out"], cwd=root, check=True,
                       env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - begin, after.ru_utime - before.ru_utime


def make(runs=5):
    """CPU of ``make`` against a checkout, and its wall clock against the floor, alternately.

    The floor: the same kernels starting and importing the same libraries with empty notebooks
    at the same parallelism.
    """
    root, ours, floor, baseline = os.environ.get(BASELINE), [], [], []
    with tempfile.TemporaryDirectory() as folder:
        empty_notebooks(Path(folder))
        for _ in range(runs):
            ours.append(ran())
            floor.append(ran(notebooks=folder))
            baseline += [ran(Path(root))] if root else []
    (wall, cpu), (floor_wall, _) = zip(*ours, strict=True), zip(*floor, strict=True)
    return [row("make user CPU", BASELINE, cpu, [user for _, user in baseline], runs),
            row("make wall", "the floor", wall, floor_wall, runs)]


def main() -> Path:
    """Measure every row side by side in this run; print them and write them to `PATH`."""
    rows = [found for work in (refits, counts, against_r, make) for found in work()]
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3g}".format))
    found = {"machine": {"processor": platform.machine(), "cores": os.cpu_count(),
                         "system": platform.system(), "python": platform.python_version()},
             "date": datetime.date.today().isoformat(), "rows": rows}
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return PATH
