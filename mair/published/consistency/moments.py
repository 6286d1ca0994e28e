"""Means and SDs of one cell: granularity, what the scale allows, and who dropped out."""

from __future__ import annotations

import math
from collections import defaultdict

from mair.published import granularity as g
from mair.published.consistency.sheet import Judgement, Ledger, Sheet, unsure, yes_no
from mair.published.intervals import Interval, corners, interval, spread

SECTIONS = ("baseline", "outcomes", "biomarkers")
LARGE = 500  # more people than that: intervals instead of enumeration


def run(sheet: Sheet, out: Ledger) -> dict[tuple, int]:
    """Every check of this module; returns the n of cells possible at another n than printed,
    by (analysis, variable, arm, time)."""
    at_n = grain(sheet, out)
    bounds(sheet, out)
    dropouts(sheet, out, at_n)
    return at_n


def cells(sheet: Sheet):
    """Every (n, mean, sd) of an arm or of all."""
    for mean in sheet.prints:
        if mean.statistic == "mean" and mean.analysis in SECTIONS and mean.arm != "difference":
            sd = sheet.get(*mean.key[:4], "sd")
            n = sheet.size(mean) if mean.arm in sheet.arms else None
            yield n, mean, sd


def grain(sheet: Sheet, out: Ledger) -> dict[tuple, int]:
    """GRIM, GRIMMER or DEBIT where the step is known. Returns the n at which a cell is
    possible, where that is not the printed one."""
    groups = defaultdict(list)
    for n, mean, sd in cells(sheet):
        step = sheet.step(mean.variable)
        if n is not None and step and 2 <= n.value <= LARGE:
            groups[mean.analysis, mean.variable, mean.arm].append((n, mean, sd, step))
    other = {}
    for group in groups.values():
        step = group[0][3]
        failing = [(int(n.value), m) for n, m, _, _ in group
                   if not g.grim(m.text, int(n.value), step=step)
                   and not g.grim(m.text, int(n.value), step=step, rule="rounded twice")]
        common = []
        if failing and len(group) > 1:
            most = min(n for n, _ in failing) - 1
            common = g.possible_n([m.text for _, m, _, _ in group], most, step=step,
                                  least=max(2, most // 2))
        for n, mean, sd, _ in group:
            use = _mean(out, n, mean, step, common if len(failing) > 1 else [])
            if use != int(n.value):
                other[mean.key[:4]] = use
            if sd is not None:
                _sd(out, n, mean, sd, step, sheet.scale(mean.variable, mean.source), use)
    return other


def nearest(mean: str, n: int, step: float) -> Interval:
    """The possible means on both sides of a printed one."""
    k = float(mean) * n / step
    return Interval(math.floor(k + 1e-9) * step / n, math.ceil(k - 1e-9) * step / n)


def _mean(out: Ledger, n, mean, step, common) -> int:
    """GRIM of one mean; returns the n at which it is possible."""
    size = int(n.value)
    around = nearest(mean.text, size, step)
    text = (f"n = {size}: {around.low:.4f} or {around.high:.4f}" if around.high > around.low
            else f"n = {size}: {around.low:.4f}")
    if not g.grim_can_fail(mean.text, size, step=step):
        out.add("grim", mean, unsure("any mean is possible"), text, (n,))
        return size
    if g.grim(mean.text, size, step=step):
        out.add("grim", mean, yes_no(True, f"n={size}", around), text, (n,))
        return size
    if g.grim(mean.text, size, step=step, rule="rounded twice"):
        out.add("grim", mean, Judgement("within rounding", "rounded twice", around), text, (n,))
        return size
    fewer = common or g.possible_n([mean.text], size - 1, step=step, least=max(2, size // 2))
    if not fewer:
        truncated = g.grim(mean.text, size, step=step, rule="truncated")
        found = Judgement("within rounding" if truncated else "impossible",
                          "truncated" if truncated else "", around)
        out.add("grim", mean, found, text, (n,))
        return size
    total = g.sums(spread(mean.text), fewer[0], step)[0] * step
    out.add("grim", mean, Judgement("other convention", f"n={fewer[0]}", around),
            f"{text}; n = {fewer[0]}: {total:g}/{fewer[0]} = {total / fewer[0]:.4f}", (n,))
    return fewer[0]


def _sd(out: Ledger, n, mean, sd, step, scale, use) -> None:
    """GRIMMER or DEBIT of one SD, at the n at which the mean is possible."""
    low, high = scale or (None, None)
    inputs, text = (n, mean), f"n = {use}, mean {mean.text}"
    if scale == (0.0, 1.0) and step == 1:
        fits = g.debit(mean.text, sd.text, use)
        out.add("debit", sd, yes_no(fits, f"n={use}"), text, inputs)
        return
    if use < 2 or not g.grimmer_can_fail(mean.text, sd.text, use, step=step):
        out.add("grimmer", sd, unsure("any SD is possible"), text, inputs)
        return
    for rule in ("half", "rounded twice", "truncated"):
        if g.grimmer(mean.text, sd.text, use, step=step, low=low, high=high, rule=rule):
            verdict = "exact" if rule == "half" else "within rounding"
            name = f"n={use}" if rule == "half" else rule
            if use != int(n.value):
                verdict, name = "other convention", f"n={use}"
            out.add("grimmer", sd, Judgement(verdict, name, interval(math.nan)),
                    text + _nearest_sd(mean, sd, use, step), inputs)
            return
    found = yes_no(False, "")
    for m in range(use - 1, max(2, use // 2), -1):
        if g.grim(mean.text, m, step=step) and g.grimmer(
                mean.text, sd.text, m, step=step, low=low, high=high):
            found = Judgement("other convention", f"n={m}", interval(math.nan))
            break
    out.add("grimmer", sd, found, text + _nearest_sd(mean, sd, use, step), inputs)


def _nearest_sd(mean, sd, n, step) -> str:
    """The possible SDs next to the printed one, for the line of text."""
    near = []
    for total in g.sums(spread(mean.text), n, step):
        around = total**2 / n
        q = round(around + (n - 1) * (sd.value / step) ** 2)
        near += [step * math.sqrt((v - around) / (n - 1)) for v in range(q - 3, q + 4)
                 if (v - total) % 2 == 0 and v >= around]
    near = sorted(near, key=lambda v: abs(v - sd.value))[:2]
    return ": possible SDs " + ", ".join(f"{v:.4f}" for v in sorted(near)) if near else ""


def bounds(sheet: Sheet, out: Ledger) -> None:
    """Means inside the scale; SDs no larger than the mean, n and scale allow.

    The largest SD is that of scores at the two ends (Bhatia and Davis 2000).
    """
    for n, mean, sd in cells(sheet):
        scale = sheet.scale(mean.variable, mean.source)
        if scale is None:
            continue
        inside = mean.values.meets(Interval(*scale))
        out.add("scale of mean", mean, yes_no(inside, "inside", Interval(*scale)),
                f"{scale[0]:g} to {scale[1]:g}")
        if sd is None or n is None or n.value < 2 or not inside:
            continue
        m = mean.values
        top = corners(lambda x, lo=scale[0], hi=scale[1]: (x - lo) * (hi - x), m).high
        largest = math.sqrt(max(0.0, top) * n.value / (n.value - 1))
        out.add("scale of sd", sd, yes_no(sd.values.low <= largest,
                                          "at most", Interval(0, largest)),
                f"at most {largest:.2f} at mean {mean.text}", (n, mean))


def dropouts(sheet: Sheet, out: Ledger, at_n: dict) -> None:
    """Everybody's baseline against that of those described: the rest must be possible."""
    for everyone_n, mean, sd in cells(sheet):
        if mean.analysis != "baseline" or sd is None or everyone_n is None:
            continue
        for section in SECTIONS[1:]:
            cell = sheet.moments(section, mean.variable, mean.arm, sheet.visits[0])
            if cell is None:
                continue
            n, m, s = cell
            seen = at_n.get(m.key[:4], int(n.value))
            inputs = [everyone_n, mean, sd, n, m, s]
            _rest(sheet, out, (everyone_n, mean, sd), (seen, m, s), inputs)


def _rest(sheet, out, everyone, part, inputs) -> None:
    (everyone_n, mean, sd), (seen, m, s) = everyone, part
    n, k = int(everyone_n.value), int(everyone_n.value) - seen
    if k <= 0 or seen < 2:
        same = mean.text == m.text and sd.text == s.text
        why = "nobody left out" if k == 0 else "more described than randomised"
        if k == 0:
            out.judge("dropouts", m, [(why, mean.values, mean.value)], "the same people", inputs)
            out.judge("dropouts", s, [(why, sd.values, sd.value)], "the same people", inputs)
        else:
            out.add("dropouts", m, yes_no(same, why), why, inputs)
        return
    rest = (mean.values * n - m.values * seen) * (1 / k)
    squares = (sd.values.squared() * (n - 1) - s.values.squared() * (seen - 1)
               - (m.values - rest).squared() * (seen * k / n))
    value = (n * mean.value - seen * m.value) / k
    left = ((n - 1) * sd.value**2 - (seen - 1) * s.value**2
            - seen * k / n * (m.value - value) ** 2)
    scale, step = sheet.scale(mean.variable, m.source), sheet.step(mean.variable)
    if scale and step and n <= LARGE:
        sum_fits, squares_fit = g.rest_possible(
            (n, mean.text, sd.text), (seen, m.text, s.text), step, *scale)
        if not sum_fits and k < n and not g.grim(m.text, seen, step=step):
            return  # the mean itself is not possible, which GRIM says
    else:
        sum_fits = scale is None or rest.meets(Interval(*scale))
        squares_fit = squares.high >= 0
    name = f"{n} - {seen} people"
    out.add("dropouts", m, yes_no(sum_fits, name, rest),
            f"({n} x {mean.text} - {seen} x {m.text}) / {k} = {value:.2f}", inputs)
    if sum_fits:
        out.add("dropouts", s, yes_no(squares_fit, name, squares),
                f"sum of squares left to {k} people {left:.1f}", inputs)
