"""The declared primary analysis in R and in SPSS syntax, our numbers as comments."""

import math

import pandas as pd

from mair.report import words, written
from mair.results import records
from mair.sections import analysis, model, nnt
from mair.stats import gee, risk
from mair.trial import Trial, file, readers, scales
from mair.trial.errors import NUMBER
from mair.trial.tables import YES_NO, text_of

CONSTANT = written.data("check/yes_no")  # of a yes/no result


def declared(trial: Trial) -> dict:
    """What the scripts say of a trial: columns of its data file, model, and our numbers.

    Parameters
    ----------
    trial : Trial
        With data.

    Returns
    -------
    dict
        As the templates under ``mair/data/check`` name it. ``numbers`` are of the observed
        scores: dicts of ``time`` (1 is the reference visit), ``statistic`` and ``value``, where
        ``gls_se`` is the standard error that takes the covariance as known, and ``robust_se``
        Liang and Zeger's.
    """
    spec, variable, chosen = file.read(trial.path)[0], trial.primary, trial.analysis
    shared = {"trial": trial, "spec": spec, "chosen": chosen, "ranges": scales.ranges,
              "kind": trial.data_path.suffix.lower()}
    if variable is None:
        return shared | _answers(trial, spec)
    measure = {name: one for (_, name), one in spec.measures().items()}[variable.name]
    found = analysis.analyse(trial, variable.name, missing="observed")
    plain = analysis.analyse(trial, variable.name, missing="observed", inference="z")
    before, _, how = found.method.partition("/")[0].rpartition(":")
    structure, _, arm = how.partition(",")
    design, by_gee = model.build(trial, variable.name), structure.startswith("gee-")
    ses = {visit: one.se for visit, one in plain.contrasts.items()}
    if by_gee and ses:
        robust = gee.fit(design.y, design.X, design.groups, variable.family).robust
        ses = {visit: (w @ robust @ w) ** 0.5 for visit, w in design.contrasts.items()}
    rows = model.observations(trial, variable.name)
    at = {visit: i for i, visit in enumerate(variable.visits, start=1)}
    numbers = [number for visit, one in found.contrasts.items() for number in _numbers(
        at[visit], b=one.estimate, se=one.se, **{"robust_se" if by_gee else "gls_se": ses[visit]},
        df=one.df, p=one.p, ci_low=one.low, ci_high=one.high)]
    return shared | {
        "visit_column": spec.visit, "what": "scores", "counts": [],
        "visits": [{"key": visit, "label": trial.visit_labels[visit], "columns": columns, "apart":
                    measure.baseline_column if visit == trial.reference else None}
                   for visit, columns in measure.at(spec.visits).items() if visit in at],
        "key": scales.keys(spec).get(measure.scale),
        "covariates": [_covariate(trial, spec, one) | {"number": i} for i, one in enumerate(
            (one for one in trial.covariates if one.name not in design.redundant), start=1)],
        "estimator": "clda" if before else {
            "ancova": "ancova", "welch": "once", "linear": "once"}.get(structure, "difference"),
        "structure": structure, "by_arm": bool(arm), "log": variable.transform == "log",
        "gee": by_gee and variable.family,
        "later": [at[visit] for visit in found.contrasts], "numbers": numbers,
        "n": rows["participant"].nunique(), "n_rows": len(rows),
        "total": f"{rows['y'].sum():.17g}",
        "model": f"{variable.label}, {words.method(found.method)}",
        "method": words.method(found.method), "state": found.state,
        "imputed": chosen.missing != "observed"}


def _answers(trial: Trial, spec) -> dict:
    """What the scripts say where the result is a column of yes and no, the first declared."""
    rule, (one, *_) = trial.analysis.responder_missing, trial.sections["responders"]
    name, table = one["column"], readers.read(trial.data_path, spec.read)
    who = map(text_of, table.columns[spec.participant].cells)
    said = pd.Series(table.columns[name].texts, map(trial.responder(name).get, who)).dropna()
    good = said.groupby(level=0, sort=False).unique()
    rows = nnt.rows(trial).query("variable == @name and time == @one.get('visit', '')")
    arms = records(rows, method=rule)
    of_both = records(rows, method=[f"{rule}/{one}" for one in ("wald", "exact", "fisher")])
    return CONSTANT | {
        "visits": [{"key": "", "label": "the result", "columns": [name], "apart": None}],
        "long": spec.visit, "model": f"{name}, {CONSTANT['model']}", "rule": words.method(rule),
        "good": [*good.get(True, [])], "other": [*good.get(False, [])],
        "fill": [] if rule == "completers" else [
            risk.counts(0, 1, 1, rule, arm)[0] for arm in ("control", "treatment")],
        "counts": [{"arm": of.arm, "good": int(of.responders), "n": int(of.n)} for of in arms],
        "n": (n := int(sum(of.n for of in arms))), "n_rows": n,
        "total": int(sum(of.responders for of in arms)),
        "numbers": [number for of in of_both for number in _numbers(1, **{
            key: getattr(of, key, analysis.NAN) for key in CONSTANT["statistics"]})]}


def _numbers(time: int, **statistics: float) -> list[dict]:
    """What is estimable at a time."""
    return [{"time": time, "statistic": name, "value": f"{value:.12g}"}
            for name, value in statistics.items() if math.isfinite(value)]


def _covariate(trial: Trial, spec, one) -> dict:
    """A covariate's column; `first`: of an outcome its first visit counts."""
    measure = {name: of for (_, name), of in spec.measures().items()}.get(one.column)
    column = one.column if measure is None else measure.baseline_column or measure.at(
        spec.visits)[trial.reference][0]
    return {"name": one.label, "column": column, "first": measure is not None,
            "levels": [] if one.kind == "continuous" else list(one.levels)}


def _spss(content: dict, table) -> dict:
    """What the SPSS script says beside: a variable for each column of the file, and its codes."""
    wide, spec = not content["visit_column"], content["spec"]
    roles = [("id", spec.participant), ("arm", spec.arm.column), ("visit", content["visit_column"]),
             *((f"y{i}" if wide else "y", one["apart"] or one["columns"][0])
               for i, one in enumerate(content["visits"], start=1)
               if not content["key"] and (wide or not one["apart"])),
             *((f"x{one['number']}", one["column"]) for one in content["covariates"])]
    named = {column: role for role, column in reversed(roles) if column}
    return {
        "file_columns": [{"column": name, "name": named.get(name, f"v{i}"), "used": name in named,
                          "numeric": bool(column.numbers)}
                         for i, (name, column) in enumerate(table.columns.items(), start=1)],
        "twice": [(role, named[column]) for role, column in dict.fromkeys(roles)
                  if column and named[column] != role],
        "missing_numbers": [code for code in spec.read.missing if NUMBER.fullmatch(code)],
        "codes": lambda column, value: _codes(table.columns[column], value),
        "notices": " ".join(table.notices)}


def _codes(column, value: str) -> str:
    """The cells of a column that mean a value, as SPSS writes a list of them."""
    alike = [text for text in dict.fromkeys(map(text_of, column.cells)) if text is not None and (
        value in (text, column.labels.get(text)) or (value in ("no", "yes") and YES_NO.get(
            column.labels.get(text, text).casefold()) is (value == "yes")))]
    return ", ".join(text if column.numbers else "'" + text.replace("'", "''") + "'"
                     for text in alike)


def scripts(trial: Trial) -> dict[str, bytes]:
    """``check.R`` and ``check.sps`` of the primary outcome, else the first yes/no result."""
    filters = written.templates().filters  # comments and strings, no markup: names are quoted there
    filters["quoted"] = lambda text: str(text).replace("\\", "\\\\").replace('"', '\\"')
    filters["doubled"] = lambda text: str(text).replace("'", "''")
    content = declared(trial)
    content |= _spss(content, readers.read(trial.data_path, content["spec"].read))
    return {name: f"{written.filled(f'{name}.j2', **content).rstrip()}\n".encode()
            for name in ("check.R", "check.sps")}
