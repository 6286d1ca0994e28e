"""Former name of `mair.report.table`; leaves with the last caller."""

from mair.report.show import Show
from mair.report.table import Table

__all__ = ["Table", "show"]


def show(table: Table, out=None):
    """Display and write a table."""
    Show(table, out)(table)
