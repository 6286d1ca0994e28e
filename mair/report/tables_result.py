"""The tables of flow, baseline, outcomes and biomarkers: which rows stand in their lines.

Each function takes the trial (for names, order and sizes) and rows of ``results.csv``; what stands
in the columns is declared in ``tables.yaml``.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from mair import results
from mair.report import fmt, words
from mair.report.pivot import Line, declared
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
    name, seen = flow.followed(trial)
    lines = [Line(trial.visit_labels[visit],
                  {"analysis": "flow", "variable": "retained", "time": visit}) for visit in seen]
    return declared(trial, rows, lines, "retention", primary=name)


def adverse(trial: Trial, rows: pd.DataFrame) -> Table | None:
    """Adverse events and withdrawals by arm; None where neither is recorded."""
    found = rows[["analysis", "variable", "time"]].drop_duplicates()
    lines = [Line(words.begin(variable), {"analysis": "harms", "variable": variable},
                  "Participants with at least one")
             for variable in found.loc[found["analysis"] == "harms", "variable"]]
    lines += [Line(f"{variable.removeprefix('lost: ')}, {trial.visit_labels[visit]}",
                   {"analysis": "flow", "variable": variable, "time": visit},
                   "Withdrawals, by the first visit missed")
              for analysis, variable, visit in found.itertuples(index=False)
              if analysis == "flow" and variable.startswith("lost: ")]
    if trial.events is None:
        return declared(trial, rows, lines, "withdrawals", "harms")
    limits = trial.analysis.risk_interval
    return declared(trial, rows, lines, "harms", limits=limits, interval=words.METHODS[limits])


def progression(trial: Trial, rows: pd.DataFrame) -> Table | None:
    """Progression criteria, their thresholds and decisions; None where none are declared."""
    lines = [Line(words.begin(one.variable) + (one.time and f", {trial.visit_labels[one.time]}"),
                  {"analysis": "progression", "variable": one.variable, "arm": "overall",
                   "time": one.time, "limits": one.method})
             for one in results.records(rows, analysis="progression", method=["wilson", "poisson"])]
    return declared(trial, rows, lines, "progression", decided=lambda of: flow.DECISIONS.get(
        of, fmt.NOT_ESTIMABLE))


def attendance(trial: Trial, rows: pd.DataFrame) -> Table | None:
    """Sessions attended, credibility and preference by arm; None where nothing is declared."""
    found = rows.loc[rows["analysis"] == "flow", "variable"].drop_duplicates()
    lines = [Line(f"{role.capitalize()}{attended}, median (Q1 to Q3)",
                  {"analysis": "flow", "variable": role, "method": "weighted-average"})
             for role, attended in (("sessions", " attended"), ("credibility", ""))
             if role in set(found)]
    lines += [Line(f"Preferred: {variable.removeprefix('preference: ')}",
                   {"analysis": "flow", "variable": variable, "method": ""})
              for variable in found[found.str.startswith("preference: ")]]
    return declared(trial, rows, lines, "attendance")


def interventions(trial: Trial) -> Table | None:
    """The interventions session by session, as ``about: interventions`` declares them."""
    frame = pd.DataFrame(trial.about.get("interventions")).astype(str)
    return None if frame.empty else Table("interventions", "The interventions, session by session",
                                          frame, frame, cohort=False)


def sample_size(trial: Trial, rows: pd.DataFrame) -> Table:
    """The planned sample size under both formulas and both ways to allow for dropout."""
    lines = [Line(label, {"analysis": "sample_size", "variable": trial.primary.name,
                          "arm": "overall", "method": method})
             for method, label in (("normal", "Normal formula"), ("t", "Noncentral t"))]
    return declared(trial, rows, lines, "sample_size")


def baseline(trial: Trial, rows: pd.DataFrame) -> Table:
    """Table 1 of a trial: each characteristic by arm, with the standardised difference.

    No p value stands here, as CONSORT advises; `baseline_tests` holds them.
    """
    lines = []
    for feature in trial.baseline:
        missing = int(feature.values.isna().sum())
        what = "mean (SD)" if feature.kind == "continuous" else "n (%)"
        counted = feature.label  # and which level is counted, where the label does not say so
        if feature.kind == "binary" and feature.level.casefold() not in f"{counted} yes".casefold():
            counted += f": {feature.level}"
        lines.append(Line(f"{counted}, {what}" + (f", {missing} unknown" if missing else ""),
                          {"analysis": "baseline", "variable": feature.name},
                          digits=_digits(trial, feature.name)))
        if feature.kind == "categorical":
            lines += [Line(f"\u2003{level}", {"analysis": "baseline", "variable": variable})
                      for level, variable in characteristics.labels(feature).items()]
    return declared(trial, rows, lines, "baseline")


def baseline_tests(trial: Trial, rows: pd.DataFrame) -> Table:
    """The p values that a printed baseline table may hold, each under its test's name."""
    kinds = {True: "Continuous characteristics", False: "Counts"}
    lines = [Line(feature.label, {"analysis": "baseline", "variable": feature.name}, heading)
             for continuous, heading in kinds.items() for feature in trial.baseline
             if (feature.kind == "continuous") == continuous]
    return declared(trial, rows, lines, "baseline_tests", tests=[
        {"test": test, "label": test.capitalize()}
        for test in (*characteristics.CONTINUOUS, *characteristics.COUNTS)])


def outcomes(trial: Trial, rows: pd.DataFrame, section="outcomes") -> Table:
    """Means by arm and visit with d, B, z or t, p and q, one block a variable."""
    lines = []
    for name, variable in measures.variables(trial, section).items():
        label = f"{name}: {variable.label}" if variable.label != name else name
        label += f", {variable.unit}" if variable.unit else ""
        label += "; B on the ln scale" * bool(variable.transform or variable.family)
        fitted = {"fitted": measures.method(rows, section, name)}
        lines += [Line(trial.visit_labels[visit],
                       {"analysis": section, "variable": name, "time": visit}, label,
                       _digits(trial, name), fitted) for visit in variable.visits]
    column = (trial.sections.get("describe") or {}).get(section)
    covariates = ", ".join(covariate.name for covariate in trial.covariates)
    z = trial.analysis.inference == "z"
    return declared(
        trial, rows, lines, "contrasts", section, section=section.capitalize(),
        under_z=[{}] * z, under_t=[{}] * (not z),
        whom=f"those with {column}" if column else "everyone seen at every visit of the variable",
        fitted="; ".join(_fitted(lines)) + (f"; covariates: {covariates}" if covariates else ""),
        reference=trial.visit_labels[trial.reference],
        scale=_scale(measures.variables(trial, section)),
        family="q: Benjamini-Hochberg within the declared family."
        if getattr(trial.analysis.fdr_families, section)
        else "No correction for multiplicity is declared.")


def once(trial: Trial, rows: pd.DataFrame) -> Table:
    """Variables seen once: n, mean, SD, median and quartiles by arm, the declared difference."""
    own = measures.variables(trial, measures.ONCE)
    lines = [Line({"Variable": one.label + (f", {one.unit}" if one.unit else ""),
                   "Visit": trial.visit_labels[one.visits[0]]},
                  {"analysis": one.section, "variable": name, "time": one.visits[0]},
                  more={"fitted": measures.method(rows, one.section, name)})
             for name, one in own.items()]
    return declared(trial, rows, lines, "one_visit", scale=_scale(own),
                    fitted=words.listed(_fitted(lines)))


def once_methods(trial: Trial, rows: pd.DataFrame) -> Table:
    """Every method's difference of the variables seen once."""
    own = rows[(rows["arm"] == "difference") & rows["analysis"].isin(measures.SECTIONS)]
    lines = [Line(words.begin(words.method(key.method)), key._asdict(), key.variable)
             for key in own[results.KEYS[:5]].drop_duplicates().itertuples(index=False)]
    return declared(trial, rows, lines, "one_visit_methods",
                    ratio=[{}] * bool(own["statistic"].eq("gmr").any()),
                    scale=_scale(measures.variables(trial, measures.ONCE)))


def _fitted(lines) -> list[str]:
    """The methods of lines in words."""
    return list(map(words.method, dict.fromkeys(line.more["fitted"] for line in lines)))


def _scale(variables) -> str:
    """Which differences stand on the ln scale."""
    logs = [name for name, one in variables.items() if one.transform == "log"]
    links = [name for name, one in variables.items() if one.family]
    scales = {"on the ln scale, where exp(B) is a ratio of geometric means": logs,
              "on the log scale, where exp(B) is a ratio of odds or rates": links}
    return "".join(f", of {', '.join(names)} {scale}" for scale, names in scales.items() if names)


def models(trial: Trial, rows: pd.DataFrame, section="outcomes") -> Table:
    """What each model is made of: size, variances, Group x Time, covariates, its state."""
    lines, covariates = [], {}
    for name in measures.variables(trial, section):
        how = measures.method(rows, section, name)
        lines.append(Line({"Variable": name, "Fitted": words.method(how)},
                          {"analysis": section, "variable": name, "method": how}))
        own = rows["variable"][(rows["analysis"] == section)
                               & rows["variable"].str.startswith(f"{name}: ")]
        covariates |= dict.fromkeys(own.str.removeprefix(f"{name}: "))
    table = declared(trial, rows, lines, "models", f"{section}_models",
                     section=section.capitalize(), covariates=[
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
    lines = [Line({"Variable": name, "Visit": trial.visit_labels[visit]},
                  {"analysis": section, "variable": name, "arm": "difference", "time": visit})
             for name in measures.variables(trial, section)
             for visit in measures.later(trial, name)]
    return declared(trial, rows, lines, "effect_sizes", f"{section}_effect_sizes",
                    section=section.capitalize(), conventions=[
                        {"convention": how, "label": words.method(how)}
                        for how in ("d_ppc2", "d_ppc2-uncorrected", "b_over_sd")])


def ratios(trial: Trial, rows: pd.DataFrame, section="biomarkers") -> Table | None:
    """Geometric means, CV and the ratio of geometric means; None where nothing is logged."""
    lines = [Line({section[:-1].capitalize(): name, "Visit": trial.visit_labels[visit]},
                  {"analysis": section, "variable": name, "time": visit},
                  more={"fitted": measures.method(rows, section, name)})
             for name, variable in measures.variables(trial, section).items()
             if variable.transform == "log" for visit in variable.visits]
    return declared(trial, rows, lines, "ratios", f"{section}_ratios", section=section.capitalize())


def normality(trial: Trial, rows: pd.DataFrame, section="outcomes") -> Table:
    """Lilliefors and Shapiro-Wilk over both arms, on scores, ln scores and residuals."""
    lines = [Line({"Values": one.variable, "Visit": trial.visit_labels.get(one.time, "all")},
                  {"analysis": "normality", "variable": one.variable, "arm": "overall",
                   "time": one.time})
             for one in results.records(rows, analysis="normality", arm="overall",
                                        method="lilliefors")
             if one.variable.split(": ")[0] in measures.variables(trial, section)]
    return declared(trial, rows, lines, "normality", f"{section}_normality",
                    section=section.replace("_", " ").capitalize())


def reliability(trial, rows) -> Table:
    """Alpha and omega of each score that was made from its items."""
    lines = [Line(trial.variable(name).label, {
        "analysis": "reliability", "variable": name, "arm": "overall", "time": trial.reference})
        for name in trial.items]
    return declared(trial, rows, lines, "reliability", visit=trial.visit_labels[trial.reference])
