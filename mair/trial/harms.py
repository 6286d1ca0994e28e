"""Adverse events: a column of the trial's data, or a file of its own with one row an event."""

import pandas as pd

from mair.trial import readers
from mair.trial.errors import nearest
from mair.trial.people import People
from mair.trial.tables import YES_NO, text_of

COLUMNS = ["participant", "term", "events", "serious"]


def events(people: People) -> tuple[pd.DataFrame, pd.Series]:
    """Who had what, how often, and how often seriously.

    Parameters
    ----------
    people : People
        Collects the problems; its trial file has a section ``harms``.

    Returns
    -------
    DataFrame
        ``participant``, ``term`` (empty where a column counts them), and the numbers ``events``
        and ``serious``, one row a participant and term.
    Series
        By participant, whether anything is known of their events.
    """
    declared, where = people.spec.harms, ("harms", "column")
    if declared.data:
        return _from_file(people, declared), pd.Series(True, people.index)
    n = people.values(declared.column, where, _count, "a number of events, or yes or no",
                      "a number of events", dtype=float)
    serious = people.yes_no(declared.serious, ("harms", "serious"), False).eq(True) if (
        declared.serious) else pd.Series(False, people.index)
    frame = pd.DataFrame({"participant": n.index, "term": "", "events": n.to_numpy(),
                          "serious": serious.to_numpy(int)}, columns=COLUMNS)
    return frame[n.to_numpy() > 0].astype({"events": int}), n.notna()


def _count(text: str | None) -> float | None:
    if text is None or text.isdecimal():
        return None if text is None else float(text)
    return float(YES_NO[text.casefold()])


def _from_file(people: People, declared) -> pd.DataFrame:
    """A file of events; those of people who are left out of the trial do not count."""
    table, cells = readers.read(people.source.relative("harms", "data"), people.spec.read), {}
    for key, name in (("participant", declared.participant or people.spec.participant),
                      ("term", declared.term), ("serious", declared.serious)):
        if name is not None and name not in table.columns:
            people.refuse(("harms", key), "no column of events", table.path.name,
                          nearest(name, table.columns))
        elif name is not None:
            cells[key] = table.columns[name].texts
    if "participant" not in cells:
        return pd.DataFrame(columns=COLUMNS)
    ids = [text_of(cell) for cell in cells["participant"]]
    frame = pd.DataFrame({
        "participant": ids, "term": cells.get("term", [""] * len(ids)), "events": 1,
        "serious": [int(YES_NO.get((text or "no").casefold(), 2)) for text in
                    cells.get("serious", [None] * len(ids))]}, columns=COLUMNS)
    for what, wrong in (("events of nobody", ~frame["participant"].isin(people.who)),
                        ("events neither serious nor not", frame["serious"] > 1)):
        if wrong.any():
            rows = ", ".join(str(table.rows[i]) for i in wrong.to_numpy().nonzero()[0][:3])
            people.refuse(("harms", "data"), what, int(wrong.sum()), rows)
    own = frame[frame["participant"].isin(people.rows)].fillna({"term": "not named"})
    return own.groupby(["participant", "term"], as_index=False, sort=False).sum()[COLUMNS]
