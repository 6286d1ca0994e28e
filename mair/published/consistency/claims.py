"""Words against numbers: sizes, significance, comparisons, and what a correction keeps.

Words come as data (`COLUMNS`), because no number of a table says what the text made of it:
``claim`` is ``size``, ``significant``, ``improved``, ``larger`` or ``fdr``; ``variable`` and
``time`` are lists separated by ``;``, ``*`` stands for all that have a contrast; ``word`` is
what was said: small, moderate, large, moderate to large; yes or no; a visit to compare with;
maintained.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mair.published.consistency.engine import Judgement, check, unsure, yes_no
from mair.published.consistency.sheet import Printed, Sheet, need, perhaps
from mair.published.rounding import Interval
from mair.stats.tests import benjamini_hochberg

COLUMNS = ["claim", "analysis", "variable", "time", "word", "source", "quote"]
CUTS = {"small": 0.2, "medium": 0.5, "large": 0.8}  # Cohen's, where the paper names none
LEVEL = 0.05


def read(path: Path | str) -> pd.DataFrame:
    """Claims as text; ValueError when the columns are not `COLUMNS`."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False)
    if list(frame.columns) != COLUMNS:
        raise ValueError(f"{Path(path).name}: columns {','.join(frame.columns)}; "
                         f"expected {','.join(COLUMNS)}")
    return frame


def claims_of(sheet: Sheet, kind: str) -> list[dict]:
    """The claims of a kind, each with its place ``at``: below 0, for it is no printed number."""
    return [claim | {"at": -k} for k, claim in enumerate(sheet.claims, start=1)
            if claim["claim"] == kind]


def worded(p: Printed, claim: dict, said: str = "") -> Printed:
    """What a claim says of a number, its word where nothing else is ``said``, in place of it."""
    return replace(p, printed=said or claim["word"], source=claim["source"], at=claim["at"])


def said(kind: str, name: str):
    """Register a check of every contrast that a claim of a kind is about.

    The function gets the sheet, the word and the contrast's keys; it returns nothing, or the
    number held against the word, the word, a judgement, a line of text and the numbers used.
    """
    def register(find):
        @check(name)
        def of(sheet: Sheet):
            for claim in claims_of(sheet, kind):
                judged = False
                for keys in sheet.contrasts:
                    about = keys[0] == claim["analysis"] and all(
                        claim[column] == "*" or key in claim[column].split(";")
                        for column, key in (("variable", keys[1]), ("time", keys[3])))
                    if about and (found := perhaps(find, sheet, claim["word"], keys)):
                        p, word, *rest = found
                        judged = True
                        yield worded(p, claim, word), *rest
                if not judged:
                    alone = Printed(claim["word"], claim["at"], claim["analysis"],
                                    claim["variable"], "difference", claim["time"], "", "",
                                    claim["source"], claim["quote"])
                    yield alone, unsure("no number printed decides it"), claim["quote"]

        return find

    return register


@said("size", "word for d")
def size(sheet: Sheet, word: str, keys: tuple):
    """The word for a d, by the cut-offs that the paper declares."""
    d = need(sheet.get(*keys, "d"))
    cuts = CUTS | {p.statistic: p.value for p in sheet.where(method="declared", variable="d")}
    ranges = {"small": (cuts["small"], cuts["medium"]),
              "moderate": (cuts["medium"], cuts["large"]), "large": (cuts["large"], 99.0)}
    low, high = ranges[word.split(" to ")[0]][0], ranges[word.split(" to ")[-1]][1]
    at, fits = abs(d.value), low <= abs(d.value) < high
    name = next((w for w, (a, b) in ranges.items() if a <= at < b), "below small")
    return (d, word, Judgement("exact" if fits else "other convention",
                               f"{name} by the cut-offs printed", d.values.size()),
            f"|d| = {at:g}, {word} from {low:g}" + (f" to {high:g}" if high < 99 else ""), (d,))


@said("significant", "significance")
def significant(sheet: Sheet, word: str, keys: tuple):
    """A p called significant, or not."""
    p = need(sheet.get(*keys, "p"))
    below = p.value <= LEVEL if p.relation == "<" else p.value < LEVEL and not p.relation
    return (p, word, yes_no(below == (word == "yes"), f"p {p}", p.values),
            f"p {p}, level {LEVEL:g}", (p,))


@said("improved", "direction")
def improved(sheet: Sheet, word: str, keys: tuple):
    """The direction of a contrast, where the trial file says what is better."""
    p, better = need(sheet.get(*keys, "b") or sheet.get(*keys, "d"),
                     sheet.declared(keys[1]).get("better"))
    good = p.value < 0 if better == "lower" else p.value > 0
    return (p, word, yes_no(good == (word == "yes"), f"{better} is better", p.values),
            f"{p.statistic} {p}, {better} is better", (p,))


@said("larger", "larger effect")
def larger(sheet: Sheet, word: str, keys: tuple):
    """A d larger than at another visit."""
    need(keys[3] != word)
    now, then = need(sheet.get(*keys, "d"), sheet.get(*keys[:3], word, "d"))
    a, b = (p.printed.lstrip("-") for p in (now, then))
    fits = now.values.size().high > then.values.size().low
    return (now, f"> {b}", yes_no(fits, f"than at {word}", now.values.size()),
            f"|d| {a} at {keys[3]}, {b} at {word}", (now, then))


def families(sheet: Sheet, analysis: str) -> dict[str, list]:
    """The families of p that a reader could mean, each a list of lists of numbers."""
    ps = [p for keys in sheet.contrasts if (p := sheet.get(*keys, "p"))]
    own = [p for p in ps if p.analysis == analysis]
    found = {"one table": [own], "all tables": [ps]}
    if len(visits := dict.fromkeys(p.time for p in own)) > 1:
        found["one visit"] = [[p for p in own if p.time == visit] for visit in visits]
    return found


def adjusted(numbers: list[Printed]) -> dict[int, Interval]:
    """Benjamini-Hochberg q of numbers (by place), with all p at their low and high ends."""
    ends = np.clip([(p.values.low, p.values.high) for p in numbers], 0, 1).reshape(-1, 2)
    qs = np.transpose([benjamini_hochberg(end) for end in ends.T]).tolist()
    return {p.at: Interval(*q) for p, q in zip(numbers, qs, strict=True)}


@check("fdr")
def fdr(sheet: Sheet):
    """Which significant p survive the correction, in each family."""
    for claim in claims_of(sheet, "fdr"):
        groups = families(sheet, claim["analysis"])
        found = {name: {at: q for group in some for at, q in adjusted(group).items()}
                 for name, some in groups.items()}
        for p in groups["one table"][0]:
            if p.values.low >= LEVEL or p.relation == ">":
                continue
            qs = {name: q[p.at] for name, q in found.items()}
            lost = [name for name, q in qs.items() if q.low >= LEVEL]
            kept = [name for name, q in qs.items() if q.high < LEVEL]
            verdict = ("exact" if len(kept) == len(qs) else "within rounding" if not lost
                       else "other convention" if len(lost) < len(qs) else "impossible")
            name = "every family" if verdict == "exact" else " or ".join(kept)
            yield (worded(p, claim, p.printed),
                   Judgement(verdict, name, min(qs.values(), key=lambda q: q.low)),
                   ", ".join(f"{n}: q {q.low:.4f} to {q.high:.4f}" for n, q in qs.items()), (p,))
