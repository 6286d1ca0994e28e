"""The tables of flow, baseline, outcomes and biomarkers: what their declarations name.

Each function takes the trial (for names, order and sizes) and rows of ``results.csv``; lines and
columns are declared in ``tables.yaml``.
"""

from dataclasses import replace

import pandas as pd

from mair import results
from mair.report import fmt, words
from mair.report.pivot import declared
from mair.report.table import Table
from mair.sections import baseline as characteristics
from mair.sections import flow, measures
from mair.trial import Trial


def _digits(trial: Trial, name: str) -> int:
    """Decimals of a mean: one where a score is a whole number."""
    step = getattr({**trial.outcomes, **trial.biomarkers}.get(name), "step", None)
    return 1 if step and step % 1 == 0 else 2


def retention(trial: Trial, rows: pd.DataFrame) -> Table:
    """Who was seen at each visit, by arm, with Wilson intervals and Fisher's p."""
    return declared(trial, rows, "retention", primary=flow.followed(trial)[0])


def adverse(trial: Trial, rows: pd.DataFrame) -> Table | None:
    """Adverse events and withdrawals by arm; None where neither is recorded."""
    if trial.events is None:
        return declared(trial, rows, "withdrawals", "harms")
    return declared(trial, rows, "harms", interval=words.METHODS[trial.analysis.risk_interval])


def progression(trial: Trial, rows: pd.DataFrame) -> Table | None:
    """Progression criteria, their thresholds and decisions; None where none are declared."""
    return declared(
        trial, rows, "progression", decided=lambda of: flow.DECISIONS.get(of, fmt.NOT_ESTIMABLE),
        criteria=map(vars, results.records(rows, analysis="progression",
                                           method=["wilson", "poisson"])))


def attendance(trial: Trial, rows: pd.DataFrame) -> Table | None:
    """Sessions attended, credibility and preference by arm; None where nothing is declared."""
    return declared(trial, rows, "attendance")


def interventions(trial: Trial) -> Table | None:
    """The interventions session by session, as ``about: interventions`` declares them."""
    frame = pd.DataFrame(trial.about.get("interventions")).astype(str)
    return None if frame.empty else Table("interventions", "The interventions, session by session",
                                          frame, frame, cohort=False)


def sample_size(trial: Trial, rows: pd.DataFrame) -> Table:
    """The planned sample size under both formulas and both ways to allow for dropout."""
    return declared(trial, rows, "sample_size")


def baseline(trial: Trial, rows: pd.DataFrame) -> Table:
    """Table 1 of a trial: each characteristic by arm, with the standardised difference.

    No p value stands here, as CONSORT advises; `baseline_tests` holds them.
    """
    found = []
    for feature in trial.baseline:
        missing = int(feature.values.isna().sum())
        what = "mean (SD)" if feature.kind == "continuous" else "n (%)"
        counted = feature.label  # and which level is counted, where the label does not say so
        if feature.kind == "binary" and feature.level.casefold() not in f"{counted} yes".casefold():
            counted += f": {feature.level}"
        found.append({"variable": feature.name, "digits": _digits(trial, feature.name),
                      "said": f"{counted}, {what}" + f", {missing} unknown" * (missing > 0)})
        if feature.kind == "categorical":
            found += [{"variable": variable, "said": f"\u2003{level}"}
                      for level, variable in characteristics.labels(feature).items()]
    return declared(trial, rows, "baseline", characteristics=found)


def baseline_tests(trial: Trial, rows: pd.DataFrame) -> Table:
    """The p values that a printed baseline table may hold, each under its test's name."""
    continuous, counted = ([
        {"variable": feature.name, "said": feature.label} for feature in trial.baseline
        if (feature.kind == "continuous") == of] for of in (True, False))
    return declared(trial, rows, "baseline_tests", continuous=continuous, counted=counted, tests=[
        {"test": test, "label": test.capitalize()}
        for test in (*characteristics.CONTINUOUS, *characteristics.COUNTS)])


def _measured(trial: Trial, rows: pd.DataFrame, section: str) -> list[dict]:
    """A section's variables at each of their visits, as lines of its tables name them."""
    found = []
    for name, one in measures.variables(trial, section).items():
        unit, log = f", {one.unit}" if one.unit else "", one.transform == "log"
        own = {"variable": name, "section": one.section, "label": one.label + unit, "log": log,
               "method": measures.method(rows, one.section, name), "digits": _digits(trial, name),
               "heading": (f"{name}: {one.label}" if one.label != name else name) + unit
               + "; B on the ln scale" * bool(log or one.family)}
        found += [own | {"time": visit, "first": not i, "later": i > 0}
                  for i, visit in enumerate(one.visits)]
    return found


def outcomes(trial: Trial, rows: pd.DataFrame, section="outcomes") -> Table:
    """Means by arm and visit with d, B, z or t, p and q, one block a variable."""
    measured, z = _measured(trial, rows, section), trial.analysis.inference == "z"
    return declared(
        trial, rows, "contrasts", section, measured=measured, section=section.capitalize(),
        of=section, under_z=[{}] * z, under_t=[{}] * (not z), fitted="; ".join(_fitted(measured)),
        scale=words.said("scale", measures.variables(trial, section)))


def once(trial: Trial, rows: pd.DataFrame) -> Table:
    """Variables seen once: n, mean, SD, median and quartiles by arm, the declared difference."""
    measured = _measured(trial, rows, measures.ONCE)
    return declared(trial, rows, "one_visit", measured=measured,
                    fitted=words.listed(_fitted(measured)),
                    scale=words.said("scale", measures.variables(trial, measures.ONCE)))


def once_methods(trial: Trial, rows: pd.DataFrame) -> Table:
    """Every method's difference of the variables seen once."""
    return declared(trial, rows, "one_visit_methods",
                    ratio=[{}] * bool(rows["statistic"].eq("gmr").any()),
                    scale=words.said("scale", measures.variables(trial, measures.ONCE)))


def _fitted(measured: list[dict]) -> list[str]:
    """The methods of lines in words."""
    return list(map(words.method, dict.fromkeys(one["method"] for one in measured)))


def models(trial: Trial, rows: pd.DataFrame, section="outcomes") -> Table:
    """What each model is made of: size, variances, Group x Time, covariates, its state."""
    own = rows.loc[rows["analysis"] == section, "variable"].str.split(": ", n=1)
    covariates = dict.fromkeys(one[1] for one in own[own.str.len() > 1]
                               if one[0] in measures.variables(trial, section))
    table = declared(trial, rows, "models", f"{section}_models", section=section.capitalize(),
                     measured=_measured(trial, rows, section), covariates=[
                         {"covariate": one, "label": words.label(trial, one)}
                         for one in covariates])
    if table is None:
        return None
    states: dict[str, list[str]] = {}  # as footnotes
    for name, *of in table.data[["variable", *(f"overall_{state}" for state in (
            "boundary", "fallback", "converged"))]].itertuples(index=False):
        states.setdefault(fmt.state(*of), []).append(name)
    said = [f"{words.begin(state)}: {', '.join(own)}." for state, own in states.items()]
    return replace(table, notes=(
        *table.notes, *(["All models converged."] if list(states) == ["converged"] else said)))


def effect_sizes(trial: Trial, rows: pd.DataFrame, section="outcomes") -> Table:
    """The effect sizes under each convention, with intervals."""
    return declared(trial, rows, "effect_sizes", f"{section}_effect_sizes",
                    section=section.capitalize(), measured=_measured(trial, rows, section),
                    conventions=[{"convention": how, "label": words.method(how)}
                                 for how in ("d_ppc2", "d_ppc2-uncorrected", "b_over_sd")])


def ratios(trial: Trial, rows: pd.DataFrame, section="biomarkers") -> Table | None:
    """Geometric means, CV and the ratio of geometric means; None where nothing is logged."""
    return declared(trial, rows, "ratios", f"{section}_ratios", section=section.capitalize(),
                    kind=section[:-1].capitalize(), measured=_measured(trial, rows, section))


def normality(trial: Trial, rows: pd.DataFrame, section="outcomes") -> Table:
    """Lilliefors and Shapiro-Wilk over both arms, on scores, ln scores and residuals."""
    own = rows["variable"].str.split(": ").str[0].isin(measures.variables(trial, section))
    return declared(trial, rows[own], "normality", f"{section}_normality",
                    section=section.replace("_", " ").capitalize())


def reliability(trial, rows) -> Table:
    """Alpha and omega of each score that was made from its items."""
    return declared(trial, rows, "reliability", visit=trial.visit_labels[trial.reference],
                    scores=[{"variable": name, "label": trial.variable(name).label,
                             "time": trial.reference} for name in trial.items])
