# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Baseline characteristics
#
# **Question.** Who took part, and how alike did chance make the two arms?
#
# Randomisation makes the arms alike in expectation, not in any one trial; with a few dozen
# people sizeable differences are ordinary. So the table describes, with standardised mean
# differences as a yardstick. Tests stand apart, at the end: CONSORT advises against them,
# since any difference is by construction due to chance, and they are there only so that a
# printed p value can be checked.
#
# *Reads* the trial file and its data. *Writes* the rows `baseline`, the tables `baseline`
# and `baseline_tests`, and the figure `baseline_smd`.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file
out = None  # the run's output folder; None writes nothing
confidence = 0.95  # two-sided coverage of every interval

# %%
from mair import results
from mair.report import figures, forest, tables, words
from mair.sections import baseline
from mair.trial import load

t = load(trial, confidence=confidence)
words.opening(t)

# %% [markdown]
# ## The table
#
# Percentages are of those with a known value; a row says how many are unknown.

# %%
rows = baseline.rows(t)
tables.show(baseline.table(t, rows), out)

# %% [markdown]
# ## How large is large?
#
# A standardised difference is judged against what chance gives at these arm sizes, not
# against one of the usual fixed cut-offs, which small trials miss nearly always.

# %%
chance = baseline.chance(t)
words.say(baseline.chance_sentence(t, rows))

# %%
figures.show(
    forest.smd_plot(baseline.smd_frame(t, rows), chance=chance.bound),
    "baseline_smd", baseline.alt(t, rows), out, t.synthetic,
)

# %% [markdown]
# The shaded band ends at the bound just named. It is meant for one difference at a time, so
# of many rows some may lie outside it. A point outside it is not a fault of the randomisation;
# it is a reason to look whether that characteristic predicts the outcome.

# %% [markdown]
# ## The tests, for checking only
#
# One printed p value can come from several tests. Each stands under its own name, so that a
# reader can see which one a paper used.

# %%
tables.show(baseline.tests_table(t, rows), out)

# %%
results.save(rows, out, "baseline")
