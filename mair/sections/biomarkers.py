"""The rows of ``biomarkers``: repeated measures, analysed as the trial file declares."""

from __future__ import annotations

import pandas as pd

from mair.sections import measures
from mair.trial import Trial


def rows(trial: Trial) -> pd.DataFrame:
    """Every statistic of the analysis ``biomarkers``, with its ``emm`` and ``normality``.

    Parameters
    ----------
    trial : Trial

    Returns
    -------
    DataFrame
        Columns of ``results.csv``.
    """
    return measures.rows(trial, "biomarkers")
