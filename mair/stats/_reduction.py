"""Linear algebra of the random-intercept model: one design reduced to scalars, or moments.

An orthogonal transform of each participant's rows (its scaled mean, and the rest) turns V into
a diagonal: s2 for the rest ("within"), s2 (1 + n lambda) for the scaled mean of n rows. What X
cannot reach there is a sum of squares; what it can is at most (sizes + 1) p rows, whose error
contrasts are diagonalised once (the device of EMMA, Kang et al., Genetics 2008;178:1709-23,
applied to the reduced rows). Every later step is a matrix product over the responses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DEPENDENT = 1e-8  # share of a column's norm left after the columns before it


def dependent_columns(X):
    """Indices of the columns that earlier columns of X (N, p) already span."""
    basis, out = [], []
    for j, column in enumerate(np.asarray(X, float).T):
        rest = column.copy()
        for _ in range(2):
            for q in basis:
                rest -= q * (q @ rest)
        norm = np.linalg.norm(rest)
        if norm <= DEPENDENT * max(np.linalg.norm(column), np.finfo(float).tiny):
            out.append(j)
        else:
            basis.append(rest / norm)
    return out


def require_full_rank(X):
    """Raise ValueError naming the dependent columns of X by index."""
    bad = dependent_columns(X)
    if bad:
        names = ", ".join(map(str, bad))
        raise ValueError(
            f"X is rank-deficient: column(s) {names} (counted from 0) are linear combinations "
            "of the columns before; leave them out")


@dataclass(frozen=True)
class Layout:
    """Rows ordered by size of participant, then participant."""

    codes: np.ndarray  # (N,) participant of each row, 0..q-1
    order: np.ndarray  # (N,) rows, sorted
    starts: np.ndarray  # (q,) first sorted row of each participant, sorted
    rows: np.ndarray  # (q,) rows of each participant, sorted
    sizes: np.ndarray  # (K,) distinct numbers of rows
    counts: np.ndarray  # (K,) participants of each
    blocks: tuple  # K slices of the sorted participants

    @classmethod
    def of(cls, codes):
        n = np.bincount(codes)
        order = np.lexsort((codes, n[codes]))
        rows = np.sort(n)
        sizes, counts = np.unique(rows, return_counts=True)
        ends = np.cumsum(counts)
        blocks = tuple(slice(e - c, e) for e, c in zip(ends, counts, strict=True))
        return cls(codes, order, np.cumsum(rows) - rows, rows, sizes.astype(float), counts, blocks)

    def split(self, values):
        """Scaled means (q, ...) and deviations from the mean (N, ...) of sorted rows."""
        ones = (slice(None),) + (None,) * (values.ndim - 1)
        mean = np.add.reduceat(values, self.starts, axis=0) / self.rows[ones]
        return mean * np.sqrt(self.rows)[ones], values - np.repeat(mean, self.rows, axis=0)


def _within_basis(layout, X):
    """Orthonormal columns (N, k) spanning what X (sorted) reaches of the within space.

    Helmert contrasts first: a QR of centred rows would, for a column that is constant within
    participants, invent a direction outside the within space.
    """
    pieces, helmert = [], []
    for n, block in zip(layout.sizes.astype(int), layout.blocks, strict=True):
        first = layout.starts[block][0]
        m = block.stop - block.start
        h = np.linalg.qr(np.c_[np.ones(n), np.eye(n)[:, :n - 1]])[0].T[1:]
        rows = X[first:first + m * n].reshape(m, n, -1)
        pieces.append((h @ rows).reshape(m * (n - 1), X.shape[1]))
        helmert.append((h, m, n))
    q, r = np.linalg.qr(np.concatenate(pieces))
    back, at = [], 0
    for h, m, n in helmert:
        part = q[at:at + m * (n - 1)].reshape(m, n - 1, q.shape[1])
        back.append((h.T @ part).reshape(m * n, q.shape[1]))
        at += m * (n - 1)
    return np.concatenate(back), r


@dataclass(frozen=True)
class Reduction:
    """One design, ready for any number of responses."""

    layout: Layout
    within: np.ndarray  # (N, k0)
    between: list  # K arrays (m_k, r_k)
    ols: np.ndarray  # (p, R) reduced response -> OLS estimates
    contrast: np.ndarray  # (R - p, R) reduced response -> diagonal error contrasts
    bend: np.ndarray  # (p, R - p) beta = ols - bend @ (lambda eta / (1 + lambda xi))
    xi_free: np.ndarray  # (R - p,)
    xtx_inverse: np.ndarray  # (p, p)
    far: np.ndarray  # (p, p) share of the covariance that grows with lambda
    near: np.ndarray  # (R - p, p, p) cov = xtx_inverse + lambda far + sum w_k near_k
    logdet_xtx: float
    xi: np.ndarray  # (d,) distinct eigenvalues
    multiplicity: np.ndarray  # (d,) error contrasts of each
    gather: np.ndarray  # order of the sums of squares before merging
    merge: np.ndarray  # first index of each distinct eigenvalue

    @classmethod
    def of(cls, X, codes):
        """Reduce X (N, p) over participants ``codes`` (N,)."""
        if len(X) <= X.shape[1]:
            raise ValueError(f"{len(X)} rows cannot estimate {X.shape[1]} columns and a variance")
        if np.bincount(codes).max() < 2:
            raise ValueError("no participant has two rows: the two variances cannot be told apart")
        layout = Layout.of(codes)
        Xs = X[layout.order]
        p = X.shape[1]
        within, r0 = _within_basis(layout, Xs)
        means, _ = layout.split(Xs)
        between, parts, sizes = [], [r0], [np.zeros(len(r0))]
        free = [len(codes) - len(layout.rows) - len(r0)]
        for n, block in zip(layout.sizes, layout.blocks, strict=True):
            q, r = np.linalg.qr(means[block])
            between.append(q)
            parts.append(r)
            sizes.append(np.full(len(r), n))
            free.append(block.stop - block.start - len(r))
        sizes = np.concatenate(sizes)
        Q, r1 = np.linalg.qr(np.concatenate(parts), mode="complete")
        q1, q2, r1 = Q[:, :p], Q[:, p:], r1[:p]
        if (np.abs(np.diag(r1)) <= DEPENDENT * np.linalg.norm(X, axis=0)).any():
            require_full_rank(X)
        xi, g = np.linalg.eigh((q2.T * sizes) @ q2)
        top = layout.sizes.max()
        zero = xi < 1e-12 * top
        xi = np.where(zero, 0.0, xi)
        # root of the sizes times [q1, q2]: what of q1 stays off q2 is a residual, not a
        # difference of cross products, so that its zeros stay zero at a ratio of a million
        root = np.sqrt(sizes)[:, None]
        u = np.where(zero, 0.0, root * (q2 @ g)) / np.sqrt(np.where(zero, 1.0, xi))
        inverse = np.linalg.inv(r1)
        near = inverse @ ((root * q1).T @ u)
        rest = root * q1 - u @ (u.T @ (root * q1))
        far = inverse @ (rest - u @ (u.T @ rest)).T
        everything = np.concatenate([[0.0], layout.sizes, xi])
        multiplicity = np.concatenate([free, np.ones(len(xi))])
        if not multiplicity[everything == 0].sum():
            raise ValueError("X leaves no degree of freedom within participants: the residual "
                             "variance cannot be estimated")
        if not multiplicity[everything > 0].sum():
            raise ValueError("X explains every difference between participants: their variance "
                             "cannot be estimated")
        gather = np.argsort(everything, kind="stable")
        ordered = everything[gather]
        merge = np.flatnonzero(np.r_[True, np.diff(ordered) > 1e-12 * top])
        return cls(layout, within, between, inverse @ q1.T, (q2 @ g).T, near * np.sqrt(xi), xi,
                   inverse @ inverse.T, far @ far.T, np.einsum("ik,jk->kij", near, near),
                   2 * np.log(np.abs(np.diag(r1))).sum(), ordered[merge],
                   np.add.reduceat(multiplicity[gather], merge), gather, merge)

    def project(self, Y):
        """OLS estimates (p, B), contrasts (R - p, B), sums of squares (d, B) of Y (B, N)."""
        ys = np.ascontiguousarray(Y.T[self.layout.order])
        means, rest = self.layout.split(ys)
        z = [self.within.T @ rest]
        rest -= self.within @ z[0]
        ss = [_squares(rest, self.layout.codes.size - len(means) - len(z[0]))]
        for q, block in zip(self.between, self.layout.blocks, strict=True):
            part = means[block]
            z.append(q.T @ part)
            ss.append(_squares(part - q @ z[-1], len(part) - q.shape[1]))
        z = np.concatenate(z)
        eta = self.contrast @ z
        ss = np.concatenate([ss, eta * eta])[self.gather]
        return self.ols @ z, eta, np.add.reduceat(ss, self.merge, axis=0)

    def estimates(self, lam, ols, eta):
        """GLS beta (B, p) and (X'V^-1X)^-1 / s2 (B, p, p) at the ratios ``lam`` (B,)."""
        weight = lam / (1 + lam * self.xi_free[:, None])
        beta = ols - self.bend @ (weight * eta)
        p = len(ols)
        cov = weight.T @ self.near.reshape(len(weight), p * p)
        cov += lam[:, None] * self.far.reshape(p * p)
        cov += self.xtx_inverse.reshape(p * p)
        return beta.T, cov.reshape(-1, p, p)


def _squares(rest, df):
    # without free contrasts the rest is rounding, and must not pass for a sum of squares
    return np.einsum("nb,nb->b", rest, rest) if df else np.zeros(rest.shape[1])


@dataclass(frozen=True)
class Moments:
    """Moment matrices of [X y], all that the likelihood needs of the rows.

    ``X'V^-1X = within + sum_k between[k] / (1 + lambda sizes[k])`` (over s2), and likewise for
    the last row and column, which are y's. Satterthwaite's and Kenward-Roger's derivatives of
    V are functions of the same matrices.

    Attributes
    ----------
    sizes : ndarray (K,)
        Distinct numbers of rows of a participant.
    counts : ndarray (..., K)
        Participants of each size.
    within : ndarray (..., p + 1, p + 1)
        Cross products of the deviations from the participant's mean.
    between : ndarray (..., K, p + 1, p + 1)
        Cross products of the participants' means, times the size.
    """

    sizes: np.ndarray
    counts: np.ndarray
    within: np.ndarray
    between: np.ndarray

    @property
    def n_rows(self):
        """Rows, by problem."""
        return self.counts @ self.sizes

    @property
    def n_groups(self):
        """Participants with rows, by problem."""
        return self.counts.sum(-1)


def moments_of(Z, layout, mask=None):
    """Moments of Z (B, N, a), the last column y; rows where mask (B, N) is false are left out.

    Rows are in the layout's order, and zero where masked. Means are subtracted by cross
    products, not row by row: callers bring columns of a comparable size.
    """
    total = Z.swapaxes(1, 2) @ Z
    sums = _sums(Z, layout)
    if mask is None:
        sizes = layout.sizes
        counts = np.broadcast_to(layout.counts, (len(Z), len(sizes))).astype(float)
        sums /= np.sqrt(layout.rows)[:, None]
        parts = [sums[:, b] for b in layout.blocks]
        between = np.stack([s.swapaxes(1, 2) @ s for s in parts], axis=1)
    else:
        n = _sums(mask[..., None].astype(float), layout)
        sizes = np.unique(n)
        sizes = sizes[sizes > 0]
        counts = np.stack([(n == s).sum((1, 2)) for s in sizes], axis=1).astype(float)
        sums /= np.sqrt(np.maximum(n, 1))
        between = np.stack([(sums * (n == s)).swapaxes(1, 2) @ sums for s in sizes], axis=1)
    return Moments(sizes, counts, total - between.sum(1), between)


def _sums(Z, layout):
    """Sums (B, q, a) over each participant's rows of Z (B, N, a), as matrix products."""
    b, _, a = Z.shape
    out = np.empty((b, len(layout.rows), a))
    for n, block in zip(layout.sizes.astype(int), layout.blocks, strict=True):
        m, first = block.stop - block.start, layout.starts[block.start]
        rows = Z[:, first:first + m * n].reshape(b, m, n * a)
        np.matmul(rows, np.tile(np.eye(a), (n, 1)), out=out[:, block])
    return out
