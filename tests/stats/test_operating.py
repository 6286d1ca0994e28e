"""Rates of error over simulated responses: the batch against single fits, and against theory."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from mair.stats import covariance, mixed, operating, permute, smallsample

RNG = np.random.default_rng


def _design(sizes=(9, 12), k=3, missing=0.2, seed=1):
    """Group x Time with a covariate, visits missing in any pattern: X, people, visits, arms."""
    rng, n = RNG(seed), sum(sizes)
    arm = np.repeat([0, 1], sizes)
    there = np.c_[np.ones(n, bool), rng.random((n, k - 1)) > missing]
    groups, visits = np.nonzero(there)
    times = (visits[:, None] == np.arange(1, k)).astype(float)
    treated = arm[groups, None]
    X = np.c_[np.ones(len(groups)), treated, times, treated * times, rng.normal(5, 2, n)[groups]]
    return X, groups, visits, arm


BY_ARM = tuple(f"{one},by-arm" for one in covariance.STRUCTURES)


@pytest.mark.parametrize(("rho", "missing"), [(0.6, 0.2), (0.02, 0.3), (0.5, 0.55)])
def test_the_batch_is_the_single_fits_fallbacks_included(rho, missing):
    X, groups, visits, arm = _design(missing=missing)
    sds = np.array([[3, 4, 5], [6, 3, 3]])
    sigma = np.where(np.eye(3), 1, rho) * sds[:, :, None] * sds[:, None]
    y = 50 + operating.responses(RNG(2), sigma, arm, groups, visits, 16)
    L, fallen = np.eye(X.shape[1])[4:6], 0
    found = operating.inferences(y, X, groups, visits, arm, L, covariance.STRUCTURES + BY_ARM)
    assert list(found) == [*product(covariance.STRUCTURES + BY_ARM, smallsample.INFERENCES)]
    for structure in covariance.STRUCTURES + BY_ARM:
        own, by_arm = structure.partition(",")[::2]
        for i, one in enumerate(y):
            fit = covariance.fit(one, X, groups, visits, own, arms=arm[groups] if by_arm else None)
            fallen += fit.structure != own
            for inference in smallsample.INFERENCES:
                single = smallsample.contrast(fit, L, inference)
                for a, b in zip(found[structure, inference], single, strict=True):
                    assert a[i] == pytest.approx(b, rel=2e-6, abs=1e-9, nan_ok=True)
    assert (fallen > 0) == (missing == 0.55)


def test_unequal_variances_at_unequal_sizes_cost_the_pooled_model_its_level():
    """10 v 30, SD 3 to 1, two visits: what Student's and Welch's tests of the change have."""
    X, groups, visits, arm = _design((10, 30), k=2, missing=0.0)
    sigma = np.array([9.0, 1])[:, None, None] * (np.eye(2) + 0.5)
    y = operating.responses(RNG(8), sigma, arm, groups, visits, 4000)
    found = operating.inferences(y, X[:, :-1], groups, visits, arm, np.eye(4)[3:],
                                 ["random-intercept", "random-intercept,by-arm",
                                  "unstructured,by-arm"])
    change = (y[:, 1::2] - y[:, ::2])
    for structure, equal in (("random-intercept", True), ("random-intercept,by-arm", False),
                             ("unstructured,by-arm", False)):
        test = stats.ttest_ind(change[:, arm == 1], change[:, arm == 0], axis=1, equal_var=equal)
        p = found[structure, "satterthwaite"].p[:, 0]
        assert (p < 0.05).mean() == pytest.approx((test.pvalue < 0.05).mean(), abs=0.004)
        assert ((p < 0.05).mean() > 0.14) == equal


def test_the_rate_is_that_of_theory():
    """Complete, compound symmetry: t on (k - 1)(n - 2) df is exact, and z rejects too often."""
    X, groups, visits, arm = _design((6, 6), missing=0.0)
    y = operating.responses(RNG(4), np.stack([np.where(np.eye(3), 1, 0.7)] * 2), arm, groups,
                            visits, 8000)
    found = operating.inferences(y, X[:, :-1], groups, visits, arm, np.eye(6)[4:],
                                 ["random-intercept"])
    for inference, rate in (("kenward-roger", 0.05), ("satterthwaite", 0.05),
                            ("z", 2 * stats.t.sf(stats.norm.ppf(0.975), 20))):
        one = found["random-intercept", inference]
        outside = ((one.low > 0) | (one.high < 0)).mean(0)
        assert outside == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / 8000))


def test_responses_have_each_arms_covariance():
    _, groups, visits, arm = _design((2, 2), missing=0.0)
    sigma = np.stack([np.diag([1.0, 4, 9]), np.array([[4, 3, 1], [3, 9, 2], [1, 2, 1.0]])])
    y = operating.responses(RNG(5), sigma, arm, groups, visits, 60_000)
    for one, person in ((0, 0), (1, 3)):
        assert np.cov(y[:, groups == person].T) == pytest.approx(sigma[one], abs=0.12)


def test_rerandomisation_is_the_single_test():
    X, groups, visits, arm = _design((3, 4), missing=0.15)
    y = operating.responses(RNG(6), np.stack([np.eye(3) + 1] * 2), arm, groups, visits, 6)
    by_arm = np.c_[X[:, 0], X[:, 2:4]]
    for strata, most in ((None, 35), (np.array([0, 0, 1, 1, 1, 0, 1]), 3 * 6)):
        p = operating.rerandomised(y, by_arm, by_arm, groups, arm, strata, draws=most, rng=RNG(7))
        drawn = permute.allocations(arm, strata=strata, rng=RNG(7))
        assert drawn.exact and drawn.total <= most
        for one, theirs in zip(y, p, strict=True):
            fits = [mixed.random_intercept_arms(one, by_arm, by_arm, groups, a)
                    for a in (arm, *drawn.arms)]
            estimate, se = (np.array([getattr(fit, x)[4:] for fit in fits]) for x in ("beta", "se"))
            assert theirs == pytest.approx(permute.rerandomise(estimate, se, True).p)
    drawn = operating.rerandomised(y, by_arm, by_arm, groups, arm, None, draws=19, rng=RNG(7))
    assert (drawn * 20 == np.round(drawn * 20)).all() and (drawn >= 0.05).all()
