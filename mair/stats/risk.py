"""Responders: who improved enough, how many more in one arm, and the number needed to treat.

All proportions are of the good result and all differences are treatment minus control. Percent
belongs to the rows of results.csv, not to this module.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import expit, ndtri

from mair.stats import exact
from mair.stats.risk_limits import difference_limits, ratio_limits
from mair.stats.tests import Interval

RULES = ("completers", "nonresponder", "worst-case", "best-case")

# Scores on a grid of 0.1 give reductions that miss their threshold by a few units of the last
# binary place; nothing that was measured lies this close to one.
TIE = 1e-9
FLAT = 1e-10  # a Newton step of the coefficients that is none
_ZERO = 1e-12  # a limit this close to 0 is 0: its reciprocal would be rounding error


class RiskDifference(NamedTuple):
    """A difference of proportions with its interval, and the number needed to treat.

    Attributes
    ----------
    estimate, low, high : float
        Proportions of the good result, treatment minus control.
    nnt : float
        1/estimate in participants, signed (positive, to benefit), unrounded; nan at 0.
    nnt_low, nnt_high : float
        Where the interval excludes 0, its limits' reciprocals in order. Where it contains 0 (a
        limit of exactly 0 is contained), 1/low (negative: NNTH) and 1/high (positive: NNTB): the
        set is everything below the first and above the second, through infinity. A limit of 0
        has no reciprocal, that side begins at infinity: nan.
    through_infinity : int or float
        1 where the interval contains 0, else 0; nan where there is no interval.
    """

    estimate: float
    low: float
    high: float
    nnt: float
    nnt_low: float
    nnt_high: float
    through_infinity: int | float


def with_nnt(estimate, low, high) -> RiskDifference:
    """A risk difference, as pooled over imputations too, with its number needed to treat.

    References
    ----------
    Altman DG. BMJ 1998;317:1309-12.
    """
    nnt, *limits = (math.nan if math.isnan(x) or abs(x) <= _ZERO else 1 / x
                    for x in (estimate, low, high))
    if math.isnan(low + high):
        return RiskDifference(estimate, low, high, nnt, *[math.nan] * 3)
    through = int(low <= _ZERO and high >= -_ZERO)
    return RiskDifference(estimate, low, high, nnt, *(limits if through else sorted(limits)),
                          through)


class ResponderCurve(NamedTuple):
    """Responders at every threshold.

    ``treatment`` and ``control`` are counts out of ``n_treatment`` and ``n_control``;
    ``estimate``, ``low`` and ``high`` are differences of proportions; all but the n arrays over
    the thresholds. The band is pointwise: it holds at one threshold chosen in advance, not at
    all of them together.
    """

    thresholds: np.ndarray
    treatment: np.ndarray
    control: np.ndarray
    n_treatment: int
    n_control: int
    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray


def risk_difference(responders, n, *, interval="newcombe", confidence=0.95):
    """Difference of two proportions, treatment minus control.

    Parameters
    ----------
    responders, n : tuple of int
        (treatment, control) counts of participants, not visits.
    interval : {"wald", "newcombe", "miettinen-nurminen", "skewness-corrected"}
        Wald: unpooled variance, not cut at -1 and 1, of width 0 when both arms are all or none.
        Newcombe: method 10, Wilson limits squared and added. Miettinen-Nurminen: score with the
        variance at the restricted estimates times N/(N-1). Skewness-corrected: the same score
        less (z^2 - 1) mu3/(6 V^1.5); where the equation has several roots, the outermost.
    confidence : float
        Two-sided coverage, in (0, 1).

    Returns
    -------
    RiskDifference
        ``estimate``, ``low``, ``high`` as proportions; ``nnt`` in participants.

    Raises
    ------
    ValueError
        A count that is not whole, negative or above its denominator; an empty arm; an unknown
        interval; a confidence outside (0, 1).

    References
    ----------
    Newcombe RG. Stat Med 1998;17:873-90, method 10.
    Miettinen O, Nurminen M. Stat Med 1985;4:213-26.
    Laud PJ. Pharm Stat 2017;16:334-48.

    Examples
    --------
    >>> d = risk_difference((16, 3), (19, 16), interval="wald")
    >>> round(100 * d.estimate, 1), round(100 * d.low, 1), round(100 * d.high, 1)
    (65.5, 40.3, 90.7)
    >>> round(d.nnt, 2), round(d.nnt_low, 1), round(d.nnt_high, 1), d.through_infinity
    (1.53, 1.1, 2.5, 0)
    """
    (x1, x2), (n1, n2) = _checked(responders, n)
    low, high = difference_limits(x1, n1, x2, n2, interval, confidence)
    return with_nnt(x1 / n1 - x2 / n2, float(low), float(high))


def risk_ratio(responders, n, *, interval="newcombe", confidence=0.95):
    """Ratio of two proportions, treatment over control, with an interval of the same family.

    Parameters
    ----------
    responders, n, interval, confidence
        As in `risk_difference`. Wald: Katz's interval of the log ratio. Newcombe: MOVER-R on
        Wilson limits. Miettinen-Nurminen and skewness-corrected: their scores for a ratio.

    Returns
    -------
    Interval
        nan where it is infinite or 0/0. With no responder in the control arm the estimate and
        the upper limit are nan (infinite), the lower limit is finite. With none in the
        treatment arm the lower limit is 0. Katz's interval takes 1/2 added to each count and
        denominator when a count is 0. At a confidence above 0.99 the skewness-corrected upper
        limit can be infinite (nan) with a single responder in the control arm.

    Raises
    ------
    ValueError
        As in `risk_difference`.

    References
    ----------
    Katz D et al. Biometrics 1978;34:469-74.
    Donner A, Zou GY. Stat Methods Med Res 2012;21:347-59.
    Miettinen O, Nurminen M. Stat Med 1985;4:213-26.
    Laud PJ. Pharm Stat 2017;16:334-48.
    """
    (x1, x2), (n1, n2) = _checked(responders, n)
    low, high = ratio_limits(x1, n1, x2, n2, interval, confidence)
    estimate = (x1 * n2) / (x2 * n1) if x2 else math.nan
    return Interval(estimate, float(low), float(high) if np.isfinite(high) else math.nan)


def odds_ratio(responders, n, *, kind="woolf", confidence=0.95):
    """Ratio of two odds of the good result, treatment over control.

    Parameters
    ----------
    responders, n, confidence
        As in `risk_difference`.
    kind : {"woolf", "exact"}
        Woolf: the sample's, with limits of its log; 1/2 is added to every cell where one is 0
        (Haldane and Anscombe), so that all is finite. Exact: the conditional maximum likelihood
        estimate given the margins with Cornfield's exact limits, as R's ``fisher.test``; 0 or
        infinite where a cell is 0.

    Returns
    -------
    Interval
        Not estimable under ``exact`` where all or none respond in both arms.

    References
    ----------
    Woolf B. Ann Hum Genet 1955;19:251-3. Anscombe FJ. Biometrika 1956;43:461-4.
    Cornfield J. Proc Third Berkeley Symp 1956;4:135-48.
    """
    (x1, x2), (n1, n2) = _checked(responders, n)
    if kind == "woolf":
        table = np.array([[x1, n1 - x1], [x2, n2 - x2]])
        table = table + 0.5 * (table == 0).any()
        centre = math.log(table[0, 0] * table[1, 1] / (table[0, 1] * table[1, 0]))
        half = ndtri((1 + confidence) / 2) * math.sqrt((1 / table).sum())
        return Interval(*np.exp([centre, centre - half, centre + half]).tolist())
    if x1 + x2 in (0, n1 + n2):
        return Interval(reason="constant")
    return Interval(*exact.odds_ratio((x1, x2), (n1, n2), confidence))


def standardised_risks(response, treated, baseline, *, confidence=0.95
                       ) -> tuple[RiskDifference, Interval]:
    """Risk difference and ratio, treatment over control, had everybody been in either arm.

    Parameters
    ----------
    response : array (n,)
        1 for the good result, 0 without it; nobody missing.
    treated : array (n,)
        1 in the treatment arm, 0 in the control arm.
    baseline : array (n,)
        Baseline score.
    confidence : float

    Returns
    -------
    RiskDifference
        Of the mean predicted risks; Wald limits by the sandwich of the estimating equations, in
        which the people are a sample. No correction for few people: limits are somewhat narrow.
    Interval
        Ratio of the same risks, limits on the log scale.

    Raises
    ------
    ValueError
        The logistic regression has no maximum: arm and baseline tell exactly who responds, or
        nobody or everybody does in an arm.

    References
    ----------
    Sjolander A. Eur J Epidemiol 2016;31:563-74 (stdReg).
    Ge M, Durham LK, Meyer RD, et al. Drug Inf J 2011;45:481-93.
    """
    y, treated, x = (np.asarray(one, float) for one in (response, treated, baseline))
    x = (x - x.mean()) / (x.std() or 1.0)
    X, n = np.column_stack([np.ones(len(y)), treated, x][:2 + bool(np.ptp(x))]), len(y)
    if any(np.ptp(y[treated == arm]) == 0 if (treated == arm).any() else True for arm in (0, 1)):
        raise ValueError("an arm has no responder, or nobody else")
    beta = np.zeros(X.shape[1])
    for _ in range(50):
        p = expit(X @ beta)
        information = (X * (p * (1 - p))[:, None]).T @ X
        if np.linalg.cond(information) > 1e12 or np.abs(X @ beta).max() > 30:
            raise ValueError("arm and baseline tell exactly who responds")
        step = np.linalg.solve(information, X.T @ (y - p))
        beta = beta + step
        if np.abs(step).max() < FLAT:
            break
    apart = np.linalg.solve(information, (X * (y - p)[:, None]).T)  # of each person on beta
    risks, influence = [], []
    for arm in (1, 0):
        either = X.copy()
        either[:, 1] = arm
        risk = expit(either @ beta)
        risks.append(risk.mean())
        influence.append((risk - risk.mean()) / n + (risk * (1 - risk)) @ either / n @ apart)
    z, one, zero = ndtri((1 + confidence) / 2), *risks
    half = z * np.sqrt(((influence[0] - influence[1]) ** 2).sum())
    ratio = z * np.sqrt(((influence[0] / one - influence[1] / zero) ** 2).sum())
    return (with_nnt(float(one - zero), float(one - zero - half), float(one - zero + half)),
            Interval(*(float(one / zero * np.exp(side)) for side in (0.0, -ratio, ratio))))


def counts(responders, missing, n, rule, arm):
    """Responders and denominator of one arm under a rule for missing results.

    Parameters
    ----------
    responders, missing, n : int
        Participants of the arm seen to respond, not seen, and in all (the missing included).
    rule : {"completers", "nonresponder", "worst-case", "best-case"}
        completers: the missing are left out. nonresponder: they fail. worst-case: the treatment
        arm's fail and the control arm's respond; best-case the reverse.
    arm : {"treatment", "control"}

    Returns
    -------
    responders, n : int
    """
    if rule == "completers":
        return responders, n - missing
    responding = (rule, arm) in {("worst-case", "control"), ("best-case", "treatment")}
    return (responders + missing if responding else responders), n


def improvement(baseline, score, better="lower"):
    """Improvement relative to baseline: (baseline - score)/baseline, reversed for "higher".

    Parameters
    ----------
    baseline, score : array_like
        On the outcome's scale, nan where not measured; broadcast together.
    better : {"lower", "higher"}
        Which end of the scale is good.

    Returns
    -------
    ndarray
        A proportion of baseline, negative where a participant got worse; nan where either score
        is missing or the baseline is 0 or below, of which no proportion exists.
    """
    baseline, score = np.asarray(baseline, float), np.asarray(score, float)
    change = baseline - score if better == "lower" else score - baseline
    return change / np.where(baseline > 0, baseline, np.nan)


def meets(improvement, threshold):
    """Whether an improvement reaches a threshold, ties included: at least threshold - 1e-9.

    A missing improvement (nan) is False here: count the missing apart and give them to `counts`.
    """
    return np.asarray(improvement, float) >= np.asarray(threshold, float) - TIE


def responder_curve(treatment, control, *, interval="miettinen-nurminen", confidence=0.95):
    """Responders of both arms at every threshold, with the difference and a pointwise band.

    Parameters
    ----------
    treatment, control : array_like
        Improvements, one a participant; nan (see `improvement`) is left out.
    interval, confidence
        As in `risk_difference`.

    Returns
    -------
    ResponderCurve
        At every distinct improvement, in order: there the count still includes those who have
        it and just above it no longer does, so the curve changes there and nowhere else. Empty
        where an arm has nobody.
    """
    arms = [np.asarray(a, float) for a in (treatment, control)]
    arms = [a[~np.isnan(a)] for a in arms]
    n1, n2 = map(len, arms)
    at = np.unique(np.concatenate(arms)) if n1 and n2 else np.array([])
    at = at[np.diff(at, prepend=-np.inf) > TIE]  # one of those within rounding error
    x1, x2 = (meets(a, at[:, None]).sum(axis=1) for a in arms)
    low, high = difference_limits(x1, n1, x2, n2, interval, confidence)
    return ResponderCurve(at, x1, x2, n1, n2, x1 / max(n1, 1) - x2 / max(n2, 1), low, high)


def _checked(responders, n):
    pairs = [[float(v) for v in pair] for pair in (responders, n)]
    if any(len(pair) != 2 or not all(map(float.is_integer, pair)) for pair in pairs):
        raise ValueError(f"expected (treatment, control) in whole numbers, not {responders} of {n}")
    for arm, x, total in zip(("treatment", "control"), *pairs, strict=True):
        if total < 1 or not 0 <= x <= total:
            raise ValueError(f"{arm}: {x:g} responders of {total:g} participants")
    return pairs
