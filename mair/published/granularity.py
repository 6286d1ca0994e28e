"""What whole numbers allow: GRIM and GRIMMER, by exact enumeration.

Scores are multiples of a grain (a step, or a step over the items of a mean score) counted from
the low end of the scale, so that the sum of n scores is a whole number of grains. Every sum
that prints as the mean is tried, and for each every sum of squares that prints as the SD: it
has the parity of the sum, is no smaller than that of scores as equal as they can be, and no
larger than that of scores at the ends of the scale. On scales short enough (`EXACT`) the sums
of squares that occur are enumerated; elsewhere these conditions are necessary only, so nothing
possible is refused. On a scale from 0 to 1 they are sufficient, too: that is DEBIT.

References
----------
Brown NJL, Heathers JAJ. Soc Psychol Personal Sci 2017;8:363-9 (GRIM).
Anaya J. PeerJ Preprints 2016;4:e2400v1; Allard A. Analytic-GRIMMER, 2018.
Heathers JAJ, Brown NJL. DEBIT, 2019. https://osf.io/5vb3u/
"""

import math
from functools import lru_cache

from mair.published.rounding import Interval, decimals, values

DUST = 1e-7  # relative to a grain
EXACT = 500  # n times the grains of the scale: up to here all is enumerated


def sums(mean: Interval, n: int, grain: float, low: float = 0.0) -> range:
    """Sums of n scores, in grains above ``low``, whose mean lies in an interval."""
    first, last = ((end - low) * n / grain for end in (mean.low, mean.high))
    return range(math.ceil(first - DUST), math.floor(last + DUST) + 1)


def extremes(total: int, n: int, most: float = math.inf) -> tuple[float, float]:
    """Least and largest sum of squares of n whole numbers, 0 to ``most``, with a sum.

    With ``most`` infinite nothing bounds the largest.
    """
    quotient, rest = divmod(total, n)
    least = rest * (quotient + 1) ** 2 + (n - rest) * quotient**2
    if math.isinf(most):
        return least, math.inf
    full, left = divmod(total, int(most))
    return least, full * int(most) ** 2 + left**2


def squares(sd: Interval, total: int, n: int, grain: float, most: float = math.inf) -> range:
    """Sums of squares, in squared grains, of n scores with this sum and an SD in ``sd``.

    A range of step 2: the sum of squares has the parity of the sum.
    """
    least, largest = extremes(total, n, most)
    around = total**2 / n
    low = max(around + (n - 1) * (max(0.0, sd.low) / grain) ** 2, least)
    high = min(around + (n - 1) * (sd.high / grain) ** 2, largest)
    slack = max(1e-6, 1e-14 * around)  # of binary arithmetic; the sums are whole
    first = math.ceil(low - slack)
    return range(first + (first - total) % 2, math.floor(high + slack) + 1, 2)


@lru_cache(maxsize=256)
def occurring(n: int, most: int) -> list[int]:
    """For each sum of n whole numbers 0 to ``most``: its sums of squares, as bits."""
    bits = {0: 1}
    for _ in range(n):
        longer: dict[int, int] = {}
        for total, found in bits.items():
            for value in range(most + 1):
                longer[total + value] = longer.get(total + value, 0) | found << value**2
        bits = longer
    return [bits[total] for total in range(n * most + 1)]


def grim(mean: str, n: int, *, step: float = 1, rule: str = "half") -> bool:
    """Whether n scores can have this printed mean.

    Parameters
    ----------
    mean : str
        As printed.
    n : int
    step : float
        Scores are multiples of it; a percentage is a mean with ``step`` 100.
    rule : {"half", "rounded twice", "truncated"}

    Examples
    --------
    >>> grim("30.13", 19), grim("30.13", 15)
    (False, True)
    """
    return len(sums(values(mean, rule), n, step)) > 0


def grim_can_fail(mean: str, n: int, *, step: float = 1) -> bool:
    """Whether possible means lie further apart than one unit of the last digit."""
    return step / n > 10.0 ** -decimals(mean) * (1 + DUST)


def possible_n(means, most: int, *, step: float = 1, least: int = 2) -> list[int]:
    """The n, largest first, at which all of several printed means are possible."""
    return [n for n in range(most, least - 1, -1)
            if all(grim(mean, n, step=step) for mean in means)]


@lru_cache(maxsize=50_000)
def grimmer(mean: str, sd: str, n: int, *, step: float = 1, low: float | None = None,
            high: float | None = None, rule: str = "half") -> bool:
    """Whether n scores can have this printed mean and SD (n - 1).

    Parameters
    ----------
    mean, sd : str
        As printed; ``rule`` is that of the SD, the mean is rounded half up or half even.
    n, step
        As for `grim`.
    low, high : float, optional
        Ends of the scale.

    Examples
    --------
    >>> grimmer("3.79", "0.85", 19), grimmer("3.79", "0.86", 19)
    (True, False)
    >>> grimmer("0.36", "0.11", 20, low=0, high=1)  # DEBIT
    False
    """
    most = math.inf if low is None or high is None else round((high - low) / step)
    for total in sums(values(mean), n, step, low or 0.0):
        if math.isinf(most) or 0 <= total <= n * most:
            found = squares(values(sd, rule), total, n, step, most)
            if n * most <= EXACT:
                found = [q for q in found if occurring(n, most)[total] >> q & 1]
            if len(found):
                return True
    return False


def grimmer_can_fail(mean: str, sd: str, n: int, *, step: float = 1) -> bool:
    """Whether possible SDs lie further apart than one unit of the last digit."""
    unit, ways = 10.0 ** -decimals(sd), max(1, len(sums(values(mean), n, step)))
    # neighbouring sums of squares differ by 2 steps squared
    return step**2 / ((n - 1) * max(values(sd).high, unit)) / ways > unit


@lru_cache(maxsize=20_000)
def rest_possible(
    everyone: tuple[int, str, str], seen: tuple[int, str, str], step: float,
    low: float, high: float,
) -> tuple[bool, bool]:
    """Whether those left out of ``seen`` can exist: their sum, and then their squares.

    Parameters
    ----------
    everyone, seen : tuple
        (n, printed mean, printed SD) of a group and of its part.
    step, low, high : float
        Grain and ends of the scale.

    Returns
    -------
    tuple of bool
        A sum of the rest lies within the scale; one of those leaves a sum of squares that
        so many scores can have.
    """
    (n, mean, sd), (m, mean_seen, sd_seen) = everyone, seen
    k, most, sum_fits = n - m, round((high - low) / step), False
    for total in sums(values(mean), n, step, low):
        whole_q = squares(values(sd), total, n, step, most)
        for part in sums(values(mean_seen), m, step, low):
            if 0 <= total - part <= k * most:
                sum_fits, seen_q = True, squares(values(sd_seen), part, m, step, most)
                least, largest = extremes(total - part, k, most)
                if len(whole_q) and len(seen_q) and whole_q[0] - seen_q[-1] <= largest and (
                        whole_q[-1] - seen_q[0] >= least):
                    return True, True
    return sum_fits, False
