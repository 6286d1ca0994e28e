"""What correlation within treatment groups would do to a contrast between arms."""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit


class Clustered(NamedTuple):
    """A contrast as it would be with treatment given in groups.

    Attributes
    ----------
    groups : int
        Over both arms.
    df : int
        Groups minus arms.
    se, low, high : ndarray
        Over the correlations; limits are nan with less than one degree of freedom.
    reaching_zero : float
        Smallest correlation at which the interval holds zero: 0 where it does without any, nan
        where it does not up to a correlation of 1, or has no limits.
    """

    groups: int
    df: int
    se: np.ndarray
    low: np.ndarray
    high: np.ndarray
    reaching_zero: float


def in_groups(estimate, se, sizes, members, rho, *, confidence=0.95) -> Clustered:
    """Standard error and interval of a contrast whose arms are treated in groups.

    Parameters
    ----------
    estimate, se : float
        As they are without correlation within groups.
    sizes : tuple of int
        People in either arm.
    members : int
        Supposed members of a group, 1 or more. An arm has n / members groups, to the nearest
        whole number and at least 1.
    rho : array-like
        Correlations within groups, 0 to 1.
    confidence : float

    Returns
    -------
    Clustered

    Notes
    -----
    The variance is multiplied by 1 + (members - 1) rho, and t has as many degrees of freedom as
    there are groups, less two: what is compared are the groups' means. Few groups make the
    interval wide even where rho is 0, since that it is 0 would not be known.

    References
    ----------
    Donner A, Klar N. Design and Analysis of Cluster Randomization Trials. 2000, chapter 6.
    """
    groups = sum(max(1, math.floor(n / members + 0.5)) for n in sizes)
    df, wider = groups - len(sizes), np.sqrt(1 + (members - 1) * np.asarray(rho, float))
    t = stdtrit(df, (1 + confidence) / 2) if df > 0 else math.nan
    half = t * se * wider
    bare = (estimate / (t * se)) ** 2 - 1 if se > 0 else math.nan  # what (members - 1) rho is at 0
    reach = 0.0 if bare <= 0 else bare / (members - 1) if members > 1 else math.nan
    return Clustered(groups, df, se * wider, estimate - half, estimate + half,
                     math.nan if reach > 1 else reach)
