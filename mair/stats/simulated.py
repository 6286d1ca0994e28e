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


def visits_seen(rng, y, sd, share, mechanism, treated):
    """Visits that each participant is seen at, 1 to k: monotone dropout on the last score.

    Parameters
    ----------
    rng : numpy.random.Generator
    y : array (B, n, k)
    sd : float
    share : float
        Lost by the last visit where scores are normal around 0, equally at each visit.
    mechanism : str
        Of `MECHANISMS`.
    treated : array (n,)
        1 for treatment, 0 for control.
    """
    (slope, tilt), k, arms = MECHANISMS[mechanism], y.shape[-1], np.where(treated, -1, 1)
    share, slope = share * (1 + tilt * arms), slope * (arms if tilt else np.ones(len(arms)))
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


MECHANISMS = {  # log odds of leaving per SD of the last score; by how much more of control leave
    "at random": (0.0, 0.0), "last score": (STEEPNESS, 0.0), "by arm": (STEEPNESS, 1 / 3)}
COVARIANCES = ("random-intercept", "unstructured", "unstructured,by-arm")
METHOD = "random-intercept/kenward-roger"


def simulated_power(n, k, *, d, share=0.0, rho=CORRELATION, ratio=1.0, mechanism="last score",
                    methods=(METHOD,), alpha=0.05, draws=10_000, rng):
    """Power of mixed models' contrasts by simulation, n an arm at k visits.

    Scores have SD 1 in the control arm and one correlation; the arms differ by ``d`` at every
    later visit; of each arm ``share`` leaves by the last visit.

    Parameters
    ----------
    n, k : int
    d : float
        Difference in SDs of a score in the control arm.
    share, rho, alpha : float
    ratio : float
        SD in the treatment arm over that in the control arm.
    mechanism : {"at random", "last score", "by arm"}
        Who leaves: anyone; more often after a worse score; so in control, of which a third more
        leaves, and after a better one in treatment, of which a third less leaves.
    methods : sequence of str
        ``<covariance>/<inference>``, of `COVARIANCES` and `smallsample.INFERENCES`.
    draws : int
        Trials simulated.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray (methods, k - 1)
        Share of trials whose test of a later visit's contrast rejects.
    """
    treated = np.repeat([0, 1], n)
    sds = np.where(treated[:, None], ratio, 1.0) * np.ones(k)
    matrix, found = correlation(k, rho), np.zeros((len(methods), k - 1))
    changes = [saturated.change(k, visit) for visit in range(1, k)]
    step = max(1, BATCH // (2 * n * k))
    for at in range(0, draws, step):
        y = scores(rng, min(step, draws - at), sds, matrix)
        y[:, n:, 1:] -= abs(d)
        seen = visits_seen(rng, y, 1.0, share, mechanism, treated)
        for row, method in zip(found, methods, strict=True):
            low, high = _limits(y, seen, treated, changes, method, 1 - alpha)
            row += ((low > 0) | (high < 0)).sum(0)
    return found / draws


def _limits(y, seen, treated, changes, method, confidence):
    """Interval of each contrast under one method, (B, k - 1) each."""
    covariance, _, inference = method.partition("/")
    structure, _, by_arm = covariance.partition(",")
    fit = getattr(saturated, structure.replace("-", "_"))
    if not by_arm:
        test = smallsample.contrast(fit(saturated.reduced(y, seen, treated)), changes, inference,
                                    confidence=confidence)
        return test.low, test.high
    apart, k = saturated.apart(y, seen, treated, fit), y.shape[2]
    tests = [smallsample.difference(*apart, change[k:], inference, confidence=confidence)
             for change in changes]
    return (np.stack([getattr(test, end) for test in tests], 1) for end in ("low", "high"))


def binomial_limits(n, rate, level=0.99):
    """Exact two-sided limits of a share of n trials that has expectation ``rate``."""
    return tuple(np.ceil(bdtrik(q, n, rate)) / n for q in ((1 - level) / 2, (1 + level) / 2))
