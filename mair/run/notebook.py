"""Notebooks as text: reading them, checking their parameters, and what code they depend on."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mair"
PATHS = ("trial", "out")
_MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """A text notebook, read.

    Attributes
    ----------
    name : str
        Stem of the file.
    path : Path
    node : nbformat.NotebookNode
        As Jupytext reads it; not to be changed in place.
    parameters : dict
        Defaults declared in the cell tagged ``parameters``.
    problems : tuple of str
        What keeps the runner from injecting parameters safely, one line each.
    """

    name: str
    path: Path
    node: object
    parameters: dict
    problems: tuple[str, ...] = field(default=())


def read(path: Path, defaults: dict) -> Source:
    """Read a py:percent notebook and check its parameters.

    Parameters
    ----------
    path : Path
    defaults : dict
        The ``analysis`` keys of the schema with their defaults. A notebook may declare any
        of them, with exactly this default, so that by hand it runs the published analysis.

    Returns
    -------
    Source
        With ``problems`` empty when the notebook can be run.
    """
    import jupytext

    node = jupytext.read(path, fmt="py:percent")
    parameters, problems = _check(node, defaults)
    name = f"{path.parent.name}/{path.name}"
    return Source(path.stem, path, node, parameters, tuple(f"{name}: {p}" for p in problems))


def _code_cells(node):
    """Index and AST of each code cell (or the SyntaxError that parsing it raised)."""
    for index, cell in enumerate(node.cells):
        if cell.cell_type != "code":
            continue
        try:
            yield index, ast.parse(_MAGIC.sub(r"\1pass", cell.source))
        except SyntaxError as error:
            yield index, error


def _check(node, defaults: dict) -> tuple[dict, list[str]]:
    """Declared parameters, and problems in words."""
    cells = list(_code_cells(node))
    problems = [
        f"cell {index + 1} is not Python: {tree.msg}"
        for index, tree in cells
        if isinstance(tree, SyntaxError)
    ]
    tagged = [i for i, cell in enumerate(node.cells)
              if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        return {}, [*problems, f"{len(tagged)} cells tagged `parameters`; expected one"]
    declared: dict = {}
    for index, tree in cells:
        if isinstance(tree, SyntaxError):
            continue
        if index == tagged[0]:
            declared, found = _literals(tree)
            problems += found
        elif index > tagged[0]:
            problems += [
                f"cell {index + 1} assigns the parameter `{name}` again; "
                "the injected value would be lost"
                for name in sorted(_assigned(tree) & declared.keys())
            ]
    problems += [f"the parameters cell does not declare `{name}`"
                 for name in PATHS if name not in declared]
    for name, value in declared.items():
        if name in PATHS:
            continue
        if name not in defaults:
            problems.append(f"parameter `{name}` is neither trial, out nor an `analysis` key")
        elif value != defaults[name] or type(value) is not type(defaults[name]):
            problems.append(
                f"parameter `{name}` is {value!r}; the schema's default is {defaults[name]!r}"
            )
    return declared, problems


def _literals(tree: ast.Module) -> tuple[dict, list[str]]:
    """Names and values of a parameters cell, and what in it is not a plain literal."""
    values, problems = {}, []
    for statement in tree.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        target, value = None, getattr(statement, "value", None)
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
        elif isinstance(statement, ast.AnnAssign):
            target = statement.target
        shown = ast.unparse(statement)
        if not isinstance(target, ast.Name) or value is None:
            problems.append(f"the parameters cell holds `{shown}`; expected `name = literal`")
            continue
        try:
            literal = ast.literal_eval(value)
            plain = json.loads(json.dumps(literal)) == literal
        except (ValueError, TypeError):
            plain = False
        if not plain:
            problems.append(
                f"`{shown}` is not a literal of text, number, true/false, None, list or dict"
            )
            continue
        if target.id in values:
            problems.append(f"the parameters cell assigns `{target.id}` twice")
        values[target.id] = literal
    return values, problems


def _assigned(tree: ast.AST) -> set[str]:
    """Names that running ``tree`` binds; a comprehension's own variables are not among them."""
    names: set[str] = set()
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            inner = [n for n in ast.walk(node) if isinstance(n, ast.NamedExpr)]
            names |= {n.target.id for n in inner}
            continue
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            names |= {getattr(node, "name", "")} - {""}
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(a.asname or a.name).split(".")[0] for a in node.names}
        todo += ast.iter_child_nodes(node)
    return names
