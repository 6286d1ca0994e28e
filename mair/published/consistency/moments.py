"""Means and SDs of an arm at a visit: granularity, what the scale allows, and who dropped out."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import lru_cache

from mair.published import granularity as g
from mair.published.consistency.engine import Judgement, check, unsure, yes_no
from mair.published.consistency.sheet import Print, Sheet
from mair.published.rounding import RULES, Interval, image, values

SECTIONS = ("baseline", "outcomes", "biomarkers")
LARGE = 500  # more people than that: intervals instead of enumeration
MEAN, SD = ({"analysis": SECTIONS, "statistic": s} for s in ("mean", "sd"))


def people(sheet: Sheet, p: Print) -> int | None:
    """The n of a mean or an SD of an arm that has a grain, where it can be enumerated."""
    n = sheet.size(p) if p.arm in sheet.arms and sheet.step(p.variable) else None
    return int(n.value) if n is not None and 2 <= n.value <= LARGE else None


@lru_cache(maxsize=4)
def possible_sizes(sheet: Sheet) -> dict[tuple, int]:
    """The n at which a mean is possible, where that is not the printed one.

    By (analysis, variable, arm, time). Where several means of an arm fail, one n for all is
    looked for first.
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
        for m in failing:
            n = people(sheet, m)
            fewer = common or g.possible_n([m.printed], n - 1, step=step, least=max(2, n // 2))
            if fewer and g.grim_can_fail(m.printed, n, step=step):
                found[m.key[:4]] = fewer[0]
    return found


@check("grim", **MEAN)
def grim(sheet: Sheet, mean: Print):
    """Whether n scores of this grain have the mean; if not, which smaller n could."""
    n, step = people(sheet, mean), sheet.step(mean.variable)
    if n is None:
        return None
    k, inputs = mean.value * n / step, (sheet.size(mean),)
    around = Interval(math.floor(k + 1e-9) * step / n, math.ceil(k - 1e-9) * step / n)
    text = f"n = {n}: " + " or ".join(dict.fromkeys(f"{v:.4f}" for v in (around.low, around.high)))
    if not g.grim_can_fail(mean.printed, n, step=step):
        return unsure("any mean is possible"), text, inputs
    rule = next((r for r in RULES if g.grim(mean.printed, n, step=step, rule=r)), "")
    fewer = possible_sizes(sheet).get(mean.key[:4])
    if rule == "half":
        return yes_no(True, f"n={n}", around), text, inputs
    if fewer:
        total = g.sums(values(mean.printed), fewer, step)[0] * step
        text += f"; n = {fewer}: {total:g}/{fewer} = {total / fewer:.4f}"
        return Judgement("other convention", f"n={fewer}", around), text, inputs
    return Judgement("within rounding" if rule else "impossible", rule, around), text, inputs


def _sd(sheet: Sheet, sd: Print):
    """The mean, the printed n and the possible n that belong to an SD with a grain."""
    mean, n = sheet.get(*sd.key[:4], "mean"), people(sheet, sd)
    if mean is None or n is None or sheet.get(*sd.key) is not sd:
        return None, None, None
    return mean, n, possible_sizes(sheet).get(sd.key[:4], n)


def _two_points(sheet: Sheet, sd: Print) -> bool:
    return (sheet.scale(sd.variable, sd.source), sheet.step(sd.variable)) == ((0.0, 1.0), 1)


@check("debit", **SD)
def debit(sheet: Sheet, sd: Print):
    """Whether answers of 0 or 1 have the mean and the SD."""
    mean, _, use = _sd(sheet, sd)
    if mean is None or not _two_points(sheet, sd):
        return None
    return (yes_no(g.debit(mean.printed, sd.printed, use), f"n={use}"),
            f"n = {use}, mean {mean}", (sheet.size(mean), mean))


@check("grimmer", **SD)
def grimmer(sheet: Sheet, sd: Print):
    """Whether scores have the mean and the SD, at the n at which the mean is possible."""
    mean, n, use = _sd(sheet, sd)
    if mean is None or _two_points(sheet, sd):
        return None
    step, (low, high) = sheet.step(sd.variable), sheet.scale(sd.variable, sd.source) or (None, None)
    inputs, text = (sheet.size(mean), mean), f"n = {use}, mean {mean}"
    if use < 2 or not g.grimmer_can_fail(mean.printed, sd.printed, use, step=step):
        return unsure("any SD is possible"), text, inputs

    def fits(m, rule="half"):
        return g.grimmer(mean.printed, sd.printed, m, step=step, low=low, high=high, rule=rule)

    text += _nearest_sds(mean, sd, use, step)
    rule = next((rule for rule in RULES if fits(use, rule)), None)
    if rule:
        found = (Judgement("other convention", f"n={use}") if use != n else
                 yes_no(True, f"n={n}") if rule == "half" else Judgement("within rounding", rule))
    else:
        smaller = next((m for m in range(use - 1, max(2, use // 2), -1)
                        if g.grim(mean.printed, m, step=step) and fits(m)), None)
        found = Judgement("other convention", f"n={smaller}") if smaller else yes_no(False)
    return found, text, inputs


def _nearest_sds(mean, sd, n, step) -> str:
    """The possible SDs next to the printed one, for the line of text."""
    near = []
    for total in g.sums(values(mean.printed), n, step):
        around = total**2 / n
        q = round(around + (n - 1) * (sd.value / step) ** 2)
        near += [step * math.sqrt((v - around) / (n - 1)) for v in range(q - 3, q + 4)
                 if (v - total) % 2 == 0 and v >= around]
    near = sorted(near, key=lambda v: abs(v - sd.value))[:2]
    return ": possible SDs " + ", ".join(f"{v:.4f}" for v in sorted(near)) if near else ""


@check("scale of mean", **MEAN)
def scale_of_mean(sheet: Sheet, mean: Print):
    """A mean lies inside the scale."""
    scale = sheet.scale(mean.variable, mean.source)
    if scale is None or mean.arm == "difference":
        return None
    ends = Interval(*scale)
    return yes_no(mean.values.meets(ends), "inside", ends), f"{ends.low:g} to {ends.high:g}"


@check("scale of sd", first=True, **SD)
def scale_of_sd(sheet: Sheet, sd: Print):
    """An SD is no larger than mean, n and scale allow: that of scores at the two ends.

    Bhatia R, Davis C. Am Math Mon 2000;107:353-7.
    """
    mean = sheet.get(*sd.key[:4], "mean")
    n = sheet.size(mean) if mean and sd.arm in sheet.arms else None
    scale = sheet.scale(sd.variable, mean.source) if n else None
    if scale is None or n.value < 2 or not mean.values.meets(Interval(*scale)):
        return None
    top = image(lambda x: (x - scale[0]) * (scale[1] - x), mean.values).high
    largest = math.sqrt(max(0.0, top) * n.value / (n.value - 1))
    return (yes_no(sd.values.low <= largest, "at most", Interval(0, largest)),
            f"at most {largest:.2f} at mean {mean}", (n, mean))


@check("dropouts", analysis=SECTIONS[1:], statistic=("mean", "sd"), first=True)
def dropouts(sheet: Sheet, p: Print):
    """Everybody's baseline against that of those described: the rest must be possible."""
    everyone = sheet.moments("baseline", p.variable, p.arm)
    part = sheet.moments(*p.key[:4])
    if p.arm not in sheet.arms or sheet.visits[:1] != [p.time] or not everyone or not part:
        return None
    (n_all, mean, sd), (n_part, m, s) = everyone, part
    n, seen = int(n_all.value), possible_sizes(sheet).get(m.key[:4], int(n_part.value))
    k, inputs, is_mean = n - seen, [*everyone, *part], p.statistic == "mean"
    if k == 0:
        whole = mean if is_mean else sd
        return [("nobody left out", whole.values, whole.value)], "the same people", inputs
    if k < 0 or seen < 2:
        why, same = "more described than randomised", (mean.printed, sd.printed) == (
            m.printed, s.printed)
        return (yes_no(same, why), why, inputs) if is_mean else None
    rest = (mean.values * n - m.values * seen) * (1 / k)

    def left(s_all, s_part, gap):
        return (n - 1) * s_all**2 - (seen - 1) * s_part**2 - seen * k / n * gap**2

    squares = image(left, sd.values.size(), s.values.size(), (m.values - rest).size())
    scale, step = sheet.scale(p.variable, m.source), sheet.step(p.variable)
    if scale and step and n <= LARGE:
        sum_fits, squares_fit = g.rest_possible(
            (n, mean.printed, sd.printed), (seen, m.printed, s.printed), step, *scale)
        if not sum_fits and k < n and not g.grim(m.printed, seen, step=step):
            return None  # the mean itself is not possible, which GRIM says
    else:
        sum_fits, squares_fit = scale is None or rest.meets(Interval(*scale)), squares.high >= 0
    name, value = f"{n} - {seen} people", (n * mean.value - seen * m.value) / k
    if is_mean:
        text = f"({n} x {mean} - {seen} x {m}) / {k} = {value:.2f}"
        return yes_no(sum_fits, name, rest), text, inputs
    text = f"sum of squares left to {k} people {left(sd.value, s.value, m.value - value):.1f}"
    return (yes_no(squares_fit, name, squares), text, inputs) if sum_fits else None
