# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Responders and number needed to treat
#
# **Question.** How many more people reach a declared improvement in one arm than in the
# other, and how many must be treated for one more to reach it?
#
# Calling people responders throws away how far they improved, and the answer depends on the
# threshold and on what is supposed of those who were not seen. So each stands beside its
# alternatives here.
#
# *Reads* the trial file and its data. *Writes* the rows `nnt`, the table `nnt` and the
# figure `responder_curve`.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file
out = None  # the run's output folder; None writes nothing
responder_missing = "completers"  # what is supposed of those not seen
risk_interval = "newcombe"  # the interval that prose and figures show
confidence = 0.95  # two-sided coverage of every interval
seed = 2020  # of the imputations
draws = 10000  # one imputation for every fifty

# %%
from mair import results
from mair.report import figures, plots, tables, words
from mair.sections import nnt
from mair.trial import load

t = load(trial, responder_missing=responder_missing, risk_interval=risk_interval,
         confidence=confidence, seed=seed, draws=draws)
words.opening(t)

# %% [markdown]
# ## The estimand

# %%
words.estimand(t, "difference between arms in the percentage who respond, and its reciprocal")

# %% [markdown]
# ## The table
#
# The absolute risk reduction (ARR) is in percentage points of the good result. Where its
# interval holds zero, the number needed to treat (NNT) has no simple interval: it runs
# through infinity, from benefit (NNTB) to harm (NNTH).

# %%
rows = nnt.rows(t)
tables.show(nnt.table(t, rows), out)
words.bullets(*nnt.sentences(t, rows))

# %%
words.say(nnt.not_estimable(t))

# %% [markdown]
# ## Every threshold at once
#
# A declared threshold is one point of a curve. If the arms differ at one and not at its
# neighbours, the threshold has been kind. The band is Miettinen and Nurminen's and pointwise:
# over many thresholds some excursion is to be expected.

# %%
if nnt.has_curve(t):
    percents, band = nnt.curve(t)
    figures.show(
        plots.responder_curve(percents, difference=band, thresholds=nnt.thresholds(t),
                              arms=t.labels),
        "responder_curve", nnt.alt(t), out, t.synthetic,
    )

# %% [markdown]
# ## What was assumed
#
# The first rows of the table count those seen and suppose nothing of the others. The
# remaining rows bound what the missing could do: all of them failures, or all in favour of
# one arm; or they impute them under missingness at random, pooled by Rubin's rules with Wald
# limits. An NNT holds for people like these, at this visit, against this comparison.

# %%
results.save(rows, out, "nnt")
