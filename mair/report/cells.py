"""Executed notebooks as HTML: prose, folded code, and outputs that need no script and no network.

Headings move down one level, because the page has the only first one, and never skip a level.
Maths is set by matplotlib and embedded, with its source as the text alternative.
"""

from __future__ import annotations

import base64
import io
import re
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cache
from html import escape

sys.modules.setdefault("rfc3987_syntax", None)  # 0.7 s, for a format that no notebook has

from nbconvert.filters import ansi2html  # noqa: E402
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath  # noqa: E402
from pygments import highlight  # noqa: E402
from pygments.formatters import HtmlFormatter  # noqa: E402
from pygments.lexers import PythonLexer  # noqa: E402

IMAGES = ("image/svg+xml", "image/png")


class PageError(Exception):
    """A notebook shows something that the page may not hold, in one line."""


@dataclass(frozen=True)
class Section:
    """A notebook on the page: its anchor, its title and its cells as HTML."""

    name: str
    title: str
    body: str


def wide(what: str) -> str:
    """Attributes of something wide that a keyboard must be able to scroll."""
    return f'role="group" tabindex="0" aria-label="{what}, scrolls sideways where it is wide"'


@cache
def formula(tex: str) -> str:
    """TeX as an embedded SVG on the line's own baseline; as code where it cannot be set."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser

    source, size = " ".join(tex.split()), 11.5
    text, buffer = f"${source}$", io.BytesIO()
    try:
        with rc_context({"svg.hashsalt": "mair", "svg.fonttype": "path",
                         "mathtext.fontset": "stix"}):
            width, height, depth, *_ = MathTextParser("path").parse(
                text, dpi=72, prop=FontProperties(size=size))
            figure = Figure(figsize=(max(width, 1) / 72, max(height, 1) / 72))
            figure.text(0, depth / height, text, fontsize=size)
            figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    except ValueError:
        return f'<code class="tex">{escape(source)}</code>'
    return (f'<img class="tex" alt="{escape(source)}" src="{_data(buffer.getvalue())}" '
            f'style="height:{height / 12:.3f}em;vertical-align:{-depth / 12:.3f}em">')


def _data(content: bytes, kind="image/svg+xml") -> str:
    """A picture as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


class Renderer(IPythonRenderer):
    """Markdown of one notebook, with anchors of its own."""

    def __init__(self, name: str, sections):
        super().__init__(escape=False)
        self.name, self.sections = name, set(sections)
        self.level, self.title, self.anchors = 1, "", Counter()

    def heading(self, text: str, level: int, **attrs) -> str:
        """A heading below the page's own; the notebook's first one names the section."""
        if not self.title:
            self.title, self.level = re.sub(r"<[^>]+>", "", text), 2
            return f'<h2 id="{self.anchor(text)}">{text}</h2>\n'
        self.level = max(3, min(level + 1, self.level + 1, 6))
        return f'<h{self.level} id="{self.anchor(text)}">{text}</h{self.level}>\n'

    def anchor(self, text: str) -> str:
        """An id that no other heading of the page has."""
        words = re.sub(r"<[^>]+>|&\w+;", "", text).lower()
        anchor = f"{self.name}-{re.sub(r'[^a-z0-9]+', '-', words).strip('-')}"
        self.anchors[anchor] += 1
        return anchor if self.anchors[anchor] == 1 else f"{anchor}-{self.anchors[anchor]}"

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """A link to another notebook leads to its place on this page."""
        stem = re.fullmatch(r"(?:\./)?(\w+)\.(?:py|ipynb)", url)
        if stem and stem[1] in self.sections:
            url = f"#{stem[1]}"
        return super().link(text, url, title)

    def block_code(self, code: str, info: str | None = None) -> str:
        """Code in prose, in the page's own colours."""
        return f'<div class="scroll" {wide("code")}><pre>{escape(code)}</pre></div>\n'

    def block_math(self, body: str) -> str:
        """A displayed formula."""
        return f'<div class="formula scroll" {wide("formula")}>{formula(body)}</div>'

    inline_math = staticmethod(formula)

    def table(self, text: str) -> str:
        """A table that scrolls by itself on a narrow screen."""
        return f'<div class="scroll" {wide("table")}><table>{text}</table></div>'


def render(name: str, node, sections) -> Section:
    """One executed notebook as a section of the page.

    Parameters
    ----------
    name : str
        Its stem, which is the section's anchor.
    node : nbformat.NotebookNode
    sections : iterable of str
        Stems of every notebook on the page, for links between them.

    Raises
    ------
    PageError
        A picture without a text alternative, naming notebook and cell.
    """
    renderer = Renderer(name, sections)
    markdown = MarkdownWithMath(renderer=renderer)
    parts, silent = [], []
    for number, cell in enumerate(node.cells, start=1):
        if cell.cell_type == "code" and cell.source.strip():
            silent.append((number, cell.source))
        outputs = [_output(output, markdown) for output in cell.get("outputs", [])]
        for image in re.findall(r"<img\b[^>]*>", "".join(outputs)):
            if not re.search(r'\balt="[^"]', image):
                raise PageError(f"{name}.py, cell {number} shows a picture without a text "
                                "alternative; show it with show(figure, name, alt=…)")
        if silent and (outputs or cell.cell_type != "code"):
            parts.append(_code(name, silent))
            silent = []
        parts += outputs
        if cell.cell_type == "markdown":
            parts.append(f'<div class="prose">{markdown.render(cell.source)}</div>')
    if silent:
        parts.append(_code(name, silent))
    title = renderer.title
    if not title:
        title = name.capitalize()
        parts.insert(0, f'<h2 id="{renderer.anchor(title)}">{escape(title)}</h2>')
    return Section(name, title, "\n".join(part for part in parts if part))


def _code(name: str, sources: list[tuple[int, str]]) -> str:
    """Cells that follow each other without output between them, folded away together."""
    numbers = [number for number, _ in sources]
    which = f"cell {numbers[0]}" if len(numbers) == 1 else f"cells {numbers[0]} to {numbers[-1]}"
    look = HtmlFormatter(cssclass="hl")
    marked = "".join(highlight(source, PythonLexer(), look) for _, source in sources)
    return (f'<details class="code"><summary>Code<span class="away"> of {escape(name)}, {which}'
            f"</span></summary>{marked}</details>")


def _output(output, markdown) -> str:
    """One output, in the richest form that the page can hold."""
    if output.output_type == "stream":
        return f'<pre class="out {output.name}">{ansi2html(output.text)}</pre>'
    if output.output_type == "error":
        return f'<pre class="out stderr">{ansi2html(chr(10).join(output.traceback))}</pre>'
    data = {kind: "".join(text) for kind, text in output.data.items()
            if kind.startswith(("text/", "image/"))}
    if "text/html" in data:
        return _html(data["text/html"])
    if "text/markdown" in data:
        return f'<div class="prose">{markdown.render(data["text/markdown"])}</div>'
    if kind := next((kind for kind in IMAGES if kind in data), None):
        return _image(kind, data[kind], output.metadata)
    return f'<pre class="out">{escape(data["text/plain"])}</pre>' if "text/plain" in data else ""


def _html(html: str) -> str:
    """HTML that a cell displayed; a table scrolls in its own container."""
    if html.lstrip().startswith("<figure"):
        return f'<div class="out">{html}</div>'
    return f'<div class="out scroll" {wide("table")}>{html}</div>'


def _image(kind: str, data: str, metadata) -> str:
    """A picture, embedded, with its text alternative."""
    alt = " ".join((metadata.get(kind, metadata).get("alt") or "").split())
    content = data.encode() if kind == "image/svg+xml" else base64.b64decode(data)
    return f'<figure class="out"><img alt="{escape(alt)}" src="{_data(content, kind)}"></figure>'
