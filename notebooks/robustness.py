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
# *Reads* the trial file and its data. *Writes* the rows `robustness`, the table `robustness`
# and, for each later visit, a table `delta_grid_1`, `delta_grid_2` and so on, and a figure
# `robustness_1`, `robustness_2` and so on.

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
from mair.published import identified as ranges
from mair.report import fmt, forest, frames_appendix, tables_appendix
from mair.report.show import Show
from mair.report.words import bullets, estimand, method, opening, say
from mair.sections import analysis, robustness
from mair.trial import load

# %%
t = load(trial, covariance=covariance, variance=variance, inference=inference,
         estimator=estimator, missing=missing, confidence=confidence, group_size=group_size,
         seed=seed, draws=draws)
show = Show(t, out)
opening(t, "robustness")

# %% [markdown]
# ## The estimand

# %%
estimand(t, "difference between arms in mean change from baseline of the primary outcome")

# %% [markdown]
# ## The grid
#
# Look for intervals that change sides, not for the smallest p. The marked row is the declared
# choice. Imputation under missingness at random uses what was seen of a person; jump and copy
# to reference take those lost from the treatment arm as if they had been in the control arm.
# For these two Rubin's variance is information-anchored, so the jackknife of the conditional
# mean stands beside it, which is smaller by design.

# %%
rows = robustness.rows(t)
name, declared = t.primary.name, analysis.analyse(t, t.primary.name).method
visits, seen_at = list(dict.fromkeys(rows["time"])), t.visit_labels
grid = {visit: frames_appendix.choices(t, rows, visit, declared) for visit in visits}

# %%
for k, visit in enumerate(visits, start=1):
    low, high = (fmt.number(f(grid[visit]["estimate"])) for f in (min, max))
    show(forest.forest(grid[visit], xlabel=f"B, {seen_at[visit]}",
                       text={"text": "B (CI)", "p_text": "p"}),
         f"robustness_{k}",
         alt=f"{name}, {seen_at[visit]}: B with its interval under {len(grid[visit])} analyses, "
             f"from {low} to {high}; the declared choice, {method(declared)}, is marked.")

# %%
for visit, frame in grid.items():
    seen = frame.dropna(subset=["low", "high"])
    with_zero = seen[(seen["low"] <= 0) & (seen["high"] >= 0)]["method"]
    bullets(f"**{seen_at[visit]}**: {len(seen)} analyses, estimates from "
            f"{fmt.number(seen['estimate'].min())} to {fmt.number(seen['estimate'].max())}; "
            f"{len(seen) - len(with_zero)} intervals exclude zero, {len(with_zero)} contain it"
            + (f" ({'; '.join(map(method, with_zero))})" if 0 < len(with_zero) <= 5 else "") + ".")

# %% [markdown]
# One cohort can agree with the declared answer or change it by chance of its making. Where the
# trial is synthetic and ranges over many cohorts are stored, only an answer that changes in all
# of them says something about the choice.

# %%
found = ranges.stored(t)
for visit in visits if found is not None else ():
    over = ranges.over_cohorts(found, name, visit)
    answer = over.get(declared, (None, None, float("nan")))[2]
    verdicts = {key: one[2] for key, one in over.items() if "delta=" not in key}
    always = [method(m) for m, v in verdicts.items() if v == v and answer == answer and v != answer]
    some = sum(v != v for v in verdicts.values())
    bullets(f"**{seen_at[visit]}, over cohorts**: "
            + (f"the declared answer changes in all of them under {'; '.join(always)}"
               if always else "no choice changes the declared answer in all of them")
            + f"; {some} choices change it in some and not in others.")

# %% [markdown]
# The table holds the same analyses as numbers. Read down a visit: what moves *B*, what only
# its standard error, what only the degrees of freedom.

# %%
show(tables_appendix.robustness(t, rows, found))

# %%
mi = {(one.method.rpartition("/")[2], one.time): one.b for one in results.records(rows)
      if one.method.startswith("random-intercept/kenward-roger/mi-") and "delta" not in one.method}
pairs = [(mi["mi-j2r", visit], mi["mi-cr", visit]) for visit in visits if ("mi-cr", visit) in mi]
if pairs:
    say("Jump and copy to reference coincide here: nobody was lost from the treatment arm after "
        "having been seen at a later visit." if all(a == b for a, b in pairs) else
        "Jump and copy to reference differ: somebody was lost from the treatment arm after having "
        "been seen at a later visit.")

# %% [markdown]
# ## How wrong must the imputed values be?
#
# The tipping point makes the imputed values of the treatment arm worse, step by step and for
# the same imputations, until the interval first contains zero. Nothing is clipped at the ends
# of the scale; instead the share of impossible values is said.

# %%
for one in results.records(rows, method="tipping-point"):
    reason = ("the interval contains zero already" if one.held_already else
              "no shift within the scale brings zero into the interval")
    tips = (f"the unseen of {t.treatment} would have to be {fmt.number(one.delta, 1)} points worse "
            "than imputed for the interval to contain zero; "
            f"{100 * one.beyond / max(one.imputed, 1):.0f}% of the values so imputed would lie "
            "beyond the scale")
    bullets(f"**Tipping point, {seen_at[one.time]}**: {tips if one.tips else reason}.")

# %% [markdown]
# In the table both arms are made worse, each by its own step. Look for the border beyond which
# the interval contains zero: it lies towards a worse treatment arm and a control arm as imputed.

# %%
for visit in visits:
    show(tables_appendix.delta_grid(t, visit))

# %%
for visit in visits:
    shifts = results.records(robustness.delta_grid(t, visit))
    inside = sum(one.ci_low <= 0 <= one.ci_high for one in shifts)
    bullets(f"**{seen_at[visit]}**: zero lies in {inside} of the {len(shifts)} intervals."
            if shifts else f"**{seen_at[visit]}**: nothing to shift.")

# %% [markdown]
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

# %% [markdown]
# ## Therapists and groups
#
# Where each arm has its own therapist, therapist and treatment cannot be told apart by any
# analysis. Correlation within therapy groups cannot be estimated from one trial either; it
# can only be supposed, and it widens the interval.

# %%
for one in results.records(rows, method=f"{declared}/groups of {t.analysis.group_size}"):
    rho = one.rho_reaching_zero
    bullets(f"**{seen_at[one.time]}**: " + (
        "the interval contains zero without any correlation within groups." if rho <= 0 else
        f"with groups of {t.analysis.group_size} " + (
            f"the interval reaches zero at a correlation of {rho:.2f} within groups."
            if rho <= 1 else "no correlation within groups brings zero into the interval.")))

# %%
results.save(rows, out, "robustness")
