"""Linear mixed model with a random intercept, exact and batched.

``y = X b + Z u + e`` with one grouping factor (participants): within a participant
``V = var_residual (I + ratio J)``. REML and ML profile out everything but the one ratio, whose
global optimum on [0, inf) is found to rounding; covariances are GLS, ``(X'V^-1X)^-1`` at the
estimate, as lme4, nlme, SPSS and Stata report them (statsmodels' differ on unbalanced data).

Three ways in, none with a Python loop over fits:

* `random_intercept`, one design and any number of responses: the design is reduced once, a
  further response costs a few matrix-vector products (`Reduction`);
* `random_intercept` with designs or missing patterns of their own (X of three dimensions, or a
  mask), and `from_moments`: p x p moment matrices, one for each number of rows a participant has;
* `random_intercept_arms`: one trial under many allocations; the moments are linear in the arms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, ndtr

from . import _batches as batches
from ._reduction import Layout, Moments, require_full_rank

__all__ = ["Contrast", "Moments", "RandomIntercept", "Residuals", "Wald", "contrast",
           "from_moments", "moments", "random_intercept", "random_intercept_arms", "residuals",
           "wald"]


@dataclass(frozen=True)
class RandomIntercept:
    """Fits of a random-intercept model; every array has the batch's shape in front.

    Attributes
    ----------
    beta : ndarray (..., p)
        Fixed effects, units of y per unit of the column.
    cov : ndarray (..., p, p)
        Their GLS covariance, (X'V^-1X)^-1.
    var_participant, var_residual : ndarray (...)
        Variances, units of y squared.
    ratio : ndarray (...)
        var_participant / var_residual.
    criterion : ndarray (...)
        -2 log (restricted) likelihood by lme4's convention (``REMLcrit``, ML ``deviance``).
    converged : ndarray of bool (...)
        False where there is no estimate: y is fitted exactly, or within every participant,
        or (in a batch, ``deficient="nan"``) X is rank-deficient.
    boundary : ndarray of bool (...)
        True where the ratio is exactly 0.
    n_groups, n_rows : ndarray of int (...)
    reml : bool
    """

    beta: np.ndarray
    cov: np.ndarray
    var_participant: np.ndarray
    var_residual: np.ndarray
    ratio: np.ndarray
    criterion: np.ndarray
    converged: np.ndarray
    boundary: np.ndarray
    n_groups: np.ndarray
    n_rows: np.ndarray
    reml: bool

    @property
    def se(self):
        """Standard errors (..., p)."""
        return np.sqrt(np.diagonal(self.cov, axis1=-2, axis2=-1))


@dataclass(frozen=True)
class Contrast:
    """Linear contrasts with z inference: ``estimate``, ``se``, ``z``, two-sided ``p``."""

    estimate: np.ndarray
    se: np.ndarray
    z: np.ndarray
    p: np.ndarray


@dataclass(frozen=True)
class Wald:
    """Joint test of contrasts: ``chi2`` on ``df1`` degrees of freedom, ``p``."""

    chi2: np.ndarray
    df1: int
    p: np.ndarray


@dataclass(frozen=True)
class Residuals:
    """Diagnostics of one fit, rows in the order given.

    ``fitted`` = X beta + mode; ``conditional`` = y - fitted; ``marginal`` = y - X beta;
    ``participants`` (q,) are the sorted labels, ``modes`` (q,) their conditional modes (BLUPs).
    """

    fitted: np.ndarray
    conditional: np.ndarray
    marginal: np.ndarray
    participants: np.ndarray
    modes: np.ndarray


def random_intercept(y, X, groups, *, reml=True, mask=None, deficient="raise"):
    """Fit random-intercept models, one or a batch.

    Parameters
    ----------
    y : array (..., N)
        Responses in long form, observed rows only.
    X : array (N, p) or (..., N, p)
        Fixed-effect designs. Two dimensions: one design for all responses (quickest).
    groups : array (N,)
        Participant of each row, any labels, in any order.
    reml : bool
        REML, or maximum likelihood.
    mask : array of bool (..., N), optional
        Rows that count, where the missing pattern differs within the batch. y and X may hold
        anything, nan too, in the other rows.
    deficient : {"raise", "nan"}
        A rank-deficient X in a batch of designs or masks: an error, or nan and
        ``converged=False`` for that one.

    Returns
    -------
    RandomIntercept
        Arrays with the broadcast batch shape of y, X and mask in front.

    Raises
    ------
    ValueError
        Shapes that do not fit; a value that is not finite; dependent columns of X, named by
        index; no participant with two rows, or nothing left within or between participants
        to estimate a variance from.

    Notes
    -----
    Profile of Bates et al., J Stat Softw 2015;67(1), eqs 34 and 41, at one grouping factor.
    """
    y, X, codes, mask = _checked(y, X, groups, mask, deficient)
    if X.ndim == 2 and mask is None:
        shape = y.shape[:-1]
        fit = batches.one_design(y.reshape(-1, y.shape[-1]), X, codes, reml)
    else:
        shapes = [y.shape[:-1], X.shape[:-2]] + ([] if mask is None else [mask.shape[:-1]])
        shape = np.broadcast_shapes(*shapes)
        flat = _flat(y, X, mask, shape)
        fit = batches.many_designs(*flat, codes, reml, deficient)
    return _shaped(fit, shape, reml)


def random_intercept_arms(y, common, by_arm, groups, arms, *, reml=True):
    """Fit one trial under many allocations: the design is [common, arm * by_arm].

    Parameters
    ----------
    y : array (N,)
        Response in long form, observed rows only.
    common : array (N, k)
        Columns that no allocation changes: intercept, visits, covariates.
    by_arm : array (N, m)
        Columns multiplied by the participant's arm: ones, visits.
    groups : array (N,)
        Participant of each row.
    arms : array (..., q)
        Allocations (0 or 1, or any number), participants in sorted order of their labels.
    reml : bool

    Returns
    -------
    RandomIntercept
        beta in the order [common, arm * by_arm].

    Raises
    ------
    ValueError
        As `random_intercept`.
    """
    y, common, codes, _ = _checked(y, common, groups, None, "raise")
    by_arm, arms = np.asarray(by_arm, float), np.asarray(arms, float)
    q = codes.max() + 1
    if y.ndim != 1 or common.ndim != 2 or by_arm.shape[:1] != y.shape or arms.shape[-1:] != (q,):
        raise ValueError(f"expected y (N,), common (N, k), by_arm (N, m), arms (..., {q}); got "
                         f"{y.shape}, {common.shape}, {by_arm.shape}, {arms.shape}")
    if not (np.isfinite(by_arm).all() and np.isfinite(arms).all()):
        raise ValueError("by_arm or arms holds a value that is not finite")
    require_full_rank(common)
    require_full_rank(by_arm)
    k, m = common.shape[1], by_arm.shape[1]
    qc, rc = np.linalg.qr(common)
    qd, rd = np.linalg.qr(by_arm)
    start = qc.T @ y
    back = np.zeros((k + m, k + m))
    back[:k, :k], back[k:, k:] = np.linalg.inv(rc), np.linalg.inv(rd)
    shift = np.concatenate([start, np.zeros(m)])
    pieces = batches.ArmMoments.of(qc, qd, y - qc @ start, codes)
    flat = arms.reshape(-1, q)

    def data(i):
        return y, np.c_[common, flat[i][codes, None] * by_arm], codes

    fit = batches.joined([
        batches.by_moments(*pieces.at(flat[at:at + batches.CHUNK]), reml, back, shift)
        for at in range(0, len(flat), batches.CHUNK)])
    return _shaped(batches.refitted(fit, data, reml, "raise"), arms.shape[:-1], reml)


def from_moments(moments, *, reml=True):
    """Fit from `Moments` alone, as a search that updates moments participant by participant does.

    Parameters
    ----------
    moments : Moments
        Leading batch axes on ``counts``, ``within`` and ``between``. Columns of comparable size
        and a y without a large mean keep the digits.
    reml : bool

    Returns
    -------
    RandomIntercept
        Rank-deficient or near-deficient problems are nan with ``converged=False``.
    """
    shape = moments.within.shape[:-2]
    a, k = moments.within.shape[-1], len(moments.sizes)
    counts = np.broadcast_to(moments.counts, (*shape, k)).reshape(-1, k)
    within, between = moments.within.reshape(-1, a, a), moments.between.reshape(-1, k, a, a)
    parts = []
    for at in range(0, len(within), batches.CHUNK):
        cut = slice(at, at + batches.CHUNK)
        part = Moments(moments.sizes, counts[cut], within[cut], between[cut])
        parts.append(batches.by_moments(*batches.batch_last(part), reml, np.eye(a - 1),
                                        np.zeros(a - 1)))
    fit = batches.joined(parts)
    return _shaped(batches.blanked(fit, np.isnan(fit["beta"]).any(1)), shape, reml)


def moments(y, X, groups):
    """Moment matrices of one data set: see `Moments`; y (N,), X (N, p), groups (N,)."""
    y, X, codes, _ = _checked(y, X, groups, None, "raise")
    layout = Layout.of(codes)
    means, rest = layout.split(np.c_[X, y][layout.order])
    between = np.stack([means[b].T @ means[b] for b in layout.blocks])
    return Moments(layout.sizes, layout.counts.astype(float), rest.T @ rest, between)


def contrast(fit, L):
    """Contrasts L beta with z statistics and two-sided normal p.

    Parameters
    ----------
    fit : RandomIntercept
    L : array (p,) or (m, p)

    Returns
    -------
    Contrast
        Arrays of the batch's shape, with a last axis m when L has two dimensions.
    """
    L = np.asarray(L, float)
    estimate = fit.beta @ L.T
    if L.ndim == 1:
        variance = np.einsum("i,...ij,j->...", L, fit.cov, L)
    else:
        variance = np.einsum("mi,...ij,mj->...m", L, fit.cov, L)
    se = np.sqrt(variance)
    z = estimate / se
    return Contrast(estimate, se, z, 2 * ndtr(-np.abs(z)))


def wald(fit, L):
    """Wald chi-square of L beta = 0, L (m, p) of full row rank, on m degrees of freedom."""
    L = np.atleast_2d(np.asarray(L, float))
    if np.linalg.matrix_rank(L) < len(L):
        raise ValueError("the rows of L are linearly dependent; leave out the redundant ones")
    estimate = fit.beta @ L.T
    solved = np.linalg.solve(L @ fit.cov @ L.T, estimate[..., None])[..., 0]
    chi2 = (estimate * solved).sum(-1)
    return Wald(chi2, len(L), chdtrc(len(L), chi2))


def residuals(fit, y, X, groups):
    """Fitted values, residuals and conditional modes of one fit on its own rows.

    Parameters
    ----------
    fit : RandomIntercept
        One fit, no batch axis.
    y, X, groups : arrays (N,), (N, p), (N,)

    Returns
    -------
    Residuals
        Mode of a participant with n rows: ratio / (1 + n ratio) times the sum of its marginal
        residuals.
    """
    if fit.beta.ndim != 1:
        raise ValueError("residuals are of one fit; this one has batch axes")
    y, X = np.asarray(y, float), np.asarray(X, float)
    participants, codes = np.unique(groups, return_inverse=True)
    marginal = y - X @ fit.beta
    shrink = fit.ratio / (1 + np.bincount(codes) * fit.ratio)
    modes = shrink * np.bincount(codes, weights=marginal)
    fitted = X @ fit.beta + modes[codes]
    return Residuals(fitted, y - fitted, marginal, participants, modes)


def _checked(y, X, groups, mask, deficient):
    y, X = np.asarray(y, float), np.asarray(X, float)
    if deficient not in ("raise", "nan"):
        raise ValueError(f"deficient: {deficient!r} is neither 'raise' nor 'nan'")
    n = y.shape[-1] if y.ndim else 0
    if n < 1 or X.ndim < 2 or X.shape[-2] != n or np.shape(groups) != (n,):
        raise ValueError(f"expected y (..., N), X (..., N, p), groups (N,); got {y.shape}, "
                         f"{X.shape}, {np.shape(groups)}")
    codes = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
    if mask is not None:
        mask = np.asarray(mask)
        if mask.dtype != bool or mask.shape[-1:] != (n,):
            raise ValueError(f"mask must be bool (..., {n}); got {mask.dtype} {mask.shape}")
        y, X = np.where(mask, y, 0.0), np.where(mask[..., None], X, 0.0)
    for name, values in (("y", y), ("X", X)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds a value that is not finite: pass observed rows only, "
                             "or a mask")
    return y, X, codes, mask


def _flat(y, X, mask, shape):
    n, p = X.shape[-2:]
    y = np.broadcast_to(y, (*shape, n)).reshape(-1, n)
    X = X if X.ndim == 2 else np.broadcast_to(X, (*shape, n, p)).reshape(-1, n, p)
    return y, X, None if mask is None else np.broadcast_to(mask, (*shape, n)).reshape(-1, n)


def _shaped(fit, shape, reml):
    arrays = {name: fit[name].reshape((*shape, *fit[name].shape[1:])) for name in batches.ARRAYS}
    return RandomIntercept(**arrays, reml=reml)
