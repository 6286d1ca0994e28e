"""Trial files and data that are wrong: every problem in one line, none missed, none invented."""

import csv
import pickle
import random

import pandas as pd
import pyreadstat
import pytest
import yaml
from trials.small import SPEC, drop, long_spec, long_table, merged, problems, put, rename, table
from trials.wrong_keys import KEYS

from mair.trial import TrialError, load


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_trials_that_are_broken_below_are_whole():
    for spec, cells in ((SPEC, table()), (long_spec(), long_table())):
        with open("trial.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(cells)
        with open("trial.yaml", "w", encoding="utf-8") as file:
            yaml.safe_dump(spec, file, sort_keys=False)
        assert load("trial.yaml").n() == 6


# --- the trial file


@pytest.mark.parametrize("name", KEYS)
def test_wrong_keys(name):
    changes, lines = KEYS[name]
    found = problems(merged(SPEC, changes), table())
    assert found == [f"trial.yaml: {line}" for line in lines]


# --- the data of a wide file: what to do to the table, and the lines ---------------------

WIDE = {
    "missing column": (lambda t: rename(t, "fiq_1", "fiq1"),
        ["column fiq_1: not in the file, expected by outcomes.FIQ; did you mean fiq1?"]),
    "missing describe column": (lambda t: rename(t, "seen", "Seen_post"),
        ["column seen: not in the file, expected by describe.biomarkers; did you mean "
         "Seen_post?"]),
    "missing participant column": (lambda t: rename(t, "id", "ID"),
        ["column id: not in the file, expected by participant; did you mean ID?"]),
    "column name twice": (lambda t: rename(t, "edu", "age"),
        ["column age stands twice, expected each name once"]),
    "duplicate participant": (lambda t: put(t, 4, "id", "7.0"),
        ["column id, participant 7 (row 4): stands in row 2 too, expected one row a "
         "participant (a long file has visit: <column>)"]),
    "empty participant id": (lambda t: put(t, 4, "id", "  "),
        ["column id, row 4: empty, expected a participant's id"]),
    "neither arm": (lambda t: put(t, 3, "arm", "ABCT"),
        ["column arm, participant 8 (row 3): 'ABCT', expected RT or MAIR"]),
    "missing arm": (lambda t: put(t, 3, "arm", ""),
        ["column arm, participant 8 (row 3): empty, expected RT or MAIR"]),
    "not a number": (lambda t: put(t, 2, "fiq_1", "abc"),
        ["column fiq_1, participant 7 (row 2): 'abc', expected a number from 0 to 100"]),
    "decimal comma": (lambda t: put(t, 2, "fiq_1", "3,5"),
        ["column fiq_1, participant 7 (row 2): '3,5', expected a number from 0 to 100"]),
    "outside the range": (lambda t: put(t, 5, "fiq_0", "120.0"),
        ["column fiq_0, participant 10 (row 5): 120.0, expected a number from 0 to 100"]),
    "infinite": (lambda t: put(t, 5, "crp_1", "inf"),
        ["column crp_1, participant 10 (row 5): 'inf', expected a number above 0 (transform: "
         "log)"]),
    "not positive under log": (lambda t: (put(t, 5, "crp_1", "0"), put(t, 6, "crp_0", "-1.5")),
        ["column crp_0, participant 11 (row 6): -1.5, expected a number above 0 (transform: "
         "log)",
         "column crp_1, participant 10 (row 5): 0, expected a number above 0 (transform: log)"]),
    "a limit in an outcome": (lambda t: put(t, 5, "fiq_0", "<5"),
        ["column fiq_0, participant 10 (row 5): '<5', expected a number from 0 to 100"]),
    "nothing measured": (
        lambda t: [put(t, row, "fiq_2", cell) for row, cell in ((2, "NA"), (5, " "), (6, "."))],
        ["column fiq_2: no value at all, expected scores of outcomes.FIQ at followup (null in "
         "the trial file where it was not measured)"]),
    "describe not yes or no": (lambda t: (put(t, 2, "seen", "maybe"), put(t, 3, "seen", "")),
        ["column seen, participant 7 (row 2): 'maybe', expected yes or no",
         "column seen, participant 8 (row 3): empty, expected yes or no"]),
    "covariate of numbers and text": (
        lambda t: [put(t, row, "sessions", cell) for row, cell in ((3, "many"), (4, "inf"))],
        ["column sessions, participant 8 (row 3): 'many', expected a number",
         "column sessions, participant 9 (row 4): 'inf', expected a number"]),
    "a feature without any value": (lambda t: [put(t, row, "edu", "") for row in range(2, 8)],
        ["column edu: no value at all, expected values for baseline.edu"]),
    "binary of three values": (lambda t: put(t, 2, "sex", "other"),
        ["column sex: 3 values (female, male, other), expected two for baseline.sex"]),
    "a row with too many cells": (lambda t: t[3].append("9"), ["row 4: 16 cells, expected 15"]),
    "no rows": (lambda t: drop(t, *range(2, 8)),
        ["no row below the column names, expected participants"]),
    "two faults at once": (lambda t: (put(t, 2, "fiq_1", "abc"), put(t, 7, "arm", "x")),
        ["column arm, participant 12 (row 7): 'x', expected RT or MAIR",
         "column fiq_1, participant 7 (row 2): 'abc', expected a number from 0 to 100"]),
}


@pytest.mark.parametrize("name", WIDE)
def test_wrong_data(name):
    change, lines = WIDE[name]
    cells = table()
    change(cells)
    assert problems(SPEC, cells) == [f"trial.csv: {line}" for line in lines]


def test_an_arm_of_nobody_and_an_arm_of_one():
    cells = table()
    spec = merged(SPEC, {"arm": {"control": "Rt"}})
    assert problems(spec, cells) == [
        "trial.csv: column arm: 'Rt' (arm.control) is nobody's value, expected one of MAIR, RT"
    ]
    drop(cells, 3, 4)
    assert problems(merged(SPEC, {"flow": None}), cells) == [
        "trial.csv: column arm: 1 participant in arm RT, expected 2 or more"
    ]


def test_a_responder_column_that_is_not_yes_or_no():
    spec = merged(SPEC, {"responders": None})
    spec["responders"] = {"column": "relapse", "better": "no"}
    cells = table()
    put(cells, 2, "relapse", "3")
    assert problems(spec, cells) == [
        "trial.csv: column relapse, participant 7 (row 2): 3, expected yes or no"
    ]
    for row in range(2, 8):
        put(cells, row, "relapse", "")
    assert problems(spec, cells) == [
        "trial.csv: column relapse: no value at all, expected yes or no"
    ]


def test_a_stratum_is_needed():
    spec = merged(SPEC, {"allocation": {"scheme": "blocks", "strata": "edu"}})
    cells = table()
    put(cells, 6, "edu", "")
    assert problems(spec, cells) == [
        "trial.csv: column edu, participant 11 (row 6): empty, expected a stratum"
    ]


# --- a long file -------------------------------------------------------------------------

LONG = {
    "a visit the trial does not have": (lambda t: put(t, 3, "visit", "month 3"),
        ["column visit, participant 7 (row 3): 'month 3', expected baseline, post or followup"]),
    "an empty visit": (lambda t: put(t, 3, "visit", ""),
        ["column visit, participant 7 (row 3): empty, expected baseline, post or followup"]),
    "a visit twice": (lambda t: put(t, 4, "visit", "post"),
        ["column visit, participant 7 (row 4): post stands in row 3 too, expected each visit "
         "once"]),
    "what should not change": (
        lambda t: (put(t, 3, "age", "51"), put(t, 6, "sex", "male"), put(t, 7, "arm", "MAIR")),
        ["column arm, participant 8 (rows 5 and 7): 'RT' and 'MAIR', expected one value a "
         "participant",
         "column age, participant 7 (rows 2 and 3): 50 and 51, expected one value a participant",
         "column sex, participant 8 (rows 5 and 6): 'female' and 'male', expected one value a "
         "participant"]),
    "not a number": (lambda t: put(t, 3, "fiq", "abc"),
        ["column fiq, participant 7 (row 3): 'abc', expected a number from 0 to 100"]),
    "nothing measured": (lambda t: [put(t, row, "crp", "") for row in range(2, 20)],
        ["column crp: no value at all, expected scores of biomarkers.CRP"]),
    "nothing at the reference visit": (
        lambda t: [put(t, row, "crp", "") for row in range(2, 20, 3)],
        ["column crp: no value at baseline, expected scores of biomarkers.CRP"]),
    "nothing at the responders' visit": (
        lambda t: [put(t, row, "fiq", "") for row in range(3, 20, 3)],
        ["column fiq: no value at post, expected scores for responders"]),
}


@pytest.mark.parametrize("name", LONG)
def test_wrong_long_data(name):
    change, lines = LONG[name]
    cells = long_table()
    change(cells)
    assert problems(long_spec(), cells) == [f"trial.csv: {line}" for line in lines]


def test_columns_in_a_long_file_and_a_long_file_read_as_wide():
    spec = merged(SPEC, {"visit": "visit"})
    assert problems(spec, long_table())[:2] == [
        "trial.yaml: outcomes.FIQ.columns: ['fiq_0', 'fiq_1', 'fiq_2'], expected column: in a "
        "long file (visit: visit)",
        "trial.yaml: biomarkers.CRP.columns: ['crp_0', 'crp_1', null], expected column: in a "
        "long file (visit: visit)",
    ]
    wide = [line for line in problems(SPEC, long_table()) if "column id" in line]
    assert wide == [
        "trial.csv: column id, 12 cells: stands in row 2 too at participant 7 (row 3), stands in "
        "row 5 too at participant 8 (row 6), stands in row 8 too at participant 9 (row 9), …, "
        "expected one row a participant (a long file has visit: <column>)"
    ]


# --- several faults, in both files -------------------------------------------------------


def test_faults_of_the_trial_file_are_said_at_once_and_first():
    spec = merged(
        SPEC,
        {
            "analysis": {"covarance": "x", "confidence": 2, "missing": "mi-cr",
                         "estimator": "ancova"},
            "outcomes": {"FIQ": {"unit": []}, "PCS": {"better": "up", "columns": ["pcs", None, 1]}},
            "responders": {"visit": "later"},
            "baseline": ["age", {"name": "sex", "kind": "two"}, "ag"],
        },
    )
    cells = table()
    put(cells, 4, "crp_0", "high")
    assert problems(spec, cells) == [
        "trial.yaml: outcomes.FIQ.unit: [], expected text",
        "trial.yaml: outcomes.PCS.better: 'up', expected lower or higher",
        "trial.yaml: baseline.sex.kind: 'two', expected continuous, binary or categorical",
        "trial.yaml: analysis.confidence: 2, expected a number below 1",
        "trial.yaml: analysis.covarance: unknown key; did you mean covariance?",
        "trial.yaml: responders.visit: 'later', expected a later visit of FIQ: post or followup",
        "trial.yaml: analysis.missing: mi-cr with estimator ancova, expected estimator difference",
    ]


def test_faults_of_the_data_are_said_at_once():
    spec = merged(SPEC, {
        "outcomes": {"PCS": {"columns": ["pcs", None, 1]}},
        "baseline": ["age", "ag"],
    })
    cells = table()
    put(cells, 4, "crp_0", "high")
    assert problems(spec, cells) == [
        "trial.csv: column pcs: not in the file, expected by outcomes.PCS; did you mean relapse?",
        "trial.csv: column 1: not in the file, expected by outcomes.PCS; did you mean fiq_1?",
        "trial.csv: column crp_0, participant 9 (row 4): 'high', expected a number above 0 "
        "(transform: log)",
        "trial.csv: column ag: not in the file, expected by baseline.ag; did you mean age?",
    ]


def test_a_column_of_words_is_one_line():
    head, *rows = table()
    cells = [head, *([str(i), *rows[i % 6][1:]] for i in range(40))]
    for i in range(2, 42):
        put(cells, i, "fiq_0", ["good", "poor", "60", "?"][i % 4])
    assert problems(merged(SPEC, {"flow": None}), cells) == [
        "trial.csv: column fiq_0, 30 cells: '?' at participant 1 (row 3), 'good' at participant "
        "2 (row 4), 'poor' at participant 3 (row 5), expected a number from 0 to 100"
    ]


# --- files that cannot be read -----------------------------------------------------------


def test_missing_and_unreadable_trial_files(tmp_path):
    for name, content, line in (
        ("absent.yaml", None, "No such file or directory, expected a trial file (YAML in UTF-8)"),
        ("empty.yaml", b"", "the file is empty, expected keys of a trial file such as arm:"),
        ("list.yaml", b"- a", "['a'] stands there, expected keys of a trial file such as arm:"),
        ("bytes.yaml", b"\xff\xfea", None),
        ("broken.yaml", b"arm: {a: 1\nvisits: [1", None),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(TrialError) as refused:
            load(name)
        (only,) = refused.value.problems
        assert only.startswith(f"{name}: ")
        assert line is None or only == f"{name}: {line}"
    assert only.startswith("broken.yaml: line 2: did not find expected")


def test_duplicate_yaml_keys_are_named_with_their_lines():
    text = yaml.safe_dump(SPEC, sort_keys=False) + "visits: [a, b, c]\n"
    text = text.replace("  control: RT\n", "  control: RT\n  control: TAU\n")
    found = problems(text.replace("control: TAU", "control: RT"), table())
    lines = text.splitlines()
    first, last = lines.index("visits:") + 1, len(lines)
    control = lines.index("  control: RT") + 1
    assert found[:2] == [
        f"trial.yaml: line {control + 1}: key control stands twice (first on line {control}), "
        "expected once",
        f"trial.yaml: line {last}: key visits stands twice (first on line {first}), expected once",
    ]


def test_extends_in_a_circle_and_to_nothing(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(TrialError) as refused:
        load("a.yaml")
    assert refused.value.problems == [
        "b.yaml: extends: 'a.yaml' leads back to itself (a.yaml -> b.yaml -> a.yaml), expected a "
        "trial file that does not extend this one"
    ]
    (tmp_path / "b.yaml").write_text("extends: c.yaml\n")
    with pytest.raises(TrialError) as refused:
        load("a.yaml")
    assert refused.value.problems == [
        "c.yaml: No such file or directory, expected the trial file that b.yaml extends"
    ]


def test_a_problem_names_the_file_that_states_the_key(tmp_path):
    problems(merged(SPEC, {"analysis": {"seed": "x", "draws": 5}}), table())
    (tmp_path / "child.yaml").write_text("extends: trial.yaml\nanalysis: {draws: many}\n")
    with pytest.raises(TrialError) as refused:
        load("child.yaml")
    assert refused.value.problems == [
        "trial.yaml: analysis.seed: 'x', expected a whole number",
        "child.yaml: analysis.draws: 'many', expected a whole number",
    ]


def test_wrong_values_by_keyword_are_told_as_such():
    assert problems(merged(SPEC, {"synthetic": 3}), table()) == [
        "trial.yaml: synthetic: 3, expected true or false"
    ]
    with pytest.raises(TrialError) as refused:  # the file first
        load("trial.yaml", missing="mi-mar", estimator="clda")
    assert refused.value.problems == ["trial.yaml: synthetic: 3, expected true or false"]
    with open("trial.yaml", "w", encoding="utf-8") as file:
        yaml.safe_dump(SPEC, file)
    with pytest.raises(TrialError) as refused:
        load("trial.yaml", confidance=0.9, missing="mi-mar", estimator="clda")
    assert refused.value.problems == [
        "given by hand: analysis.confidance: unknown key; did you mean confidence?",
        "given by hand: analysis.missing: mi-mar with estimator clda, expected estimator "
        "difference",
    ]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("absent.csv", None, "no such file, expected the trial's data"),
        ("x.txt", b"id", ".txt, expected .csv, .xlsx, .sav, .dta or .parquet"),
        ("x.csv", b"", "the file is empty, expected column names and rows"),
        ("x.csv", b"\n \n", "the file is empty, expected column names and rows"),
        ("x.csv", b"id;arm\n1;RT\n", "columns are separated by ';', expected commas"),
        ("x.csv", b"id;arm;pain, now\n1;RT;3,5\n", "columns are separated by ';', expected commas"),
        ("x.csv", b"id,\xe9\n", "cannot be read as .csv ("),
        ("x.csv", b"PK\x03\x04\0", "holds binary data, expected comma-separated text"),
        ("x.xlsx", b"id,arm\n", "cannot be read as .xlsx ("),
        ("x.sav", b"id,arm\n", "cannot be read as .sav ("),
        ("x.dta", b"id,arm\n", "cannot be read as .dta ("),
        ("x.parquet", b"id,arm\n", "cannot be read as .parquet ("),
    ],
)
def test_data_files_that_cannot_be_read(tmp_path, name, content, line):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    (only,) = problems(merged(SPEC, {"data": name}), table())
    assert only == f"{name}: {line}" if not line.endswith("(") else only.startswith(name)


def test_published_numbers_that_are_not_there():
    assert problems(merged(SPEC, {"published": "numbers.csv"}), table()) == [
        "numbers.csv: no such file, expected published numbers"
    ]


def test_rows_are_counted_as_the_file_shows_them(tmp_path):
    """Quoted line breaks and empty lines move the row; SPSS counts cases from 1."""
    cells = table()
    put(cells, 2, "edu", "two\nlines")
    put(cells, 3, "fiq_0", "x")
    assert problems(SPEC, cells) == [
        "trial.csv: column fiq_0, participant 8 (row 4): 'x', expected a number from 0 to 100"
    ]
    frame = pd.DataFrame(table()[1:], columns=table()[0])
    for column in frame.columns.drop(["arm", "sex", "edu", "home", "seen", "relapse", "lost"]):
        frame[column] = pd.to_numeric(frame[column])
    frame.loc[1, "fiq_0"] = 101
    pyreadstat.write_sav(frame, "trial.sav")
    assert problems(merged(SPEC, {"data": "trial.sav"}), table()) == [
        "trial.sav: column fiq_0, participant 8 (row 2): 101, expected a number from 0 to 100"
    ]


def test_problems_are_single_lines_and_survive_pickling():
    error = TrialError(["a: b", "c:\nd", "a: b"])
    assert error.problems == ["a: b", "c: d"]
    assert pickle.loads(pickle.dumps(error)).problems == error.problems


SEED = 5
GARBAGE = [
    *(None, "", "x", "<3", -1, 0, 1e308, float("nan"), True, [], [[]], {}, {"a": [1]}),
    *("ID", "fiq_0", "FIQ", "age", ["age", None], "post", "no", "a\0b", "y" * 300, "{gt}", "null"),
]


def places(content, above=()):
    """Every location inside a trial file."""
    inside = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in inside:
        yield (*above, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*above, key))


@pytest.mark.parametrize("shape", ["wide", "long"])
def test_garbage_is_refused_in_lines_or_read_but_never_a_traceback(shape):
    spec, cells = (SPEC, table()) if shape == "wide" else (long_spec(), long_table())
    where, chance, refused = list(places(spec)), random.Random(SEED), 0
    for _ in range(120):
        broken, lines = merged(spec, {}), [list(line) for line in cells]
        for _ in range(chance.choice([1, 2])):
            *above, last = chance.choice(where)
            inside = broken
            try:
                for key in above:
                    inside = inside[key]
                inside[last] = chance.choice(GARBAGE)
            except (KeyError, IndexError, TypeError):
                continue  # the first change took its place away
        line = chance.choice(lines)
        line[chance.randrange(len(line))] = str(chance.choice(GARBAGE))
        with open("trial.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(lines)
        with open("trial.yaml", "w", encoding="utf-8") as file:
            yaml.safe_dump(broken, file)
        try:
            load("trial.yaml")
        except TrialError as error:
            refused += 1
            assert all(": " in problem and "\n" not in problem for problem in error.problems)
    assert refused > 60
