"""A trial file and its data, read and validated.

>>> trial = load("params/beat_the_blues.yaml")
>>> trial.n(), trial.n("TAU"), trial.visits[:2]
(100, 48, ('baseline', '2 months'))
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mair.trial import checks, people
from mair.trial import tables as readers
from mair.trial.errors import ROOT, TrialError, display
from mair.trial.features import Feature, Variable, feature, taken_as_answers
from mair.trial.file import Source, override, read_source, validate
from mair.trial.people import People
from mair.trial.schema import BaselineEntry, TrialFile
from mair.trial.trial import _LEFT_OUT, FLOW_NUMBERS, FLOW_TEXTS, Trial


def load(path: Path | str, **analysis) -> Trial:
    """Read and validate a trial file and its data.

    Parameters
    ----------
    path : path
        A trial file; a relative path is looked up from the working directory, then from the
        root of the repository.
    **analysis
        Keys of `analysis` whose values go before the file's. Each that differs is said in
        one line of ``Trial.notices``.

    Returns
    -------
    Trial

    Raises
    ------
    TrialError
        With every problem of the trial file and of its data, one line each.
    """
    source = read_source(_found(Path(path)))
    if not source.raw:
        raise TrialError(source.problems)
    notices = override(source, analysis)
    spec, problems = validate(source)
    problems = source.problems + problems
    disputed: set[tuple] = set()
    if spec is not None:
        for location, message in checks.problems(spec, source.raw):
            problems.append(source.line(location, message))
            disputed.add(location[:2])
        published = source.paths.get("published")
        if published is not None and not published.is_file():
            problems.append(f"{display(published)}: no such file, expected published numbers")
    read = _Reading(source, spec, disputed)
    if spec is not None:
        problems += read.everything()
    if problems:
        raise TrialError(problems)
    return read.trial(notices)


def check(path: Path | str) -> Trial:
    """Read and validate a trial file as it stands; see `load`."""
    return load(path)


def _found(path: Path) -> Path:
    path = path.expanduser()
    if not path.is_absolute() and not path.exists() and (ROOT / path).exists():
        path = ROOT / path
    return path.absolute()


class _Reading:
    """The data of one trial, read key by key; a key in dispute is passed over."""

    def __init__(self, source: Source, spec: TrialFile | None, disputed: set[tuple]):
        self.source, self.spec, self.disputed = source, spec, disputed
        self.people: People | None = None
        self.variables: dict[str, dict[str, Variable]] = {"outcomes": {}, "biomarkers": {}}
        self.scores: dict[str, pd.DataFrame] = {}
        self.censored: dict[str, pd.DataFrame] = {}
        self.columns: dict[str, pd.Series | None] = {}
        self.baseline: list[Feature] = []
        self.covariates: list[Feature] = []
        self.arm = pd.Series(index=pd.Index([], dtype="str", name="participant"), dtype="str")

    def everything(self) -> list[str]:
        """Read all that the trial file refers to; the problems."""
        spec, path = self.spec, self.source.paths.get("data")
        if path is None or spec.data is None:
            self._declared_only()
            return []
        try:
            table = readers.read(path)
        except TrialError as error:
            return error.problems
        if spec.participant is None or self._in_dispute("visits"):
            return []
        self.people = people.gather(table, spec, self.source.where(("baseline",)))
        found = self.people
        clean = not found.problems
        if not self._in_dispute("arm"):
            self.arm = people.arms(found)
        self._measures()
        self._features()
        self._columns()
        if clean and not self._in_dispute("flow"):
            self._flow_adds_up()
        return found.problems

    def _in_dispute(self, key: str) -> bool:
        return any(location[0] == key for location in self.disputed)

    def _declared_only(self) -> None:
        for (section, name), measure in self.spec.measures().items():
            columns = measure.columns or self.spec.visits
            held = zip(self.spec.visits, columns, strict=False)
            self._add(section, name, measure, [v for v, c in held if c is not None])

    def _add(self, section, name, measure, visits) -> None:
        self.variables[section][name] = Variable(
            name=name,
            section=section,
            label=measure.label or name,
            unit=measure.unit,
            range=tuple(measure.range) if measure.range else None,
            step=measure.step,
            better=measure.better,
            primary=measure.primary,
            transform=measure.transform,
            visits=tuple(visits),
        )

    def _measures(self) -> None:
        for (section, name), measure in self.spec.measures().items():
            if (section, name) in self.disputed:
                continue
            scores, under = people.scores(
                self.people, f"{section}.{name}", measure, limits=section == "biomarkers"
            )
            self._add(section, name, measure, scores.columns)
            self.scores[name] = scores
            if section == "biomarkers":
                self.censored[name] = under
        self._responder_visit()

    def _responder_visit(self) -> None:
        """In a long file only the values say at which visits an outcome was measured."""
        chosen = self.spec.responders
        measured = self.scores.get(chosen.outcome) if chosen else None
        if measured is None or self.spec.visit is None or self._in_dispute("responders"):
            return
        if chosen.visit not in measured.columns and len(measured.columns) > 1:
            column = {n: m for (_, n), m in self.spec.measures().items()}[chosen.outcome].column
            self.people.tell_column(
                column, f"no value at {chosen.visit}, expected scores for responders"
            )

    def _features(self) -> None:
        entries = {entry.name: entry for entry in self.spec.baseline or []}
        made: dict[str, Feature | None] = {}
        for name, entry in entries.items():
            made[name] = self._feature(entry, f"baseline.{name}", covariate=False)
        self.baseline = [f for f in made.values() if f is not None]
        for name in self.spec.covariates or []:
            entry = entries.get(name)
            if entry is not None and entry.kind is not None:
                found = made[name]  # its kind was declared: the same feature
            else:
                entry = entry or BaselineEntry(name=name)
                found = self._feature(entry, "covariates", covariate=True)
            if found is not None:
                self.covariates.append(found)

    def _feature(self, entry: BaselineEntry, key: str, covariate: bool) -> Feature | None:
        """A feature from a column, or from an outcome's first visit."""
        if entry.column is None and entry.name in checks.names(self.source.raw):
            scores = self.scores.get(entry.name)
            if scores is None or self.spec.visits[0] not in scores.columns:
                return None  # said already
            measure = {n: m for (_, n), m in self.spec.measures().items()}[entry.name]
            return Feature(
                name=entry.name,
                column=measure.column or measure.columns[0],
                label=entry.label or measure.label or entry.name,
                kind="continuous",
                level=None,
                levels=(),
                values=scores[self.spec.visits[0]].rename(entry.name),
            )
        return feature(self.people, entry, key, covariate)

    def _columns(self) -> None:
        """Columns of describe, responders, flow and allocation."""
        spec, found = self.spec, self.people
        for section in ("outcomes", "biomarkers"):
            name = getattr(spec.describe, section) if spec.describe else None
            if name is not None:
                self.columns[f"describe.{section}"] = people.yes_no(
                    found, name, f"describe.{section}", complete=True
                )
        chosen = spec.responders
        if chosen is not None and chosen.column is not None:
            answers = people.yes_no(found, chosen.column, "responders.column", complete=False)
            if answers is not None:
                good = chosen.better != "no"
                values = [None if a is None else a == good for a in answers]
                self.columns["responder"] = pd.Series(values, index=answers.index, dtype=object)
                if not any(v is not None for v in values) and chosen.column not in found.faulty:
                    found.tell_column(chosen.column, "no value at all, expected yes or no")
        for role in (*FLOW_TEXTS, *FLOW_NUMBERS):
            name = getattr(spec.flow, role) if spec.flow else None
            if name is not None:
                reader = people.numbers if role in FLOW_NUMBERS else people.texts
                self.columns[role] = reader(found, name, f"flow.{role}")
        if spec.allocation is not None and spec.allocation.strata is not None:
            strata = people.texts(found, spec.allocation.strata, "allocation.strata")
            self.columns["strata"] = strata
            for who in strata.index[strata.isna()] if strata is not None else ():
                found.tell(
                    spec.allocation.strata, who, found.rows[who][0], "empty, expected a stratum"
                )

    def _flow_adds_up(self) -> None:
        flow = self.spec.flow
        if flow is None or flow.assessed is None:
            return
        excluded, others = sum(flow.excluded.values()), sum(flow.other_arms.values())
        randomised = len(self.people.rows)
        if flow.assessed - excluded != randomised + others:
            self.people.problems.append(
                self.source.line(
                    ("flow", "assessed"),
                    f"{flow.assessed} assessed - {excluded} excluded = {flow.assessed - excluded}, "
                    f"expected {randomised} randomised + {others} in other arms = "
                    f"{randomised + others}",
                )
            )

    def trial(self, notices: list[str]) -> Trial:
        """The trial; call only when there was no problem."""
        spec, arm, paths = self.spec, self.spec.arm, self.source.paths
        said = spec.model_dump(mode="json", exclude_none=True, exclude=_LEFT_OUT)
        labels = {name: arm.labels.get(name, name) for name in (arm.control, arm.treatment)}
        notes = taken_as_answers([*self.baseline, *self.covariates])
        return Trial(
            path=self.source.path,
            title=spec.trial or self.source.path.stem,
            about=dict(spec.about),
            synthetic=spec.synthetic,
            control=arm.control,
            treatment=arm.treatment,
            labels=labels,
            visits=tuple(spec.visits),
            arm=self.arm,
            outcomes=self.variables["outcomes"],
            biomarkers=self.variables["biomarkers"],
            covariates=tuple(self.covariates),
            baseline=tuple(self.baseline),
            sections=said,
            analysis=spec.analysis,
            published=_resolved(paths.get("published")),
            data_path=_resolved(paths.get("data")),
            notices=[*notices, *(f"{display(paths['data'])}: {note}" for note in notes)],
            censored=self.censored,
            _scores=self.scores,
            _columns=self.columns,
        )


def _resolved(path: Path | None) -> Path | None:
    return None if path is None else path.resolve()
