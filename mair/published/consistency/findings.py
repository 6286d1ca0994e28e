"""What the consistency table comes to, in words: findings in order of consequence.

Each is built from a kind of check, says what the numbers show and what they do not, and
names harmless explanations first. None says why a number is as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Formatter

import pandas as pd
import yaml

from mair.published.consistency.claims import LEVEL
from mair.published.consistency.sheet import Sheet
from mair.results import KEYS

SHIFT = 0.5  # SDs by which those lost differ that are worth a word
SMALL = 120  # up to so many people a t distribution is the usual reference
OFF = ("other convention", "impossible")
TABLE = Path(__file__).resolve().parents[2] / "data" / "findings.yaml"
FITS = ("exact", "within rounding")


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
    found, sheet = [], Sheet(published, sections)
    words = sheet.sections.get("visit_labels") or {}
    consistency = consistency.assign(variable=consistency["variable"].str.replace("_", " "),
                                     time=consistency["time"].replace(words))
    for kind in yaml.safe_load(TABLE.read_text(encoding="utf-8")):
        rows = pick(consistency, *(kind.get(key, ()) for key in ("checks", "verdicts")),
                    kind.get("convention", ""))
        if len(rows):
            words, rows = FUNCTIONS[kind.get("function", "plainly")](rows, consistency, sheet)
        if len(rows):
            words = Said(rows, consistency) | words
            text = " ".join(part.format_map(words) for part in kind["text"] if all(
                words[field] != "" for _, field, *_ in Formatter().parse(part) if field))
            found.append((kind["headline"].format_map(words), text, tuple(rows.index)))
    said = {row for _, _, rows in found for row in rows}
    rest = pick(consistency, (), ("impossible",))
    rest = rest[~rest.index.isin(said)]
    if len(rest):
        found.append((f"{count(len(rest), 'number')} that no computation here gives", (
            f"{names(rest)}. A typing slip, or people or classes not shown, would do it; which "
            f"of the numbers involved is off cannot be told. For the first: {first(rest)}."),
            tuple(rest.index)))
    keys = list(published[KEYS].itertuples(index=False, name=None))
    places = [[int(place) for place in rows.split()] for rows in consistency["rows"]]
    judged = [next((p for p in own if p >= 0), None) for own in places]
    return [Finding(k, headline, text, rows, tuple(dict.fromkeys(
        keys[judged[row]] for row in rows if judged[row] is not None)))
        for k, (headline, text, rows) in enumerate(found, start=1)]


def pick(frame, checks, verdicts=(), convention="") -> pd.DataFrame:
    """Rows of some checks and verdicts (none named: all) with a convention matching so."""
    own = frame["convention"].str.contains(convention)
    for column, wanted in (("check", checks), ("verdict", verdicts)):
        if len(wanted):
            own &= frame[column].isin([wanted] if isinstance(wanted, str) else wanted)
    return frame[own]


def count(n: int, noun: str) -> str:
    """A number and its noun."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def name(row) -> str:
    """What a row is of."""
    arm = "" if row.arm in ("difference", "overall") else row.arm
    return " ".join(filter(None, (row.variable, arm, row.time)))


def names(rows: pd.DataFrame, printed: bool = True) -> str:
    """Up to six rows by name, the printed number with each."""
    found = list(dict.fromkeys(
        name(r) + (f" {r.statistic} {r.printed}" if printed else "") for r in rows.itertuples()))
    return ", ".join(found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")


def both(variables: list) -> str:
    """Names joined for a headline."""
    return " and ".join(filter(None, (", ".join(variables[:-1]), *variables[-1:])))


def first(rows: pd.DataFrame) -> str:
    """The computation of the first row."""
    return next(iter(rows["computation"]), "")


class Said(dict):
    """What a sentence may say of rows: ``{names}``, ``{first}``, ``{n}`` … of ``findings.yaml``."""

    def __init__(self, rows: pd.DataFrame, frame: pd.DataFrame):
        whole = pick(frame, set(rows["check"]))
        super().__init__(
            n=len(rows), total=len(whole), others=len(whole) - len(rows),
            whose=both(list(dict.fromkeys(rows["variable"]))),
            fits=len(pick(whole, (), FITS)), names=names(rows), first=first(rows),
            ends="; ".join(dict.fromkeys(rows["computation"].iloc[[0, -1]])),
            variables=names(rows, printed=False), convention=rows["convention"].iloc[0],
            conventions=" or ".join(dict.fromkeys(rows["convention"])),
            firsts="; ".join(f"{name(r)}: {r.computation}" for r in rows.itertuples()),
            each="; ".join(f"{r.statistic} {r.printed}: {r.computation}"
                           for r in rows.itertuples()))


def plainly(rows, frame, sheet):
    """Only what `Said` has."""
    return {}, rows


def mean_changes(rows, frame, sheet):
    """What the significance of B would be at the printed means, where that differs."""
    q = rows["computation"].str.extract("q = ([0-9.]+)")[0]
    lost = " and ".join(q[q.astype(float) >= LEVEL])
    return {"q": lost, "after": lost and ", and whether it is significant depends on which holds"
            }, rows


def lost(rows, frame, sheet):
    """The baseline of those of the primary outcome who are not described."""
    outcomes = sheet.sections.get("outcomes") or {}
    primary = next((v.replace("_", " ") for v, own in outcomes.items() if own.get("primary")), "")
    rows = rows[(rows["variable"] == primary) & (rows["statistic"] == "mean")]
    rows = rows.assign(mean=(rows["computed_low"] + rows["computed_high"]) / 2)
    far = [abs(r.mean - float(r.printed)) > SHIFT * sheet.moments(
        "baseline", r.variable, r.arm)[2].value for r in rows.itertuples()]
    return {"gaps": "; ".join(
        f"{r.arm} {r.mean:.2f} against {r.printed} of those described ({r.computation})"
        for r in rows.itertuples())}, rows if any(far) else rows[:0]


def other_n(rows, frame, sheet):
    """Means that need fewer people, and what else says so."""
    own = frame[frame["variable"].isin(rows["variable"])]
    sizes = pick(own, ("effect size", "effect sizes together"), ("other convention",), "n=")
    ratio = pick(own, "se ratio", ("other convention",))
    return {"of": len(set(sizes["variable"] + sizes["time"])) or "", "ratio_why": first(ratio),
            "ratio": next(iter(ratio["convention"]), ""), "means": names(rows),
            "why": first(rows)}, pd.concat([rows, sizes, ratio])


def normal(rows, frame, sheet):
    """p from the normal distribution in a small trial, and software that prints t."""
    only, named = rows[rows["convention"] == "normal"], pick(frame, "software")
    people = getattr(sheet.randomised("overall"), "value", 0)
    small = only if 0 < people <= SMALL else only[:0]
    return {"all": len(rows), "only": len(only), "people": f"{people:g}", "software": first(named),
            "example": next((f"{name(r)}, p {r.printed}: {r.computation}"
                             for r in only.itertuples()), "")}, (
        pd.concat([small, named]) if len(small) else small)


def in_words(text: str) -> str:
    """The conventions of an effect size in words."""
    for key, words in ((", n of all randomised", ", its SD pooled by the n randomised"),
                       ("d_ppc2-uncorrected", "without the small-sample factor"),
                       ("d_ppc2", "with it")):
        text = text.replace(key, words)
    return text


def effect_sizes(rows, frame, sheet):
    """Which conventions the effect sizes obey."""
    everyone, whole = pick(frame, "effect sizes together"), pick(frame, "whole scores")
    groups = everyone["convention"].value_counts()
    last = rows[rows["convention"] == rows["convention"].mode()[0]].iloc[-1]
    return {"everyone": len(everyone), "whole": names(whole), "whole_why": first(whole[-1:]),
            "by": ", ".join(f"{n} {in_words(convention)}" for convention, n in groups.items()),
            "last": f"{name(last)}, d {last.printed}: {in_words(last.computation)}"}, (
        pd.concat([everyone, whole]))


def percent(rows, frame, sheet):
    """Percentages that are not those of their counts."""
    wrong, cut = pick(rows, (), OFF), pick(rows, ("percent", "percent of n"), FITS, "^truncated$")
    words = {"wrong": names(wrong), "wrong_why": first(wrong), "cut": names(cut),
             "cut_why": first(cut), "total": "", "made": ""}
    for variable, arm in wrong[["variable", "arm"]].itertuples(index=False):
        own = pick(frame[frame["variable"].str.startswith(variable.partition(": ")[0] + ": ")
                         & (frame["arm"] == arm)], "percent")
        right = own["computation"].str.extract("([0-9.]+) %$")[0].astype(float).round(1)
        if len(right):
            said = f"{' + '.join(map(str, right))} = {right.sum():.1f}"
            words["made" if round(right.sum(), 1) == 100 else "total"] = said
    return words, pd.concat([wrong, cut])


FUNCTIONS = {f.__name__: f for f in (plainly, mean_changes, lost, other_n, normal, effect_sizes,
                                      percent)}
