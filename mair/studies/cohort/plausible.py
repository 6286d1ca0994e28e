"""How plausible the cohort's people are, measured from the ordinary trial."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import chdtri
from scipy.stats import skew

from mair.results import Rows
from mair.sections import model as models
from mair.stats import mixed, normality
from mair.studies.cohort.scores import heaped as heap
from mair.trial import Trial

TAIL = 0.001


def correlations(trial: Trial, name: str) -> pd.DataFrame:
    """Within-arm correlations between visits among those seen at every visit.

    Returns
    -------
    DataFrame
        ``arm, pair, r``; of ln values where the model takes them.
    """
    found = []
    for arm, people in _complete(trial, name).items():
        r = people.corr()
        found += [(arm, f"{a}, {b}", r.loc[a, b]) for a, b in combinations(people.columns, 2)]
    return pd.DataFrame(found, columns=["arm", "pair", "r"])


def _complete(trial: Trial, name: str) -> dict[str, pd.DataFrame]:
    people = trial.scores(name).dropna()
    if trial.variable(name).transform == "log":
        people = np.log(people)
    return {arm: people[trial.arm[people.index] == arm] for arm in trial.arms}


def distance(people: pd.DataFrame) -> float:
    """Largest squared Mahalanobis distance over the chi-square 0.999 point."""
    x = people.to_numpy(float) - people.to_numpy(float).mean(axis=0)
    solved = np.linalg.solve(np.cov(x.T), x.T)
    return float((x.T * solved).sum(axis=0).max() / chdtri(x.shape[1], TAIL))


def heaped(trial: Trial, name: str) -> int:
    """Most people beyond 10 % of an arm at its extremes; ends of the scale are excepted."""
    ends = trial.variable(name).range or (math.nan, math.nan)
    return max(heap(people[visit].tolist(), *ends)
               for people in _complete(trial, name).values() for visit in people)


def rows(trial: Trial, spec: dict) -> pd.DataFrame:
    """Every measure of plausibility as rows of ``results.csv``, analysis ``reconstruction``.

    Parameters
    ----------
    trial : Trial
    spec : dict
        As ``cohort.yaml``: implied correlation ``r`` and ``band`` of each outcome.
    """
    out = Rows("reconstruction")
    known = spec["outcomes"] | spec.get("biomarkers", {})
    for name in [name for name in (*trial.outcomes, *trial.biomarkers) if name in known]:
        own, r = known[name], correlations(trial, name)
        for row in r.itertuples():
            out.add(name, row.arm, row.pair, "pearson", r=row.r)
        z = r.assign(z=np.arctanh(r["r"])).pivot(index="pair", columns="arm", values="z")
        band = own.get("band", (math.nan, math.nan))
        gaps = z.diff(axis=1).iloc[:, -1].abs()
        if own.get("pre_post"):
            gaps = gaps.drop(r["pair"].iloc[0])
        out.add(name, "overall", "", "implied", r=own["r"], band_low=band[0], band_high=band[1])
        out.add(name, "overall", "", "generated", r_min=r["r"].min(), r_max=r["r"].max(),
                arms_apart=gaps.max(), heaped=heaped(trial, name),
                distance=max(distance(people) for people in _complete(trial, name).values()),
                **_normal(trial, name), **_slope(trial, name, own), **_changes(trial, name))
    return out.frame()


def _normal(trial: Trial, name: str) -> dict:
    """Smallest and largest Lilliefors p of the measured scores, by visit, both arms together."""
    people = trial.scores(name)
    p = [normality.lilliefors(people[visit].dropna().to_numpy(float)).p for visit in people]
    return {"p_normal_min": min(p), "p_normal_max": max(p)}


def _slope(trial: Trial, name: str, own: dict) -> dict:
    """z of the covariate's slope, positive towards worse health."""
    if "worse" not in own:
        return {}
    design = models.build(trial, name)
    fitted = mixed.random_intercept(design.rows["y"].to_numpy(float), design.X, design.groups)
    column = next(iter(design.covariates.values()))
    return {"slope_z": own["worse"] * float(fitted.beta[column] / fitted.se[column])}


def _changes(trial: Trial, name: str) -> dict:
    """Of biomarkers: the largest change in SDs of change, the largest skewness of ln values."""
    if name not in trial.biomarkers:
        return {}
    people = list(_complete(trial, name).values())
    change = [p.iloc[:, 1] - p.iloc[:, 0] for p in people]
    return {"change_sd": max(float(((c - c.mean()).abs() / c.std()).max()) for c in change),
            "skewness": max(float(np.abs(skew(p)).max()) for p in (*people, pd.concat(people)))}
