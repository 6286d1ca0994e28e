"""Tests of normality against R's nortest and shapiro.test (oracles/normality.R)."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from mair.stats.normality import lilliefors, shapiro_wilk

CASES = json.loads((Path(__file__).parents[1] / "oracles" / "normality.json").read_text("utf-8"))[
    "cases"]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_agrees_with_r(case):
    own = lilliefors(case["x"])
    assert own.statistic == pytest.approx(case["d"], rel=1e-11)
    assert own.p == pytest.approx(case["p_lilliefors"], rel=1e-9, abs=1e-14)
    own = shapiro_wilk(case["x"])
    # scipy and R carry Royston's algorithm to about nine digits of W.
    assert own.statistic == pytest.approx(case["w"], rel=1e-8)
    assert own.p == pytest.approx(case["p_shapiro"], rel=1e-6)


def test_the_cases_reach_every_stretch_of_the_p_formula():
    p = np.array([case["p_lilliefors"] for case in CASES])
    n = np.array([len(case["x"]) for case in CASES])
    assert (p < 0.01).any() and ((p > 0.05) & (p < 0.1)).any() and (p > 0.5).any()
    assert ((p > 0.1) & (p < 0.3)).any() and (n > 100).any()


@pytest.mark.parametrize("test", [lilliefors, shapiro_wilk])
def test_location_scale_and_order_are_immaterial(test):
    x = np.random.default_rng(1).gamma(2, size=30)
    for other in (1e6 * x - 300, 1e-8 * x, x[::-1], np.append(x, np.nan)):
        assert test(other).statistic == pytest.approx(test(x).statistic, rel=1e-8)
        assert test(other).p == pytest.approx(test(x).p, rel=1e-6)


@pytest.mark.parametrize(("test", "x", "reason"), [
    (lilliefors, [1.0, 2, 3, 4], "fewer than 5"),
    (lilliefors, [0.1] * 9, "constant"),
    (lilliefors, [], "fewer"),
    (shapiro_wilk, [1.0, 2], "fewer than 3"),
    (shapiro_wilk, [0.1] * 9, "constant"),
    (shapiro_wilk, np.arange(5001.0), "more than 5000"),
])
def test_not_estimable(test, x, reason):
    result = test(x)
    assert math.isnan(result.p) and math.isnan(result.statistic)
    assert reason in result.reason
