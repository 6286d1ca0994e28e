"""How plausible the cohort's people are, measured from the ordinary trial, and what cannot be."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy.special import chdtri
from scipy.stats import skew

from mair.published.numbers import Lookup
from mair.published.rounding import image, span
from mair.results import Rows
from mair.sections import measures
from mair.sections import model as models
from mair.stats import mixed, normality
from mair.stats.effects import d_ppc2_of
from mair.studies.cohort import targets
from mair.studies.cohort.scores import heaped as heap
from mair.trial import Trial

FISHER = 0.76  # the arms within this of each other on Fisher's z
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


def _allowed(look: Lookup, trial: Trial, spec: dict, section: str, name: str, arm: str, visit: str):
    """The sums that a printed mean and SD of the described allow, and the instrument's steps."""
    per = round(1 / spec["outcomes"].get(name, {"step": 0.01})["step"])
    n = int(trial.described(name)[trial.arm == arm].sum())
    return targets.allowed(look, n, per, section, name, arm, visit), per


def impossible_sds(look: Lookup, trial: Trial, spec: dict) -> pd.DataFrame:
    """Printed SDs that no integers have, with the nearest ones that some have.

    With ``n`` and the sum given by the mean, the sum of squares is an integer of the sum's
    parity: the two neighbours on either side of what the SD needs are all there is.

    Parameters
    ----------
    look : Lookup
        The published numbers.
    trial : Trial
        Whose numbers of people are taken.
    spec : dict
        As ``cohort.yaml``.

    Returns
    -------
    DataFrame
        ``variable, arm, time, printed, total, below, above``: the neighbouring SDs.
    """
    found = []
    for name, arm, visit in product(spec["outcomes"], spec["arms"], spec["visits"]):
        allowed, per = _allowed(look, trial, spec, "outcomes", name, arm, visit)
        if allowed.nearest is not None:
            sd, total = targets.moments(look, "outcomes", name, arm, visit)[1], min(allowed.squares)
            sds = [float(targets.sd_of(total, allowed.nearest + k, allowed.n)) / per
                   for k in (-2, 0, 2)]
            found.append((name, arm, visit, sd.printed, total,
                          max((s for s in sds if s < sd.value), default=math.nan),
                          min((s for s in sds if s > sd.value), default=math.nan)))
    return pd.DataFrame(found, columns=["variable", "arm", "time", "printed", "total", "below",
                                        "above"])


def d_bounds(look: Lookup, trial: Trial, spec: dict) -> pd.DataFrame:
    """Printed d values that nothing with the printed means and SDs gives.

    Morris's d_ppc2 with its factor is monotone in each mean and SD, so the corners bound it:
    of the rounding intervals, for whole-number scores of the means and SDs that these have.

    Parameters
    ----------
    look : Lookup
        The published numbers.
    trial : Trial
        Whose numbers of people are taken.
    spec : dict
        As ``cohort.yaml``.

    Returns
    -------
    DataFrame
        ``variable, time, printed, low, high``: those printed outside their bounds.
    """
    found = []
    for section in measures.SECTIONS:
        for name, visit in [(one, visit) for one in measures.variables(trial, section)
                            for visit in measures.later(trial, one)]:
            printed = targets.printed(look, section, name, "difference", visit, "d_ppc2",
                                      statistic="d")
            if printed is None:
                continue
            box, n = [], []
            for arm in reversed(trial.arms):
                before, after = (_allowed(look, trial, spec, section, name, arm, v)[0]
                                 for v in (trial.reference, visit))
                n.append(before.n)
                box += [span([total / n[-1] for total in before.squares]),
                        span([targets.sd_of(*pair, n[-1]) for pair in before.pairs()]),
                        span([total / n[-1] for total in after.squares])]
            bounds = image(lambda *six, n=n: d_ppc2_of((n[0], *six[:3]), (n[1], *six[3:])).estimate,
                           *box)
            if not bounds.meets(printed.values):
                found.append((name, visit, printed.printed, bounds.low, bounds.high))
    return pd.DataFrame(found, columns=["variable", "time", "printed", "low", "high"])
