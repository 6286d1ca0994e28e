"""Operating characteristics: how often inferences err, over simulated responses of one design.

The design, who was seen when and the covariance of the scores are held as they are; only the
scores are drawn anew, without any Group x Time effect. An effect would move the estimates and
leave their standard errors, so that the rate at which an interval holds it is the same.
"""

import numpy as np

from . import covariance, mixed, permute, smallsample

BY_ARM = ",by-arm"


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


def inferences(y, X, groups, visits, arm, L, structures, *, confidence=0.95):
    """Every inference of `smallsample` from every covariance structure.

    Parameters
    ----------
    y : array (B, N)
    X, groups, visits
        Of all responses: design (N, p), participant and visit of each row, from 0.
    arm : array (n,)
        0 or 1, by participant.
    L : array (m, p)
        Contrasts.
    structures : sequence of str
        Of `covariance.STRUCTURES`, with ``,by-arm`` behind where each arm has its own. What one
        of the responses cannot be fitted by falls back as `covariance.fit` does.
    confidence : float

    Returns
    -------
    dict of (structure, inference) to smallsample.Contrast
        Arrays (B, m), nan where nothing can be estimated.
    """
    out = {}
    for structure in structures:
        own, by_arm = structure.removesuffix(BY_ARM), structure.endswith(BY_ARM)
        found, _ = covariance.batch(y, X, groups, visits, own, arm=arm if by_arm else None)
        failed = {i: covariance.fit(y[i], X, groups, visits, own,
                                    arms=arm[groups] if by_arm else None)
                  for i in np.flatnonzero(~found.converged)}
        for inference in smallsample.INFERENCES:
            out[structure, inference] = batch = smallsample.contrast(found, L, inference,
                                                                     confidence=confidence)
            for i, one in failed.items():
                single = smallsample.contrast(one, L, inference, confidence=confidence)
                for whole, part in zip(batch, single, strict=True):
                    whole[i] = part
    return out


def tallied(found, truth=0.0):
    """Intervals of a `smallsample.Contrast` (B, m) that reject 0, that hold the truth (m,), and
    those there are not: counts (m, 3).
    """
    low, high = found.low, found.high
    return np.stack([part.sum(0) for part in (
        (low > 0) | (high < 0), (low <= truth) & (truth <= high), np.isnan(low))], -1)


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
        p[:] = permute.rerandomise(found.beta[:, first:], found.se[:, first:], drawn.exact).p
    return out
