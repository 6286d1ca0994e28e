"""BCa bootstrap of a statistic of two independent samples of people."""

import numpy as np
from scipy.special import ndtr, ndtri

from mair.stats.effects import Interval, d_ppc2, d_ppc2_of, moments

BATCH = 2_000_000  # people resampled at once, for the memory's sake


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
        them; R's ``boot`` interpolates on the normal scale. The acceleration is of the values
        with each person left out in turn, which sums of all the others give at once. A resample
        whose baseline is constant has an infinite d of the change's sign. Not estimable with
        fewer than three people in an arm, without variation, or where leaving somebody out
        leaves no variation.

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
    batch, whole = max(1, BATCH // max(map(len, arms))), [moments(arm) for arm in arms]
    found = np.concatenate([
        _d(*(moments(arm[rng.integers(0, len(arm), (min(batch, draws - at), len(arm)))])
             for arm in arms)) for at in range(0, draws, batch)])
    left = [_d(_without(arms[0], whole[0]), whole[1]), _d(whole[0], _without(arms[1], whole[1]))]
    z = ndtri([(1 - confidence) / 2, (1 + confidence) / 2])
    with np.errstate(invalid="ignore", divide="ignore"):
        pull = [(len(u) - 1) / len(u) * (u.mean() - u) for u in left]
        speed = sum((u**3).sum() for u in pull) / sum((u**2).sum() for u in pull) ** 1.5 / 6
        bias = ndtri(((found < estimate).mean() + (found <= estimate).mean()) / 2)
        at = ndtr(bias + (bias + z) / (1 - speed * (bias + z)))
        limits = np.full(2, np.nan) if np.isnan(at).any() else np.quantile(found, at)
    if not np.isfinite(limits).all():
        return Interval(estimate, reason="no variation, or none with somebody left out")
    return Interval(estimate, *map(float, limits))


def _without(arm, whole):
    """The same of an arm without each of its people."""
    n, mean, sd, after = whole
    apart = arm[:, 0] - mean
    squares = (n - 1) * sd**2 - n / (n - 1) * apart**2
    squares[squares <= 1e-12 * (n - 1) * sd**2] = 0  # rounding
    return n - 1, mean - apart / (n - 1), np.sqrt(squares / (n - 2)), (
        after - (arm[:, 1] - after) / (n - 1))


def _d(treatment, control):
    found = d_ppc2_of(treatment, control)
    return np.where(np.isnan(found.estimate), np.copysign(np.inf, found.change), found.estimate)
