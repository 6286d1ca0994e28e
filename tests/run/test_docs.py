"""What is said about the project holds: examples, commands, sizes, pins."""

import ast
import doctest
import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import count
import pytest
import screenshot

import mair
from mair.run import plan as run

ROOT = Path(__file__).resolve().parents[2]


def test_examples_in_docstrings():
    attempted = 0
    for module in pkgutil.walk_packages(mair.__path__, "mair."):
        if module.name == "mair.__main__":
            continue
        found = doctest.testmod(importlib.import_module(module.name))
        assert found.failed == 0, module.name
        attempted += found.attempted
    assert attempted > 20


def test_every_make_target_of_the_readme_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)", text))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"test", "run", "audit", "lab"} <= named <= targets


@pytest.mark.parametrize("path", sorted((ROOT / "mair").rglob("*.py")), ids=lambda p: p.name)
def test_no_module_and_no_function_is_too_long_to_read(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = node.end_lineno - node.lineno + 1 - len(count.docstring(node))
            assert lines <= 60, node.name


def test_code_is_counted_without_blanks_comments_and_docstrings(tmp_path):
    (tmp_path / "m.py").write_text('''"""One.\n\nTwo."""\n\nx = 1  # one\n# two\n\n
def f(a,
      b):
    """Three."""
    return """a
text"""
''')
    assert count.total(tmp_path) == 5
    assert count.total(tmp_path, without=(tmp_path,)) == 0


@pytest.mark.browser
def test_the_screenshot_says_what_the_page_says(browser, built):
    picture, said = screenshot.taken(browser, built / "index.html")
    assert screenshot.recorded() == said and len(picture) > 50_000


def test_the_list_of_notebooks_is_theirs_and_links_lead_somewhere():
    listed = (ROOT / "notebooks" / "index.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \[(\w+)\]\(\1\.py\)", listed, re.MULTILINE) == list(run.NOTEBOOKS)
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "notebooks" / "index.md"):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


# Pins


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pinned(text: str, pattern: str) -> dict[str, str]:
    """The newest version by name; a lock may hold one for each Python."""
    found = re.findall(pattern, text, re.MULTILINE)
    return {_normal(name): version for name, version in
            sorted(found, key=lambda pin: [int(part) for part in re.findall(r"\d+", pin[1])])}


def test_lock_project_and_conda_name_the_same_packages_at_the_same_versions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {_normal(re.match(r"[\w.-]+", line)[0]) for line in
             [*project["dependencies"], *project["optional-dependencies"]["dev"]]}
    lock = (ROOT / "requirements.lock").read_text()
    locked = _pinned(lock, r"^([\w.-]+)==([^\s;\\]+)")
    conda = _pinned((ROOT / "environment.yml").read_text(), r"^ +- ([\w.-]+)==?([\d.]+)$")
    conda["playwright"] = conda.pop("playwright-python")
    assert conda == {name: locked[name] for name in asked}
    assert not re.search(r"://|--index|--find-links", lock)  # no host


def test_each_package_asked_for_is_imported():
    """By what `make` runs, or it is JupyterLab, in which `make lab` opens the notebooks."""
    modules = {"python-docx": "docx", "great-tables": "great_tables", "pyyaml": "yaml",
               "jinja2": "jinja2"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = "\n".join(path.read_text() for folder in ("mair", "notebooks")
                     for path in (ROOT / folder).rglob("*.py"))
    for line in project["dependencies"]:
        name = _normal(re.match(r"[\w.-]+", line)[0])
        module = modules.get(name, name)
        assert name == "jupyterlab" or re.search(rf"\b(import|from) {module}\b|\"{module}",
                                                 text), name


# The Makefile


def _make(folder: Path, *arguments: str):
    shutil.copy(ROOT / "Makefile", folder)
    (folder / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
    python = folder / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')  # says what it is given
    python.chmod(0o755)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", "-o", "setup", *arguments], cwd=folder, text=True, env=env,
                          capture_output=True, check=False)


@pytest.mark.parametrize("value", ['a b"c', "it's", "`touch x`", "$(touch x)", "$(shell touch x)",
                                   "$HOME;touch x", "--out", "é 1"])
def test_what_a_user_names_reaches_no_shell(tmp_path, value):
    done = _make(tmp_path, "run", f"PARAMS={value}", f"OUT={value}")
    assert done.stdout.splitlines() == ["-m", "mair", "run", "--out", value, "--", value]
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("arguments", "said"), [
    (["run"], "PARAMS= is missing"), (["check"], "PARAMS= is missing"),
    (["compare", "A=x"], "B= is missing"), (["run", "PARAM=x"], "unknown: PARAM"),
    (["size"], "PARAMS= is missing"), (["power", "PARAMS=x"], "GRID= is missing"),
    (["PARAMS=x", "OUTPUT=y"], "unknown: OUTPUT"),
])
def test_a_variable_that_is_missing_or_unknown_is_an_error(tmp_path, arguments, said):
    done = _make(tmp_path, *arguments)
    assert done.returncode != 0 and said in done.stderr and done.stdout == ""
