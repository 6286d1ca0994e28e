"""Published beside recomputed: every printed number joined to ``results.csv``, with a verdict.

The verdicts are those of the contract: ``reproduced``, ``within rounding``,
``not reproduced`` and ``not checkable``. Only the first counts as reproduced.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd

from mair.published.numbers import Number
from mair.published.rounding import prints_so, rule_of
from mair.results import KEYS

COUNTS = {"n", "n_known", "responders", "n_rows"}


class Verdict(NamedTuple):
    """A verdict on one printed number, with its reason (empty where none is needed)."""

    verdict: str
    why: str


def judge(value: float, printed: str, statistic: str = "") -> Verdict:
    """The verdict on one printed number, without looking at other methods.

    Parameters
    ----------
    value : float
        Recomputed value, full precision; nan when not estimable.
    printed : str
        As in ``published.csv``.
    statistic : str
        Counts are exact: a count off by one is not rounding.

    Examples
    --------
    >>> judge(78.947, "78.94")
    Verdict(verdict='within rounding', why='truncated: 78.947')
    """
    if value != value:
        return Verdict("not checkable", "not estimable")
    if prints_so(value, printed):
        return Verdict("reproduced", "")
    number = Number(printed)
    off, unit = abs(value - number.value), 2 * number.half
    if number.relation or statistic in COUNTS or not off <= unit * (1 + 1e-6):
        return Verdict("not reproduced", "")
    shown = f"{value:.{number.decimals + 3}f}".rstrip("0").rstrip(".")
    rule = rule_of(value, printed)
    if rule == "rounded twice":
        once = math.copysign(abs(number.value) - number.half, value)
        return Verdict("within rounding",
                       f"rounded twice: {shown}, then {once:.{number.decimals + 1}f}")
    smaller = abs(value) < abs(number.value) and off < unit * (1 - 1e-9)
    return Verdict("within rounding", f"{rule}: {shown}" if rule else
                   f"rounded away from zero: {shown}" if smaller else
                   f"one unit of the last digit off: {shown}")


def compare(published: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """Join published numbers to computed ones.

    Parameters
    ----------
    published : DataFrame
        The columns of ``published.csv``, all text.
    results : DataFrame
        The columns of ``results.csv``; ``value`` numeric, nan when not estimable.

    Returns
    -------
    DataFrame
        One row a row of ``published``, in its order: keys, ``printed``, ``computed``,
        ``verdict``, ``why``, ``source``.
    """
    computed, by_method = {}, {}
    values = pd.to_numeric(results["value"])
    for key, value in zip(results[KEYS].itertuples(index=False, name=None), values, strict=True):
        computed[key] = value
        by_method.setdefault((*key[:4], key[5]), {})[key[4]] = value
    rows = []
    for *key, printed, source in published[[*KEYS, "printed", "source"]].to_numpy().tolist():
        value = computed.get(tuple(key), math.nan)
        if not key[0]:
            found = Verdict("not checkable", "an input, or another study's result")
        elif tuple(key) not in computed:
            found = Verdict("not checkable", "no such row: this run does not compute it")
        else:
            others = by_method[*key[:4], key[5]]
            found = _with_methods(judge(value, printed, key[5]), value, printed,
                                  {m: v for m, v in others.items() if m != key[4] and v == v})
        rows.append((*key, printed, value, *found, source))
    return pd.DataFrame(
        rows, columns=[*KEYS, "printed", "computed", "verdict", "why", "source"]
    )


def _with_methods(found: Verdict, value, printed, others: dict[str, float]) -> Verdict:
    """The verdict with the other methods that print so, or what they give."""
    if found.verdict in ("reproduced", "not checkable"):
        return found
    others = {method or "the plain row": other for method, other in others.items()}
    same = ", ".join(method for method, other in others.items() if prints_so(other, printed))
    said = [found.why, f"prints so under {same}" if same else ""]
    if not any(said):
        listed = "; ".join(f"{method} {other:.4g}" for method, other in others.items())
        said = [f"computed {value:.4g}; no method here prints {printed}"
                + (f" ({listed})" if listed else "")]
    return found._replace(why="; ".join(part for part in said if part))


def counts(compared: pd.DataFrame) -> tuple[int, int, int]:
    """How many were reproduced, of how many checkable, of how many printed."""
    checkable = compared["verdict"] != "not checkable"
    return int((compared["verdict"] == "reproduced").sum()), int(checkable.sum()), len(compared)


def by_source(compared: pd.DataFrame) -> str:
    """Reproduced of checkable, place by place: ``table 2 149/154, …``."""
    parts = {source: counts(part) for source, part in compared.groupby("source", sort=False)}
    listed = ", ".join(f"{source} {reproduced}/{checkable}"
                       for source, (reproduced, checkable, _) in parts.items() if checkable)
    return f"reproduced: {listed}" if listed else ""


def summary_line(compared: pd.DataFrame) -> str:
    """The last line of ``make``."""
    reproduced, checkable, printed = counts(compared)
    return (f"{reproduced} of {checkable} checkable published numbers reproduced "
            f"({printed} printed)")
