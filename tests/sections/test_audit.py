"""The audit as rows: the worst verdict on each printed number, computed once."""

import pandas as pd
import pytest

from mair.sections import audit
from mair.trial import load


@pytest.fixture
def paper(tmp_path):
    """Four printed numbers: a percentage that is not its count's, and a mean on its own."""
    (tmp_path / "printed.csv").write_text(
        "analysis,variable,arm,time,method,statistic,printed,source,note\n"
        "flow,randomised,C,,,n,20,table 1,\n"
        "baseline,sex,C,,,n,5,table 1,\n"
        "baseline,sex,C,,,percent,26.0,table 1,\n"
        "outcomes,Pain,C,after,described,mean,50.2,table 2,\n")
    (tmp_path / "x.yaml").write_text(
        "published: printed.csv\narm: {column: arm, control: C, treatment: T}\n"
        "visits: [before, after]\noutcomes:\n  Pain: {columns: [a, b]}\n")
    return load(tmp_path / "x.yaml")


def test_each_number_has_its_worst_verdict(paper):
    own = audit.judged(paper)
    assert list(own["printed"]) == ["20", "5", "26.0", "50.2"]
    verdicts = dict(zip(own["statistic"], own["verdict"], strict=True))
    assert verdicts["percent"] == "impossible"
    assert verdicts["mean"] == "not checkable"
    counts = own["verdict"].value_counts()
    rows = audit.rows(paper)
    facts = rows["statistic"] == "facts"
    assert rows.loc[~facts, "value"].sum() == 4 and list(rows.loc[facts, "value"]) == [1]
    assert dict(zip(rows.loc[~facts, "method"], rows.loc[~facts, "value"], strict=True)) == {
        verdict: counts.get(verdict, 0) for verdict in rows.loc[~facts, "method"]}


def test_of_several_checks_the_worst_counts(paper, monkeypatch):
    found = pd.DataFrame({
        "verdict": ["exact", "within rounding", "exact", "other convention", "exact"],
        "rows": ["0", "0 1", "1 0", "2", "2 3"]}).assign(
            check="x", convention="", computation="", by_chance="")
    monkeypatch.setattr(audit, "checks", lambda trial: found)
    assert list(audit.judged(paper)["verdict"]) == [
        "within rounding", "exact", "other convention", "not checkable"]


def test_the_checks_are_computed_once(paper, monkeypatch):
    first = audit.checks(paper)
    monkeypatch.setattr(audit, "consistency", None)
    assert audit.checks(paper) is first
