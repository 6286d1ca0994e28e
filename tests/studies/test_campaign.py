"""The fault campaign, a small seeded part of it, and the committed whole."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mair.published import numbers
from mair.published.consistency import claims_beside, consistency
from mair.studies import campaign
from mair.studies.campaign_trials import show, trial

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = pd.read_csv(campaign.PATH)


def share(change, role, kind="all"):
    row = COMMITTED[(COMMITTED["part"] == "faults") & (COMMITTED["change"] == change)
                    & (COMMITTED["role"] == role) & (COMMITTED["kind"] == kind)]
    return row["share"].item()


def test_examples():
    assert doctest.testmod(campaign).failed == 0


def test_the_committed_campaign_reaches_its_aims():
    assert share("ten percent", "checkable") > 0.95
    assert share("ten percent", "all") > 0.7
    assert share("one unit", "checkable") < share("ten percent", "checkable")
    correct = COMMITTED[COMMITTED["part"] == "correct trials"]
    assert correct["numbers"].eq(200).all() and correct["caught"].eq(0).all()
    tried = COMMITTED[(COMMITTED["role"] == "all") & (COMMITTED["kind"] == "all")
                      & (COMMITTED["part"] == "faults")]["tried"]
    assert tried.eq(2 * len(numbers.read())).all()
    assert COMMITTED["seed"].eq(campaign.SEED).all()


def test_a_part_of_the_faults_again():
    published = numbers.read()
    sections = yaml.safe_load((ROOT / "params" / "mair.yaml").read_text(encoding="utf-8"))
    places = np.random.default_rng(campaign.SEED).choice(len(published), 10, replace=False)
    found = campaign.faults(published, sections, claims_beside(numbers.PATH), sorted(places))
    assert len(found) == 10 * 4
    part = found[(found["role"] == "checkable") & (found["change"] == "ten percent")]
    assert len(part) >= 6 and part["caught"].mean() > 0.85


def test_correct_trials_raise_no_alarm():
    false, judged = campaign.alarms(campaign.SEED, 6)
    assert false.empty and judged > 1000


def test_a_wrong_trial_does():
    published, sections = trial(np.random.default_rng(1))
    at = published.index[(published["statistic"] == "b")][0]
    published.loc[at, "printed"] = campaign.changed(published.loc[at, "printed"], "ten percent",
                                                    True)
    assert "impossible" in set(consistency(published, sections)["verdict"])


def test_invented_papers_keep_the_contracts_form():
    published, _ = trial(np.random.default_rng(3))
    assert not numbers.problems(published)


@pytest.mark.parametrize(("value", "digits", "text"),
                         [(-0.004, 2, "0.00"), (2.675, 2, "2.68"), (-1.5, 0, "-2")])
def test_printing(value, digits, text):
    assert show(value, digits) == text
