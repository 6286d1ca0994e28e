"""What of the printed numbers the cohort gives back, and which rules of plausibility it breaks."""

import pandas as pd

from mair.results import records
from mair.trial import Trial

KINDS = {
    "moments": {"mean", "sd"},
    "model": {"b", "ci_low", "ci_high", "z", "p"},
    "counts": {"n", "responders", "percent", "median", "q1", "q3"},
}


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
    values = {"exempt": " (exempt: responders)" if own.get("pre_post") else ""}
    for one in records(rows, variable=name, method=["implied", "generated"]):
        values |= vars(one)
    kind = "outcomes" if name in spec["outcomes"] else "log" if own.get("log") else "linear"
    return [rule["say"].format(**values) for rule in spec["plausible"][kind]
            if not all(values.get(low, low) < values[of] < values.get(high, high)
                       for of, (low, high) in rule["within"].items())]


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
