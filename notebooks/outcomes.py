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
# The difference in change is the Group x Time coefficient *B* of a linear mixed model,
# person *i*, visit *t*:
#
# > y<sub>it</sub> = β<sub>0</sub> + β<sub>1</sub> arm<sub>i</sub> + Σ<sub>t</sub> γ<sub>t</sub> +
# > Σ<sub>t</sub> B<sub>t</sub> (arm<sub>i</sub> × visit<sub>t</sub>) + covariates +
# > u<sub>i</sub> + e<sub>it</sub>
#
# with a random intercept u<sub>i</sub>, fitted by REML to every observed row, unless the
# trial file chooses otherwise. *B* is in the outcome's own points; negative is better where
# lower scores are.
#
# *Reads* the trial file and its data. *Writes* the rows `outcomes`, `emm` and `normality`,
# the tables `outcomes`, `outcomes_models`, `outcomes_effect_sizes`, `outcomes_normality`, and
# the figures `trajectories`, `outcomes_forest` and `residuals`.

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
words.estimand(t, "difference between arms in mean change from baseline, at each later visit")

# %% [markdown]
# ## What the data look like
#
# Thin lines are people, thick lines the model's means with their intervals. Look first at
# how far people differ from each other and from visit to visit, then at the means.

# %%
fitted = measures.fits(t, "outcomes")
rows = outcomes.rows(t, fitted)

# %%
people, means = outcomes.all_people(t), outcomes.all_means(t, rows)
figures.show(
    plots.trajectory_grid(people, means, outcomes.axis_labels(t), arms=t.labels, visits=t.visits),
    "trajectories", outcomes.trajectories_alt(t), out, t.synthetic,
)

# %% [markdown]
# ## The estimates
#
# Means and standard deviations describe a fixed set of people; the models use everyone who
# was seen at least once. The two can therefore differ, and each column says its n.

# %%
tables.show(outcomes.table(t, rows), out)

# %% [markdown]
# ## How large, and how sure
#
# To set outcomes side by side each *B* is divided by the pooled baseline standard deviation
# and turned so that the right-hand side favours the treatment arm. An interval that crosses
# zero leaves the direction open.

# %%
figures.show(
    forest.forest(outcomes.forest_frame(t, rows), xlabel="B / baseline SD",
                  favours=outcomes.favours(t), text=outcomes.FOREST_TEXT,
                  primary=(t.primary.name,)),
    "outcomes_forest", outcomes.forest_alt(t, rows), out, t.synthetic,
)

# %%
words.bullets(*outcomes.directions(t, rows, t.primary.name))

# %% [markdown]
# These are differences in a small trial. The intervals say which effects the data are
# compatible with; they do not by themselves show that a treatment works.

# %%
tables.show(outcomes.sizes_table(t, rows), out)

# %% [markdown]
# ## What was assumed

# %%
words.say(outcomes.assumptions(t))
tables.show(outcomes.model_table(t, rows), out)

# %%
figures.show(
    plots.residual_plots(outcomes.residual_frame(fitted[t.primary.name]), arms=t.labels,
                         line=outcomes.residual_line(fitted[t.primary.name])),
    "residuals", outcomes.residuals_alt(t), out, t.synthetic,
)

# %%
tables.show(biomarkers.normality_table(t, rows, "outcomes"), out)

# %%
results.save(rows, out, "outcomes")
