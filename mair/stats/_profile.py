"""The profile of the random-intercept likelihood over one variance ratio, many problems at once.

With ``V = s2 (I + lambda J)`` in each participant, minus twice the profiled log likelihood is,
but for a constant, ``df log r2(lambda) + logdet(lambda)``. It is minimised over
``t = log(1 + c lambda)``, c the largest number of rows of a participant: t is 0 at the boundary,
runs as log lambda for large ratios, and the criterion has no feature narrower than about one
unit of t. With ``u = -df r2'/r2`` and ``m = logdet'`` (derivatives in t, both in (0, df)) a
stationary point has u = m. The root is sought in ``h = logit(m/df) - logit(u/df)``, which is
exactly linear in t for complete data and nearly so otherwise, so that a secant needs few steps.

Local optima exist (in one of twenty fits to a handful of participants with 1 to 60 rows each):
the criterion is first scanned on a grid, every cell that holds a minimum is refined, and the
lowest wins.
"""

from __future__ import annotations

import numpy as np

GRID = np.concatenate([[0.0, 0.1, 0.25, 0.45], np.arange(0.7, 3.5, 0.35), np.arange(3.5, 9, 0.75),
                       np.arange(9.5, 36, 1.5)])
COARSE = np.array([0, 0.15, 0.35, 0.6, 0.9, 1.3, 1.8, 2.4, 3.1, 4, 5, 6.5, 8.5, 11, 14, 18, 23,
                   28, 32])
TINY = np.finfo(float).tiny


def ratio(t, c):
    """Variance ratio lambda at t, and d lambda / d t."""
    return np.expm1(t) / c, np.exp(t) / c


def solve(score, lo, hi, start, item):
    """Roots of h, one a candidate, by a bracketed secant.

    Parameters
    ----------
    score : callable
        ``score(t, item) -> h``; h has the sign of the derivative of the criterion.
    lo, hi, start : ndarray (n,)
        Bracket and first point of each candidate: h < 0 at ``lo``, h > 0 at ``hi``.
    item : ndarray (n,)
        Which problem each candidate belongs to.

    Returns
    -------
    t : ndarray (n,)
    converged : ndarray of bool (n,)
    """
    t, done = start.copy(), np.zeros(len(start), bool)
    live = np.arange(len(start))
    x, slope = start.copy(), np.ones(len(start))
    lo, hi = lo.copy(), hi.copy()
    previous_x = previous_h = None
    step_before = np.full(len(start), 1.0)
    for iteration in range(120):
        h = score(x, item[live])
        np.copyto(hi, x, where=h >= 0)
        np.copyto(lo, x, where=h <= 0)
        if previous_x is not None:
            moved = x - previous_x
            with np.errstate(divide="ignore", invalid="ignore"):
                secant = (h - previous_h) / moved
            slope = np.where(np.isfinite(secant) & (secant > 0.02), secant, slope)
        new = x - h / slope
        settled = np.abs(new - x) <= 1e-13 * (1 + x)
        outside = ~settled & ~((new >= lo) & (new <= hi))
        if iteration > 12 and iteration % 2:
            outside = ~settled
        new = np.where(outside, 0.5 * (lo + hi), np.maximum(new, 0.0))
        step = np.abs(new - x)
        # the error after a secant step is of the order of the last two steps' product
        small = settled | (~outside & (step <= 1e-4) & (step * step_before <= 1e-15))
        small |= hi - lo <= 1e-15 * (1 + hi)
        t[live] = new
        if small.any():
            done[live[small]] = True
            keep = ~small
            if not keep.any():
                break
            live, x, h, new, step = live[keep], x[keep], h[keep], new[keep], step[keep]
            lo, hi, slope = lo[keep], hi[keep], slope[keep]
        previous_x, previous_h, step_before, x = x, h, step, new
    return t, done


def minimise(problems):
    """Global minimum of the criterion of every problem.

    Parameters
    ----------
    problems : Scalars or Matrices
        Offers ``size``, ``cells() -> item, lo, hi, start, boundary, beyond``,
        ``score(t, item)`` and ``criterion(t, item)``.

    Returns
    -------
    t : ndarray (n,)
    converged : ndarray of bool (n,)
    """
    item, lo, hi, start, boundary, beyond = problems.cells()
    order = np.argsort(item, kind="stable")
    item, lo, hi, start = item[order], lo[order], hi[order], start[order]
    t, converged = np.zeros(problems.size), np.zeros(problems.size, bool)
    found, ok = solve(problems.score, lo, hi, start, item)
    several = np.bincount(item, minlength=problems.size) + boundary > 1
    alone = ~several[item]
    t[item[alone]], converged[item[alone]] = found[alone], ok[alone]
    converged[boundary & ~several] = True
    if several.any():
        pick = np.flatnonzero(~alone)
        zero = np.flatnonzero(boundary & several)
        who = np.concatenate([zero, item[pick]])
        where = np.concatenate([np.zeros(len(zero)), found[pick]])
        fine = np.concatenate([np.ones(len(zero), bool), ok[pick]])
        order = np.lexsort((problems.criterion(where, who), who))
        first = order[np.unique(who[order], return_index=True)[1]]
        t[who[first]], converged[who[first]] = where[first], fine[first]
    t[beyond], converged[beyond] = GRID[-1], False
    return t, converged


def crossing(m_u, df, df_m):
    """h from (m, u), guarded against rounding below zero."""
    m, u = m_u
    return np.log(np.maximum(m * (df - u), TINY) / np.maximum(u * df_m, TINY))


def pick(array, item):
    """Problems ``item`` (sorted) of the last axis; the array itself when that is all of them."""
    n = array.shape[-1]
    everyone = len(item) == n and item[0] == 0 and item[-1] == n - 1 and (np.diff(item) == 1).all()
    return array if everyone else array[..., item]


class Scalars:
    """Problems of one design, each reduced to sums of squares against known eigenvalues.

    ``r2 = sum_k ss_k / (1 + lambda xi_k)``; ``logdet = sum_k count_k log(1 + lambda root_k)``.
    """

    def __init__(self, ss, xi, count, root, df):
        self.ss, self.xi, self.count, self.root, self.df = ss, xi, count, root, df
        self.c, self.size = max(root.max(), xi.max()), ss.shape[1]

    def _weights(self, t):
        lam, slope = ratio(t, self.c)
        w = 1 / (1 + lam * self.xi[:, None])
        wr = 1 / (1 + lam * self.root[:, None])
        return w, w * w * self.xi[:, None] * slope, slope * ((self.count * self.root) @ wr)

    def r2(self, lam):
        return np.einsum("kb,kb->b", self.ss, 1 / (1 + lam * self.xi[:, None]))

    def logdet(self, lam):
        return self.count @ np.log1p(lam * self.root[:, None])

    def criterion(self, t, item):
        lam, _ = ratio(t, self.c)
        w = 1 / (1 + lam * self.xi[:, None])
        return self.df * np.log((pick(self.ss, item) * w).sum(0)) + self.logdet(lam)

    def score(self, t, item):
        w, dw, m = self._weights(t)
        ss = pick(self.ss, item)
        u = self.df * (ss * dw).sum(0) / (ss * w).sum(0)
        return crossing((m, u), self.df, self.df - m)

    def cells(self):
        # r2 times the derivative is linear in ss, so one matrix product scans the whole grid
        w, dw, m = self._weights(GRID)
        slope = (m * w - self.df * dw).T @ self.ss
        rises = slope >= 0
        cell, item = np.nonzero(~rises[:-1] & rises[1:])
        lo, hi = GRID[cell], GRID[cell + 1]
        a, b = slope[cell, item], slope[cell + 1, item]
        start = lo + (hi - lo) * (a / (a - b))
        return item, lo, hi, start, rises[0], ~rises[-1] & ~rises.any(0)


class Matrices:
    """Problems with designs of their own, as packed moment matrices, the problem on the last axis.

    ``A(lambda) = within + sum_k between_k / (1 + lambda n_k)`` of [X y]; its LDL' gives log|A_xx|
    and, as the last pivot, r2. The derivative runs through the same elimination.
    """

    def __init__(self, within, between, sizes, counts, df, reml):
        self.within, self.between, self.sizes, self.counts = within, between, sizes, counts
        self.df, self.reml, self.c, self.size = df, reml, sizes.max(), within.shape[-1]

    def matrix(self, lam, item):
        """Packed A(lambda) of some problems."""
        lam = np.broadcast_to(lam, len(item))
        a = pick(self.within, item).copy()
        for n, b in zip(self.sizes, self.between, strict=True):
            a += pick(b, item) * (1 / (1 + lam * n))
        return a

    def criterion(self, t, item):
        lam, _ = ratio(t, self.c)
        return self._value(self.matrix(lam, item), lam, pick(self.counts, item),
                           pick(self.df, item))

    def _value(self, a, lam, counts, df):
        pivots = np.maximum(eliminate(a), TINY)
        value = df * np.log(pivots[-1])
        for n, count in zip(self.sizes, counts, strict=True):
            value += count * np.log1p(n * lam)
        return value + np.log(pivots[:-1]).sum(0) if self.reml else value

    def scan(self, grid):
        """Criterion (G, n) of every problem at every point of a grid, slab by slab."""
        out = np.empty((len(grid), self.size))
        slab = max(1, 4096 // self.size)
        for at in range(0, len(grid), slab):
            lam = ratio(grid[at:at + slab], self.c)[0][:, None]
            a = np.repeat(self.within[:, None], len(lam), axis=1)
            for n, b in zip(self.sizes, self.between, strict=True):
                a += b[:, None] * (1 / (1 + lam * n))
            out[at:at + slab] = self._value(a, lam, self.counts, self.df)
        return out

    def score(self, t, item):
        lam, slope = ratio(t, self.c)
        a = pick(self.within, item).copy()
        d = np.zeros_like(a)
        m = 0.0
        slope = slope + np.zeros(len(item))
        counts, df = pick(self.counts, item), pick(self.df, item)
        for n, count, b in zip(self.sizes, counts, self.between, strict=True):
            w, b = 1 / (1 + lam * n), pick(b, item)
            a += b * w
            d -= b * (w * w * n * slope)
            m = m + count * n * w * slope
        pivots, rates = eliminate_with_rates(a, d)
        if self.reml:
            m = m + (rates[:-1] / pivots[:-1]).sum(0)
        u = -df * rates[-1] / pivots[-1]
        return crossing((m, u), df, df - m)

    def cells(self):
        value = self.scan(COARSE)
        padded = np.full((len(COARSE) + 2, self.size), np.inf)
        padded[1:-1] = value
        low = (value < padded[:-2]) & (value <= padded[2:])
        # at the far end still lowest, or a criterion that does not depend on the ratio at all
        beyond = (low[-1] & (low.sum(0) == 1)) | (value[-1] - value.min(0) < 1e-6)
        low[-1] = False
        cell, item = np.nonzero(low)
        at_zero = np.flatnonzero(low[0])
        boundary = np.zeros(self.size, bool)
        boundary[at_zero] = self.score(np.zeros(len(at_zero)), at_zero) >= 0
        inside = ~((cell == 0) & boundary[item])
        cell, item = cell[inside], item[inside]
        lo, hi = COARSE[np.maximum(cell - 1, 0)], COARSE[cell + 1]
        return item, lo, hi, _vertex(COARSE, value, cell, item), boundary, beyond


def _vertex(grid, value, cell, item):
    """Vertex of the parabola through a grid minimum and its neighbours."""
    mid = np.maximum(cell, 1)
    x0, x1, x2 = grid[mid - 1], grid[mid], grid[mid + 1]
    y0, y1, y2 = value[mid - 1, item], value[mid, item], value[mid + 1, item]
    a, b = (x1 - x0) * (y1 - y2), (x1 - x2) * (y1 - y0)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = x1 - 0.5 * ((x1 - x0) * a - (x1 - x2) * b) / (a - b)
    lo, hi = grid[np.maximum(cell - 1, 0)], grid[cell + 1]
    return np.where((x > lo) & (x < hi), x, 0.5 * (lo + hi))


def packed(k):
    """Indices (rows, columns) of the upper triangle of k x k, row by row."""
    return np.triu_indices(k)


def _rows(a):
    """Views of the packed rows, each from its diagonal on."""
    k = round(np.sqrt(2 * len(a) + 0.25) - 0.5)
    ends = np.cumsum(np.arange(k, 0, -1))
    return [a[e - n:e] for e, n in zip(ends, range(k, 0, -1), strict=True)]


def eliminate(a):
    """Pivots of LDL' of symmetric matrices, packed (k (k + 1) / 2, ...); ``a`` is overwritten."""
    rows = _rows(a)
    for j, row in enumerate(rows[:-1]):
        factor = row[1:] / row[0]
        for i, f in enumerate(factor):
            rows[j + 1 + i] -= f * row[1 + i:]
    return np.stack([row[0] for row in rows])


def eliminate_with_rates(a, d):
    """Pivots of ``a`` and their derivatives when ``a`` moves at rate ``d``; both overwritten."""
    rows, rates = _rows(a), _rows(d)
    for j, (row, rate) in enumerate(zip(rows[:-1], rates[:-1], strict=True)):
        inverse = 1 / row[0]
        factor = row[1:] * inverse
        change = (rate[1:] - factor * rate[0]) * inverse
        for i, (f, c) in enumerate(zip(factor, change, strict=True)):
            rows[j + 1 + i] -= f * row[1 + i:]
            rates[j + 1 + i] -= c * row[1 + i:]
            rates[j + 1 + i] -= f * rate[1 + i:]
    return np.stack([row[0] for row in rows]), np.stack([rate[0] for rate in rates])
