"""Tables that are pivots of rows: what stands in each line and each column is declared.

The columns, and the words around a table, stand in ``data/tables.yaml``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial

import pandas as pd

from mair import results
from mair.report import fmt, words, written
from mair.report.table import Table


@dataclass(frozen=True)
class Line:
    """One line of a pivot.

    Parameters
    ----------
    stub : dict of str -> str
        Text of the leading columns by their heads.
    keys : dict of str -> str
        Key fields of ``results.csv`` that the line's statistics share. Further fields may be
        named for columns whose keys follow the line; they stand in the data, too.
    group : str
        The heading that the line stands under; lines of one group stand together.
    digits : int
        Decimals of the line's means: one on a scale of whole numbers.
    more : dict of str -> str
        Fields for columns whose keys follow the line that do not stand in the data.
    """

    stub: dict[str, str]
    keys: dict[str, str]
    group: str = ""
    digits: int = 2
    more: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """One column of a pivot.

    Parameters
    ----------
    head : str
        Its header, unique; what precedes the last ``::`` is shown over it and its neighbours.
        Without one the statistics stand in the data alone.
    statistics : tuple of str
        Looked up under the line's keys and the column's together.
    show : callable
        Takes the statistics by position, nan where empty or absent, and gives the text; where
        a mean is among them, the line's `digits` too.
    keys : dict
        Key fields of ``results.csv``; ``{braces}`` are filled from `said` and the line's fields.
    data : str
        Prefix of the data columns, ``<data>_<statistic>``.
    said : dict
    """

    head: str
    statistics: tuple[str, ...]
    show: Callable[..., str]
    keys: dict[str, str] = field(default_factory=dict)
    data: str = ""
    said: dict = field(default_factory=dict)

    def wanted(self, line: Line) -> dict[str, tuple[str, ...]]:
        """The whole keys of the column's statistics in one line, by their names in the data."""
        fields = self.said | line.more | line.keys
        keys = line.keys | {key: text.format(**fields) for key, text in self.keys.items()}
        first = [keys.get(name, "") for name in results.KEYS[:-1]]
        return {f"{self.data}_{one}".lstrip("_"): (*first, one) for one in self.statistics}


def worded(key: str, name: str = "", **values) -> dict:
    """A table's name, title and notes (``data/tables.yaml``), with `values` filled in.

    A note may be a template of Jinja; one that comes out empty is left out.

    Examples
    --------
    >>> worded("ratios", "biomarkers_ratios", section="Biomarkers", treatment="A", control="B")[
    ...     "title"]
    'Biomarkers on the ln scale, as ratios'
    """
    said = written.data("tables")[key]
    notes = tuple(filter(None, (
        written.templates().from_string(note).render(values) if "{{" in note else
        note.format(**values) for note in said.get("notes", ()))))
    return {"name": name or key, "title": said["title"].format(**values), "notes": notes}


def columns(key: str, **values) -> list[Column]:
    """The columns of a table (``data/tables.yaml``), with `values` filled in.

    Raises
    ------
    KeyError
        A list, number or text that a declaration names and `values` has not.
    """
    found = []
    for block in written.data("tables")[key]["columns"]:
        for own in values[block["each"]] if "each" in block else [{}]:
            said = values | own
            found += [Column(head.format(**said), of := tuple(names.format(**said).split()),
                             _format(show, of, values), block.get("keys", {}) | dict(*keys),
                             block.get("data", "").format(**said), said)
                      for head, names, show, *keys in block["are"]]
    return found


def _format(show, names, values) -> Callable[..., str]:
    """A format of `mair.report.fmt` or of `values` by name, with what it is given; a template."""
    if "{{" in show:
        template = written.templates().from_string(show)
        return lambda *shown, **more: template.render(
            dict(zip(names, shown, strict=True)) | more, fmt=fmt, shown=shown)
    if "{" in show:
        return partial(fmt.TEMPLATE.format, show)
    (name, given), = show.items() if isinstance(show, dict) else [(show, {})]
    return partial(getattr(fmt, name, None) or values[name], **given)


def sides(trial) -> dict:
    """What declarations may name of every trial: itself, its arms and the confidence."""
    label = trial.called
    arms = [{"arm": arm, "label": said, "heading": f"{said} (n = {trial.n(arm)})"}
            for arm, said in label.items()]
    percent = 100 * trial.analysis.confidence
    return {"trial": trial, "arms": arms, "everybody": [*arms, {"arm": "overall",
                                                "heading": f"Overall (n = {trial.n()})"}],
            "treatment": label[trial.treatment], "control": label[trial.control],
            "percent": percent, "ci": f"{percent:g}% CI"}


def lines(trial, rows, key: str, values: dict) -> list[Line]:
    """The lines of a table (``data/tables.yaml``): of a list among `values`, or of keys in `rows`.

    Raises
    ------
    KeyError
        What a declaration names and neither `values` nor the line has.
    """
    found = []
    for block in written.data("tables")[key]["lines"]:
        for own in values[block["each"]] if "each" in block else _distinct(rows, block["keys"]):
            if "if" in block and not own[block["if"]]:
                continue
            said = values | _in_words(trial, own) | own
            stub, keys = ({head.format(**said): text.format(**said) for head, text in of.items()}
                          for of in (block["stub"], block["keys"] if "each" in block else {}))
            found.append(Line(stub, keys or own, block.get("group", "").format(**said),
                              own.get("digits", 2), own))
    return found


def _distinct(rows, wanted: dict) -> list[dict]:
    """What stands under some keys where each is as wanted, or as one of those wanted."""
    for key, patterns in wanted.items():
        either = [patterns] if isinstance(patterns, str) else patterns
        rows = rows[rows[key].isin([of for of in rows[key].unique() if any(
            fnmatchcase(of, one) for one in either)])]
    return rows[[*wanted]].drop_duplicates().to_dict("records")


def _in_words(trial, own: dict) -> dict[str, str]:
    """What stubs may name beside a line's own fields: its variable, visit and method in words."""
    variable, time, how = (own.get(key, "") for key in ("variable", "time", "method"))
    visit = trial.visit_labels.get(time, "all") if time else "all"
    return {"visit": visit, "at": f", {visit}" if time else "", "Variable": words.begin(variable),
            "what": variable.partition(": ")[2], "how": words.method(how),
            "How": words.begin(words.method(how))}


def declared(trial, rows, key: str, name: str = "", **values) -> Table | None:
    """A table that ``data/tables.yaml`` declares; None without lines.

    Parameters
    ----------
    trial : Trial
    rows : DataFrame
        Columns of ``results.csv``.
    key : str
        Of the declaration.
    name : str
        Of the table, where it is not the declaration's.
    **values
        What the declaration names besides `sides`: numbers, texts, and lists of what lines and
        columns are repeated over.
    """
    values = sides(trial) | values
    there = lines(trial, rows, key, values)
    return pivot(rows, there, columns(key, **values),
                 **worded(key, name, **values)) if there else None


def pivot(rows, lines, columns, **worded) -> Table:
    """A table of statistics: what stands in each line, and in each column.

    A cell is blank where none of its statistics has a row. The data hold one line each: its key
    fields but for ``analysis``, then every statistic at full precision.

    Parameters
    ----------
    rows : DataFrame
        Columns of ``results.csv``.
    lines : list of Line
    columns : list of Column
    **worded
        ``name``, ``title`` and ``notes`` of `Table`.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        Two columns that would give different statistics under one name of the data.

    Examples
    --------
    >>> rows = results.Rows("outcomes")
    >>> rows.add("FIQ", "RT", "post", "described", mean=61.2233, sd=25.897)
    >>> table = pivot(
    ...     rows.frame(),
    ...     [Line({"Visit": "post"}, {"analysis": "outcomes", "variable": "FIQ", "time": "post"})],
    ...     [Column("RT", ("mean", "sd"), fmt.mean_sd, {"arm": "RT", "method": "described"}, "RT")],
    ...     name="example", title="Means (SD)")
    >>> table.cells(), list(table.data)
    ([['post', '61.22 (25.90)']], ['variable', 'time', 'RT_mean', 'RT_sd'])
    """
    values = dict(zip(rows[results.KEYS].itertuples(index=False, name=None),
                      pd.to_numeric(rows["value"]), strict=True))
    display, data, shown = [], [], []
    for line in lines:
        texts, wanted, keys = dict(line.stub), {}, [()] * len(line.stub)
        for column in columns:
            own = column.wanted(line)
            if twice := [one for one in own if wanted.get(one, own[one]) != own[one]]:
                raise ValueError(f"{worded['name']}: {twice[0]} of the data would be both "
                                 f"{wanted[twice[0]]} and {own[twice[0]]}")
            wanted |= own
            if column.head:
                keys.append(tuple(key for key in own.values() if key in values))
                found = [values.get(key, math.nan) for key in own.values()]
                means = {"digits": line.digits} if "mean" in column.statistics else {}
                texts[column.head] = column.show(*found, **means) if keys[-1] else ""
        display.append(texts)
        data.append({key: text for key, text in line.keys.items() if key != "analysis"}
                    | {name: values.get(key, math.nan) for name, key in wanted.items()})
        shown.append(tuple(keys))
    groups = [line.group for line in lines]
    return Table(display=pd.DataFrame(display), data=pd.DataFrame(data), keys=tuple(shown),
                 groups=pd.Series(groups) if any(groups) else None, rows=rows, **worded)
