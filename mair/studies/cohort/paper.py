"""A synthetic cohort for any entered paper of two arms: means, SDs and n, then who has what.

The values of an arm at a visit print its mean and SD, or a line says which number stands in the
way. Swaps of two people of an arm at a visit, which leave means and SDs as they are, then move the
SDs of change and the model's B with its limits towards the print. All else is invented.
"""

import math
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from mair.published import numbers
from mair.published.compare import compare
from mair.published.consistency.sheet import Sheet, perhaps
from mair.results import KEYS
from mair.run import paper
from mair.sections import audit
from mair.sections.rows import rows
from mair.stats import covariance, smallsample
from mair.stats.ancova import ancova
from mair.studies.cohort.integers import quantiles, sample, shuffled
from mair.studies.cohort.targets import room
from mair.trial import load
from mair.trial.errors import TrialError

TRIES, SWAPS = 40, 4000  # draws of a visit's values; of two people to swap
STARTS = (0.5, *np.linspace(-0.6, 0.98, 30))  # correlations between visits; the first is invented
LEANS = (0, 0.6, -0.6, 1.2, -1.2)  # a normal shape, and log-normal ones up and down
WARMTH = 1.0  # halves of a last digit by which a swap may be worse, at first
SECTIONS = ("outcomes", "biomarkers")
ARM, DIFFERENCE = ("change", "change_sd", "change_se"), ("b", "se", "ci_low", "ci_high")
MODELS = ("ancova", "change", "random-intercept", "compound-symmetry", "unstructured")


def write(file: str, out: str, seed: int) -> Path:
    """Write the cohort of a paper with a trial file beside it; print what is not met, and why.

    Parameters
    ----------
    file : str
        A paper as `mair.published.entry` reads it.
    out : str
        A directory.
    seed : int

    Returns
    -------
    Path
        Of the trial file.
    """
    path = paper.write(Path(file), Path(out))
    printed, declared = numbers.read(path.with_name("published.csv")), yaml.safe_load(
        path.read_text("utf-8"))
    made = Cohort(Sheet(printed, declared), seed)
    made.frame().to_csv(path.with_name("cohort.csv"), index=False, lineterminator="\n")
    whole = {key: value for key, value in (declared | made.keys).items()
             if key not in SECTIONS or key in made.keys}
    path.write_text(yaml.safe_dump(whole, allow_unicode=True, sort_keys=False), encoding="utf-8")
    trial = load(path)
    compared = compare(printed, rows(trial), audit.checks(trial)).query(
        "verdict != 'reproduced' and word != 'an input'")
    print(*made.lines, sep="\n")
    for (word, *key), own in compared.groupby(["verdict", *KEYS[1:5]], sort=False):
        texts = ", ".join(own["statistic"] + " " + own["printed"])
        print(f"{' '.join(filter(None, key))}: {texts}:",
              "no row of a report gives it" if word == "not checkable" else "not met")
    return path


class Cohort:
    """The people of a paper.

    Parameters
    ----------
    sheet : Sheet
        The printed numbers and the trial file of the paper.
    seed : int

    Attributes
    ----------
    keys : dict
        What the trial file needs beside those of the paper.
    lines : list of str
        What cannot be generated.
    """

    def __init__(self, sheet: Sheet, seed: int):
        self.sheet, self.seed, self.lines = sheet, seed, []
        measures = {name: section for section in SECTIONS
                    for name in sheet.sections.get(section) or {}}
        known = {("flow", "randomised"), *((section, name) for name, section in measures.items())}
        self.sizes = [int(max([p.value for p in sheet.where(arm=arm, statistic="n")
                               if (p.analysis, p.variable) in known], default=0))
                      for arm in sheet.arms]
        if min(self.sizes) < 2:
            raise TrialError("the paper prints no n of an arm, expected it at a table's head")
        self.starts, self.treated = (0, self.sizes[0]), np.repeat([0.0, 1.0], self.sizes)
        self.columns = {"arm": np.repeat(sheet.arms, self.sizes)}
        self.keys = {"synthetic": True, "data": "cohort.csv", "participant": "id", "describe": {},
                     "analysis": dict(sheet.sections.get("analysis") or {}), "baseline": []}
        for name, section in measures.items():
            self._measure(name, section)
        if not self.keys["describe"]:
            raise TrialError(self.lines)
        features: dict[str, dict[str, None]] = {}
        for p in sheet.where(analysis="baseline", arm=sheet.arms, statistic=("mean", "n")):
            name, _, level = p.variable.partition(": ")
            features.setdefault(name, {})[level] = None
        for name, levels in features.items():
            self._feature(name, list(levels))

    def frame(self) -> pd.DataFrame:
        """A row a person, in random order."""
        found = pd.DataFrame(self.columns).iloc[self._stream("").permutation(sum(self.sizes))]
        found.insert(0, "id", [f"S{k:03d}" for k in range(1, len(found) + 1)])
        return found

    def _stream(self, name: str):
        """A variable's own draws: what else is generated does not change them."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    def _values(self, rng, *key: str, given=()) -> list[float]:
        """Values that print a mean and an SD together with those given; none where none do."""
        where, moments = " ".join(filter(None, key[1:])), perhaps(self.sheet.moments, *key)
        if not moments:
            if mean := self.sheet.get(*key, "mean"):
                self.lines.append(f"{where}: mean {mean}: no SD, or no n, is printed with it")
            return []
        (n, mean, sd), scale = moments, self.sheet.scale(moments[1])
        step = self.sheet.step(mean) or 10.0 ** -(max(mean.decimals, sd.decimals) + 1)
        low, high = scale or (0.0, math.inf)
        most, k = (round((high - low) / step) if scale else math.inf), int(n.value) - len(given)
        own = np.rint((np.array(given) - low) / step)
        try:
            every = room(mean, sd, int(n.value), 1 / step, low).pairs if k > 0 else ()
        except ValueError as error:
            every = self.lines.append(f"{where}: {error}") or ()
        middle = min((t for t, q in every if q), default=0, key=lambda t: abs(
            t * step / n.value + low - mean.value))  # so that differences of means print, too
        sums = [(int(t - own.sum()), int(q - own @ own)) for t, q in every if q and (
            t == middle or len(own))]
        sums = [(t, q) for t, q in sums if q * k >= t * t]
        for lean in LEANS * (TRIES // len(LEANS)) if sums else ():
            shape = np.sign(lean) * np.exp(lean * np.array(quantiles(k)))
            found = sample(rng, k, *sums[int(rng.integers(len(sums)))],
                           -math.inf if not scale and mean.value <= 0 else int(
                               self.sheet.declared(key[1]).get("transform") == "log"), most,
                           tuple((shape - shape.mean()) / shape.std()) if lean and k > 1 else None)
            if found is not None:
                return shuffled(rng, [round(low + step * value, 9) for value in found])
        if every:
            self.lines.append(f"{where}: mean {mean} with SD {sd}: no {k} values found for them")
        return []

    def _measure(self, name: str, section: str) -> None:
        """The scores of an outcome or biomarker."""
        sheet, rng, label = self.sheet, self._stream(name), f"described {section}"
        scores, blocks = np.full((sum(self.sizes), len(sheet.visits)), np.nan), []
        described = self.columns.setdefault(label, np.full(len(scores), "no", object))
        for first, arm in zip(self.starts, sheet.arms, strict=True):
            for t, visit in enumerate(sheet.visits):
                own = self._values(rng, section, name, arm, visit)
                described[first:first + len(own)] = "yes"
                rest = self._values(rng, "baseline", name, arm, "", given=own) if t == 0 else []
                scores[first:first + len(own + rest), t] = own + rest
                blocks.append((t, first, len(own or rest)))  # who may swap
        absent = {t for t, _, n in blocks if n == 0}
        kept = [t for t in range(len(sheet.visits)) if t not in absent]
        kept = kept if kept[:1] == [0] else kept[-1:]  # as a trial file has it
        if kept in ([], [0]):
            return self.lines.append(f"{name}: no later visit has n, mean and SD of both arms")
        self._pair(rng, name, section, scores, kept, [b for b in blocks if b[0] in kept])
        names = [f"{name} {v}" if t in kept else None for t, v in enumerate(sheet.visits)]
        self.columns |= {names[t]: scores[:, t] for t in kept}
        self.keys["describe"][section] = label
        self.keys.setdefault(section, {})[name] = sheet.declared(name) | {"columns": names}
        return None

    def _pair(self, rng, name: str, section: str, scores, kept, blocks) -> None:
        """Swap people until SDs of change and the model's contrasts print, or draws are over."""
        sheet, later = self.sheet, [self.sheet.visits[t] for t in kept[1:]]
        aims = [p for p in sheet.where(analysis=section, variable=name, time=tuple(later)) if (
            p.statistic in ARM if p.arm in sheet.arms else p.statistic in DIFFERENCE
            and p.method.count("/") == 1 and p.method.split("/")[0] in MODELS and not p.relation)]
        method = next((p.method for p in aims if p.arm == "difference"), "")
        aims = [p for p in aims if p.method == method or p.arm != "difference"]
        kind, _, inference = method.partition("/")
        if kind not in ("", "change"):
            self.keys["analysis"] |= {"estimator": kind} if kind == "ancova" else {
                "covariance": kind, "inference": inference}
        scale = np.log if sheet.declared(name).get("transform") == "log" else np.asarray
        latent, draws = rng.standard_normal((2, *scores.shape)), rng.random((SWAPS, 4))

        def now() -> list[float]:
            found = estimates(kind, inference, scale(scores[:, kept]), self.treated)
            found |= changes(sheet.arms, scores[:, kept], self.treated)
            return [found.get((p.arm, later.index(p.time), p.statistic), math.nan) for p in aims]

        def start(r: float) -> float:
            for t, first, n in blocks:
                level = latent[0, first:first + n, 0] * (np.sign(r) if t == kept[0] else 1)
                order = np.argsort(math.sqrt(abs(r)) * level
                                   + math.sqrt(1 - abs(r)) * latent[1, first:first + n, t])
                scores[first + order, t] = np.sort(scores[first:first + n, t])
            return loss(aims, now())

        best = start(min(STARTS, key=start) if aims else STARTS[0])
        for warmth, (which, chance, *two) in zip(np.linspace(WARMTH, 0, SWAPS), draws, strict=True):
            if best == 0:
                break
            t, first, n = blocks[int(which * len(blocks))]
            i, j = (first + int(one * n) for one in two)
            if scores[i, t] != scores[j, t]:
                scores[[i, j], t] = scores[[j, i], t]
                if (new := loss(aims, now())) <= best + warmth * chance:
                    best = new
                else:
                    scores[[i, j], t] = scores[[j, i], t]

    def _feature(self, name: str, levels: list[str]) -> None:
        """A variable of the baseline table: counted, or with a mean."""
        rng, sheet, values = self._stream(f"baseline {name}"), self.sheet, []
        if f"{name} {sheet.visits[0]}" in self.columns:
            return self.keys["baseline"].append(name)
        one, get = levels == [""], partial(sheet.get, "baseline")
        counted = get(name, sheet.arms[0], statistic="mean") is None
        for arm, n in zip(sheet.arms, self.sizes, strict=True):
            found = [] if counted else self._values(rng, "baseline", name, arm, "")
            if counted:
                for level in levels:
                    p = get(f"{name}: {level}" if level else name, arm)
                    found += [level or "yes"] * int(p.value if p else 0)
                found = shuffled(rng, found + ["no" if one else "not printed"] * (n - len(found)))
            if not 0 < len(found) <= n:
                return self.lines.append(f"{name} {arm}: {len(found)} values for {n} people")
            values += [*found, *[None] * (n - len(found))]
        self.columns[name] = values
        kind = ("binary" if one else "categorical") if counted else "continuous"
        return self.keys["baseline"].append(
            {"name": name, "kind": kind} | ({"level": "yes"} if kind == "binary" else {}))


def loss(aims, values) -> float:
    """How far values are from what is printed, 0 where all print so."""
    return sum(max(0.0, abs(value - p.value) / p.half - 0.98)
               for p, value in zip(aims, values, strict=True) if value == value)


def changes(arms, scores, treated) -> dict[tuple, float]:
    """Mean, SD and SE of each arm's changes from the first visit: by (arm, visit, statistic)."""
    found = {}
    for (a, arm), t in ((one, t) for one in enumerate(arms) for t in range(1, scores.shape[1])):
        change = pd.Series(scores[treated == a, t] - scores[treated == a, 0])
        found |= dict(zip(((arm, t - 1, statistic) for statistic in ARM),
                          (change.mean(), change.std(), change.sem()), strict=True))
    return found


def estimates(kind: str, inference: str, scores, treated) -> dict[tuple, float]:
    """B, its standard error, 95 % limits: by ("difference", visit, statistic).

    Parameters
    ----------
    kind, inference : str
        Of `MODELS`, and as in a trial file; empty: nothing.
    scores : array (N, V)
        On the model's scale, nan where missing.
    treated : array (N,)
        1 or 0.
    """
    (before, *after), found = scores.T, ()
    if kind in ("ancova", "change"):
        fits = (ancova(*((y, before) if kind == "ancova" else (y - before, None)), treated,
                       inference=inference).contrast for y in after)
        found = [(one.estimate, one.se, one.low, one.high) for one in fits]
    elif kind and after:
        who, when = np.nonzero(~np.isnan(scores))
        visits = (when[:, None] == np.arange(1, len(after) + 1)).astype(float)
        X = np.column_stack([np.ones(len(who)), treated[who], visits, visits * treated[who, None]])
        one = smallsample.contrast(covariance.fit(scores[who, when], X, who, when, kind),
                                   np.eye(X.shape[1])[-len(after):], inference)
        found = zip(one.estimate, one.se, one.low, one.high, strict=True)
    return {("difference", t, statistic): float(np.squeeze(value)) for t, row in enumerate(found)
            for statistic, value in zip(DIFFERENCE, row, strict=True)}
