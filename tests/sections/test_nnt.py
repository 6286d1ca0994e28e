"""Responders and numbers needed to treat of a tiny trial, worked out by hand."""

import math

import pytest
from trials import tiny

from mair.results import records
from mair.sections import nnt
from mair.stats import risk

PAIN = {"outcome": "Pain", "visit": "after", "reductions": [0.2, 0.5]}


def test_a_yes_or_no_column_under_each_rule():
    # well: c no, yes, no, unknown; t yes, yes, yes, no
    tiny.agree(nnt.rows(tiny.trial()), "nnt", """
        well | C          | - | completers              | n=3 responders=1 percent=33.3333333
        well | T          | - | completers              | n=4 responders=3 percent=75
        well | C          | - | nonresponder            | n=4 responders=1 percent=25
        well | C          | - | worst-case              | n=4 responders=2 percent=50
        well | C          | - | best-case               | n=4 responders=1 percent=25
        well | difference | - | completers/wald         | n=7 arr=41.6666667 nnt=2.4 rr=2.25
        well | difference | - | nonresponder/newcombe   | n=8 arr=50 nnt=2 rr=3
        well | difference | - | worst-case/wald         | n=8 arr=25 nnt=4 rr=1.5
        well | difference | - | best-case/wald          | n=8 arr=50 nnt=2
    """)


def test_the_unseen_of_the_treatment_arm_fail_at_worst_and_respond_at_best():
    data = tiny.DATA.replace("4,4,no,5,none", "4,4,,5,none")  # t4 is unknown, too
    tiny.agree(nnt.rows(tiny.trial(data)), "nnt", """
        well | T          | - | completers      | n=3 responders=3
        well | T          | - | nonresponder    | n=4 responders=3
        well | T          | - | worst-case      | n=4 responders=3
        well | T          | - | best-case       | n=4 responders=4
        well | difference | - | worst-case/wald | arr=25
        well | difference | - | best-case/wald  | arr=75
    """)


def test_walds_limits_and_a_number_that_runs_through_infinity():
    # variance 3/4 x 1/4 / 4 + 1/3 x 2/3 / 3
    half = 100 * 1.959963985 * math.sqrt(3 / 64 + 2 / 27)
    low, high = 125 / 3 - half, 125 / 3 + half
    tiny.agree(nnt.rows(tiny.trial()), "nnt", f"""
        well | difference | - | completers/wald | ci_low={low} ci_high={high} nnt_ci_low={100 / low}
        well | difference | - | completers/wald | nnt_ci_high={100 / high} nnt_through_infinity=1
    """)
    assert low < 0 < high


def test_reductions_of_an_outcome_that_is_better_low():
    # from before to after C changes by +2, -2, 0, 0 and T by -20, -20, -16, -24 of 40, 50, 60, 50
    trial = tiny.trial(responders=PAIN)
    tiny.agree(nnt.rows(trial), "nnt", """
        Pain >=20% | C          | after | completers      | n=4 responders=0 percent=0
        Pain >=20% | T          | after | completers      | n=4 responders=4 percent=100
        Pain >=20% | difference | after | completers/wald | arr=100 nnt=1 nnt_through_infinity=0
        Pain >=50% | T          | after | completers      | n=4 responders=1 percent=25
        Pain >=50% | difference | after | completers/wald | arr=25 nnt=4 nnt_through_infinity=1
        Pain >=50% | difference | after | completers/wald | rr=-
    """)
    gained = nnt.improvements(trial)
    assert gained["t3"] == pytest.approx(16 / 60) and gained["c1"] == pytest.approx(-0.05)


def test_an_improvement_is_a_rise_where_higher_is_better():
    outcome = {**tiny.SPEC["outcomes"]["Pain"], "better": "higher"}
    gained = nnt.improvements(tiny.trial(responders=PAIN, outcomes={"Pain": outcome}))
    assert gained["c1"] == pytest.approx(0.05) and gained["t1"] == pytest.approx(-0.5)


def test_the_declared_visit_counts():
    rows = nnt.rows(tiny.trial(responders=PAIN | {"visit": "later", "reductions": [0.4]}))
    tiny.agree(rows, "nnt", """
        Pain >=40% | C | later | completers   | n=3 responders=0
        Pain >=40% | C | later | nonresponder | n=4 responders=0
        Pain >=40% | C | later | worst-case   | n=4 responders=1
        Pain >=40% | T | later | completers   | n=4 responders=4
    """)


def test_other_visits_stand_beside_the_declared_one():
    rows = nnt.rows(tiny.trial(responders=PAIN | {"reductions": [0.4]}))
    tiny.agree(rows, "nnt", """
        Pain >=40% | C | after | completers   | n=4 responders=0
        Pain >=40% | T | after | completers   | n=4 responders=3
        Pain >=40% | C | later | completers   | n=3 responders=0
        Pain >=40% | T | later | completers   | n=4 responders=4
    """)
    assert nnt.visits(tiny.trial()) == [""]


def test_those_seen_are_standardised_over_baseline():
    from mair.stats.standardised import standardised_risks
    from mair.trial import load

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


def test_a_baseline_of_zero_has_no_improvement():
    trial = tiny.trial(tiny.DATA.replace("low,40,42,38", "low,0,42,38"), responders=PAIN)
    assert nnt.zero_baselines(trial) == ["c1"]  # under no rule is this person missing
    tiny.agree(nnt.rows(trial), "nnt", """
        Pain >=20% | C | after | completers  | n=3 responders=0
        Pain >=20% | C | after | worst-case  | n=3 responders=0
    """)
    assert all(map(math.isnan, risk.improvement([-10, 0], [-5, 0])))
    assert nnt.zero_baselines(tiny.trial(responders=PAIN)) == []


def test_the_curve_falls_at_each_persons_improvement():
    percents, band = nnt.curve(tiny.trial(responders=PAIN))
    by_arm = {arm: part.set_index(part["threshold"].round(2))["percent"].to_dict()
              for arm, part in percents.groupby("arm")}
    assert by_arm["C"] == {-5: 100, 0: 75, 4: 25, 26.67: 0, 40: 0, 48: 0, 50: 0}
    assert by_arm["T"] == {-5: 100, 0: 100, 4: 100, 26.67: 100, 40: 75, 48: 50, 50: 25}
    assert list(band["arr"]) == [0, 25, 75, 100, 75, 50, 25]
    assert ((band["low"] <= band["arr"]) & (band["arr"] <= band["high"])).all()


def test_imputed_responders_lie_between_the_extremes():
    from mair.trial import load

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
