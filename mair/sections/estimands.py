"""The estimand behind each estimated row: whom it covers, and how many stand behind it."""

from __future__ import annotations

import pandas as pd

from mair.results import KEYS
from mair.sections import model as models
from mair.sections import nnt
from mair.trial import Trial

SUMMARIES = dict.fromkeys(("outcomes", "biomarkers", "robustness"),
                          "difference between arms in mean change from baseline") | {
    "emm": "difference of estimated marginal means",
    "nnt": "difference between arms in the percentage who respond"}
LN = ", ln scale"


def table(trial: Trial, frame: pd.DataFrame) -> pd.DataFrame:
    """Estimands of the rows that estimate something between arms.

    Parameters
    ----------
    trial : Trial
    frame : DataFrame
        Rows of ``results.csv``.

    Returns
    -------
    DataFrame
        The key columns but ``statistic``, then ``population``, ``strategy``, ``summary`` and,
        per arm, ``n_randomised``, ``n_with_data``, ``rows``.
    """
    declared = trial.sections.get("estimand") or {}
    population = declared.get("population", "all randomised")
    strategy = "; ".join(f"{e['event']}: {e['strategy']}"
                         for e in declared.get("intercurrent", [])) or "none declared"
    own = frame[frame["analysis"].isin(SUMMARIES) & (frame["arm"] == "difference")
                & frame["statistic"].isin(["b", "d", "arr", "mean", "chi2", "f"])]
    out = []
    for key in own[KEYS[:5]].drop_duplicates().itertuples(index=False):
        found, used = key._asdict(), _used(trial, key)
        found |= {"population": population, "strategy": strategy, "summary": _summary(trial, key)}
        for arm in trial.arms:
            of_arm = used[trial.arm == arm]
            found |= {f"n_randomised_{arm}": trial.n(arm),
                      f"n_with_data_{arm}": int(of_arm.any(axis=1).sum()),
                      f"rows_{arm}": int(of_arm.to_numpy().sum())}
        out.append(found)
    return pd.DataFrame(out)


def _summary(trial: Trial, key) -> str:
    if key.analysis == "nnt":
        return SUMMARIES["nnt"]
    if key.method.startswith("d_ppc2"):
        return "standardised difference in mean change, of those described"
    log = trial.variable(key.variable).transform == "log"
    if key.method == "b_over_sd":
        return "B over the baseline SD of those described"
    return SUMMARIES[key.analysis] + (LN if log else "")


def _used(trial: Trial, key) -> pd.DataFrame:
    """Which scores stand behind a row: bool, participants by visits."""
    if key.analysis == "nnt":
        known = nnt.responses(trial)[1][key.variable].notna().to_frame()
        return known if key.method.startswith("completers") else known | True
    seen = trial.seen(key.variable)
    if key.method.startswith("d_ppc2"):
        pair = seen[[trial.reference, key.time]]
        return pair.mul(pair.all(axis=1) & trial.described(key.variable), axis=0)
    complete = models.complete_covariates(trial)
    if "mi-" in key.method:  # every missing value is imputed
        return (seen | True).mul(complete, axis=0)
    seen = seen.mul(complete, axis=0)
    if key.method.startswith("ancova") and key.time:
        return seen[[key.time]].mul(seen[trial.reference], axis=0)
    return seen
