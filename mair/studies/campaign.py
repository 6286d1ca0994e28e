"""The fault campaign: what the checks see when a printed number is wrong, and when none is.

Each number of the published tables is changed in turn, up and down, by one unit of its last
digit and by 10 % (rounded to its digits, at least one unit); the seed is that of the invented
trials. An alarm is a row ``impossible``, ``other convention``, or explained by truncation or double
rounding. A change is *caught* when a row that involves the number raises an alarm it did not
raise before, or a worse one, or one that names another convention. Conversely, invented
trials printed correctly must raise no alarm.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from mair.published import numbers
from mair.published.consistency import SEVERITY, claims_beside, consistency
from mair.studies.campaign_trials import trial

PATH = Path(__file__).resolve().parent.parent / "data" / "campaign.csv"
SEED = 2020
TRIALS = 200
CHANGES = ("one unit", "ten percent")
ODD = ("truncated", "rounded twice")
ALARM = SEVERITY["within rounding"] + 0.5
# A screen rules values out without saying which is right; every other check computes the
# number, or its possible neighbours, from others.
SCREENS = {
    "none", "grimmer", "dropouts", "scale of mean", "scale of sd", "scale",
    "quartiles", "sign", "se ratio", "denominator", "direction", "significance", "word for d",
    "larger effect", "fdr", "effect sizes together", "mean changes", "retention test",
    "nnt unit", "randomised denominators",
}
OPEN = "finer classes than shown"
KINDS = {
    "n": "count", "responders": "count", "percent": "percent", "mean": "mean", "sd": "sd",
    "p": "p", "d": "d", "b": "b", "z": "z", "range_low": "scale", "range_high": "scale",
    "ci_low": "limit", "ci_high": "limit", "arr": "risk", "nnt": "risk", "nnt_ci_low": "risk",
    "nnt_ci_high": "risk", "median": "quartile", "q1": "quartile", "q3": "quartile",
}


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
    away = up or value == 0
    new = abs(value) + size if away else abs(value) - size
    return f"{sign}{'-' if value < 0 and new else ''}{new}"


def involved(frame: pd.DataFrame, place: int | None = None) -> dict[tuple, tuple]:
    """Rows by (check, number judged, how often before): severity and conventions."""
    found: dict[tuple, tuple] = {}
    times: dict[tuple, int] = {}
    columns = (frame[c].tolist() for c in ("check", "verdict", "convention", "rows"))
    for check, verdict, convention, rows in zip(*columns, strict=True):
        places = rows.split(" ")
        key = (check, places[0])
        times[key] = times.get(key, 0) + 1
        if place is None or str(place) in places:
            severity = ALARM if verdict == "within rounding" and convention in ODD else (
                SEVERITY[verdict])
            found[(*key, times[key])] = (severity, set(convention.split(" or ")))
    return found


def caught(before: dict, after: dict) -> bool:
    """Whether a row after the change is an alarm that was not there before."""
    for key, (severity, names) in after.items():
        old, old_names = before.get(key, (0, set()))
        if severity >= ALARM and (old < severity or not names & old_names):
            return True
    return False


def roles(frame: pd.DataFrame, size: int) -> list[str]:
    """The role of each number, the first of these that applies.

    ``flagged``: no computation gives it as it stands (`impossible`, or only some unshown
    split of classes would); ``checkable``: a computation gives it; ``input``: it enters one;
    ``screened``: only screens involve it; ``unlinked``.
    """
    order = ("unlinked", "screened", "input", "checkable", "flagged")
    found = [0] * size
    columns = (frame[c] for c in ("check", "verdict", "convention", "rows"))
    for check, verdict, convention, rows in zip(*columns, strict=True):
        if verdict == "not checkable" or check == "none":
            continue
        places = [int(place) for place in rows.split(" ")]
        rank = 1 if check in SCREENS else 2
        for place in places:
            found[place] = max(found[place], rank)
        if check not in SCREENS:
            open_ = verdict == "impossible" or convention == OPEN
            found[places[0]] = max(found[places[0]], 4 if open_ else 3)
    return [order[rank] for rank in found]


def _try(arguments) -> list[tuple]:
    """All changes of some numbers."""
    published, sections, claims, places = arguments
    before = involved(consistency(published, sections, claims))
    column, out = published.columns.get_loc("printed"), []
    for place in places:
        printed = published.iat[place, column]
        for change in CHANGES:
            for up in (True, False):
                frame = published.copy()
                frame.iat[place, column] = changed(printed, change, up)
                after = involved(consistency(frame, sections, claims), place)
                out.append((place, change, up, caught(before, after)))
    return out


def faults(published, sections=None, claims=None, places=None, workers=1) -> pd.DataFrame:
    """Every change of every number, or of those at ``places``.

    Returns
    -------
    DataFrame
        ``place, change, up, caught, kind, role``.
    """
    base = consistency(published, sections, claims)
    places = range(len(published)) if places is None else places
    role = roles(base, len(published))
    parts = [list(places)[k::workers] for k in range(workers)]
    tasks = [(published, sections, claims, part) for part in parts]
    if workers == 1:
        done = _try(tasks[0])
    else:
        with ProcessPoolExecutor(workers) as pool:
            done = [row for rows in pool.map(_try, tasks) for row in rows]
    frame = pd.DataFrame(sorted(done), columns=["place", "change", "up", "caught"])
    texts, statistics = published["printed"].tolist(), published["statistic"].tolist()
    frame["kind"] = [KINDS.get(statistics[k], "other") + (" bound" if texts[k][0] in "<>" else "")
                     for k in frame["place"]]
    # an inequality is a statement, not a number: a changed bound mostly still holds
    frame["role"] = ["bound" if texts[k][0] in "<>" else role[k] for k in frame["place"]]
    return frame


def alarms(seed: int, trials: int) -> tuple[pd.DataFrame, int]:
    """False alarms of invented trials, and how many rows were judged."""
    found, judged = [], 0
    for k, child in enumerate(np.random.SeedSequence(seed).spawn(trials)):
        frame = consistency(*trial(np.random.default_rng(child)))
        judged += int((frame["verdict"] != "not checkable").sum())
        wrong = frame[frame["verdict"].isin(["impossible", "other convention"])
                      | frame["convention"].isin(ODD)]
        found.append(wrong.assign(trial=k))
    return pd.concat(found, ignore_index=True), judged


def summary(results: pd.DataFrame, false: pd.DataFrame, judged: int, trials: int,
            seed: int) -> pd.DataFrame:
    """The committed table: counts and shares by change, role and kind, and false alarms."""
    rows = []

    def add(part, change, role, kind):
        if len(part):
            hits = int(part["caught"].sum())
            rows.append(("faults", change, role, kind, part["place"].nunique(), len(part), hits,
                         round(hits / len(part), 4)))

    for change in CHANGES:
        part = results[results["change"] == change]
        add(part, change, "all", "all")
        for role in ("checkable", "input", "screened", "flagged", "bound", "unlinked"):
            add(part[part["role"] == role], change, role, "all")
        for kind in sorted(part["kind"].unique()):
            add(part[(part["kind"] == kind) & (part["role"] == "checkable")], change,
                "checkable", kind)
            add(part[part["kind"] == kind], change, "all", kind)
    for verdict in ("impossible", "other convention", "within rounding"):
        count = int((false["verdict"] == verdict).sum())
        rows.append(("correct trials", verdict, "all", "all", trials, judged, count,
                     round(count / max(1, judged), 6)))
    frame = pd.DataFrame(rows, columns=["part", "change", "role", "kind", "numbers", "tried",
                                        "caught", "share"])
    return frame.assign(seed=seed)


def main(arguments=None) -> None:
    """Run the campaign over the paper and write ``mair/data/campaign.csv``."""
    from mair.trial import load

    parser = argparse.ArgumentParser(prog="python -m mair.studies.campaign")
    parser.add_argument("--trial", default="params/mair.yaml")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=PATH)
    chosen = parser.parse_args(arguments)
    sections = load(chosen.trial).sections
    results = faults(numbers.read(), sections, claims_beside(numbers.PATH),
                     workers=chosen.workers)
    false, judged = alarms(SEED, TRIALS)
    table = summary(results, false, judged, TRIALS, SEED)
    table.to_csv(chosen.out, index=False, lineterminator="\n")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
