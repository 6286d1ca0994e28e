"""Adverse events of the tiny trial, counted by hand."""

import pytest
from trials import tiny

from mair.sections import harms
from mair.stats.risk import risk_difference
from mair.trial import TrialError, load
from mair.trial.errors import ROOT


def test_events_of_a_file_of_their_own():
    found = harms.rows(load(ROOT / "tests" / "trials" / "once.yaml"))
    apart = risk_difference((2, 1), (4, 4))
    tiny.agree(found, "harms", f"""
        any event         | T          | - | -        | n=2 percent=50 events=4
        any event         | C          | - | -        | n=1 percent=25 events=1
        any event         | difference | - | newcombe | rd=25 ci_low={100 * apart.low}
        any event         | difference | - | fisher   | p=1
        any serious event | T          | - | -        | n=1 events=1
        any serious event | C          | - | -        | n=0 events=0
        Nausea            | T          | - | -        | n=2 events=3
        Falls             | T          | - | -        | n=0 percent=0 events=0
        Falls             | difference | - | newcombe | rd=0
    """)
    assert list(dict.fromkeys(found["variable"]))[2:] == ["Nausea", "Headache", "Falls"]


def test_events_counted_in_a_column_of_which_one_is_unknown():
    data = tiny.DATA.replace("sessions", "events").replace(",8,T,\nc2", ",,T,\nc2")
    trial = tiny.trial(data, harms={"column": "events"}, flow=None)
    tiny.agree(harms.rows(trial), "harms", """
        any event | C | - | - | n=3 percent=100 events=16
        any event | T | - | - | n=4 events=28
    """)
    assert harms.rows(tiny.trial()).empty


@pytest.mark.parametrize("declared, says", [
    ({"term": "what"}, "harms: expected either column, or data with term"),
    ({"column": "edu"}, "column edu, participant c1 (row 2): 'low', expected a number of events"),
    ({"column": "well", "term": "edu"}, "harms.column: beside term, expected only with data"),
    ({"data": "tiny.csv", "participant": "sex"},
     "harms.data: 8 events whose participant is not in the data (first in row 2, 3, 4)"),
    ({"data": "tiny.csv", "term": "ages"}, "harms.term: 'ages' is no column of tiny.csv, did you "
     "mean age?"),
    ({"data": "none.csv", "term": "ages"}, "none.csv: no such file"),
])
def test_what_cannot_be_read_is_said(declared, says):
    with pytest.raises(TrialError) as refused:
        tiny.trial(harms=declared)
    assert any(says in line for line in refused.value.problems), refused.value.problems
