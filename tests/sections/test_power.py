"""Power by simulation, the next trial, and what the committed study must meet."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mair.results import KEYS
from mair.sections import power, study
from mair.stats import simulated
from mair.trial import load


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


def test_the_committed_study_passes(committed):
    judged = study.criteria(committed)
    assert judged["passed"].all(), judged[~judged["passed"]].to_string()


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
    assert abs(own["simulation", "n"] - 19) <= 2 and own["simulation", "power"] >= 0.8
    assert (own["simulation", "n"] * 2 < own["simulation/dropout", "n_with_dropout"]
            <= own["simulation/divided", "n_with_dropout"] + 4)
    names = set(rows.loc[rows["analysis"] == "power", "statistic"])
    assert {"power", "type1", "coverage", "mc_se", "simulations"} <= names


def test_the_next_trial_grows_with_the_level(small):
    trial, rows = small
    n = rows[rows["variable"] == "FIQ, next trial"].set_index(["method", "statistic"])["value"]
    assert n["observed", "n"] < n["browne/0.8", "n"] < n["browne/0.95", "n"]
    change = trial.scores("FIQ")["post"] - trial.scores("FIQ")["baseline"]
    arms = [change[trial.arm == arm].dropna() for arm in trial.arms]
    pooled = sum(x.var() * (len(x) - 1) for x in arms) / (sum(map(len, arms)) - 2)
    assert n["observed", "sd"] == pytest.approx(np.sqrt(pooled))
    assert n["browne/0.8", "sd"] == pytest.approx(
        np.sqrt(pooled * n["observed", "df"] / stats.chi2.ppf(0.2, n["observed", "df"])))
