"""The first screen of the page: the primary result in sentences, and what it rests on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mair.published import provenance
from mair.published.consistency import SEVERITY
from mair.published.consistency.sheet import INPUT
from mair.report import fmt, reviewer, words
from mair.results import KEYS, records
from mair.sections import audit, flow, measures, nnt, robustness

DOI = re.compile(r"\b10\.\d{4,}/\S*[^\s.,;]")
SHOWN = 3  # findings on the first screen


@dataclass
class Summary:
    """What the head of the page says, as text.

    Attributes
    ----------
    design : str
        One line: who was allocated to what, and when they were seen.
    links : list of (str, str)
        Registration and publication: what is shown, and the address.
    result, grid, undo : str
        The primary contrast; what the other analyses of it say; what would change the answer.
    held : dict of str to int
        Verdict of the audit to the printed numbers under it; empty without a publication.
    findings : list
        The audit's, most consequential first.
    facts : list of (str, str)
        What a reader asks next where nothing is published: flow, harms, missing data.
    """

    design: str = ""
    links: list = field(default_factory=list)
    result: str = ""
    grid: str = ""
    undo: str = ""
    held: dict = field(default_factory=dict)
    findings: list = field(default_factory=list)
    facts: list = field(default_factory=list)


def summary(trial, rows, compared=None) -> Summary:
    """The first screen of a trial's page.

    Parameters
    ----------
    trial : Trial
    rows : DataFrame
        Columns of ``results.csv``.
    compared : DataFrame, optional
        Published beside recomputed.

    Returns
    -------
    Summary
    """
    found = Summary(links=list(_links(trial.about)))
    if trial.published:
        judged = audit.judged(trial)["verdict"]
        found.held = {verdict: int((judged == verdict).sum()) for verdict in
                      (*sorted(SEVERITY, key=SEVERITY.get, reverse=True), INPUT)}
        found.findings = audit.found(trial)[:SHOWN]
    if not trial.has_data:
        found.design = "An audit of the published numbers alone; there are no data."
        found.result = reviewer.sentence(trial) if trial.published else ""
        return found
    arms = words.listed(f"{trial.n(arm)} to {words.arm(trial, arm)}"
                        for arm in reversed(trial.arms))
    found.design = (f"{trial.about.get('design', 'Randomised trial')}: {trial.n()} people, {arms}; "
                    f"seen {words.listed(words.when(trial, visit) for visit in trial.visits)}.")
    later = measures.later(trial, trial.primary.name) if trial.outcomes else ()
    ends = list(dict.fromkeys((*later[:1], *later[-1:])))
    contrasts = [one for visit in ends for one in _primary(trial, rows, visit)]
    found.result = "; ".join([_sentence(trial, rows, compared, one, i)
                              for i, one in enumerate(contrasts)] or _responded(trial, rows))
    origins = provenance.kinds(trial, rows) if provenance.stored(trial) else {}
    found.grid = " ".join(_grid(trial, rows, one.time, origins) for one in contrasts)
    found.undo = " ".join(filter(None, (_undo(trial, rows, visit, origins) for visit in ends)))
    if not found.held:
        found.facts = list(_facts(trial, rows, ends))
    return found


def _links(about):
    """Addresses of what the trial file names: the registration, and the publication by its DOI."""
    for number in re.findall(r"\bNCT\d{8}\b", str(about.get("registration", ""))):
        yield number, f"https://clinicaltrials.gov/study/{number}"
    for doi in DOI.findall(str(about.get("citation", ""))):
        yield f"doi:{doi}", f"https://doi.org/{doi}"


def _primary(trial, rows, visit):
    """The declared contrast of the primary outcome at a visit, where it is estimable."""
    name = trial.primary.name
    if not ((rows["analysis"] == "outcomes") & (rows["variable"] == name)).any():
        return []  # its notebook was left out
    found = records(rows, analysis="outcomes", variable=name, arm="difference", time=visit,
                    method=measures.method(rows, "outcomes", name))
    return [one for one in found if not fmt.absent(one.b)]


def _sentence(trial, rows, compared, one, i) -> str:
    """The contrast in points towards the better end, with interval, people and printed value."""
    sign = _better(trial)
    low, high = sorted((sign * one.ci_low, sign * one.ci_high))
    seen = {r.time: r.n for r in records(rows, analysis="flow", variable="retained",
                                         arm="overall", method="")}
    keys = [getattr(one, key) for key in ("analysis", "variable", "arm", "time", "method")]
    printed = [] if compared is None else compared.loc[
        (compared[["analysis", "variable", "arm", "time", "method"]] == keys).all(axis=1)
        & (compared["statistic"] == "b"), "printed"]
    when, points = words.when(trial, one.time), fmt.number(abs(one.b), 1)
    more = "more" if sign * one.b >= 0 else "less"
    once, log = len(trial.primary.visits) == 1, trial.primary.transform == "log"
    what = ("the geometric mean of " * log if once else
            f"the {'factor of ' * log}change in ") + one.variable
    limits = fmt.ci(low, high, 1)
    said = f"{when}, {points} points {more}" if i else (
        f"{words.begin(when)}, {what} was {points} points {more} favourable with "
        f"{trial.treatment} than with {trial.control}")
    for ratio, of in (("gmr", ""), ("or", "the odds of "), ("irr", "the rate of ")):
        if not hasattr(one, ratio):
            continue
        value, *ends = (getattr(one, f"{ratio}{end}") for end in ("", "_low", "_high"))
        limits, what = fmt.ci(*ends), f"the change in {of}{one.variable}" if of else what
        said = (f"{words.begin(when)}, {what} was {fmt.number(value)} times with "
                f"{trial.treatment} what it was with {trial.control}")
    inside = [f"{trial.analysis.confidence:.0%}\u00a0CI\u00a0{limits}", fmt.p(one.p),
              f"n\u00a0=\u00a0{one.n:g}"
              + (f", {seen[one.time]:g} of them seen then"
                 if one.time in seen and not once else ""),
              *(f"printed: B\u00a0{number.replace('-', fmt.MINUS)}" for number in printed)]
    return f"{said} ({'; '.join(inside)})"


def _responded(trial, rows):
    """Who has the good result by the first criteria, where no score is the primary outcome."""
    chosen = trial.analysis
    for name, visit in nnt.declared(trial)[:2] if not trial.outcomes else ():
        rule = chosen.responder_missing
        arms = records(rows, analysis="nnt", variable=name, arm=trial.arms, time=visit, method=rule)
        for one in records(rows, analysis="nnt", variable=name, arm="difference", time=visit,
                           method=f"{rule}/{chosen.risk_interval}"):
            yield (f"{name}: " + " and ".join(
                f"{arm.responders:g} of {arm.n:g} ({arm.percent:.0f}%) with {arm.arm}"
                for arm in reversed(arms)) + f" had the good result, {fmt.number(one.arr, 1)} "
                f"percentage points apart ({chosen.confidence:.0%}\u00a0CI\u00a0"
                f"{fmt.ci(one.ci_low, one.ci_high, 1)})")


def _grid(trial, rows, visit, origins) -> str:
    """How many analyses of the contrast keep zero out of their intervals; of a cohort made from
    a paper, in every cohort found to agree with it."""
    contrasts = rows[(rows["analysis"] == "robustness") & robustness.is_contrast(rows)
                     & ~rows["method"].str.contains("delta=")]
    tried = [one for one in records(contrasts, time=visit)
             if not (fmt.absent(one.b) or fmt.absent(one.ci_low))]
    if not tried:
        return ""

    def over(one, statistic):
        own = getattr(one, statistic)
        key = (*(getattr(one, name) for name in KEYS[:-1]), statistic)
        return origins[key][1:] if key in origins else (own, own)

    clear = sum(over(one, "ci_low")[0] > 0 or over(one, "ci_high")[1] < 0 for one in tried)
    ends = [x for one in tried for x in over(one, "b")]
    ends = sorted(_better(trial) * end(ends) for end in (min, max))
    different = robustness.distinct([one.b for one in tried])
    return (f"{words.begin(words.when(trial, visit))}, {clear} of {len(tried)} analyses of this "
            f"contrast ({different} distinct estimate{'s' * (different > 1)}) have an interval "
            f"without zero{' in every agreeing cohort found' * bool(origins)}; their estimates "
            f"favour {trial.treatment} by {fmt.ci(*ends, 1)} points.")


def _better(trial) -> int:
    """What turns the primary outcome's points so that more is better."""
    return -1 if trial.primary.better == "lower" else 1


def _undo(trial, rows, visit, origins) -> str:
    """How much worse the unseen of the treatment arm must have been for another answer."""
    for one in records(rows, analysis="robustness", method="tipping-point", time=visit):
        when = words.begin(words.when(trial, visit))
        if one.tips and not one.held_already:
            far, over, cohorts = words.known(
                origins, one, "delta", lambda x: fmt.number(x, 1)).partition(" over ")
            return (f"{when}, those of {trial.treatment} who were not seen would have to be {far} "
                    "points worse than imputed for the interval to reach zero"
                    + f" ({(over + cohorts).strip()})" * bool(over) + ".")
        return f"{when}, " + ("the interval contains zero as it is." if one.held_already else
                              "no shift of the unseen within the scale brings zero into it.")
    return ""


def _facts(trial, rows, ends):
    """What a reader asks of a trial without a publication, with the answers."""
    seen = {(r.arm, r.time): r.n for r in records(rows, analysis="flow", variable="retained",
                                                  method="")}
    name, when = flow.followed(trial)
    for visit in (visit for visit in ends or when if ("overall", visit) in seen):
        yield f"Seen, {trial.visit_labels[visit]}", "; ".join(
            f"{seen[arm, visit]:g} of {trial.n(arm)} in {arm}" for arm in trial.arms)
        lost = trial.n() - seen["overall", visit]
        yield f"Missing, {trial.visit_labels[visit]}", (
            f"{lost:g} of {trial.n()} results of {name} "
            f"({100 * lost / trial.n():.0f}%)")
    had: dict = {}  # of each kind of harm, the people in each arm
    for one in records(rows, analysis="harms", arm=list(trial.arms), method=""):
        had.setdefault(one.variable, []).append(f"{fmt.count(one.n, one.percent)} in {one.arm}")
    yield "Harms", "; ".join(f"{words.label(trial, what)}, {' and '.join(people)}" for what, people
                             in list(had.items())[:2]) or "not recorded in the trial file"
    for one in records(rows, analysis="flow", arm="overall", variable=f"analysed: {name}"):
        yield "Analysed", f"{one.n:g} of {trial.n()} people"
