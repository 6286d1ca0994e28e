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
BUILDERS: list[tuple] = []


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
    for title, build, selection in BUILDERS:
        rows = pick(consistency, *selection)
        text, *more = build(rows, consistency, published) if len(rows) else (None,)
        if text:
            found.append((title, text, tuple(more[0] if more else rows.index)))
    said = {row for _, _, rows in found for row in rows}
    rest = consistency[(consistency["verdict"] == "impossible")
                       & ~consistency.index.isin(said)]
    if len(rest):
        found.append((
            f"{count(len(rest), 'number')} that no computation here gives",
            f"{names(rest)}. A typing slip, or people or classes not shown, would do it; which "
            f"of the numbers involved is off cannot be told. For the first: {first(rest)}.",
            tuple(rest.index)))
    return [Finding(k, *parts) for k, parts in enumerate(found, start=1)]


def finding(title: str, checks, verdicts=OFF, convention: str = ""):
    """Register a finding on the rows of some checks and verdicts, whose convention matches.

    The function gets these rows (there are some), all rows and the printed numbers; it returns
    a tuple: the text, or None where there is nothing to say, and perhaps the places of the
    rows it rests on.
    """
    def register(build):
        BUILDERS.append((title, build, (checks, verdicts, convention)))
        return build

    return register


def pick(frame, checks, verdicts=(), convention="") -> pd.DataFrame:
    """Rows of some checks and verdicts (none named: all) with a convention matching so."""
    own = frame["convention"].str.contains(convention)
    if len(checks):
        own &= frame["check"].isin([checks] if isinstance(checks, str) else checks)
    if verdicts:
        own &= frame["verdict"].isin(verdicts)
    return frame[own]


def count(n: int, noun: str) -> str:
    """A number and its noun."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def name(row) -> str:
    """What a row is of."""
    arm = "" if row.arm in ("difference", "overall") else row.arm
    return " ".join(filter(None, (row.variable, arm, row.time)))


def names(rows: pd.DataFrame, shown: int = 6, printed: bool = True) -> str:
    """Rows by name, the printed number with each."""
    found = list(dict.fromkeys(
        name(r) + (f" {r.statistic} {r.printed}" if printed else "") for r in rows.itertuples()))
    more = f" and {len(found) - shown} more" if len(found) > shown else ""
    return ", ".join(found[:shown]) + more


def first(rows: pd.DataFrame) -> str:
    """The computation of the first row."""
    return next(iter(rows["computation"]), "")


def conventions(rows: pd.DataFrame, by: str) -> str:
    """The conventions of rows, each once."""
    return by.join(dict.fromkeys(rows["convention"]))


@finding("A model's B is not the difference in the mean changes printed beside it",
         "mean changes", ("not checkable", "impossible"))
def mean_changes(rows, frame, published):
    """Two-visit models that are not the difference in mean changes."""
    visits = published[published["time"] != ""].groupby(["analysis", "variable"])["time"].nunique()
    two = {variable for (_, variable), n in visits.items() if n == 2}
    rows = rows[rows["variable"].isin(two)]
    if rows.empty:
        return (None,)
    return (f"{names(rows)}: {first(rows)}. With two visits and every pair complete the two are "
            f"equal, whatever the covariate at baseline. The model may hold people whom the means "
            f"leave out ({rows['convention'].iloc[0]}); those then carry the gap. The means and B "
            "do not describe the same people; neither is shown to be wrong.", rows.index)


@finding("Some means belong to fewer people than printed", "grim", ("other convention",))
def other_n(rows, frame, published):
    """Means that need fewer people, and what else says so."""
    own = frame[frame["variable"].isin(rows["variable"])]
    sizes = pick(own, ["effect size", "effect sizes together"], ("other convention",), "n=")
    ratio = pick(own, "se ratio", ("other convention",))
    also = ""
    if len(sizes):
        of = len(set(sizes["variable"] + sizes["time"]))
        also += f" Effect sizes of the same scores ({of}) come out at that n, not at the printed."
    if len(ratio):
        also += (f" The ratio of their standard errors fits {ratio['convention'].iloc[0]} "
                 f"({first(ratio)}).")
    return (f"{names(rows)} cannot be means of whole scores at the printed n; they can at "
            f"{conventions(rows, ', ')} ({first(rows)}).{also} Missing "
            "answers that the column's n does not show would explain it; the numbers do not say "
            "whose, nor that any mean is wrong.", (*rows.index, *sizes.index, *ratio.index))


@finding("p values come from the normal distribution", "p value", FITS)
def normal(rows, frame, published):
    """p from the normal distribution in a small trial."""
    only = rows[rows["convention"] == "normal"]
    sizes = published[(published["variable"] == "randomised") & (published["arm"] == "overall")]
    n = pd.to_numeric(sizes["printed"], errors="coerce").min()  # nan where none is printed
    if only.empty or not 0 < n <= SMALL:
        return (None,)
    return (f"All {len(rows)} p fit z = B/SE and the normal distribution; {len(only)} of them fit "
            f"no t distribution at degrees of freedom one would expect with {n:.0f} people. "
            f"{name(next(only.itertuples()))}, p {only['printed'].iloc[0]}: {first(only)}. "
            "Large-sample tests are the default of several packages, and the table calls them z. "
            "Small-sample p would be larger; by how much depends on the model.", only.index)


@finding("Not every effect grew as the text says", "larger effect", ("impossible",))
def larger(rows, frame, published):
    """Effects that did not grow."""
    total = len(pick(frame, "larger effect"))
    return (f"The text has larger effects at the later visit; d says so for {total - len(rows)} of "
            f"{total}: not {names(rows, printed=False)} ({first(rows)}). The sentence may have "
            "meant most outcomes.",)


@finding("What survives Benjamini-Hochberg depends on the family", "fdr",
         ("within rounding", *OFF))
def fdr(rows, frame, published):
    """Significant p that a correction may lose."""
    total = len(pick(frame, "fdr"))
    return (f"{total - len(rows)} of {total} significant p survive in every family that a "
            f"reader could mean; for {names(rows)} that is sure only within "
            f"{rows['convention'].iloc[0]} ({first(rows)}). Families of one table or one visit "
            "are usual, and there the statement holds.",)


@finding("One column of effect sizes follows more than one formula", "effect sizes together",
         ("other convention",))
def effect_sizes(rows, frame, published):
    """Which conventions the effect sizes obey."""
    everyone = pick(frame, "effect sizes together")
    groups = everyone.groupby("convention", sort=False).size().sort_values(ascending=False)
    by = ", ".join(f"{n} as {convention}" for convention, n in groups.items())
    last = rows[rows["convention"] == rows["convention"].mode()[0]].iloc[-1]
    return (f"Read together, {len(everyone)} d come out at the printed means and SDs as follows: "
            f"{by}. {name(last)}, d {last.printed}: {last.computation}. Tables made in more than "
            "one sitting look so. The differences are at most a few hundredths and change no "
            "conclusion; single d often fit both.", everyone.index)


@finding("Words that the paper's own cut-offs do not give",
         ("word for d", "significance", "direction"))
def words(rows, frame, published):
    """Words beside numbers."""
    return (f"{names(rows)}: {first(rows)}. Close to a cut-off a word is a matter of taste; the "
            "numbers themselves stand.",)


@finding("A p is printed where everybody is alike", "count test", ("impossible",), "constant")
def constant(rows, frame, published):
    """A p of a constant."""
    return (f"{names(rows)}: {first(rows)}. A p left from another line or an earlier version of "
            "the table would explain it; printed as they are, counts and p cannot both hold.",)


@finding("Some p are not tests of the counts shown", "count test", OFF, "^(?!constant$)")
def counts(rows, frame, published):
    """p that no test of the printed counts gives."""
    finer = int(rows["convention"].str.startswith("finer").sum())
    if (pd.to_numeric(rows["printed"], errors="coerce") > 0.1).all():
        return (f"{names(rows)}. No usual test of the printed counts gives them ({first(rows)}). "
                f"Tests on finer classes, merged for print, would for {finer} of {len(rows)}: at "
                "least one such split exists, which is possible rather than shown. None is near "
                "0.05.",)
    return (f"{names(rows)}. The first declared test of the printed counts does not give them "
            f"({first(rows)}); tests on finer classes might.",)


@finding("The t tests are not all of one kind", "t test", ("other convention",))
def welch(rows, frame, published):
    """p of another t test than the declared one."""
    return (f"{names(rows)} come only from {conventions(rows, ' or ')} "
            f"({first(rows)}); the other {len(pick(frame, 't test', FITS))} fit the test that is "
            "named. Packages print both rows and a test of equal variances says which to read: "
            "that would do it.",)


@finding("Numbers needed to treat: units and denominators",
         ("nnt unit", "randomised denominators"), ())
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
            "completers they name.", (*units.index, *randomised.index))


@finding("The planned sample size in its own arithmetic",
         ("planned d", "planned difference", "planned n", "planned dropout"))
def planning(rows, frame, published):
    """Planned numbers that do not follow."""
    lines = "; ".join(f"{r.statistic} {r.printed}: {r.computation}" for r in rows.itertuples())
    return (f"{lines}. A rounded or earlier SD explains a small gap. Multiplying by 1 + dropout "
            "instead of dividing by 1 - dropout leaves slightly fewer than planned.",)


@finding("A scale has two ranges", ("range stated twice", "scale"), ("impossible",))
def scales(rows, frame, published):
    """Ends of a scale that differ."""
    return (f"{names(rows.drop_duplicates(['variable', 'statistic', 'printed']))}: "
            f"{'; '.join(dict.fromkeys(rows['computation'].iloc[[0, -1]]))}. Two versions of a "
            "questionnaire exist in many fields; which was used decides what a score means, not "
            "how the arms compare.",)


@finding("Percentages off in the last digit", ("percent", "percent of n", "percent sum"),
         ("within rounding", *OFF))
def percent(rows, frame, published):
    """Percentages that are not those of their counts."""
    cut = rows[rows["verdict"].eq("within rounding") & rows["convention"].eq("truncated")
               & rows["check"].ne("percent sum")]
    rows = pick(rows, rows["check"], OFF)
    if rows.empty and cut.empty:
        return (None,)
    said = [f"{names(part)}{end} ({first(part)})" for part, end in (
        (rows, " are not the percentages of their counts"), (cut, " is cut off, not rounded"))
        if len(part)]
    return (f"{'; '.join(said)}. Typing, or fitting a "
            "column to a total of 100, gives such differences; the counts are not in doubt.",
            (*rows.index, *cut.index))


@finding("Numbers that look rounded twice", (), ("within rounding",), "^rounded twice$")
def twice(rows, frame, published):
    """Double rounding in any check."""
    return (f"{names(rows)} ({first(rows)}). Copied from output that was already rounded, a "
            "number just under a half goes up again; nothing follows from it.",)
