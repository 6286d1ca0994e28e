"""What the figures of robustness, power and the audit take: rows in, frame out."""

from __future__ import annotations

import pandas as pd

from mair.report import fmt
from mair.results import records


def choices(trial, rows, visit) -> pd.DataFrame:
    """The primary contrast at a visit under every choice, for `forest`; no shifted values."""
    found = [(one.method, "", one.b, one.ci_low, one.ci_high,
              fmt.estimate(one.b, one.ci_low, one.ci_high), fmt.p_value(one.p))
             for one in records(rows, variable=trial.primary.name, arm="difference", time=visit)
             if hasattr(one, "p") and "delta=" not in one.method]
    return pd.DataFrame(found, columns=["label", "visit", "estimate", "low", "high", "text",
                                        "p_text"])
