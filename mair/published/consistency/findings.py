"""What the consistency table comes to, in words: findings in order of consequence.

Each is built from a kind of check, says what the numbers show and what they do not, and
names harmless explanations first. None says why a number is as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

SMALL = 120  # up to so many people a t distribution is the usual reference


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
    found = [build(consistency, published) for build in BUILDERS]
    found = [f for f in found if f is not None]
    said = {row for _, _, rows in found for row in rows}
    rest = consistency[(consistency["verdict"] == "impossible")
                       & ~consistency.index.isin(said)]
    if len(rest):
        found.append((
            f"{_n(len(rest), 'number')} that no computation here gives",
            f"{_list(rest)}. A typing slip, or people or classes not shown, would do it; which "
            f"of the numbers involved is off cannot be told. For the first: {_first(rest)}.",
            tuple(rest.index)))
    return [Finding(k, *parts) for k, parts in enumerate(found, start=1)]


def _n(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _name(row) -> str:
    return " ".join(part for part in (
        row.variable, "" if row.arm in ("difference", "overall") else row.arm, row.time) if part)


def _list(rows: pd.DataFrame, shown: int = 6, printed: bool = True) -> str:
    """Rows by name, the printed number with each."""
    names = list(dict.fromkeys(
        f"{_name(r)} {r.statistic} {r.printed}" if printed else _name(r)
        for r in rows.itertuples()))
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _first(rows: pd.DataFrame) -> str:
    return next(iter(rows["computation"]), "")


def _pick(frame, check, *verdicts, convention=None) -> pd.DataFrame:
    checks = [check] if isinstance(check, str) else check
    rows = frame[frame["check"].isin(checks)]
    if verdicts:
        rows = rows[rows["verdict"].isin(verdicts)]
    return rows if convention is None else rows[rows["convention"].str.contains(convention)]


def _other_n(frame, published):
    """Means that need fewer people, and what else says so."""
    rows = _pick(frame, "grim", "other convention")
    if rows.empty:
        return None
    cells = set(rows["variable"])
    sizes = _pick(frame, ["effect size", "effect sizes together"], "other convention",
                  convention="n=")
    sizes = sizes[sizes["variable"].isin(cells)]
    ratio = _pick(frame, "se ratio", "other convention")
    ratio = ratio[ratio["variable"].isin(cells)]
    also = ""
    if len(sizes):
        of = len(set(sizes["variable"] + sizes["time"]))
        also += f" Effect sizes of the same scores ({of}) come out at that n, not at the printed."
    if len(ratio):
        also += (f" The ratio of their standard errors fits {ratio['convention'].iloc[0]} "
                 f"({_first(ratio)}).")
    text = (f"{_list(rows)} cannot be means of whole scores at the printed n; they can at "
            f"{', '.join(dict.fromkeys(rows['convention']))} ({_first(rows)}).{also} Missing "
            "answers that the column's n does not show would explain it; the numbers do not say "
            "whose, nor that any mean is wrong.")
    return ("Some means belong to fewer people than printed", text,
            (*rows.index, *sizes.index, *ratio.index))


def _mean_changes(frame, published):
    """Two-visit models that are not the difference in mean changes."""
    rows = _pick(frame, "mean changes", "not checkable", "impossible")
    visits = published[published["time"] != ""].groupby(["analysis", "variable"])["time"].nunique()
    pairs = [k for k, r in zip(rows.index, rows.itertuples(), strict=True)
             if any(visits.get((a, r.variable), 0) == 2 for a in visits.index.levels[0])]
    rows = rows.loc[pairs]
    if rows.empty:
        return None
    return ("A model's B is not the difference in the mean changes printed beside it",
            f"{_list(rows)}: {_first(rows)}. With two visits and every pair complete the two are "
            f"equal, whatever the covariate at baseline. The model may hold people whom the means "
            f"leave out ({rows['convention'].iloc[0]}); those then carry the gap. The means and B "
            "do not describe the same people; neither is shown to be wrong.", tuple(rows.index))


def _normal(frame, published):
    """p from the normal distribution in a small trial."""
    rows = _pick(frame, "p value", "exact", "within rounding")
    only = rows[rows["convention"] == "normal"]
    sizes = published[(published["variable"] == "randomised") & (published["arm"] == "overall")]
    n = pd.to_numeric(sizes["printed"], errors="coerce").min()  # nan where none is printed
    if only.empty or not 0 < n <= SMALL:
        return None
    return ("p values come from the normal distribution",
            f"All {len(rows)} p fit z = B/SE and the normal distribution; {len(only)} of them fit "
            f"no t distribution at degrees of freedom one would expect with {n:.0f} people. "
            f"{_name(next(only.itertuples()))}, p {only['printed'].iloc[0]}: {_first(only)}. "
            "Large-sample tests are the default of several packages, and the table calls them z. "
            "Small-sample p would be larger; by how much depends on the model.",
            tuple(only.index))


def _effect_sizes(frame, published):
    """Which conventions the effect sizes obey."""
    rows = _pick(frame, "effect sizes together")
    other = _pick(rows, "effect sizes together", "other convention")
    if other.empty:
        return None
    groups = rows.groupby("convention", sort=False).size().sort_values(ascending=False)
    by = ", ".join(f"{count} as {name}" for name, count in groups.items())
    last = other[other["convention"] == other["convention"].mode()[0]].iloc[-1]
    return ("One column of effect sizes follows more than one formula",
            f"Read together, {len(rows)} d come out at the printed means and SDs as follows: {by}. "
            f"{_name(last)}, d {last.printed}: {last.computation}. Tables made in more than one "
            "sitting look so. The differences are at most a few hundredths and change no "
            "conclusion; single d often fit both.", tuple(rows.index))


def _larger(frame, published):
    rows = _pick(frame, "larger effect", "impossible")
    if rows.empty:
        return None
    total = len(_pick(frame, "larger effect"))
    return ("Not every effect grew as the text says",
            f"The text has larger effects at the later visit; d says so for {total - len(rows)} of "
            f"{total}: not {_list(rows, printed=False)} ({_first(rows)}). The sentence may have "
            "meant most outcomes.", tuple(rows.index))


def _words(frame, published):
    rows = _pick(frame, ["word for d", "significance", "direction"], "other convention",
                 "impossible")
    if rows.empty:
        return None
    return ("Words that the paper's own cut-offs do not give",
            f"{_list(rows)}: {_first(rows)}. Close to a cut-off a word is a matter of taste; the "
            "numbers themselves stand.", tuple(rows.index))


def _fdr(frame, published):
    rows = _pick(frame, "fdr")
    lost = rows[rows["verdict"] != "exact"]
    if lost.empty:
        return None
    return ("What survives Benjamini-Hochberg depends on the family",
            f"{len(rows) - len(lost)} of {len(rows)} significant p survive in every family that a "
            f"reader could mean; for {_list(lost)} that is sure only within "
            f"{lost['convention'].iloc[0]} ({_first(lost)}). Families of one table or one visit "
            "are usual, and there the statement holds.", tuple(lost.index))


def _constant(frame, published):
    rows = _pick(frame, "count test", "impossible", convention="constant")
    if rows.empty:
        return None
    return ("A p is printed where everybody is alike",
            f"{_list(rows)}: {_first(rows)}. A p left from another line or an earlier version of "
            "the table would explain it; printed as they are, counts and p cannot both hold.",
            tuple(rows.index))


def _counts(frame, published):
    rows = _pick(frame, "count test", "other convention", "impossible")
    rows = rows[rows["convention"] != "constant"]
    if rows.empty:
        return None
    finer = int(rows["convention"].str.startswith("finer").sum())
    return ("Some p are not tests of the counts shown",
            f"{_list(rows)}. No usual test of the printed counts gives them ({_first(rows)}). "
            f"Tests on finer classes, merged for print, would for {finer} of {len(rows)}: at least "
            "one such split exists, which is possible rather than shown. None is near 0.05."
            if (pd.to_numeric(rows["printed"], errors="coerce") > 0.1).all() else
            f"{_list(rows)}. The first declared test of the printed counts does not give them "
            f"({_first(rows)}); tests on finer classes might.", tuple(rows.index))


def _welch(frame, published):
    rows = _pick(frame, "t test", "other convention")
    if rows.empty:
        return None
    fit = _pick(frame, "t test", "exact", "within rounding")
    return ("The t tests are not all of one kind",
            f"{_list(rows)} come only from {' or '.join(dict.fromkeys(rows['convention']))} "
            f"({_first(rows)}); the other {len(fit)} fit the test that is named. Packages print "
            "both rows and a test of equal variances says which to read: that would do it.",
            tuple(rows.index))


def _planning(frame, published):
    rows = _pick(frame, ["planned d", "planned difference", "planned n", "planned dropout"],
                 "other convention", "impossible")
    if rows.empty:
        return None
    lines = "; ".join(f"{r.statistic} {r.printed}: {r.computation}" for r in rows.itertuples())
    return ("The planned sample size in its own arithmetic",
            f"{lines}. A rounded or earlier SD explains a small gap. Multiplying by 1 + dropout "
            "instead of dividing by 1 - dropout leaves slightly fewer than planned.",
            tuple(rows.index))


def _nnt(frame, published):
    units = _pick(frame, "nnt unit")
    itt = _pick(frame, "randomised denominators")
    itt = itt.drop_duplicates(["variable", "time"])
    if units.empty and itt.empty:
        return None
    said = []
    if len(units):
        said.append(f"{_n(len(units), 'limit')} of NNT carry a percent sign, though they count "
                    "people, as a slip of print would have it")
    if len(itt):
        said.append("over all randomised, those not seen counted as not responding, "
                    + "; ".join(f"{r.variable}: {r.computation} (printed {r.printed})"
                                for r in itt.itertuples()))
    return ("Numbers needed to treat: units and denominators",
            f"{'. '.join(s[0].upper() + s[1:] for s in said)}. The printed ones are right for the "
            "completers they name.", (*units.index, *itt.index))


def _scales(frame, published):
    rows = _pick(frame, ["range stated twice", "scale"], "impossible")
    if rows.empty:
        return None
    return ("A scale has two ranges",
            f"{_list(rows.drop_duplicates(['variable', 'statistic', 'printed']))}: "
            f"{'; '.join(dict.fromkeys(rows['computation'].iloc[[0, -1]]))}. Two versions of a "
            "questionnaire exist in many fields; which was used decides what a score means, not "
            "how the arms compare.", tuple(rows.index))


def _percent(frame, published):
    rows = _pick(frame, ["percent", "percent of n", "percent sum"], "impossible",
                 "other convention")
    cut = _pick(frame, ["percent", "percent of n"], "within rounding", convention="truncated")
    if rows.empty and cut.empty:
        return None
    said = [f"{_list(part)}{end} ({_first(part)})" for part, end in (
        (rows, " are not the percentages of their counts"), (cut, " is cut off, not rounded"))
        if len(part)]
    return ("Percentages off in the last digit", f"{'; '.join(said)}. Typing, or fitting a "
            "column to a total of 100, gives such differences; the counts are not in doubt.",
            (*rows.index, *cut.index))


def _twice(frame, published):
    rows = frame[(frame["verdict"] == "within rounding") & (frame["convention"] == "rounded twice")]
    if rows.empty:
        return None
    return ("Numbers that look rounded twice",
            f"{_list(rows)} ({_first(rows)}). Copied from output that was already rounded, a "
            "number just under a half goes up again; nothing follows from it.", tuple(rows.index))


BUILDERS = (
    _mean_changes, _other_n, _normal, _larger, _fdr, _effect_sizes, _words, _constant, _counts,
    _welch, _nnt, _planning, _scales, _percent, _twice,
)
