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

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np

from . import mixed
from .columns import checked, dependent_columns, distinct
from .likelihood import Point, Rows, by_group, exchangeable, newton, triangle

STRUCTURES = ("random-intercept", "compound-symmetry", "unstructured")
EXACT = "the design determines every score"
NO_OPTIMUM = {"random-intercept": "the scores leave no variance within participants",
              "compound-symmetry": "no correlation above -1/(n - 1) is an optimum"}


@dataclass(frozen=True, eq=False)
class Fit:
    """One fitted model, or a batch: every array then has the problem on its first axis.

    Attributes
    ----------
    structure : str
        What was fitted (what was asked for, where there is no estimate).
    theta : ndarray (q,)
        (covariance, residual variance), or Sigma's upper triangle row by row; by arm those of
        the control, then of the treatment (without what none of its visits needs). nan where
        there is no estimate (y fitted exactly, or no optimum found), as all that rests on it.
    rows : Rows
        The reduced data, in scaled units.
    reml : bool
    by_arm : bool
        Each arm has a Sigma of its own; else there is one.
    requested : str
        What was asked for.
    fallback : str
        Why something else was fitted, or why there is no estimate, in words; else empty.
    """

    structure: str
    theta: np.ndarray
    rows: Rows = field(repr=False)
    reml: bool = True
    by_arm: bool = False
    requested: str = ""
    fallback: str = ""

    @property
    def converged(self):
        """Whether there is an estimate."""
        return np.isfinite(self.theta).all(-1)

    @property
    def boundary(self):
        """random-intercept: the participants' variance (by arm, one of them) is exactly 0."""
        return (self.structure == "random-intercept") & (self.theta[..., ::2] == 0).any(-1)

    @property
    def basis(self):
        """Matrices (q, k, k) that Sigma is a sum of; by arm (q, 2, k, k)."""
        k = self.rows.seen.shape[-1]
        basis = triangle(k) if self.structure == "unstructured" else exchangeable(k)
        return by_group(basis, self.rows) if self.by_arm else basis

    @property
    def sigma(self):
        """Covariance (k, k) of a participant's scores, units of y squared; by arm (2, k, k)."""
        return np.tensordot(self.theta, self.basis, 1)

    @property
    def variances(self):
        """Between participants (compound symmetry: covariance) and within, of each arm where
        theirs differ; nan if unstructured.
        """
        if self.structure == "unstructured":
            return np.nan, np.nan
        return np.moveaxis(self.theta.reshape(2, 2) if self.by_arm else self.theta, -1, 0)

    @cached_property
    def point(self):
        """The likelihood and its derivatives at the estimate, always with a batch axis."""
        theta = np.atleast_2d(self.theta) / self.rows.scale[:, None] ** 2
        return Point.at(self.rows, theta, self.basis, self.reml)

    @cached_property
    def inferred(self):
        """What `smallsample` has computed of this fit."""
        return {}

    @cached_property
    def beta(self):
        """Fixed effects (p,), units of y per unit of the column."""
        rows = self.rows
        gamma = self.point.gamma.reshape(rows.start.shape) * rows.scale[:, None] + rows.start
        return self._shaped((rows.back @ gamma[..., None])[..., 0])

    @cached_property
    def cov(self):
        """Their GLS covariance (X'V^-1X)^-1, (p, p)."""
        rows, phi = self.rows, self.rows.joined(self.point.phi[:, :, None])[:, 0]
        return self._shaped(rows.scale[:, None, None] ** 2 * rows.back @ phi
                            @ rows.back.swapaxes(1, 2))

    @property
    def se(self):
        """Their standard errors (p,)."""
        return np.sqrt(np.diagonal(self.cov, axis1=-2, axis2=-1))

    @property
    def criterion(self):
        """-2 log (restricted) likelihood by lme4's convention."""
        return self._shaped(self.point.value + self.rows.constants(self.reml))

    def _shaped(self, batch):
        return batch[0] if self.theta.ndim == 1 else batch


class Residuals(NamedTuple):
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
    y, X = checked(y, X, participants, visits)
    _, first, who = np.unique(participants, return_index=True, return_inverse=True)
    seen, when = np.unique(visits, return_inverse=True)
    if len(np.unique(who * len(seen) + when)) < len(y):
        raise ValueError("a participant has two rows at one visit")
    labels, reasons = seen if labels is None else labels, []
    for arm in [None] if arms is None else [np.asarray(arms)[first], None]:
        for simpler in STRUCTURES[STRUCTURES.index(structure)::-1]:
            found, (why,) = batch(y[None], X, who, when, simpler, arm=arm, reml=reml, labels=labels,
                                  both=True)
            if not why:
                return replace(found, theta=found.theta[0], requested=structure,
                               fallback="; ".join(reasons))
            reasons.append(why)
            if len(seen) == 1 and arm is None:
                raise ValueError(why)
        reasons = reasons[:1]
    size = len(triangle(len(seen))) if structure == "unstructured" else 2
    return Fit(structure, np.full(size, np.nan), found.rows, reml, False, structure, why)


def batch(y, X, who, when, structure, *, arm=None, reml=True, labels=None, both=False):
    """Fits of one structure to many responses, without another where that has no estimate.

    Parameters
    ----------
    y : array (B, N)
    X : array (N, p)
    who, when : array (N,)
        Participant and visit of each row, from 0.
    structure : str
        Of `STRUCTURES`.
    arm : array (n,), optional
        0 or 1, by participant: each has covariance parameters of its own, from the arms fitted
        apart (the answer, where they share no column of X) on to the optimum of the whole.
    reml, labels
        As for `fit`.
    both : bool
        As for `unstructured`.

    Returns
    -------
    Fit
        nan where there is no estimate.
    why : ndarray of str (B,)
        The reason where there is none.
    """
    y, X = checked(y, X, who, when)
    k, free = when.max() + 1, structure == "unstructured"
    labels = np.arange(k) if labels is None else np.asarray(labels)
    rows = Rows.batch(y, X, who, when, arm, free)
    if arm is not None:
        theta, why = _by_arm(y, X, who, when, structure, arm, rows, reml, labels, both)
        return fitted(rows, theta, structure, reml, True), why
    if free:
        why = _too_few(rows, labels)
        if not why:
            return unstructured(rows, reml=reml, both=both)
        theta = np.full((len(y), len(triangle(k))), np.nan)
        return fitted(rows, theta, structure, reml), np.full(len(y), why, object)
    found = mixed.random_intercept(y, X, who, reml=reml, negative=structure == "compound-symmetry")
    theta = np.stack([found.var_participant, found.var_residual], 1) / rows.scale[:, None] ** 2
    why = np.where(rows.scale == 0, EXACT, NO_OPTIMUM[structure])
    return (fitted(rows, theta, structure, reml),
            np.where(found.converged, "", why).astype(object))


def _too_few(rows, labels):
    """Why no unstructured matrix can be estimated from any of the responses, or nothing."""
    contrasts, parameters = rows.n_rows[0] - rows.start.shape[1], len(triangle(len(labels)))
    if not rows.scale.any():
        return EXACT
    if contrasts <= parameters:
        return (f"{contrasts} error contrasts cannot tell {parameters} variances and covariances "
                "apart")
    together = rows.pairwise()[1][0]
    for i, j in np.argwhere(np.triu(together < 2)):
        return (f"visits {labels[i]} and {labels[j]} are seen together in {together[i, j]:.0f} "
                "participants")
    return ""


def _by_arm(y, X, who, when, structure, arm, rows, reml, labels, both):
    """theta (B, q) with a Sigma for each arm, in ``rows``' units; what says why there is none."""
    basis = triangle(len(labels)) if structure == "unstructured" else exchangeable(len(labels))
    basis, start, why = by_group(basis, rows), [], np.full(len(y), "", object)
    theta = np.full((len(y), len(basis)), np.nan)
    for one, name in enumerate(("control", "treatment")):
        own = arm[who] == one
        if not own.any():
            return theta, np.full(len(y), f"the {name} arm has no rows", object)
        columns = np.delete(X[own], dependent_columns(X[own]), axis=1)
        here, at = np.unique(when[own], return_inverse=True)
        try:
            people = np.unique(who[own], return_inverse=True)[1]
            apart, alone = batch(y[:, own], columns, people, at, structure, reml=reml,
                                 labels=labels[here], both=both)
        except ValueError as error:
            return theta, np.full(len(y), f"the {name} arm alone: {error}", object)
        start.append(apart.theta / rows.scale[:, None] ** 2)
        why = np.where((why == "") & (alone != ""), f"the {name} arm alone: " + alone, why)
    start = np.concatenate(start, 1)
    inner = np.where(start == 0, start.mean(1, keepdims=True) / 20, start)
    fine = np.flatnonzero(why == "")
    if len(fine):
        theta[fine], _, why[fine] = newton(rows.taken(fine), inner[fine], basis, reml)
    for i in fine if structure == "random-intercept" else ():
        if not ((start[i] != 0).all() and (theta[i, ::2] >= 0).all()):
            theta[i], why[i] = _held(rows.taken([i]), inner[[i]], start[i, ::2] == 0, basis, reml)
    return theta, why


def _held(rows, start, zero, basis, reml):
    """Minimum from ``start`` (1, 4) with the arms' variances of people at 0 or above."""
    why = ""
    for held in product(*((one, not one) for one in zero)):  # as the arms alone have it, first
        free = np.array([not held[0], True, not held[1], True])
        theta = start * free
        theta[:, free], _, (reason,) = newton(rows, theta[:, free], basis[free], reml)
        why = why or reason
        if not reason and (theta[0, ::2] >= 0).all() and (
                Point.at(rows, theta, basis, reml).gradient[:, ~free] >= 0).all():
            return theta[0], ""
    return np.nan, why or "no optimum with variances of 0 or more"


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
    when, k = np.unique(visits, return_inverse=True)[1], fit.rows.seen.shape[-1]
    order, sigma = np.lexsort((when, who)), np.reshape(fit.sigma, (-1, k, k))
    arms = np.asarray(arms, int) if fit.by_arm else np.zeros(len(y), int)
    pattern = np.zeros((who.max() + 1, k + 1), int)  # a person's visits, and arm
    pattern[who, when], pattern[who, -1] = 1, arms
    patterns, of = distinct(pattern)
    for one, (*there, arm) in enumerate(patterns if fit.converged else ()):
        rows, at = order[of[who[order]] == one].reshape(-1, sum(there)), np.flatnonzero(there)
        factor = np.linalg.cholesky(sigma[arm][np.ix_(at, at)])
        standardised[rows] = np.linalg.solve(factor, marginal[rows].T).T
    ratio = np.broadcast_to(np.divide(*fit.variances), len(sigma))[arms]
    modes = ratio / (1 + np.bincount(who)[who] * ratio) * np.bincount(who, weights=marginal)[who]
    return Residuals(fitted, marginal, standardised, modes)


def unstructured(rows, *, reml=True, both=False):
    """Unstructured fits of a batch of `Rows`, a pattern of which has every visit.

    Parameters
    ----------
    rows : Rows
    reml : bool
    both : bool
        Newton's method from both starts, the better of two optima; else from the diagonal only
        where it fails from the pairwise covariances.

    Returns
    -------
    Fit
        nan where neither converges.
    why : ndarray of str (B,)
        Why from the first start, where there is none.
    """
    k = rows.seen.shape[-1]
    basis, upper = triangle(k), np.triu_indices(k)
    pairs, _ = rows.pairwise()
    theta, value, why = newton(rows, _positive(pairs)[:, *upper], basis, reml)
    again = np.flatnonzero((both & ((rows.counts.sum(1) > 0).sum(1) > 1)) | np.isnan(value))
    if len(again):
        start = _positive(pairs[again] * np.eye(k))[:, *upper]
        other, height, _ = newton(rows.taken(again), start, basis, reml)
        lower = ~(value[again] <= height) & np.isfinite(height)
        theta[again[lower]], value[again[lower]] = other[lower], height[lower]
    found = fitted(rows, theta, "unstructured", reml)
    why[found.converged] = ""
    return found, why


def fitted(rows, theta, structure, reml=True, by_arm=False):
    """A batch of fits at theta (B, q), in the scaled units of ``rows``, nan where there is none."""
    return Fit(structure, theta * rows.scale[:, None] ** 2, rows, reml, by_arm, structure)


def _positive(sigma, least=0.05):
    """The matrices with the eigenvalues of their correlations raised to ``least``."""
    sd = np.sqrt(np.maximum(np.diagonal(sigma, axis1=-2, axis2=-1), 1e-6))
    sd = sd[..., None] * sd[..., None, :]
    values, vectors = np.linalg.eigh(sigma / sd)
    raised = (vectors * np.maximum(values, least)[..., None, :]) @ vectors.swapaxes(-1, -2)
    return raised * sd
