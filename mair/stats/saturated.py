"""Thousands of simulated trials at once: arm x visit models of two arms with monotone dropout.

Every visit of every arm has a mean of its own, so that given the covariance the arms fall apart
(blocks of `likelihood.Rows` and `_profile.Profile`) and a trial is its counts, sums and cross
products by arm and number of visits seen. Fits are a batch of `covariance.Fit`, coefficients the
control's means and then the treatment's; `smallsample.contrast` of `change` is the difference
between arms in the change from visit 0.
"""

from __future__ import annotations

import numpy as np

from ._profile import Profile
from .covariance import fitted
from .covariance import unstructured as _unstructured
from .likelihood import Rows

__all__ = ["change", "random_intercept", "reduced", "rerandomise", "unstructured"]

CHUNK = 4096  # problems of the profile at once
TIE = 1e-9  # relative: statistics this close are the same one but for rounding


def change(k, visit):
    """Weights (2 k,) of the difference between arms in the change at ``visit`` (1 to k - 1)."""
    weights = np.zeros(2 * k)
    weights[[0, visit, k, k + visit]] = 1, -1, -1, 1
    return weights


def reduced(y, seen, treated):
    """Rows of B trials.

    Parameters
    ----------
    y : array (B, n, k)
        Scores; without a large common mean they keep their digits.
    seen : array (B, n)
        Visits seen, 1 to k.
    treated : array (n,)
        0 or 1.

    Returns
    -------
    likelihood.Rows
    """
    b, _, k = y.shape
    patterns, scores = _features(y, seen)
    arms = [np.flatnonzero(np.asarray(treated) == g) for g in (0, 1)]
    counts = np.stack([patterns[:, a].sum(1) for a in arms], 1)
    sums = np.stack([patterns[:, a].swapaxes(1, 2) @ scores[:, a] for a in arms], 1)
    both = np.tri(k)[:, :, None] * np.tri(k)[:, None]
    s, t = np.indices((k, k))
    cross = np.zeros((b, 2, k, k, k, k + 1, k + 1))
    cross[..., s, t, s, t] = counts[..., None, None] * both
    cross[..., s, t, s, k] = sums[..., None, :] * both
    cross[..., s, t, k, t] = sums[..., :, None] * both
    cross[:, 0, ..., k, k] = np.stack(  # of both arms: only their sum counts
        [(scores * patterns[..., p, None]).swapaxes(1, 2) @ scores for p in range(k)], 1)
    n_rows = np.rint((counts @ np.arange(1, k + 1)).sum(1)).astype(int)
    return Rows(counts, cross.reshape(b, 2, k**3, -1), np.tile(np.eye(2 * k), (b, 1, 1)),
                np.zeros((b, 2 * k)), np.ones(b), n_rows,
                np.tile(np.tri(k, dtype=bool), (b, 1, 1)))


def random_intercept(rows):
    """REML fits of the random intercept to `reduced` trials: a batch of `covariance.Fit`.

    The profile is taken to have one minimum, as it has where most are seen at every visit.
    """
    (b, g, k), (i, j) = rows.counts.shape, np.triu_indices(rows.counts.shape[2] + 1)
    cross = rows.cross.reshape(b, g, k, k, k, k + 1, k + 1)
    sizes, theta = np.arange(1.0, k + 1), np.full((b, 2), np.nan)
    between = cross.sum((3, 4))[..., i, j] / sizes[:, None]
    within = np.einsum("bgpssij->bgij", cross)[..., i, j] - between.sum(2)
    there = np.flatnonzero((rows.counts[..., -1] > 0).all(1))  # an arm may have nobody left
    for at in range(0, len(there), CHUNK):
        cut = there[at:at + CHUNK]
        profile = Profile(np.ascontiguousarray(within[cut].T),
                          np.ascontiguousarray(between[cut].transpose(2, 3, 1, 0)),
                          sizes, rows.counts[cut].sum(1).T)
        t, converged = profile.single()
        ratio, _, _, r2, _ = profile.solution(t)
        s2 = np.where(converged, r2 / profile.df, np.nan)
        theta[cut] = np.stack([ratio * s2, s2], 1)
    return fitted(rows, theta, "random-intercept", np.arange(k), boundary=theta[:, 0] == 0)


def unstructured(rows):
    """REML fits with a free covariance matrix, nan where there is none (`covariance.fit` then
    falls back): a batch of `covariance.Fit`.
    """
    return _unstructured(rows, np.arange(rows.counts.shape[2]))[0]


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
    (b, n, k), m, (i, j) = y.shape, arms.shape[1], np.triu_indices(y.shape[-1] + 1)
    z = np.concatenate([np.broadcast_to(np.tri(k)[seen - 1], (b, n, k))[..., None] * np.eye(k),
                        scores[..., None]], 3)
    total, sums = (z[..., i] * z[..., j]).sum(2), z.sum(2)
    between = sums[..., i] * sums[..., j] / seen[..., None]
    pieces = np.concatenate([(total - between)[..., None, :],
                             patterns[..., None] * between[..., None, :]], 2)
    sizes, out = np.arange(1.0, k + 1), []
    step = max(1, CHUNK // m)
    for at in range(0, b, step):
        cut = slice(at, at + step)
        f = pieces[cut].reshape(-1, n, (k + 1) * len(i)).swapaxes(1, 2)
        treated = f @ arms[cut].swapaxes(1, 2).astype(float)
        both = np.stack([f.sum(2, keepdims=True) - treated, treated])
        both = both.reshape(2, len(f), k + 1, len(i), m).transpose(2, 3, 0, 1, 4)
        both = np.ascontiguousarray(both).reshape(k + 1, len(i), 2, -1)
        profile = Profile(both[0], both[1:], sizes, np.repeat(patterns[cut].sum(1).T, m, 1))
        t = np.abs(_studentised(profile)).reshape(k - 1, -1, m)
        extreme = (~(t[..., 1:] < t[..., :1] * (1 - TIE))).sum(2)
        out.append(((1 + extreme) / m).T)
    return np.concatenate(out)


@np.errstate(divide="ignore", invalid="ignore")
def _studentised(profile):
    """Estimate over standard error of each later visit's contrast, (k - 1, n)."""
    _, mean, inverse, r2, _ = profile.solution(profile.single()[0])
    change = mean[1:, 1] - mean[:1, 1] - mean[1:, 0] + mean[:1, 0]
    at = np.arange(1, len(mean))
    variance = (inverse[at, at] + inverse[0, 0] - 2 * inverse[0, at]).sum(1)
    return change / np.sqrt(variance * r2 / profile.df)


def _features(y, seen):
    """Patterns (B, n, k) of 0 and 1; scores (B, n, k), 0 where not seen."""
    k = y.shape[-1]
    patterns = (seen[..., None] == np.arange(1, k + 1)).astype(float)
    return patterns, np.where(np.arange(k) < seen[..., None], y, 0.0)
