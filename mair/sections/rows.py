"""Every section's rows at once, as a run merges them; without notebooks."""

from __future__ import annotations

from functools import partial

import pandas as pd

from mair.sections import baseline, flow, measures, nnt
from mair.trial import Trial

SECTIONS = {"baseline": baseline.rows,
            **{section: partial(measures.rows, section=section) for section in measures.SECTIONS},
            "responders": nnt.rows}


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
    frames += [made(trial) for key, made in SECTIONS.items() if trial.declares(key)]
    return pd.concat(frames, ignore_index=True)
