"""Verdicts on printed numbers, and the join."""

import pandas as pd
import pytest

from mair.published import compare
from mair.published.consistency import consistency
from mair.published.rounding import rule_of
from mair.results import KEYS

CASES = pd.read_csv("tests/published/verdicts.csv", dtype=str, keep_default_na=False)


@pytest.mark.parametrize(tuple(CASES), CASES.to_numpy().tolist())
def test_verdicts_and_the_rules_behind_them(value, printed, rule, verdict, why, remark):
    found = compare.judge(float(value), printed, "n" if printed == "16" else "x")
    assert found.verdict == verdict
    assert why in found.why
    assert rule_of(float(value), printed) == rule, remark


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
