"""Published beside recomputed: every printed number joined to ``results.csv``, with a verdict.

The verdicts are those of the contract: ``reproduced``, ``within rounding``,
``not reproduced`` and ``not checkable``. Only the first counts as reproduced.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal
from typing import NamedTuple

import pandas as pd

from mair.results import KEYS

COUNTS = {"n", "n_known", "responders", "n_rows"}
SLACK = 1e-9  # relative: what results.csv may differ by between machines
VERDICTS = ("reproduced", "within rounding", "not reproduced", "not checkable")


class Verdict(NamedTuple):
    """A verdict on one printed number, with its reason (empty where none is needed)."""

    verdict: str
    why: str


def _rounded(value: float, unit: Decimal) -> set[Decimal]:
    """What ``value`` prints as, under half up and half even, allowing for machine noise."""
    candidates = {value, value * (1 + SLACK), value * (1 - SLACK)}
    return {
        Decimal(repr(candidate)).quantize(unit, rounding=rule)
        for candidate in candidates
        for rule in (ROUND_HALF_UP, ROUND_HALF_EVEN)
    }


def prints_as(value: float, printed: str) -> bool:
    """Whether ``value`` is printed so: equal when rounded, or the inequality holds.

    Parameters
    ----------
    value : float
        Computed value; nan prints as nothing.
    printed : str
        ``[<>]?-?digits[.digits]``.

    Examples
    --------
    >>> prints_as(1.527, "2"), prints_as(0.0004, "<0.001"), prints_as(86.3636, "86.37")
    (True, True, False)
    """
    if value != value or abs(value) == float("inf"):
        return False
    if printed[0] == "<":
        return value < float(printed[1:])
    if printed[0] == ">":
        return value > float(printed[1:])
    target = Decimal(printed)
    return target in _rounded(value, _unit(target))


def _unit(target: Decimal) -> Decimal:
    """One unit of the last printed digit."""
    return Decimal(1).scaleb(target.as_tuple().exponent)


def judge(value: float, printed: str, statistic: str = "") -> Verdict:
    """The verdict on one printed number, without looking at other methods.

    Parameters
    ----------
    value : float
        Recomputed value, full precision.
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
    if prints_as(value, printed):
        return Verdict("reproduced", "")
    if printed[0] in "<>" or statistic in COUNTS:
        return Verdict("not reproduced", "")
    target = Decimal(printed)
    unit = _unit(target)
    exact = Decimal(repr(float(value)))
    if abs(exact - target) > unit * (1 + Decimal("1e-6")):
        return Verdict("not reproduced", "")
    shown = f"{value:.{max(0, -unit.as_tuple().exponent) + 3}f}".rstrip("0").rstrip(".")
    if exact.quantize(unit, rounding=ROUND_DOWN) == target:
        return Verdict("within rounding", f"truncated: {shown}")
    for digits in (1, 2):
        once = exact.quantize(unit.scaleb(-digits), rounding=ROUND_HALF_UP)
        if once.quantize(unit, rounding=ROUND_HALF_UP) == target:
            return Verdict("within rounding", f"rounded twice: {shown}, then {once}")
    if exact.quantize(unit, rounding=ROUND_UP) == target:
        return Verdict("within rounding", f"rounded away from zero: {shown}")
    return Verdict("within rounding", f"one unit of the last digit off: {shown}")


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
    keyed = dict(zip(results[KEYS].itertuples(index=False, name=None), results["value"],
                     strict=True))
    siblings: dict[tuple, list[tuple[str, float]]] = {}
    for key, value in keyed.items():
        siblings.setdefault((*key[:4], key[5]), []).append((key[4], value))
    rows = []
    for row in published.itertuples(index=False):
        key = tuple(getattr(row, name) for name in KEYS)
        value = keyed.get(key, float("nan"))
        value = float("nan") if value is None else float(value)
        verdict, why = _row_verdict(key, row.printed, value, keyed, siblings)
        rows.append((*key, row.printed, value, verdict, why, row.source))
    return pd.DataFrame(
        rows, columns=[*KEYS, "printed", "computed", "verdict", "why", "source"]
    )


def _row_verdict(key, printed, value, keyed, siblings) -> Verdict:
    """The verdict on one row, naming another method that prints so."""
    if not key[0]:
        return Verdict("not checkable", "an input, or another study's result")
    if key not in keyed:
        return Verdict("not checkable", "no such row: this run does not compute it")
    verdict = judge(value, printed, key[5])
    if verdict.verdict in ("reproduced", "not checkable"):
        return verdict
    others = [(method or "the plain row", float(other))
              for method, other in siblings[(*key[:4], key[5])]
              if method != key[4] and other is not None and other == other]
    same = [method for method, other in others if prints_as(other, printed)]
    if verdict.verdict == "within rounding":
        return verdict._replace(why="; ".join(
            [verdict.why, *([f"prints so under {', '.join(same)}"] if same else [])]))
    if same:
        return Verdict("not reproduced", f"prints so under {', '.join(same)}")
    listed = "; ".join(f"{method} {other:.4g}" for method, other in others)
    return Verdict("not reproduced", f"computed {value:.4g}; no method here prints {printed}"
                   + (f" ({listed})" if listed else ""))


def counts(compared: pd.DataFrame) -> tuple[int, int, int]:
    """How many were reproduced, of how many checkable, of how many printed."""
    checkable = compared["verdict"] != "not checkable"
    return int((compared["verdict"] == "reproduced").sum()), int(checkable.sum()), len(compared)


def by_source(compared: pd.DataFrame) -> str:
    """Reproduced of checkable, place by place: ``table 2 149/154, …``."""
    parts = []
    for source, part in compared.groupby("source", sort=False):
        reproduced, checkable, _ = counts(part)
        if checkable:
            parts.append(f"{source} {reproduced}/{checkable}")
    return "reproduced: " + ", ".join(parts) if parts else ""


def summary_line(compared: pd.DataFrame) -> str:
    """The last line of ``make``."""
    reproduced, checkable, printed = counts(compared)
    return (f"{reproduced} of {checkable} checkable published numbers reproduced "
            f"({printed} printed)")
