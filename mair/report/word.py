"""A `Table` as a Word document whose bytes depend on the table alone."""

from __future__ import annotations

import io
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from docx import Document
from docx.enum.section import WD_ORIENT
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Inches, Pt, RGBColor

from mair.report.table import MARK

PORTRAIT, LANDSCAPE = (8.27, 11.69), (11.69, 8.27)  # A4, inches
MARGIN = 0.9
STYLE = "Trial table"
CHARACTER = 0.072  # inches a character of 9 point text takes, on average
EPOCH = datetime(2020, 1, 1)  # files are dated alike, so that equal tables are equal bytes
RULE = '<w:{0} w:val="single" w:sz="{1}" w:space="0" w:color="000000"/>'


def docx(table, synthetic=False) -> bytes:
    """A table as a .docx: caption, table with repeated header rows, notes.

    Parameters
    ----------
    table : mair.report.table.Table
    synthetic : bool
        Mark title and page header.

    Returns
    -------
    bytes
        Equal for equal tables. Landscape where the columns need it.
    """
    document = Document()
    _styles(document)
    document.core_properties.comments = MARK if synthetic else ""
    caption = document.add_paragraph(style="Caption")
    caption.paragraph_format.keep_with_next = True
    if synthetic:
        _mark(document.sections[0].header.paragraphs[0].add_run(MARK))
        _mark(caption.add_run("SYNTHETIC  "))
    caption.add_run(table.title)
    caption._p.addnext(parse_xml(_grid(table, _widths(document.sections[0], table))))
    for note in table.notes:
        document.add_paragraph(note, style="Table note")
    return saved(document, table.title)


def saved(document, title: str) -> bytes:
    """A document as bytes that depend on its contents alone."""
    core = document.core_properties
    core.title, core.author, core.last_modified_by = title, "mair", "mair"
    core.created = core.modified = EPOCH
    dated, out = io.BytesIO(), io.BytesIO()
    document.save(dated)
    with ZipFile(dated) as old, ZipFile(out, "w") as new:
        for name in old.namelist():  # the same files without the clock
            new.writestr(ZipInfo(name), old.read(name), ZIP_DEFLATED)
    return out.getvalue()


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


def _widths(section, table) -> list[int]:
    """Set A4 upright, or across where columns are many or wide; the columns' twentieths of a point.

    A column takes what its longest cell would unbroken, at most 34 characters. All become wider
    by up to a quarter where there is room: the reader's font may be wider than Arial.
    """
    natural = [0.16 + CHARACTER * min(34, max(7, *map(len, column)))
               for column in zip(table.headers, *table.cells(), strict=True)]
    across = len(natural) > 7 or sum(natural) > PORTRAIT[0] - 2 * MARGIN
    width, height = LANDSCAPE if across else PORTRAIT
    section.orientation = WD_ORIENT.LANDSCAPE if across else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = Inches(width), Inches(height)
    section.left_margin = section.right_margin = Inches(MARGIN)
    section.top_margin = section.bottom_margin = Inches(MARGIN)
    share = min(1.25, (width - 2 * MARGIN) / sum(natural))
    return [int(1440 * share * inches) for inches in natural]


def _grid(table, widths) -> str:
    """The table's own XML: header rows, then groups and their rows."""
    sides = ["right" if right else "left" for right in table.numeric()]

    def row(texts, bold=False, header=False):
        cells = [_cell(text, width, side, bold, rule=header)
                 for text, width, side in zip(texts, widths, sides, strict=True)]
        return _row(cells, header)

    rows = [_spanners(table, widths)] if table.spanners else []
    rows.append(row(table.headers, bold=True, header=True))
    cells = table.cells()
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
