"""The people whom no printed mean describes: dropouts, and scores of visits others missed.

Table 2 minus Table 3 fixes the sum and the sum of squares of the dropouts' baselines. Which of
these values goes to whom, and the few scores that no printed moment covers, are drawn many at a
time; for each draw the variance ratio and the covariate's slope that print the model's rows
best are solved for, and with them the two sums that the completers have to meet.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from mair.published.numbers import Number
from mair.stats.effects import d_ppc2_of
from mair.studies.cohort.integers import nearly, sample, tuples
from mair.studies.cohort.likelihood import At, Fit, Sums, fitted
from mair.studies.cohort.targets import Allowed, Window, sd_of

FEW = 200  # points of a scale on which squares are met exactly
POOL = 60  # tuples of dropouts' baselines to draw from
RATIOS = np.geomspace(0.01, 16.0, 16)  # of variances
SECANTS = 4
LARGEST_Z = 6.0  # of a slope that is only known to be significant
FINE = 40  # points between two nodes of the slope
NEAR = 3.0  # half widths of B: no further off at another's ratio, a draw may print it
SOLVED = 400  # draws that are solved exactly
POLISHED = 2.0  # violation of a draw that is worth polishing
TRIES = FURTHEST = 24  # draws polished; doublings of a step of a sum
MARGIN = 0.97  # of half a last digit: clear of a rounding boundary


@dataclass(frozen=True)
class Other:
    """Who misses a visit: arm (0 control), place in its allocation, covariate, visits seen."""

    arm: int
    place: int
    m: int
    visits: tuple[int, ...]


@dataclass(frozen=True)
class Outcome:
    """One outcome's printed numbers and the people they are about.

    Attributes
    ----------
    per : int
        Steps in one unit; every score below is in steps.
    low, high : int
        Ends of the scale.
    worse : int
        1 when higher is worse, else -1.
    r : float
        Correlation between visits that the printed standard errors imply.
    described : list of list of Allowed
        Of the completers, by arm and visit.
    whole : list of Allowed
        Of everyone at the first visit, by arm.
    windows : list of Window
        By later visit.
    slope : tuple of float
        |z| of the covariate's slope.
    others : list of Other
    seen, m : list of list of int
        Places and covariate of the completers, by arm.
    overall : list of Number or None
        Mean and SD of both arms together at the first visit, where they are printed.
    effects : list of Number or None
        Printed d by later visit.
    """

    per: int
    low: int
    high: int
    worse: int
    r: float
    described: list[list[Allowed]]
    whole: list[Allowed]
    windows: list[Window]
    slope: tuple[float, float]
    others: list[Other]
    seen: list[list[int]]
    m: list[list[int]]
    overall: list[Number | None]
    effects: list[Number | None]

    @property
    def visits(self) -> int:
        """Number of visits."""
        return len(self.described[0])

    def prints(self, one: "Draws") -> bool:
        """Whether effect sizes, and mean and SD of everyone at the first visit, print so.

        Effect sizes only where finely stepped scores leave room.
        """
        n = [arm[0].n for arm in self.described]
        control, treated = ((k, s / k, sd_of(s[0], q[0], k))
                            for k, s, q in zip(n, one.sums, one.squares, strict=True))
        found = [float(d_ppc2_of(*((k, mean[0], sd, mean[t]) for k, mean, sd in (
            treated, control))).estimate) for t in range(1, self.visits) if self.per > 1]
        first, everyone = np.array([own[0] for own in one.scores]), sum(a.n for a in self.whole)
        total, square = (x[:, 0].sum() + (first**k).sum() for k, x in
                         ((1, one.sums), (2, one.squares)))
        found += [total / everyone / self.per, sd_of(total, square, everyone) / self.per]
        wanted = [*self.effects[: len(found) - 2], *self.overall]
        return all(number is None or number.met(value)
                   for number, value in zip(wanted, found, strict=True))


@dataclass(frozen=True)
class Draws:
    """Draws, along the last axis: ``sums, squares`` (2, V, n) of the completers by arm and
    visit; ``scores`` of each of the others by visit seen, (visits, n); ``odd`` (n,), the squared
    distance of the free scores from what their baseline predicts."""

    sums: np.ndarray
    squares: np.ndarray
    scores: list[np.ndarray]
    odd: np.ndarray

    def at(self, rows) -> "Draws":
        """Some draws."""
        return Draws(self.sums[..., rows], self.squares[..., rows],
                     [x[..., rows] for x in self.scores], self.odd[rows])


def pool(rng, own: Allowed, whole: Allowed, k: int, low: int, high: int) -> list[tuple]:
    """(sum, squares of the completers, the ``k`` others' baselines), at most `POOL` of them."""
    found, some, others = [], own.pairs, whole.pairs
    size, few = len(some) * len(others), k == 0 or high - low <= FEW
    for i in rng.choice(size, 4 * POOL, replace=False).tolist() if size > 4 * POOL else range(size):
        (s, q), (t, u) = some[i // len(others)], others[i % len(others)]
        if k <= 4 and few:
            found += [(s, q, values) for values in tuples(k, t - s, u - q, low, high)]
        elif len(found) < POOL:
            values = (sample if few else nearly)(rng, k, t - s, u - q, low, high)
            # the squares need not be met exactly where many print the same SD
            printing, square = whole.squares[t], q + sum(v * v for v in values or ())
            if values and printing[0] <= square <= printing[-1]:
                found.append((s, q, tuple(values)))
    if not found:
        raise ValueError("no values are left for those not described")
    return found


def draw(rng, outcome: Outcome, n: int) -> Draws:
    """``n`` draws of everything the printed moments leave open."""
    sums, squares = np.zeros((2, 2, outcome.visits, n))
    scores, odd = [np.zeros((len(other.visits), n)) for other in outcome.others], np.zeros(n)
    for a, arm in enumerate(outcome.described):
        own = [i for i, other in enumerate(outcome.others) if other.arm == a]
        options = pool(rng, arm[0], outcome.whole[a], len(own), outcome.low, outcome.high)
        picked = np.array([(s, q, *values) for s, q, values in options], float)[
            rng.integers(len(options), size=n)].T
        sums[a, 0], squares[a, 0], values = picked[0], picked[1], picked[2:]
        turns = rng.permuted(np.tile(np.arange(len(own)), (n, 1)), axis=1).T
        for i, dealt in zip(own, np.take_along_axis(values, turns, 0), strict=True):
            scores[i][0] = dealt
        for t, later in enumerate(arm[1:], 1):
            options = np.array(later.pairs, float)
            sums[a, t], squares[a, t] = options[rng.integers(len(options), size=n)].T
        people = np.array([[described.n] for described in arm])
        mean, sd = sums[a] / people, sd_of(sums[a], squares[a], people)
        for i in own:  # later scores around what the baseline predicts
            for k, t in list(enumerate(outcome.others[i].visits))[1:]:
                expected = mean[t] + outcome.r * sd[t] / sd[0] * (scores[i][0] - mean[0])
                noise = 2.4 * (rng.random(n) + rng.random(n) - 1)
                scores[i][k] = np.clip(np.rint(expected + sd[t] * noise), outcome.low, outcome.high)
                odd += ((scores[i][k] - expected) / sd[t]) ** 2
    return Draws(sums, squares, scores, odd)


def sums_of(outcome: Outcome, draws: Draws) -> Sums:
    """What the likelihood takes, the completers' two sums open."""
    out = Sums(outcome.visits, np.shape(draws.odd))
    for a, m in enumerate(outcome.m):
        out.add(a, range(outcome.visits), len(m), draws.sums[a], draws.squares[a].sum(0),
                sum(m), sum(v * v for v in m))
    for other, own in zip(outcome.others, draws.scores, strict=True):
        total = own.sum(0)
        out.add(other.arm, other.visits, 1, own, (own * own).sum(0), other.m, other.m**2,
                total**2, other.m * total)
    return out


def violation(outcome: Outcome, fit: Fit):
    """Worst distance of a fit from the printed rows and the covariate's p, in half digits."""
    worst = _slope_violation(outcome, np.abs(fit.slope / fit.slope_se))
    for window, b, se in zip(outcome.windows, fit.b, fit.se, strict=True):
        worst = np.maximum(worst, window.violation(b / outcome.per, se / outcome.per))
    return worst


def _slope_violation(outcome: Outcome, z):
    over = np.maximum(outcome.slope[0] - z, z - outcome.slope[1])
    return np.where(over > 0, 1 + over / 0.002, 0.0)


def _gap(outcome: Outcome, fit: Fit):
    """How far the standard errors lie above the middle of what was printed, in half widths."""
    gap = sum((se / outcome.per - middle) / half for se, (middle, half) in
              zip(fit.se, (window.error for window in outcome.windows), strict=True))
    return np.where(np.isnan(gap), -1e6, gap)


def at_slope(outcome: Outcome, draws: Draws, slope) -> Fit:
    """The fit with this slope and the standard errors in the middle of what was printed."""
    sums = sums_of(outcome, draws)
    gap = _gap(outcome, At(sums, RATIOS.reshape(-1, *(1,) * slope.ndim)).implied(slope))
    after = np.clip((gap > 0).sum(0), 1, len(RATIOS) - 1)  # the errors fall as the ratio grows
    low, high = np.sqrt(RATIOS[after - 1]), np.sqrt(RATIOS[after])
    a, b = (np.take_along_axis(gap, after[None] - k, 0)[0] for k in (1, 0))
    for _ in range(SECANTS):  # the errors are nearly linear in the root of the ratio
        share = a / np.where(np.abs(a - b) > 1e-12, a - b, 1e-12)
        low, high = high, np.clip(low + (high - low) * share, *np.sqrt(RATIOS[[0, -1]]))
        fit = At(sums, high * high).implied(slope)
        a, b = b, _gap(outcome, fit)
    return fit


def _just_significant(outcome: Outcome, draws: Draws) -> tuple[Fit, float]:
    """The fit of a first draw with such a slope; its standard error towards worse health."""
    slope = np.zeros(1)
    for _ in range(4):  # the error depends on the slope, a little
        fit = at_slope(outcome, draws.at([0]), slope)
        slope = outcome.worse * outcome.slope[0] * fit.slope_se
    return fit, outcome.worse * fit.slope_se


def solve(outcome: Outcome, draws: Draws):
    """The least odd of the draws, the slope and ratio that print the rows best, what is left.

    Parameters
    ----------
    outcome : Outcome
    draws : Draws

    Returns
    -------
    draws : Draws
        At most `SOLVED`.
    slope, ratio, violation : arrays (n,)
        Of these.
    """
    low, high = outcome.slope
    nodes = np.linspace(*((0.9 * low, 1.1 * high, 5) if high < LARGEST_Z else (low, LARGEST_Z, 7)))
    _, unit = _just_significant(outcome, draws)
    slope = unit * nodes[:, None]
    ratio = at_slope(outcome, draws.at([0]), slope).ratio  # nearly everyone's
    off = _worst_b(outcome, At(sums_of(outcome, draws), ratio).implied(slope)).min(0)
    draws = draws.at(np.sort(np.argsort(draws.odd + 10 * np.maximum(off - NEAR, 0),
                                        kind="stable")[:SOLVED]))
    slope = unit * _best(outcome, at_slope(outcome, draws, slope), nodes)
    step, offsets = (nodes[1] - nodes[0]) / FINE, np.array([-2.0, 0.0, 2.0])
    for _ in range(2):
        fit = at_slope(outcome, draws, slope + unit * step * offsets[:, None])
        slope, step = slope + unit * step * _best(outcome, fit, offsets), step / 10
    fit = at_slope(outcome, draws, slope)
    left = np.where(np.isnan(fit.se[0]), np.inf, violation(outcome, fit))
    return draws, slope, fit.ratio, left


def _between(x):
    """Values at nodes (first axis) and linear between them."""
    share = np.arange(FINE + 1)[:, None] / FINE
    return (x[:-1, None] + share * (x[1:, None] - x[:-1, None])).reshape(-1, x.shape[-1])


def _worst_b(outcome: Outcome, fit: Fit):
    """How far B is off along the nodes, in half widths."""
    return reduce(np.maximum, (
        np.abs(_between((b / outcome.per - window.middle[0]) / window.middle[1]))
        for b, window in zip(fit.b, outcome.windows, strict=True)))


def _best(outcome: Outcome, fit: Fit, nodes):
    """Where along the nodes, linear between them, B and slope violate least, by draw."""
    worst = np.maximum(_slope_violation(outcome, _between(np.abs(fit.slope / fit.slope_se))),
                       _worst_b(outcome, fit))
    return _between(nodes[:, None])[np.argmin(np.where(np.isnan(worst), np.inf, worst), 0), 0]


def steered(rng, outcome: Outcome, draws: Draws) -> Draws:
    """Draws with the free scores moved, as little as possible, towards the printed B.

    B is linear in a score once ratio and slope are given. Rounding is at random, so that
    neighbouring whole numbers are tried too.
    """
    n, (low, high) = len(draws.odd), outcome.slope
    first, unit = _just_significant(outcome, draws)
    slopes = unit * (low + (min(high, 1.8 * low) - low) * rng.random(n))
    fit = at_slope(outcome, draws, slopes)
    gaps = np.array([w.middle[0] * outcome.per - b
                     for w, b in zip(outcome.windows, fit.b, strict=True)])
    free = [(i, k) for i, other in enumerate(outcome.others) for k in range(1, len(other.visits))]
    moved = draws.at(np.zeros(len(free), int))
    for row, (i, k) in enumerate(free):
        moved.scores[i][k, row] += 1
    weights = (At(sums_of(outcome, moved), first.ratio).implied(first.slope).b - first.b).T
    square = weights.T @ weights
    square += (1e-3 * np.diag(square).max() + 1e-12) * np.eye(len(gaps))
    left = np.linalg.solve(square, gaps)
    scores, odd = [s.copy() for s in draws.scores], draws.odd.copy()
    share = rng.random(n) if len(free) < len(gaps) else np.ones(n)
    for (i, k), weight in zip(free, weights, strict=True):
        step = share * (weight @ left) + rng.random(n) - 0.5
        scores[i][k] = np.clip(np.rint(scores[i][k] + step), outcome.low, outcome.high)
        own = outcome.described[outcome.others[i].arm][outcome.others[i].visits[k]]
        odd += ((scores[i][k] - draws.scores[i][k]) / sd_of(*own.pairs[0], own.n)) ** 2
    return Draws(draws.sums, draws.squares, scores, odd)


@dataclass(frozen=True)
class Plan:
    """One draw, with the two sums of the completers that print the rows.

    Attributes
    ----------
    outcome : Outcome
    known : Sums
    sums, squares : list of list of int
        Of the completers, by arm and visit.
    scores : list of list of int
        Of the others, by visit seen.
    totals2, mt : int
        The completers' squared totals and products of covariate and total, summed.
    ratio : float
        Of variances, about.
    """

    outcome: Outcome
    known: Sums
    sums: list
    squares: list
    scores: list
    totals2: int
    mt: int
    ratio: float

    def check(self, totals2, mt):
        """The violation of the fits with these sums, rounded to 1e-6."""
        return np.round(violation(self.outcome, fitted(self.known, totals2, mt, self.ratio)), 6)

    @cached_property
    def reach(self) -> list[int]:
        """How far either sum may move by doubled steps, up and down, the rows still printed."""
        steps, found = 2 ** np.arange(FURTHEST), []
        for moves in (steps, 0), (0, steps):
            up, down = (self.check(self.totals2 + s * moves[0], self.mt + s * moves[1])
                        for s in (1, -1))
            found.append(2 ** int(np.argmin([*(np.maximum(up, down) <= MARGIN), False])) // 2)
        return found


def polished(outcome: Outcome, one: Draws, slope: float, ratio: float) -> Plan:
    """The plan of one draw: slope and ratio on finer and finer grids, then whole sums."""
    sums, grid = sums_of(outcome, one), np.linspace(-1, 1, 21)
    wide = np.array([0.02 * ratio, 0.02 * abs(slope)])
    for _ in range(4):
        ratios, slopes = ratio + wide[0] * grid, slope + wide[1] * grid
        found = np.round(violation(outcome, At(sums, ratios[:, None]).implied(slopes)), 6)
        i, j = np.unravel_index(np.nanargmin(found), found.shape)
        ratio, slope, wide = ratios[i], slopes[j], wide / 4
    fit = At(sums, ratio).implied(slope)
    whole = [[row.astype(int).tolist() for row in x] for x in (one.sums, one.squares, one.scores)]
    return Plan(outcome, sums, *whole, round(float(fit.totals2)), round(float(fit.mt)), ratio)


def plans(rng, outcome: Outcome, n: int, margin: float = MARGIN) -> Iterator[Plan]:
    """Plans that print every row, the least odd first, of at most `TRIES` draws.

    Parameters
    ----------
    rng : numpy Generator
    outcome : Outcome
    n : int
        Draws.
    margin : float
        Violation allowed, in halves of a last digit.
    """
    draws, slope, ratio, left = solve(outcome, steered(rng, outcome, draw(rng, outcome, n)))
    # a margin of a tenth of half a digit is worth one squared SD of an odd score
    rank = np.round(draws.odd + 10 * np.maximum(left - 0.8, 0), 6)
    close = np.round(left, 6) < max(POLISHED, 2 * margin)
    seen = set()
    for i in np.argsort(rank, kind="stable").tolist():
        one = draws.at(i)
        key = tuple(np.concatenate(one.scores).tolist())
        if not close[i] or key in seen or len(seen) >= TRIES or not outcome.prints(one):
            continue
        seen.add(key)
        plan = polished(outcome, one, slope[i], ratio[i])
        # people's squared totals have the parity of their totals
        odd = (plan.totals2 - sum(map(sum, plan.sums))) % 2
        if (plan.check(plan.totals2 + np.array([odd, -odd]), plan.mt) <= margin).any():
            yield plan
