"""What a run writes in Word: manuscript, checklist, numbered tables, the audit's workbook."""

import io
import re
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from zipfile import ZipFile

import docx
import openpyxl
import pandas as pd
import pytest
from docx.enum.section import WD_ORIENT

from mair import results
from mair.report import fmt, manuscript, summary, written
from mair.trial import load


def texts(path) -> list[str]:
    """Paragraphs and cells of a document, in order; cells that span columns once."""
    document = docx.Document(path)
    found = [one.text for one in document.paragraphs]
    for table in document.tables:
        for row in table.rows:
            found += [cell.text for cell, last in pairwise([*row.cells, None]) if cell != last]
    return [one.replace("\u00a0", " ") for one in found]


def test_the_manuscript_states_the_results_in_order(built):
    said = texts(built / "tables" / "manuscript.docx")
    captions = [one.removeprefix("SYNTHETIC  ") for one in said
                if re.match(r"(SYNTHETIC  )?(Table|Figure) \d", one)]
    assert [one.split(":")[0].split(" by arm")[0] for one in captions] == [
        "Figure 1. Flow of participants", "Table 1. Baseline characteristics",
        "Table 2. Outcomes", "Table 3. Biomarkers",
        "Table 4. Responders, absolute risk reduction and number needed to treat"]
    value = results.Lookup(results.read(built / "results.csv"))
    key = ("outcomes", "FIQ", "difference", "post", "random-intercept/z")
    contrast = fmt.estimate(*(value(*key, statistic=one) for one in ("b", "ci_low", "ci_high")))
    assert contrast in said and "41 (110)" in said
    methods = " ".join(said)
    for part in ("random", "Wald limits", "Those not seen were left out", "Python 3.", "scipy 1.",
                 "the random seed was 2020", "simulated data", "[1]"):
        assert part in methods, part
    cited = {int(one) for one in re.findall(r"\[(\d+)\]", methods)}
    listed = {int(one) for one in re.findall(r"^(\d+)\. ", "\n".join(said), re.MULTILINE)}
    assert cited == listed == set(range(1, len(cited) + 1))


def test_a_table_without_lines_is_left_out(built):
    """Reductions of a baseline that is zero in a whole arm: rows, but no arms to compare."""
    rows = results.read(built / "results.csv")
    rows = rows[(rows["analysis"] != "nnt") | (rows["arm"] == "overall")]
    one = pd.DataFrame([["nnt", "FIQ >=20%", "overall", "post", "", "zero_baselines", 1.0]],
                       columns=results.COLUMNS)
    versions = {"python": "3", "packages": dict.fromkeys(manuscript.PACKAGES, "1")}
    said = texts(io.BytesIO(manuscript.manuscript(
        load("params/mair.yaml"), built, pd.concat([rows, one]), summary.Summary(), versions)))
    assert "Table 3. Biomarkers" in " ".join(said) and "Table 4" not in " ".join(said)


def test_choices_in_force_change_the_methods(built):
    trial = load("params/mair.yaml", inference="kenward-roger", responder_missing="nonresponder",
                 risk_interval="newcombe", confidence=0.9)
    trial = replace(trial, sections={  # without the difference itself
        **trial.sections, "sample_size": {"sd": 15.2, "mean": 70.8, "relative_difference": 0.2,
                                          "alpha": 0.05, "power": 0.8}})
    rows = results.read(built / "results.csv")
    versions = {"python": "3", "packages": dict.fromkeys(manuscript.PACKAGES, "1")}
    made = [manuscript.manuscript(trial, built, rows, summary.Summary(), versions)
            for _ in range(2)]
    assert made[0] == made[1]
    methods = " ".join(texts(io.BytesIO(made[0])))
    for part in ("a mean of 70.8 and a relative difference of 0.2 with a standard",
                 "Kenward and Roger", "counted as not improved", "Newcombe limits", "90%",
                 "Biometrics 1997;53:983-97"):
        assert part in methods, part


@pytest.mark.parametrize("which", ["built", "built_real"])
def test_word_tables_are_numbered_as_on_the_page_and_hold_no_key(which, request):
    folder = request.getfixturevalue(which)
    page = (folder / "index.html").read_text("utf-8")
    numbers = {name: label for label, name in re.findall(
        r'<b>(Table \d+)\.</b>.*?href="tables/([\w-]+)\.docx"', page, re.DOTALL)}
    assert len(numbers) >= 9 and "robustness" in numbers
    for path in sorted((folder / "tables").glob("*.docx")):
        said = texts(path)
        if path.stem in numbers:
            assert numbers[path.stem] + ". " in said[0], path.name
        assert not re.search(r"№|[a-z]_[a-z]|\.(csv|docx|yaml|xlsx)\b|>=|kenward-roger/|mi-mar",
                             " ".join(said)), path.name
        with ZipFile(path) as packed:
            assert {one.date_time[0] for one in packed.infolist()} == {1980}
        for section in docx.Document(path).sections:
            upright = section.orientation == WD_ORIENT.PORTRAIT
            assert upright == (section.page_width < section.page_height)
    notes = " ".join(texts(folder / "tables" / "baseline.docx")[:9])
    assert "SMD: standardised mean difference" in notes and "SD: standard deviation" in notes
    assert docx.Document(folder / "tables" / "baseline_tests.docx").sections[0].orientation == (
        WD_ORIENT.PORTRAIT)


@pytest.mark.parametrize("name", ["tiny", "once", "yes_no"])
def test_a_trial_that_declares_little_has_a_checklist(name):
    found = manuscript.checklist(load(f"tests/trials/{name}.yaml"), (), SimpleNamespace(design=""))
    assert found.data.set_index("Item").loc["17b"].iloc[-1] == "Authors must write."


def test_the_checklist_names_every_item_and_what_answers_it(built, built_real):
    items = written.data("checklist")
    numbers = [number for own in items.values() for number in own]
    assert len(numbers) == len({*numbers}) and {f"T{i}" for i in range(1, 13)} < {*numbers}
    assert {re.match(r"\d+", one)[0] for one in numbers if one[0].isdigit()} == {
        str(i) for i in range(1, 31)}
    for folder, source in ((built, "The publication says"), (built_real, "The trial file says")):
        table = pd.read_csv(folder / "tables" / "checklist.csv", dtype=str).set_index("Item")
        assert list(table.index) == numbers
        answers = table["What answers it"]
        assert answers["25"].startswith("Here: table of baseline characteristics.")
        assert answers["5b"] == "Authors must write."
        assert set(re.findall(r"The \w+(?: \w+)? says", " ".join(answers))) <= {source}
    assert not set(load("params/mair.yaml").about["reported"]) - set(numbers)


def test_the_workbook_holds_every_row_of_the_audit(built):
    book = openpyxl.load_workbook(built / "tables" / "audit.xlsx")
    sheets = {"Estimands": "estimands", "Published beside recomputed": "published_vs_recomputed",
              "Consistency": "consistency"}
    assert book.sheetnames == list(sheets)
    for title, name in sheets.items():
        frame = pd.read_csv(built / "tables" / f"{name}.csv", dtype=str, keep_default_na=False)
        assert book[title].max_row == len(frame) + 1 and book[title].freeze_panes == "A2"
        assert [cell.value for cell in book[title][1]] == list(frame)
    said = texts(built / "tables" / "published_vs_recomputed.docx")
    assert any("stand in the workbook of the audit" in one for one in said)
