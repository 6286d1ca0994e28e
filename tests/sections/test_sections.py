"""The rows of every section: invariances, the paper's own facts, and what an option changes."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from trials import shapes

from mair import results
from mair.results import Lookup
from mair.sections import estimands
from mair.sections import rows as sections
from mair.trial import load

METHOD = "random-intercept/z"


def as_bytes(trial, path) -> bytes:
    results.write(sections.rows(trial), path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def rows(mair):
    return sections.rows(mair)


@pytest.fixture(scope="module")
def value(rows):
    return Lookup(rows)


def test_one_trial_in_every_format_and_shape_gives_the_same_bytes(tmp_path):
    found = {(shape, kind): as_bytes(load(shapes.make(tmp_path, shape, kind)), tmp_path / "r.csv")
             for shape, kind in [*(("wide", kind) for kind in shapes.FORMATS), ("long", "csv"),
                                 ("long", "sav"), ("long", "title.xlsx")]}
    assert len(found) == 14
    assert len(set(found.values())) == 1
    assert len(found["wide", "csv"].splitlines()) > 1000


def test_keys_are_unique_and_values_are_numbers(rows):
    assert not rows.duplicated(results.KEYS).any()
    assert rows["value"].map(lambda v: v is None or isinstance(v, (int, float))).all()


def renamed(spec: dict, frame: pd.DataFrame):
    """The same trial under other names, and how to translate its rows back."""
    outcomes_ = {name: f"Y{i}" for i, name in enumerate(spec["outcomes"])}
    markers = {name: f"M{i}" for i, name in enumerate(spec["biomarkers"])}
    names = outcomes_ | markers
    spec = {**spec, "arm": {"column": "grp", "control": "alpha", "treatment": "beta"},
            "visits": ["t0", "t1", "t2"], "covariates": ["pills"],
            "outcomes": {names[k]: v for k, v in spec["outcomes"].items()},
            "biomarkers": {names[k]: v for k, v in spec["biomarkers"].items()},
            "responders": {**spec["responders"], "outcome": names["FIQ"], "visit": "t1"},
            "baseline": [names.get(e, e) if isinstance(e, str) else
                         ({**e, "column": "pills", "name": "pills"}
                          if e["name"] == "n_medications" else e) for e in spec["baseline"]],
            "flow": {**spec["flow"], "other_arms": {"gamma": 23}}}
    frame = frame.rename(columns={"arm": "grp", "n_medications": "pills"})
    frame["grp"] = frame["grp"].map({"RT": "alpha", "MAIR": "beta"})
    return spec, frame, names


def test_other_names_change_names_only(tmp_path, rows):
    spec = yaml.safe_load(Path("params/mair.yaml").read_text(encoding="utf-8"))
    frame = pd.read_csv("mair/data/mair_synthetic.csv", dtype=str, keep_default_na=False)
    spec, frame, names = renamed(spec, frame)
    spec.pop("published"), spec.pop("visit_labels")
    spec["data"] = "x.csv"
    frame.to_csv(tmp_path / "x.csv", index=False)
    (tmp_path / "x.yaml").write_text(json.dumps(spec))
    other = sections.rows(load(tmp_path / "x.yaml"))
    arms = {"alpha": "RT", "beta": "MAIR", "gamma": "ABCT"}
    visits = {"t0": "baseline", "t1": "post", "t2": "followup"}
    back = {new: old for old, new in names.items()} | {"pills": "n_medications"}
    other["arm"] = other["arm"].replace(arms)
    other["time"] = other["time"].replace(visits)
    words = other["variable"].str.split(r"(: | >=)", regex=True)
    other["variable"] = ["".join(back.get(word, word) for word in parts) for parts in words]
    ours = rows.set_index(results.KEYS)["value"].to_dict()
    theirs = other.set_index(results.KEYS)["value"].to_dict()
    assert ours.keys() == theirs.keys()
    assert {k: v for k, v in ours.items() if results.text(theirs[k]) != results.text(v)} == {}


def test_confidence_changes_limits_and_nothing_else(mair, rows):
    other = sections.rows(load("params/mair.yaml", confidence=0.9))
    moved = rows["value"].fillna(-1).to_numpy() != other["value"].fillna(-1).to_numpy()
    changed = set(rows.loc[moved, "statistic"])
    assert changed == {"ci_low", "ci_high", "gmr_low", "gmr_high", "nnt_ci_low", "nnt_ci_high",
                       "nnt_through_infinity", "rr_low", "rr_high", "or_low", "or_high"}
    fixed = ~rows["statistic"].isin(changed)
    assert not moved[fixed].any()


def test_without_families_only_q_changes(rows):
    none = {"outcomes": None, "biomarkers": None}
    other = sections.rows(load("params/mair.yaml", fdr_families=none))
    moved = rows["value"].fillna(-1).to_numpy() != other["value"].fillna(-1).to_numpy()
    assert set(rows.loc[moved, "statistic"]) == {"q"}
    assert other.loc[other["statistic"] == "q", "value"].isna().all()


def test_a_constant_row_is_not_estimable(value):
    for method in ("pearson", "yates", "fisher", "smd"):
        statistic = "smd" if method == "smd" else "p"
        found = value("baseline", "residence_urban", "difference", "", method, statistic=statistic)
        assert found != found


def test_every_estimated_row_has_its_estimand(mair, rows):
    found = estimands.table(mair, rows)
    keys = set(found[results.KEYS[:5]].itertuples(index=False, name=None))
    contrasts = rows[(rows["arm"] == "difference") & rows["statistic"].isin(["b", "arr", "d"])]
    contrasts = contrasts[contrasts["analysis"] != "sample_size"]
    assert set(contrasts[results.KEYS[:5]].itertuples(index=False, name=None)) <= keys
    one = found.set_index(results.KEYS[:5]).loc[("outcomes", "FIQ", "difference", "post", METHOD)]
    assert (one["n_randomised_RT"], one["n_with_data_RT"], one["rows_RT"]) == (19, 19, 50)
    assert (one["n_randomised_MAIR"], one["n_with_data_MAIR"], one["rows_MAIR"]) == (22, 22, 60)
