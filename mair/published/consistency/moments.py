"""Means and SDs of an arm at a visit: granularity, what the scale allows, and who dropped out."""

import math
from collections import defaultdict
from functools import lru_cache

from mair.published import granularity as g
from mair.published.consistency.engine import Judgement, check, formula, judge, unsure, yes_no
from mair.published.consistency.sheet import Printed, Sheet, need
from mair.published.rounding import RULES, Interval, image, values

SECTIONS = ("baseline", "outcomes", "biomarkers")
TELLING = 4  # digits of a mean and its SD that tell anything by standing there twice
ABOUT = 0.8  # SDs of one score are about alike
LARGE = 500  # more people than that: intervals instead of enumeration
MEAN, SD = ({"analysis": SECTIONS, "statistic": s} for s in ("mean", "sd"))


def people(sheet: Sheet, p: Printed) -> int:
    """The n of a mean or an SD of an arm that has a grain, where it can be enumerated; else 0."""
    n = sheet.size(p) if p.arm in sheet.arms and sheet.step(p) else None
    return int(n.value) if n and 2 <= n.value <= LARGE else 0


@lru_cache(maxsize=4)
def possible_sizes(sheet: Sheet) -> dict[tuple, int]:
    """The n at which a mean is possible, where that is not the printed one.

    By (analysis, variable, arm, time): one n for all means of an arm, where several fail. Of a
    single one some smaller n nearly always makes it possible, which explains nothing.
    """
    groups, found = defaultdict(list), {}
    for mean in sheet.where(**MEAN):
        if n := people(sheet, mean):
            groups[mean.key[:3]].append((mean, n, sheet.step(mean)))
    for means in groups.values():
        failing = [(m, n) for m, n, step in means if not any(
            g.grim(m.printed, n, step=step, rule=rule) for rule in RULES[:2])]
        if len(failing) < 2:
            continue
        most, step = min(n for _, n in failing) - 1, means[0][2]
        common = g.possible_n([m.printed for m, *_ in means], most, step=step,
                              least=max(2, most // 2))
        found |= {m.key[:4]: common[0] for m, n in failing
                  if common and g.grim_can_fail(m.printed, n, step=step)}
    return found


@check("grim", people, **MEAN)
def grim(sheet: Sheet, mean: Printed, n: int):
    """Whether n scores of this grain have the mean; if not, which smaller n could."""
    step, fewer = sheet.step(mean), possible_sizes(sheet).get(mean.key[:4])
    k, text = mean.value * n / step, f"n = {n}: "
    around = Interval(math.floor(k + 1e-9) * step / n, math.ceil(k - 1e-9) * step / n)
    text += " or ".join(dict.fromkeys(f"{v:.4f}" for v in (around.low, around.high)))
    rule = next((r for r in RULES[:2] if g.grim(mean.printed, n, step=step, rule=r)), "")
    if not g.grim_can_fail(mean.printed, n, step=step):
        found = unsure("any mean is possible")
    elif rule == "half":
        found = yes_no(True, f"n={n}", around)
    elif fewer:
        total = g.sums(values(mean.printed), fewer, step)[0] * step
        text += f"; n = {fewer}: {total:g}/{fewer} = {total / fewer:.4f}"
        found = Judgement("other convention", f"n={fewer}", around)
    else:
        found = Judgement("within rounding" if rule else "impossible", rule, around)
    return found, text, (sheet.size(mean),)


def mean_with(sheet: Sheet, sd: Printed) -> Printed | None:
    """The mean beside an SD."""
    return sheet.get(*sd.key[:4], "mean")


@check("grimmer", people, mean_with, first=True, **SD)
def grimmer(sheet: Sheet, sd: Printed, n: int, mean: Printed):
    """Whether scores have the mean and the SD, at the n at which the mean is possible."""
    use, step = possible_sizes(sheet).get(sd.key[:4], n), sheet.step(sd)
    low, high = sheet.scale(sd) or (None, None)

    def fits(m, rule="half"):
        return g.grimmer(mean.printed, sd.printed, m, step=step, low=low, high=high, rule=rule)

    if use < 2 or not g.grimmer_can_fail(mean.printed, sd.printed, use, step=step):
        found = unsure("any SD is possible")
    elif rule := next((rule for rule in RULES if fits(use, rule)), ""):
        found = (Judgement("other convention", f"n={use}") if use != n else
                 yes_no(True, f"n={n}") if rule == "half" else Judgement("within rounding", rule))
    else:
        fewer = next((m for m in range(use - 1, max(2, use // 2), -1)
                      if g.grim(mean.printed, m, step=step) and fits(m)), None)
        found = Judgement("other convention", f"n={fewer}") if fewer else yes_no(False)
    return found, f"n = {use}, mean {mean}", (sheet.size(mean), mean)


@check("scale of mean", Sheet.scale, **MEAN)
def scale_of_mean(sheet: Sheet, mean: Printed, scale: tuple):
    """A mean lies inside the scale."""
    ends = Interval(*scale)
    return mean.arm != "difference" and (
        yes_no(mean.values.meets(ends), "inside", ends), f"{ends.low:g} to {ends.high:g}")


@check("scale of sd", mean_with, Sheet.size, Sheet.scale, first=True, **SD)
def scale_of_sd(sheet: Sheet, sd: Printed, mean: Printed, n: Printed, scale: tuple):
    """An SD is no larger than mean, n and scale allow: that of scores at the two ends.

    Bhatia R, Davis C. Am Math Mon 2000;107:353-7.
    """
    top = image(lambda x: (x - scale[0]) * (scale[1] - x), mean.values).high
    largest = math.sqrt(max(0.0, top) * n.value / max(1, n.value - 1))
    inside = sd.arm in sheet.arms and n.value >= 2 and mean.values.meets(Interval(*scale))
    return inside and (yes_no(sd.values.low <= largest, "at most", Interval(0, largest)),
                       f"at most {largest:.2f} at mean {mean}", (n, mean))


@check("dropouts", lambda sheet, p: sheet.moments("baseline", p.variable, p.arm),
       lambda sheet, p: sheet.moments(*p.key[:4]), analysis=SECTIONS[1:],
       statistic=("mean", "sd"), first=True)
def dropouts(sheet: Sheet, p: Printed, everyone: tuple, part: tuple):
    """Everybody's baseline against that of those described: the rest must be possible."""
    (n_all, mean, sd), (n_part, m, s) = everyone, part
    n, seen = int(n_all.value), possible_sizes(sheet).get(m.key[:4], int(n_part.value))
    k, inputs, is_mean = n - seen, [*everyone, *part], p is m
    need(p.arm in sheet.arms, p.time == sheet.start, k == 0 or seen >= 2, k >= 0 or is_mean)
    if k == 0:
        return [formula(lambda x: x, mean if is_mean else sd, name="nobody left out")], (
            "the same people"), inputs
    if k < 0:
        why = "more described than randomised"
        return yes_no(f"{mean}, {sd}" == f"{m}, {s}", why), why, inputs

    def left(s_all, s_part, gap):
        return (n - 1) * s_all**2 - (seen - 1) * s_part**2 - seen * k / n * gap**2

    _, rest, at = formula(lambda all_, some: (n * all_ - seen * some) / k, mean, m)
    squares = image(left, *(iv.size() for iv in (sd.values, s.values, m.values - rest)))
    scale, step = sheet.scale(m), sheet.step(p)
    sum_fits, squares_fit = scale is None or rest.meets(Interval(*scale)), squares.high >= 0
    if scale and step and n <= LARGE:
        sum_fits, squares_fit = g.rest_possible(
            (n, mean.printed, sd.printed), (seen, m.printed, s.printed), step, *scale)
        # the mean itself may not be possible, which GRIM says
        need(sum_fits or k >= n or g.grim(m.printed, seen, step=step))
    name = f"{n} - {seen} people"
    if is_mean:
        return (yes_no(sum_fits, name, rest), f"({n} x {mean} - {seen} x {m}) / {k} = {at:.2f}",
                inputs)
    return sum_fits and (yes_no(squares_fit, name, squares), f"sum of squares left to {k} people "
                         f"{left(sd.value, s.value, m.value - at):.1f}", inputs)


@check("change", Sheet.before_and_after, statistic=("change", "percent_change"), analysis=bool)
def change(sheet: Sheet, p: Printed, means: list):
    """A change against the means of two visits; where other people were seen at the second, the
    mean at the first of those not seen must be possible."""
    (a, b), percent = means, p.statistic == "percent_change"
    need(a.values.low > 0 or not percent)
    found = formula(lambda a, b: 100 * (b - a) / a if percent else b - a, a, b)
    text = f"({b} - {a}) / {a}" if percent else f"{b} - {a}"
    n, m = sheet.size(a), sheet.size(b)
    judged, text = judge(p.printed, [found]), f"{text} = {found[2]:.3f}"
    if judged.verdict == "impossible" and n and m and n.value != m.value:
        judged = unsure("other people", found[1])
        if n.value > m.value and not percent:
            lost = n.value - m.value
            _, rest, at = formula(lambda a, b, c: (n.value * a - m.value * (b - c)) / lost, a, b, p)
            text += f"; the {lost:g} not seen at {p.time} would have had a mean of {at:.4g} before"
            ends = sheet.ends(a)
            judged = yes_no(False, "", found[1]) if ends and not rest.meets(ends) else judged
    return judged, text, [a, b, n, m]


@check("sd of change", statistic=("change_sd", "change_se"), first=True)
def sd_of_change(sheet: Sheet, p: Printed):
    """The correlation between two visits that the SD of a change needs, at the SDs there."""
    change = sheet.moments(*p.key[:4], of=("change", "change_sd", "change_se"))
    first, last = (sheet.moments(*p.key[:3], t) for t in (sheet.start, p.time))
    need(p in (change[2], sheet.get(*p.key)))
    _, r, at = formula(lambda c, a, b: (a**2 + b**2 - c**2) / (2 * a * b),
                       change[2], first[2], last[2])
    same = len({n.value for n, *_ in (change, first, last)}) == 1
    return (unsure("other people", r) if not same else
            unsure("correlation below 0", r) if -1 <= r.high < 0 else
            yes_no(r.meets(Interval(-1, 1)), "correlation", r)), (
        f"needs r = {at:.2f} between the visits"), [*first, *last, change[0]]


def near(sheet: Sheet, p: Printed) -> list[Printed]:
    """The statistic of the variable in other arms at the visit, and at the arm's other visits."""
    return [q for q in sheet.where(p.statistic, variable=p.variable, arm=sheet.arms)
            if q.key[0] == p.analysis and (q.arm == p.arm) != (q.time == p.time)]


@check("alike", near, statistic="mean", first=True)
def alike(sheet: Sheet, p: Printed, others: list):
    """A mean and SD that stand again, to the last digit, in another arm or at another visit."""
    def shown(q):
        return q.printed, getattr(sheet.get(*q.key[:4], "sd"), "printed", "")

    own, same = shown(p), [q for q in others if shown(q) == shown(p)]
    return same and own[1] and sum(map(str.isdigit, own[0] + own[1])) >= TELLING and (
        unsure("alike"), f"{own[0]} ({own[1]}) also in " + ", ".join(
            f"{q.arm} {q.time}".strip() for q in same), same)


@check("spread", near, Sheet.size, statistic=("sd", "se"), first=True)
def spread(sheet: Sheet, p: Printed, others: list, n: Printed):
    """An SD that lies among the others' only were it a standard error, and the reverse."""
    root = math.sqrt(max(1, n.value)) ** (1 if p.statistic == "sd" else -1)
    values, at = [q.value for q in others], p.value * root
    return n.value >= 2 and min(*values, p.value) > 0 and (
        min(max(p.value / v, v / p.value) for v in values) > n.value**0.25
        and ABOUT * min(values) <= at <= max(values) / ABOUT) and (
        unsure(f"as if {'a standard error' if root > 1 else 'an SD'}", p.values * root),
        f"{p} beside {', '.join(map(str, others))}; x {root:.3g} = {at:.3g}", others)
