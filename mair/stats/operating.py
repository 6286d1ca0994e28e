"""Operating characteristics: how often inferences err, over simulated responses of one design.

The design, who was seen when and the covariance of the scores are held as they are; only the
scores are drawn anew, without any Group x Time effect. An effect would move the estimates and
leave their standard errors, so that the rate at which an interval holds it is the same.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

from . import mixed, permute, smallsample
from .columns import orthonormal
from .covariance import fitted, unstructured
from .likelihood import Rows, triangle

__all__ = ["exact_limits", "inferences", "reduced", "rerandomised", "responses"]

TIE = 1e-9  # relative: statistics this close are the same one but for rounding
FALLS_TO = {"unstructured": "compound-symmetry", "compound-symmetry": "random-intercept"}


def responses(rng, sigma, arm, groups, visits, count):
    """Scores (count, N) around 0 of the rows that were observed.

    Parameters
    ----------
    rng : numpy.random.Generator
    sigma : array (2, k, k)
        Covariance of a participant's scores, by arm.
    arm : array (n,)
        0 or 1, by participant.
    groups, visits : array (N,)
        Participant and visit of each row, from 0.
    count : int
    """
    roots = np.linalg.cholesky(sigma)[arm]
    y = roots @ rng.standard_normal((count, *roots.shape[:2], 1))
    return y[:, groups, visits, 0]


def reduced(y, X, groups, visits):
    """Responses (B, N) of one design X (N, p), as `likelihood.Rows.of` reduces a single one."""
    C, A, T = orthonormal(X)
    q, (b, n), p, k = C @ A, y.shape, X.shape[1], visits.max() + 1
    start = y @ q
    rest = y - start @ q.T
    scale = np.sqrt((rest**2).sum(1) / (n - p))
    columns, scores = np.zeros((groups.max() + 1, k, p)), np.zeros((b, groups.max() + 1, k))
    columns[groups, visits], scores[:, groups, visits] = q, rest / scale[:, None]
    mask = np.zeros(columns.shape[:2], bool)
    mask[groups, visits] = True
    seen, which, counts = np.unique(mask, axis=0, return_inverse=True, return_counts=True)
    cross = np.empty((b, len(seen), k, k, p + 1, p + 1))
    for pattern, out in enumerate(np.moveaxis(cross, 1, 0)):
        own = which.reshape(-1) == pattern
        x, e = columns[own].reshape(own.sum(), k * p), scores[:, own].swapaxes(1, 2)
        out[..., :p, :p] = (x.T @ x).reshape(k, p, k, p).transpose(0, 2, 1, 3)
        out[..., p, :p] = (e @ x).reshape(b, k, k, p)
        out[..., :p, p] = out[..., p, :p].swapaxes(1, 2)
        out[..., p, p] = e @ e.swapaxes(1, 2)

    def each(x):
        return np.tile(x, (b, *(1,) * x.ndim))

    return Rows(each(counts[None].astype(float)), cross.reshape(b, 1, len(seen) * k * k, -1),
                each(T @ A), start, scale, np.full(b, n), each(seen))


def inferences(y, X, groups, visits, L, structures, *, confidence=0.95):
    """Every inference of `smallsample` from every covariance structure, falling back as
    `covariance.fit` does.

    Parameters
    ----------
    y : array (B, N)
    X, groups, visits
        Of all responses: design (N, p), participant and visit of each row, from 0.
    L : array (m, p)
        Contrasts.
    structures : sequence of str
        Of `covariance.STRUCTURES`.
    confidence : float

    Returns
    -------
    dict of (structure, inference) to smallsample.Contrast
        Arrays (B, m), nan where nothing can be estimated.
    """
    rows, labels, fits = reduced(y, X, groups, visits), np.arange(visits.max() + 1), {}
    free = len(triangle(len(labels)))

    def fit(structure):
        if structure not in fits and structure == "unstructured":
            few = X.shape[0] - X.shape[1] <= free or rows.pairwise()[1][0].min() < 2
            fits[structure] = None if few else unstructured(rows.completed(), labels)[0]
        elif structure not in fits:
            one = mixed.random_intercept(y, X, groups, negative=structure == "compound-symmetry")
            theta = np.stack([one.var_participant, one.var_residual], 1) / rows.scale[:, None] ** 2
            edge = one.boundary & (structure == "random-intercept")
            fits[structure] = fitted(rows, theta, structure, labels, boundary=edge)
        return fits[structure]

    def contrast(structure, inference):
        here, below = fit(structure), FALLS_TO.get(structure)
        found = here and smallsample.contrast(here, L, inference, confidence=confidence)
        if below and (here is None or not here.converged.all()):
            other = contrast(below, inference)
            there = np.zeros(len(y), bool) if here is None else here.converged
            found = smallsample.Contrast(*(np.where(there[:, None], a, b) for a, b in zip(
                found or other, other, strict=True)))
        return found

    return {(structure, inference): contrast(structure, inference)
            for structure in structures for inference in smallsample.INFERENCES}


def rerandomised(y, common, by_arm, groups, arm, strata, *, draws, rng):
    """Re-randomisation p values of each later visit's contrast, random intercept, studentised.

    Parameters
    ----------
    y : array (B, N)
    common, by_arm, groups
        As for `mixed.random_intercept_arms`; the first column of ``by_arm`` is the arm's own.
    arm : array (n,)
        The actual allocation.
    strata : array (n,) or None
    draws : int
        Allocations drawn anew for each response.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray (B, m - 1)
    """
    first = common.shape[1] + 1
    out = np.empty((len(y), by_arm.shape[1] - 1))
    for one, p in zip(y, out, strict=True):
        drawn = permute.allocations(arm, strata=strata, draws=draws, rng=rng, limit=draws)
        found = mixed.random_intercept_arms(one, common, by_arm, groups,
                                            np.vstack([arm[None], drawn.arms]))
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.abs(found.beta[:, first:] / found.se[:, first:])
        extreme, known = (t[1:] >= t[0] * (1 - TIE)).sum(0), (~np.isnan(t[1:])).sum(0)
        p[:] = extreme / known if drawn.exact else (1 + extreme) / (1 + known)
        p[np.isnan(t[0])] = np.nan
    return out


def exact_limits(count, n, level=0.95):
    """Clopper and Pearson's two-sided limits of a rate of ``count`` in ``n``, arrays or numbers."""
    count, half = np.asarray(count, float), (1 - level) / 2
    low = np.where(count > 0, betaincinv(np.maximum(count, 1), n - count + 1, half), 0.0)
    high = np.where(count < n, betaincinv(count + 1, np.maximum(n - count, 1), 1 - half), 1.0)
    return low, high
