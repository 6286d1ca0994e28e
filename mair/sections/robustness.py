"""The primary contrast under every choice a statistician could have made, and by design alone."""

import copy
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import linregress

from mair.results import Rows
from mair.sections import analysis as estimates
from mair.sections import arms, imputed, measures
from mair.sections import model as models
from mair.stats import clusters, effects, mixed, permute, pooling
from mair.stats.smallsample import tested
from mair.trial import Trial, remembered
from mair.trial.errors import declared

PLAIN, GRID, LABELS = declared("choices").values()
REFERENCE = "rerandomisation/random-intercept"
RHO = (0.0, 0.01, 0.02, 0.05, 0.10)
AROUND = (0.5, 0.8, 1.5)  # sizes of a therapy group beside the one declared
TIPPING = {"tipping-point": (1, 0), "tipping-point/control-better": (0, -1),
           "tipping-point/both": (1, -1)}  # how many deltas worse: treatment, control
EVERYBODY, FARTHEST = 200, 10  # left out in turn; of more people, those so far from their mean
DOSE = "change-on-sessions"
INVERTED = 2000  # allocations behind an interval: a root search refits them some ten times;
COLUMNS = 12  # of a design of more columns fewer, as each costs by their square


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
        for visit in found.contrasts:
            out.add(name, "difference", visit, found.method, **found.statistics(visit))
    parts = [_groups] if quick else [_rerandomised, _bootstrapped, _groups, _left_out, _dose]
    for part in [*parts, *((_reference_based, _tipping) if incomplete(trial, name) else ())]:
        part(trial, name, out)
    return out.frame()


def incomplete(trial: Trial, name: str) -> bool:
    """Whether somebody was not seen at a visit of the variable."""
    return bool((~trial.seen(name)).to_numpy().any())


def grid(trial: Trial, name: str) -> list[estimates.Estimate]:
    """The declared analysis and those of ``data/choices.yaml``, each that was fitted once."""
    found: dict[str, estimates.Estimate] = {}
    for block in GRID:
        for values in product(*block.values()) if (
                "missing" not in block or incomplete(trial, name)) else ():
            one = estimates.analyse(trial, name, **PLAIN | dict(zip(block, values, strict=True)))
            found.setdefault(one.method, one)
    declared = estimates.analyse(trial, name)
    return list((found | {declared.method: declared}).values())


def _rerandomised(trial: Trial, name: str, out: Rows) -> None:
    """The model's contrast under the allocations that could have been."""
    design, base = models.build(trial, name), estimates.analyse(trial, name, **PLAIN).contrasts
    if not base:
        return
    rows = design.rows["time"].isin([trial.reference, *base]).to_numpy()
    people, groups = np.unique(design.rows["participant"][rows], return_inverse=True)
    arm = (trial.arm[people] == trial.treatment).to_numpy(int)
    strata, chosen = models.strata(trial, people), trial.analysis
    drawn = permute.allocations(arm, strata=strata, draws=chosen.draws,
                                rng=np.random.default_rng([chosen.seed, 7]))
    common, by_arm = models.held(design, base, rows)
    most = max(200, int(INVERTED * min(1, COLUMNS / (common.shape[1] + by_arm.shape[1])) ** 2))
    few = np.random.default_rng([chosen.seed, 9]).permutation(len(drawn.arms))[:most]
    fewer = drawn if len(drawn.arms) <= most else drawn._replace(arms=drawn.arms[few], exact=False)
    y, own = design.y[rows], slice(common.shape[1] + 1, None)  # the later visits' contrasts
    whole = mixed.random_intercept_arms(y, common, by_arm, groups, np.vstack([arm, drawn.arms]))
    refits = mixed.combinations_arms(np.c_[y, by_arm[:, 1:] * arm[groups][:, None]], common, by_arm,
                                     groups, fewer.arms)
    found = permute.rerandomise(whole.beta[:, own], whole.se[:, own], drawn.exact)

    def refitted(weights):
        one = refits(weights)
        return one.beta[:, own], one.se[:, own]

    b, se = whole.beta[0, own], whole.se[0, own]
    for k, visit in enumerate(base):
        limits = permute.invert(refitted, b, se, fewer.exact, k, confidence=chosen.confidence,
                                tolerance=permute.TOLERANCE * INVERTED / most)
        ends = (x if np.isfinite(x) else None for x in limits)
        one = estimates.Contrast(b[k], se[k], None, found.t[k], found.p[k], *ends)
        out.add(name, "difference", visit, REFERENCE, n=len(arm), n_rows=len(groups),
                **estimates.statistics(one), mc_error=found.mc_error[k],
                allocations=len(drawn.arms), exact=int(drawn.exact))


def _bootstrapped(trial: Trial, name: str, out: Rows) -> None:
    """BCa interval of d_ppc2, people resampled within their arm."""
    for k, visit in enumerate(trial.primary.visits[1:]):
        people, draws = measures.pairs(trial, name, visit), trial.analysis.draws
        found = effects.bca_d_ppc2(*people, draws=draws, confidence=trial.analysis.confidence,
                                     rng=np.random.default_rng([trial.analysis.seed, 8, k]))
        out.add(name, "difference", visit, "d_ppc2/bca", n=sum(map(len, people)),
                **arms.interval("d", found), draws=draws)


def _reference_based(trial: Trial, name: str, out: Rows) -> None:
    """Conditional-mean imputation with the jackknife, beside Rubin's information-anchored SE."""
    y, arm, covariates, people = imputed.arrays(trial, name)
    later = trial.primary.visits[1:]
    if not np.isnan(y).any():
        return
    found = pooling.jackknife(y, arm, covariates, range(1, y.shape[1]), [*imputed.RULES.values()])
    for i, (rule, (k, visit)) in enumerate(product(imputed.RULES, enumerate(later))):
        b, se = (x[i // len(later), k] for x in (found.estimate, found.se))
        one = tested(b, se if se > 0 else np.nan, np.inf, trial.analysis.confidence)
        out.add(name, "difference", visit, f"conditional-mean/jackknife/{rule}", n=len(people),
                n_rows=y.size, **estimates.statistics(one._replace(se=se)))


def deltas(trial: Trial) -> list[float]:
    """Shifts of imputed values shown beside the tipping points: tenths of the scale, or none."""
    span = trial.primary.range
    return [] if span is None else [round((span[1] - span[0]) * x / 10, 6) for x in range(1, 6)]


def _tipping(trial: Trial, name: str, out: Rows) -> None:
    """How far either arm's unseen values must be off, in the direction that hurts."""
    people, visits = len(imputed.arrays(trial, name)[3]), trial.primary.visits
    for visit, (method, direction) in product(visits[1:], TIPPING.items()):
        if (tip := imputed.tipping(trial, name, visit, direction)) is None:
            continue
        out.add(name, "difference", visit, method, delta=tip.delta,
                tips=int(tip.state == "tips"), held_already=int("already" in tip.state),
                imputed=tip.imputed, beyond=tip.beyond)
        for delta in deltas(trial) if 0 in direction else ():
            own, other = (step * delta for step in direction)
            one = imputed.shifted(trial, name, visit, own, other)
            out.add(name, "difference", visit, "random-intercept/kenward-roger/mi-mar/"
                    f"delta={own:g}" + f"/control={other:g}" * (other != 0),
                    n=people, n_rows=people * len(visits), **estimates.statistics(one))


def group_sizes(trial: Trial) -> list[int]:
    """Supposed members of a therapy group: the number declared, and some around it."""
    size = trial.analysis.group_size
    return sorted({max(2, round(size * part)) for part in AROUND} | {size}) if size else []


def _groups(trial: Trial, name: str, out: Rows) -> None:
    """What correlation within therapy groups would do, and few groups alone."""
    found, sizes = estimates.analyse(trial, name), [trial.n(arm) for arm in trial.arms]
    for (visit, one), members in product(found.contrasts.items(), group_sizes(trial)):
        method = f"{found.method}/groups of {members}"
        in_them = clusters.in_groups(one.estimate, one.se, sizes, members, RHO,
                                     confidence=trial.analysis.confidence)
        out.add(name, "difference", visit, method, groups=in_them.groups, df=in_them.df,
                rho_reaching_zero=in_them.reaching_zero)
        for rho, se, low, high in zip(RHO, in_them.se, in_them.low, in_them.high, strict=True):
            out.add(name, "difference", visit, f"{method}/rho={rho:g}", b=one.estimate,
                    se=se, df=in_them.df, ci_low=low, ci_high=high)


def without(trial: Trial, person: str) -> Trial:
    """The trial as its primary outcome would be analysed had a person not taken part."""
    name, other, own = trial.primary.name, copy.copy(trial), vars(trial)
    kept = own["arm"].index != person
    vars(other).update(
        arm=own["arm"][kept], _scores={name: own["_scores"][name][kept]},
        _seen={name: own["_seen"][name][kept]},
        covariates=tuple(replace(one, values=one.values[kept]) for one in own["covariates"]))
    return other


def _left_out(trial: Trial, name: str, out: Rows) -> None:
    """The declared analysis without each person in turn; of imputed data, of what was observed."""
    whole = estimates.analyse(trial, name, missing="observed")
    scores, refits = models.wide(trial, name), {}
    for visit, one in whole.contrasts.items():
        change = scores[visit] - scores[trial.reference]
        far = (change - change.groupby(scores["arm"]).transform("mean")).abs()
        most = len(far) if len(far) <= EVERYBODY else FARTHEST
        who = far.sort_values(ascending=False, kind="stable").index[:most]
        for person in who.difference(list(refits)):
            refits[person] = estimates.analyse(without(trial, person), name, missing="observed")
        found = [refits[person].contrasts.get(visit) for person in who]
        found = [other for other in found if other is not None and other.se > 0]
        answer = one.low <= 0 <= one.high
        out.add(name, "difference", visit, f"{whole.method}/leave-one-out", n=len(scores),
                refits=len(found), b_low=min((f.estimate for f in found), default=None),
                b_high=max((f.estimate for f in found), default=None),
                changed=sum((f.low <= 0 <= f.high) != answer for f in found))


def _dose(trial: Trial, name: str, out: Rows) -> None:
    """Change over sessions attended, by arm: least squares. Nobody was allocated a dose."""
    sessions, scores = trial.series("sessions"), trial.scores(name)
    for arm, visit in () if sessions is None else product(trial.arms, trial.primary.visits[1:]):
        pairs = pd.DataFrame({"dose": sessions, "change": scores[visit] - scores[trial.reference]})
        pairs = pairs[trial.arm == arm].dropna().astype(float)
        df = len(pairs) - 2
        if df > 0 and pairs["dose"].nunique() > 1:
            line = linregress(pairs["dose"], pairs["change"])
            one = tested(line.slope, line.stderr, df, trial.analysis.confidence)
            out.add(name, arm, visit, DOSE, n=len(pairs), b=one.estimate, se=one.se, df=df,
                    ci_low=one.low, ci_high=one.high, p=one.p)


def is_contrast(frame: pd.DataFrame) -> pd.Series:
    """Which methods are rows of the grid: a contrast with its own p."""
    return (frame["arm"] == "difference") & frame["method"].isin(
        frame.loc[frame["statistic"] == "p", "method"])


def distinct(values, errors=None) -> int:
    """How many estimates, or pairs of estimate and standard error, differ by more than 1e-9."""
    columns = [np.asarray(x, float) for x in (values, errors) if x is not None]
    return len({tuple(float(f"{x:.9g}") for x in one) for one in zip(*columns, strict=True)})


def steps(trial: Trial, visit: str, direction: tuple[int, int]) -> list[float]:
    """Shifts along one arm's axis of the delta grid: round steps from 0 to beyond the tip.

    To the width of the scale where nothing tips, to half of it where zero is within already.
    """
    tip = imputed.tipping(trial, trial.primary.name, visit, direction)
    most = imputed.reach(trial, trial.primary.name)
    end = 1.1 * tip.delta if tip.delta > 0 else most / (2 if "already" in tip.state else 1)
    tens = 10.0 ** np.floor(np.log10(end / 4))
    step = tens * min(x for x in (1, 2, 2.5, 5, 10) if x * tens >= end / 4 * (1 - 1e-9))
    count = min(np.ceil(end / step - 1e-9), np.floor(most / step + 1e-9))
    return [round(float(k * step), 9) for k in range(int(count) + 1)]


@remembered
def delta_grid(trial: Trial, visit: str, fine: int = 1) -> pd.DataFrame:
    """The contrast when the treatment arm's imputed values are worse, the control arm's better.

    Parameters
    ----------
    trial : Trial
    visit : str
        A later visit of the primary outcome.
    fine : int
        Parts into which each step is cut.

    Returns
    -------
    DataFrame
        ``treatment`` from 0 to beyond where the answer tips, ``control`` as far to the good end
        (negative) and to the bad one, in the outcome's points towards the bad end; ``b``,
        ``ci_low``, ``ci_high``. Empty where nothing is missing or can be imputed.
    """
    name, columns = trial.primary.name, ["treatment", "control", "b", "ci_low", "ci_high"]
    if not incomplete(trial, name) or imputed.tipping(trial, name, visit, (1, 0)) is None:
        return pd.DataFrame(columns=columns, dtype=float)
    own, other = (steps(trial, visit, direction) for direction in ((1, 0), (0, -1)))
    own, other = (np.interp(np.arange(fine * (len(x) - 1) + 1) / fine, range(len(x)), x)
                  for x in (own, [*(-x for x in other[:0:-1]), *other]))
    shifts = np.meshgrid(own, other, indexing="ij")
    found = imputed.shifted(trial, name, visit, *shifts)
    cells = (*shifts, found.estimate, found.low, found.high)
    return pd.DataFrame({key: x.ravel() for key, x in zip(columns, cells, strict=True)})
