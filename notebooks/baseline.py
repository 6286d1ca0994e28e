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
# Randomisation makes the arms alike in expectation, not in any one trial; with a few dozen people
# sizeable differences are ordinary. So [the table](#table-baseline) describes, with standardised
# mean differences as a yardstick. Tests stand apart, at the end: CONSORT advises against them,
# since any difference is by construction due to chance, and they are there only so that a printed
# p value can be checked.
#
# *Reads* the trial file, its data and, where there are any, the published numbers. *Writes* the
# rows `baseline`, the tables `baseline` and `baseline_tests`, and the figure `baseline_smd`.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file
out = None  # the run's output folder; None writes nothing
# Values are the schema's defaults; None: as the trial file declares.
confidence = 0.95  # two-sided coverage of every interval, between 0 and 1

# %%
import pandas as pd
from scipy import stats

from mair import results
from mair.published import numbers
from mair.report import fmt, forest, frames, tables_result, words
from mair.report.show import Show
from mair.sections import baseline
from mair.stats import effects
from mair.trial import load

# %%
t = load(trial, confidence=confidence)
show = Show(t, out)
control, treatment = t.called.values()
words.opening(t, "baseline")

# %% [markdown]
# ## The table
#
# Look for characteristics that may matter to the outcome and differ between the arms. Percentages
# are of those with a known value; a row says how many are unknown.

# %%
rows = baseline.rows(t)
show(tables_result.baseline(t, rows))

# %%
unknown = {f.label: int(f.values.isna().sum()) for f in t.baseline if f.values.isna().any()}
words.say(
    f"The table describes {len(t.baseline)} characteristics of {t.n()} people. " + (
        "Not known: " + ", ".join(f"{label} of {k} people" for label, k in unknown.items()) + "."
        if unknown else "No value is missing."))

# %% [markdown] tags=["fold"]
# ## How large is large?
#
# A standardised difference is judged against what chance gives at these arm sizes, not
# against one of the usual fixed cut-offs, which small trials exceed nearly always. A
# characteristic with several levels has a distance between the arms, which is never negative and
# by chance larger. Look for points outside the shaded band.

# %%
chance = effects.chance_smd(t.n(t.treatment), t.n(t.control))
found = frames.smd(t, rows)
ends = [f"{fmt.number(row.estimate)} ({row.label})"
        for row in found.sort_values("estimate").itertuples()]
alt = (f"Standardised mean differences at baseline, {treatment} minus {control}, from "
       f"{ends[0]} to {ends[-1]}, each with the band that chance alone gives, plus or minus "
       f"{chance.bound:.2f} where there are no more than two levels.") if ends else ""

# %%
if len(found):
    show(forest.forest(found, text={}, xlabel="Standardised mean difference\n(shaded: where chance "
                       "alone puts 19 of 20)"), "baseline_smd",
         "Baseline differences, with what chance alone gives", alt=alt,
         of=rows[rows["method"] == "smd"])

# %%
beyond = list(found.loc[found["estimate"].abs() > found["chance"], "label"])
several = dict(found.loc[found["levels"] > 2, ["levels", "chance"]].to_numpy())
words.say(
    f"With {t.n(t.control)} and {t.n(t.treatment)} people, chance alone gives an average absolute "
    f"difference of {chance.expected:.2f} SD, and one above {chance.bound:.2f} about once in "
    "twenty times"
    + "".join(f"; with {k:.0f} levels above {bound:.2f}" for k, bound in several.items())
    + f". Outside the band: {', '.join(beyond) or 'none'} ({len(beyond)} of the {len(found)} "
    "characteristics that can be estimated).")

# %% [markdown]
# The band is meant for one difference at a time, so of many rows some may lie outside it. A
# point outside it is not a fault of the randomisation; it is a reason to look whether that
# characteristic predicts the outcome.

# %% [markdown] tags=["appendix"]
# ## Do the items of a scale agree?
#
# Where a score is made from its items here, Cronbach's alpha (Feldt's interval) and McDonald's
# omega of one factor (percentiles of resampled people) say how far the items measure one thing.
# With a few dozen people both are rough: look at the intervals.

# %%
if t.items:
    show(tables_result.reliability(t, rows))
else:
    words.say("Scores are given as such, without their items: their agreement cannot be computed.")

# %% [markdown] tags=["appendix"]
# ## The tests, for checking only
#
# A test at baseline is a few lines of SciPy. Here is the primary outcome's, or that of the first
# continuous characteristic: Student's t test. Where there are only counts it is Pearson's
# chi-square without a continuity correction.

# %%
continuous = [f for f in t.baseline if f.kind == "continuous"]
one = next((f for f in continuous if t.primary and f.name == t.primary.name),
           (continuous or t.baseline)[0])
known = one.values.dropna()
arm = t.arm[known.index]
if one.kind == "continuous":
    by_hand = stats.ttest_ind(known[arm == t.treatment], known[arm == t.control])
else:
    by_hand = stats.chi2_contingency(pd.crosstab(known, arm), correction=False)
by_hand

# %%
method = "student" if one.kind == "continuous" else "pearson"
tested, = results.records(rows, variable=one.name, method=method)
printed = numbers.read(t.published) if t.published else pd.DataFrame(columns=numbers.COLUMNS)
key = {"analysis": "baseline", "variable": one.name, "method": method, "statistic": "p"}
printed = printed.loc[(printed[list(key)] == pd.Series(key)).all(axis=1), "printed"]
words.say(f"For {one.label} SciPy gives {fmt.p(by_hand.pvalue)}; the table below holds "
          f"{fmt.p(tested.p)} under {method.capitalize()}"
          + "".join(f"; the publication prints {p}" for p in printed) + ".")

# %% [markdown]
# One printed p value can come from several tests. In the table each stands under its own name,
# so that a reader can see which one a paper used.

# %%
show(tables_result.baseline_tests(t, rows))

# %%
tests = results.records(rows, analysis="baseline", arm="difference",
                        method=[*baseline.CONTINUOUS, *baseline.COUNTS])
below = {one.variable for one in tests if one.p < 0.05}
small = [f.label for f in t.baseline if f.name in below]
words.say(f"Of {len(t.baseline)} characteristics {len(small) or 'none'} have a p value below 0.05 "
          f"in some test{': ' * bool(small)}{', '.join(small)}. Where chance alone is at work, "
          f"{0.05 * len(t.baseline):.1f} of them would be expected to, by one test each.")

# %%
results.save(rows, out, "baseline")
