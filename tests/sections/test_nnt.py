"""Responders: adjusted for baseline, at every threshold, and imputed."""

import pytest
from trials import tiny

from mair.results import records
from mair.sections import nnt
from mair.stats.risk import standardised_risks
from mair.trial import load


def test_those_seen_are_standardised_over_baseline():
    trial = load("params/mair.yaml", draws=1000)
    scores = trial.scores("FIQ")
    for visit, n in (("post", 35), ("followup", 34)):
        both = scores[["baseline", visit]].dropna()
        found, ratio = standardised_risks(both[visit] <= 0.8 * both["baseline"] + 1e-9,
                                          trial.arm[both.index] == "MAIR", both["baseline"])
        one, = records(nnt.rows(trial), variable="FIQ >=20%", time=visit, method=nnt.ADJUSTED)
        assert (one.n, one.arr, one.ci_low, one.rr) == pytest.approx(
            (n, 100 * found.estimate, 100 * found.low, ratio.estimate))
    half = {one.method for one in records(nnt.rows(trial), variable="FIQ >=50%")}
    assert nnt.ADJUSTED not in half  # nobody of RT responds: no regression has a maximum


def test_the_curve_falls_at_each_persons_improvement():
    percents, band = nnt.curve(tiny.trial(responders={
        "outcome": "Pain", "visit": "after", "reductions": [0.2, 0.5]}))
    by_arm = {arm: part.set_index(part["threshold"].round(2))["percent"].to_dict()
              for arm, part in percents.groupby("arm")}
    assert by_arm["C"] == {-5: 100, 0: 75, 4: 25, 26.67: 0, 40: 0, 48: 0, 50: 0}
    assert by_arm["T"] == {-5: 100, 0: 100, 4: 100, 26.67: 100, 40: 75, 48: 50, 50: 25}
    assert list(band["arr"]) == [0, 25, 75, 100, 75, 50, 25]
    assert ((band["low"] <= band["arr"]) & (band["arr"] <= band["high"])).all()


def test_imputed_responders_lie_between_the_extremes():
    rows = nnt.rows(load("params/mair.yaml", draws=1000))
    for criterion in ("FIQ >=20%", "FIQ >=50%"):
        worst, best, imputed = (records(rows, variable=criterion, time="post",
                                                method=f"{rule}/wald")[0].arr
                                for rule in ("worst-case", "best-case", "mi-mar"))
        assert worst <= imputed <= best
    arms = {one.arm: one for one in records(rows, variable="FIQ >=20%", time="post",
                                        method="mi-mar")}
    assert (arms["RT"].n, arms["MAIR"].n) == (19, 22)
    assert arms["RT"].percent < arms["MAIR"].percent
