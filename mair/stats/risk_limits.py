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

Only upper limits are computed by the score methods: the lower limit of treatment minus control is
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

import numpy as np
from scipy.stats import norm

INTERVALS = ("wald", "newcombe", "miettinen-nurminen", "skewness-corrected")

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
    tables, shape, z = _prepare(x1, n1, x2, n2, interval, confidence)
    if interval == "wald":
        low, high = _wald_difference(*tables, z)
    elif interval == "newcombe":
        low, high = _newcombe(*tables, z)
    else:
        x1, n1, x2, n2 = tables
        skew = interval == "skewness-corrected"
        high = _score_difference_upper(x1, n1, x2, n2, z, skew)
        low = -_score_difference_upper(x2, n2, x1, n1, z, skew)
    return low.reshape(shape), high.reshape(shape)


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
    tables, shape, z = _prepare(x1, n1, x2, n2, interval, confidence)
    x1, n1, x2, n2 = tables
    if interval == "wald":
        low, high = _katz(*tables, z)
    else:
        skew = interval == "skewness-corrected"

        def upper(a, na, b, nb):
            if interval == "newcombe":
                return _mover_ratio_upper(a, na, b, nb, z)
            return _score_ratio_upper(a, na, b, nb, z, skew)

        high = upper(x1, n1, x2, n2)
        with np.errstate(divide="ignore"):
            low = 1 / upper(x2, n2, x1, n1)
    low = np.where(x1 == 0, 0.0, low)
    high = np.where(x2 == 0, np.inf, high)
    return low.reshape(shape), high.reshape(shape)


def wilson(x, n, z):
    """Wilson's score limits of one proportion; exactly 0 at x = 0 and 1 at x = n."""
    x, n = np.asarray(x, float), np.asarray(n, float)
    centre = x + z * z / 2
    half = z * np.sqrt(x * (n - x) / n + z * z / 4)
    low = np.where(x == 0, 0.0, (centre - half) / (n + z * z))
    high = np.where(x == n, 1.0, (centre + half) / (n + z * z))
    return low, high


def _prepare(x1, n1, x2, n2, interval, confidence):
    if interval not in INTERVALS:
        raise ValueError(f"interval is {interval!r}; expected one of {', '.join(INTERVALS)}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence!r}; expected a number between 0 and 1")
    tables = np.broadcast_arrays(*(np.asarray(a, float) for a in (x1, n1, x2, n2)))
    shape = tables[0].shape
    return [a.reshape(-1) for a in tables], shape, norm.isf((1 - confidence) / 2)


def _wald_difference(x1, n1, x2, n2, z):
    p1, p2 = x1 / n1, x2 / n2
    half = z * np.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    return p1 - p2 - half, p1 - p2 + half


def _newcombe(x1, n1, x2, n2, z):
    p1, p2 = x1 / n1, x2 / n2
    (low1, high1), (low2, high2) = wilson(x1, n1, z), wilson(x2, n2, z)
    low = p1 - p2 - np.hypot(p1 - low1, high2 - p2)
    high = p1 - p2 + np.hypot(high1 - p1, p2 - low2)
    return np.maximum(low, -1), np.minimum(high, 1)


def _katz(x1, n1, x2, n2, z):
    half = np.where((x1 == 0) | (x2 == 0), 0.5, 0.0)
    a, na, b, nb = x1 + half, n1 + half, x2 + half, n2 + half
    centre = np.log(a / na) - np.log(b / nb)
    se = np.sqrt(1 / a - 1 / na + 1 / b - 1 / nb)
    return np.exp(centre - z * se), np.exp(centre + z * se)


def _mover_ratio_upper(x1, n1, x2, n2, z):
    """Upper MOVER-R limit; inf where the second proportion's lower limit is 0."""
    p1, p2 = x1 / n1, x2 / n2
    (_, high1), (low2, _) = wilson(x1, n1, z), wilson(x2, n2, z)
    first, second = high1 * (2 * p1 - high1), low2 * (2 * p2 - low2)
    root = np.sqrt(np.maximum((p1 * p2) ** 2 - first * second, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x2 == 0, np.inf, (p1 * p2 + root) / second)


def _score_difference_upper(x1, n1, x2, n2, z, skew):
    """Largest difference at which the score is still at least -z."""
    x1, n1, x2, n2 = (a[:, None] for a in (x1, n1, x2, n2))
    estimate = x1 / n1 - x2 / n2
    shrink = (n1 + n2) / (n1 + n2 - 1)

    def inside(fraction):
        theta = estimate + (1 - estimate) * fraction
        p2 = _restricted_difference(theta, x1, n1, x2, n2)
        p1 = np.clip(p2 + theta, 0, 1)
        v1, v2 = p1 * (1 - p1) / n1, p2 * (1 - p2) / n2
        third = v1 * (1 - 2 * p1) / n1 - v2 * (1 - 2 * p2) / n2
        return _not_below(estimate - theta, shrink * (v1 + v2), third, z, skew)

    fraction = _outermost(inside, len(estimate))
    high = estimate + (1 - estimate) * fraction
    return high[:, 0]


def _score_ratio_upper(x1, n1, x2, n2, z, skew):
    """Largest ratio at which the score is still at least -z; inf where there is none."""
    high = np.full(len(x1), np.inf)
    some = x2 > 0
    x1, n1, x2, n2 = (a[some][:, None] for a in (x1, n1, x2, n2))
    p1_hat, p2_hat = x1 / n1, x2 / n2
    start = p1_hat / (p1_hat + p2_hat)
    shrink = (n1 + n2) / (n1 + n2 - 1)

    def ratio(fraction):  # the half line of ratios above the estimate, as a finite range
        share = start + (1 - start) * fraction
        with np.errstate(divide="ignore"):
            return share / (1 - share)

    def inside(fraction):
        theta = ratio(fraction)
        a, b = (n1 + n2) * theta, n1 * theta + x1 + n2 + x2 * theta
        p2 = 2 * (x1 + x2) / (b + np.sqrt(np.maximum(b * b - 4 * a * (x1 + x2), 0)))
        p2 = np.clip(p2, 0, np.minimum(1, 1 / theta))
        p1 = np.minimum(theta * p2, 1)
        v1, v2 = p1 * (1 - p1) / n1, theta**2 * p2 * (1 - p2) / n2
        third = v1 * (1 - 2 * p1) / n1 - theta * v2 * (1 - 2 * p2) / n2
        return _not_below(p1_hat - theta * p2_hat, shrink * (v1 + v2), third, z, skew)

    fraction = _outermost(inside, len(x1))
    high[some] = np.where(fraction == 1, np.inf, ratio(fraction))[:, 0]
    return high


def _not_below(score, variance, third, z, skew):
    """Whether score/sqrt(V) - (z^2 - 1) mu3 / (6 V^1.5) >= -z, the equation of a tail area.

    Gart and Nam's quadratic in the normal deviate, with its value put at -z: with that value known
    the equation has no second branch to choose from.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = (z * z - 1) * third / (6 * variance) if skew else 0.0
        return (score - shift) >= -z * np.sqrt(variance)


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
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.where(u == 0, 0.0, v / u**3)
    angle = (np.pi + np.arccos(np.clip(cosine, -1, 1))) / 3
    least, most = np.maximum(0, -theta), np.minimum(1, 1 - theta)
    return np.clip(2 * u * np.cos(angle) - square / 3, least, most)
