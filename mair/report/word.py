"""A `Table` as a Word document whose bytes depend on the table alone."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from xml.sax.saxutils import quoteattr

from docx import Document
from docx.enum.section import WD_ORIENT
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Emu, Inches, Pt, RGBColor

from mair.report.table import MARK

PORTRAIT, LANDSCAPE = (8.27, 11.69), (11.69, 8.27)  # A4, inches
MARGIN = 0.9
STYLE = "Trial table"
CHARACTER = 0.072  # inches a character of 9 point text takes, on average
EPOCH = datetime(2020, 1, 1)  # files are dated alike, so that equal tables are equal bytes


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
    _properties(document, table, synthetic)
    natural = _natural(table)
    room = _page(document.sections[0], sum(natural), len(natural))
    if synthetic:
        paragraph = document.sections[0].header.paragraphs[0]
        _mark(paragraph.add_run(MARK))
    caption = document.add_paragraph(style="Caption")
    caption.paragraph_format.keep_with_next = True
    if synthetic:
        _mark(caption.add_run("SYNTHETIC  "))
    caption.add_run(table.title)
    _fill(document, table, _widths(natural, room))
    for note in table.notes:
        paragraph = document.add_paragraph(note, style="Table note")
        paragraph.paragraph_format.space_before = Pt(3)
    buffer = io.BytesIO()
    document.save(buffer)
    return _rewritten(buffer.getvalue())


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
    style = document.styles.add_style(STYLE, WD_STYLE_TYPE.TABLE)
    style.base_style = document.styles["Normal Table"]
    style.element.append(
        parse_xml(
            f"<w:tblPr {nsdecls('w')}><w:tblBorders>"
            '<w:top w:val="single" w:sz="8" w:space="0" w:color="000000"/>'
            '<w:bottom w:val="single" w:sz="8" w:space="0" w:color="000000"/>'
            '</w:tblBorders><w:tblCellMar><w:top w:w="28" w:type="dxa"/>'
            '<w:left w:w="70" w:type="dxa"/><w:bottom w:w="28" w:type="dxa"/>'
            '<w:right w:w="70" w:type="dxa"/></w:tblCellMar></w:tblPr>'
        )
    )


def _properties(document, table, synthetic):
    """Core properties without a clock or a user name."""
    core = document.core_properties
    core.title, core.author, core.last_modified_by = table.title, "mair", "mair"
    core.comments = MARK if synthetic else ""
    core.created = core.modified = EPOCH
    core.revision = 1


def _natural(table) -> list[float]:
    """Inches each column would take unbroken, long text at most 34 characters."""
    rows = [table.headers, *table.cells()]
    return [
        0.16 + CHARACTER * min(34, max(7, *(len(cell) for cell in column)))
        for column in zip(*rows, strict=True)
    ]


def _page(section, natural, columns) -> float:
    """Set A4 upright, or across where the columns are many or wide; the text's width."""
    across = columns > 7 or natural > PORTRAIT[0] - 2 * MARGIN
    width, height = LANDSCAPE if across else PORTRAIT
    section.orientation = WD_ORIENT.LANDSCAPE if across else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = Inches(width), Inches(height)
    section.left_margin = section.right_margin = Inches(MARGIN)
    section.top_margin = section.bottom_margin = Inches(MARGIN)
    return width - 2 * MARGIN


def _widths(natural, room) -> list[int]:
    """Column widths in EMU, in proportion to the natural ones.

    Wider by up to a quarter where there is room: the reader's font may be wider than Arial.
    """
    share = min(1.25, room / sum(natural))
    return [int(Inches(width * share)) for width in natural]


def _fill(document, table, widths):
    """Add the table: header rows, then groups and their rows."""
    grid = document.add_table(rows=0, cols=len(widths))
    grid.style, grid.alignment, grid.autofit = STYLE, WD_TABLE_ALIGNMENT.LEFT, False
    title = quoteattr(table.title)
    grid._tbl.tblPr.append(parse_xml(f"<w:tblCaption {nsdecls('w')} w:val={title}/>"))
    for column, width in zip(grid.columns, widths, strict=True):
        column.width = Emu(width)
    aligned = [WD_ALIGN_PARAGRAPH.RIGHT if right else WD_ALIGN_PARAGRAPH.LEFT
               for right in table.numeric()]  # fmt: skip
    if table.spanners:
        _spanners(grid, table, widths)
    row = _row(grid, table.headers, widths, aligned, bold=True)
    _header(row)
    _rule(row.cells)
    cells = table.cells()
    for group, positions in table.blocks():
        if group:
            row = _row(grid, [group], widths, aligned, bold=True)
            row.cells[0].merge(row.cells[-1])
            row.cells[0].paragraphs[0].paragraph_format.keep_with_next = True
        for position in positions:
            _row(grid, cells[position], widths, aligned)


def _row(grid, texts, widths, aligned, bold=False):
    """Add a row that does not break across pages."""
    row = grid.add_row()
    row._tr.get_or_add_trPr().append(parse_xml(f"<w:cantSplit {nsdecls('w')}/>"))
    for cell, width in zip(row.cells, widths, strict=True):
        cell.width = Emu(width)
    for cell, text, align in zip(row.cells, texts, aligned, strict=False):
        cell.paragraphs[0].alignment = align
        cell.paragraphs[0].add_run(text).bold = bold or None
    return row


def _spanners(grid, table, widths):
    """The row of spanners over the headers, cells merged."""
    row = _row(grid, [], widths, [])
    _header(row)
    columns = list(table.display.columns)
    for label, over in table.spanners.items():
        at = [columns.index(name) for name in over]
        cell = row.cells[at[0]].merge(row.cells[at[-1]])
        cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.CENTER
        cell.paragraphs[0].add_run(label).bold = True
        _rule([cell])


def _header(row):
    """Repeat the row on every page."""
    row._tr.get_or_add_trPr().append(parse_xml(f"<w:tblHeader {nsdecls('w')}/>"))


def _rule(cells):
    """A thin line under these cells."""
    for cell in cells:
        cell._tc.get_or_add_tcPr().append(
            parse_xml(
                f"<w:tcBorders {nsdecls('w')}>"
                '<w:bottom w:val="single" w:sz="4" w:space="0" w:color="000000"/></w:tcBorders>'
            )
        )


def _mark(run):
    run.bold, run.font.color.rgb = True, RGBColor(0xB3, 0x47, 0x00)


def _rewritten(content: bytes) -> bytes:
    """The same zip without the clock."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type, info.create_system = zipfile.ZIP_DEFLATED, 3
            info.external_attr = 0o600 << 16
            new.writestr(info, old.read(name))
    return buffer.getvalue()
