"""Standardised effects against means and SDs, under each convention in use."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import lru_cache

import numpy as np

from mair.published.consistency.engine import check, judge, unsure
from mair.published.consistency.moments import possible_sizes
from mair.published.consistency.sheet import Printed, Sheet
from mair.published.rounding import corners, image, span
from mair.stats.effects import d_ppc2_of

# of a visit, not of the baseline table
D = {"arm": "difference", "statistic": "d", "time": bool, "analysis": lambda a: a != "baseline"}


def courses(sheet: Sheet, p: Printed) -> list | None:
    """(n, mean before, SD before, mean after) of (control, treatment), or None."""
    before = sheet.both_arms(p.analysis, p.variable, *sheet.visits[:1])
    after = [sheet.get(p.analysis, p.variable, arm, p.time, "mean") for arm in sheet.arms]
    if not before or None in after:
        return None
    return [(*moments, mean) for moments, mean in zip(before, after, strict=True)]


def standardisers(sheet: Sheet, p: Printed, c, t) -> dict[str, tuple]:
    """Name of a convention to (n, SD, n, SD) of (control, treatment): the SD of those
    described, also weighted by the n at which their means are possible, or by all randomised;
    that of all randomised; after."""
    (n1, s1), (n2, s2) = ((q[0].value, q[2]) for q in (c, t))
    found = {"": (n1, s1, n2, s2)}
    m1, m2 = (possible_sizes(sheet).get((p.analysis, p.variable, arm, sheet.visits[0]), n)
              for arm, n in zip(sheet.arms, (n1, n2), strict=True))
    if (m1, m2) != (n1, n2) and min(m1, m2) >= 2:
        found[f", n={m1:g} and {m2:g}"] = (m1, s1, m2, s2)
    if None not in sheet.sizes:
        everyone = (size.value for size in sheet.sizes)
        found[", n of all randomised"] = (next(everyone), s1, next(everyone), s2)
    if start := sheet.both_arms("baseline", p.variable):
        found[", SD of all randomised"] = tuple(v for n, _, s in start for v in (n.value, s))
    last = [sheet.get(p.analysis, p.variable, arm, p.time, "sd") for arm in sheet.arms]
    if all(last):
        found[", SD afterwards"] = (n1, last[0], n2, last[1])
    return found


def d(n1, n2, *six):
    """d_ppc2 from the n of (control, treatment), and mean before, mean after and SD of treatment
    and then of control, numbers or arrays."""
    (before_t, after_t, sd_t), (before_c, after_c, sd_c) = six[:3], six[3:]
    return d_ppc2_of((n2, before_t, sd_t, after_t), (n1, before_c, sd_c, after_c))


@lru_cache(maxsize=200)
def conventions(sheet: Sheet, p: Printed):
    """Candidates, the declared one first; a line of text; and the numbers used; or None."""
    arms = courses(sheet, p)
    if not arms or min(arms[0][0].value, arms[1][0].value) < 2:
        return None
    c, t = arms
    found, inputs, text, b = [], [*c, *t], "", sheet.get(*p.key[:4], "b")
    for name, (n1, s1, n2, s2) in standardisers(sheet, p, c, t).items():
        six = (t[1], t[3], s2, c[1], c[3], s1)
        over, at = d(n1, n2, *corners(*(q.values for q in six))), d(n1, n2, *(
            q.value for q in six))
        if not (np.min(over.sd) > 0 and at.sd > 0):
            continue
        text = text or (
            f"({t[3]} - {t[1]} - ({c[3]} - {c[1]})) / {at.sd:.3f} "
            f"= {at.change / at.sd:.4f}; x {at.factor:.4f} = {at.estimate:.4f}")
        found.append((f"d_ppc2{name}", span(over.estimate), float(at.estimate)))
        found.append((f"d_ppc2-uncorrected{name}", span(over.change / over.sd),
                      float(at.change / at.sd)))
        if b is not None and not name and p.method == "b_over_sd":
            found.append(("b_over_sd", image(np.divide, b.values, span(over.sd)), b.value / at.sd))
            inputs.append(b)
    if sheet.declared(p.variable).get("transform") == "log" and found:
        text = f"on the measured scale {found[1][2]:.4f}, corrected {found[0][2]:.4f}"
    found.sort(key=lambda candidate: candidate[0] != p.method)  # stable
    return found and (found, text, inputs)


@check("effect size", **D)
def effect_size(sheet: Sheet, p: Printed):
    """Each d under: corrected or not; SD of those described, of all randomised, or after; and
    the n at which granularity says the means are possible."""
    return conventions(sheet, p) or (unsure("no means and SDs printed"), "", ())


@check("effect sizes together")
def together(sheet: Sheet):
    """All d of one place: the fewest conventions that give them at the printed inputs.

    The declared one first, then whichever explains most of the rest. Only where single d
    already break the declared one: each d alone often fits several.
    """
    by_source = defaultdict(list)
    for p in sheet.where(**D):
        if found := conventions(sheet, p):
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
