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
# *Reads* the trial file and its data. *Writes* the rows `nnt`, the tables `nnt` and `odds_ratios`
# and the figure `responder_curve`.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file
out = None  # the run's output folder; None writes nothing
# The choices are the schema's defaults, made for small trials; None: as the trial file declares.
responder_missing = "nonresponder"  # | completers | worst-case | mi-mar: those not seen
risk_interval = "miettinen-nurminen"  # | newcombe | wald | skewness-corrected: prose, table
confidence = 0.95  # two-sided coverage of every interval, between 0 and 1
seed = 2020  # of the imputations, 0 or more
draws = 10000  # one imputation for every fifty, at least 20

# %%
import numpy as np
import pandas as pd
from scipy import stats

from mair import results
from mair.report import beside, curves, fmt, frames, frames_appendix, tables_appendix
from mair.report.show import Show
from mair.report.tables_appendix import LIMITS, MISSING
from mair.report.words import bullets, estimand, opening, own_numbers, say
from mair.sections import nnt
from mair.trial import load

# %%
t = load(trial, responder_missing=responder_missing, risk_interval=risk_interval,
         confidence=confidence, seed=seed, draws=draws)
show = Show(t, out)
opening(t, "nnt")

# %%
beside.compare(t, nnt.rows)  # with what the trial file declares

# %% [markdown] tags=["fold"]
# ## The estimand

# %%
estimand(t, "difference between arms in the percentage who respond, and its reciprocal")

# %% [markdown] tags=["appendix"]
# ## Two by two
#
# Before any function does it: who reached the first criterion and who did not, counting only
# those whose result is known. Look at the two rows of the first column.

# %%
declared = nnt.declared(t)
criterion, visit = declared[0]
when = t.visit_labels.get(visit, "")
known = nnt.responses(t, visit)[criterion].dropna()
counts = pd.crosstab(t.arm[known.index], np.where(known.astype(bool), "responded", "did not"))
counts = counts.reindex(index=[t.treatment, t.control], columns=["responded", "did not"],
                        fill_value=0).rename_axis(index="arm", columns=criterion)
counts

# %% [markdown]
# Of $n_1$ people under treatment $x_1$ responded, of $n_0$ in the control arm $x_0$. The
# absolute risk reduction (ARR) is one subtraction, its limits are Wald's, and the number
# needed to treat (NNT) is its reciprocal:
#
# $$\mathrm{ARR} = p_1 - p_0, \qquad p_a = \frac{x_a}{n_a}, \qquad
# \mathrm{SE} = \sqrt{\frac{p_1 (1 - p_1)}{n_1} + \frac{p_0 (1 - p_0)}{n_0}}, \qquad
# \mathrm{NNT} = \frac{1}{\mathrm{ARR}}$$

# %%
n = counts.sum(axis=1)
share = counts["responded"] / n
reduction = share[t.treatment] - share[t.control]
error = np.sqrt((share * (1 - share) / n).sum())
half = stats.norm.ppf((1 + t.analysis.confidence) / 2) * error
by_hand = 100 * np.array([reduction, reduction - half, reduction + half])
percent = 100 * share
say(f"**{criterion}{f', {when}' * bool(when)}.** {fmt.number(percent[t.treatment], 1)}% minus "
    f"{fmt.number(percent[t.control], 1)}% is {fmt.number(by_hand[0], 1)} percentage points "
    f"({t.analysis.confidence:.0%} interval {fmt.ci(*by_hand[1:], 1)}); "
    + (f"the reciprocal is {fmt.number(100 / by_hand[0])}." if by_hand[0] else
       "of no difference there is no reciprocal."))

# %%
rows = nnt.rows(t)
for one in results.records(rows, variable=criterion, arm="difference", time=visit,
                           method="completers/wald"):
    apart = np.abs(by_hand - [one.arr, one.ci_low, one.ci_high]).max()
    say("The table's row for those seen, with Wald's limits, "
        + ("agrees: " if apart < 1e-9 else f"differs, by up to {apart:.2g}: ")
        + fmt.estimate(one.arr, one.ci_low, one.ci_high, 1) + ".")

# %% [markdown]
# ## The table
#
# Wald's interval is the one most papers print and the worst in small arms, so others stand
# beside it. ARR is in percentage points of the good result. Compare the lines of a criterion:
# first the intervals, then what is supposed of those not seen, then the same people made alike in
# their baseline score by a logistic regression. Where the interval of ARR contains zero, the NNT
# has no simple interval: it runs through infinity, from benefit (NNTB) to harm (NNTH). Visits
# other than the declared one stand below, in fewer lines.

# %% tags=["fold"]
show(tables_appendix.nnt(t, rows))

# %%
rule = t.analysis.responder_missing
limits = "wald" if rule == "mi-mar" else t.analysis.risk_interval  # Rubin's rules pool Wald's
by_rule = f"{MISSING[rule].lower()}; {LIMITS[limits]}"
said = dict.fromkeys(declared, "not estimable, an arm has nobody with a known result")

# %%
for one in results.records(rows, arm="difference", method=f"{rule}/{limits}"):
    if (one.variable, one.time) not in said:
        continue
    arms = results.records(rows, variable=one.variable, arm=t.arms, time=one.time, method=rule)
    said[one.variable, one.time] = (
        " and ".join(f"{fmt.tally(a.responders, a.n)} in {t.called[a.arm]}" for a in reversed(arms))
        + f"; the difference is {fmt.estimate(one.arr, one.ci_low, one.ci_high, 1)} percentage "
        f"points, the NNT {fmt.nnt(one.nnt)} ("
        + fmt.nnt_ci(one.nnt_ci_low, one.nnt_ci_high, one.nnt_through_infinity)
        + ")")
bullets(*[f"**{name}** ({by_rule}): {text}." for (name, _), text in said.items()])

# %%
every = results.records(rows[rows["statistic"].isin(["arr", "ci_low", "ci_high"])],
                        arm="difference", time=[at for _, at in declared])
holding = [one for one in every if one.ci_low <= 0 <= one.ci_high]
rules = dict.fromkeys(MISSING[one.method.split("/")[0]].lower() for one in holding)
say(f"Over criteria, rules and intervals, {len(holding)} of {len(every)} intervals of ARR "
    f"{'contains' if len(holding) == 1 else 'contain'} zero"
    + (f" ({'; '.join(rules)})" if rules else "") + ".")

# %% [markdown] tags=["appendix"]
# ## As a ratio of odds, and tested
#
# Papers also print odds ratios and exact tests. Woolf's limits lean on the normal curve, with a
# half added to each cell where one is empty; the exact ones hold both margins fixed and are
# infinite where a cell is empty. Look whether a test says anything that the interval of the
# difference did not.

# %%
show(tables_appendix.odds(t, rows))

# %%
counted = "completers" if rule == "mi-mar" else rule
bullets(*(f"**{one.variable}** ({MISSING[counted].lower()}): Fisher's exact test of {one.n} people "
          f"gives {fmt.p(one.p)}." for one in results.records(
              rows, arm="difference", method=f"{counted}/fisher")
          if (one.variable, one.time) in said))

# %% [markdown] tags=["fold"]
# ## Adjusted for baseline, and at the other visits
#
# Chance differences at baseline move a percentage, and a response may not last. So the difference
# adjusted for baseline stands beside the plain one of the same people, and the declared visit
# beside the others.

# %%
own_numbers(t)
for one in results.records(rows, arm="difference", method=nnt.ADJUSTED):
    plain, = results.records(rows, variable=one.variable, arm="difference", time=one.time,
                             method=f"completers/{t.analysis.risk_interval}")
    bullets(f"**{one.variable}, {t.visit_labels[one.time]}**: adjusted for baseline "
            f"{fmt.estimate(one.arr, one.ci_low, one.ci_high, 1)} percentage points, against "
            f"{fmt.estimate(plain.arr, plain.ci_low, plain.ci_high, 1)} unadjusted, in {one.n} "
            "people seen.")

# %%
if t.reductions and (who := nnt.zero_baselines(t)):
    say(f"Not estimable in {len(who)} of {t.n()} people, because their baseline is zero or below.")

# %% [markdown]
# ## Every threshold at once
#
# A declared threshold is one point of a curve. If the arms differ at one and not at its
# neighbours, the threshold has been kind. The band is Miettinen and Nurminen's and pointwise:
# over many thresholds some excursion is to be expected. Look whether the band leaves zero over
# a stretch, and where the declared thresholds stand in it.

# %%
if t.reductions:
    marked = [100 * reduction for reduction in t.reductions["reductions"]]
    percents, band = nnt.curve(t)
    if not t.individuals:  # every step would be a person's change
        percents, band = frames.on_grid(percents, marked), frames.on_grid(band, marked)

# %%
if t.reductions:
    show(curves.responder_curve(percents, difference=band, thresholds=marked, arms=t.labels,
                                spans=frames_appendix.curve_spans(t)),
         "responder_curve",
         f"Responders at every {'threshold' if t.individuals else 'tenth percent'}",
         alt=f"Percent of each arm whose {t.reductions['outcome']} improved by at least each "
             f"threshold ({when}), and the difference in percentage points with its pointwise "
             "Miettinen-Nurminen band; declared thresholds "
             f"{', '.join(f'{x:g}%' for x in marked)} are marked.")

# %%
if t.reductions:
    off = band[(band["low"] > 0) | (band["high"] < 0)]["threshold"]
    say(f"The band excludes zero at {len(off)} of {len(band)} thresholds"
        + (f", the lowest {off.min():.0f}% and the highest {off.max():.0f}% improvement; "
           if len(off) else "; ")
        + "; ".join(f"at {x:g}% the next step of the curve has "
                    + fmt.estimate(*band.loc[band["threshold"] >= x - 1e-7,
                                             ["arr", "low", "high"]].iloc[0], 1)
                    for x in marked if band["threshold"].max() >= x) + ".")

# %% [markdown] tags=["appendix"]
# ## What was assumed
#
# The lines of those seen suppose nothing of the others. The remaining lines bound what the
# unseen could do: all of them failures, or all in favour of one arm; or they impute them under
# missingness at random, pooled by Rubin's rules with Wald limits. An NNT holds for people like
# these, at this visit, against this comparison.

# %%
results.save(rows, out, "nnt")
