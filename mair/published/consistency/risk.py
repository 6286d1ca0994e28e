"""Responders and planning: ARR, NNT and their limits; sample size, effect and inflation."""

from __future__ import annotations

import math
from types import SimpleNamespace

from scipy import special

from mair.published.consistency.sheet import Judgement, Ledger, Sheet, judge, unsure
from mair.published.intervals import Interval, corners, interval
from mair.stats import power as planning
from mair.stats.risk_limits import difference_limits

INTERVALS = ("wald", "newcombe", "miettinen-nurminen", "skewness-corrected")


def run(sheet: Sheet, out: Ledger) -> None:
    """Every check of this module."""
    for variable, time in dict.fromkeys(
            (p.variable, p.time) for p in sheet.where(analysis="nnt", arm="difference")):
        _risk(sheet, out, variable, time)
    plan(sheet, out)


def table(sheet: Sheet, variable: str, time: str):
    """(responders, n) prints of treatment and control, or None."""
    cells = [(sheet.get("nnt", variable, arm, time, "responders"),
              sheet.get("nnt", variable, arm, time, "n")) for arm in reversed(sheet.arms)]
    flat = [p for pair in cells for p in pair]
    if None in flat or any(n.value < 1 or x.value > n.value for x, n in cells):
        return None
    return cells


def _risk(sheet: Sheet, out: Ledger, variable: str, time: str) -> None:
    cells = table(sheet, variable, time)
    prints = sheet.where(analysis="nnt", variable=variable, time=time, arm="difference")
    if cells is None:
        for p in prints:
            out.add("risk", p, unsure("no counts printed"), "")
        return
    (x1, n1), (x2, n2) = cells
    inputs = [x1, n1, x2, n2]
    counts = [int(p.value) for p in inputs]
    arr = 100 * (counts[0] / counts[1] - counts[2] / counts[3])
    text = f"{x1.text}/{n1.text} - {x2.text}/{n2.text}"
    limits = {}
    for name in INTERVALS:
        low, high = difference_limits(*counts, interval=name)
        limits[name] = (100 * float(low), 100 * float(high))
    for p in prints:
        if p.statistic == "arr":
            out.judge("arr", p, [("", arr, arr)], f"{text} = {arr:.2f} %", inputs)
        elif p.statistic in ("ci_low", "ci_high"):
            _limit(out, p, limits, inputs)
        elif p.statistic == "nnt":
            _nnt(out, p, arr, text, inputs)
            _intention_to_treat(sheet, out, p, counts, inputs)
        elif p.statistic in ("nnt_ci_low", "nnt_ci_high"):
            _nnt_limit(out, p, limits, inputs)


def _order(p) -> list[str]:
    """Interval methods, the declared one first."""
    declared = p.method.rpartition("/")[2]
    return sorted(INTERVALS, key=lambda name: name != declared)


def _limit(out: Ledger, p, limits, inputs) -> None:
    side = p.statistic == "ci_high"
    values = [(name, limits[name][side], limits[name][side]) for name in _order(p)]
    out.judge("arr limits", p, values,
              ", ".join(f"{name} {v:.2f}" for name, v, _ in values), inputs)


def _nnt(out: Ledger, p, arr, text, inputs) -> None:
    if abs(arr) < 1e-9:
        out.add("nnt", p, unsure("no difference"), text, inputs)
        return
    value = 100 / arr
    up = math.copysign(math.ceil(abs(value) - 1e-9), value)
    candidates = [("rounded away from 0", up, up), ("nearest", value, value)]
    if "." in p.text:
        candidates = [("unrounded", value, value)]
    out.judge("nnt", p, candidates, f"100 / {arr:.2f} = {value:.3f}", inputs)
    _unit(out, p)


def _unit(out: Ledger, p) -> None:
    if "percent" in p.note:
        out.add("nnt unit", p, Judgement("other convention", "percent sign on a number of people",
                                         interval(math.nan)), p.note)


def _nnt_limit(out: Ledger, p, limits, inputs) -> None:
    side = p.statistic == "nnt_ci_high"
    values = []
    for name in _order(p):
        low, high = limits[name]
        if low * high > 0:
            ends = sorted((100 / low, 100 / high))
        else:
            ends = [100 / v if abs(v) > 1e-9 else math.nan for v in (low, high)]
        if ends[side] == ends[side]:
            values.append((name, ends[side], ends[side]))
    if values:
        out.judge("nnt limits", p, values,
                  ", ".join(f"{name} {v:.3f}" for name, v, _ in values), inputs)
    _unit(out, p)


def _intention_to_treat(sheet: Sheet, out: Ledger, p, counts, inputs) -> None:
    """The same responders over everybody randomised."""
    sizes = [sheet.randomised(arm) for arm in reversed(sheet.arms)]
    if None in sizes or all(int(n.value) == k for n, k in zip(sizes, counts[1::2], strict=True)):
        return
    arr = counts[0] / sizes[0].value - counts[2] / sizes[1].value
    if arr == 0:
        return
    out.add("randomised denominators", p, unsure("nonresponder", 1 / arr),
            f"{counts[0]}/{sizes[0].text} - {counts[2]}/{sizes[1].text} = {100 * arr:.1f} %, "
            f"NNT {1 / arr:.2f}", [*inputs, *sizes])


def plan(sheet: Sheet, out: Ledger) -> None:
    """The planned difference, d and n against each other and their inputs."""
    for variable in dict.fromkeys(p.variable for p in sheet.prints
                                  if p.analysis == "sample_size"):
        known = {}
        for p in sheet.prints:
            if p.variable == variable and p.arm == "overall" and not p.time and (
                    p.analysis in ("", "sample_size")):
                known.setdefault(p.statistic, p)
        have = SimpleNamespace(**{k: known.get(k) for k in (
            "difference", "mean", "relative_difference", "sd", "d", "n", "alpha", "power",
            "dropout", "n_with_dropout")})
        _effect(out, have)
        _size(out, have)


def _share(p) -> float:
    return p.value / 100 if p.value >= 1 else p.value


def _effect(out: Ledger, have) -> None:
    if have.difference and have.mean and have.relative_difference:
        share = _share(have.relative_difference)
        out.judge("planned difference", have.difference,
                  [("", have.mean.values * share, have.mean.value * share)],
                  f"{share:g} x {have.mean.text} = {have.mean.value * share:g}",
                  (have.mean, have.relative_difference))
    if have.d and have.difference and have.sd and have.sd.values.low > 0:
        value = have.difference.value / have.sd.value
        gap = have.difference.values
        if have.mean and have.relative_difference:
            gap = Interval(*sorted((gap.low, have.mean.value * _share(have.relative_difference),
                                    gap.high))[::2])
        out.judge("planned d", have.d, [("", corners(lambda a, b: a / b, gap, have.sd.values),
                                         value)],
                  f"{have.difference.text} / {have.sd.text} = {value:.4f}",
                  (have.difference, have.sd))


def _size(out: Ledger, have) -> None:
    alpha = _share(have.alpha) if have.alpha else 0.05
    power = _share(have.power) if have.power else 0.80
    d = have.d.value if have.d else (
        have.difference.value / have.sd.value
        if have.difference and have.sd and have.sd.value > 0 else 0)
    if have.n and d > 0.01 and 0 < alpha < power < 1:
        ds = {"": d}
        if have.d and have.difference and have.sd and have.sd.value > 0 and (
                have.difference.value / have.sd.value > 0.01):
            ds[", d from the difference"] = have.difference.value / have.sd.value
        sizes = {}
        for name, v in ds.items():
            for m in ("normal", "t"):
                size = planning.sample_size(v, alpha=alpha, power=power, method=m)
                if sizes.get(m) != size:
                    sizes[m + name] = size
        order = sorted(sizes, key=lambda m: m != have.n.method)
        z = special.ndtri(1 - alpha / 2) + special.ndtri(power)
        found = judge(have.n.text, [(m, sizes[m], sizes[m]) for m in order])
        out.add("planned n", have.n, found,
                f"2 x ({z:.3f} / {d:.3g})^2 = {2 * (z / d) ** 2:.2f}; with t {sizes['t']}",
                (have.d, have.difference, have.sd, have.alpha, have.power))
    if have.n_with_dropout and have.n and have.dropout:
        n, share = int(have.n.value), _share(have.dropout)
        if not 0 <= share < 1 or n < 1:
            return
        divided = [planning.inflate(n, share), 2 * n / (1 - share), math.ceil(2 * n / (1 - share))]
        multiplied = planning.inflate(n, share, rule="multiplied")
        found = judge(have.n_with_dropout.text, [
            *(("divided", v, v) for v in divided[:1]), ("divided", divided[1], divided[1]),
            ("divided", divided[2], divided[2]), ("multiplied", multiplied, multiplied),
            ("multiplied", math.ceil(multiplied), math.ceil(multiplied))])
        if found.convention.startswith("divided"):
            found = Judgement("exact", "divided", found.computed)
        elif found.convention.startswith("multiplied"):
            found = Judgement(found.verdict, "multiplied", found.computed)
        out.add("planned dropout", have.n_with_dropout, found,
                f"{2 * n} / {1 - share:g} = {divided[1]:.1f}, {2 * n} x {1 + share:g} = "
                f"{multiplied:.1f}", (have.n, have.dropout))
