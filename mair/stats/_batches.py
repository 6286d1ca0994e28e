"""Batches of random-intercept fits: one design, many designs, many allocations.

Each function returns a dict of arrays, the batch on the first axis, under the names of
`mixed.RandomIntercept`. Problems are taken in chunks that stay in the processor's cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._profile import Matrices, Scalars, eliminate, minimise, packed, ratio
from ._reduction import DEPENDENT, Layout, Reduction, moments_of

CHUNK = 1024  # problems with matrices of their own, at once
SCALAR_CHUNK = 4096  # problems reduced to scalars, at once
FAR = 1e3  # ratio above which moments have lost digits that the reduction keeps
NEAR_SINGULAR = 1e-6  # share of a column's sum of squares below which they have, too
EXACT = 1e-26  # residual share of y's sum of squares that is rounding
LOG2PI = np.log(2 * np.pi)
ARRAYS = ("beta", "cov", "var_participant", "var_residual", "ratio", "criterion", "converged",
          "boundary", "n_groups", "n_rows")


def one_design(Y, X, codes, reml):
    """Fits of responses Y (B, N) on one design X (N, p)."""
    reduced = Reduction.of(X, codes)
    step = max(1, min(SCALAR_CHUNK, 2 ** 20 // len(X)))
    return joined([_one_chunk(reduced, Y[at:at + step], reml) for at in range(0, len(Y), step)])


def _one_chunk(reduced, Y, reml):
    layout, (n, p) = reduced.layout, (Y.shape[1], len(reduced.ols))
    ols, eta, ss = reduced.project(Y)
    exact = ss.sum(0) <= EXACT * np.einsum("bn,bn->b", Y, Y)
    ss[:, exact] = 1.0
    df = n - p if reml else n
    count, root = (reduced.multiplicity, reduced.xi) if reml else (layout.counts, layout.sizes)
    problem = Scalars(ss, reduced.xi, count.astype(float), root, df)
    t, converged = minimise(problem)
    lam, _ = ratio(t, problem.c)
    r2 = np.where(exact, 0.0, problem.r2(lam))
    logdet = problem.logdet(lam) + (reduced.logdet_xtx if reml else 0.0)
    beta, cov = reduced.estimates(lam, ols, eta)
    return _fit(beta, cov, lam, r2, logdet, np.full(len(Y), df), converged & ~exact,
                np.full(len(Y), len(layout.rows)), np.full(len(Y), n))


def _fit(beta, cov, lam, r2, logdet, df, converged, n_groups, n_rows):
    s2 = r2 / df
    with np.errstate(divide="ignore", invalid="ignore"):
        criterion = df * (1 + LOG2PI + np.log(s2)) + logdet
    cov *= s2[:, None, None]
    return dict(zip(ARRAYS, (beta, cov, lam * s2, s2, lam, criterion, converged,
                             (lam == 0) & converged, n_groups, n_rows), strict=True))


def many_designs(Y, X, mask, codes, reml, deficient):
    """Fits of Y (B, N) on X (N, p) or (B, N, p), in the rows of mask (B, N) where given."""
    shared = X.ndim == 2

    def data(i):
        rows = slice(None) if mask is None else mask[i]
        return Y[i][rows], (X if shared else X[i])[rows], codes[rows]

    if len(Y) == 1:  # alone, the reduction is quicker
        rows = data(0)[2]
        fit = _nothing(X.shape[-1], np.array([len(np.unique(rows))]), np.array([len(rows)]))
        return refitted(fit, data, reml, deficient)
    layout = Layout.of(codes)
    back, start = _preconditioner(Y[0], X if shared else X[0])
    # rows in the layout's order; a copy only where they are not already
    order = None if np.array_equal(layout.order, np.arange(len(codes))) else layout.order
    base = X @ back if shared else None
    parts = []
    for at in range(0, len(Y), CHUNK):
        y = Y[at:at + CHUNK]
        Z = np.empty((*y.shape, len(start) + 1))
        Z[..., :-1] = base if shared else X[at:at + CHUNK] @ back
        Z[..., -1] = y - Z[..., :-1] @ start
        kept = None if mask is None else mask[at:at + CHUNK]
        if kept is not None:
            Z *= kept[..., None]
        if order is not None:
            Z, kept = Z[:, order], None if kept is None else kept[:, order]
        parts.append(by_moments(*batch_last(moments_of(Z, layout, kept)), reml, back, start))
    return refitted(joined(parts), data, reml, deficient)


def _preconditioner(y, X):
    """The first design's QR makes the columns of all designs comparable, its OLS fit y small."""
    r = np.linalg.qr(X)[1]
    square = r.shape[0] == r.shape[1]
    safe = square and (np.abs(np.diag(r)) > DEPENDENT * np.linalg.norm(X, axis=0)).all()
    back = np.linalg.inv(r) if safe else np.eye(X.shape[1])
    return back, np.linalg.lstsq(X @ back, y, rcond=None)[0]


def batch_last(moments):
    """within (T, B), between (K, T, B), sizes, counts (K, B): upper triangles, problems last."""
    i, j = packed(moments.within.shape[-1])
    between = [np.ascontiguousarray(b[..., i, j].T) for b in np.moveaxis(moments.between, -3, 0)]
    return (np.ascontiguousarray(moments.within[..., i, j].T), np.stack(between),
            np.asarray(moments.sizes, float), np.ascontiguousarray(moments.counts.T, dtype=float))


def by_moments(within, between, sizes, counts, reml, back, shift):
    """Fits of one chunk from its moments; beta is nan where they are too near singular.

    The moments are of [X back, y - X back shift]; the estimates are of y on X.
    """
    p, n_rows, n_groups = len(shift), sizes @ counts, counts.sum(0)
    unsound = ~_sound(within + between.sum(0)) | (n_rows <= p)
    if unsound.any():  # a sound problem stands in, so that a bad one does not disturb the others
        if unsound.all():
            return _nothing(p, n_groups, n_rows)
        stand_in = np.where(unsound, np.argmin(unsound), np.arange(len(unsound)))
        within, between, counts = within[:, stand_in], between[..., stand_in], counts[:, stand_in]
    df = sizes @ counts - p if reml else sizes @ counts
    problem = Matrices(within, between, sizes, counts, df, reml)
    everyone = np.arange(problem.size)
    t, converged = minimise(problem)
    lam, _ = ratio(t, problem.c)
    A = np.empty((problem.size, p + 1, p + 1))
    i, j = packed(p + 1)
    A[:, i, j] = A[:, j, i] = problem.matrix(lam, everyone).T
    inverse = np.linalg.inv(A[:, :p, :p])
    gamma = (inverse @ A[:, :p, p:])[..., 0]
    r2 = A[:, p, p] - (A[:, p, :p] * gamma).sum(1)
    logdet = (counts * np.log1p(sizes[:, None] * lam)).sum(0)
    if reml:
        logdet += np.linalg.slogdet(A[:, :p, :p])[1] - 2 * np.linalg.slogdet(back)[1]
    beta = (gamma + shift) @ back.T
    beta[unsound | (lam > FAR) | ~converged] = np.nan
    return _fit(beta, back @ inverse @ back.T, lam, r2, logdet, df, converged,
                np.rint(n_groups).astype(int), np.rint(n_rows).astype(int))


def _sound(A):
    """Where elimination of packed A at ratio 0 leaves enough of every column, and of y."""
    i, j = packed(int(np.sqrt(2 * len(A))))
    size = A[i == j]
    with np.errstate(divide="ignore", invalid="ignore"):
        return ((eliminate(A) > NEAR_SINGULAR * size) & (size > 0)).all(0)


def _nothing(p, n_groups, n_rows):
    n = len(n_rows)
    blank = [np.full(n, np.nan) for _ in range(4)]
    return dict(zip(ARRAYS, (np.full((n, p), np.nan), np.full((n, p, p), np.nan), *blank,
                             np.zeros(n, bool), np.zeros(n, bool), np.rint(n_groups).astype(int),
                             np.rint(n_rows).astype(int)), strict=True))


@dataclass(frozen=True)
class ArmMoments:
    """Moments of [common, arm * by_arm, y] as polynomials in the arms, participant by participant.

    An entry is constant, linear or quadratic in a participant's arm as none, one or both of its
    columns are multiplied by it, so all allocations are one matrix product.
    """

    layout: Layout
    degree: np.ndarray  # (T,) of the packed entries
    within: np.ndarray  # (q, T), participants sorted as in the layout
    between: np.ndarray  # (q, T)

    @classmethod
    def of(cls, common, by_arm, y, codes):
        layout = Layout.of(codes)
        Z = np.c_[common, by_arm, y][layout.order]
        means, rest = layout.split(Z)
        varies = np.r_[np.zeros(common.shape[1]), np.ones(by_arm.shape[1]), 0.0]
        i, j = packed(len(varies))
        within = np.add.reduceat(rest[:, i] * rest[:, j], layout.starts, axis=0)
        return cls(layout, varies[i] + varies[j], within, means[:, i] * means[:, j])

    def at(self, arms):
        """within, between, sizes, counts (problems last) of allocations (B, q) by code."""
        layout = self.layout
        arms = arms[:, layout.codes[layout.order][layout.starts]].T
        between = np.stack([self._sum(self.between[b], arms[b]) for b in layout.blocks])
        counts = np.repeat(layout.counts[:, None].astype(float), arms.shape[1], axis=1)
        return self._sum(self.within, arms), between, layout.sizes, counts

    def _sum(self, pieces, arms):
        out = np.empty((len(self.degree), arms.shape[1]))
        out[self.degree == 0] = pieces.sum(0)[self.degree == 0][:, None]
        out[self.degree == 1] = pieces[:, self.degree == 1].T @ arms
        out[self.degree == 2] = pieces[:, self.degree == 2].T @ (arms * arms)
        return out


def refitted(fit, data, reml, deficient):
    """Problems that the moments could not carry, one by one through the reduction (rare)."""
    for i in np.flatnonzero(np.isnan(fit["beta"]).any(1)):
        y, X, codes = data(i)
        try:
            one = one_design(y[None], X, np.unique(codes, return_inverse=True)[1], reml)
        except ValueError as error:
            if deficient == "raise":
                raise ValueError(f"problem {i} of the batch: {error}") from None
            blanked(fit, i)
        else:
            for name in ARRAYS:
                fit[name][i] = one[name][0]
    return fit


def blanked(fit, where):
    """Set problems without an estimate to nan and not converged."""
    for name in ARRAYS[:6]:
        fit[name][where] = np.nan
    fit["converged"][where] = fit["boundary"][where] = False
    return fit


def joined(parts):
    """One dict of the chunks' dicts."""
    if not parts:
        raise ValueError("the batch is empty")
    return parts[0] if len(parts) == 1 else {
        name: np.concatenate([part[name] for part in parts]) for name in ARRAYS}
