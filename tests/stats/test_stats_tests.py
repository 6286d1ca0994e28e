"""Tests of two arms against R (oracles/stats_tests.R), the paper, and exact arithmetic."""

import itertools
import json
import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mair.stats import exact, tests
from mair.stats.risk_limits import wilson

ORACLE = json.loads((Path(__file__).parents[1] / "oracles" / "stats_tests.json").read_text("utf-8"))
TABLES = list(ORACLE["tables"].values())
few = settings(max_examples=60, deadline=None, derandomize=True)
scores = st.lists(st.integers(-500, 500).map(lambda v: v / 10), min_size=3, max_size=20)
small_tables = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=4)


def close(ours, r, rel=1e-10):
    assert ours == pytest.approx(r, rel=rel, abs=1e-13)


def fields(result, names):
    return [getattr(result, name) for name in names]


# --- t tests -----------------------------------------------------------------------------


@pytest.mark.parametrize("case", ORACLE["samples"], ids=range(len(ORACLE["samples"])))
def test_t_tests_agree_with_r(case):
    x, y = case["x"], case["y"]
    # Around a million the data themselves are only good to nine digits.
    rel = 1e-8 if max(x) > 1e5 else 1e-10
    for name in ("student", "welch"):
        ours = getattr(tests, name)(x, y)
        for key, value in case[name].items():
            close(getattr(ours, key), value, rel)
        assert ours.method == name
        close(ours.b, np.mean(x) - np.mean(y), 1e-8)
    wide = tests.student(x, y, confidence=0.99)
    close(wide.low, case["student99"]["low"], rel)
    close(wide.high, case["student99"]["high"], rel)


@pytest.mark.parametrize("case", ORACLE["samples"], ids=range(len(ORACLE["samples"])))
def test_levene_on_the_mean_and_the_switch_agree_with_r(case):
    ours = tests.levene(case["x"], case["y"])
    close(ours.statistic, case["levene"]["f"], 1e-8)
    close(ours.p, case["levene"]["p"], 1e-8)
    assert ours.df == case["levene"]["df2"]
    used = "welch" if case["levene"]["p"] < 0.05 else "student"  # the samples have both
    switched = tests.levene_switched(case["x"], case["y"])
    assert switched.method == used
    close(switched.p, case[used]["p"], 1e-8)


def test_levene_is_not_the_one_centred_on_the_median():
    x, y = [1, 2, 3, 4, 30], [5, 6, 9, 9, 40]
    from scipy.stats import levene

    assert tests.levene(x, y).p == pytest.approx(levene(x, y, center="mean").pvalue, rel=1e-12)
    assert tests.levene(x, y).p != pytest.approx(levene(x, y, center="median").pvalue, rel=1e-3)


@given(scores, scores)
@few
def test_summaries_give_what_raw_samples_give(x, y):
    assume(np.ptp(x) > 0 and np.ptp(y) > 0)
    summaries = tests.describe(x), tests.describe(y)
    for raw in (tests.student, tests.welch):
        assert tests.t_test_p(*summaries, method=raw.__name__) == pytest.approx(
            raw(x, y).p, rel=1e-9, abs=1e-11)


@given(scores, scores)
@few
def test_swapped_arms_flip_the_sign_and_keep_p(x, y):
    assume(np.ptp(x) > 0 or np.ptp(y) > 0)
    for test in (tests.student, tests.welch, tests.levene_switched):
        a, b = test(x, y), test(y, x)
        assert (a.b, a.t, a.low) == pytest.approx((-b.b, -b.t, -b.high))
        assert (a.p, a.method) == (pytest.approx(b.p), b.method)
        # The interval and the test say the same.
        assert (a.low > 0 or a.high < 0) == (a.p < 0.05)


def test_missing_values_are_left_out_and_infinite_ones_refused():
    assert tests.student([1, np.nan, 3, 5], [2, 2.5, np.nan]) == tests.student([1, 3, 5], [2, 2.5])
    with pytest.raises(ValueError, match="infinite"):
        tests.student([1, math.inf], [1, 2])
    with pytest.raises(ValueError, match="shape"):
        tests.student([[1, 2]], [1, 2])


@pytest.mark.parametrize("test", [tests.student, tests.welch, tests.levene_switched])
@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([0.1] * 3, [0.1] * 4),
        ([0.1] * 3, [0.2] * 3),
        ([1e9 + 0.1] * 5, [1e9 + 0.2] * 4),
        ([0.3, 0.1 + 0.2, 0.3], [0.3, 0.3, 0.1 + 0.2, 0.3]),  # constant but for rounding
    ],
)
def test_constant_arms_are_not_estimable(test, x, y):
    result = test(x, y)
    assert math.isnan(result.p) and math.isnan(result.t)
    assert result.reason == "constant"


def test_too_few_values_are_not_estimable():
    assert tests.student([], [1, 2]).reason == "too few values"
    assert tests.student([1], [2]).reason == "too few values"
    assert tests.welch([1], [2, 3, 4]).reason == "too few values"
    assert tests.student([1], [2, 3, 4]).df == 2  # Student takes its variance from the other arm
    assert math.isnan(tests.levene([1, 2], [4, 8]).p)


def test_paper_table_2_from_its_printed_summaries():
    # Age was printed with 0.86: Welch's, where Levene switches; Student's would be 0.87.
    age = (22, 52.77, 13.45), (19, 52.21, 5.95)
    assert f"{tests.t_test_p(*age, method='welch'):.2f}" == "0.86"
    assert f"{tests.t_test_p(*age, method='student'):.2f}" == "0.87"
    for printed, treatment, control in (("0.17", (22, 70.61, 17.21), (19, 62.83, 18.41)),
                                        ("0.17", (22, 29.50, 9.73), (19, 25.00, 10.92)),
                                        ("0.33", (22, 41.00, 10.45), (19, 37.32, 13.34))):
        assert f"{tests.t_test_p(treatment, control, method='student'):.2f}" == printed
    assert math.isnan(tests.t_test_p((5, 1, 0), (4, 2, 0), method="welch"))


# --- tables of counts --------------------------------------------------------------------


@pytest.mark.parametrize("case", TABLES, ids=range(len(TABLES)))
def test_tables_agree_with_r(case):
    table = case["table"]
    for name in ("pearson", "yates") if "yates" in case else ("pearson",):
        ours = getattr(tests, name)(table)[:3]
        close(ours, [case[name][key] for key in ("chi2", "df", "p")], 1e-11)
    assert tests.fisher(table).p == pytest.approx(case["fisher"], rel=1e-8)
    if "enumerated" in case:
        close(tests.fisher(table).p, case["enumerated"])


def test_paper_tables():
    antidepressants = [[8, 2], [14, 17]]
    assert tests.pearson(antidepressants).p == pytest.approx(0.0547, abs=5e-5)
    assert tests.fisher(antidepressants).p == pytest.approx(0.0752, abs=5e-5)
    assert f"{tests.pearson([[6, 5], [13, 17]]).p:.2f}" == "0.52"
    assert f"{tests.fisher([[4, 7], [8, 8], [7, 7]]).p:.4f}" == "0.7880"
    assert f"{tests.fisher([[5, 3], [8, 8], [6, 11]]).p:.4f}" == "0.4709"


def by_fractions(table):
    """Freeman-Halton in integers, by looking at every table."""
    rows = [sum(row) for row in table]
    total = sum(row[0] for row in table)
    if sum(r > 0 for r in rows) < 2 or total in (0, sum(rows)):
        return math.nan
    observed = math.prod(math.comb(r, row[0]) for r, row in zip(rows, table, strict=True))
    weights = (math.prod(math.comb(r, a) for r, a in zip(rows, column, strict=True))
               for column in itertools.product(*(range(r + 1) for r in rows))
               if sum(column) == total)
    tail = sum(w for w in weights if w * 10**7 <= observed * (10**7 + 1))
    return float(Fraction(tail, math.comb(sum(rows), total)))


@given(small_tables)
@few
def test_fisher_equals_exact_integer_arithmetic(table):
    assert tests.fisher(table).p == pytest.approx(by_fractions(table), rel=1e-11, nan_ok=True)


@given(small_tables, st.randoms(use_true_random=False))
@few
def test_order_of_levels_and_arms_is_immaterial(table, random):
    shuffled = [row[::-1] for row in table] + [(0, 0)]
    random.shuffle(shuffled)
    for test in (tests.pearson, tests.yates, tests.fisher):
        p = test(table).p
        assert test(shuffled).p == pytest.approx(p, rel=1e-11, nan_ok=True)
        assert test(np.transpose(table)).p == pytest.approx(p, rel=1e-11, nan_ok=True)
        assert math.isnan(p) or 0 <= p <= 1


def test_merging_and_chunks_do_not_change_the_exact_p(monkeypatch):
    table = [[9, 5], [7, 8], [3, 11], [6, 6], [10, 4]]
    whole = tests.fisher(table).p
    monkeypatch.setattr(exact, "CHUNK", 7)
    assert tests.fisher(table).p == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("table", [[[22, 19], [0, 0]], [[5, 0], [3, 0]], [[22, 19]], [[0, 0]] * 2])
def test_constant_tables_have_no_p(table):
    for test in (tests.pearson, tests.yates, tests.fisher):
        result = test(table)
        assert math.isnan(result.p)
        assert result.reason == "constant"


def test_shapes_and_counts_that_are_refused():
    assert math.isnan(tests.yates([[1, 2], [3, 4], [5, 6]]).p)
    assert "2 x 2" in tests.yates([[1, 2], [3, 4], [5, 6]]).reason
    with pytest.raises(ValueError, match="two arms"):
        tests.fisher(np.ones((3, 3)))
    for wrong in ([[1, -1], [2, 3]], [[1.5, 1], [2, 3]], [[np.nan, 1], [2, 3]]):
        with pytest.raises(ValueError, match="whole numbers"):
            tests.pearson(wrong)


def test_a_table_too_large_is_named_not_estimated(monkeypatch):
    monkeypatch.setattr(exact, "WORK", 100)
    result = tests.fisher([[30, 20], [25, 35], [20, 30], [15, 5]])
    assert math.isnan(result.p)
    assert "too many" in result.reason


# --- ranks, proportions, quantiles, families ---------------------------------------------


@pytest.mark.parametrize("case", ORACLE["ranks"], ids=range(len(ORACLE["ranks"])))
def test_mann_whitney_agrees_with_r(case):
    ours = tests.mann_whitney(case["x"], case["y"])
    assert ours.statistic == case["u"]
    close(ours.p, case["p"])
    mirrored = tests.mann_whitney(case["y"], case["x"])
    assert mirrored.p == pytest.approx(ours.p)
    assert ours.statistic + mirrored.statistic == len(case["x"]) * len(case["y"])


def test_mann_whitney_not_estimable():
    assert tests.mann_whitney([3, 3], [3, 3, 3]).reason == "constant"
    assert math.isnan(tests.mann_whitney([3, 3], [3]).p)
    assert math.isnan(tests.mann_whitney([], [3, 4]).p)


def test_wilson_agrees_with_r():
    x, n, low, high = (np.array([case[key] for case in ORACLE["proportions"]])
                       for key in ("x", "n", "low", "high"))
    close(np.array(wilson(x, n)), np.array([low, high]))


def test_wilson_mirrors_and_holds_its_estimate():
    x, n = np.array([(x, n) for n in range(1, 40) for x in range(n + 1)]).T
    for confidence in (0.8, 0.95, 0.99):
        low, high = wilson(x, n, confidence=confidence)
        assert low == pytest.approx(1 - wilson(n - x, n, confidence=confidence)[1], abs=1e-15)
        assert ((low >= 0) & (low <= x / n) & (x / n <= high) & (high <= 1)).all()
        assert (high - low > np.subtract(*wilson(x, n, confidence=0.5)[::-1])).all()


def test_wilson_edges():
    assert np.isnan(wilson(0, 0)).all() and wilson(0, 5)[0] == 0 and wilson(5, 5)[1] == 1


@pytest.mark.parametrize("case", ORACLE["quantiles"], ids=range(len(ORACLE["quantiles"])))
def test_quantiles_agree_with_r_type_6(case):
    assert tests.weighted_quantiles(case["x"], case["p"]) == pytest.approx(case["q"], rel=1e-12)


def test_quantiles_by_hand_and_at_the_edges():
    # Four values: positions 1.25, 2.5 and 3.75.
    assert tests.weighted_quantiles([8, 6, np.nan, 7, 7], (0.25, 0.5, 0.75)).tolist() == [
        6.25, 7.0, 7.75]
    assert np.isnan(tests.weighted_quantiles([], (0.25, 0.5))).all()
    # 100 x 0.29 falls short of 29 by a bit: the 29th value, not one beside it.
    assert tests.weighted_quantiles(np.arange(99.0) ** 3, [0.29])[0] == pytest.approx(28.0**3)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        tests.weighted_quantiles([1, 2], [25])


@pytest.mark.parametrize("case", ORACLE["adjusted"], ids=range(len(ORACLE["adjusted"])))
def test_benjamini_hochberg_agrees_with_r(case):
    p, q = (np.array(case[key], dtype=float) for key in ("p", "q"))
    assert tests.benjamini_hochberg(p) == pytest.approx(q, rel=1e-12, nan_ok=True)


def test_benjamini_hochberg_refuses_what_is_no_p():
    for wrong in ([0.1, 1.2], [-0.1]):
        with pytest.raises(ValueError, match="between 0 and 1"):
            tests.benjamini_hochberg(wrong)


def test_modules_do_not_load_scipy_stats_before_they_use_it():
    code = (
        "import sys, mair.stats.tests, mair.stats.effects, mair.stats.power, mair.stats.normality;"
        "import mair.stats.risk; sys.exit('scipy.stats' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
