"""Printed, implied, invented: the rules against planted numbers, the search's result read."""

import math
from dataclasses import replace

import pandas as pd

from mair import results
from mair.published import numbers, provenance
from mair.results import KEYS


def planted(trial, *printed):
    """The rules of a trial of which nothing but these numbers is printed: 'a,v,arm,t,m,s=text'."""
    rows = [dict(zip(KEYS, key.split(","), strict=True), printed=text, source="here", note="")
            for key, _, text in (one.rpartition("=") for one in printed)]
    return provenance.Rules(trial, pd.DataFrame(rows, columns=numbers.COLUMNS))


def test_every_rule_gives_its_row_from_what_it_names_and_not_without(mair):
    """One line a rule: the row; what must be printed for it, of which none may be missing."""
    cases = pd.read_csv("tests/published/provenance_rules.csv", dtype=str, keep_default_na=False)
    assert len(cases) > 30
    for row, given in cases.itertuples(index=False, name=None):
        sources = given.split("; ") if given else []
        key, alike = tuple(part.replace(" |", ",") for part in row.split(",")), {}
        if "observed" in row or ",described,n" in row:  # of rules that compare two values
            alike = {tuple(one.rpartition("=")[0].split(",")): 1.0 for one in sources} | {key: 1.0}
        assert planted(mair, *sources).follows(key, alike), row
        for left_out in sources:
            rest = [one for one in sources if one != left_out]
            assert not planted(mair, *rest).follows(key, alike), (row, left_out)
        if alike and "baseline" not in row:
            assert not planted(mair, *sources).follows(key, alike | {key: 2.0}), row


def test_an_inequality_tells_no_value(mair):
    key = "outcomes,FIQ,difference,post,random-intercept/z,p"
    for text, value, kind in (("0.001", 0.0013, True), ("0.001", 0.0021, False),
                              ("<0.001", 0.0004, True), ("<0.05", 0.03, False),
                              (">0.05", 0.4, False)):
        assert planted(mair, f"{key}={text}").prints(tuple(key.split(",")), value) is kind, text


def test_kinds_and_extremes(mair, tmp_path, monkeypatch):
    def row(statistic, value, method="unstructured/kenward-roger"):
        return ("robustness", "FIQ", "difference", "post", method, statistic, value)

    rows = pd.DataFrame([row("b", -20.0), row("se", 4.0), row("p", 0.02), row("df", 30.0),
                         row("d", None, "d_ppc2/bca")], columns=results.COLUMNS)
    ranges = {row("b", 0)[:-1]: (-20.3, -20.01, 1), row("se", 0)[:-1]: (3.9, 4.5, 1),
              row("p", 0)[:-1]: (0.019, 0.021, 0)}
    monkeypatch.setattr(provenance, "stored", lambda trial: ranges)
    found = {key[-1]: origin for key, origin in provenance.kinds(mair, rows).items()}
    assert found["b"] == ("implied", -20.3, -20.0)  # its own value is among them
    assert found["se"] == ("invented", 3.9, 4.5)  # further apart than a tenth of it
    assert found["p"] == ("invented", 0.019, 0.021)  # not searched
    assert found["df"] == ("invented", 30.0, 30.0)  # nothing kept
    assert found["d"].kind == "invented" and math.isnan(found["d"].low)
    assert provenance.kinds(replace(mair, synthetic=False), rows) == {}


def test_another_cohort_has_no_ranges(mair, tmp_path):
    assert provenance.stored(replace(mair, data_path=tmp_path / "mair_synthetic.csv")) == {}
