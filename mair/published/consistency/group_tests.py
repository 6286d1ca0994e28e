"""Tests of the baseline table: t tests from means and SDs, tests of counts, overall moments."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import special, stats

from mair.published.consistency.counts import LARGE
from mair.published.consistency.engine import Judgement, check, formula, judge, unsure, yes_no
from mair.published.consistency.sheet import Printed, Sheet
from mair.published.rounding import Interval, image, interval, values
from mair.stats import tests

SEED, DRAWS = 2020, 10_000  # of p at random
P = {"analysis": "baseline", "arm": "difference", "statistic": "p"}


@lru_cache(maxsize=20_000)
def t_interval(method: str, n1: int, m1: str, s1: str, n2: int, m2: str, s2: str):
    """p of a t test from printed moments: its range, and its value as printed.

    p falls with the difference, so its ends suffice; over the SDs Student's p is monotone,
    and Welch's, whose degrees of freedom move too, is searched on a grid of 5 x 5.
    """
    def p(difference, sd1, sd2):
        found = tests.t_test_p((n1, difference, sd1), (n2, 0.0, sd2), method=method)
        return np.where(np.isnan(found), difference == 0, found)

    sds = [Interval(max(0.0, iv.low), iv.high) for iv in (values(s1), values(s2))]
    gap, at = (values(m1) - values(m2)).size(), abs(float(m1) - float(m2))
    return (image(p, gap, *sds, points=5 if method == "welch" else 2),
            float(p(at, float(s1), float(s2))))


def arms(sheet: Sheet, p: Printed) -> list | None:
    """(n, mean, SD) of (control, treatment)."""
    return sheet.both_arms("baseline", p.variable)


@check("t test", given=arms, **P)
def t_test(sheet: Sheet, p: Printed, both: list):
    """p of Student's and Welch's test."""
    if min(n.value for n, *_ in both) < 2:
        return None
    arguments = [v for n, m, s in both for v in (int(n.value), m.printed, s.printed)]
    methods = ["welch", "student"] if p.method == "welch" else ["student", "welch"]
    found = [(m, *t_interval(m, *arguments)) for m in methods]
    return (found, ", ".join(f"{m.capitalize()} p = {iv.low:.3f} to {iv.high:.3f}"
                             for m, iv, _ in found), [*both[0], *both[1]])


def counts_table(sheet: Sheet, p: Printed) -> tuple | None:
    """Counts (levels, arms) of a binary or categorical variable, and the numbers used."""
    sizes = [sheet.randomised(arm) for arm in sheet.arms]
    levels = list(dict.fromkeys(q.variable for q in sheet.where(analysis="baseline")
                                if q.variable.startswith(p.variable + ": ")))
    numbers = [sheet.get("baseline", v, arm) for v in levels or [p.variable] for arm in sheet.arms]
    if None in (*sizes, *numbers) or arms(sheet, p):
        return None
    table = np.reshape([int(q.value) for q in numbers], (-1, 2))
    rest = [int(n.value) for n in sizes] - table.sum(axis=0)
    if not levels or any(rest):
        table = np.vstack([table, rest])
    return (tuple(map(tuple, table.tolist())), [*numbers, *sizes]) if min(rest) >= 0 else None


@lru_cache(maxsize=5_000)
def count_ps(table) -> dict[str, float]:
    """p of every test that statistical packages print beside a table of counts."""
    kept = tests.counts(table)
    found = {"pearson": tests.pearson(table).p, "yates": tests.yates(table).p}
    if kept.sum() <= LARGE:
        found["fisher"] = tests.fisher(table).p
    if min(kept.shape) > 1:
        found["likelihood ratio"] = stats.chi2_contingency(
            kept, correction=False, lambda_="log-likelihood").pvalue
        r = np.cov(np.indices(kept.shape).reshape(2, -1), fweights=kept.ravel())
        r2 = r[0, 1] ** 2 / (r[0, 0] * r[1, 1])
        found["linear by linear"] = special.chdtrc(1, (kept.sum() - 1) * r2)
    return {name: float(p) for name, p in found.items() if p == p}


@lru_cache(maxsize=500)
def splits(table) -> tuple[list, np.ndarray]:
    """Tables with one shown level split in two, as merging for print makes them: the level and
    the counts split off in each arm, and Pearson's p of each."""
    where, ps = [], []
    for k, (a, b) in enumerate(table):
        if (a + 1) * (b + 1) > 400_000:
            continue
        left, right = (part.ravel() for part in np.indices((a + 1, b + 1)))
        others = np.broadcast_to(np.delete(table, k, axis=0), (left.size, len(table) - 1, 2))
        split = np.stack([[left, right], [a - left, b - right]]).transpose(2, 0, 1)
        found = np.concatenate([others, split], axis=1)
        rows, arms = found.sum(axis=2), found.sum(axis=1)
        full = rows.all(axis=1)  # a level without people is no level
        expected = rows[full, :, None] * arms[full, None, :] / arms[0].sum()
        chi2 = ((found[full] - expected) ** 2 / expected).sum(axis=(1, 2))
        ps.append(special.chdtrc(len(table), chi2))
        where += [(k, x, y) for x, y in zip(left[full], right[full], strict=True)]
    return where, np.concatenate(ps) if ps else np.empty(0)


def finer(table, p: Printed) -> str:
    """A split that prints p, and the share of p drawn at random that some split prints too;
    empty where there is none, and for 0, which any large difference prints."""
    where, ps = splits(table)
    hits = np.flatnonzero((ps >= p.values.low) & (ps <= p.values.high))
    if not hits.size or not p.value:
        return ""
    (a, b), (_, x, y) = table[where[hits[0]][0]], where[hits[0]]
    at_random = np.random.default_rng(SEED).random(DRAWS).round(p.decimals)
    share = np.isin(at_random, ps.round(p.decimals)).mean()
    return (f"; with {a} and {b} as ({a - x}, {x}) and ({b - y}, {y}) pearson prints {p}, but "
            f"some such split prints {share:.0%} of {DRAWS} p drawn at random")


@check("count test", given=counts_table, **P)
def count_test(sheet: Sheet, p: Printed, counted: tuple):
    """p of a test of counts, or of finer classes than shown."""
    (table, parts), ps = counted, count_ps(counted[0])
    shown = " v ".join("/".join(str(row[k]) for row in table) for k in (0, 1))
    if not ps:
        return (yes_no(False, "constant"),
                f"{shown}: everybody is in one class, so no test has a p", parts)
    first = p.method if p.method in ps else "pearson"
    order = [first, *(m for m in ps if m != first)]
    text = f"{shown}: " + ", ".join(f"{m} {ps[m]:.3f}" for m in order)
    found = judge(p.printed, [(m, ps[m]) for m in order])
    merged = len(parts) >= 8 or "merged" in p.note  # three levels printed, of two arms of some n
    if found.verdict == "impossible" and merged and not p.relation and (split := finer(table, p)):
        found = Judgement("other convention", "finer classes than shown", interval(ps[first]))
        text += split
    return found, text, parts


@check("overall", analysis="baseline", arm="overall", statistic=("mean", "sd"))
def overall(sheet: Sheet, p: Printed):
    """Mean and SD of both arms together."""
    if not (both := arms(sheet, p)):
        return unsure("no arms printed"), "no arms printed"
    (n1, m1, s1), (n2, m2, s2) = both
    a, b = n1.value, n2.value
    if a + b < 2:
        return None
    if p.statistic == "mean":
        found, inputs = formula(lambda x, y: (a * x + b * y) / (a + b), m1, m2), [n1, m1, n2, m2]
    else:
        def sd(gap, x, y):
            return np.sqrt((gap**2 * a * b / (a + b) + x**2 * (a - 1) + y**2 * (b - 1))
                           / (a + b - 1))

        box = (m1.values - m2.values, s1.values, s2.values)
        found = ("", image(sd, *(iv.size() for iv in box)),
                 float(sd(m1.value - m2.value, s1.value, s2.value)))
        inputs = [*both[0], *both[1]]
    return [found], f"from {n1} and {n2} people: {found[2]:.3f}", inputs
