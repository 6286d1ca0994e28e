"""Trials that can hardly be analysed: no exception leaves a section, what is estimated is right.

Arms of 2 to 8, 2 to 8 visits, gaps, an arm x visit without anybody, outcomes that are constant
or determined, covariates that are constant, copies, in extreme units, or with gaps. Every fit,
with each inference from it, is dealt to some ten of the trials, in an order drawn once.
"""

import json
import re
from itertools import product

import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mair.results import Lookup
from mair.sections import analysis, measures, model, nnt, robustness
from mair.sections import imputed as imputation
from mair.stats.smallsample import INFERENCES
from mair.trial import TrialError, load
from mair.trial.errors import ROOT

CHOICES = {
    "covariance": ("random-intercept", "compound-symmetry", "unstructured"),
    "variance": ("common", "by-arm"),
    "estimator": ("difference", "clda", "ancova"),
    "missing": ("observed", "mi-mar", "mi-j2r", "mi-cr")}
TRIALS, EACH, TOGETHER = 200, 4, 10  # trials, fits dealt to each, trials in one test
ALL = [dict(zip(CHOICES, one, strict=True)) for one in product(*CHOICES.values())]
DEALT = np.concatenate([np.random.default_rng(i).permutation(len(ALL)) for i in range(12)])
OUTCOMES = ("plain", "plain", "plain", "constant", "same before", "same after", "determined")
COVARIATES = ("plain", "tiny", "large", "constant", "copy", "baseline", "arm", "level", "gaps")


def covariate(rng, kind, arm, first, before):
    n, plain = len(arm), rng.normal(size=len(arm))
    return {"plain": plain, "tiny": plain * 1e-10, "large": 1e8 + plain, "constant": np.full(n, 40),
            "copy": 2 * before + 1 if before is not None and before.dtype == float else plain,
            "baseline": first, "arm": (arm == "t") * 1.0, "level": np.array([*"abc"])[
                rng.integers(0, 3, n)], "gaps": np.where(rng.random(n) < 0.3, np.nan, plain)}[kind]


def drawn(tmp_path, seed):
    """A trial, None where its file is refused."""
    rng = np.random.default_rng(seed)
    sizes, k = rng.integers(2, 9, 2), int(rng.integers(2, 9))
    arm, n = np.repeat(["c", "t"], sizes), sizes.sum()
    y = 50 + rng.normal(size=(n, 1)) * rng.choice([0, 1, 1000]) + rng.normal(size=(n, k))
    match rng.choice(OUTCOMES):
        case "constant":
            y[:] = 7
        case "same before":
            y[:, 0] = 7
        case "same after":
            y[:, 1:] = 7
        case "determined":
            y = 10.0 * np.arange(n)[:, None] + np.arange(k) * (1 + (arm == "t")[:, None])
    y *= rng.choice([1, 1, 1e-9, 1e9])
    y[rng.random((n, k)) < rng.choice([0, 0.2, 0.5])] = np.nan
    if rng.random() < 0.2:
        y[arm == rng.choice(["c", "t"]), rng.integers(k)] = np.nan
    if np.isnan(y).all(0).any():
        return None
    frame, names = pd.DataFrame({"id": np.arange(n), "arm": arm}), []
    frame[[f"y{j}" for j in range(k)]] = y
    for i, kind in enumerate(rng.choice(COVARIATES, rng.integers(0, 4))):
        before = frame[names[-1]].to_numpy() if names else None
        frame[f"x{i}"] = covariate(rng, kind, arm, y[:, 0], before)
        names.append(f"x{i}")
    frame = frame.astype({name: object for name in names if frame[name].dtype == "<U1"})
    frame.to_csv(tmp_path / "x.csv", index=False)
    (tmp_path / "x.yaml").write_text(json.dumps({
        "trial": "drawn", "data": "x.csv", "participant": "id", "covariates": names,
        "arm": {"column": "arm", "control": "c", "treatment": "t"},
        "visits": [f"v{j}" for j in range(k)], "analysis": {"draws": 100},
        "outcomes": {"Y": {"columns": [f"y{j}" for j in range(k)], "primary": True}},
        "responders": {"outcome": "Y", "visit": "v1", "reductions": [0.2]}}))
    try:
        return load(tmp_path / "x.yaml")
    except TrialError:  # a covariate that nobody of an arm has
        return None


def dense(design, sigma):
    """GLS of one outcome from its full V: coefficients and their SE, columns standardised.

    ``sigma`` (k, k), or of each arm (2, k, k).
    """
    scale = np.where(np.ptp(design.X, axis=0) > 0, design.X.std(0), 1.0)
    X = np.where(np.ptp(design.X, axis=0) > 0, design.X - design.X.mean(0), 1.0) / scale
    same, own = design.groups[:, None] == design.groups, design.treated.astype(int)[:, None]
    whole = np.broadcast_to(sigma, (2, *sigma.shape[-2:]))
    V = np.where(same, whole[own, design.visits[:, None], design.visits], 0.0) / sigma.max()
    root = np.linalg.cholesky(V)
    Z = np.linalg.solve(root, np.c_[X, design.y - design.y.mean()])
    q, r = np.linalg.qr(Z[:, :-1])
    inverse = np.linalg.inv(r)
    return inverse @ (q.T @ Z[:, -1]) / scale, (np.sqrt(sigma.max()) * inverse) / scale[:, None]


def least_squares(trial, visit):
    """ANCOVA's estimate and SE, a column kept where it adds to the rank, as R's lm does."""
    seen = model.wide(trial, "Y").drop(columns=set(trial.visits[1:]) - {visit}).dropna()
    others = [c for c in seen if c.startswith("covariate ")]
    y = seen[visit].to_numpy()
    kept = np.ones((len(y), 1))
    for name in ("arm", trial.visits[0], *others):
        column = seen[name].to_numpy() - seen[name].mean()
        wider = np.c_[kept, column / (np.abs(column).max() or 1.0)]
        if np.ptp(seen[name]) > 0 and np.linalg.matrix_rank(wider, tol=1e-7) == wider.shape[1]:
            kept = wider
    inverse = np.linalg.pinv(kept)
    rest = y - y.mean() - kept @ (inverse @ (y - y.mean()))
    scale = np.ptp(seen["arm"]) / np.abs(seen["arm"] - seen["arm"].mean()).max()
    se = np.sqrt(rest @ rest / (len(y) - kept.shape[1]) * (inverse[1] @ inverse[1]))
    return scale * (inverse @ (y - y.mean()))[1], scale * se


def check(trial, choice):
    """One analysis: estimated as the reference is, or empty with its reason."""
    found, later = analysis.analyse(trial, "Y", **choice), trial.visits[1:]
    assert found.state or len(found.contrasts) == len(later)
    for one in found.contrasts.values():
        assert np.isfinite(one.estimate)
        assert found.state if np.isnan(one.p) else one.se > 0 and one.low < one.estimate < one.high
    by_arm, ancova = choice["variance"] == "by-arm", choice["estimator"] == "ancova"
    if choice["missing"] != "observed":
        if choice["estimator"] == "difference" and found.contrasts:
            imputed, arm, _, _ = imputation.impute_variable(trial, "Y", choice["missing"])
            change = imputed.values[..., 1:] - imputed.values[..., :1]
            b = (change[:, arm == 1].mean(1) - change[:, arm == 0].mean(1)).mean(0)
            assert [one.estimate for one in found.contrasts.values()] == pytest.approx(
                list(b), rel=1e-6)
    elif ancova and not by_arm:
        for visit, one in found.contrasts.items():
            b, se = least_squares(trial, visit)
            assert (one.estimate, one.se) == pytest.approx((b, se), rel=1e-6, abs=1e-6 * se)
    elif not ancova and found.contrasts:
        clda = choice["estimator"] == "clda"
        design = model.build(trial, "Y", clda)
        fit = analysis.fit(trial, "Y", choice["covariance"], clda, by_arm=by_arm)
        beta, root = dense(design, fit.sigma)
        for visit, weights in design.contrasts.items():
            se = np.linalg.norm(weights @ root)
            assert found.contrasts[visit].estimate == pytest.approx(weights @ beta, abs=1e-5 * se)
            if choice["inference"] == "z":
                assert found.contrasts[visit].se == pytest.approx(se, rel=1e-5)


@pytest.mark.parametrize("part", range(TRIALS // TOGETHER))
def test_every_choice_is_estimated_or_says_why(tmp_path, part):
    for seed in range(part * TOGETHER, (part + 1) * TOGETHER):
        trial = drawn(tmp_path, seed)
        dealt = DEALT[seed * EACH:(seed + 1) * EACH] if trial is not None else ()
        for at, inference in product(dealt, INFERENCES):
            try:
                check(trial, ALL[at] | {"inference": inference})
            except Exception as error:
                raise AssertionError(f"trial {seed}, {ALL[at]}, {inference}") from error


def test_every_combination_is_dealt():
    assert np.bincount(DEALT[:TRIALS * EACH], minlength=len(ALL)).min() >= 10


@pytest.mark.parametrize("seed", range(102, 108))
def test_sections_keep_their_rows(tmp_path, seed):
    trial = drawn(tmp_path, seed)
    if trial is None:
        return
    rows = measures.rows(trial, "outcomes")
    value, method = Lookup(rows), analysis.analyse(trial, "Y").method
    for visit in trial.visits[1:]:
        assert ("outcomes", "Y", "difference", visit, method, "b") in value
    assert len(robustness.rows(trial)) and len(nnt.rows(trial))


@pytest.mark.parametrize("name", ["flow", "outcomes", "nnt"])
def test_notebooks_of_such_trials_run_to_their_end(tmp_path, name, capsys):
    """No exception, and none is named, where hardly anything can be estimated."""
    cells = [cell.source for cell in jupytext.read(ROOT / "notebooks" / f"{name}.py").cells
             if cell.cell_type == "code"]
    assert drawn(tmp_path, 104) is not None
    names: dict = {}
    exec(cells[0], names)
    names |= dict.fromkeys(names.keys() - {"__builtins__"}) | {
        "trial": str(tmp_path / "x.yaml")}
    for cell in cells[1:]:
        exec(cell, names)
    plt.close("all")
    assert not re.search("Error|Traceback|Exception", capsys.readouterr().out)
