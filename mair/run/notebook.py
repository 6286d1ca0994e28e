"""Notebooks as text: reading them, and checking the cell of their parameters."""

import ast
import json
import re
import symtable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mair"
PATHS = ("trial", "out")
_CELL = re.compile(r"^# %%(.*)$", re.MULTILINE)
_HEADER = re.compile(r"\A# ---\n(?:#.*\n)*?# ---\n")
_MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """A text notebook, read.

    Attributes
    ----------
    text : str
        The py:percent notebook.
    parameters : dict
        Defaults declared in the cell tagged ``parameters``.
    problems : list of str
        What keeps the runner from injecting parameters safely, one line each.
    """

    text: str
    parameters: dict
    problems: list[str]


def read(path: Path, defaults: dict) -> Source:
    """Read a py:percent notebook and check its parameters.

    Parameters
    ----------
    path : Path
    defaults : dict
        The ``analysis`` keys of the schema with their defaults. A notebook may declare any
        of them, with None, which means as the trial file says, or with exactly this default.

    Returns
    -------
    Source
        With ``problems`` empty when the notebook can be run.
    """
    text = path.read_text("utf-8")
    declared, problems = _check(text)
    for name, value in declared.items():
        if name in PATHS:
            continue
        if name not in defaults:
            problems.append(f"parameter `{name}` is neither trial, out nor an `analysis` key")
        elif value is not None and json.dumps(value) != json.dumps(defaults[name]):
            problems.append(f"parameter `{name}` is {value!r}; the schema's default is "
                            f"{defaults[name]!r}")
    where = f"{path.parent.name}/{path.name}"
    return Source(text, declared, [f"{where}: {problem}" for problem in problems])


def _code(text: str) -> list[tuple[int, str, str]]:
    """Number, heading and code of the cells of code, as Jupytext would read them."""
    first, *others = _CELL.split(_HEADER.sub("", text))
    cells = [("", first)] * bool(first.strip()) + [*zip(others[::2], others[1::2], strict=True)]
    return [(index, heading, code) for index, (heading, code) in enumerate(cells, 1)
            if not re.search(r"\[(markdown|md|raw)\]", heading)]


def _check(text: str) -> tuple[dict, list[str]]:
    """Declared parameters (none: not one cell), and problems; no other cell may bind them."""
    declared, problems, tagged = {}, [], 0
    for index, heading, code in _code(text):
        try:
            code = _MAGIC.sub(r"\1pass", code)
            tree, bound = ast.parse(code), _bound(code)
        except SyntaxError as error:
            problems.append(f"cell {index} is not Python: {error.msg}")
            continue
        if re.search(r'\btags=\[.*"parameters"', heading):
            tagged += 1
            declared, found = _literals(tree)
            problems += found
        else:
            problems += [f"cell {index} assigns the parameter `{name}` again; the injected value "
                         "would be lost" for name in sorted(bound & declared.keys())]
    if tagged != 1:
        return {}, [*problems, f"{tagged} cells tagged `parameters`; expected one"]
    return declared, [*problems, *(f"the parameters cell does not declare `{name}`"
                                   for name in PATHS if name not in declared)]


def _bound(code: str) -> set[str]:
    """Names that running the code binds; a comprehension's own variables are not among them."""
    symbols = symtable.symtable(code, "cell", "exec").get_symbols()
    return {one.get_name() for one in symbols if one.is_assigned() or one.is_imported()}


def _literals(tree: ast.Module) -> tuple[dict, list[str]]:
    """Names and values of a parameters cell, and what in it is not a plain literal."""
    values, problems = {}, []
    for statement in tree.body:
        shown = ast.unparse(statement)
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        bound = isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value
        if len(targets) != 1 or not isinstance(targets[0], ast.Name) or not bound:
            problems.append(f"the parameters cell holds `{shown}`; expected `name = literal`")
            continue
        name = targets[0].id
        try:
            value = ast.literal_eval(statement.value)
            plain = json.loads(json.dumps(value)) == value
        except (ValueError, TypeError):
            plain = False
        if not plain:
            problems.append(f"`{shown}` is not a literal of text, number, true/false, None, list "
                            "or dict")
        elif name in values:
            problems.append(f"the parameters cell assigns `{name}` twice")
        else:
            values[name] = value
    return values, problems
