"""Sample size of a two-arm trial with equal arms and a continuous outcome.

Two-sided tests. ``d`` is the difference in SDs, of either sign; ``n`` participants an arm.
``method`` is ``normal`` (known SD) or ``t`` (Student's test). The noncentral t of SciPy, and so of
``statsmodels.stats.power``, is nan where the lower tail vanishes; its square, F, is not.
"""

import math
from bisect import bisect_left
from functools import partial

import numpy as np
import scipy  # scipy.stats is loaded where it is first used
from scipy import special

SLACK = 1e-9  # a quotient that is whole must not round up because of its last bit


def achieved_power(d, n, *, alpha=0.05, method="t"):
    """Power of the two-sided test with n an arm at a true difference of d SDs.

    Both tails count, so that the power at d = 0 is alpha; for ``t`` this is R's
    ``power.t.test(strict = TRUE)``. ``d`` and ``n`` may be arrays.

    """
    ncp = abs(d) * np.sqrt(np.divide(n, 2))
    if method == "normal":
        z = special.ndtri(1 - alpha / 2)
        return special.ndtr(ncp - z) + special.ndtr(-ncp - z)
    df = 2 * np.asarray(n) - 2
    # SciPy's F is wrong at a noncentrality of exactly 0.
    return scipy.stats.ncf.sf(special.stdtrit(df, 1 - alpha / 2) ** 2, 1, df, ncp**2 + 1e-300)


def sample_size(d, *, alpha=0.05, power=0.80, method="t") -> int:
    """Participants an arm, rounded up.

    Parameters
    ----------
    d : float
        Difference to detect over the common SD; not 0.
    alpha, power : float
        Two-sided level and power wanted, 0 < alpha < power < 1.
    method : {"normal", "t"}
        ``normal``: 2 ((z_{1-alpha/2} + z_power) / d)^2. ``t``: the smallest n at which
        `achieved_power` reaches the power.

    Raises
    ------
    ValueError
        A difference so small that an arm would need more than a hundred million.

    References
    ----------
    Julious SA. Stat Med 2004;23:1921-86.
    """
    z = float(special.ndtri(1 - alpha / 2) + special.ndtri(power))
    if not abs(d) > z / 7000:
        raise ValueError(f"a difference of {d} SDs needs more than a hundred million an arm")
    if method == "normal":
        return max(1, math.ceil(2 * (z / d) ** 2 - SLACK))
    reached, high = partial(achieved_power, d, alpha=alpha), 2
    while reached(high) < power:
        high *= 2
    return bisect_left(range(high), power, lo=2, key=reached)


def inflate(n, dropout, *, rule="divided") -> float:
    """Both arms together, so as to allow for a share ``dropout`` lost.

    Parameters
    ----------
    n : int
        Participants an arm that are to remain.
    dropout : float
        In [0, 1).
    rule : {"divided", "multiplied"}
        ``divided``: twice n / (1 - dropout) rounded up. ``multiplied``: 2 n (1 + dropout),
        not rounded, as some papers print it (36 x 1.15 = 41.4); that leaves fewer than 2 n
        and is here to reproduce such numbers.
    """
    return (2 * math.ceil(n / (1 - dropout) - SLACK) if rule == "divided" else
            2 * n * (1 + dropout))


def upper_sd(sd, df, level) -> float:
    """One-sided upper confidence limit of a standard deviation, to plan the next trial with.

    Parameters
    ----------
    sd : float
        Of the pilot trial, on ``df`` degrees of freedom (pooled over two arms: n - 2).
    df : int
    level : float
        Confidence in (0, 1): the chance that a trial so planned has at least the power wanted,
        where the difference is as assumed.

    Returns
    -------
    float
        ``sd sqrt(df / q)``, q the (1 - level) quantile of chi-square on df.

    References
    ----------
    Browne RH. Stat Med 1995;14:1933-40.
    """
    return float(sd * math.sqrt(df / special.chdtri(df, level)))


def intraclass(scores, arm):
    """Correlation of any two visits within arms, at compound symmetry: ICC(3, 1).

    Parameters
    ----------
    scores : array (n, k)
        Complete.
    arm : array (n,)

    Returns
    -------
    tuple
        Correlation, nan where scores do not vary; degrees of freedom between people; k.

    References
    ----------
    Shrout PE, Fleiss JL. Psychol Bull 1979;86:420-8.
    """
    (n, k), labels = np.shape(scores), np.unique(arm)
    rest = np.array(scores, float)
    for label in labels:
        rest[arm == label] -= rest[arm == label].mean(0)
    df = n - len(labels)
    between = k * (rest.mean(1) ** 2).sum() / df
    within = ((rest - rest.mean(1, keepdims=True)) ** 2).sum() / (df * (k - 1))
    whole = between + (k - 1) * within
    return ((between - within) / whole if whole > 0 else math.nan), df, k


def intraclass_limits(r, df, k, level=0.95):
    """Exact limits of `intraclass` (McGraw and Wong, Psychol Methods 1996;1:30-46)."""
    ratio, within = (1 + (k - 1) * r) / (1 - r), df * (k - 1)
    ends = (ratio / scipy.stats.f.isf((1 - level) / 2, df, within),
            ratio * scipy.stats.f.isf((1 - level) / 2, within, df))
    return tuple(float((f - 1) / (f + k - 1)) for f in ends)

