"""Tables as Word documents whose bytes depend on the table alone."""

from __future__ import annotations

import io
import re
from datetime import datetime
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import yaml
from docx import Document
from docx.enum.section import WD_ORIENT
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Inches, Pt, RGBColor

from mair.report.table import MARK, unbroken

PORTRAIT, LANDSCAPE = (8.27, 11.69), (11.69, 8.27)  # A4, inches
MARGIN = 0.9
STYLE = "Trial table"
CHARACTER = 0.072  # inches a character of 9 point text takes, on average
BREAK = re.compile(r"[ \u2003]|(?<=[-/])")  # where a line may end
ABBREVIATIONS = Path(__file__).parents[1] / "data" / "abbreviations.yaml"
LINES, PROSE = 4, 80  # of a cell on a page upright; characters beyond which it may take more
EPOCH = datetime(2020, 1, 1)  # files are dated alike, so that equal tables are equal bytes
RULE = '<w:{0} w:val="single" w:sz="{1}" w:space="0" w:color="000000"/>'


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
    for name in dict.fromkeys(key[1] for row in table.keys for cell in row for key in cell):
        for variables in (trial.outcomes, trial.biomarkers):
            if name in variables:
                own[name] = variables[name].label
    return _shipped() | {short: label for short, label in own.items() if label != short}


@cache
def _shipped() -> dict[str, str]:
    return yaml.safe_load(ABBREVIATIONS.read_text("utf-8"))


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
    return _rewritten(saved.getvalue(), lambda name, content: re.sub(
        rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2020-01-01T00:00:00Z", content)
        if name == "docProps/core.xml" else content)


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
        path.write_bytes(_rewritten(path.read_bytes(), lambda name, content, held=held, label=label:
            re.sub(rf"Table (?:{held})\. ".encode(), label.encode(), content, count=1)
            if name == "word/document.xml" else content))


def _rewritten(file: bytes, change) -> bytes:
    """A packed file with each part changed, dated alike."""
    out = io.BytesIO()
    with ZipFile(io.BytesIO(file)) as old, ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(ZipInfo(name), change(name, old.read(name)), ZIP_DEFLATED)
    return out.getvalue()


def _page(section, across: bool):
    """A4 upright, or across."""
    section.orientation = WD_ORIENT.LANDSCAPE if across else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = map(Inches, LANDSCAPE if across else PORTRAIT)
    section.left_margin = section.right_margin = Inches(MARGIN)
    section.top_margin = section.bottom_margin = Inches(MARGIN)


def _styles(document):
    """Fonts, and a table style of three rules that the reader can change in one place."""
    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = "Arial", Pt(9)
    normal.element.rPr.rFonts.set(qn("w:eastAsia"), "Arial")
    normal.paragraph_format.space_after = Pt(0)
    caption = document.styles["Caption"]
    caption.font.size, caption.font.bold = Pt(10), True
    caption.font.color.rgb = RGBColor(0, 0, 0)
    caption.paragraph_format.space_after = Pt(4)
    body = document.styles.add_style("Body", WD_STYLE_TYPE.PARAGRAPH)
    body.base_style, body.font.size = normal, Pt(10.5)
    body.paragraph_format.space_after, body.paragraph_format.line_spacing = Pt(6), 1.25
    for level in (1, 2, 3):
        heading = document.styles[f"Heading {level}"]
        heading.font.name, heading.font.color.rgb = "Arial", RGBColor(0, 0, 0)
        heading.element.rPr.rFonts.set(qn("w:asciiTheme"), "")
    note = document.styles.add_style("Table note", WD_STYLE_TYPE.PARAGRAPH)
    note.base_style, note.font.size = normal, Pt(8)
    note.paragraph_format.space_before = Pt(3)
    style = document.styles.add_style(STYLE, WD_STYLE_TYPE.TABLE)
    style.base_style = document.styles["Normal Table"]
    margins = "".join(f'<w:{side} w:w="{width}" w:type="dxa"/>' for side, width in
                      (("top", 28), ("left", 70), ("bottom", 28), ("right", 70)))
    style.element.append(parse_xml(
        f"<w:tblPr {nsdecls('w')}><w:tblBorders>{RULE.format('top', 8)}{RULE.format('bottom', 8)}"
        f"</w:tblBorders><w:tblCellMar>{margins}</w:tblCellMar></w:tblPr>"))


def _widths(table) -> tuple[list[int], bool]:
    """The columns' widths in twentieths of a point, and whether the page lies across.

    A column takes what its longest cell would unbroken, at most `PROSE` characters; where the page
    is too narrow the widest give way, to no less than their longest word. The page lies across
    where upright no column could, or a cell short of prose would take more than `LINES` lines. All
    become wider by up to a quarter where there is room: the reader's font may be wider than Arial.
    """
    columns = list(zip(table.headers, *map(_whole, table.cells()), strict=True))
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


def _whole(row: list[str]) -> list[str]:
    """Cells whose intervals are kept on one line."""
    return [unbroken(cell) for cell in row]


def _grid(table, widths) -> str:
    """The table's own XML: header rows, then groups and their rows."""
    sides = ["right" if right else "left" for right in table.numeric()]

    def row(texts, bold=False, header=False):
        cells = [_cell(text, width, side, bold, rule=header)
                 for text, width, side in zip(texts, widths, sides, strict=True)]
        return _row(cells, header)

    rows = [_spanners(table, widths)] if table.spanners else []
    rows.append(row(table.headers, bold=True, header=True))
    cells = list(map(_whole, table.cells()))
    for group, positions in table.blocks():
        if group:
            rows.append(_row([_cell(group, sum(widths), "left", True, span=len(widths))]))
        rows += [row(cells[position]) for position in positions]
    columns = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
    return (f'<w:tbl {nsdecls("w")}><w:tblPr><w:tblStyle w:val="{STYLE.replace(" ", "")}"/>'
            f'<w:tblW w:w="{sum(widths)}" w:type="dxa"/><w:tblLayout w:type="fixed"/>'
            f'<w:tblCaption w:val={quoteattr(table.title)}/></w:tblPr>'
            f'<w:tblGrid>{columns}</w:tblGrid>{"".join(rows)}</w:tbl>')


def _spanners(table, widths) -> str:
    """The row of spanners over the headers."""
    names, cells, at = list(table.display.columns), [], 0
    starts = {names.index(over[0]): (label, len(over)) for label, over in table.spanners.items()}
    while at < len(names):
        label, span = starts.get(at, ("", 1))
        cells.append(_cell(label, sum(widths[at : at + span]), "center", True, span, bool(label)))
        at += span
    return _row(cells, header=True)


def _row(cells, header=False) -> str:
    """A row that does not break across pages; a header is repeated on each."""
    repeated = "<w:tblHeader/>" if header else ""
    return f"<w:tr><w:trPr><w:cantSplit/>{repeated}</w:trPr>{''.join(cells)}</w:tr>"


def _cell(text, width, side, bold, span=1, rule=False) -> str:
    """A cell; with `span` over several columns, with `rule` a thin line under it."""
    over = f'<w:gridSpan w:val="{span}"/>' if span > 1 else ""
    under = f"<w:tcBorders>{RULE.format('bottom', 4)}</w:tcBorders>" if rule else ""
    kept = "<w:keepNext/>" if bold else ""  # with the row below
    weight = "<w:rPr><w:b/></w:rPr>" if bold else ""
    return (f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{over}{under}</w:tcPr>'
            f'<w:p><w:pPr>{kept}<w:jc w:val="{side}"/></w:pPr>'
            f'<w:r>{weight}<w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p></w:tc>')


def _mark(run):
    run.bold, run.font.color.rgb = True, RGBColor(0xB3, 0x47, 0x00)
