"""What reruns after a change is what could come out otherwise: every key, one at a time.

The table says which notebooks show or use a key. That those left alone would have come out
the same is tried: each is executed with everything changed at once that does not concern it.
"""

import copy
import dataclasses
import json
import re
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mair.run import output
from mair.run import plan as run
from mair.run.output import files, sha256
from mair.trial import TrialError, load
from mair.trial.errors import ROOT
from mair.trial.file import read_yaml

PARAMS = ROOT / "params" / "mair.yaml"
ALL = set(run.NOTEBOOKS) - {"one_visit"}  # nothing of this trial is seen once
ROWS = {"audit", "reconstruction"}  # these compute every section's rows
TABLES = {"baseline", "outcomes", "biomarkers"}  # theirs stand in one module with the flow's
GIVEN = yaml.safe_load(Path(__file__).with_name("recorded.yaml").read_text("utf-8"))


def _named(words: str) -> set[str]:
    """Notebooks named by a cell of the table: all, none, all but some, or some."""
    names = set(words.split()) & ALL
    return ALL - names if words.startswith("all") else names


def _leaves(value, path=()):
    """Paths and values of every key; a list of mappings is entered, any other is one value."""
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from _leaves(inside, (*path, key))
    elif isinstance(value, list) and isinstance(value[0], dict):
        for place, inside in enumerate(value):
            yield from _leaves(inside, (*path, place))
    else:
        yield path, value


def _candidates(value):
    """Other values that a key might hold, likely ones first; None takes the key away."""
    if isinstance(value, list):
        yield from ([*value[:-1], None], value[:-1], [*value, "more"])
    elif value is not None:
        yield GIVEN["otherwise"].get(value, f"{value} more")
        if re.fullmatch(r"[\d.]+", value):
            yield from (str(float(value) * 0.9), str(int(float(value)) + 1))
    yield None


def _put(content: dict, path: tuple, value) -> dict:
    content = copy.deepcopy(content)
    *above, last = path
    here = content
    for key in above:
        here = here[key]
    if value is None and isinstance(here, dict):
        del here[last]
    else:
        here[last] = value
    return content


def _at(content: dict, path: tuple):
    """The value at a path; None where there is none."""
    *above, last = path
    for key in above:
        content = content[key]
    return content.get(last) if isinstance(content, dict) else content[last]


class Case:
    """The finished run's notebooks against trial files that differ from it."""

    def __init__(self, built, folder):
        self.made = json.loads((built / "manifest.json").read_text())["notebooks"]
        self.base = run.plan(PARAMS)
        self.file = folder / "mair.yaml"
        self.raw = read_yaml(PARAMS)[0]
        for key in ("data", "published"):
            self.raw[key] = str((PARAMS.parent / self.raw[key]).resolve())

    def rerun(self, content: dict) -> set[str]:
        """Notebooks that would be executed; a TrialError where the file would be refused."""
        self.file.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
        changed = dataclasses.replace(self.base, trial=load(self.file), _digests={})
        return {name for name in changed.keys if not changed.stands(name, self.made[name])}

    def alone(self, path: tuple, value) -> tuple[dict, set[str]] | None:
        """The first other value of a key that can be loaded, and what it reruns."""
        for other in _candidates(value):
            try:
                content = _put(self.raw, path, other)
                if other != value:
                    return content, self.rerun(content)
            except TrialError:
                continue
        return None

    def together(self, content: dict, changes: list, name: str) -> dict:
        """A file with all of some changes that can be made at once and do not rerun a notebook."""
        both = content
        try:
            for path, other in changes:
                both = _put(both, path, _at(other, path))
            if name not in self.rerun(both):
                return both
        except (TrialError, KeyError, IndexError):
            pass
        if len(changes) < 2:
            return content
        half = len(changes) // 2
        return self.together(self.together(content, changes[:half], name), changes[half:], name)


@pytest.fixture(scope="module")
def case(built, tmp_path_factory):
    return Case(built, tmp_path_factory.mktemp("changed"))


@pytest.fixture(scope="module")
def changes(case):
    """Every key that can be changed alone: the changed file and what it reruns."""
    found = {}
    for path, value in _leaves(case.raw):
        if path[0] not in ("data", "published", "participant"):
            found[path] = case.alone(path, value)
    return found


def test_nothing_reruns_without_a_change(case):
    assert case.rerun(case.raw) == set()


def test_each_key_reruns_the_notebooks_that_use_it(changes):
    wrong = {}
    for path, change in changes.items():
        key = "/".join(map(str, path))
        expected = next(_named(named) for pattern, named in GIVEN["keys"].items()
                        if re.match(pattern, key))
        if change is not None and change[1] != expected:
            wrong[key] = (sorted(change[1] - expected), sorted(expected - change[1]))
    assert wrong == {}
    changed = sum(change is not None for change in changes.values())
    assert changed > 150 and len(changes) - changed < 40  # the others cannot change alone


@pytest.mark.parametrize("key", GIVEN["choices"])
def test_each_choice_reruns_the_notebooks_that_use_it(case, key):
    named, value = GIVEN["choices"][key]
    if key in type(vars(case.base.trial)["analysis"]).model_fields:
        assert case.rerun(_put(case.raw, ("analysis", key), value)) == _named(named)


def test_a_data_column_a_module_and_a_printed_number(case, monkeypatch, tmp_path):
    content = dict(case.raw, data=str(tmp_path / "data.csv"))
    data = pd.read_csv(case.raw["data"], dtype=str, keep_default_na=False)
    for column, expected in (("crp_post", {"biomarkers", *ROWS}),
                             ("sessions", {"flow", "robustness", *ROWS}),
                             ("age", {"baseline", *ROWS}),
                             ("fiq_post", {"outcomes", "nnt", "robustness", "power", *ROWS})):
        changed = data.copy()
        seen = changed.index[changed[column] != ""][0]
        changed.loc[seen, column] = str(float(changed.loc[seen, column]) - 1)
        changed.to_csv(content["data"], index=False)
        assert case.rerun(content) == expected, column
    for file, expected in (("sections/flow.py", {"flow", *TABLES, *ROWS}),
                           ("studies/bench.py", set()),
                           ("studies/cohort/__init__.py", {"reconstruction"}),
                           ("data/published.csv", ALL),
                           ("results.py", ALL)):
        monkeypatch.setattr(output, "sha256", lambda path, file=file:
                            "other" if path == ROOT / "mair" / file else sha256(path))
        assert case.rerun(case.raw) == expected, file


def _told(path) -> bytes:
    """A file's bytes; of a document its text, without the number that the page gives its table."""
    if path.suffix != ".docx":
        return path.read_bytes()
    with zipfile.ZipFile(path) as document:
        return re.sub(rb"Table \d+\. ", b"", document.read("word/document.xml"))


@pytest.mark.parametrize("name", ["flow", "baseline", "nnt", "biomarkers"])
def test_what_is_left_alone_would_have_come_out_the_same(case, changes, built, tmp_path, name):
    """With every change at once that does not concern a notebook, it is equal to the byte."""
    others = [(path, change[0]) for path, change in changes.items()
              if change is not None and name not in change[1]]
    content = case.together(case.raw, others, name)
    assert content != case.raw and name not in case.rerun(content)
    run.run(case.file, tmp_path / "out", table={name: run.NOTEBOOKS[name]}, echo=lambda _: None)
    own = [f for f in files(tmp_path / "out") if f in case.made[name]["files"]]
    assert set(own) == set(case.made[name]["files"])
    for file in own:
        ours, theirs = (folder / file for folder in (built, tmp_path / "out"))
        shown = re.sub(rb"(?<!params/)\bmair\.yaml", b"params/mair.yaml", _told(theirs))
        assert shown == _told(ours), file
