"""The fault campaign: what the checks see when a printed number is wrong, and when none is.

Each number of the published tables, and of real trials as they are printed here, is changed in
turn, up and down, by one unit of its last digit and by 10 % (rounded to its digits, at least one
unit). An alarm is a row ``impossible``, ``other convention``, or explained by truncation or
double rounding. A change is *caught* when a row that involves the number raises an alarm it did
not raise before, or a worse one, or one that names another convention. Conversely, real trials
printed correctly must raise no alarm.
"""

from collections import Counter
from decimal import Decimal
from itertools import product
from pathlib import Path

import pandas as pd

from mair.published import numbers
from mair.published.consistency import SEVERITY, claims_beside, consistency
from mair.studies import pool
from mair.studies.campaign_trials import SOUND, paper
from mair.trial import load

PATH = Path(__file__).resolve().parent.parent / "data" / "campaign.csv"
SEED = 2020
PAPERS = 200  # of each real trial
CHUNK = 20  # numbers a task
CHANGES = ("one unit", "ten percent")
ODD = ("truncated", "rounded twice")
ALARM = SEVERITY["within rounding"] + 0.5
OPEN = "finer classes than shown"
KINDS = {one: kind for kind, own in SOUND["kinds"].items() for one in own}  # by statistic


def changed(printed: str, change: str, up: bool) -> str:
    """A printed number changed: away from or towards 0, with the same digits.

    Examples
    --------
    >>> changed("-26.38", "one unit", True), changed("7", "ten percent", True)
    ('-26.39', '8')
    >>> changed("0.95", "ten percent", False), changed("0", "one unit", False)
    ('0.85', '1')
    """
    sign = printed[: len(printed) - len(printed.lstrip("<>"))]
    value = Decimal(printed.lstrip("<>"))
    unit = Decimal(1).scaleb(value.as_tuple().exponent)
    size = max(unit, (abs(value) / 10).quantize(unit)) if change == "ten percent" else unit
    new = abs(value) + (size if up or value == 0 else -size)
    return f"{sign}{'-' if value < 0 and new else ''}{new}"


def involved(frame: pd.DataFrame, place: int | None = None) -> dict[tuple, tuple]:
    """Rows by (check, number judged, how often before): severity and conventions."""
    found, times = {}, Counter()
    for check, verdict, convention, rows in _judged(frame):
        key = (check, rows[0])
        times[key] += 1
        if place is None or place in rows:
            odd = verdict == "within rounding" and convention in ODD
            found[(*key, times[key])] = (ALARM if odd else SEVERITY[verdict],
                                         set(convention.split(" or ")))
    return found


def _judged(frame: pd.DataFrame) -> list[tuple]:
    """Check, verdict, convention, and places of the numbers involved, the judged one first."""
    columns = frame[["check", "verdict", "convention", "rows"]]
    return [(*own, [*map(int, rows.split())])
            for *own, rows in columns.itertuples(index=False, name=None)]


def caught(before: dict, after: dict) -> bool:
    """Whether a row after the change is an alarm that was not there before."""
    pairs = ((before.get(key, (0, set())), found) for key, found in after.items())
    return any(new >= ALARM and (old < new or not names & old_names)
               for (old, old_names), (new, names) in pairs)


def roles(frame: pd.DataFrame, size: int) -> list[str]:
    """The role of each number, the first of these that applies.

    ``flagged``: no computation gives it as it stands (`impossible`, or only some unshown
    split of classes would); ``checkable``: a computation gives it; ``input``: it enters one;
    ``screened``: only screens involve it; ``unlinked``.
    """
    order = ("unlinked", "screened", "input", "checkable", "flagged")
    found = [0] * size
    for check, verdict, convention, places in _judged(frame):
        if verdict != "not checkable" and check != "none":
            screen = check in SOUND["screens"]
            own = 4 if verdict == "impossible" or convention == OPEN else 3
            for place in places:
                if place >= 0:  # below are sentences
                    judged = own if place == places[0] else 2
                    found[place] = max(found[place], 1 if screen else judged)
    return [order[rank] for rank in found]


def changes(published, sections, claims, places) -> list[tuple]:
    """All changes of the numbers at ``places``: (place, change, up, whether it is caught)."""
    before = involved(consistency(published, sections, claims))
    column, out = published.columns.get_loc("printed"), []
    for place, change, up in product(places, CHANGES, (True, False)):
        frame = published.copy()
        frame.iat[place, column] = changed(published.iat[place, column], change, up)
        after = involved(consistency(frame, sections, claims), place)
        out.append((place, change, up, caught(before, after)))
    return out


def faults(published, sections=None, claims=None, places=None, processes=-1) -> pd.DataFrame:
    """Every change of every number, or of those at ``places``.

    Returns
    -------
    DataFrame
        ``place, change, up, caught, kind, role``.
    """
    places = range(len(published)) if places is None else places
    parts = [places[at:at + CHUNK] for at in range(0, len(places), CHUNK)]
    done = pool.each(changes, [(published, sections, claims, part) for part in parts], processes)
    frame = pd.DataFrame(sorted(row for rows in done for row in rows),
                         columns=["place", "change", "up", "caught"])
    role = roles(consistency(published, sections, claims), len(published))
    own = published.assign(role=role).iloc[frame["place"]].reset_index(drop=True)
    # an inequality is a statement, not a number: a changed bound mostly still holds
    bound = own["printed"].str.startswith(("<", ">"))
    kind = own["statistic"].map(KINDS).fillna("other") + bound.map({True: " bound", False: ""})
    return frame.assign(kind=kind, role=own["role"].mask(bound, "bound"))


def alarms(papers: int, processes: int = -1) -> tuple[pd.DataFrame, int]:
    """False alarms of so many papers of each real trial, and how many rows were judged."""
    found, judged = zip(*pool.each(_alarms, [(k,) for k in range(papers)], processes), strict=True)
    return pd.concat(found, ignore_index=True), sum(judged)


def _alarms(number):
    frame = pd.concat([consistency(*paper(name, pool.stream(SEED, number, at)))
                       for at, name in enumerate(SOUND["trials"])])
    wrong = (frame["verdict"].isin(["impossible", "other convention"])
             | frame["convention"].isin(ODD))
    return frame[wrong], int((frame["verdict"] != "not checkable").sum())


def faults_of_real(processes: int = -1) -> pd.DataFrame:
    """`faults` of the first paper of each real trial."""
    done = [faults(*paper(name, pool.stream(SEED, 0, at)), processes=processes).assign(trial=name)
            for at, name in enumerate(SOUND["trials"])]
    found = pd.concat(done, ignore_index=True)
    return found.assign(place=found.groupby(["trial", "place"]).ngroup())


def summary(results: pd.DataFrame, part: str = "faults") -> pd.DataFrame:
    """Counts and shares by change, role and kind."""
    parts = pd.concat([results, results.assign(kind="all")])
    parts = pd.concat([parts, parts.assign(role="all")])
    parts = parts[(parts["kind"] == "all") | parts["role"].isin(["all", "checkable"])]
    faulty = parts.groupby(["change", "role", "kind"], as_index=False).agg(
        numbers=("place", "nunique"), tried=("place", "size"), caught=("caught", "sum"),
        share=("caught", "mean")).round({"share": 4})
    faulty.insert(0, "part", part)
    return faulty.assign(seed=SEED)


def correct(false: pd.DataFrame, judged: int, papers: int) -> pd.DataFrame:
    """Counts of false alarms in correct papers, in the columns of `summary`."""
    count = false["verdict"].value_counts().reindex(
        ["impossible", "other convention", "within rounding"], fill_value=0)
    return pd.DataFrame({"part": "correct papers", "change": count.index, "role": "all",
                         "kind": "all", "numbers": papers, "tried": judged,
                         "caught": count.to_numpy(),
                         "share": (count / max(1, judged)).round(6).to_numpy(), "seed": SEED})


def main() -> Path:
    """Run the campaign and write the table (`make campaign`)."""
    results = faults(numbers.read(), load("params/mair.yaml").sections, claims_beside(numbers.PATH))
    papers = PAPERS * len(SOUND["trials"])
    table = pd.concat([summary(results), summary(faults_of_real(), "faults in real trials"),
                       correct(*alarms(PAPERS), papers)], ignore_index=True)
    table.to_csv(PATH, index=False, lineterminator="\n")
    print(table.to_string(index=False))
    return PATH
