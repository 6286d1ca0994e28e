"""Thousands of simulated trials at once: arm x visit models of two arms with monotone dropout.

Every visit of every arm has a mean of its own, so that given the covariance the arms fall apart
and a trial is its counts, sums and cross products by arm and number of visits seen. Random
intercept (its exact profile) and unstructured covariance (Newton) by REML, z, Satterthwaite and
Kenward-Roger, each the same number as `mixed`, `covariance` and `smallsample` give fit by fit;
and the re-randomisation test of the random intercept's contrast, every allocation refitted.

The contrast is the difference between arms in the change from visit 0 to a later visit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import stdtrit

from ._armwise import Profile
from ._profile import ratio
from .covariance import exchangeable, triangle

__all__ = ["Fits", "Inference", "Trials", "kenward_roger", "random_intercept", "rerandomise",
           "satterthwaite", "unstructured", "wald"]

CHUNK = 8192  # problems of the profile at once: about what stays in the cache
STEPS, HALVINGS = 40, 40
TIE = 1e-9  # relative: statistics this close are the same one but for rounding


@dataclass(frozen=True)
class Trials:
    """B trials reduced to sums by arm (control, treatment) and pattern (1 to k visits seen).

    ``counts`` (B, 2, k); ``sums`` (B, 2, k, k) of the scores by pattern and visit; ``cross``
    (B, k, k, k) of y y' by pattern; zero where a visit is not seen. Scores without a large
    common mean keep the digits.
    """

    counts: np.ndarray
    sums: np.ndarray
    cross: np.ndarray

    @classmethod
    def of(cls, y, seen, treated):
        """Reduce y (B, n, k), seen (B, n) the visits seen (1 to k), treated (n,) of 0 and 1."""
        patterns, scores = _features(y, seen)
        arms = [np.flatnonzero(np.asarray(treated) == g) for g in (0, 1)]
        sums = np.stack([patterns[:, a].swapaxes(1, 2) @ scores[:, a] for a in arms], 1)
        counts = np.stack([patterns[:, a].sum(1) for a in arms], 1)
        cross = np.stack([(scores * patterns[..., [p]]).swapaxes(1, 2) @ scores
                          for p in range(y.shape[-1])], 1)
        return cls(counts, sums, cross)

    @property
    def visits(self):
        """Number of visits k."""
        return self.counts.shape[-1]


@dataclass(frozen=True)
class Fits:
    """B fits.

    ``theta`` (B, q): Sigma = sum theta_j G_j, the G_j columns of ``basis`` (k k, q); ``rows``
    (B,) scores used; ``converged`` and ``boundary`` (zero variance of the random intercept)
    bool (B,); ``point`` the likelihood there.
    """

    theta: np.ndarray
    basis: np.ndarray
    rows: np.ndarray
    converged: np.ndarray
    boundary: np.ndarray
    point: _Point


@dataclass(frozen=True)
class Inference:
    """A contrast of B trials: ``estimate``, ``se``, ``df`` (inf under z), each (B,)."""

    estimate: np.ndarray
    se: np.ndarray
    df: np.ndarray

    def excludes(self, truth, confidence=0.95):
        """Whether the two-sided interval excludes ``truth``, bool (B,); False where nan."""
        return np.abs(self.estimate - truth) > stdtrit(self.df, (1 + confidence) / 2) * self.se


@np.errstate(divide="ignore", invalid="ignore")  # an arm may have nobody left
def random_intercept(trials):
    """REML fits of the random intercept, theta = (var_participant, var_residual).

    The profile is taken to have one minimum, as it has where most are seen at every visit.
    """
    parts, totals = [], trials.sums.sum(3)
    squares = trials.cross.sum((2, 3))
    length = np.einsum("bpii->b", trials.cross)
    for at in range(0, len(length), CHUNK):
        cut = slice(at, at + CHUNK)
        problem = Profile.of(
            *(np.ascontiguousarray(np.moveaxis(x[cut], 0, -1))
              for x in (trials.counts, totals, trials.sums.sum(2), squares, length)))
        t = problem.minimum(12)
        s2 = problem.at(t)[1] / problem.df
        parts.append(np.stack([ratio(t, problem.c)[0] * s2, s2], 1))
    theta = np.concatenate(parts)
    basis = exchangeable(trials.visits).reshape(2, -1).T
    return _fits(trials, theta, basis, np.isfinite(theta).all(1), theta[:, 0] == 0)


def unstructured(trials):
    """REML fits with a free covariance matrix, by Newton's method.

    Returns
    -------
    Fits
        ``theta`` the upper triangle row by row; nan and ``converged`` False where there is no
        strict minimum below the pairwise covariances or, failing that, their diagonal
        (`covariance.fit` then falls back).
    """
    k = trials.visits
    rows, columns = np.triu_indices(k)
    n = _tail(trials.counts)
    rest = _residual_cross(trials, trials.sums.sum(2) / n).sum(1)
    together = n.sum(1)[:, np.maximum.outer(np.arange(k), np.arange(k))]
    start = (rest / (together - 2))[:, rows, columns]
    theta = _newton(trials, start)
    lost = np.flatnonzero(np.isnan(theta[:, 0]))
    if len(lost):
        theta[lost] = _newton(_taken(trials, lost), start[lost] * (rows == columns))
    basis = triangle(k).reshape(-1, k * k).T
    return _fits(trials, theta, basis, np.isfinite(theta).all(1), np.zeros(len(theta), bool))


def _newton(trials, start):
    """Optima (B, q) of the unstructured criterion, nan where there is none from ``start``."""
    k = trials.visits
    basis = triangle(k).reshape(-1, k * k).T
    live, theta = np.arange(len(start)), np.full_like(start, np.nan)
    point = _Point.at(trials, start, basis)
    for _ in range(STEPS):
        inverse = _inverse(point.hessian)
        curved = np.isfinite(inverse).all((1, 2))
        inverse = np.where(curved[:, None, None], inverse, _inverse(point.expected))
        move = -(inverse @ point.gradient[..., None])[..., 0]
        decrement = -(move * point.gradient).sum(1)
        done = curved & (decrement < 1e-14)
        theta[live[done]] = (point.theta + move)[done]
        go = ~done & np.isfinite(decrement)
        if not go.any():
            break
        live = live[go]
        point = _descended(_taken(trials, live), basis, _taken(point, go), move[go])
    return theta


def wald(fits, visit):
    """The difference in change at ``visit`` (1 to k - 1), z reference: an `Inference`."""
    estimate, variance, _ = _contrast(fits, visit)
    return Inference(estimate, np.sqrt(variance), np.full(len(variance), np.inf))


def satterthwaite(fits, visit):
    """As `smallsample.satterthwaite`; at the boundary df is that of the residual variance."""
    estimate, variance, along = _contrast(fits, visit)
    df = _degrees(fits.point, variance, along, 2 * _inverse(fits.point.hessian))
    simple = fits.rows - 2 * along.shape[-1]
    return Inference(estimate, np.sqrt(variance), np.where(fits.boundary, simple, df))


def kenward_roger(fits, visit):
    """As `smallsample.kenward_roger`, expected information."""
    estimate, variance, along = _contrast(fits, visit)
    point, (b, _, k) = fits.point, along.shape
    weights = 2 * _inverse(point.expected)
    moved = (point.slopes.reshape(b, 2, k, k, -1) * along[:, :, None, :, None]).sum(3)
    excess = -(moved.swapaxes(2, 3) @ point.phi @ moved).sum(1)
    ahead = (point.w[:, None] @ along[:, :, None, :, None])[..., 0]
    turned = (ahead.reshape(-1, k) @ fits.basis.reshape(k, -1)).reshape(*ahead.shape, -1)
    second = turned.swapaxes(3, 4) @ point.w[:, None] @ turned
    excess += (second * point.counts[..., None, None]).sum((1, 2))
    adjusted = variance + 2 * (weights * excess).sum((1, 2))
    df = _degrees(point, variance, along, weights)
    return Inference(estimate, np.sqrt(adjusted), df)


def rerandomise(y, seen, arms):
    """Re-randomisation p values of the random intercept's contrasts, studentised, on |t|.

    Parameters
    ----------
    y : array (B, n, k)
    seen : array (B, n)
        Visits seen, 1 to k.
    arms : array (B, 1 + m, n)
        Allocations of 0 and 1 with the same arm sizes, the actual one first.

    Returns
    -------
    ndarray (B, k - 1)
        (1 + b) / (1 + m) for each later visit, b allocations at least as extreme.
    """
    patterns, scores = _features(y, seen)
    k, total = y.shape[-1], scores.sum(2, keepdims=True)
    features = np.concatenate([patterns, patterns * total, scores], 2)
    squares, length = (patterns * total**2).sum(1), (scores**2).sum((1, 2))
    out, m = [], arms.shape[1]
    step = max(1, CHUNK // m)
    for at in range(0, len(y), step):
        cut = slice(at, at + step)
        f = features[cut].swapaxes(1, 2)
        treated = f @ arms[cut].swapaxes(1, 2).astype(float)
        both = np.stack([f.sum(2, keepdims=True) - treated, treated]).transpose(2, 0, 1, 3)
        both = np.ascontiguousarray(both).reshape(3, k, 2, -1).swapaxes(1, 2)
        problem = Profile.of(both[0], both[1], both[2], np.repeat(squares[cut].T, m, 1),
                              np.repeat(length[cut], m))
        t = np.abs(problem.studentised()).reshape(k - 1, -1, m)
        extreme = (~(t[..., 1:] < t[..., :1] * (1 - TIE))).sum(2)
        out.append(((1 + extreme) / m).T)
    return np.concatenate(out)


def _features(y, seen):
    """Patterns (B, n, k) of 0 and 1; scores (B, n, k), 0 where not seen."""
    k = y.shape[-1]
    patterns = (seen[..., None] == np.arange(1, k + 1)).astype(float)
    return patterns, np.where(np.arange(k) < seen[..., None], y, 0.0)


def _tail(x):
    """Sums from each pattern on: of those seen at each visit."""
    return x[..., ::-1].cumsum(-1)[..., ::-1]


def _taken(batch, which):
    """Some problems of a dataclass of arrays with the problem on the first axis."""
    return type(batch)(*(getattr(batch, f.name)[which] for f in fields(batch)))


def _fits(trials, theta, basis, converged, boundary):
    rows = (trials.counts @ np.arange(1, trials.visits + 1)).sum(1)
    return Fits(theta, basis, rows, converged, boundary, _Point.at(trials, theta, basis))


def _residual_cross(trials, mean):
    """Cross products of y - mean (B, 2, k) by pattern: (B, k, k, k)."""
    mu = mean[:, :, None] * np.tri(trials.visits)
    mixed = trials.sums[..., :, None] * mu[..., None, :]
    square = trials.counts[..., None, None] * mu[..., :, None] * mu[..., None, :]
    return trials.cross - (mixed + mixed.swapaxes(3, 4) - square).sum(1)


def _inverse_root(a):
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


def _inverse(a):
    root = _inverse_root(a)
    return root.swapaxes(-1, -2) @ root


@dataclass(frozen=True)
class _Point:
    """REML criterion (-2 log likelihood, but for a constant) and derivatives at theta (B, q).

    Batched twin of `_patterns.Point`: ``w`` (B, k, k, k) V^-1 by pattern; ``phi`` (B, 2, k, k)
    covariance of an arm's means; ``slopes`` (B, 2, k k, q) X'V^-1 G_j V^-1 X by arm.
    """

    theta: np.ndarray
    value: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    expected: np.ndarray
    counts: np.ndarray
    w: np.ndarray
    phi: np.ndarray
    mean: np.ndarray
    slopes: np.ndarray

    @classmethod
    def at(cls, trials, theta, basis):
        """Everything at theta; nan where a matrix is not positive definite."""
        counts, (b, _, k) = trials.counts, trials.counts.shape
        root = _inverse_root((theta @ basis.T).reshape(b, k, k))
        w = (root[..., :, None] * root[..., None, :]).cumsum(1)
        flat = w.reshape(b, k, -1)
        inner = _inverse_root((counts @ flat).reshape(b, 2, k, k))
        phi = inner.swapaxes(2, 3) @ inner
        mean = (phi @ (w[:, None] @ trials.sums[..., None]).sum(2))[..., 0]
        rest = _residual_cross(trials, mean)
        n = counts.sum(1)
        logs = [np.log(np.diagonal(x, axis1=-2, axis2=-1)) for x in (root, inner)]
        value = -2 * ((_tail(n) * logs[0]).sum(1) + logs[1].sum((1, 2)))
        value += (w * rest).sum((1, 2, 3))
        kron = (w[..., :, None, :, None] * w[..., None, :, None, :]).reshape(b, k, k * k, -1)
        moved = kron @ basis
        slopes = (counts @ moved.reshape(b, k, -1)).reshape(b, 2, k * k, -1)
        gradient = (n[:, None] @ flat)[:, 0] @ basis
        gradient -= (moved * rest.reshape(b, k, -1, 1)).sum((1, 2))
        gradient -= (slopes * phi.reshape(b, 2, -1, 1)).sum((1, 2))
        around = (counts.swapaxes(1, 2) @ phi.reshape(b, 2, -1)).reshape(w.shape)
        expected = _second(w, n[..., None, None] * w - 2 * w @ around @ w, basis)
        twice = (phi[..., :, None, :, None] * phi[..., None, :, None, :]).reshape(
            b, 2, k * k, k * k)
        expected += (slopes.swapaxes(2, 3) @ twice @ slopes).sum(1)
        left = trials.sums - counts[..., None] * mean[:, :, None] * np.tri(k)
        u = (moved.reshape(b, 1, k, k, k, -1) * left[..., None, :, None]).sum((2, 4))
        quadratic = _second(w, w @ rest @ w, basis) - (u.swapaxes(2, 3) @ phi @ u).sum(1)
        return cls(theta, value, gradient, 2 * quadratic - expected, expected, counts, w, phi,
                   mean, slopes)


def _second(w, s, basis):
    """tr(G_i w G_j s) summed over patterns, w and s (B, P, k, k): (B, q, q)."""
    b, p, k, _ = w.shape
    q = basis.shape[1]
    g = basis.reshape(k, k, q)
    pairs = np.einsum("ika,jlb->ijklab", g, g).reshape(k**4, q * q)
    both = w.reshape(b, p, -1).swapaxes(1, 2) @ s.reshape(b, p, -1)
    out = (both.reshape(b, -1) @ pairs).reshape(b, q, q)
    return (out + out.swapaxes(1, 2)) / 2


def _descended(trials, basis, point, move):
    """The point after a Newton step, halved where the criterion does not fall."""
    after = _Point.at(trials, point.theta + move, basis)
    decrement = -(move * point.gradient).sum(1)
    for halving in range(1, HALVINGS):
        # close to the optimum the criterion's rounding hides the descent
        bad = np.flatnonzero(~((after.value < point.value) | (decrement < 1e-8))
                             | ~np.isfinite(after.value))
        if not len(bad):
            break
        shorter = point.theta[bad] + move[bad] / 2**halving
        again = _Point.at(_taken(trials, bad), shorter, basis)
        for f in fields(after):
            getattr(after, f.name)[bad] = getattr(again, f.name)
    return after


def _contrast(fits, visit):
    """Estimate, GLS variance (B,), and phi l by arm (B, 2, k), l the change's weights."""
    phi, mean = fits.point.phi, fits.point.mean
    along = phi[..., visit] - phi[..., 0]
    change = mean[..., visit] - mean[..., 0]
    return (change[:, 1] - change[:, 0], (along[..., visit] - along[..., 0]).sum(1), along)


def _degrees(point, variance, along, weights):
    """2 v^2 / (g' A g)."""
    square = (along[..., :, None] * along[..., None, :]).reshape(*along.shape[:2], -1, 1)
    g = (point.slopes * square).sum((1, 2))
    return 2 * variance**2 / (g * (weights @ g[..., None])[..., 0]).sum(1)
