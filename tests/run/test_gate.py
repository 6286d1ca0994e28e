"""The gate: what was reproduced must stay so."""

import subprocess
import sys

import pandas as pd
import pytest

from mair.run import gate


@pytest.fixture(scope="module")
def found():
    return gate.verdicts()


def test_the_stored_verdicts_hold(found):
    expected = pd.read_csv(gate.EXPECTED, dtype=str, keep_default_na=False)
    assert gate.lost(expected, found) == []
    assert len(expected) == len(found)


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
    assert said.out.startswith("audit: 534 numbers reproduced as expected, 1 no longer")


def test_the_gate_draws_nothing():
    code = "import sys\nfrom mair.__main__ import main\nassert main(['audit']) == 0\n" \
           "print([m for m in ('matplotlib', 'great_tables', 'mair.report.page') " \
           "if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=gate.EXPECTED.parents[2], text=True,
                          capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
