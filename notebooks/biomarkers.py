# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Biomarkers
#
# **Question.** Did the laboratory measures change differently in the two arms?
#
# *Reads* the trial file and its data. *Writes* the rows `biomarkers`, `emm` and `normality`,
# the tables `biomarkers`, `biomarkers_ratios`, `biomarkers_models`, `biomarkers_effect_sizes`,
# `biomarkers_normality`, and the figures `before_after` and `biomarkers_forest`.

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
from mair import results
from mair.report import fmt, forest, frames, people, tables_result, words
from mair.report.show import Show
from mair.sections import measures
from mair.trial import load

t = load(trial, covariance=covariance, variance=variance, inference=inference,
         estimator=estimator, missing=missing, confidence=confidence, seed=seed, draws=draws,
         fdr_families=fdr_families)
show = Show(t, out)
words.opening(t, "biomarkers")
repeated = measures.variables(t, "biomarkers")  # seen at baseline and later

# %% [markdown] tags=["fold"]
# ## The model
#
# The model is that of the outcomes. Concentrations whose spread grows with their level are
# analysed as natural logarithms, where the trial file says so; their contrast is then a
# *ratio*,
#
# $$e^{B_t} = \frac{\mathrm{GM}_{t}^{\,\mathrm{treatment}} / \mathrm{GM}_{0}^{\,\mathrm{treatment}}}
# {\mathrm{GM}_{t}^{\,\mathrm{control}} / \mathrm{GM}_{0}^{\,\mathrm{control}}}$$
#
# of geometric means (GM) at visit $t$ and at baseline: by what factor more one arm changed than
# the other.

# %% [markdown] tags=["fold"]
# ## The estimand

# %%
words.estimand(t, "difference between arms in mean change from baseline, of the logarithm where "
                  "the trial file says so")

# %% [markdown] tags=["fold"]
# ## What the data look like
#
# A logarithmic axis makes equal factors equally long.

# %%
words.say(words.DRAWN[t.individuals])
who = "people" if t.individuals else "medians and quartiles"

# %%
rows = measures.rows(t, "biomarkers")
logged = [name for name, variable in repeated.items() if variable.transform == "log"]
ci = f"{100 * t.analysis.confidence:g}% CI"
measured = {visit: label for visit, label in t.visit_labels.items()
            if any(visit in variable.visits for variable in repeated.values())}
show(people.trajectories(frames.people(t, "biomarkers"), frames.means(t, rows, "biomarkers"),
                         frames.axes(t, "biomarkers"), arms=t.labels, visits=measured, log=logged,
                         apart=True),
     "before_after",
     f"Biomarkers before and after: {who}, and model means",
     alt=f"{', '.join(repeated)} by visit and arm: thin, {who}; thick lines "
         f"the model's means (geometric means where analysed as logarithms) with {ci}.")

# %%
censored = {name: int(frame.to_numpy().sum()) for name, frame in t.censored.items()}
listed = ", ".join(f"{k} of {name}" for name, k in censored.items() if k)
words.say(f"Analysed as logarithms: {', '.join(logged) or 'none'}. Values below the detection "
          f"limit, replaced by the limit over the root of two: {listed or 'none'}.")

# %% [markdown] tags=["appendix"]
# ## Are they normally distributed?
#
# With few people a test of normality misses much and proves little; the residuals of the
# model matter more than the scores.

# %%
words.own_numbers(t)
show(tables_result.normality(t, rows, "biomarkers"))

# %%
tested = [one for one in results.records(rows, analysis="normality", method="shapiro-wilk")
          if one.variable.endswith(": residuals")]
low = [one.variable.removesuffix(": residuals") for one in tested if one.p < 0.05]
words.say(f"{len(low) or 'None'} of the models ({len(tested)}) left residuals with p below 0.05 in "
          f"the test of Shapiro and Wilk{': ' * bool(low)}{', '.join(low)}.")

# %% [markdown]
# ## The estimates
#
# Look at each *B* and its interval; of a logarithm it is read in
# [the table of ratios](#table-biomarkers_ratios).

# %%
show(tables_result.outcomes(t, rows, "biomarkers"))

# %%
found = [one for name in repeated for one in results.records(
    rows, analysis="biomarkers", variable=name, arm="difference", time=measures.later(t, name),
    method=measures.method(rows, "biomarkers", name))]
sides = {(one.variable, one.time): frames.side(t, one.variable, one.ci_low, one.ci_high)
         for one in found}
words.say(f"The interval excludes zero in {sum(map(bool, sides.values()))} of {len(found)} "
          "contrasts.")

# %% tags=["fold"]
words.bullets(*(
    f"**{one.variable}, {t.visit_labels[one.time]}**: the contrast is not estimable."
    if fmt.absent(one.b) else
    f"**{one.variable}, {t.visit_labels[one.time]}**: the change from baseline"
    f"{' of the logarithm' * (one.variable in logged)} differs between the arms by "
    f"{fmt.number(one.b)} ({ci} {fmt.ci(one.ci_low, one.ci_high)}; {fmt.p(one.p)}; {one.n} "
    "people); " + (
        f"it rose more, or fell less, in {sides[one.variable, one.time]}."
        if sides[one.variable, one.time] else "the interval includes zero.")
    for one in found))

# %% [markdown]
# A ratio of one means that both arms changed by the same factor.

# %% tags=["fold"]
show(tables_result.ratios(t, rows))

# %% tags=["fold"]
control, treatment = t.called.values()
words.bullets(*(
    f"**{one.variable}, {t.visit_labels[one.time]}**: the factor by which it changed in "
    f"{treatment} is {fmt.number(one.gmr)} times ({ci} {fmt.ci(one.gmr_low, one.gmr_high)}) that "
    f"in {control}." for one in found if one.variable in logged))

# %% [markdown]
# Each *B* over the pooled baseline standard deviation, on its own scale. To the right of zero the
# treatment arm rose more, which is good or bad by the marker.

# %% tags=["fold"]
plotted = frames.forest(t, rows, "biomarkers")
left, right = frames.favours(t, "biomarkers")
listed = "; ".join(f"{row.label} {row.visit} {row.text}" for row in plotted.itertuples())
if len(plotted):
    show(forest.forest(plotted, xlabel="B / baseline SD", favours=(left, right),
                       text={"text": f"B / SD ({ci})", "p_text": "p"}), "biomarkers_forest",
         "Each difference in change over the baseline SD", of=rows[rows["method"] == "b_over_sd"],
         alt=f"Forest plot of B over the baseline SD with {ci}, left of zero {left}, right "
             f"{right}: {listed}.")

# %%
words.say(f"{len(repeated)} biomarkers were compared. A difference in one of them is not a "
          "difference that patients feel, and of several compared some will differ by chance.")

# %% [markdown] tags=["appendix"]
# ## What was assumed

# %%
words.say(words.assumptions(t))

# %% [markdown]
# Each model's own numbers: look for a variance of people at zero, and for a state other than
# converged.

# %%
show(tables_result.models(t, rows, "biomarkers"))

# %%
fits = [one for name in repeated for one in results.records(
    rows, analysis="biomarkers", variable=name, arm="overall",
    method=measures.method(rows, "biomarkers", name))]
odd = [one.variable for one in fits if not one.converged or one.boundary or one.fallback]
words.say(f"{len(odd) or 'None'} of the models ({len(fits)}) failed to converge inside their bounds"
          f"{': ' * bool(odd)}{', '.join(odd)}.")
words.bullets(*measures.states(t, "biomarkers"))

# %% [markdown]
# The effect sizes under each convention; those made of means are on the measured scale throughout.

# %%
show(tables_result.effect_sizes(t, rows, "biomarkers"))

# %%
whom = results.records(rows, analysis="biomarkers", method="d_ppc2")
sizes = sorted({one.n for one in whom})
words.say("The effect sizes made of means describe "
          f"{' to '.join(str(n) for n in dict.fromkeys((sizes[0], sizes[-1])))} people; the models "
          f"analyse up to {max(one.n for one in fits)}.")

# %%
results.save(rows, out, "biomarkers")
