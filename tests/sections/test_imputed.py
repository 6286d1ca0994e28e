"""Imputed data under every estimator, against mice, lm, gls and lmer (oracles/impute_models.R)."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mair.sections import analysis, imputed
from mair.trial import load

ORACLES = Path(__file__).parents[1] / "oracles"
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
    return analysis.analyse(trial, "Y", missing="mi-mar", inference=inference,
                            **{"estimator": "difference", "variance": "common",
                               "covariance": "random-intercept"} | choice)


@pytest.mark.parametrize("estimator, variance", [
    ("ancova", "common"), ("ancova", "by-arm"), ("clda", "common")])
def test_estimates_and_errors_are_mices_but_for_the_draws(trial, estimator, variance):
    found = analysed(trial, "z", estimator=estimator, variance=variance)
    model = found.method.removesuffix("/z/mi-mar")
    theirs, ours = R[model], found.contrasts["v3"]
    error = np.sqrt(theirs["between"] * (1 / theirs["m"] + 1 / found.extra["v3"]["imputations"]))
    assert ours.b == pytest.approx(theirs["b"], abs=3 * error)
    assert ours.se == pytest.approx(theirs["se"], rel=0.04)
    assert found.sizes["v3"] == ((70, 140) if estimator == "ancova" else (70, 280))


def test_small_samples_widen_it(trial):
    for estimator in ("difference", "clda", "ancova"):
        z, kr = (analysed(trial, inference, estimator=estimator)
                 for inference in ("z", "kenward-roger"))
        for visit, one in kr.contrasts.items():
            assert one.df < z.contrasts[visit].df and one.p > z.contrasts[visit].p
            assert one.se >= z.contrasts[visit].se * (1 - 1e-9)


@pytest.mark.parametrize("covariance", ["compound-symmetry", "unstructured"])
@pytest.mark.parametrize("variance", ["common", "by-arm"])
def test_closed_forms_are_the_fits(trial, covariance, variance):
    values, *given, _ = imputed.impute_variable(trial, "Y", "mi-mar")
    values = values.values[:4]
    for inference in ("z", "kenward-roger"):
        by_arm = variance == "by-arm"
        closed = imputed._closed(values, *given, covariance, by_arm, inference)
        fitted = imputed._refitted(values, *given, covariance, by_arm, inference, "difference")
        for ours, theirs in zip(closed[:3], fitted[:3], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_jump_to_reference_brings_the_arms_together(trial):
    for estimator in ("clda", "ancova"):
        mar, j2r, cr = (analysis.analyse(trial, "Y", missing=rule, estimator=estimator,
                                         covariance="random-intercept").contrasts["v3"].b
                        for rule in imputed.RULES)
        assert mar < j2r < 0 and mar < cr < 0
