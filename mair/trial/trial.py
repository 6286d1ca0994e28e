"""A trial: what was declared, and the data by participant; every analysis takes a `Trial`."""

import functools
import os
import pickle
from dataclasses import dataclass, field, fields
from itertools import chain
from pathlib import Path

import pandas as pd

from mair.trial.columns import Feature
from mair.trial.errors import HANDED
from mair.trial.noted import noted
from mair.trial.schema import Analysis, Variable

_LEFT_OUT = {"extends", "data", "published", "analysis", "read", "ignore", "scales"}
_NOT_NOTED = {"path", "told", "_memo", "_parts"}


@dataclass(frozen=True, eq=False)
class Trial:
    """A two-arm trial: what was declared, and the data by participant.

    Participants are indexed by their id as text, in the order in which the data file first
    names them. Scores are on the measured scale. Without `data` (only published numbers)
    there are no participants and ``has_data`` is False.

    ``overrides`` are choices given by hand; ``notices`` what of the data may be meant otherwise,
    in which no participant is named unless the trial is synthetic, as in ``told``, which the
    terminal shows. ``ignored`` counts rows left out, ``other_arms`` people of ignored arms.

    What is asked of a trial is noted part by part (`mair.trial.noted`), which is how a run
    knows what a notebook depends on. Callers do not change what they get.
    """

    path: Path
    title: str
    about: dict
    synthetic: bool
    control: str
    treatment: str
    labels: dict[str, str]
    visits: tuple[str, ...]
    visit_labels: dict[str, str]
    arm: pd.Series = field(repr=False)
    outcomes: dict[str, Variable]
    biomarkers: dict[str, Variable]
    covariates: tuple[Feature, ...]
    baseline: tuple[Feature, ...]
    sections: dict = field(repr=False)
    analysis: Analysis
    published: Path | None = None
    data_path: Path | None = None
    overrides: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list, repr=False)
    ignored: dict[str, int] = field(default_factory=dict)
    other_arms: dict[str, int] = field(default_factory=dict)
    show_individuals: bool = False
    censored: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    items: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    events: pd.DataFrame | None = field(default=None, repr=False)
    _scores: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    _columns: dict[str, pd.Series | None] = field(default_factory=dict, repr=False)
    _seen: dict[str, pd.DataFrame] = field(init=False, repr=False)
    _memo: dict = field(default_factory=dict, repr=False)
    _parts: dict = field(default_factory=dict, repr=False)

    def __post_init__(self):
        seen = {name: scores.notna() for name, scores in vars(self)["_scores"].items()}
        object.__setattr__(self, "_seen", seen)

    def __getattribute__(self, name):
        value = object.__getattribute__(self, name)
        return noted(value, (name,), vars(self)["_parts"]) if name in _NOTED else value

    def __getstate__(self):
        return {**vars(self), "_memo": {}, "_parts": {}}  # whoever reads it has asked nothing yet

    @property
    def arms(self) -> tuple[str, str]:
        """(control, treatment)."""
        return self.control, self.treatment

    def declares(self, key: str) -> bool:
        """Whether the trial file has a section of this name, with something in it."""
        self._parts["any", "sections", key] = None
        return bool(vars(self)["sections"].get(key))

    @property
    def called(self) -> dict[str, str]:
        """What a sentence calls each arm: its key, or where that is a code its label."""
        return {arm: self.labels[arm] if arm.isdecimal() else arm for arm in self.arms}

    @property
    def has_data(self) -> bool:
        """Whether the trial file names data."""
        return self.data_path is not None

    @property
    def individuals(self) -> bool:
        """Whether single people may be drawn: invented ones, or where the trial file asks."""
        return self.synthetic or self.show_individuals

    @property
    def reference(self) -> str:
        """The first visit."""
        return self.visits[0]

    @property
    def primary(self) -> Variable | None:
        """The outcome declared primary, else the first one, else the first biomarker.

        None where all results are columns of ``responders``.
        """
        variables = chain(self.outcomes.values(), self.biomarkers.values())
        if first := next(variables, None):
            return next((v for v in chain([first], variables) if v.primary), first)
        return None

    @property
    def reductions(self) -> dict:
        """The criterion of responders by reductions of an outcome; empty where there is none."""
        return next((one for one in self.sections.get("responders") or () if "outcome" in one), {})

    def n(self, arm: str | None = None) -> int:
        """Participants randomised, in one arm or in both."""
        return len(self.arm) if arm is None else int((self.arm == arm).sum())

    def variable(self, name: str) -> Variable:
        """An outcome or biomarker by name; KeyError when there is none."""
        return (self.outcomes if name in self.outcomes else self.biomarkers)[name]

    def scores(self, name: str) -> pd.DataFrame:
        """Scores by participant (rows) and visit (columns), measured scale, nan missing."""
        return self._scores[name].copy()

    def seen(self, name: str) -> pd.DataFrame:
        """Whether a score was observed, by participant (rows) and visit (columns)."""
        return self._seen[name].copy()

    def described(self, name: str) -> pd.Series:
        """Whom means, SDs and d of this variable cover (bool, by participant).

        Those with yes in the section's ``describe`` column, else those seen at every visit
        of the variable.
        """
        chosen = self._columns.get(f"describe.{self.variable(name).section}")
        return (self._seen[name].all(axis=1) if chosen is None else chosen).astype(bool)

    def series(self, role: str) -> pd.Series | None:
        """A column of the flow by participant, None where the trial file names none.

        Parameters
        ----------
        role : {"lost", "sessions", "preference", "credibility", "strata", "harms"}
            Sessions and credibility are numbers, the others text; nan where missing; harms says
            whether anything is known of somebody's ``events``.
        """
        return self._columns.get(role)

    def responder(self, column: str) -> pd.Series | None:
        """Who has the good result of a column of responders: True, False, None where unknown."""
        return self._columns.get(f"responder.{column}")


_NOTED = {one.name for one in fields(Trial)} - _NOT_NOTED


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


@functools.cache
def of_the_run() -> Trial | None:
    """The trial that a run has read for its notebooks, in the kernel of one; else None."""
    if HANDED not in os.environ:
        return None
    with open(os.environ[HANDED], "rb") as stream:
        return pickle.load(stream)


def handed(path: Path, analysis: dict) -> Trial | None:
    """The trial of the run, so that every notebook analyses the same bytes.

    Parameters
    ----------
    path : Path
        The trial file asked for.
    analysis : dict
        Choices asked for; where one differs from the file's, the file has to be read.

    Returns
    -------
    Trial or None
        None outside a run, and where another trial is asked for.
    """
    trial = of_the_run()
    if trial is None or trial.path != path:
        return None
    chosen = vars(trial)["analysis"].model_dump()
    return trial if analysis.items() <= chosen.items() else None
