"""Rows of tiny trials worked out by hand, and trial files that are refused (worked.yaml)."""

import functools
import json
from fnmatch import filter as matching
from pathlib import Path

import pytest
import yaml
from trials import tiny

from mair.results import KEYS
from mair.sections import estimands, rows
from mair.trial import TrialError, load
from mair.trial.errors import ROOT

GIVEN = yaml.safe_load(Path(__file__).with_name("worked.yaml").read_text("utf-8"))


def trial(case):
    """The trial of a case."""
    data = tiny.DATA
    for old, new in case.get("data", {}).items():
        assert data.count(old) == 1, old
        data = data.replace(old, new)
    return (load(ROOT / case["file"]) if "file" in case else
            tiny.trial(data, **case.get("trial", {})))


@functools.cache
def analysed(given: str):
    """A trial and its rows, once for all cases of it."""
    found = trial(json.loads(given))
    return found, rows.rows(found)


@pytest.mark.parametrize("case", GIVEN["worked"], ids=lambda case: case["it"])
def test_rows_are_those_worked_out_by_hand(case):
    given, found = analysed(json.dumps({key: case[key] for key in ("file", "data", "trial")
                                        if key in case}))
    for analysis, expected in case.get("rows", {}).items():
        tiny.agree(found, analysis, expected)
    keys = found[KEYS[:5]].agg(" | ".join, axis=1)
    for pattern in case.get("absent", ()):
        assert matching(keys, pattern) == []
    for analysis, names in case.get("variables", {}).items():
        assert list(found.loc[found["analysis"] == analysis, "variable"].unique()) == names
    told = {" | ".join(row[key] for key in KEYS[:5]): row
            for row in estimands.table(given, found).to_dict("records")}
    for key, columns in case.get("estimands", {}).items():
        for name, value in columns.items():
            assert value in told[key][name] if name == "strategy" else value == told[key][name]


@pytest.mark.parametrize("case", GIVEN["refused"], ids=lambda case: case["says"])
def test_what_cannot_be_is_said(case):
    with pytest.raises(TrialError) as refused:
        trial(case)
    assert any(case["says"] in line for line in refused.value.problems), refused.value.problems
