"""Biomarkers: two visits, everyone measured, printed moments of those described only.

With complete pairs B is the difference in mean changes and its standard error follows from the
pooled variance of change alone. The cells of those described are integers (hundredths) with the
printed moments; the people not described carry what B still lacks; swaps set the variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mair.published.numbers import Number
from mair.stats.normality import lilliefors
from mair.studies.cohort.integers import normal, quantiles, sample
from mair.studies.cohort.likelihood import Group, fitted
from mair.studies.cohort.targets import Cell, Window

UNIT = 10**9  # of a logarithm, rounded: integers decide
# How much more skewed than log-normal, and the least SD of the ln shape; the last ones are for
# rows that no plausible shape gives: nearly all of a cell's variance is one person's.
LEANS = ((1.0, 0.0), (1.25, 0.0), (1.5, 0.0), (1.8, 0.0), (2.2, 0.4), (2.7, 0.8), (3.3, 1.2),
         (3.3, 1.8), (3.3, 2.6), (3.3, 3.5))
STRAINED = 4  # leans from here on: the largest standard error that still prints
ATTEMPTS = 12  # at each lean
CELLS = 30  # draws of the cells, for one whose effect size prints
SWAPS = 6000
SPREAD = 0.5  # of the not described before treatment, in SDs
FAR = 2.95  # SDs of change
SKEWED = 1.45


@dataclass(frozen=True)
class Marker:
    """A biomarker: printed cells of those described by arm and visit, and its model row."""

    name: str
    log: bool
    r: float
    cells: tuple[tuple[Cell, Cell], tuple[Cell, Cell]]
    window: Window
    slope: tuple[float, float]
    m: tuple[tuple[int, ...], tuple[int, ...]]  # of everyone, the described first
    d: Number | None = None
    per: int = 100

    def effect(self, arms) -> float:
        """Morris's d_ppc2 of those described: values by arm and visit."""
        (c0, c1), (t0, t1) = [[math.fsum(x) / len(x) for x in arm] for arm in arms]
        df = sum(len(arm[0]) - 1 for arm in arms)
        square = math.fsum((v - mean) ** 2 for arm, mean in zip(arms, (c0, t0), strict=True)
                           for v in arm[0])
        return (1 - 3 / (4 * df - 1)) * ((t1 - t0) - (c1 - c0)) / math.sqrt(square / df)

    def scaled(self, value: int) -> int:
        """The model's scale in whole units: ln of the measured value, or the value."""
        return round((math.log(value / self.per) if self.log else value / self.per) * UNIT)


def shape(n: int, cv: float, lean, log: bool) -> list[float]:
    """Standardised quantiles: log-normal for this coefficient of variation, or normal."""
    if not log:
        return list(quantiles(n))
    s = max(lean[0] * math.sqrt(math.log(1 + cv * cv)), lean[1])
    x = [math.exp(s * q) for q in quantiles(n)]
    mean = math.fsum(x) / n
    sd = math.sqrt(math.fsum((v - mean) ** 2 for v in x) / (n - 1))
    return [round((v - mean) / sd, 6) for v in x]


def _cell(rng, cell: Cell, lean, log: bool) -> list[int] | None:
    total = cell.sums[int(rng.integers(len(cell.sums)))]
    choices = cell.choices(total)
    squares = choices[int(rng.integers(len(choices)))]
    mean = total / cell.n
    sd = math.sqrt((squares - total * mean) / (cell.n - 1))
    low, high = max(1, round(mean - 4 * sd), round(0.04 * mean)), round(mean + 6 * sd)
    return sample(rng, cell.n, total, squares, low, high, shape(cell.n, sd / mean, lean, log),
                  0.12)


def _paired(rng, before, after, r: float) -> list[list[int]]:
    """One arm's described people: ranks after follow ranks before with correlation ``r``."""
    n, before = len(before), sorted(before)
    latent = [r * quantiles(n)[i] + math.sqrt(1 - r * r) * normal(rng) for i in range(n)]
    order = sorted(range(n), key=lambda i: (latent[i], i))
    paired = [0] * n
    for i, value in zip(order, sorted(after), strict=True):
        paired[i] = value
    return [[x, y] for x, y in zip(before, paired, strict=True)]


def _others(rng, marker: Marker, described, aim: float) -> list[list[list[int]]]:
    """The not described: like the others before, changed so that B is the printed one."""
    target = round(aim * UNIT)
    scaled = [[[marker.scaled(v) for v in pair] for pair in arm] for arm in described]
    n = [len(m) for m in marker.m]
    left = [n[a] - len(described[a]) for a in (0, 1)]
    sums = [sum(y - x for x, y in arm) for arm in scaled]
    gap = target - (sums[1] / n[1] - sums[0] / n[0])
    # least squares: equal changes d_a of the left_a people, sign_a left_a / n_a d_a = gap
    weight = sum(k / n[a] ** 2 for a, k in enumerate(left))
    changes = [s * gap / n[a] / weight if left[a] else 0.0 for a, s in enumerate((-1, 1))]
    out = []
    for a in (0, 1):
        k = left[a]
        xs = [x for x, _ in scaled[a]]
        mean = sum(xs) / len(xs)
        sd = math.sqrt(sum((x - mean) ** 2 for x in xs) / (len(xs) - 1))
        noise = [normal(rng) for _ in range(k)]
        rows, debt = [], 0.0
        for i in range(k):
            x = mean + SPREAD * sd * (noise[i] - sum(noise) / k)
            before = _measured(marker, x)
            after = _measured(marker, marker.scaled(before) + changes[a] + debt)
            debt += marker.scaled(before) + changes[a] - marker.scaled(after)
            rows.append([before, after])
        out.append(rows)
    return out


def _measured(marker: Marker, scaled: float) -> int:
    value = scaled / UNIT
    return max(1, round((math.exp(value) if marker.log else value) * marker.per))


def _estimate(marker: Marker, arms) -> tuple[float, float, list[float]]:
    """B, its standard error, and the largest change of each arm in SDs of change."""
    n, squares, means, far = [], 0.0, [], []
    for arm in arms:
        d = [(marker.scaled(y) - marker.scaled(x)) / UNIT for x, y in arm]
        mean = math.fsum(d) / len(d)
        own = math.fsum((v - mean) ** 2 for v in d)
        far.append(max(abs(v - mean) for v in d) / math.sqrt(own / (len(d) - 1)))
        squares += own
        n.append(len(d))
        means.append(mean)
    variance = squares / (n[0] + n[1] - 2)
    return means[1] - means[0], math.sqrt(variance * (1 / n[0] + 1 / n[1])), far


def _swapped(rng, marker: Marker, described, others, target: float) -> float:
    """Swap values after treatment until the standard error is the printed one; the distance."""
    def loss():
        arms = [described[a] + others[a] for a in (0, 1)]
        _, se, far = _estimate(marker, arms)
        return round(abs(se - target) / target + 0.02 * sum(max(0.0, f - FAR) for f in far), 9)

    now = loss()
    picks = rng.random((SWAPS, 3)).tolist()
    for k, (u, v, w) in enumerate(picks):
        arm = described[int(2 * u)]
        i, j = int(v * len(arm)), int(w * len(arm))
        if i == j:
            continue
        arm[i][1], arm[j][1] = arm[j][1], arm[i][1]
        new = loss()
        if new <= now + (0.004 if k % 40 == 0 else 0.0):
            now = new
        else:
            arm[i][1], arm[j][1] = arm[j][1], arm[i][1]
        if now <= 3e-4 or (k == SWAPS // 4 and now > 0.1):
            break
    return now


def skewness(values) -> float:
    """Third standardised moment, rounded to 1e-6."""
    n = len(values)
    mean = math.fsum(values) / n
    sd = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / n)
    return round(math.fsum(((v - mean) / sd) ** 3 for v in values) / n, 6)


def _product(marker: Marker, arm) -> int:
    """An integer with the sign of the correlation between the two visits."""
    x, y = ([marker.scaled(pair[t]) for pair in arm] for t in (0, 1))
    return len(arm) * sum(a * b for a, b in zip(x, y, strict=True)) - sum(x) * sum(y)


def faults(marker: Marker, arms) -> float:
    """How implausible the values are, 0 for plausible: skewness, changes, signs, normality."""
    bad = 0.0
    _, _, far = _estimate(marker, arms)
    bad += sum(max(0.0, f - 3.0) for f in far)
    bad += sum(1.0 for arm in arms if _product(marker, arm) <= 0)
    for t in (0, 1):
        both = [[v[t] for v in arm] for arm in arms]
        if marker.log:
            bad += sum(max(0.0, abs(skewness([math.log(v) for v in x])) - SKEWED)
                       for x in (*both, both[0] + both[1]))
        p = round(lilliefors(np.array(both[0] + both[1], float)).p, 6)
        bad += 1.0 if (p < 0.051 if not marker.log else p > 0.049) else 0.0
    return round(bad, 6)


def _covariate(marker: Marker, arms) -> float:
    """|z| of the covariate's slope in the random-intercept model."""
    groups = []
    for arm, m in zip(arms, marker.m, strict=True):
        y = [[marker.scaled(v) / UNIT for v in pair] for pair in arm]
        totals = [a + b for a, b in y]
        groups.append([Group((0, 1), len(y), tuple(math.fsum(p[t] for p in y) for t in (0, 1)),
                             math.fsum(v * v for p in y for v in p), 0.0, float(sum(m)),
                             float(sum(v * v for v in m)), 0.0)])
        groups[-1].append((math.fsum(t * t for t in totals),
                           math.fsum(t * v for t, v in zip(totals, m, strict=True))))
    sums = [arm.pop() for arm in groups]
    fit = fitted(groups, 2, sums[0][0] + sums[1][0], sums[0][1] + sums[1][1])
    return round(abs(float(fit.slope / fit.slope_se)), 6)


def biomarker(rng, marker: Marker) -> list[list[list[int]]]:
    """Values of both arms by person and visit, in steps, the described first.

    Shapes are tried from log-normal to more skewed ones until the printed row is met; among
    draws of the first shape that meets it, the most plausible one.

    Raises
    ------
    ValueError
        When no shape meets the printed row.
    """
    best = None
    for k, lean in enumerate(LEANS if marker.log else LEANS[:1]):
        aim = marker.window.aim(0.93 if k >= STRAINED else None)
        for _ in range(ATTEMPTS):
            found = _attempt(rng, marker, lean, aim, min(0.98, marker.r + 0.1 * (k >= STRAINED)))
            if found is not None and (best is None or found[0] < best[0]):
                best = found
            if best is not None and best[0] == 0:
                return best[1]
        if best is not None and k >= STRAINED - 1:
            return best[1]
    raise ValueError(f"{marker.name}: no draw gives the printed row")


def _attempt(rng, marker: Marker, lean, aim, r: float):
    """One draw: how implausible it is and its values; None when the row is not met."""
    for _ in range(CELLS):
        cells = [[_cell(rng, c, lean, marker.log) for c in arm] for arm in marker.cells]
        if any(c is None for arm in cells for c in arm):
            return None
        if marker.d is None or marker.d.met(round(marker.effect(cells), 9)):
            break
    described = [_paired(rng, *arm, r) for arm in cells]
    others = _others(rng, marker, described, aim[0])
    if _swapped(rng, marker, described, others, aim[1]) > 0.02:
        return None
    arms = _assigned(rng, marker, described, others)
    b, se, _ = _estimate(marker, arms)
    if round(float(marker.window.violation(b, se)), 6) > 0.98:
        return None
    return faults(marker, arms) + 10 * max(0.0, _covariate(marker, arms) - marker.slope[1]), arms


def _assigned(rng, marker: Marker, described, others):
    """People in random order within described and others, the covariate's slope near none."""
    arms = []
    for a in (0, 1):
        order = rng.permutation(len(described[a])).tolist()
        arms.append([described[a][i] for i in order] + others[a])
    for _ in range(40):
        if _covariate(marker, arms) < marker.slope[1] - 0.1:
            break
        a = int(rng.integers(2))
        k = len(described[a])
        order = rng.permutation(k).tolist()
        arms[a] = [arms[a][i] for i in order] + arms[a][k:]
    return arms
