"""What a table of model contrasts holds: centre, SE, kind of statistic, structure."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy import special

from mair.published.consistency.counts import retained
from mair.published.consistency.engine import Judgement, check, formula, unsure, yes_no
from mair.published.consistency.formulas import RATIOS, Z
from mair.published.consistency.sheet import Printed, Sheet
from mair.published.rounding import Interval, image, interval, span

SLACK = 0.003  # relative: what a covariate moves the ratio of two SEs by
SHARES = np.linspace(0.0, 0.99, 34)  # between-person share of the variance
GRID = 25  # degrees of freedom tried where they are estimated
MORE = 6  # at most so many more unseen at a visit are tried
STATISTICS = ("b", "ci_low", "ci_high", "z", "t", "p", "se")
ESTIMATED = ("welch", "satterthwaite", "kenward-roger")  # whose degrees of freedom are not whole


def contrast(sheet: Sheet, p: Printed) -> dict | None:
    """The numbers of the contrast that ``p`` is part of, by statistic; None without a B. Of a
    ratio B and its limits are the logarithms."""
    found = {s: sheet.get(*p.key[:4], s) for s in STATISTICS}
    for ratio in RATIOS if not found["b"] else ():
        three = [sheet.get(*p.key[:4], ratio + end) for end in ("", "_low", "_high")]
        if None not in three and {q.method for q in three} == {p.method} and min(
                q.values.low for q in three) > 0:
            found |= {s: replace(q, by=np.log) for s, q in zip(STATISTICS, three, strict=False)}
    return found if p.time and found["b"] else None


def with_limits(sheet: Sheet, p: Printed) -> dict | None:
    """`contrast`; None without both limits."""
    c = contrast(sheet, p)
    return c if c and c["ci_low"] and c["ci_high"] else None


KEYS = {"first": True, "arm": "difference"}
ANY, LIMITS = {"given": contrast, **KEYS}, {"given": with_limits, **KEYS}


def width(low, high):
    """Upper minus lower limit, never below a thousandth of a unit."""
    return np.maximum(high - low, 1e-6)


def references(sheet: Sheet, p: Printed, t_first: bool) -> list[tuple[str, tuple, Interval]]:
    """Name, degrees of freedom and two-sided 5 % points of what a reader could expect: normal, or
    t at people minus 2, rows minus parameters, and those within people; where a method estimates
    them, from those of the smaller arm to all people's."""
    people = [sheet.randomised(arm) for arm in sheet.arms]
    arms = [sheet.both_arms(p.analysis, p.variable, t) for t in (*sheet.visits[:1], p.time)]
    visits = len({q.time for q in sheet.where(analysis=p.analysis, variable=p.variable) if q.time})
    found, sizes = set(), [people, *([m[0] for m in both] for both in arms if both)]
    for n in ([int(q.value) for q in pair] for pair in sizes if None not in pair):
        if p.method.endswith(ESTIMATED) and min(n) > 2:
            found.add(tuple(np.linspace(min(n) - 1, sum(n) - 2, GRID)))
        else:
            found |= {(sum(n) - 2,), ((sum(n) - 2) * visits,), ((sum(n) - 2) * (visits - 1),)}
    ts = [(f"t with {' to '.join(f'{df:g}' for df in sorted({dfs[0], dfs[-1]}))} df", dfs,
           span(special.stdtrit(dfs, 0.975))) for dfs in sorted(found) if dfs[0] > 2]
    whole = ("normal", (math.inf,), interval(Z))
    return [*ts, whole] if t_first else [whole, *ts]


def two_sided(size, df: float | None = None) -> Interval:
    """Two-sided p of a statistic's size, normal or t: falls with it, so its ends suffice."""
    tail = special.ndtr if df is None or math.isinf(df) else lambda x: special.stdtr(df, x)
    return image(lambda x: 2 * tail(-x), interval(size).size())


@check("sign", statistic=("z", "t", "d"), **ANY)
def sign(sheet: Sheet, p: Printed, c: dict):
    """B, its statistic and d point the same way."""
    b, same = c["b"], c["b"].value * p.value
    if not same:
        return None
    found = yes_no(same > 0, "as B" if same > 0 else "opposite to B")
    sizes = [sheet.randomised(arm) for arm in sheet.arms]
    seen = sheet.both_arms(p.analysis, p.variable, p.time)
    everyone = seen and None not in sizes and [n.value for n, *_ in seen] == [
        n.value for n in sizes]
    if same < 0 and p.statistic == "d" and (not everyone or abs(p.value) < 0.2):
        # a model's B may part from raw means near 0, and from those of fewer people
        found = unsure("opposite to B, of fewer people or near 0")
    return found, f"B {b}, {p.statistic} {p}", (b,)


def quotient(b: Printed, low: Printed, high: Printed) -> tuple[Interval, float]:
    """B over half the width of its interval: by B itself and by the middle of its limits, where
    both can be; and at the numbers."""
    _, own, at = formula(lambda b, low, high: 2 * b / width(low, high), b, low, high)
    _, middle, _ = formula(lambda low, high: (low + high) / width(low, high), low, high)
    both = Interval(max(own.low, middle.low), min(own.high, middle.high))
    return (both if both.low <= both.high else own), at


@check("statistic", statistic=("z", "t"), **LIMITS)
def statistic(sheet: Sheet, p: Printed, c: dict):
    """The statistic is B over the SE that the interval implies."""
    if p is not (c["z"] or c["t"]):
        return None
    numbers = c["b"], c["ci_low"], c["ci_high"]
    ratio, at = quotient(*numbers)
    kinds = references(sheet, p, not c["z"])
    found = [(name, ratio * ks, at * ks.low) for name, _, ks in kinds]
    se = width(c["ci_low"].value, c["ci_high"].value) / 2 / kinds[0][2].low
    return found, f"{c['b']} / {se:.4f} = {found[0][2]:.3f}", numbers


@check("se", statistic="se", **LIMITS)
def standard_error(sheet: Sheet, p: Printed, c: dict):
    """The SE that the interval implies."""
    low, high = c["ci_low"], c["ci_high"]
    _, half, at = formula(lambda low, high: width(low, high) / 2, low, high)
    found = [(name, half * Interval(1 / ks.high, 1 / ks.low), at / ks.low)
             for name, _, ks in references(sheet, p, bool(c["t"] and not c["z"]))]
    return found, f"({high} - {low}) / {2 * Z:.2f}", (low, high)


@check("p value", statistic="p", **ANY)
def p_value(sheet: Sheet, p: Printed, c: dict):
    """p from the statistic: normal, or t at plausible degrees of freedom."""
    s, numbers = c["z"] or c["t"], [c["b"], c["ci_low"], c["ci_high"]]
    numbers = [] if None in numbers else numbers
    if not (s or numbers):
        return None
    found = []
    for name, dfs, _ in references(sheet, p, not c["z"]):
        ps = [_p(s, numbers, df, Z if c["z"] else special.stdtrit(df, 0.975)) for df in dfs]
        ps = [p for p in ps if p[2]] or ps  # degrees of freedom at which t and B agree
        found.append((name, span([(iv.low, iv.high) for iv, *_ in ps]), ps[-1][1]))
    text = "; ".join(f"{name} {iv.low:.4f} to {iv.high:.4f}" for name, iv, _ in found[:2])
    return found, text, [s, *numbers]


def _p(s: Printed | None, numbers: list, df: float, k: float) -> tuple[Interval, float, bool]:
    """p by a statistic and by B with its limits, k SE apart from it; at the numbers; and whether
    the two agree."""
    sizes, at = (s.values.size(), abs(s.value)) if s else (Interval(0, math.inf), 0)
    agree = True
    if numbers:
        ratio, value = quotient(*numbers)
        ratio, at = (ratio * k).size(), at if s else abs(value * k)
        low, high = max(sizes.low, ratio.low), min(sizes.high, ratio.high)
        if agree := low <= high:  # both bind: B/SE often says more than a rounded z
            sizes = Interval(low, high)
    return two_sided(sizes, df), two_sided(min(max(at, sizes.low), sizes.high), df).low, agree


@check("se ratio", statistic="b", method=lambda m: m.startswith("random-intercept"), **LIMITS)
def se_ratio(sheet: Sheet, b: Printed, second: dict):
    """The ratio of the SEs of two visits, against missingness under a random intercept."""
    others = [sheet.get(*key, "b") for key in sheet.contrasts if key[:2] == b.key[:2]]
    others = [q for q in others if q and with_limits(sheet, q)]
    if others[0] is b:
        return None
    first, times = with_limits(sheet, others[0]), (others[0].time, b.time)
    ends = [c[s] for c in (second, first) for s in ("ci_low", "ci_high")]
    _, ratio, at = formula(lambda *ends: width(*ends[2:]) / width(*ends[:2]), *ends)
    se1, se2 = (width(*(q.value for q in two)) / 2 / Z for two in (ends[2:], ends[:2]))
    text = f"SE {se1:.4g} at {times[0]} / {se2:.4g} at {times[1]} = {at:.4f}"
    counts, inputs = [], ends
    for arm in sheet.arms:
        n, kept = sheet.randomised(arm), [retained(sheet, arm, t) for t in times]
        if n is None or any(k is None for k, _ in kept):
            return unsure("no flow printed"), text, inputs
        counts.append((int(n.value), kept[0][0], kept[1][0]))
        inputs += [n, *(q for _, used in kept for q in used)]
    if any(max(k1, k2) > n or min(k1, k2) < 0 for n, k1, k2 in counts):
        return None
    flow = possible_ratios(tuple(counts), 0, 0, 0)
    text += f"; the flow's losses give {flow.low:.4g} to {flow.high:.4g}"
    wide = Interval(ratio.low * (1 - SLACK), ratio.high * (1 + SLACK))
    if wide.meets(flow):
        return Judgement("within rounding", "random intercept, flow's losses", flow), text, inputs
    more = {(visit, arm): " or ".join(str(k) for k in range(1, MORE + 1) if wide.meets(
        possible_ratios(tuple(counts), k, arm, visit))) for arm in (1, 0) for visit in (0, 1)}
    name = " or ".join(f"{ks} more unseen at {times[visit]} in {sheet.arms[arm]}"
                       for (visit, arm), ks in more.items() if ks)
    return (Judgement("other convention", name or "variances that differ by visit", ratio), text,
            inputs)


@lru_cache(maxsize=20_000)
def possible_ratios(counts, more: int, arm: int, visit: int) -> Interval:
    """Ratios of two contrasts' SEs under a random intercept, over the between-person share.

    Parameters
    ----------
    counts : tuple
        (randomised, seen at the first later visit, seen at the second) of each arm. Losses
        are nested: who was seen at the rarer visit was seen at the other.
    more, arm, visit : int
        So many more of that arm were not seen at that visit alone.

    Returns
    -------
    Interval
        The smallest and largest over 34 shares from 0 to 0.99: between neighbours the ratio
        moves by less than 1e-3.
    """
    variances = np.zeros((len(SHARES), 2))
    covariance = np.eye(3) + SHARES[:, None, None] * (1 - np.eye(3))
    for a, (n, k1, k2) in enumerate(counts):
        both = min(k1, k2)
        extra = min(more, both) if a == arm else 0
        seen = [((0, 1, 2), both - extra), ((0,), n - max(k1, k2)),
                ((0, 1) if k1 > k2 else (0, 2), abs(k1 - k2)),
                ((0, 2) if visit == 0 else (0, 1), extra)]
        if {j for visits, m in seen if m > 0 for j in visits} != {0, 1, 2}:
            return Interval(0.0, math.inf)
        information = np.zeros_like(covariance)
        for visits, m in seen:
            at = (slice(None), *np.ix_(visits, visits))
            information[at] += m * np.linalg.inv(covariance[at])
        cov = np.linalg.inv(information)
        variances += (np.diagonal(cov, axis1=1, axis2=2)[:, 1:] + cov[:, :1, 0]
                      - 2 * cov[:, 0, 1:])
    ratios = np.sqrt(variances[:, 0] / variances[:, 1])
    return Interval(float(ratios.min()), float(ratios.max()))
