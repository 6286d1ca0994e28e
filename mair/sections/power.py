"""Power: the mixed model's by simulation, and the size of a next trial."""

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from mair.results import Rows
from mair.sections import planning, size, study
from mair.stats import power
from mair.stats.simulated import METHOD, simulated_power
from mair.trial import Trial, remembered

NEXT = 0.80  # one-sided level of Browne's limit, beside the declared confidence
GRID = (0.7, 0.85, 1.0, 1.15, 1.3, 1.5)  # times the n of the t formula


def sizes(trial: Trial) -> tuple[float, int, list[int], list[float]]:
    """What is simulated: the planned difference over the SD of a change, the n an arm that the t
    formula asks for, n around it, shares lost.
    """
    declared = trial.sections["sample_size"]
    d = planning.difference(declared) / standard_deviations(trial)["planned/change"]
    n = _needed(declared, d)
    around = sorted({max(3 + i, round(n * times)) for i, times in enumerate(GRID)})
    return d, n, around, sorted({0.0, declared.get("dropout", 0.0)})


def correlations(trial: Trial) -> list[float]:
    """What is simulated beside the correlation that is taken: its limits."""
    found = planning.correlation(trial)
    return [round(rho, 3) for rho in (found.low, found.high) if rho == rho]


def scenario(n: int, *, dropout: float | None = None, correlation: float | None = None) -> str:
    """A simulated design as the variable of its rows."""
    what = f"correlation {correlation:g}" if dropout is None else f"dropout {dropout:g}"
    return f"{n} an arm, {what}"


@remembered
def simulations(trial: Trial) -> pd.DataFrame:
    """Simulated power by n an arm and dropout, and by the correlation of two visits.

    Returns
    -------
    DataFrame
        ``scenario`` (``grid`` or ``correlation``), ``n`` an arm, ``share`` lost, ``rho``,
        ``visit``, ``power``, ``mc_se``, ``simulations``; empty where the primary outcome has one
        visit.
    """
    visits, draws = trial.primary.visits, trial.analysis.draws
    (d, planned, around, shares), taken = sizes(trial), planning.correlation(trial)
    d *= taken.change()  # over the SD of a score
    tasks = [("grid", n, share, taken.value) for share in shares for n in around]
    tasks += [("correlation", planned, 0.0, rho) for rho in correlations(trial)]
    out = []
    for number, (kind, n, share, rho) in enumerate(tasks if len(visits) > 1 else ()):
        stream = np.random.SeedSequence(trial.analysis.seed, spawn_key=(number,))
        found = simulated_power(n, len(visits), d=d, share=share, rho=rho, draws=draws,
                                alpha=trial.sections["sample_size"]["alpha"],
                                rng=np.random.default_rng(stream))[0]
        out += [{"scenario": kind, "n": n, "share": share, "rho": rho, "visit": visit,
                 "power": p, "mc_se": np.sqrt(p * (1 - p) / draws), "simulations": draws}
                for visit, p in zip(visits[1:], found, strict=True)]
    return pd.DataFrame(out)


def smoothed(n, rate, draws):
    """Coefficients (a, b) of power = Phi(a + b sqrt(n)), by weighted least squares.

    The probit of power is nearly straight in sqrt(n); a line through all sizes has less
    Monte-Carlo error than any one of them.
    """
    z = ndtri(rate := np.clip(rate, 0.5 / draws, 1 - 0.5 / draws))
    weight = np.exp(-z * z / 2) / np.sqrt(rate * (1 - rate))
    b, a = np.polyfit(np.sqrt(n), z, 1, w=weight)
    return float(a), max(float(b), 1e-3)


def pilot(trial: Trial) -> tuple[float, int] | None:
    """Pooled within-arm SD of the primary outcome's change to its first later visit, and df.

    None where there is no later visit, or fewer than two people of an arm have both scores.
    """
    if len(trial.primary.visits) < 2:
        return None
    first, second = trial.primary.visits[:2]
    scores = trial.scores(trial.primary.name)
    change = (scores[second] - scores[first]).dropna()
    arms = [change[trial.arm[change.index] == arm].to_numpy(float) for arm in trial.arms]
    if min(map(len, arms)) < 2:
        return None
    df = len(change) - 2
    return float(np.sqrt(sum(x.var(ddof=1) * (len(x) - 1) for x in arms) / df)), df


def standard_deviations(trial: Trial) -> dict[str, float]:
    """SDs to plan the next trial with, by method: planned, of a score and of the change that it
    makes; this trial's, of the change, and its upper limits.
    """
    sd = trial.sections["sample_size"]["sd"]
    found = {"planned": sd, "planned/change": sd * planning.correlation(trial).change()}
    if (observed := pilot(trial)) is not None:
        found["observed"] = observed[0]
        for level in sorted({NEXT, trial.analysis.confidence}):
            found[f"browne/{level:g}"] = power.upper_sd(*observed, level)
    return found


def next_sizes(trial: Trial) -> pd.DataFrame:
    """n an arm over the difference to detect, by what is taken for the SD.

    Returns
    -------
    DataFrame
        ``method`` and ``sd`` of `standard_deviations`, ``x`` (difference, points), ``y`` (n an
        arm, noncentral t).
    """
    declared = trial.sections["sample_size"]
    delta = planning.difference(declared)
    return pd.DataFrame([{"method": method, "sd": sd, "x": x, "y": _needed(declared, x / sd)}
                         for method, sd in standard_deviations(trial).items()
                         for x in np.linspace(0.6 * delta, 1.4 * delta, 41)])


def _needed(declared: dict, d: float) -> int:
    """n an arm by the t formula."""
    return power.sample_size(d, alpha=declared["alpha"], power=declared["power"])


def formula(trial: Trial) -> pd.DataFrame:
    """Power by the noncentral t at the n simulated; rows that do not stand in ``results.csv``."""
    out, (d, _, around, _) = Rows("power"), sizes(trial)
    for n in around:
        out.add(f"{n} an arm", "difference", "", "t", power=power.achieved_power(
            d, n, alpha=trial.sections["sample_size"]["alpha"]))
    return out.frame()


def rows(trial: Trial) -> pd.DataFrame:
    """Every statistic of the analysis ``power``, and method ``simulation`` of ``sample_size``.

    Parameters
    ----------
    trial : Trial
        With ``sample_size``.

    Returns
    -------
    DataFrame
        Columns of ``results.csv``. ``power``: simulated power, variable the scenario; the next
        trial under ``planned``, ``observed`` and ``browne/<level>``; the committed simulation
        study where it is of this trial's design; `size.of` this trial.
    """
    out = Rows("power")
    for row in simulations(trial).itertuples():
        what = {"dropout": row.share} if row.scenario == "grid" else {"correlation": row.rho}
        out.add(scenario(row.n, **what), "difference", row.visit, METHOD, power=row.power,
                mc_se=row.mc_se, simulations=row.simulations)
    for method, found in needed(trial).items():
        out.add(trial.primary.name, "overall", "", method, analysis="sample_size", **found)
    next_trial(trial, out)
    for row in study.of(trial).to_dict("records"):
        rate = "type1" if row["effect"] == "null" else "power"
        out.add(study.scenario(row), "difference", row["visit"], row["method"], **{
            key: row[key] for key in (rate, "mc_se", "coverage", "coverage_mc_se", "bias",
                                      "se_ratio", "simulations")})
    return pd.concat([out.frame(), size.of(trial)], ignore_index=True)


def next_trial(trial: Trial, out: Rows) -> None:
    """Rows of the size of a next trial, by what is taken for the SD."""
    name, declared, observed = trial.primary.name, trial.sections["sample_size"], pilot(trial)
    delta = planning.difference(declared)
    for method, sd in standard_deviations(trial).items():
        n = _needed(declared, delta / sd)
        extra = {} if method.startswith("planned") else {"df": observed[1]}
        if method == "planned/change" and (taken := planning.correlation(trial)).low == taken.low:
            extra = {"correlation": taken.value, "correlation_low": taken.low,
                     "correlation_high": taken.high} | {
                f"n_{end}": _needed(declared, delta / (declared["sd"] * taken.change(rho)))
                for end, rho in (("low", taken.high), ("high", taken.low))}
        if "dropout" in declared:
            extra["n_with_dropout"] = power.inflate(n, declared["dropout"])
        out.add(f"{name}, next trial", "overall", "", method, sd=sd, d=delta / sd, n=n, **extra)


def needed(trial: Trial) -> dict[str, dict]:
    """Statistics of ``sample_size`` by method: the n whose smoothed power suffices at all visits.

    ``simulation`` loses nobody; of ``simulation/dropout`` n enter an arm and the planned share
    has left by the last visit. Empty where nothing was simulated.
    """
    declared, found, out = trial.sections["sample_size"], simulations(trial), {}
    for share, part in found[found["scenario"] == "grid"].groupby("share") if len(found) else ():
        lines = [smoothed(at["n"].to_numpy(float), at["power"].to_numpy(), trial.analysis.draws)
                 for _, at in part.groupby("visit", sort=False)]
        n = max(2, int(np.ceil(max((ndtri(declared["power"]) - a) / b for a, b in lines) ** 2)))
        reached = min(ndtr(a + b * np.sqrt(n)) for a, b in lines)
        if share:
            out["simulation/dropout"] = {"n_with_dropout": 2 * n, "power": reached}
            continue
        out["simulation"] = {"d": sizes(trial)[0], "n": n, "power": reached,
                             "simulations": int(part["simulations"].sum())}
        out |= {f"simulation/{rule}": {"n_with_dropout": planned}
                for rule, planned in planning.inflated(declared, n).items()}
    return out
