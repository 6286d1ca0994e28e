"""A trial: what was declared, and the data by participant; every analysis takes a `Trial`."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from mair.trial.features import Feature, Variable
from mair.trial.schema import Analysis, TrialFile

FLOW_NUMBERS = ("sessions", "credibility")
FLOW_TEXTS = ("lost", "preference")
_LEFT_OUT = {"extends", "data", "published", "analysis"}
# Sections that name columns: what is read from the columns, and the keys that name them.
_ROLES = {
    "describe": ("describe.outcomes", "describe.biomarkers"),
    "flow": (*FLOW_NUMBERS, *FLOW_TEXTS),
    "responders": ("responder",),
    "allocation": ("strata",),
}
_COLUMN_KEYS = {
    "describe": ("outcomes", "biomarkers"),
    "flow": (*FLOW_NUMBERS, *FLOW_TEXTS),
    "responders": (),  # the column's name stands in results.csv
    "allocation": ("strata",),
}


@dataclass(frozen=True, eq=False)
class Trial:
    """A two-arm trial: what was declared, and the data by participant.

    Participants are indexed by their id as text, in the order in which the data file first
    names them. Scores are on the measured scale. Without `data` (only published numbers)
    there are no participants and ``has_data`` is False.
    """

    path: Path
    title: str
    about: dict
    synthetic: bool
    control: str
    treatment: str
    labels: dict[str, str]
    visits: tuple[str, ...]
    arm: pd.Series = field(repr=False)
    outcomes: dict[str, Variable]
    biomarkers: dict[str, Variable]
    covariates: tuple[Feature, ...]
    baseline: tuple[Feature, ...]
    sections: dict = field(repr=False)
    analysis: Analysis
    published: Path | None = None
    data_path: Path | None = None
    notices: list[str] = field(default_factory=list)
    censored: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    _scores: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    _columns: dict[str, pd.Series | None] = field(default_factory=dict, repr=False)
    _memo: dict = field(default_factory=dict, repr=False)

    @property
    def arms(self) -> tuple[str, str]:
        """(control, treatment)."""
        return self.control, self.treatment

    @property
    def has_data(self) -> bool:
        """Whether the trial file names data."""
        return self.data_path is not None

    @property
    def reference(self) -> str:
        """The first visit."""
        return self.visits[0]

    @property
    def primary(self) -> Variable:
        """The outcome declared primary, else the first one, else the first biomarker."""
        variables = [*self.outcomes.values(), *self.biomarkers.values()]
        return next((v for v in variables if v.primary), variables[0])

    def n(self, arm: str | None = None) -> int:
        """Participants randomised, in one arm or in both."""
        return len(self.arm) if arm is None else int((self.arm == arm).sum())

    def variable(self, name: str) -> Variable:
        """An outcome or biomarker by name; KeyError when there is none."""
        return {**self.outcomes, **self.biomarkers}[name]

    def scores(self, name: str) -> pd.DataFrame:
        """Scores by participant (rows) and visit (columns), measured scale, nan missing."""
        return self._scores[name].copy()

    def described(self, name: str) -> pd.Series:
        """Whom means, SDs and d of this variable cover (bool, by participant).

        Those with yes in the section's ``describe`` column, else those seen at every visit
        of the variable.
        """
        chosen = self._columns.get(f"describe.{self.variable(name).section}")
        if chosen is not None:
            return chosen.astype(bool)
        return self._scores[name].notna().all(axis=1).astype(bool)

    def series(self, role: str) -> pd.Series | None:
        """A column of the flow by participant, None where the trial file names none.

        Parameters
        ----------
        role : {"lost", "sessions", "preference", "credibility", "strata"}
            Sessions and credibility are numbers, the others text; nan where missing.
        """
        return self._columns.get(role)

    def responder(self) -> pd.Series | None:
        """Who has the good result of a yes/no column: True, False, or None where unknown."""
        return self._columns.get("responder")

    def fingerprint(self, keys) -> str:
        """SHA-256 of what these top-level keys say and of the data they refer to.

        Participants, arms and visits always count; file format, file names and column names
        never do.

        Parameters
        ----------
        keys : iterable of str
            Keys of a trial file, ``analysis.<key>`` for one choice.

        Returns
        -------
        str
            64 hexadecimal digits.

        Raises
        ------
        ValueError
            A key that no trial file has.
        """
        said = {key: self._said(key) for key in sorted(set(keys))}
        who = {
            "participants": list(self.arm.index),
            "arm": _plain(self.arm),
            "arms": self.arms,
            "labels": self.labels,
            "visits": self.visits,
        }
        text = json.dumps([who, said], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def _said(self, key: str):
        """What one top-level key says, with the data it refers to."""
        if key == "analysis":
            return self.analysis.model_dump()
        if key.startswith("analysis.") and key[9:] in Analysis.model_fields:
            return self.analysis.model_dump()[key[9:]]
        if key == "published":
            found = self.published
            return found and hashlib.sha256(found.read_bytes()).hexdigest()
        if key not in TrialFile.model_fields or key in _LEFT_OUT:
            raise ValueError(f"{key!r} is not a key with content of its own")
        if key in ("outcomes", "biomarkers"):
            variables = getattr(self, key)
            return [[vars(v), _plain(self._scores.get(v.name))] for v in variables.values()]
        if key in ("covariates", "baseline"):
            return [
                [f.name, f.label, f.kind, f.level, f.levels, _plain(f.values)]
                for f in getattr(self, key)
            ]
        if key not in _ROLES:
            return self.sections.get(key)
        config = dict(self.sections.get(key) or {})
        data = {role: _plain(self._columns.get(role)) for role in _ROLES[key]}
        outcome = config.get("outcome")
        if outcome in self._scores:
            data["scores"] = [vars(self.variable(outcome)), _plain(self._scores[outcome])]
        return [{k: v for k, v in config.items() if k not in _COLUMN_KEYS[key]}, data]


def _plain(data):
    """Values of a frame or series as JSON holds them: full precision, null for missing."""
    if data is None:
        return None
    if isinstance(data, pd.DataFrame):
        return {column: _plain(data[column]) for column in data}
    return [None if v is None or v != v else v for v in data.tolist()]


def remembered(function):
    """Compute a function of a Trial once for each Trial and each further argument.

    The result is shared: callers do not change it. Arguments after the trial are hashable.
    """

    @functools.wraps(function)
    def inner(trial: Trial, *args, **kwargs):
        key = (function, args, tuple(sorted(kwargs.items())))
        if key not in trial._memo:
            trial._memo[key] = function(trial, *args, **kwargs)
        return trial._memo[key]

    return inner
