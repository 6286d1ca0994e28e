"""Differences between arms: standardised effects against means and SDs, under each convention in
use; and what a table of model contrasts holds: centre, SE, kind of statistic, structure."""

from collections import defaultdict
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy import special

from mair.published.consistency import engine
from mair.published.consistency.counts import course
from mair.published.consistency.engine import Judgement, check, formula, judge, unsure, yes_no
from mair.published.consistency.formulas import RATIOS, Z
from mair.published.consistency.moments import possible_sizes
from mair.published.consistency.sheet import Printed, Sheet, need, perhaps
from mair.published.rounding import Interval, image, interval, span
from mair.stats.effects import d_ppc2_of

SLACK = 0.003  # relative: what a covariate moves the ratio of two SEs by
SHARES = np.linspace(0.0, 0.99, 34)  # between-person share of the variance
LEAST, MOST = 4, 10_000  # degrees of freedom, where people are not known: three an arm or more
GRID = 25  # degrees of freedom tried where they are estimated
MORE = 6  # at most so many more unseen at a visit are tried
STATISTICS = ("b", "ci_low", "ci_high", "z", "t", "p", "se")
ESTIMATED = ("welch", "satterthwaite", "kenward-roger", "/t")  # whose df may be fewer, or not whole
# of a visit, not of the baseline table
D = {"arm": "difference", "statistic": "d", "time": bool, "analysis": lambda a: a != "baseline"}


def courses(sheet: Sheet, p: Printed) -> list[tuple]:
    """(n, mean before, SD before, mean after) of (control, treatment)."""
    before = sheet.both_arms(p.analysis, p.variable, sheet.start)
    after = need(*(sheet.get(p.analysis, p.variable, arm, p.time, "mean") for arm in sheet.arms))
    return [(*moments, mean) for moments, mean in zip(before, after, strict=True)]


def others(sheet: Sheet, arms: list) -> bool:
    """Whether other people are described afterwards than before."""
    return any((m := sheet.size(after)) and m.value != n.value for n, *_, after in arms)


def standardised(sheet: Sheet, p: Printed, arms: list) -> dict[str, list]:
    """`courses` by convention: the SD of those described, also weighted by the n at which their
    means are possible, or by all randomised; that of all randomised; after."""
    def instead(n=(None, None), sd=(None, None)):
        return [(n or own[0], own[1], sd or own[2], own[3])
                for own, n, sd in zip(arms, n, sd, strict=True)]

    found, ns = {"": arms}, [n for n, *_ in arms]
    fewer = [replace(n, printed=f"{possible_sizes(sheet).get((*p.key[:2], arm, sheet.start), n)}")
             for arm, n in zip(sheet.arms, ns, strict=True)]
    if [n.value for n in fewer] != [n.value for n in ns] and min(n.value for n in fewer) >= 2:
        found[", n={} and {}".format(*fewer)] = instead(fewer)
    if None not in sheet.sizes:
        found[", n of all randomised"] = instead(sheet.sizes)
    if start := perhaps(sheet.both_arms, "baseline", p.variable):
        found[", SD of all randomised"] = instead(*[*zip(*start, strict=True)][::2])
    last = [sheet.get(p.analysis, p.variable, arm, p.time, "sd") for arm in sheet.arms]
    return found | ({", SD afterwards": instead(sd=last)} if all(last) else {})


def d_of(*eight):
    """d_ppc2 from n, mean before, SD and mean after of control, then of treatment."""
    return d_ppc2_of(eight[4:], eight[:4])


WAYS = {"d_ppc2": lambda *eight: d_of(*eight).estimate,
        "d_ppc2-uncorrected": lambda *eight: d_of(*eight).change / d_of(*eight).sd}


@lru_cache(maxsize=200)
def conventions(sheet: Sheet, p: Printed):
    """Candidates, the declared one first; a line of text; and the numbers used."""
    c, t = arms = courses(sheet, p)
    need(min(c[0].value, t[0].value) >= 2)
    found, inputs, text, b = [], [*c, *t], "", sheet.get(*p.key[:4], "b")
    for name, both in standardised(sheet, p, arms).items():
        eight = [*both[0], *both[1]]
        found += engine.formulas({way + name: f for way, f in WAYS.items()}, *eight)
        if found and not text:
            at = d_of(*(q.value for q in eight))
            text = (f"({t[3]} - {t[1]} - ({c[3]} - {c[1]})) / {at.sd:.3f} "
                    f"= {found[1][2]:.4f}; x {at.factor:.4f} = {at.estimate:.4f}")
        if b and not name and p.method == "b_over_sd":
            found += engine.formulas({p.method: lambda b, *q: b / d_of(*q).sd}, b, *eight)
            inputs.append(b)
    if sheet.declared(p.variable).get("transform") == "log" and found:
        text = f"on the measured scale {found[1][2]:.4f}, corrected {found[0][2]:.4f}"
    found.sort(key=lambda candidate: candidate[0] != p.method)  # stable
    return need(found), text, inputs


@check("effect size", **D)
def effect_size(sheet: Sheet, p: Printed):
    """Each d under: corrected or not; SD of those described, of all randomised, or after; and
    the n at which granularity says the means are possible."""
    found = perhaps(conventions, sheet, p)
    if found and others(sheet, courses(sheet, p)) and (
            judge(p.printed, found[0]).verdict == "impossible"):
        return unsure("other people", found[0][0][1]), *found[1:]
    return found or (unsure("no means and SDs printed"), "", ())


@check("effect sizes together")
def together(sheet: Sheet):
    """All d of one place: the fewest conventions that give them at the printed inputs.

    The declared one first, then whichever explains most of the rest. Only where single d
    already break the declared one: each d alone often fits several.
    """
    by_source = defaultdict(list)
    for p in sheet.where(**D):
        if found := perhaps(conventions, sheet, p):
            by_source[p.source].append((p, judge(p.printed, found[0]), *found))
    for read in by_source.values():
        if sum(own.verdict == "other convention" for _, own, *_ in read) > 1:
            yield from _together(read)


def _together(read: list):
    """The d of one place read together: each number with its candidates and what is said."""
    points = [{name: point for name, _, point in candidates} for *_, candidates, _, _ in read]
    label, verdict, left = read[0][2][0][0], "exact", dict(enumerate(points))
    while label:
        for k in [k for k in left if read[k][0].met(left[k].get(label))]:
            p, single, _, text, inputs = read[k]
            yield (p, replace(single, verdict=verdict, convention=label),
                   f"{text}; {label} {points[k][label]:.4f}", inputs)
            del left[k]
        counts = {label: sum(read[k][0].met(own.get(label)) for k, own in left.items())
                  for label in dict.fromkeys(name for own in points for name in own)}
        label, verdict = max(counts, key=counts.get), "other convention"
        label = label if counts[label] > 1 else ""


def contrast(sheet: Sheet, p: Printed) -> dict | None:
    """The numbers of the contrast that ``p`` is part of, by statistic; None without a B. Of a
    ratio B and its limits are the logarithms."""
    found = {s: sheet.beside(p, s) for s in STATISTICS}
    for ratio in RATIOS if not found["b"] else ():
        three = [sheet.beside(p, ratio + end) for end in ("", "_low", "_high")]
        if all(q and q.method == p.method and q.values.low > 0 for q in three):
            found |= {s: replace(q, by=np.log) for s, q in zip(STATISTICS, three, strict=False)}
    return found if p.time and found["b"] else None


def with_limits(sheet: Sheet, p: Printed) -> dict | None:
    """`contrast`; None without both limits."""
    c = contrast(sheet, p)
    return c if c and c["ci_low"] and c["ci_high"] else None


KEYS = {"first": True, "arm": "difference"}


def width(low, high):
    """Upper minus lower limit, never below a thousandth of a unit."""
    return np.maximum(high - low, 1e-6)


def half_width(c: dict) -> float:
    """Half the width of a contrast's interval as printed, in units of its SE were it normal."""
    return float(width(c["ci_low"].value, c["ci_high"].value)) / 2 / Z


def visits_of(sheet: Sheet, p: Printed) -> set[str]:
    """The visits at which anything is printed of a variable."""
    return {q.time for q in sheet.where(analysis=p.analysis, variable=p.variable) if q.time}


def references(sheet: Sheet, p: Printed, t_first: bool) -> list[tuple[str, tuple, Interval]]:
    """Name, degrees of freedom and two-sided 5 % points of what a reader could expect: normal, or
    t at people minus 2, rows minus parameters, and those within people; where a method estimates
    them, from those of the smaller arm to all people's; and any where nobody says how many people
    a method is of."""
    arms = [perhaps(sheet.both_arms, *p.key[:2], t) for t in (sheet.start, p.time)]
    visits, found = len(visits_of(sheet, p)), set()
    for pair in (sheet.sizes, *([n for n, *_ in both] for both in arms if both)):
        n = [q.value for q in pair if q]
        if len(n) == 2 and p.method.endswith(ESTIMATED) and min(n) > 2:
            found.add(tuple(np.linspace(min(n) - 1, sum(n) - 2, GRID)))
        elif len(n) == 2:
            found |= {((sum(n) - 2) * times,) for times in (1, visits, visits - 1)}
    several = len({q.method for q in sheet.by_key[*p.key[:4], "b"]}) > 1 and "/" not in p.method
    if None in sheet.sizes and (several or not found):
        found.add(tuple(1 / np.linspace(1 / LEAST, 1 / MOST, GRID)))
    ts = [(f"t with {' to '.join(f'{df:g}' for df in sorted({dfs[0], dfs[-1]}))} df", dfs,
           span(special.stdtrit(dfs, 0.975))) for dfs in sorted(found) if dfs[0] > 2]
    whole = ("normal", (np.inf,), interval(Z))
    return [*ts, whole] if t_first else [whole, *ts]


def two_sided(size, df: float = np.inf) -> Interval:
    """Two-sided p of a statistic's size, t or normal: falls with it, so its ends suffice."""
    tail = special.ndtr if np.isinf(df) else lambda x: special.stdtr(df, x)
    return image(lambda x: 2 * tail(-x), interval(size).size())


@check("sign", contrast, statistic=("z", "t", "d"), **KEYS)
def sign(sheet: Sheet, p: Printed, c: dict):
    """B, its statistic and d point the same way."""
    b, same = c["b"], c["b"].value * p.value
    seen = perhaps(sheet.now, p)
    everyone = seen and None not in sheet.sizes and all(
        n.value == size.value for (n, *_), size in zip(seen, sheet.sizes, strict=True))
    found = yes_no(same > 0, "as B" if same > 0 else "opposite to B")
    if same < 0 and p.statistic == "d" and (not everyone or abs(p.value) < 0.2):
        # a model's B may part from raw means near 0, and from those of fewer people
        found = unsure("opposite to B, of fewer people or near 0")
    return same and (found, f"B {b}, {p.statistic} {p}", (b,))


def quotient(b: Printed, low: Printed, high: Printed) -> tuple[Interval, float]:
    """B over half the width of its interval: by B itself and by the middle of its limits, where
    both can be; and at the numbers."""
    _, own, at = formula(lambda b, low, high: 2 * b / width(low, high), b, low, high)
    _, middle, _ = formula(lambda low, high: (low + high) / width(low, high), low, high)
    return own.within(middle) or own, at


@check("statistic", with_limits, statistic=("z", "t"), **KEYS)
def statistic(sheet: Sheet, p: Printed, c: dict):
    """The statistic is B over the SE that the interval implies."""
    numbers = c["b"], c["ci_low"], c["ci_high"]
    ratio, at = quotient(*numbers)
    kinds = references(sheet, p, not c["z"])
    found = [(name, ratio * ks, at * ks.low) for name, _, ks in kinds]
    se = half_width(c) * Z / kinds[0][2].low
    return p is (c["z"] or c["t"]) and (found, f"{c['b']} / {se:.4f} = {found[0][2]:.3f}", numbers)


@check("se", with_limits, statistic="se", **KEYS)
def standard_error(sheet: Sheet, p: Printed, c: dict):
    """The SE that the interval implies."""
    low, high = c["ci_low"], c["ci_high"]
    _, half, at = formula(lambda low, high: width(low, high) / 2, low, high)
    found = [(name, half * Interval(1 / ks.high, 1 / ks.low), at / ks.low)
             for name, _, ks in references(sheet, p, bool(c["t"] and not c["z"]))]
    return found, f"({high} - {low}) / {2 * Z:.2f}", (low, high)


@check("p value", contrast, statistic="p", method=lambda m: "mann" not in m, **KEYS)
def p_value(sheet: Sheet, p: Printed, c: dict):
    """p from the statistic: normal, or t at plausible degrees of freedom."""
    s, numbers = c["z"] or c["t"], [c["b"], c["ci_low"], c["ci_high"]]
    numbers = [] if None in numbers else numbers
    found = []
    for name, dfs, _ in references(sheet, p, not c["z"]) if s or numbers else ():
        ps = [_p(s, numbers, df, Z if c["z"] else special.stdtrit(df, 0.975)) for df in dfs]
        ps = [p for p in ps if p[2]] or ps  # degrees of freedom at which t and B agree
        found.append((name, span([(iv.low, iv.high) for iv, *_ in ps]), ps[-1][1]))
    text = "; ".join(f"{name} {iv.low:.4f} to {iv.high:.4f}" for name, iv, _ in found[:2])
    return found and (found, text, [s, *numbers])


def _p(s: Printed | None, numbers: list, df: float, k: float) -> tuple[Interval, float, bool]:
    """p by a statistic and by B with its limits, k SE apart from it; at the numbers; and whether
    the two agree."""
    sizes, at, both = Interval(0, np.inf), np.nan, None
    if s:
        sizes, at = s.values.size(), abs(s.value)
    if numbers:
        ratio, value = quotient(*numbers)
        both = sizes.within((ratio * k).size())  # both bind: B/SE often says more than a rounded z
        at = at if s else abs(value * k)
    sizes = both or sizes
    return (two_sided(sizes, df), two_sided(min(max(at, sizes.low), sizes.high), df).low,
            bool(both) or not numbers)


@check("se ratio", with_limits, statistic="b",
       method=lambda m: m.startswith("random-intercept"), **KEYS)
def se_ratio(sheet: Sheet, b: Printed, second: dict):
    """The ratio of the SEs of two visits, against missingness under a random intercept."""
    others = [sheet.get(*key, "b", like=b) for key in sheet.contrasts if key[:2] == b.key[:2]]
    first_b, first = next((q, c) for q in others if q and (c := with_limits(sheet, q)))
    need(first_b is not b)
    times = first_b.time, b.time
    ends = [c[s] for c in (second, first) for s in ("ci_low", "ci_high")]
    _, ratio, at = formula(lambda *ends: width(*ends[2:]) / width(*ends[:2]), *ends)
    text = (f"SE {half_width(first):.4g} at {times[0]} / {half_width(second):.4g} at {times[1]} "
            f"= {at:.4f}")
    courses = [course(sheet, arm, times) for arm in sheet.arms]
    counts, inputs = tuple(seen for seen, _ in courses), [*ends, *courses[0][1], *courses[1][1]]
    if None in (*counts[0], *counts[1]):
        return unsure("no flow printed"), text, ends
    need(all(min(later) >= 0 and max(later) <= n for n, *later in counts))
    flow = possible_ratios(counts, 0, 0, 0)
    text += f"; the flow's losses give {flow.low:.4g} to {flow.high:.4g}"
    wide = Interval(ratio.low * (1 - SLACK), ratio.high * (1 + SLACK))
    if wide.meets(flow):
        return Judgement("within rounding", "random intercept, flow's losses", flow), text, inputs
    more = {(visit, arm): " or ".join(str(k) for k in range(1, MORE + 1) if wide.meets(
        possible_ratios(counts, k, arm, visit))) for arm in (1, 0) for visit in (0, 1)}
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
            return Interval(0.0, np.inf)
        information = np.zeros_like(covariance)
        for visits, m in seen:
            at = (slice(None), *np.ix_(visits, visits))
            information[at] += m * np.linalg.inv(covariance[at])
        cov = np.linalg.inv(information)
        variances += (np.diagonal(cov, axis1=1, axis2=2)[:, 1:] + cov[:, :1, 0] - 2 * cov[:, 0, 1:])
    return span(np.sqrt(variances[:, 0] / variances[:, 1]))
