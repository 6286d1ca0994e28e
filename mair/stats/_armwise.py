"""The random intercept's REML profile of many simulated trials, arm by arm.

With a mean for every arm and visit the moment matrix is one k x k block an arm, and a problem
is a few sums; every evaluation is elementwise over the problems, which stand on the last axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._profile import GRID, crossing, ratio

START = 1.4  # t at which a profile is first looked at


@dataclass(frozen=True)
class Profile:
    """The random intercept's profile of n problems, the problem on the last axis.

    ``counts``, ``totals`` (2, k, n): participants, and the sums of all their scores, by arm and
    pattern; ``sums`` (2, k, n) of scores by arm and visit; ``squares`` (k, n) of participants'
    totals squared, by pattern; ``length`` (n,) of all scores squared.
    """

    counts: np.ndarray
    totals: np.ndarray
    sums: np.ndarray
    squares: np.ndarray
    length: np.ndarray
    seen: np.ndarray
    df: np.ndarray

    @classmethod
    def of(cls, counts, totals, sums, squares, length):
        """Complete the sums by the numbers seen at each visit and the residual df."""
        seen = counts[:, ::-1].cumsum(1)[:, ::-1]
        return cls(counts, totals, sums, squares, length, seen, seen.sum((0, 1)) - 2.0
                   * counts.shape[1])

    @property
    def size(self):
        """Number of problems."""
        return len(self.length)

    @property
    def c(self):
        """The most rows a participant has."""
        return self.counts.shape[1]

    @np.errstate(divide="ignore", invalid="ignore")
    def minimum(self, steps):
        """t = log(1 + k ratio) at the REML optimum, by secant steps that stay above 0.

        The score is nearly linear in t: five steps leave about 1e-8, ten leave rounding. nan
        where an arm has nobody at a visit.
        """
        t, slope, before, last = np.full(self.size, START), 1.0, np.nan, np.nan
        for _ in range(steps):
            h = self.at(t)[0]
            secant = (h - before) / (t - last)
            slope = np.where(secant > 0.02, secant, slope)
            before, last, t = h, t, np.clip(t - h / slope, 0.0, GRID[-1])
        return t

    def at(self, t):
        """Score, residual sum of squares, and by arm the eliminated moment matrix.

        The score has the sign of the criterion's slope: see `_profile`.
        """
        k, counts = self.c, self.counts
        size = np.arange(1.0, k + 1)[:, None]
        lam, slope = ratio(t, k)
        share = 1 / (1 + size * lam)
        c, dc = lam * share, share * share
        r2 = self.length - (c * self.squares).sum(0)
        rate = (dc * self.squares).sum(0)
        m = ((counts[0] + counts[1]) * size * share).sum(0)
        arms = []
        for n, total, y, here in zip(counts, self.totals, self.sums, self.seen, strict=True):
            arm = Eliminated.of(n * c, c * total, y, here)
            means = arm.solved(arm.b)
            r2 = r2 - arm.form(arm.b, means)
            for p, d in enumerate(dc):
                if not n[p].any():
                    continue
                ones = arm.carried([1.0] * (p + 1) + [0.0] * (k - p - 1))
                level, block = arm.form(ones, means), arm.form(ones, arm.solved(ones))
                rate -= d * level * (2 * total[p] - n[p] * level)
                m -= d * n[p] * block
            arms.append(arm)
        m = m * slope
        u = self.df * rate * slope / r2
        return crossing((m, u), self.df, self.df - m), r2, arms

    @np.errstate(divide="ignore", invalid="ignore")
    def studentised(self):
        """Estimate over standard error of each later visit's contrast, (k - 1, n)."""
        _, r2, (control, treated) = self.at(self.minimum(5))
        out = []
        for visit in range(1, self.c):
            weights = [-1.0] + [float(v == visit) for v in range(1, self.c)]
            estimate, variance = 0.0, 0.0
            for sign, arm in ((-1, control), (1, treated)):
                change = arm.carried(weights)
                estimate = estimate + sign * arm.form(change, arm.solved(arm.b))
                variance = variance + arm.form(change, arm.solved(change))
            out.append(estimate / np.sqrt(variance * r2 / self.df))
        return np.stack(out)


@dataclass(frozen=True)
class Eliminated:
    """LDL' of an arm's moment matrix A, row by row, for many problems.

    ``factors[j]`` those that eliminate column j from the rows below, ``pivots`` inverted, ``b``
    the sums carried through: with x = L^-1 u and y = L^-1 v, u' A^-1 v = x' D^-1 y.
    """

    factors: list
    pivots: list
    b: list

    @classmethod
    def of(cls, nc, ct, y, seen):
        """A is diag(seen) less, in row v and column w, the sum of ``nc`` over patterns that
        hold both; b is y less the sum of ``ct`` over patterns that hold v.
        """
        k = len(y)
        b, tail, held, lost = [None] * k, [None] * k, 0.0, 0.0
        for v in reversed(range(k)):
            held, lost = held + nc[v], lost + ct[v]
            tail[v], b[v] = -held, y[v] - lost
        a = [[tail[v] + seen[v], *tail[v + 1:]] for v in range(k)]
        factors, pivots = [], []
        for j in range(k):
            pivots.append(1 / a[j][0])
            factors.append([x * pivots[j] for x in a[j][1:]])
            for i, f in enumerate(factors[j]):
                row = a[j + 1 + i]
                a[j + 1 + i] = [x - f * y for x, y in zip(row, a[j][1 + i:], strict=True)]
        return cls(factors, pivots, cls(factors, pivots, b).carried(b))

    def carried(self, vector):
        """L^-1 vector; entries are arrays or numbers."""
        out = list(vector)
        for j, factors in enumerate(self.factors):
            for i, f in enumerate(factors, start=j + 1):
                out[i] = out[i] - f * out[j]
        return out

    def solved(self, carried):
        """D^-1 of a carried vector."""
        return [x * pivot for x, pivot in zip(carried, self.pivots, strict=True)]

    @staticmethod
    def form(carried, solved):
        """u' A^-1 v."""
        return sum(x * y for x, y in zip(carried, solved, strict=True))
