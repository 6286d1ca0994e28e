"""Flow and counts: percentages, sums, the same number stated twice, scales, quartiles."""

import itertools
from collections import defaultdict

from mair.published import granularity
from mair.published.consistency.engine import check, judge, unsure, yes_no
from mair.published.consistency.sheet import GROUPS, Printed, Sheet, need
from mair.published.rounding import RULES, Interval, interval, values

LARGE = 5000  # more people than that: no exact test
UNSHOWN = [("", 1), ("unshown classes or missing", 0)]  # how many people are left over


def counted(sheet: Sheet, p: Printed) -> tuple:
    """The count (perhaps None) and the denominator that a percentage belongs to."""
    names = ("responders", "n") if p.analysis == "nnt" else ("n", "n_known")
    count, n = (sheet.beside(p, s) for s in names)
    n = need(n or (p.analysis != "nnt" and sheet.randomised(p.arm)))
    return need(n.value > 0, count is not n) and (count, n)


@check("percent", counted, statistic="percent")
def percent(sheet: Sheet, p: Printed, of: tuple):
    """A percentage of its count and denominator, or of fewer where some did not answer."""
    k, n = (int(q.value) for q in need(*of))
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


def course(sheet: Sheet, arm: str, times) -> tuple[tuple, list]:
    """How many of an arm were randomised, then `retained` at some visits (None where it is not
    known), and the numbers used."""
    n, kept = sheet.randomised(arm), [retained(sheet, arm, time) for time in times]
    return ((n and int(n.value), *(count for count, _ in kept)),
            [n, *(q for _, used in kept for q in used)])


def retained_by_arm(sheet: Sheet, p: Printed) -> list[tuple]:
    """`retained` of (control, treatment) at a visit."""
    found = [retained(sheet, arm, p.time) for arm in sheet.arms]
    return need(all(count is not None for count, _ in found)) and found


@check("percent of n", counted, statistic="percent")
def percent_alone(sheet: Sheet, p: Printed, of: tuple):
    """A percentage printed without its count is one of so many people."""
    count, n = of
    need(count is None)
    fits = implied(p, n)
    k = fits[0] if fits else round(p.value * n.value / 100)
    value, text = 100 * k / n.value, "" if fits else f"no count of {n}: "
    return ([(f"count={k}", value)] if fits else yes_no(False, "", value),
            f"{text}{k}/{n} = {value:.3f} %", (n,))


def cells(sheet: Sheet, p: Printed) -> tuple[Printed, ...]:
    """Numbers of responders and n of treatment, then of control."""
    x, n, y, m = need(*(sheet.get("nnt", p.variable, arm, p.time, s, like=p)
                        for arm in reversed(sheet.arms) for s in ("responders", "n")))
    need(n.value >= 1, x.value <= n.value, m.value >= 1, y.value <= m.value)
    return x, n, y, m


@check("flow")
def flow(sheet: Sheet):
    """Children against parents in the flow."""
    whole = defaultdict(list)
    for p in sheet.where("n", analysis="flow", arm="overall"):
        whole[p.variable.partition(": ")[0]].append(p)
    arms = {p.arm: p for p in reversed(sheet.where(analysis="flow", variable="randomised"))
            if p.arm not in GROUPS}
    start, excluded, sums = whole["assessed"][:1], whole["excluded"], []
    for p in whole["enrolled"][:1]:
        if start and excluded:
            sums += [(p, start, excluded), (excluded[0], start, [p, *excluded[1:]])]
        if len(arms) > 1:
            sums.append((p, [*arms.values()], []))
    if None not in sheet.sizes:
        sums += [(p, sheet.sizes, []) for p in whole["randomised"]]
    for p, plus, minus in sums:
        value = sum(q.value for q in plus) - sum(q.value for q in minus)
        text = " + ".join(map(str, plus)) + "".join(f" - {q}" for q in minus)
        yield p, [("sum", value)], f"{text} = {value:g}", [*plus, *minus]


@check("flow", retained_by_arm, analysis="flow", arm="overall", statistic="n", variable="retained")
def flow_of_retained(sheet: Sheet, p: Printed, seen: list):
    """Those retained are those of the arms."""
    (a, used), (b, also) = seen
    return [("sum", a + b)], f"{a} + {b}", used + also


@check("denominator", statistic="n", analysis=lambda a: a not in ("flow", "baseline"))
def denominators(sheet: Sheet, p: Printed):
    """Nobody is described, or responds, who was not retained; nobody comes back."""
    (count, used), n = retained(sheet, p.arm, p.time), sheet.randomised(p.arm)
    if p.arm in sheet.arms and p.key[0] == "nnt" and p.method == "completers" and count is not None:
        return [("retained", count)], f"{count} retained at {p.time}", used
    return p.arm in sheet.arms and n and (
        yes_no(p.value <= n.value, "at most the randomised"), f"{p} of {n} randomised", (n,))


@check("denominator", statistic="responders")
def responders(sheet: Sheet, p: Printed):
    """No more responders than people."""
    n = sheet.beside(p, "n")
    return n and (yes_no(p.value <= n.value, "at most n"), f"{p} of {n}", (n,))


def classes(sheet: Sheet, statistic: str) -> dict[tuple, list[Printed]]:
    """Numbers of the classes of one variable where there are several, by (variable, arm,
    source)."""
    groups = defaultdict(list)
    for p in sheet.where(statistic, analysis="baseline"):
        name, colon, _ = p.variable.partition(": ")
        if colon and p.arm not in GROUPS:
            groups[name, p.arm, p.source].append(p)
    return {key: parts for key, parts in groups.items() if len(parts) > 1}


@check("class sum")
def class_sums(sheet: Sheet):
    """The counts of the classes of one variable add up to the arm."""
    for (_, arm, _), parts in classes(sheet, "n").items():
        n = sheet.get(*parts[0].key[:4], "n_known") or sheet.randomised(arm)
        total = sum(p.value for p in parts)
        text = f"{' + '.join(map(str, parts))} = {total:g} of {n}"
        for p in parts if n else ():
            found = (judge("0", UNSHOWN) if total < n.value else
                     [("sum", n.value - total + p.value)])
            yield p, found, text, [*parts, n]


@check("percent sum")
def percent_sums(sheet: Sheet):
    """The percentages of classes that leave nobody out add up to 100."""
    counts = classes(sheet, "n")
    for key, parts in classes(sheet, "percent").items():
        n, people = sheet.randomised(key[1]), sum(p.value for p in counts.get(key, ()))
        if n is not None and people < n.value:
            continue
        total, at = sum((p.values for p in parts), interval(0)), sum(p.value for p in parts)
        found = yes_no(False, "sum", total)
        if total.meets(100):
            found = judge("100", [("sum", total, 100 if round(at, 9) == 100 else None)])
        for p in parts:
            yield p, found, f"{' + '.join(map(str, parts))} = {at:.1f}", parts


for _name, _ranges in (("stated twice", False), ("range stated twice", True)):
    @check(_name)
    def stated_twice(sheet: Sheet, ranges=_ranges):
        """The same number, by the same method, in two places, at whatever precision."""
        for p in itertools.chain(*sheet.by_key.values()):
            first = next(q for q in sheet.by_key[p.key] if q.method == p.method)
            if first is p or p.statistic.startswith("range_") != ranges or (
                    p.printed != first.printed and (first.relation or p.relation)):
                continue
            fine, coarse = sorted((first, p), key=lambda q: -q.decimals)
            limits = fine.values if fine.decimals > coarse.decimals else interval(fine.value)
            found = judge(coarse.printed, [("", limits, fine.value)])
            if found.convention in RULES and not fine.decimals:
                found = yes_no(False, "", limits)  # whole numbers are not rounded
            yield p, found, f"{first} in {first.source}, {p} in {p.source}", (first,)


@check("scale", statistic=("range_low", "range_high"), method="declared")
def scales(sheet: Sheet, p: Printed):
    """The ends of a scale against its items and points, in one place after another."""
    parts = need([q for q in sheet.where(("items", "points", "subscales"))
                  if f"{p.variable}-".startswith(f"{q.variable}-")])
    parent = parts[0].variable
    low, high = need(*(next((q for q in sheet.by_key[*p.key[:4], end] if q.source == p.source),
                            None) for end in ("range_low", "range_high")))
    known = {q.statistic: q for q in parts if q.variable == parent}
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


@check("quartiles", statistic=("min", "q1", "median", "q3", "max", "mean"))
def quartiles(sheet: Sheet, p: Printed):
    """min <= q1 <= median <= q3 <= max and min <= mean <= max, inside the scale, under one rule
    of rounding: to the nearest, twice, down or up."""
    ends = [sheet.get(p.analysis, p.variable, "overall", "", s)
            for s in ("range_low", "range_high")]
    names = ("min", *(("mean",) if p.statistic == "mean" else ("q1", "median", "q3")), "max")
    found = {s: sheet.get(*p.key[:4], s) for s in names} | {p.statistic: p}
    line = [q for q in (ends[0], *found.values(), ends[1]) if q]
    bounds = [*([values(q.printed, rule) for q in line] for rule in RULES),
              [Interval(q.value - 2 * q.half, q.value) for q in line]]
    rising = any(all(a.value <= b.value or u.low < v.high for (a, u), (b, v) in
                     itertools.pairwise(zip(line, rule, strict=True))) for rule in bounds)
    return sum(q is not None for q in found.values()) > 1 and (
        yes_no(rising, "in order"), " <= ".join(map(str, line)), line)


@check("allocation", analysis="flow", variable="randomised", statistic="n", first=True)
def allocation(sheet: Sheet, p: Printed):
    """Arm sizes against the size of blocks, the ratio and the number of strata declared."""
    block, ratio, strata = (sheet.get("", "allocation", "overall", "", s)
                            for s in ("block_size", "allocation_ratio", "strata"))
    centres, other = sheet.get("", "centres", "overall"), sheet.sizes[0]
    need(p.arm == sheet.arms[1], block, other)
    times, sizes = ratio.value if ratio else 1, sheet.by_key[block.key]
    most = max(q.value for q in sizes) * times / (1 + times) * (strata.value if strata else 1)
    gap = abs(p.value - times * other.value)
    fits, inputs = gap <= most, [other, *sizes, *filter(None, (ratio, strata, centres))]
    text = (f"|{p} - {times:g} x {other}| = {gap:g}, at most {most:g} with blocks of "
            f"{' or '.join(map(str, sizes))}")
    if not fits and not strata and centres and centres.value > 1:
        return unsure("strata not printed"), f"{text} were there no strata", inputs
    return yes_no(fits, "blocks"), text, inputs
