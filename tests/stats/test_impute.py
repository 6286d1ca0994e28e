"""Multiple imputation and its pooling against mice and R (oracles/impute.R), and by property."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mair.stats import covariance, mixed, pooling, risk, shifts, smallsample
from mair.stats import impute as im

ROOT = Path(__file__).parents[2]
ORACLES = Path(__file__).parents[1] / "oracles"
R = json.loads((ORACLES / "impute.json").read_text("utf-8"))
DATA = ROOT / "mair" / "data"


@cache
def data(name):
    if name in ("fiq", "pcs"):
        d = pd.read_csv(ORACLES / "impute_cohort.csv")
        y, arm, covariates = d[[f"{name}{t}" for t in range(3)]], d["arm"], d["x"]
    elif name == "blues":
        d = pd.read_csv(DATA / "beat_the_blues.csv")
        y = d[["bdi_pre", "bdi_2m", "bdi_3m", "bdi_5m", "bdi_8m"]]
        arm = (d["treatment"] == "BtheB").astype(int)
        covariates = np.c_[d["drug"] == "Yes", d["length"] == ">6m"]
    else:
        d = pd.read_csv(ORACLES / "impute_gaps.csv")
        if name == "one":
            d = d[d["y0"].notna()]
        y, arm, covariates = d[["y0", "y1", "y2", "y3"][: 2 if name == "one" else 4]], d.arm, d.x
    return np.array(y, float), np.array(arm), np.array(covariates, float).reshape(len(y), -1)


@cache
def imputed(name, rule="mar", m=2000):
    return im.impute(*data(name), rule=rule, m=m, rng=np.random.default_rng(2020), burn=25)


def pooled(name, visit, rule="mar", **kwargs):
    _, arm, covariates = data(name)
    analyse = pooling.group_by_time(arm, covariates, visit)
    return pooling.rubin(*analyse(imputed(name, rule, **kwargs).values))


def jackknife(y, arm, covariates, visit, rule="mar"):
    found = pooling.jackknife(y, arm, covariates, [visit], [rule])
    return pooling.Jackknife(float(found.estimate[0, 0]), float(found.se[0, 0]), found.reason)


def limits(pooled):
    found = smallsample.tested(*pooled[:3])
    return found.low, found.high


def agree(ours, theirs):
    """Within 3 Monte-Carlo errors; standard errors within 3 %."""
    error = np.sqrt(ours.between / ours.m + theirs["between"] / theirs["m"])
    assert abs(ours.estimate - theirs["estimate"]) <= 3 * error
    assert 0.97 <= ours.se / theirs["se"] <= 1.03


# --- against R -----------------------------------------------------------------------------

MAR = [(name, visit) for name, found in R["mar"].items()
       for visit in range(1, len(found["contrasts"]) + 1)]
BASED = [(name, rule, visit) for name, rules in R["reference"].items() for rule in rules
         for visit in range(1, len(rules[rule]["contrasts"]) + 1)]


@pytest.mark.parametrize(("name", "visit"), MAR)
def test_mar_agrees_with_mice(name, visit):
    theirs = R["mar"][name]["contrasts"][visit - 1]
    assert theirs["m"] == 2000
    agree(pooled(name, visit), theirs)


def test_responders_agree_with_mice():
    _, arm, _ = data("fiq")
    values = imputed("fiq").values
    for theirs in R["mar"]["fiq"]["responders"]:
        gained = risk.improvement(values[..., 0], values[..., 1])
        found = pooling.responders(risk.meets(gained, theirs["reduction"]), arm)
        agree(found.difference, theirs)
        assert (found.n_treatment, found.n_control) == (22, 19)
        assert found.difference.estimate == pytest.approx(found.treatment - found.control)


@pytest.mark.parametrize(("name", "rule", "visit"), BASED)
def test_reference_based_imputation_and_jackknife_agree_with_r(name, rule, visit):
    theirs = R["reference"][name][rule]
    agree(pooled(name, visit, rule), theirs["contrasts"][visit - 1])
    found = jackknife(*data(name), visit, rule=rule)
    assert found.estimate == pytest.approx(theirs["conditional_mean"][visit - 1], rel=1e-8)
    assert found.se == pytest.approx(theirs["jackknife_se"][visit - 1], rel=1e-8)


@pytest.mark.parametrize("case", R["rubin"]["pooled"], ids=["barnard-rubin", "rubin"])
def test_rubin_agrees_with_mice(case):
    given = R["rubin"]
    found = pooling.rubin(given["estimates"], given["variances"], float(case["df_complete"]))
    for key in ("estimate", "se", "df", "fmi", "between"):
        assert getattr(found, key) == pytest.approx(case[key], rel=1e-12)
    assert found.mc_error == pytest.approx(np.sqrt(case["between"] / 6))


# --- imputation ----------------------------------------------------------------------------


@pytest.mark.parametrize("rule", im.RULES)
@pytest.mark.parametrize("name", ["fiq", "gaps"])
def test_observed_values_stay_and_imputed_ones_centre_on_the_conditional_mean(name, rule):
    y, arm, covariates = data(name)
    found, gone = imputed(name, rule, m=500), np.isnan(y)
    assert np.array_equal(found.missing, gone) and np.isfinite(found.values).all()
    assert (found.values == y)[:, ~gone].all() and found.pooled == ()
    drawn = found.values[:, gone]
    expected = im.conditional_mean(y, arm, covariates, rules=[rule])[0, 0][gone]
    assert np.abs(drawn.mean(0) - expected).max() < 0.25 * drawn.std(0).min()


def test_nothing_missing_is_the_complete_analysis():
    y, arm, covariates = data("fiq")
    y = np.nan_to_num(y, nan=40.0)
    found = im.impute(y, arm, covariates, m=3, rng=np.random.default_rng(1))
    fit = pooling.group_by_time(arm, covariates, 2)
    b, variance, _ = fit(y)
    over = pooling.rubin(*fit(found.values))
    assert float(over.estimate) == pytest.approx(float(b), rel=1e-12)
    assert (float(over.se), over.df) == (pytest.approx(float(np.sqrt(variance))), 78)
    assert over.fmi == over.mc_error == 0


def test_rules_differ_only_where_they_should():
    y, arm, _ = data("blues")
    mar, j2r, cr = (imputed("blues", rule).values for rule in im.RULES)
    at_once = (arm == 1) & np.isnan(y[:, 1:]).all(1)
    later = (arm == 1) & np.isnan(y[:, 4]) & ~np.isnan(y[:, 1])
    assert np.array_equal(mar[:, arm == 0], j2r[:, arm == 0])
    assert np.array_equal(j2r[:, at_once], cr[:, at_once])
    assert later.any() and (j2r[:, later, 4] != cr[:, later, 4]).all()
    assert (mar[:, later, 4] != cr[:, later, 4]).all()


def test_jump_to_reference_forgets_the_treatment():
    # whoever is treated and leaves at once gets the control arm's regression on baseline
    rng = np.random.default_rng(3)
    before = rng.normal(50, 10, 30)
    y = np.c_[np.r_[before, before], np.r_[before + rng.normal(-5, 4, 30), np.full(30, np.nan)]]
    y[30:35, 1] = 0.0  # five stay, far off: no matter
    y[:30, 1][::4] = np.nan
    arm = np.repeat([0, 1], 30)
    completed = im.conditional_mean(y, arm, rules=["j2r"])[0, 0]
    ols = np.polyfit(before[~np.isnan(y[:30, 1])], y[:30, 1][~np.isnan(y[:30, 1])], 1)
    assert completed[35:, 1] == pytest.approx(np.polyval(ols, before[5:]))


@pytest.mark.parametrize("rule", im.RULES)
def test_row_order_and_units_do_not_matter(rule):
    y, arm, covariates = data("gaps")
    mix = np.random.default_rng(4).permutation(len(y))
    one, two, three = (im.impute(*sample, rule=rule, m=4, rng=np.random.default_rng(5)).values
                       for sample in ((y, arm, covariates), (y[mix], arm[mix], covariates[mix]),
                                      (7 * y - 300, arm, 0.01 * covariates + 9)))
    assert two == pytest.approx(one[:, mix], rel=1e-9)
    assert three == pytest.approx(7 * one - 300, rel=1e-8, abs=1e-6)


@pytest.mark.parametrize("name", ["fiq", "gaps"])
def test_arm_swap_changes_the_sign(name):
    y, arm, covariates = data(name)
    one, two = (jackknife(y, a, covariates, 2) for a in (arm, 1 - arm))
    assert two[:2] == pytest.approx((-one.estimate, one.se), rel=1e-7)


def test_a_small_arm_borrows_from_the_other_and_says_so():
    y, arm, covariates = (v.copy() for v in data("fiq"))
    y[np.flatnonzero(arm == 1)[3:], 2] = np.nan  # two or three treated people at the end
    found = im.impute(y, arm, covariates, m=500, rng=np.random.default_rng(1))
    assert found.pooled == (2,) and np.isfinite(found.values).all()
    # its slopes are least squares with an intercept an arm
    expected = im.conditional_mean(y, arm, covariates)[0, 0]
    seen = ~np.isnan(y[:, 2])
    X = np.c_[1 - arm, arm, covariates, expected[:, :2]]
    beta = np.linalg.lstsq(X[seen], y[seen, 2], rcond=None)[0]
    assert expected[~seen, 2] == pytest.approx(X[~seen] @ beta)


def test_what_cannot_be_imputed_is_refused():
    y, arm, covariates = (v.copy() for v in data("fiq"))
    rng = np.random.default_rng(1)
    for wrong in ({"rule": "locf"}, {"covariates": np.full((len(y), 1), np.nan)}):
        with pytest.raises(ValueError):
            im.impute(**{"y": y, "arm": arm, "covariates": covariates, "rng": rng, **wrong})
    y[arm == 1, 2] = np.nan
    with pytest.raises(im.NotEstimable, match="visit 2: 0 and 15 people"):
        im.impute(y, arm, covariates, rng=rng)
    y[:, 2] = np.nan
    with pytest.raises(im.NotEstimable, match="nobody was seen at visit 2"):
        im.impute(y, arm, covariates, rng=rng)


# --- pooling -------------------------------------------------------------------------------


@pytest.mark.parametrize("rho", [0.5, 0.0, -0.3])
def test_the_analysis_is_the_model_of_the_trial(rho):
    _, arm, covariates = data("fiq")
    n, T = len(arm), 3
    root = np.linalg.cholesky(rho + (1 - rho) * np.eye(T))
    y = np.random.default_rng(1).standard_normal((n, T)) @ root.T
    a, times = np.repeat(arm, T), np.tile(np.eye(T)[:, 1:], (n, 1))
    X = np.c_[np.ones(n * T), a, times, a[:, None] * times, np.repeat(covariates, T, 0)]
    people, visits = np.repeat(np.arange(n), T), np.tile(np.arange(T), n)
    for structure in ("random-intercept", "compound-symmetry", "unstructured"):
        fit = (mixed.random_intercept(y.ravel(), X, people) if structure == "random-intercept"
               else covariance.fit(y.ravel(), X, people, visits, structure))
        assert structure != "random-intercept" or fit.boundary == (rho < 0)
        b, variance, df = pooling.group_by_time(arm, covariates, 2, covariance=structure)(y)
        assert (b, variance) == pytest.approx((fit.beta[5], fit.cov[5, 5]), rel=1e-6)
        assert df == (39 if structure == "unstructured" else 78)


def test_the_unstructured_analysis_is_the_t_test_of_changes():
    _, arm, _ = data("fiq")
    values = imputed("fiq").values[:3]
    change = values[..., 2] - values[..., 0]
    theirs = stats.ttest_ind(change[:, arm == 1], change[:, arm == 0], axis=1)
    b, variance, df = pooling.group_by_time(arm, None, 2, covariance="unstructured")(values)
    assert df == 39 and b / np.sqrt(variance) == pytest.approx(theirs.statistic)


def test_a_jackknife_by_groups_comes_near_that_by_people(monkeypatch):
    rng, half = np.random.default_rng(3), 210
    arm = np.repeat([0, 1], half)
    y = rng.normal(50, 8, (2 * half, 1)) + rng.normal(0, 6, (2 * half, 3))
    y[:, 1:][rng.random((2 * half, 2)) < 0.12] = np.nan
    mixed_up = rng.permutation(2 * half)
    grouped, other = (pooling.jackknife(y[who], arm[who], None, [2], im.RULES)
                      for who in (np.arange(2 * half), mixed_up))
    assert other.se == pytest.approx(grouped.se)
    monkeypatch.setattr(pooling, "BLOCKS", 2 * half)
    alone = pooling.jackknife(y, arm, None, [2], im.RULES)
    assert np.array_equal(alone.estimate, grouped.estimate)
    assert alone.se == pytest.approx(grouped.se, rel=3 / np.sqrt(half))


def test_the_jackknife_says_what_it_cannot_estimate(monkeypatch):
    y, arm, covariates = data("fiq")
    whole = jackknife(y, arm, covariates, 1)
    monkeypatch.setattr(pooling, "CHUNK", 3 * y.size)  # three people left out at a time
    assert jackknife(y, arm, covariates, 1) == pytest.approx(whole)
    few = np.r_[np.flatnonzero(arm == 0)[:6], np.flatnonzero(arm == 1)[:6]]
    y, arm, none = y[few][:, :2].copy(), arm[few], covariates[few]
    y[0, 1] = np.nan
    lost = np.c_[none, none]  # a covariate twice
    found = jackknife(y, arm, lost, 1)
    assert np.isnan([found.estimate, found.se]).all() and "determined" in found.reason
    level = np.zeros((12, 1))
    level[3] = 1.0  # a covariate level of one person
    found = jackknife(y, arm, level, 1)
    assert np.isnan(found.se) and found.reason


def test_a_left_out_fit_that_rounding_decides_has_no_standard_error():
    rng = np.random.default_rng(4)
    arm = np.repeat([0, 1], 9)
    y = rng.normal(50, 9, (18, 1)) + rng.normal(0, 5, (18, 3))
    x = 2 * y[:, 0] + 0.3  # in the control arm, but for one
    x[8:] += rng.normal(0, 5, 10)
    y[[3, 15], 2] = np.nan
    found = pooling.jackknife(y, arm, x[:, None], [1, 2], ["mar", "cr"])
    assert np.isfinite(found.estimate).all() and np.isnan(found.se).all()
    assert found.reason == f"with somebody left out, {im.DEPENDENT}"


def test_small_odd_trials_are_estimated_or_say_why():
    rng, estimated = np.random.default_rng(0), 0
    for _ in range(20):
        arm, visits = np.repeat([0, 1], rng.integers(4, 20, 2)), int(rng.integers(2, 5))
        y = rng.normal(50, 10, (len(arm), 1)) + rng.normal(0, 5, (len(arm), visits))
        y = y * 10.0 ** rng.choice([-10, 0, 6]) + rng.choice([0, 1e8])
        if rng.random() < 0.15:
            y[:, 1] = 2 * y[:, 0] - 3  # determined
        y[rng.random(y.shape) < rng.choice([0.05, 0.3])] = np.nan
        x = rng.normal(size=len(arm))
        covariates = (None, x, np.c_[x, x], np.nan_to_num(y[:, 0]), np.eye(len(arm))[0],
                      np.full(len(arm), 0.1))[rng.integers(0, 6)]
        found = jackknife(y, arm, covariates, 1, rule=rng.choice(im.RULES))
        assert found.reason or np.isfinite([found.estimate, found.se]).all()
        estimated += not found.reason
    assert 3 < estimated < 18


def test_rubin_survives():
    flat = pooling.rubin(np.zeros(5), np.zeros(5))
    assert (flat.estimate, flat.se, flat.fmi) == (0, 0, 0) and limits(flat) == (0, 0)
    assert np.isnan(smallsample.tested(*flat[:3]).p)
    some = pooling.rubin([1.0, 2.0], [0.0, 0.0], 20.0)  # nothing within: all is missing
    assert some.fmi == pytest.approx(1) and some.se == pytest.approx(np.sqrt(0.75))


def test_zero_responders_do_not_fail():
    arm = np.repeat([0, 1], [5, 7])
    found = pooling.responders(np.zeros((4, 12), bool), arm)
    assert found.difference.estimate == found.difference.se == 0 and found.log_ratio is None
    all_of = pooling.responders(np.ones((4, 12), bool), arm)
    assert all_of.log_ratio.estimate == 0


# --- delta ---------------------------------------------------------------------------------


@cache
def surface(visit=1, name="fiq"):
    _, arm, covariates = data(name)
    analyse, imp = pooling.group_by_time(arm, covariates, visit), imputed(name, m=200)
    return imp, arm, analyse, shifts.Surface(imp, arm, visit, analyse)


def tips(visit=1, name="fiq", limit=100, scale=(0, 100), **kwargs):
    return surface(visit, name)[3].tipping_point(limit, scale=scale, **kwargs)


def test_delta_zero_is_mar_exactly():
    for name in ("fiq", "gaps", "blues"):
        mar = imputed(name, m=500)
        assert np.array_equal(shifts.shifted(mar, data(name)[1], 1, 0.0, 0.0), mar.values)
    imp, _, analyse, at = surface()
    mar = pooling.rubin(*analyse(imp.values))
    assert [*map(float, at(0.0)[:3])] == pytest.approx([*map(float, mar[:3])], rel=1e-12)


@pytest.mark.parametrize("visit", [1, 2])
def test_tipping_point_is_where_the_interval_first_meets_zero(visit):
    (imp, arm, analyse, at), found = surface(visit), tips(visit)
    moved = shifts.shifted(imp, arm, visit, found.delta)
    assert found.state == "tips"
    assert 0 <= limits(pooling.rubin(*analyse(moved)))[1] == pytest.approx(0, abs=1e-6)
    assert (limits(at(np.linspace(0, found.delta * (1 - 1e-6), 60)))[1] < 0).all()
    moved = moved[:, imp.missing[:, visit] & (arm == 1), visit]
    assert found.imputed == moved.size > 0
    assert found.beyond == (moved > 100).sum() + (moved < 0).sum() > 0


@pytest.mark.parametrize("structure", ["random-intercept", "compound-symmetry", "unstructured"])
@pytest.mark.parametrize("spread", [1.0, -1.0])  # people alike at -1: variance of people at zero
def test_the_surface_is_the_shifted_data_analysed(structure, spread):
    _, arm, covariates = data("fiq")
    imp = imputed("fiq", m=20)
    if spread < 0:
        rest = imp.values - imp.values.mean(2, keepdims=True)
        imp = im.Imputed(rest + 0.1 * np.random.default_rng(2).normal(size=rest.shape),
                         imp.missing, ())
    analyse = pooling.group_by_time(arm, covariates, 1, covariance=structure)
    grid = shifts.Surface(imp, arm, 1, analyse)([[0.0], [13.0], [-70.0]],
                                                [[-40.0, 0.0, 55.0, 3.0]])
    for i, a in enumerate((0.0, 13.0, -70.0)):
        for j, b in enumerate((-40.0, 0.0, 55.0, 3.0)):
            one = pooling.rubin(*analyse(shifts.shifted(imp, arm, 1, a, b)))
            assert [x[i, j] for x in grid[:3]] == pytest.approx([*map(float, one[:3])], rel=1e-9)


@pytest.mark.parametrize("direction", [(0, -1), (1, -1)])
def test_the_control_arm_may_be_better_too(direction):
    imp, arm, analyse, _ = surface()
    found = tips(direction=direction)
    moved = shifts.shifted(imp, arm, 1, *(found.delta * np.array(direction)))
    assert limits(pooling.rubin(*analyse(moved)))[1] == pytest.approx(0, abs=1e-6)
    gone = imp.missing[:, 1] & ((arm == 0) | (direction[0] > 0))
    assert found.imputed == 200 * gone.sum()
    assert found.beyond == ((moved[:, gone, 1] < 0) | (moved[:, gone, 1] > 100)).sum()
    assert direction == (0, -1) or found.delta < tips().delta


def test_tipping_states():
    found = tips()
    short = tips(limit=found.delta / 2)
    assert short.state == "none within the scale" and np.isnan(short.delta)
    assert short.beyond < found.beyond
    blues, own, *_ = surface(4, "blues")
    drawn = blues.values[:, blues.missing[:, 4] & (own == 1), 4]
    assert tips(4, "blues", 63, (0, 63)) == (
        "contains 0 already", 0.0, drawn.size, ((drawn < 0) | (drawn > 63)).sum())
    _, arm, analyse, _ = surface()
    y = data("fiq")[0].copy()
    y[arm == 1] = np.nan_to_num(y[arm == 1], nan=35.0)
    whole = im.impute(y, arm, data("fiq")[2], m=20, rng=np.random.default_rng(1))
    nobody = shifts.Surface(whole, arm, 1, analyse).tipping_point(100)
    assert nobody.state == "nobody imputed" and np.isnan(nobody.delta) and nobody.imputed == 0


def test_tipping_point_mirrors_when_higher_is_better():
    imp, arm, analyse, _ = surface()
    turned = im.Imputed(100 - imp.values, imp.missing, ())
    mirror = shifts.Surface(turned, arm, 1, analyse, "higher").tipping_point(100, scale=(0, 100))
    assert mirror[1:] == pytest.approx(tips()[1:], rel=1e-8)
    double = im.Imputed(2 * imp.values, imp.missing, ())
    scaled = shifts.Surface(double, arm, 1, analyse).tipping_point(200, scale=(0, 200))
    assert scaled.delta == pytest.approx(2 * tips().delta, rel=1e-8)


class Bent(shifts.Surface):
    """0 is within for deltas from 10 to 20 and again from 40; no estimate below ``none``."""

    none = -np.inf

    def __call__(self, delta, control=0.0):
        wide = (np.abs(delta - 15) <= 5) | (delta >= 40)
        at = delta - 90.0 if delta >= self.none else np.nan
        return pooling.rubin(np.full(9, at), np.full(9, 1e4 if wide else 1e-4))


def test_the_first_crossing_counts_where_the_standard_error_bends():
    imp, arm, analyse, _ = surface()
    bent = Bent(imp, arm, 1, analyse)
    assert bent.tipping_point(100, scale=(0, 100)).delta == pytest.approx(10, abs=1e-6)
    bent.none = 1.0
    broken = bent.tipping_point(100)
    assert broken.state == "not estimable" and np.isnan(broken.delta)
