"""Differences and ratios of responders against published tables, R and exact enumeration."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri
from scipy.stats import binom

from mair.report import fmt
from mair.stats import risk
from mair.stats.risk import counts, improvement, meets, risk_difference, risk_ratio, with_nnt
from mair.stats.risk_limits import INTERVALS, difference_limits, ratio_limits

ORACLES = Path(__file__).parents[1] / "oracles"
NAN = math.nan
COUNTS = ["x1", "n1", "x2", "n2"]


def difference(x1, n1, x2, n2, interval):
    return risk_difference((x1, x2), (n1, n2), interval=interval)


# --- published -----------------------------------------------------------------------------------


def test_the_papers_numbers_to_every_printed_digit():
    for table, percent, nnt, shown, limits in (
        ((16, 19, 3, 16), ("65.5", "40.3", "90.7"), "1.53", "2", "1.1 to 2.5"),
        ((7, 19, 0, 16), ("36.8", "15.2", "58.5"), "2.71", "3", "1.7 to 6.6")):
        d = difference(*table, "wald")
        assert tuple(f"{100 * v:.1f}" for v in (d.estimate, d.low, d.high)) == percent
        assert f"{d.nnt:.2f}" == nnt
        assert fmt.nnt(d.nnt) == shown
        assert fmt.nnt_ci(d.nnt_low, d.nnt_high, d.through_infinity) == limits


def test_a_bad_event_counted_as_the_good_result():
    d = risk_difference((295 - 27, 307 - 52), (295, 307))
    assert round(100 * d.estimate, 3) == 7.786
    assert round(d.nnt, 3) == 12.844
    assert fmt.nnt(d.nnt) == "13"
    assert round(difference(7, 22, 0, 19, "wald").nnt, 3) == 3.143
    assert fmt.nnt(difference(7, 22, 0, 19, "wald").nnt) == "4"


# Newcombe 1998, Table II: methods 1 (Wald), 6 (Miettinen-Nurminen) and 10, examples (a) to (h).
# Miettinen-Nurminen (a), (b), (g): also SAS, lexjansen.com/wuss/2016/127_Final_Paper_PDF.pdf; (d):
# also the tests of Laud's R package ratesci, which hold Laud 2017, Zou and Donner, Fagerland too.
PUBLISHED = pd.read_csv(ORACLES / "risk_published.csv", dtype=str, keep_default_na=False)


@pytest.mark.parametrize("row", PUBLISHED.to_dict("records"), ids=PUBLISHED["source"])
def test_published_limits(row):
    x1, n1, x2, n2 = (int(row[name]) for name in COUNTS)
    function = {"difference": risk_difference, "ratio": risk_ratio}[row["measure"]]
    found = function((x1, x2), (n1, n2), interval=row["interval"])
    for printed, limit in ((row["low"], found.low), (row["high"], found.high)):
        if not printed:
            assert math.isnan(limit)
            continue
        units = 0.6 if printed == "69.950" else 0.5  # that one is 69.94945
        digits = len(printed.partition(".")[2])
        assert limit == pytest.approx(float(printed), rel=0, abs=(units + 1e-6) * 10.0**-digits)
    if row["measure"] == "ratio" and x2:
        assert found.estimate == pytest.approx((x1 / n1) / (x2 / n2), rel=1e-14)


# --- R and statsmodels ---------------------------------------------------------------------------


# ratesci finds a ratio's limit through a tangent: fewer digits for limits of tens of thousands
@pytest.mark.parametrize(("name", "rows", "rd", "rr"), [
    ("risk", 1200, 1e-11, 1e-10),
    ("risk_ratesci", 600, 1e-7, 1e-5),
])
def test_r_oracles(name, rows, rd, rr):
    oracle = pd.read_csv(ORACLES / f"{name}.csv")
    assert len(oracle) == rows
    assert (oracle["x1"] == 0).any() and (oracle["x2"] == oracle["n2"]).any()
    for (interval, confidence), rows_ in oracle.groupby(["interval", "confidence"]):
        tables = [rows_[c].to_numpy() for c in COUNTS]
        low, high = difference_limits(*tables, interval, confidence)
        np.testing.assert_allclose(low, rows_["rd_low"], rtol=0, atol=rd)
        np.testing.assert_allclose(high, rows_["rd_high"], rtol=0, atol=rd)
        low, high = ratio_limits(*tables, interval, confidence)
        np.testing.assert_allclose(low, rows_["rr_low"], rtol=rr)
        np.testing.assert_allclose(high, rows_["rr_high"], rtol=rr)


# --- properties ----------------------------------------------------------------------------------


def random_tables(m, seed):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 120, (m, 2))
    x = rng.binomial(n, rng.beta(0.6, 0.6, (m, 2)))
    return np.column_stack([x[:, 0], n[:, 0], x[:, 1], n[:, 1]])


@pytest.mark.parametrize("interval", INTERVALS)
def test_four_thousand_tables(interval):
    x1, n1, x2, n2 = np.vstack([random_tables(1_000, seed=2), random_tables(3_000, seed=1)]).T
    low, high = difference_limits(x1, n1, x2, n2, interval)
    estimate = x1 / n1 - x2 / n2
    assert np.isfinite(low).all() and np.isfinite(high).all()
    assert (low <= estimate + 1e-15).all() and (estimate <= high + 1e-15).all()
    if interval != "wald":
        assert low.min() >= -1 and high.max() <= 1
        assert (low < high).all()
    swapped = difference_limits(x2, n2, x1, n1, interval)
    np.testing.assert_allclose(swapped, (-high, -low), atol=1e-12)
    # failures counted instead of responders: unlike the swap of arms no identity of the code
    x1, n1, x2, n2, low, high = (a[:1000] for a in (x1, n1, x2, n2, low, high))
    mirrored = difference_limits(n1 - x1, n1, n2 - x2, n2, interval)
    np.testing.assert_allclose(mirrored, (-high, -low), atol=1e-9)


@pytest.mark.parametrize("interval", INTERVALS)
def test_ratio_limits_are_ordered_and_reciprocal(interval):
    x1, n1, x2, n2 = random_tables(1_000, seed=4).T
    low, high = ratio_limits(x1, n1, x2, n2, interval)
    both = (x1 > 0) & (x2 > 0)
    ratio = (x1 * n2)[both] / (x2 * n1)[both]
    assert not np.isnan(low).any() and not np.isnan(high).any()
    assert (low[both] <= ratio * (1 + 1e-12)).all() and (ratio <= high[both] * (1 + 1e-12)).all()
    assert (low[x1 == 0] == 0).all() and np.isinf(high[x2 == 0]).all()
    assert np.isfinite(low).all() and np.isfinite(high[x2 > 0]).all()
    swapped = ratio_limits(x2, n2, x1, n1, interval)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(swapped, (1 / high, 1 / low), rtol=1e-9)


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95, 0.999])
def test_every_small_table_has_limits(confidence):
    tables = [(x1, n1, x2, n2)
              for n1 in (1, 2, 5) for n2 in (1, 3)
              for x1 in range(n1 + 1) for x2 in range(n2 + 1)]
    x1, n1, x2, n2 = np.array(tables).T
    for interval in INTERVALS:
        low, high = difference_limits(x1, n1, x2, n2, interval, confidence)
        assert np.isfinite(low).all() and np.isfinite(high).all()
        assert (low <= x1 / n1 - x2 / n2 + 1e-12).all()
        assert (x1 / n1 - x2 / n2 <= high + 1e-12).all()
        low, high = ratio_limits(x1, n1, x2, n2, interval, confidence)
        assert np.isfinite(low).all() and not np.isnan(high).any() and (low <= high).all()


def test_the_outermost_of_several_roots():
    # 0/10 v 0/20, upper limit: p2 is 0 and p1 the difference, so the equation can be written down
    theta = np.linspace(1e-6, 0.999, 400_001)
    z = 1.959963984540054
    variance = theta * (1 - theta) / 10 * 30 / 29
    third = theta * (1 - theta) * (1 - 2 * theta) / 100
    equation = -theta / np.sqrt(variance) - (z * z - 1) * third / (6 * variance**1.5) + z
    roots = theta[1:][np.diff(np.sign(equation)) != 0]
    assert len(roots) == 2
    assert difference(0, 10, 0, 20, "skewness-corrected").high == pytest.approx(roots[-1], abs=1e-5)


def test_coverage_by_enumeration():
    # both one-sided error rates at 20 v 15, averaged over a grid of true proportions, exactly
    n1, n2 = 20, 15
    x1, x2 = (a.ravel() for a in np.meshgrid(np.arange(n1 + 1), np.arange(n2 + 1), indexing="ij"))
    p = np.linspace(0.03, 0.97, 20)
    p1, p2 = (a.ravel()[:, None] for a in np.meshgrid(p, p))
    chance = binom.pmf(x1, n1, p1) * binom.pmf(x2, n2, p2)
    coverage = {}
    for interval in INTERVALS:
        low, high = difference_limits(x1, n1, x2, n2, interval)
        over = (chance * (low > p1 - p2)).sum(axis=1).mean()
        under = (chance * (high < p1 - p2)).sum(axis=1).mean()
        coverage[interval] = 1 - over - under
        assert abs(over - under) < 0.003  # p grid is symmetric: so must the errors be
    assert coverage["wald"] < 0.93
    for interval in {*INTERVALS} - {"wald"}:
        assert 0.945 < coverage[interval] < 0.965


# --- number needed to treat ----------------------------------------------------------------------


@pytest.mark.parametrize(("limits", "fields", "shown"), [
    ((0.1, -1 / 9.4, 0.4), (10, -9.4, 2.5, 1), "NNTB 2.5 to infinity to NNTH 9.4"),
    ((-0.1, -0.5, -0.05), (-10, -20, -2, 0), "NNTH 2.0 to 20.0"),
    ((0.0, 0.0, 0.5), (NAN, NAN, 2.0, 1), "NNTB 2.0 to infinity"),
    ((0.0, -0.25, 0.0), (NAN, -4.0, NAN, 1), "NNTH 4.0 to infinity"),
    ((0.0, 0.0, 0.0), (NAN, NAN, NAN, 1), "not estimable"),
    ((0.0, 1e-16, 0.5), (NAN, NAN, 2.0, 1), "NNTB 2.0 to infinity"),
    ((0.0, NAN, NAN), (NAN, NAN, NAN, NAN), "not estimable"),
])
def test_nnt_and_its_limits(limits, fields, shown):
    d = with_nnt(*limits)
    assert d[3:] == pytest.approx(fields, nan_ok=True)
    assert fmt.nnt_ci(*d[4:]) == shown


def test_display_rounds_away_from_zero():
    shown = {12.844: "13", 1.527: "2", 2.0: "2", 1 / (0.3 - 0.2): "10", -9.01: "NNTH 10"}
    assert {v: fmt.nnt(v) for v in shown} == shown
    assert fmt.nnt(NAN) == "not estimable"


def test_ratio_with_an_empty_control():
    for interval in INTERVALS:
        r = risk_ratio((7, 0), (19, 16), interval=interval)
        assert math.isnan(r.estimate) and math.isnan(r.high) and 0 < r.low < 3
        r = risk_ratio((0, 0), (19, 16), interval=interval)
        assert math.isnan(r.estimate) and math.isnan(r.high) and r.low == 0
        r = risk_ratio((0, 7), (19, 16), interval=interval)
        assert r.estimate == r.low == 0 and 0 < r.high < 1


# --- responders ----------------------------------------------------------------------------------


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_every_tie_on_a_grid_of_tenths(better):
    tenths, percent = (a.ravel() for a in np.meshgrid(np.arange(1, 1001), np.arange(1, 101)))
    exact = tenths * percent % 100 == 0
    tenths, percent = tenths[exact], percent[exact]
    change = tenths * percent // 100 * (-1 if better == "lower" else 1)
    step = 1 if better == "lower" else -1
    threshold = percent / 100
    tie = improvement(tenths / 10, (tenths + change) / 10, better)
    worse = improvement(tenths / 10, (tenths + change + step) / 10, better)
    assert len(tie) > 5_000
    assert not (tie >= threshold).all()  # without the tolerance some ties are missed
    assert meets(tie, threshold).all()
    assert not meets(worse, threshold).any()


def test_improvement():
    got = improvement([10, 0, 40, NAN, 20], [8, 3, 50, 1, NAN])
    np.testing.assert_allclose(got, [0.2, NAN, -0.25, NAN, NAN])
    np.testing.assert_allclose(improvement([10, 40], [12, 30], "higher"), [0.2, -0.25])
    assert not meets(NAN, -5)


def test_rules_for_missing():
    got = {(r, a): counts(5, 3, 20, r, a) for r in risk.RULES for a in ("treatment", "control")}
    assert got == {("completers", "treatment"): (5, 17), ("completers", "control"): (5, 17),
                   ("nonresponder", "treatment"): (5, 20), ("nonresponder", "control"): (5, 20),
                   ("worst-case", "treatment"): (5, 20), ("worst-case", "control"): (8, 20),
                   ("best-case", "treatment"): (8, 20), ("best-case", "control"): (5, 20)}


def test_responder_curve():
    treatment = improvement([2.3, 1.1, 10, 10, 10], [1.61, 0.77, 5, 12, NAN])
    control = improvement([10, 10, 10], [9, 7, NAN])
    control = np.append(control, control[1])
    # 0.3 with three different last bits: one threshold
    assert len({treatment[0], treatment[1], control[1]}) == 3
    curve = risk.responder_curve(treatment, control)
    np.testing.assert_allclose(curve.thresholds, [-0.2, 0.1, 0.3, 0.5])
    assert curve.treatment.tolist() == [4, 3, 3, 1]
    assert curve.control.tolist() == [3, 3, 2, 0]
    assert (curve.n_treatment, curve.n_control) == (4, 3)
    for i in range(4):
        d = difference(curve.treatment[i], 4, curve.control[i], 3, "miettinen-nurminen")
        got = curve.estimate[i], curve.low[i], curve.high[i]
        assert got == pytest.approx((d.estimate, d.low, d.high), abs=1e-12)


def test_responder_curve_of_an_empty_arm_is_empty():
    curve = risk.responder_curve([0.5, NAN], [NAN])
    assert len(curve.thresholds) == len(curve.estimate) == len(curve.low) == 0
    assert (curve.n_treatment, curve.n_control) == (1, 0)


@pytest.mark.parametrize(("call", "words"), [
    (((20, 3), (19, 16)), "treatment: 20 responders of 19"),
    (((2, -1), (19, 16)), "control: -1 responders of 16"),
    (((0, 0), (19, 0)), "control: 0 responders of 0"),
    (((1.5, 0), (19, 5)), "whole numbers"),
    (((1, 0, 3), (19, 5)), "expected \\(treatment, control\\)"),
])
def test_refused_counts(call, words):
    for function in (risk_difference, risk_ratio):
        with pytest.raises(ValueError, match=words):
            function(*call)


def test_refused_methods():
    with pytest.raises(ValueError, match="expected one of wald, newcombe"):
        risk_difference((1, 2), (3, 4), interval="agresti")


# --- standardised over baseline: R's glm with the sandwich ---------------------------------------


STANDARDISED = json.loads((ORACLES / "standardised.json").read_text())
Z = ndtri(0.975)


@pytest.mark.parametrize("r", STANDARDISED)
def test_r_gives_the_same(r):
    difference, ratio = risk.standardised_risks(r["response"], r["arm"], r["baseline"])
    assert difference[:3] == pytest.approx(
        [r["difference"] + side * Z * r["se"] for side in (0, -1, 1)], rel=1e-6)
    assert np.log(ratio[:3]) == pytest.approx(
        [r["log_ratio"] + side * Z * r["se_log"] for side in (0, -1, 1)], rel=1e-6)
    assert difference.nnt == pytest.approx(1 / r["difference"], rel=1e-6)


def test_without_a_slope_it_is_the_risks_themselves():
    y, arm = np.repeat([1, 0, 1, 0], [12, 4, 6, 14]), np.repeat([1, 0], [16, 20])
    for baseline in (np.full(36, 50.0), np.r_[np.tile([40.0, 60.0], 18)]):
        difference, ratio = risk.standardised_risks(y, arm, baseline)
        assert difference.estimate == pytest.approx(12 / 16 - 6 / 20)
        assert ratio.estimate == pytest.approx(2.5)
        se = np.sqrt(0.75 * 0.25 / 16 + 0.3 * 0.7 / 20)  # Wald's
        assert difference.high - difference.low == pytest.approx(2 * Z * se, rel=2e-3)


@pytest.mark.parametrize(("y", "message"), [
    ([0, 0, 0, 0, 1, 1, 0, 1], "an arm has no responder"),
    ([0, 0, 1, 1, 0, 0, 1, 1], "exactly who responds")])
def test_it_says_what_has_no_maximum(y, message):
    with pytest.raises(ValueError, match=message):
        risk.standardised_risks(y, [0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 4, 1, 2, 3, 4])
