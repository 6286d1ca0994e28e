"""Multiple imputation of a trial's repeated measure, and the analyses of what was imputed."""

import numpy as np

from mair.sections import model as models
from mair.sections.analysis import BY_ARM, Choice, Contrast, Estimate, nothing, overall
from mair.stats import covariance as structures
from mair.stats import impute, operating, pooling, risk, shifts
from mair.stats.ancova import ancova
from mair.stats.columns import dependent_columns
from mair.stats.smallsample import tested
from mair.trial import Trial, remembered

RULES = {"mi-mar": "mar", "mi-j2r": "j2r", "mi-cr": "cr"}


def imputations(trial: Trial) -> int:
    """How many data sets are imputed: one for every fifty draws, at least 20."""
    return max(20, trial.analysis.draws // 50)


def generator(trial: Trial, name: str) -> np.random.Generator:
    """A generator of a variable's own, by its place in the trial file and not by its name."""
    place = [*trial.outcomes, *trial.biomarkers].index(name)
    return np.random.default_rng([trial.analysis.seed, place])


def arrays(trial: Trial, name: str, *, measured: bool = False):
    """Scores, arms and covariates of those with every covariate.

    Returns
    -------
    y : ndarray, shape (n, T)
        Model's scale, or the measured one; nan where missing.
    arm : ndarray of int, shape (n,)
    covariates : ndarray, shape (n, k), or None
        Columns that arm, baseline and those before them do not determine.
    people : Index
    """
    wide, visits = models.wide(trial, name), list(trial.variable(name).visits)
    y = trial.scores(name).loc[wide.index, visits] if measured else wide[visits]
    known = wide[wide[visits[0]].notna()]
    names = [column for column in wide if column.startswith("covariate ")]
    first = np.column_stack([np.ones(len(known)), known[["arm", visits[0], *names]]])
    dropped = dependent_columns(first)
    names = [column for i, column in enumerate(names, start=3) if i not in dropped]
    covariates = wide[names].to_numpy(float) if names else None
    return y.to_numpy(float), wide["arm"].to_numpy(int), covariates, wide.index


@remembered
def impute_variable(trial: Trial, name: str, rule: str, measured: bool = False) -> tuple:
    """Impute a variable under a rule of ``analysis.missing``.

    Returns
    -------
    imputed : mair.stats.impute.Imputed
    arm, covariates, people
        As `arrays` gives them.

    Raises
    ------
    mair.stats.impute.NotEstimable
        Too few people, even with both arms together.
    """
    if rule != "mi-mar":  # of the same parameters and noise
        found, *given = impute_variable(trial, name, "mi-mar")
        return found.under(RULES[rule]), *given
    y, arm, covariates, people = arrays(trial, name, measured=measured)
    if len(np.unique(arm)) < 2:
        raise impute.NotEstimable("an arm has nobody with every covariate")
    found = impute.impute(y, arm, covariates, m=imputations(trial), rng=generator(trial, name))
    return found, arm, covariates, people


def _closed(values, arm, covariates, choice):
    """Group x Time of every later visit by its closed form.

    Returns
    -------
    b, variance, df : ndarray (m, K), (m, K), (K,)
    model, state : str
        What was fitted, and what a reader must know of it.
    """
    def run(visit, covariance):
        return pooling.group_by_time(
            arm, covariates, visit, covariance=covariance)(values)

    b, variance, df = (np.stack(x, -1) for x in zip(*(
        run(visit, choice.covariance) for visit in range(1, values.shape[2])), strict=True))
    pooled = choice.covariance == "random-intercept" and (  # with the variance between people
        variance[:, 0] < run(1, "compound-symmetry")[1]).any()
    return (b, variance, df * np.inf if choice.inference == "z" else df, choice.covariance,
            "participant variance at zero in some completed data sets" * bool(pooled))


def _refitted(values, arm, covariates, choice):
    """As `_closed`, of models without a closed form; df are means over the completed data."""
    n, T = values.shape[1:]
    who, when = np.repeat(np.arange(n), T), np.tile(np.arange(T), n)
    later, given = (when[:, None] == np.arange(1, T)).astype(float), [arm, covariates][choice.clda:]
    X = np.column_stack([np.ones(n * T), *(x[who] for x in given if x is not None), later,
                         later * arm[who, None]])
    first = structures.fit(values[0].ravel(), X, who, when, choice.covariance,
                           arms=arm[who] if choice.by_arm else None)
    if not first.converged:
        raise impute.NotEstimable(first.fallback)
    model = first.structure + BY_ARM * first.by_arm
    found = operating.inferences(values.reshape(len(values), -1), X, who, when, arm,
                                 np.eye(X.shape[1])[1 - T:], [model])[model, choice.inference]
    return (found.estimate, found.se**2, found.df.mean(0), model, first.fallback
            and f"{choice.covariance.replace('-', ' ')} could not be fitted: {first.fallback}")


def _ancova(values, arm, covariates, choice):
    """As `_closed`, of ANCOVA at each later visit."""
    found = np.array([[ancova(one[:, k], one[:, 0], arm, covariates, inference=choice.inference,
                              by_arm=choice.by_arm).contrast[:3] for k in range(1, values.shape[2])]
                      for one in values])
    return (found[..., 0], found[..., 1]**2, found[..., 2].mean(0),
            "ancova" + BY_ARM * choice.by_arm, "")


def analyse(trial: Trial, name: str, choice: Choice, observed: Estimate) -> Estimate:
    """The declared contrasts after multiple imputation, pooled by Rubin's rules.

    Parameters
    ----------
    trial : Trial
    name : str
    choice : Choice
        ``missing`` a key of `RULES`.
    observed : Estimate
        The same analysis of the observed rows; it stands beside.

    Returns
    -------
    Estimate
        With the fraction of missing information and the Monte-Carlo error in ``extra``.
    """
    is_ancova, visits = choice.estimator == "ancova", trial.variable(name).visits
    fitted = _ancova if is_ancova else _refitted if choice.clda or choice.by_arm else _closed
    model = ("ancova" if is_ancova else choice.covariance) + BY_ARM * choice.by_arm
    found = {"residuals": observed.residuals, "beside": observed}
    try:
        imputed, *given, people = impute_variable(trial, name, choice.missing)
        b, variance, df, model, state = fitted(imputed.values, *given, choice)
        pooled = [pooling.rubin(*one) for one in zip(b.T, variance.T, df, strict=True)]
        if not all(one.se > 0 and one.df > 0 for one in pooled):
            raise impute.NotEstimable("completed data leave no variance")
    except ValueError as error:
        return nothing(f"{choice.method(model, False)}/{choice.missing}", str(error), **found)
    size = (len(people), len(people) * (2 if is_ancova else len(visits)))
    states = [f"the arms share the imputation model of {visits[t]}" for t in imputed.pooled]
    return Estimate(
        f"{choice.method(model, False)}/{choice.missing}",
        {visit: Contrast(*map(float, tested(*one[:3], trial.analysis.confidence)))
         for visit, one in zip(visits[1:], pooled, strict=True)},
        overall(*size, boundary=int("at zero" in state)), **found,
        state="; ".join(filter(None, [*states, state])),
        extra={visit: {"fmi": one.fmi, "mc_error": one.mc_error, "imputations": one.m}
               for visit, one in zip(visits[1:], pooled, strict=True)})


@remembered
def _shifting(trial: Trial, name: str, visit: str):
    """The pooled contrast of a visit as a function of shifts of what was imputed there.

    A `shifts.Surface`; None where nothing can be imputed. The complete-data analysis is of a
    random intercept under Kenward-Roger.
    """
    try:
        imputed, arm, covariates, _ = impute_variable(trial, name, "mi-mar")
    except ValueError:
        return None
    at = list(trial.variable(name).visits).index(visit)
    surface = shifts.Surface(imputed, arm, at, pooling.group_by_time(arm, covariates, at),
                             trial.variable(name).better)
    found = surface(0.0)
    return surface if found.df > 0 and found.within > 0 else None


def responders(trial: Trial, threshold: float, visit: str) -> pooling.Responders | None:
    """Responders at a threshold over imputations under MAR; None where nothing is imputable.

    People without any score at baseline above zero are left out, as they are of the observed
    proportions.
    """
    variable = trial.variable(trial.reductions["outcome"])
    try:
        imputed, arm, _, _ = impute_variable(trial, variable.name, "mi-mar", True)
    except ValueError:
        return None
    at = list(variable.visits).index(visit)
    start, score = imputed.values[:, :, 0], imputed.values[:, :, at]
    known = (start != 0).all(0)
    met = risk.meets(risk.improvement(start[:, known], score[:, known], better=variable.better),
                     threshold)
    return pooling.responders(met, arm[known]) if len({*arm[known]}) == 2 else None


def shifted(trial: Trial, name: str, visit: str, treatment, control) -> Contrast:
    """The pooled contrast with either arm's imputed values shifted towards the bad end.

    Parameters
    ----------
    trial : Trial
    name, visit : str
        Of which `tipping` is not None.
    treatment, control : float or array
        Shifts of either arm, outcome's units; they broadcast.
    """
    pooled = _shifting(trial, name, visit)(treatment, control)
    return tested(*pooled[:3], trial.analysis.confidence)


@remembered
def tipping(trial: Trial, name: str, visit: str, direction: tuple[int, int]):
    """The smallest shift along a direction at which the interval holds 0.

    Returns
    -------
    shifts.Tipping or None
        None where nothing can be imputed.
    """
    surface = _shifting(trial, name, visit)
    return surface and surface.tipping_point(
        reach(trial, name), scale=trial.variable(name).range, direction=direction,
        confidence=trial.analysis.confidence)


def reach(trial: Trial, name: str) -> float:
    """Largest shift looked at: the width of the scale, or four standard deviations."""
    span = trial.variable(name).range
    return float(span[1] - span[0] if span else
                 4 * np.nanstd(impute_variable(trial, name, "mi-mar")[0].values))
