"""A small trial to break: six participants, wide and long."""

import copy
import csv
from pathlib import Path

import pytest
import yaml

from mair.trial import TrialError, load

HERE = Path(__file__).parent
SPEC = {**yaml.safe_load((HERE / "small.yaml").read_text("utf-8")), "data": "trial.csv"}
SCORES = {"fiq": ("fiq_0", "fiq_1", "fiq_2"), "crp": ("crp_0", "crp_1", None)}


def table() -> list[list[str]]:
    return [*csv.reader((HERE / "small.csv").read_text("utf-8").splitlines())]


def put(cells, row, column, value):
    """Change a cell; ``row`` as the error counts it: the names stand in row 1."""
    cells[row - 1][cells[0].index(column)] = value


def drop(cells, *rows):
    cells[:] = [line for i, line in enumerate(cells, 1) if i not in rows]


def long_table() -> list[list[str]]:
    """The same participants, one row a visit, by participant."""
    wide = table()
    keep = [i for i, name in enumerate(wide[0]) if not name.startswith(("fiq", "crp"))]
    out = [[*(wide[0][i] for i in keep), "visit", *SCORES]]
    for line in wide[1:]:
        for t, visit in enumerate(("baseline", "post", "followup")):
            scores = [line[wide[0].index(c[t])] if c[t] else "" for c in SCORES.values()]
            out.append([*(line[i] for i in keep), visit, *scores])
    return out


def long_spec() -> dict:
    spec = copy.deepcopy(SPEC)
    spec["visit"] = "visit"
    spec["outcomes"]["FIQ"]["column"] = "fiq"
    spec["biomarkers"]["CRP"]["column"] = "crp"
    del spec["outcomes"]["FIQ"]["columns"], spec["biomarkers"]["CRP"]["columns"]
    return spec


def write(spec, cells) -> None:
    """Both files, in the working directory."""
    with open("trial.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(cells)
    text = spec if isinstance(spec, str) else yaml.safe_dump(spec, sort_keys=False)
    Path("trial.yaml").write_text(text, encoding="utf-8")


def problems(spec, cells) -> list[str]:
    """Write both files; the problems that reading them gives."""
    write(spec, cells)
    with pytest.raises(TrialError) as refused:
        load("trial.yaml")
    assert str(refused.value) == "\n".join(refused.value.problems)
    assert all("\n" not in line for line in refused.value.problems)
    return refused.value.problems


def check(case, spec, cells) -> None:
    """A row of a table of tests: what is changed, and each line that says so.

    ``says`` where it is refused, ``notes`` where it is read with notices; neither, without one.
    """
    for row, column, value in case.get("cells", ()):
        put(cells, row, column, value)
    drop(cells, *case.get("drop", ()))
    spec = merged(spec, case.get("change", {}))
    if "says" in case:
        found = problems(spec, cells)[:case.get("first")]
    else:
        write(spec, cells)
        found = load("trial.yaml").told
    assert found == (case.get("says") or case.get("notes", "")).splitlines()


def merged(spec: dict, changes: dict) -> dict:
    """Changes over a spec; None takes a key away."""
    out = copy.deepcopy(spec)
    for key, value in changes.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merged(out[key], value)
        else:
            out[key] = value
    return out
