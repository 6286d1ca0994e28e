"""What the consistency table comes to, in words: findings in order of consequence.

Each is built from a kind of check, says what the numbers show and what they do not, and
names harmless explanations first. None says why a number is as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

SMALL = 120  # up to so many people a t distribution is the usual reference
OFF = ("other convention", "impossible")
FITS = ("exact", "within rounding")


@dataclass(frozen=True)
class Finding:
    """A finding: its place, a headline, the text with its computation, and the row numbers
    of the consistency table it rests on."""

    order: int
    title: str
    text: str
    rows: tuple[int, ...]


def findings(consistency: pd.DataFrame, published: pd.DataFrame) -> list[Finding]:
    """The findings of a consistency table, most consequential first.

    Parameters
    ----------
    consistency : DataFrame
        As `mair.published.consistency.consistency` gives it.
    published : DataFrame
        The printed numbers it was made from.

    Returns
    -------
    list of Finding
        Empty where every number follows from the others.
    """
    found = []
    for title, checks, verdicts, convention, say in FINDINGS:
        rows = pick(consistency, checks, verdicts, convention)
        if isinstance(say, str):
            text = say.format_map(Said(rows, consistency)) if len(rows) else ""
        else:
            text, rows = say(rows, consistency, published) if len(rows) else ("", rows)
        found += [(title, text, tuple(rows.index))] if text else []
    said = {row for _, _, rows in found for row in rows}
    rest = pick(consistency, (), ("impossible",))
    rest = rest[~rest.index.isin(said)]
    if len(rest):
        found.append((f"{count(len(rest), 'number')} that no computation here gives", (
            f"{names(rest)}. A typing slip, or people or classes not shown, would do it; which "
            f"of the numbers involved is off cannot be told. For the first: {first(rest)}."),
            tuple(rest.index)))
    return [Finding(k, *parts) for k, parts in enumerate(found, start=1)]


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


def first(rows: pd.DataFrame) -> str:
    """The computation of the first row."""
    return next(iter(rows["computation"]), "")


class Said(dict):
    """What a sentence may say of rows: ``{names}``, ``{first}``, ``{n}`` … of `FINDINGS`."""

    def __init__(self, rows: pd.DataFrame, frame: pd.DataFrame):
        whole = pick(frame, set(rows["check"]))
        super().__init__(
            n=len(rows), total=len(whole), others=len(whole) - len(rows),
            fits=len(pick(whole, (), FITS)), names=names(rows), first=first(rows),
            ends="; ".join(dict.fromkeys(rows["computation"].iloc[[0, -1]])),
            variables=names(rows, printed=False), convention=rows["convention"].iloc[0],
            conventions=" or ".join(dict.fromkeys(rows["convention"])),
            each="; ".join(f"{r.statistic} {r.printed}: {r.computation}"
                           for r in rows.itertuples()))


def mean_changes(rows, frame, published):
    """Two-visit models that are not the difference in mean changes."""
    visits = published[published["time"] != ""].groupby(["analysis", "variable"])["time"].nunique()
    rows = rows[rows["variable"].isin({variable for (_, variable), n in visits.items() if n == 2})]
    text = ("{names}: {first}. With two visits and every pair complete the two are "
            "equal, whatever the covariate at baseline. The model may hold people whom the means "
            "leave out ({convention}); those then carry the gap. The means and B do not describe "
            "the same people; neither is shown to be wrong.")
    return text.format_map(Said(rows, frame)) if len(rows) else "", rows


def other_n(rows, frame, published):
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


def normal(rows, frame, published):
    """p from the normal distribution in a small trial."""
    only = rows[rows["convention"] == "normal"]
    sizes = published[(published["variable"] == "randomised") & (published["arm"] == "overall")]
    n = pd.to_numeric(sizes["printed"], errors="coerce").min()  # nan where none is printed
    if only.empty or not 0 < n <= SMALL:
        return "", only
    return (f"All {len(rows)} p fit z = B/SE and the normal distribution; {len(only)} of them fit "
            f"no t distribution at degrees of freedom one would expect with {n:.0f} people. "
            f"{name(next(only.itertuples()))}, p {only['printed'].iloc[0]}: {first(only)}. "
            "Large-sample tests are the default of several packages, and the table calls them z. "
            "Small-sample p would be larger; by how much depends on the model."), only


def effect_sizes(rows, frame, published):
    """Which conventions the effect sizes obey."""
    everyone = pick(frame, "effect sizes together")
    groups = everyone.groupby("convention", sort=False).size().sort_values(ascending=False)
    by = ", ".join(f"{n} as {convention}" for convention, n in groups.items())
    last = rows[rows["convention"] == rows["convention"].mode()[0]].iloc[-1]
    return (f"Read together, {len(everyone)} d come out at the printed means and SDs as follows: "
            f"{by}. {name(last)}, d {last.printed}: {last.computation}. Tables made in more than "
            "one sitting look so. The differences are at most a few hundredths and change no "
            "conclusion; single d often fit both."), everyone


def counts(rows, frame, published):
    """p that no test of the printed counts gives."""
    finer = int(rows["convention"].str.startswith("finer").sum())
    far = (pd.to_numeric(rows["printed"], errors="coerce") > 0.1).all()
    return (f"{names(rows)}. No usual test of the printed counts gives them ({first(rows)}). Tests "
            f"on finer classes, merged for print, would for {finer} of {len(rows)}: at least one "
            "such split exists, which is possible rather than shown."
            + (" None is near 0.05." if far else "")), rows


def nnt(rows, frame, published):
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


def percent(rows, frame, published):
    """Percentages that are not those of their counts."""
    wrong, cut = pick(rows, (), OFF), pick(rows, ("percent", "percent of n"), FITS, "^truncated$")
    said = [f"{names(part)}{end} ({first(part)})" for part, end in (
        (wrong, " are not the percentages of their counts"), (cut, " is cut off, not rounded"))
        if len(part)]
    return (f"{'; '.join(said)}. Typing, or fitting a column to a total of 100, gives such "
            "differences; the counts are not in doubt.") if said else "", pd.concat([wrong, cut])


# headline; checks, verdicts and conventions (a pattern) of the rows; a sentence over `Said`, or a
# function of these, all rows and the printed numbers that gives the text and the rows it rests on
FINDINGS = [
    ("A model's B is not the difference in the mean changes printed beside it",
     "mean changes", ("not checkable", "impossible"), "", mean_changes),
    ("Some means belong to fewer people than printed", "grim", OFF[:1], "", other_n),
    ("p values come from the normal distribution", "p value", FITS, "", normal),
    ("Not every effect grew as the text says", "larger effect", OFF[1:], "",
     "The text has larger effects at the later visit; d says so for {others} of {total}: not "
     "{variables} ({first}). The sentence may have meant most outcomes."),
    ("What survives Benjamini-Hochberg depends on the family", "fdr", (*FITS[1:], *OFF), "",
     "{others} of {total} significant p survive in every family that a reader could mean; for "
     "{names} that is sure only within {convention} ({first}). Families of one table or one visit "
     "are usual, and there the statement holds."),
    ("One column of effect sizes follows more than one formula", "effect sizes together", OFF[:1],
     "", effect_sizes),
    ("Words that the paper's own cut-offs do not give", ("word for d", "significance", "direction"),
     OFF, "", "{names}: {first}. Close to a cut-off a word is a matter of taste; the numbers "
     "themselves stand."),
    ("A p is printed where everybody is alike", "count test", OFF[1:], "constant",
     "{names}: {first}. A p left from another line or an earlier version of the table would "
     "explain it; printed as they are, counts and p cannot both hold."),
    ("Some p are not tests of the counts shown", "count test", OFF, "^(?!constant$)", counts),
    ("The t tests are not all of one kind", "t test", OFF[:1], "",
     "{names} come only from {conventions} ({first}); the other {fits} fit the test that is "
     "named. Packages print both rows and a test of equal variances says which to read: that "
     "would do it."),
    ("Numbers needed to treat: units and denominators", ("nnt unit", "randomised denominators"),
     (), "", nnt),
    ("The planned sample size in its own arithmetic",
     ("planned d", "planned difference", "planned n", "planned dropout"), OFF, "",
     "{each}. A rounded or earlier SD explains a small gap. Multiplying by 1 + dropout instead of "
     "dividing by 1 - dropout leaves slightly fewer than planned."),
    ("A scale has two ranges", ("range stated twice", "scale"), OFF[1:], "",
     "{names}: {ends}. Two versions of a questionnaire exist in many fields; which was used "
     "decides what a score means, not how the arms compare."),
    ("Percentages off in the last digit", ("percent", "percent of n", "percent sum"),
     (*FITS[1:], *OFF), "", percent),
    ("Numbers that look rounded twice", (), FITS[1:], "^rounded twice$",
     "{names} ({first}). Copied from output that was already rounded, a number just under a half "
     "goes up again; nothing follows from it."),
]
