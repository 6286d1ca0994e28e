# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] tags=["appendix"]
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
from mair.report import forest, tables_appendix
from mair.report.show import Show
from mair.report.words import bullets, opening, say
from mair.sections import audit
from mair.sections import rows as sections
from mair.studies import cohort
from mair.studies.cohort import plausible, verdicts
from mair.trial import load

# %%
t = load(trial)
show = Show(t, out)
opening(t, "reconstruction")

# %% [markdown]
# ## How it was made
#
# 1. **Scores.** A printed mean fixes a sum of whole scores, a printed SD a few sums of squares.
#    Integers with exactly these two sums make each arm's scores at each visit.
# 2. **Dropouts.** Table 2 minus Table 3 gives the sums of the dropouts' baselines.
# 3. **The model backwards.** With these scores fixed, a group of completers enters the
#    random-intercept model through two numbers alone: the sum of squared person totals, and the
#    sum of covariate times total. The REML score equation is linear in the first and the slope
#    in the second, so the values that print a row's *B*, limits, *z* and *p* are solved for.
# 4. **One medication vector.** All models share it. Vectors are tried from the most ordinary
#    on, until every outcome's rows can be printed with the slope towards worse health.
# 5. **Pairing.** Swaps of two people of one arm at one visit leave every mean and SD alone; they
#    move the two sums to where they must be, and the correlations between visits with them.
# 6. **Biomarkers.** Table 4 describes those seen after treatment, its models everyone; the
#    people not described carry what *B* still lacks.
#
# Work is counted in steps, never in seconds: the same seed gives the same people.

# %% [markdown]
# ## What is met
#
# Look first at the columns of counts, then at the last one: rules of plausibility that a
# variable breaks, with the distance. A printed number that only implausible people can give is
# met all the same, and listed there.

# %%
spec, published = cohort.specification(), numbers.read(t.published)
rows = plausible.rows(t, spec)
compared = compare.compare(published, sections.rows(t), audit.checks(t))
found = verdicts.summary(t, spec, compared, rows)
say(f"{(compared['verdict'] == 'reproduced').sum()} of the {compared['computed'].notna().sum()} "
    "printed numbers that these people determine are met, by construction.")

# %%
show(tables_appendix.reconstruction(found))

# %%
breaking = ", ".join(found[found["broken"] != ""]["variable"]) or "none"
say(f"Of {len(found)} variables, "
    f"{(found['model'] == found['model_of']).sum()} give back every checkable model number, "
    f"{(found['moments'] == found['moments_of']).sum()} every mean and SD. Rules of "
    f"plausibility are broken by: {breaking}.")

# %% [markdown]
# ## Implied and generated correlations
#
# A printed standard error, with the SDs and who is missing, implies how strongly a person's
# visits correlate. The upright stroke is that value, the grey band about two standard errors
# around it; each mark is one pair of visits in one arm of the cohort.

# %%
pairs = rows[rows["method"] == "pearson"].astype({"value": float}).sort_values("value")
low, high = pairs.iloc[0], pairs.iloc[-1]
show(forest.correlations(rows, arms=t.labels), "reconstruction",
     "Correlations between visits: implied and generated",
     alt=f"Within-arm correlations between visits, {len(pairs)} of them, from {low['value']:.2f} "
         f"({low['variable']}, {low['arm']}) to {high['value']:.2f} ({high['variable']}, "
         f"{high['arm']}), beside the value and band that the printed standard errors imply for "
         "each variable.")

# %%
implied = {one.variable: one for one in results.records(rows, method="implied")}
outside = [one for one in results.records(rows, method="pearson")
           if one.r < implied[one.variable].band_low or one.r > implied[one.variable].band_high]
say(f"{len(outside)} of {len(pairs)} correlations lie outside their variable's band"
    + (": " + "; ".join(f"{one.variable}, {one.arm}, {one.time} {one.r:.2f}" for one in outside)
       if outside else "") + ". Only the weighted mean of an outcome's correlations is pinned by "
    "what was printed; how it is spread over pairs and arms belongs to the generator.")

# %% [markdown]
# ## What cannot be met, and why
#
# Each printed mean, SD, effect size or model number that the cohort misses is followed by what the
# audit says of it, from the printed numbers alone.

# %%
missed = verdicts.unmet(compared)
say(f"{len(missed)} printed means, SDs, effect sizes and model numbers are missed.")

# %%
bullets(*[f"**{one.variable}, {one.arm}, {one.time}: {one.statistic} {one.printed}.** {one.why}."
          for one in missed.itertuples()])

# %% [markdown]
# ## What it may be used for, and what not
#
# - It may show how a choice of analysis acts on data that agree with the printed tables.
# - It may test software: every number has a printed counterpart.
# - A result found on it says nothing about patients, and agreement with the paper confirms
#   nothing: it was put in.
# - What differs between cohorts of other seeds (`make cohorts`) is not implied by the printed
#   numbers, and must not be read as a finding.

# %%
results.save(rows, out, "reconstruction")
