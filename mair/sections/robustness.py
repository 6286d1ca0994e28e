"""The primary contrast under every choice a statistician could have made, and by design alone."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from mair.results import Rows
from mair.sections import analysis as estimates
from mair.sections import imputed
from mair.sections import model as models
from mair.stats import bootstrap, permute, pooling
from mair.trial import Trial, remembered

COVARIANCES = ("random-intercept", "compound-symmetry", "unstructured")
INFERENCES = ("z", "satterthwaite", "kenward-roger")
CHOICES = ("estimator", "covariance", "inference", "missing", "reml", "variance")
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
    out, name = Rows("robustness"), trial.primary.name
    for found in grid(trial, name):
        for visit, one in found.contrasts.items():
            _contrast(out, name, visit, found.method, (*found.sizes[visit], *one),
                      **found.extra.get(visit, {}))
    if not quick:
        _rerandomised(trial, name, out)
        _bootstrapped(trial, name, out)
    if incomplete(trial, name):
        _reference_based(trial, name, out)
        _tipping(trial, name, out)
    _groups(trial, name, out)
    return out.frame()


def _contrast(out: Rows, name: str, visit: str, method: str, values, **extra) -> None:
    """A contrast between arms; ``values`` in the order of `STATISTICS`."""
    out.add(name, "difference", visit, method, **dict(zip(STATISTICS, values, strict=True)),
            **extra)


def incomplete(trial: Trial, name: str) -> bool:
    """Whether somebody was not seen at a visit of the variable."""
    return bool((~trial.seen(name)).to_numpy().any())


def grid(trial: Trial, name: str) -> list[estimates.Estimate]:
    """Covariance x inference x estimator on observed rows, the missing-data rules, and each arm
    with variances of its own.

    Analyses that fall back to one already there are left out; ANCOVA has no covariance and
    stands once an inference.
    """
    observed = [*product(("difference", "clda"), COVARIANCES, INFERENCES),
                *product(("ancova",), COVARIANCES[:1], (INFERENCES[0], INFERENCES[2]))]
    choices = [*((*one, "observed", True) for one in observed), (*observed[0], "observed", False)]
    if incomplete(trial, name):
        choices += [("difference", covariance, INFERENCES[2], rule, True)
                    for rule, covariance in product(imputed.RULES, COVARIANCES[::2])]
    choices = [*((*one, "common") for one in choices), *(
        (*one, INFERENCES[2], "observed", True, "by-arm") for one in (
            *product(("difference",), COVARIANCES[::2]), ("ancova", COVARIANCES[0])))]
    found: dict[str, estimates.Estimate] = {}
    for choice in choices:
        one = estimates.analyse(trial, name, **dict(zip(CHOICES, choice, strict=True)))
        found.setdefault(one.method, one)
    return list(found.values())


def _rerandomised(trial: Trial, name: str, out: Rows) -> None:
    """The model's contrast under the allocations that could have been."""
    design = models.build(trial, name)
    base = estimates.analyse(trial, name, covariance="random-intercept", variance="common",
                             inference="z", estimator="difference",
                             missing="observed").contrasts
    rows = design.rows["time"].isin([trial.reference, *base]).to_numpy()
    if not base:
        return
    labels, groups = np.unique(design.rows["participant"][rows], return_inverse=True)
    arm = (trial.arm[labels] == trial.treatment).to_numpy(int)
    strata = trial.series("strata")
    drawn = permute.allocations(
        arm, strata=None if strata is None else pd.factorize(strata[labels])[0],
        draws=trial.analysis.draws, rng=np.random.default_rng([trial.analysis.seed, 7]))
    few = np.random.default_rng([trial.analysis.seed, 9]).permutation(len(drawn.arms))[:INVERTED]
    fewer = drawn if len(drawn.arms) <= INVERTED else drawn._replace(
        arms=drawn.arms[few], exact=False)
    times = {visit: design.columns[f"time {visit}"][rows] for visit in base}
    by_arm = np.column_stack([np.ones(len(groups)), *times.values()])
    common = np.column_stack([by_arm, *(design.columns[c][rows] for c in design.names
                                        if c.startswith("covariate "))])
    shift = {visit: arm[groups] * seen for visit, seen in times.items()}
    for k, visit in enumerate(times, start=1):
        fit = permute.random_intercept_fit(common, by_arm, groups, k)
        found = permute.rerandomise(fit, design.y[rows], arm, drawn)
        held = sum((base[v].b * shift[v] for v in times if v != visit), np.zeros(len(groups)))
        limits = permute.invert(fit, design.y[rows], arm, fewer, shift[visit], held=held,
                                confidence=trial.analysis.confidence)
        low, high = (x if np.isfinite(x) else None for x in (limits.low, limits.high))
        _contrast(out, name, visit, REFERENCE,
                  (len(arm), len(groups), found.estimate, found.se, None, None, found.t, found.p,
                   low, high), mc_error=found.mc_error, allocations=found.allocations,
                  exact=int(found.exact))


def _bootstrapped(trial: Trial, name: str, out: Rows) -> None:
    """BCa interval of d_ppc2, people resampled within their arm."""
    scores = trial.scores(name)[trial.described(name)]
    for k, visit in enumerate(trial.primary.visits[1:]):
        pairs = scores[[trial.reference, visit]].dropna()
        arms = trial.arm[pairs.index]
        samples = [pairs[arms == arm].to_numpy(float) for arm in (trial.treatment, trial.control)]
        found = bootstrap.bca_d_ppc2(*samples, draws=trial.analysis.draws,
                                     rng=np.random.default_rng([trial.analysis.seed, 8, k]),
                                     confidence=trial.analysis.confidence)
        out.add(name, "difference", visit, "d_ppc2/bca", n=len(pairs), d=found.estimate,
                ci_low=found.low, ci_high=found.high, draws=trial.analysis.draws)


def _reference_based(trial: Trial, name: str, out: Rows) -> None:
    """Conditional-mean imputation with the jackknife, beside Rubin's information-anchored SE."""
    y, arm, covariates, people = imputed.arrays(trial, name)
    z = float(ndtri((1 + trial.analysis.confidence) / 2))
    rules, later = imputed.RULES if np.isnan(y).any() else {}, trial.primary.visits[1:]
    for (label, rule), (k, visit) in product(rules.items(), enumerate(later, start=1)):
        b, se = (found := pooling.jackknife(y, arm, covariates, k, rule=rule)).estimate, found.se
        ratio = b / se if se > 0 else np.nan
        _contrast(out, name, visit, f"conditional-mean/jackknife/{label}",
                  (len(people), y.size, b, se, None, ratio, None, float(2 * ndtr(-abs(ratio))),
                   b - z * se, b + z * se))


def deltas(trial: Trial) -> list[float]:
    """Shifts of imputed values shown beside the tipping point: tenths of the scale, or none."""
    span = trial.primary.range
    return [] if span is None else [round((span[1] - span[0]) * x / 10, 6) for x in range(1, 6)]


def _tipping(trial: Trial, name: str, out: Rows) -> None:
    """How much worse the treatment arm's unseen values must be for the interval to hold 0."""
    size = len(imputed.arrays(trial, name)[3])
    for visit in trial.primary.visits[1:]:
        shifted, tip = imputed.tipping_table(trial, name, visit, deltas(trial))
        for delta, *values in shifted.itertuples(index=False):
            _contrast(out, name, visit, f"random-intercept/kenward-roger/mi-mar/delta={delta:g}",
                      (size, size * len(trial.primary.visits), *values))
        if tip is not None:
            out.add(name, "difference", visit, "tipping-point", delta=tip.delta,
                    tips=int(tip.state == "tips"), held_already=int("already" in tip.state),
                    imputed=tip.imputed, beyond=tip.beyond)


def _groups(trial: Trial, name: str, out: Rows) -> None:
    """What correlation within therapy groups would do: SE times sqrt(1 + (m - 1) rho)."""
    size, found = trial.analysis.group_size, estimates.analyse(trial, name)
    for visit, one in found.contrasts.items() if size else ():
        half = (one.high - one.low) / 2
        for rho in RHO:
            wider = float(np.sqrt(1 + (size - 1) * rho))
            out.add(name, "difference", visit, f"{found.method}/groups of {size}/rho={rho:g}",
                    b=one.b, se=one.se * wider, ci_low=one.b - half * wider,
                    ci_high=one.b + half * wider)
        reach = ((one.b / half) ** 2 - 1) / (size - 1) if size > 1 else 0.0
        out.add(name, "difference", visit, f"{found.method}/groups of {size}",
                rho_reaching_zero=reach if reach > 0 else 0.0)


def is_contrast(frame: pd.DataFrame) -> pd.Series:
    """Which methods are rows of the grid: a contrast with its own p."""
    return frame["method"].isin(frame.loc[frame["statistic"] == "p", "method"])


@remembered
def delta_grid(trial: Trial, visit: str) -> pd.DataFrame:
    """The contrast when the imputed values of both arms are made worse, each by its own step.

    Parameters
    ----------
    trial : Trial
    visit : str
        A later visit of the primary outcome.

    Returns
    -------
    DataFrame
        Columns of ``results.csv``, in which these rows do not stand; statistics ``b ci_low
        ci_high`` under ``delta=<treatment>/control=<control>``, in the outcome's points towards
        the bad end. Empty where nothing is missing, or the outcome has no range.
    """
    out, name, steps = Rows("robustness"), trial.primary.name, [0.0, *deltas(trial)[:4]]
    if len(steps) > 1 and incomplete(trial, name):
        grid = imputed.delta_grid(trial, name, visit, steps)
        for (i, own), (j, other) in product(enumerate(steps), repeat=2) if grid else ():
            out.add(name, "difference", visit, f"delta={own:g}/control={other:g}",
                    b=grid.estimate[i, j], ci_low=grid.low[i, j], ci_high=grid.high[i, j])
    return out.frame()
