"""Extremes over agreeing cohorts: against full enumeration, and the committed ones."""

from itertools import combinations_with_replacement, permutations, product

import numpy as np
import pandas as pd
import pytest
import yaml

from mair.published import numbers
from mair.results import KEYS
from mair.studies import pool, ranges
from mair.studies.agreeing import Paper
from mair.studies.extremes import Windows, climb
from mair.trial import load

SCORES = {"C": ([1, 3, 4, 6], [2, 2, 4, 5]), "T": ([2, 3, 5, 6], [0, 1, 4, 2])}
PRINTED = [f"outcomes,Pain,{{arm}},{{visit}},described,{one}" for one in ("mean,2", "sd,1")]


@pytest.fixture(scope="module", params=["moments", "moments and limits"])
def tiny(request, tmp_path_factory):
    """A paper of two arms of four and one outcome of whole scores from 0 to 6."""
    folder = tmp_path_factory.mktemp("tiny")
    people = [(f"{arm}{i}", arm, *pair) for arm, pairs in SCORES.items()
              for i, pair in enumerate(zip(*pairs, strict=True))]
    pd.DataFrame(people, columns=["id", "arm", "a", "b"]).to_csv(folder / "d.csv", index=False)
    trial = folder / "t.yaml"
    trial.write_text(yaml.safe_dump({
        "trial": "Tiny", "synthetic": True, "data": "d.csv", "published": "p.csv",
        "participant": "id", "arm": {"column": "arm", "control": "C", "treatment": "T"},
        "visits": ["before", "after"],
        "outcomes": {"Pain": {"columns": ["a", "b"], "range": [0, 6], "step": 1,
                              "better": "lower"}}}), encoding="utf-8")
    moments = [(*row.format(arm=arm, visit=visit).split(","), "0")
               for arm, visit, row in product(SCORES, ("before", "after"), PRINTED)]
    limits = [("outcomes", "Pain", "difference", "after", "random-intercept/z", s, "0", "0")
              for s in ("ci_low", "ci_high")]
    keys = [*moments, *(limits if "limits" in request.param else [])]
    rows = pd.DataFrame([[*key, "t", ""] for *key, _, _ in keys], columns=[
        *KEYS, "source", "note"])
    rows.assign(printed="0")[numbers.COLUMNS].to_csv(folder / "p.csv", index=False)
    found = Paper(load(trial), "Pain").printed(Paper(load(trial), "Pain").start[None])
    rows["printed"] = [f"{found[tuple(key)][0]:.{digits}f}" for *key, digits, _ in keys]
    rows[numbers.COLUMNS].to_csv(folder / "p.csv", index=False)
    return Paper(load(trial), "Pain")


def agreeing(paper):
    """Every table of scores that prints the same, people of an arm in order of their first."""
    windows, arms = Windows.of(paper, paper.start), []
    for arm in (0, 1):
        who = np.flatnonzero(paper.arm == arm)
        columns = [[v for v in combinations_with_replacement(range(7), 4)
                    if sum(v) == paper.start[who, t].sum()] for t in (0, 1)]
        arms.append([(first, after) for first in columns[0] for values in columns[1]
                     for after in set(permutations(values))])
    out = []
    for arm, own in enumerate(arms):  # one arm's moments at a time
        tables = np.repeat(paper.start[None], len(own), 0)
        tables[:, paper.arm == arm] = np.array(own).swapaxes(1, 2)
        keep = [k for k, key in enumerate(windows.keys) if key[2] == paper.trial.arms[arm]]
        values = np.column_stack([paper.printed(tables)[windows.keys[k]] for k in keep])
        inside = (values >= windows.low[keep] - 1e-9) & (values <= windows.high[keep] + 1e-9)
        out.append(tables[inside.all(1)][:, paper.arm == arm])
    pairs = np.array(list(product(range(len(out[0])), range(len(out[1])))))
    tables = np.zeros((len(pairs), 8, 2), int)
    for arm, own in enumerate(out):
        tables[:, paper.arm == arm] = own[pairs[:, arm]]
    values = np.column_stack([paper.printed(tables)[key] for key in windows.keys])
    return tables[windows.outside(values).sum(1) == 0]


def test_the_search_reaches_what_full_enumeration_finds(tiny):
    tables = agreeing(tiny)
    windows = Windows.of(tiny, tiny.start)
    assert len(tables) > 30
    for method, s in (("ancova/kenward-roger", "b"),
                      ("unstructured/kenward-roger", "se"), ("random-intercept/kenward-roger", "p"),
                      ("ancova/kenward-roger", "p")):
        goal = ranges.statistic(tiny, ("robustness", "Pain", "difference", "after", method, s))
        values = goal(tables)
        for sign in (-1, 1):
            true = np.nanmax(sign * values)
            found = [sign * float(goal(climb(pool.stream(5, start), tiny, tables[at], goal, sign,
                                             windows)[0][None])[0])
                     for start, at in enumerate((0, len(tables) // 2, -1))]
            assert max(found) == pytest.approx(true, rel=1e-9), (method, s, sign)
            assert max(found) <= true + 1e-9
