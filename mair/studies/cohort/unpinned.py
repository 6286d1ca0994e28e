"""The people whom no printed mean describes: dropouts, and scores of visits others missed.

Table 2 minus Table 3 fixes the sum and the sum of squares of the dropouts' baselines. Which of
these values goes to whom, and the few scores that no printed moment covers, are drawn many at a
time; for each draw the variance ratio and the covariate's slope that print the model's rows
best are solved for, and with them the two sums that the completers have to meet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mair.published.numbers import Number
from mair.studies.cohort.integers import normal, sample, tuples
from mair.studies.cohort.likelihood import Fit, Group, fitted, implied, solved
from mair.studies.cohort.targets import Cell, Window, spread

FEW = 200  # points of a scale on which squares are met exactly
POOL = 60  # tuples of dropouts' baselines to draw from
RATIOS = (0.01, 16.0)
HALVINGS = 9
SECANTS = 2
LARGEST_Z = 6.0  # of a slope that is only known to be significant
FINE = 40  # points between two nodes of the slope
NEAR = 2.0  # violation of a draw that is worth polishing
TRIES = 24
MARGIN = 0.97  # of half a last digit: clear of a rounding boundary


@dataclass(frozen=True)
class Other:
    """Someone who misses a visit: arm (0 control, 1 treatment), covariate, visits seen."""

    arm: int
    m: int
    visits: tuple[int, ...]


@dataclass(frozen=True)
class Outcome:
    """One outcome's printed numbers and the people they are about.

    Attributes
    ----------
    name : str
    per : int
        Steps in one unit; every score below is in steps.
    low, high : int
        Ends of the scale.
    worse : int
        1 when higher is worse, else -1.
    r : float
        Correlation between visits that the printed standard errors imply.
    cells : tuple of tuple of Cell
        Of the completers, by arm and visit.
    whole : tuple of Cell
        Of everyone at the first visit, by arm.
    windows : tuple of Window
        By later visit.
    slope : tuple of float
        |z| of the covariate's slope.
    others : tuple of Other
    m : tuple of tuple of int
        Covariate of the completers, by arm.
    overall : pair of Number, optional
        Mean and SD of both arms together at the first visit, where they are printed.
    effects : tuple of Number or None
        Printed d by later visit.
    """

    name: str
    per: int
    low: int
    high: int
    worse: int
    r: float
    cells: tuple
    whole: tuple
    windows: tuple[Window, ...]
    slope: tuple[float, float]
    others: tuple[Other, ...]
    m: tuple
    overall: tuple[Number, Number] | None = None
    effects: tuple = ()

    def prints(self, sums, squares, scores) -> bool:
        """Whether effect sizes, and mean and SD of everyone at the first visit, print so.

        Effect sizes only where finely stepped scores leave room.
        """
        if self.per > 1 and not all(d is None or d.met(self._effect(sums, squares, t))
                                    for t, d in enumerate(self.effects, 1)):
            return False
        if self.overall is None:
            return True
        first = [own[0] for own in scores]
        n = sum(cell.n for cell in self.whole)
        total = sum(arm[0] for arm in sums) + sum(first)
        square = sum(arm[0] for arm in squares) + sum(v * v for v in first)
        mean, sd = total / n / self.per, spread(total, square, n) / self.per
        return self.overall[0].met(mean) and self.overall[1].met(sd)

    def _effect(self, sums, squares, t: int) -> float:
        """Morris's d_ppc2 at a visit, from the completers' cells."""
        n = [cell[0].n for cell in self.cells]
        change = [(arm[t] - arm[0]) / k for arm, k in zip(sums, n, strict=True)]
        df = n[0] + n[1] - 2
        square = sum(q[0] - s[0] * s[0] / k for s, q, k in zip(sums, squares, n, strict=True))
        return (1 - 3 / (4 * df - 1)) * (change[1] - change[0]) / math.sqrt(square / df)

    @property
    def visits(self) -> int:
        """Number of visits."""
        return len(self.cells[0])


@dataclass(frozen=True)
class Draws:
    """Draws, one an element of every array: sums and squares of each cell, others' scores."""

    sums: list
    squares: list
    scores: list  # by person of ``others``, by visit seen
    odd: np.ndarray  # squared distance of the free scores from what their baseline predicts


def pool(rng, cell: Cell, whole: Cell, k: int, low: int, high: int) -> list[tuple]:
    """(sum, squares of the completers, the others' baselines), at most `POOL` of them."""
    found, choices = [], [(s, q, t, u) for s in cell.sums for q in cell.choices(s)
                          for t in whole.sums for u in whole.choices(t)]
    if len(choices) > 4 * POOL:
        choices = [choices[i] for i in rng.choice(len(choices), 4 * POOL, replace=False).tolist()]
    for s, q, t, u in choices:
        if k == 0:
            found += [(s, q, ())] if (s, q) == (t, u) else []
        elif k <= 4 and high - low <= FEW:
            found += [(s, q, values) for values in tuples(k, t - s, u - q, low, high)]
        elif len(found) < POOL and high - low <= FEW:
            values = sample(rng, k, t - s, u - q, low, high)
            found += [(s, q, tuple(values))] if values else []
        elif len(found) < POOL:
            values = _near(rng, k, t - s, u - q, low, high)
            # the squares need not be met exactly where many print the same SD
            if values and whole.choices(t)[0] <= q + sum(v * v for v in values) <= (
                    whole.choices(t)[-1]):
                found.append((s, q, tuple(values)))
    if not found:
        raise ValueError("no values are left for those not described")
    return found


def _near(rng, k: int, total: int, squares: int, low: int, high: int) -> list[int] | None:
    """Integers with this sum and nearly this sum of squares; None outside the scale."""
    left = squares - total * total / k
    if left < 0 or k < 2:
        return [total] if k == 1 and low <= total <= high else None
    z = [normal(rng) for _ in range(k)]
    mean = sum(z) / k
    size = math.sqrt(sum((v - mean) ** 2 for v in z))
    values = [round(total / k + math.sqrt(left) * (v - mean) / size) for v in z]
    values[int(rng.integers(k))] += total - sum(values)
    return sorted(values) if low <= min(values) and max(values) <= high else None


def draw(rng, outcome: Outcome, n: int) -> Draws:
    """``n`` draws of everything the printed moments leave open."""
    sums = [[np.zeros(n) for _ in arm] for arm in outcome.cells]
    squares = [[np.zeros(n) for _ in arm] for arm in outcome.cells]
    scores = [[np.zeros(n) for _ in other.visits] for other in outcome.others]
    odd = np.zeros(n)
    for a, arm in enumerate(outcome.cells):
        own = [i for i, other in enumerate(outcome.others) if other.arm == a]
        options = pool(rng, arm[0], outcome.whole[a], len(own), outcome.low, outcome.high)
        for row, pick in enumerate(rng.integers(len(options), size=n).tolist()):
            sums[a][0][row], squares[a][0][row], values = options[pick]
            for i, k in zip(own, rng.permutation(len(own)).tolist(), strict=True):
                scores[i][0][row] = values[k]
        for t, cell in enumerate(arm[1:], 1):
            options = [(s, q) for s in cell.sums for q in cell.choices(s)]
            for row, pick in enumerate(rng.integers(len(options), size=n).tolist()):
                sums[a][t][row], squares[a][t][row] = options[pick]
        for i in own:
            odd = odd + _free(rng, outcome, arm, i, sums[a], squares[a], scores[i])
    return Draws(sums, squares, scores, odd)


def _free(rng, outcome: Outcome, cells, i: int, sums, squares, scores) -> np.ndarray:
    """Draw one person's later scores around what the baseline predicts; how odd they are."""
    odd = np.zeros(len(sums[0]))
    for place, t in enumerate(outcome.others[i].visits):
        if place == 0:
            continue
        mean = [sums[u] / cells[u].n for u in (0, t)]
        sd = [np.sqrt((squares[u] - sums[u] * m) / (cells[u].n - 1))
              for u, m in zip((0, t), mean, strict=True)]
        expected = mean[1] + outcome.r * sd[1] / sd[0] * (scores[0] - mean[0])
        noise = 2.4 * (rng.random(len(odd)) + rng.random(len(odd)) - 1)
        scores[place][:] = np.clip(np.rint(expected + sd[1] * noise), outcome.low, outcome.high)
        odd = odd + ((scores[place] - expected) / sd[1]) ** 2
    return odd


def groups(outcome: Outcome, draws: Draws, rows=slice(None)) -> list[list[Group]]:
    """Both arms as groups, the completers first (their two sums open)."""
    arms = []
    for a, m in enumerate(outcome.m):
        total = 0.0
        for squares in draws.squares[a]:
            total = total + squares[rows]
        arms.append([Group(tuple(range(outcome.visits)), len(m),
                           tuple(s[rows] for s in draws.sums[a]), total, 0.0, float(sum(m)),
                           float(sum(v * v for v in m)), 0.0)])
    for other, scores in zip(outcome.others, draws.scores, strict=True):
        own = tuple(s[rows] for s in scores)
        whole, squares = own[0] * 0.0, own[0] * 0.0
        for s in own:
            whole, squares = whole + s, squares + s * s
        arms[other.arm].append(Group(other.visits, 1, own, squares, whole * whole,
                                     float(other.m), float(other.m**2), other.m * whole))
    return arms


def violation(outcome: Outcome, fit: Fit):
    """Worst distance of a fit from the printed rows and the covariate's p, in half digits."""
    worst = _slope(outcome, fit)
    for window, b, se in zip(outcome.windows, fit.b, fit.se, strict=True):
        worst = np.maximum(worst, window.violation(b / outcome.per, se / outcome.per))
    return worst


def _slope(outcome: Outcome, fit: Fit):
    z = np.abs(fit.slope / fit.slope_se)
    over = np.maximum(outcome.slope[0] - z, z - outcome.slope[1])
    return np.where(over > 0, 1 + over / 0.002, 0.0)


def ratio_for(outcome: Outcome, arms, slope):
    """The variance ratio at which the standard errors are in the middle of what was printed."""
    targets = [window.error for window in outcome.windows]

    def gap(ratio):
        fit, total = implied(arms, outcome.visits, ratio, slope), 0.0
        for se, (middle, half) in zip(fit.se, targets, strict=True):
            total = total + (se / outcome.per - middle) / half
        return np.where(np.isnan(total), -1e6, total)

    shape = np.broadcast(arms[0][0].sums[0], slope).shape
    low, high = np.full(shape, RATIOS[0]), np.full(shape, RATIOS[1])
    for _ in range(HALVINGS):
        middle = np.sqrt(low * high)
        up = gap(middle) > 0  # the errors fall as the ratio grows
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    for _ in range(SECANTS):  # nearly linear by now
        a, b = gap(low), gap(high)
        low = np.where(a - b > 1e-9, low + (high - low) * a / np.maximum(a - b, 1e-9), low)
        low = np.clip(low, *RATIOS)
        high = low * (1 + 1e-4)
    return low


def solve(outcome: Outcome, arms, sign: int):
    """For each draw the slope and ratio that print the rows best, and the violation left.

    Parameters
    ----------
    outcome : Outcome
    arms : as `groups` gives them
    sign : int
        Of the slope.

    Returns
    -------
    slope, ratio, violation : arrays
    """
    low, high = outcome.slope
    exact = high < LARGEST_Z
    nodes = np.linspace(0.9 * low, 1.1 * high, 5) if exact else np.linspace(low, LARGEST_Z, 7)
    one = [[_first(g) for g in groups_] for groups_ in arms]
    unit, _ = _unit(outcome, one, sign)
    slopes = sign * unit * nodes[:, None]
    fit = implied(arms, outcome.visits, ratio_for(outcome, arms, slopes), slopes)
    _, at = _interpolated(outcome, fit, nodes)
    slope = sign * unit * at
    step = (nodes[1] - nodes[0]) / FINE
    for _ in range(2):
        near = slope + sign * unit * step * np.array([[-2.0], [0.0], [2.0]])
        fit = implied(arms, outcome.visits, ratio_for(outcome, arms, near), near)
        _, at = _interpolated(outcome, fit, np.array([-2.0, 0.0, 2.0]))
        slope, step = slope + sign * unit * step * at, step / 10
    ratio = ratio_for(outcome, arms, slope)
    fit = implied(arms, outcome.visits, ratio, slope)
    return slope, ratio, np.where(np.isnan(fit.se[0]), np.inf, violation(outcome, fit))


def _first(g: Group) -> Group:
    def mean(v):
        return np.atleast_1d(np.asarray(v, float)).ravel()[:1]
    return Group(g.visits, g.n, tuple(mean(s) for s in g.sums), mean(g.squares), mean(g.totals2),
                 g.m, g.m2, mean(g.mt))


def _interpolated(outcome: Outcome, fit: Fit, nodes):
    """Smallest violation of B and slope along the nodes, linear between them, and where."""
    z = np.abs(fit.slope / fit.slope_se)
    lines = [((b / outcome.per - w.middle[0]) / w.middle[1])
             for b, w in zip(fit.b, outcome.windows, strict=True)]
    best, at = None, None
    for k in range(len(nodes) - 1):
        for f in range(FINE + 1):
            share = f / FINE
            x = nodes[k] + share * (nodes[k + 1] - nodes[k])
            own = z[k] + share * (z[k + 1] - z[k])
            over = np.maximum(outcome.slope[0] - own, own - outcome.slope[1])
            worst = np.where(over > 0, 1 + over / 0.002, 0.0)
            for line in lines:
                worst = np.maximum(worst, np.abs(line[k] + share * (line[k + 1] - line[k])))
            worst = np.where(np.isnan(worst), np.inf, worst)
            if best is None:
                best, at = worst, np.full(worst.shape, x)
            else:
                at = np.where(worst < best, x, at)
                best = np.minimum(best, worst)
    return best, at


def steered(rng, outcome: Outcome, draws: Draws, sign: int) -> Draws:
    """Draws with the free scores moved, as little as possible, towards the printed B.

    B is linear in a score once ratio and slope are given. Rounding is at random, so that
    neighbouring whole numbers are tried too.
    """
    arms = groups(outcome, draws)
    n, low = len(draws.odd), outcome.slope[0]
    one = [[_first(g) for g in arm] for arm in arms]
    unit, at = _unit(outcome, one, sign)
    ratio = ratio_for(outcome, one, at)
    slopes = sign * unit * (low + (min(outcome.slope[1], 1.8 * low) - low) * rng.random(n))
    fit = implied(arms, outcome.visits, ratio_for(outcome, arms, slopes), slopes)
    gaps = [w.middle[0] * outcome.per - b for w, b in zip(outcome.windows, fit.b, strict=True)]
    base = implied(one, outcome.visits, ratio, at).b
    free = [(i, k) for i, other in enumerate(outcome.others) for k in range(1, len(other.visits))]
    weights = [[float(b[0] - c[0]) for b, c in zip(_moved(outcome, one, i, k, ratio, at), base,
                                                    strict=True)] for i, k in free]
    left = _lagrange(weights, gaps)
    scores = [[s.copy() for s in own] for own in draws.scores]
    share = rng.random(n) if len(free) < len(gaps) else np.ones(n)
    odd = draws.odd.copy()
    for (i, k), w in zip(free, weights, strict=True):
        step = share * sum_of(w, left) + rng.random(n) - 0.5
        moved = np.clip(np.rint(scores[i][k] + step), outcome.low, outcome.high)
        cell = outcome.cells[outcome.others[i].arm][outcome.others[i].visits[k]]
        sd = np.sqrt((cell.choices(cell.sums[0])[0] - cell.sums[0] ** 2 / cell.n) / (cell.n - 1))
        odd = odd + ((moved - scores[i][k]) / sd) ** 2
        scores[i][k] = moved
    return Draws(draws.sums, draws.squares, scores, odd)


def sum_of(weights, values):
    """Left-to-right scalar product."""
    total = 0.0
    for w, v in zip(weights, values, strict=True):
        total = total + w * v
    return total


def _lagrange(weights, gaps) -> list:
    """Multipliers of the smallest move that closes the gaps, a little damped."""
    k = len(gaps)
    square = [[sum_of([w[i] for w in weights], [w[j] for w in weights]) for j in range(k)]
              for i in range(k)]
    damp = 1e-3 * max(square[i][i] for i in range(k)) + 1e-12
    for i in range(k):
        square[i][i] += damp
    return solved(square, gaps)[0]


def _moved(outcome: Outcome, one, i: int, k: int, ratio, slope):
    """B when one score of one person is one step higher."""
    own = outcome.others[i]
    place = 1 + sum(o.arm == own.arm for o in outcome.others[:i])
    arms = [list(arm) for arm in one]
    g = arms[own.arm][place]
    sums = tuple(s + (j == k) for j, s in enumerate(g.sums))
    total, squares = 0.0, 0.0
    for s in sums:
        total, squares = total + s, squares + s * s
    arms[own.arm][place] = Group(g.visits, 1, sums, squares, total * total, g.m, g.m2, g.m * total)
    return implied(arms, outcome.visits, ratio, slope).b


def _unit(outcome: Outcome, one, sign: int):
    """Standard error of the slope, and a slope just significant, for a first draw."""
    unit = np.zeros(1)
    for _ in range(4):  # the error depends on the slope, a little
        at = sign * outcome.slope[0] * unit
        unit = implied(one, outcome.visits, ratio_for(outcome, one, at), at).slope_se
    return unit, at


@dataclass(frozen=True)
class Plan:
    """One draw, with the two sums of the completers that print the rows.

    ``reach`` is how far each sum may be off, alone.
    """

    arms: list
    sums: list
    squares: list
    scores: list
    slope: float
    totals2: int
    mt: int
    reach: tuple[int, int]
    violation: float

    def check(self, outcome: Outcome, totals2: int, mt: int) -> float:
        """The violation of the fit with these sums, rounded to 1e-6."""
        fit = fitted(self.arms, outcome.visits, float(totals2), float(mt))
        return round(float(violation(outcome, fit)), 6)


def polished(outcome: Outcome, draws: Draws, row: int, slope: float, ratio: float) -> Plan:
    """The plan of one draw: slope and ratio on finer and finer grids, then whole sums."""
    arms = [[_plain(g) for g in arm] for arm in groups(outcome, draws, row)]
    wide = (0.02 * ratio, 0.02 * abs(slope))
    for _ in range(4):
        ratios = (ratio + wide[0] * np.linspace(-1, 1, 21))[:, None] + np.zeros((1, 21))
        slopes = (slope + wide[1] * np.linspace(-1, 1, 21))[None, :] + np.zeros((21, 1))
        found = np.round(violation(outcome, implied(arms, outcome.visits, ratios, slopes)), 6)
        best = np.unravel_index(np.nanargmin(found), found.shape)
        ratio, slope = float(ratios[best]), float(slopes[best])
        wide = (wide[0] / 4, wide[1] / 4)
    fit = implied(arms, outcome.visits, ratio, slope)
    scores = [[int(s[row]) for s in own] for own in draws.scores]
    numbers = [[[int(v[row]) for v in arm] for arm in x] for x in (draws.sums, draws.squares)]
    plan = Plan(arms, *numbers, scores, slope, round(float(fit.totals2)), round(float(fit.mt)),
                (0, 0), float(found[best]))
    reach = tuple(_reach(outcome, plan, *unit) for unit in ((1, 0), (0, 1)))
    return Plan(**{**plan.__dict__, "reach": reach})


def _plain(g: Group) -> Group:
    return Group(g.visits, g.n, tuple(float(s) for s in g.sums), float(g.squares),
                 float(g.totals2), g.m, g.m2, float(g.mt))


def _reach(outcome: Outcome, plan: Plan, dq: int, dc: int) -> int:
    """How many steps one sum may move, either way, with the rows still printed."""
    far = 1
    while far < 2**24 and all(
        plan.check(outcome, plan.totals2 + s * far * dq, plan.mt + s * far * dc) <= MARGIN
        for s in (-1, 1)
    ):
        far *= 2
    return far // 2


def plans(rng, outcome: Outcome, n: int, sign: int, most: int = 3,
          margin: float = MARGIN) -> list[Plan]:
    """Up to ``most`` plans that print every row, the least odd first; [] when none was drawn."""
    draws = steered(rng, outcome, draw(rng, outcome, n), sign)
    slope, ratio, left = solve(outcome, groups(outcome, draws), sign)
    near = np.flatnonzero(np.round(left, 6) < max(NEAR, 2 * margin))
    # a margin of a tenth of half a digit is worth one squared SD of an odd score
    rank = np.round(draws.odd[near] + 10 * np.maximum(left[near] - 0.8, 0), 6)
    found, seen = [], set()
    for i in near[np.lexsort((near, rank))].tolist():
        key = tuple(float(s[i]) for own in draws.scores for s in own)
        if key in seen or len(seen) >= TRIES:
            continue
        if not outcome.prints(*([[float(v[i]) for v in arm] for arm in x]
                                for x in (draws.sums, draws.squares, draws.scores))):
            continue
        seen.add(key)
        plan = polished(outcome, draws, i, float(slope[i]), float(ratio[i]))
        if plan.check(outcome, plan.totals2, plan.mt) <= margin:
            found.append(plan)
        if len(found) == most:
            break
    return found


__all__ = ["Draws", "Other", "Outcome", "Plan", "normal", "plans", "violation"]
