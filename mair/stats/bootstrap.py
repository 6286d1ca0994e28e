"""BCa bootstrap of a statistic of two independent samples of people."""

from __future__ import annotations

import warnings

import numpy as np
import scipy  # scipy.stats is loaded where it is first used

from mair.stats.effects import Interval, d_ppc2

BATCH = 20_000_000  # people resampled at once, for the memory's sake


def bca_d_ppc2(treatment, control, *, draws=10_000, rng, confidence=0.95) -> Interval:
    """BCa interval of `effects.d_ppc2`, people resampled within their own arm.

    Parameters
    ----------
    treatment, control : array (n, 2)
        Before and after, nobody missing.
    draws : int
    rng : numpy.random.Generator
        The same seed gives the same limits, whatever the order of the people.
    confidence : float

    Returns
    -------
    Interval
        Limits are linearly interpolated quantiles of the replicates, as SciPy's ``bootstrap`` has
        them; R's ``boot`` interpolates on the normal scale. A resample whose baseline is
        constant has an infinite d of the change's sign. Not estimable with fewer than three
        people in an arm, without variation, or where leaving somebody out leaves no variation.

    References
    ----------
    Efron B. J Am Stat Assoc 1987;82:171-85.
    Davison AC, Hinkley DV. Bootstrap Methods and their Application. 1997, eq. 5.23 and 5.8.
    """
    arms = [np.asarray(arm, float) for arm in (treatment, control)]
    arms = [arm[np.lexsort(arm.T)] for arm in arms]
    estimate = float(d_ppc2(*arms).estimate)
    if min(map(len, arms)) < 3 or np.isnan(estimate):
        return Interval(estimate, reason="not estimable" if np.isnan(estimate) else
                        "too few people in an arm")

    def statistic(*people, axis):
        found = d_ppc2(*(arm[who] for arm, who in zip(arms, people, strict=True)))
        return np.where(np.isnan(found.estimate), np.copysign(np.inf, found.change),
                        found.estimate)

    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy.stats.DegenerateDataWarning)  # said in `reason`
        found = scipy.stats.bootstrap([np.arange(len(arm)) for arm in arms], statistic,
                                      n_resamples=draws, confidence_level=confidence,
                                      vectorized=True, axis=-1, method="BCa", rng=rng,
                                      batch=max(1, BATCH // max(map(len, arms))))
    low, high = map(float, found.confidence_interval)
    if not np.isfinite([low, high]).all():
        return Interval(estimate, reason="no variation, or none with somebody left out")
    return Interval(estimate, low, high)
