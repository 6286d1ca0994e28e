"""Power: the mixed model's by simulation, the next trial's size, and the simulation study."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from mair.report import fmt
from mair.report.tables import Table
from mair.results import Lookup, Rows
from mair.sections import planning, study
from mair.stats import power, saturated
from mair.stats import simulated as generator
from mair.trial import Trial

METHOD = "random-intercept/kenward-roger"
NEXT = 0.80  # one-sided level of Browne's limit, beside the declared confidence
GRID = (0.7, 0.85, 1.0, 1.15, 1.3, 1.5)  # times the n of the t formula
CORRELATIONS = (0.3, 0.5, 0.7)
BATCH = 250_000  # scores simulated at once
def simulated(n, k, *, d, share=0.0, rho=generator.CORRELATION, alpha=0.05, draws=10_000, rng):
    """Power of the mixed model's contrast by simulation, n an arm at k visits.

    Scores have SD 1 and one correlation; the arms differ by ``d`` at every later visit; of each
    arm ``share`` leaves by the last visit, more often after a worse score. Random intercept,
    Kenward-Roger.

    Parameters
    ----------
    n, k : int
    d : float
        Difference in SDs of a score.
    share, rho, alpha : float
    draws : int
        Trials simulated.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray (k - 1,)
        Share of trials whose test of a later visit's contrast rejects.
    """
    treated = np.repeat([0, 1], n)
    matrix, found = generator.correlation(k, rho), np.zeros(k - 1)
    step = max(1, BATCH // (2 * n * k))
    for at in range(0, draws, step):
        y = generator.scores(rng, min(step, draws - at), np.ones((2 * n, k)), matrix)
        y[:, n:, 1:] -= abs(d)
        seen = generator.visits_seen(rng, y, 1.0, np.full(2 * n, share),
                                    np.full(2 * n, generator.STEEPNESS))
        fits = saturated.random_intercept(saturated.Trials.of(y, seen, treated))
        found += [saturated.kenward_roger(fits, visit).excludes(0, 1 - alpha).sum()
                  for visit in range(1, k)]
    return found / draws


def simulations(trial: Trial) -> pd.DataFrame:
    """Simulated power by n an arm and dropout, and by the correlation of two visits.

    Returns
    -------
    DataFrame
        ``scenario`` (``grid`` or ``correlation``), ``n`` an arm, ``share`` lost, ``rho``,
        ``visit``, ``power``, ``mc_se``, ``simulations``; empty where the primary outcome has one
        visit.
    """
    declared, visits = trial.sections["sample_size"], trial.primary.visits
    d = planning.difference(declared) / declared["sd"]
    planned = power.sample_size(d, alpha=declared["alpha"], power=declared["power"])
    sizes = sorted({max(3 + i, round(planned * times)) for i, times in enumerate(GRID)})
    shares = dict.fromkeys((0.0, declared.get("dropout") or 0.0))
    tasks = [("grid", n, share, generator.CORRELATION) for share in shares for n in sizes]
    tasks += [("correlation", planned, 0.0, rho) for rho in CORRELATIONS]
    out, draws = [], trial.analysis.draws
    for number, (scenario, n, share, rho) in enumerate(tasks if len(visits) > 1 else ()):
        stream = np.random.SeedSequence(trial.analysis.seed, spawn_key=(number,))
        found = simulated(n, len(visits), d=d, share=share, rho=rho, alpha=declared["alpha"],
                          draws=draws, rng=np.random.default_rng(stream))
        out += [{"scenario": scenario, "n": n, "share": share, "rho": rho, "visit": visit,
                 "power": p, "mc_se": np.sqrt(p * (1 - p) / draws), "simulations": draws}
                for visit, p in zip(visits[1:], found, strict=True)]
    return pd.DataFrame(out)


def smoothed(n, rate, draws):
    """Coefficients (a, b) of power = Phi(a + b sqrt(n)), by weighted least squares.

    The probit of power is nearly straight in sqrt(n); a line through all sizes has less
    Monte-Carlo error than any one of them.
    """
    rate = np.clip(rate, 0.5 / draws, 1 - 0.5 / draws)
    z = ndtri(rate)
    weight = np.exp(-z * z / 2) / np.sqrt(rate * (1 - rate))
    b, a = np.polyfit(np.sqrt(n), z, 1, w=weight)
    return float(a), max(float(b), 1e-3)


def pilot(trial: Trial):
    """Pooled within-arm SD of the primary outcome's change to its first later visit, and df.

    None where fewer than two people of an arm have both scores.
    """
    first, second = trial.primary.visits[:2]
    scores = trial.scores(trial.primary.name)
    change = (scores[second] - scores[first]).dropna()
    arms = [change[trial.arm[change.index] == arm].to_numpy(float) for arm in trial.arms]
    if min(map(len, arms)) < 2:
        return None
    df = len(change) - 2
    return float(np.sqrt(sum(x.var(ddof=1) * (len(x) - 1) for x in arms) / df)), df


def standard_deviations(trial: Trial) -> dict[str, float]:
    """SDs to plan the next trial with, by what they are: planned, this trial's, its limits."""
    found = {"planned": trial.sections["sample_size"]["sd"]}
    if len(trial.primary.visits) > 1 and (observed := pilot(trial)) is not None:
        found["observed"] = observed[0]
        for level in sorted({NEXT, trial.analysis.confidence}):
            found[f"browne/{level:g}"] = power.upper_sd(*observed, level)
    return found


def next_trial(trial: Trial) -> pd.DataFrame:
    """n an arm over the difference to detect, one curve a standard deviation.

    Returns
    -------
    DataFrame
        ``line`` (text), ``method``, ``x`` (difference, points), ``y`` (n an arm, noncentral t).
    """
    declared = trial.sections["sample_size"]
    delta = planning.difference(declared)
    return pd.DataFrame([
        {"line": _described(trial, method, sd), "method": method, "x": x,
         "y": power.sample_size(x / sd, alpha=declared["alpha"], power=declared["power"])}
        for method, sd in standard_deviations(trial).items()
        for x in np.linspace(0.6 * delta, 1.4 * delta, 41)])


def _described(trial, method, sd):
    kind, _, level = method.partition("/")
    text = {"planned": "planned SD", "observed": "this trial's SD of change"}.get(
        kind, f"its upper {100 * float(level or 0):g}% limit")
    return f"{text}, {fmt.number(sd, 1)}"


def rows(trial: Trial, found: pd.DataFrame | None = None) -> pd.DataFrame:
    """Every statistic of the analysis ``power``, and method ``simulation`` of ``sample_size``.

    Parameters
    ----------
    trial : Trial
        With ``sample_size``.
    found : DataFrame, optional
        ``simulations(trial)``, where the caller has them.

    Returns
    -------
    DataFrame
        Columns of ``results.csv``. ``power``: simulated power, variable the scenario; the next
        trial under ``planned``, ``observed`` and ``browne/<level>``; the committed simulation
        study where it is of this trial's design.
    """
    out, declared = Rows("power"), trial.sections["sample_size"]
    found = simulations(trial) if found is None else found
    for row in found.itertuples():
        what = f"dropout {row.share:g}" if row.scenario == "grid" else f"correlation {row.rho:g}"
        out.add(f"{row.n} an arm, {what}", "difference", row.visit, METHOD, power=row.power,
                mc_se=row.mc_se, simulations=row.simulations)
    name, delta = trial.primary.name, planning.difference(declared)
    for method, size in sizes(trial, found).items():
        out.add(name, "overall", "", method, analysis="sample_size", **size)
    observed = pilot(trial) if len(trial.primary.visits) > 1 else None
    for method, sd in standard_deviations(trial).items():
        n = power.sample_size(delta / sd, alpha=declared["alpha"], power=declared["power"])
        extra = {} if method == "planned" else {"df": observed[1]}
        if declared.get("dropout") is not None:
            extra["n_with_dropout"] = power.inflate(n, declared["dropout"])
        out.add(f"{name}, next trial", "overall", "", method, sd=sd, d=delta / sd, n=n, **extra)
    for row in study.of(trial).to_dict("records"):
        rate = "type1" if row["effect"] == "null" else "power"
        out.add(study.scenario(row), "difference", row["visit"], row["method"], **{
            key: row[key] for key in (rate, "mc_se", "coverage", "coverage_mc_se", "bias",
                                      "se_ratio", "simulations")})
    return out.frame()


def sizes(trial: Trial, found: pd.DataFrame) -> dict[str, dict]:
    """Statistics of ``sample_size`` by method: the n whose smoothed power suffices at all visits.

    ``simulation`` loses nobody; of ``simulation/dropout`` n enter an arm and the planned share
    has left by the last visit.
    """
    declared, out = trial.sections["sample_size"], {}
    if not len(found):
        return out
    d = planning.difference(declared) / declared["sd"]
    for share, part in found[found["scenario"] == "grid"].groupby("share"):
        lines = [smoothed(at["n"].to_numpy(float), at["power"].to_numpy(), trial.analysis.draws)
                 for _, at in part.groupby("visit", sort=False)]
        roots = [(ndtri(declared["power"]) - a) / b for a, b in lines]
        n = max(2, int(np.ceil(max(roots) ** 2)))
        reached = min(ndtr(a + b * np.sqrt(n)) for a, b in lines)
        if share:
            out["simulation/dropout"] = {"n_with_dropout": 2 * n, "power": reached}
            continue
        out["simulation"] = {"d": d, "n": n, "power": reached,
                             "simulations": int(part["simulations"].sum())}
        if declared.get("dropout") is not None:
            for rule in ("divided", "multiplied"):
                out[f"simulation/{rule}"] = {
                    "n_with_dropout": power.inflate(n, declared["dropout"], rule=rule)}
    return out


def size_table(trial: Trial, found: pd.DataFrame) -> Table:
    """Simulated power by n an arm, with and without dropout, beside the noncentral t's."""
    declared = trial.sections["sample_size"]
    d = planning.difference(declared) / declared["sd"]
    grid = found[found["scenario"] == "grid"]
    display = []
    for n, part in grid.groupby("n"):
        line = {"n an arm": f"{n}",
                "Noncentral t": _percent(power.achieved_power(d, n, alpha=declared["alpha"]))}
        for row in part.itertuples():
            line[f"{_share(row.share)}::{row.visit}"] = (
                f"{_percent(row.power)} ({100 * row.mc_se:.1f})")
        display.append(line)
    shares = [_share(share) for share in dict.fromkeys(grid["share"])]
    return Table(
        "power_by_size", "Simulated power by n an arm, % (Monte-Carlo error)",
        pd.DataFrame(display), grid.drop(columns="scenario"),
        spanners={share: tuple(f"{share}::{visit}" for visit in dict.fromkeys(grid["visit"]))
                  for share in shares},
        notes=(f"Difference {planning.difference(declared):g} at every later visit, SD "
               f"{declared['sd']:g}, correlation {generator.CORRELATION:g}; {METHOD}, two-sided "
               f"level {declared['alpha']:g}, {found['simulations'].iloc[0]} trials a number. "
               "Dropout is the share of each arm lost by the last visit, more often after a "
               "worse score.",), synthetic=trial.synthetic)


def next_table(trial: Trial, frame: pd.DataFrame) -> Table:
    """The next trial's size at the planned difference, by what is taken for the SD."""
    n, name = Lookup(frame), f"{trial.primary.name}, next trial"
    display, data = [], []
    for method, sd in standard_deviations(trial).items():
        cell = {s: n("power", name, "overall", "", method, statistic=s) for s in ("d", "n")}
        key = ("power", name, "overall", "", method, "n_with_dropout")
        both = n(*key[:5], statistic=key[5]) if key in n else float("nan")
        text = _described(trial, method, sd).rpartition(",")[0]
        display.append({"SD taken": text[0].upper() + text[1:], "SD": fmt.number(sd, 2),
                        "d": fmt.number(cell["d"], 2), "n an arm": f"{cell['n']:g}",
                        "Both arms, with dropout": fmt.number(both, 0)})
        data.append({"method": method, "sd": sd, **cell, "n_with_dropout": both})
    declared = trial.sections["sample_size"]
    return Table(
        "next_trial", "Size of a next trial for the planned difference",
        pd.DataFrame(display), pd.DataFrame(data),
        notes=(f"Noncentral t, two-sided level {declared['alpha']:g}, power "
               f"{declared['power']:.0%}, difference {planning.difference(declared):g}. The "
               "limits of the SD are one-sided (Browne 1995)."
               + (" With dropout: n / (1 - dropout), rounded up an arm."
                  if declared.get("dropout") is not None else ""),), synthetic=trial.synthetic)


def size_sentences(trial: Trial, found: pd.DataFrame) -> list[str]:
    """What the simulated power says beside the published calculation."""
    declared = trial.sections["sample_size"]
    if not len(found):
        return ["The primary outcome has one visit: there is no change to generator."]
    d = planning.difference(declared) / declared["sd"]
    t = power.sample_size(d, alpha=declared["alpha"], power=declared["power"])
    need, visit = sizes(trial, found), trial.primary.visits[1]
    said = [f"For {declared['power']:.0%} power the t formula asks for **{t} an arm**, "
            f"the mixed model by simulation for **{need['simulation']['n']}**, both "
            "without dropout, the model at every later visit."]
    if lost := need.get("simulation/dropout"):
        said.append(
            f"If {declared['dropout']:.0%} leave by the last visit, "
            f"**{lost['n_with_dropout']} in both arms** suffice by simulation; n / (1 - dropout) "
            f"gives {need['simulation/divided']['n_with_dropout']}. Those who leave late have "
            "given scores that the model uses.")
    rho = found[(found["scenario"] == "correlation") & (found["visit"] == visit)]
    said.append("The planning says nothing about the correlation of two visits, and a difference "
                f"in change depends on it: at {rho['n'].iloc[0]} an arm the power is "
                + ", ".join(f"{100 * p:.0f}% at a correlation of {r:g}"
                            for r, p in zip(rho["rho"], rho["power"], strict=True))
                + f". At {generator.CORRELATION:g}, used here, a change varies as much as a score.")
    return said


def next_sentences(trial: Trial, frame: pd.DataFrame) -> list[str]:
    """What the next trial would need, by how sure its planner wants to be of the SD."""
    n, name = Lookup(frame), f"{trial.primary.name}, next trial"
    sds = standard_deviations(trial)
    size = {m: n("power", name, "overall", "", m, statistic="n") for m in sds}
    said = [f"The planned SD, {fmt.number(sds['planned'], 1)}, asks for "
            f"{size['planned']:g} an arm."]
    if "observed" in sds:
        df = n("power", name, "overall", "", "observed", statistic="df")
        said.append(f"In this trial the change of {trial.primary.name} has an SD of "
                    f"{fmt.number(sds['observed'], 1)} within arms ({df:g} degrees of freedom), "
                    f"which asks for {size['observed']:g}.")
        said += [f"Its one-sided upper {100 * float(m.split('/')[1]):g}% limit, "
                 f"{fmt.number(sds[m], 1)}, asks for **{size[m]:g} an arm**."
                 for m in sds if m.startswith("browne")]
    return said


def curve_frame(trial: Trial, found: pd.DataFrame) -> pd.DataFrame:
    """Power in percent over n an arm at the last visit, for `curves.curves`."""
    declared, last = trial.sections["sample_size"], trial.primary.visits[-1]
    grid = found[(found["scenario"] == "grid") & (found["visit"] == last)]
    d = planning.difference(declared) / declared["sd"]
    formula = pd.DataFrame({"line": "t formula, no dropout", "x": sorted(set(grid["n"]))})
    formula["y"] = [100 * power.achieved_power(d, n, alpha=declared["alpha"])
                    for n in formula["x"]]
    lines = ["Mixed model, " + _share(share)[0].lower() + _share(share)[1:]
             for share in grid["share"]]
    return pd.concat([formula.assign(se=0.0), pd.DataFrame({
        "line": lines, "x": grid["n"].to_numpy(), "y": 100 * grid["power"].to_numpy(),
        "se": 100 * grid["mc_se"].to_numpy()})], ignore_index=True)


def target(trial: Trial) -> tuple[float, str]:
    """The power wanted, in percent, as a reference line."""
    wanted = 100 * trial.sections["sample_size"]["power"]
    return wanted, f"{wanted:g}%"


def planned(trial: Trial) -> tuple[float, str]:
    """The planned difference as a reference line."""
    delta = planning.difference(trial.sections["sample_size"])
    return delta, f"planned, {delta:g}"


def curve_alt(trial: Trial, found: pd.DataFrame) -> str:
    """The power curve in words."""
    frame = curve_frame(trial, found)
    ends = "; ".join(f"{line}: {part['y'].iloc[0]:.0f} to {part['y'].iloc[-1]:.0f}"
                     for line, part in frame.groupby("line", sort=False))
    return (f"Power at {trial.primary.visits[-1]} in percent over the number an arm from "
            f"{frame['x'].min()} to {frame['x'].max()}. {ends}.")


def next_alt(trial: Trial, frame: pd.DataFrame) -> str:
    """The next trial's curves in words."""
    return "Number an arm over the difference to detect. At the planned difference: " + " ".join(
        next_sentences(trial, frame)).replace("**", "")


def _percent(share):
    return f"{100 * share:.1f}"


def _share(share):
    return f"Dropout {share:.0%}" if share else "No dropout"
