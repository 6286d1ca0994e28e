"""Flow and counts: percentages, sums, the same number stated twice, scales, quartiles."""

from __future__ import annotations

import itertools
from collections import defaultdict
from functools import partial

from mair.published import granularity
from mair.published.consistency.engine import check, judge, unsure, yes_no
from mair.published.consistency.sheet import GROUPS, Print, Sheet
from mair.published.rounding import RULES, image, interval, values
from mair.stats import tests

LARGE = 5000  # more people than that: no exact test


def counted(sheet: Sheet, p: Print) -> tuple:
    """The count and the denominator that a percentage belongs to."""
    if p.analysis == "nnt":
        return sheet.get(*p.key[:4], "responders"), sheet.get(*p.key[:4], "n")
    return sheet.get(*p.key[:4], "n"), sheet.get(*p.key[:4], "n_known") or sheet.randomised(p.arm)


@check("percent", statistic="percent")
def percent(sheet: Sheet, p: Print):
    """A percentage of its count and denominator, or of fewer where some did not answer."""
    count, n = counted(sheet, p)
    if count is None or n is None or count is n or n.value <= 0:
        return None
    if count.value > n.value:
        return yes_no(False, "count above n"), f"{count.printed} of {n.printed}", (count, n)
    k, size = int(count.value), int(n.value)
    value, text = 100 * k / n.value, f"{k}/{n.printed} = {100 * k / n.value:.3f} %"
    found = judge(p.printed, [("", value)])
    if found.verdict == "impossible" and k > 0:
        fewest = max(k, size - max(2, min(size // 5, 200)))
        found = judge(p.printed, [("", value), *((f"n={m}", 100 * k / m)
                                                 for m in range(size - 1, fewest, -1))])
    return found, text, (count, n)


def implied(p: Print, n: Print) -> list[int]:
    """The counts of n people that a percentage can be, by the first rule that allows any."""
    found = ([k for k in granularity.sums(values(p.printed, rule), int(n.value), 100)
              if 0 <= k <= n.value] for rule in RULES)
    return next(filter(None, found), [])


def retained(sheet: Sheet, arm: str, time: str) -> tuple[int | None, list]:
    """How many were retained, printed or implied by the percentage, and the prints used."""
    count, n = sheet.get("flow", "retained", arm, time, "n"), sheet.randomised(arm)
    if count:
        return int(count.value), [count]
    p = sheet.get("flow", "retained", arm, time, "percent")
    fits = implied(p, n) if p and n else []
    return (fits[0], [p, n]) if len(fits) == 1 else (None, [])


@check("percent of n", statistic="percent")
def percent_alone(sheet: Sheet, p: Print):
    """A percentage printed without its count is one of so many people."""
    count, n = counted(sheet, p)
    if count is not None or n is None:
        return None
    fits = implied(p, n)
    k = fits[0] if fits else round(p.value * n.value / 100)
    value = 100 * k / n.value
    text = f"{k}/{n.printed} = {value:.3f} %"
    if fits:
        return [(f"count={k}", value)], text, (n,)
    return yes_no(False, "", value), f"no count of {n.printed}: {text}", (n,)


@check("retention test", analysis="flow", variable="retained", arm="difference", statistic="p")
def retention_test(sheet: Sheet, p: Print):
    """The p of a difference in retention, from the counts."""
    seen = [retained(sheet, arm, p.time) for arm in sheet.arms]
    sizes = [sheet.randomised(arm) for arm in sheet.arms]
    if None in (*sizes, seen[0][0], seen[1][0]):
        return None
    table = [[k, int(n.value) - k] for (k, _), n in zip(seen, sizes, strict=True)]
    if min(map(min, table)) < 0 or sum(map(sum, table)) > LARGE:
        return None
    ps = [("fisher", tests.fisher(table).p), ("pearson", tests.pearson(table).p)]
    return ([(name, v) for name, v in ps if v == v] or [("constant", 1.0)],
            f"Fisher on {table[0]} and {table[1]}: p = {ps[0][1]:.3f}",
            [*sizes, *seen[0][1], *seen[1][1]])


@check("flow")
def flow(sheet: Sheet):
    """Children against parents in the flow."""
    parts = {v: sheet.where(analysis="flow", arm="overall", statistic="n", variable=v)
             for v in ("assessed", "enrolled", "randomised")}
    excluded = [p for p in sheet.where(analysis="flow", arm="overall", statistic="n")
                if p.variable.startswith("excluded: ")]
    arms = list({p.arm: p for p in reversed(sheet.where(analysis="flow", variable="randomised"))
                 if p.arm not in GROUPS}.values())
    pair = [p for p in map(sheet.randomised, sheet.arms) if p]

    def total(p, plus, minus=()):
        value = sum(q.value for q in plus) - sum(q.value for q in minus)
        text = " + ".join(q.printed for q in plus) + "".join(f" - {q.printed}" for q in minus)
        return p, [("sum", value)], f"{text} = {value:g}", [*plus, *minus]

    for p in parts["enrolled"][:1]:
        if parts["assessed"] and excluded:
            start = parts["assessed"][:1]
            yield total(p, start, excluded)
            yield total(excluded[0], start, [p, *excluded[1:]])
        if len(arms) > 1:
            yield total(p, arms)
    for p in parts["randomised"]:
        if len(pair) == 2:
            yield total(p, pair)


@check("flow", analysis="flow", arm="overall", statistic="n", variable="retained")
def flow_of_retained(sheet: Sheet, p: Print):
    """Those retained are those of the arms."""
    (a, used), (b, also) = (retained(sheet, arm, p.time) for arm in sheet.arms)
    return None if None in (a, b) else ([("sum", a + b)], f"{a} + {b}", used + also)


@check("denominator", statistic="n")
def denominators(sheet: Sheet, p: Print):
    """Nobody is described, or responds, who was not retained; nobody comes back."""
    if p.arm not in sheet.arms or p.analysis in ("flow", "baseline"):
        return None
    (count, used), n = retained(sheet, p.arm, p.time), sheet.randomised(p.arm)
    if p.analysis == "nnt" and p.method == "completers" and count is not None:
        return [("retained", count)], f"{count} retained at {p.time}", used
    return None if n is None else (yes_no(p.value <= n.value, "at most the randomised"),
                                   f"{p.printed} of {n.printed} randomised", (n,))


@check("denominator", statistic="responders")
def responders(sheet: Sheet, p: Print):
    """No more responders than people."""
    n = sheet.get(*p.key[:4], "n")
    return n and (yes_no(p.value <= n.value, "at most n"), f"{p.printed} of {n.printed}", (n,))


def classes(sheet: Sheet, statistic: str) -> dict[tuple, list[Print]]:
    """Prints of the classes of one variable, by (variable, arm, source)."""
    groups = defaultdict(list)
    for p in sheet.where(analysis="baseline", statistic=statistic):
        name, colon, _ = p.variable.partition(": ")
        if colon and p.arm not in GROUPS:
            groups[name, p.arm, p.source].append(p)
    return groups


@check("class sum")
def class_sums(sheet: Sheet):
    """The counts of the classes of one variable add up to the arm."""
    for (_, arm, _), parts in classes(sheet, "n").items():
        n, total = sheet.randomised(arm), sum(p.value for p in parts)
        if n is None or len(parts) < 2:
            continue
        text = " + ".join(p.printed for p in parts) + f" = {total:g} of {n.printed}"
        for p in parts:
            found = [("sum", n.value - total + p.value)]
            if total < n.value:
                found = judge("0", [("", 1), ("unshown classes or missing", 0)])
            yield p, found, text, [*parts, n]


@check("percent sum")
def percent_sums(sheet: Sheet):
    """The percentages of classes that leave nobody out add up to 100."""
    counts = classes(sheet, "n")
    for (name, arm, source), parts in classes(sheet, "percent").items():
        n, people = sheet.randomised(arm), sum(p.value for p in counts[name, arm, source])
        if len(parts) < 2 or (n is not None and people < n.value):
            continue
        total, at = sum((p.values for p in parts), interval(0)), sum(p.value for p in parts)
        found = yes_no(False, "sum", total)
        if total.meets(100):
            found = judge("100", [("sum", total, 100 if round(at, 9) == 100 else None)])
        for p in parts:
            yield p, found, " + ".join(q.printed for q in parts) + f" = {at:.1f}", parts


def stated_twice(sheet: Sheet, ranges: bool):
    """The same number stated in two places, at whatever precision."""
    for first, *others in sheet.by_key.values():
        for p in others if first.statistic.startswith("range_") == ranges else ():
            if p.printed != first.printed and (first.relation or p.relation):
                continue
            fine, coarse = sorted((first, p), key=lambda q: -q.decimals)
            limits = fine.values if fine.decimals > coarse.decimals else interval(fine.value)
            found = judge(coarse.printed, [("", limits, fine.value)])
            if found.convention in RULES and not fine.decimals:
                found = yes_no(False, "", limits)  # whole numbers, stated twice, are not rounded
            yield (p, found, f"{first.printed} in {first.source}, {p.printed} in {p.source}",
                   (first,))


check("stated twice")(partial(stated_twice, ranges=False))
check("range stated twice")(partial(stated_twice, ranges=True))


@check("scale", statistic=("range_low", "range_high"), method="declared")
def scales(sheet: Sheet, p: Print):
    """The ends of a scale against its items and points, in one place after another."""
    inputs = sheet.where(statistic=("items", "points", "subscales"))
    parent = next((q.variable for q in inputs if p.variable == q.variable
                   or p.variable.startswith(q.variable + "-")), None)
    low, high = (next((q for q in sheet.by_key.get((*p.key[:4], end), ())
                       if q.source == p.source), None) for end in ("range_low", "range_high"))
    if parent is None or low is None or high is None:
        return None
    known = {q.statistic: q for q in inputs if q.variable == parent}
    items, points, parts = (int(known[k].value) if k in known else None
                            for k in ("items", "points", "subscales"))
    if p.variable != parent:  # a subscale
        items, parts = items // parts if items and parts else items, None
    units = [u for u in (parts, items) if u]
    ends, width = f"{low.printed} to {high.printed}", high.value - low.value + 1
    if points and not units:
        found, text = yes_no(width == points, "points", width), f"{ends}: {width:g} points"
    else:
        fits = [u for u in units if low.value % u == 0 and high.value % u == 0
                and (not points or (high.value - low.value) / u == points - 1)]
        found = yes_no(bool(fits), f"{fits[0]} parts" if fits else "")
        text = f"{ends} with {' or '.join(map(str, units)) or 'no'} items or subscales"
    return found, text, [low, high, *known.values()]


@check("quartiles", statistic=("median", "q1", "q3"))
def quartiles(sheet: Sheet, p: Print):
    """q1 <= median <= q3, inside the scale."""
    ends = {s: sheet.get(p.analysis, p.variable, "overall", "", s)
            for s in ("range_low", "range_high")}
    found = {s: sheet.get(*p.key[:4], s) for s in ("q1", "median", "q3")} | {p.statistic: p}
    if found["median"] is None:
        return None
    line = [q for q in (ends["range_low"], *found.values(), ends["range_high"]) if q]
    rising = all(a.values.low <= b.values.high for a, b in itertools.pairwise(line))
    return yes_no(rising, "in order"), " <= ".join(q.printed for q in line), line


@check("change", statistic=("change", "percent_change"))
def changes(sheet: Sheet, p: Print):
    """Change and percent change of an arm, from its means."""
    start, end = (sheet.get(p.analysis, p.variable, p.arm, time, "mean")
                  for time in (sheet.visits[0], p.time)) if sheet.visits else (None, None)
    if not p.analysis:
        return None
    if start is None or end is None:
        return unsure("no means printed"), "no means printed"
    found, value = end.values - start.values, end.value - start.value
    text = f"{end.printed} - {start.printed}"
    if p.statistic == "percent_change":
        if start.values.meets(0):
            return None
        found = image(lambda a, b: 100 * (b - a) / a, start.values, end.values)
        value, text = 100 * value / start.value, f"({text}) / {start.printed}"
    return [("", found, value)], f"{text} = {value:.3f}", (start, end)
