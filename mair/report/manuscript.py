"""What goes into a manuscript: methods and results in Word, and the reporting checklist."""

import re
from collections import Counter
from pathlib import Path

import jinja2
import pandas as pd
from docx.shared import Inches

from mair.report import fmt, tables_appendix, tables_result, word, words, written
from mair.report.table import Table
from mair.results import records
from mair.sections import measures

PACKAGES = ("numpy", "scipy", "pandas", "statsmodels")
TABLES = {"baseline": tables_result.baseline, "outcomes": tables_result.outcomes,
          "biomarkers": lambda trial, rows: tables_result.outcomes(trial, rows, "biomarkers"),
          "one_visit": tables_result.once,
          "nnt": lambda trial, rows: tables_appendix.nnt(trial, rows[rows["analysis"] == "nnt"])}


def manuscript(trial, whole: Path, rows, first, manifest) -> bytes:
    """Methods from the choices in force, and results in the order of a paper, as a .docx.

    Parameters
    ----------
    trial : Trial
    whole : Path
        The run's folder, with its figures.
    rows : DataFrame
        Columns of ``results.csv``; every number is from there.
    first : mair.report.summary.Summary
    manifest : dict
        Versions.

    Returns
    -------
    bytes
        What is not in the rows has no sentence, table or figure.
    """
    plain = words.plain(trial)
    document, counts = word.blank(trial.synthetic), Counter()
    for line in filter(None, map(str.strip, _text(trial, rows, first, manifest).splitlines())):
        place = re.fullmatch(r"\[(table|figure) (\w+)\] ?(.*)", line)
        if place is None:
            level = len(line) - len(line.lstrip("#"))
            if level == 2:
                word.upright(document)
            document.add_paragraph(plain(line.lstrip("# ")), style="Heading " + str(level)
                                   if level else "Body")
        elif place[1] == "table" and _made(trial, rows, place[2]) and (
                table := TABLES[place[2]](trial, rows)):  # None: nothing of it is estimable
            counts["table"] += 1
            table = table.put(plain)
            word.add(document, table, f"Table {counts['table']}",
                     word.abbreviations(trial, table), trial.synthetic)
        elif place[1] == "figure" and (file := whole / "figures" / f"{place[2]}.png").is_file():
            counts["figure"] += 1
            word.upright(document)
            document.add_picture(str(file), width=Inches(6.2))
            document.inline_shapes[-1]._inline.docPr.set("descr", place[3])
            document.add_paragraph(f"Figure {counts['figure']}. {place[3]}", style="Caption")
    return word.saved(document, trial.title)


def _made(trial, rows, table: str) -> bool:
    """Whether the run has the rows of a table."""
    if table not in (*measures.SECTIONS, measures.ONCE):
        return bool((rows["analysis"] == table).any())
    own = rows[rows["analysis"].isin(measures.SECTIONS)]
    return bool(own["variable"].isin([*measures.variables(trial, table)]).any())


def _text(trial, rows, first, manifest) -> str:
    """The text of the manuscript, its references numbered as they are cited."""
    cited: list[str] = []

    def cite(key: str) -> str:
        cited.extend({key}.difference(cited))
        return f"[{cited.index(key) + 1}]"

    return written.filled(
        "manuscript.j2", trial=trial, chosen=trial.analysis, variable=trial.primary, first=first,
        words=words, fmt=fmt, cite=cite, cited=cited, references=written.data("references"),
        limits=tables_appendix.LIMITS, found=lambda **where: records(rows, **where),
        manifest=manifest, packages=PACKAGES)


def checklist(trial, made, first) -> Table:
    """CONSORT 2025 with its extension for pilot trials, and TIDieR: what answers each item.

    Parameters
    ----------
    trial : Trial
        What its file says under ``about: reported`` answers an item by its number.
    made : collection of str
        The run's files: an item is answered by a table or figure that is there.
    first : mair.report.summary.Summary

    Returns
    -------
    Table
    """
    reported = trial.about.get("reported") or {}
    source = "The publication says" if trial.published else "The trial file says"
    lines = []
    for group, items in written.data("checklist").items():
        for number, one in items.items():
            place = jinja2.Template(one.get("place", "")).render(
                trial=trial, first=first, words=words)
            there = place and ("needs" not in one or one["needs"] in made)
            said = [f"Here: {place.rstrip('.')}."] * bool(there) + (
                [f"{source}: {reported[number]}."] if number in reported else [])
            lines.append((group, number, words.begin(one["asks"]),
                          " ".join(said) or "Authors must write."))
    display = pd.DataFrame(lines, columns=["", "Item", "What is asked for",
                                           "What answers it"])
    return Table("checklist", "Reporting checklist", display.iloc[:, 1:], display.iloc[:, 1:],
                 groups=display[""], cohort=False, notes=(
                     "CONSORT 2025, with what its extension for pilot trials adds (P), and TIDieR "
                     "(T), in short words: the guidelines' own text binds.",))
