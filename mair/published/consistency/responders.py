"""Responders and planning: ARR, NNT and their limits; sample size, effect and inflation."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy import special

from mair.published.consistency.engine import Judgement, check, formula, unsure
from mair.published.consistency.sheet import Printed, Sheet
from mair.published.rounding import Interval, image, interval
from mair.stats import power as planning
from mair.stats.risk_limits import difference_limits

METHODS = ("wald", "newcombe", "miettinen-nurminen", "skewness-corrected")


def table(sheet: Sheet, p: Printed) -> list[Printed] | None:
    """Numbers of responders and n of treatment, then of control, or None."""
    found = [sheet.get("nnt", p.variable, arm, p.time, s)
             for arm in reversed(sheet.arms) for s in ("responders", "n")]
    possible = None not in found and all(
        n.value >= 1 and x.value <= n.value for x, n in (found[:2], found[2:]))
    return found if possible else None


NNT = {"analysis": "nnt", "arm": "difference"}
OF = {"given": table, **NNT}
PLAN = {"arm": "overall", "time": "", "analysis": ("", "sample_size")}


def arr_of(cells: list[Printed]) -> tuple[float, str]:
    """The difference in risk in percent, and a line of text."""
    x1, n1, x2, n2 = cells
    return 100 * (x1.value / n1.value - x2.value / n2.value), f"{x1}/{n1} - {x2}/{n2}"


def limits(p: Printed, cells: list[Printed], high: bool, reciprocal=False) -> list[tuple]:
    """Candidates: a limit of ARR in percent, or of NNT, by method, the declared one first."""
    found = []
    for name in sorted(METHODS, key=lambda name: name != p.method.rpartition("/")[2]):
        ends = _limits(name, *(int(q.value) for q in cells))
        if reciprocal:
            ends = [100 / v if abs(v) > 1e-9 else math.nan for v in ends]
            ends = sorted(ends) if ends[0] * ends[1] > 0 else ends
        found.append((name, ends[high]))
    return [(name, value) for name, value in found if value == value]


@lru_cache(maxsize=1000)
def _limits(name: str, *counts: int) -> tuple[float, ...]:
    return tuple(100 * float(v) for v in difference_limits(*counts, interval=name))


@check("risk", **NNT)
def no_counts(sheet: Sheet, p: Printed):
    """Without counts nothing is known of a difference in risk."""
    return None if table(sheet, p) else (unsure("no counts printed"), "")


@check("arr", statistic="arr", **OF)
def arr(sheet: Sheet, p: Printed, cells: list):
    """The difference in risk."""
    value, text = arr_of(cells)
    return [("", value)], f"{text} = {value:.2f} %", cells


@check("arr limits", statistic=("ci_low", "ci_high"), **OF)
def arr_limits(sheet: Sheet, p: Printed, cells: list):
    """Its limits, by each interval method."""
    found = limits(p, cells, p.statistic == "ci_high")
    return found, ", ".join(f"{name} {v:.2f}" for name, v in found), cells


@check("nnt", statistic="nnt", **OF)
def nnt(sheet: Sheet, p: Printed, cells: list):
    """People to treat for one more responder."""
    value, text = arr_of(cells)
    if abs(value) < 1e-9:
        return unsure("no difference"), text, cells
    exact = 100 / value
    up = math.copysign(math.ceil(abs(exact) - 1e-9), exact)
    found = [("rounded away from 0", up), ("nearest", exact)]
    return ([("unrounded", exact)] if p.decimals else found,
            f"100 / {value:.2f} = {exact:.3f}", cells)


@check("nnt limits", statistic=("nnt_ci_low", "nnt_ci_high"), **OF)
def nnt_limits(sheet: Sheet, p: Printed, cells: list):
    """The reciprocals of the limits."""
    found = limits(p, cells, p.statistic == "nnt_ci_high", reciprocal=True)
    return found and (found, ", ".join(f"{name} {v:.3f}" for name, v in found), cells)


@check("nnt unit", statistic=("nnt", "nnt_ci_low", "nnt_ci_high"), **OF)
def nnt_unit(sheet: Sheet, p: Printed, cells: list):
    """People are counted, not percent."""
    found = unsure("percent sign on a number of people")
    return (found, p.note) if "percent" in p.note else None


@check("randomised denominators", statistic="nnt", **OF)
def over_randomised(sheet: Sheet, p: Printed, cells: list):
    """The same responders over everybody randomised."""
    sizes = [sheet.randomised(arm) for arm in reversed(sheet.arms)]
    if None in sizes or [n.value for n in sizes] == [n.value for n in cells[1::2]]:
        return None
    value, text = arr_of([cells[0], sizes[0], cells[2], sizes[1]])
    return value and (unsure("nonresponder", 100 / value),
                      f"{text} = {value:.1f} %, NNT {100 / value:.2f}", [*cells, *sizes])


def plan(sheet: Sheet, p: Printed) -> dict[str, Printed]:
    """What is printed of the planning that ``p`` is the first of, by statistic."""
    if not sheet.where(variable=p.variable, analysis="sample_size"):
        return {}
    found = {q.statistic: q for q in reversed(sheet.where(variable=p.variable, **PLAN))}
    return found if found[p.statistic] is p else {}


def share(p: Printed | None, default: float = math.nan) -> float:
    """A printed share, perhaps in percent."""
    return default if p is None else p.value / 100 if p.value >= 1 else p.value


def d_of_difference(known: dict) -> float:
    """Planned difference over planned SD, or 0."""
    gap, sd = known.get("difference"), known.get("sd")
    return gap.value / sd.value if gap and sd and sd.value > 0 else 0.0


@check("planned difference", statistic="difference", given=plan, **PLAN)
def planned_difference(sheet: Sheet, p: Printed, known: dict):
    """A share of the mean."""
    mean, part = known.get("mean"), known.get("relative_difference")
    if not (mean and part):
        return None
    found = formula(lambda mean: mean * share(part), mean)
    return [found], f"{share(part):g} x {mean} = {found[2]:g}", (mean, part)


@check("planned d", statistic="d", given=plan, **PLAN)
def planned_d(sheet: Sheet, p: Printed, known: dict):
    """Difference over SD."""
    gap, sd, mean = (known.get(s) for s in ("difference", "sd", "mean"))
    if not (gap and sd and sd.values.low > 0):
        return None
    ends, value = [gap.values.low, gap.values.high], d_of_difference(known)
    if mean and known.get("relative_difference"):
        ends.append(mean.value * share(known["relative_difference"]))
    found = image(np.divide, Interval(min(ends), max(ends)), sd.values)
    return [("", found, value)], f"{gap} / {sd} = {value:.4f}", (gap, sd)


@check("planned n", statistic="n", given=plan, **PLAN)
def planned_n(sheet: Sheet, p: Printed, known: dict):
    """People an arm, with the normal distribution or t."""
    alpha, power = share(known.get("alpha"), 0.05), share(known.get("power"), 0.80)
    quotient = d_of_difference(known)
    d = known["d"].value if "d" in known else quotient
    if not (d > 0.01 and 0 < alpha < power < 1):
        return None
    sizes = {}
    for name, v in (("", d), (", d from the difference", quotient if "d" in known else 0)):
        for m in ("normal", "t") if v > 0.01 else ():
            size = planning.sample_size(v, alpha=alpha, power=power, method=m)
            if sizes.get(m) != size:
                sizes[m + name] = size
    z = special.ndtri(1 - alpha / 2) + special.ndtri(power)
    return ([(m, sizes[m]) for m in sorted(sizes, key=lambda m: m != p.method)],
            f"2 x ({z:.3f} / {d:.3g})^2 = {2 * (z / d) ** 2:.2f}; with t {sizes['t']}",
            [known.get(s) for s in ("d", "difference", "sd", "alpha", "power")])


@check("planned dropout", statistic="n_with_dropout", given=plan, **PLAN)
def planned_dropout(sheet: Sheet, p: Printed, known: dict):
    """Everybody, divided by 1 - dropout or multiplied by 1 + dropout, in each rounding."""
    n, part = known.get("n"), share(known.get("dropout"))
    if not (n and n.value >= 1 and 0 <= part < 1):
        return None
    people, whole = 2 * int(n.value), planning.inflate(int(n.value), part)
    divided, multiplied = people / (1 - part), people * (1 + part)
    ways = {math.floor(multiplied): "multiplied, rounded down",
            math.ceil(multiplied): "multiplied, rounded up",
            math.floor(divided): "divided, rounded down",
            math.ceil(divided): "divided", whole: "divided"}
    name = ways.get(p.value, "")
    verdict = ("exact" if name == "divided" else "other convention" if name else "impossible")
    return (Judgement(verdict, name, interval(whole)),
            f"{people} / {1 - part:g} = {divided:.1f}, {people} x {1 + part:g} = {multiplied:.1f}",
            (n, known["dropout"]))
