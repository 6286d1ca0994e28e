"""The map of an audit: every published number where it stands in the paper's tables."""

from pathlib import Path

from mair.report.fmt import MINUS
from mair.report.markup import Markup

# What stands around a number that shares its cell with others, as in "61.12 (20.21)".
AROUND = {"sd": (" (", ")"), "percent": (" (", "%)"), "ci_low": (" (", ""),
          "ci_high": (" to ", ")"), "range_high": (" to ", "")}
TOGETHER = {"ci_low": "b", "ci_high": "b", "range_low": "range", "range_high": "range"}


def facsimiles(numbers, label=str) -> Markup:
    """The printed tables as small ones, each number a link to its row in the list of all.

    Parameters
    ----------
    numbers : DataFrame
        One row a printed number, in the paper's order: ``source``, ``variable``, ``arm``,
        ``time``, ``statistic``, ``printed``, ``verdict`` (as `mair.sections.audit.judged`).
        A row a variable and visit, a column an arm or a statistic; of the text, a row a section.
    label : callable
        Puts a variable, visit or statistic into words.

    Returns
    -------
    Markup
        A figure; its links lead to ``#n1`` for the first number, and so on.
    """
    import jinja2

    panels: dict = {place.capitalize(): {} for place in numbers["source"].unique()
                    if place.startswith("table")} | {"Text": {}}
    for i, one in enumerate(numbers.itertuples(), start=1):
        arm = one.arm.replace("overall", "")
        variable, time, of, statistic = (
            label(key) if key else "" for key in (one.variable, one.time, arm, one.statistic))
        place, row = one.source.capitalize(), ", ".join(filter(None, (variable, time)))
        before, after = AROUND.get(one.statistic, ("; ", ""))
        column = label(TOGETHER.get(one.statistic, one.statistic)) if arm in (
            "", "difference") else of
        if place not in panels:
            place, row, column, before, after = "Text", one.source, "", "; ", ""
        cell = panels[place].setdefault(row, {}).setdefault(column, [])
        cell.append({"at": i, "printed": one.printed.replace("-", MINUS), "verdict": one.verdict,
                     "before": before if cell else "", "after": after if cell else "",
                     "what": ", ".join(filter(None, (variable, of, time, statistic)))})
    template = jinja2.Template(Path(__file__).with_name("maps.html.j2").read_text("utf-8"),
                               autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return Markup(template.render(panels=panels))
