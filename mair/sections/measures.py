"""The rows of repeated measures: what outcomes and biomarkers have in common.

For each variable: who was seen and how they scored, the mixed model's contrasts, effect
sizes, marginal means and normality.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mair.results import Rows
from mair.sections import analysis as estimates
from mair.sections.analysis import Contrast, Estimate
from mair.stats import effects, normality, tests
from mair.trial import Trial, Variable

SECTIONS = ("outcomes", "biomarkers")


def variables(trial: Trial, section: str) -> dict[str, Variable]:
    """The variables of a section, in the trial file's order."""
    return trial.outcomes if section == "outcomes" else trial.biomarkers


def later(trial: Trial, name: str) -> list[str]:
    """The visits of a variable after the reference visit."""
    return [visit for visit in trial.variable(name).visits if visit != trial.reference]


def fits(trial: Trial, section: str) -> dict[str, Estimate]:
    """The declared analysis of each variable of a section."""
    return {name: estimates.analyse(trial, name) for name in variables(trial, section)}


def rows(trial: Trial, section: str, fitted: dict[str, Estimate] | None = None) -> pd.DataFrame:
    """Every statistic of a section's repeated measures.

    Parameters
    ----------
    trial : Trial
    section : {"outcomes", "biomarkers"}
    fitted : dict of Estimate, optional
        As `fits` gives them, where the caller has them already.

    Returns
    -------
    DataFrame
        Columns of ``results.csv``; analyses ``section``, ``emm`` and ``normality``.
    """
    fitted = fits(trial, section) if fitted is None else fitted
    adjusted = _adjusted(trial, section, fitted)
    out = Rows(section)
    for name, variable in variables(trial, section).items():
        if variable.range is not None:
            out.add(name, "overall", "", "declared",
                    range_low=variable.range[0], range_high=variable.range[1])
        _described(trial, name, out)
        _contrasts(trial, name, fitted[name], adjusted, out)
        _effect_sizes(trial, name, fitted[name], out)
        _marginal_means(name, fitted[name], out)
        _normality(trial, name, fitted[name], out)
    return out.frame()


def _described(trial: Trial, name: str, out: Rows) -> None:
    """Means and SDs by arm and visit, of those described and of all observed."""
    scores = trial.scores(name)
    described = trial.described(name)
    log = trial.variable(name).transform == "log"
    for arm in trial.arms:
        of_arm = scores[trial.arm == arm]
        for method, people in (("described", of_arm[described[of_arm.index]]),
                               ("observed", of_arm)):
            for visit in scores.columns:
                sample = people[visit].dropna().to_numpy(float)
                out.add(name, arm, visit, method, n=len(sample), mean=_mean(sample),
                        sd=_sd(sample))
                if visit != trial.reference:
                    pairs = people[[trial.reference, visit]].dropna()
                    before, after = (_mean(pairs[v].to_numpy(float))
                                     for v in (trial.reference, visit))
                    change = None if before is None else after - before
                    out.add(name, arm, visit, method, change=change,
                            percent_change=100 * change / before if before else None)
                if log:
                    centre = effects.geometric(sample)
                    out.add(name, arm, visit, method, gm=centre.mean, cv=centre.cv)


def _mean(sample: np.ndarray) -> float | None:
    return float(sample.mean()) if len(sample) else None


def _sd(sample: np.ndarray) -> float | None:
    return float(sample.std(ddof=1)) if len(sample) > 1 else None


def fdr_family(trial: Trial, section: str) -> str | None:
    """The name of the family whose p values are corrected together; None for none."""
    return getattr(trial.analysis.fdr_families, section)


def _adjusted(trial: Trial, section: str, fitted: dict[str, Estimate]) -> dict:
    """Benjamini-Hochberg q by (variable, visit), over all sections of the section's family."""
    family = fdr_family(trial, section)
    if family is None:
        return {}
    p = {}
    for other in SECTIONS:
        if fdr_family(trial, other) != family:
            continue
        theirs = fitted if other == section else fits(trial, other)
        for name, model in theirs.items():
            for visit in later(trial, name):
                found = model.contrasts.get(visit)
                p[name, visit] = np.nan if found is None else float(found.p)
    q = tests.benjamini_hochberg(np.array(list(p.values()), float)) if p else []
    return dict(zip(p, q, strict=True))


def _contrasts(trial: Trial, name: str, found: Estimate, adjusted: dict, out: Rows) -> None:
    """Contrasts, covariates, variances and Group x Time as a whole of one analysis."""
    log = trial.variable(name).transform == "log"
    for visit in later(trial, name):
        n, n_rows = found.sizes.get(visit, (found.overall["n"], found.overall["n_rows"]))
        values = _statistics(found.contrasts.get(visit))
        out.add(name, "difference", visit, found.method, n=n, n_rows=n_rows, **values,
                q=adjusted.get((name, visit)), **found.extra.get(visit, {}))
        if log:
            one = found.contrasts.get(visit)
            ratio = None if one is None else effects.ratio_of_geometric_means(
                one.b, one.low, one.high)
            out.add(name, "difference", visit, found.method, gmr=ratio and ratio.estimate,
                    gmr_low=ratio and ratio.low, gmr_high=ratio and ratio.high)
    if found.whole:
        out.add(name, "difference", "", found.method, **found.whole)
    out.add(name, "overall", "", found.method, **found.overall)
    for label, one in found.covariates.items():
        out.add(f"{name}: {label}", "overall", "", found.method, **_statistics(one))
    if found.beside is not None:
        _contrasts(trial, name, found.beside, {}, out)


def _statistics(found: Contrast | None) -> dict:
    """A contrast as statistics; z, or df and t, stay empty where the inference has none."""
    names = ("b", "se", "df", "z", "t", "p", "ci_low", "ci_high")
    return dict(zip(names, [None] * 8 if found is None else found, strict=True))


def _effect_sizes(trial: Trial, name: str, fitted: Estimate, out: Rows) -> None:
    """Morris's d_ppc2 of those described, with and without its factor; B over the baseline SD."""
    scores = trial.scores(name)
    described = trial.described(name)
    log = trial.variable(name).transform == "log"
    for visit in later(trial, name):
        pairs = scores.loc[described, [trial.reference, visit]].dropna()
        arms = trial.arm[pairs.index]
        before_after = {arm: pairs[arms == arm].to_numpy(float) for arm in trial.arms}
        treated, control = before_after[trial.treatment], before_after[trial.control]
        n = len(pairs)
        for method, corrected in (("d_ppc2", True), ("d_ppc2-uncorrected", False)):
            d = effects.d_ppc2(treated, control, corrected=corrected,
                               confidence=trial.analysis.confidence)
            out.add(name, "difference", visit, method, n=n, d=d.estimate, ci_low=d.low,
                    ci_high=d.high)
        found = fitted.contrasts.get(visit)
        sd = effects.pooled_sd(*(
            value for a in (treated, control)
            for value in tests.describe(np.log(a[:, 0]) if log else a[:, 0])[::2]))
        scaled = (effects.b_over_sd(np.nan, np.nan, np.nan, sd) if found is None else
                  effects.b_over_sd(found.b, found.low, found.high, sd))
        out.add(name, "difference", visit, "b_over_sd", n=n, d=scaled.estimate,
                ci_low=scaled.low, ci_high=scaled.high)


def _marginal_means(name: str, fitted: Estimate, out: Rows) -> None:
    """Estimated marginal means on the model's scale."""
    fitted = fitted if fitted.means or fitted.beside is None else fitted.beside
    for (arm, visit), found in fitted.means.items():
        out.add(name, arm, visit, fitted.method, analysis="emm", mean=found.b, se=found.se,
                df=found.df, ci_low=found.low, ci_high=found.high,
                p=found.p if arm == "difference" else None)


def _normality(trial: Trial, name: str, fitted: Estimate, out: Rows) -> None:
    """Lilliefors and Shapiro-Wilk on scores by visit, and on the model's residuals."""
    scores = trial.scores(name)
    samples = []
    for visit in scores.columns:
        for arm in (*trial.arms, "overall"):
            people = scores if arm == "overall" else scores[trial.arm == arm]
            sample = people[visit].dropna().to_numpy(float)
            samples.append((name, arm, visit, sample))
            if trial.variable(name).transform == "log":
                samples.append((f"{name}: ln", arm, visit, np.log(sample)))
    residuals = fitted.residuals["residual"].dropna().to_numpy(float)
    samples.append((f"{name}: residuals", "overall", "", residuals))
    for label, arm, visit, sample in samples:
        for method, test in (("lilliefors", normality.lilliefors),
                             ("shapiro-wilk", normality.shapiro_wilk)):
            found = test(sample)
            out.add(label, arm, visit, method, analysis="normality", n=len(sample),
                    statistic=found.statistic, p=found.p)
