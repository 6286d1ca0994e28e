"""Tables of responders, robustness, power, the audit and the reconstruction.

Each is declared: what stands in its lines and in its columns; `mair.report.table.pivot` looks
the statistics up in the rows.
"""

from __future__ import annotations

import pandas as pd

from mair.report import fmt
from mair.report.table import Column, Line, Table, pivot
from mair.results import COLUMNS, KEYS
from mair.sections import nnt as risks
from mair.sections import robustness as choices
from mair.stats import risk

MISSING = {
    "completers": "Only those seen", "nonresponder": "Unseen have not improved",
    "worst-case": "Worst case for the treatment", "best-case": "Best case for the treatment",
    "mi-mar": "Imputed, missing at random",
}
LIMITS = {"wald": "Wald", "newcombe": "Newcombe", "miettinen-nurminen": "Miettinen-Nurminen",
          "skewness-corrected": "Skewness-corrected"}


def nnt(trial, rows) -> Table:
    """Responders and NNT: the declared missing rule under every interval, the others under one."""
    main, shown = trial.analysis.responder_missing, trial.analysis.risk_interval
    methods = [(main, limits) for limits in LIMITS]
    methods += [(rule, shown) for rule in risks.RULES if rule != main]
    methods += [("mi-mar", "wald")] if main != "mi-mar" else []
    own = rows[rows["arm"] == "difference"]
    there = dict.fromkeys(own[["variable", "time", "method"]].itertuples(index=False, name=None))
    lines = [
        Line({"Missing results": MISSING[rule], "Interval": LIMITS[limits]},
             {"analysis": "nnt", "variable": name, "time": visit, "missing": rule,
              "interval": limits}, name)
        for name, visit in dict.fromkeys(key[:2] for key in there)
        for rule, limits in methods if (name, visit, f"{rule}/{limits}") in there]
    arms = [Column(arm, ("responders", "n", "percent"),
                   lambda k, n, percent: f"{k:.3g}/{n:g} ({fmt.number(percent, 1)}%)",
                   lambda line, arm=arm: {"arm": arm, "method": line.keys["missing"]}, arm)
            for arm in trial.arms]
    return pivot(
        rows, lines, [
            *arms,
            _difference("ARR, percentage points", ("arr", "ci_low", "ci_high"),
                        lambda *arr: fmt.estimate(*arr, 1)),
            _difference("NNT", ("nnt",), risk.format_nnt),
            _difference("NNT interval", ("nnt_ci_low", "nnt_ci_high", "nnt_through_infinity"),
                        risk.format_nnt_interval),
            _difference("Risk ratio", ("rr", "rr_low", "rr_high"), fmt.estimate),
        ],
        name="nnt", title="Responders, absolute risk reduction and number needed to treat",
        notes=[f"{trial.analysis.confidence:.0%} intervals. ARR and NNT are of the good result, "
               f"{trial.treatment} minus {trial.control}; NNT is rounded away from zero. An "
               "interval of ARR that holds 0 gives an NNT interval through infinity."])


def _difference(head, statistics, show) -> Column:
    """A column of the difference between arms, by the line's missing rule and interval."""
    return Column(head, statistics, show, lambda line: {
        "arm": "difference", "method": f"{line.keys['missing']}/{line.keys['interval']}"})


def robustness(trial, rows, found=None) -> Table:
    """The primary contrast under every choice; beside it its range over cohorts, where stored."""
    own = rows[choices.is_contrast(rows)]
    lines = [Line({"Method": method}, {"analysis": "robustness", "variable": trial.primary.name,
                                       "arm": "difference", "time": visit, "method": method},
                  f"{trial.primary.name}, {visit}")
             for visit in trial.primary.visits
             for method in dict.fromkeys(own.loc[own["time"] == visit, "method"])]
    columns = [
        Column("n (rows)", ("n", "n_rows"), "{:g} ({:g})".format),
        Column(f"B ({100 * trial.analysis.confidence:g}% CI)", ("b", "ci_low", "ci_high"),
               fmt.estimate),
        Column("SE", ("se",), fmt.number),
        Column("df", ("df",), lambda df: fmt.number(df, 1, missing="")),
        Column("p", ("p",), fmt.p_value),
    ]
    if found is not None:
        rows = pd.concat([rows, _ranges(found)])
        columns.append(Column("B over cohorts", ("b_low", "b_high"), fmt.interval))
    return pivot(rows, lines, columns, name="robustness",
                 title=f"{trial.primary.name} under every choice",
                 notes=["Method: covariance / inference, then the missing-data rule. Re-randomised "
                        "intervals are approximate: the other visits' shifts are held at their "
                        "estimates."])


def _ranges(found: pd.DataFrame) -> pd.DataFrame:
    """Ranges over cohorts as rows: statistics ``<statistic>_low``, ``_high``, ``_identified``."""
    keys = [key for key in KEYS if key != "arm"]
    long = found.melt(keys, ["low", "high", "identified"], "end")
    return long.assign(arm="difference", statistic=long["statistic"] + "_" + long["end"])[COLUMNS]


def delta_grid(trial, visit) -> Table | None:
    """The contrast when the imputed values of either arm are made worse; None without any."""
    rows, steps = choices.delta_grid(trial, visit), [0.0, *choices.deltas(trial)[:4]]
    if rows.empty:
        return None
    lines = [Line(f"{step:g}", {"analysis": "robustness", "variable": trial.primary.name,
                                "arm": "difference", "time": visit, "treatment_delta": step})
             for step in steps]
    columns = [Column(f"{trial.control} worse by {step:g}", ("b", "ci_low", "ci_high"),
                      lambda *cell: fmt.estimate(*cell, 1), data=f"control_delta_{step:g}",
                      keys=lambda line, step=step: {
                          "method": f"delta={line.keys['treatment_delta']:g}/control={step:g}"})
               for step in steps]
    return pivot(rows, lines, columns, name=f"delta_grid_{trial.primary.visits.index(visit)}",
                 title=f"Imputed values made worse in either arm, {visit}",
                 head=f"{trial.treatment} worse by",
                 notes=["random-intercept/kenward-roger/mi-mar; the same imputations in every "
                        "place; in the outcome's points, towards the bad end."])
