"""Re-randomisation: exact enumeration against scipy, against brute force, and by property."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy import stats

from mair.stats import mixed
from mair.stats import permute as pe


def trial(seed=1, sizes=(6, 7), visits=3, effect=0.0, gone=0.0):
    """Long rows of a small trial: y, common, by_arm, groups, arm."""
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    arm = rng.permutation(np.repeat([0, 1], sizes))
    y = 50 + 8 * rng.standard_normal((n, 1)) + 5 * rng.standard_normal((n, visits))
    y[:, 1:] += effect * arm[:, None]
    times = np.tile(np.c_[np.ones(visits), np.eye(visits)[:, 1:]], (n, 1))
    covariate = np.repeat(rng.standard_normal(n), visits)
    seen = rng.random((n, visits)) >= gone * (np.arange(visits) > 0)
    rows = seen.ravel()
    groups = np.repeat(np.arange(n), visits)
    return (y.ravel()[rows], np.c_[times, covariate][rows], times[rows], groups[rows], arm)


def drawn(arm, **kwargs):
    return pe.allocations(arm, rng=np.random.default_rng(7), **kwargs)


# --- allocations ---------------------------------------------------------------------------


def test_every_allocation_is_listed_once():
    arm = np.array([1, 0, 0, 1, 1, 0, 0])
    found = drawn(arm)
    expected = {tuple(np.isin(range(7), c).astype(int)) for c in combinations(range(7), 3)}
    assert found.exact and found.total == len(found.arms) == 35
    assert {tuple(a) for a in found.arms.tolist()} == expected


def test_strata_keep_their_own_counts():
    arm = np.array([1, 0, 0, 1, 1, 0, 0, 1, 0])
    strata = np.array(list("bababaacc"))
    every = drawn(arm, strata=strata)
    assert every.exact and every.total == comb(4, 1) * comb(3, 2) * comb(2, 1)
    some = drawn(arm, strata=strata, limit=1, draws=4000)
    assert not some.exact and some.total == every.total
    for found in (every, some):
        for s in "abc":
            assert (found.arms[:, strata == s].sum(1) == arm[strata == s].sum()).all()
        listed, counts = np.unique(found.arms, axis=0, return_counts=True)
        assert len(listed) == every.total
    assert stats.chisquare(counts).pvalue > 1e-4  # of the draws: all equally likely


# --- the test ------------------------------------------------------------------------------


def by_allocation(data, every=None):
    """The test of the later visits' contrasts, and what it is of: estimates, errors, its draws."""
    y, common, by_arm, groups, arm = data
    every = every or drawn(arm)
    found = mixed.random_intercept_arms(y, common, by_arm, groups, np.vstack([arm, every.arms]))
    own = slice(common.shape[1] + 1, None)
    estimate, se = found.beta[:, own], found.se[:, own]
    return pe.rerandomise(estimate, se, every.exact), estimate, se, every


def by_hand(data, column, skip=()):
    """t of a contrast under every allocation, each refitted on its own; nan for those skipped."""
    y, common, by_arm, groups, arm = data
    t = {}
    for chosen in combinations(range(len(arm)), arm.sum()):
        a = np.isin(np.arange(len(arm)), chosen)[groups]
        one = None if chosen in skip else mixed.random_intercept(
            y, np.c_[common, a[:, None] * by_arm], groups)
        at = common.shape[1] + column
        t[chosen] = one.beta[at] / one.se[at] if one else np.nan
    return t


@pytest.mark.parametrize("effect", [0.0, -6.0])
def test_two_complete_visits_are_scipys_permutation_test_of_the_changes_t(effect):
    y, common, by_arm, groups, arm = trial(seed=5, visits=2, effect=effect)
    y = np.round(y)  # ties included
    found, estimate, _, every = by_allocation((y, common[:, :2], by_arm, groups, arm))
    change = y.reshape(-1, 2) @ [-1, 1]
    arms = change[arm == 1], change[arm == 0]
    theirs = stats.permutation_test(
        arms, lambda a, b, axis: np.abs(stats.ttest_ind(a, b, axis=axis).statistic),
        vectorized=True, n_resamples=np.inf, alternative="greater")
    assert every.exact and len(every.arms) == comb(13, 6)
    assert estimate[0] == pytest.approx(arms[0].mean() - arms[1].mean())
    assert abs(found.t) == pytest.approx(theirs.statistic)
    assert found.p == pytest.approx(theirs.pvalue, abs=1e-12)


def test_two_sided_is_the_share_of_absolute_t():
    data = trial(sizes=(4, 6), effect=-6, gone=0.1)
    found, *_ = by_allocation(data)
    t = by_hand(data, 2)
    assert found.t[1] == pytest.approx(t[tuple(np.flatnonzero(data[4]))])
    assert found.p[1] == (np.abs([*t.values()]) >= abs(found.t[1]) * (1 - 1e-9)).mean()
    assert found.mc_error[1] == 0


def test_draws_agree_with_enumeration():
    data, m = trial(effect=-4), 4000
    exact, some = by_allocation(data)[0], by_allocation(data, drawn(data[4], limit=100, draws=m))[0]
    assert (some.p * (1 + m) == pytest.approx(np.round(some.p * (1 + m)))) and (some.p > 0).all()
    assert (np.abs(some.p - exact.p) < 4 * some.mc_error).all() and (some.p != exact.p).all()


def test_the_level_is_kept_whatever_the_distribution():
    # every allocation in turn taken as the actual one: P(p <= alpha) <= alpha, exactly
    y, *rest, arm = trial(sizes=(3, 4), gone=0.1)
    every = drawn(arm)
    p = np.array([by_allocation((np.exp(y / 5), *rest, a), every)[0].p[0] for a in every.arms])
    for alpha in (0.03, 0.05, 0.1, 0.5):
        assert (p <= alpha).mean() <= alpha
    assert p.min() == pytest.approx(1 / 35)


def test_an_allocation_that_a_covariate_determines_is_left_out_of_both_counts():
    y, common, by_arm, groups, arm = trial(sizes=(4, 4), effect=-4)
    common = np.c_[common[:, :3], (groups < 4).astype(float)]
    found, estimate, *_ = by_allocation((y, common, by_arm, groups, arm))
    t = by_hand((y, common, by_arm, groups, arm), 1, skip=((0, 1, 2, 3), (4, 5, 6, 7)))
    assert len(estimate) == 71 and np.isnan(estimate[:, 0]).sum() == 2
    assert found.p[0] == (np.abs([*t.values()]) >= abs(found.t[0]) * (1 - 1e-9)).sum() / 68
    own, *_ = by_allocation((y, common, by_arm, groups, (np.arange(8) < 4).astype(int)), drawn(arm))
    assert np.isnan([own.p, own.t]).all()


# --- properties ----------------------------------------------------------------------------


def test_arm_swap_units_and_row_order():
    y, common, by_arm, groups, arm = trial(effect=-5, gone=0.2)
    found, estimate, *_ = by_allocation((y, common, by_arm, groups, arm))
    mix = np.random.default_rng(1).permutation(len(y))
    for factor, other in ((-1, (y, common, by_arm, groups, 1 - arm)),
                          (-7, (3 - 7 * y, common, by_arm, groups, arm)),
                          (1, (y[mix], common[mix], by_arm[mix], groups[mix], arm))):
        again, moved, *_ = by_allocation(other)
        assert moved[0] == pytest.approx(factor * estimate[0])
        assert again.p == pytest.approx(found.p)


# --- the interval --------------------------------------------------------------------------


def inversion(data, contrast=0, swap=False, **kwargs):
    """Limits, and a function of a shift: the test's p once so much is taken off."""
    y, common, by_arm, groups, arm = data
    arm = 1 - arm if swap else arm
    _, estimate, se, every = by_allocation((*data[:4], arm))
    responses = np.column_stack([y, arm[groups][:, None] * by_arm[:, 1:]])
    refits = mixed.combinations_arms(responses, common, by_arm, groups, every.arms)
    own = slice(common.shape[1] + 1, None)
    limits = pe.invert(lambda w: (refits(w).beta[:, own], refits(w).se[:, own]), estimate[0],
                       se[0], every.exact, contrast, **kwargs)

    def p(theta):
        off = estimate[0].copy()
        off[contrast] = theta
        return by_allocation((y - responses[:, 1:] @ off, *data[1:4], arm))[0].p[contrast]

    return limits, p, estimate[0, contrast], se[0, contrast]


@pytest.mark.parametrize("contrast", [0, 1])
def test_the_interval_holds_what_the_test_does_not_reject(contrast):
    limits, p, estimate, se = inversion(trial(sizes=(5, 6), effect=-5, gone=0.1), contrast,
                                        tolerance=1e-6)
    assert limits[0] < estimate < limits[1]
    for limit, outward in zip(limits, (-1, 1), strict=True):
        inside, outside = (p(limit + step * outward * 1e-4 * se) for step in (-1, 1))
        assert outside <= 0.05 + 1e-12 < inside


def test_the_interval_mirrors_and_scales():
    data = trial(sizes=(5, 6), effect=-5)
    (low, high), _, _, se = inversion(data)
    swapped, doubled = inversion(data, swap=True)[0], inversion((2 * data[0] + 9, *data[1:]))[0]
    assert (-swapped[1], -swapped[0]) == pytest.approx((low, high), abs=0.02 * se)
    assert doubled == pytest.approx((2 * low, 2 * high), abs=0.02 * se)


def test_too_few_allocations_give_no_limits():
    assert inversion(trial(sizes=(2, 2)))[0] == (-np.inf, np.inf)
