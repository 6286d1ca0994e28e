"""Outcomes, biomarkers and their estimands in a tiny trial, worked out by hand."""

import math

import pytest
from trials import tiny

from mair import results
from mair.sections import estimands, measures
from mair.sections import rows as sections


@pytest.fixture(scope="module")
def pain():
    return measures.rows(tiny.trial(), "outcomes")


@pytest.fixture(scope="module")
def crp():
    return measures.rows(tiny.trial(), "biomarkers")


def test_means_of_those_seen_throughout_and_of_all(pain):
    # without c4 in C: before 40 50 60, after 42 48 60, later 38 52 60
    tiny.agree(pain, "outcomes", """
        Pain | overall | -      | declared  | range_low=0 range_high=100
        Pain | C       | before | described | n=3 mean=50 sd=10
        Pain | C       | after  | described | n=3 mean=50 sd=9.165151 change=0 percent_change=0
        Pain | C       | later  | described | n=3 mean=50 sd=11.13553
        Pain | C       | after  | observed  | n=4 mean=50 sd=7.483315
        Pain | T       | before | described | n=4 mean=50 sd=8.164966
        Pain | T       | after  | described | n=4 mean=30 sd=10.19804 change=-20 percent_change=-40
        Pain | T       | later  | observed  | n=4 mean=30 sd=4.898979
    """)


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


def test_the_contrast_is_treatment_minus_control(pain):
    tiny.agree(pain, "outcomes", """
        Pain | difference | after | random-intercept/z | n=8 n_rows=23 b=-20
        Pain | difference | later | random-intercept/z | n=8 n_rows=23 b=-20
    """)
    tiny.agree(pain, "emm", """
        Pain | C          | before | random-intercept/z | mean=50
        Pain | T          | after  | random-intercept/z | mean=30
        Pain | difference | after  | random-intercept/z | mean=-20
    """)


def test_q_is_corrected_within_the_family(pain, crp):
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


def test_effect_sizes_are_of_those_described(pain):
    # 7 people, pooled baseline SD sqrt((200 + 200) / 5) = sqrt(80); factor 1 - 3/19
    tiny.agree(pain, "outcomes", """
        Pain | difference | after | d_ppc2-uncorrected | n=7 d=-2.236068
        Pain | difference | after | d_ppc2             | n=7 d=-1.883005
        Pain | difference | after | b_over_sd          | n=7 d=-2.236068
    """)
    low, high = ({one.method: getattr(one, name) for one in results.records(
        pain, variable="Pain", arm="difference", time="after", analysis="outcomes")}
        for name in ("ci_low", "ci_high"))
    for limit in (low, high):
        assert limit["b_over_sd"] == pytest.approx(limit["random-intercept/z"] / math.sqrt(80))


def test_a_logged_biomarker_is_a_ratio(crp):
    # log2 changes C 0 0 1 -1, T -1 -1 -2 0: B = -ln 2, residual variance (4/12) ln² 2,
    # SE = ln 2 / sqrt(3), z = -sqrt(3); on the measured scale -3.75 over an SD of 2.516611
    tiny.agree(crp, "biomarkers", """
        CRP | C          | before | described          | n=4 mean=4.5 gm=4
        CRP | T          | after  | described          | n=4 mean=2.25 gm=2 change=-2.25
        CRP | difference | after  | random-intercept/z | b=-0.6931472 se=0.4001887 z=-1.7320508
        CRP | difference | after  | random-intercept/z | p=0.08326452 q=0.08326452 n=8 n_rows=16
        CRP | difference | after  | random-intercept/z | ci_low=-1.477503 ci_high=0.09120832
        CRP | difference | after  | random-intercept/z | gmr=0.5 gmr_low=0.2282070 gmr_high=1.095497
        CRP | difference | -      | random-intercept/z | chi2=3 df1=1
        CRP | overall    | -      | random-intercept/z | var_residual=0.1601510 converged=1
        CRP | difference | after  | d_ppc2             | n=8 d=-1.295738
        CRP | difference | after  | b_over_sd          | d=-1.224745
    """)
    tiny.agree(crp, "emm", "CRP | T | after | random-intercept/z | mean=0.6931472")
    assert measures.method(crp, "biomarkers", "CRP") == "random-intercept/z"


def test_normality_is_of_scores_ln_scores_and_residuals(pain, crp):
    found = {(one.variable, one.arm, one.time): one.n for one in results.records(
        pain, analysis="normality", method="shapiro-wilk")}
    assert found == {("Pain", arm, time): n for time, sizes in (
        ("before", (4, 4, 8)), ("after", (4, 4, 8)), ("later", (3, 4, 7)))
        for arm, n in zip(("C", "T", "overall"), sizes, strict=True)} | {
            ("Pain: residuals", "overall", ""): 23}
    tiny.agree(crp, "normality", """
        CRP: ln        | overall | after | lilliefors | n=8
        CRP: residuals | overall | -     | lilliefors | n=16
    """)


def test_an_estimand_counts_who_stands_behind_a_row():
    trial = tiny.trial(estimand={"population": "all", "intercurrent": [
        {"event": "stopping", "strategy": "treatment policy"}]})
    found = estimands.table(trial, sections.rows(trial)).set_index(results.KEYS[:5])
    columns = [f"{what}_{arm}" for arm in ("C", "T") for what in ("n_with_data", "rows")]
    for key, counts, summary in (
            (("outcomes", "Pain", "difference", "after", "random-intercept/z"), [4, 11, 4, 12],
             "difference between arms in mean change from baseline"),
            (("outcomes", "Pain", "difference", "later", "d_ppc2"), [3, 6, 4, 8],
             "standardised difference in mean change, of those described"),
            (("biomarkers", "CRP", "difference", "after", "random-intercept/z"), [4, 8, 4, 8],
             "difference between arms in mean change from baseline, ln scale"),
            (("nnt", "well", "difference", "", "completers/wald"), [3, 3, 4, 4],
             "difference between arms in the percentage who respond"),
            (("nnt", "well", "difference", "", "nonresponder/wald"), [3, 4, 4, 4],
             "difference between arms in the percentage who respond")):
        assert list(found.loc[key, columns]) == counts
        assert found.loc[key, "summary"] == summary
    assert found["strategy"].str.startswith("stopping: treatment policy; lost to follow-up: ").all()
    assert found.loc[("nnt", "well", "difference", "", "completers/wald"), "population"] == (
        "all whose response is known")
    assert set(found["n_randomised_C"]) == {4}


@pytest.mark.parametrize(("analysis", "counts", "population", "lost"), [
    ({"missing": "mi-mar"}, [4, 12, 4, 12], "all randomised", "missing at random"),
    ({"missing": "mi-j2r"}, [4, 12, 4, 12], "all randomised", "jump to reference"),
    ({"estimator": "ancova"}, [3, 3, 4, 4], "all randomised seen at baseline and at the visit",
     "left out")])
def test_an_estimand_tells_analyses_apart(analysis, counts, population, lost):
    trial = tiny.trial(analysis=tiny.SPEC["analysis"] | analysis | {"draws": 50}, biomarkers=None)
    rows = measures.rows(trial, "outcomes")
    found = estimands.table(trial, rows).set_index(results.KEYS[:5])
    key = ("outcomes", "Pain", "difference", "later", measures.method(rows, "outcomes", "Pain"))
    assert list(found.loc[key, ["n_with_data_C", "rows_C", "n_with_data_T", "rows_T"]]) == counts
    assert found.loc[key, "population"] == population and lost in found.loc[key, "strategy"]
