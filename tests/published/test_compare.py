"""Verdicts on printed numbers, and the join."""

import pandas as pd
import pytest

from mair.published import compare
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
        (42.105, "42.2", "within rounding", "away from zero"),
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
    assert compare.judge(0.4449, "0.45") == (
        "within rounding", "rounded twice: 0.4449, then 0.445")


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
    assert compare.counts(found) == (0, 1, 3)
    assert compare.summary_line(found) == (
        "0 of 1 checkable published numbers reproduced (3 printed)")
