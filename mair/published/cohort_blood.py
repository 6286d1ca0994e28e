"""The biomarkers of the first synthetic cohort.

Table 4 describes the 16 and 19 seen after treatment; section 3.1 says that all 41 gave blood
twice. With complete pairs and a covariate that does not change, the model's B is the
difference in mean changes, so the people not described are placed where B is the printed one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mair.published.cohort_moments import (
    bounded,
    correlated,
    exponential,
    lilliefors_d,
    logistic,
    mean_sd,
    standardised,
    total,
)
from mair.published.cohort_scores import ATTEMPTS, NORMAL, Arm, described
from mair.published.numbers import Lookup

VISITS = ("baseline", "post")
SKEWED = 1.0  # lilliefors_d above: p below 0.05 (limit 0.89) on the measured scale


@dataclass(frozen=True)
class Marker:
    """``r``: pre-post correlation that the printed standard error implies (IL-10 implies more
    than 1, so as much as is plausible). ``skew``: how far the ln values themselves lean."""

    r: float
    skew: float = 0.0
    log: bool = True


MARKERS = {
    "BDNF": Marker(0.65, log=False),
    "hs-CRP": Marker(0.58),
    "TNF-a": Marker(0.77, skew=0.25),
    "IL-6": Marker(0.25, skew=0.3),
    "IL-10": Marker(0.95, skew=0.3),
}


def leaning(z, skew: float) -> np.ndarray:
    """Standardised values with a longer right tail (none at ``skew`` 0)."""
    return z if skew == 0 else standardised([math.exp(skew * v) for v in z])


def described_part(rng, look: Lookup, name: str, arm: Arm):
    """Working-scale values of those described, (k, 2), with the printed moments.

    The working scale is ln for skewed markers, else the measured one.
    """
    marker, k = MARKERS[name], arm.seen + arm.late
    z = correlated(
        rng,
        [arm.medications[:k]],
        [[0.0], [0.0]],
        [[1.0, marker.r], [marker.r, 1.0]],
    )
    y = np.empty((k, 2))
    for t, visit in enumerate(VISITS):
        mean, sd = described(look, "biomarkers", name, arm.name, visit)
        column = leaning(z[:, t], marker.skew)
        if marker.log:
            a, b = exponential(column, mean, sd)
            y[:, t] = a + b * column
        else:
            # a concentration is above 0: a scale from 0 to twice the mean plus six SDs
            high = 2 * mean + 6 * sd
            y[:, t] = logistic(column, 0.0, high, *bounded(column, mean, sd, 0.0, high))
    return y


def not_described(rng, marker: Marker, seen, arm: Arm, share: float) -> np.ndarray:
    """Working-scale values of the rest: like the others before, and afterwards by regression
    plus ``share``, the mean change that the printed B needs beyond that."""
    (m0, s0), (m1, s1) = (mean_sd(seen[:, t]) for t in (0, 1))
    k = arm.n - len(seen)
    before = standardised(rng.standard_normal(k)) * 0.6
    after = marker.r * before
    return np.column_stack([m0 + s0 * before, m1 + s1 * after + share])


def complete(rng, look: Lookup, name: str, arms, seen) -> list[np.ndarray]:
    """Both arms on the working scale, all people, with the printed B."""
    target = look("biomarkers", name, "difference", "post", "random-intercept/z", statistic="b")
    changes = [total(y[:, 1] - y[:, 0]) / len(y) for y in seen]
    gap = target.value - (changes[1] - changes[0])
    left = [arm.n - len(y) for arm, y in zip(arms, seen, strict=True)]
    # least squares: shift_c, shift_t with -left_c/n_c shift_c + left_t/n_t shift_t = gap
    slopes = [-left[0] / arms[0].n, left[1] / arms[1].n]
    scale = gap / total(left[i] * (slopes[i] / left[i]) ** 2 for i in (0, 1))
    return [
        np.vstack([y, not_described(rng, MARKERS[name], y, arm, scale * s / k)])
        for arm, y, s, k in zip(arms, seen, slopes, left, strict=True)
    ]


def skewness(values) -> float:
    """Third standardised moment, rounded to 1e-6."""
    z = standardised(values)
    return round(total(v**3 for v in z) / len(z), 6)


def usual_changes(scores) -> bool:
    """No change, on the working scale, further than 2.9 SDs of change from the arm's mean."""
    return all(max(abs(standardised(y[:, 1] - y[:, 0]))) < 2.9 for y in scores)


def shaped(name: str, scores) -> bool:
    """Raw values clearly skewed, ln values close to normal; BDNF close to normal."""
    both = np.vstack(scores)
    if not MARKERS[name].log:
        return all(
            lilliefors_d(y[:, t]) < NORMAL and min(y[:, t]) > 1 and usual_changes(scores)
            for y in (both, *scores)
            for t in (0, 1)
        )
    raw = [[math.exp(v) for v in both[:, t]] for t in (0, 1)]
    return (
        all(lilliefors_d(column) > SKEWED for column in raw)
        and all(lilliefors_d(both[:, t]) < NORMAL for t in (0, 1))
        and usual_changes(scores)
        and all(abs(skewness(y[:, t])) < 1.45 for y in (both, *scores) for t in (0, 1))
    )


def biomarker(rng, look: Lookup, name: str, arms) -> list[np.ndarray]:
    """Measured values of both arms, (n, 2), control first.

    Raises
    ------
    ValueError
        After ``ATTEMPTS`` draws.
    """
    for _ in range(ATTEMPTS):
        try:
            seen = [described_part(rng, look, name, arm) for arm in arms]
        except ValueError:
            continue
        scores = complete(rng, look, name, arms, seen)
        if shaped(name, scores):
            return [np.exp(y) if MARKERS[name].log else y for y in scores]
    raise ValueError(f"{name}: no draw of {ATTEMPTS} meets the conditions")
