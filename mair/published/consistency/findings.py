"""What the consistency table comes to, in words: findings in order of consequence.

Each is a row of ``mair/data/findings.yaml``: it is built from a kind of check, says what the
numbers show and what they do not, and names harmless explanations first. None says why a number
is as it is.
"""

from dataclasses import dataclass
from functools import partial

import jinja2
import pandas as pd

from mair.published.consistency.claims import LEVEL
from mair.published.consistency.engine import SIGN
from mair.published.consistency.sheet import Sheet
from mair.results import KEYS
from mair.trial.errors import declared

SHIFT = 0.5  # SDs by which those lost differ that are worth a word
COLUMNS = {"checks": "check", "verdicts": "verdict", "statistics": "statistic"}


@dataclass(frozen=True)
class Finding:
    """A finding.

    Attributes
    ----------
    consequence : int
        Its rank, 1 the most consequential.
    headline, text : str
        A sentence, and what it rests on, with one computation and what would explain it.
    rows : tuple of int
        Row numbers of the consistency table that it rests on.
    keys : tuple of tuple of str
        The keys (`mair.results.KEYS`) of the printed numbers judged in those rows.
    """

    consequence: int
    headline: str
    text: str
    rows: tuple[int, ...]
    keys: tuple[tuple[str, ...], ...]


def findings(consistency: pd.DataFrame, published: pd.DataFrame, sections=None) -> list[Finding]:
    """The findings of a consistency table, most consequential first.

    Parameters
    ----------
    consistency : DataFrame
        As `mair.published.consistency.consistency` gives it.
    published : DataFrame
        The printed numbers it was made from.
    sections : dict, optional
        The trial file it was made with.

    Returns
    -------
    list of Finding
        Empty where every number follows from the others.
    """
    found, sheet, told = [], Sheet(published, sections), set()
    frame = consistency.assign(variable=consistency["variable"].str.replace("_", " "),
                               time=consistency["time"].replace(
                                   sheet.sections.get("visit_labels") or {}))
    people = getattr(sheet.randomised("overall"), "value", 0)
    words = jinja2.Environment(undefined=jinja2.StrictUndefined)
    words.filters["in_words"] = in_words
    words.globals |= {"right": partial(right, frame), "people": f"{people:g}"}
    keys = list(published[KEYS].itertuples(index=False, name=None))
    kinds = declared("findings")
    for kind, rows in ((of, rows) for of in kinds for rows in parts(of, frame, sheet, told)):
        more = {name: pick(frame[frame["variable"].isin(rows["variable"])] if "same" in of
                           else frame, of) for name, of in kind.get("also", {}).items()}
        every = sorted({row for one in (rows, *more.values()) for row in one.index})
        if every and (len(rows) or "checks" not in kind) and (
                0 < people <= kind.get("people", 0) or "people" not in kind):
            say = said(rows, frame) | {name: said(own, frame) for name, own in more.items()}
            headline, text = (" ".join(words.from_string(kind[part]).render(say).split())
                              for part in ("headline", "text"))
            judged = frame.loc[every, "rows"].str.extract(r"(?:^| )(\d+)")[0].dropna().astype(int)
            found.append(Finding(len(found) + 1, headline, text, tuple(every),
                                 tuple(dict.fromkeys(keys[place] for place in judged))))
            told.update(every)
    return found


def parts(kind: dict, frame: pd.DataFrame, sheet: Sheet, told: set) -> list[pd.DataFrame]:
    """The rows that a kind of finding rests on: all together, or of each variable."""
    rows = pick(frame, kind) if set(kind) & {*COLUMNS, "convention"} else frame[:0]
    if "rest" in kind:
        rows = rows[~rows.index.isin(told)]
    if "lost" in kind:
        rows = lost(rows, sheet)
    return [own for _, own in rows.groupby("variable", sort=False)] if "each" in kind else [rows]


def pick(frame: pd.DataFrame, of: dict) -> pd.DataFrame:
    """Rows of some checks, verdicts and statistics (none named: all) with a convention matching
    so."""
    own = frame["convention"].str.contains(of.get("convention", ""))
    for key in COLUMNS.keys() & of:
        own &= frame[COLUMNS[key]].isin(of[key])
    return frame[own]


def name(row) -> str:
    """What a row is of."""
    arm = "" if row.arm in ("difference", "overall") else row.arm
    return " ".join(filter(None, (row.variable, arm, row.time)))


def listed(named) -> str:
    """Up to six different names."""
    found = list(dict.fromkeys(named))
    return ", ".join(found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")


def said(rows: pd.DataFrame, frame: pd.DataFrame) -> dict:
    """What a sentence may say of rows: ``{{ names }}``, ``{{ first }}``, ``{{ n }}`` …"""
    each, whole = list(rows.itertuples()), frame[frame["check"].isin(rows["check"])]
    whose, why = list(dict.fromkeys(rows["variable"])), rows["computation"].tolist()
    q = rows["computation"].str.extract(r"q = ([0-9.]+)")[0]
    most = next(iter(rows["convention"].mode()), "")
    one = [f"{name(r)}, {r.statistic} {r.printed}: {r.computation}" for r in each]
    return {
        "rows": rows, "n": len(rows), "total": len(whole), "others": len(whole) - len(rows),
        "whose": " and ".join(filter(None, (", ".join(whose[:-1]), *whose[-1:]))),
        "fits": int(whole["verdict"].isin(["exact", "within rounding"]).sum()),
        "names": listed(f"{name(r)} {r.statistic} {r.printed}" for r in each),
        "variables": listed(map(name, each)), "visits": len(set(rows["variable"] + rows["time"])),
        "why": why, "first": "".join(why[:1]), "one": one,
        "convention": "".join(rows["convention"][:1]),
        "conventions": " or ".join(dict.fromkeys(rows["convention"])),
        "firsts": "; ".join(dict.fromkeys(f"{name(r)}: {r.computation}" for r in each)),
        "each": "; ".join(f"{r.statistic} {r.printed}: {r.computation}" for r in each),
        "by": rows["convention"].value_counts().to_dict(),
        "turned": listed(f"{r.statistic} {r.printed}" for r in each if r.convention == SIGN),
        "last": "".join([text for text, r in zip(one, each, strict=True)
                         if r.convention == most][-1:]),
        "q": " and ".join(q[q.astype(float) >= LEVEL])}


def in_words(text: str) -> str:
    """The conventions of an effect size in words."""
    for key, words in ((", n of all randomised", ", its SD pooled by the n randomised"),
                       ("d_ppc2-uncorrected", "without the small-sample factor"),
                       ("d_ppc2", "with it")):
        text = text.replace(key, words)
    return text


def lost(rows: pd.DataFrame, sheet: Sheet) -> pd.DataFrame:
    """Rows of the primary outcome, where those not described differ from those who are."""
    outcomes = sheet.sections.get("outcomes") or {}
    primary = next((v.replace("_", " ") for v, own in outcomes.items() if own.get("primary")), "")
    rows = rows[rows["variable"] == primary]
    gap = (rows["computed_low"] + rows["computed_high"]) / 2 - rows["printed"].astype(float)
    sds = [sheet.moments("baseline", r.variable, r.arm)[2].value for r in rows.itertuples()]
    return rows if (gap.abs() > SHIFT * pd.Series(sds, rows.index, float)).any() else rows[:0]


def right(frame: pd.DataFrame, wrong: pd.DataFrame) -> dict[str, str]:
    """The right percentages of the columns that wrong ones stand in, and their ``total``; where
    that is 100, as what they ``made``."""
    words = {"total": "", "made": ""}
    for variable, arm in wrong[["variable", "arm"]].itertuples(index=False):
        stem = variable.partition(": ")[0] + ": "
        own = frame[(frame["check"] == "percent") & (frame["arm"] == arm)
                    & frame["variable"].str.startswith(stem)]
        shares = own["computation"].str.extract("([0-9.]+) %$")[0].astype(float).round(1)
        if len(shares):
            text = f"{' + '.join(map(str, shares))} = {shares.sum():.1f}"
            words["made" if round(shares.sum(), 1) == 100 else "total"] = text
    return words
