"""The report page: self-contained, readable by everyone, and saying what was run."""

import base64
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import lxml.html
import nbformat
import pandas as pd
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from trials import tiny

from mair import results
from mair.published import provenance
from mair.published.consistency import WORDS
from mair.report import cells, comparison, figure, frames, maps, page, show, summary, words
from mair.report import table as tables
from mair.report.summary import Summary
from mair.report.table import Table
from mair.sections import flow, harms
from mair.trial import load
from mair.trial.errors import ROOT

SVG = base64.b64encode(
    b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>').decode()


def _html(text: str):
    return new_output("display_data", data={"text/html": text, "text/plain": "x"})


def _notebook():
    return new_notebook(cells=[
        new_markdown_cell("# Flow & <em>people</em>\n\nSee [baseline](baseline.py), "
                          "[other](other.py) and $\\hat{\\beta}_{1}$."),
        new_code_cell("import x"),
        new_code_cell("y = 1 < 2"),
        new_markdown_cell("### A step too far\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
        new_code_cell("wide()", outputs=[
            _html("<table style='width:2000px'><tr><td>wide</td></tr></table>"),
            _html(f'<figure><img alt="two lines" src="data:image/svg+xml;base64,{SVG}"></figure>'),
        ]),
        new_markdown_cell("# A second title\n\n## Same\n\n## Same"),
        new_code_cell("print()", outputs=[
            new_output("stream", name="stdout", text="a <b> c"),
            new_output("stream", name="stderr", text="careful"),
            new_output("display_data", data={"text/markdown": "**bold** claim"}),
            new_output("execute_result", data={"text/plain": "<obj>"})])])


GIVEN = yaml.safe_load(Path(__file__).with_name("page.yaml").read_text("utf-8"))
COMPARED = pd.DataFrame(GIVEN["compared"], columns=GIVEN["columns"])


def _trial(**changes):
    return SimpleNamespace(**{**GIVEN["trial"], "n": {"A": 19, "B": 22}.get, "_memo": {},
                              **changes})


FIRST = Summary("Pilot", [("NCT1", "https://x.org/NCT1")], "B < 1", "All", "Nothing",
                {"impossible": 2, "exact": 1},
                [SimpleNamespace(headline="A & B")], [("Harms", "none")])
PRINTED = [{"source": row["source"], "number": row["variable"], "statistic": row["statistic"],
            "printed": row["printed"], "follows": follows, "met": row["verdict"],
            "computed": comparison.shown(row["computed"], row["printed"]), "why": row["why"]}
           for row, follows in zip(COMPARED.to_dict("records"), WORDS, strict=False)]


def _render(folder: Path, trial=None, names=("flow",), compared=COMPARED) -> str:
    (folder / "notebooks").mkdir(exist_ok=True)
    (folder / "tables").mkdir(exist_ok=True)
    (folder / "tables" / "age.csv").write_text("x")
    for name in names:
        nbformat.write(_notebook(), folder / "notebooks" / f"{name}.ipynb")
    with mock.patch.object(words, "plain", lambda _: str):
        return page.render(trial or _trial(), folder, names, {"nnt": "no section responders"},
                           FIRST, [] if compared is None else PRINTED, GIVEN["manifest"])


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    return _render(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def read(html):
    """The page's elements, every one of them closed by its own tag."""
    parser = lxml.html.HTMLParser()
    page = lxml.html.document_fromstring(html, parser=parser)
    assert [one.message for one in parser.error_log if "invalid" not in one.message] == []
    return page


def test_the_page_is_whole_and_its_links_and_levels_lead_somewhere(read, html):
    levels = [int(one.tag[1]) for one in read.xpath("//h1|//h2|//h3|//h4|//h5|//h6")]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    ids = Counter(read.xpath("//@id"))
    assert max(ids.values()) == 1
    inside = [link[1:] for link in read.xpath("//a/@href") if link.startswith("#")]
    assert "published" in inside and set(inside) <= ids.keys()
    assert read.get("lang") == "en"
    assert "<title>SYNTHETIC: Tea &amp; &lt;biscuits&gt;</title>" in html
    assert all(len(read.findall(f".//{one}")) == 1 for one in ("main", "nav", "header", "footer"))
    assert dict(read.find(".//a").attrib) == {"class": "skip", "href": "#content"}
    assert read.xpath("//img/@alt") == [r"\hat{\beta}_{1}", "two lines"]
    assert "harms; costs" in html and "<dt>Interventions" not in html  # words, not tables


def test_nothing_comes_from_elsewhere(read, html):
    assert [dict(one.attrib) for one in read.xpath("//script|//style")] == [{}, {}]
    assert all(one.startswith("data:") for one in read.xpath("//@src|//link/@href"))
    assert "url(" not in html and "@import" not in html


def test_synthetic_is_said_in_a_strip_that_stays_and_at_files_and_end(html):
    assert html.count('<aside class="strip" aria-label="Synthetic data"><strong>SYNTHETIC') == 1
    assert html.count("SYNTHETIC") == 5  # title, strip, files, provenance, footer


def test_real_data_are_not_called_synthetic(tmp_path):
    assert "SYNTHETIC" not in _render(tmp_path, _trial(synthetic=False))


def test_the_first_screen_says_result_findings_and_what_was_left_out(html):
    text = " ".join(re.sub(r"<[^>]+>", " ", html.split("<body>")[1]).split())
    for said in ("Pilot NCT1", "B &lt; 1.", "What else was tried. All",
                 "What would undo it. Nothing", "2 cannot hold as printed", "1 follows",
                 "A &amp; B",
                 "Left out of this run, nnt : no section responders"):
        assert said in text
    assert 'href="https://x.org/NCT1"' in html and 'data-follows="cannot hold as printed"' in html


def test_prose_links_to_other_notebooks_lead_to_their_section(tmp_path):
    both = _render(tmp_path, names=("flow", "baseline"))
    assert '<a href="#baseline">baseline</a>' in both
    assert '<a href="other.py">other</a>' in both


def test_code_without_output_between_is_folded_together(html):
    assert html.count('<details class="code">') == 3
    assert "of flow, cells 2 to 3</span>" in html
    assert "&lt;" in html.split("cells 2 to 3")[1][:900]


def test_outputs_are_escaped(html):
    assert "a &lt;b&gt; c" in html and "&lt;obj&gt;" in html
    assert "<strong>bold</strong> claim" in html
    assert 'class="out stderr">careful' in html


def test_a_formula_that_cannot_be_set_stays_readable():
    assert cells.formula(r"\nosuch{<x>}") == r'<code class="tex">\nosuch{&lt;x&gt;}</code>'
    assert cells.formula("x^2") == cells.formula("x^2")


@pytest.mark.parametrize("output", [
    new_output("display_data", data={"image/png": ""}), _html("<img src='data:,'>"),
    _html('<img alt="" src="data:,">')])
def test_a_picture_without_text_alternative_is_refused(output):
    node = new_notebook(cells=[new_markdown_cell("# A"), new_code_cell("f()", outputs=[output])])
    with pytest.raises(cells.PageError, match=r"flow\.py, cell 2 shows a picture without a text"):
        cells.render("flow", node, ["flow"])


def test_a_notebook_without_a_heading_is_called_by_its_name():
    section = cells.render("flow", new_notebook(cells=[new_code_cell("f()")]), ["flow"])
    assert section.title == "Flow" and "<h2" in section.body


def test_published_numbers_are_one_list_with_both_judgements_in_words(html):
    part = html.split('id="numbers"')[1].split("</table>")[0]
    assert part.count("<tr") == 1 + len(COMPARED)
    for follows, met in zip(WORDS.values(), words.MET.values(), strict=False):
        assert f">{follows}</td>" in part and f">{met}</td>" in part
    assert "prints so under &lt;yates&gt;" in part and "table 2" in part
    choices = html.split('class="filter"')[1].split("</form>")[0]
    assert choices.count("<option>") == len(WORDS) + len(words.MET) + 2


def test_without_published_numbers_nothing_is_said_of_them(tmp_path):
    page = _render(tmp_path, compared=None).split("</style>")[1].split("<script>")[0]
    assert "ublished" not in page.replace('href="#published"', "")


@pytest.mark.parametrize(
    ("value", "printed", "expected"),
    [(52.21053, "52.21", "52.2105"), (16.0, "16", "16"), (15.4, "16", "15.40"),
     (float("nan"), "1", ""), (0.00000123, "<0.001", "1.23e-06"), (0.0, "0.0", "0.000")],
)
def test_computed_numbers_are_shown_with_two_more_digits(value, printed, expected):
    assert comparison.shown(value, printed) == expected


def test_the_comparison_as_table_keeps_every_row_and_full_precision(tmp_path):
    table = comparison.published(COMPARED)
    show.write(table, tmp_path, False, load(ROOT / "params" / "mair.yaml"))
    written = pd.read_csv(tmp_path / "tables" / "published_vs_recomputed.csv", dtype=str)
    assert list(written.columns) == list(COMPARED.columns)
    assert written["computed"].tolist()[:3] == ["52.2105", "78.947", "0.4892"]
    assert (tmp_path / "tables" / "published_vs_recomputed.docx").exists()
    own = COMPARED[~COMPARED["verdict"].isin(["reproduced", "not checkable"])]
    assert sorted(cells[2] for cells in table.cells()) == sorted(own["printed"])
    assert ["retained, RT, followup", "percent", "78.94", "78.9470",
            "follows with rounding: truncated: 78.947"] in table.cells()


def test_estimands_as_table_are_those_of_the_primary_outcome_and_name_both_arms():
    frame = pd.DataFrame(GIVEN["estimands"])
    trial = SimpleNamespace(primary=SimpleNamespace(name="a"), arms=("A", "B"),
                            visit_labels={"post": "after"})
    table = comparison.estimands(frame, trial)
    assert table.display["Visit"].tolist() == ["after"] and len(table.data) == 3
    assert table.display["B, with data of randomised"].tolist() == ["19 of 22"]
    assert table.display["Strategy"].tolist() == ["stopping: treatment policy"]


TAGGED = new_notebook(cells=[
    new_markdown_cell("# Means\n\n*Reads* a file."),
    new_code_cell("1", outputs=[new_output("display_data", metadata={"page": place}, data={
        "text/markdown": f"{place} said"}) for place in ("head", "once", "once")]),
    new_markdown_cell("## What was assumed\n\nNormal", metadata={"tags": ["appendix"]}),
    new_code_cell("2", metadata={"tags": ["fold"]}, outputs=[new_output("display_data", data={
        "text/markdown": "- **One.** −1.0 to 2.0 (p < 0.001)\n- **Two.** more"})]),
    new_markdown_cell("## Small\n\nprint", metadata={"tags": ["fold"]}),
    new_markdown_cell("## Large\n\nprint")])


def test_tags_fold_a_chapter_or_move_it_and_what_is_said_once_stands_once():
    section = cells.render("m", TAGGED, ["m"])
    assert "Reads" not in section.body and "head said" not in section.body
    assert section.body.count("once said") == 1
    moved, = section.moved
    assert (moved.name, moved.title) == ("m-what-was-assumed", "Means: what was assumed")
    assert "Normal" in moved.body and "Normal" not in section.body
    assert '<details class="fold" id="m-point-2"><summary><strong>Two.' in moved.body
    assert "−1.0\u00a0to\u00a02.0" in moved.body and "p\u00a0&lt;\u00a00.001" in moved.body
    assert '<details class="fold" id="m-small"><summary><h3>Small</h3>' in section.body
    assert section.body.index("</details>", section.body.index("m-small")) < (
        section.body.index('<h3 id="m-large">'))


def test_a_notebook_whose_title_is_tagged_is_an_appendix_below_its_heading():
    node = new_notebook(cells=[new_markdown_cell("# A\n\n## B", metadata={"tags": ["appendix"]})])
    section = cells.render("a", node, ["a"])
    assert section.appendix and '<h3 id="a-a">' in section.body and '<h4 id="a-b">' in section.body


def test_tables_and_figures_have_captions_with_a_number_to_come_and_their_files():
    import matplotlib.figure as mpl

    table = Table("t", "Sizes & more", pd.DataFrame({"a": ["x"], "b": ["1"]}), pd.DataFrame())
    fig = mpl.Figure()
    files = figure.render(fig, "f", "alt")
    shown = [_html(tables.html(table, True)),
             _html(figure.html(fig, files["svg"], "alt", "f", "Cu"))]
    body = cells.render("x", new_notebook(cells=[new_code_cell("1", outputs=shown)]), ["x"]).body
    assert '<b>Table №table-t.</b> Sizes &amp; more <small class="flag">SYNTHETIC</small>' in body
    assert '<b>Figure №figure-f.</b> Cu' in body
    assert "<style>" not in body and "gt_heading" not in body
    for file in ("tables/t.csv", "tables/t.docx", "figures/f.svg", "figures/f.png"):
        assert f'href="{file}"' in body


def test_the_first_screen_says_nothing_that_another_agreeing_cohort_refutes(built):
    trial = load(ROOT / "params" / "mair.yaml")
    rows = results.read(built / "results.csv")
    said = summary.summary(trial, rows)
    for visit in ("post", "followup"):
        key = ("robustness", "FIQ", "difference", visit, "tipping-point", "delta")
        low, high, _ = provenance.stored(trial)[key]
        assert high - low > 1 and f"{low:.1f} to {high:.1f} points worse" in said.undo
    assert said.grid.count("in every agreeing cohort found") == 2
    key = ("robustness", "FIQ", "difference", "followup", "ancova,by-arm/kenward-roger", "b")
    assert f"favour MAIR by {-provenance.stored(trial)[key][1]:.1f} to" in said.grid


@pytest.mark.parametrize(("declared", "said"), [
    ({"column": "well"}, "any event, 1 (33.3%) in C and 3 (75.0%) in T"),
    (None, "not recorded in the trial file")])
def test_the_first_screen_says_who_was_harmed_or_that_nobody_wrote_it_down(declared, said):
    trial = tiny.trial(harms=declared)
    rows = pd.concat([flow.rows(trial), harms.rows(trial)])
    assert dict(summary.summary(trial, rows).facts)["Harms"] == said


def test_an_arm_that_is_a_code_is_called_by_its_label():
    trial = replace(tiny.trial(), control="0", labels={"0": "Usual care", "T": "Therapy"})
    assert frames.favours(trial) == ("favours Usual care", "favours T")
    assert [words.arm(trial, arm) for arm in trial.arms] == ["Usual care", "T (Therapy)"]


def test_a_number_stands_in_its_row_and_column_of_the_map_and_prose_names_it_by_number():
    html = maps.facsimiles(pd.DataFrame(**GIVEN["map"]))
    assert re.findall(r'href="#n(\d)" title="(.*?)"( class="\w+")?>(.*?)</a>', html) == [
        ("1", "age, RT, mean", "", "52.2"), ("2", "age, RT, sd", "", "5.9"),
        ("3", "FIQ, difference, post, ci_low", ' class="bad"', "✗ −1.2"),
        ("4", "&lt;b&gt;, n", ' class="free"', "41")]
    rows = [re.sub(r"<[^>]+>", "", row).strip() for row in re.findall(r"<tr>.*</tr>", html)]
    assert rows == ["Table 2RT", "age52.2 (5.9)", "Table 3b", "FIQ, post✗ −1.2", "TextNumbers",
                    "abstract41"]
    said = page._numbered('<b>Figure №map.</b> <a href="#map">The map</a>, '
                          '<a href="#table-none">the table</a>')
    assert said == '<b>Figure 1.</b> <a href="#map">Figure 1</a>, the table'


def test_no_sign_in_a_picture_is_made_a_minus():
    picture = "<img src='data:image/svg+xml,<g transform=\"scale(0.1 -0.1)\"/>' width=\"9\">"
    assert words.plain(load("params/mair.yaml"))(f"-2 to -2 {picture}") == f"−2 {picture}"


def test_a_number_is_no_visit():
    """Visits 0, 1 and 12 of a long file, with labels: a count of 1 is not one of them."""
    trial = replace(load("params/mair.yaml"), visit_labels={
        "0": "start", "1": "month 1", "12": "at a year", "w 1": "week 1"})
    said = "at 0, 0.1 of 12 people (1%), p = 1; w 1"
    assert words.plain(trial)(said) == said.replace("w 1", "week 1")
