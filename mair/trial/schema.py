"""The keys of a trial file: types, allowed values and the defaults of ``analysis``.

Scalars of a trial file are text (see ``file.py``); pydantic reads numbers from them. What
two keys must agree on is in ``checks.py``, what key and data must agree on in ``columns.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

SECTIONS = ("outcomes", "biomarkers")


def _file_name(value: str) -> str:
    if "\0" in value or len(value) > 1000 or any(
            len(part.encode()) > 255 for part in value.split("/")):
        raise ValueError("a file name")
    return value


def _ends(of: str, most: float = math.inf) -> AfterValidator:
    """Two numbers in order."""
    def ends(value: tuple[float, ...]) -> tuple[float, ...]:
        if len(value) != 2 or not -most <= value[0] < value[1] <= most:
            raise ValueError(f"two numbers, the lowest and the highest {of}")
        return value

    return AfterValidator(ends)


def _read(kind: Any, also: Any, reader: Callable) -> Any:
    """A type of which a file may state something else, too, from which ``reader`` makes it."""
    return Annotated[kind, BeforeValidator(reader, json_schema_input_type=also)]


# An editor's YAML gives numbers where we read text.
Text = Annotated[str, Field(min_length=1), WithJsonSchema({"type": ["string", "number"]})]
FileName = Annotated[Text, AfterValidator(_file_name)]
TrueFalse = _read(  # the words of YAML 1.2 only: pydantic would take yes, on and 1 as well
    Annotated[bool, Field(strict=True)], bool,
    lambda value: {"true": True, "false": False}.get(str(value).lower(), value))
Range = Annotated[tuple[float, ...], _ends("score")]
Answers = Annotated[tuple[float, ...], _ends("answer, a million at most", 1e6)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Values = _read(list[Text], Text | list[Text],  # or a single one
               lambda value: [value] if isinstance(value, str) else value)
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
PositiveCount = Annotated[int, Field(ge=1, le=10_000_000)]
Parts = Annotated[list[Text], Field(min_length=1)]
Items = _read(list[Text], Text | list[Text],  # or their number: 1, 2, and so on
              lambda value: [str(i) for i in range(1, int(value) + 1)] if isinstance(value, str)
              and value.isdecimal() and len(value) < 4 else value)


def key(description: str, default: Any = None) -> Any:
    """A key that may be left out."""
    return Field(default, description=description)


class Section(BaseModel):
    """Keys are known or refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, str_strip_whitespace=True)


class Arm(Section):
    """The two arms compared; `control` and `treatment` are values of `column`."""

    column: Text = Field(description="column that holds the arm")
    control: Text = Field(description="value of the control arm: a label, or else a code")
    treatment: Text = Field(description="value of the treatment arm: a label, or else a code")
    labels: dict[str, Text] = key("arm -> its name for reading", {})


class Read(Section):
    """How the data file is read, where it does not say so itself."""

    sheet: Text | None = key(".xlsx: name or number of the sheet")
    header: PositiveCount | None = key("rows of column names, one above the other")
    encoding: Text | None = key("of text, such as cp1252")
    decimal: Literal[",", "."] | None = key("the mark before the fraction")
    missing: list[Text] = key("codes that mean missing, in every column", [])


class Ignore(Section):
    """Rows left out; they are counted in the flow."""

    arms: list[Text] = key("further arms of the column, with their people", [])
    visits: list[Text] = key("further values of the visit's column", [])
    where: dict[str, Values] = key("column -> value, or a list of values", {})


class Allocation(Section):
    """How participants were allocated, for re-randomisation."""

    scheme: Literal["complete", "blocks"] = "complete"
    strata: Text | None = key("column of strata, with blocks")


class Key(Section):
    """How answers to items make a score (`scales`)."""

    label: Text | None = None
    items: Items = Field(min_length=1, description="their names in order, or their number")
    range: Answers = Field(description="lowest and highest answer to an item")
    ranges: dict[Text, Answers] = key("item -> its own range", {})
    stored: Answers | None = key("the range as the file has it, where it begins elsewhere")
    reversed: list[Text] = key("items that run the other way", [])
    together: dict[Text, Parts] = key("part -> items averaged into it", {})
    rescale: Answers | None = key("range that each part is brought to before the score")
    score: Literal["sum", "mean"] = "sum"
    answered: Annotated[float, Field(gt=0, le=1)] = key(
        "least share of answers, of a score and of a part; the mean of the others stands in", 1.0)
    subscales: dict[Text, Parts] = key("name -> items; `scale` may name it", {})
    better: Literal["lower", "higher"] | None = None
    source: Text | None = None


class Scale(Section):
    """What an outcome or a biomarker is measured on."""

    label: Text | None = key("its name for reading")
    unit: str = ""
    range: Range | None = key("lowest and highest possible value")
    step: Positive | None = key("distance of two neighbouring scores")
    better: Literal["lower", "higher"] = "lower"
    primary: TrueFalse = False
    transform: Literal["log"] | None = key("modelled on this scale")
    family: Literal["binomial", "poisson"] | None = key(
        "yes and no as 1 and 0, or a count, at every visit: by estimating equations")


class Measure(Scale):
    """An outcome or a biomarker as declared."""

    scale: Text | None = key("a scale or subscale of `scales`, or one that comes with mair")
    columns: list[Values | None] | None = key(
        "wide file: one column a visit, null where it was not measured; of a scale a list of its "
        "items' columns, or a pattern such as pain_{item}_pre")
    column: Values | None = key("long file: the column of its values, or of a scale's items")
    baseline_column: Text | None = key("long file: the column of its value at the first visit")

    def at(self, visits: list[str]) -> dict[str, list[str]]:
        """The columns that hold each visit, once `scales.expanded` has named them all."""
        return {visit: names or [] for visit, names in zip(
            visits, self.columns or [None] * len(visits), strict=True)}


class Variable(Scale):
    """An outcome or a biomarker as read; ``range`` and ``step`` are in ``unit``."""

    name: str
    section: Literal["outcomes", "biomarkers"]
    visits: tuple[str, ...]


class Describe(Section):
    """Yes/no columns: whom a section's means, SDs and d cover."""

    outcomes: Text | None = None
    biomarkers: Text | None = None


class BaselineEntry(Section):
    """A row of the baseline table; an outcome's name means its first visit."""

    name: Text
    column: Text | None = key("default: the name")
    label: Text | None = key("its name for reading")
    kind: Literal["continuous", "binary", "categorical"] | None = key(
        "inferred from the values when not given")
    level: Text | None = key("binary: the value that is counted")
    levels: list[Text] | Literal["labels"] | None = key(
        "order of the values; labels: as the file's value labels have it")


class Responders(Section):
    """Who responded: by reductions of an outcome, or by a column of results."""

    outcome: Text | None = None
    visit: Text | None = None
    reductions: list[Fraction] | None = key("improvement from baseline as a fraction of it")
    column: Text | None = key("a column of yes and no, or of other results, instead of an outcome")
    better: Text | None = key("the good value of the column; default yes")


class Flow(Section):
    """Counts before randomisation, and the columns that the flow reads."""

    assessed: Count | None = None
    excluded: dict[str, Count] = key("reason -> people", {})
    other_arms: dict[str, Count] = key("arm not analysed here -> people", {})
    lost: Text | None = key("column of reasons; empty: not lost")
    sessions: Text | None = key("column of sessions attended")
    preference: Text | None = key("column of the arm preferred")
    credibility: Text | None = key("column of a credibility score")


class Harms(Section):
    """Adverse events: a column of the data, or a file with one row an event."""

    column: Text | None = key("number of events of each participant, or yes and no")
    data: FileName | None = key("file of events, one row an event")
    participant: Text | None = key("of that file: column of ids; default, the trial's")
    term: Text | None = key("of that file: column of what happened")
    serious: Text | None = key("column of yes and no, of either file: whether it was serious")
    terms: list[Text] = key("terms that stand in the table though nobody has them", [])


class Criterion(Section):
    """Of progression: go at green or above, stop below amber, amend between (`CRITERIA`)."""

    green: Positive = Field(description="least value to go on as planned, as a proportion")
    amber: Positive = Field(description="least value to go on with amendments")
    ineligible: list[Text] = key("recruitment: reasons of flow.excluded that do not count", [])
    months: Positive | None = key("recruitment: its length; thresholds are people a month")
    visit: Text | None = key("retention, completeness; default, the primary outcome's last")
    sessions: PositiveCount | None = key("adherence: least number that counts as attended")


CRITERIA = Literal["recruitment", "retention", "adherence", "completeness"]


class SampleSize(Section):
    """The planned size: `difference`, or `mean` with `relative_difference`, or all three."""

    sd: Positive
    difference: Positive | None = None
    mean: float | None = None
    relative_difference: Positive | None = None
    alpha: Fraction = 0.05
    power: Fraction = 0.80
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None


class Intercurrent(Section):
    """An intercurrent event and how the estimand deals with it."""

    event: Text
    strategy: Text


class Estimand(Section):
    """The question in the terms of ICH E9(R1)."""

    population: Text | None = None
    treatment: Text | None = None
    intercurrent: list[Intercurrent] = []
    summary: Text | None = None


class Families(Section):
    """Sections of one name share one correction; null: none."""

    outcomes: Text | None = "outcomes"
    biomarkers: Text | None = "biomarkers"


class Analysis(Section):
    """Every choice of the analysis, each with a default that suits a small trial."""

    covariance: Literal["unstructured", "random-intercept",
                        "compound-symmetry"] = "unstructured"
    variance: Literal["common", "by-arm"] = "common"
    inference: Literal["kenward-roger", "satterthwaite", "z"] = "kenward-roger"
    estimator: Literal["difference", "clda", "ancova"] = "difference"
    missing: Literal["observed", "mi-mar", "mi-j2r", "mi-cr"] = "observed"
    responder_missing: Literal[
        "nonresponder", "completers", "worst-case", "mi-mar"] = "nonresponder"
    risk_interval: Literal["miettinen-nurminen", "newcombe", "wald",
                           "skewness-corrected"] = "miettinen-nurminen"
    confidence: Fraction = 0.95
    fdr_families: _read(Families, Families | None, (  # null: neither section is corrected
        lambda value: dict.fromkeys(SECTIONS) if value is None else value)) = Families()
    group_size: PositiveCount | None = key(
        "people in a therapy group, for the sensitivity to groups")
    seed: Count = 2020
    draws: PositiveCount = 10000


Notebook = Literal["flow", "baseline", "outcomes", "one_visit", "biomarkers", "nnt", "robustness",
                   "power", "audit", "reconstruction"]
Criteria = _read(list[Responders], Responders | list[Responders],  # or a single one
                 lambda value: [value] if isinstance(value, dict) else value)
Entry = _read(BaselineEntry, Text | BaselineEntry,  # or its bare name
              lambda value: {"name": value} if isinstance(value, str) else value)


class TrialFile(Section):
    """A trial file, after `extends` was followed.

    Its ``model_json_schema()`` lets editors check YAML while it is typed.
    """

    trial: Text | None = key("title; default: the file's name")
    about: dict[str, Any] = key("registration, citation, licence, …", {})
    synthetic: TrueFalse = key("true: SYNTHETIC on every page, table, figure", False)
    show_individuals: TrueFalse = key(
        "true: figures draw single people of a trial that is not synthetic", False)
    extends: FileName | None = key("another trial file to start from")
    data: FileName | None = key(".csv .tsv .xlsx .sav .dta .parquet")
    read: Read = Read()
    ignore: Ignore = Ignore()
    published: FileName | None = key("published numbers, for the audit")
    participant: Text | None = key("column of participants' ids")
    visit: Text | None = key("long file: column of the visit")
    arm: Arm
    allocation: Allocation | None = None
    visits: list[Text] = key("in order; the first is the reference; one alone has no baseline, "
                             "and without any the end of the trial is meant", ["end of trial"])
    visit_labels: dict[str, Text] = key("visit -> its name for reading", {})
    covariates: list[Text] | None = key("of every mixed model")
    outcomes: dict[str, Measure] | None = None
    biomarkers: dict[str, Measure] | None = None
    scales: dict[Text, Key] = key("scale -> how its items make a score", {})
    describe: Describe | None = None
    baseline: list[Entry] | None = None
    responders: Criteria | None = None
    remarks: dict[Notebook, Text] | None = key("section -> the trial's own words at its head")
    flow: Flow | None = None
    harms: Harms | None = None
    progression: dict[CRITERIA, Criterion] | None = key("of a pilot trial, to a larger one")
    sample_size: SampleSize | None = None
    estimand: Estimand | None = None
    analysis: Analysis = Analysis()

    def measures(self) -> dict[tuple[str, str], Measure]:
        """Outcomes, then biomarkers, each by (section, name)."""
        return {(section, name): measure for section in SECTIONS
                for name, measure in (getattr(self, section) or {}).items()}


def known_keys(location: tuple) -> list[str]:
    """The keys that the mapping at ``location`` of a trial file may hold.

    Parameters
    ----------
    location : tuple of str and int
        Keys and list positions, as in ``("outcomes", "FIQ")``; ``()`` is the whole file.

    Returns
    -------
    list of str
        Empty where keys are free, as under ``about`` or ``outcomes``.
    """
    here: Any = TrialFile
    for part in location:
        if hasattr(here, "model_fields"):
            field = here.model_fields.get(part)
            here = field.annotation if field else Any
        else:  # the values of a mapping or list
            here = (get_args(here) or [Any])[-1]
        while get_origin(here) in (Annotated, Union, UnionType):
            here = get_args(here)[0]
    if here == list[Responders]:  # a single one stands as itself
        here = Responders
    return list(getattr(here, "model_fields", []))
