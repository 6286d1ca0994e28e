"""Tests of the baseline table: t tests from means and SDs, tests of counts, overall moments."""

import itertools
import re
from collections import defaultdict
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy import special, stats
from statsmodels.stats.contingency_tables import Table

from mair.published.consistency.counts import LARGE, UNSHOWN, cells, retained_by_arm
from mair.published.consistency.engine import check, judge, yes_no
from mair.published.consistency.formulas import T_TESTS
from mair.published.consistency.moments import SECTIONS
from mair.published.consistency.sheet import COUNTS, GROUPS, Printed, Sheet, at_print, need, perhaps
from mair.published.rounding import Interval, image, interval, span
from mair.stats import tests

SEED, DRAWS = 2020, 10_000  # of p at random
TELLING = 0.5  # an explanation that more p at random would share explains nothing
MOST = 10  # subgroups
ONE_SIDED = "fisher, one-sided"
RANKS = "a test of ranks, as medians are printed"
USUAL = ("pearson", "yates", "fisher")  # tests of counts, where none is named
SUBGROUP = re.compile(r"(.+) \((.+): .+\)")  # as pain (smoking: never)
P = {"analysis": ("baseline", "flow", "nnt"), "arm": "difference", "statistic": "p"}


@lru_cache(maxsize=20_000)
def t_interval(method: str, n1: int, m1, s1, n2: int, m2, s2) -> Interval:
    """p of a t test from moments that are intervals or numbers.

    p falls with the difference, so its ends suffice; over the SDs Student's p is monotone,
    and Welch's, whose degrees of freedom move too, is searched on a grid of 5 x 5.
    """
    def p(difference, sd1, sd2):
        found = tests.t_test_p((n1, difference, sd1), (n2, 0.0, sd2), method=method)
        return np.where(np.isnan(found), difference == 0, found)

    sds = [Interval(max(0.0, iv.low), iv.high) for iv in map(interval, (s1, s2))]
    return image(p, (interval(m1) - m2).size(), *sds, points=5 if method == "welch" else 2)


def other_spread(n: Printed, s: Printed) -> Printed:
    """An SD were it a standard error; a standard error, were it an SD."""
    root = 1 if s.by else np.sqrt(n.value)
    return replace(s, by=lambda x: x * root)


@check("t test", analysis=SECTIONS, arm="difference", statistic="p")
def t_test(sheet: Sheet, p: Printed):
    """p of Student's and Welch's test, of means or of changes; also with SDs and standard errors
    mistaken for each other."""
    of = [f"change{end}" for end in ("", "_sd", "_se")] if p.method.startswith("change") else (
        "mean", "sd", "se")
    both, kind = sheet.both_arms(p.analysis, p.variable, p.time, of=of), p.method.split("/")[-1]
    need(min(n.value for n, *_ in both) >= 2, not kind.startswith("mann"),
         p.analysis == "baseline" or kind in T_TESTS)
    found = []
    for name in ("", *(() if p.relation else (", SDs and standard errors mistaken",))):
        six = [q for n, m, s in both for q in (n, m, other_spread(n, s) if name else s)]
        for method in T_TESTS if kind != "welch" else T_TESTS[::-1]:
            whole, at = (t_interval(method, *(
                int(q.value) if q.statistic in COUNTS else getattr(q, of) for q in six))
                for of in ("values", "value"))
            found.append((method + name, whole, at.low))
    text = ", ".join(f"{m.capitalize()} p = {iv.low:.3f} to {iv.high:.3f}"
                     for m, iv, _ in found[:2])
    judged = judge(p.printed, found)
    if judged.verdict == "impossible" and not kind and sheet.get(*both[0][1].key[:4], "median"):
        found = replace(judged, verdict="other convention", convention=RANKS)
    return found, text, [*both[0], *both[1]]


def counts_table(sheet: Sheet, p: Printed) -> tuple:
    """Counts (levels, arms) of a binary or categorical variable, of those retained or of
    responders, and the numbers used."""
    if p.analysis == "nnt":
        x, n, y, m = (int(q.value) for q in cells(sheet, p))
        return ((y, x), (m - y, n - x)), cells(sheet, p)
    levels = list(dict.fromkeys(q.variable for q in sheet.where(analysis="baseline")
                                if q.variable.startswith(p.variable + ": ")))
    used = [sheet.get("baseline", v, arm) for v in levels or [p.variable] for arm in sheet.arms]
    counts = [q and int(q.value) for q in used]
    if p.analysis == "flow":
        seen = need(p.variable == "retained") and retained_by_arm(sheet, p)
        counts, used = [count for count, _ in seen], [q for _, own in seen for q in own]
    need(*sheet.sizes, None not in counts, not perhaps(sheet.both_arms, "baseline", p.variable))
    table = np.reshape(counts, (-1, 2))
    rest = at_print(sheet.sizes).astype(int) - table.sum(axis=0)
    if not levels or any(rest):
        table = np.vstack([table, rest])
    need(min(rest) >= 0)
    return tuple(map(tuple, table.tolist())), [*used, *sheet.sizes]


@lru_cache(maxsize=5_000)
def count_ps(table) -> dict[str, float]:
    """p of every test that statistical packages print beside a table of counts."""
    kept = tests.counts(table)
    found = {"pearson": tests.pearson(table).p, "yates": tests.yates(table).p}
    if kept.sum() <= LARGE:
        found["fisher"] = tests.fisher(table).p
    if kept.shape == (2, 2) and "fisher" in found:
        found[ONE_SIDED] = min(stats.fisher_exact(kept, side)[1] for side in ("less", "greater"))
    if min(kept.shape) > 1:
        found["likelihood ratio"] = stats.chi2_contingency(
            kept, correction=False, lambda_="log-likelihood").pvalue
        ordered = Table(kept, shift_zeros=False)
        found["linear by linear"] = ordered.test_ordinal_association().pvalue
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


def finer(table, p: Printed, merged: bool) -> str:
    """A split that prints p, and the share of p drawn at random that some split prints too;
    empty where there is none, for 0, which any large difference prints, and where most
    would and nobody says that levels were merged."""
    where, ps = splits(table)
    hits = np.flatnonzero((ps >= p.values.low) & (ps <= p.values.high))
    if not hits.size or not p.value:
        return ""
    (a, b), (_, x, y) = table[where[hits[0]][0]], where[hits[0]]
    at_random = np.random.default_rng(SEED).random(DRAWS).round(p.decimals)
    share = np.isin(at_random, ps.round(p.decimals)).mean()
    return "" if share > TELLING and not merged else (
        f"; with {a} and {b} as ({a - x}, {x}) and ({b - y}, {y}) pearson prints {p}, but "
        f"some such split prints {share:.0%} of {DRAWS} p drawn at random")


@check("count test", counts_table, **P)
def count_test(sheet: Sheet, p: Printed, counted: tuple):
    """p of a test of counts, or of finer classes than shown."""
    (table, parts), ps = counted, dict(count_ps(counted[0]))
    if p.relation or p.method.endswith(USUAL[:2]):
        ps.pop(ONE_SIDED, None)
    shown = " v ".join("/".join(map(str, arm)) for arm in zip(*table, strict=True))
    if not ps:
        return (yes_no(p.met(1.0), "constant"),
                f"{shown}: everybody is in one class, so no test has a p", parts)
    first = p.method.rpartition("/")[2]
    if first not in ps:
        first = next((m for m in USUAL if p.met(ps.get(m))), USUAL[0])
    order = sorted(ps, key=lambda m: m != first)
    text = f"{shown}: " + ", ".join(f"{m} {ps[m]:.3f}" for m in order)
    found = judge(p.printed, [(m, ps[m]) for m in order])
    merged = "merged" in p.note
    several = merged or len(parts) >= 8  # three levels printed, of two arms of some n
    if found.verdict == "impossible" and several and not p.relation and (
            split := finer(table, p, merged)):
        found = replace(found, verdict="other convention", convention="finer classes than shown")
        text += split
    return found, text, parts


def combined(parts: list[tuple]) -> dict[str, tuple]:
    """Mean and SD of several groups' people together, as candidates, from (n, mean, SD)."""
    n, m, s = at_print(parts).T
    low, high, sd_low, sd_high = np.array([(
        mean.values.low, mean.values.high, max(0, sd.values.low), sd.values.high)
        for _, mean, sd in parts]).T

    def apart(means):
        return (n * means**2).sum(-1) - (n * means).sum(-1) ** 2 / n.sum()

    def sd(within, between):
        return float(np.sqrt(((n - 1) * within**2).sum() + between) / np.sqrt(n.sum() - 1))

    ends = np.array([low, high]) - m[0]  # centred: squares are differences then
    closest = np.clip(np.linspace(ends[0].min(), ends[1].max(), 201)[:, None], *ends)
    furthest = np.array([*itertools.product(*ends.T)])
    return {"mean": ("", span([low @ n / n.sum(), high @ n / n.sum()]), m @ n / n.sum()),
            "sd": ("", Interval(sd(sd_low, apart(closest).min()),
                                sd(sd_high, apart(furthest).max())), sd(s, apart(m - m[0])))}


def part_of(p: Printed) -> tuple | None:
    """What a number is a part of: everybody, of an arm; the whole variable, of a subgroup."""
    found = SUBGROUP.fullmatch(p.variable)
    whole = ((p.variable, "overall", "arms") if p.arm not in GROUPS and not found else
             (found[1], p.arm, found[2]) if found else None)
    return whole and (p.analysis, *whole[:2], p.time, p.statistic, whole[2])


@check("overall")
def overall(sheet: Sheet):
    """Counts, means and SDs of everybody from those of arms, of a variable from subgroups."""
    groups = defaultdict(dict)
    for p in sheet.where(("n", "responders", "mean", "sd")):
        if p.analysis != "flow" and (whole := part_of(p)):
            groups[whole].setdefault((p.variable, p.arm), p)
    for (*key, _), some in groups.items():
        total, some = sheet.get(*key), list(some.values())
        if not total or not 2 <= len(some) <= MOST:
            continue
        if total.statistic in COUNTS:
            value, inputs = sum(q.value for q in some), some
            found = [("sum", value)] if value >= total.value else judge("0", UNSHOWN)
        else:
            moments = [perhaps(sheet.moments, *q.key[:4]) for q in some]
            n, inputs = sheet.size(total), [q for one in moments for q in one or ()]
            if None in moments or (n and n.value != sum(one[0].value for one in moments)):
                continue
            found = [combined(moments)[total.statistic]]
            value = found[0][2]
        yield total, found, f"{', '.join(map(str, inputs))} together: {value:.6g}", inputs
