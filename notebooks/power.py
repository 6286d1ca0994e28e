# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Power
#
# **Question.** How large a trial does the planned difference need, and which way of testing it
# keeps its promises in a trial of this size?
#
# Everything here is about a difference fixed before the trial; power at the difference that a
# trial happened to see only repeats its p value.
#
# *Reads* the trial file, its data and the simulation study that `make simulate` committed.
#
# *Writes* the rows `power` and, by simulation, `sample_size`, the tables `power_by_size`,
# `next_trial`, `simulation_type1`, `simulation_power` and `simulation_coverage`, and the
# figures `power_curve`, `next_trial` and `simulation_error`.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file
out = None  # the run's output folder; None writes nothing
confidence = 0.95  # second level of the SD's upper limit
seed = 2020  # of every random stream
draws = 10000  # simulated trials a sample size

# %%
from mair import results
from mair.report import curves, figures, tables, words
from mair.sections import planning, power, study
from mair.trial import load

t = load(trial, confidence=confidence, seed=seed, draws=draws)
words.opening(t)

# %% [markdown]
# ## The published calculation
#
# It compares two means once. Its inputs are the difference worth detecting, the standard
# deviation of a score, the two-sided level and the power.

# %%
words.say(planning.sentence(t, planning.rows(t)), planning.unrounded(t))

# %% [markdown]
# ## The mixed model's power
#
# The analysis is not that comparison: it contrasts changes, uses every visit, and people leave.
# So trials are simulated at the planned difference and analysed with a random intercept and
# Kenward-Roger's degrees of freedom.

# %%
found = power.simulations(t)
rows = power.rows(t, found)
words.bullets(*power.size_sentences(t, found))

# %%
if len(found):
    tables.show(power.size_table(t, found), out)
    figures.show(
        curves.curves(power.curve_frame(t, found), xlabel="n an arm", markers=True,
                      ylabel=f"Power at {t.primary.visits[-1]} (%)", horizontal=power.target(t)),
        "power_curve", power.curve_alt(t, found), out, t.synthetic,
    )

# %% [markdown]
# ## A next trial
#
# A small trial's standard deviation is itself uncertain, and a trial planned with one that came
# out low has too little power. Browne (1995) plans with a one-sided upper confidence limit: its
# level is the chance that the next trial has at least the power wanted.

# %%
tables.show(power.next_table(t, rows), out)
words.bullets(*power.next_sentences(t, rows))

# %%
figures.show(
    curves.curves(power.next_trial(t), xlabel="Difference to detect, points", ylabel="n an arm",
                  vertical=power.planned(t)),
    "next_trial", power.next_alt(t, rows), out, t.synthetic,
)

# %% [markdown]
# ## Which inference holds in a trial of this size?
#
# Trials of this one's size are made from mechanisms that break one assumption at a time, and
# five methods test the same contrast. With no difference between the arms a test at the nominal
# level should reject that often and no oftener; the shaded band is what Monte-Carlo error allows.

# %%
cells = study.of(t)
words.bullets(*study.mechanisms(cells))

# %%
if len(cells):
    figures.show(
        curves.rates(study.rate_frame(cells, t.primary.visits[1]), band=study.band(cells),
                     xlabel=f"Type I error at {t.primary.visits[1]} (%)",
                     value=100 * cells["alpha"].iloc[0]),
        "simulation_error", study.error_alt(cells, t.primary.visits[1]), out, t.synthetic,
    )

# %%
if len(cells):
    tables.show(study.table(cells, "type1", t.synthetic), out)

# %% [markdown]
# Power counts how often the planning difference is found, coverage how often the interval holds
# it. Power of a test that exceeds its level is no advantage.

# %%
if len(cells):
    tables.show(study.table(cells, "power", t.synthetic), out)
    tables.show(study.table(cells, "coverage", t.synthetic), out)

# %% [markdown]
# ## What follows

# %%
if len(cells):
    words.bullets(*study.sentences(cells, f"{t.analysis.covariance}/{t.analysis.inference}"))

# %%
results.save(rows, out, "power")
