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
from mair.stats import effects, mixed, power, risk, smallsample, tests

ARMS = ("control", "active")
VISITS = ("baseline", "post", "later")
# range, step, mean and SD at baseline
SCORES = {
    "score": ((0, 100), 0.01, 60, 18),
    "items": ((0, 52), 1, 27, 10),
    "short": ((1, 7), 1, 4.3, 1.1),
    "answer": ((0, 1), 1, 0.6, 0.5),
    "blood": (None, None, 20, 6),  # a biomarker, not measured at the last visit
}


def show(value: float, digits: int) -> str:
    """A number printed with so many digits, half up, without a negative zero."""
    unit = Decimal(1).scaleb(-digits)
    text = str(Decimal(repr(float(value))).quantize(unit, rounding=ROUND_HALF_UP))
    return text.lstrip("-") if float(text) == 0 else text


class Paper(list):
    """Rows of ``published.csv``."""

    def add(self, source, analysis, variable, arm, time="", method="", **numbers) -> None:
        """Numbers as (value, digits), or as text; what is not estimable is not printed."""
        for statistic, number in numbers.items():
            text = number if isinstance(number, str) else show(*number)
            if text != "NaN":
                self.append((analysis, variable, arm, time, method, statistic, text, source, ""))


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
    seen = {}
    for arm, n in sizes.items():
        late, early = rng.multinomial(n, [0.85, 0.05, 0.10])[1:] * (rng.random() < 0.8)
        seen[arm] = dict(zip(VISITS, (n, n - early, n - early - late), strict=True))
    _flow(rng, out, sizes, seen)
    covariate = {a: rng.poisson(1.2, n).astype(float) for a, n in sizes.items()}
    _baseline(rng, out, sizes)
    for variable in SCORES:
        data = {a: _people(rng, variable, covariate[a]) for a in ARMS}
        _outcome(rng, out, variable, data, seen, covariate)
    _responders(rng, out, {a: seen[a]["post"] for a in ARMS[::-1]})
    _plan(rng, out)
    sections = {"arm": {"control": ARMS[0], "treatment": ARMS[1]}, "visits": list(VISITS),
                "outcomes": {v: {"range": list(limits), "step": step, "better": "lower"}
                             for v, (limits, step, *_) in SCORES.items() if limits},
                "biomarkers": {"blood": {"better": "lower"}}}
    return pd.DataFrame(out, columns=COLUMNS), sections


def _flow(rng, out, sizes, seen) -> None:
    total, excluded = sum(sizes.values()), int(rng.integers(0, 20))
    for variable, n in (("assessed", total + excluded), ("excluded: other", excluded),
                        ("enrolled", total), ("randomised", total)):
        out.add("flow", "flow", variable, "overall", n=(n, 0))
    for arm, n in sizes.items():
        for source in ("flow", "table 1"):
            out.add(source, "flow", "randomised", arm, n=(n, 0))
        for visit in VISITS[1:]:
            out.add("flow", "flow", "retained", arm, visit, percent=(100 * seen[arm][visit] / n, 2))
        quartiles = np.quantile(rng.integers(0, 9, n), [0.5, 0.25, 0.75])
        out.add("flow", "flow", "sessions", arm,
                **{name: (x, 0) for name, x in zip(("median", "q1", "q3"), quartiles, strict=True)})
    for visit in VISITS[1:]:
        p = tests.fisher([[seen[a][visit], n - seen[a][visit]] for a, n in sizes.items()]).p
        out.add("flow", "flow", "retained", "difference", visit, "fisher", p=(p, 2))


def _baseline(rng, out, sizes) -> None:
    p = rng.uniform(0.1, 0.9)
    yes, classes = ([rng.multinomial(n, shares) for n in sizes.values()]
                    for shares in ([p, 1 - p], [0.3, 0.4, 0.3]))
    for (arm, n), (x, _), counts in zip(sizes.items(), yes, classes, strict=True):
        for variable, count in (("yes", x), *((f"class: {k}", c) for k, c in enumerate(counts))):
            out.add("table 1", "baseline", variable, arm, n=(count, 0),
                    percent=(100 * count / n, 1))
    method = str(rng.choice(["pearson", "fisher", "yates"]))
    for variable, test, table in (("yes", method, yes), ("class", "pearson", classes)):
        out.add("table 1", "baseline", variable, "difference", "", test,
                p=(getattr(tests, test)(table).p, 2))


def _people(rng, variable, covariate) -> np.ndarray:
    """Scores (n, visits), correlated, on the variable's grain."""
    limits, step, mean, sd = SCORES[variable]
    n, k = len(covariate), 3 if limits else 2
    share = rng.uniform(0.2, 0.8)
    person = np.sqrt(share) * rng.standard_normal(n) + 0.2 * (covariate - 1.2)
    y = mean + sd * (person[:, None] + np.sqrt(1 - share) * rng.standard_normal((n, k)))
    y[:, 1:] -= sd * rng.uniform(0, 1)
    return np.clip(np.round(y / step) * step, *limits) if limits else np.maximum(y, 1.0)


def _outcome(rng, out, variable, data, seen, covariate) -> None:
    limits = SCORES[variable][0]
    section, place = ("outcomes", "table 2") if limits else ("biomarkers", "table 3")
    if limits:
        _scale(rng, out, variable, limits, {a: y[:, 0] for a, y in data.items()})
    k = data["control"].shape[1]
    visits = VISITS[:k]
    complete = {a: y[: seen[a][visits[-1]]] for a, y in data.items()}
    for arm, y in complete.items():
        out.add(place, section, variable, arm, "baseline", "described", n=(len(y), 0))
        before = y[:, 0].mean()
        for visit, (_, mean, sd) in zip(visits, map(tests.describe, y.T), strict=True):
            key = (section, variable, arm, visit, "described")
            out.add(place, *key, mean=(mean, 2), sd=(sd, 2))
            if visit != "baseline":
                out.add("text", *key, change=(mean - before, 2))
                if before > 1:
                    out.add("text", *key, percent_change=(100 * (mean / before - 1), 0))
    there = [np.arange(len(data[a]))[:, None] < [seen[a][v] for v in visits] for a in ARMS]
    who, when = np.nonzero(np.concatenate(there))
    treated, visit = who[:, None] >= len(data["control"]), np.eye(k)[when]
    X = np.c_[visit, treated * visit, np.concatenate([covariate[a] for a in ARMS])[who]]
    fit = mixed.random_intercept(np.concatenate([data[a] for a in ARMS])[who, when], X, who)
    corrected = rng.random() >= 0.5
    for at in range(1, k):
        key = (place, section, variable, "difference", visits[at])
        d = effects.d_ppc2(*(complete[a][:, [0, at]] for a in ARMS[::-1]), corrected=corrected)
        out.add(*key, "d_ppc2" if corrected else "d_ppc2-uncorrected", d=(d.estimate, 2))
        c = smallsample.contrast(fit, np.eye(X.shape[1])[k + at] - np.eye(X.shape[1])[k])
        if c.se > 0.01:
            out.add(*key, "random-intercept/z", b=(c.estimate, 2), ci_low=(c.low, 2),
                    ci_high=(c.high, 2), z=(c.t, 2), p="<0.001" if c.p < 0.001 else (c.p, 3))


def _scale(rng, out, variable, limits, start) -> None:
    for source in ("table 1", "table 2"):
        out.add(source, "outcomes", variable, "overall", "", "declared",
                range_low=(limits[0], 0), range_high=(limits[1], 0))
    for arm, x in {**start, "overall": np.concatenate([*start.values()])}.items():
        found = tests.describe(x)
        out.add("text" if arm == "overall" else "table 1", "baseline", variable, arm,
                mean=(found.mean, 2), sd=(found.sd, 2))
    method = str(rng.choice(["student", "welch"]))
    p = getattr(tests, method)(*(start[a] for a in ARMS[::-1])).p
    out.add("table 1", "baseline", variable, "difference", "", method, p=(p, 2))


def _responders(rng, out, sizes) -> None:
    counts, shares = [], (rng.uniform(0.3, 0.9), rng.uniform(0.05, 0.5))
    for (arm, n), share in zip(sizes.items(), shares, strict=True):
        counts.append(x := int(rng.binomial(n, share)))
        out.add("text", "nnt", "better", arm, "post", "completers", percent=(100 * x / n, 1),
                responders=(x, 0), n=(n, 0))
    found = risk.risk_difference(counts, sizes.values(), interval="wald")
    key = ("text", "nnt", "better", "difference", "post", "completers/wald")
    out.add(*key, arr=(100 * found.estimate, 1), ci_low=(100 * found.low, 1),
            ci_high=(100 * found.high, 1))
    if found.low > 0:
        out.add(*key, nnt=(np.ceil(found.nnt - 1e-9), 0), nnt_ci_low=(found.nnt_low, 1),
                nnt_ci_high=(found.nnt_high, 1))


def _plan(rng, out) -> None:
    gap, sd = round(rng.uniform(5, 15), 1), round(rng.uniform(10, 20), 1)
    method = str(rng.choice(["normal", "t"]))
    d = round(gap / sd, 4)
    n, loss = power.sample_size(d, method=method), int(rng.integers(5, 30))
    out.add("text", "", "score", "overall", "", "declared", sd=(sd, 1), alpha="5", power="80",
            dropout=(loss, 0))
    key = ("text", "sample_size", "score", "overall", "")
    out.add(*key, "declared", difference=(gap, 1), d=(d, 2))
    if power.sample_size(float(show(d, 2)), method=method) == n:  # as printed, too
        out.add(*key, method, n=(n, 0))
        out.add(*key, f"{method}/divided", n_with_dropout=(power.inflate(n, loss / 100), 0))
