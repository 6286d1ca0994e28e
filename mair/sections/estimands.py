"""The estimand behind each estimated row: whom it covers, and how many stand behind it."""

import re

import pandas as pd

from mair.results import KEYS
from mair.sections import arms, nnt
from mair.sections import model as models
from mair.trial import Trial, remembered
from mair.trial.errors import declared

WORDS = declared("estimands")


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
    own = frame[frame["analysis"].isin(["outcomes", "biomarkers", "robustness", "emm", "nnt"])
                & (frame["arm"] == "difference")
                & frame["statistic"].isin(["b", "d", "arr", "or", "mean", "chi2", "f"])]
    out = []
    for key in own[KEYS[:5]].drop_duplicates().itertuples(index=False):
        of = {part: next((text for pattern, text in rules.items() if re.match(
            pattern, f"{key.analysis} {key.method}")), "") for part, rules in WORDS.items()}
        if key.analysis != "nnt":
            log = trial.variable(key.variable).transform == "log"
            of["summary"] = of["summary"].format(ln=", ln scale" * log)
            if not of["population"] and not models.complete_covariates(trial).all():
                of["population"] = " of whom every covariate is known"
        response = key.time if key.analysis == "nnt" else None
        visit = key.time if of["stand"] in ("described", "pairs") else ""
        counts = _counts(trial, key.variable, of["stand"], visit, response)
        out.append(key._asdict() | {
            "population": declared.get("population", "all randomised") + of["population"],
            "strategy": "; ".join([*events, f"lost to follow-up: {of['lost']}"]),
            "summary": of["summary"]} | counts)
    return pd.DataFrame(out)


@remembered
def _counts(trial: Trial, variable: str, stand: str, visit: str, response: str | None) -> dict:
    """People with data and rows behind an estimate, per arm.

    Parameters
    ----------
    trial : Trial
    variable : str
        A score, or the response at the visit ``response``.
    stand : {"seen", "all seen", "imputed", "described", "pairs"}
        Which scores stand behind it: those seen, with or without regard to covariates; all, as
        what is missing is imputed; the first visit and ``visit`` of those described and seen
        at both; ``visit`` (empty: each) of those seen at both.
    visit : str
    response : str or None
    """
    if response is not None:
        seen, complete = nnt.responses(trial, response)[variable].notna().to_frame(), True
    else:
        seen, complete = trial.seen(variable), models.complete_covariates(trial)
    if stand == "described":
        seen = seen[[trial.reference, visit]]
        complete = trial.described(variable) & seen.all(axis=1)
    used = seen | (stand == "imputed")
    if stand == "pairs" and visit:
        used, complete = used[[visit]], complete & seen[trial.reference]
    if stand != "all seen":
        used = used.mul(complete, axis=0)
    counts, known = {}, (used & seen).any(axis=1)
    for arm, of_arm in arms.split(trial, used).items():
        counts |= {f"n_randomised_{arm}": trial.n(arm),
                   f"n_with_data_{arm}": int(known[of_arm.index].sum()),
                   f"rows_{arm}": int(of_arm.to_numpy().sum())}
    return counts
