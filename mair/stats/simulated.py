"""Simulated two-arm trials: correlated scores of several visits, and dropout that depends on them.

Scores are centred at 0 and higher is worse. A `Design` is drawn, fitted under several methods and
counted: what a trial's power is simulated from, the grid of `mair.studies.grid` and the
simulation study of `mair.studies.simulate`.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import bdtrik, expit

from mair.stats import operating, saturated, smallsample

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


class Design(NamedTuple):
    """Two-arm trials to be drawn.

    ``sizes`` (control, treatment); ``sds`` (2, k) of scores; ``matrix`` (k, k) their correlation;
    ``shift`` (k,) what treatment adds; ``share``, ``mechanism``, ``sd`` as for `visits_seen`;
    ``skewed`` as for `scores`.
    """

    sizes: tuple[int, int]
    sds: np.ndarray
    matrix: np.ndarray
    shift: np.ndarray
    share: float = 0.0
    mechanism: str = "last score"
    sd: float = 1.0
    skewed: bool = False

    @property
    def treated(self):
        """Arm of each participant, control first."""
        return np.repeat([0, 1], self.sizes)

    def draw(self, rng, count):
        """Scores (count, n, k) and visits seen (count, n)."""
        y = scores(rng, count, self.sds[self.treated], self.matrix, self.skewed)
        y += self.treated[:, None] * self.shift
        return y, visits_seen(rng, y, self.sd, self.share, self.mechanism, self.treated)


def inferences(y, seen, treated, methods, confidence):
    """Contrasts of every later visit under each method: `smallsample.Contrast` of (B, k - 1).

    ``methods`` are ``<covariance>/<inference>``, of `COVARIANCES` and `smallsample.INFERENCES`;
    the rest is as for `saturated.reduced`.
    """
    k, fits, found = y.shape[2], {}, []
    changes = np.array([saturated.change(k, visit) for visit in range(1, k)])
    for covariance, inference in (method.split("/") for method in methods):
        structure, _, by_arm = covariance.partition(",")
        if covariance not in fits:
            fit = getattr(saturated, structure.replace("-", "_"))
            fits[covariance] = (saturated.apart(y, seen, treated, fit) if by_arm else
                                fit(saturated.reduced(y, seen, treated)))
        found.append(smallsample.difference(*fits[covariance], changes[:, k:], inference,
                                            confidence=confidence) if by_arm else
                     smallsample.contrast(fits[covariance], changes, inference,
                                          confidence=confidence))
    return found


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
        As for `inferences`.
    draws : int
        Trials simulated.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray (methods, k - 1)
        Share of trials whose test of a later visit's contrast rejects.
    """
    design = Design((n, n), np.outer([1.0, ratio], np.ones(k)), correlation(k, rho),
                    np.where(np.arange(k) > 0, -abs(d), 0.0), share, mechanism)
    step, rejected = max(1, BATCH // (2 * n * k)), 0
    for at in range(0, draws, step):
        drawn = design.draw(rng, min(step, draws - at))
        rejected += np.array([operating.tallied(found)[:, 0] for found in inferences(
            *drawn, design.treated, methods, 1 - alpha)])
    return rejected / draws


def binomial_limits(n, rate, level=0.99):
    """Exact two-sided limits of a share of n trials that has expectation ``rate``."""
    return tuple(np.ceil(bdtrik(q, n, rate)) / n for q in ((1 - level) / 2, (1 + level) / 2))
