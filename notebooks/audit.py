# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Audit of the published numbers
#
# **Question.** Do the printed numbers follow from each other, and which do not?
#
# A printed number stands for an interval: half a unit of its last digit to either side.
# Where one number follows from others (a percentage from its count, a p from means and SDs,
# a limit from an estimate and its z), the interval must meet the one computed. Where it does
# not, the numbers cannot all hold as printed. That says nothing about how it came about:
# rounding twice, a category not shown, or a line left from an earlier version do it too.
#
# *Reads* the published numbers and the trial file. *Writes* the rows `audit`, the tables
# `consistency` and `identified`, and the figure `audit_map`.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file that names `published`
out = None  # the run's output folder; None writes nothing

# %%
from mair import results
from mair.published import identified as ranges
from mair.report import dots, figures, tables, words
from mair.sections import audit
from mair.trial import load

t = load(trial)
printed = audit.published(t)
checked = audit.checks(t, printed)
own, compared = audit.dots(printed, checked), audit.beside(t, printed)

# %% [markdown]
# ## Every number at once
#
# Each dot is a printed number in its place; its colour and shape are the worst verdict of
# the checks that end in it. Grey ones nothing can be held against.

# %%
words.say(audit.summary(own, compared))

# %%
figures.show(dots.verdict_map(own), "audit_map", audit.alt(own), out, t.synthetic)

# %% [markdown]
# ## What the numbers show
#
# In order of consequence for a reader; each with one computation.

# %%
words.bullets(*[f"**{finding.title}.** {finding.text}" for finding in
                audit.found(checked, printed)])

# %% [markdown]
# None of this shows an error of analysis or of intent. It shows where a reader should ask,
# and what to ask for: the individual data, or the output the tables were typed from.

# %% [markdown]
# ## The checks

# %%
tables.show(audit.table(t, checked), out)

# %%
words.say(audit.uncovered(compared))

# %% [markdown]
# ## What the printed numbers identify
#
# Many cohorts agree with the same printed numbers. A statistic that the paper does not print
# is identified where they all give it alike; otherwise the printed numbers leave it open.

# %%
if (found := ranges.stored(t)) is not None:
    words.say(ranges.sentence(found))
    tables.show(ranges.table(t, found), out)

# %%
results.save(audit.rows(t), out, "audit")
