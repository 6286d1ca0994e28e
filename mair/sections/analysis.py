"""One analysis of one variable: the declared model fitted, and everything that is read from it.

An `Estimate` is the same whatever was fitted: a random intercept with z, an unstructured
matrix with Kenward-Roger, ANCOVA. Sections turn it into rows and need not know which.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from mair.sections import model as models
from mair.stats import covariance as structures
from mair.stats import gee, smallsample, tests
from mair.stats.ancova import ancova
from mair.trial import Trial, remembered

NAN, BY_ARM = float("nan"), ",by-arm"


class Contrast(NamedTuple):
    """An estimate on the model's scale; z, or t on df, whichever the inference uses."""

    b: float
    se: float
    df: float
    z: float
    t: float
    p: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """What one analysis gives.

    Attributes
    ----------
    method : str
        As in ``results.csv``; names what was fitted, after any fallback.
    sizes : dict of visit to (int, int)
        Participants and rows behind a visit's contrast.
    contrasts : dict of visit to Contrast
        Group x Time of later visits; those not estimable are absent.
    whole : dict
        Group x Time as a whole: ``chi2 df1 p`` or ``f df1 df2 p``; empty where there is none.
    overall : dict
        ``n n_rows var_participant var_residual reml_criterion converged boundary fallback``.
    covariates : dict of label to Contrast
    means : dict of (arm or "difference", visit) to Contrast
        Estimated marginal means.
    residuals : DataFrame
        ``arm``, ``fitted``, ``residual``; conditional for a random intercept, else standardised.
    state : str
        What a reader must know of the fit, in words; empty where all is well.
    beside : Estimate or None
        Compound symmetry, where the random intercept's variance is zero; the mixed model,
        where this is ANCOVA; the observed rows' analysis, where this is of imputed data.
    extra : dict of visit to dict
        Further statistics of a visit's contrast.
    """

    method: str
    sizes: dict[str, tuple[int, int]]
    contrasts: dict[str, Contrast]
    whole: dict[str, float]
    overall: dict[str, float]
    covariates: dict[str, Contrast]
    means: dict[tuple[str, str], Contrast]
    residuals: pd.DataFrame = field(repr=False)
    state: str = ""
    beside: Estimate | None = None
    extra: dict[str, dict[str, float]] = field(default_factory=dict)


def analyse(trial: Trial, name: str, *, covariance=None, variance=None, inference=None,
            estimator=None, missing=None, reml=True) -> Estimate:
    """Analyse one variable.

    Parameters
    ----------
    trial : Trial
    name : str
    covariance, variance, inference, estimator, missing : str, optional
        Default: the trial's ``analysis``.
    reml : bool
        False for maximum likelihood, which adds ``/ml`` to the method.

    Returns
    -------
    Estimate
    """
    chosen = trial.analysis
    return _analyse(trial, name, covariance or chosen.covariance,
                    (variance or chosen.variance) == "by-arm", inference or chosen.inference,
                    estimator or chosen.estimator, missing or chosen.missing, reml)


@remembered
def _analyse(trial, name, covariance, by_arm, inference, estimator, missing, reml) -> Estimate:
    if len(trial.variable(name).visits) == 1:
        return _once(trial, name)
    if family := trial.variable(name).family:
        return _gee(trial, name, family)
    clda = estimator == "clda"
    found = _mixed(trial, name, covariance, by_arm, inference, clda, reml)
    if found.overall["boundary"]:
        beside = _mixed(trial, name, "compound-symmetry", by_arm, inference, clda, reml)
        if beside.method != found.method:  # where it falls back, too
            found = replace(found, beside=beside)
    if missing != "observed":
        from mair.sections import imputed as imputation

        return imputation.analyse(trial, name, found, missing, covariance=covariance,
                                  by_arm=by_arm, inference=inference, estimator=estimator)
    if estimator == "ancova":
        return _ancova(trial, name, found, by_arm, inference)
    return found


@remembered
def fit(trial: Trial, name: str, covariance: str, clda: bool = False, reml: bool = True,
        by_arm: bool = False):
    """The mixed model of ``name``, whatever is then inferred: `mair.stats.covariance.Fit`."""
    design = models.build(trial, name, clda)
    return structures.fit(design.y, design.X, design.groups, design.visits, covariance, reml=reml,
                          arms=design.treated if by_arm else None,
                          labels=np.array(_labels(trial, name))[np.unique(design.visits)])


def _mixed(trial, name, covariance, by_arm, inference, clda, reml) -> Estimate:
    """Everything read from one fitted mixed model."""
    design, before, after = models.build(trial, name, clda), "clda:" * clda, "/ml" * (not reml)
    size = (len(np.unique(design.groups)), len(design.rows))
    try:
        result = fit(trial, name, covariance, clda, reml, by_arm)
        reason = "" if result.converged else result.fallback
    except ValueError as error:
        reason = str(error)
    if reason:
        return nothing(f"{before}{covariance}{BY_ARM * by_arm}/{inference}{after}", reason, size)

    def infer(weights):
        return _contrast(smallsample.contrast(result, weights, inference,
                                              confidence=trial.analysis.confidence), inference)

    contrasts = {visit: infer(row) for visit, row in design.contrasts.items()}
    boundary = bool(result.boundary)
    asked, given = (f"{structure.replace('-', ' ')}{' by arm' * own}" for structure, own in (
        (result.requested, by_arm), (result.structure, result.by_arm)))
    states = {
        f"{asked} could not be fitted, {given} was: {result.fallback}": bool(result.fallback),
        "the variance between participants is estimated as zero, so that no degrees of freedom "
        "are trustworthy": boundary,
        **{f"{label} is not estimable: an arm has no data there": visit not in contrasts
           for visit, label in zip(trial.variable(name).visits[1:],
                                   _labels(trial, name)[1:], strict=True)},
        "too little information for degrees of freedom, and hence for p":
            any(np.isnan(c.p) for c in contrasts.values()),
        "left out, as others determine them: " + ", ".join(design.redundant):
            bool(design.redundant),
    }
    return Estimate(
        method=f"{before}{result.structure}{BY_ARM * result.by_arm}/{inference}{after}",
        sizes=dict.fromkeys(design.contrasts, size),
        contrasts=contrasts,
        whole=_whole(result, inference, design.contrasts),
        overall=overall(*size, *(NAN if result.by_arm else float(variance) for variance in (
            result.var_participant, result.var_residual)), float(result.criterion), 1,
            int(boundary), int(bool(result.fallback))),
        covariates={label: infer(np.eye(len(design.names))[column])
                    for label, column in design.covariates.items()},
        means={key: infer(row) for key, row in models.marginal_means(design, trial, name).items()},
        residuals=_residuals(design, result, inference),
        state="; ".join(state for state, holds in states.items() if holds),
    )


def _labels(trial, name) -> list[str]:
    """The visits of a variable as a reader knows them."""
    return [trial.visit_labels[visit] for visit in trial.variable(name).visits]


def nothing(method: str, reason: str, size=(0, 0), **others) -> Estimate:
    """An analysis that cannot be estimated: its rows stay, empty, and ``state`` says why."""
    empty = pd.DataFrame({"arm": [], "fitted": [], "residual": []}, dtype=float)
    return Estimate(method, {}, {}, {}, overall(*size, converged=0), {}, {},
                    others.pop("residuals", empty), f"not estimable: {reason}", **others)


def overall(n, n_rows, var_participant=None, var_residual=None, reml_criterion=None, converged=1,
             boundary=0, fallback=0) -> dict[str, float]:
    """Statistics of an analysis as a whole, None where it has none."""
    return dict(locals())


def _contrast(found, inference) -> Contrast:
    """An estimate of `smallsample` or `ancova`, its statistic where the inference has it."""
    b, se, df, t, p, low, high = map(float, found[:7])
    return Contrast(b, se, *((NAN, t, NAN) if inference == "z" else (df, NAN, t)), p, low, high)


def _whole(result, inference, contrasts) -> dict[str, float]:
    """Group x Time over all later visits."""
    if not contrasts:
        return {}
    found = smallsample.joint(result, np.array(list(contrasts.values())), inference)
    if inference == "z":
        return {"chi2": found.df1 * found.f, "df1": found.df1, "p": found.p}
    return {"f": found.f, "df1": found.df1, "df2": found.df2, "p": found.p}


def _residuals(design, result, inference) -> pd.DataFrame:
    found = structures.residuals(result, design.y, design.X, design.groups, design.visits,
                                 design.treated)
    fitted, residual = found.fitted, found.standardised
    if result.structure == "random-intercept" and inference == "z" and not result.by_arm:
        fitted, residual = found.fitted + found.modes, found.marginal - found.modes
    return pd.DataFrame({"arm": [*design.rows["arm"]], "fitted": fitted, "residual": residual})


def _gee(trial: Trial, name: str, family: str) -> Estimate:
    """Yes and no, or counts: Group x Time on the link's scale, by estimating equations."""
    design, method = models.build(trial, name), f"gee-{family}/bias-reduced"
    size = len(np.unique(design.groups)), len(design.rows)
    try:
        found = gee.fit(design.y, design.X, design.groups, family)
    except ValueError as error:
        return nothing(method, str(error), size)
    z = special.ndtri((1 + trial.analysis.confidence) / 2)

    def infer(weights) -> Contrast:
        b, se = weights @ found.beta, np.sqrt(weights @ found.reduced @ weights)
        return Contrast(*map(float, (b, se, NAN, b / se, NAN, 2 * special.ndtr(-abs(b / se)),
                                     b - z * se, b + z * se)))

    ratio, spread = {"binomial": ("or", found.fitted * (1 - found.fitted)),
                     "poisson": ("irr", found.fitted)}[family]
    contrasts = {visit: infer(row) for visit, row in design.contrasts.items()}
    W = np.array(list(design.contrasts.values()))
    chi2 = (b := W @ found.beta) @ np.linalg.solve(W @ found.reduced @ W.T, b) if len(W) else NAN
    frame = pd.DataFrame({"arm": [*design.rows["arm"]], "fitted": found.fitted,
                          "residual": (design.y - found.fitted) / np.sqrt(spread)})
    return Estimate(
        method, dict.fromkeys(contrasts, size), contrasts,
        {"chi2": chi2, "df1": len(W), "p": special.chdtrc(len(W), chi2)} if len(W) else {},
        overall(*size), {label: infer(np.eye(len(design.names))[column])
                         for label, column in design.covariates.items()},
        {key: infer(row) for key, row in models.marginal_means(design, trial, name).items()}, frame,
        f"by estimating equations, one correlation of all visits ({found.correlation:.2f}); B is "
        f"on the log scale, exp(B) a ratio of {'odds' if family == 'binomial' else 'rates'}",
        extra={visit: dict(zip((ratio, f"{ratio}_low", f"{ratio}_high"),
                               np.exp([one.b, one.low, one.high]), strict=True))
               for visit, one in contrasts.items()})


def scores_once(trial: Trial, name: str) -> tuple[str, pd.Series]:
    """The only visit of a variable, and its observed scores on the model's scale."""
    (visit,) = trial.variable(name).visits
    values = trial.scores(name)[visit].dropna()
    return visit, np.log(values) if trial.variable(name).transform == "log" else values


def _once(trial: Trial, name: str) -> Estimate:
    """A variable seen once: Welch's t test, or with covariates least squares; the rest beside."""
    visit, y = scores_once(trial, name)
    wide, confidence, beside = models.wide(trial, name).dropna(), trial.analysis.confidence, None
    treated = trial.arm[y.index] == trial.treatment
    for test in (tests.student, tests.welch):
        method, *found, reason = test(y[treated], y[~treated], confidence=confidence)
        beside = _of_one(trial, method, visit, y, y.groupby(trial.arm[y.index]).transform("mean"),
                         (*found[:3], NAN, *found[3:]), reason, beside)
    beside = replace(beside, means={(arm, visit): _mean(y[trial.arm[y.index] == arm], confidence)
                                    for arm in trial.arms})
    if not trial.covariates:
        return beside
    x = wide.drop(columns=[visit, "arm"]).to_numpy(float)
    try:
        found, reason = ancova(wide[visit], None, wide["arm"], x, confidence=confidence), ""
    except ValueError as error:
        found, reason = None, str(error)
    X = np.column_stack([np.ones(len(x)), wide["arm"], x])
    fitted = X @ np.linalg.lstsq(X, wide[visit].to_numpy(float), rcond=None)[0]
    return _of_one(trial, "linear/t", visit, wide[visit], fitted,
                   found and _contrast(found, "t"), reason, beside)


def _mean(y: pd.Series, confidence: float) -> Contrast:
    """The mean of an arm by itself, with the limits of Student's t."""
    n, mean, sd = tests.describe(y)
    se = sd / np.sqrt(n) if n else NAN
    half = special.stdtrit(n - 1, (1 + confidence) / 2) * se if n > 1 else NAN
    return Contrast(mean, se, n - 1, NAN, NAN, NAN, mean - half, mean + half)


def _of_one(trial, method, visit, y, fitted, contrast, reason, beside) -> Estimate:
    """The analysis of a variable seen once by one method."""
    frame = pd.DataFrame({"arm": trial.arm[y.index], "fitted": fitted, "residual": y - fitted})
    if reason:
        return nothing(method, reason, (len(y), len(y)), residuals=frame, beside=beside)
    return Estimate(method, {visit: (len(y), len(y))}, {visit: Contrast(*contrast)}, {},
                    {key: value for key, value in overall(len(y), len(y)).items()
                     if value is not None}, {}, {}, frame, "", beside)


def _ancova(trial: Trial, name: str, model: Estimate, by_arm: bool, inference: str) -> Estimate:
    """ANCOVA per later visit: the score on arm, baseline and covariates, by least squares.

    By arm each has a residual variance of its own. The mixed model stands beside it: ANCOVA has
    no marginal means at the reference visit.
    """
    wide, method = models.wide(trial, name), f"ancova{BY_ARM * by_arm}/{inference}"
    names = [column for column in wide if column.startswith("covariate ")]
    contrasts, sizes, states = {}, {}, {}
    for visit, label in zip(trial.variable(name).visits[1:], _labels(trial, name)[1:], strict=True):
        seen = wide[[trial.reference, visit, "arm", *names]].dropna()
        try:
            found = ancova(seen[visit], seen[trial.reference], seen["arm"],
                           seen[names].to_numpy(float) if names else None,
                           inference=inference, by_arm=by_arm,
                           confidence=trial.analysis.confidence)
        except ValueError as error:
            states[f"{label} is not estimable: {error}"] = None
            continue
        contrasts[visit], sizes[visit] = _contrast(found, inference), (found.n, found.n)
        for column in (["arm", "baseline", *names][i - 1] for i in found.dropped):
            states[f"{label}: {column.removeprefix('covariate ')} is left out, as others "
                   "determine it"] = None
    if not contrasts:
        return nothing(method, "; ".join(states), residuals=model.residuals, beside=model)
    n = [n for n, _ in sizes.values()]
    return Estimate(method, sizes, contrasts, {}, overall(max(n), sum(n)), {}, {},
                    model.residuals, "; ".join(states), model)
