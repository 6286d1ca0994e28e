"""Examples in docstrings run, and the README names only commands that exist."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import mair

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


def test_no_module_is_too_long_to_read():
    for path in sorted((ROOT / "mair").rglob("*.py")):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, path.name
