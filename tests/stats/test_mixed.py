"""The random-intercept engine against lme4, nlme, dense likelihoods and itself."""

import json
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_ndtr
from smallsample_oracle import design

from mair.stats import covariance, mixed
from mair.stats.smallsample import contrast, joint

HERE = Path(__file__).parents[1] / "oracles"
DATA = Path(mixed.__file__).parents[1] / "data" / "beat_the_blues.csv"
ORACLE = json.loads((HERE / "mixed_results.json").read_text())["fits"]
SIMULATED = ["complete", "missing", "boundary", "huge_icc", "near_zero", "sparse"]
VISITS = ["pre", "2m", "3m", "5m", "8m"]


def beat_the_blues():
    wide = pd.read_csv(DATA)
    long = pd.concat([wide.assign(visit=v, bdi=wide[f"bdi_{v}"]) for v in VISITS])
    return long[long.bdi.notna()]


def dataset(name):
    """y, X (columns in R's order), groups of a stored data set."""
    if name in SIMULATED:
        d = pd.read_csv(HERE / f"mixed_{name}.csv")
        return d.y.to_numpy(), design(d.visit, d.arm, [d.x]), d.id.to_numpy()
    d = beat_the_blues()
    if name == "hsaur3":
        d = d[d.visit != "pre"]
    treated, *stratifiers = ((d[column] == level) * 1.0 for column, level in (
        ("treatment", "BtheB"), ("drug", "Yes"), ("length", ">6m")))
    if name == "hsaur3":
        month = d.visit.str.rstrip("m").astype(float)
        X = np.column_stack([np.ones(len(d)), d.bdi_pre, month, treated, *stratifiers])
    else:
        X = design(d.visit.map(VISITS.index), treated, stratifiers)
    return d.bdi.to_numpy(float), X, d.id.to_numpy()


def at(fit, i):
    """One fit of a batch."""
    return mixed.RandomIntercept(*(one[i] for one in fit))


def close(a, b, rtol, atol=0.0):
    np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def same_fit(a, b, rtol):
    scale = np.abs(b.se) + np.abs(b.beta)
    assert (np.abs(a.beta - b.beta) <= rtol * scale).all()
    assert (np.abs(a.cov - b.cov) <= rtol * b.se[..., None] * b.se[..., None, :]).all()
    close(a.var_participant, b.var_participant, rtol, rtol * np.max(b.var_residual))
    close(a.var_residual, b.var_residual, rtol)
    close(a.criterion, b.criterion, rtol, rtol)
    assert (a.boundary == b.boundary).all()


def trial(rng, q=14, visits=3, drop=0.2, between=2.0):
    """A small simulated trial, at least two rows for some."""
    groups = np.repeat(np.arange(q), visits)
    visit = np.tile(np.arange(visits), q)
    keep = (rng.uniform(size=len(groups)) >= drop) | (groups < 4)
    groups, visit = groups[keep], visit[keep]
    arm = (groups % 2).astype(float)
    later = [(visit == v) * 1.0 for v in range(1, visits)]
    X = np.column_stack([np.ones(len(groups)), arm, *later, *[arm * v for v in later],
                         rng.normal(size=q)[groups]])
    y = 5 + rng.normal(0, between, q)[groups] + rng.normal(size=len(groups))
    return y, X, groups


def dense(y, X, groups, lam, reml):
    """-2 log likelihood at a ratio, the residual variance profiled, from the full V."""
    V = np.eye(len(y)) + lam * (groups[:, None] == groups[None])
    Vi = np.linalg.inv(V)
    A = X.T @ Vi @ X
    beta = np.linalg.solve(A, X.T @ Vi @ y)
    r = y - X @ beta
    df = len(y) - X.shape[1] if reml else len(y)
    s2 = r @ Vi @ r / df
    value = df * (1 + np.log(2 * np.pi * s2)) + np.linalg.slogdet(V)[1]
    return value + (np.linalg.slogdet(A)[1] if reml else 0), beta, s2 * np.linalg.inv(A), s2


@pytest.mark.parametrize("estimator", ["reml", "ml"])
@pytest.mark.parametrize("name", ["beat_the_blues", "hsaur3", *SIMULATED])
def test_lme4_and_nlme(name, estimator):
    y, X, groups = dataset(name)
    theirs = ORACLE[name][estimator]
    fit = mixed.random_intercept(y, X, groups, reml=estimator == "reml")
    assert fit.converged
    vcov = np.array(theirs["vcov"])
    close(fit.cov, vcov, 1e-6, 1e-6 * vcov.diagonal().min())
    close(fit.criterion, theirs["criterion"], 1e-9)
    alike = [theirs] if name in ("boundary", "near_zero", "sparse") else [theirs, theirs["nlme"]]
    for one, key in product(alike, ("beta", "se", "criterion", "var_participant", "var_residual")):
        close(getattr(fit, key), one[key], 1e-6, 1e-12)
    assert fit.boundary == (theirs["var_participant"] == 0) == (fit.ratio == 0)


def test_oracles_hold_a_boundary_and_a_huge_ratio():
    assert ORACLE["boundary"]["reml"]["var_participant"] == 0
    huge = ORACLE["huge_icc"]["reml"]
    assert huge["var_participant"] / huge["var_residual"] > 1e6


def test_printed_numbers():
    y, X, groups = dataset("beat_the_blues")
    fit = mixed.random_intercept(y, X, groups)
    assert round(float(fit.beta[8]), 5) == -3.30635
    y, X, groups = dataset("hsaur3")
    fit = mixed.random_intercept(y, X, groups, reml=False)
    for j, b, se in ((1, 0.63968, 0.07789), (2, -0.70476, 0.14639), (3, -2.32908, 1.67036)):
        assert (round(float(fit.beta[j]), 5), round(float(fit.se[j]), 5)) == (b, se)


def test_statsmodels_estimates_agree_and_its_standard_errors_do_not():
    from statsmodels.regression.mixed_linear_model import MixedLM

    furthest = []
    for name, estimator in (("beat_the_blues", "reml"), ("hsaur3", "ml")):
        y, X, groups = dataset(name)
        fit = mixed.random_intercept(y, X, groups, reml=estimator == "reml")
        with warnings.catch_warnings(record=True):
            theirs = MixedLM(y, X, groups).fit(reml=estimator == "reml", gtol=1e-9)
        close(fit.beta, theirs.fe_params, 1e-4)
        close([fit.var_participant, fit.var_residual], [theirs.cov_re[0, 0], theirs.scale], 1e-4)
        lme4 = np.array(ORACLE[name][estimator]["se"])
        close(fit.se, lme4, 1e-6)
        furthest.append(np.abs(theirs.bse_fe / lme4 - 1).max())
    assert furthest[0] > 1e-4 and furthest[1] > 1e-3


@pytest.mark.parametrize("name", ["beat_the_blues", "missing", "boundary"])
def test_modes_and_residuals(name):
    y, X, groups = dataset(name)
    visits = pd.Series(groups).groupby(groups).cumcount()
    fit = covariance.fit(y, X, groups, visits, "random-intercept")
    found = covariance.residuals(fit, y, X, groups, visits)
    theirs = ORACLE[name]["reml"]
    close(found.modes, [theirs["modes"][str(g)] for g in groups], 1e-6, 1e-9)
    close(found.fitted + found.modes, theirs["fitted"], 1e-6)
    close(found.marginal, y - X @ fit.beta, 1e-12)


def test_contrasts():
    y, X, groups = dataset("beat_the_blues")
    fit = mixed.random_intercept(y, X, groups)
    L = np.eye(12)[8:]
    found = contrast(fit, L)
    close(found.estimate, fit.beta[8:], 1e-14)
    close(found.se, fit.se[8:], 1e-12)
    one = contrast(fit, L[0] - L[1])
    assert one.estimate == pytest.approx(fit.beta[8] - fit.beta[9])
    variance = fit.cov[8, 8] + fit.cov[9, 9] - 2 * fit.cov[8, 9]
    assert one.se == pytest.approx(np.sqrt(variance))
    whole, single = joint(fit, L), joint(fit, L[0])
    assert whole.df1 == 4 and np.isinf(whole.df2)
    b = fit.beta[8:]
    assert 4 * whole.f == pytest.approx(b @ np.linalg.solve(fit.cov[8:, 8:], b))
    close([single.f, single.p], [found.t[0] ** 2, found.p[0]], 1e-12)
    with pytest.raises(ValueError, match="dependent"):
        joint(fit, [L[0], 2 * L[0]])


def test_tail_keeps_its_digits():
    y, X, groups = dataset("complete")
    fit = mixed.random_intercept(y + 70 * X[:, 1], X, groups)
    found = contrast(fit, np.eye(X.shape[1])[1])
    assert 0 < found.p < 1e-100
    close(np.log(found.p), np.log(2) + log_ndtr(-found.t), 1e-12)


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=40, deadline=None)
def test_dense_likelihood(seed, reml):
    rng = np.random.default_rng(seed)
    y, X, groups = trial(rng, between=rng.choice([0.0, 0.5, 3.0, 30.0]))
    fit = mixed.random_intercept(y, X, groups, reml=reml)
    value, beta, cov, s2 = dense(y, X, groups, float(fit.ratio), reml)
    close(fit.criterion, value, 1e-10, 1e-9)
    close(fit.beta, beta, 1e-8, 1e-9)
    assert (np.abs(fit.cov - cov) <= 1e-9 * np.outer(fit.se, fit.se)).all()
    close(fit.var_residual, s2, 1e-9)
    grid = np.r_[0, np.geomspace(1e-4, 1e5, 60), fit.ratio * (1 + np.array([-1e-3, 1e-3]))]
    assert min(dense(y, X, groups, lam, reml)[0] for lam in grid) >= fit.criterion - 1e-8


@pytest.mark.parametrize("reml", [True, False])
def test_batches_equal_a_loop(reml):
    rng = np.random.default_rng(5)
    y, X, groups = trial(rng, q=20)
    n = len(y)
    spread = rng.choice([0.0, 1.0, 6.0], size=(30, 1))
    Y = rng.normal(size=(30, n)) + spread * rng.normal(size=(30, 20))[:, groups]
    fit = mixed.random_intercept(Y, X, groups, reml=reml)
    assert fit.boundary.any() and not fit.boundary.all()
    for i in range(30):
        same_fit(at(fit, i), mixed.random_intercept(Y[i], X, groups, reml=reml), 1e-10)
    shaped = mixed.random_intercept(Y.reshape(3, 10, -1), X, groups, reml=reml)
    assert np.array_equal(shaped.cov.reshape(fit.cov.shape), fit.cov) and shaped.ratio.ndim == 2
    assert contrast(shaped, np.eye(7)[:2]).p.shape == (3, 10, 2)


@pytest.mark.parametrize("name", ["complete", "sparse", "huge_icc"])
def test_allocations(name):
    rng = np.random.default_rng(2)
    y, X, groups = dataset(name)
    people, codes = np.unique(groups, return_inverse=True)
    k = len(np.unique(pd.read_csv(HERE / f"mixed_{name}.csv").visit)) - 1
    common, by_arm = X[:, [0, *range(2, 3 + k)]], X[:, [0, *range(2, 2 + k)]]
    arms = rng.permuted(np.tile(np.arange(len(people)) % 2, (12, 1)), axis=1)
    fit = mixed.random_intercept_arms(y, common, by_arm, groups, arms)
    for i, arm in enumerate(arms):
        design = np.c_[common, arm[codes][:, None] * by_arm]
        same_fit(at(fit, i), mixed.random_intercept(y, design, groups), 1e-10)


def test_the_optimum_is_global():
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(6), [1, 40, 3, 3, 2, 1])
    people = rng.standard_t(2, size=(500, 6)) * rng.choice([0.3, 1, 3], size=(500, 1))
    Y = people[:, groups] + rng.normal(size=(500, len(groups)))
    X = np.ones((len(groups), 1))
    fit = mixed.random_intercept(Y, X, groups, reml=False)
    lam = np.r_[0, np.geomspace(1e-3, 1e3, 120)]
    n = np.bincount(groups)
    means = np.stack([Y[:, groups == g].mean(1) for g in range(6)], axis=1)
    within = ((Y - means[:, groups]) ** 2).sum(1)
    w = n / (1 + np.outer(lam, n))
    centre = means @ w.T / w.sum(1)
    r2 = within[:, None] + ((means[:, None] - centre[..., None]) ** 2 * w).sum(2)
    value = len(groups) * (1 + np.log(2 * np.pi * r2 / len(groups)))
    value += np.log1p(np.outer(lam, n)).sum(1)
    low = (value[:, 1:-1] < value[:, :-2]) & (value[:, 1:-1] <= value[:, 2:])
    several = low.sum(1) + (value[:, 0] < value[:, 1]) > 1
    assert several.sum() >= 5
    assert (fit.criterion <= value.min(1) + 1e-9).all()


def test_far_ratio_and_large_offsets():
    y, X, groups = dataset("huge_icc")
    fit = mixed.random_intercept(y, X, groups)
    year = X.copy()
    year[:, X.shape[1] // 2] += 2020.0
    close(mixed.random_intercept(y, year, groups).se[1], fit.se[1], 1e-8)


def test_nothing_to_estimate_is_said():
    y, X, groups = dataset("complete")
    fit = mixed.random_intercept(np.stack([y, X @ np.arange(7.0), 0 * y]), X, groups)
    assert fit.converged.tolist() == [True, False, False]
    flat = 10 * groups + X[:, 2]  # no residual within participants
    assert not mixed.random_intercept(flat, X, groups).converged
    assert not fit.boundary[1:].any()


def test_rank_deficiency_names_columns():
    y, X, groups = dataset("complete")
    bad = np.c_[X, X[:, 0] - X[:, 2], X[:, 1] * 5]
    with pytest.raises(ValueError, match=r"column\(s\) 7, 8 "):
        mixed.random_intercept(y, bad, groups)
    arms = np.stack([X[::3, 1], np.ones(len(X[::3]))])  # everybody in one arm
    fit = mixed.random_intercept_arms(y, X[:, [0, 2, 3]], X[:, :1], groups, arms)
    assert fit.converged.tolist() == [True, False]
    assert np.isnan(fit.beta[1]).all() and np.isfinite(fit.beta[0]).all()


def test_variances_that_cannot_be_told_apart():
    y, _, groups = dataset("complete")
    people = (groups[:, None] == np.unique(groups)) * 1.0
    with pytest.raises(ValueError, match="every difference between participants"):
        mixed.random_intercept(y, people, groups)
    once = np.r_[True, np.diff(groups) > 0] | (np.arange(len(groups)) == 1)
    within = np.c_[np.ones(once.sum()), np.arange(once.sum()) == 1.0]
    with pytest.raises(ValueError, match="no degree of freedom within"):
        mixed.random_intercept(y[once], within, groups[once])
