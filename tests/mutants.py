"""`make mutants`: faults planted one at a time, and how many the tests of sections see.

Each fault is one replacement of text in a copy of the package: an arm, a sign, a number of
people, a label, a visit or a denominator that is wrong. The tests of sections, tables and
figure frames run on the copy; a fault is caught when one of them fails. Not part of `make test`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# "@" a file in mair/, "-" what stands there once, "+" what is put there
FAULTS = Path(__file__).with_suffix(".txt").read_text("utf-8")


def faults() -> list[tuple[str, str, str]]:
    """Each fault: the file in ``mair/``, what stands there once, and what is put there."""
    found, path, old = [], "", ""
    for line in FAULTS.splitlines():
        mark, text = line[0], line[2:]
        if mark == "@":
            path = text
        elif mark == "-":
            old = text
        else:
            found.append((path, old, text))
    return found


def seen(folder: Path, path: str = "") -> bool:
    """Whether a test fails in the copy; those named after the module run first."""
    files = sorted(map(str, [*folder.glob("tests/sections/test_*.py"),
                             *folder.glob("tests/report/test_tables_*.py")]),
                   key=lambda file: (f"test_{Path(path).stem}.py" not in file, file))
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", *files,
         "--deselect", "tests/sections/test_sections.py::"
         "test_one_trial_in_every_format_and_shape_gives_the_same_bytes"],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False)
    if found.returncode not in (0, 1):
        raise SystemExit(f"pytest did not run:\n{found.stdout[-2000:]}{found.stderr[-2000:]}")
    return found.returncode == 1


def main(wanted: list[str]) -> None:
    """Plant the faults (all, or those of files that contain a word given) and count."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("mair", "tests", "params", "notebooks"):
            shutil.copytree(ROOT / part, folder / part,
                            ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / file, folder)
        if seen(folder):
            raise SystemExit("a test fails before any fault is planted")
        chosen = [one for one in faults() if not wanted or any(word in one[0] for word in wanted)]
        caught = 0
        for path, old, new in chosen:
            file = folder / "mair" / path
            text = file.read_text(encoding="utf-8")
            if text.count(old) != 1:
                raise SystemExit(f"{path}: {old!r} stands there {text.count(old)} times, not once")
            file.write_text(text.replace(old, new), encoding="utf-8")
            found = seen(folder, path)
            file.write_text(text, encoding="utf-8")
            caught += found
            print(f"{'caught' if found else 'MISSED'}  {path}: {new}", flush=True)
    print(f"{caught} of {len(chosen)} planted faults caught")


if __name__ == "__main__":
    main(sys.argv[1:])
