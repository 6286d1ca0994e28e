"""Small-sample inference for `covariance.Fit`: Satterthwaite and Kenward-Roger.

The parameters are variances and covariances, in which V is linear, so that Kenward and Roger's
term in second derivatives of V is zero. For an unstructured matrix mmrm by default takes
Cholesky factors for parameters, another number; its ``vcov = "Kenward-Roger-Linear"`` and SAS's
``ddfm=kr`` have the term zero too, but both weigh with the observed information
(``information="observed"`` here), where Kenward and Roger, and pbkrtest, have the expected.

At a zero variance of the random intercept (``fit.boundary``) neither df can be trusted:
Satterthwaite takes the residual variance for the only parameter, which gives N - p as lmerTest
does; Kenward-Roger evaluates its formulas there, as pbkrtest does. Both theories expand around
an interior point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import fdtrc, stdtr, stdtrit

from .covariance import basis_of

__all__ = ["Contrast", "FTest", "kenward_roger", "kenward_roger_cov", "kenward_roger_f",
           "satterthwaite", "satterthwaite_f"]


@dataclass(frozen=True)
class Contrast:
    """Contrasts with t inference, scalars for one row of L, else arrays (m,).

    ``estimate``, ``se``, ``low``, ``high`` in units of y; ``df``; ``t``; two-sided ``p``.
    """

    estimate: np.ndarray
    se: np.ndarray
    df: np.ndarray
    t: np.ndarray
    p: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class FTest:
    """Joint test: ``f`` (with ``scaling`` applied) on ``df1``, ``df2``; ``p``.

    ``scaling`` is Kenward and Roger's lambda, 1 for Satterthwaite.
    """

    f: float
    df1: int
    df2: float
    p: float
    scaling: float


@dataclass(frozen=True)
class _Information:
    """What both methods need at the estimate, in `Rows`' scaled units.

    ``weights`` (q, q) covariance of theta; ``slopes`` (q, p, p) X'V^-1 G_j V^-1 X Phi, so that
    Phi slopes_j is Phi's derivative; ``phi`` and ``adjusted`` (p, p) covariance of beta, the
    second Kenward-Roger's.
    """

    phi: np.ndarray
    adjusted: np.ndarray
    slopes: np.ndarray
    weights: np.ndarray


def satterthwaite(fit, L, *, confidence=0.95):
    """Contrasts L beta with Satterthwaite's degrees of freedom.

    df = 2 v^2 / (g' A g), v = L Phi L', g its gradient and A the covariance of the variance
    parameters from the observed information, as lmerTest has it (Kuznetsova et al., J Stat
    Softw 2017;82(13)); REML or ML, as fitted.

    Parameters
    ----------
    fit : covariance.Fit
    L : array (p,) or (m, p)
    confidence : float

    Returns
    -------
    Contrast
        nan where the fit has not converged. At ``fit.boundary`` df = N - p: see the module.
    """
    return _contrast(fit, L, _unadjusted, confidence)


def kenward_roger(fit, L, *, confidence=0.95, information="expected"):
    """Contrasts L beta with Kenward and Roger's standard errors and degrees of freedom.

    Kenward and Roger, Biometrics 1997;53:983-97, expected information, variances and covariances
    as parameters; as pbkrtest (Halekoh and Hojsgaard, J Stat Softw 2014;59(9)).

    Parameters
    ----------
    fit : covariance.Fit
        By REML.
    L : array (p,) or (m, p)
    confidence : float
    information : {"expected", "observed"}
        For the covariance of the variance parameters: as the paper and pbkrtest, or as SAS and
        mmrm.

    Returns
    -------
    Contrast
        nan where the fit has not converged. At ``fit.boundary`` not trustworthy: see the module.

    Raises
    ------
    ValueError
        A fit by maximum likelihood.
    """
    return _contrast(fit, L, partial(_adjusted, information=information), confidence)


def satterthwaite_f(fit, L):
    """F test of L beta = 0, L (m, p) of full row rank, as lmerTest's ``contestMD``.

    L beta is rotated to uncorrelated contrasts; the df of their mean squared t comes from the
    mean of an F on each one's df (Fai and Cornelius, J Stat Comput Simul 1996;54:363-78).
    """
    L = _rows_of(L, fit)
    m = len(L)
    if not fit.converged:
        return FTest(np.nan, m, np.nan, np.nan, 1.0)
    info, scaled = _unadjusted(fit), _scaled(fit, L)
    values, vectors = np.linalg.eigh(scaled @ info.phi @ scaled.T)
    rotated = vectors.T @ scaled
    df = _degrees(rotated, info)
    f = float((((vectors.T @ (L @ fit.beta)) / fit.rows.scale) ** 2 / values).sum() / m)
    if m == 1 or np.ptp(df) < 1e-8:
        df2 = float(df.mean())
    elif (df <= 2).any():
        df2 = 2.0
    else:
        mean = (df / (df - 2)).sum()
        df2 = float(2 * mean / (mean - m))
    return FTest(f, m, df2, float(fdtrc(m, df2, f)), 1.0)


def kenward_roger_f(fit, L, *, information="expected"):
    """F test of L beta = 0, L (m, p) of full row rank, as pbkrtest's ``KRmodcomp``.

    The statistic is lambda times the Wald F of the adjusted covariance; lambda and the
    denominator df match two moments (Kenward and Roger 1997, section 3). Where they give a df of
    2 or less there is no such F: ``f`` and ``p`` are nan.
    """
    L = _rows_of(L, fit)
    m = len(L)
    if not fit.converged:
        return FTest(np.nan, m, np.nan, np.nan, np.nan)
    info, scaled = _adjusted(fit, information), _scaled(fit, L)
    df2, scaling = _moments(scaled, info)
    estimate = (L @ fit.beta) / fit.rows.scale
    wald = estimate @ np.linalg.solve(scaled @ info.adjusted @ scaled.T, estimate) / m
    f = float(scaling * wald) if m == 1 or df2 > 2 else np.nan
    return FTest(f, m, df2, float(fdtrc(m, df2, f)), scaling)


def kenward_roger_cov(fit, *, information="expected"):
    """Kenward and Roger's adjusted covariance of beta (p, p), units of y squared."""
    if not fit.converged:
        return np.full_like(fit.cov, np.nan)
    inverse = np.linalg.inv(fit.rows.root)
    return fit.rows.scale ** 2 * inverse @ _adjusted(fit, information).adjusted @ inverse.T


def _moments(scaled, info):
    """Denominator df and lambda of the F test."""
    m = len(scaled)
    if m == 1:
        return float(_degrees(scaled, info)[0]), 1.0
    theta = scaled.T @ np.linalg.solve(scaled @ info.phi @ scaled.T, scaled)
    u = theta @ info.phi @ info.slopes
    traces = np.einsum("ixx->i", u)
    a1 = traces @ info.weights @ traces
    a2 = (np.einsum("ixy,jyx->ij", u, u) * info.weights).sum()
    b = (a1 + 6 * a2) / (2 * m)
    g = ((m + 1) * a1 - (m + 4) * a2) / ((m + 2) * a2)
    c = np.array([g, m - g, m + 2 - g]) / (3 * m + 2 * (1 - g))
    c1b, c2b, c3b = c * b
    excess = (1 - a2 / m) ** 2 * (1 + c1b) / ((1 - c2b) ** 2 * (1 - c3b)) - 1  # m rho - 1
    df2 = 4 + (m + 2) / excess
    scaling = df2 * (1 - a2 / m) / (df2 - 2)
    return float(df2), float(scaling)


def _contrast(fit, L, information, confidence):
    L = np.asarray(L, float)
    estimate = L @ fit.beta
    if fit.converged:
        info, scaled = information(fit), _scaled(fit, np.atleast_2d(L))
        variance = np.einsum("mi,ij,mj->m", scaled, info.adjusted, scaled)
        se = fit.rows.scale * np.sqrt(variance).reshape(estimate.shape)
        df = _degrees(scaled, info).reshape(estimate.shape)
    else:
        se = df = np.full(estimate.shape, np.nan)
    t = estimate / se
    half = stdtrit(df, (1 + confidence) / 2) * se
    return Contrast(estimate, se, df, t, 2 * stdtr(df, -np.abs(t)), estimate - half,
                    estimate + half)


def _degrees(scaled, info):
    """2 v^2 / (g' A g) of each row."""
    v = np.einsum("mi,ij,mj->m", scaled, info.phi, scaled)
    g = np.einsum("mi,qij,mj->mq", scaled, info.phi @ info.slopes, scaled)
    return 2 * v * v / np.einsum("mq,qr,mr->m", g, info.weights, g)


def _rows_of(L, fit):
    L = np.atleast_2d(np.asarray(L, float))
    if np.linalg.matrix_rank(L) < len(L):
        raise ValueError("the rows of L are linearly dependent; leave out the redundant ones")
    return L


def _scaled(fit, L):
    """Contrasts of the orthonormal columns."""
    return np.linalg.solve(fit.rows.root.T, L.T).T


def _unadjusted(fit):
    basis = basis_of(fit)[1:] if fit.boundary else basis_of(fit)
    theta = (fit.theta[1:] if fit.boundary else fit.theta) / fit.rows.scale ** 2
    point = fit.rows.point(theta, basis, fit.reml)
    # the covariance of theta is twice the inverse Hessian of -2 log likelihood
    return _Information(point.phi, point.phi, point.slopes @ point.phi,
                        2 * np.linalg.inv(point.hessian))


def _adjusted(fit, information):
    if information not in ("expected", "observed"):
        raise ValueError(f"information: {information!r} is neither 'expected' nor 'observed'")
    if not fit.reml:
        raise ValueError("Kenward-Roger is for REML fits; this one is by maximum likelihood")
    rows = fit.rows
    point = rows.point(fit.theta / rows.scale ** 2, basis_of(fit), True)
    weights = 2 * np.linalg.inv(point.expected if information == "expected" else point.hessian)
    # sum_ij W_ij (Q_ij - P_i Phi P_j), the sum over j inside the cross products
    weighted = np.tensordot(weights, point.wgw, (1, 1)).swapaxes(0, 1)
    q = rows.total((point.wg @ weighted).sum(1))[:-1, :-1]
    slopes = point.slopes @ point.phi
    inner = q - np.einsum("ij,ixy,jyz->xz", weights, slopes, point.slopes, optimize=True)
    adjusted = point.phi + 2 * point.phi @ inner @ point.phi
    return _Information(point.phi, adjusted, slopes, weights)
