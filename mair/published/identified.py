"""Identified or not: unprinted statistics over many cohorts that agree with the same paper.

A statistic that every such cohort gives alike, to the decimals it would be printed with, is
identified by the printed numbers. Any other belongs to the generator, and has a range. The
ranges are made by `mair.studies.ranges` and kept beside the cohort.
"""

from __future__ import annotations

import pandas as pd

from mair.trial import Trial

KEYS = ["analysis", "variable", "time", "method", "statistic"]
FILE = "cohort_ranges.csv"


def stored(trial: Trial) -> pd.DataFrame | None:
    """The ranges kept beside a synthetic trial's data, if there are any."""
    if not (trial.synthetic and trial.has_data):
        return None
    try:
        return pd.read_csv(trial.data_path.with_name(FILE), dtype=dict.fromkeys(KEYS, str),
                           keep_default_na=False)
    except FileNotFoundError:
        return None


def over_cohorts(found: pd.DataFrame | None, variable: str, visit: str) -> dict[str, tuple]:
    """(lowest b, highest b, share-free verdict) of each robustness method at a visit.

    The verdict is ``1.0`` where every cohort's interval excludes 0, ``0.0`` where every one
    holds it, nan where they differ.
    """
    if found is None:
        return {}
    own = found[(found["analysis"] == "robustness") & (found["variable"] == variable)
                & (found["time"] == visit)]
    cells = {(r.method, r.statistic): r for r in own.itertuples()}
    out = {}
    for method in own["method"].unique():
        b, verdict = cells[method, "b"], cells[method, "excludes_zero"]
        out[method] = (b.low, b.high, verdict.low if verdict.low == verdict.high else float("nan"))
    return out
