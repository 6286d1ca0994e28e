"""Verdicts on printed numbers, and the join."""

import pandas as pd
import pytest

from mair.published import compare
from mair.published.consistency import consistency
from mair.results import KEYS


@pytest.mark.parametrize(
    ("value", "printed", "verdict", "why"),
    [
        (84.2105, "84.2", "reproduced", ""),
        (2.5, "2", "reproduced", ""),  # half even
        (2.5, "3", "reproduced", ""),  # half up
        (-0.125, "-0.13", "reproduced", ""),
        (0.1249999999999, "0.13", "reproduced", ""),  # machine noise around a tie
        (-0.004, "-0.00", "reproduced", ""),
        (0.0004, "<0.001", "reproduced", ""),
        (0.001, "<0.001", "not reproduced", ""),
        (0.2, ">0.05", "reproduced", ""),
        (78.947368, "78.94", "within rounding", "truncated"),
        (42.105, "42.2", "not reproduced", "one unit off, no rule found: 42.105"),
        (1.3446, "1.35", "within rounding", "rounded twice"),
        (26.3158, "26.2", "not reproduced", ""),
        (0.934, "0.95", "not reproduced", ""),
        (15, "16", "not reproduced", ""),
        (float("nan"), "0.27", "not checkable", "not estimable")],
)
def test_verdicts(value, printed, verdict, why):
    found = compare.judge(value, printed, "n" if printed == "16" else "x")
    assert found.verdict == verdict
    assert why in found.why


def test_double_rounding_is_named():
    # 0.4449 to three places is 0.445, and that half up to two is 0.45
    assert compare.judge(0.4449, "0.45") == ("within rounding", "rounded twice: 0.4449, then 0.445")


def results(*rows):
    return pd.DataFrame(rows, columns=[*KEYS, "value"])


def published(*rows):
    return pd.DataFrame(rows, columns=[*KEYS, "printed", "source", "note"])


def test_another_method_that_prints_so_is_named():
    found = compare.compare(
        published(("baseline", "age", "difference", "", "student", "p", "0.86", "table 2", ""),
                  ("baseline", "sex", "difference", "", "pearson", "p", "0.5", "table 2", ""),
                  ("", "age", "overall", "", "declared", "sd", "3", "section 1", "")),
        results(("baseline", "age", "difference", "", "student", "p", 0.91),
                ("baseline", "age", "difference", "", "welch", "p", 0.861)))
    assert list(found["verdict"]) == ["not reproduced", "not checkable", "not checkable"]
    assert found["why"][0] == "prints so under welch"
    assert found["why"][2] == "an input" == found["word"][2]


def test_what_the_paper_says_of_its_numbers_comes_before_what_data_made_from_it_give():
    keys = ("baseline", "sex", "A", "", "")
    paper = published((*keys, "n", "5", "table 1", ""), (*keys, "percent", "26.0", "table 1", ""),
                      (*keys, "percent", "25", "text", ""), ("flow", "randomised", "A", "", "", "n",
                                                             "20", "table 1", ""))
    checked = consistency(paper)
    found = compare.compare(paper, results((*keys, "n", 5), (*keys, "percent", 26.0)), checked)
    assert list(found["verdict"]) == ["reproduced", "not reproduced", "not reproduced",
                                      "not checkable"]
    assert found["why"][1] == ("the data meet it; consistency: impossible (5/20 = 25.000 %)")
    assert list(found["word"])[1:3] == ["cannot hold as printed", "follows with rounding"]
    assert compare.counts(found, checked) == {
        "printed": 4, "given": 0, "follow": 1, "linked": 2, "met": 1, "compared": 3}
