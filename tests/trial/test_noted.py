"""What a trial notes of what it was asked, and when a part has changed."""

import pickle

import pytest
from trials.shapes import declare, make, save

from mair.trial import load
from mair.trial.noted import digest


@pytest.fixture
def trial(tmp_path):
    return load(make(tmp_path))


def _parts(trial, ask) -> set[tuple]:
    before = dict(trial._parts)
    ask(trial)
    return set(trial._parts) - set(before)


@pytest.mark.parametrize(("ask", "expected"), [
    (lambda t: t.title, {("value", "title")}),
    (lambda t: t.outcomes["FIQ"].label, {("value", "outcomes", "FIQ", "label")}),
    (lambda t: list(t.outcomes), {("names", "outcomes")}),
    (lambda t: "FIQ" in t.outcomes, {("in", "outcomes", "FIQ")}),
    (lambda t: bool(t.about), {("any", "about")}),
    (lambda t: t.about.get("nothing"), {("value", "about", "nothing")}),
    (lambda t: t.sections["flow"]["assessed"], {("value", "sections", "flow", "assessed")}),
    (lambda t: t.analysis.seed, {("value", "analysis", "seed")}),
    (lambda t: t.analysis.fdr_families.outcomes,
     {("value", "analysis", "fdr_families", "outcomes")}),
    (lambda t: t.analysis.model_dump(), {("value", "analysis")}),
    (lambda t: t.covariates[0].kind,
     {("names", "covariates"), ("value", "covariates", "n_medications", "kind")}),
    (lambda t: t.scores("FIQ"), {("value", "_scores", "FIQ")}),
    (lambda t: t.seen("FIQ"), {("value", "_seen", "FIQ")}),
    (lambda t: t.n("RT"), {("value", "arm")}),
    (lambda t: t.series("lost"), {("value", "_columns", "lost")}),
    (lambda t: t.has_data, {("value", "data_path")}),
])
def test_what_is_asked_is_noted(trial, ask, expected):
    assert _parts(trial, ask) == expected


def _changed(one, other, parts) -> set[tuple]:
    return {part for part in parts if digest(vars(one), part) != digest(vars(other), part)}


def test_a_part_changes_with_what_it_holds_and_with_nothing_else(tmp_path, trial):
    label, unit = ("value", "outcomes", "FIQ", "label"), ("value", "outcomes", "FIQ", "unit")
    names = ("names", "outcomes")
    sessions, scores, seen = (("value", "_columns", "sessions"), ("value", "_scores", "FIQ"),
                              ("value", "_seen", "FIQ"))
    parts = [label, unit, names, sessions, scores, seen]
    path = tmp_path / "again" / "trial.yaml"
    path.parent.mkdir()
    again = load(make(path.parent))
    assert _changed(trial, again, parts) == set()  # another folder
    content = declare("wide", "wide.csv")
    content["outcomes"]["FIQ"]["label"] = "another"
    assert _changed(trial, load(save(content, again.path)), parts) == {label}
    lines = (path.parent / "wide.csv").read_text().splitlines()
    cells, names_of = lines[1].split(","), lines[0].split(",")
    cells[names_of.index("sessions")] = "99"
    (path.parent / "wide.csv").write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]))
    assert _changed(trial, load(save(declare("wide", "wide.csv"), again.path)), parts) == {sessions}


def test_a_part_that_is_gone_has_changed(trial):
    parts = [("value", "outcomes", "FIQ", "label"), ("in", "outcomes", "FIQ")]
    fewer = {**vars(trial), "outcomes": {}}
    assert all(digest(fewer, part) != digest(vars(trial), part) for part in parts)


def test_a_trial_survives_pickling_and_notes_on(trial):
    copy = pickle.loads(pickle.dumps(trial))
    assert _parts(copy, lambda t: t.labels["RT"]) == {("value", "labels", "RT")}
    assert digest(vars(copy), ("value", "arm")) == digest(vars(trial), ("value", "arm"))
