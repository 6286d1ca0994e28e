"""What the consistency table comes to, in words: findings in order of consequence.

Each is built from a kind of check, says what the numbers show and what they do not, and
names harmless explanations first. None says why a number is as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
        rows = pick(consistency, kind.get("checks", ()), kind.get("verdicts", ()),
                    kind.get("convention", ""))
        if rows.empty:
            continue
        text = kind.get("text", "").format_map(Said(rows, consistency))
        if "function" in kind:
            text, rows = FUNCTIONS[kind["function"]](rows, consistency, sheet)
        if text:
            found.append((kind["headline"].format_map(Said(rows, consistency)), text,
                          tuple(rows.index)))
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
    """What a sentence may say of rows: ``{names}``, ``{first}``, ``{n}`` … of `FINDINGS`."""

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


def mean_changes(rows, frame, sheet):
    """B that the printed means do not give, and what its significance would be if they did."""
    lost = rows["computation"].str.extract("q = ([0-9.]+)")[0].astype(float) >= LEVEL
    after = (" At the means' own B it would not survive the correction for multiple testing."
             if lost.all() else "")
    text = ("{firsts}.{after} With two visits and every pair complete the two are equal, whatever "
            "the covariate at baseline. A table of fewer people than the model held would explain "
            "it: the text may speak of all participants where the table describes fewer. Which of "
            "the two stands cannot be told from print.")
    return text.format_map(Said(rows, frame) | {"after": after}), rows


def lost(rows, frame, sheet):
    """The baseline of those of the primary outcome who are not described."""
    outcomes = sheet.sections.get("outcomes") or {}
    primary = next((v.replace("_", " ") for v, own in outcomes.items() if own.get("primary")), "")
    rows = rows[(rows["variable"] == primary) & (rows["statistic"] == "mean")]
    far = [abs((r.computed_low + r.computed_high) / 2 - float(r.printed)) > SHIFT
           * sheet.moments("baseline", r.variable, r.arm)[2].value for r in rows.itertuples()]
    text = any(far) and "; ".join(
        f"{r.arm} {(r.computed_low + r.computed_high) / 2:.2f} against {r.printed} of those "
        f"described ({r.computation})" for r in rows.itertuples())
    return text and (
        f"Mean {primary} at baseline of those lost: {text}. Everybody's mean and that of those "
        "described leave no other. Chance does so with few people, and those worst off leave "
        "trials more often; an analysis that takes losses to be random given what was seen would "
        "then still hold, the means of those described would not speak for all."), rows


def other_n(rows, frame, sheet):
    """Means that need fewer people, and what else says so."""
    own = frame[frame["variable"].isin(rows["variable"])]
    sizes = pick(own, ("effect size", "effect sizes together"), ("other convention",), "n=")
    ratio = pick(own, "se ratio", ("other convention",))
    also, of = "", len(set(sizes["variable"] + sizes["time"]))
    if of:
        also += f" Effect sizes of the same scores ({of}) come out at that n, not at the printed."
    if len(ratio):
        also += (f" The ratio of their standard errors fits {ratio['convention'].iloc[0]} "
                 f"({first(ratio)}).")
    return (f"{names(rows)} cannot be means of whole scores at the printed n; they can at "
            f"{', '.join(dict.fromkeys(rows['convention']))} ({first(rows)}).{also} Missing "
            "answers that the column's n does not show would explain it; the numbers do not say "
            "whose, nor that any mean is wrong.", pd.concat([rows, sizes, ratio]))


def normal(rows, frame, sheet):
    """p from the normal distribution in a small trial, and software that prints t."""
    only, named = rows[rows["convention"] == "normal"], pick(frame, "software")
    n = getattr(sheet.randomised("overall"), "value", 0)
    if only.empty or not 0 < n <= SMALL:
        return "", only
    return (f"All {len(rows)} p fit z = B/SE and the normal distribution; {len(only)} of them fit "
            f"no t distribution at degrees of freedom one would expect with {n:.0f} people. "
            f"{name(next(only.itertuples()))}, p {only['printed'].iloc[0]}: {first(only)}. "
            "Large-sample tests are the default of several packages, and the table calls them z. "
            + "".join(f"{said}; another program, or a step by hand, would explain that. "
                      for said in named["computation"])
            + "Small-sample p would be larger; by how much depends on the model."), (
                pd.concat([only, named]))


def plain(text: str) -> str:
    """The conventions of an effect size in words."""
    for key, words in ((", n of all randomised", ", its SD pooled by the n randomised"),
                       ("d_ppc2-uncorrected", "without the small-sample factor"),
                       ("d_ppc2", "with it")):
        text = text.replace(key, words)
    return text


def effect_sizes(rows, frame, sheet):
    """Which conventions the effect sizes obey."""
    everyone = pick(frame, "effect sizes together")
    groups = everyone.groupby("convention", sort=False).size().sort_values(ascending=False)
    by = ", ".join(f"{n} {plain(convention)}" for convention, n in groups.items())
    last = rows[rows["convention"] == rows["convention"].mode()[0]].iloc[-1]
    whole = pick(frame, "whole scores")
    also = (f" {names(whole)}: {whole['computation'].iloc[-1]}; so they come from the table, not "
            "from the scores." if len(whole) else "")
    return (f"Read together, {len(everyone)} d of one table come out at the printed means and SDs "
            f"as follows: {by}. {name(last)}, d {last.printed}: {plain(last.computation)}. Tables "
            f"made in more than one sitting look so.{also} The differences are at most a few "
            "hundredths and change no conclusion; single d often fit both."), (
                pd.concat([everyone, whole]))


def counts(rows, frame, sheet):
    """p that no test of the printed counts gives."""
    finer = rows[rows["convention"].str.startswith("finer")]
    far = (pd.to_numeric(rows["printed"], errors="coerce") > 0.1).all()
    rest = rows.drop(finer.index)
    said = f"{names(rest)}: {'; '.join(rest['computation'])}. " if len(rest) else ""
    if len(finer):
        said += (f"{names(finer)}: only tests on finer classes, merged for print, give "
                 f"{'it' if len(finer) == 1 else 'them'} ({'; '.join(finer['computation'])}), "
                 "which shows little. ")
    return (f"No usual test of the printed counts gives these p. {said}A p left from another line "
            "or an earlier version of the table, or counts of classes that are not printed, would "
            "explain it." + (" None is near 0.05." if far else "")), rows


def nnt(rows, frame, sheet):
    """Percent signs on people, and the randomised as denominators."""
    units, randomised = pick(rows, "nnt unit"), pick(rows, "randomised denominators")
    randomised = randomised.drop_duplicates(["variable", "time"])
    said = []
    if len(units):
        said.append(f"{count(len(units), 'limit')} of NNT carry a percent sign, though they count "
                    "people, as a slip of print would have it")
    if len(randomised):
        said.append("over all randomised, those not seen counted as not responding, "
                    + "; ".join(f"{r.variable}: {r.computation} (printed {r.printed})"
                                for r in randomised.itertuples()))
    return (f"{'. '.join(s[0].upper() + s[1:] for s in said)}. The printed ones are right for the "
            "completers they name."), pd.concat([units, randomised])


def percent(rows, frame, sheet):
    """Percentages that are not those of their counts."""
    wrong, cut = pick(rows, (), OFF), pick(rows, ("percent", "percent of n"), FITS, "^truncated$")
    said = [f"{names(part)}{end} ({first(part)})" for part, end in (
        (wrong, " are not the percentages of their counts"), (cut, " is cut off, not rounded"))
        if len(part)]
    return (f"{'; '.join(said)}. Typing gives such differences" + _total(wrong, frame) + "; the "
            "counts are not in doubt.") if said else "", pd.concat([wrong, cut])


def _total(wrong, frame) -> str:
    """Whether fitting a column of classes to 100 can be the reason, or nothing to say."""
    share = "([0-9.]+) %$"
    for variable, arm in wrong[["variable", "arm"]].itertuples(index=False):
        name = variable.partition(": ")[0]
        own = frame[(frame["check"] == "percent") & (frame["arm"] == arm)
                    & frame["variable"].str.startswith(f"{name}: ")]
        right = own["computation"].str.extract(share)[0].astype(float).round(1)
        if len(right) > 1:
            said = f"{' + '.join(map(str, right))} = {right.sum():.1f}"
            return (f"; so would fitting a column to a total of 100, for the right ones make {said}"
                    if round(right.sum(), 1) != 100 else
                    f", not fitting to a total of 100: the right ones make it ({said})")
    return ""


FUNCTIONS = {f.__name__: f for f in (mean_changes, lost, other_n, normal, effect_sizes, counts,
                                      nnt, percent)}
