"""``make power``: power of the mixed model over a grid of designs, by simulation."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mair.report import curves, words
from mair.report.table import Table
from mair.run import plan
from mair.run.output import Build
from mair.sections import planning, power
from mair.stats.simulated import COVARIANCES, MECHANISMS, simulated_power
from mair.stats.smallsample import INFERENCES
from mair.studies import pool
from mair.studies.size import written
from mair.trial import Trial, load
from mair.trial.errors import TrialError, display, nearest
from mair.trial.file import read_yaml

BLOCK = 2500  # trials to a random stream
REDRAWN = 500  # of all rates, for the Monte-Carlo error of an n
DESIGN = {"n": "n", "difference": "d", "correlation": "rho", "sd_ratio": "ratio",
          "dropout": "share", "mechanism": "mechanism"}  # keys, and what `simulated_power` says
METHOD = ("covariance", "inference")
KEYS = [*DESIGN, *METHOD]
KINDS = {  # what a value may be: one of some words, or a number between two
    "n": (int, 2, 10_000), "difference": (float, 0, 1e9), "correlation": (float, -0.3, 0.99),
    "sd_ratio": (float, 0.01, 100), "dropout": (float, 0, 0.9), "trials": (int, 1, 10_000_000),
    "mechanism": tuple(MECHANISMS), "covariance": COVARIANCES, "inference": INFERENCES}


def read(path: Path, trial: Trial) -> dict[str, list]:
    """A grid's values by key, those of the trial file's planning where it names none.

    Raises
    ------
    TrialError
        An unknown key, or a value that is not of its kind; one line each.
    """
    declared, chosen = trial.sections["sample_size"], trial.analysis
    covariance = chosen.covariance + (",by-arm" if chosen.variance == "by-arm" else "")
    grid = {"n": [power.sizes(trial)[1]], "difference": [planning.difference(declared)],
            "correlation": [planning.correlation(trial).value], "sd_ratio": [1.0],
            "dropout": [declared.get("dropout") or 0.0], "mechanism": ["last score"],
            "covariance": [covariance if covariance in COVARIANCES else COVARIANCES[0]],
            "inference": [chosen.inference], "trials": [10_000]}
    given, problems = read_yaml(path, "a grid of designs (.yaml)")
    for key, values in given.items():
        texts = dict.fromkeys(map(str, values if isinstance(values, list) else [values]))
        if (kind := KINDS.get(key)) is None:
            problems.append(f"{display(path)}: {key}: no such key; expected one of "
                            f"{', '.join(grid)}; did you mean {nearest(key, grid)}?")
            continue
        grid[key] = [_value(kind, text) for text in texts]
        expected = (f"one of {', '.join(kind)}" if isinstance(kind[0], str) else
                    f"a {'whole ' * (kind[0] is int)}number from {kind[1]:g} to {kind[2]:g}")
        problems += [f"{display(path)}: {key}: {text!r}; expected {expected}"
                     for text, value in zip(texts, grid[key], strict=True) if value is None]
        if not texts or (key == "trials" and len(texts) > 1):
            problems.append(f"{display(path)}: {key}: {len(texts)} values; expected one"
                            + " or more" * (key != "trials"))
    if problems:
        raise TrialError(problems)
    return grid


def _value(kind: tuple, text: str):
    """A value of a grid, None where it is none."""
    if isinstance(kind[0], str):
        return text if text in kind else None
    try:
        number = kind[0](text)
    except ValueError:
        return None
    return number if kind[1] <= number <= kind[2] else None


def block(design: dict, seed: int, at: int, number: int, draws: int):
    """Rejections (methods, k - 1) in the trials of one random stream of a design."""
    return draws * simulated_power(**design, draws=draws, rng=pool.stream(seed, at, number))


def run(trial: Trial, grid: dict[str, list], processes: int = -1) -> pd.DataFrame:
    """Power of each design and method: `DESIGN`, `METHOD`, a column a later visit, ``mc_se`` (the
    largest), ``trials``.
    """
    declared, visits = trial.sections["sample_size"], trial.primary.visits
    (trials,) = grid["trials"]
    designs = [dict(zip(DESIGN, one, strict=True)) for one in product(*(grid[k] for k in DESIGN))]
    methods = [*product(*(grid[key] for key in METHOD))]
    held = {"k": len(visits), "alpha": declared["alpha"], "methods": ["/".join(m) for m in methods]}
    sums = pool.summed(block, [
        (held | {DESIGN[key]: value for key, value in one.items()}
         | {"d": one["difference"] / declared["sd"]}, trial.analysis.seed, at)
        for at, one in enumerate(designs)],
        [(number, min(BLOCK, trials - at)) for number, at in enumerate(range(0, trials, BLOCK))],
        processes)
    return pd.DataFrame([
        one | dict(zip(METHOD, method, strict=True)) | dict(zip(visits[1:], rate, strict=True))
        | {"mc_se": np.sqrt(rate * (1 - rate) / trials).max(), "trials": trials}
        for one, (total, _) in zip(designs, sums, strict=True)
        for method, rate in zip(methods, total / trials, strict=True)])


def needed(trial: Trial, found: pd.DataFrame) -> pd.DataFrame:
    """The n an arm at which a design has the power declared at every later visit.

    Read off a line through all n of the design (`power.smoothed`), and in proportion to the
    variance of a change.

    Returns
    -------
    DataFrame
        Of each design of two n or more, keys, ``n`` and its 95 % limits ``low high`` by what is
        ``open``: the simulation's chance; also the correlation, where the trial at hand gave it
        (the logarithm of 1 - r normal between its exact limits); or the SD of a change in that
        trial's own data, in place of the planned one (chi-square on its degrees of freedom).
    """
    declared, visits, keys = trial.sections["sample_size"], trial.primary.visits[1:], KEYS[1:]
    taken, pilot = planning.correlation(trial), None if trial.synthetic else power.pilot(trial)
    rng, wanted, out = pool.stream(trial.analysis.seed, len(found)), ndtri(declared["power"]), []
    spread = np.log((1 - taken.low) / (1 - taken.high)) / (2 * ndtri(0.975))
    own, (sd, df) = np.exp(spread * rng.standard_normal(REDRAWN)), pilot or (np.nan, 1)
    variance = (sd / declared["sd"]) ** 2
    for values, part in found.groupby(keys, sort=False):
        n, rates, trials = part["n"].to_numpy(float), part[[*visits]], part["trials"].iloc[0]

        def reached(rates, n=n, trials=trials):
            lines = [power.smoothed(n, rate, trials) for rate in rates.T]
            return max((wanted - a) / b for a, b in lines) ** 2

        if len(n) < 2:
            continue
        line = dict(zip(keys, values, strict=True))
        size = reached(rates.to_numpy())
        sizes = np.array([reached(rng.binomial(trials, rates) / trials) for _ in range(REDRAWN)])
        change = variance / (2 * (1 - line["correlation"]))
        for what, times, drawn in (
                ("chance", 1, 1),
                ("the correlation", 1, own if line["correlation"] == taken.value else np.nan),
                ("the SD", change, change * df / rng.chisquare(df, REDRAWN))):
            low, high = np.quantile(sizes * drawn, (0.025, 0.975))
            out.append(line | {"open": what, "n": times * size, "low": low, "high": high})
    return pd.DataFrame(out).dropna()


def sizes_table(trial: Trial, sizes: pd.DataFrame) -> Table:
    """`needed` as a table: what does not vary stands with the table of power."""
    shown = sizes[[key for key in KEYS[1:] if sizes[key].nunique() > 1]].astype(str).assign(**{
        "What is open": sizes["open"], "n": [f"{n:.0f}" for n in np.ceil(sizes["n"])],
        "95% limits": [f"{low:.0f} to {high:.0f}" for low, high in np.ceil(
            sizes[["low", "high"]]).itertuples(index=False)]})
    return Table("power_sizes", "People in each arm of the next trial", shown, sizes, (
        f"For a power of {100 * trial.sections['sample_size']['power']:g}% at every later visit. "
        "What is open: chance in the simulation; the correlation of this trial's visits too; the "
        "SD of a change in this trial's data, in place of the planned one, too.",))


def main(params: str, grid: str, out: str | None = None) -> None:
    """Simulate, print the table, and write it and the figure into a directory."""
    path = plan.find(params)
    build, trial = Build(Path(out) if out else Path("build") / f"{path.stem}-power"), load(path)
    if not trial.sections.get("sample_size") or len(trial.primary.visits) < 2:
        raise TrialError([f"{display(path)}: expected sample_size and a primary outcome of two "
                          "visits or more"])
    found = run(trial, read(Path(grid), trial))
    tables = [table(trial, found)]
    if len(sizes := needed(trial, found)):
        tables.append(sizes_table(trial, sizes))
    written(build, trial, path, tables, *drawn(trial, found), synthetic=False)


def table(trial: Trial, found: pd.DataFrame) -> Table:
    """The grid as a table: what does not vary stands in a note."""
    visits = {visit: f"Power, {trial.visit_labels[visit]}" for visit in trial.primary.visits[1:]}
    varied = [key for key in KEYS if found[key].nunique() > 1] or ["n"]
    shown = found[varied].astype(str).assign(**{
        label: [f"{100 * p:.1f}" for p in found[visit]] for visit, label in visits.items()})
    fixed = "; ".join(f"{key} {found[key].iloc[0]}" for key in KEYS if key not in varied)
    return Table("power_grid", "Simulated power, %", shown, found, (
        f"{fixed}; {found['trials'].iloc[0]} trials a line, Monte-Carlo error at most "
        f"{100 * found['mc_se'].max():.1f} points, seed {trial.analysis.seed}.",))


def drawn(trial: Trial, found: pd.DataFrame):
    """The figure and its text: power at the last visit over n, a line each for what else varies."""
    last = trial.primary.visits[-1]
    keys = [key for key in KEYS[1:] if found[key].nunique() > 1]
    lines = [", ".join(words.method(value) if key in METHOD else f"{key} {value}"
                       for key, value in zip(keys, values, strict=True)) or "Power"
             for values in found[keys].itertuples(index=False)]
    frame = pd.DataFrame({"line": lines, "x": found["n"], "y": 100 * found[last],
                          "se": 100 * found["mc_se"]})
    label = f"Power, {trial.visit_labels[last]} (%)"
    said = "; ".join(f"{line} {part['y'].min():.0f} to {part['y'].max():.0f}"
                     for line, part in frame.groupby("line", sort=False))
    wanted = 100 * trial.sections["sample_size"]["power"]
    return curves.curves(frame, xlabel="People in each arm", ylabel=label, markers=True,
                         horizontal=(wanted, f"{wanted:g}%")), f"{label}: {said}."
