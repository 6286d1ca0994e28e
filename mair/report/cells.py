"""Executed notebooks as HTML: prose, folded code, and outputs that need no script and no network.

Headings move down, because the page has the only first one, and never skip a level. A cell's
tags say where it stands on the page: ``appendix`` on a title or a chapter's heading moves it to
the appendices, ``fold`` folds a chapter or what a cell shows away in its place. What an output's
metadata names ``page: head`` stands in the page's head already, ``page: once`` once on the page.
Maths is set by matplotlib and embedded, with its source as the text alternative.
"""

import io
import itertools
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import cache, partial
from html import escape

sys.modules.setdefault("rfc3987_syntax", None)  # 0.7 s, for a format that no notebook has

from nbconvert.filters import ansi2html  # noqa: E402
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath  # noqa: E402
from pygments import highlight  # noqa: E402
from pygments.formatters import HtmlFormatter  # noqa: E402
from pygments.lexers import PythonLexer  # noqa: E402

from mair.report import written  # noqa: E402

piece = partial(written.macro, "cells.html.j2")  # a macro's name, and its content
TAG = re.compile(r"<[^>]+>")
ACROSS = 150  # characters of a row, with its markup's blanks, from which a sheet lies across


class PageError(Exception):
    """A notebook shows something that the page may not hold, in one line."""


@dataclass(frozen=True)
class Section:
    """A notebook or a chapter on the page: its anchor, title, HTML, and chapters moved away."""

    name: str
    title: str
    body: str
    appendix: bool = False
    moved: list = field(default_factory=list)


@dataclass
class Chapter:
    """What follows a heading whose cell is tagged; of all others, the notebook itself."""

    tag: str = ""
    anchor: str = ""
    title: str = ""
    parts: list = field(default_factory=list)

    def html(self) -> str:
        """Its parts, behind its heading where it is folded."""
        body = "\n".join(part for part in self.parts if part)
        return body if self.tag != "fold" else piece(
            "fold", f"<h3>{self.title}</h3>", f"\n{body}\n", self.anchor)


@cache
def formula(tex: str) -> str:
    """TeX as an embedded SVG on the line's own baseline; as code where it cannot be set."""
    from matplotlib import rc_context
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import math_to_image

    from mair.report import figure

    source, svg = " ".join(tex.split()), io.BytesIO()
    try:
        with rc_context({"svg.hashsalt": "mair", "svg.fonttype": "path",
                         "mathtext.fontset": "stix", "savefig.transparent": True}):
            depth = math_to_image(f"${source}$", svg, FontProperties(size=11.5), format="svg")
    except ValueError:
        return f'<code class="tex">{escape(source)}</code>'
    height = float(re.search(rb'height="([\d.]+)pt"', svg.getvalue())[1])
    return (f"<img class=\"tex\" src='{figure.data(svg.getvalue())}' alt=\"{escape(source)}\" "
            f'data-box="height:{height / 12:.3f}em;vertical-align:{-depth / 12:.3f}em">')


class Renderer(IPythonRenderer):
    """Markdown of one notebook, with anchors of its own."""

    def __init__(self, name: str, sections, top=2):
        super().__init__(escape=False)
        self.name, self.sections, self.top = name, set(sections), top
        self.level, self.title, self.anchors = 1, "", Counter()
        self.points = (f"{name}-point-{i}" for i in itertools.count(1))

    def heading(self, text: str, level: int, **attrs) -> str:
        """A heading below the page's own; the notebook's first one names the section."""
        if self.title:
            self.level = max(self.top + 1, min(level + self.top - 1, self.level + 1, 6))
        else:
            self.title, self.level = TAG.sub("", text), self.top
        return f'<h{self.level} id="{self.anchor(text)}">{text}</h{self.level}>\n'

    def anchor(self, text: str) -> str:
        """An id that no other heading of the page has."""
        words = re.sub(r"&\w+;", "", TAG.sub("", text)).lower()
        anchor = f"{self.name}-{re.sub(r'[^a-z0-9]+', '-', words).strip('-')}"
        self.anchors[anchor] += 1
        return anchor if self.anchors[anchor] == 1 else f"{anchor}-{self.anchors[anchor]}"

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """A link to another notebook leads to its place on this page."""
        stem = re.fullmatch(r"(?:\./)?(\w+)\.(?:py|ipynb)", url)
        if stem and stem[1] in self.sections:
            url = f"#{stem[1]}"
        return super().link(text, url, title)

    def block_math(self, body: str) -> str:
        """A displayed formula."""
        return piece("scroll", "formula", formula(body), "formula scroll")

    inline_math = staticmethod(formula)

    def table(self, text: str) -> str:
        """A table that scrolls by itself on a narrow screen."""
        return piece("scroll", "table", f"<table>{text}</table>")


def render(name: str, node, sections, said=None, plain=str) -> Section:
    """One executed notebook as a section of the page.

    Parameters
    ----------
    name : str
        Its stem, which is the section's anchor.
    node : nbformat.NotebookNode
    sections : iterable of str
        Stems of every notebook on the page, for links between them.
    said : set of str, optional
        What stands on the page already, and need not stand there twice; it is added to.

    plain : callable
        Puts the keys that stand in HTML into words.

    Raises
    ------
    PageError
        A picture without a text alternative, naming notebook and cell.
    """
    appendix = any("appendix" in _tags(cell) and cell.source.startswith("# ")
                   for cell in node.cells)
    renderer = Renderer(name, sections, 3 if appendix else 2)
    markdown = MarkdownWithMath(renderer=renderer)
    chapters, silent, said = [Chapter()], [], set() if said is None else said
    for number, cell in _telling(node.cells):
        if cell.cell_type == "code" and cell.source.strip():
            silent.append((number, cell.source))
        outputs = [plain(_output(output, markdown, said)) for output in cell.get("outputs", [])]
        if re.search(r'<img\b(?![^>]*\balt="[^"])', "".join(outputs)):
            raise PageError(f"{name}.py, cell {number} shows a picture without a text "
                            "alternative; show it with show(figure, name, alt=…)")
        if silent and (any(outputs) or cell.cell_type != "code"):
            chapters[-1].parts.append(_code(name, silent))
            silent = []
        if cell.cell_type == "markdown":
            _prose(cell, markdown, chapters)
        chapters[-1].parts += ([_folded(renderer, output) for output in outputs]
                               if "fold" in _tags(cell) else outputs)
    if silent:
        chapters[-1].parts.append(_code(name, silent))
    title, moved = renderer.title, [one for one in chapters if one.tag == "appendix"]
    if not title:
        title = name.capitalize()
        chapters[0].parts.insert(0, f'<h2 id="{renderer.anchor(title)}">{escape(title)}</h2>')
    body = "\n".join(one.html() for one in chapters if one.tag != "appendix")
    return Section(name, title, body, appendix, [
        Section(one.anchor, f"{title}: {one.title[:1].lower()}{one.title[1:]}", one.html())
        for one in moved])


def _telling(cells) -> list[tuple[int, object]]:
    """Numbered cells, without chapters whose code shows nothing: of this trial they are empty."""
    chapters = [[]]
    for number, cell in enumerate(cells, start=1):
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            chapters.append([])
        chapters[-1].append((number, cell))
    return [one for i, chapter in enumerate(chapters) for one in chapter
            if i == 0 or any(cell.get("outputs") for _, cell in chapter)
            or all(cell.cell_type != "code" for _, cell in chapter)]


def _tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


READS = re.compile(r"<p><em>(?:Reads|Writes)</em>.*?</p>\s*", re.DOTALL)


def _prose(cell, markdown, chapters) -> None:
    """Add a cell of prose; a heading begins a chapter where it, or the one before, is tagged.

    What a notebook reads and writes is left to who runs it.
    """
    html = READS.sub("", markdown.render(cell.source))
    heading = re.match(r'\s*<h(\d) id="([^"]*)">(.*?)</h\1>', html)
    tag = next((tag for tag in ("appendix", "fold") if tag in _tags(cell)), "")
    if heading and not cell.source.startswith("# ") and (tag or chapters[-1].tag):
        if tag or not cell.source.startswith("###"):
            chapters.append(Chapter(tag, heading[2], heading[3]))
        if tag:
            html = html[heading.end():]
    chapters[-1].parts.append(f'<div class="prose">{html}</div>' if html.strip() else "")


def _folded(renderer: Renderer, html: str) -> str:
    """A table or figure behind its caption, or each point of a list behind its bold words."""
    caption = re.search(r'<figcaption>(.*?)(<small class="links.*?)?</figcaption>', html, re.DOTALL)
    if caption:
        return piece("fold", caption[1], html.replace(caption[0], caption[2] or ""))
    return POINT.sub(lambda point: "<li>" + piece(
        "fold", *point.groups(), next(renderer.points)) + "</li>", html)


POINT = re.compile(r"<li>(<strong>.*?</strong>)(.*?)</li>", re.DOTALL)
UNBROKEN = ((re.compile(r"(?<=[\d.∞]) to (?=[−\d])"), "\u00a0to\u00a0"),
            (re.compile(r"(?<=\d) \((?=[−\d])"), "\u00a0("),
            (re.compile(r"\bp (=|&lt;|&gt;) (?=\d)"), "p\u00a0\\1\u00a0"),
            (re.compile("&gt;=(?=\\d)"), "≥"))


def unbroken(html: str) -> str:
    """Prose whose intervals, estimates and p values stand on one line each."""
    for pattern, whole in UNBROKEN:
        html = pattern.sub(whole, html)
    return html


def _code(name: str, sources: list[tuple[int, str]]) -> str:
    """Cells that follow each other without output between them, folded away together."""
    numbers = [number for number, _ in sources]
    which = f"cell {numbers[0]}" if len(numbers) == 1 else f"cells {numbers[0]} to {numbers[-1]}"
    look = HtmlFormatter(cssclass="hl")
    marked = "".join(highlight(source, PythonLexer(), look) for _, source in sources)
    marked = marked.replace("<pre>", '<pre tabindex="0">')  # which a keyboard can scroll
    return piece("code", name, which, marked)


def _output(output, markdown, said) -> str:
    """One output, in the richest form that the page can hold."""
    if output.output_type == "stream":
        return f'<pre class="out {output.name}">{ansi2html(output.text)}</pre>'
    data = output.data
    if "text/html" in data:
        return _html("".join(data["text/html"]))
    if "text/markdown" in data:
        text, place = "".join(data["text/markdown"]), output.metadata.get("page")
        if place == "head" or (place == "once" and text in said):
            return ""
        said.add(text)
        return f'<div class="prose">{unbroken(markdown.render(text))}</div>'
    if any(kind.startswith("image/") for kind in data):
        return "<img>"  # which is refused
    return f'<pre class="out">{escape("".join(data.get("text/plain", "")))}</pre>'


LEFT = re.compile(r'<style\b.*?</style>'
                  r'| (?:headers|aria-\w+|data-quarto-[\w-]+|style|border)="[^"]*"'
                  r'| id="table-[^"]*"', re.DOTALL)
SHOWN = re.compile(r'<figure[^>]*id="figure-([\w-]+)"[^>]*>(<img [^>]*>)(?:<figcaption>(.*?)'
                   r"</figcaption>)?</figure>", re.DOTALL)
HEADING = re.compile(r'\s*<tr class="gt_heading">.*?</tr>', re.DOTALL)


def _html(html: str) -> str:
    """HTML that a cell displayed: a numbered figure or table, or a table that scrolls by itself.

    The page has the look of tables in its own style sheet; what each brings along is left out.
    """
    if shown := SHOWN.search(html):
        return piece("figure", *shown.groups(shown[1]))
    if html.lstrip().startswith("<figure"):
        name = re.search(r' id="([\w-]+)"|$', html)[1]
        caption = f"<figcaption><b>Figure №{name}.</b> "
        return f'<div class="out">{html.replace("<figcaption>", caption)}</div>'
    plain, name = HEADING.sub("", _bare(html)), re.match(r'<div id="table-([\w-]+)"', html)
    if name is None:
        return piece("scroll", "table", plain, "out scroll")
    title = re.search(r'gt_title gt_font[^>]*>(.*?)</td>', html, re.DOTALL)[1]
    longest = max(len(re.sub(r"<[^>]+>|\s+", " ", row)) for row in plain.split("</tr>"))
    return piece("table", name[1], plain, title, "gt_subtitle gt_font" in html, longest > ACROSS)


def _bare(table: str) -> str:
    """A table without the look that it brings along; an empty head is no head of anything."""
    return re.sub(r"<th\b[^>]*>\s*</th>", "<td></td>", LEFT.sub("", table))
