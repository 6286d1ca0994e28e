"""How plausible the cohort's people are, measured from the ordinary trial."""

import math
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy.special import chdtri
from scipy.stats import skew

from mair.results import Rows
from mair.sections import model as models
from mair.stats import mixed
from mair.stats.normality import lilliefors
from mair.studies.cohort.scores import heaped
from mair.trial import Trial

TAIL = 0.001


def complete(trial: Trial, name: str) -> list[pd.DataFrame]:
    """Scores of those seen at every visit, by arm; of the model's scale."""
    people = trial.scores(name).dropna()
    if trial.variable(name).transform == "log":
        people = np.log(people)
    return [people[trial.arm[people.index] == arm] for arm in trial.arms]


def distance(people: pd.DataFrame) -> float:
    """Largest squared Mahalanobis distance over the chi-square 0.999 point."""
    x = people.to_numpy(float) - people.to_numpy(float).mean(axis=0)
    solved = np.linalg.solve(np.cov(x.T), x.T)
    return float((x.T * solved).sum(axis=0).max() / chdtri(x.shape[1], TAIL))


def rows(trial: Trial, spec: dict) -> pd.DataFrame:
    """Every measure of plausibility as rows of ``results.csv``, analysis ``reconstruction``.

    Correlations between visits are those within an arm; ``heaped`` counts people beyond 10 % of
    an arm at its extremes, ends of the scale excepted; p is Lilliefors' of the measured scores.

    Parameters
    ----------
    trial : Trial
    spec : dict
        As ``cohort.yaml``: implied correlation ``r`` and ``band`` of each outcome.
    """
    out = Rows("reconstruction")
    known = spec["outcomes"] | spec.get("biomarkers", {})
    for name in [name for name in (*trial.outcomes, *trial.biomarkers) if name in known]:
        own, arms = known[name], complete(trial, name)
        r = pd.DataFrame({(a, b): [people.corr().loc[a, b] for people in arms]
                          for a, b in combinations(arms[0].columns, 2)}, index=trial.arms)
        for arm, pair in product(trial.arms, r):
            out.add(name, arm, ", ".join(pair), "pearson", r=r.loc[arm, pair])
        apart = np.arctanh(r).diff().iloc[-1].abs()[1 if own.get("pre_post") else 0:]
        low, high = own.get("band", (math.nan, math.nan))
        ends = trial.variable(name).range or (math.nan, math.nan)
        scores = trial.scores(name)
        p = [lilliefors(scores[visit].dropna().to_numpy(float)).p for visit in scores]
        out.add(name, "overall", "", "implied", r=own["r"], band_low=low, band_high=high)
        out.add(name, "overall", "", "generated", r_min=r.min(axis=None), r_max=r.max(axis=None),
                arms_apart=apart.max(), heaped=max(heaped(people[visit].tolist(), *ends)
                                                   for people in arms for visit in people),
                distance=max(map(distance, arms)), p_normal_min=min(p), p_normal_max=max(p),
                **(_slope(trial, name, own) if "worse" in own else _changes(arms)))
    return out.frame()


def _slope(trial: Trial, name: str, own: dict) -> dict:
    """z of the covariate's slope, positive towards worse health."""
    design = models.build(trial, name)
    fitted = mixed.random_intercept(design.rows["y"].to_numpy(float), design.X, design.groups)
    column = next(iter(design.covariates.values()))
    return {"slope_z": own["worse"] * float(fitted.beta[column] / fitted.se[column])}


def _changes(arms: list[pd.DataFrame]) -> dict:
    """Of biomarkers: the largest change in SDs of change, the largest skewness of ln values."""
    change = [people.iloc[:, 1] - people.iloc[:, 0] for people in arms]
    return {"change_sd": max(float(((c - c.mean()).abs() / c.std()).max()) for c in change),
            "skewness": max(float(np.abs(skew(people)).max()) for people in (
                *arms, pd.concat(arms)))}
