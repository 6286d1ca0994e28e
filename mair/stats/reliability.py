"""Internal consistency of a score: how well the items of a scale agree."""

import numpy as np
import scipy  # scipy.stats is loaded where it is first used

from mair.stats.effects import Interval

DRAWS = 2000  # of the bootstrap
MOST = 0.995  # of a loading's square, as psych has it


def alpha(items, *, confidence=0.95) -> Interval:
    """Cronbach's alpha with Feldt's interval.

    Parameters
    ----------
    items : array (people, k)
        Nobody without an answer, k of 2 or more.
    confidence : float

    Returns
    -------
    Interval
        Not estimable with fewer than three people, or where the sum does not vary.

    References
    ----------
    Feldt LS. Psychometrika 1965;30:357-70.
    """
    items = np.asarray(items, float)
    (n, k), total = items.shape, items.sum(axis=1)
    if n < 3 or k < 2 or not np.ptp(total):
        return Interval(np.nan, reason="too few people, or no variation")
    estimate = k / (k - 1) * (1 - items.var(axis=0, ddof=1).sum() / total.var(ddof=1))
    tails = scipy.stats.f.ppf([(1 + confidence) / 2, (1 - confidence) / 2], n - 1,
                              (n - 1) * (k - 1))
    low, high = 1 - (1 - estimate) * tails
    return Interval(float(estimate), float(low), float(high))


def omega(items, *, rng, draws=DRAWS, confidence=0.95) -> Interval:
    """McDonald's omega (total) of one factor, by minimum residuals on the correlations.

    Parameters
    ----------
    items : array (people, k)
        Nobody without an answer, k of 3 or more.
    rng : numpy.random.Generator
    draws : int
        Resamples of people; the interval is their percentiles.
    confidence : float

    Returns
    -------
    Interval
        Not estimable with fewer than three items or ten people, or an item that does not vary;
        resamples in which one does not are left out.

    References
    ----------
    McDonald RP. Test Theory: A Unified Treatment. 1999, chapter 6.
    Harman HH, Jones WH. Psychometrika 1966;31:351-68.
    """
    items = np.asarray(items, float)
    n, k = items.shape
    if n < 10 or k < 3 or not np.ptp(items, axis=0).all():
        return Interval(np.nan, reason="too few people or items, or no variation")
    estimate = float(_omega(items[None], 1e-10)[0])
    again = _omega(items[rng.integers(0, n, (draws, n))], 1e-5)
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(again, [tail, 1 - tail])
    return Interval(estimate, float(low), float(high))


def _omega(samples: np.ndarray, close: float) -> np.ndarray:
    """Omega of each sample of (draws, people, k), loadings to within ``close``; nan without one."""
    apart = samples - samples.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart /= np.sqrt((apart**2).sum(axis=1, keepdims=True))
    r = np.swapaxes(apart, 1, 2) @ apart
    k, loading = r.shape[1], np.full(r.shape[:2], 0.6)
    for _ in range(500):  # each loading in turn at its minimum, given the others
        before = loading.copy()
        for i in range(k):
            others = loading.copy()
            others[:, i] = 0
            loading[:, i] = np.clip((r[:, i] * others).sum(axis=1) / (others**2).sum(axis=1),
                                    -np.sqrt(MOST), np.sqrt(MOST))
        if np.nanmax(np.abs(loading - before), initial=0.0) < close:
            break
    whole = r.sum(axis=(1, 2))
    return (whole - k + (loading**2).sum(axis=1)) / whole
