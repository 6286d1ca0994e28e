"""Tables of responders, robustness, power, the audit and the reconstruction.

Each is declared: what stands in its lines and in its columns; `mair.report.table.pivot` looks
the statistics up in the rows.
"""

from __future__ import annotations

from mair.report import fmt
from mair.report.table import Column, Line, Table, pivot
from mair.sections import nnt as risks
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
