"""The first screen of the page: the primary result in sentences, and what it rests on."""

import re
from dataclasses import dataclass, field
from functools import partial

from mair.published import provenance
from mair.published.consistency import SEVERITY
from mair.published.consistency.sheet import INPUT
from mair.report import fmt, reviewer, words, written
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
    say = written.templates().get_template("summary.j2").make_module({
        "t": trial, "fmt": fmt, "words": words, "found": partial(records, rows)})
    found.design = say.design()
    later = measures.later(trial, trial.primary.name) if trial.outcomes else ()
    ends = list(dict.fromkeys((*later[:1], *later[-1:])))
    contrasts = [one for visit in ends for one in _primary(trial, rows, visit)]
    found.result = "; ".join(
        [say.contrast(one, not i, _better(trial), _printed(compared, one))
         for i, one in enumerate(contrasts)]
        or [say.responded(*one) for one in _responded(trial, rows)])
    others = rows[rows["analysis"] == "robustness"]
    origins = provenance.kinds(trial, others) if provenance.stored(trial) else {}
    found.grid = " ".join(say.grid(one.time, *tried, bool(origins)) for one in contrasts
                          for tried in _grid(trial, rows, one.time, origins))
    found.undo = " ".join(
        say.undo(one, words.known(origins, one, "delta", lambda x: fmt.number(x, 1)))
        for visit in ends for one in records(rows, analysis="robustness", method="tipping-point",
                                             time=visit))
    if not found.held:
        name, seen = flow.followed(trial)
        found.facts = [one.strip().split("\x1f") for one in
                       say.facts(name, ends or [*seen]).split("\x1e")[1:]]
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


def _printed(compared, one) -> list[str]:
    """The printed B of a contrast, if it has one."""
    if compared is None:
        return []
    same = compared["statistic"] == "b"
    for key in KEYS[:-1]:
        same &= compared[key] == getattr(one, key)
    return list(compared.loc[same, "printed"])


def _responded(trial, rows):
    """Who has the good result by the first criteria, where no score is the primary outcome."""
    chosen = trial.analysis
    for name, visit in nnt.declared(trial)[:2] if not trial.outcomes else ():
        rule, of = chosen.responder_missing, {"analysis": "nnt", "variable": name, "time": visit}
        for one in records(rows, **of, arm="difference", method=f"{rule}/{chosen.risk_interval}"):
            yield one, records(rows, **of, arm=trial.arms, method=rule)


def _grid(trial, rows, visit, origins):
    """How many analyses of the contrast keep zero out of their intervals, of how many; distinct
    estimates, and their extremes; of a cohort made from a paper, over every agreeing cohort found.
    """
    contrasts = rows[(rows["analysis"] == "robustness") & robustness.is_contrast(rows)
                     & ~rows["method"].str.contains("delta=")]
    tried = [one for one in records(contrasts, time=visit)
             if not (fmt.absent(one.b) or fmt.absent(one.ci_low))]

    def over(one, statistic):
        own = getattr(one, statistic)
        key = (*(getattr(one, name) for name in KEYS[:-1]), statistic)
        return origins[key][1:] if key in origins else (own, own)

    clear = sum(over(one, "ci_low")[0] > 0 or over(one, "ci_high")[1] < 0 for one in tried)
    ends = [_better(trial) * end for one in tried for end in over(one, "b")]
    if tried:
        yield (clear, len(tried), robustness.distinct([one.b for one in tried]),
               (min(ends), max(ends)))


def _better(trial) -> int:
    """What turns the primary outcome's points so that more is better."""
    return -1 if trial.primary.better == "lower" else 1
