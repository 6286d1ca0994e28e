"""What the audit comes to for a reviewer: three classes, a worksheet to fill, a letter to send."""

import re

import pandas as pd

from mair.published import compare
from mair.published.consistency.engine import SIGN
from mair.published.consistency.findings import in_words
from mair.published.consistency.sheet import GROUPS
from mair.report import fmt, words, written
from mair.report.table import Table
from mair.sections import audit

SHOWN = 6  # numbers of an item that are named
SAID = written.data("worksheet")


def sentence(trial) -> str:
    """The classes of printed numbers, each with its count."""
    sizes = audit.judged(trial)["holds"].value_counts()
    return f"Of {sizes.sum()} printed numbers " + words.listed(
        f"{sizes[name]} {verbs[int(sizes[name] > 1)]}" for name, verbs in SAID["classes"].items()
        if name in sizes)


def queries(trial) -> Table | None:
    """The numbers that cannot hold or need an explanation, and which would do; None: none."""
    own = audit.judged(trial)
    own = own[own["holds"].isin(audit.ASKED)].sort_values("holds", kind="stable")
    if own.empty:
        return None
    display = pd.DataFrame([
        {"Number": where(trial, row), "Printed": row["printed"],
         "By the others": row["computation"], "What would explain it": _explained(row),
         "At random": row["by_chance"]}
        for row in own.to_dict("records")])
    return Table("queries", "Numbers to ask about", display, own, cohort=False,
                 notes=(SAID["at_random"],),
                 groups=own["holds"].map(words.begin).reset_index(drop=True))


def where(trial, row: dict) -> str:
    """The place of a printed number in the paper: its table, line and column."""
    keys = (words.label(trial, row[key]) for key in ("variable", "arm", "time", "statistic")
            if row[key] not in GROUPS)
    return f"{row['source']}: {', '.join(keys)}"


def _explained(row: dict) -> str:
    """What would explain a number, from the convention that it obeys, or its check."""
    if row["holds"] == audit.ASKED[0]:
        explains = SAID["explains"]
        return SIGN if row["convention"] == SIGN else explains.get(
            row["check"], explains["something"])
    said = re.sub(r"\bn=(\d+)", r"\1 people", in_words(row["convention"]))
    return words.METHODS.get(said, said)


def worksheet(trial) -> Table:
    """The questions of two checklists, with what the numbers say to those they can answer."""
    items = [(part["part"], item["asks"], item.get("checks", []))
             for part in SAID["parts"] for item in part["items"]]
    checked = audit.placed(trial)
    rest = set(checked["check"]).difference({"input", "none"}, *(
        checks for *_, checks in items if checks != "rest"))
    frame = pd.DataFrame([
        (part, asks, *_answer(trial, checked[checked["check"].isin(
            rest if checks == "rest" else checks)], bool(checks)), "to be judged")
        for part, asks, checks in items], columns=[
        "part", "Question", "What the numbers say", "Where in the paper", "Judgement"])
    return Table("worksheet", f"Worksheet: {trial.title}", frame.iloc[:, 1:], frame,
                 groups=frame["part"], cohort=False, notes=(SAID["source"],))


def _answer(trial, rows: pd.DataFrame, asked: bool) -> tuple[str, str]:
    """What checks say to a question, and where in the paper."""
    judged = rows[rows["verdict"] != "not checkable"]
    if judged.empty:
        return "no printed number bears on it" if asked else "", ""
    sizes, spots = judged["verdict"].map(audit.CLASSES).value_counts(), _spots(trial, judged)
    said = [f"{sizes[name]}: {name}" for name in audit.ASKED if name in sizes] or ["all agree"]
    more = [f"and {len(spots) - SHOWN} more"] * (len(spots) > SHOWN)
    return f"Of {len(judged)} checks, {words.listed(said)}", "; ".join([*spots[:SHOWN], *more])


def _spots(trial, rows: pd.DataFrame) -> list[str]:
    """The printed numbers, and words, against which rows of the checks speak, by their places,
    with the cell."""
    odd = rows[rows["verdict"].isin(compare.AGAINST)].to_dict("records")
    return list(dict.fromkeys(
        (f"{where(trial, row)} {row['printed']}" + f" ({row['cell']})" * bool(row["cell"])
         ).replace(" -", f" {fmt.MINUS}") for row in odd))


def letter(trial) -> bytes:
    """The queries to the authors as a Word file, numbered, with the numbers and computations."""
    from mair.report import word

    holds, plain, checked = audit.judged(trial)["holds"], words.plain(trial), audit.placed(trial)
    asked = [{"text": f"{plain(one.headline)}. {plain(one.text)}", "printed": spots,
              "impossible": "impossible" in set(rows["verdict"])}
             for one in audit.found(trial) for rows in [checked.loc[list(one.rows)]]
             if (spots := _spots(trial, rows))]
    text = written.filled(
        "letter.j2", citation=trial.about.get("citation") or trial.title, queries=asked,
        printed=len(holds), follow=int((holds == audit.CLASSES["exact"]).sum()))
    document = word.blank()
    for paragraph in filter(str.strip, text.split("\n\n")):
        document.add_paragraph(" ".join(paragraph.split()), style="Body")
    return word.saved(document, f"Queries: {trial.title}")
