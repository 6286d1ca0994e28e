"""Effect sizes of two arms, each with its interval.

Arms come as (treatment, control); signs are treatment minus control. Missing values
(nan) are left out. A constant variable has no standardised effect: nan, and ``reason``
says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from mair.stats.tests import NAN, counts, describe, observed


@dataclass(frozen=True)
class SMD:
    """Standardised mean difference with its limits."""

    n_treatment: int
    n_control: int
    estimate: float
    low: float
    high: float
    reason: str = ""


@dataclass(frozen=True)
class ChanceSMD:
    """Absolute SMD of a variable that two arms share: expectation and 95 % bound."""

    expected: float
    bound: float


class PrePost(NamedTuple):
    """An arm of a pre-post design: n people, baseline mean and SD, later mean."""

    n: int
    mean_pre: float
    sd_pre: float
    mean_post: float


@dataclass(frozen=True)
class DPPC2:
    """d of a pre-post-control design with its variance and limits.

    ``change`` is the difference of mean changes, ``sd`` the pooled baseline SD, ``rho``
    the pooled within-arm correlation, ``factor`` the small-sample factor.
    """

    n_treatment: int
    n_control: int
    change: float
    sd: float
    rho: float
    factor: float
    estimate: float
    variance: float
    low: float
    high: float
    reason: str = ""


@dataclass(frozen=True)
class Effect:
    """An estimate with its limits."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Geometric:
    """Geometric mean (measured unit) and coefficient of variation (percent) of n values."""

    n: int
    mean: float
    cv: float


def smd_continuous(treatment, control, *, confidence=0.95) -> SMD:
    """Mean difference over the root mean of the two variances.

    Parameters
    ----------
    treatment, control : array_like of float, shape (n,)
    confidence : float
        Coverage of the large-sample interval, in (0, 1).

    Returns
    -------
    SMD
        Limits smd +- z sqrt((n1 + n2)/(n1 n2) + smd^2/(2 (n1 + n2))).

    References
    ----------
    Yang D, Dalton JE. SAS Global Forum 2012, paper 335.
    """
    return smd_from_summaries(describe(treatment), describe(control), confidence=confidence)


def smd_from_summaries(treatment, control, *, confidence=0.95) -> SMD:
    """`smd_continuous` from (n, mean, sd) of each arm."""
    (n1, m1, s1), (n2, m2, s2) = treatment, control
    if min(n1, n2) < 2:
        return _no_smd(n1, n2, "too few values")
    spread = math.sqrt((s1**2 + s2**2) / 2)
    if not spread > 1e-14 * max(abs(m1), abs(m2)):
        return _no_smd(n1, n2, "constant")
    return _smd(n1, n2, (m1 - m2) / spread, confidence)


def smd_binary(treatment, control, *, confidence=0.95) -> SMD:
    """Difference of two proportions over the root mean of their variances p (1 - p).

    Parameters
    ----------
    treatment, control : tuple of int
        (count, n) of each arm. Interval and source as for `smd_continuous`.

    Raises
    ------
    ValueError
        A count below 0 or above its n.
    """
    (x1, n1), (x2, n2) = treatment, control
    if not (0 <= x1 <= n1 and 0 <= x2 <= n2):
        raise ValueError(f"{x1} of {n1} and {x2} of {n2} are not proportions")
    if min(n1, n2) < 1:
        return _no_smd(n1, n2, "an empty arm")
    p1, p2 = x1 / n1, x2 / n2
    variance = (p1 * (1 - p1) + p2 * (1 - p2)) / 2
    if variance == 0:
        return _no_smd(n1, n2, "constant")
    return _smd(n1, n2, (p1 - p2) / math.sqrt(variance), confidence)


def smd_levels(treatment, control, *, confidence=0.95) -> SMD:
    """Mahalanobis distance of two arms' shares of several levels; never negative.

    Parameters
    ----------
    treatment, control : array_like of int, shape (levels,)
        Counts, levels in the same order. Levels that nobody has are left out.
    confidence : float
        As for `smd_continuous`. The lower limit of that formula can fall below 0, which
        a distance cannot; it is given as the formula has it.

    Returns
    -------
    SMD
        With two levels the absolute value of `smd_binary`. Not estimable when fewer
        than two levels are taken, or the mean covariance matrix is singular (such as
        arms that have no level in common), where the distance has no finite value.

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
        return _no_smd(n1, n2, "constant" if min(n1, n2) else "an empty arm")
    shares = kept / kept.sum(axis=1, keepdims=True)
    gap = (shares[0] - shares[1])[1:]
    covariance = sum(np.diag(p) - np.outer(p, p) for p in shares[:, 1:]) / 2
    if np.linalg.matrix_rank(covariance, tol=1e-12) < gap.size:
        return _no_smd(n1, n2, "the arms share too few levels")
    distance = math.sqrt(max(float(gap @ np.linalg.solve(covariance, gap)), 0.0))
    return _smd(n1, n2, distance, confidence)


def chance_smd(n_treatment, n_control) -> ChanceSMD:
    """What randomisation alone gives: E|SMD| and the value exceeded in 5 % of trials.

    For a normal variable with one distribution in both arms. SMD / sqrt(1/n1 + 1/n2)
    is then close to Student's t with 4 / (1/(n1 - 1) + 1/(n2 - 1)) degrees of freedom
    (Satterthwaite, for the mean of two variances; exact when the arms are equal).
    """
    if min(n_treatment, n_control) < 2:
        return ChanceSMD(NAN, NAN)
    df = 4 / (1 / (n_treatment - 1) + 1 / (n_control - 1))
    scale = math.sqrt(1 / n_treatment + 1 / n_control)
    ratio = math.exp(special.gammaln((df + 1) / 2) - special.gammaln(df / 2))
    expected = 2 * math.sqrt(df / math.pi) * ratio / (df - 1)
    return ChanceSMD(scale * expected, scale * float(special.stdtrit(df, 0.975)))


def _no_smd(n1, n2, reason) -> SMD:
    return SMD(int(n1), int(n2), NAN, NAN, NAN, reason)


def _smd(n1, n2, smd, confidence) -> SMD:
    z = float(special.ndtri((1 + confidence) / 2))
    half = z * math.sqrt((n1 + n2) / (n1 * n2) + smd**2 / (2 * (n1 + n2)))
    return SMD(int(n1), int(n2), float(smd), float(smd - half), float(smd + half))


def pooled_sd(treatment, control) -> float:
    """Root of the two variances pooled by their degrees of freedom; nan below 2 an arm."""
    (n1, _, s1), (n2, _, s2) = describe(treatment), describe(control)
    return _pooled_sd(n1, s1, n2, s2)


def _pooled_sd(n1, s1, n2, s2) -> float:
    if min(n1, n2) < 2:
        return NAN
    return math.sqrt(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / (n1 + n2 - 2))


def d_ppc2(
    treatment_pre, treatment_post, control_pre, control_post, *, corrected=True, confidence=0.95
) -> DPPC2:
    """Morris's d_ppc2: difference of mean changes over the pooled baseline SD.

    Parameters
    ----------
    treatment_pre, treatment_post, control_pre, control_post : array_like of float
        Shapes (n_treatment,) twice and (n_control,) twice, people in the same order.
        Only people seen at both count, in the changes and in the SD alike.
    corrected, confidence
        As for `d_ppc2_from_summaries`.

    Returns
    -------
    DPPC2
        ``rho`` is the observed pooled within-arm correlation (summed cross-products
        over the root of the summed squares).

    Raises
    ------
    ValueError
        Pre and post of an arm differ in length.

    References
    ----------
    Morris SB. Organ Res Methods 2008;11:364-86.
    """
    arms, pre_ss, post_ss, cross = [], 0.0, 0.0, 0.0
    for pre, post in ((treatment_pre, treatment_post), (control_pre, control_post)):
        pre, post = _pairs(pre, post)
        before, after = describe(pre), describe(post)
        arms.append(PrePost(before.n, before.mean, before.sd, after.mean))
        a, b = pre - before.mean, post - after.mean
        pre_ss, post_ss, cross = pre_ss + a @ a, post_ss + b @ b, cross + a @ b
    rho = NAN
    if pre_ss > 0 and post_ss > 0:
        rho = float(np.clip(cross / math.sqrt(pre_ss) / math.sqrt(post_ss), -1, 1))
    return d_ppc2_from_summaries(*arms, rho=rho, corrected=corrected, confidence=confidence)


def d_ppc2_from_summaries(
    treatment, control, *, rho=NAN, corrected=True, confidence=0.95
) -> DPPC2:
    """`d_ppc2` from (n, mean_pre, sd_pre, mean_post) of each arm.

    Parameters
    ----------
    treatment, control : PrePost or tuple
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
        uncorrected estimate and its limits are these over c. Not estimable when the
        baseline is constant within the arms.

    Raises
    ------
    ValueError
        rho outside [-1, 1].

    References
    ----------
    Morris SB. Organ Res Methods 2008;11:364-86, eq. 8 and 25.
    """
    (n1, pre1, sd1, post1), (n2, pre2, sd2, post2) = treatment, control
    if abs(rho) > 1:
        raise ValueError(f"a correlation lies in [-1, 1], not {rho}")
    sizes, df = (int(n1), int(n2)), n1 + n2 - 2
    if min(sizes) < 2:
        return DPPC2(*sizes, *[NAN] * 8, reason="too few values")
    change = float((post1 - pre1) - (post2 - pre2))
    sd = _pooled_sd(n1, sd1, n2, sd2)
    factor = 1 - 3 / (4 * df - 1)
    if not sd > 1e-14 * max(abs(pre1), abs(pre2)):
        return DPPC2(*sizes, change, sd, rho, factor, *[NAN] * 4, reason="constant at baseline")
    d = factor * change / sd
    variance = NAN
    if df > 2:
        share = 2 * (1 - rho) * (n1 + n2) / (n1 * n2)
        variance = factor**2 * df / (df - 2) * (share + d**2) - d**2
    half = float(special.ndtri((1 + confidence) / 2)) * math.sqrt(variance)
    scale = 1.0 if corrected else 1 / factor
    return DPPC2(
        *sizes, change, sd, rho, factor, float(d * scale), float(variance * scale**2),
        float((d - half) * scale), float((d + half) * scale),
    )


def _pairs(pre, post):
    pre, post = np.asarray(pre, dtype=float), np.asarray(post, dtype=float)
    if pre.shape != post.shape:
        raise ValueError(f"pre has shape {pre.shape}, post {post.shape}")
    both = ~(np.isnan(pre) | np.isnan(post))
    return observed(pre[both]), observed(post[both])


def b_over_sd(b, low, high, sd) -> Effect:
    """A model's contrast and its limits over a baseline SD, taken as fixed.

    Not d_ppc2: the model borrows from everybody's rows, and no small-sample factor is
    applied. nan where the SD is 0 or not known.
    """
    if not sd > 0:
        return Effect(NAN, NAN, NAN)
    return Effect(float(b / sd), float(low / sd), float(high / sd))


def geometric(x) -> Geometric:
    """Geometric mean and log-normal coefficient of variation of positive values.

    ``mean`` is in the measured unit; ``cv``, in percent, is 100 sqrt(exp(s^2) - 1), s the
    SD of the natural logarithms.

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


def ratio_of_geometric_means(b, low, high) -> Effect:
    """Ratio, and its limits, from a contrast on the natural logarithmic scale."""
    return Effect(math.exp(b), math.exp(low), math.exp(high))
