# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Results seen once
#
# **Question.** How far apart were the two arms in what was measured at one visit alone?
#
# Without a baseline there is no change to model: the arms are compared as they stand, and
# randomisation alone answers for their being alike before.
#
# *Reads* the trial file and its data. *Writes* the rows `outcomes` and `biomarkers` of the
# variables seen once, with their `emm` and `normality`, the tables `one_visit`,
# `one_visit_methods` and `one_visit_normality`, and the figures `primary` and `seen_once`.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file
out = None  # the run's output folder; None writes nothing
# The choices are the schema's defaults, made for small trials; None: as the trial file declares.
confidence = 0.95  # two-sided coverage of every interval, between 0 and 1
fdr_families = {"outcomes": "outcomes", "biomarkers": "biomarkers"}  # None: no correction

# %%
from mair import results
from mair.report import fmt, frames, people, tables_result, words
from mair.report.show import Show
from mair.sections import measures
from mair.trial import TrialError, load

t = load(trial, confidence=confidence, fdr_families=fdr_families)
show = Show(t, out)
words.opening(t, "one_visit")

# %% [markdown] tags=["fold"]
# ## The estimand

# %%
words.estimand(t, "difference between arms in the mean at the only visit")

# %% [markdown]
# ## What the data look like
#
# Look first at how far the people of one arm differ from each other, then at the means with their
# intervals beside them.

# %%
own = measures.variables(t, measures.ONCE)
if not own:
    raise TrialError(f"{trial}: nothing was measured at one visit alone, expected a trial file "
                     "with such an outcome")
rows = measures.rows(t, measures.ONCE)
ci = f"{100 * t.analysis.confidence:g}% CI"
scores, means = frames.people(t, measures.ONCE), frames.means(t, rows, measures.ONCE)
who = "each person" if t.individuals else "median and quartiles"
words.say("Each point is one person." if t.individuals else
          "Nobody is drawn singly: a point is a median, the bar beneath it holds the middle half.")

# %%
axes, at = frames.axes(t, measures.ONCE), {name: one.visits[0] for name, one in own.items()}
numbers = {name: "; ".join(f"{one.arm} {fmt.number(one.mean, 1)}" for one in part.itertuples())
           for name, part in means.groupby("outcome")}
parts = {"primary": [name for name in own if name == t.primary.name],
         "seen_once": [name for name in own if name != t.primary.name]}

# %%
for figure, drawn in parts.items():
    if drawn:
        show(people.trajectories(
            scores[scores["outcome"].isin(drawn)], means[means["outcome"].isin(drawn)],
            {one: axes[one] for one in drawn}, arms=t.labels, apart=True,
            visits={at[one]: t.visit_labels[at[one]] for one in drawn}),
             figure, f"{words.listed(drawn)} by arm: {who}, and means with their {ci}",
             alt=f"{who.capitalize()}, and means with {ci}: "
                 + "; ".join(f"{one}, {numbers.get(one, '')}" for one in drawn) + ".")

# %% [markdown]
# ## The estimates
#
# The difference is that of the means, treatment minus control, by Welch's t test, which lets each
# arm vary in its own way; where the trial file declares covariates, by least squares with them.

# %% tags=["fold"]
show(tables_result.once(t, rows))

# %%
by_arm = {name: "; ".join(
    f"{fmt.number(a.mean)} in {t.called[a.arm]} (n = {a.n})" for a in reversed(
        results.records(rows, variable=name, arm=t.arms, method="observed"))) for name in own}
found = [one for name, of in own.items() for one in results.records(
    rows, analysis=of.section, variable=name, arm="difference",
    method=measures.method(rows, of.section, name))]

# %%
sides = {one.variable: frames.side(t, one.variable, one.ci_low, one.ci_high) for one in found}
words.bullets(*(
    f"**{one.variable}, {t.visit_labels[one.time]}**: {by_arm[one.variable]}. " + (
        "The difference is not estimable." if fmt.absent(one.b) else
        f"The difference is {fmt.number(one.b)} ({ci} {fmt.ci(one.ci_low, one.ci_high)}; "
        f"{fmt.p(one.p)}; {words.method(one.method)}), "
        + (f"on the side of {sides[one.variable]}." if sides[one.variable] else
           "and the interval includes zero.")) for one in found))

# %%
words.bullets(*measures.states(t, measures.ONCE))

# %% [markdown]
# ## By other methods
#
# A mean follows its farthest values. Ranks do not: look whether Mann and Whitney's test and the
# shift that goes with it say the same as the t tests.

# %% tags=["fold"]
show(tables_result.once_methods(t, rows))

# %%
apart = [name for name, one in own.items() if len({p < 1 - t.analysis.confidence for p in (
    found.p for found in results.records(
        rows, analysis=one.section, variable=name, arm="difference",
        method=["welch", "student", "mann-whitney"])) if p == p}) > 1]
words.say("The t tests and the test of ranks fall on both sides of "
          f"{1 - t.analysis.confidence:.2g} of {words.listed(apart)}." if apart else
          f"Of all variables ({len(own)}) the t tests and the test of ranks fall on the same side "
          f"of {1 - t.analysis.confidence:.2g}.")

# %% [markdown] tags=["appendix"]
# ## What was assumed
#
# The t tests take means of this many people as normal; the residuals say how far the scores are.
# Those not seen are left out, as if they were like those of their arm who were.

# %%
words.own_numbers(t)
show(tables_result.normality(t, rows, measures.ONCE))

# %%
low = [one.variable.removesuffix(": residuals") for one in results.records(
    rows, analysis="normality", method="shapiro-wilk")
    if one.variable.endswith(": residuals") and one.p < 0.05]
words.say(f"{len(low) or 'None'} of the comparisons ({len(own)}) left residuals with p below 0.05 "
          f"in the test of Shapiro and Wilk{': ' * bool(low)}{', '.join(low)}.")

# %%
results.save(rows, out, "one_visit")
