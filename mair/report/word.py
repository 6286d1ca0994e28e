"""Tables as Word documents whose bytes depend on the table alone."""

import io
import re
from datetime import datetime
from itertools import groupby
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
from docx import Document
from docx.enum.section import WD_ORIENT
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import qn
from docx.shared import Inches, Pt, RGBColor

from mair.report import written
from mair.report.table import MARK

PORTRAIT, LANDSCAPE = (8.27, 11.69), (11.69, 8.27)  # A4, inches
MARGIN = 0.9
CHARACTER = 0.072  # inches a character of 9 point text takes, on average
BREAK = re.compile(r"[ \u2003]|(?<=[-/])")  # where a line may end
LINES, PROSE = 4, 80  # of a cell on a page upright; characters beyond which it may take more
EPOCH = datetime(2020, 1, 1)  # files are dated alike, so that equal tables are equal bytes


def docx(table, synthetic=False, known=None) -> bytes:
    """A table as a .docx: caption, table with repeated header rows, notes.

    Parameters
    ----------
    table : mair.report.table.Table
    synthetic : bool
        Mark title and page header.
    known : dict of str to str, optional
        Abbreviations; a last note expands those that the table holds.

    Returns
    -------
    bytes
        Equal for equal tables. Landscape where no portrait page holds the columns' longest words.
        The caption begins with ``Table №.``, for `number`.
    """
    document = blank(synthetic)
    add(document, table, "Table №", known or {}, synthetic)
    return saved(document, table.title)


def saved(document, title: str) -> bytes:
    """A document as bytes that depend on its contents alone."""
    core = document.core_properties
    core.title, core.author, core.last_modified_by = title, "mair", "mair"
    core.created = core.modified = EPOCH
    return packed(document)


def abbreviations(trial, table) -> dict[str, str]:
    """What abbreviations stand for: those of statistics, the arms, the variables of a table."""
    own = {arm: trial.labels[arm] for arm in trial.arms}
    named = dict.fromkeys(key[1] for row in table.keys for cell in row for key in cell)
    own |= {name: variables[name].label for name in named
            for variables in (trial.outcomes, trial.biomarkers) if name in variables}
    return written.data("abbreviations") | {
        short: label for short, label in own.items() if label != short}


def blank(synthetic=False):
    """A document without content, A4 upright."""
    document = Document()
    _styles(document)
    document.core_properties.comments = MARK if synthetic else ""
    _page(document.sections[0], across=False)
    if synthetic:
        _mark(document.sections[0].header.paragraphs[0].add_run(MARK))
    return document


def upright(document, across=False):
    """Go on to a page that stands upright, or lies across, where the last one does not."""
    section = document.sections[-1]
    if across != (section.orientation == WD_ORIENT.LANDSCAPE):
        fresh = len(document.element.body) == 1  # nothing but the section itself
        _page(section if fresh else document.add_section(), across)


def add(document, table, label, known, synthetic=False):
    """Add caption, table and notes; on a landscape page where one is needed."""
    widths, across = _widths(table)
    upright(document, across)
    caption = document.add_paragraph(style="Caption")
    caption.paragraph_format.keep_with_next = True
    if synthetic:
        _mark(caption.add_run("SYNTHETIC  "))
    caption.add_run(f"{label}. {table.title}")
    caption._p.addnext(parse_xml(_grid(table, widths)))
    text = " ".join([table.title, *table.headers, *table.notes, *table.spanners, *(
        group for group, _ in table.blocks()), *(cell for row in table.cells() for cell in row)])
    used = [f"{short}: {long}" for short, long in known.items()
            if re.search(rf"(?<![\w-]){re.escape(short)}(?![\w-])", text)]
    for note in (*table.notes, *(["; ".join(used) + "."] if used else [])):
        document.add_paragraph(note, style="Table note")


def packed(document) -> bytes:
    """A document or workbook as bytes without a clock."""
    saved = io.BytesIO()
    document.save(saved)
    return _rewritten(saved.getvalue(), "docProps/core.xml", b"(<dcterms:modified[^>]*>)[^<]*",
                      rb"\g<1>2020-01-01T00:00:00Z")


def number(folder, html: str) -> None:
    """Give the captions of a folder's documents the numbers that tables have on the page.

    Parameters
    ----------
    folder : Path
    html : str
        The page; a table that it does not show has no number.
    """
    captions = re.findall(r'<b>(Table \d+\.)</b>.*?href="tables/([\w-]+)\.csv"', html, re.DOTALL)
    numbers = {name: label for label, name in captions}
    for path in sorted(folder.glob("*.docx")):
        held, label = (r"№|\d+", f"{numbers[path.stem]} ") if path.stem in numbers else ("№", "")
        place = "word/document.xml", rf"Table (?:{held})\. ".encode()
        with ZipFile(path) as file:
            found = re.search(place[1], file.read(place[0]))
        if found and found[0] != label.encode():
            path.write_bytes(_rewritten(path.read_bytes(), *place, label.encode()))


def _rewritten(file: bytes, part: str, pattern: bytes, put: bytes) -> bytes:
    """A packed file, dated alike, with the first match in one part replaced."""
    out = io.BytesIO()
    with ZipFile(io.BytesIO(file)) as old, ZipFile(out, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(ZipInfo(name), re.sub(pattern, put, text, count=1) if name == part else
                         text, ZIP_DEFLATED)
    return out.getvalue()


def _page(section, across: bool):
    """A4 upright, or across."""
    section.orientation = WD_ORIENT.LANDSCAPE if across else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = map(Inches, LANDSCAPE if across else PORTRAIT)
    section.left_margin = section.right_margin = Inches(MARGIN)
    section.top_margin = section.bottom_margin = Inches(MARGIN)


def _styles(document):
    """Fonts and spaces (``data/styles.yaml``), and the style of tables."""
    styles = document.styles
    for name, look in written.data("styles").items():
        if name not in styles:
            styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH).base_style = styles["Normal"]
        style = styles[name]
        for place, value in look.items():
            part, _, key = place.partition(".")
            if key == "color":
                style.font.color.rgb = RGBColor.from_string(value)
            else:
                setattr(getattr(style, part), key,
                        value if key in ("name", "bold", "line_spacing") else Pt(value))
        if name.startswith("Heading"):
            style.element.rPr.rFonts.set(qn("w:asciiTheme"), "")
    styles["Normal"].element.rPr.rFonts.set(qn("w:eastAsia"), "Arial")
    table = styles.add_style("Trial table", WD_STYLE_TYPE.TABLE)
    table.base_style = styles["Normal Table"]
    table.element.append(parse_xml(written.macro("word.xml.j2", "look")))


def _widths(table) -> tuple[list[int], bool]:
    """The columns' widths in twentieths of a point, and whether the page lies across.

    A column takes what its longest cell would unbroken, at most `PROSE` characters; where the page
    is too narrow the widest give way, to no less than their longest word. The page lies across
    where upright no column could, or a cell short of prose would take more than `LINES` lines. All
    become wider by up to a quarter where there is room: the reader's font may be wider than Arial.
    """
    columns = list(zip(table.headers, *table.cells(whole=True), strict=True))
    whole = np.array([0.16 + CHARACTER * min(PROSE, max(7, *map(len, column)))
                      for column in columns])
    least = np.array([0.16 + CHARACTER * max(len(word) for cell in column for word in
                                             BREAK.split(cell)) for column in columns])
    natural = np.maximum(whole, least)
    for page in (PORTRAIT, LANDSCAPE):
        room = page[0] - 2 * MARGIN
        widths = natural * min(1.25, room / natural.sum())
        if natural.sum() > room > least.sum():
            cuts = np.clip(np.linspace(0, natural.max(), 500)[:, None], least, natural)
            widths = cuts[cuts.sum(axis=1) <= room][-1]
        if least.sum() <= room and (whole <= LINES * widths).all():
            break
    return [int(1440 * inches) for inches in widths], page == LANDSCAPE


def _grid(table, widths) -> str:
    """The table's own XML: header rows, then groups and their rows."""
    over = {name: label for label, names in table.spanners.items() for name in names}
    labels = [over.get(name) or i for i, name in enumerate(table.display)]  # each alone, or none
    return written.macro(
        "word.xml.j2", "grid", table, table.cells(whole=True), widths,
        ["right" if right else "left" for right in table.numeric()],
        [("" if isinstance(label, int) else label, [width for _, width in run])
         for label, run in groupby(zip(labels, widths, strict=True), lambda of: of[0])])


def _mark(run):
    run.bold, run.font.color.rgb = True, RGBColor(0xB3, 0x47, 0x00)
