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

from mair.sections import arms
from mair.sections import model as models
from mair.stats import covariance as structures
from mair.stats import smallsample, tests
from mair.stats.ancova import ancova
from mair.stats.smallsample import Contrast
from mair.trial import Trial, remembered

NAN, BY_ARM = float("nan"), ",by-arm"


NONE = Contrast(*[NAN] * 7)  # not estimable


def statistics(found: Contrast) -> dict[str, float]:
    """A contrast as in ``results.csv``: z, or t on df, whichever the inference uses."""
    z = found.df == np.inf
    return {"b": found.estimate, "se": found.se, "df": None if z else found.df,
            "z": found.t if z else None, "t": None if z else found.t, "p": found.p,
            "ci_low": found.low, "ci_high": found.high}


class Choice(NamedTuple):
    """How a variable seen repeatedly is analysed, in the words of a trial file's ``analysis``.

    ``reml``: False for maximum likelihood, which adds ``/ml`` to the method.
    """

    covariance: str
    variance: str
    inference: str
    estimator: str
    missing: str
    reml: bool = True

    @property
    def by_arm(self) -> bool:
        """Whether each arm has variances of its own."""
        return self.variance == "by-arm"

    @property
    def clda(self) -> bool:
        """Whether the arms share their mean at the reference visit."""
        return self.estimator == "clda"

    def method(self, structure: str, by_arm: bool | None = None) -> str:
        """The method of ``results.csv`` by which a structure was fitted to observed rows."""
        own = self.by_arm if by_arm is None else by_arm
        return (f"{'clda:' * self.clda}{structure}{BY_ARM * own}/{self.inference}"
                f"{'/ml' * (not self.reml)}")


@dataclass(frozen=True)
class Estimate:
    """What one analysis gives.

    Attributes
    ----------
    method : str
        As in ``results.csv``; names what was fitted, after any fallback.
    contrasts : dict of visit to Contrast
        Group x Time of later visits; those not estimable are absent.
    overall : dict
        ``n n_rows var_participant var_residual reml_criterion converged boundary fallback``.
    whole : dict
        Group x Time as a whole: ``chi2 df1 p`` or ``f df1 df2 p``; empty where there is none.
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
        Further statistics of a visit's contrast; ``n n_rows`` where they are not those overall.
    """

    method: str
    contrasts: dict[str, Contrast]
    overall: dict[str, float]
    whole: dict[str, float] = field(default_factory=dict)
    covariates: dict[str, Contrast] = field(default_factory=dict)
    means: dict[tuple[str, str], Contrast] = field(default_factory=dict)
    residuals: pd.DataFrame = field(repr=False, default_factory=lambda: pd.DataFrame(
        columns=["arm", "fitted", "residual"], dtype=float))
    state: str = ""
    beside: Estimate | None = None
    extra: dict[str, dict[str, float]] = field(default_factory=dict)

    def statistics(self, visit: str) -> dict[str, float]:
        """A visit's contrast and the people and rows behind it, as in ``results.csv``."""
        return ({name: self.overall[name] for name in ("n", "n_rows")}
                | statistics(self.contrasts.get(visit, NONE)) | self.extra.get(visit, {}))


def analyse(trial: Trial, name: str, **choices) -> Estimate:
    """Analyse one variable.

    Parameters
    ----------
    trial : Trial
    name : str
    **choices
        Fields of `Choice`; default, the trial's ``analysis``.

    Returns
    -------
    Estimate
    """
    declared = {key: getattr(trial.analysis, key) for key in Choice._fields[:-1]
                if key not in choices}
    return _analyse(trial, name, Choice(**declared | choices))


@remembered
def _analyse(trial: Trial, name: str, choice: Choice) -> Estimate:
    variable = trial.variable(name)
    if len(variable.visits) == 1:
        return _once(trial, name)
    if variable.family:
        return _gee(trial, name, variable.family)
    found = _mixed(trial, name, choice)
    if found.overall["boundary"]:
        beside = _mixed(trial, name, choice._replace(covariance="compound-symmetry"))
        if beside.method != found.method:  # where it falls back, too
            found = replace(found, beside=beside)
    if choice.missing != "observed":
        from mair.sections import imputed

        return imputed.analyse(trial, name, choice, found)
    return _ancova(trial, name, choice, found) if choice.estimator == "ancova" else found


@remembered
def fit(trial: Trial, name: str, covariance: str, clda: bool = False, reml: bool = True,
        by_arm: bool = False):
    """The mixed model of ``name``, whatever is then inferred: `mair.stats.covariance.Fit`."""
    design = models.build(trial, name, clda)
    return structures.fit(design.y, design.X, design.groups, design.visits, covariance, reml=reml,
                          arms=design.treated if by_arm else None,
                          labels=np.array([*_labels(trial, name).values()])[
                              np.unique(design.visits)])


def _mixed(trial: Trial, name: str, choice: Choice) -> Estimate:
    """Everything read from one fitted mixed model."""
    design = models.build(trial, name, choice.clda)
    try:
        result = fit(trial, name, choice.covariance, choice.clda, choice.reml, choice.by_arm)
        reason = "" if result.converged else result.fallback
    except ValueError as error:
        reason = str(error)
    if reason:
        return nothing(choice.method(choice.covariance), reason, design.size)

    def infer(weights) -> Contrast:
        return Contrast(*map(float, smallsample.contrast(
            result, weights, choice.inference, confidence=trial.analysis.confidence)))

    read = _read(trial, name, design, infer)
    boundary, labels = bool(result.boundary), _labels(trial, name)
    asked, given = (f"{structure.replace('-', ' ')}{' by arm' * own}" for structure, own in (
        (result.requested, choice.by_arm), (result.structure, result.by_arm)))
    states = {
        f"{asked} could not be fitted, {given} was: {result.fallback}": bool(result.fallback),
        "the variance between participants is estimated as zero, so that no degrees of freedom "
        "are trustworthy": boundary,
        **{f"{labels[visit]} is not estimable: an arm has no data there":
           visit not in design.contrasts for visit in trial.variable(name).visits[1:]},
        "too little information for degrees of freedom, and hence for p":
            any(np.isnan(c.p) for c in read["contrasts"].values()),
        "left out, as others determine them: " + ", ".join(design.redundant):
            bool(design.redundant),
    }
    return Estimate(
        choice.method(result.structure, result.by_arm), **read,
        overall=overall(*design.size, *((NAN, NAN) if result.by_arm else
                                        map(float, result.variances)), float(result.criterion), 1,
                        int(boundary), int(bool(result.fallback))),
        whole=_whole(result, choice.inference, design.contrasts),
        residuals=_residuals(design, result, choice.inference),
        state="; ".join(state for state, holds in states.items() if holds))


def _read(trial: Trial, name: str, design: models.Design, infer) -> dict[str, dict]:
    """What is read from a design's coefficients, by ``infer`` of their weights."""
    return {"contrasts": {visit: infer(row) for visit, row in design.contrasts.items()},
            "covariates": {label: infer(np.eye(len(design.names))[column])
                           for label, column in design.covariates.items()},
            "means": {key: infer(row) for key, row in
                      models.marginal_means(design, trial, name).items()}}


def _labels(trial, name) -> dict[str, str]:
    """The visits of a variable as a reader knows them."""
    return {visit: trial.visit_labels[visit] for visit in trial.variable(name).visits}


def nothing(method: str, reason: str, size=(0, 0), **others) -> Estimate:
    """An analysis that cannot be estimated: its rows stay, empty, and ``state`` says why."""
    return Estimate(method, {}, overall(*size, converged=0), state=f"not estimable: {reason}",
                    **others)


def overall(n, n_rows, var_participant=None, var_residual=None, reml_criterion=None, converged=1,
             boundary=0, fallback=0) -> dict[str, float]:
    """Statistics of an analysis as a whole, None where it has none."""
    return dict(locals())


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
    from mair.stats import gee  # of few trials, and SciPy's and statsmodels' slowest parts

    design, method = models.build(trial, name), f"gee-{family}/bias-reduced"
    try:
        found = gee.fit(design.y, design.X, design.groups, family)
    except ValueError as error:
        return nothing(method, str(error), design.size)

    def infer(weights) -> Contrast:
        return smallsample.tested(weights @ found.beta,
                                  np.sqrt(weights @ found.reduced @ weights), np.inf,
                                  trial.analysis.confidence)

    read, ratio = _read(trial, name, design, infer), {"binomial": "or", "poisson": "irr"}[family]
    spread = found.fitted * (1 - found.fitted if family == "binomial" else 1)
    whole, W = {}, np.array([*design.contrasts.values()])
    if len(W):
        chi2 = (b := W @ found.beta) @ np.linalg.solve(W @ found.reduced @ W.T, b)
        whole = {"chi2": chi2, "df1": len(W), "p": special.chdtrc(len(W), chi2)}
    return Estimate(
        method, **read, overall=overall(*design.size), whole=whole,
        residuals=pd.DataFrame({"arm": [*design.rows["arm"]], "fitted": found.fitted,
                                "residual": (design.y - found.fitted) / np.sqrt(spread)}),
        state="by estimating equations, one correlation of all visits "
              f"({found.correlation:.2f}); B is on the log scale, exp(B) a ratio of "
              f"{'odds' if family == 'binomial' else 'rates'}",
        extra={visit: dict(zip((ratio, f"{ratio}_low", f"{ratio}_high"),
                               np.exp([one.estimate, one.low, one.high]), strict=True))
               for visit, one in read["contrasts"].items()})


def scores_once(trial: Trial, name: str) -> tuple[str, pd.Series]:
    """The only visit of a variable, and its observed scores on the model's scale."""
    (visit,) = trial.variable(name).visits
    return visit, models.scaled(trial, name)[visit].dropna()


def _once(trial: Trial, name: str) -> Estimate:
    """A variable seen once: Welch's t test, or with covariates least squares; the rest beside."""
    visit, y = scores_once(trial, name)
    confidence, beside, of_arm = trial.analysis.confidence, None, arms.split(trial, y)
    fitted = y.groupby(trial.arm[y.index]).transform("mean")
    for test in (tests.student, tests.welch):
        method, *found, reason = test(*reversed(of_arm.values()), confidence=confidence)
        beside = _of_one(trial, method, visit, y, fitted, Contrast(*found), reason, beside)
    samples = {arm: tests.describe(own) for arm, own in of_arm.items()}
    beside = replace(beside, means={
        (arm, visit): smallsample.tested(mean, sd / np.sqrt(n or NAN), n - 1, confidence)
        for arm, (n, mean, sd) in samples.items()})
    if not trial.covariates:
        return beside
    wide = models.wide(trial, name).dropna()
    x = wide.drop(columns=[visit, "arm"]).to_numpy(float)
    try:
        found, reason = ancova(wide[visit], None, wide["arm"], x, confidence=confidence), ""
    except ValueError as error:
        found, reason = None, str(error)
    X = np.column_stack([np.ones(len(x)), wide["arm"], x])
    fitted = X @ np.linalg.lstsq(X, wide[visit].to_numpy(float), rcond=None)[0]
    return _of_one(trial, "linear/t", visit, wide[visit], fitted, found and found.contrast, reason,
                   beside)


def _of_one(trial, method, visit, y, fitted, contrast, reason, beside) -> Estimate:
    """The analysis of a variable seen once by one method."""
    frame = pd.DataFrame({"arm": trial.arm[y.index], "fitted": fitted, "residual": y - fitted})
    if reason:
        return nothing(method, reason, (len(y), len(y)), residuals=frame, beside=beside)
    held = {key: value for key, value in overall(len(y), len(y)).items() if value is not None}
    return Estimate(method, {visit: contrast}, held, residuals=frame, beside=beside)


def _ancova(trial: Trial, name: str, choice: Choice, model: Estimate) -> Estimate:
    """ANCOVA per later visit: the score on arm, baseline and covariates, by least squares.

    By arm each has a residual variance of its own. The mixed model stands beside it: ANCOVA has
    no marginal means at the reference visit.
    """
    wide, (first, *later) = models.wide(trial, name), trial.variable(name).visits
    names = [column for column in wide if column.startswith("covariate ")]
    contrasts, extra, states = {}, {}, {}
    for visit in later:
        label, seen = trial.visit_labels[visit], wide[[first, visit, "arm", *names]].dropna()
        try:
            found = ancova(seen[visit], seen[first], seen["arm"], seen[names].to_numpy(float),
                           inference=choice.inference, by_arm=choice.by_arm,
                           confidence=trial.analysis.confidence)
        except ValueError as error:
            states[f"{label} is not estimable: {error}"] = None
            continue
        contrasts[visit] = found.contrast
        extra[visit] = dict.fromkeys(("n", "n_rows"), found.n)
        for column in (["arm", "baseline", *names][i - 1] for i in found.dropped):
            states[f"{label}: {column.removeprefix('covariate ')} is left out, as others "
                   "determine it"] = None
    found = {"residuals": model.residuals, "beside": model}
    if not contrasts:
        return nothing(choice.method("ancova"), "; ".join(states), **found)
    n = [one["n"] for one in extra.values()]
    return Estimate(choice.method("ancova"), contrasts, overall(max(n), sum(n)), extra=extra,
                    state="; ".join(states), **found)
