# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Flow of participants
#
# **Question.** Who was assessed, randomised, seen at each visit and analysed, and was the
# trial as large as it was planned to be?
#
# A trial's numbers stand on its flow: every percentage below has a denominator that this
# diagram must produce. Nothing is estimated here but how well people were kept.
#
# *Reads* the trial file, its data and, where there is one, its file of events. *Writes* the rows
# `flow`, `sample_size` and `harms`, the tables `retention`, `harms`, `attendance`, `interventions`
# and `sample_size`, the figure `consort`, and, where criteria are declared, those of progression.

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file
out = None  # the run's output folder; None writes nothing
# Values are the schema's defaults; None: as the trial file declares.
confidence = 0.95  # two-sided coverage of every interval, between 0 and 1

# %%
from mair import results
from mair.published import provenance
from mair.report import consort, fmt, tables_result, words
from mair.report.show import Show
from mair.sections import flow, harms
from mair.stats import power
from mair.trial import load

t = load(trial, confidence=confidence)
show = Show(t, out)
words.opening(t, "flow")

# %% [markdown]
# ## From assessed to analysed
#
# The diagram is drawn from counts, and the counts are added up before it is drawn: those
# excluded, those randomised and those in each arm have to agree.

# %%
rows, ci = flow.rows(t), f"{100 * t.analysis.confidence:g}% CI"
n = {(one.variable, one.arm): one.n
     for one in results.records(rows, analysis="flow", time="", method="")}
excluded = sum(k for (variable, _), k in n.items() if variable.startswith("excluded: "))
arms = {arm: k for (what, arm), k in n.items() if what == "randomised" and arm != "overall"}
assessed, enrolled = n.get(("assessed", "overall")), n["enrolled", "overall"]
assert sum(arms.values()) == enrolled, "the arms do not add up to those enrolled"
assert assessed is None or assessed - excluded == enrolled, "assessed minus excluded is off"

# %%
others = [f"{k} to {arm}" for arm, k in arms.items() if arm not in t.arms]
sums = (f"{enrolled} people were randomised: "
        + " and ".join(f"{arms[arm]} to {t.called[arm]}" for arm in t.arms)
        + (f", who are compared here, and {' and '.join(others)}." if others else "."))
if assessed is not None:
    sums = f"Of {assessed} people assessed {excluded} were excluded. {sums}"
gone = {c.label: int(c.values.isna().sum()) for c in t.covariates}
words.say(sums, "The counts add up.", *(
    f"Left out of the models, because {name} is missing: {k} of {t.n()} people."
    for name, k in gone.items() if k))

# %%
seen = {(one.arm, one.time): one
        for one in results.records(rows, variable="retained", method=["", "fisher"])}
name, followed = flow.followed(t)
later = {visit: t.visit_labels[visit] for visit in [*followed][1:] or followed}
by_arm = [f"{t.called[arm]}: {t.n(arm)} allocated, "
          + ", ".join(f"{seen[arm, visit].n} seen {label}" for visit, label in later.items())
          + f", {n[f'analysed: {name}', arm]} analysed." for arm in t.arms]

# %%
show(consort.consort(rows, arms=t.labels, visits=later, outcome=name), "consort",
     "Flow of participants",
     of=rows[~rows["variable"].str.match("preference|sessions|credibility")],
     alt=f"CONSORT flow diagram. {sums} {' '.join(by_arm)}")

# %%
used = n[f"analysed: {name}", "overall"]
described = {section: sorted({int(t.described(one).sum()) for one in of}) for section, of in
             (("outcomes", t.outcomes), ("biomarkers", t.biomarkers)) if of}
model = "mixed model" if len(followed.columns) > 1 else "analysis"
words.say(
    f"**Who is in each analysis.** The {model} of {name} analyses {used} of the {t.n()} people "
    f"randomised{' to these two arms' * bool(others)}: everybody with at least one "
    f"{'score' if t.primary else 'result'} and every covariate, whether or not they finished "
    "(intention to treat).")

# %%
words.say(
    "" if not described else
    "Means, standard deviations and the effect sizes made of them describe " + " and ".join(
        f"{' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))} people in the {section}"
        for section, counts in described.items()) + ".")

# %% [markdown]
# ## Who was kept
#
# Retention is read against its interval: in small arms one person moves it by several points.

# %% tags=["fold"]
show(tables_result.retention(t, rows))
show(tables_result.progression(t, rows))

# %%
kept = [f"**{label[0].upper()}{label[1:]}:** " + " and ".join(
        f"{seen[arm, visit].n} of the {t.n(arm)} people in {t.called[arm]} "
        f"({fmt.number(seen[arm, visit].percent, 1)}%)" for arm in t.arms)
        + " were seen." + ("" if fmt.absent(p := seen["difference", visit].p) else
                           f" Fisher's exact test: {fmt.p(p)}.")
        for visit, label in later.items()]

# %%
criteria = t.sections.get("progression") or {}
found = {name: results.records(rows, analysis="progression", variable=name) for name in criteria}
counts = {name: (f"{one.n} people in {one.months:g} months ({fmt.number(one.rate, 1)} a month"
                 if limits.method == "poisson" else
                 f"{one.n} of {one.n_of} people ({fmt.number(one.percent, 1)}%")
          + f"; {ci} {fmt.ci(limits.ci_low, limits.ci_high, 1)})"
          for name, (one, limits, _) in found.items()}
counts |= {"adherence": f"at least {criteria['adherence']['sessions']} sessions, "
                        + counts["adherence"]} if "adherence" in criteria else {}

# %%
by = {name: [flow.DECISIONS.get(of) for of in (
    rule.decision, rule.decision_low, rule.decision_high)] for name, (*_, rule) in found.items()}
going = [f"**{words.begin(name)}:** {counts[name]}: " + (
    "not estimable, as nothing was to be observed." if None in of else
    f"**{of[0]}**, and so by both ends of the interval." if len({*of}) == 1 else
    f"**{of[0]}**; by the interval's lower end {of[1]}, by its upper {of[2]}.")
    for name, of in by.items()]

# %%
words.bullets(*kept)
words.say("Everybody was seen." if all(
    fmt.absent(seen["difference", visit].p) for visit in later) else
    "A large p value here does not show that dropout was alike in both arms: so few people "
    "could hide a difference that matters.")
words.say("" if not going else
          "**Going on to a larger trial.** The rule is to go on as planned at the green threshold "
          "or above, to stop below the amber one, and to amend between them. The estimate decides; "
          "what the ends of its interval would have decided says how firmly.")
words.bullets(*going)

# %% [markdown]
# ## Harms
#
# An event that nobody was asked about is not an event that did not happen.

# %% tags=["fold"]
show(tables_result.adverse(t, rows))

# %%
had = {(one.variable, one.arm): one for one in results.records(rows, analysis="harms")}
words.say("" if t.events is not None else
          "Adverse events are not recorded in the trial file: nothing is known of them here.")
words.bullets(*(f"**{words.begin(event)}:** " + " and ".join(
    f"{had[event, arm].n} people in {name} ({had[event, arm].events} events)"
    for arm, name in t.called.items())
    + "." for event in (harms.ANY, harms.SERIOUS) if (event, t.control) in had))

# %% [markdown] tags=["appendix"]
# ## What they received, and what they thought of it
#
# Attendance tells whether the treatments compared were really received, credibility and
# preference whether expectations could tell the arms apart.

# %%
show(tables_result.attendance(t, rows))

# %%
tested = results.records(rows, analysis="flow", method="mann-whitney")
origins = provenance.kinds(t, rows)
asked = {(one.variable, one.arm): f"{one.n} people in {t.called[one.arm]}" for one in
         results.records(rows, analysis="flow", method="weighted-average", arm=t.arms)}
called = {"sessions": "sessions attended", "credibility": "ratings of credibility"}
words.say(*(f"A Mann-Whitney test of the {called[one.variable]} "
            f"({' and '.join(asked[one.variable, arm] for arm in t.arms)}) "
            f"gives {words.known(origins, one, 'p', fmt.p)}." for one in tested))
if not tested:
    words.say("The trial file names no column of sessions or credibility, so neither is compared.")

# %% [markdown]
# What a session held tells how far the two treatments share the time and attention given.

# %%
show(tables_result.interventions(t))

# %%
outline = t.about.get("interventions") or []
words.say("How faithfully these sessions were held, the outline does not say." if outline else
          "The trial file does not outline what was done in a session.")

# %% [markdown] tags=["appendix"]
# ## Was the size planned for?
#
# The calculation behind a trial's size can be redone from its four inputs. The two formulas
# differ because the normal one takes the standard deviation as known; the two ways to allow
# for dropout differ because dividing keeps the planned number after the losses, multiplying
# does not.

# %%
planned = t.sections.get("sample_size")
if planned:
    show(tables_result.sample_size(t, rows))
    needed = {one.method: one for one in results.records(rows, analysis="sample_size")}
    words.say(
        f"To find a difference of {fmt.number(needed['declared'].d, 3)} standard deviations, the "
        f"normal formula asks for {needed['normal'].n} people in each arm and the noncentral t for "
        f"{needed['t'].n}, before dropout; "
        f"{' and '.join(f'{t.n(arm)} ({t.called[arm]})' for arm in t.arms)} were randomised.")
else:
    words.say("The trial file declares no calculation of its size.")

# %%
if planned and None not in map(planned.get, ("difference", "mean", "relative_difference")):
    exact = planned["mean"] * planned["relative_difference"]
    sizes = [power.sample_size(exact / planned["sd"], alpha=planned["alpha"],
                               power=planned["power"], method=method) for method in ("normal", "t")]
    if exact != planned["difference"]:
        words.say(f"Rounding matters: {planned['relative_difference']:.0%} of {planned['mean']:g} "
                  f"is {exact:g}, not {planned['difference']:g}, and needs {sizes[0]} people "
                  f"in each arm by the normal formula and {sizes[1]} by the noncentral t.")

# %% [markdown]
# ## What is not reported
#
# CONSORT's extension for pilot trials asks for more than this diagram holds.

# %%
missing = ", ".join(map(str, t.about.get("not_reported") or []))
words.say(f"Not reported in the source: {missing}." if missing else
          "Not read by this report, and to be added by hand: "
          f"{'harms, ' * (t.events is None)}"
          f"{'recruitment rate, ' * ('recruitment' not in criteria)}fidelity of delivery"
          + ("." if criteria else ", and the criteria for going on to a larger trial."))

# %%
results.save(rows, out, "flow")
