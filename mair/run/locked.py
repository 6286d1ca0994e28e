"""Planned before seen: ``make lock``, what a later run chose otherwise, and the blinded dry run."""

import copy
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from mair.run.output import digest, lock_of
from mair.run.plan import find
from mair.trial import Trial, TrialError
from mair.trial.errors import display
from mair.trial.file import read, read_yaml

# What a trial file says that is no choice of the analysis: words, places, and counts of people.
WORDS = {"trial", "about", "synthetic", "show_individuals", "extends", "data", "published",
         "visit_labels", "remarks", "flow", "label", "labels", "unit"}
DEALT = "Blinded dry run: people were dealt to the arms anew, at random (seed {}). No difference " \
        "between the arms below means anything."


def choices(path: Path) -> dict[str, str]:
    """The choices of a trial file, with the defaults of those it does not name, by key."""
    spec = read(path)[0].model_dump(mode="json", exclude_none=True)
    return {key: _text(value) for key, value in pd.json_normalize(spec).iloc[0].items()
            if not WORDS & {*key.split(".")}}


def _text(value) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return ": ".join(_text(inside) for key, inside in value.items() if key not in WORDS)
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)


def lock(params: Path | str) -> None:
    """``make lock``: write the choices of a trial file and their hash beside it, once.

    Raises
    ------
    TrialError
        The trial file is not sound, or a lock of other choices is there.
    """
    path = find(params)
    target, found = lock_of(path), choices(path)
    if target.exists():
        if other := differing(path)[1]:
            raise TrialError([f"{display(target)}: locked already: {one}; expected the locked "
                              "choice, or no lock yet" for one in other])
    else:
        content = {"locked": date.today().isoformat(), "sha256": digest(found), "choices": found}
        target.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), "utf-8")
    print(f"{display(target)}: {len(found)} choices, SHA-256 {digest(found)}")


def differing(path: Path) -> tuple[dict, list[str]]:
    """A lock, and every choice of its trial file that is not as it was locked, in words.

    Raises
    ------
    TrialError
        The lock was edited: its choices have another hash than it says.
    """
    target, now = lock_of(path), choices(path)
    made, problems = read_yaml(target, "a lock that make lock wrote")
    then = made.get("choices") or {}
    if problems or digest(then) != made.get("sha256"):
        raise TrialError(problems or f"{display(target)}: its choices do not have the SHA-256 that "
                         "it names, expected a lock as make lock wrote it")
    return made, [f"{key} is {now.get(key, 'not chosen')}, was {then.get(key, 'not chosen')}"
                  for key in dict.fromkeys((*then, *now)) if now.get(key) != then.get(key)]


def planned(trial: Trial) -> Trial:
    """The trial with a notice of what was locked; without a lock the trial itself."""
    if not lock_of(trial.path).is_file():
        return trial
    made, other = differing(trial.path)
    return _noticed(trial, f"The choices of the analysis were locked on {made.get('locked')} "
                    f"(SHA-256 {made['sha256']}); " + (
                        f"{len(other)} are otherwise now: {'; '.join(other)}." if other else
                        f"all {len(made['choices'])} are as they were."))


def blinded(trial: Trial) -> Trial:
    """The trial with its people dealt to the arms anew, and nothing published to compare with."""
    seed = trial.analysis.seed
    dealt = np.random.default_rng(seed).permutation(trial.arm.to_numpy())
    arm = pd.Series(dealt, trial.arm.index, trial.arm.dtype, name=trial.arm.name)
    return _noticed(trial, DEALT.format(seed), arm=arm, published=None,
                    title=f"BLINDED: {trial.title}")


def _noticed(trial: Trial, line: str, **fields) -> Trial:
    """A copy with one notice more and other fields."""
    found = copy.copy(trial)
    vars(found).update(fields, **{of: [line, *vars(trial)[of]] for of in ("notices", "told")})
    return found
