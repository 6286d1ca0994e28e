"""The planned sample size: what the declared inputs give under each formula."""

from __future__ import annotations

import pandas as pd

from mair.results import Rows
from mair.stats import power
from mair.trial import Trial

METHODS = ("normal", "t")


def difference(declared: dict) -> float:
    """The difference to detect: declared, or the declared fraction of the declared mean."""
    return declared.get("difference") or declared["mean"] * declared["relative_difference"]


def rows(trial: Trial) -> pd.DataFrame:
    """Every statistic of the analysis ``sample_size``; none where nothing is declared."""
    out, declared = Rows("sample_size"), trial.sections.get("sample_size")
    if not declared:
        return out.frame()
    name, delta = trial.primary.name, difference(declared)
    d = delta / declared["sd"]
    inputs = {key: declared[key] for key in ("mean", "relative_difference", "sd", "alpha",
                                             "power", "dropout") if key in declared}
    out.add(name, "overall", "", "declared", **inputs, difference=delta, d=d)
    for method in METHODS:
        n = power.sample_size(d, alpha=declared["alpha"], power=declared["power"], method=method)
        out.add(name, "overall", "", method, d=d, n=n,
                power=power.achieved_power(d, n, alpha=declared["alpha"], method=method))
        for rule, planned in inflated(declared, n).items():
            out.add(name, "overall", "", f"{method}/{rule}", n_with_dropout=planned)
    return out.frame()


def inflated(declared: dict, n: int) -> dict[str, int]:
    """Participants of both arms by rule for the dropout declared; empty where none is."""
    return {rule: power.inflate(n, declared["dropout"], rule=rule)
            for rule in ("divided", "multiplied") if "dropout" in declared}
