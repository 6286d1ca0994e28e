"""Gaussian likelihood with one covariance matrix over visits, by missing pattern, in batches.

Participants seen at the same visits share V = S' Sigma S and hence one sum of cross products of
their rows, so that a likelihood, its derivatives and Kenward-Roger's matrices cost the same for
4,000 participants as for 40. Sigma is linear in its parameters: Sigma = sum theta_j G_j; where
each arm has a Sigma of its own, patterns are kept apart by arm and G_j is zero in the other one.
Every array has the batch of problems in front; fixed effects may fall apart into blocks (arms
that share Sigma and nothing else), whose matrices are then kept apart.
"""

from typing import NamedTuple

import numpy as np

from .columns import distinct, orthonormal

SINGULAR = 1e-4  # share of a visit's variance that the visits before it must leave
STEPS, HALVINGS = 100, 40


def exchangeable(k):
    """Basis (2, k, k) of compound symmetry: covariance, residual variance."""
    return np.stack([np.ones((k, k)), np.eye(k)])


def triangle(k):
    """Basis (k (k + 1) / 2, k, k) of symmetric matrices, upper triangle row by row."""
    i, j = np.triu_indices(k)
    basis = np.zeros((len(i), k, k))
    basis[np.arange(len(i)), i, j] = basis[np.arange(len(i)), j, i] = 1
    return basis


def by_group(basis, rows):
    """Basis (r, 2, k, k) with the parameters of ``basis`` (q, k, k) in either group of patterns,
    but for those of visits at which nobody of a group was seen.
    """
    out = []
    for group in (0, 1):
        seen = rows.seen[0, rows.group[0] == group].any(0)
        for one in basis[(basis[:, seen][..., seen] != 0).any((1, 2))]:
            out.append(np.zeros((2, *one.shape)))
            out[-1][group] = one
    return np.array(out)


class Rows(NamedTuple):
    """B problems reduced to cross products by pattern, of one set of patterns.

    The columns are orthonormal and y is the OLS residual over ``scale``, so that neither units
    nor collinear coding cost digits: coefficients are ``back`` (start + scale gamma).

    ``counts`` (B, G, P) participants by block and pattern; ``cross`` (B, G, P k k, a a) sums of
    z_s z_t', z = [columns, residual], a = p + 1; ``back`` (B, G p, G p); ``start`` (B, G p);
    ``scale``, ``n_rows`` (B,); ``seen`` (B, P, k), visits of each pattern; ``group`` (B, P),
    whose Sigma it has, the same in all problems (zeros, where it is everybody's).
    """

    counts: np.ndarray
    cross: np.ndarray
    back: np.ndarray
    start: np.ndarray
    scale: np.ndarray
    n_rows: np.ndarray
    seen: np.ndarray
    group: np.ndarray

    @classmethod
    def batch(cls, y, X, who, when, group=None, complete=False):
        """Responses y (B, N) of one design X (N, p); participant and visit of each row, from 0.

        Parameters
        ----------
        group : array (n,), optional
            0 or 1 of each participant: whose patterns are kept apart.
        complete : bool
            With a pattern of nobody seen at every visit of a group, so that each Sigma must be
            positive definite.
        """
        group = np.zeros(who.max() + 1, int) if group is None else np.asarray(group)
        C, A, T = orthonormal(X)
        q, (b, n), p, k = C @ A, y.shape, X.shape[1], when.max() + 1
        start, rest = 0.0, y
        for _ in range(2):  # twice is enough for orthogonality
            found = rest @ q
            start, rest = start + found, rest - found @ q.T
        scale = np.sqrt((rest**2).sum(1) / (n - p))
        scale[scale <= 1e-12 * np.abs(y).max(1)] = 0.0
        columns, scores = np.zeros((len(group), k, p)), np.zeros((b, len(group), k))
        columns[who, when] = q
        scores[:, who, when] = np.divide(rest, scale[:, None], where=scale[:, None] > 0,
                                         out=np.zeros_like(rest))
        mask = np.zeros((len(group), k + 1), np.int8)
        mask[who, when], mask[:, k] = 1, group
        whole = [mask[group == g].any(0) for g in np.unique(group) if complete]
        seen, which = distinct(np.vstack([mask, *whole]))
        which = which[:len(mask)]
        counts = np.bincount(which, minlength=len(seen))
        cross = np.empty((b, len(seen), k, k, p + 1, p + 1))
        for pattern, out in enumerate(np.moveaxis(cross, 1, 0)):
            own = which == pattern
            x, e = columns[own].reshape(own.sum(), k * p), scores[:, own].swapaxes(1, 2)
            out[..., :p, :p] = (x.T @ x).reshape(k, p, k, p).transpose(0, 2, 1, 3)
            out[..., p, :p] = (e @ x).reshape(b, k, k, p)
            out[..., :p, p] = out[..., p, :p].swapaxes(1, 2)
            out[..., p, p] = e @ e.swapaxes(1, 2)

        def each(x):
            return np.tile(x, (b, *(1,) * x.ndim))

        return cls(each(counts[None].astype(float)), cross.reshape(b, 1, len(seen) * k * k, -1),
                   each(T @ A), start, scale, np.full(b, n), each(seen[:, :k] > 0),
                   each(seen[:, k].astype(int)))

    def taken(self, which):
        """Some of the problems."""
        return Rows(*(one[which] for one in self))

    def total(self, w):
        """Sums over participants of Z' w Z, for w (B, m, P, k, k): (B, G, m, a, a)."""
        a = round(np.sqrt(self.cross.shape[-1]))
        out = w.reshape(*w.shape[:2], -1)[:, None] @ self.cross
        return out.reshape(*out.shape[:-1], a, a)

    def moved(self, m):
        """Sums over participants of Z m Z' by pattern, for m (B, G, a, a): (B, P, k, k)."""
        out = (self.cross @ m.reshape(*m.shape[:2], -1, 1)).sum(1)
        return out.reshape(*self.seen.shape, -1)

    @staticmethod
    def joined(x):
        """Matrices by block (B, G, m, p, p) as block-diagonal ones, (B, m, G p, G p)."""
        b, g, m, p, _ = x.shape
        out = np.zeros((b, m, g, p, g, p))
        for block in range(g):
            out[:, :, block, :, block] = x[:, block]
        return out.reshape(b, m, g * p, g * p)

    def constants(self, reml):
        """What `Point.value` leaves out of lme4's REMLcrit or ML deviance, (B,)."""
        df = self.n_rows - self.start.shape[1] * reml
        with np.errstate(divide="ignore"):  # of scores that the design determines
            value = df * (np.log(2 * np.pi) + 2 * np.log(self.scale))
        return value - 2 * np.linalg.slogdet(self.back)[1] if reml else value

    def pairwise(self):
        """Covariances (B, k, k) of the OLS residuals from pairs, and participants behind each."""
        residual = np.zeros((*self.counts.shape[:2], *(round(np.sqrt(self.cross.shape[-1])),) * 2))
        residual[..., -1, -1] = 1
        both = self.seen[:, :, :, None] & self.seen[:, :, None]
        together = (self.counts.sum(1)[..., None, None] * both).sum(1)
        return self.moved(residual).sum(1) / np.maximum(together, 1), together


class Point(NamedTuple):
    """-2 log likelihood at one theta (B, q) a problem, in `Rows`' scaled units.

    nan where V of a pattern is not positive definite. ``hessian`` is the second derivative
    (twice the observed information), ``expected`` its expectation; ``phi`` (B, G, p, p) =
    (Z'V^-1Z)^-1, ``gamma`` (B, G, p) the GLS coefficients of the OLS residual, ``slopes``
    (B, G, q, p, p) = Z'V^-1 G_j V^-1 Z; ``wg``, ``wgw`` (B, q, P, k, k) V^-1 G_j (V^-1);
    ``reserve`` (B,) the least share of a visit's variance that the visits before it leave.
    """

    theta: np.ndarray
    value: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    expected: np.ndarray
    phi: np.ndarray
    gamma: np.ndarray
    slopes: np.ndarray
    wg: np.ndarray
    wgw: np.ndarray
    reserve: np.ndarray

    @classmethod
    def at(cls, rows, theta, basis, reml=True):
        """Everything at theta, of sigma = sum theta_j basis_j, basis (q, k, k) or of each group
        (q, 2, k, k).
        """
        basis = basis[:, None] if basis.ndim == 3 else basis[:, rows.group[0]]
        both = rows.seen[:, :, :, None] & rows.seen[:, :, None]
        v = np.where(both, np.tensordot(theta, basis, 1), np.eye(basis.shape[-1]))
        root = inverse_root(v)
        left = np.diagonal(root, axis1=-2, axis2=-1)
        w = np.where(both, root.swapaxes(-1, -2) @ root, 0.0)
        wg = w[:, None] @ basis
        wgw = wg @ w[:, None]
        n = rows.counts.sum(1)
        a, t = rows.total(w[:, None])[:, :, 0], rows.total(wgw)
        inner = inverse_root(a[..., :-1, :-1])
        phi = inner.swapaxes(-1, -2) @ inner
        gamma = (phi @ a[..., :-1, -1:])[..., 0]
        e = np.concatenate([-gamma, np.ones((*gamma.shape[:2], 1))], 2)
        u = (t @ e[:, :, None, :, None])[..., 0]
        quadratic = _second(wg, wgw, rows.moved(e[..., None] * e[..., None, :]))
        quadratic -= (u[..., :-1] @ phi @ u[..., :-1].swapaxes(-1, -2)).sum(1)
        flat = (*wg.shape[:2], -1)
        expected = (wg * n[:, None, :, None, None]).reshape(flat) @ (
            wg.swapaxes(-1, -2).reshape(flat).swapaxes(1, 2))
        gradient = np.einsum("bjpxx,bp->bj", wg, n) - (u * e[:, :, None]).sum((1, 3))
        value = -2 * (np.log(left).sum(-1) * n).sum(1)
        value += (e * (a @ e[..., None])[..., 0]).sum((1, 2))
        slopes = t[..., :-1, :-1]
        if reml:
            around = np.zeros_like(a)
            around[..., :-1, :-1] = phi
            tphi = (slopes @ phi[:, :, None]).reshape(*slopes.shape[:3], -1)
            turned = (phi[:, :, None] @ slopes).reshape(tphi.shape)
            expected += (tphi @ turned.swapaxes(-1, -2)).sum(1)
            expected -= 2 * _second(wg, wgw, rows.moved(around))
            gradient -= np.einsum("bgjxy,bgxy->bj", slopes, phi)
            value -= 2 * np.log(np.diagonal(inner, axis1=-2, axis2=-1)).sum((1, 2))
        return cls(theta, value, gradient, 2 * quadratic - expected, expected, phi, gamma, slopes,
                   wg, wgw, 1 / (left**2 * np.diagonal(v, axis1=-2, axis2=-1)).max((1, 2)))


def _second(wg, wgw, s):
    """tr(V^-1 G_i V^-1 G_j V^-1 s) summed over patterns: (B, q, q)."""
    left = (s[:, None] @ wgw).reshape(*wg.shape[:2], -1)
    return left @ wg.reshape(left.shape).swapaxes(1, 2)


def inverse_root(a):
    """Inverse Cholesky factors of matrices (..., m, m); nan where not positive definite."""
    m = a.shape[-1]
    root, out = np.zeros_like(a), np.zeros_like(a)
    with np.errstate(invalid="ignore", divide="ignore"):
        for j in range(m):
            row = root[..., j, None, :j]
            column = a[..., j:, j] - (root[..., j:, :j] * row).sum(-1)
            root[..., j:, j] = column / np.sqrt(column[..., :1])
            out[..., j, j] = 1.0
            out[..., j, :j] = -(root[..., j, :j, None] * out[..., :j, :j]).sum(-2)
            out[..., j, :j + 1] /= root[..., j, j, None]
    return out


def inverse(a, least=1e-10):
    """Inverses of matrices (..., m, m), nan where not positive definite.

    Scaled to a diagonal of 1, every pivot must be above ``least``.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = 1 / np.sqrt(np.diagonal(a, axis1=-2, axis2=-1))
        scale = scale[..., None] * scale[..., None, :]
        scaled = a * scale
        root = inverse_root(scaled)
        fine = (np.diagonal(root, axis1=-2, axis2=-1) < least**-0.5).all(-1)[..., None, None]
        inverted = np.linalg.inv(np.where(fine, scaled, np.eye(a.shape[-1])))
        return np.where(fine, inverted * scale, np.nan)


def newton(rows, theta, basis, reml):
    """Minimise -2 log likelihood from theta (B, q).

    Newton's method on the exact derivatives (Lindstrom and Bates, JASA 1988;83:1014-22), Fisher
    scoring where the Hessian is not positive definite, halving steps that leave the positive
    definite matrices or raise the criterion.

    Returns
    -------
    theta : ndarray (B, q)
    value : ndarray (B,)
        Both nan where there is no strict minimum that leaves every visit 1e-4 of its variance
        given those before, beyond which rounding decides.
    why : ndarray of str (B,)
        The reason where there is none.
    """
    found, value = np.full_like(theta, np.nan), np.full(len(theta), np.nan)
    why = np.full(len(theta), f"no convergence in {STEPS} steps", object)
    live, point = np.arange(len(theta)), Point.at(rows, theta, basis, reml)
    before = np.full(len(theta), np.inf)
    for _ in range(STEPS):
        inverted = inverse(point.hessian)
        curved = np.isfinite(inverted).all((1, 2))
        inverted = np.where(curved[:, None, None], inverted, inverse(point.expected))
        move = -(inverted @ point.gradient[..., None])[..., 0]
        decrement = -(move * point.gradient).sum(1)
        singular = point.reserve < SINGULAR
        # the error is the decrement's square after the move; rounding may keep it from falling
        done = (decrement < 1e-17) | ((decrement < 1e-12) & (decrement >= before / 4))
        done &= curved & ~singular
        found[live[done]], value[live[done]] = (point.theta + move)[done], point.value[done]
        why[live[done]] = ""
        why[live[singular]] = "the likelihood rises towards a singular covariance matrix"
        lost = ~singular & ~np.isfinite(decrement)
        why[live[lost]] = np.where(np.isfinite(point.value[lost]),
                                   "the information matrix is singular",
                                   "no step lowers the criterion")
        go = ~(done | singular | lost)
        if not go.any():
            break
        live, rows, before = live[go], rows.taken(go), decrement[go]
        point = _descended(rows, basis, Point(*(one[go] for one in point)), move[go], before, reml)
    return found, value, why


def _descended(rows, basis, point, move, decrement, reml):
    """The point after a step, halved where the criterion does not fall; nan where it never does."""
    after = Point.at(rows, point.theta + move, basis, reml)
    for halving in range(1, HALVINGS + 1):
        # close to the optimum the criterion's rounding hides the descent
        bad = np.flatnonzero(~((after.value < point.value) | (decrement < 1e-8))
                             | ~np.isfinite(after.value))
        if not len(bad):
            break
        if halving == HALVINGS:
            after.value[bad] = after.gradient[bad] = np.nan
            break
        shorter = point.theta[bad] + move[bad] / 2**halving
        again = Point.at(rows.taken(bad), shorter, basis, reml)
        for whole, part in zip(after, again, strict=True):
            whole[bad] = part
    return after
