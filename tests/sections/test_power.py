"""Power by simulation, the next trial, and what the committed study must meet."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from trials import tiny

from mair.results import KEYS, records
from mair.sections import planning, power, study
from mair.stats import power as formulas
from mair.stats import simulated
from mair.trial import load

HALF = planning.Correlation(0.5, 0.3, 0.7, "data")  # a change varies as a score


@pytest.fixture
def half(monkeypatch):
    monkeypatch.setattr(planning, "correlation", lambda trial: HALF)


@pytest.fixture(scope="module")
def committed():
    return study.read()


def test_what_theory_fixes_is_judged_and_nothing_else(committed):
    judged = study.criteria(committed)
    cells = set(zip(judged["method"], judged["mechanism"], judged["dropout"], strict=True))
    assert ("rerandomisation/random-intercept", "skewed", "mar") in cells
    assert ("rerandomisation/random-intercept", "skewed", "differential") not in cells
    assert ("random-intercept/kenward-roger", "exchangeable", "differential") in cells
    assert ("random-intercept/kenward-roger", "falling", "none") not in cells
    assert ("unstructured/kenward-roger", "falling", "mar") in cells
    assert not {m for _, m, _ in cells} & {"FIQ", "HADS-A"}
    assert not {m for m, _, _ in cells} & {"random-intercept/z"}
    assert (judged["effect"] == "null").all() and len(judged) == 30
    low, high = simulated.binomial_limits(20_000, 0.05)
    assert (low, high) == pytest.approx(stats.binom.ppf([0.005, 0.995], 20_000, 0.05) / 20_000)
    wrong = committed.copy()
    wrong.loc[wrong["effect"] == "null", "type1"] = high + 1e-3
    assert not study.criteria(wrong)["passed"].any()
    wrong.loc[wrong["effect"] == "null", "type1"] = 0.05
    assert study.criteria(wrong)["passed"].all()


def test_no_more_lines_lie_outside_than_chance_allows(committed):
    """Methods of a line share their trials: a line counts once, its chance at most three in 100."""
    judged = study.criteria(committed)
    line = ["mechanism", "dropout", "visit"]
    lines, outside = (len(part[line].drop_duplicates()) for part in (
        judged, judged[~judged["passed"]]))
    assert lines == 16 and outside <= stats.binom.ppf(0.99, lines, 0.03)


def test_a_study_of_another_design_is_not_shown(tmp_path):
    assert len(study.of(load("params/mair.yaml"))) == 300
    path = tmp_path / "other.yaml"
    path.write_text("extends: " + str(load("params/mair.yaml").path)
                    + "\nsample_size: {sd: 15.2, difference: 10, alpha: 0.05, power: 0.8}\n")
    assert not len(study.of(load(path)))


def test_a_line_smooths_the_probit_of_power():
    n = np.array([10.0, 15, 20, 30])
    a, b = power.smoothed(n, stats.norm.cdf(-1.5 + 0.5 * np.sqrt(n)), 1000)
    assert (a, b) == pytest.approx((-1.5, 0.5))


def test_what_is_simulated_around_the_planned_size(half):
    """Difference 10, SD 10: d = 1, for which the noncentral t asks for 17 an arm."""
    d, n, sizes, shares = power.sizes(tiny.trial())
    assert (d, n, sizes, shares) == (1, 17, [12, 14, 17, 20, 22, 26], [0.0, 0.2])
    assert power.correlations(tiny.trial()) == [0.3, 0.7]
    assert power.scenario(17, dropout=0.2) == "17 an arm, dropout 0.2"
    assert power.scenario(17, correlation=0.3) == "17 an arm, correlation 0.3"


def test_the_sd_of_change_is_pooled_within_arms(half):
    """Changes to `after`: C 2, -2, 0, 0 (squares 8), T -20, -20, -16, -24 (32 about -20)."""
    trial = tiny.trial()
    sd, df = power.pilot(trial)
    assert df == 6 and sd == pytest.approx(np.sqrt(40 / 6))
    sds = power.standard_deviations(trial)
    assert list(sds) == ["planned", "planned/change", "observed", "browne/0.8", "browne/0.95"]
    assert sds["planned"] == sds["planned/change"] == 10
    for level in (0.8, 0.95):
        limit = np.sqrt(40 / stats.chi2.ppf(1 - level, 6))
        assert sds[f"browne/{level:g}"] == pytest.approx(limit)
    few = tiny.trial(tiny.DATA.replace("40,20,24", "40,,24").replace("50,30,30", "50,,30")
                     .replace("60,44,36", "60,,36"))
    assert power.pilot(few) is None and len(power.standard_deviations(few)) == 2


def test_the_next_trials_size_is_that_of_its_sd(half):
    rows = power.rows(tiny.trial(analysis=tiny.SPEC["analysis"] | {"draws": 50}))
    tiny.agree(rows, "power", f"""
        Pain, next trial | overall | - | planned  | sd=10 d=1 n=17 n_with_dropout=44
        Pain, next trial | overall | - | planned/change | sd=10 n=17 n_low=11 n_high=23
        Pain, next trial | overall | - | observed | sd={np.sqrt(40 / 6)} df=6 n=3
    """)
    named = {one.method for one in records(rows, analysis="sample_size")}
    assert named == {"simulation", "simulation/dropout", "simulation/divided",
                     "simulation/multiplied"}
    frame = power.next_sizes(tiny.trial())
    at = frame[frame["method"] == "planned"].set_index("x")["y"]
    assert at.index.min() == 6 and at.index.max() == 14 and at[10.0] == 17


def test_the_size_needed_suffices_at_every_later_visit(half, monkeypatch):
    """Power Phi(a + 0.5 sqrt(n)), weaker at the last visit; lost people cost more still."""
    cells = [{"scenario": "grid", "n": n, "share": share, "rho": 0.5, "visit": visit,
              "power": stats.norm.cdf(a + 0.5 * np.sqrt(n)), "mc_se": 0.0, "simulations": 10}
             for share, less in ((0.0, 0.0), (0.2, 0.3)) for n in (12, 14, 17, 20, 22, 26)
             for visit, a in (("after", -1.0 - less), ("later", -1.2 - less))]
    monkeypatch.setattr(power, "simulations", lambda trial: pd.DataFrame(cells))
    found = power.needed(tiny.trial())
    n = (stats.norm.ppf(0.8) + 1.2) ** 2 * 4
    lost = (stats.norm.ppf(0.8) + 1.5) ** 2 * 4
    assert found["simulation"]["n"] == np.ceil(n) == 17
    assert found["simulation"]["power"] == pytest.approx(
        stats.norm.cdf(-1.2 + 0.5 * np.sqrt(17)))
    assert found["simulation"]["simulations"] == 120
    assert found["simulation/dropout"]["n_with_dropout"] == 2 * np.ceil(lost)
    assert found["simulation/divided"]["n_with_dropout"] == 44  # 2 x 17 / 0.8, up an arm
    assert found["simulation/multiplied"]["n_with_dropout"] == pytest.approx(34 * 1.2)


@pytest.fixture(scope="module")
def small():
    trial = load("params/mair.yaml", draws=400)
    return trial, power.rows(trial)


def test_rows_are_tidy_and_repeatable(small):
    trial, rows = small
    assert not rows.duplicated(KEYS).any()
    assert set(rows["analysis"]) == {"power", "sample_size"}
    again = load("params/mair.yaml", draws=400)
    pd.testing.assert_frame_equal(power.simulations(again), power.simulations(trial))
    own = rows[rows["analysis"] == "sample_size"].set_index(["method", "statistic"])["value"]
    assert abs(own["simulation", "n"] - 24) <= 3 and own["simulation", "power"] >= 0.8
    assert (own["simulation", "n"] * 2 < own["simulation/dropout", "n_with_dropout"]
            <= own["simulation/divided", "n_with_dropout"] + 4)
    names = set(rows.loc[rows["analysis"] == "power", "statistic"])
    assert {"power", "type1", "coverage", "mc_se", "simulations"} <= names


def test_the_correlation_of_two_visits():
    """Shrout and Fleiss 1979, table 2: ICC(3,1) 0.71, by R's psych 0.34 to 0.95; 5 and 15 df."""
    table = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9],
                      [6, 2, 4, 7]])
    r, df, k = formulas.intraclass(table, np.zeros(6))
    assert (round(r, 2), df, k) == (0.71, 5, 4)
    assert formulas.intraclass_limits(r, df, k) == pytest.approx((0.342, 0.946), abs=5e-4)
    moved = np.r_[table, table + np.array([1, 5, 0, 2])]  # two arms whose means differ
    assert formulas.intraclass(moved, np.repeat([0, 1], 6))[:2] == pytest.approx((r, 10))
    found = planning.correlation(load("params/mair.yaml"))
    assert (found.value, found.source) == (0.365, "printed")  # as data/cohort.yaml states it
    seen = planning.correlation(load("params/beat_the_blues.yaml"))
    assert seen.source == "data" and seen.low < seen.value < seen.high
    assert formulas.intraclass(np.ones((4, 2)), np.zeros(4))[0] != 0  # nan: nothing varies
