"""The audit of a published paper: its printed numbers against each other."""

from __future__ import annotations

import pandas as pd

from mair.published import numbers
from mair.published.consistency import SEVERITY, claims_beside, consistency
from mair.results import Rows
from mair.trial import Trial, remembered


@remembered
def published(trial: Trial) -> pd.DataFrame:
    """The published numbers that the trial file names."""
    return numbers.read(trial.published)


@remembered
def checks(trial: Trial) -> pd.DataFrame:
    """Every check of the printed numbers against each other (`consistency`)."""
    return consistency(published(trial), trial.sections, claims_beside(trial.published))


def judged(trial: Trial) -> pd.DataFrame:
    """Each published number with the worst verdict of the checks on it.

    Returns
    -------
    DataFrame
        `published` with a column ``verdict``, as the figure of verdicts takes it.
    """
    found, printed, order = checks(trial), published(trial), list(SEVERITY)
    place = found["rows"].astype(str).str.split().str[0].astype(int)
    worst = found["verdict"].map(order.index).groupby(place).max()
    return printed.assign(verdict=[order[worst.get(i, 0)] for i in range(len(printed))])


def rows(trial: Trial) -> pd.DataFrame:
    """How many printed numbers stand under each verdict (analysis ``audit``).

    Parameters
    ----------
    trial : Trial
        With ``published``; data are not needed.

    Returns
    -------
    DataFrame
        Columns of ``results.csv``.
    """
    out, own = Rows("audit"), judged(trial)["verdict"]
    for verdict in SEVERITY:
        out.add("consistency", "overall", "", verdict, n=int((own == verdict).sum()))
    return out.frame()
