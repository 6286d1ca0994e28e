"""Items to scores: the shipped keys against what their sources print, and files of items."""

from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from trials.small import SPEC, check, merged, problems, table, write

from mair.report import fmt, tables_result
from mair.results import records
from mair.sections import baseline
from mair.trial import file, load, scales, schema

KEYS = yaml.safe_load(Path(__file__).with_name("scales.yaml").read_text("utf-8"))

pytestmark = pytest.mark.usefixtures("here")


def key(name):
    *_, content = file.shipped()[name]
    spec = schema.TrialFile.model_construct(scales={
        of: schema.Key.model_validate(held) for of, held in content["scales"].items()})
    return scales.keys(spec)[name]


def test_the_keys_are_those_of_their_sources():
    assert {name: [*scales.bounds(key(name)), len(key(name).items), len(
        {*key(name).reversed} & {*key(name).items})] for name in file.shipped()} == KEYS["printed"]
    for name in file.shipped():
        assert key(name).source and key(name).better
        subs = [item for items in key(name).subscales.values() for item in items]
        assert not subs or sorted(subs) == sorted(key(name).items)  # each item in one


@pytest.mark.parametrize(("name", "answers", "score"), KEYS["by hand"])
def test_scores_by_hand(name, answers, score):
    answers = [*chain(*(one if isinstance(one, list) else [one] for one in answers))]
    found, = scales.score(np.array([answers], dtype=float), key(name))
    assert found == pytest.approx(np.nan if score is None else score, nan_ok=True)


def answered(n=24, points=5, seed=4):
    """The small trial with more people, each with thirteen answers at three visits."""
    rng, (head, *rows) = np.random.default_rng(seed), table()
    keep = [i for i, name in enumerate(head) if not name.startswith(("fiq", "crp"))]
    visits = ("pre", "post", "later")
    cells = [[*(head[i] for i in keep), *(f"p{i}_{v}" for v in visits for i in range(1, 14))]]
    for one in range(n):
        line = rows[one % 6]
        start = [str(one), ["RT", "MAIR"][one % 2], *(line[i] for i in keep[2:])]
        cells.append([*start, *map(str, rng.integers(0, points, 39))])
    return cells


OWN = merged(SPEC, {
    "outcomes": {"FIQ": None, "PCS": {"scale": "PCS", "columns": [
        "p{item}_pre", "p{item}_post", "p{item}_later"], "primary": True}},
    "biomarkers": None, "describe": None, "responders": None, "flow": None, "baseline": ["PCS"],
    "covariates": None})


def test_a_file_of_items_gives_the_scores_and_how_well_the_items_agree():
    cells = answered()
    write(OWN, cells)
    trial = load("trial.yaml")
    frame = pd.DataFrame(cells[1:], columns=cells[0])
    items = frame[[f"p{i}_post" for i in range(1, 14)]].astype(float)
    assert trial.scores("PCS")["post"].tolist() == items.sum(axis=1).tolist()
    one = trial.variable("PCS")
    assert (one.label, one.range, one.better) == ("Pain Catastrophizing Scale", (0, 52), "lower")
    rows = baseline.rows(trial)
    found = {r.method: r for r in records(rows, analysis="reliability")}
    items = frame[[f"p{i}_pre" for i in range(1, 14)]].astype(float)
    of = 13 / 12 * (1 - items.var().sum() / items.sum(axis=1).var())
    assert (found["alpha"].estimate, found["alpha"].n, found["alpha"].items) == pytest.approx(
        (of, 24, 13))
    assert found["omega"].ci_low < found["omega"].estimate < found["omega"].ci_high
    (stub, n, alpha, _), = tables_result.reliability(trial, rows).cells()
    assert (stub, n) == ("Pain Catastrophizing Scale", "24 (13)")
    assert alpha.startswith(fmt.number(of))


@pytest.mark.parametrize("name", KEYS["wrong"])
def test_items_and_keys_that_are_wrong(name):
    check(KEYS["wrong"][name], OWN, answered())


def test_answers_stored_one_higher_are_noticed_and_then_read():
    head, *lines = answered()
    higher = [head, *([*line[:-39], *(str(int(x) + 1) for x in line[-39:])] for line in lines)]
    assert problems(OWN, higher)[0] == (
        "trial.csv: column p1_pre: the answers to PCS are 1 to 5, expected 0 to 4; where 1 is "
        "stored for the lowest, say scales: {PCS: {stored: [1, 5]}}")
    write(merged(OWN, {"scales": {"PCS": {"stored": [1, 5]}}}), higher)
    shifted = load("trial.yaml").scores("PCS")
    write(OWN, [head, *lines])
    pd.testing.assert_frame_equal(shifted, load("trial.yaml").scores("PCS"))
    # nobody gives the highest answer either: it fits, and is said
    write(OWN, [head, *([*line[:-39], *(str(max(int(x), 1)) for x in line[-39:])]
                        for line in lines)])
    assert load("trial.yaml").told[0].startswith(
        "trial.csv: columns p1_pre, p1_post, p1_later: the answers to PCS are 1 to 4, expected")


def test_items_left_out_are_counted():
    cells = answered()
    cells[3][cells[0].index("p2_post")] = ""
    write(OWN, cells)
    trial = load("trial.yaml")
    assert trial.told == ["trial.csv: column p1_post: PCS at post: 1 participant left items out; "
                          "0 scored by the mean of the others, 1 without a score"]
    write(merged(OWN, {"scales": {"PCS": {"answered": 0.5}}}), cells)
    assert load("trial.yaml").scores("PCS")["post"].notna().all()
