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
# There is one judgement on each number, in five degrees. It *follows* from the others, it
# *follows with rounding*, it *needs an explanation*, for it follows only under another convention
# than the paper's, which is named, or it *cannot hold as printed*; where nothing else printed bears
# on it, it *stands alone*. What was declared beforehand, as the ends of a scale, is an input and
# not judged by itself.
#
# *Reads* the published numbers and the trial file. *Writes* the rows `audit`, the tables
# `consistency`, `queries`, `worksheet` and `small_sample`, and `letter`, to the authors.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file that names `published`
out = None  # the run's output folder; None writes nothing

# %%
from functools import partial

from IPython.display import HTML, display

from mair import results
from mair.published import compare, consistency, provenance
from mair.report import maps, reviewer, tables_appendix
from mair.report.show import Show
from mair.report.words import bullets, label, opening, say
from mair.sections import audit
from mair.sections import rows as sections
from mair.trial import load

# %%
t = load(trial)
show = Show(t, out)
opening(t, "audit")

# %%
printed, checked, judged = audit.published(t), audit.checks(t), audit.judged(t)
computed = sections.rows(t) if t.has_data else audit.rows(t)
compared = compare.compare(printed, computed, checked)

# %% [markdown]
# ## Every number at once
#
# [The map](#map) shows each number in its place in the paper, marked by the worst verdict of the
# checks that end in it; a number leads to its row in the list.

# %%
n = {word: int((judged["verdict"] == verdict).sum()) for verdict, word in consistency.WORDS.items()}
listed = "; ".join(f"{word}: {count}" for word, count in n.items() if count)
facts = results.records(audit.rows(t), method="impossible")[0].facts
bad = n[consistency.WORDS["impossible"]]
say(f"{len(judged)} printed numbers. {listed[:1].upper()}{listed[1:]}.",
    f"The {bad} that cannot hold, and a sentence of the text where one is held against the "
    f"numbers, come down to {facts:g} fact{'s' * (facts != 1)}." if bad else "")

# %% [markdown]
# ## What agreement means
#
# Three counts that should not be added up. A number that follows from others of the paper could
# have come out otherwise: that it does not is evidence of careful work. A number that data made
# from the paper reproduce could not.

# %%
c = compare.counts(compared, checked)
say(f"Of {c['printed']} printed numbers {c['given']} are **inputs** or another study's: limits of "
    "scales, terms of the planning, people before allocation. Compared with themselves they show "
    "nothing, so they stand in no other count.",
    f"**{c['follow']} of {c['linked']} follow from one another**, perhaps with rounding: "
    "percentages from counts, p from means and SDs, limits from estimates.",
    f"**{c['met']} of {c['compared']} are met by the cohort, by construction.** The cohort was "
    "searched for until it met them: their agreement confirms nothing, neither the numbers nor "
    "the analyses behind them." if t.synthetic and t.has_data else
    f"**{c['met']} of {c['compared']} are reproduced from the data.**" if t.has_data else
    "There are no data, so nothing was recomputed.")

# %% tags=["fold"]
display(HTML(maps.facsimiles(judged, partial(label, t))))

# %% [markdown]
# ## What the numbers show
#
# In order of consequence for a reader; each with one computation.

# %% tags=["fold"]
bullets(*[f"**{one.headline}.** {one.text}" for one in audit.found(t)])

# %% [markdown]
# None of this shows an error of analysis or of intent. It shows where a reader should ask,
# and what to ask for: the individual data, or the output the tables were typed from.

# %% [markdown] tags=["fold"]
# ## For a reviewer
#
# For a reader there are three classes: what *cannot hold as printed*, what *needs an explanation*
# (and which would do), and what there is *nothing to hold against*. The first two are listed here;
# a letter that asks the authors about them, and a worksheet for reviewers after INSPECT-SR and
# TRACT, are Word files of this run (`letter`, `worksheet`).

# %%
say(f"{reviewer.sentence(t)}.")

# %% tags=["fold"]
show(reviewer.queries(t))
show.keep(reviewer.worksheet(t), letter=reviewer.letter(t))

# %% [markdown] tags=["appendix"]
# ## The checks
#
# [The table](#table-consistency) holds the checks that do not come out exactly, the worst first;
# its file holds all. Compare what is printed with the interval computed.

# %%
show(tables_appendix.consistency(checked))

# %%
verdicts = checked["verdict"].map(consistency.WORDS).value_counts()
say(f"{len(checked)} checks. " + "; ".join(f"{word}: {count}" for word, count in
                                           verdicts.items()) + ".")

# %% [markdown] tags=["appendix"]
# ## What the printed numbers imply
#
# Many cohorts agree with the same printed numbers. What the paper does not print is implied where
# a search for its extremes over such cohorts hardly moves it; otherwise it stays open.

# %%
found = [own[2] for own in provenance.stored(t).values()]
if found:
    say(f"Of {len(found)} statistics that differ between cohorts, {sum(found)} were pushed to "
        "their extremes; the others have the range of the cohorts met.")
    show(tables_appendix.small_sample(t))

# %%
results.save(audit.rows(t), out, "audit")
