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
SEEN = "as others of their arm with the same scores (missing at random)"
UNADJUSTED = ("welch", "student", "hodges-lehmann")  # of variables seen once
# A part of a method's name: whom it covers of the population, and what it takes for those lost.
RULES = {
    "delta=": ("", f"imputed {SEEN}, then shifted by the points that the method names"),
    "mi-j2r": ("", "the treatment arm's as in the control arm from then on (jump to reference)"),
    "mi-cr": ("", "the treatment arm's as in the control arm throughout (copy reference)"),
    "mi-mar": ("", f"imputed {SEEN}"),
    "completers": (" whose response is known", "left out"),
    "nonresponder": ("", "counted as not improved"),
    "worst-case": ("", "counted as failed in the treatment arm, as improved in the control arm"),
    "best-case": ("", "counted as improved in the treatment arm, as failed in the control arm"),
    "d_ppc2": (" who are described and were seen at both visits", "left out"),
    "gee-": ("", "left out, as if missing completely at random"),
    "ancova": (" seen at baseline and at the visit", "left out"),
} | dict.fromkeys(("linear/t", *UNADJUSTED), (" seen at the visit", "left out"))


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
    events = [f"{e['event']}: {e['strategy']}" for e in declared.get("intercurrent", [])]
    own = frame[frame["analysis"].isin(SUMMARIES) & (frame["arm"] == "difference")
                & frame["statistic"].isin(["b", "d", "arr", "or", "mean", "chi2", "f"])]
    out = []
    for key in own[KEYS[:5]].drop_duplicates().itertuples(index=False):
        found, (seen, used) = key._asdict(), _used(trial, key)
        whom, lost = next((rule for part, rule in RULES.items() if part in key.method), ("", SEEN))
        if whom == "" and key.analysis != "nnt" and not models.complete_covariates(trial).all():
            whom = " of whom every covariate is known"
        found |= {"population": declared.get("population", "all randomised") + whom,
                  "strategy": "; ".join([*events, f"lost to follow-up: {lost}"]),
                  "summary": _summary(trial, key)}
        for arm in trial.arms:
            of_arm = used[trial.arm == arm]
            found |= {f"n_randomised_{arm}": trial.n(arm),
                      f"n_with_data_{arm}": int((of_arm & seen).any(axis=1).sum()),
                      f"rows_{arm}": int(of_arm.to_numpy().sum())}
        out.append(found)
    return pd.DataFrame(out)


def _summary(trial: Trial, key) -> str:
    if key.analysis == "nnt":
        odds = key.method.endswith(("/woolf", "/exact"))
        return "ratio of the arms' odds of responding" if odds else SUMMARIES["nnt"]
    if key.method.startswith("d_ppc2"):
        return "standardised difference in mean change, of those described"
    log = trial.variable(key.variable).transform == "log"
    if key.method in (*UNADJUSTED, "linear/t"):
        middle = "median difference of a person of one arm from a person of the other"
        return (middle if key.method == "hodges-lehmann" else
                "difference between arms in the mean") + LN * log
    if key.method == "b_over_sd":
        return "B over the baseline SD of those described"
    if "ancova" in key.method:
        return "difference between arms in the mean at the visit, given baseline" + LN * log
    link = ", on the log scale of odds or rates" if "gee-" in key.method else ""
    return SUMMARIES[key.analysis] + LN * log + link


def _used(trial: Trial, key) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Which scores were observed, and which stand behind a row: bool, participants by visits."""
    if key.analysis == "nnt":
        known = nnt.responses(trial, key.time)[key.variable].notna().to_frame()
        return known, known if key.method.startswith("completers") else known | True
    seen = trial.seen(key.variable)
    if key.method in UNADJUSTED:
        return seen, seen
    if key.method.startswith("d_ppc2"):
        pair = seen[[trial.reference, key.time]]
        return pair, pair.mul(pair.all(axis=1) & trial.described(key.variable), axis=0)
    complete = models.complete_covariates(trial)
    if "mi-" in key.method:  # every missing value is imputed
        return seen, (seen | True).mul(complete, axis=0)
    used = seen.mul(complete, axis=0)
    if key.method.startswith("ancova") and key.time:
        return seen, used[[key.time]].mul(used[trial.reference], axis=0)
    return seen, used
