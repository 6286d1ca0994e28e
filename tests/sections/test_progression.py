"""The table of progression criteria."""

from trials import tiny

from mair.report import tables_result
from mair.sections import flow


def criteria(**progression):
    trial = tiny.trial(progression=progression or None)
    return tables_result.progression(trial, flow.rows(trial))


def test_criteria_are_shown_with_their_thresholds_and_what_they_decide():
    """Wilson's limits of 7 of 8 are 52.9 and 97.8; Garwood's of 10 in 4 months 1.2 and 4.6."""
    table = criteria(recruitment={"months": 4, "green": 3, "amber": 2},
                     retention={"green": 0.5, "amber": 0.4})
    assert table.cells() == [
        ["Recruitment", "10 in 4 months (2.5 a month)", "1.2 to 4.6", "3", "2", "amend", "stop",
         "go"],
        ["Retention, a year later", "7/8 (87.5%)", "52.9 to 97.8", "0.5", "0.4", "go", "go", "go"]]
    assert criteria() is None


def test_nothing_to_observe_is_not_estimable():
    trial = tiny.trial(outcomes={"Pain": {"columns": ["pain_0", "pain_1", None]}}, biomarkers=None,
                       progression={"retention": {"visit": "later", "green": 0.8, "amber": 0.6}})
    table = tables_result.progression(trial, flow.rows(trial))
    assert "not estimable" in table.cells()[0]
