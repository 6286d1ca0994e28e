"""Effect sizes of two arms, each with its interval.

Arms come as (treatment, control); signs are treatment minus control. A constant variable has no
standardised effect: nan, and ``reason`` says so.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import special

from mair.stats.tests import NAN, Interval, counts, describe, observed

BATCH = 2_000_000  # people resampled at once, for the memory's sake


class ChanceSMD(NamedTuple):
    """Absolute SMD of a variable that two arms share: its mean, and what 5 % of trials exceed."""

    expected: float
    bound: float


class DPPC2(NamedTuple):
    """d of a pre-post-control design with its variance and limits.

    ``change`` is the difference of mean changes, ``sd`` the pooled baseline SD, ``factor`` the
    small-sample factor. Arrays where the arms were.
    """

    estimate: float
    low: float
    high: float
    variance: float
    change: float
    sd: float
    factor: float


class Geometric(NamedTuple):
    """Geometric mean (measured unit) and coefficient of variation (percent) of n values."""

    n: int
    mean: float
    cv: float


def smd_continuous(treatment, control, *, confidence=0.95) -> Interval:
    """Mean difference over the root mean of the two variances.

    Parameters
    ----------
    treatment, control : array_like of float, shape (n,)
        nan is left out.
    confidence : float
        Coverage of the large-sample interval, in (0, 1).

    Returns
    -------
    Interval
        Limits smd +- z sqrt((n1 + n2)/(n1 n2) + smd^2/(2 (n1 + n2))).

    References
    ----------
    Yang D, Dalton JE. SAS Global Forum 2012, paper 335.
    """
    (n1, m1, s1), (n2, m2, s2) = describe(treatment), describe(control)
    if min(n1, n2) < 2:
        return Interval(reason="too few values")
    return _smd(n1, n2, m1 - m2, math.hypot(s1, s2) / math.sqrt(2), confidence,
                least=1e-14 * max(abs(m1), abs(m2)))


def smd_binary(treatment, control, *, confidence=0.95) -> Interval:
    """Difference of two proportions over the root mean of their variances p (1 - p).

    Parameters
    ----------
    treatment, control : tuple of int
        (count, n) of each arm. Interval and source as for `smd_continuous`.
    """
    (x1, n1), (x2, n2) = treatment, control
    if min(n1, n2) < 1:
        return Interval(reason="an empty arm")
    p1, p2 = x1 / n1, x2 / n2
    return _smd(n1, n2, p1 - p2, math.sqrt((p1 * (1 - p1) + p2 * (1 - p2)) / 2), confidence)


def smd_levels(treatment, control, *, confidence=0.95) -> Interval:
    """Mahalanobis distance of two arms' shares of several levels; never negative.

    Parameters
    ----------
    treatment, control : array_like of int, shape (levels,)
        Counts, levels in the same order. Levels that nobody has are left out.
    confidence : float
        Of the interval, which is that of `smd_continuous` with the root of the chi-square
        quantile at (levels - 1) df for z: the distances of a joint region of all shares
        (Scheffe), so it covers at least as often as said. It ends at 0, as a distance does.

    Returns
    -------
    Interval
        With two levels the absolute value of `smd_binary`. Not estimable when fewer than two
        levels are taken, or the mean covariance matrix is singular (such as arms that have no
        level in common), where the distance has no finite value.

    Notes
    -----
    Off-diagonal covariances are -p_j p_k; their sign is misprinted in the source.

    References
    ----------
    Yang D, Dalton JE. SAS Global Forum 2012, paper 335.
    """
    n1, n2 = int(np.sum(treatment)), int(np.sum(control))
    kept = counts([treatment, control])
    if min(n1, n2) == 0 or kept.shape[1] < 2:
        return Interval(reason="constant" if min(n1, n2) else "an empty arm")
    shares = kept / kept.sum(axis=1, keepdims=True)
    gap = (shares[0] - shares[1])[1:]
    covariance = sum(np.diag(p) - np.outer(p, p) for p in shares[:, 1:]) / 2
    if np.linalg.matrix_rank(covariance, tol=1e-12) < gap.size:
        return Interval(reason="the arms share too few levels")
    distance = math.sqrt(max(float(gap @ np.linalg.solve(covariance, gap)), 0.0))
    found = _smd(n1, n2, distance, 1.0, confidence, df=gap.size)
    return found._replace(low=max(found.low, 0.0))


def _smd(n1, n2, difference, sd, confidence, *, least=0.0, df=1) -> Interval:
    if not sd > least:
        return Interval(reason="constant")
    smd = difference / sd
    half = math.sqrt(special.chdtri(df, 1 - confidence) * (
        (n1 + n2) / (n1 * n2) + smd**2 / (2 * (n1 + n2))))
    return Interval(smd, smd - half, smd + half)


def chance_smd(n_treatment, n_control, levels=2) -> ChanceSMD:
    """What randomisation alone gives as absolute SMD.

    For a normal variable with one distribution in both arms. SMD / sqrt(1/n1 + 1/n2) is then
    close to Student's t with 4 / (1/(n1 - 1) + 1/(n2 - 1)) degrees of freedom (Satterthwaite,
    for the mean of two variances; exact when the arms are equal). With more than two `levels`,
    for `smd_levels`, it is the root of a chi-square with (levels - 1) degrees of freedom in large
    arms; in small ones somewhat more. nan below 2 an arm.
    """
    if min(n_treatment, n_control) < 2:
        return ChanceSMD(NAN, NAN)
    df = 4 / (1 / (n_treatment - 1) + 1 / (n_control - 1))
    scale = math.sqrt(1 / n_treatment + 1 / n_control)
    if levels > 2:
        mean = math.exp(special.gammaln(levels / 2) - special.gammaln((levels - 1) / 2))
        return ChanceSMD(scale * math.sqrt(2) * mean,
                         scale * math.sqrt(special.chdtri(levels - 1, 0.05)))
    ratio = math.exp(special.gammaln((df + 1) / 2) - special.gammaln(df / 2))
    return ChanceSMD(scale * 2 * math.sqrt(df / math.pi) * ratio / (df - 1),
                     scale * float(special.stdtrit(df, 0.975)))


def pooled_sd(n1, sd1, n2, sd2):
    """Root of two variances pooled by their degrees of freedom (nan without); numbers or arrays."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(np.divide((n1 - 1) * sd1**2 + (n2 - 1) * sd2**2, n1 + n2 - 2))


def d_ppc2(treatment, control, *, corrected=True, confidence=0.95) -> DPPC2:
    """Morris's d_ppc2: difference of mean changes over the pooled baseline SD.

    Parameters
    ----------
    treatment, control : array (..., n, 2)
        Before and after of n people an arm, nobody missing; axes in front are data sets.
    corrected, confidence
        As for `d_ppc2_of`, which has the formula; rho is the observed pooled within-arm
        correlation (summed cross-products over the root of the summed squares).

    References
    ----------
    Morris SB. Organ Res Methods 2008;11:364-86.
    """
    arms = [np.asarray(arm, float) for arm in (treatment, control)]
    if min(arm.shape[-2] for arm in arms) < 2:
        return DPPC2(*[NAN] * 7)
    centred = [arm - arm.mean(-2, keepdims=True) for arm in arms]
    pre, post, cross = (sum((c[..., i] * c[..., j]).sum(-1) for c in centred)
                        for i, j in ((0, 0), (1, 1), (0, 1)))
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.clip(cross / np.sqrt(pre) / np.sqrt(post), -1, 1)
    return d_ppc2_of(*map(moments, arms), rho=rho, corrected=corrected, confidence=confidence)


def moments(arm):
    """What `d_ppc2_of` takes of an arm (..., n, 2)."""
    before, after = arm[..., 0], arm[..., 1]
    return arm.shape[-2], before.mean(-1), before.std(-1, ddof=1), after.mean(-1)


def d_ppc2_of(treatment, control, *, rho=NAN, corrected=True, confidence=0.95) -> DPPC2:
    """`d_ppc2` from (n, mean_pre, sd_pre, mean_post) of each arm, numbers or arrays.

    Parameters
    ----------
    treatment, control : tuple
        Two people an arm at least; arrays of one shape are many data sets.
    rho : float
        Within-arm correlation of pre and post; without it there is no interval.
    corrected : bool
        With the factor c = 1 - 3/(4 df - 1), df = n1 + n2 - 2, or without.
    confidence : float
        Coverage of the normal interval, in (0, 1).

    Returns
    -------
    DPPC2
        The variance of the corrected d is Morris's eq. 25 at rho and d,
        c^2 df/(df - 2) (2 (1 - rho) (n1 + n2)/(n1 n2) + d^2) - d^2,
        which supposes equal variances before and after; the interval is d +- z se. The
        uncorrected estimate and its limits are these over c. nan where the baseline is constant
        within the arms, and without a variance at df 2.

    References
    ----------
    Morris SB. Organ Res Methods 2008;11:364-86, eq. 8 and 25.
    """
    (n1, pre1, sd1, post1), (n2, pre2, sd2, post2) = treatment, control
    df = n1 + n2 - 2
    change = (post1 - pre1) - (post2 - pre2)
    sd = pooled_sd(n1, sd1, n2, sd2)
    usable = np.where(sd > 1e-13 * np.maximum(np.abs(pre1), np.abs(pre2)), sd, NAN)
    factor = 1 - 3 / (4 * df - 1)
    d = factor * change / usable
    share = 2 * (1 - rho) * (n1 + n2) / (n1 * n2)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(df > 2, factor**2 * np.divide(df, df - 2) * (share + d**2) - d**2, NAN)
    half = special.ndtri((1 + confidence) / 2) * np.sqrt(variance)
    scale = 1.0 if corrected else 1 / factor
    return DPPC2(d * scale, (d - half) * scale, (d + half) * scale, variance * scale**2, change,
                 sd, factor)


def bca_d_ppc2(treatment, control, *, draws=10_000, rng, confidence=0.95) -> Interval:
    """BCa interval of `d_ppc2`, people resampled within their own arm.

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
        _d(*(moments(arm.take(rng.integers(0, len(arm), (min(batch, draws - at), len(arm))), 0))
             for arm in arms)) for at in range(0, draws, batch)])
    left = [_d(_without(arms[0], whole[0]), whole[1]), _d(whole[0], _without(arms[1], whole[1]))]
    z = special.ndtri([(1 - confidence) / 2, (1 + confidence) / 2])
    with np.errstate(invalid="ignore", divide="ignore"):
        pull = [(len(u) - 1) / len(u) * (u.mean() - u) for u in left]
        speed = sum((u**3).sum() for u in pull) / sum((u**2).sum() for u in pull) ** 1.5 / 6
        bias = special.ndtri(((found < estimate).mean() + (found <= estimate).mean()) / 2)
        at = special.ndtr(bias + (bias + z) / (1 - speed * (bias + z)))
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


def b_over_sd(b, low, high, sd) -> Interval:
    """A model's contrast and its limits over a baseline SD, taken as fixed.

    Not d_ppc2: the model borrows from everybody's rows, and no small-sample factor is applied.
    nan where the SD is 0 or not known.
    """
    return Interval(b / sd, low / sd, high / sd) if sd > 0 else Interval(reason="constant")


def geometric(x) -> Geometric:
    """Geometric mean and log-normal coefficient of variation of positive values.

    ``mean`` is in the measured unit; ``cv``, in percent, is 100 sqrt(exp(s^2) - 1), s the SD of
    the natural logarithms. nan is left out.

    Raises
    ------
    ValueError
        A value of 0 or less.

    References
    ----------
    Kirkwood TBL. Biometrics 1979;35:908-9.
    """
    x = observed(x)
    if (x <= 0).any():
        raise ValueError(f"a logarithm needs values above 0, not {x[x <= 0][0]}")
    n, mean, sd = describe(np.log(x))
    return Geometric(n, math.exp(mean), 100 * math.sqrt(math.expm1(sd**2)))


def ratio_of_geometric_means(b, low, high) -> Interval:
    """Ratio, and its limits, of a contrast on the natural logarithmic scale; nan beyond 1e308."""
    with np.errstate(over="ignore"):
        ratio = np.exp([b, low, high])
    return Interval(*np.where(np.isinf(ratio), NAN, ratio).tolist())
