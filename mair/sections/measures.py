"""The rows of repeated measures: what outcomes and biomarkers have in common.

For each variable: who was seen and how they scored, the declared analysis' contrasts, effect
sizes, marginal means and normality.
"""

import numpy as np
import pandas as pd

from mair.results import Rows
from mair.sections import analysis, arms
from mair.sections.analysis import NONE, Estimate
from mair.stats import effects, normality, tests
from mair.trial import Trial, Variable

SECTIONS, ONCE = ("outcomes", "biomarkers"), "one_visit"


def variables(trial: Trial, section: str) -> dict[str, Variable]:
    """The repeated measures of a section, or all variables seen once, in the file's order."""
    every = {"outcomes": trial.outcomes, "biomarkers": trial.biomarkers}
    return {name: variable for part in (SECTIONS if section == ONCE else (section,))
            for name, variable in every[part].items()
            if (len(variable.visits) == 1) == (section == ONCE)}


def leading(trial: Trial, section: str) -> Variable:
    """The primary outcome where it is of this section, else the section's first variable."""
    own = variables(trial, section)
    return own.get(trial.primary.name) or next(iter(own.values()))


def later(trial: Trial, name: str) -> list[str]:
    """The visits at which the arms are compared: all after the first, or the only one."""
    visits = trial.variable(name).visits
    return list(visits[1:] or visits)


def method(rows: pd.DataFrame, section: str, name: str) -> str:
    """The method that was fitted to a variable, after any fallback, as in ``results.csv``."""
    own = (rows["analysis"] == section) & (rows["variable"] == name)
    return rows.loc[own & (rows["statistic"] == "converged"), "method"].iloc[0]


def states(trial: Trial, section: str) -> list[str]:
    """What a reader must know of the fits, a sentence for all variables of which it is true."""
    said: dict[str, list[str]] = {}
    for name in variables(trial, section):
        if state := analysis.analyse(trial, name).state:
            said.setdefault(state, []).append(name)
    return [f"{', '.join(names)}: {state}." for state, names in said.items()]


def rows(trial: Trial, section: str) -> pd.DataFrame:
    """Every statistic of a section's repeated measures, or of all variables seen once.

    Parameters
    ----------
    trial : Trial
    section : {"outcomes", "biomarkers", "one_visit"}

    Returns
    -------
    DataFrame
        Columns of ``results.csv``; analyses ``outcomes`` or ``biomarkers``, ``emm`` and
        ``normality``.
    """
    own = variables(trial, section)
    every = {variable.section: Rows(variable.section) for variable in own.values()}
    adjusted = {part: _adjusted(trial, part) for part in every}
    for name, variable in own.items():
        out, found = every[variable.section], analysis.analyse(trial, name)
        if variable.range is not None:
            out.add(name, "overall", "", "declared",
                    range_low=variable.range[0], range_high=variable.range[1])
        _described(trial, name, out)
        _contrasts(trial, name, found, adjusted[variable.section], out)
        if section == ONCE:
            _ranked(trial, name, out)
        elif not variable.family:
            _effect_sizes(trial, name, found, out)
        _marginal_means(name, found, out)
        if not variable.family:
            _normality(trial, name, found, out)
    return pd.concat([out.frame() for out in every.values()], ignore_index=True)


def _described(trial: Trial, name: str, out: Rows) -> None:
    """Means and SDs by arm and visit, of those described and of all observed."""
    described, first = trial.described(name), trial.reference
    for arm, everyone in arms.split(trial, trial.scores(name)).items():
        for method, people in (("described", everyone[described[everyone.index]]),
                               ("observed", everyone)):
            for visit in people.columns:
                sample, extra = people[visit].dropna(), {}
                if len(people.columns) == 1:
                    quartiles = tests.weighted_quantiles(sample, (0.5, 0.25, 0.75))
                    extra = dict(zip(("median", "q1", "q3"), quartiles, strict=True))
                elif visit != first:
                    before, after = people[[first, visit]].dropna().mean()
                    change = after - before
                    extra = {"change": change,
                             "percent_change": 100 * change / before if before else None}
                if trial.variable(name).transform == "log":
                    centre = effects.geometric(sample.to_numpy(float))
                    extra |= {"gm": centre.mean, "cv": centre.cv}
                out.add(name, arm, visit, method, n=len(sample), mean=sample.mean(),
                        sd=sample.std(), **extra)


def _adjusted(trial: Trial, section: str) -> dict[tuple[str, str], float]:
    """Benjamini-Hochberg q by (variable, visit), over all sections of the section's family."""
    families, p = trial.analysis.fdr_families, {}
    if (family := getattr(families, section)) is None:
        return {}
    for other, own in zip(SECTIONS, (trial.outcomes, trial.biomarkers), strict=True):
        for name in own if family == getattr(families, other) else ():
            found = analysis.analyse(trial, name).contrasts
            p |= {(name, visit): found[visit].p if visit in found else np.nan
                  for visit in later(trial, name)}
    return dict(zip(p, tests.benjamini_hochberg(list(p.values())), strict=True))


def _contrasts(trial: Trial, name: str, found: Estimate, adjusted: dict, out: Rows) -> None:
    """Contrasts, covariates, variances and Group x Time as a whole of one analysis."""
    for visit in later(trial, name):
        one, ratio = found.contrasts.get(visit, NONE), {}
        if trial.variable(name).transform == "log":
            ratio = arms.interval("gmr", effects.ratio_of_geometric_means(
                one.estimate, one.low, one.high), "gmr")
        out.add(name, "difference", visit, found.method, **found.statistics(visit),
                q=adjusted.get((name, visit)), **ratio)
    out.add(name, "difference", "", found.method, **found.whole)
    out.add(name, "overall", "", found.method, **found.overall)
    for label, one in found.covariates.items():
        out.add(f"{name}: {label}", "overall", "", found.method, **analysis.statistics(one))
    if found.beside is not None:
        _contrasts(trial, name, found.beside, {}, out)


def _ranked(trial: Trial, name: str, out: Rows) -> None:
    """Of a variable seen once: Mann and Whitney's test, Hodges and Lehmann's shift."""
    visit, values = analysis.scores_once(trial, name)
    samples = [*reversed(arms.split(trial, values).values())]
    shift = tests.hodges_lehmann(*samples, confidence=trial.analysis.confidence)
    out.add(name, "difference", visit, "mann-whitney", p=tests.mann_whitney(*samples).p)
    out.add(name, "difference", visit, "hodges-lehmann", **arms.interval("b", shift))


def pairs(trial: Trial, name: str, visit: str) -> list[np.ndarray]:
    """First and this visit's scores (n, 2) of those described, the treatment arm first."""
    both = trial.scores(name).loc[trial.described(name), [trial.reference, visit]].dropna()
    return [own.to_numpy(float) for own in reversed(arms.split(trial, both).values())]


def _effect_sizes(trial: Trial, name: str, fitted: Estimate, out: Rows) -> None:
    """Morris's d_ppc2 of those described, with and without its factor; B over the baseline SD."""
    scale = np.log if trial.variable(name).transform == "log" else np.asarray
    for visit in later(trial, name):
        people, one = pairs(trial, name, visit), fitted.contrasts.get(visit, NONE)
        before = [tests.describe(scale(own[:, 0])) for own in people]
        sd = effects.pooled_sd(*(value for own in before for value in (own.n, own.sd)))
        found = {method: effects.d_ppc2(*people, corrected=method == "d_ppc2",
                                        confidence=trial.analysis.confidence)
                 for method in ("d_ppc2", "d_ppc2-uncorrected")}
        found["b_over_sd"] = effects.b_over_sd(one.estimate, one.low, one.high, sd)
        for method, d in found.items():
            out.add(name, "difference", visit, method, n=sum(map(len, people)),
                    **arms.interval("d", d))


def _marginal_means(name: str, fitted: Estimate, out: Rows) -> None:
    """Estimated marginal means on the model's scale."""
    fitted = fitted if fitted.means or fitted.beside is None else fitted.beside
    for (arm, visit), found in fitted.means.items():
        out.add(name, arm, visit, fitted.method, analysis="emm", mean=found.estimate, se=found.se,
                df=analysis.statistics(found)["df"], ci_low=found.low, ci_high=found.high,
                p=found.p if arm == "difference" else None)


def _normality(trial: Trial, name: str, fitted: Estimate, out: Rows) -> None:
    """Lilliefors and Shapiro-Wilk on scores by visit, and on the model's residuals."""
    scores, samples = trial.scores(name), {}
    for visit in scores.columns:
        for arm, own in arms.split(trial, scores[visit], overall=True).items():
            samples[name, arm, visit] = own.to_numpy(float)
            if trial.variable(name).transform == "log":
                samples[f"{name}: ln", arm, visit] = np.log(samples[name, arm, visit])
    samples[f"{name}: residuals", "overall", ""] = fitted.residuals["residual"].to_numpy(float)
    for key, sample in samples.items():
        seen = sample[~np.isnan(sample)]
        for method, test in (("lilliefors", normality.lilliefors),
                             ("shapiro-wilk", normality.shapiro_wilk)):
            found = test(seen)
            out.add(*key, method, analysis="normality", n=len(seen), statistic=found.statistic,
                    p=found.p)
