"""Words against numbers: sizes, significance, comparisons, and what a correction keeps.

Words come as data (`COLUMNS`), because no number of a table says what the text made of it:
``claim`` is ``size``, ``significant``, ``improved``, ``larger`` or ``fdr``; ``variable`` and
``time`` are lists separated by ``;``, ``*`` stands for all that have a contrast; ``word`` is
what was said: small, moderate, large, moderate to large; yes or no; a visit to compare with;
maintained.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from mair.published.consistency.sheet import Judgement, Ledger, Sheet, yes_no
from mair.published.intervals import Interval, spread
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


def run(sheet: Sheet, out: Ledger, claims: pd.DataFrame | None) -> None:
    """Every claim, in order; without claims, nothing."""
    if claims is None:
        return
    contrasts = sheet.contrasts()
    for claim in claims.to_dict("records"):
        if claim["claim"] == "fdr":
            _fdr(sheet, out, claim)
            continue
        for analysis, variable, time in contrasts:
            if analysis == claim["analysis"] and _named(variable, claim["variable"]) and (
                    _named(time, claim["time"])):
                CHECKS[claim["claim"]](sheet, out, claim, (analysis, variable, "difference", time))


def _named(value: str, listed: str) -> bool:
    return listed == "*" or value in listed.split(";")


def cut_offs(sheet: Sheet) -> dict[str, float]:
    """Cut-offs of d as the paper declares them."""
    found = {p.statistic: p.value for p in sheet.prints
             if p.method == "declared" and p.variable == "d" and p.statistic in CUTS}
    return CUTS | found


def _size(sheet, out, claim, keys) -> None:
    d = sheet.get(*keys, "d")
    if d is None:
        return
    cuts = cut_offs(sheet)
    ranges = {"small": (cuts["small"], cuts["medium"]),
              "moderate": (cuts["medium"], cuts["large"]), "large": (cuts["large"], 99.0)}
    words = claim["word"].split(" to ")
    low, high = ranges[words[0]][0], ranges[words[-1]][1]
    size = d.values.size()
    fits = low <= abs(d.value) < high
    name = next((w for w, (a, b) in ranges.items() if a <= abs(d.value) < b), "below small")
    verdict = Judgement("exact" if fits else "other convention",
                        f"{name} by the cut-offs printed", size)
    out.add("word for d", replace(d, text=claim["word"], source=claim["source"]), verdict,
            f"|d| = {abs(d.value):g}, {claim['word']} from {low:g}"
            + (f" to {high:g}" if high < 99 else ""), (d,))


def _significant(sheet, out, claim, keys) -> None:
    p = sheet.get(*keys, "p")
    if p is not None:
        below = p.value <= LEVEL if p.text[0] == "<" else p.value < LEVEL and p.text[0] != ">"
        out.add("significance", replace(p, text=claim["word"], source=claim["source"]),
                yes_no(below == (claim["word"] == "yes"), f"p {p.text}", p.values),
                f"p {p.text}, level {LEVEL:g}", (p,))


def _improved(sheet, out, claim, keys) -> None:
    p = sheet.get(*keys, "b") or sheet.get(*keys, "d")
    better = sheet.better(keys[1])
    if p is None or not better:
        return
    good = p.value < 0 if better == "lower" else p.value > 0
    out.add("direction", replace(p, text=claim["word"], source=claim["source"]),
            yes_no(good == (claim["word"] == "yes"), f"{better} is better", p.values),
            f"{p.statistic} {p.text}, {better} is better", (p,))


def _larger(sheet, out, claim, keys) -> None:
    now = sheet.get(*keys, "d")
    then = sheet.get(*keys[:3], claim["word"], "d")
    if now is None or then is None or keys[3] == claim["word"]:
        return
    a, b = now.values.size(), then.values.size()
    verdict = yes_no(a.high > b.low, f"than at {claim['word']}", a)
    out.add("larger effect", replace(now, text=f"> {then.text.lstrip('-')}",
                                     source=claim["source"]), verdict,
            f"|d| {now.text.lstrip('-')} at {keys[3]}, {then.text.lstrip('-')} at "
            f"{claim['word']}", (now, then))


CHECKS = {"size": _size, "significant": _significant, "improved": _improved, "larger": _larger}


def families(sheet: Sheet, analysis: str) -> dict[str, list]:
    """The families of p that a reader could mean, each a list of lists of prints."""
    ps = {key: p for key in sheet.contrasts()
          if (p := sheet.get(key[0], key[1], "difference", key[2], "p"))}
    own = {key: p for key, p in ps.items() if key[0] == analysis}
    visits = dict.fromkeys(key[2] for key in own)
    found = {
        "one table": [list(own.values())],
        "all tables": [list(ps.values())],
    }
    if len(visits) > 1:
        found["one visit"] = [[p for key, p in own.items() if key[2] == v] for v in visits]
    return found


def adjusted(prints) -> dict[int, Interval]:
    """Benjamini-Hochberg q of prints (by place), with all p at their low and high ends."""
    ends = [[min(1.0, max(0.0, getattr(spread(p.text), side))) for p in prints]
            for side in ("low", "high")]
    low, high = (benjamini_hochberg([0.0 if v == float("-inf") else v for v in e]) for e in ends)
    return {p.at: Interval(float(a), float(b)) for p, a, b in zip(prints, low, high, strict=True)}


def _fdr(sheet: Sheet, out: Ledger, claim) -> None:
    """Which significant p survive the correction, in each family."""
    qs: dict[int, dict[str, Interval]] = {}
    prints = {}
    for name, groups in families(sheet, claim["analysis"]).items():
        for group in groups:
            for at, q in adjusted(group).items():
                qs.setdefault(at, {})[name] = q
            prints |= {p.at: p for p in group if p.analysis == claim["analysis"]}
    for at, p in prints.items():
        if p.values.low >= LEVEL or p.text[0] == ">":
            continue
        lost = [name for name, q in qs[at].items() if q.low >= LEVEL]
        near = [name for name, q in qs[at].items() if q.low < LEVEL <= q.high]
        kept = [name for name in qs[at] if name not in lost + near]
        verdict = ("exact" if not lost + near else "within rounding" if not lost
                   else "other convention" if kept + near else "impossible")
        name = " or ".join(kept) if lost + near else "every family"
        text = ", ".join(f"{n}: q {q.low:.4f} to {q.high:.4f}" for n, q in qs[at].items())
        out.add("fdr", replace(p, source=claim["source"]),
                Judgement(verdict, name, min(qs[at].values(), key=lambda q: q.low)), text, (p,))
