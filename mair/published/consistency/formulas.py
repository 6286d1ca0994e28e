"""Checks that are one formula each: the rows of ``mair/data/formulas.yaml``.

A row does not apply where an input is not printed or its formula has no value.
"""

import functools
import re
from functools import partial

import numpy as np
from scipy import special

from mair.published.consistency.counts import cells
from mair.published.consistency.engine import check, formulas
from mair.published.consistency.sheet import GROUPS, Printed, Sheet, need
from mair.stats.risk import odds_ratio
from mair.stats.risk_limits import INTERVALS, difference_limits, ratio_limits
from mair.trial.errors import declared

RATIOS = ("rr", "or", "hr", "gmr")
T_TESTS = ("student", "welch")
Z = float(special.ndtri(0.975))
ENDS = {"low": -1, "high": 1}


def of_means(method: str, what: str, m1, s1, n1, m2, s2, n2):
    """The SE, t or a limit of the difference of two means."""
    v1, v2, df = s1**2 / n1, s2**2 / n2, n1 + n2 - 2
    if method == "welch":
        df = (v1 + v2) ** 2 / (v1**2 / (n1 - 1) + v2**2 / (n2 - 1))
    else:
        v1, v2 = (((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / df / n for n in (n1, n2))
    se = np.sqrt(v1 + v2)
    return {"se": se, "t": (m1 - m2) / se}.get(
        what, m1 - m2 + ENDS.get(what, 0) * se * special.stdtrit(df, 0.975))


@functools.lru_cache(maxsize=5_000)
def of_odds(kind: str, what: str, a, n, b, m):
    """The odds ratio of a of n against b of m people, or a limit."""
    return getattr(odds_ratio((int(a), int(b)), (int(n), int(m)), kind=kind), what)


@functools.lru_cache(maxsize=5_000)
def of_risk(what: str, k: int, interval: str, *cells):
    """The lower or upper limit (k 0, 1) of a difference or a ratio of risks, or of the number
    needed to treat: in order, unless the difference's limits hold 0."""
    if what == "rr":
        return ratio_limits(*cells, interval=interval)[k]
    low, high = (100 * end for end in difference_limits(*cells, interval=interval))
    if what == "nnt":
        low, high = 100 / low, 100 / high
        low, high = sorted((low, high)) if low * high > 0 else (low, high)
    return (low, high)[k]


FORMULAS = {
    "difference": lambda a, b: a - b,
    "standard error": lambda s, n: s / np.sqrt(n),
    "itself": lambda s, n: s,
    "paired p": lambda c, s, n: 2 * special.stdtr(n - 1, -abs(c) * np.sqrt(n) / s),
    "arr": lambda a, n, b, m: 100 * (a / n - b / m),
    "rr": lambda a, n, b, m: a / n / (b / m),
    "middle": lambda low, high: (low + high) / 2,
    "mirrored": lambda b, end: 2 * b - end,
    "geometric middle": lambda low, high: np.sqrt(low * high),
    "geometric mirrored": lambda b, end: b * b / end,
} | {f"{method} {what}": partial(of_means, method, what)
     for method in T_TESTS for what in ("se", "t", *ENDS)} | {
    f"{kind} or {what}": partial(of_odds, kind, what)
    for kind in ("woolf", "exact") for what in ("estimate", *ENDS)}
for _k, (_end, _sign) in enumerate(ENDS.items()):
    FORMULAS |= {
        f"mean t {_end}": lambda m, s, n, sign=_sign: (
            m + sign * special.stdtrit(n - 1, 0.975) * s / np.sqrt(n)),
        f"mean normal {_end}": lambda m, s, n, sign=_sign: m + sign * Z * s / np.sqrt(n),
    } | {f"{what} {_end} {name}": partial(of_risk, what, _k, name)
         for what in ("arr", "nnt", "rr") for name in INTERVALS}


def address(sheet: Sheet, p: Printed, text: str) -> Printed | None:
    """The number that an input of the table names."""
    whose, _, statistic = text.rpartition(":")
    statistic, _, when = statistic.partition("@")
    arm = dict(zip(("control", "treatment"), sheet.arms, strict=True)).get(whose, p.arm)
    key = (p.analysis, p.variable, arm, sheet.visits[0] if when else p.time)
    found = sheet.get(*key, statistic, like=p)
    if found or statistic != "n" or arm in GROUPS:
        return found
    return next((sheet.size(q) for s in ("mean", "change") if (q := sheet.get(*key, s))), None)


def register(row: dict) -> None:
    """Make a check of a row of the table; formulas named as one are those by interval method."""
    ways = row["formulas"]
    ways = ways if isinstance(ways, dict) else {name: f"{ways} {name}" for name in INTERVALS}

    @check(row["check"], first=row.get("first", False), statistic=row["statistic"], analysis=bool,
           method=re.compile(row.get("method", ".*")).fullmatch)
    def find(sheet: Sheet, p: Printed):
        numbers = [need(address(sheet, p, text)) for text in row["inputs"].split()]
        need(":responders" not in row["inputs"] or cells(sheet, p))  # no more than people
        order = sorted(ways, key=lambda name: name != p.method.rpartition("/")[2])
        found = formulas({way: FORMULAS[ways[way]] for way in order}, *numbers)
        values = ", ".join(f"{name} {at:.3f}".strip() for name, _, at in found)
        return found and (found, f"{row['text'].format(*numbers)} = {values}", numbers)


for _row in declared("formulas"):
    register(_row)
