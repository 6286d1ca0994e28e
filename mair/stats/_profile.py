"""The profile of the random-intercept likelihood over one variance ratio, many problems at once.

Within a participant V = s2 (I + lambda J). All that the likelihood needs of the rows are moment
matrices of [X y]: ``A(lambda) = within + sum_k between_k / (1 + lambda n_k)``, over the distinct
numbers of rows n_k. Elimination of A gives log|X'V^-1X| and, as the last pivot, the residual sum
of squares r2; minus twice the profiled log likelihood is, but for a constant,
``df log r2 + log|V| (+ log|X'V^-1X|)``.

The variable is ``t = log(1 + c lambda)``, c the largest n_k: 0 at lambda = 0, negative for the
negative covariances of compound symmetry, and the criterion has no feature narrower than about
one unit. With ``u = -df r2'/r2`` and m the derivative of the rest (both in (0, df)) a stationary
point has u = m. The root is sought in ``h = logit(m/df) - logit(u/df)``, exactly linear in t for
complete data and nearly so otherwise, so that a secant needs few steps.

Arrays have the problem on the last axis, matrices as packed upper triangles.
"""

from copy import copy

import numpy as np

# Local optima exist (in one of twenty fits to a handful of participants with 1 to 60 rows each):
# the criterion is scanned, every interval that holds a minimum refined, and the lowest wins.
GRID = np.array([0, 0.5, 1.1, 1.8, 2.6, 3.5, 4.6, 6, 8, 11, 15, 21, 32])
NEGATIVE = np.r_[-14, -12, -10, -8, -6.5, -5, -4, -3, -2.2, -1.5, -0.9, -0.4, GRID]
TINY = 1e-290


class Profile:
    """Problems of one p and one set of sizes.

    Parameters
    ----------
    within : array (T, n)
        Cross products of deviations from participants' means of [X y], T = (p + 1)(p + 2)/2.
    between : array (K, T, n)
        Of the means, times the number of rows, by that number.
    sizes : array (K,)
    counts : array (K, n)
        Participants of each size.
    reml : bool
    """

    def __init__(self, within, between, sizes, counts, reml=True):
        self.within, self.between, self.counts = within, between, counts
        self.sizes, self.reml, self.c = sizes, reml, sizes.max()
        self.width = round(np.sqrt(2 * len(within) + 0.25) - 0.5)
        self.size = within.shape[-1]
        self.n_rows = sizes @ counts
        self.df = self.n_rows - (self.width - 1) * reml

    def taken(self, item):
        """Some of the problems; itself, not copied, where these are all."""
        if len(item) == self.size and (item == np.arange(self.size)).all():
            return self
        part = copy(self)
        part.within, part.between = self.within[..., item], self.between[..., item]
        part.counts, part.df, part.size = self.counts[:, item], self.df[item], len(item)
        return part

    def matrices(self, t, rates=False):
        """Packed A at t (n,), (T, n), and its derivative; at a grid of t (S, 1) of every problem,
        (T, S, n).
        """
        lam, slope = np.expm1(t) / self.c, np.exp(t) / self.c
        share = 1 / (1 + self.sizes.reshape(-1, *(1,) * np.ndim(t)) * lam)
        if np.ndim(t) == 2:
            return self.within[:, None] + np.moveaxis(
                np.tensordot(share[..., 0], self.between, (0, 0)), 0, 1), None
        a, part = self.within.copy(), np.empty_like(self.within)
        d = np.zeros_like(a) if rates else None
        for n, b, w in zip(self.sizes, self.between, share, strict=True):
            a += np.multiply(b, w, out=part)
            if rates:
                d += np.multiply(part, w * slope * -n, out=part)
        return a, d

    def criterion(self, t):
        """-2 log likelihood but for constants, at t (n,), or of all problems at a grid (S, 1)."""
        pivots = eliminate(*self.matrices(t))[0]
        value = self.df * np.log(np.maximum(pivots[-1], TINY)) + sum(
            count * np.log1p(np.expm1(t) / self.c * n)
            for n, count in zip(self.sizes, self.counts, strict=True))
        return value + np.log(pivots[:-1]).sum(0) if self.reml else value

    def score(self, t):
        """h, which has the sign of the criterion's slope."""
        pivots, rates = eliminate(*self.matrices(t, rates=True))
        rise, grown = np.exp(t), np.expm1(t)
        m = sum(count * (n * rise / (self.c + n * grown))
                for n, count in zip(self.sizes, self.counts, strict=True))
        if self.reml:
            m = m + (rates[:-1] / pivots[:-1]).sum(0)
        u = -self.df * rates[-1] / pivots[-1]
        return logit_difference(m, u, self.df)

    def minimise(self, grid=GRID):
        """Global minimum: t (n,), and whether there is one, bool (n,).

        A grid from 0 on has a minimum at 0 where the criterion rises from there; a lower one
        has none at its ends. Where all have equally many rows every other point will do.
        """
        grid = grid if len(self.sizes) > 1 else grid[::2]
        slab = max(1, 4096 // self.size)
        value = np.concatenate([self.criterion(grid[at:at + slab, None])
                                for at in range(0, len(grid), slab)])
        padded = np.full((len(grid) + 2, self.size), np.inf)
        padded[1:-1] = value
        low = (value < padded[:-2]) & (value <= padded[2:])
        low[-1] = False
        low &= value[-1] - value.min(0) > 1e-6  # not where it does not depend on the ratio
        boundary = np.zeros(self.size, bool)
        if grid[0] == 0:
            zero = np.flatnonzero(low[0])
            boundary[zero] = self.taken(zero).score(np.zeros(len(zero))) >= 0
        low[0] &= ~boundary & (grid[0] == 0)
        item, at = np.nonzero(low.T)
        lo, hi = grid[np.maximum(at - 1, 0)], grid[at + 1]
        found, fine = solve(self.taken(item), lo, hi, np.where(at > 0, grid[at], hi / 2))
        item, t = np.r_[np.flatnonzero(boundary), item], np.r_[np.zeros(boundary.sum()), found]
        fine = np.r_[np.ones(boundary.sum(), bool), fine]
        best, converged = np.full(self.size, grid[-1]), np.zeros(self.size, bool)
        if len(item):
            several = np.bincount(item, minlength=self.size)[item] > 1
            height = np.zeros(len(item))
            height[several] = self.taken(item[several]).criterion(t[several])
            order = np.lexsort((height, item))
            first = order[np.unique(item[order], return_index=True)[1]]
            best[item[first]], converged[item[first]] = t[first], fine[first]
        return best, converged

    def solution(self, t):
        """Everything at t (n,): ratio (n,), gamma (p, n), inverse (p, p, n), r2, logdet."""
        packed, ratio = self.matrices(t)[0], np.expm1(t) / self.c
        logdet = (self.counts * np.log1p(self.sizes[:, None] * ratio)).sum(0)
        i, j = np.triu_indices(self.width)
        a = np.empty((self.width, self.width, *packed.shape[1:]))
        a[i, j] = a[j, i] = packed
        for k in range(self.width - 1):  # Gauss-Jordan, in place
            column, row = a[:, k].copy(), a[k] / a[k, k]
            if self.reml:
                logdet += np.log(column[k])
            a -= column[:, None] * row
            a[k], a[:, k], a[k, k] = row, -column / column[k], 1 / column[k]
        return ratio, a[:-1, -1], a[:-1, :-1], a[-1, -1], logdet


def eliminate(a, d=None):
    """Pivots of LDL' of symmetric matrices, packed (k (k + 1) / 2, ...); ``a`` is overwritten.

    With ``d``, the rate at which ``a`` moves, the pivots' derivatives too, else None.
    """
    k = round(np.sqrt(2 * len(a) + 0.25) - 0.5)
    at = [slice(e - n, e) for e, n in zip(np.cumsum(np.arange(k, 0, -1)), range(k, 0, -1),
                                          strict=True)]
    for j in range(k - 1):
        row, inverse = a[at[j]], 1 / a[at[j].start]
        factors = row[1:] * inverse
        if d is not None:
            rate = d[at[j]]
            changes = (rate[1:] - factors * rate[0]) * inverse
        for i, factor in enumerate(factors):
            below = at[j + 1 + i]
            a[below] -= factor * row[1 + i:]
            if d is not None:
                d[below] -= changes[i] * row[1 + i:]
                d[below] -= factor * rate[1 + i:]
    first = [x.start for x in at]
    return a[first], None if d is None else d[first]


def single(profile):
    """As `Profile.minimise`, where the criterion has one minimum (hardly any gaps), from h at 0."""
    h = profile.score(np.zeros(profile.size))
    inside = np.flatnonzero(~(h >= 0))
    t, converged, h = np.zeros(len(h)), np.ones(len(h), bool), h[inside]
    t[inside], converged[inside] = solve(
        profile.taken(inside), 0 * h, np.full(len(h), GRID[-1]),
        np.clip(-h, 1e-6, GRID[-1] - 1), h, close=1e-9)
    return t, converged


def logit_difference(m, u, df):
    """logit(m/df) - logit(u/df)."""
    return np.log(np.maximum(m * (df - u), TINY) / np.maximum(u * (df - m), TINY))


def solve(profile, lo, hi, x, before=np.nan, close=1e-13):
    """Roots of h, one a problem, by a bracketed secant.

    Parameters
    ----------
    profile : Profile
        Whose ``score`` is h, of slope about 1.
    lo, hi, x : ndarray (n,)
        Bracket and first point of each problem: h < 0 at ``lo``, h > 0 at ``hi``.
    before : ndarray (n,), optional
        h at ``lo``.
    close : float
        Error of t that is small enough, about.

    Returns
    -------
    t : ndarray (n,)
    converged : ndarray of bool (n,)
    """
    t, done, live = x.copy(), np.zeros(len(x), bool), np.arange(len(x))
    slope, before, last, moved = np.ones(len(x)), before + 0 * x, lo, np.ones(len(x))
    for iteration in range(120 if len(x) else 0):
        h = profile.score(x)
        lo, hi = np.where(h <= 0, x, lo), np.where(h >= 0, x, hi)
        with np.errstate(divide="ignore", invalid="ignore"):
            secant = (h - before) / (x - last)
        slope = np.where(np.isfinite(secant) & (secant > 0.02), secant, slope)
        new = x - h / slope
        settled = np.abs(new - x) <= 1e-13 * (1 + np.abs(x))
        outside = ~settled & (~((new >= lo) & (new <= hi)) | (iteration > 12 and iteration % 2 > 0))
        new = np.where(outside, (lo + hi) / 2, new)
        step = np.abs(new - x)
        # the error after a secant step is of the order of the last two steps' product
        small = settled | (~outside & (step <= 1e-4) & (step * moved <= close))
        small |= hi - lo <= 1e-15 * (1 + np.abs(hi))
        t[live], done[live[small]] = new, True
        go = np.flatnonzero(~done[live])
        if not len(go):
            break
        before, last, moved, x = h, x, step, new
        if len(go) < 0.7 * len(x):  # a few that need no more steps cost less than copies
            profile = profile.taken(go)
            live, before, last, moved, x, lo, hi, slope = (
                v[go] for v in (live, before, last, moved, x, lo, hi, slope))
    return t, done
