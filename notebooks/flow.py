# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Flow of participants
#
# **Question.** Who was assessed, randomised, seen at each visit and analysed, and was the
# trial as large as it was planned to be?
#
# A trial's numbers stand on its flow: every percentage below has a denominator that this
# diagram must produce. Nothing is estimated here but how well people were kept.
#
# *Reads* the trial file and its data. *Writes* the rows `flow` and `sample_size`, the tables
# `retention`, `attendance`, `interventions` and `sample_size`, and the figure `consort`.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file
out = None  # the run's output folder; None writes nothing
confidence = 0.95  # two-sided coverage of every interval

# %%
from mair import results
from mair.report import consort, figures, tables, words
from mair.sections import flow, planning
from mair.trial import load

t = load(trial, confidence=confidence)
words.opening(t)

# %% [markdown]
# ## From assessed to analysed
#
# The diagram is drawn from counts, and the counts are added up before it is drawn: those
# excluded, those enrolled and those in each arm have to agree.

# %%
rows = flow.rows(t)
words.say(flow.arithmetic(t, rows), flow.left_out(t))

# %%
figures.show(
    consort.consort(rows, arms=t.labels, visits=flow.later_visits(t), outcome=t.primary.name),
    "consort", flow.alt(t, rows), out, t.synthetic,
)

# %% [markdown]
# "Analysed" counts those who enter the mixed model of the primary outcome: everyone with
# at least one score and every covariate, whether or not they finished (intention to treat).

# %% [markdown]
# ## Who was kept
#
# Retention is read against its interval: in small arms one person moves it by several
# points. A large p value here does not show that dropout was alike in both arms.

# %%
tables.show(flow.retention_table(t, rows), out)

# %% [markdown]
# ## What they received, and what they thought of it
#
# Attendance tells whether the treatments compared were really received, credibility and
# preference whether expectations could tell the arms apart.

# %%
if (found := flow.attendance_table(t, rows)) is not None:
    tables.show(found, out)

# %%
if (found := flow.outline_table(t)) is not None:
    tables.show(found, out)

# %% [markdown]
# ## Was the size planned for?
#
# The calculation behind a trial's size can be redone from its four inputs. The two formulas
# differ because the normal one takes the standard deviation as known; the two ways to allow
# for dropout differ because dividing keeps the planned number after the losses, multiplying
# does not.

# %%
if t.sections.get("sample_size"):
    tables.show(planning.table(t, rows), out)
    words.say(planning.unrounded(t))

# %% [markdown]
# ## What is not reported
#
# CONSORT's extension for pilot trials asks for more than this diagram holds.

# %%
words.say(flow.not_reported(t))

# %%
results.save(rows, out, "flow")
