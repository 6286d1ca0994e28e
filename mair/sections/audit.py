"""The audit of a published paper: its printed numbers against each other."""

from pathlib import Path

import pandas as pd

from mair.published import compare, numbers
from mair.published.consistency import WORDS, claims_beside, consistency, findings, worst
from mair.published.consistency.sheet import INPUT
from mair.results import KEYS, Rows
from mair.trial import Trial, remembered

ASKED = ("cannot hold as printed", "needs an explanation")
CLASSES = {  # for a reader, by verdict
    "impossible": ASKED[0], "other convention": ASKED[1],
    "not checkable": "nothing to hold it against", "exact": "follows from the others",
    "within rounding": "follows from the others", INPUT: "an input"}


@remembered
def published(trial: Trial) -> pd.DataFrame:
    """The published numbers that the trial file names."""
    return numbers.read(trial.published)


@remembered
def cells(trial: Trial) -> pd.Series:
    """The sheet and cell that each published number was entered in; empty where none is kept."""
    own, file = published(trial), Path(trial.published).with_name("cells.csv")
    if not file.is_file():
        return pd.Series("", index=own.index)
    kept = pd.read_csv(file, dtype=str, keep_default_na=False).drop_duplicates([*KEYS, "source"])
    return own.merge(kept, on=[*KEYS, "source"], how="left")["cell"].fillna("")


@remembered
def checks(trial: Trial) -> pd.DataFrame:
    """Every check of the printed numbers against each other (`consistency`)."""
    return consistency(published(trial), trial.sections, claims_beside(trial.published),
                       chance=True)


@remembered
def placed(trial: Trial) -> pd.DataFrame:
    """`checks`, with the ``cell`` that each number judged was entered in, where that is kept."""
    own = checks(trial)
    return own.assign(cell=own["rows"].str.partition(" ")[0].astype(int).map(
        cells(trial)).fillna(""))


@remembered
def found(trial: Trial) -> list:
    """The findings, most consequential first (`findings`)."""
    return findings(checks(trial), published(trial), trial.sections)


@remembered
def judged(trial: Trial) -> pd.DataFrame:
    """Each published number with the worst verdict of the checks on it.

    Returns
    -------
    DataFrame
        `published` with columns ``verdict`` (a key of `WORDS`), as the figure of verdicts takes
        it, ``holds`` (its class for a reader, of `CLASSES`), the ``convention`` and
        ``computation`` behind it, what passes ``by_chance`` and the ``check``.
    """
    own = worst(checks(trial), len(published(trial)))
    given = (own["given"] != "") & ~own["verdict"].isin(compare.AGAINST)
    verdict = own["verdict"].mask(given, INPUT)
    return published(trial).assign(verdict=verdict, holds=verdict.map(CLASSES),
                                   **own[["convention", "computation", "by_chance", "check"]])


def rows(trial: Trial) -> pd.DataFrame:
    """How many printed numbers stand under each verdict (analysis ``audit``).

    Parameters
    ----------
    trial : Trial
        With ``published``; data are not needed.

    Returns
    -------
    DataFrame
        Columns of ``results.csv``. ``facts``: the findings that rest on an impossible number,
        for several numbers may be wrong by one fact.
    """
    out, own = Rows("audit"), judged(trial)["verdict"]
    for verdict in WORDS:
        name = verdict.removeprefix("an ")  # input
        out.add("consistency", "overall", "", name, n=int((own == verdict).sum()))
    bad = set(checks(trial).query("verdict == 'impossible'").index)
    out.add("consistency", "overall", "", "impossible",
            facts=sum(not bad.isdisjoint(finding.rows) for finding in found(trial)))
    return out.frame()
