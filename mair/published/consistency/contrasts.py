"""What a table of model contrasts holds: centre, SE, kind of statistic, structure."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy import special

from mair.published.consistency.counts import retained
from mair.published.consistency.effect_sizes import courses, mean_changes
from mair.published.consistency.engine import Judgement, check, unsure, yes_no
from mair.published.consistency.sheet import Print, Sheet
from mair.published.rounding import Interval, image, interval

Z = float(special.ndtri(0.975))
SLACK = 0.003  # relative: what a covariate moves the ratio of two SEs by
SHARES = np.linspace(0.0, 0.99, 34)  # between-person share of the variance
MORE = 6  # at most so many more unseen at a visit are tried
STATISTICS = ("b", "ci_low", "ci_high", "z", "t", "p", "se")


def contrast(sheet: Sheet, p: Print) -> dict | None:
    """The prints of the contrast that ``p`` is part of, by statistic; None without a B."""
    found = {s: sheet.get(*p.key[:4], s) for s in STATISTICS}
    return found if p.time and found["b"] else None


def width(c: dict) -> tuple[Interval, float] | None:
    """Upper minus lower limit, never below a thousandth of a unit: range, value as printed."""
    if not c or not c["ci_low"] or not c["ci_high"]:
        return None
    iv = c["ci_high"].values - c["ci_low"].values
    return (Interval(max(iv.low, 1e-6), max(iv.high, 1e-6)),
            max(c["ci_high"].value - c["ci_low"].value, 1e-6))


def references(sheet: Sheet, p: Print, t_first: bool) -> list[tuple[str, float]]:
    """Names and degrees of freedom that a reader could expect: normal, people minus 2, rows
    minus parameters, and those within people."""
    people = [sheet.randomised(arm) for arm in sheet.arms]
    arms = sheet.both_arms(p.analysis, p.variable, *sheet.visits[:1])
    visits = len({q.time for q in sheet.where(analysis=p.analysis, variable=p.variable) if q.time})
    found = set()
    for sizes in (people, [m[0] for m in arms or ()]):
        if sizes and None not in sizes:
            n = sum(int(q.value) for q in sizes)
            found |= {n - 2, n * visits - 2 * visits, (n - 2) * (visits - 1)}
    ts = [(f"t with {df} df", df) for df in sorted(found) if df > 2]
    return [*ts, ("normal", math.inf)] if t_first else [("normal", math.inf), *ts]


def critical(df: float) -> float:
    """The two-sided 5 % point of t."""
    return float(special.stdtrit(df, 0.975)) if math.isfinite(df) else Z


def two_sided(size, df: float | None = None) -> Interval:
    """Two-sided p of a statistic's size, normal or t: falls with it, so its ends suffice."""
    tail = special.ndtr if df is None or math.isinf(df) else lambda x: special.stdtr(df, x)
    return image(lambda x: 2 * tail(-x), interval(size).size())


@check("sign", first=True, arm="difference", statistic=("z", "t", "d"))
def sign(sheet: Sheet, p: Print):
    """B, its statistic and d point the same way."""
    c = contrast(sheet, p)
    if not c or 0 in (c["b"].value, p.value):
        return None
    text, name = f"B {c['b'].printed}, {p.statistic} {p.printed}", "opposite to B"
    if c["b"].value * p.value > 0:
        return yes_no(True, "as B"), text, (c["b"],)
    if p.statistic == "d" and abs(p.value) < 0.2:  # a model's B may part from raw means there
        return unsure(f"{name}, near 0"), text, (c["b"],)
    return yes_no(False, name), text, (c["b"],)


@check("centre", first=True, arm="difference", statistic=("b", "ci_low", "ci_high"))
def centre(sheet: Sheet, p: Print):
    """B is the middle of its interval, and each limit the reflection of the other."""
    c = contrast(sheet, p)
    if not width(c):
        return None
    b, low, high = c["b"], c["ci_low"], c["ci_high"]
    if p.statistic == "b":
        at = (low.value + high.value) / 2
        return ([("", (low.values + high.values) * 0.5, at)],
                f"({low.printed} + {high.printed}) / 2 = {at:g}", (low, high))
    q = high if p is low else low
    at = 2 * b.value - q.value
    return ([("", b.values * 2 - q.values, at)], f"2 x {b.printed} - {q.printed} = {at:g}", (b, q))


@check("statistic", first=True, arm="difference", statistic=("z", "t"))
def statistic(sheet: Sheet, p: Print):
    """The statistic is B over the SE that the interval implies."""
    c = contrast(sheet, p)
    if not width(c) or p is not (c["z"] or c["t"]):
        return None
    (wide, at), b = width(c), c["b"]
    kinds = references(sheet, p, t_first=c["z"] is None)
    ratio = image(np.divide, b.values, wide)
    found = [(name, ratio * (2 * critical(df)), 2 * critical(df) * b.value / at)
             for name, df in kinds]
    se = at / 2 / critical(kinds[0][1])
    return (found, f"{b.printed} / {se:.4f} = {b.value / se:.3f}", (b, c["ci_low"], c["ci_high"]))


@check("se", first=True, arm="difference", statistic="se")
def standard_error(sheet: Sheet, p: Print):
    """The SE that the interval implies."""
    c = contrast(sheet, p)
    if not width(c):
        return None
    kinds = references(sheet, p, t_first=c["z"] is None and c["t"] is not None)
    wide, at = width(c)
    found = [(name, wide * (0.5 / critical(df)), at / 2 / critical(df)) for name, df in kinds]
    text = f"({c['ci_high'].printed} - {c['ci_low'].printed}) / {2 * Z:.2f}"
    return found, text, (c["ci_low"], c["ci_high"])


@check("p value", first=True, arm="difference", statistic="p")
def p_value(sheet: Sheet, p: Print):
    """p from the statistic: normal, or t at plausible degrees of freedom."""
    c = contrast(sheet, p)
    s = c and (c["z"] or c["t"])
    if not s and not width(c):
        return None
    sizes, at = (s.values.size(), abs(s.value)) if s else (None, None)
    inputs = [s] if s else []
    if width(c):
        wide, w = width(c)
        ratio = image(lambda b, x: 2 * Z * b / x, c["b"].values, wide).size()
        if not s:
            sizes, at = ratio, abs(2 * Z * c["b"].value / w)
        low, high = max(sizes.low, ratio.low), min(sizes.high, ratio.high)
        if low <= high:  # both bind: B/SE often says more than a rounded z
            sizes = Interval(low, high)
        inputs += [c["b"], c["ci_low"], c["ci_high"]]
    at = min(max(at, sizes.low), sizes.high)
    found = [(name, two_sided(sizes, df), two_sided(at, df).low)
             for name, df in references(sheet, p, t_first=c["z"] is None)]
    text = "; ".join(f"{name} {iv.low:.4f} to {iv.high:.4f}" for name, iv, _ in found[:2])
    return found, text, inputs


@check("mean changes", first=True, arm="difference", statistic="b")
def against_mean_changes(sheet: Sheet, b: Print):
    """B against the difference in mean changes of those described.

    With every pair complete a time-constant covariate does not matter, and a random
    intercept's B is exactly that difference. It need not be where others were in the model.
    """
    arms = courses(sheet, b) if b.time else None
    if not arms or sheet.declared(b.variable).get("transform") == "log":
        return None
    (c, t), sizes = arms, [sheet.randomised(arm) for arm in sheet.arms]
    gap, at = mean_changes(c, t)
    inputs = [*c, *t, *sizes]
    text = (f"({t[3].printed} - {t[1].printed}) - ({c[3].printed} - {c[1].printed}) = {at:.3g}, "
            f"B = {b.printed}")
    left = None if None in sizes else [int(n.value - a[0].value)
                                       for n, a in zip(sizes, arms, strict=True)]
    if gap.meets(b.values) or (left is not None and not any(left)):
        return [("difference in mean changes", gap, at)], text, inputs
    if left and min(left) > 0:
        shares = sum(k / n.value for k, n in zip(left, sizes, strict=True))
        text += (f"; the others' mean change would differ from that by "
                 f"{abs(b.value - at) / shares:.2g} in each arm, in opposite directions")
    who = "people not described" if left is None else f"{left[0]} and {left[1]} not described"
    return unsure(who, gap), text, inputs


@check("se ratio", first=True, arm="difference", statistic="b")
def se_ratio(sheet: Sheet, b: Print):
    """The ratio of the SEs of two visits, against missingness under a random intercept."""
    others = [sheet.get(*key, "b") for key in sheet.contrasts if key[:2] == b.key[:2]]
    others = [q for q in others if q and width(contrast(sheet, q))]
    if b not in others[1:]:
        return None
    both = [contrast(sheet, q) for q in (others[0], b)]
    (w1, at1), (w2, at2) = map(width, both)
    times, ratio = (others[0].time, b.time), image(np.divide, w1, w2)
    se1, se2 = at1 / 2 / Z, at2 / 2 / Z
    inputs = [c[s] for c in reversed(both) for s in ("ci_low", "ci_high")]
    text = f"SE {se1:.4g} at {times[0]} / {se2:.4g} at {times[1]} = {se1 / se2:.4f}"
    counts = []
    for arm in sheet.arms:
        n, kept = sheet.randomised(arm), [retained(sheet, arm, t) for t in times]
        if n is None or any(k is None for k, _ in kept):
            return unsure("no flow printed"), text, inputs
        counts.append((int(n.value), kept[0][0], kept[1][0]))
        inputs += [n, *(q for _, used in kept for q in used)]
    if any(max(k1, k2) > n or min(k1, k2) < 0 for n, k1, k2 in counts):
        return None
    counts, flow = tuple(counts), possible_ratios(tuple(counts), 0, 0, 0)
    text += f"; the flow's losses give {flow.low:.4g} to {flow.high:.4g}"
    wide = Interval(ratio.low * (1 - SLACK), ratio.high * (1 + SLACK))
    if wide.meets(flow):
        return Judgement("within rounding", "random intercept, flow's losses", flow), text, inputs
    more = {(visit, arm): " or ".join(str(k) for k in range(1, MORE + 1)
                                      if wide.meets(possible_ratios(counts, k, arm, visit)))
            for arm in (1, 0) for visit in (0, 1)}
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
