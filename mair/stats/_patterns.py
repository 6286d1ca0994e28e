"""Gaussian likelihood with one covariance matrix over visits, by missing pattern.

Participants seen at the same visits share V = S' Sigma S and hence one sum of cross products of
their rows, so that a likelihood, its derivatives and Kenward-Roger's matrices cost the same for
4,000 participants as for 40. Sigma is linear in its parameters: Sigma = sum theta_j G_j.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._reduction import require_full_rank


@dataclass(frozen=True)
class Rows:
    """Data reduced to cross products by pattern.

    Columns are orthonormal (X = Q ``root``) and y is the OLS residual over ``scale``, so that
    neither units nor collinear coding cost digits.
    """

    seen: np.ndarray  # (P, k) visits of each pattern
    counts: np.ndarray  # (P,) participants of each
    cross: np.ndarray  # (P k k, a a) sums of z_s z_t', z = [Q, residual], a = p + 1
    root: np.ndarray  # (p, p)
    ols: np.ndarray  # (p,)
    scale: float  # units of y
    visits: np.ndarray  # (k,) labels, sorted
    n_rows: int

    @classmethod
    def of(cls, y, X, participants, visits):
        """Reduce y (N,), X (N, p) with labels of participants and visits (N,)."""
        y, X = np.asarray(y, float), np.asarray(X, float)
        n = y.size
        if (y.ndim != 1 or X.ndim != 2 or len(X) != n or np.shape(participants) != (n,)
                or np.shape(visits) != (n,)):
            raise ValueError(
                "expected y (N,), X (N, p), participants (N,), visits (N,); got "
                f"{y.shape}, {X.shape}, {np.shape(participants)}, {np.shape(visits)}")
        if not (np.isfinite(y).all() and np.isfinite(X).all()):
            raise ValueError("y or X holds a value that is not finite: pass observed rows only")
        if n <= X.shape[1]:
            raise ValueError(f"{n} rows cannot estimate {X.shape[1]} columns and a variance")
        require_full_rank(X)
        people, who = np.unique(participants, return_inverse=True)
        labels, when = np.unique(visits, return_inverse=True)
        if len(np.unique(who * len(labels) + when)) < n:
            raise ValueError("a participant has two rows at one visit")
        q, root = np.linalg.qr(X)
        rest = y - q @ (q.T @ y)
        rest -= q @ (q.T @ rest)
        scale = float(np.sqrt(rest @ rest / (n - X.shape[1])))
        exact = scale <= 1e-12 * np.abs(y).max(initial=0)
        z = np.zeros((len(people), len(labels), X.shape[1] + 1))
        z[who, when] = np.c_[q, np.zeros(n) if exact else rest / scale]
        seen, counts, cross = _by_pattern(z, who, when)
        ols = np.linalg.solve(root, q.T @ y)
        return cls(seen, counts, cross, root, ols, 0.0 if exact else scale, labels, n)

    @property
    def n_columns(self):
        """Columns of X."""
        return len(self.ols)

    @property
    def most(self):
        """The largest number of rows a participant has."""
        return int(self.seen[self.counts > 0].sum(1).max())

    def completed(self):
        """With a pattern of nobody seen at every visit, so that Sigma itself must be positive."""
        k, a2 = self.seen.shape[1], self.cross.shape[1]
        return Rows(np.vstack([self.seen, np.ones(k, bool)]), np.r_[self.counts, 0.0],
                    np.vstack([self.cross, np.zeros((k * k, a2))]), self.root, self.ols,
                    self.scale, self.visits, self.n_rows)

    def precision(self, sigma):
        """V^-1 by pattern (..., P, k, k), zero outside the pattern; sum of log det V; reserve.

        The reserve is the least share of a visit's variance that the visits before it leave.

        Raises
        ------
        numpy.linalg.LinAlgError
            Where V of a pattern is not positive definite.
        """
        both = self.seen[:, :, None] & self.seen[:, None, :]
        v = np.where(both, sigma[..., None, :, :], np.eye(sigma.shape[-1]))
        factor = np.linalg.cholesky(v)
        pivots = np.diagonal(factor, axis1=-2, axis2=-1) ** 2
        reserve = (pivots / np.diagonal(v, axis1=-2, axis2=-1)).min((-2, -1))
        inverse = np.linalg.inv(factor)
        w = np.where(both, inverse.swapaxes(-1, -2) @ inverse, 0.0)
        return w, np.log(pivots).sum(-1) @ self.counts, reserve

    def total(self, w):
        """Sums over participants of Z' w Z, for w (..., P, k, k): (..., a, a)."""
        shape, a = w.shape[:-3], self.n_columns + 1
        return (w.reshape(*shape, -1) @ self.cross).reshape(*shape, a, a)

    def spread(self, m):
        """Sums over participants of Z m Z' by pattern, for m (a, a): (P, k, k)."""
        return (self.cross @ m.reshape(-1)).reshape(*self.seen.shape, -1)

    def constants(self, reml):
        """What `point` leaves out, so that the sum is lme4's REMLcrit or ML deviance."""
        df = self.n_rows - self.n_columns * reml
        value = df * (np.log(2 * np.pi) + 2 * np.log(self.scale))
        return value + 2 * np.log(np.abs(np.diag(self.root))).sum() if reml else value

    def point(self, theta, basis, reml):
        """Likelihood and derivatives at theta (q,), of sigma = sum theta_j basis_j (q, k, k)."""
        w, logdet, reserve = self.precision(np.tensordot(theta, basis, 1))
        wg = w[:, None] @ basis
        wgw = wg @ w[:, None]
        a = self.total(w)
        t = self.total(wgw.swapaxes(0, 1))
        phi = np.linalg.inv(a[:-1, :-1])
        phi = (phi + phi.T) / 2
        gamma = phi @ a[:-1, -1]
        e = np.r_[-gamma, 1.0]
        u = t @ e
        quadratic = self._second(wg, wgw, self.spread(np.outer(e, e)))
        quadratic -= u[:, :-1] @ phi @ u[:, :-1].T
        gradient = np.einsum("pjxx,p->j", wg, self.counts) - u @ e
        expected = np.einsum("pixy,pjyx,p->ij", wg, wg, self.counts)
        value = logdet + e @ a @ e
        if reml:
            around = np.zeros_like(a)
            around[:-1, :-1] = phi
            tphi = t[:, :-1, :-1] @ phi
            expected += np.einsum("ixy,jyx->ij", tphi, tphi)
            expected -= 2 * self._second(wg, wgw, self.spread(around))
            gradient -= np.einsum("jxx->j", tphi)
            value -= np.linalg.slogdet(phi)[1]
        return Point(theta, value, gradient, 2 * quadratic - expected, expected, phi, gamma,
                     t[:, :-1, :-1], wg, wgw, float(reserve))

    @staticmethod
    def _second(wg, wgw, s):
        """tr(V^-1 G_i V^-1 G_j V^-1 s) summed over patterns: (q, q)."""
        left = (s[:, None] @ wgw).swapaxes(0, 1).reshape(wg.shape[1], -1)
        return left @ wg.swapaxes(0, 1).reshape(wg.shape[1], -1).T


@dataclass(frozen=True)
class Point:
    """-2 log likelihood at one theta, in `Rows`' scaled units.

    ``hessian`` is the second derivative (twice the observed information), ``expected`` its
    expectation; ``phi`` (p, p) = (Q'V^-1Q)^-1, ``gamma`` (p,) the GLS coefficients of the OLS
    residual, ``slopes`` (q, p, p) = Q'V^-1 G_j V^-1 Q; ``wg``, ``wgw`` V^-1 G_j (V^-1);
    ``reserve`` is 0 where V of a pattern is singular.
    """

    theta: np.ndarray
    value: float
    gradient: np.ndarray
    hessian: np.ndarray
    expected: np.ndarray
    phi: np.ndarray
    gamma: np.ndarray
    slopes: np.ndarray
    wg: np.ndarray
    wgw: np.ndarray
    reserve: float


def _by_pattern(z, who, when):
    """Distinct patterns, their participants, and sums of cross products of z (m, k, a)."""
    m, k, a = z.shape
    mask = np.zeros((m, k), bool)
    mask[who, when] = True
    order = np.lexsort(mask.T)
    new = np.r_[True, (np.diff(mask[order].astype(int), axis=0) != 0).any(1)]
    starts = np.flatnonzero(new)
    cross = np.empty((len(starts), k, k, a, a))
    for out, people in zip(cross, np.split(order, starts[1:]), strict=True):
        rows = z[people].reshape(len(people), k * a)
        out[:] = (rows.T @ rows).reshape(k, a, k, a).transpose(0, 2, 1, 3)
    counts = np.diff(np.r_[starts, m]).astype(float)
    return mask[order[starts]], counts, cross.reshape(-1, a * a)
