"""The gate: what was reproduced must stay so."""

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
