"""Trial files and data that are wrong: every problem in one line, none missed, none invented."""

import pickle
from copy import deepcopy
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trials.small import SPEC, check, long_spec, long_table, merged, problems, put, table, write

from mair.trial import TrialError, load
from mair.trial.errors import ROOT, declared

WRONG, DIRTY, UNREADABLE = (
    yaml.safe_load(Path(__file__).with_name(f"{name}.yaml").read_text("utf-8"))
    for name in ("wrong", "dirty", "unreadable"))
CASES = WRONG | DIRTY

pytestmark = pytest.mark.usefixtures("here")


def test_the_trials_that_are_broken_below_are_whole():
    for spec, cells in ((SPEC, table()), (long_spec(), long_table())):
        write(spec, cells)
        assert load("trial.yaml").n() == 6


def test_each_sentence_is_said_somewhere():
    """None is left over in the data; one that is not there is an error of the tests above."""
    code = "".join(path.read_text("utf-8") for path in (ROOT / "mair/trial").glob("*.py"))
    kinds = {"string", "int", "float", "bool", "list", "dict", "model", "finite", "greater_than",
             "greater_than_equal", "less_than", "less_than_equal", "literal", "value"}  # pydantic's
    assert [name for name in declared("sentences") if name not in kinds and not (
        f'"{name}"' in code or f"'{name}'" in code)] == []


def refused(name, **by_hand):
    """The lines with which a trial file in the working directory is refused."""
    with pytest.raises(TrialError) as error:
        load(name, **by_hand)
    return error.value.problems


@pytest.mark.parametrize(("group", "name"), [(k, name) for k, of in CASES.items() for name in of])
def test_what_is_wrong_or_dirty_is_read_noticed_or_refused(group, name):
    """Each with its exact lines; nothing passes in silence."""
    check(CASES[group][name], long_spec() if group == "long" else SPEC,
          long_table() if group.startswith("long") else table())


def test_a_column_of_words_is_one_line():
    head, *rows = table()
    cells = [head, *([str(i), *rows[i % 6][1:]] for i in range(40))]
    for i in range(2, 42):
        put(cells, i, "fiq_0", ["good", "poor", "60", "?"][i % 4])
    assert problems(merged(SPEC, {"flow": None}), cells) == [
        "trial.csv: column fiq_0, 30 cells: '?' at participant 1 (row 3), 'good' at participant "
        "2 (row 4), 'poor' at participant 3 (row 5), expected a number from 0 to 100"]


# --- files that cannot be read -----------------------------------------------------------


def test_extends_in_a_circle_and_to_nothing(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    assert refused("a.yaml") == [
        "b.yaml: extends: 'a.yaml' leads back to itself (a.yaml -> b.yaml -> a.yaml), expected a "
        "trial file that does not extend this one"]
    (tmp_path / "b.yaml").write_text("extends: c.yaml\n")
    assert refused("a.yaml") == [
        "c.yaml: no such file, expected the trial file that b.yaml extends"]


def test_a_problem_names_the_file_that_states_the_key(tmp_path):
    problems(merged(SPEC, {"analysis": {"seed": "x", "draws": 5}}), table())
    (tmp_path / "child.yaml").write_text("extends: trial.yaml\nanalysis: {draws: many}\n")
    assert refused("child.yaml") == ["trial.yaml: analysis.seed: 'x', expected a whole number",
                                     "child.yaml: analysis.draws: 'many', expected a whole number"]


def test_wrong_values_by_keyword_are_told_as_such():
    wrong = {"missing": "mi"}
    write(merged(SPEC, {"synthetic": 3}), table())  # the file first
    assert refused("trial.yaml", **wrong) == ["trial.yaml: synthetic: 3, expected true or false"]
    write(SPEC, table())
    assert refused("trial.yaml", confidance=0.9, **wrong) == [
        "given by hand: analysis.missing: 'mi', expected observed, mi-mar, mi-j2r or mi-cr",
        "given by hand: analysis.confidance: unknown key; did you mean confidence?"]


@pytest.mark.parametrize(("of", "name", "content", "line"), [
    (of, *case) for of, cases in UNREADABLE.items() for case in cases])
def test_files_that_cannot_be_read(tmp_path, of, name, content, line):
    if content is not None:
        (tmp_path / name).write_bytes(content.encode("latin-1"))
    found = problems(merged(SPEC, {"data": name}), table()) if of == "data files" else refused(name)
    said = [f"{name}: {one}" for one in line.splitlines()]
    if of == "keys":
        found = found[:len(said)]
    assert found == said or (line.endswith("…") and len(found) == 1
                             and found[0].startswith(said[0][:-1]))


def test_rows_are_counted_as_the_file_shows_them(tmp_path):
    """Quoted line breaks and empty lines move the row; SPSS counts cases from 1."""
    cells = table()
    put(cells, 2, "edu", "two\nlines")
    put(cells, 3, "fiq_0", "x")
    assert problems(SPEC, cells) == [
        "trial.csv: column fiq_0, participant 8 (row 4): 'x', expected a number from 0 to 100"]
    frame = pd.DataFrame(table()[1:], columns=table()[0])
    for column in frame.columns.drop(["arm", "sex", "edu", "home", "seen", "relapse", "lost"]):
        frame[column] = pd.to_numeric(frame[column])
    frame.loc[1, "fiq_0"] = 101
    pyreadstat.write_sav(frame, "trial.sav")
    assert problems(merged(SPEC, {"data": "trial.sav"}), table()) == [
        "trial.sav: column fiq_0, participant 8 (row 2): 101, expected a number from 0 to 100"]


def test_problems_are_single_lines_and_survive_pickling():
    error = TrialError(["a: b", "c:\nd", "a: b"])
    assert error.problems == ["a: b", "c: d"]
    assert pickle.loads(pickle.dumps(error)).problems == error.problems


READING = {"read": {"decimal": ".", "missing": ["99"], "header": 1},
           "ignore": {"where": {"edu": ["c"]}}, "outcomes": {"PCS": {"scale": "mine"}},
           "scales": {"mine": {"items": 3, "range": [0, 2], "reversed": [2], "answered": 0.5,
                               "together": {"a": [1, 2]}, "subscales": {"b": [1]}}}}
ITEMS = {"wide": {"columns": [["relapse", "seen", "age"]] * 3},
         "long": {"column": ["relapse", "seen", "age"]}}
GARBAGE = st.one_of(
    st.sampled_from(["", "x", "<3", -1, 0, 1e308, float("nan"), True, [], [[]], {}, {"a": [1]},
                     "ID", "fiq_0", "FIQ", "age", ["age", None], "post", "no", "a\0b", "y" * 300,
                     "{gt}", "{item}", "null", "PCS", "9" * 5000]),
    st.none(), st.integers(), st.floats(), st.text(max_size=8), st.recursive(
        st.text(max_size=3), lambda one: st.lists(one, max_size=3) | st.dictionaries(
            st.text(max_size=3), one, max_size=2), max_leaves=4))


def places(content, above=()):
    """Every location inside a trial file."""
    inside = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in inside:
        yield (*above, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*above, key))


@pytest.mark.parametrize("shape", ["wide", "long"])
@settings(max_examples=80, derandomize=True, deadline=None, database=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_garbage_is_refused_in_lines_or_read_but_never_a_traceback(shape, data):
    """Up to three keys of the trial file, a cell, and sometimes bytes of the file, are anything."""
    spec, cells = (SPEC, table()) if shape == "wide" else (long_spec(), long_table())
    broken = deepcopy(merged(spec, merged(READING, {"outcomes": {"PCS": ITEMS[shape]}})))
    for *above, last in data.draw(st.lists(st.sampled_from([*places(broken)]), max_size=3)):
        inside, value = broken, data.draw(GARBAGE)
        try:
            for key in above:
                inside = inside[key]
            inside[last] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took its place away
    line = data.draw(st.sampled_from(cells))
    line[data.draw(st.integers(0, len(line) - 1))] = str(data.draw(GARBAGE))
    write(broken, cells)
    for name in data.draw(st.lists(st.sampled_from(["trial.csv", "trial.yaml"]), max_size=1)):
        raw = Path(name).read_bytes()
        at = data.draw(st.integers(0, len(raw)))
        Path(name).write_bytes(raw[:at] + data.draw(st.binary(max_size=4)) + raw[at:])
    try:
        load("trial.yaml")
    except TrialError as error:
        assert all(": " in problem and "\n" not in problem for problem in error.problems)
