"""Standardised effects against means and SDs, under each convention in use."""

from __future__ import annotations

import math

from mair.published.consistency.sheet import Judgement, Ledger, Sheet, judge, unsure
from mair.published.intervals import Interval, corners, rule_of, spread
from mair.stats.effects import d_ppc2_of

ROOT = math.sqrt


def run(sheet: Sheet, out: Ledger, at_n: dict) -> None:
    """Each d under: corrected or not; SD of those described, of all randomised, or after;
    and the n at which granularity says the means are possible (``at_n``)."""
    read = []
    for p in sheet.prints:
        if p.arm == "difference" and p.statistic == "d" and p.time and p.analysis != "baseline":
            found = conventions(sheet, p, at_n)
            if not found:
                out.add("effect size", p, unsure("no means and SDs printed"), "")
                continue
            candidates, inputs, text = found
            wanted = "b_over_sd" if p.method == "b_over_sd" else p.method
            candidates.sort(key=lambda c: c[0] != wanted)  # stable: the declared one first
            judgement = judge(p.text, candidates)
            if judgement.verdict == "impossible" or judgement.convention == "truncated":
                judgement = _truncated(p, candidates, judgement)
            out.add("effect size", p, judgement, text, inputs)
            read.append((p, candidates, judgement, text, inputs))
    if sum(judgement.verdict == "other convention" for _, _, judgement, _, _ in read) > 1:
        _together(out, read)


def _together(out: Ledger, read) -> None:
    """All d read together: the fewest conventions that give them at the printed inputs.

    The declared one first, then whichever explains most of the rest. Only where single d
    already break the declared one: each d alone often fits several.
    """
    fits = [{label for name, _, point in candidates for label, rule in
             ((name, "half"), (f"{name}, truncated", "truncated"))
             if Interval(point, point).meets(spread(p.text, rule))}
            for p, candidates, *_ in read]
    chosen, open_ = [read[0][1][0][0]], set(range(len(read)))
    labels = dict.fromkeys(name + end for end in ("", ", truncated")
                           for _, candidates, *_ in read for name, *_ in candidates)
    while open_:
        label = chosen[-1]
        covered = {k for k in open_ if label in fits[k]}
        for k in covered:
            p, _, judgement, text, inputs = read[k]
            verdict = "exact" if len(chosen) == 1 else "other convention"
            out.add("effect sizes together", p,
                    Judgement(verdict, label, judgement.computed), text, inputs)
        open_ -= covered
        counts = {label: sum(label in fits[k] for k in open_) for label in labels}
        best = max(counts, key=counts.get)
        if counts[best] < 2:
            break
        chosen.append(best)
    for k in open_:  # the rest may be the declared one, rounded twice
        p, candidates, judgement, text, inputs = read[k]
        if rule_of(candidates[0][1], p.text):
            name = candidates[0][0]
            out.add("effect sizes together", p,
                    Judgement("within rounding", name, judgement.computed), text, inputs)


def _truncated(p, candidates, judgement) -> Judgement:
    """The judgement with truncation allowed under every convention, not only the declared."""
    names = [name for name, iv, _ in candidates if rule_of(iv, p.text) == "truncated"]
    if not names or names[0] == candidates[0][0]:
        return judgement
    return Judgement("other convention", f"{names[0]}, truncated", judgement.computed)


def cell(sheet: Sheet, p, arm: str):
    """Prints of an arm: n, mean before, SD before, mean after."""
    before = sheet.moments(p.analysis, p.variable, arm, sheet.visits[0])
    after = sheet.get(p.analysis, p.variable, arm, p.time, "mean")
    return (*before, after) if before and after else None


def mean_changes(c, t) -> tuple[Interval, float]:
    """Difference in mean changes, treatment minus control."""
    iv = (t[3].values - t[1].values) - (c[3].values - c[1].values)
    return iv, (t[3].value - t[1].value) - (c[3].value - c[1].value)


def pooled(n1, s1, n2, s2) -> float:
    return ROOT(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / (n1 + n2 - 2))


def conventions(sheet: Sheet, p, at_n: dict):
    """(name, interval, point) of each convention, the prints used, and a line of text."""
    c, t = (cell(sheet, p, arm) for arm in sheet.arms)
    if not c or not t or min(c[0].value, t[0].value) < 2:
        return None
    gap, at = mean_changes(c, t)
    sds = {"": (c[0].value, c[2], t[0].value, t[2])}
    sizes = [at_n.get((p.analysis, p.variable, arm, sheet.visits[0]), q[0].value)
             for arm, q in zip(sheet.arms, (c, t), strict=True)]
    if sizes != [c[0].value, t[0].value] and min(sizes) >= 2:
        sds[f", n={sizes[0]:g} and {sizes[1]:g}"] = (sizes[0], c[2], sizes[1], t[2])
    start = [sheet.moments("baseline", p.variable, arm) for arm in sheet.arms]
    if all(start):
        sds[", SD of all randomised"] = (
            start[0][0].value, start[0][2], start[1][0].value, start[1][2])
    last = [sheet.get(p.analysis, p.variable, arm, p.time, "sd") for arm in sheet.arms]
    if all(last):
        sds[", SD afterwards"] = (c[0].value, last[0], t[0].value, last[1])
    found, inputs = [], [q for part in (c, t) for q in part]
    b = sheet.get(p.analysis, p.variable, "difference", p.time, "b")
    for name, (n1, s1, n2, s2) in sds.items():
        sd = corners(lambda x, y, n1=n1, n2=n2: pooled(n1, x, n2, y), s1.values, s2.values)
        sd_at = pooled(n1, s1.value, n2, s2.value)
        if sd.low <= 0 or sd_at <= 0:
            continue
        factor = 1 - 3 / (4 * (n1 + n2 - 2) - 1) if n1 + n2 > 3 else 1.0
        found.append((f"d_ppc2{name}", (gap / sd) * factor, at / sd_at * factor))
        found.append((f"d_ppc2-uncorrected{name}", gap / sd, at / sd_at))
        if b is not None and not name and p.method == "b_over_sd":
            found.append(("b_over_sd", b.values / sd, b.value / sd_at))
            inputs.append(b)
    if not found:
        return None
    if sheet.declared(p.variable).get("transform") != "log":
        exact = d_ppc2_of(
            *[(int(a[0].value), a[1].value, a[2].value, a[3].value) for a in (t, c)])
        text = (f"({t[3].text} - {t[1].text} - ({c[3].text} - {c[1].text})) / {exact.sd:.3f} = "
                f"{exact.change / exact.sd:.4f}; x {exact.factor:.4f} = {exact.estimate:.4f}")
    else:
        text = f"on the measured scale {found[1][2]:.4f}, corrected {found[0][2]:.4f}"
    return found, inputs, text
