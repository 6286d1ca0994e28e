"""Flow and counts: percentages, sums, the same number stated twice, scales, quartiles."""

from __future__ import annotations

import itertools
from collections import defaultdict
from functools import partial

from mair.published import granularity
from mair.published.consistency.engine import check, formula, judge, unsure, yes_no
from mair.published.consistency.sheet import GROUPS, Printed, Sheet
from mair.published.rounding import RULES, interval, values
from mair.stats import tests

LARGE = 5000  # more people than that: no exact test


def counted(sheet: Sheet, p: Printed) -> tuple | None:
    """The count (perhaps None) and the denominator that a percentage belongs to."""
    if p.analysis == "nnt":
        count, n = (sheet.get(*p.key[:4], s) for s in ("responders", "n"))
    else:
        count, n = (sheet.get(*p.key[:4], s) for s in ("n", "n_known"))
        n = n or sheet.randomised(p.arm)
    return (count, n) if n is not None and n.value > 0 and count is not n else None


@check("percent", statistic="percent", given=counted)
def percent(sheet: Sheet, p: Printed, of: tuple):
    """A percentage of its count and denominator, or of fewer where some did not answer."""
    if of[0] is None:
        return None
    k, n = (int(q.value) for q in of)
    if k > n:
        return yes_no(False, "count above n"), f"{of[0]} of {of[1]}", of
    found = judge(p.printed, [("", 100 * k / n)])
    if found.verdict == "impossible" and k > 0:
        fewest = max(k, n - max(2, min(n // 5, 200)))
        found = judge(p.printed, [("", 100 * k / n), *(
            (f"n={m}", 100 * k / m) for m in range(n - 1, fewest, -1))])
    return found, f"{k}/{n} = {100 * k / n:.3f} %", of


def implied(p: Printed, n: Printed) -> list[int]:
    """The counts of n people that a percentage can be, by the first rule that allows any."""
    found = ([k for k in granularity.sums(values(p.printed, rule), int(n.value), 100)
              if 0 <= k <= n.value] for rule in RULES)
    return next(filter(None, found), [])


def retained(sheet: Sheet, arm: str, time: str) -> tuple[int | None, list]:
    """How many were retained, printed or implied by the percentage, and the numbers used."""
    count, p = (sheet.get("flow", "retained", arm, time, s) for s in ("n", "percent"))
    n = sheet.randomised(arm)
    if count:
        return int(count.value), [count]
    fits = implied(p, n) if p and n else []
    return (fits[0], [p, n]) if len(fits) == 1 else (None, [])


def retained_by_arm(sheet: Sheet, p: Printed) -> list | None:
    """`retained` of (control, treatment) at a visit, or None where either is not known."""
    found = [retained(sheet, arm, p.time) for arm in sheet.arms]
    return None if any(count is None for count, _ in found) else found


@check("percent of n", statistic="percent", given=counted)
def percent_alone(sheet: Sheet, p: Printed, of: tuple):
    """A percentage printed without its count is one of so many people."""
    count, n = of
    if count is not None:
        return None
    fits = implied(p, n)
    k = fits[0] if fits else round(p.value * n.value / 100)
    value, text = 100 * k / n.value, "" if fits else f"no count of {n}: "
    return ([(f"count={k}", value)] if fits else yes_no(False, "", value),
            f"{text}{k}/{n} = {value:.3f} %", (n,))


@check("retention test", analysis="flow", variable="retained", arm="difference", statistic="p",
       given=retained_by_arm)
def retention_test(sheet: Sheet, p: Printed, seen: list):
    """The p of a difference in retention, from the counts."""
    sizes = [sheet.randomised(arm) for arm in sheet.arms]
    if None in sizes:
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
    def total(p, plus, minus=()):
        value = sum(q.value for q in plus) - sum(q.value for q in minus)
        text = " + ".join(map(str, plus)) + "".join(f" - {q}" for q in minus)
        return p, [("sum", value)], f"{text} = {value:g}", [*plus, *minus]

    whole = defaultdict(list)
    for p in sheet.where(analysis="flow", arm="overall", statistic="n"):
        whole[p.variable.partition(": ")[0]].append(p)
    arms = list({p.arm: p for p in reversed(sheet.where(analysis="flow", variable="randomised"))
                 if p.arm not in GROUPS}.values())
    pair = [p for p in map(sheet.randomised, sheet.arms) if p]
    start, excluded = whole["assessed"][:1], whole["excluded"]
    for p in whole["enrolled"][:1]:
        if start and excluded:
            yield total(p, start, excluded)
            yield total(excluded[0], start, [p, *excluded[1:]])
        if len(arms) > 1:
            yield total(p, arms)
    for p in whole["randomised"] if len(pair) == 2 else ():
        yield total(p, pair)


@check("flow", analysis="flow", arm="overall", statistic="n", variable="retained",
       given=retained_by_arm)
def flow_of_retained(sheet: Sheet, p: Printed, seen: list):
    """Those retained are those of the arms."""
    (a, used), (b, also) = seen
    return [("sum", a + b)], f"{a} + {b}", used + also


@check("denominator", statistic="n")
def denominators(sheet: Sheet, p: Printed):
    """Nobody is described, or responds, who was not retained; nobody comes back."""
    (count, used), n = retained(sheet, p.arm, p.time), sheet.randomised(p.arm)
    if p.arm not in sheet.arms or p.analysis in ("flow", "baseline"):
        return None
    if p.analysis == "nnt" and p.method == "completers" and count is not None:
        return [("retained", count)], f"{count} retained at {p.time}", used
    return n and (yes_no(p.value <= n.value, "at most the randomised"), f"{p} of {n} randomised",
                  (n,))


@check("denominator", statistic="responders")
def responders(sheet: Sheet, p: Printed):
    """No more responders than people."""
    n = sheet.get(*p.key[:4], "n")
    return n and (yes_no(p.value <= n.value, "at most n"), f"{p} of {n}", (n,))


def classes(sheet: Sheet, statistic: str) -> dict[tuple, list[Printed]]:
    """Numbers of the classes of one variable, by (variable, arm, source)."""
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
        text = f"{' + '.join(map(str, parts))} = {total:g} of {n}"
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
            yield p, found, f"{' + '.join(map(str, parts))} = {at:.1f}", parts


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
            yield p, found, f"{first} in {first.source}, {p} in {p.source}", (first,)


check("stated twice")(partial(stated_twice, ranges=False))
check("range stated twice")(partial(stated_twice, ranges=True))


@check("scale", statistic=("range_low", "range_high"), method="declared")
def scales(sheet: Sheet, p: Printed):
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
    ends, width, inputs = f"{low} to {high}", high.value - low.value, [low, high, *known.values()]
    if points and not units:
        return (yes_no(width + 1 == points, "points", width + 1), f"{ends}: {width + 1:g} points",
                inputs)
    fits = [u for u in units if low.value % u == 0 == high.value % u
            and (not points or width / u == points - 1)]
    return (yes_no(bool(fits), f"{fits[0]} parts" if fits else ""),
            f"{ends} with {' or '.join(map(str, units)) or 'no'} items or subscales", inputs)


@check("quartiles", statistic=("median", "q1", "q3"))
def quartiles(sheet: Sheet, p: Printed):
    """q1 <= median <= q3, inside the scale."""
    low, high = (sheet.get(p.analysis, p.variable, "overall", "", s)
                 for s in ("range_low", "range_high"))
    found = {s: sheet.get(*p.key[:4], s) for s in ("q1", "median", "q3")} | {p.statistic: p}
    line = [q for q in (low, *found.values(), high) if q]
    rising = all(a.value <= b.value or a.values.low < b.values.high
                 for a, b in itertools.pairwise(line))
    return found["median"] and (yes_no(rising, "in order"), " <= ".join(map(str, line)), line)


@check("change", statistic=("change", "percent_change"))
def changes(sheet: Sheet, p: Printed):
    """Change and percent change of an arm, from its means."""
    start, end = (sheet.get(p.analysis, p.variable, p.arm, time, "mean")
                  for time in (*sheet.visits[:1], p.time)[-2:])
    if not p.analysis:
        return None
    if start is None or end is None:
        return unsure("no means printed"), "no means printed"
    percent = p.statistic == "percent_change"
    if percent and start.values.meets(0):
        return None
    found = formula(lambda a, b: 100 * (b - a) / a if percent else b - a, start, end)
    text = f"({end} - {start}) / {start}" if percent else f"{end} - {start}"
    return [found], f"{text} = {found[2]:.3f}", (start, end)
