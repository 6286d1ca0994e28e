"""The primary contrast under every choice a statistician could have made, and by design alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd

from mair.report import fmt
from mair.report.tables import Table
from mair.results import Lookup, Rows
from mair.sections import analysis as estimates
from mair.sections import imputed as missing
from mair.sections import model as models
from mair.stats import bootstrap, permute, pooling
from mair.trial import Trial

COVARIANCES = ("random-intercept", "compound-symmetry", "unstructured")
INFERENCES = ("z", "satterthwaite", "kenward-roger")
REFERENCE = "rerandomisation/random-intercept"
RHO = (0.0, 0.01, 0.02, 0.05, 0.10)
INVERTED = 2000  # allocations behind an interval: a root search refits them some ten times
STATISTICS = ("n", "n_rows", "b", "se", "df", "z", "t", "p", "ci_low", "ci_high")


def rows(trial: Trial, *, quick: bool = False) -> pd.DataFrame:
    """Every statistic of the analysis ``robustness``, of the primary outcome.

    Parameters
    ----------
    trial : Trial
    quick : bool
        Leave out what is drawn (re-randomisation, bootstrap): for ranges over many cohorts.

    Returns
    -------
    DataFrame
        Columns of ``results.csv``.
    """
    out = Rows("robustness")
    name = trial.primary.name
    for found in grid(trial, name):
        for visit, one in found.contrasts.items():
            n, n_rows = found.sizes[visit]
            values = dict(zip(STATISTICS, (n, n_rows, *one), strict=True))
            out.add(name, "difference", visit, found.method, **values,
                    **found.extra.get(visit, {}))
    if not quick:
        _rerandomised(trial, name, out)
        _bootstrapped(trial, name, out)
    _reference_based(trial, name, out)
    _tipping(trial, name, out)
    _groups(trial, name, out)
    return out.frame()


def grid(trial: Trial, name: str) -> list[estimates.Estimate]:
    """Covariance x inference x estimator on observed rows, then the missing-data rules.

    Analyses that fall back to one already there are left out; ANCOVA has no covariance and
    stands once an inference.
    """
    found: dict[str, estimates.Estimate] = {}
    for estimator, covariance, inference in product(
        ("difference", "clda", "ancova"), COVARIANCES, INFERENCES
    ):
        if estimator == "ancova" and (covariance != COVARIANCES[0] or inference == INFERENCES[1]):
            continue
        one = estimates.analyse(trial, name, covariance=covariance, inference=inference,
                                estimator=estimator, missing="observed")
        found.setdefault(one.method, one)
    ml = estimates.analyse(trial, name, covariance="random-intercept", inference="z",
                           estimator="difference", missing="observed", reml=False)
    found.setdefault(ml.method, ml)
    if trial.scores(name).isna().to_numpy().any():
        for rule, covariance in product(missing.RULES, ("random-intercept", "unstructured")):
            one = estimates.analyse(trial, name, covariance=covariance,
                                    inference="kenward-roger", estimator="difference",
                                    missing=rule)
            found.setdefault(one.method, one)
    return list(found.values())


def _rerandomised(trial: Trial, name: str, out: Rows) -> None:
    """The model's contrast under the allocations that could have been."""
    design = models.build(trial, name)
    labels, groups = np.unique(design.rows["participant"], return_inverse=True)
    arm = (trial.arm[labels] == trial.treatment).to_numpy(int)
    strata = trial.series("strata")
    strata = None if strata is None else pd.factorize(strata[labels])[0]
    drawn = permute.allocations(arm, strata=strata, draws=trial.analysis.draws,
                                rng=np.random.default_rng([trial.analysis.seed, 7]))
    few = np.random.default_rng([trial.analysis.seed, 9]).permutation(len(drawn.arms))[:INVERTED]
    fewer = drawn if len(drawn.arms) <= INVERTED else replace(
        drawn, arms=drawn.arms[few], exact=False)
    later = list(design.contrasts)
    times = np.column_stack([design.columns[f"time {visit}"] for visit in later])
    covariates = [design.columns[c] for c in design.names if c.startswith("covariate ")]
    common = np.column_stack([np.ones(len(groups)), times, *covariates])
    by_arm = np.column_stack([np.ones(len(groups)), times])
    treated = arm[groups]
    base = estimates.analyse(trial, name, covariance="random-intercept", inference="z",
                             estimator="difference", missing="observed")
    shift = {v: treated * times[:, k] for k, v in enumerate(later)}
    for k, visit in enumerate(later, start=1):
        fit = permute.random_intercept_fit(common, by_arm, groups, k)
        found = permute.rerandomise(fit, design.y, arm, drawn)
        held = sum((base.contrasts[v].b * shift[v] for v in later if v != visit),
                   np.zeros(len(groups)))
        limits = permute.invert(fit, design.y, arm, fewer, shift[visit], held=held,
                                confidence=trial.analysis.confidence)
        out.add(name, "difference", visit, REFERENCE, n=len(arm), n_rows=len(groups),
                b=found.estimate, se=found.se, df=None, z=None, t=found.t, p=found.p,
                ci_low=_finite(limits.low), ci_high=_finite(limits.high),
                mc_error=found.mc_error, allocations=found.allocations, exact=int(found.exact))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _bootstrapped(trial: Trial, name: str, out: Rows) -> None:
    """BCa interval of d_ppc2, people resampled within their arm."""
    scores = trial.scores(name)[trial.described(name)]
    for k, visit in enumerate(trial.primary.visits[1:]):
        pairs = scores[[trial.reference, visit]].dropna()
        arms = trial.arm[pairs.index]
        samples = [pairs[arms == arm].to_numpy(float) for arm in (trial.treatment, trial.control)]
        found = bootstrap.bca(samples, bootstrap.d_ppc2, draws=trial.analysis.draws,
                              rng=np.random.default_rng([trial.analysis.seed, 8, k]),
                              confidence=trial.analysis.confidence)
        out.add(name, "difference", visit, "d_ppc2/bca", n=len(pairs), d=found.estimate,
                ci_low=found.low, ci_high=found.high, draws=found.draws)


def _reference_based(trial: Trial, name: str, out: Rows) -> None:
    """Conditional-mean imputation with the jackknife, beside Rubin's information-anchored SE."""
    y, arm, covariates, people = missing.arrays(trial, name)
    if not np.isnan(y).any():
        return
    from scipy.special import ndtr, ndtri

    z = float(ndtri((1 + trial.analysis.confidence) / 2))
    for (label, rule), (k, visit) in product(missing.RULES.items(),
                                             enumerate(trial.primary.visits[1:], start=1)):
        found = pooling.jackknife(y, arm, covariates, k, rule=rule)
        statistic = found.estimate / found.se if found.se > 0 else float("nan")
        out.add(name, "difference", visit, f"conditional-mean/jackknife/{label}", n=len(people),
                n_rows=y.size, b=found.estimate, se=found.se, df=None, z=statistic, t=None,
                p=float(2 * ndtr(-abs(statistic))), ci_low=found.estimate - z * found.se,
                ci_high=found.estimate + z * found.se)


def deltas(trial: Trial) -> list[float]:
    """Shifts of imputed values shown beside the tipping point: tenths of the scale, or none."""
    span = trial.primary.range
    return [] if span is None else [round((span[1] - span[0]) * x / 10, 6) for x in range(1, 6)]


def _tipping(trial: Trial, name: str, out: Rows) -> None:
    """How much worse the treatment arm's unseen values must be for the interval to hold 0."""
    if not trial.scores(name).isna().to_numpy().any():
        return
    for visit in trial.primary.visits[1:]:
        shifted, tip = missing.tipping_table(trial, name, visit, deltas(trial))
        size = len(missing.arrays(trial, name)[3])
        for row in shifted.to_dict("records"):
            delta = row.pop("delta")
            values = dict(zip(STATISTICS, (size, size * len(trial.primary.visits),
                                           *row.values()), strict=True))
            out.add(name, "difference", visit,
                    f"random-intercept/kenward-roger/mi-mar/delta={delta:g}", **values)
        if tip is not None:
            out.add(name, "difference", visit, "tipping-point", delta=tip.delta,
                    tips=int(tip.state == "tips"), held_already=int("already" in tip.state),
                    imputed=tip.imputed, beyond=tip.beyond)


def _groups(trial: Trial, name: str, out: Rows) -> None:
    """What correlation within therapy groups would do: SE times sqrt(1 + (m - 1) rho)."""
    size = trial.analysis.group_size
    if not size:
        return
    found = estimates.analyse(trial, name)
    for visit, one in found.contrasts.items():
        half = (one.high - one.low) / 2
        for rho in RHO:
            wider = float(np.sqrt(1 + (size - 1) * rho))
            out.add(name, "difference", visit, f"{found.method}/groups of {size}/rho={rho:g}",
                    b=one.b, se=one.se * wider, ci_low=one.b - half * wider,
                    ci_high=one.b + half * wider)
        reach = ((one.b / half) ** 2 - 1) / (size - 1) if size > 1 else float("nan")
        out.add(name, "difference", visit, f"{found.method}/groups of {size}",
                rho_reaching_zero=reach if reach > 0 else 0.0)


def is_contrast(frame: pd.DataFrame) -> pd.Series:
    """Which methods are rows of the grid: a contrast with its own p."""
    return frame["method"].isin(frame.loc[frame["statistic"] == "p", "method"])


def table(trial: Trial, frame: pd.DataFrame, ranges: dict | None = None) -> Table:
    """The grid, one row a method and visit.

    ``ranges`` maps a visit to what `mair.published.identified.over_cohorts` gives for it.
    """
    n = Lookup(frame)
    own = frame[is_contrast(frame)][["time", "method"]].drop_duplicates()
    display, data = [], []
    for visit, method in own.itertuples(index=False):
        key = ("robustness", trial.primary.name, "difference", visit, method)
        cell = {s: n(*key, statistic=s) for s in STATISTICS}
        display.append({
            "Visit": visit, "Method": method, "n (rows)": f"{cell['n']:g} ({cell['n_rows']:g})",
            f"B ({100 * trial.analysis.confidence:g}% CI)": fmt.estimate(
                cell["b"], cell["ci_low"], cell["ci_high"]),
            "SE": fmt.number(cell["se"]), "df": fmt.number(cell["df"], 1, missing=""),
            "p": fmt.p_value(cell["p"]),
        })
        low, high, _ = (ranges or {}).get(visit, {}).get(method, (None, None, None))
        if any((ranges or {}).values()):
            display[-1]["B over cohorts"] = fmt.interval(low, high, missing="")
        data.append({"time": visit, "method": method, **cell, "b_lowest_cohort": low,
                     "b_highest_cohort": high})
    order = sorted(range(len(display)), key=lambda i: trial.primary.visits.index(
        display[i]["Visit"]))
    display, data = [display[i] for i in order], [data[i] for i in order]
    groups = pd.Series([f"{trial.primary.name}, {row['Visit']}" for row in display])
    shown = pd.DataFrame(display).drop(columns="Visit")
    return Table("robustness", f"{trial.primary.name} under every choice", shown,
                 pd.DataFrame(data), groups=groups,
                 notes=("Method: covariance / inference, then the missing-data rule. Re-randomised "
                        "intervals are approximate: the other visits' shifts are held at their "
                        "estimates.",),
                 synthetic=trial.synthetic)


def forest_frame(trial: Trial, frame: pd.DataFrame, visit: str) -> pd.DataFrame:
    """The grid at one visit for a forest plot, in the outcome's own units; no shifted values."""
    n = Lookup(frame)
    own = frame[is_contrast(frame) & (frame["time"] == visit)
                & ~frame["method"].str.contains("delta=")]
    found = []
    for method in own["method"].unique():
        key = ("robustness", trial.primary.name, "difference", visit, method)
        b, low, high, p = (n(*key, statistic=s) for s in ("b", "ci_low", "ci_high", "p"))
        found.append((method, "", b, low, high, fmt.estimate(b, low, high), fmt.p_value(p)))
    return pd.DataFrame(found, columns=["label", "visit", "estimate", "low", "high", "text",
                                        "p_text"])


def conclusion(trial: Trial, frame: pd.DataFrame, visit: str) -> str:
    """Over how many choices the interval stays on one side of zero, and which change it."""
    own = forest_frame(trial, frame, visit).dropna(subset=["low", "high"])
    holds = own[(own["low"] <= 0) & (own["high"] >= 0)]
    said = (f"**{visit}**: {len(own)} analyses, estimates from "
            f"{fmt.number(own['estimate'].min())} to {fmt.number(own['estimate'].max())}; "
            f"{len(own) - len(holds)} intervals exclude 0")
    if len(holds):
        named = f" ({', '.join(holds['label'])})" if len(holds) <= 5 else ""
        said += f", {len(holds)} hold it{named}"
    return said + "."


def changes(trial: Trial, frame: pd.DataFrame, visit: str, over: dict) -> str:
    """Which choices change the answer in every cohort, in one sentence (or none).

    A choice changes the answer where its interval holds 0 and the declared one's does not, or
    the reverse; a synthetic cohort alone shows no such thing, so every cohort must.
    """
    own = declared(trial, frame)
    if own not in over:
        return ""
    answer = over[own][2]
    always = [m for m, (_, _, v) in over.items() if v == v and answer == answer and v != answer
              and "delta=" not in m]
    sometimes = [m for m, (_, _, v) in over.items() if v != v and "delta=" not in m]
    said = (f"no choice changes the answer of {own} in all cohorts" if not always else
            f"in all cohorts the answer changes under {', '.join(always)}")
    return f"**{visit}, over cohorts**: {said}; {len(sometimes)} choices do in some and not others."


def tipping_sentence(trial: Trial, frame: pd.DataFrame, visit: str) -> str:
    """The tipping point in words (or none)."""
    n = Lookup(frame)
    key = ("robustness", trial.primary.name, "difference", visit, "tipping-point")
    if (*key, "tips") not in n:
        return ""
    delta, tips, already, imputed, beyond = (
        n(*key, statistic=s) for s in ("delta", "tips", "held_already", "imputed", "beyond"))
    if not tips:
        why = "the interval holds 0 already" if already else "none within the scale"
        return f"**Tipping point, {visit}**: {why}."
    share = 100 * beyond / imputed if imputed else 0.0
    return (f"**Tipping point, {visit}**: the unseen of {trial.treatment} would have to be "
            f"{fmt.number(delta, 1)} points worse than imputed for the interval to hold 0; "
            f"{share:.0f}% of the values so imputed would lie beyond the scale.")


def delta_table(trial: Trial, visit: str) -> Table | None:
    """The contrast when the imputed values of either arm are made worse; None without any.

    Rows shift the treatment arm's imputed values at the visit, columns the control arm's.
    """
    steps = [0.0, *deltas(trial)[:4]]
    if len(steps) == 1 or not trial.scores(trial.primary.name).isna().to_numpy().any():
        return None
    grid = missing.delta_grid(trial, trial.primary.name, visit, steps)
    if grid is None:
        return None
    display, data = [], []
    for i, own in enumerate(steps):
        cells = [(grid.estimate[i, j], grid.low[i, j], grid.high[i, j]) for j in range(len(steps))]
        display.append({f"{trial.treatment} worse by": f"{own:g}", **{
            f"{trial.control} worse by {other:g}": fmt.estimate(*cell, 1)
            for other, cell in zip(steps, cells, strict=True)}})
        data += [{"treatment_delta": own, "control_delta": other, "b": b, "ci_low": low,
                  "ci_high": high} for other, (b, low, high) in zip(steps, cells, strict=True)]
    k = trial.primary.visits.index(visit)
    return Table(f"delta_grid_{k}", f"Imputed values made worse in either arm, {visit}",
                 pd.DataFrame(display), pd.DataFrame(data),
                 notes=("random-intercept/kenward-roger/mi-mar; the same imputations in every "
                        "cell; in the outcome's points, towards the bad end.",),
                 synthetic=trial.synthetic)


def reference_sentence(trial: Trial, frame: pd.DataFrame) -> str:
    """That jump and copy to reference coincide, where they do (or nothing)."""
    own = frame[frame["statistic"] == "b"].set_index(["method", "time"])["value"]
    pairs = [(own[("random-intercept/kenward-roger/mi-j2r", v)],
              own[("random-intercept/kenward-roger/mi-cr", v)])
             for v in trial.primary.visits[1:]
             if ("random-intercept/kenward-roger/mi-j2r", v) in own.index]
    if not pairs or any(a != b for a, b in pairs):
        return ""
    return ("Jump and copy to reference coincide here: nobody was lost from the treatment arm "
            "after having been seen at a later visit.")


def groups_sentence(trial: Trial, frame: pd.DataFrame, visit: str) -> str:
    """The correlation within groups at which the interval reaches zero (or none)."""
    own = frame[(frame["statistic"] == "rho_reaching_zero") & (frame["time"] == visit)]
    if own.empty:
        return ""
    rho = float(own["value"].iloc[0])
    size = trial.analysis.group_size
    return (f"**{visit}**: with groups of {size} the interval reaches 0 at a correlation of "
            f"{rho:.2f} within groups." if rho > 0 else
            f"**{visit}**: the interval holds 0 without any correlation within groups.")


def alt(trial: Trial, frame: pd.DataFrame, visit: str) -> str:
    """The forest of the grid in words."""
    own = forest_frame(trial, frame, visit)
    return (f"{trial.primary.name} at {visit}: B with its interval under {len(own)} analyses, from "
            f"{fmt.number(own['estimate'].min())} to {fmt.number(own['estimate'].max())}; the "
            "published choice is marked.")


def declared(trial: Trial, frame: pd.DataFrame) -> str:
    """The method of the declared analysis, as far as the grid has it."""
    found = estimates.analyse(trial, trial.primary.name).method
    return found if (frame["method"] == found).any() else ""
