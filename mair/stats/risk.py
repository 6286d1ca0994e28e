"""Responders: who improved enough, how many more in one arm, and the number needed to treat.

All proportions are of the good result and all differences are treatment minus control. Percent
belongs to the rows of results.csv, not to this module.
"""

import math
from dataclasses import dataclass, field
from numbers import Integral

import numpy as np

from mair.stats.risk_limits import INTERVALS, difference_limits, ratio_limits

RULES = ("completers", "nonresponder", "worst-case", "best-case")

# Scores on a grid of 0.1 give reductions that miss their threshold by a few units of the last
# binary place; nothing that was measured lies this close to one.
TIE = 1e-9
_ZERO = 1e-12  # a limit this close to 0 is 0: its reciprocal would be rounding error

__all__ = [
    "INTERVALS", "RULES", "ResponderCurve", "RiskDifference", "RiskRatio", "counts",
    "format_nnt", "format_nnt_interval", "improvement", "meets", "responder_curve",
    "risk_difference", "risk_ratio",
]  # fmt: skip


@dataclass(frozen=True)
class RiskDifference:
    """A difference of proportions with its interval, and the number needed to treat.

    Give the first three; the others follow. So a difference pooled over imputations gets its
    number needed to treat by the same rule.

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

    References
    ----------
    Altman DG. BMJ 1998;317:1309-12.
    """

    estimate: float
    low: float
    high: float
    nnt: float = field(init=False)
    nnt_low: float = field(init=False)
    nnt_high: float = field(init=False)
    through_infinity: int | float = field(init=False)

    def __post_init__(self):
        low, high = _reciprocal(self.low), _reciprocal(self.high)
        if math.isnan(self.low) or math.isnan(self.high):
            through = math.nan
            low = high = math.nan
        else:
            through = int(self.low <= _ZERO and self.high >= -_ZERO)
        if through == 0:
            low, high = sorted((low, high))
        computed = {
            "nnt": _reciprocal(self.estimate),
            "nnt_low": low,
            "nnt_high": high,
            "through_infinity": through,
        }
        for name, value in computed.items():
            object.__setattr__(self, name, value)  # the way of a frozen dataclass


@dataclass(frozen=True)
class RiskRatio:
    """A ratio of proportions, treatment over control; nan where it is infinite or 0/0."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class ResponderCurve:
    """Responders at every threshold; every attribute is an array over the thresholds.

    ``treatment`` and ``control`` are counts out of ``n_treatment`` and ``n_control``;
    ``estimate``, ``low`` and ``high`` are differences of proportions. The band is pointwise: it
    holds at one threshold chosen in advance, not at all of them together.
    """

    thresholds: np.ndarray
    treatment: np.ndarray
    control: np.ndarray
    n_treatment: np.ndarray
    n_control: np.ndarray
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
    >>> format_nnt(d.nnt), format_nnt_interval(d.nnt_low, d.nnt_high, d.through_infinity)
    ('2', '1.1 to 2.5')
    """
    (x1, x2), (n1, n2) = _checked(responders, n)
    low, high = difference_limits(x1, n1, x2, n2, interval, confidence)
    return RiskDifference(x1 / n1 - x2 / n2, float(low), float(high))


def risk_ratio(responders, n, *, interval="newcombe", confidence=0.95):
    """Ratio of two proportions, treatment over control, with an interval of the same family.

    Parameters
    ----------
    responders, n, interval, confidence
        As in `risk_difference`. Wald: Katz's interval of the log ratio. Newcombe: MOVER-R on
        Wilson limits. Miettinen-Nurminen and skewness-corrected: their scores for a ratio.

    Returns
    -------
    RiskRatio
        With no responder in the control arm the estimate and the upper limit are nan (infinite),
        the lower limit is finite. With none in the treatment arm the lower limit is 0. Katz's
        interval takes 1/2 added to each count and denominator when a count is 0. At a confidence
        above 0.99 the skewness-corrected upper limit can be infinite (nan) with a single
        responder in the control arm.

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
    return RiskRatio(estimate, float(low), float(high) if np.isfinite(high) else math.nan)


def counts(responders, missing, n, rule, arm):
    """Responders and denominator of one arm under a rule for missing results.

    Parameters
    ----------
    responders, missing, n : int or array_like of int
        Participants of the arm seen to respond, not seen, and in all (the missing included).
    rule : {"completers", "nonresponder", "worst-case", "best-case"}
        completers: the missing are left out. nonresponder: they fail. worst-case: the treatment
        arm's fail and the control arm's respond; best-case the reverse.
    arm : {"treatment", "control"}

    Returns
    -------
    responders, n
        Of the kind given.

    Raises
    ------
    ValueError
        An unknown rule or arm, a negative count, or more participants than the arm has.
    """
    if rule not in RULES:
        raise ValueError(f"rule is {rule!r}; expected one of {', '.join(RULES)}")
    if arm not in ("treatment", "control"):
        raise ValueError(f"arm is {arm!r}; expected treatment or control")
    parts = [np.asarray(a) for a in (responders, missing, n)]
    if np.any(parts[0] < 0) or np.any(parts[1] < 0) or np.any(parts[0] + parts[1] > parts[2]):
        raise ValueError(
            f"{arm}: {responders} responders and {missing} missing of {n} participants"
        )
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
        is missing or the baseline is 0, of which no proportion exists.

    Raises
    ------
    ValueError
        An unknown direction.
    """
    if better not in ("lower", "higher"):
        raise ValueError(f"better is {better!r}; expected lower or higher")
    baseline, score = np.asarray(baseline, float), np.asarray(score, float)
    change = baseline - score if better == "lower" else score - baseline
    return change / np.where(baseline == 0, np.nan, baseline)


def meets(improvement, threshold):
    """Whether an improvement reaches a threshold, ties included: at least threshold - 1e-9.

    A missing improvement (nan) is False here: count the missing apart and give them to `counts`.
    """
    return np.asarray(improvement, float) >= np.asarray(threshold, float) - TIE


def responder_curve(
    treatment,
    control,
    *,
    thresholds=None,
    rule="completers",
    interval="miettinen-nurminen",
    confidence=0.95,
):
    """Responders of both arms at every threshold, with the difference and a pointwise band.

    Parameters
    ----------
    treatment, control : array_like
        Improvements, one a participant, nan where there is none (see `improvement`).
    thresholds : array_like, optional
        Default: every distinct improvement, in order. At each the count still includes those who
        have it and just above it no longer does, so the curve changes there and nowhere else.
    rule : {"completers", "nonresponder", "worst-case", "best-case"}
        What a missing improvement counts as (see `counts`).
    interval, confidence
        As in `risk_difference`.

    Returns
    -------
    ResponderCurve

    Raises
    ------
    ValueError
        An arm in which the rule leaves nobody.
    """
    arms = {"treatment": np.asarray(treatment, float), "control": np.asarray(control, float)}
    if thresholds is None:
        thresholds = _distinct(np.concatenate(list(arms.values())))
    thresholds = np.asarray(thresholds, float)
    tables = []
    for arm, values in arms.items():
        missing = int(np.isnan(values).sum())
        if counts(0, missing, len(values), rule, arm)[1] == 0:
            raise ValueError(f"{arm}: no participant has an improvement")
        seen = meets(values[None, :], thresholds[:, None]).sum(axis=1)
        x, n = counts(seen, missing, np.full_like(seen, len(values)), rule, arm)
        tables.append((x, n))
    (x1, n1), (x2, n2) = tables
    low, high = difference_limits(x1, n1, x2, n2, interval, confidence)
    return ResponderCurve(thresholds, x1, x2, n1, n2, x1 / n1 - x2 / n2, low, high)


def format_nnt(nnt):
    """A number needed to treat for reading: whole, rounded away from zero, harm named.

    >>> format_nnt(12.844), format_nnt(-9.2), format_nnt(float("nan"))
    ('13', 'NNTH 10', 'not estimable')
    """
    if math.isnan(nnt):
        return "not estimable"
    # 1/(0.3 - 0.2) is a hair above 10 and is shown as 10
    whole = math.ceil(abs(nnt) - 1e-9)
    return f"NNTH {whole}" if nnt < 0 else f"{whole}"


def format_nnt_interval(nnt_low, nnt_high, through_infinity, digits=1):
    """Limits of a number needed to treat for reading, from the fields of `RiskDifference`.

    >>> format_nnt_interval(1.103, 2.483, 0), format_nnt_interval(-10.0, -2.0, 0)
    ('1.1 to 2.5', 'NNTH 2.0 to 10.0')
    >>> format_nnt_interval(-9.4, 2.5, 1), format_nnt_interval(float("nan"), 2.5, 1)
    ('NNTB 2.5 to infinity to NNTH 9.4', 'NNTB 2.5 to infinity')
    """
    benefit, harm = not math.isnan(nnt_high), not math.isnan(nnt_low)
    if not benefit and not harm:
        return "not estimable"
    if not through_infinity:
        near, far = sorted((abs(nnt_low), abs(nnt_high)))
        return f"{'NNTH ' if nnt_high < 0 else ''}{near:.{digits}f} to {far:.{digits}f}"
    if benefit and harm:
        return f"NNTB {nnt_high:.{digits}f} to infinity to NNTH {-nnt_low:.{digits}f}"
    if benefit:
        return f"NNTB {nnt_high:.{digits}f} to infinity"
    return f"NNTH {-nnt_low:.{digits}f} to infinity"


def _reciprocal(x):
    return math.nan if math.isnan(x) or abs(x) <= _ZERO else 1 / x


def _distinct(values):
    """Sorted values, those within rounding error of the one before left out; nan dropped."""
    values = np.unique(values[~np.isnan(values)])
    return values[np.diff(values, prepend=-np.inf) > TIE]


def _checked(responders, n):
    pairs = []
    for name, pair in (("responders", responders), ("n", n)):
        pair = tuple(pair)
        if len(pair) != 2:
            raise ValueError(f"{name} is {pair!r}; expected (treatment, control)")
        if not all(isinstance(v, Integral) or float(v).is_integer() for v in pair):
            raise ValueError(f"{name} is {pair!r}; expected whole numbers")
        pairs.append(tuple(int(v) for v in pair))
    for arm, x, total in zip(("treatment", "control"), *pairs, strict=True):
        if total < 1:
            raise ValueError(f"{arm}: n is {total}; expected at least 1 participant")
        if not 0 <= x <= total:
            raise ValueError(f"{arm}: {x} responders of {total} participants")
    return pairs
