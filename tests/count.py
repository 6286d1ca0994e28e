"""Code lines by folder, without blanks, comments and docstrings: ``make count``."""

import ast
import io
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
            tokenize.ENDMARKER}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def docstring(node: ast.AST) -> range:
    """Lines of a node's docstring; empty where it has none."""
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        return range(node.body[0].lineno, node.body[0].end_lineno + 1)
    return range(0)


def code_lines(path: Path) -> set[int]:
    """Numbers of the lines of a module that hold code."""
    text = path.read_text(encoding="utf-8")
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        lines.difference_update(docstring(node))
    return lines


def total(folder: Path, without: tuple[Path, ...] = ()) -> int:
    """Code lines of all modules below a folder, or of one module."""
    modules = folder.rglob("*.py") if folder.is_dir() else [folder]
    return sum(len(code_lines(path)) for path in modules
               if not any(path.is_relative_to(other) for other in without))


def main() -> None:
    """Print the table."""
    package = ROOT / "mair"
    parts = [path for path in sorted(package.iterdir())
             if path.suffix == ".py" or (path / "__init__.py").is_file()]
    rows = {f"mair/{path.name}": total(path) for path in parts}
    rows["mair without studies"] = total(package, (package / "studies",))
    rows |= {name: total(ROOT / name) for name in ("tests", "notebooks")}
    for name, lines in rows.items():
        print(f"{name:22} {lines:6,}")


if __name__ == "__main__":
    main()
