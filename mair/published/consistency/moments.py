"""Means and SDs of an arm at a visit: granularity, what the scale allows, and who dropped out."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import lru_cache

from mair.published import granularity as g
from mair.published.consistency.engine import Judgement, check, formula, unsure, yes_no
from mair.published.consistency.sheet import Printed, Sheet
from mair.published.rounding import RULES, Interval, image, values

SECTIONS = ("baseline", "outcomes", "biomarkers")
TELLING = 4  # digits of a mean and its SD that tell anything by standing there twice
ABOUT = 0.8  # SDs of one score are about alike
LARGE = 500  # more people than that: intervals instead of enumeration
MEAN, SD = ({"analysis": SECTIONS, "statistic": s} for s in ("mean", "sd"))


def people(sheet: Sheet, p: Printed) -> int | None:
    """The n of a mean or an SD of an arm that has a grain, where it can be enumerated."""
    n = sheet.size(p) if p.arm in sheet.arms and sheet.step(p.variable) else None
    return int(n.value) if n is not None and 2 <= n.value <= LARGE else None


@lru_cache(maxsize=4)
def possible_sizes(sheet: Sheet) -> dict[tuple, int]:
    """The n at which a mean is possible, where that is not the printed one.

    By (analysis, variable, arm, time): one n for all means of an arm, where several fail. Of a
    single one some smaller n nearly always makes it possible, which explains nothing.
    """
    groups, found = defaultdict(list), {}
    for mean in sheet.where(**MEAN):
        if people(sheet, mean):
            groups[mean.analysis, mean.variable, mean.arm].append(mean)
    for means in groups.values():
        step = sheet.step(means[0].variable)
        failing = [m for m in means if not any(
            g.grim(m.printed, people(sheet, m), step=step, rule=rule) for rule in RULES[:2])]
        most, common = min((people(sheet, m) for m in failing), default=0) - 1, []
        if len(failing) > 1:
            common = g.possible_n([m.printed for m in means], most, step=step,
                                  least=max(2, most // 2))
        for m in failing if common else ():
            if g.grim_can_fail(m.printed, people(sheet, m), step=step):
                found[m.key[:4]] = common[0]
    return found


@check("grim", given=people, **MEAN)
def grim(sheet: Sheet, mean: Printed, n: int):
    """Whether n scores of this grain have the mean; if not, which smaller n could."""
    step, inputs = sheet.step(mean.variable), (sheet.size(mean),)
    k, text = mean.value * n / step, f"n = {n}: "
    around = Interval(math.floor(k + 1e-9) * step / n, math.ceil(k - 1e-9) * step / n)
    text += " or ".join(dict.fromkeys(f"{v:.4f}" for v in (around.low, around.high)))
    if not g.grim_can_fail(mean.printed, n, step=step):
        return unsure("any mean is possible"), text, inputs
    rule = next((r for r in RULES[:2] if g.grim(mean.printed, n, step=step, rule=r)), "")
    if rule == "half":
        return yes_no(True, f"n={n}", around), text, inputs
    if fewer := possible_sizes(sheet).get(mean.key[:4]):
        total = g.sums(values(mean.printed), fewer, step)[0] * step
        text += f"; n = {fewer}: {total:g}/{fewer} = {total / fewer:.4f}"
        return Judgement("other convention", f"n={fewer}", around), text, inputs
    return Judgement("within rounding" if rule else "impossible", rule, around), text, inputs


def mean_with(sheet: Sheet, sd: Printed) -> Printed | None:
    """The mean beside an SD."""
    return sheet.get(*sd.key[:4], "mean")


@check("grimmer", first=True, given=mean_with, **SD)
def grimmer(sheet: Sheet, sd: Printed, mean: Printed):
    """Whether scores have the mean and the SD, at the n at which the mean is possible."""
    if (n := people(sheet, sd)) is None:
        return None
    use, step = possible_sizes(sheet).get(sd.key[:4], n), sheet.step(sd.variable)
    low, high = sheet.scale(sd.variable, sd.source) or (None, None)
    inputs, text = (sheet.size(mean), mean), f"n = {use}, mean {mean}"
    if use < 2 or not g.grimmer_can_fail(mean.printed, sd.printed, use, step=step):
        return unsure("any SD is possible"), text, inputs

    def fits(m, rule="half"):
        return g.grimmer(mean.printed, sd.printed, m, step=step, low=low, high=high, rule=rule)

    rule = next((rule for rule in RULES if fits(use, rule)), None)
    m = use if rule else next((m for m in range(use - 1, max(2, use // 2), -1)
                               if g.grim(mean.printed, m, step=step) and fits(m)), None)
    found = (yes_no(False) if m is None else Judgement("other convention", f"n={m}") if m != n
             else yes_no(True, f"n={n}") if rule == "half" else Judgement("within rounding", rule))
    return found, text, inputs


@check("scale of mean", **MEAN)
def scale_of_mean(sheet: Sheet, mean: Printed):
    """A mean lies inside the scale."""
    scale = sheet.scale(mean.variable, mean.source)
    ends = scale and Interval(*scale)
    return ends and mean.arm != "difference" and (
        yes_no(mean.values.meets(ends), "inside", ends), f"{ends.low:g} to {ends.high:g}")


@check("scale of sd", first=True, given=mean_with, **SD)
def scale_of_sd(sheet: Sheet, sd: Printed, mean: Printed):
    """An SD is no larger than mean, n and scale allow: that of scores at the two ends.

    Bhatia R, Davis C. Am Math Mon 2000;107:353-7.
    """
    n, scale = sheet.size(mean), sheet.scale(sd.variable, mean.source)
    if sd.arm not in sheet.arms or n is None or n.value < 2 or scale is None or (
            not mean.values.meets(Interval(*scale))):
        return None
    top = image(lambda x: (x - scale[0]) * (scale[1] - x), mean.values).high
    largest = math.sqrt(max(0.0, top) * n.value / (n.value - 1))
    return (yes_no(sd.values.low <= largest, "at most", Interval(0, largest)),
            f"at most {largest:.2f} at mean {mean}", (n, mean))


@check("dropouts", analysis=SECTIONS[1:], statistic=("mean", "sd"), first=True)
def dropouts(sheet: Sheet, p: Printed):
    """Everybody's baseline against that of those described: the rest must be possible."""
    everyone, part = sheet.moments("baseline", p.variable, p.arm), sheet.moments(*p.key[:4])
    if p.arm not in sheet.arms or sheet.visits[:1] != [p.time] or not everyone or not part:
        return None
    (n_all, mean, sd), (n_part, m, s) = everyone, part
    n, seen = int(n_all.value), possible_sizes(sheet).get(m.key[:4], int(n_part.value))
    k, inputs, is_mean = n - seen, [*everyone, *part], p is m
    if k == 0:
        return [formula(lambda x: x, mean if is_mean else sd, name="nobody left out")], (
            "the same people"), inputs
    if k < 0 or seen < 2:
        same, why = (f"{mean}, {sd}" == f"{m}, {s}"), "more described than randomised"
        return (yes_no(same, why), why, inputs) if is_mean else None

    def left(s_all, s_part, gap):
        return (n - 1) * s_all**2 - (seen - 1) * s_part**2 - seen * k / n * gap**2

    _, rest, at = formula(lambda all_, some: (n * all_ - seen * some) / k, mean, m)
    squares = image(left, *(iv.size() for iv in (sd.values, s.values, m.values - rest)))
    scale, step = sheet.scale(p.variable, m.source), sheet.step(p.variable)
    sum_fits, squares_fit = scale is None or rest.meets(Interval(*scale)), squares.high >= 0
    if scale and step and n <= LARGE:
        sum_fits, squares_fit = g.rest_possible(
            (n, mean.printed, sd.printed), (seen, m.printed, s.printed), step, *scale)
        if not sum_fits and k < n and not g.grim(m.printed, seen, step=step):
            return None  # the mean itself is not possible, which GRIM says
    name = f"{n} - {seen} people"
    if is_mean:
        return (yes_no(sum_fits, name, rest), f"({n} x {mean} - {seen} x {m}) / {k} = {at:.2f}",
                inputs)
    return (yes_no(squares_fit, name, squares), f"sum of squares left to {k} people "
            f"{left(sd.value, s.value, m.value - at):.1f}", inputs) if sum_fits else None


@check("sd of change", statistic=("change_sd", "change_se"), first=True)
def sd_of_change(sheet: Sheet, p: Printed):
    """The correlation between two visits that the SD of a change needs, at the SDs there."""
    change = sheet.moments(*p.key[:4], of=("change", "change_sd", "change_se"))
    first, last = (sheet.moments(*p.key[:3], t) for t in (*sheet.visits[:1], p.time))
    if not (change and first and last) or p not in (change[2], sheet.get(*p.key)):
        return None
    numbers = [change[2], first[2], last[2]]
    _, r, at = formula(lambda c, a, b: (a**2 + b**2 - c**2) / (2 * a * b), *numbers)
    text, inputs = f"needs r = {at:.2f} between the visits", [*first, *last, change[0]]
    if len({one[0].value for one in (change, first, last)}) > 1:
        return unsure("other people", r), text, inputs
    return (unsure("correlation below 0", r) if -1 <= r.high < 0 else
            yes_no(r.meets(Interval(-1, 1)), "correlation", r)), text, inputs


def near(sheet: Sheet, p: Printed) -> list[Printed]:
    """The statistic of the variable in other arms at the visit, and at the arm's other visits."""
    return [q for q in sheet.where(statistic=p.statistic, variable=p.variable, arm=sheet.arms)
            if q.key[0] == p.analysis and (q.arm == p.arm) != (q.time == p.time)]


@check("alike", given=near, statistic="mean", first=True)
def alike(sheet: Sheet, p: Printed, others: list):
    """A mean and SD that stand again, to the last digit, in another arm or at another visit."""
    def shown(q):
        return q.printed, getattr(sheet.get(*q.key[:4], "sd"), "printed", "")

    own, same = shown(p), [q for q in others if shown(q) == shown(p)]
    return same and own[1] and sum(map(str.isdigit, own[0] + own[1])) >= TELLING and (
        unsure("alike"), f"{own[0]} ({own[1]}) also in " + ", ".join(
            f"{q.arm} {q.time}".strip() for q in same), same)


@check("spread", given=near, statistic=("sd", "se"), first=True)
def spread(sheet: Sheet, p: Printed, others: list):
    """An SD that lies among the others' only were it a standard error, and the reverse."""
    n = sheet.size(p)
    if not n or n.value < 2:
        return None
    root = math.sqrt(n.value) if p.statistic == "sd" else 1 / math.sqrt(n.value)
    values, at = [q.value for q in others], p.value * root
    return min(*values, p.value) > 0 and min(max(p.value / v, v / p.value) for v in values) > (
        n.value ** 0.25) and ABOUT * min(values) <= at <= max(values) / ABOUT and (
        unsure(f"as if {'a standard error' if root > 1 else 'an SD'}", p.values * root),
        f"{p} beside {', '.join(map(str, others))}; x {root:.3g} = {at:.3g}", others)
