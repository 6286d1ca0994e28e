# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Reconstruction
#
# **Question.** How was the synthetic cohort made, which printed numbers does it give back,
# which can no data give back, and what may it be used for?
#
# Individual data were never published. These people are invented so that the ordinary
# analysis of them prints what the paper printed. That agreement is by construction. It is no
# evidence that the original data or their analysis were right, and this is one of very many
# data sets that would agree.
#
# *Reads* the trial file, its data, the published numbers and the generator's specification
# (`mair/data/cohort.yaml`). *Writes* the rows `reconstruction`, the table `reconstruction` and
# the figure `reconstruction`.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a synthetic trial with published numbers
out = None  # the run's output folder; None writes nothing

# %%
from mair import results
from mair.published import compare, numbers
from mair.report import figures, style, tables, words
from mair.sections import rows as sections
from mair.studies import cohort
from mair.studies.cohort import plausible, report
from mair.trial import load

t = load(trial)
words.opening(t)

# %% [markdown]
# ## How it was made
#
# 1. **Cells.** A printed mean fixes a sum of whole scores, a printed SD a few sums of squares.
#    Integers with exactly these two sums make each arm's scores at each visit.
# 2. **Dropouts.** Table 2 minus Table 3 gives the sums of the dropouts' baselines.
# 3. **The model backwards.** With its cells fixed, a group of completers enters the
#    random-intercept model through two numbers alone: the sum of squared person totals, and the
#    sum of covariate times total. The REML score equation is linear in the first and the slope
#    in the second, so the values that print a row's *B*, limits, *z* and *p* are solved for.
# 4. **One medication vector.** All models share it. Vectors are tried from the most ordinary
#    on, until every outcome's rows can be printed with the slope towards worse health.
# 5. **Pairing.** Swaps of two people within a cell leave every mean and SD alone; they move the
#    two sums to where they must be, and the correlations between visits with them.
# 6. **Biomarkers.** Table 4 describes those seen after treatment, its models everyone; the
#    people not described carry what *B* still lacks.
#
# Every decision is on integers or on a rounded number, and work is counted in steps, never in
# seconds: the same seed gives the same bytes on any machine.

# %% [markdown]
# ## What is met
#
# Look first at the columns of counts, then at the last one: rules of plausibility that a
# variable breaks, with the distance. A printed number that only implausible people can give is
# met all the same, and listed there.

# %%
spec, published = cohort.specification(), numbers.read(t.published)
look = numbers.Lookup(published)
rows = plausible.rows(t, spec)
compared = compare.compare(published, sections.rows(t))
words.say(f"{compare.summary_line(compared)}.")

# %%
tables.show(report.targets_table(t, spec, compared, rows), out)

# %% [markdown]
# ## Implied and generated correlations
#
# A printed standard error, with the SDs and who is missing, implies how strongly a person's
# visits correlate. The upright stroke is that value, the grey band about two standard errors
# around it; each mark is one pair of visits in one arm of the cohort.

# %%
figure, axes = style.subplots(height=5.2)
report.bands(rows, axes, arms=t.labels)
figures.show(figure, "reconstruction", report.bands_alt(rows), out, t.synthetic)

# %% [markdown]
# Only the weighted mean of an outcome's correlations is pinned by what was printed. How it is
# spread over pairs and arms belongs to the generator.

# %% [markdown]
# ## What cannot be met, and why
#
# Each printed mean, SD, effect size or model number that the cohort misses is followed by the
# reason, by enumeration or by bounds, computed here.

# %%
missed = report.unmet(compared)
words.say(f"{len(missed)} printed means, SDs, effect sizes and model numbers are missed.")
words.bullets(*report.proofs(look, t, spec))

# %% [markdown]
# Scales of few points cannot pass a test of normality, whatever the people.

# %%
words.bullets(*report.coarse(look, spec, rows))

# %% [markdown]
# ## What it may be used for, and what not
#
# - It may show how a choice of analysis acts on data that agree with the printed tables.
# - It may test software: every number has a printed counterpart.
# - A result found on it says nothing about patients, and agreement with the paper confirms
#   nothing: it was put in.
# - What differs between cohorts of other seeds (`make cohorts`) is not identified by the printed
#   numbers, and must not be read as a finding.

# %%
results.save(rows, out, "reconstruction")
