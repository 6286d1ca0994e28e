"""The tidy rows of ``results.csv``: collected, written, read and compared.

One row holds one statistic. Six key columns say which; ``value`` is empty where
the statistic is not estimable.
"""

import math
import re
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

KEYS = ["analysis", "variable", "arm", "time", "method", "statistic"]
COLUMNS = [*KEYS, "value"]


class Rows:
    """Collects statistics under unique keys, in the order they were added.

    Examples
    --------
    >>> rows = Rows("nnt")
    >>> rows.add("FIQ >=20%", "RT", "post", "completers", n=16, responders=3)
    >>> rows.frame()[["statistic", "value"]].values.tolist()
    [['n', 16], ['responders', 3]]
    """

    def __init__(self, analysis: str):
        self.analysis = analysis
        self._rows: dict[tuple[str, ...], object] = {}

    def add(self, variable, arm="", time="", method="", *, analysis=None, **statistics):
        """Add one row a statistic; None and nan mean not estimable."""
        for statistic, value in statistics.items():
            key = (analysis or self.analysis, variable, arm, time, method, statistic)
            if key in self._rows:
                raise ValueError(f"two values for {key}")
            self._rows[key] = _plain(value)

    def frame(self) -> pd.DataFrame:
        """The rows as a frame with the columns of ``results.csv``, values as objects."""
        frame = pd.DataFrame(list(self._rows), columns=KEYS)
        return frame.assign(value=pd.Series(list(self._rows.values()), dtype=object))


def _plain(value):
    """A Python int or float, or None where there is nothing to report."""
    if value is None:
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and math.isnan(value):
        return None
    if not isinstance(value, (int, float)):
        raise TypeError(f"a statistic is a number, not {value!r}")
    return value


def text(value) -> str:
    """A value as ``results.csv`` holds it: full precision, empty when not estimable."""
    value = _plain(value)
    if value is None:
        return ""
    if abs(value) < 1e15 and value == int(value):
        return str(int(value))  # 13, whether it was counted or read back as 13.0
    return repr(value)


def harmless(value: str) -> str:
    """A text as a csv cell that no spreadsheet takes for a formula; a number stays.

    Examples
    --------
    >>> harmless("=1+1"), harmless("-3.61"), harmless("FIQ")
    ("'=1+1", '-3.61', 'FIQ')
    """
    number = re.fullmatch(r"[+-]?[\d.,]+", value)
    return f"'{value}" if re.match("'*[=+@-]", value) and not number else value


def write(frame: pd.DataFrame, path: Path | str, numbers=("value",)) -> None:
    """Write rows as UTF-8, `numbers` in full precision; the keys must be unique."""
    doubled = frame[frame.duplicated(KEYS)]
    if len(doubled):
        raise ValueError(f"two values for {tuple(doubled.iloc[0][KEYS])}")
    out = frame[COLUMNS].copy() if numbers == ("value",) else frame.copy()
    for name in out:
        out[name] = [(text if name in numbers else harmless)(value) for value in out[name]]
    out.to_csv(path, index=False, lineterminator="\n")


def read(path: Path | str) -> pd.DataFrame:
    """Read rows back: keys as text, ``value`` as float, nan when not estimable."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    for key in KEYS:  # as they were before `harmless`
        frame[key] = frame[key].str.replace("^'('*[=+@-])", r"\1", regex=True)
    frame["value"] = [float(value) if value else math.nan for value in frame["value"]]
    return frame


class Lookup:
    """Values by their keys; raises KeyError naming the row that is missing.

    Examples
    --------
    >>> rows = Rows("baseline")
    >>> rows.add("age", "RT", mean=52.2)
    >>> Lookup(rows.frame())("baseline", "age", "RT", statistic="mean")
    52.2
    """

    def __init__(self, frame: pd.DataFrame):
        self._values = dict(
            zip(frame[KEYS].itertuples(index=False, name=None), frame["value"], strict=True)
        )

    def __call__(self, analysis, variable, arm="", time="", method="", *, statistic):
        value = self._values[analysis, variable, arm, time, method, statistic]
        return math.nan if value is None else value

    def __contains__(self, key):
        return tuple(key) in self._values


def records(rows: pd.DataFrame, **where) -> list[SimpleNamespace]:
    """Rows as records: those that share their first five keys together, in the rows' order.

    Parameters
    ----------
    rows : DataFrame
        Columns of ``results.csv``.
    **where
        Keys, each with the value wanted or a list of them.

    Returns
    -------
    list of SimpleNamespace
        Each with the five keys and an attribute a statistic; nan where not estimable.

    Examples
    --------
    >>> rows = Rows("nnt")
    >>> rows.add("FIQ >=20%", "RT", "post", "completers", n=16, responders=3)
    >>> [(one.time, one.responders, one.n) for one in records(rows.frame(), arm="RT")]
    [('post', 3, 16)]
    """
    for key, wanted in where.items():
        rows = rows[rows[key].isin([wanted] if isinstance(wanted, str) else list(wanted))]
    found: dict[tuple, dict] = {}
    for *key, statistic, value in rows[COLUMNS].itertuples(index=False, name=None):
        found.setdefault(tuple(key), {})[statistic] = math.nan if value is None else value
    return [SimpleNamespace(**dict(zip(KEYS, key, strict=False)), **statistics)
            for key, statistics in found.items()]


def save(frame: pd.DataFrame, out: Path | str | None, name: str) -> None:
    """Write a notebook's rows for the run to merge; nothing where `out` is None."""
    if out is not None:
        folder = Path(out) / "rows"
        folder.mkdir(parents=True, exist_ok=True)
        write(frame, folder / f"{name}.csv")
