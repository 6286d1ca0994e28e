"""Tables: one object, three files, equal bytes."""

import io
import re
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import docx as python_docx
import pandas as pd
import pytest
import yaml
from docx.enum.section import WD_ORIENT

from mair.published import provenance
from mair.report import fmt
from mair.report.pivot import Column, Line, pivot
from mair.report.show import Show
from mair.report.table import Table, csv, html
from mair.report.word import docx
from mair.results import Rows

# A trial whose keys need no words of their own.
WORDLESS = {"covariates": (), "baseline": (), "arms": (), "outcomes": {}, "biomarkers": {},
            "visit_labels": {}, "labels": {}}


def baseline(**changes):
    given = yaml.safe_load(Path(__file__).with_name("table.yaml").read_text("utf-8"))
    kinds = {"display": pd.DataFrame, "data": pd.DataFrame, "groups": pd.Series, "notes": tuple}
    return Table(**{**given, **{key: kind(given[key]) for key, kind in kinds.items()}, **changes})


def opened(table):
    known = {"SD": "standard deviation", "CI": "confidence interval", "p": "p value"}
    return python_docx.Document(io.BytesIO(docx(table, synthetic=True, known=known)))


def test_csv_has_full_precision_and_empty_missing():
    lines = csv(baseline()).decode().split("\n")
    assert lines == ["variable,mean,n,seen", f"age,{52.2 / 3!r},19,", "sex,,22,0.1", ""]


def test_docx_holds_the_cells_of_the_display():
    table = baseline()
    rows = [[cell.text for cell in row.cells] for row in opened(table).tables[0].rows]
    assert rows[0] == ["", "RT (n = 19)", "RT (n = 19)", "MAIR (n = 22)"]
    assert rows[1] == ["Variable", "mean (SD)", "p", "mean (SD)"]
    assert rows[4] == ["Education"] * 4
    assert [[cell.replace("\u00a0", " ") for cell in row] for row in rows[2:4] + rows[5:]] == (
        table.cells())


def test_docx_is_a_real_table_with_repeated_headers_and_notes():
    document = opened(baseline())
    grid = document.tables[0]
    assert grid.style.name == "Trial table"
    repeated = [bool(row._tr.xpath("./w:trPr/w:tblHeader")) for row in grid.rows]
    assert repeated == [True, True, False, False, False, False, False]
    assert grid.rows[4].cells[0].paragraphs[0].runs[0].bold
    texts = [p.text for p in document.paragraphs]
    assert texts == ["SYNTHETIC  Table №. Baseline & p < 0.05", "Means (SD); *not* tested.",
                     "A second note.", "SD: standard deviation; p: p value."]
    assert "SYNTHETIC" in document.sections[0].header.paragraphs[0].text


def test_nothing_is_called_synthetic_that_is_not():
    table = baseline()
    content = zipfile.ZipFile(io.BytesIO(docx(table)))
    assert not any(b"SYNTHETIC" in content.read(name) for name in content.namelist())
    assert "SYNTHETIC" not in html(table)


def test_docx_goes_landscape_when_the_columns_need_it():
    assert opened(baseline()).sections[0].orientation == WD_ORIENT.PORTRAIT
    wide = pd.DataFrame({f"column {i}": ["70.79 (11.36)"] for i in range(10)})
    document = opened(baseline(display=wide, groups=None))
    section = document.sections[0]
    assert section.orientation == WD_ORIENT.LANDSCAPE
    room = section.page_width - section.left_margin - section.right_margin
    assert sum(column.width for column in document.tables[0].columns) <= room


def test_docx_bytes_do_not_follow_the_clock(monkeypatch):
    first = docx(baseline())
    monkeypatch.setattr("time.time", lambda: 2e9)  # a zip's clock ticks every two seconds
    monkeypatch.setattr("time.localtime", lambda *_: time.gmtime(2e9))
    assert docx(baseline()) == first
    assert {i.date_time for i in zipfile.ZipFile(io.BytesIO(first)).infolist()} == {
        (1980, 1, 1, 0, 0, 0)}
    core = zipfile.ZipFile(io.BytesIO(first)).read("docProps/core.xml")
    assert set(re.findall(rb"\d{4}-\d\d-\d\dT[\d:]+", core)) == {b"2020-01-01T00:00:00"}


def test_html_is_equal_each_time_marked_and_escaped():
    text = html(baseline(), synthetic=True)
    assert text == html(baseline(), synthetic=True)
    assert 'id="table-baseline"' in text
    assert "SYNTHETIC" in text
    assert "Baseline &amp; p &lt; 0.05" in text
    assert "&lt;0.001" in text and "other &amp; more" in text
    assert "::" not in re.sub(r'(id|headers)="[^"]*"', "", text)
    assert "http" not in text


def test_html_styles_stay_inside_the_table():
    style = re.search(r"<style>(.*?)</style>", html(baseline()), re.S).group(1)
    selectors = [part.split("}")[-1].strip() for part in style.split("{")[:-1]]
    assert selectors
    assert [s for s in selectors if not s.startswith("#table-baseline")] == []


def test_columns_of_numbers_stand_right():
    assert baseline().numeric() == [False, True, True, True]
    words = baseline(display=pd.DataFrame({"a": ["x"], "b": ["two words"], "c": ["−1.2"]}),
                     groups=None)
    assert words.numeric() == [False, False, True]


def test_an_empty_table_still_has_its_headers():
    table = baseline(display=baseline().display.iloc[:0], groups=None)
    assert [c.text for c in opened(table).tables[0].rows[1].cells] == table.headers
    assert "mean (SD)" in html(table)


def test_show_writes_both_files_or_nothing_and_marks_what_is_synthetic(tmp_path, capsys):
    Show(SimpleNamespace(**WORDLESS, synthetic=False))(baseline())
    assert list(tmp_path.iterdir()) == []
    assert "SYNTHETIC" not in capsys.readouterr().out
    show = Show(SimpleNamespace(**WORDLESS, synthetic=True), tmp_path)
    show(None)
    assert list(tmp_path.iterdir()) == []
    show(baseline())
    assert sorted(p.name for p in (tmp_path / "tables").iterdir()) == [
        "baseline.csv", "baseline.docx"]
    assert "SYNTHETIC" in capsys.readouterr().out


ROWS = Rows("outcomes")
for _arm, _mean in (("RT", 61.0), ("MAIR", 1 / 3)):
    ROWS.add("FIQ", _arm, "post", "described", n=19, mean=_mean, sd=None)
ROWS.add("FIQ", "difference", "post", "random-intercept/z", b=-26.4, p=0.01)
LINES = [Line({"Outcome": "FIQ", "Visit": visit}, {"analysis": "outcomes", "variable": "FIQ",
                                                  "time": visit, "rule": "z"}, "Scores")
         for visit in ("baseline", "post")]
COLUMNS = [
    *(Column(f"{arm}::mean (SD)", ("mean", "sd"), fmt.mean_sd, {"arm": arm, "method": "described"},
             arm) for arm in ("RT", "MAIR")),
    Column("B; q", ("b", "q"), lambda b, q: f"{b} {q}",
           {"arm": "difference", "method": "random-intercept/{rule}"}, "model")]


def test_a_pivot_looks_statistics_up_and_leaves_blank_what_has_no_row():
    table = pivot(ROWS.frame(), LINES, COLUMNS, name="x", title="X", notes=["n"])
    assert table.headers == ["Outcome", "Visit", "mean (SD)", "mean (SD)", "B; q"]
    assert table.spanners == {"RT": ["RT::mean (SD)"], "MAIR": ["MAIR::mean (SD)"]}
    assert table.cells() == [["FIQ", "baseline", "", "", ""],
                             ["FIQ", "post", "61.00 (–)", "0.33 (–)", "-26.4 nan"]]
    assert table.blocks() == [("Scores", [0, 1])]
    assert csv(table).decode().splitlines() == [
        "variable,time,rule,RT_mean,RT_sd,MAIR_mean,MAIR_sd,model_b,model_q",
        "FIQ,baseline,z,,,,,,",
        f"FIQ,post,z,61,,{1 / 3!r},,-26.4,"]


def test_a_pivot_refuses_one_name_for_two_numbers():
    doubled = [replace(column, data="x") for column in COLUMNS[:2]]
    with pytest.raises(ValueError, match="x_mean of the data would be both"):
        pivot(ROWS.frame(), LINES, doubled, name="x", title="X")


@pytest.mark.parametrize(("changes", "message"), [
    ({"name": "a/b"}, "a name is letters"),
    ({"groups": pd.Series(["a", "b", "a", "b"])}, "do not stand together"),
    ({"display": pd.DataFrame([["a", "b"]], columns=["c", "c"])}, "two columns 'c'"),
])
def test_a_table_that_cannot_be_shown_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        baseline(**changes)


def test_invented_cells_are_set_apart_with_their_range(tmp_path, capsys, monkeypatch):
    trial = SimpleNamespace(**WORDLESS, synthetic=True, has_data=True, published=tmp_path / "p.csv")
    rows = Rows("outcomes")
    rows.add("Pain", "A", "after", "described", mean=5.25, n=8)
    key = ("outcomes", "Pain", "A", "after", "described")
    table = pivot(rows.frame(), [Line({"": "after"}, {
        "analysis": "outcomes", "variable": "Pain", "time": "after", "arm": "A",
        "method": "described"})], [Column("Mean", ("mean",), "{:.2f}".format),
                                   Column("n", ("n",), "{:g}".format)], name="t", title="Means")
    for kind, spans in (("invented", 1), ("implied", 0), ("printed", 0)):
        origins = {(*key, "mean"): provenance.Origin(kind, 4.5, 6.0),
                   (*key, "n"): provenance.Origin("printed", 8, 8)}
        text = html(table, True, origins)
        assert text.count('<span class="invented" title="over agreeing cohorts 4.50 to 6.00">'
                          "5.25</span>") == spans == text.count("<span")
        monkeypatch.setattr(provenance, "kinds", lambda trial, rows, found=origins: found)
        Show(trial)(table)
        shown = capsys.readouterr().out
        assert ("SYNTHETIC" in shown) == (kind != "printed")
        assert ("Lighter numbers" in shown) == bool(spans)
