"""Invented trials, printed correctly: the other side of the fault campaign.

Individual data of a two-arm trial with losses are simulated, analysed as a paper would, and
every number is printed rounded half up from full precision. A check that finds fault with
such a paper raises a false alarm.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd

from mair.published.numbers import COLUMNS
from mair.stats import effects, mixed, power, smallsample, tests
from mair.stats.risk_limits import difference_limits

ARMS = ("control", "active")
VISITS = ("baseline", "post", "later")
Z = 1.959963984540054
# range, step, mean and SD at baseline, later visits
SCORES = {
    "score": ((0, 100), 0.01, 60, 18, VISITS[1:]),
    "items": ((0, 52), 1, 27, 10, VISITS[1:]),
    "short": ((1, 7), 1, 4.3, 1.1, VISITS[1:]),
    "answer": ((0, 1), 1, 0.6, 0.5, VISITS[1:]),
    "blood": (None, None, 20, 6, VISITS[1:2]),
}


def show(value: float, digits: int) -> str:
    """A number printed with so many digits, half up, without a negative zero."""
    unit = Decimal(1).scaleb(-digits)
    text = str(Decimal(repr(float(value))).quantize(unit, rounding=ROUND_HALF_UP))
    return text.lstrip("-") if float(text) == 0 else text


class Paper:
    """Rows of ``published.csv``."""

    def __init__(self):
        self.rows = []

    def add(self, source, analysis, variable, arm, time, method, **numbers) -> None:
        """Numbers as (value, digits), or as text."""
        for statistic, number in numbers.items():
            text = number if isinstance(number, str) else show(*number)
            self.rows.append((analysis, variable, arm, time, method, statistic, text, source, ""))


def trial(rng) -> tuple[pd.DataFrame, dict]:
    """A paper and its trial file's sections.

    Parameters
    ----------
    rng : numpy Generator

    Returns
    -------
    DataFrame, dict
        As `mair.published.consistency.consistency` takes them.
    """
    out = Paper()
    sizes = dict(zip(ARMS, rng.integers(14, 46, 2).tolist(), strict=True))
    lost = {a: rng.multinomial(n, [0.85, 0.05, 0.10])[1:] * (rng.random() < 0.8)
            for a, n in sizes.items()}
    seen = {a: {"baseline": n, "post": n - lost[a][1], "later": n - lost[a].sum()}
            for a, n in sizes.items()}
    _flow(rng, out, sizes, seen)
    covariate = {a: rng.poisson(1.2, n).astype(float) for a, n in sizes.items()}
    _baseline(rng, out, sizes)
    for variable in SCORES:
        data = {a: _people(rng, variable, covariate[a], sizes[a]) for a in ARMS}
        _outcome(rng, out, variable, data, seen, covariate)
    _responders(rng, out, seen)
    _plan(rng, out)
    outcomes = {v: {"range": list(r), "step": s, "better": "lower"}
                for v, (r, s, *_) in SCORES.items() if r}
    sections = {"arm": {"control": ARMS[0], "treatment": ARMS[1]}, "visits": list(VISITS),
                "outcomes": outcomes, "biomarkers": {"blood": {"better": "lower"}}}
    return pd.DataFrame(out.rows, columns=COLUMNS), sections


def _flow(rng, out, sizes, seen) -> None:
    total, excluded = sum(sizes.values()), int(rng.integers(0, 20))
    for variable, n in (("assessed", total + excluded), ("excluded: other", excluded),
                        ("enrolled", total), ("randomised", total)):
        out.add("flow", "flow", variable, "overall", "", "", n=(n, 0))
    for arm, n in sizes.items():
        for source in ("flow", "table 1"):
            out.add(source, "flow", "randomised", arm, "", "", n=(n, 0))
        for visit in VISITS[1:]:
            out.add("flow", "flow", "retained", arm, visit, "",
                    percent=(100 * seen[arm][visit] / n, 2))
        q1, median, q3 = np.quantile(rng.integers(0, 9, n), [0.25, 0.5, 0.75])
        out.add("flow", "flow", "sessions", arm, "", "", median=(median, 0), q1=(q1, 0),
                q3=(q3, 0))
    for visit in VISITS[1:]:
        p = tests.fisher([[seen[a][visit], n - seen[a][visit]] for a, n in sizes.items()]).p
        if p == p:
            out.add("flow", "flow", "retained", "difference", visit, "fisher", p=(p, 2))


def _baseline(rng, out, sizes) -> None:
    p = rng.uniform(0.1, 0.9)
    yes = {a: int(rng.binomial(n, p)) for a, n in sizes.items()}
    levels = {a: rng.multinomial(n, [0.3, 0.4, 0.3]) for a, n in sizes.items()}
    table = np.array([levels[a] for a in ARMS])
    for arm, n in sizes.items():
        out.add("table 1", "baseline", "yes", arm, "", "", n=(yes[arm], 0),
                percent=(100 * yes[arm] / n, 1))
        for k, count in enumerate(levels[arm]):
            out.add("table 1", "baseline", f"class: {k}", arm, "", "", n=(count, 0),
                    percent=(100 * count / n, 1))
    method = str(rng.choice(["pearson", "fisher", "yates"]))
    binary = getattr(tests, method)([[yes[a], n - yes[a]] for a, n in sizes.items()]).p
    for variable, p in (("yes", binary), ("class", tests.pearson(table).p)):
        if p == p:
            out.add("table 1", "baseline", variable, "difference", "",
                    method if variable == "yes" else "pearson", p=(p, 2))


def _people(rng, variable, covariate, n) -> np.ndarray:
    """Scores (n, visits), correlated, on the variable's grain."""
    limits, step, mean, sd, later = SCORES[variable]
    share, k = rng.uniform(0.2, 0.8), 1 + len(later)
    person = np.sqrt(share) * rng.standard_normal(n) + 0.2 * (covariate - 1.2)
    y = mean + sd * (person[:, None] + np.sqrt(1 - share) * rng.standard_normal((n, k)))
    y[:, 1:] -= sd * rng.uniform(0, 1)
    if variable == "blood":
        y = np.maximum(y, 1.0)
    return y if limits is None else np.clip(np.round(y / step) * step, *limits)


def _outcome(rng, out, variable, data, seen, covariate) -> None:
    limits, _, _, _, later = SCORES[variable]
    visits = ("baseline", *later)
    section, place = ("biomarkers", "table 3") if limits is None else ("outcomes", "table 2")
    if limits:
        for source in ("table 1", "table 2"):
            out.add(source, "outcomes", variable, "overall", "", "declared",
                    range_low=(limits[0], 0), range_high=(limits[1], 0))
        everyone = {a: tests.describe(data[a][:, 0]) for a in ARMS}
        method = str(rng.choice(["student", "welch"]))
        p = getattr(tests, method)(data["active"][:, 0], data["control"][:, 0]).p
        for arm in ARMS:
            out.add("table 1", "baseline", variable, arm, "", "", mean=(everyone[arm].mean, 2),
                    sd=(everyone[arm].sd, 2))
        both = tests.describe(np.concatenate([data[a][:, 0] for a in ARMS]))
        out.add("text", "baseline", variable, "overall", "", "", mean=(both.mean, 2),
                sd=(both.sd, 2))
        if p == p:
            out.add("table 1", "baseline", variable, "difference", "", method, p=(p, 2))
    complete = {a: data[a][: seen[a][visits[-1]]] for a in ARMS}
    for arm in ARMS:
        out.add(place, section, variable, arm, "baseline", "described", n=(len(complete[arm]), 0))
        for k, visit in enumerate(visits):
            _, mean, sd = tests.describe(complete[arm][:, k])
            out.add(place, section, variable, arm, visit, "described", mean=(mean, 2), sd=(sd, 2))
            before = complete[arm][:, 0].mean()
            if k:
                out.add("text", section, variable, arm, visit, "described",
                        change=(mean - before, 2))
                if before > 1:
                    out.add("text", section, variable, arm, visit, "described",
                            percent_change=(100 * (mean / before - 1), 0))
    _model(rng, out, (section, variable, place, visits), data, seen, covariate, complete)


def _model(rng, out, names, data, seen, covariate, complete) -> None:
    section, variable, place, visits = names
    y, X, who, person = [], [], [], 0
    for arm in ARMS:
        for i in range(len(data[arm])):
            for k, visit in enumerate(visits):
                if i < seen[arm][visit]:
                    cell = np.zeros(2 * len(visits))
                    cell[k] = 1
                    cell[len(visits) + k] = arm == "active"
                    y.append(data[arm][i, k])
                    X.append([*cell, covariate[arm][i]])
                    who.append(person)
            person += 1
    fit = mixed.random_intercept(np.array(y), np.array(X), np.array(who))
    uncorrected = rng.random() < 0.5
    for k, visit in enumerate(visits[1:], start=1):
        contrast = np.zeros(len(X[0]))
        contrast[len(visits) + k], contrast[len(visits)] = 1, -1
        c = smallsample.contrast(fit, contrast)
        b, se, z, p = (float(v) for v in (c.estimate, c.se, c.t, c.p))
        d = effects.d_ppc2(complete["active"][:, [0, k]], complete["control"][:, [0, k]],
                           corrected=not uncorrected)
        if d.estimate == d.estimate:
            out.add(place, section, variable, "difference", visit,
                    "d_ppc2-uncorrected" if uncorrected else "d_ppc2", d=(d.estimate, 2))
        if se > 0.01:
            out.add(place, section, variable, "difference", visit, "random-intercept/z",
                    b=(b, 2), ci_low=(b - Z * se, 2), ci_high=(b + Z * se, 2), z=(z, 2),
                    p="<0.001" if p < 0.001 else (p, 3))


def _responders(rng, out, seen) -> None:
    counts = {}
    for arm, p in (("active", rng.uniform(0.3, 0.9)), ("control", rng.uniform(0.05, 0.5))):
        n = seen[arm]["post"]
        counts[arm] = int(rng.binomial(n, p)), n
        x = counts[arm][0]
        out.add("text", "nnt", "better", arm, "post", "completers", percent=(100 * x / n, 1),
                responders=(x, 0), n=(n, 0))
    low, high = difference_limits(*counts["active"], *counts["control"], interval="wald")
    arr = counts["active"][0] / counts["active"][1] - counts["control"][0] / counts["control"][1]
    out.add("text", "nnt", "better", "difference", "post", "completers/wald", arr=(100 * arr, 1),
            ci_low=(100 * float(low), 1), ci_high=(100 * float(high), 1))
    if low > 0:
        out.add("text", "nnt", "better", "difference", "post", "completers/wald",
                nnt=(np.ceil(1 / arr - 1e-9), 0), nnt_ci_low=(1 / float(high), 1),
                nnt_ci_high=(1 / float(low), 1))


def _plan(rng, out) -> None:
    gap, sd = round(rng.uniform(5, 15), 1), round(rng.uniform(10, 20), 1)
    method = str(rng.choice(["normal", "t"]))
    d = round(gap / sd, 4)
    n, loss = power.sample_size(d, method=method), int(rng.integers(5, 30))
    out.add("text", "", "score", "overall", "", "declared", sd=(sd, 1), alpha="5", power="80",
            dropout=(loss, 0))
    out.add("text", "sample_size", "score", "overall", "", "declared", difference=(gap, 1),
            d=(d, 2))
    if power.sample_size(float(show(d, 2)), method=method) == n:  # as printed, too
        out.add("text", "sample_size", "score", "overall", "", method, n=(n, 0))
        out.add("text", "sample_size", "score", "overall", "", f"{method}/divided",
                n_with_dropout=(power.inflate(n, loss / 100), 0))
