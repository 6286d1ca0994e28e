"""Models with a covariance in each arm against R (tests/oracles/by_arm.R), and their size."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from smallsample_oracle import design

from mair.stats.ancova import ancova
from mair.stats.covariance import STRUCTURES, fit, residuals
from mair.stats.smallsample import INFERENCES, contrast, joint

R, CS, UN = STRUCTURES
ORACLE = json.loads((Path(__file__).parents[1] / "oracles" / "by_arm.json").read_text())
DRAWN = {name: np.array(values, float) for name, values in ORACLE["drawn"].items()}
SHEEP = {name: np.array(values, float) for name, values in ORACLE["stem_cell"].items()}


def drawn(*covariates, structure, **options):
    d = DRAWN
    return fit(d["y"], design(d["visit"], d["arm"], [d[c] for c in covariates]), d["id"],
               d["visit"], structure, **{"arms": d["arm"]} | options)


@pytest.mark.parametrize("inference", INFERENCES)
def test_arms_that_share_nothing_are_lme4s_of_either_alone(inference):
    found = drawn(structure=R)
    assert found.by_arm and not found.fallback
    for one, row in zip(ORACLE["mixed"], np.eye(6)[-2:], strict=True):
        ours = contrast(found, row, inference)
        assert_allclose([ours.estimate, ours.se], [one[inference][x] for x in ("b", "se")],
                        rtol=1e-6)
        assert inference == "z" or ours.df == pytest.approx(one[inference]["df"], rel=2e-5)


@pytest.mark.parametrize("structure", [CS, UN])
def test_arms_that_share_nothing_are_nlmes_of_either_alone(structure):
    found = drawn(structure=structure)
    for one, row in zip(ORACLE[structure], np.eye(6)[-2:], strict=True):
        ours = contrast(found, row)
        assert_allclose([ours.estimate, ours.se], [one["b"], one["se"]], rtol=1e-5)
        assert -found.criterion / 2 == pytest.approx(one["loglik"], abs=1e-7)


def test_with_a_covariate_it_is_lme():
    found, theirs = drawn("x", structure=R), ORACLE["adjusted"]
    assert_allclose(found.beta, theirs["b"], rtol=1e-4)
    assert_allclose(found.se, theirs["se"], rtol=1e-5)
    assert -found.criterion / 2 == pytest.approx(theirs["loglik"], abs=1e-7)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("inference", INFERENCES[1:])
def test_complete_pairs_are_welchs(structure, inference):
    sheep, n = np.r_[SHEEP["before"], SHEEP["after"]], np.arange(18)
    arms, visits = np.tile(SHEEP["arm"], 2), np.repeat([0, 1], 18)
    found = fit(sheep, design(visits, arms), np.tile(n, 2), visits, structure, arms=arms)
    ours, theirs = contrast(found, [0, 0, 0, 1], inference), ORACLE["welch"]
    assert_allclose(ours[:3], [theirs[x] for x in ("b", "se", "df")], rtol=1e-7)
    assert f"{ours.estimate:.4f} {ours.se:.6f} {ours.df:.1f}" == "7.8333 1.954784 12.2"
    whole = joint(found, [[0, 0, 0, 1]], inference)
    assert_allclose([whole.f, whole.df2], [ours.t**2, ours.df])


def test_ancova_is_gls_with_var_ident():
    found, small = (ancova(SHEEP["after"], SHEEP["before"], SHEEP["arm"], by_arm=True,
                           inference=one).contrast for one in ("z", "kenward-roger"))
    assert_allclose(found[:2], [ORACLE["ancova"][x] for x in ("b", "se")], rtol=1e-6)
    assert f"{found.estimate:.4f} ({found.se:.4f})" == "7.4897 (2.0074)"
    assert 8 < small.df < 15 and small.se > found.se


def test_a_variance_at_zero_in_one_arm_is_held_there():
    """As lme4's of that arm alone: its df are what its residual variance leaves."""
    y, low = DRAWN["y"].copy(), DRAWN["arm"] == 0
    people = np.unique(DRAWN["id"][low], return_inverse=True)[1]
    mean = np.bincount(people, y[low]) / np.bincount(people)
    y[low] -= 1.3 * (mean - mean.mean())[people]  # people of the control arm differ too little
    parts = []
    for arm in (0, 1):
        rows = DRAWN["arm"] == arm
        later = (DRAWN["visit"][rows, None] == [2, 3]).astype(float)
        parts.append(fit(y[rows], np.c_[np.ones(rows.sum()), later], DRAWN["id"][rows],
                         DRAWN["visit"][rows], R))
    assert [part.boundary for part in parts] == [True, False]
    for covariates in ((), ("x",)):
        X = design(DRAWN["visit"], DRAWN["arm"], [DRAWN[c] for c in covariates])
        found = fit(y, X, DRAWN["id"], DRAWN["visit"], R, arms=DRAWN["arm"])
        assert found.boundary and found.by_arm and found.variances[0][0] == 0
        lower = fit(y, X, DRAWN["id"], DRAWN["visit"], CS, arms=DRAWN["arm"])
        assert lower.criterion < found.criterion and lower.variances[0][0] < 0
        for inference in INFERENCES if not covariates else ():
            ours = contrast(found, [0, 0, 0, 0, 0, 1], inference)
            one, other = (contrast(part, [0, 0, 1], inference) for part in parts)
            assert_allclose([ours.estimate, ours.se], [other.estimate - one.estimate,
                                                       np.hypot(one.se, other.se)], rtol=1e-6)
            u, v = (contrast(part, [0, 0, 1]).se ** 2 for part in parts)
            assert inference == "z" or ours.df == pytest.approx(
                (u + v) ** 2 / (u * u / one.df + v * v / other.df), rel=1e-6)


def test_where_an_arm_is_too_small_the_result_says_so():
    few = (DRAWN["arm"] == 1) | (DRAWN["id"] <= 3)
    d = {name: values[few] for name, values in DRAWN.items()}
    sample = d["y"], design(d["visit"], d["arm"]), d["id"], d["visit"]
    found = fit(*sample, UN, arms=d["arm"])
    assert (found.structure, found.by_arm) == (CS, True)
    assert found.fallback.startswith("the control arm alone: ")
    one = (d["arm"] == 1) | (d["id"] == 1)
    found = fit(*(x[one] for x in sample), R, arms=d["arm"][one])
    assert not found.by_arm and "the control arm alone" in found.fallback and found.converged


def test_residuals_are_each_arms_own():
    found = drawn(structure=UN)
    X = design(DRAWN["visit"], DRAWN["arm"])
    rest = residuals(found, DRAWN["y"], X, DRAWN["id"], DRAWN["visit"], DRAWN["arm"]).standardised
    assert [rest[DRAWN["arm"] == a].std() for a in (0, 1)] == pytest.approx([1, 1], abs=0.1)
    assert found.sigma.shape == (2, 3, 3)
