"""Models of a Trial against lme4 and emmeans (tests/oracles/models.R), and their edges."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mair.results import Lookup
from mair.sections import analysis as estimates
from mair.sections import measures
from mair.sections import model as models
from mair.trial import load

HERE = Path(__file__).parents[1]
ORACLE = json.loads((HERE / "oracles" / "models.json").read_text())
METHOD = "random-intercept/z"
VISITS = ("baseline", "2 months", "3 months", "5 months", "8 months")


@pytest.fixture(scope="module")
def blues():
    return load("params/beat_the_blues.yaml")


@pytest.fixture(scope="module")
def value(blues):
    return Lookup(measures.rows(blues, "outcomes"))


def test_contrasts_are_lme4s(blues, value):
    assert blues.visits == VISITS
    found = {row["name"]: row for row in ORACLE["coefficients"]}
    for k, visit in enumerate(VISITS[1:], start=1):
        theirs = found[f"treatmentBtheB:visit{k}"]
        key = ("outcomes", "BDI", "difference", visit, METHOD)
        assert value(*key, statistic="b") == pytest.approx(theirs["b"], rel=1e-6)
        assert value(*key, statistic="se") == pytest.approx(theirs["se"], rel=1e-6)
        assert value(*key, statistic="n_rows") == ORACLE["n_rows"]
        assert value(*key, statistic="n") == ORACLE["n"]
    assert f"{value('outcomes', 'BDI', 'difference', '2 months', METHOD, statistic='b'):.5f}" == (
        "-3.30635")


def test_covariates_are_lme4s(value):
    found = {row["name"]: row for row in ORACLE["coefficients"]}
    for ours, theirs in (("drug", "drugYes"), ("length", "length>6m")):
        key = ("outcomes", f"BDI: {ours}", "overall", "", METHOD)
        assert value(*key, statistic="b") == pytest.approx(found[theirs]["b"], rel=1e-6)
        assert value(*key, statistic="se") == pytest.approx(found[theirs]["se"], rel=1e-6)


def test_group_by_time_as_a_whole(value):
    key = ("outcomes", "BDI", "difference", "", METHOD)
    assert value(*key, statistic="chi2") == pytest.approx(ORACLE["chi2"], rel=1e-6)
    assert value(*key, statistic="df1") == ORACLE["df"]


def test_marginal_means_are_emmeans(value):
    for row in ORACLE["emm"]:
        key = ("emm", "BDI", row["arm"], VISITS[int(row["visit"])], METHOD)
        names = (("mean", "mean"), ("se", "se"), ("ci_low", "low"), ("ci_high", "high"))
        for ours, theirs in names:
            assert value(*key, statistic=ours) == pytest.approx(row[theirs], rel=1e-6)
    for row in ORACLE["difference"]:
        key = ("emm", "BDI", "difference", VISITS[int(row["visit"])], METHOD)
        for name in ("mean", "se", "p"):
            assert value(*key, statistic=name) == pytest.approx(row[name], rel=1e-6)


def invented(tmp_path, frame, **keys):
    frame.to_csv(tmp_path / "x.csv", index=False)
    spec = {"trial": "invented", "data": "x.csv", "participant": "id",
            "arm": {"column": "arm", "control": "c", "treatment": "t"},
            "visits": ["v0", "v1", "v2"],
            "outcomes": {"Y": {"columns": ["y0", "y1", "y2"]}},
            "analysis": {"covariance": "random-intercept", "inference": "z"}, **keys}
    (tmp_path / "x.yaml").write_text(json.dumps(spec))
    return load(tmp_path / "x.yaml")


def people(n=24, seed=3):
    rng = np.random.default_rng(seed)
    level = rng.normal(50, 8, n)
    frame = pd.DataFrame({"id": range(n), "arm": ["c", "t"] * (n // 2)})
    for k in range(3):
        frame[f"y{k}"] = (level + rng.normal(0, 5, n) + k * (frame["arm"] == "t")).round(2)
    frame["age"] = rng.integers(20, 60, n)
    frame["site"] = ["a", "b", "c"] * (n // 3)
    return frame


def test_complete_pairs_give_the_difference_in_mean_changes(tmp_path):
    frame = people()
    trial = invented(tmp_path, frame, covariates=["age", "site"])
    fitted = estimates.analyse(trial, "Y")
    for visit, column in (("v1", "y1"), ("v2", "y2")):
        change = (frame[column] - frame["y0"]).groupby(frame["arm"]).mean()
        found = fitted.contrasts[visit]
        assert found.estimate == pytest.approx(change["t"] - change["c"], abs=1e-9)
    assert set(fitted.covariates) == {"age", "site: b", "site: c"}


def test_a_participant_without_a_covariate_is_left_out(tmp_path):
    frame = people()
    frame["age"] = frame["age"].astype(float)
    frame.loc[5, "age"] = np.nan
    trial = invented(tmp_path, frame, covariates=["age"])
    rows = models.observations(trial, "Y")
    assert len(rows) == 3 * (len(frame) - 1)
    assert "5" not in set(rows["participant"])


def test_a_visit_missing_in_one_arm_is_not_estimable(tmp_path):
    frame = people()
    frame.loc[frame["arm"] == "c", "y2"] = np.nan
    trial = invented(tmp_path, frame)
    value = Lookup(measures.rows(trial, "outcomes"))
    key = ("outcomes", "Y", "difference")
    assert np.isnan(value(*key, "v2", METHOD, statistic="b"))
    assert value(*key, "v1", METHOD, statistic="b") == value(*key, "v1", METHOD, statistic="b")
    assert ("emm", "Y", "c", "v2", METHOD, "mean") not in value


def test_a_constant_covariate_is_left_out_of_the_model(tmp_path):
    frame = people().assign(age=40)
    trial = invented(tmp_path, frame, covariates=["age"])
    assert models.build(trial, "Y").covariates == {}


def test_covariates_that_say_the_same_are_estimated_once_and_named(tmp_path):
    frame = people().assign(months=lambda d: 12 * d["age"] + 7, tiny=lambda d: d["age"] * 1e-10)
    trial = invented(tmp_path, frame, covariates=["tiny", "age", "months"])
    for estimator in ("difference", "ancova"):
        alone = estimates.analyse(invented(tmp_path, frame, covariates=["age"]), "Y",
                                  estimator=estimator)
        found = estimates.analyse(trial, "Y", estimator=estimator)
        assert "age" in found.state and "months" in found.state and "tiny" not in found.state
        assert found.contrasts["v2"][:2] == pytest.approx(alone.contrasts["v2"][:2], rel=1e-9)
    said, = measures.states(trial, "outcomes")
    assert said == "Y: left out, as others determine them: age, months."


def test_an_unstructured_matrix_of_four_people_falls_back(tmp_path):
    found = estimates.analyse(invented(tmp_path, people().head(4)), "Y", covariance="unstructured",
                              inference="kenward-roger")
    assert found.method == "compound-symmetry/kenward-roger" and found.overall["fallback"] == 1
    assert "6 error contrasts cannot tell 6 variances and covariances apart" in found.state
    assert all(one.df == pytest.approx(4) for one in found.contrasts.values())


def test_compound_symmetry_after_imputation_is_compound_symmetry(tmp_path):
    """Of negatively correlated visits the random intercept's SE is too small."""
    rng, frame = np.random.default_rng(4), people()
    noise = rng.normal(size=(24, 3))
    frame[["y0", "y1", "y2"]] = 50 + 10 * (noise - 0.9 * noise.mean(1, keepdims=True))
    frame.loc[[2, 5], "y2"] = np.nan
    trial = invented(tmp_path, frame)
    symmetric, intercept = (
        estimates.analyse(trial, "Y", covariance=c, inference="kenward-roger", missing="mi-mar")
        for c in ("compound-symmetry", "random-intercept"))
    assert symmetric.contrasts["v1"].se > 1.05 * intercept.contrasts["v1"].se
    assert (symmetric.overall["boundary"], intercept.overall["boundary"]) == (0, 1)
    change = (frame["y1"] - frame["y0"]).groupby(frame["arm"]).mean()
    assert symmetric.contrasts["v1"].estimate == pytest.approx(change["t"] - change["c"])


def test_a_constant_outcome_keeps_its_rows_and_says_why(tmp_path):
    trial = invented(tmp_path, people().assign(y0=7.0, y1=7.0, y2=7.0))
    found = estimates.analyse(trial, "Y")
    assert found.state == "not estimable: the design determines every score"
    value = Lookup(measures.rows(trial, "outcomes"))
    assert np.isnan(value("outcomes", "Y", "difference", "v1", METHOD, statistic="b"))
    assert value("outcomes", "Y", "overall", "", METHOD, statistic="converged") == 0


def test_kenward_roger_in_the_contracts_form():
    """pbkrtest on Beat the Blues: b -3.30635, SE 1.73551, df 274.506."""
    trial = load("params/beat_the_blues.yaml", inference="kenward-roger")
    found = estimates.analyse(trial, "BDI")
    one = found.contrasts["2 months"]
    assert found.method == "random-intercept/kenward-roger"
    assert [f"{x:.5f}" for x in one[:2]] == ["-3.30635", "1.73551"] and f"{one.df:.3f}" == "274.506"
    assert set(found.whole) == {"f", "df1", "df2", "p"}


@pytest.mark.parametrize("covariance", ["random-intercept", "compound-symmetry", "unstructured"])
@pytest.mark.parametrize("inference", ["z", "satterthwaite", "kenward-roger"])
@pytest.mark.parametrize("estimator", ["difference", "clda", "ancova"])
@pytest.mark.parametrize("variance", ["common", "by-arm"])
def test_every_choice_runs_and_names_itself(tmp_path, covariance, inference, estimator, variance):
    frame = people()
    frame.loc[[1, 4, 8], "y2"] = np.nan
    trial = invented(tmp_path, frame, covariates=["age"], analysis={
        "covariance": covariance, "inference": inference, "estimator": estimator,
        "variance": variance})
    rows = measures.rows(trial, "outcomes")
    value = Lookup(rows)
    fitted = {"difference": covariance, "clda": f"clda:{covariance}", "ancova": "ancova"}
    method = measures.method(rows, "outcomes", "Y")
    assert method == f"{fitted[estimator]}{',by-arm' * (variance == 'by-arm')}/{inference}"
    key = ("outcomes", "Y", "difference", "v2", method)
    b, se, p, low, high = (value(*key, statistic=s) for s in ("b", "se", "p", "ci_low", "ci_high"))
    assert low < b < high
    assert se > 0
    assert 0 < p < 1
    statistic, empty = ("z", "t") if inference == "z" else ("t", "z")
    assert value(*key, statistic=statistic) == pytest.approx(b / se)
    assert np.isnan(value(*key, statistic=empty))
    assert value(*key, statistic="n") == (21 if estimator == "ancova" else 24)


def test_a_negative_correlation_never_passes_as_a_random_intercept(tmp_path):
    frame = people()
    rng = np.random.default_rng(5)
    push = rng.normal(0, 9, len(frame))
    for k, share in enumerate((1, -1, 0)):  # what one visit gains another loses
        frame[f"y{k}"] = (50 + share * push + rng.normal(0, 3, len(frame))).round(2)
    rows = measures.rows(invented(tmp_path, frame), "outcomes")
    value = Lookup(rows)
    assert value("outcomes", "Y", "overall", "", METHOD, statistic="boundary") == 1
    beside = ("outcomes", "Y", "overall", "", "compound-symmetry/z")
    assert value(*beside, statistic="var_participant") < 0
    assert value(*beside, statistic="boundary") == 0
