"""The paper against itself: whether printed numbers follow from each other.

Works from ``published.csv`` alone; a trial file adds which arm is control, the steps and
ranges of scales and what is better, and a file of claims adds words to hold against numbers.
No variable is known by name. Importing a module here registers its checks, in this order.
"""

from pathlib import Path

import pandas as pd

# isort: off
from mair.published.consistency import counts, moments, formulas, group_tests  # noqa: F401
from mair.published.consistency import contrasts, responders  # noqa: F401
from mair.published.consistency import claims as words
from mair.published.consistency import implications  # noqa: F401
# isort: on
from mair.published.consistency.engine import COLUMNS, SEVERITY, VERDICTS, WORDS, run, worst
from mair.published.consistency.findings import Finding, findings
from mair.published.consistency.sheet import Sheet

__all__ = ["COLUMNS", "SEVERITY", "VERDICTS", "WORDS", "Finding", "claims_beside", "consistency",
           "findings", "worst"]


def consistency(
    published: pd.DataFrame, sections: dict | None = None, claims: pd.DataFrame | None = None,
    chance: bool = False,
) -> pd.DataFrame:
    """Every check of the printed numbers against each other.

    Parameters
    ----------
    published : DataFrame
        As `mair.published.numbers.read` gives it.
    sections : dict, optional
        The trial file as a plain dict (`Trial.sections`): ``arm``, ``visits``, ``outcomes``
        and ``biomarkers`` are looked at. Without it, arms come in order of appearance, the
        control first, and granularity is not checked, because no step is known.
    claims : DataFrame, optional
        As `claims.read` gives it.
    chance : bool
        Whether numbers at random are held against the same checks (`engine.by_chance`).

    Returns
    -------
    DataFrame
        One row a printed number and check: the contract's ten columns, then ``computation``
        (a line of text), ``source``, ``rows`` (places in ``published``, separated by
        spaces: the number judged first, then those it was computed from) and ``by_chance``. A
        number that no check involves has a row ``none``, so every printed number is there.
    """
    return run(Sheet(published, sections, claims), chance)


def claims_beside(published: Path | str) -> pd.DataFrame | None:
    """The ``claims.csv`` in the folder of a file of published numbers, if there is one."""
    try:
        return words.read(Path(published).with_name("claims.csv"))
    except FileNotFoundError:
        return None
