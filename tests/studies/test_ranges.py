"""Ranges of unprinted statistics over cohorts."""

import pandas as pd

from mair.published.identified import KEYS
from mair.studies import ranges


def test_identified_is_what_all_cohorts_print_alike(tmp_path):
    frame = pd.read_csv("mair/data/mair_synthetic.csv", dtype=str, keep_default_na=False)
    one, two = tmp_path / "a.csv", tmp_path / "b.csv"
    frame.to_csv(one, index=False)
    other = frame.copy()
    other.loc[0, "bdnf_post"] = str(float(other.loc[0, "bdnf_post"]) + 3)
    other.to_csv(two, index=False)
    found = ranges.ranges("params/mair.yaml", [one, two], processes=1).set_index(KEYS)
    bdnf = ("biomarkers", "BDNF", "post", "random-intercept/kenward-roger", "b")
    fiq = ("outcomes", "FIQ", "post", "random-intercept/kenward-roger", "b")
    assert found.loc[bdnf, "identified"] == 0
    assert found.loc[bdnf, "low"] < found.loc[bdnf, "high"]
    assert found.loc[fiq, "identified"] == 1
    assert (found["cohorts"] == 2).all()
