"""The report page: self-contained, readable by everyone, and saying what was run."""

from __future__ import annotations

import base64
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from mair.report import cells, comparison, page, show

PIXEL = base64.b64encode(b"not really a png").decode()
SVG = base64.b64encode(
    b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>').decode()


def _html(text: str):
    return new_output("display_data", data={"text/html": text, "text/plain": "x"})


def _png(alt: str | None):
    metadata = {"image/png": {"alt": alt}} if alt is not None else {}
    return new_output("display_data", data={"image/png": PIXEL}, metadata=metadata)


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


COMPARED = pd.DataFrame(
    [("baseline", "age", "RT", "", "", "mean", "52.21", 52.2105, "reproduced", "", "table 2",
      "stands alone"),
     ("flow", "retained", "RT", "followup", "", "percent", "78.94", 78.947, "within rounding",
      "truncated: 78.947", "section 3.1", "follows with rounding"),
     ("baseline", "own_home", "difference", "", "pearson", "p", "0.76", 0.4892,
      "not reproduced", "prints so under <yates>", "table 2", "cannot hold as printed"),
     ("baseline", "sex", "difference", "", "pearson", "p", "0.27", float("nan"),
      "not checkable", "not estimable", "table 2", "stands alone")],
    columns=["analysis", "variable", "arm", "time", "method", "statistic", "printed", "computed",
             "verdict", "why", "source", "word"])
COUNTED = {"met": 1, "compared": 3, "printed": 4}
MANIFEST = {
    "inputs": {"params/x.yaml": "ab" * 32},
    "parameters": {"analysis": {"seed": 7, "fdr_families": {"outcomes": "o", "biomarkers": None}}},
    "python": "3.11.0",
    "packages": {"numpy": "2.0.0"}}


def _trial(**changes):
    said = {
        "title": "Tea & <biscuits>", "about": {
            "registration": "NCT1", "not_reported": ["harms", "costs"], "interventions": [{"a": 1}],
        },
        "synthetic": True, "has_data": True, "treatment": "B", "control": "A",
        "labels": {"A": "Tea", "B": "B"}, "notices": [], "n": lambda arm: {"A": 19, "B": 22}[arm]}
    return SimpleNamespace(**{**said, **changes})


def _render(folder: Path, trial=None, names=("flow",), compared=COMPARED) -> str:
    (folder / "notebooks").mkdir(exist_ok=True)
    (folder / "tables").mkdir(exist_ok=True)
    (folder / "tables" / "age.csv").write_text("x")
    for name in names:
        nbformat.write(_notebook(), folder / "notebooks" / f"{name}.ipynb")
    counted = None if compared is None else COUNTED
    return page.render(trial or _trial(), folder, names, {"nnt": "no section responders"},
                       compared, counted, MANIFEST)


class _Reader(HTMLParser):
    """Elements of a page, in order, and whether every one is closed."""

    VOID = frozenset({"meta", "link", "img", "br", "hr", "input", "col", "wbr"})

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def named(self, *tags):
        return [attrs for tag, attrs in self.elements if tag in tags]


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    return _render(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def read(html):
    return _Reader(html)


def test_every_element_is_closed(read):
    assert read.open == []


def test_there_is_one_h1_and_no_level_is_skipped(read):
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


def test_ids_are_unique_and_links_within_the_page_lead_somewhere(read):
    ids = Counter(attrs["id"] for _, attrs in read.elements if "id" in attrs)
    assert max(ids.values()) == 1
    inside = [a["href"][1:] for a in read.named("a") if a["href"].startswith("#")]
    assert "published" in inside and set(inside) <= ids.keys()


def test_it_is_titled_has_a_language_and_landmarks(read, html):
    assert read.named("html")[0]["lang"] == "en"
    assert "<title>SYNTHETIC: Tea &amp; &lt;biscuits&gt;</title>" in html
    for landmark in ("main", "nav", "header", "footer"):
        assert len(read.named(landmark)) == 1
    assert read.named("a")[0] == {"class": "skip", "href": "#content"}


def test_nothing_comes_from_elsewhere(read, html):
    assert read.named("script") == []
    for attrs in [attrs for _, attrs in read.elements]:
        assert not attrs.get("src", "data:").startswith(("http", "//"))
    assert all(a["href"].startswith("data:") for a in read.named("link"))
    assert "url(" not in html and "@import" not in html


def test_every_picture_has_a_text_alternative(read):
    assert [img["alt"] for img in read.named("img")] == [r"\hat{\beta}_{1}", "two lines"]


def test_synthetic_is_said_at_the_top_and_at_every_section(html):
    assert html.count('class="synthetic"') == 4  # header, notebook, published, footer


def test_real_data_are_not_called_synthetic(tmp_path):
    assert "SYNTHETIC" not in _render(tmp_path, _trial(synthetic=False))


def test_the_summary_says_who_and_what(html):
    summary = re.sub(r"<[^>]+>|\s+", " ", html.split('id="summary"')[1].split("</section>")[0])
    for said in ("Randomised to B 22", "Randomised to A 19 Tea", "1 of 3",
                 "published numbers that this run computes, of 4 printed", "1 of 2",
                 "nnt : no section responders"):
        assert said in re.sub(r" +", " ", summary)


def test_the_header_shows_words_not_tables(html):
    assert "harms; costs" in html and "<dt>Interventions" not in html


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


@pytest.mark.parametrize("output", [_png(None), _png(" "), _html("<img src='data:,'>"),
                                    _html('<img alt="" src="data:,">')])
def test_a_picture_without_text_alternative_is_refused(output):
    node = new_notebook(cells=[new_markdown_cell("# A"), new_code_cell("f()", outputs=[output])])
    with pytest.raises(page.PageError, match=r"flow\.py, cell 2 shows a picture without a text"):
        cells.render("flow", node, ["flow"])


def test_a_picture_with_text_alternative_is_embedded():
    node = new_notebook(cells=[new_code_cell("f()", outputs=[_png('a "b"')])])
    section = cells.render("flow", node, ["flow"])
    assert 'alt="a &quot;b&quot;" src="data:image/png;base64,' in section.body
    assert section.title == "Flow"


def test_published_numbers_stand_by_place_with_mark_and_words(html):
    part = html.split('id="published"')[1]
    for symbol, name, verdict in (("✓", "yes", "reproduced"), ("≈", "near", "within rounding"),
                                  ("✗", "no", "not reproduced"), ("–", "none", "not checkable")):
        mark = f'<span class="mark {name}"><span aria-hidden="true">{symbol}</span> {verdict}'
        assert mark in part
    assert "prints so under &lt;yates&gt;" in part
    deviating = part.split('id="published-deviating"')[1].split('id="published-all"')[0]
    assert deviating.count("<tr>") == 3  # the header, and the two that are not as printed
    assert part.count('<details class="place"') == 2


def test_without_published_numbers_nothing_is_said_of_them(tmp_path):
    assert "ublished" not in _render(tmp_path, compared=None).split("</style>")[1]


@pytest.mark.parametrize(
    ("value", "printed", "expected"),
    [(52.21053, "52.21", "52.2105"), (16.0, "16", "16"), (15.4, "16", "15.40"),
     (float("nan"), "1", ""), (0.00000123, "<0.001", "1.23e-06"), (0.0, "0.0", "0.000")],
)
def test_computed_numbers_are_shown_with_two_more_digits(value, printed, expected):
    assert comparison.shown(value, printed) == expected


def test_the_comparison_as_table_keeps_every_row_and_full_precision(tmp_path):
    show.write(comparison.published(COMPARED), tmp_path)
    written = pd.read_csv(tmp_path / "tables" / "published_vs_recomputed.csv", dtype=str)
    assert list(written.columns) == list(COMPARED.columns)
    assert written["computed"].tolist()[:3] == ["52.2105", "78.947", "0.4892"]
    assert (tmp_path / "tables" / "published_vs_recomputed.docx").exists()
    table = comparison.published(COMPARED)
    assert table.blocks() == [("table 2", [0, 1, 2]), ("section 3.1", [3])]
    assert table.cells()[3] == ["retained, RT, followup", "percent", "78.94", "78.9470",
                                "follows with rounding: truncated: 78.947"]


def test_estimands_as_table_name_both_arms():
    frame = pd.DataFrame({
        "analysis": ["outcomes", "nnt", "outcomes"], "variable": ["a", "a", "b"],
        "arm": "difference", "time": ["post", "post", ""], "method": "m", "population": "all",
        "strategy": "stopping: treatment policy", "summary": "difference",
        "n_randomised_A": 19, "n_with_data_A": 16, "rows_A": 30,
        "n_randomised_B": 22, "n_with_data_B": 19, "rows_B": 40})
    table = comparison.estimands(frame, ("A", "B"))
    assert table.display["Variable"].tolist() == ["a, post", "b", "a, post"]
    assert table.display["B, with data of randomised"].tolist() == ["19 of 22"] * 3
    assert table.groups.tolist() == ["outcomes", "outcomes", "nnt"]
    assert table.display["Strategy"].tolist() == ["stopping: treatment policy"] * 3
