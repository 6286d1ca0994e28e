"""Every section's rows at once, as a run merges them; without notebooks."""

import pandas as pd

from mair.sections import baseline, flow, measures, nnt
from mair.trial import Trial


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
    frames += [baseline.rows(trial)] if trial.declares("baseline") else []
    frames += [measures.rows(trial, section) for section in (*measures.SECTIONS, measures.ONCE)
               if measures.variables(trial, section)]
    frames += [nnt.rows(trial)] if trial.declares("responders") else []
    return pd.concat(frames, ignore_index=True)
