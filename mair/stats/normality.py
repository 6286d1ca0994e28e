"""Tests of normality of one sample. nan is left out; too few or constant: not estimable."""

import math

import numpy as np
import scipy  # scipy.stats is loaded where it is first used
from scipy import special

from mair.stats.tests import Test, observed


def lilliefors(x) -> Test:
    """Kolmogorov-Smirnov test against a normal with the sample's own mean and SD.

    Parameters
    ----------
    x : array_like of float, shape (n,)
        At least five observed values.

    Returns
    -------
    Test
        ``statistic`` is D. p follows Dallal and Wilkinson's formula, as SPSS and R's
        ``nortest::lillie.test`` do. Above 0.1, where that formula does not hold, it is
        nortest's: a polynomial in Stephens's modified statistic (SPSS interpolates up to
        0.2 and prints anything above as ".200", a lower bound).

    References
    ----------
    Lilliefors HW. J Am Stat Assoc 1967;62:399-402.
    Dallal GE, Wilkinson L. Am Stat 1986;40:294-6.
    Stephens MA. J Am Stat Assoc 1974;69:730-7.
    """
    x = np.sort(observed(x))
    reason = _unfit(x, 5, math.inf)
    if reason:
        return Test(reason=reason)
    cdf = special.ndtr((x - x.mean()) / x.std(ddof=1))
    steps = np.arange(x.size + 1) / x.size
    d = float(max((steps[1:] - cdf).max(), (cdf - steps[:-1]).max()))
    return Test(statistic=d, p=lilliefors_p(d, x.size))


def lilliefors_p(d, n) -> float:
    """p of a distance ``d`` of ``n`` values; see `lilliefors`."""
    scaled, m = (d, n) if n <= 100 else (d * (n / 100) ** 0.49, 100)
    p = math.exp(-7.01256 * scaled**2 * (m + 2.78019) + 2.99587 * scaled * math.sqrt(m + 2.78019)
                 - 0.122119 + 0.974598 / math.sqrt(m) + 1.67997 / m)
    if p <= 0.1:
        return p
    # Stephens's modified D, and a quartic in it on each stretch; p > 0.1 keeps it below 0.9.
    k = d * (math.sqrt(n) - 0.01 + 0.85 / math.sqrt(n))
    if k <= 0.302:
        return 1.0
    quartic = ((2.76773, -19.828315, 80.709644, -138.55152, 81.218052) if k <= 0.5 else
               (-4.901232, 40.662806, -97.490286, 94.029866, -32.355711))
    return float(np.polynomial.polynomial.polyval(k, quartic))


def shapiro_wilk(x) -> Test:
    """Shapiro-Wilk test (Royston's AS R94, through scipy) of 3 to 5000 observed values.

    References
    ----------
    Royston P. Appl Stat 1995;44:547-51.
    """
    x = observed(x)
    reason = _unfit(x, 3, 5000)
    if reason:
        return Test(reason=reason)
    # The statistic has no location or scale.
    found = scipy.stats.shapiro((x - np.median(x)) / np.ptp(x))
    return Test(statistic=float(found.statistic), p=float(found.pvalue))


def _unfit(x, least, most) -> str:
    if x.size < least:
        return f"fewer than {least} values"
    if x.size > most:
        return f"more than {most} values"
    return "constant" if np.ptp(x) <= 1e-14 * np.abs(x).max() else ""
