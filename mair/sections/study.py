"""The committed simulation study (`make simulate`): its design, its rates, what they must meet."""

from pathlib import Path

import pandas as pd

from mair.sections import planning
from mair.stats.simulated import binomial_limits
from mair.trial import Trial, remembered
from mair.trial.errors import ROOT

PATH = ROOT / "mair" / "data" / "simulation.csv"
MECHANISMS = ("exchangeable", "falling", "FIQ", "HADS-A", "skewed")
DROPOUTS = ("none", "mar", "differential")
EFFECTS = ("null", "planned")
METHODS = ("random-intercept/z", "random-intercept/satterthwaite",
           "random-intercept/kenward-roger", "unstructured/kenward-roger",
           "rerandomisation/random-intercept")
SHARP = ("exchangeable", "falling", "skewed")  # no effect at all: arms alike in every respect
KEYS = ["mechanism", "dropout", "effect", "visit", "method"]


def criteria(frame: pd.DataFrame, alpha: float = 0.05, level: float = 0.99) -> pd.DataFrame:
    """The rows that pass or fail: type I error where theory says that it is ``alpha``.

    Re-randomisation where outcomes and missingness do not depend on the arm (`SHARP`, dropout
    alike in both), and Kenward-Roger where its model is true: random intercept under compound
    symmetry, unstructured under any normal scores with one covariance matrix.

    Returns
    -------
    DataFrame
        `KEYS`, ``type1``, exact binomial limits ``low`` and ``high`` (two-sided ``level``) of a
        test that holds its level, and ``passed``.
    """
    alike = frame["mechanism"].isin(SHARP) & frame["dropout"].isin(["none", "mar"])
    true = {METHODS[4]: alike, METHODS[2]: frame["mechanism"] == "exchangeable",
            METHODS[3]: frame["mechanism"].isin(["exchangeable", "falling"])}
    judged = sum((frame["method"] == method) & where for method, where in true.items()) > 0
    out = frame.loc[judged & (frame["effect"] == "null"),
                    [*KEYS, "type1", "simulations"]].reset_index(drop=True)
    n = out.pop("simulations").to_numpy(int)
    out["low"], out["high"] = binomial_limits(n, alpha, level)
    return out.assign(passed=(out["type1"] >= out["low"]) & (out["type1"] <= out["high"]))


def read(path: Path | str = PATH) -> pd.DataFrame:
    """The committed study, one row a design, visit and method."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


@remembered
def of(trial: Trial) -> pd.DataFrame:
    """The committed simulation study, empty unless it is of this trial's design."""
    frame, declared = read(), trial.sections["sample_size"]
    first = frame.iloc[0]
    own = (*map(trial.n, trial.arms), declared["sd"], planning.difference(declared),
           declared["alpha"], declared.get("dropout"))
    of_study = first[["n_control", "n_treatment", "sd", "difference", "alpha", "dropout_planned"]]
    same = own == tuple(of_study) and [*trial.primary.visits[1:]] == [*frame["visit"].unique()]
    return frame if same else frame.iloc[:0]


def scenario(row) -> str:
    """A design of the study as the variable of its rows."""
    return f"{row['mechanism']}, dropout {row['dropout']}, {row['effect']}"
