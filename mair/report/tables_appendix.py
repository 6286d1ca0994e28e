"""Tables of responders, robustness, power, the audit and the reconstruction.

Each gives what its declaration in ``tables.yaml`` names.
"""

import pandas as pd

from mair.published import provenance
from mair.published.consistency import SEVERITY, WORDS
from mair.report import fmt, words, written
from mair.report.pivot import declared, worded
from mair.report.table import Table
from mair.results import COLUMNS, Rows, records
from mair.sections import nnt as responders
from mair.sections import planning, power, study
from mair.sections import robustness as choices
from mair.sections import size as sizes
from mair.stats.risk import RULES
from mair.stats.simulated import binomial_limits

MISSING, LIMITS, METHODS, MECHANISMS, DROPOUTS, TRUTHS, STUDIED, TAKEN = written.data("tables")[
    "labels"].values()


def nnt(trial, rows) -> Table:
    """Responders and NNT: the declared missing rule under every interval, the others under one."""
    main, shown = trial.analysis.responder_missing, trial.analysis.risk_interval
    brief = [(main, "wald" if main == "mi-mar" else shown), ("completers", "g-computation")]
    methods = [*((main, limits) for limits in LIMITS),
               *((rule, shown) for rule in RULES if rule != main), ("mi-mar", "wald"), brief[1]]
    own = records(rows, arm="difference")
    there = {(one.variable, one.time, one.method) for one in own}
    return declared(trial, rows, "nnt", criteria=[
        {"variable": name, "time": visit, "missing": rule, "limits": limits,
         "seen": MISSING[rule], "shown": LIMITS[limits]}
        for name, visit in dict.fromkeys((one.variable, one.time) for one in own)
        for rule, limits in dict.fromkeys(methods if visit == own[0].time else brief)
        if (name, visit, f"{rule}/{limits}") in there])


def odds(trial, rows) -> Table:
    """Odds ratios and tests of every criterion at its declared visit, by missing rule."""
    return declared(trial, rows, "odds_ratios", criteria=[
        {"variable": name, "time": visit, "missing": rule, "seen": MISSING[rule]}
        for name, visit in responders.declared(trial) for rule in RULES])


def robustness(trial, rows) -> Table:
    """The primary contrast under every choice; of a synthetic trial, its range over cohorts."""
    found = {key: origin[1:] for key, origin in provenance.kinds(trial, rows).items()
             if key[5] == "b" and origin.low < origin.high}
    own = rows[choices.is_contrast(rows) & ~rows["method"].str.contains("delta=")]
    return declared(trial, pd.concat([rows, _ranges(found)]), "robustness", over=[{}] * bool(found),
                    choices=[{"variable": trial.primary.name, "time": visit, "method": method}
                             for visit in trial.primary.visits
                             for method in own.loc[own["time"] == visit, "method"].unique()])


def _ranges(found: dict[tuple, tuple]) -> pd.DataFrame:
    """(low, high) by key as rows: ``<statistic>_low``, ``<statistic>_high``."""
    return pd.DataFrame([(*key[:5], f"{key[5]}_{end}", value) for key, own in found.items()
                         for end, value in zip(("low", "high"), own, strict=True)], columns=COLUMNS)


def small_sample(trial) -> Table | None:
    """What small-sample inference would have printed: ranges over agreeing cohorts, if stored."""
    found = {key: own[:2] for key, own in provenance.stored(trial).items() if key[0] == "outcomes"
             and key[4].endswith("/kenward-roger") and own[2]}
    return declared(trial, _ranges(found), "small_sample")


def delta_grid(trial, visit) -> Table | None:
    """The contrast when the imputed values of either arm are shifted; None without any."""
    grid = choices.delta_grid(trial, visit)
    if grid.empty:
        return None
    shown = grid.assign(shown=[fmt.estimate(*cell, 1) for cell in grid[[
        "b", "ci_low", "ci_high"]].itertuples(index=False)])
    wide = shown.pivot(index="control", columns="treatment", values="shown")
    wide.index = [f"{trial.called[trial.control]} {fmt.shift(step)}" for step in wide.index]
    wide.columns = [f"{trial.called[trial.treatment]} {fmt.shift(step)}" for step in wide.columns]
    return Table(display=wide.rename_axis("Imputed values").reset_index(), data=grid, **worded(
        "delta_grid", f"delta_grid_{trial.primary.visits.index(visit)}",
        visit=trial.visit_labels[visit]))


def power_by_size(trial, rows) -> Table | None:
    """Simulated power by n an arm, with and without dropout, beside the noncentral t's."""
    if not trial.primary.visits[1:]:
        return None
    plan, (_, _, sizes, shares) = trial.sections["sample_size"], power.sizes(trial)
    return declared(
        trial, pd.concat([rows, power.formula(trial)]), "power_by_size",
        sizes=[{"n": n} for n in sizes],
        designs=[{"share": share, "lost": f"Dropout {share:.0%}" if share else "No dropout",
                  "visit": visit, "label": trial.visit_labels[visit]}
                 for share in shares for visit in trial.primary.visits[1:]],
        difference=planning.difference(plan), plan=plan, simulated=power.METHOD,
        correlation=planning.correlation(trial).value, method=words.method(power.METHOD))


def sd_taken(method) -> str:
    """What a next trial's SD is, in words."""
    return TAKEN.get(method) or f"Its upper {100 * float(method.removeprefix('browne/')):g}% limit"


def next_trial(trial, rows) -> Table:
    """The next trial's size at the planned difference, by what is taken for the SD."""
    plan = trial.sections["sample_size"]
    return declared(trial, rows, "next_trial", plan=plan, difference=planning.difference(plan),
                    taken=[{"method": method, "said": sd_taken(method)}
                           for method in power.standard_deviations(trial)])


def simulation(trial, rows, statistic) -> Table | None:
    """One statistic of the committed study by mechanism, dropout, visit and method, in percent.

    ``statistic`` is ``type1``, ``power`` or ``coverage``; None where the study is not of this
    trial's design.
    """
    cells = study.of(trial)
    if cells.empty:
        return None
    said = STUDIED[statistic]
    first, marks = cells.iloc[0], Rows("power")
    for row in study.criteria(cells).to_dict("records") if statistic == "type1" else ():
        marks.add(study.scenario(row), "difference", row["visit"], row["method"],
                  within=row["passed"])
    low, high = binomial_limits(first["simulations"], first["alpha"])
    return declared(
        trial, pd.concat([rows, marks.frame()]), "simulation", f"simulation_{statistic}",
        designs=[{"time": visit, "lost": DROPOUTS[dropout].capitalize(),
                  "mechanism": MECHANISMS[mechanism], "scenario": study.scenario({
                      "mechanism": mechanism, "dropout": dropout, "effect": said["effect"]})}
                 for mechanism in study.MECHANISMS for dropout in study.DROPOUTS
                 for visit in trial.primary.visits[1:]],
        statistic=statistic, what=said["what"], truth=said["truth"],
        more=said["more"].format(low=100 * low, high=100 * high),
        methods=[{"method": method, "label": label} for method, label in METHODS.items()],
        error=100 * cells.loc[cells["effect"] == said["effect"], said["error"]].max(),
        allocations=cells["allocations"].max(),
        **first[["simulations", "n_control", "n_treatment", "seed", "alpha"]])


def size(trial, rows) -> Table | None:
    """True size and coverage of every inference at this trial's n; None where nothing was drawn."""
    found = rows[rows["statistic"] == "type1_low"]
    rates = [{"rate": rate, "of": of, "visit": visit, "label": trial.visit_labels[visit]}
             for visit in found["time"].unique()
             for rate, of in (("Size", "type1"), ("Coverage", "coverage"))]
    trials = {one.method == sizes.REDRAWN: one.simulations for one in records(rows)
              if hasattr(one, "type1_low")}
    return declared(trial, rows, "size", rates=rates, level=sizes.LEVEL, trials=trials,
                    allocations=sizes.ALLOCATIONS,
                    inferences=[{"scenario": scenario, "truth": TRUTHS[truth], "method": method}
                                for truth in sizes.TRUTHS for scenario in [sizes.scenario(truth)]
                                for method in found.loc[
                                    found["variable"] == scenario, "method"].unique()])


def consistency(checked) -> Table:
    """The checks that do not come out exactly, worst first, for reading; all of them as data."""
    odd = checked[checked["verdict"].isin(["within rounding", "other convention", "impossible"])]
    odd = odd.sort_values("verdict", kind="stable", ignore_index=True,
                          key=lambda verdict: -verdict.map(SEVERITY).astype(float))
    ends = ["" if low != low else fmt.number(low, 3) if f"{low:.3f}" == f"{high:.3f}"
            else fmt.ci(low, high, 3)
            for low, high in odd[["computed_low", "computed_high"]].itertuples(index=False)]
    keys = odd[["variable", "arm", "time", "statistic"]].itertuples(index=False)
    display = pd.DataFrame({
        "Check": odd["check"], "Number": [" ".join(filter(None, key)) for key in keys],
        "Source": odd["source"], "Printed": odd["printed"], "Computed": ends,
        "Judgement": odd["verdict"].map(WORDS), "Convention": odd["convention"]})
    return Table(display=display, data=checked, cohort=False, **worded("consistency"))


def reconstruction(found) -> Table:
    """The five targets of the synthetic cohort, one line a variable (`verdicts.summary`)."""
    def of(kind):
        return [f"{n} of {total}" if total else ""
                for n, total in zip(found[kind], found[f"{kind}_of"], strict=True)]

    display = pd.DataFrame({
        "Variable": found["variable"], "1 Means, SDs": of("moments"), "2 Model": of("model"),
        "3 Steps, range": found["steps"].map({1: "kept", 0: "broken"}), "4 Counts": of("counts"),
        "5 r implied": found["r_implied"].map("{:.2f}".format),
        "5 r generated": list(map("{:.2f} to {:.2f}".format, found["r_min"], found["r_max"])),
        "5 Broken": found["broken"].replace("", "none")})
    return Table(display=display, data=found, **worded("reconstruction"))
