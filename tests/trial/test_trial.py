"""Trial files and data that are right: read alike from every format, wide and long."""

import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pyreadstat
import pytest
import yaml
from trials.shapes import FORMATS, LABELS, declare, make, people, save, to_long, with_labels

from mair.trial import TrialError, load, readers, schema
from mair.trial import file as trialfile
from mair.trial.noted import digest

ROOT = Path(__file__).resolve().parents[2]
TRIALS = ROOT / "tests" / "trials"


def assert_same(one, other):
    """Two trials agree in all but their files, what these state, and what was inferred of them."""
    for part in {*vars(one)} - {"path", "data_path", "sections", "notices",
                                  "told", "_memo", "_parts"}:
        assert digest(vars(one), ("value", part)) == digest(vars(other), ("value", part)), part


def loaded(tmp_path, frame, shape="wide", kind="csv", labels=None, **changes):
    """The trial of a frame in a file (of value labels: SPSS), with keys exchanged."""
    kind = "sav" if labels else kind
    if labels:
        pyreadstat.write_sav(frame, tmp_path / "x.sav", variable_value_labels=labels)
    else:
        (frame.to_csv if kind == "csv" else frame.to_excel)(tmp_path / f"x.{kind}", index=False)
    return load(save({**declare(shape, f"x.{kind}"), **changes}, tmp_path / "x.yaml"))


@pytest.fixture(scope="module")
def wide_csv(tmp_path_factory):
    return load(make(tmp_path_factory.mktemp("reference")))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("shape", ["wide", "long"])
def test_every_format_gives_the_same_trial(tmp_path, wide_csv, shape, kind):
    assert_same(load(make(tmp_path, shape, kind)), wide_csv)


def test_the_reference_is_what_was_written(wide_csv):
    frame = people()
    assert list(wide_csv.arm.index) == [str(int(i)) for i in frame["id"]]
    assert wide_csv.arm.tolist() == ["RT"] * 19 + ["MAIR"] * 22
    assert (wide_csv.n(), wide_csv.n("RT"), wide_csv.arms) == (41, 19, ("RT", "MAIR"))
    np.testing.assert_array_equal(wide_csv.scores("FIQ"), frame[["fiq_0", "fiq_1", "fiq_2"]])
    assert wide_csv.variable("hs-CRP").visits == ("baseline", "post")
    age, sex, own_home, education, fiq = wide_csv.baseline
    assert [f.kind for f in wide_csv.baseline] == [
        "continuous", "binary", "binary", "categorical", "continuous"]
    assert (sex.level, own_home.level, own_home.levels) == ("female", "yes", ("no", "yes"))
    assert education.levels == ("none", "primary", "university")
    np.testing.assert_array_equal(age.values, frame["age"])
    np.testing.assert_array_equal(fiq.values, frame["fiq_0"])
    number, text, outcome = wide_csv.covariates
    assert (number.kind, text.kind, outcome.kind) == ("continuous", "categorical", "continuous")
    assert number.values.isna().sum() == 1
    np.testing.assert_array_equal(outcome.values, frame["pcs_0"])
    assert wide_csv.responder("relapse").tolist()[:6] == [*(frame["relapse"][:5] == 0), None]
    assert wide_csv.described("BDNF").tolist() == (frame["completed_post"] == 1).tolist()
    assert wide_csv.described("FIQ").sum() == frame[["fiq_1", "fiq_2"]].notna().all(axis=1).sum()
    assert wide_csv.series("lost").notna().sum() == (frame["lost"] == "moved").sum() > 0
    assert wide_csv.series("credibility") is None


@pytest.mark.parametrize("kind", ["sav", "dta"])
def test_arms_match_labels_then_codes(tmp_path, wide_csv, kind):
    codes = load(make(tmp_path, kind=kind, arm={"column": "arm", "control": 0, "treatment": 1}))
    assert codes.arms == ("0", "1")
    assert (codes.arm == "0").tolist() == (wide_csv.arm == "RT").tolist()


def test_labels_win_over_codes_that_read_alike(tmp_path):
    trial = loaded(tmp_path, people(), labels={"arm": {0: "1", 1: "0"}}, baseline=None,
                   covariates=None, arm={"column": "arm", "control": 0, "treatment": 1})
    assert trial.arm.tolist()[0] == "1"  # code 0, labelled 1


def test_category_order_does_not_depend_on_the_value_labels(tmp_path):
    labels = {"education": {1: "university", 2: "none", 3: "primary"}, "arm": LABELS["arm"]}
    trial = loaded(tmp_path, people(), labels=labels, baseline=["education"], responders=None,
                   describe=None)
    assert trial.baseline[0].levels == ("none", "primary", "university")
    assert trial.covariates[1].levels == ("none", "primary", "university")


@pytest.mark.parametrize("cells", [("yes", "no"), ("Yes", "NO"), ("true", "FALSE"), (1, 0),
                                   ("1.0", "0"), (True, False)])
def test_yes_no_columns_are_the_same_however_they_are_written(tmp_path, wide_csv, cells):
    frame = with_labels(people())
    for name in ("own_home", "completed_post", "relapse"):
        frame[name] = [None if pd.isna(v) else cells[v == "no"] for v in frame[name]]
    assert_same(loaded(tmp_path, frame), wide_csv)
    assert_same(loaded(tmp_path, frame, kind="xlsx"), wide_csv)


def test_visits_may_be_numbers(tmp_path):
    frame = to_long(people())
    frame = with_labels(frame).assign(visit=frame["visit"].map({1: "2.0", 2: "4", 3: " 6 "}))
    trial = loaded(tmp_path, frame, "long", visits=[2, 4.0, "6"])
    assert trial.visits == ("2", "4", "6")
    assert trial.scores("FIQ")["6"].notna().sum() == people()["fiq_2"].notna().sum()


def test_none_and_na_survive_as_answers_and_are_told(tmp_path):
    frame = with_labels(people())
    frame["education"] = ["None", "NA", "  "] + ["school"] * 38
    frame["age"] = ["NA", ".", "nan"] + ["50.5"] * 38
    trial = loaded(tmp_path, frame)
    education = trial.baseline[3]
    assert education.levels == ("NA", "None", "school")
    assert education.values.isna().tolist() == [False, False, True] + [False] * 38
    assert trial.baseline[0].values.isna().sum() == 3
    assert trial.notices == [
        "x.csv: column education: 'NA' is read as an answer (1 participant); where "
        "it means missing, say read: {missing: [NA]}"]


def test_kinds_are_inferred_as_the_contract_says(tmp_path):
    frame = with_labels(people()).assign(two=["1", "2"] * 20 + ["1"], constant="female",
                                         said="Yes", only=3, codes=[10, 9, 8] * 13 + [10, 9])
    names = [{"name": "2", "column": "two", "level": 1}, "constant", "said", "only",
             {"name": "codes", "kind": "categorical"}]
    trial = loaded(tmp_path, frame, baseline=names, covariates=["two", "codes", "said"])
    assert [(f.kind, f.level, f.levels) for f in trial.baseline] == [
        ("binary", "1", ("1", "2")),
        ("categorical", None, ("female",)),
        ("binary", "yes", ("no", "yes")),
        ("continuous", None, ()),
        ("categorical", None, ("8", "9", "10"))]
    assert [f.kind for f in trial.covariates] == ["continuous", "categorical", "binary"]


def test_values_under_a_detection_limit(tmp_path):
    frame = with_labels(people())
    frame["crp_0"] = ["<0.5", "< 2", *frame["crp_0"].astype(str).tolist()[2:]]
    trial = loaded(tmp_path, frame)
    assert trial.scores("hs-CRP")["baseline"].tolist()[:2] == [0.5 / 2**0.5, 2 / 2**0.5]
    assert trial.censored["hs-CRP"]["baseline"].tolist() == [True, True] + [False] * 39
    assert not trial.censored["BDNF"].to_numpy().any()


def test_what_does_not_change_may_stand_once_in_a_long_file(tmp_path, wide_csv):
    frame = to_long(people())
    later = frame["visit"] > 1
    frame.loc[later, ["arm", "sex", "age", "education", "n_medications", "sessions"]] = np.nan
    assert_same(loaded(tmp_path, with_labels(frame), "long"), wide_csv)


# --- the trial file ---------------------------------------------------------------------


def read_text(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return trialfile.read_yaml(path)


def test_scalars_of_a_trial_file_are_text(tmp_path):
    text = (
        "a: [yes, no, on, off, true, 2020-01-31, 12:30, 007, 1_000, 1e-3, 7.0, '7.0', 'null', ~]\n"
        "no: 1\n2: b\n3: null\n4:\n")
    content, problems = read_text(tmp_path, text)
    assert problems == []
    assert content == {
        "a": [*("yes", "no", "on", "off", "true", "2020-01-31", "12:30", "007", "1_000", "1e-3"),
              *("7", "7.0", "null", None)],
        **{"no": "1", "2": "b", "3": None, "4": None}}


def test_nothing_that_is_deep_overflows_the_parser(tmp_path):
    for text in ("[" * 5000, "a: " + "{a: " * 100_000 + "}" * 100_000):
        with pytest.raises(TrialError, match=r"x\.yaml: line 1: nested more than 40 deep, exp"):
            read_text(tmp_path, text)


def test_extends_merges_mappings_replaces_lists_and_removes_by_null(tmp_path, wide_csv):
    (tmp_path / "data").mkdir()
    (tmp_path / "sub").mkdir()
    make(tmp_path / "data")
    base = tmp_path / "data" / "wide_csv.yaml"
    child = {"extends": "../data/wide_csv.yaml",
             "arm": {"labels": {"RT": "Relaxation"}},
             "biomarkers": {"hs-CRP": {"transform": None}, "BDNF": None},
             "covariates": ["age"],
             "responders": None,
             "analysis": {"fdr_families": {"biomarkers": None}, "seed": 7}}
    trial = load(save(child, tmp_path / "sub" / "child.yaml"))
    assert trial.data_path == (tmp_path / "data" / "wide.csv").resolve()
    assert trial.labels == {"RT": "Relaxation", "MAIR": "MAIR"}
    assert list(trial.biomarkers) == ["hs-CRP"]
    assert trial.biomarkers["hs-CRP"].transform is None
    assert [f.name for f in trial.covariates] == ["age"]
    assert "responders" not in trial.sections
    assert trial.responder("relapse") is None
    assert trial.analysis.fdr_families.model_dump() == {"outcomes": "outcomes", "biomarkers": None}
    assert (trial.analysis.seed, trial.analysis.draws) == (7, 10000)
    assert trial.title == load(base).title == "a test"


def test_overrides_are_used_and_said(tmp_path):
    path = make(tmp_path, analysis={"confidence": 0.9})
    trial = load(path, confidence=0.95, seed=2020, draws=10)
    assert (trial.analysis.confidence, trial.analysis.draws) == (0.95, 10)
    assert trial.overrides == [
        f"Analysed here with confidence 0.95, draws 10; {path} declares confidence 0.9, draws "
        "10000. A parameter that is None follows the trial file."]
    assert load(path, confidence=None).overrides == []
    assert load(path).overrides == []


def test_published_alone_is_a_trial_without_participants(tmp_path):
    (tmp_path / "p.csv").write_text("analysis\n")
    content = {**declare("wide", "x.csv"), "published": "p.csv"}
    for key in ("data", "participant"):
        del content[key]
    trial = load(save(content, tmp_path / "x.yaml"))
    assert not trial.has_data
    assert (trial.n(), trial.n("RT"), len(trial.baseline)) == (0, 0, 0)
    assert trial.biomarkers["BDNF"].visits == ("baseline", "post")
    assert trial.published == (tmp_path / "p.csv").resolve()


def test_relative_paths_are_found_from_the_repository_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load("params/beat_the_blues.yaml").n() == 100


def test_mutating_what_a_trial_gives_does_not_change_it(wide_csv):
    mine = wide_csv.scores("FIQ")
    mine.iloc[:, :] = 0
    assert (wide_csv.scores("FIQ").fillna(1) > 0).to_numpy().all()


# --- the trials of the repository -------------------------------------------------------


REPOSITORY = yaml.safe_load(Path(__file__).with_name("repository.yaml").read_text("utf-8"))


@pytest.mark.parametrize("name", REPOSITORY)
def test_trials_of_the_repository(name):
    trial, responder = load(ROOT / name), None
    columns = [one["column"] for one in trial.sections.get("responders", ()) if "column" in one]
    for good in map(trial.responder, columns):
        responder = [int(good.sum()), int(good.isna().sum())]
    assert REPOSITORY[name] == {
        "arms": {arm: trial.n(arm) for arm in trial.arms},
        "primary": [trial.primary.name, trial.primary.better],
        "seen": {of: trial.seen(of).sum().to_dict() for of in [*trial.outcomes, *trial.biomarkers]},
        "under a limit": sum(int(under.to_numpy().sum()) for under in trial.censored.values()),
        "baseline": {of.name: list(of.levels) for of in trial.baseline},
        "covariates": {of.name: [int(of.values.isna().sum()), *of.levels]
                       for of in trial.covariates},
        "responder": responder, "published": trial.published is not None,
        "licence": trial.about.get("licence"), "sections": [key for key in (
            "biomarkers", "responders", "flow", "sample_size") if key in trial.sections]}


def test_invented_data_are_what_their_script_makes(tmp_path):
    subprocess.run([sys.executable, TRIALS / "make_invented.py", tmp_path], check=True)
    for name in ("invented_a.csv", "invented_b.sav"):
        made, kept = ({n: (c.cells, c.labels) for n, c in readers.read(path).columns.items()}
                      for path in (tmp_path / name, TRIALS / name))
        assert made == kept


class EditorYaml(yaml.SafeLoader):
    """YAML 1.2 as an editor reads it: yes, no and dates are text."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        letter: [(tag, form) for tag, form in forms if not tag.endswith(("bool", "timestamp"))]
        for letter, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()}


EditorYaml.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), "tf")


def test_the_json_schema_takes_our_trial_files_and_refuses_a_wrong_one():
    validator = jsonschema.Draft202012Validator(schema.TrialFile.model_json_schema())
    files = [*sorted((ROOT / "params").glob("*.yaml")), *sorted(TRIALS.glob("*.yaml"))]
    assert len(files) >= 4
    for path in files:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=EditorYaml)
        if "extends" in content:
            continue  # says what differs only
        assert [error.message for error in validator.iter_errors(content)] == []
    content = yaml.load((ROOT / "params/mair.yaml").read_text("utf-8"), Loader=EditorYaml)
    content["analysis"] = {"covarance": "unstructured", "inference": "t", "confidence": 95}
    content["baseline"] = [{"level": "female"}]
    content["synthetic"] = "yes"
    wrong = {"/".join(map(str, error.path)) for error in validator.iter_errors(content)}
    assert wrong == {"analysis", "analysis/inference", "analysis/confidence", "baseline",
                     "synthetic"}


def test_reading_is_quick_and_lazy():
    code = ("import sys, timeit; from mair.trial import load; from time import process_time;"
            "print(min(timeit.repeat(lambda: load('params/mair.yaml'), number=1, repeat=3, "
            "timer=process_time)), *{'openpyxl', 'pyreadstat', 'pyarrow.parquet'}.intersection("
            "sys.modules))")
    took, *heavy = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True,
                                  text=True, cwd=ROOT).stdout.split()
    assert float(took) < 0.3
    assert heavy == []
