"""Sound papers: real trials, printed correctly: the other side of the fault campaign.

Of a two-arm trial some people, drawn at random, are analysed as a paper would, and every number
is printed rounded half up from full precision, with decimals drawn at random. A check that finds
fault with such a paper raises a false alarm.
"""

from __future__ import annotations

import functools
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from mair.published.consistency.formulas import FORMULAS
from mair.published.numbers import COLUMNS
from mair.stats import effects, mixed, risk, smallsample, tests

REAL = Path(__file__).resolve().parent.parent / "data" / "sound.yaml"


@functools.cache
def trials() -> dict[str, dict]:
    """What of each data set is a score, a class, or the result of a responder."""
    return yaml.safe_load(REAL.read_text(encoding="utf-8"))


def show(value: float, digits: int) -> str:
    """A number printed with so many digits, half up, without a negative zero."""
    unit = Decimal(1).scaleb(-digits)
    text = str(Decimal(repr(float(value))).quantize(unit, rounding=ROUND_HALF_UP))
    return text.lstrip("-") if float(text) == 0 else text


class Paper(list):
    """Rows of ``published.csv``, their decimals from a generator."""

    def __init__(self, rng):
        super().__init__()
        self.rng = rng

    def add(self, source, analysis, variable, arm, time="", method="", **numbers) -> None:
        """Numbers as (value, digits), or as text; what is not estimable is not printed."""
        for statistic, number in numbers.items():
            text = number if isinstance(number, str) else show(*number)
            if text not in ("NaN", "Infinity", "-Infinity"):
                self.append((analysis, variable, arm, time, method, statistic, text, source, ""))

    def digits(self, least: int = 1, most: int = 3) -> int:
        """Decimals of a column."""
        return int(self.rng.integers(least, most + 1))

    def p(self, *keys, p: float) -> None:
        """A p with two or three decimals."""
        if p == p:
            self.add(*keys, p="<0.001" if p < 0.001 else (p, self.digits(2)))


def paper(name: str, rng) -> tuple[pd.DataFrame, dict]:
    """A trial of ``mair/data/sound.yaml``, printed.

    Parameters
    ----------
    name : str
    rng : numpy Generator
        Draws at least half of each arm's people, the decimals and the tests.

    Returns
    -------
    DataFrame, dict
        The paper and its trial file's sections, as
        `mair.published.consistency.consistency` takes them.
    """
    own, out = trials()[name], Paper(rng)
    data = pd.read_csv(REAL.parent / own["data"])
    arms = {arm: data[data[own["arm"]] == arm] for arm in own["arms"]}
    arms = {arm: d.sample(int(rng.integers(len(d) // 2, len(d) + 1)), random_state=rng)
            for arm, d in arms.items()}
    for arm, d in arms.items():
        out.add("flow", "flow", "randomised", arm, n=(len(d), 0))
    for column in own.get("classes", ()):
        _classes(out, column, arms, data[column].dropna().unique())
    for variable, (columns, scale) in own.get("scores", {}).items():
        scores = {arm: d[columns].to_numpy(float) for arm, d in arms.items()}
        _outcome(out, variable, scores, own["visits"], scale.get("range"))
    for column, good in own.get("responded", {}).items():
        _responders(out, own["visits"][-1], {arm: (int((d[column] == good).sum()),
                                                   int(d[column].notna().sum()))
                                             for arm, d in reversed(arms.items())})
    sections = {"arm": dict(zip(("control", "treatment"), arms, strict=True)),
                "visits": own["visits"],
                "outcomes": {v: scale for v, (_, scale) in own.get("scores", {}).items()}}
    return pd.DataFrame(out, columns=COLUMNS), sections


def _classes(out, name, arms, levels) -> None:
    table = np.array([[int((d[name] == level).sum()) for d in arms.values()] for level in levels])
    method, digits = str(out.rng.choice(["pearson", "fisher", "yates"])), out.digits(0, 2)
    known, two = table.sum(axis=0), len(levels) == 2
    for level, counts in zip([name] if two else [f"{name}: {level}" for level in levels], table,
                             strict=False):
        for arm, count, n in zip(arms, counts, known, strict=True):
            out.add("table 1", "baseline", level, arm, n=(count, 0), n_known=(n, 0),
                    percent=(100 * count / n, digits))
    if known.sum() == sum(map(len, arms.values())):
        test = method if two or method == "fisher" else "pearson"
        out.p("table 1", "baseline", name, "difference", "", test, p=getattr(tests, test)(table).p)


def _outcome(out, variable, scores, visits, limits) -> None:
    k, digits, arms = next(iter(scores.values())).shape[1], out.digits(), list(scores)
    if k > 1 and limits:
        _baseline(out, variable, {a: y[:, 0] for a, y in scores.items()}, limits, digits)
    complete = {a: y[~np.isnan(y).any(axis=1)] for a, y in scores.items()}
    spread, visits = "se" if out.rng.random() < 0.3 else "sd", visits[-k:]
    for arm, y in complete.items():
        before = y[:, 0].mean()
        for at, (visit, (n, mean, sd)) in enumerate(zip(visits, map(tests.describe, y.T),
                                                        strict=True)):
            key = ("table 2", "outcomes", variable, arm, visit, "described")
            out.add(*key, n=(n, 0), mean=(mean, digits),
                    **{spread: (sd / np.sqrt(n) if spread == "se" else sd, digits)})
            if at:
                change = tests.describe(y[:, at] - y[:, 0])
                out.add(*key, change=(change.mean, digits), change_sd=(change.sd, digits),
                        percent_change=(100 * (mean / before - 1), 0))
    for at in range(1, k):
        key = ("table 2", "outcomes", variable, "difference", visits[at])
        d = effects.d_ppc2(*(complete[a][:, [0, at]] for a in arms[::-1]))
        out.add(*key, "d_ppc2", d=(d.estimate, 2))
        _contrast(out, key, "random-intercept/z", _model(scores, at), digits)
    if k == 1:
        method = str(out.rng.choice(["student", "welch"]))
        found = getattr(tests, method)(*(complete[a][:, 0] for a in arms[::-1]))
        _contrast(out, ("table 2", "outcomes", variable, "difference", visits[0]), method, found,
                  digits)


def _model(scores, at):
    """The contrast of a visit against the first under a random intercept."""
    y, k = np.concatenate([*scores.values()]), next(iter(scores.values())).shape[1]
    who, when = np.nonzero(~np.isnan(y))
    treated, visit = who[:, None] >= len(next(iter(scores.values()))), np.eye(k)[when]
    fit = mixed.random_intercept(y[who, when], np.hstack([visit, treated * visit]), who)
    return smallsample.contrast(fit, np.eye(2 * k)[k + at] - np.eye(2 * k)[k])


def _contrast(out, key, method, found, digits) -> None:
    b = getattr(found, "b", None)
    out.add(*key, method, b=(found.estimate if b is None else b, digits),
            ci_low=(found.low, digits), ci_high=(found.high, digits),
            **{"t" if b is not None else "z": (found.t, 2)})
    out.p(*key, method, p=found.p)


def _baseline(out, variable, start, limits, digits) -> None:
    for source in ("table 1", "table 2"):
        out.add(source, "outcomes", variable, "overall", "", "declared",
                range_low=(limits[0], 0), range_high=(limits[1], 0))
    for arm, x in {**start, "overall": np.concatenate([*start.values()])}.items():
        found = tests.describe(x)
        out.add("table 1", "baseline", variable, arm, mean=(found.mean, digits),
                sd=(found.sd, digits))
    method = str(out.rng.choice(["student", "welch"]))
    out.p("table 1", "baseline", variable, "difference", "", method,
          p=getattr(tests, method)(*list(start.values())[::-1]).p)


def _responders(out, visit, responded) -> None:
    cells, digits = [v for pair in responded.values() for v in pair], out.digits()
    for arm, (x, n) in responded.items():
        out.add("text", "nnt", "better", arm, visit, "completers", percent=(100 * x / n, digits),
                responders=(x, 0), n=(n, 0))
    table = np.reshape(cells, (2, 2)) @ [[1, -1], [0, 1]]
    test, key = str(out.rng.choice(["pearson", "fisher", "yates"])), (
        "text", "nnt", "better", "difference", visit)
    out.p(*key, f"completers/{test}", p=getattr(tests, test)(table).p)
    found = risk.risk_difference(cells[::2], cells[1::2], interval="wald")
    out.add(*key, "completers/wald", arr=(100 * found.estimate, digits),
            ci_low=(100 * found.low, digits), ci_high=(100 * found.high, digits))
    if found.low > 0:
        out.add(*key, "completers/wald", nnt=(np.ceil(found.nnt - 1e-9), 0),
                nnt_ci_low=(found.nnt_low, 1), nnt_ci_high=(found.nnt_high, 1))
    for name, method, end in (("rr", "wald", " wald"), ("or", "woolf", "")):
        if (table > 0).all():
            out.add(*key, f"completers/{method}", **{f"{name}{which}": (
                FORMULAS[f"{name}{which.replace('_', ' ')}{which and end}"](*cells), digits)
                for which in ("", "_low", "_high")})
