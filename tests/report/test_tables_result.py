"""The tables and figure frames of a tiny trial, cell by cell; its numbers are by hand (see
tests/sections)."""

import dataclasses
import math

import pandas as pd
import pytest
from trials import tiny
from trials.cells import agrees, blocks

from mair import results
from mair.report import frames, words
from mair.report import tables_result as tables
from mair.sections import analysis, baseline, flow, measures

EXPECTED = blocks(__file__)


@pytest.fixture(scope="module")
def trial():
    return tiny.trial(about={"interventions": [{"Session": 1, "C": "rest", "T": "walk"}]})


@pytest.fixture(scope="module")
def rows(trial):
    return {"flow": flow.rows(trial), "baseline": baseline.rows(trial),
            **{section: measures.rows(trial, section) for section in measures.SECTIONS}}


@pytest.mark.parametrize("block", EXPECTED)
def test_a_table_shows_what_was_worked_out_by_hand(trial, rows, block):
    name, section = block.split()
    own = [section] * (section in measures.SECTIONS)
    agrees(getattr(tables, name)(trial, rows[section], *own), EXPECTED[block])


def test_headings_stand_over_an_arm_and_the_data_are_named_after_it(trial, rows):
    table = tables.retention(trial, rows["flow"])
    assert list(table.spanners) == ["C (n = 4)", "T (n = 4)", "Overall (n = 8)"]
    assert table.spanners["T (n = 4)"] == ["T (n = 4)::Seen (%)", "T (n = 4)::95% CI"]
    assert list(table.data["C_n"]) == [4, 4, 3]


def test_what_a_trial_has_not_is_no_table(trial, rows):
    bare = tiny.trial(flow=None)
    assert tables.attendance(bare, flow.rows(bare)) is None
    assert tables.ratios(trial, rows["outcomes"], "outcomes") is None
    assert tables.interventions(tiny.trial()) is None
    agrees(tables.interventions(trial), "Session | C | T\n1 | rest | walk")


def test_notes_say_whom_a_table_describes_and_what_was_fitted(trial, rows):
    table = tables.outcomes(trial, rows["outcomes"])
    assert set(table.groups) == {"Pain: Pain score"}
    assert table.notes[0].startswith("Means and SDs describe everyone seen at every visit of the "
                                     "variable; the models use every observed score (random "
                                     "intercept, z).")
    assert "change from before, T minus C." in table.notes[0]
    table = tables.outcomes(trial, rows["biomarkers"], "biomarkers")
    assert set(table.groups) == {"CRP, mg/L; B on the ln scale"} and table.name == "biomarkers"
    own = rows["biomarkers"].copy()
    for statistic, value in (("converged", 0), ("boundary", 1), ("fallback", 1)):
        own.loc[own["statistic"] == statistic, "value"] = value
    note = tables.models(trial, own, "biomarkers").notes[-1]
    assert note == "Variance at zero; fell back; not converged: CRP."


def test_outcomes_under_t_and_without_a_family():
    analysis = {**tiny.SPEC["analysis"], "inference": "kenward-roger", "fdr_families": None}
    trial = tiny.trial(analysis=analysis, covariates=["age"])
    rows = measures.rows(trial, "biomarkers")
    table = tables.outcomes(trial, rows, "biomarkers")
    assert "t (df)" in table.headers and "z" not in table.headers
    cells = dict(zip(table.headers, table.cells()[1], strict=True))
    assert cells["t (df)"] == "−1.73 (6.0)" and cells["q"] == ""  # exact in complete data
    assert "covariates: age)" in table.notes[0]
    assert table.notes[1] == "No correction for multiplicity is declared."
    models = tables.models(trial, rows, "biomarkers")
    assert "Age, years, p" in models.headers and "F(1, 6.0) = 3.00" in str(models.cells())


# Frames


def test_the_forest_turns_outcomes_so_that_the_right_is_better(trial, rows):
    after, later = frames.forest(trial, rows["outcomes"]).to_dict("records")
    assert (after["label"], after["visit"], later["visit"]) == ("Pain", "after", "a year later")
    assert after["estimate"] == pytest.approx(20 / 80**0.5)  # a fall of pain is good
    assert 0 < after["low"] < after["estimate"] < after["high"]
    assert (after["text"], after["p_text"]) == ("2.24 (1.69 to 2.79)", "<0.001")
    assert after["primary"]
    better = tiny.trial(outcomes={"Pain": {**tiny.SPEC["outcomes"]["Pain"], "better": "higher"}})
    turned = frames.forest(better, measures.rows(better, "outcomes"))
    assert turned["estimate"][0] == pytest.approx(-20 / 80**0.5)
    assert turned["low"][0] == pytest.approx(-after["high"])


def test_the_forest_of_d_has_the_printed_d_turned_as_ours_is(trial, rows, tmp_path):
    (tmp_path / "printed.csv").write_text(
        "analysis,variable,arm,time,method,statistic,printed,source,note\n"
        "outcomes,Pain,difference,after,d_ppc2,d,-2.1,table 2,\n")
    printed = dataclasses.replace(trial, published=tmp_path / "printed.csv")
    after, later = frames.forest(printed, rows["outcomes"], method="d_ppc2").to_dict("records")
    assert (after["printed"], after["printed_text"]) == (2.1, "2.1")
    own, = results.records(rows["outcomes"], variable="Pain", time="after", method="d_ppc2")
    assert after["estimate"] == -own.d and math.isnan(later["printed"])
    assert frames.forest(printed, rows["outcomes"])["printed"].isna().all()  # not of B over SD


def test_the_forest_leaves_biomarkers_as_they_are(trial, rows):
    one, = frames.forest(trial, rows["biomarkers"], "biomarkers").to_dict("records")
    assert one["estimate"] == pytest.approx(-(1.5**0.5))
    assert (one["text"], one["p_text"]) == ("−1.22 (−2.61 to 0.16)", "0.083")
    assert not one["primary"]


def test_a_contrast_that_is_not_estimable_is_not_drawn(trial, rows):
    own = rows["outcomes"].copy()
    own.loc[(own["method"] == "b_over_sd") & (own["time"] == "after"), "value"] = None
    assert list(frames.forest(trial, own)["visit"]) == ["a year later"]


def test_whom_a_side_favours(trial):
    assert frames.favours(trial) == ("favours C", "favours T")
    assert frames.favours(trial, "biomarkers") == ("T fell more", "T rose more")
    higher = tiny.trial(outcomes={"Pain": {**tiny.SPEC["outcomes"]["Pain"], "better": "higher"}})
    for low, high, lower_better, higher_better, marker in (
            (-3, -1, "T", "C", "C"), (1, 3, "C", "T", "T"), (-1, 1, "", "", ""),
            (0, 1, "", "", ""), (float("nan"), float("nan"), "", "", "")):
        assert frames.side(trial, "Pain", low, high) == lower_better
        assert frames.side(higher, "Pain", low, high) == higher_better
        assert frames.side(trial, "CRP", low, high) == marker


def test_people_and_means(trial, rows):
    trial = tiny.trial(show_individuals="true")
    people = frames.people(trial)
    assert len(people) == 23 and set(people["outcome"]) == {"Pain"}
    one = people[(people["participant"] == "t3") & (people["visit"] == "after")]
    assert one[["arm", "value"]].to_numpy().tolist() == [["T", 44]]
    assert len(frames.people(trial, "biomarkers")) == 16
    means = frames.means(trial, rows["outcomes"]).set_index(["arm", "visit"])["mean"]
    assert means.round(9).to_dict() == {
        (arm, visit): 30 if arm == "T" and visit != "before" else 50
        for arm in "CT" for visit in trial.visits}
    means = frames.means(trial, rows["biomarkers"], "biomarkers").set_index(["arm", "visit"])
    assert means["mean"].round(9).to_dict() == {
        ("C", "before"): 4, ("T", "before"): 4, ("C", "after"): 4, ("T", "after"): 2}
    assert (means["low"] * means["high"]).round(6).equals((means["mean"] ** 2).round(6))


def test_baseline_differences_as_they_are_drawn(trial, rows):
    found = frames.smd(trial, rows["baseline"])
    assert list(found["label"]) == ["Age, years", "Women", "Education"]
    assert found["estimate"].tolist() == pytest.approx([1.224745, -0.534522, 0.920575], rel=1e-5)
    own = rows["baseline"].copy()
    own.loc[own["method"].eq("smd") & own["variable"].eq("sex"), "value"] = None
    assert list(frames.smd(trial, own)["label"]) == ["Age, years", "Education"]


def test_axes_and_residuals(trial):
    assert frames.axes(trial) == {"Pain": "Pain (0 to 100),\nlower is better"}
    assert frames.axes(trial, "biomarkers") == {"CRP": "CRP (mg/L)"}
    residuals = pd.DataFrame({"arm": list("CTC"), "residual": [5.0, -1.0, 2.0]})
    quantiles = frames.residuals(residuals)["quantile"].tolist()
    assert quantiles == pytest.approx([0.8694237, -0.8694237, 0], abs=1e-6)  # Blom, 2.625/3.25


def test_quantiles_of_the_residuals_of_each_arm(trial):
    found = frames.diagnostics(trial)
    assert list(dict.fromkeys(found["outcome"])) == [*trial.outcomes]
    own = analysis.analyse(trial, "Pain").residuals
    middle = found[(found["outcome"] == "Pain") & (found["quantile"] == 0)].set_index("arm")
    for arm in trial.arms:
        assert middle.loc[arm, "residual"] * own["residual"].std() == pytest.approx(
            own.loc[own["arm"] == arm, "residual"].median())


def test_methods_and_assumptions_in_words(trial):
    assert words.method("ancova,by-arm/satterthwaite") == (
        "analysis of covariance, a variance in each arm, Satterthwaite")
    said = words.assumptions(trial)
    assert "equally (and not negatively) correlated" in said and "The z reference" in said
    said = words.assumptions(tiny.trial(analysis={
        "covariance": "unstructured", "inference": "kenward-roger", "estimator": "clda"}))
    assert "share one mean at baseline" in said and "nothing of how" in said
    assert "Kenward and Roger's" in said and "at random given those observed" in said
    said = words.assumptions(tiny.trial(analysis={"estimator": "ancova", "missing": "observed"}))
    assert said.startswith("Each visit's scores are regressed on arm, baseline")


def test_the_tables_hold_the_rows_numbers(trial, rows):
    value = results.Lookup(rows["outcomes"])
    data = tables.outcomes(trial, rows["outcomes"]).data.set_index("time")
    key = ("outcomes", "Pain", "difference", "after", "random-intercept/z")
    for statistic in ("b", "ci_low", "p", "q", "n_rows"):
        assert data.loc["after", f"model_{statistic}"] == value(*key, statistic=statistic)
