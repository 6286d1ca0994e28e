"""Responders and planning: ARR, NNT and their limits; sample size, effect and inflation."""

from __future__ import annotations

import math
from functools import lru_cache

from scipy import special

from mair.published.consistency.engine import Judgement, check, judge, unsure
from mair.published.consistency.sheet import Print, Sheet
from mair.published.rounding import Interval, image
from mair.stats import power as planning
from mair.stats.risk_limits import difference_limits

METHODS = ("wald", "newcombe", "miettinen-nurminen", "skewness-corrected")
NNT = {"analysis": "nnt", "arm": "difference"}
PLAN = {"arm": "overall", "time": "", "analysis": ("", "sample_size")}


def table(sheet: Sheet, p: Print) -> list[Print] | None:
    """Prints of responders and n of treatment, then of control, or None."""
    found = [sheet.get("nnt", p.variable, arm, p.time, s)
             for arm in reversed(sheet.arms) for s in ("responders", "n")]
    if None in found or any(n.value < 1 or x.value > n.value
                            for x, n in (found[:2], found[2:])):
        return None
    return found


def difference(cells: list[Print]) -> tuple[float, str]:
    """ARR in percent, and a line of text."""
    x1, n1, x2, n2 = cells
    return (100 * (int(x1.value) / int(n1.value) - int(x2.value) / int(n2.value)),
            f"{x1.printed}/{n1.printed} - {x2.printed}/{n2.printed}")


def limits(p: Print, cells: list[Print]) -> dict[str, tuple]:
    """Limits of ARR in percent by interval method, the declared one first."""
    order = sorted(METHODS, key=lambda name: name != p.method.rpartition("/")[2])
    return {name: _limits(name, *(int(q.value) for q in cells)) for name in order}


@lru_cache(maxsize=1000)
def _limits(name: str, *counts: int) -> tuple[float, ...]:
    return tuple(100 * float(v) for v in difference_limits(*counts, interval=name))


@check("risk", **NNT)
def no_counts(sheet: Sheet, p: Print):
    """Without counts nothing is known of a difference in risk."""
    return None if table(sheet, p) else (unsure("no counts printed"), "")


@check("arr", statistic="arr", **NNT)
def arr(sheet: Sheet, p: Print):
    """The difference in risk."""
    if cells := table(sheet, p):
        value, text = difference(cells)
        return [("", value)], f"{text} = {value:.2f} %", cells


@check("arr limits", statistic=("ci_low", "ci_high"), **NNT)
def arr_limits(sheet: Sheet, p: Print):
    """Its limits, by each interval method."""
    if cells := table(sheet, p):
        side = p.statistic == "ci_high"
        found = [(name, ends[side]) for name, ends in limits(p, cells).items()]
        return found, ", ".join(f"{name} {v:.2f}" for name, v in found), cells


@check("nnt", statistic="nnt", **NNT)
def nnt(sheet: Sheet, p: Print):
    """People to treat for one more responder."""
    if not (cells := table(sheet, p)):
        return None
    value, text = difference(cells)
    if abs(value) < 1e-9:
        return unsure("no difference"), text, cells
    text, value = f"100 / {value:.2f} = {100 / value:.3f}", 100 / value
    up = math.copysign(math.ceil(abs(value) - 1e-9), value)
    return ([("unrounded", value)] if p.decimals else
            [("rounded away from 0", up), ("nearest", value)]), text, cells


@check("nnt limits", statistic=("nnt_ci_low", "nnt_ci_high"), **NNT)
def nnt_limits(sheet: Sheet, p: Print):
    """The reciprocals of the limits."""
    found, cells = [], table(sheet, p)
    for name, ends in limits(p, cells).items() if cells else ():
        ends = [100 / v if abs(v) > 1e-9 else math.nan for v in ends]
        if ends[0] * ends[1] > 0:
            ends.sort()
        if (value := ends[p.statistic == "nnt_ci_high"]) == value:
            found.append((name, value))
    return (found, ", ".join(f"{name} {v:.3f}" for name, v in found), cells) if found else None


@check("nnt unit", statistic=("nnt", "nnt_ci_low", "nnt_ci_high"), **NNT)
def nnt_unit(sheet: Sheet, p: Print):
    """People are counted, not percent."""
    if "percent" in p.note and table(sheet, p):
        return Judgement("other convention", "percent sign on a number of people"), p.note


@check("randomised denominators", statistic="nnt", **NNT)
def over_randomised(sheet: Sheet, p: Print):
    """The same responders over everybody randomised."""
    cells, sizes = table(sheet, p), [sheet.randomised(arm) for arm in reversed(sheet.arms)]
    if not cells or None in sizes or [n.value for n in sizes] == [n.value for n in cells[1::2]]:
        return None
    arr = cells[0].value / sizes[0].value - cells[2].value / sizes[1].value
    text = f"{cells[0].printed}/{sizes[0].printed} - {cells[2].printed}/{sizes[1].printed}"
    return (unsure("nonresponder", 1 / arr), f"{text} = {100 * arr:.1f} %, NNT {1 / arr:.2f}",
            [*cells, *sizes]) if arr else None


def plan(sheet: Sheet, p: Print) -> dict[str, Print]:
    """What is printed of the planning that ``p`` belongs to, by statistic."""
    if not sheet.where(variable=p.variable, analysis="sample_size"):
        return {}
    return {q.statistic: q for q in reversed(sheet.where(variable=p.variable, **PLAN))}


def share(p: Print | None, default: float = math.nan) -> float:
    """A printed share, perhaps in percent."""
    return default if p is None else p.value / 100 if p.value >= 1 else p.value


def d_of_difference(known: dict) -> float:
    """Planned difference over planned SD, or 0."""
    gap, sd = known.get("difference"), known.get("sd")
    return gap.value / sd.value if gap and sd and sd.value > 0 else 0.0


def planned(name: str, statistic: str, *needed: str):
    """Register a check of a planned number, given what is printed of the planning."""
    def register(find):
        @check(f"planned {name}", statistic=statistic, **PLAN)
        def of(sheet: Sheet, p: Print):
            known = plan(sheet, p)
            if known.get(statistic) is p and all(known.get(s) for s in needed):
                return find(p, known)
            return None

        return find

    return register


@planned("difference", "difference", "mean", "relative_difference")
def planned_difference(p: Print, known: dict):
    """A share of the mean."""
    mean, part = known["mean"], share(known["relative_difference"])
    return ([("", mean.values * part, mean.value * part)],
            f"{part:g} x {mean.printed} = {mean.value * part:g}",
            (mean, known["relative_difference"]))


@planned("d", "d", "difference", "sd")
def planned_d(p: Print, known: dict):
    """Difference over SD."""
    gap, sd, mean = known["difference"], known["sd"], known.get("mean")
    if sd.values.low <= 0:
        return None
    ends, value = [gap.values.low, gap.values.high], d_of_difference(known)
    if mean and known.get("relative_difference"):
        ends.append(mean.value * share(known["relative_difference"]))
    found = image(lambda a, b: a / b, Interval(min(ends), max(ends)), sd.values)
    return [("", found, value)], f"{gap.printed} / {sd.printed} = {value:.4f}", (gap, sd)


@planned("n", "n")
def planned_n(p: Print, known: dict):
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


@planned("dropout", "n_with_dropout", "n", "dropout")
def planned_dropout(p: Print, known: dict):
    """Everybody, divided by 1 - dropout or multiplied by 1 + dropout, in each rounding."""
    n, part = int(known["n"].value), share(known["dropout"])
    if not 0 <= part < 1 or n < 1:
        return None
    divided, multiplied = 2 * n / (1 - part), planning.inflate(n, part, rule="multiplied")
    found = judge(p.printed, [
        *(("divided", v) for v in (planning.inflate(n, part), divided, math.ceil(divided))),
        *(("multiplied", v) for v in (multiplied, math.ceil(multiplied)))])
    name = found.convention.partition(" or ")[0]
    verdict = "exact" if name == "divided" else found.verdict
    return (Judgement(verdict, name, found.computed),
            f"{2 * n} / {1 - part:g} = {divided:.1f}, {2 * n} x {1 + part:g} = {multiplied:.1f}",
            (known["n"], known["dropout"]))
