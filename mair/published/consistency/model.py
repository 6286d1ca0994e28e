"""What a table of model contrasts holds: centre, SE, kind of statistic, structure."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy import special

from mair.published.consistency.counts import retained
from mair.published.consistency.effects import cell, mean_changes
from mair.published.consistency.sheet import (
    Judgement,
    Ledger,
    Sheet,
    judge,
    short,
    unsure,
    yes_no,
)
from mair.published.intervals import Interval, corners, dense, interval

Z = float(special.ndtri(0.975))
SLACK = 0.003  # relative: what a covariate moves the ratio of two SEs by
SHARES = tuple(np.linspace(0.0, 0.99, 34))  # between-person share of the variance
MORE = 6  # at most so many more unseen at a visit are tried


def run(sheet: Sheet, out: Ledger) -> None:
    """Every check of this module."""
    for analysis, variable, time in sheet.contrasts():
        keys = (analysis, variable, "difference", time)
        found = {s: sheet.get(*keys, s) for s in ("b", "ci_low", "ci_high", "z", "t", "p", "d",
                                                  "se")}
        if found["b"] is None:
            continue
        signs(out, found)
        dfs = plausible_df(sheet, analysis, variable)
        if found["ci_low"] and found["ci_high"]:
            centre(out, found)
            statistic(out, found, dfs)
        p_value(out, found, dfs)
        against_changes(sheet, out, found["b"])
    ratios(sheet, out)


def plausible_df(sheet: Sheet, analysis: str, variable: str) -> list[int]:
    """Degrees of freedom a reader could expect: people minus 2, rows minus parameters."""
    people = [sheet.randomised(arm) for arm in sheet.arms]
    cells = [sheet.moments(analysis, variable, arm, sheet.visits[0]) for arm in sheet.arms]
    found = set()
    visits = len({p.time for p in sheet.where(analysis=analysis, variable=variable) if p.time})
    for sizes in (people, [c[0] if c else None for c in cells]):
        if None not in sizes:
            n = sum(int(q.value) for q in sizes)
            found |= {n - 2, n * visits - 2 * visits, (n - 2) * (visits - 1)}
    return sorted(df for df in found if df > 2)


def signs(out: Ledger, found: dict) -> None:
    """B, its statistic and d point the same way; the limits are in order."""
    b = found["b"]
    for p in (found["z"], found["t"], found["d"]):
        if p is None or 0 in (b.value, p.value):
            continue
        same = b.value * p.value > 0
        if same:
            out.add("sign", p, yes_no(True, "as B"), f"B {b.text}, {p.statistic} {p.text}", (b,))
        else:  # near 0 a difference in raw means and a model's B may part
            name = "opposite to B"
            weak = p.statistic == "d" and abs(p.value) < 0.2
            verdict = unsure(f"{name}, near 0") if weak else yes_no(False, name)
            out.add("sign", p, verdict, f"B {b.text}, {p.statistic} {p.text}", (b,))


def centre(out: Ledger, found: dict) -> None:
    """B is the middle of its interval, and each limit the reflection of the other."""
    b, low, high = found["b"], found["ci_low"], found["ci_high"]
    text = f"({low.text} + {high.text}) / 2 = {(low.value + high.value) / 2:g}"
    out.judge("centre", b, [("", (low.values + high.values) * 0.5,
                             (low.value + high.value) / 2)], text, (low, high))
    for p, q in ((low, high), (high, low)):
        out.judge("centre", p, [("", b.values * 2 - q.values, 2 * b.value - q.value)],
                  f"2 x {b.text} - {q.text} = {2 * b.value - q.value:g}", (b, q))


def width(found: dict) -> tuple[Interval, float]:
    """Upper minus lower limit, never below a thousandth of a unit."""
    low, high = found["ci_low"], found["ci_high"]
    iv = high.values - low.values
    return Interval(max(iv.low, 1e-6), max(iv.high, 1e-6)), max(high.value - low.value, 1e-6)


def statistic(out: Ledger, found: dict, dfs: list[int]) -> None:
    """SE from the interval, and the statistic as B over it."""
    b = found["b"]
    wide, at = width(found)
    criticals = [("normal", Z), *((f"t with {df} df", float(special.stdtrit(df, 0.975)))
                                  for df in dfs)]
    p = found["z"] or found["t"]
    if p is not None:
        if found["z"] is None:
            criticals = criticals[1:] + criticals[:1] if len(criticals) > 1 else criticals
        candidates = [
            (name, dense(lambda x, w, c=c: 2 * c * x / w, b.values, wide, points=2),
             2 * c * b.value / at) for name, c in criticals]
        se = at / 2 / criticals[0][1]
        out.judge("statistic", p, candidates, f"{b.text} / {se:.4f} = {b.value / se:.3f}",
                  (b, found["ci_low"], found["ci_high"]))
    if found["se"] is not None:
        out.judge("se", found["se"], [(name, wide * (0.5 / c), at / 2 / c)
                                      for name, c in criticals],
                  f"({found['ci_high'].text} - {found['ci_low'].text}) / {2 * Z:.2f}",
                  (found["ci_low"], found["ci_high"]))


def p_value(out: Ledger, found: dict, dfs: list[int]) -> None:
    """p from the statistic: normal, or t at plausible degrees of freedom."""
    p, s = found["p"], found["z"] or found["t"]
    if p is None:
        return
    inputs, sizes, at = [], None, None
    if s is not None:
        sizes, at = s.values.size(), abs(s.value)
        inputs.append(s)
    if found["ci_low"] and found["ci_high"]:
        wide, w = width(found)
        ratio = corners(lambda b, x: 2 * Z * b / x, found["b"].values, wide).size()
        if sizes is None:
            sizes, at = ratio, abs(2 * Z * found["b"].value / w)
        elif sizes.meets(ratio):
            sizes = sizes.both(ratio)  # both bind: B/SE often says more than a rounded z
        inputs += [found["b"], found["ci_low"], found["ci_high"]]
    if sizes is None:
        return
    at = min(max(at, sizes.low), sizes.high)
    tails = [("normal", None), *((f"t with {df} df", df) for df in dfs)]
    if found["z"] is None and len(tails) > 1:
        tails = [*tails[1:], tails[0]]
    candidates = [(name, two_sided(sizes, df), two_sided(at, df).low) for name, df in tails]
    text = "; ".join(f"{name} {iv.low:.4f} to {iv.high:.4f}" for name, iv, _ in candidates[:2])
    out.judge("p value", p, candidates, text, inputs)


def two_sided(size, df: int | None = None) -> Interval:
    """Two-sided p of a statistic's size, normal or t: falls with it, so corners suffice."""
    def p(x):
        return float(2 * (special.ndtr(-x) if df is None else special.stdtr(df, -x)))

    return corners(p, interval(size).size())


def against_changes(sheet: Sheet, out: Ledger, b) -> None:
    """B against the difference in mean changes of those described.

    With every pair complete a time-constant covariate does not matter, and a random
    intercept's B is exactly that difference. It need not be where others were in the model.
    """
    c, t = (cell(sheet, b, arm) for arm in sheet.arms)
    if not c or not t or sheet.declared(b.variable).get("transform") == "log":
        return
    gap, at = mean_changes(c, t)
    sizes = [sheet.randomised(arm) for arm in sheet.arms]
    inputs = [*c, *t, *sizes]
    text = (f"({t[3].text} - {t[1].text}) - ({c[3].text} - {c[1].text}) = {at:.3g}, "
            f"B = {b.text}")
    found = judge(b.text, [("difference in mean changes", gap, at)])
    left = None if None in sizes else [int(n.value - a[0].value)
                                       for n, a in zip(sizes, (c, t), strict=True)]
    apart = not gap.meets(b.values)
    if apart and left and min(left) > 0:
        shares = sum(k / n.value for k, n in zip(left, sizes, strict=True))
        text += (f"; the others' mean change would differ from that by "
                 f"{abs(b.value - at) / shares:.2g} in each arm, in opposite directions")
    if apart and (left is None or any(left)):
        who = "people not described" if left is None else f"{left[0]} and {left[1]} not described"
        out.add("mean changes", b, Judgement("not checkable", who, gap), text, inputs)
    else:
        out.add("mean changes", b, found, text, inputs)


def se_of(found: dict) -> tuple[Interval, float]:
    wide, at = width(found)
    return wide * (0.5 / Z), at / 2 / Z


def ratios(sheet: Sheet, out: Ledger) -> None:
    """The ratio of the SEs of two visits, against missingness under a random intercept."""
    groups: dict[tuple, list] = {}
    for analysis, variable, time in sheet.contrasts():
        keys = (analysis, variable, "difference", time)
        found = {s: sheet.get(*keys, s) for s in ("b", "ci_low", "ci_high")}
        if None not in found.values():
            groups.setdefault((analysis, variable), []).append((time, found))
    for (_, _), visits in groups.items():
        for time, found in visits[1:]:
            _ratio(sheet, out, visits[0], (time, found))


def _ratio(sheet, out, first, second) -> None:
    (t1, f1), (t2, f2) = first, second
    (se1, at1), (se2, at2) = se_of(f1), se_of(f2)
    ratio = corners(lambda a, b: a / b, se1, se2)
    b, inputs = f2["b"], [f2["ci_low"], f2["ci_high"], f1["ci_low"], f1["ci_high"]]
    text = f"SE {at1:.4g} at {t1} / {at2:.4g} at {t2} = {at1 / at2:.4f}"
    counts = []
    for arm in sheet.arms:
        n = sheet.randomised(arm)
        kept = [retained(sheet, arm, t) for t in (t1, t2)]
        if n is None or any(k is None for k, _ in kept):
            out.add("se ratio", b, unsure("no flow printed"), text, inputs)
            return
        counts.append((int(n.value), kept[0][0], kept[1][0]))
        inputs += [n, *(q for _, used in kept for q in used)]
    if any(max(k1, k2) > n or min(k1, k2) < 0 for n, k1, k2 in counts):
        return
    flow = possible_ratios(tuple(counts), 0, 0, 0)
    text += f"; the flow's losses give {short(flow)}"
    wide = Interval(ratio.low * (1 - SLACK), ratio.high * (1 + SLACK))
    if wide.meets(flow):
        out.add("se ratio", b, Judgement("within rounding", "random intercept, flow's losses",
                                         flow), text, inputs)
        return
    fits = {}
    for arm in (1, 0):
        for visit in (0, 1):
            ks = [str(k) for k in range(1, MORE + 1)
                  if wide.meets(possible_ratios(tuple(counts), k, arm, visit))]
            if ks:
                fits[f"{' or '.join(ks)} more unseen at {(t1, t2)[visit]} in "
                     f"{sheet.arms[arm]}"] = ks
    name = " or ".join(fits) or "variances that differ by visit"
    out.add("se ratio", b, Judgement("other convention", name, ratio), text, inputs)


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
    patterns = []
    for a, (n, k1, k2) in enumerate(counts):
        both, one = min(k1, k2), abs(k1 - k2)
        extra = min(more, both) if a == arm else 0
        seen = {(1, 1, 1): both - extra, (1, 0, 0): n - max(k1, k2)}
        seen[(1, 1, 0) if k1 > k2 else (1, 0, 1)] = one
        gap = (1, 0, 1) if visit == 0 else (1, 1, 0)
        seen[gap] = seen.get(gap, 0) + extra
        patterns.append([(np.flatnonzero(s), m) for s, m in seen.items() if m > 0])
    found = []
    for share in SHARES:
        variances = np.zeros(2)
        full = (1 - share) * np.eye(3) + share
        for pattern in patterns:
            information = np.zeros((3, 3))
            for where, m in pattern:
                at = np.ix_(where, where)
                information[at] += m * np.linalg.inv(full[at])
            if np.linalg.matrix_rank(information) < 3:
                return Interval(0.0, math.inf)
            cov = np.linalg.inv(information)
            variances += [cov[j, j] + cov[0, 0] - 2 * cov[0, j] for j in (1, 2)]
        found.append(math.sqrt(variances[0] / variances[1]))
    return Interval(min(found), max(found))
