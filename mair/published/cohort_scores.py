"""The measured part of the first synthetic cohort: outcomes and biomarkers.

Each cell (arm x visit) is a draw with a chosen correlation between visits, mapped into the
scale so that the printed mean and SD hold exactly. Values that no printed mean or SD fixes
(the score after treatment of the one control patient who was lost later, the blood of those
not described) are solved so that the printed B comes close.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mair.published.cohort_moments import (
    bounded,
    contrast_weights,
    correlated,
    lilliefors_d,
    logistic,
    mean_sd,
    standardised,
    total,
)
from mair.published.numbers import Lookup

VISITS = ("baseline", "post", "followup")
ATTEMPTS = 2000
NORMAL = 0.85  # lilliefors_d below: p clearly above 0.05; 0.89 is the limit


@dataclass(frozen=True)
class Spec:
    """What the printed numbers imply about an outcome, beyond its means and SDs.

    ``r``: correlation between visits, and ``icc``: between-person share of the residual
    variance, both from the printed standard errors. ``covariate``: correlation of the person's
    mean with the number of medications, from the note of Table 3. ``worse``: 1 when higher
    is worse. ``unseen``: completers of the treatment arm without the visit after treatment
    (PCS: the printed means are multiples of 1/15, not of 1/19).
    """

    r: float
    icc: float
    covariate: float
    worse: int = 1
    unseen: int = 0
    pre_post: dict[str, float] | None = None  # by arm, where it differs from ``r``

    def correlation(self, arm: str) -> np.ndarray:
        """Correlation matrix of the three visits."""
        matrix = np.full((3, 3), self.r)
        np.fill_diagonal(matrix, 1.0)
        if self.pre_post is not None:
            matrix[0, 1] = matrix[1, 0] = self.pre_post[arm]
        return matrix


OUTCOMES = {
    # the responder counts force FIQ's pre-post correlation up; the rest is lowered for it
    "FIQ": Spec(0.18, 0.333, 0.50, pre_post={"RT": 0.80, "MAIR": 0.70}),
    "CGI-S": Spec(0.236, 0.218, 0.45),
    "PCS": Spec(0.696, 0.672, 0.45, unseen=4),
    "HADS-A": Spec(0.728, 0.667, 0.45),
    "HADS-D": Spec(0.77, 0.712, 0.45),
    "EQ-VAS": Spec(0.349, 0.345, 0.29, worse=-1),
    "AAQ-II": Spec(0.501, 0.448, 0.28),
    "FFMQ": Spec(0.631, 0.599, 0.45, worse=-1),
    "SCS": Spec(0.623, 0.615, 0.10, worse=-1),
}
SEVERITY = 0.55  # correlation of the person's mean with a general severity, not printed


@dataclass(frozen=True)
class Arm:
    """One arm, those seen at every visit first.

    ``late`` people after them were seen after treatment and lost later.
    """

    name: str
    treatment: bool
    n: int
    seen: int
    late: int
    medications: np.ndarray
    severity: np.ndarray


def declared_range(look: Lookup, name: str) -> tuple[float, float]:
    """The scale as Table 2 prints it."""
    return tuple(
        look("outcomes", name, "overall", "", "declared", statistic=s, source="table 2").value
        for s in ("range_low", "range_high")
    )


def described(look: Lookup, section: str, name: str, arm: str, visit: str):
    """Printed mean and SD of a cell of Table 3 or 4."""
    return tuple(
        look(section, name, arm, visit, "described", statistic=s).value for s in ("mean", "sd")
    )


def others_at_baseline(look: Lookup, name: str, arm: Arm, seen: int) -> tuple[float, float]:
    """Mean and SD at baseline of those not described: Table 2 minus Table 3.

    Raises
    ------
    ValueError
        When the sum of squares left for them is negative.
    """
    m, s = described(look, "outcomes", name, arm.name, "baseline")
    mean, sd = (look("baseline", name, arm.name, statistic=x).value for x in ("mean", "sd"))
    k = arm.n - seen
    rest = (arm.n * mean - seen * m) / k
    squares = (arm.n - 1) * sd**2 - (seen - 1) * s**2 - seen * k / arm.n * (m - rest) ** 2
    if squares < 0:
        raise ValueError(f"{name}, {arm.name}: Tables 2 and 3 leave a negative sum of squares")
    return rest, math.sqrt(squares / (k - 1))


def dealt(values, spec: Spec, arm: Arm, k: int) -> np.ndarray:
    """Values of the people from ``k`` on, the worse ones to those with more medications."""
    order = sorted(range(arm.n - k), key=lambda i: arm.medications[k + i])
    out = np.empty(arm.n - k)
    out[order] = sorted(values, reverse=spec.worse < 0)
    return out


def arm_scores(rng, look: Lookup, name: str, spec: Spec, arm: Arm) -> np.ndarray | None:
    """Scores of one arm, (n, 3), nan where missing; None when a dropout leaves the scale.

    The score after treatment of ``late`` people is left nan.
    """
    low, high = declared_range(look, name)
    unseen = spec.unseen if arm.treatment else 0
    k = arm.seen - unseen
    matrix = spec.correlation(arm.name)
    person = math.sqrt(matrix.mean())  # SD of the mean of three standardised visits
    loadings = spec.worse * person * np.tile([spec.covariate, SEVERITY], (3, 1))
    z = correlated(rng, [arm.medications[:k], arm.severity[:k]], loadings, matrix)
    y = np.full((arm.n, 3), np.nan)
    shape = []
    for t, visit in enumerate(VISITS):
        shape.append(
            bounded(z[:, t], *described(look, "outcomes", name, arm.name, visit), low, high)
        )
        y[:k, t] = logistic(z[:, t], low, high, *shape[t])
    mean, sd = others_at_baseline(look, name, arm, k)
    y[k:, 0] = dealt(mean + sd * standardised(rng.standard_normal(arm.n - k)), spec, arm, k)
    noise = rng.standard_normal(unseen)
    if np.any(y[k:, 0] <= low + 1e-3) or np.any(y[k:, 0] >= high - 1e-3):
        return None
    for person, e in zip(range(k, arm.seen), noise, strict=True):
        share = (y[person, 0] - low) / (high - low)
        before = (math.log(share / (1 - share)) - shape[0][0]) / shape[0][1]
        after = spec.r * before + math.sqrt(1 - spec.r**2) * e
        y[person, 2] = logistic([after], low, high, *shape[2])[0]
    return y


def long_rows(arms, scores, late):
    """Design, subject, place and value of every row, an unknown score (``late``) as 0."""
    rows = []
    for group, (arm, y) in enumerate(zip(arms, scores, strict=True)):
        for i in range(arm.n):
            for t in range(3):
                if (group, i, t) == late or not math.isnan(y[i, t]):
                    value = 0.0 if (group, i, t) == late else y[i, t]
                    rows.append((group, i, t, arm.medications[i], value))
    g, i, t, medication, value = (np.array(c) for c in zip(*rows, strict=True))
    post, followup = t == 1, t == 2
    columns = [np.ones(len(g)), g, post, followup, g * post, g * followup, medication]
    return np.column_stack(columns).astype(float), 100 * g + i, (g, i, t), value


def needed(look: Lookup, name: str, arms, scores, visit: str, late) -> tuple[float, np.ndarray]:
    """What B still lacks at a visit with the ``late`` score at 0, and B's weight by row."""
    spec = OUTCOMES[name]
    design, subject, place, value = long_rows(arms, scores, late)
    column = 3 + VISITS.index(visit)
    weights = contrast_weights(design, subject, spec.icc / (1 - spec.icc), column)
    b = look("outcomes", name, "difference", visit, "random-intercept/z", statistic="b")
    g, i, t = place
    return b.value - total(weights * value), (g, i, t, weights)


def solve_late(look: Lookup, name: str, arms, scores) -> None:
    """Fill the score after treatment of the control patient lost later, from the printed B.

    B is linear in this one score once the variance ratio is given; the score is kept inside
    the scale and within two SDs of what the patient's own baseline predicts.
    """
    low, high = declared_range(look, name)
    control, k = scores[0], arms[0].seen
    (mb, sb), (mp, sp) = (mean_sd(control[:k, t]) for t in (0, 1))
    r = OUTCOMES[name].correlation(arms[0].name)[0, 1]
    expected = mp + r * sp / sb * (control[k, 0] - mb)
    spread = 2 * sp * math.sqrt(1 - r * r)
    gap, (g, i, t, weights) = needed(look, name, arms, scores, "post", (0, k, 1))
    solved = gap / total(weights[(g == 0) & (i == k) & (t == 1)])
    solved = max(expected - spread, min(expected + spread, solved))
    control[k, 1] = max(low + 0.5, min(high - 0.5, solved))


def shift_unseen(look: Lookup, name: str, arms, scores) -> None:
    """Move the follow-up of treated completers not described towards the printed B.

    All by the same amount, each staying inside the scale.
    """
    low, high = declared_range(look, name)
    last, first = arms[1].seen, arms[1].seen - OUTCOMES[name].unseen
    gap, (g, i, t, weights) = needed(look, name, arms, scores, "followup", None)
    shift = gap / total(weights[(g == 1) & (i >= first) & (i < last) & (t == 2)])
    moved = scores[1][first:last, 2] + shift
    scores[1][first:last, 2] = np.minimum(high - 0.5, np.maximum(low + 0.5, moved))


def solve_free(look: Lookup, name: str, arms, scores) -> None:
    """Solve the scores that no printed moment fixes, one kind after the other."""
    solve_late(look, name, arms, scores)
    if OUTCOMES[name].unseen:
        for _ in range(10):
            shift_unseen(look, name, arms, scores)
            solve_late(look, name, arms, scores)


def responders(look: Lookup, arm: Arm, y: np.ndarray) -> bool:
    """Whether one arm's FIQ responders are section 3.5's, each clear of its threshold."""
    change = [(b - p) / b for b, p in y[:, :2] if not math.isnan(p)]
    for percent in (20, 50):
        wanted = look(
            "nnt", f"FIQ >={percent}%", arm.name, "post", "completers", statistic="responders"
        ).value
        cut = percent / 100
        if sum(c >= cut for c in change) != wanted:
            return False
        if min(abs(c - cut) for c in change) < 0.002:
            return False
    return True


def normal_enough(scores) -> bool:
    """No visit's scores, both arms together or either, clearly off the normal shape."""
    both = np.vstack(scores)
    return all(
        lilliefors_d([v for v in y[:, t] if not math.isnan(v)]) < NORMAL
        for y in (both, *scores)
        for t in range(3)
    )


def draw(rng, look: Lookup, name: str, arm: Arm) -> np.ndarray:
    """Scores of one arm inside the scale, for FIQ with the printed responders.

    Whoever was lost later is solved for afterwards and expected not to respond.
    """
    for _ in range(ATTEMPTS):
        y = arm_scores(rng, look, name, OUTCOMES[name], arm)
        if y is not None and (name != "FIQ" or responders(look, arm, y)):
            return y
    raise ValueError(f"{name}, {arm.name}: no draw of {ATTEMPTS} fits")


def outcome(rng, look: Lookup, name: str, arms) -> list[np.ndarray]:
    """Scores of both arms, control first: the first draw that meets every condition.

    Raises
    ------
    ValueError
        After ``ATTEMPTS`` draws.
    """
    for _ in range(ATTEMPTS):
        scores = [draw(rng, look, name, arm) for arm in arms]
        solve_free(look, name, arms, scores)
        if name == "FIQ" and not responders(look, arms[0], scores[0]):
            continue
        if normal_enough(scores):
            return scores
    raise ValueError(f"{name}: no draw of {ATTEMPTS} meets the conditions")
