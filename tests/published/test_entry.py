"""A paper entered as printed: its cells, its slips, and the paper behind this repository."""

import io
import re
import shutil
from pathlib import Path

import docx
import openpyxl
import pandas as pd
import pytest
import yaml

from mair.published import entry, numbers, template
from mair.published.consistency import consistency, findings, worst
from mair.published.consistency.sheet import Sheet
from mair.report import reviewer
from mair.run import paper, papers
from mair.sections import audit
from mair.trial import load
from mair.trial.errors import ROOT, TrialError

CELLS = pd.read_csv(Path(__file__).with_name("entry_cells.csv"), dtype=str, keep_default_na=False)
MAIR = ROOT / "params" / "mair_paper"


@pytest.mark.parametrize(("cell", "layout", "printed"), CELLS.to_numpy().tolist())
def test_a_cell_is_read_as_printed(cell, layout, printed):
    statistics = entry.LAYOUT["choices"]["layout"][layout]
    if printed == "!":
        with pytest.raises(ValueError, match=re.escape(cell)):
            entry.numbers(cell, statistics)
        return
    found = entry.numbers(cell, statistics)
    assert [one for _, one, _ in found] == printed.split()
    assert [name for name, *_ in found] == statistics[:len(found)]
    assert all(numbers.PRINTED.fullmatch(one) for one in printed.split())


def test_the_paper_entered_from_its_tables_is_the_published_file(tmp_path):
    book = template.write(tmp_path / "book.xlsx", entry.sheets(MAIR))
    for path in (MAIR, book):
        alone = paper.opened(path, tmp_path)
        for name in ("published.csv", "claims.csv"):
            assert (tmp_path / name).read_bytes() == (ROOT / "mair" / "data" / name).read_bytes()
    whole = load("params/mair.yaml")
    printed = numbers.read()
    pd.testing.assert_frame_equal(consistency(printed, alone.sections),
                                  consistency(printed, whole.sections))
    assert alone.visit_labels == whole.visit_labels and alone.labels == whole.labels


def fill(path: Path, cells: dict[str, dict[str, str]]) -> Path:
    """A template with cells typed into it, by sheet and place."""
    book = openpyxl.load_workbook(template.write(path))
    for sheet, typed in cells.items():
        for place, text in typed.items():
            book[sheet][place] = text
    book.save(path)
    return path


TYPED = yaml.safe_load(Path(__file__).with_name("typed.yaml").read_text("utf-8"))


def test_a_template_filled_by_hand_is_read(tmp_path):
    found = entry.Reader(fill(tmp_path / "tiny.xlsx", TYPED)).read()
    rows = [",".join(row[:8]) for row in found.published.itertuples(index=False, name=None)]
    for row in ("flow,randomised,C,,,n,20,table 1", "baseline,sex,T,,,percent,30,table 1",
                "baseline,age,difference,,welch,p,0.78,table 1",
                ",allocation,overall,,declared,block_size,4,methods",
                "outcomes,Pain,C,before,described,n,18,table 2",
                "outcomes,Pain,T,after,described,sd,2.0,table 2",
                "outcomes,Pain,difference,after,ancova/kenward-roger,ci_low,-2.3,table 2",
                "outcomes,Pain,difference,after,ancova/kenward-roger,p,>0.05,table 2"):
        assert row in rows
    assert found.trial["outcomes"]["Pain"]["range"] == ["0", "10"] and found.claims.empty


def test_every_slip_is_one_line_with_sheet_and_cell(tmp_path):
    wrong = {"facts": {"B7": "", "B19": "ancova"}, "scales": {"D2": "low"},
             "table 1": {"E9": "5 25.0 1", "A11": "height", "C11": "mean and SD"},
             "table 2": {"B10": "aftr", "F3": "treated"},
             "text": {"G3": "3", "A3": "abstract", "A4": "abstract", "B4": "flow",
                      "C4": "randomised", "F4": "n", "G4": "41"}}
    path = fill(tmp_path / "tiny.xlsx", {k: {**v, **wrong.get(k, {})} for k, v in TYPED.items()})
    with pytest.raises(TrialError) as refused:
        entry.Reader(path).read()
    said = [line.partition("tiny.xlsx: sheet ")[2] for line in refused.value.problems]
    for line in ("facts, B19: 'ancova', expected a word that is known here, such as analysis of co",
                 "facts: treatment arm is empty", "scales, D2: 'low', expected a number",
                 "table 1, E9: '5 25.0 1', expected n (%), so 2 numbers",
                 "table 1, C11: 'mean and SD', expected a word that is known here, such as mean",
                 "table 2, B10: 'aftr', expected a word that is known here, such as after",
                 "table 2, F3: 'treated'", "text, G3: 3, expected nothing here", "text, G4: "):
        assert [one for one in said if one.startswith(line)], (line, said)
    assert all("\n" not in line for line in refused.value.problems)


TINY = Path(__file__).with_name("tiny_paper")


def changed(folder: Path, kind: str, old: str, new: str) -> Path:
    """The tiny paper with a text replaced in one of its sheets."""
    shutil.copytree(TINY, folder)
    file, = folder.glob(f"*-{kind}.csv")
    text = file.read_text("utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), "utf-8")
    return folder


def test_people_at_the_head_of_a_column_are_those_of_its_arm_and_visit():
    """Whatever the line; a line that says it again is the same number; and a p beside the last
    class, alone, is of the variable."""
    found = entry.Reader(TINY).read()
    n = found.published[found.published["statistic"] == "n"].query("variable == 'Pain'")
    assert n[["arm", "time", "printed"]].to_numpy().tolist() == [
        ["C", "pre", "20"], ["C", "post", "18"], ["T", "pre", "22"], ["T", "post", "19"]]
    sheet = Sheet(found.published, found.trial)
    for time, people in (("pre", "22"), ("post", "19")):
        mean = sheet.get("outcomes", "Sleep", "T", time, "mean")
        assert sheet.size(mean).printed == people
    p = found.published[found.published["statistic"] == "p"]
    assert p["variable"].tolist() == ["Pain", "Sleep", "Work", "sex: women", "sex: men"]
    limits = found.published.query("statistic == 'change_low'")["printed"].tolist()
    assert limits == ["-3.1", "-5.1"]


@pytest.mark.parametrize(("kind", "old", "new", "said"), [
    ("table", ",,n,,,18", ",,n,,,17",
     "F9: 17, expected each number of a place once: sheet 3-table, F6 has 18"),
    ("scale", "100", "100,,lower,yes",
     "H3: 'yes', expected one primary outcome, which Pain is already"),
    ("claim", ",no,", ",not significant,", "E2: 'not significant', expected word: yes, no"),
    ("claim", "Pain", "pain", "C2: 'pain', expected variable: *, "),
    ("claim", "significant,outcomes,Pain,post,no", "larger,outcomes,Pain,post,later",
     "E2: 'later', expected word: pre, post")])
def test_a_second_number_primary_or_an_unknown_word_is_named(tmp_path, kind, old, new, said):
    with pytest.raises(TrialError) as refused:
        entry.Reader(changed(tmp_path / "paper", kind, old, new)).read()
    line, = refused.value.problems
    assert said in line


def test_the_template_offers_lists_from_a_protected_sheet(tmp_path):
    book = openpyxl.load_workbook(template.write(tmp_path / "new.xlsx"))
    assert book.sheetnames == ["README", "facts", "scales", "text", "table 1", "table 2", "claims",
                               "choices"]
    assert book["choices"].protection.sheet and book["choices"].sheet_state == "hidden"
    assert all(book[name].data_validations.count for name in book.sheetnames[1:6])
    assert {cell.number_format for row in book["table 1"]["A1:P60"] for cell in row} == {"@"}
    for name in ("new.xlsx", "folder"):
        path = tmp_path / name
        if name == "folder":
            template.write(path)
        with pytest.raises(TrialError, match="exists, expected a new file"):
            template.write(path)
    assert [one.cells for one in entry.sheets(path)] == [one.cells for one in template.grids()]
    assert all(word in (path / "0-README.csv").read_text() for words in entry.LAYOUT[
        "choices"].values() for word in words)


def test_an_entered_paper_runs_alone_and_again_writes_nothing(tmp_path, capsys):
    file, out = fill(tmp_path / "tiny.xlsx", TYPED), tmp_path / "out"
    paper.main(str(file), out=str(out))
    first = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    paper.main(str(file), out=str(out))
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == first
    assert len(numbers.read(out / "published.csv")) == 29
    assert "printed: " in capsys.readouterr().out
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "x").write_text("kept")
    with pytest.raises(TrialError, match="holds no manifest"):
        paper.main(str(file), out=str(tmp_path / "theirs"))


def test_a_baseline_table_alone_is_audited(tmp_path):
    """One visit, no outcome: a percentage that is not its count's, asked about by its cell."""
    typed = {"facts": {**TYPED["facts"], "B9": "before", "B13": "2", "B14": "15"},
             "table 1": {**TYPED["table 1"], "F9": "6 (99)"}}
    trial = paper.opened(fill(tmp_path / "tiny.xlsx", typed), tmp_path / "paper")
    own, cells = audit.judged(trial), audit.cells(trial)
    odd = own["verdict"] == "impossible"
    assert list(own.loc[odd, "printed"]) == ["99"] and not trial.outcomes
    assert list(cells[odd]) == ["sheet table 1, F9"] and (cells != "").all()
    assert own.loc[odd, "by_chance"].tolist() == ["of 100 values from 0 to 99, 4 would have passed"]
    assert "|20 - 2 x 20| = 20, at most 40 with blocks of 4" in set(own["computation"])
    letter = docx.Document(io.BytesIO(reviewer.letter(trial)))
    letter = "".join(one.text for one in letter.paragraphs)
    assert " 99 (sheet table 1, F9)." in letter and "would have passed" not in letter
    page = tmp_path / "out"
    paper.main(str(tmp_path / "tiny.xlsx"), out=str(page))
    assert (page / "tables" / "worksheet.docx").is_file()


def test_papers_stand_in_one_table_and_cells_they_share_are_named(tmp_path):
    for name, other in (("one", {"E10": "50.15 (9.92)"}), ("two", {
            "F10": "50.15 (9.92)", "A10": "years", "E9": "5 (35.0)"})):
        fill(tmp_path / "in" / f"{name}.xlsx", {**TYPED, "table 1": {**TYPED["table 1"], **other}})
    papers.main(str(tmp_path / "in"), str(tmp_path / "out"))
    found = {name: pd.read_csv(tmp_path / "out" / "tables" / f"{name}.csv", dtype=str)
             for name in ("papers", "shared")}
    assert list(found["papers"]["Paper"]) == ["one", "two"]
    assert list(found["papers"]["Printed"]) == ["29", "29"]
    assert list(found["papers"]["Cannot hold as printed"]) == ["0", "2"]
    assert found["shared"].to_numpy().tolist() == [
        ["50.15 9.92", "one", "table 1: age, C", "two", "table 1: years, T"]]
    (tmp_path / "in" / "three.xlsx").write_text("no workbook")
    with pytest.raises(TrialError, match=r"three\.xlsx: cannot be read"):
        papers.main(str(tmp_path / "in"), str(tmp_path / "out"))
    with pytest.raises(TrialError, match="holds no paper"):
        papers.main(str(tmp_path / "out" / "rows"), str(tmp_path / "other"))


def test_a_second_paper_entered_from_its_table_alone():
    found = entry.Reader(ROOT / "params" / "cobra_paper").read()
    assert len(found.published) == 164 and set(found.published["source"]) == {"table 2"}
    checked = consistency(found.published, found.trial)
    odd = checked[checked["verdict"] == "impossible"]
    assert set(odd["variable"]) == {"GAD-7", "GAD-7, per protocol"}
    assert set(odd.loc[odd["statistic"] == "b", "printed"]) == {"-0.1", "0.01"}


def test_a_third_paper_entered_from_table_and_abstract():
    """Rise 2012: the three findings that were verified by hand, and no other."""
    found = entry.Reader(ROOT / "params" / "rise_paper").read()
    checked = consistency(found.published, found.trial)
    odd = checked[checked["verdict"].isin(["impossible", "other convention"])]
    assert odd[["check", "variable", "statistic", "printed"]].to_numpy().tolist() == [
        ["stated twice", "TAS", "ci_low", "-0.11"], ["stated twice", "TAS", "ci_high", "0.75"],
        ["stated twice", "PM", "ci_high", "0.42"],
        ["centre", "TAS", "b", "0.32"], ["centre", "SRS", "b", "3.15"],
        ["centre", "TAS", "ci_low", "-0.84"], ["centre", "SRS", "ci_low", "0.07"],
        ["centre", "TAS", "ci_high", "3.16"], ["centre", "SRS", "ci_high", "6.37"],
        ["p value", "TAS", "p", "0.137"], ["p value", "SRS", "p", "0.055"]]
    holds = worst(checked, len(found.published))["verdict"].value_counts().to_dict()
    assert holds == {"not checkable": 104, "exact": 49, "within rounding": 20, "impossible": 11}
    said = {one.headline: one.text for one in findings(checked, found.published, found.trial)}
    assert len(said) == 4
    text, = (text for line, text in said.items() if "The difference of SRS" in line)
    assert "With the other sign ci_low 0.07 would fit" in text
