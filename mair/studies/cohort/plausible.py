"""How plausible the cohort's people are, measured from the ordinary trial, and what cannot be."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy.special import chdtri, ndtr

from mair.published.numbers import Lookup
from mair.results import Rows
from mair.sections import measures
from mair.sections import model as models
from mair.stats import mixed, normality
from mair.studies.cohort import targets
from mair.studies.cohort.integers import counts
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
    """Most people beyond 10 % of a cell at its extremes; ends of the scale are excepted."""
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
    for name in [*trial.outcomes, *trial.biomarkers]:
        own = (spec["outcomes"] | spec.get("biomarkers", {})).get(name)
        if own is None:
            continue
        r = correlations(trial, name)
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
                p_normal_min=_normal(trial, name)[0], p_normal_max=_normal(trial, name)[1],
                **_slope(trial, name, own), **_changes(trial, name))
    return out.frame()


def _normal(trial: Trial, name: str) -> tuple[float, float]:
    """Smallest and largest Lilliefors p of the measured scores, by visit, both arms together."""
    people = trial.scores(name)
    p = [normality.lilliefors(people[visit].dropna().to_numpy(float)).p for visit in people]
    return min(p), max(p)


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
    skew = [((x - x.mean()) ** 3).mean() / x.std(ddof=0) ** 3
            for p in (*people, pd.concat(people)) for _, x in p.items()]
    return {"change_sd": max(float(((c - c.mean()).abs() / c.std()).max()) for c in change),
            "skewness": max(map(abs, skew))}


def impossible_sds(look: Lookup, spec: dict) -> pd.DataFrame:
    """Printed SDs that no integers have, with the nearest ones that some have.

    With ``n`` and the sum given by the mean, the sum of squares is an integer of the sum's
    parity: the two neighbours on either side of what the SD needs are all there is.

    Returns
    -------
    DataFrame
        ``variable, arm, time, printed, total, below, above``: the neighbouring SDs.
    """
    found = []
    arms = spec["arms"]
    for name, own in spec["outcomes"].items():
        per = round(1 / own["step"])
        for arm, visit in product(arms, spec["visits"]):
            n = int(look("outcomes", spec["described"], arm, spec["visits"][0], "described",
                         statistic="n").value)
            unseen = own.get("unseen", {})
            n -= unseen.get("n", 0) if unseen.get("arm") == arm else 0
            mean, sd = targets.moments(look, "outcomes", name, arm, visit)
            cell = targets.cell(mean, sd, n, per)
            if cell.nearest is None:
                continue
            total = cell.sums[0]
            sds = sorted(targets.spread(total, cell.nearest + k, n) / per for k in (-2, 0, 2))
            below, above = (max((s for s in sds if s < sd.value), default=math.nan),
                            min((s for s in sds if s > sd.value), default=math.nan))
            found.append((name, arm, visit, sd.printed, total, below, above))
    return pd.DataFrame(found, columns=["variable", "arm", "time", "printed", "total", "below",
                                        "above"])


def normality_bound(look: Lookup, spec: dict, name: str) -> pd.DataFrame:
    """The largest Lilliefors p that any integers with the printed moments of two cells have.

    Every way to place the completers on the scale is enumerated, with every score of the one
    person seen once more; the mean and SD of all are then fixed, and so is the normal curve.

    Returns
    -------
    DataFrame
        ``time, ways, p``: later visits; ways enumerated, largest p.
    """
    own, found = spec["outcomes"][name], []
    low, high = (int(look("outcomes", name, "overall", "", "declared", statistic=s,
                          source=spec["source"]).value) for s in ("range_low", "range_high"))
    values = np.arange(low, high + 1)
    for visit in spec["visits"][1:]:
        ways, n = [], []
        for arm in spec["arms"]:
            n.append(int(look("outcomes", spec["described"], arm, spec["visits"][0], "described",
                              statistic="n").value))
            cell = targets.cell(*targets.moments(look, "outcomes", name, arm, visit), n[-1],
                                round(1 / own["step"]))
            ways.append(np.array([c for q in cell.choices(cell.sums[0])
                                  for c in counts(n[-1], cell.sums[0], q, low, high)]))
        best, total = 0.0, 0
        extra = [None] if visit != spec["visits"][1] else values
        for late in extra:
            pooled = (ways[0][:, None, :] + ways[1][None, :, :]).reshape(-1, len(values))
            if late is not None:
                pooled = pooled + (values == late)
            best = max(best, _largest_p(pooled, values))
            total += len(pooled)
        found.append((visit, total, best))
    return pd.DataFrame(found, columns=["time", "ways", "p"])


def _largest_p(pooled, values) -> float:
    """Largest Lilliefors p over rows of counts by value; mean and SD are the same in each."""
    n = int(pooled[0].sum())
    mean = (pooled[0] * values).sum() / n
    sd = math.sqrt((pooled[0] * (values - mean) ** 2).sum() / (n - 1))
    curve = ndtr((values - mean) / sd)
    upto = pooled.cumsum(axis=1) / n
    before = upto - pooled / n
    d = np.where(pooled > 0, np.maximum(upto - curve, curve - before), 0).max(axis=1)
    return normality.lilliefors_p(float(d.min()), n)


def heap_bound(look: Lookup, spec: dict, name: str) -> pd.DataFrame:
    """Cells of a coarse scale that any whole scores with the printed moments heap.

    Returns
    -------
    DataFrame
        ``arm, time, ways, fewest``: fewest people beyond 10 % at the cell's extremes, not 0.
    """
    found = []
    low, high = (int(look("outcomes", name, "overall", "", "declared", statistic=s,
                          source=spec["source"]).value) for s in ("range_low", "range_high"))
    for arm, visit in product(spec["arms"], spec["visits"]):
        n = int(look("outcomes", spec["described"], arm, spec["visits"][0], "described",
                     statistic="n").value)
        cell = targets.cell(*targets.moments(look, "outcomes", name, arm, visit), n)
        ways = [[v for v, k in enumerate(way, low) for _ in range(k)]
                for q in cell.choices(cell.sums[0])
                for way in counts(n, cell.sums[0], q, low, high)]
        fewest = min(heap(x, low, high) for x in ways)
        if fewest:
            found.append((arm, visit, len(ways), fewest))
    return pd.DataFrame(found, columns=["arm", "time", "ways", "fewest"])


def d_bounds(look: Lookup, trial: Trial, spec: dict) -> pd.DataFrame:
    """Printed d values that nothing with the printed means and SDs gives.

    Morris's d_ppc2 with its factor is monotone in each mean and SD, so the corners bound it:
    of the rounding intervals, for whole-number scores of the means and SDs that these have.

    Returns
    -------
    DataFrame
        ``variable, time, printed, low, high``: those printed outside their bounds.
    """
    found = []
    for section in measures.SECTIONS:
        for name in measures.variables(trial, section):
            for visit in measures.later(trial, name):
                key = (section, name, "difference", visit, "d_ppc2", "d")
                if key not in look:
                    continue
                low, high = _d_interval(look, section, name, trial, visit, spec)
                printed = look(*key[:-1], statistic="d")
                if high < printed.value - printed.half or low > printed.value + printed.half:
                    found.append((name, visit, printed.printed, low, high))
    return pd.DataFrame(found, columns=["variable", "time", "printed", "low", "high"])


def _d_interval(look, section, name, trial, visit, spec) -> tuple[float, float]:
    """Least and largest d with n as the data have it."""
    change, variances, n = [0.0, 0.0], [0.0, 0.0], []
    own = spec["outcomes"].get(name) or {"step": 0.01}
    for sign, arm in zip((-1, 1), trial.arms, strict=True):
        n.append(int(trial.described(name)[trial.arm == arm].sum()))
        after, before = (targets.cell(*targets.moments(look, section, name, arm, v), n[-1],
                                      round(1 / own["step"])) for v in (visit, trial.reference))
        ends = [(x.sums[0] * own["step"] / x.n, x.sums[-1] * own["step"] / x.n)
                for x in (after, before)]
        least, most = ends[0][0] - ends[1][1], ends[0][1] - ends[1][0]
        change = [change[0] + min(sign * least, sign * most),
                  change[1] + max(sign * least, sign * most)]
        sds = [targets.spread(s, q, before.n) * own["step"]
               for s in before.sums for q in before.choices(s)]
        variances = [v + (n[-1] - 1) * sd**2
                     for v, sd in zip(variances, (min(sds), max(sds)), strict=True)]
    df = sum(n) - 2
    factor = 1 - 3 / (4 * df - 1)
    corners = [factor * c / math.sqrt(v / df) for c in change for v in variances]
    return min(corners), max(corners)
