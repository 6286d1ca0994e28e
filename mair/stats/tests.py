"""Two-arm tests and description of one arm: t tests, tables of counts, ranks, quantiles.

Arms come as (treatment, control); differences are treatment minus control. Missing values (nan)
are left out. Where a test has nothing to work on (an empty arm, a constant variable) every
statistic is nan and ``reason`` says why; ``reason`` is empty otherwise. SciPy has the tests;
what stands here are SPSS's conventions and what cannot be estimated.
"""

import math
import warnings
from typing import NamedTuple

import numpy as np
import scipy  # scipy.stats is loaded where it is first used
from scipy import special

from mair.stats import exact

NAN = math.nan


class Sample(NamedTuple):
    """What a t test needs of an arm: size, mean and standard deviation (n - 1)."""

    n: int
    mean: float
    sd: float


class Test(NamedTuple):
    """A test statistic, its degrees of freedom (nan where it has none) and two-sided p."""

    statistic: float = NAN
    df: float = NAN
    p: float = NAN
    reason: str = ""


class TTest(NamedTuple):
    """A two-sample t test. ``method`` is the one used; limits are of the difference ``b``."""

    method: str
    b: float = NAN
    se: float = NAN
    df: float = NAN
    t: float = NAN
    p: float = NAN
    low: float = NAN
    high: float = NAN
    reason: str = ""


class Interval(NamedTuple):
    """An estimate with its limits; where it is nan, ``reason`` says why."""

    estimate: float = NAN
    low: float = NAN
    high: float = NAN
    reason: str = ""


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


def describe(x) -> Sample:
    """Size, mean and SD (n - 1) of the observed values; nan where they do not exist.

    The SD of a constant is exactly 0, whatever the rounding of its mean.
    """
    x = observed(x)
    if x.size == 0:
        return Sample(0, NAN, NAN)
    if np.ptp(x) == 0:
        return Sample(x.size, float(x[0]), 0.0 if x.size > 1 else NAN)
    return Sample(x.size, float(x.mean()), float(x.std(ddof=1)))


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
        In the units of the samples. Not estimable when an arm is empty, no degree of freedom
        is left, or both arms are constant.
    """
    return _t_test("student", 1, treatment, control, confidence)


def welch(treatment, control, *, confidence=0.95) -> TTest:
    """Welch's t test (unequal variances, Satterthwaite's degrees of freedom), two-sided.

    Parameters and result as for `student`; each arm needs two values.
    """
    return _t_test("welch", 2, treatment, control, confidence)


def _t_test(method, least, treatment, control, confidence) -> TTest:
    x, y = observed(treatment), observed(control)
    if min(x.size, y.size) < least or x.size + y.size < 3:
        return TTest(method, reason="too few values")
    size = max(np.abs(x).max(), np.abs(y).max())
    if not max(np.ptp(x), np.ptp(y)) > 20 * np.finfo(float).eps * size:
        return TTest(method, reason="constant")  # but for rounding
    with warnings.catch_warnings():  # of an arm that is constant beside one that is not
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)
        found = scipy.stats.ttest_ind(x, y, equal_var=method == "student")
    low, high = found.confidence_interval(confidence)
    se = (high - low) / 2 / special.stdtrit(found.df, (1 + confidence) / 2)
    return TTest(method, *map(float, ((low + high) / 2, se, found.df, found.statistic,
                                      found.pvalue, low, high)))


def t_test_p(treatment, control, *, method):
    """p of ``student`` or ``welch`` from (n, mean, sd) of each arm, numbers or arrays.

    nan when both arms are constant.
    """
    (n1, m1, s1), (n2, m2, s2) = treatment, control
    found = scipy.stats.ttest_ind_from_stats(m1, s1, n1, m2, s2, n2,
                                             equal_var=method == "student")
    return np.where((s1 == 0) & (s2 == 0), NAN, found.pvalue)[()]


def levene(treatment, control) -> Test:
    """Levene's test on absolute deviations from the arm's mean, as SPSS has it.

    Not the Brown-Forsythe variant on the median, which is SciPy's and car's default. ``df`` is
    the denominator's, the numerator's is 1. Not estimable when the deviations do not vary
    within the arms.

    References
    ----------
    Levene H. In: Olkin I (ed). Contributions to Probability and Statistics, 1960:278-92.
    """
    arms = [observed(treatment), observed(control)]
    df = sum(a.size for a in arms) - 2
    if min(a.size for a in arms) < 1 or df < 1:
        return Test(reason="too few values")
    # Two values an arm have equal deviations up to rounding: F would be noise, or infinite.
    deviations = [np.abs(a - a.mean()) for a in arms]
    if not max(np.ptp(d) for d in deviations) > 1e-12 * max(d.max() for d in deviations):
        return Test(df=df, reason="deviations do not vary within the arms")
    found = scipy.stats.levene(*arms, center="mean")
    return Test(float(found.statistic), df, float(found.pvalue))


def levene_switched(treatment, control, *, alpha=0.05, confidence=0.95) -> TTest:
    """The row a reader of SPSS output picks: Welch if Levene's p < alpha, else Student.

    Where Levene's test is not estimable the variances are taken as equal.
    """
    test = welch if levene(treatment, control).p < alpha else student
    return test(treatment, control, confidence=confidence)


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


def pearson(table, *, correction=False) -> Test:
    """Pearson's chi-square test of independence, by default without continuity correction.

    Parameters
    ----------
    table : array_like of int, shape (levels, arms) or (arms, levels)
        Counts of participants. Empty levels are left out.
    correction : bool
        Yates's, of a 2 x 2 table; it never exceeds |observed - expected|.

    Returns
    -------
    Test
        Not estimable when fewer than two levels, or two arms, have anybody.
    """
    kept = counts(table)
    if min(kept.shape) < 2:
        return Test(reason="constant")
    found = scipy.stats.chi2_contingency(kept, correction=correction)
    return Test(float(found.statistic), found.dof, float(found.pvalue))


def yates(table) -> Test:
    """`pearson` of a 2 x 2 table with Yates's correction; not estimable for other shapes."""
    kept = counts(table)
    if min(kept.shape) >= 2 and kept.shape != (2, 2):
        return Test(reason="the correction is for 2 x 2 tables")
    return pearson(kept, correction=True)


def fisher(table) -> Test:
    """Fisher's exact test, two-sided; its Freeman-Halton extension beyond 2 x 2.

    The conditional probability, given both margins, of the tables no more probable than the
    observed one. Not the doubled one-sided p. SciPy's beyond 2 x 2 is drawn, so that ours
    (`exact.tail`) stands there.

    Parameters
    ----------
    table : array_like of int, shape (levels, 2) or (2, levels)
        Counts of participants. Empty levels are left out.

    Returns
    -------
    Test
        Without a statistic. Not estimable when fewer than two levels, or two arms, have
        anybody, or when there are too many tables to account for (several levels of hundreds).

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
    if min(kept.shape) < 2:
        return Test(reason="constant")
    if kept.shape == (2, 2):
        return Test(p=float(scipy.stats.fisher_exact(kept).pvalue))
    p = exact.tail(kept if kept.shape[1] == 2 else kept.T)
    return Test(p=p, reason="too many tables for an exact test" if math.isnan(p) else "")


def mann_whitney(treatment, control) -> Test:
    """Mann-Whitney U test, normal approximation, two-sided.

    The variance is corrected for ties; there is no continuity correction, as in SPSS's
    asymptotic significance and R's ``wilcox.test(exact=FALSE, correct=FALSE)``.

    Returns
    -------
    Test
        ``statistic`` is U, the pairs in which the treated value is larger, ties a half. Not
        estimable when an arm is empty or all values are tied.
    """
    x, y = observed(treatment), observed(control)
    if min(x.size, y.size) == 0:
        return Test(reason="an empty arm")
    if np.ptp(np.concatenate([x, y])) == 0:
        return Test(reason="constant")
    found = scipy.stats.mannwhitneyu(x, y, use_continuity=False, method="asymptotic")
    return Test(statistic=float(found.statistic), p=float(found.pvalue))


def hodges_lehmann(treatment, control, *, confidence=0.95) -> Interval:
    """Hodges and Lehmann's shift: the median of all differences between the arms' values.

    Parameters
    ----------
    treatment, control : array_like of float, shape (n,)
        One value a participant; nan is left out.
    confidence : float
        Coverage of the interval, in (0, 1).

    Returns
    -------
    Interval
        In the units of the samples. The limits are the differences at which Mann and Whitney's U
        is no longer rejected (Moses): by its exact distribution where each arm has fewer than
        50 values and none are tied, as R's ``wilcox.test`` has it, else by the normal
        approximation with the variance corrected for ties within the arms, which are those that
        a shift leaves. Without limits where so few values
        cannot reject anything.

    References
    ----------
    Hodges JL, Lehmann EL. Ann Math Stat 1963;34:598-611.
    """
    x, y = observed(treatment), observed(control)
    if min(x.size, y.size) == 0:
        return Interval(reason="an empty arm")
    apart, tail = np.sort(np.subtract.outer(x, y), axis=None), (1 - confidence) / 2
    untied = np.unique(np.concatenate([x, y])).size == x.size + y.size
    if untied and max(x.size, y.size) < 50:
        rank = int(np.searchsorted(_chances_of_u(x.size, y.size).cumsum(), tail))
    else:
        n = x.size + y.size
        ties = np.concatenate([np.unique(arm, return_counts=True)[1] for arm in (x, y)])
        variance = apart.size / 12 * (n + 1 - (ties**3 - ties).sum() / (n * (n - 1)))
        rank = max(math.ceil(apart.size / 2 - special.ndtri(1 - tail) * math.sqrt(variance)), 0)
    low, high = (apart[rank - 1], apart[-rank]) if rank else (NAN, NAN)
    return Interval(float(np.median(apart)), float(low), float(high))


def _chances_of_u(m: int, n: int) -> np.ndarray:
    """Probability of each U from 0 to m n where the arms do not differ: ways to order them."""
    ways = np.zeros((n + 1, m * n + 1))
    ways[:, 0] = 1
    for _ in range(m):  # one more value in the first arm, above 0, 1, … of the second
        for k in range(1, n + 1):
            ways[k] = np.roll(ways[k], k) + ways[k - 1]
    return ways[n] / ways[n].sum()


def weighted_quantiles(x, probabilities) -> np.ndarray:
    """Quantiles at position (n + 1) p, interpolated: SPSS's weighted average (HAVERAGE).

    Type 6 of Hyndman and Fan (Am Stat 1996;50:361-5); positions before the first or after the
    last value take that value.

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
    """
    x = observed(x)
    return np.quantile(x if x.size else NAN, probabilities, method="weibull")


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
    out = np.array(p, dtype=float)
    known = ~np.isnan(out)
    out[known] = scipy.stats.false_discovery_control(out[known])
    return out
