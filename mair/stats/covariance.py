"""Linear mixed model with one covariance matrix over visits, missing rows allowed.

``y_i = X_i b + e_i``, ``cov(e_i)`` the rows and columns of a k x k matrix Sigma that participant
i was seen at. Three structures, each linear in its parameters:

* ``random-intercept``: var_participant J + var_residual I, var_participant >= 0;
* ``compound-symmetry``: the same matrix, the covariance allowed below zero, down to a
  correlation of -1/(n - 1), n the most rows a participant has (R's ``corCompSymm``);
* ``unstructured``: every variance and covariance free (MMRM). Where it cannot be fitted,
  compound symmetry is, and the result says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from . import mixed
from ._patterns import Rows

__all__ = ["STRUCTURES", "Fit", "fit"]

STRUCTURES = ("random-intercept", "compound-symmetry", "unstructured")
SINGULAR = 1e-6  # least eigenvalue of the correlation matrix that counts as positive
STEPS = 60


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
        ``unstructured`` falls back to ``compound-symmetry`` where two visits are never seen in
        one participant, where no start converges, and where the optimum is a singular matrix
        or not a strict minimum of -2 log likelihood.

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
    definite matrices or raise the criterion. The random intercept is `mixed.random_intercept`;
    compound symmetry adds a scan of the negative correlations, so both are global optima.
    """
    if structure not in STRUCTURES:
        raise ValueError(f"structure: {structure!r} is none of {', '.join(STRUCTURES)}")
    rows = Rows.of(y, X, participants, visits)
    k = len(rows.visits)
    if structure == "unstructured":
        whole = rows.completed()
        theta, steps, why = _unstructured(whole, reml)
        if not why:
            return _finished(whole, triangle(k), theta, steps, reml, structure, structure, "")
        base = fit(y, X, participants, visits, "compound-symmetry", reml=reml)
        return Fit(**vars(base) | {"requested": structure, "fallback": why})
    found = mixed.random_intercept(y, X, participants, reml=reml)
    theta = np.array([found.var_participant, found.var_residual])
    if not found.converged or rows.scale == 0:
        return _failed(rows, structure, reml)
    theta, steps = theta / rows.scale ** 2, 0
    if structure == "compound-symmetry":
        theta, steps = _compound_symmetry(rows, theta, reml)
        if not theta.size:
            return _failed(rows, structure, reml)
    return _finished(rows, exchangeable(k), theta, steps, reml, structure, structure, "")


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


def _failed(rows, structure, reml):
    p, k = rows.n_columns, len(rows.visits)
    return Fit(structure, structure, "", np.full(p, np.nan), np.full((p, p), np.nan),
               rows.visits, np.full((k, k), np.nan), np.full(2, np.nan), np.nan, False, False, 0,
               int(rows.counts.sum()), rows.n_rows, reml, rows)


def _compound_symmetry(rows, intercept, reml):
    """Optimum over (covariance, residual): the random intercept's, or a negative correlation."""
    basis, most = exchangeable(len(rows.visits)), rows.most
    best, steps = (intercept, 0) if intercept[0] > 0 else (np.empty(0), 0)
    lowest = rows.point(intercept, basis, reml).value if best.size else np.inf
    close = 10.0 ** -np.arange(1, 9)
    ratios = -np.r_[np.linspace(0, 0.85, 18)[1:], 1 - close] / most
    df = rows.n_rows - rows.n_columns * reml
    shape = np.eye(len(rows.visits)) + ratios[:, None, None]
    w, logdet = rows.precision(shape)
    pivots = np.diagonal(np.linalg.cholesky(rows.total(w)), axis1=-2, axis2=-1)
    rss = pivots[:, -1] ** 2
    value = logdet + df * np.log(rss) + 2 * np.log(pivots[:, :-1]).sum(-1) * reml
    at = int(np.argmin(value))
    if at == 0 and best.size:
        return best, steps
    start = rss[at] / df * np.array([ratios[at], 1.0])
    point, steps, _ = _newton(rows, basis, start, reml)
    if point is not None and point.value < lowest:
        best = point.theta
    return best, steps


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
        point, steps, why = _newton(rows, triangle(k), start[upper], reml)
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


def _newton(rows, basis, theta, reml):
    """Minimise from theta: (point, steps, reason of failure or '')."""
    point, before = rows.point(theta, basis, reml), np.inf
    for step in range(STEPS):
        if rows.least_eigenvalue(np.tensordot(point.theta, basis, 1)) < SINGULAR:
            return None, step, "the likelihood rises towards a singular covariance matrix"
        curved = _positive_definite(point.hessian)
        move = -np.linalg.solve(point.hessian if curved else point.expected, point.gradient)
        decrement = -move @ point.gradient
        if curved and (decrement < 1e-22 or (decrement < 1e-12 and decrement >= before / 4)):
            return point, step, ""
        before = decrement
        after = _descended(rows, basis, point, move, reml, decrement)
        if after is None:
            return None, step, "no step lowers the criterion"
        point = after
    return None, STEPS, f"no convergence in {STEPS} steps"


def _descended(rows, basis, point, move, reml, decrement):
    for halving in range(40):
        theta = point.theta + 0.5 ** halving * move
        try:
            sigma = np.tensordot(theta, basis, 1)
            # close to the optimum the criterion's rounding hides the descent
            if decrement < 1e-8 or rows.criterion(sigma, reml) < point.value:
                return rows.point(theta, basis, reml)
        except np.linalg.LinAlgError:
            continue
    return None


def _positive_definite(matrix):
    scale = np.sqrt(np.abs(np.diag(matrix)))
    if not scale.all():
        return False
    return np.linalg.eigvalsh(matrix / np.outer(scale, scale))[0] > 1e-10

