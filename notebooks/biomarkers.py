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
# The model is that of the outcomes. Concentrations whose spread grows with their level are
# analysed as natural logarithms, where the trial file says so; their contrast is then a
# *ratio*: by what factor more one arm changed than the other.
#
# *Reads* the trial file and its data. *Writes* the rows `biomarkers`, `emm` and `normality`,
# the tables `biomarkers`, `biomarkers_ratios`, `biomarkers_models`, `biomarkers_effect_sizes`,
# `biomarkers_normality`, and the figures `before_after` and `biomarkers_forest`.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file
out = None  # the run's output folder; None writes nothing
covariance = "random-intercept"  # of a participant's rows
inference = "z"  # reference distribution of tests and intervals
estimator = "difference"  # Group x Time against baseline
missing = "observed"  # rows the model uses
confidence = 0.95  # two-sided coverage of every interval
seed = 2020  # of imputations, where `missing` asks for them
draws = 10000  # one imputation for every fifty
fdr_families = {"outcomes": "outcomes", "biomarkers": "biomarkers"}  # one correction a name

# %%
from mair import results
from mair.report import figures, forest, plots, tables, words
from mair.sections import biomarkers, measures, outcomes
from mair.trial import load

t = load(trial, covariance=covariance, inference=inference, estimator=estimator,
         missing=missing, confidence=confidence, seed=seed, draws=draws, fdr_families=fdr_families)
words.opening(t)

# %% [markdown]
# ## The estimand

# %%
words.estimand(t, "difference between arms in mean change from baseline, on the ln scale where "
                  "the transform is log")

# %% [markdown]
# ## What the data look like
#
# Each thin line is one person. A logarithmic axis makes equal factors equally long.

# %%
fitted = measures.fits(t, "biomarkers")
rows = biomarkers.rows(t, fitted)
words.say(biomarkers.censored_sentence(t))

# %%
figures.show(
    plots.before_after_grid(biomarkers.people(t), biomarkers.axis_labels(t), arms=t.labels,
                            summary=biomarkers.centres(t, rows), log=biomarkers.logged(t)),
    "before_after", biomarkers.alt(t), out, t.synthetic,
)

# %% [markdown]
# ## Are they normally distributed?
#
# With few people a test of normality misses much and proves little; the residuals of the
# model matter more than the scores.

# %%
tables.show(biomarkers.normality_table(t, rows), out)

# %% [markdown]
# ## The estimates

# %%
tables.show(outcomes.table(t, rows, "biomarkers"), out)

# %%
if (found := biomarkers.ratio_table(t, rows)) is not None:
    tables.show(found, out)

# %%
figures.show(
    forest.forest(outcomes.forest_frame(t, rows, "biomarkers"), xlabel="B / baseline SD",
                  favours=outcomes.favours(t, "biomarkers"), text=outcomes.FOREST_TEXT),
    "biomarkers_forest", outcomes.forest_alt(t, rows, "biomarkers"), out, t.synthetic,
)

# %%
words.bullets(*[line for name in t.biomarkers for line in outcomes.directions(t, rows, name)])

# %% [markdown]
# A difference in a biomarker is not a difference that patients feel, and several were tried.

# %% [markdown]
# ## What was assumed

# %%
words.say(outcomes.assumptions(t))
tables.show(outcomes.model_table(t, rows, "biomarkers"), out)

# %%
tables.show(outcomes.sizes_table(t, rows, "biomarkers"), out)

# %%
results.save(rows, out, "biomarkers")
