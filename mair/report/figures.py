"""Former way to `mair.report.show.Show`; leaves with the last caller."""

from types import SimpleNamespace

from mair.report.show import Show


def show(fig, name, alt, out=None, synthetic=False):
    """Display and write a figure."""
    Show(SimpleNamespace(synthetic=synthetic), out)(fig, name, alt)
