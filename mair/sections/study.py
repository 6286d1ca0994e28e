"""What the committed simulation study says: its tables, its figure, its conclusions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mair.report.tables import Table
from mair.sections import planning
from mair.stats.simulated import ADJACENT, CORRELATION, binomial_limits
from mair.trial import Trial
from mair.trial.errors import ROOT

PATH = ROOT / "mair" / "data" / "simulation.csv"
MECHANISMS = {
    "exchangeable": "all visits equally correlated, one SD",
    "falling": "powers of the neighbours' correlation, one SD",
    "FIQ": "each arm and visit has an SD in proportion to the published FIQ's",
    "HADS-A": "likewise the published HADS-A's",
    "skewed": "compound symmetry, residuals exponential",
}
DROPOUTS = {
    "none": "nobody leaves",
    "mar": "missing at random, who scored worse at the last visit leaves more often",
    "differential": "missing at random given arm and score: in control more leave, and the "
                    "worse; in treatment fewer, and the better",
}
EFFECTS = ("null", "planned")
METHODS = ("random-intercept/z", "random-intercept/satterthwaite",
           "random-intercept/kenward-roger", "unstructured/kenward-roger",
           "rerandomisation/random-intercept")
SHARP = ("exchangeable", "falling", "skewed")  # no effect at all: arms alike in every respect
KEYS = ["mechanism", "dropout", "effect", "visit", "method"]
LABELS = {
    "random-intercept/z": "z", "random-intercept/satterthwaite": "Satterthwaite",
    "random-intercept/kenward-roger": "Kenward-Roger",
    "unstructured/kenward-roger": "Unstructured, Kenward-Roger",
    "rerandomisation/random-intercept": "Re-randomisation",
}
SHOWN = {"exchangeable": "Compound symmetry", "falling": "Correlation falls with lag",
         "FIQ": "SDs like FIQ's", "HADS-A": "SDs like HADS-A's", "skewed": "Skewed residuals"}
LOST = {"none": "no dropout", "mar": "dropout on the last score", "differential": "dropout by arm"}
STUDIED = {
    "type1": ("null", "Type I error", "no difference between the arms"),
    "power": ("planned", "Power", "the planning difference at every later visit"),
    "coverage": ("planned", "Coverage of the interval",
                 "the planning difference at every later visit"),
}


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
    judged = np.zeros(len(frame), bool)
    for method, where in true.items():
        judged |= ((frame["method"] == method) & where).to_numpy()
    out = frame.loc[judged & (frame["effect"] == "null").to_numpy(),
                    [*KEYS, "type1", "simulations"]].reset_index(drop=True)
    n = out.pop("simulations").to_numpy(int)
    out["low"], out["high"] = binomial_limits(n, alpha, level)
    return out.assign(passed=(out["type1"] >= out["low"]) & (out["type1"] <= out["high"]))


def read(path: Path | str = PATH) -> pd.DataFrame:
    """The committed study."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def of(trial: Trial) -> pd.DataFrame:
    """The committed simulation study, empty unless it is of this trial's design."""
    frame, declared = read(), trial.sections["sample_size"]
    first = frame.iloc[0]
    same = (tuple(trial.n(arm) for arm in trial.arms) == (first["n_control"], first["n_treatment"])
            and list(trial.primary.visits[1:]) == list(dict.fromkeys(frame["visit"]))
            and (declared["sd"], planning.difference(declared), declared["alpha"],
                 declared.get("dropout"))
            == tuple(first[["sd", "difference", "alpha", "dropout_planned"]]))
    return frame if same else frame.iloc[:0]


def scenario(row) -> str:
    """A cell of the study as the variable of its rows."""
    return f"{row['mechanism']}, dropout {row['dropout']}, {row['effect']}"


def mechanisms(frame: pd.DataFrame) -> list[str]:
    """What was simulated, or that the committed study is of another design."""
    if not len(frame):
        return ["The committed study is of another design (its sizes, visits, planned difference "
                "and SD): nothing of it is shown."]
    first = frame.iloc[0]
    return [
        *(f"**{SHOWN[key]}:** {text}." for key, text in MECHANISMS.items()),
        "**Dropout:** " + "; ".join(f"*{LOST[key]}*, {text}"
                                    for key, text in DROPOUTS.items())
        + f". Planned share {first['dropout_planned']:.0%} by the last visit.",
        f"**Size:** {first['n_control']} and {first['n_treatment']} people, SD {first['sd']:g}, "
        f"correlation {CORRELATION:g} ({ADJACENT:g} between neighbouring visits "
        f"where it falls), effect none or {first['difference']:g}; {first['simulations']} trials "
        f"a cell, {len(MECHANISMS) * len(DROPOUTS) * len(EFFECTS)} cells, seed {first['seed']:g}.",
    ]


def table(frame: pd.DataFrame, statistic: str, synthetic: bool = False) -> Table:
    """One statistic of the study by mechanism, dropout, visit and method, in percent.

    Parameters
    ----------
    frame : DataFrame
        ``of(trial)``.
    statistic : {"type1", "power", "coverage"}
    synthetic : bool
        Mark the table as the trial's others are.
    """
    effect, title, truth = STUDIED[statistic]
    part = frame[frame["effect"] == effect]
    judged = criteria(frame).set_index(KEYS)["passed"]
    visits, display, groups = list(dict.fromkeys(part["visit"])), [], []
    for (mechanism, dropout), cell in part.groupby(["mechanism", "dropout"], sort=False):
        line = {"Dropout": LOST[dropout][0].upper() + LOST[dropout][1:]}
        for row in sorted(cell.to_dict("records"), key=lambda row: visits.index(row["visit"])):
            key = tuple(row[k] for k in KEYS)
            mark = {True: "*", False: "†"}.get(judged.get(key) if statistic == "type1" else None,
                                                "")
            line[f"{row['visit']}::{LABELS[row['method']]}"] = (
                f"{100 * row[statistic]:.1f}{mark}")
        display.append(line)
        groups.append(SHOWN[mechanism])
    first = frame.iloc[0]
    error = 100 * part["coverage_mc_se" if statistic == "coverage" else "mc_se"].max()
    notes = [f"{first['simulations']} simulated trials of {first['n_control']} and "
             f"{first['n_treatment']} a line (seed {first['seed']:g}), {truth}; level "
             f"{first['alpha']:g}. Monte-Carlo error at most {error:.2f} percentage points. "
             f"Re-randomisation draws {frame['allocations'].max():g} allocations a trial."]
    if statistic == "type1":
        low, high = binomial_limits(first["simulations"], first["alpha"])
        notes.append(f"Where theory fixes the error: * within the exact binomial 99% limits "
                     f"({100 * low:.2f} to {100 * high:.2f}), † outside. The rest is reported. The "
                     "study was planned with half as many trials and doubled, under the same "
                     "seed, when two of these rates lay outside.")
    if statistic == "coverage":
        notes.append("Re-randomisation: share of trials in which the true shift, taken off at "
                     "every visit, is not rejected.")
    return Table(f"simulation_{statistic}", f"{title} of five methods, %",
                 pd.DataFrame(display), part.drop(columns=["block_rejected", "block_covered"]),
                 groups=pd.Series(groups), notes=tuple(notes), synthetic=synthetic,
                 spanners={v: tuple(f"{v}::{label}" for label in LABELS.values())
                           for v in visits})


def rate_frame(frame: pd.DataFrame, visit: str) -> pd.DataFrame:
    """Type I error in percent at a visit, for `mair.report.curves.rates`."""
    part = frame[(frame["effect"] == "null") & (frame["visit"] == visit)]
    names = [f"{SHOWN[m]}: {LOST[d]}" for m, d in zip(part["mechanism"], part["dropout"],
                                                      strict=True)]
    return pd.DataFrame({"scenario": names, "method": part["method"].map(LABELS).to_numpy(),
                         "rate": 100 * part["type1"].to_numpy()})


def band(frame: pd.DataFrame) -> tuple[float, float]:
    """Exact binomial 99% limits of a test that holds its level, in percent."""
    first = frame.iloc[0]
    return tuple(100 * x for x in binomial_limits(first["simulations"], first["alpha"]))


def error_alt(frame: pd.DataFrame, visit: str) -> str:
    """The figure of type I errors in words."""
    rates = rate_frame(frame, visit)
    return f"Type I error at {visit} in percent, smallest to largest over all mechanisms: " + (
        "; ".join(f"{method} {part['rate'].min():.1f} to {part['rate'].max():.1f}"
                  for method, part in rates.groupby("method", sort=False)) + ".")


def sentences(frame: pd.DataFrame, declared: str = "") -> list[str]:
    """The conclusion of the simulation study, from its numbers.

    Parameters
    ----------
    frame : DataFrame
        ``of(trial)``.
    declared : str
        The trial's own method, named if it was studied.
    """
    alpha, null = frame["alpha"].iloc[0], frame[frame["effect"] == "null"]
    first, last = null["visit"].iloc[0], null["visit"].iloc[-1]
    z, satterthwaite, kr, un, rerandomised = METHODS
    judged = criteria(frame, alpha)
    outside = "".join(f" Outside: {LABELS[r.method]}, {SHOWN[r.mechanism].lower()}, "
                      f"{LOST[r.dropout]}, {r.visit}: {100 * r.type1:.2f}%."
                      for r in judged[~judged["passed"]].itertuples())

    def span(method, **where):
        part = null[null["method"] == method]
        for key, value in where.items():
            part = part[part[key] == value]
        return f"{100 * part['type1'].min():.1f} to {100 * part['type1'].max():.1f}%"

    worst = {m: (null[null["method"] == m]["type1"] - alpha).abs().max() for m in LABELS}
    planned = frame[(frame["effect"] == "planned") & (frame["mechanism"] == "exchangeable")
                    & (frame["visit"] == first)].set_index(["dropout", "method"])["power"]
    said = [
        f"**Where theory fixes the error**, {judged['passed'].sum()} of {len(judged)} rates lie "
        f"within the exact binomial 99% limits; by chance one in a hundred does not.{outside}",
        "**Degrees of freedom.** Under compound symmetry z rejects a true null in "
        f"{span(z, mechanism='exchangeable')} of trials, Satterthwaite in "
        f"{span(satterthwaite, mechanism='exchangeable')}, Kenward-Roger in "
        f"{span(kr, mechanism='exchangeable')}.",
        "**Covariance.** Where the correlation falls with lag, the random intercept with "
        f"Kenward-Roger rejects in {span(kr, mechanism='falling', visit=first)} at {first} and in "
        f"{span(kr, mechanism='falling', visit=last)} at {last}, unstructured in "
        f"{span(un, mechanism='falling')}: no degrees of freedom mend a wrong covariance.",
        "**Unequal SDs.** With SDs like HADS-A's Kenward-Roger rejects in "
        f"{span(kr, mechanism='HADS-A')}, unstructured in {span(un, mechanism='HADS-A')}, "
        f"re-randomisation in {span(rerandomised, mechanism='HADS-A')}: all take the arms' "
        "covariances as equal, and re-randomisation is not exact where they differ.",
        f"**Overall** the largest departure from {alpha:.0%} is "
        + ", ".join(f"{100 * worst[m]:.1f} points for {LABELS[m]}" for m in LABELS)
        + f"; it is smallest for **{LABELS[min(worst, key=worst.get)]}**.",
        "**The price.** At the planning difference, under compound symmetry, the power at "
        f"{first} is " + "; ".join(
            f"{LABELS[m]} {100 * planned['none', m]:.1f}%, with dropout on the last score "
            f"{100 * planned['mar', m]:.1f}%" for m in (kr, un, rerandomised)) + ".",
    ]
    if declared in worst:
        said.append(f"**The declared method**, {declared}, rejects a true null in "
                    f"{span(declared)} of trials over all mechanisms.")
    return said
