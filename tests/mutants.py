"""`make mutants`: faults planted one at a time, and how many the tests of sections see.

Each fault is one replacement of text in a copy of the package: an arm, a sign, a number of
people, a label, a visit or a denominator that is wrong. The tests of sections, tables and
figure frames run on the copy; a fault is caught when one of them fails. Not part of `make test`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FAULTS = """\
@ sections/flow.py
- of = trial.arm == arm if arm
+ of = trial.arm != arm if arm
- total = [trial.n(arm) for arm in trial.arms]
+ total = [trial.n() for arm in trial.arms]
- first = left & ~left.shift(1, axis=1, fill_value=False)
+ first = left
- any(axis=1) & complete
+ all(axis=1) & complete
- q1, median, q3 = tests
+ q3, median, q1 = tests
@ sections/planning.py
- d = delta / declared["sd"]
+ d = declared["sd"] / delta
- declared["dropout"], rule=rule
+ declared["dropout"]
@ sections/baseline.py
- pair = samples[trial.treatment], samples[trial.control]
+ pair = samples[trial.control], samples[trial.treatment]
- sample.std(ddof=1)
+ sample.std(ddof=0)
- 100 * of[level] / known if
+ 100 * of[level] / trial.n() if
@ sections/measures.py
- scores[whom & (trial.arm == arm)]
+ scores[whom & (trial.arm != arm)]
- else after - before
+ else before - after
- 100 * change / before if before
+ 100 * change / after if before
- for arm in (trial.treatment, trial.control)]
+ for arm in (trial.control, trial.treatment)]
- if family == getattr(families, other) else ()
+ if family else ()
- gmr_low=ratio and ratio.low
+ gmr_low=ratio and ratio.high
@ sections/model.py
- treated = (rows["arm"] == trial.treatment)
+ treated = (rows["arm"] == trial.control)
- wanted[trial.treatment, visit] = base
+ wanted[trial.control, visit] = base
@ sections/imputed.py
- sign = 1.0 if variable.better == "lower"
+ sign = 1.0 if variable.better == "higher"
@ sections/nnt.py
- zip(counts[trial.treatment], counts[trial.control]
+ zip(counts[trial.control], counts[trial.treatment]
- "treatment" if arm == trial.treatment else "control"
+ "control" if arm == trial.treatment else "treatment"
- scores[declared["visit"]].to
+ scores[trial.visits[1]].to
- percent=100 * k / n if n
+ percent=100 * k / trial.n(arm) if n
- better=variable.better
+ better="lower"
- (trial.control, found.control, found.n_control)
+ (trial.control, found.control, found.n_treatment)
- by_arm[trial.treatment], by_arm[trial.control]
+ by_arm[trial.control], by_arm[trial.treatment]
@ sections/estimands.py
- return known if key.method
+ return known if not key.method
@ sections/robustness.py
- (size - 1) * rho))
+ size * rho))
- f"delta={own:g}/control={other:g}"
+ f"delta={other:g}/control={own:g}"
- strata=None if strata is None
+ strata=None if True
- for arm in (trial.treatment, trial.control)]
+ for arm in (trial.control, trial.treatment)]
@ sections/power.py
- first, second = trial.primary.visits[:2]
+ first, second = trial.primary.visits[::2]
- df = len(change) - 2
+ df = len(change) - 1
- np.ceil(max((ndtri
+ np.ceil(min((ndtri
- {"n_with_dropout": 2 * n,
+ {"n_with_dropout": n,
@ sections/audit.py
- groupby(place).max()
+ groupby(place).min()
@ report/frames.py
- sign = -1 if section == "outcomes" and variable.better == "lower"
+ sign = -1 if variable.better == "higher"
- return f"favours {trial.control}", f"favours {trial.treatment}"
+ return f"favours {trial.treatment}", f"favours {trial.control}"
- return trial.treatment if good else trial.control
+ return trial.control if good else trial.treatment
@ report/tables_result.py
- {arm: f"{arm} (n = {trial.n(arm)})" for
+ {arm: f"{arm} (n = {trial.n()})" for
- ("mean", "sd"), fmt.mean_sd, keys)]
+ ("sd", "mean"), fmt.mean_sd, keys)]
- DIFFERENCE | {"method": "d_ppc2"}))
+ DIFFERENCE | {"method": "b_over_sd"}))
@ report/tables_appendix.py
- Column("SE", ("se",)
+ Column("SE", ("b",)
- ("b_low", "b_high")
+ ("b_high", "b_low")
- ("nnt", "nnt_ci_low", "nnt_ci_high",
+ ("nnt", "nnt_ci_high", "nnt_ci_low",
- dropout=share),
+ dropout=0.0),
- {1: "*", 0: "†"}
+ {0: "*", 1: "†"}
- lambda verdict: -verdict.map(SEVERITY)
+ lambda verdict: verdict.map(SEVERITY)
@ report/frames_appendix.py
- time=trial.primary.visits[-1]
+ time=trial.primary.visits[1]
- cells["effect"] == "null"
+ cells["effect"] == "planned"
"""


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
        for part in ("mair", "tests", "params"):
            shutil.copytree(ROOT / part, folder / part,
                            ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)
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
