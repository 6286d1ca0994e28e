"""Simulated two-arm trials: correlated scores of several visits, and dropout that depends on them.

Scores are centred at 0 and higher is worse. What a trial's power is simulated from, and the
simulation study of `mair.studies.simulate`.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import bdtrik, expit

from mair.stats import saturated, smallsample

CORRELATION = 0.5  # of two visits; a change then has the same SD as a score
ADJACENT = 0.6  # of neighbouring visits where it falls with lag, as its powers
STEEPNESS = 1.0  # log odds of leaving, per SD of the last score
BATCH = 250_000  # scores simulated at once


def correlation(k: int, rho: float, falling: bool = False):
    """Correlation of k visits, shape (k, k): rho everywhere, or its powers by lag."""
    lag = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    return rho**lag if falling else np.where(lag == 0, 1.0, rho)


def scores(rng, count, sds, matrix, skewed=False):
    """Scores (count, n, k) around 0.

    Parameters
    ----------
    rng : numpy.random.Generator
    count : int
    sds : array (n, k)
    matrix : array (k, k)
        Correlation.
    skewed : bool
        Exponential residuals about a normal intercept, where ``matrix`` is exchangeable.
    """
    n, k = sds.shape
    if skewed:
        share = matrix[0, 1]
        person = rng.standard_normal((count, n, 1))
        rest = rng.exponential(size=(count, n, k)) - 1
        return sds * (np.sqrt(share) * person + np.sqrt(1 - share) * rest)
    return sds * (rng.standard_normal((count, n, k)) @ np.linalg.cholesky(matrix).T)


def visits_seen(rng, y, sd, share, slope):
    """Visits that each participant is seen at, 1 to k: monotone dropout on the last score.

    Parameters
    ----------
    rng : numpy.random.Generator
    y : array (B, n, k)
    sd : float
    share : array (n,)
        Lost by the last visit where scores are normal around 0, equally at each visit.
    slope : array (n,)
        Log odds of leaving per SD of the last score.
    """
    k = y.shape[-1]
    intercept = np.empty(len(share))
    for pair in set(zip(share, slope, strict=True)):
        intercept[(share == pair[0]) & (slope == pair[1])] = _intercept(*pair, k - 1)
    seen = np.full(y.shape[:2], k)
    for visit in range(1, k):
        leaves = rng.random(seen.shape) < expit(intercept + slope * y[..., visit - 1] / sd)
        seen[leaves & (seen == k)] = visit
    return seen


def _intercept(share, slope, steps):
    """Log odds at a score of 0 with which a normal population loses ``share`` over the steps."""
    if share == 0:
        return -np.inf
    hazard = 1 - (1 - share) ** (1 / steps)
    points, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    return brentq(lambda a: weights @ expit(a + slope * points) - hazard, -40, 40)


def simulated_power(n, k, *, d, share=0.0, rho=CORRELATION, alpha=0.05, draws=10_000, rng):
    """Power of the mixed model's contrast by simulation, n an arm at k visits.

    Scores have SD 1 and one correlation; the arms differ by ``d`` at every later visit; of each
    arm ``share`` leaves by the last visit, more often after a worse score. Random intercept,
    Kenward-Roger.

    Parameters
    ----------
    n, k : int
    d : float
        Difference in SDs of a score.
    share, rho, alpha : float
    draws : int
        Trials simulated.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray (k - 1,)
        Share of trials whose test of a later visit's contrast rejects.
    """
    treated = np.repeat([0, 1], n)
    matrix, found = correlation(k, rho), np.zeros(k - 1)
    step = max(1, BATCH // (2 * n * k))
    for at in range(0, draws, step):
        y = scores(rng, min(step, draws - at), np.ones((2 * n, k)), matrix)
        y[:, n:, 1:] -= abs(d)
        seen = visits_seen(rng, y, 1.0, np.full(2 * n, share), np.full(2 * n, STEEPNESS))
        fits = saturated.random_intercept(saturated.reduced(y, seen, treated))
        changes = [saturated.change(k, visit) for visit in range(1, k)]
        test = smallsample.contrast(fits, changes, "kenward-roger", confidence=1 - alpha)
        found += ((test.low > 0) | (test.high < 0)).sum(0)
    return found / draws


def binomial_limits(n, rate, level=0.99):
    """Exact two-sided limits of a share of n trials that has expectation ``rate``."""
    return tuple(np.ceil(bdtrik(q, n, rate)) / n for q in ((1 - level) / 2, (1 + level) / 2))
