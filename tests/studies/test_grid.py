"""Power over a grid: what a grid may hold, its rates, and the commands' errors."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mair.__main__ import main
from mair.sections import planning
from mair.stats import simulated
from mair.studies import grid
from mair.trial import load
from mair.trial.errors import ROOT, TrialError


@pytest.fixture(scope="module")
def trial():
    return load("params/mair.yaml")


def _read(tmp_path, trial, text):
    (tmp_path / "grid.yaml").write_text(text)
    return grid.read(tmp_path / "grid.yaml", trial)


def test_what_a_grid_does_not_name_is_the_planning(tmp_path, trial):
    found = _read(tmp_path, trial, "n: [20, 30]\nmechanism: by arm\ntrials: 500\n")
    assert found == {"n": [20, 30], "difference": [14.2], "correlation": [0.365], "sd_ratio": [1],
                     "dropout": [0.15], "mechanism": ["by arm"], "inference": ["z"],
                     "covariance": ["random-intercept"], "trials": [500]}


def test_what_is_wrong_with_a_grid_is_said_at_once(tmp_path, trial):
    with pytest.raises(TrialError) as error:
        _read(tmp_path, trial, "n: [20, 2.5]\ncorelation: 0.3\ndropout: 2\ninference: t\n"
                               "trials: [1, 2]\nsd_ratio: []\n")
    said = [line.partition("grid.yaml: ")[2] for line in error.value.problems]
    assert said == [
        "n: '2.5'; expected a whole number from 2 to 10000",
        "corelation: no such key; expected one of n, difference, correlation, sd_ratio, dropout, "
        "mechanism, covariance, inference, trials; did you mean correlation?",
        "dropout: '2'; expected a number from 0 to 0.9",
        "inference: 't'; expected one of z, satterthwaite, kenward-roger",
        "trials: 2 values; expected one", "sd_ratio: 0 values; expected one or more"]


def test_rates_do_not_depend_on_processes_and_are_shown(tmp_path, trial):
    wanted = _read(tmp_path, trial, "difference: [0, 14.2]\ncovariance: [random-intercept, "
                                    "'unstructured,by-arm']\ntrials: 3000\nn: 12\n")
    alone, together = (grid.run(trial, wanted, processes) for processes in (1, 2))
    assert alone.equals(together) and len(alone) == 4
    null, planned = alone[alone["difference"] == 0], alone[alone["difference"] > 0]
    assert (null[["post", "followup"]] < 0.08).all().all() and (planned["post"] > 0.3).all()
    assert [*grid.table(trial, alone).headers[:2]] == ["difference", "covariance"]
    _, said = grid.drawn(trial, alone)
    assert "difference 14.2, unstructured covariance, a variance in each arm" in said


def test_the_next_trials_n_and_what_is_open_about_it(trial, monkeypatch):
    """From exact rates: Phi(a + b sqrt n) is 80 % at n; limits by the laws that they come from."""
    n, (a, b) = np.array([15, 25, 35]), (-1.0, 0.35)
    key = {"difference": 14.2, "correlation": 0.365, "sd_ratio": 1.0, "dropout": 0.0,
           "mechanism": "last score", "covariance": "unstructured", "inference": "z"}
    rate = stats.norm.cdf(a + b * np.sqrt(n))
    found = pd.DataFrame({"n": n, **key, "post": rate, "followup": rate, "trials": 10**9})
    held = planning.correlation(trial)
    exact = ((stats.norm.ppf(0.8) - a) / b) ** 2
    sizes = grid.needed(trial, found).set_index("open")[["n", "low", "high"]]
    assert [*sizes.index] == ["chance", "the correlation"]  # the SD of a cohort is its generator's
    assert sizes.loc["chance"].tolist() == pytest.approx([exact] * 3, rel=1e-3)
    n, low, high = sizes.loc["the correlation"]
    assert n == pytest.approx(exact, rel=1e-3)  # 95 % limits, redrawn 500 times
    assert high / low == pytest.approx((1 - held.low) / (1 - held.high), rel=0.2)
    monkeypatch.setattr(grid.power, "pilot", lambda trial: (20.0, 30))
    sizes = grid.needed(replace(trial, synthetic=False), found).set_index("open")
    n, low, high = sizes.loc["the SD", ["n", "low", "high"]]
    assert n / exact == pytest.approx(20**2 / (15.2**2 * 2 * (1 - 0.365)), rel=1e-3)
    limits = [30 / stats.chi2.ppf(p, 30) for p in (0.975, 0.025)]
    assert [low / n, high / n] == pytest.approx(limits, rel=0.1)
    assert "n" in grid.sizes_table(trial, sizes.reset_index()).headers
    assert not len(grid.needed(trial, found[:1]))


def test_by_arm_with_two_visits_is_welchs_test_of_the_change():
    n, d, ratio, draws = 10, 1.6, 3.0, 4000
    found = simulated.simulated_power(
        n, 2, d=d, ratio=ratio, draws=draws, rng=np.random.default_rng(1),
        methods=("unstructured,by-arm/satterthwaite", "unstructured/kenward-roger"))
    rng = np.random.default_rng(2)
    pair = [rng.normal(shift, sd, (draws, n)) for shift, sd in ((0, 1.0), (d, ratio))]
    welch = (stats.ttest_ind(*pair, axis=1, equal_var=False).pvalue < 0.05).mean()
    assert found[0, 0] == pytest.approx(welch, abs=0.035)  # correlation 0.5: SD 1 of a change
    assert found[1, 0] > found[0, 0]


@pytest.mark.parametrize(("arguments", "said"), [
    (["size", "nowhere.yaml"], "nowhere.yaml: no such file; expected a trial file (.yaml)"),
    (["power", "params/mair.yaml", "--grid", "nowhere.yaml"],
     "nowhere.yaml: no such file, expected a grid of designs (.yaml)"),
    (["power", "params/beat_the_blues.yaml", "--grid", "x"], "params/beat_the_blues.yaml: expected "
     "sample_size and a primary outcome of two visits or more"),
    (["size", "params/mair.yaml", "--out", "mair"], "mair: is not empty and holds no manifest.json "
     "of ours; expected a new or empty directory, or one that an earlier run wrote"),
])
def test_bad_input_is_a_plain_line(arguments, said, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(arguments) == 2
    assert tuple(capsys.readouterr()) == ("", f"{said}\n")
