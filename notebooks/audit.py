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
from mair.published import compare
from mair.published import identified as ranges
from mair.published.consistency import SEVERITY, findings
from mair.report import maps, tables_appendix
from mair.report.show import Show
from mair.report.words import bullets, opening, say
from mair.sections import audit
from mair.sections import rows as sections
from mair.trial import load

# %%
t = load(trial)
show = Show(t, out)
opening(t, "audit")

# %%
printed, checked, judged = audit.published(t), audit.checks(t), audit.judged(t)
compared = compare.compare(printed, sections.rows(t)) if t.has_data else None

# %% [markdown]
# ## Every number at once
#
# Each dot is a printed number in its place; its colour and shape are the worst verdict of
# the checks that end in it. Grey ones nothing can be held against.

# %%
n = {verdict: int((judged["verdict"] == verdict).sum()) for verdict in SEVERITY}
say(f"Of {len(judged)} printed numbers {len(judged) - n['not checkable']} can be held against "
    f"others of the paper: {n['exact']} follow exactly, {n['within rounding']} within rounding, "
    f"{n['other convention']} under another convention than the one named, and {n['impossible']} "
    "cannot hold together with the numbers beside them.",
    f"{compare.summary_line(compared)}." if t.has_data else "")

# %%
listed = ", ".join(f"{count} {verdict}" for verdict, count in n.items() if count)
show(maps.verdict_map(judged), "audit_map",
     alt=f"A dot for each of {len(judged)} published numbers in its place in the paper's tables, "
         f"coloured and shaped by verdict: {listed}.")

# %% [markdown]
# ## What the numbers show
#
# In order of consequence for a reader; each with one computation.

# %%
bullets(*[f"**{finding.title}.** {finding.text}" for finding in findings(checked, printed)])

# %% [markdown]
# None of this shows an error of analysis or of intent. It shows where a reader should ask,
# and what to ask for: the individual data, or the output the tables were typed from.

# %% [markdown]
# ## The checks
#
# The table holds the checks that do not come out exactly, the worst first; its file holds all.
# Compare what is printed with the interval computed.

# %%
show(tables_appendix.consistency(checked))

# %%
verdicts = checked["verdict"].value_counts()
say(f"Of {len(checked)} checks " + ", ".join(f"{count} come out {verdict}" for verdict, count in
                                             verdicts.items()) + ".")

# %%
if t.has_data:
    why = compared.loc[compared["verdict"] == "not checkable", "why"].value_counts()
    listed = "; ".join(f"{count} {reason}" for reason, count in why.items())
    say(f"Without a recomputed counterpart: {listed or 'none'}.")
else:
    say("There are no data, so nothing was recomputed.")

# %% [markdown]
# ## What the printed numbers identify
#
# Many cohorts agree with the same printed numbers. A statistic that the paper does not print
# is identified where they all give it alike; otherwise the printed numbers leave it open.

# %%
found = ranges.stored(t)
if found is not None:
    say(f"Over {found['cohorts'].max()} cohorts that all agree with the printed numbers, "
        f"{found['identified'].sum()} of {len(found)} unprinted statistics are identified; the "
        "others have a range.")
    show(tables_appendix.identified(t, found))

# %%
results.save(audit.rows(t), out, "audit")
