"""Sentences in notebooks: computed prose, and what every notebook says first."""

import re

from mair import results
from mair.published import provenance
from mair.report import fmt, markup, written
from mair.report.markup import Markup

METHODS, STATISTICS, MET, COVARIANCES, INFERENCES, MISSING, DRAWN = written.data("words").values()


def say(*sentences: str, page="") -> None:
    """Display sentences as one paragraph of Markdown; empty ones are left out.

    Parameters
    ----------
    *sentences : str
        Text, with ``**``, ``*`` and code as in Markdown (`mair.report.markup`); names and
        numbers in them are the caller's.
    page : {"", "head", "once"}
        On the report's page: as it stands; in its head already; once, however often it is said.
    """
    _display(" ".join(markup.sentence(one) for one in sentences if one), page)


def said(name: str, *content) -> str:
    """A paragraph of ``sentences.j2``."""
    return written.macro("sentences.j2", name, *content).strip().replace("\n", " ")


def _display(text: str, page: str) -> None:
    if text:
        from IPython.display import Markdown, display

        display(Markdown(text), metadata={"page": page} if page else None)


def bullets(*sentences: str, page="") -> None:
    """Display sentences as a list; empty ones are left out."""
    _display("\n".join(f"- {markup.sentence(one)}" for one in sentences if one), page)


def known(origins: dict, one, statistic: str, show=fmt.number) -> str:
    """A statistic as a sentence may state it: of an invented one its range over cohorts.

    Parameters
    ----------
    origins : dict
        As `mair.published.provenance.kinds` gives it.
    one : record of `mair.results.records`
    statistic : str
    show : callable
        A number's text.
    """
    value = getattr(one, statistic)
    if not provenance.invented(origins, one, statistic):
        return show(value)
    origin = origins[(*(getattr(one, key) for key in results.KEYS[:-1]), statistic)]
    ends = dict.fromkeys(map(show, (origin.low, origin.high)))
    return " to ".join(ends) + (" over cohorts that agree with the paper" if len(ends) > 1 else "")


def own_numbers(trial) -> None:
    """Say, of a cohort made from a paper, that what follows is not the paper's."""
    if provenance.has(trial):
        say(said("own_numbers"))


def opening(trial, section="") -> None:
    """Which trial this is, whether it is synthetic, its notices, and its own words.

    Parameters
    ----------
    trial : Trial
    section : str
        Whose ``remarks`` of the trial file are shown, as the trial's and not as Markdown.
    """
    markup.names(trial)
    say(said("opening", trial), page="head")
    say(said("synthetic") if trial.synthetic else "", page="head")
    bullets(*(trial.notices if section == "flow" else []), page="head")
    bullets(*trial.overrides)
    own = (trial.sections.get("remarks") or {}).get(section)
    if own:
        lines = Markup("<br>").join(map(markup.plain, filter(str.strip, own.splitlines())))
        say(Markup("<blockquote><p><strong>The trial's own remark.</strong> {}</p></blockquote>"
                   ).format(lines))


def estimand(trial, summary: str) -> None:
    """The estimand as the trial file declares it, with this notebook's summary measure.

    Parameters
    ----------
    trial : Trial
    summary : str
        What the notebook estimates.
    """
    bullets(*(said(part, trial, trial.sections.get("estimand") or {}) for part in (
        "population", "treatments", "intercurrent")), page="once")
    say(f"**Summary:** {summary}.")


def method(name: str) -> str:
    """A method of ``results.csv`` in words; parts that have none stay as they are.

    Examples
    --------
    >>> method("clda:random-intercept/kenward-roger")
    'common mean at baseline, random intercept, Kenward-Roger'
    """
    return ", ".join(METHODS.get(part, part) for part in re.split("[:/,]", name) if part)


KEY = (r"<code\b.*?</code>|src='[^']*'|<[^<>]+>"
       r"|(?P<method>[a-z][a-z:,-]*/(?:z|satterthwaite|kenward-roger)\b(?:/[\w=-]+)*)"
       r"|(?P<key>\bmi-(?:mar|j2r|cr)\b|\b[\w-]*[a-z]_[a-z][\w-]*)"
       r"|(?<![\d.])(?P<same>[−-]?\d[\d.]*%?)\sto\s(?P=same)(?![\d.])"
       r"|(?P<minus>(?<![\w.)\]–−-])-(?=\.?\d)|(?<=[\d)] )-(?= [\d(]))")


def _word(trial, key: str) -> str:
    """A key that the trial or its rows may name in words; names of their own stay as they are."""
    if key in trial.visit_labels:
        return trial.visit_labels[key]
    if key in trial.arms or key in trial.outcomes or key in trial.biomarkers:
        return key
    label = next((one.label for one in (*trial.covariates, *trial.baseline) if one.name == key), "")
    return label or METHODS.get(key) or STATISTICS.get(key) or key.replace("_", " ")


def plain(trial):
    """What puts keys of ``results.csv`` and of the trial file that stand in text into words.

    Numbers get their minus sign, and an interval whose ends read alike is one number.

    Parameters
    ----------
    trial : Trial

    Returns
    -------
    callable
        Of text, plain or HTML; what stands in tags and in code stays.

    Examples
    --------
    >>> from mair.trial import load
    >>> shown = plain(load("params/mair.yaml"))
    >>> shown("d_ppc2 at post: n_medications, random-intercept/z")
    'd (pre-post-control) after treatment: Total number of medications, random intercept, z'
    >>> shown("IL-6, -0.2 to -0.2, 2020-21, (3 - 1)")
    'IL-6, −0.2, 2020-21, (3 − 1)'
    """
    either = {*trial.visit_labels, *trial.visit_labels.values()}  # a label may hold its key
    own = "|".join(re.escape(one) for one in sorted(either, key=len, reverse=True)
                   if re.search(r"[^\d.,]", one))  # a number may be any other
    pattern = re.compile(KEY + (rf"|(?P<at>\bat )?(?<![\w–“-])(?P<visit>{own})(?![\w–-])"
                                if own else ""), re.DOTALL)

    def put(match):
        found = match.groupdict()
        if found["method"]:
            return method(found["method"])
        if found["same"] or found["minus"]:
            return (found["same"] or "-").replace("-", fmt.MINUS)
        if found.get("visit") and found["visit"] not in trial.visit_labels:
            return match[0]
        if found.get("at"):
            return when(trial, found["visit"])
        if key := found["key"] or found.get("visit"):
            return _word(trial, key)
        return match[0]

    return lambda text: pattern.sub(put, text)


def label(trial, key: str) -> str:
    """A key of ``results.csv`` as a reader sees it: a variable, visit, arm or statistic.

    Examples
    --------
    >>> from mair.trial import load
    >>> t = load("params/mair.yaml")
    >>> label(t, "FIQ: n_medications"), label(t, "ci_low"), label(t, "education: primary")
    ('FIQ: Total number of medications', 'lower limit', 'Education: primary')
    """
    return ": ".join(_word(trial, part) for part in key.split(": "))


def arm(trial, key: str) -> str:
    """An arm with its label, where that says more."""
    long = trial.labels.get(key, key)
    return long if long == key or key.isdecimal() else f"{key} ({long})"


def when(trial, visit: str) -> str:
    """A visit as part of a sentence: ``after treatment``, ``at 2 months``."""
    label = trial.visit_labels[visit]
    return label if label.split()[0] in ("after", "at", "before", "during") else f"at {label}"


def begin(text: str) -> str:
    """Words with which a sentence begins."""
    return f"{text[:1].upper()}{text[1:]}"


def listed(parts) -> str:
    """Words as a list: ``a, b and c``."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def assumptions(trial) -> str:
    """What the declared analysis takes for granted, in a few sentences."""
    return said("assumptions", trial.analysis, COVARIANCES, MISSING, INFERENCES)


def level_kept(trial) -> str:
    """What simulation says of the declared inference at this trial's size, in a sentence."""
    from mair.sections import size  # only where a notebook says it

    found = [one for one in results.records(size.of(trial, False))
             if one.method.endswith(f"/{trial.analysis.inference}")]
    return said("level_kept", trial, found, method(found[0].method if found else ""))
