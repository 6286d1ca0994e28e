# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Robustness of the primary contrast
#
# **Question.** Which of the choices behind the primary result carry it, and which could have
# been made otherwise without a different answer?
#
# One contrast, the change of the primary outcome between the arms, goes through every choice
# of covariance, reference distribution, estimator and missing-data rule, then through what
# rests on the allocation alone. Read the column of intervals, not the smallest p.
#
# *Reads* the trial file and its data. *Writes* the rows `robustness`, the table `robustness`
# and, for each later visit, a table `delta_grid_1`, `delta_grid_2` and so on, and a figure
# `robustness_1`, `robustness_2` and so on.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file
out = None  # the run's output folder; None writes nothing
covariance = "random-intercept"  # the choice that is marked
inference = "z"  # its reference distribution
estimator = "difference"  # its estimator
missing = "observed"  # its missing-data rule
confidence = 0.95  # two-sided coverage of every interval
group_size = None  # people in a therapy group; None leaves that part out
seed = 2020  # of imputations, allocations and bootstrap
draws = 10000  # allocations and bootstrap samples; one imputation for every fifty

# %%
from mair import results
from mair.published import identified as ranges
from mair.report import figures, forest, tables, words
from mair.sections import robustness
from mair.trial import load

t = load(trial, covariance=covariance, inference=inference, estimator=estimator,
         missing=missing, confidence=confidence, group_size=group_size, seed=seed, draws=draws)
words.opening(t)

# %% [markdown]
# ## The estimand

# %%
words.estimand(t, "difference between arms in mean change from baseline of the primary outcome")

# %% [markdown]
# ## The grid
#
# The marked row is the declared choice. Imputation under missingness at random uses what was
# seen of a person; jump and copy to reference take those lost from the treatment arm as if
# they had been in the control arm. For these two Rubin's variance is information-anchored,
# so the jackknife of the conditional mean stands beside it, which is smaller by design.

# %%
rows = robustness.rows(t)
visits = list(dict.fromkeys(rows["time"]))

# %%
for k, visit in enumerate(visits, start=1):
    figures.show(
        forest.forest(robustness.forest_frame(t, rows, visit), xlabel=f"B at {visit}",
                      text={"text": "B (CI)", "p_text": "p"},
                      primary=(robustness.declared(t, rows),)),
        f"robustness_{k}", robustness.alt(t, rows, visit), out, t.synthetic,
    )

# %%
over = {visit: ranges.over_cohorts(ranges.stored(t), t.primary.name, visit) for visit in visits}
words.bullets(*[robustness.conclusion(t, rows, visit) for visit in visits])
words.bullets(*[robustness.changes(t, rows, visit, over[visit]) for visit in visits])
words.say(robustness.reference_sentence(t, rows))

# %%
tables.show(robustness.table(t, rows, over), out)

# %% [markdown]
# ## How wrong must the imputed values be?
#
# The tipping point makes the imputed values of the treatment arm worse, step by step and for
# the same imputations, until the interval first holds zero. Nothing is clipped at the ends of
# the scale; instead the share of impossible values is said.

# %%
words.bullets(*[robustness.tipping_sentence(t, rows, visit) for visit in visits])
for visit in visits:
    if (found := robustness.delta_table(t, visit)) is not None:
        tables.show(found, out)

# %% [markdown]
# ## By design alone
#
# Under re-randomisation the arms' labels are dealt again as they could have been, and the
# model is refitted each time. It is exact if neither scores nor dropout depend on the arm;
# where dropout is caused by the arm it is not.
#
# ## Therapists and groups
#
# Where each arm has its own therapist, therapist and treatment cannot be told apart by any
# analysis. Correlation within therapy groups cannot be estimated from one trial either; it
# can only be supposed, and it widens the interval.

# %%
words.bullets(*[robustness.groups_sentence(t, rows, visit) for visit in visits])

# %%
results.save(rows, out, "robustness")
