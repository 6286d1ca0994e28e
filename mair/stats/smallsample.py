"""Contrasts and joint tests of fixed effects: normal, Satterthwaite and Kenward-Roger.

The parameters are variances and covariances, in which V is linear, so that Kenward and Roger's
term in second derivatives of V is zero. For an unstructured matrix mmrm by default takes
Cholesky factors for parameters, another number; its ``vcov = "Kenward-Roger-Linear"`` and SAS's
``ddfm=kr`` have the term zero too, but both weigh with the observed information
(``information="observed"`` here), where Kenward and Roger, and pbkrtest, have the expected.

At a zero variance of the random intercept (``fit.boundary``) neither df can be trusted:
Satterthwaite takes the other variances for the only parameters, which gives N - p as lmerTest
does (where there is one other); Kenward-Roger evaluates its formulas there, as pbkrtest does.
Both theories expand around an interior point.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc, fdtrc, stdtr, stdtrit

from .likelihood import inverse

INFERENCES = ("z", "satterthwaite", "kenward-roger")


class Contrast(NamedTuple):
    """Contrasts, scalars for one row of L, else arrays (m,); a batch's shape in front.

    ``estimate``, ``se``, ``low``, ``high`` in units of y; ``df``, infinite under z; ``t``
    (or z); two-sided ``p``.
    """

    estimate: np.ndarray
    se: np.ndarray
    df: np.ndarray
    t: np.ndarray
    p: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Joint(NamedTuple):
    """Joint test: ``f`` (with ``scaling`` applied) on ``df1``, ``df2``; ``p``.

    Under z ``df2`` is infinite, and ``df1 f`` Wald's chi-square. ``scaling`` is Kenward and
    Roger's lambda, else 1.
    """

    f: float
    df1: int
    df2: float
    p: float
    scaling: float


class _Information(NamedTuple):
    """What the t methods need at the estimate, in `likelihood.Rows`' scaled units.

    ``weights`` (B, q, q) covariance of theta; ``slopes`` (B, q, p, p) X'V^-1 G_j V^-1 X Phi, so
    that Phi slopes_j is Phi's derivative; ``phi`` and ``adjusted`` (B, p, p) covariance of beta,
    the second Kenward-Roger's.
    """

    phi: np.ndarray
    adjusted: np.ndarray
    slopes: np.ndarray
    weights: np.ndarray


def contrast(fit, L, inference="z", *, confidence=0.95, information="expected"):
    """Contrasts L beta.

    Parameters
    ----------
    fit : covariance.Fit, or under z `mixed.RandomIntercept` too
    L : array (p,) or (m, p)
    inference : {"z", "satterthwaite", "kenward-roger"}
        Satterthwaite: df = 2 v^2 / (g' A g), v = L Phi L', g its gradient and A the covariance of
        the variance parameters from the observed information, REML or ML, as lmerTest has it.
        Kenward-Roger: their standard errors too, expected information, as pbkrtest.
    confidence : float
    information : {"expected", "observed"}
        For Kenward-Roger's covariance of the variance parameters: as the paper and pbkrtest, or
        as SAS and mmrm.

    Returns
    -------
    Contrast
        nan where the fit has not converged; ``df`` and what needs it nan where the matrices give
        no positive one. At ``fit.boundary`` see the module.

    Raises
    ------
    ValueError
        Kenward-Roger of a fit by maximum likelihood.

    References
    ----------
    Kuznetsova A, et al. J Stat Softw 2017;82(13). Kenward MG, Roger JH. Biometrics
    1997;53:983-97. Halekoh U, Hojsgaard S. J Stat Softw 2014;59(9).
    """
    L = np.asarray(L, float)
    rows, estimate = np.atleast_2d(L), fit.beta @ L.T
    if inference == "z":
        variance = np.einsum("mi,...ij,mj->...m", rows, fit.cov, rows)
        df = np.full(variance.shape, np.inf)
    else:
        info, scaled = _information(fit, inference, information), rows @ fit.rows.back
        variance = ((scaled @ info.adjusted) * scaled).sum(2) * fit.rows.scale[:, None] ** 2
        df = _degrees(scaled, info)
    se, df = (np.where(x > 0, x, np.nan).reshape(np.shape(estimate)) for x in (variance, df))
    return tested(estimate, np.sqrt(se), df, confidence)


def difference(control, treatment, L, inference="z", *, confidence=0.95):
    """Contrasts L of either arm, fitted apart: treatment's less control's, a `Contrast`.

    As of one model in which the arms share neither columns nor variances, where both df formulas
    come to Welch and Satterthwaite's, (u + v)^2 / (u^2 / df_u + v^2 / df_v), u and v GLS variances.
    """
    one, other = (contrast(fit, L, inference) for fit in (control, treatment))
    u, v = (contrast(fit, L).se ** 2 for fit in (control, treatment))
    with np.errstate(divide="ignore"):  # under z it is infinite
        df = 1 / ((u / (u + v)) ** 2 / one.df + (v / (u + v)) ** 2 / other.df)
    return tested(other.estimate - one.estimate, np.hypot(one.se, other.se), df, confidence)


@np.errstate(divide="ignore", invalid="ignore")
def tested(estimate, se, df, confidence=0.95) -> Contrast:
    """Two-sided t test and limits of estimates, numbers or arrays; infinite ``df``: z."""
    t = estimate / se
    half = stdtrit(df, (1 + confidence) / 2) * se
    return Contrast(estimate, se, df, t, 2 * stdtr(df, -np.abs(t)), estimate - half,
                    estimate + half)


def joint(fit, L, inference="z", *, information="expected"):
    """Test of L beta = 0 for one fit, L (m, p) of full row rank.

    z is Wald's test. Satterthwaite is lmerTest's ``contestMD``: L beta is rotated to
    uncorrelated contrasts, and the df of their mean squared t comes from the mean of an F on
    each one's df (Fai and Cornelius, J Stat Comput Simul 1996;54:363-78). Kenward-Roger is
    pbkrtest's ``KRmodcomp``: lambda times the Wald F of the adjusted covariance; lambda and the
    denominator df match two moments (Kenward and Roger 1997, section 3). Where they give a df of
    2 or less there is no such F: ``f`` and ``p`` are nan.

    Returns
    -------
    Joint
        nan where the fit has not converged.
    """
    L = np.atleast_2d(np.asarray(L, float))
    if np.linalg.matrix_rank(L) < len(L):
        raise ValueError("the rows of L are linearly dependent; leave out the redundant ones")
    m, estimate, scaling = len(L), L @ fit.beta, 1.0
    if not fit.converged:
        return Joint(np.nan, m, np.nan, np.nan, np.nan)
    if inference == "z":
        f = float(estimate @ np.linalg.solve(L @ fit.cov @ L.T, estimate) / m)
        return Joint(f, m, np.inf, float(chdtrc(m, m * f)), scaling)
    info, scaled = _information(fit, inference, information), L @ fit.rows.back
    cov = fit.rows.scale[0] ** 2 * scaled[0] @ info.adjusted[0] @ scaled[0].T
    f = float(estimate @ np.linalg.solve(cov, estimate) / m)
    if inference == "satterthwaite":
        vectors = np.linalg.eigh(scaled[0] @ info.phi[0] @ scaled[0].T)[1]
        df = _degrees(vectors.T @ scaled, info)[0]
        mean = (df / (df - 2)).sum()
        df2 = (df.mean() if m == 1 or np.ptp(df) < 1e-8 else
               2.0 if (df <= 2).any() else 2 * mean / (mean - m))
    else:
        df2, scaling = _moments(scaled, info)
        f = scaling * f if m == 1 or df2 > 2 else np.nan
    return Joint(f, m, float(df2), float(fdtrc(m, df2, f)), scaling)


@np.errstate(divide="ignore", invalid="ignore")
def _moments(scaled, info):
    """Denominator df and lambda of Kenward-Roger's F test."""
    m, L, phi, weights = scaled.shape[1], scaled[0], info.phi[0], info.weights[0]
    u = L.T @ np.linalg.solve(L @ phi @ L.T, L) @ phi @ info.slopes[0]
    traces = np.einsum("ixx->i", u)
    a1 = traces @ weights @ traces
    a2 = (np.einsum("ixy,jyx->ij", u, u) * weights).sum()
    b = (a1 + 6 * a2) / (2 * m)
    g = ((m + 1) * a1 - (m + 4) * a2) / ((m + 2) * a2)
    c1b, c2b, c3b = b * np.array([g, m - g, m + 2 - g]) / (3 * m + 2 * (1 - g))
    excess = (1 - a2 / m) ** 2 * (1 + c1b) / ((1 - c2b) ** 2 * (1 - c3b)) - 1  # m rho - 1
    df2 = 4 + (m + 2) / excess
    return float(df2), float(df2 * (1 - a2 / m) / (df2 - 2))


def _degrees(scaled, info):
    """2 v^2 / (g' A g) of each row, (B, m)."""
    along = scaled @ info.phi
    v = (along * scaled).sum(2)
    outer = (along[..., None] * scaled[..., None, :]).reshape(*v.shape, -1)
    g = outer @ info.slopes.reshape(*info.slopes.shape[:2], -1).swapaxes(1, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 2 * v * v / ((g @ info.weights) * g).sum(-1)


def _information(fit, inference, information):
    """Kept on the fit: all its contrasts need the same matrices."""
    adjust = inference == "kenward-roger"
    if adjust and not fit.reml:
        raise ValueError("Kenward-Roger is for REML fits; this one is by maximum likelihood")
    key = (inference, information)
    if key not in fit.inferred:
        point, rows = fit.point, fit.rows
        expected = adjust and information == "expected"
        # the covariance of theta is twice the inverse Hessian of -2 log likelihood
        held = ~adjust & np.atleast_1d(fit.boundary)[:, None] & (point.theta == 0)
        held = held[:, None] | held[..., None]
        weights = np.where(held, np.eye(len(held[0])),
                           point.expected if expected else point.hessian)
        weights = np.where(held, 0, 2 * inverse(weights))
        phi, bare = rows.joined(point.phi[:, :, None])[:, 0], rows.joined(point.slopes)
        slopes, adjusted = bare @ phi[:, None], phi
        if adjust:
            # sum_ij W_ij (Q_ij - P_i Phi P_j), the sum over j inside the cross products
            weighted = _mixed(weights, point.wgw)
            q = rows.total((point.wg @ weighted).sum(1)[:, None])[..., :-1, :-1]
            turned = _mixed(weights, bare)
            adjusted = phi + 2 * phi @ (rows.joined(q)[:, 0] - (slopes @ turned).sum(1)) @ phi
        fit.inferred[key] = _Information(phi, adjusted, slopes, weights)
    return fit.inferred[key]


def _mixed(weights, x):
    """Sums over j of weights (B, q, q) times x (B, q, ...)."""
    return (weights @ x.reshape(*x.shape[:2], -1)).reshape(x.shape)
