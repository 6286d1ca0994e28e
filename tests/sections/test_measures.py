"""Families of p values, whom a section describes, standardised contrasts, of the tiny trial."""

import math

import pytest
from trials import tiny

from mair import results
from mair.sections import estimands, measures


@pytest.fixture(scope="module")
def pain():
    return measures.rows(tiny.trial(), "outcomes")


def test_a_column_says_whom_a_section_describes():
    head, *lines = tiny.DATA.splitlines()
    kept = ["yes", "yes", "yes", "no", "no", "yes", "yes", "yes"]
    data = "\n".join([f"{head},kept", *map(",".join, zip(lines, kept, strict=True))])
    rows = measures.rows(tiny.trial(data, describe={"outcomes": "kept"}), "outcomes")
    tiny.agree(rows, "outcomes", """
        Pain | C | before | described | n=3 mean=50
        Pain | T | before | described | n=3 mean=53.333333
        Pain | T | before | observed  | n=4 mean=50
    """)
    found = estimands.table(tiny.trial(data, describe={"outcomes": "kept"}), rows)
    d = found[(found["method"] == "d_ppc2") & (found["time"] == "later")]
    assert d[["n_with_data_C", "n_with_data_T"]].to_numpy().tolist() == [[3, 3]]
    whole = tiny.trial(data.replace(",no\n", ",yes\n"), describe={"outcomes": "kept"})
    found = estimands.table(whole, measures.rows(whole, "outcomes"))
    d = found[(found["method"] == "d_ppc2") & (found["time"] == "later")]  # c4 was not seen then
    assert d[["rows_C", "rows_T"]].to_numpy().tolist() == [[6, 8]]


def test_q_is_corrected_within_the_family(pain):
    p, q = ({one.time: getattr(one, name) for one in results.records(
        pain, analysis="outcomes", arm="difference", method="random-intercept/z") if one.time}
        for name in ("p", "q"))
    assert 2 * p["after"] < p["later"]
    assert q == pytest.approx({"after": 2 * p["after"], "later": p["later"]}, rel=1e-9, abs=0)
    families = {"outcomes": "all", "biomarkers": "all"}
    analysis = {**tiny.SPEC["analysis"], "fdr_families": families}
    rows = measures.rows(tiny.trial(analysis=analysis), "biomarkers")
    one, = results.records(rows, arm="difference", analysis="biomarkers", time="after",
                           method="random-intercept/z")
    assert one.q == pytest.approx(one.p)  # the largest of three
    value = results.Lookup(measures.rows(tiny.trial(analysis=analysis), "outcomes"))
    key = ("outcomes", "Pain", "difference", "later", "random-intercept/z")
    assert value(*key, statistic="q") == pytest.approx(1.5 * p["later"], rel=1e-9, abs=0)


def test_b_is_standardised_with_its_limits(pain):
    low, high = ({one.method: getattr(one, name) for one in results.records(
        pain, variable="Pain", arm="difference", time="after", analysis="outcomes")}
        for name in ("ci_low", "ci_high"))
    for limit in (low, high):
        assert limit["b_over_sd"] == pytest.approx(limit["random-intercept/z"] / math.sqrt(80))
