"""Imputed data under every estimator, against mice, lm, gls and lmer (oracles/impute_models.R)."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from smallsample_oracle import design

from mair.sections import analysis, imputed
from mair.stats import covariance, smallsample
from mair.trial import load

ORACLES = Path(__file__).parents[1] / "oracles"
CHOICE = analysis.Choice("random-intercept", "common", "kenward-roger", "difference", "mi-mar")
R = json.loads((ORACLES / "impute_models.json").read_text())


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """The trial that R imputed: 33 v 37, gaps and dropouts, one covariate; m = 200."""
    folder = tmp_path_factory.mktemp("gaps")
    frame = pd.read_csv(ORACLES / "impute_gaps.csv")
    frame.assign(arm=frame["arm"].map({0: "c", 1: "t"}), id=range(len(frame))).to_csv(
        folder / "gaps.csv", index=False)
    (folder / "gaps.yaml").write_text(json.dumps({
        "data": "gaps.csv", "participant": "id", "visits": ["v0", "v1", "v2", "v3"],
        "arm": {"column": "arm", "control": "c", "treatment": "t"}, "covariates": ["x"],
        "outcomes": {"Y": {"columns": ["y0", "y1", "y2", "y3"], "primary": True}}}))
    return load(folder / "gaps.yaml")


def analysed(trial, inference="kenward-roger", **choice):
    """As a trial file may declare it."""
    own = CHOICE._asdict() | {"inference": inference} | choice
    declared = load(trial.path, **{key: own[key] for key in CHOICE._fields[:-1]})
    return analysis.analyse(declared, "Y")


@pytest.mark.parametrize("estimator, variance", [
    ("ancova", "common"), ("ancova", "by-arm"), ("clda", "common")])
def test_estimates_and_errors_are_mices_but_for_the_draws(trial, estimator, variance):
    found = analysed(trial, "z", estimator=estimator, variance=variance)
    model = found.method.removesuffix("/z/mi-mar")
    theirs, ours = R[model], found.contrasts["v3"]
    error = np.sqrt(theirs["between"] * (1 / theirs["m"] + 1 / found.extra["v3"]["imputations"]))
    assert ours.estimate == pytest.approx(theirs["b"], abs=3 * error)
    assert ours.se == pytest.approx(theirs["se"], rel=0.04)
    assert (found.overall["n"], found.overall["n_rows"]) == (
        (70, 140) if estimator == "ancova" else (70, 280))


def test_small_samples_widen_it(trial):
    for estimator in ("difference", "clda", "ancova"):
        z, kr = (analysed(trial, inference, estimator=estimator)
                 for inference in ("z", "kenward-roger"))
        for visit, one in kr.contrasts.items():
            assert one.df < z.contrasts[visit].df and one.p > z.contrasts[visit].p
            assert one.se >= z.contrasts[visit].se * (1 - 1e-9)


@pytest.mark.parametrize("structure", ["random-intercept", "compound-symmetry", "unstructured"])
def test_closed_forms_are_the_fits(trial, structure):
    values, *given, _ = imputed.impute_variable(trial, "Y", "mi-mar")
    for inference in ("z", "kenward-roger"):
        choice = CHOICE._replace(covariance=structure, inference=inference)
        closed, fitted = (fit(values.values[:9], *given, choice)
                          for fit in (imputed._closed, imputed._refitted))
        for ours, theirs in zip(closed[:3], fitted[:3], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)
        assert closed[3] == fitted[3] == structure


@pytest.mark.parametrize("estimator", ["difference", "clda"])
def test_a_batch_is_its_single_fits(trial, estimator):
    values, arm, covariates, _ = imputed.impute_variable(trial, "Y", "mi-mar")
    one = imputed._refitted(values.values[:3], arm, covariates, CHOICE._replace(
        covariance="unstructured", variance="by-arm", estimator=estimator))
    n, T = values.missing.shape
    who, when = np.repeat(np.arange(n), T), np.tile(np.arange(T), n)
    X = design(when, arm[who], [covariates[who, 0]])
    X = np.delete(X, 1, 1) if estimator == "clda" else X
    for scores, b, variance in zip(values.values, *one[:2], strict=False):
        single = covariance.fit(scores.ravel(), X, who, when, "unstructured", arms=arm[who])
        found = smallsample.contrast(single, np.eye(X.shape[1])[-3:], "kenward-roger")
        np.testing.assert_allclose([found.estimate, found.se**2], [b, variance], rtol=1e-6)


def test_what_is_fitted_instead_is_named(trial):
    """Three visits more than people of an arm: no unstructured matrix of its own."""
    values, arm, covariates, _ = imputed.impute_variable(trial, "Y", "mi-mar")
    few = np.r_[np.flatnonzero(arm == 0)[:4], np.flatnonzero(arm == 1)]
    *_, model, state = imputed._refitted(
        values.values[:2, few], arm[few], covariates[few],
        CHOICE._replace(covariance="unstructured", variance="by-arm", inference="z"))
    assert model == "compound-symmetry,by-arm"
    assert state.startswith("unstructured could not be fitted: the control arm alone: ")


def test_jump_to_reference_brings_the_arms_together(trial):
    for estimator in ("clda", "ancova"):
        mar, j2r, cr = (analysis.analyse(trial, "Y", missing=rule, estimator=estimator,
                                         covariance="random-intercept").contrasts["v3"].estimate
                        for rule in imputed.RULES)
        assert mar < j2r < 0 and mar < cr < 0
