"""The report as a reader's browser shows it: whole, offline, readable on a telephone.

The default trial (synthetic, with published numbers) and Beat the Blues (real, without).
"""

from __future__ import annotations

import base64
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
import pytest

from mair.report.table import MARK

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


SECTIONS = "[...document.querySelectorAll('main > section')].map(s => [s.id, s.innerText])"
TABLES = "[...document.querySelectorAll('.gt_table')].map(t => t.innerText)"


def _pictures(report) -> list[str]:
    """The embedded pictures' own SVG."""
    sources = report("[...document.querySelectorAll('figure img')].map(i => i.src)")
    return [base64.b64decode(s.split(",", 1)[1]).decode() for s in sources]


def test_synthetic_is_said_in_every_section_table_and_figure(default):
    sections = default(SECTIONS)
    assert {"summary", "flow", "published", "files"} <= {name for name, _ in sections}
    assert [name for name, text in sections if "SYNTHETIC" not in text] == []
    assert default("document.title").startswith("SYNTHETIC")
    assert [text[:60] for text in default(TABLES) if MARK not in text] == []
    assert [svg[-80:] for svg in _pictures(default) if 'id="synthetic"' not in svg] == []


def test_synthetic_is_said_nowhere_of_real_people(real):
    assert "SYNTHETIC" not in real.tab.content()
    assert [svg[-80:] for svg in _pictures(real) if 'id="synthetic"' in svg] == []
    assert len(_pictures(real)) == len(list((real.folder / "figures").glob("*.svg"))) > 0


def test_the_counts_are_those_of_the_table(default, finished):
    rows = pd.read_csv(default.folder / "tables" / "published_vs_recomputed.csv")
    verdicts, printed = Counter(rows["verdict"]), len(rows)
    met, compared = verdicts["reproduced"], rows["computed"].notna().sum()
    assert re.fullmatch(rf"{printed} printed: \d+ of \d+ follow from one another; {met} of "
                        rf"{compared} met by the cohort, by construction", finished.lines[-1])
    summary = " ".join(default("document.querySelector('#summary').innerText").split())
    assert f"{met} of {compared} published numbers that this run computes, of {printed}" in summary
    for verdict, count in verdicts.items():
        assert re.search(rf"{verdict} {count}\b", summary)
    assert default("document.querySelectorAll('details.place tbody tr').length") == printed
    shown = default("[...document.querySelectorAll('details.place tbody .mark')]"
                    ".map(m => m.lastChild.textContent.trim())")
    assert Counter(shown) == verdicts
    sums = default("[...document.querySelectorAll('.tally tfoot td')].map(c => +c.innerText)")
    order = ("reproduced", "within rounding", "not reproduced", "not checkable")
    assert sums == [*(verdicts[verdict] for verdict in order), printed]


def test_links_lead_somewhere(report):
    ids = Counter(report("[...document.querySelectorAll('[id]')].map(e => e.id)"))
    assert [name for name, count in ids.items() if count > 1] == []
    links = report("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert all(links)
    inside = [link[1:] for link in links if link.startswith("#")]
    assert set(inside) <= ids.keys()
    assert {"summary", "flow", "outcomes", "files"} <= set(inside)
    outside = [link for link in links if urlsplit(link).scheme]
    assert [link for link in outside if not link.startswith("https://")] == []
    files = {unquote(urlsplit(link).path) for link in links
             if not link.startswith("#") and not urlsplit(link).scheme}
    assert [name for name in files if not (report.folder / name).is_file()] == []
    made = {path.relative_to(report.folder).as_posix()
            for folder in ("tables", "figures", "notebooks")
            for path in (report.folder / folder).iterdir()}
    assert made | {"results.csv", "manifest.json"} <= files


def test_the_first_tab_stop_skips_to_the_content(default):
    default.tab.keyboard.press("Tab")
    assert default("document.activeElement.getAttribute('href')") == "#content"
    box = default("document.activeElement.getBoundingClientRect().toJSON()")
    assert box["left"] >= 0 and box["top"] >= 0 and box["width"] > 0


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
