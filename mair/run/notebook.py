"""Notebooks as text: reading them, checking their parameters, and what code they depend on."""

from __future__ import annotations

import ast
import json
import re
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mair"
PATHS = ("trial", "out")
_MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)


def quick_jupyter() -> None:
    """Spare 0.7 s at the first Jupyter import.

    jsonschema loads 35 grammars for a string format that no Jupyter schema uses.
    """
    sys.modules.setdefault("rfc3987_syntax", None)


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

    @property
    def code(self) -> list[ast.Module]:
        """The parsed code cells."""
        return [tree for _, tree in _code_cells(self.node) if isinstance(tree, ast.Module)]

    @property
    def names(self) -> set[str]:
        """Words by which a cell may reach a section of the trial file.

        ``x`` of ``t.x`` (the Trial), of ``x.rows`` and of ``from mair.x import rows``, and every
        text.
        """
        found: set[str] = set()
        for node in (n for tree in self.code for n in ast.walk(tree)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.value.id in ("t", "trial"):
                    found.add(node.attr)
                elif node.attr == "rows":
                    found.add(node.value.id)
            elif isinstance(node, ast.ImportFrom) and any(a.name == "rows" for a in node.names):
                found.add((node.module or "").rsplit(".", 1)[-1])
        return found


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
    quick_jupyter()
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


# What code a notebook depends on: the modules of this package that it imports, directly or
# through others, wherever the import stands; and the data files and templates they name.


def closure(*trees: ast.AST) -> set[Path]:
    """Files of the package that running ``trees`` may read.

    Parameters
    ----------
    *trees : ast.AST
        Parsed code of a notebook or module outside the package.

    Returns
    -------
    set of Path
        Modules imported, transitively, lazy imports included, and the package's data files
        whose names stand as a string in them.
    """
    found: set[Path] = set()
    todo = {file for tree in trees for file in _needs(tree, PACKAGE.parent)}
    while todo:
        file = todo.pop()
        if file not in found:
            found.add(file)
            if file.suffix == ".py":
                todo |= _file_needs(file)
    return found


def mentioned(paths) -> set[str]:
    """Keys read as ``….analysis.<key>`` anywhere in these modules."""
    return set().union(*(_analysis_keys(path) for path in paths if path.suffix == ".py"))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


@cache
def _file_needs(path: Path) -> set[Path]:
    return _needs(_tree(path), path.parent)


@cache
def _analysis_keys(path: Path) -> set[str]:
    return {
        node.attr
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute)
        and "analysis" in (getattr(node.value, "attr", ""), getattr(node.value, "id", ""))
    }


@cache
def _data_files() -> dict[str, list[Path]]:
    """Files of the package that are not modules, by name."""
    found: dict[str, list[Path]] = {}
    for path in PACKAGE.rglob("*"):
        if path.is_file() and path.suffix not in {".py", ".pyc"}:
            found.setdefault(path.name, []).append(path)
    return found


def _needs(tree: ast.AST, folder: Path) -> set[Path]:
    """Files that one module needs directly."""
    needs: set[Path] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                needs |= _module(alias.name.split("."), PACKAGE.parent)
        elif isinstance(node, ast.ImportFrom):
            base = (PACKAGE.parent, folder, *folder.parents)[node.level]
            parts = node.module.split(".") if node.module else []
            for alias in node.names:
                needs |= _module([*parts, alias.name], base)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            needs |= set(_data_files().get(node.value.rsplit("/", 1)[-1], ()))
    return needs


def _module(parts: list[str], base: Path) -> set[Path]:
    """Files of the package that importing ``base/parts`` runs, packages on the way included."""
    needs: set[Path] = set()
    place = base
    for part in parts:
        place = place / part
        for file in (place.with_name(f"{part}.py"), place / "__init__.py"):
            if file.is_file() and PACKAGE in file.parents:
                needs.add(file)
        if not place.is_dir():
            break
    return needs
