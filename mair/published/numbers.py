"""The published numbers as data: ``mair/data/published.csv``, read, checked and looked up.

One row is one printed occurrence of a number. ``printed`` stays text, because its
digits say how far the number was rounded.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mair import results
from mair.published import rounding
from mair.results import KEYS
from mair.trial.errors import TrialError, display

COLUMNS = [*KEYS, "printed", "source", "note"]
PRINTED = re.compile(r"[<>]?-?[0-9]+(\.[0-9]+)?")
PATH = Path(__file__).resolve().parent.parent / "data" / "published.csv"


def problems(frame: pd.DataFrame, name: str = "published.csv") -> list[str]:
    """What is wrong with a frame of published numbers.

    Parameters
    ----------
    frame : DataFrame
        All columns as text, empty where there is nothing.
    name : str
        The file's name, for the messages.

    Returns
    -------
    list of str
        One line a problem, naming file, row (the header is row 1), column and value.
    """
    if list(frame.columns) != COLUMNS:
        return [f"{name}: columns {','.join(frame.columns)}; expected {','.join(COLUMNS)}"]
    found = []
    for row, record in enumerate(frame.to_dict("records"), start=2):
        if not PRINTED.fullmatch(record["printed"]):
            found.append(f"{name}: row {row}, printed: {record['printed']!r}; expected digits "
                         "with an optional <, > and ASCII minus")
        found += [f"{name}: row {row}, {column}: empty; expected a value"
                  for column in ("variable", "statistic", "source") if not record[column]]
    doubled = frame.duplicated([*KEYS, "source"])
    for row in frame.index[doubled]:
        keys = ",".join(frame.loc[row, [*KEYS, "source"]])
        found.append(f"{name}: row {row + 2}, keys and source: {keys} stand there twice")
    return found


def read(path: Path | str | None = None) -> pd.DataFrame:
    """Read published numbers, every column as text.

    Parameters
    ----------
    path : path, optional
        Default: the paper's own numbers.

    Returns
    -------
    DataFrame
        Columns ``analysis,variable,arm,time,method,statistic,printed,source,note``.

    Raises
    ------
    TrialError
        Not text in UTF-8, not CSV, or rows that break the contract's rules, all at once.
    """
    path = Path(path) if path is not None else PATH
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False)
    except ValueError as error:
        raise TrialError(f"{display(path)}: cannot be read as CSV in UTF-8 "
                         f"({str(error).splitlines()[0]})") from None
    if found := problems(frame.reset_index(drop=True), path.name):
        raise TrialError(found)
    return frame


@dataclass(frozen=True)
class Number:
    """A printed number: its value, its decimals and, for ``<0.05``, its relation."""

    printed: str

    def __str__(self) -> str:
        return self.printed

    @property
    def relation(self) -> str:
        """``<``, ``>``, or empty."""
        return self.printed[0] if self.printed[0] in "<>" else ""

    @property
    def value(self) -> float:
        """The number itself, or the bound of an inequality."""
        return float(self.printed.lstrip("<>"))

    @property
    def decimals(self) -> int:
        """Digits after the point."""
        return rounding.decimals(self.printed)

    @property
    def half(self) -> float:
        """Half a unit of the last printed digit."""
        return 0.5 * 10.0**-self.decimals

    @property
    def values(self) -> rounding.Interval:
        """What prints so, rounded half up or half even."""
        return rounding.values(self.printed)

    def met(self, value: float) -> bool:
        """Whether a value rounds (half up or half even) to the print, or the inequality holds."""
        return value is not None and rounding.prints_so(value, self.printed)


class Lookup(results.Lookup):
    """Printed numbers by their keys, of the first source.

    Raises KeyError with the keys when there is no such row.

    Examples
    --------
    >>> look = Lookup(read())
    >>> look("baseline", "age", "RT", statistic="mean").value
    52.21
    """

    def __init__(self, frame: pd.DataFrame):
        first = frame.drop_duplicates(KEYS)
        super().__init__(first.assign(value=[Number(printed) for printed in first["printed"]]))
