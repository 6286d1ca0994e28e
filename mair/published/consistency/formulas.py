"""Checks that are one formula each, a row of a table: what is judged, from what, and how.

An input is ``[whose:]statistic[@first]``: of the judged number's own arm and visit, or of
``control`` or ``treatment``, or at the first visit; ``n`` is the one behind the mean there. The
formulas, by convention, take the inputs in that order; a check does not apply where an input is
not printed or a formula has no value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from mair.published.consistency.engine import check, formula
from mair.published.consistency.sheet import GROUPS, Printed, Sheet
from mair.stats.risk_limits import INTERVALS, difference_limits, ratio_limits

RATIOS = ("rr", "or", "hr", "gmr")
T_TESTS = ("student", "welch")
Z = float(special.ndtri(0.975))


class Row(NamedTuple):
    """A check: its name, the numbers judged (`Sheet.where`), their inputs, a line of text."""

    name: str
    judged: dict
    inputs: str
    text: str
    formulas: dict[str, Callable]


def of_mean(sign: int) -> dict[str, Callable]:
    """A limit of a mean."""
    return {"t": lambda m, s, n: m + sign * special.stdtrit(n - 1, 0.975) * s / np.sqrt(n),
            "normal": lambda m, s, n: m + sign * Z * s / np.sqrt(n)}


def of_difference(find: Callable) -> dict[str, Callable]:
    """A function of the difference of two means, its SE and degrees of freedom, by t test."""
    def formula_of(method, m1, s1, n1, m2, s2, n2):
        v1, v2 = s1**2 / n1, s2**2 / n2
        if method == "welch":
            return find(m1 - m2, np.sqrt(v1 + v2),
                        (v1 + v2) ** 2 / (v1**2 / (n1 - 1) + v2**2 / (n2 - 1)))
        pooled = ((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / (n1 + n2 - 2)
        return find(m1 - m2, np.sqrt(pooled * (1 / n1 + 1 / n2)), n1 + n2 - 2)

    return {method: partial(formula_of, method) for method in T_TESTS}


def of_odds(sign: int) -> dict[str, Callable]:
    """A limit of an odds ratio."""
    def woolf(a, n, b, m):
        return (a / (n - a) / (b / (m - b))
                * np.exp(sign * Z * np.sqrt(1 / a + 1 / (n - a) + 1 / b + 1 / (m - b))))

    def exact(a, n, b, m):
        return conditional(a, n, b, m).confidence_interval(0.95)[(1 + sign) // 2]

    return {"woolf": woolf, "exact": exact}


def conditional(a, n, b, m):
    """SciPy's conditional odds ratio of a of n against b of m people."""
    return stats.contingency.odds_ratio([[int(a), int(n - a)], [int(b), int(m - b)]])


def of_risk(limits: Callable, end: int, times: float = 1) -> dict[str, Callable]:
    """A limit of a difference or ratio of risks, by interval method."""
    return {name: lambda *cells, name=name: times * limits(*cells, interval=name)[end]
            for name in INTERVALS}


def of_nnt(end: int) -> dict[str, Callable]:
    """A limit of the number needed to treat: in order, unless the difference's hold 0."""
    def limit(name, *cells):
        low, high = 1 / np.array(difference_limits(*cells, interval=name))
        return (max(low, high) if end else min(low, high)) if low * high > 0 else (low, high)[end]

    return {name: partial(limit, name) for name in INTERVALS}


ARM, BOTH = "mean sd n", "treatment:mean treatment:sd treatment:n control:mean control:sd control:n"
CELLS = "treatment:responders treatment:n control:responders control:n"
COUNTS = "{}/{} v {}/{}"
MEANS = {"method": T_TESTS, "arm": "difference"}
NOT_SKEW = {"arm": "difference", "time": bool, "first": True,
            "method": lambda m: not m.endswith(("exact", *INTERVALS[1:]))}
CENTRES = [("b", "ci_low", "ci_high", lambda low, high: (low + high) / 2, "({} + {}) / 2",
            lambda b, end: 2 * b - end, "2 x {} - {}"), *(
                (b, f"{b}_low", f"{b}_high", lambda low, high: np.sqrt(low * high),
                 "sqrt({} x {})", lambda b, end: b * b / end, "{}^2 / {}") for b in RATIOS)]
TABLE = (
    Row("change", {"statistic": "change", "analysis": bool}, "mean@first mean", "{1} - {0}",
        {"": lambda a, b: b - a}),
    Row("change", {"statistic": "percent_change", "analysis": bool}, "mean@first mean",
        "({1} - {0}) / {0}", {"": lambda a, b: 100 * (b - a) / np.where(a > 0, a, np.nan)}),
    Row("change of arms", {"statistic": "b", "method": lambda m: m.startswith("change")},
        "treatment:change control:change", "{} - {}", {"": lambda a, b: a - b}),
    Row("standard error", {"statistic": "se"}, "sd n", "{} / sqrt({})",
        {"": lambda s, n: s / np.sqrt(n), "the SD itself": lambda s, n: s}),
    Row("limits of a mean", {"statistic": "ci_low"}, ARM, "{} - t x {} / sqrt({})", of_mean(-1)),
    Row("limits of a mean", {"statistic": "ci_high"}, ARM, "{} + t x {} / sqrt({})", of_mean(1)),
    Row("paired test", {"statistic": "p", "method": "paired"}, "change change_sd n",
        "{} / ({} / sqrt({}))",
        {"": lambda c, s, n: 2 * special.stdtr(n - 1, -abs(c) * np.sqrt(n) / s)}),
    Row("difference of means", {"statistic": "b", **MEANS}, "treatment:mean control:mean",
        "{} - {}", {"": lambda a, b: a - b}),
    *(Row("difference of means", {"statistic": name, **MEANS}, BOTH, "{0} ({1}) v {3} ({4})",
          of_difference(find)) for name, find in (
              ("se", lambda d, se, df: se), ("t", lambda d, se, df: d / se),
              ("ci_low", lambda d, se, df: d - se * special.stdtrit(df, 0.975)),
              ("ci_high", lambda d, se, df: d + se * special.stdtrit(df, 0.975)))),
    Row("arr", {"statistic": "arr"}, CELLS, "{}/{} - {}/{}",
        {"": lambda a, n, b, m: 100 * (a / n - b / m)}),
    *(Row("arr limits", {"statistic": name, "analysis": "nnt"}, CELLS, COUNTS,
          of_risk(difference_limits, end, 100)) for end, name in enumerate(("ci_low", "ci_high"))),
    *(Row("nnt limits", {"statistic": name}, CELLS, COUNTS, of_nnt(end))
      for end, name in enumerate(("nnt_ci_low", "nnt_ci_high"))),
    Row("risk ratio", {"statistic": "rr"}, CELLS, COUNTS, {"": lambda a, n, b, m: a / n / (b / m)}),
    *(Row("risk ratio", {"statistic": name}, CELLS, COUNTS, of_risk(ratio_limits, end))
      for end, name in enumerate(("rr_low", "rr_high"))),
    Row("odds ratio", {"statistic": "or"}, CELLS, COUNTS,
        {"woolf": lambda a, n, b, m: a * (m - b) / (b * (n - a)),
         "exact": lambda *cells: conditional(*cells).statistic}),
    Row("odds ratio", {"statistic": "or_low"}, CELLS, COUNTS, of_odds(-1)),
    Row("odds ratio", {"statistic": "or_high"}, CELLS, COUNTS, of_odds(1)),
    *(row for b, low, high, middle, text, mirrored, mirror in CENTRES for row in (
        Row("centre", {"statistic": b, **NOT_SKEW}, f"{low} {high}", text, {"": middle}),
        Row("centre", {"statistic": low, **NOT_SKEW}, f"{b} {high}", mirror, {"": mirrored}),
        Row("centre", {"statistic": high, **NOT_SKEW}, f"{b} {low}", mirror, {"": mirrored}))),
)


def address(sheet: Sheet, p: Printed, text: str) -> Printed | None:
    """The number that an input of `TABLE` names."""
    whose, _, statistic = text.rpartition(":")
    statistic, _, when = statistic.partition("@")
    arm = dict(zip(("control", "treatment"), sheet.arms, strict=True)).get(whose, p.arm)
    key = (p.analysis, p.variable, arm, sheet.visits[0] if when else p.time)
    if statistic != "n" or arm in GROUPS:
        return sheet.get(*key, statistic)
    return sheet.get(*key) or next(filter(None, (
        sheet.size(q) for s in ("mean", "change") if (q := sheet.get(*key, s)))), None)


def register(row: Row) -> None:
    """Make a check of a row."""
    @check(row.name, **row.judged)
    def find(sheet: Sheet, p: Printed):
        numbers = [address(sheet, p, text) for text in row.inputs.split()]
        if None in numbers or p in numbers:
            return None
        ways = sorted(row.formulas, key=lambda name: name != p.method.rpartition("/")[2])
        with np.errstate(all="ignore"):
            found = [formula(row.formulas[way], *numbers, name=way) for way in ways]
        found = [c for c in found if np.isfinite([c[1].low, c[1].high, c[2]]).all()]
        values = ", ".join(f"{name} {at:.3f}".strip() for name, _, at in found)
        return found and (found, f"{row.text.format(*numbers)} = {values}", numbers)


for _row in TABLE:
    register(_row)
