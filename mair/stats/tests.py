"""Two-arm tests and description of one arm: t tests, tables of counts, ranks, quantiles.

Arms come as (treatment, control); differences are treatment minus control. Missing
values (nan) are left out. Where a test has nothing to work on (an empty arm, a
constant variable) every statistic is nan and ``reason`` says why; ``reason`` is empty
otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import special

from mair.stats import exact

NAN = math.nan


class Summary(NamedTuple):
    """What a t test needs of an arm: size, mean and standard deviation (n - 1)."""

    n: int
    mean: float
    sd: float


@dataclass(frozen=True)
class Levene:
    """Levene's test of equal variances: F with its degrees of freedom."""

    f: float
    df1: float
    df2: float
    p: float
    reason: str = ""


@dataclass(frozen=True)
class TTest:
    """A two-sample t test. ``method`` is the one used, ``student`` or ``welch``."""

    method: str
    n_treatment: int
    n_control: int
    difference: float
    se: float
    t: float
    df: float
    p: float
    low: float
    high: float
    levene: Levene | None = None
    reason: str = ""


@dataclass(frozen=True)
class ChiSquare:
    """A chi-square test of a table. ``smallest_expected`` is the least expected count."""

    method: str
    n: int
    chi2: float
    df: float
    p: float
    smallest_expected: float
    reason: str = ""


@dataclass(frozen=True)
class Fisher:
    """Two-sided exact test of a table of n participants."""

    n: int
    p: float
    reason: str = ""


@dataclass(frozen=True)
class MannWhitney:
    """Rank test; ``u`` counts pairs in which the treated value is larger, ties a half."""

    n_treatment: int
    n_control: int
    u: float
    z: float
    p: float
    reason: str = ""


@dataclass(frozen=True)
class Proportion:
    """A proportion in [0, 1] with its limits."""

    n: int
    estimate: float
    low: float
    high: float


def observed(x) -> np.ndarray:
    """One-dimensional float array without its missing values.

    Raises
    ------
    ValueError
        More than one dimension, or an infinite value.
    """
    x = np.asarray(x, dtype=float)
    if x.ndim != 1:
        raise ValueError(f"one value a participant is expected, not an array of shape {x.shape}")
    x = x[~np.isnan(x)]
    if np.isinf(x).any():
        raise ValueError("an infinite value")
    return x


def describe(x) -> Summary:
    """Size, mean and SD (n - 1) of the observed values; nan where they do not exist.

    The SD of a constant is exactly 0, whatever the rounding of its mean.
    """
    x = observed(x)
    if x.size == 0:
        return Summary(0, NAN, NAN)
    if np.ptp(x) == 0:
        return Summary(x.size, float(x[0]), 0.0 if x.size > 1 else NAN)
    return Summary(x.size, float(x.mean()), float(x.std(ddof=1)))


def student(treatment, control, *, confidence=0.95) -> TTest:
    """Student's t test with pooled variance, two-sided, from raw samples.

    Parameters
    ----------
    treatment, control : array_like of float, shape (n,)
        One value a participant; nan is left out.
    confidence : float
        Coverage of the interval of the difference, in (0, 1).

    Returns
    -------
    TTest
        In the units of the samples. Not estimable when an arm is empty, no degree of
        freedom is left, or both arms are constant.
    """
    return student_from_summaries(describe(treatment), describe(control), confidence=confidence)


def student_from_summaries(treatment, control, *, confidence=0.95) -> TTest:
    """`student` from (n, mean, sd) of each arm; an SD is not needed where n is 1."""
    (n1, _, s1), (n2, _, s2) = treatment, control
    if n1 < 1 or n2 < 1 or n1 + n2 < 3:
        return _no_t("student", treatment, control, "too few values")
    df = n1 + n2 - 2
    ss = ((n1 - 1) * s1**2 if n1 > 1 else 0.0) + ((n2 - 1) * s2**2 if n2 > 1 else 0.0)
    se = math.sqrt(ss / df * (1 / n1 + 1 / n2))
    return _t_test("student", treatment, control, se, df, confidence)


def welch(treatment, control, *, confidence=0.95) -> TTest:
    """Welch's t test (unequal variances, Satterthwaite's degrees of freedom), two-sided.

    Parameters and result as for `student`; each arm needs two values.
    """
    return welch_from_summaries(describe(treatment), describe(control), confidence=confidence)


def welch_from_summaries(treatment, control, *, confidence=0.95) -> TTest:
    """`welch` from (n, mean, sd) of each arm."""
    (n1, _, s1), (n2, _, s2) = treatment, control
    if n1 < 2 or n2 < 2:
        return _no_t("welch", treatment, control, "too few values")
    v1, v2 = s1**2 / n1, s2**2 / n2
    se = math.sqrt(v1 + v2)
    # Shares of the variance, so that tiny scales do not underflow in its square.
    share = v1 / (v1 + v2) if se > 0 else 0.5
    df = 1 / (share**2 / (n1 - 1) + (1 - share) ** 2 / (n2 - 1))
    return _t_test("welch", treatment, control, se, df, confidence)


def levene(treatment, control) -> Levene:
    """Levene's test on absolute deviations from the arm's mean, as SPSS has it.

    Not the Brown-Forsythe variant on the median, which is scipy's and car's default.
    Not estimable when the deviations do not vary within the arms.

    References
    ----------
    Levene H. In: Olkin I (ed). Contributions to Probability and Statistics, 1960:278-92.
    """
    arms = [observed(treatment), observed(control)]
    sizes = [a.size for a in arms]
    df2 = sum(sizes) - 2
    if min(sizes) < 1 or df2 < 1:
        return Levene(NAN, 1, max(df2, 0), NAN, "too few values")
    deviations = [np.abs(a - describe(a).mean) for a in arms]
    overall = np.concatenate(deviations).mean()
    between = sum(d.size * (d.mean() - overall) ** 2 for d in deviations)
    within = sum(((d - d.mean()) ** 2).sum() for d in deviations)
    # Two values an arm have equal deviations up to rounding: F would be noise, or infinite.
    if within <= 1e-24 * max(float((d**2).sum()) for d in deviations):
        return Levene(NAN, 1, df2, NAN, "deviations do not vary within the arms")
    f = float(between / within * df2)
    return Levene(f, 1, df2, float(special.fdtrc(1, df2, f)))


def levene_switched(treatment, control, *, alpha=0.05, confidence=0.95) -> TTest:
    """The row a reader of SPSS output picks: Welch if Levene's p < alpha, else Student.

    Returns
    -------
    TTest
        ``method`` is the test used, ``levene`` the test that decided. Where Levene's
        test is not estimable the variances are taken as equal.
    """
    decision = levene(treatment, control)
    test = welch if decision.p < alpha else student
    return replace(test(treatment, control, confidence=confidence), levene=decision)


def _no_t(method, treatment, control, reason) -> TTest:
    return TTest(method, int(treatment[0]), int(control[0]), *[NAN] * 7, reason=reason)


def _t_test(method, treatment, control, se, df, confidence) -> TTest:
    m1, m2 = treatment[1], control[1]
    # R's rule for data that are constant but for rounding.
    if not se > 10 * np.finfo(float).eps * max(abs(m1), abs(m2)):
        return _no_t(method, treatment, control, "constant")
    difference = m1 - m2
    t = difference / se
    half = special.stdtrit(df, (1 + confidence) / 2) * se
    return TTest(
        method, int(treatment[0]), int(control[0]), float(difference), float(se), float(t),
        float(df), float(2 * special.stdtr(df, -abs(t))),
        float(difference - half), float(difference + half),
    )


def counts(table) -> np.ndarray:
    """A table of counts as integers, without its empty rows and columns.

    Raises
    ------
    ValueError
        Not two-dimensional, or a count that is negative or not whole.
    """
    raw = np.asarray(table, dtype=float)
    if raw.ndim != 2:
        raise ValueError(f"a table of counts has rows and columns, not shape {raw.shape}")
    if not (np.isfinite(raw).all() and (raw >= 0).all() and (raw == np.floor(raw)).all()):
        raise ValueError("counts are whole numbers of 0 or more")
    whole = raw.astype(np.int64)
    return whole[whole.sum(axis=1) > 0][:, whole.sum(axis=0) > 0]


def pearson(table) -> ChiSquare:
    """Pearson's chi-square test of independence, without continuity correction.

    Parameters
    ----------
    table : array_like of int, shape (levels, arms) or (arms, levels)
        Counts of participants. Empty levels are left out.

    Returns
    -------
    ChiSquare
        Not estimable when fewer than two levels, or two arms, have anybody.
    """
    return _chi_square("pearson", counts(table), 0.0)


def yates(table) -> ChiSquare:
    """Chi-square test of a 2 x 2 table with Yates' continuity correction.

    The correction never exceeds |observed - expected|. Not estimable for other shapes.
    """
    kept = counts(table)
    if min(kept.shape) >= 2 and kept.shape != (2, 2):
        n = int(kept.sum())
        return ChiSquare("yates", n, NAN, NAN, NAN, NAN, "the correction is for 2 x 2 tables")
    return _chi_square("yates", kept, 0.5)


def _chi_square(method, kept, correction) -> ChiSquare:
    n = int(kept.sum())
    if min(kept.shape) < 2:
        return ChiSquare(method, n, NAN, NAN, NAN, NAN, "constant")
    expected = np.outer(kept.sum(axis=1), kept.sum(axis=0)) / n
    gap = np.abs(kept - expected)
    gap -= min(correction, float(gap.min()))
    chi2 = float((gap**2 / expected).sum())
    df = (kept.shape[0] - 1) * (kept.shape[1] - 1)
    p = float(special.chdtrc(df, chi2))
    return ChiSquare(method, n, chi2, df, p, float(expected.min()))


def fisher(table) -> Fisher:
    """Fisher's exact test, two-sided; its Freeman-Halton extension beyond 2 x 2.

    The conditional probability, given both margins, of the tables no more probable than
    the observed one, with R's relative tolerance of 1e-7 for ties. Not the doubled
    one-sided p.

    Parameters
    ----------
    table : array_like of int, shape (levels, 2) or (2, levels)
        Counts of participants. Empty levels are left out.

    Returns
    -------
    Fisher
        Not estimable when fewer than two levels, or two arms, have anybody, or when
        there are too many tables to account for (several levels of hundreds each).

    Raises
    ------
    ValueError
        Neither side of the table has length two.

    References
    ----------
    Freeman GH, Halton JH. Biometrika 1951;38:141-9.
    """
    if 2 not in np.shape(table):
        raise ValueError("an exact test needs two arms")
    kept = counts(table)
    n = int(kept.sum())
    if min(kept.shape) < 2:
        return Fisher(n, NAN, "constant")
    kept = kept if kept.shape[1] == 2 else kept.T
    # The smaller arm has fewer ways to be filled; the larger levels are settled last.
    column = kept[:, kept.sum(axis=0).argmin()]
    rows = kept.sum(axis=1)
    order = np.argsort(rows, kind="stable")
    p = exact.tail(rows[order], column[order])
    p = 1.0 if p > 1 - 1e-12 else p  # every table counted, but for the sum's last digits
    return Fisher(n, p, "too many tables for an exact test" if math.isnan(p) else "")


def mann_whitney(treatment, control) -> MannWhitney:
    """Mann-Whitney U test, normal approximation, two-sided.

    The variance is corrected for ties; there is no continuity correction, as in SPSS's
    asymptotic significance and R's ``wilcox.test(exact=FALSE, correct=FALSE)``.

    Returns
    -------
    MannWhitney
        ``z`` is positive when the treated values are the larger. Not estimable when an
        arm is empty or all values are tied.
    """
    x, y = observed(treatment), observed(control)
    n1, n2 = x.size, y.size
    if min(n1, n2) == 0:
        return MannWhitney(n1, n2, NAN, NAN, NAN, "an empty arm")
    _, where, ties = np.unique(np.concatenate([x, y]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[where]
    u = float(ranks[:n1].sum()) - n1 * (n1 + 1) / 2
    if ties.size == 1:
        return MannWhitney(n1, n2, u, NAN, NAN, "constant")
    n = n1 + n2
    t = ties.astype(float)
    variance = n1 * n2 / 12 * ((n + 1) - float((t**3 - t).sum()) / (n * (n - 1)))
    z = (u - n1 * n2 / 2) / math.sqrt(variance)
    return MannWhitney(n1, n2, u, z, math.erfc(abs(z) / math.sqrt(2)))


def wilson(x, n, *, confidence=0.95) -> Proportion:
    """Wilson's score interval for x of n, without continuity correction.

    Raises
    ------
    ValueError
        Not 0 <= x <= n. With n = 0 the estimate and limits are nan.

    References
    ----------
    Wilson EB. J Am Stat Assoc 1927;22:209-12.
    """
    if not 0 <= x <= n:
        raise ValueError(f"{x} of {n} is not a proportion")
    if n == 0:
        return Proportion(0, NAN, NAN, NAN)
    p, z = x / n, float(special.ndtri((1 + confidence) / 2))
    centre = p + z**2 / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low = 0.0 if x == 0 else (centre - half) / (1 + z**2 / n)
    high = 1.0 if x == n else (centre + half) / (1 + z**2 / n)
    return Proportion(int(n), p, low, high)


def weighted_quantiles(x, probabilities) -> np.ndarray:
    """Quantiles at position (n + 1) p, interpolated: SPSS's weighted average (HAVERAGE).

    Type 6 of Hyndman and Fan; positions before the first or after the last value take
    that value.

    Parameters
    ----------
    x : array_like of float, shape (n,)
        nan is left out.
    probabilities : array_like of float
        In [0, 1].

    Returns
    -------
    ndarray
        One value a probability; nan when nothing is observed.

    References
    ----------
    Hyndman RJ, Fan Y. Am Stat 1996;50:361-5.
    """
    x, p = np.sort(observed(x)), np.asarray(probabilities, dtype=float)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"probabilities lie in [0, 1], not {probabilities}")
    if x.size == 0:
        return np.full(p.shape, NAN)
    position = (x.size + 1) * p
    # 6 x 0.35 may fall a bit short of a whole number; R allows the same.
    nearest = np.round(position)
    position = np.where(np.abs(position - nearest) < 1e-12 * x.size, nearest, position)
    whole = np.floor(position).astype(int)
    below, above = (x[np.clip(whole + k, 1, x.size) - 1] for k in (0, 1))
    return below + (position - whole) * (above - below)


def benjamini_hochberg(p) -> np.ndarray:
    """Benjamini-Hochberg adjusted p values, in the order given.

    Parameters
    ----------
    p : array_like of float, shape (tests,)
        nan means not estimable: it stays nan and does not count in the family.

    Raises
    ------
    ValueError
        A p outside [0, 1].

    References
    ----------
    Benjamini Y, Hochberg Y. J R Stat Soc B 1995;57:289-300.
    """
    p = np.asarray(p, dtype=float)
    out = np.full(p.shape, NAN)
    known = np.flatnonzero(~np.isnan(p))
    if ((p[known] < 0) | (p[known] > 1)).any():
        raise ValueError("a p value lies in [0, 1]")
    order = known[np.argsort(p[known], kind="stable")]
    scaled = p[order] * order.size / np.arange(1, order.size + 1)
    out[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return out
