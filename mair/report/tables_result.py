"""The tables of flow, baseline, outcomes and biomarkers: which rows stand where, and how.

Each function takes the trial (for names, order and sizes) and rows of ``results.csv``, and
declares a `pivot`; nothing is computed here but an intraclass correlation from two variances.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pandas as pd

from mair import results
from mair.report import fmt, words
from mair.report.table import Column, Line, Table, pivot, worded
from mair.sections import baseline as characteristics
from mair.sections import flow, measures
from mair.trial import Trial

OVERALL, DIFFERENCE = {"arm": "overall"}, {"arm": "difference"}
SIZES = "{:g} ({:g})".format  # people and their scores


def _arms(trial: Trial, *, overall=False) -> dict[str, str]:
    """Each arm's heading, with its size."""
    found = {arm: f"{_named(trial, arm)} (n = {trial.n(arm)})" for arm in trial.arms}
    return found | ({"overall": f"Overall (n = {trial.n()})"} if overall else {})


def _named(trial: Trial, arm: str) -> str:
    """An arm as a heading has it: where it is a bare number, its label."""
    return trial.labels[arm] if arm.isdecimal() else arm


def _digits(trial: Trial, name: str) -> int:
    """Decimals of a mean: one where a score is a whole number."""
    step = getattr({**trial.outcomes, **trial.biomarkers}.get(name), "step", None)
    return 1 if step and step % 1 == 0 else 2


def _ci(trial: Trial) -> str:
    return f"{100 * trial.analysis.confidence:g}% CI"


def retention(trial: Trial, rows: pd.DataFrame) -> Table:
    """Who was seen at each visit, by arm, with Wilson intervals and Fisher's p."""
    name, seen = flow.followed(trial)
    lines = [Line(trial.visit_labels[visit],
                  {"analysis": "flow", "variable": "retained", "time": visit}) for visit in seen]
    columns, spanners = [], {}
    for arm, heading in _arms(trial, overall=True).items():
        spanners[heading] = seen, limits = f"{arm}::Seen (%)", f"{arm}::{_ci(trial)}"
        columns += [Column(seen, ("n", "percent"), fmt.count, {"arm": arm}),
                    Column(limits, ("ci_low", "ci_high"), partial(fmt.ci, digits=1),
                           {"arm": arm, "method": "wilson"})]
    columns.append(Column("p (Fisher)", ("p",), fmt.p_value, DIFFERENCE | {"method": "fisher"}))
    return pivot(rows, lines, columns, spanners=spanners, **worded("retention", primary=name))


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
    columns = [Column(f"{_named(trial, arm)}, {head}", statistics, show, {"arm": arm})
               for arm in trial.arms for head, statistics, show in (
                   ("n (%)", ("n", "percent"), fmt.count), ("events", ("events",), lambda n:
                    fmt.number(n, 0, missing="")))[:1 if trial.events is None else 2]]
    if trial.events is None:
        return pivot(rows, lines, columns, **worded("withdrawals", "harms")) if lines else None
    interval = trial.analysis.risk_interval
    columns += [Column(f"Difference, percentage points ({_ci(trial)})", ("rd", "ci_low", "ci_high"),
                       partial(fmt.estimate, digits=1), DIFFERENCE | {"method": interval}),
                Column("p (Fisher)", ("p",), fmt.p_value, DIFFERENCE | {"method": "fisher"})]
    return pivot(rows, lines, columns,
                 **worded("harms", **_sides(trial), interval=words.METHODS[interval]))


def progression(trial: Trial, rows: pd.DataFrame) -> Table | None:
    """Progression criteria, their thresholds and decisions; None where none are declared."""
    lines = [Line(words.begin(one.variable) + (one.time and f", {trial.visit_labels[one.time]}"),
                  {"analysis": "progression", "variable": one.variable, "arm": "overall",
                   "time": one.time, "limits": one.method})
             for one in results.records(rows, analysis="progression", method=["wilson", "poisson"])]
    columns = [
        Column("Observed", ("n", "n_of", "months", "percent", "rate"), _reached, data="observed"),
        Column(_ci(trial), ("ci_low", "ci_high"), partial(fmt.ci, digits=1),
               lambda line: {"method": line.keys["limits"]}),
        *(Column(head, (one,), "{:g}".format, {"method": "declared"})
          for head, one in (("Green, from", "green"), ("Amber, from", "amber"))),
        *(Column(head, (one,), lambda of: flow.DECISIONS.get(of, fmt.NOT_ESTIMABLE),
                 {"method": "declared"}) for head, one in (
                     ("Decision", "decision"), ("By the lower limit", "decision_low"),
                     ("By the upper limit", "decision_high")))]
    return pivot(rows, lines, columns, **worded("progression")) if lines else None


def _reached(n, of, months, percent, rate) -> str:
    return (fmt.count(n, percent, of=of) if fmt.absent(rate)
            else f"{n:g} in {months:g} months ({fmt.number(rate, 1)} a month)")


def attendance(trial: Trial, rows: pd.DataFrame) -> Table | None:
    """Sessions attended, credibility and preference by arm; None where nothing is declared."""
    found = rows.loc[rows["analysis"] == "flow", "variable"].drop_duplicates()
    lines = [Line(f"{label}, median (Q1 to Q3)",
                  {"analysis": "flow", "variable": role, "method": "weighted-average"})
             for role, label in (("sessions", "Sessions attended"),
                                 ("credibility", "Credibility")) if role in set(found)]
    lines += [Line(f"Preferred: {variable.removeprefix('preference: ')}",
                   {"analysis": "flow", "variable": variable, "method": ""})
              for variable in found[found.str.startswith("preference: ")]]
    columns = [Column(heading, ("n", "percent", "median", "q1", "q3"), _answers, {"arm": arm})
               for arm, heading in _arms(trial).items()]
    columns.append(Column("p (Mann-Whitney)", ("p",), fmt.p_value,
                          DIFFERENCE | {"method": "mann-whitney"}))
    return pivot(rows, lines, columns, **worded("attendance")) if lines else None


def _answers(n, percent, median, q1, q3) -> str:
    return (fmt.count(n, percent) if fmt.absent(median)
            else f"{median:g} ({q1:g} to {q3:g}), n = {n:g}")


def interventions(trial: Trial) -> Table | None:
    """The interventions session by session, as ``about: interventions`` declares them."""
    declared = trial.about.get("interventions")
    frame = pd.DataFrame(declared).astype(str)
    return Table("interventions", "The interventions, session by session", frame,
                 frame, cohort=False) if declared else None


def sample_size(trial: Trial, rows: pd.DataFrame) -> Table:
    """The planned sample size under both formulas and both ways to allow for dropout."""
    lines = [Line(label, {"analysis": "sample_size", "variable": trial.primary.name,
                          "arm": "overall", "method": method})
             for method, label in (("normal", "Normal formula"), ("t", "Noncentral t"))]
    columns = [Column("d", ("d",), partial(fmt.number, digits=3)),
               Column("Participants per arm", ("n",), fmt.count),
               Column("Power with that number", ("power",), "{:.1%}".format)]
    columns += [Column(head, ("n_with_dropout",), partial(fmt.number, digits=digits),
                       lambda line, rule=rule: {"method": f"{line.keys['method']}/{rule}"}, rule)
                for rule, head, digits in (("divided", "Both arms, n / (1 − dropout)", 0),
                                           ("multiplied", "Both arms, n × (1 + dropout)", 1))]
    return pivot(rows, lines, columns, **worded("sample_size"))


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
    columns = [Column(
        heading, ("n", "n_known", "percent", "mean", "sd"),
        lambda n, known, percent, mean, sd, digits: fmt.mean_sd(mean, sd, digits)
        if fmt.absent(known) else fmt.count(n, percent), {"arm": arm})
        for arm, heading in _arms(trial, overall=True).items()]
    columns.append(Column(f"SMD ({_ci(trial)})", ("smd", "ci_low", "ci_high"), fmt.estimate,
                          DIFFERENCE | {"method": "smd"}))
    return pivot(rows, lines, columns, **worded("baseline"))


def baseline_tests(trial: Trial, rows: pd.DataFrame) -> Table:
    """The p values that a printed baseline table may hold, each under its test's name."""
    kinds = {True: "Continuous characteristics", False: "Counts"}
    lines = [Line(feature.label, {"analysis": "baseline", "variable": feature.name}, heading)
             for continuous, heading in kinds.items() for feature in trial.baseline
             if (feature.kind == "continuous") == continuous]
    columns = [Column(method.capitalize(), ("p",), fmt.p_value, DIFFERENCE | {"method": method})
               for method in (*characteristics.CONTINUOUS, *characteristics.COUNTS)]
    return pivot(rows, lines, columns, **worded("baseline_tests"))


def outcomes(trial: Trial, rows: pd.DataFrame, section="outcomes") -> Table:
    """Means by arm and visit with d, B, z or t, p and q, one block a variable."""
    lines, fitted = [], {}
    for name, variable in measures.variables(trial, section).items():
        fitted[name] = measures.method(rows, section, name)
        label = f"{name}: {variable.label}" if variable.label != name else name
        label += f", {variable.unit}" if variable.unit else ""
        scale = "; B on the ln scale" * bool(variable.transform or variable.family)
        lines += [Line(trial.visit_labels[visit],
                       {"analysis": section, "variable": name, "time": visit}, label + scale,
                       _digits(trial, name)) for visit in variable.visits]
    columns = [Column(f"{_named(trial, arm)}, {head}", statistics, show,
                      {"arm": arm, "method": "described"})
               for arm in trial.arms for head, statistics, show in (
                   ("n", ("n",), fmt.count), ("mean (SD)", ("mean", "sd"), fmt.mean_sd))]
    columns.append(Column("d", ("d",), fmt.number, DIFFERENCE | {"method": "d_ppc2"}))
    z = trial.analysis.inference == "z"
    columns += [Column(head, statistics, show, lambda line: DIFFERENCE | {
        "method": fitted[line.keys["variable"]]}, "model") for head, statistics, show in (
            (f"B ({_ci(trial)})", ("b", "ci_low", "ci_high"), fmt.estimate),
            ("z", ("z",), fmt.number) if z else ("t (df)", ("t", "df"), lambda t, df:
                                                 f"{fmt.number(t)} ({fmt.number(df, 1)})"),
            ("p", ("p",), fmt.p_value), ("q", ("q",), partial(fmt.p_value, missing="")),
            ("n (scores)", ("n", "n_rows"), SIZES))]
    return pivot(rows, lines, columns, **worded(
        "contrasts", section, section=section.capitalize(), **_whom(trial, section, fitted)))


def once(trial: Trial, rows: pd.DataFrame) -> Table:
    """Variables seen once: n, mean, SD, median and quartiles by arm, the declared difference."""
    own = measures.variables(trial, measures.ONCE)
    fitted = {name: measures.method(rows, one.section, name) for name, one in own.items()}
    lines = [Line({"Variable": one.label + (f", {one.unit}" if one.unit else ""),
                   "Visit": trial.visit_labels[one.visits[0]]},
                  {"analysis": one.section, "variable": name, "time": one.visits[0]})
             for name, one in own.items()]
    columns = [Column(f"{_named(trial, arm)}, {head}", statistics, show,
                      {"arm": arm, "method": "described"})
               for arm in trial.arms for head, statistics, show in (
                   ("n", ("n",), fmt.count), ("mean (SD)", ("mean", "sd"), fmt.mean_sd),
                   ("median (Q1 to Q3)", ("median", "q1", "q3"), lambda middle, q1, q3:
                    f"{fmt.number(middle)} ({fmt.number(q1)} to {fmt.number(q3)})"))]
    columns += [Column(head, statistics, show, lambda line: DIFFERENCE | {
        "method": fitted[line.keys["variable"]]}, "model") for head, statistics, show in (
            (f"B ({_ci(trial)})", ("b", "ci_low", "ci_high"), fmt.estimate),
            ("p", ("p",), fmt.p_value), ("q", ("q",), partial(fmt.p_value, missing="")))]
    return pivot(rows, lines, columns, **worded(
        "one_visit", **_sides(trial), scale=_scale(own),
        fitted=words.listed(map(words.method, dict.fromkeys(fitted.values())))))


def once_methods(trial: Trial, rows: pd.DataFrame) -> Table:
    """Every method's difference of the variables seen once."""
    own = rows[(rows["arm"] == "difference") & rows["analysis"].isin(measures.SECTIONS)]
    lines = [Line(words.begin(words.method(key.method)), key._asdict(), key.variable)
             for key in own[results.KEYS[:5]].drop_duplicates().itertuples(index=False)]
    columns = [Column("n", ("n",), partial(fmt.count)),
               Column(f"Difference ({_ci(trial)})", ("b", "ci_low", "ci_high"), lambda b, *ends:
                      "" if fmt.absent(b) else fmt.estimate(b, *ends)),
               Column("df", ("df",), partial(fmt.number, digits=1, missing="")),
               Column("p", ("p",), partial(fmt.p_value, missing="")),
               Column(f"Ratio ({_ci(trial)})", ("gmr", "gmr_low", "gmr_high"), lambda b, *ends:
                      "" if fmt.absent(b) else fmt.estimate(b, *ends))]
    if own["statistic"].ne("gmr").all():
        columns.pop()
    return pivot(rows, lines, columns, **worded(
        "one_visit_methods", scale=_scale(measures.variables(trial, measures.ONCE))))


def _sides(trial: Trial) -> dict[str, str]:
    return {side: _named(trial, getattr(trial, side)) for side in ("treatment", "control")}


def _scale(variables) -> str:
    """Which differences stand on the ln scale."""
    logs = [name for name, one in variables.items() if one.transform == "log"]
    links = [name for name, one in variables.items() if one.family]
    scales = {"on the ln scale, where exp(B) is a ratio of geometric means": logs,
              "on the log scale, where exp(B) is a ratio of odds or rates": links}
    return "".join(f", of {', '.join(names)} {scale}" for scale, names in scales.items() if names)


def _whom(trial: Trial, section: str, fitted: dict[str, str]) -> dict[str, str]:
    """Whom the columns cover, which models were fitted, and what d, B and q are."""
    column = (trial.sections.get("describe") or {}).get(section)
    covariates = ", ".join(covariate.name for covariate in trial.covariates)
    return {
        "whom": f"those with {column}" if column else
        "everyone seen at every visit of the variable",
        "fitted": "; ".join(words.method(how) for how in dict.fromkeys(fitted.values())) + (
            f"; covariates: {covariates}" if covariates else ""),
        "reference": trial.visit_labels[trial.reference],
        **_sides(trial),
        "scale": _scale(measures.variables(trial, section)),
        "family": "q: Benjamini-Hochberg within the declared family."
        if getattr(trial.analysis.fdr_families, section)
        else "No correction for multiplicity is declared."}


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
    three, variances = partial(fmt.number, digits=3), ("var_participant", "var_residual")
    columns = [Column(head, statistics, show, OVERALL) for head, statistics, show in (
        ("n (scores)", ("n", "n_rows"), SIZES), ("Participant variance", variances[:1], three),
        ("Residual variance", variances[1:], three), ("ICC", variances, _icc))]
    columns.append(Column("Group x Time", ("chi2", "f", "df1", "df2", "p"), _whole, DIFFERENCE,
                          "group_time"))
    columns += [Column(
        f"{words.label(trial, label)}, p", ("p",), fmt.p_value,
        lambda line, label=label: OVERALL | {"variable": f"{line.keys['variable']}: {label}"},
        label) for label in covariates]
    columns.append(Column("State", ("reml_criterion", "converged", "boundary", "fallback"), _state,
                          OVERALL))
    table = pivot(rows, lines, columns, **worded("models", f"{section}_models",
                                                 section=section.capitalize()))
    states: dict[str, list[str]] = {}  # as footnotes
    for line, state in zip(lines, table.display.pop("State"), strict=True):
        states.setdefault(state, []).append(line.keys["variable"])
    said = [f"{words.begin(state)}: {', '.join(own)}." for state, own in states.items() if state]
    return replace(table, keys=tuple(keys[:-1] for keys in table.keys), notes=(
        *table.notes, *(["All models converged."] if list(states) == ["converged"] else said)))


def _icc(participant, residual) -> str:
    total = participant + residual
    return fmt.number(participant / total if total else None, 3)


def _whole(chi2, f, df1, df2, p) -> str:
    """Group x Time as a whole, for reading."""
    if fmt.absent(f):
        return f"χ²({df1:g}) = {fmt.number(chi2)}, {fmt.p(p)}"
    return f"F({df1:g}, {fmt.number(df2, 1)}) = {fmt.number(f)}, {fmt.p(p)}"


def _state(criterion, converged, boundary, fallback) -> str:
    states = {"variance at zero": boundary, "fell back": fallback, "not converged": not converged}
    return "; ".join(state for state, holds in states.items() if holds) or "converged"


def effect_sizes(trial: Trial, rows: pd.DataFrame, section="outcomes") -> Table:
    """The effect sizes under each convention, with intervals."""
    lines = [Line({"Variable": name, "Visit": trial.visit_labels[visit]},
                  {"analysis": section, "variable": name, "arm": "difference", "time": visit})
             for name in measures.variables(trial, section)
             for visit in measures.later(trial, name)]
    columns = [Column("n", ("n",), fmt.count, {"method": "d_ppc2"})]
    columns += [Column(words.method(how), ("d", "ci_low", "ci_high"), fmt.estimate, {"method": how})
                for how in ("d_ppc2", "d_ppc2-uncorrected", "b_over_sd")]
    return pivot(rows, lines, columns, **worded(
        "effect_sizes", f"{section}_effect_sizes", section=section.capitalize(), ci=_ci(trial)))


def ratios(trial: Trial, rows: pd.DataFrame, section="biomarkers") -> Table | None:
    """Geometric means, CV and the ratio of geometric means; None where nothing is logged."""
    lines, fitted = [], {}
    for name, variable in measures.variables(trial, section).items():
        if variable.transform == "log":
            fitted[name] = measures.method(rows, section, name)
            lines += [Line({section[:-1].capitalize(): name, "Visit": trial.visit_labels[visit]},
                           {"analysis": section, "variable": name, "time": visit})
                      for visit in variable.visits]
    columns = [Column(f"{arm}, geometric mean (CV)", ("gm", "cv", "n"), lambda gm, cv, n:
                      f"{fmt.number(gm)} ({fmt.number(cv, 0)}%), n = {n:g}",
                      {"arm": arm, "method": "described"}) for arm in trial.arms]
    columns.append(Column(
        f"Ratio of change ({_ci(trial)})", ("gmr", "gmr_low", "gmr_high"), fmt.estimate,
        lambda line: DIFFERENCE | {"method": fitted[line.keys["variable"]]}))
    return pivot(rows, lines, columns, **worded(
        "ratios", f"{section}_ratios", section=section.capitalize(), treatment=trial.treatment,
        control=trial.control)) if lines else None


def normality(trial: Trial, rows: pd.DataFrame, section="outcomes") -> Table:
    """Lilliefors and Shapiro-Wilk over both arms, on scores, ln scores and residuals."""
    own = rows[(rows["analysis"] == "normality") & (rows["arm"] == "overall")]
    keys = own[["variable", "time"]].drop_duplicates()
    lines = [Line({"Values": variable, "Visit": trial.visit_labels.get(visit, "all")},
                  {"analysis": "normality", "variable": variable, "arm": "overall", "time": visit})
             for variable, visit in keys.itertuples(index=False)
             if variable.split(": ")[0] in measures.variables(trial, section)]
    columns = [Column("n", ("n",), fmt.count, {"method": "lilliefors"})]
    columns += [Column(f"{method.title()} p", ("p",), fmt.p_value, {"method": method})
                for method in ("lilliefors", "shapiro-wilk")]
    return pivot(rows, lines, columns, **worded("normality", f"{section}_normality",
                                                section=section.replace("_", " ").capitalize()))


def reliability(trial, rows) -> Table:
    """Alpha and omega of each score that was made from its items."""
    lines = [Line(trial.variable(name).label, {
        "analysis": "reliability", "variable": name, "arm": "overall", "time": trial.reference})
        for name in trial.items]
    columns = [Column("People (items)", ("n", "items"), SIZES, {"method": "alpha"}),
               *(Column(head, ("estimate", "ci_low", "ci_high"), fmt.estimate,
                        {"method": method}, method) for head, method in (
                   ("Cronbach's alpha", "alpha"), ("McDonald's omega", "omega")))]
    return pivot(rows, lines, columns, **worded("reliability", visit=trial.visit_labels[
        trial.reference], level=100 * trial.analysis.confidence))
