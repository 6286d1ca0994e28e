"""Fits of `covariance` against lme4, nlme and a dense second implementation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from smallsample_oracle import FULL, SETS, data, dense, design, first, simulated

from mair.stats import covariance, likelihood
from mair.stats.covariance import STRUCTURES, fit, residuals

R, CS, UN = STRUCTURES


FITS = [(R, name) for name in (*FULL, "fiq_clda", "beat_later")] + [
    (CS, name) for name in ("fiq", "dropout", "zero", "negative")] + [
    (UN, name) for name in ("fiq", "hads_a", "beat", "pairs", "dropout")]


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize(("structure", "name"), FITS)
def test_fits_are_lme4s_and_gls(structure, name, method):
    key = "mixed" if structure == R else structure.replace("-", "_")
    oracle, found = SETS[name][key][method], fit(*data(name), structure, reml=method == "reml")
    assert_allclose(found.beta, oracle["beta"], rtol=1e-6)
    assert_allclose(found.se, oracle["se"], rtol=1e-6)
    assert (found.structure, found.fallback, found.converged) == (structure, "", True)
    assert found.boundary == (structure == R and name in ("zero", "negative"))
    if structure == R:
        assert_allclose(found.variances, [oracle["var_participant"], oracle["var_residual"]],
                        rtol=1e-6, atol=1e-6)
        assert_allclose(found.criterion, oracle["criterion"], rtol=1e-9)
        assert found.rows.n_rows == oracle["n_rows"]
        return
    assert_allclose(-found.criterion / 2, oracle["loglik"], atol=1e-8)
    sd = np.sqrt(np.diag(found.sigma))
    assert_allclose(sd, np.broadcast_to(oracle["sd"], sd.shape), rtol=1e-5)
    above = (found.sigma / np.outer(sd, sd))[np.triu_indices(len(sd), 1)]
    assert_allclose(above, np.broadcast_to(oracle["rho"], above.shape), atol=1e-5)


def test_negative_correlation_is_a_state_of_the_random_intercept():
    intercept, symmetric = (fit(*data("negative"), s) for s in (R, CS))
    assert intercept.boundary and intercept.variances[0] == 0
    assert symmetric.variances[0] < 0 and not symmetric.boundary
    assert symmetric.criterion < intercept.criterion - 5
    positive = [fit(*data("fiq"), s) for s in (R, CS)]
    assert_allclose(positive[0].theta, positive[1].theta)


@pytest.mark.parametrize("seed", [0, 2, 3, 5])
@pytest.mark.parametrize("structure", [CS, UN])
def test_optimum_of_the_dense_likelihood(seed, structure):
    sample = simulated(seed, missing=0.2, correlation=0.6 if structure == CS else None)
    found = fit(*sample, structure)
    assert found.structure == structure
    _, criterion, phi = dense(*sample)
    assert_allclose(criterion(found.theta), found.criterion, rtol=1e-11)
    assert_allclose(phi(found.theta), found.cov, rtol=1e-8, atol=1e-12)
    scale = np.abs(found.theta).max()
    least = np.linalg.eigvalsh(found.sigma)[0]
    assert_allclose(first(criterion, found.theta, 2e-3 * least) * least, 0, atol=3e-6)
    rng = np.random.default_rng(seed)
    for _ in range(20):
        away = found.theta + scale * rng.normal(size=len(found.theta)) * 10.0 ** rng.uniform(-3, -1)
        assert criterion(away) > found.criterion


@pytest.mark.parametrize("seed", range(6))
def test_compound_symmetry_is_the_best_correlation_there_is(seed):
    sample = simulated(seed, n=16, k=3, missing=0.25, correlation=[0.3, 0.7, -1.0][seed % 3])
    found = fit(*sample, CS)
    _, criterion, _ = dense(*sample)
    total = found.theta.sum()
    grid = [criterion(total * np.array([c, 1 - c]) * s)
            for c in np.linspace(-0.49, 0.95, 60) for s in (0.8, 0.9, 1.0, 1.1, 1.25)]
    assert found.criterion <= min(grid)


def test_a_negative_correlation_can_beat_a_positive_optimum():
    rng = np.random.default_rng(105)  # five pairs and four single rows: two optima
    seen = rng.random((12, 2)) >= 0.5
    who, when = np.nonzero(seen)
    y = rng.normal(size=(12, 2))[seen] + rng.standard_t(2, size=12)[who]
    X = np.column_stack([np.ones(len(y)), rng.normal(size=12)[who], rng.normal(size=len(y))])
    positive, either = (fit(y, X, who, when, s) for s in (R, CS))
    assert positive.variances[0] > 0 and not positive.boundary
    assert either.variances[0] < 0 and either.criterion < positive.criterion - 0.5
    _, criterion, _ = dense(y, X, who, when)
    assert_allclose([criterion(f.theta) for f in (positive, either)],
                    [positive.criterion, either.criterion])


def test_second_start_finds_an_optimum_that_the_first_misses():
    sample = simulated(203, n=18, k=4, missing=0.3)
    found = fit(*sample, UN)
    rows, k = found.rows, 4
    start = covariance._positive(rows.pairwise()[0])[:, *np.triu_indices(k)]
    _, value, why = likelihood.newton(rows, start, likelihood.triangle(k), True)
    assert found.structure == UN
    assert why[0] or value + rows.constants(True) > found.criterion + 1e-3


def test_complete_pairs_have_the_pooled_covariance():
    rng = np.random.default_rng(8)
    arm = np.arange(17) % 2
    scores = rng.normal(size=(17, 2)) @ np.array([[2.0, 0], [1, 3]])
    who, when = np.repeat(np.arange(17), 2), np.tile([0, 1], 17)
    found = fit(scores.ravel(), design(when, arm[who]), who, when, UN)
    pooled = sum((n := (arm == a).sum() - 1) * np.cov(scores[arm == a].T) for a in (0, 1)) / 15
    assert n == 7
    assert_allclose(found.sigma, pooled, rtol=1e-11)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_residuals(structure):
    y, X, who, when = data("dropout")
    found = fit(y, X, who, when, structure)
    order = np.random.default_rng(4).permutation(len(y))
    sample = y[order], X[order], who[order], when[order]
    rest = residuals(found, *sample)
    assert_allclose(rest.fitted + rest.marginal, y[order])
    # where the scale is free the squares sum to N - p at the REML estimate
    assert_allclose((rest.standardised ** 2).sum(), len(y) - X.shape[1], rtol=1e-9)
    person = np.flatnonzero(who[order] == np.argmax(np.bincount(who)))
    person = person[np.argsort(when[order][person])]
    at = np.ix_(when[order][person] - 1, when[order][person] - 1)
    factor = np.linalg.cholesky(found.sigma[at])
    assert len(person) == 4
    assert_allclose(factor @ rest.standardised[person], rest.marginal[person])
    failed = fit(X @ np.ones(X.shape[1]), X, who, when, structure)
    assert np.isnan(residuals(failed, *sample).standardised).all()


def test_visits_never_seen_together_fall_back():
    y, X, who, when = simulated(1, n=40, k=3, missing=0.1)
    keep = ~((when == 2) & np.isin(who, who[when == 1]))
    sample = y[keep], X[keep], who[keep], np.array(["a", "b", "c"])[when[keep]]
    found, plain = fit(*sample, UN), fit(*sample, CS)
    assert (found.requested, found.structure) == (UN, CS)
    assert found.fallback == "visits b and c are seen together in 0 participants"
    assert_allclose(found.beta, plain.beta)
    assert plain.fallback == "" and plain.requested == CS and found.converged


def test_too_few_people_fall_back():
    sample = simulated(2, n=5, k=4, missing=0)
    found = fit(*sample, UN)
    assert found.structure == CS and "singular" in found.fallback
    assert np.isfinite(found.criterion)


def test_compound_symmetry_without_an_optimum_falls_back():
    for seed in range(40):  # few people with the most rows, and a negative correlation
        sample = simulated(seed, n=12, k=5, missing=0.6, correlation=0.9)
        if np.linalg.matrix_rank(sample[1]) < sample[1].shape[1]:
            continue
        found = fit(*sample, CS)
        if found.fallback:
            break
    assert found.structure == R and found.requested == CS and found.boundary
    assert found.fallback == "no correlation above -1/(n - 1) is an optimum"
    assert_allclose(found.criterion, fit(*sample, R).criterion)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_an_exact_fit_is_not_converged(structure):
    _, X, who, when = simulated(3)
    found = fit(X @ np.arange(X.shape[1]), X, who, when, structure)
    assert not found.converged
    assert np.isnan(found.beta).all() and np.isnan(found.criterion)


@pytest.mark.parametrize("change, message", [
    (lambda y, X, p, v: (y[:-1], X, p, v), "expected y"),
    (lambda y, X, p, v: (np.where(np.arange(len(y)) == 3, np.nan, y), X, p, v), "not finite"),
    (lambda y, X, p, v: (y, X + np.inf, p, v), "X holds a value"),
    (lambda y, X, p, v: (y, X[:, 0], p, v), r"X \(N, p\)"),
    (lambda y, X, p, v: (y, np.c_[X, X[:, 1]], p, v), r"column\(s\) 8"),
    (lambda y, X, p, v: (y, X, p, np.zeros(len(v))), "two rows at one visit"),
    (lambda y, X, p, v: (y, X, np.arange(len(y)), v), "two rows"),
    (lambda y, X, p, v: (y[:8], X[:8], p[:8], v[:8]), "cannot estimate"),
])
def test_what_cannot_be_fitted_is_refused(change, message):
    sample = change(*simulated(4))
    with pytest.raises(ValueError, match=message):
        fit(*sample, UN)
    with pytest.raises(ValueError, match="none of random-intercept"):
        fit(*simulated(4), "ar1")
