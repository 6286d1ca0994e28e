"""The flow of a tiny trial, and its planned size, worked out by hand."""

import pytest
from trials import tiny

from mair.sections import flow


@pytest.fixture(scope="module")
def rows():
    return flow.rows(tiny.trial())


def test_who_came_in(rows):
    # 12 assessed - 2 declined = 10 enrolled = 4 + 4 + 2 in another arm
    tiny.agree(rows, "flow", """
        assessed           | overall | - | - | n=12 percent=100
        excluded: declined | overall | - | - | n=2  percent=16.666667
        enrolled           | overall | - | - | n=10 percent=83.333333
        randomised         | overall | - | - | n=8  percent=80
        randomised         | C       | - | - | n=4  percent=40
        randomised         | T       | - | - | n=4  percent=40
        randomised         | X       | - | - | n=2  percent=20
    """)


def test_who_was_kept_and_why_not(rows):
    # Wilson, z = 1.959964: 3 of 4 has centre (3 + z²/2)/(4 + z²) = 0.627522 and half width
    # sqrt(z² (3/4 + z²/4))/(4 + z²) = 0.326885
    tiny.agree(rows, "flow", """
        retained    | C          | after | -      | n=4 percent=100
        retained    | C          | later | -      | n=3 percent=75
        retained    | T          | later | -      | n=4 percent=100
        retained    | overall    | later | -      | n=7 percent=87.5
        retained    | C          | later | wilson | ci_low=30.064184 ci_high=95.441274
        retained    | T          | later | wilson | ci_low=51.010916 ci_high=100
        retained    | difference | after | fisher | p=-
        retained    | difference | later | fisher | p=1
        lost: moved | C          | later | -      | n=1 percent=25
        lost: moved | T          | later | -      | n=0 percent=0
    """)
    assert "fisher" not in set(rows.loc[rows["time"] == "before", "method"])
    assert not (rows["variable"].str.startswith("lost") & (rows["time"] != "later")).any()


def test_lost_is_who_never_comes_back_by_reason():
    data = tiny.DATA.replace("t2,T,50,male,low,50,30,", "t2,T,50,male,low,50,,").replace(
        "48,52,4,4,yes,8,C,", ",,4,4,yes,8,C,work")
    rows = flow.rows(tiny.trial(data))  # t2 misses one visit, c2 leaves after the first
    tiny.agree(rows, "flow", """
        lost: work  | C | after | - | n=1 percent=25
        lost: moved | C | later | - | n=1 percent=25
        retained    | C | later | - | n=2 percent=50
        retained    | T | after | - | n=3 percent=75
    """)
    lost = rows[rows["variable"].str.startswith("lost") & (rows["value"] > 0)]
    assert set(lost[["variable", "arm", "time"]].itertuples(index=False, name=None)) == {
        ("lost: work", "C", "after"), ("lost: moved", "C", "later")}  # each once


def test_who_is_analysed(rows):
    tiny.agree(rows, "flow", """
        analysed: Pain | C       | - | - | n=4 percent=100
        analysed: Pain | overall | - | - | n=8 percent=100
    """)
    trial = tiny.trial(covariates=["edu"])  # c4's education is missing
    tiny.agree(flow.rows(trial), "flow", """
        analysed: Pain        | C       | - | - | n=3 percent=75
        analysed: Pain        | T       | - | - | n=4 percent=100
        analysed: CRP         | overall | - | - | n=7 percent=87.5
        left out: edu missing | C       | - | - | n=1
        left out: edu missing | T       | - | - | n=0
    """)


def test_what_they_received_and_wanted(rows):
    # C came 2, 6, 8, 8 times: its quartiles stand at places 1.25, 2.5 and 3.75; T 5, 7, 8, 8
    tiny.agree(rows, "flow", """
        sessions         | C | - | weighted-average | n=4 q1=3   median=7   q3=8
        sessions         | T | - | weighted-average | n=4 q1=5.5 median=7.5 q3=8
        preference: T    | C | - | - | n=1 percent=25
        preference: T    | T | - | - | n=3 percent=75
        preference: C    | C | - | - | n=2 percent=50
        preference: C    | T | - | - | n=0 percent=0
        preference: none | T | - | - | n=1 percent=25
    """)


def test_planned_size(rows):
    # 2 (1.959964 + 0.841621)² = 15.7, so 16; 16/0.8 = 20 in each arm, or 32 x 1.2
    tiny.agree(rows, "sample_size", """
        Pain | overall | - | declared          | difference=10 d=1 dropout=0.2
        Pain | overall | - | normal            | d=1 n=16
        Pain | overall | - | normal/divided    | n_with_dropout=40
        Pain | overall | - | normal/multiplied | n_with_dropout=38.4
        Pain | overall | - | t                 | d=1 n=17
        Pain | overall | - | t/divided         | n_with_dropout=44
    """)


def test_a_fraction_of_the_mean_may_stand_for_the_difference():
    size = {"sd": 10, "mean": 50, "relative_difference": 0.2, "alpha": 0.05, "power": 0.8}
    tiny.agree(flow.rows(tiny.trial(sample_size=size)), "sample_size", """
        Pain | overall | - | declared | difference=10 d=1
        Pain | overall | - | normal   | n=16
    """)


def test_nothing_is_said_of_what_is_not_declared():
    rows = flow.rows(tiny.trial(flow=None, sample_size=None))
    assert set(rows["variable"]) == {
        "enrolled", "randomised", "retained", "lost: no reason given", "analysed: Pain",
        "analysed: CRP"}
