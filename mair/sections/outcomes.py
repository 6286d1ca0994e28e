"""Outcomes: means, mixed-model contrasts and effect sizes, and what the notebooks show of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mair.report import fmt
from mair.report.tables import Table
from mair.results import Lookup
from mair.sections import measures
from mair.sections.analysis import Estimate
from mair.trial import Trial

FOREST_TEXT = {"text": "B / SD (CI)", "p_text": "p"}

def rows(trial: Trial, fitted: dict[str, Estimate] | None = None) -> pd.DataFrame:
    """Every statistic of the analysis ``outcomes``, with its ``emm`` and ``normality``.

    Parameters
    ----------
    trial : Trial
    fitted : dict of Estimate, optional
        ``measures.fits(trial, "outcomes")``, where the caller has them.

    Returns
    -------
    DataFrame
        Columns of ``results.csv``.
    """
    return measures.rows(trial, "outcomes", fitted)


def method(frame: pd.DataFrame, section: str, name: str) -> str:
    """The method that was fitted to a variable, after any fallback, as in ``results.csv``."""
    own = frame[(frame["analysis"] == section) & (frame["variable"] == name)
                & (frame["statistic"] == "converged")]
    return own["method"].iloc[0]


def ci(trial: Trial) -> str:
    """``95% CI``, at the declared confidence."""
    return f"{100 * trial.analysis.confidence:g}% CI"


def table(trial: Trial, frame: pd.DataFrame, section: str = "outcomes") -> Table:
    """Means by arm and visit with d, B, z, p and q, one block a variable."""
    n = Lookup(frame)
    test = "z" if trial.analysis.inference == "z" else "t (df)"
    display, data, groups, methods = [], [], [], {}
    for name, variable in measures.variables(trial, section).items():
        how = methods[name] = method(frame, section, name)
        for visit in variable.visits:
            row = {"Visit": visit}
            numbers = {"variable": name, "time": visit}
            for arm in trial.arms:
                cell = {s: n(section, name, arm, visit, "described", statistic=s)
                        for s in ("n", "mean", "sd")}
                row[f"{arm}, n"] = f"{cell['n']:g}"
                row[f"{arm}, mean (SD)"] = fmt.mean_sd(cell["mean"], cell["sd"])
                numbers |= {f"{arm}_{s}": v for s, v in cell.items()}
            row |= dict.fromkeys(("d", f"B ({ci(trial)})", test, "p", "q", "n (rows)"), "")
            if visit != trial.reference:
                found = {s: n(section, name, "difference", visit, how, statistic=s)
                         for s in ("n", "n_rows", "b", "se", "ci_low", "ci_high", "z", "t", "df",
                                   "p", "q")}
                d = n(section, name, "difference", visit, "d_ppc2", statistic="d")
                row |= {
                    "d": fmt.number(d),
                    f"B ({ci(trial)})": fmt.estimate(found["b"], found["ci_low"],
                                                     found["ci_high"]),
                    test: (fmt.number(found["z"]) if test == "z" else
                           f"{fmt.number(found['t'])} ({fmt.number(found['df'], 1)})"),
                    "p": fmt.p_value(found["p"]),
                    "q": "" if found["q"] != found["q"] else fmt.p_value(found["q"]),
                    "n (rows)": f"{found['n']:g} ({found['n_rows']:g})",
                }
                numbers |= {"d_ppc2": d, **{f"model_{s}": v for s, v in found.items()}}
            display.append(row)
            data.append(numbers)
            unit = f", {variable.unit}" if variable.unit else ""
            groups.append(f"{name}: {variable.label}{unit}" if variable.label != name
                          else f"{name}{unit}")
    whom = "everyone seen at every visit of the variable"
    if (trial.sections.get("describe") or {}).get(section):
        whom = f"those with {trial.sections['describe'][section]}"
    covariates = ", ".join(covariate.name for covariate in trial.covariates)
    family = measures.fdr_family(trial, section)
    return Table(
        section, f"{section.capitalize()}: means and Group x Time contrasts",
        pd.DataFrame(display), pd.DataFrame(data), groups=pd.Series(groups),
        notes=(
            f"Means and SDs describe {whom}; the models use every observed row "
            f"({', '.join(dict.fromkeys(methods.values()))}"
            f"{', covariates ' + covariates if covariates else ''}"
            "). d: Morris's d_ppc2 on the measured scale. B: change from "
            f"{trial.reference}, {trial.treatment} minus {trial.control}"
            + (", on the ln scale where the transform is log" if section == "biomarkers" else "")
            + ".",
            "q: Benjamini-Hochberg within the declared family." if family
            else "No correction for multiplicity is declared.",
        ),
        synthetic=trial.synthetic,
    )


def model_table(trial: Trial, frame: pd.DataFrame, section: str = "outcomes") -> Table:
    """What each model is made of: size, variances, criterion, Group x Time, covariates."""
    n = Lookup(frame)
    display, data = [], []
    for name in measures.variables(trial, section):
        how = method(frame, section, name)
        cell = {s: n(section, name, "overall", "", how, statistic=s)
                for s in ("n", "n_rows", "var_participant", "var_residual", "reml_criterion",
                          "converged", "boundary", "fallback")}
        total = cell["var_participant"] + cell["var_residual"]
        key = (section, name, "difference", "", how)
        whole = {s: n(*key, statistic=s) for s in ("chi2", "f", "df1", "df2", "p")
                 if (*key, s) in n}
        covariates = {
            variable.removeprefix(f"{name}: "): value
            for variable, value in frame.loc[
                (frame["analysis"] == section) & (frame["statistic"] == "p")
                & frame["variable"].str.startswith(f"{name}: "), ["variable", "value"]
            ].itertuples(index=False)
        }
        display.append({
            "Variable": name, "n (rows)": f"{cell['n']:g} ({cell['n_rows']:g})",
            "Participant variance": fmt.number(cell["var_participant"], 3),
            "Residual variance": fmt.number(cell["var_residual"], 3),
            "ICC": fmt.number(cell["var_participant"] / total if total else np.nan, 3),
            "Group x Time": _whole(whole),
            "Covariates, p": "; ".join(f"{k} {fmt.p_value(v)}" for k, v in covariates.items()),
            "Fitted": how,
            "State": "; ".join(s for s, on in (("variance at zero", cell["boundary"]),
                                               ("fell back", cell["fallback"]),
                                               ("not converged", not cell["converged"])) if on)
                     or "converged",
        })
        data.append({"variable": name, **cell, **{f"group_time_{s}": v for s, v in whole.items()},
                     **{f"p {k}": v for k, v in covariates.items()}})
    return Table(f"{section}_models", f"{section.capitalize()}: the fitted models",
                 pd.DataFrame(display), pd.DataFrame(data),
                 notes=("REML; standard errors are GLS at the estimate, with Kenward and Roger's "
                        "adjustment where that is the inference. A participant variance at zero "
                        "leaves no trustworthy degrees of freedom; compound symmetry, which allows "
                        "a negative correlation, then stands beside it in results.csv.",),
                 synthetic=trial.synthetic)


def _whole(found: dict) -> str:
    """Group x Time as a whole, for reading."""
    if not found:
        return ""
    if "chi2" in found:
        return f"χ²({found['df1']:g}) = {fmt.number(found['chi2'])}, {fmt.p_equals(found['p'])}"
    return (f"F({found['df1']:g}, {fmt.number(found['df2'], 1)}) = {fmt.number(found['f'])}, "
            f"{fmt.p_equals(found['p'])}")


def sizes_table(trial: Trial, frame: pd.DataFrame, section: str = "outcomes") -> Table:
    """The effect sizes under each convention, with intervals."""
    n = Lookup(frame)
    display, data = [], []
    conventions = ("d_ppc2", "d_ppc2-uncorrected", "b_over_sd")
    for name in measures.variables(trial, section):
        for visit in measures.later(trial, name):
            cells = {c: {s: n(section, name, "difference", visit, c, statistic=s)
                         for s in ("n", "d", "ci_low", "ci_high")} for c in conventions}
            display.append({
                "Variable": name, "Visit": visit, "n": f"{cells['d_ppc2']['n']:g}",
                **{c: fmt.estimate(v["d"], v["ci_low"], v["ci_high"]) for c, v in cells.items()}})
            data.append({"variable": name, "time": visit,
                         **{f"{c}_{s}": x for c, v in cells.items() for s, x in v.items()}})
    return Table(
        f"{section}_effect_sizes", f"{section.capitalize()}: effect sizes by convention",
        pd.DataFrame(display), pd.DataFrame(data),
        notes=("d_ppc2: difference in mean change over the pooled baseline SD of the same people, "
               "times 1 - 3/(4 df - 1) (Morris 2008), and without the factor; b_over_sd: the "
               f"model's B over that SD. {ci(trial)}.",),
        synthetic=trial.synthetic)


def forest_frame(trial: Trial, frame: pd.DataFrame, section: str = "outcomes") -> pd.DataFrame:
    """B over the baseline SD of every contrast; outcomes are turned so that above 0 is better.

    Returns
    -------
    DataFrame
        ``label``, ``visit``, ``estimate``, ``low``, ``high``, ``text``, ``p_text``.
    """
    n = Lookup(frame)
    found = []
    for name, variable in measures.variables(trial, section).items():
        sign = -1 if section == "outcomes" and variable.better == "lower" else 1
        for visit in measures.later(trial, name):
            d, low, high = (n(section, name, "difference", visit, "b_over_sd", statistic=s)
                            for s in ("d", "ci_low", "ci_high"))
            if d == d:
                low, high = sorted((sign * low, sign * high))
                p = n(section, name, "difference", visit, method(frame, section, name),
                      statistic="p")
                found.append((name, visit, sign * d, low, high,
                              fmt.estimate(sign * d, low, high), fmt.p_value(p)))
    return pd.DataFrame(found, columns=["label", "visit", "estimate", "low", "high", "text",
                                        "p_text"])


def people_frame(trial: Trial, name: str) -> pd.DataFrame:
    """Observed scores, one row each: ``participant``, ``arm``, ``visit``, ``value``."""
    long = trial.scores(name).stack().dropna().rename("value").reset_index()
    long.columns = ["participant", "visit", "value"]
    long["arm"] = long["participant"].map(trial.arm)
    return long[["participant", "arm", "visit", "value"]]


def means_frame(trial: Trial, frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Model means with intervals on the measured scale: ``arm``, ``visit``, ``mean``, ``low``,
    ``high`` (geometric means where the transform is log)."""
    n = Lookup(frame)
    back = np.exp if trial.variable(name).transform == "log" else float
    own = frame[(frame["analysis"] == "emm") & (frame["variable"] == name)]
    found = []
    for arm in trial.arms:
        for visit in trial.variable(name).visits:
            key = ("emm", name, arm, visit, own["method"].iloc[0] if len(own) else "")
            if (*key, "mean") in n:
                found.append((arm, visit, *(back(n(*key, statistic=s))
                                            for s in ("mean", "ci_low", "ci_high"))))
    return pd.DataFrame(found, columns=["arm", "visit", "mean", "low", "high"])


def residual_frame(fitted: Estimate) -> pd.DataFrame:
    """Residuals of a model: ``fitted``, ``residual``, ``arm``, ``quantile`` (normal scores)."""
    from scipy.special import ndtri

    found = fitted.residuals.dropna()
    rank = found["residual"].rank(method="first")
    return found.assign(quantile=ndtri((rank - 0.375) / (len(found) + 0.25)))  # Blom


def direction(trial: Trial, name: str, visit: str, frame: pd.DataFrame) -> str:
    """One sentence on a contrast, interval first, without a claim of efficacy."""
    n = Lookup(frame)
    section = trial.variable(name).section
    key = (section, name, "difference", visit, method(frame, section, name))
    found = {s: n(*key, statistic=s) for s in ("b", "ci_low", "ci_high", "p", "n")}
    if found["b"] != found["b"]:
        return f"{name} at {visit}: the contrast is not estimable from these data."
    span = fmt.interval(found["ci_low"], found["ci_high"])
    if found["ci_low"] <= 0 <= found["ci_high"]:
        where = "the interval holds 0."
    elif section == "outcomes":
        good = (found["b"] > 0) == (trial.variable(name).better == "higher")
        where = f"the interval lies on the side of {trial.treatment if good else trial.control}."
    else:
        where = (f"{trial.treatment} {'rose' if found['b'] > 0 else 'fell'} relative to "
                 f"{trial.control}.")
    scale = " on the ln scale" if trial.variable(name).transform == "log" else ""
    return (
        f"**{name}, {visit}**: the data are compatible with a difference in change{scale} of "
        f"{span} (estimate {fmt.number(found['b'])}, {fmt.p_equals(found['p'])}, "
        f"n = {found['n']:g}); "
        + where)


def favours(trial: Trial, section: str = "outcomes") -> tuple[str, str]:
    """The words under the two sides of a forest plot; a biomarker favours nobody."""
    if section == "biomarkers":
        return f"{trial.treatment} fell more", f"{trial.treatment} rose more"
    return f"favours {trial.control}", f"favours {trial.treatment}"


def forest_alt(trial: Trial, frame: pd.DataFrame, section: str = "outcomes") -> str:
    """The forest plot in words."""
    found = forest_frame(trial, frame, section)
    lines = [f"{r.label} {r.visit} {r.text}" for r in found.itertuples()]
    left, right = favours(trial, section)
    return (f"Forest plot of B over the baseline SD with {ci(trial)}, left of zero {left}, right "
            f"{right}: " + "; ".join(lines) + ".")


def directions(trial: Trial, frame: pd.DataFrame, name: str) -> list[str]:
    """One sentence a later visit of a variable."""
    return [direction(trial, name, visit, frame) for visit in measures.later(trial, name)]


def all_people(trial: Trial) -> pd.DataFrame:
    """`people_frame` of every outcome, with a column ``outcome``."""
    return pd.concat([people_frame(trial, name).assign(outcome=name) for name in trial.outcomes],
                     ignore_index=True)


def all_means(trial: Trial, frame: pd.DataFrame) -> pd.DataFrame:
    """`means_frame` of every outcome, with a column ``outcome``."""
    return pd.concat([means_frame(trial, frame, name).assign(outcome=name)
                      for name in trial.outcomes], ignore_index=True)


def axis_labels(trial: Trial, section: str = "outcomes") -> dict[str, str]:
    """What each variable's axis says: its name with unit or range."""
    labels = {}
    for name, variable in measures.variables(trial, section).items():
        span = f"{variable.range[0]:g} to {variable.range[1]:g}" if variable.range else ""
        detail = variable.unit or span
        labels[name] = f"{name} ({detail})" if detail else name
    return labels


def trajectories_alt(trial: Trial) -> str:
    """The trajectories in words."""
    return (f"Scores of {', '.join(trial.outcomes)} at {', '.join(trial.visits)}: one thin line a "
            f"participant and, for {trial.control} and {trial.treatment}, model means with "
            f"{ci(trial)}, as in the table of outcomes.")


def residual_line(fitted: Estimate) -> tuple[float, float]:
    """Intercept and slope of the reference line: mean 0, the residuals' own SD."""
    return 0.0, float(fitted.residuals["residual"].std())


def residuals_alt(trial: Trial) -> str:
    """The residual plots in words."""
    return (f"Conditional residuals of the model of {trial.primary.name}, against fitted values "
            "and against normal quantiles, by arm.")


COVARIANCES = {
    "random-intercept": "all visits of a person as equally (and not negatively) correlated, with "
                        "one residual variance",
    "compound-symmetry": "all visits of a person as equally correlated, perhaps negatively, with "
                         "one variance",
    "unstructured": "nothing of how a person's visits vary and correlate, but that both arms do so "
                    "alike",
}
INFERENCES = {
    "z": "The z reference treats the variances as known, which flatters small samples.",
    "satterthwaite": "Satterthwaite's degrees of freedom allow for estimated variances.",
    "kenward-roger": "Kenward and Roger's standard errors and degrees of freedom allow for "
                     "estimated variances.",
}
MISSING = {
    "observed": "Missing scores are taken as missing at random given those observed.",
    "mi-mar": "Missing scores are imputed as missing at random, within the person's own arm.",
    "mi-j2r": "Those lost from the treatment arm are imputed as if they jumped to the control arm.",
    "mi-cr": "Those lost from the treatment arm are imputed as if they had always been in the "
             "control arm.",
}


def assumptions(trial: Trial) -> str:
    """What the declared model takes for granted, in words."""
    chosen = trial.analysis
    if chosen.estimator == "ancova":
        model = ("Each visit's scores are regressed on arm, baseline and covariates by least "
                 "squares, with one residual variance, in those seen at both.")
    else:
        model = f"The model takes residuals as normal and {COVARIANCES[chosen.covariance]}."
    common = ("Both arms share one mean at baseline, as randomisation makes them in expectation."
              if chosen.estimator == "clda" else "")
    return " ".join(part for part in (model, common, MISSING[chosen.missing],
                                      INFERENCES[chosen.inference]) if part)
