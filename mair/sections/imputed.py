"""Multiple imputation of a trial's repeated measure, and the analyses of what was imputed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mair.sections import model as models
from mair.sections.analysis import NAN, Contrast, Estimate
from mair.stats import impute, pooling
from mair.stats.effects import Interval
from mair.trial import Trial

RULES = {"mi-mar": "mar", "mi-j2r": "j2r", "mi-cr": "cr"}


def imputations(trial: Trial) -> int:
    """How many data sets are imputed: one for every fifty draws, at least 20."""
    return max(20, trial.analysis.draws // 50)


def generator(trial: Trial, name: str) -> np.random.Generator:
    """A generator of a variable's own, by its place in the trial file and not by its name."""
    place = [*trial.outcomes, *trial.biomarkers].index(name)
    return np.random.default_rng([trial.analysis.seed, place])


def arrays(trial: Trial, name: str, *, measured: bool = False):
    """Scores, arms and covariates of those with every covariate.

    Returns
    -------
    y : ndarray, shape (n, T)
        Model's scale, or the measured one; nan where missing.
    arm : ndarray of int, shape (n,)
    covariates : ndarray, shape (n, k), or None
        Columns that vary.
    people : Index
    """
    wide = models.wide(trial, name)
    visits = list(trial.variable(name).visits)
    names = [c for c in wide if c.startswith("covariate ") and wide[c].nunique() > 1]
    y = trial.scores(name).loc[wide.index, visits] if measured else wide[visits]
    covariates = wide[names].to_numpy(float) if names else None
    return y.to_numpy(float), wide["arm"].to_numpy(int), covariates, wide.index


def impute_variable(trial: Trial, name: str, rule: str, *, measured: bool = False) -> tuple:
    """Impute a variable under a rule of ``analysis.missing``.

    Returns
    -------
    imputed : mair.stats.impute.Imputed
    arm, covariates, people
        As `arrays` gives them.

    Raises
    ------
    mair.stats.impute.NotEstimable
        Too few people, even with both arms together.
    """
    y, arm, covariates, people = arrays(trial, name, measured=measured)
    found = impute.impute(y, arm, covariates, rule=RULES[rule], m=imputations(trial),
                          rng=generator(trial, name))
    return found, arm, covariates, people


def analysis(arm, covariates, visit: int, covariance: str, inference: str, visits: int):
    """The complete-data analysis: Group x Time of a visit, with its degrees of freedom.

    On complete data Kenward and Roger's df is (n - 2)(T - 1) for one variance and one
    correlation and n - 2 for an unstructured matrix; under z it is infinite.
    """
    del visits
    return pooling.group_by_time(arm, covariates, visit, covariance=covariance,
                                 df_complete=np.inf if inference == "z" else None)


def contrast(pooled, confidence: float) -> Contrast:
    """A pooled estimate as a contrast: t on Barnard and Rubin's df."""
    low, high = pooled.interval(confidence)
    return Contrast(float(pooled.estimate), float(pooled.se), float(pooled.df), NAN,
                    float(pooled.t), float(pooled.p), float(low), float(high))


def analyse(trial: Trial, name: str, observed: Estimate, rule: str, *, covariance: str,
            inference: str) -> Estimate:
    """The declared contrasts after multiple imputation, pooled by Rubin's rules.

    Parameters
    ----------
    trial : Trial
    name : str
    observed : Estimate
        The same analysis of the observed rows; it stands beside.
    rule : {"mi-mar", "mi-j2r", "mi-cr"}
    covariance, inference : str

    Returns
    -------
    Estimate
        With the fraction of missing information and the Monte-Carlo error in ``extra``.
    """
    method = f"{covariance}/{inference}/{rule}"
    overall = dict.fromkeys(observed.overall) | {"converged": 1, "boundary": 0, "fallback": 0}
    try:
        imputed, arm, covariates, people = impute_variable(trial, name, rule)
    except impute.NotEstimable as error:
        return Estimate(method, {}, {}, {}, overall | {"n": 0, "n_rows": 0, "converged": 0}, {}, {},
                        observed.residuals, f"not imputed: {error}", observed)
    visits = list(trial.variable(name).visits)
    contrasts, extra = {}, {}
    for k, visit in enumerate(visits[1:], start=1):
        run = analysis(arm, covariates, k, covariance, inference, len(visits))
        pooled = pooling.rubin(*run(imputed.values))
        contrasts[visit] = contrast(pooled, trial.analysis.confidence)
        extra[visit] = {"fmi": float(pooled.fmi), "mc_error": float(pooled.mc_error),
                        "imputations": pooled.m}
    size = (len(people), len(people) * len(visits))
    states = [f"the arms share the imputation model of {visits[t]}" for t in imputed.pooled]
    return Estimate(method, dict.fromkeys(contrasts, size), contrasts, {},
                    overall | {"n": size[0], "n_rows": size[1]}, {}, {}, observed.residuals,
                    "; ".join(states), observed, extra)


def responders(trial: Trial, threshold: float) -> pooling.Responders | None:
    """Responders at a threshold over imputations under MAR; None where nothing is imputable.

    People without any score at baseline above zero are left out, as they are of the observed
    proportions.
    """
    from mair.stats import risk

    declared = trial.sections["responders"]
    variable = trial.variable(declared["outcome"])
    try:
        imputed, arm, _, _ = impute_variable(trial, variable.name, "mi-mar", measured=True)
    except impute.NotEstimable:
        return None
    at = list(variable.visits).index(str(declared["visit"]))
    start, score = imputed.values[:, :, 0], imputed.values[:, :, at]
    known = (start != 0).all(0)
    met = risk.meets(risk.improvement(start[:, known], score[:, known], better=variable.better),
                     threshold)
    if not known[arm == 1].any() or not known[arm == 0].any():
        return None
    return pooling.responders(met, arm[known])


def delta_grid(trial: Trial, name: str, visit: str, steps) -> Interval | None:
    """Pooled contrasts with either arm's imputed values shifted towards the bad end.

    Parameters
    ----------
    trial : Trial
    name, visit : str
    steps : sequence of float
        Shifts of either arm, outcome's units.

    Returns
    -------
    Interval or None
        None where nothing can be imputed.
    """
    variable = trial.variable(name)
    try:
        imputed, arm, covariates, _ = impute_variable(trial, name, "mi-mar")
    except impute.NotEstimable:
        return None
    at = list(variable.visits).index(visit)
    run = analysis(arm, covariates, at, "random-intercept", "kenward-roger", len(variable.visits))
    return pooling.delta_grid(imputed, arm, at, run, steps, steps, better=variable.better,
                              confidence=trial.analysis.confidence)


def tipping_table(trial: Trial, name: str, visit: str, deltas) -> tuple[pd.DataFrame, object]:
    """Pooled contrasts when the treatment arm's imputed values are made worse, and the tip.

    Parameters
    ----------
    trial : Trial
    name, visit : str
    deltas : sequence of float
        In the outcome's units, in the unfavourable direction; the same imputations serve all.

    Returns
    -------
    DataFrame
        ``delta``, then the fields of a contrast.
    Tipping or None
        The smallest delta at which the interval first holds 0 (`pooling.tipping_point`); None
        where nothing can be imputed.
    """
    variable = trial.variable(name)
    try:
        imputed, arm, covariates, _ = impute_variable(trial, name, "mi-mar")
    except impute.NotEstimable:
        return pd.DataFrame(), None
    at = list(variable.visits).index(visit)
    run = analysis(arm, covariates, at, "random-intercept", "kenward-roger", len(variable.visits))
    sign = 1.0 if variable.better == "lower" else -1.0
    rows = [{"delta": delta, **contrast(
        pooling.rubin(*run(pooling.shifted(imputed, arm, at, sign * delta))),
        trial.analysis.confidence)._asdict()} for delta in deltas]
    tip = pooling.tipping_point(
        imputed, arm, at, run, scale=variable.range, better=variable.better,
        confidence=trial.analysis.confidence,
        limit=None if variable.range else 4 * float(np.nanstd(imputed.values)))
    return pd.DataFrame(rows), tip
