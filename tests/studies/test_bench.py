"""The benchmark's rows, and the comparison with R where R is."""

import numpy as np
import pandas as pd
import pytest

from mair.studies import bench, verify_r
from mair.trial import load


def test_rows(monkeypatch):
    monkeypatch.setattr(bench.shutil, "which", lambda name: None)
    found = bench.compared(runs=1, batch=200, tables=200)
    assert all([*one] == ["work", "against", "ours_s", "theirs_s", "ratio", "runs"]
               for one in found)
    assert [(one["work"], one["against"].split(".")[0]) for one in found] == [
        ("reml_refit", "statsmodels"), ("reml_refit_designs", "statsmodels"),
        ("newcombe", "statsmodels"), ("fisher_3x2", "scipy"), ("reml_refit", "lme4::refit"),
        ("satterthwaite", "lmerTest"), ("kenward_roger", "pbkrtest"),
        ("unstructured", "nlme::gls")]
    one, two = found[:2]
    assert one["ratio"] == one["theirs_s"] / one["ours_s"] > 20 < two["ratio"]
    # R is not there
    assert all(one["theirs_s"] is None and one["ours_s"] > 0 for one in found[4:])
    assert bench.row("w", "a", [1.0, 3.0, 2.0], [], 3) == {
        "work": "w", "against": "a", "ours_s": 2.0, "theirs_s": None, "ratio": None, "runs": 3}


def test_growth_has_a_row_for_each_size():
    found = bench.growth({"participants": (20, 40), "visits": (2,), "draws": (50,),
                          "outcomes": (1, 2)}, runs=1)
    assert [one["work"] for one in found] == ["20 participants", "40 participants", "2 visits",
                                              "50 draws", "1 outcomes", "2 outcomes"]
    assert all(one["ours_s"] > 0 and one["peak_mb"] > 0 for one in found)
    assert found[-1]["a_second"] == 2 / found[-1]["ours_s"]
    lines = bench.drawn(found).figure.axes[1].get_lines()
    assert [line.get_label() for line in lines] == [*bench.GROWTH]
    assert [*lines[0].get_xdata()] == [20, 40]


def test_verify_r_without_r(monkeypatch, capsys):
    monkeypatch.setattr(verify_r.shutil, "which", lambda name: None)
    assert verify_r.main() == 0
    assert "not compared: Rscript is not installed" in capsys.readouterr().out


@pytest.mark.parametrize(("r", "ours", "agrees"), [
    (("arr", 0.0), "0", True), (("arr", 3e-15), "0", True), (("arr", 0.1), "0", False),
    (("p", 1e-9), "2e-9", False), (("b", 1e-9), "0", True), (("or", np.nan), None, True),
    (("or", np.inf), None, True), (("or", 2.0), None, False), (("ci_high", np.inf), "inf", True)])
def test_a_difference_of_zero_and_what_is_not_estimable_are_compared(r, ours, agrees):
    numbers = [{"time": 1, "statistic": "se", "value": "2"},
               *([{"time": 1, "statistic": r[0], "value": ours}] if ours else [])]
    found = verify_r.judged(pd.DataFrame([(1, *r)], columns=["time", "statistic", "value"]),
                            numbers)
    assert found["agrees"].tolist() == [agrees]


@pytest.mark.skipif(bool(verify_r.missing()), reason="R with lme4, lmerTest, pbkrtest, nlme")
def test_the_script_of_a_run_agrees_with_r():
    found, versions = verify_r.compare(load("params/beat_the_blues.yaml"))
    assert list(found["statistic"]) == ["b", "se"] * 4
    assert found["agrees"].all() and "lme4" in versions
