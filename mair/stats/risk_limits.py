"""Confidence limits for the difference and the ratio of two proportions, many tables at once.

Arrays in, arrays out; `mair.stats.risk` is the interface that checks counts and names results.
Four families, each for the difference and for the ratio:

=====================  =====================================  ==================================
interval               difference                             ratio
=====================  =====================================  ==================================
wald                   normal, unpooled variance              log ratio, Katz et al. 1978
newcombe               Newcombe 1998, method 10               MOVER-R on Wilson limits, Donner
                                                              and Zou 2012
miettinen-nurminen     score, variance times N/(N-1)          the same
skewness-corrected     the same with the third moment (Laud   the same
                       2017)
=====================  =====================================  ==================================

Only upper limits are computed: the lower limit of treatment minus control is
minus the upper limit of control minus treatment (of the ratio: its reciprocal), so swapping the
arms changes signs and nothing else.

References
----------
Donner A, Zou GY. Stat Methods Med Res 2012;21:347-59.
Gart JJ, Nam J. Biometrics 1988;44:323-38; Biometrics 1990;46:637-43.
Katz D, Baptista J, Azen SP, Pike MC. Biometrics 1978;34:469-74.
Laud PJ. Pharm Stat 2017;16:334-48.
Miettinen O, Nurminen M. Stat Med 1985;4:213-26.
Newcombe RG. Stat Med 1998;17:873-90.
"""

from functools import partial

import numpy as np
from scipy.special import ndtri

# A score function near a table with empty cells dips and rises within a small part of the range,
# mostly close to its ends, so the first look is dense there; later looks refine one cell of it.
_FIRST = np.sin(np.pi / 2 * np.arange(1, 100) / 100) ** 2
_LATER = np.arange(1, 5) / 5
_REFINEMENTS = 22
_END = 1 - 1e-9  # beyond this fraction of the range a limit is the end of the range


def difference_limits(x1, n1, x2, n2, interval="newcombe", confidence=0.95):
    """Limits of p1 - p2 for tables x1/n1 against x2/n2.

    Parameters
    ----------
    x1, n1, x2, n2 : array_like of int
        Counts and denominators (all n >= 1), broadcast together.
    interval : {"wald", "newcombe", "miettinen-nurminen", "skewness-corrected"}
    confidence : float
        Two-sided coverage, in (0, 1).

    Returns
    -------
    low, high : ndarray
        Proportions. Wald limits are not cut at -1 and 1: overshooting is what the method does.
    """
    upper, mirrored, *_ = _uppers(0, (x1, n1, x2, n2), interval, confidence)
    return -mirrored, upper


def ratio_limits(x1, n1, x2, n2, interval="newcombe", confidence=0.95):
    """Limits of p1 / p2 for tables x1/n1 against x2/n2; parameters as `difference_limits`.

    Returns
    -------
    low, high : ndarray
        ``low`` is 0 where x1 is 0 and ``high`` is inf where x2 is 0. Katz's variance does not
        exist with an empty cell: there the remaining limit takes 1/2 added to both counts and
        both denominators (Pettigrew, Gart and Thomas, Biometrika 1986;73:425-35). With every
        participant of both arms responding its variance is 0 and the limits are 1 and 1.
    """
    upper, mirrored, x1, x2 = _uppers(1, (x1, n1, x2, n2), interval, confidence)
    with np.errstate(divide="ignore"):
        return np.where(x1 == 0, 0.0, 1 / mirrored), np.where(x2 == 0, np.inf, upper)


def _uppers(measure, tables, interval, confidence):
    """Upper limits of a difference (0) or ratio (1), those with the arms swapped, and counts."""
    if interval not in INTERVALS:
        raise ValueError(f"interval is {interval!r}; expected one of {', '.join(INTERVALS)}")
    tables = np.broadcast_arrays(*(np.asarray(a, float) for a in tables))
    flat, upper = [a.reshape(-1) for a in tables], INTERVALS[interval][measure]
    return (*(upper(*order, confidence).reshape(tables[0].shape)
              for order in (flat, flat[2:] + flat[:2])), tables[0], tables[2])


def wilson(x, n, *, confidence=0.95):
    """Wilson's score limits of one proportion, x of n, without continuity correction.

    Parameters
    ----------
    x, n : array_like of int
        Counts and denominators, broadcast together.
    confidence : float

    Returns
    -------
    low, high : ndarray
        Exactly 0 at x = 0 and 1 at x = n; nan at n = 0.

    References
    ----------
    Wilson EB. J Am Stat Assoc 1927;22:209-12.
    """
    x, n = np.asarray(x, float), np.asarray(n, float)
    n, z2 = np.where(n == 0, np.nan, n), _z(confidence) ** 2
    half = np.sqrt(z2 * (x * (n - x) / n + z2 / 4))
    low = np.where(x == 0, 0.0 * n, (x + z2 / 2 - half) / (n + z2))
    return low, np.where(x == n, 1.0, (x + z2 / 2 + half) / (n + z2))


def _z(confidence):
    return ndtri((1 + confidence) / 2)


def _wald(x1, n1, x2, n2, confidence):
    p1, p2 = x1 / n1, x2 / n2
    return p1 - p2 + _z(confidence) * np.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)


def _newcombe(x1, n1, x2, n2, confidence):
    high1, low2 = wilson(x1, n1, confidence=confidence)[1], wilson(x2, n2, confidence=confidence)[0]
    p1, p2 = x1 / n1, x2 / n2
    return np.minimum(p1 - p2 + np.hypot(high1 - p1, p2 - low2), 1)


def _katz(x1, n1, x2, n2, confidence):
    half = np.where((x1 == 0) | (x2 == 0), 0.5, 0.0)
    a, na, b, nb = x1 + half, n1 + half, x2 + half, n2 + half
    se = np.sqrt(1 / a - 1 / na + 1 / b - 1 / nb)
    return np.exp(np.log(a / na) - np.log(b / nb) + _z(confidence) * se)


def _mover_ratio(x1, n1, x2, n2, confidence):
    high1, low2 = wilson(x1, n1, confidence=confidence)[1], wilson(x2, n2, confidence=confidence)[0]
    p1, p2 = x1 / n1, x2 / n2
    first, second = high1 * (2 * p1 - high1), low2 * (2 * p2 - low2)
    root = np.sqrt(np.maximum((p1 * p2) ** 2 - first * second, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return (p1 * p2 + root) / second


def _score(x1, n1, x2, n2, confidence, *, ratio=False, skew=False):
    """Largest difference, or ratio, at which the score is still at least -z.

    The score is p1 - w p2 - shift at a difference (w = 1, shift = it) or a ratio (w = it). With
    ``skew`` the equation is score/sqrt(V) - (z^2 - 1) mu3 / (6 V^1.5) = -z: Gart and Nam's
    quadratic in the normal deviate, with its value put at -z, so that there is no second branch
    to choose from.
    """
    x1, n1, x2, n2 = (a[:, None] for a in (x1, n1, x2, n2))
    p1, p2, z = x1 / n1, x2 / n2, _z(confidence)
    shrink = (n1 + n2) / (n1 + n2 - 1)
    restricted = _restricted_ratio if ratio else _restricted_difference

    def value(fraction):  # the half line of ratios above the estimate is a finite range of shares
        start = p1 / (p1 + p2) if ratio else p1 - p2
        at = start + (1 - start) * fraction
        return at / (1 - at) if ratio else at

    def inside(fraction):
        theta = value(fraction)
        w, shift = (theta, 0.0) if ratio else (1.0, theta)
        q2 = restricted(theta, x1, n1, x2, n2)
        q1 = np.clip(w * q2 + shift, 0, 1)
        v1, v2 = q1 * (1 - q1) / n1, w**2 * q2 * (1 - q2) / n2
        variance = shrink * (v1 + v2)
        third = v1 * (1 - 2 * q1) / n1 - w * v2 * (1 - 2 * q2) / n2
        correction = (z * z - 1) * third / (6 * variance) if skew else 0.0
        return p1 - w * p2 - shift - correction >= -z * np.sqrt(variance)

    with np.errstate(divide="ignore", invalid="ignore"):
        return value(_outermost(inside, len(p1)))[:, 0]


def _outermost(inside, tables):
    """Largest fraction of the range, per table, at which `inside` holds; 0 where nowhere.

    `inside(fraction)` takes and returns arrays of shape (tables, k).
    """
    low, high = np.zeros((tables, 1)), np.full((tables, 1), _END)
    whole = inside(high)
    for step in range(_REFINEMENTS + 1):
        look = _FIRST if step == 0 else _LATER
        points = np.concatenate([low, low + (high - low) * look, high], axis=1)
        good = inside(points[:, 1:-1])
        last = np.where(good.any(axis=1), good.shape[1] - np.argmax(good[:, ::-1], axis=1), 0)
        low = np.take_along_axis(points, last[:, None], axis=1)
        high = np.take_along_axis(points, last[:, None] + 1, axis=1)
    return np.where(whole, 1.0, low)


def _restricted_difference(theta, x1, n1, x2, n2):
    """p2 that maximises the likelihood given p1 - p2 = theta: a cubic's root, in closed form.

    Miettinen and Nurminen 1985, appendix 1. Where two roots meet, the cosine loses digits; limits
    stay within 1e-10 of those from a restricted likelihood solved by bisection.
    """
    total, events = n1 + n2, x1 + x2
    square = ((n1 + 2 * n2) * theta - total - events) / total
    linear = ((n2 * theta - total - 2 * x2) * theta + events) / total
    constant = x2 * theta * (1 - theta) / total
    v = (square / 3) ** 3 - square * linear / 6 + constant / 2
    u = np.copysign(np.sqrt(np.maximum((square / 3) ** 2 - linear / 3, 0)), v)
    cosine = np.where(u == 0, 0.0, v / u**3)
    angle = (np.pi + np.arccos(np.clip(cosine, -1, 1))) / 3
    least, most = np.maximum(0, -theta), np.minimum(1, 1 - theta)
    return np.clip(2 * u * np.cos(angle) - square / 3, least, most)


def _restricted_ratio(theta, x1, n1, x2, n2):
    """p2 that maximises the likelihood given p1 / p2 = theta: the smaller root of a quadratic."""
    a, b = (n1 + n2) * theta, n1 * theta + x1 + n2 + x2 * theta
    root = np.sqrt(np.maximum(b * b - 4 * a * (x1 + x2), 0))
    return np.clip(2 * (x1 + x2) / (b + root), 0, np.minimum(1, 1 / theta))


INTERVALS = {  # a difference's upper limit, and a ratio's
    "wald": (_wald, _katz),
    "newcombe": (_newcombe, _mover_ratio),
    "miettinen-nurminen": (_score, partial(_score, ratio=True)),
    "skewness-corrected": (partial(_score, skew=True), partial(_score, ratio=True, skew=True))}
