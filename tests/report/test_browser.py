"""The report as a reader's browser shows it: whole, offline, readable on a telephone.

The default trial (synthetic, with published numbers) and Beat the Blues (real, without).
"""

import io
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pypdf
import pytest
from axe_playwright_python.sync_playwright import Axe

from mair import results
from mair.report import fmt, words

pytestmark = pytest.mark.browser
WIDTHS = (1280, 390)
TRIALS = ("default", "real")


@dataclass
class Opened:
    """A report in a tab, and what the tab said and asked for while it was read."""

    folder: Path
    tab: object
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __call__(self, script: str, argument=None):
        return self.tab.evaluate(script, argument)

    def resize(self, width: int) -> None:
        self.tab.set_viewport_size({"width": width, "height": 800})


def _open(browser, folder: Path) -> Opened:
    """Open a report, everything that is folded away unfolded."""
    context = browser.new_context(viewport={"width": WIDTHS[0], "height": 800})
    opened = Opened(folder, context.new_page())
    page = (folder / "index.html").as_uri()

    def answer(route):
        opened.asked.append(route.request.url)
        if route.request.url == page:
            route.continue_()
        else:
            route.abort()

    context.route("**/*", answer)
    opened.tab.on("console", lambda message: opened.said.append(message.text))
    opened.tab.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.tab.goto(page)
    opened("document.querySelectorAll('details').forEach(folded => folded.open = true)")
    return opened


@pytest.fixture(scope="module")
def default(browser, built) -> Opened:
    return _open(browser, built)


@pytest.fixture(scope="module")
def real(browser, built_real) -> Opened:
    return _open(browser, built_real)


@pytest.fixture(scope="module")
def once(browser, built_once) -> Opened:
    return _open(browser, built_once)


@pytest.fixture(params=TRIALS)
def report(request) -> Opened:
    return request.getfixturevalue(request.param)


def test_the_watch_sees_what_it_should(browser, tmp_path):
    (tmp_path / "index.html").write_text(
        "<img src='http://127.0.0.1:9/a.png'><link rel=stylesheet href='b.css'>"
        "<script>console.warn('careful'); throw Error('broken')</script>")
    opened = _open(browser, tmp_path)
    assert {url.rsplit("/", 1)[-1] for url in opened.asked} == {"index.html", "a.png", "b.css"}
    assert {"careful", "broken"} <= set(opened.said)
    opened.tab.context.close()


def test_it_asks_for_nothing_and_complains_of_nothing(report):
    for width in WIDTHS:  # what loads late loads when it is scrolled to
        report.resize(width)
        report("scrollTo(0, document.documentElement.scrollHeight)")
    report.tab.emulate_media(media="print")
    report.tab.emulate_media(media="screen")
    assert report.said == []
    assert report.asked == [(report.folder / "index.html").as_uri()]


def test_every_picture_is_drawn_and_has_words(report):
    pictures = report("[...document.images].map(i => ({alt: i.alt.trim(), width: i.naturalWidth}))")
    assert len(pictures) >= len(list((report.folder / "figures").glob("*.svg"))) > 0
    assert [p for p in pictures if not p["alt"] or not p["width"]] == []
    unnamed = report("""[...document.querySelectorAll('[role=img], svg:not([aria-hidden=true])')]
        .filter(e => !e.ariaLabel && !e.querySelector('title')).map(e => e.outerHTML)""")
    assert unnamed == []


LAYOUT = Path(__file__).with_name("layout.js").read_text("utf-8")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_document_does_not_scroll_sideways_but_its_tables_do(report, width):
    report.resize(width)
    found = report(LAYOUT)
    assert found["document"] <= found["window"] == width
    assert found["beyond"] == [] and found["tables"] == [] and found["small"] == []
    if width == min(WIDTHS):
        assert len(found["scrolling"]) >= 3
    assert [s["what"] for s in found["scrolling"] if not s["keyboard"]] == []


UNMARKED = """[...document.querySelectorAll('figure.table, figure.picture')].filter(f =>
    !f.innerText.includes('SYNTHETIC') && !f.querySelector('img')?.src.includes('id="synthetic"')
    && !f.querySelector('img')?.src.includes('id=%22synthetic%22')
    && !f.parentElement.querySelector('summary .flag')).map(f => f.id)"""


def _pictures(report) -> list[str]:
    """The embedded pictures' own SVG."""
    sources = report("[...document.querySelectorAll('figure img')].map(i => i.src)")
    return [unquote(source.split(",", 1)[1]) for source in sources]


def test_synthetic_stays_in_sight_and_is_said_of_every_table_and_figure(default):
    default("scrollTo(0, 5000)")
    assert default("document.querySelector('.strip').getBoundingClientRect().top") == 0
    default("scrollTo(0, 0)")
    assert default("document.title").startswith("SYNTHETIC")
    cohort = {"figure-primary", "figure-trajectories", "table-outcomes", "table-nnt",
              "table-robustness", "figure-tipping"}  # others may hold printed numbers alone
    assert cohort & set(default(UNMARKED)) == set()
    assert cohort <= set(default("[...document.querySelectorAll('figure')].map(f => f.id)"))


def test_synthetic_is_said_nowhere_of_real_people(real):
    assert "SYNTHETIC" not in real.tab.content()
    assert [svg[-80:] for svg in _pictures(real) if 'id="synthetic"' in svg] == []
    assert len(_pictures(real)) == len(list((real.folder / "figures").glob("*.svg"))) > 0


BOX = """texts => texts.map(text => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const at = walk.currentNode.data.indexOf(text);
    if (at < 0 || !walk.currentNode.parentElement.checkVisibility()) continue;
    const range = document.createRange();
    range.setStart(walk.currentNode, at);
    range.setEnd(walk.currentNode, at + text.length);
    return range.getBoundingClientRect().toJSON();
  }
  return null;
})"""


@pytest.mark.parametrize("width", WIDTHS)
def test_the_first_screen_holds_result_interval_n_and_the_first_finding(default, width):
    default.resize(width)
    default("scrollTo(0, 0)")
    rows = {row.statistic: row.value for row in results.read(
        default.folder / "results.csv").query(
        "analysis == 'outcomes' and variable == 'FIQ' and arm == 'difference' and time == 'post'"
        " and method == 'random-intercept/z'").itertuples()}
    interval = fmt.ci(-rows["ci_high"], -rows["ci_low"], 1).replace(" ", "\u00a0")
    title = default("document.querySelector('.findings a').innerText")
    wanted = [f"{-rows['b']:.1f} points", interval, f"n\u00a0=\u00a0{rows['n']:g}", title,
              "cannot hold as printed"]
    for text, box in zip(wanted, default(BOX, wanted), strict=True):
        assert box, text
        assert box["left"] >= 0 and box["right"] <= width, text
        assert box["top"] >= 0 and box["bottom"] <= 800, text
    if width == max(WIDTHS):
        picture = default("document.querySelector('#figure-primary img')"
                          ".getBoundingClientRect().toJSON()")
        assert picture["bottom"] <= 800


def test_the_page_is_short_small_and_light_before_it_is_unfolded(browser, report):
    page = report.folder / "index.html"
    assert page.stat().st_size < 2_700_000
    tab = browser.new_page(viewport={"width": WIDTHS[0], "height": 800})
    tab.goto(page.as_uri())
    assert tab.evaluate("document.documentElement.scrollHeight") <= 15 * 800
    assert tab.evaluate("[...document.querySelectorAll('*')].filter("
                        "e => e.checkVisibility()).length") < 6000
    heads = tab.evaluate("[...document.querySelectorAll('th')].filter(e => e.checkVisibility())"
                         ".map(e => e.textContent.replace(/\\s/g, ''))")
    pdf = tab.pdf(format="A4", prefer_css_page_size=True, tagged=True)
    pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
    text = "".join("".join(page.extract_text() for page in pages).split())
    assert len(pages) <= 25 and len(heads) > 20
    assert [head for head in heads if head not in text] == []
    assert b"/StructTreeRoot" in pdf
    tab.close()


@pytest.mark.parametrize(("width", "scheme", "trial", "options"), [
    (1280, "light", "built", {}), (1280, "dark", "built", {"runOnly": ["color-contrast"]}),
    (390, "light", "built_real", {"rules": {"color-contrast": {"enabled": False}}})])
def test_axe_finds_nothing(browser, request, width, scheme, trial, options):
    tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme,
                           bypass_csp=True)
    tab.goto((request.getfixturevalue(trial) / "index.html").as_uri())
    if width == 390:  # where something is folded its colours are those of the others
        tab.evaluate("document.querySelectorAll('details').forEach(folded => folded.open = true)")
    found = Axe().run(tab, options=options).response["violations"]
    assert [(one["id"], node["target"]) for one in found for node in one["nodes"]] == []
    tab.close()


def test_a_number_of_the_map_leads_to_its_row_whatever_the_filter_hides(default):
    numbers = default("[...document.querySelectorAll('#map a')].map(a => [a.hash, a.innerText])")
    printed = default("""[...document.querySelectorAll('#numbers tbody tr')].map(
        r => ['#' + r.id, r.cells[3].innerText])""")
    assert sorted((place, text.strip("✗◆ ")) for place, text in numbers) == sorted(
        map(tuple, printed)) and len(printed) > 500
    default.tab.select_option("[data-column=met]", words.MET["not reproduced"])
    default.tab.focus("#map a[href='#n1']")
    default.tab.keyboard.press("Enter")
    default.tab.wait_for_selector("#n1:target", state="visible")


def test_on_paper_no_column_is_lost(browser, report):
    """At the width of a sheet, upright or across where a table is set so, less 15 mm a side."""
    tab = browser.new_page(viewport={"width": WIDTHS[0], "height": 800})
    tab.goto((report.folder / "index.html").as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(folded => folded.open = true)")
    tab.emulate_media(media="print")
    for millimetres, those in ((180, "figure:not(.across) th, table.data th"),
                               (267, "figure.across th")):
        tab.set_viewport_size({"width": int(millimetres * 96 / 25.4), "height": 1000})
        lost = tab.evaluate("""([those, width]) => [...document.querySelectorAll(those)].filter(e =>
            e.checkVisibility() && e.getBoundingClientRect().right > width + 1)
            .map(e => e.innerText + ' ' + e.getBoundingClientRect().right)""",
            [those, int(millimetres * 96 / 25.4)])
        assert lost == [], millimetres
    tab.close()


RAW = re.compile(r"\b\w*[a-z]_[a-z]\w*|random-intercept/\w*|\bmi-(?:mar|j2r|cr)\b"
                 r"|(?<![-–])\bpost\b(?![-–])")


@pytest.mark.parametrize("report", [*TRIALS, "once"], indirect=True)
def test_no_key_stands_in_what_a_reader_reads(report):
    text = report("""() => {
        const copy = document.querySelector('body').cloneNode(true);
        copy.querySelectorAll('code, pre, script, .code, a[href*="."], .source, .simpletable,'
                              + '.dataframe').forEach(e => e.remove());
        return copy.textContent; }""")
    assert Counter(RAW.findall(text)) == Counter()


def test_the_list_of_printed_numbers_can_be_filtered_and_sorted(default):
    rows = pd.read_csv(default.folder / "tables" / "published_vs_recomputed.csv")
    shown = "[...document.querySelectorAll('#numbers tbody tr')].filter(r => !r.hidden).length"
    default.resize(WIDTHS[0])
    assert default(shown) == len(rows)
    for verdict, word in words.MET.items():
        default.tab.select_option("[data-column=met]", word)
        assert default(shown) == (rows["verdict"] == verdict).sum()
    default.tab.select_option("[data-column=met]", "")
    default.tab.select_option("[data-column=place]", "table 4")
    default.tab.fill(".filter input", "bdnf")
    assert 0 < default(shown) < (rows["source"] == "table 4").sum()
    default.tab.fill(".filter input", "")
    default.tab.select_option("[data-column=place]", "")
    default.tab.focus("#numbers th:nth-child(4) button")
    default.tab.keyboard.press("Enter")
    assert default("document.querySelector('#numbers th:nth-child(4)').ariaSort") == "ascending"
    count = int(default("document.querySelector('.counts .impossible b').innerText"))
    default.tab.click(".counts .impossible a")
    assert default(shown) == count > 0


def test_a_link_into_a_folded_part_opens_it_and_the_contents_mark_the_place(browser, built):
    tab = browser.new_page(viewport={"width": WIDTHS[0], "height": 800})
    tab.goto((built / "index.html").as_uri() + "#power")
    assert tab.evaluate("document.getElementById('power').open")
    tab.wait_for_selector("nav a[aria-current][href='#power']")
    tab.set_viewport_size({"width": WIDTHS[1], "height": 800})
    tab.wait_for_selector("nav details:not([open])")
    tab.close()


def test_captions_are_counted_in_the_order_of_the_page(report):
    for kind in ("Table", "Figure"):
        found = report("[...document.querySelectorAll('figcaption b, summary > b')]"
                       ".map(b => b.innerText)")
        numbers = [int(re.search(r"\d+", text)[0]) for text in found if text.startswith(kind)]
        assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 3


def test_links_lead_somewhere(report):
    ids = Counter(report("[...document.querySelectorAll('[id]')].map(e => e.id)"))
    assert [name for name, count in ids.items() if count > 1] == []
    links = report("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert all(links)
    inside = [link[1:] for link in links if link.startswith("#")]
    assert set(inside) <= ids.keys()
    assert {"flow", "outcomes", "files", "provenance"} <= set(inside)
    outside = [link for link in links if urlsplit(link).scheme]
    assert [link for link in outside if not link.startswith("https://")] == []
    files = {unquote(urlsplit(link).path) for link in links
             if not link.startswith("#") and not urlsplit(link).scheme}
    assert [name for name in files if not (report.folder / name).is_file()] == []
    made = {path.relative_to(report.folder).as_posix()
            for folder in ("tables", "figures", "notebooks")
            for path in (report.folder / folder).iterdir()}
    assert made | {"results.csv", "manifest.json"} <= files


def test_the_first_tab_stop_skips_to_the_content(browser, built):
    tab = browser.new_page()
    tab.goto((built / "index.html").as_uri())
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.getAttribute('href')") == "#content"
    box = tab.evaluate("document.activeElement.getBoundingClientRect().toJSON()")
    assert box["left"] >= 0 and box["top"] >= 0 and box["width"] > 0
    tab.close()


@pytest.mark.parametrize(("required", "status", "said"), [
    ("0", 0, "1 skipped"), ("1", 1, "MAIR_REQUIRE_BROWSER=1, but this was skipped: Chromium is")])
def test_without_chromium_a_test_skips_or_fails_where_it_must_not(tmp_path, required, status, said):
    shutil.copy(Path(__file__).parents[1] / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = browser\n")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\n@pytest.mark.browser\ndef test_it(browser): pass\n")
    made = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider"], cwd=tmp_path,
        env={**os.environ, "PATH": str(tmp_path), "MAIR_REQUIRE_BROWSER": required},
        capture_output=True, text=True, check=False)
    assert said in made.stdout
    assert made.returncode == status
