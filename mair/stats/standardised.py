"""Risks standardised over baseline: g-computation by logistic regression."""

import numpy as np
from scipy.special import expit, ndtri

from mair.stats.effects import Interval
from mair.stats.risk import RiskDifference, with_nnt

FLAT = 1e-10  # a Newton step of the coefficients that is none


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
