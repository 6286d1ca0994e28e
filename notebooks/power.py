# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] tags=["appendix"]
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
# *Writes* the rows `power` and, by simulation, `sample_size`, the tables `power_by_size`, `size`,
# `next_trial`, `simulation_type1`, `simulation_power` and `simulation_coverage`, and the
# figures `power_curve`, `next_trial` and `simulation_error`.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file
out = None  # the run's output folder; None writes nothing
# The choices are the schema's defaults, made for small trials; None: as the trial file declares.
covariance = "unstructured"  # | random-intercept | compound-symmetry: of the declared model
variance = "common"  # | by-arm: whether each arm has its own
inference = "kenward-roger"  # | satterthwaite | z: its reference distribution
estimator = "difference"  # | clda | ancova: its estimator
confidence = 0.95  # second level of the SD's upper limit, between 0 and 1
seed = 2020  # of every random stream, 0 or more
draws = 10000  # simulated trials a sample size, 1 or more

# %%
from functools import partial

# %%
from mair import results
from mair.published import provenance
from mair.report import curves, fmt, frames_appendix, tables_appendix, words
from mair.report.show import Show
from mair.report.tables_appendix import DROPOUTS, MECHANISMS, METHODS
from mair.report.words import bullets, opening, say
from mair.sections import planning, power, study
from mair.stats import power as formulas
from mair.stats import simulated
from mair.trial import load

# %%
t = load(trial, covariance=covariance, variance=variance, inference=inference,
         estimator=estimator, confidence=confidence, seed=seed, draws=draws)
show = Show(t, out)
opening(t, "power")

# %% [markdown]
# ## The published calculation
#
# It compares two means once. Its inputs are the difference worth detecting, the standard
# deviation of a score, the two-sided level $\alpha$ and the power $1 - \beta$; in the normal
# formula
#
# $$n = 2 \left( \frac{z_{1-\alpha/2} + z_{1-\beta}}{d} \right)^2, \qquad
# d = \frac{\text{difference}}{\text{SD}},$$
#
# people an arm. The noncentral t allows for the SD being estimated.

# %%
declared, name = t.sections["sample_size"], t.primary.name
delta, wanted = planning.difference(declared), declared["power"]
normal, exact = (results.records(planning.rows(t), method=method)[0] for method in ("normal", "t"))
say(f"At d = {fmt.number(normal.d, 3)} the normal formula asks for {normal.n:g} an arm, the "
    f"noncentral t for {exact.n:g}.")

# %%
if all(declared.get(key) for key in ("mean", "relative_difference", "difference")):
    unrounded = declared["mean"] * declared["relative_difference"]
    sizes = [formulas.sample_size(unrounded / declared["sd"], alpha=declared["alpha"],
                                  power=wanted, method=method) for method in ("normal", "t")]
    say(f"{declared['relative_difference']:.0%} of {declared['mean']:g} is {unrounded:g}; "
        f"{delta:g} is used. Unrounded, {sizes[0]} an arm are needed by the normal formula and "
        f"{sizes[1]} by the noncentral t.")

# %% [markdown]
# ## The mixed model's power
#
# The analysis is not that comparison: it contrasts changes, uses every visit, and people leave.
# So trials are simulated at the planned difference and analysed with a random intercept and
# Kenward-Roger's degrees of freedom. Look where each curve crosses the power wanted.

# %%
rows = power.rows(t)
visits, seen_at = t.primary.visits[1:], t.visit_labels
last = seen_at[t.primary.visits[-1]]
found = {one.method: one for one in results.records(rows, analysis="sample_size")}
if not visits:
    say("The primary outcome has one visit: there is no change to simulate.")

# %%
show(tables_appendix.power_by_size(t, rows))

# %%
if visits:
    frame = frames_appendix.power_curve(t, rows)
    ends = "; ".join(f"{line}: {part['y'].iloc[0]:.0f} to {part['y'].iloc[-1]:.0f}"
                     for line, part in frame.groupby("line", sort=False))
    show(curves.curves(frame, xlabel="People in each arm", ylabel=f"Power, {last} (%)",
                       markers=True, horizontal=(100 * wanted, f"{100 * wanted:g}%")),
         "power_curve", "Power by the number in each arm", of=False,
         alt=f"Power, {last}, in percent over the number an arm from {frame['x'].min()} to "
             f"{frame['x'].max()}. {ends}.")

# %%
taken, (_, change, _, _) = planning.correlation(t), power.sizes(t)
limits = f"{taken.value:.2f} (95% limits {taken.low:.2f} to {taken.high:.2f})"
why = {"assumed": f"Nothing says how two visits correlate; {taken.value:g} is taken.",
       "printed": "The published standard errors, SDs and numbers seen imply that two visits of "
                  f"{name} correlate at {limits}.",
       "data": f"In this trial two visits of {name} correlate at {limits} within the arms."}

# %%
if visits:
    say(f"The planning says nothing about the correlation of two visits, and a difference in "
        f"change depends on it. {why[taken.source]} At {taken.value:.2f} the SD of a change is "
        f"{taken.change():.2f} times that of a score: for {wanted:.0%} power the t formula then "
        f"asks for **{change} an arm**, not {exact.n:g}, and the mixed model by simulation for "
        f"**{found['simulation'].n:g}**, both without dropout, the model at every later visit.")

# %%
if lost := found.get("simulation/dropout"):
    say(f"If {declared['dropout']:.0%} leave by the last visit, **{lost.n_with_dropout:g} in both "
        "arms** suffice by simulation; n / (1 - dropout) gives "
        f"{found['simulation/divided'].n_with_dropout:g}. Those who leave late have given scores "
        "that the model uses.")

# %%
ends = [(rho, one) for rho in power.correlations(t) for one in results.records(
    rows, variable=power.scenario(change, correlation=rho), time=visits[:1])]
if visits and ends:
    say(f"That is known as well as the correlation is: with {change} an arm the power is "
        + " and ".join(f"{100 * one.power:.0f}% at a correlation of {rho:.2f}"
                       for rho, one in ends) + ".")

# %% [markdown]
# ## A next trial
#
# A small trial's standard deviation is itself uncertain, and a trial planned with one that came
# out low has too little power. Browne (1995) plans with a one-sided upper confidence limit: its
# level is the chance that the next trial has at least the power wanted. Compare the sizes down
# the table: they differ by the SD alone.

# %%
show(tables_appendix.next_trial(t, rows))

# %%
following = {one.method: one for one in results.records(rows, variable=f"{name}, next trial")}
planned, made = following["planned"], following["planned/change"]
stated = partial(words.known, provenance.kinds(t, rows), show="{:.3g}".format)
said = [f"The planned SD of a score, {fmt.number(planned.sd, 1)}, asks for {planned.n:g} an arm; "
        f"the SD of a change that it makes, {fmt.number(made.sd, 1)}, for {made.n:g}"
        + (f" ({made.n_low:g} to {made.n_high:g} over the limits of the correlation)."
           if hasattr(made, "n_low") else ".")]

# %%
said += [f"In this trial the change of {name} has an SD of {stated(one, 'sd')} within arms "
         f"({one.df:g} degrees of freedom), which asks for {stated(one, 'n')}."
         for method, one in following.items() if method == "observed"]
said += [f"Its one-sided upper {100 * float(method.partition('/')[2]):g}% limit, "
         f"{stated(one, 'sd')}, asks for **{stated(one, 'n')} an arm**."
         for method, one in following.items() if method.startswith("browne")]
bullets(*said)

# %%
key = ("power", f"{name}, next trial", "overall", "", "observed", "sd")
if provenance.has(t) and key in (ranges := provenance.stored(t)):
    sds = ranges[key][:2]
    sizes = [formulas.sample_size(delta / sd, alpha=declared["alpha"], power=wanted) for sd in sds]
    say("The SD of change is not printed: it is the generator's choice here. In the cohorts "
        f"searched that agree with the publication it is {sds[0]:.1f} to {sds[1]:.1f}, which asks "
        f"for {sizes[0]} to {sizes[1]} an arm; only the planned SD and the correlation rest on "
        "printed numbers.")

# %%
show(curves.curves(frames_appendix.next_trial(t), xlabel="Difference to detect, points",
                   ylabel="People in each arm", vertical=(delta, f"planned, {delta:g}")),
     "next_trial", "Size of a next trial",
     alt="Number an arm over the difference to detect. At the planned difference: "
         + " ".join(said).replace("**", ""))

# %% [markdown]
# ## Does each inference hold at this trial's own size?
#
# The scores of the primary outcome are drawn anew without any difference between the arms; arms,
# covariates and who was seen when stay as they were. A test at the nominal level should then
# reject that often, and its interval hold the truth in the rest. Compare the two blocks: the
# covariance of the scores is once that of the declared model, alike in both arms, and once each
# arm's own.

# %% tags=["fold"]
show(tables_appendix.size(t, rows))

# %%
say(words.level_kept(t), "`make size` draws more trials, and re-randomises, too."
    if visits else "")

# %% [markdown]
# ## Which inference holds in a trial of this size?
#
# Trials of this one's size are made from mechanisms that break one assumption at a time, and
# five methods test the same contrast. With no difference between the arms a test at the nominal
# level should reject that often and no oftener; the shaded band is what Monte-Carlo error allows.

# %%
cells = study.of(t)
if cells.empty:
    say("The committed study is of another design (its sizes, visits, planned difference and "
        "SD): nothing of it is shown.")
else:
    bullets("**Compound symmetry:** all visits equally correlated, one SD.",
            "**Correlation falls with lag:** powers of the neighbours' correlation, one SD.",
            "**SDs like FIQ's:** each arm and visit has an SD in proportion to the published one.",
            "**SDs like HADS-A's:** likewise.",
            "**Skewed residuals:** compound symmetry, residuals exponential.")

# %%
if len(cells):
    first = cells.iloc[0]
    bullets(f"**Dropout**, {first['dropout_planned']:.0%} planned by the last visit: *none*; "
            "*on the last score*, who scored worse leaves more often; *by arm*, in control more "
            "leave, and the worse, in treatment fewer, and the better.",
            f"**Size:** {first['n_control']} and {first['n_treatment']} people, SD "
            f"{first['sd']:g}, correlation {simulated.CORRELATION:g} ({simulated.ADJACENT:g} "
            "between neighbouring visits where it falls), difference none or "
            f"{first['difference']:g}; {first['simulations']} trials in each of "
            f"{len(cells[study.KEYS[:3]].drop_duplicates())} designs, seed {first['seed']:g}.")

# %%
if len(cells):
    rates = frames_appendix.type1_errors(t, cells)
    low, high = (100 * x for x in simulated.binomial_limits(first["simulations"], first["alpha"]))
    spans = "; ".join(f"{method} {part['rate'].min():.1f} to {part['rate'].max():.1f}"
                      for method, part in rates.groupby("method", sort=False))
    show(curves.rates(rates, band=(low, high), xlabel="Type I error (%)",
                      value=100 * first["alpha"]), "simulation_error",
         "Type I error of five methods", of=False,
         alt="Type I error in percent, by mechanism, dropout and visit, smallest to largest over "
             f"all of them: {spans}.")

# %%
show(tables_appendix.simulation(t, rows, "type1"))

# %%
judged = study.criteria(cells, first["alpha"]) if len(cells) else cells.assign(passed=True)
outside = judged[~judged["passed"].astype(bool)]
if len(cells):
    say(f"**Where theory fixes the error**, {judged['passed'].sum()} of {len(judged)} rates lie "
        f"within the exact binomial 99% limits; {0.01 * len(judged):.1f} outside are to be "
        "expected by chance.", *(
        f"{METHODS[r.method]} is outside under {MECHANISMS[r.mechanism].lower()}, "
        f"{DROPOUTS[r.dropout]}, {seen_at[r.visit]}: {100 * r.type1:.2f}%."
        for r in outside.itertuples()))

# %%
if len(outside):
    lines = [len(part[["mechanism", "dropout", "visit"]].drop_duplicates())
             for part in (outside, judged)]
    say(f"All methods of a line test the same trials: these {len(outside)} are of {lines[0]} of "
        f"the {lines[1]} lines judged. Under compound symmetry and without dropout "
        "Kenward-Roger's is an exact t test: what it rejects there beyond "
        f"{first['alpha']:.0%} is chance, and shows the size of chance elsewhere.")

# %% [markdown]
# Power counts how often the planning difference is found, coverage how often the interval holds
# it. Power of a test that exceeds its level is no advantage.

# %%
show(tables_appendix.simulation(t, rows, "power"))
show(tables_appendix.simulation(t, rows, "coverage"))

# %% [markdown]
# ## What follows
#
# The smallest and the largest type I error of a method, over dropouts and visits, says how far
# it keeps its promise under a mechanism.

# %%
null = cells[cells["effect"] == "null"].assign(rate=100 * cells["type1"], all="all")
span = {}
for by in (["mechanism"], ["mechanism", "visit"], ["all"]):
    ends = null.groupby(["method", *by])["rate"].agg(["min", "max"])
    span |= {key: f"{low:.1f} to {high:.1f}%" for key, low, high in ends.itertuples()}
z, satterthwaite, kr, un, drawn = study.METHODS

# %%
if len(cells):
    bullets("**Degrees of freedom.** Under compound symmetry z rejects a true null in "
            f"{span[z, 'exchangeable']} of trials, Satterthwaite in "
            f"{span[satterthwaite, 'exchangeable']}, Kenward-Roger in {span[kr, 'exchangeable']}.",
            "**Covariance.** Where the correlation falls with lag, the random intercept with "
            f"Kenward-Roger rejects in {span[kr, 'falling', visits[0]]} ({seen_at[visits[0]]}) "
            f"and in {span[kr, 'falling', visits[-1]]} ({last}), unstructured in "
            f"{span[un, 'falling']}: no degrees of freedom mend a wrong covariance.")

# %%
if len(cells):
    bullets("**Unequal SDs.** With SDs like HADS-A's Kenward-Roger rejects in "
            f"{span[kr, 'HADS-A']}, unstructured in {span[un, 'HADS-A']}, re-randomisation in "
            f"{span[drawn, 'HADS-A']}: all take the arms' covariances as equal, and "
            "re-randomisation is not exact where they differ.")

# %%
if len(cells):
    worst = (null["type1"] - first["alpha"]).abs().groupby(null["method"], sort=False).max()
    bullets(f"**Overall** the largest departure from {first['alpha']:.0%} is "
            + ", ".join(f"{100 * far:.1f} points for {METHODS[m]}" for m, far in worst.items())
            + f"; it is smallest for **{METHODS[worst.idxmin()]}**.")

# %%
if len(cells):
    at = cells[(cells["effect"] == "planned") & (cells["mechanism"] == "exchangeable")
               & (cells["visit"] == visits[0])].set_index(["dropout", "method"])["power"]
    bullets("**The price.** At the planning difference, under compound symmetry, the power "
            f"({seen_at[visits[0]]}) is " + "; ".join(
                f"{METHODS[m]} {100 * at['none', m]:.1f}%, with dropout on the last score "
                f"{100 * at['mar', m]:.1f}%" for m in (kr, un, drawn)) + ".")

# %%
method = f"{t.analysis.covariance}/{t.analysis.inference}"
if (method, "all") in span:
    bullets(f"**The declared method**, {words.method(method)}, rejects a true null in "
            f"{span[method, 'all']} of trials over all mechanisms.")

# %%
results.save(rows, out, "power")
