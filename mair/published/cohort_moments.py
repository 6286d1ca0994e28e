"""Arithmetic of the first synthetic cohort: sample moments set exactly, correlations too.

Arrays in, arrays out. Small fixed-order sums, a fixed number of steps, no decision on a
last bit: after rounding to a few decimals the values are the same on every machine.
"""

from __future__ import annotations

import math

import numpy as np

STEPS = 50  # of Newton's method and of bisection: past convergence


def total(values) -> float:
    """Correctly rounded sum, so that its order does not matter."""
    return math.fsum(values)


def mean_sd(values) -> tuple[float, float]:
    """Mean and SD (n - 1)."""
    n = len(values)
    mean = total(values) / n
    return mean, math.sqrt(total((v - mean) ** 2 for v in values) / (n - 1))


def standardised(values) -> np.ndarray:
    """Values with mean 0 and SD 1 (n - 1)."""
    mean, sd = mean_sd(values)
    return np.array([(v - mean) / sd for v in values])


def orthogonal(vectors) -> list[np.ndarray]:
    """Gram-Schmidt: standardised vectors without correlation in the sample, in order."""
    basis: list[np.ndarray] = []
    for vector in vectors:
        rest = standardised(vector)
        for _ in range(2):  # twice is enough against cancellation
            for b in basis:
                slope = total(rest * b) / (len(rest) - 1)
                rest = rest - slope * b
        basis.append(standardised(rest))
    return basis


def correlated(rng, known, loadings, correlation) -> np.ndarray:
    """Standardised columns with an exact sample correlation matrix.

    Parameters
    ----------
    rng : numpy Generator
    known : list of (n,) arrays
        Person-level vectors the columns shall correlate with; made orthogonal in order.
    loadings : (columns, known) array
        Correlation of each column with each (orthogonalised) known vector.
    correlation : (columns, columns) array
        Correlation among the columns, loadings included.

    Returns
    -------
    (n, columns) array

    Raises
    ------
    ValueError
        When no such columns exist (the matrix left after the loadings is not positive).
    """
    loadings = np.asarray(loadings, float)
    columns, n = len(loadings), len(known[0])
    left = np.asarray(correlation, float) - loadings @ loadings.T
    try:
        root = np.linalg.cholesky(left)
    except np.linalg.LinAlgError as error:
        raise ValueError(f"no columns correlate so: {correlation}") from error
    basis = orthogonal([*known, *rng.standard_normal((columns, n))])
    weights = np.hstack([loadings, root])
    return sum(np.outer(b, weights[:, k]) for k, b in enumerate(basis))


def logistic(z, low: float, high: float, a: float, b: float) -> np.ndarray:
    """``z`` mapped into (low, high) by low + (high - low) / (1 + exp(-a - b z))."""
    return np.array([low + (high - low) / (1 + math.exp(-a - b * v)) for v in z])


def bounded(z, mean: float, sd: float, low: float, high: float) -> tuple[float, float]:
    """``a, b`` of `logistic` that give ``z`` this sample mean and SD inside (low, high).

    Newton's method on (mean, SD), steps limited so that it does not overshoot.

    Raises
    ------
    ValueError
        When the moments do not fit into the range with these ``z``.
    """
    share, width, n = (mean - low) / (high - low), high - low, len(z)
    a, b = math.log(share / (1 - share)), sd / (width * share * (1 - share))
    for _ in range(STEPS):
        y = logistic(z, low, high, a, b)
        m, s = mean_sd(y)
        slope = (y - low) * (high - y) / width
        slope_z = slope * z
        # derivatives of mean and SD by a and b
        ma, mb = total(slope) / n, total(slope_z) / n
        sa, sb = (total((y - m) * d) / ((n - 1) * s) for d in (slope, slope_z))
        det = ma * sb - mb * sa
        da = ((mean - m) * sb - (sd - s) * mb) / det
        db = ((sd - s) * ma - (mean - m) * sa) / det
        a += max(-1.0, min(1.0, da))
        b += max(-0.5 * b, min(0.5 * b, db))
    m, s = mean_sd(logistic(z, low, high, a, b))
    if max(abs(m - mean), abs(s - sd)) > 1e-8 * width:
        raise ValueError(f"mean {mean} and SD {sd} do not fit into {low} to {high}")
    return a, b


def exponential(z, mean: float, sd: float) -> tuple[float, float]:
    """``a, b`` such that exp(a + b z) has this sample mean and SD.

    The coefficient of variation depends on ``b`` alone: bisection.
    """
    low, high = 0.0, 10.0
    for _ in range(STEPS):
        b = (low + high) / 2
        m, s = mean_sd([math.exp(b * v) for v in z])
        low, high = (b, high) if s / m < sd / mean else (low, b)
    m, s = mean_sd([math.exp(b * v) for v in z])
    if abs(s / m - sd / mean) > 1e-8:
        raise ValueError(f"no values above 0 have mean {mean} and SD {sd} in this shape")
    return math.log(mean / m), b


def lilliefors_d(values) -> float:
    """Largest distance to the normal distribution with the sample's mean and SD, times
    sqrt(n), rounded to 1e-6: about 0.89 at p = 0.05 (Lilliefors 1967)."""
    n = len(values)
    p = [0.5 * math.erfc(-v / math.sqrt(2)) for v in sorted(standardised(values))]
    d = max(max((k + 1) / n - q, q - k / n) for k, q in enumerate(p))
    return round(d * math.sqrt(n), 6)


def contrast_weights(design, subject, ratio: float, column: int) -> np.ndarray:
    """Weights w of a GLS coefficient, b = w y, under a random intercept.

    Parameters
    ----------
    design : (rows, coefficients) array
    subject : (rows,) array
        Whose row it is.
    ratio : float
        Variance between people over the residual variance.
    column : int
        Which coefficient.
    """
    inverse = np.eye(len(design))
    for person in sorted(set(subject)):
        rows = np.flatnonzero(np.asarray(subject) == person)
        # (I + ratio J)^-1 = I - ratio / (1 + m ratio) J
        inverse[np.ix_(rows, rows)] -= ratio / (1 + len(rows) * ratio)
    xv = design.T @ inverse
    return np.linalg.solve(xv @ design, xv)[column]
