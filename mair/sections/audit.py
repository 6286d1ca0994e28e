"""The audit of a published paper: its numbers against each other, and beside recomputed ones."""

from __future__ import annotations

import pandas as pd

from mair.published import compare, numbers
from mair.published.consistency import (
    COLUMNS,
    SEVERITY,
    Finding,
    claims_beside,
    consistency,
    findings,
)
from mair.report import fmt
from mair.report.tables import Table
from mair.results import Rows
from mair.sections import rows as sections
from mair.trial import Trial


def published(trial: Trial) -> pd.DataFrame:
    """The published numbers that the trial file names."""
    return numbers.read(trial.published)


def checks(trial: Trial, printed: pd.DataFrame) -> pd.DataFrame:
    """Every check of the printed numbers against each other (`consistency`)."""
    return consistency(printed, trial.sections, claims_beside(trial.published))


def found(checked: pd.DataFrame, printed: pd.DataFrame) -> list[Finding]:
    """What the checks found, in order of consequence."""
    return findings(checked, printed)


def beside(trial: Trial, printed: pd.DataFrame) -> pd.DataFrame | None:
    """Published beside recomputed; None where the trial has no data."""
    return compare.compare(printed, sections.rows(trial)) if trial.has_data else None


def dots(printed: pd.DataFrame, checked: pd.DataFrame) -> pd.DataFrame:
    """Each published number with the worst verdict of the checks on it.

    Returns
    -------
    DataFrame
        ``printed`` with a column ``verdict``, as `mair.report.dots.verdict_map` takes it.
    """
    place = checked["rows"].astype(str).str.split().str[0].astype(int)
    rank = checked["verdict"].map(list(SEVERITY).index)
    worst = rank.groupby(place).max()
    return printed.assign(verdict=[list(SEVERITY)[worst.get(i, 0)] for i in range(len(printed))])


def rows(trial: Trial) -> pd.DataFrame:
    """How many printed numbers stand under each verdict (analysis ``audit``)."""
    printed = published(trial)
    out = Rows("audit")
    own = dots(printed, checks(trial, printed))
    for verdict in SEVERITY:
        out.add("consistency", "overall", "", verdict, n=int((own["verdict"] == verdict).sum()))
    return out.frame()


def table(trial: Trial, checked: pd.DataFrame) -> Table:
    """The checks that do not come out exactly, for reading; all of them as data."""
    odd = checked[checked["verdict"].isin(["within rounding", "other convention", "impossible"])]
    odd = odd.sort_values("verdict", key=lambda v: -v.map(list(SEVERITY).index).astype(int),
                          kind="stable")
    display = pd.DataFrame({
        "Check": odd["check"],
        "Number": [" ".join(part for part in row if part) for row in
                   odd[["variable", "arm", "time", "statistic"]].itertuples(index=False)],
        "Source": odd["source"], "Printed": odd["printed"],
        "Computed": [_span(low, high) for low, high in
                     odd[["computed_low", "computed_high"]].itertuples(index=False)],
        "Verdict": odd["verdict"], "Convention": odd["convention"],
    }).reset_index(drop=True)
    data = checked[[*COLUMNS, *(c for c in checked if c not in COLUMNS)]]
    return Table("consistency", "Checks that do not come out exactly", display, data,
                 notes=("Each printed number is an interval of half a unit of its last digit.",),
                 synthetic=trial.synthetic)


def _span(low: float, high: float) -> str:
    if low != low:
        return ""
    return fmt.number(low, 3) if f"{low:.3f}" == f"{high:.3f}" else fmt.interval(low, high, 3)


def summary(own: pd.DataFrame, compared: pd.DataFrame | None) -> str:
    """Two sentences: what follows from the rest, and what was recomputed."""
    n = own["verdict"].value_counts()
    said = (f"Of {len(own)} printed numbers {len(own) - n.get('not checkable', 0)} can be held "
            f"against others of the paper: {n.get('exact', 0)} follow exactly, "
            f"{n.get('within rounding', 0)} within rounding, {n.get('other convention', 0)} under "
            f"another convention than the one named, and {n.get('impossible', 0)} cannot hold "
            "together with the numbers beside them.")
    return said if compared is None else f"{said} {compare.summary_line(compared)}."


def uncovered(compared: pd.DataFrame | None) -> str:
    """How many printed numbers have no recomputed counterpart, and why."""
    if compared is None:
        return "There are no data, so nothing was recomputed."
    why = compared.loc[compared["verdict"] == "not checkable", "why"].value_counts()
    listed = "; ".join(f"{n} {reason}" for reason, n in why.items())
    return f"Without a recomputed counterpart: {listed or 'none'}."


def alt(own: pd.DataFrame) -> str:
    """The map of verdicts in words."""
    n = own["verdict"].value_counts()
    listed = ", ".join(f"{count} {verdict}" for verdict, count in n.items())
    return (f"A dot for each of {len(own)} published numbers in its place in the paper's tables, "
            f"coloured and shaped by verdict: {listed}.")
