"""The gate: what was reproduced must stay so."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mair.published.consistency import worst
from mair.run import gate
from mair.sections import audit
from mair.trial import load


@pytest.fixture(scope="module")
def found():
    return gate.verdicts()


def test_the_stored_verdicts_hold(found):
    expected = pd.read_csv(gate.EXPECTED, dtype=str, keep_default_na=False)
    assert gate.lost(expected, found) == []
    assert len(expected) == len(found)


ONE = pd.read_csv(Path(__file__).with_name("one_verdict.csv"), dtype=str, keep_default_na=False)


@pytest.mark.parametrize("number", ONE.to_dict("records"), ids=ONE["variable"] + ONE["statistic"])
def test_two_tables_have_one_judgement(found, number):
    own = found[(found[[*ONE.columns[:5]]] == [*number.values()][:5]).all(axis=1)]
    assert len(own) > 0
    assert set(own["verdict"]) == {number["verdict"]} and set(own["word"]) == {number["word"]}
    assert own["why"].str.contains(f"consistency: {number['consistency']}", regex=False).all()


def test_no_number_is_judged_in_two_ways(found):
    trial = load(gate.TRIAL)
    checks = audit.checks(trial)
    for place, one in enumerate(worst(checks, len(found)).itertuples()):
        verdict, why = found.loc[place, ["verdict", "why"]]
        assert (one.verdict == "not checkable") != (f"consistency: {one.verdict}" in why)
        assert verdict != "reproduced" or one.verdict not in ("impossible", "other convention")
        assert one.verdict not in ("impossible", "other convention") or verdict == "not reproduced"


def test_a_number_no_longer_reproduced_is_named(found):
    worse = found.copy()
    row = worse.index[worse["verdict"] == "reproduced"][7]
    worse.loc[row, "verdict"] = "not reproduced"
    lines = gate.lost(found, worse)
    assert len(lines) == 1
    assert worse.loc[row, "variable"] in lines[0]
    assert worse.loc[row, "source"] in lines[0]
    assert gate.lost(found, found.drop(index=row))[0].endswith(
        "no longer among the published numbers")


def test_a_number_gained_is_no_fault(found):
    worse = found.copy()
    worse["verdict"] = "not reproduced"
    assert gate.lost(worse, found) == []


def test_a_planted_loss_fails_the_gate_and_nothing_else_does(found, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(gate, "verdicts", lambda: found)
    assert gate.main() == 0
    row = found.index[found["verdict"] == "not reproduced"][0]
    planted = found.copy()
    planted.loc[row, "verdict"] = "reproduced"  # as if it had been so when verdicts were stored
    monkeypatch.setattr(gate, "EXPECTED", tmp_path / "expected.csv")
    gate.store(planted, gate.EXPECTED)
    capsys.readouterr()
    assert gate.main() == 1
    said = capsys.readouterr()
    assert found.loc[row, "variable"] in said.err and len(said.err.splitlines()) == 1
    assert said.out.startswith("audit: 471 numbers reproduced as expected, 1 no longer")


def test_the_gate_draws_nothing():
    code = "import sys\nfrom mair.__main__ import main\nassert main(['audit']) == 0\n" \
           "print([m for m in ('matplotlib', 'great_tables', 'mair.report.page') " \
           "if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=gate.EXPECTED.parents[2], text=True,
                          capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
