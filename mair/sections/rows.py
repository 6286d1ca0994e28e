"""Every section's rows at once, as a run merges them; without notebooks."""

from __future__ import annotations

import pandas as pd

from mair.sections import baseline, biomarkers, flow, nnt, outcomes
from mair.trial import Trial

MODULES = {"baseline": baseline, "outcomes": outcomes, "biomarkers": biomarkers,
           "responders": nnt}  # fmt: skip


def rows(trial: Trial) -> pd.DataFrame:
    """The rows of all sections that the trial file declares.

    Parameters
    ----------
    trial : Trial
        With data.

    Returns
    -------
    DataFrame
        Columns of ``results.csv``, in a run's order.
    """
    frames = [flow.rows(trial)]
    frames += [module.rows(trial) for key, module in MODULES.items() if trial.declares(key)]
    return pd.concat(frames, ignore_index=True)
