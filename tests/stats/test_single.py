"""One result a person: what R prints (oracles/single.R), and what papers print."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from mair.stats import tests
from mair.stats.ancova import ancova
from mair.stats.risk import odds_ratio, risk_difference

ORACLE = json.loads((Path(__file__).parents[1] / "oracles" / "single.json").read_text("utf-8"))


@pytest.mark.parametrize("case", ORACLE["fisher"].values(), ids=ORACLE["fisher"])
def test_exact_odds_ratios_and_tests_are_rs(case):
    a, b, c, d = case["table"]
    found = odds_ratio((a, c), (a + b, c + d), kind="exact")
    assert found[:3] == pytest.approx([float(case[k]) for k in ("estimate", "low", "high")],
                                      rel=2e-4)  # R stops its search there
    table = [[a, b], [c, d]]
    assert tests.fisher(table).p == pytest.approx(case["p"], rel=1e-9)
    assert tests.pearson(table).p == pytest.approx(case["pearson"], rel=1e-9)


def test_woolf_is_finite_whatever_is_zero_and_the_exact_one_says_infinite():
    found = odds_ratio((6, 5), (6, 14))  # (6.5 * 9.5) / (0.5 * 5.5)
    assert found.estimate == pytest.approx(6.5 * 9.5 / (0.5 * 5.5))
    assert all(map(math.isfinite, found[:3]))
    plain = odds_ratio((27, 52), (295, 307))
    assert plain.estimate == pytest.approx(27 * 255 / (268 * 52))
    se = math.sqrt(1 / 27 + 1 / 268 + 1 / 52 + 1 / 255)
    assert math.log(plain.high / plain.low) == pytest.approx(2 * 1.959963984540054 * se)
    assert math.isnan(odds_ratio((0, 0), (5, 6), kind="exact").estimate)
    assert odds_ratio((6, 5), (6, 14), kind="exact").estimate == math.inf


@pytest.mark.parametrize("case", ORACLE["wilcoxon"].values(), ids=ORACLE["wilcoxon"])
def test_hodges_lehmann_is_rs(case):
    found = tests.hodges_lehmann(case["treatment"], case["control"])
    assert found.estimate == pytest.approx(case["median"], abs=1e-12)
    near = 1e-12 if case["exact"] else 1e-4  # R solves for the shift, up to its tolerance
    assert found[1:3] == pytest.approx([case["low"], case["high"]], abs=near)


def test_hodges_lehmann_says_nothing_where_too_few_could_reject():
    found = tests.hodges_lehmann([1, 2.5], [3, 7])
    assert found.estimate == pytest.approx(-3.25) and math.isnan(found.low + found.high)
    assert tests.hodges_lehmann([], [1.0]).reason == "an empty arm"


def test_least_squares_without_a_baseline_is_lm():
    case = ORACLE["linear"]
    found = ancova(case["y"], None, case["arm"], np.array(case["covariates"])).contrast
    assert [found.estimate, found.se, found.t, found.p] == pytest.approx(case["row"], rel=1e-8)
    assert [found.low, found.high] == pytest.approx(case["ci"], rel=1e-8)
    assert found.df == case["df"]


@pytest.mark.parametrize("counts, interval, printed", [
    (((5, 6), (14, 6)), "miettinen-nurminen", (-.643, -.840, -.178)),  # malaria, infected
    (((14, 11), (40, 50)), "wald", (.130, -.057, .317)),  # CPR, survived
    (((27, 52), (295, 307)), "miettinen-nurminen", (-.0779, -.1323, -.0244)),  # indomethacin
])
def test_published_risk_differences(counts, interval, printed):
    found = risk_difference(*counts, interval=interval)
    assert found[:3] == pytest.approx(printed, abs=6e-4)
