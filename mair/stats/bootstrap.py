"""BCa bootstrap of a statistic of two (or more) independent samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

__all__ = ["BCa", "bca", "bca_limits", "d_ppc2"]


@dataclass(frozen=True)
class BCa:
    """A statistic with its bias-corrected and accelerated interval.

    ``bias`` (z0) and ``acceleration`` (a) are the method's corrections, ``draws`` the replicates
    used, ``dropped`` those on which the statistic was not defined. Limits are nan, and
    ``reason`` says why, where the interval does not exist.
    """

    estimate: float
    low: float
    high: float
    bias: float
    acceleration: float
    draws: int
    dropped: int
    reason: str = ""


def d_ppc2(treatment, control, *, corrected=True):
    """`effects.d_ppc2` of many data sets at once.

    Parameters
    ----------
    treatment, control : array (..., n, 2)
        Before and after, nobody missing.
    corrected : bool
        With the small-sample factor.

    Returns
    -------
    ndarray (...)
        nan where the baseline is constant within the arms.
    """
    arms = [np.asarray(a, float) for a in (treatment, control)]
    df = sum(a.shape[-2] for a in arms) - 2
    change = [(a[..., 1] - a[..., 0]).mean(-1) for a in arms]
    squares = sum(a[..., 0].var(-1) * a.shape[-2] for a in arms)
    size = sum(np.abs(a[..., 0]).max(-1) for a in arms)
    sd = np.sqrt(np.where(squares > 1e-26 * size**2, squares, np.nan) / df)
    return (change[0] - change[1]) / sd * (1 - 3 / (4 * df - 1) if corrected else 1.0)


def bca(samples, statistic, *, draws=10_000, rng, confidence=0.95):
    """BCa interval, people resampled within their own sample (arm).

    Parameters
    ----------
    samples : sequence of array (n_s, ...)
        One an arm, people along the first axis.
    statistic : callable
        ``statistic(*samples)`` with a batch axis in front of every sample, returning the
        batch; nan where it is not defined.
    draws : int
    rng : numpy.random.Generator
    confidence : float

    Returns
    -------
    BCa
        Acceleration from the jackknife, each arm's influence values over its size.

    References
    ----------
    Efron B. J Am Stat Assoc 1987;82:171-85.
    Davison AC, Hinkley DV. Bootstrap Methods and their Application. 1997, eq. 5.23 and 5.8.
    """
    samples = [np.asarray(s, float) for s in samples]
    samples = [s[np.lexsort(s.reshape(len(s), -1).T)] for s in samples]  # whatever the row order
    estimate = float(statistic(*(s[None] for s in samples))[0])
    if min(map(len, samples)) < 3 or np.isnan(estimate):
        reason = "too few people in an arm" if not np.isnan(estimate) else "not estimable"
        return BCa(estimate, np.nan, np.nan, np.nan, np.nan, 0, 0, reason)
    influence = []
    for i, own in enumerate(samples):
        n = len(own)
        left = own[np.nonzero(~np.eye(n, dtype=bool))[1].reshape(n, n - 1)]
        others = [left if j == i else np.broadcast_to(s, (n, *s.shape))
                  for j, s in enumerate(samples)]
        values = statistic(*others)
        influence.append((n - 1) / n * (values.mean() - values))
    replicates = statistic(*(s[rng.integers(0, len(s), (draws, len(s)))] for s in samples))
    return bca_limits(estimate, replicates, np.concatenate(influence), confidence=confidence)


def bca_limits(estimate, replicates, influence, *, confidence=0.95):
    """The interval from replicates (B,) and influence values (n,); see `bca`.

    Replicates equal to the estimate count as half below it. Quantiles are interpolated on the
    normal scale, as R's boot does; a limit beyond the replicates is their extreme.
    """
    t = np.sort(np.asarray(replicates, float))
    dropped = int(np.isnan(t).sum())
    t = t[: len(t) - dropped]
    squares = (influence**2).sum()
    tie = np.abs(t - estimate) <= 1e-12 * max(1.0, abs(estimate))
    below = ((t < estimate) & ~tie).sum() + tie.sum() / 2
    reason = ("not estimable with somebody left out" if np.isnan(squares)
              else "no variation" if not squares > 0
              else "every replicate lies on one side" if not 0 < below < len(t) else "")
    if reason:
        return BCa(estimate, np.nan, np.nan, np.nan, np.nan, len(t), dropped, reason)
    acceleration = (influence**3).sum() / (6 * squares**1.5)
    bias = ndtri(below / len(t))
    z = bias + ndtri(np.array([1 - confidence, 1 + confidence]) / 2)
    low, high = _quantile(t, ndtr(bias + z / (1 - acceleration * z)))
    return BCa(estimate, float(low), float(high), float(bias), float(acceleration), len(t), dropped)


def _quantile(t, p):
    R = len(t)
    k = np.clip(np.floor((R + 1) * p).astype(int), 1, R)
    upper = np.minimum(k + 1, R)
    below, above = ndtri(k / (R + 1)), ndtri(upper / (R + 1))
    share = np.divide(ndtri(p) - below, above - below, out=np.zeros_like(p), where=upper > k)
    return t[k - 1] + np.clip(share, 0, 1) * (t[upper - 1] - t[k - 1])
