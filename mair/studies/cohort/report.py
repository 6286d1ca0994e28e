"""What the notebook about the reconstruction shows: tables, one figure, computed sentences."""

from __future__ import annotations

import pandas as pd

from mair.published.numbers import Lookup
from mair.report.style import INK, RULE, arm_styles, axes_or_new, ordered, styled
from mair.report.tables import Table
from mair.results import Lookup as Values
from mair.studies.cohort import plausible
from mair.trial import Trial

KINDS = {
    "moments": {"mean", "sd"},
    "model": {"b", "ci_low", "ci_high", "z", "p"},
    "counts": {"n", "responders", "percent", "median", "q1", "q3"},
}


def met(compared: pd.DataFrame, name: str, kind: str) -> tuple[int, int]:
    """How many printed numbers of a variable are reproduced, of how many."""
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
    if variable.step is None:
        return True
    steps = scores / variable.step
    inside = variable.range is None or scores.between(*variable.range).all()
    return bool(((steps - steps.round()).abs() < 1e-6).all() and inside)


def faults(values: Values, spec: dict, name: str) -> list[str]:
    """Rules (i) to (v) that a variable breaks, each with its distance."""
    def of(statistic, method="generated"):
        return values("reconstruction", name, "overall", "", method, statistic=statistic)

    found = []
    score = name in spec["outcomes"]
    if score:
        low, high = of("band_low", "implied"), of("band_high", "implied")
        if of("r_min") <= max(0.0, low) or of("r_max") >= high:
            exempt = " (exempt: responders)" if spec["outcomes"][name].get("pre_post") else ""
            found.append(f"(i) r {of('r_min'):.2f} to {of('r_max'):.2f}, band {low:g} to {high:g}"
                         + exempt)
        if of("arms_apart") > plausible.FISHER:
            found.append(f"(i) arms {of('arms_apart'):.2f} apart on Fisher's z")
        if of("slope_z") <= 0:
            found.append(f"(iv) slope towards better health, z {of('slope_z'):.2f}")
        if of("p_normal_min") <= 0.05:
            found.append(f"(v) Lilliefors p down to {of('p_normal_min'):.2g}")
        if of("heaped") > 0:
            found.append(f"(ii) {of('heaped'):.0f} too many at a cell's extreme")
        if of("distance") > 1:
            found.append(f"(ii) distance {of('distance'):.2f} of the 0.999 point")
        return found
    log = bool(spec["biomarkers"][name].get("log"))
    if of("r_min") <= 0:
        found.append(f"(i) r down to {of('r_min'):.2f}")
    if of("change_sd") > 3:
        found.append(f"(iii) a change of {of('change_sd'):.2f} SD")
    if log and of("skewness") > 1.5:
        found.append(f"(iii) skewness of ln values up to {of('skewness'):.2f}")
    if log and of("p_normal_max") >= 0.05:
        found.append(f"(v) raw values not told from normal, p {of('p_normal_max'):.2g}")
    if not log and of("p_normal_min") <= 0.05:
        found.append(f"(v) Lilliefors p {of('p_normal_min'):.2g}")
    return found


def targets_table(trial: Trial, spec: dict, compared: pd.DataFrame, rows: pd.DataFrame) -> Table:
    """The five targets, outcome by outcome."""
    values, display, data = Values(rows), [], []
    for name in [*trial.outcomes, *trial.biomarkers]:
        if name not in spec["outcomes"] and name not in spec.get("biomarkers", {}):
            continue
        moments, model, counts = (met(compared, name, kind) for kind in KINDS)
        broken = faults(values, spec, name)
        r = [values("reconstruction", name, "overall", "", m, statistic=s)
             for m, s in (("implied", "r"), ("generated", "r_min"), ("generated", "r_max"))]
        display.append({
            "Variable": name, "1 Means, SDs": f"{moments[0]} of {moments[1]}",
            "2 Model": f"{model[0]} of {model[1]}",
            "3 Steps, range": "kept" if whole(trial, name) else "broken",
            "4 Counts": f"{counts[0]} of {counts[1]}" if counts[1] else "",
            "5 r implied": f"{r[0]:.2f}", "5 r generated": f"{r[1]:.2f} to {r[2]:.2f}",
            "5 Broken": "; ".join(broken) or "none"})
        data.append({"variable": name, "moments": moments[0], "moments_of": moments[1],
                     "model": model[0], "model_of": model[1], "steps": int(whole(trial, name)),
                     "counts": counts[0], "counts_of": counts[1], "r_implied": r[0],
                     "r_min": r[1], "r_max": r[2], "broken": "; ".join(broken)})
    return Table(
        "reconstruction", "The five targets, outcome by outcome", pd.DataFrame(display),
        pd.DataFrame(data),
        notes=("Reproduced of checkable printed numbers. r: within-arm correlation between "
               "visits; implied: by the printed standard errors and SDs. Broken: rules (i) "
               "correlations, (ii) distances and heaps, (iii) biomarkers' changes and shape, "
               "(iv) the covariate's direction, (v) normality.",),
        synthetic=trial.synthetic)


def bands(rows: pd.DataFrame, ax=None, *, arms=None):
    """Implied against generated correlations: band, implied value, and one mark a pair of visits.

    Parameters
    ----------
    rows : DataFrame
        As `plausible.rows` gives them.
    ax : Axes, optional
    arms : sequence or dict, optional

    Returns
    -------
    Axes
    """
    return _bands(rows, axes_or_new(ax), arms)


@styled
def _bands(rows, ax, arms):
    names = list(dict.fromkeys(rows["variable"]))
    at = {name: i for i, name in enumerate(reversed(names))}
    implied = rows[rows["method"] == "implied"]
    for row in implied.pivot(index="variable", columns="statistic", values="value").astype(
            float).itertuples():
        y = at[row.Index]
        if row.band_low == row.band_low:
            ax.plot([row.band_low, row.band_high], [y, y], color=RULE, lw=7, alpha=0.35,
                    solid_capstyle="butt", zorder=1)
        ax.plot([row.r, row.r], [y - 0.36, y + 0.36], color=INK, lw=1.6, zorder=3)
    own = rows[rows["method"] == "pearson"]
    arms = ordered(own["arm"], arms)
    looks = arm_styles(arms)
    for k, (arm, label) in enumerate(arms.items()):
        part = own[own["arm"] == arm]
        ax.plot(part["value"].astype(float), [at[v] + 0.15 * (2 * k - 1) for v in
                                              part["variable"]],
                linestyle="none", markersize=4.5, label=label, zorder=4, color=looks[arm].color,
                **looks[arm].markers())
    ax.set_yticks(list(at.values()), list(at))
    ax.set(xlabel="correlation between two visits, within an arm", ylabel="",
           xlim=(-0.05, max(1.02, 0.05 + implied.loc[implied["statistic"] == "r",
                                                     "value"].astype(float).max())))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax


def bands_alt(rows: pd.DataFrame) -> str:
    """The figure in words."""
    own = rows[rows["method"] == "pearson"]
    values = own["value"].astype(float)
    low, high = own.loc[values.idxmin()], own.loc[values.idxmax()]
    return (f"Within-arm correlations between visits, {len(own)} of them, from "
            f"{values.min():.2f} ({low['variable']}, {low['arm']}) to {values.max():.2f} "
            f"({high['variable']}, {high['arm']}), beside the value and band that the printed "
            "standard errors imply for each variable.")


def unmet(compared: pd.DataFrame) -> pd.DataFrame:
    """Printed means, SDs, model numbers and effect sizes that the cohort does not print."""
    kinds = KINDS["moments"] | KINDS["model"] | {"d"}
    own = compared[compared["statistic"].isin(kinds)
                   & compared["analysis"].isin(["outcomes", "biomarkers"])
                   & compared["verdict"].isin(["within rounding", "not reproduced"])]
    return own[["variable", "arm", "time", "statistic", "printed", "computed"]]


def proofs(look: Lookup, trial: Trial, spec: dict) -> list[str]:
    """Why a printed number cannot be met, one sentence each, computed."""
    out = [f"**{r.variable}, {r.arm}, {r.time}: SD {r.printed}.** The mean fixes the sum at "
           f"{r.total}; sums of squares have its parity, so the nearest SDs of whole numbers are "
           f"{r.below:.4f} and {r.above:.4f}. None prints {r.printed}."
           for r in plausible.impossible_sds(look, spec).itertuples()]
    out += [f"**{r.variable}, {r.time}: d {r.printed}.** Scores with the printed means and SDs "
            f"have d from {r.low:.4f} to {r.high:.4f}, by the correction that other rows follow."
            for r in plausible.d_bounds(look, trial, spec).itertuples()]
    return out


def coarse(look: Lookup, spec: dict, rows: pd.DataFrame) -> list[str]:
    """For coarse scales that fail the normality test: that any integers would, and heap."""
    values, out = Values(rows), []
    for name in spec["outcomes"]:
        p = values("reconstruction", name, "overall", "", "generated", statistic="p_normal_min")
        low, high = (look("outcomes", name, "overall", "", "declared", statistic=s,
                          source=spec["source"]).value for s in ("range_low", "range_high"))
        if p > 0.05 or high - low > 10:
            continue
        for r in plausible.normality_bound(look, spec, name).itertuples():
            out.append(f"**{name}, {r.time}.** Of {r.ways:,} ways to place whole scores with the "
                       f"printed moments, the one nearest to a normal curve has Lilliefors "
                       f"p = {r.p:.2g}.")
        out += [f"**{name}, {r.arm}, {r.time}.** Each of {r.ways} ways to place whole scores with "
                f"the printed moments has {r.fewest} or more beyond 10 % at an extreme of the "
                "cell." for r in plausible.heap_bound(look, spec, name).itertuples()]
    return out
