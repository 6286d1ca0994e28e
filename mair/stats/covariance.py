"""Linear mixed model with one covariance matrix over visits, missing rows allowed.

``y_i = X_i b + e_i``, ``cov(e_i)`` the rows and columns of a k x k matrix Sigma that participant
i was seen at. Three structures, each linear in its parameters:

* ``random-intercept``: var_participant J + var_residual I, var_participant >= 0;
* ``compound-symmetry``: the same matrix, the covariance allowed below zero, down to a
  correlation of -1/(n - 1), n the most rows a participant has (R's ``corCompSymm``);
* ``unstructured``: every variance and covariance free (MMRM).

With ``arms`` each arm has a matrix of its own (mmrm's grouped covariance, ``GROUP=`` of SAS).
Where a structure cannot be fitted the one before it is, and the result says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from . import mixed
from .columns import dependent_columns, distinct
from .likelihood import Point, Rows, by_group, exchangeable, newton, triangle

__all__ = ["STRUCTURES", "Fit", "Residuals", "fit", "residuals", "unstructured"]

STRUCTURES = ("random-intercept", "compound-symmetry", "unstructured")


@dataclass(frozen=True)
class Fit:
    """One fitted model, or a batch: every array then has the problem on its first axis.

    Attributes
    ----------
    structure, requested : str
        What was fitted (what was asked for, where there is no estimate), and what was asked for.
    fallback : str
        Why they differ, or why there is no estimate, in words; else empty.
    beta : ndarray (p,)
        Fixed effects, units of y per unit of the column.
    cov : ndarray (p, p)
        Their GLS covariance (X'V^-1X)^-1.
    visits : ndarray (k,)
        Labels of Sigma's rows, sorted.
    theta : ndarray (q,)
        (covariance, residual variance), or Sigma's upper triangle row by row; by arm those of
        the control, then of the treatment (without what none of its visits needs).
    criterion : float
        -2 log (restricted) likelihood by lme4's convention.
    converged : bool
        False where there is no estimate (y fitted exactly, or no optimum found); numbers nan.
    boundary : bool
        random-intercept: the participants' variance (by arm, one of them) is exactly 0.
    reml : bool
    rows : Rows
        The reduced data, in scaled units, for `mair.stats.smallsample`.
    by_arm : bool
        Each arm has a Sigma of its own; else there is one.
    cache : dict
        What has been computed of this fit: its `point`, and small-sample matrices.
    """

    structure: str
    requested: str
    fallback: str
    beta: np.ndarray
    cov: np.ndarray
    visits: np.ndarray
    theta: np.ndarray
    criterion: np.ndarray
    converged: np.ndarray
    boundary: np.ndarray
    reml: bool
    rows: Rows = field(repr=False)
    by_arm: bool = False
    cache: dict = field(repr=False, default_factory=dict)

    @property
    def se(self):
        """Standard errors (p,)."""
        return np.sqrt(np.diagonal(self.cov, axis1=-2, axis2=-1))

    @property
    def basis(self):
        """Matrices (q, k, k) that Sigma is a sum of; by arm (q, 2, k, k)."""
        k = len(self.visits)
        basis = triangle(k) if self.structure == "unstructured" else exchangeable(k)
        return by_group(basis, self.rows) if self.by_arm else basis

    @property
    def sigma(self):
        """Covariance (k, k) of a participant's scores, units of y squared; by arm (2, k, k)."""
        return np.tensordot(self.theta, self.basis, 1)

    @property
    def var_participant(self):
        """Between-participant variance (compound symmetry: covariance), by arm (2,); nan if
        unstructured.
        """
        return np.nan if self.structure == "unstructured" else self._variances[..., 0]

    @property
    def var_residual(self):
        """Within-participant variance, by arm (2,); nan if unstructured."""
        return np.nan if self.structure == "unstructured" else self._variances[..., 1]

    @property
    def _variances(self):
        return self.theta.reshape(2, 2) if self.by_arm else self.theta

    @property
    def point(self):
        """The likelihood and its derivatives at the estimate, always with a batch axis."""
        if "point" not in self.cache:
            theta = np.atleast_2d(self.theta) / self.rows.scale[:, None] ** 2
            self.cache["point"] = Point.at(self.rows, theta, self.basis, self.reml)
        return self.cache["point"]


@dataclass(frozen=True)
class Residuals:
    """Diagnostics of one fit, rows in the order given.

    ``fitted`` = X beta; ``marginal`` = y - fitted; ``standardised`` = the marginal residuals of a
    participant, visits in order, times the inverse Cholesky factor of their covariance:
    uncorrelated with variance 1 where the model is true; ``modes`` the random intercept's
    conditional modes (BLUPs) of each row's participant, nan where unstructured: ratio /
    (1 + n ratio) times the sum of its n marginal residuals.
    """

    fitted: np.ndarray
    marginal: np.ndarray
    standardised: np.ndarray
    modes: np.ndarray


def fit(y, X, participants, visits, structure, *, arms=None, reml=True, labels=None):
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
    arms : array (N,), optional
        0 control, 1 treatment: each has covariance parameters of its own. Default: in common.
    reml : bool
    labels : sequence of str, optional
        What ``fallback`` calls the visits, in the order of their sorted labels.

    Returns
    -------
    Fit
        ``unstructured`` falls back to ``compound-symmetry`` where two visits are seen together
        in fewer than two participants, where the error contrasts (N - p) do not outnumber the
        variances and covariances, and where Newton's method (`likelihood.newton`) converges
        from neither start, the pairwise covariances or their diagonal; the better of two optima.
        ``compound-symmetry`` falls back to ``random-intercept`` where the criterion has no
        minimum above the correlation -1/(n - 1). By arm each must be one that either arm's rows
        alone can be fitted by; where none is, the arms share the structure asked for.

    Raises
    ------
    ValueError
        Shapes that do not fit, values that are not finite, dependent columns of X (by index), a
        participant with two rows at one visit, no participant with two rows, or nothing left
        within or between participants to estimate a variance from.
    """
    if structure not in STRUCTURES:
        raise ValueError(f"structure: {structure!r} is none of {', '.join(STRUCTURES)}")
    rows, seen = Rows.of(y, X, participants, visits)
    requested, why, labels = structure, "", seen if labels is None else labels
    if arms is not None:
        for simpler in STRUCTURES[STRUCTURES.index(structure)::-1]:
            found, reason = _by_arm(y, X, participants, visits, simpler, arms, reml, labels)
            if found is not None:
                return replace(found, requested=requested, fallback=why)
            why = why or reason
        found = fit(y, X, participants, visits, structure, reml=reml, labels=labels)
        return replace(found, fallback="; ".join(filter(None, (why, found.fallback))))
    if structure == "unstructured":
        found, why = _unstructured(rows.completed(), seen, labels, reml)
        if not why:
            return found
        if len(seen) == 1:
            raise ValueError(why)
        structure = "compound-symmetry"
    found = mixed.random_intercept(y, X, participants, reml=reml,
                                   negative=structure == "compound-symmetry")
    if structure == "compound-symmetry" and not found.converged:
        found = mixed.random_intercept(y, X, participants, reml=reml)
        if found.converged:
            structure = "random-intercept"
            why += ("; " if why else "") + "no correlation above -1/(n - 1) is an optimum"
    theta = np.stack([found.var_participant, found.var_residual], -1)
    if not found.converged:
        structure = requested
        theta = np.full(len(seen) * (len(seen) + 1) // 2 if structure == "unstructured" else 2,
                        np.nan)
        why = ("the design determines every score" if rows.scale[0] == 0 else
               "the scores leave no variance within participants")
    return Fit(structure, requested, why, found.beta, found.cov, seen, theta, found.criterion,
               found.converged, found.boundary & (structure == "random-intercept"), reml, rows)


def _by_arm(y, X, participants, visits, structure, arms, reml, labels):
    """A fit with a Sigma for each arm, or None and the reason: from the arms fitted apart, which
    is the answer where they share no column of X, on to the optimum of the whole.
    """
    y, X, arms = np.asarray(y, float), np.asarray(X, float), np.asarray(arms)
    seen, theta = np.unique(visits), []
    for arm, name in enumerate(("control", "treatment")):
        own = arms == arm
        if not own.any():
            return None, f"the {name} arm has no rows"
        here = np.isin(seen, np.asarray(visits)[own])
        columns = np.delete(X[own], dependent_columns(X[own]), axis=1)
        try:
            one = fit(y[own], columns, np.asarray(participants)[own], np.asarray(visits)[own],
                      structure, reml=reml, labels=np.asarray(labels)[here])
        except ValueError as error:
            return None, f"the {name} arm alone: {error}"
        if one.fallback:
            return None, f"the {name} arm alone: {one.fallback}"
        theta.append(one.theta)
    rows = Rows.of(y, X, participants, visits, arms)[0]
    start, basis = np.concatenate(theta)[None] / rows.scale**2, exchangeable(len(seen))
    if structure == "unstructured":
        rows, basis = rows.completed(), triangle(len(seen))
    theta, why = _optimum(rows, start, by_group(basis, rows), reml,
                          [0, 2] if structure == "random-intercept" else [])
    return (None, why) if why else (
        _single(fitted(rows, theta, structure, seen, reml, (theta == 0).any(1), by_arm=True)), "")


def _optimum(rows, start, basis, reml, variances):
    """Minimum from ``start`` (1, q) with theta at 0 or above at the indices ``variances``."""
    why = ""
    ways = product(*((at == 0, at != 0) for at in start[0, variances]))
    for zero in ways:  # as the arms alone have it, first
        free = np.ones(len(basis), bool)
        free[variances] = ~np.array(zero, bool)
        theta = np.where(start == 0, start.mean() / 20, start) * free
        theta[:, free], _, (reason,) = newton(rows, theta[:, free], basis[free], reml)
        why = why or reason
        if not reason and (theta[:, variances] >= 0).all() and (
                Point.at(rows, theta, basis, reml).gradient[:, ~free] >= 0).all():
            return theta, ""
    return start, why or "no optimum with variances of 0 or more"


def residuals(fit, y, X, participants, visits, arms=None):
    """Residuals of a fit on its own rows.

    Parameters
    ----------
    fit : Fit
    y, X, participants, visits, arms
        As the fit was given them.

    Returns
    -------
    Residuals
        nan where the fit has not converged.
    """
    y, X = np.asarray(y, float), np.asarray(X, float)
    fitted = X @ fit.beta
    marginal, standardised = y - fitted, np.full(len(y), np.nan)
    who = np.unique(participants, return_inverse=True)[1].reshape(-1)
    when = np.searchsorted(fit.visits, visits)
    order, sigma = np.lexsort((when, who)), np.reshape(fit.sigma, (-1, *[len(fit.visits)] * 2))
    arms = np.asarray(arms, int) if fit.by_arm else np.zeros(len(y), int)
    pattern = np.zeros((who.max() + 1, len(fit.visits) + 1), int)  # a person's visits, and arm
    pattern[who, when], pattern[who, -1] = 1, arms
    patterns, of = distinct(pattern)
    for k, (*there, arm) in enumerate(patterns if fit.converged else ()):
        rows, at = order[of[who[order]] == k].reshape(-1, sum(there)), np.flatnonzero(there)
        factor = np.linalg.cholesky(sigma[arm][np.ix_(at, at)])
        standardised[rows] = np.linalg.solve(factor, marginal[rows].T).T
    ratio = np.broadcast_to(fit.var_participant / fit.var_residual, len(sigma))[arms]
    modes = ratio / (1 + np.bincount(who)[who] * ratio) * np.bincount(who, weights=marginal)[who]
    return Residuals(fitted, marginal, standardised, modes)


def unstructured(rows, visits, *, reml=True, both=False):
    """Unstructured fits of a batch of `Rows`, a pattern of which has every visit.

    Parameters
    ----------
    rows : Rows
    visits : array (k,)
    reml : bool
    both : bool
        Newton's method from both starts, the better of two optima; else from the diagonal only
        where it fails from the pairwise covariances.

    Returns
    -------
    Fit
        nan where neither converges.
    why : ndarray of str (B,)
        Why from the first start.
    """
    k = len(visits)
    basis, upper = triangle(k), np.triu_indices(k)
    pairs, _ = rows.pairwise()
    theta, value, why = newton(rows, _positive(pairs)[:, *upper], basis, reml)
    again = np.flatnonzero((both & ((rows.counts.sum(1) > 0).sum(1) > 1)) | np.isnan(value))
    if len(again):
        start = _positive(pairs[again] * np.eye(k))[:, *upper]
        other, height, _ = newton(rows.taken(again), start, basis, reml)
        lower = ~(value[again] <= height) & np.isfinite(height)
        theta[again[lower]], value[again[lower]] = other[lower], height[lower]
    return fitted(rows, theta, "unstructured", visits, reml), why


def fitted(rows, theta, structure, visits, reml=True, boundary=False, by_arm=False):
    """A batch of fits at theta (B, q), in the scaled units of ``rows``, nan where there is none."""
    scale, converged = rows.scale[:, None], np.isfinite(theta).all(1)
    found = Fit(structure, structure, "", None, None, np.asarray(visits), theta * scale**2, None,
                converged, boundary & converged, reml, rows, by_arm)
    point = found.point
    gamma = point.gamma.reshape(rows.start.shape) * scale + rows.start
    phi = rows.joined(point.phi[:, :, None])[:, 0]
    return replace(found, beta=(rows.back @ gamma[..., None])[..., 0],
                   cov=scale[:, None] ** 2 * rows.back @ phi @ rows.back.swapaxes(1, 2),
                   criterion=point.value + rows.constants(reml))


def _single(found):
    """A batch of one without its axis."""
    names = ("beta", "cov", "theta", "criterion", "converged", "boundary")
    return replace(found, **{name: getattr(found, name)[0] for name in names})


def _unstructured(rows, visits, labels, reml):
    """One unstructured fit without a batch axis, and where there is none the reason."""
    contrasts, parameters = rows.n_rows[0] - rows.start.shape[1], len(triangle(len(visits)))
    if rows.scale[0] == 0 and len(visits) == 1:
        return None, "the design determines every score"
    if rows.scale[0] == 0 or contrasts <= parameters:
        return None, (f"{contrasts} error contrasts cannot tell {parameters} variances and "
                      "covariances apart")
    together = rows.pairwise()[1][0]
    never = np.argwhere(np.triu(together < 2))
    if len(never):
        i, j = never[0]
        return None, (f"visits {labels[i]} and {labels[j]} are seen together in "
                      f"{together[i, j]:.0f} participants")
    found, why = unstructured(rows, visits, reml=reml, both=True)
    return _single(found), "" if found.converged[0] else why[0]


def _positive(sigma, least=0.05):
    """The matrices with the eigenvalues of their correlations raised to ``least``."""
    sd = np.sqrt(np.maximum(np.diagonal(sigma, axis1=-2, axis2=-1), 1e-6))
    sd = sd[..., None] * sd[..., None, :]
    values, vectors = np.linalg.eigh(sigma / sd)
    raised = (vectors * np.maximum(values, least)[..., None, :]) @ vectors.swapaxes(-1, -2)
    return raised * sd
