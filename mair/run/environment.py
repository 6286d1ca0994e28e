"""``environment.yml`` for users of conda: the pins of requirements.lock, under conda's names.

The pins are compared by a test, not solved: whether conda-forge can install them together
was not tried.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Where conda-forge's name is not the lower-cased one of PyPI.
CONDA_NAMES = {"playwright": "playwright-python"}
HEADER = """\
# For users of conda. Written by `python -m mair environment` from the pins of requirements.lock
# for the packages that pyproject.toml names. Pins compared, not solved: conda was not at hand.
#   conda env create -f environment.yml && conda activate mair
#   python -m pip install --no-deps --no-build-isolation -e .
"""


def named(pyproject: Path) -> list[str]:
    """Packages that pyproject.toml asks for, its extras included, lower-cased and sorted.

    Parameters
    ----------
    pyproject : Path

    Returns
    -------
    list of str
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    asked = list(project["dependencies"])
    for extra in project.get("optional-dependencies", {}).values():
        asked += extra
    return sorted({_normal(re.match(r"[A-Za-z0-9._-]+", line)[0]) for line in asked})


def pins(lock: Path) -> dict[str, str]:
    """Versions by package name, lower-cased, of a pip lock.

    Parameters
    ----------
    lock : Path
        As ``uv pip compile`` writes it. A package pinned twice, for different Pythons, keeps
        the pin that has the newest.

    Returns
    -------
    dict of str to str
    """
    found: dict[str, str] = {}
    for name, version in re.findall(
        r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE
    ):
        name = _normal(name)
        if name not in found or _ordered(version) > _ordered(found[name]):
            found[name] = version
    return found


def text(root: Path = ROOT) -> str:
    """The content of environment.yml.

    Parameters
    ----------
    root : Path
        Directory of pyproject.toml and requirements.lock.

    Raises
    ------
    KeyError
        pyproject.toml names a package that the lock does not pin.
    """
    locked = pins(root / "requirements.lock")
    names = named(root / "pyproject.toml")
    lines = [f"  - {CONDA_NAMES.get(name, name)}={locked[name]}" for name in names]
    body = ["name: mair", "channels:", "  - conda-forge", "  - nodefaults", "dependencies:",
            "  - python>=3.12", "  - pip", *lines]
    return HEADER + "\n".join(body) + "\n"


def write(root: Path = ROOT) -> str:
    """Write environment.yml beside the lock; returns what was done, in one line."""
    (root / "environment.yml").write_text(text(root), encoding="utf-8")
    count = len(named(root / "pyproject.toml"))
    return f"environment.yml: {count} pins from requirements.lock (compared, not solved)"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
