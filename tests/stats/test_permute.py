"""Re-randomisation: exact enumeration against scipy, against brute force, and by property."""

from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
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


def test_allocations_refuse():
    for wrong in ({"arm": [0, 2, 1]}, {"arm": [0, 1], "strata": [1]}, {"arm": [0, 1], "draws": 0}):
        with pytest.raises(ValueError, match="arm must be"):
            pe.allocations(**{"arm": [0, 1], "rng": None, **wrong})


# --- the test ------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", [0.0, -6.0])
def test_two_complete_visits_are_scipys_permutation_test_of_the_changes_t(effect):
    y, common, by_arm, groups, arm = trial(seed=5, visits=2, effect=effect)
    y = np.round(y)  # ties included
    found = pe.rerandomise(pe.random_intercept_fit(common[:, :2], by_arm, groups, 1), y, arm,
                           drawn(arm))
    change = y.reshape(-1, 2) @ [-1, 1]
    arms = change[arm == 1], change[arm == 0]
    theirs = stats.permutation_test(
        arms, lambda a, b, axis: np.abs(stats.ttest_ind(a, b, axis=axis).statistic),
        vectorized=True, n_resamples=np.inf, alternative="greater")
    assert found.exact and found.allocations == comb(13, 6)
    assert found.estimate == pytest.approx(arms[0].mean() - arms[1].mean())
    assert abs(found.t) == pytest.approx(theirs.statistic)
    assert found.p == pytest.approx(theirs.pvalue, abs=1e-12)


def test_two_sided_is_the_share_of_absolute_t():
    y, common, by_arm, groups, arm = trial(sizes=(4, 6), effect=-6, gone=0.1)
    fit = pe.random_intercept_fit(common, by_arm, groups, 2)
    found = pe.rerandomise(fit, y, arm, drawn(arm))
    t = {}
    for chosen in combinations(range(10), 6):
        a = np.isin(np.arange(10), chosen)[groups]
        one = mixed.random_intercept(y, np.c_[common, a[:, None] * by_arm], groups)
        t[chosen] = one.beta[6] / one.se[6]
    assert found.t == pytest.approx(t[tuple(np.flatnonzero(arm))])
    extreme = np.abs([*t.values()]) >= abs(found.t) * (1 - 1e-9)
    assert (found.extreme, found.p) == (extreme.sum(), extreme.mean())
    assert (found.undefined, found.mc_error) == (0, 0)


def test_draws_agree_with_enumeration():
    y, common, by_arm, groups, arm = trial(effect=-4)
    fit = pe.random_intercept_fit(common, by_arm, groups, 1)
    exact = pe.rerandomise(fit, y, arm, drawn(arm))
    m = 4000
    some = pe.rerandomise(fit, y, arm, drawn(arm, limit=100, draws=m))
    assert not some.exact and some.p == (1 + some.extreme) / (1 + m)
    assert abs(some.p - exact.p) < 4 * some.mc_error and some.p != exact.p


def test_the_level_is_kept_whatever_the_distribution():
    # every allocation in turn taken as the actual one: P(p <= alpha) <= alpha, exactly
    y, common, by_arm, groups, arm = trial(sizes=(3, 4), gone=0.1)
    y = np.exp(y / 5)
    fit, every = pe.random_intercept_fit(common, by_arm, groups, 1), drawn(arm)
    p = np.array([pe.rerandomise(fit, y, a, every).p for a in every.arms])
    for alpha in (0.03, 0.05, 0.1, 0.5):
        assert (p <= alpha).mean() <= alpha
    assert p.min() == pytest.approx(1 / 35)


def test_an_allocation_that_a_covariate_determines_is_left_out_of_both_counts():
    y, common, by_arm, groups, arm = trial(sizes=(4, 4), effect=-4)
    common = np.c_[common[:, :3], (groups < 4).astype(float)]
    found = pe.rerandomise(pe.random_intercept_fit(common, by_arm, groups, 1), y, arm, drawn(arm))
    t = []
    for chosen in combinations(range(8), 4):
        if chosen in ((0, 1, 2, 3), (4, 5, 6, 7)):
            continue  # the covariate, and its complement
        a = np.isin(np.arange(8), chosen)[groups]
        one = mixed.random_intercept(y, np.c_[common, a[:, None] * by_arm], groups)
        t.append(abs(one.beta[5] / one.se[5]))
    extreme = (np.array(t) >= abs(found.t) * (1 - 1e-9)).sum()
    assert (found.allocations, found.undefined, found.extreme) == (70, 2, extreme)
    assert found.p == extreme / 68
    own = pe.rerandomise(pe.random_intercept_fit(common, by_arm, groups, 1), y,
                         (np.arange(8) < 4).astype(int), drawn(arm))
    assert np.isnan([own.p, own.t]).all() and own.undefined == 2


# --- properties ----------------------------------------------------------------------------


def test_arm_swap_units_and_row_order():
    y, common, by_arm, groups, arm = trial(effect=-5, gone=0.2)
    found = pe.rerandomise(pe.random_intercept_fit(common, by_arm, groups, 2), y, arm, drawn(arm))
    swapped = pe.rerandomise(pe.random_intercept_fit(common, by_arm, groups, 2), y, 1 - arm,
                             drawn(1 - arm))
    assert (swapped.estimate, swapped.p) == pytest.approx((-found.estimate, found.p))
    scaled = pe.rerandomise(pe.random_intercept_fit(common, by_arm, groups, 2), 3 - 7 * y, arm,
                            drawn(arm))
    assert (scaled.estimate, scaled.p) == pytest.approx((-7 * found.estimate, found.p))
    mix = np.random.default_rng(1).permutation(len(y))
    mixed_up = pe.rerandomise(pe.random_intercept_fit(common[mix], by_arm[mix], groups[mix], 2),
                              y[mix], arm, drawn(arm))
    assert (mixed_up.estimate, mixed_up.p) == pytest.approx((found.estimate, found.p))


def test_ten_thousand_draws_of_the_cohort_are_one_batch():
    d = pd.read_csv(Path(__file__).parents[1] / "oracles" / "impute_cohort.csv")
    y = d[["fiq0", "fiq1", "fiq2"]].to_numpy(float)
    seen = ~np.isnan(y.ravel())
    times = np.tile([[1.0, 0, 0], [1, 1, 0], [1, 0, 1]], (41, 1))[seen]
    groups, arm = np.repeat(np.arange(41), 3)[seen], d["arm"].to_numpy()
    fit = pe.random_intercept_fit(np.c_[times, d["x"].to_numpy()[groups]], times,
                                  groups, 1)
    found = pe.rerandomise(fit, y.ravel()[seen], arm, drawn(arm))
    assert not found.exact and found.allocations == 10_000 and found.undefined == 0
    assert found.p < 0.01 and found.p >= 1 / 10_001


# --- the interval --------------------------------------------------------------------------


def inversion(data, column=1, swap=False, **kwargs):
    y, common, by_arm, groups, arm = data
    arm = 1 - arm if swap else arm
    fits = [pe.random_intercept_fit(common, by_arm, groups, c) for c in (1, 2)]
    exposed = arm[groups][:, None] * by_arm[:, 1:]
    other = 2 - column
    held = fits[other](y, arm[None])[0][0] * exposed[:, other]
    return fits[column - 1], exposed[:, column - 1], held, pe.invert(
        fits[column - 1], y, arm, drawn(arm), exposed[:, column - 1], held=held, **kwargs)


@pytest.mark.parametrize("column", [1, 2])
def test_the_interval_holds_what_the_test_does_not_reject(column):
    data = trial(sizes=(5, 6), effect=-5, gone=0.1)
    y, arm = data[0], data[4]
    fit, shift, held, found = inversion(data, column, tolerance=1e-6)
    estimate, se = (v[0] for v in fit(y, arm[None]))
    assert found.low < estimate < found.high
    for limit, outward in ((found.low, -1), (found.high, 1)):
        inside, outside = (
            pe.rerandomise(fit, y - held - theta * shift, arm, drawn(arm)).p
            for theta in (limit - outward * 1e-4 * se, limit + outward * 1e-4 * se))
        assert outside <= 0.05 + 1e-12 < inside


def test_the_interval_mirrors_and_scales():
    data = trial(sizes=(5, 6), effect=-5)
    found = inversion(data)[3]
    swapped = inversion(data, swap=True)[3]
    se = (found.high - found.low) / 4
    assert (-swapped.high, -swapped.low) == pytest.approx((found.low, found.high), abs=0.02 * se)
    doubled = inversion((2 * data[0] + 9, *data[1:]))[3]
    assert (doubled.low, doubled.high) == pytest.approx((2 * found.low, 2 * found.high),
                                                        abs=0.02 * se)


def test_too_few_allocations_give_no_limits():
    data = trial(sizes=(2, 2))
    found = inversion(data)[3]
    assert (found.low, found.high) == (-np.inf, np.inf)
