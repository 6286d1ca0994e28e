"""Files as programmes leave them: what is inferred of one is said, what cannot be is refused."""

import csv
import os
import resource
import time
from pathlib import Path

import openpyxl
import pandas as pd
import pyreadstat
import pytest
import yaml
from openpyxl.styles import PatternFill
from trials.small import SPEC, long_spec, long_table, merged, put, table, write

from mair.trial import TrialError, load

FILES = yaml.safe_load(Path(__file__).with_name("files.yaml").read_text("utf-8"))

pytestmark = pytest.mark.usefixtures("here")


def said(data: str, changes: dict | None = None, spec: dict = SPEC) -> list[str]:
    """What is said of the small trial with this data file: notices, or problems after a bang."""
    write(merged(spec, {"data": data, **(changes or {})}), [])
    try:
        trial = load("trial.yaml")
    except TrialError as refused:
        return ["!", *refused.problems]
    assert trial.n() == 6
    return trial.told


def frame() -> pd.DataFrame:
    """The small trial, numbers as numbers."""
    head, *rows = table()
    of = pd.DataFrame(rows, columns=head).replace("", None)
    return of.apply(lambda column: pd.to_numeric(column) if column.name in (
        "id", "age", "sessions") or column.name[-1] in "012" else column)


def workbook(change=lambda sheet: None, before=None) -> str:
    frame().to_excel("x.xlsx", index=False, sheet_name="Sheet")
    book = openpyxl.load_workbook("x.xlsx")
    change(book.active)
    if before:
        book.create_sheet(before, 0)
    book.save("x.xlsx")
    return "x.xlsx"


def text(change, encoding="utf-8", decimal=".", **how) -> str:
    lines = table()
    put(lines, 2, "edu", "é")
    for line in lines[1:]:
        line[9:] = [cell.replace(".", decimal) for cell in line[9:]]
    change(lines)
    with open("x.csv", "w", encoding=encoding, newline="") as file:
        csv.writer(file, **how).writerows(lines)
    return "x.csv"


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, of in FILES.items()
                                            for name in of])
def test_files_as_programmes_leave_them(kind, name):
    case = FILES[kind][name]

    def change(of):
        for method, *arguments in case.get("do", ()):
            getattr(of[case["row"]] if "row" in case else of, method)(*arguments)

    found = said((workbook if kind == "xlsx" else text)(change, **case.get("as", {})),
                 case.get("change"))
    assert found == ["!"] * ("says" in case) + [
        f"x.{kind}: {line}" for line in case.get("says") or case.get("notes", ())]


def test_a_coloured_cell_at_the_end_of_the_sheet_costs_nothing():
    def colour(sheet):
        sheet.cell(1_048_576, 16_384).fill = PatternFill("solid", fgColor="FFFF00")

    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert said(workbook(colour)) == []
    assert time.monotonic() - start < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


def test_what_is_far_too_large_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr("mair.trial.readers.MOST_BYTES", 3000)
    assert said(workbook())[1].endswith("bytes, expected the trial's data of 3000 or fewer")
    monkeypatch.setattr("mair.trial.readers.MOST_BYTES", os.path.getsize("x.xlsx") + 1)
    assert said("x.xlsx") == ["!", "x.xlsx: more than 0 MB when unpacked"]


@pytest.mark.parametrize(("kind", "writer"), [
    ("csv", "to_csv"), ("xlsx", "to_excel"), ("dta", "to_stata"), ("parquet", "to_parquet"),
    ("sav", None)])
def test_a_date_is_a_date_in_every_format(kind, writer):
    of = frame().assign(born=pd.date_range("1960-01-05", periods=6))
    if writer:
        getattr(of, writer)(f"x.{kind}", **{"write_index" if kind == "dta" else "index": False})
    else:
        pyreadstat.write_sav(of.assign(born=of["born"].dt.date), "x.sav")
    assert said(f"x.{kind}", {"baseline": ["born"]}) == [
        "!", f"x.{kind}: column born: a date, expected numbers, text or labels (baseline.born); "
        "give an age in years instead"]


def test_columns_that_differ_by_a_blank_do_not_replace_each_other():
    frame().assign(**{"age ": 1.0}).to_parquet("x.parquet")
    assert said("x.parquet")[1] == (
        "x.parquet: column age: stands more than once in the file, expected by baseline.age as "
        "age (1), age (2) and so on")


def test_a_labelled_code_for_missing_is_refused_until_it_is_declared():
    of = frame()
    of.loc[1, "crp_1"] = 999
    pyreadstat.write_sav(of, "x.sav", variable_value_labels={"crp_1": {999: "Missing"}})
    assert said("x.sav") == [
        "!", "x.sav: column crp_1: 999 in 1 cell is labelled 'Missing', expected numbers (read: "
        "{missing: [999]} makes it missing)"]
    assert said("x.sav", {"read": {"missing": [999]}}) == [
        "x.sav: column crp_1: 999 is read as missing in 1 cell (read.missing)"]
    pyreadstat.write_sav(of, "x.sav", missing_ranges={"crp_1": [999]})
    assert said("x.sav") == []


def test_levels_stand_in_the_order_of_the_labels_where_that_is_asked_for():
    of = frame().assign(edu=[1, 2, 3, 1, 2, 3])
    pyreadstat.write_sav(of, "x.sav", variable_value_labels={"edu": {1: "none", 2: "basic",
                                                                    3: "any"}})
    for asked, expected in ((None, ("any", "basic", "none")), ("labels", ("none", "basic", "any")),
                            (["basic", "none", "any"], ("basic", "none", "any"))):
        assert said("x.sav", {"baseline": [{"name": "edu", "levels": asked}]}) == []
        assert load("trial.yaml").baseline[0].levels == expected


# --- long files -------------------------------------------------------------------------


def long_frame() -> pd.DataFrame:
    head, *rows = long_table()
    return pd.DataFrame(rows, columns=head)


def scores_of(spec, frame: pd.DataFrame) -> pd.DataFrame:
    """The primary scores of the small trial in a long file."""
    write(spec, [[*frame], *frame.values.tolist()])
    return load("trial.yaml").scores("FIQ")


def test_an_export_of_redcap():
    """Arm and baseline in the first event, one more event, one repeated instrument."""
    spec = merged(long_spec(), {"ignore": {"visits": ["unscheduled"],
                                           "where": {"instrument": "ae"}}})
    frame = long_frame().assign(instrument="")
    frame.loc[frame["visit"] != "baseline", [*frame][1:10]] = ""
    more = pd.DataFrame([["7", "unscheduled", ""], ["7", "post", "ae"], ["7", "post", "ae"]],
                        columns=["id", "visit", "instrument"])
    found = scores_of(spec, pd.concat([frame, more]).fillna(""))
    trial = load("trial.yaml")
    assert found.equals(scores_of(long_spec(), long_frame()))
    assert trial.ignored == {"ignored: visit unscheduled": 1, "ignored: instrument ae": 2}
    assert trial.told == [
        "trial.csv: column visit: 1 row with 'unscheduled' left out (ignore.visits)",
        "trial.csv: column instrument: 2 rows with 'ae' left out (ignore.where.instrument)"]


def test_a_baseline_in_a_column_of_its_own():
    frame = long_frame()
    first = frame["visit"] == "baseline"
    apart = frame[~first].assign(fiq_before=frame["id"].map(frame[first].set_index("id")["fiq"]))
    spec = merged(long_spec(), {"outcomes": {"FIQ": {"baseline_column": "fiq_before"}},
                                "biomarkers": None, "describe": None})
    assert scores_of(spec, apart).equals(scores_of(long_spec(), frame))


# --- notices ----------------------------------------------------------------------------


@pytest.mark.parametrize("synthetic", [True, False])
def test_a_notice_for_outputs_names_nobody_unless_the_trial_is_synthetic(synthetic):
    lines = table()
    put(lines, 3, "age", "-99")
    write(merged(SPEC, {"synthetic": synthetic}), lines)
    trial = load("trial.yaml")
    line = ("trial.csv: column age: -99 in 1 cell lies far outside the rest; where it means "
            "missing, say read: {missing: [-99]}")
    assert trial.told == [f"{line} (participants 8)"]
    assert trial.notices == (trial.told if synthetic else [line])
