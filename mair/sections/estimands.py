"""The estimand behind each estimated row: whom it covers, and how many stand behind it."""

from __future__ import annotations

import re

import pandas as pd
import yaml

from mair.results import KEYS
from mair.sections import model as models
from mair.sections import nnt
from mair.trial import Trial
from mair.trial.errors import ROOT

WORDS = yaml.safe_load((ROOT / "mair" / "data" / "estimands.yaml").read_text("utf-8"))


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
        seen, used = _used(trial, key)
        of = {part: next((text for pattern, text in rules.items() if re.match(
            pattern, f"{key.analysis} {key.method}")), "") for part, rules in WORDS.items()}
        if key.analysis != "nnt":
            log = trial.variable(key.variable).transform == "log"
            of["summary"] = of["summary"].format(ln=", ln scale" * log)
            if not of["population"] and not models.complete_covariates(trial).all():
                of["population"] = " of whom every covariate is known"
        counts = {}
        for arm in trial.arms:
            of_arm = used[trial.arm == arm]
            counts |= {f"n_randomised_{arm}": trial.n(arm),
                       f"n_with_data_{arm}": int((of_arm & seen).any(axis=1).sum()),
                       f"rows_{arm}": int(of_arm.to_numpy().sum())}
        out.append(key._asdict() | {
            "population": declared.get("population", "all randomised") + of["population"],
            "strategy": "; ".join([*events, f"lost to follow-up: {of['lost']}"]),
            "summary": of["summary"]} | counts)
    return pd.DataFrame(out)


def _used(trial: Trial, key) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Which scores were observed, and which stand behind a row: bool, participants by visits."""
    if key.analysis == "nnt":
        known = nnt.responses(trial, key.time)[key.variable].notna().to_frame()
        return known, known if key.method.startswith("completers") else known | True
    seen = trial.seen(key.variable)
    if key.method in ("welch", "student", "hodges-lehmann"):
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
