"""What the keys of a trial file must agree on among themselves, before any data are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mair.trial.errors import listed, nearest, shown
from mair.trial.schema import TrialFile

Problem = tuple[tuple, str]  # where in the trial file, and what is wrong


def problems(spec: TrialFile, raw: dict) -> list[Problem]:
    """Every disagreement between keys.

    Parameters
    ----------
    spec : TrialFile
        Validated key by key.
    raw : dict
        The keys as stated; names of outcomes that were refused still count as known.

    Returns
    -------
    list of ((str or int, ...), str)
        Location and message, in the order of the file's keys.
    """
    found: list[Problem] = []
    for check in (_files, _arm, _visits, _measures, _columns, _baseline, _responders, _rest):
        found += check(spec, raw)
    return found


def names(raw: dict) -> list[str]:
    """Names of outcomes and biomarkers as stated."""
    sections = (raw.get("outcomes"), raw.get("biomarkers"))
    return [name for section in sections if isinstance(section, dict) for name in section]


def _files(spec: TrialFile, raw: dict) -> Iterator[Problem]:
    if raw.get("data") is None and raw.get("published") is None:
        yield ("data",), "required key missing (it may be left out only with published)"
    if raw.get("data") is not None and raw.get("participant") is None:
        yield ("participant",), "required key missing: the column of participants' ids"


def _arm(spec: TrialFile, raw: dict) -> Iterator[Problem]:
    arm = spec.arm
    if arm.control == arm.treatment:
        yield (
            ("arm", "treatment"),
            f"{shown(arm.treatment)} is the control too, expected two different arms",
        )
    for key in ("control", "treatment"):
        if (name := getattr(arm, key)) in ("overall", "difference"):
            yield ("arm", key), f"{shown(name)} is a word of results.csv, expected another name"
    for label in arm.labels:
        if label not in (arm.control, arm.treatment):
            yield (
                ("arm", "labels", label),
                f"unknown arm, expected {arm.control} or {arm.treatment}",
            )


def _visits(spec: TrialFile, raw: dict) -> Iterator[Problem]:
    if len(spec.visits) < 2:
        yield ("visits",), f"{shown(spec.visits)}, expected two visits or more"
    for visit, n in Counter(spec.visits).items():
        if n > 1:
            yield ("visits",), f"{shown(visit)} stands {n} times, expected each visit once"


def _measures(spec: TrialFile, raw: dict) -> Iterator[Problem]:
    if not names(raw):
        yield ("outcomes",), "required key missing (or biomarkers): at least one outcome"
    outcomes, biomarkers = spec.outcomes or {}, spec.biomarkers or {}
    for name in biomarkers:
        if name in outcomes:
            yield ("biomarkers", name), "is the name of an outcome too, expected another name"
    primary = [where for where, measure in spec.measures().items() if measure.primary]
    for where in primary[1:]:
        yield (
            (*where, "primary"),
            f"true, but {primary[0][1]} is primary already, expected one primary outcome",
        )
    for where, measure in spec.measures().items():
        yield from _where_measured(spec, where, measure)


def _where_measured(spec: TrialFile, where: tuple, measure) -> Iterator[Problem]:
    """``columns`` in a wide file, ``column`` in a long one."""
    if spec.visit is not None:
        if measure.columns is not None:
            yield (
                (*where, "columns"),
                f"{shown(measure.columns)}, expected column: in a long file (visit: {spec.visit})",
            )
        elif measure.column is None and spec.data is not None:
            yield (*where, "column"), "required key missing in a long file"
        return
    if measure.column is not None:
        yield (
            (*where, "column"),
            f"{shown(measure.column)}, expected columns: in a wide file, one a visit "
            "(a long file has visit: <column>)",
        )
    elif measure.columns is None:
        if spec.data is not None:
            yield (*where, "columns"), "required key missing in a wide file"
    elif len(measure.columns) != len(spec.visits):
        yield (
            (*where, "columns"),
            f"{len(measure.columns)} given, expected {len(spec.visits)}, one a visit "
            f"({', '.join(spec.visits)}), null where it was not measured",
        )
    elif measure.columns[0] is None:
        yield (
            (*where, "columns"),
            f"null at {spec.visits[0]}, expected a column at the reference visit",
        )
    elif not any(measure.columns[1:]):
        yield (*where, "columns"), "null at every later visit, expected a column at one of them"


def _columns(spec: TrialFile, raw: dict) -> Iterator[Problem]:
    """A column is one thing only: id, visit, arm, or one outcome at one visit."""
    taken: dict[str, str] = {}
    uses = [(("participant",), spec.participant), (("visit",), spec.visit)]
    uses.append((("arm", "column"), spec.arm.column))
    for where, measure in spec.measures().items():
        uses += [((*where, "columns"), column) for column in measure.columns or []]
        uses.append(((*where, "column"), measure.column))
    for where, column in uses:
        if column is None:
            continue
        if column in taken:
            yield where, f"{shown(column)} is used by {taken[column]} too, expected another column"
        taken.setdefault(column, ".".join(where))


def _baseline(spec: TrialFile, raw: dict) -> Iterator[Problem]:
    seen = set()
    for i, entry in enumerate(spec.baseline or []):
        where = ("baseline", i)
        if entry.name in seen:
            yield ("baseline",), f"{shown(entry.name)} stands twice, expected each name once"
        seen.add(entry.name)
        if entry.level is not None and entry.kind not in (None, "binary"):
            yield (*where, "level"), f"{shown(entry.level)}, expected only with kind: binary"
        if entry.column is None and entry.name in names(raw) and entry.kind in (
            "binary",
            "categorical",
        ):
            yield (*where, "kind"), f"{entry.kind}, expected continuous for an outcome"
    for covariate, n in Counter(spec.covariates or []).items():
        if n > 1:
            yield ("covariates",), f"{shown(covariate)} stands {n} times, expected once"


def _responders(spec: TrialFile, raw: dict) -> Iterator[Problem]:
    if (chosen := spec.responders) is None:
        return
    stated = raw["responders"]
    by_outcome = [key for key in ("outcome", "reductions") if key in stated]
    by_column = [key for key in ("column", "better") if key in stated]
    if by_outcome and by_column:
        yield (
            ("responders",),
            f"{listed(by_outcome)} beside {listed(by_column)}, expected outcome with visit and "
            "reductions, or column with better",
        )
    elif by_column:
        if "column" not in stated:
            yield ("responders", "column"), "required key missing"
    else:
        for key in ("outcome", "visit", "reductions"):
            if key not in stated:
                yield ("responders", key), "required key missing"
    if chosen.outcome is not None and chosen.outcome not in names(raw):
        known = names(raw)
        yield (
            ("responders", "outcome"),
            f"{shown(chosen.outcome)}, expected an outcome; "
            f"did you mean {nearest(chosen.outcome, known)}?",
        )
    elif chosen.visit is not None:
        yield from _responder_visit(spec)
    cuts = chosen.reductions
    if cuts is not None and (not cuts or len(set(cuts)) < len(cuts)):
        yield (
            ("responders", "reductions"),
            f"{shown(chosen.reductions)}, expected one fraction or more, each once",
        )


def _responder_visit(spec: TrialFile) -> Iterator[Problem]:
    chosen = spec.responders
    later = list(spec.visits[1:])
    measure = {name: m for (_, name), m in spec.measures().items()}.get(chosen.outcome)
    if measure and measure.columns and len(measure.columns) == len(spec.visits):
        later = [v for v, c in zip(later, measure.columns[1:], strict=True) if c is not None]
    if chosen.visit not in later:
        of = f" of {chosen.outcome}" if chosen.outcome else ""
        yield (
            ("responders", "visit"),
            f"{shown(chosen.visit)}, expected a later visit{of}: {listed(later or ['none'])}",
        )


def _rest(spec: TrialFile, raw: dict) -> Iterator[Problem]:
    allocation, size = spec.allocation, spec.sample_size
    if allocation and allocation.strata and allocation.scheme != "blocks":
        yield ("allocation", "strata"), f"{allocation.strata!r}, expected only with scheme: blocks"
    for section in ("outcomes", "biomarkers"):
        if spec.describe and getattr(spec.describe, section) and not raw.get(section):
            yield ("describe", section), f"there are no {section}, expected a section of the file"
    if size is not None:
        has_mean = size.mean is not None, size.relative_difference is not None
        if any(has_mean) and not all(has_mean):
            absent = ("mean", "relative_difference")[has_mean.index(False)]
            yield ("sample_size", absent), "required key missing: mean and relative_difference"
        elif size.difference is None and not any(has_mean):
            yield (
                ("sample_size", "difference"),
                "required key missing (or mean with relative_difference)",
            )
    chosen = spec.analysis
    if chosen.missing != "observed" and chosen.estimator != "difference":
        yield (
            ("analysis", "missing"),
            f"{chosen.missing} with estimator {chosen.estimator}, expected estimator difference",
        )
    if chosen.responder_missing == "mi-mar" and not (spec.responders and spec.responders.outcome):
        yield (
            ("analysis", "responder_missing"),
            "mi-mar, expected responders by an outcome's reductions: a yes/no column has no scores "
            "to impute",
        )
