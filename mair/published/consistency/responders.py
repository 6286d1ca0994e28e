"""Responders and planning: NNT; sample size, effect and inflation."""

import math

import numpy as np
from scipy import special

from mair.published.consistency.counts import cells
from mair.published.consistency.engine import Judgement, check, formula, unsure
from mair.published.consistency.sheet import Printed, Sheet, need, perhaps
from mair.published.rounding import Interval, image, interval
from mair.stats import power as planning

OF = {"analysis": "nnt", "arm": "difference"}
PLAN = {"arm": "overall", "time": "", "analysis": ("", "sample_size")}


def arr_of(x1: Printed, n1: Printed, x2: Printed, n2: Printed) -> tuple[float, str]:
    """The difference in risk in percent, and a line of text."""
    return 100 * (x1.value / n1.value - x2.value / n2.value), f"{x1}/{n1} - {x2}/{n2}"


@check("nnt", cells, statistic="nnt", **OF)
def nnt(sheet: Sheet, p: Printed, of: list):
    """People to treat for one more responder."""
    value, text = arr_of(*of)
    if abs(value) < 1e-9:
        return unsure("no difference"), text, of
    exact = 100 / value
    up = math.copysign(math.ceil(abs(exact) - 1e-9), exact)
    return ([("unrounded", exact)] if p.decimals else [("rounded away from 0", up),
                                                       ("nearest", exact)],
            f"100 / {value:.2f} = {exact:.3f}", of)


@check("nnt unit", cells, statistic=("nnt", "nnt_ci_low", "nnt_ci_high"), **OF)
def nnt_unit(sheet: Sheet, p: Printed, of: list):
    """People are counted, not percent."""
    return "percent" in p.note and (unsure("percent sign on a number of people"), p.note)


@check("randomised denominators", cells, statistic="nnt", **OF)
def over_randomised(sheet: Sheet, p: Printed, of: list):
    """The same responders over everybody randomised."""
    sizes = need(*sheet.sizes[::-1])
    need([n.value for n in sizes] != [n.value for n in of[1::2]])
    value, text = arr_of(of[0], sizes[0], of[2], sizes[1])
    return value and (unsure("nonresponder", 100 / value),
                      f"{text} = {value:.1f} %, NNT {100 / value:.2f}", [*of, *sizes])


def plan(sheet: Sheet, p: Printed) -> dict[str, Printed]:
    """What is printed of the planning that ``p`` is the first of, by statistic."""
    found = {q.statistic: q for q in reversed(sheet.where(variable=p.variable, **PLAN))}
    planned = sheet.where(variable=p.variable, analysis="sample_size")
    return found if planned and found[p.statistic] is p else {}


def share(p: Printed | None, default: float = math.nan) -> float:
    """A printed share, perhaps in percent."""
    return default if p is None else p.value / 100 if p.value >= 1 else p.value


def d_of_difference(known: dict) -> float:
    """Planned difference over planned SD."""
    gap, sd = need(known.get("difference"), known.get("sd"))
    return need(sd.values.low > 0) and gap.value / sd.value


@check("planned difference", plan, statistic="difference", **PLAN)
def planned_difference(sheet: Sheet, p: Printed, known: dict):
    """A share of the mean."""
    mean, part = need(known.get("mean"), known.get("relative_difference"))
    found = formula(lambda mean: mean * share(part), mean)
    return [found], f"{share(part):g} x {mean} = {found[2]:g}", (mean, part)


@check("planned d", plan, statistic="d", **PLAN)
def planned_d(sheet: Sheet, p: Printed, known: dict):
    """Difference over SD."""
    value = need(d_of_difference(known))
    gap, sd, mean = map(known.get, ("difference", "sd", "mean"))
    ends = [gap.values.low, gap.values.high]
    if mean and known.get("relative_difference"):
        ends.append(mean.value * share(known["relative_difference"]))
    found = image(np.divide, Interval(min(ends), max(ends)), sd.values)
    return [("", found, value)], f"{gap} / {sd} = {value:.4f}", (gap, sd)


@check("planned n", plan, statistic="n", **PLAN)
def planned_n(sheet: Sheet, p: Printed, known: dict):
    """People an arm, with the normal distribution or t."""
    alpha, power = share(known.get("alpha"), 0.05), share(known.get("power"), 0.80)
    quotient = perhaps(d_of_difference, known) or 0.0
    d = known["d"].value if "d" in known else quotient
    need(d > 0.01, 0 < alpha < power < 1)
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


@check("planned dropout", plan, statistic="n_with_dropout", **PLAN)
def planned_dropout(sheet: Sheet, p: Printed, known: dict):
    """Everybody, divided by 1 - dropout or multiplied by 1 + dropout, in each rounding."""
    n, part = need(known.get("n")), share(known.get("dropout"))
    need(n.value >= 1, 0 <= part < 1)
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
