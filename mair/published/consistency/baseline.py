"""Tests of the baseline table: t tests from means and SDs, tests of counts, overall moments."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import numpy as np
from scipy import special

from mair.published.consistency.counts import LARGE
from mair.published.consistency.sheet import Judgement, Ledger, Sheet, judge, unsure, yes_no
from mair.published.intervals import Interval, dense, interval, spread
from mair.stats import tests


def run(sheet: Sheet, out: Ledger) -> None:
    """Every check of this module."""
    for p in sheet.where(analysis="baseline", arm="difference", statistic="p"):
        table, parts = counts_table(sheet, p.variable)
        cells = [sheet.moments("baseline", p.variable, arm) for arm in sheet.arms]
        if all(cells):
            _t_test(out, p, cells)
        elif table is not None:
            _count_test(out, p, table, parts)
    overall(sheet, out)


@lru_cache(maxsize=20_000)
def t_interval(method: str, n1: int, m1: str, s1: str, n2: int, m2: str, s2: str):
    """p of a t test from printed moments: its range, and its value as printed.

    p falls with the difference, so its ends suffice; over the SDs Student's p is monotone,
    and Welch's, whose degrees of freedom move too, is searched on a grid of 5 x 5.
    """
    gap = (spread(m1) - spread(m2)).size()
    a, b = (Interval(max(0.0, iv.low), iv.high) for iv in (spread(s1), spread(s2)))

    def p(difference, sd1, sd2):
        found = tests.t_test_p((n1, difference, sd1), (n2, 0.0, sd2), method=method)
        return found if found == found else float(difference == 0)

    found = dense(p, gap, a, b, points=5 if method == "welch" else 2)
    return found, p(abs(float(m1) - float(m2)), float(s1), float(s2))


def _t_test(out: Ledger, p, cells) -> None:
    (n1, m1, s1), (n2, m2, s2) = cells
    if min(n1.value, n2.value) < 2:
        return
    arguments = (int(n1.value), m1.text, s1.text, int(n2.value), m2.text, s2.text)
    methods = ["welch", "student"] if p.method == "welch" else ["student", "welch"]
    found = {m: t_interval(m, *arguments) for m in methods}
    text = ", ".join(f"{m.capitalize()} p = {short_p(iv)}" for m, (iv, _) in found.items())
    out.judge("t test", p, [(m, iv, point) for m, (iv, point) in found.items()], text,
              [n1, m1, s1, n2, m2, s2])


def short_p(iv: Interval) -> str:
    """Limits of a p for a line of text."""
    return f"{iv.low:.3f} to {iv.high:.3f}"


def counts_table(sheet: Sheet, variable: str):
    """Counts (levels, arms) of a binary or categorical variable, and the prints used."""
    sizes = [sheet.randomised(arm) for arm in sheet.arms]
    if None in sizes:
        return None, []
    levels = list(dict.fromkeys(p.variable for p in sheet.prints if p.analysis == "baseline"
                                and p.variable.startswith(variable + ": ")))
    cells = [[sheet.get("baseline", v, arm) for arm in sheet.arms] for v in levels or [variable]]
    prints = [p for row in cells for p in row]
    if None in prints:
        return None, []
    table = [[int(p.value) for p in row] for row in cells]
    rest = [int(n.value) - sum(row[k] for row in table) for k, n in enumerate(sizes)]
    if min(rest) < 0 or (not levels and len(table) != 1):
        return None, []
    if not levels or any(rest):
        table.append(rest)
    return tuple(map(tuple, table)), [*prints, *sizes]


@lru_cache(maxsize=5_000)
def count_ps(table) -> dict[str, float]:
    """p of every test that statistical packages print beside a table of counts."""
    kept = tests.counts(table)
    found = {"pearson": tests.pearson(table).p, "yates": tests.yates(table).p}
    if kept.sum() <= LARGE:
        found["fisher"] = tests.fisher(table).p
    if min(kept.shape) > 1:
        n = kept.sum()
        expected = np.outer(kept.sum(axis=1), kept.sum(axis=0)) / n
        g2 = 2 * (special.xlogy(kept, kept) - special.xlogy(kept, expected)).sum()
        df = (kept.shape[0] - 1) * (kept.shape[1] - 1)
        found["likelihood ratio"] = float(special.chdtrc(df, max(0.0, g2)))
        r = _correlation(kept)
        found["linear by linear"] = float(special.chdtrc(1, (n - 1) * r**2))
    return {name: p for name, p in found.items() if p == p}


def _correlation(kept) -> float:
    """Correlation of level number and arm."""
    rows, columns = np.arange(kept.shape[0]), np.arange(kept.shape[1])
    n = kept.sum()
    a, b = kept.sum(axis=1) @ rows / n, kept.sum(axis=0) @ columns / n
    cross = (np.outer(rows - a, columns - b) * kept).sum()
    va, vb = kept.sum(axis=1) @ (rows - a) ** 2, kept.sum(axis=0) @ (columns - b) ** 2
    return float(cross / math.sqrt(va * vb))


@lru_cache(maxsize=5_000)
def finer(table, printed: str) -> str:
    """A finer table whose Pearson p prints so, as text; empty where there is none.

    One shown level is split in two or three in every way, which is what merging
    categories for print does.
    """
    target = spread(printed)
    for pieces in (2, 3):
        for k, (a, b) in enumerate(table):
            others = [row for j, row in enumerate(table) if j != k]
            if ((a + 1) * (b + 1)) ** (pieces - 1) > 400_000:
                continue
            splits = list(itertools.product(_splits(a, pieces), _splits(b, pieces)))
            ps = _pearson(others, np.array(splits, dtype=float))
            hits = np.flatnonzero((ps >= target.low) & (ps <= target.high))
            if hits.size:
                left, right = splits[hits[0]]
                return f"{a} and {b} as {left} and {right}"
    return ""


def _splits(n: int, pieces: int) -> list[tuple[int, ...]]:
    """Partitions of n people into unlabelled classes, the larger first in pairs only."""
    if pieces == 2:
        return [(n - k, k) for k in range(n + 1)]
    return [(n - j - k, j, k) for j in range(n + 1) for k in range(n + 1 - j)]


def _pearson(others, splits) -> np.ndarray:
    """Pearson's p of tables made of the rows ``others`` and of each split level."""
    arms = [np.concatenate([np.broadcast_to([row[j] for row in others],
                                            (len(splits), len(others))), splits[:, j]], axis=1)
            for j in (0, 1)]
    totals = [arm.sum(axis=1)[:, None] for arm in arms]
    rows = arms[0] + arms[1]
    n = totals[0] + totals[1]
    full = (rows > 0).all(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        chi2 = (n * (sum(a**2 / (rows * t) for a, t in zip(arms, totals, strict=True))
                     .sum(axis=1, keepdims=True) - 1))[:, 0]
    ps = np.full(len(splits), -1.0)
    ps[full] = special.chdtrc(rows.shape[1] - 1, np.maximum(chi2[full], 0))
    return ps


def _count_test(out: Ledger, p, table, parts) -> None:
    ps = count_ps(table)
    shown = " v ".join("/".join(str(row[k]) for row in table) for k in (0, 1))
    if not ps:
        out.add("count test", p, yes_no(False, "constant"),
                f"{shown}: everybody is in one class, so no test has a p", parts)
        return
    first = p.method if p.method in ps else "pearson"
    order = [first, *(m for m in ps if m != first)]
    text = f"{shown}: " + ", ".join(f"{m} {ps[m]:.3f}" for m in order)
    found = judge(p.text, [(m, ps[m], ps[m]) for m in order])
    if found.verdict == "impossible" and not p.is_bound:
        split = finer(table, p.text)
        if split:
            found = Judgement("other convention", "finer classes than shown", interval(ps[first]))
            text += f"; with {split} pearson prints {p.text}"
    out.add("count test", p, found, text, parts)


def overall(sheet: Sheet, out: Ledger) -> None:
    """Mean and SD of both arms together."""
    for p in sheet.prints:
        if p.analysis != "baseline" or p.arm != "overall" or p.statistic not in ("mean", "sd"):
            continue
        cells = [sheet.moments("baseline", p.variable, arm) for arm in sheet.arms]
        if not all(cells):
            out.add("overall", p, unsure("no arms printed"), "no arms printed")
            continue
        (n1, m1, s1), (n2, m2, s2) = cells
        a, b = n1.value, n2.value
        if a + b < 2:
            continue
        if p.statistic == "mean":
            values = (m1.values * a + m2.values * b) * (1 / (a + b))
            value, inputs = (a * m1.value + b * m2.value) / (a + b), [n1, m1, n2, m2]
        else:
            def variance(gap2, x2, y2, a=a, b=b):
                return (gap2 * (a * b / (a + b)) + x2 * (a - 1) + y2 * (b - 1)) * (1 / (a + b - 1))

            values = variance((m1.values - m2.values).squared(), s1.values.squared(),
                              s2.values.squared()).root()
            value = math.sqrt(variance((m1.value - m2.value)**2, s1.value**2, s2.value**2))
            inputs = [n1, m1, s1, n2, m2, s2]
        out.judge("overall", p, [("", values, value)],
                  f"from {n1.text} and {n2.text} people: {value:.3f}", inputs)
