"""Linear mixed model with one covariance matrix over visits, missing rows allowed.

``y_i = X_i b + e_i``, ``cov(e_i)`` the rows and columns of a k x k matrix Sigma that participant
i was seen at. Three structures, each linear in its parameters:

* ``random-intercept``: var_participant J + var_residual I, var_participant >= 0;
* ``compound-symmetry``: the same matrix, the covariance allowed below zero, down to a
  correlation of -1/(n - 1), n the most rows a participant has (R's ``corCompSymm``);
* ``unstructured``: every variance and covariance free (MMRM).

Where a structure cannot be fitted the one before it is, and the result says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from . import mixed
from ._patterns import Rows

__all__ = ["STRUCTURES", "Fit", "Residuals", "fit", "residuals"]

STRUCTURES = ("random-intercept", "compound-symmetry", "unstructured")
SINGULAR = 1e-4  # share of a visit's variance that the visits before it must leave
STEPS = 100


@dataclass(frozen=True)
class Fit:
    """One fitted model.

    Attributes
    ----------
    structure, requested : str
        What was fitted, and what was asked for.
    fallback : str
        Why they differ, in words; empty where they agree.
    beta : ndarray (p,)
        Fixed effects, units of y per unit of the column.
    cov : ndarray (p, p)
        Their GLS covariance (X'V^-1X)^-1.
    visits : ndarray (k,)
        Labels of Sigma's rows, sorted.
    sigma : ndarray (k, k)
        Covariance of a participant's scores, units of y squared.
    theta : ndarray (q,)
        (covariance, residual variance), or Sigma's upper triangle row by row.
    criterion : float
        -2 log (restricted) likelihood by lme4's convention.
    converged : bool
        False where there is no estimate (y fitted exactly, or no optimum found); numbers nan.
    boundary : bool
        random-intercept: the participants' variance is exactly 0.
    iterations : int
        Newton steps; 0 for the random intercept, whose profile is searched exactly.
    n_groups, n_rows : int
    reml : bool
    rows : Rows
        The reduced data, in scaled units, for `mair.stats.smallsample`.
    """

    structure: str
    requested: str
    fallback: str
    beta: np.ndarray
    cov: np.ndarray
    visits: np.ndarray
    sigma: np.ndarray
    theta: np.ndarray
    criterion: float
    converged: bool
    boundary: bool
    iterations: int
    n_groups: int
    n_rows: int
    reml: bool
    rows: Rows = field(repr=False)

    @property
    def se(self):
        """Standard errors (p,)."""
        return np.sqrt(np.diag(self.cov))

    @property
    def var_participant(self):
        """Between-participant variance (compound symmetry: covariance); nan if unstructured."""
        return np.nan if self.structure == "unstructured" else float(self.theta[0])

    @property
    def var_residual(self):
        """Within-participant variance; nan if unstructured."""
        return np.nan if self.structure == "unstructured" else float(self.theta[1])


@dataclass(frozen=True)
class Residuals:
    """Diagnostics of one fit, rows in the order given.

    ``fitted`` = X beta; ``marginal`` = y - fitted; ``standardised`` = the marginal residuals of a
    participant, visits in order, times the inverse Cholesky factor of their covariance:
    uncorrelated with variance 1 where the model is true.
    """

    fitted: np.ndarray
    marginal: np.ndarray
    standardised: np.ndarray


def fit(y, X, participants, visits, structure, *, reml=True):
    """Fit by REML or maximum likelihood.

    Parameters
    ----------
    y : array (N,)
        Responses in long form, observed rows only.
    X : array (N, p)
        Fixed-effect design of full column rank.
    participants, visits : array (N,)
        Labels; a participant has at most one row a visit. Rows in any order.
    structure : {"random-intercept", "compound-symmetry", "unstructured"}
    reml : bool

    Returns
    -------
    Fit
        ``unstructured`` falls back to ``compound-symmetry`` where two visits are seen together
        in fewer than two participants, and where Newton's method converges from neither start
        (the pairwise covariances, the diagonal) to a strict minimum that leaves every visit
        1e-4 of its variance given the others, beyond which rounding decides.
        ``compound-symmetry`` falls back to ``random-intercept`` where the criterion has no
        minimum above the correlation -1/(n - 1).

    Raises
    ------
    ValueError
        Shapes that do not fit, values that are not finite, dependent columns of X (by index), a
        participant with two rows at one visit, no participant with two rows, or nothing left
        within or between participants to estimate a variance from.

    Notes
    -----
    Newton's method on the exact derivatives (Lindstrom and Bates, JASA 1988;83:1014-22), Fisher
    scoring where the Hessian is not positive definite, halving steps that leave the positive
    definite matrices or raise the criterion; the better of two optima. The random intercept is
    `mixed.random_intercept`, a global optimum; compound symmetry adds the best interior minimum
    of a scan of the negative correlations.
    """
    if structure not in STRUCTURES:
        raise ValueError(f"structure: {structure!r} is none of {', '.join(STRUCTURES)}")
    rows = Rows.of(y, X, participants, visits)
    requested, k, why = structure, len(rows.visits), ""
    if structure == "unstructured":
        whole = rows.completed()
        theta, steps, why = _unstructured(whole, reml)
        if not why:
            return _finished(whole, triangle(k), theta, steps, reml, structure, requested, "")
        structure = "compound-symmetry"
    found = mixed.random_intercept(y, X, participants, reml=reml)
    if not found.converged or rows.scale == 0:
        return _failed(rows, reml, requested)
    intercept = np.array([found.var_participant, found.var_residual]) / rows.scale ** 2
    theta, steps = intercept, 0
    if structure == "compound-symmetry":
        theta, steps = _compound_symmetry(rows, intercept, reml)
        if theta is None:
            theta, structure = intercept, "random-intercept"
            why += ("; " if why else "") + "no correlation above -1/(n - 1) is an optimum"
    return _finished(rows, exchangeable(k), theta, steps, reml, structure, requested, why)


def residuals(fit, y, X, participants, visits):
    """Residuals of a fit on its own rows.

    Parameters
    ----------
    fit : Fit
    y, X, participants, visits
        As the fit was given them.

    Returns
    -------
    Residuals
        nan where the fit has not converged.
    """
    y, X = np.asarray(y, float), np.asarray(X, float)
    fitted = X @ fit.beta
    marginal = y - fitted
    standardised = np.full(len(y), np.nan)
    who = np.unique(participants, return_inverse=True)[1].reshape(-1)
    when = np.searchsorted(fit.visits, visits)
    order = np.lexsort((when, who))
    for rows in np.split(order, np.flatnonzero(np.diff(who[order])) + 1):
        if fit.converged:
            factor = np.linalg.cholesky(fit.sigma[np.ix_(when[rows], when[rows])])
            standardised[rows] = np.linalg.solve(factor, marginal[rows])
    return Residuals(fitted, marginal, standardised)


def exchangeable(k):
    """Basis (2, k, k) of compound symmetry: covariance, residual variance."""
    return np.stack([np.ones((k, k)), np.eye(k)])


def triangle(k):
    """Basis (k (k + 1) / 2, k, k) of symmetric matrices, upper triangle row by row."""
    i, j = np.triu_indices(k)
    basis = np.zeros((len(i), k, k))
    basis[np.arange(len(i)), i, j] = basis[np.arange(len(i)), j, i] = 1
    return basis


def basis_of(fit):
    """Basis of the fit's Sigma."""
    k = len(fit.visits)
    return triangle(k) if fit.structure == "unstructured" else exchangeable(k)


def _finished(rows, basis, theta, steps, reml, structure, requested, fallback):
    point = rows.point(theta, basis, reml)
    inverse = np.linalg.inv(rows.root)
    s2 = rows.scale ** 2
    boundary = structure == "random-intercept" and bool(theta[0] == 0)
    return Fit(structure, requested, fallback, rows.ols + rows.scale * (inverse @ point.gamma),
               s2 * inverse @ point.phi @ inverse.T, rows.visits,
               s2 * np.tensordot(theta, basis, 1), s2 * theta,
               float(point.value + rows.constants(reml)), True, boundary, steps,
               int(rows.counts.sum()), rows.n_rows, reml, rows)


def _failed(rows, reml, requested):
    p, k = rows.n_columns, len(rows.visits)
    return Fit(requested, requested, "", np.full(p, np.nan), np.full((p, p), np.nan), rows.visits,
               np.full((k, k), np.nan), np.full(2, np.nan), np.nan, False, False, 0,
               int(rows.counts.sum()), rows.n_rows, reml, rows)


def _compound_symmetry(rows, intercept, reml):
    """(covariance, residual) and steps: the random intercept's, or a negative covariance.

    None where the criterion has no minimum: it can fall all the way to -1/(n - 1) where hardly
    anyone has n rows.
    """
    basis = exchangeable(len(rows.visits))
    ratios = -np.r_[np.linspace(0.05, 0.85, 17), 1 - 10.0 ** -np.arange(1, 7)] / rows.most
    df = rows.n_rows - rows.n_columns * reml
    w, logdet, _ = rows.precision(np.eye(len(rows.visits)) + ratios[:, None, None])
    pivots = np.diagonal(np.linalg.cholesky(rows.total(w)), axis1=-2, axis2=-1)
    rss = pivots[:, -1] ** 2
    value = logdet + df * np.log(rss) + 2 * np.log(pivots[:, :-1]).sum(-1) * reml
    padded = np.r_[np.inf, value, np.inf]
    minima = np.flatnonzero((value <= padded[:-2]) & (value <= padded[2:]))
    best, steps = None, 0
    if intercept[0] > 0:
        best = rows.point(intercept, basis, reml)
        minima = minima[minima > 0]
    for at in minima:
        point, taken, _ = _newton(rows, basis, rss[at] / df * np.array([ratios[at], 1.0]), reml)
        steps += taken
        if point is not None and (best is None or point.value < best.value):
            best = point
    return (None if best is None else best.theta), steps


def _unstructured(rows, reml):
    """theta, steps and, where it cannot be fitted, the reason."""
    if rows.scale == 0:
        return None, 0, "y is fitted exactly"
    k = len(rows.visits)
    together = np.tensordot(rows.counts, rows.seen[:, :, None] & rows.seen[:, None], 1)
    never = np.argwhere(np.triu(together < 2))
    if len(never):
        i, j = never[0]
        return None, 0, (f"visits {rows.visits[i]} and {rows.visits[j]} are seen together in "
                         f"{together[i, j]:.0f} participants")
    residual = np.zeros((rows.n_columns + 1,) * 2)
    residual[-1, -1] = 1
    pairwise = rows.spread(residual).sum(0) / together
    upper = np.triu_indices(k)
    best, reasons, total = None, [], 0
    for share in (1.0, 0.0) if (rows.counts > 0).sum() > 1 else (1.0,):
        start = _positive(share * pairwise + (1 - share) * np.diag(np.diag(pairwise)))
        point, steps, why = _newton(rows, triangle(k), start[upper], reml, best)
        total += steps
        reasons.append(why)
        if point is not None and (best is None or point.value < best.value):
            best = point
    return (None, total, reasons[0]) if best is None else (best.theta, total, "")


def _positive(sigma, least=0.05):
    """The matrix with the eigenvalues of its correlation matrix raised to ``least``."""
    sd = np.sqrt(np.maximum(np.diag(sigma), 1e-6))
    values, vectors = np.linalg.eigh(sigma / np.outer(sd, sd))
    return (vectors * np.maximum(values, least)) @ vectors.T * np.outer(sd, sd)


def _newton(rows, basis, theta, reml, known=None):
    """Minimise from theta: (point, steps, reason of failure or ''); ``known`` when that is near."""
    point, before = rows.point(theta, basis, reml), np.inf
    for step in range(STEPS):
        if point.reserve < SINGULAR:
            return None, step, "the likelihood rises towards a singular covariance matrix"
        if known is not None:
            away = point.theta - known.theta
            if away @ known.hessian @ away < 0.01:
                return known, step, ""
        curved = _positive_definite(point.hessian)
        try:
            move = -np.linalg.solve(point.hessian if curved else point.expected, point.gradient)
        except np.linalg.LinAlgError:
            return None, step, "the information matrix is singular"
        decrement = -move @ point.gradient
        # quadratic convergence, until rounding keeps the decrement from falling further
        if curved and (decrement < 1e-22 or (decrement < 1e-12 and decrement >= before / 4)):
            return point, step, ""
        before = decrement
        point = _descended(rows, basis, point, move, reml, decrement)
        if point is None:
            return None, step, "no step lowers the criterion"
    return None, STEPS, f"no convergence in {STEPS} steps"


def _descended(rows, basis, point, move, reml, decrement):
    for halving in range(40):
        try:
            after = rows.point(point.theta + 0.5 ** halving * move, basis, reml)
        except np.linalg.LinAlgError:
            continue
        # close to the optimum the criterion's rounding hides the descent
        if after.value < point.value or decrement < 1e-8:
            return after
    return None


def _positive_definite(matrix):
    diagonal = np.diag(matrix)
    if diagonal.min() <= 0:
        return False
    scale = 1 / np.sqrt(diagonal)
    try:
        np.linalg.cholesky(matrix * scale * scale[:, None] - 1e-10 * np.eye(len(scale)))
    except np.linalg.LinAlgError:
        return False
    return True
