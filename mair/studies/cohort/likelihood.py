"""The random-intercept REML fit from a few sums, and backwards from its printed results.

Fixed effects are a mean for each arm and visit and one slope of a person-level covariate, so
the arms separate given the slope. People who share a pattern of observed visits enter through
`Group` alone: completers through the sum of their squared totals and of covariate x total.
Only + - * / on Python floats or, element by element, on numpy arrays, in a fixed order: the
same bits on every machine, and no logarithm anywhere (the root of the score is sought).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

STEPS = 60  # of bisection


def added(values):
    """Sum from left to right (the built-in one compensates in some versions of Python)."""
    total = 0.0
    for value in values:
        total = total + value
    return total


@dataclass(frozen=True)
class Group:
    """People of one arm with the same observed visits; any number may be an array.

    Attributes
    ----------
    visits : tuple of int
    n : int
    sums : tuple
        Of the scores, by visit of ``visits``.
    squares : float
        Sum of all squared scores.
    totals2 : float
        Sum over people of the squared total of their scores.
    m, m2 : float
        Sum of the covariate and of its square.
    mt : float
        Sum of covariate x total.
    """

    visits: tuple[int, ...]
    n: int
    sums: tuple
    squares: float
    totals2: float
    m: float
    m2: float
    mt: float


@dataclass(frozen=True)
class Fit:
    """``b, se`` by later visit; ``slope, slope_se`` of the covariate; ``residual`` variance;
    ``ratio`` of variances; ``totals2, mt`` of the complete group that give this fit."""

    b: tuple
    se: tuple
    slope: float
    slope_se: float
    residual: float
    ratio: float
    totals2: float
    mt: float


def solved(a, *rhs):
    """Gaussian elimination of a small positive matrix (lists of lists) on right-hand sides."""
    n = len(a)
    a = [[*row, *(r[i] for r in rhs)] for i, row in enumerate(a)]
    for i in range(n):
        for j in range(i + 1, n):
            f = a[j][i] / a[i][i]
            a[j] = [x - f * y for x, y in zip(a[j], a[i], strict=True)]
    out = []
    for k in range(n, n + len(rhs)):
        x = [0.0] * n
        for i in reversed(range(n)):
            rest = a[i][k]
            for j in range(i + 1, n):
                rest = rest - a[i][j] * x[j]
            x[i] = rest / a[i][i]
        out.append(x)
    return out


@dataclass(frozen=True)
class _Arm:
    """What one arm adds at one variance ratio: means of score and covariate, products."""

    mu_y: list
    mu_m: list
    var: tuple  # of mean(t) - mean(0), over the residual variance
    yy: float
    my: float
    mm: float
    d_logdet: float


def _arm(groups, visits: int, ratio) -> _Arm:
    a = [[0.0] * visits for _ in range(visits)]
    y, m = [0.0] * visits, [0.0] * visits
    yy = my = mm = 0.0
    for g in groups:
        k = len(g.visits)
        free = 1 / (1 + k * ratio)
        w = ratio * free
        total = added(g.sums)
        for i, t in enumerate(g.visits):
            a[t][t] = a[t][t] + g.n
            for u in g.visits:
                a[t][u] = a[t][u] - g.n * w
            y[t] = y[t] + g.sums[i] - w * total
            m[t] = m[t] + g.m * free
        yy = yy + g.squares - w * g.totals2
        my = my + g.mt * free
        mm = mm + g.m2 * k * free
    unit = [[float(i == j) for i in range(visits)] for j in range(visits)]
    mu_y, mu_m, *inverse = solved(a, y, m, *unit)
    for t in range(visits):
        yy, my, mm = yy - y[t] * mu_y[t], my - m[t] * mu_y[t], mm - m[t] * mu_m[t]
    d = 0.0
    for g in groups:
        dw = 1 / ((1 + len(g.visits) * ratio) * (1 + len(g.visits) * ratio))
        d = d - g.n * dw * added(inverse[t][u] for t in g.visits for u in g.visits)
    var = tuple(inverse[t][t] + inverse[0][0] - 2 * inverse[0][t] for t in range(1, visits))
    return _Arm(mu_y, mu_m, var, yy, my, mm, d)


@dataclass(frozen=True)
class _At:
    """Both arms at one ratio."""

    arms: tuple[_Arm, _Arm]
    n: int
    ratio: float
    score_fixed: float  # the part of the score that holds no score values


def _at(arms, visits: int, ratio) -> _At:
    parts = tuple(_arm(groups, visits, ratio) for groups in arms)
    mm = parts[0].mm + parts[1].mm
    rows, fixed = 0, parts[0].d_logdet + parts[1].d_logdet
    for part, groups in zip(parts, arms, strict=True):
        for g in groups:
            k = len(g.visits)
            free = 1 / (1 + k * ratio)
            rows += g.n * k
            center = added(part.mu_m[t] for t in g.visits)
            spread = k * k * g.m2 - 2 * k * center * g.m + g.n * center * center
            fixed = fixed + g.n * k * free - free * free * spread / mm
    return _At(parts, rows, ratio, fixed)


def _residuals(at: _At, arms, slope):
    """Residual sum of squares, and its derivative by the ratio (both negative parts too)."""
    yy = at.arms[0].yy + at.arms[1].yy
    my = at.arms[0].my + at.arms[1].my
    mm = at.arms[0].mm + at.arms[1].mm
    rest = yy - 2 * slope * my + slope * slope * mm
    change = 0.0
    for part, groups in zip(at.arms, arms, strict=True):
        for g in groups:
            k = len(g.visits)
            free = 1 / (1 + k * at.ratio)
            center = added(part.mu_y[t] - slope * part.mu_m[t] for t in g.visits)
            total = added(g.sums)
            square = (g.totals2 - 2 * center * total - 2 * slope * k * g.mt + g.n * center * center
                      + 2 * center * slope * k * g.m + slope * slope * k * k * g.m2)
            change = change - free * free * square
    return rest, change


def _finish(at: _At, slope, rest, totals2, mt) -> Fit:
    control, treated = at.arms
    mm = control.mm + treated.mm
    residual = rest / (at.n - 2 * len(control.mu_y) - 1)
    residual = np.where(residual > 0, residual, np.nan)  # no data give such a ratio and slope
    b, se = [], []
    for t in range(1, len(control.mu_y)):
        raw, shift = ((x(treated)[t] - x(treated)[0]) - (x(control)[t] - x(control)[0])
                      for x in (lambda p: p.mu_y, lambda p: p.mu_m))
        b.append(raw - slope * shift)
        variance = treated.var[t - 1] + control.var[t - 1] + shift * shift / mm
        se.append(np.sqrt(residual * variance))
    return Fit(tuple(b), tuple(se), slope, np.sqrt(residual / mm), residual, at.ratio, totals2, mt)


def implied(arms, visits: int, ratio, slope) -> Fit:
    """The fit with a wanted variance ratio and slope, and the sums that give it.

    The score equation is linear in the complete group's sum of squared totals, and the slope
    in its sum of covariate x total, so both are solved for.

    Parameters
    ----------
    arms : pair of lists of Group
        Control, treatment. The first group of each holds the completers; their ``totals2``
        and ``mt`` are ignored.
    visits : int
    ratio, slope : float or array

    Returns
    -------
    Fit
        ``totals2`` and ``mt`` are sums over the completers of both arms.
    """
    k = visits
    free = 1 / (1 + k * ratio)
    w, dw = ratio * free, free * free
    blank = [[replace(groups[0], totals2=0.0, mt=0.0), *groups[1:]] for groups in arms]
    at = _at(blank, visits, ratio)
    mm, my = (getattr(at.arms[0], x) + getattr(at.arms[1], x) for x in ("mm", "my"))
    mt = (slope * mm - my) / free
    filled = [[replace(blank[0][0], mt=mt), *blank[0][1:]], blank[1]]
    at = _at(filled, visits, ratio)
    rest, change = _residuals(at, filled, slope)
    nu = at.n - 2 * visits - 1
    totals2 = (at.score_fixed * rest + nu * change) / (at.score_fixed * w + nu * dw)
    return _finish(at, slope, rest - w * totals2, totals2, mt)


def fitted(arms, visits: int, totals2: float, mt: float) -> Fit:
    """The REML fit for given sums of the completers (scalars only), by bisection."""
    arms = [[replace(arms[0][0], totals2=totals2, mt=mt), *arms[0][1:]],
            [replace(arms[1][0], totals2=0.0, mt=0.0), *arms[1][1:]]]

    def score(ratio):
        at = _at(arms, visits, ratio)
        slope = (at.arms[0].my + at.arms[1].my) / (at.arms[0].mm + at.arms[1].mm)
        rest, change = _residuals(at, arms, slope)
        nu = at.n - 2 * visits - 1
        return at.score_fixed + nu * change / rest, at, slope, rest

    low, high = 0.0, 64.0
    if score(low)[0] < 0:
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if score(middle)[0] < 0 else (low, middle)
    _, at, slope, rest = score(low)
    return _finish(at, slope, rest, totals2, mt)
