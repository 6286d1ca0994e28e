"""Flow and counts: percentages, sums, the same number stated twice, scales, quartiles."""

from __future__ import annotations

import itertools
from collections import defaultdict

from mair.published.consistency.sheet import GROUPS, Ledger, Sheet, judge, unsure, yes_no
from mair.published.intervals import Interval, corners, interval, spread
from mair.stats import tests

LARGE = 5000  # more people than that: no exact test


def run(sheet: Sheet, out: Ledger) -> None:
    """Every check of this module."""
    percentages(sheet, out)
    implied_counts(sheet, out)
    flow_sums(sheet, out)
    classes(sheet, out)
    twice(sheet, out)
    scales(sheet, out)
    quartiles(sheet, out)


def _count(sheet, p):
    """The count and the denominator that a percentage belongs to."""
    if p.analysis == "nnt":
        return sheet.get(*p.key[:4], "responders"), sheet.get(*p.key[:4], "n")
    count = sheet.get(*p.key[:4], "n")
    known = sheet.get(*p.key[:4], "n_known")
    return count, known or sheet.randomised(p.arm)


def percentages(sheet: Sheet, out: Ledger) -> None:
    """Percent against count and denominator."""
    for p in sheet.prints:
        if p.statistic != "percent" or p.is_bound:
            continue
        count, n = _count(sheet, p)
        if count is None or n is None or count is n or n.value <= 0:
            continue
        if count.value > n.value:
            out.add("percent", p, yes_no(False, "count above n"), f"{count.text} of {n.text}",
                    (count, n))
            continue
        k = int(count.value)
        value = 100 * k / n.value
        found = judge(p.text, [("", value, value)])
        if found.verdict == "impossible" and k > 0:  # a smaller denominator: some did not answer
            fewest = max(k, int(n.value) - max(2, min(int(n.value) // 5, 200)))
            found = judge(p.text, [("", value, value), *(
                (f"n={m}", 100 * k / m, 100 * k / m)
                for m in range(int(n.value) - 1, fewest, -1))])
        out.add("percent", p, found, f"{k}/{n.text} = {value:.3f} %", (count, n))


def implied(sheet: Sheet, p):
    """The counts of the randomised that a percentage of them can be: (numbers, rule)."""
    n = sheet.randomised(p.arm)
    if n is None or p.is_bound:
        return [], ""
    for rule in ("half", "rounded twice", "truncated"):
        near = round(p.value * n.value / 100)
        fits = [k for k in range(max(0, near - 100), min(int(n.value), near + 100) + 1)
                if interval(100 * k / n.value).meets(spread(p.text, rule))]
        if fits:
            return fits, rule
    return [], ""


def retained(sheet: Sheet, arm: str, time: str) -> tuple[int | None, list]:
    """How many were retained, printed or implied by the percentage, and the prints used."""
    count = sheet.get("flow", "retained", arm, time, "n")
    if count:
        return int(count.value), [count]
    p = sheet.get("flow", "retained", arm, time, "percent")
    fits, _ = implied(sheet, p) if p else ([], "")
    return (fits[0], [p, sheet.randomised(arm)]) if len(fits) == 1 else (None, [])


def implied_counts(sheet: Sheet, out: Ledger) -> None:
    """A percentage printed without its count is one of so many people."""
    for p in sheet.prints:
        count, n = _count(sheet, p) if p.statistic == "percent" else (True, None)
        if count is not None or n is None:
            continue
        fits, _ = implied(sheet, p)
        if not fits:
            nearest = round(p.value * n.value / 100)
            value = 100 * nearest / n.value
            out.add("percent of n", p, yes_no(False, "", value),
                    f"no count of {n.text}: {nearest}/{n.text} = {value:.3f} %", (n,))
            continue
        value = 100 * fits[0] / n.value
        out.add("percent of n", p, judge(p.text, [(f"count={fits[0]}", value, value)]),
                f"{fits[0]}/{n.text} = {value:.3f} %", (n,))
    fisher_of_retention(sheet, out)


def fisher_of_retention(sheet: Sheet, out: Ledger) -> None:
    """The p of a difference in retention, from the counts."""
    for p in sheet.where(analysis="flow", variable="retained", arm="difference", statistic="p"):
        seen = [retained(sheet, arm, p.time) for arm in sheet.arms]
        sizes = [sheet.randomised(arm) for arm in sheet.arms]
        if None in (*sizes, seen[0][0], seen[1][0]):
            continue
        table = [[k, int(n.value) - k] for (k, _), n in zip(seen, sizes, strict=True)]
        if min(map(min, table)) < 0:
            continue
        if sum(map(sum, table)) > LARGE:
            continue
        ps = [("fisher", tests.fisher(table).p), ("pearson", tests.pearson(table).p)]
        out.judge("retention test", p, [(name, v, v) for name, v in ps if v == v] or
                  [("constant", 1.0, 1.0)],
                  f"Fisher on {table[0]} and {table[1]}: p = {ps[0][1]:.3f}",
                  [*sizes, *seen[0][1], *seen[1][1]])


def _sum(out, check, p, parts, sign=1):
    """``p`` equals the sum of ``parts`` (with signs)."""
    value = sum(s * q.value for s, q in parts)
    text = " ".join(f"{'+' if s > 0 else '-'} {q.text}" for s, q in parts).lstrip("+ ")
    out.judge(check, p, [("sum", value, value)], f"{text} = {value:g}", [q for _, q in parts])


def flow_sums(sheet: Sheet, out: Ledger) -> None:
    """Children against parents in the flow, and denominators against those retained."""
    overall = sheet.where(analysis="flow", arm="overall", statistic="n")
    assessed, enrolled, randomised, kept = (
        [p for p in overall if p.variable == v]
        for v in ("assessed", "enrolled", "randomised", "retained"))
    excluded = [p for p in overall if p.variable.startswith("excluded: ")]
    first = {p.arm: p for p in reversed(sheet.where(analysis="flow", variable="randomised"))
             if p.arm not in GROUPS}
    for p in enrolled[:1]:
        if assessed and excluded:
            _sum(out, "flow", p, [(1, assessed[0]), *((-1, q) for q in excluded)])
            gone = [(-1, q) for q in excluded[1:]]
            _sum(out, "flow", excluded[0], [(1, assessed[0]), (-1, p), *gone])
        if len(first) > 1:
            _sum(out, "flow", p, [(1, q) for q in first.values()])
    pair = [first[a] for a in sheet.arms if a in first]
    if len(pair) == 2:
        for p in randomised:
            _sum(out, "flow", p, [(1, q) for q in pair])
    for p in kept:
        counts = [retained(sheet, a, p.time) for a in sheet.arms]
        if all(k is not None for k, _ in counts):
            total = sum(k for k, _ in counts)
            out.judge("flow", p, [("sum", total, total)], f"{counts[0][0]} + {counts[1][0]}",
                      [q for _, used in counts for q in used])
    _denominators(sheet, out)


def _denominators(sheet: Sheet, out: Ledger) -> None:
    """Nobody is described, or responds, who was not retained; nobody comes back."""
    for p in sheet.prints:
        if p.statistic != "n" or p.arm not in sheet.arms or p.analysis in ("flow", "baseline"):
            continue
        count, used = retained(sheet, p.arm, p.time)
        n = sheet.randomised(p.arm)
        if p.analysis == "nnt" and p.method == "completers" and count is not None:
            out.judge("denominator", p, [("retained", count, count)],
                      f"{count} retained at {p.time}", used)
        elif n is not None:
            out.add("denominator", p, yes_no(p.value <= n.value, "at most the randomised"),
                    f"{p.text} of {n.text} randomised", (n,))
    for p in sheet.prints:
        if p.statistic == "responders" and (n := sheet.get(*p.key[:4], "n")):
            out.add("denominator", p, yes_no(p.value <= n.value, "at most n"),
                    f"{p.text} of {n.text}", (n,))


def classes(sheet: Sheet, out: Ledger) -> None:
    """Classes of one variable against the arm, as counts and as percentages."""
    groups = defaultdict(list)
    for p in sheet.prints:
        if p.analysis == "baseline" and ": " in p.variable and p.arm not in GROUPS:
            groups[p.variable.split(": ")[0], p.arm, p.source, p.statistic].append(p)
    for (name, arm, source, statistic), parts in list(groups.items()):
        n = sheet.randomised(arm)
        if len(parts) < 2:
            continue
        text = " + ".join(p.text for p in parts)
        if statistic == "n" and n is not None:
            total = sum(p.value for p in parts)
            for p in parts:
                rest = n.value - total + p.value
                found = judge(p.text, [("sum", rest, rest)])
                if total < n.value:
                    found = judge("0", [("", 1, 1), ("unshown classes or missing", 0, 0)])
                out.add("class sum", p, found, f"{text} = {total:g} of {n.text}",
                        [*parts, n])
        if statistic == "percent":
            counts = groups.get((name, arm, source, "n"), [])
            if n is not None and sum(c.value for c in counts) < n.value:
                continue
            total = sum((p.values for p in parts[1:]), parts[0].values)
            exact = round(sum(p.value for p in parts), 9) == 100
            for p in parts:
                fits = judge("100", [("sum", total, 100 if exact else None)])
                if not total.meets(interval(100)):
                    fits = yes_no(False, "sum", total)
                out.add("percent sum", p, fits, f"{text} = {sum(q.value for q in parts):.1f}",
                        parts)


def twice(sheet: Sheet, out: Ledger) -> None:
    """The same number stated in two places, at whatever precision."""
    for prints in sheet._by.values():
        first = prints[0]
        for p in prints[1:]:
            same = {q.text for q in (first, p)}
            if any(q.is_bound for q in (first, p)) and len(same) > 1:
                continue
            fine, coarse = sorted((first, p), key=lambda q: -len(q.text.partition(".")[2]))
            exact = fine.value if len(same) > 1 else coarse.value
            limits = spread(fine.text) if len(same) > 1 else interval(coarse.value)
            if len(same) > 1 and fine.values.high - fine.values.low == (
                    coarse.values.high - coarse.values.low):
                limits = interval(fine.value)
            found = judge(coarse.text, [("", limits, exact)])
            if found.convention in ("rounded twice", "truncated") and "." not in fine.text:
                found = yes_no(False, "", limits)  # whole numbers, stated twice, are not rounded
            check = "range stated twice" if p.statistic.startswith("range_") else "stated twice"
            out.add(check, p, found, f"{first.text} in {first.source}, {p.text} in {p.source}",
                    (first,))


def scales(sheet: Sheet, out: Ledger) -> None:
    """The ends of a scale against its items and points, in one place after another."""
    inputs = defaultdict(dict)
    for p in sheet.prints:
        if p.statistic in ("items", "points", "subscales"):
            inputs[p.variable][p.statistic] = p
    for high in sheet.prints:
        if high.statistic != "range_high" or high.method != "declared":
            continue
        parent = next((v for v in inputs if high.variable == v
                       or high.variable.startswith(v + "-")), None)
        low = next((p for p in sheet.all(*high.key[:4], "range_low")
                    if p.source == high.source), None)
        if parent is None or low is None:
            continue
        found, text = _scale(low, high, inputs[parent], high.variable != parent)
        for p in (low, high):
            out.add("scale", p, found, text, [low, high, *inputs[parent].values()])


def _scale(low, high, known, is_part):
    """Whether both ends are a whole number of points an item."""
    items, points, subs = (int(known[k].value) if k in known else None
                           for k in ("items", "points", "subscales"))
    if is_part and items and subs:
        items = items // subs
    units = [u for u in ((subs if not is_part else None), items) if u]
    ends = f"{low.text} to {high.text}"
    if points and not units:
        width = high.value - low.value + 1
        return yes_no(width == points, "points", width), f"{ends}: {width:g} points"
    fits = [u for u in units if low.value % u == 0 and high.value % u == 0]
    if points and fits:
        fits = [u for u in fits if (high.value - low.value) / u == points - 1]
    text = f"{ends} with {' or '.join(map(str, units)) or 'no'} items or subscales"
    return yes_no(bool(fits), f"{fits[0]} parts" if fits else ""), text


def quartiles(sheet: Sheet, out: Ledger) -> None:
    """q1 <= median <= q3, inside the scale."""
    for p in sheet.prints:
        if p.statistic != "median":
            continue
        ends = [sheet.get(*p.key[:4], s) for s in ("q1", "q3")]
        scale = [sheet.get(p.analysis, p.variable, "overall", "", s)
                 for s in ("range_low", "range_high")]
        line = [q for q in (scale[0], ends[0], p, ends[1], scale[1]) if q is not None]
        rising = all(a.values.low <= b.values.high for a, b in itertools.pairwise(line))
        for q in (p, *(e for e in ends if e)):
            out.add("quartiles", q, yes_no(rising, "in order"),
                    " <= ".join(x.text for x in line), line)


def changes(sheet: Sheet, out: Ledger) -> None:
    """Change and percent change of an arm, from its means."""
    for p in sheet.prints:
        if p.statistic not in ("change", "percent_change") or not p.analysis:
            continue
        start = sheet.get(p.analysis, p.variable, p.arm, sheet.visits[0], "mean")
        end = sheet.get(p.analysis, p.variable, p.arm, p.time, "mean")
        if start is None or end is None:
            out.add("change", p, unsure("no means printed"), "no means printed")
            continue
        values, value = end.values - start.values, end.value - start.value
        text = f"{end.text} - {start.text}"
        if p.statistic == "percent_change":
            if start.values.meets(Interval(0, 0)):
                continue
            values = corners(lambda a, b: 100 * (b - a) / a, start.values, end.values)
            value, text = 100 * value / start.value, f"({text}) / {start.text}"
        out.judge("change", p, [("", values, value)], f"{text} = {value:.3f}", (start, end))

