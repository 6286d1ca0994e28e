"""Planned before seen: the lock of a trial file's choices, and the blinded dry run."""

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from trials.small import SPEC, merged, table, write

from mair.__main__ import main
from mair.run import check, locked
from mair.trial import load


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(SPEC, table())


def run(capsys, *arguments) -> tuple[int, str, str]:
    status = main(list(arguments))
    said = capsys.readouterr()
    return status, said.out.strip(), said.err.strip()


def notices() -> list[str]:
    return [line for line in check.lines(locked.planned(load("trial.yaml")))
            if line.startswith("notice: The choices")]


def test_a_lock_says_what_was_chosen_before_there_are_data(capsys):
    Path("trial.csv").unlink()
    status, said, _ = run(capsys, "lock", "trial.yaml")
    made = yaml.safe_load(Path("trial.lock").read_text())
    canonical = json.dumps(made["choices"], sort_keys=True).encode()
    assert made["sha256"] == hashlib.sha256(canonical).hexdigest()
    assert status == 0 and said.endswith(f"SHA-256 {made['sha256']}")
    chosen = made["choices"]
    assert chosen["analysis.covariance"] == "unstructured"  # the default, which may change
    assert chosen["responders"].startswith("FIQ: post: 0.2, 0.5")
    assert chosen["baseline"] == "age, sex: binary: female, home, edu, FIQ"
    assert not [key for key in chosen if key.split(".")[-1] in ("label", "data", "flow")]


def test_a_later_report_lists_what_is_otherwise(capsys):
    run(capsys, "lock", "trial.yaml")
    (same,) = notices()
    assert same.endswith("are as they were.")
    write(merged(SPEC, {"trial": "Another title", "covariates": None,
                        "analysis": {"inference": "z"}}), table())
    (line,) = notices()
    assert line.endswith("2 are otherwise now: covariates is not chosen, was age; "
                         "analysis.inference is z, was kenward-roger.")
    before = Path("trial.lock").read_bytes()
    status, _, said = run(capsys, "lock", "trial.yaml")
    assert (status, len(said.splitlines()), Path("trial.lock").read_bytes()) == (2, 2, before)
    assert said.startswith("trial.lock: locked already: covariates is not chosen, was age; ")


@pytest.mark.parametrize(("old", "new"), [("kenward-roger", "z"), ("sha256: ", "sha256: 0"),
                                          ("choices:", "choice:")])
def test_a_lock_that_was_edited_is_refused(capsys, old, new):
    run(capsys, "lock", "trial.yaml")
    text = Path("trial.lock").read_text()
    assert old in text
    Path("trial.lock").write_text(text.replace(old, new))
    status, _, said = run(capsys, "check", "trial.yaml")
    assert status == 2 and said == ("trial.lock: its choices do not have the SHA-256 that it "
                                    "names, expected a lock as make lock wrote it")


def test_a_blinded_trial_has_the_same_people_in_arms_dealt_anew():
    trial = load("params/mair.yaml")
    one, other = locked.blinded(trial), locked.blinded(load("params/mair.yaml"))
    assert one.arm.equals(other.arm) and not one.arm.equals(trial.arm)
    assert one.arm.value_counts().equals(trial.arm.value_counts())
    assert one.scores("FIQ").equals(trial.scores("FIQ")) and one.published is None
    assert one.title == "BLINDED: MAIR versus relaxation therapy in fibromyalgia"
    assert "dealt to the arms anew" in one.notices[0] and trial.published is not None
