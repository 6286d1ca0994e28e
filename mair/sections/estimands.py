"""The estimand behind each estimated row: whom it covers, and how many stand behind it."""

from __future__ import annotations

import pandas as pd

from mair.results import KEYS
from mair.sections import model as models
from mair.sections import nnt
from mair.trial import Trial

SUMMARIES = {
    "outcomes": "difference between arms in mean change from baseline",
    "biomarkers": "difference between arms in mean change from baseline",
    "robustness": "difference between arms in mean change from baseline",
    "emm": "estimated marginal mean",
    "nnt": "difference between arms in the percentage who respond",
}
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
                         for e in declared.get("intercurrent") or []) or "none declared"
    own = frame[frame["analysis"].isin(SUMMARIES) & (frame["arm"] == "difference")
                & frame["statistic"].isin(["b", "d", "arr", "mean", "chi2", "f"])]
    out = []
    for key in own[KEYS[:5]].drop_duplicates().itertuples(index=False):
        counts = _counts(trial, key)
        out.append({
            **key._asdict(), "population": population, "strategy": strategy,
            "summary": _summary(trial, key),
            **{f"{what}_{arm}": counts[arm][i] for arm in trial.arms
               for i, what in enumerate(("n_randomised", "n_with_data", "rows"))},
        })
    return pd.DataFrame(out)


def _summary(trial: Trial, key) -> str:
    if key.analysis == "nnt":
        return SUMMARIES["nnt"]
    if key.method.startswith("d_ppc2"):
        return "standardised difference in mean change, of those described"
    log = trial.variable(key.variable).transform == "log"
    if key.method == "b_over_sd":
        return "B over the baseline SD of those described"
    if key.analysis == "emm":
        return "difference of estimated marginal means" + (LN if log else "")
    return SUMMARIES[key.analysis] + (LN if log else "")


def _counts(trial: Trial, key) -> dict[str, tuple[int, int, int]]:
    """(randomised, participants with data, rows) by arm."""
    if key.analysis == "nnt":
        _, found = nnt.responses(trial)
        known = found[key.variable].notna()
        if not key.method.startswith("completers"):
            known[:] = True
        return {arm: (trial.n(arm), int(known[trial.arm == arm].sum()),
                      int(known[trial.arm == arm].sum())) for arm in trial.arms}
    if key.method.startswith("d_ppc2"):
        scores = trial.scores(key.variable)[trial.described(key.variable)]
        rows = scores[[trial.reference, key.time]].dropna().stack().reset_index()
        rows = rows.rename(columns={rows.columns[0]: "participant"})
        rows["arm"] = rows["participant"].map(trial.arm)
    elif "mi-" in key.method:
        wide = models.wide(trial, key.variable)[list(trial.variable(key.variable).visits)]
        rows = wide.fillna(0.0).stack().reset_index()  # every missing value is imputed
        rows = rows.rename(columns={rows.columns[0]: "participant"})
        rows["arm"] = rows["participant"].map(trial.arm)
    else:
        rows = models.observations(trial, key.variable)
        if key.method.startswith("ancova:") and key.time:
            pair = rows[rows["time"].isin([trial.reference, key.time])]
            both = pair["participant"].value_counts() == 2
            rows = pair[pair["participant"].map(both) & (pair["time"] == key.time)]
    return {arm: (trial.n(arm), rows.loc[rows["arm"] == arm, "participant"].nunique(),
                  int((rows["arm"] == arm).sum())) for arm in trial.arms}
