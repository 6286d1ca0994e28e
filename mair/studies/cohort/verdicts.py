"""What of the printed numbers the cohort gives back, and which rules of plausibility it breaks."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from mair.results import records
from mair.studies.cohort import plausible
from mair.trial import Trial

KINDS = {
    "moments": {"mean", "sd"},
    "model": {"b", "ci_low", "ci_high", "z", "p"},
    "counts": {"n", "responders", "percent", "median", "q1", "q3"},
}
# A rule of plausibility: when it is broken, and how far.
SCORES = (
    (lambda v: v.r_min <= max(0.0, v.band_low) or v.r_max >= v.band_high,
     "(i) r {v.r_min:.2f} to {v.r_max:.2f}, band {v.band_low:g} to {v.band_high:g}{exempt}"),
    (lambda v: v.arms_apart > plausible.FISHER, "(i) arms {v.arms_apart:.2f} apart on Fisher's z"),
    (lambda v: v.slope_z <= 0, "(iv) slope towards better health, z {v.slope_z:.2f}"),
    (lambda v: v.p_normal_min <= 0.05, "(v) Lilliefors p down to {v.p_normal_min:.2g}"),
    (lambda v: v.heaped > 0, "(ii) {v.heaped:.0f} too many at an extreme of an arm's scores"),
    (lambda v: v.distance > 1, "(ii) distance {v.distance:.2f} of the 0.999 point"),
)
BIOMARKERS = (
    (lambda v: v.r_min <= 0, "(i) r down to {v.r_min:.2f}"),
    (lambda v: v.change_sd > 3, "(iii) a change of {v.change_sd:.2f} SD"),
    (lambda v: v.log and v.skewness > 1.5, "(iii) skewness of ln values up to {v.skewness:.2f}"),
    (lambda v: v.log and v.p_normal_max >= 0.05,
     "(v) raw values not told from normal, p {v.p_normal_max:.2g}"),
    (lambda v: not v.log and v.p_normal_min <= 0.05, "(v) Lilliefors p {v.p_normal_min:.2g}"),
)


def met(compared: pd.DataFrame, name: str, kind: str) -> tuple[int, int]:
    """How many printed numbers of a variable are reproduced, of how many checkable.

    Parameters
    ----------
    compared : DataFrame
        Published beside recomputed, as `mair.published.compare.compare` gives it.
    name : str
        Outcome or biomarker.
    kind : {"moments", "model", "counts"}
    """
    own = compared[(compared["variable"].str.split(": | >=", regex=True).str[0] == name)
                   & compared["statistic"].isin(KINDS[kind])
                   & (compared["verdict"] != "not checkable")]
    if kind == "model":
        own = own[own["method"] == "random-intercept/z"]
    if kind == "moments":
        own = own[own["analysis"].isin(["baseline", "outcomes", "biomarkers"])]
    return int((own["verdict"] == "reproduced").sum()), len(own)


def whole(trial: Trial, name: str) -> bool:
    """Whether every score is a multiple of the declared step, inside the declared range."""
    variable = trial.variable(name)
    scores = trial.scores(name).stack().dropna()
    steps = scores / (variable.step or scores.where(scores != 0, 1))
    inside = variable.range is None or scores.between(*variable.range).all()
    return bool(((steps - steps.round()).abs() < 1e-6).all() and inside)


def broken(rows: pd.DataFrame, spec: dict, name: str) -> list[str]:
    """Rules (i) to (v) that a variable breaks, each with its distance.

    Parameters
    ----------
    rows : DataFrame
        As `plausible.rows` gives them.
    spec : dict
        As ``cohort.yaml``.
    name : str
    """
    own = {**spec["outcomes"], **spec.get("biomarkers", {})}[name]
    values = SimpleNamespace(log=bool(own.get("log")))
    for one in records(rows, variable=name, method=["implied", "generated"]):
        values.__dict__.update(vars(one))
    exempt = " (exempt: responders)" if own.get("pre_post") else ""
    return [text.format(v=values, exempt=exempt)
            for fails, text in (SCORES if name in spec["outcomes"] else BIOMARKERS)
            if fails(values)]


def summary(trial: Trial, spec: dict, compared: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The five targets, one row a variable.

    Returns
    -------
    DataFrame
        ``variable``; reproduced numbers ``moments model counts`` and, of how many, ``*_of``;
        ``steps`` (1 where kept); correlations ``r_implied r_min r_max``; ``broken``, text.
    """
    found = []
    for implied, made in zip(*(records(rows, method=method) for method in (
            "implied", "generated")), strict=True):
        name = made.variable
        counts = {kind: met(compared, name, kind) for kind in KINDS}
        found.append({"variable": name, **{kind: n for kind, (n, _) in counts.items()},
                      **{f"{kind}_of": n for kind, (_, n) in counts.items()},
                      "steps": int(whole(trial, name)), "r_implied": implied.r,
                      "r_min": made.r_min, "r_max": made.r_max,
                      "broken": "; ".join(broken(rows, spec, name))})
    return pd.DataFrame(found)


def unmet(compared: pd.DataFrame) -> pd.DataFrame:
    """Printed means, SDs, model numbers and effect sizes that the cohort does not print."""
    kinds = KINDS["moments"] | KINDS["model"] | {"d"}
    own = compared[compared["statistic"].isin(kinds)
                   & compared["analysis"].isin(["outcomes", "biomarkers"])
                   & compared["verdict"].isin(["within rounding", "not reproduced"])]
    return own[["variable", "arm", "time", "statistic", "printed", "why"]]
