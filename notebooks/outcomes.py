# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Outcomes
#
# **Question.** How differently did the two arms change from baseline to each later visit?
#
# *Reads* the trial file and its data. *Writes* the rows `outcomes`, `emm` and `normality`,
# the tables `outcomes`, `outcomes_models`, `outcomes_effect_sizes`, `outcomes_normality`, and
# the figures `primary`, `trajectories`, `outcomes_forest`, `residuals` and `residuals_of_all`;
# where the publication prints d, `outcomes_d` too.
#
# Of outcomes that are modelled as logarithms it writes the table `outcomes_ratios`, too.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file
out = None  # the run's output folder; None writes nothing
# The choices are the schema's defaults, made for small trials; None: as the trial file declares.
covariance = "unstructured"  # or "random-intercept", "compound-symmetry"
variance = "common"  # of both arms; or "by-arm", each its own
inference = "kenward-roger"  # or "satterthwaite", "z"
estimator = "difference"  # Group x Time against baseline; or "clda", "ancova"
missing = "observed"  # rows the model uses; or imputed: "mi-mar", "mi-j2r", "mi-cr"
confidence = 0.95  # two-sided coverage of every interval, between 0 and 1
seed = 2020  # of imputations, where `missing` asks for them; 0 or more
draws = 10000  # one imputation for every fifty; 1 or more
fdr_families = {"outcomes": "outcomes", "biomarkers": "biomarkers"}  # None: no correction

# %%
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

from mair import results
from mair.report import beside, curves, fmt, forest, frames, people, tables_result, words
from mair.report.show import Show
from mair.report.table import MARK
from mair.sections import analysis, measures, model, study
from mair.stats import mixed
from mair.trial import load

# %%
t = load(trial, covariance=covariance, variance=variance, inference=inference,
         estimator=estimator, missing=missing, confidence=confidence, seed=seed, draws=draws,
         fdr_families=fdr_families)
show = Show(t, out)
control, treatment = t.called.values()
repeated = measures.variables(t, "outcomes")  # seen at baseline and later
leading = measures.leading(t, "outcomes")  # of these the primary one, else the first
words.opening(t, "outcomes")

# %%
beside.compare(t, measures.rows, "outcomes")  # with what the trial file declares

# %% [markdown] tags=["fold"]
# ## The model
#
# The difference in change is the Group x Time coefficient $B_t$ of a linear mixed model of
# person $i$ at visit $t$:
#
# $$y_{it} = \beta_0 + \beta_1\,\mathrm{arm}_i + \gamma_t + B_t\,\mathrm{arm}_i
# + \mathbf{c}_i^{\top}\boldsymbol{\delta} + u_i + e_{it},
# \qquad u_i \sim N(0, \sigma_u^2),\; e_{it} \sim N(0, \sigma_e^2)$$
#
# with $\gamma$ and $B$ zero at baseline, covariates $\mathbf{c}_i$, and a random intercept $u_i$,
# fitted by REML to every observed score, unless the trial file chooses otherwise. $B_t$ is in the
# outcome's own points; negative is better where lower scores are.

# %% [markdown]
# ## The estimand

# %%
words.estimand(t, "difference between arms in mean change from baseline, at each later visit")

# %% [markdown] tags=["appendix"]
# ## The primary analysis in the open
#
# The model of the primary outcome sees one row a score, with the covariates of the person beside
# it. Of invented people the first rows are shown, of real ones a summary of all.

# %%
data = model.observations(t, leading.name)
data["arm"] = pd.Categorical(data["arm"], t.arms)
data["time"] = pd.Categorical(data["time"], leading.visits)
data = data.assign(**{c.name: data["participant"].map(c.values) for c in t.covariates})
mark = f"**{MARK}.** " if t.synthetic else ""
words.say(f"{mark}{len(data)} scores of {data['participant'].nunique()} people on "
          f"{leading.name}:")
data.head() if t.synthetic else data.groupby(["arm", "time"], observed=True)["y"].agg(
    ["size", "mean", "std"])

# %% [markdown]
# First the model by `statsmodels`, from its formula: arm by visit, the covariates, and a random
# intercept for each person, by REML. What is wanted is the coefficient of arm by visit at each
# later visit.

# %%
formula = "y ~ arm * time" + "".join(f" + Q({c.name!r})" for c in t.covariates)
try:
    theirs = smf.mixedlm(formula, data, groups="participant").fit(reml=True)
    words.say(f"{mark}`{formula}`, a random intercept for each participant:")
except (ValueError, np.linalg.LinAlgError) as failure:
    theirs = None
    words.say(f"statsmodels cannot fit `{formula}` to these rows: {failure}.")
theirs and theirs.summary().tables[1].drop(columns="P>|z|")  # it prints 0.000

# %% [markdown]
# Then this package's engine on the same rows and the same design matrix.

# %%
if theirs:
    ours = mixed.random_intercept(data["y"].to_numpy(), theirs.model.exog,
                                  pd.factorize(data["participant"])[0])
    columns = {"B, statsmodels": theirs.fe_params, "B, mair": ours.beta,
               "SE, statsmodels": theirs.bse_fe, "SE, mair": ours.se}
    beside = pd.DataFrame(columns, index=theirs.model.exog_names)
    words.say(f"{mark}Arm by visit, from both:")
theirs and beside[beside.index.str.contains(":")].round(6)

# %%
if theirs and theirs.converged and ours.converged:
    gap = abs(beside["B, mair"] - beside["B, statsmodels"]) / beside["SE, mair"]
    se = abs(beside["SE, mair"] / beside["SE, statsmodels"] - 1)
    between, residual = float(ours.var_participant), float(ours.var_residual)
    off = max(abs(float(theirs.cov_re.iloc[0, 0]) - between), abs(theirs.scale - residual))
    words.say(
        f"The two agree on every coefficient to within {gap.max():.1g} standard errors and on the "
        f"variances (of people {fmt.number(between)}, residual {fmt.number(residual)}) to within "
        f"{off:.1g}. Their standard errors differ by up to {100 * se.max():.2g}%: statsmodels "
        "takes them from the joint Hessian of coefficients and variances, mair as lme4 and SPSS "
        "do from (X'V⁻¹X)⁻¹ at the estimated variances.")

# %%
if theirs:
    words.say("" if theirs.converged else "**statsmodels did not converge**: its numbers do not "
              "count.", "The variance of people is estimated as zero: this is the edge of what a "
              "random intercept can say." if ours.boundary else "")

# %%
primary = analysis.analyse(t, leading.name)
words.say("The declared analysis of every outcome is "
          + ("this model." if primary.method == "random-intercept/z" else
             f"another one ({words.method(primary.method)}): what stands above is the "
             "random-intercept model with z, what follows is the declared one."))

# %% [markdown] tags=["fold"]
# ## What the data look like
#
# Thick lines are the model's means with their intervals. Look first at how far people differ
# from each other and from visit to visit, then at the means.

# %%
words.say(words.DRAWN[t.individuals])
who = "people" if t.individuals else "medians and quartiles"

# %%
rows = measures.rows(t, "outcomes")
ci = f"{100 * t.analysis.confidence:g}% CI"
means = frames.means(t, rows)
scores, name = frames.people(t), leading.name
numbers = "; ".join(f"{one.arm}, {t.visit_labels[one.visit]}, {fmt.number(one.mean, 1)}"
                    for one in means[means["outcome"] == name].itertuples())
show(people.primary(scores[scores["outcome"] == name], means[means["outcome"] == name],
                    frames.axes(t)[name], arms=t.labels,
                    visits={visit: t.visit_labels[visit] for visit in leading.visits}),
     "primary" if name == t.primary.name else "leading",
     f"{name} in each arm: {who} in grey, in colour the model's means with their {ci}",
     alt=f"{name} by arm: {who} in grey, and model means with {ci}: {numbers}.")

# %%
show(people.trajectories(scores, means, frames.axes(t), arms=t.labels,
                         visits=t.visit_labels), "trajectories",
     f"Every outcome: {who}, and model means with intervals",
     alt=f"Scores of {', '.join(repeated)} at {', '.join(t.visit_labels.values())}: thin, {who}"
         f" and, for {control} and {treatment}, model means with {ci}, as in "
         "the table of outcomes.")

# %%
course = {(one.arm, one.visit): fmt.number(one.mean) for one in means.itertuples()
          if one.outcome == leading.name}
words.say(f"The model's means of {leading.name} are "
          + "; ".join(" and ".join(f"{course[arm, visit]} in {t.called[arm]}" for arm in t.arms
                                   if (arm, visit) in course) + f" ({t.visit_labels[visit]})"
                      for visit in leading.visits) + ".")

# %% [markdown]
# ## The estimates
#
# Means and standard deviations describe a fixed set of people; the models use everyone who
# was seen at least once. The two can therefore differ, and each column says its n. Look at *B*
# and its interval before p.

# %%
show(tables_result.outcomes(t, rows))
show(tables_result.ratios(t, rows, "outcomes"))

# %%
found = [one for name in repeated for one in results.records(
    rows, analysis="outcomes", variable=name, arm="difference", time=measures.later(t, name),
    method=measures.method(rows, "outcomes", name))]
sides = {(one.variable, one.time): frames.side(t, one.variable, one.ci_low, one.ci_high)
         for one in found}
on = [list(sides.values()).count(arm) for arm in (treatment, control, "")]
words.say(f"There are {len(found)} contrasts between the arms. The interval lies wholly on the "
          f"side of {treatment} in {on[0]} of them, on that of {control} in {on[1]}, and it "
          f"includes zero, so that either arm may have done better, in {on[2]}.")

# %%
words.bullets(*(
    f"**{one.variable}, {t.visit_labels[one.time]}**: the contrast is not estimable."
    if fmt.absent(one.b) else
    f"**{one.variable}, {t.visit_labels[one.time]}**: the change from baseline differs between the "
    f"arms by {fmt.number(one.b)} ({ci} {fmt.ci(one.ci_low, one.ci_high)}; {fmt.p(one.p)}; "
    f"{one.n} people), " + (
        f"in favour of {sides[one.variable, one.time]}." if sides[one.variable, one.time] else
        "and the interval includes zero: either arm may have done better.")
    for one in found if one.variable == leading.name))

# %% [markdown] tags=["fold"]
# ## How large, and how sure
#
# To set outcomes side by side each *B* is divided by the pooled baseline standard deviation
# and turned so that the right-hand side favours the treatment arm. An interval that includes
# zero leaves the direction open.

# %%
plotted = frames.forest(t, rows)
left, right = frames.favours(t)
listed = "; ".join(f"{row.label} {row.visit} {row.text}" for row in plotted.itertuples())
if len(plotted):
    show(forest.forest(plotted, xlabel="B / baseline SD", favours=(left, right),
                       text={"text": f"B / SD ({ci})", "p_text": "p"}), "outcomes_forest",
         "Each difference in change over the baseline SD", of=rows[rows["method"] == "b_over_sd"],
         alt=f"Forest plot of B over the baseline SD with {ci}, left of zero {left}, right "
             f"{right}: {listed}.")

# %%
largest = plotted.loc[plotted["estimate"].abs().idxmax()] if len(plotted) else None
words.say("No contrast is estimable, so nothing is drawn." if largest is None else
          f"The largest is that of {largest['label']} ({largest['visit']}): {largest['text']} "
          f"baseline standard deviations. These are differences among {t.n()} people: the "
          "intervals say which effects the data are compatible with; they do not by themselves "
          "show that a treatment works.")

# %% [markdown]
# Effect sizes have more than one convention. [The table](#table-outcomes_effect_sizes) shows
# whether the choice matters.

# %% tags=["fold"]
show(tables_result.effect_sizes(t, rows))

# %% tags=["fold"]
beside_printed = frames.forest(t, rows, method="d_ppc2")
if beside_printed["printed"].notna().any():
    show(forest.forest(beside_printed, xlabel="d (pre-post-control)", favours=(left, right),
                       text={"text": f"d ({ci})", "printed_text": "printed"}), "outcomes_d",
         "d of the people described, and the printed d as a ring, both with better to the right",
         of=rows[rows["method"] == "d_ppc2"],
         alt=f"Forest plot of d with {ci} and the printed d, left of zero {left}, right {right}: "
             + "; ".join(f"{row.label} {row.visit} {row.text}, printed {row.printed_text}"
                         for row in beside_printed.itertuples()) + ".")

# %%
d = {(one.variable, one.time, one.method): one.d for one in results.records(
    rows, analysis="outcomes", method=["d_ppc2", "b_over_sd"])}
gaps = pd.Series({(name, visit): abs(value - d[name, visit, "b_over_sd"])
                  for (name, visit, method), value in d.items() if method == "d_ppc2"}, dtype=float)
words.say("" if gaps.isna().all() else
          "The d of the people described and the model's B over the same standard deviation differ "
          f"most on {gaps.idxmax()[0]} ({t.visit_labels[gaps.idxmax()[1]]}), by {gaps.max():.2f}.")

# %% [markdown] tags=["appendix"]
# ## What was assumed

# %%
words.say(words.assumptions(t))

# %% [markdown]
# Where z is declared, simulation says how often it finds a difference where there is none.

# %%
asked = t.analysis.inference == "z"
made = study.of(t) if asked and t.declares("sample_size") else pd.DataFrame()
spans = {} if made.empty else {one: 100 * part["type1"] for one, part in made[
    made["effect"] == "null"].groupby("method") if one in ("random-intercept/z",
                                                           "unstructured/kenward-roger")}
words.say(words.level_kept(t) if asked else "z is not declared here.", "" if not spans else (
    "In the committed study of this design, whose trials break an assumption at a time, it is "
    + " and ".join(f"{part.min():.1f} to {part.max():.1f}% with {words.method(one)}"
                   for one, part in spans.items())
    + f" (at least {made['simulations'].min():g} trials for each design)."))

# %% [markdown]
# Each model's own numbers: look for a variance of people at zero, and for a state other than
# converged.

# %%
show(tables_result.models(t, rows))

# %%
fits = [one for name in repeated for one in results.records(
    rows, analysis="outcomes", variable=name, arm="overall",
    method=measures.method(rows, "outcomes", name))]
odd = [one.variable for one in fits if not one.converged or one.boundary or one.fallback]
words.say(f"{len(odd) or 'None'} of the models ({len(fits)}) failed to converge inside their bounds"
          f"{': ' * bool(odd)}{', '.join(odd)}.")
words.bullets(*measures.states(t, "outcomes"))

# %% [markdown]
# Residuals against fitted values should form a band without a trend or a funnel, and against
# normal quantiles lie along the line.

# %%
words.own_numbers(t)
residuals = frames.residuals(primary.residuals)
deviation = float(residuals["residual"].std())
drawn = residuals if t.individuals else frames.averaged(residuals)
show(curves.residual_plots(drawn, arms=t.labels, line=(0.0, deviation)), "residuals",
     "Residuals of the model of the primary outcome"
     + ", each point the mean of five or more" * (not t.individuals),
     alt=f"{len(residuals)} residuals of the model of {leading.name} (SD "
         f"{fmt.number(deviation)}), against fitted values and against normal quantiles, by arm.")

# %%
by_arm = residuals.groupby("arm")["residual"].std().reindex(list(t.arms))
largest = fmt.number(residuals["residual"].abs().max() / deviation, 1)
words.say(f"The standard deviation of the {len(residuals)} residuals is "
          f"{' and '.join(f'{fmt.number(by_arm[arm])} in {t.called[arm]}' for arm in t.arms)}"
          + f"; the largest lies {largest} standard deviations from zero" * t.individuals + ".")

# %% [markdown]
# The same for every outcome: of each arm's residuals the quantiles at every twentieth, where
# enough people lie beyond. Points that leave the line at its ends show tails that a normal curve
# does not have; arms on lines of different slopes, spreads that differ.

# %%
of_all = frames.diagnostics(t)
if len(of_all):
    drawn = list(dict.fromkeys(of_all["outcome"]))
    show(curves.normal_plots(of_all, arms=t.labels), "residuals_of_all",
         "Residuals of the model of every outcome",
         alt=f"Quantiles of the residuals of {', '.join(drawn)}, in standard deviations, against "
             f"normal quantiles, {' and '.join(t.called.values())} apart.")

# %%
ratios = {name: part.groupby("arm")["residual"].agg(["min", "max"]).diff(axis=1)["max"]
          for name, part in of_all.groupby("outcome")} if len(of_all) else {}
spreads = {name: one.max() / one.min() for name, one in ratios.items()
           if len(one) == 2 and one.min() > 0}
words.say("" if not spreads else
          f"Between the outermost of these quantiles the residuals of one arm reach at most "
          f"{max(spreads.values()):.1f} times as far as those of the other "
          f"({max(spreads, key=spreads.get)}; {len(spreads)} outcomes).")

# %% [markdown]
# With few people a test of normality misses much and proves little; the residuals of the
# models matter more than the scores.

# %%
words.own_numbers(t)
show(tables_result.normality(t, rows))

# %%
tested = [one for one in results.records(rows, analysis="normality", method="shapiro-wilk")
          if one.variable.endswith(": residuals")]
low = [one.variable.removesuffix(": residuals") for one in tested if one.p < 0.05]
words.say(f"{len(low) or 'None'} of the models ({len(tested)}) left residuals with p below 0.05 in "
          f"the test of Shapiro and Wilk{': ' * bool(low)}{', '.join(low)}.")

# %%
results.save(rows, out, "outcomes")
