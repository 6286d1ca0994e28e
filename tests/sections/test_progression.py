"""Progression criteria of the tiny trial, counted by hand."""

import pytest
from trials import tiny

from mair.report import tables_result
from mair.sections import flow
from mair.trial import TrialError

CRITERIA = {"recruitment": {"green": 0.8, "amber": 0.5},
            "retention": {"green": 0.875, "amber": 0.6},
            "adherence": {"green": 0.9, "amber": 0.7, "sessions": 6},
            "completeness": {"green": 0.9, "amber": 0.8, "visit": "after"}}
OTHER = tiny.SPEC["outcomes"] | {"Mood": {"columns": ["crp_0", "crp_1", None]}}


def test_criteria_are_held_against_their_thresholds():
    """10 of 12 assessed (2 in an arm not analysed); c4 is lost, and came twice of 6 times.

    Wilson, z = 1.959964: 7 of 8 has centre (7 + z²/2)/(8 + z²) = 0.753347, half width
    sqrt(z² (7/8 + z²/4))/(8 + z²) = 0.224235; 6 of 8 (t4 came 5 times) 0.668898 and 0.259622,
    10 of 12 0.752502 and 0.200533. c4's one missing Mood makes 7 of 8 complete.
    """
    data = tiny.DATA.replace("50,50,,4,2,,2,none", "50,50,,4,,,2,none")
    rows = flow.rows(tiny.trial(data, outcomes=OTHER, biomarkers=None, progression=CRITERIA))
    tiny.agree(rows, "progression", """
        recruitment  | overall | -     | -        | n=10 n_of=12 percent=83.333333
        recruitment  | overall | -     | wilson   | ci_low=55.196914 ci_high=95.303486
        recruitment  | overall | -     | declared | green=0.8 decision=2 decision_low=1
        retention    | overall | later | -        | n=7 n_of=8 percent=87.5
        retention    | overall | later | wilson   | ci_low=52.911182 ci_high=97.758251
        retention    | overall | later | declared | decision=2 decision_low=0 decision_high=2
        adherence    | overall | -     | -        | n=6 n_of=8 percent=75
        adherence    | overall | -     | declared | amber=0.7 decision=1 decision_low=0
        completeness | overall | after | -        | n=7 n_of=8 percent=87.5
        completeness | overall | after | declared | decision=1 decision_low=0 decision_high=2
    """)


def test_a_rate_those_eligible_and_sessions_of_one_arm():
    """10 in 4 months are 2.5 a month, Garwood's limits chi²(.025; 20)/8 and chi²(.975; 22)/8.

    Printed in tables of the chi-squared distribution: 9.591 and 36.781. Of 12 assessed 2 are
    not eligible: 10 of 10. Sessions of T alone: 5, 7, 8, 8; one of them unknown is too few.
    """
    data = "\n".join(",".join([*line.split(",")[:11], *([""] if line[0] == "c" else
                              line.split(",")[11:12]), *line.split(",")[12:]])
                     for line in tiny.DATA.replace(",yes,7,T", ",yes,,T").splitlines()) + "\n"
    trial = tiny.trial(data, progression={
        "recruitment": {"months": 4, "green": 3, "amber": 2},
        "adherence": {"green": 0.5, "amber": 0.4, "sessions": 6}})
    rows = flow.rows(trial)
    tiny.agree(rows, "progression", f"""
        recruitment | overall | - | -        | n=10 months=4 rate=2.5
        recruitment | overall | - | poisson  | ci_low={9.590777 / 8} ci_high={36.780712 / 8}
        recruitment | overall | - | declared | decision=1 decision_low=0 decision_high=2
        adherence   | overall | - | -        | n=2 n_of=4 percent=50
        adherence   | overall | - | declared | decision=2
    """)
    assert tables_result.progression(trial, rows).cells() == [
        ["Recruitment", "10 in 4 months (2.5 a month)", "1.2 to 4.6", "3", "2", "amend", "stop",
         "go"],
        ["Adherence", "2/4 (50.0%)", "15.0 to 85.0", "0.5", "0.4", "go", "stop", "go"]]
    eligible = {"recruitment": {"ineligible": ["declined"], "green": 1, "amber": 0.5}}
    tiny.agree(flow.rows(tiny.trial(progression=eligible)), "progression", """
        recruitment | overall | - | -        | n=10 n_of=10 percent=100
        recruitment | overall | - | declared | decision=2
    """)


def test_nothing_declared_and_nothing_to_observe():
    bare = tiny.trial()
    assert tables_result.progression(bare, flow.rows(bare)) is None
    once = {"Pain": {"columns": ["pain_0", "pain_1", None]}}
    trial = tiny.trial(outcomes=once, biomarkers=None, progression={
        name: {"visit": "later", "green": 0.8, "amber": 0.6}
        for name in ("retention", "completeness")})
    rows = flow.rows(trial)
    for name in ("retention", "completeness"):
        tiny.agree(rows, "progression", f"""
            {name} | overall | later | -        | n=0 n_of=0 percent=-
            {name} | overall | later | declared | decision=- decision_low=-
        """)
    assert "not estimable" in tables_result.progression(trial, rows).cells()[0]


@pytest.mark.parametrize("declared, says", [
    ({"retention": {"green": 0.6, "amber": 0.6}},
     "progression.retention: amber 0.6, green 0.6, expected amber below green, and proportions"),
    ({"recruitment": {"green": 5, "amber": 0.6}},
     "progression.recruitment: amber 0.6, green 5, expected amber below green, and proportions"),
    ({"retention": {"green": 0.8, "amber": 0.6, "visit": "never"}},
     "progression.retention.visit: 'never', expected before, after or later"),
    ({"recruitment": {"green": 0.8, "amber": 0.6, "ineligible": ["tired"]}},
     "progression.recruitment.ineligible: 'tired', expected declined"),
    ({"adherence": {"green": 0.8, "amber": 0.6}},
     "progression.adherence.sessions: required key missing"),
    ({"retention": {"green": 0.8, "amber": 0.6, "months": 3}},
     "progression.retention: green, amber or months, expected green, amber or visit"),
    ({"adherance": {"green": 0.8, "amber": 0.6}}, "progression"),
])
def test_what_does_not_fit_is_said(declared, says):
    with pytest.raises(TrialError) as refused:
        tiny.trial(progression=declared)
    assert any(says in line for line in refused.value.problems), refused.value.problems


def test_columns_that_a_criterion_needs():
    with pytest.raises(TrialError) as refused:
        tiny.trial(flow=None, progression=CRITERIA)
    assert [line.split("tiny.yaml: ")[-1] for line in refused.value.problems] == [
        "flow.assessed: required key missing by recruitment",
        "flow.sessions: required key missing by adherence"]
