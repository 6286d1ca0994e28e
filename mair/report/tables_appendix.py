"""Tables of responders, robustness, power, the audit and the reconstruction.

Each is declared: what stands in its lines and in its columns; `mair.report.table.pivot` looks
the statistics up in the rows.
"""

from __future__ import annotations

from functools import partial

import pandas as pd

from mair.published import provenance
from mair.published.consistency import SEVERITY, WORDS
from mair.report import fmt, words
from mair.report.table import Column, Line, Table, pivot, worded, wordings
from mair.results import COLUMNS, Rows, records
from mair.sections import nnt as responders
from mair.sections import planning, power, study
from mair.sections import robustness as choices
from mair.sections import size as sizes
from mair.stats.risk import RULES
from mair.stats.simulated import binomial_limits

B = ("b", "ci_low", "ci_high")
MISSING, LIMITS, METHODS, MECHANISMS, DROPOUTS, TRUTHS, STUDIED = wordings()["labels"].values()


def nnt(trial, rows) -> Table:
    """Responders and NNT: the declared missing rule under every interval, the others under one."""
    main, shown = trial.analysis.responder_missing, trial.analysis.risk_interval
    brief = [(main, "wald" if main == "mi-mar" else shown), ("completers", "g-computation")]
    methods = [*((main, limits) for limits in LIMITS),
               *((rule, shown) for rule in RULES if rule != main), ("mi-mar", "wald"), brief[1]]
    own = rows[rows["arm"] == "difference"]
    there = dict.fromkeys(own[["variable", "time", "method"]].itertuples(index=False, name=None))
    first = own["time"].iloc[0] if len(own) else ""
    lines = [
        Line({"Missing results": MISSING[rule], "Interval": LIMITS[limits]},
             {"analysis": "nnt", "variable": name, "time": visit, "missing": rule,
              "interval": limits},
             name + (f", {trial.visit_labels[visit]}" if visit else ""))
        for name, visit in dict.fromkeys(key[:2] for key in there)
        for rule, limits in dict.fromkeys(methods if visit == first else brief)
        if (name, visit, f"{rule}/{limits}") in there]
    arms = [Column(arm, ("responders", "n", "percent"),
                   lambda k, n, percent: f"{fmt.tally(k, n)} ({fmt.number(percent, 1)}%)",
                   lambda line, arm=arm: {"arm": arm, "method": line.keys["missing"]}, arm)
            for arm in trial.arms]
    one_decimal = partial(fmt.estimate, digits=1)
    differences = [Column(head, statistics, show, lambda line: {
        "arm": "difference", "method": f"{line.keys['missing']}/{line.keys['interval']}"})
        for head, statistics, show in (
            ("ARR, percentage points", ("arr", "ci_low", "ci_high"), one_decimal),
            ("NNT", ("nnt", "nnt_ci_low", "nnt_ci_high", "nnt_through_infinity"),
             lambda nnt, *limits: f"{fmt.nnt(nnt)} ({fmt.nnt_ci(*limits)})"),
            ("Risk ratio", ("rr", "rr_low", "rr_high"), fmt.estimate))]
    return pivot(rows, lines, [*arms, *differences], **worded(
        "nnt", level=trial.analysis.confidence, treatment=trial.treatment, control=trial.control))


def odds(trial, rows) -> Table:
    """Odds ratios and tests of every criterion at its declared visit, by missing rule."""
    lines = [Line(MISSING[rule], {"analysis": "nnt", "variable": name, "arm": "difference",
                                  "time": visit, "missing": rule},
                  name + (f", {trial.visit_labels[visit]}" if visit else ""))
             for name, visit in responders.declared(trial) for rule in RULES]
    columns = [Column(head, statistics, show, lambda line, method=method: {
        "method": f"{line.keys['missing']}/{method}"}, method) for head, method, statistics, show in
        (("Odds ratio (Woolf)", "woolf", ("or", "or_low", "or_high"), fmt.estimate),
         ("Odds ratio (exact)", "exact", ("or", "or_low", "or_high"), fmt.estimate),
         ("p (Fisher)", "fisher", ("p",), fmt.p_value),
         ("p (Pearson)", "pearson", ("p",), fmt.p_value))]
    return pivot(rows, lines, columns, **worded(
        "odds_ratios", treatment=trial.treatment, control=trial.control,
        level=trial.analysis.confidence))


def robustness(trial, rows) -> Table:
    """The primary contrast under every choice; of a synthetic trial, its range over cohorts."""
    found = {key: origin[1:] for key, origin in provenance.kinds(trial, rows).items()
             if key[5] == "b" and origin.low < origin.high}
    own = rows[choices.is_contrast(rows)]
    lines = [Line(words.method(method),
                  {"analysis": "robustness", "variable": trial.primary.name,
                   "arm": "difference", "time": visit, "method": method},
                  f"{trial.primary.name}, {trial.visit_labels[visit]}")
             for visit in trial.primary.visits
             for method in dict.fromkeys(own.loc[own["time"] == visit, "method"])
             if "delta=" not in method]
    columns = [
        Column("n (rows)", ("n", "n_rows"), "{:g} ({:g})".format),
        Column(f"B ({100 * trial.analysis.confidence:g}% CI)", B, fmt.estimate),
        Column("SE", ("se",), fmt.number),
        Column("df", ("df",), partial(fmt.number, digits=1, missing="")),
        Column("p", ("p",), fmt.p_value)]
    if found:
        rows = pd.concat([rows, _ranges(found)])
        columns.append(Column("B over cohorts", ("b_low", "b_high"), fmt.ci))
    return pivot(rows, lines, columns, **worded("robustness", primary=trial.primary.name))


def _ranges(found: dict[tuple, tuple]) -> pd.DataFrame:
    """(low, high) by key as rows: ``<statistic>_low``, ``<statistic>_high``."""
    return pd.DataFrame([(*key[:5], f"{key[5]}_{end}", value) for key, own in found.items()
                         for end, value in zip(("low", "high"), own, strict=True)], columns=COLUMNS)


def small_sample(trial) -> Table | None:
    """What small-sample inference would have printed: ranges over agreeing cohorts, if stored."""
    found = {key: own[:2] for key, own in provenance.stored(trial).items() if key[0] == "outcomes"
             and key[4].endswith("/kenward-roger") and own[2]}
    lines = [Line({"Variable": name, "Visit": trial.visit_labels[time],
                   "Method": words.method(method)},
                  {"analysis": "outcomes", "variable": name, "arm": "difference", "time": time,
                   "method": method}) for name, time, method in dict.fromkeys(
                       (key[1], key[3], key[4]) for key in found)]
    columns = [Column(head, (f"{s}_low", f"{s}_high"), lambda *ends, show=show: " to ".join(
        dict.fromkeys(map(show, ends)))) for head, s, show in (
            ("p", "p", fmt.p_value), ("Lower limit", "ci_low", fmt.number),
            ("Upper limit", "ci_high", fmt.number))]
    return pivot(_ranges(found), lines, columns, **worded("small_sample")) if found else None


def delta_grid(trial, visit) -> Table | None:
    """The contrast when the imputed values of either arm are shifted; None without any."""
    grid = choices.delta_grid(trial, visit)
    if grid.empty:
        return None
    shown = [fmt.estimate(*cell, 1) for cell in grid[[*B]].itertuples(index=False)]
    wide = grid.assign(shown=shown).pivot(index="control", columns="treatment", values="shown")
    stubs = [f"{trial.control} {fmt.shift(step)}" for step in wide.index]
    wide.columns = [f"{trial.treatment} {fmt.shift(step)}" for step in wide.columns]
    wide.insert(0, "Imputed values", stubs)
    said = worded("delta_grid", f"delta_grid_{trial.primary.visits.index(visit)}",
                  visit=trial.visit_labels[visit])
    return Table(display=wide, data=grid, **said)


def power_by_size(trial, rows) -> Table | None:
    """Simulated power by n an arm, with and without dropout, beside the noncentral t's."""
    declared, (_, _, sizes, shares) = trial.sections["sample_size"], power.sizes(trial)
    visits = {visit: trial.visit_labels[visit] for visit in trial.primary.visits[1:]}
    if not visits:
        return None
    lines = [Line(f"{n}", {"analysis": "power", "arm": "difference", "n": n}) for n in sizes]
    columns = [Column("Noncentral t", ("power",), _percent, lambda line: {
        "variable": f"{line.keys['n']} an arm", "method": "t"}, "t")]
    heads = {share: f"Dropout {share:.0%}" if share else "No dropout" for share in shares}
    columns += [Column(f"{heads[share]}::{label}", ("power", "mc_se"),
                       lambda p, error: f"{_percent(p)} ({100 * error:.1f})",
                       lambda line, share=share, visit=visit: {
                           "variable": power.scenario(line.keys["n"], dropout=share),
                           "time": visit, "method": power.METHOD}, f"dropout_{share:g}_{visit}")
                for share in shares for visit, label in visits.items()]
    return pivot(
        pd.concat([rows, power.formula(trial)]), lines, columns,
        spanners={head: tuple(f"{head}::{label}" for label in visits.values())
                  for head in heads.values()},
        **worded("power_by_size", difference=planning.difference(declared), sd=declared["sd"],
                 correlation=planning.correlation(trial).value, alpha=declared["alpha"],
                 method=words.method(power.METHOD), draws=trial.analysis.draws))


def _percent(share) -> str:
    return f"{100 * share:.1f}"


def sd_taken(method) -> str:
    """What a next trial's SD is, in words."""
    level = method.removeprefix("browne/")
    return {"planned": "Planned SD", "planned/change": "Change that the planned SD makes",
            "observed": "This trial's SD of change"}.get(
        method) or f"Its upper {100 * float(level):g}% limit"


def next_trial(trial, rows) -> Table:
    """The next trial's size at the planned difference, by what is taken for the SD."""
    declared = trial.sections["sample_size"]
    lines = [Line(sd_taken(method), {"analysis": "power", "arm": "overall", "method": method,
                                     "variable": f"{trial.primary.name}, next trial"})
             for method in power.standard_deviations(trial)]
    whole = partial(fmt.number, digits=0, missing="")
    columns = [Column(head, (statistic,), show) for head, statistic, show in (
        ("SD", "sd", fmt.number), ("d", "d", fmt.number), ("in each arm", "n", "{:g}".format),
        ("from", "n_low", whole), ("to", "n_high", whole),
        ("Both arms, with dropout", "n_with_dropout", "{:g}".format))]
    dropout = (" With dropout: n / (1 - dropout), rounded up an arm."
               if declared.get("dropout") is not None else "")
    return pivot(rows, lines, columns, **worded(
        "next_trial", alpha=declared["alpha"], power=declared["power"],
        difference=planning.difference(declared), dropout=dropout))


def simulation(trial, rows, statistic) -> Table | None:
    """One statistic of the committed study by mechanism, dropout, visit and method, in percent.

    ``statistic`` is ``type1``, ``power`` or ``coverage``; None where the study is not of this
    trial's design.
    """
    cells = study.of(trial)
    if cells.empty:
        return None
    effect, title, truth = STUDIED[statistic]
    first, marks = cells.iloc[0], Rows("power")
    for row in study.criteria(cells).to_dict("records") if statistic == "type1" else ():
        marks.add(study.scenario(row), "difference", row["visit"], row["method"],
                  within=row["passed"])
    part = cells[cells["effect"] == effect]
    lines = [Line({"Dropout": DROPOUTS[dropout].capitalize(), "Visit": trial.visit_labels[visit]},
                  {"analysis": "power", "arm": "difference", "time": visit,
                   "variable": study.scenario(
                       {"mechanism": mechanism, "dropout": dropout, "effect": effect})},
                  MECHANISMS[mechanism])
             for mechanism in study.MECHANISMS for dropout in study.DROPOUTS
             for visit in trial.primary.visits[1:]]
    columns = [Column(label, (statistic, "within"), lambda rate, within:
                      _percent(rate) + {1: "*", 0: "†"}.get(within, ""), {"method": method}, label)
               for method, label in METHODS.items()]
    error = part["coverage_mc_se" if statistic == "coverage" else "mc_se"].max()
    low, high = binomial_limits(first["simulations"], first["alpha"])
    notes = {
        "type1": f"Where theory fixes the error: * within the exact binomial 99% limits "
                 f"({100 * low:.2f} to {100 * high:.2f}), † outside. The rest is reported. The "
                 "number of trials was fixed beforehand.",
        "coverage": "Re-randomisation: share of trials in which the true shift, taken off at "
                    "every visit, is not rejected."}
    return pivot(pd.concat([rows, marks.frame()]), lines, columns, **worded(
        "simulation", f"simulation_{statistic}", what=title, truth=truth, error=100 * error,
        allocations=cells["allocations"].max(), more=notes.get(statistic, ""),
        **first[["simulations", "n_control", "n_treatment", "seed", "alpha"]]))


def size(trial, rows) -> Table | None:
    """True size and coverage of every inference at this trial's n; None where nothing was drawn."""
    found = rows[rows["statistic"] == "type1_low"]
    if found.empty:
        return None
    lines = [Line({"Scores drawn with": TRUTHS[truth], "Inference": words.method(method)},
                  {"analysis": "power", "arm": "difference", "method": method,
                   "variable": sizes.scenario(truth)})
             for truth in sizes.TRUTHS for method in dict.fromkeys(
                 found.loc[found["variable"] == sizes.scenario(truth), "method"])]
    columns = [
        Column(f"{head}, {trial.visit_labels[visit]}", (of, f"{of}_low", f"{of}_high"),
               lambda rate, low, high: f"{_percent(rate)} ({_percent(low)} to {_percent(high)})",
               {"time": visit}, f"{visit}")
        for visit in dict.fromkeys(found["time"])
        for head, of in (("Size", "type1"), ("Coverage", "coverage"))]
    trials = {one.method == sizes.REDRAWN: one.simulations for one in records(rows)
              if hasattr(one, "type1_low")}
    again = (f" ({trials[True]} for re-randomisation, {sizes.ALLOCATIONS} allocations each)"
             if True in trials else "")
    return pivot(rows, lines, columns, **worded(
        "size", level=sizes.LEVEL, simulations=trials[False], primary=trial.primary.name,
        again=again, seed=trial.analysis.seed, alpha=100 * (1 - trial.analysis.confidence)))


def consistency(checked) -> Table:
    """The checks that do not come out exactly, worst first, for reading; all of them as data."""
    odd = checked[checked["verdict"].isin(["within rounding", "other convention", "impossible"])]
    odd = odd.sort_values("verdict", kind="stable",
                          key=lambda verdict: -verdict.map(SEVERITY).astype(float))
    ends = ["" if low != low else fmt.number(low, 3) if f"{low:.3f}" == f"{high:.3f}"
            else fmt.ci(low, high, 3)
            for low, high in odd[["computed_low", "computed_high"]].itertuples(index=False)]
    keys = odd[["variable", "arm", "time", "statistic"]].itertuples(index=False)
    display = pd.DataFrame({
        "Check": odd["check"], "Number": [" ".join(filter(None, key)) for key in keys],
        "Source": odd["source"], "Printed": odd["printed"], "Computed": ends,
        "Judgement": odd["verdict"].map(WORDS), "Convention": odd["convention"]})
    return Table(display=display.reset_index(drop=True), data=checked, cohort=False,
                 **worded("consistency"))


def reconstruction(found) -> Table:
    """The five targets of the synthetic cohort, one line a variable (`verdicts.summary`)."""
    def of(kind):
        return [f"{n} of {total}" if total else ""
                for n, total in zip(found[kind], found[f"{kind}_of"], strict=True)]

    display = pd.DataFrame({
        "Variable": found["variable"], "1 Means, SDs": of("moments"), "2 Model": of("model"),
        "3 Steps, range": found["steps"].map({1: "kept", 0: "broken"}), "4 Counts": of("counts"),
        "5 r implied": found["r_implied"].map("{:.2f}".format),
        "5 r generated": [f"{low:.2f} to {high:.2f}" for low, high in
                          zip(found["r_min"], found["r_max"], strict=True)],
        "5 Broken": found["broken"].replace("", "none")})
    return Table(display=display, data=found, **worded("reconstruction"))
