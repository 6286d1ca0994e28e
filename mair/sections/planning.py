"""The planned sample size: what the declared inputs give under each formula."""

from __future__ import annotations

import pandas as pd

from mair.report import fmt
from mair.report.tables import Table
from mair.results import Lookup, Rows
from mair.stats import power
from mair.trial import Trial

METHODS = ("normal", "t")


def difference(declared: dict) -> float:
    """The difference to detect: declared, or the declared fraction of the declared mean."""
    if declared.get("difference") is not None:
        return declared["difference"]
    return declared["mean"] * declared["relative_difference"]


def rows(trial: Trial) -> pd.DataFrame:
    """Every statistic of the analysis ``sample_size``; none where nothing is declared."""
    out = Rows("sample_size")
    declared = trial.sections.get("sample_size")
    if not declared:
        return out.frame()
    name = trial.primary.name
    delta = difference(declared)
    d = delta / declared["sd"]
    inputs = {key: declared[key] for key in
              ("mean", "relative_difference", "sd", "alpha", "power", "dropout")
              if declared.get(key) is not None}
    out.add(name, "overall", "", "declared", **inputs, difference=delta, d=d)
    for method in METHODS:
        n = power.sample_size(d, alpha=declared["alpha"], power=declared["power"], method=method)
        out.add(name, "overall", "", method, d=d, n=n,
                power=power.achieved_power(d, n, alpha=declared["alpha"], method=method))
        if declared.get("dropout") is not None:
            for rule in ("divided", "multiplied"):
                out.add(name, "overall", "", f"{method}/{rule}",
                        n_with_dropout=power.inflate(n, declared["dropout"], rule=rule))
    return out.frame()


def table(trial: Trial, frame: pd.DataFrame) -> Table:
    """The planned sample size under both formulas and both ways to allow for dropout."""
    n = Lookup(frame)
    name = trial.primary.name
    display, data = [], []
    for method, label in (("normal", "Normal formula"), ("t", "Noncentral t")):
        cell = {s: n("sample_size", name, "overall", "", method, statistic=s)
                for s in ("d", "n", "power")}
        for rule in ("divided", "multiplied"):
            key = ("sample_size", name, "overall", "", f"{method}/{rule}", "n_with_dropout")
            cell[rule] = (n(*key[:5], statistic=key[5]) if key in n else float("nan"))
        display.append({
            "Formula": label, "d": fmt.number(cell["d"], 3), "n an arm": f"{cell['n']:g}",
            "Power at that n": f"{100 * cell['power']:.1f}%",
            "Both arms, n / (1 - dropout)": fmt.number(cell["divided"], 0),
            "Both arms, n x (1 + dropout)": fmt.number(cell["multiplied"], 1),
        })
        data.append({"method": method, **cell})
    return Table("sample_size", "Planned sample size", pd.DataFrame(display), pd.DataFrame(data),
                 notes=("Two-sided, equal arms. The first inflation rounds up per arm; the second "
                        "is not rounded.",), synthetic=trial.synthetic)


def sentence(trial: Trial, frame: pd.DataFrame) -> str:
    """What both formulas ask for, in one sentence."""
    n = Lookup(frame)
    needed = [n("sample_size", trial.primary.name, "overall", "", method, statistic="n")
              for method in METHODS]
    d = n("sample_size", trial.primary.name, "overall", "", "declared", statistic="d")
    return (f"At d = {fmt.number(d, 3)} the normal formula asks for {needed[0]:g} an arm, the "
            f"noncentral t for {needed[1]:g}.")


def unrounded(trial: Trial) -> str:
    """What the unrounded relative difference would have needed, in one sentence (or none)."""
    declared = trial.sections.get("sample_size") or {}
    if not all(declared.get(k) is not None for k in ("difference", "mean", "relative_difference")):
        return ""
    exact = declared["mean"] * declared["relative_difference"]
    if exact == declared["difference"]:
        return ""
    needed = [power.sample_size(exact / declared["sd"], alpha=declared["alpha"],
                                power=declared["power"], method=method) for method in METHODS]
    return (f"Rounding matters: {declared['relative_difference']:.0%} of {declared['mean']:g} is "
            f"{exact:g}, not {declared['difference']:g}, and needs {needed[0]} an arm by the "
            f"normal formula and {needed[1]} by the noncentral t.")
