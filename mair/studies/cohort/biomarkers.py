"""Biomarkers: two visits, everyone measured, printed moments of those described only.

With complete pairs B is the difference in mean changes and its standard error follows from the
pooled variance of change alone. The values of those described are integers (hundredths) with the
printed moments; the people not described carry what B still lacks; swaps set the variance.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import skew

from mair.published.numbers import Number
from mair.stats import mixed
from mair.stats.effects import d_ppc2_of
from mair.stats.normality import lilliefors
from mair.studies.cohort.integers import normals, quantiles, ranked, sample
from mair.studies.cohort.targets import Allowed, Window

# How much more skewed than log-normal, and the least SD of the ln shape; the last ones are for
# rows that no plausible shape gives: nearly all of an arm's variance is one person's.
LEANS = ((1.0, 0.0), (1.25, 0.0), (1.5, 0.0), (1.8, 0.0), (2.2, 0.4), (2.7, 0.8), (3.3, 1.2),
         (3.3, 1.8), (3.3, 2.6), (3.3, 3.5))
STRAINED = 4  # leans from here on: the largest standard error that still prints
ATTEMPTS = 12  # at each lean
VALUES = 30  # draws of the described, for one whose effect size prints
SWAPS = 6000
DUST = 5e-10  # of rounding, in a loss
MISSED = 0.02  # of the standard error: not worth going on
APART = 0.5  # of the not described before treatment, in SDs
FAR = 2.95  # SDs of change
SKEWED = 1.45


@dataclass(frozen=True)
class Marker:
    """A biomarker as printed.

    Attributes
    ----------
    name : str
    log : bool
        Whether the model is of ln values.
    r : float
        Correlation between the two visits.
    described : pair of pair of Allowed
        Of those described, by arm and visit.
    window : Window
        The row of the model.
    slope : tuple of float
        |z| of the covariate's slope.
    m : pair of tuple of int
        Covariate of everyone, the described first, by arm.
    d : Number, optional
        The effect size.
    per : int
        Steps in one unit; every value below is in steps.
    """

    name: str
    log: bool
    r: float
    described: tuple[tuple[Allowed, Allowed], tuple[Allowed, Allowed]]
    window: Window
    slope: tuple[float, float]
    m: tuple[tuple[int, ...], tuple[int, ...]]
    d: Number | None = None
    per: int = 100

    def prints(self, arms) -> bool:
        """Whether the effect size does, of the described: values by arm and visit."""
        control, treated = ((len(x), np.mean(x), np.std(x, ddof=1), np.mean(y)) for x, y in arms)
        return self.d is None or self.d.met(float(d_ppc2_of(treated, control).estimate))

    def scaled(self, values):
        """Values on the model's scale: ln of the measured ones, or these."""
        measured = np.asarray(values) / self.per
        return np.log(measured) if self.log else measured

    def measured(self, scaled: float) -> int:
        """The value, in steps, at a place of the model's scale."""
        return max(1, round((math.exp(scaled) if self.log else scaled) * self.per))


def shape(n: int, cv: float, lean, log: bool) -> list[float]:
    """Standardised quantiles: log-normal for this coefficient of variation, or normal."""
    if not log:
        return list(quantiles(n))
    x = np.exp(max(lean[0] * math.sqrt(math.log(1 + cv * cv)), lean[1]) * np.array(quantiles(n)))
    return ((x - x.mean()) / x.std(ddof=1)).round(6).tolist()


def _values(rng, own: Allowed, lean, log: bool) -> list[int] | None:
    total, squares = own.drawn(rng)
    mean = total / own.n
    sd = math.sqrt((squares - total * mean) / (own.n - 1))
    low, high = max(1, round(mean - 4 * sd), round(0.04 * mean)), round(mean + 6 * sd)
    return sample(rng, own.n, total, squares, low, high, shape(own.n, sd / mean, lean, log), 0.12)


def _paired(rng, before, after, r: float) -> np.ndarray:
    """One arm's described people (n, 2): ranks after follow ranks before with correlation ``r``."""
    n = len(before)
    latent = r * np.array(quantiles(n)) + math.sqrt(1 - r * r) * normals(rng, n)
    return np.column_stack([sorted(before), ranked(latent, after)])


def _others(rng, marker: Marker, described, aim: float) -> list[np.ndarray]:
    """The not described (k, 2): like the others before, changed so that B is the printed one."""
    scaled = [marker.scaled(arm) for arm in described]
    n = [len(m) for m in marker.m]
    left = [n[a] - len(described[a]) for a in (0, 1)]
    sums = [np.diff(arm).sum() for arm in scaled]
    gap = aim - (sums[1] / n[1] - sums[0] / n[0])
    # least squares: equal changes d_a of the left_a people, sign_a left_a / n_a d_a = gap
    weight = sum(k / n[a] ** 2 for a, k in enumerate(left))
    out = []
    for a, sign in enumerate((-1, 1)):
        before, k = scaled[a][:, 0], left[a]
        noise, rows, debt = normals(rng, k), np.empty((k, 2), int), 0.0
        for i in range(k):
            start = marker.measured(
                before.mean() + APART * before.std(ddof=1) * (noise[i] - noise.mean()))
            wanted = float(marker.scaled(start)) + sign * gap / n[a] / weight + debt
            rows[i] = start, marker.measured(wanted)
            debt = wanted - float(marker.scaled(rows[i, 1]))
        out.append(rows)
    return out


def _estimate(changes) -> tuple[float, float, list[float]]:
    """B, its standard error, and the largest change of each arm in SDs of change."""
    n, means = [len(d) for d in changes], [d.mean() for d in changes]
    centred = [d - mean for d, mean in zip(changes, means, strict=True)]
    squares = [float(c @ c) for c in centred]
    far = [float(np.abs(c).max()) / math.sqrt(q / (k - 1))
           for c, q, k in zip(centred, squares, n, strict=True)]
    variance = sum(squares) / (sum(n) - 2)
    return means[1] - means[0], math.sqrt(variance * (1 / n[0] + 1 / n[1])), far


def _changes(marker: Marker, *parts) -> list[np.ndarray]:
    return [np.diff(marker.scaled(np.concatenate(arm)))[:, 0]
            for arm in zip(*parts, strict=True)]


def _swapped(rng, marker: Marker, described, others, target: float) -> float:
    """Swap values after treatment until the standard error is the printed one; the distance."""
    draws = rng.random((SWAPS, 3))
    nearest = [np.sort(arm, axis=0) for arm in described]  # no pairing has a smaller error
    if _estimate(_changes(marker, nearest, others))[1] > (1 + MISSED) * target:
        return math.inf
    scaled, order = [marker.scaled(arm).T.tolist() for arm in described], [
        list(range(len(arm))) for arm in described]
    changes = _changes(marker, described, others)
    n, means = [len(own) for own in changes], [float(own.mean()) for own in changes]
    far = [np.abs(own - mean).tolist() for own, mean in zip(changes, means, strict=True)]
    squares, weight = [sum(v * v for v in own) for own in far], (1 / n[0] + 1 / n[1]) / (sum(n) - 2)

    def off(one, other):  # of the standard error
        return abs(math.sqrt((one + other) * weight) - target) / target

    def odd(own, square):  # the largest change
        return 0.02 * max(0.0, max(own) / math.sqrt(square / (len(own) - 1)) - FAR)

    beyond = [odd(*one) for one in zip(far, squares, strict=True)]
    now = off(*squares) + sum(beyond)
    for k, (u, v, w) in enumerate(zip(*draws.T.tolist(), strict=True)):
        arm = int(2 * u)
        (before, after), own, places = scaled[arm], far[arm], order[arm]
        i, j = int(v * len(places)), int(w * len(places))
        if i == j:
            continue
        old = own[i], own[j]
        new = abs(after[j] - before[i] - means[arm]), abs(after[i] - before[j] - means[arm])
        square = squares[arm] - old[0]**2 + new[0]**2 - old[1]**2 + new[1]**2
        least = off(square, squares[1 - arm]) + beyond[1 - arm]
        most = now + DUST + (0.004 if k % 40 == 0 else 0.0)
        if least <= most:
            own[i], own[j] = new
            least += (far_off := odd(own, square))
            if least <= most:
                now, squares[arm], beyond[arm] = least, square, far_off
                for row in (after, places):
                    row[i], row[j] = row[j], row[i]
            else:
                own[i], own[j] = old
        if now <= 3e-4 or (k == SWAPS // 4 and now > 0.1):
            break
    for arm, places in zip(described, order, strict=True):
        arm[:, 1] = arm[places, 1]
    return now


def faults(marker: Marker, arms) -> float:
    """How implausible the values are, 0 for plausible: skewness, changes, signs, normality."""
    bad = sum(max(0.0, f - 3.0) for f in _estimate(_changes(marker, arms))[2])
    bad += sum(1.0 for arm in arms if np.cov(marker.scaled(arm).T)[0, 1] <= 0)
    for t in (0, 1):
        both = [arm[:, t] for arm in arms]
        if marker.log:
            bad += sum(max(0.0, abs(skew(np.log(x))) - SKEWED)
                       for x in (*both, np.concatenate(both)))
        p = lilliefors(np.concatenate(both).astype(float)).p
        bad += 1.0 if (p < 0.051 if not marker.log else p > 0.049) else 0.0
    return round(float(bad), 6)


def _covariate(marker: Marker, arms) -> float:
    """|z| of the covariate's slope in the random-intercept model."""
    y, m = marker.scaled(np.concatenate(arms)), np.concatenate(marker.m)
    treated = np.repeat([0.0, 1.0], [len(arm) for arm in arms])
    late, treated, m = np.tile([0.0, 1.0], len(y)), np.repeat(treated, 2), np.repeat(m, 2)
    X = np.column_stack([np.ones_like(late), treated, late, treated * late, m])
    fit = mixed.random_intercept(y.ravel(), X, np.repeat(np.arange(len(y)), 2))
    return abs(float(fit.beta[4] / fit.se[4]))


def biomarker(rng, marker: Marker) -> list[np.ndarray]:
    """Values of both arms by person and visit, in steps, the described first.

    Shapes are tried from log-normal to more skewed ones until the printed row is met; among
    draws of the first shape that meets it, the most plausible one.

    Parameters
    ----------
    rng : numpy Generator
    marker : Marker

    Raises
    ------
    ValueError
        When no shape meets the printed row.
    """
    best = None
    for k, lean in enumerate(LEANS if marker.log else LEANS[:1]):
        aim = marker.window.aim(0.93 if k >= STRAINED else None)
        for _ in range(ATTEMPTS):
            found = _attempt(rng, marker, lean, aim, min(0.98, marker.r + 0.1 * (k >= STRAINED)))
            if found is not None and (best is None or found[0] < best[0]):
                best = found
            if best is not None and best[0] == 0:
                return best[1]
        if best is not None and k >= STRAINED - 1:
            return best[1]
    raise ValueError(f"{marker.name}: no draw gives the printed row")


def _attempt(rng, marker: Marker, lean, aim, r: float):
    """One draw: how implausible it is and its values; None when the row is not met."""
    for _ in range(VALUES):
        values = [[_values(rng, own, lean, marker.log) for own in arm] for arm in marker.described]
        if any(x is None for arm in values for x in arm):
            return None
        if marker.prints(values):
            break
    described = [_paired(rng, *arm, r) for arm in values]
    others = _others(rng, marker, described, aim[0])
    if _swapped(rng, marker, described, others, aim[1]) > MISSED:
        return None
    arms = _assigned(rng, marker, described, others)
    b, se, _ = _estimate(_changes(marker, arms))
    if marker.window.violation(b, se) > 0.98:
        return None
    return faults(marker, arms) + 10 * max(0.0, _covariate(marker, arms) - marker.slope[1]), arms


def _assigned(rng, marker: Marker, described, others):
    """People in random order within described and others, the covariate's slope near none."""
    arms = [np.concatenate([own[rng.permutation(len(own))], rest])
            for own, rest in zip(described, others, strict=True)]
    for _ in range(40):
        if _covariate(marker, arms) < marker.slope[1] - 0.1:
            break
        a = int(rng.integers(2))
        k = len(described[a])
        arms[a][:k] = arms[a][:k][rng.permutation(k)]
    return arms
