# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Robustness of the primary contrast
#
# **Question.** Which of the choices behind the primary result carry it, and which could have
# been made otherwise without a different answer?
#
# One contrast, the change of the primary outcome between the arms, goes through every choice
# of covariance, reference distribution, estimator and missing-data rule, then through what
# rests on the allocation alone. Read the column of intervals, not the smallest p.
#
# *Reads* the trial file and its data. *Writes* the rows `robustness`, the table `robustness`,
# for each later visit a table `delta_grid_1`, `delta_grid_2` and so on, and the figures
# `robustness_1` and so on, two visits in each, and `tipping`.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file
out = None  # the run's output folder; None writes nothing
# The choices are the schema's defaults, made for small trials; None: as the trial file declares.
covariance = "unstructured"  # | random-intercept | compound-symmetry: the choice marked
variance = "common"  # | by-arm: whether each arm has its own
inference = "kenward-roger"  # | satterthwaite | z: its reference distribution
estimator = "difference"  # | clda | ancova: its estimator
missing = "observed"  # | mi-mar | mi-j2r | mi-cr: its missing-data rule
confidence = 0.95  # two-sided coverage of every interval, between 0 and 1
group_size = None  # people in a therapy group, 1 or more; None leaves that part out
seed = 2020  # of imputations, allocations and bootstrap, 0 or more
draws = 10000  # allocations and bootstrap samples; one imputation for every fifty

# %%
from mair import results
from mair.published import provenance
from mair.report import beside, fmt, frames_appendix, robust, tables_appendix
from mair.report.show import Show
from mair.report.words import bullets, estimand, known, method, opening, own_numbers, say
from mair.sections import analysis, measures, planning, robustness
from mair.trial import load

# %%
t = load(trial, covariance=covariance, variance=variance, inference=inference,
         estimator=estimator, missing=missing, confidence=confidence, group_size=group_size,
         seed=seed, draws=draws)
show = Show(t, out)
control, treatment = t.called.values()
opening(t, "robustness")

# %%
beside.compare(t, measures.rows, t.primary.section, only=t.primary.name)  # with the declared one

# %% [markdown] tags=["fold"]
# ## The estimand

# %%
estimand(t, "difference between arms in mean change from baseline of the primary outcome")

# %% [markdown]
# ## The grid
#
# In [the figure](#figure-robustness_1) every column is one analysis, in the order of their
# estimates, and the dots below say which choices made it; the diamond is the declared one. Look
# for intervals that change sides, not for the smallest p. Imputation under missingness at random
# uses what was seen of a person; jump and copy to reference take those lost from the treatment
# arm as if they had been in the control arm. For these two Rubin's variance is
# information-anchored, so the jackknife of the conditional mean stands beside it, which is
# smaller by design.

# %%
rows = robustness.rows(t)
name, declared = t.primary.name, analysis.analyse(t, t.primary.name).method
visits, seen_at = list(t.primary.visits[1:]), t.visit_labels
grid = {visit: frames_appendix.choices(t, rows, visit, declared) for visit in visits}
good = -1 if t.primary.better == "lower" else 1
planned = planning.difference(t.sections["sample_size"]) if t.declares("sample_size") else 0

# %%
spans = {visit: map(fmt.number, frame["estimate"].agg(["min", "max"]))
         for visit, frame in grid.items()}
ends = {visit: f"{seen_at[visit]}, {len(grid[visit])} analyses from {' to '.join(span)}"
        for visit, span in spans.items()}

# %%
estimable = [visit for visit in visits if len(grid[visit])]
say("" if estimable else f"The contrast of {name} is not estimable under any choice.")
for k in range(0, len(estimable), 2):
    pair = estimable[k:k + 2]
    figure = robust.specification(
        {seen_at[visit]: grid[visit] for visit in pair}, frames_appendix.GROUPS,
        ylabel=f"Difference in change of {name},\n{treatment} minus {control}",
        planned=planned and (good * planned, f"planned {planned:g}"))
    show(figure, f"robustness_{k // 2 + 1}", "The primary contrast under every choice",
         alt=f"{name}, difference in change between arms with its interval: "
             f"{'; '.join(ends[visit] for visit in pair)}. Marked: {method(declared)}.")

# %% [markdown]
# Many analyses that go by different names give the same estimate, and some the same interval:
# what counts is how many different answers there are.

# %%
for visit, frame in grid.items():
    seen = frame.dropna(subset=["low", "high"])
    with_zero = seen[(seen["low"] <= 0) & (seen["high"] >= 0)]["method"]
    named = f" ({'; '.join(map(method, with_zero))})" if 0 < len(with_zero) <= 5 else ""
    bullets(f"**{seen_at[visit]}**: {len(seen)} analyses rest on "
            f"{robustness.distinct(seen['estimate'])} distinct estimates "
            f"({robustness.distinct(seen['estimate'], seen['se'])} with their standard errors), "
            f"from {fmt.number(seen['estimate'].min())} to {fmt.number(seen['estimate'].max())}; "
            + ("every interval excludes zero." if not len(with_zero) else
               f"{len(with_zero)} of their intervals contain zero{named}."))

# %%
empty = [one for one in robustness.grid(t, name) if not one.contrasts]
bullets(*(f"**{'; '.join(method(one.method) for one in empty if one.state == state)}**: {state}."
          for state in dict.fromkeys(one.state for one in empty)))
bullets(*(f"**{method(one.method)}, {seen_at[one.time]}**: no standard error, since the "
          "imputation model is not estimable without one of the people."
          for one in results.records(rows, arm="difference", variable=name)
          if "jackknife" in one.method and one.b == one.b and not one.se > 0))

# %% [markdown]
# Does the answer hang on one person? The declared analysis is repeated without each in turn.

# %%
own_numbers(t)
for one in results.records(rows, method=f"{declared.partition('/mi-')[0]}/leave-one-out"):
    few = f" of those farthest from their arm's mean, of {one.n}" * (one.refits < one.n)
    bullets(f"**{seen_at[one.time]}**: with one of {one.refits} people{few} left out the estimate "
            f"goes from {fmt.number(one.b_low)} to {fmt.number(one.b_high)}; "
            + ("whether the interval contains zero never changes." if not one.changed else
               f"whether the interval contains zero changes without {one.changed} of them."))

# %% [markdown] tags=["fold"]
# ## Over many cohorts, and as numbers
#
# One cohort can agree with the declared answer or change it by chance of its making. Where the
# trial is synthetic and ranges over many cohorts are stored, only an answer that changes in all
# of them says something about the choice.

# %%
origins = provenance.kinds(t, rows)
for visit in visits if provenance.stored(t) else ():
    over = {m: v for m, v in provenance.answers(origins, name, visit).items() if "delta=" not in m}
    answer = over.get(declared, float("nan"))
    always = [method(m) for m, v in over.items() if v == v and answer == answer and v != answer]
    some = sum(v != v for v in over.values())
    bullets(f"**{seen_at[visit]}, over cohorts**: "
            + (f"the declared answer changes in all of them under {'; '.join(always)}"
               if always else f"none of the {len(over)} choices changes the declared answer in "
               "all of them")
            + f"; {some} choices change it in some and not in others.")

# %% [markdown]
# [The table](#table-robustness) holds the same analyses as numbers. Read down a visit: what moves
# *B*, what only its standard error, what only the degrees of freedom.

# %% tags=["fold"]
show(tables_appendix.robustness(t, rows))

# %%
imputed = [f"random-intercept/kenward-roger/{rule}" for rule in ("mi-j2r", "mi-cr")]
mi = {(one.method.rpartition("/")[2], one.time): one.b
      for one in results.records(rows, method=imputed)}
pairs = [(mi["mi-j2r", visit], mi["mi-cr", visit]) for visit in visits if ("mi-cr", visit) in mi]
if pairs:
    say("Jump and copy to reference coincide here: nobody was lost from the treatment arm after "
        "having been seen at a later visit." if all(a == b for a, b in pairs) else
        "Jump and copy to reference differ: somebody was lost from the treatment arm after having "
        "been seen at a later visit.")

# %% [markdown]
# ## How wrong must the imputed values be?
#
# What was not seen is moved, step by step and for the same imputations, until the interval first
# contains zero: those lost from the treatment arm did worse than imputed, or those lost from the
# control arm did better, or both. Nothing is clipped at the ends of the scale; instead the share
# of impossible values is said.

# %%
whose = dict(zip(robustness.TIPPING, (
    f"the unseen of {treatment} {{}} points worse than imputed",
    f"the unseen of {control} {{}} points better than imputed",
    f"those of {treatment} {{0}} points worse than imputed and those of {control} {{0}} "
    "points better"), strict=True))

# %%
for one in results.records(rows, method=list(robustness.TIPPING)):
    reason = ("the interval contains zero already" if one.held_already else
              "nobody there was unseen" if not one.imputed else
              "no shift within the scale brings zero into the interval")
    far, over, cohorts = known(origins, one, "delta", "{:.1f}".format).partition(" over ")
    tips = (f"the interval begins to contain zero with {whose[one.method].format(far)}"
            + f" ({(over + cohorts).strip()})" * bool(over)
            + f"; {100 * one.beyond / max(one.imputed, 1):.0f}% of the values so moved would lie "
            "beyond the scale")
    bullets(f"**{seen_at[one.time]}**: {tips if one.tips else reason}.")

# %% [markdown]
# [The figure](#figure-tipping) shifts both arms at once. The diamond is as imputed; to the right
# the unseen of the treatment arm did worse, downwards the unseen of the control arm did better.
# Beyond the thick line, in grey, the interval contains zero; thin lines join equal estimates.

# %%
shifted = {visit: fine for visit in visits
           if len(fine := robustness.delta_grid(t, visit, fine=8))}
far = {visit: (fine["treatment"].max(), -fine["control"].min()) for visit, fine in shifted.items()}
reaches = [f"{seen_at[visit]}, {treatment} worse by 0 to {own:g}, {control} better or worse by "
           f"up to {other:g}" for visit, (own, other) in far.items()]

# %%
own_numbers(t)
if shifted:
    show(robust.tipping(
        {seen_at[visit]: fine for visit, fine in shifted.items()},
        xlabel=f"Unseen of {treatment}: points worse than imputed",
        ylabel=f"Unseen of {control}: points worse (above 0) or better (below 0) than imputed"),
        "tipping", "The primary contrast when those not seen did worse or better",
        alt=f"Difference in change of {name} over shifts of either arm's imputed "
        f"values: {'; '.join(reaches)}. A line marks where the interval begins to contain zero.")

# %% tags=["fold"]
for visit in visits:
    show(tables_appendix.delta_grid(t, visit))

# %% tags=["fold"]
for visit in visits:
    cells = robustness.delta_grid(t, visit)
    inside = int(((cells["ci_low"] <= 0) & (cells["ci_high"] >= 0)).sum())
    bullets(f"**{seen_at[visit]}**: zero lies in {inside} of the {len(cells)} intervals of the "
            f"table, which goes to {far[visit][0]:g} points for {treatment} and to "
            f"{far[visit][1]:g} either way for {control}."
            if len(cells) else f"**{seen_at[visit]}**: nothing to shift.")

# %% [markdown] tags=["fold"]
# ## By design alone
#
# Under re-randomisation the arms' labels are dealt again as they could have been, and the
# model is refitted each time. It is exact if neither scores nor dropout depend on the arm;
# where dropout is caused by the arm it is not. The bootstrap draws people instead, within their
# arms, and needs no normal distribution either.

# %%
for one in results.records(rows, method=robustness.REFERENCE):
    bullets(f"**{seen_at[one.time]}, re-randomised**: {fmt.p(one.p)} over {one.allocations:g} "
            + ("allocations, all there are" if one.exact else
               f"allocations drawn (Monte-Carlo error {one.mc_error:.4f})")
            + f"; B {fmt.estimate(one.b, one.ci_low, one.ci_high)}.")
for one in results.records(rows, method="d_ppc2/bca"):
    bullets(f"**{seen_at[one.time]}, bootstrap**: the standardised difference in change *d* is "
            f"{fmt.estimate(one.d, one.ci_low, one.ci_high)}, {one.draws:g} samples.")

# %% [markdown] tags=["fold"]
# ## Therapists and groups
#
# Where each arm has its own therapist, therapist and treatment cannot be told apart by any
# analysis. Correlation within therapy groups cannot be estimated from one trial either; it can
# only be supposed, and so can the number of people in a group where nobody has reported it. What
# is compared are then a few groups: the interval widens with the correlation, and t has as many
# degrees of freedom as there are groups, less two.

# %%
of_groups = [f"{declared}/groups of {size}" for size in robustness.group_sizes(t)]
for one in results.records(rows, arm="difference", method=of_groups):
    rho, size = one.rho_reaching_zero, int(one.method.rpartition(" ")[2])
    said = ("with so few groups no interval can be given" if one.df < 1 else
            "no correlation within groups brings zero into the interval" if rho != rho else
            "the interval contains zero without any correlation within groups" if rho == 0 else
            "the interval contains zero from a correlation of "
            f"{fmt.number(rho) if rho >= 0.005 else 'less than 0.01'} within groups on")
    bullets(f"**{seen_at[one.time]}, {size} people in a group"
            f"{' (the number assumed)' * (size == t.analysis.group_size)}**: {one.groups} groups, "
            f"{one.df} degrees of freedom; {said}.")

# %% [markdown] tags=["fold"]
# ## Sessions attended
#
# Nobody was allocated a number of sessions: who came more often differs from who came less, so a
# slope within an arm is no effect of a session.

# %%
for one in results.records(rows, method=robustness.DOSE if not t.synthetic else []):
    bullets(f"**{one.arm}, {seen_at[one.time]}** (not randomised): {name} changes by "
            f"{fmt.estimate(one.b, one.ci_low, one.ci_high)} with each further session, in "
            f"{one.n} people.")
if t.synthetic:
    say("Of an invented cohort the slopes are invented, too, and not shown.")

# %%
results.save(rows, out, "robustness")
